/* Plans of graphs: what frame.c runs. Private to lib/exec.
 *
 * plan.c    model -> steps and cells, once per frame
 * slots.c   where outputs and scratch come from: a first run with new shapes takes notes, later ones find memory at hand
 * choose.c  which algorithm a step takes where it has several
 * part.c    a part of a graph that is constant: a plan that is run a single time
 * decide.c  Ifs whose condition is known become the branch that is taken, before anything is planned
 * place.c   notes -> order of the steps, which outputs share memory, one arena
 * frame.c   runs
 * lanes.c   runs independent steps at once; schedule.h says which */
#ifndef OX_EXEC_PLAN_H
#define OX_EXEC_PLAN_H

#include "exec/exec.h"

#include <pthread.h>

/* A cell holds the value that a name of the model has at this moment of a run. Every value of a graph has one cell:
 * a body is never active twice at the same time (functions are inlined), so captures are plain pointers to cells of
 * graphs around. */
typedef ox_rt *ox_cell;

#define OX_NO_CELL UINT32_MAX

typedef struct ox_step {
    const ox_node *node;
    ox_call call;
    int n_in;             /* inputs: those of the call, or of what runs instead of its kernel */
    ox_cell **in;         /* NULL: absent */
    ox_cell **out;        /* call.n_out entries; NULL: nobody reads it */
    uint32_t *in_cell;    /* the same as numbers of the plan's cells; OX_NO_CELL: constant, of a graph around, absent */
    uint32_t *out_cell;
    const ox_value **in_value; /* NULL: absent or made by a lift */
    bool *around;         /* per input: a cell of a graph around, which is no constant */
    const struct ox_native *native; /* runs instead of the kernel, with state; NULL */
    void *state;
    ox_kept kept;
    bool moves;           /* brings a value to another form; stands for no node */
    const ox_node **with; /* nodes that were joined to this one */
    size_t n_with;
    uint32_t *captured;   /* cells of this graph that bodies of the node read, and bodies in them */
    size_t n_captured, cap_captured;
    bool ready;           /* the payloads of its constants are in memory */
} ox_step;

/* What a kernel asked for, in the run that took notes. */
typedef enum ox_made { OX_MADE_ELSEWHERE, OX_MADE_NEW, OX_MADE_SHARED, OX_MADE_PASSED } ox_made;
typedef struct ox_made_output {
    ox_made how;
    ox_dtype dtype;
    int rank;
    int64_t *dims;
    uint64_t bytes;
    uint32_t over;        /* inputs that it may be written over, bit by bit */
    int source;           /* SHARED, PASSED: the input whose memory it is */
} ox_made_output;
/* Its algorithms, when it has several, and which one is taken. */
typedef struct ox_choice {
    ox_candidate *list;
    double *seconds;      /* per candidate: median of measured runs, NAN: not known */
    int n, taken;
    size_t scratch;       /* which of the step's scratch memory is the workspace */
} ox_choice;
typedef struct ox_notes {
    ox_made_output *out;
    uint64_t *scratch;    /* bytes, in the order asked for */
    size_t n_scratch, cap_scratch;
    ox_choice *choice;    /* NULL: there is none */
    bool pins;            /* what it reads may be kept beyond the step: bodies, sequences */
    uint64_t cost;        /* of the step, when lanes are asked for: a guess from sizes, see schedule.c */
} ox_notes;

/* Where an output lies in later runs. */
typedef struct ox_slot {
    ox_rt *rt;            /* with its tensor; the plan has one reference to each. NULL: from the allocator */
    uint64_t offset;
    int source;           /* the input whose memory it is; -1: nobody else's */
    bool outside;         /* a view of memory that is not the plan's: an input of the graph, a constant */
} ox_slot;

/* Who runs steps, one after the other: the caller's thread in a graph, or a lane. */
typedef struct ox_worker {
    ox_ctx *ctx;
    ox_arena *scratch;
    ox_rt **in, **out; /* of the step that runs */
    uint32_t looked;   /* steps since the last look at the processor's clock */
} ox_worker;

/* Independent branches at once. A lane runs its steps in order; before some it waits for others: the makers of what they read, and the users of what lay in
 * their memory before. Lane order and waits together order any two steps of which one writes what the other touches. */
