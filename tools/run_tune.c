/* onnx-run tune: tries numbers of threads and lanes, and batch sizes, tells which to set and why, and writes that as settings.
 *
 * Each line of the table is measured by "onnx-run bench" in a process of its own, so that memory and threads of one do not change the
 * figures of the next. */
#include "tools/tune.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_VALUES = 64, MOST_ROWS = 1024, MOST_SAID = 1 << 20 };

static const double near_enough = 0.02; /* what gains less is not worth a thread, or a larger batch */

extern char **environ;

/* ---- axes ---- */

static int read_list(tune *t, const char *option, const char *text, tune_axis *axis) {
    ox_ctx *ctx = t->a->c.ctx;
    axis->values = OX_NEW_N(t->arena, int64_t, MOST_VALUES);
    axis->n = 0;
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        int64_t v;
        if (!ox_parse_int(p, len, &v) || v < 1 || v > 1000000)
            return ox_fail(ctx, OX_USAGE, "%s takes whole numbers from 1 to 1000000 with commas between them, not '%.200s'", option, text);
        if (axis->n == MOST_VALUES) return ox_fail(ctx, OX_USAGE, "%s: more than %d numbers", option, MOST_VALUES);
        axis->values[axis->n++] = v;
        if (!*(p += len)) return 0;
    }
}

/* 1, 2, 4, ... and END itself. */
static void doubling(tune *t, tune_axis *axis, int64_t end) {
    axis->values = OX_NEW_N(t->arena, int64_t, MOST_VALUES);
    axis->n = 0;
    for (int64_t v = 1; v < end; v *= 2) axis->values[axis->n++] = v;
    axis->values[axis->n++] = end;
}

static bool bound_by_user(const tune *t, ox_sym name) {
    for (size_t i = 0; i < t->a->n_dims; i++)
        if (t->a->dims[i].name == name) return true;
    return false;
}

/* The names of the first dimensions of the inputs. */
static void find_batch_dims(tune *t) {
    const ox_graph *g = t->m->graph;
    ox_map met;
    size_t cap = 0;
    ox_map_init(&met, t->arena);
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ox_type *type = g->inputs[i]->is_init ? NULL : g->inputs[i]->type;
        ox_sym s = ox_type_is_tensor(type) && type->rank > 0 && type->dims[0] ? ox_dim_is_symbol(type->dims[0]) : NULL;
        if (!s || ox_map_has(&met, s) || bound_by_user(t, s)) continue;
        ox_map_put(&met, s, &met);
        OX_PUSH(t->arena, t->batch_dims, t->n_batch_dims, cap, s);
    }
}

static int batch_axis(tune *t, tune_axis *axis) {
    run_args *a = t->a;
    const char *eq = a->batch ? strrchr(a->batch, '=') : NULL;
    if (eq == a->batch && eq) return ox_fail(a->c.ctx, OX_USAGE, "--batch takes DIM=LIST, or LIST, not '%.200s'", a->batch);
    if (eq) {
        t->batch_dims = OX_NEW(t->arena, ox_sym);
        t->batch_dims[t->n_batch_dims++] = ox_intern_n(a->c.ctx, a->batch, (size_t)(eq - a->batch));
        if (bound_by_user(t, t->batch_dims[0])) return ox_fail(a->c.ctx, OX_USAGE, "--dim and --batch both give '%s'", t->batch_dims[0]);
        if (cli_check_dims(&a->c, t->m, a->c.operands[1], &(ox_dim_binding){t->batch_dims[0], 1}, 1) < 0) return ox_fail_in(a->c.ctx, "--batch");
        return read_list(t, "--batch", eq + 1, axis);
    }
    if (!a->n_inputs || a->batch) find_batch_dims(t); /* given inputs have sizes */
    if (a->batch && !t->n_batch_dims)
        return ox_fail(a->c.ctx, OX_USAGE, "--batch: the first dimension of no input of %s has a name that --dim leaves open; try DIM=LIST", a->c.operands[1]);
    if (a->batch) return read_list(t, "--batch", a->batch, axis);
    if (t->n_batch_dims) doubling(t, axis, 8);
    else *axis = (tune_axis){.key = axis->key, .label = axis->label, .values = OX_NEW(t->arena, int64_t), .n = 1};
    return 0;
}

