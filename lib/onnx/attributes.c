/* Attributes and types: protobuf to IR. The declared type of an attribute and the field of its value must agree. */
#include "onnx/import.h"

#include <string.h>

/* ---- types ---- */

static int read_elem_type(ox_message *msg, int32_t t, const ox_where *w, ox_dtype *out) {
    if (t < 0 || t >= OX_DTYPE_COUNT) return ox_message_fail(msg, w, OX_BAD_DATA, "elem_type %d is no element type", t);
    *out = (ox_dtype)t;
    return 0;
}

/* Exporters of the first years wrote 0 for "unknown", others a negative number. */
static ox_dim read_dim(ox_message *msg, const Onnx__TensorShapeProto__Dimension *d) {
    bool old = msg->model && msg->model->ir_version < 4;
    switch (d->value_case) {
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE:
        return d->dim_value < 0 || (old && !d->dim_value) ? NULL : ox_dim_const(msg->ctx, d->dim_value);
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM:
        return d->dim_param && d->dim_param[0] ? ox_dim_symbol(msg->ctx, ox_intern(msg->ctx, d->dim_param)) : NULL;
    default:
        return NULL;
    }
}

static const ox_type *read_tensor_type(ox_message *msg, ox_arena *arena, ox_kind kind, int32_t elem,
                                       const Onnx__TensorShapeProto *shape, const ox_where *w) {
    ox_type *t = OX_NEW(arena, ox_type);
    t->kind = kind;
    t->rank = -1;
    if (read_elem_type(msg, elem, w, &t->dtype)) return NULL;
    if (!shape) return t;
    if (shape->n_dim > msg->ctx->limits.rank) {
        ox_message_fail(msg, w, OX_BAD_DATA, "rank %zu is over the limit of %u", shape->n_dim, msg->ctx->limits.rank);
        return NULL;
    }
    t->rank = (int)shape->n_dim;
    t->dims = OX_NEW_N(arena, ox_dim, shape->n_dim + 1);
    for (size_t i = 0; i < shape->n_dim; i++) t->dims[i] = read_dim(msg, shape->dim[i]);
    return t;
}

/* A type without its parts is an unknown one; recursion is bounded by the reader of the message. */
const ox_type *ox_type_from_proto(ox_message *msg, ox_arena *arena, const Onnx__TypeProto *p, const ox_where *w) {
    static const Onnx__TypeProto none = ONNX__TYPE_PROTO__INIT;
    const ox_type *tensor;
    ox_type *t = OX_NEW(arena, ox_type);
    const Onnx__TypeProto *elem = NULL;
    if (!p) p = &none;
    t->rank = -1;
    t->origin = p == &none ? NULL : p;
    switch (p->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        tensor = read_tensor_type(msg, arena, OX_K_TENSOR, p->tensor_type->elem_type, p->tensor_type->shape, w);
        break;
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        tensor = read_tensor_type(msg, arena, OX_K_SPARSE, p->sparse_tensor_type->elem_type,
                                  p->sparse_tensor_type->shape, w);
        break;
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        t->kind = OX_K_SEQUENCE, elem = p->sequence_type->elem_type;
        goto nested;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        t->kind = OX_K_OPTIONAL, elem = p->optional_type->elem_type;
        goto nested;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        t->kind = OX_K_MAP;
        elem = p->map_type->value_type;
        if (read_elem_type(msg, p->map_type->key_type, w, &t->dtype)) return NULL;
        goto nested;
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
        t->kind = OX_K_OPAQUE;
        t->domain = ox_intern(msg->ctx, p->opaque_type->domain);
        t->name = ox_intern(msg->ctx, p->opaque_type->name);
        return t;
    default:
        return t;
    }
    if (!tensor) return NULL;
    *t = *tensor;
    t->origin = p;
    return t;
nested:
    t->elem = ox_type_from_proto(msg, arena, elem, w);
    return t->elem ? t : NULL;
}

/* ---- attributes ---- */

static ox_str str_of(const ProtobufCBinaryData *b) { return (ox_str){b->data ? (const char *)b->data : "", b->len}; }

