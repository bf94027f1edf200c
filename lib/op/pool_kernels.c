/* Kernels of the pools over windows, for any number of spatial axes. The loop over kernel positions is the outer one
 * and the inner one runs along a row of the output without tests, so that compilers can make vectors of it. Integers
 * are computed in float, which holds the 8-bit types exactly. */
#include "op/compute.h"
#include "op/window.h"

typedef enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP } pool_kind;

typedef struct pool {
    ox_image image;
    ox_window window;
    pool_kind kind;
    int64_t planes, p; /* p: order of the norm */
    bool count_pads, column_major;
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

static int compute(ox_run *r, const pool *v, const ox_tensor *x, ox_tensor *y, int64_t *index) {
    if (ox_is_double(x)) return run_double(r, v, ox_tensor_data(x), ox_tensor_mut(y), index);
    const float *from = ox_as_floats(r, x);
    float *to = ox_floats_of(r, y);
    if (!from || !to || run_float(r, v, from, to, index) < 0) return -1;
    ox_floats_done(r, y, to);
    return 0;
}

static int run_pool(ox_run *r, pool_kind kind) {
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
    v.column_major = kind == POOL_MAX && ox_get_int(r->call, "storage_order") == 1;
    if (x->dtype == OX_INT8 || x->dtype == OX_UINT8) v.lowest = x->dtype == OX_INT8 ? -128 : 0;
    return compute(r, &v, x, y, index ? ox_tensor_mut(index) : NULL);
}

int ox_run_max_pool(ox_run *r) { return run_pool(r, POOL_MAX); }
int ox_run_average_pool(ox_run *r) { return run_pool(r, POOL_AVERAGE); }
int ox_run_lp_pool(ox_run *r) { return run_pool(r, POOL_LP); }

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
    run_global_float(r, &v, size, from, to);
    ox_floats_done(r, y, to);
    return 0;
}
