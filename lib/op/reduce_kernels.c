/* Kernels of the reductions.
 *
 * Axes of size 1 are dropped and neighbours of the same kind become one, so that two forms remain: the innermost
 * axis is reduced (rows without gaps are folded into one number) or kept (a band of outputs takes in one row after
 * the other). Sums are taken in double; every output is computed by one thread in one order. */
#include "op/compute.h"

#include "cpu/vec.h"

typedef enum reduction {
    RED_SUM,
    RED_MEAN,
    RED_PROD,
    RED_L1,
    RED_L2,
    RED_SUM_SQUARE,
    RED_LOG_SUM,
    RED_LOG_SUM_EXP,
    RED_MAX,
    RED_MIN
} reduction;

enum { BLOCK = 512, MAX_AXES = 64 };

typedef struct plan {
    int n_kept, n_reduced; /* axes besides the innermost */
    int64_t kept_size[MAX_AXES], kept_stride[MAX_AXES], reduced_size[MAX_AXES], reduced_stride[MAX_AXES];
    int64_t row;      /* length of the innermost axis when it is reduced, else 0 */
    int64_t lanes;    /* its length when it is kept */
    int64_t steps;    /* product of reduced_size */
    int64_t outputs, elements; /* elements of one output */
} plan;

typedef struct odometer {
    int n;
    const int64_t *size, *stride;
    int64_t at[MAX_AXES], offset;
} odometer;

static void wind(odometer *o, int n, const int64_t *size, const int64_t *stride, int64_t position) {
    o->n = n;
    o->size = size;
    o->stride = stride;
    o->offset = 0;
    for (int d = n - 1; d >= 0; d--) {
        o->at[d] = position % size[d];
        position /= size[d];
        o->offset += o->at[d] * stride[d];
    }
}

static void tick(odometer *o) {
    for (int d = o->n - 1; d >= 0; d--) {
        o->offset += o->stride[d];
        if (++o->at[d] < o->size[d]) return;
        o->offset -= o->size[d] * o->stride[d];
        o->at[d] = 0;
    }
}

static double start_of(reduction op) {
    return op == RED_PROD ? 1 : op == RED_MAX ? -INFINITY : op == RED_MIN ? INFINITY : 0;
}

static double finish(reduction op, double acc, double base, int64_t elements) {
    switch (op) {
    case RED_MEAN: return acc / (double)elements;
    case RED_L2: return sqrt(acc);
    case RED_LOG_SUM: return log(acc);
    case RED_LOG_SUM_EXP: return log(acc) + base;
    default: return acc;
    }
}

/* What vectors fold; the others are sums of exponentials. */
static ox_fold fold_of(reduction op) {
    switch (op) {
    case RED_SUM_SQUARE: case RED_L2: return OX_FOLD_SQUARES;
    case RED_L1: return OX_FOLD_ABS;
    case RED_PROD: return OX_FOLD_PROD;
    case RED_MAX: return OX_FOLD_MAX;
    case RED_MIN: return OX_FOLD_MIN;
    default: return OX_FOLD_SUM;
    }
}

static double join(reduction op, double acc, double v) {
    switch (op) {
    case RED_PROD: return acc * v;
    case RED_MAX: return v > acc || v != v ? v : acc;
    case RED_MIN: return v < acc || v != v ? v : acc;
    default: return acc + v;
    }
}

/* Folds n elements without gaps into one number. NaN wins in a maximum or minimum. */
static double fold_row_float(reduction op, double acc, double base, const float *x, int64_t n) {
    double sum = 0;
    if (op != RED_LOG_SUM_EXP) return join(op, acc, ox_vec_table()->fold(fold_of(op), x, n));
    for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - base);
    return acc + sum;
}

