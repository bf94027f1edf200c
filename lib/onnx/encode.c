/* Types and tensors of the IR to protobuf. What came from a file and still says the same goes back as the struct it
 * came from. */
#include "onnx/proto.h"

#include <string.h>

/* ---- types ---- */

static Onnx__TensorShapeProto *encode_shape(ox_arena *arena, const ox_type *t) {
    if (t->rank < 0) return NULL;
    Onnx__TensorShapeProto *s = OX_NEW(arena, Onnx__TensorShapeProto);
    onnx__tensor_shape_proto__init(s);
    s->n_dim = (size_t)t->rank;
    s->dim = OX_NEW_N(arena, Onnx__TensorShapeProto__Dimension *, t->rank);
    for (int i = 0; i < t->rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = s->dim[i] = OX_NEW(arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(d);
        const char *text;
        int64_t v;
        if (!t->dims || !t->dims[i]) continue;
        if (ox_dim_is_const(t->dims[i], &v)) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = v;
        } else if (!strchr(text = ox_dim_text(arena, t->dims[i]),
                           '?')) { /* "?" marks nameless symbols: nothing a file could say */
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d->dim_param = (char *)text;
        }
    }
    return s;
}

Onnx__TypeProto *ox_type_to_proto(ox_arena *arena, const ox_type *t) {
    Onnx__TypeProto *p = OX_NEW(arena, Onnx__TypeProto);
    onnx__type_proto__init(p);
    if (!t) return p;
    switch (t->kind) {
    case OX_K_TENSOR:
        p->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        p->tensor_type = OX_NEW(arena, Onnx__TypeProto__Tensor);
        onnx__type_proto__tensor__init(p->tensor_type);
        p->tensor_type->has_elem_type = true;
        p->tensor_type->elem_type = (int32_t)t->dtype;
        p->tensor_type->shape = encode_shape(arena, t);
        break;
    case OX_K_SPARSE:
        p->value_case = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE;
        p->sparse_tensor_type = OX_NEW(arena, Onnx__TypeProto__SparseTensor);
        onnx__type_proto__sparse_tensor__init(p->sparse_tensor_type);
        p->sparse_tensor_type->has_elem_type = true;
        p->sparse_tensor_type->elem_type = (int32_t)t->dtype;
        p->sparse_tensor_type->shape = encode_shape(arena, t);
        break;
    case OX_K_SEQUENCE:
        p->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
        p->sequence_type = OX_NEW(arena, Onnx__TypeProto__Sequence);
        onnx__type_proto__sequence__init(p->sequence_type);
        p->sequence_type->elem_type = ox_type_to_proto(arena, t->elem);
        break;
    case OX_K_OPTIONAL:
        p->value_case = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE;
        p->optional_type = OX_NEW(arena, Onnx__TypeProto__Optional);
        onnx__type_proto__optional__init(p->optional_type);
        p->optional_type->elem_type = ox_type_to_proto(arena, t->elem);
        break;
    case OX_K_MAP:
        p->value_case = ONNX__TYPE_PROTO__VALUE_MAP_TYPE;
        p->map_type = OX_NEW(arena, Onnx__TypeProto__Map);
        onnx__type_proto__map__init(p->map_type);
        p->map_type->has_key_type = true;
        p->map_type->key_type = (int32_t)t->dtype;
        p->map_type->value_type = ox_type_to_proto(arena, t->elem);
        break;
    case OX_K_OPAQUE:
        p->value_case = ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE;
        p->opaque_type = OX_NEW(arena, Onnx__TypeProto__Opaque);
        onnx__type_proto__opaque__init(p->opaque_type);
        p->opaque_type->domain = (char *)t->domain;
        p->opaque_type->name = (char *)t->name;
        break;
    default:
        break;
    }
    return p;
}

/* ---- tensors ---- */

void ox_tensor_clear(Onnx__TensorProto *p) {
    p->n_float_data = p->n_int32_data = p->n_string_data = p->n_int64_data = p->n_double_data = p->n_uint64_data = 0;
    p->float_data = NULL;
    p->int32_data = NULL;
    p->string_data = NULL;
    p->int64_data = NULL;
    p->double_data = NULL;
    p->uint64_data = NULL;
    p->has_raw_data = false;
    p->raw_data = (ProtobufCBinaryData){0, NULL};
    p->has_data_location = false;
    p->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
    p->n_external_data = 0;
    p->external_data = NULL;
}

