/* Files that are no models, or wrong on the wire: every class gets OX_BAD_DATA, says where, and costs little. */
#include "build.h"

#include <sys/resource.h>
#include <time.h>

static const bytes none;

static void foreign_formats(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *word;
    } cases[] = {
        {"", 0, "empty"},
        {"\x89PNG\r\n\x1a\n....", 12, "PNG"},
        {"PK\3\4aaaaaaaa", 12, "zip"},
        {"\x1f\x8b\x08\0\0\0\0\0", 8, "gzip"},
        {"GGUF\3\0\0\0", 8, "GGUF"},
        {"\x20\0\0\0ORTM\0\0\0\0", 12, "ONNX Runtime"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n", 57, "git-LFS"},
        {"<!DOCTYPE html><html></html>", 28, "HTML"},
        {"just some words\nand more\n", 25, "text"},
        {"\0\0\0\0\0\0\0\0", 8, "offset 0"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "offset 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes b = {0};
        put(&b, cases[i].bytes, cases[i].n);
        expect_open(b, OX_BAD_DATA, cases[i].word, cases[i].word);
    }
}

static void cut_anywhere(void **state) {
    (void)state;
    bytes whole = relu_model(none);
    for (size_t n = 0; n < whole.n; n++) {
        bytes b = {0};
        put(&b, whole.p, n);
        expect_open(b, OX_BAD_DATA, "", "cut");
    }
    expect_open(whole, 0, "", "whole");
}

static void trailing(void **state) {
    (void)state;
    bytes b = relu_model(none);
    put(&b, "\0\0\0\0", 4);
    expect_open(b, OX_BAD_DATA, "offset|field number 0", "zeros behind");
    b = relu_model(none);
    put_num(&b, 999, 5);
    put_str(&b, 1000, "kept");
    expect_open(b, 0, "", "unknown fields");
}

static void varints(void **state) {
    (void)state;
    bytes b = {0};
    put_tag(&b, 1, 0);
    put(&b, "\x88\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11);
    expect_open(b, OX_BAD_DATA, "offset 1|10 bytes", "eleven bytes");
    b = none;
    put(&b, "\x88\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12);
    expect_open(b, OX_BAD_DATA, "offset 0|10 bytes", "tag of twelve bytes");
    bytes m = relu_model(none);
    b = none;
    put(&b, "\x88\x80\x00\x88\x80\x00", 6); /* ir_version = 8, both too long */
    put(&b, m.p + 2, m.n - 2);
    free(m.p);
    expect_open(b, 0, "", "not minimal");
}

static void lengths(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1000, 1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bytes b = {0}, g = {0}, n = {0};
        put_tag(&b, 7, 2);
        put_varint(&b, sizes[i]);
        put(&b, "aa", 2);
        expect_open(b, OX_BAD_DATA, "offset 0|graph", "length at the top");
        b = none;
        put_tag(&n, 1, 2);
        put_varint(&n, sizes[i]);
        put_sub(&g, 1, n);
        put_sub(&b, 7, g);
        expect_open(b, OX_BAD_DATA, "offset 4|graph.node[0]|input", "length deep inside");
    }
}

static void wire_types(void **state) {
    (void)state;
    for (unsigned wire = 3; wire <= 7; wire++) {
        if (wire == 5) continue;
        bytes b = relu_model(none);
        put_tag(&b, 14, wire);
        expect_open(b, OX_BAD_DATA, wire < 5 ? "group" : "wire type", "wire type");
        b = relu_model(none);
        put_tag(&b, 99, wire);
        expect_open(b, OX_BAD_DATA, wire < 5 ? "group" : "wire type", "wire type of an unknown field");
    }
    bytes extra = {0}, t = {0};
    put_num(&extra, 2, 5); /* name as a number */
    expect_open(relu_model(extra), OX_BAD_DATA, "graph|'name'|wire type", "name");
    extra = none;
    put_str(&t, 2, "x"); /* data_type as a string */
    put_sub(&extra, 5, t);
    expect_open(relu_model(extra), OX_BAD_DATA, "graph.initializer[0]|'data_type'", "data_type");
    extra = t = none;
    put_data(&t, 4, "abcde", 5); /* one float and a quarter */
    put_sub(&extra, 5, t);
    expect_open(relu_model(extra), OX_BAD_DATA, "'float_data'|cut short", "packed floats");
    extra = t = none;
    put_data(&t, 1, "\x01\x80", 2);
    put_sub(&extra, 5, t);
    expect_open(relu_model(extra), OX_BAD_DATA, "'dims'|cut short", "packed varints");
}

static void packed_and_not(void **state) {
    (void)state;
    float data[6] = {0};
    bytes extra = {0}, t = {0};
    put_num(&t, 1, 2);
    put_data(&t, 1, "\x03", 1);
    put_num(&t, 2, 1);
    put_str(&t, 8, "w");
    put_data(&t, 4, data, 16);
    put_float(&t, 4, 1.0f);
    put_float(&t, 4, 2.0f);
    put_sub(&extra, 5, t);
    expect_open(relu_model(extra), 0, "", "packed and unpacked");
}

/* If nested `depth` times. */
static bytes nested(int depth) {
    bytes g = {0}, attr;
    put_sub(&g, 1, node("Relu", "x", "y"));
    for (int i = 0; i < depth; i++) {
        bytes outer = {0}, n = {0};
        attr = attr_graph("then_branch", g);
        put_sub(&n, 5, attr);
        put_str(&n, 4, "If");
        put_sub(&outer, 1, n);
        g = outer;
    }
    return g;
}

static void nesting(void **state) {
    (void)state;
    expect_open(model_of(nested(33)), OX_BAD_DATA, "nesting limit 32", "33 bodies");
    expect_open(model_of(nested(3000)), OX_BAD_DATA, "limit", "3000 bodies");
    bytes type = tensor_type(1, SCALAR);
    for (int i = 0; i < 10000; i++) {
        bytes sequence = {0}, outer = {0};
        put_sub(&sequence, 1, type);
        put_sub(&outer, 4, sequence);
        type = outer;
    }
    bytes v = {0}, extra = {0};
    put_str(&v, 1, "s");
    put_sub(&v, 2, type);
    put_sub(&extra, 13, v);
    expect_open(relu_model(extra), OX_BAD_DATA, "types|nesting limit 32", "10,000 types");
}

static long peak_kib(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_maxrss;
}

static void many_small_messages(void **state) {
    (void)state;
    static const unsigned fields[] = {1, 5, 11, 13, 14, 15, 16}; /* of a graph */
    long before = peak_kib();
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        bytes extra = {0};
        clock_t start = clock();
        for (int k = 0; k < 5000000; k++) {
            put_tag(&extra, fields[i], 2);
            put(&extra, "", 1);
        }
        bytes m = relu_model(extra);
        expect_open(m, OX_BAD_DATA, fields[i] == 16 ? "limit" : "empty", "empty messages");
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
    }
    assert_true(peak_kib() - before < 512 << 10);
}

static void twice(void **state) {
    (void)state;
    bytes b = relu_model(none);
    put_num(&b, 1, 8);
    expect_open(b, OX_BAD_DATA, "'ir_version'|twice", "ir_version twice");
    b = relu_model(none);
    clock_t start = clock();
    for (int i = 0; i < 100000; i++) put_sub(&b, 7, none);
    expect_open(b, OX_BAD_DATA, "'graph'|twice", "graph many times");
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2);
    bytes t = tensor_type(1, NULL), s = {0}, v = {0}, extra = {0};
    put_sub(&t, 4, s); /* a sequence type beside a tensor type */
    put_str(&v, 1, "z");
    put_sub(&v, 2, t);
    put_sub(&extra, 13, v);
    expect_open(relu_model(extra), OX_BAD_DATA, "'sequence_type'|'tensor_type'", "two of a oneof");
}

