/* Recurrent layers in one type of real numbers: included by rnn_kernels.c with REAL, R(name), GEMM, TANH, SIGMOID
 * and AS defined. */

static void R(activate)(const activation *f, REAL *x, int64_t n) {
    REAL a = (REAL)f->alpha, b = (REAL)f->beta;
    switch (f->kind) {
    case ACT_SIGMOID:
        for (int64_t i = 0; i < n; i++) x[i] = SIGMOID(x[i]);
        break;
    case ACT_TANH:
        for (int64_t i = 0; i < n; i++) x[i] = TANH(x[i]);
        break;
    case ACT_RELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
        break;
    case ACT_AFFINE:
        for (int64_t i = 0; i < n; i++) x[i] = a * x[i] + b;
        break;
    case ACT_LEAKY_RELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] >= 0 ? x[i] : a * x[i];
        break;
    case ACT_THRESHOLDED_RELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] > a ? x[i] : 0;
        break;
    case ACT_SCALED_TANH:
        for (int64_t i = 0; i < n; i++) x[i] = a * TANH(b * x[i]);
        break;
    case ACT_HARD_SIGMOID:
        for (int64_t i = 0; i < n; i++) x[i] = a * x[i] + b < 0 ? 0 : a * x[i] + b > 1 ? 1 : a * x[i] + b;
        break;
    case ACT_ELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] >= 0 ? x[i] : a * (REAL)expm1((double)x[i]);
        break;
    case ACT_SOFTSIGN:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] / (1 + (x[i] < 0 ? -x[i] : x[i]));
        break;
    case ACT_SOFTPLUS:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] > 30 ? x[i] : (REAL)log1p(exp((double)x[i]));
        break;
    }
}

static void R(gate)(const layer *v, const activation *f, REAL *x) {
    REAL c = (REAL)v->clip;
    for (int64_t i = 0; i < v->hidden && c > 0; i++) x[i] = x[i] < -c ? -c : x[i] > c ? c : x[i];
    R(activate)(f, x, v->hidden);
}

/* One row of an LSTM: G holds the sums of the gates i, o, f, c; H and C become the next state. */
static void R(lstm_cell)(const layer *v, const activation *f, const REAL *peep, REAL *g, REAL *h, REAL *c) {
    int64_t n = v->hidden;
    REAL *in = g, *out = g + n, *forget = g + 2 * n, *cell = g + 3 * n;
    for (int64_t j = 0; j < n && peep; j++) {
        in[j] += peep[j] * c[j];
        forget[j] += peep[2 * n + j] * c[j];
    }
    R(gate)(v, &f[0], in);
    if (v->input_forget) {
        for (int64_t j = 0; j < n; j++) forget[j] = 1 - in[j];
    } else {
        R(gate)(v, &f[0], forget);
    }
    R(gate)(v, &f[1], cell);
    for (int64_t j = 0; j < n; j++) c[j] = forget[j] * c[j] + in[j] * cell[j];
    for (int64_t j = 0; j < n && peep; j++) out[j] += peep[n + j] * c[j];
    R(gate)(v, &f[0], out);
    memcpy(h, c, (size_t)n * sizeof *h);
    R(activate)(&f[2], h, n);
    for (int64_t j = 0; j < n; j++) h[j] *= out[j];
}

static void R(mix)(int64_t n, const REAL *update, const REAL *candidate, REAL *h) {
    for (int64_t j = 0; j < n; j++) h[j] = (1 - update[j]) * candidate[j] + update[j] * h[j];
}

/* Sums of the gates of all rows: what the input gives at the time of each row, and H times the recurrent weights;
 * for a GRU the candidate's part waits for the reset gate. */
static void R(sum_gates)(ox_ctx *ctx, const layer *v, const REAL *xw, const REAL *weight, const REAL *h, int64_t step,
                         bool reverse, REAL *g) {
    int64_t wide = v->gates * v->hidden, n = v->cell == CELL_GRU ? 2 * v->hidden : wide;
    for (int64_t b = 0; b < v->batch; b++) {
        int64_t length = v->lengths ? v->lengths[b] : v->steps, t = reverse ? length - 1 - step : step;
        if (step < length)
            memcpy(g + b * wide, xw + (t * v->batch + b) * wide, (size_t)wide * sizeof *g);
        else
            memset(g + b * wide, 0, (size_t)wide * sizeof *g);
    }
    GEMM(ctx, false, true, v->batch, n, v->hidden, 1, h, v->hidden, weight, v->hidden, 1, g, wide);
}

