/* Kernels of the normalisations: in float by the vectors of lib/cpu, in double by plain loops. Statistics are sums in double over blocks;
 * variance is taken around the mean. */
#include "op/compute.h"

#include "cpu/vec.h"

typedef struct group_norm {
    int64_t rows, groups, blocks, span; /* rows = batch * groups; blocks: channels of a group */
    bool per_group;
    double epsilon;
} group_norm;

typedef struct layer_norm {
    int64_t rows, n;
    int axis, rank;
    const int64_t *dims; /* of the row: rank - axis numbers */
    const ox_tensor *bias;
    bool centered;
    double epsilon;
    ox_tensor *mean, *inverse;
} layer_norm;

typedef struct batch_norm {
    int64_t batch, channels, span;
    double epsilon;
    const double *scale, *bias;
} batch_norm;

typedef struct lrn {
    int64_t batch, channels, span, size;
    double alpha, beta, bias;
} lrn;

static float *out_float(ox_run *r, ox_tensor *y) { return ox_floats_of(r, y); }
static double *out_double(ox_run *r, ox_tensor *y) {
    return y->dtype == OX_DOUBLE ? ox_tensor_mut(y) : ox_scratch(r, (uint64_t)y->count * sizeof(double));
}
static void done_float(ox_run *r, ox_tensor *y, const float *from) { ox_floats_done(r, y, from); }
static void done_double(ox_run *r, ox_tensor *y, const double *from) {
    (void)r;
    if (y->dtype != OX_DOUBLE) ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, from);
}

/* Index in T, which broadcasts to the row, of the row's element i; -1 when it does not broadcast. */
static int64_t spread_index(const layer_norm *v, const ox_tensor *t, int64_t i) {
    int64_t index = 0, step = 1;
    int own = v->rank - v->axis;
    if (!v->n) return 0;
    for (int d = t->rank - 1; d >= 0; d--) {
        int at = own - (t->rank - d);
        int64_t size = at >= 0 ? v->dims[at] : 1;
        if (t->dims[d] != size && t->dims[d] != 1) return -1;
        if (t->dims[d] != 1) index += i % size * step;
        i /= size;
        step *= t->dims[d];
    }
    return index;
}

/* Scale or bias with one element for every element of a row. */
#define SPREAD(T, AS)                                                                                        \
    static const T *spread_##T(ox_run *r, const layer_norm *v, const ox_tensor *t) {                         \
        const T *from = AS(r, t);                                                                            \
        if (spread_index(v, t, 0) < 0) {                                                                     \
            ox_fail(r->ctx, OX_BAD_DATA, "scale or bias cannot be broadcast to the normalised axes");        \
            return NULL;                                                                                     \
        }                                                                                                    \
        if (!from || t->count == v->n) return from;                                                          \
        T *to = ox_scratch(r, (uint64_t)v->n * sizeof *to);                                                  \
        for (int64_t i = 0; to && i < v->n; i++) to[i] = from[spread_index(v, t, i)];                        \
        return to;                                                                                           \
    }
SPREAD(float, ox_as_floats)
SPREAD(double, ox_as_doubles)

/* What norm_real.h is made of: moments, y = (x - m) * a + b for a row and per element, one row of a layer. */
static void moments_float(const float *x, int64_t n, double *mean, double *variance) { ox_vec_table()->moments(x, n, mean, variance); }
static void center_scale_float(float *y, const float *x, int64_t n, float m, float a, float b) {
    ox_vec_table()->center_scale(y, x, n, m, a, b);
}
static void center_scale_each_float(float *y, const float *x, int64_t n, const float *m, const float *a, const float *b) {
    ox_vec_table()->center_scale_each(y, x, n, m, a, b);
}
static void row_float(const layer_norm *v, const float *x, float *y, const float *scale, const float *bias, double *stats) {
    const ox_vec *t = ox_vec_table();
    if (v->centered)
        t->layer_norm(y, x, v->n, v->epsilon, scale, bias, stats);
    else
        t->rms_norm(y, x, v->n, v->epsilon, scale, stats);
}

