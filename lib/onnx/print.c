/* A message as text: see text_form.h for the language and docs/text.md for people.
 *
 * Every print function knows which fields of its message the native syntax expresses as they are (`said`), and which
 * of them a parser would set from that syntax even where they are absent (`implied`). Everything else goes into
 * notes, by descriptor, so no field of the schema can be forgotten. The human form leaves out what only says how the
 * message was stored. */
#include "onnx/text_form.h"

#include <stdio.h>
#include <string.h>

enum { SHORT_DOC = 72, MAX_DEPTH = 200 };

static void print_type(ox_printer *p, const Onnx__TypeProto *t);
static bool print_tensor(ox_printer *p, const Onnx__TensorProto *t, bool initializer);
static bool print_graph(ox_printer *p, const Onnx__GraphProto *g);
static bool print_attr(ox_printer *p, const Onnx__AttributeProto *a);
static void print_value_info(ox_printer *p, const Onnx__ValueInfoProto *v);
static void print_field(ox_printer *p, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);

static void add(ox_printer *p, const char *text) { ox_text_add(p->out, text); }

static void new_line(ox_printer *p) {
    add(p, "\n");
    for (unsigned i = 0; i < p->indent; i++) add(p, "  ");
}

static bool enter(ox_printer *p) {
    if (++p->depth > MAX_DEPTH) p->too_deep = true;
    return !p->too_deep;
}

static bool is_identifier(const char *s) {
    if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_')) return false;
    while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_' || (*s >= '0' && *s <= '9')) s++;
    return !*s;
}

static void print_string(ox_printer *p, const char *s) { ox_text_quoted(p->out, s, strlen(s)); }

/* A name where nothing but a name can stand. */
static void print_word(ox_printer *p, const char *name) {
    if (name && is_identifier(name))
        add(p, name);
    else
        print_string(p, name ? name : "");
}

static void print_id(ox_printer *p, const char *name) {
    if (name && ox_text_reserved(name, strlen(name)))
        print_string(p, name);
    else
        print_word(p, name);
}

static void print_ids(ox_printer *p, char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (i) add(p, ", ");
        print_id(p, names[i]);
    }
}

/* ---- notes ---- */

/* Whether a field is written in notes. */
static bool noted(const ox_printer *p, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, uint32_t said,
                  uint32_t implied) {
    if (!ox_field_has(m, f)) return (implied & OX_FIELD(f->id)) && p->full;
    if (said & OX_FIELD(f->id)) return false;
    if (p->full || f->label == PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_STRING) return true;
    const char *text;
    memcpy(&text, (const char *)m + f->offset, sizeof text);
    return *text != 0;
}

static bool has_notes(const ox_printer *p, const ProtobufCMessage *m, uint32_t said, uint32_t implied) {
    if (m->n_unknown_fields) return true;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        if (noted(p, m, &m->descriptor->fields[i], said, implied)) return true;
    return false;
}

static void print_unknown_field(ox_printer *p, const ProtobufCMessageUnknownField *u) {
    uint8_t tag[10];
    size_t n = 0;
    uint64_t v = (uint64_t)u->tag << 3 | (uint64_t)u->wire_type;
    for (; v >= 0x80; v >>= 7) tag[n++] = (uint8_t)(v | 0x80);
    tag[n++] = (uint8_t)v;
    add(p, "\"");
    for (size_t i = 0; i < n; i++) ox_text_addf(p->out, "%02x", tag[i]);
    size_t quote = p->out->len;
    ox_print_hex(p, u->data, u->len);
    memmove(p->out->data + quote, p->out->data + quote + 1, p->out->len - quote); /* one string: the inner quote goes */
    p->out->len--;
}

static void print_unknown(ox_printer *p, const ProtobufCMessage *m) {
    add(p, "unknown: [");
    for (unsigned i = 0; i < m->n_unknown_fields; i++) {
        if (i) add(p, ", ");
        print_unknown_field(p, &m->unknown_fields[i]);
    }
    add(p, "]");
}

static void print_item(ox_printer *p, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    if (!ox_field_has(m, f)) {
        add(p, "-");
        add(p, f->name);
        return;
    }
    add(p, f->name);
    add(p, ": ");
    print_field(p, m, f);
}

