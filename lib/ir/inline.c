/* Calls of local functions become the nodes of their bodies.
 *
 * A function has opset imports of its own. Its body may stand in the model when every domain its nodes use has the same version in
 * both, or is not imported by the model (then it is imported now). Where versions differ, a node may move when the operator's row is the
 * same at both versions (`op` pointers are compared: the table has one row per form). Else the call stays. */
#include "ir/ir.h"

typedef struct { ox_function *f; ox_model *m; bool fits; } fitting;

static int fits_graph(ox_graph *g, void *user);

static int64_t version_in(const ox_opset *opsets, size_t n, ox_sym domain) {
    for (size_t i = 0; i < n; i++)
        if (opsets[i].domain == domain) return opsets[i].version;
    return 0;
}

static int fits_graph(ox_graph *g, void *user) {
    fitting *t = user;
    for (ox_node *n = g->first; n && t->fits; n = n->next) {
        int64_t inner = version_in(t->f->opsets, t->f->n_opsets, n->domain), outer = version_in(t->m->opsets, t->m->n_opsets, n->domain);
        if (!n->callee && inner && outer && inner != outer)
            t->fits = n->op && t->m->row_at && t->m->row_at(t->m->ctx, n, outer) == n->op;
        ox_each_body(n, fits_graph, t);
    }
    return !t->fits;
}

static bool fits(ox_model *m, ox_function *f) {
    fitting t = {f, m, true};
    fits_graph(f->body, &t);
    return t.fits;
}

static int resolve_graph(ox_graph *g, void *user) {
    (void)user;
    for (ox_node *n = g->first; n; n = n->next) {
        if (g->model->resolve) g->model->resolve(n);
        ox_each_body(n, resolve_graph, NULL);
    }
    return 0;
}

/* 1 replaced, 0 left alone, -1 error. */
static int inline_one(ox_node *call) {
    ox_function *f = call->callee;
    ox_graph *g = call->graph;
    ox_model *m = g->model;
    if (!f || !fits(m, f)) return 0;
    ox_map map;
    ox_map_init(&map, m->arena);
    /* Inputs the call leaves out are absent in the body: a null value stands for them. */
    for (size_t i = 0; i < f->body->n_inputs; i++) {
        ox_value *given = ox_node_in(call, (uint32_t)i);
        if (given) ox_map_put(&map, f->body->inputs[i], given);
    }
    ox_binding bind = {call->attrs, call->n_attrs, f};
    ox_node *before = call->prev;
    if (ox_graph_copy_into(f->body, g, call, &map, &bind) < 0) return -1;
    for (ox_node *n = before ? before->next : g->first; n != call; n = n->next) {
        for (uint32_t i = 0; i < n->n_in; i++)
            if (n->in[i].v && n->in[i].v->graph == f->body) ox_node_set_input(n, i, NULL); /* an input left out */
        if (m->resolve) m->resolve(n);
        ox_each_body(n, resolve_graph, NULL);
        n->from = "inline-functions";
    }
    for (uint32_t i = 0; i < call->n_out && i < f->body->ret->n_in; i++) {
        ox_value *inner = f->body->ret->in[i].v, *v = inner ? ox_map_get(&map, inner) : NULL;
        if (call->out[i] && v) ox_replace_uses(call->out[i], v);
    }
    for (size_t i = 0; i < f->n_opsets; i++)
        if (!version_in(m->opsets, m->n_opsets, f->opsets[i].domain)) ox_model_import(m, f->opsets[i].domain, f->opsets[i].version);
    ox_node_remove(call);
    return 1;
}

int ox_inline_call(ox_node *call) {
    if (inline_one(call) < 0) return ox_fail_in(call->graph->model->ctx, "inlining %s", call->op_type);
    return 0;
}

typedef struct { ox_model *m; uint64_t nodes; int replaced; } inlining;

/* Nodes that stand in for a call are visited in their turn, so nested calls are replaced as well; import refused recursion, and
 * limits.inlined_nodes bounds exponential nesting. */
static int inline_graph(ox_graph *g, void *user) {
    inlining *s = user;
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!n->callee) continue;
        ox_node *before = n->prev;
        size_t had = g->n_nodes;
        int done = inline_one(n);
        if (done < 0) return -1;
        if (!done) continue;
        s->replaced++;
        s->nodes += g->n_nodes + 1 - had;
        if (s->nodes > s->m->ctx->limits.inlined_nodes)
            return ox_fail(s->m->ctx, OX_BAD_DATA, "inlining local functions makes more than %llu nodes, the limit",
                           (unsigned long long)s->m->ctx->limits.inlined_nodes);
        next = before ? before->next : g->first;
    }
    for (ox_node *n = g->first; n; n = n->next)
        if (n->n_attrs && ox_each_body(n, inline_graph, s)) return -1;
    return 0;
}

int ox_inline_all(ox_model *m) {
    inlining s = {m, 0, 0};
    if (inline_graph(m->graph, &s) < 0) return -1;
    return s.replaced;
}
