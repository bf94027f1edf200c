/* Kernels of the pools over windows, for any number of spatial axes. The loop over kernel positions is the outer one
 * and the inner one runs along a row of the output without tests, so that compilers can make vectors of it. Integers
 * are computed in float, which holds the 8-bit types exactly. */
#include "cpu/plane.h"
#include "cpu/vec.h"
#include "op/compute.h"
#include "op/sliced.h"
#include "op/window.h"

typedef enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP } pool_kind;

typedef struct pool {
    ox_image image;
    ox_window window;
    pool_kind kind;
    int64_t planes, p; /* p: order of the norm */
    bool count_pads, column_major;
    bool by_rows;      /* averages are added up row by row */
    double lowest;     /* of the element type: what a window holds that meets nothing */
} pool;

static double power(double v, int64_t p) { return p == 1 ? v : p == 2 ? v * v : pow(v, (double)p); }

static double root(double v, int64_t p) { return p == 1 ? v : p == 2 ? sqrt(v) : pow(v, 1 / (double)p); }

/* How many of the k in [0, kernel) have lo <= start + k * dilation < hi. */
static int64_t count_between(int64_t start, int64_t dilation, int64_t kernel, int64_t lo, int64_t hi) {
    int64_t first = start >= lo ? 0 : (lo - start + dilation - 1) / dilation,
            end = start >= hi ? 0 : (hi - start + dilation - 1) / dilation;
    if (end > kernel) end = kernel;
    return end > first ? end - first : 0;
}

/* Elements that an average is divided by: those inside the input, or with the pads when these count; never what lies
 * behind the pads. */
static double window_count(const pool *v, int64_t position) {
    const ox_image *im = &v->image;
    const ox_window *w = &v->window;
    double count = 1;
    for (int d = im->n - 1; d >= 0; d--) {
        int64_t start = position % im->out[d] * w->stride[d] - w->begin[d];
        int64_t lo = v->count_pads ? -w->begin[d] : 0, hi = im->in[d] + (v->count_pads ? w->end[d] : 0);
        count *= (double)count_between(start, w->dilation[d], w->kernel[d], lo, hi);
        position /= im->out[d];
    }
    return count;
}

/* The image to walk over: kernel positions at the ends that meet nothing but pads are left out, so that huge windows
 * cost what they meet. */
static int walked_image(ox_run *r, pool *v, const int64_t *in, const int64_t *out) {
    ox_window w = v->window;
    int64_t *kernel = OX_NEW_N(r->arena, int64_t, 2 * w.n), *begin = kernel + w.n;
    for (int d = 0; d < w.n; d++) {
        int64_t s = w.stride[d], low = w.begin[d] - (out[d] - 1) * s; /* of k * dilation, to meet column 0 or later */
        int64_t first = low <= 0 ? 0 : (low + w.dilation[d] - 1) / w.dilation[d];
        int64_t end = (w.begin[d] + in[d] + w.dilation[d] - 1) / w.dilation[d];
        if (end > w.kernel[d]) end = w.kernel[d];
        kernel[d] = end > first ? end - first : 0;
        begin[d] = w.begin[d] - first * w.dilation[d];
    }
    w.kernel = kernel;
    w.begin = begin;
    return ox_image_init(r->ctx, &v->image, &w, in, out);
}

enum { COLUMNS = 4096 };

#define REAL float
#define R(name) name##_float
#include "op/pool_real.h"
#undef REAL
#undef R
#define REAL double
#define R(name) name##_double
#include "op/pool_real.h"
#undef REAL
#undef R

static bool served(ox_dtype t, pool_kind kind) {
    bool real = t == OX_FLOAT || t == OX_DOUBLE || t == OX_FLOAT16 || t == OX_BFLOAT16;
    return real || (kind == POOL_MAX && (t == OX_INT8 || t == OX_UINT8));
}

static int read_order(ox_run *r, pool *v) {
    v->p = v->kind == POOL_LP ? ox_get_int(r->call, "p") : 1;
    return v->p > 0 ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "attribute 'p' is %" PRId64, v->p);
}

/* ---- floats along one or two axes: each row of windows is first folded down, then along. */

enum { ROW_FLOATS = 4096 };

