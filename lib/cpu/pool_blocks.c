/* Pooling of images in blocks, and planar images to blocks and back: how work is cut; loops are in pool_isa.c. */
#include "cpu/conv_tile.h"

#include <string.h>

typedef struct kernels {
    void (*row)(const ox_pool_row *);
    void (*global)(const float *x, int64_t n, float *y, bool max);
    void (*block)(const float *planar, int64_t hw, int64_t channels, int64_t n, float *to);
    void (*unblock)(const float *blocked, int64_t hw, int64_t channels, int64_t n, float *to);
} kernels;

#define KERNELS(set) static const kernels set = {ox_pool_row_##set, ox_pool_global_##set, ox_block_pixels_##set, ox_unblock_pixels_##set}
KERNELS(plain);
#if defined(__x86_64__)
KERNELS(avx2);
KERNELS(avx512);
#endif

static const kernels *chosen(void) {
#if defined(__x86_64__)
    switch (ox_cpu_isa()) {
    case OX_ISA_AVX512: return &avx512;
    case OX_ISA_AVX2: return &avx2;
    default: break;
    }
#endif
    return &plain;
}

enum { PIXELS = 4096 /* of a piece, about */ };

static int64_t cuts(int64_t n, int64_t size) { return n / size + (n % size != 0); }

/* How many of K taps, D apart and the first at AT, lie before END. */
static int64_t before(int64_t at, int64_t d, int64_t k, int64_t end) {
    int64_t n = at >= end ? 0 : cuts(end - at, d);
    return n < k ? n : k;
}

static void pool_rows(const ox_conv *c, ox_pool_row k, void (*row)(const ox_pool_row *), int64_t pad_bottom, int64_t y0, int64_t y1, float *y) {
    for (int64_t oy = y0; oy < y1; oy++) {
        k.iy = oy * c->stride_h - c->pad_top;
        k.y0 = k.iy >= 0 ? 0 : cuts(-k.iy, c->dilation_h);
        k.y1 = before(k.iy, c->dilation_h, c->kernel_h, c->in_h);
        if (k.y0 > k.y1) k.y0 = k.y1;
        k.rows = before(k.iy, c->dilation_h, c->kernel_h, c->in_h + pad_bottom);
        k.y = y + oy * c->out_w * ox_conv_block();
        row(&k);
    }
}

void ox_pool_run(int threads, const ox_conv *c, ox_pool_kind kind, int64_t pad_bottom, int64_t pad_right, const float *x, float *y) {
    if (c->batch < 1 || c->out_h < 1 || c->out_w < 1) return;
    const kernels *fn = chosen();
    int64_t b = ox_conv_block(), images = c->batch * cuts(c->in_channels, b), parts = cuts(c->out_h * c->out_w, PIXELS);
    if (parts > c->out_h) parts = c->out_h;
    threads = ox_cpu_threads(threads, images * c->out_h * c->out_w * c->kernel_h * c->kernel_w);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < images * parts; i++) {
        int64_t j = i / parts, part = i % parts;
        ox_pool_row k = {.x = x + j * c->in_h * c->in_w * b, .in_w = c->in_w, .out_w = c->out_w, .kernel_w = c->kernel_w, .stride_w = c->stride_w,
                         .dilation_h = c->dilation_h, .dilation_w = c->dilation_w, .pad_left = c->pad_left, .span = c->in_w + pad_right,
                         .kind = kind};
        pool_rows(c, k, fn->row, pad_bottom, part * c->out_h / parts, (part + 1) * c->out_h / parts, y + j * c->out_h * c->out_w * b);
    }
}

void ox_pool_global(int threads, int64_t n, int64_t c, int64_t hw, bool max, const float *x, float *y) {
    const kernels *fn = chosen();
    int64_t b = ox_conv_block(), images = n * cuts(c, b);
    threads = ox_cpu_threads(threads, images * hw);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < images; i++) fn->global(x + i * hw * b, hw, y + i * b, max);
}

