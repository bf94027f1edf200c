/* Element-wise functions of one input. */
#include "op/vector.h"

#include <tgmath.h>

/* ---- shape data: what small integers become */

typedef ox_dim (*elem_fn)(ox_ctx *ctx, ox_dim x);

static void map_elems(ox_call *c, elem_fn fn) {
    int64_t n;
    const ox_dim *in = ox_in_elems(c, 0, &n);
    if (!in) return;
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, n + 1);
    for (int64_t i = 0; i < n; i++) out[i] = in[i] ? fn(c->ctx, in[i]) : NULL;
    ox_out_elems(c, 0, n, out);
}

static ox_dim elem_same(ox_ctx *ctx, ox_dim x) {
    (void)ctx;
    return x;
}

static ox_dim elem_neg(ox_ctx *ctx, ox_dim x) { return ox_dim_sub(ctx, ox_dim_const(ctx, 0), x); }

static ox_dim elem_abs(ox_ctx *ctx, ox_dim x) {
    int64_t lo, hi;
    if (ox_dim_nonneg(x)) return x;
    return ox_dim_range(x, &lo, &hi) && hi <= 0 ? elem_neg(ctx, x) : NULL;
}

static ox_dim elem_sign(ox_ctx *ctx, ox_dim x) {
    int64_t lo, hi;
    if (!ox_dim_range(x, &lo, &hi)) return NULL;
    return lo > 0 ? ox_dim_const(ctx, 1) : hi < 0 ? ox_dim_const(ctx, -1) : lo == 0 && hi == 0 ? x : NULL;
}

static ox_dim elem_not(ox_ctx *ctx, ox_dim x) {
    int64_t v;
    return ox_dim_is_const(x, &v) ? ox_dim_const(ctx, !v) : NULL;
}

#define INFER(name)                                                                                                    \
    static int infer_##name(ox_call *c) {                                                                              \
        map_elems(c, elem_##name);                                                                                     \
        return ox_infer_same(c);                                                                                       \
    }
INFER(same)
INFER(neg)
INFER(abs)
INFER(sign)
INFER(not )

/* ---- kernels */

/* Signed integers are negated as unsigned ones: the least number stays itself, as everywhere else. */
#define ABS_SIGNED(T, C)    OX_LOOP1(abs, T, C, x < 0 ? (C)(0 - (uint64_t)x) : x)
#define ABS_UNSIGNED(T, C)  OX_LOOP1(abs, T, C, x)
#define ABS_REAL(T, C)      OX_LOOP1(abs, T, C, fabs(x))
#define NEG_SIGNED(T, C)    OX_LOOP1(neg, T, C, (C)(0 - (uint64_t)x))
#define NEG_REAL(T, C)      OX_LOOP1(neg, T, C, -x)
#define SIGN_INT(T, C)      OX_LOOP1(sign, T, C, (x > 0) - (x < 0))
#define SIGN_UNSIGNED(T, C) OX_LOOP1(sign, T, C, x > 0)
#define SIGN_REAL(T, C)     OX_LOOP1(sign, T, C, x > 0 ? 1 : x < 0 ? -1 : x)
#define NOT_INT(T, C)       OX_LOOP1(bitnot, T, C, ~x)
OX_EACH_SIGNED(ABS_SIGNED)
OX_EACH_UNSIGNED(ABS_UNSIGNED)
ABS_REAL(DOUBLE, double)
OX_EACH_SIGNED(NEG_SIGNED)
NEG_REAL(DOUBLE, double)
OX_EACH_SIGNED(SIGN_INT)
OX_EACH_UNSIGNED(SIGN_UNSIGNED)
SIGN_REAL(DOUBLE, double)
OX_EACH_INT(NOT_INT)
OX_LOOP1(logic, not, uint8_t, !x)

#define ENTRY_ABS(T, C)  [OX_##T] = abs_##T,
#define ENTRY_NEG(T, C)  [OX_##T] = neg_##T,
#define ENTRY_SIGN(T, C) [OX_##T] = sign_##T,
#define ENTRY_NOT(T, C)  [OX_##T] = bitnot_##T,
static const ox_chunk_fns abs_fns = {OX_EACH_INT(ENTRY_ABS) ENTRY_ABS(DOUBLE, double)};
static const ox_chunk_fns neg_fns = {OX_EACH_SIGNED(ENTRY_NEG) ENTRY_NEG(DOUBLE, double)};
static const ox_chunk_fns sign_fns = {OX_EACH_INT(ENTRY_SIGN) ENTRY_SIGN(DOUBLE, double)};
static const ox_chunk_fns bitnot_fns = {OX_EACH_INT(ENTRY_NOT)};
static const ox_chunk_fns not_fns = {[OX_BOOL] = logic_not};

