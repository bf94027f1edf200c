/* Kernel of Resize. Every axis gets a table: for each output position the input positions that count and their
 * weights. Axes are interpolated one after the other; for mode nearest the tables are indices and elements of any
 * type are copied. */
#include "cpu/plane.h"
#include "op/compute.h"
#include "op/resample.h"

typedef enum coordinates {
    HALF_PIXEL,
    HALF_PIXEL_SYMMETRIC,
    PYTORCH_HALF_PIXEL,
    ALIGN_CORNERS,
    ASYMMETRIC,
    TF_HALF_PIXEL,
    TF_CROP
} coordinates;
typedef enum mode { NEAREST, LINEAR, CUBIC } mode;
typedef enum rounding { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL } rounding;

typedef struct axis {
    int64_t in, out;
    double scale, start, end; /* start, end: region of interest */
    double num, den;          /* num / den = 1 / scale, without the rounding of a quotient of sizes */
    bool same;                /* nothing changes */
    int taps;
    int64_t *index;           /* [out, taps] */
    double *weight;
    bool *outside;            /* positions that get the extrapolation value; NULL: none */
} axis;

typedef struct plan {
    int rank;
    const int64_t *in;
    axis *axes;
    coordinates coordinates;
    mode mode;
    rounding rounding;
    bool antialias, exclude_outside;
    double cubic, extrapolation;
} plan;

#define REAL float
#define R(name) name##_float
#include "op/resize_real.h"
#undef REAL
#undef R
#define REAL double
#define R(name) name##_double
#include "op/resize_real.h"
#undef REAL
#undef R

/* ---- attributes */

static int choose(ox_run *r, const char *name, const char *const *names, int n) {
    const char *text = ox_get_string(r->call, name);
    for (int i = 0; i < n; i++) {
        if (!strcmp(text, names[i])) return i;
    }
    return ox_fail(r->ctx, OX_BAD_DATA, "attribute '%s' is '%s'", name, text);
}

static int read_modes(ox_run *r, plan *p) {
    static const char *const all_coordinates[] = {"half_pixel",        "half_pixel_symmetric", "pytorch_half_pixel",
                                                  "align_corners",     "asymmetric",           "tf_half_pixel_for_nn",
                                                  "tf_crop_and_resize"};
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear"};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    int c = choose(r, "coordinate_transformation_mode", all_coordinates, 7), m = choose(r, "mode", modes, 4);
    int n = choose(r, "nearest_mode", roundings, 4);
    if (c < 0 || m < 0 || n < 0) return -1;
    p->coordinates = (coordinates)c;
    p->mode = m == 3 ? LINEAR : (mode)m;
    p->rounding = (rounding)n;
    p->antialias = ox_get_int(r->call, "antialias") != 0;
    p->exclude_outside = ox_get_int(r->call, "exclude_outside") != 0;
    p->cubic = ox_get_float(r->call, "cubic_coeff_a");
    p->extrapolation = ox_get_float(r->call, "extrapolation_value");
    if (p->antialias && p->mode == NEAREST)
        return ox_fail(r->ctx, OX_BAD_DATA, "antialias does not go with mode nearest");
    return 0;
}

