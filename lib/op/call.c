/* Calls: a node's operands and attributes in the form of the newest version of its operator, for shape rules, kernels
 * and rewrites.
 *
 * ox_call_init() copies the lists of the node (not the things in them) and lets the rows between the node's and the
 * newest lift the copy step by step; a lift may lead to another operator (Upsample to Resize). The node itself stays
 * as it is. */
#include "op/table.h"

#include <string.h>

/* ---- making */

/* The attribute a reference stands for: what the caller gives, or the default of the function. NULL: not given. */
static ox_attr *bound_attr(ox_arena *arena, const ox_attr *a, const ox_call *caller, const ox_function *f) {
    const ox_attr *given = NULL;
    for (int i = 0; i < caller->n_attrs; i++) {
        if (!strcmp(caller->attrs[i]->name, a->ref)) given = caller->attrs[i];
    }
    for (size_t i = 0; f && !given && i < f->n_formals; i++) {
        if (f->formals[i]->type != OX_A_UNDEFINED && !strcmp(f->formals[i]->name, a->ref)) given = f->formals[i];
    }
    if (!given) return NULL;
    ox_attr *copy = ox_dup(arena, given, sizeof *copy);
    copy->name = a->name;
    return copy;
}

static int take_attrs(ox_call *c, const ox_node *n, const ox_call *caller, const ox_function *f) {
    c->attrs = OX_NEW_N(c->arena, ox_attr *, n->n_attrs + 1);
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        ox_attr *a = n->attrs[i];
        if (a->ref) {
            if (!caller)
                return ox_fail(c->ctx, OX_UNAVAILABLE, "attribute '%s' gets its value where the function is called",
                               a->name);
            a = bound_attr(c->arena, a, caller, f);
        }
        if (a) c->attrs[c->n_attrs++] = a;
    }
    return 0;
}

/* Whether a call of this row has the form of VERSION: no newer row holds there, and the operator is still in use. */
static bool has_form_of(const ox_op *op, int64_t version) {
    const ox_op_row *newer = ox_row(op)->newer;
    return (!newer || newer->op.since > version) && !(op->flags & OX_DEPRECATED);
}

static int lift(ox_call *c, int64_t version) {
    while (!has_form_of(c->op, version)) {
        const ox_op *now = c->op;
        ox_op_row *newer = ox_row(now)->newer;
        if (now->lift) {
            if (now->lift(c) < 0) return -1;
            if (c->failed) return ox_fail_in(c->ctx, "%s of version %d", now->name, now->since);
        } else if (newer && newer->op.flags & OX_DEPRECATED) {
            return 0; /* nothing newer says what it means */
        }
        if (c->op != now) continue; /* another operator from here on */
        if (!newer) return 0;
        c->op = &newer->op;
    }
    return 0;
}

bool ox_op_lifted(const ox_op *op, int64_t version) {
    while (!has_form_of(op, version)) {
        const ox_op_row *newer = ox_row(op)->newer;
        if (op->lift) return true;
        if (!newer || newer->op.flags & OX_DEPRECATED) return false;
        op = &newer->op;
    }
    return false;
}

/* The call as the node says it. */
static int take_node(ox_call *c, ox_ctx *ctx, ox_arena *arena, const ox_node *n, const ox_call *caller,
                     const ox_function *f) {
    *c = (ox_call){.ctx = ctx, .arena = arena, .node = n, .op = n->op, .n_in = (int)n->n_in, .n_out = (int)n->n_out};
    while (c->n_out > 0 && !n->out[c->n_out - 1]) c->n_out--;
    c->in = OX_NEW_N(arena, ox_arg, c->n_in + 1);
    for (int i = 0; i < c->n_in; i++) {
        ox_value *v = n->in[i].v;
        c->in[i] = (ox_arg){v, v ? ox_constant(v) : NULL};
    }
    c->out_types = OX_NEW_N(arena, const ox_type *, c->n_out + 1);
    c->out_elems = OX_NEW_N(arena, const ox_dim *, c->n_out + 1);
    c->out_nelems = OX_NEW_N(arena, int64_t, c->n_out + 1);
    return take_attrs(c, n, caller, f);
}

