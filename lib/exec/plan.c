/* Planning: which nodes run in which order, where their values live, and after which step a value is no longer
 * needed.
 *
 * Nodes stand in topological order already. What no output depends on is left out. Constants get cells that are
 * filled once. The last use of a value is looked up in its use list; a use in a body counts for the node of the
 * value's own graph that holds the body. The cost is linear in the model (times the nesting depth). */
#include "exec/plan.h"

#include <string.h>

static int plan_graph(ox_frame *f, const ox_graph *g, int depth);

/* The node of graph g in which a use happens: the user itself or the holder of the body around it. */
static const ox_node *user_in(const ox_graph *g, const ox_node *user) {
    while (user && user->graph != g) user = user->graph ? user->graph->owner : NULL;
    return user;
}

/* ---- constants */

ox_tensor *ox_sparse_dense(ox_ctx *ctx, const ox_sparse *s) {
    ox_tensor *t = ox_tensor_new(ctx, s->values->dtype, s->rank, s->dims);
    if (!t) return NULL;
    const void *values = ox_tensor_data(s->values), *indices = ox_tensor_data(s->indices);
    if (!values || !indices || t->dtype == OX_STRING) {
        if (t->dtype == OX_STRING) ox_fail(ctx, OX_UNAVAILABLE, "sparse tensors of strings are not served");
        ox_tensor_unref(t);
        return NULL;
    }
    unsigned bits = ox_dtype_bits(t->dtype);
    char *out = memset(ox_tensor_mut(t), 0, (size_t)t->bytes);
    bool linear = s->indices->rank == 1;
    for (int64_t k = 0; k < s->values->count; k++) {
        int64_t at = 0;
        for (int d = 0; d < (linear ? 1 : s->rank); d++) {
            int64_t i = ox_load_int(OX_INT64, indices, linear ? k : k * s->rank + d);
            int64_t bound = linear ? t->count : s->dims[d];
            if (i < 0 || i >= bound) {
                ox_fail(ctx, OX_BAD_DATA, "sparse tensor: index %lld is out of range", (long long)i);
                ox_tensor_unref(t);
                return NULL;
            }
            at = linear ? i : at * s->dims[d] + i;
        }
        if (bits >= 8)
            memcpy(out + (size_t)at * (bits / 8), (const char *)values + (size_t)k * (bits / 8), bits / 8);
        else
            ox_store_int(t->dtype, out, at, ox_load_int(t->dtype, values, k));
    }
    return t;
}

/* A cell with the constant; takes over the reference. NULL after ox_fail. */
static ox_cell *constant_cell(ox_frame *f, const ox_value *v, ox_tensor *t) {
    ox_constant_cell *c = OX_NEW(f->arena, ox_constant_cell);
    c->value = ox_rt_tensor(f->ctx, t);
    if (!c->value) return NULL;
    c->next = f->constants;
    f->constants = c;
    ox_map_put(&f->cell_of, v, &c->value);
    return &c->value;
}

/* The tensor a value has when nothing makes it at run time: constant, or sparse initializer made dense. *t NULL: it
 * has none. */
static int constant_of(ox_frame *f, const ox_value *v, ox_tensor **t) {
    *t = v->variable ? v->data : ox_constant(v);
    if (*t)
        ox_tensor_ref(*t);
    else if (!v->def && v->sparse && !v->is_input && !(*t = ox_sparse_dense(f->ctx, v->sparse)))
        return ox_fail_in(f->ctx, "initializer '%s'", v->name ? v->name : "");
    return 0;
}

/* Where a step reads a value; -1 after ox_fail. */
static int cell_of(ox_frame *f, const ox_value *v, ox_cell **cell) {
    *cell = v ? ox_map_get(&f->cell_of, v) : NULL;
    if (!v || *cell) return 0;
    ox_tensor *t;
    if (constant_of(f, v, &t)) return -1;
    if (!t) return ox_fail(f->ctx, OX_BAD_DATA, "value '%s' is never made", v->name ? v->name : "");
    *cell = constant_cell(f, v, t);
    return *cell ? 0 : -1;
}

