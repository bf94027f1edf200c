/* ai.onnx.ml: ensembles of decision trees, in the form of version 5 (TreeEnsemble) and the older pair of operators.
 * Both are read into one array of nodes whose children are checked, so that walking a tree cannot leave it; a walk
 * longer than the number of nodes is a cycle and an error. Rows are in ml.c. */
#include "op/ml.h"

#include <math.h>
#include <stdlib.h>

typedef enum tree_mode { T_LEQ, T_LT, T_GTE, T_GT, T_EQ, T_NEQ, T_MEMBER, T_LEAF } tree_mode;

typedef struct tree_node {
    uint8_t mode;
    bool missing_true;
    int64_t feature;
    double split;
    int64_t yes, no;           /* nodes */
    int64_t first, count;      /* members of the set; weights of a leaf */
} tree_node;

typedef struct tree_weight { int64_t node, target; double w; } tree_weight;

typedef struct forest {
    int64_t n, n_roots, n_weights, targets;
    tree_node *nodes;
    int64_t *roots;
    tree_weight *weights; /* by node */
    const double *members;
    int64_t n_members;
    const float *base;
    int n_base;
    int aggregate; /* 0 average, 1 sum, 2 min, 3 max */
    int64_t needs; /* features that suffice; 0: not known */
    bool binary, positive; /* of a classifier */
} forest;

/* ------------------------------------------------------------------------------------------------ walking */

static bool goes_true(const forest *f, const tree_node *n, double v) {
    if (isnan(v) && n->missing_true) return true;
    switch (n->mode) {
    case T_LEQ: return v <= n->split;
    case T_LT: return v < n->split;
    case T_GTE: return v >= n->split;
    case T_GT: return v > n->split;
    case T_EQ: return v == n->split;
    case T_NEQ: return v != n->split;
    default:
        for (int64_t i = 0; i < n->count; i++)
            if (f->members[n->first + i] == v) return true;
        return false;
    }
}

static const tree_node *find_leaf(const forest *f, int64_t root, const double *x) {
    int64_t at = root;
    for (int64_t steps = 0; steps <= f->n; steps++) {
        const tree_node *n = &f->nodes[at];
        if (n->mode == T_LEAF) return n;
        at = goes_true(f, n, x[n->feature]) ? n->yes : n->no;
    }
    return NULL;
}

