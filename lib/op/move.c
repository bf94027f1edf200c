/* Elements moved, none computed: permuted, joined, cut, reversed. Slice and Pad have their code in slice.c. */
#include "op/mover.h"

#include "cpu/vec.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ Transpose */

/* The permutation, checked; NULL after ox_fail. */
static const int64_t *transpose_perm(ox_call *c, int rank) {
    int n;
    const int64_t *p = ox_get_ints(c, "perm", &n);
    int64_t *perm = OX_NEW_N(c->arena, int64_t, rank + 1);
    bool *hit = OX_NEW_N(c->arena, bool, rank + 1);
    for (int i = 0; i < rank; i++) perm[i] = rank - 1 - i;
    if (!p) return perm;
    if (n != rank) {
        ox_fail(c->ctx, OX_BAD_DATA, "perm has %d entries for rank %d", n, rank);
        return NULL;
    }
    for (int i = 0; i < rank; i++) {
        if (p[i] < 0 || p[i] >= rank || hit[p[i]]) {
            ox_fail(c->ctx, OX_BAD_DATA, "perm is no permutation: entry %d is %lld", i, (long long)p[i]);
            return NULL;
        }
        hit[p[i]] = true;
        perm[i] = p[i];
    }
    return perm;
}

static int infer_transpose(ox_call *c) {
    int rank = ox_in_rank(c, 0), n;
    if (rank < 0) {
        bool given = ox_get_ints(c, "perm", &n) != NULL;
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), given ? n : -1, NULL);
        return 0;
    }
    const int64_t *perm = transpose_perm(c, rank);
    if (!perm) return -1;
    ox_dim *out = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) out[i] = ox_in_dims(c, 0)[perm[i]];
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, out);
    int64_t *in = OX_NEW_N(c->arena, int64_t, 4 * ((size_t)rank + 1)), *st = in + rank + 1, *dims = st + rank,
            *ss = dims + rank;
    const ox_dim *e = ox_mv_in_elems(c, 0, in);
    if (!e) return 0;
    ox_mv_strides(rank, in, st);
    for (int i = 0; i < rank; i++) {
        dims[i] = in[perm[i]];
        ss[i] = st[perm[i]];
    }
    ox_mv_elems(c, 0, e, 0, rank, dims, ss);
    return 0;
}

/* Writes x, permuted, into output 0 under other dims: what Transpose and the block rearrangements share. */
static int permute_to(ox_run *r, const ox_tensor *x, int rank, const int64_t *dims, const int64_t *perm, int out_rank,
                      const int64_t *out_dims) {
    int64_t *in = OX_NEW_N(r->arena, int64_t, 4 * ((size_t)rank + 1)), *d = in + rank + 1, *ss = d + rank,
            *ds = ss + rank;
    ox_mv_strides(rank, dims, in);
    int last = -1;
    bool same = true; /* dims of more than one keep their order */
    for (int i = 0; i < rank; i++) {
        d[i] = dims[perm[i]];
        ss[i] = in[perm[i]];
        if (d[i] == 1) continue;
        same &= perm[i] > last;
        last = (int)perm[i];
    }
    if (same) return ox_output_share(r, 0, x, out_rank, out_dims);
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, out_rank, out_dims, &o)) return -1;
    if (!o.t->count) return 0;
    if (rank <= 64) {
        ox_permute(ox_thread_count(r->ctx), (int)o.size, rank, dims, perm, from, o.data);
        return ox_mv_done(r, &o);
    }
    ox_mv_strides(rank, d, ds);
    ox_mv_copy(r->arena, o.size, rank, d, o.data, ds, from, ss);
    return ox_mv_done(r, &o);
}

static int run_transpose(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    const int64_t *perm = transpose_perm(r->call, x->rank);
    if (!perm) return -1;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[perm[i]];
    return permute_to(r, x, x->rank, x->dims, perm, x->rank, dims);
}

/* ------------------------------------------------------------------------------------------------ Concat */

static int lift_concat_1(ox_call *c) {
    if (!ox_has(c, "axis")) ox_lift_attr_int(c, "axis", 1);
    return 0;
}

