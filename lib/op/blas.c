/* Matrix products: OpenBLAS when it is there and the product is large, else own kernels.
 *
 * The result is cut into tiles whose size depends on shapes only; each tile is one sequential product over the whole of k. So every
 * element is computed by the same additions in the same order whatever the number of threads. The library is told to use one thread,
 * once, because its own splitting changes results with their number. */
#include "op/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
enum { LIBRARY_FROM = 64 * 64 * 64, TILE_M = 192, TILE_N = 384, DEPTH = 256, REG_M = 6 };

typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                      float beta, float *c, int ldc);
typedef void dgemm_fn(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
                      double beta, double *c, int ldc);

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
    if (!library.sgemm || !library.dgemm || !set_threads) {
        library.sgemm = NULL;
        library.dgemm = NULL;
        return;
    }
    set_threads(1);
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

/* Own kernel for one tile: blocks of k, in them panels of b packed to the width of the registers, rows of a by six. COLS is two vectors
 * of 32 bytes. */
#define OWN_GEMM(NAME, T, COLS)                                                                              \
    static void NAME##_block(int64_t rows, int64_t k, const T *pa, const T *pb, T *restrict acc) {           \
        for (int64_t i = 0; i < rows * COLS; i++) acc[i] = 0;                                                \
        for (int64_t p = 0; p < k; p++) {                                                                    \
            for (int64_t i = 0; i < rows; i++) {                                                             \
                T x = pa[p * REG_M + i];                                                                     \
                _Pragma("omp simd") for (int64_t j = 0; j < COLS; j++) acc[i * COLS + j] += x * pb[p * COLS + j]; \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME##_six(int64_t k, const T *pa, const T *pb, T *restrict out) {                           \
        T acc[REG_M * COLS];                                                                                 \
        memset(acc, 0, sizeof acc);                                                                          \
        for (int64_t p = 0; p < k; p++) {                                                                    \
            const T *x = pa + p * REG_M, *y = pb + p * COLS;                                                 \
            for (int i = 0; i < REG_M; i++) {                                                                \
                _Pragma("omp simd") for (int j = 0; j < COLS; j++) acc[i * COLS + j] += x[i] * y[j];         \
            }                                                                                                \
        }                                                                                                    \
        memcpy(out, acc, sizeof acc);                                                                        \
    }                                                                                                        \
    static void NAME##_tile(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T *a, int64_t lda, const T *b, \
                            int64_t ldb, T beta, T *c, int64_t ldc) {                                        \
        T pa[DEPTH * REG_M], pb[DEPTH * COLS], acc[REG_M * COLS];                                            \
        for (int64_t i = 0; i < m; i++) {                                                                    \
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];          \
        }                                                                                                    \
        for (int64_t p0 = 0; p0 < k; p0 += DEPTH) {                                                          \
            int64_t depth = least(DEPTH, k - p0);                                                            \
            for (int64_t j0 = 0; j0 < n; j0 += COLS) {                                                       \
                int64_t cols = least(COLS, n - j0);                                                          \
                for (int64_t p = 0; p < depth; p++) {                                                        \
                    for (int64_t j = 0; j < COLS; j++)                                                       \
                        pb[p * COLS + j] = j >= cols ? 0 : tb ? b[(j0 + j) * ldb + p0 + p] : b[(p0 + p) * ldb + j0 + j]; \
                }                                                                                            \
                for (int64_t i0 = 0; i0 < m; i0 += REG_M) {                                                  \
                    int64_t rows = least(REG_M, m - i0);                                                     \
                    for (int64_t p = 0; p < depth; p++) {                                                    \
                        for (int64_t i = 0; i < rows; i++)                                                   \
                            pa[p * REG_M + i] = ta ? a[(p0 + p) * lda + i0 + i] : a[(i0 + i) * lda + p0 + p]; \
                    }                                                                                        \
                    if (rows == REG_M)                                                                       \
                        NAME##_six(depth, pa, pb, acc);                                                      \
                    else                                                                                     \
                        NAME##_block(rows, depth, pa, pb, acc);                                              \
                    for (int64_t i = 0; i < rows; i++) {                                                     \
                        for (int64_t j = 0; j < cols; j++) c[(i0 + i) * ldc + j0 + j] += alpha * acc[i * COLS + j]; \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

OWN_GEMM(own_s, float, 16)
OWN_GEMM(own_d, double, 8)

static bool fits_int(int64_t a, int64_t b, int64_t c) { return a <= INT32_MAX && b <= INT32_MAX && c <= INT32_MAX; }

/* The whole product: a grid of tiles. A tall or wide result is cut along its long side, so that there is work for every thread. */
#define GEMM(NAME, T, OWN, LIBRARY)                                                                          \
    void NAME(ox_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T *a, int64_t lda, const T *b, \
              int64_t ldb, T beta, T *c, int64_t ldc) {                                                      \
        if (m <= 0 || n <= 0) return;                                                                        \
        bool large = (double)m * (double)n * (double)k > LIBRARY_FROM && fits_int(lda, ldb, ldc) && fits_int(k, m, n); \
        if (large) pthread_once(&once, load);                                                                \
        bool use_library = large && library.LIBRARY && k > 0;                                                \
        int64_t rows = (m + TILE_M - 1) / TILE_M, cols = (n + TILE_N - 1) / TILE_N, tiles = rows * cols;     \
        int threads = large && tiles > 1 ? ox_thread_count(ctx) : 1;                                         \
        _Pragma("omp parallel for num_threads(threads) schedule(dynamic)") for (int64_t t = 0; t < tiles; t++) { \
            int64_t i = t / cols * TILE_M, j = t % cols * TILE_N, tm = least(TILE_M, m - i), tn = least(TILE_N, n - j); \
            const T *ta = a + (trans_a ? i : i * lda), *tb = b + (trans_b ? j * ldb : j);                    \
            T *tc = c + i * ldc + j;                                                                         \
            if (use_library)                                                                                 \
                library.LIBRARY(ROW_MAJOR, trans_a ? TRANS : NO_TRANS, trans_b ? TRANS : NO_TRANS, (int)tm, (int)tn, (int)k, alpha, ta, \
                                (int)lda, tb, (int)ldb, beta, tc, (int)ldc);                                 \
            else                                                                                             \
                OWN##_tile(trans_a, trans_b, tm, tn, k, alpha, ta, lda, tb, ldb, beta, tc, ldc);             \
        }                                                                                                    \
    }

GEMM(ox_sgemm, float, own_s, sgemm)
GEMM(ox_dgemm, double, own_d, dgemm)
