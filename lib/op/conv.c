/* Convolutions. */
#include "op/op.h"

OX_FAMILY(conv, "",
    OP("Conv", 22,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T X, T W, T? B) => (T Y) T: floats|bfloat16"),
    OP("Conv", 11,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T X, T W, T? B) => (T Y) T: floats"),
    OP("Conv", 1,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T X, T W, T? B) => (T Y) T: floats"),
    OP("ConvTranspose", 22,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, "
       "output_padding: ints?, output_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B) => (T "
       "Y) T: floats|bfloat16"),
    OP("ConvTranspose", 11,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, "
       "output_padding: ints?, output_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B) => (T "
       "Y) T: floats"),
    OP("ConvTranspose", 1,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, "
       "output_padding: ints?, output_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B) => (T "
       "Y) T: floats"),
    OP("DeformConv", 22,
       "<dilations: ints?, group: int = 1, kernel_shape: ints?, offset_group: int = 1, pads: ints?, "
       "strides: ints?>(T X, T W, T offset, T? B, T? mask) => (T Y) T: floats|bfloat16"),
    OP("DeformConv", 19,
       "<dilations: ints?, group: int = 1, kernel_shape: ints?, offset_group: int = 1, pads: ints?, "
       "strides: ints?>(T X, T W, T offset, T? B, T? mask) => (T Y) T: floats"),
    OP("Col2Im", 18,
       "<dilations: ints?, pads: ints?, strides: ints?>(T input, int64 image_shape, int64 block_shape) "
       "=> (T output) T: any|bfloat16"),
    OP("CausalConvWithState", 27,
       "<activation: string = \"none\">(T input, T weight, T? bias, T? past_state) => (T output, T "
       "present_state) T: bfloat16|float|float16"));
