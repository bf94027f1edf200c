/* Shapes as values, and the same elements under another shape; repetition.
 * Operators that keep the elements share the payload, and their shape data are those of the input. */
#include "op/mover.h"

#include <limits.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ Shape, Size */

/* The part of a shape that start and end cut out of `rank` dims. */
static void shape_part(const ox_call *c, int rank, int *first, int *n) {
    int64_t start = ox_get_int(c, "start"), end = ox_has(c, "end") ? ox_get_int(c, "end") : rank;
    if (start < 0) start += rank;
    if (end < 0) end += rank;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    *first = (int)start;
    *n = (int)(end - start);
}

static int infer_shape(ox_call *c) {
    int rank = ox_in_rank(c, 0), first, n;
    if (rank < 0) {
        ox_out_tensor(c, 0, OX_INT64, 1, NULL);
        return 0;
    }
    shape_part(c, rank, &first, &n);
    ox_dim count = ox_dim_const(c->ctx, n);
    ox_out_tensor(c, 0, OX_INT64, 1, &count);
    if (n <= OX_ELEMS_MAX) ox_out_elems(c, 0, n, ox_in_dims(c, 0) + first);
    return 0;
}

static int run_shape(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int first, n;
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    shape_part(r->call, x->rank, &first, &n);
    ox_tensor *out = ox_output(r, 0, OX_INT64, 1, &(int64_t){n});
    if (!out) return -1;
    if (n) memcpy(ox_tensor_mut(out), x->dims + first, (size_t)n * sizeof(int64_t));
    return 0;
}

static int infer_size(ox_call *c) {
    ox_out_tensor(c, 0, OX_INT64, 0, NULL);
    int rank = ox_in_rank(c, 0);
    if (rank < 0) return 0;
    ox_dim size = ox_mv_dim_product(c->ctx, rank, ox_in_dims(c, 0));
    ox_out_elems(c, 0, 1, &size);
    return 0;
}

