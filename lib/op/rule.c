/* What shape rules are made of: types and shape data of a call's inputs and outputs, broadcasting, the commonest
 * rules. */
#include "op/table.h"

#include <string.h>

/* ---- inputs */

const ox_type *ox_in_type(const ox_call *c, int i) {
    if (i < 0 || i >= c->n_in) return NULL;
    const ox_tensor *t = c->in[i].t;
    if (!t) return c->in[i].v ? c->in[i].v->type : NULL;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, t->rank + 1);
    for (int d = 0; d < t->rank; d++) dims[d] = ox_dim_const(c->ctx, t->dims[d]);
    return ox_type_tensor(c->arena, t->dtype, t->rank, dims);
}

ox_dtype ox_in_dtype(const ox_call *c, int i) {
    if (i < 0 || i >= c->n_in) return OX_UNDEFINED;
    if (c->in[i].t) return c->in[i].t->dtype;
    const ox_type *t = c->in[i].v ? c->in[i].v->type : NULL;
    return ox_type_is_tensor(t) ? t->dtype : OX_UNDEFINED;
}

int ox_in_rank(const ox_call *c, int i) {
    if (i < 0 || i >= c->n_in) return -1;
    if (c->in[i].t) return c->in[i].t->rank;
    const ox_type *t = c->in[i].v ? c->in[i].v->type : NULL;
    return ox_type_is_tensor(t) ? t->rank : -1;
}

const ox_dim *ox_in_dims(const ox_call *c, int i) {
    static const ox_dim none;
    const ox_type *t = ox_in_type(c, i);
    if (!ox_type_is_tensor(t) || t->rank < 0) return NULL;
    return t->rank ? t->dims : &none;
}

static int64_t elems_max(const ox_call *c) { return c->elems_max ? c->elems_max : OX_ELEMS_MAX; }

static bool holds_shape_data(ox_dtype t) { return ox_dtype_is_int(t) || t == OX_BOOL; }

const ox_dim *ox_tensor_elems(const ox_call *c, const ox_tensor *t, int64_t *n) {
    *n = 0;
    const int64_t *ints = t->count <= elems_max(c) ? ox_tensor_to_ints(c->arena, t) : NULL;
    if (!ints) return NULL;
    ox_dim *elems = OX_NEW_N(c->arena, ox_dim, t->count + 1);
    for (int64_t k = 0; k < t->count; k++) elems[k] = ox_dim_const(c->ctx, ints[k]);
    *n = t->count;
    return elems;
}

const ox_dim *ox_in_elems(const ox_call *c, int i, int64_t *n) {
    *n = 0;
    if (!holds_shape_data(ox_in_dtype(c, i))) return NULL;
    if (c->in[i].t) return ox_tensor_elems(c, c->in[i].t, n);
    if (c->in[i].v->elems) {
        if (c->in[i].v->nelems > elems_max(c)) return NULL;
        *n = c->in[i].v->nelems;
        return c->in[i].v->elems;
    }
    int64_t count = 1, d;
    const ox_dim *dims = ox_in_dims(c, i);
    for (int k = 0; k < ox_in_rank(c, i); k++)
        if (!ox_dim_is_const(dims[k], &d) || d < 0 || !ox_mul_ok(count, d, &count)) return NULL;
    if (!dims || count > elems_max(c)) return NULL;
    *n = count;
    return OX_NEW_N(c->arena, ox_dim, count + 1); /* so many, of which nothing is known */
}

const int64_t *ox_in_ints(const ox_call *c, int i, int64_t *n) {
    static const int64_t none;
    int64_t unused;
    if (!n) n = &unused;
    *n = 0;
    if (i >= 0 && i < c->n_in && c->in[i].t) {
        const int64_t *ints = ox_tensor_to_ints(c->arena, c->in[i].t);
        if (ints) *n = c->in[i].t->count;
        return ints && !*n ? &none : ints;
    }
    int64_t count;
    const ox_dim *elems = ox_in_elems(c, i, &count);
    if (!elems) return NULL;
    int64_t *ints = OX_NEW_N(c->arena, int64_t, count + 1);
    for (int64_t k = 0; k < count; k++) {
        if (!ox_dim_is_const(elems[k], &ints[k])) return NULL;
    }
    *n = count;
    return ints;
}

/* ---- outputs */

void ox_out_type(ox_call *c, int i, const ox_type *t) {
    if (i < c->n_out) c->out_types[i] = t;
}

void ox_out_tensor(ox_call *c, int i, ox_dtype dtype, int rank, const ox_dim *dims) {
    if (i >= c->n_out || (dtype == OX_UNDEFINED && rank < 0)) return;
    c->out_types[i] = ox_type_tensor(c->arena, dtype, rank, dims);
}

