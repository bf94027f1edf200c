/* onnx-run run: once on given or generated inputs; onnx-run bench: latency over many runs. */
#include "tools/run.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

typedef struct { ox_model *m; ox_frame *f; ox_rt **in, **out; } session;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void drop_outputs(session *s) {
    for (uint32_t i = 0; i < s->m->graph->ret->n_in; i++) {
        ox_rt_unref(s->out[i]);
        s->out[i] = NULL;
    }
}

static void session_close(session *s) {
    if (s->m && s->in)
        for (size_t i = 0; i < s->m->graph->n_inputs; i++) ox_rt_unref(s->in[i]);
    if (s->m && s->out) drop_outputs(s);
    ox_frame_free(s->f);
    ox_model_free(s->m);
}

/* ---- sizes of symbolic dimensions ---- */

/* Inputs that are made have the sizes of those that are given. */
static int bind_dims(run_args *a, session *s) {
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

static ox_rt *read_input(run_args *a, const char *path, const ox_type *type) {
    size_t len = strlen(path);
    if (len <= 4 || strcmp(path + len - 4, ".npy")) return run_read_value(a->c.ctx, path, type);
    ox_tensor *t = ox_npy_read(a->c.ctx, path);
    return t ? ox_rt_tensor(a->c.ctx, t) : NULL;
}

/* One --input NAME=FILE. */
static int given_input(run_args *a, session *s, const char *spec) {
    const char *eq = NULL;
    ox_graph *g = s->m->graph;
    size_t at = g->n_inputs;
    for (const char *p = spec; at == g->n_inputs && (p = strchr(p, '=')); p++) { /* names may hold "=" too */
        size_t len = (size_t)(p - spec);
        eq = p;
        for (at = 0; at < g->n_inputs; at++)
            if (strlen(g->inputs[at]->name) == len && !memcmp(g->inputs[at]->name, spec, len)) break;
    }
    if (at == g->n_inputs) return unknown_input(a, g, spec, (size_t)(strchr(spec, '=') - spec));
    if (s->in[at]) return ox_fail(a->c.ctx, OX_USAGE, "--input gives '%s' twice", g->inputs[at]->name);
    if (!eq[1]) return ox_fail(a->c.ctx, OX_USAGE, "--input gives no file for '%s'", g->inputs[at]->name);
    s->in[at] = read_input(a, eq + 1, g->inputs[at]->type);
    if (!s->in[at]) return ox_fail_in(a->c.ctx, "input '%s'", g->inputs[at]->name);
    return ox_check_input(s->m, at, s->in[at]) < 0 ? ox_fail_in(a->c.ctx, "%s", eq + 1) : 0;
}

/* integers: quantized models are to be fast rather than rounded as the standard says. */
static int session_open(run_args *a, session *s, bool integers) {
    ox_ctx *ctx = a->c.ctx;
    if (!(s->m = ox_model_open(ctx, a->c.operands[1]))) return -1;
    s->in = OX_NEW_N(ctx->arena, ox_rt *, s->m->graph->n_inputs + 1);
    s->out = OX_NEW_N(ctx->arena, ox_rt *, s->m->graph->ret->n_in + 1);
    if (cli_check_dims(&a->c, s->m, a->c.operands[1], a->dims, a->n_dims) < 0) return -1;
    if (ox_infer_model(s->m, NULL) < 0) return ox_fail_in(ctx, "%s", a->c.operands[1]); /* what cannot be is told before anything is run */
    for (size_t i = 0; i < a->n_inputs; i++)
        if (given_input(a, s, a->inputs[i]) < 0) return -1;
    if (!(s->f = ox_frame_new_with(s->m, &(ox_frame_options){.integers = integers})) || bind_dims(a, s) < 0) return -1;
    ox_inputs_options o = {.seed = (uint64_t)a->seed, .dims = a->dims, .n_dims = a->n_dims, .only_missing = true};
    return ox_make_inputs(s->m, &o, s->in);
}

/* Sizes made for open dimensions need not fit together (a position beyond a table, a batch that a branch does not take): while all inputs are
 * ours, other sizes are tried, always in the same order. The first failure is told when none does. */
static int run_fitting(run_args *a, session *s) {
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

int run_run(run_args *a) {
    session s = {0};
    if (run_operands(a, 1, false, "one MODEL") < 0) return -1;
    if (!a->out) return ox_fail(a->c.ctx, OX_USAGE, "where to? -o OUT.npz is missing");
    int result = session_open(a, &s, false);
    if (result == 0) result = run_fitting(a, &s);
    if (result == 0) {
        uint32_t n = s.m->graph->ret->n_in;
        ox_array *arrays = OX_NEW_N(a->c.ctx->arena, ox_array, n + 1);
        for (uint32_t i = 0; i < n && result == 0; i++) {
            arrays[i].name = s.m->graph->out_names[i];
            arrays[i].t = s.out[i] && s.out[i]->kind == OX_RT_TENSOR ? s.out[i]->t : NULL;
            if (!arrays[i].t) result = ox_fail(a->c.ctx, OX_UNAVAILABLE, "output %s is no tensor: .npz cannot hold it", arrays[i].name);
        }
        if (result == 0) result = ox_npz_write(a->c.ctx, a->out, arrays, n);
    }
    session_close(&s);
    return result;
}

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int run_bench(run_args *a) {
    session s = {0};
    if (run_operands(a, 1, false, "one MODEL") < 0) return -1;
    double start = now_ms();
    int result = session_open(a, &s, true);
    double loaded = now_ms(), first = 0, sum = 0;
    double *ms = OX_NEW_N(a->c.ctx->arena, double, a->repeat);
    for (int64_t i = -1 - a->warmup; i < a->repeat && result == 0; i++) {
        double t = now_ms();
        result = i == -1 - a->warmup ? run_fitting(a, &s) : ox_frame_run(s.f, s.in, s.out);
        t = now_ms() - t;
        if (i == -1 - a->warmup) first = t;
        if (i >= 0) sum += ms[i] = t;
        if (result == 0) drop_outputs(&s);
    }
    session_close(&s);
    if (result < 0) return -1;
    size_t n = (size_t)a->repeat;
    qsort(ms, n, sizeof *ms, by_number);
    double p50 = ms[n / 2], p90 = ms[n * 9 / 10], p99 = ms[n * 99 / 100];
    if (a->json)
        return cli_write_json(&a->c, a->json, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "schema", "onnx-run/bench", "version", 1, "min_ms",
                                                        ms[0], "mean_ms", sum / (double)n, "p50_ms", p50, "p90_ms", p90, "p99_ms", p99, "first_ms", first,
                                                        "load_ms", loaded - start, "runs", (json_int_t)n));
    printf("min %.3f ms, mean %.3f, p50 %.3f, p90 %.3f, p99 %.3f; first run %.3f, load %.3f\n", ms[0], sum / (double)n, p50, p90, p99, first, loaded - start);
    return 0;
}
