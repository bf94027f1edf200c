/* The frame: running graphs, and what goes with it.
 *
 * plan.c, frame.c   plan then run; order and lifetimes are planned, memory comes from the allocator
 * choose.c, tuning.c  algorithms by limits and measured times
 * part.c            a part of a graph that is constant, run a single time; work.c: operations of a node
 * limits.c          what integer inputs of a model may be; inputs.c: inputs from a seed
 * compare.c         values against values; verify.c: models against models
 * npy.c, npz.c      arrays in numpy's files */
#ifndef OX_EXEC_H
#define OX_EXEC_H

#include "op/op.h"

typedef struct ox_frame ox_frame;

/* Plans a model for running. The model must stay unchanged while the frame lives. Functions, and branches of
 * Ifs whose condition is known, are inlined in a copy. -1/NULL with
 * OX_UNAVAILABLE and the names of operators without a kernel. */
ox_frame *ox_frame_new(ox_model *m);
typedef struct ox_frame_options {
    bool plain;    /* every node by its operator's own kernel, one after the other: the definition, for comparison */
    bool integers; /* DequantizeLinear, operator, QuantizeLinear in integers: faster, and rounded otherwise, by one step at most */
    bool defaults; /* inputs with a default have it in every run, like constants */
    int inter_op;  /* independent branches are run at once, in as many lanes at most (OX_LANES); 0, 1: nodes one after the other. The lanes share the threads */
} ox_frame_options;
enum { OX_LANES = 64 };
ox_frame *ox_frame_new_with(ox_model *m, const ox_frame_options *o); /* ox_frame_new(m): none of them */
void ox_frame_free(ox_frame *f);
/* Runs once. in[i] belongs to graph input i (NULL: its initializer); out[i] receives a reference for output i. Budget: ctx->limits.memory. */
int ox_frame_run(ox_frame *f, ox_rt *const *in, ox_rt **out);
/* Whether V may be given as graph input i: type and fixed sizes. -1 after ox_fail() with the input's name and both. */
int ox_check_input(ox_model *m, size_t i, const ox_rt *v);
/* Whether the main graph has steps that could run at once. */
bool ox_frame_branches(const ox_frame *f);
/* How memory of a graph is planned. Bytes. */
typedef struct ox_place_stats {
    uint64_t arena;   /* the arena: values that are computed, outputs included, and scratch memory */
    uint64_t bound;   /* most bytes alive at any step in this order, with what shares memory: no arena can be smaller */
    uint64_t naive;   /* every buffer for itself */
    size_t buffers;
    const char *order, *method; /* how the order of steps and the offsets were found */
    bool proved;      /* no smaller arena exists for this order */
    int lanes;        /* that the steps are run in */
} ox_place_stats;
/* Of the main graph, for the inputs of the last run, which must have succeeded. -1 after ox_fail(). */
int ox_frame_place(ox_frame *f, ox_place_stats *s);
/* One buffer of the plan: a value, with all that lie in the same memory after it, or scratch memory of a node. */
typedef struct ox_place_buffer {
    const ox_node *node;  /* that makes it */
    const char *name;     /* of the first value; "" for scratch memory */
    int64_t first, last;  /* positions in the order of execution */
    uint64_t offset, bytes;
    bool scratch, returned; /* returned: an output of the graph, alive to the end */
} ox_place_buffer;
/* The buffers of the same plan, in the order in which they begin, into arena. */
int ox_frame_buffers(ox_frame *f, ox_arena *arena, ox_place_buffer **list, size_t *n);
/* The nodes in the order of execution: in lanes, of their beginnings as planned. */
int ox_frame_order(ox_frame *f, ox_arena *arena, const ox_node ***list, size_t *n);

/* ---- algorithms: what a step takes where it has several ---- */
/* Measured times of algorithms, as a text file keeps them: tuning.c says how. */
typedef struct ox_tuning ox_tuning;
ox_tuning *ox_tuning_new(ox_ctx *ctx); /* NULL after ox_fail() */
void ox_tuning_free(ox_tuning *t);     /* NULL is allowed; not before the frames that use it */
/* Adds the times of PATH that hold for this processor, instruction set, number of threads and version; none when there is no such file. -1 after
 * ox_fail() with the line. */
