/* Message to model: names become values, and everything that can be checked without knowing operators is checked.
 *
 * A graph is read in two walks. The first makes inputs, initializers and the outputs of all nodes, so that the second
 * finds every name, whatever the order of the nodes; bodies are read in the second walk, inside the scope of their
 * graph. Names are unique along a scope and those around it. At the end nodes are sorted where they were not. */
#include "onnx/import.h"
#include "op/op.h"

#include <string.h>

enum { IR_NEWEST = 14 };

/* ---- names ---- */

ox_value *ox_scope_find(const ox_scope *scope, ox_sym name) {
    for (; scope; scope = scope->outer) {
        ox_value *v = ox_map_get(&scope->names, name);
        if (v) return v;
    }
    return NULL;
}

int ox_scope_add(ox_import *im, ox_scope *scope, ox_sym name, ox_value *v, const ox_where *w) {
    if (ox_map_has(&scope->names, name))
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "value '%.512s' is defined a second time", name);
    if (ox_scope_find(scope->outer, name))
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "value '%.512s' is defined already in a graph around this one",
                               name);
    v->name = name;
    ox_map_put(&scope->names, name, v);
    ox_map_put(&im->m->names, name, v);
    return 0;
}

static ox_sym name_of(ox_import *im, const char *name) { return ox_intern(im->ctx, name ? name : ""); }

/* ---- values ---- */

static int import_inputs(ox_import *im, ox_scope *scope, const Onnx__GraphProto *p, const ox_where *w) {
    for (size_t i = 0; i < p->n_input; i++) {
        const Onnx__ValueInfoProto *info = p->input[i];
        ox_where here = {w, "input", info->name, NULL, (int64_t)i};
        if (!info->name || !info->name[0]) return ox_message_fail(im->msg, &here, OX_BAD_DATA, "it has no name");
        const ox_type *type = info->type ? ox_type_from_proto(im->msg, im->m->arena, info->type, &here) : NULL;
        if (info->type && !type) return -1;
        if (!scope->graph->outer && type && (type->kind == OX_K_TENSOR || type->kind == OX_K_SPARSE) &&
            type->dtype == OX_UNDEFINED)
            return ox_message_fail(im->msg, &here, OX_BAD_DATA, "elem_type 0 is no element type");
        ox_value *v = ox_graph_add_input(scope->graph, name_of(im, info->name), type);
        v->origin = info;
        v->listed = true;
        if (ox_scope_add(im, scope, v->name, v, &here)) return -1;
    }
    return 0;
}

/* An initializer that is an input as well is the default of the input. */
static int check_default(ox_import *im, const ox_value *v, const ox_tensor *t, const ox_where *w) {
    if (v->is_init) return ox_message_fail(im->msg, w, OX_BAD_DATA, "initializer '%.512s' is given twice", v->name);
    if (v->graph->outer)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "input '%.512s' of a body is an initializer as well", v->name);
    if (!v->type || !t || v->type->kind == OX_K_UNKNOWN) return 0;
    bool fits =
        v->type->kind == OX_K_TENSOR && v->type->dtype == t->dtype && (v->type->rank < 0 || v->type->rank == t->rank);
    for (int i = 0; fits && i < v->type->rank; i++) {
        int64_t d;
        fits = !ox_dim_is_const(v->type->dims[i], &d) || d == t->dims[i];
    }
    return fits ? 0
                : ox_message_fail(im->msg, w, OX_BAD_DATA,
                                  "type or shape of initializer '%.512s' contradicts those of the input, %s", v->name,
                                  ox_type_text(im->scratch, v->type));
}

/* The value of an initializer: an input, or a new one. The tensor (NULL: sparse) is only looked at. */
static ox_value *initializer_value(ox_import *im, ox_scope *scope, const char *name, const ox_tensor *t,
                                   const ox_where *w) {
    if (!name || !name[0]) {
        ox_message_fail(im->msg, w, OX_BAD_DATA, "it has no name");
        return NULL;
    }
    ox_sym sym = ox_intern(im->ctx, name);
    ox_value *v = ox_map_get(&scope->names, sym);
    if (v && v->is_input) return check_default(im, v, t, w) ? NULL : v;
    v = OX_NEW(im->m->arena, ox_value);
    v->graph = scope->graph;
    return ox_scope_add(im, scope, sym, v, w) ? NULL : v;
}