static int run_size(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    ox_tensor *out = ox_output(r, 0, OX_INT64, 0, NULL);
    if (!x || !out) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    memcpy(ox_tensor_mut(out), &x->count, sizeof x->count);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ Reshape */

/* Shape data go through every operator of this file that keeps the elements in order. */
static void same_elems(ox_call *c) {
    int64_t n;
    const ox_dim *e = ox_in_elems(c, 0, &n);
    if (e) ox_out_elems(c, 0, n, e);
}

static int lift_reshape_1(ox_call *c) {
    if (!ox_has(c, "shape")) return ox_fail(c->ctx, OX_BAD_DATA, "attribute shape is missing");
    ox_lift_drop(c, "consumed_inputs");
    ox_lift_ints_to_input(c, "shape", 1);
    return 0;
}

typedef struct reshape {
    int n, in_rank, minus; /* minus: where the -1 is, or -1 */
    bool *copied;          /* dim i is that of the input */
    ox_dim *dims;
} reshape;

/* Whether some entry is or may be -1. */
static bool reshape_has_rest(int n, const ox_dim *e) {
    for (int i = 0; i < n; i++)
        if (!ox_dim_nonneg(e[i])) return true;
    return false;
}

/* Whether an entry that is 0 at run time is a size of 0 all the same: it is no copy, or one of a size that is 0 then. */
static bool reshape_literal(ox_call *c, ox_dim e, int i, int in_rank, const ox_dim *in) {
    if (ox_dim_positive(e) || (in_rank >= 0 && i >= in_rank)) return true;
    if (!in || !in[i]) return false;
    ox_dim ratio = ox_dim_exact_div(c->ctx, e, in[i]);
    return e == in[i] || ox_dim_exact_div(c->ctx, in[i], e) || (ratio && ox_dim_is_const(ratio, NULL));
}

/* Fills what each entry says by itself. An entry that may be 0 is a size where it is not; where it is, it copies a size, and the numbers
 * of elements hardly fit, but for a -1 that makes them fit. */
static int reshape_entries(ox_call *c, const ox_dim *e, reshape *s) {
    bool allowzero = ox_get_int(c, "allowzero") != 0, zero = false;
    bool rest = !allowzero && reshape_has_rest(s->n, e);
    const ox_dim *in = ox_in_dims(c, 0);
    for (int i = 0; i < s->n; i++) {
        int64_t v = 1;
        bool known = ox_dim_is_const(e[i], &v);
        if (known && v < -1) return ox_fail(c->ctx, OX_BAD_DATA, "shape holds %lld", (long long)v);
        if (known && v == -1) {
            if (s->minus >= 0) return ox_fail(c->ctx, OX_BAD_DATA, "shape holds -1 twice");
            s->minus = i;
        } else if (known && v == 0 && !allowzero) {
            if (s->in_rank >= 0 && i >= s->in_rank)
                return ox_fail(c->ctx, OX_BAD_DATA, "shape copies dim %d of an input of rank %d", i, s->in_rank);
            s->copied[i] = true;
            s->dims[i] = in ? in[i] : NULL;
        } else if (known || (ox_dim_nonneg(e[i]) && (!rest || reshape_literal(c, e[i], i, s->in_rank, in)))) {
            s->dims[i] = e[i];
            zero |= known && v == 0;
        }
    }
    if (zero && s->minus >= 0) return ox_fail(c->ctx, OX_BAD_DATA, "shape holds both 0 and -1 with allowzero");
    return 0;
}

/* The one dim `hole` that the number of elements tells: input dims over the others, after taking out what stands on
 * both sides, be it known or not. */
static ox_dim reshape_hole(ox_call *c, const reshape *s, int hole) {
    const ox_dim *in = ox_in_dims(c, 0);
    if (!in) return NULL;
    bool *used = OX_NEW_N(c->arena, bool, s->in_rank + 1);
    ox_dim num = ox_dim_const(c->ctx, 1), den = num;
    for (int i = 0; i < s->n; i++)
        if (s->copied[i]) used[i] = true;
    for (int i = 0; i < s->n; i++) {
        if (i == hole || s->copied[i]) continue;
        int k = 0;
        while (k < s->in_rank && (used[k] || !in[k] || in[k] != s->dims[i])) k++;
        if (k < s->in_rank) used[k] = true;
        else den = ox_dim_mul(c->ctx, den, s->dims[i]);
    }
    bool empty = false;
    for (int i = 0; i < s->in_rank; i++) {
        if (used[i] && ox_dim_is(in[i], 0)) return NULL; /* no elements: they tell nothing */
        if (!used[i]) num = ox_dim_mul(c->ctx, num, in[i]);
        empty = empty || (!used[i] && ox_dim_is(in[i], 0));
    }
    if (empty && s->minus >= 0) return ox_dim_const(c->ctx, 0); /* whatever the others are */
    if (!num || !den || ox_dim_is(den, 0)) return NULL;
    ox_dim d = ox_dim_exact_div(c->ctx, num, den);
    return d ? d : ox_dim_floordiv(c->ctx, num, den);
}

/* When everything is a number the counts must agree. */
static int reshape_check(ox_call *c, const reshape *s) {
    int64_t *a = OX_NEW_N(c->arena, int64_t, s->in_rank + 1), *b = OX_NEW_N(c->arena, int64_t, s->n + 1), x, y;
    if (!ox_mv_known(s->in_rank, ox_in_dims(c, 0), a) || !ox_mv_known(s->n, s->dims, b)) return 0;
    if (!ox_mv_count(s->in_rank, a, &x)) return 0;
    if (ox_mv_count(s->n, b, &y) && x == y) return 0;
    return ox_fail(c->ctx, OX_BAD_DATA, "%lld elements do not fit the new shape", (long long)x);
}

static int infer_reshape(ox_call *c) {
    ox_dtype dtype = ox_in_dtype(c, 0);
    int64_t n = 0;
    const ox_dim *e = ox_in_elems(c, 1, &n);
    if (ox_in_rank(c, 1) > 1) return ox_fail(c->ctx, OX_BAD_DATA, "shape has %d dims", ox_in_rank(c, 1));
    same_elems(c);
    if (!e) {
        bool known = ox_in_rank(c, 1) == 1 && ox_dim_is_const(ox_in_dims(c, 1)[0], &n) && n <= c->ctx->limits.rank;
        ox_out_tensor(c, 0, dtype, known ? (int)n : -1, NULL);
        return 0;
    }
    if (n > c->ctx->limits.rank) return ox_fail(c->ctx, OX_BAD_DATA, "shape has %lld entries", (long long)n);
    reshape s = {(int)n, ox_in_rank(c, 0), -1, OX_NEW_N(c->arena, bool, n + 1), ox_mv_no_dims(c, (int)n)};
    if (reshape_entries(c, e, &s)) return -1;
    int hole = s.minus, holes = 0;
    for (int i = 0; i < s.n && s.minus < 0; i++)
        if (!s.dims[i] && !s.copied[i]) hole = i, holes++;
    if (s.minus >= 0 || holes == 1) {
        ox_dim d = reshape_hole(c, &s, hole);
        if (s.minus >= 0 || (d && ox_dim_nonneg(d))) s.dims[hole] = d;
    }
    if (s.in_rank >= 0 && reshape_check(c, &s)) return -1;
    ox_out_tensor(c, 0, dtype, s.n, s.dims);
    return 0;
}

static int run_reshape(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n, known = 1, minus = -1;
    const int64_t *to = ox_run_list(r, 1, &n);
    if (!x || !to) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    if (n > r->ctx->limits.rank) return ox_fail(r->ctx, OX_BAD_DATA, "shape has %lld entries", (long long)n);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, n + 1);
    bool allowzero = ox_get_int(r->call, "allowzero") != 0, bad = false;
    for (int64_t i = 0; i < n; i++) {
        dims[i] = to[i];
        if (to[i] == -1) {
            bad |= minus >= 0;
            minus = i;
            continue;
        }
        if (to[i] == 0 && !allowzero) {
            bad |= i >= x->rank;
            dims[i] = i < x->rank ? x->dims[i] : 0;
        }
        bad |= dims[i] < 0 || !ox_mul_ok(known, dims[i], &known);
    }
    if (minus >= 0) {
        bad |= known == 0 || x->count % (known ? known : 1) != 0;
        dims[minus] = known ? x->count / known : 0;
    } else {
        bad |= known != x->count;
    }
    if (bad) return ox_fail(r->ctx, OX_BAD_DATA, "shape does not fit %lld elements", (long long)x->count);
    return ox_output_share(r, 0, x, (int)n, dims);
}