/* Shape data of joined tensors: chunks of each input in turn. */
static void concat_elems(ox_call *c, int rank, int64_t axis, const ox_dim *out) {
    int64_t n, *dims = OX_NEW_N(c->arena, int64_t, rank + 1), at = 0, got;
    if (!ox_mv_known(rank, out, dims) || !ox_mv_count(rank, dims, &n) || n > OX_ELEMS_MAX) return;
    ox_dim *to = OX_NEW_N(c->arena, ox_dim, n + 1);
    const ox_dim **from = OX_NEW_N(c->arena, const ox_dim *, c->n_in);
    int64_t *chunk = OX_NEW_N(c->arena, int64_t, c->n_in), outer = ox_mv_product((int)axis, dims), any = 0;
    for (int i = 0; i < c->n_in; i++) {
        if (!ox_dim_is_const(ox_in_dims(c, i)[axis], &chunk[i])) return;
        chunk[i] *= ox_mv_product(rank - (int)axis - 1, dims + axis + 1);
        from[i] = ox_in_elems(c, i, &got);
        if (from[i] && got != chunk[i] * outer) from[i] = NULL;
        any |= from[i] != NULL;
    }
    if (!any) return;
    for (int64_t o = 0; o < outer; o++)
        for (int i = 0; i < c->n_in; i++)
            for (int64_t k = 0; k < chunk[i]; k++, at++) to[at] = from[i] ? from[i][o * chunk[i] + k] : NULL;
    ox_out_elems(c, 0, n, to);
}

static int infer_concat(ox_call *c) {
    int rank = -1;
    bool all = c->n_in > 0, bad = false;
    ox_dtype dtype = OX_UNDEFINED;
    for (int i = 0; i < c->n_in; i++) {
        int k = ox_in_rank(c, i);
        if (dtype == OX_UNDEFINED) dtype = ox_in_dtype(c, i);
        if (k < 0) all = false;
        else if (rank >= 0 && k != rank) return ox_fail(c->ctx, OX_BAD_DATA, "inputs of rank %d and %d", rank, k);
        else rank = k;
    }
    if (rank < 0) {
        ox_out_tensor(c, 0, dtype, -1, NULL);
        return 0;
    }
    int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis");
    if (axis < 0) return -1;
    ox_dim *out = ox_mv_no_dims(c, rank), sum = all ? ox_dim_const(c->ctx, 0) : NULL;
    for (int i = 0; i < c->n_in; i++) {
        const ox_dim *d = ox_in_dims(c, i);
        if (!d) continue;
        for (int a = 0; a < rank; a++)
            if (a != axis) out[a] = ox_mv_same_dim(c, out[a], d[a], "Concat", &bad);
        sum = ox_dim_add(c->ctx, sum, d[axis]);
    }
    if (bad) return -1;
    out[axis] = sum;
    ox_out_tensor(c, 0, dtype, rank, out);
    if (all) concat_elems(c, rank, axis, out);
    return 0;
}

/* Joins along an axis, an own one when new_axis. */
static int concat_into(ox_run *r, const ox_tensor *const *parts, int64_t n, int64_t axis, const int64_t *dims, int rank,
                       ox_mv_out *o) {
    int64_t *ds = OX_NEW_N(r->arena, int64_t, 3 * ((size_t)rank + 1)), *ss = ds + rank + 1, *d = ss + rank, at = 0;
    ox_mv_strides(rank, dims, ds);
    for (int64_t i = 0; i < n; i++) {
        const char *from = ox_mv_in(r, parts[i]);
        if (!from) return -1;
        bool stacked = parts[i]->rank < rank;
        for (int a = 0; a < rank; a++) d[a] = stacked && a == axis ? 1 : parts[i]->dims[a - (stacked && a > axis)];
        ox_mv_strides(rank, d, ss);
        if (parts[i]->count)
            ox_mv_copy(r->arena, o->size, rank, d, o->data + at * ds[axis] * (int64_t)o->size, ds, from, ss);
        at += d[axis];
    }
    return ox_mv_done(r, o);
}

