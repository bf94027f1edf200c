/* Functions of guards and computed values, and parameters of operators with the defaults that no signature can say.
 *
 * Adding a function: one row at the end of the table below, one line in docs/rules.md. A function says UNKNOWN unless it can prove
 * its answer. */
#include "passes/rule.h"

#include <math.h>
#include <stdlib.h>

static void unknown(ox_rv *out) { *out = (ox_rv){.kind = OX_RV_UNKNOWN}; }
static void absent(ox_rv *out) { *out = (ox_rv){.kind = OX_RV_ABSENT}; }
static void truth(ox_rv *out, bool v) { *out = (ox_rv){.kind = OX_RV_TRUTH, .truth = v}; }

/* ---- operands behind names ---- */

const ox_type *ox_rarg_type(ox_rmatch *mt, const ox_arg *a) {
    if (a->v && ox_type_is_tensor(a->v->type) && a->v->type->dtype != OX_UNDEFINED && a->v->type->rank >= 0) return a->v->type;
    if (!a->t) return a->v ? a->v->type : NULL;
    ox_dim *d = OX_NEW_N(mt->arena, ox_dim, a->t->rank + 1);
    for (int i = 0; i < a->t->rank; i++) d[i] = ox_dim_const(mt->ctx, a->t->dims[i]);
    return ox_type_tensor(mt->arena, a->t->dtype, a->t->rank, d);
}

/* The operand a name stands for; false when it is absent. *known says whether there is one at all. */
static bool operand(ox_rmatch *mt, const ox_rx *x, ox_arg *a, bool *known) {
    *a = (ox_arg){0};
    *known = true;
    if (x->kind == OX_RX_NAME && x->fresh) { /* made by the rewrite: a constant or nothing known */
        const ox_rv *v = mt->fresh ? &mt->fresh[x->slot] : NULL;
        if (v && v->kind == OX_RV_ABSENT) return false;
        a->t = v ? ox_rv_tensor(mt, v) : NULL;
        *known = a->t != NULL;
        return *known;
    }
    if (x->kind != OX_RX_NAME || x->slot < 0 || mt->rule->slots[x->slot].kind != OX_RS_VALUE) {
        *known = false;
        return false;
    }
    if (mt->bind[x->slot].bound) *a = mt->bind[x->slot].value;
    return a->v || a->t;
}

/* The type of an argument; NULL with *out filled when there is none. */
static const ox_type *type_of(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_arg a;
    bool known;
    unknown(out);
    if (!operand(mt, x, &a, &known)) {
        if (known) absent(out);
        return NULL;
    }
    const ox_type *t = ox_rarg_type(mt, &a);
    return ox_type_is_tensor(t) ? t : NULL;
}

static bool one_int(ox_rmatch *mt, const ox_rx *x, int64_t *v) {
    ox_rv r;
    const int64_t *k;
    ox_rule_eval(mt, x, &r);
    if (!ox_rv_known_ints(mt, &r, &k) || r.n != 1) return false;
    return *v = k[0], true;
}

/* Known integers of a vector; false with *out filled when they are not known. */
static bool int_list(ox_rmatch *mt, const ox_rx *x, const int64_t **v, int64_t *n, ox_rv *out) {
    ox_rv r;
    ox_rule_eval(mt, x, &r);
    unknown(out);
    if (r.kind == OX_RV_ABSENT) absent(out);
    if (!ox_rv_known_ints(mt, &r, v)) return false;
    *n = r.n;
    return true;
}

/* ---- what values are ---- */

static void fun_const(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    for (int i = 0; i < x->n_args; i++) {
        const ox_rx *a = x->args[i];
        unknown(out);
        if (a->kind != OX_RX_NAME || a->fresh || a->slot < 0) return;
        const ox_rbind *b = &mt->bind[a->slot];
        if (!b->bound) continue;
        truth(out, false);
        if (mt->rule->slots[a->slot].kind == OX_RS_LIST) {
            for (int k = 0; k < b->list.n; k++)
                if (!b->list.args[k].t) return;
        } else if (b->value.v && !b->value.t) {
            return;
        }
    }
    truth(out, true);
}

