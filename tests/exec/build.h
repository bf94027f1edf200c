/* Small graphs for the tests of this folder. */
#ifndef OX_TEST_BUILD_H
#define OX_TEST_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "exec/exec.h"

static inline int setup(void **state) { return (*state = ox_ctx_new()) ? 0 : -1; }
static inline int teardown(void **state) {
    ox_ctx_free(*state);
    return 0;
}
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static inline ox_model *new_model(ox_ctx *c) {
    ox_model *m = ox_model_new(c, 8);
    ox_model_import(m, ox_intern(c, ""), 17);
    return m;
}

/* dims: numbers, or below 0 the symbol 'a' - 1 - dim ("a" for -1, "b" for -2). */
static inline const ox_type *type(ox_model *m, ox_dtype t, int rank, const int64_t *dims) {
    ox_dim d[8];
    for (int i = 0; i < rank; i++) {
        char name[2] = {dims[i] < 0 ? (char)('a' - 1 - dims[i]) : 'a', 0};
        d[i] = dims[i] < 0 ? ox_dim_symbol(m->ctx, ox_intern(m->ctx, name)) : ox_dim_const(m->ctx, dims[i]);
    }
    return ox_type_tensor(m->arena, t, rank, d);
}
#define DIMS(...)                                                                                                      \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (const int64_t[]) { __VA_ARGS__ }

static inline ox_value *input(ox_graph *g, const char *name, ox_dtype t, int rank, const int64_t *dims) {
    return ox_graph_add_input(g, ox_intern(g->model->ctx, name), type(g->model, t, rank, dims));
}

static inline void output(ox_graph *g, const char *name, ox_value *v) {
    ox_graph_add_output(g, v, ox_intern(g->model->ctx, name));
}

static inline ox_tensor *floats(ox_ctx *c, int rank, const int64_t *dims, const float *v) {
    ox_tensor *t = ox_tensor_new(c, OX_FLOAT, rank, dims);
    if (!t) ox_alloc(c->arena, SIZE_MAX); /* back to the guard of a test that lets allocations fail */
    memcpy(ox_tensor_mut(t), v, (size_t)t->bytes);
    return t;
}

static inline ox_value *init(ox_graph *g, const char *name, ox_tensor *t) {
    return ox_graph_add_init(g, ox_intern(g->model->ctx, name), t);
}

static inline ox_node *node(ox_graph *g, const char *op, uint32_t n_out, ox_value *a, ox_value *b, ox_value *c) {
    ox_value *in[3] = {a, b, c};
    ox_ctx *ctx = g->model->ctx;
    ox_node *n = ox_node_new(g, NULL, ox_intern(ctx, op), ox_intern(ctx, ""), c ? 3 : b ? 2 : a ? 1 : 0, in, n_out);
    ox_node_resolve(n);
    return n;
}
static inline ox_value *op2(ox_graph *g, const char *op, ox_value *a, ox_value *b) {
    return node(g, op, 1, a, b, NULL)->out[0];
}
static inline ox_value *op1(ox_graph *g, const char *op, ox_value *a) { return op2(g, op, a, NULL); }

static inline ox_graph *body(ox_node *n, const char *attr) {
    ox_graph *g = ox_graph_new(n->graph->model, n->graph, n);
    ox_attr_add(n, attr, OX_A_GRAPH)->g = g;
    return g;
}

/* Runs FN(context) with the n-th allocation failing, for n from 1 to MOST, all of them at first, later some: without memory it must fail as that. */
static inline void fail_allocations(int (*fn)(void *), int most, int step_from) {
    int failed = 0;
    for (int n = 1; n < most; n += n < step_from ? 1 : 1 + n / 100) {
        char text[16];
        snprintf(text, sizeof text, "%d", n);
        setenv("OX_FAIL_ALLOC", text, 1);
        ox_ctx *c = ox_ctx_new();
        if (!c) continue;
        if (ox_protect(c, fn, c)) {
            failed++;
            if (ox_error_code(c) != OX_NO_MEMORY) fail_msg("%d: %s", n, ox_error_text(c));
        }
        ox_ctx_free(c);
    }
    unsetenv("OX_FAIL_ALLOC");
    assert_true(failed > 10);
}

static inline ox_rt *rt(ox_ctx *c, ox_tensor *t) { return ox_rt_tensor(c, t); }
static inline float first(const ox_rt *v) { return (float)ox_load_double(v->t->dtype, ox_tensor_data(v->t), 0); }

#endif
