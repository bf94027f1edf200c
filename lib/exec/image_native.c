/* What else is done to images in blocks of channels: pools, pads, other sizes, and the ways in and out. */
#include "cpu/conv.h"
#include "exec/native.h"
#include "op/compute.h"
#include "op/window.h"

static const ox_tensor *image(ox_run *r, int rank, ox_dtype dtype) {
    const ox_rt *v = r->in[0];
    if (v && v->kind == OX_RT_TENSOR && v->t->dtype == dtype && v->t->rank == rank) return v->t;
    ox_fail(r->ctx, OX_BAD_DATA, "the input is not an image of rank %d", rank);
    return NULL;
}

static int64_t blocks_of(int64_t channels) { return (channels + ox_conv_block() - 1) / ox_conv_block(); }

static int run_block(ox_run *r) {
    const ox_image_move *s = r->state;
    const ox_tensor *x = image(r, s->rank, s->dtype);
    if (!x) return -1;
    bool one = s->rank == 3;
    int64_t block = ox_conv_block(), h = one ? 1 : x->dims[2], w = x->dims[one ? 2 : 3];
    if (x->dims[1] != s->channels)
        return ox_fail(r->ctx, OX_BAD_DATA, "the image has %" PRId64 " channels, not %" PRId64, x->dims[1], s->channels);
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 5, (int64_t[]){x->dims[0], blocks_of(s->channels), h, w, block});
    const float *from = y ? ox_native_input(r, x) : NULL;
    if (!from) return -1;
    if (y->count) ox_image_block(ox_thread_count(r->ctx), x->dims[0], s->channels, h * w, from, ox_tensor_mut(y));
    return 0;
}

static int run_unblock(ox_run *r) {
    const ox_image_move *s = r->state;
    const ox_tensor *x = image(r, 5, OX_FLOAT);
    if (!x) return -1;
    bool one = s->rank == 3;
    int64_t dims[4] = {x->dims[0], s->channels, x->dims[one ? 3 : 2], x->dims[3]};
    ox_tensor *y = ox_output(r, 0, s->dtype, s->rank, dims);
    const float *from = y ? ox_tensor_data(x) : NULL;
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!from || !to) return -1;
    if (y->count) ox_image_unblock(ox_thread_count(r->ctx), x->dims[0], s->channels, x->dims[2] * x->dims[3], from, to);
    ox_floats_done(r, y, to);
    return 0;
}

static int run_window(ox_run *r, const ox_image_pool *s, const ox_tensor *x, const float *from) {
    int n = s->rank - 2, given;
    ox_window w;
    int64_t in[2] = {x->dims[n == 1 ? 3 : 2], x->dims[3]}, out[2];
    ox_get_ints(r->call, "kernel_shape", &given);
    if (given != n) return ox_fail(r->ctx, OX_BAD_DATA, "a window of %d axes cannot slide over an input of rank %d", given, s->rank);
    if (ox_window_init(&w, r->call, r->arena, n, NULL) < 0 || ox_window_sizes(r->ctx, &w, in, out) < 0) return -1;
    bool one = n == 1;
    ox_conv c = {.batch = x->dims[0], .groups = 1, .in_channels = s->channels, .out_channels = s->channels, .in_h = one ? 1 : in[0],
                 .in_w = in[n - 1], .out_h = one ? 1 : out[0], .out_w = out[n - 1], .kernel_h = one ? 1 : w.kernel[0], .kernel_w = w.kernel[n - 1],
                 .stride_h = one ? 1 : w.stride[0], .stride_w = w.stride[n - 1], .dilation_h = one ? 1 : w.dilation[0],
                 .dilation_w = w.dilation[n - 1], .pad_top = one ? 0 : w.begin[0], .pad_left = w.begin[n - 1]};
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 5, (int64_t[]){c.batch, x->dims[1], c.out_h, c.out_w, x->dims[4]});
    if (!y) return -1;
    ox_pool_kind kind = s->max ? OX_POOL_MAX : ox_get_int(r->call, "count_include_pad") ? OX_POOL_AVERAGE_PADS : OX_POOL_AVERAGE;
    if (y->count) ox_pool_run(ox_thread_count(r->ctx), &c, kind, one ? 0 : w.end[0], w.end[n - 1], from, ox_tensor_mut(y));
    return 0;
}

static int run_pool(ox_run *r) {
    const ox_image_pool *s = r->state;
    const ox_tensor *x = image(r, 5, OX_FLOAT);
    const float *from = x ? ox_tensor_data(x) : NULL;
    if (!from) return -1;
    if (!s->global) return run_window(r, s, x, from);
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 5, (int64_t[]){x->dims[0], x->dims[1], 1, 1, x->dims[4]});
    if (!y) return -1;
    if (y->count && !x->count) return ox_fail(r->ctx, OX_BAD_DATA, "a pool over no pixels");
    if (y->count) ox_pool_global(ox_thread_count(r->ctx), x->dims[0], s->channels, x->dims[2] * x->dims[3], s->max, from, ox_tensor_mut(y));
    return 0;
}

/* Pads by a constant, which is input 2. */
static int run_pad(ox_run *r) {
    const ox_image_frame *s = r->state;
    const ox_tensor *x = image(r, 5, OX_FLOAT), *value = ox_input(r, 2);
    const float *from = x ? ox_tensor_data(x) : NULL, *fill = value ? ox_native_input(r, value) : NULL;
    if (!from || (value && !fill)) return -1;
    if (value && (!ox_dtype_is_float(value->dtype) || value->dtype == OX_DOUBLE || value->count != 1)) return ox_fail(r->ctx, OX_BAD_DATA, "constant_value is not one float");
    ox_image_pads p = {.batch = x->dims[0], .in_channels = s->in_channels, .out_channels = s->out_channels, .in_h = x->dims[2], .in_w = x->dims[3],
                       .top = s->top, .left = s->left, .value = fill ? *fill : 0};
    if (!ox_add_ok(p.in_h, s->top + s->bottom, &p.out_h) || !ox_add_ok(p.in_w, s->left + s->right, &p.out_w))
        return ox_fail(r->ctx, OX_BAD_DATA, "pads are too large");
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 5, (int64_t[]){p.batch, blocks_of(s->out_channels), p.out_h, p.out_w, x->dims[4]});
    if (!y) return -1;
    if (y->count) ox_image_pad(ox_thread_count(r->ctx), &p, from, ox_tensor_mut(y));
    return 0;
}

static int run_resize(ox_run *r) {
    const ox_image_resize *s = r->state;
    const ox_tensor *x = image(r, 5, OX_FLOAT);
    return x ? ox_run_resize_blocks(r, x, s->rank, s->channels) : -1;
}

const ox_native ox_native_resize = {"resize in blocks", run_resize, NULL, NULL};
const ox_native ox_native_pad = {"pads in blocks", run_pad, NULL, NULL};
const ox_native ox_native_pool = {"pool in blocks", run_pool, NULL, NULL};
const ox_native ox_native_block = {"to blocks", run_block, NULL, NULL};
const ox_native ox_native_unblock = {"from blocks", run_unblock, NULL, NULL};
