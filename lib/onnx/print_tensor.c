/* Tensor data as text, in one of the forms
 *
 *   {1, 2}                 elements, of the field that holds this type (float_data, int32_data ...)
 *   = raw {1, 2}           elements, of raw_data
 *   = raw "0000803f..."    raw_data, byte by byte
 *   = packed "0000803f..." float_data or double_data, the bits of its elements, little-endian
 *   = ["location": "x"]    external data
 *   {... "6c62272e07bb0142"}  left out; the hash says whether two are the same, however they are stored
 *
 * Elements of small float types are written as numbers when their code comes back from that, else as codes. */
#include "onnx/text_form.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 1 << 16 }; /* bytes hashed at a time */

static void add(ox_printer *p, const char *text) { ox_text_add(p->out, text); }

void ox_print_uint(ox_printer *p, uint64_t v) {
    char buf[24], *end = buf + sizeof buf, *s = end;
    do *--s = (char)('0' + v % 10);
    while (v /= 10);
    ox_text_add_n(p->out, s, (size_t)(end - s));
}

void ox_print_int(ox_printer *p, int64_t v) {
    if (v < 0) add(p, "-");
    ox_print_uint(p, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void ox_print_float(ox_printer *p, float v) {
    char buf[40];
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v) && (bits & 0x7fffffff) != 0x7fc00000) {
        ox_text_addf(p->out, "nan \"%08x\"", (unsigned)bits);
    } else if (isnan(v)) {
        add(p, bits >> 31 ? "-nan" : "nan");
    } else if (bits == 0x80000000) {
        add(p, "-0.0");
    } else {
        int n = ox_float_text(buf, v);
        ox_text_add_n(p->out, buf, (size_t)n);
    }
}

void ox_print_double(ox_printer *p, double v) {
    char buf[40];
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v) && (bits & ~(1ull << 63)) != 0x7ff8000000000000ull) {
        ox_text_addf(p->out, "nan \"%016llx\"", (unsigned long long)bits);
    } else if (isnan(v)) {
        add(p, bits >> 63 ? "-nan" : "nan");
    } else if (bits == 1ull << 63) {
        add(p, "-0.0");
    } else {
        int n = ox_double_text(buf, v);
        ox_text_add_n(p->out, buf, (size_t)n);
    }
}

void ox_print_hex(ox_printer *p, const void *data, size_t size) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = data;
    char buf[512];
    add(p, "\"");
    while (size) {
        size_t n = size < sizeof buf / 2 ? size : sizeof buf / 2;
        for (size_t i = 0; i < n; i++) {
            buf[2 * i] = digits[b[i] >> 4];
            buf[2 * i + 1] = digits[b[i] & 15];
        }
        ox_text_add_n(p->out, buf, 2 * n);
        b += n;
        size -= n;
    }
    add(p, "\"");
}

void ox_print_elided(ox_printer *p, uint64_t hash) {
    ox_text_addf(p->out, "... \"%016llx\"", (unsigned long long)hash);
}

/* ---- elements ---- */

/* A float of 16 bits or fewer: "1.5", or its code as an integer where the number would not give that back. */
static void print_small_float(ox_printer *p, ox_dtype t, uint16_t code) {
    uint16_t again = 0;
    uint8_t byte = (uint8_t)code;
    double v = ox_load_double(t, ox_dtype_bits(t) == 16 ? (const void *)&code : &byte, 0);
    if (isnan(v)) v = copysign((double)NAN, v);
    ox_store_double(t, &again, 0, v);
    if (again != code) {
        ox_print_uint(p, code);
        return;
    }
    size_t start = p->out->len;
    ox_print_float(p, (float)v);
    if (isfinite(v) && !strpbrk(p->out->data + start, ".e")) add(p, ".0");
}

static bool is_small_float(int32_t t) {
    return t > 0 && t < OX_DTYPE_COUNT && ox_dtype_is_float((ox_dtype)t) && ox_dtype_bits((ox_dtype)t) <= 16;
}

