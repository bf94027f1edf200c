/* Times the functions of lib/cpu/vec.h on one thread: best of many runs. Usage: bench_vec [WORD], for what has WORD in its name. OX_ISA
 * chooses the instruction set. "libm" is a plain loop over the library's function. */
#include "cpu/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SMALL = 1 << 13, LARGE = 1 << 22 };
static float *x, *y, *z;
static const float params[] = {-1.0f, 1.0f};
static const ox_vec *v;
static const char *word;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct work { const char *name; int which; int64_t n; void (*run)(int which, int64_t n); double bytes; } work;

static void unary(int which, int64_t n) { v->fn[which](y, x, n, params); }
static void binary(int which, int64_t n) { v->fn2[which / OX_FORM_COUNT][which % OX_FORM_COUNT](y, x, z, n); }

static void libm(int which, int64_t n) {
    switch (which) {
    case OX_FN_EXP: for (int64_t i = 0; i < n; i++) y[i] = expf(x[i]); break;
    case OX_FN_LOG: for (int64_t i = 0; i < n; i++) y[i] = logf(x[i]); break;
    case OX_FN_TANH: for (int64_t i = 0; i < n; i++) y[i] = tanhf(x[i]); break;
    case OX_FN_SIGMOID: for (int64_t i = 0; i < n; i++) y[i] = 1 / (1 + expf(-x[i])); break;
    case OX_FN_ERF: for (int64_t i = 0; i < n; i++) y[i] = erff(x[i]); break;
    case OX_FN_SIN: for (int64_t i = 0; i < n; i++) y[i] = sinf(x[i]); break;
    default: for (int64_t i = 0; i < n; i++) y[i] = powf(x[i], z[i]); break;
    }
}

/* Rows of WHICH elements. */
static void softmax(int which, int64_t n) { for (int64_t i = 0; i + which <= n; i += which) v->softmax(y + i, x + i, which); }
static void softmax_columns(int which, int64_t n) { v->softmax_columns(y, x, n / which, which, which, false); }
static void layer_norm(int which, int64_t n) { for (int64_t i = 0; i + which <= n; i += which) v->layer_norm(y + i, x + i, which, 1e-5, z, z, NULL); }
static void fold(int which, int64_t n) { y[0] = (float)v->fold((ox_fold)which, x, n); }
static void fold_columns(int which, int64_t n) {
    static double acc[512];
    v->fold_columns((ox_fold)which, acc, x, n / 512, 512, 512);
}

static void half(int which, int64_t n) {
    switch (which) {
    case 0: v->from_half(y, (const uint16_t *)(const void *)x, n); break;
    case 1: v->to_half((uint16_t *)(void *)y, x, n); break;
    case 2: v->from_bfloat16(y, (const uint16_t *)(const void *)x, n); break;
    default: v->to_bfloat16((uint16_t *)(void *)y, x, n); break;
    }
}

/* Bytes of n elements as floats; the digits of WHICH are the permutation. */
static void permute(int which, int64_t n) {
    int bytes = which / 10000;
    int64_t side = 1, cells = n * 4 / bytes;
    while (side * side < cells) side *= 2;
    if (which % 10000 == 10) ox_permute(1, bytes, 2, (int64_t[]){side, cells / side}, (int64_t[]){1, 0}, x, y);
    if (which % 10000 == 213) ox_permute(1, bytes, 4, (int64_t[]){1, n / 1024, 16, 64}, (int64_t[]){0, 2, 1, 3}, x, y);
    if (which % 10000 == 231) ox_permute(1, bytes, 4, (int64_t[]){1, 64, 32, n / 2048}, (int64_t[]){0, 2, 3, 1}, x, y);
    if (which % 10000 == 312) ox_permute(1, bytes, 4, (int64_t[]){1, 32, n / 2048, 64}, (int64_t[]){0, 3, 1, 2}, x, y);
    if (which % 10000 == 2310) ox_permute(1, bytes, 4, (int64_t[]){1, 3, 32, n / 96}, (int64_t[]){0, 2, 3, 1}, x, y);
}
static void copy(int which, int64_t n) { memcpy(y, x, (size_t)n * (size_t)which); }

static void measure(const work *w) {
    if (word && !strstr(w->name, word)) return;
    int64_t sizes[] = {w->n ? w->n : SMALL, w->n ? 0 : LARGE};
    printf("%-24s", w->name);
    for (int s = 0; s < 2 && sizes[s]; s++) {
        int64_t n = sizes[s];
        double best = 1e9, end = now() + 0.02;
        int runs = 0;
        do {
            double start = now();
            w->run(w->which, n);
            double t = now() - start;
            if (t < best) best = t;
        } while (++runs < 4 || now() < end);
        printf("  n %-8lld %7.3f ns each %7.2f GB/s", (long long)n, best * 1e9 / (double)n, w->bytes * (double)n / best * 1e-9);
    }
    printf("\n");
}

