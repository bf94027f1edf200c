/* Tensors made from parameters: constants, ranges, windows, masks. */
#include "op/kernel.h"
#include "op/mover.h"

#include <inttypes.h>
#include <math.h>

/* ---- Constant */

static const char *const value_names[] = {"value",     "sparse_value", "value_float",  "value_floats",
                                          "value_int", "value_ints",   "value_string", "value_strings"};
enum { N_VALUE_NAMES = sizeof value_names / sizeof value_names[0] };

/* The one attribute that holds the value; NULL after ox_fail. */
static const ox_attr *the_value(const ox_call *c) {
    const ox_attr *found = NULL;
    int n = 0;
    for (int i = 0; i < N_VALUE_NAMES; i++) {
        if (!ox_has(c, value_names[i])) continue;
        found = ox_get_attr(c, value_names[i]);
        n++;
    }
    if (n == 1) return found;
    ox_fail(c->ctx, OX_BAD_DATA, n ? "more than one attribute gives the value" : "no attribute gives the value");
    return NULL;
}

static ox_dtype value_dtype(const ox_attr *a) {
    switch (a->type) {
    case OX_A_TENSOR:
        return a->t->dtype;
    case OX_A_SPARSE:
        return a->sparse->values->dtype;
    case OX_A_FLOAT:
    case OX_A_FLOATS:
        return OX_FLOAT;
    case OX_A_INT:
    case OX_A_INTS:
        return OX_INT64;
    case OX_A_STRING:
    case OX_A_STRINGS:
        return OX_STRING;
    default:
        return OX_UNDEFINED;
    }
}

static int value_rank(const ox_attr *a) {
    if (a->type == OX_A_TENSOR) return a->t->rank;
    if (a->type == OX_A_SPARSE) return a->sparse->rank;
    return a->type == OX_A_FLOATS || a->type == OX_A_INTS || a->type == OX_A_STRINGS;
}

static int64_t value_dim(const ox_attr *a, int k) {
    return a->type == OX_A_TENSOR ? a->t->dims[k] : a->type == OX_A_SPARSE ? a->sparse->dims[k] : (int64_t)a->n;
}

static int infer_constant(ox_call *c) {
    const ox_attr *a = the_value(c);
    if (!a) return -1;
    int rank = value_rank(a);
    const int64_t *ints = NULL;
    int64_t n = 0;
    if (a->type == OX_A_INT || a->type == OX_A_INTS) {
        ints = a->type == OX_A_INT ? &a->i : a->is;
        n = a->type == OX_A_INT ? 1 : (int64_t)a->n;
    } else if (a->type == OX_A_TENSOR && a->t->count <= OX_ELEMS_MAX &&
               (ox_dtype_is_int(a->t->dtype) || a->t->dtype == OX_BOOL)) {
        ints = ox_tensor_to_ints(c->arena, a->t);
        n = a->t->count;
        if (!ints) return -1;
    }
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + n + 1);
    for (int k = 0; k < rank; k++) dims[k] = ox_dim_const(c->ctx, value_dim(a, k));
    ox_out_tensor(c, 0, value_dtype(a), rank, dims);
    if (!ints || n > OX_ELEMS_MAX) return 0;
    for (int64_t k = 0; k < n; k++) dims[k] = ox_dim_const(c->ctx, ints[k]);
    ox_out_elems(c, 0, n, dims);
    return 0;
}

/* Linear position of the k-th element of a sparse tensor; -1 when its indices lead out of it. */
static int64_t sparse_position(const ox_sparse *s, const int64_t *indices, int64_t k, int64_t count) {
    if (s->indices->rank < 2) return indices[k] >= 0 && indices[k] < count ? indices[k] : -1;
    int64_t at = 0;
    for (int d = 0; d < s->rank; d++) {
        int64_t i = indices[k * s->rank + d];
        if (i < 0 || i >= s->dims[d]) return -1;
        at = at * s->dims[d] + i;
    }
    return at;
}