static int lift_or_drop(ox_call *c, int64_t version) {
    if (!c->op || lift(c, version) == 0) return 0;
    ox_call_done(c);
    return -1;
}

int ox_call_init_bound(ox_call *c, ox_ctx *ctx, ox_arena *arena, const ox_node *n, const ox_call *caller,
                       const ox_function *f) {
    return take_node(c, ctx, arena, n, caller, f) < 0 ? -1 : lift_or_drop(c, INT64_MAX);
}

int ox_call_init_until(ox_call *c, ox_ctx *ctx, ox_arena *arena, const ox_node *n, int64_t version) {
    return take_node(c, ctx, arena, n, NULL, NULL) < 0 ? -1 : lift_or_drop(c, version);
}

int ox_call_init(ox_call *c, ox_ctx *ctx, ox_arena *arena, const ox_node *n) {
    return ox_call_init_bound(c, ctx, arena, n, NULL, NULL);
}

void ox_call_done(ox_call *c) {
    for (int i = 0; i < c->n_made; i++) ox_tensor_unref(c->made[i]);
    c->n_made = 0;
}

/* ---- attributes */

static int attr_index(const ox_call *c, const char *name) {
    for (int i = 0; i < c->n_attrs; i++) {
        if (!strcmp(c->attrs[i]->name, name)) return i;
    }
    return -1;
}

bool ox_has(const ox_call *c, const char *name) { return attr_index(c, name) >= 0; }

const ox_attr *ox_get_attr(const ox_call *c, const char *name) {
    int i = attr_index(c, name);
    if (i >= 0) return c->attrs[i];
    if (!c->op) return NULL;
    const ox_formal_attr *f = ox_signature_attr(ox_op_signature(c->ctx, c->op), name);
    return f ? f->dflt : NULL;
}

int64_t ox_get_int(const ox_call *c, const char *name) {
    const ox_attr *a = ox_get_attr(c, name);
    return a && a->type == OX_A_INT ? a->i : 0;
}

double ox_get_float(const ox_call *c, const char *name) {
    const ox_attr *a = ox_get_attr(c, name);
    return !a ? 0 : a->type == OX_A_FLOAT ? (double)a->f : a->type == OX_A_INT ? (double)a->i : 0;
}

const char *ox_get_string(const ox_call *c, const char *name) {
    const ox_attr *a = ox_get_attr(c, name);
    if (!a || a->type != OX_A_STRING) return "";
    char *text = ox_alloc(c->arena, a->s.len + 1);
    if (a->s.len) memcpy(text, a->s.data, a->s.len);
    return text;
}

const int64_t *ox_get_ints(const ox_call *c, const char *name, int *n) {
    const ox_attr *a = ox_get_attr(c, name);
    bool list = a && a->type == OX_A_INTS, one = a && a->type == OX_A_INT;
    static const int64_t none;
    *n = list ? (int)a->n : one;
    return list ? (a->n ? a->is : &none) : one ? &a->i : NULL;
}

const float *ox_get_floats(const ox_call *c, const char *name, int *n) {
    const ox_attr *a = ox_get_attr(c, name);
    bool list = a && a->type == OX_A_FLOATS, one = a && a->type == OX_A_FLOAT;
    static const float none;
    *n = list ? (int)a->n : one;
    return list ? (a->n ? a->fs : &none) : one ? &a->f : NULL;
}

/* ---- lifting */

