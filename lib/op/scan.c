/* Running sums and products, the k largest: rows, rules, kernels. A tensor is [outer, axis, inner] here. */
#include "op/compute.h"

#include "cpu/pick.h"
#include "cpu/vec.h"

/* ---- CumSum, CumProd */

static int infer_cum(ox_call *c) {
    int64_t n;
    const int64_t *axis = ox_in_ints(c, 1, &n);
    if (axis && n != 1) return ox_fail(c->ctx, OX_BAD_DATA, "axis has %" PRId64 " elements", n);
    if (axis && ox_in_rank(c, 0) >= 0 && ox_axis(c, axis[0], ox_in_rank(c, 0), "axis") < 0) return -1;
    return ox_infer_same(c);
}

typedef struct scan {
    int64_t outer, n, inner;
    bool exclusive, reverse, product;
} scan;

/* Every row is the one before it and one row of x: its own, or, exclusive, the one before. */
#define ALONG(T, start, op)                                                                                  \
    do {                                                                                                     \
        T sum = start;                                                                                       \
        for (int64_t k = 0; k < n; k++) {                                                                    \
            T v = from[k * step];                                                                            \
            to[k * step] = exclusive ? sum : k ? sum op v : v;                                               \
            sum = k ? sum op v : v;                                                                          \
        }                                                                                                    \
    } while (0)
/* Along the innermost axis the sum stays in a register. */
#define SCAN_ROW(T)                                                                                          \
    static void scan_row_##T(const scan *s, const T *x, T *y) {                                              \
        const int64_t n = s->n, step = s->reverse ? -1 : 1;                                                  \
        const bool exclusive = s->exclusive;                                                                 \
        const T *from = s->reverse ? x + n - 1 : x;                                                          \
        T *to = s->reverse ? y + n - 1 : y;                                                                  \
        if (s->product)                                                                                      \
            ALONG(T, 1, *);                                                                                  \
        else                                                                                                 \
            ALONG(T, 0, +);                                                                                  \
    }
SCAN_ROW(float)
SCAN_ROW(double)
SCAN_ROW(uint64_t)

/* A row of y from the one before it and a row of x. */
#define NEXT_ROW(T)                                                                                          \
    static void next_row_##T(bool product, const T *restrict before, const T *restrict x, T *restrict y, int64_t n) { \
        if (product) {                                                                                       \
            for (int64_t j = 0; j < n; j++) y[j] = before[j] * x[j];                                         \
        } else {                                                                                             \
            for (int64_t j = 0; j < n; j++) y[j] = before[j] + x[j];                                         \
        }                                                                                                    \
    }
NEXT_ROW(float)
NEXT_ROW(double)
NEXT_ROW(uint64_t)

#define SCAN(T)                                                                                              \
    static void scan_plane_##T(const scan *s, const T *x, T *y) {                                            \
        const int64_t n = s->inner, step = s->reverse ? -n : n;                                              \
        int64_t at = s->reverse ? (s->n - 1) * n : 0;                                                        \
        for (int64_t j = 0; j < n && s->n; j++) y[at + j] = s->exclusive ? (T)s->product : x[at + j];        \
        for (int64_t k = 1; k < s->n; k++) {                                                                 \
            at += step;                                                                                      \
            next_row_##T(s->product, y + at - step, x + (s->exclusive ? at - step : at), y + at, n);         \
        }                                                                                                    \
    }                                                                                                        \
    static void scan_##T(ox_ctx *ctx, const scan *s, const T *x, T *y) {                                     \
        const int64_t plane = s->n * s->inner;                                                               \
        int threads = ox_threads_for(ctx, s->outer * plane);                                                 \
        OX_EACH(threads, i, s->outer, {                                                                      \
            if (s->inner == 1 && s->n)                                                                       \
                scan_row_##T(s, x + i * plane, y + i * plane);                                               \
            else                                                                                             \
                scan_plane_##T(s, x + i * plane, y + i * plane);                                             \
        });                                                                                                  \
    }
