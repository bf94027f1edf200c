/* Rows of planar images: what pools and interpolation do to them, once per instruction set. Rows have no gaps; nothing is read beyond what the
 * arguments say. */
#ifndef OX_PLANE_H
#define OX_PLANE_H

#include "cpu/cpu.h"

typedef struct ox_plane {
    /* y[i] = largest (NaN wins), or sum, of x[r * stride + i] over ROWS >= 1 rows. */
    void (*max_down)(float *y, const float *x, int64_t stride, int64_t rows, int64_t n);
    void (*sum_down)(float *y, const float *x, int64_t stride, int64_t rows, int64_t n);
    /* y[j] = the same of x[j * step + k * dilation] over TAPS >= 1; y is not x. */
    void (*max_along)(float *y, const float *x, int64_t step, int64_t taps, int64_t dilation, int64_t n);
    void (*sum_along)(float *y, const float *x, int64_t step, int64_t taps, int64_t dilation, int64_t n);
    /* y[j] = sum over t of w[t * n + j] * x[at[t * n + j]]; what has weight 0 does not count, whatever it is. */
    void (*weigh)(float *y, const float *x, const int32_t *at, const float *w, int taps, int64_t n);
    /* The same for pixels of BLOCK (8 or 16) floats: y[j * block + l] from x[at[t * n + j] * block + l]. */
    void (*weigh_pixels)(float *y, const float *x, const int32_t *at, const float *w, int taps, int64_t n, int64_t block);
    /* y[i] = sum over t of w[t] * rows[t][i], in the same way. */
    void (*mix)(float *y, const float *const *rows, const float *w, int taps, int64_t n);
    /* Elements of 4 bytes: y[j] = x[at[j]]; y[j] = x[j / 2]. */
    void (*pick)(uint32_t *y, const uint32_t *x, const int32_t *at, int64_t n);
    void (*twice)(uint32_t *y, const uint32_t *x, int64_t n);
} ox_plane;

const ox_plane *ox_plane_table(void); /* of the set that ox_cpu_isa() tells */

#endif
