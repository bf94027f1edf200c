/* Resampling of images: rows, shape rules, steps between versions. Kernels: resize_kernels.c, grid.c. */
#include "op/resample.h"
#include "op/compute.h"

int ox_resize_axes(ox_call *c, int rank, int **axes, int *n) {
    int count;
    const int64_t *given = ox_get_ints(c, "axes", &count);
    uint64_t seen = 0;
    *n = given ? count : rank;
    *axes = OX_NEW_N(c->arena, int, *n + 1);
    for (int i = 0; i < *n; i++) {
        int64_t axis = given ? ox_axis(c, given[i], rank, "axis") : i;
        if (axis < 0) return -1;
        if (given && axis < 64 && seen >> axis & 1)
            return ox_fail(c->ctx, OX_BAD_DATA, "axis %" PRId64 " is named twice", axis);
        if (axis < 64) seen |= (uint64_t)1 << axis;
        (*axes)[i] = (int)axis;
    }
    return 0;
}

int ox_resize_aspect(ox_call *c, ox_aspect *aspect) {
    const char *text = ox_get_string(c, "keep_aspect_ratio_policy");
    *aspect = !strcmp(text, "not_larger") ? OX_NOT_LARGER : !strcmp(text, "not_smaller") ? OX_NOT_SMALLER : OX_STRETCH;
    return *aspect != OX_STRETCH || !*text || !strcmp(text, "stretch")
               ? 0
               : ox_fail(c->ctx, OX_BAD_DATA, "keep_aspect_ratio_policy is '%s'", text);
}

int64_t ox_resize_scaled(ox_ctx *ctx, int64_t in, float scale) {
    float out = floorf((float)in * scale);
    if (scale > 0 && out >= 0 && out < 0x1p40f) return (int64_t)out;
    return ox_fail(ctx, OX_BAD_DATA, "a scale of %g for size %" PRId64 " cannot be", (double)scale, in);
}

int ox_resize_sized(ox_ctx *ctx, ox_aspect aspect, int n, const int64_t *in, const int64_t *want, double *scale,
                    int64_t *out) {
    double common = aspect == OX_NOT_LARGER ? INFINITY : 0;
    for (int i = 0; i < n; i++) {
        if (want[i] < 0 || want[i] > (int64_t)1 << 40)
            return ox_fail(ctx, OX_BAD_DATA, "a size of %" PRId64 " cannot be", want[i]);
        if (in[i] == 0 && want[i] > 0)
            return ox_fail(ctx, OX_BAD_DATA, "an axis without elements cannot get %" PRId64, want[i]);
        scale[i] = in[i] ? (double)want[i] / (double)in[i] : 1;
        out[i] = want[i];
        common = aspect == OX_NOT_LARGER ? fmin(common, scale[i]) : fmax(common, scale[i]);
    }
    for (int i = 0; i < n && aspect != OX_STRETCH; i++) {
        scale[i] = common;
        if (common * (double)in[i] > 0x1p40) return ox_fail(ctx, OX_BAD_DATA, "the output is too large");
        out[i] = (int64_t)(common * (double)in[i] + 0.5);
    }
    return 0;
}

/* in * scale rounded down, for a scale that is a fraction of small binary numbers. */
static ox_dim scaled_dim(ox_call *c, ox_dim in, float scale, bool *failed) {
    int64_t size, denominator = 1;
    if (ox_dim_is_const(in, &size)) {
        size = ox_resize_scaled(c->ctx, size, scale);
        *failed = *failed || size < 0;
        return size < 0 ? NULL : ox_dim_const(c->ctx, size);
    }
    if (!(scale > 0 && scale < 65536)) return NULL;
    float inverse = 1 / scale;
    if (scale < 1 && inverse == floorf(inverse) && inverse * scale == 1 && log2f(inverse) == floorf(log2f(inverse)))
        return ox_dim_floordiv(c->ctx, in, ox_dim_const(c->ctx, (int64_t)inverse));
    while (scale != floorf(scale) && denominator < 1024) {
        scale *= 2;
        denominator *= 2;
    }
    if (scale != floorf(scale)) return NULL;
    return ox_dim_floordiv(c->ctx, ox_dim_mul(c->ctx, in, ox_dim_const(c->ctx, (int64_t)scale)),
                           ox_dim_const(c->ctx, denominator));
}

static int dims_from_scales(ox_call *c, const ox_dim *x, const int *axes, int n, ox_dim *dims) {
    const ox_tensor *t = c->in[2].t;
    const float *scale = t && t->dtype == OX_FLOAT ? ox_tensor_data(t) : NULL;
    bool failed = false;
    if (!scale) {
        for (int i = 0; i < n; i++) dims[axes[i]] = NULL;
        return 0;
    }
    if (t->count != n) return ox_fail(c->ctx, OX_BAD_DATA, "%" PRId64 " scales for %d axes", t->count, n);
    for (int i = 0; i < n; i++)
        dims[axes[i]] = scale[i] == 1 ? x[axes[i]] : scaled_dim(c, x[axes[i]], scale[i], &failed);
    return failed ? -1 : 0;
}

