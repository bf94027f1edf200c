/* Reductions in one type of real numbers: included by reduce_kernels.c with REAL and R(name) defined, and R(fold_row) and R(fold_lanes). */

/* LANES outputs that lie next to each other, from the elements at X on; or one, when the innermost axis is reduced. */
static void R(fold_all)(const plan *p, reduction op, const REAL *x, int64_t lanes, double *acc, const double *base) {
    odometer o;
    for (int64_t j = 0; j < lanes; j++) acc[j] = start_of(op);
    if (p->row) {
        wind(&o, p->n_reduced, p->reduced_size, p->reduced_stride, 0);
        for (int64_t i = 0; i < p->steps; i++, tick(&o))
            acc[0] = R(fold_row)(op, acc[0], base ? base[0] : 0, x + o.offset, p->row);
        return;
    }
    int last = p->n_reduced - 1; /* rows that are one stride apart go together */
    int64_t rows = last < 0 ? 1 : p->reduced_size[last], stride = last < 0 ? 0 : p->reduced_stride[last];
    wind(&o, last < 0 ? 0 : last, p->reduced_size, p->reduced_stride, 0);
    for (int64_t i = 0; i < p->steps; i += rows, tick(&o)) R(fold_lanes)(op, acc, base, x + o.offset, rows, stride, lanes);
}

/* n neighbouring outputs. */
static void R(reduce_part)(const plan *p, reduction op, const REAL *from, int64_t n, REAL *y) {
    double acc[BLOCK], base[BLOCK];
    base[0] = 0; /* of other operators than LOG_SUM_EXP nothing is taken away */
    if (op == RED_LOG_SUM_EXP) {
        R(fold_all)(p, RED_MAX, from, n, base, NULL);
        for (int64_t j = 0; j < n; j++) base[j] = isinf(base[j]) ? 0 : base[j];
    }
    R(fold_all)(p, op, from, n, acc, base);
    for (int64_t j = 0; j < n; j++) y[j] = (REAL)finish(op, acc[j], base[j], p->elements);
}

static void R(reduce)(ox_ctx *ctx, const plan *p, reduction op, const REAL *x, REAL *y) {
    int64_t lanes = p->row ? 1 : p->lanes, blocks = (lanes + BLOCK - 1) / BLOCK,
            groups = p->outputs / (lanes ? lanes : 1);
    int threads = ox_threads_for(ctx, p->outputs * p->elements);
    OX_EACH(threads, job, groups * blocks, {
        odometer o;
        int64_t first = job % blocks * BLOCK;
        wind(&o, p->n_kept, p->kept_size, p->kept_stride, job / blocks);
        R(reduce_part)(p, op, x + o.offset + first, lanes - first < BLOCK ? lanes - first : BLOCK, y + job / blocks * lanes + first);
    });
}
