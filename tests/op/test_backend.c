/* The ONNX backend suite: every model must run and give the recorded outputs, and what shape inference says about
 * outputs must be true of them, with inputs unknown and with those of integers known. Needs the folder of the suite in
 * OX_ONNX_TESTS; arguments: only tests whose name contains one of these. OX_SHOW_INEXACT in the environment lists
 * outputs whose type is not wholly inferred. With --target-opset=N before the other arguments models of older opsets
 * are lifted to that one first: then they must still be and do all that. With --threads results must have the same bits
 * for any number of threads, by the operators' own kernels too (OX_SHARE=all: however small the work is). */
#include "passes/pass.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct tally {
    int passed, failed, skipped, outputs, exact, exact_known, wrong;
} tally;

typedef struct job {
    ox_ctx *ctx;
    const char *dir, *why, *lift; /* a pass to run first */
    bool threads;
    tally *t;
    bool skipped;
} job;

/* Expected values come from the state of a generator that nothing describes. */
static const char *const unpredictable[] = {"test_bernoulli", NULL};

static ox_rt *value_of(ox_ctx *ctx, ox_pb_value *v) {
    if (v->kind == 0) return ox_rt_none(ctx);
    if (v->kind == 1) return ox_rt_tensor(ctx, ox_tensor_ref(v->t));
    ox_rt **items = calloc(v->n + 1, sizeof *items);
    for (size_t i = 0; i < v->n; i++) items[i] = value_of(ctx, &v->items[i]);
    ox_rt *s = ox_rt_sequence(ctx, items, (int64_t)v->n, v->elem);
    free(items);
    return s;
}

static void drop(ox_pb_value *v) {
    ox_tensor_unref(v->t);
    for (size_t i = 0; i < v->n; i++) drop(&v->items[i]);
}

static int read_value(ox_ctx *ctx, const char *path, const ox_type *type, ox_rt **out) {
    ox_pb_value v = {0};
    if (access(path, R_OK)) return 0;
    if (ox_pb_read(ctx, ctx->arena, path, type, &v) < 0) return -1;
    *out = value_of(ctx, &v);
    drop(&v);
    return *out ? 0 : -1;
}

/* Forgets what the file says of results, so that inference has to find it. */
static int forget(ox_graph *g, void *user) {
    (void)user;
    for (ox_node *n = g->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->n_out; i++) {
            if (n->out[i] && !n->out[i]->data) n->out[i]->type = NULL;
        }
    }
    return 0;
}

/* *exact counts types that say all. */
static void judge_type(job *j, const ox_rt *got, const ox_type *type, const char *name, int *exact_count) {
    if (!got || got->kind != OX_RT_TENSOR) return;
    bool exact = ox_type_is_tensor(type) && type->dtype == got->t->dtype && type->rank == got->t->rank, wrong = false;
    if (ox_type_is_tensor(type)) {
        wrong = (type->dtype && type->dtype != got->t->dtype) || (type->rank >= 0 && type->rank != got->t->rank);
        for (int k = 0; !wrong && k < type->rank; k++) {
            int64_t d;
            bool known = ox_dim_is_const(type->dims[k], &d);
            exact = exact && known;
            wrong = wrong || (known && d != got->t->dims[k]);
        }
    }
    *exact_count += exact && !wrong;
    j->t->wrong += wrong;
    if (wrong) printf("# WRONG TYPE %s: %s is inferred as %s\n", j->dir, name, ox_type_text(j->ctx->arena, type));
    if (!exact && exact_count == &j->t->exact_known && getenv("OX_SHOW_INEXACT"))
        printf("# inexact %s: %s is inferred as %s\n", j->dir, name, ox_type_text(j->ctx->arena, type));
}

