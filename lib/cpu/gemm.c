/* Matrix products of floats: which kernel serves a form, and how the result is cut into tiles for threads.
 *
 * The grid of tiles depends on sizes only. A tile is computed by one thread, every element of it in order of k. Tiles are wide where A is
 * packed and high where B is, so that packing is a small part of the work; how many there are follows from the work. */
#include "cpu/gemm.h"
#include "cpu/gemm_job.h"


enum {
    PARALLEL_FROM = 1 << 19, /* multiplications from which on other threads are worth starting */
    TILE_WORK = 1 << 19,     /* of a tile at least, where there is so much */
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

/* Of one product that is to have about WANTED tiles. Few rows: only columns are cut. */
static grid cut(const ox_gemm_set *set, const ox_gemm_job *job, double wanted) {
    const int64_t n = job->n, m = job->m, unit = m <= 4 ? 4 * set->nr : set->nr;
    const int64_t lowest = job->packed ? 3 * set->mr : 8 * set->mr, narrowest = m <= 2 * set->mr ? unit : 256;
    grid g = {least(m, OX_GEMM_ROWS), least(n, m <= 2 * set->mr ? n : job->packed ? 1024 : 512), 1, 1};
    g.down = pieces(m, g.rows);
    g.across = pieces(n, g.cols);
    while ((double)(g.down * g.across) < wanted && (g.rows > lowest || g.cols > narrowest)) {
        if (g.rows > lowest && (job->packed || g.cols <= narrowest))
            g.rows = most(pieces(g.rows, 2), lowest);
        else if (g.cols > narrowest)
            g.cols = most(pieces(g.cols, 2), narrowest);
        else
            break;
        g.cols = pieces(g.cols, unit) * unit;
        g.down = pieces(m, g.rows);
        g.across = pieces(n, g.cols);
    }
    g.rows = pieces(m, g.down);
    g.cols = pieces(pieces(n, g.across), unit) * unit;
    g.across = pieces(n, g.cols);
    return g;
}

static void one(const ox_gemm_set *set, const ox_gemm_job *job, const grid *g, bool dots, int64_t t) {
    const int64_t i = t / g->across * g->rows, j = t % g->across * g->cols;
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
    double wanted = all / TILE_WORK;
    wanted = (wanted > TILES ? TILES : wanted) / (double)many->count;
    const grid g = cut(set, job, wanted);
    const int64_t each = g.down * g.across, tiles = each * many->count;
    if (tiles == 1) {
        one(set, job, &g, dots, 0);
        return;
    }
    if (all < PARALLEL_FROM) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t t = 0; t < tiles; t++) {
        const ox_gemm_job it = product_at(job, many, t / each);
        one(set, &it, &g, dots, t % each);
    }
}

static const ox_gemm_many single = {.count = 1};

void ox_gemm(int threads, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b,
             int64_t ldb, bool accumulate, const float *bias, const ox_tail *tail, float *c, int64_t ldc) {
    const ox_gemm_job job = {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc, .trans_a = trans_a, .trans_b = trans_b,
                             .accumulate = accumulate, .alpha = alpha, .bias = bias, .tail = tail, .c = c};
    if (n == 1 && m > 1 && ldc == 1 && !bias && !(tail && tail->rest) && (trans_b || ldb == 1)) { /* a matrix times a vector: the same turned around */
        ox_gemm_job turned = job;
        turned.m = 1;
        turned.n = m;
        turned.a = b;
        turned.lda = k;
        turned.trans_a = false;
        turned.b = a;
        turned.ldb = lda;
        turned.trans_b = !trans_a;
        turned.ldc = m;
        run(threads, &turned, &single);
        return;
    }
    run(threads, &job, &single);
}

void ox_gemm_batch(int threads, const ox_gemm_many *many, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, const float *bias, const ox_tail *tail, float *c, int64_t ldc) {
    const ox_gemm_job job = {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc, .trans_a = trans_a, .trans_b = trans_b,
                             .alpha = alpha, .bias = bias, .tail = tail, .c = c};
    run(threads, &job, many);
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
    if (n * k < PARALLEL_FROM) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t j = 0; j < panels; j++) {
        const float *from = b + (trans_b ? j * nr * ldb : j * nr);
        set->pack(trans_b, from, ldb, least(nr, n - j * nr), k, packed + j * nr * k);
    }
}
