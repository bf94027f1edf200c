/* Winograd's convolutions by 3x3 kernels, F(2x2) and F(4x4), stride 1: a tile of the input becomes 16 or 36 positions, each of which is
 * multiplied by weights of its own over the channels, and the sums become a tile of the output: 2.25 or 4 times fewer products than the direct way
 * has. Tiles are taken in strips, as many as fit into the limit of the workspace, across rows and images of the batch:
 *
 *   workspace: V [position][input block][tile][B], M [position][output block of a set][tile][B]
 *
 * The products are those of a 1x1 convolution whose pixels are the tiles: the kernels of conv_isa.c make them. A sum is made in one order wherever
 * strips and tiles begin, so bits depend neither on the limit nor on threads. Threads have strips of their own where the parts of the workspace
 * hold enough tiles, else they work on one strip together and read its weights once. */
#include "cpu/winograd.h"
#include "cpu/conv_algorithms.h"
#include "cpu/conv_tile.h"

#include <math.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { LINE = 16 /* floats of a cache line */, FEWEST = 2 /* tiles of a strip */, APART = 4 /* tiles from which on threads work apart */, FEWEST_CHANNELS = 8 };
static const float no_bias[OX_CONV_GROUP * 16];

static const ox_winograd_isa *transforms(void) {
#if defined(__x86_64__)
    switch (ox_cpu_isa()) {
    case OX_ISA_AVX512: return &ox_winograd_isa_avx512;
    case OX_ISA_AVX2: return &ox_winograd_isa_avx2;
    default: break;
    }
#endif
    return &ox_winograd_isa_plain;
}

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t cuts(int64_t n, int64_t size) { return n / size + (n % size != 0); }

/* What follows from channels: the weights are [group][set][position][input channel][blocks of the set][B]. */
typedef struct shape {
    int64_t out, side, positions;                  /* pixels of a tile across: of the output, of the input */
    int64_t b, in, in_blocks, out_blocks, sets;    /* of a group */
} shape;

static shape shape_of(const ox_conv *c, int64_t out) {
    const ox_conv_isa *isa = ox_conv_kernels();
    shape s = {.out = out, .side = out + 2, .positions = (out + 2) * (out + 2), .b = isa->block, .in = c->in_channels / c->groups};
    s.in_blocks = cuts(s.in, s.b);
    s.out_blocks = cuts(c->out_channels / c->groups, s.b);
    s.sets = cuts(s.out_blocks, isa->group);
    return s;
}

/* Tiles of the image and of a strip. */
typedef struct strips {
    int64_t across, down, all; /* tiles of a row, rows of an image, tiles of the batch */
    int64_t most;              /* tiles of a strip */
    int64_t v_step, m_step;    /* floats from one position to the next: an odd number of lines, as all positions of a tile are written together */
} strips;

static int64_t odd_lines(int64_t floats) { return (cuts(floats, LINE) | 1) * LINE; }

static strips strips_of(const ox_conv *c, const shape *s, uint64_t limit) {
    strips t = {.across = cuts(c->out_w, s->out), .down = cuts(c->out_h, s->out)};
    t.all = c->batch * t.down * t.across;
    const int64_t set_blocks = cuts(s->out_blocks, s->sets), room = (int64_t)(limit / sizeof(float)) / s->positions - 4 * LINE;
    t.most = max64(0, min64(t.all, room / ((s->in_blocks + set_blocks) * s->b)));
    if (t.most) t.most = cuts(t.all, cuts(t.all, t.most)); /* strips of like length */
    t.v_step = odd_lines(s->in_blocks * t.most * s->b);
    t.m_step = odd_lines(set_blocks * t.most * s->b);
    return t;
}

static bool serves(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form, int64_t out, bool smallest) {
    if (form != OX_CONV_BLOCKED || c->kernel_h != 3 || c->kernel_w != 3 || c->stride_h != 1 || c->stride_w != 1) return false;
    if (c->dilation_h != 1 || c->dilation_w != 1 || c->batch < 1 || c->out_h < 1 || c->out_w < 1) return false;
    shape s = shape_of(c, out);
    if (s.in < FEWEST_CHANNELS || c->out_channels / c->groups < FEWEST_CHANNELS) return false;
    strips t = strips_of(c, &s, a->limit);
    if (t.most < min64(t.all, FEWEST)) return false;
    return smallest || strips_of(c, &s, a->limit / 4).most < t.most;
}

static uint64_t packed_floats(const ox_conv *c, int64_t out) {
    shape s = shape_of(c, out);
    return (uint64_t)(c->groups * s.out_blocks * s.b) * (uint64_t)(s.in * s.positions);
}

