/* Elements picked by index. Indices below 0 count from the end; beyond that they are errors, never reads. */
#include "op/mover.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ Gather */

/* Shape data of a Gather with numbers for indices. */
static int gather_elems(ox_call *c, int64_t axis) {
    int rank = ox_in_rank(c, 0), ri = ox_in_rank(c, 1);
    int64_t ni, nd, at = 0;
    const ox_dim *d = ox_in_dims(c, 0), *idx = ox_in_elems(c, 1, &ni), *e = ox_in_elems(c, 0, &nd);
    int64_t size, v, *dims = OX_NEW_N(c->arena, int64_t, rank + 1);
    if (!idx || ri < 0) return 0;
    if (ox_dim_is_const(d[axis], &size))
        for (int64_t i = 0; i < ni; i++)
            if (ox_dim_is_const(idx[i], &v) && ox_mv_index(c, v, size, "index") < 0) return -1;
    if (!e || !ox_mv_known(rank, d, dims)) return 0;
    size = dims[axis];
    int64_t outer = ox_mv_product((int)axis, dims), inner = ox_mv_product(rank - (int)axis - 1, dims + axis + 1), n;
    if (!ox_mul_ok(outer * inner, ni, &n) || n > OX_ELEMS_MAX || outer * inner * size != nd) return 0;
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, n + 1);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < ni; i++) {
            bool known = ox_dim_is_const(idx[i], &v);
            for (int64_t k = 0; k < inner; k++, at++)
                out[at] = known ? e[(o * size + (v < 0 ? v + size : v)) * inner + k] : NULL;
        }
    ox_out_elems(c, 0, n, out);
    return 0;
}

static int infer_gather(ox_call *c) {
    int rd = ox_in_rank(c, 0), ri = ox_in_rank(c, 1), k = 0;
    if (rd < 0) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rd, "axis");
    if (axis < 0) return -1;
    if (ri < 0) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    ox_dim *out = ox_mv_no_dims(c, rd + ri);
    for (int i = 0; i < axis; i++) out[k++] = ox_in_dims(c, 0)[i];
    for (int i = 0; i < ri; i++) out[k++] = ox_in_dims(c, 1)[i];
    for (int i = (int)axis + 1; i < rd; i++) out[k++] = ox_in_dims(c, 0)[i];
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), k, out);
    return gather_elems(c, axis);
}

/* Indices of input 1 as they are when none is negative, else made so; NULL after ox_fail. */
static const int64_t *read_indices(ox_run *r, int64_t size, int64_t *n) {
    const int64_t *idx = ox_run_ints(r, 1, n);
    bool good = true;
    for (int64_t i = 0; idx && i < *n; i++) good &= (uint64_t)idx[i] < (uint64_t)size;
    if (good) return idx;
    int64_t *out = ox_scratch(r, ((uint64_t)*n + 1) * sizeof *out);
    if (!out) return NULL;
    for (int64_t i = 0; i < *n; i++)
        if ((out[i] = ox_mv_index(r->call, idx[i], size, "index")) < 0) return NULL;
    return out;
}

typedef uint32_t __attribute__((may_alias)) alias32;
typedef uint64_t __attribute__((may_alias)) alias64;

/* One block of rows; single elements of the usual sizes without a call. */
static void gather_block(char *to, const char *from, const int64_t *idx, int64_t n, size_t run) {
    if (run == 4) {
        for (int64_t i = 0; i < n; i++) ((alias32 *)(void *)to)[i] = ((const alias32 *)(const void *)from)[idx[i]];
    } else if (run == 8) {
        for (int64_t i = 0; i < n; i++) ((alias64 *)(void *)to)[i] = ((const alias64 *)(const void *)from)[idx[i]];
    } else {
        for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * run, from + (size_t)idx[i] * run, run);
    }
}

static int run_gather(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *it = ox_input(r, 1);
    if (!x || !it) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), n;
    const int64_t *idx = axis < 0 ? NULL : read_indices(r, x->dims[axis], &n);
    if (!idx) return -1;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + it->rank + 1);
    int k = 0;
    for (int i = 0; i < axis; i++) dims[k++] = x->dims[i];
    for (int i = 0; i < it->rank; i++) dims[k++] = it->dims[i];
    for (int i = (int)axis + 1; i < x->rank; i++) dims[k++] = x->dims[i];
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, k, dims, &o)) return -1;
    if (!o.t->count) return 0;
    int64_t outer = ox_mv_product((int)axis, x->dims),
            inner = ox_mv_product(x->rank - (int)axis - 1, x->dims + axis + 1);
    size_t run = (size_t)inner * o.size;
    bool aligned = run == o.size; /* then rows are elements, aligned as such */
    for (int64_t b = 0; b < outer; b++) {
        char *to = o.data + (size_t)(b * n) * run;
        const char *src = from + (size_t)(b * x->dims[axis]) * run;
        if (aligned) gather_block(to, src, idx, n, run);
        else
            for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * run, src + (size_t)idx[i] * run, run);
    }
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ GatherElements */

