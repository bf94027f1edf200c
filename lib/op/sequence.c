/* Sequences and optionals. */
#include "op/op.h"

OX_FAMILY(sequence, "",
    OP("SequenceConstruct", 11,
       "(T... inputs) => (S output_sequence) T: any, S: seq(any)"),
    OP("SequenceEmpty", 11,
       "<dtype: int?>() => (S output) S: seq(any)"),
    OP("SequenceInsert", 11,
       "(S input_sequence, T tensor, I? position) => (S output_sequence) T: any, S: seq(any), I: int32|"
       "int64"),
    OP("SequenceErase", 11,
       "(S input_sequence, I? position) => (S output_sequence) S: seq(any), I: int32|int64"),
    OP("SequenceAt", 11,
       "(S input_sequence, I position) => (T tensor) S: seq(any), T: any, I: int32|int64"),
    OP("SequenceLength", 11,
       "(S input_sequence) => (I length) S: seq(any), I: int64"),
    OP("SplitToSequence", 24,
       "<axis: int = 0, keepdims: int = 1>(T input, I? split) => (S output_sequence) T: any|bfloat16, "
       "I: int32|int64, S: seq(any|bfloat16)"),
    OP("SplitToSequence", 11,
       "<axis: int = 0, keepdims: int = 1>(T input, I? split) => (S output_sequence) T: any, I: int32|"
       "int64, S: seq(any)"),
    OP("ConcatFromSequence", 11,
       "<axis: int, new_axis: int = 0>(S input_sequence) => (T concat_result) S: seq(any), T: any"),
    OP("Optional", 28,
       "<type: type_proto?>(V? input) => (O output) V: any|fp8|int4s|int2s|bfloat16|float4e2m1|"
       "float6e2m3|float6e3m2|float8e8m0|seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|"
       "float6e3m2|float8e8m0), O: optional(seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|"
       "float6e3m2|float8e8m0))|optional(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0)"),
    OP("Optional", 15,
       "<type: type_proto?>(V? input) => (O output) V: any|seq(any), O: optional(seq(any))|optional(any)"),
    OP("OptionalGetElement", 28,
       "(O input) => (V output) O: any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0|optional(seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0))|optional(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0)|"
       "seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0), V: any|fp8|int4s|"
       "int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0|seq(any|fp8|int4s|int2s|bfloat16|"
       "float4e2m1|float6e2m3|float6e3m2|float8e8m0)"),
    OP("OptionalGetElement", 18,
       "(O input) => (V output) O: any|optional(seq(any))|optional(any)|seq(any), V: any|seq(any)"),
    OP("OptionalGetElement", 15,
       "(O input) => (V output) O: optional(seq(any))|optional(any), V: any|seq(any)"),
    OP("OptionalHasElement", 28,
       "(O? input) => (B output) O: any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0|optional(seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0))|optional(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0)|"
       "seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0), B: bool"),
    OP("OptionalHasElement", 18,
       "(O? input) => (B output) O: any|optional(seq(any))|optional(any)|seq(any), B: bool"),
    OP("OptionalHasElement", 15,
       "(O input) => (B output) O: optional(seq(any))|optional(any), B: bool"));