typedef struct ox_wait { uint32_t lane, done; } ox_wait; /* until that lane has done so many of its steps */
typedef struct ox_lanes_plan {
    uint32_t n;
    uint32_t *from, *steps;      /* of lane i: steps[from[i]] up to steps[from[i + 1]] */
    uint32_t *position;          /* per place in steps: in the order */
    uint32_t *wait_from;         /* per place in steps: waits[wait_from[k]] up to k + 1 */
    ox_wait *waits;
    uint32_t *touch_from, *touched; /* per place: cells that are read or filled, each once; without what the graph returns */
    uint32_t *users;             /* per cell: steps that touch it */
    _Atomic uint32_t *left;      /* the same, of those still to come in this run */
} ox_lanes_plan;

typedef struct ox_lanes ox_lanes;

/* Everything a run needs to know about memory, for one tuple of input shapes. */
typedef struct ox_placement {
    struct ox_placement *next; /* most recently used first */
    ox_arena *arena;
    int64_t *key;              /* the inputs' kinds, types, shapes */
    size_t n_key;
    ox_notes *notes;           /* per step */
    bool noted;                /* the notes are of a run that succeeded */
    bool placed;               /* the rest is there */
    uint32_t *order;           /* of the steps */
    uint32_t *release_from, *release; /* cells to be emptied after position k: release[release_from[k]] up to k + 1 */
    ox_slot **slots;           /* per step and output */
    uint64_t **scratch;        /* per step: offsets */
    ox_place_stats stats;
    ox_lanes_plan *lanes;      /* NULL: one thread runs the order */
    ox_place_buffer *buffers;  /* stats.buffers of them */
    char *base;                /* the memory that the slots point into now */
} ox_placement;

typedef struct ox_plan {
    const ox_graph *graph;
    struct ox_plan *outer;
    uint32_t holder;           /* the step of `outer` that holds this body */
    int depth;                 /* 0: main graph */
    bool single;               /* a part of a graph that is run a single time: its constant steps are steps like any other */
    ox_step *steps;            /* those that depend on inputs, in the file's order */
    size_t n_steps;
    ox_step *once;             /* those of constants alone: run before the first run */
    size_t n_once, cap_once;
    bool once_done;
    ox_cell *cells;            /* inputs, then outputs of steps */
    size_t n_cells;
    const ox_value **values;   /* per cell */
    ox_cell *made_once;        /* outputs of the steps in `once`; kept between runs */
    size_t n_made_once;
    ox_cell **inputs;          /* per graph input: its cell, or NULL for a constant */
    ox_cell **outputs;
    bool *returned;            /* per cell: an output of the graph */
    uint32_t *last;            /* per cell: the last step in the file's order that reads it, or that makes it */
    uint32_t *release_from, *release; /* of the file's order, as in a placement */
    int most_in, most_out;     /* of any step, at least 1 */
    ox_worker worker;          /* the caller's thread */
    ox_placement *placements, *last_run;
    char *memory;              /* the arena of this graph, large enough for the placements that were run */
    uint64_t memory_bytes;
    struct ox_plan *next;      /* all plans of the frame */
} ox_plan;

typedef struct ox_constant_cell {
    ox_rt *value;
    struct ox_constant_cell *next;
} ox_constant_cell;

typedef struct ox_made_tensor {
    ox_tensor *t;
    struct ox_made_tensor *next;
} ox_made_tensor;

struct ox_frame {
    ox_ctx *ctx;
    ox_arena *arena;
    ox_model *model; /* the one that is run */
    ox_model *copy;  /* the same, when it is ours */
    ox_plan *main, *plans;
    ox_map plan_of; /* graph -> plan */
    ox_map cell_of; /* value -> cell */
    ox_constant_cell *constants;
    ox_made_tensor *made; /* by lifts of calls */
    ox_rt **default_values; /* per input of the main graph: its initializer, once it was used; NULL */
    ox_frame_options options;
    ox_arena **scratch; /* by depth */
    int n_scratch;
    ox_frame_hook hook;
    void *user;
    uint64_t workspace_limit, memory_budget; /* UINT64_MAX: none */
    ox_tuning *tuning;      /* where measured times are; NULL: algorithms are not measured */
    ox_on_miss on_miss;
    pthread_mutex_t hook_lock;
    ox_lanes *lanes;        /* threads; NULL before a plan needs them */
    double processor_until; /* the same for the processor's clock */
    double seconds, until; /* budget, and the time at which the run must be over; 0: none */
};

