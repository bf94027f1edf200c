/* Convolutions of 8-bit integers. A general one is a product whose rows are pixels: a row of A is the window, which lies in the padded
 * image by pixels as one piece per row of the kernel, and is read there. Depthwise ones have a kernel of their own. What weights
 * less their zero points do not fit in a signed byte are split in two (255: three), and the window is passed over as often. */
#include "cpu/qconv.h"
#include "cpu/qint.h"

#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

extern const ox_qconv_kernels ox_qconv_kernels_plain, ox_qconv_kernels_avx2, ox_qconv_kernels_avx512,
    ox_qconv_kernels_vnni;

const ox_qconv_kernels *ox_qconv_kernels_now(void) {
#if defined(__x86_64__)
    switch (ox_qset_now()) {
    case OX_QSET_VNNI:
        return &ox_qconv_kernels_vnni;
    case OX_QSET_AVX512:
        return &ox_qconv_kernels_avx512;
    case OX_QSET_AVX2:
        return &ox_qconv_kernels_avx2;
    default:
        break;
    }
#endif
    return &ox_qconv_kernels_plain;
}

static int thread_number(void) {
#if defined(_OPENMP)
    return omp_get_thread_num();
#else
    return 0;
#endif
}

enum { PASSES = 3 };                            /* at most */
enum { BUFFER = OX_QROWS_MAX * PANEL_MAX * 4 }; /* of a thread: results by pixels before they go to planes */

static bool depthwise(const ox_qconv *c) { return c->in_ch == 1 && c->out_ch == 1 && c->groups > 1; }

/* ------------------------------------------------------------------------------------------------ packing */

typedef struct packed_head {
    int64_t passes; /* more than 1: weights are split */
    int64_t groups; /* groups of k (taps) in all passes */
    int64_t bytes;  /* from one group of channels to the next: head of sums, panels */
} packed_head;

/* Which tap of a depthwise kernel stands in a slot of the groups of a pass; -1: none. Groups are columns of a 3x3 kernel where a group
 * has room for one (neighbours share them then), else taps in their order. */
static bool by_columns(const ox_qkernels *q, const ox_qconv *c) {
    return q->bytes == 1 && c->kernel[0] == 3 && c->kernel[1] == 3;
}
static int64_t tap_of(const ox_qkernels *q, const ox_qconv *c, int64_t slot) {
    if (by_columns(q, c)) return slot % 4 < 3 ? slot % 4 * 3 + slot / 4 : -1;
    return slot < c->kernel[0] * c->kernel[1] ? slot : -1;
}

/* Groups in one pass. */
static int64_t pass_groups(const ox_qkernels *q, const ox_qconv *c) {
    int64_t each = 4 / q->bytes, taps = c->kernel[0] * c->kernel[1];
    return depthwise(c) ? ox_q_round(taps, each) / each : taps * (ox_q_round(c->in_ch, each) / each);
}

/* Bytes of the part of one group of channels (depthwise: of all). */
static int64_t part_bytes(const ox_qkernels *q, const ox_qconv *c, int64_t groups) {
    int64_t n = depthwise(c) ? ox_q_round(c->groups, ox_q_depth_block(q)) : ox_q_round(c->out_ch, 16);
    return ox_q_round(n * 4, 64) + ox_q_round(n * groups * 4, 64);
}

static bool product_ok(int n, const int64_t *sizes, int64_t *out) {
    *out = 1;
    for (int i = 0; i < n; i++)
        if (sizes[i] < 0 || sizes[i] > INT32_MAX || __builtin_mul_overflow(*out, sizes[i], out)) return false;
    return *out <= INT64_MAX >> 8;
}

uint64_t ox_qconv_packed_size(const ox_qconv *c) {
    int64_t all;
    if (!product_ok(5, (int64_t[]){c->groups + 64, c->out_ch + 16, c->in_ch + 4, c->kernel[0] + 4, c->kernel[1]}, &all))
        return 0;
    const ox_qkernels *q = ox_qkernels_now();
    return 64 + (uint64_t)(depthwise(c) ? 1 : c->groups) * (uint64_t)part_bytes(q, c, PASSES * pass_groups(q, c));
}

