/* Reductions in one type of real numbers: included by reduce_kernels.c with REAL, R(name), SUM and SQUARES defined. */

/* Folds n elements without gaps into one number. NaN wins in a maximum or minimum. */
static double R(fold_row)(reduction op, double acc, double base, const REAL *x, int64_t n) {
    double sum = 0;
    switch (op) {
    case RED_SUM: case RED_MEAN: case RED_LOG_SUM: return acc + SUM(x, n);
    case RED_SUM_SQUARE: case RED_L2: return acc + SQUARES(x, n, 0);
    case RED_L1:
        for (int64_t i = 0; i < n; i++) sum += fabs((double)x[i]);
        return acc + sum;
    case RED_PROD:
        for (int64_t i = 0; i < n; i++) acc *= (double)x[i];
        return acc;
    case RED_MAX:
        for (int64_t i = 0; i < n; i++) acc = (double)x[i] > acc || x[i] != x[i] ? (double)x[i] : acc;
        return acc;
    case RED_MIN:
        for (int64_t i = 0; i < n; i++) acc = (double)x[i] < acc || x[i] != x[i] ? (double)x[i] : acc;
        return acc;
    case RED_LOG_SUM_EXP:
        for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - base);
        return acc + sum;
    }
    return acc;
}

/* Folds n elements into n numbers. */
static void R(fold_lanes)(reduction op, double *restrict acc, const double *base, const REAL *restrict x, int64_t n) {
    switch (op) {
    case RED_SUM: case RED_MEAN: case RED_LOG_SUM:
        for (int64_t i = 0; i < n; i++) acc[i] += (double)x[i];
        break;
    case RED_SUM_SQUARE: case RED_L2:
        for (int64_t i = 0; i < n; i++) acc[i] += (double)x[i] * (double)x[i];
        break;
    case RED_L1:
        for (int64_t i = 0; i < n; i++) acc[i] += fabs((double)x[i]);
        break;
    case RED_PROD:
        for (int64_t i = 0; i < n; i++) acc[i] *= (double)x[i];
        break;
    case RED_MAX:
        for (int64_t i = 0; i < n; i++) acc[i] = (double)x[i] > acc[i] || x[i] != x[i] ? (double)x[i] : acc[i];
        break;
    case RED_MIN:
        for (int64_t i = 0; i < n; i++) acc[i] = (double)x[i] < acc[i] || x[i] != x[i] ? (double)x[i] : acc[i];
        break;
    case RED_LOG_SUM_EXP:
        for (int64_t i = 0; i < n; i++) acc[i] += exp((double)x[i] - base[i]);
        break;
    }
}

/* LANES outputs that lie next to each other, from the elements at X on; or one, when the innermost axis is reduced. */
static void R(fold_all)(const plan *p, reduction op, const REAL *x, int64_t lanes, double *acc, const double *base) {
    odometer o;
    for (int64_t j = 0; j < lanes; j++) acc[j] = start_of(op);
    wind(&o, p->n_reduced, p->reduced_size, p->reduced_stride, 0);
    for (int64_t i = 0; i < p->steps; i++, tick(&o)) {
        if (p->row)
            acc[0] = R(fold_row)(op, acc[0], base ? base[0] : 0, x + o.offset, p->row);
        else
            R(fold_lanes)(op, acc, base, x + o.offset, lanes);
    }
}

static void R(reduce)(ox_ctx *ctx, const plan *p, reduction op, const REAL *x, REAL *y) {
    int64_t lanes = p->row ? 1 : p->lanes, blocks = (lanes + BLOCK - 1) / BLOCK,
            groups = p->outputs / (lanes ? lanes : 1);
    const int threads = ox_threads_for(ctx, p->outputs * p->elements);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t job = 0; job < groups * blocks; job++) {
        double acc[BLOCK], base[BLOCK];
        odometer o;
        int64_t first = job % blocks * BLOCK, n = lanes - first < BLOCK ? lanes - first : BLOCK;
        wind(&o, p->n_kept, p->kept_size, p->kept_stride, job / blocks);
        const REAL *from = x + o.offset + first;
        if (op == RED_LOG_SUM_EXP) {
            R(fold_all)(p, RED_MAX, from, n, base, NULL);
            for (int64_t j = 0; j < n; j++) base[j] = isinf(base[j]) ? 0 : base[j];
        }
        R(fold_all)(p, op, from, n, acc, base);
        for (int64_t j = 0; j < n; j++)
            y[job / blocks * lanes + first + j] = (REAL)finish(op, acc[j], base[j], p->elements);
    }
}
