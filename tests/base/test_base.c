/* Context, arenas, symbols, maps, numbers. */
#include <math.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"

static int setup(void **state) { return (*state = ox_ctx_new()) ? 0 : -1; }
static int teardown(void **state) {
    ox_ctx_free(*state);
    return 0;
}

static void errors_stack_and_are_printable(void **state) {
    ox_ctx *c = *state;
    assert_int_equal(ox_fail(c, OX_BAD_DATA, "node %s", "a\x1b[31m\n\"b\xff\xc3\xa9"), -1);
    assert_string_equal(ox_error_text(c), "node a\\x1b[31m\\n\"b\\xff\xc3\xa9");
    ox_fail_in(c, "file %s", "m.onnx");
    assert_int_equal(ox_error_code(c), OX_BAD_DATA);
    assert_memory_equal(ox_error_text(c), "file m.onnx: node a", 19);
    ox_fail(c, OX_IO, "again: %s", ox_error_text(c)); /* an argument may be the text itself */
    assert_memory_equal(ox_error_text(c), "again: file m.onnx", 18);
    ox_clear_error(c);
    assert_int_equal(ox_error_code(c), OX_OK);
    assert_string_equal(ox_error_text(c), "");
}

static void long_errors_lose_their_middle(void **state) {
    ox_ctx *c = *state;
    size_t n = 1 << 20;
    char *name = test_malloc(n + 1);
    for (int control = 0; control < 2; control++) {
        memset(name, control ? 1 : 'x', n);
        name[n] = 0;
        ox_fail(c, OX_BAD_DATA, "node %s: no such input", name);
        for (int i = 0; i < 20; i++) ox_fail_in(c, "in %s", name);
        size_t len = strlen(ox_error_text(c));
        assert_true(len < OX_ERROR_MAX);
        assert_string_equal(ox_error_text(c) + len - 15, ": no such input");
        assert_non_null(strstr(ox_error_text(c), " ... "));
    }
    test_free(name);
}

static void remember(void *user, const char *text) { strcpy(user, text); }

static void warnings_reach_the_callback(void **state) {
    ox_ctx *c = *state;
    char got[256] = "";
    ox_warn(c, "nobody listens");
    c->on_warning = remember;
    c->on_warning_user = got;
    ox_warn(c, "%d\n", 7);
    assert_string_equal(got, "7\\n");
}

static void arenas_give_zeros_again(void **state) {
    ox_arena *a = ox_arena_new(*state);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 100000; size = size * 2 + 3) {
            unsigned char *p = ox_alloc(a, size);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < size; i++) assert_int_equal(p[i], 0);
            memset(p, 0xab, size);
        }
        ox_arena_reset(a);
    }
    assert_true(ox_arena_bytes(a) < 1 << 20);
    ox_text t = {.arena = a};
    for (int i = 0; i < 1000; i++) ox_text_addf(&t, "%d,", i);
    assert_int_equal(t.len, strlen(t.data));
    assert_memory_equal(t.data + t.len - 8, "998,999,", 8);
    ox_arena_free(a);
}

static int ask_for_too_much(void *arg) {
    ox_alloc_n(arg, SIZE_MAX / 2, 4);
    return 0;
}

static void memory_shortage_comes_back(void **state) {
    ox_ctx *c = *state;
    assert_int_equal(ox_protect(c, ask_for_too_much, ox_arena_new(c)), -1);
    assert_int_equal(ox_error_code(c), OX_NO_MEMORY);
    c->limits.memory = 1150;
    void *p = ox_payload_alloc(c, 900);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_null(ox_payload_alloc(c, 200));
    assert_non_null(strstr(ox_error_text(c), "1150"));
    assert_int_equal(ox_payload_bytes(c), 1088); /* with what it takes to keep it */
    ox_payload_free(p);
    assert_int_equal(ox_payload_bytes(c), 0);
    c->limits.memory = 0;
    assert_null(ox_payload_alloc(c, (size_t)1 << 50));
    assert_non_null(ox_payload_alloc(c, 10)); /* left to the context */
}

static int grow_until_it_fails(void *arg) {
    for (int i = 0; i < 100; i++) ox_arena_free(ox_arena_new(arg));
    return 0;
}

static void the_nth_allocation_can_fail(void **state) {
    (void)state;
    int failures = 0;
    for (int n = 1; n <= 110; n++) {
        char text[16];
        snprintf(text, sizeof text, "%d", n);
        setenv("OX_FAIL_ALLOC", text, 1);
        ox_ctx *c = ox_ctx_new();
        if (!c || ox_protect(c, grow_until_it_fails, c)) failures++;
        ox_ctx_free(c);
    }
    unsetenv("OX_FAIL_ALLOC");
    assert_int_equal(failures, 101); /* the context's own arena, then a hundred */
}

