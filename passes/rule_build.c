/* Replaces what a rule matched.
 *
 * First a plan: right sides in order, everything constant evaluated (in double, rounded once when the type it goes to is known), the
 * rest as planned nodes in the newest form. Then the planned nodes are made in the form the model's opset has, each lifted again and
 * compared with the plan, checked and inferred. Only when all agree (types unchanged, shapes not contradicted, constants within the
 * budget) the old nodes go; else every node and constant made goes, and the model is as it was. */
#include "passes/rule.h"

#include <math.h>

typedef enum pval_kind { P_ABSENT, P_CONST, P_ARG, P_NODE, P_LIST } pval_kind;

typedef struct pval {
    pval_kind kind;
    ox_rv rv;              /* CONST */
    ox_arg a;              /* ARG: an operand of the match */
    int node, out;         /* NODE */
    const struct pval *list;
    int n;                 /* LIST */
} pval;

typedef struct pnode {
    const ox_rx *x;
    ox_sym op;
    pval *in;
    int n_in, n_out;
    ox_attr **attrs;
    int n_attrs;
    ox_node *made;
} pnode;

typedef struct made_const {
    const void *key;       /* payload of the value it was made from */
    ox_dtype dtype;
    ox_value *v;
    ox_tensor *t;
    const ox_value *leaf;
    ox_sym stem;           /* the leaf's name */
} made_const;

typedef struct builder {
    ox_rmatch *mt;
    pval *fresh;
    ox_rv *fresh_rv;
    pnode *nodes;
    size_t n_nodes, cap_nodes;
    ox_node *before;
    ox_node **made;        /* nodes in the graph, in order: planned ones and Constants */
    size_t n_made, cap_made;
    made_const *consts;
    size_t n_consts, cap_consts;
    uint64_t bytes, budget;
    size_t n_tensors;      /* of the model, before */
    bool changed;
} builder;

enum { GROWTH = 4 << 20 };

static bool plan(builder *b, const ox_rx *x, int n_out, pval *out);

/* ---- planning ---- */

static bool as_rv(builder *b, const pval *v, ox_rv *out) {
    if (v->kind == P_CONST) return *out = v->rv, true;
    if (v->kind == P_ABSENT) return *out = (ox_rv){.kind = OX_RV_ABSENT}, true;
    if (v->kind != P_ARG || !v->a.t) return false;
    ox_rv_of_arg(b->mt, &v->a, out);
    return out->kind != OX_RV_UNKNOWN;
}

static bool plan_name(builder *b, const ox_rx *x, pval *out) {
    ox_rmatch *mt = b->mt;
    *out = (pval){.kind = P_ABSENT};
    if (x->fresh) return *out = b->fresh[x->slot], true;
    const ox_rbind *bind = &mt->bind[x->slot];
    if (!bind->bound) return true;
    switch (mt->rule->slots[x->slot].kind) {
    case OX_RS_VALUE:
        if (bind->value.v || bind->value.t) *out = (pval){.kind = P_ARG, .a = bind->value};
        return true;
    case OX_RS_LIST: {
        pval *list = OX_NEW_N(mt->arena, pval, bind->list.n + 1);
        for (int i = 0; i < bind->list.n; i++) list[i] = (pval){.kind = P_ARG, .a = bind->list.args[i]};
        *out = (pval){.kind = P_LIST, .list = list, .n = bind->list.n};
        return true;
    }
    default:
        *out = (pval){.kind = bind->rv.kind == OX_RV_ABSENT ? P_ABSENT : P_CONST, .rv = bind->rv};
        return bind->rv.kind != OX_RV_UNKNOWN;
    }
}

static bool add_attr(builder *b, pnode *p, size_t *cap, ox_attr *a) {
    for (int i = 0; i < p->n_attrs; i++)
        if (!strcmp(p->attrs[i]->name, a->name)) return true; /* what the rule says by name goes before "..c" */
    size_t n = (size_t)p->n_attrs;
    OX_PUSH(b->mt->arena, p->attrs, n, *cap, a);
    p->n_attrs = (int)n;
    return true;
}

static bool set_input(builder *b, pnode *p, size_t *cap, int i, const pval *v) {
    size_t n = (size_t)p->n_in;
    while ((int)n <= i) OX_PUSH(b->mt->arena, p->in, n, *cap, ((pval){.kind = P_ABSENT}));
    p->n_in = (int)n;
    p->in[i] = *v;
    return true;
}