SCAN(float)
SCAN(double)
SCAN(uint64_t)

static int run_cum(ox_run *r) {
    int64_t count;
    const ox_tensor *x = ox_need(r, 0);
    const int64_t *at = ox_run_ints(r, 1, &count);
    if (!x || !at) return -1;
    if (count != 1) return ox_fail(r->ctx, OX_BAD_DATA, "axis has %" PRId64 " elements", count);
    ox_dtype as = ox_product_type(x->dtype);
    if (as == OX_UNDEFINED) return ox_kernel_no_type(r, x->dtype);
    int64_t axis = ox_axis(r->call, *at, x->rank, "axis");
    if (axis < 0) return -1;
    scan s = {ox_count(x->dims, 0, (int)axis),           x->dims[axis],
              ox_count(x->dims, (int)axis + 1, x->rank), ox_get_int(r->call, "exclusive") != 0,
              ox_get_int(r->call, "reverse") != 0,       !strcmp(r->call->op->name, "CumProd")};
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    if (!y) return -1;
    const void *from = ox_product_in(r, x, as);
    void *to = ox_product_out(r, y, as);
    if (!from || !to) return -1;
    if (as == OX_FLOAT)
        scan_float(r->ctx, &s, from, to);
    else if (as == OX_DOUBLE)
        scan_double(r->ctx, &s, from, to);
    else
        scan_uint64_t(r->ctx, &s, from, to);
    ox_product_done(y, as, to);
    return 0;
}

/* ---- TopK */

static int lift_k(ox_call *c) {
    ox_lift_ints_to_input(c, "k", 1);
    return 0;
}

static int infer_top_k(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *x = ox_in_dims(c, 0);
    int64_t n, k, size, axis = x ? ox_axis(c, ox_get_int(c, "axis"), rank, "axis") : 0;
    const ox_dim *elems = ox_in_elems(c, 1, &n);
    if (axis < 0) return -1;
    if (elems && n != 1) return ox_fail(c->ctx, OX_BAD_DATA, "K has %" PRId64 " elements", n);
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) dims[d] = d != axis ? x[d] : elems ? elems[0] : NULL;
    if (elems && ox_dim_is_const(elems[0], &k) && (k < 0 || (x && ox_dim_is_const(x[axis], &size) && k > size)))
        return ox_fail(c->ctx, OX_BAD_DATA, "K is %" PRId64 ", which the axis does not have", k);
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    ox_out_tensor(c, 1, OX_INT64, rank, dims);
    return 0;
}

/* Numbers of any type as keys that compare as unsigned integers; NaN is the largest, zeros are equal. */
static const uint64_t top_bit = (uint64_t)1 << 63;

static uint64_t key_of_double(double v) {
    double d = v + 0.0; /* makes -0 to 0 */
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    bits = bits & top_bit ? ~bits : bits | top_bit;
    return d != d ? UINT64_MAX : bits;
}

static uint64_t key_of_float(float v) {
    float f = v + 0.0f;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    bits = bits >> 31 ? ~bits : bits | (uint32_t)1 << 31;
    return f != f ? UINT32_MAX : bits;
}

static uint64_t key_of(ox_dtype t, const void *data, int64_t i) {
    if (ox_dtype_is_float(t)) return key_of_double(ox_load_double(t, data, i));
    uint64_t v = (uint64_t)ox_load_int(t, data, i);
    return ox_dtype_is_signed(t) ? v ^ top_bit : v;
}

typedef struct entry { uint64_t key; int64_t index; } entry;

/* a comes after b in the result: its key is smaller, or equal and its index larger. */
static bool worse(entry a, entry b) { return a.key != b.key ? a.key < b.key : a.index > b.index; }

/* The worst entry of a heap is on top. */
static void sink(entry *heap, int64_t n, int64_t i) {
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= n) return;
        if (child + 1 < n && worse(heap[child + 1], heap[child])) child++;
        if (!worse(heap[child], heap[i])) return;
        entry t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
        i = child;
    }
}

