/* Element types: names, sizes, and the conversion of single elements and of arrays.
 *
 * Every conversion from a double rounds once, to nearest even. Rules where the standard leaves a choice:
 *  - storing a floating-point number in an integer type rounds to nearest even and saturates, NaN becomes 0; loading
 *    as an integer truncates and saturates;
 *  - integers wrap when stored and keep their bits when loaded: a uint64 above INT64_MAX comes back as a negative
 *    number;
 *  - float8 saturates unless asked not to, float4 always does (it has no other way); a NaN becomes -0 in float4;
 *  - float8e8m0 has no sign: negative numbers become NaN. */
#include "ir/ir.h"

#include <math.h>

typedef struct dtype_row {
    const char *name;
    uint8_t bits;
    bool is_float, is_int, is_signed;
} dtype_row;

static const dtype_row rows[OX_DTYPE_COUNT] = {
    [OX_UNDEFINED] = {"undefined", 0, false, false, false},
    [OX_FLOAT] = {"float", 32, true, false, true},
    [OX_UINT8] = {"uint8", 8, false, true, false},
    [OX_INT8] = {"int8", 8, false, true, true},
    [OX_UINT16] = {"uint16", 16, false, true, false},
    [OX_INT16] = {"int16", 16, false, true, true},
    [OX_INT32] = {"int32", 32, false, true, true},
    [OX_INT64] = {"int64", 64, false, true, true},
    [OX_STRING] = {"string", 0, false, false, false},
    [OX_BOOL] = {"bool", 8, false, false, false},
    [OX_FLOAT16] = {"float16", 16, true, false, true},
    [OX_DOUBLE] = {"double", 64, true, false, true},
    [OX_UINT32] = {"uint32", 32, false, true, false},
    [OX_UINT64] = {"uint64", 64, false, true, false},
    [OX_COMPLEX64] = {"complex64", 64, false, false, true},
    [OX_COMPLEX128] = {"complex128", 128, false, false, true},
    [OX_BFLOAT16] = {"bfloat16", 16, true, false, true},
    [OX_FLOAT8E4M3FN] = {"float8e4m3fn", 8, true, false, true},
    [OX_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, true, false, true},
    [OX_FLOAT8E5M2] = {"float8e5m2", 8, true, false, true},
    [OX_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, true, false, true},
    [OX_UINT4] = {"uint4", 4, false, true, false},
    [OX_INT4] = {"int4", 4, false, true, true},
    [OX_FLOAT4E2M1] = {"float4e2m1", 4, true, false, true},
    [OX_FLOAT8E8M0] = {"float8e8m0", 8, true, false, false},
    [OX_UINT2] = {"uint2", 2, false, true, false},
    [OX_INT2] = {"int2", 2, false, true, true},
};

static const dtype_row *row(ox_dtype t) { return &rows[(unsigned)t < OX_DTYPE_COUNT ? t : OX_UNDEFINED]; }

const char *ox_dtype_name(ox_dtype t) { return row(t)->name; }
unsigned ox_dtype_bits(ox_dtype t) { return row(t)->bits; }
bool ox_dtype_is_float(ox_dtype t) { return row(t)->is_float; }
bool ox_dtype_is_int(ox_dtype t) { return row(t)->is_int; }
bool ox_dtype_is_signed(ox_dtype t) { return row(t)->is_signed; }

ox_dtype ox_dtype_from_name(const char *name, size_t len) {
    for (int t = 1; t < OX_DTYPE_COUNT; t++)
        if (strlen(rows[t].name) == len && !memcmp(rows[t].name, name, len)) return (ox_dtype)t;
    return OX_UNDEFINED;
}

bool ox_dtype_bytes(ox_dtype t, int64_t count, uint64_t *bytes) {
    uint64_t bits = t == OX_STRING ? 8 * sizeof(ox_str) : ox_dtype_bits(t), all;
    if (count < 0 || !bits) return false;
    if (bits < 8) {
        *bytes = (uint64_t)count / (8 / bits) + ((uint64_t)count % (8 / bits) != 0);
        return true;
    }
    if (__builtin_mul_overflow((uint64_t)count, bits / 8, &all)) return false;
    *bytes = all;
    return true;
}

/* ---- small floating-point formats */

