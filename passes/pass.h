/* Passes: what they are, and how pipelines run them.
 *
 * A pass is one row: name, one line of doc, options, run. Rule sets (passes/rules) are passes too: one namespace. Adding a C pass: one
 * file with its row, one line in passes.def. Adding a rule: a block in a file of passes/rules. */
#ifndef OX_PASS_H
#define OX_PASS_H

#include "exec/exec.h"
#include "onnx/onnx.h"
#include "yaml/yaml.h"

typedef struct ox_pass ox_pass;
typedef struct ox_pass_run ox_pass_run;
struct ox_option_value;

typedef enum ox_option_kind { OX_O_INT, OX_O_DOUBLE, OX_O_BOOL, OX_O_SIZE, OX_O_TEXT, OX_O_TEXTS } ox_option_kind;
typedef struct ox_option {
    const char *name;
    ox_option_kind kind;
    const char *dflt;   /* as text; NULL: none */
    const char *doc;    /* one line */
} ox_option;

struct ox_pass {
    const char *name;             /* "fold-constants" */
    const char *doc;              /* one line for --list-passes */
    const char *help;             /* more for --explain: what it does, traps, before/after; may be NULL */
    const ox_option *options;     /* ends with a row without name; NULL: none */
    /* What a value of an option must be, when V is not; NULL: all is well. May be NULL: then all values of its kind are. */
    const char *(*wrong)(ox_ctx *ctx, const char *option, const struct ox_option_value *v);
    int (*run)(ox_pass_run *r);   /* changes made (>= 0), or -1 after ox_fail() */
    bool needs_types;             /* infer-shapes must have run since the last change of the model */
};

/* What a pass gets. */
struct ox_pass_run {
    ox_ctx *ctx;
    ox_model *m;
    const ox_pass *pass;
    ox_arena *arena;              /* scratch, reset after the pass */
    const struct ox_option_value *values;
    struct ox_driver *driver;
    const char *without;          /* comma-separated names of rules to leave out; NULL: none */
    const char *profile;          /* target that rules "for PROFILE" are applied for; NULL: such rules stay out */
};
int64_t ox_option_int(const ox_pass_run *r, const char *name);
double ox_option_double(const ox_pass_run *r, const char *name);
bool ox_option_bool(const ox_pass_run *r, const char *name);
uint64_t ox_option_size(const ox_pass_run *r, const char *name);
const char *ox_option_text(const ox_pass_run *r, const char *name);           /* NULL: not given, no default */
const char *const *ox_option_texts(const ox_pass_run *r, const char *name, size_t *n);
/* Says what a pass did to something; shown with -vv and --explain. */
void ox_pass_note(ox_pass_run *r, const char *format, ...) OX_PRINTF(2, 3);

const ox_pass *ox_pass_find(const char *name);                /* C passes only; NULL */
int ox_each_pass(int (*fn)(const ox_pass *p, void *user), void *user); /* C passes in the order of passes.def */

/* A Constant node outside of functions becomes an initializer, unless its output is one of the graph. */
bool ox_lift_constant(ox_node *n);

/* ---- rules (passes/rule_*.c; language: docs/rules.md) ---- */
typedef struct ox_ruleset ox_ruleset;
/* Compiles rules; the text of shipped sets is embedded in the library. OX_CONFIG with file:line:column. The set lives as long as ctx. */
const ox_ruleset *ox_rules_parse(ox_ctx *ctx, const char *text, size_t len, const char *file);
const ox_ruleset *ox_rules_parse_at(ox_ctx *ctx, const char *text, size_t len, const char *file, int line); /* text that begins in line LINE */
const ox_ruleset *ox_rules_shipped(ox_ctx *ctx, const char *name); /* NULL without error when there is no such set */
int ox_each_shipped_ruleset(int (*fn)(const char *name, const char *doc, const char *text, void *user), void *user);
/* Applies several sets together to a fixpoint, in time linear in the model plus the rewrites. Number of rewrites or -1. */
int ox_rules_apply(ox_pass_run *r, const ox_ruleset *const *sets, size_t n);
/* Text of a rule of any shipped set by its name, with its doc; NULL. */
const char *ox_rule_text(ox_ctx *ctx, const char *rule_name);
/* Writes for every place where RULE nearly matches what stopped it. */
int ox_rules_explain(ox_model *m, const ox_ruleset *set, const char *rule_name, ox_text *out);

/* ---- pipelines ---- */
typedef struct ox_pipeline ox_pipeline;
/* YAML text to a pipeline; OX_CONFIG. FILE names it in messages; relative rule files are looked up beside FILE. */
ox_pipeline *ox_pipeline_parse(ox_ctx *ctx, const char *text, size_t len, const char *file);
/* "a,b,c": names of passes and rule sets ("none": nothing); a pass with one option may be given as NAME=VALUE. OX_USAGE with the nearest
 * name when one is unknown. */
ox_pipeline *ox_pipeline_from_names(ox_ctx *ctx, const char *names);
/* A shipped profile by name, else (with a "/" or ".yaml" in it) a file. OX_USAGE / OX_NO_INPUT. */
ox_pipeline *ox_pipeline_profile(ox_ctx *ctx, const char *name);
int ox_each_profile(int (*fn)(const char *name, const char *doc, const char *text, void *user), void *user);
bool ox_pipeline_is_empty(const ox_pipeline *p);
bool ox_pipeline_verify_off(const ox_pipeline *p);            /* it says `verify: false` */
const char *const *ox_pipeline_files(const ox_pipeline *p, size_t *n); /* files it was read from, rules too; for dependency files */

typedef struct ox_pass_stat { const char *name; int changes; int runs; double seconds; } ox_pass_stat;
typedef struct ox_pipeline_options {
    bool check;                 /* ox_verify() after each pass (tests, --debug) */
    int64_t target_opset;       /* raise-opset to this one first; 0: the pipeline's own (keep by default) */
    const char *without;        /* comma-separated names of passes and rules to leave out; may be NULL */
    int64_t stop_after;         /* run only the first N pass applications that change something; -1: all (bisection) */
    void (*after_pass)(void *user, const char *pass, int changes, ox_model *m); /* --print-after; may be NULL */
    void (*on_note)(void *user, const char *pass, const char *text);            /* what passes say of their work; may be NULL */
    void *user;
} ox_pipeline_options;
typedef struct ox_pipeline_result {
    ox_pass_stat *stats; size_t n_stats;   /* in arena of the model */
    int64_t applications;                  /* pass applications that changed something */
    const char *last_pass;                 /* name of the last one */
    ox_save_options save;                  /* what an external-data pass asked for */
    ox_verify_options verify;              /* of the pipeline's `verify:` with defaults filled in */
    bool verify_off;
} ox_pipeline_result;
/* Number of changes, or -1. o may be NULL. */
int ox_pipeline_run(const ox_pipeline *p, ox_model *m, const ox_pipeline_options *o, ox_pipeline_result *result);

/* Whether every name in the comma-separated LIST (NULL: none) is a pass, a rule set, a rule that ships or one of the pipeline's, or ALSO
 * (may be NULL). OX_USAGE naming OPTION, with the nearest name. */
int ox_pipeline_check_names(const ox_pipeline *p, const char *option, const char *list, const char *also);
/* Whether NAME stands in the comma-separated LIST (NULL: no). */
bool ox_listed(const char *list, const char *name);

/* Nearest known name by edit distance, for messages; NULL when nothing is near. */
const char *ox_nearest(const char *name, const char *const *known, size_t n);

#endif
