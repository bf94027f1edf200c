/* Matrix products: OpenBLAS when it is there and the product is large, else own kernels.
 *
 * The result is cut into tiles whose size depends on shapes only; each tile is one sequential product over the whole
 * of k. So every element is computed by the same additions in the same order whatever the number of threads. The
 * library is told to use one thread, once, because its own splitting changes results with their number. */
#include "op/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
enum { LIBRARY_FROM = 64 * 64 * 64, TILE_M = 192, TILE_N = 384, DEPTH = 256, REG_M = 6 };

typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                      const float *b, int ldb, float beta, float *c, int ldc);
typedef void dgemm_fn(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda,
                      const double *b, int ldb, double beta, double *c, int ldc);

/* The library is one per process, as its thread setting is: the only state of this kind. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    sgemm_fn *sgemm;
    dgemm_fn *dgemm;
    char name[96];
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
    snprintf(library.name, sizeof library.name, "own");
    if (!handle) return;
    void (*set_threads)(int) = NULL;
    const char *(*config)(void) = NULL;
    const char *(*core)(void) = NULL;
    symbol(handle, "cblas_sgemm", &library.sgemm);
    symbol(handle, "cblas_dgemm", &library.dgemm);
    symbol(handle, "openblas_set_num_threads", &set_threads);
    symbol(handle, "openblas_get_config", &config);
    symbol(handle, "openblas_get_corename", &core);
    if (!library.sgemm || !library.dgemm || !set_threads || !safe_in_threads(handle)) {
        library.sgemm = NULL;
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
    snprintf(library.name, sizeof library.name, "%.*s %s", len, text, core ? core() : "");
}

const char *ox_blas_name(ox_ctx *ctx) {
    (void)ctx;
    pthread_once(&once, load);
    return library.name;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- own kernels: in blocks of k, panels of b packed to the width of two vectors, rows of a by six. Compiled twice
 * where the processor may have wider vectors than the program is built for. */

typedef float vec_s __attribute__((vector_size(32)));
typedef double vec_d __attribute__((vector_size(32)));
#define INLINE static inline __attribute__((always_inline))

