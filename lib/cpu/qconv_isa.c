/* Depthwise convolution of 8-bit integers and transposition of bytes, per instruction set. Vectors of channels of the taps of a group are
 * interleaved, so that each channel has its group of taps in 32 bits; narrowing the sums afterwards undoes the order that this makes. */
#include "cpu/qvec8.h"

enum { SUMS = 4 / OX_QBYTES, BLOCK = OX_VLEN * SUMS };

/* ------------------------------------------------------------------------------------------------ depthwise */

#if defined(__AVX512F__)
#define LO8(a, b)  ((vu)_mm512_unpacklo_epi8((__m512i)(a), (__m512i)(b)))
#define HI8(a, b)  ((vu)_mm512_unpackhi_epi8((__m512i)(a), (__m512i)(b)))
#define LO16(a, b) ((vu)_mm512_unpacklo_epi16((__m512i)(a), (__m512i)(b)))
#define HI16(a, b) ((vu)_mm512_unpackhi_epi16((__m512i)(a), (__m512i)(b)))
#elif defined(__AVX2__)
#define LO16(a, b) ((vu)_mm256_unpacklo_epi16((__m256i)(a), (__m256i)(b)))
#define HI16(a, b) ((vu)_mm256_unpackhi_epi16((__m256i)(a), (__m256i)(b)))
#elif defined(__SSE2__)
#define LO16(a, b) ((vu)_mm_unpacklo_epi16((__m128i)(a), (__m128i)(b)))
#define HI16(a, b) ((vu)_mm_unpackhi_epi16((__m128i)(a), (__m128i)(b)))
#else
/* One part of 8 numbers of 16 bits: the first (last) four of each, by turns. */
OX_IN vu turns(vu a, vu b, int from) {
    uint16_t x[8], y[8], out[8];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (int i = 0; i < 4; i++) {
        out[2 * i] = x[from + i];
        out[2 * i + 1] = y[from + i];
    }
    return vu_load(out);
}
#define LO16(a, b) turns(a, b, 0)
#define HI16(a, b) turns(a, b, 4)
#endif

/* Groups of the taps of a block of channels: one vector for each sum. */
OX_IN void gather(const uint8_t *pixel, const int64_t *taps, uint32_t flip, vu *x) {
#if defined(__AVX512VNNI__)
    vu t0 = vu_load(pixel + taps[0]), t1 = vu_load(pixel + taps[1]), t2 = vu_load(pixel + taps[2]),
       t3 = vu_load(pixel + taps[3]);
    vu lo01 = LO8(t0, t1), hi01 = HI8(t0, t1), lo23 = LO8(t2, t3), hi23 = HI8(t2, t3), f = vu_set(flip);
    x[0] = LO16(lo01, lo23) ^ f;
    x[1] = HI16(lo01, lo23) ^ f;
    x[2] = LO16(hi01, hi23) ^ f;
    x[3] = HI16(hi01, hi23) ^ f;
#else
    (void)flip;
    vu t0 = vu_load(pixel + taps[0]), t1 = vu_load(pixel + taps[1]);
    x[0] = LO16(t0, t1);
    x[1] = HI16(t0, t1);
#endif
}

#if !defined(__AVX512VNNI__)
/* The low bytes of the sums of a block, by channels. */
OX_IN void store_block(uint8_t *out, const vu *y) {
#if defined(__AVX512F__)
    __m512i a = _mm512_packs_epi32((__m512i)(y[0] & 255), (__m512i)(y[1] & 255));
    _mm256_storeu_si256((void *)out, _mm512_cvtepi16_epi8(a));
#elif defined(__AVX2__)
    __m256i a = _mm256_packs_epi32((__m256i)(y[0] & 255), (__m256i)(y[1] & 255));
    a = _mm256_permute4x64_epi64(_mm256_packus_epi16(a, a), 0x08);
    _mm_storeu_si128((void *)out, _mm256_castsi256_si128(a));
#elif defined(__SSE2__)
    __m128i a = _mm_packs_epi32((__m128i)(y[0] & 255), (__m128i)(y[1] & 255));
    _mm_storel_epi64((void *)out, _mm_packus_epi16(a, a));
#else
    for (int i = 0; i < BLOCK; i++) out[i] = (uint8_t)y[i / 4][i % 4];
#endif
}
#endif

/* Sums in their order to int32 by channels. */
static void store_sums(const vu *y, int64_t n, int32_t *out) {
    int32_t all[BLOCK], to[BLOCK];
    memcpy(all, y, sizeof all);
    for (int i = 0; i < BLOCK; i++) to[16 / OX_QBYTES * (i % OX_VLEN / 4) + 4 * (i / OX_VLEN) + i % 4] = all[i];
    memcpy(out, to, (size_t)n * 4);
}

