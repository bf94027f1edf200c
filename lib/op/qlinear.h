/* Between qlinear.c, which reads operators and holds the definition of their arithmetic, and qlinear_fast.c, which brings it to the kernels
 * of lib/cpu. */
#ifndef OX_OP_QLINEAR_H
#define OX_OP_QLINEAR_H

#include "cpu/qgemm.h"
#include "op/quant.h"
#include "op/window.h"

typedef struct ox_q_product {
    int64_t m, n, k, batch;
    int64_t *a_at, *b_at; /* batch -> which matrix */
    bool trans;           /* B: n rows of k */
    int rank;             /* of the output */
    int64_t *dims;
} ox_q_product;

typedef struct ox_q_conv {
    int64_t batch, groups, in_ch, out_ch; /* channels of a group */
    ox_image image;
    bool plain; /* one element at a time, all of them: an output plane is a sum of input planes */
    int rank;
    int64_t *dims;
} ox_q_conv;

/* Sizes of the product of two tensors with NumPy's rules; -1 after ox_fail. */
int ox_q_product_of(ox_run *r, const ox_tensor *a, const ox_tensor *b, ox_q_product *p);
/* Inputs a, b and those with their zero points; the result to OUT. 1 when done, 0 when not served, -1 after ox_fail. */
int ox_q_fast_product(ox_run *r, const ox_q_product *p, const ox_tensor *a, int a_zero, const ox_tensor *b, int b_zero,
                      const ox_qtail *tail, void *out);
int ox_q_fast_conv(ox_run *r, const ox_q_conv *v, const ox_tensor *x, int x_zero, const ox_tensor *w, int w_zero, const ox_qtail *tail, void *out);
/* The tail for a type of result, without bias and scales: int32, float, or 8-bit around a zero point. */
ox_qtail ox_q_tail(ox_dtype t, float zero);

#endif
