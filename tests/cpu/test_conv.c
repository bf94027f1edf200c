/* Convolutions and pooling in blocks against plain loops in double: random geometry, tails, and the same bits for any number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu/conv_algorithms.h"

static uint32_t seed;

static int64_t pick(int64_t lo, int64_t hi) {
    seed = seed * 1664525u + 1013904223u;
    return lo + (int64_t)((seed >> 8) % (uint32_t)(hi - lo + 1));
}

static int64_t whole(int64_t channels) { return (channels + ox_conv_block() - 1) / ox_conv_block() * ox_conv_block(); }

/* N floats from -1 to 1 at an address of no alignment but a float's; free_floats() gives them back. */
static float *floats(int64_t n) {
    float *p = test_malloc((size_t)(n + 1) * sizeof(float));
    *p++ = 0;
    for (int64_t i = 0; i < n; i++) p[i] = (float)pick(-1000, 1000) / 1000;
    return p;
}

static void free_floats(float *p) { test_free(p - 1); }

/* Where pixel I of channel CH of image N lies in blocks. */
static int64_t at(int64_t n, int64_t channels, int64_t hw, int64_t ch, int64_t i) {
    int64_t b = ox_conv_block();
    return ((n * (whole(channels) / b) + ch / b) * hw + i) * b + ch % b;
}

static float *to_blocks(int64_t n, int64_t c, int64_t hw, const float *planar) {
    float *p = floats(n * whole(c) * hw);
    ox_image_block(1, n, c, hw, planar, p);
    for (int64_t i = 0; i < n; i++)
        for (int64_t ch = 0; ch < whole(c); ch++)
            for (int64_t k = 0; k < hw; k++) assert_true(p[at(i, c, hw, ch, k)] == (ch < c ? planar[(i * c + ch) * hw + k] : 0));
    return p;
}

typedef struct sum { double value, size; } sum; /* and the sum of absolute values, which rounding errors follow */

static sum convolved(const ox_conv *c, const float *x, const float *w, int64_t n, int64_t o, int64_t oy, int64_t ox) {
    int64_t in = c->in_channels / c->groups, g = o / (c->out_channels / c->groups);
    sum s = {0, 0};
    for (int64_t i = 0; i < in; i++)
        for (int64_t ky = 0; ky < c->kernel_h; ky++)
            for (int64_t kx = 0; kx < c->kernel_w; kx++) {
                int64_t y = oy * c->stride_h - c->pad_top + ky * c->dilation_h, z = ox * c->stride_w - c->pad_left + kx * c->dilation_w;
                if (y < 0 || y >= c->in_h || z < 0 || z >= c->in_w) continue;
                double v = (double)x[((n * c->in_channels + g * in + i) * c->in_h + y) * c->in_w + z] *
                           (double)w[((o * in + i) * c->kernel_h + ky) * c->kernel_w + kx];
                s.value += v, s.size += fabs(v);
            }
    return s;
}

/* rest: twice the value and the channel's number, so that OFFSET and CHANNEL are seen. USER: the result from its start, pixels of an image. */
typedef struct seen { const float *y; int64_t hw, blocks; } seen;
static void twice(const ox_tail *t, float *y, int64_t n, int64_t offset, int64_t channel) {
    const seen *s = t->user;
    int64_t b = ox_conv_block();
    if (y != s->y + offset || n % b || offset % b || channel != offset / b / s->hw % s->blocks * b) abort();
    for (int64_t i = 0; i < n; i++) y[i] = 2 * y[i] + (float)(channel + i % b);
}

static int64_t extent(int64_t out, int64_t kernel, int64_t stride, int64_t dilation, int64_t pads) {
    int64_t n = (out - 1) * stride + (kernel - 1) * dilation + 1 - pads;
    return n < 1 ? 1 : n;
}

static int64_t pixels_of(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pads) {
    int64_t n = in + pads - (kernel - 1) * dilation - 1;
    return n < 0 ? 0 : n / stride + 1;
}

static void halve(const ox_tail *t, float *y, int64_t n, int64_t offset, int64_t channel) {
    (void)t, (void)offset;
    for (int64_t i = 0; i < n; i++) y[i] = y[i] / 2 + (float)(channel + i % ox_conv_block());
}

