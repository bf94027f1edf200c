/* What convolutions of floats do when there is a better way than unfolding. Between conv_kernels.c and conv_fast.c. */
#ifndef OX_OP_CONV_FAST_H
#define OX_OP_CONV_FAST_H

#include "op/window.h"

/* A convolution whose geometry is known. */
typedef struct ox_conv_job {
    ox_image image;
    int64_t batch, in_channels, out_channels, groups;
    bool pointwise; /* one kernel position, stride 1, no pads: the input is its own unfolding */
} ox_conv_job;

/* Conv, and ConvTranspose (there the image is the output). Y is NCHW like X; BIAS may be NULL. The weights are input 1. 1: done; 0: not served, Y is
 * untouched; -1 after ox_fail(). */
int ox_conv_fast(ox_run *r, const ox_conv_job *v, const float *x, const float *bias, float *y);
int ox_conv_spread_fast(ox_run *r, const ox_conv_job *v, const float *x, const float *bias, float *y);

#endif
