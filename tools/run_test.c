/* onnx-run test: directories in the layout of the ONNX backend test suite (model.onnx, test_data_set_N/{input,output}_K.pb). */
#include "tools/run.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct { int64_t passed, failed, skipped; json_t *cases; } tally;

/* ---- value files ---- */

static ox_rt *from_pb(ox_ctx *ctx, ox_pb_value *v) {
    if (v->kind == 0) return ox_rt_none(ctx);
    if (v->kind == 1) {
        ox_tensor *t = v->t;
        v->t = NULL;
        return ox_rt_tensor(ctx, t);
    }
    if (v->kind != 2) return ox_fail(ctx, OX_UNAVAILABLE, "maps in value files are not read"), NULL;
    ox_rt **items = calloc(v->n + 1, sizeof *items), *made = NULL;
    if (!items) return ox_fail(ctx, OX_NO_MEMORY, "out of memory"), NULL;
    size_t n = 0;
    while (n < v->n && (items[n] = from_pb(ctx, &v->items[n]))) n++;
    if (n == v->n) made = ox_rt_sequence(ctx, items, (int64_t)n, v->elem);
    else while (n) ox_rt_unref(items[--n]);
    free(items);
    return made;
}

static void drop_pb(ox_pb_value *v) {
    ox_tensor_unref(v->t);
    for (size_t i = 0; i < v->n; i++) drop_pb(&v->items[i]);
}

ox_rt *run_read_value(ox_ctx *ctx, const char *path, const ox_type *declared) {
    ox_arena *arena = ox_arena_new(ctx);
    ox_pb_value v = {0};
    ox_rt *rt = ox_pb_read(ctx, arena, path, declared, &v) == 0 ? from_pb(ctx, &v) : NULL;
    drop_pb(&v);
    ox_arena_free(arena);
    return rt;
}

/* ---- one case ---- */

static bool exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

/* ---- what random numbers reach: two right programs give different ones, so type and shape alone can be compared ---- */

typedef struct { ox_map *hit; bool any; } reach;

static bool draws(const ox_node *n, int depth);

static int body_reached(ox_graph *g, void *user) {
    reach *r = user;
    for (const ox_node *n = g->first; n && !r->any; n = n->next) {
        for (uint32_t i = 0; i < n->n_in; i++) r->any |= n->in[i].v && ox_map_has(r->hit, n->in[i].v);
        if (ox_each_body((ox_node *)(uintptr_t)n, body_reached, r)) return 1;
    }
    for (uint32_t i = 0; i < g->ret->n_in; i++) r->any |= g->ret->in[i].v && ox_map_has(r->hit, g->ret->in[i].v);
    return r->any;
}

/* Whether a node draws random numbers, also in a function that it calls. */
static bool draws(const ox_node *n, int depth) {
    if (!n->callee) return n->op && !ox_node_pure(n);
    for (const ox_node *m = n->callee->body ? n->callee->body->first : NULL; m && depth; m = m->next)
        if (draws(m, depth - 1)) return true;
    return false;
}

static void find_random(ox_graph *g, ox_map *hit) {
    for (ox_node *n = g->first; n; n = n->next) {
        reach r = {hit, draws(n, 32)};
        for (uint32_t i = 0; i < n->n_in; i++) r.any |= n->in[i].v && ox_map_has(hit, n->in[i].v);
        if (!r.any) ox_each_body(n, body_reached, &r);
        for (uint32_t i = 0; r.any && i < n->n_out; i++)
            if (n->out[i]) ox_map_put(hit, n->out[i], n);
    }
}

static bool same_form(const ox_rt *a, const ox_rt *b) {
    if (a->kind != b->kind || a->kind != OX_RT_TENSOR) return a->kind == b->kind;
    return a->t->dtype == b->t->dtype && a->t->rank == b->t->rank && !memcmp(a->t->dims, b->t->dims, (size_t)a->t->rank * sizeof *a->t->dims);
}

static bool has_dft(const ox_graph *g) {
    for (const ox_node *n = g->first; n; n = n->next)
        if (ox_is(n, "DFT")) return true;
    return false;
}

/* The suite's rule, exact for what is no float; the output's position names it. The suite's data of DFT hold zeros rounded in float:
 * its own runner compares them with 1e-6. */
static int check_outputs(ox_ctx *ctx, ox_graph *g, const char *set, ox_rt **out, bool *form_only) {
    ox_map random;
    ox_map_init(&random, ctx->arena);
    find_random(g, &random);
    ox_tolerance tol = {1e-3, has_dft(g) ? 1e-6 : 1e-7, false};
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        const char *path = ox_format(ctx->arena, "%s/output_%u.pb", set, i);
        ox_rt *want = run_read_value(ctx, path, g->out_types[i] ? g->out_types[i] : g->ret->in[i].v->type);
        if (!want) return -1;
        ox_difference d;
        ox_compare(want, out[i], &tol, &d);
        bool form = !d.same && ox_map_has(&random, g->ret->in[i].v) && same_form(want, out[i]);
        *form_only |= form;
        ox_rt_unref(want);
        if (!d.same && !form) return ox_fail(ctx, OX_NEGATIVE, "output %s: %s", g->out_names[i], d.text);
    }
    return 0;
}

