/* Elements written by index. The output begins as a copy of the data; updates are written in order, so of several for
 * one place the last stays, or all are combined when there is a reduction. */
#include "op/mover.h"

#include <math.h>
#include <string.h>

typedef enum reduction { R_NONE, R_ADD, R_MUL, R_MAX, R_MIN } reduction;

static int read_reduction(ox_call *c) {
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *s = ox_get_string(c, "reduction");
    if (!*s) return R_NONE;
    for (int i = 0; i < 5; i++)
        if (!strcmp(s, names[i])) return i;
    return ox_fail(c->ctx, OX_BAD_DATA, "reduction '%s' is unknown", s);
}

static double combine_doubles(reduction how, double a, double b) {
    switch (how) {
    case R_ADD: return a + b;
    case R_MUL: return a * b;
    case R_MAX: return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
    default: return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
    }
}

static uint64_t combine_unsigned(reduction how, uint64_t a, uint64_t b) {
    switch (how) {
    case R_ADD: return a + b;
    case R_MUL: return a * b;
    case R_MAX: return a > b ? a : b;
    default: return a < b ? a : b;
    }
}

static int64_t combine_ints(reduction how, int64_t a, int64_t b) {
    switch (how) {
    case R_MAX: return a > b ? a : b;
    case R_MIN: return a < b ? a : b;
    default: return (int64_t)combine_unsigned(how, (uint64_t)a, (uint64_t)b); /* wraps */
    }
}

/* dst[at] = dst[at] op src[from] for `n` elements of a real type; packed types are combined in their packed form
 * before. */
static void combine(ox_dtype t, reduction how, void *dst, int64_t at, const void *src, int64_t from, int64_t n) {
    for (int64_t i = 0; i < n; i++, at++, from++) {
        if (t == OX_FLOAT && how == R_ADD) {
            ((float *)dst)[at] += ((const float *)src)[from];
        } else if (t == OX_BOOL) {
            uint8_t a = ((uint8_t *)dst)[at], b = ((const uint8_t *)src)[from];
            ((uint8_t *)dst)[at] = how == R_ADD || how == R_MAX ? a | b : a & b;
        } else if (t == OX_UINT64) {
            ((uint64_t *)dst)[at] = combine_unsigned(how, ((uint64_t *)dst)[at], ((const uint64_t *)src)[from]);
        } else if (ox_dtype_is_float(t)) {
            ox_store_double(t, dst, at, combine_doubles(how, ox_load_double(t, dst, at), ox_load_double(t, src, from)));
        } else {
            ox_store_int(t, dst, at, combine_ints(how, ox_load_int(t, dst, at), ox_load_int(t, src, from)));
        }
    }
}

static bool can_combine(ox_dtype t) {
    return t == OX_BOOL || ((ox_dtype_is_float(t) || ox_dtype_is_int(t)) && !ox_dtype_packed(t));
}

/* The output as a copy of the data in moving form, or the data themselves when nobody reads them any more. */
static int begin_copy(ox_run *r, const ox_tensor *x, ox_mv_out *o) {
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin_tensor(r, ox_output_over(r, 0, 1, x->dtype, x->rank, x->dims), o)) return -1;
    if (x->count && o->data != from) memcpy(o->data, from, (size_t)x->count * o->size);
    return 0;
}

/* One run of updates to one place. */
static void put(const ox_mv_out *o, reduction how, int64_t at, const char *src, int64_t from, int64_t n) {
    if (how == R_NONE) memcpy(o->data + (size_t)at * o->size, src + (size_t)from * o->size, (size_t)n * o->size);
    else combine(o->t->dtype, how, o->data, at, src, from, n);
}

/* Shape data: the data's own, with updates at numbered places of a vector; a place that is not a number spoils all. */
static int scatter_elems(ox_call *c) {
    int64_t n, ni, nu, v;
    const ox_dim *e = ox_in_elems(c, 0, &n), *idx = ox_in_elems(c, 1, &ni), *u = ox_in_elems(c, 2, &nu);
    int how = read_reduction(c);
    if (how < 0) return -1;
    if (!e || !idx || ox_in_rank(c, 0) != 1 || how != R_NONE || (u && nu != ni)) return 0;
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, n + 1);
    for (int64_t i = 0; i < n; i++) out[i] = e[i];
    for (int64_t i = 0; i < ni; i++) {
        if (!ox_dim_is_const(idx[i], &v)) return 0;
        if ((v = ox_mv_index(c, v, n, "index")) < 0) return -1;
        out[v] = u ? u[i] : NULL;
    }
    ox_out_elems(c, 0, n, out);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ ScatterElements */

