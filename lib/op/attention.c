/* Attention and rotary embedding. */
#include "op/op.h"

OX_FAMILY(attention, "",
    OP("Attention", 25,
       "<is_causal: int = 0, kv_num_heads: int?, left_window_size: int = -1, q_num_heads: int?, "
       "qk_matmul_output_mode: int = 0, right_window_size: int = -1, scale: float?, softcap: float = "
       "0.0, softmax_precision: int?>(T1 Q, T1 K, T2 V, U? attn_mask, T1? past_key, T2? past_value, "
       "int64? nonpad_kv_seqlen) => (T1 Y, T1? present_key, T2? present_value, T1? qk_matmul_output) "
       "T1: floats|bfloat16, T2: floats|bfloat16, U: numbers|bfloat16|bool"),
    OP("Attention", 24,
       "<is_causal: int = 0, kv_num_heads: int?, q_num_heads: int?, qk_matmul_output_mode: int = 0, "
       "scale: float?, softcap: float = 0.0, softmax_precision: int?>(T1 Q, T1 K, T2 V, U? attn_mask, "
       "T1? past_key, T2? past_value, int64? nonpad_kv_seqlen) => (T1 Y, T1? present_key, T2? "
       "present_value, T1? qk_matmul_output) T1: floats|bfloat16, T2: floats|bfloat16, U: numbers|"
       "bfloat16|bool"),
    OP("Attention", 23,
       "<is_causal: int = 0, kv_num_heads: int?, q_num_heads: int?, qk_matmul_output_mode: int = 0, "
       "scale: float?, softcap: float = 0.0, softmax_precision: int?>(T1 Q, T1 K, T2 V, U? attn_mask, "
       "T1? past_key, T2? past_value) => (T1 Y, T1? present_key, T2? present_value, T1? "
       "qk_matmul_output) T1: floats|bfloat16, T2: floats|bfloat16, U: numbers|bfloat16|bool"),
    OP("RotaryEmbedding", 23,
       "<interleaved: int = 0, num_heads: int?, rotary_embedding_dim: int = 0>(T X, T cos_cache, T "
       "sin_cache, M? position_ids) => (T Y) T: bfloat16|float|float16, M: int64"),
    OP("LinearAttention", 27,
       "<chunk_size: int = 64, kv_num_heads: int, q_num_heads: int, scale: float = 0.0, update_rule: "
       "string = \"gated_delta\">(T query, T key, T value, S? past_state, T? decay, T? beta) => (T "
       "output, S present_state) T: bfloat16|float|float16, S: bfloat16|float|float16"));
