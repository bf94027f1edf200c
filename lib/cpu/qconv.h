/* Convolutions of 8-bit integers in one or two dimensions, exact as ox_qgemm() is: sums of (x - x_zero) (w - w_zero), then a tail.
 * Images lie by channels (NCHW, as models have them) or by pixels (NHWC); each side of a convolution may have either, so a chain can stay
 * by pixels. Inside, an image is by pixels with its border and whole groups of channels; where the input is that already, it is read as it is. */
#ifndef OX_QCONV_H
#define OX_QCONV_H

#include "cpu/qgemm.h"

typedef enum ox_qlayout { OX_Q_NCHW, OX_Q_NHWC } ox_qlayout;

typedef struct ox_qconv {
    int64_t batch, groups, in_ch, out_ch; /* channels of a group */
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], begin[2]; /* height, width; one dimension: heights of 1 */
} ox_qconv;

typedef struct ox_qimage {
    const void *data;
    bool is_signed;
    int32_t zero;
    ox_qlayout layout;
} ox_qimage;

/* Bytes of packed weights; 0 when sizes overflow. What is packed serves this processor only. Memory is 64-aligned. */
uint64_t ox_qconv_packed_size(const ox_qconv *c);
/* W: [groups * out_ch][in_ch][height][width]; zero points one, or one per output channel. */
void ox_qconv_pack(int threads, const ox_qconv *c, const void *w, bool w_signed, ox_qzero w_zero, void *packed);

/* Bytes of scratch memory (64-aligned) of a run; 0 when sizes overflow. */
uint64_t ox_qconv_scratch(int threads, const ox_qconv *c);
/* TAIL: per output channel of all groups, not floats. C may differ from that of the packing in batch, in, out, stride, dilation, begin. */
void ox_qconv_run(int threads, const ox_qconv *c, const ox_qimage *x, const void *packed, const ox_qtail *tail,
                  ox_qlayout out_layout, void *out, void *scratch);

/* y[b][j][i] = x[b][i][j] of bytes: NCHW to NHWC with rows = channels, columns = pixels of a plane, and back the other way. */
void ox_q_transpose(int threads, int64_t batch, int64_t rows, int64_t columns, const void *x, void *y);

#endif
