/* Reductions over axes. */
#include "op/op.h"

OX_FAMILY(reduce, "",
    OP("ReduceMax", 20,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|bool|int32|int64|int8|uint32|uint64|uint8"),
    OP("ReduceMax", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|int8|uint32|uint64|uint8"),
    OP("ReduceMax", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|int8|"
       "uint32|uint64|uint8"),
    OP("ReduceMax", 12,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|int8|uint32|"
       "uint64|uint8"),
    OP("ReduceMax", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMax", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMin", 20,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|bool|int32|int64|int8|uint32|uint64|uint8"),
    OP("ReduceMin", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|int8|uint32|uint64|uint8"),
    OP("ReduceMin", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|int8|"
       "uint32|uint64|uint8"),
    OP("ReduceMin", 12,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|int8|uint32|"
       "uint64|uint8"),
    OP("ReduceMin", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMin", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceSum", 13,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceSum", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceSum", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMean", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceMean", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64"),
    OP("ReduceMean", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceMean", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceProd", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceProd", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64"),
    OP("ReduceProd", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceProd", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL1", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceL1", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64"),
    OP("ReduceL1", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL1", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL2", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceL2", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64"),
    OP("ReduceL2", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceL2", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSum", 28,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16"),
    OP("ReduceLogSum", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceLogSum", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64"),
    OP("ReduceLogSum", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSum", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSumExp", 28,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16"),
    OP("ReduceLogSumExp", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceLogSumExp", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64"),
    OP("ReduceLogSumExp", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceLogSumExp", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceSumSquare", 18,
       "<keepdims: int = 1, noop_with_empty_axes: int = 0>(T data, int64? axes) => (T reduced) T: "
       "floats|bfloat16|int32|int64|uint32|uint64"),
    OP("ReduceSumSquare", 13,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|bfloat16|int32|int64|uint32|"
       "uint64"),
    OP("ReduceSumSquare", 11,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ReduceSumSquare", 1,
       "<axes: ints?, keepdims: int = 1>(T data) => (T reduced) T: floats|int32|int64|uint32|uint64"),
    OP("ArgMax", 13,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers|bfloat16"),
    OP("ArgMax", 12,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers"),
    OP("ArgMax", 11,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"),
    OP("ArgMax", 1,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"),
    OP("ArgMin", 13,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers|bfloat16"),
    OP("ArgMin", 12,
       "<axis: int = 0, keepdims: int = 1, select_last_index: int = 0>(T data) => (int64 reduced) T: "
       "numbers"),
    OP("ArgMin", 11,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"),
    OP("ArgMin", 1,
       "<axis: int = 0, keepdims: int = 1>(T data) => (int64 reduced) T: numbers"));