static void set_entry(ox_message *msg, Onnx__StringStringEntryProto **e, const char *key, const char *value) {
    *e = OX_NEW(msg->arena, Onnx__StringStringEntryProto);
    onnx__string_string_entry_proto__init(*e);
    (*e)->key = ox_strdup(msg->arena, key);
    (*e)->value = ox_strdup(msg->arena, value);
}

void ox_external_set(ox_message *msg, Onnx__TensorProto *p, const char *location, uint64_t offset, uint64_t length) {
    ox_tensor_clear(p);
    p->has_data_location = true;
    p->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    p->n_external_data = 3;
    p->external_data = OX_NEW_N(msg->arena, Onnx__StringStringEntryProto *, 3);
    set_entry(msg, &p->external_data[0], "location", location);
    set_entry(msg, &p->external_data[1], "offset", ox_format(msg->arena, "%llu", (unsigned long long)offset));
    set_entry(msg, &p->external_data[2], "length", ox_format(msg->arena, "%llu", (unsigned long long)length));
}

/* The proto of a tensor that was not changed since it was read. */
static const Onnx__TensorProto *unchanged(const ox_tensor *t) {
    const Onnx__TensorProto *p = t->origin;
    if (!p || t->base || p->base.descriptor != &onnx__tensor_proto__descriptor) return NULL;
    if (p->data_type != (int32_t)t->dtype || p->n_dims != (size_t)t->rank) return NULL;
    return !t->rank || !memcmp(p->dims, t->dims, p->n_dims * sizeof *p->dims) ? p : NULL;
}

static bool same_name(const char *a, const char *b) { return !strcmp(a ? a : "", b ? b : ""); }

static void set_strings(ox_message *msg, Onnx__TensorProto *p, const ox_str *s, size_t n) {
    p->n_string_data = n;
    p->string_data = OX_NEW_N(msg->arena, ProtobufCBinaryData, n);
    for (size_t i = 0; i < n; i++) p->string_data[i] = (ProtobufCBinaryData){s[i].len, (uint8_t *)s[i].data};
}

/* The data where they lie: a range of an external file stays external. */
static int set_payload(ox_message *msg, Onnx__TensorProto *p, const ox_tensor *t) {
    const ox_tensor *root = t->base ? t->base : t;
    const void *data = root->view && t->bytes ? root->view : ox_tensor_data(root);
    if (!data) return -1;
    if (t->dtype == OX_STRING) {
        set_strings(msg, p, data, (size_t)t->count);
        return 0;
    }
    const ox_message *source = msg->origin;
    const ox_file *f = source && t->bytes ? ox_message_file_of(source, data, t->bytes) : NULL;
    for (const ox_data_file *d = f && f != source->source ? source->data_files : NULL; d; d = d->next)
        if (d->file == f) {
            ox_external_set(msg, p, d->location, (uint64_t)((const uint8_t *)data - f->data), t->bytes);
            return 0;
        }
    p->has_raw_data = true;
    p->raw_data = (ProtobufCBinaryData){(size_t)t->bytes, t->bytes ? (uint8_t *)data : NULL};
    return 0;
}

Onnx__TensorProto *ox_tensor_to_proto(ox_message *msg, const ox_tensor *t, const char *name,
                                      const Onnx__TensorProto *like) {
    const Onnx__TensorProto *old = unchanged(t);
    Onnx__TensorProto *p;
    if (old && same_name(old->name, name)) return (Onnx__TensorProto *)old;
    if (old) {
        p = ox_dup(msg->arena, old, sizeof *old);
        p->name = (char *)name;
        return p;
    }
    p = OX_NEW(msg->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(p);
    if (like) *p = *like;
    ox_tensor_clear(p);
    p->name = (char *)name;
    p->has_data_type = true;
    p->data_type = (int32_t)t->dtype;
    p->n_dims = (size_t)t->rank;
    p->dims = ox_dup(msg->arena, t->dims, p->n_dims * sizeof *p->dims);
    return set_payload(msg, p, t) ? NULL : p;
}
