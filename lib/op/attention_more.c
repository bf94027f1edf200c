/* Kernels of RotaryEmbedding and LinearAttention, in float. */
#include "op/compute.h"

/* ---- RotaryEmbedding: pairs of elements are rotated by the angle of their position */

typedef struct rotary {
    int64_t batch, heads, length, size, half;
    int64_t b_step, t_step, h_step; /* elements from one batch entry, position, head to the next */
    bool interleaved;
} rotary;

static void rotate(const rotary *v, const float *x, const float *cosines, const float *sines, float *y) {
    for (int64_t j = 0; j < v->half; j++) {
        int64_t a = v->interleaved ? 2 * j : j, b = v->interleaved ? 2 * j + 1 : j + v->half;
        float x1 = x[a], x2 = x[b];
        y[a] = cosines[j] * x1 - sines[j] * x2;
        y[b] = sines[j] * x1 + cosines[j] * x2;
    }
    for (int64_t j = 2 * v->half; j < v->size; j++) y[j] = x[j];
}

static int read_rotary(ox_run *r, rotary *v, const ox_tensor *x) {
    bool flat = x->rank == 3;
    int64_t heads = ox_get_int(r->call, "num_heads"), part = ox_get_int(r->call, "rotary_embedding_dim");
    if (x->rank != 3 && x->rank != 4)
        return ox_fail(r->ctx, OX_BAD_DATA, "the input has rank %d, but 3 or 4 is needed", x->rank);
    if (flat && (heads < 1 || x->dims[2] % heads))
        return ox_fail(r->ctx, OX_BAD_DATA, "the input cannot be cut into %" PRId64 " heads", heads);
    v->batch = x->dims[0];
    v->heads = flat ? heads : x->dims[1];
    v->length = x->dims[flat ? 1 : 2];
    v->size = flat ? x->dims[2] / heads : x->dims[3];
    v->b_step = v->heads * v->length * v->size;
    v->t_step = flat ? v->heads * v->size : v->size;
    v->h_step = flat ? v->size : v->length * v->size;
    v->interleaved = ox_get_int(r->call, "interleaved") != 0;
    if (part == 0) part = v->size;
    if (part < 0 || part > v->size || part % 2)
        return ox_fail(r->ctx, OX_BAD_DATA, "a rotary embedding of %" PRId64 " elements cannot be", part);
    v->half = part / 2;
    return 0;
}

/* Rows of the caches for every batch entry and position: by position_ids, or one each. NULL after ox_fail. */
static const int64_t *cache_rows(ox_run *r, const rotary *v, const ox_tensor *c, const ox_tensor *s) {
    int64_t n = 0, *rows = ox_scratch(r, (uint64_t)(v->batch * v->length) * sizeof *rows);
    const int64_t *ids = ox_input(r, 3) ? ox_run_ints(r, 3, &n) : NULL;
    bool fits = c->rank == (ids ? 2 : 3) && s->rank == c->rank &&
                !memcmp(c->dims, s->dims, (size_t)c->rank * sizeof *c->dims) && c->dims[c->rank - 1] == v->half;
    if (!rows || (ox_input(r, 3) && !ids)) return NULL;
    if (fits && !ids) fits = c->dims[0] == v->batch && c->dims[1] == v->length;
    if (fits && ids) fits = n == v->batch * v->length;
    for (int64_t i = 0; fits && i < v->batch * v->length; i++) {
        rows[i] = ids ? ids[i] < 0 ? ids[i] + c->dims[0] : ids[i] : i;
        fits = !ids || (rows[i] >= 0 && rows[i] < c->dims[0]);
    }
    if (!fits) ox_fail(r->ctx, OX_BAD_DATA, "the caches or position_ids do not fit the input");
    return fits ? rows : NULL;
}

int ox_run_rotary_embedding(ox_run *r) {
    rotary v;
    const ox_tensor *x = ox_need(r, 0), *c = ox_need(r, 1), *s = ox_need(r, 2);
    if (!x || !c || !s || !ox_ok_float(r, x) || !ox_ok_float(r, c) || !ox_ok_float(r, s) || read_rotary(r, &v, x) < 0)
        return -1;
    const int64_t *rows = cache_rows(r, &v, c, s);
    ox_tensor *y = rows ? ox_output(r, 0, x->dtype, x->rank, x->dims) : NULL;
    if (!y) return -1;
    const float *from = ox_as_floats(r, x), *cosines = ox_as_floats(r, c), *sines = ox_as_floats(r, s);
    float *to = ox_floats_of(r, y);
    if (!from || !cosines || !sines || !to) return -1;
    const int threads = ox_threads_for(r->ctx, x->count);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < v.batch * v.length; i++) {
        for (int64_t h = 0; h < v.heads; h++) {
            int64_t at = i / v.length * v.b_step + i % v.length * v.t_step + h * v.h_step;
            rotate(&v, from + at, cosines + rows[i] * v.half, sines + rows[i] * v.half, to + at);
        }
    }
    ox_floats_done(r, y, to);
    return 0;
}