int ox_tuning_read(ox_tuning *t, const char *path);
/* Adds the times that were measured since to the end of PATH. */
int ox_tuning_append(ox_tuning *t, const char *path);
typedef enum ox_on_miss { OX_MISS_MEASURE, OX_MISS_HEURISTIC, OX_MISS_ERROR } ox_on_miss;
/* From now on the first run with new shapes looks up the times of each step's algorithms in T and, when a time is not there, does what MISS says;
 * later runs take the fastest. Sums may come in another order then: other last bits. NULL: the first of each kernel's own order. */
void ox_frame_set_tuning(ox_frame *f, ox_tuning *t, ox_on_miss miss);
/* Bytes of the workspace of each step, and of the arena of the main graph with all workspaces; UINT64_MAX: no limit. What is known already is not
 * measured again. A run fails with OX_NO_MEMORY, naming the node, when it cannot be done. */
void ox_frame_set_limits(ox_frame *f, uint64_t workspace, uint64_t memory);
/* The steps of the main graph that have a choice, for the inputs of the last run. */
typedef struct ox_step_choice {
    const ox_node *node;
    const ox_candidate *list;
    const double *seconds; /* per candidate: median; NAN: not measured */
    int n, taken;
} ox_step_choice;
int ox_frame_choices(ox_frame *f, ox_arena *arena, ox_step_choice **list, size_t *n);

/* What ran. */
typedef struct ox_step_info {
    const ox_node *node;
    const ox_node *const *with; /* nodes that were computed along with it */
    size_t n_with;
    const char *algorithm;      /* how, when there is a choice; NULL */
    double start, seconds;      /* by the monotonic clock */
    uint64_t scratch;           /* bytes asked for */
    uint64_t arena_offset;      /* of output 0; UINT64_MAX: not in the arena */
    int depth;                  /* 0: main graph */
    uint32_t lane;
    int64_t position;           /* in the order of its graph; -1: a node of constants alone */
} ox_step_info;
/* Called after each step of the main graph and bodies, for profiles and statistics: the values read and made. One call at a time. May be NULL. */
typedef void (*ox_frame_hook)(void *user, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out);
void ox_frame_set_hook(ox_frame *f, ox_frame_hook hook, void *user);
/* A run that takes longer than this many seconds ends with OX_UNAVAILABLE ("time budget"); 0: no limit. */
void ox_frame_set_deadline(ox_frame *f, double seconds);
/* The same for the processor time of the process, as its clock shows it; 0: no limit. */
void ox_frame_set_processor_deadline(ox_frame *f, double at_seconds);
/* NULL when every operator of the model has a kernel, else the name of the first that has none ("domain::Op"). */
const char *ox_missing_kernel(ox_model *m, ox_arena *arena);

/* ---- a constant part of a graph, run a single time ---- */
typedef struct ox_part {
    ox_node *const *nodes;    /* in the order of the graph. They read constants and each other, and hold no bodies */
    size_t n_nodes;
    ox_value *const *results; /* those of their outputs that are wanted */
    size_t n_results;
    bool *done;               /* per node, filled: false when it failed, or lacks what a failed one should have made */
    void (*keep)(void *user, const ox_value *v, ox_rt *rt); /* told each result, and what nodes read that are not done; takes no reference */
    void *user;
} ox_part;
/* Runs it by the operators' own kernels, whose bits are the definition. Values go after their last reader. A node that fails is no
 * failure of the part: -1 only when memory ran out. */
int ox_run_part(ox_graph *g, const ox_part *part);

/* ---- how much work a node is ---- */
typedef struct ox_sizes { int rank; const int64_t *dims; } ox_sizes; /* rank -1: no tensor, absent */
/* Multiply-adds, and all operations with two for each of them. */
void ox_count_work(const ox_node *n, const ox_sizes *in, int n_in, const ox_sizes *out, int n_out, double *macs, double *flops);
typedef struct ox_work {
    double macs, flops;   /* multiply-adds; operations, two for each of them */
    double read, written; /* bytes; none for a view */
} ox_work;
/* Of a call, from what went in and came out. */
void ox_count_call(const ox_node *n, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out, ox_work *w);
double ox_rt_bytes(const ox_rt *v); /* with all elements; NULL: 0 */