/* The weights of a kernel at the positions of a line: G of the points that winograd_isa.c has. */
static void weight_line(int64_t side, const double *w, int64_t step, double *to, int64_t to_step) {
    const double x = w[0], y = w[step], z = w[2 * step], a = sqrt(0.5), b = sqrt(2);
    to[0] = x;
    to[(side - 1) * to_step] = z;
    if (side == 4) {
        to[to_step] = (x + y + z) / 2;
        to[2 * to_step] = (x - y + z) / 2;
    } else {
        to[to_step] = -(x + a * y + z / 2) / 1.5;
        to[2 * to_step] = -(x - a * y + z / 2) / 1.5;
        to[3 * to_step] = (x + b * y + 2 * z) / 6;
        to[4 * to_step] = (x - b * y + 2 * z) / 6;
    }
}

static void weight_tile(int64_t side, const float *w, double scale, double *to) {
    double all[9], half[3 * OX_WINOGRAD_SIDE];
    for (int i = 0; i < 9; i++) all[i] = w[i] * scale;
    for (int j = 0; j < 3; j++) weight_line(side, all + j, 3, half + j, 3);
    for (int64_t i = 0; i < side; i++) weight_line(side, half + 3 * i, 1, to + i * side, 1);
}

/* Output block J of a group. */
static void pack_block(const ox_conv *c, const shape *s, const float *w, const float *scale, int64_t g, int64_t j, float *packed) {
    int64_t outs = c->out_channels / c->groups, set = 0;
    while (ox_conv_set_start(s->out_blocks, s->sets, set + 1) <= j) set++;
    int64_t first = ox_conv_set_start(s->out_blocks, s->sets, set), width = (ox_conv_set_start(s->out_blocks, s->sets, set + 1) - first) * s->b;
    float *to = packed + (g * s->out_blocks + first) * s->b * s->in * s->positions + (j - first) * s->b;
    for (int64_t i = 0; i < s->in; i++)
        for (int64_t o = 0; o < s->b; o++) {
            double t[OX_WINOGRAD_SIDE * OX_WINOGRAD_SIDE] = {0};
            int64_t out = j * s->b + o, from = g * outs + out;
            if (out < outs) weight_tile(s->side, w + (from * s->in + i) * 9, scale ? scale[from] : 1, t);
            for (int64_t p = 0; p < s->positions; p++) to[(p * s->in + i) * width + o] = (float)t[p];
        }
}

static void pack(const ox_conv *c, int64_t out, const float *w, const float *scale, float *packed, int threads) {
    shape s = shape_of(c, out);
    int64_t n = c->groups * s.out_blocks;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < n; i++) pack_block(c, &s, w, scale, i / s.out_blocks, i % s.out_blocks, packed);
    ox_flush_subnormal(packed, packed_floats(c, out));
}

static uint64_t workspace(const ox_conv_algorithm *a, const ox_conv *c, int64_t out) {
    shape s = shape_of(c, out);
    strips t = strips_of(c, &s, a->limit);
    return (uint64_t)(s.positions * (t.v_step + t.m_step)) * sizeof(float);
}

/* A run, and the strip and group that are worked on. */
typedef struct run {
    const ox_conv *c;
    shape s;
    strips t;
    const float *x, *w, *bias;
    const ox_tail *tail;
    float *y, *v, *m;
    int64_t group, first, n; /* tiles of the strip */
} run;

/* Tiles of a strip that lie in one row of tiles. */
typedef struct segment {
    int64_t image, row, from, to, at; /* AT: number of the first in the strip */
} segment;

static int64_t segments(const run *r) { return (r->first + r->n - 1) / r->t.across - r->first / r->t.across + 1; }

static segment segment_of(const run *r, int64_t i) {
    int64_t line = r->first / r->t.across + i, start = line * r->t.across;
    int64_t from = max64(r->first, start), to = min64(r->first + r->n, start + r->t.across);
    return (segment){line / r->t.down, line % r->t.down, from - start, to - start, from - r->first};
}

/* A tile at the border, with zeros around the image. */
static void edge_copy(const run *r, const float *x, int64_t top, int64_t left, float *to) {
    const int64_t side = r->s.side, b = r->s.b;
    int64_t y0 = max64(0, -top), y1 = min64(side, r->c->in_h - top), x0 = max64(0, -left), x1 = min64(side, r->c->in_w - left);
    memset(to, 0, (size_t)(side * side * b) * sizeof *to);
    for (int64_t y = y0; y < y1 && x0 < x1; y++)
        memcpy(to + (y * side + x0) * b, x + ((top + y) * r->c->in_w + left + x0) * b, (size_t)((x1 - x0) * b) * sizeof *to);
}

