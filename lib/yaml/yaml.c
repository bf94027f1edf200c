/* YAML text to plain trees, over the event interface of libyaml.
 *
 * libyaml's own tree builder follows aliases and knows no bounds; here the events are read one by one: nesting,
 * size, encoding and everything a configuration does not need are refused on the way. Positions are kept for the
 * messages of those who read the tree. The arena may jump out of building, so the parser lives outside of
 * ox_protect(). */
#include "yaml/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 64 };

typedef struct reader {
    ox_ctx *ctx;
    ox_arena *arena;
    const char *file, *text;
    size_t len;
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    size_t line_at, line; /* a place in text that only goes forward: the start of the line counted from 0 */
    ox_yaml *root;
} reader;

static int fail_at(reader *r, size_t line, size_t column, const char *format, ...) OX_PRINTF(4, 5);
static int fail_at(reader *r, size_t line, size_t column, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ox_fail(r->ctx, OX_CONFIG, "%s:%zu:%zu: %s", r->file, line, column, text);
}

#define FAIL_HERE(r, ...) fail_at((r), (r)->event.start_mark.line + 1, (r)->event.start_mark.column + 1, __VA_ARGS__)

static void drop_event(reader *r) {
    if (r->has_event) yaml_event_delete(&r->event);
    r->has_event = false;
}

static int parser_error(reader *r) {
    yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) return ox_fail(r->ctx, OX_NO_MEMORY, "%s: out of memory", r->file);
    const char *problem = p->problem ? p->problem : "not YAML";
    return fail_at(r, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s%s%s", p->context ? p->context : "",
                   p->context ? ": " : "", problem);
}

/* The next event; anchors, aliases and tags end here. */
static int next(reader *r) {
    drop_event(r);
    if (!yaml_parser_parse(&r->parser, &r->event)) return parser_error(r);
    r->has_event = true;
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return FAIL_HERE(r, "aliases are not allowed: *%s", (const char *)e->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
            return FAIL_HERE(r, "tag directives are not allowed");
        break;
    default:
        break;
    }
    if (anchor) return FAIL_HERE(r, "anchors are not allowed: &%s", (const char *)anchor);
    if (tag) return FAIL_HERE(r, "tags are not allowed: %s", (const char *)tag);
    return 0;
}

static bool is_null(const char *text) {
    return !text[0] || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") || !strcmp(text, "NULL");
}

static void set_mark(const reader *r, ox_yaml *y) {
    y->line = (int)r->event.start_mark.line + 1;
    y->column = (int)r->event.start_mark.column + 1;
}

/* The length of the line at P, its end included; *with is without it. */
static size_t line_length(const char *p, const char *end, size_t *without) {
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    size_t n = stop ? (size_t)(stop - p) : (size_t)(end - p);
    *without = n && p[n - 1] == '\r' ? n - 1 : n;
    return stop ? n + 1 : n;
}

/* A literal block says what it says line by line, so that places in it are places in the file. Where that is not so (lines ended by other
 * characters), nothing is noted. */
static void find_block(reader *r, ox_yaml *y) {
    const char *end = r->text + r->len, *value = y->text, *value_end = y->text + r->event.data.scalar.length;
    size_t first = r->event.start_mark.line + 1, skipped;
    for (; r->line < first && r->line_at < r->len; r->line++) r->line_at += line_length(r->text + r->line_at, end, &skipped);
    const char *start = r->text + r->line_at, *at = start;
    while (value < value_end) {
        size_t have, want, n = line_length(at, end, &have), m = line_length(value, value_end, &want);
        if (have < want || memcmp(at + have - want, value, want)) return;
        for (size_t i = 0; i < have - want; i++)
            if (at[i] != ' ') return;
        at += n;
        value += m;
    }
    y->block = start;
    y->block_len = (size_t)(at - start);
    y->block_line = (int)first + 1;
}

static void take_scalar(reader *r, ox_yaml *y) {
    const char *text = (const char *)r->event.data.scalar.value;
    y->text = ox_dup(r->arena, text, r->event.data.scalar.length + 1);
    y->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    y->kind = !y->quoted && is_null(y->text) ? OX_Y_NULL : OX_Y_SCALAR;
    if (r->event.data.scalar.style == YAML_LITERAL_SCALAR_STYLE) find_block(r, y);
}

static int build(reader *r, ox_yaml *y, int depth);