static bool plan_params(builder *b, pnode *p, size_t *cap_in) {
    const ox_rx *x = p->x;
    size_t cap = 0;
    for (int i = 0; i < x->n_params; i++) {
        const ox_rparam *q = &x->params[i];
        const ox_formal_attr *fa = x->sig ? ox_signature_attr(x->sig, q->name) : NULL;
        pval v;
        if (!plan(b, q->x, 1, &v)) return false;
        if (v.kind == P_ABSENT) continue;
        if (x->sig && !fa) {
            int at = ox_signature_input(x->sig, q->name);
            if (at < 0 || !set_input(b, p, cap_in, at, &v)) return false;
            continue;
        }
        ox_rv rv;
        if (!as_rv(b, &v, &rv)) return false;
        ox_attr_type t = fa ? fa->type : rv.kind == OX_RV_STRING ? OX_A_STRING : rv.kind == OX_RV_INTS ? (rv.scalar ? OX_A_INT : OX_A_INTS) : OX_A_FLOAT;
        ox_attr *a = ox_rule_make_attr(b->mt, q->name, t, &rv);
        if (!a || !add_attr(b, p, &cap, a)) return false;
    }
    if (x->set_slot < 0 || !b->mt->bind[x->set_slot].bound) return true;
    const ox_rset *s = &b->mt->bind[x->set_slot].set;
    for (int i = 0; i < s->n; i++)
        if (!add_attr(b, p, &cap, s->attrs[i])) return false;
    return true;
}

/* Evaluates the operator when all of its inputs are constant. 1: done, 0: it stays a node, -1: not possible. */
static int plan_constant(builder *b, const pnode *p, pval *out) {
    if (!p->n_in || !p->x->sig || (p->x->flags & (OX_RANDOM | OX_STATEFUL | OX_CONTROL | OX_QUANT))) return 0;
    ox_rv *in = OX_NEW_N(b->mt->arena, ox_rv, p->n_in), *r = OX_NEW_N(b->mt->arena, ox_rv, p->n_out);
    for (int i = 0; i < p->n_in; i++) {
        const pval *v = &p->in[i];
        if (v->kind == P_NODE || (v->kind == P_ARG && !v->a.t)) return 0;
    }
    for (int i = 0; i < p->n_in; i++)
        if (!as_rv(b, &p->in[i], &in[i])) return -1;
    if (!ox_rule_run_op(b->mt, p->x, p->op, in, p->n_in, p->attrs, p->n_attrs, r, p->n_out)) return -1;
    for (int i = 0; i < p->n_out; i++) out[i] = (pval){.kind = r[i].kind == OX_RV_ABSENT ? P_ABSENT : P_CONST, .rv = r[i]};
    return 1;
}

static bool plan_op(builder *b, const ox_rx *x, int n_out, pval *out) {
    pnode p = {.x = x, .op = x->ops ? b->mt->bind[x->slot].op : x->name, .n_out = n_out};
    bool extreme = !strcmp(p.op, "Max") || !strcmp(p.op, "Min");
    size_t cap = 0;
    for (int i = 0; i < n_out; i++) out[i] = (pval){.kind = P_ABSENT};
    int at = 0;
    for (int i = 0; i < x->n_args; i++) {
        pval v;
        if (!plan(b, x->args[i], 1, &v)) return false;
        if (v.kind == P_LIST) {
            for (int k = 0; k < v.n; k++) set_input(b, &p, &cap, at++, &v.list[k]);
            continue;
        }
        if (v.kind == P_ABSENT && extreme) continue; /* of those that are there */
        bool optional = x->sig && at < x->sig->n_in && x->sig->in[at].optional;
        if (v.kind == P_ABSENT && !optional) return true; /* computed from nothing: absent */
        set_input(b, &p, &cap, at++, &v);
    }
    if (extreme && at < 2) {
        if (at) out[0] = p.in[0];
        return true;
    }
    if (!plan_params(b, &p, &cap)) return false;
    while (p.n_in && p.in[p.n_in - 1].kind == P_ABSENT) p.n_in--;
    int done = plan_constant(b, &p, out);
    if (done) return done > 0;
    OX_PUSH(b->mt->arena, b->nodes, b->n_nodes, b->cap_nodes, p);
    for (int i = 0; i < n_out; i++) out[i] = (pval){.kind = P_NODE, .node = (int)b->n_nodes - 1, .out = i};
    return true;
}

static bool plan(builder *b, const ox_rx *x, int n_out, pval *out) {
    switch (x->kind) {
    case OX_RX_NAME: return plan_name(b, x, out);
    case OX_RX_OP: return plan_op(b, x, n_out, out);
    case OX_RX_ELSE:
        for (int i = 0; i < x->n_args; i++) {
            if (!plan(b, x->args[i], 1, out)) return false;
            if (out->kind != P_ABSENT) return true;
        }
        return true;
    default: {
        ox_rv v;
        ox_rule_eval(b->mt, x, &v);
        *out = (pval){.kind = v.kind == OX_RV_ABSENT ? P_ABSENT : P_CONST, .rv = v};
        return v.kind != OX_RV_UNKNOWN;
    }
    }
}

