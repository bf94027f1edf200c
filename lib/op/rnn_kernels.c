/* Kernels of LSTM, GRU and RNN: what their nodes say is read and checked here, and computed in rnn_float.c or rnn_double.c. */
#include "op/rnn_layer.h"

#include <strings.h>

/* ---- attributes */

static const struct { const char *name; int uses; double alpha, beta;
} acts[] = {[OX_ACT_SIGMOID] = {"Sigmoid", 0, 0, 0},
            [OX_ACT_TANH] = {"Tanh", 0, 0, 0},
            [OX_ACT_RELU] = {"Relu", 0, 0, 0},
            [OX_ACT_AFFINE] = {"Affine", 2, 1, 0},
            [OX_ACT_LEAKY_RELU] = {"LeakyRelu", 1, 0.01, 0},
            [OX_ACT_THRESHOLDED_RELU] = {"ThresholdedRelu", 1, 1, 0},
            [OX_ACT_SCALED_TANH] = {"ScaledTanh", 2, 1, 1},
            [OX_ACT_HARD_SIGMOID] = {"HardSigmoid", 2, 0.2, 0.5},
            [OX_ACT_ELU] = {"Elu", 1, 1, 0},
            [OX_ACT_SOFTSIGN] = {"Softsign", 0, 0, 0},
            [OX_ACT_SOFTPLUS] = {"Softplus", 0, 0, 0}};

/* Names match without regard to case; alpha and beta are taken, in order, by the functions that use them. */
static int read_activations(ox_run *r, ox_rnn_layer *v) {
    int per = v->cell == OX_CELL_LSTM ? 3 : v->cell == OX_CELL_GRU ? 2 : 1, n_alpha, n_beta, at_alpha = 0, at_beta = 0;
    const ox_attr *a = ox_get_attr(r->call, "activations");
    const float *alpha = ox_get_floats(r->call, "activation_alpha", &n_alpha),
                *beta = ox_get_floats(r->call, "activation_beta", &n_beta);
    size_t given = a && a->type == OX_A_STRINGS ? a->n : 0, want = (size_t)(per * v->directions);
    if (given && given < want) return ox_fail(r->ctx, OX_BAD_DATA, "%zu activations, but %zu are needed", given, want);
    for (int i = 0; i < per * v->directions; i++) {
        ox_rnn_activation *f = &v->acts[i / per * 3 + i % per];
        f->kind = v->cell == OX_CELL_RNN || i % per ? OX_ACT_TANH : OX_ACT_SIGMOID;
        size_t k = 0, count = sizeof acts / sizeof acts[0];
        while (given && k < count &&
               (strlen(acts[k].name) != a->ss[i].len || strncasecmp(acts[k].name, a->ss[i].data, a->ss[i].len)))
            k++;
        if (given && k == count)
            return ox_fail(r->ctx, OX_BAD_DATA, "activation '%.*s' is unknown", (int)a->ss[i].len, a->ss[i].data);
        if (given) f->kind = (ox_rnn_act)k;
        f->alpha = acts[f->kind].uses > 0 && at_alpha < n_alpha ? (double)alpha[at_alpha++] : acts[f->kind].alpha;
        f->beta = acts[f->kind].uses > 1 && at_beta < n_beta ? (double)beta[at_beta++] : acts[f->kind].beta;
    }
    return 0;
}

static int check_shape(ox_run *r, int i, int rank, int64_t a, int64_t b, int64_t c) {
    const ox_tensor *t = ox_input(r, i);
    if (!t) return 0;
    const int64_t want[3] = {a, b, c};
    bool ok = t->rank == rank && t->dtype == ox_input(r, 0)->dtype;
    for (int d = 0; ok && d < rank; d++) ok = t->dims[d] == want[d];
    return ok ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "input %d has a wrong shape or type", i);
}

static int check_inputs(ox_run *r, const ox_rnn_layer *v) {
    int64_t d = v->directions, wide;
    if (!ox_mul_ok(v->gates, v->hidden, &wide) || !ox_mul_ok(wide, 2, &wide))
        return ox_fail(r->ctx, OX_BAD_DATA, "hidden_size is too large");
    wide /= 2;
    if (check_shape(r, 1, 3, d, wide, v->inputs) < 0 || check_shape(r, 2, 3, d, wide, v->hidden) < 0 ||
        check_shape(r, 3, 2, d, 2 * wide, 0) < 0)
        return -1;
    int64_t first = v->batch_first ? v->batch : d, second = v->batch_first ? d : v->batch;
    if (check_shape(r, 5, 3, first, second, v->hidden) < 0) return -1;
    if (v->cell != OX_CELL_LSTM) return 0;
    return check_shape(r, 6, 3, first, second, v->hidden) < 0 || check_shape(r, 7, 2, d, 3 * v->hidden, 0) < 0 ? -1 : 0;
}

