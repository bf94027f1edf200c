/* Normalisations, and Dropout: rows, shape rules, steps between versions. Kernels: norm_kernels.c, dropout.c.
 *
 * Internal attributes made by steps: "__per_activation" (BatchNormalization: one scale per element, not per
 * channel), "__per_group" (GroupNormalization: one scale per group), "__mask_like_data" (Dropout: the mask has the
 * type of the data). */
#include "op/compute.h"

/* ---- BatchNormalization */

/* Before 14 the number of outputs tells training from inference; before 7 an attribute may say it, too. One that is not given says
 * nothing: its default is training, but with one output everybody took that for inference. */
static int lift_batch_norm_9(ox_call *c) {
    ox_lift_attr_int(c, "training_mode", ox_has(c, "is_test") ? ox_get_int(c, "is_test") == 0 : c->n_out > 1);
    ox_lift_drop(c, "is_test");
    return 0;
}

static int lift_batch_norm_7(ox_call *c) {
    if (ox_get_int(c, "spatial") == 0) ox_lift_attr_int(c, "__per_activation", 1);
    ox_lift_drop(c, "spatial");
    return 0;
}

static int infer_batch_norm(ox_call *c) {
    const ox_dim *x = ox_in_dims(c, 0);
    if (x && ox_in_rank(c, 0) < 1) return ox_fail(c->ctx, OX_BAD_DATA, "the input has no channels");
    ox_dim channels = x && ox_in_rank(c, 0) > 1 ? x[1] : NULL;
    for (int i = 1; i < 5; i++) {
        int64_t have, want;
        const ox_dim *d = ox_in_dims(c, i);
        if (!d || ox_get_int(c, "__per_activation")) continue;
        if (ox_in_rank(c, i) != 1) return ox_fail(c->ctx, OX_BAD_DATA, "input %d must have one element per channel", i);
        if (ox_dim_is_const(d[0], &have) && ox_dim_is_const(channels, &want) && have != want)
            return ox_fail(c->ctx, OX_BAD_DATA, "input %d has %" PRId64 " elements for %" PRId64 " channels", i, have,
                           want);
        if (!channels) channels = d[0];
    }
    ox_out_type(c, 0, ox_in_type(c, 0));
    for (int i = 1; i < c->n_out; i++) {
        if (ox_get_int(c, "__per_activation"))
            ox_out_type(c, i, ox_in_type(c, 3));
        else
            ox_out_tensor(c, i, ox_in_dtype(c, 3), 1, &channels);
    }
    return 0;
}

/* ---- normalisation of every instance, group or row */

static int infer_instance_norm(ox_call *c) {
    if (ox_in_rank(c, 0) >= 0 && ox_in_rank(c, 0) < 2) return ox_fail(c->ctx, OX_BAD_DATA, "the input has no channels");
    return ox_infer_same(c);
}

static int infer_group_norm(ox_call *c) {
    int64_t groups = ox_get_int(c, "num_groups"), channels;
    const ox_dim *x = ox_in_dims(c, 0);
    if (groups < 1) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'num_groups' is %" PRId64, groups);
    if (x && ox_in_rank(c, 0) < 2) return ox_fail(c->ctx, OX_BAD_DATA, "the input has no channels");
    if (x && ox_dim_is_const(x[1], &channels) && channels % groups)
        return ox_fail(c->ctx, OX_BAD_DATA, "%" PRId64 " channels cannot be cut into %" PRId64 " groups", channels,
                       groups);
    return ox_infer_same(c);
}

/* Before 21 there was one scale and bias per group. */
static int lift_group_norm(ox_call *c) {
    ox_lift_attr_int(c, "__per_group", 1);
    return 0;
}

static int infer_layer_norm(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t axis = rank >= 0 ? ox_axis(c, ox_get_int(c, "axis"), rank, "axis") : 0, stash = ox_get_int(c, "stash_type");
    const ox_dim *x = ox_in_dims(c, 0);
    if (axis < 0) return -1;
    if (stash != OX_FLOAT && stash != OX_BFLOAT16 && stash != OX_FLOAT16 && stash != OX_DOUBLE)
        return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'stash_type' is %" PRId64, stash);
    ox_out_type(c, 0, ox_in_type(c, 0));
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) dims[d] = d < axis ? x[d] : ox_dim_const(c->ctx, 1);
    ox_out_tensor(c, 1, (ox_dtype)stash, rank, dims);
    ox_out_tensor(c, 2, (ox_dtype)stash, rank, dims);
    return 0;
}

