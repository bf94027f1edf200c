/* The wire format: bytes that are no protobuf, or no ONNX, or more of it than anybody needs. */
#include "malformed.h"

#include <string.h>

static bytes good(void) { return around(init(t_f("w", "2", "1,2"))); }

/* ---- rows 1 and 2 ---- */

static void other_files(void) {
    refuse("empty file", NONE, "empty");
    put("empty", NONE);
    put("out.onnx", str("the older output"));
    run("empty standard input", (want){.code = 65, .words = "stdin~standard input|empty", .out = "out.onnx", .from = "empty"}, "onnx-opt - -o out.onnx");
    refuse("PNG", RAW("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1"), "PNG");
    refuse("zip", RAW("PK\3\4\x14\0\0\0\0\0archive/data.pkl"), "zip");
    refuse("gzip", RAW("\x1f\x8b\x08\0\0\0\0\0\0\3\xcb\x48\xcd"), "gzip");
    refuse("GGUF", RAW("GGUF\3\0\0\0\x20\1\0\0\0\0\0\0"), "GGUF");
    refuse("ORT flatbuffer", RAW("\x20\0\0\0ORTM\0\0\0\0\x12\0\x1c\0"), "ort");
    refuse("text", str("<ir_version: 8>\ng (float x) => (float y) { y = Relu(x) }\n"), "text");
    refuse("words", str("this is not a model at all\n"), "text");
    refuse("HTML", str("<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"), "HTML");
    refuse("HTML without doctype", str("\n  <html lang=\"en\"><head>\n"), "HTML");
    refuse("JSON", str("{\"irVersion\": \"8\", \"graph\": {\"node\": []}}\n"), "text");
    refuse("git-LFS pointer", str("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"), "LFS");
    refuse("safetensors", RAW("\x40\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"), "safetensors");
    unsigned seed = 12345;
    for (int i = 0; i < 12; i++) {
        unsigned char noise[700];
        for (size_t k = 0; k < sizeof noise; k++) noise[k] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
        refuse(text("random bytes %d", i), raw(noise, sizeof noise), "offset~graph~not an ONNX model~text");
    }
}

/* ---- row 4 ---- */

static void after_the_model(void) {
    refuse("zeros after the model", J(good(), times(8, RAW("\0"))), "offset");
    refuse("a page of zeros after the model", J(good(), times(4096, RAW("\0"))), "offset");
    refuse("half a field after the model", J(good(), RAW("\x3a\x7f")), "offset");
    refuse("words after the model", J(good(), str("Thanks!")), "offset");
    accept_model("unknown field of the model", J(good(), txt(1000, "kept-in-the-model")), "kept-in-the-model");
    accept_model("unknown field of the graph", around(txt(1000, "kept-in-the-graph")), "kept-in-the-graph");
    accept_model("unknown field of a node", making_y(sub(1, J(node("Relu", "x", "y", NONE), txt(999, "kept-in-the-node")))), "kept-in-the-node");
    accept_model("unknown field of an initializer in use", making_y(J(init(J(t_f("w", "3", "1,2,3"), txt(777, "kept-in-the-tensor"))), N("Add", "x w", "y", NONE))),
                 "kept-in-the-tensor");
    accept_model("unknown field of an input", model(J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, J(value("x", FLOAT, "2"), txt(88, "kept-in-the-input"))),
                 sub(12, value("y", 0, NULL))), NONE), "kept-in-the-input");
    accept_model("unknown varint and fixed fields", J(good(), num(500, -1), f32(501, 2), J(tag(502, 1), RAW("12345678"))), "12345678");
}

/* ---- rows 5, 6, 7 ---- */

static bytes long_varint(size_t n) { return J(times(n - 1, RAW("\x80")), RAW("\1")); }

