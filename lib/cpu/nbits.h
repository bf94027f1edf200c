/* Products with weights of 4 bits, two in a byte, in blocks with a scale and a zero point each. */
#ifndef OX_NBITS_H
#define OX_NBITS_H

#include "cpu/cpu.h"

/* The vector as it is read: elements of even and odd places apart, blocks padded with zeros, and the sum of each block. */
typedef struct ox_nbits_vector {
    int64_t blocks, half; /* half: bytes of a block */
    float *even, *odd;    /* blocks * half */
    float *sums;          /* blocks */
} ox_nbits_vector;

/* Takes K elements apart; the arrays have room. */
void ox_nbits_spread(const ox_nbits_vector *v, const float *x, int64_t k);
/* One row of weights times the vector: the sum over blocks of scale * (codes - zero) * x. */
float ox_nbits_dot(const ox_nbits_vector *v, const uint8_t *row, const float *scales, const float *zeros);

#endif
