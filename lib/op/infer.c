/* Type and shape inference over a model.
 *
 * Nodes are visited once, in order; bodies through the rule of the node that holds them (as often as a loop needs to
 * settle), functions where they are called, once per distinct set of argument types. What the file declares is met
 * with what is inferred: the stronger fact of each part is kept, the inferred one where they contradict or where it is
 * an expression over named sizes. Invariants: any other fact of a value of the main graph never gets weaker; facts of
 * values in bodies and functions are rebuilt from the declared ones on every visit, because they hold for all
 * iterations and all calls. */
#include "op/table.h"

#include <string.h>

enum { CONSTANT_ELEMENTS = 4096, MAX_WARNINGS = 20, MAX_VARIANTS = 64, MAX_DEPTH = 256, MAX_RANK = 64 };
/* Elements of shape data in one run: real models need some ten thousand; beyond, only values of a few elements are
 * followed, so that memory stays in proportion to the file whatever it holds. */
enum { ELEMS_BUDGET = 1 << 19, ELEMS_ALWAYS = 8 };

typedef struct driver {
    ox_ctx *ctx;
    ox_model *m;
    bool strict, run_constants;
    ox_node *only;        /* not NULL: this node alone */
    ox_arena *long_arena; /* of this run */
    ox_arena *arena;      /* of the node at work: one of those below, by depth of bodies and calls */
    ox_arena *arenas[MAX_DEPTH];
    int depth, calls, warnings;
    int64_t elems;         /* of shape data that were made */
    ox_map declared;       /* value of a body or function -> type in the file */
    ox_map constants;      /* value -> tensor that was computed */
    ox_map open;           /* symbols of ours for sizes of inputs that the model leaves open */
    ox_map entered;        /* bodies that some rule has inferred */
    ox_map functions;      /* function -> history */
    const ox_call *caller; /* whose attributes references stand for, inside a function */
    const ox_function *function;
    ox_tensor **held; /* references of `constants` */
    size_t n_held, cap_held;
} driver;

static int infer_graph(driver *d, ox_graph *g);
static int infer_one(driver *d, ox_node *n);

/* ---- facts of values */

/* A contradiction is an error in strict mode (-1), else a warning, of which there are not many. */
static int report_conflict(driver *d, const ox_value *v, const ox_type *declared, const ox_type *inferred) {
    static const char format[] = "value '%s' is declared as %s, but is %s";
    const char *name = v->name ? v->name : "";
    if (!d->strict && d->warnings++ >= MAX_WARNINGS) return 0;
    const char *said = ox_type_text(d->arena, declared), *is = ox_type_text(d->arena, inferred);
    if (d->strict) return ox_fail(d->ctx, OX_BAD_DATA, format, name, said, is);
    ox_warn(d->ctx, format, name, said, is);
    return 0;
}

/* Both facts together; -1 in strict mode when they contradict. */
static int meet(driver *d, const ox_value *v, const ox_type *inferred, const ox_type *have, const ox_type **out) {
    bool conflict = false;
    *out = inferred ? inferred : have;
    if (!inferred || !have) return 0;
    *out = ox_type_settle(d->arena, inferred, have, &d->open, &conflict);
    return conflict ? report_conflict(d, v, have, inferred) : 0;
}

static void set_elems(driver *d, ox_value *v, const ox_dim *elems, int64_t n) {
    if (!elems) return;
    if (v->elems && v->nelems == n) {
        bool same = true;
        ox_dim *both = OX_NEW_N(d->arena, ox_dim, n + 1);
        for (int64_t k = 0; k < n; k++) {
            both[k] = elems[k] && !(v->elems[k] && ox_dim_is_nameless(elems[k])) ? elems[k] : v->elems[k];
            same = same && both[k] == v->elems[k];
        }
        if (same) return;
        elems = both;
    }
    v->elems = ox_dup(d->m->arena, elems, (size_t)n * sizeof *elems);
    v->nelems = n;
}

/* What the file declares and no proof rests on must still not contradict. Said once; bodies may be seen with types that are not final. */
static int check_declared(driver *d, ox_value *v, const ox_type *declared, const ox_type *inferred) {
    bool conflict = false;
    if (!declared || !inferred || v->graph != d->m->graph) return 0;
    ox_type_meet(d->arena, inferred, declared, &conflict);
    if (!conflict || (v->doubted && !d->strict)) return 0;
    v->doubted = true;
    return report_conflict(d, v, declared, inferred);
}

