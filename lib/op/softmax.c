/* Softmax and relatives: normalised over an axis.
 *
 * Before version 13 the input counts as a matrix, cut before the axis; the step to 13 keeps that as the internal
 * attribute "__flat". A tensor is [outer, axis, inner] here. Rows of the axis that lie one after the other (inner =
 * 1) are the common case. */
#include "op/compute.h"

#include "cpu/vec.h"

static int lift_flat(ox_call *c) {
    ox_lift_attr_int(c, "axis", ox_get_int(c, "axis")); /* its default changes with the next version */
    ox_lift_attr_int(c, "__flat", 1);
    return 0;
}

static int infer_softmax(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t axis = ox_get_int(c, "axis");
    if (rank >= 0 && (rank > 0 || (axis != 0 && axis != -1)) && !(ox_get_int(c, "__flat") && axis == rank) &&
        ox_axis(c, axis, rank, "axis") < 0)
        return -1;
    return ox_infer_same(c);
}

typedef struct rows { int64_t outer, n, inner; } rows;

static int read_rows(ox_run *r, const ox_tensor *x, rows *v) {
    int64_t axis = ox_get_int(r->call, "axis");
    bool flat = ox_get_int(r->call, "__flat") != 0;
    if (axis < 0) axis += x->rank;
    if (x->rank == 0 && (axis == 0 || axis == -1)) {
        *v = (rows){1, 1, 1};
        return 0;
    }
    if (axis < 0 || axis > x->rank || (axis == x->rank && !flat))
        return ox_fail(r->ctx, OX_BAD_DATA, "axis %" PRId64 " is out of range for rank %d", axis, x->rank);
    v->outer = ox_count(x->dims, 0, (int)axis);
    v->n = flat ? ox_count(x->dims, (int)axis, x->rank) : x->dims[axis];
    v->inner = flat ? 1 : ox_count(x->dims, (int)axis + 1, x->rank);
    return 0;
}

static void exp_double(double *y, const double *x, double max, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = exp(x[i] - max);
}

/* One row without gaps; in float these are vectors (cpu/vec.h). */
#define SOFTMAX_KERNELS(T)                                                                                   \
    static T max_##T(const T *x, int64_t n) {                                                                \
        T part[8], max = (T)-INFINITY;                                                                       \
        int64_t i = 0;                                                                                       \
        for (int k = 0; k < 8; k++) part[k] = (T)-INFINITY;                                                  \
        for (; i + 8 <= n; i += 8) {                                                                         \
            for (int k = 0; k < 8; k++) part[k] = x[i + k] > part[k] ? x[i + k] : part[k];                   \
        }                                                                                                    \
        for (; i < n; i++) max = x[i] > max ? x[i] : max;                                                    \
        for (int k = 0; k < 8; k++) max = part[k] > max ? part[k] : max;                                     \
        return max;                                                                                          \
    }                                                                                                        \
    static void softmax_##T(const T *x, T *y, int64_t n) {                                                   \
        exp_##T(y, x, max_##T(x, n), n);                                                                     \
        T scale = (T)(1 / ox_sum_##T(y, n));                                                                    \
        for (int64_t i = 0; i < n; i++) y[i] *= scale;                                                       \
    }                                                                                                        \
    static void log_softmax_##T(const T *x, T *y, int64_t n) {                                               \
        T max = max_##T(x, n);                                                                               \
        exp_##T(y, x, max, n);                                                                               \
        T log_sum = (T)log(ox_sum_##T(y, n));                                                                   \
        for (int64_t i = 0; i < n; i++) y[i] = x[i] - max - log_sum;                                         \
    }

#define ROW_KERNELS(T)                                                                                       \
    static void hardmax_##T(const T *x, T *y, int64_t n) {                                                   \
        T max = n ? x[0] : 0;                                                                                \
        int64_t best = 0;                                                                                    \
        for (int64_t i = 0; i < n; i++) max = x[i] > max ? x[i] : max;                                       \
        while (best < n && x[best] != max) best++;                                                           \
        memset(y, 0, (size_t)n * sizeof *y);                                                                 \
        if (n) y[best < n ? best : 0] = 1;                                                                   \
    }