typedef struct packing {
    const ox_qkernels *q;
    const ox_qconv *c;
    const uint8_t *w;
    bool w_signed;
    ox_qzero zero;
    bool as_is; /* weights are bytes of w but for `flip` */
    uint32_t flip;
    packed_head head;
    uint8_t *parts;
} packing;

/* The part of a weight less its zero point that a pass has; *rest: what is left for later ones. */
static int32_t weight(const packing *p, int64_t o, int64_t at, int64_t pass, int32_t *rest) {
    int32_t v = p->w_signed ? (int8_t)p->w[at] : p->w[at], part = 0;
    if (p->zero.value) v -= p->zero.value[p->zero.per ? o : 0];
    *rest = 0;
    if (p->q->bytes != 1) return v;
    for (*rest = v; pass >= 0; pass--) {
        part = *rest < -128 ? -128 : *rest > 127 ? 127 : *rest;
        *rest -= part;
    }
    return part;
}

static uint32_t join(const ox_qkernels *q, uint32_t group, int i, int32_t v) {
    return group | ((uint32_t)v & (q->bytes == 1 ? 255u : 65535u)) << (8 * q->bytes * i);
}

/* Groups of all taps of some input channels from CH on, of output channel O of all, `step` bytes apart. */
static void pack_taps(const packing *p, int64_t o, int64_t ch, int64_t pass, uint8_t *to, int64_t step) {
    int64_t taps = p->c->kernel[0] * p->c->kernel[1], at = (o * p->c->in_ch + ch) * taps;
    int n = (int)(p->c->in_ch - ch < 4 / p->q->bytes ? p->c->in_ch - ch : 4 / p->q->bytes);
    const uint8_t *w = p->w + at;
    for (int64_t t = 0; t < taps; t++, to += step) {
        uint32_t group = 0;
        int32_t rest;
        if (p->as_is && n == 4)
            group = (w[t] | (uint32_t)w[taps + t] << 8 | (uint32_t)w[2 * taps + t] << 16 |
                     (uint32_t)w[3 * taps + t] << 24) ^
                    p->flip;
        else
            for (int i = 0; i < n; i++) group = join(p->q, group, i, weight(p, o, at + i * taps + t, pass, &rest));
        memcpy(to, &group, 4);
    }
}

/* A panel of output channels of one group: some input channels at a time, so that what is written stays in the cache. */
static void pack_panel(const packing *p, int64_t group, int64_t panel) {
    const ox_qkernels *q = p->q;
    const ox_qconv *c = p->c;
    int64_t each = 4 / q->bytes, taps = c->kernel[0] * c->kernel[1], per = (c->in_ch + each - 1) / each,
            wide = (int64_t)q->vlen * q->vectors, first = panel * wide,
            n = c->out_ch - first < wide ? c->out_ch - first : wide, step = ox_q_round(n, q->vlen) * 4;
    uint8_t *part = p->parts + group * p->head.bytes, *panels = part + ox_q_round(ox_q_round(c->out_ch, 16) * 4, 64);
    panels += ox_q_place(q, c->out_ch, p->head.groups, 0, first);
    for (int64_t pass = 0; pass < p->head.passes; pass++)
        for (int64_t ch = 0; ch < per; ch++)
            for (int64_t j = 0; j < n; j++)
                pack_taps(p, group * c->out_ch + first + j, ch * each, pass,
                          panels + (pass * taps * per + ch) * step + j * 4, per * step);
    for (int64_t j = first; j < first + n; j++) {
        int64_t o = group * c->out_ch + j, many = c->in_ch * taps;
        uint32_t zero = p->zero.value ? (uint32_t)p->zero.value[p->zero.per ? o : 0] : 0,
                 sum = q->sum(p->w + o * many, p->w_signed, many) - zero * (uint32_t)many;
        memcpy(part + j * 4, &sum, 4);
    }
}

