/* Running sums and products, the k largest. */
#include "op/op.h"

OX_FAMILY(scan, "",
    OP("CumSum", 14,
       "<exclusive: int = 0, reverse: int = 0>(T x, T2 axis) => (T y) T: floats|bfloat16|int32|int64|"
       "uint32|uint64, T2: int32|int64"),
    OP("CumSum", 11,
       "<exclusive: int = 0, reverse: int = 0>(T x, T2 axis) => (T y) T: double|float|int32|int64|"
       "uint32|uint64, T2: int32|int64"),
    OP("CumProd", 26,
       "<exclusive: int = 0, reverse: int = 0>(T x, T2 axis) => (T y) T: floats|bfloat16|int32|int64|"
       "uint32|uint64, T2: int32|int64"),
    OP("TopK", 24,
       "<axis: int = -1, largest: int = 1, sorted: int = 1>(T X, int64 K) => (T Values, I Indices) T: "
       "numbers|bfloat16, I: int64"),
    OP("TopK", 11,
       "<axis: int = -1, largest: int = 1, sorted: int = 1>(T X, int64 K) => (T Values, I Indices) T: "
       "numbers, I: int64"),
    OP("TopK", 10,
       "<axis: int = -1>(T X, int64 K) => (T Values, I Indices) T: floats, I: int64"),
    OP("TopK", 1,
       "<axis: int = -1, k: int>(T X) => (T Values, I Indices) T: floats, I: int64"));