static void link_initializer(ox_value *v) {
    ox_graph *g = v->graph;
    v->is_init = true;
    v->prev_init = g->last_init;
    *(g->last_init ? &g->last_init->next_init : &g->first_init) = v;
    g->last_init = v;
    g->n_inits++;
}

/* The type that dims known as numbers give. */
static const ox_type *type_of(ox_import *im, ox_dtype dtype, int rank, const int64_t *sizes) {
    ox_dim *dims = OX_NEW_N(im->scratch, ox_dim, rank + 1);
    for (int i = 0; i < rank; i++) dims[i] = ox_dim_const(im->ctx, sizes[i]);
    return ox_type_tensor(im->m->arena, dtype, rank, dims);
}

static int import_initializers(ox_import *im, ox_scope *scope, const Onnx__GraphProto *p, const ox_where *w) {
    for (size_t i = 0; i < p->n_initializer; i++) {
        const Onnx__TensorProto *tp = p->initializer[i];
        ox_where here = {w, "initializer", tp->name, NULL, (int64_t)i};
        ox_tensor *t = ox_tensor_from_proto(im->msg, tp, &here);
        if (!t) return -1;
        ox_value *v = initializer_value(im, scope, tp->name, t, &here);
        if (!v) {
            ox_tensor_unref(t);
            return -1;
        }
        v->data = ox_model_own(im->m, t);
        link_initializer(v);
        v->init_origin = tp;
        if (!v->is_input) v->type = type_of(im, t->dtype, t->rank, t->dims);
    }
    return 0;
}

static int import_sparse_initializers(ox_import *im, ox_scope *scope, const Onnx__GraphProto *p, const ox_where *w) {
    for (size_t i = 0; i < p->n_sparse_initializer; i++) {
        const Onnx__SparseTensorProto *sp = p->sparse_initializer[i];
        const char *name = sp->values ? sp->values->name : NULL;
        ox_where here = {w, "sparse initializer", name, NULL, (int64_t)i};
        ox_sparse *s = ox_sparse_from_proto(im->msg, im->m->arena, sp, &here);
        if (!s) return -1;
        ox_model_own(im->m, s->values);
        ox_model_own(im->m, s->indices);
        ox_value *v = initializer_value(im, scope, name, NULL, &here);
        if (!v) return -1;
        v->sparse = s;
        link_initializer(v);
        v->init_origin = sp;
        if (!v->is_input) v->type = type_of(im, s->values->dtype, s->rank, s->dims);
    }
    return 0;
}

int ox_each_annotation(const ox_graph *g, int (*fn)(const char *tensor, const char *parameter, void *user), void *user) {
    const Onnx__GraphProto *p = g->function ? NULL : g->origin;
    for (size_t i = 0; p && i < p->n_quantization_annotation; i++) {
        const Onnx__TensorAnnotation *a = p->quantization_annotation[i];
        for (size_t k = 0; a->tensor_name && k < a->n_quant_parameter_tensor_names; k++) {
            const char *parameter = a->quant_parameter_tensor_names[k]->value;
            int stop = parameter ? fn(a->tensor_name, parameter, user) : 0;
            if (stop) return stop;
        }
    }
    return 0;
}

static int pin_parameter(const char *tensor, const char *parameter, void *user) {
    (void)tensor;
    void **u = user; /* context, names of the graph */
    ox_value *v = ox_map_get(u[1], ox_intern(u[0], parameter));
    if (v && v->is_init) v->pinned = true;
    return 0;
}

/* What a file says of a value. Where it can be inferred, no more than the element type is believed: shapes are often of a time when the
 * inputs had others. */