static double fold_row_double(reduction op, double acc, double base, const double *x, int64_t n) {
    double sum = 0;
    switch (op) {
    case RED_SUM: case RED_MEAN: case RED_LOG_SUM: return acc + ox_sum_double(x, n);
    case RED_SUM_SQUARE: case RED_L2: return acc + ox_squares_double(x, n, 0);
    case RED_L1:
        for (int64_t i = 0; i < n; i++) sum += fabs(x[i]);
        return acc + sum;
    case RED_LOG_SUM_EXP:
        for (int64_t i = 0; i < n; i++) sum += exp(x[i] - base);
        return acc + sum;
    default:
        for (int64_t i = 0; i < n; i++) acc = join(op, acc, x[i]);
        return acc;
    }
}

/* Folds ROWS times n elements into n numbers. */
static void fold_lanes_float(reduction op, double *acc, const double *base, const float *x, int64_t rows, int64_t stride,
                             int64_t n) {
    if (op != RED_LOG_SUM_EXP) {
        ox_vec_table()->fold_columns(fold_of(op), acc, x, rows, stride, n);
        return;
    }
    for (int64_t r = 0; r < rows; r++, x += stride) {
        for (int64_t i = 0; i < n; i++) acc[i] += exp((double)x[i] - base[i]);
    }
}

static void fold_lanes_double(reduction op, double *restrict acc, const double *base, const double *restrict x, int64_t rows,
                              int64_t stride, int64_t n) {
    for (int64_t r = 0; r < rows; r++, x += stride) {
        switch (op) {
        case RED_SUM: case RED_MEAN: case RED_LOG_SUM:
            for (int64_t i = 0; i < n; i++) acc[i] += x[i];
            break;
        case RED_SUM_SQUARE: case RED_L2:
            for (int64_t i = 0; i < n; i++) acc[i] += x[i] * x[i];
            break;
        case RED_L1:
            for (int64_t i = 0; i < n; i++) acc[i] += fabs(x[i]);
            break;
        case RED_LOG_SUM_EXP:
            for (int64_t i = 0; i < n; i++) acc[i] += exp(x[i] - base[i]);
            break;
        default:
            for (int64_t i = 0; i < n; i++) acc[i] = join(op, acc[i], x[i]);
        }
    }
}

#define REAL float
#define R(name) name##_float
#include "op/reduce_real.h"
#undef REAL
#undef R
#define REAL double
#define R(name) name##_double
#include "op/reduce_real.h"
#undef REAL
#undef R

/* Axes to walk over, from the axes of a tensor. No size is 0. */
static void make_plan(plan *p, const ox_tensor *x, const bool *reduced) {
    int64_t size[MAX_AXES], stride[MAX_AXES], step = 1;
    bool kind[MAX_AXES];
    int n = 0; /* from the innermost on */
    for (int d = x->rank - 1; d >= 0; d--) {
        if (x->dims[d] == 1) continue;
        if (n && kind[n - 1] == reduced[d]) {
            size[n - 1] *= x->dims[d];
        } else {
            size[n] = x->dims[d];
            stride[n] = step;
            kind[n++] = reduced[d];
        }
        step *= x->dims[d];
    }
    *p = (plan){.steps = 1, .outputs = 1, .elements = 1};
    for (int k = 0; k < n; k++) *(kind[k] ? &p->elements : &p->outputs) *= size[k];
    p->row = n == 0 ? 1 : kind[0] ? size[0] : 0;
    p->lanes = p->row ? 1 : size[0];
    for (int k = n - 1; k > 0; k--) {
        if (kind[k]) {
            p->reduced_size[p->n_reduced] = size[k];
            p->reduced_stride[p->n_reduced++] = stride[k];
            p->steps *= size[k];
        } else {
            p->kept_size[p->n_kept] = size[k];
            p->kept_stride[p->n_kept++] = stride[k];
        }
    }
}

/* ---- integers */

static uint64_t int_fold(reduction op, bool is_signed, uint64_t acc, uint64_t v) {
    bool less = is_signed ? (int64_t)v < (int64_t)acc : v < acc;
    switch (op) {
    case RED_PROD: return acc * v;
    case RED_L1: return acc + (is_signed && (int64_t)v < 0 ? 0 - v : v);
    case RED_L2: case RED_SUM_SQUARE: return acc + v * v;
    case RED_MAX: return less ? acc : v;
    case RED_MIN: return less ? v : acc;
    default: return acc + v;
    }
}

