/* Element-wise functions of two or more inputs that broadcast together. */
#include "op/vector.h"

#include <tgmath.h>

/* ---- shape data */

enum { MAX_OPERANDS = 3 };
typedef ox_dim (*elem_fn)(ox_call *c, const ox_dim *in);

/* Elements of the output from those of the inputs, where these are known; a single element serves every position. */
static void map_elems(ox_call *c, int n_in, elem_fn fn) {
    const ox_dim *in[MAX_OPERANDS], *dims;
    int64_t n[MAX_OPERANDS], count = 1, size, d;
    const ox_type *t = c->n_out ? c->out_types[0] : NULL;
    if (!ox_type_is_tensor(t) || t->rank < 0) return;
    dims = t->dims;
    for (int k = 0; k < t->rank; k++) {
        if (!ox_dim_is_const(dims[k], &d) || !ox_mul_ok(count, d, &count)) return;
    }
    for (int k = 0; k < n_in; k++) {
        in[k] = ox_in_elems(c, k, &n[k]);
        if (!in[k] || (n[k] != 1 && n[k] != count)) return;
    }
    size = count <= OX_ELEMS_MAX ? count : 0;
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, size + 1), args[MAX_OPERANDS];
    for (int64_t i = 0; i < size; i++) {
        for (int k = 0; k < n_in; k++) args[k] = in[k][n[k] == 1 ? 0 : i];
        out[i] = fn(c, args);
    }
    if (size == count) ox_out_elems(c, 0, count, out);
}

/* An unsigned number stands for the expression only when that cannot be negative. */
static ox_dim of_type(ox_call *c, ox_dim d) {
    ox_dtype t = ox_in_dtype(c, 0);
    return ox_dtype_is_signed(t) || ox_dim_nonneg(d) ? d : NULL;
}

static ox_dim elem_add(ox_call *c, const ox_dim *in) { return of_type(c, ox_dim_add(c->ctx, in[0], in[1])); }
static ox_dim elem_sub(ox_call *c, const ox_dim *in) { return of_type(c, ox_dim_sub(c->ctx, in[0], in[1])); }
static ox_dim elem_mul(ox_call *c, const ox_dim *in) { return of_type(c, ox_dim_mul(c->ctx, in[0], in[1])); }
static ox_dim elem_min(ox_call *c, const ox_dim *in) { return ox_dim_min(c->ctx, in[0], in[1]); }
static ox_dim elem_max(ox_call *c, const ox_dim *in) { return ox_dim_max(c->ctx, in[0], in[1]); }

/* Division cuts off towards zero, which is rounding down where nothing is negative. */
static ox_dim elem_div(ox_call *c, const ox_dim *in) {
    if (!ox_dim_positive(in[1])) return NULL;
    ox_dim exact = ox_dim_exact_div(c->ctx, in[0], in[1]);
    return exact ? exact : ox_dim_nonneg(in[0]) ? ox_dim_floordiv(c->ctx, in[0], in[1]) : NULL;
}

static ox_dim elem_mod(ox_call *c, const ox_dim *in) {
    if (!ox_dim_positive(in[1]) || (ox_get_int(c, "fmod") && !ox_dim_nonneg(in[0]))) return NULL;
    return ox_dim_mod(c->ctx, in[0], in[1]);
}

static ox_dim truth(ox_call *c, bool v) { return ox_dim_const(c->ctx, v); }

static ox_dim elem_equal(ox_call *c, const ox_dim *in) {
    int64_t lo, hi;
    if (!in[0] || !in[1]) return NULL;
    if (in[0] == in[1]) return truth(c, true);
    return ox_dim_range(ox_dim_sub(c->ctx, in[0], in[1]), &lo, &hi) && (lo > 0 || hi < 0) ? truth(c, false) : NULL;
}

static ox_dim proved_less(ox_call *c, ox_dim a, ox_dim b) {
    int64_t lo, hi;
    if (!ox_dim_range(ox_dim_sub(c->ctx, b, a), &lo, &hi)) return NULL;
    return lo > 0 ? truth(c, true) : hi <= 0 ? truth(c, false) : NULL;
}

static ox_dim not(ox_call * c, ox_dim v) { return v ? truth(c, ox_dim_is(v, 0)) : NULL; }

static ox_dim elem_less(ox_call *c, const ox_dim *in) { return proved_less(c, in[0], in[1]); }
static ox_dim elem_greater(ox_call *c, const ox_dim *in) { return proved_less(c, in[1], in[0]); }
static ox_dim elem_less_or_equal(ox_call *c, const ox_dim *in) { return not(c, proved_less(c, in[1], in[0])); }
static ox_dim elem_greater_or_equal(ox_call *c, const ox_dim *in) { return not(c, proved_less(c, in[0], in[1])); }

static ox_dim elem_and(ox_call *c, const ox_dim *in) {
    if (ox_dim_is(in[0], 0) || ox_dim_is(in[1], 0)) return truth(c, false);
    return ox_dim_is(in[0], 1) ? in[1] : ox_dim_is(in[1], 1) ? in[0] : NULL;
}

static ox_dim elem_or(ox_call *c, const ox_dim *in) {
    if (ox_dim_is(in[0], 1) || ox_dim_is(in[1], 1)) return truth(c, true);
    return ox_dim_is(in[0], 0) ? in[1] : ox_dim_is(in[1], 0) ? in[0] : NULL;
}

static ox_dim elem_where(ox_call *c, const ox_dim *in) {
    (void)c;
    if (in[1] && in[1] == in[2]) return in[1];
    return ox_dim_is(in[0], 1) ? in[1] : ox_dim_is(in[0], 0) ? in[2] : NULL;
}

