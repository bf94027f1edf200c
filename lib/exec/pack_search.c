/* The search: places within a capacity are looked for depth first, in the way of MiniMalloc (Moffitt, ASPLOS 2023), from its published ideas.
 *
 * Any placement can be pushed down until every buffer rests on the floor or on another one, so only those are looked at, and in the order
 * of their offsets: the next buffer rests on what is there. At every node the lowest buffer that could be next either is, or is not; then
 * it will rest on a buffer still to come, so it lies above the lowest end of these ("skipped"). A node is given up when
 *   - in a section the lowest place that is possible plus the bytes still to come exceed the capacity;
 *   - the next buffer would leave room below it in which another one fits: that one could have been the next;
 *   - what can be next is equal to a buffer that was tried at this node.
 * What remains is cut where no remaining buffer crosses, and the pieces are searched on their own.
 *
 * What is tried first matters much, and no order is always good. So the search is given up early and begun again with another order: some
 * fixed ones first, then those that begin with what is live where most attempts have failed, slightly disturbed. Offsets are counted in
 * units, the common divisor of the sizes, as 32-bit numbers: loops over sections become vector code. */
#include "exec/pack_parts.h"

#include <stdlib.h>
#include <string.h>

enum { UNITS_MAX = 1 << 30, ITEMS_MAX = 20000, PAIRS_MAX = 1 << 23, SHORT_TURN = 4 /* nodes per item */, WORK_PER_NODE = 4096, NOISE = 60, FAILURE = 16, NONE = INT32_MAX };

/* Which measures of an item count, most important first; the larger is tried first. */
static const char *const fixed_orders[] = {"WAT", "TAW", "TWA", "SWT", "AWT"}, *const learned_orders[] = {"FAW", "MWA", "DAW"};
enum { N_FIXED = sizeof fixed_orders / sizeof fixed_orders[0], N_LEARNED = sizeof learned_orders / sizeof learned_orders[0] };

typedef enum outcome { FOUND, IMPOSSIBLE, GIVEN_UP } outcome;

typedef struct change { /* to be taken back */
    int32_t item, rest, low; /* what they were; rest = NONE: the item was placed */
} change;

typedef struct search {
    ox_arena *arena;
    int32_t n, sections;
    int32_t *first, *last; /* per item: its sections */
    int32_t *size, *align; /* in units */
    int32_t *rest;         /* where it would rest on what is placed */
    int32_t *low;          /* below this it cannot lie; above rest: it was skipped */
    int32_t *offset;       /* of placed ones */
    int32_t *rank;         /* lower: tried first */
    struct ranked *ranked; /* to sort them */
    uint64_t *failures;    /* per section: attempts that failed there, older ones count less */
    int32_t *next, *prev;  /* what is not placed, as a list in the order of the items; n is its head */
    bool *placed;
    size_t *near_at;       /* items live together with item i: near[near_at[i]] ... */
    int32_t *near;
    int32_t *load;         /* per section: what is not placed */
    int32_t *floor;        /* per section, while it is looked at */
    int32_t capacity;
    change *changes;
    size_t n_changes, changes_capacity;
    int64_t nodes, limit, work; /* work: since the last node was counted */
    uint64_t unit;
    bool exact;            /* units are no coarser than the sizes */
} search;