/* The fields that noted() wants, separated by commas. */
static void print_items(ox_printer *p, const ProtobufCMessage *m, uint32_t said, uint32_t implied) {
    const char *separator = "";
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (!noted(p, m, f, said, implied)) continue;
        add(p, separator);
        separator = ", ";
        print_item(p, m, f);
    }
    if (m->n_unknown_fields) {
        add(p, separator);
        print_unknown(p, m);
    }
}

/* " @{...}" when there is something to say; whether there was. */
static bool print_notes(ox_printer *p, const ProtobufCMessage *m, uint32_t said, uint32_t implied) {
    if (!has_notes(p, m, said, implied)) return false;
    add(p, " @{");
    print_items(p, m, said, implied);
    add(p, "}");
    return true;
}

/* The header of a model or function, one field per line; `first` come first. */
static void print_header(ox_printer *p, const ProtobufCMessage *m, uint32_t said, uint32_t implied, uint32_t first) {
    if (!has_notes(p, m, said, implied)) return;
    const char *separator = "<\n  ";
    p->indent++; /* of graphs inside */
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
            const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
            if (!(first & OX_FIELD(f->id)) == !pass || !noted(p, m, f, said, implied)) continue;
            add(p, separator);
            separator = ",\n  ";
            print_item(p, m, f);
        }
    if (m->n_unknown_fields) {
        add(p, separator);
        print_unknown(p, m);
    }
    p->indent--;
    add(p, "\n>\n");
}

/* ---- values of any field ---- */

/* A short form of a documentation text: cut at a character. */
static void print_short(ox_printer *p, const char *s) {
    size_t len = strlen(s);
    if (len <= SHORT_DOC) {
        print_string(p, s);
        return;
    }
    char text[SHORT_DOC + 4];
    size_t n = ox_utf8_prefix(s, SHORT_DOC);
    memcpy(text, s, n);
    memcpy(text + n, "...", 3);
    ox_text_quoted(p->out, text, n + 3);
}

void ox_print_entries(ox_printer *p, Onnx__StringStringEntryProto *const *entries, size_t n) {
    add(p, "[");
    for (size_t i = 0; i < n; i++) {
        const Onnx__StringStringEntryProto *e = entries[i];
        if (i) add(p, ", ");
        print_string(p, e->key ? e->key : "");
        if (e->value) {
            add(p, ": ");
            print_string(p, e->value);
        }
        print_notes(p, &e->base, OX_FIELD(1) | OX_FIELD(2), OX_FIELD(1));
    }
    add(p, "]");
}

/* `"domain": 17`, or 17 alone where the domain is absent. */
static void print_opset(ox_printer *p, const Onnx__OperatorSetIdProto *o) {
    if (o->domain || !p->full) {
        print_string(p, o->domain ? o->domain : "");
        add(p, ": ");
    }
    ox_print_int(p, o->version);
    print_notes(p, &o->base, OX_FIELD(1) | OX_FIELD(2), OX_FIELD(2));
}

static void print_message(ox_printer *p, const ProtobufCMessage *m) {
    const ProtobufCMessageDescriptor *d = m->descriptor;
    if (d == &onnx__tensor_proto__descriptor) {
        print_tensor(p, (const Onnx__TensorProto *)m, false);
    } else if (d == &onnx__type_proto__descriptor) {
        print_type(p, (const Onnx__TypeProto *)m);
    } else if (d == &onnx__graph_proto__descriptor) {
        print_graph(p, (const Onnx__GraphProto *)m);
    } else if (d == &onnx__attribute_proto__descriptor) {
        print_attr(p, (const Onnx__AttributeProto *)m);
    } else if (d == &onnx__value_info_proto__descriptor) {
        print_value_info(p, (const Onnx__ValueInfoProto *)m);
    } else if (d == &onnx__operator_set_id_proto__descriptor) {
        print_opset(p, (const Onnx__OperatorSetIdProto *)m);
    } else {
        add(p, "{");
        print_items(p, m, 0, 0);
        add(p, "}");
    }
}