#define NORM_KERNELS(T)                                                                                      \
    static void norm1_##T(const T *x, T *y, int64_t n) {                                                     \
        double sum = 0;                                                                                      \
        for (int64_t i = 0; i < n; i++) sum += fabs((double)x[i]);                                           \
        for (int64_t i = 0; i < n; i++) y[i] = sum == 0 ? 0 : (T)((double)x[i] / sum);                       \
    }                                                                                                        \
    static void norm2_##T(const T *x, T *y, int64_t n) {                                                     \
        double sum = 0;                                                                                      \
        for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];                                  \
        sum = sqrt(sum);                                                                                     \
        for (int64_t i = 0; i < n; i++) y[i] = sum == 0 ? 0 : (T)((double)x[i] / sum);                       \
    }

SOFTMAX_KERNELS(double)
ROW_KERNELS(float)
ROW_KERNELS(double)
NORM_KERNELS(double)

static void share_out(const float *x, float *y, int64_t n, double sum) {
    float by = (float)sum;
    if (sum == 0)
        memset(y, 0, (size_t)n * sizeof *y);
    else
        ox_vec_table()->fn2[OX_FN2_DIV][OX_VS](y, x, &by, n);
}
static void norm1_float(const float *x, float *y, int64_t n) { share_out(x, y, n, ox_vec_table()->fold(OX_FOLD_ABS, x, n)); }
static void norm2_float(const float *x, float *y, int64_t n) { share_out(x, y, n, sqrt(ox_vec_table()->fold(OX_FOLD_SQUARES, x, n))); }

typedef struct row_fns {
    void (*in_float)(const float *x, float *y, int64_t n); /* NULL: softmax, by vectors */
    void (*in_double)(const double *x, double *y, int64_t n);
    bool logarithm;
} row_fns;

/* Applies a function of rows along the axis. Rows with gaps are brought together in scratch memory, BAND of them at
 * a time. */
enum { BAND = 16 };

