/* Conversion between element types. */
#include "cpu/pick.h"
#include "op/kernel.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- how a number travels: as int64, as uint64 in the same bits, or as double, each of which holds every source
 * exactly */

typedef enum way { AS_INT, AS_UNSIGNED, AS_REAL } way;
typedef union box {
    int64_t i[OX_CHUNK];
    double r[OX_CHUNK];
} box;

typedef struct cast {
    ox_dtype from, to;
    bool saturate;
    ox_round round; /* to float8e8m0 */
} cast;

static way way_of(ox_dtype t) {
    return t == OX_UINT64                                                    ? AS_UNSIGNED
           : ox_dtype_is_float(t) || t == OX_COMPLEX64 || t == OX_COMPLEX128 ? AS_REAL
                                                                             : AS_INT;
}

static void load_chunk(ox_dtype t, const void *data, int64_t at, int64_t n, box *b) {
    switch (t) {
#define LOAD_INT(T, C)                                                                                                 \
    case OX_##T:                                                                                                       \
        for (int64_t k = 0; k < n; k++) b->i[k] = (int64_t)((const C *)data)[at + k];                                  \
        return;
        OX_EACH_INT(LOAD_INT)
#define LOAD_REAL(T, C)                                                                                                \
    case OX_##T:                                                                                                       \
        for (int64_t k = 0; k < n; k++) b->r[k] = (double)((const C *)data)[at + k];                                   \
        return;
        OX_EACH_REAL(LOAD_REAL)
    default:
        for (int64_t k = 0; k < n; k++) {
            if (way_of(t) == AS_REAL)
                b->r[k] = ox_load_double(t, data, at + k);
            else
                b->i[k] = ox_load_int(t, data, at + k);
        }
    }
}

/* Numbers out of range become the least one, as processors of the x86 family have it; the standard leaves it open. */
static inline int64_t cut(double v) { return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN; }
static inline int32_t cut32(double v) { return v > -0x1p31 - 1 && v < 0x1p31 ? (int32_t)v : INT32_MIN; }

static void store_real(const cast *c, void *data, int64_t at, int64_t n, const double *in) {
    switch (c->to) {
    case OX_FLOAT:
        for (int64_t k = 0; k < n; k++) ((float *)data)[at + k] = (float)in[k];
        return;
    case OX_DOUBLE:
        memcpy((double *)data + at, in, (size_t)n * sizeof *in);
        return;
    case OX_INT32:
        for (int64_t k = 0; k < n; k++) ((int32_t *)data)[at + k] = cut32(in[k]);
        return;
    case OX_UINT64:
        for (int64_t k = 0; k < n; k++)
            ((uint64_t *)data)[at + k] = in[k] >= 0x1p63 && in[k] < 0x1p64 ? (uint64_t)in[k] : (uint64_t)cut(in[k]);
        return;
    case OX_BOOL:
        for (int64_t k = 0; k < n; k++) ((uint8_t *)data)[at + k] = in[k] != 0;
        return;
    case OX_FLOAT8E8M0:
        for (int64_t k = 0; k < n; k++) ((uint8_t *)data)[at + k] = ox_double_to_e8m0(in[k], c->round, c->saturate);
        return;
    case OX_FLOAT8E4M3FN:
    case OX_FLOAT8E4M3FNUZ:
    case OX_FLOAT8E5M2:
    case OX_FLOAT8E5M2FNUZ:
        for (int64_t k = 0; k < n; k++) ((uint8_t *)data)[at + k] = ox_double_to_fp8(c->to, in[k], c->saturate);
        return;
    default:
        for (int64_t k = 0; k < n; k++) {
            if (ox_dtype_is_float(c->to))
                ox_store_double(c->to, data, at + k, in[k]);
            else
                ox_store_int(c->to, data, at + k, cut(in[k]));
        }
    }
}

