/* Conversion of floats from and to half precision and bfloat16, rounded to nearest even. A NaN becomes a quiet NaN with what fits of its
 * bits. */
#include "cpu/vec_isa.h"

OX_IN float one_from_half(uint16_t h) {
    uint32_t em = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16, bits;
    float f;
    memcpy(&f, &em, 4);
    f *= 0x1p112f; /* exact, and right for subnormal numbers too */
    memcpy(&bits, &f, 4);
    bits = em >= 0x0f800000u ? em | 0x7f800000u | (em > 0x0f800000u ? 0x400000u : 0) : bits;
    bits |= sign;
    memcpy(&f, &bits, 4);
    return f;
}

OX_IN uint16_t one_to_half(float v) {
    uint32_t x, sub;
    memcpy(&x, &v, 4);
    uint32_t sign = x >> 16 & 0x8000, a = x & 0x7fffffff;
    float small;
    memcpy(&small, &a, 4);
    small += 0.5f; /* the adder rounds to the last bit of a subnormal half */
    memcpy(&sub, &small, 4);
    uint32_t normal = (a + 0xc8000fffu + (a >> 13 & 1)) >> 13, nan = 0x7e00 | (a >> 13 & 0x3ff);
    uint32_t h = a > 0x7f800000u ? nan : a >= 0x477ff000u ? 0x7c00 : a < 0x38800000u ? sub - 0x3f000000u : normal;
    return (uint16_t)(h | sign);
}

void OX_ISA(ox_vec_from_half)(float *y, const uint16_t *x, int64_t n) {
    int64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16) vf_store(y + i, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(x + i))));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8) vf_store(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(x + i))));
#endif
    for (; i < n; i++) y[i] = one_from_half(x[i]);
}

void OX_ISA(ox_vec_to_half)(uint16_t *y, const float *x, int64_t n) {
    int64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16) _mm256_storeu_si256((void *)(y + i), _mm512_cvtps_ph(vf_load(x + i), 0x08));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8) _mm_storeu_si128((void *)(y + i), _mm256_cvtps_ph(vf_load(x + i), 0x08));
#endif
    for (; i < n; i++) y[i] = one_to_half(x[i]);
}

/* Loops of whole numbers, of which compilers make vectors. */
void OX_ISA(ox_vec_from_bfloat16)(float *y, const uint16_t *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(&y[i], &bits, 4);
    }
}

void OX_ISA(ox_vec_to_bfloat16)(uint16_t *y, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], 4);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        y[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000u ? bits >> 16 | 0x40 : rounded);
    }
}