/* ---- inputs made from a seed ---- */
typedef struct ox_dim_binding { ox_sym name; int64_t value; } ox_dim_binding;
typedef struct ox_inputs_options {
    uint64_t seed;
    int sample;                        /* 0, 1, 2...: each draws other values and, for unbound symbols, other sizes */
    const ox_dim_binding *dims;
    size_t n_dims;
    bool only_missing;                 /* in[i] that are there already stay */
} ox_inputs_options;
enum { OX_INPUT_SIZES = 9 };          /* samples s and s + OX_INPUT_SIZES have the same sizes */
/* Values for every input of the main graph that has no initializer (others stay NULL) : floats with negatives, integers that fit where
 * they index (limits are found by looking at what the input feeds), masks of ones; equal names of dims get equal sizes. in has n_inputs entries. */
int ox_make_inputs(ox_model *m, const ox_inputs_options *o, ox_rt **in);

/* ---- comparing ---- */
typedef struct ox_tolerance { double rtol, atol; bool atol_of_magnitude; /* atol is a part of the largest |want| of the tensor */ } ox_tolerance;
typedef struct ox_difference {
    bool same;
    double max_abs, max_rel;  /* worst |got-want|, and as a part of the tensor's magnitude */
    double sqnr;              /* dB; HUGE_VAL when equal */
    char text[512];           /* what differs first: structure, shape, type, or index with both values; "" when same */
} ox_difference;
/* |got - want| <= atol + rtol * |want|; NaN equals NaN, inf equals the same inf, integers, bools and strings exactly. */
void ox_compare(const ox_rt *want, const ox_rt *got, const ox_tolerance *tol, ox_difference *d);

/* ---- two models on the same inputs ---- */
typedef struct ox_verify_options {
    int samples;
    uint64_t seed;
    ox_tolerance tol;
    bool widen;               /* outputs that went through float16 or bfloat16 may be off by 8 steps of it (2^-10, 2^-7) */
    double seconds;           /* time budget, 0: none */
    double processor_seconds; /* of all threads together, 0: no limit */
    uint64_t memory;          /* bytes of payloads besides those alive, 0: limits.memory alone */
    const ox_dim_binding *dims;
    size_t n_dims;
} ox_verify_options;
typedef enum ox_verdict { OX_V_SAME, OX_V_DIFFERENT, OX_V_UNKNOWN } ox_verdict;
typedef struct ox_verify_result {
    ox_verdict verdict;
    int samples_run;
    ox_difference worst;
    ox_sym output;            /* of the worst difference */
    char why[512];            /* UNKNOWN: the operator that cannot be run, a budget ...; DIFFERENT: as a sentence */
} ox_verify_result;
/* Inputs are matched by name. Samples on which the reference itself fails to run are replaced by others (bounded) and said so. */
int ox_verify_models(ox_model *want, ox_model *got, const ox_verify_options *o, ox_verify_result *r);

/* ---- arrays in .npy and .npz files ----
 * Errors are OX_BAD_DATA and name the archive and the array. Objects (pickles) are refused. Strings become string
 * tensors; bfloat16 is numpy's V2; types that numpy lacks are written as the integers that hold them, 4 and 2 bits as
 * int8 or uint8. */
ox_tensor *ox_npy_read(ox_ctx *ctx, const char *path);
int ox_npy_write(ox_ctx *ctx, const char *path, const ox_tensor *t);
typedef struct ox_npz ox_npz;
ox_npz *ox_npz_open(ox_ctx *ctx, const char *path); /* names are checked here, contents when read */
void ox_npz_close(ox_npz *z);                       /* NULL is allowed */
size_t ox_npz_count(const ox_npz *z);
const char *ox_npz_name(const ox_npz *z, size_t i); /* without ".npy" */
ox_tensor *ox_npz_read(ox_npz *z, size_t i);
ox_tensor *ox_npz_find(ox_npz *z, const char *name); /* NULL after ox_fail when not there */
typedef struct ox_array { const char *name; const ox_tensor *t; } ox_array;
/* Stored, in the order given, dates of 1980: the same arrays give the same bytes. */
int ox_npz_write(ox_ctx *ctx, const char *path, const ox_array *arrays, size_t n);

#endif