/* Sums (or the like) of the leaves a sample falls into, and which targets were met. -1 after ox_fail. */
static int evaluate(ox_run *r, const forest *f, const double *x, double *out, bool *met) {
    for (int64_t t = 0; t < f->targets; t++) {
        out[t] = 0;
        met[t] = false;
    }
    for (int64_t i = 0; i < f->n_roots; i++) {
        const tree_node *leaf = find_leaf(f, f->roots[i], x);
        if (!leaf) return ox_fail(r->ctx, OX_BAD_DATA, "tree %lld has a cycle", (long long)i);
        for (int64_t k = 0; k < leaf->count; k++) {
            const tree_weight *w = &f->weights[leaf->first + k];
            double *o = &out[w->target];
            if (f->aggregate < 2) *o += w->w;
            else if (!met[w->target]) *o = w->w;
            else *o = f->aggregate == 2 ? fmin(*o, w->w) : fmax(*o, w->w);
            met[w->target] = true;
        }
    }
    for (int64_t t = 0; t < f->targets; t++) {
        if (f->aggregate == 0 && f->n_roots) out[t] /= (double)f->n_roots;
        if (f->base && f->n_base) out[t] += (double)f->base[f->n_base == 1 ? 0 : t];
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

/* A list of numbers given as floats or as a tensor. NULL with n = 0 when absent. */
static const double *reals(ox_run *r, const char *name, const char *tensor, int64_t *n) {
    const ox_attr *t = tensor ? ox_get_attr(r->call, tensor) : NULL;
    int k = 0;
    const float *f = name ? ox_get_floats(r->call, name, &k) : NULL;
    *n = 0;
    if (t && t->type == OX_A_TENSOR && t->t) {
        const void *data = ox_tensor_data(t->t);
        double *out = data ? ox_scratch(r, ((uint64_t)t->t->count + 1) * sizeof *out) : NULL;
        if (!out || t->t->dtype == OX_STRING) return NULL;
        ox_load_doubles(t->t->dtype, data, t->t->count, out);
        *n = t->t->count;
        return out;
    }
    double *out = f ? ox_scratch(r, ((uint64_t)k + 1) * sizeof *out) : NULL;
    for (int i = 0; out && i < k; i++) out[i] = (double)f[i];
    *n = out ? k : 0;
    return out;
}

/* An attribute of `n` integers; NULL after ox_fail when it has another length. */
static const int64_t *ints_of(ox_run *r, const char *name, int64_t n) {
    int k;
    const int64_t *v = ox_get_ints(r->call, name, &k);
    if (v && k == n) return v;
    ox_fail(r->ctx, OX_BAD_DATA, "%s has %d entries, not %lld", name, k, (long long)n);
    return NULL;
}

static int order_weights(const void *a, const void *b) {
    const tree_weight *x = a, *y = b;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    return (x->target > y->target) - (x->target < y->target);
}

/* Gives each leaf its weights, which are sorted by node first. */
static void assign_weights(forest *f) {
    if (f->n_weights) qsort(f->weights, (size_t)f->n_weights, sizeof *f->weights, order_weights);
    for (int64_t i = 0; i < f->n_weights; i++) {
        tree_node *n = &f->nodes[f->weights[i].node];
        if (n->mode != T_LEAF) continue;
        if (!n->count++) n->first = i;
    }
}

/* ---- a forest is made of attributes alone: it is read by the first run */

typedef struct kept_forest {
    forest f;
    _Alignas(16) char data[];
} kept_forest;

static bool restore(const ox_run *r, forest *f) {
    const kept_forest *k = r->kept ? r->kept->data : NULL;
    if (k) *f = k->f;
    return k != NULL;
}

static const void *put_array(char **to, const void *from, size_t bytes) {
    char *at = *to;
    if (bytes) memcpy(at, from, bytes);
    *to += (bytes + 15) / 16 * 16;
    return at;
}

static int keep(ox_run *r, forest *f) {
    f->needs = 1;
    for (int64_t i = 0; i < f->n; i++) {
        const tree_node *n = &f->nodes[i];
        if (n->mode == T_LEAF) continue;
        if (n->feature < 0) f->needs = INT64_MAX;
        else if (n->feature >= f->needs) f->needs = n->feature + 1;
    }
    if (!r->kept) return 0;
    size_t nodes = (size_t)f->n * sizeof *f->nodes, roots = (size_t)f->n_roots * sizeof *f->roots, weights = (size_t)f->n_weights * sizeof *f->weights,
           members = f->members ? (size_t)f->n_members * sizeof *f->members : 0, base = f->base ? (size_t)f->n_base * sizeof *f->base : 0;
    kept_forest *k = ox_payload_alloc(r->ctx, sizeof *k + nodes + roots + weights + members + base + 5 * 16); /* arrays of this size exist */
    if (!k) return -1;
    char *at = k->data;
    f->nodes = (tree_node *)(uintptr_t)put_array(&at, f->nodes, nodes);
    f->roots = (int64_t *)(uintptr_t)put_array(&at, f->roots, roots);
    f->weights = (tree_weight *)(uintptr_t)put_array(&at, f->weights, weights);
    if (f->members) f->members = put_array(&at, f->members, members);
    if (f->base) f->base = put_array(&at, f->base, base);
    k->f = *f;
    r->kept->data = k;
    r->kept->free = ox_payload_free;
    return 0;
}

static int check_features(ox_run *r, const forest *f, int64_t features) {
    if (f->needs && f->needs <= features) return 0;
    for (int64_t i = 0; i < f->n; i++)
        if (f->nodes[i].mode != T_LEAF && (f->nodes[i].feature < 0 || f->nodes[i].feature >= features))
            return ox_fail(r->ctx, OX_BAD_DATA, "node %lld asks for feature %lld of %lld", (long long)i,
                           (long long)f->nodes[i].feature, (long long)features);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ the older form */

typedef struct place { int64_t tree, id, at; } place;

static int order_places(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int64_t find_place(const place *p, int64_t n, int64_t tree, int64_t id) {
    place k = {tree, id, 0}, *hit = n ? bsearch(&k, p, (size_t)n, sizeof *p, order_places) : NULL;
    return hit ? hit->at : -1;
}

static int old_modes(ox_run *r, forest *f) {
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE", "BRANCH_GT",
                                        "BRANCH_EQ",  "BRANCH_NEQ", "?",          "LEAF"};
    const ox_str *modes = ox_ml_strings(r->call, "nodes_modes", &f->n);
    f->nodes = modes ? ox_scratch(r, (uint64_t)f->n * sizeof *f->nodes) : NULL;
    if (!f->nodes) return modes ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "nodes_modes is missing");
    for (int64_t i = 0; i < f->n; i++) {
        f->nodes[i] = (tree_node){.mode = 255};
        for (uint8_t m = 0; m <= T_LEAF; m++)
            if (strlen(names[m]) == modes[i].len && !memcmp(names[m], modes[i].data, modes[i].len))
                f->nodes[i].mode = m;
        if (f->nodes[i].mode == 255) return ox_fail(r->ctx, OX_BAD_DATA, "nodes_modes %lld is unknown", (long long)i);
    }
    return 0;
}

/* Weights of leaves: `prefix` is class or target. */
static int old_weights(ox_run *r, forest *f, const place *places, const char *prefix) {
    const char *names[5];
    static const char *const ends[] = {"ids", "nodeids", "treeids", "weights", "weights_as_tensor"};
    for (int i = 0; i < 5; i++) names[i] = ox_format(r->arena, "%s_%s", prefix, ends[i]);
    const double *w = reals(r, names[3], names[4], &f->n_weights);
    const int64_t *ids = ints_of(r, names[0], f->n_weights), *nodes = ids ? ints_of(r, names[1], f->n_weights) : NULL;
    const int64_t *trees = nodes ? ints_of(r, names[2], f->n_weights) : NULL;
    f->weights = trees ? ox_scratch(r, ((uint64_t)f->n_weights + 1) * sizeof *f->weights) : NULL;
    if (!f->weights) return -1;
    for (int64_t i = 0; i < f->n_weights; i++) {
        int64_t at = find_place(places, f->n, trees[i], nodes[i]);
        if (at < 0 || ids[i] < 0 || ids[i] >= f->targets)
            return ox_fail(r->ctx, OX_BAD_DATA, "weight %lld belongs to no leaf or target", (long long)i);
        f->weights[i] = (tree_weight){at, ids[i], w[i]};
    }
    assign_weights(f);
    return 0;
}

static int old_read(ox_run *r, forest *f, const char *prefix) {
    int64_t n_values;
    int nm;
    if (old_modes(r, f)) return -1;
    const int64_t *trees = ints_of(r, "nodes_treeids", f->n), *ids = trees ? ints_of(r, "nodes_nodeids", f->n) : NULL;
    const int64_t *yes = ids ? ints_of(r, "nodes_truenodeids", f->n) : NULL,
                  *no = yes ? ints_of(r, "nodes_falsenodeids", f->n) : NULL;
    const int64_t *features = no ? ints_of(r, "nodes_featureids", f->n) : NULL;
    const double *values = features ? reals(r, "nodes_values", "nodes_values_as_tensor", &n_values) : NULL;
    const int64_t *missing = ox_get_ints(r->call, "nodes_missing_value_tracks_true", &nm);
    place *places = values ? ox_scratch(r, ((uint64_t)f->n + 1) * sizeof *places) : NULL;
    f->roots = places ? ox_scratch(r, ((uint64_t)f->n + 1) * sizeof *f->roots) : NULL;
    if (!f->roots)
        return features && !values && !ox_error_code(r->ctx) ? ox_fail(r->ctx, OX_BAD_DATA, "nodes_values is missing")
                                                             : -1;
    if (n_values != f->n || (missing && nm && nm != f->n))
        return ox_fail(r->ctx, OX_BAD_DATA, "the lists of nodes differ in length");
    for (int64_t i = 0; i < f->n; i++) places[i] = (place){trees[i], ids[i], i};
    qsort(places, (size_t)f->n, sizeof *places, order_places);
    bool *child = ox_scratch(r, (uint64_t)f->n + 1);
    if (!child) return -1;
    memset(child, 0, (size_t)f->n);
    for (int64_t i = 0; i < f->n; i++) {
        tree_node *n = &f->nodes[i];
        n->feature = features[i];
        n->split = values[i];
        n->missing_true = missing && nm && missing[i];
        if (n->mode == T_LEAF) continue;
        n->yes = find_place(places, f->n, trees[i], yes[i]);
        n->no = find_place(places, f->n, trees[i], no[i]);
        if (n->yes < 0 || n->no < 0 || n->yes == i || n->no == i)
            return ox_fail(r->ctx, OX_BAD_DATA, "node %lld has no such child", (long long)i);
        child[n->yes] = child[n->no] = true;
    }
    for (int64_t i = 0; i < f->n; i++)
        if (!child[i]) f->roots[f->n_roots++] = i;
    return old_weights(r, f, places, prefix);
}

/* base_values in either form. */
static int old_base(ox_run *r, forest *f) {
    int64_t n;
    const double *d = reals(r, NULL, "base_values_as_tensor", &n);
    f->base = ox_get_floats(r->call, "base_values", &f->n_base);
    if (d && n) {
        float *b = OX_NEW_N(r->arena, float, n);
        for (int64_t i = 0; i < n; i++) b[i] = (float)d[i];
        f->base = b;
        f->n_base = (int)n;
    }
    if (f->n_base == 2 && f->targets == 1) { /* one score for two classes: its own is the second */
        f->base++;
        f->n_base = 1;
    }
    if (!f->base || f->n_base == 0 || f->n_base == 1 || f->n_base == f->targets) return 0;
    return ox_fail(r->ctx, OX_BAD_DATA, "%d base values for %lld targets", f->n_base, (long long)f->targets);
}

/* Samples of input 0 in double, for exact comparison with splits of either type. */
static const double *samples(ox_run *r, const forest *f, int64_t *n, int64_t *features) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x || x->rank < 1 || x->rank > 2 || x->dtype == OX_STRING) {
        ox_fail(r->ctx, OX_BAD_DATA, "X is not a table of samples and features");
        return NULL;
    }
    *n = x->rank == 2 ? x->dims[0] : 1;
    *features = x->dims[x->rank - 1];
    return check_features(r, f, *features) ? NULL : ox_as_doubles(r, x);
}

