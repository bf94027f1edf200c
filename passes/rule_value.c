/* Values of expressions in rules: guards, computed attributes, constants of a rewrite.
 *
 * Integers are expressions over the model's dimension symbols, so "shape(y) == shape(x)" holds when it is proved and only then.
 * Logic is three-valued; what speaks of something absent holds (OX_HOLDS), also under "!". */
#include "passes/rule.h"

#include <math.h>

/* ---- making values ---- */

static void unknown(ox_rv *out) { *out = (ox_rv){.kind = OX_RV_UNKNOWN}; }
static void absent(ox_rv *out) { *out = (ox_rv){.kind = OX_RV_ABSENT}; }

/* There is always room for one: what is made goes in before an allocation can fail. */
ox_tensor *ox_rmatch_own(ox_rmatch *mt, ox_tensor *t) {
    if (!t) return NULL;
    mt->pool[mt->n_pool++] = t;
    if (mt->n_pool == mt->cap_pool) mt->pool = ox_grow(mt->arena, mt->pool, mt->n_pool, &mt->cap_pool, sizeof *mt->pool);
    return t;
}

bool ox_rmatch_refused(ox_rmatch *mt) {
    if (ox_error_code(mt->ctx) == OX_NO_MEMORY) mt->failed = true;
    else ox_clear_error(mt->ctx);
    return false;
}

static ox_dim *ints(ox_rmatch *mt, ox_rv *out, int64_t n) {
    ox_dim *d = OX_NEW_N(mt->arena, ox_dim, n ? n : 1);
    *out = (ox_rv){.kind = OX_RV_INTS, .n = n, .d = d};
    return d;
}

void ox_rv_int(ox_rmatch *mt, int64_t v, ox_rv *out) {
    ints(mt, out, 1)[0] = ox_dim_const(mt->ctx, v);
    out->scalar = true;
}

static void dim_value(ox_rmatch *mt, ox_dim v, ox_rv *out) {
    ints(mt, out, 1)[0] = v;
    out->scalar = true;
}

void ox_rv_of_ints(ox_rmatch *mt, int64_t n, const int64_t *v, ox_rv *out) {
    ox_dim *d = ints(mt, out, n);
    for (int64_t i = 0; i < n; i++) d[i] = ox_dim_const(mt->ctx, v[i]);
}

static void truth_value(ox_truth t, ox_rv *out) {
    unknown(out);
    if (t == OX_HOLDS) out->kind = OX_RV_ABSENT;
    if (t == OX_YES || t == OX_NO) out->kind = OX_RV_TRUTH, out->truth = t == OX_YES;
}

static void tensor_value(ox_rmatch *mt, const ox_tensor *t, ox_dtype natural, ox_rv *out) {
    unknown(out);
    if (!t) return;
    if (ox_dtype_is_int(t->dtype) && t->rank <= 1 && t->count <= OX_ELEMS_MAX) {
        const int64_t *v = ox_tensor_to_ints(mt->arena, t);
        if (!v) {
            ox_rmatch_refused(mt);
            return;
        }
        for (int64_t i = 0; t->dtype == OX_UINT64 && i < t->count; i++)
            if (v[i] < 0) return; /* beyond what we count with */
        ox_rv_of_ints(mt, t->count, v, out);
        out->scalar = t->rank == 0;
        out->natural = natural;
        return;
    }
    *out = (ox_rv){.kind = OX_RV_TENSOR, .natural = natural, .t = (ox_tensor *)t};
}

void ox_rv_of_tensor(ox_rmatch *mt, ox_tensor *t, ox_dtype natural, ox_rv *out) { tensor_value(mt, ox_rmatch_own(mt, t), natural, out); }

void ox_rv_of_arg(ox_rmatch *mt, const ox_arg *a, ox_rv *out) {
    if (!a->v && !a->t) *out = (ox_rv){.kind = OX_RV_ABSENT};
    else tensor_value(mt, a->t, a->t ? a->t->dtype : OX_UNDEFINED, out);
    out->leaf = a->v;
}

