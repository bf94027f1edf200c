/* Kernels that add up in the order that others add in: for graphs in which QuantizeLinear follows (exec/lower.c). */
#ifndef OX_OP_SLICED_H
#define OX_OP_SLICED_H

#include "op/op.h"

/* How much of the depth of a product with so many columns is summed up at once: more where there are few columns. */
int64_t ox_depth_slice(int64_t columns, int64_t depth);
/* As ox_sgemm() (op/blas.h); ADD: to what is in c. -1 after ox_fail(). */
int ox_sliced_product(ox_run *r, bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                      bool add, float *c, int64_t ldc);
/* Instead of the kernels of MatMul, Gemm, Conv and AveragePool. */
int ox_run_matmul_sliced(ox_run *r);
int ox_run_gemm_sliced(ox_run *r);
int ox_run_conv_sliced(ox_run *r);
int ox_run_average_pool_sliced(ox_run *r);

#endif