static int32_t align_up(int32_t x, int32_t align) { return (x + align - 1) & ~(align - 1); }
static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }
static int64_t least64(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- changes ---- */

static void note(search *s, int32_t i, int32_t rest, int32_t low) {
    OX_PUSH(s->arena, s->changes, s->n_changes, s->changes_capacity, ((change){i, rest, low}));
}

static void set_bounds(search *s, int32_t i, int32_t rest, int32_t low) {
    note(s, i, s->rest[i], s->low[i]);
    s->rest[i] = rest;
    s->low[i] = low;
}

static void set_placed(search *s, int32_t i) {
    note(s, i, NONE, 0);
    s->offset[i] = s->rest[i];
    s->placed[i] = true;
    s->next[s->prev[i]] = s->next[i];
    s->prev[s->next[i]] = s->prev[i];
    int32_t *load = s->load, size = s->size[i];
    for (int32_t k = s->first[i]; k < s->last[i]; k++) load[k] -= size;
}

static void undo_placed(search *s, int32_t i) {
    int32_t *load = s->load, size = s->size[i];
    for (int32_t k = s->first[i]; k < s->last[i]; k++) load[k] += size;
    s->next[s->prev[i]] = i;
    s->prev[s->next[i]] = i;
    s->placed[i] = false;
}

static void undo(search *s, size_t n_changes) {
    while (s->n_changes > n_changes) {
        const change *c = &s->changes[--s->n_changes];
        if (c->rest == NONE) {
            undo_placed(s, c->item);
        } else {
            s->rest[c->item] = c->rest;
            s->low[c->item] = c->low;
        }
    }
}

/* ---- nodes: of the list, the items between BEFORE and END ---- */

/* Whether what is still to come fits into sections [from, to), by the lowest place there and the sum of the sizes. */
static bool fits(search *s, int32_t before, int32_t end, int32_t from, int32_t to) {
    int32_t *restrict floor = s->floor;
    const int32_t *restrict load = s->load;
    for (int32_t k = from; k < to; k++) floor[k] = NONE;
    for (int32_t i = s->next[before]; i != end && s->first[i] < to; i = s->next[i]) {
        int32_t low = s->low[i], last = least(s->last[i], to);
        for (int32_t k = most(s->first[i], from); k < last; k++) floor[k] = low < floor[k] ? low : floor[k];
        s->work += 8 + (s->last[i] - s->first[i]) / 8;
    }
    int32_t top = 0;
    for (int32_t k = from; k < to; k++) {
        floor[k] = load[k] ? floor[k] + load[k] : 0; /* where a load is, a floor is */
        top = most(top, floor[k]);
    }
    if (top <= s->capacity) return true;
    for (int32_t k = from; k < to; k++)
        if (floor[k] > s->capacity) s->failures[k] += FAILURE;
    return false;
}

/* Puts item i where it rests; what is live together with it will rest on it. False: then something does not fit any more. */
static bool place(search *s, int32_t i, int32_t before, int32_t end) {
    int32_t top = s->rest[i] + s->size[i], from = s->first[i], to = s->last[i];
    set_placed(s, i);
    for (size_t k = s->near_at[i]; k < s->near_at[i + 1]; k++) {
        int32_t j = s->near[k];
        if (s->placed[j] || s->rest[j] >= top) continue;
        int32_t rest = align_up(top, s->align[j]);
        if (rest > s->low[j]) {
            from = least(from, s->first[j]);
            to = most(to, s->last[j]);
        }
        set_bounds(s, j, rest, most(rest, s->low[j]));
    }
    s->work += (int64_t)(s->near_at[i + 1] - s->near_at[i]);
    return fits(s, before, end, from, to);
}

/* Item i does not lie where it would rest now: it will rest on something that is still to come. */
static bool skip(search *s, int32_t i) {
    int32_t low = NONE;
    for (size_t k = s->near_at[i]; k < s->near_at[i + 1]; k++) {
        int32_t j = s->near[k];
        if (!s->placed[j]) low = least(low, s->low[j] + s->size[j]);
    }
    s->work += (int64_t)(s->near_at[i + 1] - s->near_at[i]);
    if (low > s->capacity) return false;
    low = align_up(low, s->align[i]);
    if (low > s->low[i]) set_bounds(s, i, s->rest[i], low);
    return low + s->size[i] <= s->capacity;
}

static bool alike(const search *s, int32_t i, int32_t j) {
    return s->first[i] == s->first[j] && s->last[i] == s->last[j] && s->size[i] == s->size[j] && s->align[i] == s->align[j];
}

/* The same for all that are like item i, which stand side by side: exchanged with it they would make the same placements. */
static bool skip_alike(search *s, int32_t i, int32_t before, int32_t end) {
    if (!skip(s, i)) return false;
    for (int32_t j = s->next[i]; j != end && alike(s, i, j); j = s->next[j])
        if (!skip(s, j)) return false;
    for (int32_t j = s->prev[i]; j != before && alike(s, i, j); j = s->prev[j])
        if (!skip(s, j)) return false;
    return fits(s, before, end, s->first[i], s->last[i]);
}

/* What may be placed next: the lowest that was not skipped. NONE: nothing can, or it would leave room for another one below. */
static int32_t candidate(search *s, int32_t before, int32_t end) {
    int32_t best = NONE, rest = NONE, rank = NONE, room = NONE;
    for (int32_t i = s->next[before]; i != end; i = s->next[i]) {
        int32_t r = s->rest[i];
        room = least(room, r + s->size[i]);
        s->work += 4;
        if (s->low[i] > r || r > rest || (r == rest && s->rank[i] > rank)) continue;
        best = i;
        rest = r;
        rank = s->rank[i];
    }
    return rest < room ? best : NONE;
}

static outcome solve_pieces(search *s, int32_t before, int32_t end);

static outcome solve(search *s, int32_t before, int32_t end) {
    size_t mark = s->n_changes;
    for (;;) {
        s->nodes += 1 + s->work / WORK_PER_NODE;
        s->work %= WORK_PER_NODE;
        if (s->nodes > s->limit) return GIVEN_UP;
        int32_t i = candidate(s, before, end);
        if (i == NONE) break;
        size_t here = s->n_changes;
        outcome o = place(s, i, before, end) ? solve_pieces(s, before, end) : IMPOSSIBLE;
        if (o != IMPOSSIBLE) return o;
        undo(s, here);
        if (!skip_alike(s, i, before, end)) break;
    }
    undo(s, mark);
    return IMPOSSIBLE;
}

/* The item behind those that are connected with the first one; *n of them. */
static int32_t piece_end(const search *s, int32_t at, int32_t end, int32_t *n) {
    int32_t until = s->last[at];
    *n = 1;
    for (at = s->next[at]; at != end && s->first[at] < until; at = s->next[at], ++*n) until = most(until, s->last[at]);
    return at;
}

/* What is left between BEFORE and END, each piece that no item connects with the others on its own, the largest one last. */
static outcome solve_pieces(search *s, int32_t before, int32_t end) {
    int32_t largest = 0, n, from = before;
    for (int32_t at = s->next[before]; at != end; largest = most(largest, n)) at = piece_end(s, at, end, &n);
    size_t mark = s->n_changes;
    for (int32_t at = s->next[from]; at != end;) {
        int32_t stop = piece_end(s, at, end, &n);
        if (n == largest) { /* what is left, once the others are placed */
            largest = NONE;
            from = s->prev[stop];
        } else {
            outcome o = solve(s, from, stop);
            if (o != FOUND) {
                if (o == IMPOSSIBLE) undo(s, mark);
                return o;
            }
        }
        at = stop;
    }
    if (s->next[before] == end) return FOUND;
    outcome o = solve(s, before, end);
    if (o == IMPOSSIBLE) undo(s, mark);
    return o;
}

/* ---- orders ---- */

typedef struct ranked {
    uint64_t key[3];
    int32_t item;
} ranked;

static int by_key(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    for (int k = 0; k < 3; k++)
        if (x->key[k] != y->key[k]) return x->key[k] > y->key[k] ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static uint64_t measure(const search *s, const ox_pack_part *p, int32_t i, char what) {
    uint64_t wide = (uint64_t)(s->last[i] - s->first[i]), size = (uint64_t)s->size[i], found = 0;
    if (what == 'W') return wide;
    if (what == 'A') return wide * size;
    if (what == 'S') return size;
    for (int32_t k = s->first[i]; k < s->last[i]; k++) {
        uint64_t here = what == 'T' ? p->load[k] / s->unit : s->failures[k];
        found = what == 'F' || what == 'D' ? found + here : here > found ? here : found;
    }
    return what == 'D' ? found / wide : found; /* failures: F all, D per section, M most of a section; T: most bytes of a section */
}

/* NOISE, in 1024ths, disturbs the first measure; SEED says how. */
static void rank_items(search *s, const ox_pack_part *p, const char *order, uint64_t noise, uint64_t seed) {
    ranked *list = s->ranked;
    for (int32_t i = 0; i < s->n; i++) {
        list[i].item = i;
        for (int k = 0; k < 3; k++) list[i].key[k] = measure(s, p, i, order[k]);
        uint64_t factor = noise ? 1024 - noise + (ox_hash_mix(seed, (uint64_t)i) >> 32) % (2 * noise + 1) : 1024;
        list[i].key[0] *= factor; /* far below 2^64: measures are below 2^46, or counts of nodes times sections */
    }
    qsort(list, (size_t)s->n, sizeof *list, by_key);
    for (int32_t i = 0; i < s->n; i++) s->rank[list[i].item] = i;
}

/* ---- a capacity ---- */

static void start_over(search *s) {
    memset(s->load, 0, (size_t)s->sections * sizeof *s->load);
    for (int32_t i = 0; i <= s->n; i++) {
        s->next[i] = i == s->n ? 0 : i + 1;
        s->prev[i] = i ? i - 1 : s->n;
    }
    for (int32_t i = 0; i < s->n; i++) {
        s->rest[i] = s->low[i] = 0;
        s->placed[i] = false;
        for (int32_t k = s->first[i]; k < s->last[i]; k++) s->load[k] += s->size[i];
    }
    s->n_changes = 0;
}

/* How long turn number TURN of one order may be: most are short, every other one twice as long, every fourth four times ... */
static int64_t turn_length(const search *s, int64_t turn) { return SHORT_TURN * (int64_t)s->n * (turn & -turn); }

/* Places within CAPACITY units, with *NODES at most, which it lowers. */
static outcome reach(search *s, const ox_pack_part *p, int32_t capacity, int64_t *nodes) {
    s->capacity = capacity;
    memset(s->failures, 0, (size_t)s->sections * sizeof *s->failures);
    for (int64_t k = 0;; k++) {
        int64_t round = k < N_FIXED ? 0 : (k - N_FIXED) / N_LEARNED;
        if (k < N_FIXED)
            rank_items(s, p, fixed_orders[k], 0, 0);
        else
            rank_items(s, p, learned_orders[(k - N_FIXED) % N_LEARNED], round % 2 ? NOISE : 0, (uint64_t)k);
        start_over(s);
        s->nodes = s->work = 0;
        s->limit = least64(turn_length(s, round + 1), *nodes);
        outcome o = fits(s, s->n, s->n, 0, s->sections) ? solve_pieces(s, s->n, s->n) : IMPOSSIBLE;
        *nodes -= least64(s->nodes, s->limit);
        if (o != GIVEN_UP || *nodes <= 0) return o;
        for (int32_t i = 0; i < s->sections; i++) s->failures[i] -= s->failures[i] / 8;
    }
}

/* ---- a part ---- */

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Offsets are sums of sizes, aligned: multiples of the unit. Where 32 bits cannot count them the unit is made coarser. */
static void choose_unit(search *s, const ox_pack_part *p) {
    uint64_t align = 1, unit = 0;
    for (size_t i = 0; i < p->n; i++) {
        unit = common_divisor(unit, p->items[i].size);
        if (p->items[i].align > align) align = p->items[i].align;
    }
    if (unit % align) unit = common_divisor(unit, align);
    s->exact = true;
    while (p->bytes / unit >= UNITS_MAX || align / unit >= UNITS_MAX) {
        unit *= 2;
        s->exact = false;
    }
    s->unit = unit;
}

/* Lists, for each item, those that are live together with it. False: they are too many. */
static bool find_near(search *s) {
    size_t pairs = 0, at = 0;
    for (int32_t i = 0; i < s->n && pairs <= PAIRS_MAX; i++)
        for (int32_t j = i + 1; j < s->n && s->first[j] < s->last[i]; j++) pairs++;
    if (pairs > PAIRS_MAX) return false;
    size_t *count = s->near_at = OX_NEW_N(s->arena, size_t, s->n + 2);
    count++; /* count[i] is where the list of item i goes on; in the end, where it ends */
    for (int32_t i = 0; i < s->n; i++)
        for (int32_t j = i + 1; j < s->n && s->first[j] < s->last[i]; j++) {
            count[i]++;
            count[j]++;
        }
    for (int32_t i = 0; i < s->n; i++) {
        size_t n = count[i];
        count[i] = at;
        at += n;
    }
    s->near = OX_NEW_N(s->arena, int32_t, at + 1);
    for (int32_t i = 0; i < s->n; i++)
        for (int32_t j = i + 1; j < s->n && s->first[j] < s->last[i]; j++) {
            s->near[count[i]++] = j;
            s->near[count[j]++] = i;
        }
    return true;
}

static bool prepare(search *s, const ox_pack_part *p) {
    if (p->n > ITEMS_MAX) return false;
    int32_t n = s->n = (int32_t)p->n, **arrays[] = {&s->first, &s->last, &s->size, &s->align, &s->rest, &s->low, &s->offset, &s->next, &s->prev};
    s->sections = p->sections;
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) *arrays[k] = OX_NEW_N(s->arena, int32_t, n + 1);
    s->placed = OX_NEW_N(s->arena, bool, n + 1);
    s->load = OX_NEW_N(s->arena, int32_t, s->sections);
    s->floor = OX_NEW_N(s->arena, int32_t, s->sections);
    choose_unit(s, p);
    for (int32_t i = 0; i < n; i++) {
        const ox_pack_item *x = &p->items[i];
        s->first[i] = x->first;
        s->last[i] = x->last;
        s->size[i] = (int32_t)(x->size / s->unit + (x->size % s->unit != 0));
        s->align[i] = x->align > s->unit ? (int32_t)(x->align / s->unit) : 1;
    }
    s->rank = OX_NEW_N(s->arena, int32_t, n + 1);
    s->ranked = OX_NEW_N(s->arena, ranked, n + 1);
    s->failures = OX_NEW_N(s->arena, uint64_t, s->sections);
    return find_near(s);
}

/* The placement that was found is the best one now; its height in units. */
static int32_t keep(search *s, ox_pack_part *p) {
    int32_t top = 0;
    p->bytes = 0;
    for (int32_t i = 0; i < s->n; i++) {
        ox_pack_item *x = &p->items[i];
        x->offset = (uint64_t)s->offset[i] * s->unit;
        if (x->offset + x->size > p->bytes) p->bytes = x->offset + x->size;
        top = most(top, s->offset[i] + s->size[i]);
    }
    p->method = "search";
    return top;
}

bool ox_pack_search(ox_arena *arena, ox_pack_part *p, uint64_t goal, int64_t *nodes) {
    search s = {.arena = arena};
    if (!prepare(&s, p)) return false;
    int32_t best = (int32_t)(p->bytes / s.unit + (p->bytes % s.unit != 0)), low = (int32_t)(goal / s.unit);
    int32_t first = best, try = low; /* the goal first; then halfway between it and the best */
    bool proved = s.exact;
    while (low < best && *nodes > 0) {
        int64_t share = (try == low && best == first ? *nodes / 4 * 3 : *nodes / 2) + 1, left = share;
        outcome o = reach(&s, p, try, &left);
        *nodes -= share - left;
        if (o == FOUND) {
            best = keep(&s, p);
        } else {
            low = try + 1;
            proved &= o == IMPOSSIBLE;
        }
        try = low + (best - low) / 2;
    }
    return proved && low == best && p->bytes > goal;
}
