/* Matrix products. */
#include "op/op.h"

OX_FAMILY(matmul, "",
    OP("MatMul", 13,
       "(T A, T B) => (T Y) T: floats|bfloat16|int32|int64|uint32|uint64"),
    OP("MatMul", 9,
       "(T A, T B) => (T Y) T: floats|int32|int64|uint32|uint64"),
    OP("MatMul", 1,
       "(T A, T B) => (T Y) T: floats"),
    OP("Gemm", 13,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T? C) => (T "
       "Y) T: floats|bfloat16|int32|int64|uint32|uint64"),
    OP("Gemm", 11,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T? C) => (T "
       "Y) T: floats|int32|int64|uint32|uint64"),
    OP("Gemm", 9,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T C) => (T "
       "Y) T: floats|int32|int64|uint32|uint64"),
    OP("Gemm", 7,
       "<alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T C) => (T "
       "Y) T: floats"),
    OP("Gemm", 6,
       "<alpha: float = 1.0, beta: float = 1.0, broadcast: int = 0, transA: int = 0, transB: int = 0>(T "
       "A, T B, T C) => (T Y) T: floats"),
    OP("Gemm", 1,
       "<alpha: float = 1.0, beta: float = 1.0, broadcast: int = 0, transA: int = 0, transB: int = 0>(T "
       "A, T B, T C) => (T Y) T: floats"),
    OP("Einsum", 28,
       "<equation: string>(T... Inputs) => (T Output) T: numbers|bfloat16"),
    OP("Einsum", 12,
       "<equation: string>(T... Inputs) => (T Output) T: numbers"),
    OP("Det", 22,
       "(T X) => (T Y) T: floats|bfloat16"),
    OP("Det", 11,
       "(T X) => (T Y) T: floats"));
