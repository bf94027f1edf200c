/* Parsing of types and tensors. See text_form.h, print_tensor.c for the forms of tensor data.
 *
 * A tensor's type is written like the type of a value, so both are read by ox_parse_type(); a tensor then wants
 * numbers as dims. */
#include "onnx/text_form.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- types ---- */

static bool is_word(const ox_lexer *lx, const char *word) {
    return lx->tok == OX_T_IDENT && strlen(word) == lx->len && !memcmp(word, lx->text, lx->len);
}

static int type_number(const ox_lexer *lx) {
    return lx->tok == OX_T_IDENT ? ox_text_type_number(lx->text, lx->len) : -1;
}

bool ox_at_type(const ox_text_parser *ps) {
    static const char *const words[] = {"seq", "map", "optional", "sparse_tensor", "opaque"};
    const ox_lexer *lx = &ps->lx;
    if (lx->tok != OX_T_IDENT) return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(lx, words[i])) return true;
    int number = type_number(lx);
    if (number) return number > 0;
    /* "undefined" is no type in ONNX's own syntax: there it may be the name of a graph or value */
    ox_lexer next = *lx;
    if (ox_lex_next(&next) < 0 || ox_lex_is(&next, "(") || ox_lex_is(&next, "=>")) return false;
    return ps->in_attr || !(ox_lex_is(&next, ",") || ox_lex_is(&next, ")") || ox_lex_is(&next, ">"));
}

static int parse_dim(ox_text_parser *ps, Onnx__TensorShapeProto__Dimension *d) {
    if (ox_lex_accept(&ps->lx, "?")) {
        /* nothing is known */
    } else if (ox_at_name(ps)) {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (!(d->dim_param = ox_parse_name(ps))) return -1;
    } else {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (ox_parse_int64(ps, &d->dim_value) < 0) return -1;
    }
    return ox_parse_notes(ps, &d->base);
}

/* `float` (rank 0), `float[]` (unknown rank: *shape stays NULL) or `float[dims]`. */
static int parse_tensor_type(ox_text_parser *ps, int32_t *type, Onnx__TensorShapeProto **shape) {
    int number = type_number(&ps->lx);
    if (number < 0) return ox_lex_fail(&ps->lx, "expected an element type");
    *type = number;
    if (ox_lex_next(&ps->lx) < 0) return -1;
    bool dims = ox_lex_accept(&ps->lx, "[");
    if (dims && ox_lex_accept(&ps->lx, "]")) return 0;
    *shape = OX_TEXT_NEW(ps, Onnx__TensorShapeProto, &onnx__tensor_shape_proto__descriptor);
    bool first = true;
    int rc = 0;
    while (dims && (rc = ox_parse_item(ps, &first, "]")) > 0) {
        Onnx__TensorShapeProto__Dimension *d =
            OX_TEXT_NEW(ps, Onnx__TensorShapeProto__Dimension, &onnx__tensor_shape_proto__dimension__descriptor);
        OX_TEXT_PUSH(ps, (*shape)->dim, (*shape)->n_dim, d);
        if (parse_dim(ps, d) < 0) return -1;
    }
    return rc;
}

static Onnx__TypeProto *parse_element_type(ox_text_parser *ps) {
    Onnx__TypeProto *t = OX_TEXT_NEW(ps, Onnx__TypeProto, &onnx__type_proto__descriptor);
    return ox_parse_type(ps, t) < 0 ? NULL : t;
}

/* `a.b.c`, or parts in quotes. */
static char *parse_dotted(ox_text_parser *ps) {
    ox_text s = {.arena = ps->arena};
    do {
        char *part = ox_parse_name(ps);
        if (!part) return NULL;
        if (s.data) ox_text_add(&s, ".");
        ox_text_add(&s, part);
    } while (ox_lex_accept(&ps->lx, "."));
    return s.data;
}

static int parse_opaque(ox_text_parser *ps, Onnx__TypeProto__Opaque *o) {
    if (ox_lex_is(&ps->lx, ")")) return 0;
    if (!(o->name = parse_dotted(ps))) return -1;
    if (!ox_lex_accept(&ps->lx, ",")) return 0;
    o->domain = o->name;
    return (o->name = parse_dotted(ps)) ? 0 : -1;
}

