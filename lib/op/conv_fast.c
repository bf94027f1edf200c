/* Convolutions of floats by the kernels of lib/cpu, for calls that the frame does not lower: weights that are computed, narrower floats,
 * transposed convolutions.
 *
 * Windows of one channel along one axis are rows of a matrix whose rows overlap: that is one product. Everything else goes through channel blocks: the
 * image is brought there and the result back. A transposed convolution of stride S is one convolution for each of the S * S places that
 * an output position can have between two input positions; it takes every S-th weight, in the opposite order. Packed weights are kept between runs
 * when they are the same in each. */
#include "op/conv_fast.h"
#include "cpu/conv.h"
#include "cpu/gemm.h"
#include "cpu/vec.h"
#include "op/compute.h"

enum { LEAST_WINDOW = 16, LEAST_WORK = 1 << 12, MOST_STRIDE = 4 };

/* ---- packed weights */

typedef struct kept_weights {
    uint64_t floats;
    _Alignas(64) float packed[];
} kept_weights;

/* Room for packed weights; *ready: they are there from an earlier run. NULL after ox_fail(). */
static float *packed_room(ox_run *r, uint64_t floats, bool *ready) {
    ox_kept *k = r->kept;
    *ready = false;
    if (!k || !(k->fixed & 2)) return ox_scratch(r, floats * sizeof(float));
    kept_weights *w = k->data;
    if (w && w->floats == floats) {
        *ready = true;
        return w->packed;
    }
    if (w) return ox_scratch(r, floats * sizeof(float)); /* another form of the same weights: sizes of the image decided otherwise */
    if (floats > (SIZE_MAX - sizeof *w) / sizeof(float)) {
        ox_fail(r->ctx, OX_NO_MEMORY, "weights are too large");
        return NULL;
    }
    w = ox_payload_alloc(r->ctx, sizeof *w + (size_t)floats * sizeof(float));
    if (!w) return NULL;
    w->floats = floats;
    k->data = w;
    k->free = ox_payload_free;
    return w->packed;
}

/* ---- windows of one channel */

static bool is_one_row(const ox_conv_job *v) {
    const ox_image *im = &v->image;
    int last = im->n - 1;
    if (v->groups != 1 || v->in_channels != 1 || im->dilation[last] != 1 || im->kernel[last] < LEAST_WINDOW) return false;
    for (int d = 0; d < last; d++)
        if (im->kernel[d] != 1 || im->begin[d] || im->stride[d] != 1 || im->in[d] != im->out[d] || im->in[d] != 1) return false;
    return true;
}

static bool is_kept(const ox_run *r, const float *packed) {
    return packed && r->kept && r->kept->data == (const char *)packed - offsetof(kept_weights, packed);
}

/* The weights as floats, to be packed into PACKED now; NULL after ox_fail(). */
static const float *weights_for(ox_run *r, const float *packed) {
    r->once = is_kept(r, packed);
    const float *w = ox_as_floats(r, ox_input(r, 1));
    r->once = false;
    return w;
}

/* Packed weights that could not be made do not stay. */
static int forget_packed(ox_run *r, const float *packed) {
    if (is_kept(r, packed)) {
        ox_payload_free(r->kept->data);
        r->kept->data = NULL;
    }
    return -1;
}

/* y[channel][t] = sum over k of x[t * stride + k] * w[channel][k]: computed with t down the rows, so that the weights can be packed once. */
static int windows(ox_run *r, const ox_conv_job *v, const float *x, const float *bias, float *y) {
    const ox_image *im = &v->image;
    int last = im->n - 1, threads = ox_thread_count(r->ctx);
    int64_t n = im->out_size, k = im->kernel[last], step = im->stride[last], pad = im->begin[last], m = v->out_channels, reach;
    uint64_t bytes = ox_gemm_packed_bytes(m, k);
    if (!ox_mul_ok(n - 1, step, &reach) || reach > INT64_MAX / 8 - k || bytes == UINT64_MAX) return 0;
    reach += k;
    bool ready;
    float *packed = packed_room(r, bytes / sizeof(float) + 1, &ready), *padded = NULL;
    const float *w = packed && !ready ? weights_for(r, packed) : NULL;
    if (!packed || (!ready && !w)) return forget_packed(r, packed);
    if (!ready) ox_gemm_pack(threads, true, m, k, w, k, packed);
    float *rows = ox_scratch(r, (uint64_t)(n * m) * sizeof *rows); /* as many as the output has at most */
    if (!rows) return -1;
    if (pad || reach > im->in_size) {
        if (!(padded = ox_scratch(r, (uint64_t)reach * sizeof *padded))) return -1;
        memset(padded, 0, (size_t)reach * sizeof *padded);
    }
    for (int64_t b = 0; b < v->batch; b++) {
        const float *from = x + b * im->in_size;
        int64_t have = im->in_size < reach - pad ? im->in_size : reach - pad;
        if (padded && have > 0) memcpy(padded + pad, from, (size_t)have * sizeof *from);
        ox_gemm_packed(threads, false, n, m, k, 1, padded ? padded : from, step, packed, bias, NULL, rows, m);
        ox_permute(threads, sizeof *rows, 2, (int64_t[]){n, m}, (int64_t[]){1, 0}, rows, y + b * m * n);
    }
    return 1;
}

