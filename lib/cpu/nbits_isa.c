/* Rows of weights of 4 bits times a vector, compiled once per instruction set. Zero points are not taken off the codes: the sum of the vector's
 * block, times the zero point, is taken off the sum of the products (so an infinity in the vector gives NaN). */
#include "cpu/isa.h"
#include "cpu/nbits.h"

typedef uint8_t vb __attribute__((vector_size(OX_VLEN)));
/* By way of integers, for which there is an instruction. */
OX_IN vf floats_of(vb b) { return __builtin_convertvector(__builtin_convertvector(b, vi), vf); }

float OX_ISA(ox_nbits_dot)(const ox_nbits_vector *v, const uint8_t *row, const float *scales, const float *zeros);

float OX_ISA(ox_nbits_dot)(const ox_nbits_vector *v, const uint8_t *row, const float *scales, const float *zeros) {
    vf total = {0};
    float rest = 0, sum = 0;
    for (int64_t i = 0; i < v->blocks; i++) {
        const float *even = v->even + i * v->half, *odd = v->odd + i * v->half;
        const uint8_t *codes = row + i * v->half;
        vf part = {0};
        float few = 0;
        int64_t k = 0;
        for (; k + OX_VLEN <= v->half; k += OX_VLEN) {
            vb b;
            memcpy(&b, codes + k, sizeof b);
            part += floats_of(b & 15) * vf_load(even + k) + floats_of(b >> 4) * vf_load(odd + k);
        }
        for (; k < v->half; k++) few += (float)(codes[k] & 15) * even[k] + (float)(codes[k] >> 4) * odd[k];
        total += part * vf_set(scales[i]);
        rest += scales[i] * (few - zeros[i] * v->sums[i]);
    }
    for (int i = 0; i < OX_VLEN; i++) sum += total[i];
    return sum + rest;
}
