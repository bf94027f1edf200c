/* Real models, where they are at hand (OX_MODELS): run by their operators' kernels one by one, and as the frame lowers them: the same within
 * rounding. Then run again and again. The first run allocates and takes notes, later ones use planned
 * memory: they must give the same bits, leave results alone that somebody still holds, find their way back from other shapes, and ask
 * the system for nothing; nor for memory that was given back before, but for bodies, sequences and text; so they must in two and three lanes. Quantized
 * ones run in integers as well. With --threads only this: the same bits for any number of threads. TAP. */
#include "onnx/onnx.h"
#include "exec/exec.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- the allocator, counted. Sanitizers have their own. */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

static volatile long calls;
#if defined(__GLIBC__) && !SANITIZED
#define COUNTED 1
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
#define COUNT() __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED)
void *malloc(size_t n) { return COUNT(), __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return COUNT(), __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return COUNT(), __libc_realloc(p, n); }
int posix_memalign(void **p, size_t align, size_t n) { return COUNT(), (*p = __libc_memalign(align, n)) ? 0 : 12; }
void *aligned_alloc(size_t align, size_t n) { return COUNT(), __libc_memalign(align, n); }
#else
#define COUNTED 0
#endif

/* ---- one model */

typedef struct job {
    ox_ctx *ctx;
    ox_model *m;
    ox_frame *f;
    size_t n_in, n_out;
    bool integers; /* the frame is asked for them */
    bool strings; /* text is allocated: not counted */
    bool recycles; /* bodies and sequences may take what was given back */
    int lanes;    /* most that were used */
    char why[400];
} job;

static bool same_value(const ox_rt *a, const ox_rt *b) {
    if (!a || !b || a->kind != b->kind || a->n != b->n) return false;
    if (a->t && !ox_tensor_equal(a->t, b->t)) return false;
    for (int64_t i = 0; i < a->n; i++)
        if (!same_value(a->items[i], b->items[i])) return false;
    return true;
}

static bool has_strings(const ox_rt *v) {
    if (v->t && v->t->dtype == OX_STRING) return true;
    for (int64_t i = 0; i < v->n; i++)
        if (has_strings(v->items[i])) return true;
    return false;
}

static bool same_values(job *j, ox_rt **a, ox_rt **b, const char *what) {
    for (size_t i = 0; i < j->n_out; i++)
        if (!same_value(a[i], b[i])) return snprintf(j->why, sizeof j->why, "output %s: %s", j->m->graph->out_names[i], what), false;
    return true;
}

static void drop(ox_rt **v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ox_rt_unref(v[i]);
        v[i] = NULL;
    }
}

static int make(job *j, uint64_t seed, int sample, ox_rt **in) {
    return ox_make_inputs(j->m, &(ox_inputs_options){.seed = seed, .sample = sample}, in);
}

static int find_quant(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next) {
        bool *half = user;
        if (n->op && (n->op->flags & OX_QUANT)) return 1;
        const ox_type *t = n->n_out && n->out[0] ? n->out[0]->type : NULL;
        *half |= t && (t->dtype == OX_FLOAT16 || t->dtype == OX_BFLOAT16);
    }
    return 0;
}

/* The same by every node's own kernel. Roundings between integers flip: not compared. */
static int judge_lowered(job *j, ox_rt **in, ox_rt **got) {
    bool half = false;
    if (ox_each_graph(j->m, find_quant, &half)) return 0;
    ox_arena *a = ox_arena_new(j->ctx);
    ox_rt **want = OX_NEW_N(a, ox_rt *, j->n_out + 1);
    ox_frame *f = ox_frame_new_with(j->m, &(ox_frame_options){.plain = true});
    int rc = !f || ox_frame_run(f, in, want) ? 1 : 0;
    if (rc) snprintf(j->why, sizeof j->why, "plain: %s", ox_error_text(j->ctx));
    for (size_t i = 0; i < j->n_out && !rc; i++) {
        ox_difference d;
        ox_compare(want[i], got[i], &(ox_tolerance){half ? 2e-2 : 1e-3, half ? 2e-2 : 5e-4, true}, &d);
        if (d.same) continue;
        rc = 1;
        snprintf(j->why, sizeof j->why, "lowered, output %s: %.300s", j->m->graph->out_names[i], d.text);
    }
    drop(want, j->n_out);
    ox_frame_free(f);
    ox_arena_free(a);
    return rc;
}

