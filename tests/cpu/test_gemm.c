/* Products of matrices against sums in double: every instruction set, forms, sizes around every block boundary, bias and tails; the same bits
 * for any number of threads. The instruction set is chosen once per process, so the test starts itself with each. */
#include "cpu/gemm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 88172645463325252u;
static int64_t below(int64_t n) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % (uint64_t)n);
}

static float number(void) { return (float)below(2001) / 1000 - 1; }

/* Memory of just this size, so that tools that watch memory see every step too far. */
static float *numbers(int64_t n) {
    float *p = malloc((size_t)(n ? n : 1) * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = number();
    return p;
}

typedef struct form {
    bool ta, tb, accumulate, packed;
    int64_t m, n, k, lda, ldb, ldc, batch;
    float alpha;
    float *a, *b, *bias, *add, *c, *was;
    ox_tail tail;
    const ox_tail *with;
} form;

/* What a tail's function was told: doubles y, and checks where it is. */
typedef struct rest_user { int64_t n, ldc, done; const float *c; int64_t wrong; } rest_user;
static void twice(const ox_tail *t, float *y, int64_t n, int64_t offset, int64_t channel) {
    rest_user *u = (rest_user *)(uintptr_t)t->user;
    int64_t at = y - u->c;
    if (at / u->ldc * u->n + at % u->ldc != offset || offset % u->n != channel) __atomic_fetch_add(&u->wrong, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&u->done, n, __ATOMIC_RELAXED);
    for (int64_t i = 0; i < n; i++) y[i] *= 2;
}

static int64_t stored_rows(bool t, int64_t rows, int64_t cols) { return t ? cols : rows; }

/* The floats that a matrix takes: its last row ends where its columns do. */
static int64_t extent(int64_t rows, int64_t cols, int64_t ld) { return rows && cols ? (rows - 1) * ld + cols : 0; }

static form make(int64_t m, int64_t n, int64_t k, int what) {
    form f = {.m = m, .n = n, .k = k, .ta = what & 1, .tb = what & 2, .packed = what & 4, .batch = 1, .alpha = what % 7 == 3 ? 0.5f : 1};
    f.accumulate = !f.packed && what % 5 == 1;
    f.lda = (f.ta ? m : k) + (what & 8 ? 3 : 0);
    f.ldb = (f.tb ? k : n) + (what & 16 ? 5 : 0);
    f.ldc = n + (what & 32 ? 7 : 0);
    f.a = numbers(extent(stored_rows(f.ta, m, k), f.ta ? m : k, f.lda));
    f.b = numbers(extent(stored_rows(f.tb, k, n), f.tb ? k : n, f.ldb));
    f.bias = what & 64 && !f.accumulate ? numbers(n) : NULL;
    f.c = numbers(m * f.ldc);
    f.was = malloc((size_t)(m * f.ldc + 1) * sizeof *f.was);
    assert_non_null(f.was);
    memcpy(f.was, f.c, (size_t)(m * f.ldc) * sizeof *f.c);
    if (what & 128) {
        f.add = what & 256 ? numbers(m * f.ldc) : NULL;
        f.tail = (ox_tail){.add = f.add, .clamp = what & 512, .lo = -1, .hi = 2, .rest = what & 1024 ? twice : NULL};
        f.with = &f.tail;
    }
    return f;
}

static void drop(form *f) {
    free(f->a);
    free(f->b);
    free(f->bias);
    free(f->add);
    free(f->c);
    free(f->was);
}

static void compute(form *f, int threads) {
    const ox_tail *tail = f->with ? &f->tail : NULL;
    memcpy(f->c, f->was, (size_t)(f->m * f->ldc) * sizeof *f->c);
    if (!f->packed) {
        ox_gemm(threads, f->ta, f->tb, f->m, f->n, f->k, f->alpha, f->a, f->lda, f->b, f->ldb, f->accumulate, f->bias, tail, f->c, f->ldc);
        return;
    }
    float *packed = malloc(ox_gemm_packed_bytes(f->n, f->k) + 1);
    assert_non_null(packed);
    ox_gemm_pack(threads, f->tb, f->n, f->k, f->b, f->ldb, packed);
    ox_gemm_packed(threads, f->ta, f->m, f->n, f->k, f->alpha, f->a, f->lda, packed, f->bias, tail, f->c, f->ldc);
    free(packed);
}

static void check(form *f) {
    rest_user u = {.n = f->n, .ldc = f->ldc, .c = f->c};
    f->tail.user = &u;
    compute(f, 1);
    if (f->with && f->tail.rest) assert_int_equal(u.done, f->m * f->n);
    assert_int_equal(u.wrong, 0);
    for (int64_t i = 0; i < f->m; i++) {
        for (int64_t j = 0; j < f->ldc; j++) {
            const int64_t at = i * f->ldc + j;
            if (j >= f->n) {
                assert_true(f->c[at] == f->was[at]); /* what lies between rows is not ours */
                continue;
            }
            double sum = 0, size = 0;
            for (int64_t p = 0; p < f->k; p++) {
                double x = (double)f->a[f->ta ? p * f->lda + i : i * f->lda + p] * (double)f->b[f->tb ? j * f->ldb + p : p * f->ldb + j] * (double)f->alpha;
                sum += x;
                size += fabs(x);
            }
            double y = sum + (f->accumulate ? (double)f->was[at] : f->bias ? (double)f->bias[j] : 0);
            if (f->add) y += (double)f->add[at];
            if (f->with && f->tail.clamp) y = y < -1 ? -1 : y > 2 ? 2 : y;
            if (f->with && f->tail.rest) y *= 2;
            if (!(fabs(y - (double)f->c[at]) <= 4 * (size + 4) * (double)(FLT_EPSILON * sqrtf((float)f->k + 4))))
                fail_msg("%dx%dx%d %d%d%d [%d,%d]: %g, not %g", (int)f->m, (int)f->n, (int)f->k, f->ta, f->tb, f->packed, (int)i, (int)j, (double)f->c[at], y);
        }
    }
}

static void forms(void **state) {
    (void)state;
    for (int i = 0; i < 3000; i++) {
        form f = make(1 + below(i % 3 ? 70 : 5), 1 + below(i % 4 ? 70 : 200), below(70), (int)below(2048));
        check(&f);
        drop(&f);
    }
    for (int64_t m = 1; m < 16; m++) {
        for (int what = 0; what < 8; what++) {
            form f = make(m, 129, 17 + m, what | (what & 1 ? 0 : 64));
            check(&f);
            drop(&f);
        }
    }
}

/* Beyond the blocks of rows, columns and steps. */
static void large(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 700, 1100}, {3, 300, 900}, {5, 1500, 400}, {210, 90, 800}, {30, 600, 1030}, {300, 1, 500}, {200, 530, 390}, {260, 140, 1024}, {2, 130, 4200}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int what = 0; what < 8; what++) {
            form f = make(sizes[s][0], sizes[s][1], sizes[s][2], what | (what % 3 ? 0 : 128 + 256 + 512 + 1024) | (what % 2 ? 64 : 32));
            check(&f);
            drop(&f);
        }
    }
}