/* Output that leaves as planes has the bits of what leaves in blocks. */
static void check_planar(ox_conv c, ox_conv_form form, const float *x, const float *packed, const float *bias, float *scratch) {
    int64_t hw = c.out_h * c.out_w;
    if (!ox_conv_writes_planar(&c, form)) return;
    float *blocked = floats(c.batch * whole(c.out_channels) * hw), *want = floats(c.batch * c.out_channels * hw), *y = floats(c.batch * c.out_channels * hw);
    ox_tail tail = {NULL, pick(0, 1), -0.5f, 0.75f, pick(0, 1) ? halve : NULL, NULL};
    ox_conv_run(1, &c, form, x, packed, bias, &tail, blocked, scratch);
    ox_image_unblock(1, c.batch, c.out_channels, hw, blocked, want);
    c.planar_out = true;
    ox_conv_run((int)pick(1, 3), &c, form, x, packed, bias, &tail, y, scratch);
    assert_memory_equal(want, y, (size_t)(c.batch * c.out_channels * hw) * sizeof *y);
    float *all[] = {blocked, want, y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_floats(all[i]);
}

/* What a convolution is made of; Y as direct made it, if it was run. */
typedef struct operands {
    const ox_conv *c;
    ox_conv_form form;
    int64_t n; /* floats of a result */
    float *planar, *w, *scale, *bias, *x, *add, *direct;
    sum *want; /* before bias and tail */
    bool scaled, biased, tailed, clamp, added, rest;
} operands;

static sum *wanted(const operands *o) {
    const ox_conv *c = o->c;
    int64_t hw = c->out_h * c->out_w;
    sum *all = test_calloc((size_t)o->n, sizeof *all);
    for (int64_t n = 0; n < c->batch; n++)
        for (int64_t ch = 0; ch < c->out_channels; ch++)
            for (int64_t i = 0; i < hw; i++) {
                sum s = convolved(c, o->planar, o->w, n, ch, i / c->out_w, i % c->out_w);
                if (o->scaled) s.value *= o->scale[ch];
                all[at(n, c->out_channels, hw, ch, i)] = s;
            }
    return all;
}

/* ERROR: relative to the sum of absolute values, for Winograd's that of a whole tile. */
static void compare(const operands *o, const char *name, double error, const float *y) {
    int64_t b = ox_conv_block(), hw = o->c->out_h * o->c->out_w, blocks = whole(o->c->out_channels) / b;
    for (int64_t i = 0; i < o->n; i++) {
        sum s = o->want[i];
        int64_t ch = i / b / hw % blocks * b + i % b;
        if (o->biased) s.value += o->bias[ch];
        if (o->tailed && o->added) s.value += o->add[i];
        if (o->tailed && o->clamp) s.value = fmin(fmax(s.value, -0.5), 0.75);
        if (o->tailed && o->rest) s.value = 2 * s.value + (double)ch;
        if (!(fabs(y[i] - s.value) <= error * (1 + s.size + fabs(s.value))))
            fail_msg("%s, channel %d, element %d: %g, not %g", name, (int)ch, (int)i, (double)y[i], s.value);
    }
}

/* Runs and compares; the same bits for any number of threads. The workspace is as large as it is said to be, and what follows is not touched. */
static void check_one(const operands *o, const ox_conv_algorithm *a) {
    const ox_conv *c = o->c;
    const float guard = 12345;
    uint64_t room = a->workspace(a, c, o->form), weights = a->packed_floats(c, o->form);
    assert_true(room % sizeof(float) == 0 && (!a->limit || room <= a->limit));
    float *packed = floats((int64_t)weights + 1), *scratch = floats((int64_t)(room / sizeof(float)) + 1), *first = floats(o->n), *y = floats(o->n);
    packed[weights] = scratch[room / sizeof(float)] = guard;
    seen user = {first, c->out_h * c->out_w, whole(c->out_channels) / ox_conv_block()};
    ox_tail tail = {o->added ? o->add : NULL, o->clamp, -0.5f, 0.75f, o->rest ? twice : NULL, &user};
    a->pack(c, o->form, o->w, o->scaled ? o->scale : NULL, packed, (int)pick(1, 3));
    for (int threads = 1; threads <= (a->same_bits ? 8 : 4); threads += threads == 4 ? 4 : a->same_bits ? 1 : threads) {
        user.y = threads == 1 ? first : y;
        a->run(a, threads, c, o->form, o->form == OX_CONV_PLANAR ? o->planar : o->x, packed, o->biased ? o->bias : NULL, o->tailed ? &tail : NULL,
               threads == 1 ? first : y, scratch);
        if (threads > 1) assert_memory_equal(first, y, (size_t)o->n * sizeof(float));
    }
    assert_true(packed[weights] == guard && scratch[room / sizeof(float)] == guard);
    compare(o, a->name, a->same_bits ? 1e-5 : 4e-5, first);
    if (!strcmp(a->name, "direct")) {
        memcpy(o->direct, first, (size_t)o->n * sizeof *first);
        check_planar(*c, o->form, o->form == OX_CONV_PLANAR ? o->planar : o->x, packed, o->biased ? o->bias : NULL, scratch);
    }
    for (int64_t i = 0; a->same_bits && i < o->n; i++) assert_true(first[i] == o->direct[i]);
    float *all[] = {packed, scratch, first, y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_floats(all[i]);
}

/* Returns how many algorithms served. */
static int check(const ox_conv *c, ox_conv_form form) {
    int64_t in = c->in_channels, out = c->out_channels, hw = c->in_h * c->in_w, n = c->batch * whole(out) * c->out_h * c->out_w;
    int64_t kernel = c->kernel_h * c->kernel_w;
    operands o = {.c = c, .form = form, .n = n, .scaled = pick(0, 1), .biased = pick(0, 3), .tailed = pick(0, 1), .clamp = pick(0, 1),
                  .added = pick(0, 1), .rest = pick(0, 1)};
    o.planar = floats(c->batch * in * hw), o.w = floats(out * (in / c->groups) * kernel), o.scale = floats(out), o.bias = floats(whole(out));
    for (int64_t i = out; i < whole(out); i++) o.bias[i] = 0;
    o.x = to_blocks(c->batch, in, hw, o.planar), o.add = floats(n), o.direct = floats(n);
    for (int64_t i = 0; i < c->batch; i++) /* what is added has zeros where no channel is */
        for (int64_t ch = out; ch < whole(out); ch++)
            for (int64_t k = 0; k < c->out_h * c->out_w; k++) o.add[at(i, out, c->out_h * c->out_w, ch, k)] = 0;
    o.want = wanted(&o);
    size_t count;
    int served = 0;
    const ox_conv_algorithm *const *all = ox_conv_algorithms(&count);
    assert_string_equal(all[0]->name, "direct");
    for (size_t i = 0; i < count; i++)
        if (all[i]->serves(all[i], c, form)) check_one(&o, all[i]), served++;
    for (int i = 0; i < 2; i++) {
        const ox_conv_algorithm *a = all[ox_conv_heuristic(c, form, i ? UINT64_MAX : 0)];
        assert_true(a->serves(a, c, form) && a->same_bits && (i || a->workspace(a, c, form) == 0));
    }
    test_free(o.want);
    float *floats_of[] = {o.planar, o.w, o.scale, o.bias, o.x, o.add, o.direct};
    for (size_t i = 0; i < sizeof floats_of / sizeof *floats_of; i++) free_floats(floats_of[i]);
    return served;
}

static void check_forms(const ox_conv *c) {
    ox_conv_form form = ox_conv_form_of(c);
    assert_int_not_equal(form, OX_CONV_NONE);
    check(c, form);
    if (form == OX_CONV_PLANAR || form == OX_CONV_POINTWISE) check(c, OX_CONV_BLOCKED);
}

/* Kernel, strides and pads; the size of the output decides that of the input. */
static ox_conv geometry(int64_t most_kernel, int64_t most_pixels) {
    ox_conv c = {.batch = pick(1, 3), .groups = 1};
    c.kernel_h = pick(1, most_kernel), c.kernel_w = pick(1, most_kernel);
    if (pick(0, 2) == 0) c.kernel_h = c.kernel_w = pick(0, 1) ? 3 : 5;
    c.stride_h = pick(1, 3), c.stride_w = pick(0, 1) ? c.stride_h : pick(1, 3);
    c.dilation_h = pick(0, 3) ? 1 : pick(1, 3), c.dilation_w = pick(0, 3) ? 1 : pick(1, 3);
    c.pad_top = pick(0, c.kernel_h - 1), c.pad_left = pick(0, c.kernel_w - 1);
    int64_t bottom = pick(0, c.kernel_h - 1), right = pick(0, c.kernel_w - 1);
    c.in_h = extent(pick(1, most_pixels), c.kernel_h, c.stride_h, c.dilation_h, c.pad_top + bottom) + pick(0, c.stride_h - 1);
    c.in_w = extent(pick(1, most_pixels), c.kernel_w, c.stride_w, c.dilation_w, c.pad_left + right) + pick(0, c.stride_w - 1);
    c.out_h = pixels_of(c.in_h, c.kernel_h, c.stride_h, c.dilation_h, c.pad_top + bottom);
    c.out_w = pixels_of(c.in_w, c.kernel_w, c.stride_w, c.dilation_w, c.pad_left + right);
    return c;
}

static void any_geometry(void **state) {
    (void)state;
    for (int i = 0; i < 400; i++) {
        seed = (uint32_t)i;
        ox_conv c = geometry(7, i % 4 ? 9 : 20);
        int64_t b = ox_conv_block();
        switch (pick(0, 4)) {
        case 0: c.in_channels = pick(1, 4), c.out_channels = pick(1, 5 * b); break;
        case 1: c.groups = pick(2, 3), c.in_channels = c.groups * b * pick(1, 2), c.out_channels = c.groups * b * pick(1, 2); break;
        case 2: c.groups = c.in_channels = c.out_channels = pick(2, 3 * b); break;
        case 3: c.in_channels = pick(5, 3 * b), c.out_channels = pick(1, 9); break;
        default: c.in_channels = pick(5, 3 * b), c.out_channels = pick(1, 9 * b); break;
        }
        if (pick(0, 5) == 0 && c.groups == 1) c.in_h = c.out_h = c.kernel_h = c.stride_h = c.dilation_h = 1, c.pad_top = 0;
        check_forms(&c);
    }
}

/* Big enough for several pieces, passes and strips. */
static void usual_layers(void **state) {
    (void)state;
    static const int64_t layers[][9] = {
        /* groups, in, out, h, w, kernel, stride, pad */
        {1, 3, 64, 40, 40, 7, 2, 3},  {1, 64, 64, 20, 20, 3, 1, 1},  {1, 256, 96, 7, 7, 3, 1, 1},    {1, 300, 130, 14, 14, 1, 1, 0},
        {1, 128, 70, 9, 8, 3, 2, 1},  {1, 96, 24, 28, 28, 1, 2, 0},  {144, 144, 144, 28, 28, 3, 1, 1}, {40, 40, 40, 60, 56, 5, 2, 2},
        {1, 32, 3, 30, 30, 9, 1, 4},  {1, 520, 64, 2, 2, 3, 1, 1},   {1, 64, 1, 64, 64, 1, 1, 0},
        {1, 3, 8, 200, 200, 3, 2, 1}, {1, 16, 7, 70, 70, 3, 1, 1},   {1, 20, 20, 60, 61, 5, 1, 2},   {1, 8, 8, 90, 95, 1, 1, 0},    {1, 3, 40, 60, 150, 5, 1, 2},
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const int64_t *l = layers[i];
        ox_conv c = {1, l[0], l[1], l[2], l[3], l[4], 0, 0, l[5], l[5], l[6], l[6], 1, 1, l[7], l[7], false};
        c.out_h = (l[3] + 2 * l[7] - l[5]) / l[6] + 1, c.out_w = (l[4] + 2 * l[7] - l[5]) / l[6] + 1;
        seed = (uint32_t)i;
        check_forms(&c);
    }
}

/* 3x3 without strides: channels that fill no block, groups, pads of any size, tiles beyond the image, several strips across images. */
static void tiles(void **state) {
    (void)state;
    int served = 0;
    for (int i = 0; i < 40; i++) {
        seed = (uint32_t)i;
        int64_t b = ox_conv_block(), groups = i % 5 ? 1 : pick(2, 3);
        ox_conv c = {.batch = pick(1, 3), .groups = groups, .kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
        c.in_channels = groups == 1 ? pick(8, 6 * b) : groups * b * pick(1, 2), c.out_channels = groups == 1 ? pick(8, 9 * b) : groups * b * pick(1, 2);
        c.in_h = pick(1, i % 10 ? 12 : 40), c.in_w = pick(1, i % 10 ? 12 : 40), c.pad_top = pick(0, 3), c.pad_left = pick(0, 3);
        int64_t h = c.in_h + c.pad_top + pick(0, 3) - 2, w = c.in_w + c.pad_left + pick(0, 3) - 2;
        c.out_h = h < 1 ? 1 : h, c.out_w = w < 1 ? 1 : w;
        served += check(&c, OX_CONV_BLOCKED);
    }
    assert_true(served > 130);
}

static void forms(void **state) {
    (void)state;
    ox_conv c = {.groups = 1, .in_channels = 3, .out_channels = 32, .kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 1,
                 .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1};
    assert_int_equal(ox_conv_form_of(&c), OX_CONV_PLANAR);
    c.in_channels = 40;
    assert_int_equal(ox_conv_form_of(&c), OX_CONV_BLOCKED);
    c.kernel_h = c.kernel_w = 1, c.pad_top = c.pad_left = 0;
    assert_int_equal(ox_conv_form_of(&c), OX_CONV_POINTWISE);
    c.groups = 8;
    assert_int_equal(ox_conv_form_of(&c), OX_CONV_NONE);
    c.groups = c.out_channels = 40;
    assert_int_equal(ox_conv_form_of(&c), OX_CONV_DEPTHWISE);
    c.kernel_h = c.kernel_w = (int64_t)1 << 40;
    assert_int_equal(ox_conv_form_of(&c), OX_CONV_NONE);
}

static double pooled(const ox_conv *c, ox_pool_kind kind, int64_t bottom, int64_t right, const float *x, int64_t oy, int64_t ox) {
    double s = kind == OX_POOL_MAX ? -INFINITY : 0;
    int64_t count = 0;
    for (int64_t ky = 0; ky < c->kernel_h; ky++)
        for (int64_t kx = 0; kx < c->kernel_w; kx++) {
            int64_t y = oy * c->stride_h - c->pad_top + ky * c->dilation_h, z = ox * c->stride_w - c->pad_left + kx * c->dilation_w;
            bool inside = y >= 0 && y < c->in_h && z >= 0 && z < c->in_w;
            count += inside || (kind == OX_POOL_AVERAGE_PADS && y < c->in_h + bottom && z < c->in_w + right);
            if (!inside) continue;
            double v = x[y * c->in_w + z];
            s = kind == OX_POOL_MAX ? fmax(s, v) : s + v;
        }
    return kind == OX_POOL_MAX ? s : count ? s / (double)count : 0;
}

static void pools(void **state) {
    (void)state;
    for (int i = 0; i < 300; i++) {
        seed = (uint32_t)i;
        ox_conv c = geometry(5, i % 8 ? 9 : 60);
        c.in_channels = c.out_channels = pick(1, 40);
        int64_t bottom = pick(0, c.kernel_h - 1), right = pick(0, c.kernel_w - 1), hw = c.in_h * c.in_w, to = c.out_h * c.out_w;
        c.out_h += pick(0, 1), c.out_w += pick(0, 1), to = c.out_h * c.out_w; /* windows beyond the end */
        float *planar = floats(c.batch * c.in_channels * hw), *x = to_blocks(c.batch, c.in_channels, hw, planar);
        int64_t n = c.batch * whole(c.in_channels) * to;
        float *y = floats(n), *z = floats(n);
        for (ox_pool_kind kind = OX_POOL_MAX; kind <= OX_POOL_AVERAGE_PADS; kind++) {
            ox_pool_run(1, &c, kind, bottom, right, x, y);
            ox_pool_run(3, &c, kind, bottom, right, x, z);
            assert_memory_equal(y, z, (size_t)n * sizeof(float));
            for (int64_t k = 0; k < c.batch; k++)
                for (int64_t ch = 0; ch < c.in_channels; ch++)
                    for (int64_t p = 0; p < to; p++) {
                        double want = pooled(&c, kind, bottom, right, planar + (k * c.in_channels + ch) * hw, p / c.out_w, p % c.out_w);
                        double got = y[at(k, c.in_channels, to, ch, p)];
                        assert_true(got == want || fabs(got - want) < 1e-5);
                    }
        }
        float *all[] = {planar, x, y, z};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) free_floats(all[k]);
    }
}

static void whole_images(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        seed = (uint32_t)i;
        int64_t n = pick(1, 3), c = pick(1, 50), hw = i % 6 ? pick(1, 100) : pick(4000, 9000);
        float *planar = floats(n * c * hw), *x = to_blocks(n, c, hw, planar), *back = floats(n * c * hw), *y = floats(n * whole(c));
        ox_image_unblock((int)pick(1, 4), n, c, hw, x, back);
        assert_memory_equal(planar, back, (size_t)(n * c * hw) * sizeof(float));
        for (int max = 0; max < 2; max++) {
            ox_pool_global((int)pick(1, 4), n, c, hw, max, x, y);
            for (int64_t k = 0; k < n * c; k++) {
                double want = max ? -INFINITY : 0;
                for (int64_t p = 0; p < hw; p++) want = max ? fmax(want, planar[k * hw + p]) : want + planar[k * hw + p] / (double)hw;
                assert_true(fabs(y[at(k / c, c, 1, k % c, 0)] - want) < 1e-5);
            }
        }
        float *all[] = {planar, x, back, y};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) free_floats(all[k]);
    }
}

