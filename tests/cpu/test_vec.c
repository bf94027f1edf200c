/* Element-wise functions of every instruction set against double: errors in units of the last place over floats of every size, special
 * values, every length up to some vectors, conversions. ULP_STEP=1 in the environment looks at all floats (and takes minutes). */
#include "cpu/vec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static float of_bits(uint32_t b) {
    float f;
    memcpy(&f, &b, 4);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t b;
    memcpy(&b, &f, 4);
    return b;
}

/* ---- what is right */

static double d_sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static double d_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double d_softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))) + (x - x); }
static double d_elu(double x) { return x < 0 ? 1.5 * expm1(x) : x; }
static double d_selu(double x) { return 0.75 * (x < 0 ? 1.5 * expm1(x) : x); }
static double d_celu(double x) { return x < 0 ? 1.5 * expm1(x / 1.5) : x; }
static double d_softsign(double x) { return x / (1 + fabs(x)); }
static double d_swish(double x) { return x * d_sigmoid(1.5 * x); }
static double d_mish(double x) { return x * tanh(d_softplus(x)); }
static double d_gelu(double x) { return 0.5 * x * erfc(-x * sqrt(0.5)); }
static double d_gelu_tanh(double x) { return x * d_sigmoid(2 * sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)); }
static double d_relu(double x) { return x < 0 ? 0 : x; }
static double d_clip(double x) { return x < -2.5 ? -2.5 : x > 0.75 ? 0.75 : x; }
static double d_leaky(double x) { return x < 0 ? 1.5 * x : x; }
static double d_hard_sigmoid(double x) { return x != x ? x : fmin(1, fmax(0, 1.5 * x + 0.75)); }
static double d_hard_swish(double x) { return x != x ? x : x * fmin(1, fmax(0, x / 6 + 0.5)); }
static double d_threshold(double x) { return x > 1.5 || x != x ? x : 0; }
static double d_square(double x) { return x * x; }
static double d_reciprocal(double x) { return 1 / x; }
static double d_negate(double x) { return -x; }

/* ULP: the most that is allowed; ABSOLUTE: also right when within that of |x| (where a result near 0 is a difference), up to RANGE. */
typedef struct rule { const char *name; ox_fn fn; double (*exact)(double); double ulp, absolute, range; } rule;
static const rule rules[] = {
    {"Abs", OX_FN_ABS, fabs, 0, 0, 0},
    {"Neg", OX_FN_NEG, d_negate, 0, 0, 0},
    {"Sign", OX_FN_SIGN, d_sign, 0, 0, 0},
    {"Square", OX_FN_SQUARE, d_square, 0.51, 0, 0},
    {"Sqrt", OX_FN_SQRT, sqrt, 0.51, 0, 0},
    {"Reciprocal", OX_FN_RECIPROCAL, d_reciprocal, 0.51, 0, 0},
    {"Floor", OX_FN_FLOOR, floor, 0, 0, 0},
    {"Ceil", OX_FN_CEIL, ceil, 0, 0, 0},
    {"Round", OX_FN_ROUND, rint, 0, 0, 0},
    {"Exp", OX_FN_EXP, exp, 1, 0, 0},
    {"Log", OX_FN_LOG, log, 1, 0, 0},
    {"Sin", OX_FN_SIN, sin, 1.6, 0, 0},
    {"Cos", OX_FN_COS, cos, 1.6, 0, 0},
    {"Tanh", OX_FN_TANH, tanh, 2.5, 0, 0},
    {"Sigmoid", OX_FN_SIGMOID, d_sigmoid, 2.5, 0, 0},
    {"Erf", OX_FN_ERF, erf, 2.5, 0, 0},
    {"Relu", OX_FN_RELU, d_relu, 0, 0, 0},
    {"Clip", OX_FN_CLIP, d_clip, 0, 0, 0},
    {"LeakyRelu", OX_FN_LEAKY_RELU, d_leaky, 0.51, 0, 0},
    {"Elu", OX_FN_ELU, d_elu, 1.6, 0, 0},
    {"Selu", OX_FN_SELU, d_selu, 2, 0, 0},
    {"Celu", OX_FN_CELU, d_celu, 2, 0, 0},
    {"HardSigmoid", OX_FN_HARD_SIGMOID, d_hard_sigmoid, 1, 1e-7, 10},
    {"HardSwish", OX_FN_HARD_SWISH, d_hard_swish, 2, 1e-7, 10},
    {"Softplus", OX_FN_SOFTPLUS, d_softplus, 2.8, 0, 0},
    {"Softsign", OX_FN_SOFTSIGN, d_softsign, 1.5, 0, 0},
    {"Swish", OX_FN_SWISH, d_swish, 2.5, 1e-7, 200},
    {"Mish", OX_FN_MISH, d_mish, 3.3, 1e-7, 200},
    {"Gelu", OX_FN_GELU, d_gelu, 2, 1e-7, 200},
    {"GeluTanh", OX_FN_GELU_TANH, d_gelu_tanh, 2.5, 1e-7, 200},
    {"ThresholdedRelu", OX_FN_THRESHOLDED_RELU, d_threshold, 0, 0, 0},
};
static const float params[] = {1.5f, 0.75f}, bounds[] = {-2.5f, 0.75f};