static void threads(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 3000, 500}, {4, 2000, 300}, {700, 200, 90}, {130, 500, 500}, {2000, 1, 600}, {64, 2100, 64}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int what = 0; what < 8; what++) {
            form f = make(sizes[s][0], sizes[s][1], sizes[s][2], what | 64 | (what % 3 ? 0 : 128 + 256));
            const size_t bytes = (size_t)(f.m * f.ldc) * sizeof *f.c;
            float *first = malloc(bytes);
            assert_non_null(first);
            compute(&f, 1);
            memcpy(first, f.c, bytes);
            static const int counts[] = {2, 3, 4, 8};
            for (size_t t = 0; t < 4; t++) {
                compute(&f, counts[t]);
                assert_memory_equal(first, f.c, bytes);
            }
            free(first);
            drop(&f);
        }
    }
}

static void batches(void **state) {
    (void)state;
    enum { COUNT = 24, M = 40, N = 33, K = 50 };
    static const int64_t b_at[COUNT] = {2, 0, 1, 1, 2, 0};
    float *a = numbers(COUNT * M * K), *b = numbers(3 * K * N), *add = numbers(COUNT * M * N), *c = numbers(COUNT * M * N), *one = numbers(M * N);
    for (int threads = 1; threads < 4; threads++) {
        rest_user u = {.n = N, .ldc = N, .c = c};
        ox_tail tail = {.add = add, .rest = twice, .user = &u};
        const ox_gemm_many many = {.count = COUNT, .a_step = M * K, .b_step = K * N, .c_step = M * N, .b_at = b_at};
        ox_gemm_batch(threads, &many, false, true, M, N, K, 0.25f, a, K, b, K, NULL, &tail, c, N);
        assert_int_equal(u.wrong, 0);
        assert_int_equal(u.done, COUNT * M * N);
        for (int i = 0; i < COUNT; i++) {
            ox_gemm(1, false, true, M, N, K, 0.25f, a + i * M * K, K, b + b_at[i] * K * N, K, false, NULL, NULL, one, N);
            for (int q = 0; q < M * N; q++) assert_true(fabsf((one[q] + add[i * M * N + q]) * 2 - c[i * M * N + q]) < 1e-5f);
        }
    }
    free(a);
    free(b);
    free(add);
    free(c);
    free(one);
}