static void fun_scalar(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    bool yes = true;
    for (int i = 0; i < x->n_args; i++) {
        const ox_type *t = type_of(mt, x->args[i], out);
        if (!t && out->kind == OX_RV_ABSENT) continue;
        if (!t || t->rank < 0) return;
        for (int k = 0; k < t->rank; k++) {
            if (!t->dims[k]) return;
            yes = yes && ox_dim_is(t->dims[k], 1);
        }
    }
    truth(out, yes);
}

static void of_types(ox_rmatch *mt, const ox_rx *x, ox_rv *out, bool (*is)(ox_dtype t)) {
    bool yes = true;
    for (int i = 0; i < x->n_args; i++) {
        const ox_type *t = type_of(mt, x->args[i], out);
        if (!t && out->kind == OX_RV_ABSENT) continue;
        if (!t || t->dtype == OX_UNDEFINED) return;
        yes = yes && is(t->dtype);
    }
    truth(out, yes);
}

static bool is_float(ox_dtype t) { return t == OX_FLOAT || t == OX_DOUBLE || t == OX_FLOAT16 || t == OX_BFLOAT16; }
static void fun_float(ox_rmatch *mt, const ox_rx *x, ox_rv *out) { of_types(mt, x, out, is_float); }
static void fun_int(ox_rmatch *mt, const ox_rx *x, ox_rv *out) { of_types(mt, x, out, ox_dtype_is_int); }

static void fun_shape(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const ox_type *t = type_of(mt, x->args[0], out);
    if (t && t->rank >= 0) *out = (ox_rv){.kind = OX_RV_INTS, .n = t->rank, .d = t->dims, .natural = OX_INT64};
}

static void fun_rank(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const ox_type *t = type_of(mt, x->args[0], out);
    if (t && t->rank >= 0) ox_rv_int(mt, t->rank, out);
}

static void fun_dtype(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const ox_type *t = type_of(mt, x->args[0], out);
    if (t && t->dtype != OX_UNDEFINED) ox_rv_int(mt, t->dtype, out);
}

static void product(ox_rmatch *mt, const ox_rv *v, bool sum, ox_rv *out) {
    ox_dim p = ox_dim_const(mt->ctx, sum ? 0 : 1);
    for (int64_t i = 0; i < v->n; i++) p = sum ? ox_dim_add(mt->ctx, p, v->d[i]) : ox_dim_mul(mt->ctx, p, v->d[i]);
    ox_rv_int(mt, 0, out);
    ((ox_dim *)out->d)[0] = p;
}

static void fun_size(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv s;
    fun_shape(mt, x, &s);
    *out = s;
    if (s.kind == OX_RV_INTS) product(mt, &s, false, out);
}

static void fold(ox_rmatch *mt, const ox_rx *x, bool sum, ox_rv *out) {
    ox_rv v;
    ox_rule_eval(mt, x->args[0], &v);
    *out = v;
    if (v.kind == OX_RV_INTS) product(mt, &v, sum, out);
    else if (v.kind != OX_RV_ABSENT) unknown(out);
}
static void fun_prod(ox_rmatch *mt, const ox_rx *x, ox_rv *out) { fold(mt, x, false, out); }
static void fun_sum(ox_rmatch *mt, const ox_rx *x, ox_rv *out) { fold(mt, x, true, out); }

static void fun_len(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const ox_rx *a = x->args[0];
    if (a->kind == OX_RX_NAME && !a->fresh && a->slot >= 0 && mt->rule->slots[a->slot].kind == OX_RS_LIST) {
        ox_rv_int(mt, mt->bind[a->slot].list.n, out);
        return;
    }
    ox_rv v;
    ox_rule_eval(mt, a, &v);
    unknown(out);
    if (v.kind == OX_RV_ABSENT) absent(out);
    if (v.kind == OX_RV_INTS && !v.scalar) ox_rv_int(mt, v.n, out);
    ox_tensor *t = v.kind == OX_RV_TENSOR ? ox_rv_stored(mt, &v) : NULL;
    if (t && t->rank == 1) ox_rv_int(mt, t->count, out);
}

