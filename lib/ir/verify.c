/* Checks that a model obeys the invariants of ir.h. A failure is a fault of ours (OX_BUG), named by node and value. */
#include "ir/ir.h"

static const char *name_of(const ox_value *v) { return v && v->name ? v->name : "(nameless)"; }

static int broken(ox_graph *g, const ox_node *n, const ox_value *v, const char *what) {
    return ox_fail(g->model->ctx, OX_BUG, "invariant broken at node %s '%s', value %s: %s", n ? n->op_type : "-", n && n->name ? n->name : "",
                   name_of(v), what);
}

static int check_uses(ox_graph *g, const ox_node *n, const ox_value *v) {
    uint32_t count = 0;
    for (const ox_use *u = v->uses; u; u = u->next) {
        if (u->v != v) return broken(g, n, v, "a use in its list is of another value");
        if (u->next && u->next->prev != u) return broken(g, n, v, "its use list is not linked both ways");
        if (!u->user->graph) return broken(g, n, v, "a removed node still uses it");
        if (!ox_graph_contains(v->graph, u->user->graph)) return broken(g, u->user, v, "it is used where it cannot be seen");
        count++;
    }
    return count == v->nuses ? 0 : broken(g, n, v, "its count of uses is wrong");
}

static bool in_use_list(const ox_use *u) { return u->prev ? u->prev->next == u : u->v->uses == u; }

static int check_node(ox_graph *g, ox_node *n, uint32_t position) {
    if (n->graph != g) return broken(g, n, NULL, "the node belongs to another graph");
    n->mark = position;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const ox_use *u = &n->in[i];
        if (u->user != n) return broken(g, n, u->v, "an operand names another user");
        if (u->v && !in_use_list(u)) return broken(g, n, u->v, "an operand is not in the value's list");
        if (u->v && u->v->def && !u->v->def->graph) return broken(g, n, u->v, "its node was removed");
        if (u->v && u->v->def && u->v->graph == g && u->v->def->mark >= position) return broken(g, n, u->v, "it is used before it is made");
    }
    for (uint32_t i = 0; i < n->n_out; i++) {
        const ox_value *v = n->out[i];
        if (!v) continue;
        if (v->def != n || v->index != i || v->graph != g) return broken(g, n, v, "an output does not know its node");
        if (check_uses(g, n, v) < 0) return -1;
    }
    return 0;
}

static int check_graph(ox_graph *g, void *user) {
    (void)user;
    uint32_t position = 1;
    size_t nodes = 0, inits = 0;
    for (size_t i = 0; i < g->n_inputs; i++) {
        if (!g->inputs[i]->is_input || g->inputs[i]->graph != g) return broken(g, NULL, g->inputs[i], "an input does not know its graph"), 1;
        if (check_uses(g, NULL, g->inputs[i]) < 0) return 1;
    }
    for (ox_value *v = g->first_init; v; v = v->next_init, inits++) {
        if (!v->is_init || v->def || v->graph != g) return broken(g, NULL, v, "an initializer does not know its graph"), 1;
        if (check_uses(g, NULL, v) < 0) return 1;
    }
    for (ox_node *n = g->first; n; n = n->next, nodes++)
        if (check_node(g, n, position++) < 0) return 1;
    if (nodes != g->n_nodes || inits != g->n_inits) return broken(g, NULL, NULL, "counts of nodes or initializers are wrong"), 1;
    return check_node(g, g->ret, position) < 0;
}

int ox_verify(ox_model *m) { return ox_each_graph(m, check_graph, NULL) ? -1 : 0; }
