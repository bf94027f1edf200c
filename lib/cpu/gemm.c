/* Matrix products of floats: which kernel serves a form, and how the result is cut into tiles for threads.
 *
 * The grid of tiles depends on sizes only. A tile is computed by one thread, every element of it in order of k. Tiles are wide where A is
 * packed and high where B is, so that packing is a small part of the work; how many there are follows from the work. */
#include "cpu/gemm.h"
#include "cpu/gemm_job.h"


enum {
    PARALLEL_FROM = 3 << 16, /* multiplications from which on other threads are worth starting */
    TILE_WORK = 1 << 18,     /* of a tile at least, where there is so much */
    TILES_FEW = 8,           /* enough where more would cost time */
    TILES = 24,              /* enough for threads to share evenly */
    DOTS_ROWS = 8            /* rows up to which a transposed B is read in place */
};

static const ox_gemm_set *set_of_processor(void) {
#if defined(__x86_64__)
    static const ox_gemm_set *const sets[OX_ISA_COUNT] = {&ox_gemm_set_plain, &ox_gemm_set_avx2, &ox_gemm_set_avx512};
    return sets[ox_cpu_isa()];
#else
    return &ox_gemm_set_plain;
#endif
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }

/* ---- the grid ---- */
typedef struct grid {
    int64_t rows, cols;     /* of a tile */
    int64_t down, across;   /* tiles */
} grid;

static double work_of(double m, double n, double k) { return m * n * (k + 8); }

static void shape(grid *g, const ox_gemm_job *job, int64_t unit, int64_t rows, int64_t cols) {
    g->down = pieces(job->m, rows);
    g->rows = pieces(job->m, g->down);
    g->cols = pieces(pieces(job->n, pieces(job->n, cols)), unit) * unit;
    g->across = pieces(job->n, g->cols);
}

/* Of one product that is to have about WANTED tiles. Where B is packed tile by tile rows are cut last, where it is not they are cut first;
 * few rows are not cut at all. */
static grid cut(const ox_gemm_set *set, const ox_gemm_job *job, double wanted) {
    const int64_t m = job->m, mr = set->mr, nr = set->nr;
    const bool few = m <= 2 * mr, in_place = job->packed || (!job->trans_b && m <= OX_GEMM_PACK_B);
    const int64_t unit = m <= 4 ? 4 * nr : nr, narrow = most(unit, few ? nr : 2 * nr);
    int64_t rows = least(m, OX_GEMM_ROWS), cols = least(job->n, few ? job->n : job->packed ? 1024 : 512);
    /* First what costs little: all of B is read for each row of tiles, all of A for each column. */
    const struct { bool of_rows; int64_t least; } steps[] = {
        {in_place, in_place ? 48 : 256}, {!in_place, in_place ? 256 : 112}, {false, narrow}, {true, in_place ? mr : 3 * mr},
    };
    grid g;
    shape(&g, job, unit, rows, cols);
    for (int s = few ? 2 : 0; s < (few ? 3 : 4); s++) {
        int64_t *size = steps[s].of_rows ? &rows : &cols;
        if (s >= 2 && !few && wanted > TILES_FEW) wanted = TILES_FEW;
        while ((double)(g.down * g.across) < wanted && *size > steps[s].least) {
            *size = most(pieces(*size, 2), steps[s].least);
            shape(&g, job, unit, rows, cols);
        }
    }
    return g;
}

static void one(const ox_gemm_set *set, const ox_gemm_job *job, const grid *g, bool dots, int64_t t) {
    /* The larger operand is gone through once: what follows takes the same part of it. */
    const bool down = job->n > job->m;
    const int64_t i = (down ? t % g->down : t / g->across) * g->rows, j = (down ? t / g->down : t % g->across) * g->cols;
    (dots ? set->dots : set->tile)(job, i, least(g->rows, job->m - i), j, least(g->cols, job->n - j));
}

/* Number I of a batch. */
static ox_gemm_job product_at(const ox_gemm_job *first, const ox_gemm_many *many, int64_t i) {
    ox_gemm_job job = *first;
    job.a += (many->a_at ? many->a_at[i] : i) * many->a_step;
    if (job.b) job.b += (many->b_at ? many->b_at[i] : i) * many->b_step;
    job.c += i * many->c_step;
    job.add_at = i * many->c_step;
    job.offset = i * job.m * job.n;
    return job;
}