static bool holds_constant(const ox_node *n) {
    return n->n_out == 1 && n->out[0] && ox_is(n, "Constant") && ox_constant(n->out[0]);
}

/* ---- nodes */

/* Marks, from the last node to the first, those an output depends on. */
static void find_live(const ox_graph *g, ox_map *live) {
    for (const ox_node *n = g->last; n; n = n->prev) {
        bool needed = n->op && (n->op->flags & OX_STATEFUL);
        for (uint32_t i = 0; i < n->n_out && !needed; i++)
            for (const ox_use *u = n->out[i] ? n->out[i]->uses : NULL; u && !needed; u = u->next) {
                const ox_node *user = user_in(g, u->user);
                needed = user && (user == g->ret || ox_map_has(live, user));
            }
        if (needed) ox_map_put(live, n, (void *)(uintptr_t)n);
    }
}

/* Gives every value that appears at run time its cell. */
static void make_cells(ox_frame *f, ox_plan *p, const ox_map *live) {
    const ox_graph *g = p->graph;
    size_t n = g->n_inputs;
    for (const ox_node *k = g->first; k; k = k->next) n += k->n_out;
    p->cells = OX_NEW_N(f->arena, ox_cell, n + 1);
    p->inputs = OX_NEW_N(f->arena, ox_cell *, g->n_inputs + 1);
    for (size_t i = 0; i < g->n_inputs; i++) {
        if (ox_constant(g->inputs[i])) continue;
        p->inputs[i] = &p->cells[p->n_cells++];
        ox_map_put(&f->cell_of, g->inputs[i], p->inputs[i]);
    }
    for (const ox_node *k = g->first; k; k = k->next) {
        if (!ox_map_has(live, k) || holds_constant(k)) continue;
        for (uint32_t i = 0; i < k->n_out; i++)
            if (k->out[i]) ox_map_put(&f->cell_of, k->out[i], &p->cells[p->n_cells++]);
    }
}

typedef struct body_job {
    ox_frame *f;
    int depth;
} body_job;

static int plan_body(ox_graph *g, void *user) {
    body_job *job = user;
    return plan_graph(job->f, g, job->depth);
}

static int plan_step(ox_frame *f, ox_plan *p, const ox_node *n) {
    ox_step *s = &p->steps[p->n_steps];
    s->node = n;
    if (ox_call_init(&s->call, f->ctx, f->arena, n)) return ox_fail_in_node(f->ctx, n);
    p->n_steps++;
    s->call.arena = f->scratch[p->depth];
    ox_map_put(&f->step_of, n, (void *)(uintptr_t)p->n_steps);
    s->in = OX_NEW_N(f->arena, ox_cell *, s->call.n_in + 1);
    s->out = OX_NEW_N(f->arena, ox_cell *, s->call.n_out + 1);
    for (int i = 0; i < s->call.n_in; i++) {
        const ox_arg *a = &s->call.in[i];
        if (!a->v && a->t) { /* made by a lift, and the call's own */
            ox_constant_cell *c = OX_NEW(f->arena, ox_constant_cell);
            if (!(c->value = ox_rt_tensor(f->ctx, ox_tensor_ref((ox_tensor *)(uintptr_t)a->t)))) return -1;
            c->next = f->constants;
            f->constants = c;
            s->in[i] = &c->value;
        } else if (cell_of(f, a->v, &s->in[i])) {
            return ox_fail_in_node(f->ctx, n);
        }
    }
    for (int i = 0; i < s->call.n_out; i++)
        if ((uint32_t)i < n->n_out && n->out[i]) s->out[i] = ox_map_get(&f->cell_of, n->out[i]);
    body_job job = {f, p->depth + 1};
    return ox_each_body((ox_node *)(uintptr_t)n, plan_body, &job);
}

/* ---- lifetimes */