static int read_sizes(ox_run *r, plan *p, const int *axes, int n) {
    const ox_tensor *scales = ox_input(r, 2), *sizes = ox_input(r, 3);
    if (sizes) {
        ox_aspect aspect;
        int64_t count, *in = OX_NEW_N(r->arena, int64_t, 2 * n + 1), *out = in + n;
        double *scale = OX_NEW_N(r->arena, double, n + 1);
        const int64_t *want = ox_run_list(r, 3, &count);
        if (!want || ox_resize_aspect(r->call, &aspect) < 0) return -1;
        if (count != n) return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " sizes for %d axes", count, n);
        for (int i = 0; i < n; i++) in[i] = p->in[axes[i]];
        if (ox_resize_sized(r->ctx, aspect, n, in, want, scale, out) < 0) return -1;
        for (int i = 0; i < n; i++) {
            p->axes[axes[i]].out = out[i];
            p->axes[axes[i]].scale = p->axes[axes[i]].den = scale[i];
            if (aspect != OX_STRETCH || !out[i]) continue;
            p->axes[axes[i]].num = (double)in[i];
            p->axes[axes[i]].den = (double)out[i];
        }
        return 0;
    }
    if (!scales || scales->dtype != OX_FLOAT || scales->count != n)
        return ox_fail(r->ctx, OX_BAD_DATA, "there must be %d scales or sizes", n);
    const float *scale = ox_tensor_data(scales);
    for (int i = 0; i < n; i++) {
        axis *a = &p->axes[axes[i]];
        a->out = ox_resize_scaled(r->ctx, a->in, scale[i]);
        a->scale = a->den = (double)scale[i];
        if (a->out < 0) return -1;
    }
    return 0;
}

static int read_roi(ox_run *r, plan *p, const int *axes, int n) {
    const ox_tensor *roi = ox_input(r, 1);
    if (p->coordinates != TF_CROP) return 0;
    if (!roi || roi->count != 2 * n) return ox_fail(r->ctx, OX_BAD_DATA, "roi must have %d elements", 2 * n);
    for (int i = 0; i < n; i++) {
        p->axes[axes[i]].start = ox_load_double(roi->dtype, ox_tensor_data(roi), i);
        p->axes[axes[i]].end = ox_load_double(roi->dtype, ox_tensor_data(roi), n + i);
    }
    return 0;
}

/* ---- tables */

/* The place in the input that an output position comes from. */
static double source(const plan *p, const axis *a, int64_t j) {
    double x = (double)j, in = (double)a->in, out = a->scale * in; /* not rounded, as the standard has it */
    if (a->scale == 1 && a->in == a->out && a->start == 0 && a->end == 1) return x;
    switch (p->coordinates) {
    case ALIGN_CORNERS: return out == 1 ? 0 : x * (in - 1) / (out - 1);
    case ASYMMETRIC: return x * a->num / a->den;
    case TF_HALF_PIXEL: return (x + 0.5) * a->num / a->den;
    case TF_CROP:
        return a->start * (in - 1) +
               (out == 1 ? (a->end - a->start) * (in - 1) / 2 : x * (a->end - a->start) * (in - 1) / (out - 1));
    case PYTORCH_HALF_PIXEL: return a->out == 1 ? 0 : (x + 0.5) * a->num / a->den - 0.5;
    case HALF_PIXEL_SYMMETRIC: return in / 2 * (1 - (double)a->out / out) + (x + 0.5) * a->num / a->den - 0.5;
    case HALF_PIXEL: break;
    }
    return (x + 0.5) * a->num / a->den - 0.5;
}

