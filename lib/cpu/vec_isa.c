/* Element-wise functions of floats, and the table of an instruction set. A loop takes whole vectors and then a part of one by the same
 * instructions, so that a result does not depend on where an element stands. */
#include "cpu/vec_math.h"

/* ---- one input */

/* EXPR of x; a and b are the first NP parameters. */
#define FN(name, NP, ...)                                                                                              \
    OX_IN vf name##_of(vf x, vf a, vf b) {                                                                             \
        (void)a;                                                                                                       \
        (void)b;                                                                                                       \
        return __VA_ARGS__;                                                                                            \
    }                                                                                                                  \
    static void name(float *y, const float *x, int64_t n, const float *p) {                                            \
        vf a = vf_set(NP > 0 ? p[0] : 0), b = vf_set(NP > 1 ? p[1] : 0);                                               \
        int64_t i = 0;                                                                                                 \
        for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, name##_of(vf_load(x + i), a, b));                       \
        if (i < n) v_store_n(y + i, name##_of(v_load_n(x + i, n - i), a, b), n - i);                                   \
    }

#define ZERO vf_set(0)
FN(absolute, 0, v_abs(x))
FN(negate, 0, v_neg(x))
FN(sign, 0, v_select(v_lt(ZERO, x), vf_set(1), v_select(v_lt(x, ZERO), vf_set(-1), x)))
FN(square, 0, x * x)
FN(root, 0, v_sqrt(x))
FN(reciprocal, 0, 1.0f / x)
FN(down, 0, v_floor(x))
FN(up, 0, v_ceil(x))
FN(even, 0, v_round(x))
FN(exponential, 0, v_exp(x))
FN(logarithm, 0, v_log(x))
FN(tangent, 0, v_tanh(x))
FN(sigmoid, 0, v_sigmoid(x))
FN(error, 0, v_erf(x))
FN(relu, 0, v_max(ZERO, x))
FN(clip, 2, v_min(b, v_max(a, x)))
FN(leaky_relu, 1, v_select(v_lt(x, ZERO), a * x, x))
FN(elu, 1, v_select(v_lt(x, ZERO), a * v_expm1_within(v_max(vf_set(-80), v_min(ZERO, x))), x))
FN(selu, 2, b * v_select(v_lt(x, ZERO), a * v_expm1_within(v_max(vf_set(-80), v_min(ZERO, x))), x))
FN(celu, 1, v_select(v_lt(x, ZERO), a * v_expm1_within(v_max(vf_set(-80), v_min(vf_set(80), x / a))), x))
FN(hard_sigmoid, 2, v_min(vf_set(1), v_max(ZERO, a * x + b)))
FN(hard_swish, 0, x * v_min(vf_set(1), v_max(ZERO, x *(1 / 6.0f) + 0.5f)))
FN(softplus, 0, v_softplus(x))
FN(softsign, 0, x / (1.0f + v_abs(x)))
FN(swish, 1, x * v_sigmoid(a * x))
FN(mish, 0, v_mish(x))
FN(gelu, 0, 0.5f * x * (1.0f + v_erf(x * 0x1.6a09e6p-1f)))
FN(gelu_tanh, 0, x * v_sigmoid(x * (0x1.988454p+0f + 0x1.2444f2p-4f * (x * x)))) /* (1 + tanh u) / 2 is the sigmoid of 2u */
FN(thresholded_relu, 1, v_select(vm_or(v_lt(a, x), v_nan(x)), x, ZERO))

/* Beyond what can be reduced here the library's function does it, for these elements only. */
#define TRIG(name, quarter, exact)                                                                                     \
    static void name##_far(float *y, vf x, vf near, int64_t n) {                                                       \
        float from[OX_VLEN], to[OX_VLEN];                                                                              \
        vf_store(from, x);                                                                                             \
        vf_store(to, near);                                                                                            \
        for (int64_t i = 0; i < n && i < OX_VLEN; i++) y[i] = fabsf(from[i]) <= V_TRIG_LIMIT ? to[i] : exact(from[i]); \
    }                                                                                                                  \
    OX_IN void name##_part(float *y, const float *x, int64_t n) {                                                      \
        vf v = v_load_any(x, n), near = v_sin_quarter(v, quarter);                                                     \
        if (vm_any(vm_not(v_le(v_abs(v), vf_set(V_TRIG_LIMIT)))))                                                      \
            name##_far(y, v, near, n);                                                                                 \
        else                                                                                                           \
            v_store_any(y, near, n);                                                                                   \
    }                                                                                                                  \
    static void name(float *y, const float *x, int64_t n, const float *p) {                                            \
        (void)p;                                                                                                       \
        for (int64_t i = 0; i < n; i += OX_VLEN) name##_part(y + i, x + i, n - i);                                     \
    }
TRIG(sine, 0, sinf)
TRIG(cosine, 1, cosf)

/* ---- two inputs */

