/* Running sums and products, the k largest: rows, rules, kernels. A tensor is [outer, axis, inner] here. */
#include "op/compute.h"

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

#define SCAN(T)                                                                                              \
    static void scan_##T(ox_ctx *ctx, const scan *s, const T *x, T *y) {                                     \
        _Pragma("omp parallel for num_threads(ox_threads_for(ctx, s->outer * s->n * s->inner)) schedule(static)") \
        for (int64_t i = 0; i < s->outer; i++) {                                                             \
            if (s->inner == 1 && s->n) {                                                                     \
                scan_row_##T(s, x + i * s->n, y + i * s->n);                                                 \
                continue;                                                                                    \
            }                                                                                                \
            const int64_t step = s->reverse ? -s->inner : s->inner;                                          \
            const int64_t start = (i * s->n + (s->reverse ? s->n - 1 : 0)) * s->inner;                       \
            for (int64_t k = 0; k < s->n; k++) {                                                             \
                const int64_t at = start + k * step, from = s->exclusive ? at - step : at;                   \
                for (int64_t j = 0; j < s->inner; j++) {                                                     \
                    if (k == 0)                                                                              \
                        y[at + j] = s->exclusive ? (T)s->product : x[at + j];                                \
                    else                                                                                     \
                        y[at + j] = s->product ? y[at - step + j] * x[from + j] : y[at - step + j] + x[from + j]; \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
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
static uint64_t key_of(ox_dtype t, const void *data, int64_t i) {
    const uint64_t top = (uint64_t)1 << 63;
    if (!ox_dtype_is_float(t)) {
        uint64_t v = (uint64_t)ox_load_int(t, data, i);
        return ox_dtype_is_signed(t) ? v ^ top : v;
    }
    double d = ox_load_double(t, data, i) + 0.0; /* makes -0 to 0 */
    uint64_t bits;
    if (d != d) return UINT64_MAX;
    memcpy(&bits, &d, sizeof bits);
    return bits & top ? ~bits : bits | top;
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

/* Keys of n elements; floats in one loop without branches. */
static void make_keys(ox_dtype t, const char *data, int64_t start, int64_t n, int64_t step, bool largest, uint64_t *keys) {
    if (t == OX_FLOAT) {
        const float *x = (const float *)(const void *)data + start;
        for (int64_t i = 0; i < n; i++) {
            float f = x[i * step] + 0.0f; /* makes -0 to 0 */
            uint32_t bits;
            memcpy(&bits, &f, sizeof bits);
            bits = bits >> 31 ? ~bits : bits | 1u << 31;
            keys[i] = f != f ? UINT32_MAX : bits;
        }
    } else {
        for (int64_t i = 0; i < n; i++) keys[i] = key_of(t, data, start + i * step);
    }
    for (int64_t i = 0; !largest && i < n; i++) keys[i] = ~keys[i];
}

/* The k best of n entries, best first. */
static void select_best(const uint64_t *keys, int64_t n, int64_t k, entry *heap) {
    for (int64_t i = 0; i < n; i++) {
        entry e = {keys[i], i};
        if (i >= k && keys[i] <= heap[0].key) continue; /* of equal ones the first stays */
        if (i < k) {
            heap[i] = e;
            for (int64_t j = k / 2 - 1; i == k - 1 && j >= 0; j--) sink(heap, k, j);
        } else if (worse(heap[0], e)) {
            heap[0] = e;
            sink(heap, k, 0);
        }
    }
    for (int64_t left = k - 1; left > 0; left--) {
        entry e = heap[0];
        heap[0] = heap[left];
        heap[left] = e;
        sink(heap, left, 0);
    }
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
    int64_t *dims = ox_dup(r->arena, x->dims, (size_t)x->rank * sizeof *dims), n = x->dims[axis];
    dims[axis] = k;
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, dims),
              *index = ox_want(r, 1) ? ox_output(r, 1, OX_INT64, x->rank, dims) : NULL;
    const char *from = ox_tensor_data(x);
    entry *heap = ox_scratch(r, (uint64_t)k * sizeof *heap);
    uint64_t *keys = ox_scratch(r, (uint64_t)n * sizeof *keys);
    if (!y || (ox_want(r, 1) && !index) || !from || !heap || !keys) return -1;
    if (!y->count) return 0;
    size_t item = ox_dtype_bits(x->dtype) / 8;
    char *to = ox_tensor_mut(y);
    int64_t *at = index ? ox_tensor_mut(index) : NULL, outer = ox_count(x->dims, 0, (int)axis),
            inner = ox_count(x->dims, (int)axis + 1, x->rank);
    bool largest = ox_get_int(r->call, "largest") != 0;
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t start = i / inner * n * inner + i % inner;
        make_keys(x->dtype, from, start, n, inner, largest, keys);
        select_best(keys, n, k, heap);
        for (int64_t j = 0; j < k; j++) {
            int64_t o = (i / inner * k + j) * inner + i % inner;
            memcpy(to + (size_t)o * item, from + (size_t)(start + heap[j].index * inner) * item, item);
            if (at) at[o] = heap[j].index;
        }
    }
    return 0;
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