static void declare(ox_import *im, ox_value *v, const ox_type *type) {
    if (v->data || v->sparse) return;
    bool inferred = v->def && ox_node_inferable(v->def);
    v->type = inferred ? ox_type_element(im->m->arena, type) : type;
    if (inferred && v->listed) v->declared = type;
}

/* Names that nothing defines are left over from a tool that changed the model: they tell nothing. */
int ox_import_value_infos(ox_import *im, ox_scope *scope, Onnx__ValueInfoProto *const *infos, size_t n,
                          const ox_where *w) {
    for (size_t i = 0; i < n; i++) {
        ox_where here = {w, "value_info", infos[i]->name, NULL, (int64_t)i};
        const ox_type *type = infos[i]->type ? ox_type_from_proto(im->msg, im->m->arena, infos[i]->type, &here) : NULL;
        if (infos[i]->type && !type) return -1;
        ox_value *v = infos[i]->name ? ox_map_get(&scope->names, ox_intern(im->ctx, infos[i]->name)) : NULL;
        if (!v || v->origin) continue;
        v->origin = infos[i];
        v->listed = true;
        declare(im, v, type);
    }
    return 0;
}

static int import_outputs(ox_import *im, ox_scope *scope, const Onnx__GraphProto *p, const ox_where *w) {
    ox_graph *g = scope->graph;
    ox_map seen;
    ox_map_init(&seen, im->scratch);
    for (size_t i = 0; i < p->n_output; i++) {
        const Onnx__ValueInfoProto *info = p->output[i];
        ox_where here = {w, "output", info->name, NULL, (int64_t)i};
        if (!info->name || !info->name[0]) return ox_message_fail(im->msg, &here, OX_BAD_DATA, "it has no name");
        ox_sym name = ox_intern(im->ctx, info->name);
        if (!g->outer &&
            ox_map_has(&seen, name)) /* a body may give one value twice: its outputs have places, no names */
            return ox_message_fail(im->msg, &here, OX_BAD_DATA, "it is listed twice");
        ox_map_put(&seen, name, g);
        ox_value *v = ox_scope_find(scope, name);
        if (!v) return ox_message_fail(im->msg, &here, OX_BAD_DATA, "nothing produces it");
        const ox_type *type = info->type ? ox_type_from_proto(im->msg, im->m->arena, info->type, &here) : NULL;
        if (info->type && !type) return -1;
        ox_graph_add_output(g, v, name);
        g->out_origins[i] = info;
        g->out_types[i] = type;
        if (!v->type && v->graph == g) declare(im, v, type);
    }
    return 0;
}

/* ---- nodes ---- */

static ox_where where_node(const ox_where *w, const Onnx__NodeProto *p, size_t i) {
    return (ox_where){w, "node", p->name, p->op_type, (int64_t)i};
}

/* The node with its outputs; operands come later. */
static ox_node *make_node(ox_import *im, ox_scope *scope, const Onnx__NodeProto *p, const ox_where *w) {
    if (!p->op_type || !p->op_type[0]) {
        ox_message_fail(im->msg, w, OX_BAD_DATA, "op_type is empty");
        return NULL;
    }
    const char *domain = p->domain && strcmp(p->domain, "ai.onnx") ? p->domain : "";
    if (p->n_output > UINT32_MAX || p->n_input > UINT32_MAX) {
        ox_message_fail(im->msg, w, OX_BAD_DATA, "too many inputs or outputs");
        return NULL;
    }
    ox_node *n = ox_node_new(scope->graph, NULL, ox_intern(im->ctx, p->op_type), ox_intern(im->ctx, domain), 0, NULL,
                             (uint32_t)p->n_output);
    n->name = p->name && p->name[0] ? ox_intern(im->ctx, p->name) : NULL;
    n->overload = p->overload && p->overload[0] ? ox_intern(im->ctx, p->overload) : NULL;
    n->origin = p;
    for (size_t i = 0; i < p->n_output; i++) {
        if (!p->output[i][0])
            n->out[i] = NULL;
        else if (ox_scope_add(im, scope, ox_intern(im->ctx, p->output[i]), n->out[i], w))
            return NULL;
    }
    return n;
}

