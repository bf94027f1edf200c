/* Types: meet, join, text. */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static ox_ctx *ctx;
static ox_arena *arena;

static int setup(void **state) {
    (void)state;
    if (!(ctx = ox_ctx_new())) return -1;
    arena = ox_arena_new(ctx);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    ox_arena_free(arena);
    ox_ctx_free(ctx);
    return 0;
}

/* "N" a symbol, "3" a number, "?" unknown, "." a nameless symbol. */
static const ox_type *make(ox_dtype t, const char *dims) {
    ox_dim d[8];
    int n = 0;
    if (!dims) return ox_type_tensor(arena, t, -1, NULL);
    for (; *dims; dims++) {
        char name[2] = {*dims, 0};
        d[n++] = *dims == '?'                     ? NULL
                 : *dims == '.'                   ? ox_dim_fresh(ctx)
                 : *dims >= '0' && *dims <= '9' ? ox_dim_const(ctx, *dims - '0')
                                                  : ox_dim_symbol(ctx, ox_intern(ctx, name));
    }
    return ox_type_tensor(arena, t, n, d);
}

static const char *meet(const ox_type *a, const ox_type *b) {
    bool conflict;
    const ox_type *t = ox_type_meet(arena, a, b, &conflict);
    return ox_format(arena, "%s%s", ox_type_text(arena, t), conflict ? " !" : "");
}

static void meets(void **state) {
    (void)state;
    assert_string_equal(meet(make(OX_FLOAT, "N?3"), make(OX_FLOAT, "24?")), "float[2,4,3]");
    assert_string_equal(meet(make(OX_FLOAT, "2"), make(OX_FLOAT, "3")), "float[2] !");
    assert_string_equal(meet(make(OX_FLOAT, "2?"), make(OX_INT64, "?5")), "float[2,5] !");
    assert_string_equal(meet(make(OX_FLOAT, "2"), make(OX_FLOAT, "22")), "float[2] !");
    assert_string_equal(meet(make(OX_FLOAT, NULL), make(OX_UNDEFINED, "N")), "float[N]");
    assert_string_equal(meet(make(OX_FLOAT, "N"), make(OX_FLOAT, "M")), "float[N]");
    assert_string_equal(meet(make(OX_FLOAT, "."), make(OX_FLOAT, "M")), "float[M]");
    assert_string_equal(meet(NULL, make(OX_FLOAT, "")), "float");
    assert_string_equal(meet(make(OX_FLOAT, "N"), ox_type_of(arena, OX_K_SEQUENCE, NULL)), "float[N] !");
    assert_string_equal(
        meet(ox_type_of(arena, OX_K_SEQUENCE, NULL), ox_type_of(arena, OX_K_SEQUENCE, make(OX_INT64, NULL))),
        "seq(tensor(int64))");
    const ox_type *t = make(OX_FLOAT, "N3");
    assert_ptr_equal(ox_type_meet(arena, t, make(OX_FLOAT, "??"), NULL), t);
}

static void joins(void **state) {
    (void)state;
    assert_string_equal(ox_type_text(arena, ox_type_join(arena, make(OX_FLOAT, "N3"), make(OX_FLOAT, "N4"))),
                        "float[N,?]");
    assert_string_equal(ox_type_text(arena, ox_type_join(arena, make(OX_FLOAT, "N3"), make(OX_FLOAT, "N"))), "float[]");
    assert_null(ox_type_join(arena, make(OX_FLOAT, "N3"), NULL));
    assert_null(ox_type_join(arena, make(OX_FLOAT, "N3"), ox_type_of(arena, OX_K_SEQUENCE, NULL)));
}

static void text(void **state) {
    (void)state;
    assert_string_equal(ox_type_text(arena, NULL), "?");
    assert_string_equal(ox_type_text(arena, make(OX_FLOAT16, "N3?")), "float16[N,3,?]");
    assert_string_equal(
        ox_type_text(arena, ox_type_of(arena, OX_K_OPTIONAL, ox_type_of(arena, OX_K_SEQUENCE, make(OX_BOOL, "2")))),
        "optional(seq(bool[2]))");
    assert_true(ox_type_equal(make(OX_BOOL, "2?"), make(OX_BOOL, "2?")));
    assert_false(ox_type_equal(make(OX_BOOL, "2?"), make(OX_BOOL, "2")));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {T(meets), T(joins), T(text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
