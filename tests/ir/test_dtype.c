/* Element types: every code of every small format, rounding at every midpoint, integers. */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>

static void names(void **state) {
    (void)state;
    for (int t = 1; t < OX_DTYPE_COUNT; t++) {
        const char *n = ox_dtype_name((ox_dtype)t);
        assert_int_equal(ox_dtype_from_name(n, strlen(n)), t);
    }
    assert_string_equal(ox_dtype_name(OX_FLOAT), "float");
    assert_string_equal(ox_dtype_name((ox_dtype)99), "undefined");
    assert_int_equal(ox_dtype_from_name("floa", 4), OX_UNDEFINED);
    assert_int_equal(ox_dtype_from_name("undefined", 9), OX_UNDEFINED);
}

static void sizes(void **state) {
    (void)state;
    uint64_t b;
    assert_true(ox_dtype_bytes(OX_INT4, 3, &b) && b == 2);
    assert_true(ox_dtype_bytes(OX_UINT2, 5, &b) && b == 2);
    assert_true(ox_dtype_bytes(OX_FLOAT4E2M1, 0, &b) && b == 0);
    assert_true(ox_dtype_bytes(OX_COMPLEX128, 3, &b) && b == 48);
    assert_true(ox_dtype_bytes(OX_STRING, 2, &b) && b == 2 * sizeof(ox_str));
    assert_false(ox_dtype_bytes(OX_DOUBLE, INT64_MAX / 2, &b));
    assert_false(ox_dtype_bytes(OX_FLOAT, -1, &b));
    assert_false(ox_dtype_bytes(OX_UNDEFINED, 1, &b));
}

static bool same(double a, double b) { return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b)); }

/* Loading a code and storing what was loaded gives the code back; halfway between two numbers the even code wins. */
static void round_trip(ox_dtype t, unsigned codes, unsigned greatest) {
    uint8_t buf[16] = {0};
    for (unsigned c = 0; c < codes; c++) {
        uint16_t code = (uint16_t)c;
        memcpy(buf, &code, sizeof code);
        double v = ox_load_double(t, buf, 0);
        if (isnan(v)) continue;
        memset(buf, 0, sizeof buf);
        ox_store_double(t, buf, 0, v);
        if (!isinf(v) || t == OX_FLOAT16 || t == OX_BFLOAT16) assert_memory_equal(buf, &code, codes > 256 ? 2 : 1);
        if (c >= greatest) continue;
        uint16_t next = (uint16_t)(c + 1), even = c & 1 ? next : code;
        memcpy(buf, &next, sizeof next);
        double w = ox_load_double(t, buf, 0), mid = v + (w - v) / 2;
        ox_store_double(t, buf, 0, mid);
        assert_int_equal(memcmp(buf, &even, codes > 256 ? 2 : 1), 0);
        ox_store_double(t, buf, 0, nextafter(mid, INFINITY));
        assert_int_equal(memcmp(buf, &next, codes > 256 ? 2 : 1), 0);
        ox_store_double(t, buf, 0, nextafter(mid, 0));
        assert_int_equal(memcmp(buf, &code, codes > 256 ? 2 : 1), 0);
    }
}

static void small_floats(void **state) {
    (void)state;
    round_trip(OX_FLOAT16, 65536, 0x7bff);
    round_trip(OX_BFLOAT16, 65536, 0x7f7f);
    round_trip(OX_FLOAT8E4M3FN, 256, 0x7e);
    round_trip(OX_FLOAT8E4M3FNUZ, 256, 0x7f);
    round_trip(OX_FLOAT8E5M2, 256, 0x7b);
    round_trip(OX_FLOAT8E5M2FNUZ, 256, 0x7f);
    round_trip(OX_FLOAT4E2M1, 8, 7);
}