static int run_sparse(ox_run *r, const ox_sparse *s) {
    const int64_t *indices = ox_tensor_to_ints(r->arena, s->indices);
    const char *values = ox_tensor_data(s->values);
    unsigned size = ox_dtype_bits(s->values->dtype) / 8;
    if (!indices || !values) return -1;
    if (!size) return ox_kernel_no_type(r, s->values->dtype);
    ox_tensor *y = ox_output(r, 0, s->values->dtype, s->rank, s->dims);
    if (!y) return -1;
    char *out = ox_tensor_mut(y);
    memset(out, 0, (size_t)y->bytes);
    for (int64_t k = 0; k < s->values->count; k++) {
        int64_t at = sparse_position(s, indices, k, y->count);
        if (at < 0) return ox_fail(r->ctx, OX_BAD_DATA, "index %" PRId64 " of the sparse tensor is out of range", k);
        memcpy(out + (size_t)at * size, values + (size_t)k * size, size);
    }
    return 0;
}

static int run_constant(ox_run *r) {
    const ox_attr *a = the_value(r->call);
    if (!a) return -1;
    if (a->type == OX_A_TENSOR) return ox_output_share(r, 0, a->t, a->t->rank, a->t->dims);
    if (a->type == OX_A_SPARSE) return run_sparse(r, a->sparse);
    int64_t n = (int64_t)a->n;
    ox_tensor *y = ox_output(r, 0, value_dtype(a), value_rank(a), &n);
    if (!y) return -1;
    void *out = ox_tensor_mut(y);
    switch (a->type) {
    case OX_A_FLOAT:
        memcpy(out, &a->f, sizeof a->f);
        return 0;
    case OX_A_INT:
        memcpy(out, &a->i, sizeof a->i);
        return 0;
    case OX_A_FLOATS:
        memcpy(out, n ? (const void *)a->fs : out, (size_t)n * sizeof *a->fs);
        return 0;
    case OX_A_INTS:
        memcpy(out, n ? (const void *)a->is : out, (size_t)n * sizeof *a->is);
        return 0;
    case OX_A_STRING:
        return ox_tensor_set_str(y, 0, a->s.data, a->s.len);
    default:
        break;
    }
    for (int64_t k = 0; k < n; k++) {
        if (ox_tensor_set_str(y, k, a->ss[k].data, a->ss[k].len) < 0) return -1;
    }
    return 0;
}

/* ---- sizes and types of what is made */

/* Type by an attribute, or DFLT without one. UNDEFINED after ox_fail. */
static ox_dtype attr_dtype(ox_call *c, const char *name, ox_dtype dflt) {
    const ox_attr *a = ox_get_attr(c, name);
    if (!a) return dflt;
    if (a->i > OX_UNDEFINED && a->i < OX_DTYPE_COUNT && ox_dtype_bits((ox_dtype)a->i)) return (ox_dtype)a->i;
    ox_fail(c->ctx, OX_BAD_DATA, "attribute '%s' is %" PRId64 ", which is no type of numbers", name, a->i);
    return OX_UNDEFINED;
}

/* The one integer of an input as expression; NULL when unknown. */
static ox_dim in_scalar(const ox_call *c, int i) {
    int64_t n;
    const ox_dim *e = ox_in_elems(c, i, &n);
    return e && n == 1 ? e[0] : NULL;
}

/* The one number of an input of a run. */
static int run_scalar(ox_run *r, int i, const ox_tensor **t, const void **data) {
    *t = ox_input(r, i);
    if (!*t || (*t)->count != 1 || !ox_dtype_bits((*t)->dtype))
        return ox_fail(r->ctx, OX_BAD_DATA, "input %d is not one number", i);
    *data = ox_tensor_data(*t);
    return *data ? 0 : -1;
}

static int run_scalar_int(ox_run *r, int i, int64_t *v) {
    const ox_tensor *t;
    const void *data = NULL;
    if (run_scalar(r, i, &t, &data) < 0) return -1;
    *v = ox_load_int(t->dtype, data, 0);
    return 0;
}