static void store_int(const cast *c, void *data, int64_t at, int64_t n, box *b) {
    bool is_unsigned = c->from == OX_UINT64;
    switch (c->to) {
#define STORE_INT(T, C)                                                                                                \
    case OX_##T:                                                                                                       \
        for (int64_t k = 0; k < n; k++) ((C *)data)[at + k] = (C)b->i[k];                                              \
        return;
        OX_EACH_INT(STORE_INT)
#define STORE_REAL(T, C)                                                                                               \
    case OX_##T:                                                                                                       \
        for (int64_t k = 0; k < n; k++) ((C *)data)[at + k] = is_unsigned ? (C)(uint64_t)b->i[k] : (C)b->i[k];         \
        return;
        OX_EACH_REAL(STORE_REAL)
    case OX_BOOL:
        for (int64_t k = 0; k < n; k++) ((uint8_t *)data)[at + k] = b->i[k] != 0;
        return;
    default:
        if (!ox_dtype_is_float(c->to)) {
            for (int64_t k = 0; k < n; k++) ox_store_int(c->to, data, at + k, b->i[k]);
            return;
        }
        for (int64_t k = 0; k < n; k++) b->r[k] = is_unsigned ? (double)(uint64_t)b->i[k] : (double)b->i[k];
        store_real(c, data, at, n, b->r);
    }
}

static ox_element element_of(ox_dtype t) {
    switch (t) {
    case OX_FLOAT: return OX_E_F32;
    case OX_DOUBLE: return OX_E_F64;
    case OX_INT32: return OX_E_I32;
    case OX_INT64: return OX_E_I64;
    case OX_INT8: return OX_E_I8;
    case OX_UINT8: return OX_E_U8;
    case OX_BOOL: return OX_E_BOOL;
    default: return OX_E_COUNT;
    }
}

static bool is_half(ox_dtype t) { return t == OX_FLOAT16 || t == OX_BFLOAT16; }

/* Between 16 and other bits by way of float, where that is exact or rounds once: whole numbers beyond those of float are infinite in float16.
 * False: not served. */
static bool cast_halves(const cast *c, const void *in, void *out, int64_t at, int64_t n) {
    float floats[OX_CHUNK];
    const ox_pick *pick = ox_pick_table();
    ox_element from = element_of(c->from), to = element_of(c->to);
    bool narrow = c->to == OX_FLOAT16 || from == OX_E_I8 || from == OX_E_U8 || from == OX_E_BOOL;
    if (c->to == OX_FLOAT && is_half(c->from)) {
        ox_to_floats(c->from, in, at, n, (float *)out + at);
    } else if (c->from == OX_FLOAT && is_half(c->to)) {
        ox_from_floats(c->to, out, at, n, (const float *)in + at);
    } else if (is_half(c->from) && to < OX_E_COUNT) {
        ox_to_floats(c->from, in, at, n, floats);
        pick->convert[OX_E_F32][to]((char *)out + (size_t)at * (ox_dtype_bits(c->to) / 8), floats, n);
    } else if (is_half(c->to) && c->from == OX_DOUBLE) {
        pick->odd(floats, (const double *)in + at, n);
        ox_from_floats(c->to, out, at, n, floats);
    } else if (is_half(c->to) && from < OX_E_COUNT && narrow) {
        pick->convert[from][OX_E_F32](floats, (const char *)in + (size_t)at * (ox_dtype_bits(c->from) / 8), n);
        ox_from_floats(c->to, out, at, n, floats);
    } else {
        return false;
    }
    return true;
}

static void cast_chunk(const cast *c, const void *in, void *out, int64_t at, int64_t n) {
    ox_element from = element_of(c->from), to = element_of(c->to);
    ox_convert_fn fn = from < OX_E_COUNT && to < OX_E_COUNT ? ox_pick_table()->convert[from][to] : NULL;
    if (fn) {
        fn((char *)out + (size_t)at * (ox_dtype_bits(c->to) / 8), (const char *)in + (size_t)at * (ox_dtype_bits(c->from) / 8), n);
        return;
    }
    if (cast_halves(c, in, out, at, n)) return;
    box b;
    load_chunk(c->from, in, at, n, &b);
    if (way_of(c->from) == AS_REAL)
        store_real(c, out, at, n, b.r);
    else
        store_int(c, out, at, n, &b);
}

/* ---- text */

/* The shortest digits that read back as the same element, laid out plainly, or with an exponent where it is below -4
 * or above 15. */
