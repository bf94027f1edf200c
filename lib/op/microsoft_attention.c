/* com.microsoft: Attention, QAttention and MultiHeadAttention, and the core that GroupQueryAttention uses too. Rows are in microsoft.c. */
#include "op/microsoft_attention.h"
#include "cpu/vec.h"
#include "op/blas.h"
#include "op/compose.h"

enum { BLOCK = 64 };

/* ------------------------------------------------------------------------------------------------ the core */

/* One row of scores to probabilities; keys outside [lo, hi) have none. */
static void soften(const ox_ms_attention *a, int64_t head, float *s, int64_t lo, int64_t hi) {
    for (int64_t j = 0; j < lo; j++) s[j] = 0;
    for (int64_t j = hi; j < a->keys; j++) s[j] = 0;
    if (!a->smooth) {
        ox_vec_table()->softmax(s + lo, s + lo, hi - lo);
        return;
    }
    float top = a->sink ? a->sink[head] : 0;
    for (int64_t j = lo; j < hi; j++) top = s[j] > top ? s[j] : top;
    double sum = (double)ox_fast_exp((a->sink ? a->sink[head] : 0) - top);
    for (int64_t j = lo; j < hi; j++) sum += (double)(s[j] = ox_fast_exp(s[j] - top));
    float f = (float)(1 / sum);
    for (int64_t j = lo; j < hi; j++) s[j] *= f;
}

/* Query i of a head: its scores come in, its probabilities go out. */
static void weigh(const ox_ms_attention *a, int64_t b, int64_t h, int64_t i, float *s) {
    int64_t place = (a->past ? a->past[b] : 0) + i, hi = a->valid ? a->valid[b] : a->keys, lo = 0;
    if (a->causal && hi > place + 1) hi = place + 1;
    if (a->window >= 0 && place - a->window > 0) lo = place - a->window;
    if (lo > hi) lo = hi;
    if (a->softcap > 0)
        for (int64_t j = lo; j < hi; j++) s[j] = a->softcap * ox_fast_tanh(s[j] / a->softcap);
    const float *bias = a->bias ? a->bias + b * a->bias_batch + h * a->bias_head + i * a->bias_query : NULL,
                *mask = a->mask ? a->mask + b * a->mask_batch + i * a->mask_query : NULL;
    for (int64_t j = lo; bias && j < hi; j++) s[j] += bias[j];
    for (int64_t j = lo; mask && j < hi; j++) s[j] += mask[j];
    if (a->scores) memcpy(a->scores + ((b * a->heads + h) * a->queries + i) * a->keys, s, (size_t)a->keys * sizeof *s);
    if (hi > lo) soften(a, h, s, lo, hi);
    else memset(s, 0, (size_t)a->keys * sizeof *s);
    if (a->probabilities) memcpy(a->probabilities + ((b * a->heads + h) * a->queries + i) * a->keys, s, (size_t)a->keys * sizeof *s);
}

