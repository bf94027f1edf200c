/* Regular expressions: parsed into a tree, compiled into a program for Thompson's simulation, which keeps the set of
 * states that the text so far can lead to. No backtracking, so no text or pattern makes it slow. Bounds: nesting,
 * repeat counts and the size of the program. Greedy and lazy repeats are the same thing here, since only whole
 * and longest matches count. */
#include "op/text.h"

#include <string.h>

enum { MAX_DEPTH = 200, MAX_REPEAT = 1000, MAX_PROGRAM = 200000 };

/* ------------------------------------------------------------------------------------------------ the tree */

typedef enum kind { K_EMPTY, K_SET, K_CAT, K_ALT, K_REPEAT, K_ASSERT } kind;

typedef struct range { uint32_t lo, hi; } range;

typedef struct set { /* of code points */
    range *r;
    size_t n, cap;
    bool negated, fold; /* fold: letter case does not count */
} set;

typedef struct tree {
    kind kind;
    struct tree *a, *b;
    set *set;
    int min, max; /* max -1: no end */
    char assertion; /* ^ $ start or end of the text, m M of a line, b B word boundary or not */
} tree;

typedef struct parser {
    ox_ctx *ctx;
    ox_arena *arena;
    const char *p;
    size_t len, at;
    int depth;
    bool fold, dot_newline, lines, failed;
} parser;

static tree *fail(parser *s, const char *what) {
    if (!s->failed) ox_fail(s->ctx, OX_BAD_DATA, "pattern: %s at %zu", what, s->at);
    s->failed = true;
    return NULL;
}

static bool more(const parser *s) { return s->at < s->len; }
static char peek(const parser *s) { return s->at < s->len ? s->p[s->at] : 0; }
static bool accept(parser *s, const char *text) {
    size_t n = strlen(text);
    if (s->len - s->at < n || memcmp(s->p + s->at, text, n)) return false;
    s->at += n;
    return true;
}

static tree *make(parser *s, kind k, tree *a, tree *b) {
    tree *t = OX_NEW(s->arena, tree);
    *t = (tree){.kind = k, .a = a, .b = b};
    return t;
}

static tree *make_assert(parser *s, char what) {
    tree *t = make(s, K_ASSERT, NULL, NULL);
    t->assertion = what;
    return t;
}

static set *new_set(parser *s) {
    set *q = OX_NEW(s->arena, set);
    q->fold = s->fold;
    return q;
}

static void add(parser *s, set *q, uint32_t lo, uint32_t hi) {
    range r = {lo, hi};
    OX_PUSH(s->arena, q->r, q->n, q->cap, r);
}

static tree *of_set(parser *s, set *q) {
    tree *t = make(s, K_SET, NULL, NULL);
    t->set = q;
    return t;
}

static tree *literal(parser *s, uint32_t c) {
    set *q = new_set(s);
    add(s, q, c, c);
    return of_set(s, q);
}

/* ------------------------------------------------------------------------------------------------ classes, escapes */

/* Ranges of the classes that letters name. */
static const char *class_ranges(char c) {
    switch (c) {
    case 'd': return "09";
    case 'w': return "09AZaz__";
    case 's': return "\t\n\f\r  ";
    default: return NULL;
    }
}

