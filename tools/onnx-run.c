/* onnx-run: looks at models. The options of its commands, and those that are a function only: print, parse, compare. */
#include "tools/run.h"
#include "tools/team.h"

#include <jansson.h>
#include <stdlib.h>

enum { R_OUT, R_JSON, R_INPUT, R_RANDOM, R_SEED, R_SAMPLES, R_DIM, R_RTOL, R_ATOL, R_FULL, R_MAX, R_REPEAT, R_WARMUP, R_SECONDS,
       R_CSV, R_PLAN, R_BY, R_ROOF, R_BATCH, R_LATENCY, R_CAPACITY, R_INTER,
       R_WORKSPACE, R_BUDGET, R_TUNING, R_CACHE, R_MISS, R_SWEEP, R_SVG };

static const cli_option options[] = {
    {"-o", "FILE", "run: outputs as .npz, .pb, or a folder of output_N.pb; parse: the model; profile: the trace; tune: settings as YAML; pack: the buffers with offsets", R_OUT, false},
    {"--json", "FILE", "figures as JSON ('-': standard output): inspect, compare, test, bench, profile, tune, pack", R_JSON, false},
    {"--csv", "FILE", "the same as CSV: bench, profile, tune", R_CSV, false},
    {"--input", "NAME=FILE", "value of an input (.npy, .npz or .pb); FILE.npz alone: all inputs that it holds, by their names", R_INPUT, false},
    {"--random", "SEED", "seed of the inputs that are not given", R_RANDOM, false},
    {"--dim", "NAME=N", "size of a symbolic dimension", R_DIM, false},
    {"--memory-plan", "FILE", "inspect: the memory plan as a picture (.svg) or a table (.csv); 'off': it is not made, the model not run", R_PLAN, false},
    {"--by", "WHAT", "profile: op, node or shape: one table, and the rows of --csv (default: all tables, rows by node)", R_BY, false},
    {"--roof", "GFLOPS,GBPS", "profile: what the machine can do (default: measured in 0.3 s)", R_ROOF, true},
    {"--batch", "DIM=LIST", "tune: sizes of a symbolic dimension to try, as in N=1,2,4; LIST alone: of the first dimension of the inputs", R_BATCH, false},
    {"--latency", "MS", "tune: the best batch may take so long at most", R_LATENCY, false},
    {"--inter-op", "N", "independent branches at once, in so many lanes at most, which share the threads: bench, inspect, profile; tune: a list to try", R_INTER, false},
    {"--samples", "N", "compare: how many inputs (default 3)", R_SAMPLES, false},
    {"--seed", "N", "compare: seed of the inputs", R_SEED, false},
    {"--rtol", "X", "compare: relative tolerance (default 1e-3; float16 8e-3, bfloat16 6e-2)", R_RTOL, false},
    {"--atol", "X", "compare: absolute tolerance as part of an output's magnitude (default 1e-4; float16, bfloat16: as --rtol)", R_ATOL, false},
    {"--seconds", "S", "time budget: compare (none), inspect (60); bench: runs end then (none); tune: per line of the table (1)", R_SECONDS, true},
    {"--full", NULL, "print: every byte, so that parse gives the same model back", R_FULL, false},
    {"--max-elements", "N", "print: tensors with more elements are elided (default 16)", R_MAX, true},
    {"--repeat", "N", "runs that count: bench (default 20), profile (1), tune (100 at most)", R_REPEAT, true},
    {"--warmup", "N", "runs before, the first one apart: bench, profile, tune (default 2)", R_WARMUP, true},
    {"--capacity", "N", "pack: bytes that the arena may have (default: as few as are found)", R_CAPACITY, true},
    {"--workspace-limit", "SIZE", "bytes of scratch memory that the algorithm of one step may take: run, inspect, bench, profile", R_WORKSPACE, false},
    {"--memory-budget", "SIZE", "bytes of the arena, scratch memory included: the fastest algorithms that fit, or an error: run, inspect, bench, profile", R_BUDGET, false},
    {"--tuning", "HOW", "heuristic (default), or measure: the algorithms that were fastest when tried: run, bench, profile", R_TUNING, false},
    {"--tuning-cache", "FILE", "where measured times are looked up and kept; several processes may share it", R_CACHE, false},
    {"--on-miss", "WHAT", "when the cache has no time: measure (default), heuristic or error", R_MISS, false},
    {"--sweep-workspace", "LIST", "bench: time and memory for each limit, as in 0,1M,4M,16M,64M, and the least that is nearly as good as none", R_SWEEP, false},
    {"--svg", "FILE", "bench: the sweep as a picture", R_SVG, false},
    {0},
};

