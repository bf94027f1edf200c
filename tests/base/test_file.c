/* Inputs, outputs and the policy for external data, in a folder of its own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/base_private.h"
#include "base/file.h"

static char home[] = "/tmp/ox-test-XXXXXX";

static void put(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void expect_text(const char *path, const char *text) {
    char buf[256] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    buf[fread(buf, 1, sizeof buf - 1, f)] = 0;
    fclose(f);
    assert_string_equal(buf, text);
}

static int make_home(void **state) {
    (void)state;
    if (!mkdtemp(home) || chdir(home)) return -1;
    mkdir("m", 0755);
    mkdir("m/sub", 0755);
    mkdir("cache", 0755);
    mkdir("cache/blobs", 0755);
    mkdir("cache/snap", 0755);
    put("m/model.onnx", "model");
    put("m/w.bin", "weights");
    put("m/sub/w..bin", "weights");
    put("secret", "secret");
    put("cache/blobs/1", "model");
    put("cache/blobs/2", "weights");
    bool bad = symlink("sub/w..bin", "m/inside") || symlink("../secret", "m/outside") || symlink("..", "m/up") ||
               symlink("/etc/passwd", "m/absolute") || symlink("loop", "m/loop") || symlink("nothing", "m/dangling") ||
               symlink("/proc/self/mem", "m/magic") || link("m/w.bin", "m/hard") || mkfifo("m/fifo", 0644) ||
               symlink("../blobs/1", "cache/snap/model.onnx") || symlink("../blobs/2", "cache/snap/data") ||
               symlink("../../secret", "cache/snap/out");
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "m/socket"};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    bad = bad || bind(s, (struct sockaddr *)&address, sizeof address);
    close(s);
    return bad ? -1 : 0;
}

static int remove_home(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", home);
    return chdir("/") || system(command) ? -1 : 0;
}

static int setup(void **state) { return (*state = ox_ctx_new()) ? 0 : -1; }
static int teardown(void **state) {
    ox_ctx_free(*state);
    return 0;
}

static void inputs_are_mapped(void **state) {
    ox_ctx *c = *state;
    ox_file *f = ox_file_open(c, "m/w.bin");
    assert_non_null(f);
    assert_int_equal(f->size, 7);
    assert_memory_equal(f->data, "weights", 7);
    assert_true(f->mapped && f->ino);
    ox_file_close(f);
    static const struct {
        const char *path;
        int code;
    } bad[] = {{"none", OX_NO_INPUT}, {"m", OX_BAD_DATA}, {"m/socket", OX_BAD_DATA}, {"/dev/zero", OX_BAD_DATA}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(ox_file_open(c, bad[i].path));
        assert_int_equal(ox_error_code(c), bad[i].code);
        assert_non_null(strstr(ox_error_text(c), bad[i].path));
    }
}

static void pipes_are_read_to_the_limit(void **state) {
    ox_ctx *c = *state;
    int saved = dup(0), ends[2];
    for (int round = 0; round < 2; round++) {
        assert_int_equal(pipe(ends), 0);
        dup2(ends[0], 0);
        assert_int_equal(write(ends[1], "0123456789", 10), 10);
        close(ends[0]);
        close(ends[1]);
        c->limits.file_bytes = round ? 9 : 10;
        ox_file *f = ox_file_open(c, "-");
        if (round) {
            assert_null(f);
            assert_int_equal(ox_error_code(c), OX_BAD_DATA);
        } else {
            assert_non_null(f);
            assert_int_equal(f->size, 10);
            ox_file_close(f);
        }
    }
    dup2(saved, 0);
    close(saved);
}

static const struct {
    const char *location;
    int code;
} places[] = {
    {"w.bin", 0},
    {"./w.bin", 0},
    {"sub/w..bin", 0},
    {"sub/../w.bin", 0},
    {"inside", 0},
    {"hard", 0},
    {"", OX_BAD_DATA},
    {"none", OX_NO_INPUT},
    {"dangling", OX_NO_INPUT},
    {"w.bin/", OX_NO_INPUT},
    {"w.bin/x", OX_NO_INPUT},
    {"../secret", OX_POLICY},
    {"sub/../../secret", OX_POLICY},
    {"nope/../../secret", OX_POLICY},
    {"/etc/passwd", OX_POLICY},
    {"//etc/passwd", OX_POLICY},
    {"outside", OX_POLICY},
    {"up/secret", OX_POLICY},
    {"up/m/w.bin", OX_POLICY},
    {"absolute", OX_POLICY},
    {"loop", OX_POLICY},
    {"magic", OX_POLICY},
    {"fifo", OX_POLICY},
    {"socket", OX_POLICY},
    {"sub", OX_POLICY},
    {".", OX_POLICY},
};

static void locations_obey_the_policy(void **state) {
    ox_ctx *c = *state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        ox_clear_error(c);
        ox_file *f = ox_file_open_beneath(c, "m/model.onnx", places[i].location);
        if (ox_error_code(c) != places[i].code)
            fail_msg("%s: %d %s", places[i].location, ox_error_code(c), ox_error_text(c));
        if (!places[i].code) assert_memory_equal(f->data, "weights", 7);
        ox_file_close(f);
    }
    assert_null(ox_file_open_beneath(c, "-", "w.bin"));
    assert_int_equal(ox_error_code(c), OX_POLICY);
}

/* Where openat2 is not to be had, the walk decides the same. */
static void the_walk_agrees_with_the_kernel(void **state) {
    (void)state;
    int dir = open("m", O_PATH | O_DIRECTORY);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char name[256];
        int parent = -1;
        struct stat st;
        int fd = ox_walk_beneath(dir, places[i].location, &parent, name);
        bool regular = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);
        if (strcmp(places[i].location, "w.bin/") && regular != (places[i].code == 0))
            fail_msg("%s", places[i].location);
        if (fd >= 0) {
            assert_int_equal(faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW), 0);
            close(parent);
            close(fd);
        }
    }
    close(dir);
}