void ox_rv_of_attr(ox_rmatch *mt, const ox_attr *a, ox_rv *out) {
    unknown(out);
    if (!a || a->ref) return;
    ox_tensor *t = NULL;
    switch (a->type) {
    case OX_A_INT: ox_rv_int(mt, a->i, out); return;
    case OX_A_INTS: ox_rv_of_ints(mt, (int64_t)a->n, a->is, out); return;
    case OX_A_STRING: *out = (ox_rv){.kind = OX_RV_STRING, .s = a->s}; return;
    case OX_A_TENSOR: tensor_value(mt, a->t, a->t->dtype, out); return;
    case OX_A_FLOAT: t = ox_tensor_scalar_double(mt->ctx, OX_DOUBLE, (double)a->f); break;
    case OX_A_FLOATS:
        t = ox_tensor_new(mt->ctx, OX_DOUBLE, 1, (int64_t[]){(int64_t)a->n});
        for (size_t i = 0; t && i < a->n; i++) ox_store_double(OX_DOUBLE, ox_tensor_mut(t), (int64_t)i, (double)a->fs[i]);
        break;
    default: return;
    }
    if (!t) ox_rmatch_refused(mt);
    else ox_rv_of_tensor(mt, t, OX_UNDEFINED, out);
}

bool ox_rv_known_ints(ox_rmatch *mt, const ox_rv *v, const int64_t **out) {
    if (v->kind != OX_RV_INTS) return false;
    int64_t *k = OX_NEW_N(mt->arena, int64_t, v->n ? v->n : 1);
    for (int64_t i = 0; i < v->n; i++)
        if (!ox_dim_is_const(v->d[i], &k[i])) return false;
    *out = k;
    return true;
}

static bool known_int(ox_rmatch *mt, const ox_rv *v, int64_t *out) {
    const int64_t *k;
    if (!ox_rv_known_ints(mt, v, &k) || v->n != 1) return false;
    return *out = k[0], true;
}

/* A copy in another element type. */
static ox_tensor *converted(ox_rmatch *mt, const ox_tensor *t, ox_dtype to) {
    if (t->dtype == to) return (ox_tensor *)t;
    ox_tensor *r = ox_tensor_new(mt->ctx, to, t->rank, t->dims);
    const void *from = r ? ox_tensor_data(t) : NULL;
    if (!r || !from) {
        ox_tensor_unref(r);
        return ox_rmatch_refused(mt), NULL;
    }
    void *data = ox_tensor_mut(r);
    if (to == OX_DOUBLE) ox_load_doubles(t->dtype, from, t->count, data);
    else if (to == OX_BOOL)
        for (int64_t i = 0; i < t->count; i++) ((uint8_t *)data)[i] = ox_load_double(t->dtype, from, i) != 0;
    else
        for (int64_t i = 0; i < t->count; i++) ox_store_int(to, data, i, ox_load_int(t->dtype, from, i));
    return ox_rmatch_own(mt, r);
}

ox_tensor *ox_rv_tensor(ox_rmatch *mt, const ox_rv *v) {
    const int64_t *k;
    ox_tensor *t = NULL;
    switch (v->kind) {
    case OX_RV_INTS:
        if (!ox_rv_known_ints(mt, v, &k)) return NULL;
        t = ox_tensor_new(mt->ctx, OX_INT64, v->scalar ? 0 : 1, &v->n);
        if (t && v->n) memcpy(ox_tensor_mut(t), k, (size_t)v->n * sizeof *k);
        break;
    case OX_RV_TRUTH: t = ox_tensor_scalar_int(mt->ctx, OX_BOOL, v->truth); break;
    case OX_RV_TENSOR:
        if (!(t = ox_rv_stored(mt, v))) return NULL;
        return ox_dtype_is_float(t->dtype) ? converted(mt, t, OX_DOUBLE) : ox_dtype_is_int(t->dtype) ? converted(mt, t, OX_INT64) : t;
    default: return NULL;
    }
    if (!t) ox_rmatch_refused(mt);
    return ox_rmatch_own(mt, t);
}

