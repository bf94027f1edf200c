/* Kernel of Attention: blocks of queries against all keys of a head. Computed in float, or in double for double; for
 * the narrower types every step is rounded to the type, as the steps of the operator's definition are. */
#include "cpu/gemm.h"
#include "cpu/vec.h"
#include "op/blas.h"
#include "op/compute.h"

enum { BLOCK = 64 };

typedef struct attention {
    bool flat, causal; /* flat: inputs of rank 3 */
    int64_t batch, heads, kv_heads, queries, past, total, size, v_size;
    int64_t left, right, mode;
    int64_t mask_step[3],
        mask_length; /* strides of the mask over batch, heads, queries (0: broadcast); keys it tells of */
    const int64_t *offset, *valid;     /* per batch: keys before the first query; keys that count (NULL: all) */
    double root, softcap;
    ox_dtype t1, t2;
} attention;

static double *doubles_of(ox_run *r, ox_tensor *t) {
    return t->dtype == OX_DOUBLE ? ox_tensor_mut(t) : ox_scratch(r, (uint64_t)t->count * sizeof(double));
}

static void doubles_done(ox_run *r, ox_tensor *t, const double *from) {
    (void)r;
    if (t->dtype != OX_DOUBLE) ox_store_doubles(t->dtype, ox_tensor_mut(t), t->count, from);
}

/* Rounds numbers to the element type they stand for. */
static void settle_float(ox_dtype t, float *x, int64_t n) {
    uint16_t narrow[256];
    for (int64_t i = 0; i < n && t != OX_FLOAT; i += 256) {
        int64_t k = n - i < 256 ? n - i : 256;
        ox_from_floats(t, narrow, 0, k, x + i);
        ox_to_floats(t, narrow, 0, k, x + i);
    }
}

static void settle_double(ox_dtype t, double *x, int64_t n) {
    (void)t;
    (void)x;
    (void)n;
}

/* The keys that query i of batch b may see: [*lo, *hi). */
static void visible(const attention *v, int64_t b, int64_t i, int64_t *lo, int64_t *hi) {
    int64_t place = v->offset[b] + i, end = v->valid && v->valid[b] < v->total ? v->valid[b] : v->total;
    if (v->causal && place + 1 < end) end = place + 1;
    if (v->right >= 0 && place + v->right + 1 < end) end = place + v->right + 1;
    *lo = v->left >= 0 && place - v->left > 0 ? place - v->left : 0;
    *hi = end > *lo ? end : *lo;
}

static void softmax_double(double *x, int64_t n, double max) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += x[j] = exp(x[j] - max);
    for (int64_t j = 0; j < n; j++) x[j] /= sum;
}

#define REAL float
#define R(name) name##_float
#define GEMM ox_sgemm
#define SOFTMAX(x, n, max) ox_vec_table()->softmax(x, x, n)
#define TANH ox_fast_tanh
#define AS ox_as_floats
#define OUT ox_floats_of
#define DONE ox_floats_done
#include "op/attention_real.h"
#undef REAL
#undef R
#undef GEMM
#undef SOFTMAX
#undef TANH
#undef AS
#undef OUT
#undef DONE
#define REAL double
#define R(name) name##_double
#define GEMM ox_dgemm
#define SOFTMAX softmax_double
#define TANH tanh
#define AS ox_as_doubles
#define OUT doubles_of
#define DONE doubles_done
#include "op/attention_real.h"
#undef REAL
#undef R
#undef GEMM
#undef SOFTMAX
#undef TANH
#undef AS
#undef OUT
#undef DONE

/* ---- reading and checking */

static int bad_shapes(ox_run *r, const char *what) {
    return ox_fail(r->ctx, OX_BAD_DATA, "%s does not fit the other inputs", what);
}

