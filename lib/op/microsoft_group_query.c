/* com.microsoft: GroupQueryAttention with its cache, and RotaryEmbedding. Rows are in microsoft.c. */
#include "op/microsoft_attention.h"

/* ------------------------------------------------------------------------------------------------ RotaryEmbedding */

/* Rotates [batch, heads, length, size], or [batch, length, heads, size] when `flat`, by the angles of rows of the caches. */
typedef struct rotary {
    int64_t batch, heads, length, size, half;
    const int64_t *rows; /* of the caches, per batch and position */
    const float *cosines, *sines;
    bool interleaved, flat;
    float scale;
} rotary;

static void rotate_all(const ox_run *r, const rotary *v, const float *x, float *y) {
    const int threads = ox_threads_for(r->ctx, v->batch * v->length * v->heads * v->size);
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < v->batch * v->length; i++) {
        for (int64_t h = 0; h < v->heads; h++) {
            int64_t b = i / v->length, t = i % v->length,
                    at = (v->flat ? i * v->heads + h : (b * v->heads + h) * v->length + t) * v->size;
            const float *c = v->cosines + v->rows[i] * v->half, *s = v->sines + v->rows[i] * v->half;
            for (int64_t j = 0; j < v->half; j++) {
                int64_t p = at + (v->interleaved ? 2 * j : j), q = at + (v->interleaved ? 2 * j + 1 : j + v->half);
                float x1 = x[p] * v->scale, x2 = x[q] * v->scale;
                y[p] = x1 * c[j] - x2 * s[j];
                y[q] = x1 * s[j] + x2 * c[j];
            }
            for (int64_t j = 2 * v->half; j < v->size; j++) y[at + j] = x[at + j] * v->scale;
        }
    }
}

/* The caches, and rows of them within bounds. */
static int read_caches(ox_run *r, rotary *v, int cos_at, int64_t *rows) {
    const ox_tensor *c = ox_need(r, cos_at), *s = ox_need(r, cos_at + 1);
    if (!c || !s) return -1;
    bool fits = c->rank == 2 && s->rank == 2 && c->dims[0] == s->dims[0] && c->dims[1] == s->dims[1] && c->dims[1] * 2 <= v->size;
    for (int64_t i = 0; fits && i < v->batch * v->length; i++) fits = rows[i] >= 0 && rows[i] < c->dims[0];
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "the caches or positions do not fit the input");
    v->half = c->dims[1];
    v->rows = rows;
    v->cosines = ox_as_floats(r, c);
    v->sines = v->cosines ? ox_as_floats(r, s) : NULL;
    return v->sines ? 0 : -1;
}

int ox_ms_run_rotary(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0), *cache = ox_need(r, 2);
    int64_t n, heads = ox_has(r->call, "num_heads") ? ox_get_int(r->call, "num_heads") : 0;
    const int64_t *ids = x && cache ? ox_run_ints(r, 1, &n) : NULL;
    if (!ids || !ox_ok_float(r, x)) return -1;
    if (!x->count) return ox_output_share(r, 0, x, x->rank, x->dims);
    if (x->rank < 3 || x->rank > 4 || cache->rank != 2 || cache->dims[1] < 1) return ox_fail(r->ctx, OX_BAD_DATA, "the input or the caches have a wrong rank");
    rotary v = {.batch = x->dims[0], .flat = x->rank == 3, .interleaved = ox_has(r->call, "interleaved") && ox_get_int(r->call, "interleaved") != 0, .scale = 1};
    double scale = ox_has(r->call, "scale") ? ox_get_float(r->call, "scale") : 0;
    if (scale != 0) v.scale = (float)scale;
    v.length = x->dims[v.flat ? 1 : 2];
    if (v.flat && heads < 1) heads = x->dims[2] / (2 * cache->dims[1]);
    v.heads = v.flat ? heads : x->dims[1];
    if (v.flat && (heads < 1 || x->dims[2] % heads)) return ox_fail(r->ctx, OX_BAD_DATA, "the input cannot be cut into heads");
    v.size = v.flat ? x->dims[2] / heads : x->dims[3];
    int64_t places = v.batch * v.length, *rows = OX_NEW_N(r->arena, int64_t, places + 1);
    if (n != 1 && n != places) return ox_fail(r->ctx, OX_BAD_DATA, "position_ids do not fit the input");
    for (int64_t i = 0; i < places; i++)
        if (n == places && ox_input(r, 1)->rank == 2) rows[i] = ids[i];
        else if (!ox_add_ok(ids[0], i % v.length, &rows[i])) rows[i] = -1;
    if (read_caches(r, &v, 2, rows)) return -1;
    const float *from = ox_as_floats(r, x);
    ox_tensor *y = from ? ox_output(r, 0, x->dtype, x->rank, x->dims) : NULL;
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!to) return -1;
    rotate_all(r, &v, from, to);
    ox_floats_done(r, y, to);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ GroupQueryAttention */