static int run_abs(ox_run *r) { return ox_vec_unary(r, OX_FN_ABS, NULL, abs_fns, NULL); }
static int run_neg(ox_run *r) { return ox_vec_unary(r, OX_FN_NEG, NULL, neg_fns, NULL); }
static int run_sign(ox_run *r) { return ox_vec_unary(r, OX_FN_SIGN, NULL, sign_fns, NULL); }
static int run_bitnot(ox_run *r) { return ox_run_unary(r, bitnot_fns, OX_UNDEFINED, NULL); }
static int run_not(ox_run *r) { return ox_run_unary(r, not_fns, OX_UNDEFINED, NULL); }

/* A function of the reals: both types and the kernel. */
#define REAL(name, ...)                                                                                                \
    OX_LOOP1(name, FLOAT, float, __VA_ARGS__)                                                                          \
    OX_LOOP1(name, DOUBLE, double, __VA_ARGS__)                                                                        \
    static int run_##name(ox_run *r) {                                                                                 \
        static const ox_chunk_fns fns = {[OX_FLOAT] = name##_FLOAT, [OX_DOUBLE] = name##_DOUBLE};                      \
        return ox_run_unary(r, fns, OX_UNDEFINED, NULL);                                                               \
    }
/* The same with vectors for float. */
#define VECTOR(name, FN, ...)                                                                                          \
    OX_LOOP1(name, DOUBLE, double, __VA_ARGS__)                                                                        \
    static int run_##name(ox_run *r) {                                                                                 \
        static const ox_chunk_fns fns = {[OX_DOUBLE] = name##_DOUBLE};                                                 \
        return ox_vec_unary(r, OX_FN_##FN, NULL, fns, NULL);                                                           \
    }
VECTOR(reciprocal, RECIPROCAL, 1 / x)
VECTOR(sqrt, SQRT, sqrt(x))
VECTOR(exp, EXP, exp(x))
VECTOR(log, LOG, log(x))
VECTOR(erf, ERF, erf(x))
VECTOR(ceil, CEIL, ceil(x))
VECTOR(floor, FLOOR, floor(x))
VECTOR(round, ROUND, rint(x))
VECTOR(sin, SIN, sin(x))
VECTOR(cos, COS, cos(x))
REAL(tan, tan(x))

/* Of floats without branches, so that loops become vectors; 2.5 units of the last place. Arcs: the tangent brought below tan(pi / 8), the sine
 * below a half; then a polynomial of the square. */
static inline float fast_atan(float x) {
    float t = fabsf(x);
    float above = t > 2.4142135f ? -1 : t > 0.41421357f ? t - 1 : t, below = t > 2.4142135f ? t : t > 0.41421357f ? t + 1 : 1;
    float base = t > 2.4142135f ? 1.57079633f : t > 0.41421357f ? 0.785398163f : 0, q = above / below, z = q * q;
    float p = (((-0.0645192816f * z + 0.107437315f) * z - 0.142639556f) * z + 0.199995405f) * z - 0.333333318f;
    return copysignf(base + (p * z * q + q), x);
}
/* The arc of r = |x| where that is small, else of its half. */
static inline float small_asin(float x) {
    float t = fabsf(x), r = t > 0.5f ? sqrtf((1 - t) * 0.5f) : t, z = r * r;
    float p = ((((0.0336908487f * z + 0.0171492372f) * z + 0.031100663f) * z + 0.0445994015f) * z + 0.0750009454f) * z + 0.166666663f;
    return p * z * r + r;
}
static inline float fast_asin(float x) {
    float y = small_asin(x);
    return copysignf(fabsf(x) > 0.5f ? 1.57079633f - 2 * y : y, x);
}
static inline float fast_acos(float x) {
    float y = small_asin(x), far = x < 0 ? 3.14159265f - 2 * y : 2 * y;
    return fabsf(x) > 0.5f ? far : 1.57079633f - copysignf(y, x);
}
#define ARC(name)                                                                                                      \
    OX_LOOP1(name, FLOAT, float, fast_##name(x))                                                                       \
    OX_LOOP1(name, DOUBLE, double, name(x))                                                                            \
    static int run_##name(ox_run *r) {                                                                                 \
        static const ox_chunk_fns fns = {[OX_FLOAT] = name##_FLOAT, [OX_DOUBLE] = name##_DOUBLE};                      \
        return ox_run_unary(r, fns, OX_UNDEFINED, NULL);                                                               \
    }
ARC(asin)
ARC(acos)
ARC(atan)
REAL(sinh, sinh(x))
REAL(cosh, cosh(x))
VECTOR(tanh, TANH, tanh(x))
REAL(asinh, asinh(x))
REAL(acosh, acosh(x))
REAL(atanh, atanh(x))

#define IS_INF(T, C)                                                                                                   \
    OX_LOOP1_TO(isinf, T, C, uint8_t, (x == (C)INFINITY) | (x == -(C)INFINITY))                                        \
    OX_LOOP1_TO(is_positive_inf, T, C, uint8_t, x == (C)INFINITY)                                                      \
    OX_LOOP1_TO(is_negative_inf, T, C, uint8_t, x == -(C)INFINITY)                                                     \
    OX_LOOP1_TO(is_no_inf, T, C, uint8_t, (void)x, 0)
#define IS_NAN(T, C) OX_LOOP1_TO(isnan, T, C, uint8_t, x != x)
OX_EACH_REAL(IS_INF)
OX_EACH_REAL(IS_NAN)

static int run_isnan(ox_run *r) {
    static const ox_chunk_fns fns = {[OX_FLOAT] = isnan_FLOAT, [OX_DOUBLE] = isnan_DOUBLE};
    return ox_run_unary(r, fns, OX_BOOL, NULL);
}

static int run_isinf(ox_run *r) {
#define WHICH(name) {[OX_FLOAT] = name##_FLOAT, [OX_DOUBLE] = name##_DOUBLE}
    static const ox_chunk_fns fns[4] = {WHICH(is_no_inf), WHICH(is_negative_inf), WHICH(is_positive_inf), WHICH(isinf)};
    bool negative = ox_get_int(r->call, "detect_negative") != 0, positive = ox_get_int(r->call, "detect_positive") != 0;
    return ox_run_unary(r, fns[negative + 2 * positive], OX_BOOL, NULL);
}

/* Values of every kind pass as they are. */
static int run_identity(ox_run *r) {
    ox_rt *v = r->call->n_in > 0 ? r->in[0] : NULL;
    return ox_output_rt(r, 0, v ? ox_rt_ref(v) : ox_rt_none(r->ctx));
}

OX_FAMILY(unary, "",
    OP("Abs", 13,
       "(T X) => (T Y) T: numbers|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE | OX_IDEMPOTENT,
       .infer = infer_abs, .kernel = run_abs),
    OP("Abs", 6,
       "(T X) => (T Y) T: numbers"),
    OP("Abs", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Neg", 13,
       "(T X) => (T Y) T: floats|bfloat16|int16|int32|int64|int8",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = infer_neg, .kernel = run_neg),
    OP("Neg", 6,
       "(T X) => (T Y) T: floats|int16|int32|int64|int8"),
    OP("Neg", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Sign", 13,
       "(T input) => (T output) T: numbers|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE | OX_IDEMPOTENT,
       .infer = infer_sign, .kernel = run_sign),
    OP("Sign", 9,
       "(T input) => (T output) T: numbers"),
    OP("Reciprocal", 13,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_reciprocal),
    OP("Reciprocal", 6,
       "(T X) => (T Y) T: floats"),
    OP("Reciprocal", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Sqrt", 13,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_sqrt),
    OP("Sqrt", 6,
       "(T X) => (T Y) T: floats"),
    OP("Sqrt", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Exp", 13,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_exp),
    OP("Exp", 6,
       "(T input) => (T output) T: floats"),
    OP("Exp", 1,
       "<consumed_inputs: ints?>(T input) => (T output) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Log", 13,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_log),
    OP("Log", 6,
       "(T input) => (T output) T: floats"),
    OP("Log", 1,
       "<consumed_inputs: ints?>(T input) => (T output) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Erf", 13,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_erf),
    OP("Erf", 9,
       "(T input) => (T output) T: numbers"),
    OP("Ceil", 13,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE | OX_IDEMPOTENT,
       .infer = infer_same, .kernel = run_ceil),
    OP("Ceil", 6,
       "(T X) => (T Y) T: floats"),
    OP("Ceil", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Floor", 13,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE | OX_IDEMPOTENT,
       .infer = infer_same, .kernel = run_floor),
    OP("Floor", 6,
       "(T X) => (T Y) T: floats"),
    OP("Floor", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Round", 22,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE | OX_IDEMPOTENT,
       .infer = infer_same, .kernel = run_round),
    OP("Round", 11,
       "(T X) => (T Y) T: floats"),
    OP("Sin", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_sin),
    OP("Sin", 7,
       "(T input) => (T output) T: floats"),
    OP("Cos", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_cos),
    OP("Cos", 7,
       "(T input) => (T output) T: floats"),
    OP("Tan", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_tan),
    OP("Tan", 7,
       "(T input) => (T output) T: floats"),
    OP("Asin", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_asin),
    OP("Asin", 7,
       "(T input) => (T output) T: floats"),
    OP("Acos", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_acos),
    OP("Acos", 7,
       "(T input) => (T output) T: floats"),
    OP("Atan", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_atan),
    OP("Atan", 7,
       "(T input) => (T output) T: floats"),
    OP("Sinh", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_sinh),
    OP("Sinh", 9,
       "(T input) => (T output) T: floats"),
    OP("Cosh", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_cosh),
    OP("Cosh", 9,
       "(T input) => (T output) T: floats"),
    OP("Tanh", 13,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_tanh),
    OP("Tanh", 6,
       "(T input) => (T output) T: floats"),
    OP("Tanh", 1,
       "<consumed_inputs: ints?>(T input) => (T output) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Asinh", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_asinh),
    OP("Asinh", 9,
       "(T input) => (T output) T: floats"),
    OP("Acosh", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_acosh),
    OP("Acosh", 9,
       "(T input) => (T output) T: floats"),
    OP("Atanh", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_atanh),
    OP("Atanh", 9,
       "(T input) => (T output) T: floats"),
    OP("Not", 1,
       "(T X) => (T Y) T: bool",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = infer_not, .kernel = run_not),
    OP("BitwiseNot", 18,
       "(T X) => (T Y) T: ints",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_bitnot),
    OP("IsNaN", 20,
       "(T1 X) => (T2 Y) T1: floats|fp8|bfloat16, T2: bool",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_compare, .kernel = run_isnan),
    OP("IsNaN", 13,
       "(T1 X) => (T2 Y) T1: floats|bfloat16, T2: bool"),
    OP("IsNaN", 9,
       "(T1 X) => (T2 Y) T1: floats, T2: bool"),
    OP("IsInf", 20,
       "<detect_negative: int = 1, detect_positive: int = 1>(T1 X) => (T2 Y) T1: floats|fp8|bfloat16, "
       "T2: bool",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_compare, .kernel = run_isinf),
    OP("IsInf", 10,
       "<detect_negative: int = 1, detect_positive: int = 1>(T1 X) => (T2 Y) T1: double|float, T2: bool"),
    OP("Identity", 25,
       "(V input) => (V output) V: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0|"
       "optional(seq(any))|optional(any)|seq(any)",
       .flags = OX_IDEMPOTENT | OX_MOVES_DATA,
       .infer = infer_same, .kernel = run_identity),
    OP("Identity", 24,
       "(V input) => (V output) V: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0|optional(seq(any))|"
       "optional(any)|seq(any)"),
    OP("Identity", 23,
       "(V input) => (V output) V: any|fp8|int4s|bfloat16|float4e2m1|optional(seq(any))|optional(any)|"
       "seq(any)"),
    OP("Identity", 21,
       "(V input) => (V output) V: any|fp8|int4s|bfloat16|optional(seq(any))|optional(any)|seq(any)"),
    OP("Identity", 19,
       "(V input) => (V output) V: any|fp8|bfloat16|optional(seq(any))|optional(any)|seq(any)"),
    OP("Identity", 16,
       "(V input) => (V output) V: any|bfloat16|optional(seq(any))|optional(any)|seq(any)"),
    OP("Identity", 14,
       "(V input) => (V output) V: any|bfloat16|seq(any)"),
    OP("Identity", 13,
       "(T input) => (T output) T: any|bfloat16"),
    OP("Identity", 1,
       "(T input) => (T output) T: any"));
