/* com.microsoft: operators on 8-bit elements with one scale and zero point per tensor. y = saturate(round(f(real x) /
 * scale) + zero) with ties to even; functions of one element go through a table of 256. Rows are in microsoft.c. */
#include "cpu/qvec.h"
#include "op/microsoft.h"
#include "op/window.h"

#include <math.h>

/* ------------------------------------------------------------------------------------------------ shared */

typedef struct quant { float scale, zero; } quant;

/* Scale and zero point from inputs i and i + 1. */
static int read_quant(ox_run *r, int i, quant *q) {
    if (ox_q_scalar(r, i, 1, &q->scale) || ox_q_scalar(r, i + 1, 0, &q->zero)) return -1;
    return isfinite(q->scale) && q->scale > 0 ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "scale is %g", (double)q->scale);
}

static const ox_tensor *need_8bit(ox_run *r, int i) {
    const ox_tensor *t = ox_input(r, i);
    if (t && (t->dtype == OX_INT8 || t->dtype == OX_UINT8)) return t;
    ox_fail(r->ctx, OX_BAD_DATA, "input %d is no tensor of 8-bit integers", i);
    return NULL;
}

static inline float real_of(ox_dtype t, const void *data, int64_t i, const quant *q) {
    int v = t == OX_INT8 ? ((const int8_t *)data)[i] : ((const uint8_t *)data)[i];
    return ((float)v - q->zero) * q->scale;
}

/* ------------------------------------------------------------------------------------------------ two inputs */

typedef struct pair {
    ox_dtype type;
    quant a, b, y;
    char op;
    bool vectors; /* the kernels for arrays serve */
} pair;

static ox_qparam whole(const quant *q) { return (ox_qparam){q->scale, (int32_t)q->zero}; }
static bool small(const quant *q) { return fabsf(q->zero) <= 512; }

static void pair_chunk(void *out, const void *const *in, int64_t n, const void *user) {
    const pair *p = user;
    const uint8_t *cond = p->op == '?' ? in[0] : NULL;
    const void *x = in[cond != NULL], *z = in[1 + (cond != NULL)];
    if (p->vectors) {
        ox_qv_pair(p->op, x, z, n, p->type == OX_INT8, whole(&p->a), whole(&p->b), whole(&p->y), out);
        return;
    }
    float v[OX_CHUNK];
    for (int64_t i = 0; i < n; i++) {
        float a = real_of(p->type, x, i, &p->a), b = real_of(p->type, z, i, &p->b);
        v[i] = p->op == '+' ? a + b : p->op == '*' ? a * b : cond[i] ? a : b;
    }
    ox_q_store(p->type, out, 0, v, n, p->y.scale, p->y.zero);
}

/* Two arrays of one shape. */
static int pair_arrays(ox_run *r, const pair *p, const ox_tensor *const *in, ox_tensor *out) {
    const uint8_t *a = ox_tensor_data(in[0]), *b = ox_tensor_data(in[1]);
    uint8_t *y = ox_tensor_mut(out);
    int threads = ox_threads_for(r->ctx, out->count);
    (void)threads;
    if (!a || !b) return -1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < out->count; i += 1 << 15)
        ox_qv_pair(p->op, a + i, b + i, out->count - i < 1 << 15 ? out->count - i : 1 << 15, p->type == OX_INT8, whole(&p->a), whole(&p->b),
                   whole(&p->y), y + i);
    return 0;
}

static int run_pair(ox_run *r, char op, int a, int b, int y) {
    const ox_tensor *in[3];
    int n = 0, rank;
    int64_t *dims;
    pair p = {.op = op};
    if (op == '?') {
        in[n++] = ox_input(r, 0);
        if (!in[0] || in[0]->dtype != OX_BOOL)
            return ox_fail(r->ctx, OX_BAD_DATA, "the condition is no tensor of bools");
    }
    if (!(in[n++] = need_8bit(r, a)) || !(in[n++] = need_8bit(r, b))) return -1;
    p.type = in[n - 1]->dtype;
    if (in[n - 2]->dtype != p.type) return ox_fail(r->ctx, OX_BAD_DATA, "the inputs differ in type");
    if (read_quant(r, a + 1, &p.a) || read_quant(r, b + 1, &p.b) || read_quant(r, y, &p.y)) return -1;
    p.vectors = op != '?' && small(&p.a) && small(&p.b) && small(&p.y);
    if (ox_loop_shape(r, n, in, &rank, &dims)) return -1;
    ox_tensor *out = ox_output(r, 0, p.type, rank, dims);
    if (out && p.vectors && in[0]->count == out->count && in[1]->count == out->count) return pair_arrays(r, &p, in, out);
    ox_dtype as[3] = {op == '?' ? OX_BOOL : p.type, p.type, p.type};
    return out ? ox_elementwise(r, out, p.type, n, in, as, pair_chunk, &p) : -1;
}