/* ---- shape rules */

/* Broadcasting of opsets before 7 that today's form cannot say: input 1 begins at this axis of input 0. */
static int infer_pair(ox_call *c, ox_dtype dtype, elem_fn fn) {
    if (ox_has(c, "axis")) {
        ox_out_tensor(c, 0, dtype, ox_in_rank(c, 0), ox_in_dims(c, 0));
        return 0;
    }
    if ((dtype == OX_BOOL ? ox_infer_compare : ox_infer_elementwise)(c) < 0) return -1;
    if (fn && c->n_in == 2) map_elems(c, 2, fn);
    return 0;
}

#define INFER(name)                                                                                                    \
    static int infer_##name(ox_call *c) { return infer_pair(c, ox_out_dtype(c, 0), elem_##name); }
#define INFER_BOOL(name)                                                                                               \
    static int infer_##name(ox_call *c) { return infer_pair(c, OX_BOOL, elem_##name); }
INFER(add)
INFER(sub)
INFER(mul)
INFER(div)
INFER(mod)
INFER(min)
INFER(max)
INFER_BOOL(equal)
INFER_BOOL(less)
INFER_BOOL(greater)
INFER_BOOL(less_or_equal)
INFER_BOOL(greater_or_equal)
INFER_BOOL(and)
INFER_BOOL(or)
static int infer_plain(ox_call *c) { return infer_pair(c, ox_out_dtype(c, 0), NULL); }
static int infer_truth(ox_call *c) { return infer_pair(c, OX_BOOL, NULL); }

static int infer_where(ox_call *c) {
    if (ox_infer_elementwise(c) < 0) return -1;
    map_elems(c, 3, elem_where);
    return 0;
}

static int infer_bitshift(ox_call *c) {
    const char *d = ox_get_string(c, "direction");
    if (strcmp(d, "LEFT") && strcmp(d, "RIGHT"))
        return ox_fail(c->ctx, OX_BAD_DATA, "direction '%s' is neither LEFT nor RIGHT", d);
    return infer_plain(c);
}

/* The step to 7. B fits the end of A, or its shape can be filled up by ones, or the call keeps the axis. */
static int lift_broadcast(ox_call *c) {
    bool given = ox_has(c, "axis") && ox_get_int(c, "broadcast");
    int64_t axis = ox_get_int(c, "axis");
    ox_lift_drop(c, "axis");
    ox_lift_drop(c, "broadcast");
    if (!given || c->n_in < 2) return 0;
    int ra = ox_in_rank(c, 0), rb = ox_in_rank(c, 1);
    if (axis < 0 && ra >= 0) axis += ra;
    const ox_tensor *b = c->in[1].t;
    if (ra < 0 || rb < 0 || axis < 0 || axis + rb > ra || (axis + rb < ra && !b)) {
        ox_lift_attr_int(c, "axis", axis);
    } else if (axis + rb < ra) {
        int rank = (int)(ra - axis);
        int64_t *dims = OX_NEW_N(c->arena, int64_t, rank);
        for (int k = 0; k < rank; k++) dims[k] = k < rb ? b->dims[k] : 1;
        ox_lift_set_input(c, 1, ox_tensor_reshaped(c->ctx, (ox_tensor *)(uintptr_t)b, b->dtype, rank, dims));
    }
    return 0;
}

/* ---- kernels: the frame */

/* Input 1 with ones behind its dims, for broadcasting at an axis. The caller releases it. */
static ox_tensor *at_axis(ox_run *r, const ox_tensor *a, const ox_tensor *b) {
    int64_t axis = ox_get_int(r->call, "axis");
    if (axis < 0) axis += a->rank;
    if (axis < 0 || axis + b->rank > a->rank) {
        ox_fail(r->ctx, OX_BAD_DATA, "input 1 does not fit at axis %lld", (long long)axis);
        return NULL;
    }
    int rank = (int)(a->rank - axis);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, rank + 1);
    for (int k = 0; k < rank; k++) dims[k] = k < b->rank ? b->dims[k] : 1;
    return ox_tensor_reshaped(r->ctx, (ox_tensor *)(uintptr_t)b, b->dtype, rank, dims);
}

/* VEC: the function of vectors for what is computed in float, or NO_VEC. */
enum { NO_VEC = OX_FN2_COUNT };

static int run_tensors(ox_run *r, const ox_chunk_fns fns, ox_fn2 vec, ox_dtype to, const ox_tensor *a, const ox_tensor *b,
                       const void *user) {
    const ox_tensor *in[] = {a, b};
    int rank;
    int64_t *dims;
    if (a->dtype != b->dtype) return ox_fail(r->ctx, OX_BAD_DATA, "the inputs have different element types");
    ox_dtype as[] = {ox_compute_type(a->dtype), ox_compute_type(a->dtype)};
    bool vector = vec != (ox_fn2)NO_VEC && as[0] == OX_FLOAT;
    if (!vector && !fns[as[0]]) return ox_kernel_no_type(r, a->dtype);
    if (ox_loop_shape(r, 2, in, &rank, &dims) < 0) return -1;
    ox_tensor *y = ox_output_over(r, 0, ox_same_shape(r, rank, dims), to ? to : a->dtype, rank, dims);
    if (y && vector) return ox_vec_pair(r, vec, y, a, b);
    return y ? ox_elementwise(r, y, to ? to : as[0], 2, in, as, fns[as[0]], user) : -1;
}