/* Floats of a row with its pads, so long that every window lies in it; 0: not served. */
static int64_t padded_row(const pool *v, const int64_t *index) {
    const ox_image *im = &v->image;
    int last = im->n - 1;
    int64_t reach, have = im->in[last] + im->begin[last];
    if (index || im->n > 2 || v->kind == POOL_LP || im->begin[last] < 0 || !im->in_size || !im->kernel_size) return 0;
    if (!ox_mul_ok(im->out[last] - 1, im->stride[last], &reach) || reach > ROW_FLOATS || im->kernel[last] > ROW_FLOATS || im->dilation[last] > ROW_FLOATS) return 0;
    reach += (im->kernel[last] - 1) * im->dilation[last] + 1;
    reach = reach > have ? reach : have;
    return reach <= ROW_FLOATS && im->out[last] <= ROW_FLOATS ? reach : 0;
}

/* Elements of window AT of an axis that an average counts: see window_count(). */
static int64_t axis_count(const pool *v, int d, int64_t at) {
    const ox_window *w = &v->window;
    int64_t lo = v->count_pads ? -w->begin[d] : 0, hi = v->image.in[d] + (v->count_pads ? w->end[d] : 0);
    return count_between(at * w->stride[d] - w->begin[d], w->dilation[d], w->kernel[d], lo, hi);
}

/* WIDTHS: what windows of a row count along it. Sums by columns first, then divided, as others do it: see average_by_columns(). */
static void fold_plane(const pool *v, const ox_plane *f, int64_t length, const float *x, const float *widths, float *y) {
    const ox_image *im = &v->image;
    int last = im->n - 1;
    bool flat = im->n == 1, max = v->kind == POOL_MAX;
    int64_t width = im->in[last], height = flat ? 1 : im->in[0], rows = flat ? 1 : im->out[0], n = im->out[last];
    int64_t kernel = flat ? 1 : im->kernel[0], dilation = flat ? 1 : im->dilation[0], stride = flat ? 1 : im->stride[0], begin = flat ? 0 : im->begin[0];
    float row[ROW_FLOATS], counts[ROW_FLOATS], none = max ? (float)v->lowest : 0;
    int64_t counted = -1;
    for (int64_t j = 0; j < length; j++) row[j] = none;
    for (int64_t i = 0; i < rows; i++, y += n) {
        int64_t top = i * stride - begin, first = top < 0 ? (-top + dilation - 1) / dilation : 0;
        int64_t end = top >= height ? 0 : (height - top + dilation - 1) / dilation;
        if (end > kernel) end = kernel;
        if (end > first) {
            (max ? f->max_down : f->sum_down)(row + im->begin[last], x + (top + first * dilation) * width, dilation * width, end - first, width);
            (max ? f->max_along : f->sum_along)(y, row, im->stride[last], im->kernel[last], im->dilation[last], n);
        } else {
            for (int64_t j = 0; j < n; j++) y[j] = none;
        }
        if (max) continue;
        int64_t count = flat ? 1 : axis_count(v, 0, i);
        for (int64_t j = 0; count != counted && j < n; j++) counts[j] = (float)count * widths[j];
        counted = count;
        for (int64_t j = 0; j < n; j++) y[j] /= counts[j];
    }
}

/* Planes so small that their rows are short: the padded plane is folded as one row, what lies between rows of the result is computed for
 * nothing. Steps from row to row in it; 0: not served. */
enum { PLANE_FLOATS = 1 << 13, LONG_ROW = 128 };

static int64_t plane_pitch(const pool *v, int64_t length, int64_t *height) {
    const ox_image *im = &v->image;
    if (im->n != 2 || im->begin[0] < 0 || im->out[1] > LONG_ROW || (im->stride[1] > 1 && im->out[1] > LONG_ROW / 8) || im->out[0] > PLANE_FLOATS || im->stride[0] > PLANE_FLOATS ||
        im->kernel[0] > PLANE_FLOATS || im->dilation[0] > PLANE_FLOATS || im->stride[1] > PLANE_FLOATS)
        return 0;
    int64_t pitch = (length + im->stride[1] - 1) / im->stride[1] * im->stride[1];
    *height = (im->out[0] - 1) * im->stride[0] + (im->kernel[0] - 1) * im->dilation[0] + 1;
    return *height <= PLANE_FLOATS / pitch ? pitch : 0;
}