typedef struct group {
    ox_ms_attention a;
    bool packed, prompt;
    int64_t row, before; /* width of the query's rows; keys that the past has room for */
    int64_t *valid, *past;
} group;

static int read_shapes(ox_run *r, group *g, const ox_tensor *q) {
    ox_ms_attention *a = &g->a;
    const ox_tensor *k = ox_input(r, 1), *v = ox_input(r, 2), *pk = ox_input(r, 3), *pv = ox_input(r, 4);
    a->heads = ox_get_int(r->call, "num_heads");
    a->kv_heads = ox_get_int(r->call, "kv_num_heads");
    g->packed = !k;
    if (q->rank != 3 || !k != !v || !pk != !pv) return ox_fail(r->ctx, OX_BAD_DATA, "query, key or value are not as they must be");
    if (a->heads < 1 || a->kv_heads < 1 || a->heads % a->kv_heads || a->heads > INT32_MAX)
        return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " and %" PRId64 " heads cannot be", a->heads, a->kv_heads);
    a->batch = q->dims[0];
    a->queries = q->dims[1];
    g->row = q->dims[2];
    int64_t parts = a->heads + (g->packed ? 2 * a->kv_heads : 0);
    a->size = a->v_size = g->row / parts;
    bool fits = g->row % parts == 0 && a->size > 0;
    if (k) {
        const int64_t want[3] = {a->batch, a->queries, a->size * a->kv_heads};
        fits = fits && k->rank == 3 && v->rank == 3 && !memcmp(k->dims, want, sizeof want) && !memcmp(v->dims, want, sizeof want);
    }
    if (pk && fits) {
        const int64_t want[4] = {a->batch, a->kv_heads, pk->rank == 4 ? pk->dims[2] : 0, a->size};
        fits = pk->rank == 4 && pv->rank == 4 && !memcmp(pk->dims, want, sizeof want) && !memcmp(pv->dims, want, sizeof want);
        g->before = want[2];
        if (fits && (pk->dtype != q->dtype || pv->dtype != q->dtype)) return ox_fail(r->ctx, OX_UNAVAILABLE, "a quantized cache is not served");
    }
    return fits ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "query, key, value or past do not fit together");
}

static int read_lengths(ox_run *r, group *g) {
    ox_ms_attention *a = &g->a;
    int64_t n, m;
    const int64_t *last = ox_run_ints(r, 5, &n), *total = last ? ox_run_ints(r, 6, &m) : NULL;
    if (!total) return -1;
    bool fits = n == a->batch && m == 1 && total[0] >= a->queries && (total[0] <= g->before || total[0] == g->before + a->queries);
    if (!fits)
        return ox_fail(r->ctx, OX_BAD_DATA, "seqlens_k or total_sequence_length do not fit the query");
    g->prompt = total[0] == a->queries;
    a->keys = total[0] > g->before ? total[0] : g->before;
    g->valid = OX_NEW_N(r->arena, int64_t, n + 1);
    g->past = OX_NEW_N(r->arena, int64_t, n + 1);
    for (int64_t b = 0; b < n; b++) {
        if (last[b] < 0 || last[b] >= total[0]) return ox_fail(r->ctx, OX_BAD_DATA, "seqlens_k holds %" PRId64, last[b]);
        g->valid[b] = last[b] + 1;
        g->past[b] = g->prompt ? 0 : g->valid[b] - a->queries;
        if (g->past[b] < 0 || g->past[b] > g->before) return ox_fail(r->ctx, OX_BAD_DATA, "seqlens_k holds %" PRId64, last[b]);
    }
    a->valid = g->valid;
    a->past = g->past;
    return 0;
}

