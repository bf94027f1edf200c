/* Operators that early models hold as experiments of the standard, which gave them up at opset 10. */
#include "op/compose.h"
#include "op/compute.h"
#include "op/mover.h"

static int need_image(ox_run *r, const ox_tensor *x) {
    if (!x) return ox_need(r, 0) ? 0 : -1;
    return x->rank == 4 ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "the input has rank %d, but 4 is needed", x->rank);
}

/* ------------------------------------------------------------------------------------------------ element by element */

typedef struct scaled { char kind; double a, b; } scaled;

static double value_of(const scaled *s, double x) {
    switch (s->kind) {
    case 'a': return s->a * x + s->b;
    case 'p': return s->a * (s->b * x > 0 ? s->b * x + log1p(exp(-s->b * x)) : log1p(exp(s->b * x)));
    default: return s->a * tanh(s->b * x);
    }
}

static int run_scaled(ox_run *r, const scaled *s) {
    const ox_tensor *x = ox_need(r, 0);
    if (!x || !ox_ok_float(r, x)) return -1;
    const void *from = ox_tensor_data(x);
    ox_tensor *y = from ? ox_output(r, 0, x->dtype, x->rank, x->dims) : NULL;
    for (int64_t i = 0; y && i < x->count; i++) ox_store_double(y->dtype, ox_tensor_mut(y), i, value_of(s, ox_load_double(x->dtype, from, i)));
    return y ? 0 : -1;
}

static double alpha(ox_run *r) { return ox_has(r->call, "alpha") ? ox_get_float(r->call, "alpha") : 1; }
static double beta(ox_run *r, double none) { return ox_has(r->call, "beta") ? ox_get_float(r->call, "beta") : none; }
static int run_affine(ox_run *r) { return run_scaled(r, &(scaled){'a', alpha(r), beta(r, 0)}); }
static int run_scale(ox_run *r) { return run_scaled(r, &(scaled){'a', ox_get_float(r->call, "scale"), 0}); }
static int run_softplus(ox_run *r) { return run_scaled(r, &(scaled){'p', alpha(r), beta(r, 1)}); }
static int run_tanh(ox_run *r) { return run_scaled(r, &(scaled){'t', alpha(r), beta(r, 1)}); }

/* ------------------------------------------------------------------------------------------------ images */

static int run_image_scaler(ox_run *r) {
    int n;
    const float *bias = ox_get_floats(r->call, "bias", &n);
    const ox_tensor *x = ox_input(r, 0);
    if (!x || need_image(r, x) || !ox_ok_float(r, x)) return x ? -1 : need_image(r, x);
    double scale = ox_get_float(r->call, "scale");
    if (n && n != x->dims[1]) return ox_fail(r->ctx, OX_BAD_DATA, "%d biases for %" PRId64 " channels", n, x->dims[1]);
    const void *from = ox_tensor_data(x);
    ox_tensor *y = from ? ox_output(r, 0, x->dtype, 4, x->dims) : NULL;
    int64_t plane = x->dims[2] * x->dims[3];
    for (int64_t i = 0; y && i < x->count; i++)
        ox_store_double(y->dtype, ox_tensor_mut(y), i, scale * ox_load_double(x->dtype, from, i) + (n ? (double)bias[i / plane % n] : 0));
    return y ? 0 : -1;
}

/* Begin and size of the rows and columns that stay; -1 after ox_fail. H and W may be unknown (-1) when `scale` is given. */
static int crop_of(ox_call *c, int64_t h, int64_t w, int64_t at[2], int64_t size[2]) {
    int n, m;
    const int64_t *border = ox_get_ints(c, "border", &n), *scale = ox_get_ints(c, "scale", &m);
    if (n != 4 || (m && m != 2)) return ox_fail(c->ctx, OX_BAD_DATA, "border has %d numbers, scale %d", n, m);
    at[0] = border[1];
    at[1] = border[0];
    bool good = border[0] >= 0 && border[1] >= 0 && border[2] >= 0 && border[3] >= 0;
    for (int i = 0; i < 2 && good; i++) {
        int64_t all = i ? w : h, end;
        size[i] = m ? scale[i] : all < 0 || at[i] > all || border[2 + !i] > all - at[i] ? 0 : all - at[i] - border[2 + !i];
        if (all >= 0) good = at[i] <= all && (m || border[2 + !i] <= all - at[i]);
        good = good && size[i] >= 0 && ox_add_ok(at[i], size[i], &end) && (all < 0 || end <= all);
    }
    return good ? 0 : ox_fail(c->ctx, OX_BAD_DATA, "border and scale do not fit the image");
}

