/* onnx-opt: rewrites a model by a pipeline of passes, checks the result on generated inputs, and writes it whole or not at all. */
#include "tools/report.h"
#include "tools/team.h"

#include <stdlib.h>
#include <time.h>

typedef struct opt {
    cli c;
    const char *in, *out, *profile, *passes, *without, *verify, *report, *depfile, *deptarget, *print_after, *explain, *data;
    bool make_deps, phony_deps, list_passes, list_profiles, check;
    int64_t target_opset, samples, seed;
    double seconds, rtol, atol;
    ox_dim_binding *dims;
    size_t n_dims;
    /* what happened */
    ox_pipeline *pipeline;
    ox_pipeline_result result;
    report_facts facts;
    const char *bad_pass;
    uint64_t bytes; /* of the model and its data files */
    ox_outs companions; /* report and dependency file: they appear together with the model */
} opt;

enum { O_OUT, O_PROFILE, O_PASSES, O_WITHOUT, O_VERIFY, O_REPORT, O_MD, O_MF, O_MT, O_MP, O_LIST_PASSES, O_LIST_PROFILES, O_EXPLAIN, O_PRINT_AFTER,
       O_TARGET, O_SAMPLES, O_SEED, O_SECONDS, O_RTOL, O_ATOL, O_DIM, O_CHECK };

static const cli_option options[] = {
    {"-o", "OUT.onnx", "the result; '-' is standard output", O_OUT, false},
    {"--profile", "NAME|FILE", "pipeline to run (default: portable); a file has a '/' or ends in .yaml", O_PROFILE, false},
    {"--passes", "A,B,...", "run these passes and rule sets instead; 'none' copies; a pass with one option: NAME=VALUE", O_PASSES, false},
    {"--without", "A,B,...", "leave out these passes or rules", O_WITHOUT, true},
    {"--target-opset", "N", "opset of ai.onnx to lift the model to first; never below its own", O_TARGET, false},
    {"--verify", "on|off", "compare the result with the original on generated inputs (default: on)", O_VERIFY, false},
    {"--samples", "N", "inputs to compare on (default 3)", O_SAMPLES, true},
    {"--seed", "N", "seed of the inputs", O_SEED, true},
    {"--verify-seconds", "S", "time budget of the comparison (default 20)", O_SECONDS, true},
    {"--rtol", "X", "relative tolerance (default 1e-3; float16 8e-3, bfloat16 6e-2)", O_RTOL, true},
    {"--atol", "X", "absolute tolerance as part of an output's magnitude (default 1e-4; float16, bfloat16: as --rtol)", O_ATOL, true},
    {"--dim", "NAME=N", "size of a symbolic dimension in generated inputs", O_DIM, true},
    {"--report", "FILE.{html,json}", "what was done, as a page or as JSON", O_REPORT, false},
    {"-MD", NULL, "write a dependency file for make (OUT.d)", O_MD, false},
    {"-MF", "FILE", "name of the dependency file", O_MF, true},
    {"-MT", "NAME", "target in the dependency file (default: OUT)", O_MT, true},
    {"-MP", NULL, "phony targets for every input", O_MP, true},
    {"--list-passes", NULL, "passes and rule sets", O_LIST_PASSES, false},
    {"--list-profiles", NULL, "shipped pipelines", O_LIST_PROFILES, false},
    {"--explain", "NAME", "show a pass, rule, rule set or profile; with IN.onnx: where a rule nearly matches", O_EXPLAIN, false},
    {"--print-after", "PASS", "print the model as text after each run of this pass ('all')", O_PRINT_AFTER, true},
    {"--check-passes", NULL, "check the invariants of the graph after every pass", O_CHECK, true},
    {0},
};

