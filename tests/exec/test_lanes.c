/* Independent branches at once: the same bits as one after the other, whatever the lanes; errors; memory that runs out. Under a sanitizer for threads the
 * random graphs find a wait that is missing, for values lie in each other's memory. */
#include "build.h"

#include <unistd.h>

enum { ROWS = 96, COLS = 256 };

static ox_tensor *numbers(ox_ctx *c, int rows, int cols, uint32_t seed) {
    ox_tensor *t = ox_tensor_new(c, OX_FLOAT, DIMS(rows, cols));
    if (!t) ox_alloc(c->arena, SIZE_MAX);
    float *x = ox_tensor_mut(t);
    for (int i = 0; i < rows * cols; i++) x[i] = (float)((seed = seed * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5f;
    return t;
}

/* The mean place of what is above zero: sizes on the way vary with the data. */
static ox_value *how_many(ox_graph *g, ox_value *v) {
    ox_node *cast = node(g, "Cast", 1, op1(g, "NonZero", op1(g, "Relu", v)), NULL, NULL);
    ox_attr_add(cast, "to", OX_A_INT)->i = OX_FLOAT;
    ox_node *mean = node(g, "ReduceMean", 1, cast->out[0], NULL, NULL);
    ox_attr_add(mean, "keepdims", OX_A_INT)->i = 0;
    return mean->out[0];
}

/* From any two values before: element-wise, products, views, and what depends on the data. The seed decides; N nodes. */
static ox_model *random_graph(ox_ctx *c, uint32_t seed, int n) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *w = init(g, "w", numbers(c, COLS, COLS, seed)), *shape = init(g, "s", ox_tensor_ints(c, 2, (const int64_t[]){ROWS, COLS}));
    ox_value *flat = init(g, "f", ox_tensor_ints(c, 1, (const int64_t[]){-1})), *v[200];
    v[0] = input(g, "x", OX_FLOAT, DIMS(ROWS, COLS));
    v[1] = input(g, "y", OX_FLOAT, DIMS(ROWS, COLS));
    for (int i = 2; i < n; i++) {
        uint32_t r = seed = seed * 1664525u + 1013904223u;
        ox_value *a = v[(r >> 8) % (uint32_t)i], *b = v[i - 1 - (int)((r >> 16) % (uint32_t)(i < 5 ? i : 5))];
        switch ((r >> 24) % 8) {
        case 0: v[i] = op2(g, "MatMul", a, w); break;
        case 1: v[i] = op2(g, "Reshape", op1(g, "Neg", op2(g, "Reshape", a, flat)), shape); break;
        case 2: v[i] = op1(g, "Softmax", b); break;
        case 3: v[i] = op1(g, "Tanh", a); break;
        case 4: v[i] = op2(g, "Sub", a, how_many(g, b)); break;
        default: v[i] = op2(g, r & 64 ? "Add" : "Sub", a, b); break;
        }
    }
    output(g, "last", v[n - 1]);
    output(g, "middle", v[n / 2]);
    return m;
}

static void jitter(void *user, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    uint32_t *seed = user;
    (void)info, (void)in, (void)n_in, (void)out, (void)n_out;
    *seed = *seed * 1664525u + 1013904223u;
    if (*seed >> 29 == 0) usleep(*seed >> 24);
}

static void compare(ox_ctx *c, ox_model *m, int lanes, int threads, uint32_t seed) {
    c->threads = threads;
    ox_frame *one = ox_frame_new(m), *many = ox_frame_new_with(m, &(ox_frame_options){.inter_op = lanes});
    ox_place_stats s;
    if (!one || !many) fail_msg("%s", ox_error_text(c));
    for (uint32_t k = 0; k < 6; k++) {
        ox_rt *in[2] = {rt(c, numbers(c, ROWS, COLS, seed + k)), rt(c, numbers(c, ROWS, COLS, seed - k))}, *want[2], *got[2];
        if (k > 2) ox_frame_set_hook(many, jitter, &seed);
        if (ox_frame_run(one, in, want) || ox_frame_run(many, in, got) || ox_frame_place(many, &s)) fail_msg("%s", ox_error_text(c));
        for (int i = 0; i < 2; i++) {
            if (!ox_tensor_equal(want[i]->t, got[i]->t)) fail_msg("seed %u, %d lanes, run %u: other bits", seed, lanes, k);
            ox_rt_unref(want[i]);
            ox_rt_unref(got[i]);
            ox_rt_unref(in[i]);
        }
    }
    assert_in_range(s.lanes, 2, lanes);
    ox_frame_free(one);
    ox_frame_free(many);
}

static void random_graphs_give_the_same_bits(void **state) {
    ox_ctx *c = *state;
    for (uint32_t seed = 1; seed <= 12; seed++) {
        ox_model *m = random_graph(c, seed, 30 + (int)seed * 5);
        if (ox_infer_model(m, NULL)) fail_msg("%s", ox_error_text(c));
        compare(c, m, 2 + (int)seed % 4, seed % 3 ? 1 : 4, seed);
        ox_model_free(m);
    }
    assert_int_equal(ox_payload_bytes(c), 0);
}

/* Branches of a product each, and a number that is picked at the end of each. */
static ox_model *branches(ox_ctx *c, int n) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *x = input(g, "x", OX_FLOAT, DIMS(ROWS, COLS)), *w = init(g, "w", numbers(c, COLS, COLS, 7)), *sum = NULL;
    for (int i = 0; i < n; i++) {
        char name[2] = {(char)('a' + i), 0};
        ox_value *pick = input(g, name, OX_INT64, 0, NULL), *v = op2(g, "MatMul", op1(g, "Tanh", x), w);
        ox_node *gather = node(g, "Gather", 1, op1(g, "Softmax", v), pick, NULL);
        gather->name = ox_intern(c, name);
        sum = sum ? op2(g, "Add", sum, gather->out[0]) : gather->out[0];
    }
    output(g, "y", sum);
    return m;
}

