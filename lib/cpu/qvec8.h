/* Vectors of 8-bit numbers for files q*_isa.c: products of groups, rounding of scaled sums, bytes out of int32. */
#ifndef OX_QVEC8_H
#define OX_QVEC8_H

#include "cpu/isa.h"
#include "cpu/qint.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef uint32_t vu __attribute__((vector_size(OX_VLEN * 4)));
OX_IN vu vu_load(const void *p) { vu v; memcpy(&v, p, sizeof v); return v; }
OX_IN void vu_store(void *p, vu v) { memcpy(p, &v, sizeof v); }
OX_IN vu vu_set(uint32_t x) { return x + (vu){0}; }

#if defined(__AVX512VNNI__)
enum { OX_QBYTES = 1 };
#else
enum { OX_QBYTES = 2 };
#endif

/* sum + products of a group: unsigned bytes of a with signed ones of b, or pairs of 16-bit numbers. */
OX_IN vu vu_dot(vu sum, vu a, vu b) {
#if defined(__AVX512VNNI__)
    return (vu)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#elif defined(__AVX512F__)
    return sum + (vu)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return sum + (vu)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return sum + (vu)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    int16_t x[OX_VLEN * 2], y[OX_VLEN * 2];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (int i = 0; i < OX_VLEN; i++) sum[i] += (uint32_t)(x[2 * i] * y[2 * i]) + (uint32_t)(x[2 * i + 1] * y[2 * i + 1]);
    return sum;
#endif
}

/* One store of the low bytes of int32. */
OX_IN void vu_store_bytes(void *p, vu v) {
#if defined(__AVX512F__)
    _mm_storeu_si128(p, _mm512_cvtepi32_epi8((__m512i)v));
#elif defined(__AVX2__)
    __m256i x = (__m256i)(v & 255);
    x = _mm256_packus_epi16(_mm256_packs_epi32(x, x), x);
    uint32_t half[2] = {(uint32_t)_mm256_extract_epi32(x, 0), (uint32_t)_mm256_extract_epi32(x, 4)};
    memcpy(p, half, 8);
#elif defined(__SSE2__)
    __m128i x = (__m128i)(v & 255);
    x = _mm_packs_epi32(x, x);
    uint32_t four = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(x, x));
    memcpy(p, &four, 4);
#else
    for (int i = 0; i < OX_VLEN; i++) ((uint8_t *)p)[i] = (uint8_t)v[i];
#endif
}

/* The low bytes of four vectors of int32, one behind the other. */
OX_IN void vu_store_4bytes(uint8_t *p, const vu *v) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    __m256i x = _mm256_packs_epi32((__m256i)(v[0] & 255), (__m256i)(v[1] & 255)),
            y = _mm256_packs_epi32((__m256i)(v[2] & 255), (__m256i)(v[3] & 255));
    x = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(x, y), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((void *)p, x);
#elif defined(__SSE2__) && !defined(__AVX2__)
    __m128i x = _mm_packs_epi32((__m128i)(v[0] & 255), (__m128i)(v[1] & 255)),
            y = _mm_packs_epi32((__m128i)(v[2] & 255), (__m128i)(v[3] & 255));
    _mm_storeu_si128((void *)p, _mm_packus_epi16(x, y));
#else
    for (int i = 0; i < 4; i++) vu_store_bytes(p + i * OX_VLEN, v[i]);
#endif
}

/* The same of numbers of up to 24 bits, each brought to the nearest number of the type of bytes. */
OX_IN void vu_store_4saturated(uint8_t *p, const vu *v, bool is_signed) {
#if defined(__AVX512F__)
    __m512i x = _mm512_packs_epi32((__m512i)v[0], (__m512i)v[1]), y = _mm512_packs_epi32((__m512i)v[2], (__m512i)v[3]);
    x = is_signed ? _mm512_packs_epi16(x, y) : _mm512_packus_epi16(x, y);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, x));