/* ---- LinearAttention: a state [key size, value size] per head that every position decays, corrects and adds to */

typedef struct linear {
    int64_t batch, length, heads, kv_heads, size, v_size, decays,
        betas; /* decays, betas: elements per position; 0: none */
    bool correct;
    float scale;
    const float *q, *k, *v, *decay, *beta;
    float *y;
} linear;

/* One position of one head. VALUE is room for v_size numbers. */
static void update_state(const linear *l, int64_t b, int64_t t, int64_t h, float *state, float *value) {
    int64_t at = b * l->length + t, n = l->v_size;
    const float *k = l->k + (at * l->kv_heads + h) * l->size;
    if (l->decay) {
        const float *g = l->decay + at * l->decays;
        for (int64_t d = 0; d < l->size; d++) {
            float f = expf(l->decays == l->kv_heads ? g[h] : g[h * l->size + d]);
            for (int64_t j = 0; j < n; j++) state[d * n + j] *= f;
        }
    }
    memcpy(value, l->v + (at * l->kv_heads + h) * n, (size_t)n * sizeof *value);
    if (l->correct) {
        float beta = l->beta[at * l->betas + (l->betas == 1 ? 0 : h)];
        for (int64_t d = 0; d < l->size; d++) {
            for (int64_t j = 0; j < n; j++) value[j] -= state[d * n + j] * k[d];
        }
        for (int64_t j = 0; j < n; j++) value[j] *= beta;
    }
    for (int64_t d = 0; d < l->size; d++) {
        for (int64_t j = 0; j < n; j++) state[d * n + j] += k[d] * value[j];
    }
}

static void read_state(const linear *l, int64_t b, int64_t t, int64_t h, const float *state) {
    int64_t at = (b * l->length + t) * l->heads + h, n = l->v_size;
    const float *q = l->q + at * l->size;
    float *y = l->y + at * n;
    for (int64_t j = 0; j < n; j++) y[j] = 0;
    for (int64_t d = 0; d < l->size; d++) {
        for (int64_t j = 0; j < n; j++) y[j] += q[d] * state[d * n + j];
    }
    for (int64_t j = 0; j < n; j++) y[j] *= l->scale;
}

static int read_rule(ox_run *r, linear *l) {
    const char *rule = ox_get_string(r->call, "update_rule");
    bool gated = !strcmp(rule, "gated") || !strcmp(rule, "gated_delta");
    l->correct = !strcmp(rule, "delta") || !strcmp(rule, "gated_delta");
    if (!gated && !l->correct && strcmp(rule, "linear"))
        return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'update_rule' is '%s'", rule);
    if (gated != (ox_input(r, 4) != NULL) || l->correct != (ox_input(r, 5) != NULL))
        return ox_fail(r->ctx, OX_BAD_DATA, "decay and beta do not go with the update rule '%s'", rule);
    return 0;
}