static int read_shapes(ox_run *r, attention *v, const ox_tensor *q, const ox_tensor *k, const ox_tensor *val) {
    if (q->rank != k->rank || q->rank != val->rank || (q->rank != 3 && q->rank != 4))
        return ox_fail(r->ctx, OX_BAD_DATA, "Q, K and V must all have rank 3 or all rank 4");
    v->flat = q->rank == 3;
    v->heads = v->flat ? ox_get_int(r->call, "q_num_heads") : q->dims[1];
    v->kv_heads = v->flat ? ox_get_int(r->call, "kv_num_heads") : k->dims[1];
    if (v->heads < 1 || v->kv_heads < 1 || v->heads % v->kv_heads)
        return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " and %" PRId64 " heads cannot be", v->heads, v->kv_heads);
    int seq = v->flat ? 1 : 2;
    v->batch = q->dims[0];
    v->queries = q->dims[seq];
    v->total = k->dims[seq];
    v->size = v->flat ? q->dims[2] / v->heads : q->dims[3];
    v->v_size = v->flat ? val->dims[2] / v->kv_heads : val->dims[3];
    if (v->flat && (q->dims[2] % v->heads || k->dims[2] != v->size * v->kv_heads || val->dims[2] % v->kv_heads))
        return bad_shapes(r, "a hidden size");
    if (!v->flat && (k->dims[3] != v->size || val->dims[1] != v->kv_heads)) return bad_shapes(r, "K or V");
    if (k->dims[0] != v->batch || val->dims[0] != v->batch || val->dims[seq] != v->total)
        return bad_shapes(r, "K or V");
    return 0;
}

static int read_past(ox_run *r, attention *v) {
    const ox_tensor *k = ox_input(r, 4), *val = ox_input(r, 5);
    if (!k != !val) return ox_fail(r->ctx, OX_BAD_DATA, "past_key and past_value must be given together");
    if (!k) return 0;
    v->past = k->rank == 4 ? k->dims[2] : 0;
    const int64_t want_k[4] = {v->batch, v->kv_heads, v->past, v->size},
                  want_v[4] = {v->batch, v->kv_heads, v->past, v->v_size};
    if (k->rank != 4 || val->rank != 4 || memcmp(k->dims, want_k, sizeof want_k) ||
        memcmp(val->dims, want_v, sizeof want_v))
        return bad_shapes(r, "past_key or past_value");
    v->total += v->past;
    return 0;
}

/* The mask broadcasts to [batch, heads, queries, keys]; its last axis may be shorter than the keys. */
static int read_mask(ox_run *r, attention *v) {
    const ox_tensor *m = ox_input(r, 3);
    if (!m) return 0;
    if (m->rank < 1 || m->rank > 4) return ox_fail(r->ctx, OX_BAD_DATA, "the mask has rank %d", m->rank);
    if (!ox_dtype_is_float(m->dtype) && !ox_dtype_is_int(m->dtype) && m->dtype != OX_BOOL)
        return ox_kernel_no_type(r, m->dtype);
    const int64_t want[3] = {v->batch, v->heads, v->queries};
    int64_t step = v->mask_length = m->dims[m->rank - 1];
    if (v->mask_length > v->total) return bad_shapes(r, "the mask");
    for (int d = m->rank - 2; d >= 0; d--) {
        int at = 3 - (m->rank - 1 - d);
        if (m->dims[d] != 1 && m->dims[d] != want[at]) return bad_shapes(r, "the mask");
        v->mask_step[at] = m->dims[d] == 1 ? 0 : step;
        step *= m->dims[d];
    }
    return 0;
}

static int read_offsets(ox_run *r, attention *v) {
    int64_t n, *offset = OX_NEW_N(r->arena, int64_t, v->batch + 1);
    v->valid = ox_input(r, 6) ? ox_run_ints(r, 6, &n) : NULL;
    if (ox_input(r, 6) && !v->valid) return -1;
    if (v->valid && n != v->batch) return bad_shapes(r, "nonpad_kv_seqlen");
    if (v->valid && ox_input(r, 4))
        return ox_fail(r->ctx, OX_BAD_DATA, "nonpad_kv_seqlen and past_key exclude each other");
    for (int64_t b = 0; b < v->batch; b++) {
        if (v->valid && (v->valid[b] < 0 || v->valid[b] > v->total)) return bad_shapes(r, "nonpad_kv_seqlen");
        offset[b] = v->valid ? v->valid[b] - v->queries : v->past;
    }
    v->offset = offset;
    return 0;
}

static int64_t bounded(int64_t window) { return window > INT32_MAX ? -1 : window; }