static int run_scalar_double(ox_run *r, int i, double *v) {
    const ox_tensor *t;
    const void *data = NULL;
    if (run_scalar(r, i, &t, &data) < 0) return -1;
    *v = ox_load_double(t->dtype, data, 0);
    return 0;
}

/* Numbers computed as double become elements; integers are cut off. */
static void store(ox_tensor *y, int64_t i, double v) {
    if (ox_dtype_is_float(y->dtype))
        ox_store_double(y->dtype, ox_tensor_mut(y), i, v);
    else
        ox_store_int(y->dtype, ox_tensor_mut(y), i, (int64_t)v);
}

/* ---- ConstantOfShape */

static int infer_constant_of_shape(ox_call *c) {
    const ox_attr *a = ox_get_attr(c, "value");
    if (a && a->t->count != 1)
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'value' has %" PRId64 " elements, not one", a->t->count);
    ox_dtype dtype = a ? a->t->dtype : OX_FLOAT;
    int64_t rank, total = 1, most = 1, d;
    bool too_many = false, none = false;
    const ox_dim *dims = ox_in_elems(c, 0, &rank);
    if (!dims || rank > (int64_t)c->ctx->limits.rank) {
        ox_out_tensor(c, 0, dtype, -1, NULL);
        return 0;
    }
    bool known = true;
    for (int64_t k = 0; k < rank; k++) {
        bool is_const = ox_dim_is_const(dims[k], &d);
        if (is_const && d < 0) return ox_fail(c->ctx, OX_BAD_DATA, "dimension %" PRId64 " is %" PRId64, k, d);
        if (is_const && d && !ox_mul_ok(most, d, &most)) too_many = true;
        none = none || (is_const && d == 0);
        known = known && is_const && ox_mul_ok(total, d, &total);
    }
    if (too_many && !none) return ox_fail(c->ctx, OX_BAD_DATA, "the number of elements overflows");
    ox_out_tensor(c, 0, dtype, (int)rank, dims);
    if (!known || total > OX_ELEMS_MAX || !(ox_dtype_is_int(dtype) || dtype == OX_BOOL)) return 0;
    const int64_t *v = a ? ox_tensor_to_ints(c->arena, a->t) : NULL;
    if (!v) return 0;
    ox_dim *elems = OX_NEW_N(c->arena, ox_dim, total + 1);
    for (int64_t k = 0; k < total; k++) elems[k] = ox_dim_const(c->ctx, v[0]);
    ox_out_elems(c, 0, total, elems);
    return 0;
}

static int run_constant_of_shape(ox_run *r) {
    const ox_attr *a = ox_get_attr(r->call, "value");
    int64_t rank;
    const int64_t *dims = ox_run_list(r, 0, &rank);
    if (!dims) return -1;
    if (a && a->t->count != 1)
        return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'value' has %" PRId64 " elements, not one", a->t->count);
    for (int64_t k = 0; k < rank; k++) {
        if (dims[k] < 0) return ox_fail(r->ctx, OX_BAD_DATA, "dimension %" PRId64 " is %" PRId64, k, dims[k]);
    }
    if (rank > (int64_t)r->ctx->limits.rank)
        return ox_fail(r->ctx, OX_BAD_DATA, "rank %" PRId64 " is beyond the limit %u", rank, r->ctx->limits.rank);
    ox_tensor *y = ox_output(r, 0, a ? a->t->dtype : OX_FLOAT, (int)rank, dims);
    const char *v = a ? ox_tensor_data(a->t) : NULL;
    if (!y || (a && !v)) return -1;
    char *out = ox_tensor_mut(y);
    size_t size = ox_dtype_bits(y->dtype) / 8;
    if (!a) {
        memset(out, 0, (size_t)y->bytes);
    } else if (ox_dtype_packed(y->dtype)) {
        memset(out, 0, (size_t)y->bytes);
        for (int64_t k = 0; k < y->count; k++) ox_store_double(y->dtype, out, k, ox_load_double(y->dtype, v, 0));
    } else {
        ox_mv_fill(out, v, size, y->count);
    }
    return 0;
}

