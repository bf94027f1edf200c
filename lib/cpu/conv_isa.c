/* The inner loops of convolutions in blocks: a tile of a few pixels times a few output blocks stays in registers while input channels and taps
 * pass by. A step is some loads of weights, a broadcast per pixel and the products of them all. */
#include "cpu/conv_tile.h"
#include "cpu/extremes.h"

enum { BLOCK = OX_VLEN == 16 ? 16 : 8, PER = BLOCK / OX_VLEN /* vectors of a block */ };

static const float zeros[OX_CONV_TAPS];

/* The compiler forgets that P was read: it would broadcast once and keep the vector, where a product can broadcast what it reads. */
#if defined(__AVX512F__)
#define READ_AGAIN(p) __asm__("" : "+r"(p))
#endif

/* Adds N lanes for pixels P0..P1 of NV vectors times P pixels. */
OX_IN void lanes(vf acc[][OX_CONV_PIXELS], const float **xp, const float *w, int64_t n, int64_t step, int64_t w_lane, int nv, int p0, int p1) {
    for (int64_t l = 0, at = 0; l < n; l++, at += step, w += w_lane) {
#if defined(__AVX512F__)
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) {
            vf wv = vf_load(w + v * OX_VLEN);
#pragma GCC unroll 16
            for (int p = p0; p < p1; p++) {
                acc[v][p] += wv * vf_set(xp[p][at]);
                if (v < nv - 1) READ_AGAIN(xp[p]);
            }
        }
#else /* the weights stay in registers and a pixel passes by */
        vf wv[OX_CONV_GROUP * PER];
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) wv[v] = vf_load(w + v * OX_VLEN);
#pragma GCC unroll 16
        for (int p = p0; p < p1; p++) {
            vf b = vf_set(xp[p][at]);
#pragma GCC unroll 16
            for (int v = 0; v < nv; v++) acc[v][p] += wv[v] * b;
        }
#endif
    }
}

OX_IN void start(vf acc[][OX_CONV_PIXELS], const ox_conv_tile *t, const float *y, int nv, int np) {
    if (t->first) {
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) {
            vf b = vf_load(t->bias + v * OX_VLEN);
#pragma GCC unroll 16
            for (int p = 0; p < np; p++) acc[v][p] = b;
        }
        return;
    }
#pragma GCC unroll 16
    for (int v = 0; v < nv; v++) {
        const float *from = y + v / PER * t->y_block + v % PER * OX_VLEN;
#pragma GCC unroll 16
        for (int p = 0; p < np; p++) acc[v][p] = vf_load(from + p * BLOCK);
    }
}

OX_IN void finish(vf acc[][OX_CONV_PIXELS], const ox_conv_tile *t, float *y, const float *add, int nv, int np) {
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

OX_IN void tile(const ox_conv_tile *tile, const float *from, float *to, const float *other, int nb, int np) {
    vf acc[OX_CONV_GROUP * PER][OX_CONV_PIXELS];
    const int nv = nb * PER;
    start(acc, tile, to, nv, np);
    /* In memory: when registers run out the compiler would keep some of these in vector registers, and addresses would wait for sums. */
    const ox_conv_tile *volatile saved = tile;
    const float *volatile add = other;
    float *volatile y = to;
    const float *volatile x = from, *volatile block = tile->w;
    for (volatile int64_t i = 0; i < saved->blocks; i++, x += saved->x_block) {
        volatile const int64_t n = i == saved->blocks - 1 ? saved->last_lanes : saved->lanes;
        for (volatile int64_t tap = 0; tap < saved->taps; tap++) {
            const ox_conv_tile *t = saved;
            const int64_t k = tap, w_lane = t->w_lane;
            const float *xp[OX_CONV_PIXELS], *w = block + t->tap[k] * n * w_lane;
            point(t, x, k, xp, np);
            if (np > 1 && t->reach[k] == OX_TAP_NOT_FIRST) lanes(acc, xp, w, n, t->step, w_lane, nv, 1, np);
            else if (np > 1 && t->reach[k] == OX_TAP_NOT_LAST) lanes(acc, xp, w, n, t->step, w_lane, nv, 0, np - 1);
            else lanes(acc, xp, w, n, t->step, w_lane, nv, 0, np);
        }
        block += saved->all_taps * n * saved->w_lane;
    }
    finish(acc, saved, y, add, nv, np);
}

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

#define TILE(nb, np)                                                                                                   \
    static void tile_##nb##_##np(const ox_conv_tile *t, const float *x, float *y, const float *add) { tile(t, x, y, add, nb, np); }
#define FIVE(nb) TILE(nb, 1) TILE(nb, 2) TILE(nb, 3) TILE(nb, 4) TILE(nb, 5)
#define FIVE_NAMES(nb) NULL, tile_##nb##_1, tile_##nb##_2, tile_##nb##_3, tile_##nb##_4, tile_##nb##_5
FIVE(1)
#if !defined(__AVX2__) /* 16 registers: 10 sums */
const ox_conv_isa OX_ISA(ox_conv_isa) = {BLOCK, 1, {0, 5}, {{NULL}, {FIVE_NAMES(1)}}, FEW_TABLE};
#else
TILE(1, 6)
TILE(1, 7)
TILE(1, 8)
FIVE(2)
TILE(2, 6)
#if !defined(__AVX512F__) /* 16 registers: 12 sums */
const ox_conv_isa OX_ISA(ox_conv_isa) = {
    BLOCK, 2, {0, 8, 6}, {{NULL}, {FIVE_NAMES(1), tile_1_6, tile_1_7, tile_1_8}, {FIVE_NAMES(2), tile_2_6}}, FEW_TABLE};
#else /* 32 registers: 28 sums */
TILE(2, 7)
TILE(2, 8)
FIVE(3)
TILE(3, 6)
TILE(3, 7)
TILE(3, 8)
FIVE(4)
TILE(4, 6)
TILE(4, 7)
const ox_conv_isa OX_ISA(ox_conv_isa) = {BLOCK,
                                         4,
                                         {0, 8, 8, 8, 7},
                                         {{NULL},
                                          {FIVE_NAMES(1), tile_1_6, tile_1_7, tile_1_8},
                                          {FIVE_NAMES(2), tile_2_6, tile_2_7, tile_2_8},
                                          {FIVE_NAMES(3), tile_3_6, tile_3_7, tile_3_8},
                                          {FIVE_NAMES(4), tile_4_6, tile_4_7}},
                                         FEW_TABLE};
#endif
#endif
