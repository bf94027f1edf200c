/* Running a constant part of a graph a single time, for folding: one plan, in which values go after their last reader.
 *
 * Always by the operators' own kernels: a folded result has the bits that the operators define, whatever natives round otherwise.
 * Constants are read where they lie. A node that fails leaves the others alone. */
#include "exec/plan.h"

typedef struct job {
    ox_frame *f;
    const ox_graph *g;
    const ox_part *part;
} job;

/* Whether all that a step reads was made, and lies in memory. */
static bool fetch(ox_plan *p, const ox_step *s) {
    for (int i = 0; i < s->n_in; i++) {
        ox_rt *v = p->worker.in[i] = s->in[i] ? *s->in[i] : NULL;
        if (s->in[i] && !v) return false;
        if (v && v->kind == OX_RT_TENSOR && !ox_tensor_data(v->t)) return false;
    }
    return true;
}

static bool run_step(ox_frame *f, ox_plan *p, ox_step *s) {
    bool done = fetch(p, s) && !ox_eval_call(&s->call, p->worker.in, p->worker.out);
    for (int i = 0; done && i < s->call.n_out; i++) {
        if (s->out[i]) *s->out[i] = p->worker.out[i];
        else ox_rt_unref(p->worker.out[i]);
    }
    ox_arena_reset(f->scratch[0]);
    return done;
}

/* What a node reads that stays is needed. */
static void keep_operands(ox_frame *f, const ox_plan *p, const ox_part *part, const ox_node *n) {
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint32_t k = ox_plan_cell(f, p, n->in[i].v);
        if (k != OX_NO_CELL && p->cells[k]) part->keep(part->user, n->in[i].v, p->cells[k]);
    }
}

static int run(void *arg) {
    job *j = arg;
    ox_frame *f = j->f;
    const ox_part *part = j->part;
    if (ox_plan_part(f, j->g, part)) return -1;
    ox_plan *p = f->main;
    uint32_t k = 0;
    for (size_t i = 0; i < part->n_nodes; i++) {
        bool planned = k < p->n_steps && p->steps[k].node == part->nodes[i];
        part->done[i] = planned && run_step(f, p, &p->steps[k]);
        if (!part->done[i]) {
            if (ox_error_code(f->ctx) == OX_NO_MEMORY) return -1;
            ox_clear_error(f->ctx);
            keep_operands(f, p, part, part->nodes[i]);
        }
        if (!planned) continue;
        for (uint32_t c = p->release_from[k]; c < p->release_from[k + 1]; c++) {
            ox_rt_unref(p->cells[p->release[c]]);
            p->cells[p->release[c]] = NULL;
        }
        k++;
    }
    for (size_t c = 0; c < p->n_cells; c++)
        if (p->returned[c] && p->cells[c]) part->keep(part->user, p->values[c], p->cells[c]);
    return 0;
}

int ox_run_part(ox_graph *g, const ox_part *part) {
    ox_frame *f = ox_frame_bare(g->model, &(ox_frame_options){.plain = true});
    if (!f) return -1;
    int rc = ox_protect(f->ctx, run, &(job){f, g, part});
    ox_frame_free(f);
    return rc;
}