/* What stands in the parentheses. */
static int parse_compound(ox_text_parser *ps, const ox_lexer *word, Onnx__TypeProto *t) {
    if (is_word(word, "seq")) {
        t->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
        t->sequence_type = OX_TEXT_NEW(ps, Onnx__TypeProto__Sequence, &onnx__type_proto__sequence__descriptor);
        return (t->sequence_type->elem_type = parse_element_type(ps)) ? 0 : -1;
    }
    if (is_word(word, "optional")) {
        t->value_case = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE;
        t->optional_type = OX_TEXT_NEW(ps, Onnx__TypeProto__Optional, &onnx__type_proto__optional__descriptor);
        return (t->optional_type->elem_type = parse_element_type(ps)) ? 0 : -1;
    }
    if (is_word(word, "map")) {
        t->value_case = ONNX__TYPE_PROTO__VALUE_MAP_TYPE;
        Onnx__TypeProto__Map *map = t->map_type =
            OX_TEXT_NEW(ps, Onnx__TypeProto__Map, &onnx__type_proto__map__descriptor);
        int key = type_number(&ps->lx);
        if (key < 0) return ox_lex_fail(&ps->lx, "expected an element type as the key of a map");
        map->has_key_type = true;
        map->key_type = key;
        if (ox_lex_next(&ps->lx) < 0 || ox_lex_expect(&ps->lx, ",") < 0) return -1;
        return (map->value_type = parse_element_type(ps)) ? 0 : -1;
    }
    if (is_word(word, "sparse_tensor")) {
        t->value_case = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE;
        Onnx__TypeProto__SparseTensor *x = t->sparse_tensor_type =
            OX_TEXT_NEW(ps, Onnx__TypeProto__SparseTensor, &onnx__type_proto__sparse_tensor__descriptor);
        x->has_elem_type = true;
        return parse_tensor_type(ps, &x->elem_type, &x->shape);
    }
    t->value_case = ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE;
    t->opaque_type = OX_TEXT_NEW(ps, Onnx__TypeProto__Opaque, &onnx__type_proto__opaque__descriptor);
    return parse_opaque(ps, t->opaque_type);
}

static int parse_native_type(ox_text_parser *ps, Onnx__TypeProto *t) {
    if (type_number(&ps->lx) >= 0) {
        t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        Onnx__TypeProto__Tensor *x = t->tensor_type =
            OX_TEXT_NEW(ps, Onnx__TypeProto__Tensor, &onnx__type_proto__tensor__descriptor);
        x->has_elem_type = true;
        return parse_tensor_type(ps, &x->elem_type, &x->shape);
    }
    if (!ox_at_type(ps)) return ox_lex_fail(&ps->lx, "expected a type");
    ox_lexer word = ps->lx;
    if (ox_lex_next(&ps->lx) < 0 || ox_lex_expect(&ps->lx, "(") < 0 || parse_compound(ps, &word, t) < 0) return -1;
    return ox_lex_expect(&ps->lx, ")");
}

int ox_parse_type(ox_text_parser *ps, Onnx__TypeProto *t) {
    if (ps->types >= ps->ctx->limits.graph_depth)
        return ox_lex_fail(&ps->lx, "types nested beyond the nesting limit %u", ps->ctx->limits.graph_depth);
    ps->types++;
    int rc = ox_lex_is(&ps->lx, "@") ? 0 : parse_native_type(ps, t); /* "@{...}" alone says the whole type */
    if (!rc) rc = ox_parse_notes(ps, &t->base);
    ps->types--;
    return rc;
}

int ox_parse_value_info(ox_text_parser *ps, Onnx__ValueInfoProto *v) {
    if (ox_at_type(ps) || ox_lex_is(&ps->lx, "@")) {
        v->type = OX_TEXT_NEW(ps, Onnx__TypeProto, &onnx__type_proto__descriptor);
        if (ox_parse_type(ps, v->type) < 0) return -1;
    }
    int line = ps->lx.line, column = ps->lx.column;
    if (!(v->name = ox_parse_name(ps))) return -1;
    ox_text_mark(ps, v->name, line, column);
    return ox_parse_notes(ps, &v->base);
}

