/* com.microsoft: float operators that optimizers put in the place of several. Arithmetic is in float (double for
 * double), rounded once per output. Rows are in microsoft.c. */
#include "cpu/vec.h"
#include "op/blas.h"
#include "op/compose.h"
#include "op/microsoft.h"

#include <math.h>

/* ------------------------------------------------------------------------------------------------ Gelu and its kin */

typedef struct gelu {
    char kind; /* e: with erf, t: with tanh, q: with sigmoid */
    double alpha;
    bool bias, wide;
} gelu;

static inline double gelu_double(const gelu *g, double v) {
    switch (g->kind) {
    case 'e': return 0.5 * v * (1 + erf(v * 0.70710678118654752440));
    case 't': return 0.5 * v * (1 + tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v)));
    default: return v / (1 + exp(-g->alpha * v));
    }
}

static void gelu_chunk(void *out, const void *const *in, int64_t n, const void *user) {
    const gelu *g = user;
    if (g->wide) {
        const double *x = in[0], *b = g->bias ? in[1] : NULL;
        for (int64_t i = 0; i < n; i++) ((double *)out)[i] = gelu_double(g, b ? x[i] + b[i] : x[i]);
    } else {
        const ox_vec *v = ox_vec_table();
        float alpha = (float)g->alpha;
        if (g->bias) v->fn2[OX_FN2_ADD][OX_VV](out, in[0], in[1], n);
        v->fn[g->kind == 'e' ? OX_FN_GELU : g->kind == 't' ? OX_FN_GELU_TANH : OX_FN_SWISH](out, g->bias ? out : in[0], n, &alpha);
    }
}

static int run_gelu_kind(ox_run *r, char kind) {
    const ox_tensor *in[2] = {ox_input(r, 0), ox_input(r, 1)};
    if (!in[0] || !ox_dtype_is_float(in[0]->dtype))
        return ox_fail(r->ctx, OX_BAD_DATA, "the input is no tensor of floats");
    ox_dtype as = ox_compute_type(in[0]->dtype), types[2] = {as, as};
    gelu g = {kind, kind == 'q' ? ox_get_float(r->call, "alpha") : 0, in[1] != NULL, as == OX_DOUBLE};
    int64_t width = in[0]->rank ? in[0]->dims[in[0]->rank - 1] : 1;
    if (in[1] && (in[1]->dtype != in[0]->dtype || in[1]->rank != 1 || in[1]->dims[0] != width))
        return ox_fail(r->ctx, OX_BAD_DATA, "the bias does not fit the last axis");
    ox_tensor *y = ox_output(r, 0, in[0]->dtype, in[0]->rank, in[0]->dims);
    return y ? ox_elementwise(r, y, as, in[1] ? 2 : 1, in, types, gelu_chunk, &g) : -1;
}

int ox_ms_run_gelu(ox_run *r) { return run_gelu_kind(r, 'e'); }
int ox_ms_run_fast_gelu(ox_run *r) { return run_gelu_kind(r, 't'); }
int ox_ms_run_quick_gelu(ox_run *r) { return run_gelu_kind(r, 'q'); }

/* ------------------------------------------------------------------------------------------------ matrix products */

static bool flag(const ox_call *c, const char *name) { return ox_has(c, name) && ox_get_int(c, name) != 0; }

/* Vectors are matrices that cannot be transposed. */
int ox_ms_infer_matmul(ox_call *c) {
    int ra = ox_in_rank(c, 0), rb = ox_in_rank(c, 1), rank;
    bool ta = flag(c, "transA") && ra > 1, tb = flag(c, "transB") && rb > 1, bad = false;
    ox_dtype t = ox_in_dtype(c, 0);
    if (ra < 0 || rb < 0 || flag(c, "transBatchA") || flag(c, "transBatchB")) {
        ox_out_tensor(c, 0, t, -1, NULL);
        return 0;
    }
    if (ra == 0 || rb == 0) return ox_fail(c->ctx, OX_BAD_DATA, "a matrix product of a scalar");
    const ox_dim *a = ox_in_dims(c, 0), *b = ox_in_dims(c, 1);
    ox_dim *dims;
    ox_mv_same_dim(c, a[ra - 1 - ta], b[rb == 1 ? 0 : rb - 2 + tb], "inner sizes", &bad);
    if (bad || ox_broadcast_dims(c, ra > 2 ? ra - 2 : 0, a, rb > 2 ? rb - 2 : 0, b, &rank, &dims)) return -1;
    ox_dim *out = ox_mv_no_dims(c, rank + 2);
    for (int i = 0; i < rank; i++) out[i] = dims[i];
    if (ra > 1) out[rank++] = a[ra - 2 + ta];
    if (rb > 1) out[rank++] = b[rb - 1 - tb];
    ox_out_tensor(c, 0, t, rank, out);
    return 0;
}

