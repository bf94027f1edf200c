/* What the files of ai.onnx.ml share: classes and their labels, transforms of scores, sorted keys. */
#ifndef OX_OP_ML_H
#define OX_OP_ML_H

#include "op/kernel.h"
#include "op/mover.h"

/* ---- scores ---- */
typedef enum ox_ml_post { OX_ML_NONE, OX_ML_SOFTMAX, OX_ML_LOGISTIC, OX_ML_SOFTMAX_ZERO, OX_ML_PROBIT } ox_ml_post;
int ox_ml_post_of(ox_call *c); /* attribute post_transform; -1 after ox_fail */
void ox_ml_post_apply(ox_ml_post post, float *v, int64_t n);
float ox_ml_logistic(float v);
/* One score for two classes; v has room for two. second: 1 complements a probability, 2 negates a margin. */
void ox_ml_post_two(ox_ml_post post, float *v, int second);

/* ---- labels ---- */
typedef struct ox_ml_labels {
    int64_t n;
    const int64_t *ints; /* NULL: strings, or none given */
    const ox_str *strings;
} ox_ml_labels;
void ox_ml_labels_of(const ox_call *c, const char *ints, const char *strings, ox_ml_labels *l);
ox_dtype ox_ml_labels_type(const ox_ml_labels *l);
/* Writes class k (its number when no labels are given) at place i of a label output. -1 after ox_fail. */
int ox_ml_label(ox_run *r, ox_tensor *out, int64_t i, const ox_ml_labels *l, int64_t k);

/* Samples and features of an input of rank 1 or 2 as floats; NULL after ox_fail. */
const float *ox_ml_samples(ox_run *r, int64_t *n, int64_t *features);
/* Samples of input 0 as a shape rule sees them. */
ox_dim ox_ml_sample_dim(ox_call *c);
const ox_str *ox_ml_strings(const ox_call *c, const char *name, int64_t *n);

/* ---- rules and kernels of the other files ---- */
int ox_infer_label_encoder(ox_call *c);
int ox_run_label_encoder(ox_run *r);
int ox_infer_category_mapper(ox_call *c);
int ox_run_category_mapper(ox_run *r);
int ox_infer_cast_map(ox_call *c);
int ox_run_cast_map(ox_run *r);
int ox_infer_dict_vectorizer(ox_call *c);
int ox_run_dict_vectorizer(ox_run *r);
int ox_infer_zip_map(ox_call *c);
int ox_run_zip_map(ox_run *r);
int ox_infer_linear_classifier(ox_call *c);
int ox_run_linear_classifier(ox_run *r);
int ox_infer_linear_regressor(ox_call *c);
int ox_run_linear_regressor(ox_run *r);
int ox_infer_svm_classifier(ox_call *c);
int ox_run_svm_classifier(ox_run *r);
int ox_infer_svm_regressor(ox_call *c);
int ox_run_svm_regressor(ox_run *r);
int ox_infer_tree_ensemble(ox_call *c);
int ox_run_tree_ensemble(ox_run *r);
int ox_infer_tree_classifier(ox_call *c);
int ox_run_tree_classifier(ox_run *r);
int ox_infer_tree_regressor(ox_call *c);
int ox_run_tree_regressor(ox_run *r);

#endif
