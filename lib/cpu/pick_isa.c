/* Conversions of arrays: see pick.h. */
#include "cpu/isa.h"
#include "cpu/pick.h"

OX_IN int64_t cut64(float v) { return v >= -0x1p63f && v < 0x1p63f ? (int64_t)v : INT64_MIN; }
OX_IN int32_t cut32(float v) { return v >= -0x1p31f && v < 0x1p31f ? (int32_t)v : INT32_MIN; }

#define CONVERT(name, from, to, expr)                                                                        \
    static void name(void *y_, const void *x_, int64_t n) {                                                  \
        to *restrict y = y_;                                                                                 \
        const from *restrict x = x_;                                                                         \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            from v = x[i];                                                                                   \
            y[i] = (to)(expr);                                                                               \
        }                                                                                                    \
    }
CONVERT(f32_i32, float, int32_t, cut32(v))
CONVERT(f32_i64, float, int64_t, cut64(v))
CONVERT(f32_i8, float, int8_t, (uint64_t)cut64(v))
CONVERT(f32_u8, float, uint8_t, (uint64_t)cut64(v))
CONVERT(f32_bool, float, uint8_t, v != 0)
CONVERT(i32_f32, int32_t, float, v)
CONVERT(i32_i64, int32_t, int64_t, v)
CONVERT(i32_bool, int32_t, uint8_t, v != 0)
CONVERT(i64_f32, int64_t, float, v)
CONVERT(i64_i32, int64_t, int32_t, (uint64_t)v)
CONVERT(i64_bool, int64_t, uint8_t, v != 0)
CONVERT(i8_f32, int8_t, float, v)
CONVERT(i8_i32, int8_t, int32_t, v)
CONVERT(u8_f32, uint8_t, float, v)
CONVERT(u8_i32, uint8_t, int32_t, v)
CONVERT(u8_i64, uint8_t, int64_t, v)
CONVERT(bool_f32, uint8_t, float, v != 0)
CONVERT(bool_i32, uint8_t, int32_t, v != 0)
CONVERT(bool_i64, uint8_t, int64_t, v != 0)

extern const ox_pick OX_ISA(ox_pick_of);
const ox_pick OX_ISA(ox_pick_of) = {{
    [OX_E_F32] = {[OX_E_I32] = f32_i32, [OX_E_I64] = f32_i64, [OX_E_I8] = f32_i8, [OX_E_U8] = f32_u8, [OX_E_BOOL] = f32_bool},
    [OX_E_I32] = {[OX_E_F32] = i32_f32, [OX_E_I64] = i32_i64, [OX_E_BOOL] = i32_bool},
    [OX_E_I64] = {[OX_E_F32] = i64_f32, [OX_E_I32] = i64_i32, [OX_E_BOOL] = i64_bool},
    [OX_E_I8] = {[OX_E_F32] = i8_f32, [OX_E_I32] = i8_i32},
    [OX_E_U8] = {[OX_E_F32] = u8_f32, [OX_E_I32] = u8_i32, [OX_E_I64] = u8_i64},
    [OX_E_BOOL] = {[OX_E_F32] = bool_f32, [OX_E_I32] = bool_i32, [OX_E_I64] = bool_i64},
}};