/* PADDED, DOWN: room for a padded plane each. COUNTS: of the elements of the folded plane, NULL for a maximum. */
static void fold_small(const pool *v, const ox_plane *f, int64_t pitch, int64_t height, const float *x, const float *counts, float *padded, float *down,
                       float *y) {
    const ox_image *im = &v->image;
    bool max = v->kind == POOL_MAX;
    int64_t top = im->begin[0], left = im->begin[1], rows = im->in[0], width = im->in[1], out = im->out[1], step = pitch / im->stride[1];
    float none = max ? (float)v->lowest : 0;
    void (*fold)(float *, const float *, int64_t, int64_t, int64_t) = max ? f->max_down : f->sum_down;
    if (rows > height - top) rows = height - top;
    if (width > pitch - left) width = pitch - left;
    for (int64_t j = 0; j < pitch * height; j++) padded[j] = none;
    for (int64_t i = 0; i < rows; i++) memcpy(padded + (top + i) * pitch + left, x + i * im->in[1], (size_t)width * sizeof *x);
    if (im->stride[0] == 1) {
        fold(down, padded, im->dilation[0] * pitch, im->kernel[0], im->out[0] * pitch);
    } else {
        for (int64_t i = 0; i < im->out[0]; i++)
            fold(down + i * pitch, padded + i * im->stride[0] * pitch, im->dilation[0] * pitch, im->kernel[0], pitch);
    }
    int64_t n = (im->out[0] - 1) * step + out;
    (max ? f->max_along : f->sum_along)(padded, down, im->stride[1], im->kernel[1], im->dilation[1], n);
    if (!max) ox_vec_table()->fn2[OX_FN2_DIV][OX_VV](padded, padded, counts, n);
    for (int64_t i = 0; i < im->out[0]; i++, y += out) memcpy(y, padded + i * step, (size_t)out * sizeof *y);
}

/* 1: done, 0: not served, -1 after ox_fail(). */
static int run_small(ox_run *r, const pool *v, int64_t length, const float *x, const float *widths, float *y) {
    const ox_image *im = &v->image;
    int64_t height, pitch = plane_pitch(v, length, &height), size = pitch * height;
    if (!pitch) return 0;
    int threads = ox_threads_for(r->ctx, v->planes * im->out_size * im->kernel_size);
    const ox_plane *f = ox_plane_table();
    float *room = ox_scratch(r, (uint64_t)size * 2 * (uint64_t)threads * sizeof *room), *counts = NULL;
    if (room && v->kind != POOL_MAX) counts = ox_scratch(r, (uint64_t)size * sizeof *counts);
    if (!room || (v->kind != POOL_MAX && !counts)) return -1;
    for (int64_t k = 0; counts && k < size; k++) counts[k] = 1;
    for (int64_t i = 0; counts && i < im->out[0]; i++) {
        float count = (float)axis_count(v, 0, i), *to = counts + i * (pitch / im->stride[1]);
        for (int64_t j = 0; j < im->out[1]; j++) to[j] = count * widths[j];
    }
    OX_EACH(threads, i, v->planes, {
        float *padded = room + ox_thread_index() * 2 * size;
        fold_small(v, f, pitch, height, x + i * im->in_size, counts, padded, padded + size, y + i * im->out_size);
    });
    return 1;
}

/* 1: done, 0: not served. */
static int run_planes(ox_run *r, const pool *v, const float *x, float *y, const int64_t *index) {
    const ox_image *im = &v->image;
    int64_t length = padded_row(v, index);
    if (!length) return 0;
    int last = im->n - 1;
    float *widths = ox_scratch(r, (uint64_t)im->out[last] * sizeof *widths);
    if (!widths) return -1;
    for (int64_t j = 0; j < im->out[last]; j++) widths[j] = (float)axis_count(v, last, j);
    int small = run_small(r, v, length, x, widths, y);
    if (small) return small;
    const ox_plane *f = ox_plane_table();
    int threads = ox_threads_for(r->ctx, v->planes * im->out_size * im->kernel_size);
    OX_EACH(threads, i, v->planes, { fold_plane(v, f, length, x + i * im->in_size, widths, y + i * im->out_size); });
    return 1;
}