static void run(int threads, const ox_gemm_job *job, const ox_gemm_many *many) {
    if (job->m <= 0 || job->n <= 0 || many->count <= 0) return;
    const ox_gemm_set *set = set_of_processor();
    const double work = work_of((double)job->m, (double)job->n, (double)job->k), all = work * (double)many->count;
    const bool dots = !job->packed && job->trans_b && !job->trans_a && job->m <= DOTS_ROWS;
    double wanted = !ox_cpu_worth(all, PARALLEL_FROM) ? 1 : all > 2.0 * TILE_WORK ? all / TILE_WORK : 2;
    wanted = (wanted > TILES ? TILES : wanted) / (double)many->count;
    const grid g = cut(set, job, wanted);
    const int64_t each = g.down * g.across, tiles = each * many->count;
    if (tiles == 1) {
        one(set, job, &g, dots, 0);
        return;
    }
    if (!ox_cpu_worth(all, PARALLEL_FROM)) threads = 1;
    if (threads <= 1) {
        for (int64_t t = 0; t < tiles; t++) {
            const ox_gemm_job it = product_at(job, many, t / each);
            one(set, &it, &g, dots, t % each);
        }
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t t = 0; t < tiles; t++) {
        const ox_gemm_job it = product_at(job, many, t / each);
        one(set, &it, &g, dots, t % each);
    }
}

static const ox_gemm_many single = {.count = 1};

/* Both operands are data: a matrix times a vector that lies without gaps is the vector times the matrix, which knows few rows. */
static void run_data(int threads, const ox_gemm_job *job, const ox_gemm_many *many) {
    const bool turns = job->n == 1 && job->m > 1 && job->ldc == 1 && (job->trans_b || job->ldb == 1) && !job->bias && !(job->tail && job->tail->rest);
    if (!turns) {
        run(threads, job, many);
        return;
    }
    ox_gemm_job turned = *job;
    turned.m = 1;
    turned.n = job->m;
    turned.a = job->b;
    turned.lda = job->k;
    turned.trans_a = false;
    turned.b = job->a;
    turned.ldb = job->lda;
    turned.trans_b = !job->trans_a;
    turned.ldc = job->m;
    const ox_gemm_many all = {many->count, many->b_step, many->a_step, many->c_step, many->b_at, many->a_at};
    run(threads, &turned, &all);
}

void ox_gemm(int threads, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b,
             int64_t ldb, bool accumulate, const float *bias, const ox_tail *tail, float *c, int64_t ldc) {
    const ox_gemm_job job = {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc, .trans_a = trans_a, .trans_b = trans_b,
                             .accumulate = accumulate, .alpha = alpha, .bias = bias, .tail = tail, .c = c};
    run_data(threads, &job, &single);
}

void ox_gemm_batch(int threads, const ox_gemm_many *many, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, const float *bias, const ox_tail *tail, float *c, int64_t ldc) {
    const ox_gemm_job job = {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc, .trans_a = trans_a, .trans_b = trans_b,
                             .alpha = alpha, .bias = bias, .tail = tail, .c = c};
    run_data(threads, &job, many);
}

void ox_gemm_packed(int threads, bool trans_a, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *packed,
                    const float *bias, const ox_tail *tail, float *c, int64_t ldc) {
    const ox_gemm_job job = {.m = m, .n = n, .k = k, .a = a, .packed = packed, .lda = lda, .ldc = ldc, .trans_a = trans_a, .alpha = alpha,
                             .bias = bias, .tail = tail, .c = c};
    run(threads, &job, &single);
}

uint64_t ox_gemm_packed_bytes(int64_t n, int64_t k) {
    const int64_t nr = set_of_processor()->nr;
    uint64_t bytes;
    if (n < 0 || k < 0 || n > INT64_MAX - nr) return UINT64_MAX;
    if (__builtin_mul_overflow((uint64_t)(pieces(n, nr) * nr), (uint64_t)k, &bytes) || __builtin_mul_overflow(bytes, sizeof(float), &bytes))
        return UINT64_MAX;
    return bytes;
}

void ox_gemm_pack(int threads, bool trans_b, int64_t n, int64_t k, const float *b, int64_t ldb, float *packed) {
    const ox_gemm_set *set = set_of_processor();
    const int64_t nr = set->nr, panels = pieces(n, nr);
    if (n <= 0 || k <= 0) return;
    if (!ox_cpu_worth((double)n * (double)k, PARALLEL_FROM)) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t j = 0; j < panels; j++) {
        const float *from = b + (trans_b ? j * nr * ldb : j * nr);
        set->pack(trans_b, from, ldb, least(nr, n - j * nr), k, packed + j * nr * k);
        ox_flush_subnormal(packed + j * nr * k, (uint64_t)(nr * k));
    }
}