static int run_set(ox_ctx *ctx, ox_model *m, ox_frame *f, const char *set, bool *form_only) {
    ox_graph *g = m->graph;
    ox_rt **in = OX_NEW_N(ctx->arena, ox_rt *, g->n_inputs + 1), **out = OX_NEW_N(ctx->arena, ox_rt *, g->ret->n_in + 1);
    int result = 0;
    for (size_t i = 0; i < g->n_inputs && result == 0; i++) {
        const char *path = ox_format(ctx->arena, "%s/input_%zu.pb", set, i);
        if (exists(path) && !(in[i] = run_read_value(ctx, path, g->inputs[i]->type))) result = -1;
    }
    if (result == 0) result = ox_frame_run(f, in, out);
    if (result == 0) result = check_outputs(ctx, g, set, out, form_only);
    for (size_t i = 0; i < g->n_inputs; i++) ox_rt_unref(in[i]);
    for (uint32_t i = 0; i < g->ret->n_in; i++) ox_rt_unref(out[i]);
    return result;
}

typedef struct { ox_ctx *ctx; const char *dir; int sets; bool form_only; } test_case;

static int run_case(void *arg) {
    test_case *t = arg;
    ox_model *m = ox_model_open(t->ctx, ox_format(t->ctx->arena, "%s/model.onnx", t->dir));
    ox_frame *f = m ? ox_frame_new(m) : NULL;
    int result = f ? 0 : -1;
    for (; result == 0; t->sets++) {
        const char *set = ox_format(t->ctx->arena, "%s/test_data_set_%d", t->dir, t->sets);
        if (!exists(set)) break;
        result = run_set(t->ctx, m, f, set, &t->form_only);
    }
    if (result == 0 && t->sets == 0) result = ox_fail(t->ctx, OX_BAD_DATA, "no test_data_set_0");
    ox_frame_free(f);
    ox_model_free(m);
    return result;
}

/* A machine without memory or with a broken disk says nothing about a case. */
static bool hopeless(const ox_ctx *ctx) { return ctx->starved || ox_error_code(ctx) == OX_IO; }

static int one(run_args *a, const char *dir, tally *sum) {
    test_case t = {.ctx = ox_ctx_new(), .dir = dir};
    if (!t.ctx) return ox_fail(a->c.ctx, OX_NO_MEMORY, "%s: out of memory", dir);
    t.ctx->threads = a->c.ctx->threads;
    int result = ox_protect(t.ctx, run_case, &t);
    if (result != 0 && hopeless(t.ctx)) {
        ox_fail(a->c.ctx, ox_error_code(t.ctx), "%s: %s", dir, ox_error_text(t.ctx));
        ox_ctx_free(t.ctx);
        return -1;
    }
    const char *status = result == 0 ? "passed" : ox_error_code(t.ctx) == OX_UNAVAILABLE ? "skipped" : "failed";
    *(result == 0 ? &sum->passed : status[0] == 's' ? &sum->skipped : &sum->failed) += 1;
    char shown[4096]; /* names of folders may come from an archive */
    ox_printable(shown, sizeof shown, dir);
    if (result == 0 && a->c.verbose) printf("passed %s%s\n", shown, t.form_only ? " (type and shape only)" : "");
    if (result != 0) printf("%s %s: %s\n", status, shown, ox_error_text(t.ctx));
    cli_json_add(&a->c, sum->cases, NULL, json_pack("{s:s, s:s, s:s}", "dir", shown, "status", status, "reason", result == 0 ? "" : ox_error_text(t.ctx)));
    ox_ctx_free(t.ctx);
    return 0;
}

/* ---- directories ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* DIR is a case, or holds cases at any depth (at most 8). */
static int walk(run_args *a, const char *dir, int depth, tally *sum) {
    ox_arena *arena = a->c.ctx->arena;
    if (exists(ox_format(arena, "%s/model.onnx", dir))) return one(a, dir, sum);
    if (depth >= 8) return 0;
    DIR *d = opendir(dir);
    if (!d) return ox_fail(a->c.ctx, errno == ENOMEM ? OX_NO_MEMORY : OX_NO_INPUT, "%s: no directory of test cases: %s", dir, strerror(errno));
    const char **names = NULL;
    size_t n = 0, cap = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') OX_PUSH(arena, names, n, cap, ox_strdup(arena, e->d_name));
    closedir(d);
    if (n) qsort(names, n, sizeof *names, by_text);
    bool broken_case = n && !strncmp(names[0], "test_data_set_", 14);
    if (broken_case) return one(a, dir, sum); /* data without a model: said, not passed over */
    for (size_t i = 0; i < n; i++) {
        const char *path = ox_format(arena, "%s/%s", dir, names[i]);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && walk(a, path, depth + 1, sum) < 0) return -1;
    }
    return 0;
}

int run_test(run_args *a) {
    if (run_operands(a, 1, true, "at least one DIR") < 0) return -1;
    tally sum = {.cases = json_array()};
    int result = 0;
    for (int i = 1; i < a->c.n_operands && result == 0; i++) result = walk(a, a->c.operands[i], 0, &sum);
    if (result == 0 && !sum.passed && !sum.failed && !sum.skipped) result = ox_fail(a->c.ctx, OX_NO_INPUT, "%s: no test cases", a->c.operands[1]);
    if (result == 0) printf("%lld passed, %lld failed, %lld skipped\n", (long long)sum.passed, (long long)sum.failed, (long long)sum.skipped);
    if (result == 0) result = cli_flush(&a->c);
    if (result == 0 && a->json)
        result = cli_write_json(&a->c, a->json, json_pack("{s:s, s:i, s:I, s:I, s:I, s:O}", "schema", "onnx-run/test", "version", 1, "passed",
                                                          (json_int_t)sum.passed, "failed", (json_int_t)sum.failed, "skipped", (json_int_t)sum.skipped,
                                                          "cases", sum.cases));
    json_decref(sum.cases);
    if (result == 0 && sum.failed) result = ox_fail(a->c.ctx, OX_NEGATIVE, "%lld cases failed", (long long)sum.failed);
    return result;
}
