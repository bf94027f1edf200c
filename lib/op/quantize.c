/* QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: numbers to integers and small floats and back.
 * y = saturate(round(x / scale) + zero), the quotient rounded to the type of the scale (or `precision`), ties to even.
 * Convolution and matrix products of integers are in qlinear.c. */
#include "cpu/qvec.h"
#include "op/compute.h"
#include "op/quant.h"

#include <float.h>
#include <math.h>

/* ------------------------------------------------------------------------------------------------ parameters */

int ox_q_grid_of(ox_call *c, const ox_tensor *x, const ox_tensor *scale, int64_t axis, int64_t block, ox_q_grid *g) {
    *g = (ox_q_grid){1, 1, x->count, 1, 0, 0, 0};
    if (block < 0) return ox_fail(c->ctx, OX_BAD_DATA, "block_size is %lld", (long long)block);
    if (!block && scale->count == 1 && scale->rank <= 1) return 0;
    if ((axis = ox_axis(c, axis, x->rank, "axis")) < 0) return -1;
    g->outer = ox_mv_product((int)axis, x->dims);
    g->axis = x->dims[axis];
    g->inner = ox_mv_product(x->rank - (int)axis - 1, x->dims + axis + 1);
    if (!block) {
        g->per_block = 1;
        if (g->inner == 1) *g = (ox_q_grid){g->outer, 1, g->axis, 1, 0, 0, 1}; /* a parameter per element of a row */
        if (scale->rank == 1 && scale->count == x->dims[axis]) return 0;
        return ox_fail(c->ctx, OX_BAD_DATA, "%lld scales for an axis of %lld", (long long)scale->count,
                       (long long)x->dims[axis]);
    }
    int64_t blocks = g->axis / block + (g->axis % block != 0);
    bool fits = scale->rank == x->rank;
    for (int i = 0; i < x->rank && fits; i++) fits = scale->dims[i] == (i == axis ? blocks : x->dims[i]);
    if (!fits) return ox_fail(c->ctx, OX_BAD_DATA, "the scale's shape does not fit blocks of %lld", (long long)block);
    g->block = block;
    g->per_inner = 1;
    g->per_block = g->inner;
    g->per_outer = g->inner * blocks;
    if (g->inner == 1 && g->axis % block == 0) /* blocks are runs */
        *g = (ox_q_grid){g->outer * blocks, 1, block, 1, 1, 0, 0};
    return 0;
}

const float *ox_q_scales(ox_run *r, const ox_tensor *scale, bool divides) {
    const float *s = scale ? ox_as_floats(r, scale) : NULL;
    for (int64_t i = 0; s && i < scale->count; i++) {
        if (isfinite(s[i]) && (divides ? s[i] > 0 : s[i] >= 0)) continue;
        ox_fail(r->ctx, OX_BAD_DATA, "scale %lld is %g", (long long)i, (double)s[i]);
        return NULL;
    }
    if (!scale) ox_fail(r->ctx, OX_BAD_DATA, "the scale is no tensor");
    return s;
}

const float *ox_q_zeros(ox_run *r, const ox_tensor *zero, int64_t count) {
    if (zero && zero->count != count) {
        ox_fail(r->ctx, OX_BAD_DATA, "%lld zero points for %lld scales", (long long)zero->count, (long long)count);
        return NULL;
    }
    if (zero) return ox_as_floats(r, zero);
    float *z = ox_scratch(r, ((uint64_t)count + 1) * sizeof *z);
    for (int64_t i = 0; z && i < count; i++) z[i] = 0;
    return z;
}

int ox_q_scalar(ox_run *r, int i, float dflt, float *out) {
    const ox_tensor *t = ox_input(r, i);
    *out = dflt;
    if (!t) return 0;
    const float *v = t->count == 1 ? ox_as_floats(r, t) : NULL;
    if (v) *out = *v;
    return v ? 0 : t->count == 1 ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "input %d is not one number", i);
}

bool ox_q_limits(ox_dtype t, float *lo, float *hi) {
    if (!ox_dtype_is_int(t) || ox_dtype_bits(t) > 16) return false;
    float range = (float)(1 << ox_dtype_bits(t));
    *lo = ox_dtype_is_signed(t) ? -range / 2 : 0;
    *hi = *lo + range - 1;
    return true;
}

