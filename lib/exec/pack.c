/* The order of packing: buffers are cut into parts that have nothing to do with each other, the part with the highest load says what is to
 * be reached, and every part gets greedy placements and, above that, a search. And the check of what comes out. */
#include "exec/pack.h"
#include "exec/pack_parts.h"

#include <stdlib.h>
#include <string.h>

enum { GREEDY_WORK = 1 << 25 }; /* steps of a few cycles, for all parts together */

/* ---- buffers to parts ---- */

static int by_lower(const void *a, const void *b) {
    const ox_buffer_span *const *x = a, *const *y = b;
    if ((*x)->lower != (*y)->lower) return (*x)->lower < (*y)->lower ? -1 : 1;
    if ((*x)->upper != (*y)->upper) return (*x)->upper < (*y)->upper ? -1 : 1;
    if ((*x)->size != (*y)->size) return (*x)->size > (*y)->size ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

static int by_upper(const void *a, const void *b) {
    const ox_buffer_span *const *x = a, *const *y = b;
    if ((*x)->upper != (*y)->upper) return (*x)->upper < (*y)->upper ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

static bool takes_place(const ox_buffer_span *s) { return s->size && s->upper > s->lower; }

static int check_spans(ox_ctx *ctx, ox_buffer_span *spans, size_t n) {
    const uint64_t most = (uint64_t)1 << OX_PACK_LOG2_MAX;
    if (n > INT32_MAX / 4) return ox_fail(ctx, OX_NO_MEMORY, "%zu buffers are too many to pack", n);
    for (size_t i = 0; i < n; i++) {
        ox_buffer_span *s = &spans[i];
        if (s->upper < s->lower) return ox_fail(ctx, OX_BAD_DATA, "buffer %zu ends at step %lld, before it begins at %lld", i, (long long)s->upper, (long long)s->lower);
        if (s->size > most) return ox_fail(ctx, OX_BAD_DATA, "buffer %zu has %llu bytes, more than 2^%d", i, (unsigned long long)s->size, OX_PACK_LOG2_MAX);
        if (!s->align || s->align & (s->align - 1) || s->align > most)
            return ox_fail(ctx, OX_BAD_DATA, "buffer %zu has alignment %llu, which is no power of 2", i, (unsigned long long)s->align);
        s->offset = 0;
    }
    return 0;
}

/* Those that take place, sorted. */
static const ox_buffer_span **sorted_spans(ox_arena *arena, const ox_buffer_span *spans, size_t n, size_t *count, int (*by)(const void *, const void *)) {
    const ox_buffer_span **list = OX_NEW_N(arena, const ox_buffer_span *, n + 1);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (takes_place(&spans[i])) list[(*count)++] = &spans[i];
    qsort(list, *count, sizeof *list, by);
    return list;
}

/* Sections of the items of a part: a new one begins where something begins after something has ended. ENDS: the same buffers by their ends. */
static void count_sections(ox_pack_part *p, const ox_buffer_span **begins, const ox_buffer_span **ends, ox_pack_item **item_of, const ox_buffer_span *spans) {
    size_t ended = 0;
    int32_t section = 0;
    bool fresh = false;
    for (size_t i = 0; i < p->n; i++) {
        for (; ends[ended]->upper <= begins[i]->lower; ended++, fresh = true) item_of[ends[ended] - spans]->last = section + 1;
        section += fresh;
        fresh = false;
        p->items[i].first = section;
    }
    for (; ended < p->n; ended++) item_of[ends[ended] - spans]->last = section + 1;
    p->sections = section + 1;
}

static int by_sections(const void *a, const void *b) {
    const ox_pack_item *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    if (x->last != y->last) return x->last < y->last ? -1 : 1;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return (x->span > y->span) - (x->span < y->span);
}

/* Load of every section; false: above 2^62. */
static bool find_loads(ox_arena *arena, ox_pack_part *p) {
    const uint64_t most = (uint64_t)1 << OX_PACK_LOG2_MAX;
    uint64_t *begun = p->load = OX_NEW_N(arena, uint64_t, (size_t)p->sections + 1), *ended = OX_NEW_N(arena, uint64_t, (size_t)p->sections + 1);
    size_t at = 0;
    uint64_t alive = 0;
    for (size_t i = 0; i < p->n; i++) ended[p->items[i].last] += p->items[i].size; /* wraps only when the load is too high, which is seen first */
    for (int32_t k = 0; k < p->sections; k++) {
        alive -= ended[k];
        for (; at < p->n && p->items[at].first == k; at++)
            if ((alive += p->items[at].size) > most) return false;
        begun[k] = alive;
        if (alive > p->bound) p->bound = alive;
    }
    return true;
}

/* Cuts the buffers into parts. -1 after ox_fail(). */
static int make_parts(ox_ctx *ctx, ox_arena *arena, const ox_buffer_span *spans, size_t n, ox_pack_part **parts, size_t *n_parts) {
    size_t count, capacity = 0;
    const ox_buffer_span **begins = sorted_spans(arena, spans, n, &count, by_lower), **ends = sorted_spans(arena, spans, n, &count, by_upper);
    ox_pack_item *items = OX_NEW_N(arena, ox_pack_item, count + 1), **item_of = OX_NEW_N(arena, ox_pack_item *, n + 1);
    *parts = NULL;
    *n_parts = 0;
    for (size_t from = 0, to; from < count; from = to) {
        int64_t until = begins[from]->upper;
        for (to = from; to < count && (to == from || begins[to]->lower < until); to++) {
            if (begins[to]->upper > until) until = begins[to]->upper;
            const ox_buffer_span *s = begins[to];
            items[to] = (ox_pack_item){.span = (uint32_t)(s - spans), .size = s->size, .align = s->align};
            item_of[s - spans] = &items[to];
        }
        ox_pack_part p = {.items = items + from, .n = to - from};
        count_sections(&p, begins + from, ends + from, item_of, spans); /* all that end by UNTIL are of this part or earlier ones */
        qsort(p.items, p.n, sizeof *p.items, by_sections);
        if (!find_loads(arena, &p)) return ox_fail(ctx, OX_NO_MEMORY, "more than 2^%d bytes are alive at once", OX_PACK_LOG2_MAX);
        OX_PUSH(arena, *parts, *n_parts, capacity, p);
    }
    return 0;
}

/* ---- packing ---- */

static int by_bytes(const void *a, const void *b) {
    const ox_pack_part *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return (x->items > y->items) - (x->items < y->items);
}

/* Searches better places for parts above the goal, the highest first: what it needs in the end, the others may take too. */
static void search_parts(ox_arena *arena, ox_pack_part *parts, size_t n, uint64_t goal, int64_t nodes, ox_pack_result *r) {
    int64_t left = nodes, above = 0;
    if (n) qsort(parts, n, sizeof *parts, by_bytes);
    for (size_t i = 0; i < n; i++) above += parts[i].bytes > goal;
    for (size_t i = 0; i < n && parts[i].bytes > goal && left > 0; i++, above--) {
        int64_t share = left / above, unused = share; /* what one leaves is for those that follow */
        bool least = ox_pack_search(arena, &parts[i], goal, &unused);
        left -= share - unused;
        if (parts[i].bytes > goal) {
            goal = parts[i].bytes;
            r->proved = least;
        }
    }
    r->nodes = nodes - (left > 0 ? left : 0);
}

int ox_pack(ox_ctx *ctx, ox_arena *arena, ox_buffer_span *spans, size_t n, const ox_pack_options *options, ox_pack_result *r) {
    ox_pack_options o = options ? *options : (ox_pack_options){0};
    ox_pack_part *parts;
    size_t n_parts;
    int64_t work = GREEDY_WORK;
    *r = (ox_pack_result){.method = "none"};
    if (check_spans(ctx, spans, n) < 0 || make_parts(ctx, arena, spans, n, &parts, &n_parts) < 0) return -1;
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i].bound > r->bound) r->bound = parts[i].bound;
    uint64_t goal = o.capacity > r->bound ? o.capacity : r->bound;
    for (size_t i = 0; i < n_parts; i++)
        if (ox_pack_greedy(ctx, arena, &parts[i], goal, &work) < 0) return -1;
    if (o.nodes >= 0) search_parts(arena, parts, n_parts, goal, o.nodes ? o.nodes : OX_PACK_NODES, r);
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].bytes > r->bytes) {
            r->bytes = parts[i].bytes;
            r->method = parts[i].method;
        }
        for (size_t k = 0; k < parts[i].n; k++) spans[parts[i].items[k].span].offset = parts[i].items[k].offset;
    }
    r->proved = r->proved || r->bytes == r->bound;
    return 0;
}

