/* raise-opset: the model in the form of a newer version of ai.onnx. What is computed stays the same, to the last attribute default.
 *
 *   before  <opset_import: ["" : 9]>  { y = Slice<starts = [1], ends = [3]>(x)  z = Softmax<axis = 1>(y) }
 *   after   <opset_import: ["" : 13]> <int64[1] y_starts = {1}, int64[1] y_ends = {3}>
 *           { y = Slice(x, y_starts, y_ends)  f = Flatten<axis = 1>(y)  g = Softmax(f)  s = Shape(y)  z = Reshape(g, s) }
 *
 * Most steps between versions only allow more; such nodes stay as they are. The others are told by the lifts of the operator table: a
 * node is read as a call of the old row, lifted to the row of the new version and written back, attributes that became inputs as
 * initializers. What lifts leave as internal attributes gets nodes (raise_forms.c). Bodies and local functions are lifted too, each
 * function from its own version. Names, documentation, metadata, annotations and everything else stay. A node that cannot be
 * written in the new form is an error: then nothing is written. */
#include "passes/driver.h"
#include "passes/raise_opset.h"

/* ---- parts for all forms */

static ox_value *constant_node(ox_node *node, ox_tensor *t, ox_sym name) {
    ox_node *c = ox_raise_node(node->graph, node, "Constant", 0, NULL);
    if (!c) {
        ox_tensor_unref(t);
        return NULL;
    }
    c->out[0]->name = name;
    c->out[0]->type = ox_type_of_tensor(c->graph->model->arena, t);
    ox_attr_set_tensor(c, "value", t);
    return c->out[0];
}

ox_value *ox_raise_constant(ox_raise *s, ox_node *node, ox_tensor *t, const char *what) {
    if (!t) return NULL;
    ox_value *out = ox_node_out(node, 0);
    const char *of = out && out->name ? out->name : node->name && *node->name ? node->name : node->op_type;
    ox_sym name = ox_fresh_name(s->m, ox_format(s->arena, "%s_%s", of, what));
    /* Until IR version 4 initializers are inputs, and a body's inputs are counted. */
    return s->m->ir_version < 4 && node->graph->outer ? constant_node(node, t, name) : ox_graph_add_init(node->graph, name, t);
}

ox_value *ox_raise_stand_in(ox_raise *s, ox_node *node, ox_value *old, ox_tensor *t, const char *what) {
    bool ours = t && old && old->is_init && !old->is_input && old->nuses == 1 && old->graph == node->graph && old->data;
    if (!ours || old->data->dtype != t->dtype) return ox_raise_constant(s, node, t, what);
    ox_graph_set_default(old, t, NULL);
    old->type = ox_type_of_tensor(s->m->arena, t);
    old->elems = NULL;
    old->nelems = 0;
    return old;
}

ox_value *ox_raise_scalar(ox_raise *s, ox_node *node, double v, ox_value *like, const char *what) {
    ox_dtype t = like && ox_type_is_tensor(like->type) ? like->type->dtype : OX_UNDEFINED;
    ox_value *c = ox_raise_constant(s, node, ox_tensor_scalar_double(s->ctx, t ? t : OX_FLOAT, v), what);
    if (!c || t) return c;
    if (!like || s->version < 15)
        return ox_fail(s->ctx, OX_UNAVAILABLE, "the element type of its input is not known, and opset %lld has no CastLike", (long long)s->version), NULL;
    ox_node *cast = ox_raise_node(node->graph, node, "CastLike", 2, (ox_value *[]){c, like});
    return cast ? cast->out[0] : NULL;
}

ox_node *ox_raise_node(ox_graph *g, ox_node *before, const char *op_type, uint32_t n_in, ox_value *const *in) {
    ox_node *n = ox_node_make(g, before, op_type, n_in, in, 1);
    if (n) n->from = "raise-opset";
    return n;
}

void ox_raise_release(ox_value *v) {
    if (!v || v->nuses) return;
    if (v->is_init && !v->is_input) ox_graph_remove_init(v);
    else if (v->def && ox_is(v->def, "Constant")) ox_node_remove(v->def);
}

/* ---- writing a lifted call back */