static int dims_from_sizes(ox_call *c, const ox_dim *x, const int *axes, int n, ox_dim *dims) {
    int64_t count, *in = OX_NEW_N(c->arena, int64_t, 3 * n + 1), *want = in + n, *out = want + n;
    double *scale = OX_NEW_N(c->arena, double, n + 1);
    const ox_dim *sizes = ox_in_elems(c, 3, &count);
    ox_aspect aspect;
    bool all = true;
    if (ox_resize_aspect(c, &aspect) < 0) return -1;
    if (sizes && count != n) return ox_fail(c->ctx, OX_BAD_DATA, "%" PRId64 " sizes for %d axes", count, n);
    for (int i = 0; i < n; i++) {
        dims[axes[i]] = sizes && aspect == OX_STRETCH ? sizes[i] : NULL;
        all = all && sizes && ox_dim_is_const(sizes[i], &want[i]) && ox_dim_is_const(x[axes[i]], &in[i]);
    }
    if (!all) return 0;
    if (ox_resize_sized(c->ctx, aspect, n, in, want, scale, out) < 0) return -1;
    for (int i = 0; i < n; i++) dims[axes[i]] = ox_dim_const(c->ctx, out[i]);
    return 0;
}

/* Is input 2 there and not empty (before version 13 it was empty when sizes were given)? */
static bool has_scales(const ox_call *c) {
    if (!ox_arg_given(c, 2)) return false;
    const ox_dim *d = ox_in_rank(c, 2) == 1 ? ox_in_dims(c, 2) : NULL;
    return !(d && ox_dim_is(d[0], 0));
}

static int infer_resize(ox_call *c) {
    int rank = ox_in_rank(c, 0), *axes, n;
    const ox_dim *x = ox_in_dims(c, 0);
    bool scales = has_scales(c), sizes = ox_arg_given(c, 3);
    if (!x) {
        ox_out_tensor(c, 0, ox_out_dtype(c, 0), -1, NULL);
        return 0;
    }
    if (!scales && !sizes) return ox_fail(c->ctx, OX_BAD_DATA, "neither scales nor sizes are given");
    if (scales && sizes) return ox_fail(c->ctx, OX_BAD_DATA, "scales and sizes are given, but only one may be");
    const char *mode = ox_get_string(c, "mode");
    if (strcmp(mode, "nearest") && strcmp(mode, "linear") && strcmp(mode, "cubic") && strcmp(mode, "bilinear"))
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'mode' is '%s'", mode);
    if (ox_resize_axes(c, rank, &axes, &n) < 0) return -1;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) dims[d] = x[d];
    if ((sizes ? dims_from_sizes(c, x, axes, n, dims) : dims_from_scales(c, x, axes, n, dims)) < 0) return -1;
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    return 0;
}

/* ---- older forms */

/* Version 10: scales were input 1, coordinates were multiplied, fractions dropped. */
static int lift_resize_10(ox_call *c) {
    ox_arg *in = OX_NEW_N(c->arena, ox_arg, 3);
    if (c->n_in > 0) in[0] = c->in[0];
    if (c->n_in > 1) in[2] = c->in[1];
    c->in = in;
    c->n_in = 3;
    ox_lift_attr_string(c, "coordinate_transformation_mode", "asymmetric");
    ox_lift_attr_string(c, "nearest_mode", "floor");
    return 0;
}

static int lift_upsample(ox_call *c) {
    const ox_op *resize = ox_op_find(c->ctx, "", "Resize", 10);
    if (!resize) return -1;
    c->op = resize;
    return 0;
}

static int lift_upsample_7(ox_call *c) {
    ox_lift_ints_to_input(c, "scales", 1);
    return 0;
}

static int lift_upsample_1(ox_call *c) {
    float scales[4] = {1, 1, (float)ox_get_float(c, "height_scale"), (float)ox_get_float(c, "width_scale")};
    if (!strcmp(ox_get_string(c, "mode"), "bilinear")) ox_lift_attr_string(c, "mode", "linear");
    ox_tensor *t = ox_tensor_new(c->ctx, OX_FLOAT, 1, (int64_t[]){4});
    if (t) memcpy(ox_tensor_mut(t), scales, sizeof scales);
    ox_lift_set_input(c, 1, t); /* where version 9 has it: the step from 7 finds no attribute and leaves it */
    ox_lift_drop(c, "height_scale");
    ox_lift_drop(c, "width_scale");
    return 0;
}

/* ---- GridSample, AffineGrid */

static int lift_grid_sample(ox_call *c) {
    const char *mode = ox_get_string(c, "mode");
    ox_lift_attr_string(c, "mode", !strcmp(mode, "bilinear") ? "linear" : !strcmp(mode, "bicubic") ? "cubic" : mode);
    return 0;
}

