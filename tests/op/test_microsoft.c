/* Operators of com.microsoft, those that the standard gave up, and those of its previews, on numbers that can be worked out by hand: results,
 * shapes that inference promises, and inputs that cannot be. ONNX Runtime's word on the same operators: tests/judge/operators.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "exec/exec.h"
#include "onnx/onnx.h"

typedef struct example {
    const char *type;  /* of y, as inference must give it ("" when it cannot know) */
    const char *init;  /* initializers */
    const char *node;  /* the call */
    const char *words; /* of the error; NULL: it runs */
    double y[12];
    int opset;
} example;

static const example examples[] = {
    /* weights of 4 bits: codes 8 and 9 around a zero point of 8 */
    {"float[1,1]", "float[1,16] a = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, uint8[1,1,8] b = {152,152,152,152,152,152,152,152}, float[1] s = {0.5}",
     "com.microsoft.MatMulNBits <K = 16, N = 1, bits = 4, block_size = 16> (a, b, s)", NULL, {4}, 0},
    {"float[1,1]", "float[1,16] a = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, uint8[1,1,8] b = {152,152,152,152,152,152,152,152}, float[1] s = {0.5}, uint8[1,1] z = {9}",
     "com.microsoft.MatMulNBits <K = 16, N = 1, bits = 4, block_size = 16> (a, b, s, z)", NULL, {-4}, 0},
    {"", "float[1,16] a = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, uint8[1,1,7] b = {1,2,3,4,5,6,7}, float[1] s = {0.5}",
     "com.microsoft.MatMulNBits <K = 16, N = 1, bits = 4, block_size = 16> (a, b, s)", "do not fit K and N", {0}, 0},
    {"", "float[1,16] a = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, uint8[1,1,8] b = {1,2,3,4,5,6,7,8}, float[1] s = {0.5}, int32[16] g = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,9}",
     "com.microsoft.MatMulNBits <K = 16, N = 1, bits = 4, block_size = 16> (a, b, s, , g)", "g_idx", {0}, 0},
    /* a row that is not there is zeros */
    {"", "uint8[2,2] d = {0,1,2,3}, int64[2] i = {1,7}, float[2,1] s = {2,3}", "com.microsoft.GatherBlockQuantized <bits = 8, block_size = 16> (d, i, s)", NULL,
     {-378, -375, 0, 0}, 0},
    /* one key: the value comes back */
    {"float[1,1,2]", "float[1,1,2] x = {1,2}, float[2,6] w = {1,0,1,0,5,6,0,1,0,1,7,8}, float[6] b = {0,0,0,0,1,1}", "com.microsoft.Attention <num_heads = 1> (x, w, b)", NULL,
     {20, 23}, 0},
    {"", "float[1,1,2] x = {1,2}, float[2,6] w = {1,0,1,0,5,6,0,1,0,1,7,8}", "com.microsoft.Attention <num_heads = 4> (x, w)", "cut into heads", {0}, 0},
    /* two keys that are alike: the mean of the values, of the first one under a causal mask */
    {"float[1,2,1]", "float[1,2,1] q = {1,1}, float[1,2,1] k = {1,1}, float[1,2,1] v = {2,4}", "com.microsoft.MultiHeadAttention <num_heads = 1> (q, k, v)", NULL, {3, 3}, 0},
    {"float[1,2,1]", "float[1,2,1] q = {1,1}, float[1,2,1] k = {1,1}, float[1,2,1] v = {2,4}", "com.microsoft.MultiHeadAttention <num_heads = 1, unidirectional = 1> (q, k, v)",
     NULL, {2, 3}, 0},
    {"", "float[1,2,1] q = {1,1}, float[1,2,1] k = {1,1}, float[1,3,1] v = {2,4,5}", "com.microsoft.MultiHeadAttention <num_heads = 1> (q, k, v)", "do not fit", {0}, 0},
    /* a cache with room: one key is there, one comes; a window of one sees itself alone */
    {"float[1,1,1]", "float[1,1,1] q = {1}, float[1,1,1] k = {0}, float[1,1,1] v = {4}, float[1,1,3,1] pk = {0,9,9}, float[1,1,3,1] pv = {2,9,9}, int32[1] n = {1}, int32 t = {2}",
     "com.microsoft.GroupQueryAttention <num_heads = 1, kv_num_heads = 1> (q, k, v, pk, pv, n, t)", NULL, {3}, 0},
    {"float[1,1,1]", "float[1,1,1] q = {1}, float[1,1,1] k = {0}, float[1,1,1] v = {4}, float[1,1,3,1] pk = {0,9,9}, float[1,1,3,1] pv = {2,9,9}, int32[1] n = {1}, int32 t = {2}",
     "com.microsoft.GroupQueryAttention <num_heads = 1, kv_num_heads = 1, local_window_size = 1> (q, k, v, pk, pv, n, t)", NULL, {4}, 0},
    {"", "float[1,1,1] q = {1}, float[1,1,1] k = {0}, float[1,1,1] v = {4}, float[1,1,3,1] pk = {0,9,9}, float[1,1,3,1] pv = {2,9,9}, int32[1] n = {9}, int32 t = {2}",
     "com.microsoft.GroupQueryAttention <num_heads = 1, kv_num_heads = 1> (q, k, v, pk, pv, n, t)", "seqlens_k", {0}, 0},
    /* a quarter of a turn */
    {"float[1,1,4]", "float[1,1,4] x = {1,2,3,4}, int64[1] p = {0}, float[1,2] c = {0,0}, float[1,2] s = {1,1}", "com.microsoft.RotaryEmbedding (x, p, c, s)", NULL, {-3, -4, 1, 2}, 0},
    {"float[1,1,4]", "float[1,1,4] x = {1,2,3,4}, int64[1] p = {0}, float[1,2] c = {0,0}, float[1,2] s = {1,1}", "com.microsoft.RotaryEmbedding <interleaved = 1> (x, p, c, s)",
     NULL, {-2, 1, -4, 3}, 0},
    {"", "float[1,1,4] x = {1,2,3,4}, int64[1] p = {5}, float[1,2] c = {0,0}, float[1,2] s = {1,1}", "com.microsoft.RotaryEmbedding (x, p, c, s)", "positions", {0}, 0},
    /* activations */
    {"float[1,1,3]", "float[1,1,3] x = {-1,2,5}, float[1,1,1] w = {2}, float[1] b = {1}, float[1,1,3] z = {0,0,-20}", "com.microsoft.FusedConv <activation = \"Relu\"> (x, w, b, z)",
     NULL, {0, 5, 0}, 0},
    {"", "float[1,1,3] x = {-1,2,5}, float[1,1,1] w = {2}", "com.microsoft.FusedConv <activation = \"Erf\"> (x, w)", "activation 'Erf'", {0}, 0},
    {"float[1,2]", "float[1,2] a = {1,2}, float[2,2] b = {1,-1,1,-1}", "com.microsoft.FusedGemm <activation = \"LeakyRelu\", activation_alpha = 0.5> (a, b)", NULL, {3, -1.5}, 0},
    {"", "float[2,1,2] a = {1,2,3,4}, float[2,2] b = {1,0,0,1}", "com.microsoft.FusedMatMul <transBatchA = 1> (a, b)", NULL, {1, 2, 3, 4}, 0},
    {"uint8[1,1,2,1]", "uint8[1,2,2,1] x = {1,9,3,4}", "com.microsoft.NhwcMaxPool <kernel_shape = [2, 1]> (x)", NULL, {3, 9}, 0},
    {"float[1,1,2]", "float[1,1,4] x = {1,2,0,0}, float[4] b = {1,1,0,0}", "com.microsoft.BiasSplitGelu (x, b)", NULL, {0, 0}, 0},
    {"float[1,2]", "float[1,2] x = {0,0}, float[1,2] b = {0,0}", "com.microsoft.BiasSoftmax <axis = 1, is_inner_broadcast = 0> (x, b)", NULL, {0.5, 0.5}, 0},
    /* embeddings: two numbers become minus one and one */
    {"float[1,1,2]", "int32[1,1] i = {1}, float[2,2] w = {0,0,1,5}, float[1,2] p = {0,0}, float[2] g = {1,2}, float[2] b = {0,1}",
     "com.microsoft.EmbedLayerNormalization (i, , w, p, , g, b)", NULL, {-1, 3}, 0},
    {"", "int32[1,1] i = {2}, float[2,2] w = {0,0,1,5}, float[1,2] p = {0,0}, float[2] g = {1,2}, float[2] b = {0,1}",
     "com.microsoft.EmbedLayerNormalization (i, , w, p, , g, b)", "row 2", {0}, 0},
    /* 8 bits */
    {"float[1,1]", "uint8[1,2] a = {1,3}, float as = {0.5}, uint8 az = {1}, uint8[2,1] b = {7,4}, float bs = {2}, uint8 bz = {0}, int32[1] c = {2}",
     "com.microsoft.QGemm (a, as, az, b, bs, bz, c)", NULL, {10}, 0},
    {"uint8[1,1]", "uint8[1,2] a = {1,3}, float as = {0.5}, uint8 az = {1}, uint8[2,1] b = {7,4}, float bs = {2}, uint8 bz = {0}, float ys = {2}, uint8 yz = {3}",
     "com.microsoft.QGemm (a, as, az, b, bs, bz, , ys, yz)", NULL, {7}, 0},
    {"int32[2]", "uint8[2] a = {5,6}, uint8 az = {4}, uint8[2] b = {2,3}", "com.microsoft.MulInteger (a, az, b)", NULL, {2, 6}, 0},
    {"uint8[1,1]", "uint8[1,2] x = {2,6}, float s = {0.5}, uint8 z = {0}, float ys = {1}, uint8 yz = {1}", "com.microsoft.QLinearReduceMean <axes = [1], keepdims = 1> (x, s, z, ys, yz)",
     NULL, {3}, 0},
    {"float[1,1]", "float[1,2] a = {0,255}, uint8[2,1] b = {1,2}, float s = {0.5}", "com.microsoft.DynamicQuantizeMatMul (a, b, s)", NULL, {255}, 0},
    /* small ones; the hash is that of published test vectors */
    {"float[2,2]", "float[2,2] x = {2,0,0,4}", "com.microsoft.Inverse (x)", NULL, {0.5, 0, 0, 0.25}, 0},
    {"", "float[2,2] x = {1,2,2,4}", "com.microsoft.Inverse (x)", "no inverse", {0}, 0},
    {"uint32[1]", "string[1] x = {\"hello\"}", "com.microsoft.MurmurHash3 (x)", NULL, {613153351}, 0},
    {"float[1,1]", "float[1,2] a = {0,0}, float[1,2] b = {3,4}", "com.microsoft.CDist <metric = \"euclidean\"> (a, b)", NULL, {5}, 0},
    {"", "float[1,2] a = {0,0}, float[1,2] b = {3,4}", "com.microsoft.CDist <metric = \"cosine\"> (a, b)", "cosine", {0}, 0},
    {"float[1,3]", "float[3] x = {1,2,3}, int32 a = {0}", "com.microsoft.ExpandDims (x, a)", NULL, {1, 2, 3}, 0},
    {"", "float[4] x = {1,2,3,4}", "com.microsoft.UnfoldTensor <size = 2, step = 2> (x)", NULL, {1, 2, 3, 4}, 0},
    {"float[1,2]", "int64[1,3] i = {0,1,0}, float[1,2] s = {1,2}", "com.microsoft.NGramRepeatBlock <ngram_size = 2> (i, s)", NULL, {1, -INFINITY}, 0},
    {"float[1,1,1,1]", "float[1,1,2,2] x = {1,2,3,4}, float[1,4] b = {0,0,1,1}, int32[1] i = {0}, int32[2] s = {1,1}", "com.microsoft.CropAndResize (x, b, i, s)", NULL, {2.5}, 0},
    /* what the standard gave up */
    {"float[2]", "float[2] x = {1,2}", "Affine <alpha = 2.0, beta = 1.0> (x)", NULL, {3, 5}, 7},
    {"float[1,1,1,2]", "float[1,1,2,3] x = {1,2,3,4,5,6}", "Crop <border = [1, 1, 0, 0]> (x)", NULL, {5, 6}, 7},
    {"float[1,1,1,1]", "float[1,1,2,3] x = {1,2,3,4,5,6}", "Crop <border = [1, 0, 0, 0], scale = [1, 1]> (x)", NULL, {2}, 7},
    {"", "float[1,1,2,3] x = {1,2,3,4,5,6}", "Crop <border = [1, 1, 9, 0]> (x)", "do not fit the image", {0}, 7},
    {"float[1,2,1,1]", "float[1,2,1,1] x = {1,2}", "ImageScaler <scale = 2.0, bias = [1.0, 2.0]> (x)", NULL, {3, 6}, 7},
    {"", "int64[1] s = {2}", "GivenTensorFill <input_as_shape = 1, values = [1.0, 2.0]> (s)", NULL, {1, 2}, 7},
    {"float[1]", "float[1] x = {0}", "ParametricSoftplus <alpha = 2.0, beta = 1.0> (x)", NULL, {1.3862943611}, 7},
    /* previews */
    {"float[1,1,1,1]", "float[1,1,1,1] q = {1}, float[1,1,2,1] k = {1,1}, float[1,1,2,1] v = {2,4}",
     "ai.onnx.preview.FlexAttention <prob_mod: graph = b (float[1,1,1,2] p) => (float[1,1,1,2] o) { o = Add (p, p) }> (q, k, v)", NULL, {6}, 0},
    {"", "float[1,1,1,1] q = {1}, float[1,1,2,1] k = {1,1}, float[1,1,2,1] v = {2,4}",
     "ai.onnx.preview.FlexAttention <score_mod: graph = b (float[1,1,1,2] p) => (float[1,1,1,1] o) { o = ReduceSum (p) }> (q, k, v)", "another shape", {0}, 0},
    {"", "float r = {0.1}, int64 t = {0}, float[1] x = {1}, float[1] g = {2}, float[1] h = {3}",
     "ai.onnx.preview.training.Momentum <alpha = 0.5, beta = 9.0, mode = \"standard\", norm_coefficient = 1.0> (r, t, x, g, h)", NULL, {0.55}, 0},
};

