/* com.microsoft: products and convolutions with an activation behind them, and element-wise operators that belong together. Rows are in
 * microsoft.c. */
#include "op/compose.h"
#include "op/compute.h"
#include "op/microsoft.h"

typedef struct activation {
    const char *name;
    float alpha, beta;
} activation;

static float activated(char kind, float a, float b, float x) {
    switch (kind) {
    case 'R': return x > 0 ? x : 0;
    case 'T': return tanhf(x);
    case 'S': return 1 / (1 + expf(-x));
    case 'L': return x >= 0 ? x : a * x;
    case 'H': return fminf(fmaxf(a * x + b, 0), 1);
    default: return fminf(fmaxf(x, a), b); /* Clip */
    }
}

/* In place, in the tensor's own type. An empty name does nothing. */
static int activate(ox_run *r, const activation *f, ox_tensor *t) {
    static const char *const names[] = {"Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Clip"};
    char kind = 0;
    if (!f->name || !f->name[0]) return 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(f->name, names[i])) kind = names[i][0];
    if (!kind) return ox_fail(r->ctx, OX_UNAVAILABLE, "activation '%s' is not served", f->name);
    if (t->dtype == OX_DOUBLE) return ox_kernel_no_type(r, t->dtype);
    void *data = ox_tensor_mut(t);
    float x[OX_CHUNK];
    for (int64_t i = 0; i < t->count; i += OX_CHUNK) {
        int64_t n = t->count - i < OX_CHUNK ? t->count - i : OX_CHUNK;
        ox_to_floats(t->dtype, data, i, n, x);
        for (int64_t k = 0; k < n; k++) x[k] = activated(kind, f->alpha, f->beta, x[k]);
        ox_from_floats(t->dtype, data, i, n, x);
    }
    return 0;
}

static ox_tensor *made(ox_run *r) { return r->out[0] && r->out[0]->kind == OX_RT_TENSOR ? r->out[0]->t : NULL; }

/* ------------------------------------------------------------------------------------------------ FusedConv */

int ox_ms_run_fused_conv(ox_run *r) {
    int n;
    const float *params = ox_get_floats(r->call, "activation_params", &n);
    const ox_tensor *z = ox_input(r, 3);
    activation f = {.name = ox_get_string(r->call, "activation")};
    if (f.name && !strcmp(f.name, "LeakyRelu")) f.alpha = 0.01f;
    if (f.name && !strcmp(f.name, "HardSigmoid")) f.alpha = 0.2f, f.beta = 0.5f;
    if (f.name && !strcmp(f.name, "Clip") && n < 2) return ox_fail(r->ctx, OX_BAD_DATA, "Clip needs two activation_params");
    if (n > 0) f.alpha = params[0];
    if (n > 1) f.beta = params[1];
    if (ox_run_conv(r)) return -1;
    ox_tensor *y = made(r);
    if (z) {
        if (z->dtype != y->dtype || z->rank != y->rank || memcmp(z->dims, y->dims, (size_t)y->rank * sizeof *y->dims))
            return ox_fail(r->ctx, OX_BAD_DATA, "Z does not fit the result");
        const void *from = ox_tensor_data(z);
        if (!from) return -1;
        for (int64_t i = 0; i < y->count; i++)
            ox_store_double(y->dtype, ox_tensor_mut(y), i, ox_load_double(y->dtype, ox_tensor_mut(y), i) + ox_load_double(z->dtype, from, i));
    }
    return activate(r, &f, y);
}

/* The same with channels last; Z too. */
int ox_ms_run_nhwc_conv(ox_run *r) {
    static const char *const names[] = {"activation", "activation_params", "auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"};
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *w = ox_need(r, 1), *z = ox_input(r, 3);
    if (!x || !w) return -1;
    x = ox_step_channels_first(&s, x);
    if (z) z = ox_step_channels_first(&s, z);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) ox_step_take(&s, names[i]);
    return ox_steps_done(&s, 0, ox_step_channels_last(&s, OX_STEP(&s, "com.microsoft::FusedConv", x, w, ox_input(r, 2), z)));
}

int ox_ms_run_nhwc_max_pool(ox_run *r) {
    static const char *const names[] = {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"};
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0);
    x = x ? ox_step_channels_first(&s, x) : NULL;
    if (!x) return ox_steps_done(&s, 0, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) ox_step_take(&s, names[i]);
    return ox_steps_done(&s, 0, ox_step_channels_last(&s, OX_STEP(&s, "MaxPool", x)));
}