/* Adds a class, or what is outside it (its ranges are in order). */
static void add_class(parser *s, set *q, const char *ranges, bool negated) {
    uint32_t from = 0;
    for (; *ranges; ranges += 2) {
        uint32_t lo = (uint8_t)ranges[0], hi = (uint8_t)ranges[1];
        if (!negated) add(s, q, lo, hi);
        else if (lo > from) add(s, q, from, lo - 1);
        from = hi + 1;
    }
    if (negated) add(s, q, from, 0x10ffff);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xHH and \x{H...}; the x is read. */
static uint32_t hex_escape(parser *s) {
    uint32_t v = 0;
    bool braces = accept(s, "{");
    int n = 0;
    for (; (braces || n < 2) && hex_digit(peek(s)) >= 0 && v <= 0x10ffff; n++)
        v = v * 16 + (uint32_t)hex_digit(s->p[s->at++]);
    if (!n || v > 0x10ffff || (braces && !accept(s, "}"))) fail(s, "bad hexadecimal code");
    return v;
}

/* The character an escape stands for; the backslash is read. */
static uint32_t escape_char(parser *s) {
    static const char names[] = "ntrfva", values[] = "\n\t\r\f\v\a";
    if (!more(s)) {
        fail(s, "backslash at the end");
        return 0;
    }
    uint32_t c = ox_text_next(s->p, s->len, &s->at);
    const char *hit = c < 128 ? memchr(names, (int)c, sizeof names - 1) : NULL;
    if (hit) return (uint8_t)values[hit - names];
    if (c == 'x') return hex_escape(s);
    if (c >= '0' && c <= '7') {
        uint32_t v = c - '0';
        for (int n = 1; n < 3 && peek(s) >= '0' && peek(s) <= '7'; n++) v = v * 8 + (uint32_t)(s->p[s->at++] - '0');
        if (c == '0' || v > 7) return v;
        fail(s, "back references cannot be matched");
    }
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || c == '8' || c == '9') fail(s, "unknown escape");
    return c;
}

/* A class escape such as \d at the place behind the backslash. */
static bool class_escape(parser *s, set *q) {
    char c = peek(s), low = (char)(c | 32);
    const char *ranges = c ? class_ranges(low) : NULL;
    if (!ranges) return false;
    s->at++;
    add_class(s, q, ranges, c != low);
    return true;
}

/* [:alpha:] and the like; the first bracket is read. */
static bool named_class(parser *s, set *q) {
    static const struct { const char *name, *ranges;
    } classes[] = {{"alnum", "09AZaz"},   {"alpha", "AZaz"},   {"blank", "\t\t  "}, {"cntrl", "\1\x1f\x7f\x7f"},
                   {"digit", "09"},       {"graph", "!~"},     {"lower", "az"},     {"print", " ~"},
                   {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},     {"word", "09AZ__az"},
                   {"xdigit", "09AFaf"}};
    if (peek(s) != ':') return false;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        for (int negated = 0; negated < 2; negated++) {
            char text[24] = ":";
            strcat(strcat(strcat(text, negated ? "^" : ""), classes[i].name), ":]");
            if (!accept(s, text)) continue;
            add_class(s, q, classes[i].ranges, negated);
            return true;
        }
    return false;
}

/* One end of a range in brackets. */
static uint32_t bracket_char(parser *s) {
    if (accept(s, "\\")) return escape_char(s);
    return ox_text_next(s->p, s->len, &s->at);
}

/* [...]; the first bracket is read. */
static tree *brackets(parser *s) {
    set *q = new_set(s);
    q->negated = accept(s, "^");
    for (bool first = true; !s->failed; first = false) {
        if (!more(s)) return fail(s, "missing ]");
        if (!first && accept(s, "]")) break;
        if (accept(s, "[")) {
            if (named_class(s, q)) continue;
            s->at--;
        }
        if (accept(s, "\\")) {
            if (class_escape(s, q)) continue;
            s->at--;
        }
        uint32_t lo = bracket_char(s), hi = lo;
        if (peek(s) == '-' && s->at + 1 < s->len && s->p[s->at + 1] != ']') {
            s->at++;
            hi = bracket_char(s);
        }
        if (hi < lo) return fail(s, "range in reverse");
        add(s, q, lo, hi);
    }
    return of_set(s, q);
}

/* \Q...\E: everything as it is. */
static tree *quoted(parser *s) {
    tree *t = make(s, K_EMPTY, NULL, NULL);
    while (more(s) && !accept(s, "\\E")) t = make(s, K_CAT, t, literal(s, ox_text_next(s->p, s->len, &s->at)));
    return t;
}

