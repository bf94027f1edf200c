/* What onnx-run tune found: the table, what to set and why in words, all of it as JSON and CSV, and settings as YAML for the frame of this
 * project, for ONNX Runtime and for trtexec. */
#include "tools/tune.h"

#include <jansson.h>

static const double mib = 1 << 20;

/* ---- the table ---- */

void tune_print_head(const tune *t) {
    for (int i = 0; i < TUNE_AXES; i++)
        if (tune_has(t, i)) printf("%9s", t->axes[i].label);
    printf(" %10s %10s %10s %11s %10s %10s\n", "median ms", "p90 ms", "first ms", tune_has(t, TUNE_BATCH) ? "samples/s" : "runs/s", "arena MiB", "RSS MiB");
    fflush(stdout);
}

void tune_print_row(const tune *t, const tune_row *r) {
    for (int i = 0; i < TUNE_AXES; i++)
        if (tune_has(t, i)) printf("%9lld", (long long)r->at[i]);
    if (r->why) printf("  %s\n", cli_shown(t->arena, r->why));
    else
        printf(" %10.3f %10.3f %10.3f %11.1f %10.2f %10.1f\n", r->p50, r->p90, r->first, r->per_second, (double)r->arena / mib, (double)r->rss / mib);
    fflush(stdout); /* the next line may take long */
}

void tune_csv(const tune *t, ox_text *text) {
    for (int i = 0; i < TUNE_AXES; i++) ox_text_addf(text, "%s,", t->axes[i].key);
    ox_text_add(text, "p50_ms,p90_ms,first_ms,samples_per_second,arena_bytes,lower_bound_bytes,peak_rss_bytes,error\n");
    for (const tune_row *r = t->rows; r < t->rows + t->n_rows; r++) {
        for (int i = 0; i < TUNE_AXES; i++) ox_text_addf(text, "%lld,", (long long)r->at[i]);
        if (r->why) ox_text_add(text, ",,,,,,,");
        else
            ox_text_addf(text, "%.6g,%.6g,%.6g,%.6g,%llu,%llu,%llu,", r->p50, r->p90, r->first, r->per_second, (unsigned long long)r->arena,
                         (unsigned long long)r->bound, (unsigned long long)r->rss);
        run_csv_field(text, r->why ? r->why : "");
        ox_text_add(text, "\n");
    }
}

static json_t *row_json(const tune *t, const tune_row *r) {
    cli *c = &t->a->c;
    json_t *j = json_object();
    for (int i = 0; i < TUNE_AXES; i++) cli_json_add(c, j, t->axes[i].key, tune_has(t, i) ? json_integer((json_int_t)r->at[i]) : json_null());
    if (r->why) {
        cli_json_add(c, j, "error", json_string(cli_utf8(c, r->why)));
        return j;
    }
    const struct { const char *key; double v; } reals[] = {{"p50_ms", r->p50}, {"p90_ms", r->p90}, {"first_ms", r->first}, {"samples_per_second", r->per_second}};
    const struct { const char *key; uint64_t v; } sizes[] = {{"arena_bytes", r->arena}, {"lower_bound_bytes", r->bound}, {"peak_rss_bytes", r->rss}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) cli_json_add(c, j, reals[i].key, json_real(reals[i].v));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) cli_json_add(c, j, sizes[i].key, json_integer((json_int_t)sizes[i].v));
    return j;
}

json_t *tune_json(const tune *t) {
    cli *c = &t->a->c;
    json_t *rows = json_array(), *advice = json_array();
    for (size_t i = 0; i < t->n_rows; i++) cli_json_add(c, rows, NULL, row_json(t, &t->rows[i]));
    for (size_t i = 0; i < t->n_advice; i++) cli_json_add(c, advice, NULL, json_string(cli_utf8(c, t->advice[i])));
    return json_pack("{s:s, s:i, s:i, s:o, s:o, s:O, s:o}", "schema", "onnx-run/tune", "version", 1, "processors", t->processors, "rows", rows, "best",
                     row_json(t, t->best), "workspace", t->sweep, "advice", advice);
}

