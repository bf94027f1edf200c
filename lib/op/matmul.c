/* Matrix products: MatMul, Gemm, Det with rules and kernels; Einsum's are in einsum.c. */
#include "cpu/gemm.h"
#include "op/blas.h"
#include "op/compute.h"
#include "op/sliced.h"

/* ---- MatMul */

static int check_inner(ox_call *c, ox_dim a, ox_dim b) {
    int64_t x, y;
    if (!ox_dim_is_const(a, &x) || !ox_dim_is_const(b, &y) || x == y) return 0;
    return ox_fail(c->ctx, OX_BAD_DATA, "inner sizes differ: %" PRId64 " and %" PRId64, x, y);
}

static int infer_matmul(ox_call *c) {
    const ox_dim *a = ox_in_dims(c, 0), *b = ox_in_dims(c, 1);
    int ra = ox_in_rank(c, 0), rb = ox_in_rank(c, 1), rank = -1;
    if (ra == 0 || rb == 0) return ox_fail(c->ctx, OX_BAD_DATA, "a scalar cannot be multiplied as a matrix");
    ox_dim *dims = NULL;
    if (a && b) {
        int ba = ra > 2 ? ra - 2 : 0, bb = rb > 2 ? rb - 2 : 0;
        if (check_inner(c, a[ra - 1], rb == 1 ? b[0] : b[rb - 2]) < 0 ||
            ox_broadcast_dims(c, ba, a, bb, b, &rank, &dims) < 0)
            return -1;
        ox_dim *all = OX_NEW_N(c->arena, ox_dim, rank + 2);
        if (rank) memcpy(all, dims, (size_t)rank * sizeof *dims);
        if (ra > 1) all[rank++] = a[ra - 2];
        if (rb > 1) all[rank++] = b[rb - 1];
        dims = all;
    }
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    return 0;
}

typedef struct matmul {
    ox_dtype as;
    int64_t m, n, k, batches;
    const char *a, *b;
    char *c;
    int64_t *a_at, *b_at; /* which matrix of a and b each batch takes */
} matmul;

static void batch_offsets(int rank, const int64_t *dims, const ox_tensor *t, int64_t batches, int64_t *at) {
    int own = t->rank > 2 ? t->rank - 2 : 0;
    for (int64_t i = 0; i < batches; i++) {
        int64_t rest = i, step = 1, sum = 0;
        for (int d = rank - 1; d >= rank - own; d--) {
            int64_t size = t->dims[d - (rank - own)];
            if (size != 1) sum += rest % dims[d] * step;
            rest /= dims[d];
            step *= size;
        }
        at[i] = sum;
    }
}

static int multiply_sliced(ox_run *r, const matmul *v) {
    bool shared = true;
    for (int64_t i = 0; i < v->batches && shared; i++) shared = v->b_at[i] == 0 && v->a_at[i] == i;
    const float *a = (const float *)v->a, *b = (const float *)v->b;
    float *c = (float *)v->c;
    if (shared) return ox_sliced_product(r, false, false, v->batches * v->m, v->n, v->k, 1, a, v->k, b, v->n, false, c, v->n);
    for (int64_t i = 0; i < v->batches; i++) {
        if (ox_sliced_product(r, false, false, v->m, v->n, v->k, 1, a + v->a_at[i] * v->m * v->k, v->k, b + v->b_at[i] * v->k * v->n, v->n, false,
                              c + i * v->m * v->n, v->n) < 0)
            return -1;
    }
    return 0;
}