/* What is known of the elements of a small integer value made at run time. */
static void fun_elems(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_arg a;
    bool known;
    unknown(out);
    if (!operand(mt, x->args[0], &a, &known)) {
        if (known) absent(out);
        return;
    }
    if (a.t) {
        ox_rv_of_arg(mt, &a, out);
        if (out->kind == OX_RV_TENSOR) unknown(out);
        return;
    }
    if (a.v && a.v->elems && ox_type_is_tensor(a.v->type) && a.v->type->rank >= 0)
        *out = (ox_rv){.kind = OX_RV_INTS, .n = a.v->nelems, .d = a.v->elems, .scalar = a.v->type->rank == 0};
}

static void present(ox_rmatch *mt, const ox_rx *x, ox_rv *out, bool want) {
    bool yes = true;
    for (int i = 0; i < x->n_args; i++) {
        const ox_rx *a = x->args[i];
        bool there = false;
        if (a->slot >= 0 && mt->bind[a->slot].bound) {
            const ox_rbind *b = &mt->bind[a->slot];
            ox_rslot_kind k = mt->rule->slots[a->slot].kind;
            there = k == OX_RS_VALUE ? b->value.v || b->value.t : k == OX_RS_LIST ? b->list.n > 0 : b->rv.kind != OX_RV_ABSENT;
        }
        yes = yes && there == want;
    }
    truth(out, yes);
}
static void fun_present(ox_rmatch *mt, const ox_rx *x, ox_rv *out) { present(mt, x, out, true); }
static void fun_absent(ox_rmatch *mt, const ox_rx *x, ox_rv *out) { present(mt, x, out, false); }

/* ---- proofs about shapes and elements ---- */

/* broadcasts(s, t): a value of shape s fits into shape t without changing it. */
static void fun_broadcasts(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv s, t;
    ox_rule_eval(mt, x->args[0], &s);
    ox_rule_eval(mt, x->args[1], &t);
    unknown(out);
    if (s.kind == OX_RV_ABSENT || t.kind == OX_RV_ABSENT) {
        absent(out);
        return;
    }
    if (s.kind != OX_RV_INTS) return;
    if (!s.n) {
        truth(out, true);
        return;
    }
    if (t.kind != OX_RV_INTS) return;
    if (s.n > t.n) {
        truth(out, false);
        return;
    }
    bool sure = true;
    for (int64_t i = 0; i < s.n; i++) {
        ox_dim a = s.d[i], b = t.d[t.n - s.n + i];
        int64_t ka, kb;
        if (!a) sure = false;
        else if (ox_dim_is(a, 1) || a == b) continue;
        else if (ox_dim_is_const(a, &ka) && b && ox_dim_is_const(b, &kb)) {
            truth(out, false);
            return;
        } else sure = false;
    }
    if (sure) truth(out, true);
}

/* has(v, k): some element of v equals k. */
static void fun_has(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv v, k;
    ox_rule_eval(mt, x->args[0], &v);
    ox_rule_eval(mt, x->args[1], &k);
    unknown(out);
    if (v.kind == OX_RV_ABSENT || k.kind == OX_RV_ABSENT) {
        absent(out);
        return;
    }
    if (v.kind == OX_RV_INTS && k.kind == OX_RV_INTS && k.n == 1) {
        bool sure = true;
        for (int64_t i = 0; i < v.n; i++) {
            ox_rv e = {.kind = OX_RV_INTS, .n = 1, .scalar = true, .d = &v.d[i]};
            ox_truth t = ox_rv_equal(mt, &e, &k);
            if (t == OX_YES) {
                truth(out, true);
                return;
            }
            sure = sure && t == OX_NO;
        }
        if (sure) truth(out, false);
        return;
    }
    ox_tensor *kt = ox_rv_tensor(mt, &k);
    if (v.kind != OX_RV_TENSOR || !(v.t = ox_rv_stored(mt, &v)) || !kt || kt->count != 1 || !ox_dtype_bits(v.t->dtype)) return;
    const void *data = ox_tensor_data(v.t), *kd = ox_tensor_data(kt);
    if (!data || !kd) {
        ox_rmatch_refused(mt);
        return;
    }
    double want = ox_load_double(kt->dtype, kd, 0);
    truth(out, false);
    for (int64_t i = 0; i < v.t->count; i++)
        if (ox_load_double(v.t->dtype, data, i) == want) {
            truth(out, true);
            return;
        }
}