static int import_operands(ox_import *im, const ox_scope *scope, const Onnx__NodeProto *p, ox_node *n,
                           const ox_where *w) {
    ox_value **in = OX_NEW_N(im->scratch, ox_value *, p->n_input + 1);
    for (size_t i = 0; i < p->n_input; i++) {
        if (!p->input[i][0]) continue;
        in[i] = ox_scope_find(scope, ox_intern(im->ctx, p->input[i]));
        if (!in[i])
            return ox_message_fail(im->msg, w, OX_BAD_DATA, "input %zu, '%.512s', is defined nowhere that it can see",
                                   i, p->input[i]);
    }
    ox_node_set_inputs(n, (uint32_t)p->n_input, in);
    return 0;
}

static int import_attrs(ox_import *im, const ox_scope *scope, const Onnx__NodeProto *p, ox_node *n, const ox_where *w) {
    if (p->n_attribute > UINT32_MAX) return ox_message_fail(im->msg, w, OX_BAD_DATA, "too many attributes");
    n->attrs = OX_NEW_N(im->m->arena, ox_attr *, p->n_attribute);
    for (size_t i = 0; i < p->n_attribute; i++) {
        n->attrs[i] = ox_import_attr(im, p->attribute[i], n->graph, n, scope, w);
        if (!n->attrs[i]) return -1;
        n->n_attrs = (uint32_t)i + 1;
    }
    return 0;
}

/* Links the node to its operator or function, and has the operator table check it. */
static int resolve(ox_import *im, ox_node *n, const ox_where *w) {
    ox_node_resolve(n);
    if (n->callee && im->calling) OX_PUSH(im->scratch, im->calling->items, im->calling->n, im->calling->cap, n->callee);
    if (!n->callee && !ox_model_opset(im->m, n->graph, n->domain))
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "no opset import for its domain '%.256s'",
                               n->domain[0] ? n->domain : "ai.onnx");
    if (ox_check_node(n)) return ox_fail_in(im->ctx, "%s", im->msg->name);
    return ox_import_check_bodies(im, n, w);
}

int ox_import_nodes(ox_import *im, ox_scope *scope, Onnx__NodeProto *const *nodes, size_t n, const ox_where *w) {
    ox_node **made = OX_NEW_N(im->scratch, ox_node *, n);
    for (size_t i = 0; i < n; i++) {
        ox_where here = where_node(w, nodes[i], i);
        made[i] = make_node(im, scope, nodes[i], &here);
        if (!made[i]) return -1;
    }
    for (size_t i = 0; i < n; i++) {
        ox_where here = where_node(w, nodes[i], i);
        if (import_operands(im, scope, nodes[i], made[i], &here) || import_attrs(im, scope, nodes[i], made[i], &here) ||
            resolve(im, made[i], &here))
            return -1;
    }
    return 0;
}

int ox_import_graph(ox_import *im, ox_graph *g, const Onnx__GraphProto *p, const ox_scope *outer, const ox_where *w) {
    ox_scope scope = {.outer = outer, .graph = g};
    ox_map_init(&scope.names, im->scratch);
    g->name = p->name ? ox_intern(im->ctx, p->name) : NULL;
    g->origin = p;
    if (!p->n_output && !outer) return ox_message_fail(im->msg, w, OX_BAD_DATA, "the graph has no output");
    if (import_inputs(im, &scope, p, w) || import_initializers(im, &scope, p, w) ||
        import_sparse_initializers(im, &scope, p, w) || ox_import_nodes(im, &scope, p->node, p->n_node, w) ||
        ox_import_value_infos(im, &scope, p->value_info, p->n_value_info, w) || import_outputs(im, &scope, p, w))
        return -1;
    void *user[2] = {im->ctx, &scope.names};
    return ox_each_annotation(g, pin_parameter, user);
}

/* ---- the model ---- */

