/* The ai.onnx.ml domain: rows, what the family shares, and operators that work on single features. Maps, linear
 * models, support vectors and trees have files of their own. */
#include "op/ml.h"

#include <math.h>

/* ------------------------------------------------------------------------------------------------ scores */

int ox_ml_post_of(ox_call *c) {
    static const char *const names[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    const char *s = ox_get_string(c, "post_transform");
    if (!*s) return OX_ML_NONE;
    for (int i = 0; i < 5; i++)
        if (!strcmp(s, names[i])) return i;
    return ox_fail(c->ctx, OX_BAD_DATA, "post_transform '%s' is unknown", s);
}

float ox_ml_logistic(float v) {
    float p = 1 / (1 + expf(-fabsf(v)));
    return v < 0 ? 1 - p : p;
}

/* The inverse of the normal distribution's integral, by the usual approximation of the inverse error function. */
static float probit(float v) {
    float x = 2 * v - 1, sign = x < 0 ? -1.0f : 1.0f, log = logf((1 - x) * (1 + x));
    float a = 2 / (3.14159f * 0.147f) + 0.5f * log;
    return 1.41421356f * sign * sqrtf(-a + sqrtf(a * a - log / 0.147f));
}

/* Softmax; with `zeros` a score of zero keeps its distance instead of counting as one. */
static void softmax(float *v, int64_t n, bool zeros) {
    float max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) max = v[i] > max ? v[i] : max;
    float low = expf(-max);
    for (int64_t i = 0; i < n; i++) {
        bool zero = zeros && fabsf(v[i]) <= 1e-7f;
        v[i] = zero ? v[i] * low : expf(v[i] - max);
        sum += v[i];
    }
    for (int64_t i = 0; i < n; i++) v[i] = sum != 0 ? v[i] / sum : 0.5f;
}

void ox_ml_post_apply(ox_ml_post post, float *v, int64_t n) {
    if (post == OX_ML_SOFTMAX || post == OX_ML_SOFTMAX_ZERO) softmax(v, n, post == OX_ML_SOFTMAX_ZERO);
    for (int64_t i = 0; i < n; i++) {
        if (post == OX_ML_LOGISTIC) v[i] = ox_ml_logistic(v[i]);
        if (post == OX_ML_PROBIT) v[i] = probit(v[i]);
    }
}

void ox_ml_post_two(ox_ml_post post, float *v, int second) {
    v[1] = v[0];
    if (second == 1) {
        v[0] = 1 - v[1];
    } else {
        v[0] = -v[1];
        ox_ml_post_apply(post, v, 2);
    }
}

/* ------------------------------------------------------------------------------------------------ labels, samples */

const ox_str *ox_ml_strings(const ox_call *c, const char *name, int64_t *n) {
    const ox_attr *a = ox_get_attr(c, name);
    *n = a && a->type == OX_A_STRINGS ? (int64_t)a->n : 0;
    return *n ? a->ss : NULL;
}

void ox_ml_labels_of(const ox_call *c, const char *ints, const char *strings, ox_ml_labels *l) {
    int n;
    l->strings = ox_ml_strings(c, strings, &l->n);
    l->ints = l->strings ? NULL : ox_get_ints(c, ints, &n);
    if (!l->strings) l->n = l->ints ? n : 0;
}

ox_dtype ox_ml_labels_type(const ox_ml_labels *l) { return l->strings ? OX_STRING : OX_INT64; }

int ox_ml_label(ox_run *r, ox_tensor *out, int64_t i, const ox_ml_labels *l, int64_t k) {
    if (l->n && (k < 0 || k >= l->n))
        return ox_fail(r->ctx, OX_BAD_DATA, "class %lld of %lld labels", (long long)k, (long long)l->n);
    if (l->strings) return ox_tensor_set_str(out, i, l->strings[k].data, l->strings[k].len);
    ((int64_t *)ox_tensor_mut(out))[i] = l->n ? l->ints[k] : k;
    return 0;
}