ox_attr *ox_rule_make_attr(ox_rmatch *mt, ox_sym name, ox_attr_type type, const ox_rv *v) {
    ox_attr *a = OX_NEW(mt->arena, ox_attr);
    const int64_t *k = NULL;
    a->name = name;
    a->type = type;
    ox_tensor *t = NULL;
    switch (type) {
    case OX_A_STRING:
        if (v->kind != OX_RV_STRING) return NULL;
        a->s = v->s;
        return a;
    case OX_A_INT:
        if (v->kind == OX_RV_TRUTH) a->i = v->truth;
        else if (!known_int(mt, v, &a->i)) return NULL;
        return a;
    case OX_A_INTS:
        if (!ox_rv_known_ints(mt, v, &k)) return NULL;
        a->n = (size_t)v->n;
        a->is = (int64_t *)k;
        return a;
    case OX_A_FLOAT:
    case OX_A_FLOATS:
        t = ox_rv_tensor(mt, v);
        if (t) t = converted(mt, t, OX_DOUBLE);
        if (!t || (type == OX_A_FLOAT && t->count != 1) || t->count > OX_ELEMS_MAX) return NULL;
        const void *data = ox_tensor_data(t);
        if (!data) return ox_rmatch_refused(mt), NULL;
        a->n = (size_t)t->count;
        if (type == OX_A_FLOAT) {
            a->n = 0;
            a->f = (float)ox_load_double(OX_DOUBLE, data, 0);
            return a;
        }
        a->fs = OX_NEW_N(mt->arena, float, t->count + 1);
        for (int64_t i = 0; i < t->count; i++) a->fs[i] = (float)ox_load_double(OX_DOUBLE, data, i);
        return a;
    case OX_A_TENSOR:
        if (v->kind != OX_RV_TENSOR || !(a->t = ox_rv_stored(mt, v))) return NULL;
        return a;
    default: return NULL;
    }
}

/* ---- comparing ---- */

static ox_truth both(ox_truth a, ox_truth b) {
    if (a == OX_NO || b == OX_NO) return OX_NO;
    if (a == OX_MAYBE || b == OX_MAYBE) return OX_MAYBE;
    return a == OX_HOLDS && b == OX_HOLDS ? OX_HOLDS : OX_YES;
}

static ox_truth either(ox_truth a, ox_truth b) {
    if (a == OX_YES || b == OX_YES) return OX_YES;
    if (a == OX_HOLDS || b == OX_HOLDS) return OX_HOLDS;
    return a == OX_MAYBE || b == OX_MAYBE ? OX_MAYBE : OX_NO;
}

static ox_truth negated(ox_truth t) { return t == OX_YES ? OX_NO : t == OX_NO ? OX_YES : t; }

/* a CMP b for one pair of integers. */
static ox_truth compare_dims(ox_ctx *ctx, ox_dim a, ox_dim b, ox_rcmp cmp) {
    if (!a || !b) return OX_MAYBE;
    int64_t lo, hi;
    if (a == b) lo = hi = 0;
    else if (!ox_dim_range(ox_dim_sub(ctx, a, b), &lo, &hi)) return OX_MAYBE;
    switch (cmp) {
    case OX_RC_EQ: return lo == 0 && hi == 0 ? OX_YES : lo > 0 || hi < 0 ? OX_NO : OX_MAYBE;
    case OX_RC_NE: return negated(compare_dims(ctx, a, b, OX_RC_EQ));
    case OX_RC_LT: return hi < 0 ? OX_YES : lo >= 0 ? OX_NO : OX_MAYBE;
    case OX_RC_LE: return hi <= 0 ? OX_YES : lo > 0 ? OX_NO : OX_MAYBE;
    case OX_RC_GT: return negated(compare_dims(ctx, a, b, OX_RC_LE));
    default: return negated(compare_dims(ctx, a, b, OX_RC_LT));
    }
}

static ox_truth compare_numbers(double a, double b, bool loose, ox_rcmp cmp) {
    if (cmp == OX_RC_EQ) {
        if (a == b) return OX_YES;
        if (!loose || isnan(a) || isnan(b) || isinf(a) || isinf(b) || a == nearbyint(a) || b == nearbyint(b)) return OX_NO;
        return fabs(a - b) <= 1e-6 * fmax(fabs(a), fabs(b)) ? OX_YES : OX_NO;
    }
    return (cmp == OX_RC_LT ? a < b : cmp == OX_RC_LE ? a <= b : cmp == OX_RC_GT ? a > b : a >= b) ? OX_YES : OX_NO;
}

static ox_truth compare_ints(ox_ctx *ctx, const ox_rv *a, const ox_rv *b, ox_rcmp cmp) {
    bool sa = a->scalar, sb = b->scalar;
    if (!sa && !sb && a->n != b->n) return cmp == OX_RC_EQ ? OX_NO : OX_MAYBE;
    int64_t n = sa ? b->n : a->n;
    if (!n && (sa || sb)) return OX_MAYBE; /* "all of nothing" proves nothing */
    ox_truth t = OX_YES;
    for (int64_t i = 0; i < n && t != OX_NO; i++) t = both(t, compare_dims(ctx, a->d[sa ? 0 : i], b->d[sb ? 0 : i], cmp));
    return t;
}

