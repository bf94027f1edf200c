/* Matrix products. Floats are multiplied by own kernels (cpu/gemm.h), doubles by OpenBLAS when it is installed: it is loaded when the first
 * large product of doubles comes, so that programs without one do not pay for it. Work is cut into a tile grid that depends on shapes only, with one library
 * thread per tile, so that results do not depend on the number of threads. */
#ifndef OX_BLAS_H
#define OX_BLAS_H

#include "base/base.h"

/* c[m,n] = alpha * op(a)[m,k] * op(b)[k,n] + beta * c; row-major; lda, ldb, ldc are row strides of the arrays as stored; beta == 0 does not
 * read c. */
void ox_sgemm(ox_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
              const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
void ox_dgemm(ox_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
              const double *b, int64_t ldb, double beta, double *c, int64_t ldc);
/* What served so far: "own (avx512)", or "own (avx512), double: OpenBLAS 0.3.21 SkylakeX" once the library was loaded; ASK loads it, when it is
 * installed: megabytes. */
const char *ox_blas_name(bool ask);

#endif