/* Volumes: planes are folded down to one, which is folded as a plane. 1: done, 0: not served, -1 after ox_fail(). */
static int run_volumes(ox_run *r, const pool *v, const float *x, float *y, const int64_t *index) {
    const ox_image *im = &v->image;
    if (im->n != 3 || index || v->kind != POOL_MAX || !im->in_size || !im->kernel_size || im->stride[0] > INT32_MAX || im->dilation[0] > INT32_MAX) return 0;
    pool flat = *v;
    int64_t plane = im->in[1] * im->in[2], depth = im->in[0];
    flat.image = (ox_image){2, im->in + 1, im->out + 1, im->kernel + 1, im->stride + 1, im->dilation + 1, im->begin + 1, plane,
                            im->out[1] * im->out[2], im->kernel[1] * im->kernel[2]};
    if (!padded_row(&flat, NULL)) return 0;
    float *room = ox_scratch(r, (uint64_t)plane * (uint64_t)v->planes * (uint64_t)im->out[0] * sizeof *room);
    if (!room) return -1;
    const ox_plane *f = ox_plane_table();
    int threads = ox_threads_for(r->ctx, v->planes * im->out_size * im->kernel_size);
    OX_EACH(threads, i, v->planes * im->out[0], {
        int64_t at = i % im->out[0] * im->stride[0] - im->begin[0];
        int64_t first = at < 0 ? (-at + im->dilation[0] - 1) / im->dilation[0] : 0;
        int64_t end = at >= depth ? 0 : (depth - at + im->dilation[0] - 1) / im->dilation[0];
        if (end > im->kernel[0]) end = im->kernel[0];
        float *to = room + i * plane;
        if (end > first)
            f->max_down(to, x + (i / im->out[0] * depth + at + first * im->dilation[0]) * plane, im->dilation[0] * plane, end - first, plane);
        else
            for (int64_t j = 0; j < plane; j++) to[j] = (float)v->lowest;
    });
    flat.planes = v->planes * im->out[0];
    return run_planes(r, &flat, room, y, NULL);
}

/* ---- maxima of floats with their places, along one or two axes, several outputs of a row side by side */

enum { SIDES = 256 };

#define TAKE(STEP)                                                                                                     \
    for (int64_t j = 0; j < n; j++) {                                                                                  \
        float value = x[j * (STEP)];                                                                                   \
        bool better = (at[j] < 0) | (value > best[j]);                                                                 \
        best[j] = better ? value : best[j];                                                                            \
        at[j] = better ? first + (int32_t)(j * (STEP)) : at[j];                                                        \
    }
OX_INLINE void take_best_in(const float *restrict x, int64_t step, int32_t first, int64_t n, float *restrict best, int32_t *restrict at) {
    if (step == 1) {
        TAKE(1)
    } else if (step == 2) {
        TAKE(2)
    } else {
        TAKE(step)
    }
}
OX_WIDER static void take_best_wider(const float *x, int64_t step, int32_t first, int64_t n, float *best, int32_t *at) { take_best_in(x, step, first, n, best, at); }
static void take_best(const float *x, int64_t step, int32_t first, int64_t n, float *best, int32_t *at) {
    if (OX_HAS_WIDER())
        take_best_wider(x, step, first, n, best, at);
    else
        take_best_in(x, step, first, n, best, at);
}

/* Outputs [from, from + n) of row I of a plane. */
static void best_of_windows(const pool *v, int64_t plane, const float *x, int64_t i, int64_t from, int64_t n, float *best, int64_t *index) {
    const ox_image *im = &v->image;
    int last = im->n - 1;
    bool flat = im->n == 1;
    int32_t at[SIDES];
    int64_t width = im->in[last], step = im->stride[last], rows = flat ? 1 : im->kernel[0];
    for (int64_t j = 0; j < n; j++) {
        best[j] = (float)v->lowest;
        at[j] = -1;
    }
    for (int64_t p = 0; p < rows; p++) {
        int64_t row = flat ? 0 : i * im->stride[0] + p * im->dilation[0] - im->begin[0];
        if (row < 0 || row >= (flat ? 1 : im->in[0])) continue;
        for (int64_t q = 0; q < im->kernel[last]; q++) {
            int64_t first = from * step + q * im->dilation[last] - im->begin[last], lo = first >= 0 ? 0 : (-first + step - 1) / step,
                    hi = first >= width ? 0 : (width - first + step - 1) / step;
            if (hi > n) hi = n;
            int64_t place = row * width + first + lo * step;
            if (hi > lo) take_best(x + place, step, (int32_t)place, hi - lo, best + lo, at + lo);
        }
    }
    for (int64_t j = 0; j < n; j++) index[j] = at[j] < 0 ? -1 : full_index_float(v, plane, at[j]);
}

static bool run_indices(ox_run *r, const pool *v, const float *x, float *y, int64_t *index) {
    const ox_image *im = &v->image;
    int last = im->n - 1;
    if (!index || im->n > 2 || im->in_size > INT32_MAX) return false;
    int64_t width = im->out[last], rows = im->out_size / width;
    int threads = ox_threads_for(r->ctx, v->planes * im->out_size * im->kernel_size);
    OX_EACH(threads, i, v->planes * rows, {
        for (int64_t from = 0; from < width; from += SIDES)
            best_of_windows(v, i / rows, x + i / rows * im->in_size, i % rows, from, width - from < SIDES ? width - from : SIDES, y + i * width + from,
                            index + i * width + from);
    });
    return true;
}