/* "GFLOPS,GBPS" of --roof. */
static int set_roof(cli *c, run_args *a, const char *value) {
    size_t n = strcspn(value, ",");
    bool good = value[n] && ox_parse_double(value, n, &a->roof_gflops) && ox_parse_double(value + n + 1, strlen(value + n + 1), &a->roof_gbps);
    if (good && a->roof_gflops > 0 && a->roof_gbps > 0 && a->roof_gflops < 1e12 && a->roof_gbps < 1e12) return 0;
    return ox_fail(c->ctx, OX_USAGE, "--roof takes GFLOPS,GBPS, two numbers above 0, not '%.200s'", value);
}

static int add_input(cli *c, run_args *a, const char *value) {
    const char *eq = strchr(value, '=');
    if (eq == value || (!eq && !run_ends_in(value, ".npz")))
        return ox_fail(c->ctx, OX_USAGE, "--input takes NAME=FILE, or a FILE.npz, not '%.200s'", value);
    const char **grown = OX_NEW_N(c->ctx->arena, const char *, a->n_inputs + 1);
    if (a->n_inputs) memcpy(grown, a->inputs, a->n_inputs * sizeof *grown);
    grown[a->n_inputs++] = value;
    a->inputs = grown;
    return 0;
}

static int set_size(cli *c, const char *option, const char *value, uint64_t *out) {
    if (ox_size_parse(value, out)) return 0;
    return ox_fail(c->ctx, OX_USAGE, "%s takes a size such as 512K or 64MiB, not '%.200s'", option, value);
}

/* The number of VALUE in "A, B or C". */
static int set_word(cli *c, const char *option, const char *value, const char *const *words, int n) {
    ox_text all = {.arena = c->ctx->arena};
    for (int i = 0; i < n; i++) {
        if (!strcmp(value, words[i])) return i;
        ox_text_addf(&all, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i]);
    }
    return ox_fail(c->ctx, OX_USAGE, "%s takes %s, not '%.200s'", option, all.data, value);
}

static int set_tuning(cli *c, run_args *a, const char *value) {
    static const char *const words[] = {"heuristic", "measure"};
    int k = set_word(c, "--tuning", value, words, 2);
    a->measure = k == 1;
    a->heuristic = k == 0;
    return k < 0 ? -1 : 0;
}

static int set_miss(cli *c, run_args *a, const char *value) {
    static const char *const words[] = {"measure", "heuristic", "error"}; /* as ox_on_miss counts them */
    int k = set_word(c, "--on-miss", value, words, 3);
    if (k >= 0) a->on_miss = (ox_on_miss)k;
    return k < 0 ? -1 : 0;
}

static int on_option(cli *c, int id, const char *value) {
    run_args *a = c->user;
    switch (id) {
    case R_OUT: a->out = value; return 0;
    case R_JSON: a->json = value; return 0;
    case R_FULL: a->full = true; return 0;
    case R_CSV: a->csv = value; return 0;
    case R_INPUT: return add_input(c, a, value);
    case R_BATCH: a->batch = value; return 0;
    case R_LATENCY: return cli_double(c, "--latency", value, &a->latency);
    case R_ROOF: return set_roof(c, a, value);
    case R_PLAN: a->memory_plan = value; return strcmp(value, "off") ? plan_picture_check(c, value) : 0;
    case R_BY:
        a->by = value;
        if (!strcmp(value, "op") || !strcmp(value, "node") || !strcmp(value, "shape")) return 0;
        return ox_fail(c->ctx, OX_USAGE, "--by takes op, node or shape, not '%.200s'", value);
    case R_RANDOM: return cli_int(c, "--random", value, 0, INT64_MAX, &a->seed);
    case R_SEED: return cli_int(c, "--seed", value, 0, INT64_MAX, &a->seed);
    case R_SAMPLES: return cli_int(c, "--samples", value, 1, 100000, &a->samples);
    case R_REPEAT: return cli_int(c, "--repeat", value, 1, 1000000, &a->repeat);
    case R_WARMUP: return cli_int(c, "--warmup", value, 0, 1000000, &a->warmup);
    case R_MAX: return cli_int(c, "--max-elements", value, 0, INT32_MAX, &a->max_elements);
    case R_INTER: a->inter_op = value; return strchr(value, ',') ? 0 : cli_int(c, "--inter-op", value, 1, OX_LANES, &a->lanes);
    case R_CAPACITY: return cli_int(c, "--capacity", value, 1, (int64_t)1 << 62, &a->capacity);
    case R_WORKSPACE: return set_size(c, "--workspace-limit", value, &a->workspace_limit);
    case R_BUDGET: return set_size(c, "--memory-budget", value, &a->memory_budget);
    case R_TUNING: return set_tuning(c, a, value);
    case R_MISS: return set_miss(c, a, value);
    case R_CACHE: a->tuning_cache = value; return 0;
    case R_SWEEP: a->sweep = value; return 0;
    case R_SVG:
        a->svg = value;
        return run_ends_in(value, ".svg") ? 0 : ox_fail(c->ctx, OX_USAGE, "--svg must end in .svg: %s", value);
    case R_DIM: return cli_dim(c, value, &a->dims, &a->n_dims);
    case R_RTOL: return cli_double(c, "--rtol", value, &a->rtol);
    case R_ATOL: return cli_double(c, "--atol", value, &a->atol);
    case R_SECONDS: return cli_double(c, "--seconds", value, &a->seconds);
    }
    return 0;
}

