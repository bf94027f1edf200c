/* Model to message. Every struct that still says what the model says is taken over from the message the model came
 * from; others are shallow copies of it in which only what the IR owns is overwritten, so doc strings, metadata,
 * unknown fields and whatever else no pass knows stay. What is new gets a new struct. A model nobody touched gives the
 * very tree it came from. */
#include "onnx/export.h"
#include "op/op.h"

#include <string.h>

static char *text_of(ox_sym s) { return (char *)(s ? s : ""); }

static bool same_text(const char *a, const char *b) { return !strcmp(a ? a : "", b ? b : ""); }

static bool same_domain(const char *a, const char *b) {
    a = a && strcmp(a, "ai.onnx") ? a : "";
    b = b && strcmp(b, "ai.onnx") ? b : "";
    return !strcmp(a, b);
}

/* Arrays of pointers that are equal need no new array: */
static bool same_items(const void *a, size_t na, const void *b, size_t nb) {
    return na == nb && (!na || !memcmp(a, b, na * sizeof(void *)));
}

static bool strip(const ox_export *x, unsigned what) { return x->m->strip & what; }

/* Doc string and metadata of any message that has them, when they are to be left out. */
#define STRIP(x, p, changed)                                                                                           \
    do {                                                                                                               \
        if (strip(x, OX_STRIP_DOCS) && (p).doc_string) (p).doc_string = NULL, changed = true;                          \
        if (strip(x, OX_STRIP_METADATA) && (p).n_metadata_props)                                                       \
            (p).n_metadata_props = 0, (p).metadata_props = NULL, changed = true;                                       \
    } while (0)

/* ---- tensors and types ---- */

static Onnx__TensorProto *export_tensor(ox_export *x, const ox_tensor *t, const char *name,
                                        const Onnx__TensorProto *like) {
    Onnx__TensorProto *p = ox_tensor_to_proto(x->msg, t, name, like);
    if (!p) {
        x->failed = true;
        return NULL;
    }
    Onnx__TensorProto copy = *p;
    bool changed = false;
    STRIP(x, copy, changed);
    return changed ? ox_dup(x->msg->arena, &copy, sizeof copy) : p;
}

static Onnx__SparseTensorProto *export_sparse(ox_export *x, const ox_sparse *s, const char *name) {
    const Onnx__SparseTensorProto *old = s->origin;
    Onnx__TensorProto *values, *indices;
    if (!name && old && old->values) name = old->values->name;
    values = export_tensor(x, s->values, name, NULL);
    indices = export_tensor(x, s->indices, old && old->indices ? old->indices->name : NULL, NULL);
    bool same_dims =
        old && old->n_dims == (size_t)s->rank && !memcmp(old->dims, s->dims, old->n_dims * sizeof *s->dims);
    if (same_dims && values == old->values && indices == old->indices) return (Onnx__SparseTensorProto *)old;
    Onnx__SparseTensorProto *p = OX_NEW(x->msg->arena, Onnx__SparseTensorProto);
    onnx__sparse_tensor_proto__init(p);
    if (old) *p = *old;
    p->values = values;
    p->indices = indices;
    p->n_dims = (size_t)s->rank;
    p->dims = ox_dup(x->msg->arena, s->dims, p->n_dims * sizeof *s->dims);
    return p;
}

/* Whether a type of the file still says the same. Types are compared, not their origins: a pass may have copied the
 * struct. */
static bool same_type(ox_export *x, const Onnx__TypeProto *p, const ox_type *t) {
    if (!p || !t) return !p && !t;
    const ox_type *old = ox_type_from_proto(x->source ? x->source : x->msg, x->scratch, p, NULL);
    return old && ox_type_equal(old, ox_type_plain(x->scratch, t));
}