int ox_ms_attend(ox_run *r, const ox_ms_attention *a) {
    int64_t blocks = (a->queries + BLOCK - 1) / BLOCK, jobs = a->batch * a->heads * blocks,
            room = (a->queries < BLOCK ? a->queries : BLOCK) * a->keys, steps;
    if (!ox_mul_ok(jobs * BLOCK, a->keys, &steps)) steps = INT64_MAX;
    const int threads = jobs > 1 ? ox_threads_for(r->ctx, steps) : 1;
    float *all = ox_scratch(r, ((uint64_t)room + 1) * (uint64_t)threads * sizeof *all);
    if (!all) return -1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t job = 0; job < jobs; job++) {
        int64_t head = job / blocks, b = head / a->heads, h = head % a->heads, first = job % blocks * BLOCK,
                n = a->queries - first < BLOCK ? a->queries - first : BLOCK,
                kv = b * a->kv_heads + h / (a->heads / a->kv_heads);
        float *s = all + ox_thread_index() * room;
        ox_sgemm(r->ctx, false, true, n, a->keys, a->size, a->scale, a->q + (head * a->queries + first) * a->size, a->size,
                 a->k + kv * a->keys * a->size, a->size, 0, s, a->keys);
        for (int64_t i = 0; i < n; i++) weigh(a, b, h, first + i, s + i * a->keys);
        ox_sgemm(r->ctx, false, false, n, a->v_size, a->keys, 1, s, a->keys, a->v + kv * a->keys * a->v_size, a->v_size, 0,
                 a->y + ((b * a->queries + first) * a->heads + h) * a->v_size, a->heads * a->v_size);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ layouts */

float *ox_ms_heads(ox_run *r, const float *x, int64_t batch, int64_t length, int64_t heads, int64_t size, int64_t row, int64_t column,
                   const float *bias) {
    float *to = ox_scratch(r, ((uint64_t)(batch * length) * (uint64_t)heads * (uint64_t)size + 1) * sizeof *to), *out = to;
    for (int64_t i = 0; to && i < batch * heads; i++)
        for (int64_t t = 0; t < length; t++, out += size) {
            const float *from = x + (i / heads * length + t) * row + column + i % heads * size, *b = bias ? bias + i % heads * size : NULL;
            for (int64_t j = 0; j < size; j++) out[j] = from[j] + (b ? b[j] : 0);
        }
    return to;
}

float *ox_ms_join(ox_run *r, const float *past, int64_t old, const float *x, int64_t length, int64_t heads, int64_t size) {
    float *to = ox_scratch(r, ((uint64_t)heads * (uint64_t)((old + length) * size) + 1) * sizeof *to);
    for (int64_t i = 0; to && i < heads; i++) {
        float *out = to + i * (old + length) * size;
        if (old) memcpy(out, past + i * old * size, (size_t)(old * size) * sizeof *to);
        memcpy(out + old * size, x + i * length * size, (size_t)(length * size) * sizeof *to);
    }
    return to;
}

int ox_ms_store(ox_run *r, int i, ox_dtype t, int rank, const int64_t *dims, const float *x) {
    ox_tensor *out = ox_output(r, i, t, rank, dims);
    float *to = out ? ox_floats_of(r, out) : NULL;
    if (!to) return -1;
    memcpy(to, x, (size_t)out->count * sizeof *to);
    ox_floats_done(r, out, to);
    return 0;
}

float ox_ms_scale(ox_run *r, int64_t size) {
    double scale = ox_has(r->call, "scale") ? ox_get_float(r->call, "scale") : 0;
    return (float)(scale != 0 ? scale : 1 / sqrt((double)size));
}

int ox_ms_read_bias(ox_run *r, int i, ox_ms_attention *a) {
    const ox_tensor *t = ox_input(r, i);
    if (!t) return 0;
    bool fits = t->rank == 4 && (t->dims[0] == 1 || t->dims[0] == a->batch) && (t->dims[1] == 1 || t->dims[1] == a->heads) &&
                t->dims[2] == a->queries && t->dims[3] >= a->keys;
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "attention_bias does not fit the scores");
    a->bias_query = t->dims[3];
    a->bias_head = t->dims[1] == 1 ? 0 : t->dims[2] * t->dims[3];
    a->bias_batch = t->dims[0] == 1 ? 0 : t->dims[1] * t->dims[2] * t->dims[3];
    a->bias = ox_as_floats(r, t);
    return a->bias ? 0 : -1;
}

/* What is added where a number of the mask is 0. */
static float filter_of(ox_run *r) { return ox_has(r->call, "mask_filter_value") ? (float)ox_get_float(r->call, "mask_filter_value") : -10000.0f; }

/* Ends of the sequences, or ends and starts. */
static int mask_ranges(ox_run *r, ox_ms_attention *a, const int64_t *m, bool starts, float *out) {
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t j = 0; j < a->keys; j++)
            if (j >= m[b] || (starts && j < m[a->batch + b])) out[b * a->keys + j] = filter_of(r);
    a->mask_batch = a->keys;
    return 0;
}

int ox_ms_read_mask(ox_run *r, int i, ox_ms_attention *a, int64_t past) {
    const ox_tensor *t = ox_input(r, i);
    if (!t) return 0;
    const int64_t *m = ox_run_ints(r, i, NULL), keys = a->keys, rows = t->rank > 2 ? a->queries : 1;
    int64_t n = a->batch * rows * keys;
    float *out = m ? ox_scratch(r, ((uint64_t)n + 1) * sizeof *out) : NULL;
    if (!out) return -1;
    memset(out, 0, (size_t)n * sizeof *out);
    a->mask = out;
    if (t->rank == 1 && (t->count == a->batch || t->count == 2 * a->batch)) return mask_ranges(r, a, m, t->count > a->batch, out);
    if (t->rank == 1 && t->count == 3 * a->batch + 2)
        return ox_fail(r->ctx, OX_UNAVAILABLE, "a mask of lengths and their sums is not served");
    bool fits = t->rank > 1 && t->rank < 5 && t->dims[0] == a->batch;
    if (t->rank == 4) fits &= t->dims[1] == 1 && t->dims[2] >= past + a->queries && t->dims[3] >= keys;
    else fits &= t->dims[t->rank - 1] == keys && (t->rank == 2 || t->dims[1] == a->queries);
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "the mask does not fit the scores");
    for (int64_t at = 0; at < n; at++) {
        int64_t b = at / (rows * keys), q = at / keys % rows, j = at % keys;
        int64_t from = t->rank == 4 ? (b * t->dims[2] + past + q) * t->dims[3] + j : at;
        if (m[from] <= 0) out[at] = filter_of(r);
    }
    a->mask_batch = rows * keys;
    a->mask_query = rows > 1 ? keys : 0;
    return 0;
}

