/* com.microsoft: the operators that published models hold after optimization or quantization by ONNX Runtime. Every
 * row has a signature; shape rules are here, kernels in microsoft_quant.c and microsoft_fused.c. Rows without a
 * kernel are known to passes and shape inference, and named when a model cannot be run. */
#include "op/microsoft.h"
#include "op/microsoft_attention.h"
#include "op/window.h"

/* ------------------------------------------------------------------------------------------------ shape rules */

/* Inputs a and b broadcast together; the element type given. */
static int broadcast_pair(ox_call *c, int a, int b, ox_dtype t) {
    int ra = ox_in_rank(c, a), rb = ox_in_rank(c, b), rank = -1;
    ox_dim *dims = NULL;
    if (ra >= 0 && rb >= 0 && ox_broadcast_dims(c, ra, ox_in_dims(c, a), rb, ox_in_dims(c, b), &rank, &dims)) return -1;
    ox_out_tensor(c, 0, t, rank, dims);
    return 0;
}

static int infer_q_binary(ox_call *c) { return broadcast_pair(c, 0, 3, ox_in_dtype(c, 0)); }
static int infer_mul_integer(ox_call *c) { return broadcast_pair(c, 0, 2, OX_INT32); }

static int infer_q_where(ox_call *c) {
    int rank, ra = ox_in_rank(c, 0), rb = ox_in_rank(c, 1), rc = ox_in_rank(c, 4);
    ox_dim *dims;
    if (ra < 0 || rb < 0 || rc < 0) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 1), -1, NULL);
        return 0;
    }
    if (ox_broadcast_dims(c, ra, ox_in_dims(c, 0), rb, ox_in_dims(c, 1), &rank, &dims) ||
        ox_broadcast_dims(c, rank, dims, rc, ox_in_dims(c, 4), &rank, &dims))
        return -1;
    ox_out_tensor(c, 0, ox_in_dtype(c, 1), rank, dims);
    return 0;
}

/* Output 0 has the shape and type of input 0. */
static int infer_first(ox_call *c) {
    ox_out_type(c, 0, ox_in_type(c, 0));
    return 0;
}

static int infer_halved(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_dim *d = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) d[i] = i < rank - 1 ? ox_in_dims(c, 0)[i] : ox_dim_exact_div(c->ctx, ox_in_dims(c, 0)[i], ox_dim_const(c->ctx, 2));
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, d);
    return 0;
}

/* Normalization of a sum: output, two statistics per row, the sum. */
static int infer_skip_norm(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_out_type(c, 0, ox_in_type(c, 0));
    ox_out_type(c, 3, ox_in_type(c, 0));
    if (rank < 1) return 0;
    ox_dim *d = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank - 1; i++) d[i] = ox_in_dims(c, 0)[i];
    d[rank - 1] = ox_dim_const(c->ctx, 1);
    for (int i = 1; i < 3; i++) ox_out_tensor(c, i, OX_FLOAT, rank, d);
    return 0;
}

static int infer_simple_norm(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_dtype t = ox_in_dtype(c, 1);
    ox_out_tensor(c, 0, t, rank, ox_in_dims(c, 0));
    if (rank < 0) return 0;
    int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis");
    if (axis < 0) return -1;
    ox_dim *d = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) d[i] = i < axis ? ox_in_dims(c, 0)[i] : ox_dim_const(c->ctx, 1);
    ox_out_tensor(c, 1, ox_in_dtype(c, 0) == OX_DOUBLE ? OX_DOUBLE : OX_FLOAT, rank, d);
    return 0;
}

/* The dims of input 0 with the last replaced: projections whose width is an attribute. */
static int infer_projection(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_dim *d = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) d[i] = i < rank - 1 ? ox_in_dims(c, 0)[i] : ox_dim_const(c->ctx, ox_get_int(c, "N"));
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, d);
    return 0;
}

static int infer_gemm(ox_call *c, int b, ox_dtype t) {
    int ra = ox_in_rank(c, 0), rb = ox_in_rank(c, b);
    bool ta = ox_get_int(c, "transA") != 0, tb = ox_get_int(c, "transB") != 0, bad = false;
    ox_dim d[2] = {NULL, NULL};
    if ((ra >= 0 && ra != 2) || (rb >= 0 && rb != 2))
        return ox_fail(c->ctx, OX_BAD_DATA, "matrices of rank %d and %d", ra, rb);
    if (ra == 2) d[0] = ox_in_dims(c, 0)[ta];
    if (rb == 2) d[1] = ox_in_dims(c, b)[!tb];
    if (ra == 2 && rb == 2) ox_mv_same_dim(c, ox_in_dims(c, 0)[!ta], ox_in_dims(c, b)[tb], "inner sizes", &bad);
    ox_out_tensor(c, 0, t, 2, d);
    return bad ? -1 : 0;
}
static int infer_fused_gemm(ox_call *c) { return infer_gemm(c, 1, ox_in_dtype(c, 0)); }
static int infer_q_gemm(ox_call *c) { return infer_gemm(c, 3, ox_arg_given(c, 8) ? ox_in_dtype(c, 8) : OX_FLOAT); }

