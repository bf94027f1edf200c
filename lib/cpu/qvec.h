/* Arrays of floats to 8-bit numbers and back, and element-wise arithmetic on 8-bit numbers, rounded as QuantizeLinear says:
 * y = min(max(round_to_even(x / scale) + zero, lo), hi), no number: lo. One thread: callers cut arrays. Results do not depend on the
 * instruction set. */
#ifndef OX_QVEC_H
#define OX_QVEC_H

#include "cpu/cpu.h"

/* A real number is (q - zero) * scale; zero is a number of the 8-bit type. */
typedef struct ox_qparam {
    float scale;
    int32_t zero;
} ox_qparam;

/* lo and hi are within the type of y, which is signed or not. */
void ox_qv_quantize(const float *x, int64_t n, ox_qparam p, int32_t lo, int32_t hi, void *y);
/* The same with a scale and a zero point (whole numbers of the type) for each element. */
void ox_qv_quantize_each(const float *x, int64_t n, const float *scale, const float *zero, int32_t lo, int32_t hi, void *y);
void ox_qv_dequantize(const void *x, bool is_signed, int64_t n, ox_qparam p, float *y);
void ox_qv_dequantize_each(const void *x, bool is_signed, int64_t n, const float *scale, const float *zero, float *y);
/* Least and greatest element, and those given in *lo and *hi (not -0); what is no number does not count. */
void ox_qv_range(const float *x, int64_t n, float *lo, float *hi);
/* OP '+' or '*': real numbers of a and b added or multiplied, then quantized to all of the type; Y may be a or b. */
void ox_qv_pair(char op, const void *a, const void *b, int64_t n, bool is_signed, ox_qparam pa, ox_qparam pb, ox_qparam py, void *y);
/* y[i] = table[x[i]]; Y may be x. */
void ox_qv_table(const uint8_t *x, int64_t n, const uint8_t table[256], uint8_t *y);

/* sums[i] += x[i]; y[i] = max(y[i], x[i]); y[i] = ((float)sums[i] - less) * scale / divide. */
void ox_qv_add(const uint8_t *x, bool is_signed, int64_t n, int32_t *sums);
void ox_qv_max(const uint8_t *x, bool is_signed, int64_t n, uint8_t *y);
void ox_qv_scale(const int32_t *sums, int64_t n, float less, float scale, float divide, float *y);

typedef struct ox_qvec_kernels { /* private: what is chosen by instruction set */
    void (*quantize)(const float *x, int64_t n, ox_qparam p, int32_t lo, int32_t hi, uint8_t *y);
    void (*quantize_each)(const float *x, int64_t n, const float *scale, const float *zero, int32_t lo, int32_t hi, uint8_t *y);
    void (*dequantize)(const uint8_t *x, bool is_signed, int64_t n, ox_qparam p, float *y);
    void (*dequantize_each)(const uint8_t *x, bool is_signed, int64_t n, const float *scale, const float *zero, float *y);
    void (*range)(const float *x, int64_t n, float *lo, float *hi);
    void (*add)(const uint8_t *x, bool is_signed, int64_t n, int32_t *sums);
    void (*max)(const uint8_t *x, bool is_signed, int64_t n, uint8_t *y);
    void (*scale)(const int32_t *sums, int64_t n, float less, float scale, float divide, float *y);
    void (*pair)(char op, const uint8_t *a, const uint8_t *b, int64_t n, bool is_signed, ox_qparam pa, ox_qparam pb, ox_qparam py, uint8_t *y);
} ox_qvec_kernels;

#endif
