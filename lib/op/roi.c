/* Kernels of pooling over regions, and of MaxUnpool. Computed in double, rounded once. */
#include "op/compute.h"
#include "op/window.h"

/* ---- MaxUnpool: every element goes back to where its maximum was */

static int unpool_sizes(ox_run *r, ox_window *w, const ox_tensor *x, int64_t *dims) {
    int n;
    ox_get_ints(r->call, "kernel_shape", &n);
    if (x->rank != n + 2)
        return ox_fail(r->ctx, OX_BAD_DATA, "a window of %d axes cannot slide over an input of rank %d", n, x->rank);
    if (ox_window_init(w, r->call, r->arena, n, NULL) < 0) return -1;
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    return ox_window_spread_sizes(r->ctx, w, NULL, NULL, x->dims + 2, dims + 2);
}

/* Copies a box of elements of ITEM bytes into the corner of a larger or smaller one. */
static void copy_box(const char *from, const int64_t *from_dims, char *to, const int64_t *to_dims, int rank,
                     size_t item) {
    int64_t count = ox_count(from_dims, 0, rank), at[OX_WINDOW_AXES] = {0};
    for (int64_t i = 0; i < count; i++) {
        int64_t index = 0;
        bool inside = true;
        for (int d = 0; d < rank; d++) {
            index = index * to_dims[d] + at[d];
            inside = inside && at[d] < to_dims[d];
        }
        if (inside) memcpy(to + (size_t)index * item, from + (size_t)i * item, item);
        for (int d = rank - 1; d >= 0 && ++at[d] == from_dims[d]; d--) at[d] = 0;
    }
}

/* Indices count in the tensor that was pooled, whose size follows from the window; output_shape only adds room at
 * the ends. */
int ox_run_max_unpool(ox_run *r) {
    ox_window w;
    const ox_tensor *x = ox_need(r, 0), *index = ox_need(r, 1);
    if (!x || !index || !ox_ok_float(r, x)) return -1;
    if (index->dtype != OX_INT64 || index->rank != x->rank || (x->rank && memcmp(index->dims, x->dims, (size_t)x->rank * sizeof *x->dims)))
        return ox_fail(r->ctx, OX_BAD_DATA, "the indices do not fit the input");
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1), n = x->rank, count = 1;
    if (unpool_sizes(r, &w, x, dims) < 0) return -1;
    const int64_t *shape = ox_input(r, 2) ? ox_run_ints(r, 2, &n) : dims;
    if (!shape) return -1;
    if (n != x->rank) return ox_fail(r->ctx, OX_BAD_DATA, "output_shape must have %d elements", x->rank);
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, shape);
    if (!y) return -1;
    size_t item = ox_dtype_bits(x->dtype) / 8;
    char *to = ox_tensor_mut(y), *whole = to;
    const int64_t *at = ox_tensor_data(index);
    const char *from = ox_tensor_data(x);
    memset(to, 0, (size_t)y->count * item);
    for (int d = 0; d < x->rank; d++) {
        if (!ox_mul_ok(count, dims[d], &count)) return ox_fail(r->ctx, OX_BAD_DATA, "the output is too large");
    }
    bool same = !memcmp(dims, shape, (size_t)x->rank * sizeof *dims);
    if (!same && !(whole = ox_scratch(r, (uint64_t)count * item))) return -1;
    if (!same) memset(whole, 0, (size_t)count * item);
    for (int64_t i = 0; i < x->count; i++) {
        if (at[i] < 0 || at[i] >= count)
            return ox_fail(r->ctx, OX_BAD_DATA, "index %" PRId64 " is out of range", at[i]);
        memcpy(whole + (size_t)at[i] * item, from + (size_t)i * item, item);
    }
    if (!same) copy_box(whole, dims, to, shape, x->rank, item);
    return 0;
}

/* ---- regions */

typedef struct regions {
    int64_t batch, channels, height, width, rois, out_h, out_w;
    const double *x, *roi;
    double *y, scale;
} regions;