static bool plan_all(builder *b) {
    ox_rmatch *mt = b->mt;
    const ox_rule *r = mt->rule;
    b->fresh = OX_NEW_N(mt->arena, pval, r->n_fresh + 1);
    b->fresh_rv = OX_NEW_N(mt->arena, ox_rv, r->n_fresh + 1);
    mt->fresh = b->fresh_rv;
    for (int i = 0; i < r->n_rewrite; i++) {
        const ox_rstmt *s = &r->rewrite[i];
        pval *out = OX_NEW_N(mt->arena, pval, s->n_names);
        if (!plan(b, s->x, s->n_names, out)) {
            ox_rmatch_why(mt, "the right side at line %d cannot be computed here", s->line);
            return false;
        }
        for (int k = 0; k < s->n_names; k++) {
            b->fresh[s->slots[k]] = out[k];
            if (!as_rv(b, &out[k], &b->fresh_rv[s->slots[k]])) b->fresh_rv[s->slots[k]].kind = OX_RV_UNKNOWN;
        }
    }
    for (int i = 0; i < r->n_outputs; i++)
        if (b->fresh[r->outputs[i].fresh].kind == P_ABSENT || b->fresh[r->outputs[i].fresh].kind == P_LIST) return false;
    return true;
}

/* ---- where the new nodes go ---- */

/* With several outputs made by different nodes: new nodes go before the first of them, so nothing they read may be made between the
 * first and the last. */
static bool place(builder *b) {
    ox_rmatch *mt = b->mt;
    const ox_rule *r = mt->rule;
    b->before = mt->root;
    int others = 0;
    for (int i = 0; i < r->n_outputs; i++) others += mt->bind[r->outputs[i].slot].value.v->def != mt->root;
    if (!others) return true;
    ox_node *first = NULL, *last = NULL;
    for (ox_node *n = mt->g->first; n; n = n->next)
        for (int i = 0; i < r->n_outputs; i++)
            if (mt->bind[r->outputs[i].slot].value.v->def == n) {
                last = n;
                if (!first) first = n;
            }
    for (ox_node *n = first; n && n != last; n = n->next) {
        if (n == first) continue;
        for (size_t k = 0; k < b->n_nodes; k++)
            for (int i = 0; i < b->nodes[k].n_in; i++)
                if (b->nodes[k].in[i].kind == P_ARG && b->nodes[k].in[i].a.v && b->nodes[k].in[i].a.v->def == n) return false;
    }
    b->before = first;
    return true;
}

/* Bytes of constants that only the match uses: they go with it. */
static uint64_t bytes_replaced(ox_rmatch *mt) {
    uint64_t sum = 0;
    for (int i = 0; i < mt->n_matched; i++) {
        const ox_node *n = mt->matched[i];
        for (uint32_t k = 0; k < n->n_in && !mt->kept[i]; k++) {
            const ox_value *v = n->in[k].v;
            const ox_tensor *t = v ? ox_constant(v) : NULL;
            if (!t || v->is_input) continue;
            bool ours = true;
            for (const ox_use *u = v->uses; u && ours; u = u->next) ours = u->user->aux && ((ox_rnode *)u->user->aux)->match == mt->serial;
            if (ours && v->uses == &n->in[k]) sum += t->bytes; /* counted at one of its uses */
        }
    }
    return sum;
}

/* ---- making constants ---- */

/* What overflows would meet zeros and give NaN. */
static bool no_overflow(ox_dtype to, const void *made, const double *from, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(ox_load_double(to, made, i)) && isfinite(from[i])) return false;
    return true;
}

static bool rounded(ox_rmatch *mt, const ox_tensor *t, ox_dtype to, ox_tensor **out) {
    if (t->dtype == to) return *out = ox_tensor_ref((ox_tensor *)t), true;
    if (t->dtype == OX_STRING || to == OX_STRING || !ox_dtype_bits(t->dtype) || !ox_dtype_bits(to)) return false;
    const void *from = ox_tensor_data(t);
    ox_tensor *r = from ? ox_tensor_new(mt->ctx, to, t->rank, t->dims) : NULL;
    if (!r) return ox_rmatch_refused(mt);
    void *data = ox_tensor_mut(r);
    bool ok = true;
    if (ox_dtype_is_float(to) && t->dtype == OX_DOUBLE) {
        ox_store_doubles(to, data, t->count, from);
        ok = no_overflow(to, data, from, t->count);
    } else if (ox_dtype_is_float(to)) {
        for (int64_t i = 0; i < t->count; i++) ox_store_double(to, data, i, ox_load_double(t->dtype, from, i));
    } else {
        for (int64_t i = 0; i < t->count && ok; i++) {
            double v = ox_load_double(t->dtype, from, i);
            int64_t k = ox_load_int(t->dtype, from, i);
            ok = !ox_dtype_is_float(t->dtype) || (double)k == v; /* only whole numbers become integers */
            ox_store_int(to, data, i, k);
        }
    }
    if (ok) *out = r;
    else ox_tensor_unref(r);
    return ok;
}

