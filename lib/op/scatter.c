/* Elements written by index. */
#include "op/op.h"

OX_FAMILY(scatter, "",
    OP("Scatter", 11,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any, Tind: int32|int64",
       .flags = OX_MOVES_DATA | OX_DEPRECATED),
    OP("Scatter", 9,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any, Tind: int32|int64"),
    OP("ScatterElements", 18,
       "<axis: int = 0, reduction: string = \"none\">(T data, Tind indices, T updates) => (T output) T: "
       "any|bfloat16, Tind: int32|int64",
       .flags = OX_MOVES_DATA),
    OP("ScatterElements", 16,
       "<axis: int = 0, reduction: string = \"none\">(T data, Tind indices, T updates) => (T output) T: "
       "any|bfloat16, Tind: int32|int64"),
    OP("ScatterElements", 13,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any|bfloat16, Tind: int32|"
       "int64"),
    OP("ScatterElements", 11,
       "<axis: int = 0>(T data, Tind indices, T updates) => (T output) T: any, Tind: int32|int64"),
    OP("ScatterND", 18,
       "<reduction: string = \"none\">(T data, int64 indices, T updates) => (T output) T: any|bfloat16",
       .flags = OX_MOVES_DATA),
    OP("ScatterND", 16,
       "<reduction: string = \"none\">(T data, int64 indices, T updates) => (T output) T: any|bfloat16"),
    OP("ScatterND", 13,
       "(T data, int64 indices, T updates) => (T output) T: any|bfloat16"),
    OP("ScatterND", 11,
       "(T data, int64 indices, T updates) => (T output) T: any"),
    OP("TensorScatter", 24,
       "<axis: int = -2, mode: string = \"linear\">(T past_cache, T update, int64? write_indices) => (T "
       "present_cache) T: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0",
       .flags = OX_MOVES_DATA));
