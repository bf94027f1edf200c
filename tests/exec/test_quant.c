/* Quantized graphs: in integers they are near to what plain kernels give, and the same where no arithmetic of floats is replaced; QLinear
 * operators are the same bit by bit. Every frame runs several times: what is kept between runs must serve. */
#include "build.h"

#include "onnx/onnx.h"

#include <math.h>

enum { PLAIN, USUAL, INTEGERS, WAYS, RUNS = 3, OUTPUTS = 5, TEXT = 1 << 16 };

typedef struct text { char s[TEXT]; size_t n; } text;

static void add(text *t, const char *s) {
    size_t len = strlen(s);
    assert_true(t->n + len < TEXT);
    memcpy(t->s + t->n, s, len + 1);
    t->n += len;
}

/* An initializer of N whole numbers from LO to HI, in no order, each divided by BY. */
static void numbers(text *t, const char *name, int n, int lo, int hi, int by) {
    char one[40];
    uint32_t x = (uint32_t)n * 977 + 5;
    add(t, ", ");
    add(t, name);
    add(t, " = {");
    for (int i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        int v = lo + (int)((x >> 8) % (uint32_t)(hi - lo + 1));
        if (by == 1) snprintf(one, sizeof one, "%s%d", i ? ", " : "", v);
        else snprintf(one, sizeof one, "%s%.6f", i ? ", " : "", (double)v / by);
        add(t, one);
    }
    add(t, "}");
}

typedef struct results {
    ox_rt *out[WAYS][OUTPUTS];
    uint32_t n;
    char steps[WAYS][4000]; /* what ran: operators, and algorithms in brackets */
} results;

static void note(void *user, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    (void)in, (void)n_in, (void)out, (void)n_out;
    char *s = user, one[100];
    snprintf(one, sizeof one, "%s(%s) ", info->node->op_type, info->algorithm ? info->algorithm : "");
    if (strlen(s) + strlen(one) < 4000) strcat(s, one);
}

static void run_way(ox_ctx *c, ox_model *m, int way, results *r) {
    ox_frame_options o = {.plain = way == PLAIN, .integers = way == INTEGERS};
    ox_frame *f = ox_frame_new_with(m, &o);
    ox_rt *in[4] = {0}, *out[OUTPUTS];
    if (!f || ox_make_inputs(m, &(ox_inputs_options){.seed = 7}, in)) fail_msg("%s", ox_error_text(c));
    for (int k = 0; k < RUNS; k++) {
        ox_frame_set_hook(f, k ? NULL : note, r->steps[way]);
        if (ox_frame_run(f, in, out)) fail_msg("%s", ox_error_text(c));
        for (uint32_t i = 0; i < r->n; i++) {
            if (k) assert_true(ox_tensor_equal(out[i]->t, r->out[way][i]->t));
            if (k) ox_rt_unref(out[i]);
            else r->out[way][i] = out[i];
        }
    }
    for (int i = 0; i < 4; i++) ox_rt_unref(in[i]);
    ox_frame_free(f);
}

static void run_all(ox_ctx *c, const text *t, results *r) {
    memset(r, 0, sizeof *r);
    ox_model *m = ox_model_parse(c, t->s, t->n, "text");
    if (!m || ox_infer_model(m, NULL)) fail_msg("%s", ox_error_text(c));
    r->n = m->graph->ret->n_in;
    for (int way = 0; way < WAYS; way++) run_way(c, m, way, r);
    ox_model_free(m);
}

static void done(results *r) {
    for (int way = 0; way < WAYS; way++)
        for (uint32_t i = 0; i < r->n; i++) ox_rt_unref(r->out[way][i]);
}

static void assert_same(const results *r, int a, int b) {
    for (uint32_t i = 0; i < r->n; i++)
        if (!ox_tensor_equal(r->out[a][i]->t, r->out[b][i]->t)) fail_msg("output %u differs between frames %d and %d", i, a, b);
}

