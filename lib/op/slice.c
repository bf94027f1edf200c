/* Slice, Pad and CenterCropPad: blocks cut out of tensors or put into larger ones. Rows are in move.c.
 * Sizes stay expressions: x[:, 1:] of [N, S] is [N, max(S-1, 0)]. */
#include "op/mover.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ Slice */

int ox_lift_slice_1(ox_call *c) {
    if (!ox_has(c, "starts") || !ox_has(c, "ends"))
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute starts or ends is missing");
    ox_lift_ints_to_input(c, "starts", 1);
    ox_lift_ints_to_input(c, "ends", 2);
    if (ox_has(c, "axes")) ox_lift_ints_to_input(c, "axes", 3);
    return 0;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* Number of elements that start, end and step pick out of `size`; *first is where they begin. */
static int64_t slice_span(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *first) {
    if (start < 0) start += size;
    if (end < 0) end += size;
    *first = 0;
    if (size == 0) return 0;
    if (step > 0) {
        start = clamp(start, 0, size);
        end = clamp(end, 0, size);
        *first = start;
        return end > start ? (end - start - 1) / step + 1 : 0;
    }
    start = clamp(start, 0, size - 1);
    end = clamp(end, -1, size - 1);
    *first = start;
    return start > end ? (int64_t)((uint64_t)(start - end - 1) / (0 - (uint64_t)step)) + 1 : 0;
}

/* Sizes beyond this mean "to the end": exporters write INT32_MAX and INT64_MAX. */
static const int64_t far_away = INT32_MAX;

/* Where a bound lies in an axis of size d, forwards: known not below 0 (start) or not above d (end). NULL when not
 * known. */
static ox_dim forward_start(ox_call *c, ox_dim v, ox_dim d) {
    int64_t lo, hi;
    if (!v || !ox_dim_range(v, &lo, &hi)) return NULL;
    if (lo >= 0) return v;
    return hi < 0 ? ox_dim_max(c->ctx, ox_dim_const(c->ctx, 0), ox_dim_add(c->ctx, d, v)) : NULL;
}
static ox_dim forward_end(ox_call *c, ox_dim v, ox_dim d) {
    int64_t lo, hi;
    if (!v || !ox_dim_range(v, &lo, &hi)) return NULL;
    if (lo >= far_away) return d;
    if (lo >= 0) return ox_dim_min(c->ctx, v, d);
    return hi < 0 ? ox_dim_add(c->ctx, d, v) : NULL;
}

/* The size of an axis after slicing. */
static ox_dim slice_dim(ox_call *c, ox_dim d, ox_dim start, ox_dim end, int64_t step) {
    ox_ctx *x = c->ctx;
    int64_t size, s = 0, e = 0, first;
    bool known = ox_dim_is_const(start, &s) && ox_dim_is_const(end, &e);
    ox_dim zero = ox_dim_const(x, 0);
    if (known && ox_dim_is_const(d, &size)) return ox_dim_const(x, slice_span(size, s, e, step, &first));
    if (ox_dim_is(d, 0)) return zero;
    if (step == -1 && known && e < -far_away && (s == -1 || s >= far_away)) return d; /* reversed as a whole */
    if (step < 0) return NULL;
    if (ox_dim_is_const(start, &s) && s < 0 && s > -far_away && forward_end(c, end, d) == d && d && step == 1)
        return ox_dim_min(x, d, ox_dim_const(x, -s)); /* the last -s */
    ox_dim from = forward_start(c, start, d), to = forward_end(c, end, d);
    ox_dim n = ox_dim_sub(x, to, from);
    if (!n) return NULL;
    if (step > 1) n = ox_dim_ceildiv(x, n, ox_dim_const(x, step));
    return n && !ox_dim_nonneg(n) ? ox_dim_max(x, zero, n) : n;
}

typedef struct slice_args {
    int64_t n;
    const ox_dim *starts, *ends; /* n entries, or NULL */
    const int64_t *axes, *steps; /* normalised axes; NULL when unknown */
} slice_args;

static int slice_read(ox_call *c, int rank, slice_args *a) {
    int64_t n[4] = {-1, -1, -1, -1}, *axes;
    a->n = -1;
    a->starts = ox_in_elems(c, 1, &n[0]);
    a->ends = ox_in_elems(c, 2, &n[1]);
    const int64_t *listed = ox_arg_given(c, 3) ? ox_in_ints(c, 3, &n[2]) : NULL;
    a->steps = ox_arg_given(c, 4) ? ox_in_ints(c, 4, &n[3]) : NULL;
    if (!a->starts) n[0] = -1;
    if (!a->ends) n[1] = -1;
    if (!listed) n[2] = -1;
    if (!a->steps) n[3] = -1;
    for (int i = 0; i < 4; i++) {
        if (n[i] < 0) continue;
        if (a->n >= 0 && a->n != n[i])
            return ox_fail(c->ctx, OX_BAD_DATA, "starts, ends, axes and steps differ in length");
        a->n = n[i];
    }
    if (a->n < 0) return 0;
    if (a->n > rank) return ox_fail(c->ctx, OX_BAD_DATA, "%lld axes for rank %d", (long long)a->n, rank);
    if (ox_arg_given(c, 3) && !listed) return 0;
    a->axes = axes = OX_NEW_N(c->arena, int64_t, a->n + 1);
    for (int64_t i = 0; i < a->n; i++) axes[i] = listed ? listed[i] : i;
    if (ox_mv_axes(c, a->n, axes, rank, OX_NEW_N(c->arena, bool, rank + 1), "axes")) return -1;
    for (int64_t i = 0; i < a->n; i++) axes[i] = axes[i] < 0 ? axes[i] + rank : axes[i];
    for (int64_t i = 0; i < a->n && a->steps; i++)
        if (!a->steps[i]) return ox_fail(c->ctx, OX_BAD_DATA, "a step is 0");
    return 0;
}

/* Shape data of a slice with numbers for everything. */
static void slice_elems(ox_call *c, int rank, const slice_args *a) {
    int64_t *dims = OX_NEW_N(c->arena, int64_t, rank + 1), *ss = OX_NEW_N(c->arena, int64_t, rank + 1), offset = 0;
    const ox_dim *e = ox_mv_in_elems(c, 0, dims);
    if (!e || !a->starts || !a->ends || (ox_arg_given(c, 4) && !a->steps)) return;
    ox_mv_strides(rank, dims, ss);
    for (int64_t i = 0; i < a->n; i++) {
        int64_t s, t, first, step = a->steps ? a->steps[i] : 1, axis = a->axes[i];
        if (!ox_dim_is_const(a->starts[i], &s) || !ox_dim_is_const(a->ends[i], &t)) return;
        int64_t n = slice_span(dims[axis], s, t, step, &first);
        if (n) offset += first * ss[axis];
        dims[axis] = n;
        ss[axis] = n > 1 ? ss[axis] * step : 0;
    }
    ox_mv_elems(c, 0, e, offset, rank, dims, ss);
}

int ox_infer_slice(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    slice_args a = {0};
    if (rank < 0) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    if (slice_read(c, rank, &a)) return -1;
    ox_dim *out = ox_mv_no_dims(c, rank);
    if (a.axes) {
        for (int i = 0; i < rank; i++) out[i] = ox_in_dims(c, 0)[i];
        for (int64_t i = 0; i < a.n; i++) {
            bool known = a.starts && a.ends && (a.steps || !ox_arg_given(c, 4));
            out[a.axes[i]] =
                known ? slice_dim(c, out[a.axes[i]], a.starts[i], a.ends[i], a.steps ? a.steps[i] : 1) : NULL;
        }
        slice_elems(c, rank, &a);
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, out);
    return 0;
}

int ox_run_slice(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n = 0, m = 0, na = 0, ns = 0, offset = 0;
    const int64_t *starts = ox_run_list(r, 1, &n), *ends = starts ? ox_run_list(r, 2, &m) : NULL, *axes = NULL,
                  *steps = NULL;
    if (!x || !ends) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    if (ox_input(r, 3) && !(axes = ox_run_list(r, 3, &na))) return -1;
    if (ox_input(r, 4) && !(steps = ox_run_list(r, 4, &ns))) return -1;
    if (n != m || (axes && na != n) || (steps && ns != n) || n > x->rank)
        return ox_fail(r->ctx, OX_BAD_DATA, "starts, ends, axes and steps do not fit each other or rank %d", x->rank);
    if (axes && ox_mv_axes(r->call, n, axes, x->rank, OX_NEW_N(r->arena, bool, x->rank + 1), "axes")) return -1;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, 3 * ((size_t)x->rank + 1)), *ss = dims + x->rank + 1,
            *ds = ss + x->rank;
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    ox_mv_strides(x->rank, x->dims, ss);
    bool whole = true;
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = axes ? axes[i] : i, step = steps ? steps[i] : 1, first;
        if (axis < 0) axis += x->rank;
        if (!step) return ox_fail(r->ctx, OX_BAD_DATA, "a step is 0");
        dims[axis] = slice_span(x->dims[axis], starts[i], ends[i], step, &first);
        whole &= dims[axis] == x->dims[axis] && (step == 1 || dims[axis] < 2);
        if (dims[axis]) offset += first * ss[axis];
        ss[axis] = dims[axis] > 1 ? ss[axis] * step : 0;
    }
    if (whole) return ox_output_share(r, 0, x, x->rank, dims);
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, x->rank, dims, &o)) return -1;
    if (!o.t->count) return 0;
    ox_mv_strides(x->rank, dims, ds);
    ox_mv_copy(r->arena, o.size, x->rank, dims, o.data, ds, from + offset * (int64_t)o.size, ss);
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ Pad */

