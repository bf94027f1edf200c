/* Inputs made from a seed: the same model, seed and sample give the same values on every machine.
 *
 * Numbers come from a generator of our own (splitmix64) with a stream per input, named by the input, so that a
 * change of one input leaves the others as they are; bell curves are sums of uniform numbers, exact in double. Sizes
 * of open dimensions are taken by name from a table of kinds; each sample has other sizes, and samples after the
 * first ones try stranger sizes, for models that take few. */
#include "exec/inputs.h"

#include <string.h>

typedef enum kind { BATCH, SEQ, PAST, IMAGE, AUDIO, TOTAL } kind;

typedef struct sizes {
    int64_t of[5];    /* by kind, without TOTAL */
    int64_t integers; /* integers without a known limit lie below */
} sizes;

static const sizes table[] = {
    {{1, 16, 8, 64, 16000}, 100}, {{2, 8, 5, 96, 12000}, 100}, {{2, 24, 8, 64, 512}, 100},
    {{1, 16, 8, 224, 512}, 100},  {{1, 64, 16, 256, 576}, 8},  {{1, 8, 0, 32, 1024}, 8},
    {{1, 1, 1, 128, 256}, 2},     {{2, 32, 4, 320, 8000}, 2},  {{1, 512, 8, 640, 4096}, 1},
};
_Static_assert(sizeof table / sizeof table[0] == OX_INPUT_SIZES, "as many as inputs.h says");

typedef struct maker {
    ox_ctx *ctx;
    const ox_inputs_options *o;
    const sizes *sizes;
} maker;

/* ---- random numbers */

static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state) { return (double)(next_random(state) >> 11) * 0x1p-53; }

/* Four uniform numbers of 16 bits: mean 0, variance 1, within 3.5. */
static double bell(uint64_t *state) {
    uint64_t r = next_random(state);
    double sum = (double)((r & 0xffff) + (r >> 16 & 0xffff) + (r >> 32 & 0xffff) + (r >> 48));
    return (sum / 65536.0 - 2.0 + 2.0 / 65536.0) * 1.7320508075688772;
}

/* 0 <= result < n. */
static int64_t below(uint64_t *state, int64_t n) {
    if (n <= 1) return 0;
    uint64_t r = next_random(state);
    return n <= UINT32_MAX ? (int64_t)((r >> 32) * (uint64_t)n >> 32) : (int64_t)(r % (uint64_t)n);
}

/* ---- sizes */

/* The name in lower case, cut at 127 bytes. */
static void lower(const char *name, char out[128]) {
    size_t i = 0;
    for (; name[i] && i < 127; i++) out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    out[i] = 0;
}

static bool has_any(const char *name, const char *const *words) {
    for (; *words; words++)
        if (strstr(name, *words)) return true;
    return false;
}

#define HAS(name, ...) has_any((name), (const char *const[]){__VA_ARGS__, NULL})

/* One of the letters, then digits only. */
static bool is_letter(const char *name, const char *letters, bool digits) {
    if (!name[0] || !strchr(letters, name[0])) return false;
    return digits ? strspn(name + 1, "0123456789") == strlen(name + 1) : !name[1];
}

static bool kind_by_name(const char *symbol, kind *k) {
    char name[128];
    lower(symbol, name);
    if (HAS(name, "total"))
        *k = TOTAL;
    else if (HAS(name, "past", "cache"))
        *k = PAST;
    else if (HAS(name, "seq"))
        *k = SEQ;
    else if (HAS(name, "batch") || is_letter(name, "nb", true))
        *k = BATCH;
    else if (HAS(name, "height", "width") || is_letter(name, "hw", false))
        *k = IMAGE;
    else if (HAS(name, "sample", "audio", "wav"))
        *k = AUDIO;
    else if (HAS(name, "len", "token", "text", "feat", "time", "frame") || is_letter(name, "tul", false))
        *k = SEQ;
    else
        return false;
    return true;
}

static int64_t size_of_kind(const sizes *s, kind k) { return k == TOTAL ? s->of[PAST] + s->of[SEQ] : s->of[k]; }

/* A named symbol that is bound or whose name says what it is. */
static bool symbol_value(void *user, ox_dim symbol, int64_t *n) {
    const maker *m = user;
    ox_sym name = ox_dim_is_symbol(symbol);
    kind k;
    if (!name) return false;
    for (size_t i = 0; i < m->o->n_dims; i++)
        if (!strcmp(m->o->dims[i].name, name)) return *n = m->o->dims[i].value, true;
    if (!kind_by_name(name, &k)) return false;
    *n = size_of_kind(m->sizes, k);
    return true;
}

static bool size_of(void *user, ox_dim d, int64_t *n) { return d && ox_dim_eval(d, symbol_value, user, n) && *n >= 0; }