static void multiply_batches(ox_ctx *ctx, const matmul *v) {
    size_t size = v->as == OX_FLOAT ? sizeof(float) : sizeof(double);
    bool shared = v->batches > 1;
    for (int64_t i = 0; i < v->batches && shared; i++) shared = v->b_at[i] == 0 && v->a_at[i] == i;
    if (shared) { /* one right-hand side for all: one tall product */
        ox_product(ctx, v->as, false, false, v->batches * v->m, v->n, v->k, v->a, v->k, v->b, v->n, false, v->c, v->n);
        return;
    }
    if (v->as == OX_FLOAT && v->batches > 1) {
        const ox_gemm_many many = {v->batches, v->m * v->k, v->k * v->n, v->m * v->n, v->a_at, v->b_at};
        ox_gemm_batch(ox_thread_count(ctx), &many, false, false, v->m, v->n, v->k, 1, (const float *)v->a, v->k, (const float *)v->b, v->n, NULL, NULL,
                      (float *)v->c, v->n);
        return;
    }
    int threads =
        v->batches > 1 && v->m * v->n * v->k < 1 << 24 ? ox_threads_for(ctx, v->batches * v->m * v->n * v->k) : 1;
    OX_EACH(threads, i, v->batches, { /* one thread: no team of one, in which the product's own threads would be made anew each time */
        const char *a = v->a + (size_t)(v->a_at[i] * v->m * v->k) * size,
                   *b = v->b + (size_t)(v->b_at[i] * v->k * v->n) * size;
        ox_product(ctx, v->as, false, false, v->m, v->n, v->k, a, v->k, b, v->n, false,
                   v->c + (size_t)(i * v->m * v->n) * size, v->n);
    });
}

/* The batch axes of both broadcast into dims; the number of them. -1 after ox_fail. */
static int matmul_batch(ox_run *r, const ox_tensor *a, const ox_tensor *b, int64_t *dims) {
    int ba = a->rank > 2 ? a->rank - 2 : 0, bb = b->rank > 2 ? b->rank - 2 : 0, rank = ba > bb ? ba : bb;
    for (int d = 0; d < rank; d++) {
        int64_t x = d - (rank - ba) < 0 ? 1 : a->dims[d - (rank - ba)],
                y = d - (rank - bb) < 0 ? 1 : b->dims[d - (rank - bb)];
        if (x != y && x != 1 && y != 1)
            return ox_fail(r->ctx, OX_BAD_DATA, "batch sizes %" PRId64 " and %" PRId64 " cannot be broadcast", x, y);
        dims[d] = x == 1 ? y : x;
    }
    return rank;
}

static int matmul_by(ox_run *r, bool sliced) {
    const ox_tensor *a = ox_need(r, 0), *b = ox_need(r, 1);
    if (!a || !b) return -1;
    if (a->dtype != b->dtype) return ox_fail(r->ctx, OX_BAD_DATA, "inputs have different element types");
    matmul v = {.as = ox_product_type(a->dtype)};
    if (v.as == OX_UNDEFINED) return ox_kernel_no_type(r, a->dtype);
    if (a->rank < 1 || b->rank < 1) return ox_fail(r->ctx, OX_BAD_DATA, "a scalar cannot be multiplied as a matrix");
    v.m = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    v.k = a->dims[a->rank - 1];
    v.n = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    int64_t inner = b->rank > 1 ? b->dims[b->rank - 2] : b->dims[0];
    if (inner != v.k) return ox_fail(r->ctx, OX_BAD_DATA, "inner sizes differ: %" PRId64 " and %" PRId64, v.k, inner);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, a->rank + b->rank);
    int batch = matmul_batch(r, a, b, dims), rank = batch;
    if (batch < 0) return -1;
    if (a->rank > 1) dims[rank++] = v.m;
    if (b->rank > 1) dims[rank++] = v.n;
    ox_tensor *y = ox_output(r, 0, a->dtype, rank, dims);
    if (!y) return -1;
    if (!y->count) return 0;
    v.batches = ox_count(dims, 0, batch);
    v.a_at = ox_scratch(r, (uint64_t)v.batches * 2 * sizeof *v.a_at);
    v.a = ox_product_in(r, a, v.as);
    v.b = ox_product_in(r, b, v.as);
    v.c = ox_product_out(r, y, v.as);
    if (!v.a_at || !v.a || !v.b || !v.c) return -1;
    v.b_at = v.a_at + v.batches;
    batch_offsets(batch, dims, a, v.batches, v.a_at);
    batch_offsets(batch, dims, b, v.batches, v.b_at);
    if (!sliced || v.as != OX_FLOAT)
        multiply_batches(r->ctx, &v);
    else if (multiply_sliced(r, &v) < 0)
        return -1;
    ox_product_done(y, v.as, v.c);
    return 0;
}

