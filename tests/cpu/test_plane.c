/* Rows of planar images and conversions against plain loops: sizes around those of vectors, strides, NaN, numbers out of range. */
#include "cpu/pick.h"
#include "cpu/plane.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 4096, SIZES = 70 };
static float x[MOST], y[MOST];
static uint32_t seed = 1;

static uint32_t dice(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static int fill(void **state) {
    (void)state;
    for (int i = 0; i < MOST; i++) x[i] = dice(50) ? (float)(int32_t)(dice(1 << 24) - (1 << 23)) * 0x1p-21f : NAN;
    return 0;
}

static float larger(float a, float b) { return a > b || a != a ? a : b; }

static void assert_near(float a, float want) {
    if (isnan(want) ? !isnan(a) : !(fabsf(a - want) <= 1e-5f * (1 + fabsf(want)))) fail_msg("%g is not %g", (double)a, (double)want);
}

static void test_down(void **state) {
    (void)state;
    const ox_plane *f = ox_plane_table();
    for (int n = 0; n <= SIZES; n++)
        for (int rows = 1; rows <= 5; rows++) {
            int stride = n + (int)dice(5);
            f->max_down(y, x, stride, rows, n);
            for (int i = 0; i < n; i++) {
                float want = x[i];
                for (int r = 1; r < rows; r++) want = larger(x[r * stride + i], want);
                assert_near(y[i], want);
            }
            f->sum_down(y, x, stride, rows, n);
            for (int i = 0; i < n; i++) {
                float want = x[i];
                for (int r = 1; r < rows; r++) want += x[r * stride + i];
                assert_near(y[i], want);
            }
        }
}

static void test_along(void **state) {
    (void)state;
    const ox_plane *f = ox_plane_table();
    for (int n = 0; n <= SIZES; n++)
        for (int step = 1; step <= 3; step++)
            for (int taps = 1; taps <= 4; taps++) {
                int dilation = 1 + (int)dice(2);
                f->max_along(y, x, step, taps, dilation, n);
                for (int j = 0; j < n; j++) {
                    float want = x[j * step];
                    for (int k = 1; k < taps; k++) want = larger(x[j * step + k * dilation], want);
                    assert_near(y[j], want);
                }
                f->sum_along(y, x, step, taps, dilation, n);
                for (int j = 0; j < n; j++) {
                    float want = x[j * step];
                    for (int k = 1; k < taps; k++) want += x[j * step + k * dilation];
                    assert_near(y[j], want);
                }
            }
}

static void test_weights(void **state) {
    (void)state;
    const ox_plane *f = ox_plane_table();
    static int32_t at[4 * SIZES];
    static float w[4 * SIZES];
    for (int n = 1; n < SIZES; n++)
        for (int taps = 1; taps <= 4; taps++) {
            for (int i = 0; i < taps * n; i++) {
                at[i] = (int32_t)dice(MOST);
                w[i] = isnan(x[at[i]]) ? 0 : (float)dice(5) - 2; /* what has weight 0 does not count */
            }
            f->weigh(y, x, at, w, taps, n);
            for (int j = 0; j < n; j++) {
                float want = 0;
                for (int t = 0; t < taps; t++) want += w[t * n + j] != 0 ? w[t * n + j] * x[at[t * n + j]] : 0;
                assert_near(y[j], want);
            }
            const float *rows[4] = {x, x + 100, x + 201, x + 302};
            float share[4] = {(float)dice(3) - 1, (float)dice(3) - 1, (float)dice(3) - 1, (float)dice(3) - 1};
            f->mix(y, rows, share, taps, n);
            for (int j = 0; j < n; j++) {
                float want = 0;
                for (int t = 0; t < taps; t++) want += share[t] != 0 ? share[t] * rows[t][j] : 0;
                assert_near(y[j], want);
            }
        }
}

static void test_picks(void **state) {
    (void)state;
    const ox_plane *f = ox_plane_table();
    static uint32_t from[SIZES], to[SIZES];
    static int32_t at[SIZES];
    for (int n = 0; n < SIZES; n++) {
        for (int i = 0; i < SIZES; i++) {
            from[i] = dice(1 << 24);
            at[i] = (int32_t)dice(SIZES);
        }
        f->pick(to, from, at, n);
        for (int i = 0; i < n; i++) assert_int_equal(to[i], from[at[i]]);
        f->twice(to, from, n);
        for (int i = 0; i < n; i++) assert_int_equal(to[i], from[i / 2]);
    }
}

static void test_convert(void **state) {
    (void)state;
    const ox_convert_fn(*c)[OX_E_COUNT] = ox_pick_table()->convert;
    static const float odd[] = {0, -0.0f, 1.9f, -1.9f, 3e9f, -3e9f, 1e19f, -1e19f, 9.2233720e18f, INFINITY, -INFINITY, NAN, 255, 256, -129};
    float f[SIZES];
    int32_t i32[SIZES];
    int64_t i64[SIZES];
    uint8_t bytes[SIZES];
    for (int i = 0; i < SIZES; i++) f[i] = odd[(unsigned)i % (sizeof odd / sizeof odd[0])];
    c[OX_E_F32][OX_E_I32](i32, f, SIZES);
    c[OX_E_F32][OX_E_I64](i64, f, SIZES);
    c[OX_E_F32][OX_E_BOOL](bytes, f, SIZES);
    for (int i = 0; i < SIZES; i++) {
        double v = (double)f[i];
        assert_int_equal(i32[i], v >= -0x1p31 && v < 0x1p31 ? (int32_t)v : INT32_MIN);
        assert_true(i64[i] == (v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN));
        assert_int_equal(bytes[i], f[i] != 0);
    }
    c[OX_E_I64][OX_E_F32](f, i64, SIZES);
    for (int i = 0; i < SIZES; i++) assert_true(f[i] == (float)i64[i]);
    c[OX_E_I64][OX_E_I32](i32, i64, SIZES);
    for (int i = 0; i < SIZES; i++) assert_int_equal(i32[i], (int32_t)(uint64_t)i64[i]);
    for (int i = 0; i < SIZES; i++) bytes[i] = (uint8_t)(i * 37);
    c[OX_E_U8][OX_E_F32](f, bytes, SIZES);
    for (int i = 0; i < SIZES; i++) assert_true(f[i] == (float)bytes[i]);
    c[OX_E_I8][OX_E_F32](f, bytes, SIZES);
    for (int i = 0; i < SIZES; i++) assert_true(f[i] == (float)(int8_t)bytes[i]);
    c[OX_E_BOOL][OX_E_I64](i64, bytes, SIZES);
    for (int i = 0; i < SIZES; i++) assert_true(i64[i] == (bytes[i] != 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_down), cmocka_unit_test(test_along), cmocka_unit_test(test_weights), cmocka_unit_test(test_picks), cmocka_unit_test(test_convert),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