const float *ox_ml_samples(ox_run *r, int64_t *n, int64_t *features) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x || x->rank < 1 || x->rank > 2) {
        ox_fail(r->ctx, OX_BAD_DATA, "X is not a table of samples and features");
        return NULL;
    }
    *n = x->rank == 2 ? x->dims[0] : 1;
    *features = x->dims[x->rank - 1];
    return x->dtype == OX_STRING ? (ox_kernel_no_type(r, x->dtype), NULL) : ox_as_floats(r, x);
}

ox_dim ox_ml_sample_dim(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    return rank == 2 ? ox_in_dims(c, 0)[0] : rank == 1 ? ox_dim_const(c->ctx, 1) : NULL;
}

/* ------------------------------------------------------------------------------------------------ one feature at a
 * time */

static int infer_float(ox_call *c) {
    ox_out_tensor(c, 0, OX_FLOAT, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

static int run_binarizer(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    const double *v = x ? ox_as_doubles(r, x) : NULL;
    ox_tensor *y = v ? ox_output(r, 0, x->dtype, x->rank, x->dims) : NULL;
    double limit = ox_get_float(r->call, "threshold");
    for (int64_t i = 0; y && i < x->count; i++) ox_store_int(y->dtype, ox_tensor_mut(y), i, v[i] > limit);
    return y ? 0 : -1;
}

/* Columns by which a per-feature list is found: the list has one entry or one per feature. -1 after ox_fail. */
static int64_t per_feature(ox_run *r, const ox_tensor *x, int64_t n, const char *what) {
    int64_t features = x->rank ? x->dims[x->rank - 1] : 1;
    if (n == 1) return 1;
    if (n > 0 && n == features) return n;
    return ox_fail(r->ctx, OX_BAD_DATA, "%s has %lld entries for %lld features", what, (long long)n,
                   (long long)features);
}

static int run_scaler(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int n_offset, n_scale;
    const float *offset = ox_get_floats(r->call, "offset", &n_offset),
                *scale = ox_get_floats(r->call, "scale", &n_scale);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    int64_t po = per_feature(r, x, n_offset, "offset"), ps = po < 0 ? -1 : per_feature(r, x, n_scale, "scale");
    const float *v = ps < 0 ? NULL : ox_as_floats(r, x);
    ox_tensor *y = v ? ox_output(r, 0, OX_FLOAT, x->rank, x->dims) : NULL;
    if (!y) return -1;
    float *out = ox_tensor_mut(y);
    for (int64_t i = 0; i < x->count; i++) out[i] = (v[i] - offset[i % po]) * scale[i % ps];
    return 0;
}

static int run_normalizer(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    const char *norm = ox_get_string(r->call, "norm");
    int kind = !strcmp(norm, "MAX") ? 0 : !strcmp(norm, "L1") ? 1 : !strcmp(norm, "L2") ? 2 : -1;
    const float *v = x ? ox_as_floats(r, x) : NULL;
    if (!v) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    if (kind < 0) return ox_fail(r->ctx, OX_BAD_DATA, "norm '%s' is unknown", norm);
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, x->rank, x->dims);
    if (!y) return -1;
    float *out = ox_tensor_mut(y);
    int64_t rows = x->rank > 1 ? x->dims[0] : 1, width = rows ? x->count / rows : 0;
    for (int64_t row = 0; row < rows; row++, v += width, out += width) {
        float by = kind ? 0 : -INFINITY;
        for (int64_t i = 0; i < width; i++)
            by = kind == 0 ? fmaxf(by, v[i]) : kind == 1 ? by + fabsf(v[i]) : by + v[i] * v[i];
        if (kind == 2) by = sqrtf(by);
        for (int64_t i = 0; i < width; i++) out[i] = by != 0 ? v[i] / by : v[i];
    }
    return 0;
}

static int run_imputer(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    ox_call *c = r->call;
    int nf, ni;
    const float *fs = ox_get_floats(c, "imputed_value_floats", &nf);
    const int64_t *is = ox_get_ints(c, "imputed_value_int64s", &ni);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    bool real = ox_dtype_is_float(x->dtype);
    if (real ? !fs : !is) return ox_fail(r->ctx, OX_BAD_DATA, "no imputed values for %s", ox_dtype_name(x->dtype));
    int64_t n = per_feature(r, x, real ? nf : ni, "the list of imputed values");
    const void *data = n < 0 ? NULL : ox_tensor_data(x);
    ox_tensor *y = data ? ox_output(r, 0, x->dtype, x->rank, x->dims) : NULL;
    if (!y) return -1;
    double lost = ox_get_float(c, "replaced_value_float");
    int64_t lost_int = ox_get_int(c, "replaced_value_int64");
    void *out = ox_tensor_mut(y);
    for (int64_t i = 0; i < x->count; i++) {
        if (real) {
            double v = ox_load_double(x->dtype, data, i);
            ox_store_double(x->dtype, out, i, v == lost || (isnan(v) && isnan(lost)) ? (double)fs[i % n] : v);
        } else {
            int64_t v = ox_load_int(x->dtype, data, i);
            ox_store_int(x->dtype, out, i, v == lost_int ? is[i % n] : v);
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ features joined,
 * picked */

static int infer_feature_vectorizer(ox_call *c) {
    int n;
    const int64_t *widths = ox_get_ints(c, "inputdimensions", &n);
    ox_dim d[2] = {ox_ml_sample_dim(c), ox_dim_const(c->ctx, 0)};
    for (int i = 0; i < c->n_in; i++) {
        int rank = ox_in_rank(c, i);
        ox_dim w = widths && i < n ? ox_dim_const(c->ctx, widths[i]) : rank > 0 ? ox_in_dims(c, i)[rank - 1] : NULL;
        d[1] = ox_dim_add(c->ctx, d[1], w);
    }
    ox_out_tensor(c, 0, OX_FLOAT, 2, d);
    return 0;
}

static int run_feature_vectorizer(ox_run *r) {
    int n, k = r->call->n_in;
    const int64_t *widths = ox_get_ints(r->call, "inputdimensions", &n);
    int64_t dims[2] = {0, 0}, *width = OX_NEW_N(r->arena, int64_t, k + 1), at = 0;
    for (int i = 0; i < k; i++) {
        const ox_tensor *x = ox_input(r, i);
        if (!x || x->rank < 1 || x->dtype == OX_STRING) return ox_fail(r->ctx, OX_BAD_DATA, "input %d is no table", i);
        int64_t rows = x->rank > 1 ? x->dims[0] : 1;
        if (i && rows != dims[0]) return ox_fail(r->ctx, OX_BAD_DATA, "inputs differ in their number of samples");
        dims[0] = rows;
        width[i] = widths && i < n ? widths[i] : rows ? x->count / rows : 0;
        if (width[i] < 0 || !ox_add_ok(dims[1], width[i], &dims[1]))
            return ox_fail(r->ctx, OX_BAD_DATA, "inputdimensions holds %lld", (long long)width[i]);
    }
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 2, dims);
    float *out = y ? ox_tensor_mut(y) : NULL;
    for (int i = 0; i < k && out; i++) {
        const ox_tensor *x = ox_input(r, i);
        const float *v = ox_as_floats(r, x);
        if (!v) return -1;
        int64_t have = dims[0] ? x->count / dims[0] : 0; /* fewer are filled with zeros, more are cut */
        for (int64_t row = 0; row < dims[0]; row++)
            for (int64_t f = 0; f < width[i]; f++) out[row * dims[1] + at + f] = f < have ? v[row * have + f] : 0;
        at += width[i];
    }
    return out ? 0 : -1;
}

static int infer_extractor(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *d = ox_in_dims(c, 1);
    ox_dim n = d ? ox_mv_dim_product(c->ctx, ox_in_rank(c, 1), d) : NULL;
    if (rank < 1) {
        ox_out_tensor(c, 0, ox_in_dtype(c, 0), -1, NULL);
        return 0;
    }
    ox_dim *out = ox_mv_no_dims(c, rank + 1);
    out[0] = ox_dim_const(c->ctx, 1);
    for (int i = 0; i < rank - 1; i++) out[i] = ox_in_dims(c, 0)[i];
    out[rank == 1 ? 1 : rank - 1] = n;
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), rank == 1 ? 2 : rank, out);
    return 0;
}

static int run_extractor(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t n;
    const int64_t *at = ox_run_ints(r, 1, &n);
    if (!x || !at) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    if (x->rank < 1) return ox_fail(r->ctx, OX_BAD_DATA, "X is a scalar");
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1), width = x->dims[x->rank - 1];
    dims[0] = 1;
    for (int i = 0; i < x->rank - 1; i++) dims[i] = x->dims[i];
    dims[x->rank == 1 ? 1 : x->rank - 1] = n;
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, x->rank == 1 ? 2 : x->rank, dims, &o)) return -1;
    char *to = o.data;
    for (int64_t row = 0; row * width < x->count; row++)
        for (int64_t i = 0; i < n; i++, to += o.size) {
            if (at[i] < 0 || at[i] >= width)
                return ox_fail(r->ctx, OX_BAD_DATA, "feature %lld of %lld", (long long)at[i], (long long)width);
            memcpy(to, from + (size_t)(row * width + at[i]) * o.size, o.size);
        }
    return ox_mv_done(r, &o);
}