/* Scales that are constants: positive numbers. */
static int check_scales(ox_call *c) {
    const ox_tensor *s = c->n_in > 1 ? c->in[1].t : NULL;
    const void *data = s && ox_dtype_is_float(s->dtype) ? ox_tensor_data(s) : NULL;
    if (s && !data && ox_dtype_is_float(s->dtype) && s->count) return -1;
    for (int64_t i = 0; data && i < s->count; i++) {
        double v = ox_load_double(s->dtype, data, i);
        if (!isfinite(v) || v <= 0) return ox_fail(c->ctx, OX_BAD_DATA, "scale %lld is %g", (long long)i, v);
    }
    return 0;
}

/* The parts of a scale in blocks of an input. */
static int check_blocks(ox_call *c, int64_t block, int64_t axis, int rank) {
    for (int i = 0; i < rank; i++) {
        int64_t d, s;
        if (!ox_dim_is_const(ox_in_dims(c, 0)[i], &d) || !ox_dim_is_const(ox_in_dims(c, 1)[i], &s)) continue;
        if (s != (i == axis ? d / block + (d % block != 0) : d))
            return ox_fail(c->ctx, OX_BAD_DATA, "the scale's shape does not fit blocks of %lld", (long long)block);
    }
    return 0;
}

/* What a rule can see: parameters that are constants and fit or not, types. */
static int check_params(ox_call *c) {
    int rank = ox_in_rank(c, 0), rs = ox_in_rank(c, 1);
    int64_t block = ox_has(c, "block_size") ? ox_get_int(c, "block_size") : 0, axis = ox_get_int(c, "axis"), n, d;
    if (block < 0) return ox_fail(c->ctx, OX_BAD_DATA, "block_size is %lld", (long long)block);
    if (rank >= 0 && rs == 1 && !block && ox_dim_is_const(ox_in_dims(c, 1)[0], &n) && n != 1) {
        if ((axis = ox_axis(c, axis, rank, "axis")) < 0) return -1;
        if (ox_dim_is_const(ox_in_dims(c, 0)[axis], &d) && d != n)
            return ox_fail(c->ctx, OX_BAD_DATA, "%lld scales for an axis of %lld", (long long)n, (long long)d);
    }
    if (!block && rs > 1) return ox_fail(c->ctx, OX_BAD_DATA, "a scale of rank %d without block_size", rs);
    if (block && rank >= 0 && rs >= 0) {
        if (rank != rs) return ox_fail(c->ctx, OX_BAD_DATA, "a scale of rank %d for blocks of rank %d", rs, rank);
        if ((axis = ox_axis(c, axis, rank, "axis")) < 0 || check_blocks(c, block, axis, rank) < 0) return -1;
    }
    if (rs >= 0 && ox_in_rank(c, 2) >= 0 && ox_in_rank(c, 2) > 1 && ox_in_rank(c, 2) != rs)
        return ox_fail(c->ctx, OX_BAD_DATA, "scale and zero point of rank %d and %d", rs, ox_in_rank(c, 2));
    int64_t scales = rs == 0, zeros = ox_in_rank(c, 2) == 0;
    bool known = (rs == 0 || (rs == 1 && ox_dim_is_const(ox_in_dims(c, 1)[0], &scales))) &&
                 (zeros || (ox_in_rank(c, 2) == 1 && ox_dim_is_const(ox_in_dims(c, 2)[0], &zeros)));
    if (known && scales != zeros)
        return ox_fail(c->ctx, OX_BAD_DATA, "%lld zero points for %lld scales", (long long)zeros, (long long)scales);
    return check_scales(c);
}

/* Rows of at most this many elements are worked on at a time. */
enum { ROW = 1024 };

