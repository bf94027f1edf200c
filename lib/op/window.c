/* Geometry of sliding windows. Every number from a file is checked here, so that kernels may add and multiply
 * freely: after a successful ox_window_sizes() all positions, pads included, fit int64 with room to spare. */
#include "op/window.h"

#include <inttypes.h>
#include <string.h>

enum { SIZE_BITS = 40 }; /* no axis, kernel or pad is larger than 2^40: a product of two still fits */
#define SIZE_MAX_ ((int64_t)1 << SIZE_BITS)

const int64_t *ox_window_ints(ox_call *c, const char *name, int n, bool *failed) {
    int count;
    const int64_t *v = ox_get_ints(c, name, &count);
    if (!v || (count == 0 && n > 0)) return NULL;
    if (count == n) return v;
    ox_fail(c->ctx, OX_BAD_DATA, "attribute '%s' has %d numbers, but %d are needed", name, count, n);
    *failed = true;
    return NULL;
}

static int check_range(ox_ctx *ctx, const char *what, int n, const int64_t *v, int64_t min) {
    for (int d = 0; d < n; d++) {
        if (v[d] < min || v[d] > SIZE_MAX_)
            return ox_fail(ctx, OX_BAD_DATA, "%s %" PRId64 " of axis %d cannot be", what, v[d], d);
    }
    return 0;
}

static int read_auto_pad(ox_window *w, ox_call *c) {
    const char *text = ox_get_string(c, "auto_pad");
    w->pad = OX_PAD_GIVEN;
    if (!*text || !strcmp(text, "NOTSET")) return 0;
    w->pad = OX_PAD_VALID;
    if (!strcmp(text, "VALID")) return 0;
    w->pad = OX_PAD_UPPER;
    if (!strcmp(text, "SAME_UPPER")) return 0;
    w->pad = OX_PAD_LOWER;
    if (!strcmp(text, "SAME_LOWER")) return 0;
    return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'auto_pad' is '%s'", text);
}

static const int64_t *ones(ox_arena *arena, int n) {
    int64_t *v = OX_NEW_N(arena, int64_t, n + 1);
    for (int d = 0; d < n; d++) v[d] = 1;
    return v;
}

int ox_window_init(ox_window *w, ox_call *c, ox_arena *arena, int n, const int64_t *kernel) {
    bool failed = false;
    *w = (ox_window){.n = n, .ceil = ox_get_int(c, "ceil_mode") != 0};
    if (n < 1 || n > OX_WINDOW_AXES) return ox_fail(c->ctx, OX_BAD_DATA, "an input with %d spatial axes cannot be", n);
    if (read_auto_pad(w, c) < 0) return -1;
    const int64_t *given = ox_window_ints(c, "kernel_shape", n, &failed);
    w->kernel = kernel ? kernel : given;
    w->stride = ox_window_ints(c, "strides", n, &failed);
    w->dilation = ox_window_ints(c, "dilations", n, &failed);
    const int64_t *pads = ox_window_ints(c, "pads", 2 * n, &failed);
    if (failed) return -1;
    if (!w->kernel) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'kernel_shape' is missing");
    if (kernel && given && memcmp(kernel, given, (size_t)n * sizeof *kernel))
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'kernel_shape' is not the shape of the weights");
    if (!w->stride) w->stride = ones(arena, n);
    if (!w->dilation) w->dilation = ones(arena, n);
    w->begin = OX_NEW_N(arena, int64_t, 3 * n);
    w->end = w->begin + n;
    w->extent = w->end + n;
    if (pads && w->pad == OX_PAD_GIVEN) memcpy(w->begin, pads, 2 * (size_t)n * sizeof *pads);
    if (check_range(c->ctx, "kernel", n, w->kernel, 1) < 0 || check_range(c->ctx, "stride", n, w->stride, 1) < 0 ||
        check_range(c->ctx, "dilation", n, w->dilation, 1) < 0 || check_range(c->ctx, "pad", 2 * n, w->begin, 0) < 0)
        return -1;
    for (int d = 0; d < n; d++) {
        if (!ox_mul_ok(w->kernel[d] - 1, w->dilation[d], &w->extent[d]) || ++w->extent[d] > SIZE_MAX_)
            return ox_fail(c->ctx, OX_BAD_DATA, "the dilated kernel of axis %d is too large", d);
    }
    return 0;
}