static int compute(ox_run *r, const pool *v, const ox_tensor *x, ox_tensor *y, int64_t *index) {
    if (ox_is_double(x)) return run_double(r, v, ox_tensor_data(x), ox_tensor_mut(y), index);
    const float *from = ox_as_floats(r, x);
    float *to = ox_floats_of(r, y);
    int done = !from || !to ? -1 : v->by_rows ? 0 : run_planes(r, v, from, to, index);
    if (!done) done = run_volumes(r, v, from, to, index);
    if (!done) done = run_indices(r, v, from, to, index);
    if (done < 0 || (!done && run_float(r, v, from, to, index) < 0)) return -1;
    ox_floats_done(r, y, to);
    return 0;
}

static int run_pool(ox_run *r, pool_kind kind, bool sliced) {
    const ox_tensor *x = ox_need(r, 0);
    pool v = {.kind = kind, .count_pads = ox_get_int(r->call, "count_include_pad") != 0, .lowest = -INFINITY};
    int n;
    if (!x) return -1;
    if (!served(x->dtype, kind)) return ox_kernel_no_type(r, x->dtype);
    ox_get_ints(r->call, "kernel_shape", &n);
    if (x->rank != n + 2)
        return ox_fail(r->ctx, OX_BAD_DATA, "a window of %d axes cannot slide over an input of rank %d", n, x->rank);
    if (read_order(r, &v) < 0 || ox_window_init(&v.window, r->call, r->arena, n, NULL) < 0) return -1;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, n + 2);
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    if (ox_window_sizes(r->ctx, &v.window, x->dims + 2, dims + 2) < 0) return -1;
    ox_tensor *y = ox_output(r, 0, x->dtype, n + 2, dims), *index = NULL;
    if (y && kind == POOL_MAX && ox_want(r, 1) && !(index = ox_output(r, 1, OX_INT64, n + 2, dims))) return -1;
    if (!y) return -1;
    if (!y->count) return 0;
    if (walked_image(r, &v, x->dims + 2, dims + 2) < 0) return -1;
    v.planes = dims[0] * dims[1];
    v.by_rows = sliced && r->call->node && r->call->node->op && r->call->node->op->since >= 19;
    v.column_major = kind == POOL_MAX && ox_get_int(r->call, "storage_order") == 1;
    if (x->dtype == OX_INT8 || x->dtype == OX_UINT8) v.lowest = x->dtype == OX_INT8 ? -128 : 0;
    return compute(r, &v, x, y, index ? ox_tensor_mut(index) : NULL);
}

int ox_run_max_pool(ox_run *r) { return run_pool(r, POOL_MAX, false); }
int ox_run_average_pool(ox_run *r) { return run_pool(r, POOL_AVERAGE, false); }
int ox_run_average_pool_sliced(ox_run *r) { return run_pool(r, POOL_AVERAGE, true); }
int ox_run_lp_pool(ox_run *r) { return run_pool(r, POOL_LP, false); }

int ox_run_global_pool(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    const char *name = r->call->op->name;
    pool v = {.kind = name[6] == 'M' ? POOL_MAX : name[6] == 'A' ? POOL_AVERAGE : POOL_LP}; /* Global... */
    if (!x || !ox_ok_float(r, x) || read_order(r, &v) < 0) return -1;
    if (x->rank < 2) return ox_fail(r->ctx, OX_BAD_DATA, "the input has rank %d, but at least 2 is needed", x->rank);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank), size = ox_count(x->dims, 2, x->rank);
    for (int d = 0; d < x->rank; d++) dims[d] = d < 2 ? x->dims[d] : 1;
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, dims);
    if (!y) return -1;
    v.planes = y->count;
    if (ox_is_double(x)) {
        run_global_double(r, &v, size, ox_tensor_data(x), ox_tensor_mut(y));
        return 0;
    }
    const float *from = ox_as_floats(r, x);
    float *to = ox_floats_of(r, y);
    if (!from || !to) return -1;
    if (v.kind == POOL_LP || !size) {
        run_global_float(r, &v, size, from, to);
    } else {
        const ox_vec *f = ox_vec_table();
        int threads = ox_threads_for(r->ctx, v.planes * size);
        OX_EACH(threads, i, v.planes, {
            to[i] = v.kind == POOL_MAX ? (float)f->fold(OX_FOLD_MAX, from + i * size, size) : average_float(from + i * size, size);
        });
    }
    ox_floats_done(r, y, to);
    return 0;
}