static int64_t *filled(ox_run *r, int64_t n, int64_t v) {
    int64_t *to = OX_NEW_N(r->arena, int64_t, n + 1);
    for (int64_t i = 0; i < n; i++) to[i] = v;
    return to;
}

static bool refused(ox_run *r, const char *attribute) {
    if (!ox_has(r->call, attribute) || ox_get_int(r->call, attribute) == 0) return false;
    ox_fail(r->ctx, OX_UNAVAILABLE, "attribute '%s' is not served", attribute);
    return true;
}

/* ------------------------------------------------------------------------------------------------ Attention */

typedef struct projection {
    const float *x; /* [batch, queries, row] */
    int64_t row;
    ox_dtype type;
    ox_steps steps;
} projection;

/* Input times weights, as floats; the bias of QAttention is in it already. */
static int project(ox_run *r, projection *p, const ox_tensor *x, const ox_tensor *w) {
    if (x->rank != 3 || w->rank != 2 || x->dims[2] != w->dims[0]) return ox_fail(r->ctx, OX_BAD_DATA, "input and weights do not fit together");
    p->row = w->dims[1];
    if (!strcmp(r->call->op->name, "QAttention")) {
        const ox_tensor *made = OX_STEP(&p->steps, "com.microsoft::MatMulIntegerToFloat", x, w, ox_input(r, 3), ox_input(r, 4), ox_input(r, 6),
                                        ox_input(r, 7), ox_input(r, 2));
        p->type = ox_input(r, 3) ? ox_input(r, 3)->dtype : OX_FLOAT;
        p->x = made ? ox_as_floats(r, made) : NULL;
        return p->x ? 0 : -1;
    }
    int64_t rows = x->dims[0] * x->dims[1];
    const float *a = ox_ok_float(r, x) ? ox_as_floats(r, x) : NULL, *b = a ? ox_as_floats(r, w) : NULL;
    float *to = b ? ox_scratch(r, ((uint64_t)rows * (uint64_t)p->row + 1) * sizeof *to) : NULL;
    if (!to) return -1;
    ox_sgemm(r->ctx, false, false, rows, p->row, x->dims[2], 1, a, x->dims[2], b, p->row, 0, to, p->row);
    p->x = to;
    p->type = x->dtype;
    return 0;
}

/* Widths of queries and keys, and of values. */
static int read_widths(ox_run *r, ox_ms_attention *a, int64_t row) {
    int n;
    const int64_t *sizes = ox_get_ints(r->call, "qkv_hidden_sizes", &n);
    int64_t heads = ox_get_int(r->call, "num_heads"), q = sizes ? 0 : row / 3, v = q;
    if (sizes && n == 3) q = sizes[0], v = sizes[2];
    if (heads < 1 || q < 1 || v < 1 || q % heads || v % heads || q > row || v > row || 2 * q + v != row || (sizes && sizes[1] != q))
        return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " columns cannot be cut into heads", row);
    a->heads = a->kv_heads = heads;
    a->size = q / heads;
    a->v_size = v / heads;
    return 0;
}

static int store_present(ox_run *r, const ox_ms_attention *a, ox_dtype t, const float *k, const float *v) {
    if (!ox_want(r, 1)) return 0;
    if (a->size != a->v_size) return ox_fail(r->ctx, OX_BAD_DATA, "keys and values of different sizes cannot be stored together");
    ox_tensor *out = ox_output(r, 1, t, 5, (int64_t[]){2, a->batch, a->heads, a->keys, a->size});
    float *to = out ? ox_floats_of(r, out) : NULL;
    if (!to) return -1;
    memcpy(to, k, (size_t)out->count / 2 * sizeof *to);
    memcpy(to + out->count / 2, v, (size_t)out->count / 2 * sizeof *to);
    ox_floats_done(r, out, to);
    return 0;
}