/* Infinities, NaN and what lies behind a row do not leak into other elements; clamping keeps NaN. */
static void special(void **state) {
    (void)state;
    for (int64_t n = 1; n < 70; n++) {
        for (int what = 0; what < 8; what++) {
            form f = make(1 + n % 17, n, 20, what | 16 | 8);
            for (int64_t p = 0; p < extent(stored_rows(f.tb, f.k, n), f.tb ? f.k : n, f.ldb); p++)
                if (p % f.ldb >= (f.tb ? f.k : n)) f.b[p] = NAN;
            for (int64_t p = 0; p < extent(stored_rows(f.ta, f.m, f.k), f.ta ? f.m : f.k, f.lda); p++)
                if (p % f.lda >= (f.ta ? f.m : f.k)) f.a[p] = INFINITY;
            check(&f);
            drop(&f);
        }
    }
    float a = NAN, b = 1, c = 0;
    ox_tail tail = {.clamp = true, .lo = 0, .hi = 6};
    ox_gemm(1, false, false, 1, 1, 1, 1, &a, 1, &b, 1, false, NULL, &tail, &c, 1);
    assert_true(isnan(c));
}

static void nothing(void **state) {
    (void)state;
    float c[4] = {1, 2, 3, 4}, bias[2] = {5, 6};
    ox_gemm(2, false, false, 0, 2, 3, 1, NULL, 3, NULL, 2, false, NULL, NULL, c, 2);
    ox_gemm(2, false, false, 2, 0, 3, 1, NULL, 3, NULL, 0, false, NULL, NULL, c, 0);
    assert_true(c[0] == 1 && c[3] == 4);
    ox_gemm(2, false, false, 2, 2, 0, 1, NULL, 0, NULL, 2, true, NULL, NULL, c, 2);
    assert_true(c[0] == 1 && c[3] == 4);
    ox_gemm(2, false, false, 2, 2, 0, 1, NULL, 0, NULL, 2, false, bias, NULL, c, 2);
    assert_true(c[0] == 5 && c[1] == 6 && c[2] == 5 && c[3] == 6);
    ox_gemm(2, false, true, 2, 2, 0, 1, NULL, 0, NULL, 0, false, NULL, NULL, c, 2);
    assert_true(c[0] == 0 && c[1] == 0 && c[2] == 0 && c[3] == 0);
    assert_int_equal(ox_gemm_packed_bytes(10, 0), 0);
    assert_true(ox_gemm_packed_bytes(INT64_MAX / 2, INT64_MAX / 2) == UINT64_MAX && ox_gemm_packed_bytes(INT64_MAX, 1) == UINT64_MAX);
}

/* Packed, subnormal weights are 0, and the smallest normal ones are themselves. */
static void subnormal(void **state) {
    (void)state;
    enum { K = 40, N = 3 };
    float b[K * N], a[K], y[N], *packed = aligned_alloc(64, (size_t)(ox_gemm_packed_bytes(N, K) + 63) / 64 * 64);
    for (int i = 0; i < K * N; i++) b[i] = i % N == 0 ? 1e-40f : i % N == 1 ? -1e-45f : 1.17549435e-38f;
    for (int i = 0; i < K; i++) a[i] = 0x1p120f;
    ox_gemm_pack(1, false, N, K, b, N, packed);
    ox_gemm_packed(1, false, 1, N, K, 1, a, K, packed, NULL, NULL, y, N);
    assert_true(y[0] == 0 && y[1] == 0 && y[2] == K * 0x1p-6f);
    free(packed);
}

int main(int argc, char **argv) {
    (void)argc;
    static const char *const sets[] = {"plain", "avx2", "avx512"};
    if (!getenv("OX_ISA")) {
        int bad = 0;
        for (int i = 0; i <= (int)ox_cpu_isa(); i++) {
            char command[4200];
            int n = snprintf(command, sizeof command, "OX_ISA=%s '%s'", sets[i], argv[0]);
            bad |= n < 0 || n >= (int)sizeof command || system(command) != 0;
        }
        return bad;
    }
    printf("# instruction set %s\n", ox_cpu_isa_name());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),   cmocka_unit_test(large),   cmocka_unit_test(threads),
        cmocka_unit_test(batches), cmocka_unit_test(special), cmocka_unit_test(nothing),
        cmocka_unit_test(subnormal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