/* The value_info of a name and type, made from `old` (may be NULL). */
static Onnx__ValueInfoProto *export_info(ox_export *x, const Onnx__ValueInfoProto *old, const char *name,
                                         const ox_type *type) {
    Onnx__ValueInfoProto copy = ONNX__VALUE_INFO_PROTO__INIT;
    bool changed = !old;
    if (old) copy = *old;
    STRIP(x, copy, changed);
    if (!old || !same_text(old->name, name)) copy.name = (char *)name, changed = true;
    if (type && !same_type(x, copy.type, type)) {
        const char *denotation = copy.type ? copy.type->denotation : NULL;
        copy.type = ox_type_to_proto(x->msg->arena, type);
        copy.type->denotation = (char *)denotation;
        changed = true;
    }
    return changed ? ox_dup(x->msg->arena, &copy, sizeof copy) : (Onnx__ValueInfoProto *)old;
}

/* ---- attributes ---- */

static bool same_str(const ProtobufCBinaryData *b, const ox_str *s) {
    return b->len == s->len && (!s->len || !memcmp(b->data, s->data, s->len));
}

static bool same_strs(const Onnx__AttributeProto *p, const ox_attr *a) {
    if (p->n_strings != a->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_str(&p->strings[i], &a->ss[i])) return false;
    return true;
}

/* Fills the list of exported parts; true when all are those of the file. */
static bool export_parts(ox_export *x, const ox_attr *a, const Onnx__AttributeProto *p, void **list) {
    ox_arena *arena = x->msg->arena;
    size_t n = a->n, old_n = 0;
    void **items = OX_NEW_N(arena, void *, n);
    const void *old = NULL;
    for (size_t i = 0; i < n; i++) {
        if (a->type == OX_A_TENSORS)
            items[i] = export_tensor(x, a->ts[i], i < p->n_tensors ? p->tensors[i]->name : NULL, NULL);
        else if (a->type == OX_A_GRAPHS)
            items[i] = ox_export_graph(x, a->gs[i]);
        else if (a->type == OX_A_SPARSES)
            items[i] = export_sparse(x, a->sparses[i], NULL);
        else
            items[i] = i < p->n_type_protos && same_type(x, p->type_protos[i], a->tps[i])
                           ? p->type_protos[i]
                           : ox_type_to_proto(arena, a->tps[i]);
    }
    switch (a->type) {
    case OX_A_TENSORS:
        old = p->tensors, old_n = p->n_tensors;
        break;
    case OX_A_GRAPHS:
        old = p->graphs, old_n = p->n_graphs;
        break;
    case OX_A_SPARSES:
        old = p->sparse_tensors, old_n = p->n_sparse_tensors;
        break;
    default:
        old = p->type_protos, old_n = p->n_type_protos;
    }
    *list = items;
    return same_items(items, n, old, old_n);
}

/* The part that a message attribute holds, exported. */
static void *export_part(ox_export *x, const ox_attr *a, const Onnx__AttributeProto *p) {
    switch (a->type) {
    case OX_A_TENSOR:
        return export_tensor(x, a->t, p->t ? p->t->name : NULL, NULL);
    case OX_A_GRAPH:
        return ox_export_graph(x, a->g);
    case OX_A_SPARSE:
        return export_sparse(x, a->sparse, NULL);
    case OX_A_TYPE:
        return same_type(x, p->tp, a->tp) ? (void *)p->tp : ox_type_to_proto(x->msg->arena, a->tp);
    case OX_A_TENSORS:
    case OX_A_GRAPHS:
    case OX_A_SPARSES:
    case OX_A_TYPES: {
        void *list;
        return export_parts(x, a, p, &list) ? NULL : list;
    }
    default:
        return NULL;
    }
}