/* Attributes of old versions that say nothing today, or nothing that a step has not dealt with. */
static bool is_history(const char *name) {
    static const char *const names[] = {"consumed_inputs", "is_test", "spatial", "broadcast", "output_sequence"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], name)) return true;
    return false;
}

/* Whether the value is what the new form has anyway. */
static bool is_default(const ox_attr *a, const ox_attr *dflt) {
    if (!dflt || a->type != dflt->type) return false;
    if (a->type == OX_A_INT) return a->i == dflt->i;
    return a->type == OX_A_STRING && a->s.len == dflt->s.len && (!a->s.len || !memcmp(a->s.data, dflt->s.data, a->s.len));
}

static bool is_own(const ox_node *n, const ox_attr *a) {
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (n->attrs[i] == a) return true;
    return false;
}

/* The attributes of the call that the new form has; names of the others that steps made go to MARKERS. */
static int write_attrs(ox_raise *s, ox_node *n, ox_call *c, const char **markers, int *n_markers) {
    const ox_signature *from = ox_op_signature(s->ctx, n->op), *to = ox_op_signature(s->ctx, c->op);
    ox_attr **list = OX_NEW_N(s->m->arena, ox_attr *, c->n_attrs + 1);
    uint32_t n_list = 0;
    *n_markers = 0;
    for (int i = 0; i < c->n_attrs; i++) {
        ox_attr *a = c->attrs[i];
        const ox_formal_attr *f = ox_signature_attr(to, a->name);
        bool own = is_own(n, a);
        if (!f && !own) {
            markers[(*n_markers)++] = a->name;
        } else if (f || !ox_signature_attr(from, a->name)) { /* what the old form does not know either stays */
            if (own || !is_default(a, f->dflt)) list[n_list++] = own ? a : ox_attr_copy(s->m, a);
        } else if (!is_history(a->name)) {
            return ox_fail(s->ctx, OX_UNAVAILABLE, "attribute '%s' has no place in opset %lld", a->name, (long long)s->version);
        }
    }
    n->attrs = list;
    n->n_attrs = n_list;
    s->m->changed = true;
    return 0;
}

static const char *input_name(const ox_signature *s, int i) {
    if (i < s->n_in) return s->in[i].name;
    return s->n_in ? s->in[s->n_in - 1].name : "input";
}

/* Input I, which a step made: a constant. Those of the type of input 0 are made as float where that is not known. */
static ox_value *made_input(ox_raise *s, ox_node *n, ox_call *c, int i) {
    const ox_signature *sig = ox_op_signature(s->ctx, c->op);
    ox_tensor *t = ox_tensor_ref((ox_tensor *)(uintptr_t)c->in[i].t);
    bool typed = i > 0 && i < sig->n_in && !strcmp(sig->in[i].type, sig->in[0].type);
    if (typed && t->count == 1 && !ox_in_dtype(c, 0)) {
        double v = ox_load_double(t->dtype, ox_tensor_data(t), 0);
        ox_tensor_unref(t);
        return ox_raise_scalar(s, n, v, ox_node_in(n, 0), sig->in[i].name);
    }
    if (ox_is(n, "TopK") && i == 1 && t->rank == 0) { /* K is a list of one */
        ox_tensor *list = ox_tensor_reshaped(s->ctx, t, t->dtype, 1, (int64_t[]){1});
        ox_tensor_unref(t);
        t = list;
    }
    return ox_raise_stand_in(s, n, ox_node_in(n, (uint32_t)i), t, input_name(sig, i));
}

static int write_inputs(ox_raise *s, ox_node *n, ox_call *c) {
    uint32_t n_in = (uint32_t)c->n_in, n_old = n->n_in;
    ox_value **in = OX_NEW_N(s->arena, ox_value *, n_in + 1), **old = OX_NEW_N(s->arena, ox_value *, n_old + 1);
    for (uint32_t i = 0; i < n_old; i++) old[i] = n->in[i].v;
    for (uint32_t i = 0; i < n_in; i++) {
        in[i] = c->in[i].v;
        if (!in[i] && c->in[i].t && !(in[i] = made_input(s, n, c, (int)i))) return -1;
    }
    while (n_in > n_old && !in[n_in - 1]) n_in--;
    ox_node_set_inputs(n, n_in, in);
    for (uint32_t i = 0; i < n_old; i++) ox_raise_release(old[i]);
    return 0;
}

