/* Losses: rows, rules, kernels. Scores are [N, classes, positions]; computed in double, rounded once. */
#include "op/compute.h"

typedef enum how { NONE, SUM, MEAN } how;

static int read_reduction(ox_call *c, how *out) {
    const char *text = ox_get_string(c, "reduction");
    *out = !strcmp(text, "none") ? NONE : !strcmp(text, "sum") ? SUM : MEAN;
    return *out != MEAN || !strcmp(text, "mean") ? 0
                                                 : ox_fail(c->ctx, OX_BAD_DATA, "attribute 'reduction' is '%s'", text);
}

static int infer_loss(ox_call *c) {
    how reduction;
    if (read_reduction(c, &reduction) < 0) return -1;
    int rx = ox_in_rank(c, 0), rt = ox_in_rank(c, 1), rank = rt >= 0 ? rt : rx > 0 ? rx - 1 : -1;
    const ox_dim *x = ox_in_dims(c, 0), *t = ox_in_dims(c, 1);
    if (x && (rx < 2 || (t && rt != rx - 1)))
        return ox_fail(c->ctx, OX_BAD_DATA, "scores of rank %d and labels of rank %d do not go together", rx, rt);
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) {
        int64_t a, b;
        ox_dim other = x ? x[d ? d + 1 : 0] : NULL;
        dims[d] = t ? t[d] : NULL;
        if (ox_dim_is_const(dims[d], &a) && ox_dim_is_const(other, &b) && a != b)
            return ox_fail(c->ctx, OX_BAD_DATA, "scores and labels have different sizes");
        if (!dims[d] || (other && ox_dim_is_const(other, NULL))) dims[d] = other ? other : dims[d];
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), reduction == NONE ? rank : 0, dims);
    ox_out_tensor(c, 1, ox_in_dtype(c, 0), rx, x); /* SoftmaxCrossEntropyLoss: log_prob */
    return 0;
}

typedef struct loss {
    how how;
    int64_t batch, classes, positions, ignored;
    bool ignores;
    const int64_t *labels;
    const double *x, *weight;
} loss;

static int read_loss(ox_run *r, loss *l, const ox_tensor *x, const ox_tensor *t) {
    const ox_tensor *w = ox_input(r, 2);
    int64_t n;
    if (read_reduction(r->call, &l->how) < 0) return -1;
    bool fits = x->rank >= 2 && t->rank == x->rank - 1;
    for (int d = 0; fits && d < t->rank; d++) fits = t->dims[d] == x->dims[d ? d + 1 : 0];
    if (!fits || (w && (w->rank != 1 || w->dims[0] != x->dims[1])))
        return ox_fail(r->ctx, OX_BAD_DATA, "scores, labels and weights do not fit together");
    l->batch = x->dims[0];
    l->classes = x->dims[1];
    l->positions = ox_count(x->dims, 2, x->rank);
    l->ignores = ox_has(r->call, "ignore_index");
    l->ignored = ox_get_int(r->call, "ignore_index");
    l->labels = ox_run_ints(r, 1, &n);
    l->x = l->labels ? ox_as_doubles(r, x) : NULL;
    l->weight = w && l->x ? ox_as_doubles(r, w) : NULL;
    if (!l->x || (w && !l->weight)) return -1;
    for (int64_t i = 0; i < n; i++) {
        if ((l->labels[i] < 0 || l->labels[i] >= l->classes) && !(l->ignores && l->labels[i] == l->ignored))
            return ox_fail(r->ctx, OX_BAD_DATA, "label %" PRId64 " is out of range for %" PRId64 " classes",
                           l->labels[i], l->classes);
    }
    return 0;
}