/* The types of the value fields that are there, one bit each. */
static uint32_t given_types(const Onnx__AttributeProto *p) {
    return (uint32_t)(p->has_f != 0) << OX_A_FLOAT | (uint32_t)(p->has_i != 0) << OX_A_INT |
           (uint32_t)(p->has_s != 0) << OX_A_STRING | (uint32_t)(p->t != NULL) << OX_A_TENSOR |
           (uint32_t)(p->g != NULL) << OX_A_GRAPH | (uint32_t)(p->n_floats > 0) << OX_A_FLOATS |
           (uint32_t)(p->n_ints > 0) << OX_A_INTS | (uint32_t)(p->n_strings > 0) << OX_A_STRINGS |
           (uint32_t)(p->n_tensors > 0) << OX_A_TENSORS | (uint32_t)(p->n_graphs > 0) << OX_A_GRAPHS |
           (uint32_t)(p->sparse_tensor != NULL) << OX_A_SPARSE | (uint32_t)(p->n_sparse_tensors > 0) << OX_A_SPARSES |
           (uint32_t)(p->tp != NULL) << OX_A_TYPE | (uint32_t)(p->n_type_protos > 0) << OX_A_TYPES;
}

/* Files of the first IR versions have no "type"; the field that is there tells it. */
static int attr_type(ox_import *im, const Onnx__AttributeProto *p, const ox_where *w, ox_attr_type *type) {
    uint32_t given = given_types(p);
    *type = p->has_type ? (ox_attr_type)p->type : OX_A_UNDEFINED;
    if ((int)*type < 0 || *type > OX_A_TYPES)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "attribute type %d does not exist", (int)p->type);
    if (p->ref_attr_name && p->ref_attr_name[0])
        return given ? ox_message_fail(im->msg, w, OX_BAD_DATA, "a reference to attribute '%.128s' and a value as well",
                                       p->ref_attr_name)
                     : 0;
    if (given & (given - 1)) return ox_message_fail(im->msg, w, OX_BAD_DATA, "values in more than one field");
    if (*type == OX_A_UNDEFINED) {
        if (!given) return ox_message_fail(im->msg, w, OX_BAD_DATA, "neither type nor value");
        *type = (ox_attr_type)__builtin_ctz(given);
    } else if (given && given != 1u << *type) {
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "type %d (%s) contradicts the field that holds the value",
                               (int)*type, onnx__attribute_proto__attribute_type__descriptor.values[*type].name);
    }
    return 0;
}

/* A tensor that the model owns. */
static ox_tensor *read_tensor(ox_import *im, const Onnx__TensorProto *p, const ox_where *w) {
    ox_where here = {w, "tensor", p->name, NULL, -1};
    ox_tensor *t = ox_tensor_from_proto(im->msg, p, &here);
    return t ? ox_model_own(im->m, t) : NULL;
}

static ox_sparse *read_sparse(ox_import *im, const Onnx__SparseTensorProto *p, const ox_where *w) {
    ox_sparse *s = ox_sparse_from_proto(im->msg, im->m->arena, p, w);
    if (s) {
        ox_model_own(im->m, s->values);
        ox_model_own(im->m, s->indices);
    }
    return s;
}

typedef struct place { /* where an attribute stands */
    ox_graph *g;
    ox_node *node;
    const ox_scope *scope;
    const ox_where *w;
} place;

static ox_graph *read_graph(ox_import *im, const Onnx__GraphProto *p, const place *at) {
    ox_where here = {at->w, "body", p->name, NULL, -1};
    ox_graph *g = ox_graph_new(im->m, at->g, at->node);
    return ox_import_graph(im, g, p, at->scope, &here) ? NULL : g;
}

