/* Times and workspace of all algorithms of convolution, beside the peak of the processor: bench_conv [threads [part of a layer's name [part of an
 * algorithm's name]]]. A layer's floating point operations are those of the direct way. Not a test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/conv_algorithms.h"

typedef struct layer {
    const char *name;
    int64_t groups, in, out, h, w, kh, kw, stride, pad;
} layer;

static const layer layers[] = {
    {"7x7s2 3-64 @224", 1, 3, 64, 224, 224, 7, 7, 2, 3},       {"1x1 64-256 @56", 1, 64, 256, 56, 56, 1, 1, 1, 0},
    {"3x3 64-64 @56", 1, 64, 64, 56, 56, 3, 3, 1, 1},          {"3x3 128-128 @28", 1, 128, 128, 28, 28, 3, 3, 1, 1},
    {"1x1 512-128 @28", 1, 512, 128, 28, 28, 1, 1, 1, 0},      {"3x3 256-256 @14", 1, 256, 256, 14, 14, 3, 3, 1, 1},
    {"1x1 1024-256 @14", 1, 1024, 256, 14, 14, 1, 1, 1, 0},    {"3x3 512-512 @7", 1, 512, 512, 7, 7, 3, 3, 1, 1},
    {"3x3 256-256 @56", 1, 256, 256, 56, 56, 3, 3, 1, 1},      {"3x3 64-64 @224", 1, 64, 64, 224, 224, 3, 3, 1, 1},
    {"1x1 2048-512 @7", 1, 2048, 512, 7, 7, 1, 1, 1, 0},       {"1x1 96-24 @56", 1, 96, 24, 56, 56, 1, 1, 1, 0},
    {"1x1 24-144 @56", 1, 24, 144, 56, 56, 1, 1, 1, 0},        {"dw3x3 144 @56", 144, 144, 144, 56, 56, 3, 3, 1, 1},
    {"dw3x3s2 144 @56", 144, 144, 144, 56, 56, 3, 3, 2, 1},    {"dw3x3 96 @20", 96, 96, 96, 20, 20, 3, 3, 1, 1},
    {"dw3x3 960 @7", 960, 960, 960, 7, 7, 3, 3, 1, 1},         {"dw5x5 240 @14", 240, 240, 240, 14, 14, 5, 5, 1, 2},
    {"3x3 32-32 @320x192", 1, 32, 32, 320, 192, 3, 3, 1, 1},   {"3x3 3-32 @640x480", 1, 3, 32, 640, 480, 3, 3, 1, 1},
    {"3x3 3-64 @224", 1, 3, 64, 224, 224, 3, 3, 1, 1},         {"5x5 1-64 @224", 1, 1, 64, 224, 224, 5, 5, 1, 2},
    {"3x3s2 3-32 @224", 1, 3, 32, 224, 224, 3, 3, 2, 1},       {"9x9 3-32 @224", 1, 3, 32, 224, 224, 9, 9, 1, 4},
    {"9x9 32-3 @224", 1, 32, 3, 224, 224, 9, 9, 1, 4},         {"k3 128-128 @400", 1, 128, 128, 1, 400, 1, 3, 1, 1},
    {"small 5x5 1-8 @28", 1, 1, 8, 28, 28, 5, 5, 1, 2},        {"small 5x5 8-16 @14", 1, 8, 16, 14, 14, 5, 5, 1, 2},
    {"small 8x8 1-16 @40", 1, 1, 16, 49, 40, 7, 7, 1, 3},      {"small 7x7 16-12 @20", 1, 16, 12, 24, 20, 7, 7, 1, 3},
    {"small 3x3 16-16 @56", 1, 16, 16, 56, 56, 3, 3, 1, 1},    {"small 3x3 24-24 @28", 1, 24, 24, 28, 28, 3, 3, 1, 1},
    {"small 3x3 8-8 @20", 1, 8, 8, 20, 20, 3, 3, 1, 1},        {"small 1x1 16-16 @20", 1, 16, 16, 20, 20, 1, 1, 1, 0},
    {"small 1x1 16-8 @4", 1, 16, 8, 4, 4, 1, 1, 1, 0},         {"small dw3x3 16 @20", 16, 16, 16, 20, 20, 3, 3, 1, 1},
    {"small dw3x3 80 @32", 80, 80, 80, 32, 32, 3, 3, 1, 1},    {"small dw3x3 48 @33", 48, 48, 48, 33, 33, 3, 3, 1, 1},
    {"small 5x5s2 3-24 @128", 1, 3, 24, 128, 128, 5, 5, 2, 2}, {"small 3x3s2 3-16 @128", 1, 3, 16, 128, 128, 3, 3, 2, 1},
};

static double clock_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) { return clock_of(CLOCK_MONOTONIC); }

static float *filled(uint64_t n) {
    float *p = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
    if (!p) exit(71);
    for (uint64_t i = 0; i < n; i++) p[i] = (float)(i * 2654435761u % 1000) / 1000 - 0.5f;
    return p;
}

typedef struct operands { float *x, *w, *bias, *y; } operands;

static double time_of(const ox_conv_algorithm *a, int threads, const ox_conv *c, ox_conv_form form, const operands *o) {
    float *packed = filled(a->packed_floats(c, form)), *workspace = filled(a->workspace(a, c, form) / sizeof(float) + 1);
    a->pack(c, form, o->w, NULL, packed, threads);
    double best = 1e9, start = now();
    for (int i = 0; i < 5 || now() - start < 0.2; i++) {
        double cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID), t = now();
        a->run(a, threads, c, form, o->x, packed, o->bias, NULL, o->y, workspace);
        t = now() - t, cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        if (threads == 1 && t > 2e-3 && cpu < t) t = cpu; /* longer than others leave the processor alone; too coarse for short times */
        if (t < best) best = t;
    }
    free(packed), free(workspace);
    return best;
}