int run_operands(run_args *a, int n, bool more, const char *what) {
    int given = a->c.n_operands - 1;
    if (given < n) return ox_fail(a->c.ctx, OX_USAGE, "%s needs %s; try --help", a->command, what);
    if (given > n && !more) return ox_fail(a->c.ctx, OX_USAGE, "%s takes %s: '%.200s' is too much", a->command, what, a->c.operands[n + 1]);
    return 0;
}

/* ---- print, parse ---- */

int run_print(run_args *a) {
    if (run_operands(a, 1, false, "one MODEL") < 0) return -1;
    ox_message *msg = ox_message_open(a->c.ctx, a->c.operands[1]);
    if (!msg) return -1;
    ox_text text = {.arena = ox_arena_new(a->c.ctx)};
    int result = ox_message_print(msg, &(ox_print_options){.full = a->full, .max_elements = (int)a->max_elements}, &text);
    if (result == 0) result = ox_write_text(a->c.ctx, a->out ? a->out : "-", text.data ? text.data : "", text.len);
    ox_arena_free(text.arena);
    ox_message_free(msg);
    return result;
}

int run_parse(run_args *a) {
    char *text;
    size_t len;
    if (run_operands(a, 1, false, "one TEXT file") < 0) return -1;
    if (!a->out) return ox_fail(a->c.ctx, OX_USAGE, "where to? -o OUT.onnx is missing");
    ox_arena *arena = ox_arena_new(a->c.ctx);
    int result = ox_read_text(a->c.ctx, arena, a->c.operands[1], SIZE_MAX, OX_BAD_DATA, &text, &len);
    ox_message *msg = result == 0 ? ox_message_parse(a->c.ctx, text, len, a->c.operands[1]) : NULL;
    result = msg ? ox_message_write(msg, a->out) : -1;
    ox_message_free(msg);
    ox_arena_free(arena);
    return result;
}

/* ---- compare ---- */

/* What cannot be is told by the model's name, before anything is run. */
static ox_model *open_possible(run_args *a, const char *path) {
    ox_model *m = ox_model_open(a->c.ctx, path);
    if (!m || ox_infer_model(m, NULL) == 0) return m;
    ox_fail_in(a->c.ctx, "%s", path);
    ox_model_free(m);
    return NULL;
}

int run_compare(run_args *a) {
    if (run_operands(a, 2, false, "two models, A.onnx B.onnx") < 0) return -1;
    ox_model *want = open_possible(a, a->c.operands[1]);
    ox_model *got = want && cli_check_dims(&a->c, want, a->c.operands[1], a->dims, a->n_dims) == 0 ? open_possible(a, a->c.operands[2]) : NULL;
    ox_verify_options o = {.samples = (int)a->samples, .seed = (uint64_t)a->seed, .tol = {a->rtol < 0 ? 1e-3 : a->rtol, a->atol < 0 ? 1e-4 : a->atol, true},
        .widen = a->rtol < 0 && a->atol < 0, .seconds = a->seconds, .dims = a->dims, .n_dims = a->n_dims};
    ox_verify_result r = {0};
    int result = got ? ox_verify_models(want, got, &o, &r) : -1;
    static const char *const verdicts[] = {"same", "different", "unknown"};
    if (result == 0 && a->json)
        result = cli_write_json(&a->c, a->json, json_pack("{s:s, s:i, s:s, s:i, s:f, s:f, s:s}", "schema", "onnx-run/compare", "version", 1, "verdict",
                                                          verdicts[r.verdict], "samples", r.samples_run, "max_abs", r.worst.max_abs, "max_rel",
                                                          r.worst.max_rel, "why", r.why));
    if (result == 0 && r.verdict == OX_V_DIFFERENT) result = ox_fail(a->c.ctx, OX_NEGATIVE, "%s and %s differ: %s", a->c.operands[1], a->c.operands[2], r.why);
    if (result == 0 && r.verdict == OX_V_UNKNOWN) result = ox_fail(a->c.ctx, OX_UNAVAILABLE, "cannot compare: %s", r.why);
    if (result == 0 && a->c.verbose)
        fprintf(stderr, "same on %d samples, greatest difference %g (%g of the magnitude)\n", r.samples_run, r.worst.max_abs, r.worst.max_rel);
    ox_model_free(got);
    ox_model_free(want);
    return result;
}