/* ---- elements ---- */

/* The code of an element of a float type of 16 bits or less: an integer is the code itself, anything else a number. */
static int parse_small_float(ox_text_parser *ps, ox_dtype type, int32_t *code) {
    ox_lexer first = ps->lx, start = first;
    bool minus = ox_lex_accept(&start, "-");
    if (start.tok == OX_T_INT) return ox_parse_int32(ps, code);
    uint16_t bits = 0;
    double v;
    if (ox_parse_float64(ps, &v) < 0) return -1;
    if (minus && type == OX_FLOAT8E8M0) return ox_lex_fail(&start, "float8e8m0 has no negative numbers");
    ox_store_double(type, &bits, 0, v);
    if (isfinite(v) && !isfinite(ox_load_double(type, &bits, 0))) return ox_lex_fail(&first, "the number does not fit in %s", ox_dtype_name(type));
    *code = bits;
    return 0;
}

static bool is_small_float(int32_t t) {
    return t > 0 && t < OX_DTYPE_COUNT && ox_dtype_is_float((ox_dtype)t) && ox_dtype_bits((ox_dtype)t) <= 16;
}

static int parse_typed_element(ox_text_parser *ps, Onnx__TensorProto *t, uint32_t field) {
    switch (field) {
    case 4: {
        float v;
        if (ox_parse_float(ps, &v) < 0) return -1;
        OX_TEXT_PUSH(ps, t->float_data, t->n_float_data, v);
        return 0;
    }
    case 5: {
        int32_t v;
        if ((is_small_float(t->data_type) ? parse_small_float(ps, (ox_dtype)t->data_type, &v)
                                          : ox_parse_int32(ps, &v)) < 0)
            return -1;
        OX_TEXT_PUSH(ps, t->int32_data, t->n_int32_data, v);
        return 0;
    }
    case 6: {
        ProtobufCBinaryData v;
        if (ox_parse_bytes(ps, &v) < 0) return -1;
        OX_TEXT_PUSH(ps, t->string_data, t->n_string_data, v);
        return 0;
    }
    case 7: {
        int64_t v;
        if (ox_parse_int64(ps, &v) < 0) return -1;
        OX_TEXT_PUSH(ps, t->int64_data, t->n_int64_data, v);
        return 0;
    }
    case 10: {
        double v;
        if (ox_parse_float64(ps, &v) < 0) return -1;
        OX_TEXT_PUSH(ps, t->double_data, t->n_double_data, v);
        return 0;
    }
    case 11: {
        uint64_t v;
        if (ox_parse_uint64(ps, &v) < 0) return -1;
        OX_TEXT_PUSH(ps, t->uint64_data, t->n_uint64_data, v);
        return 0;
    }
    default: return ox_lex_fail(&ps->lx, "a tensor of type %s has no elements", ox_text_type_name(t->data_type));
    }
}

static int parse_typed(ox_text_parser *ps, Onnx__TensorProto *t) {
    uint32_t field = ox_text_data_field(t->data_type);
    if (ox_parse_not_elided(ps, "tensor") < 0) return -1;
    bool first = true;
    int rc;
    while ((rc = ox_parse_item(ps, &first, "}")) > 0) {
        if (parse_typed_element(ps, t, field) < 0) return -1;
    }
    return rc;
}

/* ---- raw_data ---- */

typedef struct raw_bytes {
    uint8_t *data;
    size_t n, capacity;
    unsigned bits; /* used in the last byte, for elements of less than a byte */
} raw_bytes;

static void append(ox_text_parser *ps, raw_bytes *r, const void *data, size_t size) {
    if (r->capacity - r->n < size) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        uint8_t *bigger = ox_alloc(ps->arena, capacity);
        if (r->n) memcpy(bigger, r->data, r->n);
        r->data = bigger;
        r->capacity = capacity;
    }
    memcpy(r->data + r->n, data, size);
    r->n += size;
}