int ox_ms_run_q_add(ox_run *r) { return run_pair(r, '+', 0, 3, 6); }
int ox_ms_run_q_mul(ox_run *r) { return run_pair(r, '*', 0, 3, 6); }
int ox_ms_run_q_where(ox_run *r) { return run_pair(r, '?', 1, 4, 7); }

/* ------------------------------------------------------------------------------------------------ one input */

/* Replaces every element by its entry in a table made from `fn`. */
static int run_table(ox_run *r, float (*fn)(float v, float param), float param) {
    const ox_tensor *x = need_8bit(r, 0);
    const uint8_t *data = x ? ox_tensor_data(x) : NULL;
    quant qx, qy;
    uint8_t table[256], code;
    if (!data || read_quant(r, 1, &qx) || read_quant(r, 3, &qy)) return -1;
    for (int i = 0; i < 256; i++) {
        code = (uint8_t)i;
        float v = fn(real_of(x->dtype, &code, 0, &qx), param);
        ox_q_store(x->dtype, table, i, &v, 1, qy.scale, qy.zero);
    }
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    if (!y) return -1;
    uint8_t *out = ox_tensor_mut(y);
    int threads = ox_threads_for(r->ctx, x->count);
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < x->count; i += 1 << 15)
        ox_qv_table(data + i, x->count - i < 1 << 15 ? x->count - i : 1 << 15, table, out + i);
    return 0;
}

static float sigmoid(float v, float unused) {
    (void)unused;
    return 1 / (1 + expf(-v));
}
static float leaky(float v, float alpha) { return v < 0 ? v * alpha : v; }
int ox_ms_run_q_sigmoid(ox_run *r) { return run_table(r, sigmoid, 0); }
int ox_ms_run_q_leaky_relu(ox_run *r) { return run_table(r, leaky, (float)ox_get_float(r->call, "alpha")); }

int ox_ms_run_q_softmax(ox_run *r) {
    const ox_tensor *x = need_8bit(r, 0);
    const void *data = x ? ox_tensor_data(x) : NULL;
    quant qx, qy;
    if (!data || read_quant(r, 1, &qx) || read_quant(r, 3, &qy)) return -1;
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), inner;
    if (axis < 0) return -1;
    bool flat = ox_get_int(r->call, "opset") < 13; /* everything from the axis on is one row */
    int64_t n = flat ? ox_mv_product(x->rank - (int)axis, x->dims + axis) : x->dims[axis];
    inner = flat ? 1 : ox_mv_product(x->rank - (int)axis - 1, x->dims + axis + 1);
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    float *row = y ? ox_scratch(r, ((uint64_t)n + 1) * sizeof *row) : NULL;
    if (!row) return -1;
    for (int64_t at = 0; at < x->count; at += n * inner)
        for (int64_t k = 0; k < inner; k++) {
            float max = -INFINITY, sum = 0;
            for (int64_t i = 0; i < n; i++) max = fmaxf(max, row[i] = real_of(x->dtype, data, at + i * inner + k, &qx));
            for (int64_t i = 0; i < n; i++) sum += row[i] = expf(row[i] - max);
            for (int64_t i = 0; i < n; i++) {
                float v = row[i] / sum;
                ox_q_store(x->dtype, ox_tensor_mut(y), at + i * inner + k, &v, 1, qy.scale, qy.zero);
            }
        }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ QLinearConcat */

/* Inputs: scale and zero point of the output, then tensor, scale, zero point of each part. */
int ox_ms_infer_q_concat(ox_call *c) {
    int rank = -1, parts = (c->n_in - 2) / 3;
    bool bad = false;
    if (c->n_in < 5 || (c->n_in - 2) % 3) return ox_fail(c->ctx, OX_BAD_DATA, "%d inputs", c->n_in);
    for (int i = 0; i < parts && rank < 0; i++) rank = ox_in_rank(c, 2 + 3 * i);
    ox_dim *d = ox_mv_no_dims(c, rank), sum = ox_dim_const(c->ctx, 0);
    int64_t axis = rank < 0 ? 0 : ox_axis(c, ox_get_int(c, "axis"), rank, "axis");
    if (axis < 0) return -1;
    for (int i = 0; i < parts && rank >= 0; i++) {
        const ox_dim *p = ox_in_dims(c, 2 + 3 * i);
        if (p && ox_in_rank(c, 2 + 3 * i) != rank) return ox_fail(c->ctx, OX_BAD_DATA, "the parts differ in rank");
        for (int k = 0; p && k < rank; k++)
            d[k] = ox_mv_same_dim(c, k == axis ? NULL : d[k], p[k], "QLinearConcat", &bad);
        sum = ox_dim_add(c->ctx, sum, p ? p[axis] : NULL);
    }
    if (bad) return -1;
    if (rank > 0) d[axis] = sum;
    ox_out_tensor(c, 0, ox_in_dtype(c, 1), rank, d);
    return 0;
}