/* Calls fn for runs of elements with parameters from `p` on, one for each element when step is 1. */
typedef void (*run_fn)(void *user, int64_t at, int64_t n, int64_t p, int64_t step);
static void each_run(const ox_q_grid *g, run_fn fn, void *user) {
    for (int64_t o = 0, at = 0; o < g->outer; o++)
        for (int64_t a = 0; a < g->axis; a++) {
            int64_t p = o * g->per_outer + a / g->block * g->per_block;
            for (int64_t i = 0; i < g->inner; i += ROW) {
                int64_t n = g->inner - i < ROW ? g->inner - i : ROW;
                fn(user, at, n, p + i * g->per_inner, g->per_inner);
                at += n;
            }
        }
}

/* ------------------------------------------------------------------------------------------------ QuantizeLinear */

static ox_dtype quantized_type(ox_call *c, ox_dtype zero) {
    int64_t t = ox_has(c, "output_dtype") ? ox_get_int(c, "output_dtype") : 0;
    if (t > 0 && t < OX_DTYPE_COUNT && (zero == OX_UNDEFINED || (int)zero == t)) return (ox_dtype)t;
    if (t) {
        ox_fail(c->ctx, OX_BAD_DATA, "output_dtype %lld does not fit the zero point", (long long)t);
        return OX_UNDEFINED;
    }
    return zero == OX_UNDEFINED ? OX_UINT8 : zero;
}

int ox_infer_quantize(ox_call *c) {
    if (check_params(c)) return -1;
    ox_dtype t = OX_UNDEFINED;
    if (!ox_arg_given(c, 2) || ox_in_dtype(c, 2) != OX_UNDEFINED) {
        t = quantized_type(c, ox_in_dtype(c, 2));
        if (t == OX_UNDEFINED) return -1;
    }
    ox_out_tensor(c, 0, t, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

/* Rounding is a call for every element before SSE 4.1, so this is compiled twice. */
OX_INLINE void store_in(ox_dtype t, void *data, int64_t at, const float *x, int64_t n, float scale, float zero, float lo,
                        float hi) {
#define STORE(T)                                                                                             \
    do {                                                                                                     \
        T *out = (T *)data + at;                                                                             \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            float v = rintf(x[i] / scale) + zero;                                                            \
            v = v > lo ? v : lo; /* NaN too */                                                               \
            out[i] = (T)(v < hi ? v : hi);                                                                   \
        }                                                                                                    \
    } while (0)
    switch (t) {
    case OX_INT8: case OX_INT4: case OX_INT2: STORE(int8_t); break;
    case OX_INT16: STORE(int16_t); break;
    case OX_UINT16: STORE(uint16_t); break;
    default: STORE(uint8_t); break;
    }
#undef STORE
}

OX_WIDER static void store_wider(ox_dtype t, void *data, int64_t at, const float *x, int64_t n, float scale, float zero,
                                 float lo, float hi) {
    store_in(t, data, at, x, n, scale, zero, lo, hi);
}

void ox_q_store(ox_dtype t, void *data, int64_t at, const float *x, int64_t n, float scale, float zero) {
    float lo = 0, hi = 0;
    ox_q_limits(t, &lo, &hi);
    if (n >= 16 && ox_dtype_bits(t) <= 8 && fabsf(zero) <= 512) /* zero points are whole */
        ox_qv_quantize(x, n, (ox_qparam){scale, (int32_t)zero}, (int32_t)lo, (int32_t)hi, (uint8_t *)data + at);
    else if (OX_HAS_WIDER())
        store_wider(t, data, at, x, n, scale, zero, lo, hi);
    else
        store_in(t, data, at, x, n, scale, zero, lo, hi);
}

typedef struct quantizing {
    const ox_tensor *x;
    const void *from;
    const float *scale, *zero;
    ox_dtype divide; /* the quotient is rounded to this type */
    ox_mv_out o;
    bool saturate;
} quantizing;

/* One row into a float type: no rounding to integers. */
static void store_float(const quantizing *q, int64_t at, const float *v, int64_t n) {
    ox_dtype t = q->o.t->dtype;
    for (int64_t i = 0; i < n; i++) {
        if (t == OX_FLOAT4E2M1) {
            q->o.data[at + i] = 0; /* one code per byte: the first element of a packed byte */
            ox_store_double(t, q->o.data + at + i, 0, (double)v[i]);
        } else {
            ((uint8_t *)q->o.data)[at + i] = ox_float_to_fp8(t, v[i], q->saturate);
        }
    }
}

static void quantize_run(void *user, int64_t at, int64_t n, int64_t p, int64_t step) {
    const quantizing *q = user;
    float v[ROW];
    ox_dtype t = q->o.t->dtype;
    bool integer = ox_dtype_is_int(t);
    ox_to_floats(q->x->dtype, q->from, at, n, v);
    if (integer && q->divide == OX_FLOAT && !step) {
        ox_q_store(t, q->o.data, at, v, n, q->scale[p], q->zero[p]);
        return;
    }
    for (int64_t i = 0; i < n; i++) v[i] /= q->scale[p + i * step];
    for (int64_t i = 0; i < n && q->divide == OX_FLOAT16; i++) v[i] = ox_half_to_float(ox_float_to_half(v[i]));
    for (int64_t i = 0; i < n && q->divide == OX_BFLOAT16; i++) v[i] = ox_bf16_to_float(ox_float_to_bf16(v[i]));
    for (int64_t i = 0; i < n && integer; i++) v[i] = rintf(v[i]) + q->zero[p + i * step];
    if (integer) ox_q_store(t, q->o.data, at, v, n, 1, 0);
    else store_float(q, at, v, n);
}

/* A whole grid in pieces that threads can take: runs, or parts of the only one. */
typedef void (*piece_fn)(const void *user, int64_t at, int64_t n, int64_t p, int64_t step);
static void each_piece(ox_run *r, const ox_q_grid *g, int64_t count, piece_fn fn, const void *user) {
    enum { PIECE = 1 << 15 };
    int64_t each = g->inner < PIECE ? g->inner : PIECE, parts = each ? (g->inner + each - 1) / each : 0, pieces = g->outer * g->axis * parts;
    int threads = ox_threads_for(r->ctx, count);
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < pieces; i++) {
        int64_t first = i % parts * each, row = i / parts, o = row / g->axis, a = row % g->axis,
                p = o * g->per_outer + a / g->block * g->per_block, n = g->inner - first < each ? g->inner - first : each;
        fn(user, row * g->inner + first, n, p + first * g->per_inner, g->per_inner);
    }
}