/* ------------------------------------------------------------------------------------------------ regressors */

static int infer_targets(ox_call *c, ox_dtype t, int64_t targets) {
    ox_dim d[2] = {ox_ml_sample_dim(c), ox_dim_const(c->ctx, targets)};
    if (targets < 1) return ox_fail(c->ctx, OX_BAD_DATA, "n_targets is %lld", (long long)targets);
    ox_out_tensor(c, 0, t, 2, d);
    return 0;
}
static int64_t target_count(const ox_call *c) { return ox_has(c, "n_targets") ? ox_get_int(c, "n_targets") : 1; }
int ox_infer_tree_regressor(ox_call *c) { return infer_targets(c, OX_FLOAT, target_count(c)); }
int ox_infer_tree_ensemble(ox_call *c) { return infer_targets(c, ox_in_dtype(c, 0), target_count(c)); }

static int run_forest(ox_run *r, const forest *f, ox_dtype type, int post) {
    int64_t n, features;
    const double *x = samples(r, f, &n, &features);
    ox_tensor *y = x ? ox_output(r, 0, type, 2, (int64_t[]){n, f->targets}) : NULL;
    if (!y) return -1;
    double *out = OX_NEW_N(r->arena, double, f->targets);
    float *v = OX_NEW_N(r->arena, float, f->targets);
    bool *met = OX_NEW_N(r->arena, bool, f->targets);
    for (int64_t i = 0; i < n; i++, x += features) {
        if (evaluate(r, f, x, out, met)) return -1;
        for (int64_t t = 0; t < f->targets; t++) v[t] = (float)out[t];
        ox_ml_post_apply((ox_ml_post)post, v, f->targets);
        for (int64_t t = 0; t < f->targets; t++)
            ox_store_double(type, ox_tensor_mut(y), i * f->targets + t, post ? (double)v[t] : out[t]);
    }
    return 0;
}