static ox_truth compare_tensors(const ox_tensor *a, const ox_tensor *b, bool loose, ox_rcmp cmp) {
    bool sa = a->count == 1, sb = b->count == 1;
    if (!a->count || !b->count) return OX_MAYBE;
    if (!sa && !sb && (a->rank != b->rank || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims)))
        return cmp == OX_RC_EQ ? OX_NO : OX_MAYBE;
    if (a->dtype == OX_STRING || b->dtype == OX_STRING) return OX_MAYBE;
    const void *da = ox_tensor_data(a), *db = ox_tensor_data(b);
    if (!da || !db) return OX_MAYBE;
    int64_t n = sa ? b->count : a->count;
    for (int64_t i = 0; i < n; i++) {
        double x = ox_load_double(a->dtype, da, sa ? 0 : i), y = ox_load_double(b->dtype, db, sb ? 0 : i);
        if (compare_numbers(x, y, loose, cmp) == OX_NO) return OX_NO;
    }
    return OX_YES;
}

static ox_truth compare(ox_rmatch *mt, const ox_rv *a, const ox_rv *b, ox_rcmp cmp) {
    if (a->kind == OX_RV_ABSENT || b->kind == OX_RV_ABSENT) return OX_HOLDS;
    if (a->kind == OX_RV_UNKNOWN || b->kind == OX_RV_UNKNOWN) return OX_MAYBE;
    if (cmp == OX_RC_NE) return negated(compare(mt, a, b, OX_RC_EQ));
    if (a->kind == OX_RV_STRING || b->kind == OX_RV_STRING) {
        if (a->kind != b->kind || cmp != OX_RC_EQ) return OX_MAYBE;
        return a->s.len == b->s.len && !memcmp(a->s.data, b->s.data, a->s.len) ? OX_YES : OX_NO;
    }
    if (a->kind == OX_RV_INTS && b->kind == OX_RV_INTS) return compare_ints(mt->ctx, a, b, cmp);
    const ox_tensor *ta = a->kind == OX_RV_TENSOR ? ox_rv_stored(mt, a) : ox_rv_tensor(mt, a);
    const ox_tensor *tb = b->kind == OX_RV_TENSOR ? ox_rv_stored(mt, b) : ox_rv_tensor(mt, b);
    if (!ta || !tb) return OX_MAYBE;
    ox_truth t = compare_tensors(ta, tb, !a->natural || !b->natural, cmp);
    if (t == OX_MAYBE && ox_error_code(mt->ctx)) ox_rmatch_refused(mt);
    return t;
}

ox_truth ox_rv_equal(ox_rmatch *mt, const ox_rv *a, const ox_rv *b) { return compare(mt, a, b, OX_RC_EQ); }

/* ---- operators on integers ---- */

static ox_dim dim_divide(ox_ctx *ctx, ox_dim a, ox_dim b, bool mod) {
    int64_t x, y;
    if (ox_dim_is_const(a, &x) && ox_dim_is_const(b, &y)) {
        if (!y || (x == INT64_MIN && y == -1)) return NULL;
        return ox_dim_const(ctx, mod ? x - y * (x / y - (x % y != 0 && (x < 0) != (y < 0))) : x / y); /* as Div and Mod of ONNX */
    }
    if (!ox_dim_nonneg(a) || !ox_dim_positive(b)) return NULL;
    return mod ? ox_dim_mod(ctx, a, b) : ox_dim_floordiv(ctx, a, b);
}

