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

/* microsoft_activated.c: products and convolutions with an activation, biases */
int ox_ms_run_fused_conv(ox_run *r);
int ox_ms_run_nhwc_conv(ox_run *r); /* NhwcConv, NhwcFusedConv */
int ox_ms_run_nhwc_max_pool(ox_run *r);
int ox_ms_run_fused_gemm(ox_run *r);
int ox_ms_run_matmul_activation(ox_run *r);
int ox_ms_run_gemm_fast_gelu(ox_run *r);
int ox_ms_run_bias_add(ox_run *r);
int ox_ms_run_bias_split_gelu(ox_run *r);
int ox_ms_run_bias_softmax(ox_run *r);

/* microsoft_blocks.c: weights with a scale per block */
int ox_ms_run_matmul_nbits(ox_run *r);
int ox_ms_run_matmul_bnb4(ox_run *r);
int ox_ms_run_gather_block(ox_run *r);

/* microsoft_embed.c */
int ox_ms_run_embed(ox_run *r);
int ox_ms_run_q_embed(ox_run *r);
int ox_ms_run_dynamic_matmul(ox_run *r);
int ox_ms_run_q_gemm(ox_run *r);
int ox_ms_run_matmul_integer16(ox_run *r);
int ox_ms_run_mul_integer(ox_run *r);
int ox_ms_run_q_mean(ox_run *r);
int ox_ms_run_q_conv_last(ox_run *r); /* QLinearConv with channels last */
int ox_ms_run_dynamic_lstm(ox_run *r);

/* microsoft_more.c */
int ox_ms_run_expand_dims(ox_run *r);
int ox_ms_run_gather_nd(ox_run *r);
int ox_ms_run_inverse(ox_run *r);

/* microsoft_text.c */
int ox_ms_run_tokenizer(ox_run *r);

#endif