static int infer_gather_elements(ox_call *c) {
    int rd = ox_in_rank(c, 0), ri = ox_in_rank(c, 1), rank = ri >= 0 ? ri : rd;
    if (rd >= 0 && ri >= 0 && rd != ri) return ox_fail(c->ctx, OX_BAD_DATA, "data has rank %d, indices %d", rd, ri);
    int64_t axis = rank >= 0 ? ox_axis(c, ox_get_int(c, "axis"), rank, "axis") : 0;
    if (axis < 0) return -1;
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, ox_in_dims(c, 1));
    return rd > 0 ? ox_mv_check_indices(c, 1, 1, ox_in_dims(c, 0) + axis) : 0;
}

/* Elements i * step + idx[i] * stride of FROM. */
static void pick_row(char *to, const char *from, const int64_t *idx, int64_t n, int64_t step, int64_t stride, size_t size) {
    if (size == 4) {
        for (int64_t i = 0; i < n; i++) ((alias32 *)(void *)to)[i] = ((const alias32 *)(const void *)from)[i * step + idx[i] * stride];
    } else if (size == 8) {
        for (int64_t i = 0; i < n; i++) ((alias64 *)(void *)to)[i] = ((const alias64 *)(const void *)from)[i * step + idx[i] * stride];
    } else {
        for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * size, from + (size_t)(i * step + idx[i] * stride) * size, size);
    }
}

static int run_gather_elements(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *it = ox_input(r, 1);
    if (!x || !it || x->rank != it->rank) return ox_fail(r->ctx, OX_BAD_DATA, "data and indices differ in rank");
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), n;
    if (axis < 0) return -1;
    for (int i = 0; i < x->rank; i++)
        if (i != axis && it->dims[i] > x->dims[i])
            return ox_fail(r->ctx, OX_BAD_DATA, "indices are larger than data in dim %d", i);
    const int64_t *idx = read_indices(r, x->dims[axis], &n);
    ox_mv_out o;
    const char *from = idx ? ox_mv_in(r, x) : NULL;
    if (!from || ox_mv_begin(r, 0, x->dtype, it->rank, it->dims, &o)) return -1;
    int64_t *ss = OX_NEW_N(r->arena, int64_t, x->rank), *at = OX_NEW_N(r->arena, int64_t, x->rank), base = 0;
    ox_mv_strides(x->rank, x->dims, ss);
    int last = x->rank - 1;
    int64_t row = n ? it->dims[last] : 0, step = last == axis ? 0 : 1;
    for (int64_t done = 0; done < n; done += row) { /* base: the data's place of this row, without the axis */
        pick_row(o.data + (size_t)done * o.size, from + (size_t)base * o.size, idx + done, row, step, ss[axis], o.size);
        for (int i = last - 1; i >= 0; i--) {
            int64_t s = i == axis ? 0 : ss[i];
            base += s;
            if (++at[i] < it->dims[i]) break;
            base -= s * at[i];
            at[i] = 0;
        }
    }
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ GatherND */