/* What an empty set gives, in the bits of the type. */
static uint64_t int_start(reduction op, ox_dtype t) {
    unsigned bits = t == OX_BOOL ? 1 : ox_dtype_bits(t);
    uint64_t ones = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1, top = (uint64_t)1 << (bits - 1);
    if (op == RED_MAX) return ox_dtype_is_signed(t) ? 0 - top : 0;
    if (op == RED_MIN) return ox_dtype_is_signed(t) ? top - 1 : ones;
    return op == RED_PROD;
}

static double to_double(bool is_signed, uint64_t v) { return is_signed ? (double)(int64_t)v : (double)v; }

static int64_t *int_reduce(ox_run *r, const plan *p, reduction op, const ox_tensor *x) {
    const int64_t *in = ox_tensor_to_ints(r->arena, x);
    int64_t *y = in ? ox_scratch(r, (uint64_t)p->outputs * sizeof *y) : NULL;
    int64_t lanes = p->row ? 1 : p->lanes, row = p->row ? p->row : 1;
    bool is_signed = ox_dtype_is_signed(x->dtype),
         exact = op != RED_MEAN && op != RED_LOG_SUM && op != RED_LOG_SUM_EXP && op != RED_L2;
    for (int64_t i = 0; y && i < p->outputs; i++) {
        odometer k, o;
        uint64_t acc = int_start(op, x->dtype);
        double sum = 0, most = -INFINITY;
        wind(&k, p->n_kept, p->kept_size, p->kept_stride, i / lanes);
        for (int pass = op == RED_LOG_SUM_EXP ? 0 : 1; pass < 2; pass++) {
            wind(&o, p->n_reduced, p->reduced_size, p->reduced_stride, 0);
            for (int64_t s = 0; s < p->steps * row; s++) {
                uint64_t v = (uint64_t)in[k.offset + i % lanes + o.offset + s % row];
                double d = to_double(is_signed, v);
                acc = int_fold(op, is_signed, acc, v);
                if (!pass) most = fmax(most, d);
                if (pass) sum += op == RED_LOG_SUM_EXP ? exp(d - most) : op == RED_L2 ? d * d : d;
                if (s % row == row - 1) tick(&o);
            }
        }
        if (exact)
            y[i] = (int64_t)acc;
        else
            ox_store_double(OX_INT64, y, i, finish(op, sum, most, p->elements));
    }
    return y;
}

