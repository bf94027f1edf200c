/* Steps on 8-bit numbers: what stands between DequantizeLinear and QuantizeLinear, and the QLinear operators, with weights packed once.
 * quant_lower.c decides; quant_native.c has convolutions and products, quant_vector.c the rest. Private to lib/exec.
 *
 * An image of 8-bit numbers may lie by pixels: [N][H][W][C] (one spatial axis: [N][W][C]), a tensor of the rank that the model gives it.
 * Only natives see such values. */
#ifndef OX_EXEC_QUANT_NATIVE_H
#define OX_EXEC_QUANT_NATIVE_H

#include "exec/native.h"
#include "exec/plan.h"

/* A real number is (q - zero) * scale. */
typedef struct ox_quant {
    float scale;
    int32_t zero;
    bool is_signed;
} ox_quant;

static inline int32_t ox_quant_least(const ox_quant *q) { return q->is_signed ? -128 : 0; }
static inline int32_t ox_quant_most(const ox_quant *q) { return q->is_signed ? 127 : 255; }
static inline ox_dtype ox_quant_type(const ox_quant *q) { return q->is_signed ? OX_INT8 : OX_UINT8; }

/* Input 0 by fixed weights, input 1. */
typedef struct ox_quant_weights {
    ox_quant x, y;
    bool to_float;       /* a product: y is float */
    int32_t lo, hi;      /* of y */
    int64_t n;           /* columns, output channels */
    float *scale;        /* one, or one per column: those of x and the weights over that of y */
    int32_t *bias;       /* or NULL */
    float *add;          /* to_float: or NULL */
    int32_t *zero;       /* of the weights: one, or one per column; NULL: 0 */
    bool scales, zeros;  /* one per column */
    bool trans;          /* a product: weights are n rows of k */
    bool pixels;         /* a convolution: x lies by pixels; y always does */
    int rank;            /* of the image */
    void *packed;        /* made by the first run */
    int64_t k;           /* a product: rows of the weights; a convolution: channels of x */
} ox_quant_weights;
extern const ox_native ox_native_qconv, ox_native_qproduct;
/* MatMulInteger, Cast, Mul by scales (input 2: one, or one per column), maybe Add: the zero point of x is input 3 or that of the state. */
extern const ox_native ox_native_qscaled;
extern const ox_native ox_native_qdynamic; /* com.microsoft.DynamicQuantizeMatMul; scale: of the weights alone */

/* Inputs 0 and 1 added or multiplied; each may be of any form as long as they go together. */
typedef struct ox_quant_pair { char op; ox_quant a, b, y; } ox_quant_pair;
typedef struct ox_quant_table { ox_dtype type; uint8_t of[256]; } ox_quant_table;
/* By pixels. */
typedef struct ox_quant_pool { ox_quant x, y; bool max, global; int rank; } ox_quant_pool;
extern const ox_native ox_native_qpair, ox_native_qtable, ox_native_qpool;
/* To pixels, back, an input under the dims it has (no copy), and to floats (state: ox_quant). */
extern const ox_native ox_native_to_pixels, ox_native_from_pixels, ox_native_same, ox_native_dequantize;

/* Lowers what is quantized; before everything else is lowered. */
void ox_lower_quant(ox_frame *f, ox_plan *p);

#endif
