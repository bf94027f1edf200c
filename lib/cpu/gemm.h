/* Matrix products of floats: c[m,n] = alpha * op(a)[m,k] * op(b)[k,n], row-major. Matrices are as stored: with trans_a A is [k,m], with
 * trans_b B is [n,k]; lda, ldb, ldc are the floats from row to row. c must not overlap what is read; m, n or k may be 0 (with k = 0 the sums
 * are 0). Results depend on sizes, options and the instruction set alone, not on threads.
 *
 * BIAS (NULL: none): a float per column, added to every row. TAIL (NULL: none), see cpu.h, is done to pieces of rows once their sums are
 * complete: tail->add is read like c (row i, column j at i * ldc + j), OFFSET is i * n + j, CHANNEL is j. */
#ifndef OX_GEMM_H
#define OX_GEMM_H

#include "cpu/cpu.h"

/* Weights in the order in which products read them, made once: B[k,n] (with trans_b as stored [n,k]). UINT64_MAX when the size overflows.
 * The order depends on the instruction set only. */
uint64_t ox_gemm_packed_bytes(int64_t n, int64_t k);
void ox_gemm_pack(int threads, bool trans_b, int64_t n, int64_t k, const float *b, int64_t ldb, float *packed);
void ox_gemm_packed(int threads, bool trans_a, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *packed,
                    const float *bias, const ox_tail *tail, float *c, int64_t ldc);

/* Both operands are data. ACCUMULATE: the sums begin with what is in c; then there is no bias. */
void ox_gemm(int threads, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b,
             int64_t ldb, bool accumulate, const float *bias, const ox_tail *tail, float *c, int64_t ldc);

/* Many products of one form: number i takes matrix a_at[i] of a and b_at[i] of b (NULL: i), which are a_step and b_step floats apart (0: all take
 * the same), and writes c + i * c_step. For tail: add is read like c, OFFSET counts all products' elements. */
typedef struct ox_gemm_many {
    int64_t count, a_step, b_step, c_step;
    const int64_t *a_at, *b_at;
} ox_gemm_many;
void ox_gemm_batch(int threads, const ox_gemm_many *many, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                   int64_t lda, const float *b, int64_t ldb, const float *bias, const ox_tail *tail, float *c, int64_t ldc);

#endif