typedef struct fused {
    bool ta, tb;
    int64_t m, n, k, batch;
    int rank, batch_rank;
    int64_t *dims;
} fused;

static int fused_dims(ox_run *r, const ox_tensor *a, const ox_tensor *b, fused *f) {
    int ra = a->rank, rb = b->rank, ba = ra > 2 ? ra - 2 : 0, bb = rb > 2 ? rb - 2 : 0;
    if (!ra || !rb) return ox_fail(r->ctx, OX_BAD_DATA, "a matrix product of a scalar");
    f->ta = flag(r->call, "transA") && ra > 1;
    f->tb = flag(r->call, "transB") && rb > 1;
    f->m = ra > 1 ? a->dims[ra - 2 + f->ta] : 1;
    f->n = rb > 1 ? b->dims[rb - 1 - f->tb] : 1;
    f->k = a->dims[ra - 1 - f->ta];
    if (b->dims[rb == 1 ? 0 : rb - 2 + f->tb] != f->k) return ox_fail(r->ctx, OX_BAD_DATA, "inner sizes differ");
    f->rank = f->batch_rank = ba > bb ? ba : bb;
    f->dims = OX_NEW_N(r->arena, int64_t, f->rank + 2);
    f->batch = 1;
    for (int i = 0; i < f->rank; i++) {
        int64_t x = i < f->rank - ba ? 1 : a->dims[i - (f->rank - ba)],
                y = i < f->rank - bb ? 1 : b->dims[i - (f->rank - bb)];
        if (x != y && x != 1 && y != 1) return ox_fail(r->ctx, OX_BAD_DATA, "batches do not broadcast");
        f->dims[i] = x == 1 ? y : x;
        if (!ox_mul_ok(f->batch, f->dims[i], &f->batch)) return ox_fail(r->ctx, OX_BAD_DATA, "too many batches");
    }
    if (ra > 1) f->dims[f->rank++] = f->m;
    if (rb > 1) f->dims[f->rank++] = f->n;
    return 0;
}

/* Which matrix of a tensor serves batch entry `at`. */
static int64_t batch_of(const fused *f, const ox_tensor *t, int64_t at) {
    int own = t->rank > 2 ? t->rank - 2 : 0;
    int64_t place = 0, stride = 1;
    for (int i = f->batch_rank - 1; i >= 0; i--) {
        int k = i - (f->batch_rank - own);
        int64_t here = at % f->dims[i];
        at /= f->dims[i];
        if (k < 0) break;
        place += t->dims[k] == 1 ? 0 : here * stride;
        stride *= t->dims[k];
    }
    return place;
}

/* An operand whose first axis belongs behind its batches: [n, batches..., k] to [batches..., n, k]. */
static const ox_tensor *batches_first(ox_steps *s, const ox_tensor *t, const char *attribute) {
    int64_t perm[64];
    if (!t || !flag(s->r->call, attribute) || t->rank < 3 || t->rank > 64) return t;
    for (int i = 0; i < t->rank; i++) perm[i] = i < t->rank - 2 ? i + 1 : i == t->rank - 2 ? 0 : i;
    return ox_step_transposed(s, t, perm);
}

