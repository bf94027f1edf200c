/* What the shape rule and the kernel of Resize share: sizes and scales of every axis. */
#ifndef OX_OP_RESAMPLE_H
#define OX_OP_RESAMPLE_H

#include "op/op.h"

typedef enum ox_aspect { OX_STRETCH, OX_NOT_LARGER, OX_NOT_SMALLER } ox_aspect;

/* The axes that are resized: axes[n], the attribute or all. -1 after ox_fail. */
int ox_resize_axes(ox_call *c, int rank, int **axes, int *n);
int ox_resize_aspect(ox_call *c, ox_aspect *aspect);
/* Output size for a scale; -1 after ox_fail when it cannot be. */
int64_t ox_resize_scaled(ox_ctx *ctx, int64_t in, float scale);
/* Scales and sizes of N axes from the wanted sizes: in[], want[] to scale[], out[]. */
int ox_resize_sized(ox_ctx *ctx, ox_aspect aspect, int n, const int64_t *in, const int64_t *want, double *scale,
                    int64_t *out);

#endif
