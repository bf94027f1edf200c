/* Greedy placements: in some order, every buffer goes to the lowest gap that takes it, or to the tightest one, between those that are placed and
 * live together with it. Many orders are tried, since none is always good and each takes little.
 *
 * What is placed and live at the same time is found in one of two ways, whichever is shorter: in a tree over the items, which stand sorted by
 * their first section, of the last section of placed ones; or in the list of all that are placed by offset, where a lowest gap ends the search. */
#include "exec/pack_parts.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED_MAX = 1 << 18 }; /* items: keeping a longer list sorted takes longer than it saves */

typedef struct block { /* of bytes taken */
    uint64_t offset, end;
} block;

typedef struct greedy {
    const ox_pack_item *items;
    size_t n, leaves;
    int32_t *latest;    /* tree: the greatest last section of placed items below; leaves at [leaves, leaves + n) */
    uint32_t *listed;   /* placed items by offset; NULL: not kept */
    size_t n_listed;
    block *blocks;      /* those in the way of the item that is placed */
    size_t n_blocks;
    uint64_t *offset;   /* of placed items */
    int64_t work, work_max;
} greedy;

/* ---- what is in the way ---- */

/* Items below node NODE of the tree, which holds items [from, from + width), that are live in some of the sections [first, last). */
static void collect(greedy *g, size_t node, size_t from, size_t width, int32_t first, int32_t last) {
    g->work++;
    if (g->latest[node] <= first || g->items[from].first >= last) return;
    if (width > 1) {
        collect(g, 2 * node, from, width / 2, first, last);
        if (from + width / 2 < g->n) collect(g, 2 * node + 1, from + width / 2, width / 2, first, last);
        return;
    }
    g->blocks[g->n_blocks++] = (block){g->offset[from], g->offset[from] + g->items[from].size};
    g->work += 4; /* for sorting it */
}