static void fp8_limits(void **state) {
    (void)state;
    static const struct { ox_dtype t; float max; uint8_t at_max, over, under; } rows[] = {
        {OX_FLOAT8E4M3FN, 448, 0x7e, 0x7f, 0xff},
        {OX_FLOAT8E4M3FNUZ, 240, 0x7f, 0x80, 0x80},
        {OX_FLOAT8E5M2, 57344, 0x7b, 0x7c, 0xfc},
        {OX_FLOAT8E5M2FNUZ, 57344, 0x7f, 0x80, 0x80},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ox_dtype t = rows[i].t;
        assert_true(ox_fp8_to_float(t, rows[i].at_max) == rows[i].max);
        assert_int_equal(ox_float_to_fp8(t, rows[i].max, false), rows[i].at_max);
        assert_int_equal(ox_float_to_fp8(t, INFINITY, true), rows[i].at_max);
        assert_int_equal(ox_float_to_fp8(t, -1e9f, true), rows[i].at_max | 0x80);
        assert_int_equal(ox_float_to_fp8(t, INFINITY, false), rows[i].over);
        assert_int_equal(ox_float_to_fp8(t, 1e9f, false), rows[i].over);
        assert_int_equal(ox_float_to_fp8(t, -1e9f, false), rows[i].under);
        assert_true(isnan(ox_fp8_to_float(t, ox_float_to_fp8(t, NAN, true))));
        bool uz = t == OX_FLOAT8E4M3FNUZ || t == OX_FLOAT8E5M2FNUZ;
        assert_int_equal(ox_float_to_fp8(t, -0.0f, true), uz ? 0 : 0x80);
        assert_int_equal(ox_float_to_fp8(t, -1e-30f, true), uz ? 0 : 0x80);
    }
}

static void e8m0(void **state) {
    (void)state;
    for (unsigned c = 0; c < 255; c++) {
        float v = ox_fp8_to_float(OX_FLOAT8E8M0, (uint8_t)c);
        assert_true((double)v == ldexp(1, (int)c - 127));
        assert_int_equal(ox_float_to_fp8(OX_FLOAT8E8M0, v, false), c);
    }
    assert_true(isnan(ox_fp8_to_float(OX_FLOAT8E8M0, 255)));
    assert_int_equal(ox_double_to_e8m0(1.1, OX_ROUND_UP, true), 128);
    assert_int_equal(ox_double_to_e8m0(1.9, OX_ROUND_DOWN, true), 127);
    assert_int_equal(ox_double_to_e8m0(1.5, OX_ROUND_NEAREST, true), 128);
    assert_int_equal(ox_double_to_e8m0(1.49, OX_ROUND_NEAREST, true), 127);
    assert_int_equal(ox_double_to_e8m0(0, OX_ROUND_UP, true), 0);
    assert_int_equal(ox_double_to_e8m0(0, OX_ROUND_NEAREST, false), 255);
    assert_int_equal(ox_double_to_e8m0(INFINITY, OX_ROUND_UP, true), 254);
    assert_int_equal(ox_double_to_e8m0(1e300, OX_ROUND_UP, false), 255);
    assert_int_equal(ox_double_to_e8m0(-1, OX_ROUND_UP, true), 255);
}

static void rounded_once(void **state) {
    (void)state;
    /* just above the middle of two halves, but on it when rounded to float first */
    double v = 1 + 0x1p-11 + 0x1p-40;
    assert_int_equal(ox_double_to_half(v), 0x3c01);
    assert_int_equal(ox_float_to_half((float)v), 0x3c00);
    uint16_t h;
    ox_store_double(OX_BFLOAT16, &h, 0, 1 + 0x1p-8 + 0x1p-40);
    assert_int_equal(h, 0x3f81);
    assert_int_equal(ox_double_to_half(65520), 0x7c00);
    assert_int_equal(ox_double_to_half(65519.99), 0x7bff);
    assert_int_equal(ox_float_to_half(65520.0f), 0x7c00);
    assert_int_equal(ox_float_to_half(0x1p-25f), 0);
    assert_int_equal(ox_float_to_half(0x1.000002p-25f), 1);
    float f = 0;
    ox_store_int(OX_FLOAT, &f, 0, 0x1000000000000001 + (1ll << 36));
    assert_true(f == (float)(0x1000000000000001 + (1ll << 36)));
}