static int on_option(cli *c, int id, const char *value) {
    opt *o = c->user;
    switch (id) {
    case O_OUT: o->out = value; return 0;
    case O_PROFILE: o->profile = value; return 0;
    case O_PASSES: o->passes = value; return 0;
    case O_WITHOUT: o->without = value; return 0;
    case O_REPORT: o->report = value; return 0;
    case O_MD: o->make_deps = true; return 0;
    case O_MF: o->depfile = value; return 0;
    case O_MT: o->deptarget = value; return 0;
    case O_MP: o->phony_deps = true; return 0;
    case O_LIST_PASSES: o->list_passes = true; return 0;
    case O_LIST_PROFILES: o->list_profiles = true; return 0;
    case O_EXPLAIN: o->explain = value; return 0;
    case O_PRINT_AFTER: o->print_after = value; return 0;
    case O_CHECK: o->check = true; return 0;
    case O_TARGET: return cli_int(c, "--target-opset", value, 7, ox_opset_newest(""), &o->target_opset);
    case O_SAMPLES: return cli_int(c, "--samples", value, 1, 1000, &o->samples);
    case O_SEED: return cli_int(c, "--seed", value, 0, INT64_MAX, &o->seed);
    case O_SECONDS: return cli_double(c, "--verify-seconds", value, &o->seconds);
    case O_RTOL: return cli_double(c, "--rtol", value, &o->rtol);
    case O_ATOL: return cli_double(c, "--atol", value, &o->atol);
    case O_DIM: return cli_dim(c, value, &o->dims, &o->n_dims);
    case O_VERIFY:
        o->verify = value;
        if (strcmp(value, "on") && strcmp(value, "off")) return ox_fail(c->ctx, OX_USAGE, "--verify takes on or off, not '%.200s'", value);
        return 0;
    }
    return 0;
}

/* ---- lists and explanations ---- */

static int list_pass(const ox_pass *p, void *user) { return (void)user, printf("%-22s %s\n", p->name, p->doc), 0; }

static int list_text(const char *name, const char *doc, const char *text, void *user) {
    return (void)text, (void)user, printf("%-22s %s\n", name, doc), 0;
}

static int explain_text(const char *name, const char *doc, const char *text, void *user) {
    (void)doc;
    if (strcmp(name, user)) return 0;
    fputs(text, stdout);
    return 1;
}

static void explain_pass(const ox_pass *p) {
    printf("%s: %s\n", p->name, p->doc);
    if (p->help) printf("\n%s", p->help);
    if (p->options && p->options[0].name) printf("\noptions:\n");
    for (const ox_option *o = p->options; o && o->name; o++)
        printf("  %-12s %s%s%s%s\n", o->name, o->doc, o->dflt ? " (default: " : "", o->dflt ? o->dflt : "", o->dflt ? ")" : "");
}

typedef struct { const char *rule, *set; } search;

/* The set whose text holds a rule of this name. */
static int holds_rule(const char *name, const char *doc, const char *text, void *user) {
    (void)doc;
    search *s = user;
    size_t len = strlen(s->rule);
    for (const char *at = text; (at = strstr(at, "rule ")); at += 5)
        if ((at == text || at[-1] == '\n') && !strncmp(at + 5, s->rule, len) && strchr(" {\n", at[5 + len])) {
            s->set = name;
            return 1;
        }
    return 0;
}

static int explain_near_misses(opt *o) {
    ox_ctx *ctx = o->c.ctx;
    search found = {o->explain, NULL};
    if (!ox_each_shipped_ruleset(holds_rule, &found)) return 0;
    const ox_ruleset *set = ox_rules_shipped(ctx, found.set);
    if (!set) return -1;
    ox_model *m = ox_model_open(ctx, o->c.operands[0]);
    if (!m) return -1;
    int result = ox_infer_model(m, &(ox_infer_options){.run_constants = true});
    ox_text text = {.arena = m->arena};
    if (result == 0) result = ox_rules_explain(m, set, o->explain, &text);
    if (result >= 0 && text.data) fputs(text.data, stdout);
    ox_model_free(m);
    return result < 0 ? -1 : 0;
}