static int infer_gather_nd(ox_call *c) {
    int rd = ox_in_rank(c, 0), ri = ox_in_rank(c, 1), n = 0;
    int64_t b = ox_get_int(c, "batch_dims"), k;
    const ox_dim *d = ox_in_dims(c, 0), *id = ox_in_dims(c, 1);
    if (ri == 0 || b < 0 || (ri > 0 && b >= ri) || (rd >= 0 && b >= rd + (rd == 0)))
        return ox_fail(c->ctx, OX_BAD_DATA, "batch_dims %lld for ranks %d and %d", (long long)b, rd, ri);
    if (rd < 0 || ri < 0 || !ox_dim_is_const(id[ri - 1], &k)) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    if (k < 1 || k > rd - b)
        return ox_fail(c->ctx, OX_BAD_DATA, "indices of %lld entries for rank %d", (long long)k, rd);
    ox_dim *out = ox_mv_no_dims(c, rd + ri);
    bool bad = false;
    for (int i = 0; i < ri - 1; i++) out[n++] = i < b ? ox_mv_same_dim(c, id[i], d[i], "batch_dims", &bad) : id[i];
    for (int i = (int)(b + k); i < rd; i++) out[n++] = d[i];
    if (bad || ox_mv_check_indices(c, 1, k, d + b) < 0) return -1;
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), n, out);
    int64_t ni, nd;
    const ox_dim *e = ox_in_elems(c, 0, &nd), *idx = ox_in_elems(c, 1, &ni);
    if (!e || !idx || rd != 1 || b || k != 1) return 0;
    ox_dim *el = OX_NEW_N(c->arena, ox_dim, ni + 1); /* the usual form: places of a shape */
    for (int64_t i = 0; i < ni; i++) {
        int64_t v;
        if (!ox_dim_is_const(idx[i], &v)) continue;
        if ((v = ox_mv_index(c, v, nd, "index")) < 0) return -1;
        el[i] = e[v];
    }
    ox_out_elems(c, 0, ni, el);
    return 0;
}

static int run_gather_nd(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *it = ox_input(r, 1);
    int64_t b = ox_get_int(r->call, "batch_dims"), n;
    const int64_t *idx = ox_run_ints(r, 1, &n);
    if (!x || !it || !idx) return -1;
    int64_t k = it->rank ? it->dims[it->rank - 1] : 0;
    if (it->rank < 1 || b < 0 || b >= it->rank || b > x->rank || k < 1 || k > x->rank - b)
        return ox_fail(r->ctx, OX_BAD_DATA, "indices of %lld entries after %lld batch dims for rank %d", (long long)k,
                       (long long)b, x->rank);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + it->rank), *ss = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    int rank = 0;
    for (int i = 0; i < it->rank - 1; i++) {
        if (i < b && it->dims[i] != x->dims[i]) return ox_fail(r->ctx, OX_BAD_DATA, "batch dim %d differs", i);
        dims[rank++] = it->dims[i];
    }
    for (int i = (int)(b + k); i < x->rank; i++) dims[rank++] = x->dims[i];
    ox_mv_strides(x->rank, x->dims, ss);
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, rank, dims, &o)) return -1;
    int64_t batches = ox_mv_product((int)b, x->dims), rows = n / k, each = batches ? rows / batches : 0;
    int64_t inner = ox_mv_product(x->rank - (int)(b + k), x->dims + b + k),
            stride = ox_mv_product(x->rank - (int)b, x->dims + b);
    size_t run = (size_t)inner * o.size;
    for (int64_t i = 0; i < rows && each; i++) {
        int64_t at = i / each * stride;
        for (int64_t a = 0; a < k; a++) {
            int64_t v = ox_mv_at(r->call, idx[i * k + a], x->dims[b + a]);
            if (v < 0) return -1;
            at += v * ss[b + a];
        }
        if (run == 4) memcpy(o.data + i * 4, from + at * 4, 4); /* without a call */
        else memcpy(o.data + (size_t)i * run, from + (size_t)at * o.size, run);
    }
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ NonZero */

static int infer_nonzero(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_dim d[2] = {rank > 0 ? ox_dim_const(c->ctx, rank) : NULL, ox_dim_fresh(c->ctx)};
    ox_out_tensor(c, 0, OX_INT64, 2, d);
    return 0;
}

/* Bits that make an element of `t` differ from zero: all but the sign of a type with a negative zero. */
static uint64_t value_bits(ox_dtype t) {
    switch (t) {
    case OX_FLOAT: case OX_COMPLEX64: return 0x7fffffffu;
    case OX_DOUBLE: case OX_COMPLEX128: return UINT64_MAX >> 1;
    case OX_FLOAT16: case OX_BFLOAT16: return 0x7fff;
    case OX_FLOAT8E4M3FN: case OX_FLOAT8E5M2: return 0x7f;
    case OX_FLOAT4E2M1: return 7;
    default: return UINT64_MAX;
    }
}

/* Marks which elements are not zero. */
#define MARK(T)                                                                                              \
    for (int64_t i = 0; i < n; i++) {                                                                        \
        T v;                                                                                                 \
        memcpy(&v, data + (size_t)i * sizeof v, sizeof v);                                                   \
        mark[i] = (v & (T)bits) != 0;                                                                        \
    }
