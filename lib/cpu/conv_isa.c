/* The inner loops of convolutions in blocks: a tile of a few pixels times a few output blocks stays in registers while input channels and taps
 * pass by. A step is some loads of weights, a broadcast per pixel and the products of them all. */
#include "cpu/conv_tile.h"
#include "cpu/extremes.h"

enum { BLOCK = OX_VLEN == 16 ? 16 : 8, PER = BLOCK / OX_VLEN /* vectors of a block */ };

static const float zeros[OX_CONV_TAPS];

/* The compiler forgets that P was read: it would broadcast once and keep the vector, where a product can broadcast what it reads. */
#define READ_AGAIN(p) __asm__("" : "+r"(p))

/* Where the pixels of tap K lie in the input block at X. */
OX_IN void point(const ox_conv_tile *t, const float *x, int64_t k, const float **xp, int np) {
    const int64_t *at = t->at[k];
    if (t->inside) {
#pragma GCC unroll 16
        for (int p = 0; p < np; p++) xp[p] = x + at[p];
    } else {
#pragma GCC unroll 16
        for (int p = 0; p < np; p++) {
            int64_t outside = at[p] >> 63; /* all bits, or none */
            xp[p] = (const float *)(((uintptr_t)(x + (at[p] & ~outside)) & (uintptr_t)~outside) | ((uintptr_t)zeros & (uintptr_t)outside));
        }
    }
    if (k < t->fetch) return;
#pragma GCC unroll 16
    for (int p = 0; p < np; p++) __builtin_prefetch(xp[p] + t->ahead);
}

OX_IN void finish(vf acc[][OX_CONV_ROW], const ox_conv_tile *t, float *y, const float *add, int nv, int np) {
    if (t->last && add) {
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) {
            const float *a = add + v / PER * t->y_block + v % PER * OX_VLEN;
#pragma GCC unroll 16
            for (int p = 0; p < np; p++) acc[v][p] += vf_load(a + p * BLOCK);
        }
    }
    if (t->last && t->clamp) {
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) {
#pragma GCC unroll 16
            for (int p = 0; p < np; p++) acc[v][p] = vf_clamped(acc[v][p], t->lo, t->hi);
        }
    }
#pragma GCC unroll 16
    for (int v = 0; v < nv; v++) {
        float *to = y + v / PER * t->y_block + v % PER * OX_VLEN;
#pragma GCC unroll 16
        for (int p = 0; p < np; p++) vf_store(to + p * BLOCK, acc[v][p]);
    }
}

OX_IN vf load(const float *p) { return vf_load(p); }
OX_IN vf set(float x) { return vf_set(x); }
#define SUMS(fn) fn
#define SV vf
#define SV_LEN OX_VLEN
#include "cpu/conv_sums.h"
#undef SUMS
#undef SV
#undef SV_LEN

