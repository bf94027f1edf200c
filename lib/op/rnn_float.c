/* Recurrent layers of floats (narrower floats are converted): one product for the inputs of all steps, then step by step with weights that
 * are packed once (cpu/recur.h).
 *
 * States are not copied: a step reads the old one where it lies, in the initial state or in the results of the step before, and writes the
 * new one into the results. With the usual activations a step is one function; with others it gives the sums, and rows are gone through by
 * vector functions. Directions and groups of sequences know nothing of each other, so threads take them whole; a large single group is
 * shared step by step. */
#include "cpu/gemm.h"
#include "cpu/recur.h"
#include "cpu/vec.h"
#include "op/rnn_layer.h"

enum {
    GROUP = 48,            /* sequences that are taken together, so that weights are read once for them */
    PIECES_FROM = 1 << 18, /* multiplications of a layer from which on other threads are worth starting */
    STEP_FROM = 1 << 19    /* the same for a step */
};

/* Weights as they are read; [2]: per direction. */
typedef struct packed {
    float *w;                     /* of all directions; NULL: as they are stored */
    float *bias;                  /* of all directions, what may be added at once; NULL: none */
    float *r[2], *candidate[2];   /* candidate: of a GRU whose reset comes first */
    float *peep[2], *after[2];
} packed;

typedef struct work {
    ox_run *r;
    const ox_rnn_layer *v;
    const ox_recur *set;
    const ox_vec *vec;
    const packed *p;
    int64_t padded, wide, group;  /* hidden in whole blocks; gates * hidden; floats of `g` per sequence */
    bool usual[2];                /* activations, per direction */
    const float *h0, *c0;
    float *y, *y_h, *y_c;
    float *xw, *cells, *g, *turns, *zeros; /* turns: two states per sequence, where nobody wants Y */
    const float **pointers;       /* POINTERS lists of a group, and the states */
} work;
enum { POINTERS = 8 };

/* ---- memory: laid out twice, first without it to know its size */
typedef struct room { char *at; uint64_t used; bool bad; } room;

static void *take(room *m, int64_t a, int64_t b, int64_t c, size_t size) {
    int64_t n;
    const uint64_t begin = m->used;
    if (!ox_mul_ok(a, b, &n) || !ox_mul_ok(n, c, &n) || !ox_mul_ok(n, (int64_t)size, &n) || n > INT64_MAX / 64) {
        m->bad = true;
        return NULL;
    }
    m->used += ((uint64_t)n + OX_RECUR_SLACK * sizeof(float) + 63) / 64 * 64;
    return m->at ? m->at + begin : NULL;
}

static int64_t padded_of(int64_t hidden) {
    const int64_t lanes = ox_recur_table()->lanes;
    return (hidden + lanes - 1) / lanes * lanes;
}

static bool reset_first(const ox_rnn_layer *v) { return v->cell == OX_CELL_GRU && !v->reset_after; }

/* ---- weights */

static packed *lay_packed(room *m, const ox_rnn_layer *v, bool inputs, bool bias, bool peep) {
    packed p = {0}, *to = take(m, 1, 1, 1, sizeof p);
    const int64_t wide = v->gates * v->hidden, first = reset_first(v) ? 2 : v->gates, padded = padded_of(v->hidden);
    const uint64_t bytes = inputs ? ox_gemm_packed_bytes(v->directions * wide, v->inputs) : 0;
    if (inputs) p.w = take(m, bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes, 1, 1, 1);
    if (bias) p.bias = take(m, v->directions, wide, 1, sizeof(float));
    for (int d = 0; d < v->directions; d++) {
        const int64_t all = ox_recur_packed(first, v->hidden);
        p.r[d] = take(m, all < 0 ? INT64_MAX : all, 1, 1, sizeof(float));
        if (reset_first(v)) p.candidate[d] = take(m, ox_recur_packed(1, v->hidden), 1, 1, sizeof(float));
        if (peep) p.peep[d] = take(m, 3, padded, 1, sizeof(float));
        if (bias && v->cell == OX_CELL_GRU && v->reset_after) p.after[d] = take(m, padded, 1, 1, sizeof(float));
    }
    if (m->at) *to = p;
    return to;
}

