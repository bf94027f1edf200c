/* canonicalize: one way to say each thing, so that other passes have less to know.
 *
 *   Constant nodes become initializers (not inside functions, which cannot hold any, nor where a reference to an attribute
 *   of the function gives the value); trailing absent inputs are cut off.
 *
 *   before  { c = Constant<value = float[1] {2}>()  y = Clip(x, c, ) }
 *   after   <float[1] c = {2}> { y = Clip(x, c) }
 */
#include "passes/pass.h"

bool ox_lift_constant(ox_node *n) {
    ox_value *v = ox_is(n, "Constant") ? ox_node_out(n, 0) : NULL;
    ox_tensor *t = v ? ox_constant(v) : NULL;
    if (!t || n->n_attrs != 1 || n->attrs[0]->ref || ox_function_of(n->graph)) return false;
    /* An output of the graph keeps its node: an initializer cannot be renamed to it without another node. */
    if (ox_is_graph_output(v)) return false;
    ox_value *init = ox_graph_add_init(n->graph, NULL, ox_tensor_ref(t));
    ox_sym name = v->name;
    init->elems = v->elems;
    init->nelems = v->nelems;
    ox_replace_uses(v, init);
    ox_node_remove(n);
    init->name = name; /* the node's value is gone, so the name is free */
    return true;
}

static int visit(ox_graph *g, void *user) {
    int *changes = user;
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        uint32_t used = n->n_in;
        while (used > 0 && !n->in[used - 1].v) used--;
        if (used < n->n_in && n->op) {
            ox_value **in = OX_NEW_N(g->model->arena, ox_value *, used ? used : 1);
            for (uint32_t i = 0; i < used; i++) in[i] = n->in[i].v;
            ox_node_set_inputs(n, used, in);
            ++*changes;
        }
        if (ox_lift_constant(n)) ++*changes;
    }
    return 0;
}

static int run(ox_pass_run *r) {
    int changes = 0;
    ox_each_graph(r->m, visit, &changes);
    return changes;
}

const ox_pass ox_pass_canonicalize = {
    .name = "canonicalize",
    .doc = "Constant nodes become initializers, trailing absent inputs are cut",
    .run = run,
};