/* Whether the value of the file is the value now; part: of export_part(). */
static bool same_value(const ox_attr *a, const Onnx__AttributeProto *p, const void *part) {
    switch (a->type) {
    case OX_A_FLOAT:
        return !memcmp(&p->f, &a->f, sizeof a->f);
    case OX_A_INT:
        return p->i == a->i;
    case OX_A_STRING:
        return same_str(&p->s, &a->s);
    case OX_A_TENSOR:
        return part == p->t;
    case OX_A_GRAPH:
        return part == p->g;
    case OX_A_SPARSE:
        return part == p->sparse_tensor;
    case OX_A_TYPE:
        return part == p->tp;
    case OX_A_FLOATS:
        return p->n_floats == a->n && (!a->n || !memcmp(p->floats, a->fs, a->n * sizeof *a->fs));
    case OX_A_INTS:
        return p->n_ints == a->n && (!a->n || !memcmp(p->ints, a->is, a->n * sizeof *a->is));
    case OX_A_STRINGS:
        return same_strs(p, a);
    default:
        return !part;
    }
}

static void set_value(ox_export *x, const ox_attr *a, Onnx__AttributeProto *p, void *part) {
    switch (a->type) {
    case OX_A_FLOAT:
        p->has_f = true, p->f = a->f;
        break;
    case OX_A_INT:
        p->has_i = true, p->i = a->i;
        break;
    case OX_A_STRING:
        p->has_s = true, p->s = (ProtobufCBinaryData){a->s.len, (uint8_t *)a->s.data};
        break;
    case OX_A_TENSOR:
        p->t = part;
        break;
    case OX_A_GRAPH:
        p->g = part;
        break;
    case OX_A_SPARSE:
        p->sparse_tensor = part;
        break;
    case OX_A_TYPE:
        p->tp = part;
        break;
    case OX_A_FLOATS:
        p->n_floats = a->n, p->floats = a->fs;
        break;
    case OX_A_INTS:
        p->n_ints = a->n, p->ints = a->is;
        break;
    case OX_A_TENSORS:
        p->n_tensors = a->n, p->tensors = part;
        break;
    case OX_A_GRAPHS:
        p->n_graphs = a->n, p->graphs = part;
        break;
    case OX_A_SPARSES:
        p->n_sparse_tensors = a->n, p->sparse_tensors = part;
        break;
    case OX_A_TYPES:
        p->n_type_protos = a->n, p->type_protos = part;
        break;
    case OX_A_STRINGS:
        p->n_strings = a->n;
        p->strings = OX_NEW_N(x->msg->arena, ProtobufCBinaryData, a->n);
        for (size_t i = 0; i < a->n; i++) p->strings[i] = (ProtobufCBinaryData){a->ss[i].len, (uint8_t *)a->ss[i].data};
        break;
    default:
        break;
    }
}

Onnx__AttributeProto *ox_export_attr(ox_export *x, const ox_attr *a) {
    static const Onnx__AttributeProto none = ONNX__ATTRIBUTE_PROTO__INIT;
    const Onnx__AttributeProto *old = a->origin ? a->origin : &none;
    void *part = a->ref ? NULL : export_part(x, a, old);
    bool same = a->origin && same_text(old->name, a->name) && same_text(old->ref_attr_name, a->ref);
    if (same && !a->ref) same = (!old->has_type || (int)old->type == (int)a->type) && same_value(a, old, part);
    if (same && !(strip(x, OX_STRIP_DOCS) && old->doc_string)) return (Onnx__AttributeProto *)old;
    if (a->origin && !part && (a->type == OX_A_TENSORS || a->type >= OX_A_GRAPHS))
        export_parts(x, a, &none, &part); /* the parts are those of the file, but the attribute is not */
    Onnx__AttributeProto *p = OX_NEW(x->msg->arena, Onnx__AttributeProto);
    *p = none;
    p->doc_string = strip(x, OX_STRIP_DOCS) ? NULL : old->doc_string;
    p->base.n_unknown_fields = old->base.n_unknown_fields;
    p->base.unknown_fields = old->base.unknown_fields;
    p->name = (char *)a->name;
    p->ref_attr_name = (char *)a->ref;
    p->has_type = a->type != OX_A_UNDEFINED;
    p->type = (Onnx__AttributeProto__AttributeType)a->type;
    if (!a->ref) set_value(x, a, p, part);
    return p;
}

