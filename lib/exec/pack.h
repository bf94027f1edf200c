/* Packing: buffers that are live during intervals of steps get their places in one arena, such that no two that are live at the same
 * step share bytes, and the arena is small. Knows no graphs: intervals and sizes come in, offsets go out.
 *
 * First come greedy placements, then, where none of them reaches the bound, a search. Both are limited by counts, never by time: the same
 * buffers get the same places on every machine. */
#ifndef OX_PACK_H
#define OX_PACK_H

#include "base/base.h"

typedef struct ox_buffer_span {
    int64_t lower, upper; /* live during steps [lower, upper); upper = lower: never */
    uint64_t size;        /* 0: takes no place, its offset is 0 */
    uint64_t align;       /* a power of 2, at least 1; of the offset: the arena is aligned as its callers need */
    uint64_t offset;      /* result */
} ox_buffer_span;

enum {
    OX_PACK_NODES = 2000000,    /* of the search, by default: seconds */
    OX_PACK_NODES_PLAN = 10000, /* when a graph is planned: some 50 ms at most */
    OX_PACK_LOG2_MAX = 62       /* sizes, alignments and the arena are at most 2^62 */
};

typedef struct ox_pack_options {
    uint64_t capacity; /* an arena that is small enough: nothing smaller is looked for; 0: the bound */
    int64_t nodes;     /* limit of the search; 0: OX_PACK_NODES, below 0: no search. A node of many buffers counts as several */
} ox_pack_options;

typedef struct ox_pack_result {
    uint64_t bytes;     /* of the arena */
    uint64_t bound;     /* most bytes alive at any step: no arena can be smaller */
    const char *method; /* "none" (nothing to place), "greedy by size", ..., "search" */
    bool proved;        /* bytes is the least possible */
    int64_t nodes;      /* of the search */
} ox_pack_result;

/* Sets the offsets; OPTIONS may be NULL, ARENA holds what is needed meanwhile. -1 after ox_fail(): a buffer is not as said above, or more
 * than 2^62 bytes are needed. */
int ox_pack(ox_ctx *ctx, ox_arena *arena, ox_buffer_span *spans, size_t n, const ox_pack_options *options, ox_pack_result *r);
/* Whether the offsets are right: aligned, inside of BYTES, and no two buffers that are live at one step share bytes. -1 after
 * ox_fail(OX_BUG) naming the buffers by their indices. Takes n log n + pairs that are both live. */
int ox_pack_check(ox_ctx *ctx, ox_arena *arena, const ox_buffer_span *spans, size_t n, uint64_t bytes);

#endif
