/* Kernels of Conv and ConvTranspose for any number of spatial axes: matrix products over unfolded tiles, direct
 * loops for depthwise convolutions, plain products for 1x1. float16 and bfloat16 are computed in float and rounded
 * once. */
#include "op/blas.h"
#include "op/compute.h"
#include "op/conv_fast.h"
#include "op/sliced.h"
#include "op/window.h"

typedef ox_conv_job conv;

/* Elements of an unfolded tile, and output positions of it at least: the first stays near the caches. */
static const struct { const char *name; int64_t elements, least; } tiles[] = {
    {"unfold-512k", 1 << 19, 64}, {"unfold-128k", 1 << 17, 64}, {"unfold-32k", 1 << 15, 32}, {"unfold-2m", 1 << 21, 64}, {"unfold-8k", 1 << 13, 8},
};
enum { TILES = sizeof tiles / sizeof *tiles };

/* Room for a tile of *COLUMNS output positions, ROWS elements each; NULL after ox_fail(). */
static void *tile_room(ox_run *r, int64_t positions, int64_t rows, size_t element, int64_t *columns) {
    ox_candidate list[TILES];
    int64_t n[TILES], bytes;
    int count = 0;
    for (int i = 0; i < TILES; i++) {
        n[count] = rows > 0 ? tiles[i].elements / rows / tiles[i].least * tiles[i].least : positions;
        if (n[count] < tiles[i].least) n[count] = tiles[i].least;
        if (n[count] > positions) n[count] = positions;
        bool same = false;
        for (int k = 0; k < count; k++) same |= n[k] == n[count];
        if (same || !ox_mul_ok(rows, n[count], &bytes) || !ox_mul_ok(bytes, (int64_t)element, &bytes)) continue;
        list[count++] = (ox_candidate){tiles[i].name, (uint64_t)(bytes > 0 ? bytes : 1)};
    }
    if (!count) {
        ox_fail(r->ctx, OX_NO_MEMORY, "the convolution is too large");
        return NULL;
    }
    void *room;
    int taken = ox_choose(r, list, count, &room);
    if (taken < 0) return NULL;
    *columns = n[taken];
    return room;
}

/* A convolution without unfolding: see conv_real.h. */
typedef struct direct {
    int64_t channels, depth;         /* output channels of a group; products per output element */
    int64_t plane;                   /* elements of a padded plane */
    int64_t stride[OX_WINDOW_AXES];  /* of its axes */
    const int64_t *offset; /* where in the padded group the elements lie that meet position 0: depth numbers */
} direct;

enum { ROWS = 4, DIRECT_CHANNELS = 32, DIRECT_COLUMNS = 8 };
#define LANES ((int64_t)(64 / sizeof(REAL))) /* two vectors */

/* Is it better not to unfold? When a product would have few rows, columns lie next to each other, and pads are not
 * most of the image. */
static bool is_direct(ox_run *r, const conv *v, direct *d) {
    const ox_image *im = &v->image;
    int last = im->n - 1;
    int64_t c = v->in_channels / v->groups, at = 1;
    *d = (direct){.channels = v->out_channels / v->groups, .depth = c * im->kernel_size};
    if (v->pointwise || d->channels > DIRECT_CHANNELS || im->stride[last] != 1 || im->out[last] < DIRECT_COLUMNS ||
        !d->depth || !im->in_size)
        return false;
    for (int k = last; k >= 0; k--) { /* room for the last window of every axis and for the pads before it */
        int64_t need = (im->out[k] - 1) * im->stride[k] + (im->kernel[k] - 1) * im->dilation[k] + 1,
                have = im->in[k] + im->begin[k];
        d->stride[k] = at;
        if (!ox_mul_ok(at, need > have ? need : have, &at)) return false;
    }
    d->plane = at;
    if (d->plane > 4 * im->in_size + 4096) return false;
    int64_t *offset = OX_NEW_N(r->arena, int64_t, d->depth);
    for (int64_t p = 0; p < d->depth; p++) {
        int64_t rest = p % im->kernel_size;
        offset[p] = p / im->kernel_size * d->plane;
        for (int k = last; k >= 0; k--) {
            offset[p] += rest % im->kernel[k] * im->dilation[k] * d->stride[k];
            rest /= im->kernel[k];
        }
    }
    d->offset = offset;
    return true;
}

enum { TAPS = 4, PART = 512 };

#define REAL float
#define R(name) name##_float
#define GEMM ox_sgemm
#include "op/conv_real.h"
#undef REAL
#undef R
#undef GEMM
#define REAL double
#define R(name) name##_double
#define GEMM ox_dgemm
#include "op/conv_real.h"
#undef REAL
#undef R
#undef GEMM

/* Reads what Conv and ConvTranspose have in common. Weights are [out, in / group, kernel] or, transposed, [in, out /
 * group, kernel]. */