static int explain(opt *o) {
    const ox_pass *p = ox_pass_find(o->explain);
    const char *rule;
    if (p) return explain_pass(p), 0;
    if (ox_each_profile(explain_text, (void *)o->explain) || ox_each_shipped_ruleset(explain_text, (void *)o->explain)) return 0;
    if ((rule = ox_rule_text(o->c.ctx, o->explain))) {
        puts(rule);
        return o->c.n_operands ? explain_near_misses(o) : 0;
    }
    if (ox_error_code(o->c.ctx)) return -1;
    return ox_fail(o->c.ctx, OX_USAGE, "'%.200s' is no pass, rule set, rule or profile; see --list-passes and --list-profiles", o->explain);
}

/* ---- the work ---- */

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void print_after(void *user, const char *pass, int changes, ox_model *m) {
    opt *o = user;
    if (o->c.verbose > 1) fprintf(stderr, "  %-24s %6d changes, %zu nodes\n", pass, changes, m->graph->n_nodes);
    if (!o->print_after || (strcmp(o->print_after, "all") && strcmp(o->print_after, pass))) return;
    ox_text text = {.arena = ox_arena_new(m->ctx)};
    if (ox_model_print(m, &(ox_print_options){.max_elements = 16}, &text) == 0 && text.data) fprintf(stderr, "# after %s\n%s", pass, text.data);
    ox_arena_free(text.arena);
}

static void note(void *user, const char *pass, const char *text) {
    opt *o = user;
    char shown[2048];
    ox_printable(shown, sizeof shown, text);
    if (o->c.verbose > 1) fprintf(stderr, "  %s: %s\n", pass, shown);
}

static int run_pipeline(opt *o, ox_model *m, int64_t stop_after, ox_pipeline_result *result) {
    ox_pipeline_options po = {.check = o->check, .target_opset = o->target_opset, .without = o->without, .stop_after = stop_after, .user = o};
    if (stop_after < 0) {
        po.after_pass = print_after;
        po.on_note = note;
    }
    return ox_pipeline_run(o->pipeline, m, &po, result);
}

static bool own_profile(const opt *o) { return o->profile && (strchr(o->profile, '/') || strstr(o->profile, ".yaml")); }

/* Without a budget given here, checking takes no more than befits the file: a few bytes may ask for any amount of work. */
static void bound_verification(ox_verify_options *v, uint64_t bytes) {
    v->processor_seconds = 2 + (double)bytes / (256 << 10);
    v->memory = ((uint64_t)320 << 20) + 16 * bytes;
}

static ox_verify_options verify_options(const opt *o) {
    ox_verify_options v = o->result.verify;
    if (o->seconds < 0 && !own_profile(o)) bound_verification(&v, o->bytes);
    if (o->samples) v.samples = (int)o->samples;
    if (o->seed >= 0) v.seed = (uint64_t)o->seed;
    if (o->seconds >= 0) v.seconds = o->seconds;
    if (o->rtol >= 0) v.tol.rtol = o->rtol;
    if (o->atol >= 0) v.tol.atol = o->atol;
    if (o->rtol >= 0 || o->atol >= 0) v.widen = false;
    v.dims = o->dims;
    v.n_dims = o->n_dims;
    return v;
}

/* Whether the first N applications of passes already make the result differ. */
static bool differs_after(opt *o, ox_model *original, int64_t n, const char **last) {
    ox_pipeline_result result;
    ox_verify_result verdict = {0};
    ox_verify_options v = verify_options(o);
    ox_model *m = ox_model_copy(original);
    bool differs = m && run_pipeline(o, m, n, &result) >= 0 && ox_verify_models(original, m, &v, &verdict) >= 0 && verdict.verdict == OX_V_DIFFERENT;
    if (differs) *last = result.last_pass;
    ox_model_free(m);
    ox_clear_error(o->c.ctx);
    return differs;
}