static int infer_crop(ox_call *c) {
    const ox_dim *x = ox_in_rank(c, 0) == 4 ? ox_in_dims(c, 0) : NULL;
    int64_t h = -1, w = -1, at[2], size[2];
    bool known = x && ox_dim_is_const(x[2], &h) && ox_dim_is_const(x[3], &w);
    if (!known) h = w = -1;
    if (crop_of(c, h, w, at, size)) return -1;
    known |= ox_has(c, "scale");
    ox_dim d[4] = {x ? x[0] : NULL, x ? x[1] : NULL, known ? ox_dim_const(c->ctx, size[0]) : NULL, known ? ox_dim_const(c->ctx, size[1]) : NULL};
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 4, d);
    return 0;
}

static int run_crop(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t at[2], size[2];
    if (!x || need_image(r, x) || crop_of(r->call, x->dims[2], x->dims[3], at, size)) return x ? -1 : need_image(r, x);
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, 4, (int64_t[]){x->dims[0], x->dims[1], size[0], size[1]}, &o)) return -1;
    int64_t rows = size[1] ? o.t->count / size[1] : 0;
    for (int64_t i = 0; i < rows; i++) {
        int64_t row = (i / size[0] * x->dims[2] + at[0] + i % size[0]) * x->dims[3] + at[1];
        memcpy(o.data + (size_t)(i * size[1]) * o.size, from + (size_t)row * o.size, (size_t)size[1] * o.size);
    }
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ GivenTensorFill, DynamicSlice */

static int infer_unknown(ox_call *c) {
    ox_out_tensor(c, 0, OX_FLOAT, -1, NULL);
    return 0;
}

static int infer_slice(ox_call *c) {
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), ox_in_rank(c, 0), NULL);
    return 0;
}

/* The shape: an attribute, or numbers of the input, or its own shape; then extra_shape. */
static int run_given(ox_run *r) {
    int n, m, k;
    const int64_t *shape = ox_get_ints(r->call, "shape", &n), *extra = ox_get_ints(r->call, "extra_shape", &m);
    const float *values = ox_get_floats(r->call, "values", &k);
    const ox_tensor *x = ox_input(r, 0);
    int64_t count = n, all;
    if (x && ox_get_int(r->call, "input_as_shape")) {
        if (!(shape = ox_run_list(r, 0, &count))) return -1;
    } else if (x) {
        shape = x->dims;
        count = x->rank;
    }
    if (count + m > (int64_t)r->ctx->limits.rank) return ox_fail(r->ctx, OX_BAD_DATA, "the shape has too many axes");
    int64_t *dims = OX_NEW_N(r->arena, int64_t, count + m + 1);
    if (count) memcpy(dims, shape, (size_t)count * sizeof *dims);
    if (m) memcpy(dims + count, extra, (size_t)m * sizeof *dims);
    if (!ox_mv_count((int)count + m, dims, &all) || all != k) return ox_fail(r->ctx, OX_BAD_DATA, "%d values do not fill the shape", k);
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, (int)count + m, dims);
    if (y && k) memcpy(ox_tensor_mut(y), values, (size_t)k * sizeof *values);
    return y ? 0 : -1;
}

static int run_slice(ox_run *r) {
    ox_steps s = {.r = r};
    return ox_steps_done(&s, 0, OX_STEP(&s, "Slice", ox_input(r, 0), ox_input(r, 1), ox_input(r, 2), ox_input(r, 3)));
}

/* Each stands twice: as it was, and as given up. */
#define GONE(name_, signature_, ...)                                                                         \
    OP(name_, 10, signature_, .flags = OX_DEPRECATED, __VA_ARGS__), OP(name_, 1, signature_)

OX_FAMILY(removed, "",
    GONE("Affine", "<alpha: float = 1.0, beta: float = 0.0>(T X) => (T Y) T: floats", .infer = ox_infer_same, .kernel = run_affine),
    GONE("Crop", "<border: ints, scale: ints?>(T input) => (T output) T: floats", .infer = infer_crop, .kernel = run_crop),
    GONE("DynamicSlice", "(T data, Tind starts, Tind ends, Tind? axes) => (T output) T: any, Tind: int32|int64", .infer = infer_slice,
         .kernel = run_slice),
    GONE("GivenTensorFill", "<extra_shape: ints?, input_as_shape: int?, shape: ints?, values: floats?>(T? shape) => (float X) T: floats|int64",
         .infer = infer_unknown, .kernel = run_given),
    GONE("ImageScaler", "<bias: floats?, scale: float = 1.0>(T input) => (T output) T: floats", .infer = ox_infer_same,
         .kernel = run_image_scaler),
    GONE("ParametricSoftplus", "<alpha: float?, beta: float?>(T X) => (T Y) T: floats", .infer = ox_infer_same, .kernel = run_softplus),
    GONE("Scale", "<scale: float = 1.0>(T input) => (T output) T: floats", .infer = ox_infer_same, .kernel = run_scale),
    GONE("ScaledTanh", "<alpha: float?, beta: float?>(T input) => (T output) T: floats", .infer = ox_infer_same, .kernel = run_tanh));
