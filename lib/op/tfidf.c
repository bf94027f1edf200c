/* TfIdfVectorizer: counts n-grams of a pool in sequences. Words become numbers first; the grams of the pool are
 * sorted, so that those with a common beginning lie together and a sequence is followed by narrowing a range, item by
 * item. The row is in string.c. */
#include "op/kernel.h"
#include "op/text.h"

#include <stdlib.h>

typedef struct gram {
    const int64_t *items;
    int64_t n, out;
    float weight;
} gram;

typedef struct word { ox_str s; int64_t id; } word;

typedef struct tfidf {
    gram *grams; /* sorted */
    int64_t n, width;
    word *words; /* sorted; NULL: items are numbers */
    int64_t n_words, min, max, skips;
} tfidf;

static int order_words(const void *a, const void *b) {
    const ox_str *x = &((const word *)a)->s, *y = &((const word *)b)->s;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = n ? memcmp(x->data, y->data, n) : 0;
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* By items, a gram before those it begins. */
static int order_grams(const void *a, const void *b) {
    const gram *x = a, *y = b;
    for (int64_t i = 0; i < x->n && i < y->n; i++)
        if (x->items[i] != y->items[i]) return x->items[i] < y->items[i] ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n);
}

/* Output places are numbered by ngram_indexes: the vector is as wide as the largest needs. -1 after ox_fail. */
static int64_t vector_width(ox_call *c) {
    int n;
    int64_t width = 0;
    const int64_t *at = ox_get_ints(c, "ngram_indexes", &n);
    for (int i = 0; i < n; i++) {
        if (at[i] < 0 || at[i] >= INT32_MAX)
            return ox_fail(c->ctx, OX_BAD_DATA, "ngram_indexes holds %lld", (long long)at[i]);
        width = at[i] >= width ? at[i] + 1 : width;
    }
    return width;
}

int ox_infer_tfidf(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    int64_t width = vector_width(c);
    if (width < 0) return -1;
    if (rank > 2 || rank == 0) return ox_fail(c->ctx, OX_BAD_DATA, "X has rank %d", rank);
    ox_dim d[2] = {rank == 2 ? ox_in_dims(c, 0)[0] : NULL, ox_dim_const(c->ctx, width)};
    ox_out_tensor(c, 0, OX_FLOAT, rank, rank == 1 ? d + 1 : d);
    return 0;
}

/* The pool as numbers: its own, or those of its words. */
static const int64_t *read_pool(ox_run *r, tfidf *v, int64_t *n) {
    const ox_attr *text = ox_get_attr(r->call, "pool_strings");
    int k;
    const int64_t *ints = ox_get_ints(r->call, "pool_int64s", &k);
    *n = k;
    if (!text || text->type != OX_A_STRINGS || !text->n) return ints;
    *n = v->n_words = (int64_t)text->n;
    v->words = ox_scratch(r, (uint64_t)*n * sizeof *v->words);
    int64_t *ids = v->words ? ox_scratch(r, (uint64_t)*n * sizeof *ids) : NULL;
    if (!ids) return NULL;
    for (int64_t i = 0; i < *n; i++) v->words[i] = (word){text->ss[i], i};
    qsort(v->words, (size_t)*n, sizeof *v->words, order_words);
    for (int64_t i = 0, first = 0; i < *n; i++) {
        if (order_words(&v->words[first], &v->words[i])) first = i;
        ids[v->words[i].id] = first;
    }
    for (int64_t i = 0; i < *n; i++) v->words[i].id = ids[v->words[i].id];
    return ids;
}

/* The pool is made of attributes alone: it is read by the first run. */
typedef struct kept_pool {
    tfidf v;
    gram *grams;
    word *words;
    int64_t *ids;
} kept_pool;

static void free_pool(void *data) {
    kept_pool *k = data;
    ox_payload_free(k->grams);
    ox_payload_free(k->words);
    ox_payload_free(k->ids);
    ox_payload_free(k);
}

static bool copy_array(ox_run *r, void *to, const void *from, int64_t n, size_t size) {
    void *p = ox_payload_alloc(r->ctx, (size_t)n * size + 1); /* as large as one in scratch memory */
    if (p && n) memcpy(p, from, (size_t)n * size);
    memcpy(to, &p, sizeof p);
    return p != NULL;
}

/* IDS: what the items of grams point into when the pool has words. */
static int keep_pool(ox_run *r, tfidf *v, const int64_t *ids) {
    if (!r->kept) return 0;
    kept_pool *k = ox_payload_alloc(r->ctx, sizeof *k);
    if (!k) return -1;
    memset(k, 0, sizeof *k);
    if (!copy_array(r, &k->grams, v->grams, v->n, sizeof *v->grams) ||
        (v->words && (!copy_array(r, &k->words, v->words, v->n_words, sizeof *v->words) || !copy_array(r, &k->ids, ids, v->n_words, sizeof *ids)))) {
        free_pool(k);
        return -1;
    }
    for (int64_t i = 0; k->ids && i < v->n; i++) k->grams[i].items = k->ids + (v->grams[i].items - ids);
    v->grams = k->grams;
    v->words = k->words;
    k->v = *v;
    r->kept->data = k;
    r->kept->free = free_pool;
    return 0;
}

