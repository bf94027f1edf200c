/* ai.onnx.ml: keys to values. LabelEncoder, CategoryMapper, and the operators that make or take maps. Keys are sorted
 * once per run and found by bisection; of equal keys the first counts. Rows are in ml.c. */
#include "op/ml.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------------------------------------ keys */

typedef struct key {
    char kind; /* 's' string, 'i' integer, 'f' real: NaN equals NaN */
    int64_t i, at;
    double f;
    ox_str s;
} key;

static int compare_keys(const key *a, const key *b) {
    if (a->kind == 's') {
        size_t n = a->s.len < b->s.len ? a->s.len : b->s.len;
        int c = n ? memcmp(a->s.data, b->s.data, n) : 0;
        return c ? c : (a->s.len > b->s.len) - (a->s.len < b->s.len);
    }
    if (a->kind == 'i') return (a->i > b->i) - (a->i < b->i);
    if (isnan(a->f) || isnan(b->f)) return isnan(a->f) - isnan(b->f);
    return (a->f > b->f) - (a->f < b->f);
}

static int order_keys(const void *x, const void *y) {
    const key *a = x, *b = y;
    int c = compare_keys(a, b);
    return c ? c : (a->at > b->at) - (a->at < b->at);
}

/* Place of the first key equal to k, or -1. */
static int64_t find_key(const key *keys, int64_t n, const key *k) {
    int64_t lo = 0, hi = n;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (compare_keys(&keys[mid], k) < 0) lo = mid + 1;
        else hi = mid;
    }
    return lo < n && compare_keys(&keys[lo], k) == 0 ? keys[lo].at : -1;
}

/* A list of values of any type: of an attribute, or elements of a tensor. */
typedef struct list {
    int64_t n;
    ox_dtype type; /* OX_UNDEFINED: not given */
    const void *data;
} list;

static int list_of(const ox_call *c, const char *floats, const char *ints, const char *strings, const char *tensor,
                   list *l) {
    int n;
    const ox_attr *t = tensor ? ox_get_attr(c, tensor) : NULL;
    *l = (list){0};
    if (t && t->type == OX_A_TENSOR && t->t) {
        *l = (list){t->t->count, t->t->dtype, ox_tensor_data(t->t)};
        return l->data ? 0 : -1;
    }
    if ((l->data = ox_ml_strings(c, strings, &l->n))) {
        l->type = OX_STRING;
    } else if ((l->data = ox_get_ints(c, ints, &n))) {
        l->type = OX_INT64;
        l->n = n;
    } else if (floats && (l->data = ox_get_floats(c, floats, &n))) {
        l->type = OX_FLOAT;
        l->n = n;
    }
    return 0;
}

static void key_at(const list *l, int64_t i, key *k) {
    *k = (key){.kind = l->type == OX_STRING ? 's' : ox_dtype_is_float(l->type) ? 'f' : 'i', .at = i};
    if (k->kind == 's') k->s = ((const ox_str *)l->data)[i];
    else if (k->kind == 'f') k->f = ox_load_double(l->type, l->data, i);
    else k->i = ox_load_int(l->type, l->data, i);
}

static key *sort_keys(ox_run *r, const list *l) {
    key *k = ox_scratch(r, ((uint64_t)l->n + 1) * sizeof *k);
    for (int64_t i = 0; k && i < l->n; i++) key_at(l, i, &k[i]);
    if (k && l->n) qsort(k, (size_t)l->n, sizeof *k, order_keys);
    return k;
}

/* Copies element i of a list, converted where the types differ. */
static int put_value(ox_tensor *out, int64_t at, const list *l, int64_t i) {
    if (l->type == OX_STRING) {
        const ox_str *s = (const ox_str *)l->data + i;
        return s->len ? ox_tensor_set_str(out, at, s->data, s->len) : 0;
    }
    if (ox_dtype_is_float(l->type))
        ox_store_double(out->dtype, ox_tensor_mut(out), at, ox_load_double(l->type, l->data, i));
    else ox_store_int(out->dtype, ox_tensor_mut(out), at, ox_load_int(l->type, l->data, i));
    return 0;
}

