/* Rows, columns and permutations of every instruction set against plain loops in double: sums and other folds, softmax, normalisation; and
 * permuted arrays against naive ones, with the same bits for any number of threads. */
#include "cpu/vec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 5000 };
static float x[MOST], y[MOST], scale[MOST], bias[MOST];
static uint32_t seed = 1;

static uint32_t dice(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static float noise(void) { return (float)(int32_t)(dice(1 << 24) - (1 << 23)) * 0x1p-21f; }

static int fill(void **state) {
    (void)state;
    for (int i = 0; i < MOST; i++) {
        x[i] = noise();
        scale[i] = noise();
        bias[i] = noise();
    }
    return 0;
}

static int next_size(int n) { return n < 140 ? n + 1 : n * 2 + 1; }

#define EACH_SET(v)                                                                                                    \
    for (int isa_ = 0; isa_ < OX_ISA_COUNT; isa_++)                                                                    \
        for (const ox_vec *v = ox_vec_table_of((ox_isa)isa_); v; v = NULL)

static void assert_near(double a, double want, double error) {
    if (a != want && !(fabs(a - want) <= error)) fail_msg("%.17g is not %.17g (within %g)", a, want, error);
}

/* ---- folds */

static double plain_fold(ox_fold op, double acc, double v) {
    switch (op) {
    case OX_FOLD_SUM: return acc + v;
    case OX_FOLD_SQUARES: return acc + v * v;
    case OX_FOLD_ABS: return acc + fabs(v);
    case OX_FOLD_MAX: return v > acc || v != v ? v : acc;
    case OX_FOLD_MIN: return v < acc || v != v ? v : acc;
    case OX_FOLD_PROD: return acc * v;
    }
    return 0;
}

static double start_of(ox_fold op) {
    return op == OX_FOLD_PROD ? 1 : op == OX_FOLD_MAX ? (double)-INFINITY : op == OX_FOLD_MIN ? (double)INFINITY : 0;
}

static void folds(void **state) {
    (void)state;
    EACH_SET(v) {
        for (int op = OX_FOLD_SUM; op <= OX_FOLD_PROD; op++) {
            for (int n = 0; n < MOST; n = next_size(n)) {
                double want = start_of((ox_fold)op), size = 0;
                for (int i = 0; i < n; i++) {
                    want = plain_fold((ox_fold)op, want, (double)x[i]);
                    size += (double)(x[i] * x[i]) + fabs((double)x[i]);
                }
                bool exact = op >= OX_FOLD_MAX;
                double got = v->fold((ox_fold)op, x, n);
                assert_near(got, want, exact ? fabs(want) * 1e-12 : size * 2e-7);
            }
        }
        assert_near(v->squares(x, 1000, 0.5f), v->fold(OX_FOLD_SQUARES, x, 1000) - v->fold(OX_FOLD_SUM, x, 1000) + 250, 1e-2);
        for (int at = 0; at < 70; at++) {
            float old = x[at];
            x[at] = NAN;
            assert_true(isnan(v->fold(OX_FOLD_MAX, x, 70)));
            assert_true(isnan(v->fold(OX_FOLD_MIN, x, 70)));
            x[at] = old;
        }
    }
}

/* A long sum of like numbers, where a running sum in float would be far off. */
static void long_sums(void **state) {
    (void)state;
    int n = 1 << 22;
    float *z = malloc((size_t)n * sizeof *z);
    assert_non_null(z);
    for (int i = 0; i < n; i++) z[i] = 0.1f;
    EACH_SET(v) {
        double acc[3] = {0, 0, 0};
        assert_near(v->fold(OX_FOLD_SUM, z, n) / n, (double)0.1f, 2e-8);
        v->fold_columns(OX_FOLD_SUM, acc, z, n / 3, 3, 3);
        for (int j = 0; j < 3; j++) assert_near(acc[j] / (n / 3), (double)0.1f, 2e-8);
    }
    free(z);
}

static void column_folds(void **state) {
    (void)state;
    EACH_SET(v) {
        for (int op = OX_FOLD_SUM; op <= OX_FOLD_PROD; op++) {
            for (int n = 1; n < 70; n++) {
                for (int rows = 0; rows < 20; rows++) {
                    double acc[71];
                    for (int j = 0; j < 71; j++) acc[j] = j;
                    v->fold_columns((ox_fold)op, acc, x, rows, n + 3, n);
                    for (int j = 0; j < n; j++) {
                        double want = j;
                        for (int i = 0; i < rows; i++) want = plain_fold((ox_fold)op, want, (double)x[i * (n + 3) + j]);
                        assert_near(acc[j], want, op >= OX_FOLD_MAX ? fabs(want) * 1e-12 : 1e-4);
                    }
                    assert_true(acc[n] == n);
                }
            }
        }
    }
}

/* ---- softmax */

static void check_softmax(const float *from, const float *to, int n, int step, bool logarithm) {
    double max = (double)-INFINITY, sum = 0;
    for (int i = 0; i < n; i++) max = fmax(max, (double)from[i * step]);
    for (int i = 0; i < n; i++) sum += exp((double)from[i * step] - max);
    for (int i = 0; i < n; i++) {
        double d = (double)from[i * step] - max, want = logarithm ? d - log(sum) : exp(d) / sum;
        assert_near((double)to[i * step], want, fabs(want) * 6e-7 + (logarithm ? 1e-6 : 0));
    }
}

static void softmax_rows(void **state) {
    (void)state;
    EACH_SET(v) {
        for (int n = 1; n < MOST; n = next_size(n)) {
            y[n] = 77;
            v->softmax(y, x, n);
            check_softmax(x, y, n, 1, false);
            v->log_softmax(y, x, n);
            check_softmax(x, y, n, 1, true);
            assert_true(y[n] == 77);
            memcpy(y, x, (size_t)n * sizeof *y);
            v->softmax(y, y, n);
            check_softmax(x, y, n, 1, false);
        }
        float edge[3] = {-INFINITY, 0, -INFINITY};
        v->softmax(y, edge, 3);
        assert_true(y[0] == 0 && y[1] == 1 && y[2] == 0);
        edge[1] = -INFINITY;
        v->softmax(y, edge, 3);
        assert_true(isnan(y[0]) && isnan(y[2]));
        edge[1] = NAN;
        v->softmax(y, edge, 3);
        assert_true(isnan(y[0]) && isnan(y[2]));
    }
}

static void softmax_columns(void **state) {
    (void)state;
    EACH_SET(v) {
        for (int n = 1; n < 300; n += n < 40 ? 1 : 37) {
            for (int rows = 1; rows < 12; rows += 3) {
                for (int logarithm = 0; logarithm < 2; logarithm++) {
                    for (int j = 0; j < MOST; j++) y[j] = 77;
                    v->softmax_columns(y, x, rows, n + 2, n, logarithm);
                    for (int j = 0; j < n; j++) check_softmax(x + j, y + j, rows, n + 2, logarithm);
                    assert_true(y[n] == 77 && y[n + 1] == 77 && y[(rows - 1) * (n + 2) + n] == 77);
                }
            }
        }
    }
}

/* ---- normalisation */

static void check_norm(const float *from, const float *to, int n, bool centered, const float *a, const float *b, const double *stats) {
    double mean = 0, variance = 0;
    for (int i = 0; centered && i < n; i++) mean += (double)from[i] / n;
    for (int i = 0; i < n; i++) variance += ((double)from[i] - mean) * ((double)from[i] - mean) / n;
    double inverse = 1 / sqrt(variance + 1e-5);
    assert_near(stats[0], mean, 1e-6 + fabs(mean) * 1e-6);
    assert_near(stats[1], inverse, inverse * (1e-6 + fabs(mean) * 1e-6));
    for (int i = 0; i < n; i++) {
        double want = ((double)from[i] - mean) * inverse * (a ? (double)a[i] : 1) + (b ? (double)b[i] : 0);
        assert_near((double)to[i], want, 1e-5 * (1 + fabs(mean)) * (1 + inverse));
    }
}

static void normalisation(void **state) {
    (void)state;
    EACH_SET(v) {
        for (int n = 1; n < MOST - 1; n = next_size(n)) {
            double stats[2];
            y[n] = 77;
            v->layer_norm(y, x, n, 1e-5, scale, bias, stats);
            check_norm(x, y, n, true, scale, bias, stats);
            v->layer_norm(y, x, n, 1e-5, scale, NULL, stats);
            check_norm(x, y, n, true, scale, NULL, stats);
            v->layer_norm(y, x, n, 1e-5, NULL, NULL, stats);
            check_norm(x, y, n, true, NULL, NULL, stats);
            v->rms_norm(y, x, n, 1e-5, scale, stats);
            check_norm(x, y, n, false, scale, NULL, stats);
            assert_true(y[n] == 77);
        }
        float far[1000]; /* variance of numbers far from 0 */
        double mean, variance, want = 0;
        for (int i = 0; i < 1000; i++) far[i] = 1000 + x[i];
        v->moments(far, 1000, &mean, &variance);
        for (int i = 0; i < 1000; i++) want += ((double)far[i] - mean) * ((double)far[i] - mean) / 1000;
        assert_near(variance, want, want * 1e-6);
        v->moments(far, 0, &mean, &variance);
        assert_true(mean == 0 && variance == 0);
    }
}

/* ---- permutations */

static void naive(int bytes, int rank, const int64_t *dims, const int64_t *perm, const char *in, char *out) {
    int64_t strides[8], at[8] = {0}, step = 1, total = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= dims[i];
        total *= dims[i];
    }
    for (int64_t k = 0; k < total; k++) {
        int64_t from = 0;
        for (int i = 0; i < rank; i++) from += at[i] * strides[perm[i]];
        memcpy(out + k * bytes, in + from * bytes, (size_t)bytes);
        for (int i = rank - 1; i >= 0; i--) {
            if (++at[i] < dims[perm[i]]) break;
            at[i] = 0;
        }
    }
}