/* Floats are at most FAR apart, and most of them, but for one in PART, the same. */
static void assert_near(const results *r, int a, int b, float far, int part) {
    for (uint32_t i = 0; i < r->n; i++) {
        const ox_tensor *x = r->out[a][i]->t, *y = r->out[b][i]->t;
        const float *p = ox_tensor_data(x), *q = ox_tensor_data(y);
        int64_t differ = 0;
        assert_int_equal(x->count, y->count);
        for (int64_t k = 0; k < x->count; k++) {
            if (!(fabsf(p[k] - q[k]) <= far)) fail_msg("output %u, element %d: %g and %g", i, (int)k, (double)p[k], (double)q[k]);
            differ += fabsf(p[k] - q[k]) > far * 1e-3f;
        }
        if (differ * part > x->count) fail_msg("output %u: %d of %d elements differ", i, (int)differ, (int)x->count);
    }
}

static void assert_ran(const results *r, int way, const char *what, bool yes) {
    if ((strstr(r->steps[way], what) != NULL) != yes) fail_msg("%s %s: %s", what, yes ? "did not run" : "ran", r->steps[way]);
}

static void begin(text *t, const char *interface) {
    t->n = 0;
    add(t, "<ir_version: 8, opset_import: [\"\" : 17, \"com.microsoft\" : 1]>\ng ");
    add(t, interface);
    add(t, " <float xs = {0.05}, uint8 xz = {120}, float s = {0.06}, uint8 zero = {0}, float ys = {0.05}, uint8 yz = {128}, float ws = {0.01}, int8 wz = {3}");
}

static text t;

/* Convolutions: scales per channel, a bias that is not quantized, Clip, a depthwise one, a DequantizeLinear that two share. */
static void convolutions(void **state) {
    results r;
    begin(&t, "(float[N,3,13,11] x) => (float[N,20,7,6] h, float[N,20,3,3] y)");
    numbers(&t, "int8[20,3,3,3] w", 20 * 27, -127, 127, 1);
    numbers(&t, "float[20] cs", 20, 5, 15, 1000);
    numbers(&t, "int8[20] cz", 20, 0, 0, 1);
    numbers(&t, "int32[20] b", 20, -2000, 2000, 1);
    numbers(&t, "float[20] bias", 20, -500, 500, 1000);
    numbers(&t, "uint8[20,1,3,3] d", 180, 0, 255, 1);
    add(&t, ", float bs = {0.0005}, uint8 dz = {127}, float six = {6}, float o = {0}> {\n"
            "q = QuantizeLinear(x, xs, xz) f = DequantizeLinear(q, xs, xz) wf = DequantizeLinear<axis = 0>(w, cs, cz) bf = DequantizeLinear(b, bs)\n"
            "a = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(f, wf, bf) ac = Clip(a, o, six) aq = QuantizeLinear(ac, s, zero)\n"
            "af = DequantizeLinear(aq, s, zero) df = DequantizeLinear(d, ws, dz) e = Conv<group = 20, pads = [1, 1, 1, 1]>(af, df, bias)\n"
            "eq = QuantizeLinear(e, ys, yz) ef = DequantizeLinear(eq, ys, yz) i = Add(af, ef) iq = QuantizeLinear(i, ys, yz)\n"
            "h = DequantizeLinear(iq, ys, yz) p = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(h) pq = QuantizeLinear(p, ys, yz)\n"
            "y = DequantizeLinear(pq, ys, yz) }\n");
    run_all(*state, &t, &r);
    assert_ran(&r, INTEGERS, "Conv(8-bit convolution) Conv(8-bit convolution) Add(8-bit pairs)", true);
    assert_ran(&r, INTEGERS, "AveragePool(8-bit pool)", true);
    assert_near(&r, PLAIN, INTEGERS, 0.101f, 8);
    done(&r);
}

