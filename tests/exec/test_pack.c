/* Packing: nothing collides, small cases come out as small as they can be, cut rectangles are put together again, and the check sees faults. */
#include "build.h"

#include "exec/pack.h"

#include <time.h>

static uint64_t state_of_random = 1;
static uint32_t below(uint32_t n) {
    state_of_random = state_of_random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state_of_random >> 33) % n);
}

static ox_pack_result packed(ox_ctx *c, ox_buffer_span *s, size_t n, const ox_pack_options *o) {
    ox_arena *arena = ox_arena_new(c);
    ox_pack_result r;
    if (ox_pack(c, arena, s, n, o, &r) < 0 || ox_pack_check(c, arena, s, n, r.bytes) < 0) fail_msg("%s", ox_error_text(c));
    assert_true(r.bytes >= r.bound && (r.bytes != r.bound || r.proved));
    ox_arena_free(arena);
    return r;
}

/* ---- small cases: all orders, each buffer as low as it goes; one of them makes the smallest arena there is ---- */

static uint64_t lowest(const ox_buffer_span *s, const size_t *order, size_t k) {
    uint64_t at = 0;
    const ox_buffer_span *x = &s[order[k]];
    for (bool moved = true; moved;) {
        moved = false;
        at = (at + x->align - 1) & ~(x->align - 1);
        for (size_t i = 0; i < k && !moved; i++) {
            const ox_buffer_span *y = &s[order[i]];
            if (x->lower < y->upper && y->lower < x->upper && at < y->offset + y->size && y->offset < at + x->size) {
                at = y->offset + y->size;
                moved = true;
            }
        }
    }
    return at;
}

static void try_orders(ox_buffer_span *s, size_t *order, size_t n, size_t k, uint64_t top, uint64_t *best) {
    if (top >= *best) return;
    if (k == n) *best = top;
    for (size_t i = k; i < n; i++) {
        size_t x = order[i];
        order[i] = order[k];
        order[k] = x;
        s[x].offset = lowest(s, order, k);
        uint64_t end = s[x].offset + s[x].size;
        try_orders(s, order, n, k + 1, end > top ? end : top, best);
        order[k] = order[i];
        order[i] = x;
    }
}

static void small_ones_are_the_least(void **state) {
    for (int round = 0; round < 3000; round++) {
        ox_buffer_span s[7], copy[7];
        size_t n = 1 + below(7), order[7] = {0, 1, 2, 3, 4, 5, 6}, m = 0;
        for (size_t i = 0; i < n; i++) {
            int64_t lower = below(8), upper = round % 3 == 0 && below(3) == 0 ? 12 : lower + below(5); /* some live until the end */
            s[i] = (ox_buffer_span){lower, upper, below(12), round % 2 ? 1u << below(3) : 1, 0};
            if (s[i].size && upper > lower) copy[m++] = s[i];
        }
        uint64_t best = UINT64_MAX;
        try_orders(copy, order, m, 0, 0, &best);
        ox_pack_result r = packed(*state, s, n, NULL);
        if (r.bytes != best || !r.proved) fail_msg("round %d: %llu bytes by %s, not %llu", round, (unsigned long long)r.bytes, r.method, (unsigned long long)best);
    }
}

/* ---- rectangles of steps and addresses, cut into buffers: they fit together without a hole ---- */

enum { CUT_MAX = 512 };
typedef struct cut { ox_buffer_span s[CUT_MAX]; size_t n; } cut;