/* A value's tensor rounded to a type, in the caller's hands. */
static bool rounded_value(ox_rmatch *mt, const ox_rv *v, ox_dtype to, ox_tensor **out) {
    if (v->kind == OX_RV_TENSOR && v->lazy && ox_dtype_is_float(to) && ox_dtype_bits(to) % 8 == 0) {
        *out = ox_rlazy_rounded(mt, v->lazy, to, no_overflow);
        return *out ? true : ox_rmatch_refused(mt);
    }
    ox_tensor *t = v->kind == OX_RV_TENSOR ? ox_rv_stored(mt, v) : ox_rv_tensor(mt, v);
    return t && rounded(mt, t, to, out);
}

static ox_value *add_constant(builder *b, ox_tensor *t) {
    ox_graph *g = b->mt->g;
    if (!ox_function_of(g)) return ox_graph_add_init(g, NULL, t);
    ox_node *n = ox_node_make(g, b->before, "Constant", 0, NULL, 1); /* functions have no initializers */
    if (!n) {
        ox_tensor_unref(t);
        ox_rmatch_refused(b->mt);
        return NULL;
    }
    OX_PUSH(b->mt->arena, b->made, b->n_made, b->cap_made, n);
    ox_attr_set_tensor(n, "value", t);
    if (ox_infer_node(n)) ox_rmatch_refused(b->mt);
    return n->out[0];
}

/* A value in the graph for a constant, in element type TO (UNDEFINED: its own). */
static ox_value *constant_value(builder *b, const pval *v, ox_dtype to) {
    ox_rmatch *mt = b->mt;
    ox_rv rv;
    if (v->kind == P_ARG && v->a.v) return v->a.v;
    if (!as_rv(b, v, &rv)) return NULL;
    if (to == OX_UNDEFINED) to = rv.natural;
    const void *key = rv.kind == OX_RV_INTS ? (const void *)rv.d : rv.kind == OX_RV_TENSOR ? rv.lazy ? (const void *)rv.lazy : (const void *)rv.t : NULL;
    for (size_t i = 0; i < b->n_consts; i++)
        if (key && b->consts[i].key == key && b->consts[i].dtype == to) return b->consts[i].v;
    ox_tensor *r = NULL;
    if (to == OX_UNDEFINED || !rounded_value(mt, &rv, to, &r)) return NULL;
    b->bytes += r->bytes;
    if (b->bytes > b->budget) {
        ox_rmatch_why(mt, "constants would grow by more than %d MiB", GROWTH >> 20);
        ox_tensor_unref(r);
        return NULL;
    }
    ox_value *made = add_constant(b, r);
    if (made) OX_PUSH(mt->arena, b->consts, b->n_consts, b->cap_consts, ((made_const){key, to, made, r, rv.leaf, rv.leaf ? rv.leaf->name : NULL}));
    return made;
}

/* ---- element types ---- */

static const ox_formal *formal_at(const ox_formal *f, int n, int i) { return n ? &f[i < n ? i : n - 1] : NULL; }

static const ox_type_var *var_of(const ox_signature *s, const ox_formal *f) {
    for (int i = 0; f && i < s->n_vars; i++)
        if (!strcmp(s->vars[i].name, f->type)) return &s->vars[i];
    return NULL;
}

/* "int64" or "tensor(int64)" */
static ox_dtype fixed_type(const char *text) {
    const char *open = strchr(text, '('), *name = !strncmp(text, "tensor(", 7) ? text + 7 : text;
    size_t len = name == text ? strlen(text) : strcspn(name, ")");
    return name == text && open ? OX_UNDEFINED : ox_dtype_from_name(name, len);
}

static ox_value *existing(const builder *b, const pval *v) {
    if (v->kind == P_ARG) return v->a.v;
    if (v->kind == P_NODE) return b->nodes[v->node].made->out[v->out];
    return NULL;
}

static ox_dtype dtype_of(const ox_value *v) {
    if (!v) return OX_UNDEFINED;
    if (ox_type_is_tensor(v->type) && v->type->dtype) return v->type->dtype;
    const ox_tensor *t = ox_constant(v);
    return t ? t->dtype : OX_UNDEFINED;
}