/* The code of a magnitude in a format of `mbits` bits of mantissa and the given bias, rounded to nearest even, as if
 * exponents had no upper end: the caller compares it with the greatest code of the format. `abs_bits`: a finite double
 * without its sign. */
static uint32_t encode_magnitude(uint64_t abs_bits, int mbits, int bias) {
    int e = (int)(abs_bits >> 52) - 1023, emin = 1 - bias, shift = 52 - mbits;
    if (e == -1023) return 0; /* zero, or far below half of the least number of every format */
    uint64_t sig = (abs_bits & ((1ull << 52) - 1)) | 1ull << 52;
    if (e < emin) shift += emin - e;
    if (shift > 54) return 0;
    uint64_t q = sig >> shift, rest = sig & ((1ull << shift) - 1), half = 1ull << (shift - 1);
    if (rest > half || (rest == half && (q & 1))) q++;
    return (e > emin ? (uint32_t)(e - emin) << mbits : 0) + (uint32_t)q;
}

static uint64_t double_bits(double v) {
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static float float_of_bits(uint32_t b) {
    float f;
    memcpy(&f, &b, sizeof f);
    return f;
}

static uint32_t bits_of_float(float f) {
    uint32_t b;
    memcpy(&b, &f, sizeof b);
    return b;
}

enum { SIGN_SHIFT = 63 };
#define ABS_BITS(b) ((b) & 0x7fffffffffffffffu)
#define INF_BITS 0x7ff0000000000000u

float ox_half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = h >> 10 & 31u, m = h & 0x3ffu;
    if (e == 31) return float_of_bits(sign | 0x7f800000u | m << 13);
    if (e) return float_of_bits(sign | (e + 112) << 23 | m << 13);
    float f = (float)m * 0x1p-24f;
    return sign ? -f : f;
}

uint16_t ox_double_to_half(double v) {
    uint64_t b = double_bits(v), a = ABS_BITS(b);
    uint32_t sign = (uint32_t)(b >> SIGN_SHIFT) << 15, code;
    if (a > INF_BITS) return (uint16_t)(sign | 0x7e00u | (uint32_t)(a >> 42 & 0x3ffu));
    code = a == INF_BITS ? 0x7c00u : encode_magnitude(a, 10, 15);
    return (uint16_t)(sign | (code > 0x7c00u ? 0x7c00u : code));
}

uint16_t ox_float_to_half(float f) {
    uint32_t b = bits_of_float(f), a = b & 0x7fffffffu, sign = b >> 16 & 0x8000u;
    if (a >= 0x38800000u && a < 0x47800000u) { /* normal in both formats, or rounds up to infinity */
        uint32_t r = a - (112u << 23);
        return (uint16_t)(sign | (r + 0xfffu + (r >> 13 & 1)) >> 13);
    }
    return ox_double_to_half((double)f);
}

float ox_bf16_to_float(uint16_t h) { return float_of_bits((uint32_t)h << 16); }

static uint16_t double_to_bf16(double v) {
    uint64_t b = double_bits(v), a = ABS_BITS(b);
    uint32_t sign = (uint32_t)(b >> SIGN_SHIFT) << 15, code;
    if (a > INF_BITS) return (uint16_t)(sign | 0x7fc0u | (uint32_t)(a >> 45 & 0x7fu));
    code = a == INF_BITS ? 0x7f80u : encode_magnitude(a, 7, 127);
    return (uint16_t)(sign | (code > 0x7f80u ? 0x7f80u : code));
}