static int read_single(ox_import *im, const Onnx__AttributeProto *p, const place *at, ox_attr *a) {
    const char *missing = "the value is missing";
    switch (a->type) {
    case OX_A_FLOAT:
        a->f = p->f;
        return 0;
    case OX_A_INT:
        a->i = p->i;
        return 0;
    case OX_A_STRING:
        a->s = str_of(&p->s);
        return 0;
    case OX_A_TENSOR:
        if (!p->t) return ox_message_fail(im->msg, at->w, OX_BAD_DATA, "%s", missing);
        return (a->t = read_tensor(im, p->t, at->w)) ? 0 : -1;
    case OX_A_GRAPH:
        if (!p->g) return ox_message_fail(im->msg, at->w, OX_BAD_DATA, "%s", missing);
        return (a->g = read_graph(im, p->g, at)) ? 0 : -1;
    case OX_A_SPARSE:
        if (!p->sparse_tensor) return ox_message_fail(im->msg, at->w, OX_BAD_DATA, "%s", missing);
        return (a->sparse = read_sparse(im, p->sparse_tensor, at->w)) ? 0 : -1;
    default:
        if (!p->tp) return ox_message_fail(im->msg, at->w, OX_BAD_DATA, "%s", missing);
        return (a->tp = ox_type_from_proto(im->msg, im->m->arena, p->tp, at->w)) ? 0 : -1;
    }
}

static int read_list(ox_import *im, const Onnx__AttributeProto *p, const place *at, ox_attr *a) {
    ox_arena *arena = im->m->arena;
    int failed = 0;
    switch (a->type) {
    case OX_A_FLOATS:
        a->n = p->n_floats, a->fs = p->floats;
        break;
    case OX_A_INTS:
        a->n = p->n_ints, a->is = p->ints;
        break;
    case OX_A_STRINGS:
        a->n = p->n_strings;
        a->ss = OX_NEW_N(arena, ox_str, a->n + 1);
        for (size_t i = 0; i < a->n; i++) a->ss[i] = str_of(&p->strings[i]);
        break;
    case OX_A_TENSORS:
        a->n = p->n_tensors;
        a->ts = OX_NEW_N(arena, ox_tensor *, a->n + 1);
        for (size_t i = 0; i < a->n && !failed; i++) failed = !(a->ts[i] = read_tensor(im, p->tensors[i], at->w));
        break;
    case OX_A_GRAPHS:
        a->n = p->n_graphs;
        a->gs = OX_NEW_N(arena, ox_graph *, a->n + 1);
        for (size_t i = 0; i < a->n && !failed; i++) failed = !(a->gs[i] = read_graph(im, p->graphs[i], at));
        break;
    case OX_A_SPARSES:
        a->n = p->n_sparse_tensors;
        a->sparses = OX_NEW_N(arena, ox_sparse *, a->n + 1);
        for (size_t i = 0; i < a->n && !failed; i++)
            failed = !(a->sparses[i] = read_sparse(im, p->sparse_tensors[i], at->w));
        break;
    default:
        a->n = p->n_type_protos;
        a->tps = OX_NEW_N(arena, const ox_type *, a->n + 1);
        for (size_t i = 0; i < a->n && !failed; i++)
            failed = !(a->tps[i] = ox_type_from_proto(im->msg, arena, p->type_protos[i], at->w));
    }
    return failed ? -1 : 0;
}

static bool is_list(ox_attr_type t) {
    return (t >= OX_A_FLOATS && t <= OX_A_GRAPHS) || t == OX_A_SPARSES || t == OX_A_TYPES;
}

ox_attr *ox_import_attr(ox_import *im, const Onnx__AttributeProto *p, ox_graph *g, ox_node *node, const ox_scope *scope,
                        const ox_where *w) {
    ox_where here = {w, "attribute", p->name, NULL, -1};
    place at = {g, node, scope, &here};
    ox_attr *a = OX_NEW(im->m->arena, ox_attr);
    a->origin = p;
    if (!p->name || !p->name[0]) {
        ox_message_fail(im->msg, &here, OX_BAD_DATA, "it has no name");
        return NULL;
    }
    a->name = ox_intern(im->ctx, p->name);
    if (attr_type(im, p, &here, &a->type)) return NULL;
    if (p->ref_attr_name && p->ref_attr_name[0]) {
        a->ref = ox_intern(im->ctx, p->ref_attr_name);
        if (g && !ox_function_of(g)) {
            ox_message_fail(im->msg, &here, OX_BAD_DATA,
                            "it refers to attribute '%.128s' of a function, but stands outside of one", a->ref);
            return NULL;
        }
        return a;
    }
    return (is_list(a->type) ? read_list : read_single)(im, p, &at, a) ? NULL : a;
}