static double cubic_weight(double a, double x) {
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static double nearest(rounding how, double x) {
    double low = floor(x), fraction = x - low;
    if (fraction == 0) return x;
    switch (how) {
    case PREFER_FLOOR: return fraction <= 0.5 ? low : low + 1;
    case PREFER_CEIL: return fraction < 0.5 ? low : low + 1;
    case FLOOR: return low;
    case CEIL: break;
    }
    return low + 1;
}

static int64_t clamp(double v, int64_t n) { return v < 0 ? 0 : v > (double)(n - 1) ? n - 1 : (int64_t)v; }

/* Weights of one output position: neighbours of x from first on; scaled so that they sum to one where they would
 * not. */
static void fill_taps(const plan *p, const axis *a, double x, int first, int64_t *index, double *weight) {
    double low = floor(x), fraction = x - low, sum = 0, squeeze = p->antialias ? fmin(a->scale, 1) : 1;
    for (int t = 0; t < a->taps; t++) {
        double at = low + first + t, distance = (first + t - fraction) * squeeze;
        weight[t] = p->mode == CUBIC ? cubic_weight(p->cubic, distance) : fmax(1 - fabs(distance), 0);
        if (p->exclude_outside && (at < 0 || at >= (double)a->in)) weight[t] = 0;
        index[t] = clamp(at, a->in);
        sum += weight[t];
    }
    for (int t = 0; t < a->taps && (p->antialias || p->exclude_outside) && sum != 0; t++) weight[t] /= sum;
}

static int make_table(ox_run *r, const plan *p, axis *a) {
    int reach = p->mode == CUBIC ? 2 : 1; /* neighbours on each side, before antialiasing */
    double squeeze = p->antialias ? fmin(a->scale, 1) : 1;
    if (!(reach / squeeze < 1 << 24)) return ox_fail(r->ctx, OX_BAD_DATA, "a scale of %g cannot be", a->scale);
    int first = (int)floor(-reach / squeeze) + 1;
    int64_t cells;
    a->taps = p->mode == NEAREST ? 1 : 2 - 2 * first;
    if (!ox_mul_ok(a->out, a->taps, &cells)) return ox_fail(r->ctx, OX_NO_MEMORY, "the output is too large");
    a->index = ox_scratch(r, (uint64_t)cells * sizeof *a->index);
    a->weight = p->mode == NEAREST ? NULL : ox_scratch(r, (uint64_t)cells * sizeof *a->weight);
    a->outside = p->coordinates == TF_CROP ? ox_scratch(r, (uint64_t)a->out) : NULL;
    if (!a->index || (p->mode != NEAREST && !a->weight) || (p->coordinates == TF_CROP && !a->outside)) return -1;
    a->same = a->in == a->out;
    for (int64_t j = 0; j < a->out; j++) {
        double x = source(p, a, j);
        if (!isfinite(x)) return ox_fail(r->ctx, OX_BAD_DATA, "scale or region of interest are not finite");
        if (a->outside) a->outside[j] = x < 0 || x > (double)(a->in - 1);
        a->same = a->same && x == (double)j;
        if (p->mode == NEAREST)
            a->index[j] = clamp(nearest(p->rounding, x), a->in);
        else
            fill_taps(p, a, x, first, a->index + j * a->taps, a->weight + j * a->taps);
    }
    return 0;
}

/* ---- copying elements by the tables of mode nearest */

static void copy_row(const axis *a, const char *from, char *to, size_t item) {
    if (a->same) {
        memcpy(to, from, (size_t)a->out * item);
        return;
    }
#define COPY(T)                                                                                                        \
    for (int64_t j = 0; j < a->out; j++)                                                                               \
    memcpy(to + (size_t)j * sizeof(T), from + (size_t)a->index[j] * sizeof(T), sizeof(T))
    switch (item) {
    case 1: COPY(uint8_t); break;
    case 2: COPY(uint16_t); break;
    case 4: COPY(uint32_t); break;
    case 8: COPY(uint64_t); break;
    default:
        for (int64_t j = 0; j < a->out; j++) memcpy(to + (size_t)j * item, from + (size_t)a->index[j] * item, item);
    }
#undef COPY
}

/* First input element of row i of the output. */
static int64_t row_start(const plan *p, int64_t i) {
    int64_t at = 0, step = p->in[p->rank - 1];
    for (int d = p->rank - 2; d >= 0; d--) {
        at += p->axes[d].index[i % p->axes[d].out] * step;
        i /= p->axes[d].out;
        step *= p->in[d];
    }
    return at;
}

/* Elements of 4 bytes: rows by vectors, and rows that are the same as the one before copied. 1: done; 0: not served. */
static int copy_words(ox_run *r, const plan *p, const ox_tensor *x, ox_tensor *y) {
    const axis *last = &p->axes[p->rank - 1];
    const ox_plane *f = ox_plane_table();
    int64_t n = last->out, rows = y->count / n, per = p->rank > 1 ? p->axes[p->rank - 2].out : 1;
    if (ox_dtype_bits(x->dtype) != 32 || last->in > INT32_MAX || x->dtype == OX_STRING) return 0;
    int32_t *at = ox_scratch(r, (uint64_t)n * sizeof *at);
    const uint32_t *from = ox_tensor_data(x);
    uint32_t *to = ox_tensor_mut(y);
    if (!at || !from) return -1;
    bool twice = true;
    for (int64_t j = 0; j < n; j++) {
        at[j] = (int32_t)last->index[j];
        twice = twice && at[j] == j / 2;
    }
    int threads = ox_threads_for(r->ctx, y->count);
    OX_EACH(threads, k, rows / per, {
        int64_t before = -1;
        for (int64_t i = k * per; i < k * per + per; i++) {
            int64_t start = row_start(p, i);
            if (start == before || last->same)
                memcpy(to + i * n, start == before ? to + (i - 1) * n : from + start, (size_t)n * sizeof *to);
            else if (twice)
                f->twice(to + i * n, from + start, n);
            else
                f->pick(to + i * n, from + start, at, n);
            before = start;
        }
    });
    return 1;
}

static int copy_nearest(ox_run *r, const plan *p, const ox_tensor *x, ox_tensor *y) {
    const axis *last = &p->axes[p->rank - 1];
    const char *from = ox_tensor_data(x);
    if (!from) return -1;
    int64_t rows = y->count / last->out;
    int done = copy_words(r, p, x, y);
    if (done) return done < 0 ? -1 : 0;
    if (x->dtype == OX_STRING) {
        const ox_str *s = (const ox_str *)(const void *)from;
        for (int64_t i = 0; i < y->count; i++) {
            const ox_str *one = &s[row_start(p, i / last->out) + last->index[i % last->out]];
            if (ox_tensor_set_str(y, i, one->data, one->len) < 0) return -1;
        }
        return 0;
    }
    size_t item = ox_dtype_bits(x->dtype) / 8;
    char *to = ox_tensor_mut(y);
    const int threads = ox_threads_for(r->ctx, y->count);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < rows; i++)
        copy_row(last, from + (size_t)row_start(p, i) * item, to + (size_t)(i * last->out) * item, item);
    return 0;
}