int ox_run_tree_regressor(ox_run *r) {
    static const char *const names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    const char *how = ox_get_string(r->call, "aggregate_function");
    forest f = {.targets = target_count(r->call), .aggregate = -1};
    for (int i = 0; i < 4; i++)
        if (!strcmp(how, names[i])) f.aggregate = i;
    int post = ox_ml_post_of(r->call);
    if (f.aggregate < 0) return ox_fail(r->ctx, OX_BAD_DATA, "aggregate_function '%s' is unknown", how);
    if (f.targets < 1 || f.targets > INT32_MAX)
        return ox_fail(r->ctx, OX_BAD_DATA, "n_targets is %lld", (long long)f.targets);
    if (post < 0) return -1;
    if (!restore(r, &f) && (old_read(r, &f, "target") || old_base(r, &f) || keep(r, &f))) return -1;
    return run_forest(r, &f, OX_FLOAT, post);
}

/* ------------------------------------------------------------------------------------------------ classifier */

/* Whether one score stands for two classes: all weights are of one class. *id: that class. */
static bool is_binary(ox_call *c, const ox_ml_labels *l, int64_t *id) {
    int n;
    const int64_t *ids = ox_get_ints(c, "class_ids", &n);
    *id = ids && n ? ids[0] : 0;
    if (l->n != 2) return false;
    for (int i = 1; ids && i < n; i++)
        if (ids[i] != ids[0]) return false;
    return ids != NULL;
}

