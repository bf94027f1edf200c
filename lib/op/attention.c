/* Attention and rotary embedding: rows and shape rules. Kernels: attention_kernels.c, attention_more.c. */
#include "op/compute.h"

/* Axis d of input i; NULL when unknown. */
static ox_dim dim_of(const ox_call *c, int i, int d) {
    const ox_dim *dims = ox_in_dims(c, i);
    return dims && d < ox_in_rank(c, i) ? dims[d] : NULL;
}

static ox_dim divided(ox_call *c, ox_dim d, int64_t by) {
    return ox_dim_exact_div(c->ctx, d, ox_dim_const(c->ctx, by));
}

static ox_dim sum_dim(ox_call *c, ox_dim a, ox_dim b, bool given) { return given ? ox_dim_add(c->ctx, a, b) : b; }

static int check_attention(ox_call *c, int rank, int64_t q_heads, int64_t kv_heads) {
    for (int i = 0; i < 3; i++) {
        if (ox_in_rank(c, i) >= 0 && (ox_in_rank(c, i) != rank || rank < 3 || rank > 4))
            return ox_fail(c->ctx, OX_BAD_DATA, "Q, K and V must all have rank 3 or all rank 4");
    }
    if (rank == 3 && (q_heads < 1 || kv_heads < 1 || q_heads % kv_heads))
        return ox_fail(c->ctx, OX_BAD_DATA, "%" PRId64 " and %" PRId64 " heads cannot be", q_heads, kv_heads);
    int64_t hidden;
    for (int i = 0; i < 3 && rank == 3; i++) {
        if (ox_dim_is_const(dim_of(c, i, 2), &hidden) && hidden % (i ? kv_heads : q_heads))
            return ox_fail(c->ctx, OX_BAD_DATA, "a hidden size of %" PRId64 " cannot be cut into heads", hidden);
    }
    return ox_arg_given(c, 4) == ox_arg_given(c, 5)
               ? 0
               : ox_fail(c->ctx, OX_BAD_DATA, "past_key and past_value must be given together");
}

static int infer_attention(ox_call *c) {
    int64_t q_heads = ox_get_int(c, "q_num_heads"), kv_heads = ox_get_int(c, "kv_num_heads");
    int rank = ox_in_rank(c, 0) >= 0 ? ox_in_rank(c, 0) : ox_in_rank(c, 1) >= 0 ? ox_in_rank(c, 1) : ox_in_rank(c, 2);
    ox_dtype t1 = ox_in_dtype(c, 0), t2 = ox_in_dtype(c, 2);
    if (rank < 0) {
        ox_out_tensor(c, 0, t1, -1, NULL);
        return 0;
    }
    if (check_attention(c, rank, q_heads, kv_heads) < 0) return -1;
    bool flat = rank == 3, past = ox_arg_given(c, 4);
    int seq = flat ? 1 : 2;
    ox_dim batch = dim_of(c, 0, 0), size = flat ? divided(c, dim_of(c, 1, 2), kv_heads) : dim_of(c, 1, 3);
    ox_dim v_size = flat ? divided(c, dim_of(c, 2, 2), kv_heads) : dim_of(c, 2, 3);
    ox_dim heads = flat ? ox_dim_const(c->ctx, q_heads) : dim_of(c, 0, 1),
           kv = flat ? ox_dim_const(c->ctx, kv_heads) : dim_of(c, 1, 1);
    ox_dim total = sum_dim(c, dim_of(c, 4, 2), dim_of(c, 1, seq), past), queries = dim_of(c, 0, seq);
    ox_dim y3[3] = {batch, queries, ox_dim_mul(c->ctx, heads, v_size)}, y4[4] = {batch, heads, queries, v_size};
    ox_dim key[4] = {batch, kv, total, size}, value[4] = {batch, kv, total, v_size},
           qk[4] = {batch, heads, queries, total};
    ox_out_tensor(c, 0, t1, rank, flat ? y3 : y4);
    ox_out_tensor(c, 1, t1, 4, key);
    ox_out_tensor(c, 2, t2, 4, value);
    ox_out_tensor(c, 3, t1, 4, qk);
    return 0;
}

static int infer_rotary(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    if (rank >= 0 && rank != 3 && rank != 4)
        return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d, but 3 or 4 is needed", rank);
    if (rank == 3 && ox_get_int(c, "num_heads") < 1)
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'num_heads' is needed for an input of rank 3");
    return ox_infer_same(c);
}

static int infer_linear_attention(ox_call *c) {
    int64_t q_heads = ox_get_int(c, "q_num_heads"), kv_heads = ox_get_int(c, "kv_num_heads");
    if (q_heads < 1 || kv_heads < 1 || q_heads % kv_heads)
        return ox_fail(c->ctx, OX_BAD_DATA, "%" PRId64 " and %" PRId64 " heads cannot be", q_heads, kv_heads);
    for (int i = 0; i < 3; i++) {
        if (ox_in_rank(c, i) >= 0 && ox_in_rank(c, i) != 3)
            return ox_fail(c->ctx, OX_BAD_DATA, "query, key and value must have rank 3");
    }
    ox_dim size = divided(c, dim_of(c, 0, 2), q_heads), v_size = divided(c, dim_of(c, 2, 2), kv_heads);
    ox_dim y[3] = {dim_of(c, 0, 0), dim_of(c, 0, 1), ox_dim_mul(c->ctx, v_size, ox_dim_const(c->ctx, q_heads))};
    ox_dim state[4] = {dim_of(c, 0, 0), ox_dim_const(c->ctx, kv_heads), size, v_size};
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 3, y);
    ox_out_tensor(c, 1, ox_arg_given(c, 3) ? ox_in_dtype(c, 3) : ox_in_dtype(c, 0), 4, state);
    return 0;
}

OX_FAMILY(attention, "",
    OP("Attention", 25,
       "<is_causal: int = 0, kv_num_heads: int?, left_window_size: int = -1, q_num_heads: int?, "
       "qk_matmul_output_mode: int = 0, right_window_size: int = -1, scale: float?, softcap: float = "
       "0.0, softmax_precision: int?>(T1 Q, T1 K, T2 V, U? attn_mask, T1? past_key, T2? past_value, "
       "int64? nonpad_kv_seqlen) => (T1 Y, T1? present_key, T2? present_value, T1? qk_matmul_output) "
       "T1: floats|bfloat16, T2: floats|bfloat16, U: numbers|bfloat16|bool",
       .infer = infer_attention, .kernel = ox_run_attention),
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
       "sin_cache, M? position_ids) => (T Y) T: bfloat16|float|float16, M: int64",
       .flags = OX_SAME_SHAPE, .infer = infer_rotary, .kernel = ox_run_rotary_embedding),
    OP("LinearAttention", 27,
       "<chunk_size: int = 64, kv_num_heads: int, q_num_heads: int, scale: float = 0.0, update_rule: "
       "string = \"gated_delta\">(T query, T key, T value, S? past_state, T? decay, T? beta) => (T "
       "output, S present_state) T: bfloat16|float|float16, S: bfloat16|float|float16",
       .infer = infer_linear_attention, .kernel = ox_run_linear_attention));