/* A size that nothing is known of is one size all the same, in a graph that runs once: it gets a symbol of ours, which no file will see. */
static void name_sizes(driver *d, ox_value *v) {
    ox_type *named = NULL;
    for (int k = 0; ox_type_is_tensor(v->type) && k < v->type->rank; k++) {
        if (v->type->dims[k]) continue;
        if (!named) v->type = named = (ox_type *)(uintptr_t)ox_type_copy(d->m->arena, v->type);
        named->dims[k] = ox_dim_fresh(d->ctx);
    }
}

static int set_value(driver *d, ox_value *v, const ox_type *t, const ox_dim *elems, int64_t n) {
    const ox_type *both;
    if (check_declared(d, v, v->declared, t) < 0) return -1;
    if (meet(d, v, t, v->type, &both) < 0) return -1;
    if (both != v->type && !(v->type && ox_type_equal(both, v->type))) v->type = ox_type_copy(d->m->arena, both);
    if (v->graph == d->m->graph) name_sizes(d, v);
    set_elems(d, v, elems, n);
    return 0;
}

/* ---- constants */

static ox_tensor *known_constant(driver *d, ox_value *v) {
    return d->run_constants ? ox_map_get(&d->constants, v) : NULL;
}

static void add_constant(driver *d, ox_value *v, ox_tensor *t) {
    ox_map_put(&d->constants, v, t);
    OX_PUSH(d->long_arena, d->held, d->n_held, d->cap_held, ox_tensor_ref(t));
}

/* The constant an argument is, also when only its elements are known. The result is borrowed from the call. */
static const ox_tensor *argument_constant(driver *d, ox_call *c, int i) {
    if (c->in[i].t) return c->in[i].t->count <= CONSTANT_ELEMENTS ? c->in[i].t : NULL;
    const ox_type *type = ox_in_type(c, i);
    int64_t n, dims[MAX_RANK], count = 1;
    if (!ox_type_is_tensor(type) || type->rank < 0 || type->rank > MAX_RANK) return NULL;
    const int64_t *ints = ox_in_ints(c, i, &n);
    if (!ints) return NULL;
    for (int k = 0; k < type->rank; k++) {
        if (!ox_dim_is_const(type->dims[k], &dims[k]) || dims[k] < 0 || !ox_mul_ok(count, dims[k], &count)) return NULL;
    }
    if (count != n) return NULL;
    ox_tensor *t = ox_tensor_new(d->ctx, type->dtype, type->rank, dims);
    if (!t) return NULL;
    for (int64_t k = 0; k < n; k++) ox_store_int(t->dtype, ox_tensor_mut(t), k, ints[k]);
    ox_value *v = c->in[i].v;
    ox_lift_set_input(c, i, t);
    c->in[i].v = v;
    return t;
}

/* Whether the outputs will be small: the rule has told their sizes. */
static bool small_outputs(const ox_call *c) {
    for (int i = 0; i < c->n_out; i++) {
        const ox_type *t = c->out_types[i];
        int64_t count = 1, n;
        if (!ox_type_is_tensor(t) || t->rank < 0) return false;
        for (int k = 0; k < t->rank; k++) {
            if (!ox_dim_is_const(t->dims[k], &n) || !ox_mul_ok(count, n, &count)) return false;
        }
        if (count > (c->elems_max ? c->elems_max : OX_ELEMS_MAX)) return false;
    }
    return c->n_out > 0;
}

static void take_result(driver *d, ox_call *c, int i, ox_tensor *t) {
    ox_value *v = c->node->out[i];
    c->out_types[i] = NULL;
    ox_dim *dims = OX_NEW_N(d->arena, ox_dim, t->count + t->rank + 1);
    for (int k = 0; k < t->rank; k++) dims[k] = ox_dim_const(d->ctx, t->dims[k]);
    ox_out_tensor(c, i, t->dtype, t->rank, dims);
    const int64_t *ints = t->count <= OX_ELEMS_MAX && (ox_dtype_is_int(t->dtype) || t->dtype == OX_BOOL)
                              ? ox_tensor_to_ints(d->arena, t)
                              : NULL;
    if (ints) {
        for (int64_t k = 0; k < t->count; k++) dims[k] = ox_dim_const(d->ctx, ints[k]);
        ox_out_elems(c, i, t->count, dims);
    }
    if (v) add_constant(d, v, t);
}