static void fill_bias(const ox_rnn_layer *v, const float *b, const packed *p, int d) {
    const int64_t n = v->hidden, wide = v->gates * n;
    b += d * 2 * wide;
    for (int64_t j = 0; j < wide; j++) p->bias[d * wide + j] = b[j] + (p->after[d] && j >= 2 * n ? 0 : b[wide + j]);
    if (p->after[d]) memcpy(p->after[d], b + wide + 2 * n, (size_t)n * sizeof *b);
}

static int fill_packed(ox_run *r, const ox_rnn_layer *v, const packed *p) {
    const float *in[8] = {0};
    const int64_t n = v->hidden, wide = v->gates * n, padded = padded_of(n);
    for (int i = 1; i < 8; i++) {
        const bool read = i == 1 ? p->w != NULL : i == 2 || (i == 3 && p->bias) || (i == 7 && p->peep[0]);
        if (read && !(in[i] = ox_as_floats(r, ox_input(r, i)))) return -1;
    }
    if (p->w) ox_gemm_pack(ox_thread_count(r->ctx), true, v->directions * wide, v->inputs, in[1], v->inputs, p->w);
    for (int d = 0; d < v->directions; d++) {
        const float *rec = in[2] + d * wide * n;
        ox_recur_pack(reset_first(v) ? 2 : v->gates, n, rec, p->r[d]);
        if (reset_first(v)) ox_recur_pack(1, n, rec + 2 * n * n, p->candidate[d]);
        if (p->bias) fill_bias(v, in[3], p, d);
        for (int64_t k = 0; k < 3 && p->peep[d]; k++) memcpy(p->peep[d] + k * padded, in[7] + (d * 3 + k) * n, (size_t)n * sizeof *rec);
    }
    return 0;
}

/* Weights that are the same in every run are packed once, with those of the inputs; others into scratch memory. */
static const packed *weights_of(ox_run *r, const ox_rnn_layer *v) {
    if (r->kept && r->kept->data) return r->kept->data;
    const bool bias = ox_input(r, 3), peep = v->cell == OX_CELL_LSTM && ox_input(r, 7);
    const uint32_t needed = 1u << 1 | 1u << 2 | (bias ? 1u << 3 : 0) | (peep ? 1u << 7 : 0);
    const bool keep = r->kept && (r->kept->fixed & needed) == needed;
    room m = {0};
    lay_packed(&m, v, keep, bias, peep);
    if (m.bad || m.used > SIZE_MAX) {
        ox_fail(r->ctx, OX_NO_MEMORY, "the weights are too large to be packed");
        return NULL;
    }
    m.at = keep ? ox_payload_alloc(r->ctx, (size_t)m.used) : ox_scratch(r, m.used);
    m.used = 0;
    if (!m.at) return NULL;
    packed *p = lay_packed(&m, v, keep, bias, peep);
    if (fill_packed(r, v, p)) {
        if (keep) ox_payload_free(p);
        return NULL;
    }
    if (!keep) return p;
    r->kept->data = p;
    r->kept->free = ox_payload_free;
    for (int i = 1; i < 8; i++)
        if (needed >> i & 1) ox_tensor_forget(ox_input(r, i));
    return p;
}

/* ---- other activations than the usual ones */

static void activate(const ox_vec *vec, const ox_rnn_activation *f, float *x, int64_t n) {
    static const ox_fn fns[] = {[OX_ACT_SIGMOID] = OX_FN_SIGMOID, [OX_ACT_TANH] = OX_FN_TANH, [OX_ACT_RELU] = OX_FN_RELU,
                                [OX_ACT_LEAKY_RELU] = OX_FN_LEAKY_RELU, [OX_ACT_THRESHOLDED_RELU] = OX_FN_THRESHOLDED_RELU,
                                [OX_ACT_SCALED_TANH] = OX_FN_TANH, [OX_ACT_HARD_SIGMOID] = OX_FN_HARD_SIGMOID, [OX_ACT_ELU] = OX_FN_ELU,
                                [OX_ACT_SOFTSIGN] = OX_FN_SOFTSIGN, [OX_ACT_SOFTPLUS] = OX_FN_SOFTPLUS};
    const float p[2] = {(float)f->alpha, (float)f->beta};
    if (f->kind == OX_ACT_AFFINE) {
        vec->scale_shift(x, x, n, p[0], p[1]);
        return;
    }
    if (f->kind == OX_ACT_SCALED_TANH) vec->fn2[OX_FN2_MUL][OX_VS](x, x, &p[1], n);
    vec->fn[fns[f->kind]](x, x, n, p);
    if (f->kind == OX_ACT_SCALED_TANH) vec->fn2[OX_FN2_MUL][OX_VS](x, x, &p[0], n);
}

