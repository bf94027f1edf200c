/* Inputs from seeds, comparing values, verifying models against each other. */
#include "build.h"

#include <math.h>

static void make(ox_model *m, int sample, ox_rt **in) {
    ox_inputs_options o = {.seed = 7, .sample = sample};
    if (ox_make_inputs(m, &o, in)) fail_msg("%s", ox_error_text(m->ctx));
}

/* ids + 2, through a Cast, index a table of 10 rows. */
static void integers_fit_what_they_index(void **state) {
    ox_ctx *c = *state;
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *ids = input(g, "ids", OX_INT32, DIMS(-2, 50));
    ox_node *cast = node(g, "Cast", 1, ids, NULL, NULL);
    ox_attr_set_int(cast, "to", OX_INT64);
    int64_t dims[2] = {10, 3};
    ox_tensor *table = ox_tensor_new(c, OX_FLOAT, 2, dims);
    memset(ox_tensor_mut(table), 0, (size_t)table->bytes);
    ox_value *shifted = op2(g, "Add", cast->out[0], init(g, "two", ox_tensor_scalar_int(c, OX_INT64, 2)));
    output(g, "y", op2(g, "Gather", init(g, "table", table), shifted));
    for (int sample = 0; sample < 5; sample++) {
        ox_rt *in[1];
        make(m, sample, in);
        int64_t top = 0;
        for (int64_t i = 0; i < in[0]->t->count; i++) {
            int64_t v = ox_load_int(OX_INT32, ox_tensor_data(in[0]->t), i);
            assert_true(v >= 0 && v < 8);
            if (v > top) top = v;
        }
        assert_int_equal(top, 7);
        ox_rt_unref(in[0]);
    }
    ox_model_free(m);
}