/* ------------------------------------------------------------------------------------------------ OneHotEncoder */

static int infer_one_hot(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_ml_labels l;
    ox_ml_labels_of(c, "cats_int64s", "cats_strings", &l);
    ox_dim *out = ox_mv_no_dims(c, rank + 1);
    for (int i = 0; i < rank; i++) out[i] = ox_in_dims(c, 0)[i];
    if (rank >= 0) out[rank] = ox_dim_const(c->ctx, l.n);
    ox_out_tensor(c, 0, OX_FLOAT, rank < 0 ? -1 : rank + 1, out);
    return 0;
}

static int64_t find_category(const ox_tensor *x, const void *data, int64_t i, const ox_ml_labels *l) {
    if (l->strings) {
        const ox_str *s = (const ox_str *)data + i;
        for (int64_t k = 0; k < l->n; k++)
            if (l->strings[k].len == s->len && (!s->len || !memcmp(l->strings[k].data, s->data, s->len))) return k;
        return -1;
    }
    int64_t v = ox_load_int(x->dtype, data, i);
    for (int64_t k = 0; k < l->n; k++)
        if (l->ints[k] == v) return k;
    return -1;
}

static int run_one_hot(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    const void *data = x ? ox_tensor_data(x) : NULL;
    ox_ml_labels l;
    ox_ml_labels_of(r->call, "cats_int64s", "cats_strings", &l);
    if (!data) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    if ((x->dtype == OX_STRING) != (l.strings != NULL))
        return ox_fail(r->ctx, OX_BAD_DATA, "no categories for %s", ox_dtype_name(x->dtype));
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1);
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
    dims[x->rank] = l.n;
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, x->rank + 1, dims);
    if (!y) return -1;
    float *out = ox_tensor_mut(y);
    memset(out, 0, (size_t)y->bytes);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t k = find_category(x, data, i, &l);
        if (k >= 0) out[i * l.n + k] = 1;
        else if (!ox_get_int(r->call, "zeros"))
            return ox_fail(r->ctx, OX_BAD_DATA, "element %lld is of no category", (long long)i);
    }
    return 0;
}