static int infer_dynamic_matmul(ox_call *c) { return ox_q_matmul_dims(c, 0, 1, OX_FLOAT); }
static int infer_matmul_to_float(ox_call *c) { return ox_q_matmul_dims(c, 0, 1, ox_in_dtype(c, 2)); }
static int infer_fused_conv(ox_call *c) { return ox_q_infer_conv(c, 1, ox_in_dtype(c, 0)); }

static int infer_q_conv(ox_call *c) {
    if (!ox_get_int(c, "channels_last")) return ox_infer_qlinear_conv(c);
    ox_out_tensor(c, 0, ox_in_dtype(c, 7), ox_in_rank(c, 0), NULL);
    return 0;
}

/* Type and rank of input 0, sizes unknown: layouts with channels last. */
static int infer_rank(ox_call *c) {
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), ox_in_rank(c, 0), NULL);
    return 0;
}

/* A window over the middle axes of [N, spatial..., C]; channels: of the output, NULL as those of the input. */
static int infer_last(ox_call *c, const int64_t *kernel, bool known, ox_dim channels) {
    int rank = ox_in_rank(c, 0);
    bool failed = false;
    ox_window w;
    if (rank >= 0 && rank < 3) return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d", rank);
    if (rank < 0 || !known) return infer_rank(c);
    if (ox_window_init(&w, c, c->arena, rank - 2, kernel)) return -1;
    ox_dim *d = ox_mv_no_dims(c, rank);
    const ox_dim *x = ox_in_dims(c, 0);
    for (int i = 0; i < rank; i++) d[i] = i > 0 && i < rank - 1 ? ox_window_dim(c->ctx, &w, i - 1, x[i], &failed) : x[i];
    if (channels) d[rank - 1] = channels;
    if (failed) return -1;
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank, d);
    return 0;
}
static int infer_pool_last(ox_call *c) { return infer_last(c, NULL, true, NULL); }

static int infer_conv_last(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *w = ox_in_rank(c, 1) == rank ? ox_in_dims(c, 1) : NULL;
    int64_t *kernel = OX_NEW_N(c->arena, int64_t, rank > 0 ? rank : 1);
    bool known = w && rank > 2 && ox_mv_known(rank - 2, w + 2, kernel);
    return infer_last(c, kernel, known, known ? w[0] : NULL);
}

static int infer_q_mean(ox_call *c) {
    int rank = ox_in_rank(c, 0), n, k = 0;
    const int64_t *axes = ox_get_ints(c, "axes", &n);
    bool keep = ox_get_int(c, "keepdims") != 0, *hit = OX_NEW_N(c->arena, bool, rank > 0 ? rank : 1);
    if (rank < 0) return infer_rank(c);
    if (ox_mv_axes(c, axes ? n : 0, axes, rank, hit, "axes")) return -1;
    ox_dim *d = ox_mv_no_dims(c, rank);
    for (int i = 0; i < rank; i++) {
        if (hit[i] && keep) d[k++] = ox_dim_const(c->ctx, 1);
        if (!hit[i]) d[k++] = ox_in_dims(c, 0)[i];
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), k, d);
    return 0;
}

/* [batch, sequence, width] with the width given. */
static void out_hidden(ox_call *c, int like, ox_dtype t, ox_dim width) {
    const ox_dim *x = ox_in_rank(c, like) >= 2 ? ox_in_dims(c, like) : NULL;
    ox_dim d[3] = {x ? x[0] : NULL, x ? x[1] : NULL, width};
    ox_out_tensor(c, 0, t, 3, d);
}

static int infer_attention(ox_call *c) {
    int n;
    const int64_t *sizes = ox_get_ints(c, "qkv_hidden_sizes", &n);
    const ox_dim *w = ox_in_rank(c, 1) == 2 ? ox_in_dims(c, 1) : NULL;
    ox_dim width = sizes && n == 3 ? ox_dim_const(c->ctx, sizes[2])
                   : w             ? ox_dim_exact_div(c->ctx, w[1], ox_dim_const(c->ctx, 3))
                                   : NULL;
    bool quantized = ox_is(c->node, "QAttention") || c->op->name[0] == 'Q';
    out_hidden(c, 0, ox_in_dtype(c, quantized ? 3 : 0), width);
    ox_out_tensor(c, 1, ox_in_dtype(c, quantized ? 3 : 0), 5, NULL);
    return 0;
}

