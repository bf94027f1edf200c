/* Loops over arrays: vector mathematics, matrix products, convolutions, copies between layouts. Nothing here knows tensors, graphs or
 * files: pointers, sizes and a number of threads come in, numbers go out.
 *
 * Files *_isa.c are compiled once per instruction set (isa.h); a table per file is chosen at run time by ox_cpu_isa(). Work is cut into pieces
 * by sizes alone, never by the number of threads, and each piece is computed in one order: results depend on the instruction set
 * only. Nothing here allocates: callers give scratch memory where it is needed. */
#ifndef OX_CPU_H
#define OX_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ox_isa { OX_ISA_PLAIN, OX_ISA_AVX2, OX_ISA_AVX512, OX_ISA_COUNT } ox_isa; /* AVX2 with FMA and F16C; AVX512 with BW, DQ, VL */
/* The best set that the processor has; OX_ISA=plain|avx2|avx512 in the environment lowers it (tests, comparisons). */
ox_isa ox_cpu_isa(void);
const char *ox_cpu_isa_name(void);
/* What the processor calls itself, cut to SIZE - 1 bytes; "unknown". */
void ox_cpu_model(char *name, size_t size);

/* What is done to a piece of a result of floats while it is in the cache, after the bias: in this order. All NULL or false: nothing. */
typedef struct ox_tail {
    const float *add;  /* elements in the layout of the whole result, added first */
    bool clamp;        /* then min(max(y, lo), hi) */
    float lo, hi;
    /* then: y[0..n) is the piece, OFFSET the index of y[0] in the whole result, CHANNEL the column (product) or channel (convolution) of y[0] */
    void (*rest)(const struct ox_tail *t, float *y, int64_t n, int64_t offset, int64_t channel);
    const void *user;
} ox_tail;

/* OX_SHARE=all in the environment: work is shared among threads however small it is. For tests: small cases then show races, and results that
 * depend on the number of threads. */
bool ox_cpu_shares_all(void);
/* Whether so much work is worth sharing; every threshold stands before this. */
static inline bool ox_cpu_worth(double work, double least) { return work >= least || ox_cpu_shares_all(); }
/* Elements of a piece that one thread takes at a time. */
static inline int64_t ox_cpu_piece(int64_t usual) { return usual > 64 && ox_cpu_shares_all() ? 64 : usual; }
/* Subnormal weights become 0 when they are packed: many processors multiply by them a hundred times slower, and what they add to a sum is nothing. */
void ox_flush_subnormal(float *x, uint64_t n);

/* Threads for STEPS of a few cycles each: one when starting others would cost more than it gains. */
static inline int ox_cpu_threads(int threads, int64_t steps) { return steps >= 1 << 15 || ox_cpu_shares_all() ? threads : 1; }

#endif
