/* Operators that work by vectors in float, against the plain loops of double: shapes that broadcast in every way, narrow floats, short and
 * long rows; and the same bits for any number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "exec/exec.h"
#include "onnx/onnx.h"

/* NODE: what y is, of a, b, c; shapes of these, "" for absent; more: initializers. */
typedef struct row { const char *node, *a, *b, *c, *more; } row;
static const row rows[] = {
    {"Add(a, b)", "3,300,400", "3,300,400", "", ""},
    {"Add(a, b)", "3,300,400", "400", "", ""},
    {"Sub(a, b)", "3,300,400", "300,1", "", ""},
    {"Sub(a, b)", "3,1,400", "300,1", "", ""},
    {"Mul(a, b)", "1", "3,300,400", "", ""},
    {"Mul(a, b)", "3,300,400", "3,1,1", "", ""},
    {"Div(a, b)", "300000", "1", "", ""},
    {"Add(a, b)", "100000,3", "3", "", ""},
    {"Sub(a, b)", "3", "100001,3", "", ""},
    {"Sub(a, b)", "100000,3", "100000,1", "", ""},
    {"Sub(a, b)", "2,5,1,7,1", "5,3,1,11", "", ""},
    {"Sub(a, b)", "", "2,3", "", ""},
    {"Add(a, b)", "0,3", "3", "", ""},
    {"Min(a, b, c)", "3,300,400", "400", "1", ""},
    {"Max(a, b, c)", "7", "4,1", "2,4,7", ""},
    {"Sum(a, b, c)", "7", "4,1", "2,4,7", ""},
    {"Mean(a, b, c)", "7", "4,1", "2,4,7", ""},
    {"PRelu(a, b)", "2,30,50", "30,1", "", ""},
    {"Mul(d, d)  d = Relu(a)", "5,70", "", "", ""},
    {"Pow(a, b)", "50,70", "1", "", ""},
    {"Pow(d, b)  d = Abs(a)", "50,70", "70", "", ""},
    {"Exp(a)", "3,300,400", "", "", ""},
    {"Tanh(a)", "3,300,400", "", "", ""},
    {"Gelu<approximate = \"tanh\">(a)", "3,300,400", "", "", ""},
    {"Clip(a, lo, hi)", "3,300,400", "", "", "T lo = {-0.5}, T hi = {0.75}"},
    {"Clip(a, , hi)", "71", "", "", "T hi = {0.75}"},
    {"Selu(a)", "71", "", "", ""},
    {"HardSigmoid(a)", "71", "", "", ""},
    {"Softmax<axis = -1>(a)", "30,40,300", "", "", ""},
    {"Softmax<axis = 1>(a)", "30,40,300", "", "", ""},
    {"Softmax<axis = 0>(a)", "9,5,7", "", "", ""},
    {"LogSoftmax<axis = 1>(a)", "2,9,700", "", "", ""},
    {"LogSoftmax(a)", "50,3", "", "", ""},
    {"LayerNormalization(a, b, c)", "300,1000", "1000", "1000", ""},
    {"LayerNormalization<axis = 1>(a, b)", "7,3,5", "3,5", "", ""},
    {"RMSNormalization(a, b)", "300,1000", "1000", "", ""},
    {"InstanceNormalization(a, b, c)", "2,5,9,300", "5", "5", ""},
    {"GroupNormalization<num_groups = 3>(a, b, c)", "2,6,9,300", "6", "6", ""},
    {"BatchNormalization(a, b, c, c, d)  d = Exp(c)", "4,6,100,120", "6", "6", ""},
    {"BatchNormalization(a, b, c, c, d)  d = Exp(c)", "40,70", "70", "70", ""},
    {"ReduceSum(a, x)", "30,40,300", "", "", "int64[1] x = {2}"},
    {"ReduceMean(a, x)", "30,40,300", "", "", "int64[1] x = {1}"},
    {"ReduceMean(a, x)", "30,40,300", "", "", "int64[2] x = {0, 2}"},
    {"ReduceMean(a, x)", "30,40,300", "", "", "int64[2] x = {0, 1}"},
    {"ReduceMax(a, x)", "30,40,300", "", "", "int64[1] x = {0}"},
    {"ReduceMin(a, x)", "30,40,300", "", "", "int64[1] x = {2}"},
    {"ReduceL2(a, x)", "30,40,300", "", "", "int64[1] x = {1}"},
    {"ReduceL1(a, x)", "30,40,3", "", "", "int64[1] x = {2}"},
    {"ReduceSumSquare(a)", "30,40,10", "", "", ""},
    {"ReduceProd(a, x)", "30,4,300", "", "", "int64[1] x = {1}"},
    {"ReduceLogSumExp(a, x)", "30,40,300", "", "", "int64[1] x = {1}"},
    {"Transpose<perm = [0, 2, 3, 1]>(a)", "2,3,300,400", "", "", ""},
    {"Transpose<perm = [0, 2, 1, 3]>(a)", "2,300,8,64", "", "", ""},
    {"Transpose<perm = [2, 0, 1]>(a)", "200,30,100", "", "", ""},
    {"SwiGLU(a, b)", "3,300,400", "400", "", ""},
};

