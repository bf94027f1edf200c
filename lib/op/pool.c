/* Pooling over windows and regions. */
#include "op/op.h"

OX_FAMILY(pool, "",
    OP("MaxPool", 22,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats|bfloat16|"
       "int8|uint8, I: int64"),
    OP("MaxPool", 12,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats|int8|uint8, "
       "I: int64"),
    OP("MaxPool", 11,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats, I: int64"),
    OP("MaxPool", 10,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, storage_order: int = 0, strides: ints?>(T X) => (T Y, I? Indices) T: floats, I: int64"),
    OP("MaxPool", 8,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, pads: ints?, storage_order: int = 0, "
       "strides: ints?>(T X) => (T Y, I? Indices) T: floats, I: int64"),
    OP("MaxPool", 1,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) "
       "T: floats"),
    OP("AveragePool", 22,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, dilations: "
       "ints?, kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats|bfloat16"),
    OP("AveragePool", 19,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, dilations: "
       "ints?, kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 11,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, kernel_shape: "
       "ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 10,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, count_include_pad: int = 0, kernel_shape: "
       "ints, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 7,
       "<auto_pad: string = \"NOTSET\", count_include_pad: int = 0, kernel_shape: ints, pads: ints?, "
       "strides: ints?>(T X) => (T Y) T: floats"),
    OP("AveragePool", 1,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, pads: ints?, strides: ints?>(T X) => (T Y) "
       "T: floats"),
    OP("LpPool", 22,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, p: "
       "int = 2, pads: ints?, strides: ints?>(T X) => (T Y) T: floats|bfloat16"),
    OP("LpPool", 18,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, p: "
       "int = 2, pads: ints?, strides: ints?>(T X) => (T Y) T: floats"),
    OP("LpPool", 11,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, p: int = 2, pads: ints?, strides: ints?>(T "
       "X) => (T Y) T: floats"),
    OP("LpPool", 2,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints, p: int = 2, pads: ints?, strides: ints?>(T "
       "X) => (T Y) T: floats"),
    OP("LpPool", 1,
       "<auto_pad: string = \"NOTSET\", kernel_shape: ints?, p: float = 2.0, pads: ints?, strides: "
       "ints?>(T X) => (T Y) T: floats"),
    OP("GlobalAveragePool", 22,
       "(T X) => (T Y) T: floats|bfloat16"),
    OP("GlobalAveragePool", 1,
       "(T X) => (T Y) T: floats"),
    OP("GlobalMaxPool", 22,
       "(T X) => (T Y) T: floats|bfloat16"),
    OP("GlobalMaxPool", 1,
       "(T X) => (T Y) T: floats"),
    OP("GlobalLpPool", 22,
       "<p: int = 2>(T X) => (T Y) T: floats|bfloat16"),
    OP("GlobalLpPool", 2,
       "<p: int = 2>(T X) => (T Y) T: floats"),
    OP("GlobalLpPool", 1,
       "<p: float = 2.0>(T X) => (T Y) T: floats"),
    OP("MaxUnpool", 22,
       "<kernel_shape: ints, pads: ints?, strides: ints?>(T1 X, T2 I, T2? output_shape) => (T1 output) "
       "T1: floats|bfloat16, T2: int64"),
    OP("MaxUnpool", 11,
       "<kernel_shape: ints, pads: ints?, strides: ints?>(T1 X, T2 I, T2? output_shape) => (T1 output) "
       "T1: floats, T2: int64"),
    OP("MaxUnpool", 9,
       "<kernel_shape: ints, pads: ints?, strides: ints?>(T1 X, T2 I, T2? output_shape) => (T1 output) "
       "T1: floats, T2: int64"),
    OP("MaxRoiPool", 22,
       "<pooled_shape: ints, spatial_scale: float = 1.0>(T X, T rois) => (T Y) T: floats|bfloat16"),
    OP("MaxRoiPool", 1,
       "<pooled_shape: ints, spatial_scale: float = 1.0>(T X, T rois) => (T Y) T: floats"),
    OP("RoiAlign", 22,
       "<coordinate_transformation_mode: string = \"half_pixel\", mode: string = \"avg\", "
       "output_height: int = 1, output_width: int = 1, sampling_ratio: int = 0, spatial_scale: float = "
       "1.0>(T1 X, T1 rois, T2 batch_indices) => (T1 Y) T1: floats|bfloat16, T2: int64"),
    OP("RoiAlign", 16,
       "<coordinate_transformation_mode: string = \"half_pixel\", mode: string = \"avg\", "
       "output_height: int = 1, output_width: int = 1, sampling_ratio: int = 0, spatial_scale: float = "
       "1.0>(T1 X, T1 rois, T2 batch_indices) => (T1 Y) T1: floats, T2: int64"),
    OP("RoiAlign", 10,
       "<mode: string = \"avg\", output_height: int = 1, output_width: int = 1, sampling_ratio: int = "
       "0, spatial_scale: float = 1.0>(T1 X, T1 rois, T2 batch_indices) => (T1 Y) T1: floats, T2: int64"));
