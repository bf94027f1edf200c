/* The ai.onnx.ml domain: classic models. */
#include "op/op.h"

OX_FAMILY(ml, "ai.onnx.ml",
    OP("ArrayFeatureExtractor", 1,
       "(T X, int64 Y) => (T Z) T: double|float|int32|int64|string"),
    OP("Binarizer", 1,
       "<threshold: float = 0.0>(T X) => (T Y) T: double|float|int32|int64"),
    OP("CastMap", 1,
       "<cast_to: string = \"TO_FLOAT\", map_form: string = \"DENSE\", max_map: int = 1>(T1 X) => (T2 "
       "Y) T1: map(int64, float)|map(int64, string), T2: float|int64|string"),
    OP("CategoryMapper", 1,
       "<cats_int64s: ints?, cats_strings: strings?, default_int64: int = -1, default_string: string = "
       "\"_Unused\">(T1 X) => (T2 Y) T1: int64|string, T2: int64|string"),
    OP("DictVectorizer", 1,
       "<int64_vocabulary: ints?, string_vocabulary: strings?>(T1 X) => (T2 Y) T1: map(int64, double)|"
       "map(int64, float)|map(int64, string)|map(string, double)|map(string, float)|map(string, int64), "
       "T2: double|float|int64|string"),
    OP("FeatureVectorizer", 1,
       "<inputdimensions: ints?>(T1... X) => (float Y) T1: double|float|int32|int64"),
    OP("Imputer", 1,
       "<imputed_value_floats: floats?, imputed_value_int64s: ints?, replaced_value_float: float = 0.0, "
       "replaced_value_int64: int = 0>(T X) => (T Y) T: double|float|int32|int64"),
    OP("LabelEncoder", 4,
       "<default_float: float = -0.0, default_int64: int = -1, default_string: string = \"_Unused\", "
       "default_tensor: tensor?, keys_floats: floats?, keys_int64s: ints?, keys_strings: strings?, "
       "keys_tensor: tensor?, values_floats: floats?, values_int64s: ints?, values_strings: strings?, "
       "values_tensor: tensor?>(T1 X) => (T2 Y) T1: double|float|int16|int32|int64|string, T2: double|"
       "float|int16|int32|int64|string"),
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
       "double|float|int32|int64, T2: int64|string"),
    OP("LinearRegressor", 1,
       "<coefficients: floats?, intercepts: floats?, post_transform: string = \"NONE\", targets: int = "
       "1>(T X) => (float Y) T: double|float|int32|int64"),
    OP("Normalizer", 1,
       "<norm: string = \"MAX\">(T X) => (float Y) T: double|float|int32|int64"),
    OP("OneHotEncoder", 1,
       "<cats_int64s: ints?, cats_strings: strings?, zeros: int = 1>(T X) => (float Y) T: double|float|"
       "int32|int64|string"),
    OP("SVMClassifier", 1,
       "<classlabels_ints: ints?, classlabels_strings: strings?, coefficients: floats?, kernel_params: "
       "floats?, kernel_type: string = \"LINEAR\", post_transform: string = \"NONE\", prob_a: floats?, "
       "prob_b: floats?, rho: floats?, support_vectors: floats?, vectors_per_class: ints?>(T1 X) => (T2 "
       "Y, float Z) T1: double|float|int32|int64, T2: int64|string"),
    OP("SVMRegressor", 1,
       "<coefficients: floats?, kernel_params: floats?, kernel_type: string = \"LINEAR\", n_supports: "
       "int = 0, one_class: int = 0, post_transform: string = \"NONE\", rho: floats?, support_vectors: "
       "floats?>(T X) => (float Y) T: double|float|int32|int64"),
    OP("Scaler", 1,
       "<offset: floats?, scale: floats?>(T X) => (float Y) T: double|float|int32|int64"),
    OP("TreeEnsemble", 5,
       "<aggregate_function: int = 1, leaf_targetids: ints, leaf_weights: tensor, membership_values: "
       "tensor?, n_targets: int?, nodes_falseleafs: ints, nodes_falsenodeids: ints, nodes_featureids: "
       "ints, nodes_hitrates: tensor?, nodes_missing_value_tracks_true: ints?, nodes_modes: tensor, "
       "nodes_splits: tensor, nodes_trueleafs: ints, nodes_truenodeids: ints, post_transform: int = 0, "
       "tree_roots: ints>(T X) => (T Y) T: floats"),
    OP("TreeEnsembleClassifier", 5,
       "<base_values: floats?, base_values_as_tensor: tensor?, class_ids: ints?, class_nodeids: ints?, "
       "class_treeids: ints?, class_weights: floats?, class_weights_as_tensor: tensor?, "
       "classlabels_int64s: ints?, classlabels_strings: strings?, nodes_falsenodeids: ints?, "
       "nodes_featureids: ints?, nodes_hitrates: floats?, nodes_hitrates_as_tensor: tensor?, "
       "nodes_missing_value_tracks_true: ints?, nodes_modes: strings?, nodes_nodeids: ints?, "
       "nodes_treeids: ints?, nodes_truenodeids: ints?, nodes_values: floats?, nodes_values_as_tensor: "
       "tensor?, post_transform: string = \"NONE\">(T1 X) => (T2 Y, float Z) T1: double|float|int32|"
       "int64, T2: int64|string",
       .flags = OX_DEPRECATED),
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
       .flags = OX_DEPRECATED),
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
       "float))|seq(map(string, float))"));