void ox_out_elems(ox_call *c, int i, int64_t n, const ox_dim *elems) {
    if (i >= c->n_out || n < 0 || n > elems_max(c)) return;
    ox_dim *copy = OX_NEW_N(c->arena, ox_dim, n + 1);
    bool any = n == 0;
    for (int64_t k = 0; k < n; k++) {
        copy[k] = elems[k];
        any = any || elems[k];
    }
    c->out_elems[i] = any ? copy : NULL;
    c->out_nelems[i] = any ? n : 0;
}

/* The element type a formal's text stands for among the inputs of the call. */
static ox_dtype var_dtype(const ox_call *c, const ox_signature *s, const char *type) {
    size_t len = strlen(type);
    if (len > 8 && !strncmp(type, "tensor(", 7)) return ox_dtype_from_name(type + 7, len - 8);
    for (int i = 0; i < c->n_in && s->n_in; i++) {
        const ox_formal *f = &s->in[i < s->n_in ? i : s->n_in - 1];
        ox_dtype t = strcmp(f->type, type) || f->heterogeneous ? OX_UNDEFINED : ox_in_dtype(c, i);
        if (t != OX_UNDEFINED) return t;
    }
    for (int i = 0; i < s->n_vars; i++) {
        uint64_t set = s->vars[i].dtypes;
        if (strcmp(s->vars[i].name, type) || s->vars[i].other || !set || set & (set - 1)) continue;
        return (ox_dtype)__builtin_ctzll(set);
    }
    return OX_UNDEFINED;
}

ox_dtype ox_out_dtype(const ox_call *c, int i) {
    const ox_signature *s = ox_op_signature(c->ctx, c->op);
    if (!s->n_out || (i >= s->n_out && s->out[s->n_out - 1].heterogeneous)) return OX_UNDEFINED;
    return var_dtype(c, s, s->out[i < s->n_out ? i : s->n_out - 1].type);
}

/* ---- the commonest rules */

int ox_infer_same(ox_call *c) {
    const ox_type *t = ox_in_type(c, 0);
    for (int i = 0; i < c->n_out; i++) {
        if (t) c->out_types[i] = t;
    }
    return 0;
}

/* b is min(a, k) with a number k: it is 0 or 1 where a is, so that a valid broadcast of both always has size a. Slices
 * that take the part of a table which a sequence needs have such sizes. */
static bool is_part_of(ox_ctx *ctx, ox_dim b, ox_dim a) {
    int64_t lo, hi;
    return ox_dim_range(b, &lo, &hi) && hi >= 1 && hi < INT64_MAX && ox_dim_min(ctx, a, ox_dim_const(ctx, hi)) == b;
}

/* One axis of a broadcast; false when the sizes do not go together. */
static bool broadcast_dim(ox_ctx *ctx, ox_dim a, ox_dim b, ox_dim *out) {
    int64_t x, y;
    bool ka = ox_dim_is_const(a, &x), kb = ox_dim_is_const(b, &y);
    if (ka && kb && x != y && x != 1 && y != 1) return false;
    if (ka && x == 1)
        *out = b;
    else if (kb && y == 1)
        *out = a;
    else if (ka)
        *out = a;
    else if (kb)
        *out = b;
    else
        *out = !a || !b ? NULL : a == b || is_part_of(ctx, b, a) ? a : is_part_of(ctx, a, b) ? b : NULL;
    return true;
}

int ox_broadcast_dims(ox_call *c, int ra, const ox_dim *a, int rb, const ox_dim *b, int *rank, ox_dim **dims) {
    int r = ra > rb ? ra : rb;
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, r + 1);
    for (int k = 0; k < r; k++) {
        int i = k - (r - ra), j = k - (r - rb);
        if (i < 0) {
            out[k] = b[j];
        } else if (j < 0) {
            out[k] = a[i];
        } else if (!broadcast_dim(c->ctx, a[i], b[j], &out[k])) {
            return ox_fail(c->ctx, OX_BAD_DATA, "shapes cannot be broadcast: axis %d is %s and %s", k,
                           ox_dim_text(c->arena, a[i]), ox_dim_text(c->arena, b[j]));
        }
    }
    *rank = r;
    *dims = out;
    return 0;
}

static int infer_broadcast(ox_call *c, ox_dtype dtype) {
    int rank = 0;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, 1);
    bool known = c->n_in > 0;
    for (int i = 0; i < c->n_in; i++) {
        const ox_dim *d = ox_in_dims(c, i);
        if (!d) {
            known = false;
        } else if (ox_broadcast_dims(c, rank, dims, ox_in_rank(c, i), d, &rank, &dims) < 0) {
            return -1;
        }
    }
    ox_out_tensor(c, 0, dtype, known ? rank : -1, dims);
    return 0;
}

int ox_infer_elementwise(ox_call *c) { return infer_broadcast(c, ox_out_dtype(c, 0)); }

int ox_infer_compare(ox_call *c) { return infer_broadcast(c, OX_BOOL); }

int64_t ox_axis(ox_call *c, int64_t axis, int rank, const char *what) {
    if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
    ox_fail(c->ctx, OX_BAD_DATA, "%s %lld is out of range for rank %d", what, (long long)axis, rank);
    return -1;
}