/* Cuts the pool into grams: counts[k] is where those of k + 1 items begin. */
static int read_grams(ox_run *r, tfidf *v) {
    int n_counts, n_at, n_weights;
    int64_t n_pool;
    const int64_t *counts = ox_get_ints(r->call, "ngram_counts", &n_counts),
                  *at = ox_get_ints(r->call, "ngram_indexes", &n_at);
    const float *weights = ox_get_floats(r->call, "weights", &n_weights);
    const int64_t *pool = read_pool(r, v, &n_pool);
    if (!pool || !counts || (weights && n_weights && n_weights != n_at))
        return ox_fail(r->ctx, OX_BAD_DATA, "the pool, ngram_counts or weights are missing or do not fit");
    v->grams = ox_scratch(r, ((uint64_t)n_at + 1) * sizeof *v->grams);
    if (!v->grams) return -1;
    for (int k = 0; k < n_counts; k++) {
        int64_t from = counts[k], to = k + 1 < n_counts ? counts[k + 1] : n_pool;
        if (from < 0 || to < from || to > n_pool || (to - from) % (k + 1))
            return ox_fail(r->ctx, OX_BAD_DATA, "ngram_counts does not fit the pool");
        for (; from < to; from += k + 1) {
            if (v->n >= n_at) return ox_fail(r->ctx, OX_BAD_DATA, "the pool holds more n-grams than ngram_indexes");
            v->grams[v->n] = (gram){pool + from, k + 1, at[v->n], weights && n_weights ? weights[v->n] : 1};
            v->n++;
        }
    }
    if (v->n) qsort(v->grams, (size_t)v->n, sizeof *v->grams, order_grams);
    return keep_pool(r, v, pool);
}

/* Narrows grams lo .. hi, equal in `depth` items, to those whose next item is `item`. */
static void narrow(const tfidf *v, int64_t *lo, int64_t *hi, int64_t depth, int64_t item) {
    int64_t end = *hi, a = *lo, b = end;
    while (a < b) {
        int64_t mid = a + (b - a) / 2;
        const gram *g = &v->grams[mid];
        if (g->n <= depth || g->items[depth] < item) a = mid + 1;
        else b = mid;
    }
    *lo = a;
    for (b = end; a < b;) {
        int64_t mid = a + (b - a) / 2;
        if (v->grams[mid].items[depth] <= item) a = mid + 1;
        else b = mid;
    }
    *hi = a;
}

/* All grams that begin at one place and take every step-th item. */
static void count_from(const tfidf *v, const int64_t *row, int64_t n, int64_t start, int64_t step, int64_t min,
                       char mode, float *out) {
    int64_t lo = 0, hi = v->n;
    for (int64_t k = 0; k < v->max && start + k * step < n && lo < hi; k++) {
        narrow(v, &lo, &hi, k, row[start + k * step]);
        if (k + 1 < min) continue;
        for (int64_t g = lo; g < hi && v->grams[g].n == k + 1; g++) { /* the complete ones come first */
            float *o = &out[v->grams[g].out];
            *o = mode == 'i' ? v->grams[g].weight : *o + (mode == 't' ? 1 : v->grams[g].weight);
        }
    }
}

static void count_row(const tfidf *v, const int64_t *row, int64_t n, char mode, float *out) {
    for (int64_t step = 1; step <= v->skips + 1 && step <= n; step++) {
        int64_t min = step > 1 && v->min == 1 ? 2 : v->min; /* single items do not depend on the step */
        for (int64_t i = 0; i < n && min <= v->max; i++) count_from(v, row, n, i, step, min, mode, out);
    }
}

/* Elements as numbers: words of the pool by their id, others -1. */
static const int64_t *read_items(ox_run *r, const tfidf *v) {
    const ox_tensor *x = ox_input(r, 0);
    if (x->dtype != OX_STRING)
        return v->words ? (ox_fail(r->ctx, OX_BAD_DATA, "a pool of text for numbers"), NULL) : ox_run_ints(r, 0, NULL);
    const ox_str *s = ox_tensor_data(x);
    int64_t *out = s ? ox_scratch(r, ((uint64_t)x->count + 1) * sizeof *out) : NULL;
    for (int64_t i = 0; out && i < x->count; i++) {
        word key = {s[i], 0},
             *hit = v->words ? bsearch(&key, v->words, (size_t)v->n_words, sizeof key, order_words) : NULL;
        out[i] = hit ? hit->id : -1;
    }
    return out;
}

int ox_run_tfidf(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0);
    ox_call *c = r->call;
    const char *mode = ox_get_string(c, "mode");
    char how = !strcmp(mode, "TF") ? 't' : !strcmp(mode, "IDF") ? 'i' : !strcmp(mode, "TFIDF") ? 'b' : 0;
    tfidf v = {.min = ox_get_int(c, "min_gram_length"),
               .max = ox_get_int(c, "max_gram_length"),
               .skips = ox_get_int(c, "max_skip_count")};
    if (!x || x->rank < 1 || x->rank > 2) return ox_fail(r->ctx, OX_BAD_DATA, "X is not of rank 1 or 2");
    if (!how || v.min < 1 || v.max < v.min || v.skips < 0)
        return ox_fail(r->ctx, OX_BAD_DATA, "mode, gram lengths or max_skip_count are out of range");
    if (r->kept && r->kept->data)
        v = ((const kept_pool *)r->kept->data)->v;
    else if ((v.width = vector_width(c)) < 0 || read_grams(r, &v))
        return -1;
    const int64_t *items = read_items(r, &v);
    int64_t rows = x->rank == 2 ? x->dims[0] : 1, n = x->dims[x->rank - 1], dims[2] = {rows, v.width};
    ox_tensor *y = items ? ox_output(r, 0, OX_FLOAT, x->rank, x->rank == 2 ? dims : dims + 1) : NULL;
    if (!y) return -1;
    float *out = ox_tensor_mut(y);
    if (y->bytes) memset(out, 0, (size_t)y->bytes);
    for (int64_t i = 0; i < rows; i++) count_row(&v, items + i * n, n, how, out + i * v.width);
    return 0;
}