/* ONNX Runtime adds all domains it knows when it saves a model, those that are there as well. This one nobody else
 * writes. */
static bool saved_by_ort(Onnx__OperatorSetIdProto *const *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i]->domain && !strcmp(p[i]->domain, "com.microsoft.nchwc")) return true;
    return false;
}

static int check_opset(ox_import *im, const char *domain, int64_t version, const ox_where *w) {
    int64_t newest = ox_opset_newest(domain);
    const char *shown = domain[0] ? domain : "ai.onnx";
    if (version <= 0 || version > INT32_MAX)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "opset import: version %lld of domain '%.256s' does not exist",
                               (long long)version, shown);
    if (newest && version > newest)
        return ox_message_fail(im->msg, w, OX_BAD_DATA,
                               "opset import: version %lld of domain '%.256s' is newer than %lld, the highest known",
                               (long long)version, shown, (long long)newest);
    return 0;
}

int ox_import_opsets(ox_import *im, Onnx__OperatorSetIdProto *const *p, size_t n, ox_opset **out, size_t *n_out,
                     const ox_where *w) {
    ox_opset *list = OX_NEW_N(im->m->arena, ox_opset, n + 1);
    bool lenient = saved_by_ort(p, n);
    ox_map seen; /* domain to its place plus one */
    ox_map_init(&seen, im->scratch);
    *n_out = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = p[i]->domain && strcmp(p[i]->domain, "ai.onnx") ? p[i]->domain : "";
        ox_sym domain = ox_intern(im->ctx, text);
        size_t at = (size_t)(uintptr_t)ox_map_get(&seen, domain);
        if (at && !lenient)
            return ox_message_fail(im->msg, w, OX_BAD_DATA, "opset import: domain '%.256s' is given twice",
                                   text[0] ? text : "ai.onnx");
        if (check_opset(im, domain, p[i]->has_version ? p[i]->version : 0, w)) return -1;
        if (at && list[at - 1].version != p[i]->version)
            ox_warn(im->ctx, "%s: opset import: domain '%.256s' is given twice: version %lld, the last, counts",
                    im->msg->name, text[0] ? text : "ai.onnx", (long long)p[i]->version);
        if (!at) {
            at = ++*n_out;
            ox_map_put(&seen, domain, (void *)(uintptr_t)at);
        }
        list[at - 1] = (ox_opset){domain, p[i]->version};
    }
    *out = list;
    return 0;
}

static int import_header(ox_import *im) {
    const Onnx__ModelProto *p = im->msg->model;
    if (!p->has_ir_version) return ox_message_fail(im->msg, NULL, OX_BAD_DATA, "field 'ir_version' is missing");
    if (p->ir_version < 1)
        return ox_message_fail(im->msg, NULL, OX_BAD_DATA, "ir_version %lld does not exist", (long long)p->ir_version);
    if (p->ir_version > IR_NEWEST)
        return ox_message_fail(im->msg, NULL, OX_BAD_DATA, "ir_version %lld is newer than %d, the highest known",
                               (long long)p->ir_version, IR_NEWEST);
    if (!p->graph) return ox_message_fail(im->msg, NULL, OX_BAD_DATA, "field 'graph' is missing");
    im->m->origin = p;
    im->m->path = im->msg->path && strcmp(im->msg->path, "-") ? im->msg->path : NULL;
    im->m->files = im->msg->files;
    im->m->resolve = ox_node_resolve;
    if (!p->n_opset_import && p->ir_version < 3) { /* versions did not exist yet */
        ox_model_import(im->m, ox_intern(im->ctx, ""), 1);
        return 0;
    }
    if (!p->n_opset_import) return ox_message_fail(im->msg, NULL, OX_BAD_DATA, "no opset import");
    int failed = ox_import_opsets(im, p->opset_import, p->n_opset_import, &im->m->opsets, &im->m->n_opsets, NULL);
    im->m->cap_opsets = im->m->n_opsets;
    return failed;
}

