/* Recurrent layers. */
#include "op/op.h"

OX_FAMILY(rnn, "",
    OP("LSTM", 22,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? Y_h, T? "
       "Y_c) T: floats|bfloat16, T1: int32"),
    OP("LSTM", 14,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? Y_h, T? "
       "Y_c) T: floats, T1: int32"),
    OP("LSTM", 7,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0>(T X, T W, T R, T? B, "
       "T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? Y_h, T? Y_c) T: floats, T1: "
       "int32"),
    OP("LSTM", 1,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0, output_sequence: int "
       "= 0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? "
       "Y_h, T? Y_c) T: floats, T1: int32"),
    OP("GRU", 22,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, layout: int = 0, linear_before_reset: int = "
       "0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats|bfloat16, "
       "T1: int32"),
    OP("GRU", 14,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, layout: int = 0, linear_before_reset: int = "
       "0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("GRU", 7,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, linear_before_reset: int = 0>(T X, T W, T "
       "R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("GRU", 3,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, linear_before_reset: int = 0, "
       "output_sequence: int = 0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? "
       "Y_h) T: floats, T1: int32"),
    OP("GRU", 1,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"foward\", hidden_size: int?, output_sequence: int = 0>(T X, T W, T R, T? "
       "B, T1? sequence_lens, T? initial_h) => (T? Y, T Y_h) T: floats, T1: int32"),
    OP("RNN", 22,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats|bfloat16, T1: "
       "int32"),
    OP("RNN", 14,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("RNN", 7,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?>(T X, T W, T R, T? "
       "B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("RNN", 1,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?, output_sequence: "
       "int = 0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: "
       "int32"));