static bool arithmetic(ox_rmatch *mt, ox_sym op, const ox_rv *a, const ox_rv *b, ox_rv *out) {
    static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"};
    int which = 0;
    while (which < 7 && strcmp(op, names[which])) which++;
    if (which == 7 || (!a->scalar && !b->scalar && a->n != b->n && a->n != 1 && b->n != 1)) return false;
    bool sa = a->scalar || (a->n == 1 && b->n != 1), sb = b->scalar || (b->n == 1 && a->n != 1);
    int64_t n = sa ? b->n : a->n;
    ox_dim *d = ints(mt, out, n);
    out->scalar = a->scalar && b->scalar;
    out->natural = a->natural ? a->natural : b->natural;
    for (int64_t i = 0; i < n; i++) {
        ox_dim x = a->d[sa ? 0 : i], y = b->d[sb ? 0 : i];
        switch (which) {
        case 0: d[i] = ox_dim_add(mt->ctx, x, y); break;
        case 1: d[i] = ox_dim_sub(mt->ctx, x, y); break;
        case 2: d[i] = ox_dim_mul(mt->ctx, x, y); break;
        case 5: d[i] = ox_dim_max(mt->ctx, x, y); break;
        case 6: d[i] = ox_dim_min(mt->ctx, x, y); break;
        default: d[i] = x && y ? dim_divide(mt->ctx, x, y, which == 4) : NULL;
        }
    }
    return true;
}

static bool is_extreme(ox_sym op) { return !strcmp(op, "Max") || !strcmp(op, "Min"); }

/* The type variable of a formal input, NULL when its type is fixed. */
static const char *type_var(const ox_signature *sig, int i) {
    if (!sig->n_in) return NULL;
    const ox_formal *f = &sig->in[i < sig->n_in ? i : sig->n_in - 1];
    for (int k = 0; k < sig->n_vars; k++)
        if (!strcmp(sig->vars[k].name, f->type)) return f->type;
    return NULL;
}

static bool same_var(const ox_signature *sig, int i, int k) {
    const char *a = type_var(sig, i), *b = type_var(sig, k);
    return a && b && !strcmp(a, b);
}

/* Literals take the kind of number of what they are computed with. */
static bool unify(ox_rmatch *mt, const ox_signature *sig, ox_tensor **in, int n) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            if (!in[i] || !in[k] || in[i]->dtype == in[k]->dtype || !same_var(sig, i, k)) continue;
            bool to_double = in[i]->dtype == OX_INT64 && in[k]->dtype == OX_DOUBLE, to_bool = in[i]->dtype == OX_INT64 && in[k]->dtype == OX_BOOL;
            if ((to_double || to_bool) && !(in[i] = converted(mt, in[i], in[k]->dtype))) return false;
        }
    return true;
}

static ox_dtype natural_of(const ox_signature *sig, const ox_rv *in, int n_in, const ox_tensor *result) {
    const char *out = sig->n_out ? sig->out[0].type : "";
    for (int i = 0; i < n_in; i++) {
        const char *v = type_var(sig, i);
        if (v && !strcmp(v, out) && in[i].natural) return in[i].natural;
    }
    if (result->dtype == OX_DOUBLE || result->dtype == OX_INT64) {
        for (int i = 0; i < n_in; i++) {
            const char *v = type_var(sig, i);
            if (v && !strcmp(v, out) && in[i].kind != OX_RV_ABSENT) return OX_UNDEFINED; /* literals alone */
        }
    }
    return result->dtype;
}

static bool run_op(ox_rmatch *mt, const ox_rx *x, ox_sym op, const ox_rv *in, int n_in, ox_attr *const *attrs, int n_attrs, ox_rv *out, int n_out) {
    if (!x->sig || x->domain[0]) return false;
    if (n_in == 1 && !strcmp(op, "Neg") && in[0].kind == OX_RV_INTS) {
        ox_rv zero;
        ox_rv_int(mt, 0, &zero);
        return arithmetic(mt, ox_intern(mt->ctx, "Sub"), &zero, &in[0], out);
    }
    if (n_in == 2 && in[0].kind == OX_RV_INTS && in[1].kind == OX_RV_INTS && !n_attrs && arithmetic(mt, op, &in[0], &in[1], out)) return true;
    const ox_rlazy *later = n_in == 2 && n_out == 1 && !n_attrs ? ox_rlazy_make(mt, op, &in[0], &in[1]) : NULL;
    if (later) {
        out[0] = (ox_rv){.kind = OX_RV_TENSOR, .natural = in[0].natural ? in[0].natural : in[1].natural, .lazy = later};
        return true;
    }
    ox_tensor **t = OX_NEW_N(mt->arena, ox_tensor *, n_in + 1), **r = OX_NEW_N(mt->arena, ox_tensor *, n_out + 1);
    for (int i = 0; i < n_in; i++)
        if (in[i].kind != OX_RV_ABSENT && !(t[i] = ox_rv_tensor(mt, &in[i]))) return false;
    if (!unify(mt, x->sig, t, n_in)) return false;
    if (ox_eval_op(mt->ctx, mt->arena, op, attrs, n_attrs, t, n_in, r, n_out)) return ox_rmatch_refused(mt);
    for (int i = 0; i < n_out; i++) ox_rv_of_tensor(mt, r[i], r[i] ? natural_of(x->sig, in, n_in, r[i]) : OX_UNDEFINED, &out[i]);
    return true;
}

