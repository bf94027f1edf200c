/* Matrix products: of floats by the kernels of lib/cpu, which are no slower than OpenBLAS, of doubles by OpenBLAS when it is there and
 * the product is large, else by kernels of this file.
 *
 * The result is cut into tiles whose size depends on shapes only; each tile is one sequential product over the whole
 * of k. So every element is computed by the same additions in the same order whatever the number of threads. The
 * library is told to use one thread, once, because its own splitting changes results with their number. */
#include "op/blas.h"
#include "cpu/gemm.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
enum { LIBRARY_FROM = 64 * 64 * 64, TILE_M = 192, TILE_N = 384, DEPTH = 256, REG_M = 6 };

typedef void dgemm_fn(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda,
                      const double *b, int ldb, double beta, double *c, int ldc);

/* The library is one per process, as its thread setting is: the only state of this kind. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    dgemm_fn *dgemm;
    char name[96];
    bool named; /* set last: the name is asked for while others load */
} library;

/* A function from dlsym(), by way of memory: ISO C has no cast from object to function pointers. */
static void symbol(void *handle, const char *name, void *fn) {
    void *p = dlsym(handle, name);
    memcpy(fn, &p, sizeof p);
}

/* A build of OpenBLAS on OpenMP shares buffers between threads of any other OpenMP library than its own. */
static bool safe_in_threads(void *handle) {
#ifdef _OPENMP
    enum { BUILT_ON_OPENMP = 2 };
    int (*kind)(void) = NULL, (*theirs)(void) = NULL;
    symbol(handle, "openblas_get_parallel", &kind);
    symbol(handle, "omp_in_parallel", &theirs);
    return kind && (kind() != BUILT_ON_OPENMP || theirs == omp_in_parallel);
#else
    return handle != NULL;
#endif
}

/* Such a build takes the number of threads from the thread that calls, wherever that is not in a parallel loop of
 * several: to be said in a region of our own, so that nobody else's loops see it. */
static inline void one_thread(void) {
#ifdef _OPENMP
    omp_set_num_threads(1);
#endif
}

static void load(void) {
    static const char *const files[] = {"libopenblas.so.0", "libopenblas.so"};
    void *handle = NULL;
    for (size_t i = 0; i < 2 && !handle; i++) handle = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    void (*set_threads)(int) = NULL;
    const char *(*config)(void) = NULL;
    const char *(*core)(void) = NULL;
    symbol(handle, "cblas_dgemm", &library.dgemm);
    symbol(handle, "openblas_set_num_threads", &set_threads);
    symbol(handle, "openblas_get_config", &config);
    symbol(handle, "openblas_get_corename", &core);
    if (!library.dgemm || !set_threads || !safe_in_threads(handle)) {
        library.dgemm = NULL;
        return;
    }
#ifdef _OPENMP
    int threads = omp_get_max_threads(); /* of whoever calls: not ours to change */
    set_threads(1);
    omp_set_num_threads(threads);
#else
    set_threads(1);
#endif
    const char *text = config ? config() : "OpenBLAS", *space = strchr(text, ' ');
    int len = space ? (int)strcspn(space + 1, " ") + (int)(space + 1 - text) : (int)strlen(text);
    snprintf(library.name, sizeof library.name, "own (%s), double: %.*s %s", ox_cpu_isa_name(), len, text, core ? core() : "");
    __atomic_store_n(&library.named, true, __ATOMIC_RELEASE);
}

static pthread_once_t own_once = PTHREAD_ONCE_INIT;
static char own_name[48];
static void name_own(void) { snprintf(own_name, sizeof own_name, "own (%s)", ox_cpu_isa_name()); }