static void fun_finite(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv v;
    ox_rule_eval(mt, x->args[0], &v);
    *out = v;
    if (v.kind == OX_RV_ABSENT) return;
    unknown(out);
    if (v.kind == OX_RV_INTS) truth(out, true);
    if (v.kind != OX_RV_TENSOR || !(v.t = ox_rv_stored(mt, &v)) || !ox_dtype_bits(v.t->dtype)) return;
    const void *data = ox_tensor_data(v.t);
    if (!data) {
        ox_rmatch_refused(mt);
        return;
    }
    truth(out, true);
    for (int64_t i = 0; i < v.t->count; i++)
        if (!isfinite(ox_load_double(v.t->dtype, data, i))) {
            truth(out, false);
            return;
        }
}

/* Bits that hold every value of a type exactly: integers without sign bit, floats their significand. */
static int bits_of(ox_dtype t) {
    switch (t) {
    case OX_BOOL: return 1;
    case OX_FLOAT16: return 11;
    case OX_BFLOAT16: return 8;
    case OX_FLOAT: return 24;
    case OX_DOUBLE: return 53;
    default: return ox_dtype_is_int(t) ? (int)ox_dtype_bits(t) - ox_dtype_is_signed(t) : 0;
    }
}

/* lossless(a, b): every value of element type a is a value of b. */
static void fun_lossless(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    int64_t a, b;
    unknown(out);
    if (!one_int(mt, x->args[0], &a) || !one_int(mt, x->args[1], &b) || a <= 0 || b <= 0 || a >= OX_DTYPE_COUNT || b >= OX_DTYPE_COUNT) return;
    ox_dtype from = (ox_dtype)a, to = (ox_dtype)b;
    bool yes = bits_of(from) && bits_of(to) && bits_of(from) <= bits_of(to) && to != OX_BOOL;
    if (is_float(from)) yes = yes && is_float(to) && !(from == OX_BFLOAT16 && to == OX_FLOAT16);
    if (ox_dtype_is_int(from) && ox_dtype_is_int(to)) yes = yes && (!ox_dtype_is_signed(from) || ox_dtype_is_signed(to));
    truth(out, yes || from == to);
}

/* same(x, y): the same value, or constants of equal bits. */
static void fun_same(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_arg a, b;
    bool ka, kb;
    unknown(out);
    if (!operand(mt, x->args[0], &a, &ka) || !operand(mt, x->args[1], &b, &kb)) {
        if (ka && kb) absent(out);
        return;
    }
    if (a.v && a.v == b.v) truth(out, true);
    else if (a.t && b.t) truth(out, ox_tensor_equal(a.t, b.t));
}

/* ---- lists ---- */

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void fun_sorted(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const int64_t *v;
    int64_t n;
    if (!int_list(mt, x->args[0], &v, &n, out)) return;
    int64_t *s = ox_dup(mt->arena, v, (size_t)(n ? n : 1) * sizeof *v);
    qsort(s, (size_t)n, sizeof *s, by_value);
    ox_rv_of_ints(mt, n, s, out);
}

static void fun_reverse(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv v;
    ox_rule_eval(mt, x->args[0], &v);
    *out = v;
    if (v.kind != OX_RV_INTS || v.scalar) {
        if (v.kind != OX_RV_ABSENT) unknown(out);
        return;
    }
    ox_dim *d = OX_NEW_N(mt->arena, ox_dim, v.n + 1);
    for (int64_t i = 0; i < v.n; i++) d[i] = v.d[v.n - 1 - i];
    out->d = d;
}