static int infer_rms_norm(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    if (rank >= 0 && ox_axis(c, ox_get_int(c, "axis"), rank, "axis") < 0) return -1;
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, ox_in_dims(c, 0));
    return 0;
}

static int infer_lrn(ox_call *c) {
    if (ox_get_int(c, "size") < 1) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'size' must be positive");
    return infer_instance_norm(c);
}

static int infer_mvn(ox_call *c) {
    int n, rank = ox_in_rank(c, 0);
    const int64_t *axes = ox_get_ints(c, "axes", &n);
    for (int i = 0; rank >= 0 && i < n; i++) {
        if (ox_axis(c, axes[i], rank, "axis") < 0) return -1;
    }
    return ox_infer_same(c);
}

/* ---- Dropout: before 12 the ratio was an attribute, and inference the only mode; before 10 the mask had the type
 * of the data */

static int lift_dropout_10(ox_call *c) {
    ox_lift_drop(c, "ratio");
    return 0;
}

static int lift_dropout_7(ox_call *c) {
    if (c->n_out > 1) ox_lift_attr_int(c, "__mask_like_data", 1);
    return 0;
}

/* Before 7 an attribute told training from inference. One that says training stays, as what nobody computes. */
static int lift_dropout_6(ox_call *c) {
    if (ox_get_int(c, "is_test")) ox_lift_drop(c, "is_test");
    return 0;
}

static int infer_dropout(ox_call *c) {
    ox_out_type(c, 0, ox_in_type(c, 0));
    ox_out_tensor(c, 1, ox_get_int(c, "__mask_like_data") ? ox_in_dtype(c, 0) : OX_BOOL, ox_in_rank(c, 0),
                  ox_in_dims(c, 0));
    return 0;
}

/* The experiment before opset 9. */
static int lift_mvn_1(ox_call *c) {
    static const int64_t all[] = {0, 1, 2, 3}, each[] = {0, 2, 3};
    bool across = ox_get_int(c, "across_channels") != 0;
    if (!ox_get_int(c, "normalize_variance")) return ox_fail(c->ctx, OX_UNAVAILABLE, "normalize_variance = 0 is not served");
    ox_lift_drop(c, "across_channels");
    ox_lift_drop(c, "normalize_variance");
    ox_lift_attr_ints(c, "axes", across ? 4 : 3, across ? all : each);
    return 0;
}

