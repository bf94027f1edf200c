/* Private to onnx-run: its commands, each a file or a function, the options they share, and sessions: a model that is run. */
#ifndef OX_RUN_H
#define OX_RUN_H

#include "tools/cli.h"

typedef struct run_args {
    cli c;
    const char *command;
    const char *out, *json, *csv;
    const char **inputs;      /* NAME=FILE or FILE.npz of --input */
    size_t n_inputs;
    ox_dim_binding *dims;
    size_t n_dims;
    int64_t seed, samples, repeat, warmup; /* repeat, warmup: -1 when not given */
    double rtol, atol, seconds;            /* seconds: 0 when not given */
    bool full;
    int64_t max_elements;
    const char *memory_plan;  /* FILE.svg, FILE.csv or "off"; NULL */
    const char *by;           /* op, node or shape; NULL: all */
    double roof_gflops, roof_gbps; /* 0: to be measured */
    const char *batch;        /* DIM=LIST or LIST; NULL */
    double latency;           /* ms; 0: no limit */
    int64_t capacity;         /* 0: not given */
    uint64_t workspace_limit, memory_budget; /* UINT64_MAX: none */
    bool measure, heuristic;  /* algorithms are chosen by measured times; or are not, and the user said so */
    const char *tuning_cache; /* where these are kept; NULL */
    ox_on_miss on_miss;
    const char *sweep, *svg;  /* bench: limits of the workspace, the picture; NULL */
    const char *inter_op;     /* a number, a list for tune; NULL */
    int64_t lanes;            /* that number; 0 when not given, or a list */
} run_args;

int run_inspect(run_args *a);
int run_print(run_args *a);
int run_parse(run_args *a);
int run_compare(run_args *a);
int run_run(run_args *a);
int run_test(run_args *a);
int run_bench(run_args *a);
int run_sweep(run_args *a); /* bench --sweep-workspace */
int run_profile(run_args *a);
int run_tune(run_args *a);
int run_pack(run_args *a);

/* A value file (.npy, .pb) as the declared type says. NULL after ox_fail(). */
ox_rt *run_read_value(ox_ctx *ctx, const char *path, const ox_type *declared);
/* Fails with OX_USAGE unless there are exactly n operands (or at least n when more is true). */
int run_operands(run_args *a, int n, bool more, const char *what);
bool run_ends_in(const char *path, const char *ending);
/* Puts a field of a CSV line at the end of T, in quotes where it needs them; control characters are escaped. */
void run_csv_field(ox_text *t, const char *field);
/* Adds TEXT as it stands between the quotes of a JSON string, or a YAML one. */
void run_json_text(cli *c, ox_text *t, const char *text);
/* The name of a node as tables, pictures and traces show it: its own, else that of its first output. Maybe "". */
const char *run_node_name(const ox_node *n);

/* Writes TREE to --json and CSV (NULL: none) to --csv where these were given, together with MORE, an output that is written already (NULL:
 * none). All appear, or none. The reference to TREE is taken over. */
struct json_t;
int run_write_files(run_args *a, struct json_t *tree, const ox_text *csv, ox_out *more);
/* Most bytes that this process held; 0 where the system does not tell. */
uint64_t run_peak_rss(void);

/* ---- run_session.c: a model, its frame and inputs ---- */
typedef struct run_session {
    ox_model *m;
    ox_frame *f;
    ox_tuning *tuning;
    ox_rt **in, **out;
    double started, opened, ready; /* run_now() before and after the model was read, and when it could be run */
    bool integers; /* set before: quantized models are to be fast rather than rounded as the standard says */
} run_session;
double run_now(void); /* milliseconds of the monotonic clock, which is that of ox_step_info */
/* Reads the model; nothing is checked or run yet. */
int run_session_read(run_args *a, run_session *s);
/* Checks, reads and makes inputs, plans. What the user got wrong is OX_USAGE. */
int run_session_prepare(run_args *a, run_session *s);
/* Both. */
int run_session_open(run_args *a, run_session *s);
/* The first run: when sizes that were made do not fit together, others are tried. Times that it measured are kept in --tuning-cache. */
int run_session_fit(run_args *a, run_session *s);
void run_session_drop(run_session *s); /* the outputs */
void run_session_close(run_session *s);

/* ---- plan_picture.c: the memory plan as a file ---- */
typedef struct plan_facts {
    const char *title;        /* of the model */
    ox_place_stats stats;
    ox_place_buffer *buffers; /* stats.buffers of them */
    size_t n_steps;
    uint64_t *live;           /* bytes alive at each step */
} plan_facts;
/* Of the last run. Lists are in ARENA. */
int plan_facts_get(ox_frame *f, ox_arena *arena, plan_facts *facts);
/* Whether PATH ends in .svg or .csv; 0, or -1 after ox_fail(OX_USAGE). */
int plan_picture_check(cli *c, const char *path);
/* Written, not yet committed; NULL after ox_fail(). */
ox_out *plan_picture(cli *c, const char *path, const plan_facts *facts);

#endif
