/* Between pack.c, which knows the order of things, and its methods: pack_greedy.c, pack_search.c. Private to lib/exec.
 *
 * Time is counted in sections here: the sets of buffers that are live together and not part of a larger such set. In this order they are
 * as good as steps, and fewer. */
#ifndef OX_PACK_PARTS_H
#define OX_PACK_PARTS_H

#include "exec/pack.h"

typedef struct ox_pack_item {
    int32_t first, last; /* sections [first, last) */
    uint32_t span;       /* index of the caller's buffer */
    uint64_t size, align;
    uint64_t offset;     /* the best known place */
} ox_pack_item;

/* Buffers that have nothing to do with others: no step is before some and after others of them without one being live. */
typedef struct ox_pack_part {
    ox_pack_item *items; /* sorted by first, then by last */
    size_t n;
    int32_t sections;
    uint64_t *load;      /* per section: bytes live */
    uint64_t bound;      /* the largest load */
    uint64_t bytes;      /* by the offsets of the items */
    const char *method;
} ox_pack_part;

/* Tries orders until the part fits into GOAL, or *WORK is used up: but the first is always carried out. Leaves the best in the items.
 * -1 after ox_fail(): even that needs too many bytes. */
int ox_pack_greedy(ox_ctx *ctx, ox_arena *arena, ox_pack_part *p, uint64_t goal, int64_t *work);

/* Looks for places within GOAL bytes, else within as few as it can find in *NODES, which it lowers. True when it knows that fewer than
 * p->bytes are not possible. */
bool ox_pack_search(ox_arena *arena, ox_pack_part *p, uint64_t goal, int64_t *nodes);

static inline uint64_t ox_pack_align(uint64_t x, uint64_t align) { return (x + align - 1) & ~(align - 1); }

#endif