#define APPLY(T)                                                                                             \
    static int apply_##T(ox_run *r, const rows *v, void (*fn)(const T *, T *, int64_t), const T *x, T *y) {  \
        int64_t bands = (v->inner + BAND - 1) / BAND, jobs = v->outer * bands;                               \
        int threads = ox_threads_for(r->ctx, v->outer * v->n * v->inner * 4);                                \
        if (v->inner == 1) {                                                                                 \
            OX_EACH(threads, i, v->outer, { fn(x + i * v->n, y + i * v->n, v->n); });                        \
            return 0;                                                                                        \
        }                                                                                                    \
        T *all = ox_scratch(r, (uint64_t)v->n * 2 * BAND * sizeof(T) * (uint64_t)threads);                   \
        if (!all) return -1;                                                                                 \
        _Pragma("omp parallel num_threads(threads)") {                                                       \
            T *in = all + ox_thread_index() * v->n * 2 * BAND, *out = in + v->n * BAND;                \
            _Pragma("omp for schedule(static)") for (int64_t job = 0; job < jobs; job++) {                   \
                int64_t first = job % bands * BAND, wide = v->inner - first < BAND ? v->inner - first : BAND; \
                const T *from = x + job / bands * v->n * v->inner + first;                                   \
                T *to = y + (from - x);                                                                      \
                for (int64_t i = 0; i < v->n; i++) {                                                         \
                    for (int64_t j = 0; j < wide; j++) in[j * v->n + i] = from[i * v->inner + j];            \
                }                                                                                            \
                for (int64_t j = 0; j < wide; j++) fn(in + j * v->n, out + j * v->n, v->n);                  \
                for (int64_t i = 0; i < v->n; i++) {                                                         \
                    for (int64_t j = 0; j < wide; j++) to[i * v->inner + j] = out[j * v->n + i];             \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
        return 0;                                                                                            \
    }

APPLY(float)
APPLY(double)

/* Rows so short that a vector would hold little of one: many as columns. */
enum { SHORT = 24, TURNED = 256 };

static void softmax_short(const ox_vec *t, int64_t rows, int64_t n, bool logarithm, const float *x, float *y) {
    float turned[SHORT * TURNED];
    t->transpose(4, n, rows, (char *)turned, rows, (const char *)x, n);
    t->softmax_columns(turned, turned, n, rows, rows, logarithm);
    t->transpose(4, rows, n, (char *)y, n, (const char *)turned, rows);
}

/* Softmax in float: along rows, or down bands of columns. */
static int softmax_vectors(ox_run *r, const rows *v, bool logarithm, const float *x, float *y) {
    const ox_vec *t = ox_vec_table();
    enum { WIDE = 512 };
    int64_t bands = (v->inner + WIDE - 1) / WIDE, plane = v->n * v->inner;
    int threads = ox_threads_for(r->ctx, v->outer * plane * 4);
    if (v->inner == 1 && v->n <= SHORT && v->outer >= SHORT) {
        OX_EACH(threads, i, (v->outer + TURNED - 1) / TURNED, {
            int64_t first = i * TURNED;
            softmax_short(t, v->outer - first < TURNED ? v->outer - first : TURNED, v->n, logarithm, x + first * v->n, y + first * v->n);
        });
        return 0;
    }
    if (v->inner == 1) {
        void (*fn)(float *, const float *, int64_t) = logarithm ? t->log_softmax : t->softmax;
        OX_EACH(threads, i, v->outer, { fn(y + i * v->n, x + i * v->n, v->n); });
        return 0;
    }
    OX_EACH(threads, job, v->outer * bands, {
        int64_t first = job % bands * WIDE, at = job / bands * plane + first, wide = v->inner - first < WIDE ? v->inner - first : WIDE;
        t->softmax_columns(y + at, x + at, v->n, v->inner, wide, logarithm);
    });
    return 0;
}

static int run_rows(ox_run *r, row_fns fns) {
    rows v;
    const ox_tensor *x = ox_need(r, 0);
    if (!x || !ox_ok_float(r, x) || read_rows(r, x, &v) < 0) return -1;
    bool over = x->dtype == OX_FLOAT && !fns.in_float; /* vectors work in place */
    ox_tensor *y = ox_output_over(r, 0, over, x->dtype, x->rank, x->dims);
    if (!y) return -1;
    if (!y->count) return 0;
    if (ox_is_double(x)) return apply_double(r, &v, fns.in_double, ox_tensor_data(x), ox_tensor_mut(y));
    const float *from = ox_as_floats(r, x);
    float *to = ox_floats_of(r, y);
    if (!from || !to) return -1;
    if ((fns.in_float ? apply_float(r, &v, fns.in_float, from, to) : softmax_vectors(r, &v, fns.logarithm, from, to)) < 0)
        return -1;
    ox_floats_done(r, y, to);
    return 0;
}

static int run_softmax(ox_run *r) { return run_rows(r, (row_fns){NULL, softmax_double, false}); }
static int run_log_softmax(ox_run *r) { return run_rows(r, (row_fns){NULL, log_softmax_double, true}); }
static int run_hardmax(ox_run *r) { return run_rows(r, (row_fns){hardmax_float, hardmax_double, false}); }

static int run_lp_normalization(ox_run *r) {
    int64_t p = ox_get_int(r->call, "p");
    if (p != 1 && p != 2) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'p' is %" PRId64 ", but must be 1 or 2", p);
    return run_rows(r, p == 1 ? (row_fns){norm1_float, norm1_double, false} : (row_fns){norm2_float, norm2_double, false});
}

OX_FAMILY(softmax, "",
    OP("Softmax", 13,
       "<axis: int = -1>(T input) => (T output) T: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_softmax, .kernel = run_softmax),
    OP("Softmax", 11,
       "<axis: int = 1>(T input) => (T output) T: floats",
       .lift = lift_flat),
    OP("Softmax", 1,
       "<axis: int = 1>(T input) => (T output) T: floats"),
    OP("LogSoftmax", 13,
       "<axis: int = -1>(T input) => (T output) T: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_softmax, .kernel = run_log_softmax),
    OP("LogSoftmax", 11,
       "<axis: int = 1>(T input) => (T output) T: floats",
       .lift = lift_flat),
    OP("LogSoftmax", 1,
       "<axis: int = 1>(T input) => (T output) T: floats"),
    OP("Hardmax", 13,
       "<axis: int = -1>(T input) => (T output) T: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_softmax, .kernel = run_hardmax),
    OP("Hardmax", 11,
       "<axis: int = 1>(T input) => (T output) T: floats",
       .lift = lift_flat),
    OP("Hardmax", 1,
       "<axis: int = 1>(T input) => (T output) T: floats"),
    OP("LpNormalization", 22,
       "<axis: int = -1, p: int = 2>(T input) => (T output) T: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_softmax, .kernel = run_lp_normalization),
    OP("LpNormalization", 1,
       "<axis: int = -1, p: int = 2>(T input) => (T output) T: floats"));
