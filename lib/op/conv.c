/* Convolutions: rows and shape rules. Kernels: conv_kernels.c, conv_more.c. */
#include "op/compute.h"
#include "op/window.h"

/* The rank and a copy of the dims of the output, [N, C, spatial...] with all but the batch unknown; false when no
 * rank is known. */
static bool start_dims(ox_call *c, int *rank, ox_dim **dims) {
    *rank = ox_in_rank(c, 0) >= 0 ? ox_in_rank(c, 0) : ox_in_rank(c, 1);
    if (*rank < 0) return false;
    *dims = OX_NEW_N(c->arena, ox_dim, *rank + 1);
    if (ox_in_rank(c, 0) > 0) (*dims)[0] = ox_in_dims(c, 0)[0];
    return true;
}

/* Sizes of the kernel: of the weights from axis 2 on, else of the attribute; NULL when unknown. *failed is set after
 * ox_fail. */
static const int64_t *known_kernel(ox_call *c, int n, bool *failed) {
    const ox_dim *w = ox_in_rank(c, 1) == n + 2 ? ox_in_dims(c, 1) : NULL;
    int64_t *kernel = OX_NEW_N(c->arena, int64_t, n + 1);
    for (int d = 0; w && d < n; d++) {
        if (!ox_dim_is_const(w[d + 2], &kernel[d])) w = NULL;
    }
    return w ? kernel : ox_window_ints(c, "kernel_shape", n, failed);
}

static int check_conv(ox_call *c, int rank) {
    int rx = ox_in_rank(c, 0), rw = ox_in_rank(c, 1);
    int64_t groups = ox_get_int(c, "group");
    if (rank < 3 || (rx >= 0 && rw >= 0 && rx != rw))
        return ox_fail(c->ctx, OX_BAD_DATA, "an input of rank %d and weights of rank %d do not go together", rx, rw);
    if (groups < 1) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'group' is %" PRId64, groups);
    return 0;
}

/* Does channel axis 1 of input 0 fit W's axis (1: Conv, 0: transposed) and does the number of groups divide? */
static int check_channels(ox_call *c, bool transposed) {
    int64_t groups = ox_get_int(c, "group"), channels, rows, per_group;
    const ox_dim *x = ox_in_dims(c, 0), *w = ox_in_dims(c, 1);
    bool kx = x && ox_dim_is_const(x[1], &channels), kr = w && ox_dim_is_const(w[0], &rows),
         kw = w && ox_dim_is_const(w[1], &per_group);
    if ((kx && channels % groups) || (kr && rows % groups))
        return ox_fail(c->ctx, OX_BAD_DATA, "channels cannot be cut into %" PRId64 " groups", groups);
    const ox_dim *b = ox_in_rank(c, 2) == 1 ? ox_in_dims(c, 2) : NULL;
    int64_t outputs, bias;
    bool known = transposed ? kw && ox_mul_ok(per_group, groups, &outputs) : kr && ox_mul_ok(rows, 1, &outputs);
    if (b && known && ox_dim_is_const(b[0], &bias) && bias != outputs)
        return ox_fail(c->ctx, OX_BAD_DATA, "%" PRId64 " output channels, but a bias of %" PRId64 " elements", outputs, bias);
    bool wrong = transposed ? kx && kr && rows != channels : kx && kw && per_group != channels / groups;
    return wrong ? ox_fail(c->ctx, OX_BAD_DATA,
                           "the input has %" PRId64 " channels, the weights are for another number", channels)
                 : 0;
}

static int infer_conv(ox_call *c) {
    int rank;
    ox_dim *dims;
    bool failed = false;
    if (!start_dims(c, &rank, &dims)) {
        ox_out_tensor(c, 0, ox_out_dtype(c, 0), -1, NULL);
        return 0;
    }
    if (check_conv(c, rank) < 0 || check_channels(c, false) < 0) return -1;
    const ox_dim *x = ox_in_dims(c, 0), *w = ox_in_dims(c, 1);
    if (w) dims[1] = w[0];
    const int64_t *kernel = known_kernel(c, rank - 2, &failed);
    ox_window win;
    if (failed || (kernel && ox_window_init(&win, c, c->arena, rank - 2, kernel) < 0)) return -1;
    for (int d = 0; x && kernel && d < rank - 2; d++) dims[d + 2] = ox_window_dim(c->ctx, &win, d, x[d + 2], &failed);
    if (failed) return -1;
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    return 0;
}

static int spread_dims(ox_call *c, int n, const int64_t *kernel, const ox_dim *x, ox_dim *dims) {
    ox_window win;
    bool failed = false;
    int64_t in, out;
    const int64_t *padding = ox_window_ints(c, "output_padding", n, &failed),
                  *shape = ox_window_ints(c, "output_shape", n, &failed);
    if (failed || ox_window_init(&win, c, c->arena, n, kernel) < 0) return -1;
    for (int d = 0; d < n; d++) {
        ox_window one = {.n = 1,
                         .kernel = win.kernel + d,
                         .stride = win.stride + d,
                         .dilation = win.dilation + d,
                         .extent = win.extent + d,
                         .begin = win.begin + d,
                         .end = win.end + d,
                         .pad = win.pad};
        if (!ox_dim_is_const(x[d], &in)) {
            dims[d] = ox_window_spread_dim(c->ctx, &win, d, padding ? padding[d] : 0, shape, x[d]);
            continue;
        }
        if (ox_window_spread_sizes(c->ctx, &one, padding ? padding + d : NULL, shape ? shape + d : NULL, &in, &out) < 0)
            return -1;
        dims[d] = ox_dim_const(c->ctx, out);
    }
    return 0;
}