/* One spatial axis; MaxPool by pixels; the end of a classifier. */
static void classifier(void **state) {
    results r;
    begin(&t, "(float[N,4,32] x) => (float[N,7] y)");
    numbers(&t, "int8[24,4,5] w", 480, -127, 127, 1);
    numbers(&t, "int8[7,24] g", 168, -127, 127, 1);
    numbers(&t, "int32[7] b", 7, -2000, 2000, 1);
    add(&t, ", float bs = {0.0005}, float gs = {0.002}> {\n"
            "q = QuantizeLinear(x, xs, xz) f = DequantizeLinear(q, xs, xz) wf = DequantizeLinear(w, ws, wz) bf = DequantizeLinear(b, bs)\n"
            "a = Conv<pads = [2, 2]>(f, wf) ar = Relu(a) aq = QuantizeLinear(ar, s, zero) af = DequantizeLinear(aq, s, zero)\n"
            "m = MaxPool<kernel_shape = [3], strides = [2], pads = [1, 1]>(af) mq = QuantizeLinear(m, s, zero) mf = DequantizeLinear(mq, s, zero)\n"
            "p = GlobalAveragePool(mf) pq = QuantizeLinear(p, s, zero) pf = DequantizeLinear(pq, s, zero) l = Flatten(pf)\n"
            "lq = QuantizeLinear(l, s, zero) lf = DequantizeLinear(lq, s, zero) gf = DequantizeLinear(g, gs)\n"
            "e = Gemm<transB = 1>(lf, gf, bf) eq = QuantizeLinear(e, ys, yz) y = DequantizeLinear(eq, ys, yz) }\n");
    run_all(*state, &t, &r);
    assert_ran(&r, INTEGERS, "Conv(8-bit convolution) MaxPool(8-bit pool) GlobalAveragePool(8-bit pool)", true);
    assert_ran(&r, INTEGERS, "Gemm(8-bit product)", true);
    assert_ran(&r, USUAL, "8-bit", false);
    assert_near(&r, PLAIN, INTEGERS, 0.051f, 20);
    done(&r);
}

/* MatMul without QuantizeLinear gives floats. */
static void product_to_floats(void **state) {
    results r;
    begin(&t, "(float[N,5,40] x) => (float[N,5,30] y, float[N,5,30] z)");
    numbers(&t, "int8[40,30] w", 1200, -127, 127, 1);
    numbers(&t, "float[30] cs", 30, 5, 15, 1000);
    numbers(&t, "int8[30] cz", 30, -5, 5, 1);
    add(&t, "> { q = QuantizeLinear(x, xs, xz) f = DequantizeLinear(q, xs, xz) wf = DequantizeLinear<axis = 1>(w, cs, cz) y = MatMul(f, wf) z = Relu(y) }\n");
    run_all(*state, &t, &r);
    assert_ran(&r, INTEGERS, "MatMul(8-bit product)", true);
    assert_near(&r, PLAIN, INTEGERS, 1e-4f, 1);
    done(&r);
}

/* Where nothing is rounded another way, bits are the same: tables, sums, moves, quantizers that change nothing, values that are outputs too. */
static void exact_steps(void **state) {
    results r;
    begin(&t, "(float[N,6,4,5] x) => (float[N,6,4,5] y, uint8[N,6,4,5] q, uint8[N,6,4,5] vq, float[N,24,10] z)");
    numbers(&t, "uint8[6,1,1] k", 6, 0, 255, 1);
    add(&t, ", int64[3] shape = {0, 24, 10}> {\n"
            "q = QuantizeLinear(x, xs, xz) f = DequantizeLinear(q, xs, xz) v = Sigmoid(f) sq = QuantizeLinear(v, ws, zero) sf = DequantizeLinear(sq, ws, zero)\n"
            "kf = DequantizeLinear(k, ws, yz) m = Mul(sf, kf) mq = QuantizeLinear(m, ys, yz) mf = DequantizeLinear(mq, ys, yz) a = Add(mf, f)\n"
            "aq = QuantizeLinear(a, ys, yz) y = DequantizeLinear(aq, ys, yz) vq = QuantizeLinear(f, xs, xz)\n"
            "u = Transpose<perm = [0, 2, 3, 1]>(y) uq = QuantizeLinear(u, ys, yz) uf = DequantizeLinear(uq, ys, yz) w = HardSwish(uf)\n"
            "wq = QuantizeLinear(w, xs, xz) wf = DequantizeLinear(wq, xs, xz) c = Concat<axis = 3>(uf, wf) cq = QuantizeLinear(c, xs, xz)\n"
            "cf = DequantizeLinear(cq, xs, xz) z = Reshape(cf, shape) }\n");
    run_all(*state, &t, &r);
    assert_ran(&r, INTEGERS, "Sigmoid(8-bit table)", true);
    assert_ran(&r, INTEGERS, "HardSwish(8-bit table)", true);
    assert_ran(&r, INTEGERS, "Mul(8-bit pairs) Add(8-bit pairs)", true);
    assert_same(&r, PLAIN, USUAL);
    assert_same(&r, PLAIN, INTEGERS);
    done(&r);
}