/* ------------------------------------------------------------------------------------------------ Flatten */

static int flatten_axis(ox_call *c, int rank) {
    int64_t axis = ox_get_int(c, "axis");
    if (axis >= -rank && axis <= rank) return (int)(axis < 0 ? axis + rank : axis);
    return ox_fail(c->ctx, OX_BAD_DATA, "axis %lld is out of range for rank %d", (long long)axis, rank);
}

static int infer_flatten(ox_call *c) {
    int rank = ox_in_rank(c, 0), axis;
    ox_dim d[2] = {NULL, NULL};
    if (rank >= 0) {
        if ((axis = flatten_axis(c, rank)) < 0) return -1;
        d[0] = ox_mv_dim_product(c->ctx, axis, ox_in_dims(c, 0));
        d[1] = ox_mv_dim_product(c->ctx, rank - axis, ox_in_dims(c, 0) + axis);
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 2, d);
    same_elems(c);
    return 0;
}

static int run_flatten(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "input is no tensor");
    int axis = flatten_axis(r->call, x->rank);
    if (axis < 0) return -1;
    int64_t d[2] = {1, 1};
    for (int i = 0; i < x->rank; i++)
        if (!ox_mul_ok(d[i >= axis], x->dims[i], &d[i >= axis]))
            return ox_fail(r->ctx, OX_BAD_DATA, "the flat shape is too large");
    return ox_output_share(r, 0, x, 2, d);
}