/* Infers once more with the values of inputs of integers known, and compares with what came out. */
static int judge_known(job *j, ox_model *m, ox_rt **in, ox_rt **out) {
    ox_graph *g = m->graph;
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ox_tensor *t = in[i] && in[i]->kind == OX_RT_TENSOR ? in[i]->t : NULL;
        if (!t || t->count > OX_ELEMS_MAX || !(ox_dtype_is_int(t->dtype) || t->dtype == OX_BOOL)) continue;
        const int64_t *ints = ox_tensor_to_ints(j->ctx->arena, t);
        ox_dim *elems = OX_NEW_N(j->ctx->arena, ox_dim, t->count + 1);
        for (int64_t k = 0; k < t->count; k++) elems[k] = ox_dim_const(j->ctx, ints[k]);
        g->inputs[i]->elems = elems;
        g->inputs[i]->nelems = t->count;
    }
    const ox_type **kept = g->out_types;
    g->out_types = NULL;
    ox_each_graph(m, forget, NULL);
    int rc = ox_infer_model(m, NULL);
    g->out_types = kept;
    for (uint32_t i = 0; i < g->ret->n_in && rc == 0; i++)
        judge_type(j, out[i], g->ret->in[i].v->type, g->out_names[i], &j->t->exact_known);
    return rc;
}

static int find_random(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next)
        if (n->callee || (n->op && (n->op->flags & (OX_RANDOM | OX_TRAINS)))) return *(bool *)user = true, 1;
    return 0;
}

static bool same_bits(const ox_rt *a, const ox_rt *b) {
    if (!a || !b || a->kind != b->kind || a->n != b->n || (a->t && !ox_tensor_equal(a->t, b->t))) return false;
    for (int64_t i = 0; i < a->n; i++)
        if (!same_bits(a->items[i], b->items[i])) return false;
    return true;
}

/* A second run uses planned memory: the same bits, in another place than what is held. */
static int run_again(job *j, ox_model *m, ox_frame *f, ox_rt **in, ox_rt **first) {
    const ox_graph *g = m->graph;
    ox_rt **out = OX_NEW_N(j->ctx->arena, ox_rt *, g->ret->n_in + 1);
    bool random = false;
    ox_each_graph(m, find_random, &random);
    int rc = 0;
    for (int round = 0; round < 2 && rc == 0; round++) {
        rc = ox_frame_run(f, in, out);
        for (uint32_t i = 0; i < g->ret->n_in && rc == 0; i++)
            if (!random && !same_bits(first[i], out[i]))
                rc = ox_fail(j->ctx, OX_NEGATIVE, "output %s: other bits in another run", g->out_names[i]);
        for (uint32_t i = 0; i < g->ret->n_in; i++) ox_rt_unref(out[i]);
    }
    return rc;
}

/* Other numbers of threads than the one of the first frame, in frames of their own: packed weights depend on it least of all. */
static int run_with_threads(job *j, ox_model *m, ox_rt **in) {
    static const int counts[] = {1, 2, 3, 4, 8};
    enum { COUNTS = sizeof counts / sizeof *counts };
    uint32_t n = m->graph->ret->n_in;
    bool random = false;
    int rc = 0;
    ox_each_graph(m, find_random, &random);
    for (int plain = 0; plain < 2 && rc == 0 && !random; plain++) {
        ox_rt **first = OX_NEW_N(j->ctx->arena, ox_rt *, n + 1), **out = OX_NEW_N(j->ctx->arena, ox_rt *, n + 1);
        for (int k = 0; k < COUNTS && rc == 0; k++) {
            j->ctx->threads = counts[k];
            ox_frame *f = ox_frame_new_with(m, &(ox_frame_options){.plain = plain});
            rc = f ? ox_frame_run(f, in, k ? out : first) : -1;
            for (uint32_t i = 0; i < n && k && rc == 0; i++)
                if (!same_bits(first[i], out[i]))
                    rc = ox_fail(j->ctx, OX_NEGATIVE, "output %s: other bits with %d threads%s", m->graph->out_names[i], counts[k], plain ? ", plain" : "");
            for (uint32_t i = 0; i < n && k; i++) {
                ox_rt_unref(out[i]);
                out[i] = NULL;
            }
            ox_frame_free(f);
        }
        for (uint32_t i = 0; i < n; i++) ox_rt_unref(first[i]);
    }
    return rc;
}