static void turn(int threads, int64_t n, int64_t c, int64_t hw, const float *from, float *to, bool blocks) {
    const kernels *fn = chosen();
    int64_t b = ox_conv_block(), per = cuts(c, b), parts = cuts(hw, PIXELS);
    threads = ox_cpu_threads(threads, n * per * hw);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < n * per * parts; i++) {
        int64_t part = i % parts, j = i / parts % per, image = i / parts / per, p = part * PIXELS;
        int64_t pixels = hw - p < PIXELS ? hw - p : PIXELS, channels = c - j * b < b ? c - j * b : b;
        int64_t planar = (image * c + j * b) * hw + p, blocked = ((image * per + j) * hw + p) * b;
        if (blocks) fn->block(from + planar, hw, channels, pixels, to + blocked);
        else fn->unblock(from + blocked, hw, channels, pixels, to + planar);
    }
}

void ox_unblock_some(const float *blocked, int64_t hw, int64_t channels, int64_t n, float *to) { chosen()->unblock(blocked, hw, channels, n, to); }

void ox_image_block(int threads, int64_t n, int64_t c, int64_t hw, const float *planar, float *blocked) {
    turn(threads, n, c, hw, planar, blocked, true);
}

void ox_image_unblock(int threads, int64_t n, int64_t c, int64_t hw, const float *blocked, float *planar) {
    turn(threads, n, c, hw, blocked, planar, false);
}

/* N pixels of B floats, a constant where this is called. */
static inline void fill_pixels(float *y, int64_t n, int64_t b, const float *fill) {
    for (int64_t i = 0; i < n; i++) memcpy(y + i * b, fill, (size_t)b * sizeof *y);
}

/* The same, but for the channels whose bits in KEEP are set: they are those of X. */
static inline void merge_pixels(float *y, int64_t n, int64_t b, const float *x, const uint32_t *keep, const float *fill) {
    for (int64_t i = 0; i < n; i++, x += b, y += b) {
        uint32_t v[16], f[16];
        memcpy(v, x, (size_t)b * sizeof *v);
        memcpy(f, fill, (size_t)b * sizeof *f);
        for (int64_t l = 0; l < b; l++) v[l] = (v[l] & keep[l]) | (f[l] & ~keep[l]);
        memcpy(y, v, (size_t)b * sizeof *v);
    }
}

/* Block J of an image; X: the block of the input, where it has one with HAVE channels. */
static inline void pad_block(const ox_image_pads *p, int64_t b, int64_t j, int64_t have, const float *x, float *y) {
    float fill[16];
    uint32_t keep[16];
    for (int64_t l = 0; l < b; l++) {
        fill[l] = j * b + l < p->out_channels ? p->value : 0;
        keep[l] = l < have ? UINT32_MAX : 0;
    }
    if (have <= 0) {
        fill_pixels(y, p->out_h * p->out_w, b, fill);
        return;
    }
    for (int64_t row = 0; row < p->out_h; row++, y += p->out_w * b) {
        int64_t iy = row - p->top, right = p->out_w - p->left - p->in_w;
        if (iy < 0 || iy >= p->in_h) {
            fill_pixels(y, p->out_w, b, fill);
            continue;
        }
        float *to = y + p->left * b;
        fill_pixels(y, p->left, b, fill);
        if (have == b) memcpy(to, x + iy * p->in_w * b, (size_t)(p->in_w * b) * sizeof *y);
        else merge_pixels(to, p->in_w, b, x + iy * p->in_w * b, keep, fill);
        fill_pixels(to + p->in_w * b, right, b, fill);
    }
}

void ox_image_pad(int threads, const ox_image_pads *p, const float *x, float *y) {
    int64_t b = ox_conv_block(), in = cuts(p->in_channels, b), out = cuts(p->out_channels, b);
    threads = ox_cpu_threads(threads, p->batch * out * p->out_h * p->out_w);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < p->batch * out; i++) {
        int64_t image = i / out, j = i % out, have = p->in_channels - j * b < b ? p->in_channels - j * b : b;
        const float *from = x + (have > 0 ? (image * in + j) * p->in_h * p->in_w * b : 0);
        float *to = y + i * p->out_h * p->out_w * b;
        if (b == 16) pad_block(p, 16, j, have, from, to);
        else pad_block(p, 8, j, have, from, to);
    }
}