/* z, r and candidate of a GRU. RH [batch, hidden] is room; BIAS: the recurrent bias of the candidate, used when it
 * is not yet in G. */
static void R(gru_step)(ox_ctx *ctx, const layer *v, const activation *f, const REAL *weight, const REAL *bias, REAL *g,
                        REAL *h, REAL *rh, int64_t step) {
    int64_t n = v->hidden;
    for (int64_t b = 0; b < v->batch; b++) {
        REAL *z = g + b * 3 * n, *r = z + n;
        R(gate)(v, &f[0], z);
        R(gate)(v, &f[0], r);
        for (int64_t j = 0; j < n && !v->reset_after; j++) rh[b * n + j] = r[j] * h[b * n + j];
    }
    REAL *product = rh + v->batch * n;
    GEMM(ctx, false, true, v->batch, n, n, 1, v->reset_after ? h : rh, n, weight + 2 * n * n, n, 0, product, n);
    for (int64_t b = 0; b < v->batch; b++) {
        REAL *z = g + b * 3 * n, *r = z + n, *candidate = r + n, *p = product + b * n;
        if (v->lengths && step >= v->lengths[b]) continue;
        for (int64_t j = 0; j < n; j++) candidate[j] += v->reset_after ? r[j] * (p[j] + (bias ? bias[j] : 0)) : p[j];
        R(gate)(v, &f[1], candidate);
        R(mix)(n, z, candidate, h + b * n);
    }
}

static void R(step)(ox_ctx *ctx, const layer *v, const R(weights) * w, const activation *f, REAL *g, REAL *room,
                    int64_t step) {
    int64_t n = v->hidden;
    if (v->cell == CELL_GRU) {
        R(gru_step)(ctx, v, f, w->r, w->reset_bias, g, w->h, room, step);
        return;
    }
    for (int64_t b = 0; b < v->batch; b++) {
        if (v->lengths && step >= v->lengths[b]) continue;
        REAL *row = g + b * v->gates * n;
        if (v->cell == CELL_LSTM) {
            R(lstm_cell)(v, f, w->peep, row, w->h + b * n, w->c + b * n);
        } else {
            R(gate)(v, &f[0], row);
            memcpy(w->h + b * n, row, (size_t)n * sizeof *row);
        }
    }
}

/* xw[steps * batch, gates * hidden] = x * w + the biases that may be added at once. */
static void R(project)(ox_ctx *ctx, const layer *v, const R(weights) *w, const REAL *x, REAL *xw) {
    int64_t wide = v->gates * v->hidden, rows = v->steps * v->batch;
    for (int64_t i = 0; i < rows && w->bias; i++) {
        for (int64_t j = 0; j < wide; j++) {
            bool later = v->cell == CELL_GRU && v->reset_after && j >= 2 * v->hidden;
            xw[i * wide + j] = w->bias[j] + (later ? 0 : w->bias[wide + j]);
        }
    }
    GEMM(ctx, false, true, rows, wide, v->inputs, 1, x, v->inputs, w->w, v->inputs, w->bias ? 1 : 0, xw, wide);
}