int ox_lift_pad_1(ox_call *c) {
    int n;
    const int64_t *p = ox_get_ints(c, "paddings", &n);
    if (!p) return ox_fail(c->ctx, OX_BAD_DATA, "attribute paddings is missing");
    ox_lift_attr_ints(c, "pads", n, p);
    ox_lift_drop(c, "paddings");
    return 0;
}

int ox_lift_pad_2(ox_call *c) {
    double value = ox_has(c, "value") ? ox_get_float(c, "value") : 0;
    if (!ox_has(c, "pads")) return ox_fail(c->ctx, OX_BAD_DATA, "attribute pads is missing");
    ox_dtype dtype = ox_in_dtype(c, 0);
    ox_tensor *t = ox_tensor_scalar_double(c->ctx, dtype == OX_UNDEFINED ? OX_FLOAT : dtype, value);
    if (!t) return -1;
    ox_lift_ints_to_input(c, "pads", 1);
    ox_lift_set_input(c, 2, t);
    ox_lift_drop(c, "value");
    return 0;
}

static const char *const pad_modes[] = {"constant", "reflect", "edge", "wrap"};

static int pad_mode(ox_call *c) {
    const char *mode = ox_get_string(c, "mode");
    for (int i = 0; i < 4; i++)
        if (!strcmp(mode, pad_modes[i])) return i;
    return ox_fail(c->ctx, OX_BAD_DATA, "mode '%s' is unknown", mode);
}

