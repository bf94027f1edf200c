/* Random tensors. */
#include "op/kernel.h"

#include <inttypes.h>
#include <math.h>

/* Numbers are a function of seed and position, so the order of work does not matter. Without a seed the name of the
 * output stands for it: nodes differ from each other, and a model gives the same in every run and on every machine. */

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* In [0, 1). */
static double uniform(uint64_t seed, uint64_t i) { return (double)(mix(seed ^ mix(i)) >> 11) * 0x1p-53; }

static double normal(uint64_t seed, uint64_t i) {
    double u = 1 - uniform(seed, 2 * i), v = uniform(seed, 2 * i + 1);
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

static uint64_t seed_of(const ox_call *c) {
    uint64_t seed = 0;
    if (ox_has(c, "seed")) {
        double v = ox_get_float(c, "seed");
        memcpy(&seed, &v, sizeof seed);
        return mix(seed);
    }
    const ox_value *out = c->node && c->node->n_out ? c->node->out[0] : NULL;
    for (const char *p = out && out->name ? out->name : ""; *p; p++) seed = mix(seed ^ (unsigned char)*p);
    return mix(seed);
}

/* ---- types */

/* By the attribute, else DFLT; UNDEFINED after ox_fail. */
static ox_dtype dtype_of(ox_call *c, ox_dtype dflt) {
    const ox_attr *a = ox_get_attr(c, "dtype");
    if (!a) return dflt;
    if (a->i > OX_UNDEFINED && a->i < OX_DTYPE_COUNT && ox_dtype_bits((ox_dtype)a->i)) return (ox_dtype)a->i;
    ox_fail(c->ctx, OX_BAD_DATA, "attribute 'dtype' is %" PRId64 ", which is no type of numbers", a->i);
    return OX_UNDEFINED;
}

static ox_dtype float_or(ox_dtype t) { return !t || ox_dtype_is_float(t) ? t : OX_FLOAT; }

static int infer_shape_attr(ox_call *c) {
    int n;
    const int64_t *shape = ox_get_ints(c, "shape", &n);
    ox_dtype t = dtype_of(c, OX_FLOAT);
    if (!t) return -1;
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, n + 1);
    for (int i = 0; i < n; i++) {
        if (shape[i] < 0) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'shape' holds %" PRId64, shape[i]);
        dims[i] = ox_dim_const(c->ctx, shape[i]);
    }
    ox_out_tensor(c, 0, t, shape ? n : -1, dims);
    return 0;
}

static int infer_like(ox_call *c) {
    ox_dtype t = dtype_of(c, float_or(ox_in_dtype(c, 0)));
    if (!t && ox_has(c, "dtype")) return -1;
    ox_out_tensor(c, 0, t, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

static int infer_multinomial(ox_call *c) {
    ox_dtype t = dtype_of(c, OX_INT32);
    const ox_dim *in = ox_in_dims(c, 0);
    if (!t) return -1;
    if (in && ox_in_rank(c, 0) != 2)
        return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d, not 2", ox_in_rank(c, 0));
    if (ox_get_int(c, "sample_size") < 0) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'sample_size' is negative");
    ox_dim dims[2] = {in ? in[0] : NULL, ox_dim_const(c->ctx, ox_get_int(c, "sample_size"))};
    ox_out_tensor(c, 0, t, 2, dims);
    return 0;
}

/* ---- kernels */

typedef double (*draw_fn)(uint64_t seed, uint64_t i);

static int fill(ox_run *r, ox_dtype t, int rank, const int64_t *dims, draw_fn draw, double scale, double shift) {
    ox_tensor *y = t ? ox_output(r, 0, t, rank, dims) : NULL;
    uint64_t seed = seed_of(r->call);
    if (!y) return -1;
    if (!ox_dtype_is_float(t) || ox_dtype_packed(t)) return ox_kernel_no_type(r, t);
    void *out = ox_tensor_mut(y);
    int threads = ox_threads_for(r->ctx, y->count * 8);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < y->count; i++) ox_store_double(t, out, i, draw(seed, (uint64_t)i) * scale + shift);
    return 0;
}

static int fill_shape(ox_run *r, draw_fn draw, double scale, double shift) {
    int n;
    const int64_t *shape = ox_get_ints(r->call, "shape", &n);
    return fill(r, dtype_of(r->call, OX_FLOAT), n, shape, draw, scale, shift);
}

static int fill_like(ox_run *r, draw_fn draw, double scale, double shift) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no tensor");
    return fill(r, dtype_of(r->call, float_or(x->dtype)), x->rank, x->dims, draw, scale, shift);
}

#define LOW_HIGH(r)   ox_get_float((r)->call, "high") - ox_get_float((r)->call, "low"), ox_get_float((r)->call, "low")
#define MEAN_SCALE(r) ox_get_float((r)->call, "scale"), ox_get_float((r)->call, "mean")
static int run_uniform(ox_run *r) { return fill_shape(r, uniform, LOW_HIGH(r)); }
static int run_uniform_like(ox_run *r) { return fill_like(r, uniform, LOW_HIGH(r)); }
static int run_normal(ox_run *r) { return fill_shape(r, normal, MEAN_SCALE(r)); }
static int run_normal_like(ox_run *r) { return fill_like(r, normal, MEAN_SCALE(r)); }