/* Dims of the joined tensor; -1 after ox_fail when the parts do not fit. */
static int concat_dims(ox_run *r, const ox_tensor *const *parts, int64_t n, int64_t axis, bool new_axis,
                       int64_t *dims) {
    int rank = parts[0]->rank + new_axis;
    for (int64_t i = 0; i < n; i++) {
        bool fits = parts[i]->rank + new_axis == rank && parts[i]->dtype == parts[0]->dtype;
        for (int a = 0; a < rank && fits; a++) {
            if (a == axis) fits = ox_add_ok(dims[a], new_axis ? 1 : parts[i]->dims[a], &dims[a]);
            else if (i == 0) dims[a] = parts[0]->dims[a - (new_axis && a > axis)];
            else fits = dims[a] == parts[i]->dims[a - (new_axis && a > axis)];
        }
        if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "tensor %lld does not fit those before it", (long long)i);
    }
    return 0;
}

int ox_mv_stack(ox_run *r, ox_tensor **parts, int64_t n, int64_t axis, bool new_axis, ox_tensor **out) {
    const ox_tensor *const *p = (const ox_tensor *const *)parts;
    int rank = p[0]->rank + new_axis;
    if ((axis = ox_axis(r->call, axis, rank, "axis")) < 0) return -1;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, rank + 1);
    if (concat_dims(r, p, n, axis, new_axis, dims)) return -1;
    ox_mv_out o;
    *out = ox_tensor_new(r->ctx, p[0]->dtype, rank, dims);
    if (ox_mv_begin_tensor(r, *out, &o) || (o.t->count && concat_into(r, p, n, axis, dims, rank, &o))) {
        ox_tensor_unref(*out);
        return -1;
    }
    return 0;
}

static int run_concat(ox_run *r) {
    int n = r->call->n_in;
    const ox_tensor **parts = OX_NEW_N(r->arena, const ox_tensor *, n + 1);
    if (!n) return ox_fail(r->ctx, OX_BAD_DATA, "no inputs");
    for (int i = 0; i < n; i++)
        if (!(parts[i] = ox_input(r, i))) return ox_fail(r->ctx, OX_BAD_DATA, "input %d is no tensor", i);
    int rank = parts[0]->rank;
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), rank, "axis");
    int64_t *dims = OX_NEW_N(r->arena, int64_t, rank + 1);
    ox_mv_out o;
    if (axis < 0 || concat_dims(r, parts, n, axis, false, dims)) return -1;
    if (n == 1) return ox_output_share(r, 0, parts[0], rank, dims);
    if (ox_mv_begin(r, 0, parts[0]->dtype, rank, dims, &o)) return -1;
    return o.t->count ? concat_into(r, parts, n, axis, dims, rank, &o) : 0;
}

/* ------------------------------------------------------------------------------------------------ Split */

/* Split-1 may have the sizes as an input of the data's own type. */
static int lift_split_1(ox_call *c) {
    if (!ox_arg_given(c, 1)) return 0;
    const ox_tensor *t = c->in[1].t;
    const void *data = t ? ox_tensor_data(t) : NULL;
    if (!data || t->count > 65536) return ox_fail(c->ctx, OX_UNAVAILABLE, "Split of opset 1 needs constant sizes");
    int64_t *v = OX_NEW_N(c->arena, int64_t, t->count + 1);
    for (int64_t i = 0; i < t->count; i++) v[i] = ox_load_int(t->dtype, data, i);
    ox_lift_attr_ints(c, "split", (int)t->count, v);
    c->n_in = 1;
    return 0;
}

static int lift_split_11(ox_call *c) {
    if (ox_has(c, "split")) ox_lift_ints_to_input(c, "split", 1);
    return 0;
}

static int lift_split_13(ox_call *c) {
    if (!ox_arg_given(c, 1)) ox_lift_attr_int(c, "num_outputs", c->n_out);
    return 0;
}

static int64_t split_parts(ox_call *c) {
    int64_t n = ox_has(c, "num_outputs") ? ox_get_int(c, "num_outputs") : c->n_out;
    if (n >= 1 && n == c->n_out) return n;
    return ox_fail(c->ctx, OX_BAD_DATA, "num_outputs is %lld for %d outputs", (long long)n, c->n_out);
}

/* Shape data of every part. */
static void split_elems(ox_call *c, int rank, int64_t axis, const int64_t *size) {
    int64_t *dims = OX_NEW_N(c->arena, int64_t, rank + 1), *ss = OX_NEW_N(c->arena, int64_t, rank + 1), at = 0;
    const ox_dim *e = ox_mv_in_elems(c, 0, dims);
    if (!e) return;
    ox_mv_strides(rank, dims, ss);
    int64_t whole = dims[axis];
    for (int i = 0; i < c->n_out; i++) {
        if (size[i] < 0 || size[i] > whole - at) return;
        dims[axis] = size[i];
        ox_mv_elems(c, i, e, at * ss[axis], rank, dims, ss);
        at += size[i];
    }
}