bool ox_rule_run_op(ox_rmatch *mt, const ox_rx *x, ox_sym op, const ox_rv *in, int n_in, ox_attr *const *attrs, int n_attrs, ox_rv *out,
                    int n_out) {
    if (!run_op(mt, x, op, in, n_in, attrs, n_attrs, out, n_out)) return false;
    for (int i = 0; i < n_in && n_out && !out[0].leaf; i++) out[0].leaf = in[i].leaf;
    return true;
}

/* An operator in an expression: arguments, named inputs and attributes to the newest form, then run. */
static void eval_op(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    unknown(out);
    if (!x->sig) return;
    int n = x->n_args, n_attrs = 0, cap = x->sig->n_in > n ? x->sig->n_in : n;
    ox_rv *in = OX_NEW_N(mt->arena, ox_rv, cap + 1);
    ox_attr **attrs = OX_NEW_N(mt->arena, ox_attr *, x->n_params + 1);
    for (int i = 0; i < cap; i++) in[i].kind = OX_RV_ABSENT;
    for (int i = 0; i < n; i++) {
        ox_rule_eval(mt, x->args[i], &in[i]);
        if (in[i].kind == OX_RV_UNKNOWN) return;
        if (in[i].kind == OX_RV_ABSENT && !is_extreme(x->name)) {
            absent(out);
            return;
        }
    }
    if (is_extreme(x->name)) { /* of those that are there */
        int left = 0;
        for (int i = 0; i < n; i++)
            if (in[i].kind != OX_RV_ABSENT) in[left++] = in[i];
        if (left <= 1) {
            if (left) *out = in[0];
            else absent(out);
            return;
        }
        n = left;
    }
    for (int i = 0; i < x->n_params; i++) {
        ox_rv v;
        ox_rule_eval(mt, x->params[i].x, &v);
        const ox_formal_attr *fa = ox_signature_attr(x->sig, x->params[i].name);
        if (fa) {
            if (!(attrs[n_attrs++] = ox_rule_make_attr(mt, x->params[i].name, fa->type, &v))) return;
            continue;
        }
        int at = ox_signature_input(x->sig, x->params[i].name);
        if (at < 0 || at >= cap || v.kind == OX_RV_UNKNOWN) return;
        in[at] = v;
        if (at >= n) n = at + 1;
    }
    ox_rv r;
    if (ox_rule_run_op(mt, x, x->ops ? mt->bind[x->slot].op : x->name, in, n, attrs, n_attrs, &r, 1)) *out = r;
}

/* ---- other expressions ---- */

static void eval_name(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    if (x->fresh) {
        if (mt->fresh) *out = mt->fresh[x->slot];
        else unknown(out);
        return;
    }
    const ox_rbind *b = &mt->bind[x->slot];
    if (!b->bound) {
        absent(out);
        return;
    }
    switch (mt->rule->slots[x->slot].kind) {
    case OX_RS_VALUE: ox_rv_of_arg(mt, &b->value, out); return;
    case OX_RS_DIM:
    case OX_RS_TYPE:
    case OX_RS_ATTR: *out = b->rv; return;
    default: unknown(out); return;
    }
}