static void moments_double(const double *x, int64_t n, double *mean, double *variance) {
    *mean = n ? ox_sum_double(x, n) / (double)n : 0;
    *variance = n ? ox_squares_double(x, n, *mean) / (double)n : 0;
}
static void center_scale_double(double *y, const double *x, int64_t n, double m, double a, double b) {
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) * a + b;
}
static void center_scale_each_double(double *y, const double *x, int64_t n, const double *m, const double *a, const double *b) {
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m[i]) * a[i] + b[i];
}
static void row_double(const layer_norm *v, const double *x, double *y, const double *scale, const double *bias, double *stats) {
    double mean = 0, variance = v->n && !v->centered ? ox_squares_double(x, v->n, 0) / (double)v->n : 0;
    if (v->centered) moments_double(x, v->n, &mean, &variance);
    stats[0] = mean;
    stats[1] = 1 / sqrt(variance + v->epsilon);
    for (int64_t i = 0; i < v->n; i++) y[i] = (x[i] - mean) * stats[1] * scale[i] + (bias ? bias[i] : 0);
}

#define REAL float
#define R(name) name##_float
#define AS ox_as_floats
#include "op/norm_real.h"
#undef REAL
#undef R
#undef AS
#define REAL double
#define R(name) name##_double
#define AS ox_as_doubles
#include "op/norm_real.h"
#undef REAL
#undef R
#undef AS

/* ---- GroupNormalization, InstanceNormalization (a group per channel) */

static int run_groups(ox_run *r, int64_t groups, bool per_group) {
    const ox_tensor *x = ox_need(r, 0), *scale = ox_need(r, 1), *bias = ox_need(r, 2);
    if (!x || !scale || !bias || !ox_ok_float(r, x)) return -1;
    if (x->rank < 2) return ox_fail(r->ctx, OX_BAD_DATA, "the input has no channels");
    int64_t channels = x->dims[1];
    if (groups == 0) groups = channels;
    if (groups < 1 || channels % groups)
        return channels == 0 ? ox_output(r, 0, x->dtype, x->rank, x->dims) ? 0 : -1
                             : ox_fail(r->ctx, OX_BAD_DATA,
                                       "%" PRId64 " channels cannot be cut into %" PRId64 " groups", channels, groups);
    int64_t want = per_group ? groups : channels;
    if (scale->count != want || bias->count != want)
        return ox_fail(r->ctx, OX_BAD_DATA, "scale and bias must have %" PRId64 " elements", want);
    group_norm v = {x->dims[0] * groups,           groups,    channels / groups,
                    ox_count(x->dims, 2, x->rank), per_group, ox_get_float(r->call, "epsilon")};
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    if (!y) return -1;
    return ox_is_double(x) ? run_groups_double(r, &v, y) : run_groups_float(r, &v, y);
}

int ox_run_instance_norm(ox_run *r) { return run_groups(r, 0, false); }

int ox_run_group_norm(ox_run *r) {
    int64_t groups = ox_get_int(r->call, "num_groups");
    if (groups < 1) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'num_groups' is %" PRId64, groups);
    return run_groups(r, groups, ox_get_int(r->call, "__per_group") != 0);
}

/* ---- LayerNormalization, RMSNormalization */

static int layer_statistics(ox_run *r, layer_norm *v, const ox_tensor *x) {
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1), stash = ox_get_int(r->call, "stash_type");
    for (int d = 0; d < x->rank; d++) dims[d] = d < v->axis ? x->dims[d] : 1;
    if (stash != OX_FLOAT && stash != OX_DOUBLE && stash != OX_FLOAT16 && stash != OX_BFLOAT16)
        return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'stash_type' is %" PRId64, stash);
    if (v->centered && ox_want(r, 1) && !(v->mean = ox_output(r, 1, (ox_dtype)stash, x->rank, dims))) return -1;
    if (v->centered && ox_want(r, 2) && !(v->inverse = ox_output(r, 2, (ox_dtype)stash, x->rank, dims))) return -1;
    return 0;
}

static int run_layer(ox_run *r, bool centered) {
    const ox_tensor *x = ox_need(r, 0), *scale = ox_need(r, 1), *bias = centered ? ox_input(r, 2) : NULL;
    layer_norm v = {.centered = centered, .bias = bias, .epsilon = ox_get_float(r->call, "epsilon")};
    if (!x || !scale || !ox_ok_float(r, x) || !ox_ok_float(r, scale)) return -1;
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis");
    if (axis < 0) return -1;
    v.axis = (int)axis;
    v.rank = x->rank;
    v.dims = x->dims + axis;
    v.rows = ox_count(x->dims, 0, v.axis);
    v.n = ox_count(x->dims, v.axis, v.rank);
    if (layer_statistics(r, &v, x) < 0) return -1;
    ox_tensor *y = ox_output(r, 0, centered ? x->dtype : scale->dtype, x->rank, x->dims);
    if (!y) return -1;
    return ox_is_double(x) ? run_layer_double(r, &v, y) : run_layer_float(r, &v, y);
}