static double ulp_of(double exact) {
    int e;
    frexp(exact, &e);
    return ldexp(1, e - 24 < -149 ? -149 : e - 24);
}

/* Units of the last place between a result and what is right. */
static double error_of(float y, double exact) {
    if (exact != exact || y != y) return (exact != exact) == (y != y) ? 0 : INFINITY;
    float nearest = (float)exact;
    if (isinf(nearest) || isinf(y)) {
        if (nearest == y) return 0;
        return isinf(exact) || fabs(exact) < 0x1.fffffcp127 || fabsf(y) < 0x1.fffffcp127f ? INFINITY : 1; /* at the edge */
    }
    return fabs((double)y - exact) / ulp_of(exact);
}

enum { CHUNK = 4096 };

static double worst_of(const rule *r, const ox_vec *v, uint32_t step, float *at) {
    float x[CHUNK], y[CHUNK];
    double worst = 0;
    uint64_t b = 0;
    while (b <= UINT32_MAX) {
        int n = 0;
        for (; n < CHUNK && b <= UINT32_MAX; b += step) x[n++] = of_bits((uint32_t)b);
        v->fn[r->fn](y, x, n, r->fn == OX_FN_CLIP ? bounds : params);
        for (int i = 0; i < n; i++) {
            double exact = r->exact((double)x[i]), e = error_of(y[i], exact);
            if (isinf(x[i]) && isnan(y[i]) && r->range > 0) continue; /* infinity times 0 */
            if (r->range > 0 && fabs((double)y[i] - exact) <= r->absolute * fmax(fabs((double)x[i]), 0x1p-100)) continue;
            if (e > worst) {
                worst = e;
                *at = x[i];
            }
        }
    }
    return worst;
}

static void errors_are_small(void **state) {
    (void)state;
    const char *wish = getenv("ULP_STEP");
    uint32_t step = wish ? (uint32_t)atoi(wish) : 4099;
    for (int isa = 0; isa < OX_ISA_COUNT; isa++) {
        const ox_vec *v = ox_vec_table_of((ox_isa)isa);
        for (size_t i = 0; v && i < sizeof rules / sizeof rules[0]; i++) {
            float at = 0;
            double worst = worst_of(&rules[i], v, step ? step : 1, &at);
            if (wish) print_message("set %d %-16s %6.3f ulp at %a\n", isa, rules[i].name, worst, (double)at);
            if (!wish && worst > rules[i].ulp) fail_msg("set %d, %s: %g ulp at %a", isa, rules[i].name, worst, (double)at);
        }
    }
}

/* ---- special values: the same bits, or NaN for NaN */

