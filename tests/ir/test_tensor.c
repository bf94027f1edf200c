/* Tensors: sizes from files, views, sharing, strings, equality. */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int setup(void **state) { return (*state = ox_ctx_new()) ? 0 : -1; }

/* Nothing may be left alive. */
static int teardown(void **state) {
    uint64_t left = ox_payload_bytes(*state);
    ox_ctx_free(*state);
    return left ? -1 : 0;
}

static void sizes_are_checked(void **state) {
    ox_ctx *c = *state;
    int64_t huge[] = {0, INT64_MAX, INT64_MAX}, negative[] = {2, -1}, big[] = {INT64_MAX / 2}, ones[65];
    for (int i = 0; i < 65; i++) ones[i] = 1;
    assert_null(ox_tensor_new(c, OX_FLOAT, 3, huge));
    assert_int_equal(ox_error_code(c), OX_BAD_DATA);
    assert_null(ox_tensor_new(c, OX_FLOAT, 2, negative));
    assert_null(ox_tensor_new(c, OX_FLOAT, 1, big));
    assert_null(ox_tensor_new(c, OX_FLOAT, 65, ones));
    assert_null(ox_tensor_new(c, OX_UNDEFINED, 0, NULL));
    ox_tensor *t = ox_tensor_new(c, OX_FLOAT, 64, ones);
    assert_non_null(t);
    assert_int_equal(t->count, 1);
    ox_tensor_unref(t);
    int64_t empty[] = {0, 3};
    t = ox_tensor_new(c, OX_FLOAT, 2, empty);
    assert_non_null(t);
    assert_non_null(ox_tensor_data(t));
    ox_tensor_unref(t);
    ox_tensor_unref(NULL);
}

static void views_are_aligned(void **state) {
    ox_ctx *c = *state;
    _Alignas(8) uint8_t file[32];
    for (int i = 0; i < 32; i++) file[i] = (uint8_t)i;
    int64_t dims[] = {3};
    ox_tensor *t = ox_tensor_new_view(c, OX_INT32, 1, dims, file + 4, NULL),
              *u = ox_tensor_new_view(c, OX_INT32, 1, dims, file + 5, NULL);
    assert_ptr_equal(ox_tensor_data(t), file + 4);
    const void *p = ox_tensor_data(u);
    assert_ptr_not_equal(p, file + 5);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_memory_equal(p, file + 5, 12);
    assert_ptr_equal(ox_tensor_data(u), p);
    assert_false(ox_tensor_equal(t, u));
    ox_tensor_unref(t);
    ox_tensor_unref(u);
}

static int fill(ox_ctx *c, ox_tensor *t) {
    t->own = ox_payload_alloc(c, (size_t)t->bytes);
    if (!t->own) return -1;
    memset(t->own, 1, (size_t)t->bytes);
    return 0;
}

static int refuse(ox_ctx *c, ox_tensor *t) {
    (void)t;
    return ox_fail(c, OX_IO, "gone");
}

static void decoding(void **state) {
    ox_ctx *c = *state;
    int64_t dims[] = {4};
    ox_tensor *t = ox_tensor_new_view(c, OX_INT8, 1, dims, NULL, NULL);
    t->decode = fill;
    ox_tensor *r = ox_tensor_reshaped(c, t, OX_UINT8, 1, dims);
    assert_int_equal(((const uint8_t *)ox_tensor_data(r))[3], 1);
    assert_ptr_equal(ox_tensor_data(r), ox_tensor_data(t));
    ox_tensor_unref(t);
    assert_int_equal(((const uint8_t *)ox_tensor_data(r))[0], 1);
    ox_tensor_unref(r);
    t = ox_tensor_new_view(c, OX_INT8, 1, dims, NULL, NULL);
    assert_null(ox_tensor_data(t));
    t->decode = refuse;
    assert_null(ox_tensor_data(t));
    assert_string_equal(ox_error_text(c), "gone");
    ox_tensor_unref(t);
}