int ox_infer_tree_classifier(ox_call *c) {
    ox_ml_labels l;
    ox_ml_labels_of(c, "classlabels_int64s", "classlabels_strings", &l);
    ox_dim d[2] = {ox_ml_sample_dim(c), l.n ? ox_dim_const(c->ctx, l.n == 1 ? 2 : l.n) : NULL};
    ox_out_tensor(c, 0, ox_ml_labels_type(&l), 1, d);
    ox_out_tensor(c, 1, OX_FLOAT, 2, d);
    return 0;
}

/* Both scores and the class from the one of class `id`; margins may be negative, probabilities not. */
static int64_t binary_scores(ox_ml_post post, bool positive, float score, float *v) {
    int64_t k = positive ? score > 0.5f : score > 0;
    v[0] = score;
    ox_ml_post_two(post, v, positive && post == OX_ML_NONE ? 1 : 2);
    return k;
}

static int read_classifier(ox_run *r, const ox_ml_labels *l, forest *f) {
    int64_t id;
    f->binary = is_binary(r->call, l, &id);
    f->positive = true;
    if (old_read(r, f, "class")) return -1;
    if (f->binary) f->targets = 1;
    for (int64_t i = 0; i < f->n_weights; i++) {
        f->positive &= f->weights[i].w >= 0;
        if (f->binary) f->weights[i].target = 0;
    }
    return old_base(r, f) ? -1 : keep(r, f);
}

