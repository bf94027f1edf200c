/* onnx-run pack: places of buffers in one arena, from and to tables (.csv) of their lifetimes and sizes. */
#include "tools/run.h"
#include "exec/pack.h"

#include <jansson.h>

typedef struct { const char *text; size_t len; } piece;

enum { C_ID, C_LOWER, C_UPPER, C_SIZE, C_ALIGNMENT, C_OFFSET, COLUMNS };
static const char *const column_names[COLUMNS] = {"id", "lower", "upper", "size", "alignment", "offset"};

typedef struct table {
    run_args *a;
    ox_arena *arena;
    const char *path;
    size_t at[COLUMNS];   /* where the column stands; SIZE_MAX: there is none */
    size_t columns;
    piece *fields;        /* of the line that is read */
    size_t n_fields, capacity;
    piece head, *lines;   /* as they stand there */
    size_t n_lines, lines_capacity;
    ox_buffer_span *spans;
    size_t n, spans_capacity;
} table;

/* ---- reading ---- */

static void split(table *t, piece line) {
    t->n_fields = 0;
    for (size_t from = 0, k = 0; k <= line.len; k++) {
        if (k < line.len && line.text[k] != ',') continue;
        piece f = {line.text + from, k - from};
        for (; f.len && (*f.text == ' ' || *f.text == '\t'); f.len--) f.text++;
        while (f.len && (f.text[f.len - 1] == ' ' || f.text[f.len - 1] == '\t')) f.len--;
        OX_PUSH(t->arena, t->fields, t->n_fields, t->capacity, f);
        from = k + 1;
    }
}

static int bad(table *t, size_t line, size_t column, const char *what, piece f) {
    return ox_fail(t->a->c.ctx, OX_BAD_DATA, "%s:%zu:%zu: %s%s%.*s%s", t->path, line, column, what, f.text ? " '" : "", (int)(f.len > 60 ? 60 : f.len),
                   f.text ? f.text : "", f.text ? "'" : "");
}

static int read_head(table *t, size_t line) {
    split(t, t->head);
    t->columns = t->n_fields;
    for (int c = 0; c < COLUMNS; c++) t->at[c] = SIZE_MAX;
    for (size_t k = 0; k < t->n_fields; k++)
        for (int c = 0; c < COLUMNS; c++) {
            piece f = t->fields[k];
            if (strlen(column_names[c]) != f.len || memcmp(column_names[c], f.text, f.len)) continue;
            if (t->at[c] != SIZE_MAX) return bad(t, line, (size_t)(f.text - t->head.text) + 1, "the column stands there twice:", f);
            t->at[c] = k;
        }
    for (int c = C_ID; c <= C_SIZE; c++)
        if (t->at[c] == SIZE_MAX) return bad(t, line, 1, "the first line names the columns, and there is none named", (piece){column_names[c], strlen(column_names[c])});
    return 0;
}

/* The number in a column; -1 after ox_fail(). */
static int read_number(table *t, size_t line, piece row, int column, int64_t min, int64_t *out) {
    piece f = t->fields[t->at[column]];
    size_t at = (size_t)(f.text - row.text) + 1;
    if (!ox_parse_int(f.text, f.len, out)) return bad(t, line, at, ox_format(t->arena, "%s is a whole number, not", column_names[column]), f);
    if (*out < min) return bad(t, line, at, ox_format(t->arena, "%s is below %lld:", column_names[column], (long long)min), f);
    if (*out > (int64_t)1 << OX_PACK_LOG2_MAX) return bad(t, line, at, ox_format(t->arena, "%s is above 2^%d:", column_names[column], OX_PACK_LOG2_MAX), f);
    return 0;
}

static int read_row(table *t, size_t line, piece row) {
    int64_t lower, upper, size, align = 1;
    split(t, row);
    if (t->n_fields != t->columns)
        return bad(t, line, row.len + 1, ox_format(t->arena, "%zu fields, but the first line names %zu columns", t->n_fields, t->columns), (piece){0});
    if (read_number(t, line, row, C_LOWER, INT64_MIN, &lower) < 0 || read_number(t, line, row, C_UPPER, INT64_MIN, &upper) < 0) return -1;
    if (read_number(t, line, row, C_SIZE, 0, &size) < 0) return -1;
    if (t->at[C_ALIGNMENT] != SIZE_MAX && read_number(t, line, row, C_ALIGNMENT, 1, &align) < 0) return -1;
    if (upper < lower) return bad(t, line, (size_t)(t->fields[t->at[C_UPPER]].text - row.text) + 1, "upper is below lower:", t->fields[t->at[C_UPPER]]);
    if (align & (align - 1))
        return bad(t, line, (size_t)(t->fields[t->at[C_ALIGNMENT]].text - row.text) + 1, "alignment is a power of 2, not", t->fields[t->at[C_ALIGNMENT]]);
    OX_PUSH(t->arena, t->lines, t->n_lines, t->lines_capacity, row);
    OX_PUSH(t->arena, t->spans, t->n, t->spans_capacity, ((ox_buffer_span){.lower = lower, .upper = upper, .size = (uint64_t)size, .align = (uint64_t)align}));
    return 0;
}