static int read_lengths(ox_run *r, ox_rnn_layer *v) {
    int64_t n;
    if (!ox_input(r, 4)) return 0;
    v->lengths = ox_run_ints(r, 4, &n);
    if (!v->lengths) return -1;
    if (n != v->batch) return ox_fail(r->ctx, OX_BAD_DATA, "sequence_lens must have one element per batch entry");
    for (int64_t b = 0; b < n; b++) {
        if (v->lengths[b] < 0 || v->lengths[b] > v->steps)
            return ox_fail(r->ctx, OX_BAD_DATA, "a sequence of length %" PRId64 " cannot be", v->lengths[b]);
    }
    return 0;
}

static int read_layer(ox_run *r, ox_rnn_layer *v) {
    const ox_tensor *x = ox_need(r, 0), *w = ox_need(r, 1), *rec = ox_need(r, 2);
    const char *direction = ox_get_string(r->call, "direction");
    if (!x || !w || !rec || !ox_ok_float(r, x)) return -1;
    if (x->rank != 3 || w->rank != 3 || rec->rank != 3)
        return ox_fail(r->ctx, OX_BAD_DATA, "X, W and R must have rank 3");
    v->reverse_first = !strcmp(direction, "reverse");
    v->directions = !strcmp(direction, "bidirectional") ? 2 : 1;
    if (v->directions == 1 && !v->reverse_first && strcmp(direction, "forward"))
        return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'direction' is '%s'", direction);
    v->gates = v->cell == OX_CELL_LSTM ? 4 : v->cell == OX_CELL_GRU ? 3 : 1;
    v->batch_first = ox_get_int(r->call, "layout") != 0;
    v->input_forget = ox_get_int(r->call, "input_forget") != 0;
    v->reset_after = ox_get_int(r->call, "linear_before_reset") != 0;
    v->clip = ox_has(r->call, "clip") ? ox_get_float(r->call, "clip") : 0;
    v->steps = x->dims[v->batch_first];
    v->batch = x->dims[!v->batch_first];
    v->inputs = x->dims[2];
    v->hidden = rec->dims[2];
    if (ox_has(r->call, "hidden_size") && ox_get_int(r->call, "hidden_size") != v->hidden)
        return ox_fail(r->ctx, OX_BAD_DATA, "hidden_size is %" PRId64 ", R is for %" PRId64,
                       ox_get_int(r->call, "hidden_size"), v->hidden);
    if (check_inputs(r, v) < 0 || read_lengths(r, v) < 0) return -1;
    return read_activations(r, v);
}

static int run(ox_run *r, ox_rnn_cell c) {
    ox_rnn_layer v = {.cell = c};
    ox_tensor *out[3] = {0};
    if (read_layer(r, &v) < 0) return -1;
    int64_t d = v.directions, h = v.hidden, b = v.batch, t = v.steps;
    ox_dtype type = ox_input(r, 0)->dtype;
    const int64_t all[4] = {v.batch_first ? b : t, v.batch_first ? t : d, v.batch_first ? d : b, h};
    const int64_t last[3] = {v.batch_first ? b : d, v.batch_first ? d : b, h};
    int64_t most; /* floats or doubles of all gates of all steps and both directions: what a kernel makes at most */
    if (!ox_mul_ok(2 * v.gates, h, &most) || !ox_mul_ok(most, b, &most) || !ox_mul_ok(most, t ? t : 1, &most) || most > INT64_MAX / 64)
        return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " steps of %" PRId64 " sequences are too many", t, b);
    for (int i = 0; i < (c == OX_CELL_LSTM ? 3 : 2); i++) {
        bool named = ox_want(r, i) && (!r->call->node || i >= (int)r->call->node->n_out || r->call->node->out[i]);
        if (named && !(out[i] = ox_output(r, i, type, i ? 3 : 4, i ? last : all))) return -1;
    }
    v.y_step = v.batch_first ? d * h : d * b * h;
    v.y_batch = v.batch_first ? t * d * h : h;
    v.y_direction = v.batch_first ? h : b * h;
    v.h_batch = v.batch_first ? d * h : h;
    v.h_direction = v.batch_first ? h : b * h;
    if (b == 0 || h == 0) return 0;
    return type == OX_DOUBLE ? ox_run_layer_double(r, &v, out) : ox_run_layer_float(r, &v, out);
}

int ox_run_lstm(ox_run *r) { return run(r, OX_CELL_LSTM); }
int ox_run_gru(ox_run *r) { return run(r, OX_CELL_GRU); }
int ox_run_rnn(ox_run *r) { return run(r, OX_CELL_RNN); }