/* The size of each output; entries may be NULL. */
static int split_sizes(ox_call *c, ox_dim d, ox_dim *size) {
    int64_t n, sum = 0, v;
    if (ox_arg_given(c, 1)) {
        const ox_dim *e = ox_in_elems(c, 1, &n);
        if (!e) return 0;
        if (n != c->n_out)
            return ox_fail(c->ctx, OX_BAD_DATA, "split has %lld entries for %d outputs", (long long)n, c->n_out);
        bool all = true;
        for (int64_t i = 0; i < n; i++) {
            bool known = ox_dim_is_const(e[i], &v);
            if (known && (v < 0 || !ox_add_ok(sum, v, &sum)))
                return ox_fail(c->ctx, OX_BAD_DATA, "split holds %lld", (long long)v);
            all &= known;
            if (i < c->n_out && e[i] && ox_dim_nonneg(e[i])) size[i] = e[i];
        }
        if (all && ox_dim_is_const(d, &v) && v != sum)
            return ox_fail(c->ctx, OX_BAD_DATA, "split sums to %lld, the axis has %lld", (long long)sum, (long long)v);
        return 0;
    }
    if ((n = split_parts(c)) < 0) return -1;
    ox_dim parts = ox_dim_const(c->ctx, n), chunk = ox_dim_exact_div(c->ctx, d, parts);
    if (!chunk) chunk = ox_dim_ceildiv(c->ctx, d, parts);
    ox_dim rest = ox_dim_sub(c->ctx, d, ox_dim_mul(c->ctx, chunk, ox_dim_const(c->ctx, n - 1)));
    if (ox_dim_is_const(rest, &v) && v < 0)
        return ox_fail(c->ctx, OX_BAD_DATA, "the axis is too small for %lld parts", (long long)n);
    for (int i = 0; i < c->n_out; i++) size[i] = i < n - 1 ? chunk : rest;
    return 0;
}