static void real_text(ox_dtype t, const void *data, int64_t i, char *out, size_t size) {
    double v = ox_load_double(t, data, i);
    if (v != v || v - v != 0) {
        snprintf(out, size, "%s", v != v ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    char text[40], digits[24];
    int n = 0, exponent = 0;
    for (int precision = 0; precision < 17; precision++) {
        uint8_t code[8] = {0}, want[8] = {0};
        snprintf(text, sizeof text, "%.*e", precision, v);
        char *e = strchr(text, 'e'), *s = text + (*text == '-');
        exponent = (int)strtol(e + 1, NULL, 10);
        n = 0;
        for (; s < e; s++) {
            if (isdigit((unsigned char)*s)) digits[n++] = *s;
        }
        if (precision) text[1 + (*text == '-')] = '.'; /* whatever the locale has there */
        double back = 0;
        ox_parse_double(text, strlen(text), &back);
        ox_store_double(t, code, 0, back);
        ox_store_double(t, want, 0, v);
        if (!memcmp(code, want, sizeof code)) break;
    }
    while (n > 1 && digits[n - 1] == '0') n--;
    const char *sign = *text == '-' ? "-" : "";
    if (v != 0 && (exponent < -4 || exponent > 15)) {
        snprintf(out, size, "%s%c%s%.*se%c%02d", sign, digits[0], n > 1 ? "." : "", n - 1, digits + 1,
                 exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        snprintf(out, size, "%s0.%.*s%.*s", sign, -exponent - 1, "0000", n, digits);
    } else if (n > exponent + 1) {
        snprintf(out, size, "%s%.*s.%.*s", sign, exponent + 1, digits, n - exponent - 1, digits + exponent + 1);
    } else {
        snprintf(out, size, "%s%.*s%.*s.0", sign, n, digits, exponent + 1 - n, "0000000000000000");
    }
}

static int to_strings(const ox_tensor *x, ox_tensor *y) {
    const void *data = ox_tensor_data(x);
    for (int64_t i = 0; i < x->count; i++) {
        char text[64];
        if (ox_dtype_is_float(x->dtype))
            real_text(x->dtype, data, i, text, sizeof text);
        else if (x->dtype == OX_BOOL)
            snprintf(text, sizeof text, "%s", ox_load_int(OX_BOOL, data, i) ? "True" : "False");
        else if (x->dtype == OX_UINT64)
            snprintf(text, sizeof text, "%llu", (unsigned long long)ox_load_int(x->dtype, data, i));
        else
            snprintf(text, sizeof text, "%lld", (long long)ox_load_int(x->dtype, data, i));
        if (ox_tensor_set_str(y, i, text, strlen(text)) < 0) return -1;
    }
    return 0;
}

static bool same_word(const ox_str *s, const char *word) {
    return s->len == strlen(word) && !strncasecmp(s->data, word, s->len);
}

/* A string as a number; whole numbers stay exact. */
static bool parse_number(const ox_str *s, bool *whole, int64_t *i, double *v) {
    static const struct {
        const char *word;
        double v;
    } words[] = {
        {"inf", (double)__builtin_inff()},
        {"+inf", (double)__builtin_inff()},
        {"-inf", -(double)__builtin_inff()},
        {"infinity", (double)__builtin_inff()},
        {"nan", (double)__builtin_nanf("")},
        {"true", 1},
        {"false", 0},
    };
    size_t plus = s->len > 1 && s->data[0] == '+';
    if ((*whole = ox_parse_int(s->data + plus, s->len - plus, i))) {
        *v = (double)*i;
        return true;
    }
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        if (!same_word(s, words[k].word)) continue;
        *v = words[k].v;
        return true;
    }
    return ox_parse_double(s->data + plus, s->len - plus, v);
}

static int from_strings(ox_run *r, const cast *c, const ox_tensor *x, ox_tensor *y) {
    const ox_str *s = ox_tensor_data(x);
    for (int64_t i = 0; i < x->count; i++) {
        bool whole;
        box b;
        double v = 0;
        int64_t n = 0;
        if (!parse_number(&s[i], &whole, &n, &v))
            return ox_fail(r->ctx, OX_BAD_DATA, "'%.*s' is no number", (int)(s[i].len < 64 ? s[i].len : 64), s[i].data);
        b.i[0] = n;
        if (whole && !ox_dtype_is_float(c->to))
            store_int(&(cast){OX_INT64, c->to, c->saturate, c->round}, ox_tensor_mut(y), i, 1, &b);
        else
            store_real(c, ox_tensor_mut(y), i, 1, &v);
    }
    return 0;
}

/* ---- kernels */

static int run_to(ox_run *r, ox_dtype to) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no tensor");
    if (to <= OX_UNDEFINED || to >= OX_DTYPE_COUNT) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'to' is no element type");
    if (x->dtype == to) return ox_output_share(r, 0, x, x->rank, x->dims);
    if (to == OX_COMPLEX64 || to == OX_COMPLEX128)
        return ox_kernel_no_type(r, to);
    const char *mode = ox_get_string(r->call, "round_mode");
    cast c = {x->dtype, to, !ox_has(r->call, "saturate") || ox_get_int(r->call, "saturate"),
              !strcmp(mode, "down")      ? OX_ROUND_DOWN
              : !strcmp(mode, "nearest") ? OX_ROUND_NEAREST
                                         : OX_ROUND_UP};
    ox_tensor *y = ox_output(r, 0, to, x->rank, x->dims);
    const void *in = ox_tensor_data(x);
    if (!y || !in) return -1;
    if (to == OX_STRING) return to_strings(x, y);
    if (x->dtype == OX_STRING) return from_strings(r, &c, x, y);
    char *out = ox_tensor_mut(y);
    if (ox_dtype_packed(to)) memset(out, 0, (size_t)y->bytes);
    const int64_t piece = ox_cpu_piece(OX_CHUNK), chunks = (x->count + piece - 1) / piece;
    int threads = ox_threads_for(r->ctx, x->count);
    OX_EACH(threads, k, chunks, {
        int64_t at = k * piece;
        cast_chunk(&c, in, out, at, x->count - at < piece ? x->count - at : piece);
    });
    return 0;
}

static int run_cast(ox_run *r) { return run_to(r, (ox_dtype)ox_get_int(r->call, "to")); }

static int run_cast_like(ox_run *r) {
    const ox_tensor *like = ox_input(r, 1);
    return like ? run_to(r, like->dtype) : ox_fail(r->ctx, OX_BAD_DATA, "target_type is no tensor");
}

static int run_bit_cast(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    ox_dtype to = (ox_dtype)ox_get_int(r->call, "to");
    if (!x || !ox_dtype_bits(x->dtype) || ox_dtype_bits(x->dtype) != ox_dtype_bits(to))
        return ox_fail(r->ctx, OX_BAD_DATA, "element types of different sizes");
    ox_tensor *y = ox_tensor_reshaped(r->ctx, (ox_tensor *)(uintptr_t)x, to, x->rank, x->dims);
    return y ? ox_output_rt(r, 0, ox_rt_tensor(r->ctx, y)) : -1;
}

/* ---- shape rules */

/* What an expression is in another type; NULL where a number might not fit. */
static ox_dim elem_in(ox_call *c, ox_dim d, ox_dtype to) {
    int64_t lo, hi;
    if (!d || !ox_dim_range(d, &lo, &hi)) return NULL;
    if (to == OX_BOOL) return lo > 0 || hi < 0 ? ox_dim_const(c->ctx, 1) : lo == 0 && hi == 0 ? d : NULL;
    if (to == OX_INT64 || to == OX_INT32) return d; /* sizes beyond 2^31 do not exist in tensors of int32 */
    if ((to == OX_UINT64 || to == OX_UINT32) && lo >= 0) return d;
    int bits = (int)ox_dtype_bits(to);
    int64_t most =
        ox_dtype_is_signed(to) ? (INT64_C(1) << (bits - 1)) - 1 : (INT64_C(1) << (bits < 63 ? bits : 62)) - 1;
    return lo >= (ox_dtype_is_signed(to) ? -most - 1 : 0) && hi <= most ? d : NULL;
}

static int infer_to(ox_call *c, ox_dtype to) {
    ox_out_tensor(c, 0, to, ox_in_rank(c, 0), ox_in_dims(c, 0));
    int64_t n;
    const ox_dim *in = ox_dtype_is_int(to) || to == OX_BOOL ? ox_in_elems(c, 0, &n) : NULL;
    if (!in) return 0;
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, n + 1);
    for (int64_t i = 0; i < n; i++) out[i] = elem_in(c, in[i], to);
    ox_out_elems(c, 0, n, out);
    return 0;
}

