/* Models that are run: read, inputs given and made, planned, run for the first time. For every command of onnx-run that runs one. */
#include "tools/run.h"

#include <time.h>
#include <unistd.h>

double run_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void run_session_drop(run_session *s) {
    for (uint32_t i = 0; i < s->m->graph->ret->n_in; i++) {
        ox_rt_unref(s->out[i]);
        s->out[i] = NULL;
    }
}

void run_session_close(run_session *s) {
    if (s->m && s->in)
        for (size_t i = 0; i < s->m->graph->n_inputs; i++) ox_rt_unref(s->in[i]);
    if (s->m && s->out) run_session_drop(s);
    ox_frame_free(s->f);
    ox_tuning_free(s->tuning);
    ox_model_free(s->m);
    *s = (run_session){0};
}

/* ---- sizes of symbolic dimensions ---- */

/* Inputs that are made have the sizes of those that are given. */
static int bind_dims(run_args *a, run_session *s) {
    ox_ctx *ctx = a->c.ctx;
    ox_map bound;
    size_t cap = a->n_dims, given = a->n_dims;
    ox_map_init(&bound, ctx->arena);
    for (size_t i = 0; i < a->n_dims; i++) ox_map_put(&bound, a->dims[i].name, (void *)(uintptr_t)(i + 1));
    for (size_t i = 0; i < s->m->graph->n_inputs; i++) {
        const ox_value *x = s->m->graph->inputs[i];
        const ox_tensor *t = s->in[i] && s->in[i]->kind == OX_RT_TENSOR ? s->in[i]->t : NULL;
        for (int k = 0; t && ox_type_is_tensor(x->type) && k < x->type->rank; k++) {
            ox_sym name = x->type->dims[k] ? ox_dim_is_symbol(x->type->dims[k]) : NULL;
            size_t at = name ? (size_t)(uintptr_t)ox_map_get(&bound, name) : 0;
            if (at && at <= given && a->dims[at - 1].value != t->dims[k])
                return ox_fail(ctx, OX_BAD_DATA, "input '%s' has size %lld for '%s', --dim says %lld", x->name, (long long)t->dims[k], name, (long long)a->dims[at - 1].value);
            if (!name || at) continue;
            OX_PUSH(ctx->arena, a->dims, a->n_dims, cap, ((ox_dim_binding){name, t->dims[k]}));
            ox_map_put(&bound, name, (void *)(uintptr_t)a->n_dims);
        }
    }
    return 0;
}

/* ---- inputs ---- */

