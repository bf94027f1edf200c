/* The inner loops of convolutions in blocks: a tile of a few pixels times a few output blocks stays in registers while input channels and taps
 * pass by. A step is some loads of weights, a broadcast per pixel and the products of them all. */
#include "cpu/conv_tile.h"
#include "cpu/isa.h"

enum { BLOCK = OX_VLEN == 16 ? 16 : 8, PER = BLOCK / OX_VLEN /* vectors of a block */ };

static const float zeros[OX_CONV_TAPS];

/* Adds LANES channels for pixels P0..P1 of NV vectors times P pixels. */
OX_IN void lanes(vf acc[][OX_CONV_PIXELS], const float *const *xp, const float *w, int64_t n, int64_t step, int64_t w_lane, int nv, int p0, int p1) {
    for (int64_t l = 0, at = 0; l < n; l++, at += step, w += w_lane) {
        vf wv[OX_CONV_GROUP * PER];
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) wv[v] = vf_load(w + v * OX_VLEN);
#pragma GCC unroll 16
        for (int p = p0; p < p1; p++) {
            vf b = vf_set(xp[p][at]);
#pragma GCC unroll 16
            for (int v = 0; v < nv; v++) acc[v][p] += wv[v] * b;
        }
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
        vf lo = vf_set(t->lo), hi = vf_set(t->hi);
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) {
#pragma GCC unroll 16
            for (int p = 0; p < np; p++) acc[v][p] = vf_min(vf_max(acc[v][p], lo), hi);
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

OX_IN void tile(const ox_conv_tile *tile, const float *from, float *y, const float *add, int nb, int np) {
    vf acc[OX_CONV_GROUP * PER][OX_CONV_PIXELS];
    const int nv = nb * PER;
    start(acc, tile, y, nv, np);
    /* In memory: when registers run out the compiler would keep some of these in vector registers, and addresses would wait for sums. */
    const ox_conv_tile *volatile saved = tile;
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

#define TILE(nb, np)                                                                                                   \
    static void tile_##nb##_##np(const ox_conv_tile *t, const float *x, float *y, const float *add) { tile(t, x, y, add, nb, np); }
#define FIVE(nb) TILE(nb, 1) TILE(nb, 2) TILE(nb, 3) TILE(nb, 4) TILE(nb, 5)
#define FIVE_NAMES(nb) NULL, tile_##nb##_1, tile_##nb##_2, tile_##nb##_3, tile_##nb##_4, tile_##nb##_5
FIVE(1)
#if !defined(__AVX2__) /* 16 registers: 10 sums */
const ox_conv_isa OX_ISA(ox_conv_isa) = {BLOCK, 1, {0, 5}, {{NULL}, {FIVE_NAMES(1)}}};
#else
TILE(1, 6)
TILE(1, 7)
TILE(1, 8)
FIVE(2)
TILE(2, 6)
#if !defined(__AVX512F__) /* 16 registers: 12 sums */
const ox_conv_isa OX_ISA(ox_conv_isa) = {
    BLOCK, 2, {0, 8, 6}, {{NULL}, {FIVE_NAMES(1), tile_1_6, tile_1_7, tile_1_8}, {FIVE_NAMES(2), tile_2_6}}};
#else /* 32 registers: 24 sums */
TILE(2, 7)
TILE(2, 8)
FIVE(3)
TILE(3, 6)
TILE(3, 7)
TILE(3, 8)
FIVE(4)
TILE(4, 6)
const ox_conv_isa OX_ISA(ox_conv_isa) = {BLOCK,
                                         4,
                                         {0, 8, 8, 8, 6},
                                         {{NULL},
                                          {FIVE_NAMES(1), tile_1_6, tile_1_7, tile_1_8},
                                          {FIVE_NAMES(2), tile_2_6, tile_2_7, tile_2_8},
                                          {FIVE_NAMES(3), tile_3_6, tile_3_7, tile_3_8},
                                          {FIVE_NAMES(4), tile_4_6}}};
#endif
#endif