/* Lanes, where there are branches for them. */
static int inter_axis(tune *t, tune_axis *axis) {
    run_args *a = t->a;
    if (a->inter_op) {
        if (read_list(t, "--inter-op", a->inter_op, axis) < 0) return -1;
        for (size_t i = 0; i < axis->n; i++)
            if (axis->values[i] > OX_LANES) return ox_fail(a->c.ctx, OX_USAGE, "--inter-op: %lld are more than %d", (long long)axis->values[i], OX_LANES);
        return 0;
    }
    ox_frame *f = ox_frame_new_with(t->m, &(ox_frame_options){.integers = true, .defaults = true});
    if (!f) return -1;
    if (ox_frame_branches(f)) doubling(t, axis, t->processors < OX_LANES ? t->processors : OX_LANES);
    else axis->values = OX_NEW(t->arena, int64_t), axis->n = 1;
    ox_frame_free(f);
    return 0;
}

static int make_axes(tune *t) {
    t->axes[TUNE_THREADS] = (tune_axis){.key = "threads", .label = "threads"};
    t->axes[TUNE_INTER] = (tune_axis){.key = "inter_op", .label = "inter-op"};
    t->axes[TUNE_BATCH] = (tune_axis){.key = "batch", .label = "batch"};
    t->a->c.ctx->threads = 0; /* --threads is the list */
    t->processors = ox_thread_count(t->a->c.ctx);
    if (t->a->c.threads && strcmp(t->a->c.threads, "0")) {
        if (read_list(t, "--threads", t->a->c.threads, &t->axes[TUNE_THREADS]) < 0) return -1;
    } else {
        doubling(t, &t->axes[TUNE_THREADS], t->processors);
    }
    if (batch_axis(t, &t->axes[TUNE_BATCH]) < 0 || inter_axis(t, &t->axes[TUNE_INTER]) < 0) return -1;
    t->n_rows = 1;
    for (int i = 0; i < TUNE_AXES; i++) t->n_rows *= t->axes[i].n;
    if (t->n_rows > MOST_ROWS) return ox_fail(t->a->c.ctx, OX_USAGE, "%zu combinations are too many: at most %d", t->n_rows, MOST_ROWS);
    return 0;
}

/* Batches outside, threads inside. Lanes share the threads: more of them than threads are left out, unless the user named them. */
static void make_rows(tune *t) {
    size_t all = t->n_rows;
    t->rows = OX_NEW_N(t->arena, tune_row, all);
    t->n_rows = 0;
    for (size_t i = 0; i < all; i++) {
        tune_row *r = &t->rows[t->n_rows];
        size_t rest = i;
        for (int k = 0; k < TUNE_AXES; k++) {
            r->at[k] = t->axes[k].values[rest % t->axes[k].n];
            rest /= t->axes[k].n;
        }
        t->n_rows += t->a->inter_op || r->at[TUNE_INTER] <= r->at[TUNE_THREADS];
    }
}

/* ---- measuring ---- */

typedef struct arguments { ox_arena *arena; char **list; size_t n, cap; } arguments;

static void argument(arguments *args, const char *text) { OX_PUSH(args->arena, args->list, args->n, args->cap, ox_strdup(args->arena, text)); }

static char **command_for(const tune *t, const tune_row *r, const char *program, const char *more) {
    const run_args *a = t->a;
    ox_arena *arena = t->arena;
    arguments args = {.arena = arena};
    argument(&args, program);
    argument(&args, "bench");
    argument(&args, "-q");
    argument(&args, "--json=-");
    if (more) argument(&args, more);
    if (a->tuning_cache) argument(&args, ox_format(arena, "--tuning-cache=%s", a->tuning_cache));
    else if (a->measure) argument(&args, "--tuning=measure");
    argument(&args, ox_format(arena, "--threads=%lld", (long long)r->at[TUNE_THREADS]));
    if (tune_has(t, TUNE_INTER)) argument(&args, ox_format(arena, "--inter-op=%lld", (long long)r->at[TUNE_INTER]));
    argument(&args, ox_format(arena, "--repeat=%lld", (long long)(a->repeat < 0 ? 100 : a->repeat)));
    argument(&args, ox_format(arena, "--warmup=%lld", (long long)(a->warmup < 0 ? 2 : a->warmup)));
    argument(&args, ox_format(arena, "--seconds=%.9g", a->seconds > 0 ? a->seconds : 1.0));
    argument(&args, ox_format(arena, "--random=%lld", (long long)a->seed));
    if (a->c.ctx->verify_checksums) argument(&args, "--verify-checksum");
    for (size_t i = 0; i < a->n_dims; i++) argument(&args, ox_format(arena, "--dim=%s=%lld", a->dims[i].name, (long long)a->dims[i].value));
    for (size_t i = 0; i < t->n_batch_dims; i++) argument(&args, ox_format(arena, "--dim=%s=%lld", t->batch_dims[i], (long long)r->at[TUNE_BATCH]));
    for (size_t i = 0; i < a->n_inputs; i++) argument(&args, ox_format(arena, "--input=%s", a->inputs[i]));
    argument(&args, "--");
    argument(&args, a->c.operands[1]);
    OX_PUSH(arena, args.list, args.n, args.cap, NULL);
    return args.list;
}