static void release_after(ox_frame *f, ox_plan *p, size_t step, ox_cell *cell) {
    ox_release *r = OX_NEW(f->arena, ox_release), **list = step < p->n_steps ? &p->steps[step].release : &p->release;
    r->cell = cell;
    r->next = *list;
    *list = r;
}

/* The step after which a value is not read any more; `made` when it is never read. */
static size_t last_use(const ox_frame *f, const ox_plan *p, const ox_value *v, size_t made) {
    size_t last = made;
    for (const ox_use *u = v->uses; u; u = u->next) {
        const ox_node *user = user_in(p->graph, u->user);
        if (!user) continue;
        if (user == p->graph->ret) return p->n_steps;
        size_t step = (size_t)(uintptr_t)ox_map_get(&f->step_of, user); /* 0: a dead node */
        if (step && step - 1 > last) last = step - 1;
    }
    return last;
}

static void plan_lifetimes(ox_frame *f, ox_plan *p) {
    for (size_t i = 0; i < p->graph->n_inputs; i++)
        if (p->inputs[i]) release_after(f, p, last_use(f, p, p->graph->inputs[i], 0), p->inputs[i]);
    for (size_t k = 0; k < p->n_steps; k++)
        for (int i = 0; i < p->steps[k].call.n_out; i++)
            if (p->steps[k].out[i])
                release_after(f, p, last_use(f, p, p->steps[k].node->out[i], k), p->steps[k].out[i]);
}

/* ---- graphs */

static int plan_outputs(ox_frame *f, ox_plan *p) {
    const ox_node *ret = p->graph->ret;
    p->outputs = OX_NEW_N(f->arena, ox_cell *, ret->n_in + 1);
    for (uint32_t i = 0; i < ret->n_in; i++)
        if (cell_of(f, ret->in[i].v, &p->outputs[i])) return -1;
    return 0;
}

static int plan_steps(ox_frame *f, ox_plan *p, const ox_map *live) {
    int most_in = 1, most_out = 1;
    p->steps = OX_NEW_N(f->arena, ox_step, p->graph->n_nodes + 1);
    for (const ox_node *n = p->graph->first; n; n = n->next) {
        if (!ox_map_has(live, n) || holds_constant(n)) continue;
        if (plan_step(f, p, n)) return -1;
        const ox_call *c = &p->steps[p->n_steps - 1].call;
        if (c->n_in > most_in) most_in = c->n_in;
        if (c->n_out > most_out) most_out = c->n_out;
    }
    p->in_now = OX_NEW_N(f->arena, ox_rt *, most_in);
    p->out_now = OX_NEW_N(f->arena, ox_rt *, most_out);
    return 0;
}

static int plan_graph(ox_frame *f, const ox_graph *g, int depth) {
    if ((uint32_t)depth > f->ctx->limits.graph_depth)
        return ox_fail(f->ctx, OX_BAD_DATA, "bodies are nested deeper than %u, the limit", f->ctx->limits.graph_depth);
    if (depth == f->n_scratch) f->scratch[f->n_scratch++] = ox_arena_new(f->ctx);
    ox_plan *p = OX_NEW(f->arena, ox_plan);
    p->graph = g;
    p->depth = depth;
    p->next = f->plans;
    f->plans = p;
    if (!depth) f->main = p;
    ox_map_put(&f->plan_of, g, p);
    ox_map live;
    ox_map_init(&live, f->arena);
    find_live(g, &live);
    make_cells(f, p, &live);
    if (plan_steps(f, p, &live) || plan_outputs(f, p)) return -1;
    plan_lifetimes(f, p);
    return 0;
}

int ox_plan_model(ox_frame *f) {
    ox_map_init(&f->plan_of, f->arena);
    ox_map_init(&f->cell_of, f->arena);
    ox_map_init(&f->step_of, f->arena);
    f->scratch = OX_NEW_N(f->arena, ox_arena *, f->ctx->limits.graph_depth + 2);
    return plan_graph(f, f->model->graph, 0);
}