static ox_model *model_of(ox_ctx *ctx, const example *e) {
    char text[4096];
    const char *type = e->type[0] ? e->type : "float[]";
    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": %d, \"com.microsoft\": 1, \"ai.onnx.preview\": 1, \"ai.onnx.preview.training\": 1]> g () => (%s y) <%s> { y = %s }",
             e->opset ? e->opset : 21, type, e->init, e->node);
    ox_model *m = ox_model_parse(ctx, text, strlen(text), "test");
    if (!m) fail_msg("%s: %s", e->node, ox_error_text(ctx));
    return m;
}

static void check_result(ox_ctx *ctx, const example *e, const ox_tensor *t) {
    if (e->type[0]) {
        char is[256];
        int n = snprintf(is, sizeof is, "%s", ox_dtype_name(t->dtype));
        for (int i = 0; i < t->rank; i++) n += snprintf(is + n, sizeof is - (size_t)n, "%s%ld%s", i ? "," : "[", (long)t->dims[i], i == t->rank - 1 ? "]" : "");
        if (strcmp(is, e->type)) fail_msg("%s: %s, not %s", e->node, is, e->type);
    }
    for (int64_t i = 0; i < t->count && i < 12; i++) {
        double got = ox_load_double(t->dtype, ox_tensor_data(t), i);
        if (got != e->y[i] && !(fabs(got - e->y[i]) <= 1e-5 * (1 + fabs(e->y[i])))) fail_msg("%s: element %d is %g, not %g", e->node, (int)i, got, e->y[i]);
    }
    (void)ctx;
}

static void test_examples(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        const example *e = &examples[i];
        ox_ctx *ctx = ox_ctx_new();
        ox_model *m = model_of(ctx, e);
        int inferred = ox_infer_model(m, &(ox_infer_options){.strict = true});
        ox_value *y = m->graph->first->out[0];
        if (e->type[0] && (inferred || strcmp(ox_type_text(ctx->arena, y->type), e->type)))
            fail_msg("%s: %s", e->node, inferred ? ox_error_text(ctx) : ox_type_text(ctx->arena, y->type));
        ox_rt *out = NULL;
        ox_frame *f = inferred ? NULL : ox_frame_new(m);
        int rc = f ? ox_frame_run(f, NULL, &out) : -1;
        if (e->words && (rc == 0 || !strstr(ox_error_text(ctx), e->words))) fail_msg("%s: \"%s\" without '%s'", e->node, ox_error_text(ctx), e->words);
        if (!e->words && rc) fail_msg("%s: %s", e->node, ox_error_text(ctx));
        if (!e->words) check_result(ctx, e, out->t);
        ox_rt_unref(out);
        ox_frame_free(f);
        ox_model_free(m);
        ox_ctx_free(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests_name("microsoft", tests, NULL, NULL);
}