/* The first pass after which the result is wrong, by bisection over pass applications. */
static void find_bad_pass(opt *o, ox_model *original) {
    int64_t good = 0, bad = o->result.applications;
    const char *name = o->result.last_pass;
    while (bad - good > 1) {
        int64_t middle = good + (bad - good) / 2;
        const char *last = NULL;
        if (differs_after(o, original, middle, &last)) bad = middle, name = last;
        else good = middle;
    }
    o->bad_pass = name;
}

static int verify(opt *o, ox_model *original, ox_model *m) {
    ox_verify_options v = verify_options(o);
    ox_verify_result *r = &o->facts.check;
    if (ox_verify_models(original, m, &v, r) < 0) return -1;
    if (r->verdict == OX_V_UNKNOWN) {
        ox_warn(o->c.ctx, "%s: not verified: %s", o->in, r->why);
        return 0;
    }
    if (r->verdict == OX_V_SAME) return 0;
    find_bad_pass(o, original);
    return ox_fail(o->c.ctx, OX_NEGATIVE, "%s: the result differs from the original: %s; first wrong after pass %s; nothing was written", o->in,
                   r->why, o->bad_pass ? o->bad_pass : "?");
}

/* ---- what is said afterwards ---- */

static ox_out *depfile(opt *o, ox_message *msg) {
    const char *const *data, *const *read;
    size_t n, n_read, count = 0;
    if (ox_message_data_files(msg, &data, &n) < 0) return NULL;
    read = ox_pipeline_files(o->pipeline, &n_read);
    const char **inputs = OX_NEW_N(o->c.ctx->arena, const char *, n + n_read + 1);
    if (strcmp(o->in, "-")) inputs[count++] = o->in;
    for (size_t i = 0; i < n; i++) inputs[count++] = data[i];
    for (size_t i = 0; i < n_read; i++) inputs[count++] = read[i];
    const char *path = o->depfile ? o->depfile : ox_format(o->c.ctx->arena, "%s.d", o->out);
    return cli_depfile(&o->c, path, o->deptarget ? o->deptarget : o->out, inputs, count, o->phony_deps);
}

/* What appears together with the model. */
static int write_companions(opt *o, ox_message *msg) {
    if (o->report) {
        ox_out *out = report_write(&o->c, o->report, &o->facts);
        if (!out) return -1;
        ox_outs_add(&o->companions, o->c.ctx->arena, out);
    }
    if (o->make_deps || o->depfile) {
        ox_out *out = depfile(o, msg);
        if (!out) return -1;
        ox_outs_add(&o->companions, o->c.ctx->arena, out);
    }
    return 0;
}

/* ---- from the operands to the end ---- */

/* What can be told to be wrong before anything is read. */
static int check_options(opt *o) {
    ox_ctx *ctx = o->c.ctx;
    if (o->report && report_check(&o->c, o->report) < 0) return -1;
    if (o->report && ox_pipeline_is_empty(o->pipeline) && !o->target_opset) return ox_fail(ctx, OX_USAGE, "--report: a copy has nothing to report");
    if ((o->make_deps || o->depfile) && !strcmp(o->out, "-") && !o->deptarget) return ox_fail(ctx, OX_USAGE, "-MD with -o - needs -MT NAME");
    if (ox_pipeline_check_names(o->pipeline, "--without", o->without, NULL) < 0) return -1;
    return ox_pipeline_check_names(o->pipeline, "--print-after", o->print_after, "all");
}

