/* Steps on 8-bit numbers besides convolutions and products: sums and products of two, tables, pools by pixels, changes of form. */
#include "exec/quant_native.h"

#include "cpu/qconv.h"
#include "cpu/qvec.h"
#include "op/kernel.h"
#include "op/window.h"

#include <string.h>

static const ox_tensor *bytes_in(ox_run *r, int i) {
    const ox_tensor *t = r->in[i] && r->in[i]->kind == OX_RT_TENSOR ? r->in[i]->t : NULL;
    if (t && (t->dtype == OX_INT8 || t->dtype == OX_UINT8)) return ox_tensor_data(t) ? t : NULL;
    ox_fail(r->ctx, OX_BAD_DATA, "input %d is no tensor of 8-bit integers", i);
    return NULL;
}

static ox_qparam param(const ox_quant *q) { return (ox_qparam){q->scale, q->zero}; }

enum { PIECE = 1 << 15 };
static int64_t piece_at(int64_t i, int64_t n) { return n - i < PIECE ? n - i : PIECE; }

/* ---- two inputs */

static void pair_chunk(void *out, const void *const *in, int64_t n, const void *user) {
    const ox_quant_pair *p = user;
    ox_qv_pair(p->op, in[0], in[1], n, p->y.is_signed, param(&p->a), param(&p->b), param(&p->y), out);
}

static bool same_sizes(const ox_tensor *a, const ox_tensor *b) {
    return a->rank == b->rank && (!a->rank || !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims));
}

static int run_pair(ox_run *r) {
    const ox_quant_pair *p = r->state;
    const ox_tensor *in[2] = {bytes_in(r, 0), NULL};
    int rank;
    int64_t *dims;
    if (!in[0] || !(in[1] = bytes_in(r, 1))) return -1;
    if (!same_sizes(in[0], in[1])) {
        if (ox_loop_shape(r, 2, in, &rank, &dims)) return -1;
        ox_tensor *y = ox_output(r, 0, ox_quant_type(&p->y), rank, dims);
        ox_dtype as[2] = {in[0]->dtype, in[1]->dtype};
        return y ? ox_elementwise(r, y, y->dtype, 2, in, as, pair_chunk, p) : -1;
    }
    ox_tensor *y = ox_output_over(r, 0, 3, ox_quant_type(&p->y), in[0]->rank, in[0]->dims);
    if (!y) return -1;
    const uint8_t *a = ox_tensor_data(in[0]), *b = ox_tensor_data(in[1]);
    uint8_t *out = ox_tensor_mut(y);
    int threads = ox_threads_for(r->ctx, y->count);
    OX_EACH(threads, i, (y->count + PIECE - 1) / PIECE, {
        int64_t at = i * PIECE;
        ox_qv_pair(p->op, a + at, b + at, piece_at(at, y->count), p->y.is_signed, param(&p->a), param(&p->b), param(&p->y), out + at);
    });
    return 0;
}

/* ---- one input */

static int run_table(ox_run *r) {
    const ox_quant_table *s = r->state;
    const ox_tensor *x = bytes_in(r, 0);
    ox_tensor *y = x ? ox_output_over(r, 0, 1, s->type, x->rank, x->dims) : NULL;
    if (!y) return -1;
    const uint8_t *from = ox_tensor_data(x);
    uint8_t *to = ox_tensor_mut(y);
    int threads = ox_threads_for(r->ctx, y->count);
    OX_EACH(threads, i, (y->count + PIECE - 1) / PIECE, { ox_qv_table(from + i * PIECE, piece_at(i * PIECE, y->count), s->of, to + i * PIECE); });
    return 0;
}