/* ---- Range */

/* Count of integers from start on before limit; step is not 0. */
static uint64_t int_steps(int64_t start, int64_t limit, int64_t step) {
    if (step > 0 ? limit <= start : limit >= start) return 0;
    uint64_t way = step > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t each = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    return (way - 1) / each + 1;
}

static double real_steps(double start, double limit, double step) {
    double n = ceil((limit - start) / step);
    return n > 0 ? n : 0;
}

/* The size of a range of expressions whose step is a known number. */
static ox_dim steps_expr(ox_ctx *ctx, ox_dim start, ox_dim limit, int64_t step) {
    ox_dim way = step > 0 ? ox_dim_sub(ctx, limit, start) : ox_dim_sub(ctx, start, limit);
    if (step == INT64_MIN) return NULL;
    ox_dim n = ox_dim_ceildiv(ctx, way, ox_dim_const(ctx, step > 0 ? step : -step));
    return !n || ox_dim_nonneg(n) ? n : ox_dim_max(ctx, n, ox_dim_const(ctx, 0));
}

static int infer_range(ox_call *c) {
    ox_dim start = in_scalar(c, 0), limit = in_scalar(c, 1), step = in_scalar(c, 2), n = NULL;
    const ox_tensor *t[3] = {0};
    for (int i = 0; i < 3 && i < c->n_in; i++) t[i] = c->in[i].t;
    int64_t by = 0, count;
    if (ox_dim_is_const(step, &by)) {
        if (by == 0) return ox_fail(c->ctx, OX_BAD_DATA, "delta is 0");
        n = steps_expr(c->ctx, start, limit, by);
    } else if (t[0] && t[1] && t[2] && t[0]->count == 1 && t[1]->count == 1 && t[2]->count == 1) {
        double v[3];
        for (int i = 0; i < 3; i++) {
            const void *data = ox_tensor_data(t[i]);
            if (!data) return -1;
            v[i] = ox_load_double(t[i]->dtype, data, 0);
        }
        if (v[2] == 0) return ox_fail(c->ctx, OX_BAD_DATA, "delta is 0");
        double steps = real_steps(v[0], v[1], v[2]);
        if (steps < 0x1p62) n = ox_dim_const(c->ctx, (int64_t)steps);
    }
    bool small = by && start && ox_dim_is_const(n, &count) && count <= OX_ELEMS_MAX;
    if (!n) n = ox_dim_fresh(c->ctx);
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), 1, &n);
    if (!small) return 0;
    ox_dim *elems = OX_NEW_N(c->arena, ox_dim, count + 1);
    for (int64_t k = 0; k < count; k++) {
        elems[k] = k ? ox_dim_add(c->ctx, elems[k - 1], step) : start;
    }
    ox_out_elems(c, 0, count, elems);
    return 0;
}

static int run_range(ox_run *r) {
    const ox_tensor *t[3];
    const void *data[3];
    for (int i = 0; i < 3; i++) {
        if (run_scalar(r, i, &t[i], &data[i]) < 0) return -1;
        if (t[i]->dtype != t[0]->dtype) return ox_fail(r->ctx, OX_BAD_DATA, "the inputs have different element types");
    }
    bool real = ox_dtype_is_float(t[0]->dtype);
    int64_t n;
    double start = ox_load_double(t[0]->dtype, data[0], 0), step = ox_load_double(t[2]->dtype, data[2], 0);
    int64_t from = ox_load_int(t[0]->dtype, data[0], 0), by = ox_load_int(t[2]->dtype, data[2], 0);
    if (real ? step == 0 : by == 0) return ox_fail(r->ctx, OX_BAD_DATA, "delta is 0");
    if (real) {
        double steps = real_steps(start, ox_load_double(t[1]->dtype, data[1], 0), step);
        n = steps < 0x1p62 ? (int64_t)steps : INT64_MAX;
    } else {
        uint64_t steps = int_steps(from, ox_load_int(t[1]->dtype, data[1], 0), by);
        n = steps < INT64_MAX ? (int64_t)steps : INT64_MAX;
    }
    ox_tensor *y = ox_output(r, 0, t[0]->dtype, 1, &n);
    if (!y) return -1;
    void *out = ox_tensor_mut(y);
    if (y->dtype == OX_INT64) {
        for (int64_t k = 0; k < n; k++) ((uint64_t *)out)[k] = (uint64_t)from + (uint64_t)k * (uint64_t)by;
        return 0;
    }
    for (int64_t k = 0; k < n; k++) {
        if (real)
            ox_store_double(y->dtype, out, k, start + (double)k * step);
        else
            ox_store_int(y->dtype, out, k, (int64_t)((uint64_t)from + (uint64_t)k * (uint64_t)by));
    }
    return 0;
}

