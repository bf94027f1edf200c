/* Vectors beyond isa.h for files *_isa.c: comparisons and choice, rounding, roots, parts of vectors, vectors of double; by intrinsics
 * where the compiler would not find the instruction. vm is what a comparison gives. Also the functions that other files of the same set
 * put into the table of vec.h. */
#ifndef OX_VEC_ISA_H
#define OX_VEC_ISA_H

#include "cpu/isa.h"
#include "cpu/vec.h"

#include <math.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

typedef uint32_t vu __attribute__((vector_size(OX_VLEN * 4)));
/* Half as many doubles, for what needs more digits. */
enum { OX_VLEN_D = OX_VLEN / 2 };
typedef double vd __attribute__((vector_size(OX_VLEN * 4)));
typedef int64_t vl __attribute__((vector_size(OX_VLEN * 4)));
typedef uint64_t vul __attribute__((vector_size(OX_VLEN * 4)));
OX_IN vd vd_set(double x) { return x - (vd){0}; }
OX_IN vd vd_select(vl mask, vd a, vd b) { return (vd)((mask & (vl)a) | (~mask & (vl)b)); }

/* Elements I of the first half and of the second half as doubles, and back. */
OX_IN void vd_from_floats(vf x, vd *lo, vd *hi) {
#if defined(__AVX512F__)
    *lo = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
    *hi = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
#elif defined(__AVX2__)
    *lo = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    *hi = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
#elif defined(__SSE2__)
    *lo = _mm_cvtps_pd(x);
    *hi = _mm_cvtps_pd(_mm_movehl_ps(x, x));
#else
    for (int i = 0; i < OX_VLEN_D; i++) {
        (*lo)[i] = (double)x[i];
        (*hi)[i] = (double)x[i + OX_VLEN_D];
    }
#endif
}

OX_IN vf vd_to_floats(vd lo, vd hi) {
#if defined(__AVX512F__)
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lo)), _mm512_cvtpd_ps(hi), 1);
#elif defined(__AVX2__)
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(lo)), _mm256_cvtpd_ps(hi), 1);
#elif defined(__SSE2__)
    return _mm_movelh_ps(_mm_cvtpd_ps(lo), _mm_cvtpd_ps(hi));
#else
    vf y;
    for (int i = 0; i < OX_VLEN_D; i++) {
        y[i] = (float)lo[i];
        y[i + OX_VLEN_D] = (float)hi[i];
    }
    return y;
#endif
}

/* ---- comparisons: false where one is NaN, but v_nan */
#if defined(__AVX512F__)
typedef __mmask16 vm;
OX_IN vm v_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
OX_IN vm v_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
OX_IN vm v_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
OX_IN vm v_nan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
OX_IN vm v_negative(vf a) { return _mm512_movepi32_mask((__m512i)a); } /* the sign is set: -0 and some NaN too */
OX_IN vm vm_and(vm a, vm b) { return a & b; }
OX_IN vm vm_or(vm a, vm b) { return a | b; }
OX_IN vm vm_not(vm a) { return (vm)~a; }
OX_IN vf v_select(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
OX_IN bool vm_any(vm m) { return m != 0; }
#else
typedef vi vm;
OX_IN vm v_lt(vf a, vf b) { return (vm)(a < b); }
OX_IN vm v_le(vf a, vf b) { return (vm)(a <= b); }
OX_IN vm v_eq(vf a, vf b) { return (vm)(a == b); }
OX_IN vm v_nan(vf a) { return (vm)(a != a); }
OX_IN vm v_negative(vf a) { return (vi)a >> 31; }
OX_IN vm vm_and(vm a, vm b) { return a & b; }
OX_IN vm vm_or(vm a, vm b) { return a | b; }
OX_IN vm vm_not(vm a) { return ~a; }
#if defined(__AVX2__)
OX_IN vf v_select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, (__m256)m); }
OX_IN bool vm_any(vm m) { return _mm256_movemask_ps((__m256)m) != 0; }
#else
OX_IN vf v_select(vm m, vf a, vf b) { return vf_select(m, a, b); }
OX_IN bool vm_any(vm m) {
    int32_t any = 0;
    for (int i = 0; i < OX_VLEN; i++) any |= m[i];
    return any != 0;
}
#endif
#endif

/* a > b ? a : b and a < b ? a : b: b where one is NaN. */
OX_IN vf v_max(vf a, vf b) {
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#elif defined(__SSE2__)
    return _mm_max_ps(a, b);
#else
    return vf_max(a, b);
#endif
}

OX_IN vf v_min(vf a, vf b) {
#if defined(__AVX512F__)
    return _mm512_min_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_min_ps(a, b);
#elif defined(__SSE2__)
    return _mm_min_ps(a, b);
#else
    return vf_min(a, b);
#endif
}

OX_IN vf v_abs(vf x) { return (vf)((vi)x & 0x7fffffff); }
OX_IN vf v_sign_bit(vf x) { return (vf)((vu)x & 0x80000000u); }
OX_IN vf v_or(vf a, vf b) { return (vf)((vi)a | (vi)b); }
OX_IN vf v_neg(vf x) { return (vf)((vu)x ^ 0x80000000u); }

OX_IN vf v_sqrt(vf x) {
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(x);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(x);
#elif defined(__SSE2__)
    return _mm_sqrt_ps(x);
#else
    vf y;
    for (int i = 0; i < OX_VLEN; i++) y[i] = sqrtf(x[i]);
    return y;
#endif
}