/* ---- blocks of channels */

static bool describe(const ox_conv_job *v, ox_conv *c) {
    const ox_image *im = &v->image;
    int last = im->n - 1, one = im->n == 1;
    if (im->n > 2) return false;
    *c = (ox_conv){.batch = v->batch, .groups = v->groups, .in_channels = v->in_channels, .out_channels = v->out_channels,
                   .in_h = one ? 1 : im->in[0], .in_w = im->in[last], .out_h = one ? 1 : im->out[0], .out_w = im->out[last],
                   .kernel_h = one ? 1 : im->kernel[0], .kernel_w = im->kernel[last], .stride_h = one ? 1 : im->stride[0], .stride_w = im->stride[last],
                   .dilation_h = one ? 1 : im->dilation[0], .dilation_w = im->dilation[last], .pad_top = one ? 0 : im->begin[0], .pad_left = im->begin[last]};
    return true;
}

/* Floats of N images of C channels in blocks, for sizes that a tensor has; UINT64_MAX when that is too much. */
static uint64_t blocked_floats(int64_t n, int64_t c, int64_t h, int64_t w) {
    int64_t block = ox_conv_block(), f = (c + block - 1) / block * block;
    return ox_mul_ok(f, n, &f) && ox_mul_ok(f, h, &f) && ox_mul_ok(f, w, &f) && f < INT64_MAX / 8 ? (uint64_t)f : UINT64_MAX;
}

typedef struct blocks {
    float *x, *y, *bias, *scratch;
    bool through; /* the output comes in blocks to y first */
} blocks;

/* Scratch memory for a convolution whose input is not (or, when it may be planar, is) in blocks. 1: there; 0: too large; -1 after ox_fail(). */
static int make_room(ox_run *r, const ox_conv *c, ox_conv_form form, const float *bias, blocks *b) {
    uint64_t in = form == OX_CONV_PLANAR ? 1 : blocked_floats(c->batch, c->in_channels, c->in_h, c->in_w),
             out = blocked_floats(c->batch, c->out_channels, c->out_h, c->out_w), bytes = ox_conv_scratch_bytes(c, form);
    uint64_t channels = blocked_floats(1, c->out_channels, 1, 1);
    if (in == UINT64_MAX || out == UINT64_MAX || channels == UINT64_MAX) return 0;
    if (!b->x && !(b->x = ox_scratch(r, in * sizeof(float)))) return -1;
    b->y = b->through ? ox_scratch(r, out * sizeof(float)) : NULL;
    b->bias = bias ? ox_scratch(r, channels * sizeof(float)) : NULL;
    b->scratch = bytes ? ox_scratch(r, bytes) : NULL;
    if ((b->through && !b->y) || (bias && !b->bias) || (bytes && !b->scratch)) return -1;
    if (bias) {
        memset(b->bias, 0, (size_t)channels * sizeof(float));
        memcpy(b->bias, bias, (size_t)c->out_channels * sizeof(float));
    }
    return 1;
}

/* Planes at Y from an image in blocks, or planar where the form takes that. */
static void convolve(int threads, ox_conv c, ox_conv_form form, const float *x, const float *packed, const blocks *b, float *y) {
    c.planar_out = !b->through;
    ox_conv_run(threads, &c, form, x, packed, b->bias, NULL, b->through ? b->y : y, b->scratch);
    if (b->through) ox_image_unblock(threads, c.batch, c.out_channels, c.out_h * c.out_w, b->y, y);
}

