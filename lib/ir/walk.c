/* Walks over the graphs of a model: outer before inner, in the order of nodes and attributes. Recursion is as deep as
 * bodies are nested, which limits.graph_depth bounds. */
#include "ir/ir_private.h"

int ox_each_body(ox_node *n, int (*fn)(ox_graph *g, void *user), void *user) {
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        ox_attr *a = n->attrs[i];
        int stop = a->type == OX_A_GRAPH && !a->ref && a->g ? fn(a->g, user) : 0;
        if (stop) return stop;
        if (a->type != OX_A_GRAPHS || a->ref) continue;
        for (size_t k = 0; k < a->n; k++)
            if ((stop = fn(a->gs[k], user))) return stop;
    }
    return 0;
}

typedef struct walk {
    int (*fn)(ox_graph *g, void *user);
    void *user;
} walk;

static int visit(ox_graph *g, void *user) {
    walk *w = user;
    int stop = w->fn(g, w->user);
    for (ox_node *n = g->first; n && !stop; n = n->next) stop = ox_each_body(n, visit, w);
    return stop;
}

int ox_each_graph(ox_model *m, int (*fn)(ox_graph *g, void *user), void *user) {
    walk w = {fn, user};
    int stop = visit(m->graph, &w);
    for (size_t i = 0; i < m->n_functions && !stop; i++)
        if (m->functions[i]->body) stop = visit(m->functions[i]->body, &w);
    return stop;
}

bool ox_graph_contains(const ox_graph *g, const ox_graph *inner) {
    while (inner && inner != g) inner = inner->outer;
    return inner != NULL;
}