static void gate(const work *w, const ox_rnn_activation *f, float *x) {
    const float clip[2] = {(float)-w->v->clip, (float)w->v->clip};
    if (w->v->clip > 0) w->vec->fn[OX_FN_CLIP](x, x, w->v->hidden, clip);
    activate(w->vec, f, x, w->v->hidden);
}

/* Row I of an LSTM: G holds the sums of the gates i, o, f, c. */
static void lstm_row(const work *w, const ox_recur_step *s, const ox_rnn_activation *f, int64_t i, float *g) {
    const int64_t n = s->hidden, m = s->padded;
    float *in = g, *out = g + m, *forget = g + 2 * m, *cell = g + 3 * m, *c = s->c[i], *h = s->to[i];
    const float *peep = s->peep;
    for (int64_t j = 0; j < n && peep; j++) {
        in[j] += peep[j] * c[j];
        forget[j] += peep[2 * m + j] * c[j];
    }
    gate(w, &f[0], in);
    if (s->input_forget) {
        for (int64_t j = 0; j < n; j++) forget[j] = 1 - in[j];
    } else {
        gate(w, &f[0], forget);
    }
    gate(w, &f[1], cell);
    for (int64_t j = 0; j < n; j++) c[j] = forget[j] * c[j] + in[j] * cell[j];
    for (int64_t j = 0; j < n && peep; j++) out[j] += peep[m + j] * c[j];
    gate(w, &f[0], out);
    memcpy(h, c, (size_t)n * sizeof *h);
    activate(w->vec, &f[2], h, n);
    for (int64_t j = 0; j < n; j++) h[j] *= out[j];
}

/* z and r of row I of a GRU; r * h where the reset comes first. */
static void gates_row(const work *w, const ox_recur_step *s, const ox_rnn_activation *f, int64_t i, float *g) {
    float *r = g + s->padded;
    gate(w, &f[0], g);
    gate(w, &f[0], r);
    for (int64_t j = 0; j < s->hidden && !w->v->reset_after; j++) r[j] *= s->h[i][j];
}

/* The new state; the recurrent part of the candidate is the third in G. */
static void gru_row(const work *w, const ox_recur_step *s, const ox_rnn_activation *f, int64_t i, float *g) {
    const int64_t n = s->hidden;
    const float *x = s->x[i] + 2 * n, *h = s->h[i], *r = g + s->padded;
    float *candidate = g + 2 * s->padded;
    for (int64_t j = 0; j < n; j++) candidate[j] = x[j] + (w->v->reset_after ? r[j] * candidate[j] : candidate[j]);
    gate(w, &f[1], candidate);
    for (int64_t j = 0; j < n; j++) s->to[i][j] = (1 - g[j]) * candidate[j] + g[j] * h[j];
}

/* ---- one step */

static void blocks(const work *w, ox_recur_fn fn, const ox_recur_step *s, int threads) {
    const int64_t n = s->padded / w->set->lanes, pieces = (n + OX_RECUR_BLOCKS - 1) / OX_RECUR_BLOCKS;
    if (threads <= 1 || pieces == 1) {
        fn(s, 0, n);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t k = 0; k < pieces; k++) fn(s, k * OX_RECUR_BLOCKS, k + 1 < pieces ? (k + 1) * OX_RECUR_BLOCKS : n);
}

static void usual_step(const work *w, int d, ox_recur_step *s, float *const *g, int threads) {
    const ox_rnn_layer *v = w->v;
    if (!reset_first(v)) {
        blocks(w, v->cell == OX_CELL_LSTM ? w->set->lstm : v->cell == OX_CELL_GRU ? w->set->gru_after : w->set->rnn, s, threads);
        return;
    }
    s->c = g;
    blocks(w, w->set->gru_gates, s, threads);
    s->weights = w->p->candidate[d];
    blocks(w, w->set->gru_before, s, threads);
}