int ox_run_tree_classifier(ox_run *r) {
    ox_ml_labels l;
    int64_t n, features;
    ox_ml_labels_of(r->call, "classlabels_int64s", "classlabels_strings", &l);
    forest f = {.targets = l.n, .aggregate = 1};
    int post = ox_ml_post_of(r->call);
    if (!l.n) return ox_fail(r->ctx, OX_BAD_DATA, "the labels are missing");
    if (post < 0 || (!restore(r, &f) && read_classifier(r, &l, &f))) return -1;
    const double *x = samples(r, &f, &n, &features);
    ox_tensor *y = x ? ox_output(r, 0, ox_ml_labels_type(&l), 1, &n) : NULL;
    ox_tensor *scores = y && ox_want(r, 1) ? ox_output(r, 1, OX_FLOAT, 2, (int64_t[]){n, l.n}) : NULL;
    if (!y || (ox_want(r, 1) && !scores)) return -1;
    double *out = OX_NEW_N(r->arena, double, l.n);
    float *v = OX_NEW_N(r->arena, float, l.n + 1);
    bool *met = OX_NEW_N(r->arena, bool, l.n);
    for (int64_t i = 0; i < n; i++, x += features) {
        int64_t k = 0;
        if (evaluate(r, &f, x, out, met)) return -1;
        if (f.binary) {
            k = binary_scores((ox_ml_post)post, f.positive, (float)out[0], v);
        } else {
            for (int64_t t = 0; t < l.n; t++) {
                v[t] = (float)out[t];
                if (v[t] > v[k]) k = t;
            }
            ox_ml_post_apply((ox_ml_post)post, v, l.n);
        }
        if (ox_ml_label(r, y, i, &l, k)) return -1;
        if (scores) memcpy((float *)ox_tensor_mut(scores) + i * l.n, v, (size_t)l.n * sizeof *v);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ TreeEnsemble */

/* Members of the sets, in the order of the nodes that test them, NaN after each. */
static int new_members(ox_run *r, forest *f) {
    int64_t at = 0;
    f->members = reals(r, NULL, "membership_values", &f->n_members);
    for (int64_t i = 0; i < f->n; i++) {
        tree_node *n = &f->nodes[i];
        if (n->mode != T_MEMBER) continue;
        n->first = at;
        while (at < f->n_members && !isnan(f->members[at])) at++;
        if (!f->members || at > f->n_members) return ox_fail(r->ctx, OX_BAD_DATA, "membership_values ends early");
        n->count = at - n->first;
        at++;
    }
    return 0;
}

/* A child as a node: leaves stand behind the inner nodes. */
static int64_t new_child(const forest *f, int64_t inner, int64_t id, int64_t leaf) {
    if (id < 0 || id >= (leaf ? f->n - inner : inner)) return -1;
    return leaf ? inner + id : id;
}

static int new_read(ox_run *r, forest *f) {
    ox_call *c = r->call;
    int64_t inner, n_modes, n_leaves;
    int nm, nr;
    const double *split = reals(r, NULL, "nodes_splits", &inner),
                 *modes = split ? reals(r, NULL, "nodes_modes", &n_modes) : NULL;
    const double *w = modes ? reals(r, NULL, "leaf_weights", &n_leaves) : NULL;
    const int64_t *targets = w ? ints_of(r, "leaf_targetids", n_leaves) : NULL,
                  *features = targets ? ints_of(r, "nodes_featureids", inner) : NULL;
    const int64_t *yes = features ? ints_of(r, "nodes_truenodeids", inner) : NULL,
                  *no = yes ? ints_of(r, "nodes_falsenodeids", inner) : NULL;
    const int64_t *yes_leaf = no ? ints_of(r, "nodes_trueleafs", inner) : NULL,
                  *no_leaf = yes_leaf ? ints_of(r, "nodes_falseleafs", inner) : NULL;
    const int64_t *missing = ox_get_ints(c, "nodes_missing_value_tracks_true", &nm),
                  *roots = ox_get_ints(c, "tree_roots", &nr);
    if (!no_leaf) ox_check_memory(r->ctx);
    if (!no_leaf || !roots || n_modes != inner || (missing && nm && nm != inner))
        return ox_fail(r->ctx, OX_BAD_DATA, "the lists of nodes or leaves are missing or differ in length");
    f->n = inner + n_leaves;
    f->n_roots = nr;
    f->n_weights = n_leaves;
    f->nodes = ox_scratch(r, ((uint64_t)f->n + 1) * sizeof *f->nodes);
    f->weights = f->nodes ? ox_scratch(r, ((uint64_t)n_leaves + 1) * sizeof *f->weights) : NULL;
    f->roots = f->weights ? ox_scratch(r, ((uint64_t)nr + 1) * sizeof *f->roots) : NULL;
    if (!f->roots) return -1;
    for (int64_t i = 0; i < f->n; i++) {
        f->nodes[i] = (tree_node){.mode = T_LEAF, .first = i - inner, .count = 1};
        if (i >= inner) {
            int64_t t = targets[i - inner];
            if (t < 0 || t >= f->targets)
                return ox_fail(r->ctx, OX_BAD_DATA, "leaf %lld has target %lld", (long long)(i - inner), (long long)t);
            f->weights[i - inner] = (tree_weight){i, t, w[i - inner]};
            continue;
        }
        tree_node n = {.missing_true = missing && nm && missing[i], .feature = features[i], .split = split[i]};
        n.mode = modes[i] >= 0 && modes[i] <= T_MEMBER ? (uint8_t)modes[i] : 255;
        n.yes = new_child(f, inner, yes[i], yes_leaf[i]);
        n.no = new_child(f, inner, no[i], no_leaf[i]);
        if (n.mode == 255 || n.yes < 0 || n.no < 0)
            return ox_fail(r->ctx, OX_BAD_DATA, "node %lld has an unknown mode or child", (long long)i);
        f->nodes[i] = n;
    }
    for (int i = 0; i < nr; i++) {
        if (roots[i] < 0 || roots[i] >= inner)
            return ox_fail(r->ctx, OX_BAD_DATA, "tree_roots holds %lld", (long long)roots[i]);
        f->roots[i] = roots[i];
    }
    return new_members(r, f);
}

int ox_run_tree_ensemble(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    int64_t how = ox_get_int(r->call, "aggregate_function"), post = ox_get_int(r->call, "post_transform");
    forest f = {.targets = target_count(r->call), .aggregate = (int)how};
    if (!x || how < 0 || how > 3 || post < 0 || post > 4 || f.targets < 1 || f.targets > INT32_MAX)
        return ox_fail(r->ctx, OX_BAD_DATA, "aggregate_function, post_transform or n_targets is out of range");
    if (!restore(r, &f) && (new_read(r, &f) || keep(r, &f))) return -1;
    return run_forest(r, &f, x->dtype, (int)post);
}
