/* What the programs share: one table of options drives parsing and help; errors, signals, exit codes, files written beside outputs. */
#ifndef OX_CLI_H
#define OX_CLI_H

#include <stdio.h>

#include "passes/pass.h"

/* One option of a program or command. Rows end with one without name. */
typedef struct cli_option {
    const char *name;  /* "--profile", "-o", "-MD" */
    const char *arg;   /* "NAME": takes a value; NULL: a flag */
    const char *doc;   /* one line */
    int id;            /* what the program's switch knows it by */
    bool rare;         /* only in --help=all */
} cli_option;

enum { CLI_HELP = 1000, CLI_VERSION, CLI_QUIET, CLI_VERBOSE, CLI_THREADS, CLI_COLOR, CLI_CHECKSUM };

typedef struct cli {
    const char *program;         /* "onnx-opt" */
    const char *usage;           /* after the program's name: "IN.onnx -o OUT.onnx [options]" */
    const char *about;           /* one or two sentences */
    const char *examples;        /* lines, each indented by two */
    const cli_option *options;   /* the program's own; common ones are added */
    int (*on_option)(struct cli *c, int id, const char *value); /* 0, or -1 after ox_fail(OX_USAGE...) */
    void *user;
    ox_ctx *ctx;
    const char **operands;       /* what is no option */
    int n_operands;
    bool quiet, color;
    bool lists;                  /* --threads may be a list */
    const char *threads;         /* --threads as given; NULL */
    int verbose;                 /* number of -v */
    bool done;                   /* --help or --version was answered */
    bool json_lost;              /* cli_json_add() found no memory */
} cli;

/* Prepares context, signals and warnings; the program's result is what main returns. */
ox_ctx *cli_start(cli *c);
/* Parses argv; -1 after ox_fail(). Understands --name=value, --name value, -o value, -oVALUE, "--" and abbreviations never. */
int cli_parse(cli *c, int argc, char **argv);
/* What was printed is written: before files that stand for the same success. -1 after ox_fail(). */
int cli_flush(cli *c);
/* Prints the recorded error as one line on stderr ("program: text"), flushes standard output, frees the context and gives the exit code. */
int cli_finish(cli *c, int code);
/* The number in `value`, or -1 after ox_fail(OX_USAGE) naming the option. */
int cli_int(cli *c, const char *option, const char *value, int64_t min, int64_t max, int64_t *out);
int cli_double(cli *c, const char *option, const char *value, double *out);
/* "NAME=N" of --dim. */
int cli_dim(cli *c, const char *value, ox_dim_binding **dims, size_t *n);
/* Whether the inputs of the model at PATH have the names that --dim gave, none with two sizes. */
int cli_check_dims(cli *c, const ox_model *m, const char *path, const ox_dim_binding *dims, size_t n);
/* Make's dependency file: target: inputs, escaped as gcc does, with phony lines when asked. Written, not yet committed; NULL after
 * ox_fail(). */
ox_out *cli_depfile(cli *c, const char *path, const char *target, const char *const *inputs, size_t n, bool phony);

/* Counts of nodes by operator over all graphs, sorted by name, for tables and reports. */
typedef struct cli_op_count { const char *op; int64_t n; } cli_op_count;
typedef struct cli_census {
    cli_op_count *ops;           /* "Conv", "com.microsoft::Gelu"; Constant nodes are not counted */
    size_t n_ops;
    int64_t nodes, constants, initializers, parameters, functions;
    uint64_t weight_bytes;
} cli_census;
void cli_count(ox_arena *arena, ox_model *m, cli_census *out);

/* Names as a terminal or a page may show them: whole, control characters and what is not UTF-8 escaped. */
const char *cli_shown(ox_arena *arena, const char *text);
/* Adds TEXT as a page or picture may show it: printable, without what XML takes for markup or does not know. */
void cli_add_markup(ox_text *t, const char *text);
/* TEXT as JSON can hold it: itself when it is UTF-8, as names in models are; else as shown: a path may be of any bytes. */
const char *cli_utf8(cli *c, const char *text);

struct json_t;
/* Puts VALUE, whose reference it takes, under KEY into an object, or at the end of an array (KEY is NULL). Without memory for it the tree is
 * not written: the functions below fail. */
void cli_json_add(cli *c, struct json_t *to, const char *key, struct json_t *value);
/* Writes a JSON tree whole ("-": standard output). Takes over the reference. */
int cli_write_json(cli *c, const char *path, struct json_t *tree);
/* The same, still to be committed. */
ox_out *cli_json(cli *c, const char *path, struct json_t *tree);

#endif
