/* Convolutions of images in blocks: which form serves, how weights are packed, how work is cut, and which pixels of the input a tile of the
 * output reads. The sums are made in conv_isa.c; depthwise convolutions are in depthwise.c. */
#include "cpu/conv_tile.h"

#include <string.h>

enum {
    PLANAR_CHANNELS = 4,
    EDGE_FLOATS = 4096,       /* a tile's input at the border of a planar image */
    CACHE_BYTES = 256 << 10,  /* what stays in the second cache: weights of a pass, or the input of a strip */
    PADDED_FLOATS = 64 << 10, /* an image that is copied with its pads */
    PIECES = 32, PIECES_OF_WEIGHTS = 8,
    STRIP_FLOATS = 16 << 10   /* output in blocks that is brought to planes while it is in the cache */
};
static const float no_bias[OX_CONV_GROUP * 16];
static const int64_t PIECE_FLOPS = 1 << 19;

const ox_conv_isa *ox_conv_kernels(void) {
#if defined(__x86_64__)
    switch (ox_cpu_isa()) {
    case OX_ISA_AVX512: return &ox_conv_isa_avx512;
    case OX_ISA_AVX2: return &ox_conv_isa_avx2;
    default: break;
    }
#endif
    return &ox_conv_isa_plain;
}

int64_t ox_conv_block(void) { return ox_conv_kernels()->block; }

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t cuts(int64_t n, int64_t size) { return n / size + (n % size != 0); }