static int infer_split(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_dtype dtype = ox_in_dtype(c, 0);
    ox_dim *size = OX_NEW_N(c->arena, ox_dim, c->n_out + 1), *out = ox_mv_no_dims(c, rank);
    int64_t axis = 0, *known = OX_NEW_N(c->arena, int64_t, c->n_out + 1);
    if (rank == 0) return ox_fail(c->ctx, OX_BAD_DATA, "a scalar cannot be split");
    if (rank > 0) {
        if ((axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis")) < 0) return -1;
        if (split_sizes(c, ox_in_dims(c, 0)[axis], size)) return -1;
        for (int i = 0; i < rank; i++) out[i] = ox_in_dims(c, 0)[i];
    }
    for (int i = 0; i < c->n_out; i++) {
        if (rank > 0) out[axis] = size[i];
        ox_out_tensor(c, i, dtype, rank, rank > 0 ? out : NULL);
    }
    if (rank > 0 && ox_mv_known(c->n_out, size, known)) split_elems(c, rank, axis, known);
    return 0;
}

static int run_split(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    ox_call *c = r->call;
    int64_t n = 0, at = 0;
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "input is no tensor");
    int64_t axis = ox_axis(c, ox_get_int(c, "axis"), x->rank, "axis");
    const int64_t *split = axis >= 0 && ox_input(r, 1) ? ox_run_list(r, 1, &n) : NULL;
    if (axis < 0 || (ox_input(r, 1) && !split)) return -1;
    if (!split && (n = split_parts(c)) < 0) return -1;
    if (split ? n != c->n_out : n < c->n_out)
        return ox_fail(r->ctx, OX_BAD_DATA, "split has %lld entries for %d outputs", (long long)n, c->n_out);
    int64_t size = x->dims[axis], chunk = n ? size / n + (size % n != 0) : 0, most;
    if (!split && (!ox_mul_ok(chunk, n - 1, &most) || most > size))
        return ox_fail(r->ctx, OX_BAD_DATA, "%lld elements do not make %lld parts", (long long)size, (long long)n);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, 3 * ((size_t)x->rank + 1)), *ss = dims + x->rank + 1,
            *ds = ss + x->rank;
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    ox_mv_strides(x->rank, x->dims, ss);
    const char *from = ox_mv_in(r, x);
    if (!from) return -1;
    for (int64_t i = 0; i < n && (split || i < c->n_out); i++) {
        int64_t part = split ? split[i] : i < n - 1 ? chunk : size - at;
        if (part < 0 || part > size - at || (split && i == n - 1 && part != size - at))
            return ox_fail(r->ctx, OX_BAD_DATA, "sizes do not add up to %lld", (long long)size);
        dims[axis] = part;
        if (i < c->n_out) {
            ox_mv_out o;
            if (ox_mv_begin(r, (int)i, x->dtype, x->rank, dims, &o)) return -1;
            ox_mv_strides(x->rank, dims, ds);
            ox_mv_copy(r->arena, o.size, x->rank, dims, o.data, ds, from + at * ss[axis] * (int64_t)o.size, ss);
            if (ox_mv_done(r, &o)) return -1;
        }
        at += part;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ DepthToSpace,
 * SpaceToDepth */

static int block_size(ox_call *c, int rank, int64_t *b) {
    const char *mode = ox_get_string(c, "mode");
    *b = ox_get_int(c, "blocksize");
    if (rank >= 0 && rank != 4) return ox_fail(c->ctx, OX_BAD_DATA, "input has rank %d, not 4", rank);
    if (*b < 1 || *b > 1 << 15) return ox_fail(c->ctx, OX_BAD_DATA, "blocksize is %lld", (long long)*b);
    if (!strcmp(mode, "DCR")) return 0;
    return !strcmp(mode, "CRD") ? 1 : ox_fail(c->ctx, OX_BAD_DATA, "mode '%s' is unknown", mode);
}

/* A dim divided by the block; -1 after ox_fail when it cannot be. */
static int block_div(ox_call *c, ox_dim d, int64_t by, ox_dim *out) {
    int64_t v;
    if (ox_dim_is_const(d, &v) && v % by)
        return ox_fail(c->ctx, OX_BAD_DATA, "size %lld is not divisible by %lld", (long long)v, (long long)by);
    ox_dim q = ox_dim_const(c->ctx, by);
    *out = ox_dim_exact_div(c->ctx, d, q);
    if (!*out) *out = ox_dim_floordiv(c->ctx, d, q);
    return 0;
}

static int infer_blocks(ox_call *c, bool to_space) {
    int64_t b;
    int rank = ox_in_rank(c, 0);
    if (block_size(c, rank, &b) < 0) return -1;
    const ox_dim *d = ox_in_dims(c, 0);
    ox_dim out[4] = {NULL, NULL, NULL, NULL}, q = ox_dim_const(c->ctx, b);
    if (d) {
        out[0] = d[0];
        if (to_space) {
            if (block_div(c, d[1], b * b, &out[1])) return -1;
            for (int i = 2; i < 4; i++) out[i] = ox_dim_mul(c->ctx, d[i], q);
        } else {
            out[1] = ox_dim_mul(c->ctx, d[1], ox_dim_const(c->ctx, b * b));
            for (int i = 2; i < 4; i++)
                if (block_div(c, d[i], b, &out[i])) return -1;
        }
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 4, out);
    return 0;
}
static int infer_depth_to_space(ox_call *c) { return infer_blocks(c, true); }
static int infer_space_to_depth(ox_call *c) { return infer_blocks(c, false); }

static int run_depth_to_space(ox_run *r) {
    static const int64_t perms[2][6] = {{0, 3, 4, 1, 5, 2}, {0, 1, 4, 2, 5, 3}};
    const ox_tensor *x = ox_input(r, 0);
    int64_t b;
    int crd = block_size(r->call, x ? x->rank : 0, &b);
    if (!x || crd < 0) return -1;
    const int64_t *d = x->dims;
    if (d[1] % (b * b))
        return ox_fail(r->ctx, OX_BAD_DATA, "%lld channels for blocks of %lld", (long long)d[1], (long long)b);
    int64_t depth = d[1] / (b * b), out[4] = {d[0], depth}, dcr_dims[6] = {d[0], b, b, depth, d[2], d[3]};
    int64_t crd_dims[6] = {d[0], depth, b, b, d[2], d[3]};
    if (!ox_mul_ok(d[2], b, &out[2]) || !ox_mul_ok(d[3], b, &out[3]))
        return ox_fail(r->ctx, OX_BAD_DATA, "the output is too large");
    return permute_to(r, x, 6, crd ? crd_dims : dcr_dims, perms[crd], 4, out);
}

static int run_space_to_depth(ox_run *r) {
    static const int64_t perms[2][6] = {{0, 3, 5, 1, 2, 4}, {0, 1, 3, 5, 2, 4}};
    const ox_tensor *x = ox_input(r, 0);
    int64_t b;
    int crd = block_size(r->call, x ? x->rank : 0, &b);
    if (!x || crd < 0) return -1;
    const int64_t *d = x->dims;
    if (d[2] % b || d[3] % b)
        return ox_fail(r->ctx, OX_BAD_DATA, "%lld x %lld for blocks of %lld", (long long)d[2], (long long)d[3],
                       (long long)b);
    int64_t dims[6] = {d[0], d[1], d[2] / b, b, d[3] / b, b}, out[4] = {d[0], 0, d[2] / b, d[3] / b};
    if (!ox_mul_ok(d[1], b * b, &out[1])) return ox_fail(r->ctx, OX_BAD_DATA, "the output is too large");
    int64_t steps[6], ds[6], ss[6], to[6];
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, 4, out, &o)) return -1;
    ox_mv_strides(6, dims, steps);
    for (int i = 0; i < 6; i++) { /* rows of the output take every b-th element */
        to[i] = dims[perms[crd][i]];
        ss[i] = steps[perms[crd][i]];
    }
    ox_mv_strides(6, to, ds);
    if (o.t->count) ox_mv_copy(r->arena, o.size, 6, to, o.data, ds, from, ss);
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ ReverseSequence */

static int reverse_axes(ox_call *c, int rank, int64_t *batch, int64_t *time) {
    *batch = ox_get_int(c, "batch_axis");
    *time = ox_get_int(c, "time_axis");
    bool good = (*batch == 0 || *batch == 1) && *time == 1 - *batch;
    if (good && (rank < 0 || rank >= 2)) return 0;
    return ox_fail(c->ctx, OX_BAD_DATA, "batch_axis %lld and time_axis %lld for rank %d", (long long)*batch,
                   (long long)*time, rank);
}

static int infer_reverse(ox_call *c) {
    int64_t batch, time;
    if (reverse_axes(c, ox_in_rank(c, 0), &batch, &time)) return -1;
    return ox_infer_same(c);
}

static int run_reverse(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n, batch, time;
    const int64_t *len = ox_run_ints(r, 1, &n);
    if (!x || !len || reverse_axes(r->call, x->rank, &batch, &time)) return -1;
    if (n != x->dims[batch])
        return ox_fail(r->ctx, OX_BAD_DATA, "%lld lengths for %lld rows", (long long)n, (long long)x->dims[batch]);
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, x->rank, x->dims, &o)) return -1;
    if (!o.t->count) return 0;
    int64_t *ss = OX_NEW_N(r->arena, int64_t, x->rank);
    ox_mv_strides(x->rank, x->dims, ss);
    size_t run = (size_t)ss[1] * o.size;
    for (int64_t b = 0; b < n; b++) {
        if (len[b] < 0 || len[b] > x->dims[time])
            return ox_fail(r->ctx, OX_BAD_DATA, "length %lld of %lld", (long long)len[b], (long long)x->dims[time]);
        for (int64_t t = 0; t < x->dims[time]; t++) {
            int64_t s = t < len[b] ? len[b] - 1 - t : t;
            memcpy(o.data + (b * ss[batch] + t * ss[time]) * (int64_t)o.size,
                   from + (b * ss[batch] + s * ss[time]) * (int64_t)o.size, run);
        }
    }
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ Compress */