/* ---- dispatch ---- */

static const struct { const char *name; int (*run)(run_args *a); } commands[] = {
    {"inspect", run_inspect}, {"print", run_print}, {"parse", run_parse}, {"compare", run_compare}, {"run", run_run}, {"test", run_test}, {"bench", run_bench},
    {"profile", run_profile}, {"tune", run_tune}, {"pack", run_pack},
};

/* A cache is of measured times. */
static int check_tuning(run_args *a) {
    if (a->heuristic && a->tuning_cache) return ox_fail(a->c.ctx, OX_USAGE, "--tuning=heuristic looks at no times: --tuning-cache says nothing then");
    if (a->svg && !a->sweep) return ox_fail(a->c.ctx, OX_USAGE, "--svg is the picture of --sweep-workspace, which is not given");
    a->measure |= a->tuning_cache != NULL;
    return 0;
}

/* Only tune takes lists. */
static int check_lists(run_args *a) {
    const struct { const char *option, *value; } may_be[] = {{"--threads", a->c.threads}, {"--inter-op", a->inter_op}};
    for (int i = 0; i < 2; i++)
        if (may_be[i].value && strchr(may_be[i].value, ',') && strcmp(a->command, "tune"))
            return ox_fail(a->c.ctx, OX_USAGE, "%s takes one number, '%.200s' is a list; tune takes lists", may_be[i].option, may_be[i].value);
    return 0;
}

static int work(void *arg) {
    run_args *a = arg;
    if (a->lanes > 1 || (a->c.n_operands && !strcmp(a->c.operands[0], "tune"))) team_stay();
    team_spread(a->c.ctx->threads);
    const char *known[16];
    size_t n = sizeof commands / sizeof commands[0];
    if (a->c.n_operands == 0) return ox_fail(a->c.ctx, OX_USAGE, "no command given: inspect, print, parse, compare, run, test, bench, profile, tune or pack; try --help");
    a->command = a->c.operands[0];
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(commands[i].name, a->command)) return check_lists(a) < 0 || check_tuning(a) < 0 ? -1 : commands[i].run(a);
        known[i] = commands[i].name;
    }
    const char *near = ox_nearest(a->command, known, n);
    return ox_fail(a->c.ctx, OX_USAGE, "unknown command '%.200s'%s%s%s; try --help", a->command, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

int main(int argc, char **argv) {
    run_args a = {.samples = 3, .seed = 1, .rtol = -1, .atol = -1, .max_elements = 16, .repeat = -1, .warmup = -1, .workspace_limit = UINT64_MAX, .memory_budget = UINT64_MAX};
    a.c = (cli){
        .program = "onnx-run",
        .usage = "COMMAND MODEL... [options]",
        .about = "Looks at ONNX models.\n\n"
                 "  inspect MODEL              what is in it, and the memory it takes to run\n"
                 "  print MODEL                ONNX text form\n"
                 "  parse TEXT -o MODEL        and back\n"
                 "  run MODEL -o OUT           run once on given or generated inputs\n"
                 "  compare A B                same results on the same inputs? (exit 0 same, 1 different)\n"
                 "  test DIR...                directories of the ONNX backend test suite\n"
                 "  bench MODEL                latency\n"
                 "  profile MODEL -o TRACE     where the time goes, node by node, beside what the machine can do\n"
                 "  tune MODEL -o SETTINGS     best numbers of threads and lanes, and batch size, as settings for this and other runtimes\n"
                 "  pack BUFFERS.csv           places of buffers in one arena",
        .examples = "  onnx-run compare model.onnx model.opt.onnx --samples=5 -v\n  onnx-run run model.onnx --input image=image.npy -o out.npz\n",
        .options = options,
        .on_option = on_option,
        .lists = true,
        .user = &a,
    };
    if (!cli_start(&a.c)) return OX_NO_MEMORY;
    int result = cli_parse(&a.c, argc, argv);
    if (result == 0 && a.c.n_operands > 1 && a.c.ctx->threads != 1) team_settle(argv);
    if (result == 0 && !a.c.done) result = ox_protect(a.c.ctx, work, &a);
    return cli_finish(&a.c, result == 0 ? 0 : ox_error_code(a.c.ctx) ? ox_error_code(a.c.ctx) : OX_BUG);
}