/* Floats to 8-bit numbers. */
static void quantize_piece(const void *user, int64_t at, int64_t n, int64_t p, int64_t step) {
    const quantizing *q = user;
    const float *x = (const float *)q->from + at;
    float lo = 0, hi = 0;
    ox_q_limits(q->o.t->dtype, &lo, &hi);
    if (!step) ox_q_store(q->o.t->dtype, q->o.data, at, x, n, q->scale[p], q->zero[p]);
    else ox_qv_quantize_each(x, n, q->scale + p, q->zero + p, (int32_t)lo, (int32_t)hi, (uint8_t *)q->o.data + at);
}

int ox_run_quantize(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *s = ox_input(r, 1), *z = ox_input(r, 2);
    ox_call *c = r->call;
    ox_q_grid g;
    float lo, hi;
    if (!x || !s) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    ox_dtype t = quantized_type(c, z ? z->dtype : OX_UNDEFINED);
    if (t == OX_UNDEFINED || ox_q_grid_of(c, x, s, ox_get_int(c, "axis"), ox_get_int(c, "block_size"), &g)) return -1;
    bool small_float = t >= OX_FLOAT8E4M3FN && t <= OX_FLOAT8E5M2FNUZ;
    if (!ox_q_limits(t, &lo, &hi) && !small_float && t != OX_FLOAT4E2M1) return ox_kernel_no_type(r, t);
    int64_t precision = ox_has(c, "precision") ? ox_get_int(c, "precision") : 0;
    quantizing q = {.x = x,
                    .from = ox_tensor_data(x),
                    .scale = ox_q_scales(r, s, true),
                    .saturate = ox_get_int(c, "saturate") != 0};
    if (q.scale) q.zero = ox_q_zeros(r, z, s->count);
    q.divide = precision ? (ox_dtype)precision : s->dtype;
    if (q.divide != OX_FLOAT16 && q.divide != OX_BFLOAT16) q.divide = OX_FLOAT;
    if (!q.from || !q.zero || ox_mv_begin(r, 0, t, x->rank, x->dims, &q.o)) return -1;
    if (x->dtype == OX_FLOAT && q.divide == OX_FLOAT && (t == OX_INT8 || t == OX_UINT8) && (!z || z->dtype == t))
        each_piece(r, &g, x->count, quantize_piece, &q);
    else
        each_run(&g, quantize_run, &q);
    return ox_mv_done(r, &q.o);
}

