/* Models as bytes, written field by field, so that tests can make any of them wrong; and what the loader says. */
#ifndef TEST_ONNX_BUILD_H
#define TEST_ONNX_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/onnx.h"

typedef struct bytes {
    uint8_t *p;
    size_t n, cap;
} bytes;

static inline void put(bytes *b, const void *data, size_t n) {
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2 + 64;
        b->p = realloc(b->p, b->cap);
        assert_non_null(b->p);
    }
    if (n) memcpy(b->p + b->n, data, n);
    b->n += n;
}

static inline void put_varint(bytes *b, uint64_t v) {
    uint8_t c;
    for (; v >= 0x80; v >>= 7) {
        c = (uint8_t)(v | 0x80);
        put(b, &c, 1);
    }
    c = (uint8_t)v;
    put(b, &c, 1);
}

static inline void put_tag(bytes *b, unsigned field, unsigned wire) { put_varint(b, (uint64_t)field << 3 | wire); }

static inline void put_num(bytes *b, unsigned field, int64_t v) {
    put_tag(b, field, 0);
    put_varint(b, (uint64_t)v);
}

static inline void put_float(bytes *b, unsigned field, float v) {
    put_tag(b, field, 5);
    put(b, &v, 4);
}

static inline void put_data(bytes *b, unsigned field, const void *data, size_t n) {
    put_tag(b, field, 2);
    put_varint(b, n);
    put(b, data, n);
}

static inline void put_str(bytes *b, unsigned field, const char *text) { put_data(b, field, text, strlen(text)); }

/* Takes over the inner bytes. */
static inline void put_sub(bytes *b, unsigned field, bytes inner) {
    put_data(b, field, inner.p ? inner.p : (const void *)"", inner.n);
    free(inner.p);
}

/* ---- pieces of models; dims end with -9, -1 is a symbol N ---- */

static inline bytes tensor_type(int dtype, const int64_t *dims) {
    bytes shape = {0}, tensor = {0}, type = {0};
    for (; dims && *dims != -9; dims++) {
        bytes dim = {0};
        if (*dims == -1)
            put_str(&dim, 2, "N");
        else
            put_num(&dim, 1, *dims);
        put_sub(&shape, 1, dim);
    }
    put_num(&tensor, 1, dtype);
    if (dims) put_sub(&tensor, 2, shape);
    put_sub(&type, 1, tensor);
    return type;
}

#define DIMS(...) ((const int64_t[]){__VA_ARGS__, -9})
#define SCALAR    ((const int64_t[]){-9})

static inline bytes info(const char *name, int dtype, const int64_t *dims) {
    bytes b = {0};
    put_str(&b, 1, name);
    put_sub(&b, 2, tensor_type(dtype, dims));
    return b;
}

/* Inputs and outputs separated by spaces; "-" is an empty name. */
static inline void put_names(bytes *b, unsigned field, const char *names) {
    while (*names) {
        size_t n = strcspn(names, " ");
        put_data(b, field, names, n == 1 && *names == '-' ? 0 : n);
        names += n + (names[n] == ' ');
    }
}

static inline bytes node(const char *op, const char *in, const char *out) {
    bytes b = {0};
    put_names(&b, 1, in);
    put_names(&b, 2, out);
    put_str(&b, 4, op);
    return b;
}

static inline bytes attr_int(const char *name, int64_t v) {
    bytes b = {0};
    put_str(&b, 1, name);
    put_num(&b, 3, v);
    put_num(&b, 20, 2);
    return b;
}

static inline bytes attr_graph(const char *name, bytes graph) {
    bytes b = {0};
    put_str(&b, 1, name);
    put_sub(&b, 6, graph);
    put_num(&b, 20, 5);
    return b;
}

static inline bytes attr_tensor(const char *name, bytes tensor) {
    bytes b = {0};
    put_str(&b, 1, name);
    put_sub(&b, 5, tensor);
    put_num(&b, 20, 4);
    return b;
}