/* Floats of a row of planar input that a tile of the most pixels reads. */
static bool planar_fits(const ox_conv *c) {
    if (c->kernel_h > 64 || c->kernel_w > 64 || c->stride_w > 64 || c->dilation_w > 64) return false;
    int64_t row = (OX_CONV_PIXELS - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w + 1;
    return c->in_channels * c->kernel_h * row <= EDGE_FLOATS;
}

ox_conv_form ox_conv_form_of(const ox_conv *c) {
    int64_t b = ox_conv_block();
    if (c->groups < 1 || c->in_channels < 1 || c->out_channels < 1 || c->kernel_h < 1 || c->kernel_w < 1) return OX_CONV_NONE;
    if (c->kernel_h > OX_CONV_TAPS || c->kernel_w > OX_CONV_TAPS || c->kernel_h * c->kernel_w > OX_CONV_TAPS) return OX_CONV_NONE;
    if (c->groups > 1 && c->groups == c->in_channels && c->groups == c->out_channels) return OX_CONV_DEPTHWISE;
    if (c->in_channels % c->groups || c->out_channels % c->groups) return OX_CONV_NONE;
    if (c->groups > 1 && (c->in_channels / c->groups % b || c->out_channels / c->groups % b)) return OX_CONV_NONE;
    if (c->groups == 1 && c->in_channels <= PLANAR_CHANNELS && planar_fits(c)) return OX_CONV_PLANAR;
    bool point = c->kernel_h == 1 && c->kernel_w == 1 && c->pad_top == 0 && c->pad_left == 0;
    return point ? OX_CONV_POINTWISE : OX_CONV_BLOCKED;
}

/* What follows from the channels and the kernel: how the sum of a pixel is cut. */
typedef struct shape {
    int64_t b, in, out;               /* channels of a block; of a group's input and output */
    int64_t in_blocks, out_blocks;    /* of a group */
    int64_t sets;                     /* groups of output blocks that are computed together */
    int64_t taps, lanes, last_lanes;
    bool few, half;                   /* few output channels, or not more than half a vector: see conv_isa.c */
    int64_t wide;                     /* weights of a lane for an output block */
    uint64_t block_floats;            /* weights of an output block */
} shape;

static shape shape_of(const ox_conv *c, ox_conv_form form) {
    const ox_conv_isa *isa = ox_conv_kernels();
    shape s = {.b = isa->block, .in = c->in_channels / c->groups, .out = c->out_channels / c->groups};
    s.out_blocks = cuts(s.out, s.b);
    s.sets = cuts(s.out_blocks, isa->group);
    if (form == OX_CONV_PLANAR) {
        s.in_blocks = s.in;
        s.taps = c->kernel_h;
        s.lanes = s.last_lanes = c->kernel_w;
    } else {
        s.in_blocks = cuts(s.in, s.b);
        s.taps = c->kernel_h * c->kernel_w;
        s.lanes = s.b;
        s.last_lanes = s.in - (s.in_blocks - 1) * s.b;
    }
    s.few = form != OX_CONV_PLANAR && c->groups == 1 && s.out <= OX_CONV_FEW;
    s.half = !s.few && c->groups == 1 && s.out <= OX_CONV_HALF && isa->half[1];
    s.wide = s.half ? OX_CONV_HALF : s.b;
    if (s.few) s.block_floats = (uint64_t)s.in_blocks * (uint64_t)s.taps * (uint64_t)s.out * (uint64_t)s.b;
    else s.block_floats = (uint64_t)s.in * (uint64_t)(c->kernel_h * c->kernel_w) * (uint64_t)s.wide;
    return s;
}

static int64_t set_start(const shape *s, int64_t set) { return ox_conv_set_start(s->out_blocks, s->sets, set); }

uint64_t ox_conv_packed_floats(const ox_conv *c, ox_conv_form form) {
    if (form == OX_CONV_DEPTHWISE) {
        int64_t b = ox_conv_block();
        return (uint64_t)cuts(c->out_channels, b) * (uint64_t)b * (uint64_t)(c->kernel_h * c->kernel_w);
    }
    shape s = shape_of(c, form);
    return s.block_floats * (uint64_t)s.out_blocks * (uint64_t)c->groups;
}

/* Pixels that N windows reach together. */
static bool span(int64_t n, int64_t stride, int64_t kernel, int64_t dilation, int64_t *all) {
    const int64_t most = 1 << 20;
    if (n > most || stride > most || kernel > most || dilation > most) return false;
    *all = (n - 1) * stride + (kernel - 1) * dilation + 1;
    return *all <= most;
}

static bool is_inside(const ox_conv *c) {
    int64_t h, w;
    return c->pad_top == 0 && c->pad_left == 0 && span(c->out_h, c->stride_h, c->kernel_h, c->dilation_h, &h) &&
           span(c->out_w, c->stride_w, c->kernel_w, c->dilation_w, &w) && h <= c->in_h && w <= c->in_w;
}

/* A small image with pads is copied with its pads first: then no tile lies at a border. P: the convolution of the copy. */
static bool padded(const ox_conv *c, ox_conv_form form, ox_conv *p) {
    if ((form != OX_CONV_PLANAR && form != OX_CONV_BLOCKED) || c->out_h < 1 || c->out_w <= 3 || c->batch < 1) return false;
    int64_t h, w, channels = form == OX_CONV_PLANAR ? c->in_channels : c->groups * cuts(c->in_channels / c->groups, ox_conv_block()) * ox_conv_block();
    if (!span(c->out_h, c->stride_h, c->kernel_h, c->dilation_h, &h) || !span(c->out_w, c->stride_w, c->kernel_w, c->dilation_w, &w)) return false;
    if (is_inside(c)) return false;
    if (h * w > PADDED_FLOATS || channels > PADDED_FLOATS || c->batch > PADDED_FLOATS || h * w * channels > PADDED_FLOATS / c->batch) return false;
    *p = *c;
    p->in_h = h, p->in_w = w, p->pad_top = p->pad_left = 0;
    return true;
}

uint64_t ox_conv_scratch_bytes(const ox_conv *c, ox_conv_form form) {
    ox_conv p;
    if (!padded(c, form, &p)) return 0;
    int64_t b = ox_conv_block(), channels = form == OX_CONV_PLANAR ? c->in_channels : c->groups * cuts(c->in_channels / c->groups, b) * b;
    return (uint64_t)(p.batch * channels * p.in_h * p.in_w) * sizeof(float);
}

/* Rows of the copy, B floats a pixel; the planes of all images lie one behind the other. */
static void copy_padded(int threads, const ox_conv *c, const ox_conv *p, ox_conv_form form, const float *x, float *to) {
    int64_t b = form == OX_CONV_PLANAR ? 1 : ox_conv_block();
    int64_t planes = c->batch * (b == 1 ? c->in_channels : c->groups * cuts(c->in_channels / c->groups, b));
    int64_t from = min64(max64(0, c->pad_left), p->in_w), end = max64(from, min64(p->in_w, c->in_w + c->pad_left));
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < planes; i++) {
        float *row = to + i * p->in_h * p->in_w * b;
        for (int64_t y = -c->pad_top; y < p->in_h - c->pad_top; y++, row += p->in_w * b) {
            bool inside = y >= 0 && y < c->in_h;
            size_t left = (size_t)((inside ? from : p->in_w) * b), n = (size_t)((end - from) * b);
            memset(row, 0, left * sizeof *row);
            if (!inside) continue;
            if (n) memcpy(row + left, x + ((i * c->in_h + y) * c->in_w + from - c->pad_left) * b, n * sizeof *row);
            memset(row + left + n, 0, (size_t)((p->in_w - end) * b) * sizeof *row);
        }
    }
}

