/* Kernel of Attention: blocks of queries against all keys of a head. Computed in float, or in double for double; for
 * the narrower types every step is rounded to the type, as the steps of the operator's definition are. */
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

#define REAL float
#define R(name) name##_float
#define GEMM ox_sgemm
#define EXP ox_fast_exp
#define TANH ox_fast_tanh
#define AS ox_as_floats
#define OUT ox_floats_of
#define DONE ox_floats_done
#include "op/attention_real.h"
#undef REAL
#undef R
#undef GEMM
#undef EXP
#undef TANH
#undef AS
#undef OUT
#undef DONE
#define REAL double
#define R(name) name##_double
#define GEMM ox_dgemm
#define EXP exp
#define TANH tanh
#define AS ox_as_doubles
#define OUT doubles_of
#define DONE doubles_done
#include "op/attention_real.h"
#undef REAL
#undef R
#undef GEMM
#undef EXP
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
    return v.t1 == OX_DOUBLE ? run_double(r, &v, y) : run_float(r, &v, y);
}