#define FN2(name, ...)                                                                                                 \
    OX_IN vf name##_of(vf a, vf b) { return __VA_ARGS__; }                                                             \
    static void name##_vv(float *y, const float *a, const float *b, int64_t n) {                                       \
        int64_t i = 0;                                                                                                 \
        for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, name##_of(vf_load(a + i), vf_load(b + i)));             \
        if (i < n) v_store_n(y + i, name##_of(v_load_n(a + i, n - i), v_load_n(b + i, n - i)), n - i);                 \
    }                                                                                                                  \
    static void name##_vs(float *y, const float *a, const float *b, int64_t n) {                                       \
        vf s = vf_set(*b);                                                                                             \
        int64_t i = 0;                                                                                                 \
        for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, name##_of(vf_load(a + i), s));                          \
        if (i < n) v_store_n(y + i, name##_of(v_load_n(a + i, n - i), s), n - i);                                      \
    }                                                                                                                  \
    static void name##_sv(float *y, const float *a, const float *b, int64_t n) {                                       \
        vf s = vf_set(*a);                                                                                             \
        int64_t i = 0;                                                                                                 \
        for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, name##_of(s, vf_load(b + i)));                          \
        if (i < n) v_store_n(y + i, name##_of(s, v_load_n(b + i, n - i)), n - i);                                      \
    }
FN2(add, a + b)
FN2(sub, a - b)
FN2(mul, a * b)
FN2(quotient, a / b)
FN2(least, v_select(v_nan(a), a, v_min(a, b)))
FN2(most, v_select(v_nan(a), a, v_max(a, b)))
FN2(prelu, v_select(v_lt(a, ZERO), a * b, a))
FN2(power, v_pow(a, b))

/* ---- a scale and a shift */

static void scale_shift(float *y, const float *x, int64_t n, float scale, float shift) {
    vf a = vf_set(scale), b = vf_set(shift);
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, vf_load(x + i) * a + b);
    if (i < n) v_store_n(y + i, v_load_n(x + i, n - i) * a + b, n - i);
}

static void center_scale(float *y, const float *x, int64_t n, float center, float scale, float shift) {
    vf c = vf_set(center), a = vf_set(scale), b = vf_set(shift);
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, (vf_load(x + i) - c) * a + b);
    if (i < n) v_store_n(y + i, (v_load_n(x + i, n - i) - c) * a + b, n - i);
}

static void center_scale_each(float *y, const float *x, int64_t n, const float *center, const float *scale,
                              const float *shift) {
    for (int64_t i = 0; i < n; i += OX_VLEN) {
        int64_t k = n - i;
        vf v = v_load_any(x + i, k) - v_load_any(center + i, k);
        v_store_any(y + i, v * v_load_any(scale + i, k) + v_load_any(shift + i, k), k);
    }
}

/* ---- the table */

#define FORMS(name) {name##_vv, name##_vs, name##_sv}
extern const ox_vec OX_ISA(ox_vec_table);
const ox_vec OX_ISA(ox_vec_table) = {
    .fn = {[OX_FN_ABS] = absolute, [OX_FN_NEG] = negate, [OX_FN_SIGN] = sign, [OX_FN_SQUARE] = square, [OX_FN_SQRT] = root,
           [OX_FN_RECIPROCAL] = reciprocal, [OX_FN_FLOOR] = down, [OX_FN_CEIL] = up, [OX_FN_ROUND] = even,
           [OX_FN_EXP] = exponential, [OX_FN_LOG] = logarithm, [OX_FN_SIN] = sine, [OX_FN_COS] = cosine, [OX_FN_TANH] = tangent,
           [OX_FN_SIGMOID] = sigmoid, [OX_FN_ERF] = error, [OX_FN_RELU] = relu, [OX_FN_CLIP] = clip,
           [OX_FN_LEAKY_RELU] = leaky_relu, [OX_FN_ELU] = elu, [OX_FN_SELU] = selu, [OX_FN_CELU] = celu,
           [OX_FN_HARD_SIGMOID] = hard_sigmoid, [OX_FN_HARD_SWISH] = hard_swish, [OX_FN_SOFTPLUS] = softplus,
           [OX_FN_SOFTSIGN] = softsign, [OX_FN_SWISH] = swish, [OX_FN_MISH] = mish, [OX_FN_GELU] = gelu,
           [OX_FN_GELU_TANH] = gelu_tanh, [OX_FN_THRESHOLDED_RELU] = thresholded_relu},
    .fn2 = {[OX_FN2_ADD] = FORMS(add), [OX_FN2_SUB] = FORMS(sub), [OX_FN2_MUL] = FORMS(mul), [OX_FN2_DIV] = FORMS(quotient),
            [OX_FN2_MIN] = FORMS(least), [OX_FN2_MAX] = FORMS(most), [OX_FN2_PRELU] = FORMS(prelu), [OX_FN2_POW] = FORMS(power)},
    .scale_shift = scale_shift,
    .center_scale = center_scale,
    .center_scale_each = center_scale_each,
    .softmax = OX_ISA(ox_vec_softmax),
    .log_softmax = OX_ISA(ox_vec_log_softmax),
    .softmax_columns = OX_ISA(ox_vec_softmax_columns),
    .layer_norm = OX_ISA(ox_vec_layer_norm),
    .rms_norm = OX_ISA(ox_vec_rms_norm),
    .moments = OX_ISA(ox_vec_moments),
    .fold = OX_ISA(ox_vec_fold),
    .squares = OX_ISA(ox_vec_squares),
    .fold_columns = OX_ISA(ox_vec_fold_columns),
    .from_half = OX_ISA(ox_vec_from_half),
    .to_half = OX_ISA(ox_vec_to_half),
    .from_bfloat16 = OX_ISA(ox_vec_from_bfloat16),
    .to_bfloat16 = OX_ISA(ox_vec_to_bfloat16),
    .transpose = OX_ISA(ox_vec_transpose),
};
