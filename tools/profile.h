/* Private to onnx-run profile: what was seen of a run, what its work is, and what the machine could do.
 *
 * run_profile.c      runs and takes notes
 * profile_shapes.c   shapes of calls, as the model has them
 * profile_work.c     operations and bytes of a node
 * roof.c             the machine's limits
 * profile_trace.c    the trace: an event per call
 * profile_tables.c   tables by operator, node and shape; JSON, CSV */
#ifndef OX_PROFILE_H
#define OX_PROFILE_H

#include "tools/run.h"

/* What a call of a node computes and moves. Bytes are those that must be read and written at least; a view moves none. */
typedef struct profile_work {
    double macs, flops;   /* multiply-adds; operations, two for each of them */
    double read, written; /* bytes */
    double activation, parameter, output; /* bytes of the values that are read, of the constants, of what is made */
} profile_work;
/* What the processor computes and its memory gives at most, per second and billions, with the threads that serve. */
typedef struct profile_roof { double gflops, gbps; } profile_roof;
/* Takes 0.3 s at most: a product of matrices, and sums of long arrays. -1 after ox_fail(). */
int profile_measure_roof(ox_ctx *ctx, profile_roof *roof);
/* Seconds that the work takes at least: by the slower of both. *compute_bound: which one that is. */
double profile_least_seconds(const profile_roof *roof, const profile_work *w, bool *compute_bound);

/* A node with the shapes it was called with. */
typedef struct profile_shape {
    const ox_node *node;
    const char *name, *op;           /* op with its domain where it has one */
    int64_t index;                   /* of the node in its graph */
    const int64_t *key;              /* kinds, types and sizes of what goes in and out */
    size_t n_key;
    const char *shapes;              /* of the inputs, for people */
    const char *in_json, *out_json;  /* for the trace */
    profile_work work;
    const ox_node *const *with;      /* nodes that are computed along with it */
    size_t n_with;
    bool layout;                     /* no call of the node: an image is brought into the layout that it, or its reader, takes */
    struct profile_shape *other;     /* of the same node */
} profile_shape;

typedef struct profile_event {
    profile_shape *shape;
    int64_t start, end;              /* nanoseconds since the model was begun to be read */
    double self;                     /* ms, without the calls inside */
    const char *algorithm;           /* NULL: there is no choice */
    uint64_t scratch, arena_offset;  /* UINT64_MAX: not in the arena */
    int depth;
    uint32_t lane;
    int64_t step;                    /* of the main graph; -1 in bodies, and for nodes of constants alone */
} profile_event;

typedef struct profile_run { int64_t start, end; size_t first, n; double between, hook; } profile_run; /* ms: outside of nodes, for taking notes */

typedef struct profile {
    run_args *a;
    const run_session *s;
    ox_arena *arena;
    profile_roof roof;
    profile_event *events;           /* of all runs, one after the other; in a run by start, outer ones first */
    size_t n_events, cap_events;
    profile_run *runs;
    size_t n_runs;
    profile_run once;                /* the first run: nodes that depend on constants alone, which run this once */
    plan_facts plan;
    int64_t opened, ready;           /* as in the session, in nanoseconds */
    /* while it runs */
    ox_map shapes, indices;          /* node -> profile_shape, its index + 1 */
    double *inside;                  /* ms by depth: of calls in the call that runs there */
    size_t n_inside, cap_inside;
    double hook;
} profile;

/* Found, or made. */
profile_shape *profile_shape_for(profile *p, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out);
/* Fills s->work, for values as the model has them. Nodes that are computed along with it add an operation for each element of output 0. */
void profile_count(profile_shape *s, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out);
/* The trace to PATH, not yet committed; NULL after ox_fail(). */
ox_out *profile_trace(const profile *p, const char *path);
void profile_print(const profile *p);
struct json_t *profile_json(const profile *p);
void profile_csv(const profile *p, ox_text *t);

#endif