static int compare_set(job *j, ox_model *m, ox_frame *f, const char *set, const ox_type **declared,
                       const ox_type **inferred) {
    ox_graph *g = m->graph;
    ox_ctx *ctx = j->ctx;
    ox_rt **in = OX_NEW_N(ctx->arena, ox_rt *, g->n_inputs + 1),
          **out = OX_NEW_N(ctx->arena, ox_rt *, g->ret->n_in + 1);
    int rc = 0;
    for (size_t i = 0; i < g->n_inputs && rc == 0; i++)
        rc = read_value(ctx, ox_format(ctx->arena, "%s/input_%zu.pb", set, i), g->inputs[i]->type, &in[i]);
    if (rc == 0) rc = ox_frame_run(f, in, out);
    for (uint32_t i = 0; i < g->ret->n_in && rc == 0; i++) {
        ox_rt *want = NULL;
        ox_difference d = {.same = true};
        ox_tolerance tol = {1e-3, strstr(j->dir, "dft") ? 1e-6 : 1e-7, false}; /* transforms of zeros are not exact */
        j->t->outputs += out[i] && out[i]->kind == OX_RT_TENSOR;
        judge_type(j, out[i], inferred[i], g->out_names[i], &j->t->exact);
        rc = read_value(ctx, ox_format(ctx->arena, "%s/output_%u.pb", set, i), declared[i], &want);
        if (rc == 0 && want) ox_compare(want, out[i], &tol, &d);
        if (!d.same) rc = ox_fail(ctx, OX_NEGATIVE, "output %s: %s", g->out_names[i], d.text);
        ox_rt_unref(want);
    }
    if (rc == 0) rc = run_again(j, m, f, in, out);
    if (rc == 0 && j->threads) rc = run_with_threads(j, m, in);
    if (rc == 0) rc = judge_known(j, m, in, out);
    for (size_t i = 0; i < g->n_inputs; i++) ox_rt_unref(in[i]);
    for (uint32_t i = 0; i < g->ret->n_in; i++) ox_rt_unref(out[i]);
    return rc;
}

/* Lifts the model, writes it and reads it again; NULL after an error. */
static ox_model *lifted(job *j, ox_model *m) {
    ox_pipeline_result result;
    ox_pipeline *p = ox_pipeline_from_names(j->ctx, j->lift);
    ox_model *copy = NULL;
    ox_text text = {.arena = j->ctx->arena};
    if (p && ox_pipeline_run(p, m, &(ox_pipeline_options){.check = true, .stop_after = -1}, &result) >= 0 &&
        ox_model_print(m, &(ox_print_options){.full = true}, &text) == 0)
        copy = ox_model_parse(j->ctx, text.data, text.len, "lifted");
    ox_model_free(m);
    return copy;
}

static int run_case(void *arg) {
    job *j = arg;
    ox_ctx *ctx = j->ctx;
    ox_model *m = ox_model_open(ctx, ox_format(ctx->arena, "%s/model.onnx", j->dir));
    if (m && j->lift) m = lifted(j, m);
    if (!m) return -1;
    ox_graph *g = m->graph;
    uint32_t n = g->ret->n_in;
    const ox_type **declared = OX_NEW_N(ctx->arena, const ox_type *, n + 1),
                  **inferred = OX_NEW_N(ctx->arena, const ox_type *, n + 1);
    for (uint32_t i = 0; i < n; i++) declared[i] = g->out_types[i] ? g->out_types[i] : g->ret->in[i].v->type;
    const ox_type **kept = g->out_types;
    g->out_types = NULL;
    ox_each_graph(m, forget, NULL);
    int rc = 0;
    for (ox_node *node = g->first; node && rc == 0; node = node->next) rc = ox_check_node(node);
    if (rc == 0) rc = ox_infer_model(m, NULL);
    for (uint32_t i = 0; i < n; i++) inferred[i] = g->ret->in[i].v->type;
    g->out_types = kept;
    const char *missing = rc == 0 ? ox_missing_kernel(m, ctx->arena) : NULL;
    if (missing) {
        j->skipped = true;
        j->why = missing;
    } else if (rc == 0) {
        ox_frame *f = ox_frame_new(m);
        if (!f) rc = -1;
        for (int k = 0; f && rc == 0; k++) {
            const char *set = ox_format(ctx->arena, "%s/test_data_set_%d", j->dir, k);
            if (access(set, R_OK)) break;
            rc = compare_set(j, m, f, set, declared, inferred);
        }
        ox_frame_free(f);
    }
    ox_model_free(m);
    return rc;
}