/* Starts the command with an empty input; what it says on both outputs can be read from *from. */
static int start(ox_ctx *ctx, char **command, pid_t *child, int *from) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return ox_fail(ctx, OX_IO, "no pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);
    if (!failed) {
        failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) || posix_spawn_file_actions_adddup2(&actions, ends[1], 1) ||
                 posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
        if (!failed) failed = posix_spawn(child, command[0], &actions, NULL, command, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    *from = ends[0];
    if (!failed) return 0;
    close(ends[0]);
    return ox_fail(ctx, OX_IO, "%s cannot be started again: %s", command[0], strerror(failed));
}

/* What the command said; its exit status, or -1 after ox_fail(). */
static int say(tune *t, char **command, ox_text *said) {
    ox_ctx *ctx = t->a->c.ctx;
    pid_t child = 0;
    int from = -1, status = 0;
    char piece[4096];
    if (start(ctx, command, &child, &from) < 0) return -1;
    for (ssize_t n; (n = read(from, piece, sizeof piece)) != 0;) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || said->len > MOST_SAID) break;
        ox_text_add_n(said, piece, (size_t)n);
    }
    close(from);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return ox_fail(ctx, OX_IO, "%s: %s", command[0], strerror(errno));
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    return ox_fail(ctx, OX_BUG, "onnx-run bench was ended by signal %d", WTERMSIG(status));
}

static double number(const json_t *tree, const char *key) { return json_number_value(json_object_get(tree, key)); }

static void take_figures(tune *t, tune_row *r, const json_t *tree) {
    r->p50 = number(tree, "p50_ms");
    r->p90 = number(tree, "p90_ms");
    r->first = number(tree, "first_ms");
    r->arena = (uint64_t)number(tree, "arena_bytes");
    r->bound = (uint64_t)number(tree, "lower_bound_bytes");
    r->rss = (uint64_t)number(tree, "peak_rss_bytes");
    r->inputs = json_incref(json_object_get(tree, "inputs"));
    r->per_second = r->p50 > 0 ? 1e3 / r->p50 * (tune_has(t, TUNE_BATCH) ? (double)r->at[TUNE_BATCH] : 1) : 0;
}

/* A size that the model does not take is a line without figures; any other failure ends the sweep. */
static int measure_row(tune *t, tune_row *r, const char *program) {
    ox_ctx *ctx = t->a->c.ctx;
    ox_text said = {.arena = t->arena};
    ox_text_add(&said, "");
    int code = say(t, command_for(t, r, program, NULL), &said);
    if (code < 0) return -1;
    const char *text = said.data, *prefix = "onnx-run: ";
    if (code != 0) {
        size_t n = strlen(text);
        while (n && text[n - 1] == '\n') n--;
        if (n >= strlen(prefix) && !memcmp(text, prefix, strlen(prefix))) text += strlen(prefix), n -= strlen(prefix);
        r->why = ox_format(t->arena, "%.*s", (int)(n > 4000 ? 4000 : n), text);
        return code == OX_BAD_DATA || code == OX_NO_MEMORY ? 0 : ox_fail(ctx, code, "%s", r->why);
    }
    json_t *tree = json_loads(text, 0, NULL);
    if (!tree) return ox_fail(ctx, OX_BUG, "onnx-run bench says no JSON");
    take_figures(t, r, tree);
    json_decref(tree);
    return 0;
}

/* What limits of the workspace cost, with the threads and the batch of the best line. */
static int measure_workspace(tune *t, const char *program) {
    const char *limits = t->a->sweep ? t->a->sweep : "0,64K,256K,1M,4M,16M,64M";
    ox_text said = {.arena = t->arena};
    ox_text_add(&said, "");
    int code = say(t, command_for(t, t->best, program, ox_format(t->arena, "--sweep-workspace=%s", limits)), &said);
    if (code < 0) return -1;
    if (code) return ox_fail(t->a->c.ctx, code, "%s", said.data);
    t->sweep = json_loads(said.data, 0, NULL);
    return t->sweep ? 0 : ox_fail(t->a->c.ctx, OX_BUG, "onnx-run bench says no JSON");
}