/* ------------------------------------------------------------------------------------------------ products */

static activation read_activation(ox_call *c) {
    activation f = {.name = ox_get_string(c, "activation")};
    f.alpha = f.name && !strcmp(f.name, "HardSigmoid") ? 0.2f : 0.01f;
    f.beta = 0.5f;
    if (ox_has(c, "activation_alpha")) f.alpha = (float)ox_get_float(c, "activation_alpha");
    if (ox_has(c, "activation_beta")) f.beta = (float)ox_get_float(c, "activation_beta");
    return f;
}

int ox_ms_run_fused_gemm(ox_run *r) {
    activation f = read_activation(r->call);
    return ox_run_gemm(r) ? -1 : activate(r, &f, made(r));
}

int ox_ms_run_matmul_activation(ox_run *r) {
    activation f = read_activation(r->call);
    return ox_ms_run_matmul(r) ? -1 : activate(r, &f, made(r));
}

int ox_ms_run_gemm_fast_gelu(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *w = ox_need(r, 1);
    if (!x || !w) return -1;
    const ox_tensor *y = OX_STEP(&s, "MatMul", x, w);
    return ox_steps_done(&s, 0, OX_STEP(&s, "com.microsoft::FastGelu", y, ox_input(r, 2)));
}

/* ------------------------------------------------------------------------------------------------ biases */

int ox_ms_run_bias_add(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *b = ox_need(r, 1), *skip = ox_need(r, 2);
    if (!x || !b || !skip) return -1;
    const ox_tensor *y = OX_STEP(&s, "Add", x, b);
    return ox_steps_done(&s, 0, OX_STEP(&s, "Add", y, skip));
}

/* The left half times Gelu of the right half, after the bias. */
int ox_ms_run_bias_split_gelu(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *b = ox_need(r, 1);
    ox_tensor *half[2];
    if (!x || !b) return -1;
    if (x->rank < 1 || x->dims[x->rank - 1] % 2) return ox_fail(r->ctx, OX_BAD_DATA, "the last axis cannot be halved");
    const ox_tensor *y = OX_STEP(&s, "Add", x, b);
    ox_step_int(&s, "axis", -1);
    ox_step_int(&s, "num_outputs", 2);
    ox_step_all(&s, "Split", 1, &y, half, 2);
    const ox_tensor *g = OX_STEP(&s, "com.microsoft::Gelu", half[1]);
    return ox_steps_done(&s, 0, OX_STEP(&s, "Mul", half[0], g));
}

/* Softmax over all axes from one on, of data plus a bias that repeats over batches inside or outside. */
int ox_ms_run_bias_softmax(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *b = ox_need(r, 1);
    if (!x || !b) return -1;
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis");
    if (axis < 0) return -1;
    bool inner = ox_get_int(r->call, "is_inner_broadcast") != 0;
    int64_t width = ox_count(x->dims, (int)axis, x->rank), rows = width ? x->count / width : 0, have = width ? b->count / width : 0;
    if (width && (!have || b->count % width || rows % have || b->dtype != x->dtype)) return ox_fail(r->ctx, OX_BAD_DATA, "the bias does not fit the data");
    ox_tensor *sum = ox_step_tensor(&s, x->dtype, 2, (int64_t[]){rows, width});
    const void *from = ox_tensor_data(x), *add = ox_tensor_data(b);
    if (!sum || !from || !add) return ox_steps_done(&s, 0, NULL);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t row = inner ? i / width / (rows / have) : i / width % have;
        ox_store_double(x->dtype, ox_tensor_mut(sum), i,
                        ox_load_double(x->dtype, from, i) + ox_load_double(x->dtype, add, row * width + i % width));
    }
    ox_tensor *y = OX_STEP(&s, "Softmax", sum), *shape = ox_step_tensor(&s, OX_INT64, 1, (int64_t[]){x->rank});
    if (shape) memcpy(ox_tensor_mut(shape), x->dims, (size_t)x->rank * sizeof *x->dims);
    ox_step_int(&s, "allowzero", 1);
    return ox_steps_done(&s, 0, OX_STEP(&s, "Reshape", y, shape));
}
