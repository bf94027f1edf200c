/* Normalisations in one type of real numbers: included by norm_kernels.c with REAL, R(name) and AS defined, and R(moments), R(center_scale)
 * and R(row) as functions or macros. */

/* y = (x - mean) * inverse * scale + bias over blocks of SPAN elements; block k takes scale[k * step] and bias[k *
 * step]. */
static void R(write_blocks)(const REAL *x, REAL *y, int64_t blocks, int64_t span, double mean, double inverse,
                            const REAL *scale, const REAL *bias, int64_t step) {
    for (int64_t k = 0; k < blocks; k++, x += span, y += span)
        R(center_scale)(y, x, span, (REAL)mean, (REAL)(inverse * (double)scale[k * step]), bias[k * step]);
}

/* ROWS groups of `blocks` channels with SPAN elements each. */
static void R(groups)(ox_ctx *ctx, const group_norm *v, const REAL *x, const REAL *scale, const REAL *bias, REAL *y) {
    int64_t n = v->blocks * v->span;
    int threads = ox_threads_for(ctx, v->rows * n);
    OX_EACH(threads, i, v->rows, {
        double mean, variance;
        int64_t group = i % v->groups, first = v->per_group ? group : group * v->blocks;
        R(moments)(x + i * n, n, &mean, &variance);
        R(write_blocks)
        (x + i * n, y + i * n, v->blocks, v->span, mean, 1 / sqrt(variance + v->epsilon), scale + first, bias + first,
         v->per_group ? 0 : 1);
    });
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
    int threads = ox_threads_for(r->ctx, v->rows * v->n);
    OX_EACH(threads, i, v->rows, {
        double stats[2];
        R(row)(v, x + i * v->n, to + i * v->n, scale, bias, stats);
        if (v->mean) ox_store_double(v->mean->dtype, ox_tensor_mut(v->mean), i, stats[0]);
        if (v->inverse) ox_store_double(v->inverse->dtype, ox_tensor_mut(v->inverse), i, stats[1]);
    });
    R(done)(r, y, to);
    return 0;
}

/* Batch normalisation with given statistics; scale and the others are in double. Channels without a span are rows. */
static int R(run_batch)(ox_run *r, const batch_norm *v, const double *mean, const double *variance, ox_tensor *y) {
    const REAL *x = AS(r, ox_input(r, 0));
    REAL *to = R(out)(r, y), *m = ox_scratch(r, (uint64_t)v->channels * 3 * sizeof *m), *a = m + v->channels, *b = a + v->channels;
    if (!x || !to || !m) return -1;
    for (int64_t c = 0; c < v->channels; c++) {
        m[c] = (REAL)mean[c];
        a[c] = (REAL)(v->scale[c] / sqrt(variance[c] + v->epsilon));
        b[c] = (REAL)v->bias[c];
    }
    int threads = ox_threads_for(r->ctx, y->count);
    int64_t rows = v->span == 1 ? v->batch : v->batch * v->channels, n = v->span == 1 ? v->channels : v->span;
    OX_EACH(threads, i, rows, {
        int64_t c = v->span == 1 ? 0 : i % v->channels; /* there may be none */
        if (v->span == 1)
            R(center_scale_each)(to + i * n, x + i * n, n, m, a, b);
        else
            R(center_scale)(to + i * n, x + i * n, n, m[c], a[c], b[c]);
    });
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
