/* Calls of local functions replaced by their bodies, and Ifs by a branch.
 *
 * A function imports operator sets of its own. Its body may move into the calling graph when every operator there
 * still means the same: the versions are equal, or the caller does not import that domain (then it is imported), or
 * the operator's row is the same at both versions. Else the call stays: raising the caller's version would change the
 * caller's other nodes. In a model that is only run, nodes keep the rows they have, so that nothing has to agree. */
#include "ir/ir_private.h"

static const char *name_of(const ox_function *f) { return f->name ? f->name : ""; }

/* ---- imports */

typedef struct imports {
    ox_graph *into;
    const ox_graph *body;
    bool add;   /* import what is missing; else only look */
} imports;

static bool means_the_same(const imports *im, const ox_node *n, int64_t theirs, int64_t ours) {
    ox_model *m = im->into->model;
    if (!ours || ours == theirs || n->callee || m->run_only) return true;
    if (!n->op || !m->resolve) return false;
    ox_node probe = {.graph = im->into, .op_type = n->op_type, .domain = n->domain, .overload = n->overload};
    m->resolve(&probe);
    return probe.op == n->op;
}

static int look_at_graph(ox_graph *g, void *user) {
    imports *im = user;
    ox_model *m = g->model;
    for (ox_node *n = g->first; n; n = n->next) {
        int64_t theirs = ox_model_opset(m, im->body, n->domain), ours = ox_model_opset(m, im->into, n->domain);
        if (!means_the_same(im, n, theirs, ours)) return 1;
        if (im->add && !ours && theirs) ox_graph_import(im->into, n->domain, theirs);
        if (ox_each_body(n, look_at_graph, im)) return 1;
    }
    return 0;
}

/* ---- one call */

static int check_arity(const ox_node *call) {
    const ox_function *f = call->callee;
    const ox_graph *body = f->body;
    if (call->n_in > body->n_inputs || call->n_out > body->ret->n_in)
        return ox_fail(body->model->ctx, OX_BAD_DATA,
                       "a call of function '%s' has %u inputs and %u outputs, the function %zu and %u", name_of(f),
                       call->n_in, call->n_out, body->n_inputs, body->ret->n_in);
    for (uint32_t i = 0; i < call->n_out; i++) {
        const ox_value *v = body->ret->in[i].v;
        if (!call->out[i] || !call->out[i]->nuses) continue;
        for (size_t k = 0; k < body->n_inputs; k++)
            if (body->inputs[k] == v && !ox_node_in(call, (uint32_t)k))
                return ox_fail(body->model->ctx, OX_BAD_DATA,
                               "output %u of a call of function '%s' is an input that is not given", i, name_of(f));
    }
    return 0;
}

/* The uses of the call's output go to what the body computes, which takes over its name. */
static void take_over(ox_value *out, ox_value *made, ox_map *named) {
    ox_replace_uses(out, made);
    if (!made->def || made->graph != out->graph || !out->name || ox_map_has(named, made)) return;
    ox_map_put(named, made, out);
    made->name = out->name;
    made->listed = out->listed;
    made->origin = out->origin;
    made->declared = out->declared;
    out->name = NULL;
}

static int inline_body(ox_node *call, ox_arena *scratch) {
    ox_function *f = call->callee;
    ox_graph *body = f->body;
    ox_model *m = body->model;
    ox_map map, made_here, named;
    ox_map_init(&map, scratch);
    ox_map_init(&named, scratch);
    ox_map_init(&made_here, scratch);
    for (size_t i = 0; i < body->n_inputs; i++) ox_map_put(&map, body->inputs[i], ox_node_in(call, (uint32_t)i));
    ox_binding bind = {.attrs = call->attrs, .n = call->n_attrs, .f = f};
    uint64_t limit = m->ctx->limits.inlined_nodes;
    if (limit && m->inlined >= limit)
        return ox_fail(m->ctx, OX_BAD_DATA, "inlining makes more than %llu nodes (limit inlined_nodes)",
                       (unsigned long long)limit);
    ox_copy c = {.to = m, .map = &map, .bind = &bind, .root = body, .prefix = call->name, .from = call->from,
                 .limit = limit ? limit - m->inlined : 0};
    ox_node *first = call->prev;
    int failed = ox_copy_nodes(&c, body, call->graph, call);
    m->inlined += c.nodes;
    if (failed) return -1;
    for (ox_node *n = first ? first->next : call->graph->first; n != call; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) ox_map_put(&made_here, n->out[i], n);
    for (uint32_t i = 0; i < call->n_out; i++) {
        ox_value *v = ox_map_get(&map, body->ret->in[i].v);
        if (!call->out[i] || !v) continue;
        if (!ox_map_has(&made_here, v)) ox_map_put(&named, v, v); /* an argument keeps its name */
        take_over(call->out[i], v, &named);
    }
    ox_node_remove(call);
    return 1;
}

int ox_inline_call(ox_node *call) {
    if (!call->graph || !call->callee || !call->callee->body) return 0;
    imports im = {.into = call->graph, .body = call->callee->body};
    if (look_at_graph(call->callee->body, &im)) return 0;
    if (check_arity(call)) return -1;
    im.add = true;
    look_at_graph(call->callee->body, &im);
    ox_arena *scratch = ox_arena_new(call->graph->model->ctx);
    const ox_function *f = call->callee;
    int r = inline_body(call, scratch);
    ox_arena_free(scratch);
    return r < 0 ? ox_fail_in(f->body->model->ctx, "inlining function '%s'", name_of(f)) : r;
}