static void fun_fill(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    int64_t n, v;
    unknown(out);
    if (!one_int(mt, x->args[0], &n) || !one_int(mt, x->args[1], &v) || n < 0 || n > OX_ELEMS_MAX) return;
    int64_t *s = OX_NEW_N(mt->arena, int64_t, n + 1);
    for (int64_t i = 0; i < n; i++) s[i] = v;
    ox_rv_of_ints(mt, n, s, out);
}

/* spread(a, b): positions b, and the positions a counted among those that are not in b; sorted. The axes of two Unsqueezes
 * (first a, then b) in one, and of two Squeezes (first b, then a). */
static void fun_spread(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const int64_t *a, *b;
    int64_t na, nb;
    if (!int_list(mt, x->args[0], &a, &na, out) || !int_list(mt, x->args[1], &b, &nb, out)) return;
    unknown(out);
    enum { MAX = 256 };
    bool in_b[MAX] = {0}, in_a[MAX] = {0};
    for (int64_t i = 0; i < nb; i++) {
        if (b[i] < 0 || b[i] >= MAX || in_b[b[i]]) return;
        in_b[b[i]] = true;
    }
    for (int64_t i = 0; i < na; i++) {
        if (a[i] < 0 || a[i] >= MAX || in_a[a[i]]) return;
        in_a[a[i]] = true;
    }
    int64_t s[MAX], n = 0, left = na, other = 0;
    for (int64_t i = 0; i < MAX && (n < na + nb); i++) {
        bool take = in_b[i];
        if (!take) {
            take = other < MAX && in_a[other];
            left -= take;
            other++;
        }
        if (take) s[n++] = i;
    }
    if (n == na + nb && !left) ox_rv_of_ints(mt, n, s, out);
}

/* ordered(s, p): permuting sizes s by p leaves all elements where they are, for only sizes of 1 change places. */
static void fun_ordered(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv s;
    const int64_t *p;
    int64_t n, last = -1;
    if (!int_list(mt, x->args[1], &p, &n, out)) return;
    ox_rule_eval(mt, x->args[0], &s);
    unknown(out);
    if (s.kind != OX_RV_INTS || s.n != n) return;
    for (int64_t i = 0; i < n; i++) {
        if (p[i] < 0 || p[i] >= n) return;
        if (s.d[p[i]] && ox_dim_is(s.d[p[i]], 1)) continue;
        if (p[i] < last) return; /* a size that is not known to be 1 changes places */
        last = p[i];
    }
    truth(out, true);
}

/* pads(p, axes, r): pads given for some axes as pads of all r axes. */
static void fun_pads(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const int64_t *p, *axes;
    int64_t np, na, r;
    if (!int_list(mt, x->args[0], &p, &np, out) || !int_list(mt, x->args[1], &axes, &na, out)) return;
    unknown(out);
    if (!one_int(mt, x->args[2], &r) || r < 0 || r > OX_ELEMS_MAX / 2 || np != 2 * na) return;
    int64_t *full = OX_NEW_N(mt->arena, int64_t, 2 * r + 1);
    for (int64_t i = 0; i < na; i++) {
        if (axes[i] < 0 || axes[i] >= r) return;
        full[axes[i]] = p[i];
        full[axes[i] + r] = p[i + na];
    }
    ox_rv_of_ints(mt, 2 * r, full, out);
}

/* addsat(a, b): sum of bounds of a slice, which stays at the largest number. */
static void fun_addsat(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    const int64_t *a, *b;
    int64_t na, nb;
    if (!int_list(mt, x->args[0], &a, &na, out) || !int_list(mt, x->args[1], &b, &nb, out)) return;
    unknown(out);
    if (na != nb) return;
    int64_t *s = OX_NEW_N(mt->arena, int64_t, na + 1);
    for (int64_t i = 0; i < na; i++)
        if (__builtin_add_overflow(a[i], b[i], &s[i])) s[i] = a[i] > 0 ? INT64_MAX : INT64_MIN;
    ox_rv_of_ints(mt, na, s, out);
}

/* target(x, y) or target(x, y, s): what a Reshape of x must be given so that it has the shape of y: sizes, 0 where the size of x at
 * the same place is copied, at most one -1. Where the old target s says -1 it may stay, for it means the same. Else -1 is used only
 * when all other sizes are known to be 1 or more: with a size of 0 it could not be told. */
