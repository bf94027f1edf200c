/* What the sweep asks of the object loaded into a program, and what came of it: one page shared between the two. */
#ifndef FAULT_PLAN_H
#define FAULT_PLAN_H

#include <stdbool.h>

/* Classes of calls that count. MOVE: those that transfer bytes, the only ones that can be interrupted or do less. */
enum { PLAN_MEMORY = 1, PLAN_OPEN = 2, PLAN_READ = 4, PLAN_WRITE = 8, PLAN_MOVE = 16 };
enum plan_what { PLAN_FAIL, PLAN_SHORT, PLAN_INTERRUPT, PLAN_SIGNAL_BEFORE, PLAN_SIGNAL_AFTER };

typedef struct plan {
    int calls;           /* which calls count: a set of the above */
    enum plan_what what; /* SHORT and INTERRUPT happen to every call that counts, the others to the at-th */
    int number;          /* errno of the failure, or the signal */
    bool from_then_on;   /* the calls after the at-th too */
    long at;             /* from 1 */
    /* what came of it */
    long count, done;    /* calls that counted; those to which it happened */
    char call[24];       /* the last of these */
    bool harmless;       /* none of these but calls whose failure takes nothing from the result */
} plan;

#endif
