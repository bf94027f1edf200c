/* Pooling over windows and regions: rows, shape rules, steps between versions. Kernels: pool_kernels.c, roi.c. */
#include "op/compute.h"
#include "op/window.h"

/* Outputs 0 and, when asked for, 1 get [N, C, windows...]. */
static int infer_pool(ox_call *c) {
    int rank = ox_in_rank(c, 0), n;
    bool failed = false;
    ox_window w;
    const ox_dim *x = ox_in_dims(c, 0);
    ox_get_ints(c, "kernel_shape", &n);
    if (rank >= 0 && rank != n + 2)
        return ox_fail(c->ctx, OX_BAD_DATA, "a window of %d axes cannot slide over an input of rank %d", n, rank);
    if (ox_window_init(&w, c, c->arena, n, NULL) < 0) return -1;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, n + 2);
    for (int d = 0; x && d < n + 2; d++) dims[d] = d < 2 ? x[d] : ox_window_dim(c->ctx, &w, d - 2, x[d], &failed);
    if (failed) return -1;
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), n + 2, dims);
    ox_out_tensor(c, 1, OX_INT64, n + 2, dims);
    return 0;
}

static int infer_global_pool(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *x = ox_in_dims(c, 0);
    if (x && rank < 2) return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d, but at least 2 is needed", rank);
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) dims[d] = d < 2 ? x[d] : ox_dim_const(c->ctx, 1);
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    return 0;
}

/* Attribute p was a float, and kernel_shape could be absent. */
static int lift_p(ox_call *c) {
    const ox_attr *a = ox_get_attr(c, "p");
    if (a && a->type == OX_A_FLOAT) {
        if (!((double)a->f >= 1 && (double)a->f <= 64) || (double)a->f != floor((double)a->f))
            return ox_fail(c->ctx, OX_UNAVAILABLE, "a norm of order %g is not served", (double)a->f);
        ox_lift_attr_int(c, "p", (int64_t)a->f);
    }
    return 0;
}

static int infer_max_unpool(ox_call *c) {
    int rank = ox_in_rank(c, 0), n;
    int64_t count;
    ox_window w;
    ox_get_ints(c, "kernel_shape", &n);
    const ox_dim *x = ox_in_dims(c, 0);
    if (rank >= 0 && rank != n + 2)
        return ox_fail(c->ctx, OX_BAD_DATA, "a window of %d axes cannot slide over an input of rank %d", n, rank);
    if (ox_window_init(&w, c, c->arena, n, NULL) < 0) return -1;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, n + 2);
    if (ox_arg_given(c, 2)) {
        const ox_dim *shape = ox_in_elems(c, 2, &count);
        if (shape && count != n + 2) return ox_fail(c->ctx, OX_BAD_DATA, "output_shape must have %d elements", n + 2);
        for (int d = 0; shape && d < n + 2; d++) dims[d] = shape[d];
    } else {
        for (int d = 0; x && d < n + 2; d++)
            dims[d] = d < 2 ? x[d] : ox_window_spread_dim(c->ctx, &w, d - 2, 0, NULL, x[d]);
    }
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), n + 2, dims);
    return 0;
}

/* [rois, C, pooled...] */
static int infer_regions(ox_call *c, ox_dim height, ox_dim width) {
    const ox_dim *x = ox_in_dims(c, 0), *rois = ox_in_dims(c, 1);
    if ((x && ox_in_rank(c, 0) != 4) || (rois && ox_in_rank(c, 1) != 2))
        return ox_fail(c->ctx, OX_BAD_DATA, "ranks 4 and 2 are needed");
    ox_dim dims[4] = {rois ? rois[0] : NULL, x ? x[1] : NULL, height, width};
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), 4, dims);
    return 0;
}

static int infer_max_roi_pool(ox_call *c) {
    int n;
    const int64_t *pooled = ox_get_ints(c, "pooled_shape", &n);
    if (n != 2 || pooled[0] < 1 || pooled[1] < 1)
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'pooled_shape' must have two positive numbers");
    return infer_regions(c, ox_dim_const(c->ctx, pooled[0]), ox_dim_const(c->ctx, pooled[1]));
}

static int infer_roi_align(ox_call *c) {
    int64_t h = ox_get_int(c, "output_height"), w = ox_get_int(c, "output_width");
    if (h < 1 || w < 1) return ox_fail(c->ctx, OX_BAD_DATA, "output_height and output_width must be positive");
    return infer_regions(c, ox_dim_const(c->ctx, h), ox_dim_const(c->ctx, w));
}

static int lift_roi_align(ox_call *c) {
    ox_lift_attr_string(c, "coordinate_transformation_mode", "output_half_pixel");
    return 0;
}

