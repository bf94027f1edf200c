/* Kernels of GridSample and AffineGrid, for any number of spatial axes. */
#include "cpu/plane.h"
#include "op/compute.h"

enum { MAX_SPATIAL = 10, TAPS = 4 };

typedef enum padding { ZEROS, BORDER, REFLECTION } padding;

typedef struct sampler {
    int n, taps; /* axes; neighbours per axis: 1 nearest, 2 linear, 4 cubic */
    int64_t batch, channels, points, plane, size[MAX_SPATIAL];
    padding padding;
    bool align;
    const float *xf; /* one of the two */
    const double *xd;
    const double *grid;
    double *y;
} sampler;

/* Back and forth between the borders. */
static double reflect(double x, double low, double high) {
    double range = high - low;
    if (!(range > 0)) return low;
    double over = x < low ? low - x : x > high ? x - high : -1;
    if (over < 0) return x;
    double turns = floor(over / range), rest = over - turns * range;
    bool even = fmod(turns, 2) == 0;
    return (x < low) == even ? low + rest : high - rest;
}

/* Where pixel i of an axis is read, -1: nowhere (zero). */
static int64_t pixel(const sampler *s, int d, double i) {
    double last = (double)(s->size[d] - 1);
    if (s->padding == BORDER) i = i < 0 ? 0 : i > last ? last : i;
    if (s->padding == REFLECTION) i = trunc(reflect(i, s->align ? 0 : -0.5, s->align ? last : last + 0.5));
    return i >= 0 && i <= last ? (int64_t)i : -1;
}

static void cubic(double f, double *w) {
    const double a = -0.75;
    w[0] = ((a * (f + 1) - 5 * a) * (f + 1) + 8 * a) * (f + 1) - 4 * a;
    w[1] = ((a + 2) * f - (a + 3)) * f * f + 1;
    w[2] = ((a + 2) * (1 - f) - (a + 3)) * (1 - f) * (1 - f) + 1;
    w[3] = ((a * (2 - f) - 5 * a) * (2 - f) + 8 * a) * (2 - f) - 4 * a;
}

/* Neighbours and weights along axis d for the coordinate g of the grid, which runs from -1 to 1. Positions are
 * float, as peers have them. */
static void find_taps(const sampler *s, int d, double g, int64_t *index, double *weight) {
    double size = (double)s->size[d], low = s->align ? 0 : -0.5, high = s->align ? size - 1 : size - 0.5;
    double x = (double)(float)(s->align ? (g + 1) / 2 * (size - 1) : ((g + 1) * size - 1) / 2);
    if (!isfinite(x)) x = -2; /* outside, on the side of zero */
    if (s->taps == 1) x = rint(x);
    if (s->taps < 4 && (x < low || x > high)) { /* for cubic the neighbours are moved, not the place */
        if (s->padding == BORDER) x = x < 0 ? 0 : size - 1;
        if (s->padding == REFLECTION) x = (double)(float)reflect(x, low, high);
    }
    double base = s->taps == 1 ? trunc(x) : floor(x), f = x - base;
    if (s->taps == 1) weight[0] = 1;
    if (s->taps == 2) {
        weight[0] = 1 - f;
        weight[1] = f;
    }
    if (s->taps == 4) cubic(f, weight);
    for (int t = 0; t < s->taps; t++) index[t] = pixel(s, d, base + t - (s->taps == 4));
}

static void sample_point(const sampler *s, int64_t batch, int64_t point) {
    int64_t index[MAX_SPATIAL][TAPS], combinations = 1;
    double weight[MAX_SPATIAL][TAPS];
    const double *g = s->grid + (batch * s->points + point) * s->n;
    for (int d = 0; d < s->n; d++) {
        find_taps(s, d, g[s->n - 1 - d], index[d], weight[d]);
        combinations *= s->taps;
    }
    double *to = s->y + batch * s->channels * s->points + point;
    for (int64_t c = 0; c < s->channels; c++) to[c * s->points] = 0;
    for (int64_t k = 0; k < combinations; k++) {
        int64_t rest = k, at = 0;
        double w = 1;
        for (int d = 0; d < s->n; d++) {
            int64_t i = index[d][rest % s->taps];
            w *= i < 0 ? 0 : weight[d][rest % s->taps];
            at = at * s->size[d] + (i < 0 ? 0 : i);
            rest /= s->taps;
        }
        at += batch * s->channels * s->plane;
        for (int64_t c = 0; c < s->channels && w != 0; c++)
            to[c * s->points] += w * (s->xd ? s->xd[at + c * s->plane] : (double)s->xf[at + c * s->plane]);
    }
}