/* The operators that are integer by themselves: the same bits always. */
static void operators(void **state) {
    results r;
    begin(&t, "(uint8[N,3,11,9] x, float[N,6] v) => (uint8[N,5] y, float[N,7] e, int32[N,10,11,9] i, float[N,7] d, uint8[N,10,11,9] a)");
    numbers(&t, "int8[10,3,3,3] w", 270, -127, 127, 1);
    numbers(&t, "float[10] cs", 10, 5, 15, 1000);
    numbers(&t, "int8[10] cz", 10, -3, 3, 1);
    numbers(&t, "int32[10] b", 10, -2000, 2000, 1);
    numbers(&t, "uint8[10,5] g", 50, 0, 255, 1);
    numbers(&t, "int8[5,7] h", 35, -127, 127, 1);
    numbers(&t, "uint8[6,7] j", 42, 0, 255, 1);
    add(&t, ", float gs = {0.003}, uint8 gz = {130}> {\n"
            "a = QLinearConv<pads = [1, 1, 1, 1]>(x, xs, xz, w, cs, cz, ys, yz, b) m = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)\n"
            "k = \"com.microsoft\".QLinearAveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(m, ys, yz, s, yz)\n"
            "l = \"com.microsoft\".QLinearAdd(k, s, yz, m, ys, yz, s, yz) n = \"com.microsoft\".QLinearGlobalAveragePool(l, s, yz, s, yz)\n"
            "o = Flatten(n) y = QLinearMatMul(o, s, yz, g, gs, gz, ys, yz)\n"
            "e = \"com.microsoft\".MatMulIntegerToFloat(y, h, ys, ws, yz, wz) i = ConvInteger<pads = [1, 1, 1, 1]>(x, w, xz)\n"
            "d = \"com.microsoft\".DynamicQuantizeMatMul(v, j, ws, gz) }\n");
    run_all(*state, &t, &r);
    assert_ran(&r, USUAL, "QLinearConv(8-bit convolution) MaxPool(8-bit pool) QLinearAveragePool(8-bit pool) QLinearAdd(8-bit pairs)", true);
    assert_ran(&r, USUAL, "QLinearMatMul(8-bit product)", true);
    assert_ran(&r, USUAL, "DynamicQuantizeMatMul(8-bit product of floats)", true);
    assert_same(&r, PLAIN, USUAL);
    assert_same(&r, PLAIN, INTEGERS);
    done(&r);
}

/* As tools write products that are quantized while they run: two of one input, one with a bias. */
static void dynamic_products(void **state) {
    results r;
    begin(&t, "(float[N,5,40] x) => (float[N,5,30] y, float[N,5,21] z)");
    numbers(&t, "int8[40,30] w", 1200, -127, 127, 1);
    numbers(&t, "float[30] cs", 30, 5, 15, 1000);
    numbers(&t, "int8[30] cz", 30, -5, 5, 1);
    numbers(&t, "float[30] b", 30, -500, 500, 100);
    numbers(&t, "uint8[40,21] v", 840, 0, 255, 1);
    add(&t, "> {\n"
            "q, qs, qz = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, qz, cz) k = MatMulInteger(q, v, qz, yz) c = Cast<to = 1>(i) d = Cast<to = 1>(k)\n"
            "e = Mul(qs, cs) f = Mul(qs, ws) g = Mul(c, e) y = Add(b, g) z = Mul(f, d) }\n");
    run_all(*state, &t, &r);
    assert_ran(&r, USUAL, "MatMulInteger(8-bit product, scaled) MatMulInteger(8-bit product, scaled)", true);
    assert_ran(&r, USUAL, "Cast", false);
    assert_same(&r, PLAIN, USUAL);
    assert_same(&r, PLAIN, INTEGERS);
    done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {T(convolutions), T(classifier), T(product_to_floats), T(exact_steps), T(operators), T(dynamic_products)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