/* ---- all calls */

typedef struct inlining {
    int count;
    uint32_t depth;  /* of calls around the graph at work */
} inlining;

static int inline_graph(ox_graph *g, void *user);

/* Inlines calls until `end` is reached; nodes made by a call are looked at next, one level deeper. */
static int inline_range(ox_graph *g, inlining *in, ox_node **ends) {
    uint32_t outer = in->depth, max = g->model->ctx->limits.call_depth;
    ox_node *n = g->first;
    for (;;) {
        while (in->depth > outer && ends[in->depth - 1] == n) in->depth--;
        if (!n) return 0;
        ox_node *prev = n->prev, *next = n->next;
        if (n->callee && in->depth >= max)
            return ox_fail(g->model->ctx, OX_BAD_DATA,
                           "calls of function '%s' are nested deeper than %u (limit call_depth)", name_of(n->callee),
                           max);
        int r = n->callee ? ox_inline_call(n) : 0;
        if (r < 0) return -1;
        if (r) {
            in->count++;
            ends[in->depth++] = next;
            n = prev ? prev->next : g->first;
            continue;
        }
        if (ox_each_body(n, inline_graph, in)) return -1;
        n = next;
    }
}

static int inline_graph(ox_graph *g, void *user) {
    inlining *in = user;
    ox_arena *scratch = ox_arena_new(g->model->ctx);
    ox_node **ends = OX_NEW_N(scratch, ox_node *, (size_t)g->model->ctx->limits.call_depth + 1);
    int r = inline_range(g, in, ends);
    ox_arena_free(scratch);
    return r;
}

/* ---- how much it would be */

typedef struct sum {
    ox_map totals; /* function to its nodes after inlining, plus one */
    uint64_t n, limit;
} sum;

static int count_nodes(ox_graph *g, void *user);

/* Nodes of a function's body, calls in it counted as what they become. The recursion is as deep as calls are nested: files
 * are held to limits.call_depth when they are read. */
static uint64_t nodes_of(ox_function *f, sum *s) {
    uint64_t known = (uint64_t)(uintptr_t)ox_map_get(&s->totals, f), before = s->n;
    if (known) return known - 1;
    ox_map_put(&s->totals, f, (void *)(uintptr_t)1); /* a function that calls itself is told of when it is inlined */
    s->n = 0;
    if (f->body) count_nodes(f->body, s);
    uint64_t n = s->n;
    s->n = before;
    ox_map_put(&s->totals, f, (void *)(uintptr_t)(n + 1));
    return n;
}

/* Stops above the limit, so that nothing overflows. */
static int count_nodes(ox_graph *g, void *user) {
    sum *s = user;
    for (ox_node *n = g->first; n; n = n->next) {
        s->n += n->callee ? nodes_of(n->callee, s) : 1;
        if (s->n > s->limit || ox_each_body(n, count_nodes, s)) return 1;
    }
    return 0;
}

/* Before anything is copied: each function that calls the next twice doubles what the first becomes. */
static int check_size(ox_model *m) {
    sum s = {.limit = m->ctx->limits.inlined_nodes ? m->ctx->limits.inlined_nodes : UINT32_MAX};
    ox_arena *scratch = ox_arena_new(m->ctx);
    ox_map_init(&s.totals, scratch);
    for (ox_node *n = m->graph->first; n; n = n->next) {
        if (!n->callee) continue;
        s.n += nodes_of(n->callee, &s);
        if (s.n > s.limit) break;
    }
    ox_arena_free(scratch);
    return s.n > s.limit ? ox_fail(m->ctx, OX_BAD_DATA, "inlining all calls makes more than %llu nodes (limit inlined_nodes)", (unsigned long long)s.limit) : 0;
}

int ox_inline_all(ox_model *m) {
    inlining in = {0};
    if (!m->n_functions) return 0;
    if (check_size(m)) return -1;
    return inline_graph(m->graph, &in) ? -1 : in.count;
}

/* ---- branches */

int ox_inline_branch(ox_node *n, bool taken) {
    ox_attr *a = ox_attr_find(n, taken ? "then_branch" : "else_branch");
    if (!a || a->type != OX_A_GRAPH || !a->g || a->g->n_inputs || a->g->ret->n_in != n->n_out) return 0;
    ox_arena *arena = ox_arena_new(n->graph->model->ctx);
    ox_map map;
    ox_map_init(&map, arena);
    int rc = ox_graph_copy_into(a->g, n->graph, n, &map, NULL);
    for (uint32_t i = 0; rc >= 0 && i < n->n_out; i++) {
        if (!n->out[i]) continue;
        ox_value *inner = a->g->ret->in[i].v, *v = ox_map_get(&map, inner);
        ox_replace_uses(n->out[i], v ? v : inner); /* a branch may give back an outer value */
    }
    ox_arena_free(arena);
    if (rc < 0) return -1;
    ox_node_remove(n);
    return 1;
}