static void append_bits(ox_text_parser *ps, raw_bytes *r, unsigned bits, uint8_t code) {
    uint8_t zero = 0;
    if (!(r->bits & 7)) append(ps, r, &zero, 1);
    r->data[r->n - 1] |= (uint8_t)((code & ((1u << bits) - 1)) << (r->bits & 7));
    r->bits += bits;
}

/* An integer that must fit in the type; bool and codes of floats are unsigned. */
static int parse_raw_int(ox_text_parser *ps, ox_dtype type, uint64_t *out) {
    ox_lexer start = ps->lx;
    unsigned bits = ox_dtype_bits(type);
    bool is_signed = ox_dtype_is_int(type) && ox_dtype_is_signed(type);
    int64_t v = 0;
    if (bits == 64 && !is_signed) return ox_parse_uint64(ps, out);
    if (is_small_float(type)) {
        int32_t code;
        if (parse_small_float(ps, type, &code) < 0) return -1;
        v = code;
    } else if (ox_parse_int64(ps, &v) < 0) {
        return -1;
    }
    int64_t low = !is_signed ? 0 : bits == 64 ? INT64_MIN : -((int64_t)1 << (bits - 1));
    int64_t high = bits == 64 ? INT64_MAX : ((int64_t)1 << (is_signed ? bits - 1 : bits)) - 1;
    if (v < low || v > high) return ox_lex_fail(&start, "the number does not fit in %s", ox_dtype_name(type));
    *out = (uint64_t)v;
    return 0;
}

static int parse_raw_element(ox_text_parser *ps, ox_dtype type, raw_bytes *r) {
    unsigned bits = ox_dtype_bits(type);
    union {
        float f;
        double d;
        uint64_t u;
    } v = {.u = 0};
    size_t size = bits / 8;
    int rc;
    switch (type) {
    case OX_FLOAT:
    case OX_COMPLEX64:
        size = 4;
        rc = ox_parse_float(ps, &v.f);
        break;
    case OX_DOUBLE:
    case OX_COMPLEX128:
        size = 8;
        rc = ox_parse_float64(ps, &v.d);
        break;
    default: rc = parse_raw_int(ps, type, &v.u); break;
    }
    if (rc < 0) return -1;
    if (bits < 8)
        append_bits(ps, r, bits, (uint8_t)v.u);
    else
        append(ps, r, &v, size);
    return 0;
}

static int parse_raw_elements(ox_text_parser *ps, Onnx__TensorProto *t) {
    raw_bytes r = {0};
    ox_dtype type = (ox_dtype)t->data_type;
    if (t->data_type >= OX_DTYPE_COUNT || !ox_dtype_bits(type))
        return ox_lex_fail(&ps->lx, "raw data of type %s need hexadecimal digits", ox_text_type_name(t->data_type));
    if (ox_parse_not_elided(ps, "tensor") < 0) return -1;
    bool first = true;
    int rc;
    while ((rc = ox_parse_item(ps, &first, "}")) > 0) {
        if (parse_raw_element(ps, type, &r) < 0) return -1;
    }
    t->raw_data = (ProtobufCBinaryData){.len = r.n, .data = r.data ? r.data : ox_alloc(ps->arena, 1)};
    return rc;
}

/* ---- data ---- */

static int parse_packed(ox_text_parser *ps, Onnx__TensorProto *t) {
    uint32_t field = ox_text_data_field(t->data_type);
    size_t size = field == 4 ? 4 : 8;
    ox_lexer start = ps->lx;
    ProtobufCBinaryData b;
    if (field != 4 && field != 10)
        return ox_lex_fail(&start, "a tensor of type %s cannot be packed", ox_text_type_name(t->data_type));
    if (ox_parse_hex(ps, &b) < 0) return -1;
    if (b.len % size) return ox_lex_fail(&start, "%zu bytes are not whole elements", b.len);
    if (field == 4) {
        t->n_float_data = b.len / size;
        t->float_data = (float *)(void *)b.data; /* payloads and arenas are aligned for it */
    } else {
        t->n_double_data = b.len / size;
        t->double_data = (double *)(void *)b.data;
    }
    return 0;
}

