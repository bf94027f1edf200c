/* Parsing of single values and of notes: fields of any message by their descriptors. See text_form.h. */
#include "onnx/text_form.h"

#include <langinfo.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int ox_parse_item(ox_text_parser *ps, bool *first, const char *close) {
    ox_lexer *lx = &ps->lx;
    bool begin = *first;
    *first = false;
    if (ox_lex_accept(lx, close)) return lx->failed ? -1 : 0;
    if (begin) return 1; /* whatever the item wants to see will complain at the end of the text */
    if (ox_lex_accept(lx, ",")) return lx->failed ? -1 : 1;
    if (lx->tok == OX_T_END) return ox_lex_fail(lx, "expected ',' or '%s', found the end of the text", close);
    return ox_lex_fail(lx, "expected ',' or '%s', found '%.*s'", close, (int)(lx->len < 100 ? lx->len : 100), lx->text);
}

/* ---- names and strings ---- */

bool ox_at_name(const ox_text_parser *ps) { return ps->lx.tok == OX_T_IDENT || ps->lx.tok == OX_T_STRING; }

static char *take_text(ox_text_parser *ps) {
    ox_lexer *lx = &ps->lx;
    if (lx->tok == OX_T_STRING && (memchr(lx->text, 0, lx->len) || ox_utf8_prefix(lx->text, lx->len) != lx->len)) {
        ox_lex_fail(lx, "a NUL byte or invalid UTF-8 in a text");
        return NULL;
    }
    char *s = ox_alloc(ps->arena, lx->len + 1);
    memcpy(s, lx->text, lx->len);
    return ox_lex_next(lx) < 0 ? NULL : s;
}

char *ox_parse_name(ox_text_parser *ps) {
    if (ox_at_name(ps)) return take_text(ps);
    ox_lex_fail(&ps->lx, "expected a name");
    return NULL;
}

char *ox_parse_string(ox_text_parser *ps) {
    if (ps->lx.tok == OX_T_STRING) return take_text(ps);
    ox_lex_fail(&ps->lx, "expected a quoted text");
    return NULL;
}

int ox_parse_bytes(ox_text_parser *ps, ProtobufCBinaryData *out) {
    if (ps->lx.tok != OX_T_STRING) return ox_lex_fail(&ps->lx, "expected a quoted text");
    out->len = ps->lx.len;
    out->data = ox_dup(ps->arena, ps->lx.text, ps->lx.len);
    return ox_lex_next(&ps->lx);
}

/* ---- numbers ---- */

static int no_integer(ox_text_parser *ps, const char *what) {
    return ps->lx.tok == OX_T_INT ? ox_lex_fail(&ps->lx, "the number does not fit in %s", what)
                                  : ox_lex_fail(&ps->lx, "expected an integer");
}

int ox_parse_int64(ox_text_parser *ps, int64_t *out) {
    bool minus = ox_lex_accept(&ps->lx, "-");
    uint64_t v = ps->lx.int_value;
    if (ps->lx.tok != OX_T_INT || v > (uint64_t)INT64_MAX + minus) return no_integer(ps, "int64");
    *out = minus ? (int64_t)(-v) : (int64_t)v;
    return ox_lex_next(&ps->lx);
}

int ox_parse_int32(ox_text_parser *ps, int32_t *out) {
    ox_lexer start = ps->lx;
    int64_t v = 0;
    if (ox_parse_int64(ps, &v) < 0) return -1;
    if (v < INT32_MIN || v > INT32_MAX) return ox_lex_fail(&start, "the number does not fit in int32");
    *out = (int32_t)v;
    return 0;
}

/* A negative number means the same bits, as in ONNX's own parser. */
int ox_parse_uint64(ox_text_parser *ps, uint64_t *out) {
    bool minus = ox_lex_accept(&ps->lx, "-");
    if (ps->lx.tok != OX_T_INT) return no_integer(ps, "uint64");
    *out = minus ? -ps->lx.int_value : ps->lx.int_value;
    return ox_lex_next(&ps->lx);
}

/* strtof of the present token: rounded once, from the decimal digits. */
static float decimal_float(const ox_lexer *lx) {
    char buf[128];
    const char *point = nl_langinfo(RADIXCHAR), *dot = memchr(lx->text, '.', lx->len);
    size_t extra = strlen(point);
    if (lx->len + extra >= sizeof buf) return (float)lx->float_value;
    size_t before = dot ? (size_t)(dot - lx->text) : lx->len, n = before;
    memcpy(buf, lx->text, before);
    if (dot) {
        memcpy(buf + n, point, extra);
        n += extra;
        memcpy(buf + n, dot + 1, lx->len - before - 1);
        n += lx->len - before - 1;
    }
    buf[n] = 0;
    return strtof(buf, NULL);
}