OX_FAMILY(ml, "ai.onnx.ml",
    OP("ArrayFeatureExtractor", 1,
       "(T X, int64 Y) => (T Z) T: double|float|int32|int64|string",
       .infer = infer_extractor, .kernel = run_extractor),
    OP("Binarizer", 1,
       "<threshold: float = 0.0>(T X) => (T Y) T: double|float|int32|int64",
       .infer = ox_infer_same, .kernel = run_binarizer),
    OP("CastMap", 1,
       "<cast_to: string = \"TO_FLOAT\", map_form: string = \"DENSE\", max_map: int = 1>(T1 X) => (T2 "
       "Y) T1: map(int64, float)|map(int64, string), T2: float|int64|string",
       .infer = ox_infer_cast_map, .kernel = ox_run_cast_map),
    OP("CategoryMapper", 1,
       "<cats_int64s: ints?, cats_strings: strings?, default_int64: int = -1, default_string: string = "
       "\"_Unused\">(T1 X) => (T2 Y) T1: int64|string, T2: int64|string",
       .infer = ox_infer_category_mapper, .kernel = ox_run_category_mapper),
    OP("DictVectorizer", 1,
       "<int64_vocabulary: ints?, string_vocabulary: strings?>(T1 X) => (T2 Y) T1: map(int64, double)|"
       "map(int64, float)|map(int64, string)|map(string, double)|map(string, float)|map(string, int64), "
       "T2: double|float|int64|string",
       .infer = ox_infer_dict_vectorizer, .kernel = ox_run_dict_vectorizer),
    OP("FeatureVectorizer", 1,
       "<inputdimensions: ints?>(T1... X) => (float Y) T1: double|float|int32|int64",
       .infer = infer_feature_vectorizer, .kernel = run_feature_vectorizer),
    OP("Imputer", 1,
       "<imputed_value_floats: floats?, imputed_value_int64s: ints?, replaced_value_float: float = 0.0, "
       "replaced_value_int64: int = 0>(T X) => (T Y) T: double|float|int32|int64",
       .infer = ox_infer_same, .kernel = run_imputer),
    OP("LabelEncoder", 4,
       "<default_float: float = -0.0, default_int64: int = -1, default_string: string = \"_Unused\", "
       "default_tensor: tensor?, keys_floats: floats?, keys_int64s: ints?, keys_strings: strings?, "
       "keys_tensor: tensor?, values_floats: floats?, values_int64s: ints?, values_strings: strings?, "
       "values_tensor: tensor?>(T1 X) => (T2 Y) T1: double|float|int16|int32|int64|string, T2: double|"
       "float|int16|int32|int64|string",
       .infer = ox_infer_label_encoder, .kernel = ox_run_label_encoder),
    OP("LabelEncoder", 2,
       "<default_float: float = -0.0, default_int64: int = -1, default_string: string = \"_Unused\", "
       "keys_floats: floats?, keys_int64s: ints?, keys_strings: strings?, values_floats: floats?, "
       "values_int64s: ints?, values_strings: strings?>(T1 X) => (T2 Y) T1: float|int64|string, T2: "
       "float|int64|string"),
    OP("LabelEncoder", 1,
       "<classes_strings: strings?, default_int64: int = -1, default_string: string = \"_Unused\">(T1 "
       "X) => (T2 Y) T1: int64|string, T2: int64|string"),
    OP("LinearClassifier", 1,
       "<classlabels_ints: ints?, classlabels_strings: strings?, coefficients: floats, intercepts: "
       "floats?, multi_class: int = 0, post_transform: string = \"NONE\">(T1 X) => (T2 Y, float Z) T1: "
       "double|float|int32|int64, T2: int64|string",
       .infer = ox_infer_linear_classifier, .kernel = ox_run_linear_classifier),
    OP("LinearRegressor", 1,
       "<coefficients: floats?, intercepts: floats?, post_transform: string = \"NONE\", targets: int = "
       "1>(T X) => (float Y) T: double|float|int32|int64",
       .infer = ox_infer_linear_regressor, .kernel = ox_run_linear_regressor),
    OP("Normalizer", 1,
       "<norm: string = \"MAX\">(T X) => (float Y) T: double|float|int32|int64",
       .infer = infer_float, .kernel = run_normalizer),
    OP("OneHotEncoder", 1,
       "<cats_int64s: ints?, cats_strings: strings?, zeros: int = 1>(T X) => (float Y) T: double|float|"
       "int32|int64|string",
       .infer = infer_one_hot, .kernel = run_one_hot),
    OP("SVMClassifier", 1,
       "<classlabels_ints: ints?, classlabels_strings: strings?, coefficients: floats?, kernel_params: "
       "floats?, kernel_type: string = \"LINEAR\", post_transform: string = \"NONE\", prob_a: floats?, "
       "prob_b: floats?, rho: floats?, support_vectors: floats?, vectors_per_class: ints?>(T1 X) => (T2 "
       "Y, float Z) T1: double|float|int32|int64, T2: int64|string",
       .infer = ox_infer_svm_classifier, .kernel = ox_run_svm_classifier),
    OP("SVMRegressor", 1,
       "<coefficients: floats?, kernel_params: floats?, kernel_type: string = \"LINEAR\", n_supports: "
       "int = 0, one_class: int = 0, post_transform: string = \"NONE\", rho: floats?, support_vectors: "
       "floats?>(T X) => (float Y) T: double|float|int32|int64",
       .infer = ox_infer_svm_regressor, .kernel = ox_run_svm_regressor),
    OP("Scaler", 1,
       "<offset: floats?, scale: floats?>(T X) => (float Y) T: double|float|int32|int64",
       .infer = infer_float, .kernel = run_scaler),
    OP("TreeEnsemble", 5,
       "<aggregate_function: int = 1, leaf_targetids: ints, leaf_weights: tensor, membership_values: "
       "tensor?, n_targets: int?, nodes_falseleafs: ints, nodes_falsenodeids: ints, nodes_featureids: "
       "ints, nodes_hitrates: tensor?, nodes_missing_value_tracks_true: ints?, nodes_modes: tensor, "
       "nodes_splits: tensor, nodes_trueleafs: ints, nodes_truenodeids: ints, post_transform: int = 0, "
       "tree_roots: ints>(T X) => (T Y) T: floats",
       .infer = ox_infer_tree_ensemble, .kernel = ox_run_tree_ensemble),
    OP("TreeEnsembleClassifier", 5,
       "<base_values: floats?, base_values_as_tensor: tensor?, class_ids: ints?, class_nodeids: ints?, "
       "class_treeids: ints?, class_weights: floats?, class_weights_as_tensor: tensor?, "
       "classlabels_int64s: ints?, classlabels_strings: strings?, nodes_falsenodeids: ints?, "
       "nodes_featureids: ints?, nodes_hitrates: floats?, nodes_hitrates_as_tensor: tensor?, "
       "nodes_missing_value_tracks_true: ints?, nodes_modes: strings?, nodes_nodeids: ints?, "
       "nodes_treeids: ints?, nodes_truenodeids: ints?, nodes_values: floats?, nodes_values_as_tensor: "
       "tensor?, post_transform: string = \"NONE\">(T1 X) => (T2 Y, float Z) T1: double|float|int32|"
       "int64, T2: int64|string",
       .flags = OX_DEPRECATED, .infer = ox_infer_tree_classifier, .kernel = ox_run_tree_classifier),
    OP("TreeEnsembleClassifier", 3,
       "<base_values: floats?, base_values_as_tensor: tensor?, class_ids: ints?, class_nodeids: ints?, "
       "class_treeids: ints?, class_weights: floats?, class_weights_as_tensor: tensor?, "
       "classlabels_int64s: ints?, classlabels_strings: strings?, nodes_falsenodeids: ints?, "
       "nodes_featureids: ints?, nodes_hitrates: floats?, nodes_hitrates_as_tensor: tensor?, "
       "nodes_missing_value_tracks_true: ints?, nodes_modes: strings?, nodes_nodeids: ints?, "
       "nodes_treeids: ints?, nodes_truenodeids: ints?, nodes_values: floats?, nodes_values_as_tensor: "
       "tensor?, post_transform: string = \"NONE\">(T1 X) => (T2 Y, float Z) T1: double|float|int32|"
       "int64, T2: int64|string"),
    OP("TreeEnsembleClassifier", 1,
       "<base_values: floats?, class_ids: ints?, class_nodeids: ints?, class_treeids: ints?, "
       "class_weights: floats?, classlabels_int64s: ints?, classlabels_strings: strings?, "
       "nodes_falsenodeids: ints?, nodes_featureids: ints?, nodes_hitrates: floats?, "
       "nodes_missing_value_tracks_true: ints?, nodes_modes: strings?, nodes_nodeids: ints?, "
       "nodes_treeids: ints?, nodes_truenodeids: ints?, nodes_values: floats?, post_transform: string = "
       "\"NONE\">(T1 X) => (T2 Y, float Z) T1: double|float|int32|int64, T2: int64|string"),
    OP("TreeEnsembleRegressor", 5,
       "<aggregate_function: string = \"SUM\", base_values: floats?, base_values_as_tensor: tensor?, "
       "n_targets: int?, nodes_falsenodeids: ints?, nodes_featureids: ints?, nodes_hitrates: floats?, "
       "nodes_hitrates_as_tensor: tensor?, nodes_missing_value_tracks_true: ints?, nodes_modes: "
       "strings?, nodes_nodeids: ints?, nodes_treeids: ints?, nodes_truenodeids: ints?, nodes_values: "
       "floats?, nodes_values_as_tensor: tensor?, post_transform: string = \"NONE\", target_ids: ints?, "
       "target_nodeids: ints?, target_treeids: ints?, target_weights: floats?, "
       "target_weights_as_tensor: tensor?>(T X) => (float Y) T: double|float|int32|int64",
       .flags = OX_DEPRECATED, .infer = ox_infer_tree_regressor, .kernel = ox_run_tree_regressor),
    OP("TreeEnsembleRegressor", 3,
       "<aggregate_function: string = \"SUM\", base_values: floats?, base_values_as_tensor: tensor?, "
       "n_targets: int?, nodes_falsenodeids: ints?, nodes_featureids: ints?, nodes_hitrates: floats?, "
       "nodes_hitrates_as_tensor: tensor?, nodes_missing_value_tracks_true: ints?, nodes_modes: "
       "strings?, nodes_nodeids: ints?, nodes_treeids: ints?, nodes_truenodeids: ints?, nodes_values: "
       "floats?, nodes_values_as_tensor: tensor?, post_transform: string = \"NONE\", target_ids: ints?, "
       "target_nodeids: ints?, target_treeids: ints?, target_weights: floats?, "
       "target_weights_as_tensor: tensor?>(T X) => (float Y) T: double|float|int32|int64"),
    OP("TreeEnsembleRegressor", 1,
       "<aggregate_function: string = \"SUM\", base_values: floats?, n_targets: int?, "
       "nodes_falsenodeids: ints?, nodes_featureids: ints?, nodes_hitrates: floats?, "
       "nodes_missing_value_tracks_true: ints?, nodes_modes: strings?, nodes_nodeids: ints?, "
       "nodes_treeids: ints?, nodes_truenodeids: ints?, nodes_values: floats?, post_transform: string = "
       "\"NONE\", target_ids: ints?, target_nodeids: ints?, target_treeids: ints?, target_weights: "
       "floats?>(T X) => (float Y) T: double|float|int32|int64"),
    OP("ZipMap", 1,
       "<classlabels_int64s: ints?, classlabels_strings: strings?>(float X) => (T Z) T: seq(map(int64, "
       "float))|seq(map(string, float))",
       .infer = ox_infer_zip_map, .kernel = ox_run_zip_map));