/* ---- words ---- */

/* The line that is as the best one but for one axis; NULL when there is none that could be run. */
static const tune_row *other(const tune *t, int axis, int64_t value) {
    for (const tune_row *r = t->rows; r < t->rows + t->n_rows; r++) {
        bool same = !r->why && r->at[axis] == value;
        for (int i = 0; i < TUNE_AXES; i++) same &= i == axis || r->at[i] == t->best->at[i];
        if (same) return r;
    }
    return NULL;
}

static void extremes(const tune *t, int axis, int64_t *least, int64_t *most) {
    *least = INT64_MAX;
    *most = 0;
    for (size_t i = 0; i < t->axes[axis].n; i++) {
        int64_t v = t->axes[axis].values[i];
        *least = v < *least ? v : *least;
        *most = v > *most ? v : *most;
    }
}

/* "a, b" of the dimensions of inputs that have no size yet; "" when shapes are fixed. */
static const char *open_dims(const tune *t) {
    const ox_graph *g = t->m->graph;
    ox_text text = {.arena = t->arena};
    ox_map met;
    ox_map_init(&met, t->arena);
    ox_text_add(&text, "");
    for (size_t i = 0; i < t->a->n_dims; i++) ox_map_put(&met, t->a->dims[i].name, &met);
    for (size_t i = 0; i < t->n_batch_dims; i++) ox_map_put(&met, t->batch_dims[i], &met);
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ox_type *type = g->inputs[i]->is_init ? NULL : g->inputs[i]->type;
        for (int k = 0; ox_type_is_tensor(type) && k < type->rank; k++) {
            ox_sym s = type->dims[k] ? ox_dim_is_symbol(type->dims[k]) : NULL;
            if (ox_dim_is_const(type->dims[k], NULL) || (s && ox_map_has(&met, s))) continue;
            if (s) ox_map_put(&met, s, &met);
            ox_text_addf(&text, "%s%s", text.len ? ", " : "", s ? s : ox_format(t->arena, "%s[%d]", g->inputs[i]->name, k));
        }
    }
    return text.data;
}

static bool spins(const tune *t) { return t->best->at[TUNE_THREADS] > 1 && t->best->at[TUNE_THREADS] < t->processors; }

void tune_advise_one(tune *t, const char *text) { OX_PUSH(t->arena, t->advice, t->n_advice, t->cap_advice, text); }

static void advise_threads(tune *t) {
    const tune_row *b = t->best;
    int64_t least, most, n = b->at[TUNE_THREADS];
    extremes(t, TUNE_THREADS, &least, &most);
    const tune_row *few = other(t, TUNE_THREADS, least), *many = other(t, TUNE_THREADS, most);
    ox_text text = {.arena = t->arena};
    ox_text_addf(&text, "Set %lld thread%s: a run takes %.3f ms (median)", (long long)n, n == 1 ? "" : "s", b->p50);
    if (few && n != least) ox_text_addf(&text, ", with %lld thread%s %.2f times as long", (long long)least, least == 1 ? "" : "s", few->p50 / b->p50);
    if (many && n != most) ox_text_addf(&text, "; with %lld it takes %.3f ms, not less by 2 %%", (long long)most, many->p50);
    ox_text_add(&text, ".");
    tune_advise_one(t, text.data);
}

static void advise_inter(tune *t) {
    const tune_row *b = t->best;
    int64_t least, most, n = b->at[TUNE_INTER];
    if (!tune_has(t, TUNE_INTER)) return;
    extremes(t, TUNE_INTER, &least, &most);
    const tune_row *few = other(t, TUNE_INTER, least), *many = other(t, TUNE_INTER, most);
    ox_text text = {.arena = t->arena};
    ox_text_addf(&text, n == 1 ? "Run nodes one after the other" : "Run independent branches in %lld lanes", (long long)n);
    if (few && n != least) ox_text_addf(&text, "; with %lld a run takes %.2f times as long", (long long)least, few->p50 / b->p50);
    if (many && n != most) ox_text_addf(&text, "; with %lld lanes it takes %.3f ms, not less by 2 %%", (long long)most, many->p50);
    ox_text_add(&text, ".");
    tune_advise_one(t, text.data);
}

