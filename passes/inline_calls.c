/* inline-functions and inline-if.
 *
 *   inline-functions   calls of local functions become the nodes of their bodies, attributes bound, names made fresh
 *   inline-if          an If with a constant condition becomes the nodes of the branch taken
 *
 *   before  { c = Constant<value = bool {1}>()  y = If (c) <then_branch = g () => (z) { z = Relu(x) }, else_branch = ...> }
 *   after   { y = Relu(x) }
 */
#include "passes/pass.h"

static int run_functions(ox_pass_run *r) { return ox_inline_all(r->m); }

const ox_pass ox_pass_inline_functions = {
    .name = "inline-functions",
    .doc = "replace calls of local functions by their bodies",
    .run = run_functions,
};

/* 1 inlined, 0 not constant, -1 error. */
static int inline_if(ox_pass_run *r, ox_node *n) {
    ox_tensor *cond = n->n_in == 1 && n->in[0].v ? ox_constant(n->in[0].v) : NULL;
    int64_t taken;
    if (!cond || cond->dtype != OX_BOOL || cond->count != 1 || !ox_constant_int(n->in[0].v, &taken)) return 0;
    ox_attr *a = ox_attr_find(n, taken ? "then_branch" : "else_branch");
    if (!a || a->type != OX_A_GRAPH || !a->g || a->g->ret->n_in != n->n_out) return 0;
    ox_map map;
    ox_map_init(&map, r->arena);
    ox_node *before = n->prev;
    if (ox_graph_copy_into(a->g, n->graph, n, &map, NULL) < 0) return -1;
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out[i]) continue;
        ox_value *inner = a->g->ret->in[i].v, *v = ox_map_get(&map, inner);
        ox_replace_uses(n->out[i], v ? v : inner); /* a branch may give back an outer value */
    }
    for (ox_node *k = before ? before->next : n->graph->first, *next; k != n; k = next) {
        next = k->next;
        ox_lift_constant(k); /* it may have been an output of the branch */
    }
    ox_node_remove(n);
    return 1;
}

typedef struct { ox_pass_run *r; int changes; } state;

static int visit(ox_graph *g, void *user) {
    state *s = user;
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!ox_is(n, "If")) continue;
        ox_node *before = n->prev;
        int done = inline_if(s->r, n);
        if (done < 0) return -1;
        s->changes += done;
        if (done) next = before ? before->next : g->first; /* an If may have come out of the branch */
    }
    return 0;
}

static int run_if(ox_pass_run *r) {
    state s = {.r = r};
    if (ox_each_graph(r->m, visit, &s)) return -1;
    return s.changes;
}

const ox_pass ox_pass_inline_if = {
    .name = "inline-if",
    .doc = "replace an If with a constant condition by the branch taken",
    .run = run_if,
};