/* ------------------------------------------------------------------------------------------------ DequantizeLinear */

static ox_dtype real_type(ox_call *c, ox_dtype scale) {
    int64_t t = ox_has(c, "output_dtype") ? ox_get_int(c, "output_dtype") : 0;
    if (t > 0 && t < OX_DTYPE_COUNT) return (ox_dtype)t;
    return scale == OX_FLOAT8E8M0 ? OX_FLOAT : scale;
}

int ox_infer_dequantize(ox_call *c) {
    ox_dtype x = ox_in_dtype(c, 0), z = ox_in_dtype(c, 2);
    if (check_params(c)) return -1;
    if (x && z && x != z)
        return ox_fail(c->ctx, OX_BAD_DATA, "x is %s, its zero point %s", ox_dtype_name(x), ox_dtype_name(z));
    ox_out_tensor(c, 0, real_type(c, ox_in_dtype(c, 1)), ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

typedef struct dequantizing {
    const ox_tensor *x;
    const void *from;
    const float *scale, *zero;
    float *to;
} dequantizing;

static void dequantize_run(void *user, int64_t at, int64_t n, int64_t p, int64_t step) {
    const dequantizing *d = user;
    float *to = d->to + at;
    ox_to_floats(d->x->dtype, d->from, at, n, to);
    if (!step) {
        float s = d->scale[p], z = d->zero[p];
        for (int64_t i = 0; i < n; i++) to[i] = (to[i] - z) * s;
    } else {
        for (int64_t i = 0; i < n; i++) to[i] = (to[i] - d->zero[p + i]) * d->scale[p + i];
    }
}

/* 8-bit numbers to floats. */
static void dequantize_piece(const void *user, int64_t at, int64_t n, int64_t p, int64_t step) {
    const dequantizing *d = user;
    const uint8_t *x = (const uint8_t *)d->from + at;
    bool is_signed = d->x->dtype == OX_INT8;
    if (step) ox_qv_dequantize_each(x, is_signed, n, d->scale + p, d->zero + p, d->to + at);
    else ox_qv_dequantize(x, is_signed, n, (ox_qparam){d->scale[p], (int32_t)d->zero[p]}, d->to + at);
}

int ox_run_dequantize(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *s = ox_input(r, 1), *z = ox_input(r, 2);
    ox_call *c = r->call;
    ox_q_grid g;
    if (!x || !s) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    if (z && z->dtype != x->dtype)
        return ox_fail(r->ctx, OX_BAD_DATA, "x is %s, its zero point %s", ox_dtype_name(x->dtype),
                       ox_dtype_name(z->dtype));
    if (ox_q_grid_of(c, x, s, ox_get_int(c, "axis"), ox_get_int(c, "block_size"), &g)) return -1;
    dequantizing d = {x, ox_tensor_data(x), ox_q_scales(r, s, false), NULL, NULL};
    if (d.scale) d.zero = ox_q_zeros(r, z, s->count);
    if (!d.from || !d.zero) return -1;
    ox_tensor *out = ox_output(r, 0, real_type(c, s->dtype), x->rank, x->dims);
    if (!out || !(d.to = ox_floats_of(r, out))) return -1;
    if (x->dtype == OX_INT8 || x->dtype == OX_UINT8) each_piece(r, &g, x->count, dequantize_piece, &d);
    else each_run(&g, dequantize_run, &d);
    ox_floats_done(r, out, d.to);
    return 0;
}

/* ------------------------------------------------------------------------------------------------
 * DynamicQuantizeLinear */

static int infer_dynamic(ox_call *c) {
    ox_out_tensor(c, 0, OX_UINT8, ox_in_rank(c, 0), ox_in_dims(c, 0));
    ox_out_tensor(c, 1, OX_FLOAT, 0, NULL);
    ox_out_tensor(c, 2, OX_UINT8, 0, NULL);
    return 0;
}

/* Least and greatest of floats and 0. Parts of equal size; which number is the least does not depend on them. */
static void range_of(ox_run *r, const float *v, int64_t count, float *lo, float *hi) {
    enum { PARTS = 64 };
    float low[PARTS] = {0}, high[PARTS] = {0};
    int64_t each = count / PARTS + 1;
    int threads = ox_threads_for(r->ctx, count);
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < PARTS; i++) {
        int64_t first = i * each, n = count - first < each ? count - first : each;
        if (n > 0) ox_qv_range(v + first, n, &low[i], &high[i]);
    }
    for (int i = 0; i < PARTS; i++) {
        *lo = low[i] < *lo ? low[i] : *lo;
        *hi = high[i] > *hi ? high[i] : *hi;
    }
}

/* What DynamicQuantizeLinear makes of floats: unsigned bytes, their scale and zero point. */
void ox_q_dynamic(ox_run *r, const float *v, int64_t count, uint8_t *y, float *scale, float *zero) {
    float lo = 0, hi = 0;
    range_of(r, v, count, &lo, &hi);
    *scale = (hi - lo) / 255;
    if (!(*scale > 0)) *scale = 1; /* all zero: any scale does */
    *zero = rintf(fminf(fmaxf(-lo / *scale, 0), 255));
    int threads = ox_threads_for(r->ctx, count);
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < count; i += 1 << 15)
        ox_q_store(OX_UINT8, y, i, v + i, count - i < 1 << 15 ? count - i : 1 << 15, *scale, *zero);
}