/* A block of channels of depthwise weights. */
static void pack_depth(const packing *p, int64_t block) {
    const ox_qkernels *q = p->q;
    int64_t each = 4 / q->bytes, size = ox_q_depth_block(q), taps = p->c->kernel[0] * p->c->kernel[1], n = p->c->groups;
    uint32_t *sums = (uint32_t *)(void *)p->parts + block * size;
    uint8_t *out = p->parts + ox_q_round(n, size) * 4 + block * size * p->head.groups * 4;
    int32_t rest;
    memset(sums, 0, (size_t)size * 4);
    for (int64_t g = 0; g < p->head.groups; g++)
        for (int64_t i = 0; i < size; i++, out += 4) {
            int64_t in = ox_q_depth_channel(q, i), o = block * size + in, per = p->head.groups / p->head.passes;
            uint32_t group = 0;
            for (int k = 0; k < each && o < n; k++) {
                int64_t tap = tap_of(q, p->c, g % per * each + k);
                if (tap < 0) continue;
                int32_t v = weight(p, o, o * taps + tap, g / per, &rest);
                sums[in] += (uint32_t)v;
                group = join(q, group, k, v);
            }
            memcpy(out, &group, 4);
        }
}

/* How often the window is passed over, and whether weights can be taken as they are but for their top bit. */
static void look_at_weights(packing *p) {
    int64_t outs = p->c->groups * p->c->out_ch, each = p->c->in_ch * p->c->kernel[0] * p->c->kernel[1];
    int32_t want = p->w_signed ? 0 : 128, rest;
    p->head.passes = 1;
    if (p->q->bytes != 1) return;
    p->flip = p->w_signed ? 0 : 0x80808080u;
    p->as_is = p->zero.value || p->w_signed;
    for (int64_t o = 0; p->as_is && p->zero.value && o < (p->zero.per ? outs : 1); o++)
        p->as_is = p->zero.value[o] == want;
    for (int64_t o = 0; o < outs && !p->as_is; o++)
        for (int64_t i = 0; i < each; i++)
            for (; p->head.passes < PASSES && (weight(p, o, o * each + i, p->head.passes - 1, &rest), rest);
                 p->head.passes++) {
            }
}

void ox_qconv_pack(int threads, const ox_qconv *c, const void *w, bool w_signed, ox_qzero w_zero, void *packed) {
    packing p = {
        .q = ox_qkernels_now(), .c = c, .w = w, .w_signed = w_signed, .zero = w_zero, .parts = (uint8_t *)packed + 64};
    look_at_weights(&p);
    p.head.groups = p.head.passes * pass_groups(p.q, c);
    p.head.bytes = part_bytes(p.q, c, p.head.groups);
    memcpy(packed, &p.head, sizeof p.head);
    if (depthwise(c)) {
        int64_t size = ox_q_depth_block(p.q);
        for (int64_t b = 0; b * size < c->groups; b++) pack_depth(&p, b);
        return;
    }
    for (int64_t g = 0; g < c->groups; g++) memset(p.parts + g * p.head.bytes, 0, (size_t)p.head.bytes);
    int64_t wide = (int64_t)p.q->vlen * p.q->vectors, panels = (c->out_ch + wide - 1) / wide;
    threads = ox_cpu_threads(threads, c->out_ch * c->groups * p.head.groups);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < c->groups * panels; i++) pack_panel(&p, i / panels, i % panels);
}

/* ------------------------------------------------------------------------------------------------ the image */

typedef struct run {
    const ox_qkernels *q;
    const ox_qconv_kernels *k;
    const ox_qconv *c;
    const ox_qimage *x;
    packed_head head;
    const uint8_t *parts;
    /* the padded image of one batch entry: planes (groups of channels), rows, pixels of `channels` elements */
    int64_t planes, rows, width, channels, given; /* given: channels of a plane in the input */
    int64_t pixel_bytes, row_bytes, plane_bytes;
    bool flat;   /* windows of one pixel, all of them: rows do not matter */
    bool direct; /* the input is that image */
    const uint8_t *image;
    uint8_t *own;
    int64_t *segments, n_segments, segment_groups;
    ox_qjob *jobs; /* per plane */
    uint8_t *buffers;
    ox_qlayout layout;
    ox_qtype type;
    uint8_t *out;
    int64_t pixels; /* of the result */
} run;