static int unknown_input(run_args *a, const ox_graph *g, const char *spec, size_t len) {
    const char *known[64];
    size_t n = 0;
    for (size_t i = 0; i < g->n_inputs && n < 64; i++) known[n++] = g->inputs[i]->name;
    const char *name = ox_format(a->c.ctx->arena, "%.*s", (int)(len > 200 ? 200 : len), spec), *near = ox_nearest(name, known, n);
    return ox_fail(a->c.ctx, OX_USAGE, "%s has no input '%s'%s%s%s", a->c.operands[1], name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* The array of an archive that is called as the input; when there is only one, that one. */
static ox_tensor *from_archive(run_args *a, const char *path, const char *name) {
    ox_npz *z = ox_npz_open(a->c.ctx, path);
    ox_tensor *t = !z ? NULL : ox_npz_count(z) == 1 ? ox_npz_read(z, 0) : ox_npz_find(z, name);
    ox_npz_close(z);
    return t;
}

static ox_rt *read_input(run_args *a, const char *path, const char *name, const ox_type *type) {
    bool npz = run_ends_in(path, ".npz");
    if (!npz && !run_ends_in(path, ".npy")) return run_read_value(a->c.ctx, path, type);
    ox_tensor *t = npz ? from_archive(a, path, name) : ox_npy_read(a->c.ctx, path);
    return t ? ox_rt_tensor(a->c.ctx, t) : NULL;
}

/* Takes over the reference to V, NULL after a failure. */
static int set_input(run_args *a, run_session *s, size_t at, const char *path, ox_rt *v) {
    if (!v) return ox_fail_in(a->c.ctx, "input '%s'", s->m->graph->inputs[at]->name);
    s->in[at] = v;
    return ox_check_input(s->m, at, v) < 0 ? ox_fail_in(a->c.ctx, "%s", path) : 0;
}

static size_t find_input(const ox_graph *g, const char *name, size_t len) {
    size_t at = 0;
    while (at < g->n_inputs && (strlen(g->inputs[at]->name) != len || memcmp(g->inputs[at]->name, name, len))) at++;
    return at;
}

static int given_twice(run_args *a, const char *name) { return ox_fail(a->c.ctx, OX_USAGE, "--input gives '%s' twice", name); }

/* --input FILE.npz: every array is an input of its name. */
static int given_archive(run_args *a, run_session *s, const char *path) {
    ox_graph *g = s->m->graph;
    ox_npz *z = ox_npz_open(a->c.ctx, path);
    int result = z ? 0 : -1;
    for (size_t i = 0; result == 0 && i < ox_npz_count(z); i++) {
        const char *name = ox_npz_name(z, i);
        size_t at = find_input(g, name, strlen(name));
        if (at == g->n_inputs) result = unknown_input(a, g, name, strlen(name)) < 0 ? ox_fail_in(a->c.ctx, "%s", path) : 0;
        else if (s->in[at]) result = given_twice(a, name);
        else {
            ox_tensor *t = ox_npz_read(z, i);
            result = set_input(a, s, at, path, t ? ox_rt_tensor(a->c.ctx, t) : NULL);
        }
    }
    ox_npz_close(z);
    return result;
}

/* One --input NAME=FILE or FILE.npz. */
static int given_input(run_args *a, run_session *s, const char *spec) {
    const char *eq = NULL;
    ox_graph *g = s->m->graph;
    size_t at = g->n_inputs;
    for (const char *p = spec; at == g->n_inputs && (p = strchr(p, '=')); p++) at = find_input(g, spec, (size_t)((eq = p) - spec)); /* names may hold "=" too */
    if (at == g->n_inputs && run_ends_in(spec, ".npz") && (!eq || access(spec, F_OK) == 0)) return given_archive(a, s, spec);
    if (at == g->n_inputs) return unknown_input(a, g, spec, strcspn(spec, "="));
    if (s->in[at]) return given_twice(a, g->inputs[at]->name);
    if (!eq[1]) return ox_fail(a->c.ctx, OX_USAGE, "--input gives no file for '%s'", g->inputs[at]->name);
    return set_input(a, s, at, eq + 1, read_input(a, eq + 1, g->inputs[at]->name, g->inputs[at]->type));
}

int run_session_read(run_args *a, run_session *s) {
    s->started = run_now();
    if (!(s->m = ox_model_open(a->c.ctx, a->c.operands[1]))) return -1;
    s->in = OX_NEW_N(a->c.ctx->arena, ox_rt *, s->m->graph->n_inputs + 1);
    s->out = OX_NEW_N(a->c.ctx->arena, ox_rt *, s->m->graph->ret->n_in + 1);
    s->opened = run_now();
    return 0;
}

/* Limits, and measured times of algorithms. */
static int set_algorithms(run_args *a, run_session *s) {
    if (a->workspace_limit != UINT64_MAX || a->memory_budget != UINT64_MAX) ox_frame_set_limits(s->f, a->workspace_limit, a->memory_budget);
    if (!a->measure) return 0;
    if (!(s->tuning = ox_tuning_new(a->c.ctx)) || (a->tuning_cache && ox_tuning_read(s->tuning, a->tuning_cache) < 0)) return -1;
    ox_frame_set_tuning(s->f, s->tuning, a->on_miss);
    return 0;
}

int run_session_prepare(run_args *a, run_session *s) {
    ox_ctx *ctx = a->c.ctx;
    if (cli_check_dims(&a->c, s->m, a->c.operands[1], a->dims, a->n_dims) < 0) return -1;
    if (ox_infer_model(s->m, NULL) < 0) return ox_fail_in(ctx, "%s", a->c.operands[1]); /* what cannot be is told before anything is run */
    for (size_t i = 0; i < a->n_inputs; i++)
        if (given_input(a, s, a->inputs[i]) < 0) return -1;
    ox_frame_options how = {.integers = s->integers, .defaults = true, .inter_op = (int)a->lanes};
    for (size_t i = 0; i < s->m->graph->n_inputs; i++) how.defaults &= !s->in[i] || !s->m->graph->inputs[i]->data; /* unless one is given */
    if (!(s->f = ox_frame_new_with(s->m, &how)) || bind_dims(a, s) < 0 || set_algorithms(a, s) < 0) return -1;
    ox_inputs_options o = {.seed = (uint64_t)a->seed, .dims = a->dims, .n_dims = a->n_dims, .only_missing = true};
    if (ox_make_inputs(s->m, &o, s->in) < 0) return -1;
    s->ready = run_now();
    return 0;
}

int run_session_open(run_args *a, run_session *s) { return run_session_read(a, s) < 0 ? -1 : run_session_prepare(a, s); }

/* Sizes made for open dimensions need not fit together (a position beyond a table, a batch that a branch does not take): while all inputs are
 * ours, other sizes are tried, always in the same order. The first failure is told when none does. */
static int fit(run_args *a, run_session *s) {
    ox_ctx *ctx = a->c.ctx;
    int result = ox_frame_run(s->f, s->in, s->out);
    if (result == 0 || a->n_inputs || ox_error_code(ctx) != OX_BAD_DATA) return result;
    const char *why = ox_strdup(ctx->arena, ox_error_text(ctx));
    for (int sample = 1; sample < OX_INPUT_SIZES; sample++) {
        ox_inputs_options o = {.seed = (uint64_t)a->seed, .sample = sample, .dims = a->dims, .n_dims = a->n_dims};
        for (size_t i = 0; i < s->m->graph->n_inputs; i++) {
            ox_rt_unref(s->in[i]);
            s->in[i] = NULL;
        }
        if (ox_make_inputs(s->m, &o, s->in) == 0 && ox_frame_run(s->f, s->in, s->out) == 0) return ox_clear_error(ctx), 0;
        if (ox_error_code(ctx) != OX_BAD_DATA) return -1;
    }
    return ox_fail(ctx, OX_BAD_DATA, "%s", why);
}

int run_session_fit(run_args *a, run_session *s) {
    int result = fit(a, s);
    return result == 0 && a->tuning_cache ? ox_tuning_append(s->tuning, a->tuning_cache) : result;
}