static void symbols_are_unique(void **state) {
    ox_ctx *c = *state;
    char text[32];
    ox_sym first[2000];
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "name%d", i);
        first[i] = ox_intern(c, text);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "name%d", i);
        assert_ptr_equal(ox_intern_n(c, text, strlen(text)), first[i]);
        assert_int_equal(ox_sym_len(first[i]), strlen(text));
    }
    assert_null(ox_intern(c, NULL));
    assert_ptr_not_equal(ox_intern_n(c, "a\0b", 3), ox_intern(c, "a"));
}

static void maps_find_what_was_put(void **state) {
    ox_arena *a = ox_arena_new(*state);
    static char keys[5000];
    ox_map m;
    ox_map_init(&m, a);
    assert_null(ox_map_get(&m, keys));
    for (int i = 0; i < 5000; i++) ox_map_put(&m, &keys[i], &keys[4999 - i]);
    ox_map_put(&m, &keys[7], NULL);
    for (int i = 0; i < 5000; i += 3) ox_map_remove(&m, &keys[i]);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(ox_map_has(&m, &keys[i]), i % 3 != 0);
        assert_ptr_equal(ox_map_get(&m, &keys[i]), i % 3 == 0 || i == 7 ? NULL : &keys[4999 - i]);
    }
    assert_int_equal(m.count, 5000 - 1667);
    ox_arena_free(a);
}

static bool same_int(const void *a, const void *b, void *user) {
    (void)user;
    return *(const int *)a == *(const int *)b;
}

static void sets_compare_content(void **state) {
    ox_arena *a = ox_arena_new(*state);
    ox_set s;
    ox_set_init(&s, a);
    static int numbers[1000], again[1000];
    for (int i = 0; i < 1000; i++) numbers[i] = again[i] = i;
    for (int i = 0; i < 1000; i++)
        assert_ptr_equal(ox_set_add(&s, (uint64_t)i % 16, &numbers[i], same_int, NULL), &numbers[i]);
    for (int i = 0; i < 1000; i++)
        assert_ptr_equal(ox_set_add(&s, (uint64_t)i % 16, &again[i], same_int, NULL), &numbers[i]);
    ox_arena_free(a);
}

static void float_text_reads_back(void **state) {
    (void)state;
    char buf[32];
    ox_float_text(buf, 0.1f);
    assert_string_equal(buf, "0.1");
    ox_float_text(buf, 16777216.0f);
    assert_string_equal(buf, "16777216");
    ox_float_text(buf, 1e-45f);
    assert_string_equal(buf, "1e-45");
    ox_double_text(buf, 0.1 + 0.2);
    assert_string_equal(buf, "0.30000000000000004");
    ox_double_text(buf, -INFINITY);
    assert_string_equal(buf, "-inf");
    ox_float_text(buf, -0.0f);
    assert_string_equal(buf, "-0");
    uint32_t bits = 12345;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 1664525 + 1013904223;
        float f;
        double back;
        memcpy(&f, &bits, 4);
        if (!isfinite(f)) continue;
        assert_true(ox_float_text(buf, f) < 32);
        assert_true(ox_parse_double(buf, strlen(buf), &back));
        assert_true((float)back == f);
    }
}

static void numbers_do_not_know_locales(void **state) {
    (void)state;
    char buf[32];
    double d;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) skip();
    ox_double_text(buf, 1.5);
    bool ok = ox_parse_double("2.25e1", 6, &d);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(buf, "1.5");
    assert_true(ok && d == 22.5);
}

static void only_whole_numbers_parse(void **state) {
    (void)state;
    double d;
    int64_t i;
    static const char *const bad[] = {"", "-", ".", "1e", "1e+", "0x10", " 1", "1 ", "1,5", "nanx", "1_0", "e5"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) assert_false(ox_parse_double(bad[k], strlen(bad[k]), &d));
    assert_true(ox_parse_double("-.5e-1", 6, &d) && d == -0.05);
    assert_true(ox_parse_double("-inf", 4, &d) && isinf(d));
    assert_true(ox_parse_int("-9223372036854775808", 20, &i) && i == INT64_MIN);
    assert_false(ox_parse_int("9223372036854775808", 19, &i));
    assert_false(ox_parse_int("1.0", 3, &i));
    assert_int_equal(ox_utf8_prefix("a\xc3\xa9\xed\xa0\x80", 6), 3);
    assert_int_equal(ox_utf8_prefix("\xc0\xaf", 2), 0);
    assert_int_equal(ox_utf8_prefix("\xf0\x9f\x98\x80", 4), 4);
}

static void threads_are_counted(void **state) {
    ox_ctx *c = *state;
    assert_true(ox_thread_count(c) >= 1);
    c->threads = 3;
    assert_int_equal(ox_thread_count(c), 3);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(errors_stack_and_are_printable),
        T(long_errors_lose_their_middle),
        T(warnings_reach_the_callback),
        T(arenas_give_zeros_again),
        T(memory_shortage_comes_back),
        T(the_nth_allocation_can_fail),
        T(symbols_are_unique),
        T(maps_find_what_was_put),
        T(sets_compare_content),
        T(float_text_reads_back),
        T(numbers_do_not_know_locales),
        T(only_whole_numbers_parse),
        T(threads_are_counted),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
