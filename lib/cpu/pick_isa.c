/* Conversions of arrays: see pick.h. */
#include "cpu/pick.h"
#include "cpu/vec_isa.h"

OX_IN int64_t cut64(float v) { return v >= -0x1p63f && v < 0x1p63f ? (int64_t)v : INT64_MIN; }
OX_IN int32_t cut32(float v) { return v >= -0x1p31f && v < 0x1p31f ? (int32_t)v : INT32_MIN; }

OX_IN int64_t real64(double v) { return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN; }
OX_IN int32_t real32(double v) { return v > -0x1p31 - 1 && v < 0x1p31 ? (int32_t)v : INT32_MIN; }

#define CONVERT(name, from, to, expr)                                                                        \
    static void name(void *y_, const void *x_, int64_t n) {                                                  \
        to *restrict y = y_;                                                                                 \
        const from *restrict x = x_;                                                                         \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            from v = x[i];                                                                                   \
            y[i] = (to)(expr);                                                                               \
        }                                                                                                    \
    }
#define FROM_REAL(in, C, cut)                                                                                \
    CONVERT(in##_i32, C, int32_t, cut##32(v))                                                                \
    CONVERT(in##_i64, C, int64_t, cut##64(v))                                                                \
    CONVERT(in##_i8, C, int8_t, (uint64_t)cut##64(v))                                                        \
    CONVERT(in##_u8, C, uint8_t, (uint64_t)cut##64(v))                                                       \
    CONVERT(in##_bool, C, uint8_t, v != 0)
#define FROM_INT(in, C)                                                                                      \
    CONVERT(in##_f32, C, float, v)                                                                           \
    CONVERT(in##_f64, C, double, v)                                                                          \
    CONVERT(in##_bool, C, uint8_t, v != 0)
FROM_REAL(f32, float, cut)
CONVERT(f32_f64, float, double, v)
FROM_REAL(f64, double, real)
CONVERT(f64_f32, double, float, v)
FROM_INT(i32, int32_t)
CONVERT(i32_i64, int32_t, int64_t, v)
CONVERT(i32_8, int32_t, uint8_t, (uint32_t)v)
FROM_INT(i64, int64_t)
CONVERT(i64_i32, int64_t, int32_t, (uint64_t)v)
CONVERT(i64_8, int64_t, uint8_t, (uint64_t)v)
FROM_INT(i8, int8_t)
CONVERT(i8_i32, int8_t, int32_t, v)
CONVERT(i8_i64, int8_t, int64_t, v)
FROM_INT(u8, uint8_t)
CONVERT(u8_i32, uint8_t, int32_t, v)
CONVERT(u8_i64, uint8_t, int64_t, v)
CONVERT(bool_f32, uint8_t, float, v != 0)
CONVERT(bool_f64, uint8_t, double, v != 0)
CONVERT(bool_i32, uint8_t, int32_t, v != 0)
CONVERT(bool_i64, uint8_t, int64_t, v != 0)

static void same_8(void *y, const void *x, int64_t n) { memcpy(y, x, (size_t)n); }

static void odd(float *restrict y, const double *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float f = (float)x[i];
        double back = f, d = x[i];
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        bits -= (back > 0 ? back > d : back < d);
        bits |= back != d;
        memcpy(&y[i], &bits, sizeof bits);
    }
}

#define SEARCH(name, compare, test)                                                                          \
    static int64_t name(const float *x, int64_t n, float limit) {                                            \
        int64_t i = 0;                                                                                       \
        vf l = vf_set(limit);                                                                                \
        for (; i + 2 * OX_VLEN <= n; i += 2 * OX_VLEN)                                                       \
            if (vm_any(vm_or(vm_not(compare(x + i, l)), vm_not(compare(x + i + OX_VLEN, l))))) break;        \
        while (i < n && (test)) i++;                                                                         \
        return i;                                                                                            \
    }
OX_IN vm at_most(const float *x, vf l) { return v_le(vf_load(x), l); }
OX_IN vm at_least(const float *x, vf l) { return v_le(l, vf_load(x)); }
SEARCH(above, at_most, x[i] <= limit)
SEARCH(below, at_least, x[i] >= limit)

extern const ox_pick OX_ISA(ox_pick_of);
const ox_pick OX_ISA(ox_pick_of) = {
    {
        [OX_E_F32] = {[OX_E_F64] = f32_f64, [OX_E_I32] = f32_i32, [OX_E_I64] = f32_i64, [OX_E_I8] = f32_i8, [OX_E_U8] = f32_u8, [OX_E_BOOL] = f32_bool},
        [OX_E_F64] = {[OX_E_F32] = f64_f32, [OX_E_I32] = f64_i32, [OX_E_I64] = f64_i64, [OX_E_I8] = f64_i8, [OX_E_U8] = f64_u8, [OX_E_BOOL] = f64_bool},
        [OX_E_I32] = {[OX_E_F32] = i32_f32, [OX_E_F64] = i32_f64, [OX_E_I64] = i32_i64, [OX_E_I8] = i32_8, [OX_E_U8] = i32_8, [OX_E_BOOL] = i32_bool},
        [OX_E_I64] = {[OX_E_F32] = i64_f32, [OX_E_F64] = i64_f64, [OX_E_I32] = i64_i32, [OX_E_I8] = i64_8, [OX_E_U8] = i64_8, [OX_E_BOOL] = i64_bool},
        [OX_E_I8] = {[OX_E_F32] = i8_f32, [OX_E_F64] = i8_f64, [OX_E_I32] = i8_i32, [OX_E_I64] = i8_i64, [OX_E_U8] = same_8, [OX_E_BOOL] = i8_bool},
        [OX_E_U8] = {[OX_E_F32] = u8_f32, [OX_E_F64] = u8_f64, [OX_E_I32] = u8_i32, [OX_E_I64] = u8_i64, [OX_E_I8] = same_8, [OX_E_BOOL] = u8_bool},
        [OX_E_BOOL] = {[OX_E_F32] = bool_f32, [OX_E_F64] = bool_f64, [OX_E_I32] = bool_i32, [OX_E_I64] = bool_i64, [OX_E_I8] = u8_bool, [OX_E_U8] = u8_bool},
    },
    odd,
    above,
    below,
};