static int infer_conv_transpose(ox_call *c) {
    int rank;
    ox_dim *dims;
    bool failed = false;
    if (!start_dims(c, &rank, &dims)) {
        ox_out_tensor(c, 0, ox_out_dtype(c, 0), -1, NULL);
        return 0;
    }
    if (check_conv(c, rank) < 0 || check_channels(c, true) < 0) return -1;
    const ox_dim *x = ox_in_dims(c, 0), *w = ox_in_dims(c, 1);
    if (w) dims[1] = ox_dim_mul(c->ctx, w[1], ox_dim_const(c->ctx, ox_get_int(c, "group")));
    const int64_t *kernel = known_kernel(c, rank - 2, &failed);
    if (failed || (x && kernel && spread_dims(c, rank - 2, kernel, x + 2, dims + 2) < 0)) return -1;
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    return 0;
}

/* [N, C * block, L] to [N, C, image]. */
static int infer_col2im(ox_call *c) {
    int64_t n = 0, n_block = 0, block = 1;
    const ox_dim *image = ox_in_elems(c, 1, &n), *x = ox_in_rank(c, 0) == 3 ? ox_in_dims(c, 0) : NULL;
    const int64_t *sizes = ox_in_ints(c, 2, &n_block);
    const ox_dim *shape = ox_in_rank(c, 1) == 1 ? ox_in_dims(c, 1) : ox_in_rank(c, 2) == 1 ? ox_in_dims(c, 2) : NULL;
    if (ox_in_rank(c, 0) >= 0 && !x) return ox_fail(c->ctx, OX_BAD_DATA, "the input must have rank 3");
    if (!image && (!shape || !ox_dim_is_const(shape[0], &n))) n = -1;
    if (n < 1 || n > OX_WINDOW_AXES - 2) {
        ox_out_tensor(c, 0, ox_out_dtype(c, 0), -1, NULL);
        return n == 0 ? ox_fail(c->ctx, OX_BAD_DATA, "the image has no axes") : 0;
    }
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, n + 2);
    for (int64_t i = 0; sizes && i < n_block; i++) {
        if (sizes[i] < 1 || !ox_mul_ok(block, sizes[i], &block))
            return ox_fail(c->ctx, OX_BAD_DATA, "the block shape cannot be");
    }
    if (x) {
        dims[0] = x[0];
        int64_t rows;
        if (sizes && ox_dim_is_const(x[1], &rows) && rows % block)
            return ox_fail(c->ctx, OX_BAD_DATA, "channels are not a multiple of the block");
        if (sizes) dims[1] = ox_dim_exact_div(c->ctx, x[1], ox_dim_const(c->ctx, block));
    }
    for (int64_t i = 0; image && i < n; i++) dims[i + 2] = image[i];
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), (int)n + 2, dims);
    return 0;
}

static int infer_causal_conv(ox_call *c) {
    const ox_dim *x = ox_in_dims(c, 0), *w = ox_in_dims(c, 1);
    if ((x && ox_in_rank(c, 0) != 3) || (w && ox_in_rank(c, 1) != 3))
        return ox_fail(c->ctx, OX_BAD_DATA, "input and weight must have rank 3");
    ox_out_type(c, 0, ox_in_type(c, 0));
    ox_dim dims[3] = {x ? x[0] : NULL, x ? x[1] : w ? w[0] : NULL, w ? ox_dim_addi(c->ctx, w[2], -1) : NULL};
    ox_out_tensor(c, 1, ox_in_dtype(c, 0), 3, dims);
    return 0;
}

OX_FAMILY(conv, "",
    OP("Conv", 22,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T X, T W, T? B) => (T Y) T: floats|bfloat16",
       .infer = infer_conv, .kernel = ox_run_conv),
    OP("Conv", 11,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T X, T W, T? B) => (T Y) T: floats"),
    OP("Conv", 1,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T X, T W, T? B) => (T Y) T: floats"),
    OP("ConvTranspose", 22,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, "
       "output_padding: ints?, output_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B) => (T "
       "Y) T: floats|bfloat16",
       .infer = infer_conv_transpose, .kernel = ox_run_conv_transpose),
    OP("ConvTranspose", 11,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, "
       "output_padding: ints?, output_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B) => (T "
       "Y) T: floats"),
    OP("ConvTranspose", 1,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, "
       "output_padding: ints?, output_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B) => (T "
       "Y) T: floats"),
    OP("DeformConv", 22,
       "<dilations: ints?, group: int = 1, kernel_shape: ints?, offset_group: int = 1, pads: ints?, "
       "strides: ints?>(T X, T W, T offset, T? B, T? mask) => (T Y) T: floats|bfloat16",
       .infer = infer_conv, .kernel = ox_run_deform_conv),
    OP("DeformConv", 19,
       "<dilations: ints?, group: int = 1, kernel_shape: ints?, offset_group: int = 1, pads: ints?, "
       "strides: ints?>(T X, T W, T offset, T? B, T? mask) => (T Y) T: floats"),
    OP("Col2Im", 18,
       "<dilations: ints?, pads: ints?, strides: ints?>(T input, int64 image_shape, int64 block_shape) "
       "=> (T output) T: any|bfloat16",
       .infer = infer_col2im, .kernel = ox_run_col2im),
    OP("CausalConvWithState", 27,
       "<activation: string = \"none\">(T input, T weight, T? bias, T? past_state) => (T output, T "
       "present_state) T: bfloat16|float|float16",
       .infer = infer_causal_conv, .kernel = ox_run_causal_conv));