static void image_of(run *r) {
    const ox_qconv *c = r->c;
    int64_t each = 4 / r->q->bytes;
    bool depth = depthwise(c), bare = !c->begin[0] && !c->begin[1];
    r->planes = depth ? 1 : c->groups;
    r->given = depth ? c->groups : c->in_ch;
    r->channels = ox_q_round(r->given, each);
    r->rows = (c->out[0] - 1) * c->stride[0] + (c->kernel[0] - 1) * c->dilation[0] + 1;
    r->width = (c->out[1] - 1) * c->stride[1] + (c->kernel[1] - 1) * c->dilation[1] + 1;
    r->pixels = c->out[0] * c->out[1];
    r->flat = bare && c->kernel[0] * c->kernel[1] == 1 && c->stride[0] == 1 && c->stride[1] == 1 &&
              c->in[0] == c->out[0] && c->in[1] == c->out[1];
    if (r->flat) {
        r->width = r->pixels;
        r->rows = 1;
    }
    r->direct = r->q->bytes == 1 && !depth && r->planes == 1 && r->x->layout == OX_Q_NHWC && r->channels == r->given &&
                bare && (r->flat || (r->rows <= c->in[0] && r->width <= c->in[1]));
    r->pixel_bytes = r->channels * r->q->bytes;
    r->row_bytes = r->pixel_bytes * (r->direct && !r->flat ? c->in[1] : r->width);
    r->plane_bytes = r->row_bytes * r->rows;
}

static void fill(const run *r, uint8_t *to, int64_t pixels) {
    int64_t n = pixels * r->channels;
    if (r->q->bytes == 1) {
        memset(to, (uint8_t)r->x->zero, (size_t)n);
        return;
    }
    int16_t v = (int16_t)r->x->zero, *o = (int16_t *)(void *)to;
    for (int64_t i = 0; i < n; i++) o[i] = v;
}

/* N pixels whose channels lie `plane` apart, up to 16 channels from CH on. */
static void channels_to_pixels(const run *r, const uint8_t *x, int64_t plane, int64_t ch, int64_t n, uint8_t *to) {
    static const uint8_t none[16];
    const uint8_t *from[16];
    uint8_t copy[16][16], turned[16][16];
    int64_t many = r->given - ch < 16 ? r->given - ch : 16, wide = r->channels - ch < 16 ? r->channels - ch : 16;
    for (int64_t at = 0; at < n; at += 16) {
        if (n - at < 16 && n >= 16) at = n - 16; /* some twice */
        int64_t count = n - at < 16 ? n - at : 16;
        for (int i = 0; i < 16; i++) {
            from[i] = i < many ? x + (ch + i) * plane + at : none;
            if (i < many && count < 16) from[i] = memcpy(copy[i], from[i], (size_t)count);
        }
        uint8_t *out = to + at * r->pixel_bytes + ch * r->q->bytes;
        if (r->q->bytes == 1 && wide == 16 && count == 16) {
            r->k->transpose(from, out, r->pixel_bytes);
            continue;
        }
        r->k->transpose(from, turned[0], 16);
        for (int64_t i = 0; i < count; i++)
            r->q->widen(turned[i], r->x->is_signed, many, wide, out + i * r->pixel_bytes);
    }
}

/* N pixels of a row of a plane of the input, from X on. */
static void copy_pixels(const run *r, const uint8_t *x, int64_t n, uint8_t *to) {
    const ox_qconv *c = r->c;
    int64_t plane = c->in[0] * c->in[1], all = r->planes * r->given;
    if (r->x->layout == OX_Q_NHWC) {
        if (r->planes == 1 && r->channels == r->given)
            r->q->widen(x, r->x->is_signed, n * all, n * all, to);
        else if (all == 3 && r->q->bytes == 1)
            for (int64_t i = 0; i < n; i++, x += 3, to += 4) {
                uint32_t v = x[0] | (uint32_t)x[1] << 8 | (uint32_t)x[2] << 16;
                memcpy(to, &v, 4);
            }
        else
            for (int64_t i = 0; i < n; i++)
                r->q->widen(x + i * all, r->x->is_signed, r->given, r->channels, to + i * r->pixel_bytes);
    } else if (r->q->bytes == 1 && r->channels == 4) {
        const uint8_t *from[4];
        for (int64_t i = 0; i < 4; i++) from[i] = x + (i < r->given ? i : 0) * plane;
        r->k->interleave(from, n, to);
    } else {
        for (int64_t ch = 0; ch < r->given; ch += 16) channels_to_pixels(r, x, plane, ch, n, to);
    }
}