/* ---------------------------------------------------------------------------------------- Squeeze, Unsqueeze */

static int lift_axes(ox_call *c) {
    if (ox_has(c, "axes")) ox_lift_ints_to_input(c, "axes", 1);
    return 0;
}

/* Without axes: every dim of one goes. False when a dim may or may not be one. */
static bool squeeze_ones(int rank, const ox_dim *d, bool *hit) {
    for (int i = 0; i < rank; i++) {
        int64_t lo, hi;
        if (!d[i] || !ox_dim_range(d[i], &lo, &hi) || (lo < 2 && hi > 0 && !ox_dim_is_const(d[i], NULL))) return false;
        hit[i] = ox_dim_is(d[i], 1);
    }
    return true;
}

static int infer_squeeze(ox_call *c) {
    int rank = ox_in_rank(c, 0), k = 0;
    const ox_dim *d = ox_in_dims(c, 0);
    int64_t n = 0;
    bool given = ox_arg_given(c, 1);
    const int64_t *axes = given ? ox_in_ints(c, 1, &n) : NULL;
    same_elems(c);
    bool *hit = OX_NEW_N(c->arena, bool, rank > 0 ? rank : 1);
    if (rank >= 0 && axes && ox_mv_axes(c, n, axes, rank, hit, "axes")) return -1;
    if (rank < 0 || (given && !axes) || (!given && !squeeze_ones(rank, d, hit))) {
        bool counted = rank >= 0 && given && ox_in_elems(c, 1, &n) && n <= rank;
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), counted ? rank - (int)n : -1, NULL);
        return 0;
    }
    ox_dim *out = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) {
        int64_t v;
        if (!hit[i]) out[k++] = d[i];
        else if (ox_dim_is_const(d[i], &v) && v != 1)
            return ox_fail(c->ctx, OX_BAD_DATA, "dim %d of %lld cannot be squeezed", i, (long long)v);
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), k, out);
    return 0;
}

static int run_squeeze(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n = 0;
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    bool given = ox_input(r, 1) != NULL, *hit = OX_NEW_N(r->arena, bool, x->rank + 1);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    const int64_t *axes = given ? ox_run_list(r, 1, &n) : NULL;
    if (given && (!axes || ox_mv_axes(r->call, n, axes, x->rank, hit, "axes"))) return -1;
    int k = 0;
    for (int i = 0; i < x->rank; i++) {
        if (given ? hit[i] && x->dims[i] != 1 : false)
            return ox_fail(r->ctx, OX_BAD_DATA, "dim %d of %lld cannot be squeezed", i, (long long)x->dims[i]);
        if (given ? !hit[i] : x->dims[i] != 1) dims[k++] = x->dims[i];
    }
    return ox_output_share(r, 0, x, k, dims);
}

static int infer_unsqueeze(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t n;
    const ox_dim *d = ox_in_dims(c, 0);
    same_elems(c);
    if (rank < 0 || !ox_in_elems(c, 1, &n) || n > c->ctx->limits.rank) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    int to = rank + (int)n, k = 0;
    const int64_t *axes = ox_in_ints(c, 1, &n);
    bool *hit = OX_NEW_N(c->arena, bool, to + 1);
    ox_dim *out = ox_mv_no_dims(c, to);
    if (axes) {
        if (ox_mv_axes(c, n, axes, to, hit, "axes")) return -1;
        for (int i = 0; i < to; i++) out[i] = hit[i] ? ox_dim_const(c->ctx, 1) : d[k++];
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), to, out);
    return 0;
}