static int infer_scatter_elements(ox_call *c) {
    int rd = ox_in_rank(c, 0), ri = ox_in_rank(c, 1), ru = ox_in_rank(c, 2);
    int64_t axis = rd >= 0 ? ox_axis(c, ox_get_int(c, "axis"), rd, "axis") : 0;
    if (axis < 0) return -1;
    if ((rd >= 0 && ri >= 0 && rd != ri) || (ri >= 0 && ru >= 0 && ri != ru))
        return ox_fail(c->ctx, OX_BAD_DATA, "data, indices and updates of rank %d, %d and %d", rd, ri, ru);
    ox_out_type(c, 0, ox_in_type(c, 0));
    bool bad = false;
    for (int i = 0; i < ri && ru >= 0; i++) ox_mv_same_dim(c, ox_in_dims(c, 1)[i], ox_in_dims(c, 2)[i], "updates", &bad);
    if (bad || (rd > 0 && ox_mv_check_indices(c, 1, 1, ox_in_dims(c, 0) + axis) < 0)) return -1;
    return scatter_elems(c);
}

static int run_scatter_elements(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *it = ox_input(r, 1), *u = ox_input(r, 2);
    int how = read_reduction(r->call);
    if (!x || !it || !u || how < 0) return -1;
    if (how && !can_combine(x->dtype)) return ox_kernel_no_type(r, x->dtype);
    bool fits = x->rank == it->rank && it->rank == u->rank && x->dtype == u->dtype;
    for (int i = 0; i < x->rank && fits; i++) fits = it->dims[i] == u->dims[i];
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "data, indices and updates do not fit each other");
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), n;
    const int64_t *idx = axis < 0 ? NULL : ox_run_ints(r, 1, &n);
    ox_mv_out o;
    const char *src = idx ? ox_mv_in(r, u) : NULL;
    if (!src || begin_copy(r, x, &o)) return -1;
    for (int i = 0; i < x->rank; i++)
        if (i != axis && n && it->dims[i] > x->dims[i])
            return ox_fail(r->ctx, OX_BAD_DATA, "indices are larger than data in dim %d", i);
    int64_t *ss = OX_NEW_N(r->arena, int64_t, x->rank), *at = OX_NEW_N(r->arena, int64_t, x->rank), base = 0;
    ox_mv_strides(x->rank, x->dims, ss);
    ss[axis] = 0; /* base: place without the axis */
    int64_t step = ox_mv_product(x->rank - (int)axis - 1, x->dims + axis + 1);
    for (int64_t k = 0; k < n; k++) {
        int64_t v = ox_mv_at(r->call, idx[k], x->dims[axis]);
        if (v < 0) return -1;
        if (how == R_NONE && o.size == 4)
            memcpy(o.data + (base + v * step) * 4, src + k * 4, 4);
        else
            put(&o, how, base + v * step, src, k, 1);
        for (int i = x->rank - 1; i >= 0; i--) {
            base += ss[i];
            if (++at[i] < it->dims[i]) break;
            base -= ss[i] * at[i];
            at[i] = 0;
        }
    }
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ ScatterND */

static int infer_scatter_nd(ox_call *c) {
    int rd = ox_in_rank(c, 0), ri = ox_in_rank(c, 1), ru = ox_in_rank(c, 2);
    int64_t k;
    ox_out_type(c, 0, ox_in_type(c, 0));
    if (ri == 0 || rd == 0) return ox_fail(c->ctx, OX_BAD_DATA, "data or indices are scalars");
    if (rd > 0 && ri > 0 && ox_dim_is_const(ox_in_dims(c, 1)[ri - 1], &k) &&
        (k < 1 || k > rd || (ru >= 0 && ru != ri - 1 + rd - k)))
        return ox_fail(c->ctx, OX_BAD_DATA, "indices of %lld entries do not fit data of rank %d and updates of rank %d",
                       (long long)k, rd, ru);
    if (rd > 0 && ri > 0 && ox_dim_is_const(ox_in_dims(c, 1)[ri - 1], &k) && ox_mv_check_indices(c, 1, k, ox_in_dims(c, 0)) < 0) return -1;
    return scatter_elems(c);
}

enum { KEPT_RANK = 16 };

/* Updates [from, from + n) go to elements at, at + 1, ... */
typedef struct piece { int64_t at, from, n; } piece;
/* What constant indices come to, for data of these sizes. */
typedef struct pieces {
    int rank;
    int64_t dims[KEPT_RANK], n;
    piece list[];
} pieces;