/* ---- the kernel */

static void extrapolate(const plan *p, ox_tensor *y) {
    for (int64_t i = 0; i < y->count && p->coordinates == TF_CROP; i++) {
        int64_t rest = i;
        bool outside = false;
        for (int d = p->rank - 1; d >= 0; d--) {
            outside = outside || (p->axes[d].outside && p->axes[d].outside[rest % y->dims[d]]);
            rest /= y->dims[d];
        }
        if (outside) ox_store_double(y->dtype, ox_tensor_mut(y), i, p->extrapolation);
    }
}

/* ---- floats whose last two axes change: a row of the input is interpolated once, then rows are mixed. */

enum { PLANE_TAPS = 4, PLANE_ROW = 2048 };

typedef struct planes {
    const axis *h, *w;
    int32_t *at;   /* of w: [taps, out] */
    float *weight;
    float *mixing; /* of h: [out, taps] */
} planes;

static bool is_planes(const plan *p) {
    if (p->rank < 2) return false;
    for (int d = 0; d < p->rank - 2; d++)
        if (!p->axes[d].same) return false;
    const axis *h = &p->axes[p->rank - 2], *w = &p->axes[p->rank - 1];
    return h->taps <= PLANE_TAPS && w->taps <= PLANE_TAPS && w->out <= PLANE_ROW && w->in <= INT32_MAX;
}

static void resize_plane(const planes *s, const ox_plane *f, const float *x, float *y) {
    float rows[PLANE_TAPS][PLANE_ROW];
    int64_t held[PLANE_TAPS], n = s->w->out;
    const float *use[PLANE_TAPS];
    int taps = s->h->taps;
    for (int t = 0; t < PLANE_TAPS; t++) held[t] = -1;
    for (int64_t i = 0; i < s->h->out; i++) {
        for (int t = 0; t < taps; t++) { /* rows that are needed together are neighbours: each has a place of its own */
            int64_t row = s->h->index[i * taps + t], place = row % taps;
            use[t] = rows[place];
            if (held[place] == row || s->mixing[i * taps + t] == 0) continue;
            held[place] = row;
            if (s->w->same) memcpy(rows[place], x + row * s->w->in, (size_t)n * sizeof *x);
            else f->weigh(rows[place], x + row * s->w->in, s->at, s->weight, s->w->taps, n);
        }
        f->mix(y + i * n, use, s->mixing + i * taps, taps, n);
    }
}