static int by_offset(const void *a, const void *b) {
    const block *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void mark_placed(greedy *g, size_t i, uint64_t offset) {
    g->offset[i] = offset;
    for (size_t node = g->leaves + i; node; node /= 2) {
        if (g->latest[node] >= g->items[i].last) break;
        g->latest[node] = g->items[i].last;
    }
    if (!g->listed) return;
    size_t low = 0, high = g->n_listed;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (g->offset[g->listed[mid]] <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    memmove(g->listed + low + 1, g->listed + low, (g->n_listed - low) * sizeof *g->listed);
    g->listed[low] = (uint32_t)i;
    g->n_listed++;
    g->work += (int64_t)(g->n_listed - low) / 16;
}

/* ---- gaps ---- */

/* The place so far, while blocks come in the order of their offsets. */
typedef struct gap {
    uint64_t size, align, floor; /* floor: first byte above all blocks so far */
    uint64_t best, room;         /* room: of the gap at BEST; UINT64_MAX: none */
    bool tight;
} gap;

/* True: the place is found. */
static bool next_block(gap *q, uint64_t offset, uint64_t end) {
    uint64_t at = ox_pack_align(q->floor, q->align);
    if (offset > at && offset - at >= q->size && offset - q->floor < q->room) {
        q->best = at;
        q->room = offset - q->floor;
        if (!q->tight) return true;
    }
    if (end > q->floor) q->floor = end;
    return false;
}

static uint64_t find_place(greedy *g, const ox_pack_item *x, bool tight, uint64_t expected) {
    gap q = {.size = x->size, .align = x->align, .room = UINT64_MAX, .tight = tight};
    if (g->listed && g->n_listed <= 8 * expected) {
        for (size_t k = 0; k < g->n_listed; k++) {
            uint32_t j = g->listed[k];
            const ox_pack_item *y = &g->items[j];
            g->work++;
            if (y->first < x->last && x->first < y->last && next_block(&q, g->offset[j], g->offset[j] + y->size)) return q.best;
        }
    } else {
        g->n_blocks = 0;
        collect(g, 1, 0, g->leaves, x->first, x->last);
        qsort(g->blocks, g->n_blocks, sizeof *g->blocks, by_offset);
        for (size_t k = 0; k < g->n_blocks; k++)
            if (next_block(&q, g->blocks[k].offset, g->blocks[k].end)) return q.best;
    }
    return q.room != UINT64_MAX ? q.best : ox_pack_align(q.floor, q.align);
}

/* Bytes that the order needs; UINT64_MAX when that is not below LIMIT or takes too much work. MET: how many others each item is live together with. */
static uint64_t place_all(greedy *g, const uint32_t *order, const uint32_t *met, bool tight, uint64_t limit) {
    uint64_t top = 0;
    memset(g->latest, 0, 2 * g->leaves * sizeof *g->latest);
    g->n_listed = 0;
    for (size_t k = 0; k < g->n; k++) {
        const ox_pack_item *x = &g->items[order[k]];
        uint64_t at = find_place(g, x, tight, met[order[k]]), end = at + x->size;
        if (end >= limit || g->work > g->work_max) return UINT64_MAX;
        mark_placed(g, order[k], at);
        if (end > top) top = end;
    }
    return top;
}

/* ---- orders ---- */

typedef struct sorted {
    double key, second;
    uint32_t item;
} sorted;

static int by_keys(const void *a, const void *b) {
    const sorted *x = a, *y = b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    if (x->second != y->second) return x->second > y->second ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* How many other items each is live together with: those that begin before it ends, but those that end before it begins. */
static uint32_t *count_met(ox_arena *arena, const ox_pack_part *p) {
    uint32_t *begun = OX_NEW_N(arena, uint32_t, (size_t)p->sections + 1), *ended = OX_NEW_N(arena, uint32_t, (size_t)p->sections + 1);
    uint32_t *met = OX_NEW_N(arena, uint32_t, p->n);
    for (size_t i = 0; i < p->n; i++) {
        begun[p->items[i].first + 1]++; /* [k]: before section k */
        ended[p->items[i].last]++;      /* [k]: at the beginning of section k or before */
    }
    for (int32_t k = 0; k < p->sections; k++) {
        begun[k + 1] += begun[k];
        ended[k + 1] += ended[k];
    }
    for (size_t i = 0; i < p->n; i++) met[i] = begun[p->items[i].last] - ended[p->items[i].first] - 1;
    return met;
}

typedef enum measure { SIZE, AREA, LIFETIME, CONFLICTS, LOAD, BEGIN, END, MEASURES } measure;
static const struct {
    const char *name, *tight_name;
    measure key, second;
} ways[] = {
    {"greedy by size", "greedy by size, tightest fit", SIZE, LIFETIME},
    {"greedy by area", "greedy by area, tightest fit", AREA, SIZE},
    {"greedy by lifetime", "greedy by lifetime, tightest fit", LIFETIME, SIZE},
    {"greedy by conflicts", "greedy by conflicts, tightest fit", CONFLICTS, SIZE},
    {"greedy by load", "greedy by load, tightest fit", LOAD, SIZE},
    {"greedy by load and area", "greedy by load and area, tightest fit", LOAD, AREA},
    {"greedy by time", "greedy by time, tightest fit", BEGIN, SIZE},
    {"greedy by time, last first", "greedy by time, last first, tightest fit", END, SIZE},
};

/* The greatest load of the sections in which each item is live; a table of maxima over runs of 2^k sections would do it faster than
 * walking for long ones, but walking is never more than what placing costs. */
static double *loads_met(ox_arena *arena, const ox_pack_part *p) {
    size_t levels = 1, n = (size_t)p->sections;
    while ((n >> levels) > 0) levels++;
    uint64_t **most = OX_NEW_N(arena, uint64_t *, levels); /* most[k][i]: of sections [i, i + 2^k) */
    most[0] = p->load;
    for (size_t k = 1; k < levels; k++) {
        size_t half = (size_t)1 << (k - 1);
        most[k] = OX_NEW_N(arena, uint64_t, n);
        for (size_t i = 0; i + 2 * half <= n; i++) most[k][i] = most[k - 1][i] > most[k - 1][i + half] ? most[k - 1][i] : most[k - 1][i + half];
    }
    double *met = OX_NEW_N(arena, double, p->n);
    for (size_t i = 0; i < p->n; i++) {
        size_t from = (size_t)p->items[i].first, to = (size_t)p->items[i].last, k = 0;
        while (((size_t)2 << k) <= to - from) k++;
        uint64_t a = most[k][from], b = most[k][to - ((size_t)1 << k)];
        met[i] = (double)(a > b ? a : b);
    }
    return met;
}

static double measured(const ox_pack_item *x, measure m, const uint32_t *met, const double *load, size_t i) {
    double wide = (double)(x->last - x->first), size = (double)x->size;
    switch (m) {
    case SIZE: return size;
    case AREA: return wide * size;
    case LIFETIME: return wide;
    case CONFLICTS: return (double)met[i];
    case LOAD: return load[i];
    case BEGIN: return -(double)x->first;
    case END: return (double)x->last;
    case MEASURES: break;
    }
    return 0;
}

int ox_pack_greedy(ox_ctx *ctx, ox_arena *arena, ox_pack_part *p, uint64_t goal, int64_t *work) {
    greedy g = {.items = p->items, .n = p->n, .leaves = 1};
    while (g.leaves < p->n) g.leaves *= 2;
    g.latest = OX_NEW_N(arena, int32_t, 2 * g.leaves);
    g.blocks = OX_NEW_N(arena, block, p->n);
    g.offset = OX_NEW_N(arena, uint64_t, p->n);
    if (p->n <= LISTED_MAX) g.listed = OX_NEW_N(arena, uint32_t, p->n + 1);
    sorted *list = OX_NEW_N(arena, sorted, p->n);
    uint32_t *order = OX_NEW_N(arena, uint32_t, p->n), *met = count_met(arena, p);
    double *load = loads_met(arena, p);
    p->bytes = UINT64_MAX;
    for (size_t way = 0; way < sizeof ways / sizeof ways[0] && p->bytes > goal; way++) {
        for (size_t i = 0; i < p->n; i++)
            list[i] = (sorted){measured(&p->items[i], ways[way].key, met, load, i), measured(&p->items[i], ways[way].second, met, load, i), (uint32_t)i};
        qsort(list, p->n, sizeof *list, by_keys);
        for (size_t i = 0; i < p->n; i++) order[i] = list[i].item;
        for (int tight = 0; tight < 2 && p->bytes > goal && (p->bytes == UINT64_MAX || *work > 0); tight++) {
            uint64_t limit = p->bytes == UINT64_MAX ? ((uint64_t)1 << OX_PACK_LOG2_MAX) + 1 : p->bytes;
            g.work = (int64_t)p->n;
            g.work_max = p->bytes == UINT64_MAX ? INT64_MAX : *work;
            uint64_t bytes = place_all(&g, order, met, tight, limit);
            *work -= g.work;
            if (bytes == UINT64_MAX) continue;
            p->bytes = bytes;
            p->method = tight ? ways[way].tight_name : ways[way].name;
            for (size_t i = 0; i < p->n; i++) p->items[i].offset = g.offset[i];
        }
    }
    return p->bytes == UINT64_MAX ? ox_fail(ctx, OX_NO_MEMORY, "packing %zu buffers takes more than 2^%d bytes", p->n, OX_PACK_LOG2_MAX) : 0;
}
