/* Pooling of images in blocks, and planar images to blocks and back: how work is cut; loops are in pool_isa.c. */
#include "cpu/conv_tile.h"

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

void ox_image_block(int threads, int64_t n, int64_t c, int64_t hw, const float *planar, float *blocked) {
    turn(threads, n, c, hw, planar, blocked, true);
}

void ox_image_unblock(int threads, int64_t n, int64_t c, int64_t hw, const float *blocked, float *planar) {
    turn(threads, n, c, hw, blocked, planar, false);
}