static void cut_rectangle(cut *c, int64_t lower, int64_t upper, uint64_t from, uint64_t to, int pieces, bool swirls) {
    uint32_t wide = (uint32_t)(upper - lower), high = (uint32_t)(to - from);
    if (pieces <= 1 || c->n + 5 > CUT_MAX || (wide < 4 && high < 4)) {
        c->s[c->n++] = (ox_buffer_span){lower, upper, to - from, 1, 0};
        return;
    }
    if (swirls && wide >= 4 && high >= 4 && below(3) == 0) { /* four around one: no cut goes through from side to side */
        int64_t a = lower + 1 + below(wide / 2 - 1), b = a + 1 + below((uint32_t)(upper - a) - 1);
        uint64_t p = from + 1 + below(high / 2 - 1), q = p + 1 + below((uint32_t)(to - p) - 1);
        cut_rectangle(c, lower, b, from, p, pieces / 5, swirls);
        cut_rectangle(c, b, upper, from, q, pieces / 5, swirls);
        cut_rectangle(c, a, upper, q, to, pieces / 5, swirls);
        cut_rectangle(c, lower, a, p, to, pieces / 5, swirls);
        cut_rectangle(c, a, b, p, q, pieces / 5, swirls);
    } else if (high < 4 || (wide >= 4 && below(2))) {
        int64_t a = lower + 1 + below(wide - 1);
        cut_rectangle(c, lower, a, from, to, pieces / 2, swirls);
        cut_rectangle(c, a, upper, from, to, pieces - pieces / 2, swirls);
    } else {
        uint64_t p = from + 1 + below(high - 1);
        cut_rectangle(c, lower, upper, from, p, pieces / 2, swirls);
        cut_rectangle(c, lower, upper, p, to, pieces - pieces / 2, swirls);
    }
}

static void cut_rectangles_fit(void **state) {
    static cut c;
    for (int round = 0; round < 40; round++) {
        c.n = 0;
        cut_rectangle(&c, 0, 400, 0, 1000, 10 + round * 3, round % 2);
        for (size_t i = c.n; i > 1; i--) { /* shuffled */
            size_t k = below((uint32_t)i);
            ox_buffer_span x = c.s[i - 1];
            c.s[i - 1] = c.s[k];
            c.s[k] = x;
        }
        ox_pack_result r = packed(*state, c.s, c.n, &(ox_pack_options){.nodes = 400000});
        assert_int_equal(r.bound, 1000);
        if (r.bytes > 1020) fail_msg("round %d: %zu buffers take %llu bytes instead of 1000", round, c.n, (unsigned long long)r.bytes);
    }
}

/* ---- shapes of real graphs ---- */

static void large_ones_are_fast(void **state) {
    enum { N = 20000 };
    ox_buffer_span *s = calloc(N, sizeof *s);
    for (int shape = 0; shape < 3; shape++) { /* short lives; some of them long; many until the end */
        for (int64_t i = 0; i < N; i++) {
            int64_t upper = shape && below(shape == 1 ? 50 : 4) == 0 ? (shape == 1 ? i + below(N) : N + 9) : i + 1 + below(9);
            s[i] = (ox_buffer_span){i, upper, (1 + below(2000)) * (uint64_t)64, 64, 0};
        }
        clock_t start = clock();
        ox_pack_result r = packed(*state, s, N, &(ox_pack_options){.nodes = OX_PACK_NODES_PLAN});
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds > 20) fail_msg("shape %d takes %g seconds", shape, seconds); /* far above what it should take: other work may run */
        if ((double)r.bytes > 1.2 * (double)r.bound) fail_msg("shape %d: %g of the bound", shape, (double)r.bytes / (double)r.bound);
    }
    free(s);
}

static void the_same_every_time(void **state) {
    static cut c, d;
    c.n = 0;
    cut_rectangle(&c, 0, 300, 0, 1000, 100, true);
    d = c;
    ox_pack_result a = packed(*state, c.s, c.n, NULL), b = packed(*state, d.s, d.n, NULL);
    assert_int_equal(a.bytes, b.bytes);
    assert_int_equal(a.nodes, b.nodes);
    assert_memory_equal(&c.s, &d.s, sizeof c.s);
}

