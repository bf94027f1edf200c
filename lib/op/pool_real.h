/* Pooling in one type of real numbers: included by pool_kernels.c with REAL and R(name) defined. */

/* Folds the elements that meet kernel position P into one output plane. */
static void R(take)(const pool *v, const REAL *x, int64_t p, REAL *y) {
    const ox_image *im = &v->image;
    int64_t s = im->stride[im->n - 1];
    ox_walk k;
    ox_walk_init(&k, im, p, 0, im->out_size);
    for (; ox_walk_next(&k); y += k.run) {
        if (k.row < 0) continue;
        const REAL *in = x + k.row + k.first;
        REAL *to = y + k.lo;
        int64_t n = k.hi - k.lo;
        switch (v->kind) {
        case POOL_MAX: /* NaN wins and stays */
            for (int64_t i = 0; i < n; i++) to[i] = in[i * s] > to[i] || in[i * s] != in[i * s] ? in[i * s] : to[i];
            break;
        case POOL_AVERAGE:
            for (int64_t i = 0; i < n; i++) to[i] += in[i * s];
            break;
        case POOL_LP:
            for (int64_t i = 0; i < n; i++) to[i] += (REAL)power(fabs((double)in[i * s]), v->p);
            break;
        }
    }
}

/* The same with the place of every maximum; ties: the first. */
static void R(take_with_index)(const pool *v, const REAL *x, int64_t p, REAL *y, int64_t *index) {
    const ox_image *im = &v->image;
    int64_t s = im->stride[im->n - 1];
    ox_walk k;
    ox_walk_init(&k, im, p, 0, im->out_size);
    for (; ox_walk_next(&k); y += k.run, index += k.run) {
        for (int64_t i = k.lo, at = k.row + k.first; i < k.hi; i++, at += s) {
            if (index[i] >= 0 && !(x[at] > y[i])) continue;
            y[i] = x[at];
            index[i] = at;
        }
    }
}

static void R(finish)(const pool *v, const REAL *counts, REAL *y) {
    int64_t n = v->image.out_size;
    if (v->kind == POOL_AVERAGE) {
        for (int64_t i = 0; i < n; i++) y[i] /= counts[i];
    } else if (v->kind == POOL_LP) {
        for (int64_t i = 0; i < n; i++) y[i] = (REAL)root((double)y[i], v->p);
    }
}

/* Index i of a plane, counted column by column when the attribute says so, over all planes. */
static int64_t R(full_index)(const pool *v, int64_t plane, int64_t i) {
    const ox_image *im = &v->image;
    if (!v->column_major) return plane * im->in_size + i;
    int64_t sum = 0, step = 1, at[OX_WINDOW_AXES];
    for (int d = im->n - 1; d >= 0; d--) {
        at[d] = i % im->in[d];
        i /= im->in[d];
    }
    for (int d = 0; d < im->n; d++) {
        sum += at[d] * step;
        step *= im->in[d];
    }
    return plane * im->in_size + sum;
}

/* Averages of a plane of two axes: windows are added up by columns first, then along the row, as others do it (from version 19 on by rows): where the result is quantized,
 * ties show the difference. False: not of this form. */
static bool R(average_by_columns)(const pool *v, const REAL *x, REAL *y) {
    const ox_image *im = &v->image;
    REAL sums[COLUMNS];
    if (im->n != 2 || im->in[1] > COLUMNS || im->dilation[0] != 1 || im->dilation[1] != 1) return false;
    int64_t wide = im->in[1];
    for (int64_t i = 0; i < im->out[0]; i++) {
        int64_t first = i * im->stride[0] - im->begin[0], last = first + im->kernel[0];
        if (last > im->in[0]) last = im->in[0];
        if (first < 0) first = 0;
        for (int64_t j = 0; j < wide; j++) sums[j] = 0;
        for (; first < last; first++)
            for (int64_t j = 0; j < wide; j++) sums[j] += x[first * wide + j];
        for (int64_t j = 0; j < im->out[1]; j++) {
            int64_t from = j * im->stride[1] - im->begin[1], to = from + im->kernel[1];
            REAL sum = 0;
            for (int64_t k = from < 0 ? 0 : from; k < to && k < wide; k++) sum += sums[k];
            *y++ = sum;
        }
    }
    return true;
}

static int R(run)(ox_run *r, const pool *v, const REAL *x, REAL *y, int64_t *index) {
    const ox_image *im = &v->image;
    REAL *counts = v->kind == POOL_AVERAGE ? ox_scratch(r, (uint64_t)im->out_size * sizeof *counts) : NULL;
    if (v->kind == POOL_AVERAGE && !counts) return -1;
    for (int64_t i = 0; counts && i < im->out_size; i++) counts[i] = (REAL)window_count(v, i);
#pragma omp parallel for num_threads(ox_threads_for(r->ctx, v->planes * im->out_size * im->kernel_size))               \
    schedule(static)
    for (int64_t i = 0; i < v->planes; i++) {
        const REAL *in = x + i * im->in_size;
        REAL *out = y + i * im->out_size;
        int64_t *at = index ? index + i * im->out_size : NULL;
        for (int64_t j = 0; j < im->out_size; j++) out[j] = v->kind == POOL_MAX ? (REAL)v->lowest : 0;
        for (int64_t j = 0; at && j < im->out_size; j++) at[j] = -1;
        bool done = v->kind == POOL_AVERAGE && !v->by_rows && R(average_by_columns)(v, in, out);
        for (int64_t p = 0; p < im->kernel_size && !done; p++) {
            if (at)
                R(take_with_index)(v, in, p, out, at);
            else
                R(take)(v, in, p, out);
        }
        R(finish)(v, counts, out);
        for (int64_t j = 0; at && j < im->out_size; j++) at[j] = at[j] < 0 ? -1 : R(full_index)(v, i, at[j]);
    }
    return 0;
}

/* Planes of ordinary size are summed up in four parts as others do it: see average_by_columns(). */
static REAL R(average)(const REAL *x, int64_t n) {
    REAL part[4] = {0};
    double all = 0;
    int64_t j = 0;
    if (n > COLUMNS) {
        for (; j < n; j++) all += (double)x[j];
        return (REAL)(all / (double)n);
    }
    for (; j + 4 <= n; j += 4)
        for (int k = 0; k < 4; k++) part[k] += x[j + k];
    REAL sum = (part[0] + part[2]) + (part[1] + part[3]);
    for (; j < n; j++) sum += x[j];
    return sum / (REAL)n;
}

/* Global pools: one number per plane. */
static void R(run_global)(ox_run *r, const pool *v, int64_t size, const REAL *x, REAL *y) {
#pragma omp parallel for num_threads(ox_threads_for(r->ctx, v->planes * size)) schedule(static)
    for (int64_t i = 0; i < v->planes; i++) {
        const REAL *in = x + i * size;
        double sum = 0;
        REAL max = (REAL)-INFINITY;
        switch (v->kind) {
        case POOL_MAX:
            for (int64_t j = 0; j < size; j++) max = in[j] > max || in[j] != in[j] ? in[j] : max;
            y[i] = max;
            break;
        case POOL_AVERAGE:
            y[i] = R(average)(in, size);
            break;
        case POOL_LP:
            for (int64_t j = 0; j < size; j++) sum += power(fabs((double)in[j]), v->p);
            y[i] = (REAL)root(sum, v->p);
            break;
        }
    }
}