/* One value of a field that is in memory at V. */
static void print_value(ox_printer *p, const ProtobufCFieldDescriptor *f, const void *v) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64: ox_print_int(p, *(const int64_t *)v); break;
    case PROTOBUF_C_TYPE_UINT64: ox_print_uint(p, *(const uint64_t *)v); break;
    case PROTOBUF_C_TYPE_FLOAT: ox_print_float(p, *(const float *)v); break;
    case PROTOBUF_C_TYPE_DOUBLE: ox_print_double(p, *(const double *)v); break;
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *b = v;
        ox_text_quoted(p->out, (const char *)b->data, b->len);
        break;
    }
    case PROTOBUF_C_TYPE_STRING:
        if (!p->full && !strcmp(f->name, "doc_string"))
            print_short(p, *(char *const *)v);
        else
            print_string(p, *(char *const *)v);
        break;
    case PROTOBUF_C_TYPE_MESSAGE: print_message(p, *(ProtobufCMessage *const *)v); break;
    default: ox_print_int(p, *(const int32_t *)v); break;
    }
}

static uint64_t hash_values(const ProtobufCFieldDescriptor *f, const char *items, size_t n) {
    if (f->type == PROTOBUF_C_TYPE_BYTES || f->type == PROTOBUF_C_TYPE_STRING) {
        uint64_t h = n;
        for (size_t i = 0; i < n; i++) {
            const ProtobufCBinaryData *b = (const ProtobufCBinaryData *)(const void *)items + i;
            const char *s = f->type == PROTOBUF_C_TYPE_STRING ? ((char *const *)(const void *)items)[i] : NULL;
            h = ox_hash_mix(h, s ? ox_hash(s, strlen(s), i) : ox_hash(b->data, b->len, i));
        }
        return h;
    }
    return ox_hash(items, n * ox_field_size(f), n);
}

/* "[a, b]"; lists of plain values are elided like tensors. */
static void print_list(ox_printer *p, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    const char *items;
    size_t n = ox_field_count(m, f), size = ox_field_size(f);
    memcpy(&items, (const char *)m + f->offset, sizeof items);
    if (f->descriptor == (const void *)&onnx__string_string_entry_proto__descriptor) {
        ox_print_entries(p, (Onnx__StringStringEntryProto *const *)(const void *)items, n);
        return;
    }
    add(p, "[");
    if (!p->full && n > p->max && f->type != PROTOBUF_C_TYPE_MESSAGE)
        ox_print_elided(p, hash_values(f, items, n));
    else
        for (size_t i = 0; i < n; i++) {
            if (i) add(p, ", ");
            print_value(p, f, items + i * size);
        }
    add(p, "]");
}

static void print_field(ox_printer *p, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        print_list(p, m, f);
    else
        print_value(p, f, (const char *)m + f->offset);
}

/* ---- types ---- */

static void print_dim(ox_printer *p, const Onnx__TensorShapeProto__Dimension *d) {
    if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        ox_print_int(p, d->dim_value);
    else if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
        print_id(p, d->dim_param);
    else
        add(p, "?");
    print_notes(p, &d->base, OX_FIELD(1) | OX_FIELD(2), 0);
}

static void print_tensor_type(ox_printer *p, int32_t type, const Onnx__TensorShapeProto *shape) {
    add(p, ox_text_type_name(type));
    if (shape && !shape->n_dim) return;
    add(p, "[");
    for (size_t i = 0; shape && i < shape->n_dim; i++) {
        if (i) add(p, ",");
        print_dim(p, shape->dim[i]);
    }
    add(p, "]");
}

static bool native_tensor_type(const ox_printer *p, const ProtobufCMessage *m, bool has_type, int32_t type,
                               const Onnx__TensorShapeProto *shape) {
    return (has_type || !p->full) && ox_text_type_name(type) && !m->n_unknown_fields &&
           (!shape || !shape->base.n_unknown_fields);
}

static void print_element_type(ox_printer *p, const char *before, const Onnx__TypeProto *elem) {
    add(p, before);
    print_type(p, elem);
    add(p, ")");
}

/* "a.b" as it is when all parts are names, else quoted. */
static void print_dotted(ox_printer *p, const char *s) {
    bool start = true, plain = true;
    for (const char *c = s; plain && *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        plain = letter || (!start && ((*c >= '0' && *c <= '9') || *c == '.'));
        start = *c == '.';
    }
    if (plain && !start)
        add(p, s);
    else
        print_string(p, s);
}

static bool print_opaque(ox_printer *p, const Onnx__TypeProto__Opaque *o) {
    if (o->base.n_unknown_fields || (o->domain && !o->name)) return false;
    add(p, "opaque(");
    if (o->domain) {
        print_dotted(p, o->domain);
        add(p, ", ");
    }
    if (o->name) print_dotted(p, o->name);
    add(p, ")");
    return true;
}

