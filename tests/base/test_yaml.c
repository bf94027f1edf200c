/* YAML trees, what is refused, conversions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "yaml/yaml.h"

static int setup(void **state) { return (*state = ox_ctx_new()) ? 0 : -1; }
static int teardown(void **state) {
    ox_ctx_free(*state);
    return 0;
}

static const ox_yaml *parse(ox_ctx *c, const char *text) {
    return ox_yaml_parse(c, c->arena, text, strlen(text), "p.yaml");
}

static void documents_become_trees(void **state) {
    ox_ctx *c = *state;
    const ox_yaml *y = parse(
        c,
        "# pipeline\npasses:\n  - cse\n  - {fold: {growth: 4MiB}, deep: true}\nn: -3\nd: 1e-4\ns: \"7\"\nnothing: ~\n");
    assert_non_null(y);
    assert_true(y->kind == OX_Y_MAP && y->n == 5);
    const ox_yaml *p = ox_yaml_get(y, "passes");
    assert_true(p->kind == OX_Y_LIST && p->n == 2 && p->line == 3 && p->column == 3);
    assert_string_equal(p->items[0].text, "cse");
    assert_true(p->items[1].key_marks[1].line == 4 && p->items[1].key_marks[1].column == 28);
    uint64_t size;
    bool yes;
    int64_t n;
    double d;
    assert_int_equal(ox_yaml_size(c, "f", ox_yaml_get(ox_yaml_get(&p->items[1], "fold"), "growth"), "growth", &size),
                     0);
    assert_int_equal(size, 4 << 20);
    assert_int_equal(ox_yaml_bool(c, "f", ox_yaml_get(&p->items[1], "deep"), "deep", &yes), 0);
    assert_true(yes);
    assert_int_equal(ox_yaml_int(c, "f", ox_yaml_get(y, "n"), "n", -5, 5, &n), 0);
    assert_int_equal(n, -3);
    assert_int_equal(ox_yaml_double(c, "f", ox_yaml_get(y, "d"), "d", &d), 0);
    assert_true(d == 1e-4);
    assert_int_equal(ox_yaml_get(y, "nothing")->kind, OX_Y_NULL);
    assert_null(ox_yaml_get(y, "absent"));
    assert_int_equal(ox_yaml_int(c, "f", ox_yaml_get(y, "s"), "s", 0, 9, &n), -1);
    assert_string_equal(ox_error_text(c), "f:7:4: s must be an integer, not \"7\"");
    assert_int_equal(ox_yaml_int(c, "f", ox_yaml_get(y, "n"), "n", 0, 9, &n), -1);
    assert_string_equal(ox_error_text(c), "f:5:4: n is -3, allowed is 0 to 9");
}

static void what_is_not_needed_is_refused(void **state) {
    ox_ctx *c = *state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"a: &x 1", "p.yaml:1:4: anchors are not allowed: &x"},
        {"a: *x", "p.yaml:1:4: aliases are not allowed: *x"},
        {"a: !!int 1", "p.yaml:1:4: tags are not allowed"},
        {"a: 1\nb: 2\na: 3", "p.yaml:3:1: key \"a\" is there twice"},
        {"a: 1\n---\nb: 2", "p.yaml:2:1: a second document"},
        {"a:\n\t- b", "p.yaml:2:1: "},
        {"a: [1, 2", "p.yaml:2:1: "},
        {"a: \"x", "p.yaml:1:"},
        {"", "p.yaml:1:1: the file is empty"},
        {"# only this\n", "p.yaml:1:1: the file is empty"},
        {"a: b\n\xff", "p.yaml:2:1: invalid UTF-8"},
        {"[a]: 1", "p.yaml:1:1: a key must be plain text"},
        {"a: \"\\0\"", "p.yaml:1:4: NUL in a text"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(parse(c, bad[i].text));
        assert_int_equal(ox_error_code(c), OX_CONFIG);
        if (strncmp(ox_error_text(c), bad[i].message, strlen(bad[i].message))) fail_msg("%s", ox_error_text(c));
    }
    assert_null(ox_yaml_parse(c, c->arena, "a: 1\0", 5, "p.yaml"));
    assert_string_equal(ox_error_text(c), "p.yaml:1:5: NUL byte");
}

static void size_and_depth_are_bounded(void **state) {
    ox_ctx *c = *state;
    size_t n = (1 << 20) + 1;
    char *text = test_malloc(n + 1);
    memset(text, '[', n);
    text[n] = 0;
    assert_null(ox_yaml_parse(c, c->arena, text, n, "p.yaml"));
    assert_non_null(strstr(ox_error_text(c), "1048576"));
    assert_null(ox_yaml_parse(c, c->arena, text, n - 1, "p.yaml"));
    assert_non_null(strstr(ox_error_text(c), "64"));
    memset(text + 64, ']', 64);
    assert_non_null(ox_yaml_parse(c, c->arena, text, 128, "p.yaml"));
    test_free(text);
}

static void sizes_have_units(void **state) {
    (void)state;
    uint64_t n;
    assert_true(ox_size_parse("64KiB", &n) && n == 65536);
    assert_true(ox_size_parse("10M", &n) && n == 10 << 20);
    assert_true(ox_size_parse("7", &n) && n == 7);
    assert_true(ox_size_parse("7B", &n) && n == 7);
    static const char *const bad[] = {"", "K", "-1", "1.5G", "1x", "99999999999999999999", "17179869184G", "1 000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(ox_size_parse(bad[i], &n));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(documents_become_trees), T(what_is_not_needed_is_refused),
                                       T(size_and_depth_are_bounded), T(sizes_have_units)};
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