/* Sums, products, maxima and minima of a type in that type: whole numbers wrap around in the same way as in 64 bits. */
#define FOLD_ROWS(T, U, EXPR)                                                                                          \
    for (; rows > 0; rows--, x += stride) {                                                                            \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            T a = y[j], v = x[j];                                                                                      \
            y[j] = (T)(EXPR);                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break
#define FOLD_INTS(NAME, T, U)                                                                                          \
    OX_INLINE void NAME##_rows_in(reduction op, T *restrict y, const T *restrict x, int64_t rows, int64_t stride, int64_t n) { \
        switch (op) {                                                                                                  \
        case RED_MAX: FOLD_ROWS(T, U, v > a ? v : a);                                                                  \
        case RED_MIN: FOLD_ROWS(T, U, v < a ? v : a);                                                                  \
        case RED_PROD: FOLD_ROWS(T, U, (U)a * (U)v);                                                                   \
        default: FOLD_ROWS(T, U, (U)a + (U)v);                                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    OX_WIDER static void NAME##_rows_wider(reduction op, T *y, const T *x, int64_t rows, int64_t stride, int64_t n) {  \
        if (n == SIDES)                                                                                                \
            NAME##_rows_in(op, y, x, rows, stride, SIDES);                                                             \
        else                                                                                                           \
            NAME##_rows_in(op, y, x, rows, stride, n);                                                                 \
    }                                                                                                                  \
    static void NAME##_rows(reduction op, T *y, const T *x, int64_t rows, int64_t stride, int64_t n) {                 \
        if (OX_HAS_WIDER())                                                                                            \
            NAME##_rows_wider(op, y, x, rows, stride, n);                                                              \
        else                                                                                                           \
            NAME##_rows_in(op, y, x, rows, stride, n);                                                                 \
    }                                                                                                                  \
    static void NAME##_row(reduction op, T *y, const T *x, int64_t n) {                                                \
        T side[SIDES];                                                                                                 \
        int64_t wide = n < SIDES ? 0 : n / SIDES;                                                                      \
        if (wide) memcpy(side, x, sizeof side);                                                                        \
        if (wide > 1) NAME##_rows(op, side, x + SIDES, wide - 1, SIDES, SIDES);                                        \
        if (wide) NAME##_rows_in(op, y, side, SIDES, 1, 1);                                                            \
        NAME##_rows_in(op, y, x + wide * SIDES, n - wide * SIDES, 1, 1);                                               \
    }                                                                                                                  \
    static void NAME(ox_ctx *ctx, const plan *p, reduction op, T start, const void *x, void *y) {                      \
        int64_t lanes = p->row ? 1 : p->lanes;                                                                         \
        int threads = ox_threads_for(ctx, p->outputs * p->elements);                                                   \
        OX_EACH(threads, i, p->outputs / lanes, {                                                                      \
            odometer k;                                                                                                \
            odometer o;                                                                                                \
            T *to = (T *)y + i * lanes;                                                                                \
            for (int64_t j = 0; j < lanes; j++) to[j] = start;                                                         \
            wind(&k, p->n_kept, p->kept_size, p->kept_stride, i);                                                      \
            wind(&o, p->n_reduced, p->reduced_size, p->reduced_stride, 0);                                             \
            for (int64_t s = 0; s < p->steps; s++, tick(&o)) {                                                         \
                const T *from = (const T *)x + k.offset + o.offset;                                                    \
                if (p->row)                                                                                            \
                    NAME##_row(op, to, from, p->row);                                                                  \
                else                                                                                                   \
                    NAME##_rows(op, to, from, 1, 0, lanes);                                                            \
            }                                                                                                          \
        });                                                                                                            \
    }
enum { SIDES = 64 };
FOLD_INTS(fold_int8, int8_t, uint32_t)
FOLD_INTS(fold_uint8, uint8_t, uint32_t)
FOLD_INTS(fold_int32, int32_t, uint32_t)
FOLD_INTS(fold_int64, int64_t, uint64_t)

/* True when that served. */
static bool reduce_ints(ox_ctx *ctx, const plan *p, reduction op, const ox_tensor *x, ox_tensor *y) {
    const void *from = ox_tensor_data(x);
    void *to = ox_tensor_mut(y);
    if ((op != RED_MAX && op != RED_MIN && op != RED_PROD && op != RED_SUM) || !from || !to) return false;
    int64_t start = (int64_t)int_start(op, x->dtype);
    switch (x->dtype) {
    case OX_INT8: fold_int8(ctx, p, op, (int8_t)start, from, to); return true;
    case OX_UINT8: fold_uint8(ctx, p, op, (uint8_t)start, from, to); return true;
    case OX_INT32: fold_int32(ctx, p, op, (int32_t)start, from, to); return true;
    case OX_INT64: fold_int64(ctx, p, op, start, from, to); return true;
    default: return false;
    }
}

/* ---- the kernel */

static reduction op_of(const char *name) {
    static const struct { const char *name; reduction op;
    } ops[] = {{"Sum", RED_SUM},        {"Mean", RED_MEAN},
               {"Prod", RED_PROD},      {"L1", RED_L1},
               {"L2", RED_L2},          {"SumSquare", RED_SUM_SQUARE},
               {"LogSum", RED_LOG_SUM}, {"LogSumExp", RED_LOG_SUM_EXP},
               {"Max", RED_MAX},        {"Min", RED_MIN}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (!strcmp(name + strlen("Reduce"), ops[i].name)) return ops[i].op;
    }
    return RED_SUM;
}

