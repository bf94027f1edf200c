/* Real models, where they are: every .onnx below the folders OX_MODELS and OX_ONNX_TESTS, printed in full and parsed
 * again, is the same message and prints the same text; its human form parses, too, where nothing is elided. Messages
 * are compared as the bytes that they are written as. Skipped where neither folder is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx/onnx.h"

static char folder[] = "/tmp/ox-text-XXXXXX";
static char first[64], second[64];
static int models, different;

static int complain(ox_ctx *ctx, const char *path, const char *what) {
    print_error("%s: %s: %s\n", path, what, ox_error_text(ctx));
    return -1;
}

static bool same_files(ox_ctx *ctx) {
    ox_file *a = ox_file_open(ctx, first), *b = ox_file_open(ctx, second);
    bool same = a && b && a->size == b->size && !memcmp(a->data, b->data, a->size);
    ox_file_close(a);
    ox_file_close(b);
    return same;
}

static int trip(ox_ctx *ctx, ox_arena *arena, const char *path, ox_message *msg) {
    ox_text text = {.arena = arena}, again = {.arena = arena}, human = {.arena = arena};
    ox_print_options full = {.full = true};
    if (ox_message_print(msg, &full, &text) < 0) return complain(ctx, path, "print");
    ox_message *back = ox_message_parse(ctx, text.data, text.len, path);
    if (!back) return complain(ctx, path, "parse");
    int rc = 0;
    if (ox_message_write(msg, first) < 0 || ox_message_write(back, second) < 0)
        rc = complain(ctx, path, "write");
    else if (!same_files(ctx))
        rc = complain(ctx, path, "the message differs");
    else if (ox_message_print(back, &full, &again) < 0 || again.len != text.len ||
             memcmp(again.data, text.data, text.len))
        rc = complain(ctx, path, "the second text differs");
    ox_message_free(back);
    if (rc || ox_message_print(msg, NULL, &human) < 0) return rc;
    back = ox_message_parse(ctx, human.data, human.len, path);
    if (!back && !strstr(ox_error_text(ctx), "elided")) rc = complain(ctx, path, "parse of the human form");
    ox_message_free(back);
    return rc;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)ftw;
    size_t len = strlen(path);
    if (type != FTW_F || len < 5 || strcmp(path + len - 5, ".onnx")) return 0;
    ox_ctx *ctx = ox_ctx_new();
    ox_message *msg = ox_message_open(ctx, path);
    if (msg) { /* what cannot be read is the loader's matter */
        ox_arena *arena = ox_arena_new(ctx);
        models++;
        if (trip(ctx, arena, path, msg) < 0) different++;
        ox_arena_free(arena);
    }
    ox_message_free(msg);
    ox_ctx_free(ctx);
    return 0;
}

static void test_models(void **state) {
    (void)state;
    const char *names[] = {"OX_MODELS", "OX_ONNX_TESTS"};
    for (int i = 0; i < 2; i++)
        if (getenv(names[i])) nftw(getenv(names[i]), visit, 16, FTW_PHYS);
    unlink(first);
    unlink(second);
    if (!models) skip();
    print_message("%d models\n", models);
    assert_int_equal(different, 0);
}

int main(void) {
    if (!mkdtemp(folder)) return 1;
    snprintf(first, sizeof first, "%s/first.onnx", folder);
    snprintf(second, sizeof second, "%s/second.onnx", folder);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return rc;
}
