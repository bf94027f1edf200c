/* Kernels and shape rules of the families that compute (convolutions, products, reductions, ...): what stands in
 * another file than its row of the table, and the few helpers these files share. */
#ifndef OX_OP_COMPUTE_H
#define OX_OP_COMPUTE_H

#include "op/kernel.h"

#include <inttypes.h>
#include <math.h>

#ifdef _OPENMP
#include <omp.h>
static inline int ox_thread_index(void) { return omp_get_thread_num(); }
#else
static inline int ox_thread_index(void) { return 0; }
#endif

/* Kernels, by the name of their operator. */
int ox_run_gemm(ox_run *r);
int ox_run_conv(ox_run *r);
int ox_run_conv_transpose(ox_run *r);
int ox_run_deform_conv(ox_run *r);
int ox_run_col2im(ox_run *r);
int ox_run_causal_conv(ox_run *r);
int ox_run_max_pool(ox_run *r);
int ox_run_average_pool(ox_run *r);
int ox_run_lp_pool(ox_run *r);
int ox_run_global_pool(ox_run *r);
int ox_run_max_unpool(ox_run *r);
int ox_run_max_roi_pool(ox_run *r);
int ox_run_roi_align(ox_run *r);
int ox_run_reduce(ox_run *r);
int ox_run_arg_reduce(ox_run *r);
int ox_run_batch_norm(ox_run *r);
int ox_run_instance_norm(ox_run *r);
int ox_run_group_norm(ox_run *r);
int ox_run_layer_norm(ox_run *r);
int ox_run_rms_norm(ox_run *r);
int ox_run_lrn(ox_run *r);
int ox_run_mvn(ox_run *r);
int ox_run_dropout(ox_run *r);
int ox_run_einsum(ox_run *r);
int ox_infer_einsum(ox_call *c);
int ox_run_resize(ox_run *r);
/* The same for an image [N][blocks][H][W][block] of floats (cpu/conv.h) that stands for one of RANK axes; modes without antialias, not
 * tf_crop_and_resize. */
int ox_run_resize_blocks(ox_run *r, const ox_tensor *x, int rank, int64_t channels);
int ox_run_grid_sample(ox_run *r);
int ox_run_affine_grid(ox_run *r);
int ox_run_lstm(ox_run *r);
int ox_run_gru(ox_run *r);
int ox_run_rnn(ox_run *r);
int ox_run_attention(ox_run *r);
int ox_run_linear_attention(ox_run *r);
int ox_run_rotary_embedding(ox_run *r);

/* For inner loops that are worth it: OX_WIDER in front of a copy of the loop lets it use wider vectors and fused
 * multiply-add; it may be called where OX_HAS_WIDER() is true. By what the processor can do, not by its name. */
#if defined(__x86_64__)
#define OX_WIDER         __attribute__((target("avx2,fma")))
#define OX_HAS_WIDER()   (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#else
#define OX_WIDER
#define OX_HAS_WIDER() 0
#endif

/* The type most float kernels compute in: double for double, float for the others. ox_compute_type() of a tensor
 * that may be NULL. */
static inline bool ox_is_double(const ox_tensor *t) { return t && t->dtype == OX_DOUBLE; }

/* ox_ok_float() is false, after ox_fail, for anything but float, double, float16 and bfloat16. */
static inline bool ox_ok_float(ox_run *r, const ox_tensor *t) {
    if (t->dtype == OX_FLOAT || t->dtype == OX_DOUBLE || t->dtype == OX_FLOAT16 || t->dtype == OX_BFLOAT16) return true;
    ox_kernel_no_type(r, t->dtype);
    return false;
}

/* A required input; NULL after ox_fail. */
static inline const ox_tensor *ox_need(ox_run *r, int i) {
    const ox_tensor *t = ox_input(r, i);
    if (!t) ox_fail(r->ctx, OX_BAD_DATA, "input %d is missing", i);
    return t;
}

/* Product of dims[from..to): the count of a part of a tensor that exists. */
static inline int64_t ox_count(const int64_t *dims, int from, int to) {
    int64_t n = 1;
    for (int d = from; d < to; d++) n *= dims[d];
    return n;
}

/* ---- products of matrices in the three types they are computed in: float, double, int64 (all integers; wraps) ---- */
ox_dtype ox_product_type(ox_dtype t);                                       /* OX_UNDEFINED: not served */
const void *ox_product_in(ox_run *r, const ox_tensor *t, ox_dtype as);      /* all elements; NULL after ox_fail */
void *ox_product_out(ox_run *r, ox_tensor *t, ox_dtype as);                 /* where to compute the output */
void ox_product_done(ox_tensor *t, ox_dtype as, const void *data);          /* rounds it into the tensor */
/* c = op(a) * op(b), as ox_sgemm() without scale; ADD: c += ... */
void ox_product(ox_ctx *ctx, ox_dtype as, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                const void *b, int64_t ldb, bool add, void *c, int64_t ldc);

/* Sums of x[i] and of (x[i] - center)^2, in blocks of the type itself that are added up in double. The order depends
 * on n only. */
double ox_sum_float(const float *x, int64_t n);
double ox_sum_double(const double *x, int64_t n);
double ox_squares_float(const float *x, int64_t n, float center);
double ox_squares_double(const double *x, int64_t n, double center);

/* e to the x, about 1 ulp, without branches, so that loops of it become vectors; overflows to infinity, keeps NaN. */
static inline float ox_fast_exp(float x) {
    float c = x < -104.0f ? -104.0f : x;
    c = c > 89.0f ? 89.0f : c;
    float t = c * 1.44269504f + 12582912.0f,
          n = t - 12582912.0f; /* the addition rounds to an integer in the low bits */
    uint32_t bits;
    memcpy(&bits, &t, sizeof bits);
    float f = c - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * (f * f) + f + 1.0f;
    int32_t k = (int32_t)(bits - 0x4b400000u), half = k >> 1; /* in two steps, for results below the normal numbers */
    uint32_t one = (uint32_t)(half + 127) << 23, two = (uint32_t)(k - half + 127) << 23;
    float s1, s2;
    memcpy(&s1, &one, sizeof s1);
    memcpy(&s2, &two, sizeof s2);
    return p * s1 * s2;
}

/* Hyperbolic tangent and logistic function in the same way. */
static inline float ox_fast_tanh(float x) {
    float z = x * x, a = x < 0 ? -x : x;
    float small =
        ((((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z -
         3.33332819422e-1f) *
            z * x +
        x;
    float large = 1 - 2 / (ox_fast_exp(2 * a) + 1);
    large = x < 0 ? -large : large;
    return a < 0.625f ? small : large;
}

#endif
