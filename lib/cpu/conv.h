/* Convolutions and pooling of float32 images in channel blocks: [N][ceil(C / B)][H][W][B] with B = ox_conv_block() channels side by side,
 * so that a vector holds the channels of one pixel. Channels beyond C in the last block are zeros; they stay zeros in what is computed here
 * (weights and bias are padded with zeros), but for a tail whose value at 0 is not 0, such as a sigmoid: then they are that value, which
 * the next convolution multiplies by zero weights. A convolution over one axis is one with in_h == 1.
 *
 * Scratch memory is the caller's. Work is cut by sizes only; a pixel's sum is made in one order for an instruction set. */
#ifndef OX_CONV_H
#define OX_CONV_H

#include "cpu/cpu.h"

typedef struct ox_conv {
    int64_t batch, groups;
    int64_t in_channels, out_channels; /* of all groups together */
    int64_t in_h, in_w, out_h, out_w;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_top, pad_left; /* pads at the end follow from the sizes of the output */
    bool planar_out;           /* the output is NCHW: only where ox_conv_writes_planar(), and without tail->add */
} ox_conv;

typedef enum {
    OX_CONV_PLANAR,    /* input as NCHW with very few channels (the first layer), output in blocks; one group */
    OX_CONV_BLOCKED,   /* one group, or channels of a group a multiple of B on both sides */
    OX_CONV_POINTWISE, /* 1x1, any stride, no pads; groups as above */
    OX_CONV_DEPTHWISE, /* groups == in_channels == out_channels */
    OX_CONV_NONE       /* no form serves */
} ox_conv_form;

/* Channels of a block: 16 with AVX-512, else 8. */
int64_t ox_conv_block(void);
/* Looks at channels, groups, kernel, strides, dilations and pads, not at sizes of the image. BLOCKED serves where PLANAR or POINTWISE is
 * answered too, when the input is in blocks already. */
ox_conv_form ox_conv_form_of(const ox_conv *c);
/* Floats of packed weights: a little more than the weights have. Needs a form other than NONE, and weights whose size is known to fit. */
uint64_t ox_conv_packed_floats(const ox_conv *c, ox_conv_form form);
/* W is [out][in / groups][kernel_h][kernel_w], SCALE a factor per output channel or NULL. Packed weights depend on channels, groups, kernel and
 * the instruction set, not on sizes of the image. */
void ox_conv_pack(const ox_conv *c, ox_conv_form form, const float *w, const float *scale, float *packed, int threads);
uint64_t ox_conv_scratch_bytes(const ox_conv *c, ox_conv_form form);
/* BIAS is padded with zeros to whole blocks, or NULL. No address needs an alignment; 64 bytes are best. Y may be neither X nor TAIL->add, since a
 * sum may take several passes. A clamp lets NaN pass. TAIL->rest gets pieces of whole pixels of one block, CHANNEL is the first channel of that
 * block; it is called by several threads. SCRATCH may be NULL: then tiles at borders are looked at one by one where else the image would be
 * copied with its pads. */
void ox_conv_run(int threads, const ox_conv *c, ox_conv_form form, const float *x, const float *packed, const float *bias, const ox_tail *tail,
                 float *y, float *scratch);

/* Whether the output can leave as NCHW, piece by piece. Looks at all but the batch. */
bool ox_conv_writes_planar(const ox_conv *c, ox_conv_form form);

/* A planar image [N][C][HW] to blocks and back. */
void ox_image_block(int threads, int64_t n, int64_t c, int64_t hw, const float *planar, float *blocked);
void ox_image_unblock(int threads, int64_t n, int64_t c, int64_t hw, const float *blocked, float *planar);

/* Pixels of VALUE around an image, and channels of it behind the last one. */
typedef struct ox_image_pads {
    int64_t batch, in_channels, out_channels;
    int64_t in_h, in_w, out_h, out_w;
    int64_t top, left;
    float value;
} ox_image_pads;
void ox_image_pad(int threads, const ox_image_pads *p, const float *x, float *y);

typedef enum { OX_POOL_MAX, OX_POOL_AVERAGE, OX_POOL_AVERAGE_PADS /* count_include_pad */ } ox_pool_kind;
/* Pooling of a blocked image of in_channels; groups and out_channels are not looked at. PAD_BOTTOM and PAD_RIGHT are the pads at the end: with
 * ceil_mode a window may reach beyond them, and what lies there is not counted. A window without elements gives -inf (max) or 0. */
void ox_pool_run(int threads, const ox_conv *c, ox_pool_kind kind, int64_t pad_bottom, int64_t pad_right, const float *x, float *y);
/* Over all pixels, mean or MAX: [N][blocks][1][1][B]. */
void ox_pool_global(int threads, int64_t n, int64_t c, int64_t hw, bool max, const float *x, float *y);

#endif