#if defined(__AVX512F__) /* at most 8 output channels: half vectors, of which some processors add twice as many */
typedef float hf __attribute__((vector_size(32)));
OX_IN hf half_load(const float *p) { hf v; memcpy(&v, p, sizeof v); return v; }
OX_IN hf half_set(float x) { return x - (hf){0}; }
OX_IN void half_finish(hf acc[][OX_CONV_ROW], const ox_conv_tile *t, float *y, const float *add, int nv, int np) {
    vf whole[OX_CONV_GROUP][OX_CONV_ROW];
#pragma GCC unroll 16
    for (int p = 0; p < np; p++) whole[0][p] = __builtin_shufflevector(acc[0][p], (hf){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    finish(whole, t, y, add, nv, np);
}
#define SUMS(fn) half_##fn
#define SV hf
#define SV_LEN 8
#include "cpu/conv_sums.h"
#endif

/* Few output channels: lanes are input channels, added up at the end; else most lanes of the sums would be for channels that are not there. */
OX_IN float total(vf v) {
    typedef float quarter __attribute__((vector_size(16)));
#if defined(__AVX512F__)
    typedef float half __attribute__((vector_size(32)));
    half h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    quarter q = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#elif defined(__AVX2__)
    quarter q = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
    quarter q = v;
#endif
    return (q[0] + q[2]) + (q[1] + q[3]);
}

OX_IN void few(const ox_conv_tile *t, const float *x, float *y, const float *add, int channels, int np) {
    vf acc[OX_CONV_FEW][OX_CONV_PIXELS];
#pragma GCC unroll 16
    for (int o = 0; o < channels; o++)
#pragma GCC unroll 16
        for (int p = 0; p < np; p++) acc[o][p] = vf_set(0);
    const float *block = t->w;
    for (int64_t i = 0; i < t->blocks; i++, x += t->x_block, block += t->all_taps * t->w_lane)
        for (int64_t k = 0; k < t->taps; k++) {
            const float *xp[OX_CONV_PIXELS], *w = block + t->tap[k] * t->w_lane;
            point(t, x, k, xp, np);
#pragma GCC unroll 2
            for (int v = 0; v < BLOCK; v += OX_VLEN) {
#pragma GCC unroll 16
                for (int p = 0; p < np; p++) {
                    vf xv = vf_load(xp[p] + v);
#pragma GCC unroll 16
                    for (int o = 0; o < channels; o++) acc[o][p] += xv * vf_load(w + o * BLOCK + v);
                }
            }
        }
#pragma GCC unroll 16
    for (int p = 0; p < np; p++) {
        float out[BLOCK] = {0};
#pragma GCC unroll 16
        for (int o = 0; o < channels; o++) out[o] = total(acc[o][p]) + t->bias[o];
        for (int v = 0; v < BLOCK; v += OX_VLEN) {
            vf s = vf_load(out + v);
            if (add) s += vf_load(add + p * BLOCK + v);
            if (t->clamp) s = vf_clamped(s, t->lo, t->hi);
            vf_store(y + p * BLOCK + v, s);
        }
    }
}

#define FEW(n, np)                                                                                                     \
    static void few_##n##_##np(const ox_conv_tile *t, const float *x, float *y, const float *add) { few(t, x, y, add, n, np); }
#define FEW_THREE(n) FEW(n, 1) FEW(n, 2) FEW(n, 3)
#define FEW_THREE_NAMES(n) NULL, few_##n##_1, few_##n##_2, few_##n##_3
#define FEW_SIX(n) FEW_THREE(n) FEW(n, 4) FEW(n, 5) FEW(n, 6)
#define FEW_SIX_NAMES(n) FEW_THREE_NAMES(n), few_##n##_4, few_##n##_5, few_##n##_6
FEW_SIX(1)
#if defined(__AVX512F__)
FEW_SIX(2)
FEW_SIX(3)
FEW_SIX(4)
FEW(1, 7)
FEW(1, 8)
FEW(2, 7)
FEW(2, 8)
FEW(3, 7)
FEW(3, 8)
#define FEW_TABLE                                                                                                      \
    {0, 8, 8, 8, 6}, {                                                                                                 \
        {NULL}, {FEW_SIX_NAMES(1), few_1_7, few_1_8}, {FEW_SIX_NAMES(2), few_2_7, few_2_8}, {FEW_SIX_NAMES(3), few_3_7, few_3_8}, \
            {FEW_SIX_NAMES(4)},                                                                                        \
    }
#else /* 16 registers */
FEW_THREE(2)
FEW(2, 4)
FEW_THREE(3)
FEW_THREE(4)
#define FEW_TABLE {0, 6, 4, 3, 3}, {{NULL}, {FEW_SIX_NAMES(1)}, {FEW_THREE_NAMES(2), few_2_4}, {FEW_THREE_NAMES(3)}, {FEW_THREE_NAMES(4)}}
#endif

/* A tile of any pixels, and tiles of neighbours: planar with strides 1 and 2, in blocks with stride 1. */
#define TILE(nb, np)                                                                                                   \
    static void tile_##nb##_##np(const ox_conv_tile *t, const float *x, float *y, const float *add) { tile(t, x, y, add, nb, np); }
#define NEAR_NAME(kind, fn, nb, np) kind##_##fn##_##nb##_##np
#define NEAR_ONE(kind, fn, nb, np, px)                                                                                 \
    static void NEAR_NAME(kind, fn, nb, np)(const ox_conv_tile *t, const float *x, float *y, const float *add) { fn(t, x, y, add, nb, np, px); }
#define NEAR(fn, nb, np) NEAR_ONE(planar1, fn, nb, np, 1) NEAR_ONE(planar2, fn, nb, np, 2) NEAR_ONE(blocked, fn, nb, np, BLOCK)
#define NEAR_FIVE(fn, nb) NEAR(fn, nb, 1) NEAR(fn, nb, 2) NEAR(fn, nb, 3) NEAR(fn, nb, 4) NEAR(fn, nb, 5)
#define NEAR_FIVE_NAMES(kind, fn, nb)                                                                                  \
    NULL, NEAR_NAME(kind, fn, nb, 1), NEAR_NAME(kind, fn, nb, 2), NEAR_NAME(kind, fn, nb, 3), NEAR_NAME(kind, fn, nb, 4), NEAR_NAME(kind, fn, nb, 5)
#define NEAR_EIGHT(fn, nb) NEAR_FIVE(fn, nb) NEAR(fn, nb, 6) NEAR(fn, nb, 7) NEAR(fn, nb, 8)
#define NEAR_EIGHT_NAMES(kind, fn, nb)                                                                                 \
    NEAR_FIVE_NAMES(kind, fn, nb), NEAR_NAME(kind, fn, nb, 6), NEAR_NAME(kind, fn, nb, 7), NEAR_NAME(kind, fn, nb, 8)
#define NEAR_TWELVE(fn, nb) NEAR_EIGHT(fn, nb) NEAR(fn, nb, 9) NEAR(fn, nb, 10) NEAR(fn, nb, 11) NEAR(fn, nb, 12)
#define NEAR_TWELVE_NAMES(kind, fn, nb)                                                                                \
    NEAR_EIGHT_NAMES(kind, fn, nb), NEAR_NAME(kind, fn, nb, 9), NEAR_NAME(kind, fn, nb, 10), NEAR_NAME(kind, fn, nb, 11), NEAR_NAME(kind, fn, nb, 12)
#define NEAR_ALL(fn, nb) NEAR_TWELVE(fn, nb) NEAR(fn, nb, 13) NEAR(fn, nb, 14)
#define NEAR_ALL_NAMES(kind, fn, nb) NEAR_TWELVE_NAMES(kind, fn, nb), NEAR_NAME(kind, fn, nb, 13), NEAR_NAME(kind, fn, nb, 14)
#define FIVE(nb) TILE(nb, 1) TILE(nb, 2) TILE(nb, 3) TILE(nb, 4) TILE(nb, 5)
#define FIVE_NAMES(nb) NULL, tile_##nb##_1, tile_##nb##_2, tile_##nb##_3, tile_##nb##_4, tile_##nb##_5
#if !defined(__AVX2__) /* 16 registers: 10 sums */
FIVE(1)
NEAR_FIVE(inside, 1)
const ox_conv_isa OX_ISA(ox_conv_isa) = {
    BLOCK, 1, {0, 5}, {0, 5}, {{NULL}, {FIVE_NAMES(1)}},
    {{{NULL}, {NEAR_FIVE_NAMES(planar1, inside, 1)}}, {{NULL}, {NEAR_FIVE_NAMES(planar2, inside, 1)}}, {{NULL}, {NEAR_FIVE_NAMES(blocked, inside, 1)}}},
    {NULL}, {{NULL}}, FEW_TABLE};
#else
#define EIGHT(nb) FIVE(nb) TILE(nb, 6) TILE(nb, 7) TILE(nb, 8)
#define EIGHT_NAMES(nb) FIVE_NAMES(nb), tile_##nb##_6, tile_##nb##_7, tile_##nb##_8
EIGHT(1)
FIVE(2)
TILE(2, 6)
NEAR_FIVE(inside, 2)
NEAR(inside, 2, 6)
#if !defined(__AVX512F__) /* 16 registers: 12 sums */
NEAR_TWELVE(inside, 1)
#define NEAR_TABLE(kind)                                                                                               \
    {                                                                                                                  \
        {NULL}, {NEAR_TWELVE_NAMES(kind, inside, 1)}, { NEAR_FIVE_NAMES(kind, inside, 2), NEAR_NAME(kind, inside, 2, 6) } \
    }
const ox_conv_isa OX_ISA(ox_conv_isa) = {BLOCK, 2, {0, 8, 6}, {0, 12, 6}, {{NULL}, {EIGHT_NAMES(1)}, {FIVE_NAMES(2), tile_2_6}},
                                         {NEAR_TABLE(planar1), NEAR_TABLE(planar2), NEAR_TABLE(blocked)}, {NULL}, {{NULL}}, FEW_TABLE};
#else /* 32 registers: 28 sums */
TILE(2, 7)
TILE(2, 8)
NEAR_ALL(inside, 1)
NEAR(inside, 2, 7)
NEAR(inside, 2, 8)
EIGHT(3)
FIVE(4)
TILE(4, 6)
TILE(4, 7)
#define HALF_TILE(np)                                                                                                  \
    static void half_tile_1_##np(const ox_conv_tile *t, const float *x, float *y, const float *add) { half_tile(t, x, y, add, 1, np); }
HALF_TILE(1)
HALF_TILE(2)
HALF_TILE(3)
HALF_TILE(4)
HALF_TILE(5)
HALF_TILE(6)
HALF_TILE(7)
HALF_TILE(8)
NEAR_ALL(half_inside, 1)
#define NEAR_TABLE(kind) {{NULL}, {NEAR_ALL_NAMES(kind, inside, 1)}, {NEAR_EIGHT_NAMES(kind, inside, 2)}}
const ox_conv_isa OX_ISA(ox_conv_isa) = {
    BLOCK,
    4,
    {0, 8, 8, 8, 7},
    {0, 14, 8},
    {{NULL}, {EIGHT_NAMES(1)}, {EIGHT_NAMES(2)}, {EIGHT_NAMES(3)}, {FIVE_NAMES(4), tile_4_6, tile_4_7}},
    {NEAR_TABLE(planar1), NEAR_TABLE(planar2), NEAR_TABLE(blocked)},
    {NULL, half_tile_1_1, half_tile_1_2, half_tile_1_3, half_tile_1_4, half_tile_1_5, half_tile_1_6, half_tile_1_7, half_tile_1_8},
    {{NEAR_ALL_NAMES(planar1, half_inside, 1)}, {NEAR_ALL_NAMES(planar2, half_inside, 1)}, {NEAR_ALL_NAMES(blocked, half_inside, 1)}},
    FEW_TABLE};
#endif
#endif