static void fun_target(ox_rmatch *mt, const ox_rx *x, ox_rv *out) {
    ox_rv sx, sy, s = {.kind = OX_RV_UNKNOWN};
    const ox_type *tx = type_of(mt, x->args[0], &sx), *ty = type_of(mt, x->args[1], &sy);
    unknown(out);
    if (!ty || ty->rank < 0) return;
    if (x->n_args == 3) {
        ox_rx elems = {.args = &x->args[2], .n_args = 1};
        fun_elems(mt, &elems, &s);
    }
    int64_t *v = OX_NEW_N(mt->arena, int64_t, ty->rank + 1);
    int free = -1;
    bool positive = true;
    for (int i = 0; i < ty->rank; i++)
        if (s.kind == OX_RV_INTS && s.n == ty->rank && s.d[i] && ox_dim_is(s.d[i], -1)) v[free = i] = -1;
    bool kept = free >= 0;
    for (int i = 0; i < ty->rank; i++) {
        ox_dim d = ty->dims[i], from = tx && i < tx->rank ? tx->dims[i] : NULL;
        if (i == free && kept) continue;
        if (d && ox_dim_is_const(d, &v[i]) && v[i] > 0) continue;
        if (d && d == from) {
            v[i] = 0;
            positive = positive && ox_dim_positive(d);
            continue;
        }
        if (free >= 0 || (d && ox_dim_is_const(d, NULL))) return; /* two unknown, or a size of 0 that is not x's */
        free = i;
        v[i] = -1;
    }
    if (free >= 0 && !kept && !positive) return;
    ox_rv_of_ints(mt, ty->rank, v, out);
}

static const ox_rfun functions[] = {
    {"const", 1, 64, fun_const},       {"scalar", 1, 64, fun_scalar},   {"float", 1, 64, fun_float},     {"int", 1, 64, fun_int},
    {"shape", 1, 1, fun_shape},        {"rank", 1, 1, fun_rank},        {"dtype", 1, 1, fun_dtype},      {"size", 1, 1, fun_size},
    {"prod", 1, 1, fun_prod},          {"sum", 1, 1, fun_sum},          {"len", 1, 1, fun_len},          {"elems", 1, 1, fun_elems},
    {"present", 1, 64, fun_present},   {"absent", 1, 64, fun_absent},   {"broadcasts", 2, 2, fun_broadcasts},
    {"has", 2, 2, fun_has},            {"finite", 1, 1, fun_finite},    {"lossless", 2, 2, fun_lossless},
    {"same", 2, 2, fun_same},          {"sorted", 1, 1, fun_sorted},    {"reverse", 1, 1, fun_reverse},  {"fill", 2, 2, fun_fill},
    {"spread", 2, 2, fun_spread},      {"pads", 3, 3, fun_pads},        {"addsat", 2, 2, fun_addsat},    {"target", 2, 3, fun_target},
    {"ordered", 2, 2, fun_ordered},
};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

const ox_rfun *ox_rfun_find(const char *name) {
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (!strcmp(functions[i].name, name)) return &functions[i];
    return NULL;
}

const ox_rfun *ox_rfun_at(size_t i) { return i < N_FUNCTIONS ? &functions[i] : NULL; }

/* ---- parameters of operators ---- */

static bool is_any(const char *name, const char *const *list) {
    for (; *list; list++)
        if (!strcmp(name, *list)) return true;
    return false;
}

static int input_rank(ox_rmatch *mt, const ox_call *c, int i) {
    if (!ox_arg_given(c, i)) return -1;
    const ox_type *t = ox_rarg_type(mt, &c->in[i]);
    return ox_type_is_tensor(t) ? t->rank : -1;
}

/* Negative axes count from the end of what? -1: not known. */
static int axis_rank(ox_rmatch *mt, const ox_call *c, int64_t n_axes) {
    int r = input_rank(mt, c, 0);
    if (r < 0) return -1;
    if (!strcmp(c->op->name, "Unsqueeze")) return r + (int)n_axes;
    return !strcmp(c->op->name, "OneHot") ? r + 1 : r;
}