static int run_dynamic(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    const float *v = x ? ox_as_floats(r, x) : NULL;
    if (!v) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "x is no tensor");
    float scale, zero;
    ox_tensor *y = ox_output(r, 0, OX_UINT8, x->rank, x->dims);
    if (!y) return -1;
    ox_q_dynamic(r, v, x->count, ox_tensor_mut(y), &scale, &zero);
    ox_tensor *s = ox_want(r, 1) ? ox_output(r, 1, OX_FLOAT, 0, NULL) : y,
              *z = ox_want(r, 2) ? ox_output(r, 2, OX_UINT8, 0, NULL) : y;
    if (!s || !z) return -1;
    if (s != y) *(float *)ox_tensor_mut(s) = scale;
    if (z != y) *(uint8_t *)ox_tensor_mut(z) = (uint8_t)zero;
    return 0;
}

OX_FAMILY(quantize, "",
    OP("QuantizeLinear", 28,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|float8e8m0|int32, T3: fp8|int4s|int2s|float4e2m1|float6e2m3|float6e3m2|int16|int8|"
       "uint16|uint8",
       .flags = OX_QUANT, .infer = ox_infer_quantize, .kernel = ox_run_quantize),
    OP("QuantizeLinear", 25,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|float8e8m0|int32, T3: fp8|int4s|int2s|float4e2m1|int16|int8|uint16|uint8"),
    OP("QuantizeLinear", 24,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|float8e8m0|int32, T3: fp8|int4s|float4e2m1|int16|int8|uint16|uint8"),
    OP("QuantizeLinear", 23,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|int32, T3: fp8|int4s|float4e2m1|int16|int8|uint16|uint8"),
    OP("QuantizeLinear", 21,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, saturate: int = 1>(T1 x, T1 "
       "y_scale, T2? y_zero_point) => (T2 y) T1: bfloat16|float|float16|int32, T2: fp8|int4s|int16|int8|"
       "uint16|uint8"),
    OP("QuantizeLinear", 19,
       "<axis: int = 1, saturate: int = 1>(T1 x, T1 y_scale, T2? y_zero_point) => (T2 y) T1: bfloat16|"
       "float|float16|int32, T2: fp8|int8|uint8"),
    OP("QuantizeLinear", 13,
       "<axis: int = 1>(T1 x, float y_scale, T2? y_zero_point) => (T2 y) T1: float|int32, T2: int8|uint8"),
    OP("QuantizeLinear", 10,
       "(T1 x, float y_scale, T2? y_zero_point) => (T2 y) T1: float|int32, T2: int8|uint8"),
    OP("DequantizeLinear", 28,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|int2s|float4e2m1|float6e2m3|float6e3m2|int16|int32|int8|uint16|uint8, "
       "T2: bfloat16|float|float16|float8e8m0, T3: bfloat16|float|float16",
       .flags = OX_QUANT, .infer = ox_infer_dequantize, .kernel = ox_run_dequantize),
    OP("DequantizeLinear", 25,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|int2s|float4e2m1|int16|int32|int8|uint16|uint8, T2: bfloat16|float|"
       "float16|float8e8m0, T3: bfloat16|float|float16"),
    OP("DequantizeLinear", 24,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|float4e2m1|int16|int32|int8|uint16|uint8, T2: bfloat16|float|float16|"
       "float8e8m0, T3: bfloat16|float|float16"),
    OP("DequantizeLinear", 23,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|float4e2m1|int16|int32|int8|uint16|uint8, T2: bfloat16|float|float16, "
       "T3: bfloat16|float|float16"),
    OP("DequantizeLinear", 21,
       "<axis: int = 1, block_size: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) => (T2 y) T1: fp8|"
       "int4s|int16|int32|int8|uint16|uint8, T2: bfloat16|float|float16"),
    OP("DequantizeLinear", 19,
       "<axis: int = 1>(T1 x, T2 x_scale, T1? x_zero_point) => (T2 y) T1: fp8|int32|int8|uint8, T2: "
       "bfloat16|float|float16"),
    OP("DequantizeLinear", 13,
       "<axis: int = 1>(T x, float x_scale, T? x_zero_point) => (float y) T: int32|int8|uint8"),
    OP("DequantizeLinear", 10,
       "(T x, float x_scale, T? x_zero_point) => (float y) T: int32|int8|uint8"),
    OP("DynamicQuantizeLinear", 11,
       "(T1 x) => (T2 y, float y_scale, T2 y_zero_point) T1: float, T2: uint8",
       .flags = OX_QUANT, .infer = infer_dynamic, .kernel = run_dynamic),
    OP("QLinearConv", 10,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T1 x, float x_scale, T1 x_zero_point, T2 w, float w_scale, T2 "
       "w_zero_point, float y_scale, T3 y_zero_point, T4? B) => (T3 y) T1: int8|uint8, T2: int8|uint8, "
       "T3: int8|uint8, T4: int32",
       .infer = ox_infer_qlinear_conv, .kernel = ox_run_qlinear_conv),
    OP("QLinearMatMul", 21,
       "(T1 a, TS a_scale, T1 a_zero_point, T2 b, TS b_scale, T2 b_zero_point, TS y_scale, T3 "
       "y_zero_point) => (T3 y) TS: bfloat16|float|float16, T1: fp8|int8|uint8, T2: fp8|int8|uint8, T3: "
       "fp8|int8|uint8",
       .infer = ox_infer_qlinear_matmul, .kernel = ox_run_qlinear_matmul),
    OP("QLinearMatMul", 10,
       "(T1 a, float a_scale, T1 a_zero_point, T2 b, float b_scale, T2 b_zero_point, float y_scale, T3 "
       "y_zero_point) => (T3 y) T1: int8|uint8, T2: int8|uint8, T3: int8|uint8"),
    OP("ConvInteger", 10,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T1 x, T2 w, T1? x_zero_point, T2? w_zero_point) => (T3 y) T1: int8|"
       "uint8, T2: int8|uint8, T3: int32",
       .infer = ox_infer_conv_integer, .kernel = ox_run_conv_integer),
    OP("MatMulInteger", 10,
       "(T1 A, T2 B, T1? a_zero_point, T2? b_zero_point) => (T3 Y) T1: int8|uint8, T2: int8|uint8, T3: "
       "int32",
       .infer = ox_infer_matmul_integer, .kernel = ox_run_matmul_integer));