/* ---- nodes ---- */

static bool same_names(char *const *old, size_t n_old, char *const *now, size_t n) {
    if (n_old != n) return false;
    for (size_t i = 0; i < n; i++)
        if (!same_text(old[i], now[i])) return false;
    return true;
}

static char *value_name(const ox_value *v) { return text_of(v ? v->name : NULL); }

/* Shardings speak of operands by name: one whose tensor is no operand any more is meaningless. */
static bool drop_shardings(ox_export *x, Onnx__NodeProto *p) {
    bool any = false;
    for (size_t i = 0; i < p->n_device_configurations; i++) {
        Onnx__NodeDeviceConfigurationProto *d = p->device_configurations[i];
        Onnx__ShardingSpecProto **kept = OX_NEW_N(x->msg->arena, Onnx__ShardingSpecProto *, d->n_sharding_spec);
        size_t n = 0;
        for (size_t k = 0; k < d->n_sharding_spec; k++) {
            const char *name = d->sharding_spec[k]->tensor_name;
            bool found = false;
            for (size_t j = 0; j < p->n_input && !found; j++) found = same_text(p->input[j], name);
            for (size_t j = 0; j < p->n_output && !found; j++) found = same_text(p->output[j], name);
            if (found) kept[n++] = d->sharding_spec[k];
        }
        if (n == d->n_sharding_spec) continue;
        if (!any)
            p->device_configurations =
                ox_dup(x->msg->arena, p->device_configurations, p->n_device_configurations * sizeof(void *));
        any = true;
        d = p->device_configurations[i] = ox_dup(x->msg->arena, d, sizeof *d);
        d->sharding_spec = kept;
        d->n_sharding_spec = n;
    }
    return any;
}

static bool export_operands(ox_export *x, const ox_node *n, const Onnx__NodeProto *old, Onnx__NodeProto *p) {
    bool changed = false;
    char **in = OX_NEW_N(x->scratch, char *, n->n_in), **out = OX_NEW_N(x->scratch, char *, n->n_out);
    for (uint32_t i = 0; i < n->n_in; i++) in[i] = value_name(n->in[i].v);
    for (uint32_t i = 0; i < n->n_out; i++) out[i] = value_name(n->out[i]);
    if (!same_names(old->input, old->n_input, in, n->n_in)) {
        p->n_input = n->n_in;
        p->input = ox_dup(x->msg->arena, in, n->n_in * sizeof *in);
        changed = true;
    }
    if (!same_names(old->output, old->n_output, out, n->n_out)) {
        p->n_output = n->n_out;
        p->output = ox_dup(x->msg->arena, out, n->n_out * sizeof *out);
        changed = true;
    }
    return changed;
}

Onnx__NodeProto *ox_export_node(ox_export *x, const ox_node *n) {
    static const Onnx__NodeProto none = ONNX__NODE_PROTO__INIT;
    const Onnx__NodeProto *old = n->origin ? n->origin : &none;
    Onnx__NodeProto p = *old;
    bool changed = !n->origin;
    changed |= export_operands(x, n, old, &p) && (drop_shardings(x, &p), true);
    if (!same_text(old->op_type, n->op_type)) p.op_type = (char *)n->op_type, changed = true;
    if (!same_domain(old->domain, n->domain)) p.domain = (char *)n->domain, changed = true;
    if (!same_text(old->overload, n->overload)) p.overload = (char *)n->overload, changed = true;
    if (!same_text(old->name, strip(x, OX_STRIP_NODE_NAMES) ? NULL : n->name))
        p.name = strip(x, OX_STRIP_NODE_NAMES) ? NULL : (char *)n->name, changed = true;
    STRIP(x, p, changed);
    Onnx__AttributeProto **attrs = OX_NEW_N(x->msg->arena, Onnx__AttributeProto *, n->n_attrs);
    for (uint32_t i = 0; i < n->n_attrs; i++) attrs[i] = ox_export_attr(x, n->attrs[i]);
    if (!same_items(attrs, n->n_attrs, old->attribute, old->n_attribute)) {
        p.attribute = attrs;
        p.n_attribute = n->n_attrs;
        changed = true;
    }
    return changed ? ox_dup(x->msg->arena, &p, sizeof p) : (Onnx__NodeProto *)old;
}