static int infer_multi_head(ox_call *c) {
    int rv = ox_in_rank(c, 2), rq = ox_in_rank(c, 0);
    ox_dim width = NULL;
    if (rv == 3) width = ox_in_dims(c, 2)[2];
    else if (rv == 4) width = ox_dim_mul(c->ctx, ox_in_dims(c, 2)[1], ox_in_dims(c, 2)[3]);
    else if (!ox_arg_given(c, 1) && rq == 5) width = ox_dim_mul(c->ctx, ox_in_dims(c, 0)[2], ox_in_dims(c, 0)[4]);
    out_hidden(c, 0, ox_in_dtype(c, 0), width);
    for (int i = 1; i < 3; i++) ox_out_tensor(c, i, ox_in_dtype(c, 0), 4, NULL);
    return 0;
}

static int infer_group_query(ox_call *c) {
    ox_dim heads = ox_dim_const(c->ctx, ox_get_int(c, "num_heads")),
           kv = ox_dim_const(c->ctx, ox_get_int(c, "kv_num_heads"));
    const ox_dim *q = ox_in_rank(c, 0) == 3 ? ox_in_dims(c, 0) : NULL;
    ox_dim width = q ? q[2] : NULL;
    if (!ox_arg_given(c, 1) && q) { /* query, key and value in one */
        ox_dim all = ox_dim_add(c->ctx, heads, ox_dim_add(c->ctx, kv, kv)), head = ox_dim_exact_div(c->ctx, width, all);
        width = ox_dim_mul(c->ctx, head, heads);
    }
    out_hidden(c, 0, ox_in_dtype(c, 0), width);
    for (int i = 1; i < 3; i++) {
        const ox_dim *past = ox_in_rank(c, 2 + i) == 4 ? ox_in_dims(c, 2 + i) : NULL;
        ox_dim d[4] = {q ? q[0] : NULL, kv, NULL, past ? past[3] : NULL};
        ox_out_tensor(c, i, ox_arg_given(c, 2 + i) ? ox_in_dtype(c, 2 + i) : ox_in_dtype(c, 0), 4, d);
    }
    return 0;
}

static int infer_embed_norm(ox_call *c, int table, ox_dtype t) {
    const ox_dim *ids = ox_in_rank(c, 0) == 2 ? ox_in_dims(c, 0) : NULL,
                 *w = ox_in_rank(c, table) == 2 ? ox_in_dims(c, table) : NULL;
    ox_dim batch = ids ? ids[0] : NULL;
    out_hidden(c, 0, t, w ? w[1] : NULL);
    ox_out_tensor(c, 1, OX_INT32, 1, &batch);
    if (c->n_out > 2 && c->out_types[0]) ox_out_type(c, 2, c->out_types[0]);
    return 0;
}
static int infer_embed(ox_call *c) { return infer_embed_norm(c, 2, ox_in_dtype(c, 2)); }
static int infer_q_embed(ox_call *c) { return infer_embed_norm(c, 2, OX_FLOAT); }

static int infer_expand_dims(ox_call *c) {
    int rank = ox_in_rank(c, 0), k = 0;
    int64_t n, axis = 0;
    const int64_t *a = ox_in_ints(c, 1, &n);
    if (rank < 0) return infer_rank(c);
    if (a && (n != 1 || (axis = ox_axis(c, a[0], rank + 1, "axis")) < 0))
        return n != 1 ? ox_fail(c->ctx, OX_BAD_DATA, "axis is not one number") : -1;
    ox_dim *d = ox_mv_no_dims(c, rank + 1);
    for (int i = 0; i <= rank && a; i++) d[i] = i == axis ? ox_dim_const(c->ctx, 1) : ox_in_dims(c, 0)[k++];
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank + 1, d);
    return 0;
}

static int infer_gather_nd(ox_call *c) {
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
    return 0;
}

static int infer_lstm(ox_call *c) {
    const ox_dim *x = ox_in_rank(c, 0) == 3 ? ox_in_dims(c, 0) : NULL, *w = ox_in_rank(c, 2) == 3 ? ox_in_dims(c, 2) : NULL;
    ox_dim d[4] = {x ? x[0] : NULL, w ? w[0] : NULL, x ? x[1] : NULL, w ? w[1] : NULL};
    ox_out_tensor(c, 0, OX_FLOAT, 4, d);
    for (int i = 1; i < 3; i++) ox_out_tensor(c, i, OX_FLOAT, 3, d + 1);
    return 0;
}

static int infer_tokenizer(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_dim *d = ox_mv_no_dims(c, rank + 1);
    for (int i = 0; i < rank; i++) d[i] = ox_in_dims(c, 0)[i];
    if (rank >= 0) d[rank] = ox_dim_fresh(c->ctx);
    ox_out_tensor(c, 0, OX_STRING, rank < 0 ? -1 : rank + 1, d);
    return 0;
}