static int build_list(reader *r, ox_yaml *y, int depth) {
    size_t capacity = 0;
    y->kind = OX_Y_LIST;
    for (;;) {
        if (next(r)) return -1;
        if (r->event.type == YAML_SEQUENCE_END_EVENT) return 0;
        ox_yaml item = {.kind = OX_Y_NULL};
        if (build(r, &item, depth + 1)) return -1;
        OX_PUSH(r->arena, y->items, y->n, capacity, item);
    }
}

static bool same_text(const void *a, const void *b, void *user) {
    (void)user;
    return !strcmp(a, b);
}

/* The event is a key; adds it. */
static int add_key(reader *r, ox_yaml *y, ox_set *seen, size_t *key_room, size_t *mark_room) {
    if (r->event.type != YAML_SCALAR_EVENT) return FAIL_HERE(r, "a key must be plain text");
    ox_yaml mark = {.kind = OX_Y_SCALAR};
    set_mark(r, &mark);
    take_scalar(r, &mark);
    if (strlen(mark.text) != r->event.data.scalar.length) return FAIL_HERE(r, "NUL in a key");
    if (!mark.text[0]) return FAIL_HERE(r, "a key is empty");
    char *key = (char *)(uintptr_t)mark.text;
    if (ox_set_add(seen, ox_hash(key, strlen(key), 0), key, same_text, NULL) != key)
        return FAIL_HERE(r, "key \"%.200s\" is there twice", key);
    size_t n = y->n;
    OX_PUSH(r->arena, y->keys, n, *key_room, mark.text);
    n = y->n;
    OX_PUSH(r->arena, y->key_marks, n, *mark_room, mark);
    return 0;
}

static int build_map(reader *r, ox_yaml *y, int depth) {
    size_t item_room = 0, key_room = 0, mark_room = 0;
    ox_set seen;
    ox_set_init(&seen, r->arena);
    y->kind = OX_Y_MAP;
    for (;;) {
        if (next(r)) return -1;
        if (r->event.type == YAML_MAPPING_END_EVENT) return 0;
        ox_yaml item = {.kind = OX_Y_NULL};
        if (add_key(r, y, &seen, &key_room, &mark_room) || next(r) || build(r, &item, depth + 1)) return -1;
        OX_PUSH(r->arena, y->items, y->n, item_room, item);
    }
}

/* The tree that begins with the present event. */
static int build(reader *r, ox_yaml *y, int depth) {
    set_mark(r, y);
    if (depth > MAX_DEPTH) return FAIL_HERE(r, "nested deeper than %d, the limit", MAX_DEPTH);
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        take_scalar(r, y);
        if (strlen(y->text) != r->event.data.scalar.length) return FAIL_HERE(r, "NUL in a text");
        return 0;
    case YAML_SEQUENCE_START_EVENT:
        return build_list(r, y, depth);
    case YAML_MAPPING_START_EVENT:
        return build_map(r, y, depth);
    default:
        return FAIL_HERE(r, "unexpected structure");
    }
}

static int build_document(void *arg) {
    reader *r = arg;
    if (next(r) || next(r)) return -1; /* start of stream, start of document */
    if (r->event.type == YAML_STREAM_END_EVENT) return fail_at(r, 1, 1, "the file is empty");
    if (next(r)) return -1;
    r->root = OX_NEW(r->arena, ox_yaml);
    if (build(r, r->root, 1)) return -1;
    if (next(r) || next(r)) return -1; /* end of document, end of stream */
    if (r->event.type != YAML_STREAM_END_EVENT) return FAIL_HERE(r, "a second document is not allowed");
    return 0;
}

/* What no character of a pipeline may be; NULL when all is well. libyaml would stop silently at a NUL and tells no place for the others. */
static const char *fault_of(uint32_t c) {
    if (!c) return "NUL byte";
    if (c == 0xfeff) return "a byte order mark is not allowed";
    bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0 && c != 0x85);
    return control ? "a control character is not allowed" : c == 0xfffe || c == 0xffff ? "no character" : NULL;
}

static uint32_t code_point(const unsigned char *p, size_t *n) {
    *n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    uint32_t c = *n == 1 ? *p : *p & (0x3fu >> (*n - 1));
    for (size_t i = 1; i < *n; i++) c = c << 6 | (p[i] & 0x3f);
    return c;
}