static void names_say_what_values_are(void **state) {
    ox_ctx *c = *state;
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    input(g, "attention_mask", OX_INT64, DIMS(-2, 4));
    input(g, "position_ids", OX_INT64, DIMS(-2, 4));
    input(g, "sr", OX_INT64, 0, NULL);
    input(g, "flag", OX_BOOL, DIMS(100));
    input(g, "x", OX_FLOAT16, DIMS(1000));
    input(g, "words", OX_STRING, DIMS(3));
    ox_graph_add_input(g, ox_intern(c, "list"), ox_type_of(m->arena, OX_K_SEQUENCE, type(m, OX_FLOAT, DIMS(2))));
    ox_rt *in[7], *again[7];
    make(m, 0, in);
    make(m, 0, again);
    assert_int_equal(ox_load_int(OX_INT64, ox_tensor_data(in[0]->t), 3), 1);
    assert_int_equal(in[0]->t->dims[0], in[1]->t->dims[0]);
    for (int64_t i = 0; i < in[1]->t->count; i++)
        assert_int_equal(ox_load_int(OX_INT64, ox_tensor_data(in[1]->t), i), i % 4);
    assert_int_equal(ox_load_int(OX_INT64, ox_tensor_data(in[2]->t), 0), 16000);
    double sum = 0, squares = 0;
    for (int i = 0; i < 1000; i++) {
        double v = ox_load_double(OX_FLOAT16, ox_tensor_data(in[4]->t), i);
        sum += v;
        squares += v * v;
    }
    assert_true(fabs(sum) < 150 && squares > 800 && squares < 1200);
    assert_true(in[6]->kind == OX_RT_SEQUENCE && in[6]->n == 3);
    for (int i = 0; i < 7; i++) {
        ox_tolerance tol = {0, 0, false};
        ox_difference d;
        ox_compare(in[i], again[i], &tol, &d);
        assert_true(d.same);
        ox_rt_unref(in[i]);
        ox_rt_unref(again[i]);
    }
    ox_model_free(m);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static void compare_one(ox_ctx *c, float want, float got, double rtol, double atol, bool same) {
    ox_rt *a = rt(c, ox_tensor_scalar_double(c, OX_FLOAT, want)), *b = rt(c, ox_tensor_scalar_double(c, OX_FLOAT, got));
    ox_tolerance tol = {rtol, atol, false};
    ox_difference d;
    ox_compare(a, b, &tol, &d);
    if (d.same != same) fail_msg("%g against %g", (double)got, (double)want);
    assert_int_equal(d.text[0] == 0, same);
    ox_rt_unref(a);
    ox_rt_unref(b);
}

static void values_compare_within_tolerance(void **state) {
    ox_ctx *c = *state;
    compare_one(c, 100, 100.5f, 0.01, 0, true);
    compare_one(c, 100, 102, 0.01, 0, false);
    compare_one(c, 0, 1e-6f, 0.01, 1e-5, true);
    compare_one(c, NAN, NAN, 0, 0, true);
    compare_one(c, INFINITY, INFINITY, 0, 0, true);
    compare_one(c, INFINITY, -INFINITY, 1, 1, false);
    compare_one(c, 1, NAN, 1, 1, false);
    compare_one(c, NAN, 1, 1, 1, false);
    compare_one(c, 0.0f, -0.0f, 0, 0, true);
    ox_rt *a = rt(c, floats(c, DIMS(2, 2), (const float[]){1, 2, 3, 400}));
    ox_rt *b = rt(c, floats(c, DIMS(2, 2), (const float[]){1, 2, 3.5f, 400}));
    ox_rt *s = rt(c, floats(c, DIMS(4), (const float[]){1, 2, 3, 400}));
    ox_difference d;
    ox_compare(a, b, &(ox_tolerance){0, 1e-3, false}, &d);
    assert_string_equal(d.text, "at [1,0]: 3.5 instead of 3");
    assert_true(d.max_abs == 0.5 && d.max_rel == 0.5 / 400 && d.sqnr > 50 && d.sqnr < 60);
    ox_compare(a, b, &(ox_tolerance){0, 2e-3, true}, &d);
    assert_true(d.same);
    ox_compare(a, s, &(ox_tolerance){1, 1, true}, &d);
    assert_string_equal(d.text, "float[4] instead of float[2,2]");
    ox_compare(a, NULL, &(ox_tolerance){1, 1, true}, &d);
    assert_string_equal(d.text, "nothing instead of a tensor");
    ox_rt_unref(a);
    ox_rt_unref(b);
    ox_rt_unref(s);
}

static ox_model *line(ox_ctx *c, double factor, const char *out) {
    ox_model *m = new_model(c);
    ox_value *x = input(m->graph, "x", OX_FLOAT, DIMS(-1, 4));
    output(m->graph, out, op2(m->graph, "Mul", x, init(m->graph, "k", ox_tensor_scalar_double(c, OX_FLOAT, factor))));
    return m;
}

static void verify_case(ox_ctx *c, double factor, const char *out, ox_verdict verdict, int samples, const char *why) {
    ox_model *a = line(c, 2, "y"), *b = line(c, factor, out);
    ox_verify_options o = {.samples = 3, .seed = 1, .tol = {1e-4, 1e-5, true}};
    ox_verify_result r;
    assert_int_equal(ox_verify_models(a, b, &o, &r), 0);
    if (r.verdict != verdict || r.samples_run != samples || strncmp(r.why, why, strlen(why)))
        fail_msg("%d %d %s", r.verdict, r.samples_run, r.why);
    ox_model_free(a);
    ox_model_free(b);
    assert_int_equal(ox_payload_bytes(c), 0);
}

static void models_are_verified(void **state) {
    ox_ctx *c = *state;
    verify_case(c, 2.00001, "y", OX_V_SAME, 3, "");
    verify_case(c, 2.1, "y", OX_V_DIFFERENT, 1, "output 'y' differs: at [0,0]: ");
    verify_case(c, 2, "z", OX_V_DIFFERENT, 0, "output 'y' is missing");
}

/* z = x * FACTOR; y = the same through TYPE, back in float. */
static ox_model *through(ox_ctx *c, ox_dtype type, double factor, double plain) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    ox_value *x = input(g, "x", OX_FLOAT, DIMS(-1, 4));
    ox_node *down = node(g, "Cast", 1, x, NULL, NULL);
    ox_attr_set_int(down, "to", type);
    ox_node *up = node(g, "Cast", 1, op2(g, "Mul", down->out[0], init(g, "k", ox_tensor_scalar_double(c, type, factor))), NULL, NULL);
    ox_attr_set_int(up, "to", OX_FLOAT);
    output(g, "y", up->out[0]);
    output(g, "z", op2(g, "Mul", x, init(g, "p", ox_tensor_scalar_double(c, OX_FLOAT, plain))));
    return m;
}