static void eval_list(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv *v = OX_NEW_N(mt->arena, ox_rv, x->n_args + 1);
    int64_t n = 0;
    bool all_ints = true;
    for (int i = 0; i < x->n_args; i++) {
        const ox_rx *a = x->args[i];
        ox_rule_eval(mt, a->kind == OX_RX_SPLICE ? a->args[0] : a, &v[i]);
        if (v[i].kind == OX_RV_TENSOR) all_ints = false;
        else if (v[i].kind != OX_RV_INTS) {
            unknown(out);
            if (v[i].kind == OX_RV_ABSENT) out->kind = OX_RV_ABSENT;
            return;
        }
        bool whole = v[i].kind == OX_RV_INTS || v[i].t; /* not a tensor that is computed piece by piece, which is a large one */
        int64_t k = v[i].kind == OX_RV_INTS ? v[i].n : whole ? v[i].t->count : 0;
        if (!whole || (a->kind != OX_RX_SPLICE && k != 1) || n + k > OX_ELEMS_MAX) {
            unknown(out);
            return;
        }
        n += k;
    }
    ox_dim *d = ints(mt, out, n);
    if (all_ints) {
        for (int i = 0; i < x->n_args; i++)
            for (int64_t k = 0; k < v[i].n; k++) *d++ = v[i].d[k];
        return;
    }
    ox_tensor *t = ox_rmatch_own(mt, ox_tensor_new(mt->ctx, OX_DOUBLE, 1, &n));
    unknown(out);
    if (!t) {
        ox_rmatch_refused(mt);
        return;
    }
    double *to = ox_tensor_mut(t);
    for (int i = 0; i < x->n_args; i++) {
        ox_tensor *e = ox_rv_tensor(mt, &v[i]);
        const void *data = e ? ox_tensor_data(e) : NULL;
        if (!data) return;
        for (int64_t k = 0; k < e->count; k++) *to++ = ox_load_double(e->dtype, data, k);
    }
    ox_rv_of_tensor(mt, ox_tensor_ref(t), OX_UNDEFINED, out);
}

static void eval_range(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv a, b;
    int64_t from, to;
    ox_rule_eval(mt, x->args[0], &a);
    ox_rule_eval(mt, x->args[1], &b);
    unknown(out);
    if (a.kind == OX_RV_ABSENT || b.kind == OX_RV_ABSENT) out->kind = OX_RV_ABSENT;
    if (!known_int(mt, &a, &from) || !known_int(mt, &b, &to)) return;
    int64_t n;
    if (to < from) to = from;
    if (__builtin_sub_overflow(to, from, &n) || n > OX_ELEMS_MAX) return;
    ox_dim *d = ints(mt, out, n);
    for (int64_t i = 0; i < n; i++) d[i] = ox_dim_const(mt->ctx, from + i);
}

static void eval_index(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv v, at;
    const int64_t *k;
    ox_rule_eval(mt, x->args[0], &v);
    ox_rule_eval(mt, x->args[1], &at);
    unknown(out);
    if (v.kind == OX_RV_ABSENT || at.kind == OX_RV_ABSENT) out->kind = OX_RV_ABSENT;
    if (v.kind != OX_RV_INTS || v.scalar || !ox_rv_known_ints(mt, &at, &k)) return;
    ox_rv r;
    ox_dim *d = ints(mt, &r, at.n);
    for (int64_t i = 0; i < at.n; i++) {
        int64_t j = k[i] < 0 ? k[i] + v.n : k[i];
        if (j < 0 || j >= v.n) return;
        d[i] = v.d[j];
    }
    r.scalar = at.scalar;
    r.natural = v.natural;
    *out = r;
}

static void eval_slice(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv v, e;
    ox_rule_eval(mt, x->args[0], &v);
    unknown(out);
    if (v.kind == OX_RV_ABSENT) out->kind = OX_RV_ABSENT;
    if (v.kind != OX_RV_INTS || v.scalar) return;
    int64_t end[2] = {0, v.n};
    for (int i = 0; i < 2; i++) {
        if (!x->args[i + 1]) continue;
        ox_rule_eval(mt, x->args[i + 1], &e);
        if (!known_int(mt, &e, &end[i])) return;
        if (end[i] < 0) end[i] += v.n;
        if (end[i] < 0) end[i] = 0;
        if (end[i] > v.n) end[i] = v.n;
    }
    if (end[1] < end[0]) end[1] = end[0];
    *out = v;
    out->d = v.d + end[0];
    out->n = end[1] - end[0];
}

