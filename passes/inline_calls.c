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
static int inline_if(ox_node *n) {
    ox_tensor *cond = n->n_in == 1 && n->in[0].v ? ox_constant(n->in[0].v) : NULL;
    int64_t taken;
    if (!cond || cond->dtype != OX_BOOL || cond->count != 1 || !ox_constant_int(n->in[0].v, &taken)) return 0;
    ox_graph *g = n->graph;
    ox_node *before = n->prev, *after = n->next;
    int done = ox_inline_branch(n, taken);
    if (done <= 0) return done;
    for (ox_node *k = before ? before->next : g->first, *next; k != after; k = next) {
        next = k->next;
        ox_lift_constant(k); /* it may have been an output of the branch */
    }
    return 1;
}

static int visit(ox_graph *g, void *user) {
    int *changes = user;
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (!ox_is(n, "If")) continue;
        ox_node *before = n->prev;
        int done = inline_if(n);
        if (done < 0) return -1;
        *changes += done;
        if (done) next = before ? before->next : g->first; /* an If may have come out of the branch */
    }
    return 0;
}

static int run_if(ox_pass_run *r) {
    int changes = 0;
    return ox_each_graph(r->m, visit, &changes) ? -1 : changes;
}

const ox_pass ox_pass_inline_if = {
    .name = "inline-if",
    .doc = "replace an If with a constant condition by the branch taken",
    .run = run_if,
};