/* The element that index tuple i names; -1 after ox_fail. */
static inline int64_t place_of(ox_run *r, const ox_tensor *x, const int64_t *ss, const int64_t *tuple, int64_t k) {
    int64_t at = 0;
    for (int64_t a = 0; a < k; a++) {
        int64_t v = ox_mv_at(r->call, tuple[a], x->dims[a]);
        if (v < 0) return -1;
        at += v * ss[a];
    }
    return at;
}

/* Finds the pieces of `rows` updates of `run` elements: neighbours become one. PUT_IT: they are written; LIST: they are noted (room for one per
 * row). Returns their number, -1 after ox_fail. */
static int64_t find_pieces(ox_run *r, const ox_tensor *x, const int64_t *idx, int64_t k, int64_t rows, int64_t run, const ox_mv_out *o, reduction how,
                           const char *src, piece *list) {
    int64_t *ss = OX_NEW_N(r->arena, int64_t, x->rank), n = 0;
    ox_mv_strides(x->rank, x->dims, ss);
    piece now = {0, 0, 0};
    for (int64_t i = 0; i < rows; i++) {
        int64_t at = place_of(r, x, ss, idx + i * k, k);
        if (at < 0) return -1;
        if (at == now.at + now.n && now.n) {
            now.n += run;
            continue;
        }
        if (now.n && list) list[n] = now;
        else if (now.n) put(o, how, now.at, src, now.from, now.n);
        n += now.n > 0;
        now = (piece){at, i * run, run};
    }
    if (now.n && list) list[n] = now;
    else if (now.n) put(o, how, now.at, src, now.from, now.n);
    return n + (now.n > 0);
}

/* The pieces of indices that are the same in every run; NULL (without failing) when they are not kept. */
static const pieces *kept_pieces(ox_run *r, const ox_tensor *x, const int64_t *idx, int64_t k, int64_t rows, int64_t run) {
    ox_kept *kept = r->kept;
    int64_t bytes;
    if (!kept || !(kept->fixed & 2) || x->rank > KEPT_RANK) return NULL;
    const pieces *have = kept->data;
    if (have) return have->rank == x->rank && !memcmp(have->dims, x->dims, (size_t)x->rank * sizeof *x->dims) ? have : NULL;
    if (!ox_mul_ok(rows, (int64_t)sizeof(piece), &bytes) || bytes > INT64_MAX / 2) return NULL;
    pieces *p = ox_payload_alloc(r->ctx, sizeof *p + (size_t)bytes);
    if (!p) return NULL;
    p->rank = x->rank;
    memcpy(p->dims, x->dims, (size_t)x->rank * sizeof *x->dims);
    if ((p->n = find_pieces(r, x, idx, k, rows, run, NULL, R_NONE, NULL, p->list)) < 0) {
        ox_payload_free(p);
        return NULL;
    }
    kept->data = p;
    kept->free = ox_payload_free;
    return p;
}

static int run_scatter_nd(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *it = ox_input(r, 1), *u = ox_input(r, 2);
    int how = read_reduction(r->call);
    int64_t n;
    const int64_t *idx = ox_run_ints(r, 1, &n);
    if (!x || !it || !u || !idx || how < 0) return -1;
    if (how && !can_combine(x->dtype)) return ox_kernel_no_type(r, x->dtype);
    int64_t k = it->rank ? it->dims[it->rank - 1] : 0;
    bool fits = it->rank > 0 && k >= 1 && k <= x->rank && x->dtype == u->dtype && u->rank == it->rank - 1 + x->rank - k;
    for (int i = 0; i < u->rank && fits; i++)
        fits = u->dims[i] == (i < it->rank - 1 ? it->dims[i] : x->dims[i - (it->rank - 1) + k]);
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "data, indices and updates do not fit each other");
    ox_mv_out o;
    const char *src = ox_mv_in(r, u);
    if (!src || begin_copy(r, x, &o)) return -1;
    int64_t run = ox_mv_product(x->rank - (int)k, x->dims + k);
    const pieces *p = kept_pieces(r, x, idx, k, n / k, run);
    for (int64_t i = 0; p && i < p->n; i++) put(&o, how, p->list[i].at, src, p->list[i].from, p->list[i].n);
    if (!p && find_pieces(r, x, idx, k, n / k, run, &o, how, src, NULL) < 0) return -1;
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ TensorScatter */