void ox_rule_eval(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    unknown(out);
    switch (x->kind) {
    case OX_RX_NAME: eval_name(mt, x, out); return;
    case OX_RX_ATTR:
        if (mt->bind[x->slot].bound) *out = mt->bind[x->slot].rv;
        else out->kind = OX_RV_ABSENT;
        return;
    case OX_RX_INT: ox_rv_int(mt, x->i, out); return;
    case OX_RX_FLOAT: {
        ox_tensor *t = ox_tensor_scalar_double(mt->ctx, OX_DOUBLE, x->f);
        if (t) ox_rv_of_tensor(mt, t, OX_UNDEFINED, out);
        else ox_rmatch_refused(mt);
        return;
    }
    case OX_RX_STRING: *out = (ox_rv){.kind = OX_RV_STRING, .s = {x->name, ox_sym_len(x->name)}}; return;
    case OX_RX_LIST: eval_list(mt, x, out); return;
    case OX_RX_OP: eval_op(mt, x, out); return;
    case OX_RX_CALL: x->fun->run(mt, x, out); return;
    case OX_RX_ELSE:
        for (int i = 0; i < x->n_args; i++) {
            ox_rule_eval(mt, x->args[i], out);
            if (out->kind != OX_RV_ABSENT) return;
        }
        return;
    case OX_RX_RANGE: eval_range(mt, x, out); return;
    case OX_RX_INDEX: eval_index(mt, x, out); return;
    case OX_RX_SLICE: eval_slice(mt, x, out); return;
    case OX_RX_CMP:
    case OX_RX_AND:
    case OX_RX_OR:
    case OX_RX_NOT:
    case OX_RX_IN:
    case OX_RX_TYPE: truth_value(ox_rule_truth(mt, x), out); return;
    case OX_RX_ANY:
    case OX_RX_ALT:
    case OX_RX_SPLICE: return;
    }
}

/* ---- conditions ---- */

/* "T[M, K, ?] x": binds what is free, compares what is bound. */
static ox_truth type_truth(ox_rmatch *mt, const ox_rx *x) {
    const ox_rbind *v = &mt->bind[x->args[0]->slot];
    if (!v->bound || (!v->value.v && !v->value.t)) return OX_HOLDS;
    const ox_type *t = ox_rarg_type(mt, &v->value);
    if (!ox_type_is_tensor(t) || t->dtype == OX_UNDEFINED) return OX_MAYBE;
    if (x->slot < 0) {
        if (x->i != (int64_t)t->dtype) return OX_NO;
    } else if (!mt->bind[x->slot].bound) {
        ox_rv_int(mt, t->dtype, &ox_rmatch_bind(mt, x->slot)->rv);
    } else if (!ox_dim_is(mt->bind[x->slot].rv.d[0], t->dtype)) {
        return OX_NO;
    }
    if (!x->has_shape) return OX_YES;
    if (t->rank < 0) return OX_MAYBE;
    if (t->rank != x->n_args - 1) return OX_NO;
    ox_truth all = OX_YES;
    for (int i = 0; i < t->rank; i++) {
        const ox_rx *d = x->args[i + 1];
        if (d->kind == OX_RX_ANY) continue;
        if (d->kind == OX_RX_NAME && !mt->bind[d->slot].bound) { /* maybe an unknown size: equal to nothing from here on */
            dim_value(mt, t->dims[i], &ox_rmatch_bind(mt, d->slot)->rv);
            continue;
        }
        ox_dim want = d->kind == OX_RX_INT ? ox_dim_const(mt->ctx, d->i) : mt->bind[d->slot].rv.d[0];
        all = both(all, compare_dims(mt->ctx, t->dims[i], want, OX_RC_EQ));
    }
    return all;
}

ox_truth ox_rule_truth(ox_rmatch *mt, const ox_rx *x) {
    ox_rv a, b;
    switch (x->kind) {
    case OX_RX_AND: return both(ox_rule_truth(mt, x->args[0]), ox_rule_truth(mt, x->args[1]));
    case OX_RX_OR: return either(ox_rule_truth(mt, x->args[0]), ox_rule_truth(mt, x->args[1]));
    case OX_RX_NOT: return negated(ox_rule_truth(mt, x->args[0]));
    case OX_RX_TYPE: return type_truth(mt, x);
    case OX_RX_CMP:
        ox_rule_eval(mt, x->args[0], &a);
        ox_rule_eval(mt, x->args[1], &b);
        return compare(mt, &a, &b, x->cmp);
    case OX_RX_IN: {
        ox_truth t = OX_NO;
        ox_rule_eval(mt, x->args[0], &a);
        for (int i = 1; i < x->n_args; i++) {
            ox_rule_eval(mt, x->args[i], &b);
            t = either(t, compare(mt, &a, &b, OX_RC_EQ));
        }
        return t;
    }
    default:
        ox_rule_eval(mt, x, &a);
        if (a.kind == OX_RV_ABSENT) return OX_HOLDS;
        return a.kind == OX_RV_TRUTH ? (a.truth ? OX_YES : OX_NO) : OX_MAYBE;
    }
}