static int infer_grid_sample(ox_call *c) {
    int rank = ox_in_rank(c, 0) >= 0 ? ox_in_rank(c, 0) : ox_in_rank(c, 1);
    const ox_dim *x = ox_in_dims(c, 0), *grid = ox_in_dims(c, 1);
    if (rank >= 0 && (rank < 3 || (x && grid && ox_in_rank(c, 1) != rank)))
        return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d, the grid %d", ox_in_rank(c, 0), ox_in_rank(c, 1));
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) dims[d] = d < 2 ? (x ? x[d] : NULL) : grid ? grid[d - 1] : NULL;
    if (rank > 0 && !dims[0] && grid) dims[0] = grid[0];
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    return 0;
}

static int infer_affine_grid(ox_call *c) {
    int64_t n = 0;
    const ox_dim *size = ox_in_elems(c, 1, &n), *count = ox_in_rank(c, 1) == 1 ? ox_in_dims(c, 1) : NULL;
    if (!size && (!count || !ox_dim_is_const(count[0], &n))) {
        ox_out_tensor(c, 0, ox_out_dtype(c, 0), -1, NULL);
        return 0;
    }
    if (n != 4 && n != 5)
        return ox_fail(c->ctx, OX_BAD_DATA, "size has %" PRId64 " elements, but 4 or 5 are needed", n);
    ox_dim dims[5] = {size ? size[0] : NULL};
    for (int64_t d = 2; d < n; d++) dims[d - 1] = size ? size[d] : NULL;
    dims[n - 1] = ox_dim_const(c->ctx, n - 2);
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), (int)n, dims);
    return 0;
}

OX_FAMILY(resize, "",
    OP("Resize", 19,
       "<antialias: int = 0, axes: ints?, coordinate_transformation_mode: string = \"half_pixel\", "
       "cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0, "
       "keep_aspect_ratio_policy: string = \"stretch\", mode: string = \"nearest\", nearest_mode: "
       "string = \"round_prefer_floor\">(T1 X, T2? roi, float? scales, int64? sizes) => (T1 Y) T1: any|"
       "bfloat16, T2: floats",
       .infer = infer_resize, .kernel = ox_run_resize),
    OP("Resize", 18,
       "<antialias: int = 0, axes: ints?, coordinate_transformation_mode: string = \"half_pixel\", "
       "cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0, "
       "keep_aspect_ratio_policy: string = \"stretch\", mode: string = \"nearest\", nearest_mode: "
       "string = \"round_prefer_floor\">(T1 X, T2? roi, float? scales, int64? sizes) => (T1 Y) T1: any|"
       "bfloat16, T2: floats"),
    OP("Resize", 13,
       "<coordinate_transformation_mode: string = \"half_pixel\", cubic_coeff_a: float = -0.75, "
       "exclude_outside: int = 0, extrapolation_value: float = 0.0, mode: string = \"nearest\", "
       "nearest_mode: string = \"round_prefer_floor\">(T1 X, T2? roi, float? scales, int64? sizes) => "
       "(T1 Y) T1: any|bfloat16, T2: floats"),
    OP("Resize", 11,
       "<coordinate_transformation_mode: string = \"half_pixel\", cubic_coeff_a: float = -0.75, "
       "exclude_outside: int = 0, extrapolation_value: float = 0.0, mode: string = \"nearest\", "
       "nearest_mode: string = \"round_prefer_floor\">(T1 X, T2 roi, float scales, int64? sizes) => (T1 "
       "Y) T1: any, T2: floats"),
    OP("Resize", 10,
       "<mode: string = \"nearest\">(T X, float scales) => (T Y) T: any",
       .lift = lift_resize_10),
    OP("Upsample", 10,
       "<mode: string = \"nearest\">(T X, float scales) => (T Y) T: any",
       .lift = lift_upsample,
       .flags = OX_DEPRECATED),
    OP("Upsample", 9,
       "<mode: string = \"nearest\">(T X, float scales) => (T Y) T: any",
       .lift = lift_upsample),
    OP("Upsample", 7,
       "<mode: string = \"nearest\", scales: floats>(T X) => (T Y) T: any",
       .lift = lift_upsample_7),
    OP("Upsample", 1,
       "<height_scale: float, mode: string = \"nearest\", width_scale: float>(T X) => (T Y) T: floats|"
       "bool|int32|int64",
       .lift = lift_upsample_1),
    OP("GridSample", 22,
       "<align_corners: int = 0, mode: string = \"linear\", padding_mode: string = \"zeros\">(T1 X, T2 "
       "grid) => (T1 Y) T1: any|bfloat16, T2: floats|bfloat16",
       .infer = infer_grid_sample, .kernel = ox_run_grid_sample),
    OP("GridSample", 20,
       "<align_corners: int = 0, mode: string = \"linear\", padding_mode: string = \"zeros\">(T1 X, T2 "
       "grid) => (T1 Y) T1: any, T2: floats"),
    OP("GridSample", 16,
       "<align_corners: int = 0, mode: string = \"bilinear\", padding_mode: string = \"zeros\">(T1 X, "
       "T2 grid) => (T1 Y) T1: any, T2: floats",
       .lift = lift_grid_sample),
    OP("AffineGrid", 20,
       "<align_corners: int = 0>(T1 theta, T2 size) => (T1 grid) T1: floats|bfloat16, T2: int64",
       .infer = infer_affine_grid, .kernel = ox_run_affine_grid));
