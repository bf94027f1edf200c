/* Arrays of 8-bit numbers: choice of the instruction set; tables of 256 entries. */
#include "cpu/qvec.h"
#include "cpu/qint.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

extern const ox_qvec_kernels ox_qvec_kernels_plain, ox_qvec_kernels_avx2, ox_qvec_kernels_avx512, ox_qvec_kernels_vnni;

static const ox_qvec_kernels *kernels(void) {
#if defined(__x86_64__)
    switch (ox_qset_now()) {
    case OX_QSET_VNNI:
        return &ox_qvec_kernels_vnni;
    case OX_QSET_AVX512:
        return &ox_qvec_kernels_avx512;
    case OX_QSET_AVX2:
        return &ox_qvec_kernels_avx2;
    default:
        break;
    }
#endif
    return &ox_qvec_kernels_plain;
}

void ox_qv_quantize(const float *x, int64_t n, ox_qparam p, int32_t lo, int32_t hi, void *y) {
    kernels()->quantize(x, n, p, lo, hi, y);
}

void ox_qv_quantize_each(const float *x, int64_t n, const float *scale, const float *zero, int32_t lo, int32_t hi,
                         void *y) {
    kernels()->quantize_each(x, n, scale, zero, lo, hi, y);
}

void ox_qv_dequantize(const void *x, bool is_signed, int64_t n, ox_qparam p, float *y) {
    kernels()->dequantize(x, is_signed, n, p, y);
}

void ox_qv_dequantize_each(const void *x, bool is_signed, int64_t n, const float *scale, const float *zero, float *y) {
    kernels()->dequantize_each(x, is_signed, n, scale, zero, y);
}

void ox_qv_range(const float *x, int64_t n, float *lo, float *hi) { kernels()->range(x, n, lo, hi); }

void ox_qv_pair(char op, const void *a, const void *b, int64_t n, bool is_signed, ox_qparam pa, ox_qparam pb,
                ox_qparam py, void *y) {
    kernels()->pair(op, a, b, n, is_signed, pa, pb, py, y);
}

void ox_qv_add(const uint8_t *x, bool is_signed, int64_t n, int32_t *sums) { kernels()->add(x, is_signed, n, sums); }
void ox_qv_max(const uint8_t *x, bool is_signed, int64_t n, uint8_t *y) { kernels()->max(x, is_signed, n, y); }
void ox_qv_scale(const int32_t *sums, int64_t n, float less, float scale, float divide, float *y) {
    kernels()->scale(sums, n, less, scale, divide, y);
}

/* ------------------------------------------------------------------------------------------------ tables */

static void table_plain(const uint8_t *x, int64_t n, const uint8_t *table, uint8_t *y) {
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint8_t a = table[x[i]], b = table[x[i + 1]], c = table[x[i + 2]], d = table[x[i + 3]];
        y[i] = a;
        y[i + 1] = b;
        y[i + 2] = c;
        y[i + 3] = d;
    }
    for (; i < n; i++) y[i] = table[x[i]];
}

#if defined(__x86_64__)
/* A permutation looks up 7 bits in half a table; the eighth bit says which half. */
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) static void table_vbmi(const uint8_t *x, int64_t n,
                                                                              const uint8_t *table, uint8_t *y) {
    __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64), t2 = _mm512_loadu_si512(table + 128),
            t3 = _mm512_loadu_si512(table + 192);
    int64_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512i v = _mm512_loadu_si512(x + i), low = _mm512_permutex2var_epi8(t0, v, t1),
                high = _mm512_permutex2var_epi8(t2, v, t3);
        _mm512_storeu_si512(y + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(v), low, high));
    }
    table_plain(x + i, n - i, table, y + i);
}
#endif

void ox_qv_table(const uint8_t *x, int64_t n, const uint8_t table[256], uint8_t *y) {
#if defined(__x86_64__)
    if (ox_qset_now() >= OX_QSET_AVX512 && __builtin_cpu_supports("avx512vbmi")) {
        table_vbmi(x, n, table, y);
        return;
    }
#endif
    table_plain(x, n, table, y);
}
