/* Activation functions, element by element. */
#include "op/vector.h"

#include <tgmath.h>

/* ---- functions of one input and parameters */

typedef struct params {
    float alpha, beta, gamma;
} params;
#define ALPHA ((double)((const params *)p)->alpha)
#define BETA  ((double)((const params *)p)->beta)
#define GAMMA ((double)((const params *)p)->gamma)

static params params_of(const ox_call *c) {
    return (params){(float)ox_get_float(c, "alpha"), (float)ox_get_float(c, "beta"), (float)ox_get_float(c, "gamma")};
}

#define MAX0(x) ((x) < 0 ? 0 : (x)) /* NaN stays */
/* The kernel: vectors for float, with alpha and SECOND as their parameters, and a loop for double. */
#define REAL2(name, FN, SECOND, ...)                                                                                   \
    OX_LOOP1(name, DOUBLE, double, __VA_ARGS__)                                                                        \
    static int run_##name(ox_run *r) {                                                                                 \
        static const ox_chunk_fns fns = {[OX_DOUBLE] = name##_DOUBLE};                                                 \
        params p = params_of(r->call);                                                                                 \
        float two[] = {p.alpha, p.SECOND};                                                                             \
        return ox_vec_unary(r, OX_FN_##FN, two, fns, &p);                                                              \
    }
#define REAL(name, FN, ...) REAL2(name, FN, beta, __VA_ARGS__)

REAL(leaky_relu, LEAKY_RELU, x < 0 ? ALPHA * x : x)
REAL(elu, ELU, x < 0 ? ALPHA * expm1(x) : x)
REAL2(selu, SELU, gamma, x > 0 ? GAMMA * x : GAMMA * (ALPHA * expm1(x)))
REAL(celu, CELU, x > 0 ? x : x < 0 ? ALPHA * expm1(x / ALPHA) : x)
REAL(sigmoid, SIGMOID, 1 / (1 + exp(-x)))
REAL(hard_sigmoid, HARD_SIGMOID, ALPHA * x + BETA < 0 ? 0 : ALPHA * x + BETA > 1 ? 1 : ALPHA * x + BETA)
REAL(hard_swish, HARD_SWISH, x * (x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5))
REAL(swish, SWISH, x / (1 + exp(-(ALPHA * x))))
REAL(softplus, SOFTPLUS, MAX0(x) + log1p(exp(-fabs(x))))
REAL(softsign, SOFTSIGN, x / (1 + fabs(x)))
REAL(thresholded_relu, THRESHOLDED_RELU, x > ALPHA ? x : 0)
REAL(mish, MISH, x * tanh(MAX0(x) + log1p(exp(-fabs(x)))))
REAL(gelu_erf, GELU, 0.5 * x * (1 + erf(x * 0.70710678118654752440)))
REAL(gelu_tanh, GELU_TANH, 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))))

static int infer_gelu(ox_call *c) {
    const char *how = ox_get_string(c, "approximate");
    if (strcmp(how, "none") && strcmp(how, "tanh"))
        return ox_fail(c->ctx, OX_BAD_DATA, "approximate '%s' is neither none nor tanh", how);
    return ox_infer_same(c);
}

static int run_gelu(ox_run *r) {
    return strcmp(ox_get_string(r->call, "approximate"), "tanh") ? run_gelu_erf(r) : run_gelu_tanh(r);
}

/* ---- Relu, Shrink: integers too */

#define RELU(T, C) OX_LOOP1(relu, T, C, x < 0 ? 0 : x) /* NaN passes */
RELU(DOUBLE, double)
OX_EACH_SIGNED(RELU)
#define ENTRY_RELU(T, C) [OX_##T] = relu_##T,
static const ox_chunk_fns relu_fns = {ENTRY_RELU(DOUBLE, double) OX_EACH_SIGNED(ENTRY_RELU)};
static int run_relu(ox_run *r) { return ox_vec_unary(r, OX_FN_RELU, NULL, relu_fns, NULL); }

