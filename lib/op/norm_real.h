/* Normalisations in one type of real numbers: included by norm_kernels.c with REAL, R(name), SUM and SQUARES
 * defined. */

/* y = (x - mean) * inverse * scale + bias over blocks of SPAN elements; block k takes scale[k * step] and bias[k *
 * step]. */
static void R(write_blocks)(const REAL *x, REAL *y, int64_t blocks, int64_t span, double mean, double inverse,
                            const REAL *scale, const REAL *bias, int64_t step) {
    REAL m = (REAL)mean;
    for (int64_t k = 0; k < blocks; k++, x += span, y += span) {
        REAL a = (REAL)(inverse * (double)scale[k * step]), b = bias[k * step];
        for (int64_t i = 0; i < span; i++) y[i] = (x[i] - m) * a + b;
    }
}

/* One scale and bias per element. */
static void R(write_row)(const REAL *x, REAL *y, int64_t n, double mean, double inverse, const REAL *scale,
                         const REAL *bias) {
    REAL m = (REAL)mean, a = (REAL)inverse;
    if (bias) {
        for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) * a * scale[i] + bias[i];
    } else {
        for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) * a * scale[i];
    }
}

static void R(moments)(const REAL *x, int64_t n, double *mean, double *variance) {
    *mean = n ? SUM(x, n) / (double)n : 0;
    *variance = n ? SQUARES(x, n, (REAL)*mean) / (double)n : 0;
}

/* ROWS groups of `blocks` channels with SPAN elements each. */
static void R(groups)(ox_ctx *ctx, const group_norm *v, const REAL *x, const REAL *scale, const REAL *bias, REAL *y) {
    int64_t n = v->blocks * v->span;
#pragma omp parallel for num_threads(ox_threads_for(ctx, v->rows * n)) schedule(static)
    for (int64_t i = 0; i < v->rows; i++) {
        double mean, variance;
        int64_t group = i % v->groups, first = v->per_group ? group : group * v->blocks;
        R(moments)(x + i * n, n, &mean, &variance);
        R(write_blocks)
        (x + i * n, y + i * n, v->blocks, v->span, mean, 1 / sqrt(variance + v->epsilon), scale + first, bias + first,
         v->per_group ? 0 : 1);
    }
}

static int R(run_groups)(ox_run *r, const group_norm *v, ox_tensor *y) {
    const REAL *x = AS(r, ox_input(r, 0)), *scale = AS(r, ox_input(r, 1)), *bias = AS(r, ox_input(r, 2));
    REAL *to = R(out)(r, y);
    if (!x || !scale || !bias || !to) return -1;
    R(groups)(r->ctx, v, x, scale, bias, to);
    R(done)(r, y, to);
    return 0;
}

static int R(run_layer)(ox_run *r, const layer_norm *v, ox_tensor *y) {
    const REAL *x = AS(r, ox_input(r, 0)), *scale = R(spread)(r, v, ox_input(r, 1)),
               *bias = v->bias ? R(spread)(r, v, v->bias) : NULL;
    REAL *to = R(out)(r, y);
    if (!x || !scale || !to || (v->bias && !bias)) return -1;
#pragma omp parallel for num_threads(ox_threads_for(r->ctx, v->rows * v->n)) schedule(static)
    for (int64_t i = 0; i < v->rows; i++) {
        double mean = 0, variance;
        if (v->centered)
            R(moments)(x + i * v->n, v->n, &mean, &variance);
        else
            variance = v->n ? SQUARES(x + i * v->n, v->n, 0) / (double)v->n : 0;
        double inverse = 1 / sqrt(variance + v->epsilon);
        R(write_row)(x + i * v->n, to + i * v->n, v->n, mean, inverse, scale, bias);
        if (v->mean) ox_store_double(v->mean->dtype, ox_tensor_mut(v->mean), i, mean);
        if (v->inverse) ox_store_double(v->inverse->dtype, ox_tensor_mut(v->inverse), i, inverse);
    }
    R(done)(r, y, to);
    return 0;
}

/* Batch normalisation with given statistics; scale and the others are in double. */
static int R(run_batch)(ox_run *r, const batch_norm *v, const double *mean, const double *variance, ox_tensor *y) {
    const REAL *x = AS(r, ox_input(r, 0));
    REAL *to = R(out)(r, y);
    if (!x || !to) return -1;
#pragma omp parallel for num_threads(ox_threads_for(r->ctx, y->count)) schedule(static)
    for (int64_t i = 0; i < v->batch * v->channels; i++) {
        int64_t c = i % v->channels;
        REAL m = (REAL)mean[c], a = (REAL)(v->scale[c] / sqrt(variance[c] + v->epsilon)), b = (REAL)v->bias[c];
        const REAL *in = x + i * v->span;
        REAL *out = to + i * v->span;
        for (int64_t k = 0; k < v->span; k++) out[k] = (in[k] - m) * a + b;
    }
    R(done)(r, y, to);
    return 0;
}

/* Across channels: x / (bias + alpha / size * sum of squares of the neighbours) ^ beta. */
static int R(run_lrn)(ox_run *r, const lrn *v, ox_tensor *y) {
    const REAL *x = AS(r, ox_input(r, 0));
    REAL *to = R(out)(r, y);
    if (!x || !to) return -1;
    int64_t before = (v->size - 1) / 2, after = v->size - 1 - before;
#pragma omp parallel for num_threads(ox_threads_for(r->ctx, y->count * 8)) schedule(static)
    for (int64_t i = 0; i < v->batch * v->channels; i++) {
        int64_t c = i % v->channels, lo = c > before ? c - before : 0,
                hi = v->channels - 1 - c > after ? c + after : v->channels - 1;
        REAL *out = to + i * v->span;
        for (int64_t k = 0; k < v->span; k++) out[k] = 0;
        for (int64_t j = lo; j <= hi; j++) {
            const REAL *in = x + (i - c + j) * v->span;
            for (int64_t k = 0; k < v->span; k++) out[k] += in[k] * in[k];
        }
        for (int64_t k = 0; k < v->span; k++)
            out[k] = (REAL)((double)x[i * v->span + k] /
                            pow(v->bias + v->alpha / (double)v->size * (double)out[k], v->beta));
    }
    R(done)(r, y, to);
    return 0;
}