static ox_attr *lift_attr(ox_call *c, const char *name, ox_attr_type type) {
    ox_attr *a = OX_NEW(c->arena, ox_attr);
    a->name = ox_intern(c->ctx, name);
    a->type = type;
    int i = attr_index(c, name);
    if (i >= 0) {
        c->attrs[i] = a;
        return a;
    }
    ox_attr **attrs = OX_NEW_N(c->arena, ox_attr *, c->n_attrs + 1);
    if (c->n_attrs) memcpy(attrs, c->attrs, (size_t)c->n_attrs * sizeof *attrs);
    attrs[c->n_attrs++] = a;
    c->attrs = attrs;
    return a;
}

void ox_lift_attr_int(ox_call *c, const char *name, int64_t v) { lift_attr(c, name, OX_A_INT)->i = v; }

void ox_lift_attr_float(ox_call *c, const char *name, float v) { lift_attr(c, name, OX_A_FLOAT)->f = v; }

void ox_lift_attr_ints(ox_call *c, const char *name, int n, const int64_t *v) {
    ox_attr *a = lift_attr(c, name, OX_A_INTS);
    a->n = (size_t)n;
    a->is = ox_dup(c->arena, v, (size_t)n * sizeof *v);
}

void ox_lift_attr_string(ox_call *c, const char *name, const char *v) {
    ox_attr *a = lift_attr(c, name, OX_A_STRING);
    a->s = (ox_str){ox_strdup(c->arena, v), strlen(v)};
}

void ox_lift_drop(ox_call *c, const char *name) {
    int i = attr_index(c, name);
    if (i < 0) return;
    for (c->n_attrs--; i < c->n_attrs; i++) c->attrs[i] = c->attrs[i + 1];
}

void ox_lift_set_input(ox_call *c, int i, ox_tensor *t) {
    if (!t) {
        c->failed = true;
        return;
    }
    ox_tensor **made = OX_NEW_N(c->arena, ox_tensor *, c->n_made + 1);
    if (c->n_made) memcpy(made, c->made, (size_t)c->n_made * sizeof *made);
    made[c->n_made++] = t;
    c->made = made;
    if (i >= c->n_in) {
        ox_arg *in = OX_NEW_N(c->arena, ox_arg, i + 1);
        if (c->n_in) memcpy(in, c->in, (size_t)c->n_in * sizeof *in);
        c->in = in;
        c->n_in = i + 1;
    }
    c->in[i] = (ox_arg){NULL, t};
}

void ox_lift_ints_to_input(ox_call *c, const char *name, int i) {
    const ox_attr *a = ox_get_attr(c, name);
    if (!a) return;
    int64_t n = (int64_t)a->n;
    ox_tensor *t = NULL;
    switch (a->type) {
    case OX_A_INT:
        t = ox_tensor_scalar_int(c->ctx, OX_INT64, a->i);
        break;
    case OX_A_FLOAT:
        t = ox_tensor_scalar_double(c->ctx, OX_FLOAT, (double)a->f);
        break;
    case OX_A_INTS:
        t = ox_tensor_ints(c->ctx, n, a->is);
        break;
    case OX_A_FLOATS:
        t = ox_tensor_new(c->ctx, OX_FLOAT, 1, &n);
        if (t && n) memcpy(ox_tensor_mut(t), a->fs, (size_t)n * sizeof(float));
        break;
    default:
        return;
    }
    ox_lift_set_input(c, i, t);
    ox_lift_drop(c, name);
}

int ox_lift_consumed_inputs(ox_call *c) {
    ox_lift_drop(c, "consumed_inputs");
    return 0;
}

/* ---- messages */

int ox_fail_in_node(ox_ctx *ctx, const ox_node *n) {
    if (n->name && *n->name) return ox_fail_in(ctx, "node '%s' (%s)", n->name, n->op_type);
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (n->out[i] && n->out[i]->name)
            return ox_fail_in(ctx, "node (%s) that makes '%s'", n->op_type, n->out[i]->name);
    }
    return ox_fail_in(ctx, "node (%s) without a name", n->op_type);
}
