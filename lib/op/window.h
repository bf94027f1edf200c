/* What convolutions and pools share: the geometry of windows that slide over the spatial axes of a tensor [N, C,
 * spatial...]. */
#ifndef OX_OP_WINDOW_H
#define OX_OP_WINDOW_H

#include "op/op.h"

typedef enum ox_auto_pad { OX_PAD_GIVEN, OX_PAD_UPPER, OX_PAD_LOWER, OX_PAD_VALID } ox_auto_pad;

enum { OX_WINDOW_AXES = 64 }; /* more axes than any tensor may have */

/* Attributes of a window, checked: kernels, strides and dilations are positive, pads are not negative, nothing
 * overflows. */
typedef struct ox_window {
    int n; /* spatial axes */
    const int64_t *kernel, *stride, *dilation;
    int64_t *extent;      /* (kernel - 1) * dilation + 1 */
    int64_t *begin, *end; /* pads; for SAME_* they are known only after ox_window_sizes() */
    ox_auto_pad pad;
    bool ceil;
} ox_window;

/* Reads the attributes of a call; KERNEL (n numbers, may be NULL: attribute kernel_shape) comes from the shape of
 * the weights. -1 after ox_fail when they cannot be. */
int ox_window_init(ox_window *w, ox_call *c, ox_arena *arena, int n, const int64_t *kernel);
/* Output sizes for known input sizes; sets the pads. -1 after ox_fail when no window fits. */
int ox_window_sizes(ox_ctx *ctx, ox_window *w, const int64_t *in, int64_t *out);
/* Output size of axis d for an input size that may be symbolic. Sets *failed after ox_fail. */
ox_dim ox_window_dim(ox_ctx *ctx, const ox_window *w, int d, ox_dim in, bool *failed);

/* The same for transposed convolutions, where what comes out of a window is spread over it; PADDING and SHAPE are
 * the attributes output_padding and output_shape (n numbers or NULL). */
int ox_window_spread_sizes(ox_ctx *ctx, ox_window *w, const int64_t *padding, const int64_t *shape, const int64_t *in,
                           int64_t *out);
ox_dim ox_window_spread_dim(ox_ctx *ctx, const ox_window *w, int d, int64_t padding, const int64_t *shape, ox_dim in);

/* An attribute that must have n numbers, or NULL when absent; *failed is set after ox_fail. */
const int64_t *ox_window_ints(ox_call *c, const char *name, int n, bool *failed);

/* ---- walking over an image by rows of its innermost axis ----
 * Output positions are numbered row by row. For one position inside the kernel the walk tells, run by run, where in
 * the image the elements lie that meet the output positions. */
typedef struct ox_image {
    int n;
    const int64_t *in, *out; /* sizes of image and of positions */
    const int64_t *kernel, *stride, *dilation, *begin;
    int64_t in_size, out_size, kernel_size; /* products */
} ox_image;

typedef struct ox_walk {
    const ox_image *image;
    int64_t offset[OX_WINDOW_AXES]; /* of the kernel position: image = output * stride + offset */
    int64_t at[OX_WINDOW_AXES];
    int64_t left;
    int64_t full_lo, full_hi; /* lo and hi of runs that are whole rows */
    /* of the run that ox_walk_next() found */
    int64_t run;      /* output positions in it */
    int64_t row;      /* where the row of the image starts; -1: outside */
    int64_t lo, hi;   /* positions of the run that are inside the image */
    int64_t first;    /* column in the row that meets position lo */
} ox_walk;

/* -1 after ox_fail when a product of sizes overflows. No size of OUT may be 0 when the image is walked. */
int ox_image_init(ox_ctx *ctx, ox_image *im, const ox_window *w, const int64_t *in, const int64_t *out);
void ox_walk_init(ox_walk *k, const ox_image *im, int64_t kernel_position, int64_t first, int64_t count);
bool ox_walk_next(ox_walk *k);

#endif