/* OTHER: room for two lists of pointers. */
static void any_step(const work *w, int d, const ox_recur_step *s, float *const *g, const float **other, int threads) {
    const ox_rnn_layer *v = w->v;
    const ox_rnn_activation *f = v->acts + 3 * d;
    ox_recur_step sums = *s;
    sums.c = g;
    blocks(w, w->set->sums[reset_first(v) ? 1 : v->gates - 1], &sums, threads);
    for (int64_t i = 0; i < s->rows && v->cell == OX_CELL_GRU; i++) gates_row(w, s, f, i, g[i]);
    if (reset_first(v)) {
        float **to = (float **)(uintptr_t)(other + s->rows);
        for (int64_t i = 0; i < s->rows; i++) {
            other[i] = g[i] + s->padded;
            to[i] = g[i] + 2 * s->padded;
        }
        sums.h = other;
        sums.c = to;
        sums.weights = w->p->candidate[d];
        blocks(w, w->set->product, &sums, threads);
    }
    for (int64_t i = 0; i < s->rows; i++) {
        if (v->cell == OX_CELL_LSTM) lstm_row(w, s, f, i, g[i]);
        else if (v->cell == OX_CELL_GRU) gru_row(w, s, f, i, g[i]);
        else {
            gate(w, &f[0], g[i]);
            memcpy(s->to[i], g[i], (size_t)s->hidden * sizeof *g[i]);
        }
    }
}

/* ---- sequences */

/* ROWS sequences from FIRST on, in direction D, through all steps. */
static void run_group(const work *w, int d, int64_t first, int64_t rows, int threads) {
    const ox_rnn_layer *v = w->v;
    const bool reverse = v->reverse_first || d == 1;
    const int64_t n = v->hidden, at = d * v->batch + first;
    const float **x = w->pointers + at * POINTERS, **h = x + rows, **state = h + rows, **other = state + rows;
    float **to = (float **)(uintptr_t)(other + 2 * rows), **c = to + rows, **g = c + rows;
    for (int64_t b = 0; b < rows; b++) {
        const int64_t from = (first + b) * v->h_batch + d * v->h_direction;
        float *cell = w->cells + (at + b) * w->padded;
        state[b] = w->h0 ? w->h0 + from : w->zeros;
        if (v->cell == OX_CELL_LSTM) memcpy(cell, w->c0 ? w->c0 + from : w->zeros, (size_t)n * sizeof *cell);
    }
    for (int64_t s = 0; s < v->steps; s++) {
        int64_t k = 0;
        for (int64_t b = 0; b < rows; b++) {
            const int64_t sequence = first + b, length = v->lengths ? v->lengths[sequence] : v->steps, t = s >= length || !reverse ? s : length - 1 - s;
            float *y = w->y ? w->y + t * v->y_step + sequence * v->y_batch + d * v->y_direction : w->turns + (2 * (at + b) + (s & 1)) * w->padded;
            if (s >= length) {
                if (w->y) memset(y, 0, (size_t)n * sizeof *y);
                continue;
            }
            x[k] = w->xw + (v->batch_first ? sequence * v->steps + t : t * v->batch + sequence) * v->directions * w->wide + d * w->wide;
            h[k] = state[b];
            c[k] = w->cells + (at + b) * w->padded;
            g[k] = w->g + (at + b) * w->group;
            state[b] = to[k++] = y;
        }
        ox_recur_step step = {.rows = k, .hidden = n, .padded = w->padded, .weights = w->p->r[d], .x = x, .h = h, .to = to, .c = c, .peep = w->p->peep[d],
                              .after = w->p->after[d], .clip = v->clip > 0 ? (float)v->clip : INFINITY, .input_forget = v->input_forget};
        if (w->usual[d]) usual_step(w, d, &step, g, threads);
        else any_step(w, d, &step, g, other, threads);
    }
    for (int64_t b = 0; b < rows; b++) {
        const int64_t to_state = (first + b) * v->h_batch + d * v->h_direction;
        if (w->y_h) memcpy(w->y_h + to_state, state[b], (size_t)n * sizeof(float));
        if (w->y_c) memcpy(w->y_c + to_state, w->cells + (at + b) * w->padded, (size_t)n * sizeof(float));
    }
}

static void run_groups(const work *w) {
    const ox_rnn_layer *v = w->v;
    const int64_t groups = (v->batch + GROUP - 1) / GROUP, pieces = groups * v->directions;
    const double step = (double)v->batch * (double)w->wide * (double)v->hidden, all = step * (double)v->steps * v->directions;
    const int most = ox_thread_count(w->r->ctx), within = pieces == 1 && ox_cpu_worth(step, STEP_FROM) ? most : 1;
    OX_EACH(pieces > 1 && ox_cpu_worth(all, PIECES_FROM) ? most : 1, i, pieces, {
        const int64_t first = i % groups * GROUP;
        run_group(w, (int)(i / groups), first, v->batch - first < GROUP ? v->batch - first : GROUP, within);
    });
}