static tree *escape(parser *s) {
    set *q = new_set(s);
    if (accept(s, "A")) return make_assert(s, '^');
    if (accept(s, "z")) return make_assert(s, '$');
    if (accept(s, "b")) return make_assert(s, 'b');
    if (accept(s, "B")) return make_assert(s, 'B');
    if (accept(s, "Q")) return quoted(s);
    if (class_escape(s, q)) return of_set(s, q);
    uint32_t c = escape_char(s);
    return s->failed ? NULL : literal(s, c);
}

/* ------------------------------------------------------------------------------------------------ groups, repeats */

static tree *alternatives(parser *s);

/* (?flags) and (?flags:...); the question mark is read. Returns false when a group body follows. */
static bool flags(parser *s) {
    bool on = true;
    for (;; s->at++) {
        switch (peek(s)) {
        case 'i': s->fold = on; break;
        case 's': s->dot_newline = on; break;
        case 'm': s->lines = on; break;
        case 'U': break;
        case '-': on = false; break;
        case ':': s->at++; return false;
        case ')': return true;
        default: fail(s, "unknown group"); return true;
        }
    }
}

static tree *group(parser *s) {
    bool fold = s->fold, dot = s->dot_newline, lines = s->lines, keep = false;
    if (accept(s, "?")) {
        if (accept(s, "P<") || accept(s, "<")) {
            while (more(s) && peek(s) != '>') s->at++;
            if (!accept(s, ">")) return fail(s, "missing >");
        } else {
            keep = flags(s);
        }
    }
    tree *t = keep ? make(s, K_EMPTY, NULL, NULL) : alternatives(s);
    if (!s->failed && !accept(s, ")")) return fail(s, "missing )");
    if (!keep) {
        s->fold = fold;
        s->dot_newline = dot;
        s->lines = lines;
    }
    return t;
}

static tree *atom(parser *s) {
    if (accept(s, "(")) return group(s);
    if (accept(s, "[")) return brackets(s);
    if (accept(s, "\\")) return escape(s);
    if (accept(s, "^")) return make_assert(s, s->lines ? 'm' : '^');
    if (accept(s, "$")) return make_assert(s, s->lines ? 'M' : '$');
    if (accept(s, ".")) {
        set *q = new_set(s);
        q->negated = true;
        if (!s->dot_newline) add(s, q, '\n', '\n');
        return of_set(s, q);
    }
    if (strchr("*+?", peek(s))) return fail(s, "nothing to repeat");
    return literal(s, ox_text_next(s->p, s->len, &s->at));
}

/* {n}, {n,}, {n,m}; anything else in braces is text. */
static bool counts(parser *s, int *min, int *max) {
    size_t start = s->at;
    int v[2] = {-1, -1}, k = 0;
    if (!accept(s, "{")) return false;
    for (; more(s) && k < 2; s->at++) {
        char c = peek(s);
        if (c >= '0' && c <= '9') {
            v[k] = (v[k] < 0 ? 0 : v[k]) * 10 + (c - '0');
            if (v[k] > MAX_REPEAT) {
                fail(s, "repeat count is too large");
                return false;
            }
        } else if (c == ',' && k == 0) {
            k = 1;
        } else {
            break;
        }
    }
    if (v[0] < 0 || !accept(s, "}")) {
        s->at = start;
        return false;
    }
    *min = v[0];
    *max = k ? v[1] : v[0];
    if (*max >= 0 && *max < *min) fail(s, "repeat counts in reverse");
    return true;
}

static tree *repeated(parser *s) {
    tree *t = atom(s);
    for (int times = 0; t && !s->failed; times++) {
        int min = 0, max = -1;
        if (accept(s, "*")) max = -1;
        else if (accept(s, "+")) min = 1;
        else if (accept(s, "?")) max = 1;
        else if (!counts(s, &min, &max)) break;
        if (times) return fail(s, "repeat of a repeat");
        accept(s, "?");
        t = make(s, K_REPEAT, t, NULL);
        t->min = min;
        t->max = max;
    }
    return t;
}

static tree *sequence(parser *s) {
    tree *t = make(s, K_EMPTY, NULL, NULL);
    while (!s->failed && more(s) && peek(s) != '|' && peek(s) != ')') t = make(s, K_CAT, t, repeated(s));
    return t;
}