/* One thread, then others: each in a frame of its own, which packs weights and places memory anew. */
static int judge_threads(job *j) {
    static const int counts[] = {1, 2, 3, 4, 8};
    ox_arena *a = ox_arena_new(j->ctx);
    ox_rt **in = OX_NEW_N(a, ox_rt *, j->n_in + 1), **first = OX_NEW_N(a, ox_rt *, j->n_out + 1), **out = OX_NEW_N(a, ox_rt *, j->n_out + 1);
    int rc = -1;
    j->ctx->threads = counts[0];
    for (int sample = 0; sample < OX_INPUT_SIZES && rc; sample++) {
        drop(in, j->n_in);
        if (make(j, 1, sample, in) < 0) break;
        rc = ox_frame_run(j->f, in, first);
    }
    for (size_t k = 1; k < sizeof counts / sizeof *counts && !rc; k++) {
        j->ctx->threads = counts[k];
        ox_frame *f = ox_frame_new_with(j->m, &(ox_frame_options){.integers = j->integers});
        if (!f || ox_frame_run(f, in, out)) rc = 1, snprintf(j->why, sizeof j->why, "%d threads: %s", counts[k], ox_error_text(j->ctx));
        else if (!same_values(j, first, out, "other bits with more threads")) rc = 1;
        drop(out, j->n_out);
        ox_frame_free(f);
    }
    drop(first, j->n_out);
    drop(in, j->n_in);
    ox_arena_free(a);
    return rc;
}

/* The same bits with branches at once. */
static int judge_lanes(job *j, int lanes, ox_rt **in, ox_rt **want) {
    ox_frame *f = ox_frame_new_with(j->m, &(ox_frame_options){.integers = j->integers, .inter_op = lanes});
    ox_arena *a = ox_arena_new(j->ctx);
    ox_rt **out = OX_NEW_N(a, ox_rt *, j->n_out + 1);
    ox_place_stats s = {0};
    long allocs = 0;
    j->ctx->threads = 2; /* teams of more threads change their size between loops, which allocates */
    int rc = !f;
    for (int k = 0; k < 6 && !rc; k++) {
        calls = 0;
        rc = ox_frame_run(f, in, out) || (k < 1 && ox_frame_place(f, &s));
        allocs = calls;
        if (rc) snprintf(j->why, sizeof j->why, "%d lanes: %s", lanes, ox_error_text(j->ctx));
        else rc = !same_values(j, want, out, "other bits in lanes");
        drop(out, j->n_out);
        if (s.lanes == 1) break;
    }
    if (COUNTED && !rc && s.lanes > 1 && allocs && !j->strings) rc = 1, snprintf(j->why, sizeof j->why, "%d lanes: %ld allocations in a later run", lanes, allocs);
    if (s.lanes > j->lanes) j->lanes = s.lanes;
    j->ctx->threads = 0;
    ox_frame_free(f);
    ox_arena_free(a);
    return rc;
}

/* 0 as it should be, 1 not, -1 the model cannot be run with these inputs. */
static int judge(job *j) {
    ox_arena *a = ox_arena_new(j->ctx);
    enum { RUNS = 6 };
    static const struct { uint64_t seed; int same_as; } runs[RUNS] = {{1, -1}, {1, 0}, {2, -1}, {1, 0}, {2, 2}, {1, 0}};
    ox_rt **in[3], **out[RUNS];
    int sample = 0, rc = -1;
    for (int i = 0; i < 3; i++) in[i] = OX_NEW_N(a, ox_rt *, j->n_in + 1);
    for (int i = 0; i < RUNS; i++) out[i] = OX_NEW_N(a, ox_rt *, j->n_out + 1);
    for (; sample < OX_INPUT_SIZES; sample++) {
        if (make(j, 1, sample, in[1]) < 0 || make(j, 2, sample, in[2]) < 0) break;
        rc = ox_frame_run(j->f, in[1], out[0]);
        if (!rc) break;
        drop(in[1], j->n_in);
        drop(in[2], j->n_in);
    }
    if (!rc) rc = judge_lowered(j, in[1], out[0]);
    for (int k = 1; k < RUNS && !rc; k++) {
        if (ox_frame_run(j->f, in[runs[k].seed], out[k])) rc = 1, snprintf(j->why, sizeof j->why, "run %d: %s", k, ox_error_text(j->ctx));
        if (!rc && runs[k].same_as >= 0 && !same_values(j, out[runs[k].same_as], out[k], "another run, other bits")) rc = 1;
    }
    for (size_t i = 0; i < j->n_out && !rc; i++) j->strings |= has_strings(out[0][i]);
    if (!rc && !same_values(j, out[0], out[5], "what was held has changed")) rc = 1;
    for (int k = 1; k < RUNS; k++) drop(out[k], j->n_out);
    long allocs = 0;
    if (!j->recycles) ox_recycle(j->ctx, -1);
    for (int k = 0; k < 3 && !rc; k++) {
        calls = 0;
        if (ox_frame_run(j->f, in[1], out[1])) rc = 1;
        allocs = calls;
        if (!rc && !same_values(j, out[0], out[1], "another run, other bits")) rc = 1;
        drop(out[1], j->n_out);
    }
    if (!j->recycles) ox_recycle(j->ctx, 1);
    if (COUNTED && !rc && allocs && !j->strings) rc = 1, snprintf(j->why, sizeof j->why, "%ld allocations in a later run", allocs);
    for (int lanes = 2; lanes <= 3 && !rc; lanes++) rc = judge_lanes(j, lanes, in[1], out[0]);
    drop(out[0], j->n_out);
    drop(in[1], j->n_in);
    drop(in[2], j->n_in);
    ox_arena_free(a);
    return rc;
}