/* A NaN anywhere in a window is its maximum. */
static void nan_in_pools(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        seed = (uint32_t)i;
        ox_conv c = geometry(4, 12);
        c.in_channels = c.out_channels = pick(1, 20);
        int64_t hw = c.in_h * c.in_w, to = c.out_h * c.out_w, n = c.batch * whole(c.in_channels) * to;
        float *planar = floats(c.batch * c.in_channels * hw);
        for (int64_t k = 0; k < c.batch * c.in_channels * hw; k += pick(1, 9)) planar[k] = NAN;
        float *x = floats(c.batch * whole(c.in_channels) * hw), *y = floats(n), *z = floats(c.batch * whole(c.in_channels));
        ox_image_block(1, c.batch, c.in_channels, hw, planar, x);
        ox_pool_run(1, &c, OX_POOL_MAX, 0, 0, x, y);
        ox_pool_global(1, c.batch, c.in_channels, hw, true, x, z);
        for (int64_t k = 0; k < c.batch * c.in_channels; k++) {
            bool any = false;
            for (int64_t p = 0; p < hw; p++) any |= isnan(planar[k * hw + p]);
            assert_int_equal(isnan(z[at(k / c.in_channels, c.in_channels, 1, k % c.in_channels, 0)]) != 0, any);
            for (int64_t p = 0; p < to; p++) {
                any = false;
                for (int64_t t = 0; t < c.kernel_h * c.kernel_w; t++) {
                    int64_t iy = p / c.out_w * c.stride_h - c.pad_top + t / c.kernel_w * c.dilation_h;
                    int64_t ix = p % c.out_w * c.stride_w - c.pad_left + t % c.kernel_w * c.dilation_w;
                    any |= iy >= 0 && iy < c.in_h && ix >= 0 && ix < c.in_w && isnan(planar[k * hw + iy * c.in_w + ix]);
                }
                assert_int_equal(isnan(y[at(k / c.in_channels, c.in_channels, to, k % c.in_channels, p)]) != 0, any);
            }
        }
        float *all[] = {planar, x, y, z};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) free_floats(all[k]);
    }
}