int ox_run_layer_norm(ox_run *r) { return run_layer(r, true); }
int ox_run_rms_norm(ox_run *r) { return run_layer(r, false); }

/* ---- BatchNormalization */

/* Mean and variance of every channel over the batch. */
static void batch_moments(const batch_norm *v, const ox_tensor *x, double *mean, double *variance) {
    const void *data = ox_tensor_data(x);
    int64_t n = v->batch * v->span;
    for (int64_t c = 0; c < v->channels; c++) {
        double sum = 0, squares = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t b = 0; b < v->batch; b++) {
                for (int64_t k = 0; k < v->span; k++) {
                    double e = ox_load_double(x->dtype, data, (b * v->channels + c) * v->span + k);
                    if (pass)
                        squares += (e - mean[c]) * (e - mean[c]);
                    else
                        sum += e;
                }
            }
            if (!pass) mean[c] = n ? sum / (double)n : 0;
        }
        variance[c] = n ? squares / (double)n : 0;
    }
}

/* Outputs 1 and 2: running statistics; 3 and 4 (before version 14): those of this batch. */
static int batch_outputs(ox_run *r, const batch_norm *v, const double *old, const double *now, int first,
                         double momentum) {
    const ox_tensor *like = ox_input(r, first + 2);
    ox_tensor *running = ox_want(r, first) ? ox_output(r, first, like->dtype, like->rank, like->dims) : NULL;
    ox_tensor *saved = ox_want(r, first + 2) ? ox_output(r, first + 2, like->dtype, like->rank, like->dims) : NULL;
    if ((ox_want(r, first) && !running) || (ox_want(r, first + 2) && !saved)) return -1;
    for (int64_t c = 0; c < v->channels; c++) {
        if (running)
            ox_store_double(running->dtype, ox_tensor_mut(running), c, old[c] * momentum + now[c] * (1 - momentum));
        if (saved) ox_store_double(saved->dtype, ox_tensor_mut(saved), c, now[c]);
    }
    return 0;
}

int ox_run_batch_norm(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    const double *p[5];
    bool train = ox_get_int(r->call, "training_mode") != 0;
    if (!x || !ox_ok_float(r, x)) return -1;
    batch_norm v = {.batch = x->rank ? x->dims[0] : 1,
                    .channels = x->rank > 1 ? x->dims[1] : 1,
                    .span = ox_count(x->dims, 2, x->rank)};
    v.epsilon = ox_get_float(r->call, "epsilon");
    bool per_activation = ox_get_int(r->call, "__per_activation") != 0;
    if (per_activation) {
        v.channels *= v.span;
        v.span = 1;
    }
    for (int i = 1; i < 5; i++) {
        const ox_tensor *t = ox_need(r, i);
        if (!t) return -1;
        if (t->count != v.channels || (t->rank != 1 && !per_activation))
            return ox_fail(r->ctx, OX_BAD_DATA, "input %d must have one element per channel", i);
        if (!ox_ok_float(r, t) || !(p[i] = ox_as_doubles(r, t))) return -1;
    }
    v.scale = p[1];
    v.bias = p[2];
    const double *mean = p[3], *variance = p[4];
    if (train) {
        double *now = ox_scratch(r, (uint64_t)v.channels * 2 * sizeof *now),
               momentum = ox_get_float(r->call, "momentum");
        if (!now) return -1;
        batch_moments(&v, x, now, now + v.channels);
        mean = now;
        variance = now + v.channels;
        if (batch_outputs(r, &v, p[3], mean, 1, momentum) < 0 || batch_outputs(r, &v, p[4], variance, 2, momentum) < 0)
            return -1;
    } else if (batch_outputs(r, &v, p[3], p[3], 1, 1) < 0 || batch_outputs(r, &v, p[4], p[4], 2, 1) < 0) {
        return -1;
    }
    ox_tensor *y = ox_output_over(r, 0, !train && x->dtype == OX_FLOAT, x->dtype, x->rank, x->dims);
    if (!y) return -1;
    return ox_is_double(x) ? run_batch_double(r, &v, mean, variance, y) : run_batch_float(r, &v, mean, variance, y);
}

/* ---- LRN, MeanVarianceNormalization */

