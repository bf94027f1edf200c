/* Between gemm.c, which cuts products into tiles, and gemm_isa.c, which computes them: what a product is, and the table of an
 * instruction set. */
#ifndef OX_GEMM_JOB_H
#define OX_GEMM_JOB_H

#include "cpu/cpu.h"

enum {
    OX_GEMM_ROWS = 196,       /* most rows of a tile, 14 times the highest micro-kernel: what is packed of A stays in the second cache */
    OX_GEMM_DEPTH = 384,      /* steps of k between two passes over a tile of C */
    OX_GEMM_DEPTH_FEW = 4096, /* the same for few rows of packed weights */
    OX_GEMM_PACK_A = 128,     /* columns of a tile from which on A is packed when it lies badly */
    OX_GEMM_PACK_B = 126      /* rows of a tile up to which B is read in place */
};

/* c[m,n] = alpha * op(a) * op(b) + bias, or + c itself where ACCUMULATE; then TAIL. One product of a batch. */
typedef struct ox_gemm_job {
    int64_t m, n, k;
    const float *a, *b;
    int64_t lda, ldb, ldc;
    bool trans_a, trans_b, accumulate;
    float alpha;
    const float *packed; /* instead of b */
    const float *bias;
    const ox_tail *tail;
    int64_t add_at, offset; /* where this product's part of tail->add begins, and of the whole result */
    float *c;
} ox_gemm_job;

typedef struct ox_gemm_set {
    int64_t mr, nr; /* rows and columns of the largest micro-kernel */
    /* Computes columns [j0, j0 + cols) of rows [i0, i0 + rows); at most OX_GEMM_ROWS of them, j0 a multiple of nr. */
    void (*tile)(const ox_gemm_job *job, int64_t i0, int64_t rows, int64_t j0, int64_t cols);
    /* The same for B stored transposed and few rows: every element is a product of two rows as they are stored. */
    void (*dots)(const ox_gemm_job *job, int64_t i0, int64_t rows, int64_t j0, int64_t cols);
    /* Columns [0, cols) of DEPTH steps of B: nr columns a step, missing ones 0. */
    void (*pack)(bool trans_b, const float *b, int64_t ldb, int64_t cols, int64_t depth, float *out);
} ox_gemm_set;

extern const ox_gemm_set ox_gemm_set_plain;
#if defined(__x86_64__)
extern const ox_gemm_set ox_gemm_set_avx2, ox_gemm_set_avx512;
#endif

#endif
