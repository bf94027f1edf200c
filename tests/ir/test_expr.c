/* Dimension algebra: equal expressions are one pointer, and every simplification keeps the value. */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct world {
    ox_ctx *ctx;
    ox_arena *arena;
    ox_dim n, m, k;
} world;

static int setup(void **state) {
    static world w;
    w.ctx = ox_ctx_new();
    assert_non_null(w.ctx);
    w.arena = ox_arena_new(w.ctx);
    w.n = ox_dim_symbol(w.ctx, ox_intern(w.ctx, "N"));
    w.m = ox_dim_symbol(w.ctx, ox_intern(w.ctx, "M"));
    w.k = ox_dim_symbol(w.ctx, ox_intern(w.ctx, "K"));
    *state = &w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    ox_arena_free(w->arena);
    ox_ctx_free(w->ctx);
    return 0;
}

/* Short hands; `w` is the test's world. */
#define C(v) ox_dim_const(w->ctx, (v))
#define ADD(a, b) ox_dim_add(w->ctx, (a), (b))
#define SUB(a, b) ox_dim_sub(w->ctx, (a), (b))
#define MUL(a, b) ox_dim_mul(w->ctx, (a), (b))
#define FDIV(a, b) ox_dim_floordiv(w->ctx, (a), (b))
#define CDIV(a, b) ox_dim_ceildiv(w->ctx, (a), (b))
#define MOD(a, b) ox_dim_mod(w->ctx, (a), (b))
#define MIN(a, b) ox_dim_min(w->ctx, (a), (b))
#define MAX(a, b) ox_dim_max(w->ctx, (a), (b))
#define SAME(a, b)                                                                                           \
    do {                                                                                                     \
        ox_dim x_ = (a), y_ = (b);                                                                           \
        if (!x_ || x_ != y_) fail_msg("%s: %s, %s: %s", #a, ox_dim_text(w->arena, x_), #b, ox_dim_text(w->arena, y_)); \
    } while (0)
#define TEXT(a, t) assert_string_equal(ox_dim_text(w->arena, (a)), (t))

static void sums(void **state) {
    world *w = *state;
    SAME(ADD(w->n, w->m), ADD(w->m, w->n));
    SAME(ADD(ADD(w->n, w->m), w->k), ADD(w->n, ADD(w->k, w->m)));
    SAME(SUB(w->n, w->n), C(0));
    SAME(SUB(ADD(w->n, w->m), w->m), w->n);
    SAME(ADD(w->n, w->n), MUL(C(2), w->n));
    SAME(ox_dim_addi(w->ctx, ox_dim_addi(w->ctx, w->n, 3), -3), w->n);
    SAME(MUL(ADD(w->n, C(1)), ADD(w->n, C(-1))), SUB(MUL(w->n, w->n), C(1)));
    SAME(MUL(w->n, MUL(w->m, w->k)), MUL(MUL(w->k, w->n), w->m));
    SAME(MUL(w->n, C(0)), C(0));
    SAME(C(INT64_MAX), C(INT64_MAX));
    assert_null(ADD(C(INT64_MAX), C(1)));
    assert_null(MUL(MUL(w->n, C(INT64_MAX)), C(2)));
    assert_null(ADD(NULL, w->n));
    assert_true(ox_dim_is(SUB(C(4), C(4)), 0));
    assert_true(ox_dim_is_symbol(w->n) != NULL);
    assert_null(ox_dim_is_symbol(ADD(w->n, C(1))));
    assert_true(ox_dim_fresh(w->ctx) != ox_dim_fresh(w->ctx));
    assert_null(ox_dim_symbol(w->ctx, ox_intern(w->ctx, "")));
}

static void division(void **state) {
    world *w = *state;
    ox_dim ak = MUL(w->n, w->k), bk = MUL(w->m, w->k);
    SAME(FDIV(ADD(ak, bk), w->k), ADD(w->n, w->m));
    SAME(CDIV(ADD(ak, bk), w->k), ADD(w->n, w->m));
    SAME(ox_dim_exact_div(w->ctx, ADD(ak, bk), w->k), ADD(w->n, w->m));
    SAME(ox_dim_exact_div(w->ctx, ADD(MUL(w->n, w->m), w->n), ADD(w->m, C(1))), w->n);
    SAME(ox_dim_exact_div(w->ctx, MUL(C(6), w->n), C(-3)), MUL(C(-2), w->n));
    assert_null(ox_dim_exact_div(w->ctx, ADD(MUL(C(6), w->n), C(1)), C(3)));
    assert_null(ox_dim_exact_div(w->ctx, w->n, w->m));
    assert_null(ox_dim_exact_div(w->ctx, w->n, C(0)));
    SAME(FDIV(FDIV(w->n, C(2)), C(3)), FDIV(w->n, C(6)));
    SAME(FDIV(ADD(FDIV(w->n, C(2)), C(1)), C(2)), FDIV(ADD(w->n, C(2)), C(4)));
    SAME(FDIV(MUL(C(4), w->n), C(2)), MUL(C(2), w->n));
    SAME(FDIV(MUL(C(2), w->n), C(4)), FDIV(w->n, C(2)));
    SAME(FDIV(ADD(MUL(C(4), w->n), C(3)), C(4)), w->n);
    SAME(FDIV(ADD(MUL(C(4), w->n), C(7)), C(4)), ADD(w->n, C(1)));
    SAME(FDIV(ADD(MUL(C(4), w->n), w->m), C(4)), ADD(w->n, FDIV(w->m, C(4))));
    SAME(FDIV(ADD(w->n, C(5)), C(2)), ADD(FDIV(ADD(w->n, C(1)), C(2)), C(2)));
    SAME(FDIV(ak, MUL(w->m, w->k)), FDIV(w->n, w->m));
    SAME(FDIV(ADD(ak, w->m), w->k), ADD(w->n, FDIV(w->m, w->k)));
    SAME(FDIV(w->n, C(-2)), FDIV(MUL(C(-1), w->n), C(2)));
    SAME(FDIV(w->n, ADD(w->n, C(1))), C(0));
    SAME(CDIV(w->n, C(2)), FDIV(ADD(w->n, C(1)), C(2)));
    SAME(CDIV(MUL(C(8), w->n), C(8)), w->n);
    SAME(FDIV(w->n, C(1)), w->n);
    SAME(FDIV(C(-7), C(2)), C(-4));
    SAME(CDIV(C(-7), C(2)), C(-3));
    assert_null(FDIV(w->n, C(0)));
}

static void modulo(void **state) {
    world *w = *state;
    SAME(MOD(MUL(C(6), w->n), C(3)), C(0));
    SAME(MOD(MUL(w->n, w->k), w->k), C(0));
    SAME(MOD(ADD(MUL(C(6), w->n), C(4)), C(3)), C(1));
    SAME(MOD(MUL(C(2), w->n), C(4)), MUL(C(2), MOD(w->n, C(2))));
    SAME(MOD(MOD(w->n, C(6)), C(3)), MOD(w->n, C(3)));
    SAME(MOD(MOD(w->n, C(3)), C(6)), MOD(w->n, C(3)));
    SAME(FDIV(MOD(w->n, C(4)), C(4)), C(0));
    SAME(ADD(MUL(C(3), FDIV(w->n, C(3))), MOD(w->n, C(3))), w->n);
    SAME(ADD(MUL(C(4), FDIV(w->n, C(2))), MUL(C(2), MOD(w->n, C(2)))), MUL(C(2), w->n));
    SAME(MUL(w->m, ADD(MUL(C(3), FDIV(w->n, C(3))), MOD(w->n, C(3)))), MUL(w->m, w->n));
    SAME(MOD(C(-7), C(3)), C(2));
    SAME(MOD(C(7), C(-3)), C(-2));
    SAME(MOD(w->n, ADD(w->n, C(1))), w->n);
}

static void extremes(void **state) {
    world *w = *state;
    SAME(MIN(w->n, ADD(w->n, C(1))), w->n);
    SAME(MAX(w->n, ADD(w->n, C(1))), ADD(w->n, C(1)));
    SAME(MAX(w->n, C(0)), w->n);
    SAME(MIN(w->n, C(0)), C(0));
    SAME(MIN(w->n, w->m), MIN(w->m, w->n));
    SAME(MIN(MIN(w->n, w->m), w->k), MIN(w->m, MIN(w->k, w->n)));
    SAME(MIN(MIN(w->n, w->m), w->n), MIN(w->n, w->m));
    SAME(MAX(MIN(w->n, w->m), w->n), w->n);
    SAME(MIN(MAX(w->n, w->m), w->n), w->n);
    SAME(MIN(w->n, C(INT64_MAX)), w->n);
    SAME(MAX(MAX(w->n, C(3)), C(5)), MAX(w->n, C(5)));
    SAME(MAX(FDIV(w->n, C(2)), w->n), w->n);
    SAME(MIN(MOD(w->n, C(4)), C(3)), MOD(w->n, C(4)));
}

static void ranges(void **state) {
    world *w = *state;
    int64_t lo, hi;
    assert_true(ox_dim_range(ADD(MOD(w->n, C(4)), C(1)), &lo, &hi));
    assert_int_equal(lo, 1);
    assert_int_equal(hi, 4);
    assert_true(ox_dim_range(SUB(C(5), w->n), &lo, &hi));
    assert_int_equal(lo, INT64_MIN);
    assert_int_equal(hi, 5);
    assert_false(ox_dim_range(NULL, &lo, &hi));
    assert_true(ox_dim_nonneg(SUB(w->n, FDIV(w->n, C(2)))));
    assert_true(ox_dim_nonneg(SUB(w->n, MIN(w->n, w->m))));
    assert_true(ox_dim_nonneg(SUB(MAX(w->n, w->m), w->m)));
    assert_true(ox_dim_nonneg(SUB(w->n, MUL(C(2), FDIV(w->n, C(2))))));
    assert_true(ox_dim_nonneg(SUB(MUL(C(8), CDIV(w->n, C(8))), w->n)));
    assert_true(ox_dim_positive(SUB(ADD(w->n, C(1)), FDIV(w->n, C(3)))));
    assert_false(ox_dim_nonneg(SUB(w->n, C(1))));
    assert_false(ox_dim_positive(w->n));
    assert_false(ox_dim_nonneg(NULL));
    assert_true(ox_dim_nonneg(MUL(w->n, w->m)));
}

static void text(void **state) {
    world *w = *state;
    TEXT(ADD(MUL(C(2), w->n), C(1)), "2*N+1");
    TEXT(SUB(C(1), w->n), "-N+1");
    TEXT(SUB(MUL(w->n, w->m), w->k), "M*N-K");
    TEXT(FDIV(ADD(w->n, C(1)), C(2)), "floordiv(N+1,2)");
    TEXT(MIN(w->n, w->m), "min(M,N)");
    TEXT(C(-3), "-3");
    TEXT(NULL, "?");
    assert_int_equal(ox_dim_text(w->arena, ox_dim_fresh(w->ctx))[0], '?');
}

static void bounded(void **state) {
    world *w = *state;
    ox_dim d = w->n, sum = C(0);
    for (int i = 0; i < 40 && d; i++) d = MUL(d, w->n);
    assert_null(d);
    d = w->n;
    for (int i = 0; i < 40 && d; i++) d = FDIV(MUL(d, w->m), ADD(w->k, C(i)));
    assert_null(d);
    for (int i = 0; i < 200 && sum; i++) sum = ADD(sum, ox_dim_fresh(w->ctx));
    assert_null(sum);
}

static bool value_of(void *user, ox_dim symbol, int64_t *v) {
    ox_sym name = ox_dim_is_symbol(symbol);
    *v = ((int64_t *)user)[name[0] == 'N' ? 0 : name[0] == 'M' ? 1 : 2];
    return true;
}

static int64_t floor_of(int64_t a, int64_t b) { return a / b - (a % b && (a % b < 0) != (b < 0)); }

/* Random expressions: the simplified form has the value that plain arithmetic gives, and stays in its range. */
static void random_values(void **state) {
    world *w = *state;
    srand(7);
    for (int round = 0; round < 4000; round++) {
        int64_t at[3] = {1 + rand() % 30, 1 + rand() % 30, 1 + rand() % 30}, v[8];
        ox_dim d[8] = {w->n, w->m, w->k};
        for (int i = 0; i < 3; i++) v[i] = at[i];
        for (int i = 3; i < 8; i++) {
            int a = rand() % i, b = rand() % i, op = rand() % 8;
            int64_t k = rand() % 9 - 3, y = v[b];
            ox_dim e = d[b];
            if (op >= 4 && rand() % 2) {
                y = k;
                e = C(k);
            }
            if ((op == 4 || op == 5 || op == 6) && y <= 0 && !ox_dim_is_const(e, NULL)) op = 0; /* divisors are sizes */
            if ((op == 4 || op == 5 || op == 6) && !y) op = 1;
            switch (op) {
            case 0: d[i] = ADD(d[a], e), v[i] = v[a] + y; break;
            case 1: d[i] = SUB(d[a], e), v[i] = v[a] - y; break;
            case 2: d[i] = MUL(d[a], e), v[i] = v[a] * y; break;
            case 3: d[i] = ox_dim_addi(w->ctx, d[a], k), v[i] = v[a] + k; break;
            case 4: d[i] = FDIV(d[a], e), v[i] = floor_of(v[a], y); break;
            case 5: d[i] = CDIV(d[a], e), v[i] = -floor_of(-v[a], y); break;
            case 6: d[i] = MOD(d[a], e), v[i] = v[a] - y * floor_of(v[a], y); break;
            default: d[i] = k & 1 ? MIN(d[a], e) : MAX(d[a], e), v[i] = (k & 1) == (v[a] < y) ? v[a] : y; break;
            }
            int64_t got, lo, hi;
            if (!d[i]) break;
            if (!ox_dim_eval(d[i], value_of, at, &got)) break;
            ox_dim_range(d[i], &lo, &hi);
            if (got != v[i] || got < lo || got > hi)
                fail_msg("round %d: %s is %lld, not %lld (N=%lld M=%lld K=%lld), range %lld..%lld", round,
                         ox_dim_text(w->arena, d[i]), (long long)got, (long long)v[i], (long long)at[0],
                         (long long)at[1], (long long)at[2], (long long)lo, (long long)hi);
            if (ox_dim_nonneg(d[i])) assert_true(v[i] >= 0);
            if (ox_dim_positive(d[i])) assert_true(v[i] >= 1);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums, setup, teardown),
        cmocka_unit_test_setup_teardown(division, setup, teardown),
        cmocka_unit_test_setup_teardown(modulo, setup, teardown),
        cmocka_unit_test_setup_teardown(extremes, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(text, setup, teardown),
        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(random_values, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