static int infer_relu(ox_call *c) {
    int64_t n, lo, hi;
    const ox_dim *in = ox_in_elems(c, 0, &n);
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, n + 1);
    for (int64_t i = 0; i < n; i++) {
        if (!ox_dim_range(in[i], &lo, &hi)) continue;
        out[i] = lo >= 0   ? in[i]
                 : hi <= 0 ? ox_dim_const(c->ctx, 0)
                           : ox_dim_max(c->ctx, in[i], ox_dim_const(c->ctx, 0));
    }
    if (in) ox_out_elems(c, 0, n, out);
    return ox_infer_same(c);
}

/* Alpha is the bias, beta the threshold. Integers are computed as double: the bias is a fraction, the result is cut
 * off. */
#define SHRINK(T, C)                                                                                                   \
    OX_LOOP1(shrink, T, C,                                                                                             \
             (double)x<-(double)((const params *)p)->beta ? (C)((double)x + (double)((const params *)p)->alpha)        \
                                                          : (double)x>(double)((const params *)p)                      \
                     ->beta                                                                                            \
                 ? (C)((double)x - (double)((const params *)p)->alpha)                                                 \
                 : 0)
OX_EACH_REAL(SHRINK)
#define SHRINK_INT(T, C)                                                                                               \
    static void shrink_##T(void *out, const void *const *in, int64_t n, const void *user) {                            \
        const params *p = user;                                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            double x = (double)((const C *)in[0])[i];                                                                  \
            double y = x < -(double)p->beta ? x + (double)p->alpha : x > (double)p->beta ? x - (double)p->alpha : 0;   \
            ox_store_int(OX_##T, out, i, (int64_t)y);                                                                  \
        }                                                                                                              \
    }
OX_EACH_INT(SHRINK_INT)
#define ENTRY_SHRINK(T, C) [OX_##T] = shrink_##T,
static const ox_chunk_fns shrink_fns = {OX_EACH_NUMBER(ENTRY_SHRINK)};

static int run_shrink(ox_run *r) {
    params p = {(float)ox_get_float(r->call, "bias"), (float)ox_get_float(r->call, "lambd"), 0};
    return ox_run_unary(r, shrink_fns, OX_UNDEFINED, &p);
}

/* ---- Clip */

typedef struct bounds {
    const void *min, *max;
} bounds; /* one element each, of the type of computation; NULL: none */

/* First the lower, then the upper bound, so that the upper one wins when they cross; NaN passes. */
#define CLIP(T, C)                                                                                                     \
    static void clip_##T(void *out, const void *const *in, int64_t n, const void *user) {                              \
        const bounds *b = user;                                                                                        \
        const C *x = in[0];                                                                                            \
        C *y = out, lo, hi;                                                                                            \
        memcpy(y, x, (size_t)n * sizeof *y);                                                                           \
        if (b->min) {                                                                                                  \
            memcpy(&lo, b->min, sizeof lo);                                                                            \
            for (int64_t i = 0; i < n; i++) y[i] = y[i] < lo ? lo : y[i];                                              \
        }                                                                                                              \
        if (b->max) {                                                                                                  \
            memcpy(&hi, b->max, sizeof hi);                                                                            \
            for (int64_t i = 0; i < n; i++) y[i] = y[i] > hi ? hi : y[i];                                              \
        }                                                                                                              \
    }
OX_EACH_INT(CLIP)
CLIP(DOUBLE, double)
#define ENTRY_CLIP(T, C) [OX_##T] = clip_##T,
static const ox_chunk_fns clip_fns = {OX_EACH_INT(ENTRY_CLIP) ENTRY_CLIP(DOUBLE, double)};

static int infer_clip(ox_call *c) {
    for (int i = 1; i < 3; i++) {
        int64_t n;
        const ox_dim *dims = ox_in_dims(c, i);
        for (int k = 0; dims && k < ox_in_rank(c, i); k++) {
            if (ox_dim_is_const(dims[k], &n) && n != 1)
                return ox_fail(c->ctx, OX_BAD_DATA, "%s is no scalar", i == 1 ? "min" : "max");
        }
    }
    return ox_infer_same(c);
}

