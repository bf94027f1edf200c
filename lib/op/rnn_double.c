/* Recurrent layers of doubles: one product for the inputs of all steps, then a product with the state per step. */
#include "op/blas.h"
#include "op/rnn_layer.h"

typedef struct weights {
    const double *w, *r, *bias, *reset_bias, *peep;
    double *h, *c;
} weights;

static double exact_sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void activate(const ox_rnn_activation *f, double *x, int64_t n) {
    double a = f->alpha, b = f->beta;
    switch (f->kind) {
    case OX_ACT_SIGMOID:
        for (int64_t i = 0; i < n; i++) x[i] = exact_sigmoid(x[i]);
        break;
    case OX_ACT_TANH:
        for (int64_t i = 0; i < n; i++) x[i] = tanh(x[i]);
        break;
    case OX_ACT_RELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
        break;
    case OX_ACT_AFFINE:
        for (int64_t i = 0; i < n; i++) x[i] = a * x[i] + b;
        break;
    case OX_ACT_LEAKY_RELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] >= 0 ? x[i] : a * x[i];
        break;
    case OX_ACT_THRESHOLDED_RELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] > a ? x[i] : 0;
        break;
    case OX_ACT_SCALED_TANH:
        for (int64_t i = 0; i < n; i++) x[i] = a * tanh(b * x[i]);
        break;
    case OX_ACT_HARD_SIGMOID:
        for (int64_t i = 0; i < n; i++) x[i] = a * x[i] + b < 0 ? 0 : a * x[i] + b > 1 ? 1 : a * x[i] + b;
        break;
    case OX_ACT_ELU:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] >= 0 ? x[i] : a * expm1(x[i]);
        break;
    case OX_ACT_SOFTSIGN:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] / (1 + (x[i] < 0 ? -x[i] : x[i]));
        break;
    case OX_ACT_SOFTPLUS:
        for (int64_t i = 0; i < n; i++) x[i] = x[i] > 30 ? x[i] : log1p(exp(x[i]));
        break;
    }
}

static void gate(const ox_rnn_layer *v, const ox_rnn_activation *f, double *x) {
    double c = v->clip;
    for (int64_t i = 0; i < v->hidden && c > 0; i++) x[i] = x[i] < -c ? -c : x[i] > c ? c : x[i];
    activate(f, x, v->hidden);
}

/* One row of an LSTM: G holds the sums of the gates i, o, f, c; H and C become the next state. */
static void lstm_cell(const ox_rnn_layer *v, const ox_rnn_activation *f, const double *peep, double *g, double *h, double *c) {
    int64_t n = v->hidden;
    double *in = g, *out = g + n, *forget = g + 2 * n, *cell = g + 3 * n;
    for (int64_t j = 0; j < n && peep; j++) {
        in[j] += peep[j] * c[j];
        forget[j] += peep[2 * n + j] * c[j];
    }
    gate(v, &f[0], in);
    if (v->input_forget) {
        for (int64_t j = 0; j < n; j++) forget[j] = 1 - in[j];
    } else {
        gate(v, &f[0], forget);
    }
    gate(v, &f[1], cell);
    for (int64_t j = 0; j < n; j++) c[j] = forget[j] * c[j] + in[j] * cell[j];
    for (int64_t j = 0; j < n && peep; j++) out[j] += peep[n + j] * c[j];
    gate(v, &f[0], out);
    memcpy(h, c, (size_t)n * sizeof *h);
    activate(&f[2], h, n);
    for (int64_t j = 0; j < n; j++) h[j] *= out[j];
}

static void mix(int64_t n, const double *update, const double *candidate, double *h) {
    for (int64_t j = 0; j < n; j++) h[j] = (1 - update[j]) * candidate[j] + update[j] * h[j];
}

/* Sums of the gates of all rows: what the input gives at the time of each row, and H times the recurrent weights;
 * for a GRU the candidate's part waits for the reset gate. */
