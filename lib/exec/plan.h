/* Plans of graphs: what frame.c runs. Private to lib/exec. */
#ifndef OX_EXEC_PLAN_H
#define OX_EXEC_PLAN_H

#include "exec/exec.h"

/* A cell holds the value that a name of the model has at this moment of a run. Every value of a graph has one cell:
 * a body is never active twice at the same time (functions are inlined), so captures are plain pointers to cells of
 * graphs around. */
typedef ox_rt *ox_cell;

typedef struct ox_release {
    ox_cell *cell;
    struct ox_release *next;
} ox_release;

typedef struct ox_step {
    const ox_node *node;
    ox_call call;
    ox_cell **in;        /* call.n_in entries; NULL: absent */
    ox_cell **out;       /* call.n_out entries; NULL: nobody reads it */
    ox_release *release; /* cells whose last use is this step */
    bool ready;          /* the payloads of its constants are in memory */
} ox_step;

typedef struct ox_plan {
    const ox_graph *graph;
    int depth; /* 0: main graph */
    ox_step *steps;
    size_t n_steps;
    ox_cell *cells; /* inputs, then outputs of nodes that are run */
    size_t n_cells;
    ox_cell **inputs; /* per graph input: its cell, or NULL for a constant */
    ox_cell **outputs;
    ox_release *release;       /* after the outputs were taken */
    ox_rt **in_now, **out_now; /* of the step that runs */
    struct ox_plan *next;      /* all plans of the frame */
} ox_plan;

typedef struct ox_constant_cell {
    ox_rt *value;
    struct ox_constant_cell *next;
} ox_constant_cell;

struct ox_frame {
    ox_ctx *ctx;
    ox_arena *arena;
    ox_model *model; /* the one that is run */
    ox_model *copy;  /* the same, when it is ours */
    ox_plan *main, *plans;
    ox_map plan_of; /* graph -> plan */
    ox_map cell_of; /* value -> cell */
    ox_map step_of; /* node -> index of its step + 1 */
    ox_constant_cell *constants;
    ox_arena **scratch; /* by depth */
    int n_scratch;
    ox_frame_hook hook;
    void *user;
    double processor_until; /* the same for the processor's clock */
    uint32_t steps;         /* since the last look at it */
    double seconds, until; /* budget, and the time at which the run must be over; 0: none */
};

/* Fills f->main from f->model. */
int ox_plan_model(ox_frame *f);
/* Dense form of a sparse tensor; NULL after ox_fail. */
ox_tensor *ox_sparse_dense(ox_ctx *ctx, const ox_sparse *s);

#endif