static int check_bytes(reader *r) {
    if (r->len > MAX_BYTES)
        return ox_fail(r->ctx, OX_CONFIG, "%s:1:1: %zu bytes, the limit is %d (1 MiB)", r->file, r->len, MAX_BYTES);
    size_t good = ox_utf8_prefix(r->text, r->len), line = 1, column = 1, n;
    for (size_t at = 0; at < good; at += n) {
        uint32_t c = code_point((const unsigned char *)r->text + at, &n);
        const char *fault = fault_of(c);
        if (fault) return fail_at(r, line, column, "%s", fault);
        bool end = c == '\n' || (c == '\r' && !(at + 1 < r->len && r->text[at + 1] == '\n'));
        line += end;
        column = end ? 1 : column + 1;
    }
    return good == r->len ? 0 : fail_at(r, line, column, "invalid UTF-8");
}

const ox_yaml *ox_yaml_parse(ox_ctx *ctx, ox_arena *arena, const char *text, size_t len, const char *file) {
    reader r = {.ctx = ctx, .arena = arena, .file = file, .text = text, .len = len};
    if (check_bytes(&r)) return NULL;
    if (!yaml_parser_initialize(&r.parser)) {
        ox_fail(ctx, OX_NO_MEMORY, "%s: out of memory", file);
        return NULL;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int result = ox_protect(ctx, build_document, &r);
    drop_event(&r);
    yaml_parser_delete(&r.parser);
    return result ? NULL : r.root;
}

const ox_yaml *ox_yaml_get(const ox_yaml *map, const char *key) {
    if (!map || map->kind != OX_Y_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (!strcmp(map->keys[i], key)) return &map->items[i];
    return NULL;
}

/* ---- conversions */

int ox_yaml_fail(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *format, ...) {
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ox_fail(ctx, OX_CONFIG, "%s:%d:%d: %s", file, y->line, y->column, text);
}

/* Text of an unquoted scalar, NULL when it is something else. */
static const char *plain_text(const ox_yaml *y) { return y->kind == OX_Y_SCALAR && !y->quoted ? y->text : NULL; }

static int wrong_kind(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, const char *wanted) {
    static const char *const kinds[] = {"nothing", "a text", "a list", "a map"};
    if (y->kind == OX_Y_SCALAR)
        return ox_yaml_fail(ctx, file, y, "%s must be %s, not %s%.100s%s", what, wanted, y->quoted ? "\"" : "", y->text,
                            y->quoted ? "\"" : "");
    return ox_yaml_fail(ctx, file, y, "%s must be %s, not %s", what, wanted, kinds[y->kind]);
}

int ox_yaml_int(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, int64_t min, int64_t max,
                int64_t *out) {
    const char *text = plain_text(y);
    int64_t v;
    if (!text || !ox_parse_int(text, strlen(text), &v)) return wrong_kind(ctx, file, y, what, "an integer");
    if (v < min || v > max)
        return ox_yaml_fail(ctx, file, y, "%s is %lld, allowed is %lld to %lld", what, (long long)v, (long long)min,
                            (long long)max);
    *out = v;
    return 0;
}

int ox_yaml_double(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, double *out) {
    const char *text = plain_text(y);
    double v;
    if (!text || !ox_parse_double(text, strlen(text), &v) || !isfinite(v))
        return wrong_kind(ctx, file, y, what, "a number");
    *out = v;
    return 0;
}

int ox_yaml_bool(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, bool *out) {
    const char *text = plain_text(y);
    bool yes = text && !strcmp(text, "true");
    if (!yes && !(text && !strcmp(text, "false"))) return wrong_kind(ctx, file, y, what, "true or false");
    *out = yes;
    return 0;
}

int ox_yaml_size(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, uint64_t *out) {
    const char *text = plain_text(y);
    if (!text || !ox_size_parse(text, out)) return wrong_kind(ctx, file, y, what, "a size such as 64KiB");
    return 0;
}

bool ox_size_parse(const char *text, uint64_t *out) {
    static const struct {
        const char *name;
        int shift;
    } units[] = {
        {"", 0},     {"B", 0},  {"K", 10},   {"KiB", 10}, {"M", 20},
        {"MiB", 20}, {"G", 30}, {"GiB", 30}, {"T", 40},   {"TiB", 40},
    };
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)) return false;
    if (p == text) return false;
    if (*p == ' ') p++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(p, units[i].name)) continue;
        *out = v << units[i].shift;
        return *out >> units[i].shift == v;
    }
    return false;
}
