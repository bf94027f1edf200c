/* Weights of 4 bits: the loop for the processor at hand, and vectors in the form that it reads. */
#include "cpu/nbits.h"

typedef float dot_fn(const ox_nbits_vector *v, const uint8_t *row, const float *scales, const float *zeros);
dot_fn ox_nbits_dot_plain;
#if defined(__x86_64__)
dot_fn ox_nbits_dot_avx2, ox_nbits_dot_avx512;
static dot_fn *const dots[OX_ISA_COUNT] = {ox_nbits_dot_plain, ox_nbits_dot_avx2, ox_nbits_dot_avx512};
#else
static dot_fn *const dots[OX_ISA_COUNT] = {ox_nbits_dot_plain, ox_nbits_dot_plain, ox_nbits_dot_plain};
#endif

void ox_nbits_spread(const ox_nbits_vector *v, const float *x, int64_t k) {
    for (int64_t i = 0; i < v->blocks; i++) {
        double sum = 0;
        for (int64_t j = 0; j < v->half; j++) {
            int64_t at = i * v->half + j;
            v->even[at] = 2 * at < k ? x[2 * at] : 0;
            v->odd[at] = 2 * at + 1 < k ? x[2 * at + 1] : 0;
            sum += (double)v->even[at] + (double)v->odd[at];
        }
        v->sums[i] = (float)sum;
    }
}

float ox_nbits_dot(const ox_nbits_vector *v, const uint8_t *row, const float *scales, const float *zeros) {
    return dots[ox_cpu_isa()](v, row, scales, zeros);
}
