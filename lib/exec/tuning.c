/* The tuning cache: times of algorithms as they were measured, kept in a text file.
 *
 * A line is a time: version of the format, machine, operator with sizes, algorithm, bytes of workspace, median in nanoseconds, spread in
 * thousandths; tabs between them. Every candidate has its line, not the best alone: another limit of memory is answered without measuring
 * again. The order of lines does not matter, the last of several for the same thing counts, lines of other versions are left alone: files
 * are merged by "cat" or "sort -u", and several processes may append to one at the same time. */
#include "exec/tuning.h"

#include "base/file.h"
#include "cpu/cpu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "1"
enum { FIELDS = 7, MOST_BYTES = 64 << 20 };

struct ox_tuning {
    ox_ctx *ctx;
    ox_arena *arena;
    const char *machine;
    ox_map of_op; /* op -> its first ox_timing */
    ox_timing **fresh;
    size_t n_fresh, cap_fresh;
};

/* What times depend on besides the operator. */
static const char *machine_text(ox_ctx *ctx, ox_arena *arena) {
    char name[64];
    ox_cpu_model(name, sizeof name);
    return ox_format(arena, "%s; %s; threads %d; version %s", name, ox_cpu_isa_name(), ox_thread_count(ctx), OX_VERSION);
}

ox_tuning *ox_tuning_new(ox_ctx *ctx) {
    ox_arena *arena = ox_arena_new(ctx);
    if (!arena) return NULL;
    ox_tuning *t = OX_NEW(arena, ox_tuning);
    *t = (ox_tuning){.ctx = ctx, .arena = arena, .machine = machine_text(ctx, arena)};
    ox_map_init(&t->of_op, arena);
    return t;
}

void ox_tuning_free(ox_tuning *t) {
    if (t) ox_arena_free(t->arena);
}

static ox_timing *find(const ox_tuning *t, ox_sym op, const char *algorithm, uint64_t workspace) {
    ox_timing *x = ox_map_get(&t->of_op, op);
    while (x && (strcmp(x->algorithm, algorithm) || x->workspace != workspace)) x = x->next;
    return x;
}

const ox_timing *ox_tuning_find(const ox_tuning *t, ox_sym op, const char *algorithm, uint64_t workspace) {
    return find(t, op, algorithm, workspace);
}

static ox_timing *put(ox_tuning *t, ox_sym op, const char *algorithm, uint64_t workspace, double seconds, double spread) {
    ox_timing *x = find(t, op, algorithm, workspace);
    if (!x) {
        x = OX_NEW(t->arena, ox_timing);
        *x = (ox_timing){.op = op, .algorithm = ox_strdup(t->arena, algorithm), .workspace = workspace, .next = ox_map_get(&t->of_op, op)};
        ox_map_put(&t->of_op, op, x);
    }
    x->seconds = seconds;
    x->spread = spread;
    return x;
}

void ox_tuning_add(ox_tuning *t, ox_sym op, const char *algorithm, uint64_t workspace, double seconds, double spread) {
    ox_timing *x = put(t, op, algorithm, workspace, seconds, spread);
    if (!x->fresh) OX_PUSH(t->arena, t->fresh, t->n_fresh, t->cap_fresh, x);
    x->fresh = true;
}

/* ---- the file ---- */

/* False: not a time of this format. */
static bool read_fields(ox_tuning *t, char **field) {
    int64_t workspace, nanoseconds, spread;
    if (!ox_parse_int(field[4], strlen(field[4]), &workspace) || !ox_parse_int(field[5], strlen(field[5]), &nanoseconds) ||
        !ox_parse_int(field[6], strlen(field[6]), &spread) || workspace < 0 || nanoseconds < 1 || spread < 0 || !field[2][0] || !field[3][0])
        return false;
    if (!strcmp(field[1], t->machine))
        put(t, ox_intern(t->ctx, field[2]), field[3], (uint64_t)workspace, 1e-9 * (double)nanoseconds, 1e-3 * (double)spread);
    return true;
}

static int read_line(ox_tuning *t, const char *path, size_t number, char *line) {
    char *field[FIELDS] = {line};
    int n = 1;
    for (char *p = line; *p && n <= FIELDS; p++)
        if (*p == '\t' && n++ < FIELDS) {
            *p = 0;
            field[n - 1] = p + 1;
        }
    if (!line[0] || strcmp(field[0], FORMAT)) return 0; /* of another version */
    if (n == FIELDS && read_fields(t, field)) return 0;
    return ox_fail(t->ctx, OX_BAD_DATA, "%s:%zu: not a time: version, machine, operator, algorithm, bytes, nanoseconds and spread with tabs between them",
                   path, number);
}

int ox_tuning_read(ox_tuning *t, const char *path) {
    ox_arena *scratch = ox_arena_new(t->ctx);
    char *text = NULL;
    size_t len = 0, number = 1;
    if (!scratch) return -1;
    int result = ox_read_text(t->ctx, scratch, path, MOST_BYTES, OX_BAD_DATA, &text, &len);
    if (result < 0 && ox_error_code(t->ctx) == OX_NO_INPUT) {
        ox_clear_error(t->ctx);
        result = 0;
    }
    if (result == 0 && text && strlen(text) != len) result = ox_fail(t->ctx, OX_BAD_DATA, "%s: a byte of 0 in a text file", path);
    for (char *line = text, *end; result == 0 && line && (end = strchr(line, '\n')); line = end + 1) { /* without its end, a line is just being written */
        *end = 0;
        result = read_line(t, path, number++, line);
    }
    ox_arena_free(scratch);
    return result;
}

static int by_text(const void *a, const void *b) {
    const ox_timing *x = *(ox_timing *const *)a, *y = *(ox_timing *const *)b;
    int c = strcmp(x->op, y->op);
    if (!c) c = strcmp(x->algorithm, y->algorithm);
    return c ? c : (x->workspace > y->workspace) - (x->workspace < y->workspace);
}

int ox_tuning_append(ox_tuning *t, const char *path) {
    ox_text text = {.arena = t->arena};
    if (!t->n_fresh) return 0;
    qsort(t->fresh, t->n_fresh, sizeof *t->fresh, by_text);
    for (size_t i = 0; i < t->n_fresh; i++) {
        const ox_timing *x = t->fresh[i];
        double nanoseconds = x->seconds * 1e9;
        ox_text_addf(&text, FORMAT "\t%s\t%s\t%s\t%" PRIu64 "\t%" PRId64 "\t%" PRId64 "\n", t->machine, x->op, x->algorithm, x->workspace,
                     nanoseconds < 1 ? INT64_C(1) : (int64_t)(nanoseconds + 0.5), (int64_t)(x->spread * 1e3 + 0.5));
    }
    if (ox_append_text(t->ctx, path, text.data, text.len)) return -1;
    for (size_t i = 0; i < t->n_fresh; i++) t->fresh[i]->fresh = false;
    t->n_fresh = 0;
    return 0;
}
