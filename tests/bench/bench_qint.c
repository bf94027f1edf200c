/* Times of products and convolutions of 8-bit integers on one thread: least of many runs, packing apart. A benchmark, never a test.
 * Usage: bench_qint [seconds per line]; OX_ISA lowers the instruction set. */
#include "cpu/qconv.h"
#include "cpu/qgemm.h"
#include "cpu/qvec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds = 0.4;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *memory(uint64_t n) {
    uint8_t *p = aligned_alloc(64, (n + 127) / 64 * 64);
    if (!p) exit(1);
    for (uint64_t i = 0; i < n; i++) p[i] = (uint8_t)(i * 2654435761u >> 13);
    return p;
}

/* Least time of FN in microseconds. */
static double least(void (*fn)(void *user), void *user) {
    double best = 1e9;
    for (double start = now(); now() - start < seconds;) {
        double t = now();
        fn(user);
        t = now() - t;
        if (t < best) best = t;
    }
    return best * 1e6;
}

typedef struct product {
    int64_t m, n, k, ldc;
    ox_qmatrix a;
    void *b, *packed, *scratch, *out;
    ox_qtail tail;
} product;

static void pack_product(void *user) {
    product *p = user;
    ox_qgemm_pack(1, p->n, p->k, p->b, true, p->n, false, p->packed);
}
static void run_product(void *user) {
    product *p = user;
    ox_qgemm(1, p->m, &p->a, p->packed, (ox_qzero){NULL, false}, &p->tail, p->out, p->n, p->scratch);
}

static void bench_product(int64_t m, int64_t k, int64_t n) {
    static const int32_t zero = 3;
    static const float scale = 0.001f;
    product p = {.m = m, .n = n, .k = k, .a = {memory((uint64_t)(m * k)), false, k, {&zero, false}}};
    p.b = memory((uint64_t)(n * k));
    p.packed = memory(ox_qgemm_packed_size(n, k));
    p.scratch = memory(ox_qgemm_scratch(m, n, k));
    p.out = memory((uint64_t)(m * n * 4));
    double pack = least(pack_product, &p), sums = least(run_product, &p);
    p.tail = (ox_qtail){OX_Q_U8, NULL, &scale, false, NULL, 128, 0, 255};
    double bytes = least(run_product, &p);
    printf("product %lldx%lldx%lld: sums %.1f us, u8 %.1f us (%.0f GMAC/s), packing %.1f us\n", (long long)m,
           (long long)k, (long long)n, sums, bytes, (double)(m * n * k) / bytes * 1e-3, pack);
    free((void *)(uintptr_t)p.a.data), free(p.b), free(p.packed), free(p.scratch), free(p.out);
}

typedef struct conv {
    ox_qconv c;
    ox_qimage x;
    ox_qlayout layout;
    void *w, *packed, *scratch, *out;
    ox_qtail tail;
} conv;

static void pack_conv(void *user) {
    conv *v = user;
    ox_qconv_pack(1, &v->c, v->w, true, (ox_qzero){NULL, false}, v->packed);
}
static void run_conv(void *user) {
    conv *v = user;
    ox_qconv_run(1, &v->c, &v->x, v->packed, &v->tail, v->layout, v->out, v->scratch);
}

static void bench_conv(const char *name, int64_t groups, int64_t in_ch, int64_t out_ch, int64_t size, int64_t kernel,
                       int64_t stride) {
    static const float scale = 0.001f;
    int64_t out = (size + kernel / 2 * 2 - kernel) / stride + 1,
            macs = out * out * groups * out_ch * in_ch * kernel * kernel;
    conv v = {.c = {1,
                    groups,
                    in_ch,
                    out_ch,
                    {size, size},
                    {out, out},
                    {kernel, kernel},
                    {stride, stride},
                    {1, 1},
                    {kernel / 2, kernel / 2}},
              .tail = {OX_Q_U8, NULL, &scale, false, NULL, 128, 0, 255}};
    v.x.data = memory((uint64_t)(groups * in_ch * size * size));
    v.w = memory((uint64_t)(groups * in_ch * out_ch * kernel * kernel));
    v.packed = memory(ox_qconv_packed_size(&v.c));
    v.scratch = memory(ox_qconv_scratch(1, &v.c));
    v.out = memory((uint64_t)(groups * out_ch * out * out));
    double pack = least(pack_conv, &v), planes = least(run_conv, &v);
    v.layout = v.x.layout = OX_Q_NHWC;
    double pixels = least(run_conv, &v);
    printf("convolution %s: by planes %.1f us, by pixels %.1f us (%.0f GMAC/s), packing %.1f us\n", name, planes,
           pixels, (double)macs / pixels * 1e-3, pack);
    free((void *)(uintptr_t)v.x.data), free(v.w), free(v.packed), free(v.scratch), free(v.out);
}

enum { MANY = 1 << 20 };
typedef struct arrays {
    float *x;
    uint8_t *a, *b, *y;
    float lo, hi;
    ox_qparam p;
} arrays;
static void run_quantize(void *u) {
    arrays *v = u;
    ox_qv_quantize(v->x, MANY, v->p, 0, 255, v->y);
}
static void run_dequantize(void *u) {
    arrays *v = u;
    ox_qv_dequantize(v->a, false, MANY, v->p, v->x);
}
static void run_range(void *u) {
    arrays *v = u;
    ox_qv_range(v->x, MANY, &v->lo, &v->hi);
}
static void run_add(void *u) {
    arrays *v = u;
    ox_qv_pair('+', v->a, v->b, MANY, false, v->p, v->p, v->p, v->y);
}
static void run_table(void *u) {
    arrays *v = u;
    ox_qv_table(v->a, MANY, v->b, v->y);
}

int main(int argc, char **argv) {
    if (argc > 1) seconds = atof(argv[1]);
    bench_product(128, 128, 128);
    bench_product(512, 512, 512);
    bench_product(1, 1024, 1024);
    bench_product(196, 768, 3072);
    bench_conv("3x3 64->64 @56", 1, 64, 64, 56, 3, 1);
    bench_conv("1x1 64->256 @56", 1, 64, 256, 56, 1, 1);
    bench_conv("3x3 128->128 @28", 1, 128, 128, 28, 3, 1);
    bench_conv("3x3 depthwise 144 @56", 144, 1, 1, 56, 3, 1);
    bench_conv("3x3s2 3->32 @224", 1, 3, 32, 224, 3, 2);
    bench_conv("3x3 512->512 @7", 1, 512, 512, 7, 3, 1);
    arrays v = {memory(MANY * 4), memory(MANY), memory(MANY), memory(MANY), 0, 0, {0.02f, 3}};
    for (int i = 0; i < MANY; i++) v.x[i] = (float)(i % 1000) * 0.01f;
    printf("1 Mi elements: quantize %.1f us, dequantize %.1f us, range %.1f us, add %.1f us, table %.1f us\n",
           least(run_quantize, &v), least(run_dequantize, &v), least(run_range, &v), least(run_add, &v),
           least(run_table, &v));
    return 0;
}
