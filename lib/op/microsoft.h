/* Kernels of com.microsoft that stand in other files than their rows. */
#ifndef OX_OP_MICROSOFT_H
#define OX_OP_MICROSOFT_H

#include "op/quant.h"

/* microsoft_quant.c: elements of 8 bits with one scale and zero point per tensor */
int ox_ms_run_q_add(ox_run *r);
int ox_ms_run_q_mul(ox_run *r);
int ox_ms_run_q_where(ox_run *r);
int ox_ms_run_q_concat(ox_run *r);
int ox_ms_run_q_sigmoid(ox_run *r);
int ox_ms_run_q_leaky_relu(ox_run *r);
int ox_ms_run_q_softmax(ox_run *r);
int ox_ms_run_q_average_pool(ox_run *r);
int ox_ms_run_q_global_average_pool(ox_run *r);
int ox_ms_infer_q_average_pool(ox_call *c);
int ox_ms_infer_q_global_average_pool(ox_call *c);
int ox_ms_infer_q_concat(ox_call *c);

/* microsoft_fused.c: float operators that optimizers make */
int ox_ms_run_gelu(ox_run *r);       /* Gelu, BiasGelu */
int ox_ms_run_fast_gelu(ox_run *r);
int ox_ms_run_quick_gelu(ox_run *r);
int ox_ms_run_matmul(ox_run *r);     /* FusedMatMul, TransposeMatMul */
int ox_ms_infer_matmul(ox_call *c);
int ox_ms_run_skip_norm(ox_run *r);        /* SkipLayerNormalization */
int ox_ms_run_skip_simple_norm(ox_run *r); /* SkipSimplifiedLayerNormalization */
int ox_ms_run_simple_norm(ox_run *r);      /* SimplifiedLayerNormalization */

#endif