/* The double nearest to the text rounds to the nearest float, except where it lies half-way between two or among the
 * denormals. */
static float token_float(const ox_lexer *lx) {
    uint64_t bits;
    memcpy(&bits, &lx->float_value, sizeof bits);
    bool half_way = (bits & 0x1fffffff) == 0x10000000;
    return half_way || fabs(lx->float_value) < 1.2e-38 ? decimal_float(lx) : (float)lx->float_value;
}

static int hex_digit(int c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* `nan "7fc00001"`: the bits of a NaN, after its name. 0 when there are none. */
static int nan_bits(ox_text_parser *ps, size_t digits, uint64_t *bits) {
    ox_lexer *lx = &ps->lx;
    *bits = 0;
    if (lx->tok != OX_T_STRING) return 0;
    bool good = lx->len == digits;
    for (size_t i = 0; good && i < digits; i++) {
        int d = hex_digit((unsigned char)lx->text[i]);
        good = d >= 0;
        *bits = *bits << 4 | (uint64_t)(d & 15);
    }
    uint64_t exponent = digits == 8 ? 0x7f800000u : 0x7ff0000000000000ull,
             mantissa = digits == 8 ? 0x7fffffu : 0xfffffffffffffull;
    if (!good || (*bits & exponent) != exponent || !(*bits & mantissa))
        return ox_lex_fail(lx, "expected the %zu hexadecimal digits of a NaN", digits);
    return ox_lex_next(lx);
}

/* inf or nan, at its name. */
static int special(ox_text_parser *ps, bool minus, size_t digits, double *v, uint64_t *bits) {
    bool nan = (ps->lx.text[0] | 32) == 'n';
    *v = nan ? (double)NAN : (double)INFINITY;
    *v = copysign(*v, minus ? -1.0 : 1.0);
    *bits = 0;
    return ox_lex_next(&ps->lx) < 0 ? -1 : nan ? nan_bits(ps, digits, bits) : 0;
}

static bool at_special(const ox_text_parser *ps) {
    return ps->lx.tok == OX_T_IDENT && ox_text_is_number_name(ps->lx.text, ps->lx.len);
}

int ox_parse_float(ox_text_parser *ps, float *out) {
    bool minus = ox_lex_accept(&ps->lx, "-");
    if (at_special(ps)) {
        double v;
        uint64_t bits;
        if (special(ps, minus, 8, &v, &bits) < 0) return -1;
        uint32_t narrow = (uint32_t)bits;
        *out = (float)v;
        if (bits) memcpy(out, &narrow, sizeof narrow);
        return 0;
    }
    if (ps->lx.tok != OX_T_INT && ps->lx.tok != OX_T_FLOAT) return ox_lex_fail(&ps->lx, "expected a number");
    float v = token_float(&ps->lx);
    if (isinf(v)) return ox_lex_fail(&ps->lx, "the number does not fit in float");
    *out = minus ? -v : v;
    return ox_lex_next(&ps->lx);
}

int ox_parse_float64(ox_text_parser *ps, double *out) {
    bool minus = ox_lex_accept(&ps->lx, "-");
    if (at_special(ps)) {
        uint64_t bits;
        if (special(ps, minus, 16, out, &bits) < 0) return -1;
        if (bits) memcpy(out, &bits, sizeof bits);
        return 0;
    }
    if (ps->lx.tok != OX_T_INT && ps->lx.tok != OX_T_FLOAT) return ox_lex_fail(&ps->lx, "expected a number");
    *out = minus ? -ps->lx.float_value : ps->lx.float_value;
    return ox_lex_next(&ps->lx);
}

int ox_parse_hex(ox_text_parser *ps, ProtobufCBinaryData *out) {
    ox_lexer *lx = &ps->lx;
    if (lx->tok != OX_T_STRING) return ox_lex_fail(lx, "expected hexadecimal digits in quotes");
    size_t n = lx->len / 2;
    if (lx->len % 2) return ox_lex_fail(lx, "an odd number of hexadecimal digits");
    uint8_t *data = n < 4096 ? ox_alloc(ps->arena, n) : ox_message_payload(ps->msg, n);
    if (!data) return -1;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit((unsigned char)lx->text[2 * i]), low = hex_digit((unsigned char)lx->text[2 * i + 1]);
        if (high < 0 || low < 0)
            return ox_lex_fail(lx, "character %zu of the text is no hexadecimal digit", 2 * i + (high >= 0) + 1);
        data[i] = (uint8_t)(high << 4 | low);
    }
    *out = (ProtobufCBinaryData){.len = n, .data = data};
    return ox_lex_next(lx);
}