static int read_linear(ox_run *r, linear *l, const ox_tensor *q, const ox_tensor *k, const ox_tensor *v) {
    const ox_tensor *decay = ox_input(r, 4), *beta = ox_input(r, 5);
    l->heads = ox_get_int(r->call, "q_num_heads");
    l->kv_heads = ox_get_int(r->call, "kv_num_heads");
    if (q->rank != 3 || k->rank != 3 || v->rank != 3)
        return ox_fail(r->ctx, OX_BAD_DATA, "query, key and value must have rank 3");
    if (l->heads < 1 || l->kv_heads < 1 || l->heads % l->kv_heads || q->dims[2] % l->heads || v->dims[2] % l->kv_heads)
        return ox_fail(r->ctx, OX_BAD_DATA, "the inputs cannot be cut into %" PRId64 " and %" PRId64 " heads", l->heads,
                       l->kv_heads);
    l->batch = q->dims[0];
    l->length = q->dims[1];
    l->size = q->dims[2] / l->heads;
    l->v_size = v->dims[2] / l->kv_heads;
    bool fits = k->dims[0] == l->batch && v->dims[0] == l->batch && k->dims[1] == l->length &&
                v->dims[1] == l->length && k->dims[2] == l->size * l->kv_heads;
    if (decay) {
        l->decays = decay->rank == 3 ? decay->dims[2] : 0;
        fits = fits && decay->count == l->batch * l->length * l->decays &&
               (l->decays == l->kv_heads || l->decays == l->kv_heads * l->size);
    }
    if (beta) {
        l->betas = beta->rank == 3 ? beta->dims[2] : 0;
        fits = fits && beta->count == l->batch * l->length * l->betas && (l->betas == l->kv_heads || l->betas == 1);
    }
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "the inputs do not fit together");
    double scale = ox_get_float(r->call, "scale");
    l->scale = (float)(scale == 0 ? 1 / sqrt((double)l->size) : scale);
    return 0;
}

/* States of all heads: the given ones, or zeros. NULL after ox_fail. */
static float *first_states(ox_run *r, const linear *l) {
    const ox_tensor *past = ox_input(r, 3);
    int64_t n = l->batch * l->kv_heads * l->size, count;
    if (past && (past->rank != 4 || past->dims[0] != l->batch || past->dims[1] != l->kv_heads ||
                 past->dims[2] != l->size || past->dims[3] != l->v_size)) {
        ox_fail(r->ctx, OX_BAD_DATA, "the past state has a wrong shape");
        return NULL;
    }
    if (!ox_mul_ok(n, l->v_size, &count)) {
        ox_fail(r->ctx, OX_NO_MEMORY, "the state is too large");
        return NULL;
    }
    const float *from = past ? ox_as_floats(r, past) : NULL;
    float *to = ox_scratch(r, (uint64_t)count * sizeof *to);
    if (!to || (past && !from)) return NULL;
    if (past)
        memcpy(to, from, (size_t)count * sizeof *to);
    else
        memset(to, 0, (size_t)count * sizeof *to);
    return to;
}

int ox_run_linear_attention(ox_run *r) {
    linear l = {0};
    const ox_tensor *q = ox_need(r, 0), *k = ox_need(r, 1), *v = ox_need(r, 2), *past = ox_input(r, 3);
    if (!q || !k || !v || !ox_ok_float(r, q) || read_rule(r, &l) < 0 || read_linear(r, &l, q, k, v) < 0) return -1;
    float *states = first_states(r, &l);
    ox_tensor *y = states ? ox_output(r, 0, q->dtype, 3, (int64_t[]){l.batch, l.length, l.heads * l.v_size}) : NULL;
    if (!y) return -1;
    l.q = ox_as_floats(r, q);
    l.k = ox_as_floats(r, k);
    l.v = ox_as_floats(r, v);
    l.decay = ox_input(r, 4) ? ox_as_floats(r, ox_input(r, 4)) : NULL;
    l.beta = ox_input(r, 5) ? ox_as_floats(r, ox_input(r, 5)) : NULL;
    l.y = ox_floats_of(r, y);
    float *room = ox_scratch(r, (uint64_t)(l.batch * l.kv_heads * l.v_size) * sizeof *room);
    if (!l.q || !l.k || !l.v || !l.y || !room || (ox_input(r, 4) && !l.decay) || (ox_input(r, 5) && !l.beta)) return -1;
    int64_t per = l.heads / l.kv_heads;
    const int threads = ox_threads_for(r->ctx, y->count * l.size);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < l.batch * l.kv_heads; i++) {
        int64_t b = i / l.kv_heads, h = i % l.kv_heads;
        float *state = states + i * l.size * l.v_size;
        for (int64_t t = 0; t < l.length; t++) {
            update_state(&l, b, t, h, state, room + i * l.v_size);
            for (int64_t j = 0; j < per; j++) read_state(&l, b, t, h * per + j, state);
        }
    }
    ox_floats_done(r, y, l.y);
    if (!ox_want(r, 1)) return 0;
    ox_tensor *present =
        ox_output(r, 1, past ? past->dtype : q->dtype, 4, (int64_t[]){l.batch, l.kv_heads, l.size, l.v_size});
    if (!present) return -1;
    ox_from_floats(present->dtype, ox_tensor_mut(present), 0, present->count, states);
    return 0;
}