/* Output block J of set SET of a group: [input block][tap][lane][blocks of the set][B]. W has PER weights for an output channel. */
static void pack_block(const shape *s, const float *w, int64_t per, const float *scale, int64_t set, int64_t j, float *packed, bool planar) {
    int64_t first = set_start(s, set), n = set_start(s, set + 1) - first;
    float *to = packed + (uint64_t)first * s->block_floats + (j - first) * s->wide;
    for (int64_t i = 0; i < s->in_blocks; i++) {
        int64_t lanes = i == s->in_blocks - 1 ? s->last_lanes : s->lanes;
        for (int64_t k = 0; k < s->taps; k++)
            for (int64_t l = 0; l < lanes; l++, to += n * s->wide) {
                int64_t at = planar ? (i * s->taps + k) * lanes + l : (i * s->b + l) * s->taps + k;
                for (int64_t o = 0; o < s->wide; o++) {
                    int64_t out = j * s->b + o;
                    to[o] = out >= s->out ? 0 : w[out * per + at] * (scale ? scale[out] : 1);
                }
            }
    }
}

/* [input block][tap][output channel][B] */
static void pack_few(const shape *s, const float *w, const float *scale, float *to) {
    for (int64_t i = 0; i < s->in_blocks; i++)
        for (int64_t k = 0; k < s->taps; k++)
            for (int64_t o = 0; o < s->out; o++)
                for (int64_t l = 0; l < s->b; l++) {
                    int64_t in = i * s->b + l;
                    *to++ = in >= s->in ? 0 : w[(o * s->in + in) * s->taps + k] * (scale ? scale[o] : 1);
                }
}

static void pack_depthwise(const ox_conv *c, const float *w, const float *scale, float *packed) {
    int64_t b = ox_conv_block(), taps = c->kernel_h * c->kernel_w;
    for (int64_t j = 0; j < cuts(c->out_channels, b); j++)
        for (int64_t k = 0; k < taps; k++)
            for (int64_t o = 0; o < b; o++) {
                int64_t ch = j * b + o;
                packed[(j * taps + k) * b + o] = ch >= c->out_channels ? 0 : w[ch * taps + k] * (scale ? scale[ch] : 1);
            }
}

static void pack_form(const ox_conv *c, ox_conv_form form, const float *w, const float *scale, float *packed, int threads) {
    if (form == OX_CONV_DEPTHWISE) {
        pack_depthwise(c, w, scale, packed);
        return;
    }
    shape s = shape_of(c, form);
    if (s.few) {
        pack_few(&s, w, scale, packed);
        return;
    }
    int64_t per = s.in * c->kernel_h * c->kernel_w, n = c->groups * s.sets;
    threads = ox_cpu_threads(threads, c->out_channels * per);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < n; i++) {
        int64_t g = i / s.sets, set = i % s.sets;
        for (int64_t j = set_start(&s, set); j < set_start(&s, set + 1); j++)
            pack_block(&s, w + g * s.out * per, per, scale ? scale + g * s.out : NULL, set, j,
                       packed + (uint64_t)(g * s.out_blocks) * s.block_floats, form == OX_CONV_PLANAR);
    }
}

void ox_conv_pack(const ox_conv *c, ox_conv_form form, const float *w, const float *scale, float *packed, int threads) {
    pack_form(c, form, w, scale, packed, threads);
    ox_flush_subnormal(packed, ox_conv_packed_floats(c, form));
}