static void inputs(const run *r, int64_t block, int64_t number) {
    const ox_conv *c = r->c;
    const shape *s = &r->s;
    const segment e = segment_of(r, number);
    ox_winograd_in *in = s->out == 4 ? transforms()->in4 : transforms()->in2;
    const float *x = r->x + ((e.image * c->groups + r->group) * s->in_blocks + block) * c->in_h * c->in_w * s->b;
    const int64_t top = e.row * s->out - c->pad_top;
    float edge[OX_WINOGRAD_SIDE * OX_WINOGRAD_SIDE * 16], *v = r->v + (block * r->n + e.at) * s->b;
    for (int64_t i = e.from; i < e.to; i++, v += s->b) {
        int64_t left = i * s->out - c->pad_left;
        if (top >= 0 && left >= 0 && top + s->side <= c->in_h && left + s->side <= c->in_w) {
            in(x + (top * c->in_w + left) * s->b, c->in_w * s->b, v, r->t.v_step);
        } else {
            edge_copy(r, x, top, left, edge);
            in(edge, s->side * s->b, v, r->t.v_step);
        }
    }
}

/* All tiles of a strip at one position, for a set of output blocks. */
static void products(const run *r, int64_t set, int64_t position) {
    static const int32_t tap[1] = {0};
    static const uint8_t reach[1] = {OX_TAP_ALL};
    const ox_conv_isa *isa = ox_conv_kernels();
    const shape *s = &r->s;
    int64_t first = ox_conv_set_start(s->out_blocks, s->sets, set), blocks = ox_conv_set_start(s->out_blocks, s->sets, set + 1) - first;
    int64_t at[1][OX_CONV_PIXELS], width = blocks * s->b;
    for (int p = 0; p < OX_CONV_PIXELS; p++) at[0][p] = p * s->b;
    bool near = blocks <= OX_CONV_NEAR;
    ox_conv_kernel *const *kernels = near ? isa->near[OX_NEAR_BLOCKED][blocks] : isa->tile[blocks];
    ox_conv_tile t = {.at = (const int64_t(*)[OX_CONV_PIXELS])at, .reach = reach, .tap = tap, .taps = 1, .all_taps = 1, .inside = true,
                      .blocks = s->in_blocks, .lanes = s->b, .last_lanes = s->in - (s->in_blocks - 1) * s->b, .step = 1, .x_block = r->n * s->b,
                      .y_block = r->n * s->b, .w_lane = width, .bias = no_bias, .first = true, .last = true};
    t.w = r->w + ((r->group * s->out_blocks + first) * s->b * s->positions + position * width) * s->in;
    int64_t tiles = cuts(r->n, near ? isa->near_pixels[blocks] : isa->pixels[blocks]), few = r->n / tiles, more = r->n % tiles;
    const float *x = r->v + position * r->t.v_step;
    float *y = r->m + position * r->t.m_step;
    for (int64_t i = 0; i < tiles; i++) {
        int64_t np = few + (i < more);
        t.ahead = np * s->b;
        kernels[np](&t, x, y, NULL);
        x += np * s->b, y += np * s->b;
    }
}

static void rest(const run *r, const segment *e, int64_t block, int64_t to) {
    const ox_conv *c = r->c;
    const int64_t b = r->s.b, row = c->out_w * b, rows = min64(r->s.out, c->out_h - e->row * r->s.out);
    const int64_t n = min64(e->to * r->s.out, c->out_w) * b - e->from * r->s.out * b;
    if (n == row) r->tail->rest(r->tail, r->y + to, rows * row, to, block * b);
    else
        for (int64_t i = 0; i < rows; i++, to += row) r->tail->rest(r->tail, r->y + to, n, to, block * b);
}

/* Output block J of a set that begins at block FIRST of the group. */
static void outputs(const run *r, int64_t first, int64_t j, int64_t number) {
    const ox_conv *c = r->c;
    const shape *s = &r->s;
    const segment e = segment_of(r, number);
    void (*out)(const ox_winograd_out *) = s->out == 4 ? transforms()->out4 : transforms()->out2;
    const int64_t block = r->group * s->out_blocks + first + j, plane = (e.image * c->groups * s->out_blocks + block) * c->out_h;
    const int64_t start = ((plane + e.row * s->out) * c->out_w + e.from * s->out) * s->b;
    ox_winograd_out o = {.m = r->m + (j * r->n + e.at) * s->b, .bias = r->bias ? r->bias + block * s->b : no_bias, .step = r->t.m_step,
                         .row = c->out_w * s->b, .rows = (int)min64(s->out, c->out_h - e.row * s->out)};
    if (r->tail) o.clamp = r->tail->clamp, o.lo = r->tail->lo, o.hi = r->tail->hi;
    for (int64_t i = e.from, to = start; i < e.to; i++, to += s->out * s->b, o.m += s->b) {
        o.cols = (int)min64(s->out, c->out_w - i * s->out);
        o.y = r->y + to;
        o.add = r->tail && r->tail->add ? r->tail->add + to : NULL;
        out(&o);
    }
    if (r->tail && r->tail->rest) rest(r, &e, block, start);
}