static int run_dequantize(ox_run *r) {
    const ox_quant *s = r->state;
    const ox_tensor *x = bytes_in(r, 0);
    ox_tensor *y = x ? ox_output(r, 0, OX_FLOAT, x->rank, x->dims) : NULL;
    if (!y) return -1;
    const uint8_t *from = ox_tensor_data(x);
    float *to = ox_tensor_mut(y);
    int threads = ox_threads_for(r->ctx, y->count);
    OX_EACH(threads, i, (y->count + PIECE - 1) / PIECE,
            { ox_qv_dequantize(from + i * PIECE, s->is_signed, piece_at(i * PIECE, y->count), param(s), to + i * PIECE); });
    return 0;
}

/* ---- forms */

static int run_same(ox_run *r) {
    const ox_tensor *x = bytes_in(r, 0);
    return x ? ox_output_share(r, 0, x, x->rank, x->dims) : -1;
}

/* Channels go from place FROM to place TO. */
static int move_channels(ox_run *r, bool to_pixels) {
    const ox_tensor *x = bytes_in(r, 0);
    if (!x) return -1;
    int last = x->rank - 1;
    int64_t dims[8], pixels = 1, channels = x->dims[to_pixels ? 1 : last];
    if (x->rank < 3 || x->rank > 8) return ox_fail(r->ctx, OX_BUG, "an image of rank %d", x->rank);
    dims[0] = x->dims[0];
    dims[to_pixels ? last : 1] = channels;
    for (int i = 1; i < last; i++) {
        int64_t size = x->dims[i + to_pixels];
        dims[i + !to_pixels] = size;
        pixels *= size;
    }
    if (pixels == 1 || channels == 1) return ox_output_share(r, 0, x, x->rank, dims);
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, dims);
    if (!y) return -1;
    if (y->count)
        ox_q_transpose(ox_thread_count(r->ctx), x->dims[0], to_pixels ? channels : pixels, to_pixels ? pixels : channels, ox_tensor_data(x),
                       ox_tensor_mut(y));
    return 0;
}
static int run_to_pixels(ox_run *r) { return move_channels(r, true); }
static int run_from_pixels(ox_run *r) { return move_channels(r, false); }

/* ---- pools by pixels */

typedef struct window {
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], begin[2], end[2], channels;
    bool pads; /* places in the pads count */
} window;