/* Row I of all rows of planes of the padded image. */
static void make_row(const run *r, int64_t batch, int64_t i) {
    const ox_qconv *c = r->c;
    int64_t g = i / r->rows, y = i % r->rows - c->begin[0], all = r->planes * r->given, plane = c->in[0] * c->in[1],
            before = c->begin[1] < r->width ? c->begin[1] : r->width, n = c->in[1];
    uint8_t *to = r->own + g * r->plane_bytes + i % r->rows * r->row_bytes;
    const uint8_t *x = (const uint8_t *)r->x->data + batch * all * plane;
    if (r->flat)
        n = plane;
    else if (y < 0 || y >= c->in[0])
        n = 0;
    if (n > r->width - before) n = r->width - before;
    fill(r, to, before);
    fill(r, to + (before + n) * r->pixel_bytes, r->width - before - n);
    if (!n) return;
    x += r->x->layout == OX_Q_NHWC ? y * c->in[1] * all + g * r->given : g * r->given * plane + y * c->in[1];
    copy_pixels(r, x, n, to + before * r->pixel_bytes);
}

/* ------------------------------------------------------------------------------------------------ results */

/* COUNT pixels from FIRST on and N channels from CH on: from the buffer (rows of ld) to planes. */
static void to_planes(const run *r, int64_t batch, int64_t first, int64_t count, int64_t ch, int64_t n,
                      const uint8_t *buffer, int64_t ld) {
    int64_t size = r->type == OX_Q_S32 ? 4 : 1, all = r->c->groups * r->c->out_ch;
    uint8_t *out = r->out + ((batch * all + ch) * r->pixels + first) * size;
    if (size == 4) {
        for (int64_t j = 0; j < n; j++)
            for (int64_t i = 0; i < count; i++) memcpy(out + (j * r->pixels + i) * 4, buffer + (i * ld + j) * 4, 4);
        return;
    }
    for (int64_t j = 0; j < n; j += 16)
        for (int64_t i = 0; i < count; i += 16) {
            const uint8_t *from[16];
            uint8_t turned[16][16];
            int64_t wide = count - i < 16 ? count - i : 16, many = n - j < 16 ? n - j : 16;
            /* what is beyond the pixels is read again from the last one; beyond the channels the buffer goes on */
            for (int64_t k = 0; k < 16; k++) from[k] = buffer + (i + (k < wide ? k : wide - 1)) * ld + j;
            if (wide == 16 && many == 16) {
                r->k->transpose(from, out + j * r->pixels + i, r->pixels);
                continue;
            }
            r->k->transpose(from, turned[0], 16);
            for (int64_t k = 0; k < many; k++) memcpy(out + (j + k) * r->pixels + i, turned[k], (size_t)wide);
        }
}

static void pixel_pointers(const run *r, int64_t plane, int64_t first, int64_t count, const uint8_t **a) {
    const uint8_t *image = r->image + plane * r->plane_bytes;
    int64_t y = first / r->c->out[1], x = first % r->c->out[1];
    for (int64_t i = 0; i < count; i++) {
        a[i] = r->flat ? image + (first + i) * r->pixel_bytes
                       : image + y * r->c->stride[0] * r->row_bytes + x * r->c->stride[1] * r->pixel_bytes;
        if (++x == r->c->out[1]) {
            x = 0;
            y++;
        }
    }
}