/* Computes a small node whose inputs are all known. That it cannot be is an error, except in a body: it may never run. */
static int evaluate(driver *d, ox_call *c) {
    const uint32_t never = OX_RANDOM | OX_STATEFUL | OX_CONTROL | OX_QUANT;
    if (!d->run_constants || !c->op->kernel || c->op->flags & never || !c->n_in || !ox_node_pure(c->node) || !small_outputs(c)) return 0;
    ox_rt **in = OX_NEW_N(d->arena, ox_rt *, c->n_in + c->n_out + 1), **out = in + c->n_in;
    int rc = 0;
    bool ran = false;
    for (int i = 0; i < c->n_in && rc == 0; i++) {
        if (!ox_arg_given(c, i)) continue;
        const ox_tensor *t = argument_constant(d, c, i);
        if (!t || !ox_tensor_data(t)) {
            rc = -1;
        } else {
            in[i] = ox_rt_tensor(d->ctx, ox_tensor_ref((ox_tensor *)(uintptr_t)t));
            if (!in[i]) rc = -1;
        }
    }
    if (rc == 0) {
        rc = ox_eval_call(c, in, out);
        ran = true;
    }
    for (int i = 0; i < c->n_out && rc == 0; i++) {
        if (out[i] && out[i]->kind == OX_RT_TENSOR) take_result(d, c, i, out[i]->t);
    }
    for (int i = 0; i < c->n_in + c->n_out; i++) ox_rt_unref(in[i]);
    bool by_values = c->op->flags & OX_ELEMENTWISE; /* a division by zero may stand where nobody looks */
    if (rc < 0 && ran && !by_values && !c->node->graph->outer && ox_error_code(d->ctx) == OX_BAD_DATA) return -1;
    if (rc < 0) ox_check_memory(d->ctx);
    if (rc < 0) ox_clear_error(d->ctx);
    return 0;
}

/* ---- graphs */

static void forget_value(driver *d, ox_value *v) {
    if (!v) return;
    v->type = ox_map_get(&d->declared, v);
    v->elems = NULL;
    v->nelems = 0;
    if (d->run_constants) ox_map_remove(&d->constants, v);
}

/* Back to what is declared; deeper bodies are reset when they are entered. */
static void reset_graph(driver *d, ox_graph *g, bool inputs) {
    for (size_t i = 0; inputs && i < g->n_inputs; i++) forget_value(d, g->inputs[i]);
    for (ox_node *n = g->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->n_out; i++) forget_value(d, n->out[i]);
    }
}

/* Declared types of outputs hold for the values that are put out, where nothing else can tell. */
static int meet_declared_outputs(driver *d, ox_graph *g) {
    for (uint32_t i = 0; g->out_types && i < g->ret->n_in; i++) {
        ox_value *v = g->ret->in[i].v;
        if (!v || !g->out_types[i] || v->graph != g || v->data || !v->def || ox_node_inferable(v->def)) continue;
        const ox_type *both;
        if (meet(d, v, v->type, g->out_types[i], &both) < 0) return -1;
        if (both != v->type) v->type = ox_type_copy(d->m->arena, both);
    }
    return 0;
}

static int check_outputs(driver *d, ox_graph *g) {
    for (uint32_t i = 0; g->out_types && i < g->ret->n_in; i++) {
        ox_value *v = g->ret->in[i].v;
        if (v && v->graph == g && check_declared(d, v, g->out_types[i], v->type) < 0) return -1;
    }
    return 0;
}

static int infer_graph(driver *d, ox_graph *g) {
    if (meet_declared_outputs(d, g) < 0) return -1;
    for (ox_node *n = g->first; n; n = n->next) {
        if (infer_one(d, n) < 0) return -1;
    }
    return check_outputs(d, g);
}

/* The rule of a node with bodies calls this when it has set the types of the body's inputs. */
static int infer_body(ox_call *c, ox_graph *body) {
    driver *d = c->driver;
    ox_map_put(&d->entered, body, body);
    reset_graph(d, body, false);
    for (size_t i = 0; i < body->n_inputs; i++) {
        ox_value *v = body->inputs[i];
        const ox_type *both;
        if (meet(d, v, v->type, ox_map_get(&d->declared, v), &both) < 0) return -1;
        if (both != v->type) v->type = ox_type_copy(d->m->arena, both);
    }
    int rc = infer_graph(d, body);
    if (rc < 0 && ox_error_code(d->ctx) == OX_BAD_DATA && ox_is(c->node, "If")) {
        ox_clear_error(d->ctx); /* the branch may never be taken: real models have some that are wrong for the shapes at hand */
        reset_graph(d, body, false);
        rc = 0;
    }
    return rc;
}