/* ---- EyeLike, Trilu */

static int infer_eye_like(ox_call *c) {
    ox_dtype t = attr_dtype(c, "dtype", ox_in_dtype(c, 0));
    if (!t && ox_has(c, "dtype")) return -1;
    if (ox_in_rank(c, 0) >= 0 && ox_in_rank(c, 0) != 2)
        return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d, not 2", ox_in_rank(c, 0));
    ox_out_tensor(c, 0, t, 2, ox_in_dims(c, 0));
    return 0;
}

static int run_eye_like(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x || x->rank != 2) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no matrix");
    ox_dtype t = attr_dtype(r->call, "dtype", x->dtype);
    ox_tensor *y = t ? ox_output(r, 0, t, 2, x->dims) : NULL;
    if (!y) return -1;
    int64_t k = ox_get_int(r->call, "k"), rows = x->dims[0], cols = x->dims[1];
    memset(ox_tensor_mut(y), 0, (size_t)y->bytes);
    if (k >= cols || k <= -rows) return 0;
    for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < cols; i++)
        ox_store_double(t, ox_tensor_mut(y), i * cols + i + k, 1);
    return 0;
}

static int infer_trilu(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    if (rank >= 0 && rank < 2)
        return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d, but at least 2 is needed", rank);
    return ox_infer_same(c);
}

static int run_trilu(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t k = 0;
    if (!x || x->rank < 2) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no matrix");
    if (ox_input(r, 1) && run_scalar_int(r, 1, &k) < 0) return -1;
    size_t size = ox_dtype_bits(x->dtype) / 8;
    if (!size) return ox_kernel_no_type(r, x->dtype);
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    const char *in = ox_tensor_data(x);
    if (!y || !in) return -1;
    char *out = ox_tensor_mut(y);
    int64_t rows = x->dims[x->rank - 2], cols = x->dims[x->rank - 1];
    bool upper = ox_get_int(r->call, "upper") != 0;
    for (int64_t i = 0; x->count && i < x->count / cols; i++) {
        int64_t row = i % rows; /* first column of the upper part, or first one behind the lower part */
        int64_t edge = k >= cols ? cols : k <= -rows ? 0 : row + k + !upper;
        edge = edge < 0 ? 0 : edge > cols ? cols : edge;
        if (k <= -rows && !upper) edge = 0;
        int64_t from = upper ? edge : 0, to = upper ? cols : edge;
        char *line = out + (size_t)(i * cols) * size;
        memset(line, 0, (size_t)cols * size);
        memcpy(line + (size_t)from * size, in + (size_t)(i * cols + from) * size, (size_t)(to - from) * size);
    }
    return 0;
}

/* ---- OneHot */

/* The depth may be a whole number held as float. */
static ox_dim depth_of(const ox_call *c) {
    const ox_tensor *t = c->n_in > 1 ? c->in[1].t : NULL;
    const void *data = t && t->count == 1 && ox_dtype_is_float(t->dtype) ? ox_tensor_data(t) : NULL;
    return data ? ox_dim_const(c->ctx, ox_load_int(t->dtype, data, 0)) : in_scalar(c, 1);
}

