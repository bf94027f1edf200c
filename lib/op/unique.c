/* Unique: the distinct elements, or slices along an axis. Rows are sorted stably and equal ones grouped, so the first
 * of a group is its first occurrence. NaN equals NaN and comes last, as in NumPy. The row stands in gather.c. */
#include "op/mover.h"

#include <math.h>
#include <string.h>

typedef struct uniq {
    ox_dtype dtype;
    const void *data;
    int64_t rows, width;             /* rows of `width` elements */
    int64_t inner, row_stride, step; /* element (row, k): row * row_stride + (k / inner) * step + k % inner */
} uniq;

static int order(double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static int compare_elements(const uniq *u, int64_t a, int64_t b) {
    switch (u->dtype) {
    case OX_STRING: {
        const ox_str *s = u->data;
        size_t n = s[a].len < s[b].len ? s[a].len : s[b].len;
        int c = n ? memcmp(s[a].data, s[b].data, n) : 0;
        return c ? c : (s[a].len > s[b].len) - (s[a].len < s[b].len);
    }
    case OX_UINT64: {
        const uint64_t *v = u->data;
        return (v[a] > v[b]) - (v[a] < v[b]);
    }
    case OX_COMPLEX64: {
        const float *v = u->data;
        int c = order(v[2 * a], v[2 * b]);
        return c ? c : order(v[2 * a + 1], v[2 * b + 1]);
    }
    case OX_COMPLEX128: {
        const double *v = u->data;
        int c = order(v[2 * a], v[2 * b]);
        return c ? c : order(v[2 * a + 1], v[2 * b + 1]);
    }
    default:
        if (ox_dtype_is_float(u->dtype))
            return order(ox_load_double(u->dtype, u->data, a), ox_load_double(u->dtype, u->data, b));
        int64_t x = ox_load_int(u->dtype, u->data, a), y = ox_load_int(u->dtype, u->data, b);
        return (x > y) - (x < y);
    }
}

static int compare_rows(const uniq *u, int64_t a, int64_t b) {
    for (int64_t k = 0; k < u->width; k++) {
        int64_t at = k / u->inner * u->step + k % u->inner;
        int c = compare_elements(u, a * u->row_stride + at, b * u->row_stride + at);
        if (c) return c;
    }
    return 0;
}

/* Stable merge sort of row numbers, bottom up; the result is in `a`. */
static void sort_rows(const uniq *u, int64_t *a, int64_t *room) {
    int64_t *from = a, *to = room;
    for (int64_t w = 1; w < u->rows; w *= 2) {
        for (int64_t lo = 0; lo < u->rows; lo += 2 * w) {
            int64_t mid = u->rows - lo < w ? u->rows : lo + w, hi = u->rows - mid < w ? u->rows : mid + w, i = lo,
                    j = mid;
            for (int64_t k = lo; k < hi; k++)
                to[k] = j >= hi || (i < mid && compare_rows(u, from[i], from[j]) <= 0) ? from[i++] : from[j++];
        }
        int64_t *t = from;
        from = to;
        to = t;
    }
    if (from != a && u->rows) memcpy(a, from, (size_t)u->rows * sizeof *a);
}

int ox_infer_unique(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *d = ox_in_dims(c, 0);
    ox_dim n = ox_dim_fresh(c->ctx), all = NULL, *out = ox_mv_no_dims(c, rank > 0 ? rank : 1);
    bool flat = !ox_has(c, "axis");
    if (flat) {
        out[0] = n;
        if (rank >= 0) all = ox_mv_dim_product(c->ctx, rank, d);
    } else if (rank >= 0) {
        int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis");
        if (axis < 0) return -1;
        for (int i = 0; i < rank; i++) out[i] = d[i];
        all = d[axis];
        out[axis] = n;
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), flat ? 1 : rank, out);
    for (int i = 1; i < c->n_out; i++) ox_out_tensor(c, i, OX_INT64, 1, i == 2 ? &all : &n);
    return 0;
}

/* Groups of equal rows in output order: first[g], count[g], and of[row] the group. Returns their number. */
static int64_t group_rows(const uniq *u, const int64_t *sorted, bool keep_order, int64_t *first, int64_t *count,
                          int64_t *of, int64_t *room) {
    int64_t n = 0;
    for (int64_t i = 0; i < u->rows; i++) {
        if (i == 0 || compare_rows(u, sorted[i - 1], sorted[i])) {
            first[n] = sorted[i];
            count[n++] = 0;
        }
        count[n - 1]++;
        of[sorted[i]] = n - 1;
    }
    if (!keep_order) return n;
    int64_t *place = room, *old_count = room + u->rows, k = 0; /* by first occurrence */
    for (int64_t g = 0; g < n; g++) old_count[g] = count[g];
    for (int64_t row = 0; row < u->rows; row++) {
        int64_t g = of[row];
        if (first[g] != row) continue;
        place[g] = k;
        count[k++] = old_count[g];
    }
    k = 0;
    for (int64_t row = 0; row < u->rows; row++) {
        of[row] = place[of[row]];
        if (of[row] == k) first[k++] = row;
    }
    return n;
}

static int unique_out(ox_run *r, int i, int64_t n, const int64_t *v) {
    if (!ox_want(r, i)) return 0;
    ox_tensor *t = ox_output(r, i, OX_INT64, 1, &n);
    if (!t) return -1;
    if (n) memcpy(ox_tensor_mut(t), v, (size_t)n * sizeof *v);
    return 0;
}

int ox_run_unique(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    bool flat = !ox_has(r->call, "axis"), keep_order = ox_get_int(r->call, "sorted") == 0;
    int64_t axis = flat ? 0 : ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis");
    if (axis < 0) return -1;
    uniq u = {x->dtype, ox_tensor_data(x), x->count, 1, 1, 1, 1};
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1), outer = 1;
    if (!flat) {
        u.rows = x->dims[axis];
        u.inner = ox_mv_product(x->rank - (int)axis - 1, x->dims + axis + 1);
        outer = ox_mv_product((int)axis, x->dims);
        u.width = outer * u.inner;
        u.row_stride = u.inner;
        u.step = u.inner * u.rows;
        for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    }
    int64_t *room = ox_scratch(r, ((uint64_t)u.rows * 6 + 1) * sizeof(int64_t));
    if (!u.data || !room) return -1;
    int64_t *sorted = room, *first = sorted + u.rows, *count = first + u.rows, *of = count + u.rows,
            *spare = of + u.rows;
    for (int64_t i = 0; i < u.rows; i++) sorted[i] = i;
    if (u.inner) sort_rows(&u, sorted, first);
    int64_t n = u.width ? group_rows(&u, sorted, keep_order, first, count, of, spare) : u.rows > 0;
    if (!u.width && u.rows > 0) { /* rows of nothing are all equal */
        first[0] = 0;
        count[0] = u.rows;
        for (int64_t i = 0; i < u.rows; i++) of[i] = 0;
    }
    dims[axis] = n;
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, flat ? 1 : x->rank, dims, &o)) return -1;
    size_t run = (size_t)u.inner * o.size;
    for (int64_t b = 0; b < outer && run; b++)
        for (int64_t g = 0; g < n; g++)
            memcpy(o.data + (size_t)(b * n + g) * run, from + (size_t)(b * u.rows + first[g]) * run, run);
    if (ox_mv_done(r, &o)) return -1;
    return unique_out(r, 1, n, first) || unique_out(r, 2, u.rows, of) || unique_out(r, 3, n, count) ? -1 : 0;
}