static int read_regions(ox_run *r, regions *v, int columns, ox_tensor **y) {
    const ox_tensor *x = ox_need(r, 0), *rois = ox_need(r, 1);
    if (!x || !rois || !ox_ok_float(r, x)) return -1;
    if (x->rank != 4 || rois->rank != 2 || rois->dims[1] != columns || rois->dtype != x->dtype)
        return ox_fail(r->ctx, OX_BAD_DATA, "X must have rank 4 and rois be [n, %d] of the same type", columns);
    v->batch = x->dims[0];
    v->channels = x->dims[1];
    v->height = x->dims[2];
    v->width = x->dims[3];
    v->rois = rois->dims[0];
    v->scale = ox_get_float(r->call, "spatial_scale");
    if (v->out_h < 1 || v->out_w < 1) return ox_fail(r->ctx, OX_BAD_DATA, "the pooled size must be positive");
    *y = ox_output(r, 0, x->dtype, 4, (int64_t[]){v->rois, v->channels, v->out_h, v->out_w});
    v->x = *y ? ox_as_doubles(r, x) : NULL;
    v->roi = v->x ? ox_as_doubles(r, rois) : NULL;
    v->y = v->roi ? ox_scratch(r, (uint64_t)(*y)->count * sizeof *v->y) : NULL;
    if (!v->y) return -1;
    for (int64_t i = 0; i < rois->count; i++) {
        if (!isfinite(v->roi[i]) || fabs(v->roi[i] * v->scale) > 1e9)
            return ox_fail(r->ctx, OX_BAD_DATA, "region %" PRId64 " cannot be", i / columns);
    }
    return 0;
}

static int64_t clip(double v, int64_t hi) { return v < 0 ? 0 : v > (double)hi ? hi : (int64_t)v; }

static void max_roi_plane(const regions *v, const double *roi, const double *x, double *y) {
    double x0 = round(roi[1] * v->scale), y0 = round(roi[2] * v->scale), x1 = round(roi[3] * v->scale),
           y1 = round(roi[4] * v->scale);
    double h = fmax(y1 - y0 + 1, 1) / (double)v->out_h, w = fmax(x1 - x0 + 1, 1) / (double)v->out_w;
    for (int64_t i = 0; i < v->out_h; i++) {
        int64_t top = clip(floor((double)i * h) + y0, v->height),
                bottom = clip(ceil((double)(i + 1) * h) + y0, v->height);
        for (int64_t j = 0; j < v->out_w; j++) {
            int64_t left = clip(floor((double)j * w) + x0, v->width),
                    right = clip(ceil((double)(j + 1) * w) + x0, v->width);
            double max = bottom > top && right > left ? -INFINITY : 0;
            for (int64_t a = top; a < bottom; a++) {
                for (int64_t b = left; b < right; b++) max = fmax(max, x[a * v->width + b]);
            }
            y[i * v->out_w + j] = max;
        }
    }
}

int ox_run_max_roi_pool(ox_run *r) {
    int n;
    regions v;
    ox_tensor *y;
    const int64_t *pooled = ox_get_ints(r->call, "pooled_shape", &n);
    if (n != 2) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'pooled_shape' must have two numbers");
    v.out_h = pooled[0];
    v.out_w = pooled[1];
    if (read_regions(r, &v, 5, &y) < 0) return -1;
    for (int64_t i = 0; i < v.rois; i++) {
        double image = v.roi[i * 5];
        if (!(image >= 0 && image < (double)v.batch))
            return ox_fail(r->ctx, OX_BAD_DATA, "region %" PRId64 " is of no image", i);
        for (int64_t c = 0; c < v.channels; c++)
            max_roi_plane(&v, v.roi + i * 5, v.x + ((int64_t)image * v.channels + c) * v.height * v.width,
                          v.y + (i * v.channels + c) * v.out_h * v.out_w);
    }
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, v.y);
    return 0;
}

/* ---- RoiAlign */

enum { MAX_POINTS = 1 << 22 }; /* in one bin */

typedef struct align {
    regions v;
    int64_t ratio;
    bool half_pixel, max;
} align;

typedef struct corner { int64_t at[4]; double weight[4]; } corner;

/* The four neighbours of a point and their weights; zeros far outside. */
static corner corners(const regions *v, double y, double x) {
    corner c = {0};
    if (y < -1 || y > (double)v->height || x < -1 || x > (double)v->width) return c;
    y = fmax(y, 0);
    x = fmax(x, 0);
    int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = y0 + 1, x1 = x0 + 1;
    if (y0 >= v->height - 1) y = (double)(y1 = y0 = v->height - 1);
    if (x0 >= v->width - 1) x = (double)(x1 = x0 = v->width - 1);
    double fy = y - (double)y0, fx = x - (double)x0;
    return (corner){{y0 * v->width + x0, y0 * v->width + x1, y1 * v->width + x0, y1 * v->width + x1},
                    {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx}};
}

/* Corner and size of one bin of a region, and how many points of it are looked at. */
typedef struct bin { double top, left, h, w; int64_t nh, nw; } bin;

static bin bin_of(const align *a, const double *roi) {
    const regions *v = &a->v;
    double shift = a->half_pixel ? 0.5 : 0, left = roi[0] * v->scale - shift, top = roi[1] * v->scale - shift;
    double w = roi[2] * v->scale - shift - left, h = roi[3] * v->scale - shift - top;
    if (!a->half_pixel) {
        w = fmax(w, 1);
        h = fmax(h, 1);
    }
    h /= (double)v->out_h;
    w /= (double)v->out_w;
    int64_t nh = a->ratio > 0 ? a->ratio
                 : h > 0      ? (int64_t)ceil(h)
                              : 0,
            nw = a->ratio > 0 ? a->ratio
                 : w > 0      ? (int64_t)ceil(w)
                              : 0;
    return (bin){top, left, h, w, nh, nw};
}

