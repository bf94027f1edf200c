/* ai.onnx.ml: linear models and support vectors. Scores are sums in float in the order of the coefficients, as other
 * runtimes have them; a model with one score and two labels gives both classes. Rows are in ml.c. */
#include "op/ml.h"

#include <math.h>

/* ------------------------------------------------------------------------------------------------ linear models */

static const float *linear_lists(ox_call *c, int *n_coef, const float **intercepts, int *n_intercepts) {
    *intercepts = ox_get_floats(c, "intercepts", n_intercepts);
    return ox_get_floats(c, "coefficients", n_coef);
}

static int infer_scores(ox_call *c, const ox_ml_labels *l, ox_dim columns) {
    ox_dim d[2] = {ox_ml_sample_dim(c), columns};
    ox_out_tensor(c, 0, ox_ml_labels_type(l), 1, d);
    ox_out_tensor(c, 1, OX_FLOAT, 2, d);
    return 0;
}

int ox_infer_linear_classifier(ox_call *c) {
    int nc, ni;
    const float *b;
    linear_lists(c, &nc, &b, &ni);
    ox_ml_labels l;
    ox_ml_labels_of(c, "classlabels_ints", "classlabels_strings", &l);
    return infer_scores(c, &l, ni ? ox_dim_const(c->ctx, ni == 1 && l.n == 2 ? 2 : ni) : NULL);
}

/* out[k] = x . w[k] + b[k] for n rows of weights. */
static void scores_of(const float *x, int64_t features, const float *w, const float *b, int64_t n, float *out) {
    for (int64_t k = 0; k < n; k++) {
        float sum = 0;
        for (int64_t f = 0; f < features; f++) sum += x[f] * w[k * features + f];
        out[k] = sum + (b ? b[k] : 0);
    }
}

static int64_t best(const float *v, int64_t n) {
    int64_t k = 0;
    for (int64_t i = 1; i < n; i++)
        if (v[i] > v[k]) k = i;
    return k;
}

int ox_run_linear_classifier(ox_run *r) {
    ox_call *c = r->call;
    int nc, ni;
    int64_t n, features;
    const float *b, *w = linear_lists(c, &nc, &b, &ni), *x = ox_ml_samples(r, &n, &features);
    int post = ox_ml_post_of(c);
    ox_ml_labels l;
    ox_ml_labels_of(c, "classlabels_ints", "classlabels_strings", &l);
    if (!x || post < 0) return -1;
    int64_t classes = ni ? ni : features ? nc / features : 0;
    if (!w || !classes || nc != classes * features)
        return ox_fail(r->ctx, OX_BAD_DATA, "%d coefficients for %lld features", nc, (long long)features);
    bool two = classes == 1 && l.n == 2;
    int64_t columns = two ? 2 : classes;
    ox_tensor *y = ox_output(r, 0, ox_ml_labels_type(&l), 1, &n);
    float *room = OX_NEW_N(r->arena, float, columns + 1), *z = room;
    ox_tensor *scores = y && ox_want(r, 1) ? ox_output(r, 1, OX_FLOAT, 2, (int64_t[]){n, columns}) : NULL;
    if (!y || (ox_want(r, 1) && !scores)) return -1;
    for (int64_t i = 0; i < n; i++, x += features) {
        if (scores) z = (float *)ox_tensor_mut(scores) + i * columns;
        scores_of(x, features, w, b, classes, z);
        int64_t k = classes == 1 ? z[0] > 0 : best(z, classes);
        if (ox_ml_label(r, y, i, &l, l.n == 1 ? 0 : k)) return -1;
        if (two) ox_ml_post_two((ox_ml_post)post, z, post == OX_ML_LOGISTIC ? 2 : 1);
        else ox_ml_post_apply((ox_ml_post)post, z, classes);
    }
    return 0;
}

int ox_infer_linear_regressor(ox_call *c) {
    int64_t targets = ox_get_int(c, "targets");
    ox_dim d[2] = {ox_ml_sample_dim(c), ox_dim_const(c->ctx, targets)};
    if (targets < 1) return ox_fail(c->ctx, OX_BAD_DATA, "targets is %lld", (long long)targets);
    ox_out_tensor(c, 0, OX_FLOAT, 2, d);
    return 0;
}