/* Some pixels of one plane, panels p..end. */
static void general_block(const run *r, int64_t batch, int64_t plane, int64_t first, int64_t count, int64_t p,
                          int64_t end) {
    const uint8_t *a[OX_QROWS_MAX];
    int64_t size = r->type == OX_Q_S32 ? 4 : 1, n = r->c->out_ch, all = r->c->groups * n,
            wide = (int64_t)r->q->vlen * r->q->vectors;
    ox_qjob job = r->jobs[plane];
    pixel_pointers(r, plane, first, count, a);
    job.out = r->out + ((batch * r->pixels + first) * all + plane * n) * size;
    job.ldc = all;
    for (; p < end; p++) {
        int64_t ch = p * wide, many = n - ch < wide ? n - ch : wide;
        if (r->layout == OX_Q_NHWC) {
            r->q->rows(&job, p, a, 0, count);
            continue;
        }
        job.out = r->buffers + (int64_t)thread_number() * BUFFER;
        job.ldc = wide;
        job.out_first = ch;
        r->q->rows(&job, p, a, 0, count);
        to_planes(r, batch, first, count, plane * n + ch, many, job.out, wide);
    }
}

static void depth_block(const run *r, const ox_qdepth *all, int64_t batch, int64_t first, int64_t count,
                        int64_t block) {
    const uint8_t *a[OX_QROWS_MAX];
    int64_t size = ox_q_depth_block(r->q), ch = block * size, n = r->c->groups, many = n - ch < size ? n - ch : size;
    ox_qdepth d = *all;
    d.init += ch;
    d.scale += ch;
    d.weights += ch * d.groups * 4;
    pixel_pointers(r, 0, first, count, a);
    for (int64_t i = 0; i < count; i++) a[i] += ch * r->q->bytes;
    if (r->layout == OX_Q_NHWC) {
        r->k->depth(&d, a, count, many, r->out + ((batch * r->pixels + first) * n + ch) * (r->type == OX_Q_S32 ? 4 : 1),
                    n);
        return;
    }
    uint8_t *buffer = r->buffers + (int64_t)thread_number() * BUFFER;
    r->k->depth(&d, a, count, many, buffer, size);
    to_planes(r, batch, first, count, ch, many, buffer, size);
}

/* ------------------------------------------------------------------------------------------------ the whole */

static int64_t column_bytes(const ox_qconv *c) {
    return depthwise(c) ? 8 * ox_q_round(c->groups, 64) + ox_q_column_bytes(c->groups) : ox_q_column_bytes(c->out_ch);
}

uint64_t ox_qconv_scratch(int threads, const ox_qconv *c) {
    run r = {.q = ox_qkernels_now(), .c = c, .x = &(ox_qimage){.layout = OX_Q_NCHW}};
    int64_t all;
    for (int i = 0; i < 2; i++)
        if (!product_ok(2, (int64_t[]){c->out[i], c->stride[i]}, &all) ||
            !product_ok(2, (int64_t[]){c->kernel[i], c->dilation[i]}, &all) || all > INT32_MAX ||
            c->out[i] * c->stride[i] > INT32_MAX)
            return 0;
    int64_t high = c->out[0] * c->stride[0] + c->kernel[0] * c->dilation[0],
            wide = c->out[1] * c->stride[1] + c->kernel[1] * c->dilation[1];
    if (!product_ok(4, (int64_t[]){high, wide, c->groups + 64, c->in_ch + 4}, &all) ||
        !product_ok(4, (int64_t[]){c->out[0], c->out[1], c->groups + 64, c->in_ch + 4}, &all) ||
        !product_ok(2, (int64_t[]){c->groups + 64, c->out_ch + 16}, &all) ||
        !product_ok(2, (int64_t[]){c->kernel[0] + 4, c->kernel[1] + 4}, &all))
        return 0;
    image_of(&r);
    int64_t parts = r.planes * (column_bytes(c) + 64 + (int64_t)sizeof(ox_qjob));
    return (uint64_t)parts + 64 + (uint64_t)ox_q_round(all * PASSES * 8, 64) + (uint64_t)threads * BUFFER +
           (uint64_t)ox_q_round(r.planes * r.plane_bytes, 64) + 256;
}