/* ---- lists of a graph ---- */

/* A list that grows, and its comparison with the list of the file. */
typedef struct list {
    void **items;
    size_t n, cap;
} list;

static void add(ox_export *x, list *l, void *item) { OX_PUSH(x->msg->arena, l->items, l->n, l->cap, item); }

/* The names that a graph defines, to their values. */
static void collect_names(ox_map *names, const ox_graph *g) {
    for (size_t i = 0; i < g->n_inputs; i++) ox_map_put(names, g->inputs[i]->name, g->inputs[i]);
    for (const ox_value *v = g->first_init; v; v = v->next_init) ox_map_put(names, v->name, (void *)v);
    for (const ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i]) ox_map_put(names, n->out[i]->name, n->out[i]);
}

/* What is said of a value: what is known of it, and what was declared where nothing is. */
static const ox_type *type_of(ox_export *x, const ox_value *v) {
    return v->declared ? ox_type_settle(x->scratch, v->type, v->declared, &x->given, NULL) : v->type;
}

/* Whether a value gets a value_info besides those of inputs and outputs. */
static bool wants_info(const ox_map *outputs, const ox_value *v) {
    return v->listed && ((v->type && v->type->kind != OX_K_UNKNOWN) || v->declared) && !v->is_input && !ox_map_has(outputs, v->name);
}

/* value_info: first those of the file that still hold, in their places, then new ones in the order of the nodes. */
static list export_infos(ox_export *x, const ox_graph *g, Onnx__ValueInfoProto *const *old, size_t n_old,
                         const ox_map *names) {
    list l = {.n = 0};
    ox_map done, outputs;
    ox_map_init(&done, x->scratch);
    ox_map_init(&outputs, x->scratch);
    for (uint32_t i = 0; i < g->ret->n_in; i++) ox_map_put(&outputs, value_name(g->ret->in[i].v), (void *)g);
    for (size_t i = 0; i < n_old; i++) {
        ox_value *v = old[i]->name ? ox_map_get(names, ox_intern(x->ctx, old[i]->name)) : NULL;
        const ox_type *type = v ? type_of(x, v) : NULL;
        if (!v || !v->listed || (!type && v->origin == old[i])) continue;
        if (v->origin != old[i] && type && !same_type(x, old[i]->type, type)) continue; /* a second entry, which contradicts */
        add(x, &l, v->origin == old[i] ? export_info(x, old[i], v->name, type) : old[i]);
        ox_map_put(&done, v, v);
    }
    for (const ox_value *v = g->first_init; v; v = v->next_init)
        if (wants_info(&outputs, v) && !ox_map_has(&done, v)) add(x, &l, export_info(x, v->origin, v->name, v->type));
    for (const ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i] && wants_info(&outputs, n->out[i]) && !ox_map_has(&done, n->out[i]))
                add(x, &l, export_info(x, n->out[i]->origin, n->out[i]->name, type_of(x, n->out[i])));
    return l;
}

static list export_inits(ox_export *x, const ox_graph *g, list *sparse) {
    list l = {.n = 0};
    for (const ox_value *v = g->first_init; v; v = v->next_init) {
        if (v->sparse)
            add(x, sparse, export_sparse(x, v->sparse, v->name));
        else if (v->data)
            add(x, &l, export_tensor(x, v->data, v->name, v->init_origin));
    }
    return l;
}