OX_FAMILY(pool, "",
    OP("MaxPool", 22,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats|bfloat16|"
       "int8|uint8, I: int64",
       .infer = infer_pool, .kernel = ox_run_max_pool),
    OP("MaxPool", 12,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats|int8|uint8, "
       "I: int64"),
    OP("MaxPool", 11,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats, I: int64"),
    OP("MaxPool", 10,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats, I: int64"),
    OP("MaxPool", 8,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, pads: ints?, storage_order: int = 0, "
       "strides: ints?>(T X) => (T Y, I? Indices) T: floats, I: int64"),
    OP("MaxPool", 1,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) "
       "T: floats"),
    OP("AveragePool", 22,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, dilations: "
       "ints?, kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_pool, .kernel = ox_run_average_pool),
    OP("AveragePool", 19,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, dilations: "
       "ints?, kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 11,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, kernel_shape: "
       "ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 10,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, kernel_shape: "
       "ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 7,
       "<auto_pad: string = \"NOTSET\", count_include_pad: int = 0, kernel_shape: ints, pads: ints?, "
       "strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 1,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) "
       "T: floats"),
    OP("LpPool", 22,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, p: "
       "int = 2, pads: ints?, strides: ints?>(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_pool, .kernel = ox_run_lp_pool),
    OP("LpPool", 18,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, p: "
       "int = 2, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("LpPool", 11,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, p: int = 2, pads: ints?, strides: ints?>(T "
       "X) => (T Y) T: floats"),
    OP("LpPool", 2,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, p: int = 2, pads: ints?, strides: ints?>(T "
       "X) => (T Y) T: floats"),
    OP("LpPool", 1,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints?, p: float = 2.0, pads: ints?, strides: "
       "ints?>(T X) => (T Y) T: floats",
       .lift = lift_p),
    OP("GlobalAveragePool", 22,
       "(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_global_pool, .kernel = ox_run_global_pool),
    OP("GlobalAveragePool", 1,
       "(T X) => (T Y) T: floats"),
    OP("GlobalMaxPool", 22,
       "(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_global_pool, .kernel = ox_run_global_pool),
    OP("GlobalMaxPool", 1,
       "(T X) => (T Y) T: floats"),
    OP("GlobalLpPool", 22,
       "<p: int = 2>(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_global_pool, .kernel = ox_run_global_pool),
    OP("GlobalLpPool", 2,
       "<p: int = 2>(T X) => (T Y) T: floats"),
    OP("GlobalLpPool", 1,
       "<p: float = 2.0>(T X) => (T Y) T: floats",
       .lift = lift_p),
    OP("MaxUnpool", 22,
       "<kernel_shape: ints, pads: ints?, strides: ints?>(T1 X, T2 I, T2? output_shape) => (T1 output) "
       "T1: floats|bfloat16, T2: int64",
       .infer = infer_max_unpool, .kernel = ox_run_max_unpool),
    OP("MaxUnpool", 11,
       "<kernel_shape: ints, pads: ints?, strides: ints?>(T1 X, T2 I, T2? output_shape) => (T1 output) "
       "T1: floats, T2: int64"),
    OP("MaxUnpool", 9,
       "<kernel_shape: ints, pads: ints?, strides: ints?>(T1 X, T2 I, T2? output_shape) => (T1 output) "
       "T1: floats, T2: int64"),
    OP("MaxRoiPool", 22,
       "<pooled_shape: ints, spatial_scale: float = 1.0>(T X, T rois) => (T Y) T: floats|bfloat16",
       .infer = infer_max_roi_pool, .kernel = ox_run_max_roi_pool),
    OP("MaxRoiPool", 1,
       "<pooled_shape: ints, spatial_scale: float = 1.0>(T X, T rois) => (T Y) T: floats"),
    OP("RoiAlign", 22,
       "<coordinate_transformation_mode: string = \"half_pixel\", mode: string = \"avg\", "
       "output_height: int = 1, output_width: int = 1, sampling_ratio: int = 0, spatial_scale: float = "
       "1.0>(T1 X, T1 rois, T2 batch_indices) => (T1 Y) T1: floats|bfloat16, T2: int64",
       .infer = infer_roi_align, .kernel = ox_run_roi_align),
    OP("RoiAlign", 16,
       "<coordinate_transformation_mode: string = \"half_pixel\", mode: string = \"avg\", "
       "output_height: int = 1, output_width: int = 1, sampling_ratio: int = 0, spatial_scale: float = "
       "1.0>(T1 X, T1 rois, T2 batch_indices) => (T1 Y) T1: floats, T2: int64"),
    OP("RoiAlign", 10,
       "<mode: string = \"avg\", output_height: int = 1, output_width: int = 1, sampling_ratio: int = "
       "0, spatial_scale: float = 1.0>(T1 X, T1 rois, T2 batch_indices) => (T1 Y) T1: floats, T2: int64",
       .lift = lift_roi_align));