static void cache_layout_is_allowed(void **state) {
    ox_ctx *c = *state;
    ox_file *f = ox_file_open_beneath(c, "cache/snap/model.onnx", "data");
    assert_non_null(f);
    assert_string_equal(f->name, "cache/snap/data");
    assert_int_equal(f->size, 7);
    ox_file_close(f);
    assert_null(ox_file_open_beneath(c, "cache/snap/model.onnx", "out"));
    assert_int_equal(ox_error_code(c), OX_POLICY);
    assert_null(
        ox_file_open_beneath(c, "cache/snap/model.onnx", "../blobs/2")); /* only by a link of the model's folder */
    assert_int_equal(ox_error_code(c), OX_POLICY);
}

static int files_here(void) {
    int n = 0;
    FILE *p = popen("ls -A . | grep -c tmp", "r");
    if (fscanf(p, "%d", &n) != 1) n = -1;
    pclose(p);
    return n;
}

static void outputs_appear_whole_or_not(void **state) {
    ox_ctx *c = *state;
    put("old", "old");
    chmod("old", 0640);
    ox_out *o = ox_out_open(c, "old");
    assert_int_equal(ox_out_write(o, "new ", 4), 0);
    ox_file *f = ox_file_open(c, "m/w.bin");
    assert_int_equal(ox_out_copy(o, f, 1, 3), 0);
    assert_int_equal(ox_out_zeros(o, 2), 0);
    assert_int_equal(ox_out_position(o), 9);
    expect_text("old", "old");
    assert_int_equal(files_here(), 1);
    assert_int_equal(ox_out_commit(o), 0);
    ox_out_close(o);
    expect_text("old", "new eig");
    struct stat st;
    stat("old", &st);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, 9);

    o = ox_out_open(c, "old");
    assert_int_equal(ox_out_write(o, "x", 1), 0);
    ox_out_close(o);
    o = ox_out_open(c, "other");
    ox_out_abandon_all(false);
    assert_int_equal(files_here(), 0);
    ox_out_close(o);
    assert_int_equal(access("other", F_OK), -1);
    ox_out_open(c, "left to the context");
    ox_file_close(f);
}

/* The last one cannot have its name: those before give theirs back, a new one as well as one that replaced an older file. */
static void outputs_appear_together_or_none(void **state) {
    ox_ctx *c = *state;
    put("data", "old data");
    ox_outs outs = {0}, report = {0};
    ox_outs_add(&outs, c->arena, ox_out_text(c, "data", "new data", 8));
    ox_outs_add(&outs, c->arena, ox_out_text(c, "model", "new model", 9));
    ox_outs_add(&report, c->arena, ox_out_text(c, "report", "new report", 10));
    assert_int_equal(mkdir("model", 0700), 0);
    put("model/taken", "");
    assert_int_equal(ox_outs_commit(&outs, &report), -1);
    assert_int_equal(ox_error_code(c), OX_CANT_CREATE);
    ox_outs_close(&outs);
    ox_outs_close(&report);
    expect_text("data", "old data");
    assert_int_equal(access("report", F_OK), -1);
    assert_int_equal(files_here(), 0);

    assert_int_equal(unlink("model/taken") || rmdir("model"), 0);
    ox_outs_add(&outs, c->arena, ox_out_text(c, "data", "new data", 8));
    ox_outs_add(&outs, c->arena, ox_out_text(c, "model", "new model", 9));
    assert_int_equal(ox_outs_commit(&outs, NULL), 0);
    ox_outs_close(&outs);
    expect_text("data", "new data");
    expect_text("model", "new model");
    assert_int_equal(files_here(), 0);
    assert_int_equal(unlink("data") || unlink("model"), 0);
}