static int read_attributes(ox_run *r, attention *v) {
    double scale = ox_has(r->call, "scale") ? ox_get_float(r->call, "scale") : 1 / sqrt((double)v->size);
    v->causal = ox_get_int(r->call, "is_causal") != 0;
    v->softcap = ox_get_float(r->call, "softcap");
    v->mode = ox_get_int(r->call, "qk_matmul_output_mode");
    v->left = ox_get_int(r->call, "left_window_size");
    v->right = ox_get_int(r->call, "right_window_size");
    if (v->left < -1 || v->right < -1) return ox_fail(r->ctx, OX_BAD_DATA, "a window size cannot be below -1");
    if (v->mode < 0 || v->mode > 3)
        return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'qk_matmul_output_mode' is %" PRId64, v->mode);
    v->left = bounded(v->left);
    v->right = bounded(v->right);
    ox_store_double(v->t1, &v->root, 0, sqrt(scale));
    v->root = ox_load_double(v->t1, &v->root, 0); /* as the type can hold it */
    return 0;
}

/* ---- floats: operands where they lie, only keys that a query can see, rows by vectors */

typedef struct operand {
    const float *data;
    int64_t batch, head, row; /* steps */
} operand;

typedef struct fast {
    const attention *v;
    operand q, k, val;
    const float *mask;
    float *y;
} fast;

static operand operand_of(const attention *v, const float *x, int64_t heads, int64_t length, int64_t size) {
    return v->flat ? (operand){x, length * heads * size, size, heads * size} : (operand){x, heads * length * size, length * size, size};
}

/* Keys or values: as they are, or behind those of the past, as an output or in scratch. False after ox_fail(). */
static bool with_past(ox_run *r, const attention *v, int input, int64_t size, operand *o) {
    const ox_tensor *now = ox_input(r, input), *old = ox_input(r, input + 3);
    const float *x = ox_tensor_data(now), *past = old ? ox_tensor_data(old) : NULL;
    if (!x || (old && !past)) return false;
    int64_t length = v->total - v->past;
    *o = operand_of(v, x, v->kv_heads, length, size);
    if (!old && !ox_want(r, input)) return true;
    const int64_t dims[4] = {v->batch, v->kv_heads, v->total, size};
    ox_tensor *t = ox_want(r, input) ? ox_output(r, input, OX_FLOAT, 4, dims) : NULL;
    if (ox_want(r, input) && !t) return false;
    float *to = t ? ox_tensor_mut(t) : ox_scratch(r, (uint64_t)(v->batch * v->kv_heads * v->total) * (uint64_t)size * sizeof *to);
    for (int64_t i = 0; to && i < v->batch * v->kv_heads; i++) {
        const float *from = x + i / v->kv_heads * o->batch + i % v->kv_heads * o->head;
        if (v->past) memcpy(to + i * v->total * size, past + i * v->past * size, (size_t)(v->past * size) * sizeof *to);
        for (int64_t t2 = 0; t2 < length; t2++) memcpy(to + (i * v->total + v->past + t2) * size, from + t2 * o->row, (size_t)size * sizeof *to);
    }
    *o = (operand){to, v->kv_heads * v->total * size, v->total * size, size};
    return to != NULL;
}

/* A row of scores of LENGTH keys becomes weights. */
static void weigh_row(const fast *f, const ox_vec *vec, int64_t b, int64_t h, int64_t i, float *s, int64_t length) {
    const attention *v = f->v;
    int64_t lo, hi;
    visible(v, b, i, &lo, &hi);
    if (lo > length) lo = length;
    if (f->mask && hi > v->mask_length) hi = v->mask_length > lo ? v->mask_length : lo;
    const float *mask = f->mask ? f->mask + b * v->mask_step[0] + h * v->mask_step[1] + i * v->mask_step[2] : NULL;
    if (mask && hi > lo && vec->fold(OX_FOLD_MAX, mask + lo, hi - lo) == -INFINITY) hi = lo;
    for (int64_t j = 0; j < lo; j++) s[j] = 0;
    for (int64_t j = hi; j < length; j++) s[j] = 0;
    if (hi <= lo) return;
    if (mask) vec->fn2[OX_FN2_ADD][OX_VV](s + lo, s + lo, mask + lo, hi - lo);
    vec->softmax(s + lo, s + lo, hi - lo);
}