static int infer_position_bias(ox_call *c) {
    int64_t n;
    const ox_dim *table = ox_in_rank(c, 0) == 2 ? ox_in_dims(c, 0) : NULL, *q = ox_in_elems(c, 1, &n),
                 *k = ox_in_elems(c, 2, &n);
    ox_dim d[4] = {ox_dim_const(c->ctx, 1), table ? table[1] : NULL, q ? q[0] : NULL, k ? k[0] : NULL};
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 4, d);
    return 0;
}

static int infer_gather_block(ox_call *c) {
    int rd = ox_in_rank(c, 0), ri = ox_in_rank(c, 1);
    ox_out_tensor(c, 0, ox_in_dtype(c, 2), rd < 0 || ri < 0 ? -1 : rd - 1 + ri, NULL);
    return 0;
}

static int run_q_conv(ox_run *r) {
    if (ox_get_int(r->call, "channels_last"))
        return ox_ms_run_q_conv_last(r);
    return ox_run_qlinear_conv(r);
}

OX_FAMILY(microsoft, "com.microsoft",
    OP("Attention", 1,
       "<do_rotary: int?, mask_filter_value: float?, num_heads: int, past_present_share_buffer: int?, "
       "qkv_hidden_sizes: ints?, rotary_embedding_dim: int?, scale: float?, unidirectional: int = 0>(T "
       "input, T weights, T? bias, M? mask_index, T? past, T? attention_bias, M? past_sequence_length) => "
       "(T output, T? present) T: bfloat16|float|float16, M: int32",
       .infer = infer_attention, .kernel = ox_ms_run_attention),
    OP("BiasAdd", 1,
       "(T X, T bias, T skip) => (T Y) T: float|float16",
       .infer = infer_first, .kernel = ox_ms_run_bias_add),
    OP("BiasGelu", 1,
       "(T A, T B) => (T C) T: floats|bfloat16",
       .infer = infer_first, .kernel = ox_ms_run_gelu),
    OP("BiasSoftmax", 1,
       "<axis: int = 1, is_inner_broadcast: int>(T data, T bias) => (T output) T: floats",
       .infer = infer_first, .kernel = ox_ms_run_bias_softmax),
    OP("BiasSplitGelu", 1,
       "(T X, T bias) => (T Y) T: float|float16",
       .infer = infer_halved, .kernel = ox_ms_run_bias_split_gelu),
    OP("DequantizeLinear", 1,
       "<axis: int = 1>(T1 x, T2 x_scale, T1? x_zero_point) => (T2 y) T1: "
       "int16|int32|int4|int8|uint16|uint4|uint8, T2: float|float16",
       .flags = OX_QUANT, .infer = ox_infer_dequantize, .kernel = ox_run_dequantize),
    OP("DynamicQuantizeLSTM", 1,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0>(T X, T2 W, T2 R, T? B, "
       "T1? sequence_lens, T? initial_h, T? initial_c, T? P, T W_scale, T2 W_zero_point, T R_scale, T2 "
       "R_zero_point) => (T? Y, T? Y_h, T? Y_c) T: float, T1: int32, T2: int8|uint8",
       .infer = infer_lstm, .kernel = ox_ms_run_dynamic_lstm),
    OP("DynamicQuantizeMatMul", 1,
       "(T1 A, T2 B, T1 b_scale, T2? b_zero_point, T1? bias) => (T1 Y) T1: float, T2: int8|uint8",
       .infer = infer_dynamic_matmul, .kernel = ox_ms_run_dynamic_matmul),
    OP("EmbedLayerNormalization", 1,
       "<epsilon: float = 1e-12, mask_index_type: int?>(T1 input_ids, T1? segment_ids, T word_embedding, T "
       "position_embedding, T? segment_embedding, T gamma, T beta, T1? mask, T1? position_ids) => (T "
       "output, T1? mask_index, T? embedding_sum) T1: int32, T: float|float16",
       .infer = infer_embed, .kernel = ox_ms_run_embed),
    OP("ExpandDims", 1,
       "(T X, int32 axis) => (T Y) T: any",
       .infer = infer_expand_dims, .kernel = ox_ms_run_expand_dims),
    OP("FastGelu", 1,
       "(T X, T? bias) => (T Y) T: floats|bfloat16",
       .infer = infer_first, .kernel = ox_ms_run_fast_gelu),
    OP("FusedConv", 1,
       "<activation: string?, activation_params: floats?, auto_pad: string = \"NOTSET\", dilations: ints?, "
       "group: int = 1, kernel_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B, T? Z) => (T Y) T: "
       "floats",
       .infer = infer_fused_conv, .kernel = ox_ms_run_fused_conv),
    OP("FusedGemm", 1,
       "<activation: string?, activation_alpha: float?, activation_beta: float?, activation_gamma: float?, "
       "alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B, T? C) => (T Y) "
       "T: floats|int32|int64|uint32|uint64",
       .infer = infer_fused_gemm, .kernel = ox_ms_run_fused_gemm),
    OP("FusedMatMul", 1,
       "<alpha: float = 1.0, transA: int = 0, transB: int = 0, transBatchA: int = 0, transBatchB: int = "
       "0>(T A, T B) => (T Y) T: floats|bfloat16",
       .infer = ox_ms_infer_matmul, .kernel = ox_ms_run_matmul),
    OP("FusedMatMulActivation", 1,
       "<activation: string, activation_alpha: float?, activation_axis: int?, activation_beta: float?, "
       "activation_gamma: float?, alpha: float = 1.0, transA: int = 0, transB: int = 0, transBatchA: int = "
       "0, transBatchB: int = 0>(T A, T B) => (T Y) T: floats|bfloat16",
       .infer = ox_ms_infer_matmul, .kernel = ox_ms_run_matmul_activation),
    OP("GatedRelativePositionBias", 1,
       "<num_heads: int>(T query_layer, T query_bias, T rel_pos, T weight, T bias, T eco_a, M? "
       "token_offset) => (T output) T: float|float16, M: int32"),
    OP("GatherBlockQuantized", 1,
       "<bits: int = 4, block_size: int = 128, gather_axis: int = 0, quantize_axis: int = 1>(T1 data, Tind "
       "indices, T2 scales, T1? zero_points) => (T2 output) T1: "
       "float4e2m1|float8e4m3fn|float8e4m3fnuz|float8e5m2|float8e5m2fnuz|int4|uint4|uint8, T2: "
       "bfloat16|float|float16, Tind: int32|int64",
       .infer = infer_gather_block, .kernel = ox_ms_run_gather_block),
    OP("GatherND", 1,
       "(T data, Tind indices) => (T output) T: any, Tind: int32|int64",
       .infer = infer_gather_nd, .kernel = ox_ms_run_gather_nd),
    OP("Gelu", 1,
       "(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_first, .kernel = ox_ms_run_gelu),
    OP("GemmFastGelu", 1,
       "(T X, T W, T? bias) => (T Y) T: bfloat16|float|float16",
       .infer = ox_ms_infer_matmul, .kernel = ox_ms_run_gemm_fast_gelu),
    OP("GroupNorm", 1,
       "<activation: int, channels_last: int = 1, epsilon: float = 1e-05, groups: int>(T X, M gamma, M "
       "beta) => (T Y) T: float|float16, M: float|float16",
       .infer = infer_first),
    OP("GroupQueryAttention", 1,
       "<causal: int = 1, do_rotary: int?, k_quant_type: string = \"NONE\", kv_cache_bit_width: int?, "
       "kv_num_heads: int, local_window_size: int = -1, num_heads: int, qk_norm_epsilon: float = 1e-06, "
       "qk_output: int = 0, rotary_interleaved: int?, scale: float?, sliding_window_cache: int = 0, "
       "smooth_softmax: int = -1, softcap: float?, v_quant_type: string = \"NONE\">(T query, T? key, T? "
       "value, T_CACHE? past_key, T_CACHE? past_value, M seqlens_k, M total_sequence_length, T? cos_cache, "
       "T? sin_cache, int64? position_ids, T? attention_bias, T? head_sink, T_KV_SCALE? k_scale, "
       "T_KV_SCALE? v_scale, T? q_norm_weight, T? k_norm_weight) => (T output, T_CACHE? present_key, "
       "T_CACHE? present_value, T? output_qk) T: bfloat16|float|float16, T_CACHE: "
       "bfloat16|float|float16|float8e4m3fn|int8|uint8, T_KV_SCALE: float, M: int32",
       .infer = infer_group_query, .kernel = ox_ms_run_group_query),
    OP("Inverse", 1,
       "(T X) => (T Y) T: floats",
       .infer = infer_first, .kernel = ox_ms_run_inverse),
    OP("MatMulBnb4", 1,
       "<K: int, N: int, block_size: int, quant_type: int, training_mode: int = 0, transB: int = 1>(T1 A, "
       "T2 B, T1 absmax) => (T1 Y) T1: bfloat16|float|float16, T2: uint8",
       .infer = infer_projection, .kernel = ox_ms_run_matmul_bnb4),
    OP("MatMulIntegerToFloat", 1,
       "(T1 A, T2 B, T3 a_scale, T3 b_scale, T1? a_zero_point, T2? b_zero_point, T3? bias) => (T3 Y) T1: "
       "int8|uint8, T2: int8|uint8, T3: float|float16",
       .infer = infer_matmul_to_float, .kernel = ox_run_matmul_to_float),
    OP("MatMulNBits", 1,
       "<K: int, N: int, accuracy_level: int = 0, bits: int = 4, block_size: int, weight_prepacked: int = "
       "0>(T1 A, T2 B, T1 scales, T3? zero_points, T4? g_idx, T1? bias) => (T1 Y) T1: "
       "bfloat16|float|float16, T2: uint8, T3: bfloat16|float|float16|uint8, T4: int32",
       .infer = infer_projection, .kernel = ox_ms_run_matmul_nbits),
    OP("MoE", 1,
       "<activation_alpha: float = 1.0, activation_beta: float = 0.0, activation_type: string = \"relu\", "
       "k: int = 1, normalize_routing_weights: int = 0, swiglu_fusion: int = 0, swiglu_limit: float?, "
       "use_sparse_mixer: int = 0>(T input, T router_probs, T fc1_experts_weights, T? fc1_experts_bias, T "
       "fc2_experts_weights, T? fc2_experts_bias, T? fc3_experts_weights, T? fc3_experts_bias) => (T "
       "output) T: bfloat16|float|float16",
       .infer = infer_first),
    OP("MulInteger", 1,
       "(T A, T? A_zero_point, T B, T? B_zero_point) => (T1 C) T: int8|uint8, T1: int32",
       .infer = infer_mul_integer, .kernel = ox_ms_run_mul_integer),
    OP("MultiHeadAttention", 1,
       "<mask_filter_value: float?, num_heads: int, scale: float?, unidirectional: int = 0>(T query, T? "
       "key, T? value, T? bias, M? key_padding_mask, T? attention_bias, T? past_key, T? past_value, M? "
       "past_sequence_length, M? cache_indirection) => (T output, T? present_key, T? present_value, QK? qk) "
       "T: bfloat16|float|float16, QK: bfloat16|float|float16, M: int32",
       .infer = infer_multi_head, .kernel = ox_ms_run_multi_head),
    OP("NhwcConv", 1,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, pads: ints?, "
       "strides: ints?>(T X, T W, T? B) => (T Y) T: floats",
       .infer = infer_conv_last, .kernel = ox_ms_run_nhwc_conv),
    OP("NhwcFusedConv", 1,
       "<activation: string?, activation_params: floats?, auto_pad: string = \"NOTSET\", dilations: ints?, "
       "group: int = 1, kernel_shape: ints?, pads: ints?, strides: ints?>(T X, T W, T? B, T? Z) => (T Y) T: "
       "float|float16",
       .infer = infer_conv_last, .kernel = ox_ms_run_nhwc_conv),
    OP("NhwcMaxPool", 1,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, dilations: ints?, kernel_shape: ints, pads: "
       "ints?, strides: ints?>(T x) => (T y) T: int8|uint8",
       .infer = infer_pool_last, .kernel = ox_ms_run_nhwc_max_pool),
    OP("Pad", 1,
       "<mode: string = \"constant\">(T data, int64 pads, T? value) => (T output) T: floats",
       .infer = ox_infer_pad, .kernel = ox_run_pad),
    OP("QAttention", 1,
       "<do_rotary: int?, mask_filter_value: float?, num_heads: int, past_present_share_buffer: int?, "
       "scale: float?, unidirectional: int = 0>(T1 input, T2 weight, T3 bias, T3 input_scale, T3 "
       "weight_scale, T4? mask_index, T1? input_zero_point, T2? weight_zero_point, T3? past) => (T3 output, "
       "T3? present) T1: int8|uint8, T2: int8|uint8, T3: float|float16, T4: int32",
       .infer = infer_attention, .kernel = ox_ms_run_attention),
    OP("QEmbedLayerNormalization", 1,
       "<epsilon: float = 1e-12>(T1 input_ids, T1? segment_ids, T2 word_embedding_quant, T2 "
       "position_embedding_quant, T2? segment_embedding, T2 gamma_quant, T2 beta_quant, T1? mask, T "
       "word_embedding_scale, T position_embedding_scale, T? segment_embedding_scale, T gamma_scale, T "
       "beta_scale, T2 word_embedding_zero_point, T2 position_embedding_zero_point, T2? "
       "segment_embedding_zero_point, T2 gamma_zero_point, T2 beta_zero_point) => (T layernorm_out, T1 "
       "mask_index_out) T1: int32, T2: int8|uint8, T: float",
       .infer = infer_q_embed, .kernel = ox_ms_run_q_embed),
    OP("QGemm", 1,
       "<alpha: float = 1.0, transA: int = 0, transB: int = 0>(TA A, T a_scale, TA a_zero_point, TB B, T "
       "b_scale, TB b_zero_point, TC? C, T? y_scale, TYZ? y_zero_point) => (TY Y) T: float, TA: int8|uint8, "
       "TB: int8|uint8, TC: int32, TYZ: int8|uint8, TY: float|int8|uint8",
       .infer = infer_q_gemm, .kernel = ox_ms_run_q_gemm),
    OP("QLinearAdd", 1,
       "(T A, float A_scale, T? A_zero_point, T B, float B_scale, T? B_zero_point, float C_scale, T? "
       "C_zero_point) => (T C) T: int8|uint8",
       .infer = infer_q_binary, .kernel = ox_ms_run_q_add),
    OP("QLinearAveragePool", 1,
       "<auto_pad: string = \"NOTSET\", ceil_mode: int = 0, channels_last: int = 0, count_include_pad: int "
       "= 0, kernel_shape: ints, pads: ints?, strides: ints?>(T X, float x_scale, T? x_zero_point, float "
       "y_scale, T? y_zero_point) => (T Y) T: int8|uint8",
       .infer = ox_ms_infer_q_average_pool, .kernel = ox_ms_run_q_average_pool),
    OP("QLinearConcat", 1,
       "<axis: int>(TF Y_scale, T8 Y_zero_point, TV..~ inputs) => (T8 Y) T8: int8|uint8, TF: float, TV: "
       "float|int8|uint8",
       .infer = ox_ms_infer_q_concat, .kernel = ox_ms_run_q_concat),
    OP("QLinearConv", 1,
       "<auto_pad: string = \"NOTSET\", channels_last: int = 0, dilations: ints?, group: int = 1, "
       "kernel_shape: ints?, pads: ints?, strides: ints?>(T1 x, float x_scale, T1 x_zero_point, T2 w, float "
       "w_scale, T2 w_zero_point, float y_scale, T3 y_zero_point, T4? B) => (T3 y) T1: int8|uint8, T2: "
       "int8|uint8, T3: int8|uint8, T4: int32",
       .infer = infer_q_conv, .kernel = run_q_conv),
    OP("QLinearGlobalAveragePool", 1,
       "<channels_last: int = 0>(T X, float x_scale, T x_zero_point, float y_scale, T y_zero_point) => (T "
       "Y) T: int8|uint8",
       .infer = ox_ms_infer_q_global_average_pool, .kernel = ox_ms_run_q_global_average_pool),
    OP("QLinearLeakyRelu", 1,
       "<alpha: float = 0.01>(T X, float X_scale, T? X_zero_point, float Y_scale, T? Y_zero_point) => (T Y) "
       "T: int8|uint8",
       .infer = infer_first, .kernel = ox_ms_run_q_leaky_relu),
    OP("QLinearMul", 1,
       "(T A, float A_scale, T? A_zero_point, T B, float B_scale, T? B_zero_point, float C_scale, T? "
       "C_zero_point) => (T C) T: int8|uint8",
       .infer = infer_q_binary, .kernel = ox_ms_run_q_mul),
    OP("QLinearReduceMean", 1,
       "<axes: ints, keepdims: int>(T data, float data_scale, T? data_zero_point, float reduced_scale, T? "
       "reduced_zero_point) => (T reduced) T: int8|uint8",
       .infer = infer_q_mean, .kernel = ox_ms_run_q_mean),
    OP("QLinearSigmoid", 1,
       "(T X, float X_scale, T? X_zero_point, float Y_scale, T? Y_zero_point) => (T Y) T: int8|uint8",
       .infer = infer_first, .kernel = ox_ms_run_q_sigmoid),
    OP("QLinearSoftmax", 1,
       "<axis: int = -1, opset: int>(T X, float X_scale, T? x_zero_point, float y_scale, T y_zero_point) => "
       "(T Y) T: int8|uint8",
       .infer = infer_first, .kernel = ox_ms_run_q_softmax),
    OP("QLinearWhere", 1,
       "(B condition, T X, TF x_scale, T x_zero_point, T Y, TF y_scale, T y_zero_point, TF z_scale, T "
       "z_zero_point) => (T Z) B: bool, TF: float, T: int8|uint8",
       .infer = infer_q_where, .kernel = ox_ms_run_q_where),
    OP("QMoE", 1,
       "<accuracy_level: int = 0, activation_alpha: float = 1.0, activation_beta: float = 0.0, "
       "activation_type: string = \"relu\", block_size: int?, expert_weight_bits: int = 4, "
       "fc1_expert_weight_bits: int?, fc2_expert_weight_bits: int?, fc3_expert_weight_bits: int?, k: int = "
       "1, normalize_routing_weights: int = 0, quant_type: string = \"int\", swiglu_fusion: int = 0, "
       "swiglu_limit: float?, use_sparse_mixer: int = 0, weights_prepacked: int = -1>(T input, T "
       "router_probs, T1 fc1_experts_weights, T2? fc1_scales, T? fc1_experts_bias, T1 fc2_experts_weights, "
       "T2? fc2_scales, T? fc2_experts_bias, T1? fc3_experts_weights, T2? fc3_scales, T? fc3_experts_bias, "
       "T1? fc1_zero_points, T1? fc2_zero_points, T1? fc3_zero_points, T? router_weights, T4? "
       "fc1_global_scale, T4? fc2_global_scale, T4? fc1_act_scale, T4? fc2_act_scale, T2? "
       "fc1_act_block_scale, T2? fc2_act_block_scale) => (T output) T: bfloat16|float|float16, T1: "
       "float8e4m3fn|uint8, T2: bfloat16|float|float16|float8e4m3fn|float8e8m0, T4: float",
       .infer = infer_first),
    OP("QuantizeLinear", 1,
       "<axis: int = 1>(T1 x, T1 y_scale, T2? y_zero_point) => (T2 y) T1: float|float16, T2: "
       "int16|int4|int8|uint16|uint4|uint8",
       .flags = OX_QUANT, .infer = ox_infer_quantize, .kernel = ox_run_quantize),
    OP("QuickGelu", 1,
       "<alpha: float = 1.702>(T X) => (T Y) T: floats|bfloat16",
       .infer = infer_first, .kernel = ox_ms_run_quick_gelu),
    OP("RelativePositionBias", 1,
       "<is_bidirectional: int = 0, max_distance: int>(T bias_table, U query_length, U key_length) => (T "
       "output) T: float|float16, U: int64",
       .infer = infer_position_bias),
    OP("RotaryEmbedding", 1,
       "<interleaved: int?, is_packed_batching: int?, num_heads: int?, rotary_embedding_dim: int?, scale: "
       "float?>(T input, M position_ids, T cos_cache, T sin_cache) => (T output) T: bfloat16|float|float16, "
       "M: int64",
       .infer = infer_first, .kernel = ox_ms_run_rotary),
    OP("SkipGroupNorm", 1,
       "<activation: int, channels_last: int = 1, epsilon: float = 1e-05, groups: int>(T X, M gamma, M "
       "beta, T skip, T? bias) => (T Y, T? S) T: float|float16, M: float|float16",
       .infer = infer_first),
    OP("SkipLayerNormalization", 1,
       "<epsilon: float = 1e-12>(T input, T skip, T gamma, T? beta, T? bias) => (T output, U? mean, U? "
       "inv_std_var, T? input_skip_bias_sum) T: bfloat16|float|float16, U: float",
       .infer = infer_skip_norm, .kernel = ox_ms_run_skip_norm),
    OP("SkipSimplifiedLayerNormalization", 1,
       "<epsilon: float = 1e-12>(T input, T skip, T gamma, T? bias) => (T output, U? mean, U? inv_std_var, "
       "T? input_skip_bias_sum) T: bfloat16|float|float16, U: float",
       .infer = infer_skip_norm, .kernel = ox_ms_run_skip_simple_norm),
    OP("SparseAttention", 1,
       "<do_rotary: int?, kv_num_heads: int, num_heads: int, rotary_interleaved: int?, scale: float?, "
       "sparse_block_size: int>(T query, T? key, T? value, T past_key, T past_value, M block_row_indices, M "
       "block_col_indices, M total_sequence_length, M key_total_sequence_lengths, T? cos_cache, T? "
       "sin_cache) => (T output, T present_key, T present_value) T: bfloat16|float|float16, M: int32",
       .infer = infer_group_query),
    OP("Tokenizer", 1,
       "<mark: int, mincharnum: int, pad_value: string, separators: strings?, tokenexp: string?>(T X) => (T "
       "Y) T: string",
       .infer = infer_tokenizer, .kernel = ox_ms_run_tokenizer),
    OP("TransposeMatMul", 1,
       "<alpha: float = 1.0, transA: int = 0, transB: int = 0>(T A, T B) => (T Y) T: floats|bfloat16",
       .infer = ox_ms_infer_matmul, .kernel = ox_ms_run_matmul));

/* Under the standard's own domain, but not of the standard. */
OX_FAMILY(microsoft_core, "",
    OP("SimplifiedLayerNormalization", 1,
       "<axis: int = -1, epsilon: float = 1e-05, stash_type: int = 1>(T X, V scale) => (V Y, U? "
       "inv_std_var) T: floats|bfloat16, U: double|float, V: floats|bfloat16",
       .infer = infer_simple_norm, .kernel = ox_ms_run_simple_norm));
