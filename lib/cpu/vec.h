/* Functions on arrays of floats, once per instruction set: element by element, along rows, across rows, conversions, transposes. A result
 * depends on the values and sizes and on the instruction set, not on where an array begins, nor on how a caller cuts element-wise work.
 *
 * Errors in units of the last place against the exact value (tests/cpu/test_vec.c measures them): exp and log 1, erf 2.5, elu 1.6, sin and
 * cos 1.6 (any size of x), selu and celu 2, sigmoid and tanh 2.5, softplus 2.8, pow 0.6; gelu 2, swish and tanh's gelu 2.5, mish 3.3, or 1e-7
 * of |x| where the result is a small difference. NaN stays NaN; infinities, -0 and results below the normal numbers are right. */
#ifndef OX_VEC_H
#define OX_VEC_H

#include "cpu/cpu.h"

/* One input; p[0], p[1] are the parameters that stand behind the name. */
typedef enum ox_fn {
    OX_FN_ABS,
    OX_FN_NEG,
    OX_FN_SIGN,            /* NaN and zeros as they are */
    OX_FN_SQUARE,
    OX_FN_SQRT,
    OX_FN_RECIPROCAL,
    OX_FN_FLOOR,
    OX_FN_CEIL,
    OX_FN_ROUND,           /* half to even */
    OX_FN_EXP,
    OX_FN_LOG,
    OX_FN_SIN,
    OX_FN_COS,
    OX_FN_TANH,
    OX_FN_SIGMOID,
    OX_FN_ERF,
    OX_FN_RELU,            /* NaN passes, here and in all that follow */
    OX_FN_CLIP,            /* lo, hi; hi wins when they cross; a NaN bound is none */
    OX_FN_LEAKY_RELU,      /* alpha */
    OX_FN_ELU,             /* alpha */
    OX_FN_SELU,            /* alpha, gamma */
    OX_FN_CELU,            /* alpha */
    OX_FN_HARD_SIGMOID,    /* alpha, beta */
    OX_FN_HARD_SWISH,
    OX_FN_SOFTPLUS,
    OX_FN_SOFTSIGN,
    OX_FN_SWISH,           /* alpha */
    OX_FN_MISH,
    OX_FN_GELU,            /* by erf */
    OX_FN_GELU_TANH,
    OX_FN_THRESHOLDED_RELU, /* alpha */
    OX_FN_COUNT
} ox_fn;

/* Two inputs. */
typedef enum ox_fn2 {
    OX_FN2_ADD,
    OX_FN2_SUB,
    OX_FN2_MUL,
    OX_FN2_DIV,
    OX_FN2_MIN,   /* a NaN on either side stays */
    OX_FN2_MAX,
    OX_FN2_PRELU, /* b: slope */
    OX_FN2_POW,
    OX_FN2_COUNT
} ox_fn2;
/* Which of them is one element only. */
typedef enum ox_form { OX_VV, OX_VS, OX_SV, OX_FORM_COUNT } ox_form;

/* What folds many into one. MAX and MIN: a NaN wins; of nothing -inf, inf; PROD in double, of nothing 1. */
typedef enum ox_fold { OX_FOLD_SUM, OX_FOLD_SQUARES, OX_FOLD_ABS, OX_FOLD_MAX, OX_FOLD_MIN, OX_FOLD_PROD } ox_fold;

typedef void (*ox_vec_fn)(float *y, const float *x, int64_t n, const float *p);
typedef void (*ox_vec_fn2)(float *y, const float *a, const float *b, int64_t n);

typedef struct ox_vec {
    /* y may be an input where a function is element-wise. */
    ox_vec_fn fn[OX_FN_COUNT];
    ox_vec_fn2 fn2[OX_FN2_COUNT][OX_FORM_COUNT];
    void (*scale_shift)(float *y, const float *x, int64_t n, float scale, float shift);               /* x * scale + shift */
    void (*center_scale)(float *y, const float *x, int64_t n, float center, float scale, float shift); /* (x - center) * scale + shift */
    void (*center_scale_each)(float *y, const float *x, int64_t n, const float *center, const float *scale, const float *shift);

    /* A row without gaps; y may be x. */
    void (*softmax)(float *y, const float *x, int64_t n);
    void (*log_softmax)(float *y, const float *x, int64_t n);
    /* Down each of n columns of x[rows][stride], in place or not. */
    void (*softmax_columns)(float *y, const float *x, int64_t rows, int64_t stride, int64_t n, bool logarithm);
    /* (x - mean) / sqrt(variance + epsilon) * scale + bias; scale and bias may be NULL; stats (may be NULL) gets the mean and the inverse
     * of the deviation. RMS: mean 0 and no bias. */
    void (*layer_norm)(float *y, const float *x, int64_t n, double epsilon, const float *scale, const float *bias, double *stats);
    void (*rms_norm)(float *y, const float *x, int64_t n, double epsilon, const float *scale, double *stats);
    void (*moments)(const float *x, int64_t n, double *mean, double *variance); /* 0 of nothing */
    /* Sums are taken in several vectors of float for 16 steps, then in double. */
    double (*fold)(ox_fold op, const float *x, int64_t n);
    double (*squares)(const float *x, int64_t n, float center); /* of x - center */
    /* acc[j] takes in rows elements x[i * stride + j], j < n. */
    void (*fold_columns)(ox_fold op, double *acc, const float *x, int64_t rows, int64_t stride, int64_t n);

    /* Rounded to nearest even; NaN stays NaN. */
    void (*from_half)(float *y, const uint16_t *x, int64_t n);
    void (*to_half)(uint16_t *y, const float *x, int64_t n);
    void (*from_bfloat16)(float *y, const uint16_t *x, int64_t n);
    void (*to_bfloat16)(uint16_t *y, const float *x, int64_t n);

    /* dst[r * ds + c] = src[r + c * ss] for elements of 1, 2, 4, 8 or 16 bytes; strides in elements. */
    void (*transpose)(int bytes, int64_t rows, int64_t cols, char *dst, int64_t ds, const char *src, int64_t ss);
} ox_vec;

const ox_vec *ox_vec_table(void);         /* of the set that ox_cpu_isa() tells */
const ox_vec *ox_vec_table_of(ox_isa isa); /* NULL when that is more than ox_cpu_isa() */

/* out = in with its axes permuted: axis i of out is axis perm[i] of in. Elements of 1, 2, 4, 8 or 16 bytes; rank up to 64; out and in do
 * not overlap, dims are those of an array that exists. */
void ox_permute(int threads, int bytes, int rank, const int64_t *in_dims, const int64_t *perm, const void *in, void *out);

#endif