/* The element type a constant must have as input i: that of its companions in the same type variable, else its own. */
static ox_dtype wanted_type(const builder *b, const pnode *p, int i) {
    const ox_signature *s = p->x->sig;
    const ox_formal *f = s ? formal_at(s->in, s->n_in, i) : NULL;
    if (!f) return OX_UNDEFINED;
    const ox_type_var *var = var_of(s, f);
    if (!var) return fixed_type(f->type);
    for (int k = 0; k < p->n_in; k++) {
        if (k == i || var_of(s, formal_at(s->in, s->n_in, k)) != var) continue;
        ox_dtype t = dtype_of(existing(b, &p->in[k]));
        if (t != OX_UNDEFINED) return t;
    }
    ox_rv rv = p->in[i].rv;
    if (p->in[i].kind == P_CONST && !rv.natural && rv.kind == OX_RV_INTS && (var->dtypes >> OX_INT64 & 1)) return OX_INT64;
    return OX_UNDEFINED;
}

static bool type_allowed(const ox_signature *s, const ox_formal *f, const ox_value *v) {
    ox_dtype t = dtype_of(v);
    if (!f || t == OX_UNDEFINED) return true;
    const ox_type_var *var = var_of(s, f);
    if (var) return var->other || (var->dtypes >> t & 1);
    ox_dtype fixed = fixed_type(f->type);
    return fixed == OX_UNDEFINED || fixed == t;
}

static bool types_allowed(ox_rmatch *mt, const ox_node *n) {
    const ox_signature *s = ox_op_signature(mt->ctx, n->op);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].v && !type_allowed(s, formal_at(s->in, s->n_in, (int)i), n->in[i].v)) return false;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && !type_allowed(s, formal_at(s->out, s->n_out, (int)i), n->out[i])) return false;
    return true;
}

/* ---- the form of the model's opset ---- */

typedef struct form {
    ox_value **in;
    int n_in, cap;
    ox_attr **attrs;
    int n_attrs;
} form;

static bool equal_attr(ox_rmatch *mt, const ox_attr *a, const ox_attr *b) {
    ox_rv x, y;
    ox_rv_of_attr(mt, a, &x);
    ox_rv_of_attr(mt, b, &y);
    return a == b || ox_rv_equal(mt, &x, &y) == OX_YES;
}

static bool form_input(builder *b, const pnode *p, const ox_signature *row, form *f, int i) {
    const ox_signature *s = p->x->sig;
    const ox_formal *fm = formal_at(s->in, s->n_in, i);
    int at = i;
    if (fm && !fm->variadic) {
        at = ox_signature_input(row, fm->name);
        const ox_formal_attr *fa = at < 0 ? ox_signature_attr(row, fm->name) : NULL;
        if (fa) {
            ox_rv rv;
            ox_attr *a = as_rv(b, &p->in[i], &rv) ? ox_rule_make_attr(b->mt, ox_intern(b->mt->ctx, fm->name), fa->type, &rv) : NULL;
            if (a) f->attrs[f->n_attrs++] = a;
            return a != NULL;
        }
        if (at < 0) at = i < row->n_in && ox_signature_input(s, row->in[i].name) < 0 ? i : -1; /* the same under an older name */
    }
    if (at < 0 || at >= f->cap) return false;
    ox_value *v = p->in[i].kind == P_NODE ? existing(b, &p->in[i]) : p->in[i].kind == P_ARG && p->in[i].a.v ? p->in[i].a.v : NULL;
    if (!v) v = constant_value(b, &p->in[i], wanted_type(b, p, i));
    f->in[at] = v;
    if (at >= f->n_in) f->n_in = at + 1;
    return v != NULL;
}

static bool form_attr(builder *b, const pnode *p, const ox_signature *row, form *f, ox_attr *a) {
    if (ox_signature_attr(row, a->name)) {
        f->attrs[f->n_attrs++] = a;
        return true;
    }
    int at = ox_signature_input(row, a->name);
    if (at >= 0 && at < f->cap) {
        pval v = {.kind = P_CONST};
        ox_rv_of_attr(b->mt, a, &v.rv);
        if (!(f->in[at] = constant_value(b, &v, fixed_type(row->in[at].type)))) return false;
        if (at >= f->n_in) f->n_in = at + 1;
        return true;
    }
    const ox_formal_attr *fa = ox_signature_attr(p->x->sig, a->name);
    return fa && fa->dflt && equal_attr(b->mt, fa->dflt, a);
}

static bool from_set(const builder *b, const pnode *p, const ox_attr *a) {
    if (p->x->set_slot < 0) return false;
    const ox_rset *s = &b->mt->bind[p->x->set_slot].set;
    for (int i = 0; i < s->n; i++)
        if (s->attrs[i] == a) return true;
    return false;
}

