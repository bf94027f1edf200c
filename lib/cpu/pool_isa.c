/* Rows of pooling and the sums over whole images in blocks, and the turning of planar images into blocks and back. */
#include "cpu/conv_tile.h"
#include "cpu/extremes.h"

#include <math.h>

enum { BLOCK = OX_VLEN == 16 ? 16 : 8, PER = BLOCK / OX_VLEN /* vectors of a block */ };

/* The window of a pixel: rows y0..y1, columns k0..k1 of it lie in the image. */
OX_IN vf window(const ox_pool_row *r, const float *x, int64_t k0, int64_t k1, bool max) {
    vf s = max ? vf_set(-INFINITY) : vf_set(0);
    int64_t step = r->dilation_w * BLOCK;
    for (int64_t ky = r->y0; ky < r->y1; ky++) {
        const float *p = x + ky * r->dilation_h * r->in_w * BLOCK + k0 * step;
        for (int64_t k = k0; k < k1; k++, p += step) {
            vf v = vf_load(p);
            if (max) s = vf_larger_or_nan(s, v);
            else s += v;
        }
    }
    return s;
}

/* Pixels from OX to END, whose windows of KW columns lie in the image; KW is a constant or the kernel's width. */
OX_IN void inner(const ox_pool_row *r, int64_t ox, int64_t end, int64_t kw, bool max) {
    int64_t rows = r->y1 - r->y0, step = r->dilation_w * BLOCK;
    float part = rows > 0 ? 1.0f / (float)(rows * kw) : 0;
    if (r->kind == OX_POOL_AVERAGE_PADS) part = r->rows > 0 ? 1.0f / (float)(r->rows * kw) : 0;
    const float *x = r->x + ((r->iy + r->y0 * r->dilation_h) * r->in_w + ox * r->stride_w - r->pad_left) * BLOCK;
    for (; ox < end; ox++, x += r->stride_w * BLOCK)
        for (int v = 0; v < BLOCK; v += OX_VLEN) {
            vf s = max ? vf_set(-INFINITY) : vf_set(0);
            const float *p = x + v;
            for (int64_t ky = 0; ky < rows; ky++, p += r->dilation_h * r->in_w * BLOCK)
#pragma GCC unroll 4
                for (int64_t k = 0; k < kw; k++) {
                    vf e = vf_load(p + k * step);
                    s = max ? vf_larger_or_nan(s, e) : s + e;
                }
            vf_store(r->y + ox * BLOCK + v, max ? s : s * part);
        }
}

OX_IN void border(const ox_pool_row *r, int64_t ox, int64_t end, bool max) {
    const int64_t d = r->dilation_w;
    for (; ox < end; ox++) {
        int64_t left = ox * r->stride_w - r->pad_left;
        int64_t k0 = left >= 0 ? 0 : (-left + d - 1) / d, k1 = left >= r->in_w ? 0 : (r->in_w - left + d - 1) / d;
        if (k1 > r->kernel_w) k1 = r->kernel_w;
        if (k0 > k1) k0 = k1;
        int64_t count = (r->y1 - r->y0) * (k1 - k0);
        if (r->kind == OX_POOL_AVERAGE_PADS) {
            int64_t wide = left >= r->span ? 0 : (r->span - left + d - 1) / d;
            count = r->rows * (wide > r->kernel_w ? r->kernel_w : wide);
        }
        float part = count > 0 ? 1.0f / (float)count : 0;
        const float *x = r->x + (r->iy * r->in_w + left) * BLOCK;
        for (int v = 0; v < BLOCK; v += OX_VLEN) {
            vf s = window(r, x + v, k0, k1, max);
            vf_store(r->y + ox * BLOCK + v, max ? s : s * part);
        }
    }
}

OX_IN void row(const ox_pool_row *r, bool max) {
    int64_t reach = (r->kernel_w - 1) * r->dilation_w + 1, s = r->stride_w, last = r->in_w + r->pad_left - reach;
    int64_t first = r->pad_left <= 0 ? 0 : (r->pad_left + s - 1) / s, end = last < 0 ? 0 : last / s + 1; /* windows in the image */
    if (first > r->out_w) first = r->out_w;
    if (end > r->out_w) end = r->out_w;
    if (end < first) end = first;
    border(r, 0, first, max);
    if (r->kernel_w == 2) inner(r, first, end, 2, max);
    else if (r->kernel_w == 3) inner(r, first, end, 3, max);
    else inner(r, first, end, r->kernel_w, max);
    border(r, end, r->out_w, max);
}