static int infer_compress(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t n, kept = 0;
    const int64_t *cond = ox_in_ints(c, 1, &n);
    for (int64_t i = 0; cond && i < n; i++) kept += cond[i] != 0;
    ox_dim size = cond ? ox_dim_const(c->ctx, kept) : ox_dim_fresh(c->ctx);
    if (!ox_has(c, "axis")) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), 1, &size);
        return 0;
    }
    ox_dim *out = ox_mv_no_dims(c, rank);
    if (rank >= 0) {
        int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis");
        if (axis < 0) return -1;
        for (int i = 0; i < rank; i++) out[i] = ox_in_dims(c, 0)[i];
        out[axis] = size;
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, out);
    return 0;
}

static int run_compress(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *cond = ox_input(r, 1);
    if (!x || !cond || cond->dtype != OX_BOOL || cond->rank > 1)
        return ox_fail(r->ctx, OX_BAD_DATA, "input or condition is no tensor of its type");
    const uint8_t *keep = ox_tensor_data(cond);
    bool flat = !ox_has(r->call, "axis");
    int64_t axis = flat ? 0 : ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), n = 0;
    if (!keep || axis < 0) return -1;
    int64_t size = flat ? x->count : x->dims[axis], outer = flat ? 1 : ox_mv_product((int)axis, x->dims);
    int64_t inner = flat ? 1 : ox_mv_product(x->rank - (int)axis - 1, x->dims + axis + 1);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    for (int64_t i = 0; i < cond->count; i++) {
        if (keep[i] && i >= size)
            return ox_fail(r->ctx, OX_BAD_DATA, "condition %lld is beyond %lld", (long long)i, (long long)size);
        n += keep[i] != 0;
    }
    for (int i = 0; i < x->rank && !flat; i++) dims[i] = x->dims[i];
    dims[axis] = n;
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, flat ? 1 : x->rank, dims, &o)) return -1;
    size_t run = (size_t)inner * o.size;
    char *to = o.data;
    for (int64_t b = 0; b < outer && run; b++)
        for (int64_t i = 0; i < cond->count; i++)
            if (keep[i]) {
                memcpy(to, from + (size_t)(b * size + i) * run, run);
                to += run;
            }
    return ox_mv_done(r, &o);
}