static int enter_if_missed(ox_graph *body, void *user) {
    driver *d = user;
    if (ox_map_has(&d->entered, body)) return 0;
    ox_map_put(&d->entered, body, body);
    reset_graph(d, body, true);
    return infer_graph(d, body);
}

/* ---- functions */

typedef struct variant { /* one inference of a function */
    struct variant *next;
    int n_in, n_out, n_attrs;
    const ox_type **in, **out;
    const ox_dim **in_elems, **out_elems;
    int64_t *in_nelems, *out_nelems;
    ox_attr **attrs;
} variant;

typedef struct history {
    variant *variants;
    int n;
} history;

static bool same_variant(const variant *a, const variant *b) {
    if (a->n_in != b->n_in || a->n_out != b->n_out || a->n_attrs != b->n_attrs) return false;
    for (int i = 0; i < a->n_in; i++) {
        if ((a->in[i] || b->in[i]) && !(a->in[i] && b->in[i] && ox_type_equal(a->in[i], b->in[i]))) return false;
        if (!a->in_elems[i] != !b->in_elems[i] || a->in_nelems[i] != b->in_nelems[i]) return false;
        if (a->in_elems[i] && memcmp(a->in_elems[i], b->in_elems[i], (size_t)a->in_nelems[i] * sizeof(ox_dim)))
            return false;
    }
    for (int i = 0; i < a->n_attrs; i++) {
        if (a->attrs[i]->name != b->attrs[i]->name || !ox_attr_equal(a->attrs[i], b->attrs[i])) return false;
    }
    return true;
}

/* What a call gives to its function. Constants count by type, and by value where they are small integers. */
static variant *new_variant(driver *d, ox_call *c) {
    ox_arena *arena = d->long_arena;
    variant *v = OX_NEW(arena, variant);
    v->n_in = c->n_in;
    v->n_out = c->n_out;
    v->n_attrs = c->n_attrs;
    v->in = OX_NEW_N(arena, const ox_type *, c->n_in + c->n_out + 2);
    v->out = v->in + c->n_in + 1;
    v->in_elems = OX_NEW_N(arena, const ox_dim *, c->n_in + c->n_out + 2);
    v->out_elems = v->in_elems + c->n_in + 1;
    v->in_nelems = OX_NEW_N(arena, int64_t, c->n_in + c->n_out + 2);
    v->out_nelems = v->in_nelems + c->n_in + 1;
    v->attrs = OX_NEW_N(arena, ox_attr *, c->n_attrs + 1);
    for (int i = 0; i < c->n_attrs; i++) v->attrs[i] = ox_dup(arena, c->attrs[i], sizeof(ox_attr));
    for (int i = 0; i < c->n_in; i++) {
        v->in[i] = ox_type_copy(arena, ox_in_type(c, i));
        int64_t n;
        const ox_dim *elems = ox_in_elems(c, i, &n);
        bool any = false;
        for (int64_t k = 0; elems && k < n; k++) any = any || elems[k];
        if (!any) continue;
        v->in_elems[i] = ox_dup(arena, elems, (size_t)n * sizeof *elems);
        v->in_nelems[i] = n;
    }
    return v;
}

static int run_variant(driver *d, ox_call *c, ox_function *f, variant *v) {
    ox_graph *g = f->body;
    reset_graph(d, g, true);
    for (size_t i = 0; i < g->n_inputs && (int)i < v->n_in; i++) {
        if (set_value(d, g->inputs[i], v->in[i], v->in_elems[i], v->in_nelems[i]) < 0) return -1;
    }
    const ox_call *caller = d->caller;
    const ox_function *function = d->function;
    d->caller = c;
    d->function = f;
    d->calls++;
    int rc = infer_graph(d, g);
    d->calls--;
    d->caller = caller;
    d->function = function;
    if (rc < 0) return ox_fail_in(d->ctx, "function '%s'", f->name);
    for (uint32_t i = 0; i < g->ret->n_in && (int)i < v->n_out; i++) {
        const ox_value *out = g->ret->in[i].v;
        if (!out) continue;
        v->out[i] = out->data ? ox_type_copy(d->long_arena, out->type) : out->type;
        v->out_elems[i] = out->elems;
        v->out_nelems[i] = out->nelems;
    }
    return 0;
}