/* A run: the shape, and how it is cut. Units are rows of the output, or pixels where rows do not matter (FLAT). */
typedef struct run {
    const ox_conv *c;
    const ox_conv_isa *isa;
    shape s;
    bool planar, flat, all_inside, plain_points; /* plain_points: 1x1 without strides: a pixel reads the pixel of the same number */
    int64_t units, unit_pixels, unit_parts, set_parts;
    int64_t strip, chunk;            /* units done together; input blocks of a pass */
    const float *x, *w, *bias;
    const ox_tail *tail;
    float *y;
} run;

static void cut(run *r) {
    const ox_conv *c = r->c;
    const shape *s = &r->s;
    int64_t work = 2 * s->in * c->kernel_h * c->kernel_w * s->out_blocks * s->b; /* of a pixel */
    int64_t pixels = c->out_h * c->out_w;
    r->units = r->flat ? pixels : c->out_h;
    r->unit_pixels = r->flat ? 1 : c->out_w;
    int64_t images = c->batch * c->groups;
    double flops = (double)work * (double)pixels * (double)images;
    int64_t want = flops >= (double)PIECES * (double)PIECE_FLOPS ? PIECES : (int64_t)(flops / (double)PIECE_FLOPS);
    want = max64(1, cuts(want, images));
    int64_t most = r->flat ? max64(1, pixels / (OX_CONV_PIXELS * 4)) : c->out_h;
    double weights = (double)s->block_floats * (double)s->out_blocks, image = (double)s->in * (double)c->in_h * (double)c->in_w;
    if (weights > image) { /* weights pass by once, if they can */
        r->set_parts = min64(s->sets, want);
        r->unit_parts = min64(most, cuts(min64(want, PIECES_OF_WEIGHTS), r->set_parts));
    } else {
        r->unit_parts = min64(most, want);
        r->set_parts = min64(s->sets, cuts(min64(want, PIECES_OF_WEIGHTS), r->unit_parts));
    }
    int64_t set_blocks = cuts(s->out_blocks, s->sets);
    int64_t pass = (int64_t)(sizeof(float)) * s->taps * s->lanes * set_blocks * s->b; /* weights of an input block */
    r->chunk = max64(1, CACHE_BYTES / pass);
    r->chunk = s->few ? s->in_blocks : cuts(s->in_blocks, cuts(s->in_blocks, r->chunk)); /* passes of like length */
    int64_t input = (int64_t)sizeof(float) * s->in * min64(c->stride_h * c->stride_w, 16) * r->unit_pixels;
    r->strip = min64(max64(CACHE_BYTES / input, cuts(48, r->unit_pixels)), cuts(512, r->unit_pixels));
    if (weights * sizeof(float) > 2.0 * CACHE_BYTES) r->strip = r->units;
    if (c->planar_out) r->strip = min64(r->strip, STRIP_FLOATS / (r->unit_pixels * set_blocks * s->b));
}

/* What a thread keeps while it computes a piece. */
typedef struct work {
    ox_conv_tile t;
    int64_t inner[OX_CONV_TAPS][OX_CONV_PIXELS], edge[OX_CONV_TAPS][OX_CONV_PIXELS]; /* see ox_conv_tile.at: tiles inside, tiles at the border */
    int32_t all[OX_CONV_TAPS], some[OX_CONV_TAPS];
    uint8_t every[OX_CONV_TAPS], reach[OX_CONV_TAPS];
    float floats[EDGE_FLOATS];
    const float *x; /* of the image and group */
    float *y;       /* the output's place BACK */
    int64_t back;
    float out[STRIP_FLOATS]; /* a strip of the output, when that is planar */
    int most;       /* pixels of a tile */
    ox_conv_kernel *const *kernels, *const *near; /* for a number of pixels: any, and inside */
} work;

static void inner_table(const run *r, work *k) {
    const ox_conv *c = r->c;
    const int64_t across = r->planar ? 1 : c->kernel_w, b = r->planar ? 1 : r->s.b;
    for (int64_t i = 0, ky = 0, kx = 0; i < r->s.taps; i++, kx = kx + 1 < across ? kx + 1 : 0, ky += kx == 0) {
        for (int p = 0; p < OX_CONV_PIXELS; p++) k->inner[i][p] = (ky * c->dilation_h * c->in_w + kx * c->dilation_w + p * c->stride_w) * b;
        k->all[i] = (int32_t)i;
        k->every[i] = OX_TAP_ALL;
    }
}