static void large_ranges_are_copied(void **state) {
    ox_ctx *c = *state;
    size_t n = 5 << 20;
    char *data = test_malloc(n);
    for (size_t i = 0; i < n; i++) data[i] = (char)(i * 2654435761u >> 13);
    assert_int_equal(ox_write_text(c, "big", data, n), 0);
    ox_file *f = ox_file_open(c, "big");
    ox_out *o = ox_out_open(c, "big2");
    assert_int_equal(ox_out_write(o, "ab", 2), 0);
    assert_int_equal(ox_out_copy(o, f, 3, n - 3), 0);
    assert_int_equal(ox_out_write(o, "c", 1), 0);
    assert_int_equal(ox_out_copy(o, f, 1, n), -1);
    assert_int_equal(ox_error_code(c), OX_BAD_DATA);
    assert_int_equal(ox_out_commit(o), 0);
    ox_out_close(o);
    ox_file *g = ox_file_open(c, "big2");
    assert_int_equal(g->size, n);
    assert_memory_equal(g->data + 2, data + 3, n - 3);
    assert_int_equal(g->data[n - 1], 'c');
    ox_file_close(f);
    ox_file_close(g);
    test_free(data);
}

static void bad_outputs_are_refused(void **state) {
    ox_ctx *c = *state;
    put("in", "in");
    assert_int_equal(link("in", "in2") | symlink("in", "in3"), 0);
    char name[300];
    memset(name, 'n', 299);
    name[299] = 0;
    const char *const bad[] = {"no/where", "m", "m/", "m/model.onnx/x", "in3", "m/fifo", "/dev/full", "", name};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(ox_out_open(c, bad[i]));
        assert_int_equal(ox_error_code(c), OX_CANT_CREATE);
    }
    ox_file *f = ox_file_open(c, "in");
    const char *const same[] = {"in", "./in", "m/../in", "in2"};
    for (size_t i = 0; i < 4; i++) {
        assert_null(ox_out_open(c, same[i]));
        assert_int_equal(ox_error_code(c), OX_CANT_CREATE);
    }
    ox_file_close(f);
    ox_out *first = ox_out_open(c, "in"); /* no input any more, but an output now */
    assert_non_null(first);
    for (size_t i = 0; i < 3; i++) {
        assert_null(ox_out_open(c, same[i]));
        assert_int_equal(ox_error_code(c), OX_CANT_CREATE);
    }
    ox_out_close(first);
    ox_arena *a = ox_arena_new(c);
    char *text;
    size_t len;
    assert_int_equal(ox_read_text(c, a, "in", 100, OX_CONFIG, &text, &len), 0);
    assert_null(ox_out_open(c, "in2")); /* texts stay inputs */
    ox_arena_free(a);
    assert_int_equal(files_here(), 0);
}

static void a_full_standard_output_is_an_error(void **state) {
    ox_ctx *c = *state;
    fflush(stdout);
    int saved = dup(1), full = open("/dev/full", O_WRONLY);
    dup2(full, 1);
    int result = ox_write_text(c, "-", "text", 4);
    dup2(saved, 1);
    close(saved);
    close(full);
    assert_int_equal(result, -1);
    assert_int_equal(ox_error_code(c), OX_IO);
}

static void texts_have_a_limit(void **state) {
    ox_ctx *c = *state;
    ox_arena *a = ox_arena_new(c);
    char *text;
    size_t len;
    assert_int_equal(ox_read_text(c, a, "secret", 6, OX_CONFIG, &text, &len), 0);
    assert_string_equal(text, "secret");
    assert_int_equal(ox_read_text(c, a, "secret", 5, OX_CONFIG, &text, &len), -1);
    assert_int_equal(ox_error_code(c), OX_CONFIG);
    assert_int_equal(ox_read_text(c, a, "none", 5, OX_CONFIG, &text, &len), -1);
    assert_int_equal(ox_error_code(c), OX_NO_INPUT);
    ox_arena_free(a);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(inputs_are_mapped),
        T(pipes_are_read_to_the_limit),
        T(locations_obey_the_policy),
        T(the_walk_agrees_with_the_kernel),
        T(cache_layout_is_allowed),
        T(outputs_appear_whole_or_not),
        T(outputs_appear_together_or_none),
        T(large_ranges_are_copied),
        T(bad_outputs_are_refused),
        T(a_full_standard_output_is_an_error),
        T(texts_have_a_limit),
    };
    return cmocka_run_group_tests_name("file", tests, make_home, remove_home);
}