OX_FAMILY(norm, "",
    OP("BatchNormalization", 15,
       "<epsilon: float = 1e-05, momentum: float = 0.9, training_mode: int = 0>(T X, T1 scale, T1 B, T2 "
       "input_mean, T2 input_var) => (T Y, T2? running_mean, T2? running_var) T: floats|bfloat16, T1: "
       "floats|bfloat16, T2: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_batch_norm, .kernel = ox_run_batch_norm),
    OP("BatchNormalization", 14,
       "<epsilon: float = 1e-05, momentum: float = 0.9, training_mode: int = 0>(T X, T scale, T B, U "
       "input_mean, U input_var) => (T Y, U? running_mean, U? running_var) T: floats|bfloat16, U: "
       "floats|bfloat16"),
    OP("BatchNormalization", 9,
       "<epsilon: float = 1e-05, momentum: float = 0.9>(T X, T scale, T B, T mean, T var) => (T Y, T? "
       "mean, T? var, T? saved_mean, T? saved_var) T: floats",
       .lift = lift_batch_norm_9),
    OP("BatchNormalization", 7,
       "<epsilon: float = 1e-05, momentum: float = 0.9, spatial: int = 1>(T X, T scale, T B, T mean, T "
       "var) => (T Y, T? mean, T? var, T? saved_mean, T? saved_var) T: floats",
       .lift = lift_batch_norm_7),
    OP("BatchNormalization", 6,
       "<epsilon: float = 1e-05, is_test: int = 0, momentum: float = 0.9, spatial: int = 1>(T X, T "
       "scale, T B, T mean, T var) => (T Y, T? mean, T? var, T? saved_mean, T? saved_var) T: floats"),
    OP("BatchNormalization", 1,
       "<consumed_inputs: ints, epsilon: float = 1e-05, is_test: int = 0, momentum: float = 0.9, "
       "spatial: int = 1>(T X, T scale, T B, T mean, T var) => (T Y, T? mean, T? var, T? saved_mean, T? "
       "saved_var) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("InstanceNormalization", 22,
       "<epsilon: float = 1e-05>(T input, T scale, T B) => (T output) T: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_instance_norm, .kernel = ox_run_instance_norm),
    OP("InstanceNormalization", 6,
       "<epsilon: float = 1e-05>(T input, T scale, T B) => (T output) T: floats"),
    OP("InstanceNormalization", 1,
       "<consumed_inputs: ints?, epsilon: float = 1e-05>(T input, T scale, T B) => (T output) T: floats",
       .lift = ox_lift_consumed_inputs),
    OP("LayerNormalization", 17,
       "<axis: int = -1, epsilon: float = 1e-05, stash_type: int = 1>(T X, T Scale, T? B) => (T Y, U? "
       "Mean, U? InvStdDev) T: floats|bfloat16, U: bfloat16|float",
       .flags = OX_SAME_SHAPE, .infer = infer_layer_norm, .kernel = ox_run_layer_norm),
    OP("RMSNormalization", 23,
       "<axis: int = -1, epsilon: float = 1e-05, stash_type: int = 1>(T X, V scale) => (V Y) T: floats|"
       "bfloat16, V: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_rms_norm, .kernel = ox_run_rms_norm),
    OP("GroupNormalization", 21,
       "<epsilon: float = 1e-05, num_groups: int, stash_type: int = 1>(T X, T scale, T bias) => (T Y) "
       "T: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_group_norm, .kernel = ox_run_group_norm),
    OP("GroupNormalization", 18,
       "<epsilon: float = 1e-05, num_groups: int>(T X, T scale, T bias) => (T Y) T: floats|bfloat16",
       .lift = lift_group_norm),
    OP("LRN", 13,
       "<alpha: float = 1e-04, beta: float = 0.75, bias: float = 1.0, size: int>(T X) => (T Y) T: "
       "floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_lrn, .kernel = ox_run_lrn),
    OP("LRN", 1,
       "<alpha: float = 1e-04, beta: float = 0.75, bias: float = 1.0, size: int>(T X) => (T Y) T: floats"),
    OP("MeanVarianceNormalization", 13,
       "<axes: ints = [0, 2, 3]>(T X) => (T Y) T: floats|bfloat16",
       .flags = OX_SAME_SHAPE, .infer = infer_mvn, .kernel = ox_run_mvn),
    OP("MeanVarianceNormalization", 9,
       "<axes: ints = [0, 2, 3]>(T X) => (T Y) T: floats"),
    OP("MeanVarianceNormalization", 1,
       "<across_channels: int = 0, normalize_variance: int = 1>(T X) => (T Y) T: floats",
       .lift = lift_mvn_1),
    OP("Dropout", 22,
       "<seed: int?>(T data, T1? ratio, T2? training_mode) => (T output, T2? mask) T: floats|fp8|"
       "bfloat16, T1: floats|fp8|bfloat16, T2: bool",
       .flags = OX_SAME_SHAPE | OX_TRAINS, .infer = infer_dropout, .kernel = ox_run_dropout),
    OP("Dropout", 13,
       "<seed: int?>(T data, T1? ratio, T2? training_mode) => (T output, T2? mask) T: floats|bfloat16, "
       "T1: floats, T2: bool"),
    OP("Dropout", 12,
       "<seed: int?>(T data, T1? ratio, T2? training_mode) => (T output, T2? mask) T: floats, T1: "
       "floats, T2: bool"),
    OP("Dropout", 10,
       "<ratio: float = 0.5>(T data) => (T output, T1? mask) T: floats, T1: bool",
       .lift = lift_dropout_10),
    OP("Dropout", 7,
       "<ratio: float = 0.5>(T data) => (T output, T? mask) T: floats",
       .lift = lift_dropout_7),
    OP("Dropout", 6,
       "<is_test: int = 0, ratio: float = 0.5>(T data) => (T output, T? mask) T: floats",
       .lift = lift_dropout_6),
    OP("Dropout", 1,
       "<consumed_inputs: ints?, is_test: int = 0, ratio: float = 0.5>(T data) => (T output, T? mask) "
       "T: floats",
       .lift = ox_lift_consumed_inputs));