static void through_case(ox_ctx *c, ox_dtype type, double factor, double plain, bool widen, const char *why) {
    ox_model *a = through(c, type, 1, 1), *b = through(c, type, factor, plain);
    ox_verify_options o = {.samples = 3, .seed = 1, .tol = {1e-3, 1e-4, true}, .widen = widen};
    ox_verify_result r;
    assert_int_equal(ox_verify_models(a, b, &o, &r), 0);
    if (r.verdict != (why[0] ? OX_V_DIFFERENT : OX_V_SAME) || strncmp(r.why, why, strlen(why))) fail_msg("%d %s", r.verdict, r.why);
    ox_model_free(a);
    ox_model_free(b);
}

/* Steps of a narrow type are no difference, unless somebody says how exact results must be; what never was narrow is judged as ever. */
static void narrow_types_may_be_off_by_steps(void **state) {
    ox_ctx *c = *state;
    through_case(c, OX_FLOAT16, 1 + 3.0 / 1024, 1, true, "");
    through_case(c, OX_FLOAT16, 1 + 3.0 / 1024, 1, false, "output 'y' differs");
    through_case(c, OX_FLOAT16, 1 + 24.0 / 1024, 1, true, "output 'y' differs");
    through_case(c, OX_FLOAT16, 1, 1.004, true, "output 'z' differs");
    through_case(c, OX_BFLOAT16, 1 + 3.0 / 128, 1, true, "");
    through_case(c, OX_BFLOAT16, 1 + 24.0 / 128, 1, true, "output 'y' differs");
    through_case(c, OX_FLOAT, 1 + 3.0 / 1024, 1, true, "output 'y' differs");
}

/* y = x + [16 numbers]: only sizes of 16 run. */
static void samples_that_do_not_run_are_replaced(void **state) {
    ox_ctx *c = *state;
    ox_model *m[2];
    float numbers[16] = {0};
    for (int i = 0; i < 2; i++) {
        m[i] = new_model(c);
        ox_value *x = ox_graph_add_input(
            m[i]->graph, ox_intern(c, "x"),
            ox_type_tensor(m[i]->arena, OX_FLOAT, 1, (ox_dim[]){ox_dim_symbol(c, ox_intern(c, "seq"))}));
        output(m[i]->graph, "y", op2(m[i]->graph, "Add", x, init(m[i]->graph, "k", floats(c, DIMS(16), numbers))));
    }
    ox_verify_options o = {.samples = 2, .tol = {1e-4, 1e-5, true}};
    ox_verify_result r;
    assert_int_equal(ox_verify_models(m[0], m[1], &o, &r), 0);
    if (r.verdict != OX_V_SAME || r.samples_run != 2 || strncmp(r.why, "samples replaced: 2;", 20))
        fail_msg("%d %d %s", r.verdict, r.samples_run, r.why);
    ox_dim_binding dims = {ox_intern(c, "seq"), 17};
    o.dims = &dims;
    o.n_dims = 1;
    assert_int_equal(ox_verify_models(m[0], m[1], &o, &r), 0);
    assert_int_equal(r.verdict, OX_V_UNKNOWN);
    assert_non_null(strstr(r.why, "the original does not run"));
    ox_model_free(m[0]);
    ox_model_free(m[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(integers_fit_what_they_index),         T(names_say_what_values_are),
        T(values_compare_within_tolerance),      T(models_are_verified),
        T(samples_that_do_not_run_are_replaced), T(narrow_types_may_be_off_by_steps),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