#define OWN_GEMM(NAME, T, V)                                                                                           \
    enum { NAME##_W = 2 * sizeof(V) / sizeof(T) };                                                                     \
    /* acc[6][W] = sum over p of pa[p][6] * pb[p][W] */                                                                \
    INLINE void NAME##_six(int64_t k, const T *pa, const T *pb, T *out) {                                              \
        V lo[REG_M], hi[REG_M];                                                                                        \
        memset(lo, 0, sizeof lo);                                                                                      \
        memset(hi, 0, sizeof hi);                                                                                      \
        for (int64_t p = 0; p < k; p++) {                                                                              \
            const T *x = pa + p * REG_M;                                                                               \
            V y0, y1;                                                                                                  \
            memcpy(&y0, pb + p * NAME##_W, sizeof y0);                                                                 \
            memcpy(&y1, pb + p * NAME##_W + NAME##_W / 2, sizeof y1);                                                  \
            _Pragma("GCC unroll 6") for (int i = 0; i < REG_M; i++) {                                                  \
                lo[i] += x[i] * y0;                                                                                    \
                hi[i] += x[i] * y1;                                                                                    \
            }                                                                                                          \
        }                                                                                                              \
        for (int i = 0; i < REG_M; i++) {                                                                              \
            memcpy(out + i * NAME##_W, &lo[i], sizeof(V));                                                             \
            memcpy(out + i * NAME##_W + NAME##_W / 2, &hi[i], sizeof(V));                                              \
        }                                                                                                              \
    }                                                                                                                  \
    INLINE void NAME##_pack_b(bool tb, int64_t depth, int64_t cols, const T *b, int64_t ldb, T *pb) {                  \
        for (int64_t p = 0; p < depth; p++) {                                                                          \
            for (int64_t j = 0; j < NAME##_W; j++)                                                                     \
                pb[p * NAME##_W + j] = j >= cols ? 0 : tb ? b[j * ldb + p] : b[p * ldb + j];                           \
        }                                                                                                              \
    }                                                                                                                  \
    INLINE void NAME##_pack_a(bool ta, int64_t depth, int64_t m, const T *a, int64_t lda, T *pa) {                     \
        for (int64_t i0 = 0; i0 < m; i0 += REG_M, pa += depth * REG_M) {                                               \
            int64_t rows = least(REG_M, m - i0);                                                                       \
            for (int64_t p = 0; p < depth; p++) {                                                                      \
                for (int64_t i = 0; i < REG_M; i++)                                                                    \
                    pa[p * REG_M + i] = i >= rows ? 0 : ta ? a[p * lda + i0 + i] : a[(i0 + i) * lda + p];              \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    INLINE void NAME##_tile_in(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T *a, int64_t lda,    \
                               const T *b, int64_t ldb, T beta, T *c, int64_t ldc) {                                   \
        T pa[DEPTH * (TILE_M + REG_M)], pb[DEPTH * NAME##_W], acc[REG_M * NAME##_W];                                   \
        for (int64_t i = 0; i < m; i++) {                                                                              \
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];                    \
        }                                                                                                              \
        for (int64_t p0 = 0; p0 < k; p0 += DEPTH) {                                                                    \
            int64_t depth = least(DEPTH, k - p0);                                                                      \
            NAME##_pack_a(ta, depth, m, a + (ta ? p0 * lda : p0), lda, pa);                                            \
            for (int64_t j0 = 0; j0 < n; j0 += NAME##_W) {                                                             \
                int64_t cols = least(NAME##_W, n - j0);                                                                \
                NAME##_pack_b(tb, depth, cols, b + (tb ? j0 * ldb + p0 : p0 * ldb + j0), ldb, pb);                     \
                for (int64_t i0 = 0; i0 < m; i0 += REG_M) {                                                            \
                    int64_t rows = least(REG_M, m - i0);                                                               \
                    NAME##_six(depth, pa + i0 * depth, pb, acc);                                                       \
                    for (int64_t i = 0; i < rows; i++) {                                                               \
                        for (int64_t j = 0; j < cols; j++)                                                             \
                            c[(i0 + i) * ldc + j0 + j] += alpha * acc[i * NAME##_W + j];                               \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    WIDER(NAME, T)                                                                                                     \
    static void NAME##_tile(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T *a, int64_t lda,       \
                            const T *b, int64_t ldb, T beta, T *c, int64_t ldc) {                                      \
        if (HAS_WIDER())                                                                                               \
            NAME##_wider(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                                        \
        else                                                                                                           \
            NAME##_tile_in(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                                      \
    }

#if defined(__x86_64__)
#define WIDER(NAME, T)                                                                                                 \
    __attribute__((target("avx2,fma"))) static void NAME##_wider(bool ta, bool tb, int64_t m, int64_t n, int64_t k,    \
                                                                 T alpha, const T *a, int64_t lda, const T *b,         \
                                                                 int64_t ldb, T beta, T *c, int64_t ldc) {             \
        NAME##_tile_in(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                                          \
    }
#define HAS_WIDER() (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#else
#define WIDER(NAME, T)
#define HAS_WIDER() 0
#define own_s_wider own_s_tile_in
#define own_d_wider own_d_tile_in
#endif

OWN_GEMM(own_s, float, vec_s)
OWN_GEMM(own_d, double, vec_d)

static bool fits_int(int64_t a, int64_t b, int64_t c) { return a <= INT32_MAX && b <= INT32_MAX && c <= INT32_MAX; }

/* The whole product: a grid of tiles. A tall or wide result is cut along its long side, so that there is work for
 * every thread. */
#define GEMM(NAME, T, OWN, LIBRARY)                                                                                    \
    void NAME(ox_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T *a,           \
              int64_t lda, const T *b, int64_t ldb, T beta, T *c, int64_t ldc) {                                       \
        if (m <= 0 || n <= 0) return;                                                                                  \
        bool large = (double)m * (double)n * (double)k > LIBRARY_FROM && fits_int(lda, ldb, ldc) && fits_int(k, m, n); \
        if (large) pthread_once(&once, load);                                                                          \
        bool use_library = large && library.LIBRARY && k > 0;                                                          \
        int64_t rows = (m + TILE_M - 1) / TILE_M, cols = (n + TILE_N - 1) / TILE_N, tiles = rows * cols;               \
        int threads = large && tiles > 1 ? ox_thread_count(ctx) : 1;                                                   \
        _Pragma("omp parallel for num_threads(threads) schedule(dynamic)") for (int64_t t = 0; t < tiles; t++) {       \
            int64_t i = t / cols * TILE_M, j = t % cols * TILE_N, tm = least(TILE_M, m - i),                           \
                    tn = least(TILE_N, n - j);                                                                         \
            const T *ta = a + (trans_a ? i : i * lda), *tb = b + (trans_b ? j * ldb : j);                              \
            T *tc = c + i * ldc + j;                                                                                   \
            if (use_library) {                                                                                         \
                one_thread();                                                                                          \
                library.LIBRARY(ROW_MAJOR, trans_a ? TRANS : NO_TRANS, trans_b ? TRANS : NO_TRANS, (int)tm, (int)tn,   \
                                (int)k, alpha, ta, (int)lda, tb, (int)ldb, beta, tc, (int)ldc);                        \
            } else {                                                                                                   \
                OWN##_tile(trans_a, trans_b, tm, tn, k, alpha, ta, lda, tb, ldb, beta, tc, ldc);                       \
            }                                                                                                          \
        }                                                                                                              \
    }

GEMM(ox_sgemm, float, own_s, sgemm)
GEMM(ox_dgemm, double, own_d, dgemm)