static tree *alternatives(parser *s) {
    if (++s->depth > MAX_DEPTH) return fail(s, "nested too deep");
    tree *t = sequence(s);
    while (!s->failed && accept(s, "|")) t = make(s, K_ALT, t, sequence(s));
    s->depth--;
    return t;
}

/* ------------------------------------------------------------------------------------------------ the program */

typedef struct step {
    char op; /* s set, a assertion, f fork, j jump, = match */
    const set *set;
    char assertion;
    int x, y;
} step;

struct ox_regex {
    ox_ctx *ctx;
    ox_arena *arena;
    step *steps;
    size_t n, cap;
    bool failed;
    int *now, *next, *stack; /* sets of places */
    int *seen;               /* round in which a place was added */
};

static int emit(ox_regex *re, step s) {
    if (re->n >= MAX_PROGRAM) re->failed = true;
    else OX_PUSH(re->arena, re->steps, re->n, re->cap, s);
    return (int)re->n - 1;
}

static void compile(ox_regex *re, const tree *t);

static void compile_repeat(ox_regex *re, const tree *t) {
    for (int i = 0; i < t->min && !re->failed; i++) compile(re, t->a);
    if (t->max < 0) { /* L: fork on, out; on; jump L */
        int fork = emit(re, (step){.op = 'f'});
        compile(re, t->a);
        int back = emit(re, (step){.op = 'j'});
        if (re->failed) return;
        re->steps[back].x = fork;
        re->steps[fork].x = fork + 1;
        re->steps[fork].y = back + 1;
        return;
    }
    for (int i = t->min; i < t->max && !re->failed; i++) { /* each may end the repeat */
        int fork = emit(re, (step){.op = 'f'});
        compile(re, t->a);
        if (re->failed) return;
        re->steps[fork].x = fork + 1;
        re->steps[fork].y = (int)re->n;
    }
}

/* Chains of K_CAT and K_ALT lean to the left and can be long: walked without recursion on that side. */
static void compile_chain(ox_regex *re, const tree *t, kind k) {
    size_t n = 0, cap = 0;
    const tree **parts = NULL;
    int last = -1;
    for (; t->kind == k; t = t->a) OX_PUSH(re->arena, parts, n, cap, t->b);
    OX_PUSH(re->arena, parts, n, cap, t);
    for (size_t i = n; i-- > 0 && !re->failed;) {
        if (k == K_CAT) {
            compile(re, parts[i]);
            continue;
        }
        int fork = i ? emit(re, (step){.op = 'f'}) : -1;
        compile(re, parts[i]);
        int out = i ? emit(re, (step){.op = 'j', .x = last}) : -1; /* jumps to the end, chained until that is known */
        if (re->failed) return;
        if (!i) break;
        re->steps[fork].x = fork + 1;
        re->steps[fork].y = out + 1;
        last = out;
    }
    while (last >= 0 && !re->failed) {
        int before = re->steps[last].x;
        re->steps[last].x = (int)re->n;
        last = before;
    }
}

static void compile(ox_regex *re, const tree *t) {
    if (re->failed) return;
    switch (t->kind) {
    case K_EMPTY: break;
    case K_SET: emit(re, (step){.op = 's', .set = t->set}); break;
    case K_ASSERT: emit(re, (step){.op = 'a', .assertion = t->assertion}); break;
    case K_REPEAT: compile_repeat(re, t); break;
    default: compile_chain(re, t, t->kind); break;
    }
}

ox_regex *ox_regex_compile(ox_ctx *ctx, ox_arena *arena, const char *pattern, size_t len) {
    parser s = {.ctx = ctx, .arena = arena, .p = pattern, .len = len};
    tree *t = alternatives(&s);
    if (!s.failed && more(&s)) fail(&s, "unexpected )");
    if (s.failed) return NULL;
    ox_regex *re = OX_NEW(arena, ox_regex);
    re->ctx = ctx;
    re->arena = arena;
    compile(re, t);
    emit(re, (step){.op = '='});
    if (re->failed) {
        ox_fail(ctx, OX_BAD_DATA, "pattern: too large");
        return NULL;
    }
    re->now = OX_NEW_N(arena, int, re->n);
    re->next = OX_NEW_N(arena, int, re->n);
    re->stack = OX_NEW_N(arena, int, 2 * re->n + 2);
    re->seen = OX_NEW_N(arena, int, re->n);
    return re;
}