static int run_matmul(ox_run *r) { return matmul_by(r, false); }
int ox_run_matmul_sliced(ox_run *r) { return matmul_by(r, true); }

/* ---- Gemm */

static int infer_gemm(ox_call *c) {
    bool ta = ox_get_int(c, "transA") != 0, tb = ox_get_int(c, "transB") != 0;
    const ox_dim *a = ox_in_dims(c, 0), *b = ox_in_dims(c, 1);
    if ((a && ox_in_rank(c, 0) != 2) || (b && ox_in_rank(c, 1) != 2))
        return ox_fail(c->ctx, OX_BAD_DATA, "A and B must be matrices");
    if (a && b && check_inner(c, a[ta ? 0 : 1], b[tb ? 1 : 0]) < 0) return -1;
    ox_dim dims[2] = {a ? a[ta ? 1 : 0] : NULL, b ? b[tb ? 0 : 1] : NULL};
    const ox_dim *bias = ox_arg_given(c, 2) ? ox_in_dims(c, 2) : NULL;
    int rb = ox_in_rank(c, 2), r;
    ox_dim *both;
    if (bias && rb > 2) return ox_fail(c->ctx, OX_BAD_DATA, "C has rank %d", rb);
    if (bias && ox_broadcast_dims(c, 2, dims, rb, bias, &r, &both) < 0) return -1;
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), 2, dims);
    return 0;
}

static int lift_gemm(ox_call *c) {
    ox_lift_drop(c, "broadcast");
    return 0;
}

/* y[m, n] = beta * C, broadcast; integers go through double, where every int32 is exact, unless beta is 1. */
#define FILL(T, MUL)                                                                                         \
    for (int64_t i = 0; i < m; i++) {                                                                        \
        for (int64_t j = 0; j < n; j++) ((T *)y)[i * n + j] = (T)(MUL ((const T *)bias)[i * row + j * col]); \
    }
static void fill_bias(ox_dtype as, void *y, const void *bias, double beta, int64_t m, int64_t n, int64_t row,
                      int64_t col) {
    if (as == OX_FLOAT)
        FILL(float, (float)beta *)
    else if (as == OX_DOUBLE)
        FILL(double, beta *)
    else if (beta == 1)
        FILL(int64_t, )
    else
        for (int64_t i = 0; i < m * n; i++)
            ox_store_double(OX_INT64, y, i, beta * (double)((const int64_t *)bias)[i / n * row + i % n * col]);
}

typedef struct gemm {
    ox_dtype as;
    bool ta, tb;
    int64_t m, n, k, lda, ldb;
    double alpha, beta;
} gemm;

static int read_gemm(ox_run *r, gemm *g, const ox_tensor *a, const ox_tensor *b, const ox_tensor *c) {
    if (a->dtype != b->dtype || (c && c->dtype != a->dtype))
        return ox_fail(r->ctx, OX_BAD_DATA, "inputs have different element types");
    *g = (gemm){.as = ox_product_type(a->dtype),
                .ta = ox_get_int(r->call, "transA") != 0,
                .tb = ox_get_int(r->call, "transB") != 0};
    if (g->as == OX_UNDEFINED) return ox_kernel_no_type(r, a->dtype);
    if (a->rank != 2 || b->rank != 2) return ox_fail(r->ctx, OX_BAD_DATA, "A and B must be matrices");
    g->m = a->dims[g->ta];
    g->k = a->dims[!g->ta];
    g->n = b->dims[!g->tb];
    if (b->dims[g->tb] != g->k)
        return ox_fail(r->ctx, OX_BAD_DATA, "inner sizes differ: %" PRId64 " and %" PRId64, g->k, b->dims[g->tb]);
    g->lda = a->dims[1];
    g->ldb = b->dims[1];
    g->alpha = ox_get_float(r->call, "alpha");
    g->beta = ox_get_float(r->call, "beta");
    return 0;
}