static int in_blocks(ox_run *r, const ox_conv *c, ox_conv_form form, const float *x, const float *bias, float *y) {
    blocks b = {.through = !ox_conv_writes_planar(c, form)};
    bool ready;
    int threads = ox_thread_count(r->ctx), ok = make_room(r, c, form, bias, &b);
    if (ok <= 0) return ok;
    float *packed = packed_room(r, ox_conv_packed_floats(c, form), &ready);
    const float *w = packed && !ready ? weights_for(r, packed) : NULL;
    if (!packed || (!ready && !w)) return forget_packed(r, packed);
    if (!ready) ox_conv_pack(c, form, w, NULL, packed, threads);
    if (form != OX_CONV_PLANAR) ox_image_block(threads, c->batch, c->in_channels, c->in_h * c->in_w, x, b.x);
    convolve(threads, *c, form, form == OX_CONV_PLANAR ? x : b.x, packed, &b, y);
    return 1;
}

/* Multiplications, as a measure of whether bringing an image into blocks pays. */
static bool pays(const ox_conv_job *v) {
    double depth = (double)(v->in_channels / v->groups) * (double)v->image.kernel_size;
    return depth >= 8 && depth * (double)v->out_channels * (double)v->image.out_size >= LEAST_WORK;
}

int ox_conv_fast(ox_run *r, const ox_conv_job *v, const float *x, const float *bias, float *y) {
    ox_conv c;
    if (!v->image.in_size || !v->in_channels || !v->batch) return 0;
    if (is_one_row(v)) return windows(r, v, x, bias, y);
    if (v->pointwise || !pays(v) || !describe(v, &c)) return 0;
    ox_conv_form form = ox_conv_form_of(&c);
    return form == OX_CONV_NONE ? 0 : in_blocks(r, &c, form, x, bias, y);
}

/* ---- transposed */

/* One of the places between input positions along an axis: output positions first, first + stride, ... (count of them) take taps of the kernel
 * offset, offset + stride, ...; pad: as of a convolution. */
typedef struct phase { int64_t first, count, offset, taps, pad; } phase;

/* SIZE: of the output. False: a pad would be negative. */
static bool find_phase(int64_t place, int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t begin, phase *p) {
    int64_t skip = begin > place ? (begin - place + stride - 1) / stride : 0; /* input positions before that of the first output */
    p->offset = place;
    p->first = place + skip * stride - begin;
    p->count = size > p->first ? (size - p->first + stride - 1) / stride : 0;
    p->taps = stride == 1 ? kernel : kernel > place ? (kernel - place + stride - 1) / stride : 0;
    p->pad = (p->taps - 1) * dilation - skip;
    return !p->taps || p->pad >= 0;
}

/* Weights of a phase, [in][out / groups][kernel] to [out][in / groups][taps], taps from the last to the first. */
static void phase_weights(const ox_conv_job *v, const phase *ph, const phase *pw, int64_t sh, int64_t sw, const float *w, float *to) {
    const ox_image *im = &v->image;
    int64_t kw = im->kernel[im->n - 1], in = v->in_channels / v->groups, out = v->out_channels / v->groups;
    for (int64_t m = 0; m < v->out_channels; m++)
        for (int64_t i = 0; i < in; i++) {
            const float *from = w + ((m / out * in + i) * out + m % out) * im->kernel_size;
            for (int64_t a = ph->taps - 1; a >= 0; a--)
                for (int64_t b = pw->taps - 1; b >= 0; b--) *to++ = from[(ph->offset + a * sh) * kw + pw->offset + b * sw];
        }
}

/* Planes of a phase to their places. */
static void put_phase(const ox_conv *c, const phase *ph, const phase *pw, int64_t sh, int64_t sw, int64_t height, int64_t width, const float *from, float *y) {
    int64_t planes = c->batch * c->out_channels;
    for (int64_t i = 0; i < planes * ph->count; i++) {
        float *to = y + (i / ph->count * height + ph->first + i % ph->count * sh) * width + pw->first;
        const float *row = from + i * pw->count;
        if (sw == 1)
            memcpy(to, row, (size_t)pw->count * sizeof *row);
        else if (sw == 2)
            for (int64_t j = 0; j < pw->count; j++) to[2 * j] = row[j];
        else
            for (int64_t j = 0; j < pw->count; j++) to[j * sw] = row[j];
    }
}

/* The same for two phases that alternate along a row: FIRST holds the even places. */
static void zip_phases(const ox_conv *c, const phase *ph, int64_t sh, int64_t height, int64_t width, const float *first, const float *second, float *y) {
    int64_t planes = c->batch * c->out_channels, pairs = width / 2, even = width - pairs;
    for (int64_t i = 0; i < planes * ph->count; i++) {
        float *restrict to = y + (i / ph->count * height + ph->first + i % ph->count * sh) * width;
        const float *restrict a = first + i * even, *restrict b = second + i * pairs;
        for (int64_t j = 0; j < pairs; j++) {
            to[2 * j] = a[j];
            to[2 * j + 1] = b[j];
        }
        if (even > pairs) to[2 * pairs] = a[pairs];
    }
}