void OX_ISA(ox_pool_row)(const ox_pool_row *r) {
    if (r->kind == OX_POOL_MAX) row(r, true);
    else row(r, false);
}

/* Of N pixels of a block. Four sums, since each waits for the one before. */
OX_IN void global(const float *x, int64_t n, float *y, bool max) {
    for (int v = 0; v < BLOCK; v += OX_VLEN) {
        vf s[4];
        for (int k = 0; k < 4; k++) s[k] = max ? vf_set(-INFINITY) : vf_set(0);
        int64_t i = 0;
        for (; i + 4 <= n; i += 4)
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) {
                vf e = vf_load(x + (i + k) * BLOCK + v);
                s[k] = max ? vf_larger_or_nan(s[k], e) : s[k] + e;
            }
        for (; i < n; i++) {
            vf e = vf_load(x + i * BLOCK + v);
            s[0] = max ? vf_larger_or_nan(s[0], e) : s[0] + e;
        }
        if (max) s[0] = vf_larger_or_nan(vf_larger_or_nan(s[0], s[1]), vf_larger_or_nan(s[2], s[3]));
        else s[0] = ((s[0] + s[1]) + (s[2] + s[3])) * (1.0f / (float)n);
        vf_store(y + v, s[0]);
    }
}

void OX_ISA(ox_pool_global)(const float *x, int64_t n, float *y, bool max) {
    if (max) global(x, n, y, true);
    else global(x, n, y, false);
}

/* Halves of two vectors, elements in turn. */
OX_IN vf zip_low(vf a, vf b) {
#if defined(__AVX512F__)
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif defined(__AVX2__)
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}

OX_IN vf zip_high(vf a, vf b) {
#if defined(__AVX512F__)
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif defined(__AVX2__)
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

/* Zipping row i with row i + n / 2, log2(n) times, makes rows of columns. */
OX_IN void transpose(vf *m) {
#pragma GCC unroll 4
    for (int round = OX_VLEN; round > 1; round /= 2) {
        vf to[OX_VLEN];
#pragma GCC unroll 16
        for (int i = 0; i < OX_VLEN / 2; i++) {
            to[2 * i] = zip_low(m[i], m[i + OX_VLEN / 2]);
            to[2 * i + 1] = zip_high(m[i], m[i + OX_VLEN / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < OX_VLEN; i++) m[i] = to[i];
    }
}

/* N pixels; CHANNELS of the block exist, HW floats apart; the others are zeros. */
void OX_ISA(ox_block_pixels)(const float *planar, int64_t hw, int64_t channels, int64_t n, float *to) {
    for (int v = 0; v < BLOCK; v += OX_VLEN) {
        int64_t have = channels - v, i = 0;
        for (; i + OX_VLEN <= n; i += OX_VLEN) {
            vf m[OX_VLEN];
#pragma GCC unroll 16
            for (int k = 0; k < OX_VLEN; k++) m[k] = k < have ? vf_load(planar + (v + k) * hw + i) : vf_set(0);
            transpose(m);
#pragma GCC unroll 16
            for (int k = 0; k < OX_VLEN; k++) vf_store(to + (i + k) * BLOCK + v, m[k]);
        }
        for (; i < n; i++)
            for (int k = 0; k < OX_VLEN; k++) to[i * BLOCK + v + k] = k < have ? planar[(v + k) * hw + i] : 0;
    }
}

void OX_ISA(ox_unblock_pixels)(const float *blocked, int64_t hw, int64_t channels, int64_t n, float *to) {
    for (int v = 0; v < BLOCK; v += OX_VLEN) {
        int64_t have = channels - v, i = 0;
        for (; i + OX_VLEN <= n; i += OX_VLEN) {
            vf m[OX_VLEN];
#pragma GCC unroll 16
            for (int k = 0; k < OX_VLEN; k++) m[k] = vf_load(blocked + (i + k) * BLOCK + v);
            transpose(m);
#pragma GCC unroll 16
            for (int k = 0; k < OX_VLEN; k++)
                if (k < have) vf_store(to + (v + k) * hw + i, m[k]);
        }
        for (; i < n; i++)
            for (int k = 0; k < OX_VLEN && k < have; k++) to[(v + k) * hw + i] = blocked[i * BLOCK + v + k];
    }
}
