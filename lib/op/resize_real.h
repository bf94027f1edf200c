/* Interpolation along one axis in one type of real numbers: included by resize_kernels.c with REAL and R(name)
 * defined. */

/* [outer, in] to [outer, out]: the innermost axis. */
static void R(along_rows)(ox_ctx *ctx, const axis *a, int64_t outer, const REAL *x, REAL *y) {
    int n = a->taps;
    const int threads = ox_threads_for(ctx, outer * a->out * n);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < outer; i++) {
        const REAL *from = x + i * a->in;
        REAL *to = y + i * a->out;
        for (int64_t j = 0; j < a->out; j++) {
            REAL sum = 0;
            for (int t = 0; t < n; t++) {
                REAL w = (REAL)a->weight[j * n + t];
                if (w != 0) sum += w * from[a->index[j * n + t]];
            }
            to[j] = sum;
        }
    }
}

/* [outer, in, inner] to [outer, out, inner]. */
static void R(along)(ox_ctx *ctx, const axis *a, int64_t outer, int64_t inner, const REAL *x, REAL *y) {
    int n = a->taps;
    const int threads = ox_threads_for(ctx, outer * a->out * inner * n);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < outer * a->out; i++) {
        int64_t j = i % a->out;
        const REAL *plane = x + i / a->out * a->in * inner;
        REAL *to = y + i * inner;
        for (int64_t k = 0; k < inner; k++) to[k] = 0;
        for (int t = 0; t < n; t++) {
            REAL w = (REAL)a->weight[j * n + t];
            const REAL *from = plane + a->index[j * n + t] * inner;
            if (w == 0) continue;
            for (int64_t k = 0; k < inner; k++) to[k] += w * from[k];
        }
    }
}

/* All axes, one after the other; ROOM[2] are buffers large enough for what lies between. NULL after ox_fail. */
static const REAL *R(interpolate)(ox_run *r, const plan *p, const REAL *x) {
    int64_t *dims = ox_dup(r->arena, p->in, (size_t)p->rank * sizeof *dims);
    for (int d = 0; d < p->rank; d++) {
        const axis *a = &p->axes[d];
        int64_t outer = ox_count(dims, 0, d), inner = ox_count(dims, d + 1, p->rank), rows, count;
        if (a->same) continue;
        if (!ox_mul_ok(outer, a->out, &rows) || !ox_mul_ok(rows, inner, &count)) {
            ox_fail(r->ctx, OX_NO_MEMORY, "an intermediate result is too large");
            return NULL;
        }
        REAL *y = ox_scratch(r, (uint64_t)count * sizeof *y);
        if (!y) return NULL;
        if (inner == 1)
            R(along_rows)(r->ctx, a, outer, x, y);
        else
            R(along)(r->ctx, a, outer, inner, x, y);
        dims[d] = a->out;
        x = y;
    }
    return x;
}