int ox_infer_pad(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t n = 0, k = rank;
    const ox_dim *d = ox_in_dims(c, 0), *p = ox_in_elems(c, 1, &n);
    if (pad_mode(c) < 0) return -1;
    bool listed = ox_arg_given(c, 3);
    const int64_t *axes = listed ? ox_in_ints(c, 3, &k) : NULL;
    if (rank < 0 || !p || (listed && !axes)) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, NULL);
        return 0;
    }
    if (axes && ox_mv_axes(c, k, axes, rank, OX_NEW_N(c->arena, bool, rank + 1), "axes")) return -1;
    if (n != 2 * k) return ox_fail(c->ctx, OX_BAD_DATA, "%lld pads for %lld axes", (long long)n, (long long)k);
    ox_dim *out = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) out[i] = d[i];
    for (int64_t i = 0; i < k; i++) {
        int64_t a = axes ? axes[i] < 0 ? axes[i] + rank : axes[i] : i, v;
        int64_t before, after;
        if (ox_dim_is_const(p[i], &before) && ox_dim_is_const(p[k + i], &after) && !ox_add_ok(before, after, &v))
            return ox_fail(c->ctx, OX_BAD_DATA, "pads of dim %lld overflow", (long long)a);
        ox_dim both = ox_dim_add(c->ctx, p[i], p[k + i]);
        if (!ox_dim_is(both, 0)) out[a] = ox_dim_add(c->ctx, out[a], both);
        if (ox_dim_is_const(out[a], &v) && v < 0)
            return ox_fail(c->ctx, OX_BAD_DATA, "pads make dim %lld negative", (long long)a);
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, out);
    return 0;
}

