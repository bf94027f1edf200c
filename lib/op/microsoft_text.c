/* com.microsoft: Tokenizer. Text is cut at separators, or what matches an expression is taken; matches are the leftmost, then the longest. */
#include "op/compute.h"
#include "op/microsoft.h"
#include "op/text.h"

typedef struct tokenizer {
    ox_arena *arena;
    bool chars;          /* every character is a token */
    ox_regex **cut;      /* separators, one after the other */
    int n_cut;
    ox_regex *take;
    int64_t least;       /* characters of a token */
} tokenizer;

typedef struct tokens {
    ox_str *items;
    size_t n, cap;
} tokens;

static void add(const tokenizer *t, tokens *to, const char *text, size_t len) {
    int64_t chars = 0;
    for (size_t at = 0; at < len; chars++) ox_text_next(text, len, &at);
    if (len && chars >= t->least) OX_PUSH(t->arena, to->items, to->n, to->cap, ((ox_str){text, len}));
}

/* The next match from *from on that is not empty; where it begins goes to *from. */
static bool next_match(const ox_regex *re, const ox_str *s, size_t *from, size_t *end) {
    while (*from < s->len) {
        if (ox_regex_longest(re, s->data, s->len, *from, end) && *end > *from) return true;
        ox_text_next(s->data, s->len, from);
    }
    return false;
}

static void cut(const tokenizer *t, const ox_regex *re, const ox_str *s, tokens *to) {
    size_t begin = 0, at = 0, end;
    while (next_match(re, s, &at, &end)) {
        add(t, to, s->data + begin, at - begin);
        begin = at = end;
    }
    add(t, to, s->data + begin, s->len - begin);
}

static tokens tokenize(const tokenizer *t, const ox_str *s) {
    tokens now = {0};
    if (t->chars) {
        for (size_t at = 0, from = 0; at < s->len; from = at) {
            ox_text_next(s->data, s->len, &at);
            OX_PUSH(t->arena, now.items, now.n, now.cap, ((ox_str){s->data + from, at - from}));
        }
    } else if (t->take) {
        for (size_t at = 0, end; next_match(t->take, s, &at, &end); at = end) add(t, &now, s->data + at, end - at);
    } else {
        OX_PUSH(t->arena, now.items, now.n, now.cap, *s);
        for (int i = 0; i < t->n_cut; i++) {
            tokens next = {0};
            for (size_t k = 0; k < now.n; k++) cut(t, t->cut[i], &now.items[k], &next);
            now = next;
        }
    }
    return now;
}

static int read_tokenizer(ox_run *r, tokenizer *t) {
    const ox_attr *separators = ox_get_attr(r->call, "separators"), *take = ox_get_attr(r->call, "tokenexp");
    *t = (tokenizer){.arena = r->arena, .least = ox_get_int(r->call, "mincharnum")};
    if (take && take->type == OX_A_STRING && take->s.len) {
        t->chars = take->s.len == 1 && take->s.data[0] == '.';
        t->take = ox_regex_compile(r->ctx, r->arena, take->s.data, take->s.len);
        return t->take ? 0 : -1;
    }
    if (!separators || separators->type != OX_A_STRINGS || !separators->n)
        return ox_fail(r->ctx, OX_BAD_DATA, "neither separators nor tokenexp are given");
    t->chars = separators->n == 1 && !separators->ss[0].len;
    t->cut = OX_NEW_N(r->arena, ox_regex *, separators->n);
    for (size_t i = 0; i < separators->n && !t->chars; i++)
        if (!(t->cut[t->n_cut++] = ox_regex_compile(r->ctx, r->arena, separators->ss[i].data, separators->ss[i].len))) return -1;
    return 0;
}

static int fill(ox_tensor *y, int64_t row, int64_t width, const tokens *t, bool mark, const char *pad) {
    int64_t at = row * width, end = at + width;
    int rc = mark ? ox_tensor_set_str(y, at++, "\x02", 1) : 0;
    for (size_t i = 0; i < t->n && !rc; i++) rc = ox_tensor_set_str(y, at++, t->items[i].data, t->items[i].len);
    if (mark && !rc) rc = ox_tensor_set_str(y, at++, "\x03", 1);
    for (; at < end && pad[0] && !rc; at++) rc = ox_tensor_set_str(y, at, pad, strlen(pad));
    return rc ? -1 : 0;
}

int ox_ms_run_tokenizer(ox_run *r) {
    tokenizer t;
    const ox_tensor *x = ox_need(r, 0);
    bool mark = ox_get_int(r->call, "mark") != 0;
    if (!x) return -1;
    if (x->dtype != OX_STRING || x->rank < 1 || x->rank > 2) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no list or table of text");
    const ox_str *s = ox_tensor_data(x);
    if (!s || read_tokenizer(r, &t)) return -1;
    if (!x->count) return ox_output(r, 0, OX_STRING, x->rank, x->dims) ? 0 : -1;
    tokens *found = OX_NEW_N(r->arena, tokens, x->count);
    int64_t width = 0, dims[3] = {x->dims[0], x->rank == 2 ? x->dims[1] : 0, 0};
    for (int64_t i = 0; i < x->count; i++) {
        found[i] = tokenize(&t, &s[i]);
        if ((int64_t)found[i].n > width) width = (int64_t)found[i].n;
    }
    if (mark && width) width += 2;
    dims[x->rank] = width;
    ox_tensor *y = ox_output(r, 0, OX_STRING, x->rank + 1, dims);
    for (int64_t i = 0; y && width && i < x->count; i++)
        if (fill(y, i, width, &found[i], mark, ox_get_string(r->call, "pad_value"))) return -1;
    return y ? 0 : -1;
}
