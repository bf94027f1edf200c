/* Running graphs: order, lifetimes, bodies, captures, functions, errors. */
#include "build.h"

/* y = relu(x + w) - x, and a dead end. */
static ox_model *small(ox_ctx *c) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *x = input(g, "x", OX_FLOAT, DIMS(-1, 2));
    ox_value *w = init(g, "w", floats(c, DIMS(2), (const float[]){1, -5}));
    ox_value *s = op2(g, "Add", x, w);
    node(g, "Exp", 1, s, NULL, NULL);
    output(g, "y", op2(g, "Sub", op1(g, "Relu", s), x));
    output(g, "same", x);
    output(g, "constant", w);
    return m;
}

static void graphs_run_again_and_again(void **state) {
    ox_ctx *c = *state;
    ox_model *m = small(c);
    ox_frame *f = ox_frame_new(m);
    if (!f) fail_msg("%s", ox_error_text(c));
    ox_rt *in = rt(c, floats(c, DIMS(1, 2), (const float[]){2, 3})), *out[3];
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        if (ox_frame_run(f, &in, out)) fail_msg("%s", ox_error_text(c));
        const float *y = ox_tensor_data(out[0]->t);
        assert_true(y[0] == 1 && y[1] == -3);
        assert_true(out[1]->t == in->t && first(out[2]) == 1);
        for (int i = 0; i < 3; i++) ox_rt_unref(out[i]);
        if (round == 1) before = ox_payload_bytes(c);
        if (round == 2) assert_int_equal(ox_payload_bytes(c), before); /* nothing stays */
    }
    assert_int_equal(in->refs, 1);
    ox_rt_unref(in);
    ox_frame_free(f);
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static void count_nodes(void *user, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    (void)in;
    assert_true(info->seconds >= 0 && n_in > 0 && n_out == 1 && out[0]);
    strcat(user, info->node->op_type);
}

static void the_hook_sees_live_nodes(void **state) {
    ox_ctx *c = *state;
    ox_model *m = small(c);
    ox_frame *f = ox_frame_new(m);
    char seen[100] = "";
    ox_frame_set_hook(f, count_nodes, seen);
    ox_rt *in = rt(c, floats(c, DIMS(1, 2), (const float[]){2, 3})), *out[3];
    assert_int_equal(ox_frame_run(f, &in, out), 0);
    assert_string_equal(seen, "AddReluSub");
    for (int i = 0; i < 3; i++) ox_rt_unref(out[i]);
    ox_rt_unref(in);
    ox_frame_free(f);
    ox_model_free(m);
}

static void wrong_inputs_are_named(void **state) {
    ox_ctx *c = *state;
    ox_model *m = small(c);
    ox_frame *f = ox_frame_new(m);
    ox_rt *out[3], *in = NULL;
    assert_int_equal(ox_frame_run(f, &in, out), -1);
    assert_non_null(strstr(ox_error_text(c), "'x' has no value"));
    in = rt(c, floats(c, DIMS(1, 3), (const float[]){2, 3, 4}));
    assert_int_equal(ox_frame_run(f, &in, out), -1);
    assert_int_equal(ox_error_code(c), OX_BAD_DATA);
    assert_non_null(strstr(ox_error_text(c), "'x' is float[1,3]"));
    assert_null(out[0]);
    ox_rt_unref(in);
    ox_frame_free(f);
    ox_model_free(m);
}