static void run_dir(const char *dir, const char *name, const char *lift, bool threads, tally *t) {
    ox_ctx *ctx = ox_ctx_new();
    job j = {.ctx = ctx, .dir = dir, .lift = lift, .threads = threads, .t = t};
    int rc = ox_protect(ctx, run_case, &j);
    bool excused = false;
    for (int i = 0; unpredictable[i]; i++)
        excused = excused || !strncmp(name, unpredictable[i], strlen(unpredictable[i]));
    if (j.skipped || (rc < 0 && excused)) {
        t->skipped++;
        printf("# skipped %s: %s\n", name, j.skipped ? j.why : "unpredictable");
    } else if (rc < 0) {
        t->failed++;
        printf("# FAILED %s: %s\n", name, ox_error_text(ctx));
    } else {
        t->passed++;
    }
    ox_ctx_free(ctx);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Names of the cases of one kind, sorted. */
static size_t list_cases(const char *path, int argc, char **argv, char ***names) {
    DIR *d = opendir(path);
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        bool wanted = argc < 2 && *e->d_name != '.';
        for (int i = 1; i < argc; i++) wanted = wanted || strstr(e->d_name, argv[i]);
        if (!wanted) continue;
        *names = realloc(*names, (n + 1) * sizeof **names);
        if (!*names || !((*names)[n++] = strdup(e->d_name))) exit(71);
    }
    if (d) closedir(d);
    if (n) qsort(*names, n, sizeof **names, by_name);
    return n;
}

int main(int argc, char **argv) {
    static const char *const kinds[] = {"node", "simple", "pytorch-operator", "pytorch-converted"};
    static const char option[] = "--target-opset=";
    const char *root = getenv("OX_ONNX_TESTS"), *lift = NULL;
    char path[4096], pass[64];
    if (argc > 1 && !strncmp(argv[1], option, sizeof option - 1)) {
        snprintf(pass, sizeof pass, "raise-opset=%s", argv[1] + sizeof option - 1);
        lift = pass;
        argv++, argc--;
    }
    bool threads = argc > 1 && !strcmp(argv[1], "--threads");
    if (threads) argv++, argc--;
    printf("1..4\n");
    bool all_good = true;
    for (int k = 0; k < 4; k++) {
        if (!root) {
            printf("ok %d - %s # SKIP skipped: OX_ONNX_TESTS is not set\n", k + 1, kinds[k]);
            continue;
        }
        char **names = NULL;
        snprintf(path, sizeof path, "%s/%s", root, kinds[k]);
        size_t n = list_cases(path, argc, argv, &names);
        tally t = {0};
        for (size_t i = 0; i < n; i++) {
            snprintf(path, sizeof path, "%s/%s/%s", root, kinds[k], names[i]);
            run_dir(path, names[i], lift, threads, &t);
            free(names[i]);
        }
        free(names);
        bool good = !t.failed && !t.wrong;
        all_good = all_good && good;
        printf(
            "# %s: %d passed, %d failed, %d skipped; inference: %d outputs, %d exact, %d with known inputs, %d wrong\n",
            kinds[k], t.passed, t.failed, t.skipped, t.outputs, t.exact, t.exact_known, t.wrong);
        printf("%sok %d - %s\n", good ? "" : "not ", k + 1, kinds[k]);
    }
    return !all_good;
}