static int infer_tensor_scatter(ox_call *c) {
    int rank = ox_in_rank(c, 0), ru = ox_in_rank(c, 1);
    bool bad = false;
    ox_out_type(c, 0, ox_in_type(c, 0));
    if (rank < 0) return 0;
    int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis");
    if (axis < 0) return -1;
    if (axis == 0 || (ru >= 0 && ru != rank))
        return ox_fail(c->ctx, OX_BAD_DATA, "axis %lld, ranks %d and %d", (long long)axis, rank, ru);
    for (int i = 0; i < ru; i++)
        if (i != axis) ox_mv_same_dim(c, ox_in_dims(c, 0)[i], ox_in_dims(c, 1)[i], "update", &bad);
    return bad ? -1 : 0;
}

static int run_tensor_scatter(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *u = ox_input(r, 1);
    const char *mode = ox_get_string(r->call, "mode");
    bool circular = !strcmp(mode, "circular");
    if (!x || !u || x->rank != u->rank || x->dtype != u->dtype)
        return ox_fail(r->ctx, OX_BAD_DATA, "update does not fit past_cache");
    if (!circular && strcmp(mode, "linear")) return ox_fail(r->ctx, OX_BAD_DATA, "mode '%s' is unknown", mode);
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), n = 0;
    if (axis < 0) return -1;
    bool fits = axis > 0;
    for (int i = 0; i < x->rank && fits; i++) fits = i == axis ? u->dims[i] <= x->dims[i] : u->dims[i] == x->dims[i];
    const int64_t *where = ox_input(r, 2) ? ox_run_ints(r, 2, &n) : NULL;
    if (!fits || (where && n != x->dims[0]))
        return ox_fail(r->ctx, OX_BAD_DATA, "update or write_indices do not fit past_cache");
    if (ox_input(r, 2) && !where) return -1;
    ox_mv_out o;
    const char *src = ox_mv_in(r, u);
    if (!src || begin_copy(r, x, &o)) return -1;
    int64_t rows = ox_mv_product((int)axis, x->dims), per = x->dims[0] ? rows / x->dims[0] : 0, max = x->dims[axis];
    int64_t inner = ox_mv_product(x->rank - (int)axis - 1, x->dims + axis + 1), seq = u->dims[axis];
    for (int64_t row = 0; row < rows; row++) {
        int64_t start = where ? where[row / per] : 0;
        if (start < 0 || start > max || (!circular && start > max - seq))
            return ox_fail(r->ctx, OX_BAD_DATA, "write index %lld of %lld", (long long)start, (long long)max);
        for (int64_t i = 0; i < seq && inner; i++)
            put(&o, R_NONE, (row * max + (start + i) % max) * inner, src, (row * seq + i) * inner, inner);
    }
    return ox_mv_done(r, &o);
}

OX_FAMILY(scatter, "",
    OP("Scatter", 11,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any, Tind: int32|int64",
       .flags = OX_MOVES_DATA | OX_DEPRECATED, .infer = infer_scatter_elements, .kernel = run_scatter_elements),
    OP("Scatter", 9,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any, Tind: int32|int64"),
    OP("ScatterElements", 18,
       "<axis: int = 0, reduction: string = \"none\">(T data, Tind indices, T updates) => (T output) T: "
       "any|bfloat16, Tind: int32|int64",
       .infer = infer_scatter_elements, .kernel = run_scatter_elements),
    OP("ScatterElements", 16,
       "<axis: int = 0, reduction: string = \"none\">(T data, Tind indices, T updates) => (T output) T: "
       "any|bfloat16, Tind: int32|int64"),
    OP("ScatterElements", 13,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any|bfloat16, Tind: int32|"
       "int64"),
    OP("ScatterElements", 11,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any, Tind: int32|int64"),
    OP("ScatterND", 18,
       "<reduction: string = \"none\">(T data, int64 indices, T updates) => (T output) T: any|bfloat16",
       .infer = infer_scatter_nd, .kernel = run_scatter_nd),
    OP("ScatterND", 16,
       "<reduction: string = \"none\">(T data, int64 indices, T updates) => (T output) T: any|bfloat16"),
    OP("ScatterND", 13,
       "(T data, int64 indices, T updates) => (T output) T: any|bfloat16"),
    OP("ScatterND", 11,
       "(T data, int64 indices, T updates) => (T output) T: any"),
    OP("TensorScatter", 24,
       "<axis: int = -2, mode: string = \"linear\">(T past_cache, T update, int64? write_indices) => (T "
       "present_cache) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0",
       .flags = OX_MOVES_DATA, .infer = infer_tensor_scatter, .kernel = run_tensor_scatter));
