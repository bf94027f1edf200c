/* Fourier transforms. */
#include "op/op.h"

OX_FAMILY(spectral, "",
    OP("DFT", 20,
       "<inverse: int = 0, onesided: int = 0>(T1 input, T2? dft_length, int64? axis) => (T1 output) T1: "
       "floats|bfloat16, T2: int32|int64"),
    OP("DFT", 17,
       "<axis: int = 1, inverse: int = 0, onesided: int = 0>(T1 input, T2? dft_length) => (T1 output) "
       "T1: floats|bfloat16, T2: int32|int64"),
    OP("STFT", 17,
       "<onesided: int = 1>(T1 signal, T2 frame_step, T1? window, T2? frame_length) => (T1 output) T1: "
       "floats|bfloat16, T2: int32|int64"));