/* Input 0 through keys to values; `dflt` has one entry. */
static int map_elements(ox_run *r, const list *keys, const list *values, const list *dflt) {
    const ox_tensor *x = ox_input(r, 0);
    list in = {x ? x->count : 0, x ? x->dtype : OX_UNDEFINED, x ? ox_tensor_data(x) : NULL};
    if (!in.data) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    if ((keys->type == OX_STRING) != (in.type == OX_STRING) ||
        ox_dtype_is_float(keys->type) != ox_dtype_is_float(in.type))
        return ox_fail(r->ctx, OX_BAD_DATA, "keys of %s for elements of %s", ox_dtype_name(keys->type),
                       ox_dtype_name(in.type));
    if (keys->n != values->n)
        return ox_fail(r->ctx, OX_BAD_DATA, "%lld keys for %lld values", (long long)keys->n, (long long)values->n);
    if (dflt->n < 1 || (dflt->type == OX_STRING) != (values->type == OX_STRING))
        return ox_fail(r->ctx, OX_BAD_DATA, "the default is of another type than the values");
    key *sorted = sort_keys(r, keys), k;
    ox_tensor *y = sorted ? ox_output(r, 0, values->type, x->rank, x->dims) : NULL;
    int rc = y ? 0 : -1;
    for (int64_t i = 0; i < in.n && rc == 0; i++) {
        key_at(&in, i, &k);
        int64_t at = find_key(sorted, keys->n, &k);
        rc = at < 0 ? put_value(y, i, dflt, 0) : put_value(y, i, values, at);
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ LabelEncoder,
 * CategoryMapper */

/* The type values have; version 1 goes from text to numbers or back. */
static int encoder_values(const ox_call *c, ox_dtype in, list *l) {
    if (list_of(c, "values_floats", "values_int64s", "values_strings", "values_tensor", l)) return -1;
    if (l->type == OX_UNDEFINED && ox_has(c, "classes_strings") && in) l->type = in == OX_STRING ? OX_INT64 : OX_STRING;
    return 0;
}

int ox_infer_label_encoder(ox_call *c) {
    list values;
    if (encoder_values(c, ox_in_dtype(c, 0), &values)) return -1;
    ox_out_tensor(c, 0, values.type, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

static const int64_t *numbers(ox_run *r, int64_t n) {
    int64_t *v = OX_NEW_N(r->arena, int64_t, n + 1);
    for (int64_t i = 0; i < n; i++) v[i] = i;
    return v;
}

static int text_default(const ox_call *c, ox_str *s) {
    s->data = ox_get_string(c, "default_string");
    s->len = strlen(s->data);
    return 0;
}

int ox_run_label_encoder(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    const ox_call *c = r->call;
    list keys, values, dflt = {1, OX_UNDEFINED, NULL};
    if (!x || encoder_values(c, x->dtype, &values)) return x ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "X is no tensor");
    if (list_of(c, "keys_floats", "keys_int64s", "keys_strings", "keys_tensor", &keys)) return -1;
    if (keys.type == OX_UNDEFINED && ox_has(c, "classes_strings")) {
        int64_t n;
        const ox_str *classes = ox_ml_strings(c, "classes_strings", &n);
        list names = {n, OX_STRING, classes}, places = {n, OX_INT64, numbers(r, n)};
        keys = x->dtype == OX_STRING ? names : places;
        values = x->dtype == OX_STRING ? places : names;
    }
    if (keys.type == OX_UNDEFINED || values.type == OX_UNDEFINED)
        return ox_fail(r->ctx, OX_BAD_DATA, "keys or values are missing");
    const ox_attr *t = ox_get_attr(c, "default_tensor");
    int64_t i = ox_get_int(c, "default_int64");
    float f = (float)ox_get_float(c, "default_float");
    ox_str s;
    if (t && t->type == OX_A_TENSOR && t->t) dflt = (list){t->t->count, t->t->dtype, ox_tensor_data(t->t)};
    else if (values.type == OX_STRING && !text_default(c, &s)) dflt = (list){1, OX_STRING, &s};
    else if (ox_dtype_is_float(values.type)) dflt = (list){1, OX_FLOAT, &f};
    else dflt = (list){1, OX_INT64, &i};
    return dflt.data ? map_elements(r, &keys, &values, &dflt) : -1;
}

int ox_infer_category_mapper(ox_call *c) {
    ox_dtype t = ox_in_dtype(c, 0);
    ox_out_tensor(c, 0, t == OX_STRING ? OX_INT64 : t ? OX_STRING : OX_UNDEFINED, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

int ox_run_category_mapper(ox_run *r) {
    const ox_call *c = r->call;
    const ox_tensor *x = ox_input(r, 0);
    int n;
    list strings = {0, OX_STRING, NULL}, ints = {0, OX_INT64, NULL}, dflt;
    strings.data = ox_ml_strings(c, "cats_strings", &strings.n);
    ints.data = ox_get_ints(c, "cats_int64s", &n);
    ints.n = n;
    if (!x || !strings.data || !ints.data) return ox_fail(r->ctx, OX_BAD_DATA, "X or the categories are missing");
    bool text = x->dtype == OX_STRING;
    int64_t i = ox_get_int(c, "default_int64");
    ox_str s;
    text_default(c, &s);
    dflt = text ? (list){1, OX_INT64, &i} : (list){1, OX_STRING, &s};
    return map_elements(r, text ? &strings : &ints, text ? &ints : &strings, &dflt);
}

/* ------------------------------------------------------------------------------------------------ maps */

/* Keys and values of a map; -1 after ox_fail. */
static int open_map(ox_run *r, list *keys, list *values) {
    const ox_rt *m = ox_input_rt(r, 0);
    const ox_rt *v = m && m->kind == OX_RT_MAP && m->n == 1 ? m->items[0] : NULL;
    if (!v || v->kind != OX_RT_TENSOR || v->t->count != m->t->count)
        return ox_fail(r->ctx, OX_BAD_DATA, "the input is no map of plain values");
    *keys = (list){m->t->count, m->t->dtype, ox_tensor_data(m->t)};
    *values = (list){v->t->count, v->t->dtype, ox_tensor_data(v->t)};
    return keys->data && values->data ? 0 : -1;
}

static ox_dtype cast_to(ox_call *c) {
    const char *s = ox_get_string(c, "cast_to");
    if (!strcmp(s, "TO_STRING")) return OX_STRING;
    return !strcmp(s, "TO_INT64") ? OX_INT64 : OX_FLOAT;
}

int ox_infer_cast_map(ox_call *c) {
    bool sparse = !strcmp(ox_get_string(c, "map_form"), "SPARSE");
    int64_t max = ox_get_int(c, "max_map");
    ox_dim d[2] = {ox_dim_const(c->ctx, 1), sparse && max >= 0 ? ox_dim_const(c->ctx, max) : ox_dim_fresh(c->ctx)};
    ox_out_tensor(c, 0, cast_to(c), 2, d);
    return 0;
}

/* One value of a map as an element of an output, by way of text where one side is text. */
static int cast_value(ox_run *r, ox_tensor *y, int64_t at, const list *values, int64_t i) {
    char text[32];
    double v = 0;
    if (values->type == OX_STRING) {
        const ox_str *s = (const ox_str *)values->data + i;
        if (y->dtype == OX_STRING) return put_value(y, at, values, i);
        if (!ox_parse_double(s->data, s->len, &v))
            return ox_fail(r->ctx, OX_BAD_DATA, "'%.*s' is no number", (int)s->len, s->data);
    } else {
        v = ox_load_double(values->type, values->data, i);
    }
    if (y->dtype == OX_STRING) return ox_tensor_set_str(y, at, text, (size_t)ox_float_text(text, (float)v));
    ox_store_double(y->dtype, ox_tensor_mut(y), at, v);
    return 0;
}

int ox_run_cast_map(ox_run *r) {
    list keys, values;
    bool sparse = !strcmp(ox_get_string(r->call, "map_form"), "SPARSE");
    int64_t max = ox_get_int(r->call, "max_map");
    if (open_map(r, &keys, &values)) return -1;
    if (keys.type != OX_INT64) return ox_fail(r->ctx, OX_BAD_DATA, "the keys are no integers");
    key *k = sort_keys(r, &keys);
    int64_t dims[2] = {1, sparse ? max : keys.n}, at = 0;
    ox_tensor *y = k && dims[1] >= 0 ? ox_output(r, 0, cast_to(r->call), 2, dims) : NULL;
    if (!y) return k && dims[1] < 0 ? ox_fail(r->ctx, OX_BAD_DATA, "max_map is %lld", (long long)max) : -1;
    if (y->dtype != OX_STRING && y->bytes) memset(ox_tensor_mut(y), 0, (size_t)y->bytes);
    for (int64_t i = 0; i < keys.n; i++) {
        int64_t to = sparse ? k[i].i : at++;
        if (to < 0) return ox_fail(r->ctx, OX_BAD_DATA, "key %lld", (long long)to);
        if (to < dims[1] && cast_value(r, y, to, &values, k[i].at)) return -1;
    }
    return 0;
}

int ox_infer_dict_vectorizer(ox_call *c) {
    ox_ml_labels l;
    ox_ml_labels_of(c, "int64_vocabulary", "string_vocabulary", &l);
    const ox_type *t = ox_in_type(c, 0);
    bool known = t && t->kind == OX_K_MAP && ox_type_is_tensor(t->elem);
    ox_dim d[2] = {ox_dim_const(c->ctx, 1), ox_dim_const(c->ctx, l.n)};
    ox_out_tensor(c, 0, known ? t->elem->dtype : OX_UNDEFINED, 2, d);
    return 0;
}

int ox_run_dict_vectorizer(ox_run *r) {
    list keys, values, words;
    if (open_map(r, &keys, &values) || list_of(r->call, NULL, "int64_vocabulary", "string_vocabulary", NULL, &words))
        return -1;
    if (words.type != keys.type) return ox_fail(r->ctx, OX_BAD_DATA, "the vocabulary is not of the keys' type");
    int64_t dims[2] = {1, words.n};
    key *sorted = sort_keys(r, &keys), k;
    ox_tensor *y = sorted ? ox_output(r, 0, values.type, 2, dims) : NULL;
    if (!y) return -1;
    if (y->dtype != OX_STRING && y->bytes) memset(ox_tensor_mut(y), 0, (size_t)y->bytes);
    int rc = 0;
    for (int64_t i = 0; i < words.n && rc == 0; i++) {
        key_at(&words, i, &k);
        int64_t at = find_key(sorted, keys.n, &k);
        if (at >= 0) rc = put_value(y, i, &values, at);
    }
    return rc;
}

/* ------------------------------------------------------------------------------------------------ ZipMap */

int ox_infer_zip_map(ox_call *c) {
    ox_ml_labels l;
    ox_ml_labels_of(c, "classlabels_int64s", "classlabels_strings", &l);
    ox_type *map = ox_type_of(c->arena, OX_K_MAP, ox_type_tensor(c->arena, OX_FLOAT, 0, NULL));
    map->dtype = ox_ml_labels_type(&l);
    ox_out_type(c, 0, ox_type_of(c->arena, OX_K_SEQUENCE, map));
    return 0;
}

/* One map: the shared keys and a row of scores. NULL after ox_fail. */
static ox_rt *zip_row(ox_run *r, ox_tensor *keys, const float *v, int64_t n) {
    ox_tensor *values = ox_tensor_new(r->ctx, OX_FLOAT, 1, &n);
    if (!values) return NULL;
    if (n) memcpy(ox_tensor_mut(values), v, (size_t)n * sizeof *v);
    ox_rt *item = ox_rt_tensor(r->ctx, values), *map = item ? ox_rt_sequence(r->ctx, &item, 1, OX_FLOAT) : NULL;
    if (!map) return NULL;
    map->kind = OX_RT_MAP;
    map->t = ox_tensor_ref(keys);
    return map;
}

int ox_run_zip_map(ox_run *r) {
    int64_t n, features;
    ox_ml_labels l;
    const float *v = ox_ml_samples(r, &n, &features);
    ox_ml_labels_of(r->call, "classlabels_int64s", "classlabels_strings", &l);
    if (!v) return -1;
    if (l.n != features)
        return ox_fail(r->ctx, OX_BAD_DATA, "%lld labels for %lld columns", (long long)l.n, (long long)features);
    ox_rt **items = ox_scratch(r, ((uint64_t)n + 1) * sizeof *items);
    ox_tensor *keys = items ? ox_tensor_new(r->ctx, ox_ml_labels_type(&l), 1, &l.n) : NULL;
    int64_t k = 0;
    int rc = keys ? 0 : -1;
    for (int64_t i = 0; i < l.n && rc == 0; i++) rc = ox_ml_label(r, keys, i, &l, i);
    for (; k < n && rc == 0; k++)
        if (!(items[k] = zip_row(r, keys, v + k * features, features))) break;
    ox_tensor_unref(keys);
    if (rc == 0 && k == n) return ox_output_rt(r, 0, ox_rt_sequence(r->ctx, items, n, OX_FLOAT));
    while (k > 0) ox_rt_unref(items[--k]);
    return -1;
}