static int infer_one_hot(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t n, axis;
    ox_dim depth = depth_of(c);
    const ox_dim *values = ox_in_dims(c, 2);
    if (ox_dim_is_const(depth, &n) && n < 0) return ox_fail(c->ctx, OX_BAD_DATA, "depth is %" PRId64, n);
    if (values && ox_in_rank(c, 2) != 1)
        return ox_fail(c->ctx, OX_BAD_DATA, "values has rank %d, not 1", ox_in_rank(c, 2));
    if (values && ox_dim_is_const(values[0], &n) && n != 2)
        return ox_fail(c->ctx, OX_BAD_DATA, "values has %" PRId64 " elements, not 2", n);
    if (rank < 0) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 2), -1, NULL);
        return 0;
    }
    if ((axis = ox_axis(c, ox_get_int(c, "axis"), rank + 1, "axis")) < 0) return -1;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    const ox_dim *in = ox_in_dims(c, 0);
    if (!depth) depth = ox_dim_fresh(c->ctx);
    for (int k = 0; k <= rank; k++) dims[k] = k < axis ? in[k] : k == axis ? depth : in[k - 1];
    ox_out_tensor(c, 0, ox_in_dtype(c, 2), rank + 1, dims);
    return 0;
}

static int put_element(ox_tensor *y, int64_t at, const ox_tensor *values, int which) {
    if (y->dtype == OX_STRING) {
        const ox_str *s = (const ox_str *)ox_tensor_data(values) + which;
        return ox_tensor_set_str(y, at, s->data, s->len);
    }
    size_t size = ox_dtype_bits(y->dtype) / 8;
    memcpy((char *)ox_tensor_mut(y) + (size_t)at * size, (const char *)ox_tensor_data(values) + (size_t)which * size,
           size);
    return 0;
}

static int run_one_hot(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *values = ox_input(r, 2);
    int64_t depth, axis, inner = 1;
    if (!x || !values || values->count != 2) return ox_fail(r->ctx, OX_BAD_DATA, "values has not two elements");
    if (run_scalar_int(r, 1, &depth) < 0 ||
        (axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank + 1, "axis")) < 0)
        return -1;
    if (depth < 0) return ox_fail(r->ctx, OX_BAD_DATA, "depth is %" PRId64, depth);
    if (ox_dtype_packed(values->dtype)) return ox_kernel_no_type(r, values->dtype);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    for (int k = 0; k <= x->rank; k++) dims[k] = k < axis ? x->dims[k] : k == axis ? depth : x->dims[k - 1];
    for (int k = (int)axis; k < x->rank; k++) inner *= x->dims[k];
    ox_tensor *y = ox_output(r, 0, values->dtype, x->rank + 1, dims);
    const void *in = ox_tensor_data(x);
    if (!y || !in || !ox_tensor_data(values)) return -1;
    if (y->dtype != OX_STRING) ox_mv_fill(ox_tensor_mut(y), ox_tensor_data(values), ox_mv_size(y->dtype), y->count);
    for (int64_t k = 0; y->dtype == OX_STRING && k < y->count; k++) {
        if (put_element(y, k, values, 0) < 0) return -1;
    }
    for (int64_t k = 0; y->count && k < x->count; k++) {
        int64_t hot = ox_load_int(x->dtype, in, k);
        if (hot < 0) hot += depth;
        if (hot < 0 || hot >= depth) continue;
        if (put_element(y, (k / inner * depth + hot) * inner + k % inner, values, 1) < 0) return -1;
    }
    return 0;
}

/* ---- windows */

static int infer_window(ox_call *c) {
    ox_dim size = in_scalar(c, 0);
    int64_t n;
    ox_dtype t = attr_dtype(c, "output_datatype", OX_FLOAT);
    if (!t) return -1;
    if (ox_dim_is_const(size, &n) && n < 0) return ox_fail(c->ctx, OX_BAD_DATA, "size is %" PRId64, n);
    if (!size) size = ox_dim_fresh(c->ctx);
    ox_out_tensor(c, 0, t, 1, &size);
    return 0;
}