static void numbers_and_lengths(void) {
    for (size_t n = 11; n < 14; n++) {
        refuse(text("varint of %zu bytes", n), J(tag(1, 0), long_varint(n), sub(7, NONE)), "offset");
        refuse(text("varint of %zu bytes as a tag", n), J(good(), long_varint(n)), "offset");
        refuse(text("varint of %zu bytes as a dim", n), around(init(J(tag(1, 0), long_varint(n), num(2, 1), txt(8, "w")))), "offset|dims");
        refuse(text("varint of %zu bytes as a packed dim", n), around(init(J(sub(1, long_varint(n)), num(2, 1), txt(8, "w")))), "offset|dims");
        refuse(text("varint of %zu bytes as a length", n), J(good(), tag(6, 2), long_varint(n)), "offset");
        refuse(text("varint of %zu bytes in an unknown field", n), J(good(), tag(600, 0), long_varint(n)), "offset");
    }
    accept_model("a non-minimal varint", J(tag(1, 0), RAW("\x8a\x80\0"), sub(7, J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2")),
                 sub(12, value("y", 0, NULL)))), opset("", 21)), NULL);
    accept_model("a non-minimal tag", J(good(), RAW("\x92\x80\x80\0"), varint(4), str("made")), "made"); /* producer_name */
    accept_model("a non-minimal length", J(good(), RAW("\x12\x84\x80\x80\0"), str("made")), "made");
    static const uint64_t lengths[] = {1, 1000, 0x7fffffff, 0x80000000u, 0xffffffffu, 0x100000000u, INT64_MAX, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        bytes len = varint(lengths[i]);
        refuse_claim(text("length %llu of the graph", (unsigned long long)lengths[i]), J(num(1, 10), tag(7, 2), len), "offset");
        refuse_claim("the same of raw_data", around(init(J(num(1, 4), num(2, 1), txt(8, "w"), tag(9, 2), len))), "offset|raw_data");
        refuse_claim("the same of packed float_data", around(init(J(num(1, 4), num(2, 1), txt(8, "w"), tag(4, 2), len))), "offset|float_data");
        refuse_claim("the same of a name", making_y(sub(1, J(node("Relu", "x", "y", NONE), tag(3, 2), len))), "offset|name");
        refuse_claim("the same in a body", at(BRANCH, sub(1, J(node("Relu", "x", "z", NONE), tag(5, 2), len))), "offset|attribute");
        refuse_claim("the same of an unknown field", around(J(tag(1000, 2), len)), "offset");
    }
    for (unsigned wire = 3; wire < 8; wire++) {
        if (wire == 5) continue;
        const char *name = text("wire type %u", wire);
        refuse(text("%s at the top", name), J(good(), tag(100, wire)), "offset");
        refuse(text("%s at the start", name), J(tag(1, wire), good()), "offset");
        refuse(text("%s in a tensor", name), around(init(J(t_f("w", "1", "1"), tag(30, wire)))), "offset");
        refuse(text("%s deep", name), at(DEEP, sub(1, J(node("Relu", "x", "z", NONE), tag(2, wire)))), "offset");
    }
    refuse("a group that ends", J(good(), tag(100, 3), num(1, 1), tag(100, 4)), "offset");
    refuse_claim("groups nested without end", J(good(), times(2000000, tag(100, 3))), "offset");
    forget();
    refuse("field number 0", J(good(), tag(0, 0), varint(1)), "offset");
    refuse("field number 0 as bytes", J(good(), tag(0, 2), varint(1), str("a")), "offset");
    refuse("field number 0 in a node", around(sub(1, J(node("Relu", "x", "z", NONE), tag(0, 0), varint(1)))), "offset");
    refuse("field number 2^29", J(good(), tag(1u << 29, 0), varint(1)), "offset");
}

/* ---- rows 8 and 9 ---- */

static void wire_types(void) {
    refuse("graph as a number", J(num(1, 10), num(7, 1), opset("", 21)), "graph");
    refuse("ir_version as bytes", J(txt(1, "x"), good()), "ir_version");
    refuse("opset version as float", J(good(), sub(8, J(txt(1, "z"), f32(2, 1)))), "version");
    refuse("op_type as a number", around(sub(1, J(txt(1, "x"), txt(2, "z"), num(4, 7)))), "op_type");
    refuse("input as a number", around(sub(1, J(num(1, 1), txt(2, "z"), txt(4, "Relu")))), "input");
    refuse("data_type as bytes", around(init(J(txt(8, "w"), txt(2, "x")))), "data_type");
    refuse("raw_data as a number", around(init(J(num(1, 1), num(2, 1), txt(8, "w"), num(9, 1)))), "raw_data");
    refuse("dims as fixed32", around(init(J(f32(1, 1), num(2, 1), txt(8, "w")))), "dims");
    refuse("attribute float as varint", around(sub(1, J(node("LeakyRelu", "x", "z", NONE), sub(5, J(txt(1, "alpha"), num(2, 1), num(20, 1)))))), "f");
    refuse("attribute int as float", around(sub(1, J(node("Softmax", "x", "z", NONE), sub(5, J(txt(1, "axis"), f32(3, 1), num(20, 2)))))), "i");
    refuse("float_data cut short", around(init(J(num(1, 2), num(2, 1), txt(8, "w"), sub(4, RAW("1234567"))))), "float_data");
    refuse("double_data cut short", around(init(J(num(1, 1), num(2, 11), txt(8, "w"), sub(10, RAW("1234"))))), "double_data");
    refuse("packed dims cut short", around(init(J(sub(1, RAW("\2\x80")), num(2, 1), txt(8, "w")))), "dims");
    refuse("int64_data cut short", around(init(J(num(1, 1), num(2, 7), txt(8, "w"), sub(7, RAW("\xff"))))), "int64_data");
    accept_model("packed and unpacked dims", making_y(J(init(J(num(1, 1), sub(1, RAW("\1\3")), num(2, 1), txt(8, "w"), sub(9, RAW("123412341234")))),
                 N("Add", "x w", "y", NONE))), "1234");
    accept_model("packed and unpacked floats", making_y(J(init(J(num(1, 3), num(2, 1), txt(8, "w"), f32(4, 1), sub(4, RAW("\0\0\0\x40")), f32(4, 3))),
                 N("Add", "x w", "y", NONE))), NULL);
    accept_model("packed ints of an attribute", making_y(N("Transpose", "x", "y", sub(5, J(txt(1, "perm"), sub(8, RAW("\1")), num(8, 0), num(20, 7))))), NULL);
}