/* ------------------------------------------------------------------------------------------------ matching */

static bool in_ranges(const set *q, uint32_t c) {
    for (size_t i = 0; i < q->n; i++)
        if (c >= q->r[i].lo && c <= q->r[i].hi) return true;
    return false;
}

static bool in_set(const set *q, uint32_t c) {
    bool hit = in_ranges(q, c) || (q->fold && (in_ranges(q, ox_text_lower(c)) || in_ranges(q, ox_text_upper(c))));
    return hit != q->negated;
}

static bool is_word(const char *text, size_t len, size_t at) {
    if (at >= len) return false;
    char c = text[at];
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool holds(char what, const char *text, size_t len, size_t at) {
    bool boundary = is_word(text, len, at) != (at > 0 && is_word(text, len, at - 1));
    switch (what) {
    case '^': return at == 0;
    case '$': return at == len;
    case 'm': return at == 0 || text[at - 1] == '\n';
    case 'M': return at == len || text[at] == '\n';
    case 'b': return boundary;
    default: return !boundary;
    }
}

/* Adds a place and all that it leads to without reading; returns the new size of the set. */
static int follow(const ox_regex *re, int *to, int n, int start, int round, const char *text, size_t len, size_t at) {
    int top = 0;
    re->stack[top++] = start;
    while (top) {
        int k = re->stack[--top];
        if (re->seen[k] == round) continue;
        re->seen[k] = round;
        const step *s = &re->steps[k];
        if (s->op == 'j') {
            re->stack[top++] = s->x;
        } else if (s->op == 'f') {
            re->stack[top++] = s->y;
            re->stack[top++] = s->x;
        } else if (s->op == 'a') {
            if (holds(s->assertion, text, len, at)) re->stack[top++] = k + 1;
        } else {
            to[n++] = k;
        }
    }
    return n;
}

/* Reads one character: the places after it. */
static int advance(const ox_regex *re, const int *now, int n, int *next, uint32_t c, int round, const char *text, size_t len, size_t at) {
    int m = 0;
    for (int i = 0; i < n; i++) {
        const step *s = &re->steps[now[i]];
        if (s->op == 's' && in_set(s->set, c)) m = follow(re, next, m, now[i] + 1, round, text, len, at);
    }
    return m;
}

static bool accepts(const ox_regex *re, const int *now, int n) {
    for (int i = 0; i < n; i++)
        if (re->steps[now[i]].op == '=') return true;
    return false;
}

bool ox_regex_longest(const ox_regex *re, const char *text, size_t len, size_t from, size_t *end) {
    int *now = re->now, *next = re->next, round = 1;
    memset(re->seen, 0, re->n * sizeof *re->seen);
    int n = follow(re, now, 0, 0, round, text, len, from);
    bool found = accepts(re, now, n);
    *end = from;
    for (size_t at = from; at < len && n;) {
        uint32_t c = ox_text_next(text, len, &at);
        n = advance(re, now, n, next, c, ++round, text, len, at);
        int *t = now;
        now = next;
        next = t;
        if (!accepts(re, now, n)) continue;
        found = true;
        *end = at;
    }
    return found;
}

bool ox_regex_full_match(const ox_regex *re, const char *text, size_t len) {
    int *now = re->now, *next = re->next, round = 1;
    memset(re->seen, 0, re->n * sizeof *re->seen);
    int n = follow(re, now, 0, 0, round, text, len, 0);
    for (size_t at = 0; at < len && n;) {
        uint32_t c = ox_text_next(text, len, &at);
        n = advance(re, now, n, next, c, ++round, text, len, at);
        int *t = now;
        now = next;
        next = t;
    }
    return accepts(re, now, n);
}