static void strip(const run *r, int threads) {
    const shape *s = &r->s;
    const int64_t n = segments(r);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t i = 0; i < n * s->in_blocks; i++) inputs(r, i / n, i % n);
    for (int64_t set = 0; set < s->sets; set++) {
        const int64_t first = ox_conv_set_start(s->out_blocks, s->sets, set), end = ox_conv_set_start(s->out_blocks, s->sets, set + 1);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
        for (int64_t p = 0; p < s->positions; p++) products(r, set, p);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
        for (int64_t i = 0; i < n * (end - first); i++) outputs(r, first, i / n, i % n);
    }
}

static void all_strips(run *r, int threads) {
    for (r->first = 0; r->first < r->t.all; r->first += r->n) {
        r->n = min64(r->t.most, r->t.all - r->first);
        strip(r, threads);
    }
}

static int this_thread(void) {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Every thread has a part of the workspace and strips of its own. */
static void apart(const run *r, int threads, int64_t part) {
    const int64_t n = cuts(r->t.all, r->t.most);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t i = 0; i < n; i++) {
        run mine = *r;
        mine.v = r->v + this_thread() * part;
        mine.m = mine.v + r->s.positions * r->t.v_step;
        mine.first = i * r->t.most;
        mine.n = min64(r->t.most, r->t.all - mine.first);
        strip(&mine, 1);
    }
}

static void run_tiles(const ox_conv_algorithm *a, int threads, const ox_conv *c, int64_t out, const float *x, const float *packed, const float *bias,
                      const ox_tail *tail, float *y, float *room) {
    run r = {.c = c, .s = shape_of(c, out), .x = x, .w = packed, .bias = bias, .tail = tail, .y = y, .v = room};
    r.t = strips_of(c, &r.s, a->limit);
    r.m = room + r.s.positions * r.t.v_step;
    threads = ox_cpu_threads(threads, r.t.most * r.s.positions * r.s.in * cuts(r.s.out_blocks, r.s.sets));
    int64_t part = r.s.positions * (r.t.v_step + r.t.m_step) / threads / LINE * LINE;
    strips own = strips_of(c, &r.s, (uint64_t)part * sizeof(float));
    bool far = threads > 1 && own.most >= APART;
    if (far) r.t = own;
    for (r.group = 0; r.group < c->groups; r.group++) {
        if (far) apart(&r, threads, part);
        else all_strips(&r, threads);
    }
}

#define FAMILY(out)                                                                                                    \
    static bool serves##out(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {                         \
        return serves(a, c, form, out, a == ox_winograd##out);                                                         \
    }                                                                                                                  \
    static uint64_t packed_floats##out(const ox_conv *c, ox_conv_form form) {                                          \
        (void)form;                                                                                                    \
        return packed_floats(c, out);                                                                                  \
    }                                                                                                                  \
    static void pack##out(const ox_conv *c, ox_conv_form form, const float *w, const float *scale, float *packed, int threads) { \
        (void)form;                                                                                                    \
        pack(c, out, w, scale, packed, threads);                                                                       \
    }                                                                                                                  \
    static uint64_t workspace##out(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {                  \
        (void)form;                                                                                                    \
        return workspace(a, c, out);                                                                                   \
    }                                                                                                                  \
    static void run##out(const ox_conv_algorithm *a, int threads, const ox_conv *c, ox_conv_form form, const float *x, const float *packed, \
                         const float *bias, const ox_tail *tail, float *y, float *room) {                              \
        (void)form;                                                                                                    \
        run_tiles(a, threads, c, out, x, packed, bias, tail, y, room);                                                 \
    }
#define ROW(out, size, bytes) {"winograd-" #out "x" #out "-" size, false, false, bytes, serves##out, packed_floats##out, pack##out, workspace##out, run##out}
#define ROWS(out) {ROW(out, "64K", 64 << 10), ROW(out, "256K", 256 << 10), ROW(out, "1M", 1 << 20), ROW(out, "4M", 4 << 20)}
FAMILY(2)
FAMILY(4)
const ox_conv_algorithm ox_winograd2[OX_WINOGRAD_LIMITS] = ROWS(2);
const ox_conv_algorithm ox_winograd4[OX_WINOGRAD_LIMITS] = ROWS(4);