static int read_axes(ox_run *r, const ox_tensor *x, bool *reduced) {
    int64_t n = 0;
    const int64_t *axes = ox_input(r, 1) ? ox_run_list(r, 1, &n) : NULL;
    if (ox_input(r, 1) && !axes) return -1;
    for (int d = 0; d < x->rank && n == 0; d++) reduced[d] = ox_get_int(r->call, "noop_with_empty_axes") == 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = ox_axis(r->call, axes[i], x->rank, "axis");
        if (axis < 0) return -1;
        if (reduced[axis]) return ox_fail(r->ctx, OX_BAD_DATA, "axis %" PRId64 " is named twice", axis);
        reduced[axis] = true;
    }
    return 0;
}

/* Outputs of a reduction over nothing. */
static void fill_empty(reduction op, ox_tensor *y) {
    bool real = ox_dtype_is_float(y->dtype);
    for (int64_t i = 0; i < y->count; i++) {
        if (real)
            ox_store_double(y->dtype, ox_tensor_mut(y), i, finish(op, start_of(op), 0, 0));
        else
            ox_store_int(y->dtype, ox_tensor_mut(y), i, (int64_t)int_start(op, y->dtype));
    }
}

/* The commonest form, whole rows of floats that lie one after the other: true when that served. */
static bool reduce_rows(ox_ctx *ctx, const plan *p, reduction op, const float *x, float *y) {
    if (!p->row || p->n_reduced || p->n_kept > 1 || op == RED_LOG_SUM_EXP) return false;
    double (*fold)(ox_fold, const float *, int64_t) = ox_vec_table()->fold;
    ox_fold how = fold_of(op);
    int threads = ox_threads_for(ctx, p->outputs * p->elements);
    OX_EACH(threads, i, p->outputs, { y[i] = (float)finish(op, fold(how, x + i * p->row, p->row), 0, p->elements); });
    return true;
}

static int reduce(ox_run *r, reduction op, const ox_tensor *x, const bool *reduced, ox_tensor *y) {
    plan p;
    make_plan(&p, x, reduced);
    if (ox_is_double(x)) {
        reduce_double(r->ctx, &p, op, ox_tensor_data(x), ox_tensor_mut(y));
    } else if (ox_dtype_is_float(x->dtype)) {
        const float *from = ox_as_floats(r, x);
        float *to = ox_floats_of(r, y);
        if (!from || !to) return -1;
        if (!reduce_rows(r->ctx, &p, op, from, to)) reduce_float(r->ctx, &p, op, from, to);
        ox_floats_done(r, y, to);
    } else if (!reduce_ints(r->ctx, &p, op, x, y)) {
        const int64_t *to = int_reduce(r, &p, op, x);
        if (!to) return -1;
        for (int64_t i = 0; i < y->count; i++) ox_store_int(y->dtype, ox_tensor_mut(y), i, to[i]);
    }
    return 0;
}

int ox_run_reduce(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    reduction op = op_of(r->call->op->name);
    bool keep = ox_get_int(r->call, "keepdims") != 0;
    int rank = 0;
    if (!x) return -1;
    if (!ox_dtype_is_int(x->dtype) && x->dtype != OX_BOOL && !ox_ok_float(r, x)) return -1;
    bool *reduced = OX_NEW_N(r->arena, bool, x->rank + 1);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    if (read_axes(r, x, reduced) < 0) return -1;
    for (int d = 0; d < x->rank; d++) {
        if (!reduced[d] || keep) dims[rank++] = reduced[d] ? 1 : x->dims[d];
    }
    ox_tensor *y = ox_output(r, 0, x->dtype, rank, dims);
    if (!y) return -1;
    if (!y->count) return 0;
    if (!x->count) {
        fill_empty(op, y);
        return 0;
    }
    return reduce(r, op, x, reduced, y);
}

/* ---- ArgMax, ArgMin */