static int run_unsqueeze(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n;
    const int64_t *axes = ox_run_list(r, 1, &n);
    if (!x || !axes) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    if (n > r->ctx->limits.rank) return ox_fail(r->ctx, OX_BAD_DATA, "axes has %lld entries", (long long)n);
    int to = x->rank + (int)n, k = 0;
    bool *hit = OX_NEW_N(r->arena, bool, to + 1);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, to + 1);
    if (ox_mv_axes(r->call, n, axes, to, hit, "axes")) return -1;
    for (int i = 0; i < to; i++) dims[i] = hit[i] ? 1 : x->dims[k++];
    return ox_output_share(r, 0, x, to, dims);
}

/* ------------------------------------------------------------------------------------------------ Expand */

static int infer_expand(ox_call *c) {
    int64_t n;
    const ox_dim *e = ox_in_elems(c, 1, &n);
    int rank = ox_in_rank(c, 0), to;
    if (!e || rank < 0 || n > c->ctx->limits.rank) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    ox_dim *want = ox_mv_no_dims(c, (int)n), *out;
    for (int64_t i = 0; i < n; i++) {
        int64_t v;
        if (ox_dim_is_const(e[i], &v) && v < 0)
            return ox_fail(c->ctx, OX_BAD_DATA, "shape holds %lld", (long long)v);
        want[i] = e[i] && ox_dim_nonneg(e[i]) ? e[i] : NULL;
    }
    if (ox_broadcast_dims(c, rank, ox_in_dims(c, 0), (int)n, want, &to, &out)) return -1;
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), to, out);
    int64_t *dims = OX_NEW_N(c->arena, int64_t, to + 1), *from = OX_NEW_N(c->arena, int64_t, to + 1);
    int64_t *strides = OX_NEW_N(c->arena, int64_t, to + 1);
    const ox_dim *elems = ox_mv_in_elems(c, 0, from + (to - rank));
    if (!elems || !ox_mv_known(to, out, dims)) return 0;
    ox_mv_strides(rank, from + (to - rank), strides + (to - rank));
    for (int i = to - rank; i < to; i++)
        if (from[i] == 1) strides[i] = 0;
    ox_mv_elems(c, 0, elems, 0, to, dims, strides);
    return 0;
}

static int run_expand(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n;
    const int64_t *want = ox_run_list(r, 1, &n);
    if (!x || !want) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "input is no tensor");
    if (n > r->ctx->limits.rank) return ox_fail(r->ctx, OX_BAD_DATA, "shape has %lld entries", (long long)n);
    int to = n > x->rank ? (int)n : x->rank;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, to + 1), *ss = OX_NEW_N(r->arena, int64_t, to + 1);
    int64_t *ds = OX_NEW_N(r->arena, int64_t, to + 1);
    ox_mv_strides(x->rank, x->dims, ss + (to - x->rank));
    bool same = to == x->rank;
    for (int i = 0; i < to; i++) {
        int64_t have = i < to - x->rank ? 1 : x->dims[i - (to - x->rank)];
        int64_t ask = i < to - n ? 1 : want[i - (to - n)];
        if (ask < 0 || (have != ask && have != 1 && ask != 1))
            return ox_fail(r->ctx, OX_BAD_DATA, "dim %d: %lld does not expand to %lld", i, (long long)have,
                           (long long)ask);
        dims[i] = have == 1 ? ask : have;
        same &= dims[i] == have;
        if (have == 1) ss[i] = 0;
    }
    if (same) return ox_output_share(r, 0, x, to, dims);
    const char *from = ox_mv_in(r, x);
    ox_mv_out o;
    if (!from || ox_mv_begin(r, 0, x->dtype, to, dims, &o)) return -1;
    ox_mv_strides(to, dims, ds);
    ox_mv_copy(r->arena, o.size, to, dims, o.data, ds, from, ss);
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ Tile */