static void check_permute(int bytes, int rank, const int64_t *dims, const int64_t *perm) {
    static const int threads[] = {1, 2, 3, 4, 8};
    size_t total = (size_t)bytes;
    for (int i = 0; i < rank; i++) total *= (size_t)dims[i];
    size_t room = (total + 64) / 64 * 64;
    char *in = malloc(3 * room), *want = in + room, *out = want + room;
    assert_non_null(in);
    for (size_t i = 0; i < total; i++) in[i] = (char)dice(256);
    naive(bytes, rank, dims, perm, in, want);
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        memset(out, 0x55, total + 1);
        ox_permute(threads[t], bytes, rank, dims, perm, in, out);
        if (memcmp(out, want, total)) fail_msg("wrong with %d threads, %d bytes, rank %d", threads[t], bytes, rank);
        assert_int_equal(out[total], 0x55);
        if (total < 1 << 16) break;
    }
    free(in);
}

static void permutations(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 4, 8, 16};
    for (int round = 0; round < 4000; round++) {
        int rank = (int)dice(7), most = rank < 3 ? 200 : rank < 5 ? 20 : 7;
        int64_t dims[8], perm[8];
        for (int i = 0; i < rank; i++) {
            dims[i] = dice(4) ? 1 + dice((uint32_t)most) : 1 + dice(3);
            perm[i] = i;
        }
        for (int i = rank - 1; i > 0; i--) {
            int k = (int)dice((uint32_t)i + 1);
            int64_t t = perm[i];
            perm[i] = perm[k];
            perm[k] = t;
        }
        check_permute(sizes[dice(5)], rank, dims, perm);
    }
    check_permute(4, 4, (int64_t[]){2, 3, 65, 130}, (int64_t[]){0, 2, 3, 1});
    check_permute(4, 4, (int64_t[]){2, 65, 130, 3}, (int64_t[]){0, 3, 1, 2});
    check_permute(4, 4, (int64_t[]){2, 100, 8, 64}, (int64_t[]){0, 2, 1, 3});
    check_permute(1, 2, (int64_t[]){700, 900}, (int64_t[]){1, 0});
    check_permute(8, 2, (int64_t[]){301, 500}, (int64_t[]){1, 0});
    check_permute(4, 2, (int64_t[]){300, 500}, (int64_t[]){0, 1});
    ox_permute(2, 4, 2, (int64_t[]){0, 5}, (int64_t[]){1, 0}, x, y);
}

static void transposes(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 4, 8, 16};
    EACH_SET(v) {
        for (int s = 0; s < 5; s++) {
            size_t b = (size_t)sizes[s];
            for (int rows = 1; rows < 20; rows++) {
                for (int cols = 1; cols < 20; cols++) {
                    _Alignas(16) char in[24 * 24 * 16], out[24 * 24 * 16];
                    for (size_t i = 0; i < sizeof in; i++) in[i] = (char)dice(256);
                    memset(out, 0x55, sizeof out);
                    v->transpose((int)b, rows, cols, out, cols + 2, in, rows + 1);
                    for (int r = 0; r < rows; r++) {
                        char *row = out + (size_t)(r * (cols + 2)) * b;
                        for (int c = 0; c < cols; c++)
                            assert_memory_equal(row + (size_t)c * b, in + (size_t)(r + c * (rows + 1)) * b, b);
                        assert_int_equal(row[(size_t)cols * b], 0x55);
                    }
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds),           cmocka_unit_test(long_sums),     cmocka_unit_test(column_folds),
        cmocka_unit_test(softmax_rows),    cmocka_unit_test(softmax_columns), cmocka_unit_test(normalisation),
        cmocka_unit_test(permutations),    cmocka_unit_test(transposes),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