/* ---- floats: places and weights of a run of points once, then every channel by vectors */

enum { RUN = 64, COMBINATIONS = 16 };

static void sample_run(const sampler *s, const ox_plane *f, int64_t batch, int64_t first, int64_t n, int combinations, float *y) {
    int32_t at[COMBINATIONS * RUN];
    float weight[COMBINATIONS * RUN];
    for (int64_t p = 0; p < n; p++) {
        int64_t index[MAX_SPATIAL][TAPS];
        double w[MAX_SPATIAL][TAPS];
        const double *g = s->grid + (batch * s->points + first + p) * s->n;
        for (int d = 0; d < s->n; d++) find_taps(s, d, g[s->n - 1 - d], index[d], w[d]);
        for (int k = 0; k < combinations; k++) {
            int64_t place = 0;
            int rest = k;
            double product = 1;
            for (int d = 0; d < s->n; d++, rest /= s->taps) {
                int64_t i = index[d][rest % s->taps];
                product *= i < 0 ? 0 : w[d][rest % s->taps];
                place = place * s->size[d] + (i < 0 ? 0 : i);
            }
            at[k * n + p] = (int32_t)place;
            weight[k * n + p] = (float)product;
        }
    }
    for (int64_t c = 0; c < s->channels; c++) {
        int64_t plane = batch * s->channels + c;
        f->weigh(y + plane * s->points + first, s->xf + plane * s->plane, at, weight, combinations, n);
    }
}

/* 1: done; 0: not served; -1 after ox_fail(). */
static int sample_floats(ox_run *r, const sampler *s, ox_tensor *y) {
    int combinations = 1;
    for (int d = 0; d < s->n && combinations <= COMBINATIONS; d++) combinations *= s->taps;
    if (!s->xf || combinations > COMBINATIONS || s->plane > INT32_MAX) return 0;
    float *to = ox_floats_of(r, y);
    if (!to) return -1;
    const ox_plane *f = ox_plane_table();
    int64_t runs = (s->points + RUN - 1) / RUN;
    int threads = ox_threads_for(r->ctx, y->count * 4);
    OX_EACH(threads, i, s->batch * runs, {
        int64_t first = i % runs * RUN;
        sample_run(s, f, i / runs, first, s->points - first < RUN ? s->points - first : RUN, combinations, to);
    });
    ox_floats_done(r, y, to);
    return 1;
}

static int read_sampler(ox_run *r, sampler *s, const ox_tensor *x, const ox_tensor *grid) {
    const char *mode = ox_get_string(r->call, "mode"), *pad = ox_get_string(r->call, "padding_mode");
    s->taps = !strcmp(mode, "nearest") ? 1 : !strcmp(mode, "linear") ? 2 : !strcmp(mode, "cubic") ? 4 : 0;
    if (!s->taps) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'mode' is '%s'", mode);
    s->padding = !strcmp(pad, "border") ? BORDER : !strcmp(pad, "reflection") ? REFLECTION : ZEROS;
    if (s->padding == ZEROS && strcmp(pad, "zeros"))
        return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'padding_mode' is '%s'", pad);
    s->align = ox_get_int(r->call, "align_corners") != 0;
    s->n = x->rank - 2;
    if (s->n < 1 || grid->rank != x->rank || grid->dims[grid->rank - 1] != s->n || grid->dims[0] != x->dims[0])
        return ox_fail(r->ctx, OX_BAD_DATA, "the grid does not fit the input");
    if (s->n > MAX_SPATIAL) return ox_fail(r->ctx, OX_UNAVAILABLE, "%d spatial axes are not served", s->n);
    s->batch = x->dims[0];
    s->channels = x->dims[1];
    s->points = ox_count(grid->dims, 1, grid->rank - 1);
    s->plane = ox_count(x->dims, 2, x->rank);
    for (int d = 0; d < s->n; d++) s->size[d] = x->dims[d + 2];
    return ox_dtype_is_float(grid->dtype) ? 0 : ox_kernel_no_type(r, grid->dtype);
}