static list export_inputs(ox_export *x, const ox_graph *g) {
    list l = {.n = 0};
    for (size_t i = 0; i < g->n_inputs; i++)
        add(x, &l, export_info(x, g->inputs[i]->origin, g->inputs[i]->name, g->inputs[i]->type));
    if (x->m->ir_version < 4 && !g->outer) /* until then every initializer is an input too */
        for (const ox_value *v = g->first_init; v; v = v->next_init)
            if (!v->is_input) add(x, &l, export_info(x, NULL, v->name, v->type));
    return l;
}

/* Types behind an operator that nobody knows rest on declarations, which are no better than that of an output. */
static int has_opaque(ox_graph *g, void *user) {
    (void)user;
    for (const ox_node *n = g->first; n; n = n->next)
        if (!ox_node_inferable(n) && !ox_is(n, "Constant")) return 1;
    return 0;
}

static list export_outputs(ox_export *x, const ox_graph *g) {
    list l = {.n = 0};
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        const ox_value *v = g->ret->in[i].v;
        const ox_type *type = g->out_types[i] ? g->out_types[i] : !g->out_origins[i] && v ? type_of(x, v) : NULL;
        if (v && v->doubted && v->type && type && x->inferred) /* it was declared wrongly */
            type = ox_type_settle(x->scratch, v->type, type, &x->given, NULL);
        add(x, &l, export_info(x, g->out_origins[i], g->out_names[i] ? g->out_names[i] : value_name(v), type));
    }
    return l;
}

/* Quantization parameters of tensors that are gone are dropped, and entries that name tensors that are gone. */
static list export_annotations(ox_export *x, const Onnx__GraphProto *old, const ox_map *names) {
    list l = {.n = 0};
    for (size_t i = 0; i < old->n_quantization_annotation; i++) {
        Onnx__TensorAnnotation *a = old->quantization_annotation[i];
        if (!a->tensor_name || !ox_map_has(names, ox_intern(x->ctx, a->tensor_name))) continue;
        list kept = {.n = 0};
        for (size_t k = 0; k < a->n_quant_parameter_tensor_names; k++) {
            const char *tensor = a->quant_parameter_tensor_names[k]->value;
            if (tensor && ox_map_has(names, ox_intern(x->ctx, tensor)))
                add(x, &kept, a->quant_parameter_tensor_names[k]);
        }
        if (kept.n != a->n_quant_parameter_tensor_names) {
            a = ox_dup(x->msg->arena, a, sizeof *a);
            a->n_quant_parameter_tensor_names = kept.n;
            a->quant_parameter_tensor_names = (Onnx__StringStringEntryProto **)kept.items;
        }
        add(x, &l, a);
    }
    return l;
}

static list export_nodes(ox_export *x, const ox_graph *g) {
    list l = {.n = 0};
    for (const ox_node *n = g->first; n; n = n->next) add(x, &l, ox_export_node(x, n));
    return l;
}