static int multiply(ox_run *r, const ox_tensor *a, const ox_tensor *b) {
    fused f = {0};
    if (!a || !b || a->dtype != b->dtype || !ox_dtype_is_float(a->dtype))
        return ox_fail(r->ctx, OX_BAD_DATA, "the inputs are no tensors of one float type");
    if (fused_dims(r, a, b, &f)) return -1;
    double alpha = ox_get_float(r->call, "alpha");
    int64_t lda = f.ta ? f.m : f.k, ldb = f.tb ? f.k : f.n, sa = f.m * f.k, sb = f.k * f.n, sy = f.m * f.n;
    ox_tensor *y = ox_output(r, 0, a->dtype, f.rank, f.dims);
    if (!y) return -1;
    if (a->dtype == OX_DOUBLE) {
        const double *x = ox_tensor_data(a), *w = ox_tensor_data(b);
        if (!x || !w) return -1;
        for (int64_t i = 0; i < f.batch && y->count; i++)
            ox_dgemm(r->ctx, f.ta, f.tb, f.m, f.n, f.k, alpha, x + batch_of(&f, a, i) * sa, lda,
                     w + batch_of(&f, b, i) * sb, ldb, 0, (double *)ox_tensor_mut(y) + i * sy, f.n);
        return 0;
    }
    const float *x = ox_as_floats(r, a), *w = x ? ox_as_floats(r, b) : NULL;
    float *out = w ? ox_floats_of(r, y) : NULL;
    if (!out) return -1;
    for (int64_t i = 0; i < f.batch && y->count; i++)
        ox_sgemm(r->ctx, f.ta, f.tb, f.m, f.n, f.k, (float)alpha, x + batch_of(&f, a, i) * sa, lda,
                 w + batch_of(&f, b, i) * sb, ldb, 0, out + i * sy, f.n);
    ox_floats_done(r, y, out);
    return 0;
}