/* A bound in the type of computation; lifted ones are float whatever the input is. */
static const void *bound(ox_run *r, int i, ox_dtype as, int64_t *space, int *rc) {
    const ox_tensor *t = ox_input(r, i);
    const void *data = t ? ox_tensor_data(t) : NULL;
    if (!t) return NULL;
    if (!data || t->count != 1) {
        *rc = data ? ox_fail(r->ctx, OX_BAD_DATA, "%s is no scalar", i == 1 ? "min" : "max") : -1;
        return NULL;
    }
    if (ox_dtype_is_float(as))
        ox_store_double(as, space, 0, ox_load_double(t->dtype, data, 0));
    else if (t->dtype == as)
        memcpy(space, data, (size_t)ox_dtype_bits(as) / 8);
    else
        ox_store_int(as, space, 0, ox_load_int(t->dtype, data, 0));
    return space;
}

static int run_clip(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t space[2] = {0};
    int rc = 0;
    ox_dtype as = x ? ox_compute_type(x->dtype) : OX_UNDEFINED;
    bounds b = {bound(r, 1, as, &space[0], &rc), bound(r, 2, as, &space[1], &rc)};
    float both[] = {-INFINITY, INFINITY};
    if (b.min && as == OX_FLOAT) memcpy(&both[0], b.min, sizeof both[0]);
    if (b.max && as == OX_FLOAT) memcpy(&both[1], b.max, sizeof both[1]);
    return rc < 0 ? -1 : ox_vec_unary(r, OX_FN_CLIP, both, clip_fns, &b);
}

static int lift_clip(ox_call *c) {
    static const char *const names[] = {"min", "max"};
    ox_dtype t = ox_dtype_is_float(ox_in_dtype(c, 0)) ? ox_in_dtype(c, 0) : OX_FLOAT;
    for (int i = 0; i < 2; i++) {
        if (ox_has(c, names[i]))
            ox_lift_set_input(c, i + 1, ox_tensor_scalar_double(c->ctx, t, ox_get_float(c, names[i])));
        ox_lift_drop(c, names[i]);
    }
    return 0;
}

/* The defaults have more digits since version 6. */
static int lift_selu(ox_call *c) {
    ox_lift_attr_float(c, "alpha", (float)ox_get_float(c, "alpha"));
    ox_lift_attr_float(c, "gamma", (float)ox_get_float(c, "gamma"));
    return ox_lift_consumed_inputs(c);
}

/* ---- two inputs */

/* A slope of one axis belonged to the channels before broadcasting came: the call says so by an attribute. */
static int lift_prelu(ox_call *c) {
    ox_lift_drop(c, "consumed_inputs");
    ox_lift_attr_int(c, "axis", 1);
    return 0;
}

static int infer_prelu(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    if (ox_has(c, "axis")) return ox_infer_same(c);
    int64_t n, m;
    const ox_dim *x = ox_in_dims(c, 0), *s = ox_in_dims(c, 1);
    for (int k = 1; x && s && k <= ox_in_rank(c, 1); k++) { /* the slope must not make the output larger */
        ox_dim d = s[ox_in_rank(c, 1) - k];
        if (!ox_dim_is_const(d, &n) || n == 1) continue;
        if (k > rank || (ox_dim_is_const(x[rank - k], &m) && m != n))
            return ox_fail(c->ctx, OX_BAD_DATA, "slope does not fit the input");
    }
    return ox_infer_same(c);
}

#define PRELU(T, C)          OX_LOOP2(prelu, T, C, x < 0 ? (C)(x * y) : x)
#define PRELU_SIGNED(T, C)   OX_LOOP2(prelu, T, C, x < 0 ? (C)((uint64_t)x * (uint64_t)y) : x)
#define PRELU_UNSIGNED(T, C) OX_LOOP2(prelu, T, C, (void)y, x)
PRELU(DOUBLE, double)
OX_EACH_SIGNED(PRELU_SIGNED)
OX_EACH_UNSIGNED(PRELU_UNSIGNED)
#define ENTRY_PRELU(T, C) [OX_##T] = prelu_##T,
static const ox_chunk_fns prelu_fns = {OX_EACH_INT(ENTRY_PRELU) ENTRY_PRELU(DOUBLE, double)};