/* Queries [first, first + n) of one head; S: room for n rows of scores. */
static void attend_fast(const fast *f, int64_t head, int64_t first, int64_t n, float *s) {
    const attention *v = f->v;
    const ox_vec *vec = ox_vec_table();
    int64_t b = head / v->heads, h = head % v->heads, kv = h / (v->heads / v->kv_heads), length = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t lo, hi;
        visible(v, b, first + i, &lo, &hi);
        length = hi > length ? hi : length;
    }
    if (length > v->total) length = v->total;
    float *y = v->flat ? f->y + ((b * v->queries + first) * v->heads + h) * v->v_size : f->y + (head * v->queries + first) * v->v_size;
    const float *q = f->q.data + b * f->q.batch + h * f->q.head + first * f->q.row, *k = f->k.data + b * f->k.batch + kv * f->k.head;
    ox_gemm(1, false, true, n, length, v->size, (float)(v->root * v->root), q, f->q.row, k, f->k.row, false, NULL, NULL, s, length);
    if (v->softcap > 0) {
        float cap = (float)v->softcap;
        vec->fn2[OX_FN2_DIV][OX_VS](s, s, &cap, n * length);
        vec->fn[OX_FN_TANH](s, s, n * length, NULL);
        vec->fn2[OX_FN2_MUL][OX_VS](s, s, &cap, n * length);
    }
    for (int64_t i = 0; i < n; i++) weigh_row(f, vec, b, h, first + i, s + i * length, length);
    ox_gemm(1, false, false, n, v->v_size, length, 1, s, length, f->val.data + b * f->val.batch + kv * f->val.head, f->val.row, false, NULL, NULL, y,
            v->flat ? v->heads * v->v_size : v->v_size);
}

static int run_fast(ox_run *r, const attention *v, ox_tensor *y) {
    const ox_tensor *mask = ox_input(r, 3);
    const float *q = ox_tensor_data(ox_input(r, 0));
    fast f = {.v = v, .y = ox_tensor_mut(y), .mask = mask ? mask_of_float(r, mask) : NULL};
    if (!q || !f.y || (mask && !f.mask) || !with_past(r, v, 1, v->size, &f.k) || !with_past(r, v, 2, v->v_size, &f.val)) return -1;
    if (!y->count) return 0;
    f.q = operand_of(v, q, v->heads, v->queries, v->size);
    int64_t blocks = (v->queries + BLOCK - 1) / BLOCK, jobs = v->batch * v->heads * blocks, room;
    if (!ox_mul_ok(v->queries < BLOCK ? v->queries : BLOCK, v->total, &room)) return ox_fail(r->ctx, OX_NO_MEMORY, "too many keys");
    const int threads = jobs > 1 ? ox_threads_for(r->ctx, v->batch * v->heads * v->queries * v->total) : 1;
    float *all = ox_scratch(r, (uint64_t)room * (uint64_t)threads * sizeof *all);
    if (!all) return -1;
    OX_EACH(threads, job, jobs, {
        int64_t first = job % blocks * BLOCK;
        int64_t n = v->queries - first < BLOCK ? v->queries - first : BLOCK;
        attend_fast(&f, job / blocks, first, n, all + ox_thread_index() * room);
    });
    return 0;
}

int ox_run_attention(ox_run *r) {
    attention v = {0};
    const ox_tensor *q = ox_need(r, 0), *k = ox_need(r, 1), *val = ox_need(r, 2);
    if (!q || !k || !val || !ox_ok_float(r, q) || !ox_ok_float(r, k) || !ox_ok_float(r, val)) return -1;
    v.t1 = q->dtype;
    v.t2 = val->dtype;
    if (read_shapes(r, &v, q, k, val) < 0 || read_past(r, &v) < 0 || read_mask(r, &v) < 0 || read_offsets(r, &v) < 0 ||
        read_attributes(r, &v) < 0)
        return -1;
    const int64_t flat[3] = {v.batch, v.queries, v.heads * v.v_size}, full[4] = {v.batch, v.heads, v.queries, v.v_size};
    ox_tensor *y = ox_output(r, 0, v.t1, v.flat ? 3 : 4, v.flat ? flat : full);
    if (!y) return -1;
    if (v.t1 == OX_FLOAT && v.t2 == OX_FLOAT && !ox_want(r, 3)) return run_fast(r, &v, y);
    return v.t1 == OX_DOUBLE ? run_double(r, &v, y) : run_float(r, &v, y);
}