static int read_conv(ox_run *r, conv *v, ox_window *w, bool transposed) {
    const ox_tensor *x = ox_need(r, 0), *k = ox_need(r, 1), *b = ox_input(r, 2);
    if (!x || !k || !ox_ok_float(r, x)) return -1;
    if (k->dtype != x->dtype || (b && b->dtype != x->dtype))
        return ox_fail(r->ctx, OX_BAD_DATA, "inputs have different element types");
    if (x->rank < 3 || k->rank != x->rank)
        return ox_fail(r->ctx, OX_BAD_DATA, "an input of rank %d and weights of rank %d do not go together", x->rank,
                       k->rank);
    v->groups = ox_get_int(r->call, "group");
    v->batch = x->dims[0];
    v->in_channels = x->dims[1];
    if (v->groups < 1 || v->in_channels % v->groups || k->dims[0] % v->groups)
        return ox_fail(r->ctx, OX_BAD_DATA,
                       "%" PRId64 " channels and %" PRId64 " rows of weights cannot be cut into %" PRId64 " groups",
                       v->in_channels, k->dims[0], v->groups);
    if (!transposed && k->dims[1] != v->in_channels / v->groups)
        return ox_fail(r->ctx, OX_BAD_DATA, "weights are for %" PRId64 " channels in a group, the input has %" PRId64,
                       k->dims[1], v->in_channels / v->groups);
    if (transposed && k->dims[0] != v->in_channels)
        return ox_fail(r->ctx, OX_BAD_DATA, "weights are for %" PRId64 " channels, the input has %" PRId64, k->dims[0],
                       v->in_channels);
    if (!transposed)
        v->out_channels = k->dims[0];
    else if (!ox_mul_ok(k->dims[1], v->groups, &v->out_channels))
        return ox_fail(r->ctx, OX_BAD_DATA, "too many groups");
    if (b && (b->rank != 1 || b->dims[0] != v->out_channels))
        return ox_fail(r->ctx, OX_BAD_DATA, "the bias must have %" PRId64 " elements", v->out_channels);
    return ox_window_init(w, r->call, r->arena, x->rank - 2, k->dims + 2);
}

static bool is_pointwise(const ox_window *w) {
    for (int d = 0; d < w->n; d++) {
        if (w->kernel[d] != 1 || w->stride[d] != 1 || w->begin[d] || w->end[d]) return false;
    }
    return true;
}

/* The part after the geometry: operands in the type of computation, then either way. */
static int compute(ox_run *r, const conv *v, ox_tensor *y, bool transposed, bool sliced) {
    const ox_tensor *x = ox_input(r, 0), *k = ox_input(r, 1), *b = ox_input(r, 2);
    if (ox_is_double(x)) {
        const double *xd = ox_tensor_data(x), *kd = ox_tensor_data(k), *bd = b ? ox_tensor_data(b) : NULL;
        if (!xd || !kd || (b && !bd)) return -1;
        return transposed ? spread_double(r, v, xd, kd, bd, ox_tensor_mut(y))
                          : convolve_double(r, v, xd, kd, bd, ox_tensor_mut(y));
    }
    const float *xf = ox_as_floats(r, x), *bf = b ? ox_as_floats(r, b) : NULL;
    float *yf = ox_floats_of(r, y);
    if (!xf || !yf || (b && !bf)) return -1;
    int done = sliced ? 0 : transposed ? ox_conv_spread_fast(r, v, xf, bf, yf) : ox_conv_fast(r, v, xf, bf, yf);
    const float *kf = done ? NULL : ox_as_floats(r, k);
    if (done < 0 || (!done && !kf)) return -1;
    if (!done && (transposed ? spread_float(r, v, xf, kf, bf, yf) : convolve_float(r, v, xf, kf, bf, yf)) < 0) return -1;
    ox_floats_done(r, y, yf);
    return 0;
}

static ox_tensor *conv_output(ox_run *r, const conv *v, const int64_t *spatial, int n) {
    int64_t *dims = OX_NEW_N(r->arena, int64_t, n + 2);
    dims[0] = v->batch;
    dims[1] = v->out_channels;
    memcpy(dims + 2, spatial, (size_t)n * sizeof *dims);
    return ox_output(r, 0, ox_input(r, 0)->dtype, n + 2, dims);
}

static int conv_by(ox_run *r, bool sliced) {
    conv v;
    ox_window w;
    if (read_conv(r, &v, &w, false) < 0) return -1;
    const int64_t *in = ox_input(r, 0)->dims + 2;
    int64_t *out = OX_NEW_N(r->arena, int64_t, w.n);
    if (ox_window_sizes(r->ctx, &w, in, out) < 0) return -1;
    ox_tensor *y = conv_output(r, &v, out, w.n);
    if (!y) return -1;
    if (!y->count) return 0;
    if (ox_image_init(r->ctx, &v.image, &w, in, out) < 0) return -1;
    v.pointwise = is_pointwise(&w);
    return compute(r, &v, y, false, sliced);
}

int ox_run_conv(ox_run *r) { return conv_by(r, false); }
int ox_run_conv_sliced(ox_run *r) { return conv_by(r, true); }

int ox_run_conv_transpose(ox_run *r) {
    conv v;
    ox_window w;
    bool failed = false;
    if (read_conv(r, &v, &w, true) < 0) return -1;
    const int64_t *padding = ox_window_ints(r->call, "output_padding", w.n, &failed);
    const int64_t *shape = ox_window_ints(r->call, "output_shape", w.n, &failed);
    const int64_t *in = ox_input(r, 0)->dims + 2;
    int64_t *out = OX_NEW_N(r->arena, int64_t, w.n);
    if (failed || ox_window_spread_sizes(r->ctx, &w, padding, shape, in, out) < 0) return -1;
    ox_tensor *y = conv_output(r, &v, out, w.n);
    if (!y) return -1;
    if (!y->count) return 0;
    if (ox_image_init(r->ctx, &v.image, &w, out, in) < 0) return -1;
    v.pointwise = false;
    return compute(r, &v, y, true, false);
}