static void normalise_axes(ox_rmatch *mt, const ox_call *c, ox_rv *v) {
    const int64_t *k;
    if (!ox_rv_known_ints(mt, v, &k)) return;
    int r = axis_rank(mt, c, v->n);
    ox_dim *d = OX_NEW_N(mt->arena, ox_dim, v->n + 1);
    for (int64_t i = 0; i < v->n; i++) d[i] = k[i] >= 0 ? v->d[i] : r >= 0 ? ox_dim_const(mt->ctx, k[i] + r) : NULL;
    v->d = d;
}

static bool filled(ox_rmatch *mt, int64_t n, int64_t from, int64_t step, ox_rv *out) {
    int64_t *v = OX_NEW_N(mt->arena, int64_t, n + 1);
    for (int64_t i = 0; i < n; i++) v[i] = from + i * step;
    ox_rv_of_ints(mt, n, v, out);
    return true;
}

/* Defaults that depend on the inputs. */
static bool computed_default(ox_rmatch *mt, const ox_call *c, const char *name, ox_rv *out) {
    static const char *const windows[] = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", NULL};
    const char *op = c->op->name;
    int r = input_rank(mt, c, 0);
    if (!strcmp(op, "Transpose") && !strcmp(name, "perm")) return r >= 0 && filled(mt, r, r - 1, -1, out);
    if (is_any(op, windows)) {
        int n = r >= 2 ? r - 2 : !strncmp(op, "Conv", 4) && input_rank(mt, c, 1) >= 2 ? input_rank(mt, c, 1) - 2 : -1;
        const ox_attr *k = ox_get_attr(c, "kernel_shape");
        if (n < 0 && k && k->type == OX_A_INTS) n = (int)k->n;
        if (n < 0) return false;
        if (!strcmp(name, "pads")) return filled(mt, 2 * n, 0, 0, out);
        if (!strcmp(name, "strides") || !strcmp(name, "dilations")) return filled(mt, n, 1, 0, out);
    }
    bool slice = !strcmp(op, "Slice");
    if (slice || !strcmp(op, "Pad")) {
        ox_rv starts;
        if (slice && !ox_arg_given(c, 1)) return false;
        if (slice) ox_rv_of_arg(mt, &c->in[1], &starts);
        int64_t n = slice ? (starts.kind == OX_RV_INTS ? starts.n : -1) : r;
        if (n < 0) return false;
        if (!strcmp(name, "axes")) return filled(mt, n, 0, 1, out);
        if (slice && !strcmp(name, "steps")) return filled(mt, n, 1, 0, out);
    }
    if (!strncmp(op, "Reduce", 6) && !strcmp(name, "axes") && !ox_get_int(c, "noop_with_empty_axes")) return r >= 0 && filled(mt, r, 0, 1, out);
    return false;
}

bool ox_rule_param(ox_rmatch *mt, const ox_call *c, const char *name, ox_rv *out) {
    unknown(out);
    if (!c->op) {
        for (int i = 0; i < c->n_attrs; i++)
            if (!strcmp(c->attrs[i]->name, name)) return ox_rv_of_attr(mt, c->attrs[i], out), true;
        return false;
    }
    const ox_signature *sig = ox_op_signature(mt->ctx, c->op);
    bool found = false;
    if (ox_signature_attr(sig, name)) {
        const ox_attr *a = ox_get_attr(c, name);
        if (a) ox_rv_of_attr(mt, a, out), found = true;
    } else {
        int i = ox_signature_input(sig, name);
        if (i >= 0 && ox_arg_given(c, i)) ox_rv_of_arg(mt, &c->in[i], out), found = true;
    }
    bool axes = !strcmp(name, "axes");
    if (found && axes && out->kind == OX_RV_INTS && !out->n && !strncmp(c->op->name, "Reduce", 6)) found = false; /* empty: as if not given */
    if (!found) return computed_default(mt, c, name, out);
    if ((axes || !strcmp(name, "axis")) && out->kind == OX_RV_INTS) normalise_axes(mt, c, out);
    return true;
}