/* Tile-1 repeats one axis: two scalars of the data's own type. */
static int lift_tile_1(ox_call *c) {
    double tiles = 0, axis = 0;
    int rank = ox_in_rank(c, 0);
    if (c->n_in < 3 || !c->in[1].t || !c->in[2].t || c->in[1].t->count != 1 || c->in[2].t->count != 1 || rank < 0)
        return ox_fail(c->ctx, OX_UNAVAILABLE, "Tile of opset 1 needs constant tiles and axis, and a known rank");
    const void *a = ox_tensor_data(c->in[1].t), *b = ox_tensor_data(c->in[2].t);
    if (!a || !b) return -1;
    tiles = ox_load_double(c->in[1].t->dtype, a, 0);
    axis = ox_load_double(c->in[2].t->dtype, b, 0);
    if (!(axis >= 0 && axis < rank) || !(tiles >= 0 && tiles < 9e15))
        return ox_fail(c->ctx, OX_BAD_DATA, "tiles or axis is out of range");
    int64_t *repeats = OX_NEW_N(c->arena, int64_t, rank + 1);
    for (int i = 0; i < rank; i++) repeats[i] = i == (int)axis ? (int64_t)tiles : 1;
    ox_tensor *t = ox_tensor_ints(c->ctx, rank, repeats);
    if (!t) return -1;
    ox_lift_set_input(c, 1, t);
    c->n_in = 2;
    return 0;
}

static int infer_tile(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t n;
    const ox_dim *e = ox_in_elems(c, 1, &n), *d = ox_in_dims(c, 0);
    if (rank < 0 && e && n <= c->ctx->limits.rank) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), (int)n, NULL);
        return 0;
    }
    if (e && n != rank) return ox_fail(c->ctx, OX_BAD_DATA, "repeats has %lld entries for rank %d", (long long)n, rank);
    ox_dim *out = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank && e; i++) {
        int64_t v;
        if (ox_dim_is_const(e[i], &v) && v < 0)
            return ox_fail(c->ctx, OX_BAD_DATA, "repeats holds %lld", (long long)v);
        if (e[i] && ox_dim_nonneg(e[i])) out[i] = ox_dim_mul(c->ctx, d[i], e[i]);
        if (ox_dim_is(e[i], 0) || ox_dim_is(d[i], 0)) out[i] = ox_dim_const(c->ctx, 0);
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, out);
    int64_t *dims = OX_NEW_N(c->arena, int64_t, rank > 0 ? rank : 1);
    const int64_t *rep = ox_in_ints(c, 1, &n);
    const ox_dim *elems = rank < 0 ? NULL : ox_mv_in_elems(c, 0, dims);
    if (!elems || !rep) return 0;
    int64_t *both = OX_NEW_N(c->arena, int64_t, 2 * rank + 1), *ss = OX_NEW_N(c->arena, int64_t, 2 * rank + 1);
    int64_t *in = OX_NEW_N(c->arena, int64_t, rank + 1);
    ox_mv_strides(rank, dims, in);
    for (int i = 0; i < rank; i++) {
        both[2 * i] = rep[i];
        both[2 * i + 1] = dims[i];
        ss[2 * i + 1] = in[i];
    }
    ox_mv_elems(c, 0, elems, 0, 2 * rank, both, ss);
    return 0;
}

