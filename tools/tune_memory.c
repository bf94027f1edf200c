/* What onnx-run tune says about the workspace of algorithms and the memory budget, from the sweep at the best line. */
#include "tools/tune.h"

#include <jansson.h>

static const double mib = 1 << 20;

static double number(const json_t *row, const char *key) { return json_number_value(json_object_get(row, key)); }

/* The row of the knee, and that of the least limit that can be kept. */
static const json_t *rows_of(const tune *t, const json_t **least) {
    const json_t *rows = json_object_get(t->sweep, "rows"), *knee = json_object_get(t->sweep, "knee_bytes"), *found = NULL;
    *least = NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *r = json_array_get(rows, i);
        if (json_object_get(r, "error")) continue;
        if (!*least) *least = r;
        if (json_equal(json_object_get(r, "limit_bytes"), knee)) found = r;
    }
    return found;
}

bool tune_memory(const tune *t, uint64_t *workspace, uint64_t *arena) {
    const json_t *least, *knee = rows_of(t, &least), *limit = knee ? json_object_get(knee, "limit_bytes") : NULL;
    if (!knee || !json_array_size(json_object_get(t->sweep, "steps"))) return false;
    *workspace = json_is_null(limit) ? UINT64_MAX : (uint64_t)json_integer_value(limit);
    *arena = (uint64_t)number(knee, "arena_bytes");
    return true;
}

void tune_advise_memory(tune *t) {
    const json_t *rows = json_object_get(t->sweep, "rows"), *least, *knee = rows_of(t, &least), *free = json_array_get(rows, json_array_size(rows) - 1);
    uint64_t workspace, arena;
    if (!tune_memory(t, &workspace, &arena)) {
        tune_advise_one(t, "No step has a choice of algorithms: a limit of the workspace changes nothing.");
        return;
    }
    ox_text text = {.arena = t->arena};
    if (workspace == UINT64_MAX) ox_text_addf(&text, "Set no limit of the workspace: every one that was tried costs more than 1 %%");
    else ox_text_addf(&text, "Set --workspace-limit=%llu: %.3f ms by estimate, %.3f without a limit", (unsigned long long)workspace, number(knee, "estimate_ms"),
                      number(free, "estimate_ms"));
    if (least != knee) ox_text_addf(&text, "; the least that can be, %.0f bytes, takes %.3f ms", number(least, "limit_bytes"), number(least, "estimate_ms"));
    ox_text_addf(&text, ". With it --memory-budget=%llu holds (%.2f MiB).", (unsigned long long)arena, (double)arena / mib);
    tune_advise_one(t, text.data);
}