static void mark_nonzero(ox_dtype t, const char *data, size_t size, int64_t n, uint8_t *mark) {
    uint64_t bits = value_bits(t);
    if (t == OX_FLOAT8E8M0) { /* has no zero */
        memset(mark, 1, (size_t)n);
        return;
    }
    if (t == OX_STRING || t == OX_COMPLEX64 || t == OX_COMPLEX128) {
        size_t word = t == OX_COMPLEX64 ? 4 : 8;
        for (int64_t i = 0; i < n; i++) {
            const char *e = data + (size_t)i * size;
            bool any = false;
            ox_str s;
            if (t == OX_STRING) memcpy(&s, e, sizeof s);
            for (size_t k = 0; t != OX_STRING && k < size; k += word) {
                uint64_t v = 0;
                memcpy(&v, e + k, word);
                any |= (v & bits) != 0;
            }
            mark[i] = t == OX_STRING ? s.len > 0 : any;
        }
        return;
    }
    switch (size) {
    case 1: MARK(uint8_t) break;
    case 2: MARK(uint16_t) break;
    case 4: MARK(uint32_t) break;
    default: MARK(uint64_t) break;
    }
}

/* Columns of a row that are marked, from element K of each of the output's rows on; returns the next K. */
static int64_t take_row(const uint8_t *mark, int64_t row, int rank, const int64_t *at, int64_t n, int64_t k, int64_t *out) {
    for (int64_t j = 0; j < row; j++) {
        uint64_t eight;
        while (j + 8 <= row && (memcpy(&eight, mark + j, 8), !eight)) j += 8;
        if (j >= row || !mark[j]) continue;
        for (int a = 0; a + 1 < rank; a++) out[a * n + k] = at[a];
        out[(rank - 1) * n + k++] = j;
    }
    return k;
}

static int run_nonzero(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    const char *data = x ? ox_mv_in(r, x) : NULL;
    uint8_t *mark = data ? ox_scratch(r, (uint64_t)x->count + 1) : NULL;
    if (!mark) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    mark_nonzero(x->dtype, data, ox_mv_size(x->dtype), x->count, mark);
    int64_t n = 0, k = 0;
    for (int64_t i = 0; i < x->count; i++) n += mark[i];
    int rank = x->rank ? x->rank : 1; /* a scalar counts as one of rank 1 */
    int64_t dims[2] = {rank, n}, *at = OX_NEW_N(r->arena, int64_t, rank);
    ox_tensor *t = ox_output(r, 0, OX_INT64, 2, dims);
    if (!t) return -1;
    int64_t *out = ox_tensor_mut(t), row = x->rank ? x->dims[rank - 1] : 1;
    for (int64_t i = 0; i < x->count; i += row) {
        k = take_row(mark + i, row, rank, at, n, k, out);
        for (int a = rank - 2; a >= 0; a--) {
            if (++at[a] < x->dims[a]) break;
            at[a] = 0;
        }
    }
    return 0;
}

OX_FAMILY(gather, "",
    OP("Gather", 13,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any|bfloat16, Tind: int32|int64",
       .flags = OX_MOVES_DATA, .infer = infer_gather, .kernel = run_gather),
    OP("Gather", 11,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any, Tind: int32|int64"),
    OP("Gather", 1,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any, Tind: int32|int64"),
    OP("GatherElements", 13,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any|bfloat16, Tind: int32|int64",
       .flags = OX_MOVES_DATA, .infer = infer_gather_elements, .kernel = run_gather_elements),
    OP("GatherElements", 11,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any, Tind: int32|int64"),
    OP("GatherND", 13,
       "<batch_dims: int = 0>(T data, int64 indices) => (T output) T: any|bfloat16",
       .flags = OX_MOVES_DATA, .infer = infer_gather_nd, .kernel = run_gather_nd),
    OP("GatherND", 12,
       "<batch_dims: int = 0>(T data, int64 indices) => (T output) T: any"),
    OP("GatherND", 11,
       "(T data, int64 indices) => (T output) T: any"),
    OP("NonZero", 13,
       "(T X) => (int64 Y) T: any|bfloat16",
       .infer = infer_nonzero, .kernel = run_nonzero),
    OP("NonZero", 9,
       "(T X) => (int64 Y) T: any"),
    OP("Unique", 28,
       "<axis: int?, sorted: int = 1>(T X) => (T Y, int64? indices, int64? inverse_indices, int64? "
       "counts) T: any|bfloat16",
       .infer = ox_infer_unique, .kernel = ox_run_unique),
    OP("Unique", 11,
       "<axis: int?, sorted: int = 1>(T X) => (T Y, int64? indices, int64? inverse_indices, int64? "
       "counts) T: any"));
