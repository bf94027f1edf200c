/* Quantization and integer arithmetic. */
#include "op/op.h"

OX_FAMILY(quantize, "",
    OP("QuantizeLinear", 28,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|float8e8m0|int32, T3: fp8|int4s|int2s|float4e2m1|float6e2m3|float6e3m2|int16|int8|"
       "uint16|uint8",
       .flags = OX_QUANT),
    OP("QuantizeLinear", 25,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|float8e8m0|int32, T3: fp8|int4s|int2s|float4e2m1|int16|int8|uint16|uint8"),
    OP("QuantizeLinear", 24,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|float8e8m0|int32, T3: fp8|int4s|float4e2m1|int16|int8|uint16|uint8"),
    OP("QuantizeLinear", 23,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = "
       "1>(T1 x, T2 y_scale, T3? y_zero_point) => (T3 y) T1: bfloat16|float|float16|int32, T2: bfloat16|"
       "float|float16|int32, T3: fp8|int4s|float4e2m1|int16|int8|uint16|uint8"),
    OP("QuantizeLinear", 21,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0, saturate: int = 1>(T1 x, T1 "
       "y_scale, T2? y_zero_point) => (T2 y) T1: bfloat16|float|float16|int32, T2: fp8|int4s|int16|int8|"
       "uint16|uint8"),
    OP("QuantizeLinear", 19,
       "<axis: int = 1, saturate: int = 1>(T1 x, T1 y_scale, T2? y_zero_point) => (T2 y) T1: bfloat16|"
       "float|float16|int32, T2: fp8|int8|uint8"),
    OP("QuantizeLinear", 13,
       "<axis: int = 1>(T1 x, float y_scale, T2? y_zero_point) => (T2 y) T1: float|int32, T2: int8|uint8"),
    OP("QuantizeLinear", 10,
       "(T1 x, float y_scale, T2? y_zero_point) => (T2 y) T1: float|int32, T2: int8|uint8"),
    OP("DequantizeLinear", 28,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|int2s|float4e2m1|float6e2m3|float6e3m2|int16|int32|int8|uint16|uint8, "
       "T2: bfloat16|float|float16|float8e8m0, T3: bfloat16|float|float16",
       .flags = OX_QUANT),
    OP("DequantizeLinear", 25,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|int2s|float4e2m1|int16|int32|int8|uint16|uint8, T2: bfloat16|float|"
       "float16|float8e8m0, T3: bfloat16|float|float16"),
    OP("DequantizeLinear", 24,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|float4e2m1|int16|int32|int8|uint16|uint8, T2: bfloat16|float|float16|"
       "float8e8m0, T3: bfloat16|float|float16"),
    OP("DequantizeLinear", 23,
       "<axis: int = 1, block_size: int = 0, output_dtype: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) "
       "=> (T3 y) T1: fp8|int4s|float4e2m1|int16|int32|int8|uint16|uint8, T2: bfloat16|float|float16, "
       "T3: bfloat16|float|float16"),
    OP("DequantizeLinear", 21,
       "<axis: int = 1, block_size: int = 0>(T1 x, T2 x_scale, T1? x_zero_point) => (T2 y) T1: fp8|"
       "int4s|int16|int32|int8|uint16|uint8, T2: bfloat16|float|float16"),
    OP("DequantizeLinear", 19,
       "<axis: int = 1>(T1 x, T2 x_scale, T1? x_zero_point) => (T2 y) T1: fp8|int32|int8|uint8, T2: "
       "bfloat16|float|float16"),
    OP("DequantizeLinear", 13,
       "<axis: int = 1>(T x, float x_scale, T? x_zero_point) => (float y) T: int32|int8|uint8"),
    OP("DequantizeLinear", 10,
       "(T x, float x_scale, T? x_zero_point) => (float y) T: int32|int8|uint8"),
    OP("DynamicQuantizeLinear", 11,
       "(T1 x) => (T2 y, float y_scale, T2 y_zero_point) T1: float, T2: uint8",
       .flags = OX_QUANT),
    OP("QLinearConv", 10,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T1 x, float x_scale, T1 x_zero_point, T2 w, float w_scale, T2 "
       "w_zero_point, float y_scale, T3 y_zero_point, T4? B) => (T3 y) T1: int8|uint8, T2: int8|uint8, "
       "T3: int8|uint8, T4: int32"),
    OP("QLinearMatMul", 21,
       "(T1 a, TS a_scale, T1 a_zero_point, T2 b, TS b_scale, T2 b_zero_point, TS y_scale, T3 "
       "y_zero_point) => (T3 y) TS: bfloat16|float|float16, T1: fp8|int8|uint8, T2: fp8|int8|uint8, T3: "
       "fp8|int8|uint8"),
    OP("QLinearMatMul", 10,
       "(T1 a, float a_scale, T1 a_zero_point, T2 b, float b_scale, T2 b_zero_point, float y_scale, T3 "
       "y_zero_point) => (T3 y) T1: int8|uint8, T2: int8|uint8, T3: int8|uint8"),
    OP("ConvInteger", 10,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: "
       "ints?, strides: ints?>(T1 x, T2 w, T1? x_zero_point, T2? w_zero_point) => (T3 y) T1: int8|"
       "uint8, T2: int8|uint8, T3: int32"),
    OP("MatMulInteger", 10,
       "(T1 A, T2 B, T1? a_zero_point, T2? b_zero_point) => (T3 Y) T1: int8|uint8, T2: int8|uint8, T3: "
       "int32"));