int ox_run_linear_regressor(ox_run *r) {
    ox_call *c = r->call;
    int nc, ni;
    int64_t n, features, targets = ox_get_int(c, "targets");
    const float *b, *w = linear_lists(c, &nc, &b, &ni), *x = ox_ml_samples(r, &n, &features);
    int post = ox_ml_post_of(c);
    if (!x || post < 0) return -1;
    if (!w || targets < 1 || nc / targets != features || nc % targets || (b && ni != targets))
        return ox_fail(r->ctx, OX_BAD_DATA, "%d coefficients for %lld features and %lld targets", nc,
                       (long long)features, (long long)targets);
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 2, (int64_t[]){n, targets});
    if (!y) return -1;
    float *out = ox_tensor_mut(y);
    for (int64_t i = 0; i < n; i++, x += features, out += targets) {
        scores_of(x, features, w, b, targets, out);
        ox_ml_post_apply((ox_ml_post)post, out, targets);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ support vectors */

typedef struct svm {
    char kernel; /* l p r s */
    float gamma, coef0, degree;
    const float *coef, *rho, *vectors, *prob_a, *prob_b;
    int n_coef, n_rho, n_vectors, n_a, n_b;
    int64_t features;
} svm;

static int svm_read(ox_call *c, svm *s) {
    static const char *const names[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const char *kernel = ox_get_string(c, "kernel_type");
    int n;
    const float *p = ox_get_floats(c, "kernel_params", &n);
    *s = (svm){0};
    for (int i = 0; i < 4; i++)
        if (!strcmp(kernel, names[i])) s->kernel = "lprs"[i];
    if (!s->kernel) return ox_fail(c->ctx, OX_BAD_DATA, "kernel_type '%s' is unknown", kernel);
    if (p && n && n != 3) return ox_fail(c->ctx, OX_BAD_DATA, "kernel_params has %d entries, not 3", n);
    if (p && n) {
        s->gamma = p[0];
        s->coef0 = p[1];
        s->degree = p[2];
    }
    s->coef = ox_get_floats(c, "coefficients", &s->n_coef);
    s->rho = ox_get_floats(c, "rho", &s->n_rho);
    s->vectors = ox_get_floats(c, "support_vectors", &s->n_vectors);
    s->prob_a = ox_get_floats(c, "prob_a", &s->n_a);
    s->prob_b = ox_get_floats(c, "prob_b", &s->n_b);
    return s->n_coef && s->n_rho ? 0 : ox_fail(c->ctx, OX_BAD_DATA, "coefficients or rho are missing");
}

static float svm_kernel(const svm *s, const float *a, const float *b) {
    float sum = 0;
    for (int64_t i = 0; i < s->features; i++) sum += s->kernel == 'r' ? (a[i] - b[i]) * (a[i] - b[i]) : a[i] * b[i];
    switch (s->kernel) {
    case 'p': return powf(s->gamma * sum + s->coef0, s->degree);
    case 'r': return expf(-s->gamma * sum);
    case 's': return tanhf(s->gamma * sum + s->coef0);
    default: return sum;
    }
}

int ox_infer_svm_regressor(ox_call *c) {
    ox_dim d[2] = {ox_ml_sample_dim(c), ox_dim_const(c->ctx, 1)};
    ox_out_tensor(c, 0, OX_FLOAT, 2, d);
    return 0;
}

int ox_run_svm_regressor(ox_run *r) {
    svm s;
    int64_t n, supports = ox_get_int(r->call, "n_supports");
    int post = ox_ml_post_of(r->call);
    bool one_class = ox_get_int(r->call, "one_class") != 0;
    if (post < 0 || svm_read(r->call, &s)) return -1;
    const float *x = ox_ml_samples(r, &n, &s.features);
    if (!x) return -1;
    if (!supports) s.kernel = 'l';
    bool fits = supports ? supports > 0 && s.n_coef == supports && s.n_vectors / supports == s.features &&
                               s.n_vectors % supports == 0
                         : s.n_coef == s.features;
    if (!fits)
        return ox_fail(r->ctx, OX_BAD_DATA, "coefficients or support vectors do not fit %lld features",
                       (long long)s.features);
    ox_tensor *y = ox_output(r, 0, OX_FLOAT, 2, (int64_t[]){n, 1});
    if (!y) return -1;
    float *out = ox_tensor_mut(y);
    for (int64_t i = 0; i < n; i++, x += s.features) {
        float sum = 0;
        for (int64_t k = 0; k < supports; k++) sum += s.coef[k] * svm_kernel(&s, x, s.vectors + k * s.features);
        if (!supports) sum = svm_kernel(&s, x, s.coef);
        sum += s.rho[0];
        out[i] = one_class ? (sum > 0 ? 1.0f : -1.0f) : sum;
        if (!one_class) ox_ml_post_apply((ox_ml_post)post, &out[i], 1);
    }
    return 0;
}

typedef struct svc {
    svm s;
    ox_ml_labels l;
    const int64_t *per_class;
    int64_t classes, supports, pairs;
    int64_t columns; /* of the scores */
    bool positive;   /* no coefficient is negative */
    int post;
    float *kernels, *margins, *room; /* scratch of a sample; room: 3 * classes + classes^2 */
    int64_t *votes;
} svc;

static int64_t svc_columns(const svc *v) {
    if (v->s.n_a && v->supports) return v->classes;
    int64_t n = v->supports ? v->pairs : v->classes;
    return n == 1 && v->post != OX_ML_PROBIT && v->s.n_rho == 1 && v->l.n == 2 ? 2 : n;
}

static int svc_read(ox_call *c, svc *v) {
    *v = (svc){.positive = true};
    int n;
    if (svm_read(c, &v->s) || (v->post = ox_ml_post_of(c)) < 0) return -1;
    ox_ml_labels_of(c, "classlabels_ints", "classlabels_strings", &v->l);
    v->per_class = ox_get_ints(c, "vectors_per_class", &n);
    v->classes = v->per_class && n ? n : v->l.n > 1 ? v->l.n : 1;
    if (v->classes > 1 << 15) return ox_fail(c->ctx, OX_BAD_DATA, "%lld classes", (long long)v->classes);
    for (int i = 0; v->per_class && i < n; i++)
        if (v->per_class[i] < 0 || !ox_add_ok(v->supports, v->per_class[i], &v->supports) ||
            v->supports > v->s.n_vectors)
            return ox_fail(c->ctx, OX_BAD_DATA, "vectors_per_class holds %lld", (long long)v->per_class[i]);
    v->pairs = v->classes * (v->classes - 1) / 2;
    for (int i = 0; i < v->s.n_coef; i++) v->positive &= v->s.coef[i] >= 0;
    v->columns = svc_columns(v);
    return 0;
}

int ox_infer_svm_classifier(ox_call *c) {
    svc v;
    if (svc_read(c, &v)) return -1;
    return infer_scores(c, &v.l, ox_dim_const(c->ctx, v.columns));
}

static int svc_check(ox_run *r, svc *v) {
    const svm *s = &v->s;
    bool fits;
    if (v->supports) {
        fits = s->n_vectors / v->supports == s->features && s->n_vectors % v->supports == 0 && v->l.n <= v->classes;
        fits &= s->n_coef == (v->classes - 1) * v->supports && s->n_rho >= v->pairs &&
                (!s->n_a || (s->n_a >= v->pairs && s->n_b >= v->pairs));
    } else {
        v->s.kernel = 'l';
        fits = s->n_coef == v->classes * s->features;
    }
    if (!fits)
        return ox_fail(r->ctx, OX_BAD_DATA, "coefficients or support vectors do not fit %lld features",
                       (long long)s->features);
    v->kernels = OX_NEW_N(r->arena, float, v->supports + 1);
    v->margins = OX_NEW_N(r->arena, float, v->pairs + v->classes + 2);
    v->room = OX_NEW_N(r->arena, float, 3 * v->classes + 2 * v->classes * v->classes);
    v->votes = OX_NEW_N(r->arena, int64_t, v->classes);
    return 0;
}

/* One margin per pair of classes, and a vote for the winner of each. */
static void svc_margins(const svc *v, const float *x) {
    const svm *s = &v->s;
    int64_t pair = 0, at_i = 0;
    memset(v->votes, 0, (size_t)v->classes * sizeof *v->votes);
    for (int64_t k = 0; k < v->supports; k++) v->kernels[k] = svm_kernel(s, x, s->vectors + k * s->features);
    for (int64_t i = 0; i < v->classes; at_i += v->per_class[i++])
        for (int64_t j = i + 1, at_j = at_i + v->per_class[i]; j < v->classes; at_j += v->per_class[j++], pair++) {
            float sum = 0;
            const float *ci = s->coef + (j - 1) * v->supports + at_i, *cj = s->coef + i * v->supports + at_j;
            for (int64_t k = 0; k < v->per_class[i]; k++) sum += ci[k] * v->kernels[at_i + k];
            for (int64_t k = 0; k < v->per_class[j]; k++) sum += cj[k] * v->kernels[at_j + k];
            v->margins[pair] = sum + s->rho[pair];
            v->votes[v->margins[pair] > 0 ? i : j]++;
        }
}

/* Class probabilities from those of pairs: the fixed point of Wu, Lin and Weng's second method. */
static void couple(const svc *v, const float *pair, float *p) {
    int64_t k = v->classes;
    float *q = v->room + 2 * k + k * k, *qp = v->room;
    for (int64_t t = 0; t < k; t++) {
        p[t] = 1.0f / (float)k;
        q[t * k + t] = 0;
        for (int64_t j = 0; j < k; j++) {
            if (j == t) continue;
            q[t * k + t] += pair[j * k + t] * pair[j * k + t];
            q[t * k + j] = j < t ? q[j * k + t] : -pair[j * k + t] * pair[t * k + j];
        }
    }
    for (int64_t round = 0; round < (k > 100 ? k : 100); round++) {
        float all = 0, worst = 0;
        for (int64_t t = 0; t < k; t++) {
            qp[t] = 0;
            for (int64_t j = 0; j < k; j++) qp[t] += q[t * k + j] * p[j];
            all += p[t] * qp[t];
        }
        for (int64_t t = 0; t < k; t++) worst = fmaxf(worst, fabsf(qp[t] - all));
        if (worst < 0.005f / (float)k) return;
        for (int64_t t = 0; t < k; t++) {
            float diff = (all - qp[t]) / q[t * k + t];
            p[t] += diff;
            all = (all + diff * (diff * q[t * k + t] + 2 * qp[t])) / (1 + diff) / (1 + diff);
            for (int64_t j = 0; j < k; j++) {
                qp[j] = (qp[j] + diff * q[t * k + j]) / (1 + diff);
                p[j] /= 1 + diff;
            }
        }
    }
}

static void svc_probabilities(const svc *v, float *p) {
    int64_t k = v->classes, pair = 0;
    float *m = v->room + k;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = i + 1; j < k; j++, pair++) {
            float w = 1 - ox_ml_logistic(v->margins[pair] * v->s.prob_a[pair] + v->s.prob_b[pair]);
            w = fminf(fmaxf(w, 1e-7f), 1 - 1e-7f);
            m[i * k + j] = w;
            m[j * k + i] = 1 - w;
        }
    couple(v, m, p);
}

/* The class of a sample from its scores z (n of them). */
static int64_t svc_class(const svc *v, const float *z, int64_t n) {
    int64_t k = best(z, n);
    float weight = z[k];
    if (v->supports) {
        k = 0;
        for (int64_t i = 1; i < v->classes; i++)
            if (v->votes[i] > v->votes[k]) k = i;
        weight = (float)v->votes[k];
    }
    if (v->s.n_rho != 1) return k;
    if (v->l.n != 2) return v->l.n ? k : weight > 0;
    if (v->s.n_a || !v->positive || weight < 0.5f) return k;
    return 1;
}

int ox_run_svm_classifier(ox_run *r) {
    svc v;
    int64_t n;
    if (svc_read(r->call, &v)) return -1;
    const float *x = ox_ml_samples(r, &n, &v.s.features);
    if (!x || svc_check(r, &v)) return -1;
    ox_tensor *y = ox_output(r, 0, ox_ml_labels_type(&v.l), 1, &n);
    ox_tensor *scores = y && ox_want(r, 1) ? ox_output(r, 1, OX_FLOAT, 2, (int64_t[]){n, v.columns}) : NULL;
    if (!y || (ox_want(r, 1) && !scores)) return -1;
    bool proba = v.s.n_a && v.supports;
    int64_t have = proba ? v.classes : v.supports ? v.pairs : v.classes;
    float *p = OX_NEW_N(r->arena, float, have + 2);
    for (int64_t i = 0; i < n; i++, x += v.s.features) {
        if (v.supports) svc_margins(&v, x);
        if (proba) svc_probabilities(&v, p);
        for (int64_t k = 0; k < have && !proba; k++)
            p[k] = v.supports ? v.margins[k] : v.s.rho[0] + svm_kernel(&v.s, x, v.s.coef + k * v.s.features);
        if (ox_ml_label(r, y, i, &v.l, svc_class(&v, p, have))) return -1;
        if (have == 1 && v.columns == 2) ox_ml_post_two((ox_ml_post)v.post, p, 2);
        else ox_ml_post_apply((ox_ml_post)v.post, p, have);
        if (scores) memcpy((float *)ox_tensor_mut(scores) + i * v.columns, p, (size_t)v.columns * sizeof *p);
    }
    return 0;
}