/* Input 0 with input 1 broadcast to it. */
static int run_pair(ox_run *r, const ox_chunk_fns fns, const ox_tensor *a, const ox_tensor *b, const void *user) {
    bool prelu = fns == prelu_fns;
    int rank;
    int64_t *dims;
    const ox_tensor *in[] = {a, b};
    if (a->dtype != b->dtype) return ox_fail(r->ctx, OX_BAD_DATA, "the inputs have different element types");
    ox_dtype as[] = {ox_compute_type(a->dtype), ox_compute_type(a->dtype)};
    bool vector = prelu && as[0] == OX_FLOAT;
    if (!vector && !fns[as[0]]) return ox_kernel_no_type(r, a->dtype);
    if (ox_loop_shape(r, 2, in, &rank, &dims) < 0) return -1;
    ox_tensor *y = ox_output_over(r, 0, ox_same_shape(r, rank, dims), a->dtype, rank, dims);
    if (y && vector) return ox_vec_pair(r, OX_FN2_PRELU, y, a, b);
    return y ? ox_elementwise(r, y, as[0], 2, in, as, fns[as[0]], user) : -1;
}

static int run_prelu(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *slope = ox_input(r, 1);
    if (!x || !slope) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    if (!ox_has(r->call, "axis") || slope->rank != 1 || slope->count == 1 || x->rank < 2)
        return run_pair(r, prelu_fns, x, slope, NULL);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank);
    for (int k = 0; k < x->rank; k++) dims[k] = k == 1 ? slope->count : 1;
    ox_tensor *t = ox_tensor_reshaped(r->ctx, (ox_tensor *)(uintptr_t)slope, slope->dtype, x->rank, dims);
    int rc = t ? run_pair(r, prelu_fns, x, t, NULL) : -1;
    ox_tensor_unref(t);
    return rc;
}

OX_LOOP2(swiglu, DOUBLE, double, x / (1 + exp(-(ALPHA * x))) * y)

static void swiglu_FLOAT(void *out, const void *const *in, int64_t n, const void *user) {
    const ox_vec *v = ox_vec_table();
    v->fn[OX_FN_SWISH](out, in[0], n, &((const params *)user)->alpha);
    v->fn2[OX_FN2_MUL][OX_VV](out, out, in[1], n);
}

static int run_swiglu(ox_run *r) {
    static const ox_chunk_fns fns = {[OX_FLOAT] = swiglu_FLOAT, [OX_DOUBLE] = swiglu_DOUBLE};
    const ox_tensor *a = ox_input(r, 0), *b = ox_input(r, 1);
    params p = params_of(r->call);
    if (!a || !b) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    return run_pair(r, fns, a, b, &p);
}