/* ---- unknown fields ---- */

/* The length of the varint at data, 0 when there is none. */
static size_t varint(const uint8_t *data, size_t size, uint64_t *v) {
    *v = 0;
    for (size_t i = 0; i < size && i < 10; i++) {
        *v |= (uint64_t)(data[i] & 0x7f) << (7 * i);
        if (!(data[i] & 0x80)) return i + 1;
    }
    return 0;
}

static bool fits_wire(unsigned wire, const uint8_t *data, size_t size) {
    uint64_t v;
    size_t n;
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT: return varint(data, size, &v) == size && size;
    case PROTOBUF_C_WIRE_TYPE_64BIT: return size == 8;
    case PROTOBUF_C_WIRE_TYPE_32BIT: return size == 4;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: return (n = varint(data, size, &v)) && v == size - n;
    default: return false;
    }
}

/* `["5a03616263", ...]`: the bytes of a field as in the file, tag first. */
static int parse_unknown(ox_text_parser *ps, ProtobufCMessage *m) {
    bool first = true;
    int rc;
    if (ox_lex_expect(&ps->lx, "[") < 0) return -1;
    while ((rc = ox_parse_item(ps, &first, "]")) > 0) {
        ox_lexer start = ps->lx;
        ProtobufCBinaryData b;
        uint64_t tag;
        if (ox_parse_hex(ps, &b) < 0) return -1;
        size_t n = varint(b.data, b.len, &tag);
        if (!n || !(tag >> 3) || tag >> 3 > 0x1fffffff || !fits_wire(tag & 7, b.data + n, b.len - n))
            return ox_lex_fail(&start, "these bytes are not one field");
        ProtobufCMessageUnknownField u = {.tag = (uint32_t)(tag >> 3),
                                          .wire_type = (ProtobufCWireType)(tag & 7),
                                          .len = b.len - n,
                                          .data = b.data + n};
        OX_TEXT_PUSH(ps, m->unknown_fields, m->n_unknown_fields, u);
    }
    return rc;
}

/* ---- fields ---- */

static ProtobufCMessage *parse_message(ox_text_parser *ps, const ProtobufCMessageDescriptor *d) {
    ProtobufCMessage *m = ox_text_message(ps->arena, d);
    int rc;
    if (d == &onnx__tensor_proto__descriptor)
        rc = ox_parse_tensor(ps, (Onnx__TensorProto *)m);
    else if (d == &onnx__type_proto__descriptor)
        rc = ox_parse_type(ps, (Onnx__TypeProto *)m);
    else if (d == &onnx__graph_proto__descriptor)
        rc = ox_parse_graph(ps, (Onnx__GraphProto *)m);
    else if (d == &onnx__attribute_proto__descriptor)
        rc = ox_parse_attr(ps, (Onnx__AttributeProto *)m);
    else if (d == &onnx__value_info_proto__descriptor)
        rc = ox_parse_value_info(ps, (Onnx__ValueInfoProto *)m);
    else if (d == &onnx__string_string_entry_proto__descriptor)
        rc = ox_parse_entry(ps, (Onnx__StringStringEntryProto *)m);
    else if (d == &onnx__operator_set_id_proto__descriptor)
        rc = ox_parse_opset(ps, (Onnx__OperatorSetIdProto *)m);
    else
        rc = ox_lex_expect(&ps->lx, "{") < 0 ? -1 : ox_parse_fields(ps, m, "}", false, 0);
    return rc < 0 ? NULL : m;
}

/* One value of the field into memory at V. */
static int parse_value(ox_text_parser *ps, const ProtobufCFieldDescriptor *f, void *v) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64: return ox_parse_int64(ps, v);
    case PROTOBUF_C_TYPE_UINT64: return ox_parse_uint64(ps, v);
    case PROTOBUF_C_TYPE_FLOAT: return ox_parse_float(ps, v);
    case PROTOBUF_C_TYPE_DOUBLE: return ox_parse_float64(ps, v);
    case PROTOBUF_C_TYPE_BYTES: return ox_parse_bytes(ps, v);
    case PROTOBUF_C_TYPE_STRING: {
        char *s = ox_parse_string(ps);
        memcpy(v, &s, sizeof s);
        return s ? 0 : -1;
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        ProtobufCMessage *m = parse_message(ps, f->descriptor);
        memcpy(v, &m, sizeof m);
        return m ? 0 : -1;
    }
    default: return ox_parse_int32(ps, v);
    }
}