/* Entry I of those of which the k best are wanted. */
static void take_entry(entry *heap, int64_t k, uint64_t key, int64_t i) {
    if (i < k) {
        heap[i] = (entry){key, i};
        for (int64_t j = k / 2 - 1; i == k - 1 && j >= 0; j--) sink(heap, k, j);
    } else if (key > heap[0].key) { /* of equal ones the first stays */
        heap[0] = (entry){key, i};
        sink(heap, k, 0);
    }
}

/* Best first. */
static void sort_heap(entry *heap, int64_t k) {
    for (int64_t left = k - 1; left > 0; left--) {
        entry e = heap[0];
        heap[0] = heap[left];
        heap[left] = e;
        sink(heap, left, 0);
    }
}

typedef struct top {
    ox_dtype dtype;
    int64_t n, k, inner;
    bool largest;
    const char *x;
    char *y;
    int64_t *index; /* or NULL */
} top;

/* The k best of floats without gaps: most are passed over by a look at their vector. */
static void best_floats(const top *t, const float *x, entry *heap) {
    const ox_pick *p = ox_pick_table();
    uint64_t flip = t->largest ? 0 : UINT64_MAX;
    for (int64_t i = 0; i < t->n; i++) {
        if (i >= t->k) {
            float limit = x[heap[0].index];
            i += (t->largest ? p->above : p->below)(x + i, t->n - i, limit);
            if (i == t->n) break;
        }
        take_entry(heap, t->k, key_of_float(x[i]) ^ flip, i);
    }
    sort_heap(heap, t->k);
}

static void best_of_any(const top *t, int64_t start, entry *heap) {
    uint64_t flip = t->largest ? 0 : UINT64_MAX;
    for (int64_t i = 0; i < t->n; i++) {
        int64_t at = start + i * t->inner;
        uint64_t key = t->dtype == OX_INT64    ? (uint64_t)((const int64_t *)(const void *)t->x)[at] ^ top_bit
                       : t->dtype == OX_DOUBLE ? key_of_double(((const double *)(const void *)t->x)[at])
                                               : key_of(t->dtype, t->x, at);
        take_entry(heap, t->k, key ^ flip, i);
    }
    sort_heap(heap, t->k);
}

static void put_best(const top *t, int64_t outer, int64_t column, const entry *heap) {
    size_t item = ox_dtype_bits(t->dtype) / 8;
    int64_t start = outer * t->n * t->inner + column, o = outer * t->k * t->inner + column;
    for (int64_t j = 0; j < t->k; j++, o += t->inner) {
        memcpy(t->y + (size_t)o * item, t->x + (size_t)(start + heap[j].index * t->inner) * item, item);
        if (t->index) t->index[o] = heap[j].index;
    }
}

enum { BAND = 16 };

/* BAND columns of one plane; ROWS: room for them. */
static void top_of_band(const top *t, int64_t outer, int64_t first, float *rows, entry *heap) {
    int64_t wide = t->inner - first < BAND ? t->inner - first : BAND, start = outer * t->n * t->inner + first;
    const float *x = (const float *)(const void *)t->x + start;
    bool floats = t->dtype == OX_FLOAT;
    if (floats && t->inner > 1) ox_vec_table()->transpose(4, wide, t->n, (char *)rows, t->n, (const char *)x, t->inner);
    for (int64_t j = 0; j < wide; j++) {
        if (floats)
            best_floats(t, t->inner > 1 ? rows + j * t->n : x, heap);
        else
            best_of_any(t, start + j, heap);
        put_best(t, outer, first + j, heap);
    }
}