static bool to_form(builder *b, const pnode *p, const ox_signature *row, form *f) {
    const ox_signature *s = p->x->sig;
    f->cap = (p->n_in > row->n_in ? p->n_in : row->n_in) + 1;
    f->in = OX_NEW_N(b->mt->arena, ox_value *, f->cap);
    f->attrs = OX_NEW_N(b->mt->arena, ox_attr *, p->n_attrs + p->n_in + s->n_attrs + 1);
    for (int i = 0; i < p->n_in; i++)
        if (p->in[i].kind != P_ABSENT && !form_input(b, p, row, f, i)) return false;
    for (int i = 0; i < p->n_attrs; i++) {
        const ox_formal_attr *then = ox_signature_attr(row, p->attrs[i]->name);
        if (then && then->dflt && !from_set(b, p, p->attrs[i]) && equal_attr(b->mt, then->dflt, p->attrs[i])) continue; /* goes without saying */
        if (!form_attr(b, p, row, f, p->attrs[i])) return false;
    }
    for (int i = 0; i < s->n_attrs; i++) { /* where another default held then, say it */
        const ox_formal_attr *now = &s->attrs[i], *then = ox_signature_attr(row, now->name);
        bool given = false;
        for (int k = 0; k < p->n_attrs; k++) given |= !strcmp(p->attrs[k]->name, now->name);
        if (given || !now->dflt || !then || (then->dflt && equal_attr(b->mt, now->dflt, then->dflt))) continue;
        f->attrs[f->n_attrs++] = (ox_attr *)now->dflt;
    }
    return true;
}

static const ox_attr *planned_attr(const pnode *p, const char *name) {
    for (int i = 0; i < p->n_attrs; i++)
        if (!strcmp(p->attrs[i]->name, name)) return p->attrs[i];
    const ox_formal_attr *fa = ox_signature_attr(p->x->sig, name);
    return fa ? fa->dflt : NULL;
}

/* The node, lifted to the newest form, must say what was planned: an older row may mean something else by the same words. */
static bool lifts_back(builder *b, const pnode *p) {
    ox_rmatch *mt = b->mt;
    const ox_signature *s = p->x->sig;
    ox_call c;
    if (ox_call_init(&c, mt->ctx, mt->arena, p->made)) return ox_rmatch_refused(mt);
    bool ok = !strcmp(c.op->name, p->op);
    for (int i = 0; i < s->n_attrs && ok; i++) {
        const ox_attr *want = planned_attr(p, s->attrs[i].name), *have = ox_get_attr(&c, s->attrs[i].name);
        ok = (!want && !have) || (want && have && equal_attr(mt, want, have));
    }
    int n = c.n_in > p->n_in ? c.n_in : p->n_in;
    for (int i = 0; i < n && ok; i++) {
        const pval *want = i < p->n_in ? &p->in[i] : NULL;
        bool none = !want || want->kind == P_ABSENT;
        if (none) {
            ok = !ox_arg_given(&c, i) || (!c.in[i].v && !strcmp(p->op, "Clip")); /* its old bounds have defaults */
            continue;
        }
        ox_value *v = existing(b, want);
        ox_rv x, y;
        if (v && i < c.n_in && c.in[i].v == v) continue;
        ok = i < c.n_in && c.in[i].t && as_rv(b, want, &x);
        if (!ok || c.in[i].v) continue; /* a constant of ours */
        ox_rv_of_arg(mt, &c.in[i], &y);
        y.natural = OX_UNDEFINED; /* rounded to its type: compare loosely */
        ox_tensor *xt = ox_rv_tensor(mt, &x);
        ok = ox_rv_equal(mt, &x, &y) == OX_YES || (xt && !xt->count && !c.in[i].t->count);
    }
    ox_call_done(&c);
    return ok;
}

static ox_node *make_node(builder *b, const pnode *p, const form *f) {
    ox_rmatch *mt = b->mt;
    const char *name = p->x->domain[0] ? ox_format(mt->arena, "%s::%s", p->x->domain, p->op) : p->op;
    ox_node *n = p->x->sig ? ox_node_make(mt->g, b->before, name, (uint32_t)f->n_in, f->in, (uint32_t)p->n_out)
                           : ox_node_new(mt->g, b->before, p->op, p->x->domain, (uint32_t)f->n_in, f->in, (uint32_t)p->n_out);
    if (!n) {
        ox_rmatch_refused(mt);
        return NULL;
    }
    OX_PUSH(mt->arena, b->made, b->n_made, b->cap_made, n);
    n->from = mt->rule->name;
    for (int i = 0; i < f->n_attrs; i++) {
        ox_attr *a = ox_attr_add(n, f->attrs[i]->name, f->attrs[i]->type);
        *a = *ox_attr_copy(mt->m, f->attrs[i]);
    }
    return n;
}