static int attend_projected(ox_run *r, ox_ms_attention *a, const projection *p, bool quantized) {
    const ox_tensor *bias = quantized ? NULL : ox_input(r, 2), *past = ox_input(r, quantized ? 8 : 4);
    const float *b = bias ? ox_as_floats(r, bias) : NULL, *old = NULL;
    int64_t wide = a->heads * a->size, before = past && past->rank == 5 ? past->dims[3] : 0, all = a->batch * a->heads;
    if ((bias && !b) || (bias && bias->count != p->row)) return b ? ox_fail(r->ctx, OX_BAD_DATA, "the bias does not fit") : -1;
    if (past) {
        const int64_t want[5] = {2, a->batch, a->heads, before, a->size};
        if (past->rank != 5 || memcmp(past->dims, want, sizeof want) || a->size != a->v_size)
            return ox_fail(r->ctx, OX_BAD_DATA, "past does not fit the input");
        if (!(old = ox_as_floats(r, past))) return -1;
    }
    a->keys = before + a->queries;
    a->past = filled(r, a->batch, before);
    float *k = ox_ms_heads(r, p->x, a->batch, a->queries, a->heads, a->size, p->row, wide, b ? b + wide : NULL),
          *v = k ? ox_ms_heads(r, p->x, a->batch, a->queries, a->heads, a->v_size, p->row, 2 * wide, b ? b + 2 * wide : NULL) : NULL;
    a->q = v ? ox_ms_heads(r, p->x, a->batch, a->queries, a->heads, a->size, p->row, 0, b) : NULL;
    if (!a->q) return -1;
    if (past) {
        k = ox_ms_join(r, old, before, k, a->queries, all, a->size);
        v = k ? ox_ms_join(r, old + past->count / 2, before, v, a->queries, all, a->v_size) : NULL;
        if (!v) return -1;
    }
    a->k = k;
    a->v = v;
    if (ox_ms_read_mask(r, quantized ? 5 : 3, a, before) || (!quantized && ox_ms_read_bias(r, 5, a))) return -1;
    if (store_present(r, a, p->type, k, v)) return -1;
    ox_tensor *y = ox_output(r, 0, p->type, 3, (int64_t[]){a->batch, a->queries, a->heads * a->v_size});
    a->y = y ? ox_floats_of(r, y) : NULL;
    if (!a->y || ox_ms_attend(r, a)) return -1;
    ox_floats_done(r, y, a->y);
    return 0;
}

int ox_ms_run_attention(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0), *w = ox_need(r, 1);
    bool quantized = !strcmp(r->call->op->name, "QAttention");
    projection p = {.steps = {.r = r}};
    ox_ms_attention a = {.window = -1};
    if (!x || !w || refused(r, "do_rotary") || refused(r, "past_present_share_buffer")) return -1;
    if (project(r, &p, x, w) || read_widths(r, &a, p.row)) return -1;
    a.batch = x->dims[0];
    a.queries = x->dims[1];
    a.scale = ox_ms_scale(r, a.size);
    a.causal = ox_get_int(r->call, "unidirectional") != 0;
    int rc = attend_projected(r, &a, &p, quantized);
    for (int i = 0; i < p.steps.n; i++) ox_tensor_unref(p.steps.kept[i]);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ MultiHeadAttention */

/* Keys or values: [batch, length, heads * size], or [batch, heads, length, size] as they are. */
static const float *side(ox_run *r, const ox_ms_attention *a, const ox_tensor *t, int64_t length, int64_t size, const float *bias) {
    const float *x = ox_as_floats(r, t);
    if (!x || t->rank == 4) return x;
    return ox_ms_heads(r, x, a->batch, length, a->heads, size, a->heads * size, 0, bias);
}

static int read_sides(ox_run *r, ox_ms_attention *a, const ox_tensor *q, const ox_tensor *k, const ox_tensor *v, int64_t *length) {
    bool split = k->rank == 4;
    int64_t heads = ox_get_int(r->call, "num_heads");
    if (q->rank != 3 || k->rank != v->rank || (k->rank != 3 && !split))
        return ox_fail(r->ctx, OX_UNAVAILABLE, "packed queries, keys and values are not served");
    *length = k->dims[split ? 2 : 1];
    a->batch = q->dims[0];
    a->queries = q->dims[1];
    a->heads = a->kv_heads = heads;
    bool fits = heads > 0 && q->dims[2] >= heads && q->dims[2] % heads == 0 && k->dims[0] == a->batch && v->dims[0] == a->batch && v->dims[split ? 2 : 1] == *length;
    if (fits && split) fits = k->dims[1] == heads && v->dims[1] == heads && k->dims[3] == q->dims[2] / heads;
    if (fits && !split) fits = k->dims[2] == q->dims[2] && v->dims[2] % heads == 0;
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "query, key and value do not fit together");
    a->size = q->dims[2] / heads;
    a->v_size = split ? v->dims[3] : v->dims[2] / heads;
    return 0;
}