OX_FAMILY(move, "",
    OP("Transpose", 25,
       "<perm: ints?>(T data) => (T transposed) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0",
       .flags = OX_MOVES_DATA, .infer = infer_transpose, .kernel = run_transpose),
    OP("Transpose", 24,
       "<perm: ints?>(T data) => (T transposed) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0"),
    OP("Transpose", 23,
       "<perm: ints?>(T data) => (T transposed) T: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Transpose", 21,
       "<perm: ints?>(T data) => (T transposed) T: any|fp8|int4s|bfloat16"),
    OP("Transpose", 13,
       "<perm: ints?>(T data) => (T transposed) T: any|bfloat16"),
    OP("Transpose", 1,
       "<perm: ints?>(T data) => (T transposed) T: any"),
    OP("Concat", 13,
       "<axis: int>(T... inputs) => (T concat_result) T: any|bfloat16",
       .flags = OX_MOVES_DATA, .infer = infer_concat, .kernel = run_concat),
    OP("Concat", 11,
       "<axis: int>(T... inputs) => (T concat_result) T: any"),
    OP("Concat", 4,
       "<axis: int>(T... inputs) => (T concat_result) T: any"),
    OP("Concat", 1,
       "<axis: int?>(T... inputs) => (T concat_result) T: floats",
       .lift = lift_concat_1),
    OP("Split", 18,
       "<axis: int = 0, num_outputs: int?>(T input, int64? split) => (T... outputs) T: any|bfloat16",
       .flags = OX_MOVES_DATA, .infer = infer_split, .kernel = run_split),
    OP("Split", 13,
       "<axis: int = 0>(T input, int64? split) => (T... outputs) T: any|bfloat16",
       .lift = lift_split_13),
    OP("Split", 11,
       "<axis: int = 0, split: ints?>(T input) => (T... outputs) T: any",
       .lift = lift_split_11),
    OP("Split", 2,
       "<axis: int = 0, split: ints?>(T input) => (T... outputs) T: any"),
    OP("Split", 1,
       "<axis: int?, split: ints?>(T input, T? split) => (T... outputs) T: floats",
       .lift = lift_split_1),
    OP("Slice", 13,
       "(T data, Tind starts, Tind ends, Tind? axes, Tind? steps) => (T output) T: any|bfloat16, Tind: "
       "int32|int64",
       .flags = OX_MOVES_DATA, .infer = ox_infer_slice, .kernel = ox_run_slice),
    OP("Slice", 11,
       "(T data, Tind starts, Tind ends, Tind? axes, Tind? steps) => (T output) T: any, Tind: int32|"
       "int64"),
    OP("Slice", 10,
       "(T data, Tind starts, Tind ends, Tind? axes, Tind? steps) => (T output) T: any, Tind: int32|"
       "int64"),
    OP("Slice", 1,
       "<axes: ints?, ends: ints, starts: ints>(T data) => (T output) T: any",
       .lift = ox_lift_slice_1),
    OP("Pad", 25,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value, Tind? axes) => (T output) "
       "T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0, Tind: int32|int64",
       .infer = ox_infer_pad, .kernel = ox_run_pad),
    OP("Pad", 24,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value, Tind? axes) => (T output) "
       "T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0, Tind: int32|int64"),
    OP("Pad", 23,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value, Tind? axes) => (T output) "
       "T: any|fp8|int4s|bfloat16|float4e2m1, Tind: int32|int64"),
    OP("Pad", 21,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value, Tind? axes) => (T output) "
       "T: any|fp8|int4s|bfloat16, Tind: int32|int64"),
    OP("Pad", 19,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value, Tind? axes) => (T output) "
       "T: any|bfloat16, Tind: int32|int64"),
    OP("Pad", 18,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value, Tind? axes) => (T output) "
       "T: any|bfloat16, Tind: int32|int64"),
    OP("Pad", 13,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value) => (T output) T: any|"
       "bfloat16"),
    OP("Pad", 11,
       "<mode: string = \"constant\">(T data, int64 pads, T? constant_value) => (T output) T: numbers"),
    OP("Pad", 2,
       "<mode: string = \"constant\", pads: ints, value: float = 0.0>(T data) => (T output) T: floats",
       .lift = ox_lift_pad_2),
    OP("Pad", 1,
       "<mode: string = \"constant\", paddings: ints, value: float = 0.0>(T data) => (T output) T: "
       "floats",
       .lift = ox_lift_pad_1),
    OP("CenterCropPad", 18,
       "<axes: ints?>(T input_data, Tind shape) => (T output_data) T: any|bfloat16, Tind: int32|int64",
       .infer = ox_infer_center_crop_pad, .kernel = ox_run_center_crop_pad),
    OP("DepthToSpace", 28,
       "<blocksize: int, mode: string = \"DCR\">(T input) => (T output) T: any|bfloat16",
       .flags = OX_MOVES_DATA, .infer = infer_depth_to_space, .kernel = run_depth_to_space),
    OP("DepthToSpace", 13,
       "<blocksize: int, mode: string = \"DCR\">(T input) => (T output) T: any|bfloat16"),
    OP("DepthToSpace", 11,
       "<blocksize: int, mode: string = \"DCR\">(T input) => (T output) T: any"),
    OP("DepthToSpace", 1,
       "<blocksize: int>(T input) => (T output) T: any"),
    OP("SpaceToDepth", 28,
       "<blocksize: int, mode: string = \"DCR\">(T input) => (T output) T: any|bfloat16",
       .flags = OX_MOVES_DATA, .infer = infer_space_to_depth, .kernel = run_space_to_depth),
    OP("SpaceToDepth", 13,
       "<blocksize: int>(T input) => (T output) T: any|bfloat16"),
    OP("SpaceToDepth", 1,
       "<blocksize: int>(T input) => (T output) T: any"),
    OP("ReverseSequence", 28,
       "<batch_axis: int = 1, time_axis: int = 0>(T input, int64 sequence_lens) => (T Y) T: any|bfloat16",
       .flags = OX_MOVES_DATA, .infer = infer_reverse, .kernel = run_reverse),
    OP("ReverseSequence", 10,
       "<batch_axis: int = 1, time_axis: int = 0>(T input, int64 sequence_lens) => (T Y) T: any"),
    OP("Compress", 28,
       "<axis: int?>(T input, T1 condition) => (T output) T: any|bfloat16, T1: bool",
       .flags = OX_MOVES_DATA, .infer = infer_compress, .kernel = run_compress),
    OP("Compress", 11,
       "<axis: int?>(T input, T1 condition) => (T output) T: any, T1: bool"),
    OP("Compress", 9,
       "<axis: int?>(T input, T1 condition) => (T output) T: any, T1: bool"));