#elif defined(__AVX2__)
    __m256i x = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]), y = _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]);
    x = is_signed ? _mm256_packs_epi16(x, y) : _mm256_packus_epi16(x, y);
    _mm256_storeu_si256((void *)p, _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
#elif defined(__SSE2__)
    __m128i x = _mm_packs_epi32((__m128i)v[0], (__m128i)v[1]), y = _mm_packs_epi32((__m128i)v[2], (__m128i)v[3]);
    _mm_storeu_si128((void *)p, is_signed ? _mm_packs_epi16(x, y) : _mm_packus_epi16(x, y));
#else
    int32_t lo = is_signed ? -128 : 0, hi = is_signed ? 127 : 255, x[4 * OX_VLEN];
    memcpy(x, v, sizeof x);
    for (int i = 0; i < 4 * OX_VLEN; i++) p[i] = (uint8_t)(x[i] < lo ? lo : x[i] > hi ? hi : x[i]);
#endif
}

/* OX_VLEN bytes as int32. */
OX_IN vi vi_of_bytes(const uint8_t *p, bool is_signed) {
#if defined(__AVX512F__)
    __m128i b = _mm_loadu_si128((const void *)p);
    return (vi)(is_signed ? _mm512_cvtepi8_epi32(b) : _mm512_cvtepu8_epi32(b));
#elif defined(__AVX2__)
    __m128i b = _mm_loadl_epi64((const void *)p);
    return (vi)(is_signed ? _mm256_cvtepi8_epi32(b) : _mm256_cvtepu8_epi32(b));
#else
    vi v;
    for (int i = 0; i < OX_VLEN; i++) v[i] = is_signed ? (int8_t)p[i] : p[i];
    return v;
#endif
}

/* max(x, y) and min as the definition has them: y where x is no number */
OX_IN vf vf_at_least(vf x, vf y) {
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)x, (__m512)y);
#else
    return vf_select(x > y, x, y);
#endif
}
OX_IN vf vf_at_most(vf x, vf y) {
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)x, (__m512)y);
#else
    return vf_select(x < y, x, y);
#endif
}

/* min(max(round(x) + zero, lo), hi), given lo - zero and hi - zero, which are whole: clamped first, a number is small, and adding
 * 1.5 * 2^23 rounds it to even and leaves it in the low bits. */
OX_IN vu vu_quantized(vf x, vf lo, vf hi, vu zero_less_magic) {
    x = vf_at_most(vf_at_least(x, lo), hi);
    return (vu)(x + 12582912.0f) + zero_less_magic;
}
OX_IN vu vu_zero_less_magic(int32_t zero) { return vu_set((uint32_t)zero - 0x4B400000u); }

#if defined(__AVX512F__)
/* Four vectors of sums to bytes at once: what does not fit saturates while it is narrowed, so only what would not fit 32 bits is brought down
 * before. Signed bytes are made as unsigned ones, 128 more, and turned at the end. */
typedef struct narrow { __m512i zero, lo, hi, turn; } narrow;
OX_IN narrow narrow_of(int32_t zero, int32_t lo, int32_t hi, bool is_signed) {
    int more = is_signed ? 128 : 0;
    return (narrow){_mm512_set1_epi16((short)(zero + more)), _mm512_set1_epi8((char)(lo + more)), _mm512_set1_epi8((char)(hi + more)),
                    _mm512_set1_epi8((char)more)};
}
/* No number becomes the least one, as the definition says. */
OX_IN __m512i narrow_scaled(vu sum, vf scale) {
    __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps((__m512i)sum), (__m512)scale);
    return _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(32767), x));
}
/* Bytes of each part of 128 bits together: parts of y[0], y[1], y[2], y[3] in turn. */
OX_IN __m512i narrow_4(const vu *y, const vf *scale, const narrow *n) {
    __m512i a = _mm512_packs_epi32(narrow_scaled(y[0], scale[0]), narrow_scaled(y[1], scale[1])),
            b = _mm512_packs_epi32(narrow_scaled(y[2], scale[2]), narrow_scaled(y[3], scale[3]));
    a = _mm512_packus_epi16(_mm512_adds_epi16(a, n->zero), _mm512_adds_epi16(b, n->zero));
    return _mm512_xor_si512(_mm512_min_epu8(_mm512_max_epu8(a, n->lo), n->hi), n->turn);
}
#endif

#endif