static int find_top(ox_run *r, const top *t, int64_t outer) {
    int64_t bands = (t->inner + BAND - 1) / BAND, jobs = outer * bands, room;
    int threads = jobs > 1 ? ox_threads_for(r->ctx, outer * t->inner * t->n) : 1;
    bool turned = t->dtype == OX_FLOAT && t->inner > 1;
    if (!ox_mul_ok(turned ? t->n : 0, BAND, &room)) return ox_fail(r->ctx, OX_NO_MEMORY, "the axis is too long");
    entry *heaps = ox_scratch(r, (uint64_t)t->k * (uint64_t)threads * sizeof *heaps);
    float *rows = ox_scratch(r, (uint64_t)room * (uint64_t)threads * sizeof *rows);
    if (!heaps || !rows) return -1;
    OX_EACH(threads, job, jobs, {
        top_of_band(t, job / bands, job % bands * BAND, rows + ox_thread_index() * room, heaps + ox_thread_index() * t->k);
    });
    return 0;
}

static int run_top_k(ox_run *r) {
    int64_t count;
    const ox_tensor *x = ox_need(r, 0);
    const int64_t *wanted = ox_run_ints(r, 1, &count);
    if (!x || !wanted) return -1;
    if (count != 1) return ox_fail(r->ctx, OX_BAD_DATA, "K has %" PRId64 " elements", count);
    if (!ox_dtype_is_int(x->dtype) && !ox_ok_float(r, x)) return -1;
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), k = *wanted;
    if (axis < 0) return -1;
    if (k < 0 || k > x->dims[axis])
        return ox_fail(r->ctx, OX_BAD_DATA, "K is %" PRId64 ", the axis has %" PRId64, k, x->dims[axis]);
    int64_t *dims = ox_dup(r->arena, x->dims, (size_t)x->rank * sizeof *dims);
    dims[axis] = k;
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, dims),
              *index = ox_want(r, 1) ? ox_output(r, 1, OX_INT64, x->rank, dims) : NULL;
    top t = {.dtype = x->dtype, .n = x->dims[axis], .k = k, .inner = ox_count(x->dims, (int)axis + 1, x->rank),
             .largest = ox_get_int(r->call, "largest") != 0, .x = ox_tensor_data(x)};
    if (!y || (ox_want(r, 1) && !index) || !t.x) return -1;
    if (!y->count) return 0;
    t.y = ox_tensor_mut(y);
    t.index = index ? ox_tensor_mut(index) : NULL;
    return find_top(r, &t, ox_count(x->dims, 0, (int)axis));
}

OX_FAMILY(scan, "",
    OP("CumSum", 14,
       "<exclusive: int = 0, reverse: int = 0>(T x, T2 axis) => (T y) T: floats|bfloat16|int32|int64|"
       "uint32|uint64, T2: int32|int64",
       .flags = OX_SAME_SHAPE, .infer = infer_cum, .kernel = run_cum),
    OP("CumSum", 11,
       "<exclusive: int = 0, reverse: int = 0>(T x, T2 axis) => (T y) T: double|float|int32|int64|"
       "uint32|uint64, T2: int32|int64"),
    OP("CumProd", 26,
       "<exclusive: int = 0, reverse: int = 0>(T x, T2 axis) => (T y) T: floats|bfloat16|int32|int64|"
       "uint32|uint64, T2: int32|int64",
       .flags = OX_SAME_SHAPE, .infer = infer_cum, .kernel = run_cum),
    OP("TopK", 24,
       "<axis: int = -1, largest: int = 1, sorted: int = 1>(T X, int64 K) => (T Values, I Indices) T: "
       "numbers|bfloat16, I: int64",
       .infer = infer_top_k, .kernel = run_top_k),
    OP("TopK", 11,
       "<axis: int = -1, largest: int = 1, sorted: int = 1>(T X, int64 K) => (T Values, I Indices) T: "
       "numbers, I: int64"),
    OP("TopK", 10,
       "<axis: int = -1>(T X, int64 K) => (T Values, I Indices) T: floats, I: int64"),
    OP("TopK", 1,
       "<axis: int = -1, k: int>(T X) => (T Values, I Indices) T: floats, I: int64",
       .lift = lift_k));