static int run_tile(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n;
    const int64_t *rep = ox_run_list(r, 1, &n);
    if (!x || !rep) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "input is no tensor");
    if (n != x->rank)
        return ox_fail(r->ctx, OX_BAD_DATA, "repeats has %lld entries for rank %d", (long long)n, x->rank);
    int k = x->rank;
    int64_t *room = OX_NEW_N(r->arena, int64_t, 9 * ((size_t)k + 1)), *dims = room, *ds = room + k, *ss = ds + k;
    int64_t *both = ss + k, *bd = both + 2 * k, *bs = bd + 2 * k;
    for (int i = 0; i < k; i++)
        if (rep[i] < 0 || !ox_mul_ok(x->dims[i], rep[i], &dims[i]))
            return ox_fail(r->ctx, OX_BAD_DATA, "repeats holds %lld", (long long)rep[i]);
    const char *from = ox_mv_in(r, x);
    ox_mv_out o;
    if (!from || ox_mv_begin(r, 0, x->dtype, k, dims, &o)) return -1;
    if (o.t->count == 0) return 0;
    ox_mv_strides(k, dims, ds);
    ox_mv_strides(k, x->dims, ss);
    for (int i = 0; i < k; i++) { /* each axis is an outer repeated one and the input's own */
        both[2 * i] = rep[i];
        both[2 * i + 1] = x->dims[i];
        bd[2 * i] = ds[i] * x->dims[i];
        bd[2 * i + 1] = ds[i];
        bs[2 * i + 1] = ss[i];
    }
    ox_mv_copy(r->arena, o.size, 2 * k, both, o.data, bd, from, bs);
    return ox_mv_done(r, &o);
}

