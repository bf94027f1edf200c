/* From a model to steps: which nodes run, where their values live, after which step a value is no longer needed.
 *
 * Nodes stand in topological order already. What no output depends on is left out. Constants get cells that are
 * filled once, and so do nodes of constants alone, which run before the first run. A use in a body counts for the node
 * of the value's own graph that holds the body. The cost is linear in the model (times the nesting depth). */
#include "exec/lower.h"

#include <string.h>

static int plan_graph(ox_frame *f, const ox_graph *g, ox_plan *outer);

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

/* An input that has its default in every run. */
static bool is_default(const ox_frame *f, const ox_value *v) {
    return f->options.defaults && v->is_input && v->graph == f->model->graph && (v->data || v->sparse);
}

/* The tensor a value has when nothing makes it at run time: constant, or sparse initializer made dense. *t NULL: it
 * has none. */
static int constant_of(ox_frame *f, const ox_value *v, ox_tensor **t) {
    bool fixed = v->variable || is_default(f, v);
    *t = fixed ? v->data : ox_constant(v);
    if (*t)
        ox_tensor_ref(*t);
    else if (!v->def && v->sparse && (fixed || !v->is_input) && !(*t = ox_sparse_dense(f->ctx, v->sparse)))
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

typedef struct body_job {
    ox_frame *f;
    ox_plan *outer;
} body_job;

static int plan_body(ox_graph *g, void *user) {
    body_job *job = user;
    return plan_graph(job->f, g, job->outer);
}

/* The number of a cell in a plan; OX_NO_CELL: it is not one of those. */
static uint32_t number_of(const ox_plan *p, const ox_cell *c) {
    uintptr_t at = (uintptr_t)c, first = (uintptr_t)p->cells;
    return c && at >= first && at < first + p->n_cells * sizeof *c ? (uint32_t)((at - first) / sizeof *c) : OX_NO_CELL;
}

/* The number of a cell that is read in p. One of a graph around is noted at the step there that holds the body. */
static uint32_t note_use(ox_frame *f, ox_plan *p, const ox_cell *c) {
    uint32_t k = number_of(p, c);
    if (k != OX_NO_CELL) return k;
    for (ox_plan *in = p, *q = p->outer; q; in = q, q = q->outer) {
        if ((k = number_of(q, c)) == OX_NO_CELL) continue;
        ox_step *s = &q->steps[in->holder];
        OX_PUSH(f->arena, s->captured, s->n_captured, s->cap_captured, k);
        break;
    }
    return OX_NO_CELL;
}

/* Whether a cell holds the same in every run. */
static bool is_fixed(const ox_plan *p, const ox_cell *c) {
    for (; c && p; p = p->outer)
        if (number_of(p, c) != OX_NO_CELL) return false;
    return true;
}

static int find_body(ox_graph *g, void *user) {
    (void)g, (void)user;
    return 1;
}

/* A step of constants alone need not run again. */
static bool is_once(const ox_plan *p, const ox_step *s) {
    for (int i = 0; i < s->n_in; i++)
        if (!is_fixed(p, s->in[i])) return false;
    return ox_node_pure(s->node) && !ox_each_body((ox_node *)(uintptr_t)s->node, find_body, NULL);
}

/* What lifts made belongs to the frame: steps may be joined, and go. */
static void keep_made(ox_frame *f, ox_call *c) {
    for (int i = 0; i < c->n_made; i++) {
        ox_made_tensor *m = OX_NEW(f->arena, ox_made_tensor);
        *m = (ox_made_tensor){c->made[i], f->made};
        f->made = m;
    }
    c->n_made = 0;
}

static int read_cells(ox_frame *f, ox_step *s) {
    for (int i = 0; i < s->n_in; i++) {
        const ox_arg *a = &s->call.in[i];
        if (!a->v && a->t) { /* made by a lift, and the call's own */
            ox_constant_cell *c = OX_NEW(f->arena, ox_constant_cell);
            if (!(c->value = ox_rt_tensor(f->ctx, ox_tensor_ref((ox_tensor *)(uintptr_t)a->t)))) return -1;
            c->next = f->constants;
            f->constants = c;
            s->in[i] = &c->value;
        } else if (cell_of(f, a->v, &s->in[i])) {
            return -1;
        }
    }
    return 0;
}

static void make_cells(ox_frame *f, ox_plan *p, ox_step *s, bool once) {
    const ox_node *n = s->node;
    for (uint32_t i = 0; i < n->n_out && i < (uint32_t)s->call.n_out; i++) {
        if (!n->out[i]) continue;
        if (!once) p->values[p->n_cells] = n->out[i];
        s->out[i] = once ? &p->made_once[p->n_made_once++] : &p->cells[p->n_cells++];
        ox_map_put(&f->cell_of, n->out[i], s->out[i]);
    }
}

/* Optional outputs at the end that nobody reads are not asked for. */
static void trim_outputs(ox_frame *f, ox_call *c, const ox_node *n) {
    const ox_signature *sig = ox_op_signature(f->ctx, c->op);
    while (c->n_out > 1 && c->n_out <= sig->n_out && sig->out[c->n_out - 1].optional && !sig->out[c->n_out - 1].variadic) {
        const ox_value *v = (uint32_t)c->n_out <= n->n_out ? n->out[c->n_out - 1] : NULL;
        if (v && v->uses) break;
        c->n_out--;
    }
}

static int plan_step(ox_frame *f, ox_plan *p, const ox_node *n) {
    ox_step s = {.node = n};
    if (ox_call_init(&s.call, f->ctx, f->arena, n)) return ox_fail_in_node(f->ctx, n);
    trim_outputs(f, &s.call, n);
    s.call.arena = f->scratch[p->depth];
    s.in = OX_NEW_N(f->arena, ox_cell *, s.call.n_in + 1);
    s.out = OX_NEW_N(f->arena, ox_cell *, s.call.n_out + 1);
    s.in_cell = OX_NEW_N(f->arena, uint32_t, s.call.n_in + 1);
    s.in_value = OX_NEW_N(f->arena, const ox_value *, s.call.n_in + 1);
    s.around = OX_NEW_N(f->arena, bool, s.call.n_in + 1);
    s.n_in = s.call.n_in;
    s.out_cell = OX_NEW_N(f->arena, uint32_t, s.call.n_out + 1);
    if (read_cells(f, &s)) {
        ox_call_done(&s.call);
        return ox_fail_in_node(f->ctx, n);
    }
    keep_made(f, &s.call);
    bool once = !p->single && is_once(p, &s);
    make_cells(f, p, &s, once);
    for (int i = 0; i < s.n_in; i++) {
        s.in_value[i] = s.call.in[i].v;
        s.in_cell[i] = note_use(f, p, s.in[i]);
        s.around[i] = s.in_cell[i] == OX_NO_CELL && !is_fixed(p, s.in[i]);
    }
    for (int i = 0; i < s.call.n_out; i++) s.out_cell[i] = number_of(p, s.out[i]);
    if (once) {
        OX_PUSH(f->arena, p->once, p->n_once, p->cap_once, s);
        return 0;
    }
    p->steps[p->n_steps++] = s;
    return ox_each_body((ox_node *)(uintptr_t)n, plan_body, &(body_job){f, p});
}

/* ---- lifetimes */

void ox_plan_releases(const ox_plan *p, const uint32_t *order, uint32_t *last, uint32_t *from, uint32_t *cells) {
    memset(last, 0, p->n_cells * sizeof *last);
    memset(from, 0, (p->n_steps + 1) * sizeof *from);
    for (uint32_t k = 0; k < p->n_steps; k++) {
        const ox_step *s = &p->steps[order ? order[k] : k];
        for (int i = 0; i < s->n_in; i++)
            if (s->in_cell[i] != OX_NO_CELL) last[s->in_cell[i]] = k;
        for (int i = 0; i < s->call.n_out; i++)
            if (s->out_cell[i] != OX_NO_CELL) last[s->out_cell[i]] = k;
        for (size_t i = 0; i < s->n_captured; i++) last[s->captured[i]] = k;
    }
    if (!p->n_steps) return;
    for (size_t c = 0; c < p->n_cells; c++)
        if (!p->returned[c]) from[last[c] + 1]++;
    for (size_t k = 0; k < p->n_steps; k++) from[k + 1] += from[k];
    for (size_t c = p->n_cells; c-- > 0;) /* from[k + 1] counts down to where k's begin ... */
        if (!p->returned[c]) cells[--from[last[c] + 1]] = (uint32_t)c;
    uint32_t all = 0;
    for (size_t c = 0; c < p->n_cells; c++) all += !p->returned[c];
    memmove(from, from + 1, p->n_steps * sizeof *from); /* ... so that the places move down by one */
    from[p->n_steps] = all;
}

static void plan_lifetimes(ox_frame *f, ox_plan *p) {
    p->last = OX_NEW_N(f->arena, uint32_t, p->n_cells + 1);
    p->release_from = OX_NEW_N(f->arena, uint32_t, p->n_steps + 1);
    p->release = OX_NEW_N(f->arena, uint32_t, p->n_cells + 1);
    ox_plan_releases(p, NULL, p->last, p->release_from, p->release);
}

/* ---- graphs */

static int plan_outputs(ox_frame *f, ox_plan *p) {
    const ox_node *ret = p->graph->ret;
    p->outputs = OX_NEW_N(f->arena, ox_cell *, ret->n_in + 1);
    p->returned = OX_NEW_N(f->arena, bool, 4 * p->n_cells + 1);
    for (uint32_t i = 0; i < ret->n_in; i++) {
        if (cell_of(f, ret->in[i].v, &p->outputs[i])) return -1;
        uint32_t k = note_use(f, p, p->outputs[i]);
        if (k != OX_NO_CELL) p->returned[k] = true;
    }
    return 0;
}

static void plan_inputs(ox_frame *f, ox_plan *p) {
    const ox_graph *g = p->graph;
    p->inputs = OX_NEW_N(f->arena, ox_cell *, g->n_inputs + 1);
    for (size_t i = 0; i < g->n_inputs; i++) {
        if (ox_constant(g->inputs[i]) || is_default(f, g->inputs[i])) continue;
        p->values[p->n_cells] = g->inputs[i];
        p->inputs[i] = &p->cells[p->n_cells++];
        ox_map_put(&f->cell_of, g->inputs[i], p->inputs[i]);
    }
}

static int plan_steps(ox_frame *f, ox_plan *p) {
    const ox_graph *g = p->graph;
    ox_map live;
    ox_map_init(&live, f->arena);
    find_live(g, &live);
    for (const ox_node *n = g->first; n; n = n->next) {
        if (!ox_map_has(&live, n) || holds_constant(n)) continue;
        if (plan_step(f, p, n)) return -1;
    }
    return 0;
}

/* Which inputs a kernel may keep something of. */
static void find_fixed(ox_plan *p) {
    for (size_t k = 0; k < p->n_steps; k++) {
        ox_step *s = &p->steps[k];
        for (int i = 0; i < s->n_in && i < 32; i++)
            if (s->in[i] && s->in_cell[i] == OX_NO_CELL && !s->around[i]) s->kept.fixed |= 1u << i;
    }
}

static void find_most(ox_frame *f, ox_plan *p) {
    int in = 1, out = 1;
    for (size_t k = 0; k < p->n_steps + p->n_once; k++) {
        const ox_step *s = k < p->n_steps ? &p->steps[k] : &p->once[k - p->n_steps];
        if (s->n_in > in) in = s->n_in;
        if (s->call.n_out > out) out = s->call.n_out;
    }
    p->most_in = in;
    p->most_out = out;
    p->worker = (ox_worker){f->ctx, f->scratch[p->depth], OX_NEW_N(f->arena, ox_rt *, in), OX_NEW_N(f->arena, ox_rt *, out), 0};
}

/* A plan with room for all that the nodes of g make. NULL after ox_fail. */
static ox_plan *new_plan(ox_frame *f, const ox_graph *g, ox_plan *outer, size_t n_nodes, size_t values) {
    int depth = outer ? outer->depth + 1 : 0;
    if ((uint32_t)depth > f->ctx->limits.graph_depth) {
        ox_fail(f->ctx, OX_BAD_DATA, "bodies are nested deeper than %u, the limit", f->ctx->limits.graph_depth);
        return NULL;
    }
    if (depth == f->n_scratch) f->scratch[f->n_scratch++] = ox_arena_new(f->ctx);
    ox_plan *p = OX_NEW(f->arena, ox_plan);
    p->graph = g;
    p->outer = outer;
    p->holder = outer ? (uint32_t)outer->n_steps - 1 : 0;
    p->depth = depth;
    p->next = f->plans;
    f->plans = p;
    if (!depth) f->main = p;
    size_t most = 4 * values + 1; /* every value in four forms: floats, in blocks, 8-bit, by pixels */
    p->cells = OX_NEW_N(f->arena, ox_cell, most);
    p->values = OX_NEW_N(f->arena, const ox_value *, most);
    p->made_once = OX_NEW_N(f->arena, ox_cell, values + 1);
    p->steps = OX_NEW_N(f->arena, ox_step, n_nodes + 1);
    return p;
}

static int plan_graph(ox_frame *f, const ox_graph *g, ox_plan *outer) {
    size_t values = g->n_inputs;
    for (const ox_node *n = g->first; n; n = n->next) values += n->n_out;
    ox_plan *p = new_plan(f, g, outer, g->n_nodes, values);
    if (!p) return -1;
    ox_map_put(&f->plan_of, g, p);
    plan_inputs(f, p);
    if (plan_steps(f, p) || plan_outputs(f, p)) return -1;
    if (!f->options.plain) ox_lower_plan(f, p);
    find_fixed(p);
    find_most(f, p);
    plan_lifetimes(f, p);
    return 0;
}

static void begin_maps(ox_frame *f) {
    ox_map_init(&f->plan_of, f->arena);
    ox_map_init(&f->cell_of, f->arena);
    f->scratch = OX_NEW_N(f->arena, ox_arena *, f->ctx->limits.graph_depth + 2);
}

int ox_plan_model(ox_frame *f) {
    begin_maps(f);
    return plan_graph(f, f->model->graph, NULL);
}

uint32_t ox_plan_cell(const ox_frame *f, const ox_plan *p, const ox_value *v) { return v ? number_of(p, ox_map_get(&f->cell_of, v)) : OX_NO_CELL; }

/* What a node reads that has no step stays to the end. */
static void return_operands(ox_frame *f, ox_plan *p, const ox_node *n) {
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint32_t k = ox_plan_cell(f, p, n->in[i].v);
        if (k != OX_NO_CELL) p->returned[k] = true;
    }
}

int ox_plan_part(ox_frame *f, const ox_graph *g, const ox_part *part) {
    size_t values = 0;
    for (size_t i = 0; i < part->n_nodes; i++) values += part->nodes[i]->n_out;
    begin_maps(f);
    ox_plan *p = new_plan(f, g, NULL, part->n_nodes, values);
    if (!p) return -1;
    p->single = true;
    p->returned = OX_NEW_N(f->arena, bool, values + 1);
    for (size_t i = 0; i < part->n_nodes; i++) {
        if (!plan_step(f, p, part->nodes[i])) continue;
        if (ox_error_code(f->ctx) == OX_NO_MEMORY) return -1;
        ox_clear_error(f->ctx);
        return_operands(f, p, part->nodes[i]);
    }
    for (size_t i = 0; i < part->n_results; i++) {
        uint32_t k = ox_plan_cell(f, p, part->results[i]);
        if (k != OX_NO_CELL) p->returned[k] = true;
    }
    find_most(f, p);
    plan_lifetimes(f, p);
    return 0;
}
