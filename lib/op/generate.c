/* Tensors made from parameters: constants, ranges, windows, masks. */
#include "op/op.h"

OX_FAMILY(generate, "",
    OP("Constant", 25,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0"),
    OP("Constant", 24,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0"),
    OP("Constant", 23,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Constant", 21,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|int4s|bfloat16"),
    OP("Constant", 19,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|fp8|bfloat16"),
    OP("Constant", 13,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any|bfloat16"),
    OP("Constant", 12,
       "<sparse_value: sparse_tensor?, value: tensor?, value_float: float?, value_floats: floats?, "
       "value_int: int?, value_ints: ints?, value_string: string?, value_strings: strings?>() => (T "
       "output) T: any"),
    OP("Constant", 11,
       "<sparse_value: sparse_tensor?, value: tensor?>() => (T output) T: any"),
    OP("Constant", 9,
       "<value: tensor>() => (T output) T: any"),
    OP("Constant", 1,
       "<value: tensor>() => (T output) T: floats"),
    OP("ConstantOfShape", 25,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|int2s|bfloat16|bool|"
       "float4e2m1|float8e8m0"),
    OP("ConstantOfShape", 24,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1|float8e8m0"),
    OP("ConstantOfShape", 23,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1"),
    OP("ConstantOfShape", 21,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|int4s|bfloat16|bool"),
    OP("ConstantOfShape", 20,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|fp8|bfloat16|bool"),
    OP("ConstantOfShape", 9,
       "<value: tensor?>(T1 input) => (T2 output) T1: int64, T2: numbers|bool"),
    OP("EyeLike", 22,
       "<dtype: int?, k: int = 0>(T1 input) => (T2 output) T1: numbers|bfloat16|bool, T2: numbers|"
       "bfloat16|bool"),
    OP("EyeLike", 9,
       "<dtype: int?, k: int = 0>(T1 input) => (T2 output) T1: numbers|bool, T2: numbers|bool"),
    OP("Range", 27,
       "<stash_type: int = 1>(T start, T limit, T delta) => (T output) T: floats|bfloat16|int16|int32|"
       "int64"),
    OP("Range", 11,
       "(T start, T limit, T delta) => (T output) T: double|float|int16|int32|int64"),
    OP("OneHot", 28,
       "<axis: int = -1>(T1 indices, T2 depth, T3 values) => (T3 output) T1: numbers, T2: numbers, T3: "
       "any|bfloat16"),
    OP("OneHot", 11,
       "<axis: int = -1>(T1 indices, T2 depth, T3 values) => (T3 output) T1: numbers, T2: numbers, T3: "
       "any"),
    OP("OneHot", 9,
       "<axis: int = -1>(T1 indices, T2 depth, T3 values) => (T3 output) T1: numbers, T2: numbers, T3: "
       "any"),
    OP("BlackmanWindow", 17,
       "<output_datatype: int = 1, periodic: int = 1>(T1 size) => (T2 output) T1: int32|int64, T2: "
       "numbers|bfloat16"),
    OP("HammingWindow", 17,
       "<output_datatype: int = 1, periodic: int = 1>(T1 size) => (T2 output) T1: int32|int64, T2: "
       "numbers|bfloat16"),
    OP("HannWindow", 17,
       "<output_datatype: int = 1, periodic: int = 1>(T1 size) => (T2 output) T1: int32|int64, T2: "
       "numbers|bfloat16"),
    OP("MelWeightMatrix", 17,
       "<output_datatype: int = 1>(T1 num_mel_bins, T1 dft_length, T1 sample_rate, T2 lower_edge_hertz, "
       "T2 upper_edge_hertz) => (T3 output) T1: int32|int64, T2: floats|bfloat16, T3: numbers|bfloat16"),
    OP("Trilu", 14,
       "<upper: int = 1>(T input, int64? k) => (T output) T: any|bfloat16"));