/* To whole numbers; signs stay, also of 0. */
OX_IN vf v_round(vf x) {
#if defined(__AVX512F__)
    return _mm512_roundscale_ps(x, 0x08);
#elif defined(__AVX2__)
    return _mm256_round_ps(x, 0x08);
#else
    vf a = v_abs(x), r = a + 0x1p23f - 0x1p23f; /* the adder rounds */
    return v_or(v_select(v_lt(a, vf_set(0x1p23f)), r, a), v_sign_bit(x));
#endif
}

OX_IN vf v_floor(vf x) {
#if defined(__AVX512F__)
    return _mm512_roundscale_ps(x, 0x09);
#elif defined(__AVX2__)
    return _mm256_round_ps(x, 0x09);
#else
    vf r = v_round(x);
    return v_or(r - v_select(v_lt(x, r), vf_set(1), vf_set(0)), v_sign_bit(x));
#endif
}

OX_IN vf v_ceil(vf x) {
#if defined(__AVX512F__)
    return _mm512_roundscale_ps(x, 0x0a);
#elif defined(__AVX2__)
    return _mm256_round_ps(x, 0x0a);
#else
    vf r = v_round(x);
    return v_or(r + v_select(v_lt(r, x), vf_set(1), vf_set(0)), v_sign_bit(x));
#endif
}

/* ---- parts: n from 1 to OX_VLEN - 1 elements; what is not loaded is 0 */
#if defined(__AVX2__) && !defined(__AVX512F__)
OX_IN __m256i v_part(int64_t n) {
    static const int32_t on[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(const void *)(on + 8 - n));
}
#endif

OX_IN vf v_load_n(const float *p, int64_t n) {
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(__AVX2__)
    return _mm256_maskload_ps(p, v_part(n));
#else
    vf v = {0};
    for (int64_t i = 0; i < n; i++) v[i] = p[i];
    return v;
#endif
}

OX_IN void v_store_n(float *p, vf v, int64_t n) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
#elif defined(__AVX2__)
    _mm256_maskstore_ps(p, v_part(n), v);
#else
    for (int64_t i = 0; i < n; i++) p[i] = v[i];
#endif
}

/* The first n elements of a, the others of b. */
OX_IN vf v_first_n(vf a, vf b, int64_t n) {
#if defined(__AVX512F__)
    return _mm512_mask_blend_ps((__mmask16)((1u << n) - 1), b, a);
#elif defined(__AVX2__)
    return _mm256_blendv_ps(b, a, (__m256)v_part(n));
#else
    for (int64_t i = n; i < OX_VLEN; i++) a[i] = b[i];
    return a;
#endif
}

/* Any n: whole vectors by the common instruction. */
OX_IN vf v_load_any(const float *p, int64_t n) { return n >= OX_VLEN ? vf_load(p) : v_load_n(p, n); }
OX_IN void v_store_any(float *p, vf v, int64_t n) {
    if (n >= OX_VLEN)
        vf_store(p, v);
    else
        v_store_n(p, v, n);
}

/* Sum and maximum of the elements. */
OX_IN double v_sum_double(vf v) {
    vd lo, hi;
    double s = 0;
    vd_from_floats(v, &lo, &hi);
    lo += hi;
#if defined(__AVX512F__)
    s = _mm512_reduce_add_pd(lo);
#else
    for (int i = 0; i < OX_VLEN_D; i++) s += lo[i];
#endif
    return s;
}

OX_IN float v_max_of(vf v) {
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps(v);
#else
    float m = v[0];
    for (int i = 1; i < OX_VLEN; i++) m = v[i] > m ? v[i] : m;
    return m;
#endif
}

/* ---- functions of other files that the table names */
void OX_ISA(ox_vec_softmax)(float *y, const float *x, int64_t n);
void OX_ISA(ox_vec_log_softmax)(float *y, const float *x, int64_t n);
void OX_ISA(ox_vec_softmax_columns)(float *y, const float *x, int64_t rows, int64_t stride, int64_t n, bool logarithm);
void OX_ISA(ox_vec_layer_norm)(float *y, const float *x, int64_t n, double epsilon, const float *scale, const float *bias, double *stats);
void OX_ISA(ox_vec_rms_norm)(float *y, const float *x, int64_t n, double epsilon, const float *scale, double *stats);
void OX_ISA(ox_vec_moments)(const float *x, int64_t n, double *mean, double *variance);
double OX_ISA(ox_vec_fold)(ox_fold op, const float *x, int64_t n);
double OX_ISA(ox_vec_squares)(const float *x, int64_t n, float center);
void OX_ISA(ox_vec_fold_columns)(ox_fold op, double *acc, const float *x, int64_t rows, int64_t stride, int64_t n);
void OX_ISA(ox_vec_from_half)(float *y, const uint16_t *x, int64_t n);
void OX_ISA(ox_vec_to_half)(uint16_t *y, const float *x, int64_t n);
void OX_ISA(ox_vec_from_bfloat16)(float *y, const uint16_t *x, int64_t n);
void OX_ISA(ox_vec_to_bfloat16)(uint16_t *y, const float *x, int64_t n);
void OX_ISA(ox_vec_transpose)(int bytes, int64_t rows, int64_t cols, char *dst, int64_t ds, const char *src, int64_t ss);

#endif