/* Row and column strides of C as it is broadcast to [m, n]; -1 after ox_fail. */
static int bias_strides(ox_run *r, const gemm *g, const ox_tensor *c, int64_t *row, int64_t *col) {
    int64_t cols = c->rank > 0 ? c->dims[c->rank - 1] : 1, rows = c->rank > 1 ? c->dims[0] : 1;
    if (c->rank > 2 || (cols != 1 && cols != g->n) || (rows != 1 && rows != g->m))
        return ox_fail(r->ctx, OX_BAD_DATA, "C cannot be broadcast to [%" PRId64 ", %" PRId64 "]", g->m, g->n);
    *col = cols == 1 ? 0 : 1;
    *row = rows == 1 ? 0 : cols;
    return 0;
}

static int gemm_by(ox_run *r, bool sliced) {
    gemm g = {0};
    int64_t row = 0, col = 0;
    const ox_tensor *a = ox_need(r, 0), *b = ox_need(r, 1), *c = ox_input(r, 2);
    if (!a || !b || read_gemm(r, &g, a, b, c) < 0 || (c && bias_strides(r, &g, c, &row, &col) < 0)) return -1;
    ox_tensor *y = ox_output(r, 0, a->dtype, 2, (int64_t[]){g.m, g.n});
    if (!y) return -1;
    const void *ad = ox_product_in(r, a, g.as), *bd = ox_product_in(r, b, g.as),
               *cd = c ? ox_product_in(r, c, g.as) : NULL;
    void *yd = ox_product_out(r, y, g.as);
    if (!ad || !bd || !yd || (c && !cd)) return -1;
    if (c) fill_bias(g.as, yd, cd, g.beta, g.m, g.n, row, col);
    float add = c ? 1 : 0;
    if (g.as == OX_FLOAT && sliced) {
        if (ox_sliced_product(r, g.ta, g.tb, g.m, g.n, g.k, (float)g.alpha, ad, g.lda, bd, g.ldb, c != NULL, yd, g.n) < 0) return -1;
    } else if (g.as == OX_FLOAT) {
        ox_sgemm(r->ctx, g.ta, g.tb, g.m, g.n, g.k, (float)g.alpha, ad, g.lda, bd, g.ldb, add, yd, g.n);
    } else if (g.as == OX_DOUBLE) {
        ox_dgemm(r->ctx, g.ta, g.tb, g.m, g.n, g.k, g.alpha, ad, g.lda, bd, g.ldb, (double)add, yd, g.n);
    } else if (g.alpha == 1) {
        ox_product(r->ctx, g.as, g.ta, g.tb, g.m, g.n, g.k, ad, g.lda, bd, g.ldb, c != NULL, yd, g.n);
    } else {
        int64_t *ab = ox_scratch(r, (uint64_t)y->count * sizeof *ab), *to = yd;
        if (!ab) return -1;
        ox_product(r->ctx, g.as, g.ta, g.tb, g.m, g.n, g.k, ad, g.lda, bd, g.ldb, false, ab, g.n);
        for (int64_t i = 0; i < y->count; i++)
            ox_store_double(OX_INT64, to, i, g.alpha * (double)ab[i] + (c ? (double)to[i] : 0));
    }
    ox_product_done(y, g.as, yd);
    return 0;
}

int ox_run_gemm(ox_run *r) { return gemm_by(r, false); }
int ox_run_gemm_sliced(ox_run *r) { return gemm_by(r, true); }

/* ---- Det */

