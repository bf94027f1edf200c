/* The lexer, and quoting as its inverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/lex.h"

static int setup(void **state) { return (*state = ox_ctx_new()) ? 0 : -1; }
static int teardown(void **state) {
    ox_ctx_free(*state);
    return 0;
}

static ox_lexer start(ox_ctx *c, const char *text, size_t len) {
    ox_lexer lx;
    ox_lex_init(&lx, c, c->arena, text, len, "t", OX_CONFIG, "=> ?? ..", ".");
    return lx;
}

static void tokens_come_in_order(void **state) {
    const char *text = "a.b = 12 # note\n  => \"x\\n\\x41\\\"\" 1.5e-3 1..c -?? .5 2.";
    ox_lexer lx = start(*state, text, strlen(text));
    assert_true(lx.tok == OX_T_IDENT && lx.len == 3 && lx.line == 1 && lx.column == 1);
    assert_int_equal(ox_lex_next(&lx), 0);
    assert_true(ox_lex_accept(&lx, "="));
    assert_true(lx.tok == OX_T_INT && lx.int_value == 12 && lx.float_value == 12);
    ox_lex_next(&lx);
    assert_true(ox_lex_is(&lx, "=>") && lx.line == 2 && lx.column == 3);
    ox_lexer saved = lx;
    ox_lex_next(&lx);
    assert_int_equal(lx.tok, OX_T_STRING);
    assert_memory_equal(lx.text, "x\nA\"", 4);
    assert_int_equal(lx.len, 4);
    ox_lex_next(&lx);
    assert_true(lx.tok == OX_T_FLOAT && lx.float_value == 1.5e-3);
    lx = saved;
    ox_lex_next(&lx);
    ox_lex_next(&lx);
    ox_lex_next(&lx);
    assert_true(lx.tok == OX_T_INT && lx.int_value == 1);
    ox_lex_next(&lx);
    assert_true(ox_lex_accept(&lx, "..") && ox_lex_accept(&lx, "c") && ox_lex_accept(&lx, "-") &&
                ox_lex_accept(&lx, "??"));
    assert_true(lx.tok == OX_T_FLOAT && lx.float_value == 0.5);
    ox_lex_next(&lx);
    assert_true(lx.tok == OX_T_FLOAT && lx.float_value == 2);
    ox_lex_next(&lx);
    assert_int_equal(lx.tok, OX_T_END);
    assert_int_equal(ox_lex_next(&lx), 0);
    assert_int_equal(ox_lex_expect(&lx, "}"), -1);
    assert_string_equal(ox_error_text(*state), "t:2:39: expected '}', found the end of the text");
}

static void faults_have_positions(void **state) {
    static const struct {
        const char *text;
        size_t len;
        const char *message;
    } bad[] = {
        {"\n \"abc", 6, "t:2:2: unfinished string"},
        {"\"\\q\"", 4, "t:1:2: unknown escape in a string: \\q"},
        {"\"\\x4\"", 5, "t:1:2: \\x needs two hexadecimal digits"},
        {" 18446744073709551616", 21, "t:1:2: the number is larger than 18446744073709551615"},
        {"1e999", 5, "t:1:1: the number is too large"},
        {"12ab", 4, "t:1:1: a number runs into a name: '12a'"},
        {" \0", 2, "t:1:2: NUL byte"},
        {"# \xff", 3, "t:1:3: invalid UTF-8"},
        {"\xc3\xa9", 2, "t:1:1: unexpected character '\xc3\xa9'"},
        {"\x1b[", 2, "t:1:1: unexpected control character \\x1b"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ox_lexer lx = start(*state, bad[i].text, bad[i].len);
        assert_true(lx.failed && lx.tok == OX_T_END);
        assert_string_equal(ox_error_text(*state), bad[i].message);
        assert_int_equal(ox_lex_expect(&lx, "x"), -1); /* the first fault is the one that is told */
        assert_string_equal(ox_error_text(*state), bad[i].message);
        assert_int_equal(ox_error_code(*state), OX_CONFIG);
    }
}

static void quoting_reads_back(void **state) {
    ox_ctx *c = *state;
    char all[260];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    memcpy(all + 256, "\xc3\xa9.\\", 4);
    ox_text t = {.arena = c->arena};
    ox_text_quoted(&t, all, sizeof all);
    for (size_t i = 0; i < t.len; i++) assert_true((unsigned char)t.data[i] >= 0x20 && t.data[i] != 0x7f);
    ox_lexer lx = start(c, t.data, t.len);
    assert_int_equal(lx.tok, OX_T_STRING);
    assert_int_equal(lx.len, sizeof all);
    assert_memory_equal(lx.text, all, sizeof all);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(tokens_come_in_order), T(faults_have_positions), T(quoting_reads_back)};
    return cmocka_run_group_tests_name("lex", tests, NULL, NULL);
}