static void strings(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        int code;
        const char *word;
    } cases[] = {
        {"a\0b", 3, OX_BAD_DATA, "NUL"},
        {"\xff", 1, OX_BAD_DATA, "UTF-8"},
        {"\xc0\x80", 2, OX_BAD_DATA, "UTF-8"},
        {"\xed\xa0\x80", 3, OX_BAD_DATA, "UTF-8"},
        {"\xf5\x80\x80\x80", 4, OX_BAD_DATA, "UTF-8"},
        {"a\xc3", 2, OX_BAD_DATA, "UTF-8"},
        {"a\n\"\x1b[31m", 8, 0, ""},
        {"\xc3\xa9\xe4\xb8\xad", 5, 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes n = node("Relu", "x", "z"), extra = {0};
        put_data(&n, 3, cases[i].text, cases[i].n);
        put_sub(&extra, 1, n);
        expect_open(relu_model(extra), cases[i].code, cases[i].word, "node name");
    }
    /* an escape code in a name never reaches the text of an error */
    bytes extra = {0};
    put_sub(&extra, 1, node("Relu", "\x1b[31mgone", "z"));
    ox_ctx *ctx = new_ctx();
    bytes m = relu_model(extra);
    write_bytes(in_folder("model.onnx"), m.p, m.n);
    free(m.p);
    assert_null(ox_model_open(ctx, in_folder("model.onnx")));
    assert_null(strchr(ox_error_text(ctx), 0x1b));
    assert_non_null(strstr(ox_error_text(ctx), "gone"));
    ox_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_formats), cmocka_unit_test(cut_anywhere), cmocka_unit_test(trailing),
        cmocka_unit_test(varints),         cmocka_unit_test(lengths),      cmocka_unit_test(wire_types),
        cmocka_unit_test(packed_and_not),  cmocka_unit_test(nesting),      cmocka_unit_test(many_small_messages),
        cmocka_unit_test(twice),           cmocka_unit_test(strings),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