static int infer_det(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *x = ox_in_dims(c, 0);
    int64_t a, b;
    if (x && (rank < 2 || (ox_dim_is_const(x[rank - 1], &a) && ox_dim_is_const(x[rank - 2], &b) && a != b)))
        return ox_fail(c->ctx, OX_BAD_DATA, "the input must hold square matrices");
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), x ? rank - 2 : -1, x);
    return 0;
}

/* By elimination with pivots; changes m. */
static double determinant(double *m, int64_t n) {
    double det = 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t best = i;
        for (int64_t j = i + 1; j < n; j++) {
            if (fabs(m[j * n + i]) > fabs(m[best * n + i])) best = j;
        }
        if (m[best * n + i] == 0) return 0;
        if (best != i) {
            det = -det;
            for (int64_t k = i; k < n; k++) {
                double t = m[i * n + k];
                m[i * n + k] = m[best * n + k];
                m[best * n + k] = t;
            }
        }
        det *= m[i * n + i];
        for (int64_t j = i + 1; j < n; j++) {
            double f = m[j * n + i] / m[i * n + i];
            for (int64_t k = i + 1; k < n; k++) m[j * n + k] -= f * m[i * n + k];
        }
    }
    return det;
}

static int run_det(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    if (!x || !ox_ok_float(r, x)) return -1;
    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
        return ox_fail(r->ctx, OX_BAD_DATA, "the input must hold square matrices");
    int64_t n = x->dims[x->rank - 1];
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank - 2, x->dims);
    double *m = y ? ox_scratch(r, (uint64_t)(x->count / (y->count ? y->count : 1)) * sizeof *m) : NULL;
    if (!m || !ox_tensor_data(x)) return -1;
    for (int64_t i = 0; i < y->count; i++) {
        for (int64_t j = 0; j < n * n; j++) m[j] = ox_load_double(x->dtype, ox_tensor_data(x), i * n * n + j);
        ox_store_double(y->dtype, ox_tensor_mut(y), i, determinant(m, n));
    }
    return 0;
}

OX_FAMILY(matmul, "",
    OP("MatMul", 13,
       "(T A, T B) => (T Y) T: floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_matmul, .kernel = run_matmul),
    OP("MatMul", 9,
       "(T A, T B) => (T Y) T: floats|int32|int64|uint32|uint64"),
    OP("MatMul", 1,
       "(T A, T B) => (T Y) T: floats"),
    OP("Gemm", 13,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T? C) => (T "
       "Y) T: floats|bfloat16|int32|int64|uint32|uint64",
       .infer = infer_gemm, .kernel = ox_run_gemm),
    OP("Gemm", 11,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T? C) => (T "
       "Y) T: floats|int32|int64|uint32|uint64"),
    OP("Gemm", 9,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T C) => (T "
       "Y) T: floats|int32|int64|uint32|uint64"),
    OP("Gemm", 7,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T C) => (T "
       "Y) T: floats"),
    OP("Gemm", 6,
       "<alpha: float = 1.0, beta: float = 1.0, broadcast: int = 0, transA: int = 0, transB: int = 0>(T "
       "A, T B, T C) => (T Y) T: floats",
       .lift = lift_gemm),
    OP("Gemm", 1,
       "<alpha: float = 1.0, beta: float = 1.0, broadcast: int = 0, transA: int = 0, transB: int = 0>(T "
       "A, T B, T C) => (T Y) T: floats",
       .lift = lift_gemm),
    OP("Einsum", 28,
       "<equation: string>(T... Inputs) => (T Output) T: numbers|bfloat16",
       .infer = ox_infer_einsum, .kernel = ox_run_einsum),
    OP("Einsum", 12,
       "<equation: string>(T... Inputs) => (T Output) T: numbers"),
    OP("Det", 22,
       "(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_det, .kernel = run_det),
    OP("Det", 11,
       "(T X) => (T Y) T: floats"));