static int read_attributes(ox_run *r, group *g) {
    static const char *const quant[] = {"k_quant_type", "v_quant_type"};
    ox_call *c = r->call;
    for (int i = 0; i < 2; i++)
        if (strcmp(ox_get_string(c, quant[i]), "NONE")) return ox_fail(r->ctx, OX_UNAVAILABLE, "a quantized cache is not served");
    if (ox_get_int(c, "sliding_window_cache")) return ox_fail(r->ctx, OX_UNAVAILABLE, "a cache that slides is not served");
    if (ox_input(r, 14) || ox_input(r, 15)) return ox_fail(r->ctx, OX_UNAVAILABLE, "q_norm_weight and k_norm_weight are not served");
    g->a.scale = ox_ms_scale(r, g->a.size);
    g->a.softcap = ox_has(c, "softcap") ? (float)ox_get_float(c, "softcap") : 0;
    g->a.causal = ox_get_int(c, "causal") != 0;
    int64_t window = ox_get_int(c, "local_window_size"); /* the token itself counts */
    g->a.window = window > 0 && window <= INT32_MAX ? window - 1 : -1;
    g->a.smooth = ox_get_int(c, "smooth_softmax") == 1 || ox_input(r, 11);
    if (ox_input(r, 11)) {
        if (ox_input(r, 11)->count != g->a.heads) return ox_fail(r->ctx, OX_BAD_DATA, "head_sink does not fit the heads");
        if (!(g->a.sink = ox_as_floats(r, ox_input(r, 11)))) return -1;
    }
    return 0;
}

/* Rotates queries and keys in place by the positions of the new tokens. */
static int rotate_group(ox_run *r, const group *g, float *q, float *k) {
    const ox_ms_attention *a = &g->a;
    int64_t n, places = a->batch * a->queries, *rows = OX_NEW_N(r->arena, int64_t, places + 1);
    const int64_t *ids = ox_input(r, 9) ? ox_run_ints(r, 9, &n) : NULL;
    if (ox_input(r, 9) && !ids) return -1;
    if (ids && n != places) return ox_fail(r->ctx, OX_BAD_DATA, "position_ids do not fit the query");
    for (int64_t i = 0; i < places; i++) rows[i] = ids ? ids[i] : g->past[i / a->queries] + i % a->queries;
    rotary v = {.batch = a->batch, .heads = a->heads, .length = a->queries, .size = a->size, .scale = 1,
                .interleaved = ox_has(r->call, "rotary_interleaved") && ox_get_int(r->call, "rotary_interleaved") != 0};
    if (read_caches(r, &v, 7, rows)) return -1;
    float *turned = ox_scratch(r, ((uint64_t)(places * a->heads) * (uint64_t)a->size + 1) * sizeof *turned);
    if (!turned) return -1;
    for (int i = 0; i < 2; i++) {
        float *x = i ? k : q;
        v.heads = i ? a->kv_heads : a->heads;
        rotate_all(r, &v, x, turned);
        memcpy(x, turned, (size_t)(places * v.heads * a->size) * sizeof *x);
    }
    return 0;
}