OX_FAMILY(shape, "",
    OP("Shape", 25,
       "<end: int?, start: int = 0>(T data) => (T1 shape) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|"
       "float8e8m0, T1: int64",
       .infer = infer_shape, .kernel = run_shape),
    OP("Shape", 24,
       "<end: int?, start: int = 0>(T data) => (T1 shape) T: any|fp8|int4s|bfloat16|float4e2m1|"
       "float8e8m0, T1: int64"),
    OP("Shape", 23,
       "<end: int?, start: int = 0>(T data) => (T1 shape) T: any|fp8|int4s|bfloat16|float4e2m1, T1: "
       "int64"),
    OP("Shape", 21,
       "<end: int?, start: int = 0>(T data) => (T1 shape) T: any|fp8|int4s|bfloat16, T1: int64"),
    OP("Shape", 19,
       "<end: int?, start: int = 0>(T data) => (T1 shape) T: any|fp8|bfloat16, T1: int64"),
    OP("Shape", 15,
       "<end: int?, start: int = 0>(T data) => (T1 shape) T: any|bfloat16, T1: int64"),
    OP("Shape", 13,
       "(T data) => (T1 shape) T: any|bfloat16, T1: int64"),
    OP("Shape", 1,
       "(T data) => (T1 shape) T: any, T1: int64"),
    OP("Size", 25,
       "(T data) => (T1 size) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0, T1: int64",
       .infer = infer_size, .kernel = run_size),
    OP("Size", 24,
       "(T data) => (T1 size) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0, T1: int64"),
    OP("Size", 23,
       "(T data) => (T1 size) T: any|fp8|int4s|bfloat16|float4e2m1, T1: int64"),
    OP("Size", 21,
       "(T data) => (T1 size) T: any|fp8|int4s|bfloat16, T1: int64"),
    OP("Size", 19,
       "(T data) => (T1 size) T: any|fp8|bfloat16, T1: int64"),
    OP("Size", 13,
       "(T data) => (T1 size) T: any|bfloat16, T1: int64"),
    OP("Size", 1,
       "(T data) => (T1 size) T: any, T1: int64"),
    OP("Reshape", 25,
       "<allowzero: int = 0>(T data, int64 shape) => (T reshaped) T: any|fp8|int4s|int2s|bfloat16|"
       "float4e2m1|float8e8m0",
       .flags = OX_MOVES_DATA, .infer = infer_reshape, .kernel = run_reshape),
    OP("Reshape", 24,
       "<allowzero: int = 0>(T data, int64 shape) => (T reshaped) T: any|fp8|int4s|bfloat16|float4e2m1|"
       "float8e8m0"),
    OP("Reshape", 23,
       "<allowzero: int = 0>(T data, int64 shape) => (T reshaped) T: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Reshape", 21,
       "<allowzero: int = 0>(T data, int64 shape) => (T reshaped) T: any|fp8|int4s|bfloat16"),
    OP("Reshape", 19,
       "<allowzero: int = 0>(T data, int64 shape) => (T reshaped) T: any|fp8|bfloat16"),
    OP("Reshape", 14,
       "<allowzero: int = 0>(T data, int64 shape) => (T reshaped) T: any|bfloat16"),
    OP("Reshape", 13,
       "(T data, int64 shape) => (T reshaped) T: any|bfloat16"),
    OP("Reshape", 5,
       "(T data, int64 shape) => (T reshaped) T: any"),
    OP("Reshape", 1,
       "<consumed_inputs: ints?, shape: ints?>(T data) => (T reshaped) T: floats",
       .lift = lift_reshape_1),
    OP("Flatten", 25,
       "<axis: int = 1>(T input) => (T output) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0",
       .flags = OX_MOVES_DATA, .infer = infer_flatten, .kernel = run_flatten),
    OP("Flatten", 24,
       "<axis: int = 1>(T input) => (T output) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0"),
    OP("Flatten", 23,
       "<axis: int = 1>(T input) => (T output) T: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Flatten", 21,
       "<axis: int = 1>(T input) => (T output) T: any|fp8|int4s|bfloat16"),
    OP("Flatten", 13,
       "<axis: int = 1>(T input) => (T output) T: any|bfloat16"),
    OP("Flatten", 11,
       "<axis: int = 1>(T input) => (T output) T: any"),
    OP("Flatten", 9,
       "<axis: int = 1>(T input) => (T output) T: any"),
    OP("Flatten", 1,
       "<axis: int = 1>(T input) => (T output) T: floats"),
    OP("Squeeze", 25,
       "(T data, int64? axes) => (T squeezed) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0",
       .flags = OX_MOVES_DATA, .infer = infer_squeeze, .kernel = run_squeeze),
    OP("Squeeze", 24,
       "(T data, int64? axes) => (T squeezed) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0"),
    OP("Squeeze", 23,
       "(T data, int64? axes) => (T squeezed) T: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Squeeze", 21,
       "(T data, int64? axes) => (T squeezed) T: any|fp8|int4s|bfloat16"),
    OP("Squeeze", 13,
       "(T data, int64? axes) => (T squeezed) T: any|bfloat16"),
    OP("Squeeze", 11,
       "<axes: ints?>(T data) => (T squeezed) T: any",
       .lift = lift_axes),
    OP("Squeeze", 1,
       "<axes: ints?>(T data) => (T squeezed) T: any"),
    OP("Unsqueeze", 25,
       "(T data, int64 axes) => (T expanded) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0",
       .flags = OX_MOVES_DATA, .infer = infer_unsqueeze, .kernel = run_unsqueeze),
    OP("Unsqueeze", 24,
       "(T data, int64 axes) => (T expanded) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0"),
    OP("Unsqueeze", 23,
       "(T data, int64 axes) => (T expanded) T: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Unsqueeze", 21,
       "(T data, int64 axes) => (T expanded) T: any|fp8|int4s|bfloat16"),
    OP("Unsqueeze", 13,
       "(T data, int64 axes) => (T expanded) T: any|bfloat16"),
    OP("Unsqueeze", 11,
       "<axes: ints>(T data) => (T expanded) T: any",
       .lift = lift_axes),
    OP("Unsqueeze", 1,
       "<axes: ints>(T data) => (T expanded) T: any"),
    OP("Expand", 13,
       "(T input, int64 shape) => (T output) T: any|bfloat16",
       .flags = OX_MOVES_DATA, .infer = infer_expand, .kernel = run_expand),
    OP("Expand", 8,
       "(T input, int64 shape) => (T output) T: any"),
    OP("Tile", 13,
       "(T input, T1 repeats) => (T output) T: any|bfloat16, T1: int64",
       .flags = OX_MOVES_DATA, .infer = infer_tile, .kernel = run_tile),
    OP("Tile", 6,
       "(T input, T1 repeats) => (T output) T: any, T1: int64"),
    OP("Tile", 1,
       "(T input, T tiles, T axis) => (T output) T: floats, T1: int64",
       .lift = lift_tile_1));