/* Element i of data in the layout of raw_data. Alignment is not known. */
static void print_element(ox_printer *p, ox_dtype t, const uint8_t *data, size_t i) {
    unsigned bits = ox_dtype_bits(t), bytes = bits / 8;
    union {
        float f[2];
        double d[2];
        uint64_t u;
        uint16_t h;
    } x = {0};
    if (bits < 8) {
        if (is_small_float((int32_t)t))
            print_small_float(p, t, (uint16_t)((data[i * bits / 8] >> (i * bits % 8)) & ((1u << bits) - 1)));
        else
            ox_print_int(p, ox_load_int(t, data, (int64_t)i));
        return;
    }
    memcpy(&x, data + i * bytes, bytes);
    switch (t) {
    case OX_FLOAT: ox_print_float(p, x.f[0]); break;
    case OX_DOUBLE: ox_print_double(p, x.d[0]); break;
    case OX_COMPLEX64:
        ox_print_float(p, x.f[0]);
        add(p, ", ");
        ox_print_float(p, x.f[1]);
        break;
    case OX_COMPLEX128:
        ox_print_double(p, x.d[0]);
        add(p, ", ");
        ox_print_double(p, x.d[1]);
        break;
    default:
        if (is_small_float((int32_t)t))
            print_small_float(p, t, x.h);
        else if (ox_dtype_is_signed(t))
            ox_print_int(p, ox_load_int(t, &x, 0));
        else
            ox_print_uint(p, x.u); /* bool too: any byte */
    }
}

/* The number of elements in SIZE bytes of raw_data, when these are whole elements; else false. */
static bool raw_count(const Onnx__TensorProto *t, size_t *count) {
    ox_dtype d = (ox_dtype)t->data_type;
    if (t->data_type <= 0 || t->data_type >= OX_DTYPE_COUNT || !ox_dtype_bits(d)) return false;
    unsigned bits = ox_dtype_bits(d);
    if (bits >= 8) {
        *count = t->raw_data.len / (bits / 8);
        return t->raw_data.len % (bits / 8) == 0;
    }
    int64_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0 || !ox_mul_ok(n, t->dims[i], &n)) return false;
    uint64_t bytes;
    if (!ox_dtype_bytes(d, n, &bytes) || bytes != t->raw_data.len) return false;
    *count = (size_t)n;
    unsigned used = (unsigned)((uint64_t)n * bits % 8); /* the unused bits of the last byte are to be zero */
    return !used || t->raw_data.data[bytes - 1] >> used == 0;
}

static void print_raw_elements(ox_printer *p, const Onnx__TensorProto *t, size_t n) {
    add(p, "{");
    for (size_t i = 0; i < n; i++) {
        if (i) add(p, ", ");
        print_element(p, (ox_dtype)t->data_type, t->raw_data.data, i);
    }
    add(p, "}");
}

/* ---- hashes ---- */

static uint64_t hash_bytes(const uint8_t *data, size_t size) {
    uint64_t h = ox_hash(data, size < CHUNK ? size : CHUNK, size);
    for (size_t i = CHUNK; i < size; i += CHUNK)
        h = ox_hash_mix(h, ox_hash(data + i, size - i < CHUNK ? size - i : CHUNK, 0));
    return h;
}

static uint64_t hash_strings(const Onnx__TensorProto *t) {
    uint64_t h = t->n_string_data;
    for (size_t i = 0; i < t->n_string_data; i++)
        h = ox_hash_mix(h, ox_hash(t->string_data[i].data, t->string_data[i].len, i));
    return h;
}

/* The hash that the same elements would have in raw_data: narrow elements of int32_data and uint64_data are packed
 * for it. */
static uint64_t hash_narrowed(const void *items, size_t n, size_t from, size_t to) {
    uint8_t buf[CHUNK];
    uint64_t h = 0;
    size_t per_chunk = CHUNK / to;
    for (size_t start = 0; start < n || !start; start += per_chunk) {
        size_t count = n - start < per_chunk ? n - start : per_chunk;
        for (size_t i = 0; i < count; i++) memcpy(buf + i * to, (const uint8_t *)items + (start + i) * from, to);
        h = start ? ox_hash_mix(h, ox_hash(buf, count * to, 0)) : ox_hash(buf, count * to, n * to);
    }
    return h;
}

/* ---- typed fields ---- */

static size_t typed_count(const Onnx__TensorProto *t, uint32_t field) {
    switch (field) {
    case 4: return t->n_float_data;
    case 5: return t->n_int32_data;
    case 6: return t->n_string_data;
    case 7: return t->n_int64_data;
    case 10: return t->n_double_data;
    case 11: return t->n_uint64_data;
    default: return 0;
    }
}

static uint64_t typed_hash(const Onnx__TensorProto *t, uint32_t field) {
    unsigned bits = t->data_type < OX_DTYPE_COUNT ? ox_dtype_bits((ox_dtype)t->data_type) : 8;
    size_t bytes = bits < 8 ? 1 : bits / 8;
    switch (field) {
    case 4: return hash_narrowed(t->float_data, t->n_float_data, 4, 4);
    case 5: return hash_narrowed(t->int32_data, t->n_int32_data, 4, bytes < 4 ? bytes : 4);
    case 6: return hash_strings(t);
    case 7: return hash_narrowed(t->int64_data, t->n_int64_data, 8, 8);
    case 10: return hash_narrowed(t->double_data, t->n_double_data, 8, 8);
    default: return hash_narrowed(t->uint64_data, t->n_uint64_data, 8, bytes);
    }
}

