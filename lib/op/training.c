/* ai.onnx.preview.training: one step of an optimizer over any number of tensors. Computed in double, rounded once. Gradient has a row
 * only: it needs the derivatives of every operator. */
#include "op/compute.h"

/* Inputs are R, T, then n tensors X, n gradients, n of each state; outputs are n new X and n of each new state, like the old. */
static int infer_step(ox_call *c) {
    int n = c->n_in - 2 - c->n_out;
    if (n < 1 || c->n_out % n) return 0; /* not all outputs are asked for: which input each is like is not known */
    for (int i = 0; i < c->n_out; i++) ox_out_type(c, i, ox_in_type(c, 2 + i + (i < n ? 0 : n)));
    return 0;
}

typedef struct step {
    int tensors, states;    /* how many are optimized; states of each */
    double rate, norm;
    int64_t count;          /* of updates so far */
    double alpha, beta, epsilon, decay, post;
    bool nesterov;
    double x, g, state[2];  /* of one element */
} step;

/* One element: x and state become the new ones. */
typedef void (*step_fn)(step *s);

static void adagrad(step *s) {
    double g = s->norm * s->x + s->g;
    s->state[0] += g * g;
    s->x -= s->rate / (1 + (double)s->count * s->decay) * g / (sqrt(s->state[0]) + s->epsilon);
}

static void adam(step *s) {
    double g = s->norm * s->x + s->g, rate = s->rate, t = (double)s->count;
    s->state[0] = s->alpha * s->state[0] + (1 - s->alpha) * g;
    s->state[1] = s->beta * s->state[1] + (1 - s->beta) * g * g;
    if (s->count > 0) rate *= sqrt(1 - pow(s->beta, t)) / (1 - pow(s->alpha, t));
    s->x = (1 - s->post) * (s->x - rate * s->state[0] / (sqrt(s->state[1]) + s->epsilon));
}

static void momentum(step *s) {
    double g = s->norm * s->x + s->g;
    s->state[0] = s->alpha * s->state[0] + (s->count > 0 ? s->beta : 1) * g;
    s->x -= s->rate * (s->nesterov ? g + s->alpha * s->state[0] : s->state[0]);
}

static int read_step(ox_run *r, step *s) {
    const ox_tensor *rate = ox_need(r, 0), *count = ox_need(r, 1);
    int64_t n;
    const int64_t *t = rate && count ? ox_run_ints(r, 1, &n) : NULL;
    if (!t || !ox_ok_float(r, rate)) return -1;
    if (rate->count != 1 || n != 1) return ox_fail(r->ctx, OX_BAD_DATA, "R and T must be one number each");
    int given = r->call->n_in - 2, each = 2 + s->states;
    if (given < each || given % each)
        return ox_fail(r->ctx, OX_BAD_DATA, "%d tensors cannot be shared among %d kinds", given, each);
    s->tensors = given / each;
    s->rate = ox_load_double(rate->dtype, ox_tensor_data(rate), 0);
    s->count = t[0];
    s->norm = ox_get_float(r->call, "norm_coefficient");
    return 0;
}

/* Tensor i of those that are optimized: inputs and outputs of one kind stand together. */
static int run_tensor(ox_run *r, step *s, step_fn fn, int i) {
    const double *in[4];
    ox_tensor *out[3] = {0};
    const ox_tensor *x = ox_need(r, 2 + i);
    for (int k = 0; k < 2 + s->states; k++) {
        const ox_tensor *t = x ? ox_need(r, 2 + i + k * s->tensors) : NULL;
        if (!t || !ox_ok_float(r, t)) return -1;
        if (t->count != x->count || t->dtype != x->dtype)
            return ox_fail(r->ctx, OX_BAD_DATA, "input %d does not fit input %d", 2 + i + k * s->tensors, 2 + i);
        if (!(in[k] = ox_as_doubles(r, t))) return -1;
    }
    for (int k = 0; k < 1 + s->states; k++)
        if (ox_want(r, i + k * s->tensors) && !(out[k] = ox_output(r, i + k * s->tensors, x->dtype, x->rank, x->dims))) return -1;
    for (int64_t e = 0; e < x->count; e++) {
        s->x = in[0][e];
        s->g = in[1][e];
        for (int k = 0; k < s->states; k++) s->state[k] = in[2 + k][e];
        fn(s);
        if (out[0]) ox_store_double(x->dtype, ox_tensor_mut(out[0]), e, s->x);
        for (int k = 0; k < s->states; k++)
            if (out[1 + k]) ox_store_double(x->dtype, ox_tensor_mut(out[1 + k]), e, s->state[k]);
    }
    return 0;
}

static int run_step(ox_run *r, step *s, step_fn fn) {
    if (read_step(r, s)) return -1;
    for (int i = 0; i < s->tensors; i++)
        if (run_tensor(r, s, fn, i)) return -1;
    return 0;
}

static int run_adagrad(ox_run *r) {
    step s = {.states = 1, .epsilon = ox_get_float(r->call, "epsilon"), .decay = ox_get_float(r->call, "decay_factor")};
    return run_step(r, &s, adagrad);
}

static int run_adam(ox_run *r) {
    step s = {.states = 2, .epsilon = ox_get_float(r->call, "epsilon"), .alpha = ox_get_float(r->call, "alpha"),
              .beta = ox_get_float(r->call, "beta"), .post = ox_get_float(r->call, "norm_coefficient_post")};
    return run_step(r, &s, adam);
}

static int run_momentum(ox_run *r) {
    const char *mode = ox_get_string(r->call, "mode");
    step s = {.states = 1, .alpha = ox_get_float(r->call, "alpha"), .beta = ox_get_float(r->call, "beta"),
              .nesterov = !strcmp(mode, "nesterov")};
    if (!s.nesterov && strcmp(mode, "standard")) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'mode' is '%s'", mode);
    return run_step(r, &s, momentum);
}

OX_FAMILY(training, "ai.onnx.preview.training",
    OP("Adagrad", 1,
       "<decay_factor: float = 0.0, epsilon: float = 1e-06, norm_coefficient: float = 0.0>(T1 R, T2 T, "
       "T3..~ inputs) => (T3..~ outputs) T1: double|float, T2: int64, T3: double|float",
       .infer = infer_step, .kernel = run_adagrad),
    OP("Adam", 1,
       "<alpha: float = 0.9, beta: float = 0.999, epsilon: float = 1e-06, norm_coefficient: float = "
       "0.0, norm_coefficient_post: float = 0.0>(T1 R, T2 T, T3..~ inputs) => (T3..~ outputs) T1: "
       "double|float, T2: int64, T3: double|float",
       .infer = infer_step, .kernel = run_adam),
    OP("Gradient", 1,
       "<xs: strings, y: string, zs: strings?>(T1..~ Inputs) => (T2..~ Outputs) T1: any, T2: floats"),
    OP("Momentum", 1,
       "<alpha: float, beta: float, mode: string, norm_coefficient: float>(T1 R, T2 T, T3..~ inputs) => "
       "(T3..~ outputs) T1: double|float, T2: int64, T3: double|float",
       .infer = infer_step, .kernel = run_momentum));