/* ---- rows 10 and 11 ---- */

/* Messages inside messages, LEVELS times through the fields from the innermost outwards, in linear time. */
static bytes nest(bytes inner, const unsigned *fields, size_t n_fields, size_t levels) {
    size_t room = inner.n + levels * n_fields * 8, from = room;
    unsigned char *p = keep(room);
    memcpy(p + (from -= inner.n), inner.p, inner.n);
    for (size_t i = 0; i < levels * n_fields; i++) {
        unsigned char head[12] = {(unsigned char)(fields[i % n_fields] << 3 | 2)};
        size_t n = 1;
        for (uint64_t len = room - from;; len >>= 7) {
            head[n++] = (unsigned char)(len | 0x80);
            if (len > 127) continue;
            head[n - 1] &= 0x7f;
            break;
        }
        memcpy(p + (from -= n), head, n);
    }
    return (bytes){p + from, room - from};
}

/* A graph whose only node has an attribute with a graph whose only node ... */
static bytes nested_graphs(size_t levels) { return nest(sub(12, value("o", 0, NULL)), (const unsigned[]){6, 5, 1}, 3, levels); }

static bytes nested_branches(int levels) {
    bytes parts = N("Neg", "x", "z", NONE);
    for (int i = 0; i < levels; i++) {
        const char *k = text("k%d", i), *o = text("o%d", i), *a = text("a%d", i), *b = text("b%d", i);
        bytes then_branch = J(parts, N("Neg", "x", a, NONE), txt(2, "t"), sub(12, value(a, 0, NULL)));
        bytes else_branch = J(N("Neg", "x", b, NONE), txt(2, "e"), sub(12, value(b, 0, NULL)));
        parts = J(N("Constant", "", k, a_tensor("value", tensor(NULL, BOOL, "", sub(9, RAW("\1"))))),
                  N("If", k, o, J(a_graph("then_branch", then_branch), a_graph("else_branch", else_branch))));
    }
    return around(parts);
}

static void nesting(void) {
    static const size_t levels[] = {40, 60, 3000, 100000};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        refuse(text("%zu nested graphs", levels[i]), J(num(1, 10), sub(7, nested_graphs(levels[i])), opset("", 21)), "nest~depth|limit");
        bytes t = nest(type(FLOAT, "2"), (const unsigned[]){1, 4}, 2, levels[i]);
        refuse(text("%zu nested sequence types", levels[i]), around(sub(11, J(txt(1, "s"), sub(2, t)))), "nest~depth|limit");
        t = nest(type(FLOAT, "2"), (const unsigned[]){1, 9}, 2, levels[i]);
        refuse(text("%zu nested optional types in an attribute", levels[i]),
               around(sub(1, J(node("Optional", "", "o", NONE), sub(5, J(txt(1, "type"), sub(14, t), num(20, 13)))))), "nest~depth|limit");
        forget();
    }
    accept_model("twelve nested bodies", nested_branches(12), NULL);
    refuse("forty nested bodies, well formed", nested_branches(40), "nest~depth|limit");
    bytes training = J(num(1, 10), sub(7, NONE), sub(20, sub(1, nested_graphs(60))));
    refuse("nested graphs in training info", training, "nest~depth|limit");
    forget();
}

/* ---- rows 12 and 13 ---- */