/* Sums of cosines: a0 + a1 cos(2 pi k / n) + a2 cos(4 pi k / n). */
static int run_window(ox_run *r, double a0, double a1, double a2) {
    int64_t n;
    ox_dtype t = attr_dtype(r->call, "output_datatype", OX_FLOAT);
    if (!t || run_scalar_int(r, 0, &n) < 0) return -1;
    if (n < 0) return ox_fail(r->ctx, OX_BAD_DATA, "size is %" PRId64, n);
    ox_tensor *y = ox_output(r, 0, t, 1, &n);
    double period = (double)(ox_get_int(r->call, "periodic") ? n : n - 1);
    if (period < 1) period = 1;
    for (int64_t k = 0; y && k < n; k++) {
        double w = 2 * 3.14159265358979323846 * (double)k / period;
        store(y, k, a0 + a1 * cos(w) + a2 * cos(2 * w));
    }
    return y ? 0 : -1;
}

static int run_hann(ox_run *r) { return run_window(r, 0.5, -0.5, 0); }
static int run_hamming(ox_run *r) { return run_window(r, 25.0 / 46, -21.0 / 46, 0); }
static int run_blackman(ox_run *r) { return run_window(r, 0.42, -0.5, 0.08); }

/* ---- MelWeightMatrix */

static int infer_mel(ox_call *c) {
    ox_dtype t = attr_dtype(c, "output_datatype", OX_FLOAT);
    if (!t) return -1;
    ox_dim length = in_scalar(c, 1), two = ox_dim_const(c->ctx, 2);
    ox_dim dims[2] = {ox_dim_addi(c->ctx, ox_dim_floordiv(c->ctx, length, two), 1), in_scalar(c, 0)};
    ox_out_tensor(c, 0, t, 2, dims);
    return 0;
}

/* One triangle: up from `left` to `mid`, down from there to `right`. */
static void mel_triangle(ox_tensor *y, int64_t column, int64_t left, int64_t mid, int64_t right) {
    int64_t cols = y->dims[1];
    if (left == mid) store(y, mid * cols + column, 1);
    for (int64_t j = left; left < mid && j <= mid; j++)
        store(y, j * cols + column, (double)(j - left) / (double)(mid - left));
    for (int64_t j = mid; j < right; j++) store(y, j * cols + column, (double)(right - j) / (double)(right - mid));
}

static int run_mel(ox_run *r) {
    int64_t bins, length, rate;
    double low, high;
    ox_dtype t = attr_dtype(r->call, "output_datatype", OX_FLOAT);
    if (!t || run_scalar_int(r, 0, &bins) < 0 || run_scalar_int(r, 1, &length) < 0 || run_scalar_int(r, 2, &rate) < 0)
        return -1;
    if (run_scalar_double(r, 3, &low) < 0 || run_scalar_double(r, 4, &high) < 0) return -1;
    if (bins < 0 || length < 0 || rate <= 0 || length >= INT64_MAX - 1)
        return ox_fail(r->ctx, OX_BAD_DATA, "a size or rate is negative or 0");
    int64_t dims[2] = {length / 2 + 1, bins};
    ox_tensor *y = ox_output(r, 0, t, 2, dims);
    if (!y) return -1;
    memset(ox_tensor_mut(y), 0, (size_t)y->bytes);
    double from = 2595 * log10(1 + low / 700), to = 2595 * log10(1 + high / 700),
           step = (to - from) / (double)(bins + 2);
    int64_t edge[3] = {0};
    for (int64_t i = 0; i < bins + 2; i++) {
        double hertz = 700 * (pow(10, (from + step * (double)i) / 2595) - 1),
               at = floor((double)(length + 1) * hertz / (double)rate);
        if (!(at >= 0 && at <= (double)dims[0]))
            return ox_fail(r->ctx, OX_BAD_DATA, "a frequency is beyond the spectrum");
        edge[0] = edge[1];
        edge[1] = edge[2];
        edge[2] = (int64_t)at;
        if (i < 2) continue;
        if (edge[1] >= dims[0]) return ox_fail(r->ctx, OX_BAD_DATA, "a frequency is beyond the spectrum");
        mel_triangle(y, i - 2, edge[0], edge[1], edge[2]);
    }
    return 0;
}