static int infer_bernoulli(ox_call *c) {
    ox_dtype t = dtype_of(c, ox_in_dtype(c, 0));
    if (!t && ox_has(c, "dtype")) return -1;
    ox_out_tensor(c, 0, t, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

static int run_bernoulli(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no tensor");
    ox_dtype t = dtype_of(r->call, x->dtype);
    const void *in = ox_tensor_data(x);
    ox_tensor *y = in && t ? ox_output(r, 0, t, x->rank, x->dims) : NULL;
    uint64_t seed = seed_of(r->call);
    for (int64_t i = 0; y && i < y->count; i++)
        ox_store_int(t, ox_tensor_mut(y), i, uniform(seed, (uint64_t)i) < ox_load_double(x->dtype, in, i));
    return y ? 0 : -1;
}

/* Draws classes with the probabilities whose logarithms a row holds (they need not sum up to 1). */
static int run_multinomial(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    ox_dtype t = dtype_of(r->call, OX_INT32);
    if (!x || x->rank != 2) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no matrix");
    int64_t dims[2] = {x->dims[0], ox_get_int(r->call, "sample_size")}, classes = x->dims[1];
    if (dims[1] < 0 || (x->dims[0] && !classes)) return ox_fail(r->ctx, OX_BAD_DATA, "there is nothing to draw from");
    const double *in = ox_as_doubles(r, x);
    ox_tensor *y = in && t ? ox_output(r, 0, t, 2, dims) : NULL;
    double *sum = ox_scratch(r, (uint64_t)classes * sizeof *sum);
    uint64_t seed = seed_of(r->call);
    if (!y || !sum) return -1;
    for (int64_t b = 0; b < dims[0]; b++) {
        const double *row = in + b * classes;
        double most = row[0], total = 0;
        for (int64_t k = 1; k < classes; k++) most = row[k] > most ? row[k] : most;
        for (int64_t k = 0; k < classes; k++) sum[k] = total += exp(row[k] - most);
        for (int64_t s = 0; s < dims[1]; s++) {
            double at = uniform(seed, (uint64_t)(b * dims[1] + s)) * total;
            int64_t k = 0;
            while (k < classes - 1 && sum[k] <= at) k++;
            ox_store_int(t, ox_tensor_mut(y), b * dims[1] + s, k);
        }
    }
    return 0;
}

OX_FAMILY(random, "",
    OP("RandomNormal", 22,
       "<dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: float?, shape: ints>() => (T "
       "output) T: floats|bfloat16",
       .flags = OX_RANDOM,
       .infer = infer_shape_attr, .kernel = run_normal),
    OP("RandomNormal", 1,
       "<dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: float?, shape: ints>() => (T "
       "output) T: floats"),
    OP("RandomNormalLike", 22,
       "<dtype: int?, mean: float = 0.0, scale: float = 1.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any|bfloat16, T2: floats|bfloat16",
       .flags = OX_RANDOM,
       .infer = infer_like, .kernel = run_normal_like),
    OP("RandomNormalLike", 1,
       "<dtype: int?, mean: float = 0.0, scale: float = 1.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any, T2: floats"),
    OP("RandomUniform", 22,
       "<dtype: int = 1, high: float = 1.0, low: float = 0.0, seed: float?, shape: ints>() => (T "
       "output) T: floats|bfloat16",
       .flags = OX_RANDOM,
       .infer = infer_shape_attr, .kernel = run_uniform),
    OP("RandomUniform", 1,
       "<dtype: int = 1, high: float = 1.0, low: float = 0.0, seed: float?, shape: ints>() => (T "
       "output) T: floats"),
    OP("RandomUniformLike", 22,
       "<dtype: int?, high: float = 1.0, low: float = 0.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any|bfloat16, T2: floats|bfloat16",
       .flags = OX_RANDOM,
       .infer = infer_like, .kernel = run_uniform_like),
    OP("RandomUniformLike", 1,
       "<dtype: int?, high: float = 1.0, low: float = 0.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any, T2: floats"),
    OP("Multinomial", 22,
       "<dtype: int = 6, sample_size: int = 1, seed: float?>(T1 input) => (T2 output) T1: floats|"
       "bfloat16, T2: int32|int64",
       .flags = OX_RANDOM,
       .infer = infer_multinomial, .kernel = run_multinomial),
    OP("Multinomial", 7,
       "<dtype: int = 6, sample_size: int = 1, seed: float?>(T1 input) => (T2 output) T1: floats, T2: "
       "int32|int64"),
    OP("Bernoulli", 22,
       "<dtype: int?, seed: float?>(T1 input) => (T2 output) T1: floats|bfloat16, T2: numbers|bfloat16|"
       "bool",
       .flags = OX_RANDOM,
       .infer = infer_bernoulli, .kernel = run_bernoulli),
    OP("Bernoulli", 15,
       "<dtype: int?, seed: float?>(T1 input) => (T2 output) T1: floats, T2: numbers|bfloat16|bool"));