/* A recurrent state stands as [layers, batch, width]. */
static bool is_state(const char *input, const ox_type *t) {
    char name[128];
    int64_t layers;
    lower(input, name);
    return t->rank == 3 && ox_dim_is_const(t->dims[2], NULL) &&
           (HAS(name, "state", "hidden", "cell") || (ox_dim_is_const(t->dims[0], &layers) && layers > 1));
}

/* By place, when the name says nothing. */
static int64_t size_by_place(const maker *m, const char *input, const ox_type *t, int axis) {
    bool floats = ox_dtype_is_float(t->dtype);
    if (axis == 1 && is_state(input, t)) return size_of_kind(m->sizes, BATCH);
    kind k = axis == 0 ? BATCH : t->rank == 4 && axis >= 2 ? IMAGE : t->rank >= 3 || !floats ? SEQ : AUDIO;
    return size_of_kind(m->sizes, k);
}

/* Symbols whose name says nothing get the size of the place where they are met first, everywhere. */
static int64_t dim_size(maker *m, ox_map *met, const char *input, const ox_type *t, int axis) {
    int64_t n;
    ox_dim d = t->dims[axis];
    if (size_of(m, d, &n)) return n;
    ox_sym name = d ? ox_dim_is_symbol(d) : NULL;
    uintptr_t known = (uintptr_t)ox_map_get(met, name);
    if (known) return (int64_t)(known - 1);
    n = size_by_place(m, input, t, axis);
    ox_map_put(met, name, (void *)((uintptr_t)n + 1)); /* does nothing without a name */
    return n;
}

/* ---- values */

static void fill_floats(ox_tensor *t, const char *name, const maker *m, uint64_t *state) {
    void *data = ox_tensor_mut(t);
    bool ones = HAS(name, "mask"), half = HAS(name, "threshold"),
         rate = !strcmp(name, "sr") || HAS(name, "sample_rate");
    bool curve = m->o->sample % 2 == 0;
    for (int64_t i = 0; i < t->count; i++) {
        double v = curve ? bell(state) : uniform(state);
        ox_store_double(t->dtype, data, i, ones ? 1 : half ? 0.5 : rate ? 16000 : v);
    }
}

/* Complex numbers are pairs. */
static void fill_complex(ox_tensor *t, uint64_t *state) {
    void *data = ox_tensor_mut(t);
    for (int64_t i = 0; i < 2 * t->count; i++)
        ox_store_double(t->dtype == OX_COMPLEX64 ? OX_FLOAT : OX_DOUBLE, data, i, bell(state));
}

static int64_t clamp(int64_t v, ox_int_limit l) {
    return !l.known ? v : v < l.low ? l.low : v >= l.high ? l.high - 1 : v;
}

/* The one value an input of this name takes everywhere; false when its elements differ. */
static bool single_value(const char *name, const maker *m, int64_t *v) {
    const sizes *s = m->sizes;
    if (HAS(name, "mask"))
        *v = 1;
    else if (!strcmp(name, "sr") || HAS(name, "sample_rate"))
        *v = m->o->sample == 2 ? 8000 : 16000;
    else if (HAS(name, "write_ind"))
        *v = 0;
    else if (!strcmp(name, "seqlens_k"))
        *v = size_of_kind(s, TOTAL) - 1;
    else if (HAS(name, "seqlen", "seq_len", "length", "total_seq", "past_seq"))
        *v = size_of_kind(s, HAS(name, "total") ? TOTAL : HAS(name, "past") ? PAST : SEQ);
    else
        return false;
    return true;
}

static void fill_ints(ox_tensor *t, const char *name, const maker *m, ox_int_limit limit, uint64_t *state) {
    void *data = ox_tensor_mut(t);
    int64_t single = 0, low = limit.known ? limit.low : 0, high = limit.known ? limit.high : m->sizes->integers;
    bool same = single_value(name, m, &single), positions = HAS(name, "position");
    int64_t last = t->rank && t->dims[t->rank - 1] > 0 ? t->dims[t->rank - 1] : 1;
    unsigned bits = ox_dtype_bits(t->dtype);
    if (HAS(name, "token_type", "segment") && high - low > 2) high = low + 2;
    if (!limit.known && bits <= 8) { /* bytes and less: what the type holds */
        int64_t half = (int64_t)1 << (bits - 1);
        low = ox_dtype_is_signed(t->dtype) ? -half : 0;
        high = low + 2 * half;
    }
    for (int64_t i = 0; i < t->count; i++) {
        int64_t v = low + below(state, high - low);
        ox_store_int(t->dtype, data, i, same ? clamp(single, limit) : positions ? clamp(i % last, limit) : v);
    }
}