OX_FAMILY(generate, "",
    OP("Constant", 25,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0",
       .infer = infer_constant, .kernel = run_constant),
    OP("Constant", 24,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0"),
    OP("Constant", 23,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Constant", 21,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|bfloat16"),
    OP("Constant", 19,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|bfloat16"),
    OP("Constant", 13,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|bfloat16"),
    OP("Constant", 12,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any"),
    OP("Constant", 11,
       "<sparse_value: sparse_tensor?, value: tensor?>() => (T output) T: any"),
    OP("Constant", 9,
       "<value: tensor>() => (T output) T: any"),
    OP("Constant", 1,
       "<value: tensor>() => (T output) T: floats"),
    OP("ConstantOfShape", 25,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|int2s|bfloat16|bool|"
       "float4e2m1|float8e8m0",
       .infer = infer_constant_of_shape, .kernel = run_constant_of_shape),
    OP("ConstantOfShape", 24,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1|float8e8m0"),
    OP("ConstantOfShape", 23,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1"),
    OP("ConstantOfShape", 21,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|bfloat16|bool"),
    OP("ConstantOfShape", 20,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|bfloat16|bool"),
    OP("ConstantOfShape", 9,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|bool"),
    OP("EyeLike", 22,
       "<dtype: int?, k: int = 0>(T1 input) => (T2 output) T1: numbers|bfloat16|bool, T2: numbers|"
       "bfloat16|bool",
       .infer = infer_eye_like, .kernel = run_eye_like),
    OP("EyeLike", 9,
       "<dtype: int?, k: int = 0>(T1 input) => (T2 output) T1: numbers|bool, T2: numbers|bool"),
    OP("Range", 27,
       "<stash_type: int = 1>(T start, T limit, T delta) => (T output) T: floats|bfloat16|int16|int32|"
       "int64",
       .infer = infer_range, .kernel = run_range),
    OP("Range", 11,
       "(T start, T limit, T delta) => (T output) T: double|float|int16|int32|int64"),
    OP("OneHot", 28,
       "<axis: int = -1>(T1 indices, T2 depth, T3 values) => (T3 output) T1: numbers, T2: numbers, T3: "
       "any|bfloat16",
       .infer = infer_one_hot, .kernel = run_one_hot),
    OP("OneHot", 11,
       "<axis: int = -1>(T1 indices, T2 depth, T3 values) => (T3 output) T1: numbers, T2: numbers, T3: "
       "any"),
    OP("OneHot", 9,
       "<axis: int = -1>(T1 indices, T2 depth, T3 values) => (T3 output) T1: numbers, T2: numbers, T3: "
       "any"),
    OP("BlackmanWindow", 17,
       "<output_datatype: int = 1, periodic: int = 1>(T1 size) => (T2 output) T1: int32|int64, T2: "
       "numbers|bfloat16",
       .infer = infer_window, .kernel = run_blackman),
    OP("HammingWindow", 17,
       "<output_datatype: int = 1, periodic: int = 1>(T1 size) => (T2 output) T1: int32|int64, T2: "
       "numbers|bfloat16",
       .infer = infer_window, .kernel = run_hamming),
    OP("HannWindow", 17,
       "<output_datatype: int = 1, periodic: int = 1>(T1 size) => (T2 output) T1: int32|int64, T2: "
       "numbers|bfloat16",
       .infer = infer_window, .kernel = run_hann),
    OP("MelWeightMatrix", 17,
       "<output_datatype: int = 1>(T1 num_mel_bins, T1 dft_length, T1 sample_rate, T2 lower_edge_hertz, "
       "T2 upper_edge_hertz) => (T3 output) T1: int32|int64, T2: floats|bfloat16, T3: numbers|bfloat16",
       .infer = infer_mel, .kernel = run_mel),
    OP("Trilu", 14,
       "<upper: int = 1>(T input, int64? k) => (T output) T: any|bfloat16",
       .infer = infer_trilu, .kernel = run_trilu));