static int run_branches(ox_ctx *c, ox_frame *f, const int64_t *pick, float *y) {
    ox_rt *in[4] = {rt(c, numbers(c, ROWS, COLS, 3))}, *out;
    for (int i = 0; i < 3; i++) in[i + 1] = rt(c, ox_tensor_scalar_int(c, OX_INT64, pick[i]));
    int rc = in[0] && in[1] && in[2] && in[3] ? ox_frame_run(f, in, &out) : -1;
    if (!rc) *y = first(out);
    for (int i = 0; i < 4; i++) ox_rt_unref(in[i]);
    if (!rc) ox_rt_unref(out);
    return rc;
}

static void lanes_are_used_and_told(void **state) {
    ox_ctx *c = *state;
    ox_model *m = branches(c, 3);
    ox_frame *f = ox_frame_new_with(m, &(ox_frame_options){.inter_op = 3});
    ox_place_stats s;
    float y[4];
    uint64_t bytes = 0;
    assert_true(ox_frame_branches(f));
    for (int k = 0; k < 4; k++) {
        if (run_branches(c, f, (const int64_t[]){0, 1, 2}, &y[k])) fail_msg("%s", ox_error_text(c));
        assert_true(y[k] == y[0]);
        if (k < 2) bytes = ox_payload_bytes(c);
        assert_int_equal(ox_payload_bytes(c), bytes);
    }
    assert_int_equal(ox_frame_place(f, &s), 0);
    assert_int_equal(s.lanes, 3);
    assert_string_equal(s.order, "lanes");
    ox_frame_free(f);
    ox_model_free(m);
    m = new_model(c);
    ox_value *v = input(m->graph, "x", OX_FLOAT, DIMS(2, 2));
    for (int i = 0; i < 5; i++) v = op1(m->graph, i % 2 ? "Softmax" : "Hardmax", v);
    output(m->graph, "y", v);
    f = ox_frame_new(m);
    assert_false(ox_frame_branches(f));
    ox_frame_free(f);
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static void errors_name_the_node(void **state) {
    ox_ctx *c = *state;
    ox_model *m = branches(c, 3);
    ox_frame *f = ox_frame_new_with(m, &(ox_frame_options){.inter_op = 3});
    float y, again;
    for (int k = 0; k < 2; k++)
        if (run_branches(c, f, (const int64_t[]){0, 1, 2}, &y)) fail_msg("%s", ox_error_text(c));
    for (int bad = 0; bad < 12; bad++) {
        int64_t pick[3] = {0, 1, 2};
        char name[8];
        pick[bad % 3] = 1000;
        assert_int_equal(run_branches(c, f, pick, &again), -1);
        assert_int_equal(ox_error_code(c), OX_BAD_DATA);
        snprintf(name, sizeof name, "'%c'", 'a' + bad % 3);
        if (!strstr(ox_error_text(c), name)) fail_msg("%s is not in: %s", name, ox_error_text(c));
        assert_int_equal(run_branches(c, f, (const int64_t[]){1000, 1, 1000}, &again), -1);
        assert_int_equal(run_branches(c, f, (const int64_t[]){0, 1, 2}, &again), 0);
        assert_true(again == y);
    }
    ox_frame_set_deadline(f, 1e-9);
    assert_int_equal(run_branches(c, f, (const int64_t[]){0, 1, 2}, &again), -1);
    assert_non_null(strstr(ox_error_text(c), "time budget"));
    ox_frame_free(f);
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static int run_thrice(void *arg) {
    ox_ctx *c = arg;
    ox_model *m = branches(c, 3);
    ox_frame *f = ox_frame_new_with(m, &(ox_frame_options){.inter_op = 2});
    float y;
    int rc = f ? 0 : -1;
    for (int k = 0; k < 3 && !rc; k++) rc = run_branches(c, f, (const int64_t[]){0, 1, 2}, &y);
    ox_frame_free(f);
    ox_model_free(m);
    return rc;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    fail_allocations(run_thrice, 700, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(random_graphs_give_the_same_bits), T(lanes_are_used_and_told), T(errors_name_the_node), T(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
