/* The text form, golden: every case of a file is parsed and printed in both forms.
 *
 *   === name of the case
 *   text
 *   --- human
 *   what is printed for people
 *   --- exact
 *   what is printed in full
 *
 * The exact text must parse to a message that prints it again, and so must the human text where nothing is elided.
 * test_text FILE; OX_UPDATE=1 writes what came out as what is expected: read the difference before committing.
 * Besides: differences of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/onnx.h"

static const char *golden_file;

/* "" when the text does not parse. */
static const char *print_text(ox_ctx *ctx, ox_arena *arena, const char *text, bool full) {
    ox_message *msg = ox_message_parse(ctx, text, strlen(text), "case");
    if (!msg) return "";
    ox_text out = {.arena = arena};
    assert_int_equal(ox_message_print(msg, &(ox_print_options){.full = full}, &out), 0);
    ox_message_free(msg);
    return out.data;
}

static bool same(const char *name, const char *form, const char *expected, const char *got) {
    if (!strcmp(expected, got)) return true;
    print_error("%s, %s: expected\n%s\ngot\n%s\n", name, form, expected, got);
    return false;
}

/* Parts of a case: name, text, human, exact. */
static bool run_case(FILE *update, char *part[4]) {
    ox_ctx *ctx = ox_ctx_new();
    ox_arena *arena = ox_arena_new(ctx);
    const char *human = print_text(ctx, arena, part[1], false), *exact = print_text(ctx, arena, part[1], true);
    if (!*exact) print_error("%s: %s\n", part[0], ox_error_text(ctx));
    bool good = *exact != 0;
    if (update)
        fprintf(update, "=== %s\n%s--- human\n%s--- exact\n%s", part[0], part[1], human, exact);
    else if (good)
        good = same(part[0], "human", part[2], human) && same(part[0], "exact", part[3], exact);
    good = good && same(part[0], "exact again", exact, print_text(ctx, arena, exact, true));
    bool valid = strncmp(part[1], "@exact", 6) != 0; /* else a record of anything, which only the exact form can say */
    if (good && valid && !strstr(human, "...")) good = same(part[0], "human again", human, print_text(ctx, arena, human, false));
    ox_arena_free(arena);
    ox_ctx_free(ctx);
    return good;
}

/* Ends the part before `mark` and returns what follows it. */
static char *cut(char *text, const char *mark) {
    char *at = strstr(text, mark);
    if (!at) fail_msg("%s: no '%s' in a case", golden_file, mark);
    *at = 0;
    return at + strlen(mark);
}

static void test_golden(void **state) {
    (void)state;
    ox_ctx *ctx = ox_ctx_new();
    ox_arena *arena = ox_arena_new(ctx);
    char *text = NULL;
    size_t len;
    bool update = getenv("OX_UPDATE") != NULL, good = true;
    assert_int_equal(ox_read_text(ctx, arena, golden_file, 1 << 20, OX_BAD_DATA, &text, &len), 0);
    FILE *out = update ? fopen(golden_file, "w") : NULL;
    int n = 0;
    for (char *next = strstr(text, "=== "), *part[4]; next; n++) {
        part[0] = next + 4;
        next = strstr(part[0], "\n=== ");
        if (next) *++next = 0; /* the name comes behind "=== " */
        part[1] = cut(part[0], "\n");
        if (update && !strstr(part[1], "--- human\n")) { /* a new case */
            part[2] = part[3] = part[1];
        } else {
            part[2] = cut(part[1], "--- human\n");
            part[3] = cut(part[2], "--- exact\n");
        }
        if (!run_case(out, part)) good = false;
    }
    if (out) fclose(out);
    assert_true(n > 0);
    assert_true(good);
    ox_arena_free(arena);
    ox_ctx_free(ctx);
}

static void check_diff(const char *a, const char *b, int context, const char *expected) {
    ox_ctx *ctx = ox_ctx_new();
    ox_arena *arena = ox_arena_new(ctx);
    ox_text out = {.arena = arena};
    assert_int_equal(ox_text_diff(arena, a, b, context, &out), 0);
    assert_string_equal(out.data ? out.data : "", expected);
    ox_arena_free(arena);
    ox_ctx_free(ctx);
}

static void test_diff(void **state) {
    (void)state;
    check_diff("", "", 3, "");
    check_diff("a\nb\n", "a\nb\n", 3, "");
    check_diff("", "a\n", 3, "@@ -0,0 +1 @@\n+a\n");
    check_diff("a\nb\n", "", 3, "@@ -1,2 +0,0 @@\n-a\n-b\n");
    check_diff("1\n2\n3\n4\n5\n", "1\n2\nx\n4\n5\n", 1, "@@ -2,3 +2,3 @@\n 2\n-3\n+x\n 4\n");
    check_diff("1\n2\n3\n4\n5\n6\n7\n", "0\n1\n2\n3\n4\n5\n6\n", 0, "@@ -0,0 +1 @@\n+0\n@@ -7 +7,0 @@\n-7\n");
    check_diff("1\n2\n3\n4\n5\n6\n7\n", "0\n1\n2\n3\n4\n5\n6\n", 3,
               "@@ -1,7 +1,7 @@\n+0\n 1\n 2\n 3\n 4\n 5\n 6\n-7\n");
    check_diff("}\n}\na\n}\n}\n", "}\n}\nb\n}\n}\n}\n", 1, "@@ -2,3 +2,4 @@\n }\n-a\n+b\n+}\n }\n");
    check_diff("x\nx\ny\nx\n", "y\nx\nx\nx\n", 0, "@@ -1,2 +0,0 @@\n-x\n-x\n@@ -4,0 +3,2 @@\n+x\n+x\n");
}

/* Texts that have nothing in common, and one that is moved as a whole: done in no time. */
static void test_long_diff(void **state) {
    (void)state;
    enum { N = 50000 };
    ox_ctx *ctx = ox_ctx_new();
    ox_arena *arena = ox_arena_new(ctx);
    ox_text a = {.arena = arena}, b = {.arena = arena}, c = {.arena = arena}, out = {.arena = arena};
    for (int i = 0; i < N; i++) {
        ox_text_addf(&a, "%d\n", i % 7);
        ox_text_addf(&b, "%d\n", 7 + i % 5);
        ox_text_addf(&c, "%d\n", (i * 31) % 7);
    }
    assert_int_equal(ox_text_diff(arena, a.data, b.data, 3, &out), 0);
    assert_int_equal(ox_text_diff(arena, a.data, c.data, 3, &out), 0);
    assert_true(out.len > 0);
    ox_arena_free(arena);
    ox_ctx_free(ctx);
}

int main(int argc, char **argv) {
    golden_file = argc > 1 ? argv[1] : "print.txt";
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_diff),
                                       cmocka_unit_test(test_long_diff)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
