/* Private to onnx-run bench --sweep-workspace.
 *
 * run_sweep.c       measuring, the knee, table, CSV, JSON
 * sweep_picture.c   the curve as SVG */
#ifndef OX_SWEEP_H
#define OX_SWEEP_H

#include "tools/run.h"

typedef struct sweep_row {
    uint64_t limit;            /* bytes; UINT64_MAX: none */
    const char *why;           /* it cannot be done: why; NULL */
    double estimate, median;   /* ms */
    uint64_t workspace, arena; /* bytes: the largest workspace taken */
    size_t changed;            /* steps that take another algorithm than in the row before */
    const ox_step_choice *choices;
} sweep_row;

typedef struct sweep {
    run_args *a;
    ox_arena *arena;
    const char *title;
    sweep_row *rows;           /* by limit; the last one has none */
    size_t n, n_choices;
    const sweep_row *knee;
} sweep;

const char *sweep_limit_text(const sweep *w, uint64_t limit); /* "0", "64K", "none" */
/* Written, not yet committed; NULL after ox_fail(). */
ox_out *sweep_picture(const sweep *w, const char *path);

#endif