uint16_t ox_float_to_bf16(float f) {
    uint32_t b = bits_of_float(f);
    if ((b & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(b >> 16 | 0x40u);
    return (uint16_t)((b + 0x7fffu + (b >> 16 & 1)) >> 16);
}

/* The float8 formats with a sign. `nan` is the code without sign, except for the UZ formats, whose only NaN is 0x80. */
typedef struct fp8_format {
    int mbits, bias;
    uint8_t max, over; /* greatest finite code; what is beyond it when not saturating */
    bool uz;
} fp8_format;

static fp8_format fp8_of(ox_dtype t) {
    switch (t) {
    case OX_FLOAT8E4M3FN: return (fp8_format){3, 7, 0x7e, 0x7f, false};
    case OX_FLOAT8E4M3FNUZ: return (fp8_format){3, 8, 0x7f, 0x80, true};
    case OX_FLOAT8E5M2: return (fp8_format){2, 15, 0x7b, 0x7c, false};
    default: return (fp8_format){2, 16, 0x7f, 0x80, true};
    }
}

float ox_fp8_to_float(ox_dtype t, uint8_t code) {
    if (t == OX_FLOAT8E8M0) return code == 0xff ? NAN : code ? float_of_bits((uint32_t)code << 23) : 0x1p-127f;
    fp8_format f = fp8_of(t);
    uint32_t a = code & 0x7fu;
    bool negative = code & 0x80u;
    if (f.uz && code == 0x80) return NAN;
    if (a > f.max) return t == OX_FLOAT8E5M2 && a == 0x7c ? (negative ? -INFINITY : INFINITY) : (negative ? -NAN : NAN);
    uint32_t e = a >> f.mbits, m = a & ((1u << f.mbits) - 1);
    float v =
        e ? ldexpf((float)(m + (1u << f.mbits)), (int)e - f.bias - f.mbits) : ldexpf((float)m, 1 - f.bias - f.mbits);
    return negative ? -v : v;
}

uint8_t ox_double_to_e8m0(double v, ox_round round, bool saturate) {
    uint64_t b = double_bits(v), a = ABS_BITS(b), m = a & ((1ull << 52) - 1);
    if (a > INF_BITS || (b >> SIGN_SHIFT && a)) return 0xff;
    if (a == INF_BITS) return saturate ? 0xfe : 0xff;
    int e = (int)(a >> 52) - 1023 + 127; /* the code, a number below 2^e+1 */
    if (a < 1ull << 52) return saturate ? 0 : 0xff;
    if (round == OX_ROUND_UP ? m != 0 : round == OX_ROUND_NEAREST && m >= 1ull << 51) e++;
    if (e < 0) return saturate ? 0 : 0xff;
    if (e > 0xfe) return saturate ? 0xfe : 0xff;
    return (uint8_t)e;
}

static uint8_t double_to_fp8(ox_dtype t, double v, bool saturate) {
    if (t == OX_FLOAT8E8M0) return ox_double_to_e8m0(v, OX_ROUND_NEAREST, saturate);
    fp8_format f = fp8_of(t);
    uint64_t b = double_bits(v), a = ABS_BITS(b);
    uint8_t sign = (uint8_t)(b >> SIGN_SHIFT << 7);
    if (a > INF_BITS) return f.uz ? 0x80 : (uint8_t)(sign | (t == OX_FLOAT8E5M2 ? 0x7e : 0x7f));
    uint32_t code = a == INF_BITS ? UINT32_MAX : encode_magnitude(a, f.mbits, f.bias);
    if (code > f.max) return saturate ? (uint8_t)(sign | f.max) : f.uz ? 0x80 : (uint8_t)(sign | f.over);
    return f.uz && !code ? 0 : (uint8_t)(sign | code);
}

uint8_t ox_float_to_fp8(ox_dtype t, float f, bool saturate) { return double_to_fp8(t, (double)f, saturate); }
uint8_t ox_double_to_fp8(ox_dtype t, double v, bool saturate) { return double_to_fp8(t, v, saturate); }

static double fp4_to_double(unsigned code) {
    static const double values[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    return code & 8 ? -values[code & 7] : values[code & 7];
}

static unsigned double_to_fp4(double v) {
    uint64_t b = double_bits(v), a = ABS_BITS(b);
    if (a > INF_BITS) return 8;
    uint32_t code = a == INF_BITS ? 7 : encode_magnitude(a, 1, 1);
    return (unsigned)(b >> SIGN_SHIFT) << 3 | (code > 7 ? 7 : code);
}

/* ---- elements */

static unsigned packed_get(const void *data, int64_t i, unsigned bits) {
    unsigned per = 8 / bits;
    return (unsigned)((const uint8_t *)data)[i / per] >> (unsigned)(i % per) * bits & ((1u << bits) - 1);
}

static void packed_put(void *data, int64_t i, unsigned bits, unsigned code) {
    unsigned per = 8 / bits, shift = (unsigned)(i % per) * bits, mask = (1u << bits) - 1;
    uint8_t *p = (uint8_t *)data + i / per;
    *p = (uint8_t)((*p & ~(mask << shift)) | (code & mask) << shift);
}

#define ACCESS(T)                                                                                                      \
    static inline T get_##T(const void *data, int64_t i) {                                                             \
        T x;                                                                                                           \
        memcpy(&x, (const char *)data + i * (int64_t)sizeof x, sizeof x);                                              \
        return x;                                                                                                      \
    }                                                                                                                  \
    __attribute__((unused)) static void put_##T(void *data, int64_t i, T x) {                                          \
        memcpy((char *)data + i * (int64_t)sizeof x, &x, sizeof x);                                                    \
    }
ACCESS(float)
ACCESS(double)
ACCESS(int8_t)
ACCESS(uint8_t)
ACCESS(int16_t)
ACCESS(uint16_t)
ACCESS(int32_t)
ACCESS(uint32_t)
ACCESS(int64_t)
ACCESS(uint64_t)
#define GET(T, data, i) get_##T(data, i)
#define PUT(T, data, i, v) put_##T(data, i, (T)(v))

double ox_load_double(ox_dtype t, const void *data, int64_t i) {
    switch (t) {
    case OX_FLOAT: return (double)GET(float, data, i);
    case OX_DOUBLE: return GET(double, data, i);
    case OX_FLOAT16: return (double)ox_half_to_float(GET(uint16_t, data, i));
    case OX_BFLOAT16: return (double)ox_bf16_to_float(GET(uint16_t, data, i));
    case OX_COMPLEX64: return (double)GET(float, data, 2 * i);
    case OX_COMPLEX128: return GET(double, data, 2 * i);
    case OX_FLOAT8E4M3FN:
    case OX_FLOAT8E4M3FNUZ:
    case OX_FLOAT8E5M2:
    case OX_FLOAT8E5M2FNUZ:
    case OX_FLOAT8E8M0: return (double)ox_fp8_to_float(t, GET(uint8_t, data, i));
    case OX_FLOAT4E2M1: return fp4_to_double(packed_get(data, i, 4));
    case OX_UINT64: return (double)GET(uint64_t, data, i);
    default: return (double)ox_load_int(t, data, i);
    }
}

static int64_t int_of_double(double v) {
    if (v >= 0x1p63) return INT64_MAX;
    if (v < -0x1p63) return INT64_MIN;
    return v == v ? (int64_t)v : 0;
}

int64_t ox_load_int(ox_dtype t, const void *data, int64_t i) {
    switch (t) {
    case OX_INT64: return GET(int64_t, data, i);
    case OX_UINT64: return (int64_t)GET(uint64_t, data, i);
    case OX_INT32: return GET(int32_t, data, i);
    case OX_UINT32: return (int64_t)GET(uint32_t, data, i);
    case OX_INT16: return GET(int16_t, data, i);
    case OX_UINT16: return GET(uint16_t, data, i);
    case OX_INT8: return GET(int8_t, data, i);
    case OX_UINT8: return GET(uint8_t, data, i);
    case OX_BOOL: return GET(uint8_t, data, i) != 0;
    case OX_UINT4: return packed_get(data, i, 4);
    case OX_INT4: return (int64_t)(packed_get(data, i, 4) ^ 8u) - 8;
    case OX_UINT2: return packed_get(data, i, 2);
    case OX_INT2: return (int64_t)(packed_get(data, i, 2) ^ 2u) - 2;
    case OX_UNDEFINED:
    case OX_STRING: return 0;
    default: return int_of_double(ox_load_double(t, data, i));
    }
}

void ox_store_int(ox_dtype t, void *data, int64_t i, int64_t v) {
    switch (t) {
    case OX_INT64:
    case OX_UINT64: PUT(int64_t, data, i, v); return;
    case OX_INT32:
    case OX_UINT32: PUT(uint32_t, data, i, v); return;
    case OX_INT16:
    case OX_UINT16: PUT(uint16_t, data, i, v); return;
    case OX_INT8:
    case OX_UINT8: PUT(uint8_t, data, i, v); return;
    case OX_BOOL: PUT(uint8_t, data, i, v != 0); return;
    case OX_UINT4:
    case OX_INT4: packed_put(data, i, 4, (unsigned)(v & 15)); return;
    case OX_UINT2:
    case OX_INT2: packed_put(data, i, 2, (unsigned)(v & 3)); return;
    case OX_FLOAT: PUT(float, data, i, v); return; /* not by way of double: that would round twice */
    default: ox_store_double(t, data, i, (double)v); return;
    }
}

/* To an integer type of the given range: nearest even, saturating. */
static void store_rounded(ox_dtype t, void *data, int64_t i, double v) {
    unsigned bits = ox_dtype_bits(t);
    v = rint(v);
    if (t == OX_UINT64) {
        uint64_t u = v >= 0x1p64 ? UINT64_MAX : v > 0 ? (uint64_t)v : 0;
        PUT(uint64_t, data, i, u);
        return;
    }
    int64_t n = int_of_double(v), hi, lo;
    if (ox_dtype_is_signed(t)) {
        hi = (int64_t)(UINT64_MAX >> (65 - bits));
        lo = -hi - 1;
    } else {
        hi = (int64_t)(UINT64_MAX >> (64 - bits));
        lo = 0;
    }
    ox_store_int(t, data, i, n < lo ? lo : n > hi ? hi : n);
}

void ox_store_double(ox_dtype t, void *data, int64_t i, double v) {
    switch (t) {
    case OX_FLOAT: PUT(float, data, i, v); return;
    case OX_DOUBLE: PUT(double, data, i, v); return;
    case OX_FLOAT16: PUT(uint16_t, data, i, ox_double_to_half(v)); return;
    case OX_BFLOAT16: PUT(uint16_t, data, i, double_to_bf16(v)); return;
    case OX_COMPLEX64:
        PUT(float, data, 2 * i, v);
        PUT(float, data, 2 * i + 1, 0);
        return;
    case OX_COMPLEX128:
        PUT(double, data, 2 * i, v);
        PUT(double, data, 2 * i + 1, 0);
        return;
    case OX_FLOAT8E4M3FN:
    case OX_FLOAT8E4M3FNUZ:
    case OX_FLOAT8E5M2:
    case OX_FLOAT8E5M2FNUZ:
    case OX_FLOAT8E8M0: PUT(uint8_t, data, i, double_to_fp8(t, v, true)); return;
    case OX_FLOAT4E2M1: packed_put(data, i, 4, double_to_fp4(v)); return;
    case OX_BOOL: PUT(uint8_t, data, i, v != 0); return;
    case OX_UNDEFINED:
    case OX_STRING:
    case OX_DTYPE_COUNT: return;
    default: store_rounded(t, data, i, v); return;
    }
}

#define LOAD_ALL(T) for (int64_t i = 0; i < count; i++) out[i] = (double)GET(T, data, i)

void ox_load_doubles(ox_dtype t, const void *data, int64_t count, double *out) {
    switch (t) {
    case OX_FLOAT: LOAD_ALL(float); return;
    case OX_DOUBLE:
        if (count) memcpy(out, data, (size_t)count * sizeof *out);
        return;
    case OX_INT8: LOAD_ALL(int8_t); return;
    case OX_UINT8: LOAD_ALL(uint8_t); return;
    case OX_INT32: LOAD_ALL(int32_t); return;
    case OX_INT64: LOAD_ALL(int64_t); return;
    case OX_FLOAT16:
        for (int64_t i = 0; i < count; i++) out[i] = (double)ox_half_to_float(GET(uint16_t, data, i));
        return;
    case OX_BFLOAT16:
        for (int64_t i = 0; i < count; i++) out[i] = (double)ox_bf16_to_float(GET(uint16_t, data, i));
        return;
    default:
        for (int64_t i = 0; i < count; i++) out[i] = ox_load_double(t, data, i);
        return;
    }
}

void ox_store_doubles(ox_dtype t, void *data, int64_t count, const double *in) {
    switch (t) {
    case OX_FLOAT:
        for (int64_t i = 0; i < count; i++) PUT(float, data, i, in[i]);
        return;
    case OX_DOUBLE:
        if (count) memcpy(data, in, (size_t)count * sizeof *in);
        return;
    default:
        for (int64_t i = 0; i < count; i++) ox_store_double(t, data, i, in[i]);
        return;
    }
}
