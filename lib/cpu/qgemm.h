/* Matrix products of 8-bit integers with sums of 32 bits that wrap: C = (A - a_zero) (B - b_zero), exact for all mixes of signed and
 * unsigned, on every instruction set. B is packed once (its zero point is not needed for that) and used often.
 *
 * A is m x k, B k x n, the result m x n, all by rows. Besides the sums, a result can be 8-bit numbers as QLinearMatMul rounds them, or
 * floats. Results do not depend on the instruction set. */
#ifndef OX_QGEMM_H
#define OX_QGEMM_H

#include "cpu/cpu.h"

typedef enum ox_qtype { OX_Q_S32, OX_Q_U8, OX_Q_S8, OX_Q_FLOAT } ox_qtype;

/* What becomes of the sums of a product or a convolution; n: columns, or output channels of all groups.
 * S32:   y = sum + bias
 * U8/S8: y = min(max(round_to_even((float)(sum + bias) * scale) + zero, lo), hi); lo and hi within the type, zero too
 * FLOAT: y = (float)(sum + bias) * scale + add */
typedef struct ox_qtail {
    ox_qtype type;
    const int32_t *bias; /* n or NULL */
    const float *scale;  /* one, or one per column; not for S32 */
    bool scale_per_column;
    const float *add;    /* n or NULL */
    int32_t zero, lo, hi;
} ox_qtail;

/* Zero points: one, or one per row of A / column of B. NULL: 0. */
typedef struct ox_qzero {
    const int32_t *value;
    bool per; /* row, column */
} ox_qzero;

typedef struct ox_qmatrix {
    const void *data;
    bool is_signed;
    int64_t ld; /* elements from row to row */
    ox_qzero zero;
} ox_qmatrix;

/* Bytes of a packed B; 0 when the sizes overflow. What is packed serves this processor only. Memory is 64-aligned. */
uint64_t ox_qgemm_packed_size(int64_t n, int64_t k);
/* B as k rows of n, ld elements apart; trans: as n rows of k. */
void ox_qgemm_pack(int threads, int64_t n, int64_t k, const void *b, bool b_signed, int64_t ldb, bool trans, void *packed);

/* Bytes of scratch memory (64-aligned) for ox_qgemm(); 0 when the sizes overflow. */
uint64_t ox_qgemm_scratch(int64_t m, int64_t n, int64_t k);
/* OUT: rows of ldc elements of the tail's type. k and n are those of PACKED. */
void ox_qgemm(int threads, int64_t m, const ox_qmatrix *a, const void *packed, ox_qzero b_zero, const ox_qtail *tail,
              void *out, int64_t ldc, void *scratch);

#endif