static uint32_t seed;
static double noise(void) { /* a number that float16 holds */
    seed = seed * 1664525u + 1013904223u;
    return ((double)(seed >> 22) - 512 + 0.5) / 256;
}

static ox_rt *random_tensor(ox_ctx *c, ox_dtype t, const char *shape) {
    int64_t dims[8];
    int rank = 0;
    for (const char *s = shape; *s; s += *s == ',') dims[rank++] = strtoll(s, (char **)(uintptr_t)&s, 10);
    ox_tensor *x = ox_tensor_new(c, t, rank, dims);
    assert_non_null(x);
    for (int64_t i = 0; i < x->count; i++) ox_store_double(t, ox_tensor_mut(x), i, noise());
    return ox_rt_tensor(c, x);
}

/* The text with T as the name of the type. */
static void model_text(char *out, size_t size, const row *r, const char *type) {
    const char *last = strstr(r->node, "  "), *shapes[] = {r->a, r->b, r->c};
    char more[200] = "", in[300] = "";
    for (const char *p = r->more; *p; p++) {
        if (*p == 'T')
            strcat(more, type);
        else
            strncat(more, p, 1);
    }
    for (int i = 0; i < 3; i++) {
        if (*shapes[i] || i == 0 || (i == 1 && !strcmp(r->a, "")))
            snprintf(in + strlen(in), sizeof in - strlen(in), "%s%s%s%s%s %c", i ? ", " : "", type, *shapes[i] ? "[" : "", shapes[i],
                     *shapes[i] ? "]" : "", 'a' + i);
    }
    snprintf(out, size, "<ir_version: 10, opset_import: [\"\": 28]> g (%s) => (%s y) %s%s%s { %s\n y = %.*s }", in, type, *more ? "<" : "", more,
             *more ? ">" : "", last ? last : "", last ? (int)(last - r->node) : (int)strlen(r->node), r->node);
}

static ox_tensor *result(ox_ctx *c, const row *r, ox_dtype t, int threads) {
    char text[1000];
    model_text(text, sizeof text, r, t == OX_FLOAT ? "float" : t == OX_DOUBLE ? "double" : t == OX_FLOAT16 ? "float16" : "bfloat16");
    c->threads = threads;
    seed = 5;
    ox_model *m = ox_model_parse(c, text, strlen(text), "test");
    if (!m) fail_msg("%s: %s", text, ox_error_text(c));
    ox_rt *in[3], *out = NULL;
    const char *shapes[] = {r->a, r->b, r->c};
    size_t n = m->graph->n_inputs;
    for (size_t i = 0; i < n; i++) in[i] = random_tensor(c, t, shapes[i]);
    ox_frame *f = ox_frame_new(m);
    if (!f || ox_frame_run(f, in, &out)) fail_msg("%s: %s", text, ox_error_text(c));
    ox_tensor *y = ox_tensor_ref(out->t);
    ox_rt_unref(out);
    for (size_t i = 0; i < n; i++) ox_rt_unref(in[i]);
    ox_frame_free(f);
    ox_model_free(m);
    return y;
}

static void vectors_agree_with_double(void **state) {
    (void)state;
    static const ox_dtype types[] = {OX_FLOAT, OX_FLOAT16, OX_BFLOAT16};
    static const double close[] = {2e-6, 2e-3, 1.6e-2};
    static const int threads[] = {1, 2, 3, 4, 8};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ox_ctx *c = ox_ctx_new();
        ox_tensor *want = result(c, &rows[i], OX_DOUBLE, 1);
        double scale = 1;
        for (int64_t k = 0; k < want->count; k++) {
            double w = ox_load_double(OX_DOUBLE, ox_tensor_data(want), k);
            if (fabs(w) > scale && !isinf(w)) scale = fabs(w);
        }
        for (int t = 0; t < 3; t++) {
            ox_tensor *one = result(c, &rows[i], types[t], 1);
            assert_int_equal(one->count, want->count);
            for (int64_t k = 0; k < want->count; k++) {
                double w = ox_load_double(OX_DOUBLE, ox_tensor_data(want), k), g = ox_load_double(types[t], ox_tensor_data(one), k);
                bool same = (w != w && g != g) || w == g || fabs(w - g) <= close[t] * (t ? scale : fabs(w) + 1);
                if (!same) fail_msg("%s of %s: element %lld is %.9g, not %.9g", rows[i].node, ox_dtype_name(types[t]), (long long)k, g, w);
            }
            for (int n = 1; n < 5 && want->count > 1000; n++) {
                ox_tensor *more = result(c, &rows[i], types[t], threads[n]);
                if (!ox_tensor_equal(one, more)) fail_msg("%s: other bits with %d threads", rows[i].node, threads[n]);
                ox_tensor_unref(more);
            }
            ox_tensor_unref(one);
        }
        ox_tensor_unref(want);
        ox_ctx_free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_agree_with_double)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