static int infer_call(driver *d, ox_call *c, ox_function *f) {
    history *h = ox_map_get(&d->functions, f);
    if (!h) {
        h = OX_NEW(d->long_arena, history);
        ox_map_put(&d->functions, f, h);
    }
    variant *v = new_variant(d, c), *old = h->variants;
    while (old && !same_variant(old, v)) old = old->next;
    if (!old) {
        if (h->n >= MAX_VARIANTS || d->calls >= (int)d->ctx->limits.call_depth) return 0;
        h->n++;
        if (run_variant(d, c, f, v) < 0) return -1;
        v->next = h->variants;
        h->variants = old = v;
    }
    for (int i = 0; i < c->n_out; i++) {
        c->out_types[i] = old->out[i];
        if (old->out_elems[i]) ox_out_elems(c, i, old->out_nelems[i], old->out_elems[i]);
    }
    return 0;
}

/* ---- nodes */

/* Whether a formal takes an element type; the set of its variable is the newest version's, the widest there is. */
static bool takes(const ox_signature *s, const ox_formal *f, ox_dtype t) {
    size_t len = strlen(f->type);
    if (len > 8 && !strncmp(f->type, "tensor(", 7)) {
        ox_dtype only = ox_dtype_from_name(f->type + 7, len - 8);
        return only == OX_UNDEFINED || only == t;
    }
    for (int i = 0; i < s->n_vars; i++) {
        const ox_type_var *v = &s->vars[i];
        if (!strcmp(v->name, f->type)) return v->other || !v->dtypes || (v->dtypes >> t & 1);
    }
    return true; /* sequences and such are the rules' matter */
}

/* Element types of the inputs against the signature: each in its set, equal where one variable stands for both. */
static int check_types(const ox_call *c) {
    const ox_signature *s = ox_op_signature(c->ctx, c->op);
    int first[8]; /* input that decided the type of a variable */
    for (int i = 0; i < 8; i++) first[i] = -1;
    for (int i = 0; i < c->n_in && s->n_in; i++) {
        const ox_formal *f = &s->in[i < s->n_in ? i : s->n_in - 1];
        ox_dtype t = ox_type_is_tensor(ox_in_type(c, i)) ? ox_in_dtype(c, i) : OX_UNDEFINED;
        if (t == OX_UNDEFINED) continue;
        if (!takes(s, f, t))
            return ox_fail(c->ctx, OX_BAD_DATA, "input %d ('%s') cannot have element type %s", i, f->name, ox_dtype_name(t));
        for (int v = 0; v < s->n_vars && v < 8 && !f->heterogeneous; v++) {
            if (strcmp(s->vars[v].name, f->type)) continue;
            if (first[v] >= 0 && ox_in_dtype(c, first[v]) != t)
                return ox_fail(c->ctx, OX_BAD_DATA, "inputs %d and %d have different element types: %s and %s", first[v], i,
                               ox_dtype_name(ox_in_dtype(c, first[v])), ox_dtype_name(t));
            if (first[v] < 0) first[v] = i;
        }
    }
    return 0;
}

static int run_rule(driver *d, ox_call *c, const ox_node *n) {
    if (n->callee) return infer_call(d, c, n->callee);
    if (!c->op || !c->op->infer) return 0;
    if (check_types(c) < 0) return -1;
    int rc = c->op->infer(c);
    return rc == 0 ? evaluate(d, c) : rc;
}

static int infer_lifted(driver *d, ox_call *c, ox_node *n) {
    for (int i = 0; i < c->n_in; i++) {
        if (c->in[i].v && !c->in[i].t) c->in[i].t = known_constant(d, c->in[i].v);
    }
    c->infer_body = infer_body;
    c->driver = d;
    c->elems_max = d->elems < ELEMS_BUDGET ? OX_ELEMS_MAX : ELEMS_ALWAYS;
    if (run_rule(d, c, n) < 0) return -1;
    for (int i = 0; i < c->n_out; i++) {
        ox_value *v = n->out[i];
        d->elems += c->out_nelems[i];
        if (v && set_value(d, v, c->out_types[i], c->out_elems[i], c->out_nelems[i]) < 0) return -1;
    }
    return 0;
}