/* The cache after this step: what was there, then the new rows, then zeros. As an output when one is asked for. */
static const float *cache(ox_run *r, const group *g, int i, const float *x) {
    const ox_ms_attention *a = &g->a;
    const ox_tensor *past = ox_input(r, 2 + i);
    const float *old = past ? ox_as_floats(r, past) : NULL;
    uint64_t n = (uint64_t)(a->batch * a->kv_heads) * (uint64_t)(a->keys * a->size);
    float *to = past && !old ? NULL : ox_scratch(r, (n + 1) * sizeof *to);
    if (!to) return NULL;
    memset(to, 0, n * sizeof *to);
    for (int64_t h = 0; h < a->batch * a->kv_heads; h++) {
        int64_t before = g->past[h / a->kv_heads], rows = a->queries < a->keys - before ? a->queries : a->keys - before;
        float *out = to + h * a->keys * a->size;
        if (before) memcpy(out, old + h * g->before * a->size, (size_t)(before * a->size) * sizeof *to);
        memcpy(out + before * a->size, x + h * a->queries * a->size, (size_t)(rows * a->size) * sizeof *to);
    }
    const int64_t dims[4] = {a->batch, a->kv_heads, a->keys, a->size};
    return ox_want(r, i) && ox_ms_store(r, i, ox_input(r, 0)->dtype, 4, dims, to) ? NULL : to;
}

/* Scores or probabilities go to output 3 when asked for; the keys of the total, without spare room. */
static int store_scores(ox_run *r, const ox_ms_attention *a, int64_t total, const float *x) {
    ox_tensor *out = ox_output(r, 3, ox_input(r, 0)->dtype, 4, (int64_t[]){a->batch, a->heads, a->queries, total});
    float *to = out ? ox_floats_of(r, out) : NULL;
    if (!to) return -1;
    for (int64_t i = 0; i < a->batch * a->heads * a->queries; i++) memcpy(to + i * total, x + i * a->keys, (size_t)total * sizeof *to);
    ox_floats_done(r, out, to);
    return 0;
}

int ox_ms_run_group_query(ox_run *r) {
    group g = {0};
    ox_ms_attention *a = &g.a;
    const ox_tensor *q = ox_need(r, 0);
    if (!q || !ox_ok_float(r, q) || read_shapes(r, &g, q) || read_lengths(r, &g) || read_attributes(r, &g)) return -1;
    int64_t total = ox_run_ints(r, 6, NULL)[0], keys = a->keys, kv = a->kv_heads * a->size, at = g.packed ? a->heads * a->size : 0;
    const float *x = ox_as_floats(r, q), *kx = g.packed ? x : ox_as_floats(r, ox_input(r, 1)), *vx = g.packed ? x : ox_as_floats(r, ox_input(r, 2));
    if (!x || !kx || !vx) return -1;
    int64_t row = g.packed ? g.row : kv;
    float *qs = ox_ms_heads(r, x, a->batch, a->queries, a->heads, a->size, g.row, 0, NULL),
          *ks = qs ? ox_ms_heads(r, kx, a->batch, a->queries, a->kv_heads, a->size, row, at, NULL) : NULL,
          *vs = ks ? ox_ms_heads(r, vx, a->batch, a->queries, a->kv_heads, a->size, row, g.packed ? at + kv : 0, NULL) : NULL;
    if (!vs || (ox_has(r->call, "do_rotary") && ox_get_int(r->call, "do_rotary") && rotate_group(r, &g, qs, ks))) return -1;
    a->q = qs;
    a->k = cache(r, &g, 1, ks);
    a->v = a->k ? cache(r, &g, 2, vs) : NULL;
    if (!a->v) return -1;
    a->keys = total; /* the bias has no room to spare */
    if (ox_ms_read_bias(r, 10, a)) return -1;
    a->keys = keys;
    int64_t mode = ox_want(r, 3) ? ox_get_int(r->call, "qk_output") : 0;
    float *seen = mode ? ox_scratch(r, ((uint64_t)(a->batch * a->heads * a->queries) * (uint64_t)keys + 1) * sizeof *seen) : NULL;
    if (mode && !seen) return -1;
    *(mode == 1 ? &a->scores : &a->probabilities) = seen;
    ox_tensor *y = ox_output(r, 0, q->dtype, 3, (int64_t[]){a->batch, a->queries, a->heads * a->size});
    a->y = y ? ox_floats_of(r, y) : NULL;
    if (!a->y || ox_ms_attend(r, a)) return -1;
    ox_floats_done(r, y, a->y);
    return mode ? store_scores(r, a, total, seen) : 0;
}
