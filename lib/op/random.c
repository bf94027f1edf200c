/* Random tensors. */
#include "op/op.h"

OX_FAMILY(random, "",
    OP("RandomNormal", 22,
       "<dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: float?, shape: ints>() => (T "
       "output) T: floats|bfloat16",
       .flags = OX_RANDOM),
    OP("RandomNormal", 1,
       "<dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: float?, shape: ints>() => (T "
       "output) T: floats"),
    OP("RandomNormalLike", 22,
       "<dtype: int?, mean: float = 0.0, scale: float = 1.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any|bfloat16, T2: floats|bfloat16",
       .flags = OX_RANDOM),
    OP("RandomNormalLike", 1,
       "<dtype: int?, mean: float = 0.0, scale: float = 1.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any, T2: floats"),
    OP("RandomUniform", 22,
       "<dtype: int = 1, high: float = 1.0, low: float = 0.0, seed: float?, shape: ints>() => (T "
       "output) T: floats|bfloat16",
       .flags = OX_RANDOM),
    OP("RandomUniform", 1,
       "<dtype: int = 1, high: float = 1.0, low: float = 0.0, seed: float?, shape: ints>() => (T "
       "output) T: floats"),
    OP("RandomUniformLike", 22,
       "<dtype: int?, high: float = 1.0, low: float = 0.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any|bfloat16, T2: floats|bfloat16",
       .flags = OX_RANDOM),
    OP("RandomUniformLike", 1,
       "<dtype: int?, high: float = 1.0, low: float = 0.0, seed: float?>(T1 input) => (T2 output) T1: "
       "any, T2: floats"),
    OP("Multinomial", 22,
       "<dtype: int = 6, sample_size: int = 1, seed: float?>(T1 input) => (T2 output) T1: floats|"
       "bfloat16, T2: int32|int64",
       .flags = OX_RANDOM),
    OP("Multinomial", 7,
       "<dtype: int = 6, sample_size: int = 1, seed: float?>(T1 input) => (T2 output) T1: floats, T2: "
       "int32|int64"),
    OP("Bernoulli", 22,
       "<dtype: int?, seed: float?>(T1 input) => (T2 output) T1: floats|bfloat16, T2: numbers|bfloat16|"
       "bool",
       .flags = OX_RANDOM),
    OP("Bernoulli", 15,
       "<dtype: int?, seed: float?>(T1 input) => (T2 output) T1: floats, T2: numbers|bfloat16|bool"));