int ox_ms_run_q_concat(ox_run *r) {
    const ox_tensor *yz = need_8bit(r, 1), *first = ox_input(r, 2);
    int parts = (r->call->n_in - 2) / 3, rank = first ? first->rank : 0;
    quant qy, qx;
    if (!yz || !first || read_quant(r, 0, &qy)) return -1;
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), rank, "axis"),
            *dims = OX_NEW_N(r->arena, int64_t, rank + 1);
    if (axis < 0) return -1;
    for (int i = 0; i < parts; i++) {
        const ox_tensor *x = need_8bit(r, 2 + 3 * i);
        bool fits = x && x->rank == rank;
        for (int k = 0; k < rank && fits; k++) {
            fits = k == axis ? ox_add_ok(dims[k], x->dims[k], &dims[k]) : i == 0 || dims[k] == x->dims[k];
            if (k != axis) dims[k] = x->dims[k];
        }
        if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "part %d does not fit", i);
    }
    ox_tensor *y = ox_output(r, 0, yz->dtype, rank, dims);
    if (!y) return -1;
    int64_t outer = ox_mv_product((int)axis, dims), inner = ox_mv_product(rank - (int)axis - 1, dims + axis + 1),
            at = 0;
    for (int i = 0; i < parts; i++) {
        const ox_tensor *x = ox_input(r, 2 + 3 * i);
        const uint8_t *data = ox_tensor_data(x);
        uint8_t table[256], code, *out = ox_tensor_mut(y);
        if (!data || read_quant(r, 3 + 3 * i, &qx)) return -1;
        for (int k = 0; k < 256; k++) {
            code = (uint8_t)k;
            float v = real_of(x->dtype, &code, 0, &qx);
            ox_q_store(yz->dtype, table, k, &v, 1, qy.scale, qy.zero);
        }
        int64_t width = x->dims[axis] * inner, row = dims[axis] * inner;
        for (int64_t o = 0; o < outer; o++)
            ox_qv_table(data + o * width, width, table, out + o * row + at);
        at += width;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ pools */

/* Moves channels of dims to place 1 (from the end) or back. */
static void channels_first(int rank, const int64_t *dims, int64_t *out) {
    out[0] = dims[0];
    out[1] = dims[rank - 1];
    for (int i = 2; i < rank; i++) out[i] = dims[i - 1];
}

int ox_ms_infer_q_global_average_pool(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    bool last = ox_get_int(c, "channels_last") != 0;
    if (rank >= 0 && rank < 3) return ox_fail(c->ctx, OX_BAD_DATA, "X has rank %d", rank);
    ox_dim *d = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++)
        d[i] = i == 0 || i == (last ? rank - 1 : 1) ? ox_in_dims(c, 0)[i] : ox_dim_const(c->ctx, 1);
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, d);
    return 0;
}

int ox_ms_infer_q_average_pool(ox_call *c) {
    int rank = ox_in_rank(c, 0), last = ox_get_int(c, "channels_last") != 0;
    bool failed = false;
    ox_window w;
    if (rank >= 0 && rank < 3) return ox_fail(c->ctx, OX_BAD_DATA, "X has rank %d", rank);
    ox_dim *d = ox_mv_no_dims(c, rank);
    if (rank >= 0 && ox_window_init(&w, c, c->arena, rank - 2, NULL)) return -1;
    for (int i = 0; i < rank; i++) {
        int k = i - 2 + last;
        bool spatial = i > 0 && k >= 0 && k < rank - 2;
        d[i] = spatial ? ox_window_dim(c->ctx, &w, k, ox_in_dims(c, 0)[i], &failed) : ox_in_dims(c, 0)[i];
    }
    if (failed) return -1;
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, d);
    return 0;
}

typedef struct pool {
    const ox_tensor *x;
    const void *data;
    quant qx, qy;
    bool last;
    int64_t batch, channels, plane, *dims; /* dims: channels first */
} pool;

static int pool_open(ox_run *r, pool *p) {
    p->x = need_8bit(r, 0);
    p->data = p->x ? ox_tensor_data(p->x) : NULL;
    if (!p->data || read_quant(r, 1, &p->qx) || read_quant(r, 3, &p->qy)) return -1;
    if (p->x->rank < 3) return ox_fail(r->ctx, OX_BAD_DATA, "X has rank %d", p->x->rank);
    p->last = ox_get_int(r->call, "channels_last") != 0;
    p->dims = OX_NEW_N(r->arena, int64_t, p->x->rank);
    for (int i = 0; i < p->x->rank; i++) p->dims[i] = p->x->dims[i];
    if (p->last) channels_first(p->x->rank, p->x->dims, p->dims);
    p->batch = p->dims[0];
    p->channels = p->dims[1];
    p->plane = ox_mv_product(p->x->rank - 2, p->dims + 2);
    return 0;
}