/* Where a padded axis takes its elements from: places [lo, lo + d) of the input stay; place o of the output is place o - shift of these. */
typedef struct pad_axis { int64_t lo, d, shift, n; } pad_axis;

static int read_pad_axis(ox_run *r, int mode, int64_t size, int64_t begin, int64_t end, int64_t n, pad_axis *a) {
    int64_t lo = begin < 0 ? -begin : 0, hi = end < 0 ? size + end : size;
    *a = (pad_axis){lo, hi - lo, begin < 0 ? 0 : begin, n};
    return hi > lo || n <= 0 ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "mode %s has nothing to repeat", pad_modes[mode]);
}

static int64_t pad_place(int mode, const pad_axis *a, int64_t o) {
    int64_t i = o - a->shift, d = a->d, period = 2 * (d - 1);
    if (i >= 0 && i < d) return i + a->lo;
    if (mode == 1) {
        i = period ? (i % period + period) % period : 0;
        i = i >= d ? period - i : i;
    } else {
        i = mode == 2 ? clamp(i, 0, d - 1) : (i % d + d) % d;
    }
    return i + a->lo;
}

/* Places of an axis whose elements come from places a step apart. */
typedef struct run { int64_t from, n, step; } run;

static int64_t find_runs(int mode, const pad_axis *a, run *runs) {
    int64_t count = 0;
    for (int64_t i = 0; i < a->n; i += runs[count++].n) {
        int64_t from = pad_place(mode, a, i), step = i + 1 < a->n ? pad_place(mode, a, i + 1) - from : 1, k = 1;
        if (step < -1 || step > 1) step = 1;
        if (i >= a->shift && i < a->shift + a->d) { /* what stays */
            step = 1;
            k = a->shift + a->d - i < a->n - i ? a->shift + a->d - i : a->n - i;
        } else {
            while (i + k < a->n && pad_place(mode, a, i + k) == from + k * step) k++;
        }
        runs[count] = (run){from, k, step};
    }
    return count;
}

