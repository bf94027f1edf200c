/* The tables of the text form and access to fields by descriptor: see text_form.h. */
#include "onnx/text_form.h"

#include <string.h>
#include <strings.h>

/* Types that have a name in the text but no row in our own table, so no kernels: the bytes pass through. */
enum { FLOAT6E2M3 = 27, FLOAT6E3M2 = 28 };

const char *ox_text_type_name(int32_t data_type) {
    if (data_type == FLOAT6E2M3) return "float6e2m3";
    if (data_type == FLOAT6E3M2) return "float6e3m2";
    return data_type >= 0 && data_type < OX_DTYPE_COUNT ? ox_dtype_name((ox_dtype)data_type) : NULL;
}

int ox_text_type_number(const char *name, size_t len) {
    ox_dtype t = ox_dtype_from_name(name, len);
    if (t != OX_UNDEFINED) return (int)t;
    static const struct {
        const char *name;
        int number;
    } more[] = {{"undefined", OX_UNDEFINED}, {"float6e2m3", FLOAT6E2M3}, {"float6e3m2", FLOAT6E3M2}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (strlen(more[i].name) == len && !memcmp(more[i].name, name, len)) return more[i].number;
    return -1;
}

static const char *const attr_types[] = {
    NULL,      "float",   "int",    "string",        "tensor",         "graph",      "floats",     "ints",
    "strings", "tensors", "graphs", "sparse_tensor", "sparse_tensors", "type_proto", "type_protos"};

const char *ox_text_attr_type(int type) {
    return type > 0 && type < (int)(sizeof attr_types / sizeof *attr_types) ? attr_types[type] : NULL;
}

int ox_text_attr_number(const char *name, size_t len) {
    for (int i = 1; i < (int)(sizeof attr_types / sizeof *attr_types); i++)
        if (strlen(attr_types[i]) == len && !memcmp(attr_types[i], name, len)) return i;
    return 0;
}

uint32_t ox_text_data_field(int32_t data_type) {
    switch (data_type) {
    case OX_UNDEFINED: return 0;
    case OX_FLOAT:
    case OX_COMPLEX64: return 4;
    case OX_STRING: return 6;
    case OX_INT64: return 7;
    case OX_DOUBLE:
    case OX_COMPLEX128: return 10;
    case OX_UINT32:
    case OX_UINT64: return 11;
    default: return ox_text_type_name(data_type) ? 5 : 0;
    }
}

bool ox_text_is_number_name(const char *name, size_t len) {
    return (len == 3 && (!strncasecmp(name, "nan", 3) || !strncasecmp(name, "inf", 3))) ||
           (len == 8 && !strncasecmp(name, "infinity", 8));
}

bool ox_text_reserved(const char *name, size_t len) {
    static const char *const words[] = {"seq", "map", "optional", "sparse_tensor", "opaque"};
    if (len < 3 || len > 14) return false;
    if (ox_text_is_number_name(name, len)) return true;
    if (!strchr("bcdfimosu", name[0])) return false; /* what they all begin with */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == len && !memcmp(words[i], name, len)) return true;
    return ox_text_type_number(name, len) >= 0;
}

/* ---- fields by descriptor ---- */

static const void *at(const ProtobufCMessage *m, unsigned offset) { return (const char *)m + offset; }

size_t ox_field_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    size_t n;
    memcpy(&n, at(m, f->quantifier_offset), sizeof n);
    return n;
}

bool ox_field_has(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    if (f->label == PROTOBUF_C_LABEL_REPEATED) return ox_field_count(m, f) != 0;
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t which;
        memcpy(&which, at(m, f->quantifier_offset), sizeof which);
        return which == f->id;
    }
    if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const void *p;
        memcpy(&p, at(m, f->offset), sizeof p);
        return p != NULL;
    }
    protobuf_c_boolean has;
    memcpy(&has, at(m, f->quantifier_offset), sizeof has);
    return has;
}

size_t ox_field_size(const ProtobufCFieldDescriptor *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE: return 8;
    default: return 4; /* int32, float, enum: what the schema has besides */
    }
}

void *ox_text_push(ox_arena *arena, void *items, size_t n, size_t size) {
    if (n & (n - 1)) return items; /* no power of two: there is room */
    void *bigger = ox_alloc_n(arena, n ? 2 * n : 1, size);
    if (n) memcpy(bigger, items, n * size);
    return bigger;
}

ProtobufCMessage *ox_text_message(ox_arena *arena, const ProtobufCMessageDescriptor *desc) {
    ProtobufCMessage *m = ox_alloc(arena, desc->sizeof_message);
    desc->message_init(m);
    return m;
}