static void sum_gates(ox_ctx *ctx, const ox_rnn_layer *v, const double *xw, const double *weight, const double *h, int64_t step,
                         bool reverse, double *g) {
    int64_t wide = v->gates * v->hidden, n = v->cell == OX_CELL_GRU ? 2 * v->hidden : wide;
    for (int64_t b = 0; b < v->batch; b++) {
        int64_t length = v->lengths ? v->lengths[b] : v->steps, t = reverse ? length - 1 - step : step;
        if (step < length)
            memcpy(g + b * wide, xw + (t * v->batch + b) * wide, (size_t)wide * sizeof *g);
        else
            memset(g + b * wide, 0, (size_t)wide * sizeof *g);
    }
    ox_dgemm(ctx, false, true, v->batch, n, v->hidden, 1, h, v->hidden, weight, v->hidden, 1, g, wide);
}

/* z, r and candidate of a GRU. RH [batch, hidden] is room; BIAS: the recurrent bias of the candidate, used when it
 * is not yet in G. */
static void gru_step(ox_ctx *ctx, const ox_rnn_layer *v, const ox_rnn_activation *f, const double *weight, const double *bias, double *g,
                        double *h, double *rh, int64_t step) {
    int64_t n = v->hidden;
    for (int64_t b = 0; b < v->batch; b++) {
        double *z = g + b * 3 * n, *r = z + n;
        gate(v, &f[0], z);
        gate(v, &f[0], r);
        for (int64_t j = 0; j < n && !v->reset_after; j++) rh[b * n + j] = r[j] * h[b * n + j];
    }
    double *product = rh + v->batch * n;
    ox_dgemm(ctx, false, true, v->batch, n, n, 1, v->reset_after ? h : rh, n, weight + 2 * n * n, n, 0, product, n);
    for (int64_t b = 0; b < v->batch; b++) {
        double *z = g + b * 3 * n, *r = z + n, *candidate = r + n, *p = product + b * n;
        if (v->lengths && step >= v->lengths[b]) continue;
        for (int64_t j = 0; j < n; j++) candidate[j] += v->reset_after ? r[j] * (p[j] + (bias ? bias[j] : 0)) : p[j];
        gate(v, &f[1], candidate);
        mix(n, z, candidate, h + b * n);
    }
}

static void step(ox_ctx *ctx, const ox_rnn_layer *v, const weights * w, const ox_rnn_activation *f, double *g, double *room,
                    int64_t step) {
    int64_t n = v->hidden;
    if (v->cell == OX_CELL_GRU) {
        gru_step(ctx, v, f, w->r, w->reset_bias, g, w->h, room, step);
        return;
    }
    for (int64_t b = 0; b < v->batch; b++) {
        if (v->lengths && step >= v->lengths[b]) continue;
        double *row = g + b * v->gates * n;
        if (v->cell == OX_CELL_LSTM) {
            lstm_cell(v, f, w->peep, row, w->h + b * n, w->c + b * n);
        } else {
            gate(v, &f[0], row);
            memcpy(w->h + b * n, row, (size_t)n * sizeof *row);
        }
    }
}

/* xw[steps * batch, gates * hidden] = x * w + the biases that may be added at once. */
static void project(ox_ctx *ctx, const ox_rnn_layer *v, const weights *w, const double *x, double *xw) {
    int64_t wide = v->gates * v->hidden, rows = v->steps * v->batch;
    for (int64_t i = 0; i < rows && w->bias; i++) {
        for (int64_t j = 0; j < wide; j++) {
            bool later = v->cell == OX_CELL_GRU && v->reset_after && j >= 2 * v->hidden;
            xw[i * wide + j] = w->bias[j] + (later ? 0 : w->bias[wide + j]);
        }
    }
    ox_dgemm(ctx, false, true, rows, wide, v->inputs, 1, x, v->inputs, w->w, v->inputs, w->bias ? 1 : 0, xw, wide);
}