typedef struct search { bool max, last; int64_t n, inner; } search;

/* NaN counts as the most extreme element, the first or last of them. */
#define FIND(NAME, T)                                                                                                  \
    static int64_t NAME##_at(const search *s, const T *from) {                                                         \
        int64_t best = 0;                                                                                              \
        for (int64_t k = 1; k < s->n; k++) {                                                                           \
            T v = from[k * s->inner], b = from[best * s->inner];                                                       \
            bool better =                                                                                              \
                b != b ? v != v && s->last : v != v || (s->max ? v > b : v < b) || (s->last && v == b);                \
            best = better ? k : best;                                                                                  \
        }                                                                                                              \
        return best;                                                                                                   \
    }                                                                                                                  \
    static void NAME(ox_ctx *ctx, const search *s, const T *x, int64_t outer, int64_t *y) {                            \
        int threads = ox_threads_for(ctx, outer * s->n * s->inner);                                                    \
        OX_EACH(threads, i, outer * s->inner,                                                                          \
                { y[i] = NAME##_at(s, x + i / s->inner * s->n * s->inner + i % s->inner); });                          \
    }
FIND(find_float, float)
FIND(find_double, double)
FIND(find_signed, int64_t)
FIND(find_unsigned, uint64_t)

/* Many searches side by side: x[k * step + j] for each j < n <= LANES. */
enum { LANES = 64, LEAST_ROW = 4 * LANES };
#define SIDE(NAME, BETTER)                                                                                             \
    OX_INLINE void NAME##_in(const float *x, int64_t rows, int64_t step, int64_t n, float *best, int32_t *at) {        \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            best[j] = x[j];                                                                                            \
            at[j] = 0;                                                                                                 \
        }                                                                                                              \
        for (int64_t k = 1; k < rows; k++) {                                                                           \
            const float *row = x + k * step;                                                                           \
            for (int64_t j = 0; j < n; j++) {                                                                          \
                float v = row[j], b = best[j];                                                                         \
                bool better = BETTER;                                                                                  \
                best[j] = better ? v : b;                                                                              \
                at[j] = better ? (int32_t)k : at[j];                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    OX_WIDER static void NAME##_wider(const float *x, int64_t rows, int64_t step, int64_t n, float *best, int32_t *at) { \
        if (n == LANES) NAME##_in(x, rows, step, LANES, best, at);                                                     \
        else NAME##_in(x, rows, step, n, best, at);                                                                    \
    }                                                                                                                  \
    static void NAME(const float *x, int64_t rows, int64_t step, int64_t n, float *best, int32_t *at) {                \
        if (OX_HAS_WIDER()) NAME##_wider(x, rows, step, n, best, at);                                                  \
        else NAME##_in(x, rows, step, n, best, at);                                                                    \
    }
SIDE(first_max, (b == b) & ((v > b) | (v != v)))
SIDE(first_min, (b == b) & ((v < b) | (v != v)))
SIDE(last_max, ((b == b) & (v >= b)) | (v != v))
SIDE(last_min, ((b == b) & (v <= b)) | (v != v))

/* A row in LANES columns, the rest one by one; the best of those, in the order of the row. */
static int64_t best_of_row(const search *s, void (*side)(const float *, int64_t, int64_t, int64_t, float *, int32_t *), const float *x) {
    float best[LANES];
    int32_t at[LANES];
    int64_t rows = s->n / LANES, found = -1;
    side(x, rows, LANES, LANES, best, at);
    for (int64_t j = 0; j < s->n - rows * LANES + LANES; j++) {
        int64_t i = j < LANES ? at[j] * LANES + j : rows * LANES + j - LANES;
        float v = x[i], b = found < 0 ? 0 : x[found];
        bool same = v == b || (v != v && b != b), better = b == b && (v != v || (s->max ? v > b : v < b));
        if (found < 0 || better || (same && (s->last ? i > found : i < found))) found = i;
    }
    return found;
}

/* Rows too short for that: TURNED of them as columns. */
enum { TURNED = 32 };

static void best_of_rows(const search *s, void (*side)(const float *, int64_t, int64_t, int64_t, float *, int32_t *), const float *x, int64_t rows, int64_t *y) {
    float turned[TURNED * LEAST_ROW], best[LANES];
    int32_t at[LANES];
    ox_vec_table()->transpose(4, s->n, rows, (char *)turned, rows, (const char *)x, s->n);
    side(turned, s->n, rows, rows, best, at);
    for (int64_t j = 0; j < rows; j++) y[j] = at[j];
}

static bool find_many(ox_ctx *ctx, const search *s, const float *x, int64_t outer, int64_t *y) {
    void (*side)(const float *, int64_t, int64_t, int64_t, float *, int32_t *) = s->max ? s->last ? last_max : first_max : s->last ? last_min : first_min;
    if (s->n > INT32_MAX || (s->inner > 1 && s->inner < 8)) return false;
    int64_t parts = (s->inner + LANES - 1) / LANES, bands = (outer + TURNED - 1) / TURNED;
    int threads = ox_threads_for(ctx, outer * s->n * s->inner);
    if (s->inner == 1 && s->n < LEAST_ROW) {
        OX_EACH(threads, i, bands, {
            int64_t first = i * TURNED;
            best_of_rows(s, side, x + first * s->n, outer - first < TURNED ? outer - first : TURNED, y + first);
        });
        return true;
    }
    OX_EACH(threads, i, outer * parts, {
        if (s->inner == 1) {
            y[i] = best_of_row(s, side, x + i * s->n);
            continue;
        }
        float best[LANES];
        int32_t at[LANES];
        int64_t from = i % parts * LANES;
        int64_t n = s->inner - from < LANES ? s->inner - from : LANES;
        side(x + i / parts * s->n * s->inner + from, s->n, s->inner, n, best, at);
        for (int64_t j = 0; j < n; j++) y[i / parts * s->inner + from + j] = at[j];
    });
    return true;
}

static int find(ox_run *r, const search *s, const ox_tensor *x, int64_t outer, int64_t *y) {
    if (ox_is_double(x)) {
        find_double(r->ctx, s, ox_tensor_data(x), outer, y);
    } else if (ox_dtype_is_float(x->dtype)) {
        const float *from = ox_as_floats(r, x);
        if (!from) return -1;
        if (!find_many(r->ctx, s, from, outer, y)) find_float(r->ctx, s, from, outer, y);
    } else {
        const int64_t *from = ox_tensor_to_ints(r->arena, x);
        if (!from) return -1;
        if (x->dtype == OX_UINT64)
            find_unsigned(r->ctx, s, (const uint64_t *)from, outer, y);
        else
            find_signed(r->ctx, s, from, outer, y);
    }
    return 0;
}

int ox_run_arg_reduce(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    bool keep = ox_get_int(r->call, "keepdims") != 0;
    int rank = 0;
    if (!x) return -1;
    if (!ox_dtype_is_int(x->dtype) && !ox_ok_float(r, x)) return -1;
    int64_t axis = x->rank ? ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis") : 0;
    if (axis < 0) return -1;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    for (int d = 0; d < x->rank; d++) {
        if (d != axis || keep) dims[rank++] = d == axis ? 1 : x->dims[d];
    }
    ox_tensor *y = ox_output(r, 0, OX_INT64, rank, dims);
    if (!y) return -1;
    search s = {.max = !strcmp(r->call->op->name, "ArgMax"), .last = ox_get_int(r->call, "select_last_index") != 0};
    s.n = x->rank ? x->dims[axis] : 1;
    s.inner = ox_count(x->dims, x->rank ? (int)axis + 1 : 0, x->rank);
    if (y->count && !s.n) return ox_fail(r->ctx, OX_BAD_DATA, "axis %" PRId64 " has no elements to choose from", axis);
    return y->count ? find(r, &s, x, ox_count(x->dims, 0, (int)axis), ox_tensor_mut(y)) : 0;
}