static void missing_kernels_are_named(void **state) {
    ox_ctx *c = *state;
    ox_model *m = small(c);
    ox_value *in[1] = {m->graph->inputs[0]};
    ox_node *n = ox_node_new(m->graph, NULL, ox_intern(c, "Nothing"), ox_intern(c, "a.b"), 1, in, 1);
    output(m->graph, "z", n->out[0]);
    assert_null(ox_frame_new(m));
    assert_int_equal(ox_error_code(c), OX_UNAVAILABLE);
    assert_string_equal(ox_error_text(c), "no kernel for: a.b::Nothing");
    assert_string_equal(ox_missing_kernel(m, c->arena), "a.b::Nothing");
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

/* if (x > 0) y = x + k else y = w - x: both branches capture. */
static void branches_see_values_around(void **state) {
    ox_ctx *c = *state;
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *x = input(g, "x", OX_FLOAT, 0, NULL);
    ox_value *k = init(g, "k", ox_tensor_scalar_double(c, OX_FLOAT, 10));
    ox_value *twice = op2(g, "Add", x, x);
    ox_node *n =
        node(g, "If", 1, op2(g, "Greater", x, init(g, "zero", ox_tensor_scalar_double(c, OX_FLOAT, 0))), NULL, NULL);
    ox_graph *yes = body(n, "then_branch"), *no = body(n, "else_branch");
    output(yes, "t", op2(yes, "Add", twice, k));
    output(no, "e", op2(no, "Sub", init(no, "w", ox_tensor_scalar_double(c, OX_FLOAT, 100)), twice));
    output(g, "y", n->out[0]);
    ox_frame *f = ox_frame_new(m);
    if (!f) fail_msg("%s", ox_error_text(c));
    for (int round = 0; round < 4; round++) {
        ox_rt *in = rt(c, ox_tensor_scalar_double(c, OX_FLOAT, round % 2 ? -3 : 3)), *out;
        if (ox_frame_run(f, &in, &out)) fail_msg("%s", ox_error_text(c));
        assert_true(first(out) == (round % 2 ? 106 : 16));
        ox_rt_unref(in);
        ox_rt_unref(out);
    }
    ox_frame_free(f);
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

enum { KNOWN_CONSTANT, KNOWN_COMPUTED, KNOWN_BY_SHAPE, KNOWN_ELSE, NOT_KNOWN, WAYS };

static ox_value *condition(ox_graph *g, ox_value *x, ox_value *flag, int way) {
    ox_ctx *c = g->model->ctx;
    ox_value *one = init(g, "one", ox_tensor_scalar_double(c, OX_FLOAT, 1));
    switch (way) {
    case KNOWN_COMPUTED: return op2(g, "Greater", op1(g, "Exp", one), one);
    case KNOWN_BY_SHAPE: return op2(g, "Equal", op1(g, "Size", x), init(g, "two", ox_tensor_scalar_int(c, OX_INT64, 2)));
    case NOT_KNOWN: return flag;
    default: return init(g, "sure", ox_tensor_scalar_int(c, OX_BOOL, way != KNOWN_ELSE));
    }
}

/* a = -x; s, t = if (condition) { if (true) { k = 10: a * k } , a } else { a, x + x }: one branch in another, names that both know, outputs that
 * are values of the graph around. */
static ox_model *if_model(ox_ctx *c, int way) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *x = input(g, "x", OX_FLOAT, DIMS(2)), *flag = input(g, "flag", OX_BOOL, 0, NULL), *a = op1(g, "Neg", x);
    init(g, "k", ox_tensor_scalar_double(c, OX_FLOAT, 3));
    ox_node *n = node(g, "If", 2, condition(g, x, flag, way), NULL, NULL);
    ox_graph *yes = body(n, "then_branch"), *no = body(n, "else_branch");
    ox_node *inner = node(yes, "If", 1, init(yes, "always", ox_tensor_scalar_int(c, OX_BOOL, 1)), NULL, NULL);
    ox_graph *deep = body(inner, "then_branch"), *never = body(inner, "else_branch");
    output(deep, "d", op2(deep, "Mul", a, init(deep, "k_of_branch", ox_tensor_scalar_double(c, OX_FLOAT, 10))));
    output(never, "e", op1(never, "Exp", a));
    output(yes, "p", inner->out[0]);
    output(yes, "q", a);
    output(no, "r", a);
    output(no, "u", op2(no, "Add", x, x));
    output(g, "y", op1(g, "Abs", n->out[0]));
    output(g, "z", n->out[1]);
    output(g, "w", n->out[1]);
    return m;
}

static void count_ifs(void *user, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    (void)in, (void)n_in, (void)out, (void)n_out;
    *(int *)user += ox_is(info->node, "If");
}

/* The same numbers as the plain frame, without a control step where the condition is known. */
static void known_conditions_are_decided(void **state) {
    ox_ctx *c = *state;
    for (int way = 0; way < WAYS; way++) {
        ox_model *m = if_model(c, way);
        if (ox_infer_model(m, NULL)) fail_msg("%s", ox_error_text(c));
        const float numbers[2] = {1, -2};
        ox_rt *in[2] = {rt(c, floats(c, DIMS(2), numbers)), rt(c, ox_tensor_scalar_int(c, OX_BOOL, 1))}, *want[3], *got[3];
        ox_frame *plain = ox_frame_new_with(m, &(ox_frame_options){.plain = true}), *f = ox_frame_new(m);
        if (!f || !plain || ox_frame_run(plain, in, want)) fail_msg("%s", ox_error_text(c));
        int ifs = 0;
        ox_frame_set_hook(f, count_ifs, &ifs);
        for (int round = 0; round < 3; round++) {
            if (ox_frame_run(f, in, got)) fail_msg("%s", ox_error_text(c));
            for (int i = 0; i < 3; i++) {
                assert_true(ox_tensor_equal(want[i]->t, got[i]->t));
                ox_rt_unref(got[i]);
            }
        }
        assert_true(first(want[0]) == (way == KNOWN_ELSE ? 1 : 10) && first(want[1]) == (way == KNOWN_ELSE ? 2 : -1));
        assert_int_equal(ifs, way == NOT_KNOWN ? 3 : 0);
        for (int i = 0; i < 3; i++) ox_rt_unref(want[i]);
        for (int i = 0; i < 2; i++) ox_rt_unref(in[i]);
        ox_frame_free(plain);
        ox_frame_free(f);
        ox_model_free(m);
    }
    assert_int_equal(ox_payload_bytes(c), 0);
}

/* for i in 0..n: s = s + step, also as scan output. */
static ox_model *loop_model(ox_ctx *c) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *n = input(g, "n", OX_INT64, 0, NULL), *step = input(g, "step", OX_FLOAT, 0, NULL);
    ox_value *start = init(g, "start", ox_tensor_scalar_double(c, OX_FLOAT, 0));
    ox_value *more = init(g, "more", ox_tensor_scalar_int(c, OX_BOOL, 1));
    ox_node *l = node(g, "Loop", 2, n, more, start);
    ox_graph *b = body(l, "body");
    input(b, "i", OX_INT64, 0, NULL);
    ox_value *cond = input(b, "cond", OX_BOOL, 0, NULL), *s = input(b, "s", OX_FLOAT, 0, NULL);
    ox_value *next = op2(b, "Add", s, step);
    output(b, "cond_out", cond);
    output(b, "s_out", next);
    next->type = type(m, OX_FLOAT, 0, NULL); /* what no iteration gives is told by the type alone */
    output(b, "scan", next);
    output(g, "sum", l->out[0]);
    output(g, "all", l->out[1]);
    return m;
}