/* The tile's pixels lie at the border, or in several rows: every tap of rows Y0..Y1 of the kernel is looked at. */
static void edge_table(const run *r, work *k, int64_t q, int np, int64_t y0, int64_t y1) {
    const ox_conv *c = r->c;
    int64_t top[OX_CONV_PIXELS], left[OX_CONV_PIXELS], n = 0;
    for (int p = 0; p < np; p++) {
        top[p] = (q + p) / c->out_w * c->stride_h - c->pad_top;
        left[p] = (q + p) % c->out_w * c->stride_w - c->pad_left;
    }
    for (int64_t ky = y0; ky < y1; ky++)
        for (int64_t kx = 0; kx < c->kernel_w; kx++) {
            int inside = 0;
            for (int p = 0; p < np; p++) {
                int64_t y = top[p] + ky * c->dilation_h, x = left[p] + kx * c->dilation_w;
                bool in = y >= 0 && y < c->in_h && x >= 0 && x < c->in_w;
                k->edge[n][p] = in ? (y * c->in_w + x) * r->s.b : -1;
                inside += in;
            }
            if (!inside) continue;
            k->reach[n] = k->edge[n][0] < 0 ? OX_TAP_NOT_FIRST : k->edge[n][np - 1] < 0 ? OX_TAP_NOT_LAST : OX_TAP_ALL;
            k->some[n++] = (int32_t)(ky * c->kernel_w + kx);
        }
    k->t.inside = false, k->t.at = (const int64_t(*)[OX_CONV_PIXELS])k->edge;
    k->t.tap = k->some, k->t.reach = k->reach, k->t.taps = n;
}