static int optimize(opt *o, ox_message *msg) {
    ox_ctx *ctx = o->c.ctx;
    double start = now_ms();
    ox_model *m = ox_model_from_message(ctx, msg);
    if (!m) return -1;
    if (cli_check_dims(&o->c, m, o->in, o->dims, o->n_dims) < 0) {
        ox_model_free(m);
        return -1;
    }
    for (const ox_file *f = m->files; f; f = f->next) o->bytes += f->size;
    bool check = o->verify ? !strcmp(o->verify, "on") : !ox_pipeline_verify_off(o->pipeline);
    ox_model *original = check ? ox_model_copy(m) : NULL;
    int result = check && !original ? -1 : 0;
    cli_count(ctx->arena, m, &o->facts.before);
    if (result == 0 && run_pipeline(o, m, -1, &o->result) < 0) result = ox_fail_in(ctx, "%s", o->in);
    if (result == 0) ox_settle_names(m);
    if (result == 0) cli_count(ctx->arena, m, &o->facts.after);
    if (result == 0 && check) result = verify(o, original, m);
    o->facts.ms = now_ms() - start;
    o->facts.in = o->in;
    o->facts.out = o->out;
    o->facts.passes = o->result.stats;
    o->facts.n_passes = o->result.n_stats;
    if (result == 0) result = write_companions(o, msg);
    o->result.save.with = &o->companions;
    if (result == 0) result = ox_model_save(m, o->out, &o->result.save);
    if (result == 0 && o->c.verbose) report_print(&o->c, &o->facts);
    ox_model_free(original);
    ox_model_free(m);
    return result;
}

static int work(void *arg) {
    opt *o = arg;
    ox_ctx *ctx = o->c.ctx;
    if (o->list_passes) {
        ox_each_pass(list_pass, NULL);
        ox_each_shipped_ruleset(list_text, NULL);
        return 0;
    }
    if (o->list_profiles) return ox_each_profile(list_text, NULL);
    if (o->explain) return explain(o);
    if (o->c.n_operands == 0) return ox_fail(ctx, OX_USAGE, "no model given; try --help");
    if (o->c.n_operands > 1) return ox_fail(ctx, OX_USAGE, "one model at a time: '%.200s' is one too many", o->c.operands[1]);
    if (!o->out) return ox_fail(ctx, OX_USAGE, "where to? -o OUT.onnx is missing");
    if (o->passes && o->profile) return ox_fail(ctx, OX_USAGE, "--passes and --profile exclude each other");
    o->in = o->c.operands[0];
    o->pipeline = o->passes ? ox_pipeline_from_names(ctx, o->passes) : ox_pipeline_profile(ctx, o->profile ? o->profile : "portable");
    if (!o->pipeline || check_options(o) < 0) return -1;
    ox_message *msg = ox_message_open(ctx, o->in);
    if (!msg) return -1;
    int result;
    if (!ox_pipeline_is_empty(o->pipeline) || o->target_opset) {
        result = optimize(o, msg);
    } else {
        result = write_companions(o, msg);
        if (result == 0) result = ox_message_copy(msg, o->out, &o->companions);
    }
    ox_outs_close(&o->companions);
    ox_message_free(msg);
    return result;
}

int main(int argc, char **argv) {
    opt o = {.samples = 0, .seed = -1, .seconds = -1, .rtol = -1, .atol = -1};
    o.c = (cli){
        .program = "onnx-opt",
        .usage = "IN.onnx -o OUT.onnx [options]",
        .about = "Rewrites an ONNX model by a pipeline of passes and verifies that it still computes the same.",
        .examples = "  onnx-opt model.onnx -o model.opt.onnx -v                        what changed, and how long it took\n"
                    "  onnx-opt model.onnx -o shaped.onnx --passes=infer-shapes        one pass only\n"
                    "  onnx-opt model.onnx -o ours.onnx --profile=./ours.yaml -MD      a pipeline of your own, in a Makefile\n"
                    "  onnx-opt --explain fold-constants                               what a pass does, and its options\n",
        .options = options,
        .on_option = on_option,
        .user = &o,
    };
    if (!cli_start(&o.c)) return OX_NO_MEMORY;
    int result = cli_parse(&o.c, argc, argv);
    if (result == 0 && o.c.n_operands && (!o.verify || !strcmp(o.verify, "on"))) team_settle(argv);
    if (result == 0 && !o.c.done) result = ox_protect(o.c.ctx, work, &o);
    return cli_finish(&o.c, result == 0 ? 0 : ox_error_code(o.c.ctx) ? ox_error_code(o.c.ctx) : OX_BUG);
}