/* ---- the check ---- */

/* What is alive, by offset. As long as nothing collides the ends are in this order too, so a new one is compared with its neighbours only. */
typedef struct alive {
    const ox_buffer_span *spans;
    uint32_t *list;
    size_t n;
} alive;

/* How many of the list begin before OFFSET. */
static size_t alive_below(const alive *a, uint64_t offset) {
    size_t low = 0, high = a->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (a->spans[a->list[mid]].offset < offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int collide(ox_ctx *ctx, const alive *a, uint32_t i, uint32_t j) {
    const ox_buffer_span *x = &a->spans[i], *y = &a->spans[j];
    return ox_fail(ctx, OX_BUG, "buffers %u and %u are both live at step %lld and share bytes from %llu on", i < j ? i : j, i < j ? j : i,
                   (long long)(x->lower > y->lower ? x->lower : y->lower), (unsigned long long)(x->offset > y->offset ? x->offset : y->offset));
}

static int come_alive(ox_ctx *ctx, alive *a, uint32_t i) {
    const ox_buffer_span *s = &a->spans[i];
    size_t at = alive_below(a, s->offset);
    if (at && a->spans[a->list[at - 1]].offset + a->spans[a->list[at - 1]].size > s->offset) return collide(ctx, a, a->list[at - 1], i);
    if (at < a->n && s->offset + s->size > a->spans[a->list[at]].offset) return collide(ctx, a, a->list[at], i);
    memmove(a->list + at + 1, a->list + at, (a->n - at) * sizeof *a->list);
    a->list[at] = i;
    a->n++;
    return 0;
}

static void die(alive *a, uint32_t i) {
    size_t at = alive_below(a, a->spans[i].offset);
    memmove(a->list + at, a->list + at + 1, (a->n - at - 1) * sizeof *a->list);
    a->n--;
}

static int check_span(ox_ctx *ctx, const ox_buffer_span *s, size_t i, uint64_t bytes) {
    uint64_t end;
    if (!s->align || s->offset % s->align)
        return ox_fail(ctx, OX_BUG, "buffer %zu: offset %llu is not aligned to %llu", i, (unsigned long long)s->offset, (unsigned long long)s->align);
    if (__builtin_add_overflow(s->offset, s->size, &end) || end > bytes)
        return ox_fail(ctx, OX_BUG, "buffer %zu: %llu bytes at offset %llu lie outside of the arena's %llu", i, (unsigned long long)s->size,
                       (unsigned long long)s->offset, (unsigned long long)bytes);
    return 0;
}

int ox_pack_check(ox_ctx *ctx, ox_arena *arena, const ox_buffer_span *spans, size_t n, uint64_t bytes) {
    size_t count, ended = 0;
    for (size_t i = 0; i < n; i++)
        if (takes_place(&spans[i]) && check_span(ctx, &spans[i], i, bytes) < 0) return -1;
    const ox_buffer_span **begins = sorted_spans(arena, spans, n, &count, by_lower), **ends = sorted_spans(arena, spans, n, &count, by_upper);
    alive a = {.spans = spans, .list = OX_NEW_N(arena, uint32_t, count + 1)};
    for (size_t k = 0; k < count; k++) {
        for (; ends[ended]->upper <= begins[k]->lower; ended++) die(&a, (uint32_t)(ends[ended] - spans));
        if (come_alive(ctx, &a, (uint32_t)(begins[k] - spans)) < 0) return -1;
    }
    return 0;
}