static void advise_batch(tune *t) {
    const tune_row *b = t->best;
    int64_t least, most, n = b->at[TUNE_BATCH];
    if (!tune_has(t, TUNE_BATCH)) {
        tune_advise_one(t, "The batch was not varied: no input's first dimension has a name that is open.");
        return;
    }
    extremes(t, TUNE_BATCH, &least, &most);
    const tune_row *small = other(t, TUNE_BATCH, least);
    ox_text text = {.arena = t->arena};
    ox_text_addf(&text, "Set batch %lld (%s): %.1f samples per second", (long long)n, t->batch_dims[0], b->per_second);
    if (small && n != least) ox_text_addf(&text, ", %.2f times those of batch %lld", b->per_second / small->per_second, (long long)least);
    if (n != most) ox_text_addf(&text, t->a->latency > 0 ? "; larger ones take longer than %g ms or gain less than 2 %%" : "; larger ones gain less than 2 %%", t->a->latency);
    if (t->a->latency > 0) ox_text_addf(&text, "; limit %g ms", t->a->latency);
    ox_text_add(&text, ".");
    tune_advise_one(t, text.data);
}

void tune_advise(tune *t) {
    const tune_row *b = t->best;
    const char *open = open_dims(t);
    advise_threads(t);
    advise_inter(t);
    advise_batch(t);
    tune_advise_one(t, ox_format(t->arena, "Memory: an arena of %.2f MiB (lower bound %.2f); the process holds %.1f MiB at most.", (double)b->arena / mib, (double)b->bound / mib,
                        (double)b->rss / mib));
    tune_advise_memory(t);
    if (*open) tune_advise_one(t, ox_format(t->arena, "Sizes that stay open (%s) vary between runs: ONNX Runtime's memory pattern is off.", open));
    else tune_advise_one(t, "All sizes are fixed: ONNX Runtime's memory pattern is on.");
    if (b->at[TUNE_THREADS] > 1)
        tune_advise_one(t, spins(t) ? "Processors are left over: waiting threads may spin, which starts work sooner."
                           : "Every processor is in use: waiting threads should sleep, not spin.");
}

/* ---- settings ---- */

typedef enum which { LEAST, BEST, MOST } which;

static int64_t size_of(const tune *t, const ox_type *type, int k, const json_t *dims, which w) {
    ox_sym s = type->dims[k] ? ox_dim_is_symbol(type->dims[k]) : NULL;
    int64_t n, ends[2];
    if (ox_dim_is_const(type->dims[k], &n)) return n;
    for (size_t i = 0; i < t->a->n_dims; i++)
        if (t->a->dims[i].name == s) return t->a->dims[i].value;
    extremes(t, TUNE_BATCH, &ends[0], &ends[1]);
    for (size_t i = 0; i < t->n_batch_dims; i++)
        if (t->batch_dims[i] == s) return w == LEAST ? ends[0] : w == MOST ? ends[1] : t->best->at[TUNE_BATCH];
    return w == LEAST ? 1 : json_integer_value(json_array_get(dims, (size_t)k)); /* what was measured */
}