OX_FAMILY(activation, "",
    OP("Relu", 14,
       "(T X) => (T Y) T: floats|bfloat16|int16|int32|int64|int8",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE | OX_IDEMPOTENT,
       .infer = infer_relu, .kernel = run_relu),
    OP("Relu", 13,
       "(T X) => (T Y) T: floats|bfloat16"),
    OP("Relu", 6,
       "(T X) => (T Y) T: floats"),
    OP("Relu", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("LeakyRelu", 16,
       "<alpha: float = 0.01>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_leaky_relu),
    OP("LeakyRelu", 6,
       "<alpha: float = 0.01>(T X) => (T Y) T: floats"),
    OP("LeakyRelu", 1,
       "<alpha: float = 0.01, consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("PRelu", 16,
       "(T X, T slope) => (T Y) T: floats|bfloat16|int32|int64|uint32|uint64",
       .flags = OX_ELEMENTWISE,
       .infer = infer_prelu, .kernel = run_prelu),
    OP("PRelu", 9,
       "(T X, T slope) => (T Y) T: floats|int32|int64|uint32|uint64"),
    OP("PRelu", 7,
       "(T X, T slope) => (T Y) T: floats"),
    OP("PRelu", 6,
       "(T X, T slope) => (T Y) T: floats",
       .lift = lift_prelu),
    OP("PRelu", 1,
       "<consumed_inputs: ints?>(T X, T slope) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Elu", 22,
       "<alpha: float = 1.0>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_elu),
    OP("Elu", 6,
       "<alpha: float = 1.0>(T X) => (T Y) T: floats"),
    OP("Elu", 1,
       "<alpha: float = 1.0, consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Selu", 22,
       "<alpha: float = 1.6732632, gamma: float = 1.050701>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_selu),
    OP("Selu", 6,
       "<alpha: float = 1.6732632, gamma: float = 1.050701>(T X) => (T Y) T: floats"),
    OP("Selu", 1,
       "<alpha: float = 1.6732, consumed_inputs: ints?, gamma: float = 1.0507>(T X) => (T Y) T: floats",
       .lift = lift_selu),
    OP("Celu", 28,
       "<alpha: float = 1.0>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_celu),
    OP("Celu", 12,
       "<alpha: float = 1.0>(T X) => (T Y) T: float"),
    OP("Sigmoid", 13,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_sigmoid),
    OP("Sigmoid", 6,
       "(T X) => (T Y) T: floats"),
    OP("Sigmoid", 1,
       "<consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("HardSigmoid", 22,
       "<alpha: float = 0.2, beta: float = 0.5>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_hard_sigmoid),
    OP("HardSigmoid", 6,
       "<alpha: float = 0.2, beta: float = 0.5>(T X) => (T Y) T: floats"),
    OP("HardSigmoid", 1,
       "<alpha: float = 0.2, beta: float = 0.5, consumed_inputs: ints?>(T X) => (T Y) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("HardSwish", 22,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_hard_swish),
    OP("HardSwish", 14,
       "(T X) => (T Y) T: floats"),
    OP("Swish", 24,
       "<alpha: float = 1.0>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_swish),
    OP("Mish", 22,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_mish),
    OP("Mish", 18,
       "(T X) => (T Y) T: floats"),
    OP("Gelu", 20,
       "<approximate: string = \"none\">(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = infer_gelu, .kernel = run_gelu),
    OP("Softplus", 22,
       "(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_softplus),
    OP("Softplus", 1,
       "(T X) => (T Y) T: floats"),
    OP("Softsign", 22,
       "(T input) => (T output) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_softsign),
    OP("Softsign", 1,
       "(T input) => (T output) T: floats"),
    OP("ThresholdedRelu", 22,
       "<alpha: float = 1.0>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_thresholded_relu),
    OP("ThresholdedRelu", 10,
       "<alpha: float = 1.0>(T X) => (T Y) T: floats"),
    OP("Shrink", 9,
       "<bias: float = 0.0, lambd: float = 0.5>(T input) => (T output) T: numbers",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_same, .kernel = run_shrink),
    OP("Clip", 13,
       "(T input, T? min, T? max) => (T output) T: numbers|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE | OX_IDEMPOTENT,
       .infer = infer_clip, .kernel = run_clip),
    OP("Clip", 12,
       "(T input, T? min, T? max) => (T output) T: numbers"),
    OP("Clip", 11,
       "(T input, T? min, T? max) => (T output) T: floats"),
    OP("Clip", 6,
       "<max: float = 3.4028235e+38, min: float = -3.4028235e+38>(T input) => (T output) T: floats",
       .lift = lift_clip),
    OP("Clip", 1,
       "<consumed_inputs: ints?, max: float?, min: float?>(T input) => (T output) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("SwiGLU", 28,
       "<alpha: float = 1.0>(T A, T B) => (T Y) T: floats|bfloat16",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = ox_infer_elementwise, .kernel = run_swiglu));