/* Takes a list over where it differs from the one that is there. */
#define TAKE(p, field, l, changed)                                                                                     \
    do {                                                                                                               \
        if (!same_items((l).items, (l).n, (p).field, (p).n_##field)) {                                                 \
            (p).field = (void *)(l).items;                                                                             \
            (p).n_##field = (l).n;                                                                                     \
            changed = true;                                                                                            \
        }                                                                                                              \
    } while (0)

Onnx__GraphProto *ox_export_graph(ox_export *x, const ox_graph *g) {
    static const Onnx__GraphProto none = ONNX__GRAPH_PROTO__INIT;
    const Onnx__GraphProto *old = g->origin ? g->origin : &none;
    Onnx__GraphProto p = *old;
    bool changed = !g->origin;
    ox_map names;
    list sparse = {.n = 0};
    ox_map_init(&names, x->scratch);
    collect_names(&names, g);
    list nodes = export_nodes(x, g), inits = export_inits(x, g, &sparse), inputs = export_inputs(x, g),
         outputs = export_outputs(x, g);
    list infos = export_infos(x, g, old->value_info, old->n_value_info, &names);
    list notes = export_annotations(x, old, &names);
    TAKE(p, node, nodes, changed);
    TAKE(p, initializer, inits, changed);
    TAKE(p, sparse_initializer, sparse, changed);
    TAKE(p, input, inputs, changed);
    TAKE(p, output, outputs, changed);
    TAKE(p, value_info, infos, changed);
    TAKE(p, quantization_annotation, notes, changed);
    if (!p.name || !same_text(p.name, g->name)) {
        char *name = g->name && g->name[0] ? (char *)g->name
                     : g->origin           ? p.name
                                           : (char *)"graph"; /* a graph must have one */
        changed |= name != p.name;
        p.name = name;
    }
    STRIP(x, p, changed);
    return changed ? ox_dup(x->msg->arena, &p, sizeof p) : (Onnx__GraphProto *)old;
}

/* ---- functions and the model ---- */

static list export_opsets(ox_export *x, const ox_opset *opsets, size_t n, Onnx__OperatorSetIdProto *const *old,
                          size_t n_old) {
    list l = {.n = 0};
    for (size_t i = 0; i < n; i++) {
        Onnx__OperatorSetIdProto *p = NULL;
        for (size_t k = 0; k < n_old && !p; k++)
            if (same_domain(old[k]->domain, opsets[i].domain)) p = old[k];
        if (!p || p->version != opsets[i].version) {
            Onnx__OperatorSetIdProto *fresh = OX_NEW(x->msg->arena, Onnx__OperatorSetIdProto);
            onnx__operator_set_id_proto__init(fresh);
            fresh->domain = (char *)opsets[i].domain;
            if (p) *fresh = *p;
            fresh->has_version = true;
            fresh->version = opsets[i].version;
            p = fresh;
        }
        add(x, &l, p);
    }
    return l;
}

static Onnx__NodeProto *constant_node(ox_export *x, const ox_value *v) {
    Onnx__NodeProto *n = OX_NEW(x->msg->arena, Onnx__NodeProto);
    Onnx__AttributeProto *a = OX_NEW(x->msg->arena, Onnx__AttributeProto);
    onnx__node_proto__init(n);
    onnx__attribute_proto__init(a);
    list out = {.n = 0}, attrs = {.n = 0};
    add(x, &out, value_name(v));
    add(x, &attrs, a);
    n->op_type = (char *)"Constant";
    n->output = (char **)out.items;
    n->n_output = 1;
    n->attribute = (Onnx__AttributeProto **)attrs.items;
    n->n_attribute = 1;
    a->name = (char *)(v->sparse ? "sparse_value" : "value");
    a->has_type = true;
    a->type = (Onnx__AttributeProto__AttributeType)(v->sparse ? OX_A_SPARSE : OX_A_TENSOR);
    if (v->sparse)
        a->sparse_tensor = export_sparse(x, v->sparse, NULL);
    else
        a->t = export_tensor(x, v->data, v->name, NULL);
    return n;
}

/* Attributes without and with a default stand in two lists. */
static void export_formals(ox_export *x, const ox_function *f, list *plain, list *with_default) {
    for (size_t i = 0; i < f->n_formals; i++) {
        if (f->formals[i]->type == OX_A_UNDEFINED && !f->formals[i]->origin)
            add(x, plain, (char *)f->formals[i]->name);
        else
            add(x, with_default, ox_export_attr(x, f->formals[i]));
    }
}

static Onnx__FunctionProto *export_function(ox_export *x, const ox_function *f) {
    static const Onnx__FunctionProto none = ONNX__FUNCTION_PROTO__INIT;
    const Onnx__FunctionProto *old = f->origin ? f->origin : &none;
    const ox_graph *g = f->body;
    Onnx__FunctionProto p = *old;
    bool changed = !f->origin;
    ox_map names;
    list nodes = {.n = 0}, inputs = {.n = 0}, outputs = {.n = 0}, plain = {.n = 0}, with_default = {.n = 0};
    ox_map_init(&names, x->scratch);
    collect_names(&names, g);
    for (const ox_value *v = g->first_init; v; v = v->next_init) /* a function has no initializers */
        add(x, &nodes, constant_node(x, v));
    for (const ox_node *n = g->first; n; n = n->next) add(x, &nodes, ox_export_node(x, n));
    for (size_t i = 0; i < g->n_inputs; i++) add(x, &inputs, value_name(g->inputs[i]));
    for (uint32_t i = 0; i < g->ret->n_in; i++)
        add(x, &outputs, g->out_names[i] ? text_of(g->out_names[i]) : value_name(g->ret->in[i].v));
    export_formals(x, f, &plain, &with_default);
    list infos = export_infos(x, g, old->value_info, old->n_value_info, &names);
    list opsets = export_opsets(x, f->opsets, f->n_opsets, old->opset_import, old->n_opset_import);
    TAKE(p, node, nodes, changed);
    TAKE(p, value_info, infos, changed);
    TAKE(p, attribute_proto, with_default, changed);
    if (!f->origin || old->n_opset_import) TAKE(p, opset_import, opsets, changed);
    if (!same_names(p.input, p.n_input, (char **)inputs.items, inputs.n)) TAKE(p, input, inputs, changed);
    if (!same_names(p.output, p.n_output, (char **)outputs.items, outputs.n)) TAKE(p, output, outputs, changed);
    if (!same_names(p.attribute, p.n_attribute, (char **)plain.items, plain.n)) TAKE(p, attribute, plain, changed);
    if (!same_text(p.name, f->name)) p.name = (char *)f->name, changed = true;
    if (!same_domain(p.domain, f->domain)) p.domain = (char *)f->domain, changed = true;
    if (!same_text(p.overload, f->overload)) p.overload = (char *)f->overload, changed = true;
    STRIP(x, p, changed);
    return changed ? ox_dup(x->msg->arena, &p, sizeof p) : (Onnx__FunctionProto *)old;
}

static Onnx__ModelProto *export_model(ox_export *x) {
    static const Onnx__ModelProto none = ONNX__MODEL_PROTO__INIT;
    const ox_model *m = x->m;
    const Onnx__ModelProto *old = m->origin ? m->origin : &none;
    Onnx__ModelProto p = *old;
    bool changed = !m->origin;
    list functions = {.n = 0};
    for (size_t i = 0; i < m->n_functions; i++) add(x, &functions, export_function(x, m->functions[i]));
    list opsets = export_opsets(x, m->opsets, m->n_opsets, old->opset_import, old->n_opset_import);
    TAKE(p, functions, functions, changed);
    if (old->n_opset_import || m->ir_version >= 3) TAKE(p, opset_import, opsets, changed);
    p.graph = ox_export_graph(x, m->graph);
    changed |= p.graph != old->graph;
    if (!p.has_ir_version || p.ir_version != m->ir_version)
        p.has_ir_version = true, p.ir_version = m->ir_version, changed = true;
    STRIP(x, p, changed);
    return changed ? ox_dup(x->msg->arena, &p, sizeof p) : (Onnx__ModelProto *)old;
}

static int run_export(void *arg) {
    ox_export *x = arg;
    x->scratch = ox_arena_new(x->ctx);
    x->msg = ox_message_new(x->ctx, x->m->path, NULL);
    if (!x->msg || !x->scratch) return ox_fail(x->ctx, OX_NO_MEMORY, "out of memory");
    x->msg->origin = x->source = x->m->source;
    ox_settle_names(x->m);
    ox_map_init(&x->given, x->scratch);
    ox_model_given_sizes(x->m, &x->given);
    x->inferred = !ox_each_graph(x->m, has_opaque, NULL);
    x->msg->model = export_model(x);
    return x->failed ? -1 : 0;
}

ox_message *ox_model_export(ox_model *m) {
    ox_export x = {.ctx = m->ctx, .m = m};
    int failed = ox_protect(m->ctx, run_export, &x);
    ox_arena_free(x.scratch);
    if (!failed) return x.msg;
    ox_message_free(x.msg);
    return NULL;
}