static int parse_external(ox_text_parser *ps, Onnx__TensorProto *t) {
    t->has_data_location = true;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    bool first = true;
    int rc;
    while ((rc = ox_parse_item(ps, &first, "]")) > 0) {
        Onnx__StringStringEntryProto *e =
            OX_TEXT_NEW(ps, Onnx__StringStringEntryProto, &onnx__string_string_entry_proto__descriptor);
        OX_TEXT_PUSH(ps, t->external_data, t->n_external_data, e);
        if (ox_parse_entry(ps, e) < 0) return -1;
    }
    return rc;
}

/* After "=", if there was one: forms that begin with a word need it. Nothing at all is a tensor without data. */
static int parse_data(ox_text_parser *ps, Onnx__TensorProto *t, bool equals) {
    if (ox_lex_accept(&ps->lx, "{")) return parse_typed(ps, t);
    if (ox_lex_accept(&ps->lx, "[")) return parse_external(ps, t);
    if (equals && ox_lex_accept(&ps->lx, "packed")) return parse_packed(ps, t);
    if (equals && ox_lex_accept(&ps->lx, "raw")) {
        t->has_raw_data = true;
        return ox_lex_accept(&ps->lx, "{") ? parse_raw_elements(ps, t) : ox_parse_hex(ps, &t->raw_data);
    }
    return ps->lx.failed ? -1 : 0;
}

static int set_type(ox_text_parser *ps, Onnx__TensorProto *t, const Onnx__TypeProto *type) {
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return ox_lex_fail(&ps->lx, "a tensor needs a tensor type");
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    if (!shape) return ox_lex_fail(&ps->lx, "a tensor needs a shape");
    t->has_data_type = true;
    t->data_type = type->tensor_type->elem_type;
    for (size_t i = 0; i < shape->n_dim; i++) {
        if (shape->dim[i]->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            return ox_lex_fail(&ps->lx, "a tensor needs numbers as dimensions");
        OX_TEXT_PUSH(ps, t->dims, t->n_dims, shape->dim[i]->dim_value);
    }
    return 0;
}

/* Dims, number and range of the elements, as the import checks them, told at the place of the data. Not in texts that record messages as they
 * are. */
static int check_made(ox_text_parser *ps, const Onnx__TensorProto *t, const ox_lexer *data) {
    if (ps->exact || t->data_type >= OX_DTYPE_COUNT || ox_tensor_check(ps->msg, t, NULL, NULL, NULL) == 0) return 0;
    char name[4096];
    size_t skip = ox_printable(name, sizeof name, ps->msg->name) + 2; /* "m.txt: " */
    ox_lexer where = *data;
    return ox_lex_fail(&where, "%s", ox_strdup(ps->arena, ox_error_text(ps->ctx) + skip));
}

int ox_parse_tensor_of(ox_text_parser *ps, Onnx__TensorProto *t, const Onnx__TypeProto *type) {
    ox_lexer data = ps->lx;
    if (set_type(ps, t, type) < 0 || parse_data(ps, t, true) < 0 || ox_parse_notes(ps, &t->base) < 0) return -1;
    return check_made(ps, t, &data);
}

int ox_parse_named_tensor(ox_text_parser *ps, Onnx__TensorProto *t, const Onnx__TypeProto *type) {
    if (set_type(ps, t, type) < 0) return -1;
    if (ox_at_name(ps)) {
        if (!(t->name = ox_parse_name(ps))) return -1;
    } else if (!ps->exact) {
        t->name = ox_strdup(ps->arena, "");
    }
    bool equals = ox_lex_accept(&ps->lx, "=");
    ox_lexer data = ps->lx;
    if (parse_data(ps, t, equals) < 0 || ox_parse_notes(ps, &t->base) < 0) return -1;
    return check_made(ps, t, &data);
}

int ox_parse_tensor(ox_text_parser *ps, Onnx__TensorProto *t) {
    Onnx__TypeProto *type = OX_TEXT_NEW(ps, Onnx__TypeProto, &onnx__type_proto__descriptor);
    return ox_parse_type(ps, type) < 0 ? -1 : ox_parse_named_tensor(ps, t, type);
}