/* An output with these spatial sizes, in the layout of the input. */
static ox_tensor *pool_output(ox_run *r, const pool *p, const int64_t *sizes) {
    int rank = p->x->rank;
    int64_t *d = OX_NEW_N(r->arena, int64_t, rank);
    d[0] = p->batch;
    d[p->last ? rank - 1 : 1] = p->channels;
    for (int i = 0; i < rank - 2; i++) d[i + (p->last ? 1 : 2)] = sizes[i];
    return ox_output(r, 0, p->x->dtype, rank, d);
}

int ox_ms_run_q_global_average_pool(ox_run *r) {
    pool p;
    if (pool_open(r, &p)) return -1;
    int64_t *ones = OX_NEW_N(r->arena, int64_t, p.x->rank);
    for (int i = 0; i < p.x->rank; i++) ones[i] = 1;
    ox_tensor *y = pool_output(r, &p, ones);
    if (!y) return -1;
    for (int64_t i = 0; i < p.batch * p.channels; i++) {
        int64_t sum = 0, b = i / p.channels, c = i % p.channels;
        for (int64_t k = 0; k < p.plane; k++) {
            int64_t at = p.last ? (b * p.plane + k) * p.channels + c : i * p.plane + k;
            sum += p.x->dtype == OX_INT8 ? ((const int8_t *)p.data)[at] : ((const uint8_t *)p.data)[at];
        }
        float v = ((float)sum - p.qx.zero * (float)p.plane) * (p.qx.scale / (float)p.plane);
        ox_q_store(p.x->dtype, ox_tensor_mut(y), i, &v, 1, p.qy.scale, p.qy.zero);
    }
    return 0;
}

/* Sum and count of one window. `pad`: places in the pads count, those beyond them (ceil_mode) do not. */
static float window_mean(const pool *p, const ox_window *w, const int64_t *at, int64_t b, int64_t c, bool pad) {
    int n = w->n;
    int64_t sum = 0, inside = 0, counted = 0, total = 1;
    for (int i = 0; i < n; i++) total *= w->kernel[i];
    for (int64_t k = 0; k < total; k++) {
        int64_t rest = k, place = 0, stride = 1;
        bool in = true, padded = true;
        for (int i = n - 1; i >= 0; i--) {
            int64_t pos = at[i] * w->stride[i] - w->begin[i] + rest % w->kernel[i] * w->dilation[i],
                    size = p->dims[2 + i];
            rest /= w->kernel[i];
            in &= pos >= 0 && pos < size;
            padded &= pos < size + w->end[i];
            place += pos * stride;
            stride *= size;
        }
        counted += pad ? padded : in;
        if (!in) continue;
        int64_t from = p->last ? (b * p->plane + place) * p->channels + c : (b * p->channels + c) * p->plane + place;
        sum += p->x->dtype == OX_INT8 ? ((const int8_t *)p->data)[from] : ((const uint8_t *)p->data)[from];
        inside++;
    }
    return counted ? ((float)sum - p->qx.zero * (float)inside) * p->qx.scale / (float)counted : 0;
}

int ox_ms_run_q_average_pool(ox_run *r) {
    pool p;
    ox_window w;
    if (pool_open(r, &p)) return -1;
    int n = p.x->rank - 2;
    int64_t *out = OX_NEW_N(r->arena, int64_t, n), *at = OX_NEW_N(r->arena, int64_t, n);
    if (ox_window_init(&w, r->call, r->arena, n, NULL) || ox_window_sizes(r->ctx, &w, p.dims + 2, out)) return -1;
    ox_tensor *y = pool_output(r, &p, out);
    if (!y) return -1;
    bool pad = ox_get_int(r->call, "count_include_pad") != 0;
    int64_t plane = ox_mv_product(n, out);
    for (int64_t i = 0; i < p.batch * p.channels && plane; i++)
        for (int64_t k = 0; k < plane; k++) {
            int64_t rest = k, b = i / p.channels, c = i % p.channels;
            for (int a = n - 1; a >= 0; a--) {
                at[a] = rest % out[a];
                rest /= out[a];
            }
            float v = window_mean(&p, &w, at, b, c, pad);
            int64_t to = p.last ? (b * plane + k) * p.channels + c : i * plane + k;
            ox_q_store(p.x->dtype, ox_tensor_mut(y), to, &v, 1, p.qy.scale, p.qy.zero);
        }
    return 0;
}