static void half_agrees(void **state) {
    (void)state;
    for (uint64_t b = 0; b <= UINT32_MAX; b += 4099) {
        uint32_t bits = (uint32_t)b;
        float f;
        memcpy(&f, &bits, sizeof f);
        assert_int_equal(ox_float_to_half(f), ox_double_to_half((double)f));
        if (!isnan(f))
            assert_true(same((double)ox_bf16_to_float(ox_float_to_bf16(f)),
                             ox_load_double(OX_BFLOAT16, &(uint16_t){ox_float_to_bf16(f)}, 0)));
    }
}

static void integers(void **state) {
    (void)state;
    static const ox_dtype types[] = {OX_INT8,   OX_UINT8, OX_INT16, OX_UINT16, OX_INT32,
                                     OX_UINT32, OX_INT4,  OX_UINT4, OX_INT2,   OX_UINT2};
    uint8_t buf[32];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ox_dtype t = types[i];
        int bits = (int)ox_dtype_bits(t);
        bool neg = ox_dtype_is_signed(t);
        int64_t hi = ((int64_t)1 << (bits - neg)) - 1, lo = neg ? -hi - 1 : 0;
        for (int64_t at = 0; at < 5; at++) { /* neighbours stay as they are */
            memset(buf, 0, sizeof buf);
            ox_store_int(t, buf, at, -1);
            for (int64_t k = 0; k < 5; k++) assert_int_equal(ox_load_int(t, buf, k), k == at ? (neg ? -1 : hi) : 0);
        }
        ox_store_int(t, buf, 1, hi + 1);
        assert_int_equal(ox_load_int(t, buf, 1), lo);
        ox_store_double(t, buf, 1, 1e30);
        assert_int_equal(ox_load_int(t, buf, 1), hi);
        ox_store_double(t, buf, 1, -1e30);
        assert_int_equal(ox_load_int(t, buf, 1), lo);
        ox_store_double(t, buf, 1, NAN);
        assert_int_equal(ox_load_int(t, buf, 1), 0);
        ox_store_double(t, buf, 1, 0.5);
        assert_int_equal(ox_load_int(t, buf, 1), 0);
    }
    ox_store_double(OX_UINT64, buf, 0, 0x1p63);
    assert_true(ox_load_double(OX_UINT64, buf, 0) == 0x1p63);
    assert_int_equal(ox_load_int(OX_UINT64, buf, 0), INT64_MIN);
    ox_store_double(OX_INT64, buf, 0, 1e30);
    assert_int_equal(ox_load_int(OX_INT64, buf, 0), INT64_MAX);
    double d = -2.9;
    assert_int_equal(ox_load_int(OX_DOUBLE, &d, 0), -2);
    d = INFINITY;
    assert_int_equal(ox_load_int(OX_DOUBLE, &d, 0), INT64_MAX);
    ox_store_double(OX_BOOL, buf, 0, 0.25);
    assert_int_equal(buf[0], 1);
}

static void bulk(void **state) {
    (void)state;
    double in[9] = {0, 1, 2, 3, 1, 0, 2, 1, 3}, out[9];
    uint8_t buf[9 * 16];
    for (int t = 1; t < OX_DTYPE_COUNT; t++) {
        if (t == OX_STRING || t == OX_BOOL || t == OX_INT2 || t == OX_FLOAT8E8M0) continue;
        memset(buf, 0, sizeof buf);
        ox_store_doubles((ox_dtype)t, buf, 9, in);
        ox_load_doubles((ox_dtype)t, buf, 9, out);
        for (int i = 0; i < 9; i++) assert_true(out[i] == in[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),       cmocka_unit_test(sizes),    cmocka_unit_test(small_floats),
        cmocka_unit_test(fp8_limits),  cmocka_unit_test(e8m0),     cmocka_unit_test(rounded_once),
        cmocka_unit_test(half_agrees), cmocka_unit_test(integers), cmocka_unit_test(bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
