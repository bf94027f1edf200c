/* Conversion between element types. */
#include "op/op.h"

OX_FAMILY(cast, "",
    OP("Cast", 28,
       "<round_mode: string = \"up\", saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|"
       "fp8|int4s|int2s|bfloat16|bool|float4e2m1|float6e2m3|float6e3m2|float8e8m0|string, T2: numbers|"
       "fp8|int4s|int2s|bfloat16|bool|float4e2m1|float6e2m3|float6e3m2|float8e8m0|string",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE),
    OP("Cast", 25,
       "<round_mode: string = \"up\", saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|"
       "fp8|int4s|int2s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|int2s|"
       "bfloat16|bool|float4e2m1|float8e8m0|string"),
    OP("Cast", 24,
       "<round_mode: string = \"up\", saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|"
       "fp8|int4s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1|float8e8m0|string"),
    OP("Cast", 23,
       "<saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|fp8|int4s|bfloat16|bool|"
       "float4e2m1|string, T2: numbers|fp8|int4s|bfloat16|bool|float4e2m1|string"),
    OP("Cast", 21,
       "<saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|fp8|int4s|bfloat16|bool|"
       "string, T2: numbers|fp8|int4s|bfloat16|bool|string"),
    OP("Cast", 19,
       "<saturate: int = 1, to: int>(T1 input) => (T2 output) T1: numbers|fp8|bfloat16|bool|string, T2: "
       "numbers|fp8|bfloat16|bool|string"),
    OP("Cast", 13,
       "<to: int>(T1 input) => (T2 output) T1: numbers|bfloat16|bool|string, T2: numbers|bfloat16|bool|"
       "string"),
    OP("Cast", 9,
       "<to: int>(T1 input) => (T2 output) T1: numbers|bool|string, T2: numbers|bool|string"),
    OP("Cast", 6,
       "<to: int>(T1 input) => (T2 output) T1: numbers|bool, T2: numbers|bool"),
    OP("Cast", 1,
       "<to: string>(T1 input) => (T2 output) T1: numbers|bool, T2: numbers|bool"),
    OP("CastLike", 25,
       "<round_mode: string = \"up\", saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: "
       "numbers|fp8|int4s|int2s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|int2s|"
       "bfloat16|bool|float4e2m1|float8e8m0|string",
       .flags = OX_ELEMENTWISE | OX_SAME_SHAPE),
    OP("CastLike", 24,
       "<round_mode: string = \"up\", saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: "
       "numbers|fp8|int4s|bfloat16|bool|float4e2m1|float8e8m0|string, T2: numbers|fp8|int4s|bfloat16|"
       "bool|float4e2m1|float8e8m0|string"),
    OP("CastLike", 23,
       "<saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: numbers|fp8|int4s|bfloat16|"
       "bool|float4e2m1|string, T2: numbers|fp8|int4s|bfloat16|bool|float4e2m1|string"),
    OP("CastLike", 21,
       "<saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: numbers|fp8|int4s|bfloat16|"
       "bool|string, T2: numbers|fp8|int4s|bfloat16|bool|string"),
    OP("CastLike", 19,
       "<saturate: int = 1>(T1 input, T2 target_type) => (T2 output) T1: numbers|fp8|bfloat16|bool|"
       "string, T2: numbers|fp8|bfloat16|bool|string"),
    OP("CastLike", 15,
       "(T1 input, T2 target_type) => (T2 output) T1: numbers|bfloat16|bool|string, T2: numbers|"
       "bfloat16|bool|string"),
    OP("BitCast", 26,
       "<to: int>(T1 input) => (T2 output) T1: numbers|fp8|int4s|int2s|complex|bfloat16|bool|float4e2m1|"
       "float8e8m0, T2: numbers|fp8|int4s|int2s|complex|bfloat16|bool|float4e2m1|float8e8m0"));
