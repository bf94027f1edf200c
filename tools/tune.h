/* Private to onnx-run tune: the sweep, what it found, and how that is told.
 *
 * run_tune.c     axes, measuring, choosing
 * tune_tell.c    table, words, JSON, CSV, and settings as YAML
 * tune_memory.c  words and settings about the workspace and the memory budget */
#ifndef OX_TUNE_H
#define OX_TUNE_H

#include "tools/run.h"

/* What is varied. Another axis is another number here, and a row of axes[] in run_tune.c. */
enum { TUNE_THREADS, TUNE_INTER, TUNE_BATCH, TUNE_AXES };

typedef struct tune_axis {
    const char *key, *label;  /* in JSON and CSV; in the table */
    int64_t *values;          /* never empty; one value 0: the axis is not there */
    size_t n;
} tune_axis;

typedef struct tune_row {
    int64_t at[TUNE_AXES];
    const char *why;          /* it could not be run: why; NULL */
    double p50, p90, first;   /* ms */
    double per_second;        /* samples: runs times batch */
    uint64_t arena, bound, rss;
    struct json_t *inputs; /* the sizes that they had; one reference */
} tune_row;

typedef struct tune {
    run_args *a;
    ox_model *m;
    ox_arena *arena;
    tune_axis axes[TUNE_AXES];
    ox_sym *batch_dims;       /* the symbols that are the batch */
    size_t n_batch_dims;
    int processors;
    bool quiet;               /* standard output is a file of ours */
    tune_row *rows;
    size_t n_rows;
    const tune_row *best;     /* NULL: none may be taken */
    struct json_t *sweep;     /* of the workspace, at the best line: what bench --sweep-workspace says; one reference */
    const char **advice;      /* sentences */
    size_t n_advice, cap_advice;
} tune;

static inline bool tune_has(const tune *t, int axis) { return t->axes[axis].values[0] != 0; }

void tune_print_head(const tune *t);
void tune_print_row(const tune *t, const tune_row *r);
void tune_advise_one(tune *t, const char *sentence);
/* The least workspace that is nearly as good as none, and the arena with it, bytes; false: no step has a choice. UINT64_MAX: no limit. */
bool tune_memory(const tune *t, uint64_t *workspace, uint64_t *arena);
void tune_advise_memory(tune *t);
/* Fills t->advice from t->best. */
void tune_advise(tune *t);
struct json_t *tune_json(const tune *t);
void tune_csv(const tune *t, ox_text *text);
void tune_yaml(const tune *t, ox_text *text);

#endif