static int64_t piece(const run *r, int64_t y, int64_t x) {
    return y * r->c->dilation[0] * r->row_bytes + x * r->c->dilation[1] * r->pixel_bytes;
}

/* Offsets of the pieces of a window: rows of the kernel, or taps where those are apart. */
static void window_of(run *r) {
    const ox_qconv *c = r->c;
    int64_t n = 0, wide = c->dilation[1] != 1 ? c->kernel[1] : 1;
    for (int64_t pass = 0; pass < r->head.passes; pass++)
        for (int64_t y = 0; y < c->kernel[0]; y++)
            for (int64_t x = 0; x < wide; x++) r->segments[n++] = piece(r, y, x);
    r->n_segments = n;
    r->segment_groups = r->head.groups / n;
}

/* Offsets of the slots of groups of taps. */
static void taps_of(run *r) {
    int64_t slots = r->head.groups / r->head.passes * 4 / r->q->bytes, wide = r->c->kernel[1];
    for (int64_t i = 0; i < slots * r->head.passes; i++) {
        int64_t tap = tap_of(r->q, r->c, i % slots);
        r->segments[i] = tap < 0 ? 0 : piece(r, tap / wide, tap % wide);
    }
}

static void run_general(run *r, int threads, int64_t batch) {
    int64_t blocks = (r->pixels + OX_QROWS_MAX - 1) / OX_QROWS_MAX, wide = (int64_t)r->q->vlen * r->q->vectors,
            panels = (r->c->out_ch + wide - 1) / wide;
    int64_t pixels = ox_q_round((r->pixels + blocks - 1) / blocks, blocks > 1 ? 32 : 1);
    blocks = (r->pixels + pixels - 1) / pixels;
    int64_t cuts = r->planes * blocks < 16 ? panels : 1, each = panels / cuts;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t i = 0; i < r->planes * blocks * cuts; i++) {
        int64_t p = i % cuts * each, first = i / cuts % blocks * pixels;
        general_block(r, batch, i / cuts / blocks, first, r->pixels - first < pixels ? r->pixels - first : pixels, p,
                      p + each);
    }
}

static void run_depth(run *r, int threads, int64_t batch, const ox_qdepth *d) {
    int64_t pixels = OX_QROWS_MAX, blocks = (r->pixels + pixels - 1) / pixels, size = ox_q_depth_block(r->q),
            parts = (r->c->groups + size - 1) / size;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t i = 0; i < blocks * parts; i++) {
        int64_t first = i / parts * pixels;
        depth_block(r, d, batch, first, r->pixels - first < pixels ? r->pixels - first : pixels, i % parts);
    }
}

/* Per-channel numbers of a depthwise convolution in the order of its sums. */
static void depth_columns(const run *r, ox_qdepth *d, const ox_qtail *tail, uint32_t a_zero, uint32_t flip,
                          uint8_t *memory) {
    int64_t size = ox_q_depth_block(r->q), n = ox_q_round(r->c->groups, size);
    uint32_t *init = (uint32_t *)(void *)memory;
    float *scale = (float *)(init + n);
    ox_qjob j = {.n = r->c->groups};
    ox_q_columns(&j, tail, 0, (const uint32_t *)(const void *)r->parts, a_zero, scale + n);
    for (int64_t i = 0; i < n; i++) {
        int64_t ch = i / size * size + ox_q_depth_channel(r->q, i % size);
        init[i] = ch < j.n ? j.init[ch] : 0;
        scale[i] = ch < j.n ? j.scale[ch] : 0;
    }
    *d = (ox_qdepth){.taps = r->segments,
                     .groups = r->head.groups,
                     .weights = r->parts + n * 4,
                     .init = init,
                     .scale = scale,
                     .flip = flip,
                     .step = by_columns(r->q, r->c) && r->head.passes == 1 ? r->c->dilation[1] * r->pixel_bytes : 0,
                     .type = tail->type,
                     .zero = tail->zero,
                     .lo = tail->lo,
                     .hi = tail->hi};
}