enum { NAMED = -2 }; /* an error that names the node already */

static int write_call(ox_raise *s, ox_node *n, ox_call *c) {
    const ox_op *old = n->op;
    const char **markers = OX_NEW_N(s->arena, const char *, c->n_attrs + 1);
    int n_markers;
    if (write_inputs(s, n, c) < 0 || write_attrs(s, n, c, markers, &n_markers) < 0) return -1;
    n->op_type = ox_intern(s->ctx, c->op->name);
    n->op = c->op;
    for (int i = 0; i < n_markers; i++)
        if (ox_raise_marker(s, n, c, markers[i]) < 0) return -1;
    if (ox_raise_after(s, n, c, old) < 0) return -1;
    ox_node_resolve(n);
    if (!n->op || n->op->flags & OX_DEPRECATED)
        return ox_fail(s->ctx, OX_UNAVAILABLE, "%s is deprecated, and nothing in opset %lld takes its place", n->op_type, (long long)s->version);
    return ox_check_node(n) < 0 ? NAMED : 0;
}

/* ---- nodes */

/* Whether the new form lacks an attribute that the node has. */
static bool differs(ox_raise *s, const ox_node *n, const ox_op *target) {
    const ox_signature *from = ox_op_signature(s->ctx, n->op), *to = ox_op_signature(s->ctx, target);
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (!ox_signature_attr(to, n->attrs[i]->name) && ox_signature_attr(from, n->attrs[i]->name)) return true;
    return target->flags & OX_DEPRECATED;
}

static int rewrite(ox_raise *s, ox_node *n, const ox_op *target) {
    int from = n->op->since;
    ox_sym op_type = n->op_type;
    ox_call c;
    if (ox_raise_before(s, n, target) < 0 || ox_call_init_until(&c, s->ctx, s->arena, n, s->version) < 0) return -1;
    int rc = write_call(s, n, &c);
    ox_call_done(&c);
    if (rc < 0) return rc;
    s->changes++;
    ox_pass_note(s->r, "%s of version %d is %s of version %d now", op_type, from, n->op_type, n->op->since);
    return 0;
}

static int raise_node(ox_raise *s, ox_node *n) {
    if (n->callee || n->domain[0]) return 0;
    if (ox_is(n, "ImageScaler") && s->version >= 10) return ox_raise_image_scaler(s, n);
    if (!n->op)
        return ox_fail(s->ctx, OX_UNAVAILABLE, "operator %s is unknown: nobody can tell what it is in opset %lld", n->op_type, (long long)s->version);
    const ox_op *target = ox_op_find(s->ctx, "", n->op_type, s->version);
    if (target == n->op && !(target->flags & OX_DEPRECATED)) return 0;
    bool lifted = ox_op_lifted(n->op, s->version);
    if (lifted || differs(s, n, target)) return rewrite(s, n, target);
    if (ox_raise_after(s, n, NULL, n->op) < 0) return -1;
    n->op = target;
    return 0;
}

static int raise_graph(ox_graph *g, void *user) {
    ox_raise *s = user;
    if (ox_model_opset(s->m, g, ox_intern(s->ctx, "")) != s->version) return 0; /* a function that is newer already */
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        int rc = raise_node(s, n);
        ox_arena_reset(s->arena);
        if (rc < 0) return rc == NAMED ? -1 : ox_fail_in_node(s->ctx, n);
    }
    return 0;
}

/* ---- the model */

/* The IR version that came with a version of ai.onnx. */
static int64_t ir_version_of(int64_t opset) {
    static const struct { int opset, ir; } releases[] = {{25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}, {9, 4}};
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++)
        if (opset >= releases[i].opset) return releases[i].ir;
    return 3;
}