/* Reflect, edge and wrap: outer rows one by one, the last axis by runs. */
static int pad_by_place(ox_run *r, int mode, const ox_tensor *x, const char *from, ox_mv_out *o, const pad_axis *axes) {
    int k = o->t->rank - 1;
    int64_t *at = OX_NEW_N(r->arena, int64_t, k + 1), *ss = OX_NEW_N(r->arena, int64_t, k + 1), n = o->t->dims[k];
    run *runs = ox_scratch(r, (uint64_t)n * sizeof *runs);
    if (!runs) return -1;
    int64_t count = find_runs(mode, &axes[k], runs);
    ox_mv_strides(k + 1, x->dims, ss);
    char *to = o->data;
    for (int64_t done = 0; done < o->t->count; done += n) {
        int64_t base = 0;
        for (int i = 0; i < k; i++) base += pad_place(mode, &axes[i], at[i]) * ss[i];
        for (const run *p = runs; p < runs + count; p++) {
            ox_mv_row(o->size, p->n, to, 1, from + (base + p->from) * (int64_t)o->size, p->step);
            to += (size_t)p->n * o->size;
        }
        for (int i = k - 1; i >= 0; i--) {
            if (++at[i] < o->t->dims[i]) break;
            at[i] = 0;
        }
    }
    return 0;
}

/* One element in moving form: the constant value in the data's type. */
static int pad_value(ox_run *r, ox_dtype dtype, char *elem) {
    const ox_tensor *v = ox_input(r, 2);
    memset(elem, 0, 16);
    if (!v) return 0;
    const void *data = v->count == 1 ? ox_tensor_data(v) : NULL;
    if (!data)
        return v->count == 1 ? -1
                             : ox_fail(r->ctx, OX_BAD_DATA, "constant_value has %lld elements", (long long)v->count);
    if (v->dtype != dtype) {
        if (v->dtype == OX_STRING || dtype == OX_STRING)
            return ox_fail(r->ctx, OX_BAD_DATA, "constant_value is %s", ox_dtype_name(v->dtype));
        ox_store_double(dtype, elem, 0, ox_load_double(v->dtype, data, 0));
        return 0;
    }
    const void *whole = ox_mv_in(r, v);
    if (!whole) return -1;
    memcpy(elem, whole, ox_mv_size(dtype));
    return 0;
}

/* The block both share: where it begins in each, and its dims. False when it is empty. */
static void pad_constant(ox_run *r, const ox_tensor *x, const char *from, ox_mv_out *o, const int64_t *begin) {
    int k = x->rank;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, 3 * ((size_t)k + 1)), *ss = dims + k + 1, *ds = ss + k, so = 0, dp = 0;
    ox_mv_strides(k, x->dims, ss);
    ox_mv_strides(k, o->t->dims, ds);
    for (int i = 0; i < k; i++) {
        int64_t s = begin[i] < 0 ? -begin[i] : 0, d = begin[i] < 0 ? 0 : begin[i];
        int64_t a = x->dims[i] - s, b = o->t->dims[i] - d;
        dims[i] = a < b ? a : b;
        if (dims[i] <= 0) return;
        so += s * ss[i];
        dp += d * ds[i];
    }
    ox_mv_copy(r->arena, o->size, k, dims, o->data + dp * (int64_t)o->size, ds, from + so * (int64_t)o->size, ss);
}

