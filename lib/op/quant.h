/* What quantizing operators of all domains share: scales and zero points spread over a tensor, rounding into integer
 * types. */
#ifndef OX_OP_QUANT_H
#define OX_OP_QUANT_H

#include "op/kernel.h"
#include "op/mover.h"

/* How parameters lie over a tensor: element (o, a, i) of outer x axis x inner takes parameter
 * o * per_outer + a / block * per_block + i * per_inner. */
typedef struct ox_q_grid {
    int64_t outer, axis, inner, block;
    int64_t per_outer, per_block, per_inner;
} ox_q_grid;

/* The grid of parameters of shape `scale` over `x`; -1 after ox_fail when they do not fit. */
int ox_q_grid_of(ox_call *c, const ox_tensor *x, const ox_tensor *scale, int64_t axis, int64_t block, ox_q_grid *g);
/* Scales as float, checked: finite, not negative, not zero when something is divided by them. NULL after ox_fail. */
const float *ox_q_scales(ox_run *r, const ox_tensor *scale, bool divides);
/* Zero points as float (an absent tensor: zeros), checked against the scale's count. NULL after ox_fail. */
const float *ox_q_zeros(ox_run *r, const ox_tensor *zero, int64_t count);
/* The values an integer type can hold; false when it is none of those quantized to. */
bool ox_q_limits(ox_dtype t, float *lo, float *hi);
/* One parameter of a tensor: input i, or `dflt` when absent. -1 after ox_fail when it is not one number. */
int ox_q_scalar(ox_run *r, int i, float dflt, float *out);

/* Whole operators, for those that another domain has too. */
int ox_infer_quantize(ox_call *c);
int ox_infer_dequantize(ox_call *c);
int ox_run_quantize(ox_run *r);
int ox_run_dequantize(ox_run *r);
/* x (n floats) / scale, rounded to even, plus zero, clamped, into elements of an integer type of 8 or 16 bits from
 * `at` on. */
void ox_q_store(ox_dtype t, void *data, int64_t at, const float *x, int64_t n, float scale, float zero);
/* What DynamicQuantizeLinear makes of floats: unsigned bytes, their scale and zero point. */
void ox_q_dynamic(ox_run *r, const float *v, int64_t count, uint8_t *y, float *scale, float *zero);

/* qlinear.c */
int ox_infer_qlinear_conv(ox_call *c);
int ox_run_qlinear_conv(ox_run *r);
int ox_infer_conv_integer(ox_call *c);
int ox_run_conv_integer(ox_run *r);
int ox_infer_qlinear_matmul(ox_call *c);
int ox_run_qlinear_matmul(ox_run *r);
int ox_infer_matmul_integer(ox_call *c);
int ox_run_matmul_integer(ox_run *r);
int ox_run_matmul_to_float(ox_run *r); /* com.microsoft.MatMulIntegerToFloat */
int ox_q_infer_conv(ox_call *c, int weight, ox_dtype dtype);
/* Shape of a matrix product with NumPy's rules; -1 after ox_fail. */
int ox_q_matmul_dims(ox_call *c, int a, int b, ox_dtype dtype);

#endif