typedef struct spread_plan {
    ox_conv c[MOST_STRIDE * MOST_STRIDE]; /* one per phase, row by row */
    phase h[MOST_STRIDE], w[MOST_STRIDE];
    int64_t sh, sw, height, width;
    uint64_t packed[MOST_STRIDE * MOST_STRIDE + 1]; /* where their weights begin */
} spread_plan;

/* False: not served. A phase without taps has no convolution: its output is the bias. */
static bool plan_spread(const ox_conv_job *v, spread_plan *s) {
    const ox_image *im = &v->image;
    ox_conv all;
    if (!describe(v, &all)) return false;
    s->sh = all.stride_h;
    s->sw = all.stride_w;
    s->height = all.in_h;
    s->width = all.in_w;
    if (all.pad_top < 0 || all.pad_left < 0) return false; /* an output_shape that is larger than what the windows cover */
    if (s->sh > MOST_STRIDE || s->sw > MOST_STRIDE || (s->sh > 1 && all.dilation_h > 1) || (s->sw > 1 && all.dilation_w > 1)) return false;
    for (int64_t i = 0; i < s->sh; i++)
        if (!find_phase(i, s->height, all.kernel_h, s->sh, all.dilation_h, all.pad_top, &s->h[i])) return false;
    for (int64_t i = 0; i < s->sw; i++)
        if (!find_phase(i, s->width, all.kernel_w, s->sw, all.dilation_w, im->begin[im->n - 1], &s->w[i])) return false;
    s->packed[0] = 0;
    for (int64_t i = 0; i < s->sh * s->sw; i++) {
        const phase *h = &s->h[i / s->sw], *w = &s->w[i % s->sw];
        s->c[i] = all;
        s->c[i].in_h = all.out_h; /* the other way round */
        s->c[i].in_w = all.out_w;
        s->c[i].out_h = h->count;
        s->c[i].out_w = w->count;
        s->c[i].kernel_h = h->taps;
        s->c[i].kernel_w = w->taps;
        s->c[i].stride_h = s->c[i].stride_w = 1;
        s->c[i].pad_top = h->pad;
        s->c[i].pad_left = w->pad;
        s->packed[i + 1] = s->packed[i];
        if (!h->taps || !w->taps || !h->count || !w->count) continue;
        ox_conv_form form = ox_conv_form_of(&s->c[i]);
        if (form == OX_CONV_NONE) return false;
        if (form == OX_CONV_PLANAR) form = OX_CONV_BLOCKED;
        s->packed[i + 1] += ox_conv_packed_floats(&s->c[i], form);
    }
    return true;
}

static ox_conv_form spread_form(const ox_conv *c) {
    ox_conv_form form = ox_conv_form_of(c);
    return form == OX_CONV_PLANAR ? OX_CONV_BLOCKED : form; /* the input is in blocks for all phases */
}

static int pack_phases(ox_run *r, const ox_conv_job *v, const spread_plan *s, float *packed) {
    const ox_tensor *k = ox_input(r, 1);
    r->once = is_kept(r, packed);
    const float *w = ox_as_floats(r, k);
    float *one = w ? ox_scratch(r, (uint64_t)k->count * sizeof *one) : NULL;
    r->once = false;
    if (!one) return -1;
    for (int64_t i = 0; i < s->sh * s->sw; i++) {
        if (s->packed[i] == s->packed[i + 1]) continue;
        phase_weights(v, &s->h[i / s->sw], &s->w[i % s->sw], s->sh, s->sw, w, one);
        ox_conv_pack(&s->c[i], spread_form(&s->c[i]), one, NULL, packed + s->packed[i], ox_thread_count(r->ctx));
    }
    return 0;
}

static void fill_empty(const ox_conv *c, const float *bias, float *planar) {
    int64_t size = c->out_h * c->out_w;
    for (int64_t i = 0; i < c->batch * c->out_channels; i++)
        for (int64_t j = 0; j < size; j++) planar[i * size + j] = bias ? bias[i % c->out_channels] : 0;
}