static void special_values(void **state) {
    (void)state;
    static const struct { ox_fn fn; float x, y; } cases[] = {
        {OX_FN_EXP, 0, 1}, {OX_FN_EXP, -INFINITY, 0}, {OX_FN_EXP, INFINITY, INFINITY}, {OX_FN_EXP, 89, INFINITY}, {OX_FN_EXP, -104, 0},
        {OX_FN_LOG, 0, -INFINITY}, {OX_FN_LOG, -0.0f, -INFINITY}, {OX_FN_LOG, -1, NAN}, {OX_FN_LOG, INFINITY, INFINITY}, {OX_FN_LOG, 1, 0},
        {OX_FN_TANH, -0.0f, -0.0f}, {OX_FN_TANH, INFINITY, 1}, {OX_FN_TANH, -INFINITY, -1},
        {OX_FN_SIGMOID, INFINITY, 1}, {OX_FN_SIGMOID, -INFINITY, 0}, {OX_FN_SIGMOID, 0, 0.5f},
        {OX_FN_ERF, -0.0f, -0.0f}, {OX_FN_ERF, INFINITY, 1}, {OX_FN_ERF, -INFINITY, -1},
        {OX_FN_SIN, -0.0f, -0.0f}, {OX_FN_SIN, INFINITY, NAN}, {OX_FN_COS, -0.0f, 1}, {OX_FN_COS, -INFINITY, NAN},
        {OX_FN_SQRT, -0.0f, -0.0f}, {OX_FN_SQRT, -1, NAN}, {OX_FN_RECIPROCAL, -0.0f, -INFINITY},
        {OX_FN_FLOOR, -0.0f, -0.0f}, {OX_FN_CEIL, -0.5f, -0.0f}, {OX_FN_ROUND, -0.5f, -0.0f}, {OX_FN_ROUND, 2.5f, 2},
        {OX_FN_RELU, -0.0f, -0.0f}, {OX_FN_SIGN, -0.0f, -0.0f}, {OX_FN_CLIP, -1, 0.75f}, {OX_FN_SELU, -0.0f, -0.0f}, {OX_FN_ELU, -INFINITY, -1.5f},
        {OX_FN_SOFTPLUS, INFINITY, INFINITY}, {OX_FN_SOFTPLUS, -INFINITY, 0}, {OX_FN_MISH, INFINITY, INFINITY}, {OX_FN_GELU, INFINITY, INFINITY},
        {OX_FN_SWISH, INFINITY, INFINITY}, {OX_FN_GELU_TANH, INFINITY, INFINITY},
    };
    for (int isa = 0; isa < OX_ISA_COUNT; isa++) {
        const ox_vec *v = ox_vec_table_of((ox_isa)isa);
        for (size_t i = 0; v && i < sizeof cases / sizeof cases[0]; i++) {
            float x[40], y[40];
            for (int k = 0; k < 40; k++) x[k] = cases[i].x;
            v->fn[cases[i].fn](y, x, 39, params);
            for (int k = 0; k < 39; k++) {
                bool same = cases[i].y != cases[i].y ? y[k] != y[k] : bits_of(y[k]) == bits_of(cases[i].y);
                if (!same) fail_msg("set %d, function %d of %g: %g", isa, (int)cases[i].fn, (double)x[0], (double)y[k]);
            }
        }
        for (int fn = 0; v && fn < OX_FN_COUNT; fn++) { /* NaN passes everywhere */
            float x[3] = {NAN, of_bits(0xffc00001), of_bits(0x7fc12345)}, y[3];
            v->fn[fn](y, x, 3, params);
            for (int k = 0; k < 3; k++) assert_true(y[k] != y[k]);
        }
    }
}

/* ---- lengths: an element has the same result wherever it stands, and nothing behind the end is written */

static float noise(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(int32_t)*seed * 0x1p-29f;
}

static void every_length(void **state) {
    (void)state;
    float x[71], whole[71], y[72];
    uint32_t seed = 1;
    for (int i = 0; i < 71; i++) x[i] = noise(&seed) * (i % 13 == 7 ? 1e9f : 1);
    for (int isa = 0; isa < OX_ISA_COUNT; isa++) {
        const ox_vec *v = ox_vec_table_of((ox_isa)isa);
        for (int fn = 0; v && fn < OX_FN_COUNT; fn++) {
            for (int i = 0; i < 71; i++) v->fn[fn](whole + i, x + i, 1, params);
            for (int n = 0; n <= 70; n++) {
                for (int i = 0; i < 72; i++) y[i] = 77;
                v->fn[fn](y, x, n, params);
                assert_memory_equal(y, whole, (size_t)n * 4);
                for (int i = n; i < 72; i++) assert_true(y[i] == 77);
                memcpy(y, x, (size_t)n * 4);
                v->fn[fn](y, y, n, params);
                assert_memory_equal(y, whole, (size_t)n * 4);
            }
        }
    }
}