static int find_program(tune *t, char *program, size_t size) {
    ssize_t n = readlink("/proc/self/exe", program, size - 1);
    if (n <= 0) return ox_fail(t->a->c.ctx, OX_IO, "/proc/self/exe: %s", strerror(errno));
    program[n] = 0;
    return 0;
}

static int measure_all(tune *t, const char *program) {
    if (!t->quiet) tune_print_head(t);
    const char *why = NULL;
    size_t good = 0;
    for (size_t i = 0; i < t->n_rows; i++) {
        if (measure_row(t, &t->rows[i], program) < 0) return -1;
        if (!t->quiet) tune_print_row(t, &t->rows[i]);
        if (t->rows[i].why) why = why ? why : t->rows[i].why;
        else good++;
    }
    return good ? 0 : ox_fail(t->a->c.ctx, OX_BAD_DATA, "%s", why);
}

/* ---- choosing ---- */

static bool allowed(const tune *t, const tune_row *r) { return !r->why && (t->a->latency <= 0 || r->p50 <= t->a->latency); }

/* The least batch that gives nearly the most samples per second within the limit, then the fewest threads, and lanes, that make it nearly as fast as
 * any. */
static void choose(tune *t) {
    double most = 0, least = 1e300;
    int64_t batch = INT64_MAX, few = INT64_MAX;
    for (const tune_row *r = t->rows; r < t->rows + t->n_rows; r++)
        if (allowed(t, r) && r->per_second > most) most = r->per_second;
    for (const tune_row *r = t->rows; r < t->rows + t->n_rows; r++)
        if (allowed(t, r) && r->per_second >= most * (1 - near_enough) && r->at[TUNE_BATCH] < batch) batch = r->at[TUNE_BATCH];
    for (const tune_row *r = t->rows; r < t->rows + t->n_rows; r++)
        if (allowed(t, r) && r->at[TUNE_BATCH] == batch && r->p50 < least) least = r->p50;
    for (const tune_row *r = t->rows; r < t->rows + t->n_rows; r++) {
        int64_t takes = r->at[TUNE_THREADS] * (OX_LANES + 1) + r->at[TUNE_INTER];
        if (!allowed(t, r) || r->at[TUNE_BATCH] != batch || r->p50 > least * (1 + near_enough) || takes >= few) continue;
        few = takes;
        t->best = r;
    }
}

/* ---- the command ---- */

static bool standard(const char *path) { return path && !strcmp(path, "-"); }

static int tell(tune *t) {
    run_args *a = t->a;
    ox_text csv = {.arena = t->arena}, yaml = {.arena = t->arena};
    tune_csv(t, &csv);
    tune_yaml(t, &yaml);
    ox_out *out = a->out ? ox_out_text(a->c.ctx, a->out, yaml.data, yaml.len) : NULL;
    if (a->out && !out) return -1;
    return run_write_files(a, a->json ? tune_json(t) : NULL, &csv, out);
}

int run_tune(run_args *a) {
    run_session s = {0};
    if (run_operands(a, 1, false, "one MODEL") < 0) return -1;
    if (standard(a->c.operands[1])) return ox_fail(a->c.ctx, OX_USAGE, "tune reads the model once per line of its table: it cannot come from standard input");
    tune t = {.a = a, .arena = a->c.ctx->arena, .quiet = standard(a->out) || standard(a->json) || standard(a->csv)};
    char program[4096];
    int result = find_program(&t, program, sizeof program) < 0 ? -1 : run_session_read(a, &s);
    t.m = s.m;
    if (result == 0) result = cli_check_dims(&a->c, s.m, a->c.operands[1], a->dims, a->n_dims);
    if (result == 0 && ox_infer_model(s.m, NULL) < 0) result = ox_fail_in(a->c.ctx, "%s", a->c.operands[1]); /* what cannot be is told at once */
    if (result == 0) result = make_axes(&t);
    if (result == 0) {
        make_rows(&t);
        result = measure_all(&t, program);
    }
    if (result == 0) {
        choose(&t);
        if (!t.best) result = ox_fail(a->c.ctx, OX_NEGATIVE, "nothing that was tried takes %g ms or less", a->latency);
    }
    if (result == 0) result = measure_workspace(&t, program);
    if (result == 0) {
        tune_advise(&t);
        result = tell(&t);
    }
    for (size_t i = 0; result == 0 && !t.quiet && i < t.n_advice; i++) printf("%s%s\n", i ? "" : "\n", cli_shown(t.arena, t.advice[i]));
    for (size_t i = 0; i < t.n_rows; i++) json_decref(t.rows[i].inputs);
    json_decref(t.sweep);
    run_session_close(&s);
    return result;
}