static bool make_planned(builder *b, pnode *p) {
    ox_rmatch *mt = b->mt;
    form f = {0};
    const ox_op *row = NULL;
    if (p->x->sig) {
        int64_t version = ox_model_opset(mt->m, mt->g, p->x->domain);
        row = version ? ox_op_find(mt->ctx, p->x->domain, p->op, version) : NULL;
        if (!row) {
            ox_rmatch_why(mt, "the model's opset %lld has no %s", (long long)version, p->op);
            return false;
        }
        if (!to_form(b, p, ox_op_signature(mt->ctx, row), &f)) {
            ox_rmatch_why(mt, "%s cannot be written in the form of the model's opset", p->op);
            return false;
        }
    } else {
        if (ox_function_of(mt->g) && !ox_model_opset(mt->m, mt->g, p->x->domain)) return false; /* functions have imports of their own */
        f.in = OX_NEW_N(mt->arena, ox_value *, p->n_in + 1);
        f.attrs = p->attrs;
        f.n_attrs = p->n_attrs;
        f.n_in = p->n_in;
        for (int i = 0; i < p->n_in; i++) {
            if (p->in[i].kind == P_ABSENT) continue;
            f.in[i] = p->in[i].kind == P_NODE ? existing(b, &p->in[i]) : constant_value(b, &p->in[i], OX_UNDEFINED);
            if (!f.in[i]) return false;
        }
    }
    if (!(p->made = make_node(b, p, &f))) return false;
    if (!row) return ox_node_resolve(p->made), true;
    if (ox_check_node(p->made) || ox_infer_node(p->made)) {
        ox_rmatch_why(mt, "%s", ox_error_text(mt->ctx));
        return ox_rmatch_refused(mt);
    }
    if (types_allowed(mt, p->made) && lifts_back(b, p)) return true;
    ox_rmatch_why(mt, "%s of the model's opset does not serve these types or means something else", p->op);
    return false;
}

/* ---- outputs ---- */

static bool dims_differ(ox_ctx *ctx, ox_dim a, ox_dim b) {
    int64_t lo, hi;
    if (!a || !b || a == b) return false;
    return ox_dim_range(ox_dim_sub(ctx, a, b), &lo, &hi) && (lo > 0 || hi < 0);
}

/* The type may become better known, but not another. */
static bool same_type(ox_ctx *ctx, const ox_value *old, const ox_value *new) {
    const ox_type *a = old->type, *b = new->type;
    if (!a || !b || a->kind == OX_K_UNKNOWN || b->kind == OX_K_UNKNOWN) return true;
    if (a->kind != b->kind) return false;
    if (a->kind != OX_K_TENSOR) return true;
    if (a->dtype && b->dtype && a->dtype != b->dtype) return false;
    if (a->rank < 0 || b->rank < 0) return true;
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (dims_differ(ctx, a->dims[i], b->dims[i])) return false;
    return true;
}

/* An Identity between two names of the interface would come back when names are settled: no gain. */
static bool only_renames(const ox_rmatch *mt, ox_value *old, const ox_value *new) {
    if (!ox_is_graph_output(old) || !ox_is(mt->root, "Identity")) return false;
    return new->is_input || new->is_init || new->graph != old->graph || ox_is_graph_output(new);
}

static bool make_outputs(builder *b, ox_value **made) {
    ox_rmatch *mt = b->mt;
    for (int i = 0; i < mt->rule->n_outputs; i++) {
        ox_value *old = mt->bind[mt->rule->outputs[i].slot].value.v;
        const pval *v = &b->fresh[mt->rule->outputs[i].fresh];
        made[i] = existing(b, v);
        if (!made[i]) made[i] = constant_value(b, v, dtype_of(old));
        if (!made[i]) return false;
        if (v->kind == P_NODE && !made[i]->type) made[i]->type = old->type;
        if (!same_type(mt->ctx, old, made[i])) {
            ox_rmatch_why(mt, "the type of '%s' would change from %s to %s", mt->rule->slots[mt->rule->outputs[i].slot].name,
                          ox_type_text(mt->arena, old->type), ox_type_text(mt->arena, made[i]->type));
            return false;
        }
        if (only_renames(mt, old, made[i])) {
            ox_rmatch_why(mt, "it joins an input or a second output to an output of the graph");
            return false;
        }
    }
    return true;
}

/* ---- taking back, going through ---- */

static void take_back(builder *b) {
    ox_model *m = b->mt->m;
    for (size_t i = b->n_made; i-- > 0;) ox_node_remove(b->made[i]);
    for (size_t i = b->n_consts; i-- > 0;)
        if (b->consts[i].v->is_init) ox_graph_remove_init(b->consts[i].v);
    size_t n = b->n_tensors;
    for (size_t i = b->n_tensors; i < m->n_tensors; i++) {
        bool ours = false;
        for (size_t k = 0; k < b->n_consts; k++) ours |= b->consts[k].t == m->tensors[i];
        if (ours) ox_tensor_unref(m->tensors[i]);
        else m->tensors[n++] = m->tensors[i];
    }
    m->n_tensors = n;
    m->changed = b->changed;
}

/* A leaf that lost its last use with the match. */
static void drop_leaf(ox_value *v) {
    if (v->nuses) return;
    if (v->is_init && !v->is_input) {
        ox_graph_remove_init(v);
    } else if (v->def && v->def->graph && ox_is(v->def, "Constant")) {
        ox_rnode_forget(v->def);
        ox_node_remove(v->def);
    }
}