static void scales_and_shifts(void **state) {
    (void)state;
    float x[70], y[71], c[70], a[70], b[70];
    uint32_t seed = 9;
    for (int i = 0; i < 70; i++) {
        x[i] = noise(&seed);
        c[i] = noise(&seed);
        a[i] = noise(&seed);
        b[i] = noise(&seed);
    }
    for (int isa = 0; isa < OX_ISA_COUNT; isa++) {
        const ox_vec *v = ox_vec_table_of((ox_isa)isa);
        for (int n = 0; v && n <= 70; n++) {
            for (int how = 0; how < 3; how++) {
                y[n] = 77;
                if (how == 0) v->scale_shift(y, x, n, 1.25f, 0.3f);
                if (how == 1) v->center_scale(y, x, n, 0.5f, 1.25f, 0.3f);
                if (how == 2) v->center_scale_each(y, x, n, c, a, b);
                for (int i = 0; i < n; i++) {
                    double center = how == 0 ? 0 : how == 1 ? 0.5 : (double)c[i];
                    double want = how < 2 ? ((double)x[i] - center) * 1.25 + (double)0.3f : ((double)x[i] - center) * (double)a[i] + (double)b[i];
                    assert_true(fabs((double)y[i] - want) < 4e-6);
                }
                assert_true(y[n] == 77);
            }
        }
    }
}

/* ---- two inputs */

static double d_pair(ox_fn2 fn, double a, double b) {
    switch (fn) {
    case OX_FN2_ADD: return a + b;
    case OX_FN2_SUB: return a - b;
    case OX_FN2_MUL: return a * b;
    case OX_FN2_DIV: return a / b;
    case OX_FN2_MIN: return a < b || a != a ? a : b;
    case OX_FN2_MAX: return a > b || a != a ? a : b;
    case OX_FN2_PRELU: return a < 0 ? a * b : a;
    case OX_FN2_POW: return pow(a, b);
    default: return 0;
    }
}

static const float edges[] = {0, -0.0f, 1, -1, 2, -2, 3, -3, 0.5f, -0.5f, 1.5f, -2.5f, 1e-40f, -1e-40f, 1e30f, -1e30f, 16777217.0f, 8388607.5f,
                              INFINITY, -INFINITY, NAN, 0.99999f, 1.00001f, 127.3f, -149.5f};
enum { N_EDGES = sizeof edges / sizeof edges[0], N_PAIRS = N_EDGES * N_EDGES + 20000 };

static void pairs(void **state) {
    (void)state;
    float *a = malloc(3 * N_PAIRS * sizeof *a), *b = a + N_PAIRS, *y = b + N_PAIRS, one;
    uint32_t seed = 3;
    assert_non_null(a);
    for (int i = 0; i < N_PAIRS; i++) {
        bool edge = i < N_EDGES * N_EDGES;
        a[i] = edge ? edges[i / N_EDGES] : expf(noise(&seed) * 5) * (i % 7 ? 1 : -1);
        b[i] = edge ? edges[i % N_EDGES] : i % 3 ? noise(&seed) * 8 : rintf(noise(&seed) * 3);
    }
    for (int isa = 0; isa < OX_ISA_COUNT; isa++) {
        const ox_vec *v = ox_vec_table_of((ox_isa)isa);
        for (int fn = 0; v && fn < OX_FN2_COUNT; fn++) {
            v->fn2[fn][OX_VV](y, a, b, N_PAIRS);
            for (int i = 0; i < N_PAIRS; i++) {
                double exact = d_pair((ox_fn2)fn, (double)a[i], (double)b[i]), e = error_of(y[i], exact);
                if (e > 0.6 || (y[i] == 0 && exact == 0 && !signbit(y[i]) != !signbit(exact)))
                    fail_msg("set %d, function %d of %a and %a: %a, not %a", isa, fn, (double)a[i], (double)b[i], (double)y[i], exact);
                if (i % 97) continue;
                v->fn2[fn][OX_VS](&one, &a[i], &b[i], 1);
                assert_true(bits_of(one) == bits_of(y[i]) || one != one);
                v->fn2[fn][OX_SV](&one, &a[i], &b[i], 1);
                assert_true(bits_of(one) == bits_of(y[i]) || one != one);
            }
            for (int n = 0; n < 70; n++) {
                float to[71], s = 1.75f;
                for (int form = 0; form < OX_FORM_COUNT; form++) {
                    const float *x = form == OX_SV ? &s : a + 1000, *z = form == OX_VS ? &s : b + 1000;
                    to[n] = 77;
                    v->fn2[fn][form](to, x, z, n);
                    assert_true(to[n] == 77);
                    for (int i = 0; i < n; i++) {
                        double want = d_pair((ox_fn2)fn, (double)x[form == OX_SV ? 0 : i], (double)z[form == OX_VS ? 0 : i]);
                        assert_true(error_of(to[i], want) <= 0.6);
                    }
                }
            }
        }
    }
    free(a);
}

