/* Normalisations, and Dropout. */
#include "op/op.h"

OX_FAMILY(norm, "",
    OP("BatchNormalization", 15,
       "<epsilon: float = 1e-05, momentum: float = 0.9, training_mode: int = 0>(T X, T1 scale, T1 B, T2 "
       "input_mean, T2 input_var) => (T Y, T2? running_mean, T2? running_var) T: floats|bfloat16, T1: "
       "floats|bfloat16, T2: floats|bfloat16"),
    OP("BatchNormalization", 14,
       "<epsilon: float = 1e-05, momentum: float = 0.9, training_mode: int = 0>(T X, T scale, T B, U "
       "input_mean, U input_var) => (T Y, U? running_mean, U? running_var) T: floats|bfloat16, U: "
       "floats|bfloat16"),
    OP("BatchNormalization", 9,
       "<epsilon: float = 1e-05, momentum: float = 0.9>(T X, T scale, T B, T mean, T var) => (T Y, T? "
       "mean, T? var, T? saved_mean, T? saved_var) T: floats"),
    OP("BatchNormalization", 7,
       "<epsilon: float = 1e-05, momentum: float = 0.9, spatial: int = 1>(T X, T scale, T B, T mean, T "
       "var) => (T Y, T? mean, T? var, T? saved_mean, T? saved_var) T: floats"),
    OP("BatchNormalization", 6,
       "<epsilon: float = 1e-05, is_test: int = 0, momentum: float = 0.9, spatial: int = 1>(T X, T "
       "scale, T B, T mean, T var) => (T Y, T? mean, T? var, T? saved_mean, T? saved_var) T: floats"),
    OP("BatchNormalization", 1,
       "<consumed_inputs: ints, epsilon: float = 1e-05, is_test: int = 0, momentum: float = 0.9, "
       "spatial: int = 1>(T X, T scale, T B, T mean, T var) => (T Y, T? mean, T? var, T? saved_mean, T? "
       "saved_var) T: floats"),
    OP("InstanceNormalization", 22,
       "<epsilon: float = 1e-05>(T input, T scale, T B) => (T output) T: floats|bfloat16"),
    OP("InstanceNormalization", 6,
       "<epsilon: float = 1e-05>(T input, T scale, T B) => (T output) T: floats"),
    OP("InstanceNormalization", 1,
       "<consumed_inputs: ints?, epsilon: float = 1e-05>(T input, T scale, T B) => (T output) T: floats"),
    OP("LayerNormalization", 17,
       "<axis: int = -1, epsilon: float = 1e-05, stash_type: int = 1>(T X, T Scale, T? B) => (T Y, U? "
       "Mean, U? InvStdDev) T: floats|bfloat16, U: bfloat16|float"),
    OP("RMSNormalization", 23,
       "<axis: int = -1, epsilon: float = 1e-05, stash_type: int = 1>(T X, V scale) => (V Y) T: floats|"
       "bfloat16, V: floats|bfloat16"),
    OP("GroupNormalization", 21,
       "<epsilon: float = 1e-05, num_groups: int, stash_type: int = 1>(T X, T scale, T bias) => (T Y) "
       "T: floats|bfloat16"),
    OP("GroupNormalization", 18,
       "<epsilon: float = 1e-05, num_groups: int>(T X, T scale, T bias) => (T Y) T: floats|bfloat16",
       .flags = OX_DEPRECATED),
    OP("LRN", 13,
       "<alpha: float = 1e-04, beta: float = 0.75, bias: float = 1.0, size: int>(T X) => (T Y) T: "
       "floats|bfloat16"),
    OP("LRN", 1,
       "<alpha: float = 1e-04, beta: float = 0.75, bias: float = 1.0, size: int>(T X) => (T Y) T: floats"),
    OP("MeanVarianceNormalization", 13,
       "<axes: ints = [0, 2, 3]>(T X) => (T Y) T: floats|bfloat16"),
    OP("MeanVarianceNormalization", 9,
       "<axes: ints = [0, 2, 3]>(T X) => (T Y) T: floats"),
    OP("Dropout", 22,
       "<seed: int?>(T data, T1? ratio, T2? training_mode) => (T output, T2? mask) T: floats|fp8|"
       "bfloat16, T1: floats|fp8|bfloat16, T2: bool"),
    OP("Dropout", 13,
       "<seed: int?>(T data, T1? ratio, T2? training_mode) => (T output, T2? mask) T: floats|bfloat16, "
       "T1: floats, T2: bool"),
    OP("Dropout", 12,
       "<seed: int?>(T data, T1? ratio, T2? training_mode) => (T output, T2? mask) T: floats, T1: "
       "floats, T2: bool"),
    OP("Dropout", 10,
       "<ratio: float = 0.5>(T data) => (T output, T1? mask) T: floats, T1: bool"),
    OP("Dropout", 7,
       "<ratio: float = 0.5>(T data) => (T output, T? mask) T: floats"),
    OP("Dropout", 6,
       "<is_test: int = 0, ratio: float = 0.5>(T data) => (T output, T? mask) T: floats"),
    OP("Dropout", 1,
       "<consumed_inputs: ints?, is_test: int = 0, ratio: float = 0.5>(T data) => (T output, T? mask) "
       "T: floats"));
