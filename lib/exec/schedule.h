/* Independent steps at once: which lane runs which step, and what it waits for. Private to lib/exec.
 *
 * A list schedule puts the steps into lanes by what they cost. Costs are guesses from sizes, so that a model gets the same lanes everywhere; they say where
 * memory may be used again and what is worth a lane, and nothing depends on their being right: whatever must not overlap waits.
 *
 * The line: steps in the order in which the schedule begins them. A step takes the positions from its own to the last one that begins before it ends.
 * Buffers that take no position together may share bytes. */
#ifndef OX_SCHEDULE_H
#define OX_SCHEDULE_H

#include "exec/plan.h"

typedef struct ox_schedule {
    size_t n;
    uint32_t lanes;
    uint32_t *order;  /* of the line */
    uint32_t *until;  /* per step: the last position that it takes */
    uint32_t *lane;   /* per step */
    uint32_t *before; /* per step: how many steps its lane does before */
    uint32_t *need;   /* per step and lane: how many steps of that lane must be done before it begins */
} ox_schedule;

/* Nanoseconds of one thread, roughly. */
uint64_t ox_step_cost(const ox_step *s, ox_rt *const *in, ox_rt *const *out);
/* Whether the steps may change places: effects and random numbers come in the file's order. */
bool ox_may_reorder(const ox_plan *p);
/* NULL: one lane does as well. LANES: at most, 2 or more. */
ox_schedule *ox_schedule_steps(ox_arena *a, const ox_plan *p, const ox_notes *notes, uint32_t lanes);
void ox_schedule_after(ox_schedule *s, uint32_t later, uint32_t earlier);

/* A buffer with its place, and who touches it: who makes, reads or writes over a value in it. */
typedef struct ox_touch { struct ox_touch *next; uint32_t step; } ox_touch;
typedef struct ox_placed_bytes { uint64_t offset, bytes; uint32_t maker; const ox_touch *touches; } ox_placed_bytes;
/* Makers wait for those who touched what lay in their bytes before. The list is in the order of the line. */
void ox_schedule_memory(ox_schedule *s, ox_arena *a, const ox_placed_bytes *list, size_t n);
/* For running, into KEEP. */
ox_lanes_plan *ox_schedule_lanes(const ox_schedule *s, ox_arena *keep, ox_arena *a, const ox_plan *p);

#endif