static int find_strings(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) {
            const ox_type *t = n->out[i] ? n->out[i]->type : NULL;
            if (t && t->dtype == OX_STRING) return *(bool *)user = true, 1;
        }
    return 0;
}

static int find_recycling(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next) {
        if (n->op && (n->op->flags & OX_CONTROL)) return *(bool *)user = true, 1;
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i] && n->out[i]->type && n->out[i]->type->kind != OX_K_TENSOR && n->out[i]->type->kind != OX_K_UNKNOWN) return *(bool *)user = true, 1;
    }
    return 0;
}

static int find_random(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next)
        if (n->op && (n->op->flags & (OX_RANDOM | OX_TRAINS))) return *(const char **)user = n->op_type, 1;
    return 0;
}

static bool only_threads;

static int run_model(void *arg) {
    job *j = arg;
    const char *random = NULL;
    j->n_in = j->m->graph->n_inputs;
    j->n_out = j->m->graph->ret->n_in;
    ox_each_graph(j->m, find_random, &random);
    if (random && strcmp(random, "Dropout")) return ox_fail(j->ctx, OX_UNAVAILABLE, "draws random numbers (%s)", random);
    if (ox_infer_model(j->m, NULL) < 0 || !(j->f = ox_frame_new_with(j->m, &(ox_frame_options){.integers = j->integers}))) return -1;
    ox_each_graph(j->m, find_strings, &j->strings);
    ox_each_graph(j->m, find_recycling, &j->recycles);
    return only_threads ? judge_threads(j) : judge(j);
}

static int number, failed;

static int find_quantized(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next)
        if (!strcmp(n->op_type, "QuantizeLinear")) return *(bool *)user = true, 1;
    return 0;
}

/* Whether it is quantized. */
static bool model(const char *path, const char *name, bool integers) {
    job j = {.ctx = ox_ctx_new(), .integers = integers};
    bool quantized = false;
    int rc = -1;
    if ((j.m = ox_model_open(j.ctx, path))) rc = ox_protect(j.ctx, run_model, &j);
    number++;
    failed |= rc == 1;
    if (rc == 1) printf("not ok %d - %s%s: %s\n", number, name, integers ? " in integers" : "", j.why);
    if (rc == 0) printf("ok %d - %s%s, lanes: %d\n", number, name, integers ? " in integers" : "", j.lanes);
    if (j.m) ox_each_graph(j.m, find_quantized, &quantized);
    if (rc < 0) printf("ok %d - %s # SKIP %.150s\n", number, name, ox_error_text(j.ctx));
    fflush(stdout);
    ox_frame_free(j.f);
    ox_model_free(j.m);
    ox_ctx_free(j.ctx);
    return quantized;
}

static off_t largest = INT64_MAX; /* bytes of a model */

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void folder(const char *path, const char *only) {
    struct dirent **list = NULL;
    int n = scandir(path, &list, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char name[4096];
        struct stat st;
        size_t len = strlen(list[i]->d_name);
        snprintf(name, sizeof name, "%s/%s", path, list[i]->d_name);
        if (list[i]->d_name[0] != '.' && !stat(name, &st)) {
            if (S_ISDIR(st.st_mode)) folder(name, only);
            else if (len > 5 && !strcmp(list[i]->d_name + len - 5, ".onnx") && (!only || strstr(name, only)) && st.st_size < largest && model(name, list[i]->d_name, false))
                model(name, list[i]->d_name, true);
        }
        free(list[i]);
    }
    free(list);
}

/* test_again [--threads] [PART-OF-A-NAME]. OX_CORPUS=small: only models below 1 MB. */
int main(int argc, char **argv) {
    const char *models = getenv("OX_MODELS");
    if (!models) {
        puts("1..0 # skipped: OX_MODELS names no folder of models");
        return 0;
    }
    only_threads = argc > 1 && !strcmp(argv[1], "--threads");
    if (only_threads) argv++, argc--;
    const char *corpus = getenv("OX_CORPUS");
    if (corpus && !strcmp(corpus, "small")) largest = 1000 << 10;
    folder(models, argc > 1 ? argv[1] : NULL);
    printf("1..%d\n", number);
    return failed;
}