int ox_run_grid_sample(ox_run *r) {
    sampler s = {0};
    const ox_tensor *x = ox_need(r, 0), *grid = ox_need(r, 1);
    if (!x || !grid || read_sampler(r, &s, x, grid) < 0) return -1;
    if (x->dtype == OX_STRING || x->dtype == OX_COMPLEX64 || x->dtype == OX_COMPLEX128)
        return ox_kernel_no_type(r, x->dtype);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank);
    for (int d = 0; d < x->rank; d++) dims[d] = d < 2 ? x->dims[d] : grid->dims[d - 1];
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, dims);
    if (!y) return -1;
    if (!y->count) return 0;
    if (!s.plane) return ox_fail(r->ctx, OX_BAD_DATA, "the input has no elements");
    if (ox_dtype_is_float(x->dtype) && x->dtype != OX_DOUBLE)
        s.xf = ox_as_floats(r, x);
    else
        s.xd = ox_as_doubles(r, x);
    s.grid = ox_as_doubles(r, grid);
    if ((!s.xf && !s.xd) || !s.grid) return -1;
    int done = sample_floats(r, &s, y);
    if (done) return done < 0 ? -1 : 0;
    s.y = ox_scratch(r, (uint64_t)y->count * sizeof *s.y);
    if (!s.y) return -1;
    const int threads = ox_threads_for(r->ctx, y->count * 8);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < s.batch * s.points; i++) sample_point(&s, i / s.points, i % s.points);
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, s.y);
    return 0;
}

/* ---- AffineGrid: theta times the coordinates of every point, innermost axis first, and 1 */

static double coordinate(int64_t i, int64_t size, bool align) {
    if (align) return size > 1 ? -1 + 2.0 * (double)i / (double)(size - 1) : -1;
    return -1 + (2 * (double)i + 1) / (double)size;
}

int ox_run_affine_grid(ox_run *r) {
    int64_t count;
    const ox_tensor *theta = ox_need(r, 0);
    const int64_t *size = ox_run_list(r, 1, &count);
    if (!theta || !size || !ox_ok_float(r, theta)) return -1;
    int n = (int)count - 2;
    if ((count != 4 && count != 5) || theta->rank != 3 || theta->dims[0] != size[0] || theta->dims[1] != n ||
        theta->dims[2] != n + 1)
        return ox_fail(r->ctx, OX_BAD_DATA, "size must have 4 or 5 elements and theta be [N, n, n + 1]");
    int64_t dims[5] = {size[0]};
    for (int d = 0; d < n; d++) dims[d + 1] = size[d + 2];
    dims[n + 1] = n;
    ox_tensor *y = ox_output(r, 0, theta->dtype, n + 2, dims);
    const double *t = y ? ox_as_doubles(r, theta) : NULL;
    double *to = t ? ox_scratch(r, (uint64_t)y->count * sizeof *to) : NULL;
    if (!to) return -1;
    bool align = ox_get_int(r->call, "align_corners") != 0;
    int64_t width = dims[n];
    double *along = ox_scratch(r, (uint64_t)width * sizeof *along);
    if (!along) return -1;
    for (int64_t j = 0; j < width; j++) along[j] = coordinate(j, width, align);
    for (int64_t row = 0; row < y->count / n / (width ? width : 1); row++) {
        int64_t rest = row;
        double at[4];
        for (int d = n - 2; d >= 0; d--) {
            at[n - 1 - d] = coordinate(rest % dims[d + 1], dims[d + 1], align);
            rest /= dims[d + 1];
        }
        at[n] = 1;
        for (int k = 0; k < n; k++) {
            const double *of = t + (rest * n + k) * (n + 1);
            double other = 0;
            for (int d = 1; d <= n; d++) other += of[d] * at[d];
            for (int64_t j = 0; j < width; j++) to[(row * width + j) * n + k] = of[0] * along[j] + other;
        }
    }
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, to);
    return 0;
}