/* The tables in the forms that rows need; COPIES: without weights. */
static int plane_tables(ox_run *r, planes *s, bool copies) {
    int64_t n = s->w->out;
    s->at = ox_scratch(r, (uint64_t)(n * s->w->taps) * sizeof *s->at);
    s->weight = copies ? NULL : ox_scratch(r, (uint64_t)(n * s->w->taps) * sizeof *s->weight);
    s->mixing = copies ? NULL : ox_scratch(r, (uint64_t)(s->h->out * s->h->taps) * sizeof *s->mixing);
    if (!s->at || (!copies && (!s->weight || !s->mixing))) return -1;
    for (int t = 0; t < s->w->taps; t++)
        for (int64_t j = 0; j < n; j++) {
            s->at[t * n + j] = (int32_t)s->w->index[j * s->w->taps + t];
            if (!copies) s->weight[t * n + j] = (float)s->w->weight[j * s->w->taps + t];
        }
    for (int64_t i = 0; !copies && i < s->h->out * s->h->taps; i++) s->mixing[i] = (float)s->h->weight[i];
    return 0;
}

static int interpolate_planes(ox_run *r, const plan *p, const float *x, float *y) {
    planes s = {.h = &p->axes[p->rank - 2], .w = &p->axes[p->rank - 1]};
    int64_t n = s.w->out, planes = ox_count(p->in, 0, p->rank - 2), in = s.h->in * s.w->in, out = s.h->out * n;
    if (plane_tables(r, &s, false) < 0) return -1;
    const ox_plane *f = ox_plane_table();
    int threads = ox_threads_for(r->ctx, planes * out * s.h->taps);
    OX_EACH(threads, k, planes, { resize_plane(&s, f, x + k * in, y + k * out); });
    return 0;
}

static int interpolate(ox_run *r, const plan *p, const ox_tensor *x, ox_tensor *y) {
    if (ox_dtype_is_float(x->dtype) && x->dtype != OX_DOUBLE) {
        const float *from = ox_as_floats(r, x);
        if (from && is_planes(p)) {
            float *planar = ox_floats_of(r, y);
            if (!planar || interpolate_planes(r, p, from, planar)) return -1;
            ox_floats_done(r, y, planar);
            return 0;
        }
        const float *to = from ? interpolate_float(r, p, from) : NULL;
        if (!to) return -1;
        ox_from_floats(y->dtype, ox_tensor_mut(y), 0, y->count, to);
        return 0;
    }
    if (x->dtype == OX_STRING || x->dtype == OX_COMPLEX64 || x->dtype == OX_COMPLEX128)
        return ox_kernel_no_type(r, x->dtype);
    const double *from = ox_as_doubles(r, x), *to = from ? interpolate_double(r, p, from) : NULL;
    if (!to) return -1;
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, to);
    return 0;
}

/* Axes of an input of so many dims with their tables; -1 after ox_fail(). */
static int read_plan(ox_run *r, plan *p, int rank, const int64_t *in) {
    int *axes, n;
    if (ox_resize_axes(r->call, rank, &axes, &n) < 0 || read_modes(r, p) < 0) return -1;
    p->rank = rank;
    p->in = in;
    p->axes = OX_NEW_N(r->arena, axis, rank + 1);
    for (int d = 0; d < rank; d++) p->axes[d] = (axis){.in = in[d], .out = in[d], .scale = 1, .end = 1, .num = 1, .den = 1};
    return read_sizes(r, p, axes, n) < 0 || read_roi(r, p, axes, n) < 0 ? -1 : 0;
}