int ox_ms_run_matmul(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *a = batches_first(&s, ox_input(r, 0), "transBatchA"), *b = batches_first(&s, ox_input(r, 1), "transBatchB");
    int rc = s.failed ? -1 : multiply(r, a, b);
    for (int i = 0; i < s.n; i++) ox_tensor_unref(s.kept[i]);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ normalization */

typedef struct norm {
    bool simple;        /* no mean, no beta */
    float epsilon;
    int64_t rows, width;
    const float *x, *skip, *gamma, *beta, *bias;
    int64_t skip_rows;  /* the skip repeats after so many rows */
    float *y, *mean, *inverse, *sum;
} norm;

static void norm_rows(const norm *n) {
    for (int64_t i = 0; i < n->rows; i++) {
        const float *x = n->x + i * n->width, *skip = n->skip ? n->skip + i % n->skip_rows * n->width : NULL;
        float *y = n->y + i * n->width;
        double mean = 0, square = 0;
        for (int64_t k = 0; k < n->width; k++) {
            y[k] = x[k] + (skip ? skip[k] : 0) + (n->bias ? n->bias[k] : 0);
            mean += (double)y[k];
        }
        if (n->sum) memcpy(n->sum + i * n->width, y, (size_t)n->width * sizeof *y);
        mean = n->simple ? 0 : mean / (double)n->width;
        for (int64_t k = 0; k < n->width; k++) square += ((double)y[k] - mean) * ((double)y[k] - mean);
        double inverse = 1 / sqrt(square / (double)n->width + (double)n->epsilon);
        if (n->mean) n->mean[i] = (float)mean;
        if (n->inverse) n->inverse[i] = (float)inverse;
        for (int64_t k = 0; k < n->width; k++)
            y[k] = (float)(((double)y[k] - mean) * inverse) * n->gamma[k] + (n->beta ? n->beta[k] : 0);
    }
}

/* A vector of the row's width, or NULL; *bad is set after ox_fail. */
static const float *row_vector(ox_run *r, int i, int64_t width, bool *bad) {
    const ox_tensor *t = ox_input(r, i);
    if (!t || *bad) return NULL;
    const float *v = t->count == width ? ox_as_floats(r, t) : NULL;
    if (!v && t->count != width)
        ox_fail(r->ctx, OX_BAD_DATA, "input %d has %lld elements, not %lld", i, (long long)t->count, (long long)width);
    *bad |= !v;
    return v;
}

/* A float output of statistics, one per row; NULL when nobody asks for it. */
static float *statistics(ox_run *r, int i, const ox_tensor *x, int axis, bool *bad) {
    const ox_node *n = r->call->node;
    if (*bad || !ox_want(r, i) || (n && !ox_node_out(n, (uint32_t)i))) return NULL;
    int64_t *d = OX_NEW_N(r->arena, int64_t, x->rank);
    for (int k = 0; k < x->rank; k++) d[k] = k < axis ? x->dims[k] : 1;
    ox_tensor *t = ox_output(r, i, OX_FLOAT, x->rank, d);
    *bad |= !t;
    return t ? ox_tensor_mut(t) : NULL;
}

static int run_skip(ox_run *r, bool simple) {
    const ox_tensor *x = ox_input(r, 0), *skip = ox_input(r, 1);
    bool bad = false;
    if (!x || !skip || x->rank < 1 || x->dtype != skip->dtype)
        return ox_fail(r->ctx, OX_BAD_DATA, "input or skip is missing or of another type");
    norm n = {.simple = simple, .epsilon = (float)ox_get_float(r->call, "epsilon"), .width = x->dims[x->rank - 1]};
    n.rows = n.width ? x->count / n.width : 0;
    n.skip_rows = n.width ? skip->count / n.width : 0;
    if (n.width && (!n.skip_rows || skip->count % n.width || n.rows % n.skip_rows))
        return ox_fail(r->ctx, OX_BAD_DATA, "skip does not fit the input");
    n.gamma = row_vector(r, 2, n.width, &bad);
    n.beta = simple ? NULL : row_vector(r, 3, n.width, &bad);
    n.bias = row_vector(r, simple ? 3 : 4, n.width, &bad);
    if (bad || !n.gamma) return bad ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "gamma is missing");
    n.x = ox_as_floats(r, x);
    n.skip = n.x ? ox_as_floats(r, skip) : NULL;
    ox_tensor *y = n.skip ? ox_output(r, 0, x->dtype, x->rank, x->dims) : NULL, *sum = NULL;
    if (!y || !(n.y = ox_floats_of(r, y))) return -1;
    n.mean = statistics(r, 1, x, x->rank - 1, &bad);
    n.inverse = statistics(r, 2, x, x->rank - 1, &bad);
    if (!bad && ox_want(r, 3)) {
        sum = ox_output(r, 3, x->dtype, x->rank, x->dims);
        n.sum = sum ? ox_floats_of(r, sum) : NULL;
        bad |= !n.sum;
    }
    if (bad) return -1;
    norm_rows(&n);
    ox_floats_done(r, y, n.y);
    if (sum) ox_floats_done(r, sum, n.sum);
    return 0;
}

int ox_ms_run_skip_norm(ox_run *r) { return run_skip(r, false); }
int ox_ms_run_skip_simple_norm(ox_run *r) { return run_skip(r, true); }

int ox_ms_run_simple_norm(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *scale = ox_input(r, 1);
    bool bad = false;
    if (!x || !scale) return ox_fail(r->ctx, OX_BAD_DATA, "an input is missing");
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis");
    if (axis < 0) return -1;
    if (x->dtype == OX_DOUBLE) return ox_kernel_no_type(r, x->dtype);
    norm n = {.simple = true, .epsilon = (float)ox_get_float(r->call, "epsilon"), .skip_rows = 1};
    n.width = ox_mv_product(x->rank - (int)axis, x->dims + axis);
    n.rows = n.width ? x->count / n.width : 0;
    n.gamma = row_vector(r, 1, n.width, &bad);
    n.x = bad ? NULL : ox_as_floats(r, x);
    ox_tensor *y = n.x ? ox_output(r, 0, scale->dtype, x->rank, x->dims) : NULL;
    if (!y || !(n.y = ox_floats_of(r, y))) return -1;
    n.inverse = statistics(r, 1, x, (int)axis, &bad);
    if (bad) return -1;
    norm_rows(&n);
    ox_floats_done(r, y, n.y);
    return 0;
}