int ox_parse_not_elided(ox_text_parser *ps, const char *what) {
    return ox_lex_is(&ps->lx, ".") ? ox_lex_fail(&ps->lx, "elided %s: print the model in full to have its values", what)
                                   : 0;
}

static int parse_list(ox_text_parser *ps, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, bool append) {
    char *field = (char *)m + f->offset, *items = NULL;
    size_t n = append ? ox_field_count(m, f) : 0, size = ox_field_size(f);
    bool first = true;
    int rc;
    if (n) memcpy(&items, field, sizeof items);
    if (ox_lex_expect(&ps->lx, "[") < 0 || ox_parse_not_elided(ps, "list") < 0) return -1;
    while ((rc = ox_parse_item(ps, &first, "]")) > 0) {
        items = ox_text_push(ps->arena, items, n, size);
        if (parse_value(ps, f, items + n * size) < 0) return -1;
        n++;
    }
    memcpy(field, &items, sizeof items);
    memcpy((char *)m + f->quantifier_offset, &n, sizeof n);
    return rc;
}

/* Marks a singular field as there, or not there (then also zero). */
static void set_presence(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, bool present) {
    char *quantifier = (char *)m + f->quantifier_offset;
    if (!present && !ox_field_has(m, f)) return; /* of a oneof another one may be there */
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t n = 0;
        memcpy(quantifier, &n, sizeof n);
    } else if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t which = present ? f->id : 0;
        memcpy(quantifier, &which, sizeof which);
    } else if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE) {
        protobuf_c_boolean has = present;
        memcpy(quantifier, &has, sizeof has);
    }
    if (!present)
        memset((char *)m + f->offset, 0, f->label == PROTOBUF_C_LABEL_REPEATED ? sizeof(void *) : ox_field_size(f));
}

/* SEEN: the fields there so far; a list may be gone on with in headers. */
static int parse_field(ox_text_parser *ps, ProtobufCMessage *m, bool append, uint32_t refused, uint32_t *seen) {
    bool absent = ox_lex_accept(&ps->lx, "-");
    ox_lexer name = ps->lx;
    if (name.tok != OX_T_IDENT) return ox_lex_fail(&ps->lx, "expected the name of a field");
    char text[64];
    if (name.len >= sizeof text) return ox_lex_fail(&name, "no field of this message");
    memcpy(text, name.text, name.len);
    text[name.len] = 0;
    if (ox_lex_next(&ps->lx) < 0) return -1;
    if (!absent && ox_lex_expect(&ps->lx, ":") < 0) return -1;
    if (!absent && !strcmp(text, "unknown")) return parse_unknown(ps, m);
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, text);
    if (!f) return ox_lex_fail(&name, "%s has no field '%s'", m->descriptor->short_name, text);
    if ((refused & OX_FIELD(f->id)) && (!absent || f->type == PROTOBUF_C_TYPE_MESSAGE))
        return ox_lex_fail(&name, "'%s' has its own place in the text", text);
    bool list = f->label == PROTOBUF_C_LABEL_REPEATED;
    if ((*seen & OX_FIELD(f->id)) && !(append && list)) return ox_lex_fail(&name, "field '%s' is there twice", text);
    *seen |= OX_FIELD(f->id);
    if (absent) {
        set_presence(m, f, false);
        return 0;
    }
    if (list) return parse_list(ps, m, f, append);
    if (parse_value(ps, f, (char *)m + f->offset) < 0) return -1;
    set_presence(m, f, true);
    return 0;
}

int ox_parse_fields(ox_text_parser *ps, ProtobufCMessage *m, const char *close, bool append, uint32_t refused) {
    bool first = true;
    uint32_t seen = 0;
    int rc;
    while ((rc = ox_parse_item(ps, &first, close)) > 0) {
        if (parse_field(ps, m, append, refused, &seen) < 0) return -1;
    }
    return rc;
}

int ox_parse_notes(ox_text_parser *ps, ProtobufCMessage *m) {
    if (!ox_lex_accept(&ps->lx, "@")) return ps->lx.failed ? -1 : 0;
    return ox_lex_expect(&ps->lx, "{") < 0 ? -1 : ox_parse_fields(ps, m, "}", false, 0);
}