/* Whether the native syntax could say it all; else nothing was printed. */
static bool print_native_type(ox_printer *p, const Onnx__TypeProto *t) {
    switch (t->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE: {
        const Onnx__TypeProto__Tensor *x = t->tensor_type;
        if (!native_tensor_type(p, &x->base, x->has_elem_type, x->elem_type, x->shape)) return false;
        print_tensor_type(p, x->elem_type, x->shape);
        return true;
    }
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE: {
        const Onnx__TypeProto__SparseTensor *x = t->sparse_tensor_type;
        if (!native_tensor_type(p, &x->base, x->has_elem_type, x->elem_type, x->shape)) return false;
        add(p, "sparse_tensor(");
        print_tensor_type(p, x->elem_type, x->shape);
        add(p, ")");
        return true;
    }
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        if (!t->sequence_type->elem_type || t->sequence_type->base.n_unknown_fields) return false;
        print_element_type(p, "seq(", t->sequence_type->elem_type);
        return true;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        if (!t->optional_type->elem_type || t->optional_type->base.n_unknown_fields) return false;
        print_element_type(p, "optional(", t->optional_type->elem_type);
        return true;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE: {
        const Onnx__TypeProto__Map *x = t->map_type;
        if (!x->has_key_type || !ox_text_type_name(x->key_type) || !x->value_type || x->base.n_unknown_fields)
            return false;
        add(p, "map(");
        add(p, ox_text_type_name(x->key_type));
        print_element_type(p, ", ", x->value_type);
        return true;
    }
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE: return print_opaque(p, t->opaque_type);
    default: return false;
    }
}

static void print_type(ox_printer *p, const Onnx__TypeProto *t) {
    if (!enter(p)) return;
    if (print_native_type(p, t)) {
        print_notes(p, &t->base, OX_FIELD(t->value_case), 0);
    } else {
        add(p, "@{");
        print_items(p, &t->base, 0, 0);
        add(p, "}");
    }
    p->depth--;
}

static void print_value_info(ox_printer *p, const Onnx__ValueInfoProto *v) {
    if (v->type) {
        print_type(p, v->type);
        add(p, " ");
    }
    print_id(p, v->name);
    print_notes(p, &v->base, OX_FIELD(1) | OX_FIELD(2), OX_FIELD(1));
}

static void print_value_infos(ox_printer *p, Onnx__ValueInfoProto *const *v, size_t n) {
    add(p, "(");
    for (size_t i = 0; i < n; i++) {
        if (i) add(p, ", ");
        print_value_info(p, v[i]);
    }
    add(p, ")");
}

/* ---- tensors, attributes ---- */

/* Whether notes were printed at its end. */
static bool print_tensor(ox_printer *p, const Onnx__TensorProto *t, bool initializer) {
    uint32_t said = OX_FIELD(1) | OX_FIELD(8), implied = OX_FIELD(2);
    const char *type = ox_text_type_name(t->data_type);
    if (type) said |= OX_FIELD(2);
    add(p, type ? type : "undefined");
    for (size_t i = 0; i < t->n_dims; i++) {
        add(p, i ? "," : "[");
        ox_print_int(p, t->dims[i]);
    }
    if (t->n_dims) add(p, "]");
    if (initializer || (t->name && (*t->name || p->full))) {
        add(p, " ");
        print_id(p, t->name);
    }
    if (initializer) implied |= OX_FIELD(8);
    said |= ox_print_tensor_data(p, t, initializer, &implied);
    return print_notes(p, &t->base, said, implied);
}

/* The number of the field that holds the value of an attribute. */
static uint32_t attr_field(const Onnx__AttributeProto *a, int *type) {
    static const uint8_t fields[] = {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 22, 23, 14, 15};
    *type = a->has_type && ox_text_attr_type((int)a->type) ? (int)a->type : 0;
    for (int i = 1; !*type && i < (int)sizeof fields; i++)
        if (ox_field_has(&a->base, protobuf_c_message_descriptor_get_field(a->base.descriptor, fields[i]))) *type = i;
    return fields[*type];
}

