/* ai.onnx.preview and ai.onnx.preview.training. */
#include "op/op.h"

/* Inputs are R, T, then n tensors X, n gradients, n of each state; outputs are n new X and n of each new state, like the old. */
static int infer_step(ox_call *c) {
    int n = c->n_in - 2 - c->n_out;
    if (n < 1 || c->n_out % n) return 0; /* not all outputs are asked for: which input each is like is not known */
    for (int i = 0; i < c->n_out; i++) ox_out_type(c, i, ox_in_type(c, 2 + i + (i < n ? 0 : n)));
    return 0;
}

OX_FAMILY(training, "ai.onnx.preview.training",
    OP("Adagrad", 1,
       "<decay_factor: float = 0.0, epsilon: float = 1e-06, norm_coefficient: float = 0.0>(T1 R, T2 T, "
       "T3..~ inputs) => (T3..~ outputs) T1: double|float, T2: int64, T3: double|float",
       .infer = infer_step),
    OP("Adam", 1,
       "<alpha: float = 0.9, beta: float = 0.999, epsilon: float = 1e-06, norm_coefficient: float = "
       "0.0, norm_coefficient_post: float = 0.0>(T1 R, T2 T, T3..~ inputs) => (T3..~ outputs) T1: "
       "double|float, T2: int64, T3: double|float",
       .infer = infer_step),
    OP("Gradient", 1,
       "<xs: strings, y: string, zs: strings?>(T1..~ Inputs) => (T2..~ Outputs) T1: any, T2: floats"),
    OP("Momentum", 1,
       "<alpha: float, beta: float, mode: string, norm_coefficient: float>(T1 R, T2 T, T3..~ inputs) => "
       "(T3..~ outputs) T1: double|float, T2: int64, T3: double|float",
       .infer = infer_step));

OX_FAMILY(preview, "ai.onnx.preview",
    OP("FlexAttention", 1,
       "<prob_mod: graph?, scale: float?, score_mod: graph?, softmax_precision: int?>(T1 Q, T1 K, T1 V) "
       "=> (T1 Y) T1: floats|bfloat16"));