/* Puts the past before keys and values. */
static int read_past(ox_run *r, ox_ms_attention *a, int64_t length, int64_t *before) {
    const ox_tensor *k = ox_input(r, 6), *v = ox_input(r, 7);
    *before = 0;
    a->keys = length;
    if (!k && !v) return 0;
    *before = k && k->rank == 4 ? k->dims[2] : 0;
    const int64_t want_k[4] = {a->batch, a->heads, *before, a->size}, want_v[4] = {a->batch, a->heads, *before, a->v_size};
    if (!k || !v || k->rank != 4 || v->rank != 4 || memcmp(k->dims, want_k, sizeof want_k) || memcmp(v->dims, want_v, sizeof want_v))
        return ox_fail(r->ctx, OX_BAD_DATA, "past_key or past_value does not fit the input");
    const float *old_k = ox_as_floats(r, k), *old_v = old_k ? ox_as_floats(r, v) : NULL;
    if (!old_v) return -1;
    a->keys += *before;
    a->k = ox_ms_join(r, old_k, *before, a->k, length, a->batch * a->heads, a->size);
    a->v = a->k ? ox_ms_join(r, old_v, *before, a->v, length, a->batch * a->heads, a->v_size) : NULL;
    return a->v ? 0 : -1;
}

int ox_ms_run_multi_head(ox_run *r) {
    const ox_tensor *q = ox_need(r, 0), *k = ox_input(r, 1), *v = ox_input(r, 2), *bias = ox_input(r, 3);
    ox_ms_attention a = {.window = -1};
    int64_t length = 0, before;
    if (!q || !ox_ok_float(r, q)) return -1;
    if (!k || !v || ox_input(r, 8) || ox_input(r, 9))
        return ox_fail(r->ctx, OX_UNAVAILABLE, "packed queries, keys and values, and shared buffers are not served");
    if (read_sides(r, &a, q, k, v, &length)) return -1;
    int64_t wide = a.heads * a.size;
    const float *b = bias ? ox_as_floats(r, bias) : NULL, *x = ox_as_floats(r, q);
    if ((bias && !b) || !x) return -1;
    if (bias && bias->count < 2 * wide + a.heads * a.v_size) return ox_fail(r->ctx, OX_BAD_DATA, "the bias does not fit");
    a.scale = ox_ms_scale(r, a.size);
    a.causal = ox_get_int(r->call, "unidirectional") != 0;
    a.q = ox_ms_heads(r, x, a.batch, a.queries, a.heads, a.size, wide, 0, b);
    a.k = a.q ? side(r, &a, k, length, a.size, b ? b + wide : NULL) : NULL;
    a.v = a.k ? side(r, &a, v, length, a.v_size, b ? b + 2 * wide : NULL) : NULL;
    if (!a.v || read_past(r, &a, length, &before)) return -1;
    a.past = filled(r, a.batch, before);
    if (ox_ms_read_mask(r, 4, &a, before) || ox_ms_read_bias(r, 5, &a)) return -1;
    if (ox_want(r, 1) && ox_ms_store(r, 1, q->dtype, 4, (int64_t[]){a.batch, a.heads, a.keys, a.size}, a.k)) return -1;
    if (ox_want(r, 2) && ox_ms_store(r, 2, q->dtype, 4, (int64_t[]){a.batch, a.heads, a.keys, a.v_size}, a.v)) return -1;
    ox_tensor *y = ox_output(r, 0, q->dtype, 3, (int64_t[]){a.batch, a.queries, a.heads * a.v_size}),
              *qk = y && ox_want(r, 3) ? ox_output(r, 3, q->dtype, 4, (int64_t[]){a.batch, a.heads, a.queries, a.keys}) : NULL;
    a.y = y ? ox_floats_of(r, y) : NULL;
    if (qk) a.scores = ox_floats_of(r, qk);
    if (!a.y || (ox_want(r, 3) && !a.scores) || ox_ms_attend(r, &a)) return -1;
    if (qk) ox_floats_done(r, qk, a.scores);
    ox_floats_done(r, y, a.y);
    return 0;
}