/* Fills f->main from f->model. */
int ox_plan_model(ox_frame *f);
/* Fills f->main with those nodes of a part whose calls can be made. */
int ox_plan_part(ox_frame *f, const ox_graph *g, const ox_part *part);
/* The number in plan P of a value that a step makes; OX_NO_CELL. */
uint32_t ox_plan_cell(const ox_frame *f, const ox_plan *p, const ox_value *v);
/* ---- decide.c */
/* Whether a condition of an If is known before any run: 1 true, 0 false, -1 unknown. */
int ox_condition_of(ox_node *n);
/* Inlines the branches of Ifs with known conditions, until none is left; types are inferred anew. -1 after ox_fail. */
int ox_decide_ifs(ox_model *m);

/* A frame without a plan; NULL after ox_fail. */
ox_frame *ox_frame_bare(ox_model *m, const ox_frame_options *o);
/* Fills from[n_order + 1] and cells[plan->n_cells] so that cells[from[k]] up to from[k + 1] are those whose last reader, or maker, stands at
 * position k of the order. What the graph returns is not among them. */
void ox_plan_releases(const ox_plan *p, const uint32_t *order, uint32_t *last, uint32_t *from, uint32_t *cells);

/* ---- slots.c ---- */
/* One step of a run: what run->step points to. */
typedef struct ox_running {
    ox_frame *f;
    ox_ctx *ctx; /* of who runs it */
    ox_plan *plan;
    ox_placement *place;
    uint32_t step, at, lane; /* at: its position in the order */
    size_t n_scratch; /* asked for so far */
} ox_running;
extern const ox_run_memory ox_notes_memory, ox_slot_memory;
/* The placement for the inputs that lie in the plan's cells; a new one without notes when they were not seen before. */
ox_placement *ox_placement_for(ox_frame *f, ox_plan *p);
/* After a step that took notes: what its outputs are that did not come from the hooks. */
void ox_note_outputs(ox_running *now, ox_rt *const *in, ox_rt *const *out);
/* Outputs that lie in planned memory although the plan does not know it get memory of their own. */
int ox_keep_apart(ox_running *now, ox_rt **out);
/* Before planned memory is used again: values of the last run that somebody still holds get memory of their own. */
int ox_let_go(ox_frame *f, ox_plan *p);
/* Sets the slots' memory; the arena grows when it must. */
int ox_placement_use(ox_frame *f, ox_plan *p, ox_placement *m);
void ox_placements_free(ox_frame *f, ox_plan *p);
/* Placements keep their notes, but are to be made anew. False: no memory for values that somebody holds. */
bool ox_placements_forget(ox_frame *f, ox_plan *p);

/* ---- choose.c ---- */
/* ox_run_memory.choose of a run that takes notes, and of a later one. */
int ox_choose_noted(ox_run *r, const ox_candidate *list, int n, void **workspace);
int ox_choose_placed(ox_run *r, const ox_candidate *list, int n, void **workspace);
/* After a step that took notes, while its inputs are there: looks up or measures the times of its candidates. R as it ran. */
int ox_choose_measure(ox_running *now, const ox_run *r);
/* Every step takes the candidate with the least workspace; the best one whose workspace is within the limit and, with ROOM (bytes per step), also
 * within that. -1 after ox_fail() that names the node. */
void ox_choose_least(const ox_plan *p, ox_placement *m);
uint64_t ox_choose_smallest(const ox_choice *c); /* bytes of the least workspace */
int ox_choose_within(const ox_frame *f, const ox_plan *p, ox_placement *m, const uint64_t *room);

/* Steps hear what was taken. */
void ox_choose_tell(const ox_plan *p, const ox_placement *m);

/* ---- place.c ---- */
/* From notes to slots. */
int ox_place(ox_frame *f, ox_plan *p, ox_placement *m);

/* ---- frame.c ---- */
/* Step now->step, or with NOW NULL one that runs once. -1 after ox_fail() in the worker's context, with the node's name. */
int ox_run_step(ox_frame *f, ox_plan *p, ox_worker *w, ox_step *s, ox_running *now);

/* ---- lanes.c ---- */
/* Runs the main graph in m->lanes. False: there are no threads for it, nothing was run. True: *rc is 0, or -1 after ox_fail(). */
bool ox_lanes_run(ox_frame *f, ox_placement *m, int *rc);
void ox_lanes_free(ox_frame *f);

#endif