const char *ox_blas_name(bool ask) {
    pthread_once(&own_once, name_own);
    if (ask) pthread_once(&once, load);
    return __atomic_load_n(&library.named, __ATOMIC_ACQUIRE) ? library.name : own_name;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- own kernels for double: in blocks of k, panels of b packed to the width of two vectors, rows of a by six. Compiled twice
 * where the processor may have wider vectors than the program is built for. */

typedef double vec __attribute__((vector_size(32)));
#define INLINE static inline __attribute__((always_inline))

enum { OWN_W = 2 * sizeof(vec) / sizeof(double) };
/* acc[6][W] = sum over p of pa[p][6] * pb[p][W] */
INLINE void own_six(int64_t k, const double *pa, const double *pb, double *out) {
    vec lo[REG_M], hi[REG_M];
    memset(lo, 0, sizeof lo);
    memset(hi, 0, sizeof hi);
    for (int64_t p = 0; p < k; p++) {
        const double *x = pa + p * REG_M;
        vec y0, y1;
        memcpy(&y0, pb + p * OWN_W, sizeof y0);
        memcpy(&y1, pb + p * OWN_W + OWN_W / 2, sizeof y1);
#pragma GCC unroll 6
        for (int i = 0; i < REG_M; i++) {
            lo[i] += x[i] * y0;
            hi[i] += x[i] * y1;
        }
    }
    for (int i = 0; i < REG_M; i++) {
        memcpy(out + i * OWN_W, &lo[i], sizeof(vec));
        memcpy(out + i * OWN_W + OWN_W / 2, &hi[i], sizeof(vec));
    }
}

INLINE void own_pack_b(bool tb, int64_t depth, int64_t cols, const double *b, int64_t ldb, double *pb) {
    for (int64_t p = 0; p < depth; p++) {
        for (int64_t j = 0; j < OWN_W; j++)
            pb[p * OWN_W + j] = j >= cols ? 0 : tb ? b[j * ldb + p] : b[p * ldb + j];
    }
}

INLINE void own_pack_a(bool ta, int64_t depth, int64_t m, const double *a, int64_t lda, double *pa) {
    for (int64_t i0 = 0; i0 < m; i0 += REG_M, pa += depth * REG_M) {
        int64_t rows = least(REG_M, m - i0);
        for (int64_t p = 0; p < depth; p++) {
            for (int64_t i = 0; i < REG_M; i++)
                pa[p * REG_M + i] = i >= rows ? 0 : ta ? a[p * lda + i0 + i] : a[(i0 + i) * lda + p];
        }
    }
}

INLINE void own_tile_in(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
                        const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    double pa[DEPTH * (TILE_M + REG_M)], pb[DEPTH * OWN_W], acc[REG_M * OWN_W];
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    }
    for (int64_t p0 = 0; p0 < k; p0 += DEPTH) {
        int64_t depth = least(DEPTH, k - p0);
        own_pack_a(ta, depth, m, a + (ta ? p0 * lda : p0), lda, pa);
        for (int64_t j0 = 0; j0 < n; j0 += OWN_W) {
            int64_t cols = least(OWN_W, n - j0);
            own_pack_b(tb, depth, cols, b + (tb ? j0 * ldb + p0 : p0 * ldb + j0), ldb, pb);
            for (int64_t i0 = 0; i0 < m; i0 += REG_M) {
                int64_t rows = least(REG_M, m - i0);
                own_six(depth, pa + i0 * depth, pb, acc);
                for (int64_t i = 0; i < rows; i++) {
                    for (int64_t j = 0; j < cols; j++)
                        c[(i0 + i) * ldc + j0 + j] += alpha * acc[i * OWN_W + j];
                }
            }
        }
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void own_wider(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
                                                          const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    own_tile_in(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#endif

static void own_tile(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
                     const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        own_wider(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
        return;
    }
#endif
    own_tile_in(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

static bool fits_int(int64_t a, int64_t b, int64_t c) { return a <= INT32_MAX && b <= INT32_MAX && c <= INT32_MAX; }

/* The whole product: a grid of tiles. A tall or wide result is cut along its long side, so that there is work for
 * every thread. */
void ox_dgemm(ox_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
              const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    if (m <= 0 || n <= 0) return;
    bool large = (double)m * (double)n * (double)k > LIBRARY_FROM && fits_int(lda, ldb, ldc) && fits_int(k, m, n);
    if (large) pthread_once(&once, load);
    bool use_library = large && library.dgemm && k > 0;
    int64_t rows = (m + TILE_M - 1) / TILE_M, cols = (n + TILE_N - 1) / TILE_N, tiles = rows * cols;
    int threads = (large || ox_cpu_shares_all()) && tiles > 1 ? ox_thread_count(ctx) : 1;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t t = 0; t < tiles; t++) {
        int64_t i = t / cols * TILE_M, j = t % cols * TILE_N, tm = least(TILE_M, m - i), tn = least(TILE_N, n - j);
        const double *ta = a + (trans_a ? i : i * lda), *tb = b + (trans_b ? j * ldb : j);
        double *tc = c + i * ldc + j;
        if (use_library) {
            one_thread();
            library.dgemm(ROW_MAJOR, trans_a ? TRANS : NO_TRANS, trans_b ? TRANS : NO_TRANS, (int)tm, (int)tn, (int)k, alpha, ta, (int)lda, tb,
                          (int)ldb, beta, tc, (int)ldc);
        } else {
            own_tile(trans_a, trans_b, tm, tn, k, alpha, ta, lda, tb, ldb, beta, tc, ldc);
        }
    }
}

void ox_sgemm(ox_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
              const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    if (beta != 0 && beta != 1) {
        for (int64_t i = 0; i < m; i++) {
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] *= beta;
        }
    }
    ox_gemm(ox_thread_count(ctx), trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta != 0, NULL, NULL, c, ldc);
}