static int run_both(ox_run *r, const ox_chunk_fns fns, ox_fn2 vec, ox_dtype to, const void *user) {
    const ox_tensor *a = ox_input(r, 0), *b = ox_input(r, 1);
    if (!a || !b) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    if (!ox_has(r->call, "axis")) return run_tensors(r, fns, vec, to, a, b, user);
    ox_tensor *t = at_axis(r, a, b);
    int rc = t ? run_tensors(r, fns, vec, to, a, t, user) : -1;
    ox_tensor_unref(t);
    return rc;
}

static int run_pair(ox_run *r, const ox_chunk_fns fns, ox_dtype to, const void *user) {
    return run_both(r, fns, (ox_fn2)NO_VEC, to, user);
}

/* ---- arithmetic: integers wrap around */

#define WRAP(OP)       (uint64_t) x OP(uint64_t) y
#define ADD_INT(T, C)  OX_LOOP2(add, T, C, WRAP(+))
#define SUB_INT(T, C)  OX_LOOP2(sub, T, C, WRAP(-))
#define MUL_INT(T, C)  OX_LOOP2(mul, T, C, WRAP(*))
#define ADD_REAL(T, C) OX_LOOP2(add, T, C, x + y)
#define SUB_REAL(T, C) OX_LOOP2(sub, T, C, x - y)
#define MUL_REAL(T, C) OX_LOOP2(mul, T, C, x *y)
#define DIV_REAL(T, C) OX_LOOP2(div, T, C, x / y)
/* Divisors are not 0 (looked at before); the least number by -1 wraps too. */
#define DIV_NARROW(T, C)   OX_LOOP2(div, T, C, y == -1 ? (C)(0 - (uint64_t)x) : (C)((double)x / (double)y)) /* exact up to 32 bits; vectors */
#define DIV_UNSIGNED(T, C) OX_LOOP2(div, T, C, x / y)
#define REM_SIGNED(T, C)   OX_LOOP2(rem, T, C, y == -1 ? 0 : x % y)
#define REM_UNSIGNED(T, C) OX_LOOP2(rem, T, C, x % y)
#define REM_REAL(T, C)     OX_LOOP2(rem, T, C, fmod(x, y))
/* The remainder with the sign of the divisor. */
#define MOD_NARROW(T, C)   OX_LOOP2(mod, T, C, mod_narrow((int32_t)x, (int32_t)y))
#define MOD_UNSIGNED(T, C) OX_LOOP2(mod, T, C, x % y)
#define MOD_REAL(T, C)                                                                                                 \
    static inline C mod_of_##C(C x, C y) {                                                                             \
        C m = fmod(x, y);                                                                                              \
        return m == 0 ? copysign(m, y) : (m < 0) != (y < 0) ? m + y : m;                                               \
    }                                                                                                                  \
    OX_LOOP2(mod, T, C, mod_of_##C(x, y))
OX_EACH_INT(ADD_INT)
OX_EACH_INT(SUB_INT)
OX_EACH_INT(MUL_INT)
ADD_REAL(DOUBLE, double)
SUB_REAL(DOUBLE, double)
MUL_REAL(DOUBLE, double)
DIV_REAL(DOUBLE, double)
DIV_NARROW(INT8, int8_t)
DIV_NARROW(INT16, int16_t)
DIV_NARROW(INT32, int32_t)
OX_EACH_UNSIGNED(DIV_UNSIGNED)
OX_EACH_SIGNED(REM_SIGNED)
OX_EACH_UNSIGNED(REM_UNSIGNED)
OX_EACH_REAL(REM_REAL)
static inline int32_t mod_narrow(int32_t x, int32_t y) {
    int32_t q = y == -1 ? 0 : (int32_t)((double)x / (double)y), m = y == -1 ? 0 : (int32_t)((uint32_t)x - (uint32_t)q * (uint32_t)y);
    return m != 0 && (m ^ y) < 0 ? m + y : m;
}
MOD_NARROW(INT8, int8_t)
MOD_NARROW(INT16, int16_t)
MOD_NARROW(INT32, int32_t)

/* 64 bits are mostly small numbers, which divide as narrow ones do. */
OX_INLINE bool all_narrow(const int64_t *x, const int64_t *y, int64_t n) {
    uint64_t high = 0;
    for (int64_t i = 0; i < n; i++) high |= ((uint64_t)x[i] + (1u << 31)) | ((uint64_t)y[i] + (1u << 31));
    return high >> 32 == 0;
}
#define WIDE(name, narrow, expr)                                                                                       \
    OX_INLINE void name##_INT64_in(void *out, const void *const *in, int64_t n, const void *p) {                       \
        const int64_t *a = in[0], *b = in[1];                                                                          \
        int64_t *o = out;                                                                                              \
        (void)p;                                                                                                       \
        if (all_narrow(a, b, n)) {                                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                int32_t x = (int32_t)a[i], y = (int32_t)b[i];                                                          \
                o[i] = narrow;                                                                                         \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                int64_t x = a[i], y = b[i];                                                                            \
                o[i] = expr;                                                                                           \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    OX_TWICE(name##_INT64)
WIDE(div, y == -1 ? -(int64_t)x : (int32_t)((double)x / (double)y), y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y)
WIDE(mod, mod_narrow(x, y), y == -1 || x % y == 0 ? 0 : (x % y < 0) != (y < 0) ? x % y + y : x % y)
OX_EACH_UNSIGNED(MOD_UNSIGNED)
OX_EACH_REAL(MOD_REAL)
/* A NaN on either side stays. */
#define MIN(T, C) OX_LOOP2(min, T, C, x < y || x != x ? x : y)
#define MAX(T, C) OX_LOOP2(max, T, C, x > y || x != x ? x : y)
OX_EACH_INT(MIN)
MIN(DOUBLE, double)
OX_EACH_INT(MAX)
MAX(DOUBLE, double)

#define ENTRY_ADD(T, C) [OX_##T] = add_##T,
#define ENTRY_SUB(T, C) [OX_##T] = sub_##T,
#define ENTRY_MUL(T, C) [OX_##T] = mul_##T,
#define ENTRY_DIV(T, C) [OX_##T] = div_##T,
#define ENTRY_REM(T, C) [OX_##T] = rem_##T,
#define ENTRY_MOD(T, C) [OX_##T] = mod_##T,
#define ENTRY_MIN(T, C) [OX_##T] = min_##T,
#define ENTRY_MAX(T, C) [OX_##T] = max_##T,
static const ox_chunk_fns add_fns = {OX_EACH_INT(ENTRY_ADD) ENTRY_ADD(DOUBLE, double)};
static const ox_chunk_fns sub_fns = {OX_EACH_INT(ENTRY_SUB) ENTRY_SUB(DOUBLE, double)};
static const ox_chunk_fns mul_fns = {OX_EACH_INT(ENTRY_MUL) ENTRY_MUL(DOUBLE, double)};
static const ox_chunk_fns div_fns = {OX_EACH_INT(ENTRY_DIV) ENTRY_DIV(DOUBLE, double)};
static const ox_chunk_fns rem_fns = {OX_EACH_NUMBER(ENTRY_REM)};
static const ox_chunk_fns mod_fns = {OX_EACH_NUMBER(ENTRY_MOD)};
static const ox_chunk_fns min_fns = {OX_EACH_INT(ENTRY_MIN) ENTRY_MIN(DOUBLE, double)};
static const ox_chunk_fns max_fns = {OX_EACH_INT(ENTRY_MAX) ENTRY_MAX(DOUBLE, double)};

static int run_add(ox_run *r) { return run_both(r, add_fns, OX_FN2_ADD, OX_UNDEFINED, NULL); }
static int run_sub(ox_run *r) { return run_both(r, sub_fns, OX_FN2_SUB, OX_UNDEFINED, NULL); }
static int run_mul(ox_run *r) { return run_both(r, mul_fns, OX_FN2_MUL, OX_UNDEFINED, NULL); }

static int refuse_zero(ox_run *r) {
    const ox_tensor *t = ox_input(r, 1);
    const char *data = t && ox_dtype_is_int(t->dtype) ? ox_tensor_data(t) : NULL;
    if (!data) return 0;
    bool found = false;
    switch (ox_dtype_bits(t->dtype)) {
    case 64:
        for (int64_t i = 0; i < t->count; i++) found |= ((const int64_t *)(const void *)data)[i] == 0;
        break;
    case 32:
        for (int64_t i = 0; i < t->count; i++) found |= ((const int32_t *)(const void *)data)[i] == 0;
        break;
    default:
        for (int64_t i = 0; i < t->count; i++) found |= ox_load_int(t->dtype, data, i) == 0;
    }
    if (found) return ox_fail(r->ctx, OX_BAD_DATA, "division by zero");
    return 0;
}

static int run_div(ox_run *r) { return refuse_zero(r) < 0 ? -1 : run_both(r, div_fns, OX_FN2_DIV, OX_UNDEFINED, NULL); }

static int run_mod(ox_run *r) {
    if (refuse_zero(r) < 0) return -1;
    return run_pair(r, ox_get_int(r->call, "fmod") ? rem_fns : mod_fns, OX_UNDEFINED, NULL);
}

/* ---- any number of inputs, one after the other */

static int run_many(ox_run *r, const ox_chunk_fns fns, ox_fn2 vec) {
    const ox_tensor **in = OX_NEW_N(r->arena, const ox_tensor *, r->call->n_in + 1);
    int n = r->call->n_in, rank;
    int64_t *dims;
    for (int i = 0; i < n; i++) {
        in[i] = ox_input(r, i);
        if (!in[i]) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
        if (in[i]->dtype != in[0]->dtype)
            return ox_fail(r->ctx, OX_BAD_DATA, "the inputs have different element types");
    }
    if (!n) return ox_fail(r->ctx, OX_BAD_DATA, "there is no input");
    if (n == 1) return ox_output_share(r, 0, in[0], in[0]->rank, in[0]->dims);
    ox_dtype as[] = {ox_compute_type(in[0]->dtype), ox_compute_type(in[0]->dtype)};
    bool vector = as[0] == OX_FLOAT;
    if (!vector && !fns[as[0]]) return ox_kernel_no_type(r, in[0]->dtype);
    if (ox_loop_shape(r, n, in, &rank, &dims) < 0) return -1;
    ox_tensor *y = ox_output_over(r, 0, ox_same_shape(r, rank, dims) & 3, in[0]->dtype, rank, dims); /* the others are read later */
    for (int i = 1; y && i < n; i++) {
        const ox_tensor *two[] = {i == 1 ? in[0] : y, in[i]};
        if ((vector ? ox_vec_pair(r, vec, y, two[0], two[1]) : ox_elementwise(r, y, as[0], 2, two, as, fns[as[0]], NULL)) < 0)
            return -1;
    }
    return y ? 0 : -1;
}

static int run_min(ox_run *r) { return run_many(r, min_fns, OX_FN2_MIN); }
static int run_max(ox_run *r) { return run_many(r, max_fns, OX_FN2_MAX); }
static int run_sum(ox_run *r) { return run_many(r, add_fns, OX_FN2_ADD); }

#define SHARE(T, C) OX_LOOP1(share, T, C, x / (C) * (const double *)p)
OX_EACH_REAL(SHARE)

static int run_mean(ox_run *r) {
    static const ox_chunk_fns share_fns = {[OX_FLOAT] = share_FLOAT, [OX_DOUBLE] = share_DOUBLE};
    double n = r->call->n_in;
    if (run_many(r, add_fns, OX_FN2_ADD) < 0 || r->call->n_in < 2) return r->out[0] ? 0 : -1;
    ox_tensor *y = r->out[0]->t;
    const ox_tensor *in = y;
    ox_dtype as = ox_compute_type(y->dtype);
    return share_fns[as] ? ox_elementwise(r, y, as, 1, &in, &as, share_fns[as], &n) : ox_kernel_no_type(r, y->dtype);
}

/* ---- powers */

OX_LOOP2(pow, DOUBLE, double, y == 2 ? x * x : y == 3 ? x * x * x : pow(x, y))

/* x to the y in wrapping integers; a negative power of anything but 1 and -1 is a fraction, cut off to 0. */
static int64_t int_pow(int64_t x, int64_t y) {
    if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
    uint64_t base = (uint64_t)x, result = 1;
    for (; y; y >>= 1, base *= base) {
        if (y & 1) result *= base;
    }
    return (int64_t)result;
}
#define POW_INT(T, C) OX_LOOP2(pow, T, C, int_pow(x, y))
POW_INT(INT32, int32_t)
POW_INT(INT64, int64_t)
static const ox_chunk_fns pow_fns = {
    [OX_DOUBLE] = pow_DOUBLE, [OX_INT32] = pow_INT32, [OX_INT64] = pow_INT64};

/* The tensor in another type, element by element. The caller releases it. */
static ox_tensor *converted(ox_run *r, const ox_tensor *t, ox_dtype to) {
    if (t->dtype == to) return ox_tensor_ref((ox_tensor *)(uintptr_t)t);
    ox_tensor *c = ox_tensor_new(r->ctx, to, t->rank, t->dims);
    const void *data = ox_tensor_data(t);
    if (!c || !data) {
        ox_tensor_unref(c);
        return NULL;
    }
    for (int64_t i = 0; i < t->count; i++) {
        if (ox_dtype_is_float(to))
            ox_store_double(to, ox_tensor_mut(c), i, ox_load_double(t->dtype, data, i));
        else
            ox_store_int(to, ox_tensor_mut(c), i, ox_load_int(t->dtype, data, i));
    }
    return c;
}

/* The exponent takes the type of the base; an integer with a fraction as exponent is computed as double and cut off. */
static int run_pow(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *y = ox_input(r, 1);
    if (!x || !y) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    bool real = ox_dtype_is_int(x->dtype) && ox_dtype_is_float(y->dtype);
    ox_tensor *base = converted(r, x, real ? OX_DOUBLE : x->dtype),
              *exponent = base ? converted(r, y, base->dtype) : NULL;
    ox_tensor *at = exponent && ox_has(r->call, "axis") ? at_axis(r, base, exponent) : ox_tensor_ref(exponent);
    int rc = at ? run_tensors(r, pow_fns, OX_FN2_POW, OX_UNDEFINED, base, at, NULL) : -1;
    ox_tensor_unref(at);
    ox_tensor_unref(exponent);
    ox_tensor_unref(base);
    if (rc < 0 || !real) return rc;
    ox_tensor *whole = converted(r, r->out[0]->t, x->dtype);
    return whole ? ox_output_rt(r, 0, ox_rt_tensor(r->ctx, whole)) : -1;
}

/* ---- bits and truth */

#define BITS(T) (uint64_t)(sizeof(T) * 8)
/* Shifting by as many bits as there are, or more, leaves nothing but the sign. */
#define SHIFT_LEFT(T, C)  OX_LOOP2(left, T, C, (uint64_t)y >= BITS(C) ? 0 : (C)((uint64_t)x << y))
#define SHIFT_RIGHT(T, C) OX_LOOP2(right, T, C, (uint64_t)y >= BITS(C) ? (C)(x >> (BITS(C) - 1) >> 1) : (C)(x >> y))
#define BIT_AND(T, C)     OX_LOOP2(bitand, T, C, x &y)
#define BIT_OR(T, C)      OX_LOOP2(bitor, T, C, x | y)
#define BIT_XOR(T, C)     OX_LOOP2(bitxor, T, C, x ^ y)
OX_EACH_INT(SHIFT_LEFT)
OX_EACH_INT(SHIFT_RIGHT)
OX_EACH_INT(BIT_AND)
OX_EACH_INT(BIT_OR)
OX_EACH_INT(BIT_XOR)
OX_LOOP2(and, BOOL, uint8_t, x &&y)
OX_LOOP2(or, BOOL, uint8_t, x || y)
OX_LOOP2(xor, BOOL, uint8_t, !x != !y)
#define ENTRY_LEFT(T, C)  [OX_##T] = left_##T,
#define ENTRY_RIGHT(T, C) [OX_##T] = right_##T,
#define ENTRY_AND(T, C)   [OX_##T] = bitand_##T,
#define ENTRY_OR(T, C)    [OX_##T] = bitor_##T,
#define ENTRY_XOR(T, C)   [OX_##T] = bitxor_##T,
static const ox_chunk_fns left_fns = {OX_EACH_INT(ENTRY_LEFT)};
static const ox_chunk_fns right_fns = {OX_EACH_INT(ENTRY_RIGHT)};
static const ox_chunk_fns bitand_fns = {OX_EACH_INT(ENTRY_AND)};
static const ox_chunk_fns bitor_fns = {OX_EACH_INT(ENTRY_OR)};
static const ox_chunk_fns bitxor_fns = {OX_EACH_INT(ENTRY_XOR)};
static const ox_chunk_fns and_fns = {[OX_BOOL] = and_BOOL}, or_fns = {[OX_BOOL] = or_BOOL},
                          xor_fns = {[OX_BOOL] = xor_BOOL};

static int run_bitshift(ox_run *r) {
    bool left = !strcmp(ox_get_string(r->call, "direction"), "LEFT");
    return run_pair(r, left ? left_fns : right_fns, OX_UNDEFINED, NULL);
}
static int run_bitand(ox_run *r) { return run_pair(r, bitand_fns, OX_UNDEFINED, NULL); }
static int run_bitor(ox_run *r) { return run_pair(r, bitor_fns, OX_UNDEFINED, NULL); }
static int run_bitxor(ox_run *r) { return run_pair(r, bitxor_fns, OX_UNDEFINED, NULL); }
static int run_and(ox_run *r) { return run_pair(r, and_fns, OX_BOOL, NULL); }
static int run_or(ox_run *r) { return run_pair(r, or_fns, OX_BOOL, NULL); }
static int run_xor(ox_run *r) { return run_pair(r, xor_fns, OX_BOOL, NULL); }

/* ---- comparison */

#define EQUAL(T, C)         OX_LOOP2_TO(equal, T, C, uint8_t, x == y)
#define LESS(T, C)          OX_LOOP2_TO(less, T, C, uint8_t, x < y)
#define LESS_EQUAL(T, C)    OX_LOOP2_TO(less_equal, T, C, uint8_t, x <= y)
#define GREATER(T, C)       OX_LOOP2_TO(greater, T, C, uint8_t, x > y)
#define GREATER_EQUAL(T, C) OX_LOOP2_TO(greater_equal, T, C, uint8_t, x >= y)
OX_EACH_NUMBER(EQUAL)
OX_EACH_NUMBER(LESS)
OX_EACH_NUMBER(LESS_EQUAL)
OX_EACH_NUMBER(GREATER)
OX_EACH_NUMBER(GREATER_EQUAL)
OX_LOOP2(equal, BOOL, uint8_t, !x == !y)
OX_LOOP2_TO(equal, STRING, ox_str, uint8_t, x.len == y.len && (!x.len || !memcmp(x.data, y.data, x.len)))
#define ENTRY_EQUAL(T, C)         [OX_##T] = equal_##T,
#define ENTRY_LESS(T, C)          [OX_##T] = less_##T,
#define ENTRY_LESS_EQUAL(T, C)    [OX_##T] = less_equal_##T,
#define ENTRY_GREATER(T, C)       [OX_##T] = greater_##T,
#define ENTRY_GREATER_EQUAL(T, C) [OX_##T] = greater_equal_##T,
static const ox_chunk_fns equal_fns = {OX_EACH_NUMBER(ENTRY_EQUAL)[OX_BOOL] = equal_BOOL, [OX_STRING] = equal_STRING};
static const ox_chunk_fns less_fns = {OX_EACH_NUMBER(ENTRY_LESS)};
static const ox_chunk_fns less_equal_fns = {OX_EACH_NUMBER(ENTRY_LESS_EQUAL)};
static const ox_chunk_fns greater_fns = {OX_EACH_NUMBER(ENTRY_GREATER)};
static const ox_chunk_fns greater_equal_fns = {OX_EACH_NUMBER(ENTRY_GREATER_EQUAL)};

static int run_equal(ox_run *r) { return run_pair(r, equal_fns, OX_BOOL, NULL); }
static int run_less(ox_run *r) { return run_pair(r, less_fns, OX_BOOL, NULL); }
static int run_less_equal(ox_run *r) { return run_pair(r, less_equal_fns, OX_BOOL, NULL); }
static int run_greater(ox_run *r) { return run_pair(r, greater_fns, OX_BOOL, NULL); }
static int run_greater_equal(ox_run *r) { return run_pair(r, greater_equal_fns, OX_BOOL, NULL); }

/* ---- Where: moves elements, so only their size counts */

#define WHERE(T, C)                                                                                                    \
    OX_INLINE void where_##T##_in(void *out, const void *const *in, int64_t n, const void *user) {                     \
        const uint8_t *c = in[0];                                                                                      \
        const C *x = in[1], *y = in[2];                                                                                \
        C *z = out;                                                                                                    \
        (void)user;                                                                                                    \
        for (int64_t i = 0; i < n; i++) { /* both are read, so that this can be a vector */                            \
            C a = x[i], b = y[i];                                                                                      \
            z[i] = c[i] ? a : b;                                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    OX_TWICE(where_##T)
WHERE(8, uint8_t)
WHERE(16, uint16_t)
WHERE(32, uint32_t)
WHERE(64, uint64_t)
WHERE(128, ox_str)

static int run_where(ox_run *r) {
    const ox_tensor *in[] = {ox_input(r, 0), ox_input(r, 1), ox_input(r, 2)};
    if (!in[0] || !in[1] || !in[2]) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    ox_dtype t = in[1]->dtype, as[] = {OX_BOOL, t, t};
    if (in[0]->dtype != OX_BOOL || in[2]->dtype != t)
        return ox_fail(r->ctx, OX_BAD_DATA, "the inputs have the wrong element types");
    unsigned bits = t == OX_STRING ? 128 : ox_dtype_bits(t);
    ox_chunk_fn fn = bits == 8    ? where_8
                     : bits == 16 ? where_16
                     : bits == 32 ? where_32
                     : bits == 64 ? where_64
                                  : where_128;
    if (bits < 8) return ox_kernel_no_type(r, t);
    int rank;
    int64_t *dims;
    if (ox_loop_shape(r, 3, in, &rank, &dims) < 0) return -1;
    ox_tensor *y = ox_output_over(r, 0, ox_same_shape(r, rank, dims), t, rank, dims);
    if (!y || ox_elementwise(r, y, t, 3, in, as, fn, NULL) < 0) return -1;
    for (int64_t i = 0; t == OX_STRING && i < y->count; i++) { /* the text becomes the output's own */
        ox_str s = ((ox_str *)ox_tensor_mut(y))[i];
        if (ox_tensor_set_str(y, i, s.data, s.len) < 0) return -1;
    }
    return 0;
}

OX_FAMILY(binary, "",
    OP("Add", 14,
       "(T A, T B) => (T C) T: numbers|bfloat16",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_add, .kernel = run_add),
    OP("Add", 13,
       "(T A, T B) => (T C) T: floats|bfloat16|int32|int64|uint32|uint64"),
    OP("Add", 7,
       "(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64"),
    OP("Add", 6,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64",
       .lift = lift_broadcast),
    OP("Add", 1,
       "<axis: int?, broadcast: int = 0, consumed_inputs: ints?>(T A, T B) => (T C) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Sub", 14,
       "(T A, T B) => (T C) T: numbers|bfloat16",
       .flags = OX_ELEMENTWISE,
       .infer = infer_sub, .kernel = run_sub),
    OP("Sub", 13,
       "(T A, T B) => (T C) T: floats|bfloat16|int32|int64|uint32|uint64"),
    OP("Sub", 7,
       "(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64"),
    OP("Sub", 6,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64",
       .lift = lift_broadcast),
    OP("Sub", 1,
       "<axis: int?, broadcast: int = 0, consumed_inputs: ints?>(T A, T B) => (T C) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Mul", 14,
       "(T A, T B) => (T C) T: numbers|bfloat16",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_mul, .kernel = run_mul),
    OP("Mul", 13,
       "(T A, T B) => (T C) T: floats|bfloat16|int32|int64|uint32|uint64"),
    OP("Mul", 7,
       "(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64"),
    OP("Mul", 6,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64",
       .lift = lift_broadcast),
    OP("Mul", 1,
       "<axis: int?, broadcast: int = 0, consumed_inputs: ints?>(T A, T B) => (T C) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Div", 14,
       "(T A, T B) => (T C) T: numbers|bfloat16",
       .flags = OX_ELEMENTWISE,
       .infer = infer_div, .kernel = run_div),
    OP("Div", 13,
       "(T A, T B) => (T C) T: floats|bfloat16|int32|int64|uint32|uint64"),
    OP("Div", 7,
       "(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64"),
    OP("Div", 6,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T C) T: floats|int32|int64|uint32|uint64",
       .lift = lift_broadcast),
    OP("Div", 1,
       "<axis: int?, broadcast: int = 0, consumed_inputs: ints?>(T A, T B) => (T C) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Mod", 28,
       "<fmod: int = 0>(T A, T B) => (T C) T: numbers|bfloat16",
       .flags = OX_ELEMENTWISE,
       .infer = infer_mod, .kernel = run_mod),
    OP("Mod", 13,
       "<fmod: int = 0>(T A, T B) => (T C) T: numbers|bfloat16"),
    OP("Mod", 10,
       "<fmod: int = 0>(T A, T B) => (T C) T: numbers"),
    OP("Pow", 15,
       "(T X, T1 Y) => (T Z) T: floats|bfloat16|int32|int64, T1: numbers|bfloat16",
       .flags = OX_ELEMENTWISE,
       .infer = infer_plain, .kernel = run_pow),
    OP("Pow", 13,
       "(T X, T1 Y) => (T Z) T: floats|bfloat16|int32|int64, T1: numbers"),
    OP("Pow", 12,
       "(T X, T1 Y) => (T Z) T: floats|int32|int64, T1: numbers"),
    OP("Pow", 7,
       "(T X, T Y) => (T Z) T: floats"),
    OP("Pow", 1,
       "<axis: int?, broadcast: int = 0>(T X, T Y) => (T Z) T: floats",
       .lift = lift_broadcast),
    OP("BitShift", 28,
       "<direction: string>(T X, T Y) => (T Z) T: ints",
       .flags = OX_ELEMENTWISE,
       .infer = infer_bitshift, .kernel = run_bitshift),
    OP("BitShift", 11,
       "<direction: string>(T X, T Y) => (T Z) T: uint16|uint32|uint64|uint8"),
    OP("BitwiseAnd", 18,
       "(T A, T B) => (T C) T: ints",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_plain, .kernel = run_bitand),
    OP("BitwiseOr", 18,
       "(T A, T B) => (T C) T: ints",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_plain, .kernel = run_bitor),
    OP("BitwiseXor", 18,
       "(T A, T B) => (T C) T: ints",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_plain, .kernel = run_bitxor),
    OP("And", 7,
       "(T A, T B) => (T1 C) T: bool, T1: bool",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_and, .kernel = run_and),
    OP("And", 1,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T1 C) T: bool, T1: bool",
       .lift = lift_broadcast),
    OP("Or", 7,
       "(T A, T B) => (T1 C) T: bool, T1: bool",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_or, .kernel = run_or),
    OP("Or", 1,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T1 C) T: bool, T1: bool",
       .lift = lift_broadcast),
    OP("Xor", 7,
       "(T A, T B) => (T1 C) T: bool, T1: bool",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_truth, .kernel = run_xor),
    OP("Xor", 1,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T1 C) T: bool, T1: bool",
       .lift = lift_broadcast),
    OP("Equal", 19,
       "(T A, T B) => (T1 C) T: numbers|bfloat16|bool|string, T1: bool",
       .flags = OX_COMMUTATIVE | OX_ELEMENTWISE,
       .infer = infer_equal, .kernel = run_equal),
    OP("Equal", 13,
       "(T A, T B) => (T1 C) T: numbers|bfloat16|bool, T1: bool"),
    OP("Equal", 11,
       "(T A, T B) => (T1 C) T: numbers|bool, T1: bool"),
    OP("Equal", 7,
       "(T A, T B) => (T1 C) T: bool|int32|int64, T1: bool"),
    OP("Equal", 1,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T1 C) T: bool|int32|int64, T1: bool",
       .lift = lift_broadcast),
    OP("Less", 13,
       "(T A, T B) => (T1 C) T: numbers|bfloat16, T1: bool",
       .flags = OX_ELEMENTWISE,
       .infer = infer_less, .kernel = run_less),
    OP("Less", 9,
       "(T A, T B) => (T1 C) T: numbers, T1: bool"),
    OP("Less", 7,
       "(T A, T B) => (T1 C) T: floats, T1: bool"),
    OP("Less", 1,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T1 C) T: floats, T1: bool",
       .lift = lift_broadcast),
    OP("LessOrEqual", 16,
       "(T A, T B) => (T1 C) T: numbers|bfloat16, T1: bool",
       .flags = OX_ELEMENTWISE,
       .infer = infer_less_or_equal, .kernel = run_less_equal),
    OP("LessOrEqual", 12,
       "(T A, T B) => (T1 C) T: numbers, T1: bool"),
    OP("Greater", 13,
       "(T A, T B) => (T1 C) T: numbers|bfloat16, T1: bool",
       .flags = OX_ELEMENTWISE,
       .infer = infer_greater, .kernel = run_greater),
    OP("Greater", 9,
       "(T A, T B) => (T1 C) T: numbers, T1: bool"),
    OP("Greater", 7,
       "(T A, T B) => (T1 C) T: floats, T1: bool"),
    OP("Greater", 1,
       "<axis: int?, broadcast: int = 0>(T A, T B) => (T1 C) T: floats, T1: bool",
       .lift = lift_broadcast),
    OP("GreaterOrEqual", 16,
       "(T A, T B) => (T1 C) T: numbers|bfloat16, T1: bool",
       .flags = OX_ELEMENTWISE,
       .infer = infer_greater_or_equal, .kernel = run_greater_equal),
    OP("GreaterOrEqual", 12,
       "(T A, T B) => (T1 C) T: numbers, T1: bool"),
    OP("Max", 13,
       "(T... data_0) => (T max) T: numbers|bfloat16",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_max, .kernel = run_max),
    OP("Max", 12,
       "(T... data_0) => (T max) T: numbers"),
    OP("Max", 8,
       "(T... data_0) => (T max) T: floats"),
    OP("Max", 6,
       "(T... data_0) => (T max) T: floats"),
    OP("Max", 1,
       "<consumed_inputs: ints?>(T... data_0) => (T max) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Min", 13,
       "(T... data_0) => (T min) T: numbers|bfloat16",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = infer_min, .kernel = run_min),
    OP("Min", 12,
       "(T... data_0) => (T min) T: numbers"),
    OP("Min", 8,
       "(T... data_0) => (T min) T: floats"),
    OP("Min", 6,
       "(T... data_0) => (T min) T: floats"),
    OP("Min", 1,
       "<consumed_inputs: ints?>(T... data_0) => (T min) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Sum", 13,
       "(T... data_0) => (T sum) T: floats|bfloat16",
       .flags = OX_COMMUTATIVE | OX_ASSOCIATIVE | OX_ELEMENTWISE,
       .infer = ox_infer_elementwise, .kernel = run_sum),
    OP("Sum", 8,
       "(T... data_0) => (T sum) T: floats"),
    OP("Sum", 6,
       "(T... data_0) => (T sum) T: floats"),
    OP("Sum", 1,
       "<consumed_inputs: ints?>(T... data_0) => (T sum) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Mean", 13,
       "(T... data_0) => (T mean) T: floats|bfloat16",
       .flags = OX_COMMUTATIVE | OX_ELEMENTWISE,
       .infer = ox_infer_elementwise, .kernel = run_mean),
    OP("Mean", 8,
       "(T... data_0) => (T mean) T: floats"),
    OP("Mean", 6,
       "(T... data_0) => (T mean) T: floats"),
    OP("Mean", 1,
       "<consumed_inputs: ints?>(T... data_0) => (T mean) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("Where", 16,
       "(B condition, T X, T Y) => (T output) B: bool, T: any|bfloat16",
       .flags = OX_ELEMENTWISE,
       .infer = infer_where, .kernel = run_where),
    OP("Where", 9,
       "(B condition, T X, T Y) => (T output) B: bool, T: any"));