/* One direction. Y: results of all steps, NULL when nobody wants them. */
static int run_direction(ox_run *r, const ox_rnn_layer *v, int d, const weights *w, const double *x, double *y) {
    int64_t wide = v->gates * v->hidden, n = v->hidden;
    bool reverse = v->reverse_first || d == 1;
    double *xw = ox_scratch(r, (uint64_t)(v->steps * v->batch) * (uint64_t)wide * sizeof *xw);
    double *g = ox_scratch(r, (uint64_t)v->batch * (uint64_t)wide * sizeof *g),
         *room = ox_scratch(r, (uint64_t)(v->batch * n) * 2 * sizeof *room);
    if (!xw || !g || !room) return -1;
    project(r->ctx, v, w, x, xw);
    for (int64_t s = 0; s < v->steps; s++) {
        sum_gates(r->ctx, v, xw, w->r, w->h, s, reverse, g);
        step(r->ctx, v, w, v->acts + 3 * d, g, room, s);
        for (int64_t b = 0; b < v->batch && y; b++) {
            int64_t length = v->lengths ? v->lengths[b] : v->steps, t = s >= length ? s : reverse ? length - 1 - s : s;
            double *to = y + t * v->y_step + b * v->y_batch + d * v->y_direction;
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
static double *state(ox_run *r, const ox_rnn_layer *v, const double *from, int d) {
    double *h = ox_scratch(r, (uint64_t)(v->batch * v->hidden) * sizeof *h);
    for (int64_t b = 0; b < v->batch && h; b++) {
        if (from)
            memcpy(h + b * v->hidden, from + b * v->h_batch + d * v->h_direction, (size_t)v->hidden * sizeof *h);
        else
            memset(h + b * v->hidden, 0, (size_t)v->hidden * sizeof *h);
    }
    return h;
}

/* Output i, [directions, batch, hidden]: the last state of one direction goes in. */
static void put_state(const ox_rnn_layer *v, const double *h, int d, double *to) {
    for (int64_t b = 0; b < v->batch && to; b++)
        memcpy(to + b * v->h_batch + d * v->h_direction, h + b * v->hidden, (size_t)v->hidden * sizeof *h);
}

/* X as [steps, batch, inputs]. */
static const double *time_major(ox_run *r, const ox_rnn_layer *v, const double *x) {
    if (!v->batch_first || v->batch == 1) return x;
    double *to = ox_scratch(r, (uint64_t)(v->steps * v->batch * v->inputs) * sizeof *to);
    for (int64_t i = 0; to && i < v->steps * v->batch; i++)
        memcpy(to + i * v->inputs, x + (i % v->batch * v->steps + i / v->batch) * v->inputs,
               (size_t)v->inputs * sizeof *to);
    return to;
}

int ox_run_layer_double(ox_run *r, const ox_rnn_layer *v, ox_tensor *const *out) {
    const double *in[8] = {0};
    double *to[3] = {0};
    int64_t wide = v->gates * v->hidden;
    for (int i = 0; i < 8; i++) {
        if (i == 4 || !ox_input(r, i)) continue;
        if (!(in[i] = ox_as_doubles(r, ox_input(r, i)))) return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (out[i] && !(to[i] = ox_tensor_mut(out[i]))) return -1;
    }
    const double *x = time_major(r, v, in[0]);
    if (!x) return -1;
    for (int d = 0; d < v->directions; d++) {
        const double *bias = in[3] ? in[3] + d * 2 * wide : NULL;
        weights w = {.w = in[1] + d * wide * v->inputs, .r = in[2] + d * wide * v->hidden, .bias = bias, .h = state(r, v, in[5], d)};
        if (bias) w.reset_bias = bias + wide + 2 * v->hidden;
        if (in[7]) w.peep = in[7] + d * 3 * v->hidden;
        if (v->cell != OX_CELL_GRU || !v->reset_after) w.reset_bias = NULL;
        if (v->cell == OX_CELL_LSTM && !(w.c = state(r, v, in[6], d))) return -1;
        if (!w.h || run_direction(r, v, d, &w, x, to[0]) < 0) return -1;
        put_state(v, w.h, d, to[1]);
        if (w.c) put_state(v, w.c, d, to[2]);
    }
    return 0;
}