static int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b > 0); }

/* Pads of SAME_UPPER and SAME_LOWER; an odd one goes to the end or to the beginning. */
static void split_pad(const ox_window *w, int d, int64_t total, bool more_at_begin) {
    if (total < 0) total = 0;
    w->begin[d] = more_at_begin ? total - total / 2 : total / 2;
    w->end[d] = total - w->begin[d];
}

static int axis_size(ox_ctx *ctx, const ox_window *w, int d, int64_t in, int64_t *out) {
    if (in < 0 || in > SIZE_MAX_) return ox_fail(ctx, OX_BAD_DATA, "spatial axis %d has size %" PRId64, d, in);
    int64_t s = w->stride[d];
    if (w->pad == OX_PAD_UPPER || w->pad == OX_PAD_LOWER) {
        *out = ceil_div(in, s);
        split_pad(w, d, in ? (*out - 1) * s + w->extent[d] - in : 0, w->pad == OX_PAD_LOWER);
        return 0;
    }
    int64_t room = in + w->begin[d] + w->end[d] - w->extent[d];
    if (room < 0 && in > 0)
        return ox_fail(ctx, OX_BAD_DATA,
                       "spatial axis %d: a window of %" PRId64 " is larger than the padded input of %" PRId64, d,
                       w->extent[d], in + w->begin[d] + w->end[d]);
    *out = room < 0 ? 0 : (w->ceil ? ceil_div(room, s) : room / s) + 1;
    if (w->ceil && *out > 1 && (*out - 1) * s >= in + w->begin[d]) --*out; /* the last window must start inside */
    return 0;
}

int ox_window_sizes(ox_ctx *ctx, ox_window *w, const int64_t *in, int64_t *out) {
    for (int d = 0; d < w->n; d++) {
        if (axis_size(ctx, w, d, in[d], &out[d]) < 0) return -1;
    }
    return 0;
}

ox_dim ox_window_dim(ox_ctx *ctx, const ox_window *w, int d, ox_dim in, bool *failed) {
    int64_t size, out;
    if (ox_dim_is_const(in, &size)) {
        if (axis_size(ctx, w, d, size, &out) == 0) return ox_dim_const(ctx, out);
        *failed = true;
        return NULL;
    }
    ox_dim s = ox_dim_const(ctx, w->stride[d]);
    if (w->pad == OX_PAD_UPPER || w->pad == OX_PAD_LOWER) return ox_dim_ceildiv(ctx, in, s);
    ox_dim room = ox_dim_addi(ctx, in, w->begin[d] + w->end[d] - w->extent[d]);
    if (!w->ceil || w->stride[d] == 1) return ox_dim_addi(ctx, ox_dim_floordiv(ctx, room, s), 1);
    ox_dim starts = ox_dim_ceildiv(ctx, ox_dim_addi(ctx, in, w->begin[d]), s);
    return ox_dim_min(ctx, ox_dim_addi(ctx, ox_dim_ceildiv(ctx, room, s), 1), starts);
}

/* ---- transposed */

int ox_window_spread_sizes(ox_ctx *ctx, ox_window *w, const int64_t *padding, const int64_t *shape, const int64_t *in,
                           int64_t *out) {
    if (padding && check_range(ctx, "output padding", w->n, padding, 0) < 0) return -1;
    if (shape && check_range(ctx, "output size", w->n, shape, 0) < 0) return -1;
    for (int d = 0; d < w->n; d++) {
        int64_t full;
        if (in[d] < 0 || in[d] > SIZE_MAX_ || !ox_mul_ok(w->stride[d], in[d] - 1, &full) || full > SIZE_MAX_)
            return ox_fail(ctx, OX_BAD_DATA, "spatial axis %d has size %" PRId64, d, in[d]);
        full += w->extent[d] + (padding ? padding[d] : 0);
        bool same = w->pad == OX_PAD_UPPER || w->pad == OX_PAD_LOWER;
        if (shape || same) {
            out[d] = shape ? shape[d] : in[d] * w->stride[d];
            split_pad(w, d, full - out[d], w->pad != OX_PAD_UPPER);
        } else {
            out[d] = full - w->begin[d] - w->end[d];
        }
        if (in[d] == 0 && !shape) out[d] = 0;
        if (out[d] < 0) return ox_fail(ctx, OX_BAD_DATA, "spatial axis %d: pads are larger than the output", d);
    }
    return 0;
}