static void reshaping(void **state) {
    ox_ctx *c = *state;
    int64_t v[] = {1, 2, 3, 4, 5, 6}, d23[] = {2, 3}, d32[] = {3, 2}, d4[] = {4};
    ox_tensor *t = ox_tensor_ints(c, 6, v), *r = ox_tensor_reshaped(c, t, OX_INT64, 2, d23),
              *s = ox_tensor_reshaped(c, r, OX_UINT64, 2, d32);
    assert_non_null(s);
    assert_ptr_equal(s->base, t); /* no chains */
    assert_null(ox_tensor_reshaped(c, t, OX_INT64, 1, d4));
    assert_null(ox_tensor_reshaped(c, t, OX_INT32, 2, d23));
    assert_null(ox_tensor_reshaped(c, t, OX_STRING, 2, d23));
    assert_false(ox_tensor_equal(t, r));
    ox_tensor *same = ox_tensor_ints(c, 6, v);
    assert_true(ox_tensor_equal(t, same));
    assert_int_equal(ox_tensor_hash(t), ox_tensor_hash(same));
    ox_tensor_unref(same);
    ox_tensor_unref(t);
    ox_tensor_unref(r);
    ox_tensor_unref(s);
}

static void strings(void **state) {
    ox_ctx *c = *state;
    int64_t d[] = {2};
    ox_tensor *t = ox_tensor_new(c, OX_STRING, 1, d), *u = ox_tensor_new(c, OX_STRING, 1, d);
    char text[] = "a\0b";
    assert_true(ox_tensor_equal(t, u));
    assert_int_equal(ox_tensor_set_str(t, 1, text, 3), 0);
    assert_false(ox_tensor_equal(t, u));
    text[0] = 'x'; /* the tensor has its own copy */
    assert_memory_equal(((const ox_str *)ox_tensor_data(t))[1].data, "a\0b", 4);
    ox_tensor_set_str(u, 1, "a\0b", 3);
    assert_true(ox_tensor_equal(t, u));
    assert_int_equal(ox_tensor_hash(t), ox_tensor_hash(u));
    assert_int_equal(ox_tensor_set_str(t, 2, "", 0), -1);
    ox_tensor_unref(t);
    ox_tensor_unref(u);
}

static void padding_bits_do_not_count(void **state) {
    ox_ctx *c = *state;
    int64_t d[] = {3};
    uint8_t a[] = {0x21, 0x03}, b[] = {0x21, 0xf3}, other[] = {0x21, 0x04};
    ox_tensor *t = ox_tensor_new_view(c, OX_INT4, 1, d, a, NULL), *u = ox_tensor_new_view(c, OX_INT4, 1, d, b, NULL),
              *v = ox_tensor_new_view(c, OX_INT4, 1, d, other, NULL);
    assert_true(ox_tensor_equal(t, u));
    assert_int_equal(ox_tensor_hash(t), ox_tensor_hash(u));
    assert_false(ox_tensor_equal(t, v));
    ox_tensor_unref(t);
    ox_tensor_unref(u);
    ox_tensor_unref(v);
}

static void as_integers(void **state) {
    ox_ctx *c = *state;
    ox_arena *arena = ox_arena_new(c);
    int64_t d[] = {3};
    uint8_t nibbles[] = {0xf1, 0x08};
    ox_tensor *t = ox_tensor_new_view(c, OX_INT4, 1, d, nibbles, NULL);
    const int64_t *v = ox_tensor_to_ints(arena, t);
    assert_true(v && v[0] == 1 && v[1] == -1 && v[2] == -8);
    ox_tensor_unref(t);
    t = ox_tensor_scalar_double(c, OX_FLOAT, 1);
    assert_null(ox_tensor_to_ints(arena, t));
    ox_tensor_unref(t);
    t = ox_tensor_scalar_int(c, OX_UINT64, -1);
    assert_null(ox_tensor_to_ints(arena, t));
    ox_tensor_unref(t);
    t = ox_tensor_ints(c, 0, NULL);
    assert_non_null(ox_tensor_to_ints(arena, t));
    ox_tensor_unref(t);
    ox_arena_free(arena);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(sizes_are_checked), T(views_are_aligned),         T(decoding),    T(reshaping),
        T(strings),           T(padding_bits_do_not_count), T(as_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