static void padded_images(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        seed = (uint32_t)i;
        ox_image_pads p = {.batch = pick(1, 3), .in_channels = pick(1, 40), .in_h = pick(1, 9), .in_w = pick(1, 9), .top = pick(0, 2), .left = pick(0, 2),
                           .value = pick(0, 1) ? 0 : 1.5f};
        p.out_channels = p.in_channels + (pick(0, 1) ? pick(0, 30) : 0);
        p.out_h = p.in_h + p.top + pick(0, 2), p.out_w = p.in_w + p.left + pick(0, 2);
        int64_t in = p.in_h * p.in_w, out = p.out_h * p.out_w, n = p.batch * whole(p.out_channels) * out;
        float *planar = floats(p.batch * p.in_channels * in), *x = to_blocks(p.batch, p.in_channels, in, planar), *y = floats(n);
        for (int64_t k = 0; k < p.batch; k++) /* where no channel is there may be anything */
            for (int64_t ch = p.in_channels; ch < whole(p.in_channels); ch++) x[at(k, p.in_channels, in, ch, 0)] = 7;
        ox_image_pad((int)pick(1, 3), &p, x, y);
        for (int64_t k = 0; k < p.batch; k++)
            for (int64_t ch = 0; ch < whole(p.out_channels); ch++)
                for (int64_t e = 0; e < out; e++) {
                    int64_t iy = e / p.out_w - p.top, ix = e % p.out_w - p.left;
                    bool inside = ch < p.in_channels && iy >= 0 && iy < p.in_h && ix >= 0 && ix < p.in_w;
                    float want = inside ? planar[(k * p.in_channels + ch) * in + iy * p.in_w + ix] : ch < p.out_channels ? p.value : 0;
                    assert_true(y[at(k, p.out_channels, out, ch, e)] == want);
                }
        float *all[] = {planar, x, y};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) free_floats(all[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_geometry), cmocka_unit_test(usual_layers), cmocka_unit_test(tiles), cmocka_unit_test(forms),
        cmocka_unit_test(pools),        cmocka_unit_test(whole_images),
        cmocka_unit_test(nan_in_pools), cmocka_unit_test(padded_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