/* Prints the value; whether it ended in notes. */
static bool print_attr_value(ox_printer *p, const Onnx__AttributeProto *a, const ProtobufCFieldDescriptor *f) {
    switch (f->id) {
    case 4: ox_text_quoted(p->out, (const char *)a->s.data, a->s.len); return false;
    case 5: return print_tensor(p, a->t, false);
    case 6: return print_graph(p, a->g);
    case 14: print_type(p, a->tp); return p->out->data[p->out->len - 1] == '}';
    default: print_field(p, &a->base, f); return false;
    }
}

/* Whether notes were printed at its end. */
static bool print_attr(ox_printer *p, const Onnx__AttributeProto *a) {
    int type;
    uint32_t field = attr_field(a, &type), said = OX_FIELD(1), implied = OX_FIELD(1);
    const ProtobufCFieldDescriptor *f =
        field ? protobuf_c_message_descriptor_get_field(a->base.descriptor, field) : NULL;
    bool typed = type && a->has_type && (int)a->type == type, inner = false;
    print_word(p, a->name);
    if (a->ref_attr_name) {
        if (typed) {
            add(p, ": ");
            add(p, ox_text_attr_type(type));
            said |= OX_FIELD(20);
        }
        add(p, " = @");
        print_word(p, a->ref_attr_name);
        return print_notes(p, &a->base, said | OX_FIELD(21), implied);
    }
    implied |= OX_FIELD(20);
    if (!f ||
        (f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED && !ox_field_has(&a->base, f))) {
        add(p, ": ints = []"); /* no value to be shown: the notes tell the type */
        return print_notes(p, &a->base, said, implied);
    }
    add(p, ": ");
    add(p, ox_text_attr_type(type));
    add(p, " = ");
    inner = print_attr_value(p, a, f);
    said |= OX_FIELD(field) | (typed ? OX_FIELD(20) : 0);
    if (f->label != PROTOBUF_C_LABEL_REPEATED) implied |= OX_FIELD(field);
    if (!has_notes(p, &a->base, said, implied)) return inner;
    if (!inner && (field == 5 || field == 6 || field == 14)) add(p, " @{}");
    return print_notes(p, &a->base, said, implied);
}

static void print_attrs(ox_printer *p, Onnx__AttributeProto *const *a, size_t n) {
    if (!n) return;
    add(p, " <");
    for (size_t i = 0; i < n; i++) {
        if (i) add(p, ", ");
        print_attr(p, a[i]);
    }
    add(p, ">");
}

/* ---- nodes, graphs, functions ---- */

static bool has_body(const Onnx__NodeProto *n) {
    for (size_t i = 0; i < n->n_attribute; i++)
        if (n->attribute[i]->g || n->attribute[i]->n_graphs) return true;
    return false;
}

static void print_op(ox_printer *p, const Onnx__NodeProto *n) {
    if (n->domain && *n->domain) {
        print_dotted(p, n->domain);
        add(p, ".");
    }
    print_word(p, n->op_type);
    if (n->overload && *n->overload) {
        add(p, ":");
        print_word(p, n->overload);
    }
}

static void print_node(ox_printer *p, const Onnx__NodeProto *n) {
    uint32_t said = OX_FIELD(1) | OX_FIELD(2) | OX_FIELD(3) | OX_FIELD(4) | OX_FIELD(5);
    bool body = has_body(n);
    if (n->name && (p->full || *n->name)) {
        add(p, "[");
        print_id(p, n->name);
        add(p, "] ");
    }
    print_ids(p, n->output, n->n_output);
    add(p, n->n_output ? " = " : "= ");
    print_op(p, n);
    if (!body) print_attrs(p, n->attribute, n->n_attribute);
    add(p, " (");
    print_ids(p, n->input, n->n_input);
    add(p, ")");
    if (body) print_attrs(p, n->attribute, n->n_attribute);
    if (n->domain && *n->domain) said |= OX_FIELD(7);
    if (n->overload && *n->overload) said |= OX_FIELD(8);
    print_notes(p, &n->base, said, OX_FIELD(4));
}

/* On a line of its own after a list of values, which ends in one. */
static void print_nodes(ox_printer *p, bool own_line, Onnx__NodeProto *const *nodes, size_t n) {
    if (own_line)
        new_line(p);
    else
        add(p, " ");
    add(p, "{");
    p->indent++;
    for (size_t i = 0; i < n && !p->too_deep; i++) {
        new_line(p);
        print_node(p, nodes[i]);
    }
    p->indent--;
    new_line(p);
    add(p, "}");
}

