/* External data: locations, ranges, keys, links, checksums, at every place where a tensor may stand. */
#include "build.h"

#include <sys/socket.h>
#include <sys/un.h>

static const bytes none;
static const float six[6] = {1, 2, 3, 4, 5, 6};

static void entry_text(bytes *t, const char *entries) { /* "key=value|key=value" */
    char copy[512], *save, *at;
    snprintf(copy, sizeof copy, "%s", entries);
    for (at = strtok_r(copy, "|", &save); at; at = strtok_r(NULL, "|", &save)) {
        char *value = strchr(at, '=');
        *value++ = 0;
        put_entry(t, at, value);
    }
}

static bytes external_tensor(const char *entries) {
    bytes t = tensor_head("w", 1, DIMS(2));
    entry_text(&t, entries);
    put_num(&t, 14, 1);
    return t;
}

static bytes with_initializer(bytes tensor) {
    bytes extra = {0};
    put_sub(&extra, 5, tensor);
    return relu_model(extra);
}

static int make_data(void **state) {
    int failed = make_folder(state);
    if (failed) return failed;
    write_bytes(in_folder("six.bin"), six, sizeof six);
    write_bytes(in_folder("two.bin"), six, 8);
    write_bytes(in_folder("w..bin"), six, 8);
    write_bytes(in_folder("a b.bin"), six, 8);
    assert_int_equal(mkdir(in_folder("sub"), 0777), 0);
    write_bytes(in_folder("sub/two.bin"), six, 8);
    assert_int_equal(symlink("two.bin", in_folder("inside")), 0);
    assert_int_equal(symlink("/etc/passwd", in_folder("outside")), 0);
    assert_int_equal(symlink("/", in_folder("root")), 0);
    assert_int_equal(symlink("nowhere", in_folder("dangling")), 0);
    assert_int_equal(symlink("circle", in_folder("circle")), 0);
    assert_int_equal(link(in_folder("two.bin"), in_folder("hard")), 0);
    assert_int_equal(mkfifo(in_folder("fifo"), 0666), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", in_folder("socket"));
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    close(s);
    return 0;
}

static void locations(void **state) {
    (void)state;
    static const struct {
        const char *entries;
        int code, other;
        const char *words;
    } cases[] = {
        {"location=two.bin", 0, 0, ""},
        {"location=two.bin|length=8", 0, 0, ""},
        {"location=six.bin|offset=4|length=8", 0, 0, ""},
        {"location=six.bin|offset=16", 0, 0, ""},
        {"location=six.bin|offset=004|length=08", 0, 0, ""},
        {"location=./two.bin", 0, 0, ""},
        {"location=sub/two.bin", 0, 0, ""},
        {"location=w..bin", 0, 0, ""},
        {"location=a b.bin", 0, 0, ""},
        {"location=inside", 0, 0, ""},
        {"location=hard", 0, 0, ""},
        {"location=gone.bin", OX_NO_INPUT, 0, "gone.bin"},
        {"location=../two.bin", OX_POLICY, 0, ""},
        {"location=sub/../../two.bin", OX_POLICY, 0, ""},
        {"location=/etc/passwd", OX_POLICY, 0, ""},
        {"location=//etc/passwd", OX_POLICY, 0, ""},
        {"location=root/etc/passwd", OX_POLICY, 0, ""},
        {"location=outside", OX_POLICY, 0, ""},
        {"location=dangling", OX_NO_INPUT, OX_POLICY, ""},
        {"location=circle", OX_POLICY, OX_NO_INPUT, ""},
        {"location=.", OX_POLICY, OX_BAD_DATA, ""},
        {"location=sub", OX_POLICY, 0, ""},
        {"location=fifo", OX_POLICY, 0, ""},
        {"location=socket", OX_POLICY, 0, ""},
        {"location=", OX_BAD_DATA, 0, "location"},
        {"offset=0", OX_BAD_DATA, 0, "location"},
        {"location=two.bin|location=two.bin", OX_BAD_DATA, 0, "location|twice"},
        {"location=two.bin|offset=0|offset=0", OX_BAD_DATA, 0, "offset|twice"},
        {"location=*/_ORT_MEM_ADDR_/*|offset=140000000|length=8", OX_BAD_DATA, 0, "memory address"},
        {"location=two.bin|key=1|prepacked_0=x", 0, 0, "unknown key 'key'|unknown key 'prepacked_0'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ox_ctx *ctx = new_ctx();
        bytes m = with_initializer(external_tensor(cases[i].entries));
        write_bytes(in_folder("model.onnx"), m.p, m.n);
        free(m.p);
        ox_model *model = ox_model_open(ctx, in_folder("model.onnx"));
        int code = model ? 0 : ox_error_code(ctx);
        if (code != cases[i].code && code != cases[i].other)
            print_error("%s: %d %s\n", cases[i].entries, code, model ? "" : ox_error_text(ctx));
        assert_true(code == cases[i].code || (cases[i].other && code == cases[i].other));
        if (!model) assert_non_null(strstr(ox_error_text(ctx), "'w'"));
        ox_model_free(model);
        ox_ctx_free(ctx);
        if (cases[i].code == code) {
            bytes again = with_initializer(external_tensor(cases[i].entries));
            expect_open(again, code, cases[i].words, cases[i].entries);
        }
    }
}

static void numbers(void **state) {
    (void)state;
    static const char *const bad[] = {"-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x8",
                                      "1.0",
                                      "1e1",
                                      "",
                                      "9223372036854775808",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "eight"};
    char entries[128];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(entries, sizeof entries, "location=six.bin|offset=%s|length=8", bad[i]);
        expect_open(with_initializer(external_tensor(entries)), OX_BAD_DATA, "'w'|'offset'", entries);
        snprintf(entries, sizeof entries, "location=six.bin|offset=0|length=%s", bad[i]);
        expect_open(with_initializer(external_tensor(entries)), OX_BAD_DATA, "'w'|'length'", entries);
    }
    expect_open(with_initializer(external_tensor("location=six.bin|offset=9223372036854775807|length=8")), OX_BAD_DATA,
                "'offset'|past the end", "sum");
    expect_open(with_initializer(external_tensor("location=six.bin|offset=20|length=8")), OX_BAD_DATA, "past the end",
                "range");
    expect_open(with_initializer(external_tensor("location=six.bin|offset=0|length=12")), OX_BAD_DATA, "'length'",
                "length against dims");
    expect_open(with_initializer(external_tensor("location=six.bin")), OX_BAD_DATA, "'length'",
                "no length, longer file");
    bytes t = tensor_head("w", 1, DIMS(1ll << 50));
    entry_text(&t, "location=six.bin|offset=0|length=4503599627370496");
    put_num(&t, 14, 1);
    expect_open(with_initializer(t), OX_BAD_DATA, "past the end", "claims a PiB");
}

static void contradictions(void **state) {
    (void)state;
    bytes t = external_tensor("location=two.bin");
    put_data(&t, 9, six, 8);
    expect_open(with_initializer(t), OX_BAD_DATA, "'w'|raw_data", "raw_data as well");
    t = tensor_head("w", 1, DIMS(2));
    put_num(&t, 14, 1);
    expect_open(with_initializer(t), OX_BAD_DATA, "location", "no entries");
    t = tensor_head("w", 8, DIMS(1));
    entry_text(&t, "location=two.bin");
    put_num(&t, 14, 1);
    expect_open(with_initializer(t), OX_BAD_DATA, "string", "strings");
    t = tensor_raw("w", 1, DIMS(2), six, 8);
    entry_text(&t, "location=../gone|offset=x");
    expect_open(with_initializer(t), 0, "", "entries without the mark");
    bytes extra = {0}; /* two tensors over the same bytes */
    t = tensor_head("v", 1, DIMS(4));
    entry_text(&t, "location=six.bin|offset=8|length=16");
    put_num(&t, 14, 1);
    put_sub(&extra, 5, external_tensor("location=six.bin|offset=4|length=8"));
    put_sub(&extra, 5, t);
    expect_open(relu_model(extra), 0, "", "overlap");
}

/* The same bad tensor in an attribute, a body, a function, training info. */
static void every_place(void **state) {
    (void)state;
    static const char entries[] = "location=../secret";
    bytes n = node("Constant", "", "c"), extra = {0}, m, f = {0}, opset = {0}, g = {0}, info_proto = {0};
    put_sub(&n, 5, attr_tensor("value", external_tensor(entries)));
    put_sub(&extra, 1, n);
    expect_open(relu_model(extra), OX_POLICY, "Constant|'value'|'w'", "attribute");

    bytes body = {0}, branch = node("If", "b", "c"), other = {0};
    put_sub(&body, 1, node("Identity", "w", "o"));
    put_sub(&body, 5, external_tensor(entries));
    put_sub(&body, 12, info("o", 1, DIMS(2)));
    put(&other, body.p, body.n);
    put_sub(&branch, 5, attr_graph("then_branch", body));
    put_sub(&branch, 5, attr_graph("else_branch", other));
    extra = none;
    put_sub(&extra, 1, branch);
    put_sub(&extra, 11, info("b", 9, SCALAR));
    expect_open(relu_model(extra), OX_POLICY, "If|then_branch|'w'", "body");

    m = relu_model(none);
    n = node("Constant", "", "c");
    put_sub(&n, 5, attr_tensor("value", external_tensor(entries)));
    put_str(&f, 1, "fun");
    put_str(&f, 10, "d");
    put_str(&f, 5, "c");
    put_sub(&f, 7, n);
    put_num(&opset, 2, 17);
    put_sub(&f, 9, opset);
    put_sub(&m, 25, f);
    expect_open(m, OX_POLICY, "function 'fun'|'w'", "function");

    m = relu_model(none);
    put_sub(&g, 5, external_tensor(entries));
    put_sub(&info_proto, 1, g);
    put_sub(&m, 20, info_proto);
    expect_open(m, OX_POLICY, "training_info|'w'", "training info");
}

static void checksums(void **state) {
    (void)state;
    /* SHA-1 of the eight bytes of 1.0f, 2.0f, as sha1sum says */
    static const struct {
        const char *sum;
        int code;
    } cases[] = {{"", OX_BAD_DATA},
                 {"3c0cafb62d8ac72fb7ea8ee12dc1a1d5c1e84b3a0", OX_BAD_DATA},
                 {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", OX_BAD_DATA},
                 {"0000000000000000000000000000000000000000", OX_BAD_DATA},
                 {NULL, 0}};
    char right[64] = {0}, command[160], entries[160];
    snprintf(command, sizeof command, "sha1sum '%s'", in_folder("two.bin"));
    FILE *p = popen(command, "r");
    assert_non_null(p);
    assert_int_equal(fread(right, 1, 40, p), 40);
    pclose(p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(entries, sizeof entries, "location=two.bin|checksum=%s", cases[i].sum ? cases[i].sum : right);
        bytes m = with_initializer(external_tensor(entries));
        ox_ctx *ctx = new_ctx();
        write_bytes(in_folder("model.onnx"), m.p, m.n);
        free(m.p);
        ox_message *msg = ox_message_open(ctx, in_folder("model.onnx"));
        assert_non_null(msg);
        int code = ox_message_verify_checksums(msg) ? ox_error_code(ctx) : 0;
        assert_int_equal(code, cases[i].code);
        if (code) assert_non_null(strstr(ox_error_text(ctx), "checksum"));
        ox_message_free(msg);
        ox_ctx_free(ctx);
    }
}

static void data_files(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    bytes extra = {0}, t = tensor_head("v", 1, DIMS(2));
    const char *const *paths;
    size_t n;
    entry_text(&t, "location=sub/two.bin");
    put_num(&t, 14, 1);
    put_sub(&extra, 5, external_tensor("location=six.bin|offset=0|length=8"));
    put_sub(&extra, 5, t);
    bytes m = relu_model(extra);
    write_bytes(in_folder("model.onnx"), m.p, m.n);
    free(m.p);
    ox_message *msg = ox_message_open(ctx, in_folder("model.onnx"));
    assert_non_null(msg);
    assert_int_equal(ox_message_data_files(msg, &paths, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(paths[0], in_folder("six.bin"));
    assert_string_equal(paths[1], in_folder("sub/two.bin"));
    ox_message_free(msg);
    ox_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locations),   cmocka_unit_test(numbers),   cmocka_unit_test(contradictions),
        cmocka_unit_test(every_place), cmocka_unit_test(checksums), cmocka_unit_test(data_files),
    };
    return cmocka_run_group_tests(tests, make_data, remove_folder);
}