static void measure(const layer *l, int threads, const char *only) {
    bool row = l->kh == 1 && l->kw > 1;
    ox_conv c = {1, l->groups, l->in, l->out, l->h, l->w, 0, 0, l->kh, l->kw, l->stride, l->stride, 1, 1, row ? 0 : l->pad, l->pad, false};
    c.out_h = (l->h + 2 * c.pad_top - l->kh) / l->stride + 1;
    c.out_w = (l->w + 2 * c.pad_left - l->kw) / l->stride + 1;
    int64_t b = ox_conv_block(), in = (l->in + b - 1) / b * b, out = (l->out + b - 1) / b * b;
    ox_conv_form form = ox_conv_form_of(&c);
    uint64_t weights = (uint64_t)(l->out * (l->in / l->groups) * l->kh * l->kw);
    operands o = {filled((uint64_t)(in * l->h * l->w)), filled(weights), filled((uint64_t)out), filled((uint64_t)(out * c.out_h * c.out_w))};
    double flops = 2.0 * (double)weights * (double)c.out_h * (double)c.out_w;
    size_t n;
    const ox_conv_algorithm *const *all = ox_conv_algorithms(&n);
    for (size_t i = 0; i < n; i++) {
        const ox_conv_algorithm *a = all[i];
        if ((only && !strstr(a->name, only)) || !a->serves(a, &c, form)) continue;
        double t = time_of(a, threads, &c, form, &o);
        printf("%-22s %-18s %8.0f KiB %9.1f us %7.1f GFLOP/s\n", l->name, a->name, (double)a->workspace(a, &c, form) / 1024, t * 1e6, flops / t * 1e-9);
    }
    free(o.x), free(o.w), free(o.bias), free(o.y);
}

/* FMAs of independent sums: vectors of 16 floats are cut by the compiler to what it may use. */
__attribute__((target("avx512f"))) static double peak(void) {
    typedef float v16 __attribute__((vector_size(64)));
    double best = 0;
    for (int i = 0; i < 5; i++) {
        v16 s[12], a = (v16){0} + 0.5f, b = (v16){0} + 1e-3f;
        for (int j = 0; j < 12; j++) s[j] = a + (float)j;
        double t = now();
        for (int k = 0; k < 1000000; k++) {
            __asm__ volatile("" : "+v"(a), "+v"(b));
#pragma GCC unroll 12
            for (int j = 0; j < 12; j++) s[j] = s[j] * a + b;
        }
        t = now() - t;
        for (int j = 0; j < 12; j++) __asm__ volatile("" : "+v"(s[j]));
        if (2.0 * 16 * 12 * 1e6 / t > best) best = 2.0 * 16 * 12 * 1e6 / t;
    }
    return best * 1e-9;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    if (__builtin_cpu_supports("avx512f")) printf("peak of a core: %.1f GFLOP/s\n", peak());
    printf("%s\n", ox_cpu_isa_name());
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (argc < 3 || strstr(layers[i].name, argv[2])) measure(&layers[i], threads, argc > 3 ? argv[3] : NULL);
    return 0;
}