OX_IN void depth_in(const ox_qdepth *d, const uint8_t *const *pixels, int64_t count, int64_t n, void *out, int64_t ld,
                    int64_t groups) {
    vf scale[SUMS];
    vu init[SUMS];
#if defined(__AVX512VNNI__)
    narrow bytes = narrow_of(d->zero, d->lo, d->hi, d->type == OX_Q_S8);
#else
    vf lo = vf_set((float)(d->lo - d->zero)), hi = vf_set((float)(d->hi - d->zero));
    vu zero = vu_zero_less_magic(d->zero);
#endif
    for (int v = 0; v < SUMS; v++) {
        scale[v] = vf_load(d->scale + v * OX_VLEN);
        init[v] = vu_load(d->init + v * OX_VLEN);
    }
    for (int64_t i = 0; i < count; i++) {
        vu y[SUMS], x[SUMS];
        const uint8_t *w = d->weights;
        for (int v = 0; v < SUMS; v++) y[v] = init[v];
        for (int64_t g = 0; g < groups; g++, w += BLOCK * 4) {
            gather(pixels[i], d->taps + g * SUMS, d->flip, x);
            for (int v = 0; v < SUMS; v++) y[v] = vu_dot(y[v], x[v], vu_load(w + v * OX_VLEN * 4));
        }
        if (d->type == OX_Q_S32) {
            store_sums(y, n, (int32_t *)out + i * ld);
            continue;
        }
        uint8_t *to = (uint8_t *)out + i * ld, last[BLOCK];
#if defined(__AVX512VNNI__)
        _mm512_storeu_si512(n == BLOCK ? to : last, narrow_4(y, scale, &bytes));
#else
        for (int v = 0; v < SUMS; v++)
            y[v] = vu_quantized(__builtin_convertvector((vi)y[v], vf) * scale[v], lo, hi, zero);
        store_block(n == BLOCK ? to : last, y);
#endif
        if (n < BLOCK) memcpy(to, last, (size_t)n);
    }
}

#if defined(__AVX512VNNI__)
/* The taps of a column of a 3x3 window. */
OX_IN void gather_column(const uint8_t *pixel, const int64_t *taps, vu flip, vu *x) {
    vu t0 = vu_load(pixel + taps[0]), t1 = vu_load(pixel + taps[1]), t2 = vu_load(pixel + taps[2]);
    vu lo01 = LO8(t0, t1), hi01 = HI8(t0, t1), lo2 = LO8(t2, t2), hi2 = HI8(t2, t2);
    x[0] = LO16(lo01, lo2) ^ flip;
    x[1] = HI16(lo01, lo2) ^ flip;
    x[2] = LO16(hi01, hi2) ^ flip;
    x[3] = HI16(hi01, hi2) ^ flip;
}

/* 3x3: a pixel beside the one before has two of its columns already. */
static void depth_columns(const ox_qdepth *d, const uint8_t *const *pixels, int64_t count, int64_t n, uint8_t *out,
                          int64_t ld) {
    narrow bytes = narrow_of(d->zero, d->lo, d->hi, d->type == OX_Q_S8);
    vu x[3][4], flip = vu_set(d->flip);
    vf scale[4];
    const uint8_t *w = d->weights;
    for (int v = 0; v < 4; v++) scale[v] = vf_load(d->scale + v * OX_VLEN);
    for (int64_t i = 0; i < count; i++) {
        if (i && pixels[i] == pixels[i - 1] + d->step) {
            for (int v = 0; v < 4; v++) {
                x[0][v] = x[1][v];
                x[1][v] = x[2][v];
            }
        } else {
            gather_column(pixels[i], d->taps, flip, x[0]);
            gather_column(pixels[i], d->taps + 4, flip, x[1]);
        }
        gather_column(pixels[i], d->taps + 8, flip, x[2]);
        vu y[4];
        for (int v = 0; v < 4; v++) {
            y[v] = vu_load(d->init + v * OX_VLEN);
            for (int g = 0; g < 3; g++) y[v] = vu_dot(y[v], x[g][v], vu_load(w + (g * 4 + v) * OX_VLEN * 4));
        }
        uint8_t *to = out + i * ld, last[BLOCK];
        _mm512_storeu_si512(n == BLOCK ? to : last, narrow_4(y, scale, &bytes));
        if (n < BLOCK) memcpy(to, last, (size_t)n);
    }
}
#endif

static void depth(const ox_qdepth *d, const uint8_t *const *pixels, int64_t count, int64_t n, void *out, int64_t ld) {
#if defined(__AVX512VNNI__)
    if (d->step && d->type != OX_Q_S32) {
        depth_columns(d, pixels, count, n, out, ld);
        return;
    }
#endif
    if (d->groups == (9 + SUMS - 1) / SUMS)
        depth_in(d, pixels, count, n, out, ld, (9 + SUMS - 1) / SUMS); /* 3x3 */
    else
        depth_in(d, pixels, count, n, out, ld, d->groups);
}

/* ------------------------------------------------------------------------------------------------ transposition */

#if defined(__SSE2__)
static void transpose(const uint8_t *const *from, uint8_t *to, int64_t ld) {
    __m128i a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = _mm_loadu_si128((const void *)from[i]);
    /* four times rows i and i + 8 by turns: after it bytes of a column are together */
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + 8]);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < 16; i++) _mm_storeu_si128((void *)(to + i * ld), a[i]);
}
#else
static void transpose(const uint8_t *const *from, uint8_t *to, int64_t ld) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) to[j * ld + i] = from[i][j];
}
#endif

static void interleave(const uint8_t *const *from, int64_t n, uint8_t *to) {
    const uint8_t *a = from[0], *b = from[1], *c = from[2], *d = from[3];
    for (int64_t i = 0; i < n; i++) {
        uint32_t x = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
        memcpy(to + 4 * i, &x, 4);
    }
}

extern const ox_qconv_kernels OX_ISA(ox_qconv_kernels);
const ox_qconv_kernels OX_ISA(ox_qconv_kernels) = {depth, transpose, interleave};