static void loops_carry_values(void **state) {
    ox_ctx *c = *state;
    ox_model *m = loop_model(c);
    ox_frame *f = ox_frame_new(m);
    if (!f) fail_msg("%s", ox_error_text(c));
    for (int n = 0; n < 4; n++) {
        ox_rt *in[2] = {rt(c, ox_tensor_scalar_int(c, OX_INT64, n)), rt(c, ox_tensor_scalar_double(c, OX_FLOAT, 2.5))},
              *out[2];
        if (ox_frame_run(f, in, out)) fail_msg("%s", ox_error_text(c));
        assert_true(first(out[0]) == 2.5f * (float)n);
        assert_int_equal(out[1]->t->count, n);
        for (int i = 0; i < 2; i++) {
            ox_rt_unref(in[i]);
            ox_rt_unref(out[i]);
        }
    }
    ox_frame_free(f);
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static void runs_end_at_the_deadline(void **state) {
    ox_ctx *c = *state;
    ox_model *m = loop_model(c);
    ox_frame *f = ox_frame_new(m);
    ox_frame_set_deadline(f, 0.05);
    ox_rt *in[2] = {rt(c, ox_tensor_scalar_int(c, OX_INT64, INT64_MAX)),
                    rt(c, ox_tensor_scalar_double(c, OX_FLOAT, 1))},
          *out[2];
    assert_int_equal(ox_frame_run(f, in, out), -1);
    assert_int_equal(ox_error_code(c), OX_UNAVAILABLE);
    assert_non_null(strstr(ox_error_text(c), "time budget"));
    ox_rt_unref(in[0]);
    ox_rt_unref(in[1]);
    ox_frame_free(f);
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static void the_memory_budget_holds(void **state) {
    ox_ctx *c = *state;
    ox_model *m = new_model(c);
    ox_value *v = input(m->graph, "x", OX_FLOAT, DIMS(-1));
    for (int i = 0; i < 20; i++) v = op1(m->graph, "Neg", v);
    output(m->graph, "y", v);
    ox_frame *f = ox_frame_new(m);
    int64_t n = 100000;
    ox_tensor *t = ox_tensor_new(c, OX_FLOAT, 1, &n);
    memset(ox_tensor_mut(t), 0, (size_t)t->bytes);
    ox_rt *in = rt(c, t), *out;
    c->limits.memory = ox_payload_bytes(c) + 3 * t->bytes; /* a chain needs two at a time */
    if (ox_frame_run(f, &in, &out)) fail_msg("%s", ox_error_text(c));
    ox_rt_unref(out);
    c->limits.memory = ox_payload_bytes(c) + t->bytes;
    assert_int_equal(ox_frame_run(f, &in, &out), -1);
    assert_int_equal(ox_error_code(c), OX_NO_MEMORY);
    ox_rt_unref(in);
    ox_frame_free(f);
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static int run_all(void *arg) {
    ox_ctx *c = arg;
    ox_model *m = small(c);
    ox_frame *f = ox_frame_new(m);
    ox_tensor *t = ox_tensor_new(c, OX_FLOAT, DIMS(1, 2));
    ox_rt *in = t ? ox_rt_tensor(c, t) : NULL, *out[3];
    if (in) memset(ox_tensor_mut(t), 0, 8);
    int rc = f && in ? ox_frame_run(f, &in, out) : -1;
    for (int i = 0; !rc && i < 3; i++) ox_rt_unref(out[i]);
    ox_rt_unref(in);
    ox_frame_free(f);
    ox_model_free(m);
    return rc;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    fail_allocations(run_all, 400, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(graphs_run_again_and_again), T(the_hook_sees_live_nodes),   T(wrong_inputs_are_named),
        T(missing_kernels_are_named),  T(branches_see_values_around), T(known_conditions_are_decided), T(loops_carry_values),
        T(runs_end_at_the_deadline),   T(the_memory_budget_holds),    T(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
