/* Small models made by hand, without operator rows. */
#ifndef OX_TEST_GRAPHS_H
#define OX_TEST_GRAPHS_H

#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

typedef struct world {
    ox_ctx *ctx;
    ox_model *m;
    ox_graph *g;
} world;

static inline int setup(void **state) {
    static world w;
    if (!(w.ctx = ox_ctx_new())) return -1;
    w.m = ox_model_new(w.ctx, 8);
    w.g = w.m->graph;
    ox_model_import(w.m, ox_intern(w.ctx, ""), 17);
    w.m->changed = false;
    *state = &w;
    return 0;
}

static inline int teardown(void **state) {
    world *w = *state;
    ox_model_free(w->m);
    uint64_t left = ox_payload_bytes(w->ctx);
    ox_ctx_free(w->ctx);
    return left ? -1 : 0;
}

static inline ox_sym sym(world *w, const char *s) { return ox_intern(w->ctx, s); }

/* Registered, as an importer would do. */
static inline ox_value *named(world *w, ox_value *v, const char *name) {
    v->name = sym(w, name);
    ox_map_put(&w->m->names, v->name, v);
    return v;
}

static inline ox_value *input(world *w, ox_graph *g, const char *name) {
    return ox_graph_add_input(g, sym(w, name), NULL);
}

/* A node of one output at the end of g. */
static inline ox_value *op2(world *w, ox_graph *g, const char *op, ox_value *a, ox_value *b, const char *name) {
    ox_value *in[] = {a, b};
    ox_node *n = ox_node_new(g, NULL, sym(w, op), NULL, b ? 2 : a ? 1 : 0, in, 1);
    return name ? named(w, n->out[0], name) : n->out[0];
}
static inline ox_value *op1(world *w, ox_graph *g, const char *op, ox_value *a, const char *name) {
    return op2(w, g, op, a, NULL, name);
}

static inline ox_graph *body(ox_node *owner, const char *attr) {
    ox_graph *g = ox_graph_new(owner->graph->model, owner->graph, owner);
    ox_attr_add(owner, attr, OX_A_GRAPH)->g = g;
    return g;
}

#define VERIFY(w)                                                                                            \
    do {                                                                                                     \
        if (ox_verify((w)->m)) fail_msg("%s", ox_error_text((w)->ctx));                                      \
    } while (0)

#endif