void ox_qconv_run(int threads, const ox_qconv *c, const ox_qimage *x, const void *packed, const ox_qtail *tail,
                  ox_qlayout out_layout, void *out, void *scratch) {
    run r = {.q = ox_qkernels_now(),
             .k = ox_qconv_kernels_now(),
             .c = c,
             .x = x,
             .parts = (const uint8_t *)packed + 64,
             .layout = out_layout,
             .type = tail->type,
             .out = out};
    memcpy(&r.head, packed, sizeof r.head);
    if (!c->batch || !c->groups || !c->out_ch || !c->out[0] || !c->out[1]) return;
    image_of(&r);
    bool depth = depthwise(c);
    uint32_t shift = r.q->bytes == 1 && x->is_signed ? 128 : 0, a_zero = (uint32_t)x->zero + shift,
             flip = shift ? 0x80808080u : 0;
    uint8_t *memory = scratch;
    r.jobs = (ox_qjob *)(void *)memory;
    memory += ox_q_round(r.planes * (int64_t)sizeof *r.jobs, 64);
    r.segments = (int64_t *)(void *)memory;
    memory += ox_q_round((c->kernel[0] + 4) * (c->kernel[1] + 4) * PASSES * 8, 64);
    (depth ? taps_of : window_of)(&r);
    ox_qdepth d;
    if (depth) depth_columns(&r, &d, tail, a_zero, flip, memory);
    for (int64_t g = 0; g < r.planes && !depth; g++) {
        const uint8_t *part = r.parts + g * r.head.bytes;
        r.jobs[g] = (ox_qjob){.panels = part + ox_q_round(ox_q_round(c->out_ch, 16) * 4, 64),
                              .n = c->out_ch,
                              .groups = r.segment_groups,
                              .segments = r.segments,
                              .n_segments = r.n_segments,
                              .flip = flip};
        ox_q_columns(&r.jobs[g], tail, g * c->out_ch, (const uint32_t *)(const void *)part, a_zero,
                     memory + g * column_bytes(c));
    }
    memory += r.planes * column_bytes(c);
    r.buffers = memory;
    r.own = memory + (int64_t)threads * BUFFER;
    int64_t steps = r.pixels * c->groups * c->out_ch;
    threads = ox_cpu_threads(
        threads, steps > INT64_MAX / 4096 ? INT64_MAX : steps * (r.head.groups < 4096 ? r.head.groups : 4096) / 16);
    for (int64_t b = 0; b < c->batch; b++) {
        r.image = r.direct ? (const uint8_t *)x->data + b * c->in[0] * c->in[1] * r.channels : r.own;
        int64_t rows = r.direct ? 0 : r.planes * r.rows;
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < rows; i++) make_row(&r, b, i);
        if (depth)
            run_depth(&r, threads, b, &d);
        else
            run_general(&r, threads, b);
    }
}

void ox_q_transpose(int threads, int64_t batch, int64_t rows, int64_t columns, const void *x, void *y) {
    const ox_qconv_kernels *k = ox_qconv_kernels_now();
    int64_t high = (rows + 15) / 16, wide = (columns + 15) / 16;
    threads = ox_cpu_threads(threads, batch * rows * columns / 8);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t t = 0; t < batch * high; t++) {
        int64_t i = t % high * 16, many = rows - i < 16 ? rows - i : 16;
        const uint8_t *from = (const uint8_t *)x + t / high * rows * columns;
        uint8_t *to = (uint8_t *)y + t / high * rows * columns, copy[16][16], turned[16][16];
        for (int64_t j = 0; j < wide * 16; j += 16) {
            const uint8_t *row[16];
            int64_t n = columns - j < 16 ? columns - j : 16;
            for (int64_t l = 0; l < 16; l++) {
                row[l] = from + (i + (l < many ? l : 0)) * columns + j;
                if (n < 16) row[l] = memcpy(copy[l], row[l], (size_t)n);
            }
            if (many == 16 && n == 16) {
                k->transpose(row, to + j * rows + i, rows);
                continue;
            }
            k->transpose(row, turned[0], 16);
            for (int64_t l = 0; l < n; l++) memcpy(to + (j + l) * rows + i, turned[l], (size_t)many);
        }
    }
}