int ox_run_pad(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n, k = x ? x->rank : 0;
    int mode = pad_mode(r->call);
    const int64_t *p = ox_run_list(r, 1, &n), *axes = NULL;
    if (!x || !p || mode < 0) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "data is no tensor");
    if (ox_input(r, 3) && !(axes = ox_run_list(r, 3, &k))) return -1;
    if (axes && ox_mv_axes(r->call, k, axes, x->rank, OX_NEW_N(r->arena, bool, x->rank + 1), "axes")) return -1;
    if (n != 2 * k) return ox_fail(r->ctx, OX_BAD_DATA, "%lld pads for %lld axes", (long long)n, (long long)k);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, 3 * ((size_t)x->rank + 1)), *begin = dims + x->rank + 1,
            *end = begin + x->rank;
    for (int64_t i = 0; i < k; i++) {
        int64_t a = axes ? axes[i] < 0 ? axes[i] + x->rank : axes[i] : i;
        begin[a] = p[i];
        end[a] = p[k + i];
    }
    for (int i = 0; i < x->rank; i++)
        if (begin[i] == INT64_MIN || end[i] == INT64_MIN || !ox_add_ok(x->dims[i], begin[i], &dims[i]) ||
            !ox_add_ok(dims[i], end[i], &dims[i]) || dims[i] < 0)
            return ox_fail(r->ctx, OX_BAD_DATA, "pads do not fit dim %d of %lld", i, (long long)x->dims[i]);
    ox_mv_out o;
    _Alignas(16) char elem[16];
    const char *from = ox_mv_in(r, x);
    if (!from || pad_value(r, x->dtype, elem) || ox_mv_begin(r, 0, x->dtype, x->rank, dims, &o)) return -1;
    if (mode == 0 || x->rank == 0) {
        ox_mv_fill(o.data, elem, o.size, o.t->count);
        pad_constant(r, x, from, &o, begin);
        return ox_mv_done(r, &o);
    }
    if (!o.t->count) return 0;
    pad_axis *places = OX_NEW_N(r->arena, pad_axis, x->rank);
    for (int i = 0; i < x->rank; i++) {
        if (read_pad_axis(r, mode, x->dims[i], begin[i], end[i], dims[i], &places[i]) < 0) return -1;
    }
    if (pad_by_place(r, mode, x, from, &o, places) < 0) return -1;
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ CenterCropPad */

/* The axes it works on, normalised: the attribute or all. */
static const int64_t *crop_axes(ox_call *c, int rank, int *n) {
    const int64_t *a = ox_get_ints(c, "axes", n);
    int64_t *out = OX_NEW_N(c->arena, int64_t, (a ? *n : rank) + 1);
    if (a && ox_mv_axes(c, *n, a, rank, OX_NEW_N(c->arena, bool, rank + 1), "axes")) return NULL;
    if (!a) *n = rank;
    for (int i = 0; i < *n; i++) out[i] = !a ? i : a[i] < 0 ? a[i] + rank : a[i];
    return out;
}

int ox_infer_center_crop_pad(ox_call *c) {
    int rank = ox_in_rank(c, 0), k;
    int64_t n;
    const ox_dim *e = ox_in_elems(c, 1, &n);
    if (rank < 0) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    const int64_t *axes = crop_axes(c, rank, &k);
    if (!axes) return -1;
    if (e && n != k) return ox_fail(c->ctx, OX_BAD_DATA, "shape has %lld entries for %d axes", (long long)n, k);
    ox_dim *out = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) out[i] = ox_in_dims(c, 0)[i];
    for (int i = 0; i < k; i++) out[axes[i]] = e && e[i] && ox_dim_nonneg(e[i]) ? e[i] : NULL;
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, out);
    return 0;
}

int ox_run_center_crop_pad(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n;
    int k;
    const int64_t *want = ox_run_list(r, 1, &n), *axes;
    if (!x || !want) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "input_data is no tensor");
    if (!(axes = crop_axes(r->call, x->rank, &k))) return -1;
    if (n != k) return ox_fail(r->ctx, OX_BAD_DATA, "shape has %lld entries for %d axes", (long long)n, k);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, 2 * ((size_t)x->rank + 1)), *begin = dims + x->rank + 1;
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    for (int i = 0; i < k; i++) {
        int64_t d = x->dims[axes[i]], t = want[i];
        if (t < 0) return ox_fail(r->ctx, OX_BAD_DATA, "shape holds %lld", (long long)t);
        dims[axes[i]] = t;
        begin[axes[i]] = t < d ? -((d - t) / 2) : (t - d) / 2;
    }
    ox_mv_out o;
    const char *from = ox_mv_in(r, x), zero[16] = {0};
    if (!from || ox_mv_begin(r, 0, x->dtype, x->rank, dims, &o)) return -1;
    ox_mv_fill(o.data, zero, o.size, o.t->count);
    pad_constant(r, x, from, &o, begin);
    return ox_mv_done(r, &o);
}