static void fill_bools(ox_tensor *t, const char *name, uint64_t *state) {
    uint8_t *data = ox_tensor_mut(t);
    for (int64_t i = 0; i < t->count; i++) data[i] = HAS(name, "mask") || (next_random(state) >> 40 & 1);
}

static int fill_strings(ox_tensor *t, uint64_t *state) {
    static const char *const words[] = {"alpha", "beta", "gamma", "delta epsilon", "one two three"};
    for (int64_t i = 0; i < t->count; i++) {
        const char *w = words[below(state, 5)];
        if (ox_tensor_set_str(t, i, w, strlen(w))) return -1;
    }
    return 0;
}

static int fill(ox_tensor *t, const char *given, const maker *m, ox_int_limit limit, uint64_t *state) {
    char name[128];
    lower(given, name);
    memset(ox_tensor_mut(t), 0, t->dtype == OX_STRING ? 0 : (size_t)t->bytes); /* padding of packed types */
    if (t->dtype == OX_STRING) return fill_strings(t, state);
    if (t->dtype == OX_BOOL)
        fill_bools(t, name, state);
    else if (t->dtype == OX_COMPLEX64 || t->dtype == OX_COMPLEX128)
        fill_complex(t, state);
    else if (ox_dtype_is_float(t->dtype))
        fill_floats(t, name, m, state);
    else
        fill_ints(t, name, m, limit, state);
    return 0;
}

/* ---- inputs */

typedef struct job {
    maker m;
    ox_model *model;
    ox_rt **in;
    ox_arena *scratch;
    ox_map met;
} job;

static ox_rt *make_tensor(job *j, const ox_value *x, const ox_type *type, uint64_t *state) {
    int rank = type->rank < 0 ? 1 : type->rank;
    int64_t *dims = OX_NEW_N(j->scratch, int64_t, rank + 1);
    for (int i = 0; i < rank; i++)
        dims[i] = type->rank < 0 ? j->m.sizes->of[SEQ] : dim_size(&j->m, &j->met, x->name, type, i);
    ox_tensor *t = ox_tensor_new(j->m.ctx, type->dtype ? type->dtype : OX_FLOAT, rank, dims);
    if (!t) return NULL;
    ox_int_limit limit = {0, 0, false};
    if (ox_dtype_is_int(t->dtype)) limit = ox_find_limit(j->m.ctx, x, size_of, &j->m);
    if (fill(t, x->name ? x->name : "", &j->m, limit, state)) {
        ox_tensor_unref(t);
        return NULL;
    }
    return ox_rt_tensor(j->m.ctx, t);
}

static ox_rt *make_value(job *j, const ox_value *x, const ox_type *type, uint64_t *state) {
    if (type && type->kind == OX_K_OPTIONAL) type = type->elem;
    if (ox_type_is_tensor(type)) return make_tensor(j, x, type, state);
    if (type && type->kind == OX_K_SEQUENCE && ox_type_is_tensor(type->elem)) {
        ox_rt *items[3] = {NULL};
        bool ok = true;
        for (int i = 0; i < 3; i++) ok = (items[i] = make_tensor(j, x, type->elem, state)) && ok;
        if (ok) return ox_rt_sequence(j->m.ctx, items, 3, type->elem->dtype);
        for (int i = 0; i < 3; i++) ox_rt_unref(items[i]);
        return NULL;
    }
    ox_fail(j->m.ctx, OX_UNAVAILABLE, "no values can be made for type %s", ox_type_text(j->scratch, type));
    return NULL;
}

static int make_all(void *arg) {
    job *j = arg;
    const ox_graph *g = j->model->graph;
    j->scratch = ox_arena_new(j->m.ctx);
    ox_map_init(&j->met, j->scratch);
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ox_value *x = g->inputs[i];
        if (x->data || x->sparse || j->in[i]) continue;
        uint64_t state = ox_hash(x->name, strlen(x->name), j->m.o->seed * 1000003u + (uint64_t)j->m.o->sample);
        j->in[i] = make_value(j, x, x->type, &state);
        if (!j->in[i]) return ox_fail_in(j->m.ctx, "input '%s'", x->name);
    }
    return 0;
}

int ox_make_inputs(ox_model *m, const ox_inputs_options *o, ox_rt **in) {
    size_t n = m->graph->n_inputs;
    job j = {.m = {m->ctx, o, &table[(size_t)(o->sample < 0 ? 0 : o->sample) % OX_INPUT_SIZES]}, .model = m, .in = in};
    for (size_t i = 0; i < n && !o->only_missing; i++) in[i] = NULL;
    int rc = ox_protect(m->ctx, make_all, &j);
    for (size_t i = 0; rc && i < n; i++) {
        ox_rt_unref(in[i]);
        in[i] = NULL;
    }
    ox_arena_free(j.scratch);
    return rc;
}
