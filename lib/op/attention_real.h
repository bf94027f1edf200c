/* Attention in one type of real numbers: included by attention_kernels.c with REAL, R(name), GEMM, SOFTMAX, TANH and AS
 * defined. */

/* [batch, heads, length, size] from a tensor that is that or [batch, length, heads * size], behind PAST rows of
 * another. */
static REAL *R(heads_of)(ox_run *r, const attention *v, const REAL *x, const REAL *past, int64_t heads, int64_t old,
                         int64_t length, int64_t size) {
    int64_t total = old + length;
    REAL *to = ox_scratch(r, (uint64_t)(v->batch * heads * total) * (uint64_t)size * sizeof *to);
    for (int64_t i = 0; to && i < v->batch * heads; i++) {
        int64_t b = i / heads, h = i % heads;
        if (old) memcpy(to + i * total * size, past + i * old * size, (size_t)(old * size) * sizeof *to);
        for (int64_t t = 0; t < length; t++) {
            const REAL *from = x + (v->flat ? ((b * length + t) * heads + h) * size : (i * length + t) * size);
            memcpy(to + (i * total + old + t) * size, from, (size_t)size * sizeof *to);
        }
    }
    return to;
}

static void R(scale_all)(ox_dtype t, REAL *x, int64_t n, double f) {
    for (int64_t i = 0; i < n; i++) x[i] *= (REAL)f;
    R(settle)(t, x, n);
}

/* What is added to the scores of query i of head h in batch b; false when every key is masked. */
static bool R(bias_row)(const attention *v, const REAL *mask, int64_t b, int64_t h, int64_t i, REAL *bias) {
    int64_t any = 0, lo, hi;
    const REAL *row = mask ? mask + b * v->mask_step[0] + h * v->mask_step[1] + i * v->mask_step[2] : NULL;
    visible(v, b, i, &lo, &hi);
    if (row && hi > v->mask_length) hi = v->mask_length;
    if (hi > v->total) hi = v->total;
    if (lo > hi) lo = hi;
    for (int64_t j = 0; j < lo; j++) bias[j] = (REAL)-INFINITY;
    for (int64_t j = lo; j < hi; j++) bias[j] = row ? row[j] : 0;
    for (int64_t j = hi; j < v->total; j++) bias[j] = (REAL)-INFINITY;
    for (int64_t j = lo; j < hi; j++) any += bias[j] != (REAL)-INFINITY;
    return any > 0;
}

static void R(softmax_row)(REAL *x, int64_t n) {
    REAL max = (REAL)-INFINITY;
    for (int64_t j = 0; j < n; j++) max = x[j] > max ? x[j] : max;
    if (max == (REAL)-INFINITY) {
        for (int64_t j = 0; j < n; j++) x[j] = x[j] != x[j] ? x[j] : 0;
        return;
    }
    SOFTMAX(x, n, max);
}

typedef struct R(operands) {
    const REAL *q, *k, *v, *mask;
    REAL *y, *qk;
} R(operands);

static void R(keep)(const attention *v, const R(operands) * o, int mode, int64_t head, int64_t first, int64_t n,
                    const REAL *s) {
    if (o->qk && v->mode == mode)
        memcpy(o->qk + (head * v->queries + first) * v->total, s, (size_t)(n * v->total) * sizeof *s);
}

/* Queries [first, first + n) of one head. ROOM: scores [n, total] and a row. */
static void R(attend)(ox_ctx *ctx, const attention *v, const R(operands) * o, int64_t head, int64_t first, int64_t n,
                      REAL *s) {
    int64_t b = head / v->heads, h = head % v->heads, kv = b * v->kv_heads + h / (v->heads / v->kv_heads),
            total = v->total;
    REAL *bias = s + n * total;
    bool empty[BLOCK];
    GEMM(ctx, false, true, n, total, v->size, 1, o->q + (head * v->queries + first) * v->size, v->size,
         o->k + kv * total * v->size, v->size, 0, s, total);
    R(settle)(v->t1, s, n * total);
    R(keep)(v, o, 0, head, first, n, s);
    if (v->softcap > 0) {
        REAL cap = (REAL)v->softcap;
        for (int64_t i = 0; i < n * total; i++) s[i] = TANH(s[i] / cap) * cap;
        R(settle)(v->t1, s, n * total);
    }
    R(keep)(v, o, 1, head, first, n, s);
    bool hides = o->mask || v->valid || v->causal || v->left >= 0 || v->right >= 0;
    memset(empty, 0, sizeof empty);
    for (int64_t i = 0; i < n && hides; i++) {
        empty[i] = !R(bias_row)(v, o->mask, b, h, first + i, bias);
        for (int64_t j = 0; j < total; j++) s[i * total + j] += bias[j];
    }
    if (hides) R(settle)(v->t1, s, n * total);
    R(keep)(v, o, 2, head, first, n, s);
    for (int64_t i = 0; i < n; i++) {
        if (empty[i])
            memset(s + i * total, 0, (size_t)total * sizeof *s);
        else
            R(softmax_row)(s + i * total, total);
    }
    R(settle)(v->t1, s, n * total);
    R(keep)(v, o, 3, head, first, n, s);
    REAL *y = v->flat ? o->y + ((b * v->queries + first) * v->heads + h) * v->v_size
                      : o->y + (head * v->queries + first) * v->v_size;
    GEMM(ctx, false, false, n, v->v_size, total, 1, s, total, o->v + kv * total * v->v_size, v->v_size, 0, y,
         v->flat ? v->heads * v->v_size : v->v_size);
}

