/* Rows of depthwise convolutions: a vector is the channels of a pixel; neighbouring pixels share what they load. */
#include "cpu/conv_tile.h"
#include "cpu/extremes.h"

enum { BLOCK = OX_VLEN == 16 ? 16 : 8, PER = BLOCK / OX_VLEN /* vectors of a block */, PIXELS = 14 };

static const float zeros[BLOCK];

OX_IN vf ended(const ox_depth_row *r, vf s, int64_t at) {
    if (r->add) s += vf_load(r->add + at);
    if (r->clamp) s = vf_clamped(s, r->lo, r->hi);
    return s;
}

/* NP pixels from OX on, one vector at V of the block; KW taps and stride S are constants. EDGE: columns outside of the image are zeros. */
OX_IN void pixels(const ox_depth_row *r, int64_t ox, int64_t v, int np, int kw, int s, bool edge) {
    vf sum[PIXELS], bias = r->bias ? vf_load(r->bias + v) : vf_set(0);
#pragma GCC unroll 16
    for (int p = 0; p < np; p++) sum[p] = bias;
    int64_t left = ox * s - r->pad_left;
    for (int64_t ky = r->y0; ky < r->y1; ky++) {
        const float *row = r->x + (r->iy + ky * r->dilation_h) * r->in_w * BLOCK, *w = r->w + ky * kw * BLOCK + v;
        vf wv[5];
#pragma GCC unroll 5
        for (int k = 0; k < kw; k++) wv[k] = vf_load(w + k * BLOCK);
#pragma GCC unroll 32
        for (int i = 0; i < (np - 1) * s + kw; i++) {
            const float *x = edge && (left + i < 0 || left + i >= r->in_w) ? zeros + v : row + (left + i) * BLOCK + v;
            vf xv = vf_load(x);
#pragma GCC unroll 5
            for (int k = 0; k < kw; k++) /* the tap by which pixel (i - k) / s reads column i */
                if ((i - k) % s == 0 && (i - k) / s < np && i >= k) sum[(i - k) / s] += xv * wv[k];
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < np; p++) {
        int64_t at = (ox + p) * BLOCK + v;
        vf_store(r->y + at, ended(r, sum[p], at));
    }
}

/* How many of N pixels next: the sizes that rows usually have leave no rest. MOST sums stay in registers beside the weights. */
OX_IN int next_pixels(int64_t n, int most) {
    static const int8_t of[PIXELS] = {0, 1, 2, 2, 4, 4, 4, 7, 8, 8, 10, 10, 10, 10};
    if (n == 20 && most >= 10) return 10;
    if ((n == 16 || n == 24) && most >= 8) return 8;
    if (n >= most) return most;
    return of[n] < most ? of[n] : most;
}

OX_IN void row(const ox_depth_row *r, int kw, int s) {
    const int most = OX_VLEN == 16 ? PIXELS : kw == 3 ? 7 : 4;
    for (int64_t v = 0; v < BLOCK; v += OX_VLEN)
        for (int64_t ox = 0, np; ox < r->out_w; ox += np) {
            int64_t left = ox * s - r->pad_left;
            np = next_pixels(r->out_w - ox, most);
            if (np == most && left >= 0 && left + (most - 1) * s + kw <= r->in_w) pixels(r, ox, v, most, kw, s, false);
            else if (np == most) pixels(r, ox, v, most, kw, s, true);
            else if (np == 10) pixels(r, ox, v, most > 10 ? 10 : 1, kw, s, true);
            else if (np == 8) pixels(r, ox, v, most > 8 ? 8 : 1, kw, s, true);
            else if (np == 7) pixels(r, ox, v, most > 7 ? 7 : 1, kw, s, true);
            else if (np == 4) pixels(r, ox, v, most > 4 ? 4 : 1, kw, s, true);
            else if (np == 2) pixels(r, ox, v, 2, kw, s, true);
            else pixels(r, ox, v, 1, kw, s, true);
        }
}

/* Any kernel. NP pixels whose windows lie in the image. */
OX_IN void any_inner(const ox_depth_row *r, int64_t ox, int64_t v, int np) {
    vf sum[PIXELS], bias = r->bias ? vf_load(r->bias + v) : vf_set(0);
    const int64_t step = r->stride_w * BLOCK, d = r->dilation_w * BLOCK;
#pragma GCC unroll 16
    for (int p = 0; p < np; p++) sum[p] = bias;
    for (int64_t ky = r->y0; ky < r->y1; ky++) {
        const float *x = r->x + ((r->iy + ky * r->dilation_h) * r->in_w + ox * r->stride_w - r->pad_left) * BLOCK + v;
        const float *w = r->w + ky * r->kernel_w * BLOCK + v;
        for (int64_t k = 0; k < r->kernel_w; k++, x += d, w += BLOCK) {
            vf wv = vf_load(w);
#pragma GCC unroll 16
            for (int p = 0; p < np; p++) sum[p] += vf_load(x + p * step) * wv;
        }
    }
#pragma GCC unroll 16
    for (int p = 0; p < np; p++) {
        int64_t at = (ox + p) * BLOCK + v;
        vf_store(r->y + at, ended(r, sum[p], at));
    }
}

/* A pixel of a window that reaches beyond the image. */
static void any_pixel(const ox_depth_row *r, int64_t ox, int64_t v) {
    int64_t left = ox * r->stride_w - r->pad_left, d = r->dilation_w;
    int64_t k0 = left >= 0 ? 0 : (-left + d - 1) / d, k1 = left >= r->in_w ? 0 : (r->in_w - left + d - 1) / d;
    if (k1 > r->kernel_w) k1 = r->kernel_w;
    vf s = r->bias ? vf_load(r->bias + v) : vf_set(0);
    for (int64_t ky = r->y0; ky < r->y1; ky++) {
        const float *x = r->x + ((r->iy + ky * r->dilation_h) * r->in_w + left) * BLOCK + v, *w = r->w + ky * r->kernel_w * BLOCK + v;
        for (int64_t k = k0; k < k1; k++) s += vf_load(x + k * d * BLOCK) * vf_load(w + k * BLOCK);
    }
    vf_store(r->y + ox * BLOCK + v, ended(r, s, ox * BLOCK + v));
}

static void any_row(const ox_depth_row *r) {
    int64_t reach = (r->kernel_w - 1) * r->dilation_w + 1, s = r->stride_w, last = r->in_w + r->pad_left - reach;
    int64_t first = r->pad_left <= 0 ? 0 : (r->pad_left + s - 1) / s, end = last < 0 ? 0 : last / s + 1;
    if (first > r->out_w) first = r->out_w;
    if (end > r->out_w) end = r->out_w;
    if (end < first) end = first;
    for (int64_t v = 0; v < BLOCK; v += OX_VLEN) {
        int64_t ox = 0;
        for (; ox < first; ox++) any_pixel(r, ox, v);
        for (; ox + 8 <= end; ox += 8) any_inner(r, ox, v, 8);
        for (; ox + 4 <= end; ox += 4) any_inner(r, ox, v, 4);
        for (; ox < end; ox++) any_inner(r, ox, v, 1);
        for (; ox < r->out_w; ox++) any_pixel(r, ox, v);
    }
}

void OX_ISA(ox_depth_row)(const ox_depth_row *r) {
    bool one = r->stride_w == 1, plain = r->dilation_w == 1 && r->stride_w <= 2;
    if (plain && r->kernel_w == 3) {
        if (one) row(r, 3, 1);
        else row(r, 3, 2);
    } else if (plain && r->kernel_w == 5) {
        if (one) row(r, 5, 1);
        else row(r, 5, 2);
    } else any_row(r);
}