static void print_typed_element(ox_printer *p, const Onnx__TensorProto *t, uint32_t field, size_t i) {
    switch (field) {
    case 4: ox_print_float(p, t->float_data[i]); break;
    case 6: ox_text_quoted(p->out, (const char *)t->string_data[i].data, t->string_data[i].len); break;
    case 7: ox_print_int(p, t->int64_data[i]); break;
    case 10: ox_print_double(p, t->double_data[i]); break;
    case 11: ox_print_uint(p, t->uint64_data[i]); break;
    default: {
        int32_t v = t->int32_data[i];
        int32_t limit = is_small_float(t->data_type) ? 1 << ox_dtype_bits((ox_dtype)t->data_type) : 0;
        if (limit >= 256 && v >= 0 &&
            v < limit) /* sub-byte types are packed in int32_data: numbers would say something else */
            print_small_float(p, (ox_dtype)t->data_type, (uint16_t)v);
        else
            ox_print_int(p, v);
    }
    }
}

/* Packed elements in int32_data, one byte each, shown as elements: the human form writes them as raw data. */
static bool print_packed_elements(ox_printer *p, const Onnx__TensorProto *t) {
    uint8_t bytes[OX_TEXT_MANY];
    Onnx__TensorProto raw = *t;
    size_t n;
    if (p->full || t->data_type <= 0 || t->data_type >= OX_DTYPE_COUNT || !ox_dtype_packed((ox_dtype)t->data_type))
        return false;
    if (t->n_int32_data > sizeof bytes) return false;
    for (size_t i = 0; i < t->n_int32_data; i++) bytes[i] = (uint8_t)t->int32_data[i];
    raw.raw_data = (ProtobufCBinaryData){.data = bytes, .len = t->n_int32_data};
    if (!raw_count(&raw, &n)) return false;
    add(p, " = raw ");
    print_raw_elements(p, &raw, n);
    return true;
}

static void print_typed(ox_printer *p, const Onnx__TensorProto *t, bool equals) {
    uint32_t field = ox_text_data_field(t->data_type);
    size_t n = typed_count(t, field);
    if (field == 5 && n && n <= p->max && print_packed_elements(p, t)) return;
    if (p->full && n > OX_TEXT_MANY && (field == 4 || field == 10)) {
        add(p, " = packed ");
        ox_print_hex(p, field == 4 ? (const void *)t->float_data : t->double_data, n * (field == 4 ? 4 : 8));
        return;
    }
    add(p, equals ? " = {" : " {");
    if (!p->full && n > p->max)
        ox_print_elided(p, typed_hash(t, field));
    else
        for (size_t i = 0; i < n; i++) {
            if (i) add(p, ", ");
            print_typed_element(p, t, field, i);
        }
    add(p, "}");
}

static void print_raw(ox_printer *p, const Onnx__TensorProto *t, bool equals) {
    size_t n = 0, size = t->raw_data.len;
    bool whole = raw_count(t, &n);
    if (p->full) {
        add(p, " = raw ");
        if (whole && n <= OX_TEXT_MANY)
            print_raw_elements(p, t, n);
        else
            ox_print_hex(p, t->raw_data.data, size);
        return;
    }
    if (whole ? n > p->max : size > OX_TEXT_MANY) {
        add(p, equals ? " = {" : " {");
        ox_print_elided(p, hash_bytes(t->raw_data.data, size));
        add(p, "}");
    } else if (whole) {
        bool packed = ox_dtype_packed((ox_dtype)t->data_type);
        add(p, packed ? " = raw " : equals ? " = " : " ");
        print_raw_elements(p, t, n);
    } else {
        add(p, " = raw ");
        ox_print_hex(p, t->raw_data.data, size);
    }
}

uint32_t ox_print_tensor_data(ox_printer *p, const Onnx__TensorProto *t, bool equals, uint32_t *implied) {
    if (ox_proto_is_external(t)) {
        add(p, " = ");
        ox_print_entries(p, t->external_data, t->n_external_data);
        *implied |= OX_FIELD(14);
        return OX_FIELD(13) | OX_FIELD(14);
    }
    if (t->has_raw_data) {
        print_raw(p, t, equals);
        return OX_FIELD(9);
    }
    print_typed(p, t, equals);
    uint32_t field = ox_text_data_field(t->data_type);
    return field ? OX_FIELD(field) : 0;
}