/* Rules work in the arena of their depth, which is empty again after each node. */
static int infer_one(driver *d, ox_node *n) {
    if (d->depth >= MAX_DEPTH) return 0;
    ox_arena *outer = d->arena;
    if (!d->arenas[d->depth]) d->arenas[d->depth] = ox_arena_new(d->ctx);
    d->arena = d->arenas[d->depth++];
    ox_call c;
    int rc = ox_call_init_bound(&c, d->ctx, d->arena, n, d->caller, d->function);
    if (rc == 0) {
        rc = infer_lifted(d, &c, n);
        ox_call_done(&c);
    }
    if (rc < 0 && ox_error_code(d->ctx) == OX_UNAVAILABLE) { /* a form that nobody serves: its outputs are unknown */
        ox_clear_error(d->ctx);
        rc = 0;
    }
    if (rc == 0 && !n->callee) rc = ox_each_body(n, enter_if_missed, d);
    if (rc < 0) ox_fail_in_node(d->ctx, n);
    ox_arena_reset(d->arena);
    d->depth--;
    d->arena = outer;
    return rc;
}

/* ---- whole models */

/* Remembers what is declared for values of bodies and functions, before the first visit replaces it. */
static int remember_declared(ox_graph *g, void *user) {
    driver *d = user;
    if (g == d->m->graph) return 0;
    for (size_t i = 0; i < g->n_inputs; i++) {
        if (g->inputs[i]->type) ox_map_put(&d->declared, g->inputs[i], (void *)(uintptr_t)g->inputs[i]->type);
    }
    for (ox_node *n = g->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->n_out; i++) {
            if (n->out[i] && n->out[i]->type) ox_map_put(&d->declared, n->out[i], (void *)(uintptr_t)n->out[i]->type);
        }
    }
    return 0;
}

static int remember_in_body(ox_graph *g, void *user) {
    remember_declared(g, user);
    for (ox_node *n = g->first; n; n = n->next) ox_each_body(n, remember_in_body, user);
    return 0;
}

static int forget_in_body(ox_graph *g, void *user) {
    reset_graph(user, g, true);
    for (ox_node *n = g->first; n; n = n->next) ox_each_body(n, forget_in_body, user);
    return 0;
}

/* What was found in a function that is called in several ways does not hold for all of them. */
static void forget_ambiguous(driver *d) {
    for (size_t i = 0; i < d->m->n_functions; i++) {
        history *h = ox_map_get(&d->functions, d->m->functions[i]);
        if (h && h->n > 1) forget_in_body(d->m->functions[i]->body, d);
    }
}

/* Also those of inputs. */
static void name_open_sizes(driver *d) {
    for (size_t i = 0; i < d->m->graph->n_inputs; i++) {
        if (!d->m->graph->inputs[i]->data) name_sizes(d, d->m->graph->inputs[i]);
    }
    ox_model_given_sizes(d->m, &d->open);
}

static int infer_all(void *arg) {
    driver *d = arg;
    d->long_arena = ox_arena_new(d->ctx);
    ox_map_init(&d->declared, d->long_arena);
    ox_map_init(&d->constants, d->long_arena);
    ox_map_init(&d->open, d->long_arena);
    ox_map_init(&d->entered, d->long_arena);
    ox_map_init(&d->functions, d->long_arena);
    d->arena = d->arenas[0] = ox_arena_new(d->ctx);
    d->depth = 1;
    if (d->only) {
        ox_each_body(d->only, remember_in_body, d);
        return infer_one(d, d->only);
    }
    ox_each_graph(d->m, remember_declared, d);
    name_open_sizes(d);
    if (infer_graph(d, d->m->graph) < 0) return -1;
    forget_ambiguous(d);
    return 0;
}

static int run_driver(driver *d) {
    int rc = ox_protect(d->ctx, infer_all, d);
    for (size_t i = 0; i < d->n_held; i++) ox_tensor_unref(d->held[i]);
    for (int i = 0; i < MAX_DEPTH; i++) ox_arena_free(d->arenas[i]);
    ox_arena_free(d->long_arena);
    return rc;
}

int ox_infer_model(ox_model *m, const ox_infer_options *options) {
    driver d = {.ctx = m->ctx, .m = m, .run_constants = true};
    if (options) {
        d.strict = options->strict;
        d.run_constants = options->run_constants;
    }
    return run_driver(&d);
}

int ox_infer_node(ox_node *n) {
    driver d = {.ctx = n->graph->model->ctx, .m = n->graph->model, .run_constants = true, .only = n};
    return run_driver(&d);
}
