/* Products of matrices in the type they are computed in, for MatMul, Gemm and Einsum. */
#include "op/blas.h"
#include "op/compute.h"

ox_dtype ox_product_type(ox_dtype t) {
    if (t == OX_DOUBLE) return t;
    if (ox_dtype_is_int(t)) return OX_INT64;
    return t == OX_FLOAT || t == OX_FLOAT16 || t == OX_BFLOAT16 ? OX_FLOAT : OX_UNDEFINED;
}

const void *ox_product_in(ox_run *r, const ox_tensor *t, ox_dtype as) {
    if (as == OX_FLOAT) return ox_as_floats(r, t);
    if (as == OX_DOUBLE) return ox_as_doubles(r, t);
    const void *data = ox_tensor_data(t);
    if (!data || t->dtype == OX_INT64 || t->dtype == OX_UINT64) return data;
    int64_t *out = ox_scratch(r, (uint64_t)t->count * sizeof *out);
    for (int64_t i = 0; out && i < t->count; i++) out[i] = ox_load_int(t->dtype, data, i);
    return out;
}

void *ox_product_out(ox_run *r, ox_tensor *t, ox_dtype as) {
    bool own = t->dtype == as || (as == OX_INT64 && t->dtype == OX_UINT64);
    return own ? ox_tensor_mut(t)
               : ox_scratch(r, (uint64_t)t->count * (as == OX_FLOAT ? sizeof(float) : sizeof(double)));
}

void ox_product_done(ox_tensor *t, ox_dtype as, const void *data) {
    void *to = ox_tensor_mut(t);
    if (data == to) return;
    if (as == OX_FLOAT) ox_from_floats(t->dtype, to, 0, t->count, data);
    if (as == OX_DOUBLE) ox_store_doubles(t->dtype, to, t->count, data);
    for (int64_t i = 0; as == OX_INT64 && i < t->count; i++) ox_store_int(t->dtype, to, i, ((const int64_t *)data)[i]);
}

static void int_product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const uint64_t *a, int64_t lda,
                        const uint64_t *b, int64_t ldb, bool add, uint64_t *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++) {
        uint64_t *row = c + i * ldc;
        for (int64_t j = 0; !add && j < n; j++) row[j] = 0;
        for (int64_t p = 0; p < k; p++) {
            uint64_t x = ta ? a[p * lda + i] : a[i * lda + p];
            if (tb) {
                for (int64_t j = 0; j < n; j++) row[j] += x * b[j * ldb + p];
            } else {
                for (int64_t j = 0; j < n; j++) row[j] += x * b[p * ldb + j];
            }
        }
    }
}

void ox_product(ox_ctx *ctx, ox_dtype as, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                const void *b, int64_t ldb, bool add, void *c, int64_t ldc) {
    if (as == OX_FLOAT)
        ox_sgemm(ctx, ta, tb, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, ldc);
    else if (as == OX_DOUBLE)
        ox_dgemm(ctx, ta, tb, m, n, k, 1, a, lda, b, ldb, add ? 1 : 0, c, ldc);
    else
        int_product(ta, tb, m, n, k, a, lda, b, ldb, add, c, ldc);
}