int ox_run_lrn(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    if (!x || !ox_ok_float(r, x)) return -1;
    if (x->rank < 2) return ox_fail(r->ctx, OX_BAD_DATA, "the input has no channels");
    lrn v = {x->dims[0],
             x->dims[1],
             ox_count(x->dims, 2, x->rank),
             ox_get_int(r->call, "size"),
             ox_get_float(r->call, "alpha"),
             ox_get_float(r->call, "beta"),
             ox_get_float(r->call, "bias")};
    if (v.size < 1) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'size' must be positive");
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    if (!y) return -1;
    return ox_is_double(x) ? run_lrn_double(r, &v, y) : run_lrn_float(r, &v, y);
}

/* To which group, of elements that share all axes but the normalised ones, does each element belong? Calls of next()
 * go element by element. */
typedef struct grouping { int rank; int64_t at[64], dims[64], stride[64], group; } grouping;

static void next(grouping *g) {
    for (int d = g->rank - 1; d >= 0; d--) {
        g->group += g->stride[d];
        if (++g->at[d] < g->dims[d]) return;
        g->group -= g->dims[d] * g->stride[d];
        g->at[d] = 0;
    }
}

static int group_axes(ox_run *r, const ox_tensor *x, grouping *g, int64_t *groups) {
    int n;
    bool normalised[64] = {0};
    const int64_t *axes = ox_get_ints(r->call, "axes", &n);
    for (int i = 0; i < n; i++) {
        int64_t axis = ox_axis(r->call, axes[i], x->rank, "axis");
        if (axis < 0) return -1;
        normalised[axis] = true;
    }
    *g = (grouping){.rank = x->rank};
    *groups = 1;
    for (int d = x->rank - 1; d >= 0; d--) {
        g->dims[d] = x->dims[d];
        g->stride[d] = normalised[d] ? 0 : *groups;
        if (!normalised[d]) *groups *= x->dims[d];
    }
    return 0;
}

/* Floats by rows of the innermost axes that are normalised. False: there are none. */
static bool mvn_rows(const ox_tensor *x, const grouping *g, int64_t groups, const float *in, double *sum, float *out) {
    const ox_vec *f = ox_vec_table();
    grouping rows = *g;
    int64_t row = 1;
    while (rows.rank && !rows.stride[rows.rank - 1]) row *= rows.dims[--rows.rank];
    if (row < 8) return false;
    double *squares = sum + groups, n = (double)(x->count / groups);
    for (int64_t i = 0; i < x->count; i += row, next(&rows)) sum[rows.group] += f->fold(OX_FOLD_SUM, in + i, row);
    for (int64_t k = 0; k < groups; k++) sum[k] /= n;
    for (int64_t i = 0; i < x->count; i += row, next(&rows)) squares[rows.group] += f->squares(in + i, row, (float)sum[rows.group]);
    for (int64_t i = 0; i < x->count; i += row, next(&rows)) {
        double rest = sum[rows.group] - (double)(float)sum[rows.group], variance = squares[rows.group] / n - rest * rest;
        f->center_scale(out + i, in + i, row, (float)sum[rows.group], (float)(1 / (sqrt(variance < 0 ? 0 : variance) + 1e-9)), 0);
    }
    return true;
}

int ox_run_mvn(ox_run *r) {
    grouping g;
    int64_t groups;
    const ox_tensor *x = ox_need(r, 0);
    if (!x || !ox_ok_float(r, x) || group_axes(r, x, &g, &groups) < 0) return -1;
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    if (!y) return -1;
    if (!y->count) return 0;
    double *sum = ox_scratch(r, (uint64_t)groups * 2 * sizeof *sum), *squares = sum + groups;
    if (!sum) return -1;
    memset(sum, 0, (size_t)groups * 2 * sizeof *sum);
    if (!ox_is_double(x)) {
        const float *from = ox_as_floats(r, x);
        float *to = ox_floats_of(r, y);
        if (!from || !to) return -1;
        if (mvn_rows(x, &g, groups, from, sum, to)) {
            ox_floats_done(r, y, to);
            return 0;
        }
    }
    const double *in = ox_as_doubles(r, x);
    double *out = ox_scratch(r, (uint64_t)y->count * sizeof *out);
    if (!in || !out) return -1;
    double n = (double)(x->count / groups);
    for (int64_t i = 0; i < x->count; i++, next(&g)) sum[g.group] += in[i] / n;
    for (int64_t i = 0; i < x->count; i++, next(&g))
        squares[g.group] += (in[i] - sum[g.group]) * (in[i] - sum[g.group]) / n;
    for (int64_t i = 0; i < x->count; i++, next(&g)) out[i] = (in[i] - sum[g.group]) / (sqrt(squares[g.group]) + 1e-9);
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, out);
    return 0;
}