/* name:1x3x224x224,... of the inputs whose shapes are open. */
static void add_shapes(const tune *t, ox_text *y, const char *option, which w) {
    const ox_graph *g = t->m->graph;
    ox_text list = {.arena = t->arena};
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ox_type *type = g->inputs[i]->is_init ? NULL : g->inputs[i]->type;
        bool open = false;
        for (int k = 0; ox_type_is_tensor(type) && k < type->rank; k++) open |= !ox_dim_is_const(type->dims[k], NULL);
        if (!open) continue;
        const json_t *dims = json_object_get((const json_t *)t->best->inputs, g->inputs[i]->name);
        ox_text_addf(&list, "%s%s:", list.len ? "," : "", g->inputs[i]->name);
        for (int k = 0; k < type->rank; k++) ox_text_addf(&list, "%s%lld", k ? "x" : "", (long long)size_of(t, type, k, dims, w));
    }
    if (!list.len) return;
    ox_text_addf(y, "  - \"%s=", option);
    run_json_text(&t->a->c, y, list.data);
    ox_text_add(y, "\"\n");
}

static const char *stem_of(const tune *t, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t len = strlen(name);
    return ox_format(t->arena, "%.*s", (int)(len > 5 && !strcmp(name + len - 5, ".onnx") ? len - 5 : len), name);
}

void tune_yaml(const tune *t, ox_text *y) {
    const tune_row *b = t->best;
    const char *open = open_dims(t), *model = t->a->c.operands[1];
    ox_text_add(y, "# Settings found by onnx-run tune.\n");
    for (size_t i = 0; i < t->n_advice; i++) ox_text_addf(y, "# %s\n", cli_shown(t->arena, t->advice[i]));
    ox_text_add(y, "model: \"");
    run_json_text(&t->a->c, y, model);
    ox_text_addf(y, "\"\n# For pipelines of onnx-opt; memory: twice what the process held.\nframe: {threads: %lld, memory: %lldMiB}\n", (long long)b->at[TUNE_THREADS],
                 (long long)(2 * ((b->rss >> 20) + 1)));
    uint64_t workspace, arena;
    if (tune_memory(t, &workspace, &arena)) {
        ox_text_add(y, "# Of onnx-run: --workspace-limit and --memory-budget, bytes.\n");
        if (workspace != UINT64_MAX) ox_text_addf(y, "workspace_limit: %llu\n", (unsigned long long)workspace);
        ox_text_addf(y, "memory_budget: %llu\n", (unsigned long long)arena);
    }
    if (tune_has(t, TUNE_BATCH)) ox_text_addf(y, "batch: %lld\n", (long long)b->at[TUNE_BATCH]);
    if (tune_has(t, TUNE_INTER)) ox_text_addf(y, "inter_op: %lld\n", (long long)b->at[TUNE_INTER]);
    int64_t lanes = b->at[TUNE_INTER] > 1 ? b->at[TUNE_INTER] : 1, each = b->at[TUNE_THREADS] / lanes;
    ox_text_addf(y, "# Session options of ONNX Runtime.\nonnxruntime:\n  intra_op_num_threads: %lld\n  inter_op_num_threads: %lld\n  execution_mode: %s\n",
                 (long long)(each > 1 ? each : 1), (long long)lanes, lanes > 1 ? "ORT_PARALLEL" : "ORT_SEQUENTIAL");
    ox_text_addf(y, "  graph_optimization_level: ORT_ENABLE_ALL\n  enable_mem_pattern: %s\n  enable_cpu_mem_arena: true\n", *open ? "false" : "true");
    ox_text_addf(y, "  session_config:\n    session.intra_op.allow_spinning: \"%d\"\n", spins(t));
    ox_text_add(y, "# trtexec; nothing was measured on a GPU. workspace: a ceiling for the scratch memory of one layer; too low a one forbids tactics.\n"
                   "trtexec:\n  - \"--onnx=");
    run_json_text(&t->a->c, y, model);
    ox_text_add(y, "\"\n  - \"--memPoolSize=workspace:1024M\"\n  - \"--builderOptimizationLevel=3\"\n  - \"--timingCacheFile=");
    run_json_text(&t->a->c, y, stem_of(t, model));
    ox_text_add(y, ".timing\"\n");
    add_shapes(t, y, "--minShapes", LEAST);
    add_shapes(t, y, "--optShapes", BEST);
    add_shapes(t, y, "--maxShapes", MOST);
}