/* "<initializers, value infos>", one per line. */
static void print_values(ox_printer *p, Onnx__TensorProto *const *tensors, size_t n_tensors,
                         Onnx__ValueInfoProto *const *infos, size_t n_infos) {
    new_line(p);
    add(p, "<");
    p->indent++;
    for (size_t i = 0; i < n_tensors + n_infos; i++) {
        if (i) add(p, ",");
        new_line(p);
        if (i < n_tensors)
            print_tensor(p, tensors[i], true);
        else
            print_value_info(p, infos[i - n_tensors]);
    }
    p->indent--;
    new_line(p);
    add(p, ">");
}

/* Whether notes were printed at its end. */
static bool print_graph(ox_printer *p, const Onnx__GraphProto *g) {
    if (!enter(p)) return false;
    print_id(p, g->name);
    add(p, " ");
    print_value_infos(p, g->input, g->n_input);
    add(p, " => ");
    print_value_infos(p, g->output, g->n_output);
    bool values = g->n_initializer || g->n_value_info;
    if (values) print_values(p, g->initializer, g->n_initializer, g->value_info, g->n_value_info);
    print_nodes(p, values, g->node, g->n_node);
    p->depth--;
    return print_notes(
        p, &g->base, OX_FIELD(1) | OX_FIELD(2) | OX_FIELD(5) | OX_FIELD(11) | OX_FIELD(12) | OX_FIELD(13), OX_FIELD(2));
}

static void print_function(ox_printer *p, const Onnx__FunctionProto *f) {
    uint32_t native = OX_FIELD(1) | OX_FIELD(4) | OX_FIELD(5) | OX_FIELD(6) | OX_FIELD(7) | OX_FIELD(11) | OX_FIELD(12);
    add(p, "\n");
    print_header(p, &f->base, native, OX_FIELD(1), OX_FIELD(9) | OX_FIELD(10) | OX_FIELD(13));
    print_id(p, f->name);
    add(p, " ");
    if (f->n_attribute || f->n_attribute_proto) {
        add(p, "<");
        print_ids(p, f->attribute, f->n_attribute);
        for (size_t i = 0; i < f->n_attribute_proto; i++) {
            if (i || f->n_attribute) add(p, ", ");
            print_attr(p, f->attribute_proto[i]);
        }
        add(p, "> ");
    }
    add(p, "(");
    print_ids(p, f->input, f->n_input);
    add(p, ") => (");
    print_ids(p, f->output, f->n_output);
    add(p, ")");
    if (f->n_value_info) print_values(p, NULL, 0, f->value_info, f->n_value_info);
    print_nodes(p, f->n_value_info, f->node, f->n_node);
    add(p, "\n");
}

typedef struct print_job {
    const ox_message *msg;
    ox_printer printer;
} print_job;

static int print_model(void *arg) {
    print_job *job = arg;
    ox_printer *p = &job->printer;
    const Onnx__ModelProto *m = job->msg->model;
    if (p->full) add(p, "@exact\n");
    print_header(p, &m->base, OX_FIELD(7) | OX_FIELD(25), 0, OX_FIELD(1) | OX_FIELD(8));
    if (m->graph) print_graph(p, m->graph);
    add(p, "\n");
    for (size_t i = 0; i < m->n_functions; i++) print_function(p, m->functions[i]);
    if (p->too_deep)
        return ox_fail(job->msg->ctx, OX_BAD_DATA, "%s: bodies or types are nested too deep to be printed",
                       job->msg->name);
    return 0;
}

int ox_message_print(const ox_message *msg, const ox_print_options *o, ox_text *out) {
    size_t max = o && o->max_elements > 0 ? (size_t)o->max_elements : OX_TEXT_MAX;
    print_job job = {msg, {.out = out, .full = o && o->full, .max = max}};
    return ox_protect(msg->ctx, print_model, &job);
}

int ox_model_print(ox_model *m, const ox_print_options *o, ox_text *out) {
    ox_message *msg = ox_model_export(m);
    if (!msg) return -1;
    int rc = ox_message_print(msg, o, out);
    ox_message_free(msg);
    return rc;
}