static int run_phases(ox_run *r, const spread_plan *s, const float *packed, const float *x, const float *bias, float *y) {
    int threads = ox_thread_count(r->ctx);
    int64_t phases = s->sh * s->sw;
    const ox_conv *c = &s->c[0];
    uint64_t in = blocked_floats(c->batch, c->in_channels, c->in_h, c->in_w), bytes = 0;
    ox_conv most = *c;
    blocks b = {0};
    for (int64_t i = 0; i < s->sh; i++) most.out_h = s->h[i].count > most.out_h ? s->h[i].count : most.out_h;
    for (int64_t i = 0; i < s->sw; i++) most.out_w = s->w[i].count > most.out_w ? s->w[i].count : most.out_w;
    for (int64_t i = 0; i < phases; i++) {
        if (s->packed[i] == s->packed[i + 1]) continue;
        ox_conv_form form = spread_form(&s->c[i]);
        uint64_t need = ox_conv_scratch_bytes(&s->c[i], form);
        bytes = need > bytes ? need : bytes;
        b.through |= !ox_conv_writes_planar(&s->c[i], form);
    }
    int ok = in == UINT64_MAX ? 0 : (b.x = ox_scratch(r, in * sizeof(float))) ? make_room(r, &most, OX_CONV_BLOCKED, bias, &b) : -1;
    float *planar = y;
    if (ok <= 0) return ok;
    if (bytes) b.scratch = ox_scratch(r, bytes);
    uint64_t room = (uint64_t)(c->batch * c->out_channels * most.out_h * most.out_w); /* at most that of the output */
    bool zip = s->sw == 2 && s->w[0].count + s->w[1].count == s->width && s->w[0].first + s->w[1].first == 1;
    if (phases > 1) planar = ox_scratch(r, room * sizeof(float));
    float *other = zip ? ox_scratch(r, room * sizeof(float)) : planar;
    if (!planar || !other || (bytes && !b.scratch)) return -1;
    ox_image_block(threads, c->batch, c->in_channels, c->in_h * c->in_w, x, b.x);
    for (int64_t i = 0; i < phases; i++) {
        const phase *ph = &s->h[i / s->sw];
        float *to = i % s->sw ? other : planar;
        c = &s->c[i];
        if (c->out_h && c->out_w && s->packed[i] == s->packed[i + 1]) {
            fill_empty(c, bias, to);
        } else if (c->out_h && c->out_w) {
            convolve(threads, *c, spread_form(c), b.x, packed + s->packed[i], &b, to);
        }
        if (zip && i % 2 && ph->count) zip_phases(c, ph, s->sh, s->height, s->width, s->w[0].first ? other : planar, s->w[0].first ? planar : other, y);
        if (phases > 1 && !zip && c->out_h && c->out_w) put_phase(c, &s->h[i / s->sw], &s->w[i % s->sw], s->sh, s->sw, s->height, s->width, planar, y);
    }
    return 1;
}

/* One kernel position, nothing moved: a product per image and group. */
static int spread_points(ox_run *r, const ox_conv_job *v, const float *x, const float *bias, float *y) {
    int64_t n = v->image.out_size, c = v->in_channels / v->groups, m = v->out_channels / v->groups;
    const float *w = ox_as_floats(r, ox_input(r, 1));
    if (!w) return -1;
    for (int64_t i = 0; i < v->batch * v->groups; i++) {
        int64_t g = i % v->groups;
        float *to = y + i * m * n;
        for (int64_t k = 0; bias && k < m; k++)
            for (int64_t j = 0; j < n; j++) to[k * n + j] = bias[g * m + k];
        ox_gemm(ox_thread_count(r->ctx), true, false, m, n, c, 1, w + g * c * m, m, x + i * c * n, n, bias != NULL, NULL, NULL, to, n);
    }
    return 1;
}

int ox_conv_spread_fast(ox_run *r, const ox_conv_job *v, const float *x, const float *bias, float *y) {
    const ox_image *im = &v->image;
    spread_plan s;
    bool ready, point = im->kernel_size == 1;
    if (!im->in_size || !im->out_size || !v->in_channels || !v->batch) return 0;
    for (int d = 0; d < im->n; d++) point = point && im->stride[d] == 1 && !im->begin[d] && im->in[d] == im->out[d];
    if (point) return spread_points(r, v, x, bias, y);
    if (!plan_spread(v, &s)) return 0;
    float *packed = packed_room(r, s.packed[s.sh * s.sw] + 1, &ready);
    if (!packed) return -1;
    if (!ready && pack_phases(r, v, &s, packed)) return forget_packed(r, packed);
    return run_phases(r, &s, packed, x, bias, y);
}