static int read_table(table *t) {
    char *text;
    size_t len, line = 0;
    if (ox_read_text(t->a->c.ctx, t->arena, t->path, SIZE_MAX, OX_BAD_DATA, &text, &len) < 0) return -1;
    for (size_t from = 0; from < len;) {
        const char *end = memchr(text + from, '\n', len - from);
        size_t next = end ? (size_t)(end - text) : len;
        piece row = {text + from, next - from};
        if (row.len && row.text[row.len - 1] == '\r') row.len--;
        from = next + 1;
        line++;
        if (!row.len) continue;
        if (!t->columns) {
            t->head = row;
            if (read_head(t, line) < 0) return -1;
        } else if (read_row(t, line, row) < 0) {
            return -1;
        }
    }
    return t->columns ? 0 : bad(t, 1, 1, "the file is empty: there is no line that names the columns", (piece){0});
}

/* ---- writing ---- */

/* The line without the offsets it may have, which are told anew. */
static void add_row(table *t, ox_text *out, piece row) {
    split(t, row);
    for (size_t k = 0; k < t->n_fields; k++)
        if (k != t->at[C_OFFSET]) {
            ox_text_add_n(out, t->fields[k].text, t->fields[k].len);
            ox_text_add(out, ",");
        }
}

static int write_table(table *t) {
    ox_text out = {.arena = t->arena};
    add_row(t, &out, t->head);
    ox_text_add(&out, "offset\n");
    for (size_t i = 0; i < t->n; i++) {
        add_row(t, &out, t->lines[i]);
        ox_text_addf(&out, "%llu\n", (unsigned long long)t->spans[i].offset);
    }
    return ox_write_text(t->a->c.ctx, t->a->out, out.data, out.len);
}

static int tell(run_args *a, const table *t, const ox_pack_result *r) {
    double ratio = r->bound ? (double)r->bytes / (double)r->bound : 1;
    if (a->json)
        return cli_write_json(&a->c, a->json, json_pack("{s:s, s:i, s:I, s:I, s:I, s:f, s:s, s:b, s:I}", "schema", "onnx-run/pack", "version", 1, "buffers",
                                                        (json_int_t)t->n, "arena", (json_int_t)r->bytes, "bound", (json_int_t)r->bound, "ratio", ratio,
                                                        "method", r->method, "least", r->proved, "nodes", (json_int_t)r->nodes));
    if (a->out && !strcmp(a->out, "-")) return 0; /* the table goes there */
    printf("%-12s %zu\n%-12s %llu bytes\n%-12s %llu bytes\n%-12s %.4f%s\n%-12s %s", "buffers", t->n, "arena", (unsigned long long)r->bytes, "bound",
           (unsigned long long)r->bound, "ratio", ratio, r->proved ? " (the least possible)" : "", "method", r->method);
    printf(r->nodes ? " (%lld nodes searched)\n" : "\n", (long long)r->nodes);
    return 0;
}

int run_pack(run_args *a) {
    if (run_operands(a, 1, false, "one .csv file") < 0) return -1;
    ox_ctx *ctx = a->c.ctx;
    table t = {.a = a, .arena = ox_arena_new(ctx), .path = a->c.operands[1]};
    ox_pack_options o = {.capacity = (uint64_t)a->capacity};
    ox_pack_result r;
    int result = read_table(&t);
    if (result == 0 && (result = ox_pack(ctx, t.arena, t.spans, t.n, &o, &r)) < 0) ox_fail_in(ctx, "%s", t.path);
    if (result == 0) result = ox_pack_check(ctx, t.arena, t.spans, t.n, r.bytes);
    if (result == 0) result = tell(a, &t, &r);
    if (result == 0 && a->out) result = write_table(&t);
    if (result == 0 && a->capacity && r.bytes > (uint64_t)a->capacity)
        result = ox_fail(ctx, OX_NEGATIVE, "%s: %llu bytes are needed, the capacity is %lld", t.path, (unsigned long long)r.bytes, (long long)a->capacity);
    ox_arena_free(t.arena);
    return result;
}