static void empty_and_enormous(void **state) {
    ox_ctx *c = *state;
    ox_arena *arena = ox_arena_new(c);
    ox_pack_result r = packed(c, NULL, 0, NULL);
    assert_true(r.bytes == 0 && r.bound == 0 && r.proved && !strcmp(r.method, "none"));
    ox_buffer_span s[] = {{0, 9, 0, 64, 5}, {3, 3, 100, 1, 5}, {INT64_MIN, INT64_MAX, (uint64_t)1 << 61, 1, 5}, {0, 1, (uint64_t)1 << 61, 4096, 5}};
    r = packed(c, s, 4, NULL);
    assert_true(r.bytes == (uint64_t)1 << 62 && s[0].offset == 0 && s[1].offset == 0);
    s[3].size++;
    assert_int_equal(ox_pack(c, arena, s, 4, NULL, &r), -1);
    assert_int_equal(ox_error_code(c), OX_NO_MEMORY);
    static const ox_buffer_span wrong[] = {{1, 0, 1, 1, 0}, {0, 1, 1, 3, 0}, {0, 1, 1, 0, 0}, {0, 1, UINT64_MAX, 1, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        s[0] = wrong[i];
        assert_int_equal(ox_pack(c, arena, s, 1, NULL, &r), -1);
        assert_int_equal(ox_error_code(c), OX_BAD_DATA);
    }
    ox_arena_free(arena);
}

static void options_hold(void **state) {
    static cut c;
    c.n = 0;
    cut_rectangle(&c, 0, 400, 0, 1000, 90, true);
    ox_pack_result none = packed(*state, c.s, c.n, &(ox_pack_options){.nodes = -1});
    assert_int_equal(none.nodes, 0);
    assert_true(strncmp(none.method, "greedy", 6) == 0);
    ox_pack_result enough = packed(*state, c.s, c.n, &(ox_pack_options){.capacity = 1100});
    assert_true(enough.bytes <= 1100 && enough.bytes >= 1000);
    ox_pack_result few = packed(*state, c.s, c.n, &(ox_pack_options){.nodes = 100});
    assert_true(few.nodes <= 100);
}

static void faults_are_seen(void **state) {
    ox_ctx *c = *state;
    static cut cut_of_faults;
    ox_buffer_span *s = cut_of_faults.s;
    cut_rectangle(&cut_of_faults, 0, 100, 0, 1000, 40, true);
    size_t n = cut_of_faults.n;
    ox_arena *arena = ox_arena_new(c);
    ox_pack_result r = packed(c, s, n, NULL);
    for (size_t i = 0; i < n; i++) {
        uint64_t kept = s[i].offset;
        s[i].offset = r.bytes - s[i].size + 1;
        assert_int_equal(ox_pack_check(c, arena, s, n, r.bytes), -1);
        assert_non_null(strstr(ox_error_text(c), "outside"));
        s[i].offset = kept;
        s[i].align = 2048;
        s[i].offset = 3;
        assert_int_equal(ox_pack_check(c, arena, s, n, r.bytes), -1);
        assert_non_null(strstr(ox_error_text(c), "aligned"));
        s[i].align = 1;
        s[i].offset = kept;
        for (size_t k = 0; k < n; k++) { /* on top of every other one that it meets */
            if (k == i || s[k].lower >= s[i].upper || s[i].lower >= s[k].upper || s[k].offset + s[i].size > r.bytes) continue;
            s[i].offset = s[k].offset;
            assert_int_equal(ox_pack_check(c, arena, s, n, r.bytes), -1);
            assert_non_null(strstr(ox_error_text(c), "share bytes"));
        }
        s[i].offset = kept;
    }
    assert_int_equal(ox_pack_check(c, arena, s, n, r.bytes), 0);
    ox_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {T(small_ones_are_the_least), T(cut_rectangles_fit), T(large_ones_are_fast), T(the_same_every_time),
                                       T(empty_and_enormous), T(options_hold), T(faults_are_seen)};
    return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