/* ---- half precision and bfloat16 */

static uint16_t half_of(double v) { /* by looking for the nearest */
    uint16_t sign = signbit(v) ? 0x8000 : 0;
    double a = fabs(v);
    if (v != v) return (uint16_t)(sign | 0x7e00);
    if (a >= 65520) return (uint16_t)(sign | 0x7c00);
    int e;
    frexp(a, &e);
    double unit = ldexp(1, e - 11 < -24 ? -24 : e - 11), q = rint(a / unit);
    double r = q * unit;
    if (r == 0) return sign;
    frexp(r, &e);
    if (e - 11 < -24) return (uint16_t)(sign | (uint16_t)(r / 0x1p-24));
    return (uint16_t)(sign | (uint16_t)((e + 14) << 10) | ((uint16_t)ldexp(r, 11 - e) & 0x3ff));
}

static void narrow_floats(void **state) {
    (void)state;
    static uint16_t codes[65536], back[65536];
    static float wide[65536];
    for (int i = 0; i < 65536; i++) codes[i] = (uint16_t)i;
    for (int isa = 0; isa < OX_ISA_COUNT; isa++) {
        const ox_vec *v = ox_vec_table_of((ox_isa)isa);
        if (!v) continue;
        v->from_half(wide, codes, 65536);
        v->to_half(back, wide, 65536);
        for (int i = 0; i < 65536; i++) {
            bool nan = (i & 0x7fff) > 0x7c00;
            assert_int_equal(wide[i] != wide[i], nan);
            assert_int_equal(back[i], nan ? i | 0x200 : i);
            if (!nan && (i & 0x7fff) < 0x7c00) assert_int_equal(half_of((double)wide[i]), i);
        }
        v->from_bfloat16(wide, codes, 65536);
        v->to_bfloat16(back, wide, 65536);
        for (int i = 0; i < 65536; i++) {
            assert_true(bits_of(wide[i]) == (uint32_t)i << 16);
            assert_int_equal(back[i], wide[i] != wide[i] ? i | 0x40 : i);
        }
        for (uint64_t b = 0; b < UINT32_MAX; b += 65536 * 97) { /* rounding */
            int n = 0;
            for (uint64_t k = b; n < 65536 && k <= UINT32_MAX; k += 97) wide[n++] = of_bits((uint32_t)k);
            v->to_half(back, wide, n);
            for (int i = 0; i < n; i += 7) {
                uint16_t want = half_of((double)wide[i]);
                if (wide[i] == wide[i] && back[i] != want) fail_msg("set %d: half of %a is %x, not %x", isa, (double)wide[i], back[i], want);
                if (wide[i] != wide[i]) assert_true((back[i] & 0x7fff) > 0x7c00);
            }
            v->to_bfloat16(back, wide, n);
            for (int i = 0; i < n; i++) {
                uint32_t x = bits_of(wide[i]), down = x >> 16, rest = x & 0xffff;
                if (wide[i] != wide[i]) continue;
                assert_int_equal(back[i], rest > 0x8000 || (rest == 0x8000 && (down & 1)) ? down + 1 : down);
            }
        }
        for (int n = 0; n < 40; n++) {
            back[n] = 7;
            v->to_half(back, wide, n);
            assert_int_equal(back[n], 7);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_small), cmocka_unit_test(special_values), cmocka_unit_test(every_length),
        cmocka_unit_test(scales_and_shifts), cmocka_unit_test(pairs),         cmocka_unit_test(narrow_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