/* One direction. Y: results of all steps, NULL when nobody wants them. */
static int R(run_direction)(ox_run *r, const layer *v, int d, const R(weights) *w, const REAL *x, REAL *y) {
    int64_t wide = v->gates * v->hidden, n = v->hidden;
    bool reverse = v->reverse_first || d == 1;
    REAL *xw = ox_scratch(r, (uint64_t)(v->steps * v->batch) * (uint64_t)wide * sizeof *xw);
    REAL *g = ox_scratch(r, (uint64_t)v->batch * (uint64_t)wide * sizeof *g),
         *room = ox_scratch(r, (uint64_t)(v->batch * n) * 2 * sizeof *room);
    if (!xw || !g || !room) return -1;
    R(project)(r->ctx, v, w, x, xw);
    for (int64_t s = 0; s < v->steps; s++) {
        R(sum_gates)(r->ctx, v, xw, w->r, w->h, s, reverse, g);
        R(step)(r->ctx, v, w, v->acts + 3 * d, g, room, s);
        for (int64_t b = 0; b < v->batch && y; b++) {
            int64_t length = v->lengths ? v->lengths[b] : v->steps, t = s >= length ? s : reverse ? length - 1 - s : s;
            REAL *to = y + t * v->y_step + b * v->y_batch + d * v->y_direction;
            if (s < length)
                memcpy(to, w->h + b * n, (size_t)n * sizeof *to);
            else
                memset(to, 0, (size_t)n * sizeof *to);
        }
    }
    return 0;
}

/* The initial state of direction d, a copy [batch, hidden], from a tensor [directions, batch, hidden] or, by layout,
 * [batch, directions, hidden]. */
static REAL *R(state)(ox_run *r, const layer *v, const REAL *from, int d) {
    REAL *h = ox_scratch(r, (uint64_t)(v->batch * v->hidden) * sizeof *h);
    for (int64_t b = 0; b < v->batch && h; b++) {
        if (from)
            memcpy(h + b * v->hidden, from + b * v->h_batch + d * v->h_direction, (size_t)v->hidden * sizeof *h);
        else
            memset(h + b * v->hidden, 0, (size_t)v->hidden * sizeof *h);
    }
    return h;
}

/* Output i, [directions, batch, hidden]: the last state of one direction goes in. */
static void R(put_state)(const layer *v, const REAL *h, int d, REAL *to) {
    for (int64_t b = 0; b < v->batch && to; b++)
        memcpy(to + b * v->h_batch + d * v->h_direction, h + b * v->hidden, (size_t)v->hidden * sizeof *h);
}

/* X as [steps, batch, inputs]. */
static const REAL *R(time_major)(ox_run *r, const layer *v, const REAL *x) {
    if (!v->batch_first || v->batch == 1) return x;
    REAL *to = ox_scratch(r, (uint64_t)(v->steps * v->batch * v->inputs) * sizeof *to);
    for (int64_t i = 0; to && i < v->steps * v->batch; i++)
        memcpy(to + i * v->inputs, x + (i % v->batch * v->steps + i / v->batch) * v->inputs,
               (size_t)v->inputs * sizeof *to);
    return to;
}

static int R(run_layer)(ox_run *r, const layer *v, ox_tensor *const *out) {
    const REAL *in[8] = {0};
    REAL *to[3] = {0};
    int64_t wide = v->gates * v->hidden;
    for (int i = 0; i < 8; i++) {
        if (i == 4 || !ox_input(r, i)) continue;
        if (!(in[i] = AS(r, ox_input(r, i)))) return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (out[i] && !(to[i] = OUT(r, out[i]))) return -1;
    }
    const REAL *x = R(time_major)(r, v, in[0]);
    if (!x) return -1;
    for (int d = 0; d < v->directions; d++) {
        const REAL *bias = in[3] ? in[3] + d * 2 * wide : NULL;
        R(weights)
        w = {in[1] + d * wide * v->inputs,
             in[2] + d * wide * v->hidden,
             bias,
             bias ? bias + wide + 2 * v->hidden : NULL,
             in[7] ? in[7] + d * 3 * v->hidden : NULL,
             R(state)(r, v, in[5], d),
             NULL};
        if (v->cell != CELL_GRU || !v->reset_after) w.reset_bias = NULL;
        if (v->cell == CELL_LSTM && !(w.c = R(state)(r, v, in[6], d))) return -1;
        if (!w.h || R(run_direction)(r, v, d, &w, x, to[0]) < 0) return -1;
        R(put_state)(v, w.h, d, to[1]);
        if (w.c) R(put_state)(v, w.c, d, to[2]);
    }
    for (int i = 0; i < 3; i++) {
        if (out[i]) DONE(r, out[i], to[i]);
    }
    return 0;
}