/* From IR version 4 on an input with an initializer is one that callers may replace. Before it was how constants had to be written. */
static void raise_ir(ox_model *m, int64_t version) {
    if (m->ir_version >= version) return;
    ox_graph *g = m->graph;
    size_t kept = 0;
    for (size_t i = 0; i < g->n_inputs && m->ir_version < 4 && version >= 4; i++) {
        ox_value *v = g->inputs[i];
        if (v->is_init) {
            v->is_input = false;
            continue;
        }
        v->index = (uint32_t)kept;
        g->inputs[kept++] = v;
    }
    if (m->ir_version < 4 && version >= 4) g->n_inputs = kept;
    m->ir_version = version;
    m->changed = true;
}

/* Sets the version in a list of imports: 1 when it was older. */
static int raise_import(ox_model *m, ox_opset *list, size_t n, int64_t version) {
    for (size_t i = 0; i < n; i++) {
        if (list[i].domain[0] || list[i].version >= version) continue;
        list[i].version = version;
        m->changed = true;
        return 1;
    }
    return 0;
}

static int raise_imports(ox_model *m, int64_t version) {
    int raised = raise_import(m, m->opsets, m->n_opsets, version);
    for (size_t i = 0; i < m->n_functions; i++) raised += raise_import(m, m->functions[i]->opsets, m->functions[i]->n_opsets, version);
    return raised;
}

static bool is_older(const ox_opset *list, size_t n, int64_t version) {
    for (size_t i = 0; i < n; i++)
        if (!list[i].domain[0] && list[i].version < version) return true;
    return false;
}

static bool any_older(const ox_model *m, int64_t version) {
    bool any = is_older(m->opsets, m->n_opsets, version);
    for (size_t i = 0; i < m->n_functions && !any; i++) any = is_older(m->functions[i]->opsets, m->functions[i]->n_opsets, version);
    return any;
}

static int run(ox_pass_run *r) {
    ox_raise s = {.r = r, .ctx = r->ctx, .m = r->m, .version = ox_option_int(r, "opset")};
    int64_t own = ox_model_opset(r->m, r->m->graph, ox_intern(r->ctx, "")), newest = ox_opset_newest("");
    if (s.version < 1 || s.version > newest)
        return ox_fail(r->ctx, OX_CONFIG, "option opset must be a version of ai.onnx from 1 to %lld", (long long)newest);
    if (own > s.version)
        return ox_fail(r->ctx, OX_CONFIG, "the model has opset %lld already; models are only lifted, not lowered to %lld", (long long)own, (long long)s.version);
    if (!any_older(r->m, s.version)) return 0;
    if (ox_model_has_training(r->m))
        return ox_fail(r->ctx, OX_UNAVAILABLE, "the model holds training graphs (training_info), which are in opset %lld and cannot be lifted", (long long)own);
    if (ox_infer_model(r->m, &(ox_infer_options){.run_constants = true}) < 0) return -1;
    raise_ir(r->m, ir_version_of(s.version));
    s.changes = raise_imports(r->m, s.version);
    s.arena = ox_arena_new(r->ctx);
    int rc = ox_each_graph(r->m, raise_graph, &s);
    ox_arena_free(s.arena);
    return rc ? -1 : s.changes;
}

static const char *wrong_opset(ox_ctx *ctx, const char *option, const ox_option_value *v) {
    (void)option; /* the only one */
    int64_t newest = ox_opset_newest("");
    return v->i < 1 || v->i > newest ? ox_format(ctx->arena, "a version of ai.onnx from 1 to %lld", (long long)newest) : NULL;
}

static const ox_option options[] = {
    {"opset", OX_O_INT, NULL, "the version of ai.onnx to lift to; not below the model's own"},
    {0},
};

const ox_pass ox_pass_raise_opset = {
    .name = "raise-opset",
    .doc = "lift the model to a newer version of ai.onnx (what target: {opset: N} and --target-opset=N do first)",
    .help = "Every node of every graph and local function is written in the form of the newer version. Attributes that became inputs become\n"
            "initializers; meanings that are gone become nodes, such as Softmax over all axes behind one, broadcasting at an axis, scales per\n"
            "group. The IR version is raised when the opset needs it; from below 4 initializers then leave the list of inputs. Names,\n"
            "documentation, metadata and annotations stay. On the command line: --passes=raise-opset=21.\n",
    .options = options,
    .wrong = wrong_opset,
    .run = run,
};