/* Losses from logarithms of probabilities. */
static int reduce_loss(ox_run *r, const loss *l, const ox_tensor *x, const ox_tensor *t) {
    ox_tensor *y = ox_output(r, 0, x->dtype, l->how == NONE ? t->rank : 0, t->dims);
    if (!y) return -1;
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < l->batch * l->positions; i++) {
        bool ignored = l->ignores && l->labels[i] == l->ignored;
        double w = ignored ? 0 : l->weight ? l->weight[l->labels[i]] : 1;
        double one =
            ignored ? 0 : -l->x[(i / l->positions * l->classes + l->labels[i]) * l->positions + i % l->positions] * w;
        if (l->how == NONE) ox_store_double(y->dtype, ox_tensor_mut(y), i, one);
        sum += one;
        weights += w;
    }
    if (l->how != NONE) ox_store_double(y->dtype, ox_tensor_mut(y), 0, l->how == SUM ? sum : sum / weights);
    return 0;
}

static int run_nll(ox_run *r) {
    loss l;
    const ox_tensor *x = ox_need(r, 0), *t = ox_need(r, 1);
    if (!x || !t || !ox_ok_float(r, x) || read_loss(r, &l, x, t) < 0) return -1;
    return reduce_loss(r, &l, x, t);
}

static void log_softmax(const loss *l, double *y) {
    for (int64_t i = 0; i < l->batch * l->positions; i++) {
        int64_t start = i / l->positions * l->classes * l->positions + i % l->positions;
        const double *x = l->x + start;
        double max = -INFINITY, sum = 0;
        for (int64_t c = 0; c < l->classes; c++) max = x[c * l->positions] > max ? x[c * l->positions] : max;
        for (int64_t c = 0; c < l->classes; c++) sum += exp(x[c * l->positions] - max);
        sum = log(sum);
        for (int64_t c = 0; c < l->classes; c++) y[start + c * l->positions] = x[c * l->positions] - max - sum;
    }
}

static int run_cross_entropy(ox_run *r) {
    loss l;
    const ox_tensor *x = ox_need(r, 0), *t = ox_need(r, 1);
    if (!x || !t || !ox_ok_float(r, x) || read_loss(r, &l, x, t) < 0) return -1;
    double *y = ox_scratch(r, (uint64_t)x->count * sizeof *y);
    if (!y) return -1;
    log_softmax(&l, y);
    l.x = y;
    if (reduce_loss(r, &l, x, t) < 0) return -1;
    if (!ox_want(r, 1)) return 0;
    ox_tensor *log_prob = ox_output(r, 1, x->dtype, x->rank, x->dims);
    if (!log_prob) return -1;
    ox_store_doubles(log_prob->dtype, ox_tensor_mut(log_prob), log_prob->count, y);
    return 0;
}

OX_FAMILY(loss, "",
    OP("NegativeLogLikelihoodLoss", 22,
       "<ignore_index: int?, reduction: string = \"mean\">(T input, Tind target, T? weight) => (T loss) "
       "T: floats|bfloat16, Tind: int32|int64",
       .infer = infer_loss, .kernel = run_nll),
    OP("NegativeLogLikelihoodLoss", 13,
       "<ignore_index: int?, reduction: string = \"mean\">(T input, Tind target, T? weight) => (T loss) "
       "T: floats, Tind: int32|int64"),
    OP("NegativeLogLikelihoodLoss", 12,
       "<ignore_index: int?, reduction: string = \"mean\">(T input, Tind target, T? weight) => (T loss) "
       "T: floats, Tind: int32|int64"),
    OP("SoftmaxCrossEntropyLoss", 13,
       "<ignore_index: int?, reduction: string = \"mean\">(T scores, Tind labels, T? weights) => (T "
       "output, T? log_prob) T: floats|bfloat16, Tind: int32|int64",
       .infer = infer_loss, .kernel = run_cross_entropy),
    OP("SoftmaxCrossEntropyLoss", 12,
       "<ignore_index: int?, reduction: string = \"mean\">(T scores, Tind labels, T? weights) => (T "
       "output, T? log_prob) T: floats, Tind: int32|int64"));