static bool is_unused(const ox_node *n) {
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->nuses) return false;
    return true;
}

/* Removes matched nodes whose outputs have no use left, users first; tells of the leaves. */
static void remove_matched(builder *b, ox_rchanged *changed, void *user) {
    ox_rmatch *mt = b->mt;
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < mt->n_matched; i++) {
            ox_node *n = mt->matched[i];
            if (!n->graph || !is_unused(n) || (mt->kept[i] && !ox_node_pure(n))) continue;
            uint32_t n_in = n->n_in;
            ox_value **leaves = OX_NEW_N(mt->arena, ox_value *, n_in + 1);
            for (uint32_t k = 0; k < n_in; k++) leaves[k] = n->in[k].v;
            ox_rnode_forget(n);
            ox_node_remove(n);
            again = true;
            for (uint32_t k = 0; k < n_in; k++) {
                if (!leaves[k]) continue;
                drop_leaf(leaves[k]);
                if (leaves[k]->nuses && leaves[k]->nuses <= OX_RULE_USES) changed(user, leaves[k], leaves[k]->nuses);
            }
        }
    }
}

/* Doc string and metadata of a matched node of the same operator go to the new one. */
static const void *origin_for(const ox_rmatch *mt, const ox_node *n) {
    for (int i = 0; i < mt->n_matched; i++) {
        const ox_node *old = mt->matched[i];
        if (old->op_type == n->op_type && !strcmp(old->domain, n->domain) && old->origin && !mt->kept[i]) return old->origin;
    }
    return NULL;
}

/* A new constant has the name of the one it was computed from: the very name where that one is gone. */
static void name_constants(builder *b) {
    for (size_t i = 0; i < b->n_consts; i++) {
        ox_value *v = b->consts[i].v, *leaf = (ox_value *)b->consts[i].leaf;
        if (v->name || !b->consts[i].stem) continue;
        bool gone = leaf->name && !leaf->nuses && !leaf->is_init && !leaf->is_input && !(leaf->def && leaf->def->graph);
        if (gone) {
            v->name = leaf->name;
            leaf->name = NULL;
        } else {
            v->name = ox_fresh_name(b->mt->m, b->consts[i].stem);
        }
    }
}

static void go_through(builder *b, ox_value *const *made, void (*fresh)(void *user, ox_node *n), ox_rchanged *changed, void *user) {
    ox_rmatch *mt = b->mt;
    const ox_rule *r = mt->rule;
    uint32_t *moved = OX_NEW_N(mt->arena, uint32_t, r->n_outputs); /* they stand in front of the uses that were there */
    for (size_t k = 0; k < b->n_nodes; k++) {
        const pnode *p = &b->nodes[k];
        p->made->origin = origin_for(mt, p->made);
        if (p->x->domain[0] && !ox_model_opset(mt->m, mt->g, p->x->domain)) ox_model_import(mt->m, p->x->domain, 1);
    }
    for (int i = 0; i < r->n_outputs; i++) {
        ox_value *old = mt->bind[r->outputs[i].slot].value.v, *new = made[i];
        ox_sym name = old->name;
        bool own = b->fresh[r->outputs[i].fresh].kind == P_NODE && !new->name;
        if (own && !new->def->name) new->def->name = old->def->name;
        for (int k = 0; k <= i; k++)
            if (made[k] == new) moved[k] += old->nuses;
        ox_replace_uses(old, new);
        if (!own) continue;
        new->listed = old->listed;
        new->origin = old->origin;
        new->declared = old->declared;
        new->name = name;
        old->name = NULL;
    }
    remove_matched(b, changed, user);
    name_constants(b);
    for (size_t k = 0; k < b->n_made; k++) fresh(user, b->made[k]);
    for (int i = 0; i < r->n_outputs; i++) changed(user, made[i], moved[i]);
}

int ox_rule_build(ox_rmatch *mt, void (*made)(void *user, ox_node *n), ox_rchanged *changed, void *user) {
    builder b = {.mt = mt, .n_tensors = mt->m->n_tensors, .changed = mt->m->changed};
    if (!plan_all(&b) || !place(&b)) return mt->failed ? -1 : 0;
    b.budget = bytes_replaced(mt) + GROWTH;
    bool ok = true;
    for (size_t i = 0; i < b.n_nodes && ok; i++) ok = make_planned(&b, &b.nodes[i]);
    ox_value **outputs = OX_NEW_N(mt->arena, ox_value *, mt->rule->n_outputs);
    if (!ok || !make_outputs(&b, outputs)) {
        take_back(&b);
        return mt->failed ? -1 : 0;
    }
    go_through(&b, outputs, made, changed, user);
    return 1;
}
