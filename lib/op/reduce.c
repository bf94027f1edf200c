/* Reductions over axes: rows, shape rules, steps between versions. Kernels: reduce_kernels.c. */
#include "op/compute.h"

/* Axes were an attribute. */
static int lift_axes(ox_call *c) {
    ox_lift_ints_to_input(c, "axes", 1);
    return 0;
}

/* Which axes are reduced. False when that is not known; -1 in *bad after ox_fail. */
static bool reduced_axes(ox_call *c, int rank, bool *reduced, int *bad) {
    int64_t n = 0;
    const int64_t *axes = ox_arg_given(c, 1) ? ox_in_ints(c, 1, &n) : NULL;
    if (ox_arg_given(c, 1) && !axes) return false;
    for (int d = 0; d < rank && n == 0; d++) reduced[d] = ox_get_int(c, "noop_with_empty_axes") == 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = ox_axis(c, axes[i], rank, "axis");
        if (axis < 0) *bad = -1;
        if (axis < 0) return false;
        if (reduced[axis]) *bad = ox_fail(c->ctx, OX_BAD_DATA, "axis %" PRId64 " is named twice", axis);
        reduced[axis] = true;
    }
    return *bad == 0;
}

/* When the axes are not known: the rank may be, by their number. */
static void unknown_axes(ox_call *c, int rank, bool keep) {
    int64_t n;
    const ox_dim *count = ox_in_rank(c, 1) == 1 ? ox_in_dims(c, 1) : NULL;
    bool counted = count && ox_dim_is_const(count[0], &n) && n > 0 && n <= rank;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    const ox_dim *x = ox_in_dims(c, 0);
    for (int d = 0; d < rank && keep; d++) dims[d] = ox_dim_is(x[d], 1) ? x[d] : NULL;
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), keep ? rank : counted ? rank - (int)n : -1, dims);
}

static ox_dim combine(ox_call *c, ox_dim a, ox_dim b) {
    const char *name = c->op->name + strlen("Reduce");
    if (!strcmp(name, "Sum")) return ox_dim_add(c->ctx, a, b);
    if (!strcmp(name, "Prod")) return ox_dim_mul(c->ctx, a, b);
    if (!strcmp(name, "Max")) return ox_dim_max(c->ctx, a, b);
    return !strcmp(name, "Min") ? ox_dim_min(c->ctx, a, b) : NULL;
}

/* Shape data: all elements become one. */
static void reduce_elems(ox_call *c, int rank, const bool *reduced) {
    int64_t n;
    const ox_dim *elems = ox_in_elems(c, 0, &n);
    const char *name = c->op->name + strlen("Reduce");
    for (int d = 0; d < rank; d++) {
        if (!reduced[d]) return;
    }
    if (!elems || ox_in_dtype(c, 0) == OX_BOOL) return;
    if (n == 0 && strcmp(name, "Sum") && strcmp(name, "Prod")) return;
    if (n == 1 && strcmp(name, "Sum") && strcmp(name, "Prod") && strcmp(name, "Max") && strcmp(name, "Min") &&
        strcmp(name, "Mean"))
        return;
    ox_dim all = n ? elems[0] : ox_dim_const(c->ctx, !strcmp(name, "Prod"));
    for (int64_t i = 1; i < n && all; i++) all = combine(c, all, elems[i]);
    ox_out_elems(c, 0, 1, &all);
}

static int infer_reduce(ox_call *c) {
    int rank = ox_in_rank(c, 0), out = 0, bad = 0;
    bool keep = ox_get_int(c, "keepdims") != 0;
    const ox_dim *x = ox_in_dims(c, 0);
    if (!x) {
        ox_out_tensor(c, 0, ox_out_dtype(c, 0), -1, NULL);
        return 0;
    }
    bool *reduced = OX_NEW_N(c->arena, bool, rank + 1);
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    if (!reduced_axes(c, rank, reduced, &bad)) {
        if (bad == 0) unknown_axes(c, rank, keep);
        return bad;
    }
    for (int d = 0; d < rank; d++) {
        if (!reduced[d])
            dims[out++] = x[d];
        else if (keep)
            dims[out++] = ox_dim_const(c->ctx, 1);
    }
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), out, dims);
    reduce_elems(c, rank, reduced);
    return 0;
}

static int infer_arg(ox_call *c) {
    int rank = ox_in_rank(c, 0), out = 0;
    bool keep = ox_get_int(c, "keepdims") != 0;
    const ox_dim *x = ox_in_dims(c, 0);
    int64_t axis = x && rank ? ox_axis(c, ox_get_int(c, "axis"), rank, "axis") : 0;
    if (axis < 0) return -1;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) {
        if (d != axis)
            dims[out++] = x[d];
        else if (keep)
            dims[out++] = ox_dim_const(c->ctx, 1);
    }
    ox_out_tensor(c, 0, OX_INT64, x ? out : -1, dims);
    return 0;
}

OX_FAMILY(reduce, "",
    OP("ReduceMax", 20,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|bool|int32|int64|int8|uint32|uint64|uint8",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceMax", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|int8|uint32|uint64|uint8"),
    OP("ReduceMax", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|int8|"
       "uint32|uint64|uint8",
       .lift = lift_axes),
    OP("ReduceMax", 12,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|int8|uint32|"
       "uint64|uint8"),
    OP("ReduceMax", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMax", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMin", 20,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|bool|int32|int64|int8|uint32|uint64|uint8",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceMin", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|int8|uint32|uint64|uint8"),
    OP("ReduceMin", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|int8|"
       "uint32|uint64|uint8",
       .lift = lift_axes),
    OP("ReduceMin", 12,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|int8|uint32|"
       "uint64|uint8"),
    OP("ReduceMin", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMin", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceSum", 13,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceSum", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64",
       .lift = lift_axes),
    OP("ReduceSum", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMean", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceMean", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64",
       .lift = lift_axes),
    OP("ReduceMean", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMean", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceProd", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceProd", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64",
       .lift = lift_axes),
    OP("ReduceProd", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceProd", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL1", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceL1", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64",
       .lift = lift_axes),
    OP("ReduceL1", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL1", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL2", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceL2", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64",
       .lift = lift_axes),
    OP("ReduceL2", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL2", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSum", 28,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceLogSum", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceLogSum", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64",
       .lift = lift_axes),
    OP("ReduceLogSum", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSum", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSumExp", 28,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceLogSumExp", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceLogSumExp", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64",
       .lift = lift_axes),
    OP("ReduceLogSumExp", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSumExp", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceSumSquare", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_reduce, .kernel = ox_run_reduce),
    OP("ReduceSumSquare", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64",
       .lift = lift_axes),
    OP("ReduceSumSquare", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceSumSquare", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ArgMax", 13,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers|bfloat16",
       .infer = infer_arg, .kernel = ox_run_arg_reduce),
    OP("ArgMax", 12,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers"),
    OP("ArgMax", 11,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"),
    OP("ArgMax", 1,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"),
    OP("ArgMin", 13,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers|bfloat16",
       .infer = infer_arg, .kernel = ox_run_arg_reduce),
    OP("ArgMin", 12,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers"),
    OP("ArgMin", 11,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"),
    OP("ArgMin", 1,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"));