/* One bin of one region in all planes: NH * NW points, from (top, left), a step apart. Elements of Y are STEP apart. */
static void align_bin(const align *a, const double *image, const bin *n, double top, double left, double *y, int64_t step) {
    const regions *v = &a->v;
    enum { POINTS = 64 };
    corner list[POINTS];
    int64_t count = n->nh * n->nw;
    for (int64_t c = 0; c < v->channels; c++) y[c * step] = a->max && count ? -INFINITY : 0;
    for (int64_t first = 0; first < count; first += POINTS) {
        int64_t points = count - first < POINTS ? count - first : POINTS;
        for (int64_t p = 0; p < points; p++) {
            int64_t i = (first + p) / n->nw, j = (first + p) % n->nw;
            list[p] = corners(v, top + ((double)i + 0.5) * n->h / (double)n->nh, left + ((double)j + 0.5) * n->w / (double)n->nw);
        }
        for (int64_t c = 0; c < v->channels; c++) {
            const double *plane = image + c * v->height * v->width;
            double sum = y[c * step], max = sum;
            for (const corner *k = list; k < list + points; k++) {
                double one[4];
                for (int q = 0; q < 4; q++) one[q] = k->weight[q] * plane[k->at[q]];
                for (int q = 0; q < 4; q++) sum += one[q];
                for (int q = 0; a->max && q < 4; q++) max = fmax(max, one[q]);
            }
            y[c * step] = a->max ? max : sum;
        }
    }
    for (int64_t c = 0; c < v->channels && !a->max; c++) y[c * step] /= (double)(count > 1 ? count : 1);
}

static void align_region(const align *a, int64_t image, const double *roi, double *y) {
    const regions *v = &a->v;
    bin n = bin_of(a, roi);
    const double *planes = v->x + image * v->channels * v->height * v->width;
    for (int64_t i = 0; i < v->out_h; i++) {
        for (int64_t j = 0; j < v->out_w; j++)
            align_bin(a, planes, &n, n.top + (double)i * n.h, n.left + (double)j * n.w, y + i * v->out_w + j, v->out_h * v->out_w);
    }
}

static int read_align(ox_run *r, align *a) {
    const char *mode = ox_get_string(r->call, "mode"),
               *pixels = ox_get_string(r->call, "coordinate_transformation_mode");
    a->max = !strcmp(mode, "max");
    a->half_pixel = !strcmp(pixels, "half_pixel");
    a->ratio = ox_get_int(r->call, "sampling_ratio");
    a->v.out_h = ox_get_int(r->call, "output_height");
    a->v.out_w = ox_get_int(r->call, "output_width");
    if (!a->max && strcmp(mode, "avg")) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'mode' is '%s'", mode);
    if (!a->half_pixel && strcmp(pixels, "output_half_pixel"))
        return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'coordinate_transformation_mode' is '%s'", pixels);
    return a->ratio >= 0 && a->ratio < 65536
               ? 0
               : ox_fail(r->ctx, OX_BAD_DATA, "attribute 'sampling_ratio' is %" PRId64, a->ratio);
}

int ox_run_roi_align(ox_run *r) {
    align a;
    ox_tensor *y;
    int64_t n;
    if (read_align(r, &a) < 0 || read_regions(r, &a.v, 4, &y) < 0) return -1;
    const int64_t *image = ox_run_ints(r, 2, &n);
    if (!image) return -1;
    if (n != a.v.rois) return ox_fail(r->ctx, OX_BAD_DATA, "batch_indices must have one element per region");
    if (y->count && (!a.v.height || !a.v.width)) return ox_fail(r->ctx, OX_BAD_DATA, "the input has no elements");
    for (int64_t i = 0; i < n; i++) {
        if (image[i] < 0 || image[i] >= a.v.batch)
            return ox_fail(r->ctx, OX_BAD_DATA, "region %" PRId64 " is of no image", i);
        bin one = bin_of(&a, a.v.roi + i * 4);
        if (one.nh > MAX_POINTS / (one.nw + 1))
            return ox_fail(r->ctx, OX_UNAVAILABLE, "region %" PRId64 " has too many points in a bin", i);
    }
    int threads = ox_threads_for(r->ctx, y->count * 16);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < n; i++)
        align_region(&a, image[i], a.v.roi + i * 4, a.v.y + i * a.v.channels * a.v.out_h * a.v.out_w);
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, a.v.y);
    return 0;
}
