/* Depthwise convolutions of images in blocks: rows of the output are cut into pieces; a row is computed in depthwise_isa.c. */
#include "cpu/conv_tile.h"

enum { STEPS_OF_PIECE = 1 << 15, MOST_PIECES = 16 }; /* vectors added; pieces of a block's image */

static void (*row_kernel(void))(const ox_depth_row *) {
#if defined(__x86_64__)
    switch (ox_cpu_isa()) {
    case OX_ISA_AVX512: return ox_depth_row_avx512;
    case OX_ISA_AVX2: return ox_depth_row_avx2;
    default: break;
    }
#endif
    return ox_depth_row_plain;
}

typedef struct run {
    const ox_conv *c;
    const float *x, *w, *bias;
    const ox_tail *tail;
    float *y;
    void (*row)(const ox_depth_row *);
    int64_t b, blocks;
} run;

/* Rows Y0..Y1 of block J, counted over all images. */
static void rows(const run *r, int64_t j, int64_t y0, int64_t y1) {
    const ox_conv *c = r->c;
    int64_t block = j % r->blocks, start = j * c->out_h * c->out_w * r->b;
    const ox_tail *t = r->tail;
    ox_depth_row k = {.x = r->x + j * c->in_h * c->in_w * r->b, .w = r->w + block * c->kernel_h * c->kernel_w * r->b, .in_w = c->in_w,
                      .out_w = c->out_w, .kernel_w = c->kernel_w, .stride_w = c->stride_w, .dilation_h = c->dilation_h,
                      .dilation_w = c->dilation_w, .pad_left = c->pad_left, .bias = r->bias ? r->bias + block * r->b : NULL};
    if (t) k.clamp = t->clamp, k.lo = t->lo, k.hi = t->hi;
    for (int64_t oy = y0; oy < y1; oy++) {
        int64_t at = start + oy * c->out_w * r->b, d = c->dilation_h;
        k.iy = oy * c->stride_h - c->pad_top;
        k.y0 = k.iy >= 0 ? 0 : (-k.iy + d - 1) / d;
        k.y1 = k.iy >= c->in_h ? 0 : (c->in_h - k.iy + d - 1) / d;
        if (k.y1 > c->kernel_h) k.y1 = c->kernel_h;
        k.y = r->y + at;
        k.add = t && t->add ? t->add + at : NULL;
        r->row(&k);
    }
    int64_t at = start + y0 * c->out_w * r->b;
    if (t && t->rest) t->rest(t, r->y + at, (y1 - y0) * c->out_w * r->b, at, block * r->b);
}

void ox_conv_depthwise(int threads, const ox_conv *c, const float *x, const float *packed, const float *bias, const ox_tail *tail, float *y) {
    run r = {c, x, packed, bias, tail, y, row_kernel(), ox_conv_block(), 0};
    r.blocks = (c->out_channels + r.b - 1) / r.b;
    int64_t steps = c->out_h * c->out_w * c->kernel_h * c->kernel_w, parts = steps / STEPS_OF_PIECE + 1;
    if (parts > MOST_PIECES) parts = MOST_PIECES;
    if (parts > c->out_h) parts = c->out_h;
    int64_t n = c->batch * r.blocks * parts;
    threads = ox_cpu_threads(threads, steps * c->batch * r.blocks);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < n; i++) rows(&r, i / parts, i % parts * c->out_h / parts, (i % parts + 1) * c->out_h / parts);
}