int main(int argc, char **argv) {
    word = argc > 1 ? argv[1] : NULL;
    v = ox_vec_table();
    x = aligned_alloc(64, LARGE * 4);
    y = aligned_alloc(64, LARGE * 4);
    z = aligned_alloc(64, LARGE * 4);
    if (!x || !y || !z) return 1;
    for (int64_t i = 0; i < LARGE; i++) {
        x[i] = (float)(i * 7919 % 10007) * 1e-3f + 0.001f;
        y[i] = z[i] = (float)(i * 31 % 1009) * 2e-3f - 1;
    }
    static const work all[] = {
        {"copy", 4, 0, copy, 8}, {"Relu", OX_FN_RELU, 0, unary, 8}, {"Clip", OX_FN_CLIP, 0, unary, 8}, {"Exp", OX_FN_EXP, 0, unary, 8},
        {"Exp libm", OX_FN_EXP, 0, libm, 8}, {"Log", OX_FN_LOG, 0, unary, 8}, {"Log libm", OX_FN_LOG, 0, libm, 8}, {"Tanh", OX_FN_TANH, 0, unary, 8},
        {"Tanh libm", OX_FN_TANH, 0, libm, 8}, {"Sigmoid", OX_FN_SIGMOID, 0, unary, 8}, {"Sigmoid libm", OX_FN_SIGMOID, 0, libm, 8},
        {"Erf", OX_FN_ERF, 0, unary, 8}, {"Erf libm", OX_FN_ERF, 0, libm, 8}, {"Gelu", OX_FN_GELU, 0, unary, 8}, {"GeluTanh", OX_FN_GELU_TANH, 0, unary, 8},
        {"Mish", OX_FN_MISH, 0, unary, 8}, {"Softplus", OX_FN_SOFTPLUS, 0, unary, 8}, {"Elu", OX_FN_ELU, 0, unary, 8}, {"Swish", OX_FN_SWISH, 0, unary, 8},
        {"HardSwish", OX_FN_HARD_SWISH, 0, unary, 8}, {"Sin", OX_FN_SIN, 0, unary, 8}, {"Sin libm", OX_FN_SIN, 0, libm, 8}, {"Sqrt", OX_FN_SQRT, 0, unary, 8},
        {"Add", OX_FN2_ADD * 3, 0, binary, 12}, {"Add one", OX_FN2_ADD * 3 + 1, 0, binary, 8}, {"Div", OX_FN2_DIV * 3, 0, binary, 12},
        {"Max", OX_FN2_MAX * 3, 0, binary, 12}, {"Pow", OX_FN2_POW * 3, 0, binary, 12}, {"Pow libm", OX_FN_COUNT, 0, libm, 12},
        {"softmax 64", 64, 0, softmax, 8}, {"softmax 1000", 1000, 0, softmax, 8}, {"softmax columns 256", 256, 0, softmax_columns, 8},
        {"layer norm 768", 768, 0, layer_norm, 8}, {"sum", OX_FOLD_SUM, 0, fold, 4}, {"squares", OX_FOLD_SQUARES, 0, fold, 4}, {"max", OX_FOLD_MAX, 0, fold, 4},
        {"sum columns", OX_FOLD_SUM, 0, fold_columns, 4}, {"max columns", OX_FOLD_MAX, 0, fold_columns, 4}, {"from half", 0, 0, half, 6}, {"to half", 1, 0, half, 6},
        {"from bfloat16", 2, 0, half, 6}, {"to bfloat16", 3, 0, half, 6}, {"transpose 4", 40010, 0, permute, 8}, {"transpose 1", 10010, 0, permute, 8},
        {"transpose 2", 20010, 0, permute, 8}, {"transpose 8", 80010, 0, permute, 8}, {"heads 0213", 40213, 0, permute, 8},
        {"NCHW to NHWC 64", 40231, 0, permute, 8}, {"NHWC to NCHW 64", 40312, 0, permute, 8}, {"NCHW to NHWC 3", 42310, LARGE, permute, 8},
    };
    printf("set %s\n", ox_cpu_isa_name());
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) measure(&all[i]);
    free(x);
    free(y);
    free(z);
    return 0;
}