static int infer_cast(ox_call *c) {
    int64_t to = ox_get_int(c, "to");
    if (to <= OX_UNDEFINED || to >= OX_DTYPE_COUNT)
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'to' is %lld, which is no element type", (long long)to);
    return infer_to(c, (ox_dtype)to);
}

static int infer_cast_like(ox_call *c) { return infer_to(c, ox_in_dtype(c, 1)); }

static int infer_bit_cast(ox_call *c) {
    int64_t to = ox_get_int(c, "to");
    ox_dtype from = ox_in_dtype(c, 0);
    bool known = to > OX_UNDEFINED && to < OX_DTYPE_COUNT && ox_dtype_bits((ox_dtype)to);
    if (!known || (from && ox_dtype_bits(from) != ox_dtype_bits((ox_dtype)to)))
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'to' is %lld, which has not the size of the input's type",
                       (long long)to);
    ox_out_tensor(c, 0, (ox_dtype)to, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

/* The type was a word before version 6. */
static int lift_cast_1(ox_call *c) {
    char *word = ox_strdup(c->arena, ox_get_string(c, "to"));
    for (char *p = word; *p; p++) *p = (char)tolower((unsigned char)*p);
    ox_dtype t = ox_dtype_from_name(word, strlen(word));
    if (!t) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'to' is '%s', which is no element type", word);
    ox_lift_attr_int(c, "to", t);
    return 0;
}

OX_FAMILY(cast, "",
    OP("Cast", 28,
       "<round_mode: string = \"up\", saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|"
       "fp8|int4s|int2s|bfloat16|bool|float4e2m1|float6e2m3|float6e3m2|float8e8m0|string, T2: numbers|"
       "fp8|int4s|int2s|bfloat16|bool|float4e2m1|float6e2m3|float6e3m2|float8e8m0|string",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = infer_cast, .kernel = run_cast),
    OP("Cast", 25,
       "<round_mode: string = \"up\", saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|"
       "fp8|int4s|int2s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|int2s|"
       "bfloat16|bool|float4e2m1|float8e8m0|string"),
    OP("Cast", 24,
       "<round_mode: string = \"up\", saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|"
       "fp8|int4s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1|float8e8m0|string"),
    OP("Cast", 23,
       "<saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1|string, T2: numbers|fp8|int4s|bfloat16|bool|float4e2m1|string"),
    OP("Cast", 21,
       "<saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|fp8|int4s|bfloat16|bool|"
       "string, T2: numbers|fp8|int4s|bfloat16|bool|string"),
    OP("Cast", 19,
       "<saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|fp8|bfloat16|bool|string, T2: "
       "numbers|fp8|bfloat16|bool|string"),
    OP("Cast", 13,
       "<to: int>(T1 input) => (T2 output) T1: numbers|bfloat16|bool|string, T2: numbers|bfloat16|bool|"
       "string"),
    OP("Cast", 9,
       "<to: int>(T1 input) => (T2 output) T1: numbers|bool|string, T2: numbers|bool|string"),
    OP("Cast", 6,
       "<to: int>(T1 input) => (T2 output) T1: numbers|bool, T2: numbers|bool"),
    OP("Cast", 1,
       "<to: string>(T1 input) => (T2 output) T1: numbers|bool, T2: numbers|bool",
       .lift = lift_cast_1),
    OP("CastLike", 25,
       "<round_mode: string = \"up\", saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: "
       "numbers|fp8|int4s|int2s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|int2s|"
       "bfloat16|bool|float4e2m1|float8e8m0|string",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE,
       .infer = infer_cast_like, .kernel = run_cast_like),
    OP("CastLike", 24,
       "<round_mode: string = \"up\", saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: "
       "numbers|fp8|int4s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|bfloat16|"
       "bool|float4e2m1|float8e8m0|string"),
    OP("CastLike", 23,
       "<saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: numbers|fp8|int4s|bfloat16|"
       "bool|float4e2m1|string, T2: numbers|fp8|int4s|bfloat16|bool|float4e2m1|string"),
    OP("CastLike", 21,
       "<saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: numbers|fp8|int4s|bfloat16|"
       "bool|string, T2: numbers|fp8|int4s|bfloat16|bool|string"),
    OP("CastLike", 19,
       "<saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: numbers|fp8|bfloat16|bool|"
       "string, T2: numbers|fp8|bfloat16|bool|string"),
    OP("CastLike", 15,
       "(T1 input, T2 target_type) => (T2 output) T1: numbers|bfloat16|bool|string, T2: numbers|"
       "bfloat16|bool|string"),
    OP("BitCast", 26,
       "<to: int>(T1 input) => (T2 output) T1: numbers|fp8|int4s|int2s|complex|bfloat16|bool|float4e2m1|"
       "float8e8m0, T2: numbers|fp8|int4s|int2s|complex|bfloat16|bool|float4e2m1|float8e8m0",
       .infer = infer_bit_cast, .kernel = run_bit_cast));