/* Without data. */
static inline bytes tensor_head(const char *name, int dtype, const int64_t *dims) {
    bytes b = {0};
    for (; *dims != -9; dims++) put_num(&b, 1, *dims);
    put_num(&b, 2, dtype);
    if (name) put_str(&b, 8, name);
    return b;
}

static inline bytes tensor_raw(const char *name, int dtype, const int64_t *dims, const void *raw, size_t n) {
    bytes b = tensor_head(name, dtype, dims);
    put_data(&b, 9, raw, n);
    return b;
}

static inline void put_entry(bytes *tensor, const char *key, const char *value) {
    bytes e = {0};
    put_str(&e, 1, key);
    put_str(&e, 2, value);
    put_sub(tensor, 13, e);
}

/* A model around a graph: IR 8, opset 17. */
static inline bytes model_of(bytes graph) {
    bytes m = {0}, opset = {0};
    put_num(&m, 1, 8);
    put_sub(&m, 7, graph);
    put_str(&opset, 1, "");
    put_num(&opset, 2, 17);
    put_sub(&m, 8, opset);
    return m;
}

/* y = Relu(x), with `extra` fields of the graph behind. */
static inline bytes relu_graph(bytes extra) {
    bytes g = {0};
    put_sub(&g, 1, node("Relu", "x", "y"));
    put_str(&g, 2, "g");
    put_sub(&g, 11, info("x", 1, DIMS(2)));
    put_sub(&g, 12, info("y", 1, DIMS(2)));
    put(&g, extra.p, extra.n);
    free(extra.p);
    return g;
}

static inline bytes relu_model(bytes extra) { return model_of(relu_graph(extra)); }

/* ---- files ---- */

static char folder[64];

static inline int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/ox-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static inline const char *in_folder(const char *name) {
    static char paths[4][128];
    static int next;
    char *p = paths[next++ & 3];
    snprintf(p, sizeof paths[0], "%s/%s", folder, name);
    return p;
}

static inline void write_bytes(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    if (n) assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline bytes read_bytes(const char *path) {
    bytes b = {0};
    char buffer[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    while ((n = fread(buffer, 1, sizeof buffer, f))) put(&b, buffer, n);
    fclose(f);
    return b;
}

/* ---- what the loader says ---- */

static char warnings[4096];

static inline void keep_warning(void *user, const char *text) {
    (void)user;
    strncat(warnings, text, sizeof warnings - strlen(warnings) - 1);
    strncat(warnings, "\n", sizeof warnings - strlen(warnings) - 1);
}

static inline ox_ctx *new_ctx(void) {
    ox_ctx *ctx = ox_ctx_new();
    assert_non_null(ctx);
    ctx->on_warning = keep_warning;
    warnings[0] = 0;
    return ctx;
}

/* Opens a model given as bytes (taken over): the code must be `code`, and the error must hold every word of `words`,
 * separated by "|". */
static inline void expect_open(bytes b, int code, const char *words, const char *what) {
    ox_ctx *ctx = new_ctx();
    const char *path = in_folder("model.onnx");
    char word[256];
    write_bytes(path, b.p, b.n);
    free(b.p);
    ox_model *m = ox_model_open(ctx, path);
    int got = m ? 0 : ox_error_code(ctx);
    if (got != code) print_error("%s: %d, not %d: %s\n", what, got, code, m ? "" : ox_error_text(ctx));
    assert_int_equal(got, code);
    const char *text = m ? warnings : ox_error_text(ctx);
    if (!m) assert_non_null(strstr(text, "model.onnx"));
    while (words && *words) {
        size_t n = strcspn(words, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, words);
        if (!text || !strstr(text, word)) print_error("%s: '%s' is not in: %s\n", what, word, text ? text : "");
        assert_non_null(strstr(text, word));
        words += n + (words[n] == '|');
    }
    ox_model_free(m);
    ox_ctx_free(ctx);
}

#endif