static int window_of(ox_run *r, const ox_quant_pool *s, const ox_tensor *x, window *v) {
    int n = s->rank - 2, many = n;
    ox_window w;
    int64_t in[2], out[2];
    *v = (window){{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, x->dims[s->rank - 1], false};
    for (int i = 0; i < n; i++) v->in[i + 2 - n] = in[i] = x->dims[1 + i];
    memcpy(v->kernel, v->in, sizeof v->kernel);
    if (s->global) return 0;
    ox_get_ints(r->call, "kernel_shape", &many);
    if (many != n) return ox_fail(r->ctx, OX_BAD_DATA, "a window of %d axes cannot slide over an input of rank %d", many, s->rank);
    if (ox_window_init(&w, r->call, r->arena, n, NULL) < 0 || ox_window_sizes(r->ctx, &w, in, out) < 0) return -1;
    for (int i = 0; i < n; i++) {
        int to = i + 2 - n;
        v->out[to] = out[i];
        v->kernel[to] = w.kernel[i];
        v->stride[to] = w.stride[i];
        v->dilation[to] = w.dilation[i];
        v->begin[to] = w.begin[i];
        v->end[to] = w.end[i];
    }
    v->pads = !s->max && ox_get_int(r->call, "count_include_pad");
    return 0;
}

/* First and last + 1 of the places of a window at O that lie in the image; how many count. */
static void places(const window *v, int axis, int64_t o, int64_t *from, int64_t *to, int64_t *counted) {
    int64_t at = o * v->stride[axis] - v->begin[axis], d = v->dilation[axis], k = v->kernel[axis], in = v->in[axis];
    *from = at < 0 ? (-at + d - 1) / d : 0;
    *to = at >= in ? 0 : (in - at + d - 1) / d;
    if (*to > k) *to = k;
    if (*from > *to) *from = *to;
    int64_t most = (in + v->end[axis] - at + d - 1) / d;
    *counted = v->pads ? (most < k ? most : k) : *to - *from;
}

/* One pixel of the result. SUMS and REAL have room for all channels. */
static void pool_pixel(const ox_quant_pool *s, const window *v, const uint8_t *x, int64_t oy, int64_t ox, int32_t *sums, float *real, uint8_t *y) {
    int64_t c = v->channels, y0, y1, x0, x1, high, wide;
    places(v, 0, oy, &y0, &y1, &high);
    places(v, 1, ox, &x0, &x1, &wide);
    if (s->max) memset(y, s->x.is_signed ? 128 : 0, (size_t)c);
    else memset(sums, 0, (size_t)c * sizeof *sums);
    for (int64_t i = y0; i < y1; i++)
        for (int64_t j = x0; j < x1; j++) {
            const uint8_t *from = x + ((oy * v->stride[0] - v->begin[0] + i * v->dilation[0]) * v->in[1] + ox * v->stride[1] - v->begin[1] +
                                       j * v->dilation[1]) * c;
            if (s->max) ox_qv_max(from, s->x.is_signed, c, y);
            else ox_qv_add(from, s->x.is_signed, c, sums);
        }
    if (s->max) return;
    float inside = (float)((y1 - y0) * (x1 - x0)), counted = (float)(high * wide), less = (float)s->x.zero * inside;
    if (s->global) ox_qv_scale(sums, c, less, s->x.scale / counted, 1, real);
    else ox_qv_scale(sums, c, less, s->x.scale, counted > 0 ? counted : 1, real);
    ox_qv_quantize(real, c, param(&s->y), ox_quant_least(&s->y), ox_quant_most(&s->y), y);
}

static int run_pool(ox_run *r) {
    const ox_quant_pool *s = r->state;
    const ox_tensor *x = bytes_in(r, 0);
    window v;
    if (!x) return -1;
    if (x->rank != s->rank) return ox_fail(r->ctx, OX_BAD_DATA, "the input is not an image of rank %d", s->rank);
    if (window_of(r, s, x, &v)) return -1;
    int64_t dims[4] = {x->dims[0], v.out[0], v.out[1], v.channels}, rows = x->dims[0] * v.out[0];
    if (s->rank == 3) dims[1] = v.out[1], dims[2] = v.channels;
    ox_tensor *y = ox_output(r, 0, ox_quant_type(&s->y), s->rank, dims);
    if (!y) return -1;
    if (!y->count) return 0;
    if (!x->count && s->global) return ox_fail(r->ctx, OX_BAD_DATA, "a pool over no pixels");
    int threads = ox_threads_for(r->ctx, x->count);
    uint64_t each = (uint64_t)v.channels * 8;
    char *scratch = ox_scratch(r, each * (uint64_t)rows + 1);
    if (!scratch) return -1;
    const uint8_t *from = ox_tensor_data(x);
    uint8_t *to = ox_tensor_mut(y);
    OX_EACH(threads, i, rows, {
        int32_t *sums = (int32_t *)(void *)(scratch + each * (uint64_t)i);
        for (int64_t j = 0; j < v.out[1]; j++)
            pool_pixel(s, &v, from + i / v.out[0] * v.in[0] * v.in[1] * v.channels, i % v.out[0], j, sums, (float *)(void *)(sums + v.channels),
                       to + (i * v.out[1] + j) * v.channels);
    });
    return 0;
}

const ox_native ox_native_qpair = {"8-bit pairs", run_pair, NULL, NULL};
const ox_native ox_native_qtable = {"8-bit table", run_table, NULL, NULL};
const ox_native ox_native_qpool = {"8-bit pool", run_pool, NULL, NULL};
const ox_native ox_native_to_pixels = {"to pixels", run_to_pixels, NULL, NULL};
const ox_native ox_native_from_pixels = {"from pixels", run_from_pixels, NULL, NULL};
const ox_native ox_native_same = {"the same", run_same, NULL, NULL};
const ox_native ox_native_dequantize = {"from 8 bits", run_dequantize, NULL, NULL};