ox_dim ox_window_spread_dim(ox_ctx *ctx, const ox_window *w, int d, int64_t padding, const int64_t *shape, ox_dim in) {
    if (shape) return ox_dim_const(ctx, shape[d]);
    ox_dim s = ox_dim_const(ctx, w->stride[d]);
    if (w->pad == OX_PAD_UPPER || w->pad == OX_PAD_LOWER) return ox_dim_mul(ctx, in, s);
    ox_dim spread = ox_dim_mul(ctx, ox_dim_addi(ctx, in, -1), s);
    return ox_dim_addi(ctx, spread, w->extent[d] + padding - w->begin[d] - w->end[d]);
}

/* ---- walking */

int ox_image_init(ox_ctx *ctx, ox_image *im, const ox_window *w, const int64_t *in, const int64_t *out) {
    *im = (ox_image){w->n, in, out, w->kernel, w->stride, w->dilation, w->begin, 1, 1, 1};
    bool ok = true;
    for (int d = 0; d < w->n; d++) {
        ok = ok && ox_mul_ok(im->in_size, in[d], &im->in_size) && ox_mul_ok(im->out_size, out[d], &im->out_size) &&
             ox_mul_ok(im->kernel_size, w->kernel[d], &im->kernel_size);
    }
    return ok ? 0 : ox_fail(ctx, OX_BAD_DATA, "the spatial axes are too large");
}

static int64_t clamp(int64_t v, int64_t hi) { return v < 0 ? 0 : v > hi ? hi : v; }

/* Which of the positions [0, run), where position 0 meets column START of a row, are inside the image. */
static void find_inside(const ox_image *im, int64_t start, int64_t run, int64_t *lo, int64_t *hi) {
    int64_t size = im->in[im->n - 1], step = im->stride[im->n - 1];
    *hi = clamp(start >= size ? 0 : ceil_div(size - start, step), run);
    *lo = clamp(start < 0 ? ceil_div(-start, step) : 0, *hi);
}

void ox_walk_init(ox_walk *k, const ox_image *im, int64_t kernel_position, int64_t first, int64_t count) {
    k->image = im;
    k->left = count;
    k->run = 0;
    for (int d = im->n - 1; d >= 0; d--) {
        k->offset[d] = kernel_position % im->kernel[d] * im->dilation[d] - im->begin[d];
        kernel_position /= im->kernel[d];
        k->at[d] = first % im->out[d];
        first /= im->out[d];
    }
    find_inside(im, k->offset[im->n - 1], im->out[im->n - 1], &k->full_lo, &k->full_hi);
}

bool ox_walk_next(ox_walk *k) {
    const ox_image *im = k->image;
    int last = im->n - 1;
    k->left -= k->run;
    k->at[last] += k->run;
    for (int d = last; d > 0 && k->at[d] == im->out[d]; d--) {
        k->at[d] = 0;
        k->at[d - 1]++;
    }
    if (k->left <= 0) return false;
    k->run = im->out[last] - k->at[last] < k->left ? im->out[last] - k->at[last] : k->left;
    k->row = 0;
    for (int d = 0; d < last; d++) {
        int64_t at = k->at[d] * im->stride[d] + k->offset[d];
        if (at < 0 || at >= im->in[d]) {
            k->row = -1;
            k->lo = k->hi = k->run;
            return true;
        }
        k->row = (k->row + at) * im->in[d + 1];
    }
    int64_t start = k->at[last] * im->stride[last] + k->offset[last];
    k->lo = k->full_lo;
    k->hi = k->full_hi;
    if (k->run != im->out[last]) find_inside(im, start, k->run, &k->lo, &k->hi);
    k->first = start + k->lo * im->stride[last];
    return true;
}