/* The mask as numbers to be added. */
static const REAL *R(mask_of)(ox_run *r, const ox_tensor *t) {
    if (t->dtype != OX_BOOL) return AS(r, t);
    REAL *to = ox_scratch(r, (uint64_t)t->count * sizeof *to);
    const uint8_t *from = ox_tensor_data(t);
    for (int64_t i = 0; to && from && i < t->count; i++) to[i] = from[i] ? 0 : (REAL)-INFINITY;
    return from ? to : NULL;
}

static int R(store)(ox_run *r, int i, ox_dtype t, const int64_t *dims, const REAL *x) {
    ox_tensor *out = ox_output(r, i, t, 4, dims);
    if (!out) return -1;
    REAL *to = OUT(r, out);
    if (!to) return -1;
    memcpy(to, x, (size_t)out->count * sizeof *to);
    DONE(r, out, to);
    return 0;
}

static int R(present)(ox_run *r, const attention *v, const REAL *k, const REAL *val) {
    const int64_t key[4] = {v->batch, v->kv_heads, v->total, v->size},
                  value[4] = {v->batch, v->kv_heads, v->total, v->v_size};
    if (ox_want(r, 1) && R(store)(r, 1, v->t1, key, k) < 0) return -1;
    return ox_want(r, 2) && R(store)(r, 2, v->t2, value, val) < 0 ? -1 : 0;
}

static int R(run)(ox_run *r, const attention *v, ox_tensor *y) {
    const ox_tensor *mask = ox_input(r, 3), *pk = ox_input(r, 4), *pv = ox_input(r, 5);
    const REAL *q = AS(r, ox_input(r, 0)), *k = AS(r, ox_input(r, 1)), *val = AS(r, ox_input(r, 2));
    const REAL *old_k = pk ? AS(r, pk) : NULL, *old_v = pv ? AS(r, pv) : NULL;
    R(operands) o = {.mask = mask ? R(mask_of)(r, mask) : NULL};
    if (!q || !k || !val || (pk && !old_k) || (pv && !old_v) || (mask && !o.mask)) return -1;
    REAL *qs = R(heads_of)(r, v, q, NULL, v->heads, 0, v->queries, v->size);
    REAL *ks = qs ? R(heads_of)(r, v, k, old_k, v->kv_heads, v->past, v->total - v->past, v->size) : NULL;
    REAL *vs = ks ? R(heads_of)(r, v, val, old_v, v->kv_heads, v->past, v->total - v->past, v->v_size) : NULL;
    if (!vs || R(present)(r, v, ks, vs) < 0) return -1;
    R(scale_all)(v->t1, qs, v->batch * v->heads * v->queries * v->size, v->root);
    R(scale_all)(v->t1, ks, v->batch * v->kv_heads * v->total * v->size, v->root);
    ox_tensor *qk =
        ox_want(r, 3) ? ox_output(r, 3, v->t1, 4, (int64_t[]){v->batch, v->heads, v->queries, v->total}) : NULL;
    o.qk = qk ? OUT(r, qk) : NULL;
    o.q = qs;
    o.k = ks;
    o.v = vs;
    o.y = OUT(r, y);
    if ((ox_want(r, 3) && !o.qk) || !o.y) return -1;
    int64_t blocks = (v->queries + BLOCK - 1) / BLOCK, jobs = v->batch * v->heads * blocks,
            room = (BLOCK + 1) * v->total;
    if (v->queries < BLOCK) room = (v->queries + 1) * v->total;
    const int threads = jobs > 1 ? ox_threads_for(r->ctx, v->batch * v->heads * v->queries * v->total) : 1;
    REAL *all = ox_scratch(r, (uint64_t)room * (uint64_t)threads * sizeof *all);
    if (!all) return -1;
    OX_EACH(threads, job, jobs, {
        int64_t first = job % blocks * BLOCK, n = v->queries - first < BLOCK ? v->queries - first : BLOCK;
        R(attend)(r->ctx, v, &o, job / blocks, first, n, all + ox_thread_index() * room);
    });
    if (qk) DONE(r, qk, o.qk);
    DONE(r, y, o.y);
    return 0;
}