/* ---- a layer */

static void lay_work(room *m, work *w) {
    const ox_rnn_layer *v = w->v;
    const int64_t all = v->batch * v->directions;
    w->xw = take(m, v->steps * v->batch, v->directions, w->wide, sizeof(float));
    w->zeros = take(m, v->hidden, 1, 1, sizeof(float));
    w->cells = v->cell == OX_CELL_LSTM ? take(m, all, w->padded, 1, sizeof(float)) : w->zeros;
    w->g = take(m, all, w->group, 1, sizeof(float));
    w->turns = take(m, w->y ? 0 : all, 2, w->padded, sizeof(float));
    w->pointers = take(m, all, POINTERS, 1, sizeof *w->pointers);
}

/* A state [batch][directions][hidden] in either order. NULL with *bad: after ox_fail. */
static const float *floats_of(ox_run *r, int i, bool *bad) {
    const ox_tensor *t = ox_input(r, i);
    const float *f = t ? ox_as_floats(r, t) : NULL;
    *bad |= t && !f;
    return f;
}

static bool usual(const ox_rnn_layer *v, int d) {
    const ox_rnn_activation *f = v->acts + 3 * d;
    switch (v->cell) {
    case OX_CELL_LSTM: return f[0].kind == OX_ACT_SIGMOID && f[1].kind == OX_ACT_TANH && f[2].kind == OX_ACT_TANH;
    case OX_CELL_GRU: return f[0].kind == OX_ACT_SIGMOID && f[1].kind == OX_ACT_TANH;
    default: return f[0].kind == OX_ACT_TANH;
    }
}

static int project(work *w, const float *x) {
    const ox_rnn_layer *v = w->v;
    const int64_t rows = v->steps * v->batch, cols = v->directions * w->wide;
    const int threads = ox_thread_count(w->r->ctx);
    if (w->p->w) {
        ox_gemm_packed(threads, false, rows, cols, v->inputs, 1, x, v->inputs, w->p->w, w->p->bias, NULL, w->xw, cols);
        return 0;
    }
    const float *weights = ox_as_floats(w->r, ox_input(w->r, 1));
    if (!weights) return -1;
    ox_gemm(threads, false, true, rows, cols, v->inputs, 1, x, v->inputs, weights, v->inputs, false, w->p->bias, NULL, w->xw, cols);
    return 0;
}

int ox_run_layer_float(ox_run *r, const ox_rnn_layer *v, ox_tensor *const *out) {
    work w = {.r = r, .v = v, .set = ox_recur_table(), .vec = ox_vec_table(), .padded = padded_of(v->hidden), .wide = v->gates * v->hidden};
    float *to[3] = {0};
    bool bad = false, all_usual = true;
    const float *x = floats_of(r, 0, &bad);
    w.h0 = floats_of(r, 5, &bad);
    w.c0 = v->cell == OX_CELL_LSTM ? floats_of(r, 6, &bad) : NULL;
    for (int i = 0; i < 3 && !bad; i++) bad = out[i] && !(to[i] = ox_floats_of(r, out[i]));
    if (bad || !(w.p = weights_of(r, v))) return -1;
    w.y = to[0];
    w.y_h = to[1];
    w.y_c = to[2];
    for (int d = 0; d < v->directions; d++) all_usual &= w.usual[d] = usual(v, d);
    w.group = !all_usual ? (v->gates > 3 ? v->gates : 3) * w.padded : reset_first(v) ? 2 * w.padded : 0;
    room m = {0};
    lay_work(&m, &w);
    if (m.bad) return ox_fail(r->ctx, OX_NO_MEMORY, "%" PRId64 " steps of %" PRId64 " sequences are too many", v->steps, v->batch);
    if (!(m.at = ox_scratch(r, m.used))) return -1;
    m.used = 0;
    lay_work(&m, &w);
    memset(w.zeros, 0, (size_t)v->hidden * sizeof *w.zeros);
    if (project(&w, x)) return -1;
    run_groups(&w);
    for (int i = 0; i < 3; i++)
        if (out[i]) ox_floats_done(r, out[i], to[i]);
    return 0;
}
