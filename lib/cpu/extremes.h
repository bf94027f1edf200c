/* For files *_isa.c: minimum and maximum as the processor has them, one instruction where compilers make several of isa.h's comparisons. Where
 * an operand is NaN both give the second one, so a bound comes first and a NaN among the values passes through. */
#ifndef OX_EXTREMES_H
#define OX_EXTREMES_H

#include "cpu/isa.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
OX_IN vf vf_larger(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
OX_IN vf vf_smaller(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
#elif defined(__AVX2__)
OX_IN vf vf_larger(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
OX_IN vf vf_smaller(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
#elif defined(__SSE2__)
OX_IN vf vf_larger(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
OX_IN vf vf_smaller(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
#else
OX_IN vf vf_larger(vf a, vf b) { return vf_max(a, b); }
OX_IN vf vf_smaller(vf a, vf b) { return vf_min(a, b); }
#endif
/* Where one operand is NaN, that one. */
#if defined(__AVX512F__)
OX_IN vf vf_larger_or_nan(vf a, vf b) {
    return (vf)_mm512_mask_mov_ps(_mm512_max_ps((__m512)a, (__m512)b), _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q), (__m512)a);
}
#elif defined(__AVX2__)
OX_IN vf vf_larger_or_nan(vf a, vf b) {
    return (vf)_mm256_blendv_ps(_mm256_max_ps((__m256)a, (__m256)b), (__m256)a, _mm256_cmp_ps((__m256)a, (__m256)a, _CMP_UNORD_Q));
}
#else
OX_IN vf vf_larger_or_nan(vf a, vf b) { return vf_select(a != a, a, vf_larger(a, b)); }
#endif
OX_IN vf vf_clamped(vf v, float lo, float hi) { return vf_smaller(vf_set(hi), vf_larger(vf_set(lo), v)); }

#endif
