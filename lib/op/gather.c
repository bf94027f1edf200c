/* Elements picked by index. */
#include "op/op.h"

OX_FAMILY(gather, "",
    OP("Gather", 13,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any|bfloat16, Tind: int32|int64",
       .flags = OX_MOVES_DATA),
    OP("Gather", 11,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any, Tind: int32|int64"),
    OP("Gather", 1,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any, Tind: int32|int64"),
    OP("GatherElements", 13,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any|bfloat16, Tind: int32|int64",
       .flags = OX_MOVES_DATA),
    OP("GatherElements", 11,
       "<axis: int = 0>(T data, Tind indices) => (T output) T: any, Tind: int32|int64"),
    OP("GatherND", 13,
       "<batch_dims: int = 0>(T data, int64 indices) => (T output) T: any|bfloat16",
       .flags = OX_MOVES_DATA),
    OP("GatherND", 12,
       "<batch_dims: int = 0>(T data, int64 indices) => (T output) T: any"),
    OP("GatherND", 11,
       "(T data, int64 indices) => (T output) T: any"),
    OP("NonZero", 13,
       "(T X) => (int64 Y) T: any|bfloat16"),
    OP("NonZero", 9,
       "(T X) => (int64 Y) T: any"),
    OP("Unique", 28,
       "<axis: int?, sorted: int = 1>(T X) => (T Y, int64? indices, int64? inverse_indices, int64? "
       "counts) T: any|bfloat16"),
    OP("Unique", 11,
       "<axis: int?, sorted: int = 1>(T X) => (T Y, int64? indices, int64? inverse_indices, int64? "
       "counts) T: any"));