/* ---- images in blocks of channels: a pixel is a vector; as planes, with rows of pixels. */

/* ROWS: room for PLANE_TAPS rows of the output. */
static void resize_pixels(const planes *s, const ox_plane *f, int64_t block, const float *x, float *y, float *rows) {
    int64_t held[PLANE_TAPS], n = s->w->out * block, in = s->w->in * block;
    const float *use[PLANE_TAPS];
    int taps = s->h->taps;
    for (int t = 0; t < PLANE_TAPS; t++) held[t] = -1;
    for (int64_t i = 0; i < s->h->out; i++, y += n) {
        for (int t = 0; t < taps; t++) {
            int64_t row = s->h->index[i * taps + t], place = row % taps;
            use[t] = rows + place * n;
            if (held[place] == row || (s->mixing && s->mixing[i * taps + t] == 0)) continue;
            held[place] = row;
            f->weigh_pixels(rows + place * n, x + row * in, s->at, s->weight, s->w->taps, s->w->out, block);
        }
        if (s->mixing)
            f->mix(y, use, s->mixing + i * taps, taps, n);
        else
            memcpy(y, rows, (size_t)n * sizeof *y);
    }
}

int ox_run_resize_blocks(ox_run *r, const ox_tensor *x, int rank, int64_t channels) {
    plan p;
    bool one = rank == 3;
    const int64_t in[4] = {x->dims[0], channels, x->dims[one ? 3 : 2], x->dims[3]}, block = x->dims[4];
    axis none = {.in = 1, .out = 1, .scale = 1, .end = 1, .num = 1, .den = 1};
    if (read_plan(r, &p, rank, in) < 0) return -1;
    planes s = {.h = one ? &none : &p.axes[2], .w = &p.axes[rank - 1]};
    if (p.axes[0].out != in[0] || p.axes[1].out != channels) return ox_fail(r->ctx, OX_BAD_DATA, "batch or channels change");
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 5, (int64_t[]){in[0], x->dims[1], s.h->out, s.w->out, block});
    if (!y) return -1;
    if (!y->count) return 0;
    if (!x->count) return ox_fail(r->ctx, OX_BAD_DATA, "the input has no elements");
    if ((one && make_table(r, &p, &none) < 0) || (!one && make_table(r, &p, &p.axes[2]) < 0) || make_table(r, &p, &p.axes[rank - 1]) < 0) return -1;
    int64_t n = s.w->out, count = x->dims[0] * x->dims[1], area = s.h->in * s.w->in * block, out = s.h->out * n * block;
    int threads = ox_threads_for(r->ctx, y->count * s.h->taps);
    float *rows = ox_scratch(r, (uint64_t)(n * block) * PLANE_TAPS * (uint64_t)threads * sizeof *rows);
    if (plane_tables(r, &s, p.mode == NEAREST) < 0 || !rows) return -1;
    const ox_plane *f = ox_plane_table();
    const float *from = ox_tensor_data(x);
    float *to = ox_tensor_mut(y);
    if (!from) return -1;
    OX_EACH(threads, k, count, { resize_pixels(&s, f, block, from + k * area, to + k * out, rows + ox_thread_index() * n * block * PLANE_TAPS); });
    return 0;
}

int ox_run_resize(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    plan p;
    if (!x || read_plan(r, &p, x->rank, x->dims) < 0) return -1;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    for (int d = 0; d < x->rank; d++) dims[d] = p.axes[d].out;
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, dims);
    if (!y) return -1;
    if (!y->count) return 0;
    if (!x->count) return ox_fail(r->ctx, OX_BAD_DATA, "the input has no elements");
    for (int d = 0; d < x->rank; d++) {
        if (make_table(r, &p, &p.axes[d]) < 0) return -1;
    }
    if (x->rank == 0) return ox_output_share(r, 0, x, 0, NULL);
    if ((p.mode == NEAREST ? copy_nearest(r, &p, x, y) : interpolate(r, &p, x, y)) < 0) return -1;
    extrapolate(&p, y);
    return 0;
}
