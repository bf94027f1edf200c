/* Products of floats in the order of sums that others use: what is quantized afterwards shows every difference. Found by experiment on the
 * outputs of ONNX Runtime without optimizations, on x86.
 *
 * The depth is cut into slices, whose sums are fused and added up, the bias first. One row is not fused: by stored rows of weights eight
 * partial sums side by side, by columns four products at a time. */
#include "op/sliced.h"

#include "cpu/gemm.h"
#include "op/compute.h"

enum { SLICE = 128, LANES = 8 };

int64_t ox_depth_slice(int64_t columns, int64_t depth) {
    int64_t slice = SLICE;
    for (int64_t n = SLICE; columns < depth && n > 16 && n / 2 >= columns; n /= 2) slice *= 2;
    return slice;
}

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

/* Y[j] (+)= sum over p of x[p] * w[j][p]. */
OX_INLINE void by_rows_in(int64_t n, int64_t k, const float *x, const float *w, int64_t ldw, bool add, float *y) {
    for (int64_t j = 0; j < n; j++, w += ldw) {
        lanes sum = {0};
        lanes a;
        lanes b;
        int64_t p = 0;
        for (; p + LANES <= k; p += LANES) {
            memcpy(&a, x + p, sizeof a);
            memcpy(&b, w + p, sizeof b);
            sum += a * b;
        }
        a = b = (lanes){0};
        memcpy(&a, x + p, (size_t)(k - p) * sizeof *x);
        memcpy(&b, w + p, (size_t)(k - p) * sizeof *w);
        if (p < k) sum += a * b;
        float low = sum[0] + sum[1], high = sum[4] + sum[5];
        if (j < n / 4 * 4) { /* four columns at once */
            low = low + sum[2] + sum[3];
            high = high + sum[6] + sum[7];
        } else {
            low += sum[2] + sum[3];
            high += sum[6] + sum[7];
        }
        y[j] = add ? y[j] + (low + high) : low + high;
    }
}

/* Y[j] (+)= sum over p of x[p] * w[p][j]. */
OX_INLINE void by_columns_in(int64_t n, int64_t k, const float *x, const float *w, int64_t ldw, bool add, float *restrict y) {
    for (int64_t j = 0; !add && j < n; j++) y[j] = 0;
    for (int64_t rows; k > 0; k -= rows, x += rows, w += rows * ldw) {
        const float *b = w + ldw, *c = b + ldw, *d = c + ldw;
        rows = k >= 4 ? 4 : k >= 2 ? 2 : 1;
        if (rows == 4) {
            for (int64_t j = 0; j < n; j++) y[j] += x[0] * w[j] + x[1] * b[j] + x[2] * c[j] + x[3] * d[j];
        } else if (rows == 2) {
            for (int64_t j = 0; j < n; j++) y[j] += x[0] * w[j] + x[1] * b[j];
        } else {
            for (int64_t j = 0; j < n; j++) y[j] += x[0] * w[j];
        }
    }
}

#if defined(__x86_64__)
#define OX_PLAIN_WIDE __attribute__((target("avx2"))) /* without fused operations */
OX_PLAIN_WIDE static void by_rows_wide(int64_t n, int64_t k, const float *x, const float *w, int64_t ldw, bool add, float *y) {
    by_rows_in(n, k, x, w, ldw, add, y);
}
OX_PLAIN_WIDE static void by_columns_wide(int64_t n, int64_t k, const float *x, const float *w, int64_t ldw, bool add, float *y) {
    by_columns_in(n, k, x, w, ldw, add, y);
}
#endif

static void one_row(bool by_rows, int64_t n, int64_t k, const float *x, const float *w, int64_t ldw, bool add, float *y) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        (by_rows ? by_rows_wide : by_columns_wide)(n, k, x, w, ldw, add, y);
        return;
    }
#endif
    if (by_rows)
        by_rows_in(n, k, x, w, ldw, add, y);
    else
        by_columns_in(n, k, x, w, ldw, add, y);
}

int ox_sliced_product(ox_run *r, bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                      bool add, float *c, int64_t ldc) {
    if (m == 1 && !ta && alpha == 1) {
        one_row(tb, n, k, a, b, ldb, add, c);
        return 0;
    }
    if (n == 1 && !ta && !tb && alpha == 1 && ldb == 1 && ldc == 1) {
        one_row(true, m, k, b, a, lda, add, c);
        return 0;
    }
    int64_t slice = ox_depth_slice(n, k);
    float *part = k > slice || add ? ox_scratch(r, (uint64_t)m * (uint64_t)n * sizeof *part) : NULL;
    if ((k > slice || add) && !part) return -1;
    for (int64_t at = 0; at < k || at == 0; at += slice) {
        int64_t depth = k - at < slice ? k - at : slice;
        bool first = at == 0 && !add;
        ox_gemm(ox_thread_count(r->ctx), ta, tb, m, n, depth, alpha, a + (ta ? at * lda : at), lda, b + (tb ? at : at * ldb), ldb, false, NULL, NULL,
                first ? c : part, first ? ldc : n);
        for (int64_t i = 0; !first && i < m; i++)
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] += part[i * n + j];
    }
    return 0;
}