/* Planar input of a tile at the border: copied with its pads, kernel rows Y0..Y1. */
static void edge_copy(const run *r, work *k, int64_t top, int64_t left, int np, int64_t y0, int64_t y1) {
    const ox_conv *c = r->c;
    int64_t len = (np - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w + 1, rows = y1 - y0;
    int64_t from = min64(max64(0, -left), len), to = max64(from, min64(len, c->in_w - left));
    float *at = k->floats;
    for (int64_t ch = 0; ch < c->in_channels; ch++)
        for (int64_t ky = y0; ky < y1; ky++, at += len) {
            const float *row = k->x + (ch * c->in_h + top + ky * c->dilation_h) * c->in_w;
            for (int64_t i = 0; i < from; i++) at[i] = 0;
            for (int64_t i = from; i < to; i++) at[i] = row[left + i];
            for (int64_t i = to; i < len; i++) at[i] = 0;
        }
    for (int64_t i = 0; i < rows; i++)
        for (int p = 0; p < np; p++) k->edge[i][p] = i * len + p * c->stride_w;
    k->t.x_block = rows * len;
    k->t.at = (const int64_t(*)[OX_CONV_PIXELS])k->edge;
    k->t.tap = k->all + y0, k->t.reach = k->every, k->t.taps = rows;
}

/* Tiles inside of the image: all pixels in one row, kernel rows Y0..Y1. */
static void inside_table(const run *r, work *k, int64_t y0, int64_t y1) {
    const ox_conv *c = r->c;
    int64_t across = r->planar ? 1 : c->kernel_w;
    k->t.inside = true, k->t.at = (const int64_t(*)[OX_CONV_PIXELS])k->inner;
    k->t.tap = k->all + y0 * across, k->t.reach = k->every, k->t.taps = (y1 - y0) * across;
    k->t.fetch = k->t.taps - across;
    k->t.x_block = c->in_h * c->in_w * (r->planar ? 1 : r->s.b);
}

/* One pass over N pixels from Q on, all in a row unless rows do not matter, cut into tiles of like width; output blocks from J on. X: see work. */
static void pixels(const run *r, work *k, const float *x, int64_t image, int64_t j, int64_t q, int64_t n) {
    const ox_conv *c = r->c;
    int64_t plane = c->out_h * c->out_w, b = r->s.b, tiles = cuts(n, k->most), few = n / tiles, more = n % tiles;
    int64_t to = ((image * r->s.out_blocks + j) * plane + q) * b, xb = r->planar ? 1 : b;
    const float *add = r->tail && r->tail->add ? r->tail->add : NULL;
    int64_t top = r->flat ? 0 : q / c->out_w * c->stride_h - c->pad_top, d = c->dilation_h;
    int64_t y0 = top >= 0 ? 0 : min64(c->kernel_h, cuts(-top, d)), y1 = top >= c->in_h ? y0 : max64(y0, min64(c->kernel_h, cuts(c->in_h - top, d)));
    if (r->flat) y0 = 0, y1 = c->kernel_h;
    inside_table(r, k, y0, y1);
    for (int64_t i = 0, at = 0; i < tiles; i++) {
        int np = (int)(few + (i < more));
        int64_t left = (r->flat ? q + at : at) * c->stride_w - c->pad_left, base = left;
        bool inside = r->plain_points;
        if (!r->flat) {
            inside = left >= 0 && left + (np - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w < c->in_w;
            base += (top + y0 * d) * c->in_w;
        }
        k->t.ahead = np * c->stride_w * xb;
        if (inside) k->near[np](&k->t, x + base * xb, k->y + (to - k->back), add ? add + to : NULL);
        else {
            if (r->planar) edge_copy(r, k, top, left, np, y0, y1);
            else edge_table(r, k, q + at, np, y0, y1);
            k->kernels[np](&k->t, r->planar ? k->floats : x, k->y + (to - k->back), add ? add + to : NULL);
            inside_table(r, k, y0, y1);
        }
        at += np, to += np * b;
    }
}

static void choose_kernels(const run *r, work *k, int64_t blocks) {
    const ox_conv_isa *isa = r->isa;
    const ox_conv *c = r->c;
    int kind = !r->planar ? (c->stride_w == 1 ? OX_NEAR_BLOCKED : -1)
               : c->dilation_w > 1 || c->stride_w > 2 ? -1
               : c->stride_w == 1 ? OX_NEAR_PLANAR1 : OX_NEAR_PLANAR2;
    k->most = r->s.few ? isa->few_pixels[r->s.out] : isa->pixels[blocks];
    k->kernels = r->s.few ? isa->few[r->s.out] : r->s.half ? isa->half : isa->tile[blocks];
    k->near = k->kernels;
    if (kind < 0 || r->s.few || blocks > OX_CONV_NEAR) return;
    k->near = r->s.half ? isa->half_near[kind] : isa->near[kind][blocks];
    if (r->all_inside) k->most = isa->near_pixels[blocks];
}

/* All of N units from U on for a set of output blocks of an image's group. */
static void strip(const run *r, work *k, int64_t image, int64_t set, int64_t u, int64_t n) {
    const ox_conv *c = r->c;
    const shape *s = &r->s;
    int64_t g = image % c->groups, j0 = set_start(s, set), j1 = set_start(s, set + 1), blocks = j1 - j0;
    const float *w = r->w + (uint64_t)(g * s->out_blocks + j0) * s->block_floats;
    int64_t x_block = c->in_h * c->in_w * (r->planar ? 1 : s->b), plane = c->out_h * c->out_w;
    choose_kernels(r, k, blocks);
    if (c->planar_out) {
        k->back = ((image * s->out_blocks + j0) * plane + u * r->unit_pixels) * s->b;
        k->t.y_block = n * r->unit_pixels * s->b;
    }
    k->t.w_lane = s->few ? s->out * s->b : blocks * s->wide;
    for (int64_t i = 0; i < s->in_blocks; i += r->chunk) {
        k->t.blocks = min64(r->chunk, s->in_blocks - i);
        k->t.first = i == 0, k->t.last = i + k->t.blocks == s->in_blocks;
        k->t.last_lanes = k->t.last ? s->last_lanes : s->lanes;
        k->t.clamp = r->tail && r->tail->clamp;
        k->t.w = w + i * s->taps * s->lanes * k->t.w_lane;
        k->t.bias = r->bias ? r->bias + (g * s->out_blocks + j0) * s->b : no_bias;
        const float *x = k->x + i * x_block;
        if (r->flat) pixels(r, k, x, image, j0, u, n);
        else
            for (int64_t v = u; v < u + n; v++) pixels(r, k, x, image, j0, v * c->out_w, c->out_w);
    }
    for (int64_t j = j0; j < j1; j++) {
        int64_t to = ((image * s->out_blocks + j) * plane + u * r->unit_pixels) * s->b, count = n * r->unit_pixels, channel = j * s->b;
        float *y = c->planar_out ? k->y + (j - j0) * k->t.y_block : k->y + to;
        if (r->tail && r->tail->rest) r->tail->rest(r->tail, y, count * s->b, to, g * s->out_blocks * s->b + channel);
        if (c->planar_out) ox_unblock_some(y, plane, min64(s->b, s->out - channel), count, r->y + (image * s->out + channel) * plane + u * r->unit_pixels);
    }
}

/* Piece I of the grid: images and groups x parts of the sets x parts of the units. */
static void piece(const run *r, int64_t i) {
    const ox_conv *c = r->c;
    const shape *s = &r->s;
    work k;
    int64_t part = i % r->unit_parts, sets = i / r->unit_parts % r->set_parts, image = i / r->unit_parts / r->set_parts;
    int64_t u0 = part * r->units / r->unit_parts, u1 = (part + 1) * r->units / r->unit_parts;
    int64_t x_block = c->in_h * c->in_w * (r->planar ? 1 : s->b);
    k.x = r->x + image * s->in_blocks * x_block;
    k.t = (ox_conv_tile){.lanes = s->lanes, .step = r->planar ? c->dilation_w : 1, .all_taps = s->taps, .y_block = c->out_h * c->out_w * s->b};
    if (r->tail) k.t.lo = r->tail->lo, k.t.hi = r->tail->hi;
    k.y = c->planar_out ? k.out : r->y;
    k.back = 0;
    inner_table(r, &k);
    for (int64_t u = u0; u < u1; u += r->strip)
        for (int64_t set = sets * s->sets / r->set_parts; set < (sets + 1) * s->sets / r->set_parts; set++)
            strip(r, &k, image, set, u, min64(r->strip, u1 - u));
}

bool ox_conv_writes_planar(const ox_conv *c, ox_conv_form form) {
    if (form == OX_CONV_DEPTHWISE || form == OX_CONV_NONE) return false;
    shape s = shape_of(c, form);
    double weights = (double)s.block_floats * (double)s.out_blocks * sizeof(float);
    int64_t row = c->out_w * cuts(s.out_blocks, s.sets) * s.b;
    return weights <= 2.0 * CACHE_BYTES && c->out_w <= STRIP_FLOATS && row <= STRIP_FLOATS; /* else strips would be too long */
}

void ox_conv_run(int threads, const ox_conv *c, ox_conv_form form, const float *x, const float *packed, const float *bias, const ox_tail *tail,
                 float *y, float *scratch) {
    if (c->batch < 1 || c->out_h < 1 || c->out_w < 1 || form == OX_CONV_NONE) return;
    if (form == OX_CONV_DEPTHWISE) {
        ox_conv_depthwise(threads, c, x, packed, bias, tail, y);
        return;
    }
    ox_conv p;
    if (scratch && padded(c, form, &p)) {
        copy_padded(1, c, &p, form, x, scratch);
        c = &p, x = scratch;
    }
    run r = {.c = c, .isa = ox_conv_kernels(), .s = shape_of(c, form), .planar = form == OX_CONV_PLANAR, .x = x, .w = packed, .bias = bias,
             .tail = tail, .y = y};
    bool point = c->kernel_h == 1 && c->kernel_w == 1 && c->pad_top == 0 && c->pad_left == 0;
    r.plain_points = point && !r.planar && c->stride_h == 1 && c->stride_w == 1 && c->in_h == c->out_h && c->in_w == c->out_w;
    r.flat = !r.planar && (point || c->out_w <= 3);
    r.all_inside = r.flat ? r.plain_points : is_inside(c);
    cut(&r);
    int64_t pieces = c->batch * c->groups * r.set_parts * r.unit_parts;
    if (pieces == 1) threads = 1;
#pragma omp parallel for num_threads(threads) schedule(dynamic) if (threads > 1)
    for (int64_t i = 0; i < pieces; i++) piece(&r, i);
}
