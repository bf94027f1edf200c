/* How fast products of matrices are: ours with packed weights, ours without, OpenBLAS when it is installed. Not a test: prints microseconds
 * (the best of many runs, hot caches) and the rate of ours.
 *
 *     bench_gemm [THREADS [MxNxK ...]]     a size with t behind it: B transposed; bCOUNT before it: so many at once */
#include "cpu/gemm.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                      float *c, int ldc);
static sgemm_fn *library;

static const char *const usual[] = {"1x64x128", "8x128x128", "b12:64x64x64", "b12:64x64x64t", "49x96x384", "49x384x96", "196x768x768", "196x3072x768", "196x768x3072", "1x4096x4096",
                                    "1x4096x4096t", "4x4096x1024", "1x1000x2048", "1x1000x2048t", "8x1000x2048", "8x1000x2048t", "4000x1x1000", "16x16x16", "33x65x100", "100x10x50", "128x128x128", "512x512x512",
                                    "1024x1024x1024", "1024x1024x1024t", "3072x3072x3072"};

static clockid_t watch = CLOCK_PROCESS_CPUTIME_ID; /* with one thread: what others take from the processor does not count */

static double now(void) {
    struct timespec t;
    clock_gettime(watch, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

typedef struct product {
    int threads, count;
    long m, n, k;
    bool trans_b;
    float *a, *b, *c, *packed;
} product;

static void ours(const product *p) {
    const ox_gemm_many many = {.count = p->count, .a_step = p->m * p->k, .b_step = p->k * p->n, .c_step = p->m * p->n};
    ox_gemm_batch(p->threads, &many, false, p->trans_b, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->trans_b ? p->k : p->n, NULL, NULL, p->c, p->n);
}

static void ours_one(const product *p) {
    ox_gemm(p->threads, false, p->trans_b, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->trans_b ? p->k : p->n, false, NULL, NULL, p->c, p->n);
}

static void ours_packed(const product *p) {
    ox_gemm_packed(p->threads, false, p->m, p->n, p->k, 1, p->a, p->k, p->packed, NULL, NULL, p->c, p->n);
}

static void theirs(const product *p) {
    for (int i = 0; i < p->count; i++)
        library(101, 111, p->trans_b ? 112 : 111, (int)p->m, (int)p->n, (int)p->k, 1, p->a + i * p->m * p->k, (int)p->k, p->b + i * p->k * p->n,
                (int)(p->trans_b ? p->k : p->n), 0, p->c + i * p->m * p->n, (int)p->n);
}

/* The best of runs of about a millisecond each. */
static double best(void (*fn)(const product *p), const product *p, double all) {
    fn(p);
    double t = now();
    fn(p);
    t = now() - t;
    int inner = t > 500 ? 1 : (int)(1000 / (t + 0.02)) + 1;
    double least = 1e30;
    for (double end = now() + all; now() < end;) {
        t = now();
        for (int i = 0; i < inner; i++) fn(p);
        t = (now() - t) / inner;
        if (t < least) least = t;
    }
    return least;
}

static float *numbers(long n) {
    float *p = aligned_alloc(64, ((size_t)n * 4 + 127) / 64 * 64);
    if (!p) exit(1);
    for (long i = 0; i < n; i++) p[i] = (float)(i * 7919 % 1000) / 1000 - 0.5f;
    return p;
}

static void measure(int threads, const char *text) {
    product p = {.threads = threads, .count = 1};
    char trans = 0;
    const char *size = text;
    if (*text == 'b') {
        p.count = atoi(text + 1);
        size = strchr(text, ':') + 1;
    }
    if (sscanf(size, "%ldx%ldx%ld%c", &p.m, &p.n, &p.k, &trans) < 3) return;
    p.trans_b = trans == 't';
    p.a = numbers(p.count * p.m * p.k);
    p.b = numbers(p.count * p.n * p.k);
    p.c = numbers(p.count * p.m * p.n);
    p.packed = aligned_alloc(64, ox_gemm_packed_bytes(p.n, p.k) / 64 * 64 + 64);
    ox_gemm_pack(1, p.trans_b, p.n, p.k, p.b, p.trans_b ? p.k : p.n, p.packed);
    double flops = 2.0 * (double)p.m * (double)p.n * (double)p.k * p.count, all = flops > 1e9 ? 4e5 : 6e4;
    double packed = p.count == 1 ? best(ours_packed, &p, all) : 0, direct = best(p.count > 1 ? ours : ours_one, &p, all), peer = library ? best(theirs, &p, all) : 0;
    printf("%-18s packed %10.2f  direct %10.2f  OpenBLAS %10.2f us   %6.1f %6.1f %6.1f GFLOP/s   ratio %.2f %.2f\n", text, packed, direct, peer,
           packed > 0 ? flops / packed / 1e3 : 0, flops / direct / 1e3, peer > 0 ? flops / peer / 1e3 : 0, peer > 0 ? packed / peer : 0, peer > 0 ? direct / peer : 0);
    fflush(stdout);
    free(p.a);
    free(p.b);
    free(p.c);
    free(p.packed);
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    void *handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL), *fn = handle ? dlsym(handle, "cblas_sgemm") : NULL;
    memcpy(&library, &fn, sizeof fn);
    void *set = handle ? dlsym(handle, "openblas_set_num_threads") : NULL;
    void (*set_threads)(int) = NULL;
    memcpy(&set_threads, &set, sizeof set);
    if (set_threads) set_threads(threads);
    if (threads > 1) watch = CLOCK_MONOTONIC;
    printf("instruction set %s, %d threads\n", ox_cpu_isa_name(), threads);
    for (int i = 2; i < argc; i++) measure(threads, argv[i]);
    for (size_t i = 0; argc < 3 && i < sizeof usual / sizeof usual[0]; i++) measure(threads, usual[i]);
    return 0;
}
