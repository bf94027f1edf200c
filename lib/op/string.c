/* Text: joined, split, normalized, matched. */
#include "op/kernel.h"
#include "op/text.h"

/* ---------------------------------------------------------------------------------------- UTF-8, letter case */

uint32_t ox_text_next(const char *text, size_t len, size_t *at) {
    const uint8_t *s = (const uint8_t *)text + *at;
    size_t left = len - *at;
    int more = s[0] < 0x80                   ? 0
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 1
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 2
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 3
                                             : -1;
    uint32_t c = more <= 0 ? s[0] : s[0] & (0x3fu >> more);
    bool good = more >= 0 && (size_t)more < left;
    for (int i = 1; i <= more && good; i++) {
        good = (s[i] & 0xc0) == 0x80;
        c = c << 6 | (s[i] & 0x3f);
    }
    *at += good ? (size_t)more + 1 : 1;
    return good ? c : 0xfffd;
}

size_t ox_text_put(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out[0] = (char)((0xff00u >> (more + 1) & 0xff) | c >> 6 * more);
    for (int i = 1; i <= more; i++) out[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
    return (size_t)more + 1;
}

/* Alphabets in which upper and lower case stand a fixed way apart; step 2: they alternate. */
static const struct { uint32_t first, last, apart; int step;
} cases[] = {{'A', 'Z', 32, 1},       {0xc0, 0xd6, 32, 1},     {0xd8, 0xde, 32, 1},     {0x100, 0x12e, 1, 2},
             {0x132, 0x136, 1, 2},    {0x139, 0x147, 1, 2},    {0x14a, 0x176, 1, 2},    {0x179, 0x17d, 1, 2},
             {0x386, 0x386, 38, 1},   {0x388, 0x38a, 37, 1},   {0x38c, 0x38c, 64, 1},   {0x38e, 0x38f, 63, 1},
             {0x391, 0x3a1, 32, 1},   {0x3a3, 0x3ab, 32, 1},   {0x3d8, 0x3ee, 1, 2},    {0x400, 0x40f, 80, 1},
             {0x410, 0x42f, 32, 1},   {0x460, 0x480, 1, 2},    {0x48a, 0x4be, 1, 2},    {0x4c1, 0x4cd, 1, 2},
             {0x4d0, 0x52e, 1, 2},    {0x531, 0x556, 48, 1},   {0x1e00, 0x1e94, 1, 2},  {0x1ea0, 0x1efe, 1, 2},
             {0x2160, 0x216f, 16, 1}, {0x24b6, 0x24cf, 26, 1}, {0xff21, 0xff3a, 32, 1}, {0x10400, 0x10427, 40, 1}};
enum { N_CASES = sizeof cases / sizeof cases[0] };

uint32_t ox_text_lower(uint32_t c) {
    if (c == 0x178) return 0xff;
    for (int i = 0; i < N_CASES; i++)
        if (c >= cases[i].first && c <= cases[i].last && (c - cases[i].first) % (uint32_t)cases[i].step == 0)
            return c + cases[i].apart;
    return c;
}

uint32_t ox_text_upper(uint32_t c) {
    if (c == 0xff) return 0x178;
    for (int i = 0; i < N_CASES; i++) {
        uint32_t u = c - cases[i].apart;
        if (c >= cases[i].apart && u >= cases[i].first && u <= cases[i].last &&
            (u - cases[i].first) % (uint32_t)cases[i].step == 0)
            return u;
    }
    return c;
}

static const ox_str *strings(ox_run *r, int i) {
    const ox_tensor *t = ox_input(r, i);
    if (t && t->dtype == OX_STRING) return ox_tensor_data(t);
    ox_fail(r->ctx, OX_BAD_DATA, "input %d is no tensor of text", i);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ StringConcat */

/* Copies elements of a tensor in the order of a broadcast shape: the place of element i of the output. */
static int64_t broadcast_place(const ox_tensor *t, int rank, const int64_t *dims, int64_t i) {
    int64_t place = 0, stride = 1;
    for (int a = rank - 1, k = t->rank - 1; k >= 0; a--, k--) {
        place += t->dims[k] == 1 ? 0 : i % dims[a] * stride;
        stride *= t->dims[k];
        i /= dims[a];
    }
    return place;
}

static int run_concat(ox_run *r) {
    const ox_str *x = strings(r, 0), *y = x ? strings(r, 1) : NULL;
    const ox_tensor *in[2] = {ox_input(r, 0), ox_input(r, 1)};
    int rank;
    int64_t *dims;
    if (!y || ox_loop_shape(r, 2, in, &rank, &dims)) return -1;
    ox_tensor *z = ox_output(r, 0, OX_STRING, rank, dims);
    if (!z) return -1;
    ox_text t = {.arena = r->arena};
    for (int64_t i = 0; i < z->count; i++) {
        const ox_str *a = &x[broadcast_place(in[0], rank, dims, i)], *b = &y[broadcast_place(in[1], rank, dims, i)];
        t.len = 0;
        ox_text_add_n(&t, a->data, a->len);
        ox_text_add_n(&t, b->data, b->len);
        if (t.len && ox_tensor_set_str(z, i, t.data, t.len)) return -1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ StringSplit */

static int infer_split(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    ox_dim *d = OX_NEW_N(c->arena, ox_dim, rank + 2);
    for (int i = 0; i < rank; i++) d[i] = ox_in_dims(c, 0)[i];
    if (rank >= 0) d[rank] = ox_dim_fresh(c->ctx);
    ox_out_tensor(c, 0, OX_STRING, rank < 0 ? -1 : rank + 1, d);
    ox_out_tensor(c, 1, OX_INT64, rank, d);
    return 0;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The next part of a text from *at on; false at its end. Without a delimiter parts are words. `last`: all that is
 * left. */
static bool next_part(const ox_str *s, const char *delimiter, size_t n, bool last, size_t *at, ox_str *part) {
    if (*at > s->len) return false;
    size_t from = *at, to;
    if (!n) {
        while (from < s->len && is_space(s->data[from])) from++;
        if (from >= s->len) return false;
        for (to = last ? s->len : from; to < s->len && !is_space(s->data[to]); to++) {}
        *at = to;
    } else {
        const char *hit = last || s->len - from < n ? NULL : memmem(s->data + from, s->len - from, delimiter, n);
        to = hit ? (size_t)(hit - s->data) : s->len;
        *at = hit ? to + n : s->len + 1;
    }
    *part = (ox_str){to > from ? s->data + from : "", to - from};
    return true;
}

static int run_split(ox_run *r) {
    const ox_str *x = strings(r, 0);
    const ox_tensor *t = ox_input(r, 0);
    const char *delimiter = ox_get_string(r->call, "delimiter");
    size_t n = strlen(delimiter), at;
    int64_t max = ox_has(r->call, "maxsplit") ? ox_get_int(r->call, "maxsplit") : INT64_MAX, width = 0;
    ox_str part;
    int64_t *counts = x ? ox_scratch(r, ((uint64_t)t->count + 1) * sizeof *counts) : NULL;
    if (!counts) return -1;
    if (max < 0) max = INT64_MAX;
    for (int64_t i = 0; i < t->count; i++) {
        for (counts[i] = 0, at = 0; next_part(&x[i], delimiter, n, counts[i] == max, &at, &part);) counts[i]++;
        width = counts[i] > width ? counts[i] : width;
    }
    int64_t *dims = OX_NEW_N(r->arena, int64_t, t->rank + 1);
    for (int i = 0; i < t->rank; i++) dims[i] = t->dims[i];
    dims[t->rank] = width;
    ox_tensor *y = ox_output(r, 0, OX_STRING, t->rank + 1, dims),
              *z = y && ox_want(r, 1) ? ox_output(r, 1, OX_INT64, t->rank, dims) : NULL;
    if (!y || (ox_want(r, 1) && !z)) return -1;
    for (int64_t i = 0; i < t->count; i++) {
        at = 0;
        for (int64_t k = 0; next_part(&x[i], delimiter, n, k == max, &at, &part); k++)
            if (part.len && ox_tensor_set_str(y, i * width + k, part.data, part.len)) return -1;
        if (z) ((int64_t *)ox_tensor_mut(z))[i] = counts[i];
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ StringNormalizer */

static int infer_normalizer(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    if (rank == 0 || rank > 2) return ox_fail(c->ctx, OX_BAD_DATA, "X has rank %d", rank);
    ox_dim d[2] = {rank == 2 ? ox_dim_const(c->ctx, 1) : ox_dim_fresh(c->ctx), rank == 2 ? ox_dim_fresh(c->ctx) : NULL};
    ox_out_tensor(c, 0, OX_STRING, rank, d);
    return 0;
}

/* A text with every letter in one case: 'l', 'u', or as it is: 'n'. */
static ox_str change_case(ox_arena *arena, const ox_str *s, char how) {
    if (how == 'n') return *s;
    char *out = ox_alloc(arena, 4 * s->len + 1);
    size_t n = 0;
    for (size_t at = 0; at < s->len;) {
        uint32_t c = ox_text_next(s->data, s->len, &at);
        n += ox_text_put(out + n, how == 'l' ? ox_text_lower(c) : ox_text_upper(c));
    }
    return (ox_str){out, n};
}

static bool same_text(const ox_str *a, const ox_str *b) {
    return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static int read_case(ox_run *r, char *how) {
    const char *s = ox_get_string(r->call, "case_change_action");
    *how = !strcmp(s, "LOWER") ? 'l' : !strcmp(s, "UPPER") ? 'u' : 'n';
    return *how == 'n' && *s && strcmp(s, "NONE")
               ? ox_fail(r->ctx, OX_BAD_DATA, "case_change_action '%s' is unknown", s)
               : 0;
}

static int run_normalizer(ox_run *r) {
    const ox_str *x = strings(r, 0);
    const ox_tensor *t = ox_input(r, 0);
    const ox_attr *stop = ox_get_attr(r->call, "stopwords");
    char how, fold = ox_get_int(r->call, "is_case_sensitive") ? 'n' : 'l';
    if (!x || read_case(r, &how)) return -1;
    if (t->rank < 1 || t->rank > 2 || (t->rank == 2 && t->dims[0] != 1))
        return ox_fail(r->ctx, OX_BAD_DATA, "X is not of shape [C] or [1, C]");
    size_t words = stop && stop->type == OX_A_STRINGS ? stop->n : 0;
    ox_str *stops = OX_NEW_N(r->arena, ox_str, words + 1), *kept = OX_NEW_N(r->arena, ox_str, t->count + 1);
    for (size_t k = 0; k < words; k++) stops[k] = change_case(r->arena, &stop->ss[k], fold);
    int64_t n = 0;
    for (int64_t i = 0; i < t->count; i++) {
        ox_str s = words ? change_case(r->arena, &x[i], fold) : x[i];
        bool drop = false;
        for (size_t k = 0; k < words && !drop; k++) drop = same_text(&s, &stops[k]);
        if (!drop) kept[n++] = change_case(r->arena, &x[i], how);
    }
    int64_t dims[2] = {1, n ? n : 1}; /* when nothing is left: one empty text */
    ox_tensor *y = ox_output(r, 0, OX_STRING, t->rank, t->rank == 2 ? dims : dims + 1);
    for (int64_t i = 0; i < n && y; i++)
        if (kept[i].len && ox_tensor_set_str(y, i, kept[i].data, kept[i].len)) return -1;
    return y ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------ RegexFullMatch */

static int infer_match(ox_call *c) {
    ox_out_tensor(c, 0, OX_BOOL, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

static int run_match(ox_run *r) {
    const ox_str *x = strings(r, 0);
    const ox_tensor *t = ox_input(r, 0);
    const ox_attr *pattern = ox_get_attr(r->call, "pattern");
    if (!x) return -1;
    if (!pattern || pattern->type != OX_A_STRING) return ox_fail(r->ctx, OX_BAD_DATA, "attribute pattern is missing");
    ox_regex *re = ox_regex_compile(r->ctx, r->arena, pattern->s.data, pattern->s.len);
    ox_tensor *y = re ? ox_output(r, 0, OX_BOOL, t->rank, t->dims) : NULL;
    if (!y) return -1;
    uint8_t *out = ox_tensor_mut(y);
    for (int64_t i = 0; i < t->count; i++) out[i] = ox_regex_full_match(re, x[i].data, x[i].len);
    return 0;
}

OX_FAMILY(string, "",
    OP("StringConcat", 20,
       "(T X, T Y) => (T Z) T: string",
       .infer = ox_infer_elementwise, .kernel = run_concat),
    OP("StringSplit", 20,
       "<delimiter: string?, maxsplit: int?>(T1 X) => (T2 Y, T3 Z) T1: string, T2: string, T3: int64",
       .infer = infer_split, .kernel = run_split),
    OP("StringNormalizer", 10,
       "<case_change_action: string = \"NONE\", is_case_sensitive: int = 0, locale: string?, stopwords: "
       "strings?>(string X) => (string Y)",
       .infer = infer_normalizer, .kernel = run_normalizer),
    OP("RegexFullMatch", 20,
       "<pattern: string?>(T1 X) => (T2 Y) T1: string, T2: bool",
       .infer = infer_match, .kernel = run_match),
    OP("TfIdfVectorizer", 9,
       "<max_gram_length: int, max_skip_count: int, min_gram_length: int, mode: string, ngram_counts: "
       "ints, ngram_indexes: ints, pool_int64s: ints?, pool_strings: strings?, weights: floats?>(T X) "
       "=> (T1 Y) T: int32|int64|string, T1: float",
       .infer = ox_infer_tfidf, .kernel = ox_run_tfidf));