static void many(void) {
    static const struct { unsigned field; const char *name; } fields[] = {{1, "nodes"}, {5, "initializers"}, {11, "inputs"}, {12, "outputs"}, {13, "value infos"},
                                                                         {14, "annotations"}, {15, "sparse initializers"}, {16, "metadata"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        bytes empty = times((size_t)10 << 20 >> (1 + (fields[i].field > 15)), sub(fields[i].field, NONE));
        refuse(text("10 MB of empty %s", fields[i].name), around(empty), "limit~empty");
        forget();
    }
    refuse("10 MB of empty functions", J(good(), times(3 << 20, sub(25, NONE))), "limit~empty");
    forget();
    refuse("10 MB of empty opset imports", J(good(), times(5 << 20, sub(8, NONE))), "limit~empty");
    forget();
    refuse("10 MB of empty training infos", J(good(), times(3 << 20, sub(20, NONE))), "limit~empty");
    forget();
    refuse("10 MB of empty input names of a node", around(sub(1, J(txt(4, "Sum"), txt(2, "z"), times(5 << 20, sub(1, NONE))))), "limit~empty");
    forget();
    refuse("10 MB of empty output names of a node", around(sub(1, J(txt(4, "Split"), txt(1, "x"), times(5 << 20, sub(2, NONE))))), "limit~empty~outputs");
    forget();
    refuse("10 MB of empty attributes", around(sub(1, J(node("Relu", "x", "z", NONE), times(5 << 20, sub(5, NONE))))), "limit~empty");
    forget();
    refuse("10 MB of empty external data entries", around(init(J(tensor("w", FLOAT, "2", num(14, 1)), times(5 << 20, sub(13, NONE))))), "limit~empty");
    forget();
    refuse("10 MB of empty dims of an input", model(J(N("Relu", "x", "y", NONE), sub(12, value("y", 0, NULL)),
           sub(11, J(txt(1, "x"), sub(2, sub(1, J(num(1, 1), sub(2, times(5 << 20, sub(1, NONE))))))))), NONE), "limit~empty~rank");
    forget();
    put("out.onnx", str("the older output"));
    put("m.onnx", J(good(), times(5 << 20, num(300, 0))));
    run("10 MB of unknown fields", (want){.code = 0, .other = 65, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    forget();
    put("m.onnx", around(times((size_t)10 << 17, J(tag(300, 2), varint(0)))));
    run("unknown fields of the graph", (want){.code = 0, .other = 65, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    forget();
}

static void twice(void) {
    bytes graph = J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2")), sub(12, value("y", 0, NULL)));
    refuse("graph twice", J(num(1, 10), sub(7, graph), sub(7, graph), opset("", 21)), "graph|offset");
    refuse("ir_version twice", J(num(1, 10), good()), "ir_version");
    refuse("graph and an empty one", J(good(), sub(7, NONE)), "graph");
    refuse("op_type twice", around(sub(1, J(node("Relu", "x", "z", NONE), txt(4, "Neg")))), "op_type");
    refuse("node name twice", around(sub(1, J(node("Relu", "x", "z", NONE), txt(3, "b")))), "name");
    refuse("attribute type twice", around(sub(1, J(node("Softmax", "x", "z", NONE), sub(5, J(txt(1, "axis"), num(3, 1), num(20, 2), num(20, 2)))))), "type");
    refuse("data_type twice", around(init(J(t_f("w", "1", "1"), num(2, 1)))), "data_type");
    refuse("raw_data twice", around(init(J(t_f("w", "1", "1"), sub(9, RAW("1234"))))), "raw_data");
    refuse("two kinds of one type", around(sub(11, J(txt(1, "s"), sub(2, J(type(FLOAT, "2"), sub(4, sub(1, type(FLOAT, "2")))))))), "type");
    refuse("dim_value and dim_param", around(sub(11, J(txt(1, "s"), sub(2, sub(1, J(num(1, 1), sub(2, sub(1, J(num(1, 2), txt(2, "N")))))))))), "dim_");
    refuse("elem_type of a body twice", at(DEEP, sub(1, J(node("Relu", "x", "z", NONE), txt(4, "Relu")))), "op_type");
    refuse("100,000 graphs", J(num(1, 10), times(100000, sub(7, graph)), opset("", 21)), "graph");
    forget();
    refuse("100,000 IR versions", J(times(100000, num(1, 10)), good()), "ir_version");
    refuse("100,000 op types", around(sub(1, J(node("Relu", "x", "z", NONE), times(100000, txt(4, "Relu"))))), "op_type");
    refuse("100,000 types", around(sub(11, J(txt(1, "s"), times(100000, sub(2, type(FLOAT, "2")))))), "type");
    forget();
}

/* ---- row 14 ---- */

static bytes with_name(int where, bytes name) {
    switch (where) {
    case 0: return around(init(J(num(1, 1), num(2, 1), sub(8, name), sub(9, RAW("1234")))));
    case 1: return around(sub(1, J(txt(1, "x"), txt(2, "z"), txt(4, "Relu"), sub(3, name))));
    case 2: return around(sub(1, J(txt(1, "x"), txt(2, "z"), sub(4, name))));
    case 3: return around(sub(1, J(txt(1, "x"), sub(2, name), txt(4, "Relu"))));
    case 4: return around(sub(1, J(txt(1, "x"), txt(2, "z"), txt(4, "Relu"), sub(7, name))));
    case 5: return around(sub(11, J(sub(1, name), sub(2, type(FLOAT, "2")))));
    case 6: return around(sub(2, name));
    case 7: return J(around(NONE), sub(8, J(sub(1, name), num(2, 1))));
    case 8: return around(init(J(tensor("w", FLOAT, "1", num(14, 1)), sub(13, J(txt(1, "location"), sub(2, name))))));
    case 9: return at(BRANCH, sub(1, J(txt(1, "x"), sub(2, name), txt(4, "Relu"))));
    case 10: return around(sub(11, J(txt(1, "s"), sub(2, sub(1, J(num(1, 1), sub(2, sub(1, sub(2, name)))))))));
    default: return around(sub(1, J(node("Softmax", "x", "z", NONE), sub(5, J(sub(1, name), num(3, 1), num(20, 2))))));
    }
}

static void names(void) {
    static const char *const where[] = {"initializer", "node", "op type", "value", "domain", "input", "graph", "opset domain", "location", "value in a body",
                                        "dim_param", "attribute"};
    for (int i = 0; i < 12; i++) {
        if (i == 6) continue; /* the graph has a name already */
        refuse(text("NUL in the name of: %s", where[i]), with_name(i, RAW("a\0b")), "NUL");
        refuse(text("NUL at the end of the name of: %s", where[i]), with_name(i, RAW("Relu\0")), "NUL");
        refuse(text("invalid UTF-8 in the name of: %s", where[i]), with_name(i, RAW("a\xff")), "UTF-8");
        refuse(text("UTF-8 cut short in the name of: %s", where[i]), with_name(i, RAW("a\xe4\xb8")), "UTF-8");
        refuse(text("a surrogate in the name of: %s", where[i]), with_name(i, RAW("\xed\xa0\x80")), "UTF-8");
        refuse(text("over-long UTF-8 in the name of: %s", where[i]), with_name(i, RAW("\xc0\xaf")), "UTF-8");
        forget();
    }
    static const char odd[] = "a\nb\r\"q'\\ \x1b[31mred\x07 \xc2\x9b[2J \xe2\x80\xae";
    accept_model("odd names that are allowed", making_y(J(sub(1, J(txt(1, "x"), sub(2, str(odd)), txt(3, odd), txt(4, "Relu"))),
                 sub(1, J(txt(1, odd), txt(2, "y"), txt(4, "Neg"))))), odd);
    refuse("odd names in a message", around(sub(1, J(txt(1, odd), txt(2, "z"), txt(3, odd), txt(4, "Relu")))), "\\");
    refuse("an odd op type in a message", around(sub(1, J(txt(1, "no"), txt(2, "z"), txt(4, odd)))), "\\");
    put("m.onnx", around(sub(1, J(txt(1, "no"), txt(2, "z"), txt(3, "a\x1b[2Jb\nc"), txt(4, "Relu")))));
    run("no escape code reaches the terminal", (want){.code = 65, .words = "\\"}, "onnx-run inspect m.onnx");
    char *long_name = keep(1 << 20);
    memset(long_name, 'n', 1 << 20);
    refuse("names of a megabyte in a message", around(sub(1, J(txt(1, long_name), txt(2, "z"), txt(3, long_name), txt(4, long_name)))), "nnnn");
    refuse("a value of a megabyte twice", around(J(N("Relu", "x", "z", NONE), times(2, sub(1, J(txt(1, "x"), txt(2, long_name), txt(4, "Relu")))))), "nnnn");
    forget();
}

void group_wire(void) {
    other_files();
    after_the_model();
    numbers_and_lengths();
    wire_types();
    nesting();
    many();
    twice();
    names();
}