/* Training info stays as it is; only its tensors are looked at. */
static int check_training_tensor(const Onnx__TensorProto *t, void *user) {
    ox_import *im = user;
    ox_where here = {NULL, "training_info: tensor", t->name, NULL, -1};
    uint64_t bytes;
    const uint8_t *view;
    ox_file *file;
    if (ox_tensor_check(im->msg, t, &here, NULL, &bytes)) return -1;
    return ox_proto_is_external(t) ? ox_external_locate(im->msg, t, &here, bytes, &view, &file) : 0;
}

/* Graphs for training see the initializers by name; those that a binding names change. */
static void pin_for_training(ox_import *im) {
    const Onnx__ModelProto *p = im->msg->model;
    ox_map bound;
    ox_map_init(&bound, im->scratch);
    for (size_t i = 0; i < p->n_training_info; i++) {
        const Onnx__TrainingInfoProto *t = p->training_info[i];
        for (size_t k = 0; k < t->n_initialization_binding + t->n_update_binding; k++) {
            const Onnx__StringStringEntryProto *e =
                k < t->n_initialization_binding ? t->initialization_binding[k] : t->update_binding[k - t->n_initialization_binding];
            if (e->key) ox_map_put(&bound, ox_intern(im->ctx, e->key), im);
        }
    }
    for (ox_value *v = im->m->graph->first_init; v && p->n_training_info; v = v->next_init) {
        v->pinned = true;
        v->variable = ox_map_has(&bound, v->name);
    }
}

bool ox_model_has_training(const ox_model *m) {
    const Onnx__ModelProto *p = m->origin;
    return p && p->n_training_info;
}

static int sort_all(ox_import *im) {
    bool moved = false, any = false;
    if (ox_sort(im->m->graph, &any)) return ox_fail_in(im->ctx, "%s", im->msg->name);
    for (size_t i = 0; i < im->m->n_functions; i++) {
        if (ox_sort(im->m->functions[i]->body, &moved))
            return ox_fail_in(im->ctx, "%s: function '%s'", im->msg->name, im->m->functions[i]->name);
        any |= moved;
    }
    if (any) ox_warn(im->ctx, "%s: nodes are not in topological order: they are sorted", im->msg->name);
    return 0;
}

static int import_model(void *arg) {
    ox_import *im = arg;
    const Onnx__ModelProto *p = im->msg->model;
    im->scratch = ox_arena_new(im->ctx);
    im->m = ox_model_new(im->ctx, p->ir_version);
    if (!im->m) return -1;
    if (import_header(im) || ox_import_function_names(im) || ox_import_graph(im, im->m->graph, p->graph, NULL, NULL) ||
        ox_import_functions(im))
        return -1;
    for (size_t i = 0; i < p->n_training_info; i++)
        if (ox_each_tensor(&p->training_info[i]->base, check_training_tensor, im)) return -1;
    pin_for_training(im);
    if (sort_all(im)) return -1;
    im->m->files = im->msg->files;
    im->m->source = im->msg;
    im->m->changed = false;
    im->msg->located = true;
    return 0;
}

ox_model *ox_model_from_message(ox_ctx *ctx, ox_message *msg) {
    ox_import im = {.ctx = ctx, .msg = msg};
    int failed = ox_protect(ctx, import_model, &im);
    ox_arena_free(im.scratch);
    if (!failed) return im.m;
    ox_model_free(im.m);
    return NULL;
}

static void free_message(void *msg) { ox_message_free(msg); }

static ox_model *take_message(ox_ctx *ctx, ox_message *msg) {
    ox_model *m = msg ? ox_model_from_message(ctx, msg) : NULL;
    if (m)
        m->free_source = free_message;
    else
        ox_message_free(msg);
    return m;
}

ox_model *ox_model_open(ox_ctx *ctx, const char *path) { return take_message(ctx, ox_message_open(ctx, path)); }

ox_model *ox_model_parse(ox_ctx *ctx, const char *text, size_t len, const char *file_name) {
    return take_message(ctx, ox_message_parse(ctx, text, len, file_name));
}
