/* Models as text: syntax, names, types, numbers, nesting, at every place where nodes can stand. Pipelines and rules: bad_config.c. A backtick in a
 * text marks where the fault is, and is not part of the text: the message must name the file and exactly that line and column. */
#include "malformed.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- marks ---- */

bytes without_mark(bytes b, bool characters, const char **where) {
    const unsigned char *mark = memchr(b.p, '`', b.n);
    *where = "";
    if (!mark) return b;
    size_t at = (size_t)(mark - b.p), line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        if (b.p[i] == '\n') line++, column = 1;
        else if (!characters || (b.p[i] & 0xc0) != 0x80) column++;
    }
    *where = text(":%zu:%zu:", line, column);
    return J(raw(b.p, at), raw(mark + 1, b.n - at - 1));
}

const char *one_line(const char *name) {
    char *t = strcpy(keep(strlen(name)), name);
    for (char *c = t; *c; c++)
        if ((unsigned char)*c < ' ') *c = '|';
    return t;
}

bytes put_at(const char *template, bytes with) {
    const char *at = strchr(template, '@');
    return J(raw(template, (size_t)(at - template)), with, str(at + 1));
}

const char *with_words(const char *where, const char *words) { return words && *words ? text("%s|%s", where, words) : where; }

bytes nested_text(const char *before, const char *open, size_t n, const char *inside, const char *close, const char *after) {
    return J(str(before), times(n, str(open)), str(inside), times(n, str(close)), str(after));
}

/* ---- models as text ---- */

static void bad_model_text(const char *name, bytes t, const char *words) {
    const char *where;
    put("m.txt", without_mark(t, false, &where));
    put("out.onnx", str("the older output"));
    run(one_line(name), (want){.code = 65, .words = with_words(text("m.txt%s", where), words), .out = "out.onnx", .in = "m.txt"}, "onnx-run parse m.txt -o out.onnx");
}

#define HEAD "<ir_version: 10, opset_import: [\"\" : 21, \"local\" : 1]>\n"
#define MAIN_GRAPH "g (float[2,3] x, bool k, int64 n) => (float[2,3] y) {\n"

/* Where nodes can stand: they may read x. */
static const struct { const char *name, *t; } node_places[] = {
    {"main graph", HEAD MAIN_GRAPH "  @\n  y = Relu(x)\n}\n"},
    {"If branch", HEAD MAIN_GRAPH "  y = If(k) <\n    then_branch = b () => (float[2,3] p) {\n      @\n      p = Neg(x)\n    },\n    else_branch = c () => (float[2,3] q) { q = Abs(x) }>\n}\n"},
    {"second branch", HEAD MAIN_GRAPH "  y = If(k) <then_branch = b () => (float[2,3] p) { p = Neg(x) }, else_branch = c () => (float[2,3] q) { q = Abs(x) @ }>\n}\n"},
    {"Loop body", HEAD MAIN_GRAPH "  y = Loop(n, k, x) <body = b (int64 i, bool c, float[2,3] v) => (bool d, float[2,3] w) { d = Identity(c) @\n w = Neg(v) }>\n}\n"},
    {"If in a Loop", HEAD MAIN_GRAPH "  y = Loop(n, k, x) <body = b (int64 i, bool c, float[2,3] v) => (bool d, float[2,3] w) {\n d = Identity(c)\n"
     " w = If(c) <then_branch = t () => (float[2,3] p) { p = Neg(v) @ }, else_branch = e () => (float[2,3] q) { q = Abs(v) }> }>\n}\n"},
    {"function", HEAD MAIN_GRAPH "  y = local.f(x)\n}\n<domain: \"local\", opset_import: [\"\" : 21]>\nf (x) => (r) {\n  @\n  r = Relu(x)\n}\n"},
    {"body in a function", HEAD MAIN_GRAPH "  y = local.f(x, k)\n}\n<domain: \"local\", opset_import: [\"\" : 21]>\nf (x, k) => (r) {\n"
     "  r = If(k) <then_branch = b () => (float[2,3] p) { p = Neg(x) @ }, else_branch = c () => (float[2,3] q) { q = Abs(x) }>\n}\n"},
};

static const struct { const char *name, *node, *words; } bad_nodes[] = {
    {"no operator", "z = `(x)", "expected~operator"},
    {"no operands", "z = Relu `!", "'('"},
    {"no equals sign", "z `Relu(x)", "'='"},
    {"operands left open", "z = Relu(x `!", "')'"},
    {"a number as operand", "z = Relu(`3)", "')'"},
    {"an attribute without name", "z = Relu<`= 1>(x)", "name"},
    {"an attribute without value", "z = Relu<a = `>(x)", "value"},
    {"an attribute without sign", "z = Relu<a `1>(x)", "'='"},
    {"attributes left open", "z = Relu<a = 1 `(x)", "'>'"},
    {"an unknown attribute type", "z = Relu<a: `integer = 1>(x)", "type of an attribute"},
    {"a value of another type", "z = Relu<a: int = `1.5>(x)", "float|int"},
    {"a text for a number", "z = Relu<a: float = `\"1\">(x)", "string|float"},
    {"a list for one value", "z = Relu<a: int = [1, `\"b\"]>(x)", "string|int"},
    {"a mixed list", "z = Relu<a = [1, `2.5]>(x)", "float|int"},
    {"an empty list without type", "z = Relu<a = [`]>(x)", "type"},
    {"an elided list", "z = Relu<a: ints = [`... \"00\"]>(x)", "elided"},
    {"a list left open", "z = Relu<a = [1, 2 `!", "']'"},
    {"an attribute twice", "z = Relu<a = 1, b = 2, `a = 3>(x)", "a|second time"},
    {"a reference without name", "z = Relu<a: int = @`>(x)", "name"},
    {"an integer that is too large", "z = Relu<a = `9223372036854775808>(x)", "int64"},
    {"an integer that is too small", "z = Relu<a = -`9223372036854775809>(x)", "int64"},
    {"an integer of thirty digits", "z = Relu<a = `999999999999999999999999999999>(x)", "larger"},
    {"a number that is too large", "z = Relu<a = `1e39>(x)", "float"},
    {"a number beyond double", "z = Relu<a = `1e999>(x)", "large"},
    {"a number that runs into a name", "z = Relu<a = `1x>(x)", "number"},
    {"a tensor without shape", "z = Constant<value = float[] `{1}>()", "shape"},
    {"a tensor of symbols", "z = Constant<value = float[N] `{1}>()", "numbers"},
    {"a tensor of sequences", "z = Constant<value = seq(float) `{1}>()", "tensor type"},
    {"a tensor of a negative dim", "z = Constant<value = float[2,-3] `{1}>()", "negative"},
    {"a tensor of too few elements", "z = Constant<value = float[3] `{1, 2}>()", "3|2"},
    {"a tensor of too many elements", "z = Constant<value = float[3] `{1, 2, 3, 4}>()", "3|4"},
    {"a scalar of two elements", "z = Constant<value = float `{1, 2}>()", "2|1"},
    {"a tensor of no elements with one", "z = Constant<value = float[0] `{1}>()", "0|1"},
    {"a tensor that overflows", "z = Constant<value = float[4294967296,4294967296] `{1}>()", "overflows"},
    {"a tensor that overflows, with a zero", "z = Constant<value = float[4294967296,4294967296,0] `{}>()", "overflows"},
    {"a tensor of rank 65", "z = Constant<value = float[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1] `{1}>()", "64"},
    {"a short raw tensor", "z = Constant<value = float[2] t = `raw \"00000000\">()", "8|4"},
    {"a long raw tensor", "z = Constant<value = float[2] t = `raw \"000000000000000000000000\">()", "8|12"},
    {"raw elements that are too few", "z = Constant<value = int8[3] t = `raw {1, 2}>()", "2|3"},
    {"a packed tensor that is short", "z = Constant<value = float[2] t = `packed \"00000000\">()", "2|1"},
    {"packed bytes of no element", "z = Constant<value = float[2] t = packed `\"000000\">()", "whole"},
    {"an odd number of digits", "z = Constant<value = float[1] t = raw `\"0000000\">()", "odd"},
    {"a digit that is none", "z = Constant<value = float[1] t = raw `\"0000000x\">()", "hexadecimal"},
    {"an elided tensor", "z = Constant<value = float[3] {`... \"00\"}>()", "elided"},
    {"an element of another type", "z = Constant<value = int64[2] {1, `2.5}>()", "integer"},
    {"a text among numbers", "z = Constant<value = float[2] {1, `\"x\"}>()", "number"},
    {"a number among texts", "z = Constant<value = string[2] {\"x\", `1}>()", "text"},
    {"an element beyond int8", "z = Constant<value = int8[2] `{1, 128}>()", "int8"},
    {"an element beyond uint8", "z = Constant<value = uint8[2] `{1, -1}>()", "uint8"},
    {"an element beyond int32", "z = Constant<value = int32[1] {`2147483648}>()", "int32"},
    {"an element beyond int4", "z = Constant<value = int4[2] `{256}>()", "int4"},
    {"an element beyond bool", "z = Constant<value = bool[2] `{1, 256}>()", "bool"},
    {"an element beyond float", "z = Constant<value = float[1] {`1e39}>()", "float"},
    {"a code beyond float16", "z = Constant<value = float16[1] `{70000}>()", "float16"},
    {"an element beyond float16", "z = Constant<value = float16[1] {`70000.0}>()", "float16"},
    {"an unknown element type", "z = Constant<value = flot`[1] {1}>()", ""},
    {"undefined elements", "z = Constant<value = undefined[1] {`1}>()", "undefined"},
    {"an operand nobody defines", "z = Relu(`nobody)", "nobody|defined nowhere"},
    {"the second operand nobody defines", "z = Add(x, `nobody)", "nobody|defined nowhere"},
    {"a name in quotes nobody defines", "z = Relu(`\"no/bo dy\")", "no/bo dy"},
    {"a value defined twice", "z = Relu(x) `z = Neg(x)", "z|second time"},
    {"a value defined twice by one node", "z, `z = Split(x)", "z|second time"},
    {"a value that is an input of the graph", "`x = Neg(x)", "x|second time"},
    {"a name left open", "z = Relu(`\"x)", "string"},
    {"an unknown escape", "z = Relu<a = \"`\\q\">(x)", "escape"},
    {"an escape cut short", "z = Relu<a = \"`\\x4\">(x)", "hexadecimal"},
    {"invalid UTF-8 in a name", "z = Relu(`\"\xff\")", "UTF-8"},
    {"invalid UTF-8 outside of names", "z = Relu(`\xff)", "UTF-8"},
    {"letters beyond ASCII outside of quotes", "z = Relu(`\xc3\xa4)", "unexpected"},
    {"a NUL in a name, escaped", "z = Relu(`\"a\\x00\")", "NUL"},
    {"a control character", "z = Relu(`\x01)", "control"},
    {"escape codes", "z = `\x1b[31mRelu(x)", "control"},
    {"an unknown field in notes", "z = Relu(x) @{`nam: \"n\"}", "nam"},
    {"a note left open", "z = Relu(x) @{name: \"n\" `!", "'}'"},
    {"a note of another type", "z = Relu(x) @{name: `3}", "text"},
    {"a note that is no message", "z = Relu(x) @{metadata_props: `3}", "'['"},
    {"unknown bytes that are no field", "z = Relu(x) @{unknown: [`\"00\"]}", "field"},
    {"a domain without operator", "z = local.`(x)", "name"},
    {"an overload without name", "z = Relu:`(x)", "name"},
    {"a graph without outputs", "z = If(x) <then_branch = h () `{}>", "'=>'"},
    {"a graph without nodes", "z = If(x) <then_branch = h () => () `>", "'{'"},
    {"a graph left open", "z = If(x) <then_branch = h () => () { `!", ""},
    {"a sparse tensor of unknown field", "z = Constant<sparse_value = {`vals: 3}>()", "vals"},
};

static void text_everywhere(void) {
    for (size_t i = 0; i < sizeof node_places / sizeof *node_places; i++) {
        for (size_t k = 0; k < sizeof bad_nodes / sizeof *bad_nodes; k++)
            bad_model_text(text("%s: %s", node_places[i].name, bad_nodes[k].name), put_at(node_places[i].t, str(bad_nodes[k].node)), bad_nodes[k].words);
        const char *t = node_places[i].t, *where = node_places[i].name;
        bad_model_text(text("%s: a NUL", where), put_at(t, RAW("z = Relu(`\0x)")), "NUL");
        bad_model_text(text("%s: a NUL in a name", where), put_at(t, RAW("z = Relu(`\"\0x\")")), "NUL");
        bad_model_text(text("%s: a NUL in a comment", where), put_at(t, RAW("# `\0\n")), "NUL");
        bad_model_text(text("%s: bodies nested 10,000 deep", where), put_at(t, nested_text("", "z = If(x) <b = g () => () { ", 10000, "", " }>", "")), "nesting");
        bad_model_text(text("%s: types nested 10,000 deep", where), put_at(t, nested_text("z = Op<t = ", "seq(", 10000, "float", ")", ">()")), "nesting");
        bad_model_text(text("%s: a name of a megabyte", where), put_at(t, J(str("z = Relu(`"), times(1000000, str("n")), str(")"))), "defined nowhere");
    }
    forget();
}

static void text_faults(void) {
    static const struct { const char *name, *t, *words; } cases[] = {
        {"empty", "`", "name"},
        {"only a comment", "# nothing\n`", "name"},
        {"a number", "`3", "name"},
        {"binary", "`\x08\x0a", "control"},
        {"no header's end", "<ir_version: 10 `g () => () {}", "'>'"},
        {"an unknown field", "<`ir_versoin: 10> g () => () {}", "ir_versoin"},
        {"a field of another type", "<ir_version: `\"10\"> g () => () {}", "integer"},
        {"a field that is too large", "<ir_version: `9223372036854775808> g () => () {}", "int64"},
        {"a field twice", "<ir_version: 10, `ir_version: 9, opset_import: [\"\" : 21]> g () => () {}", "ir_version|twice"},
        {"a field with its own place", "<`graph: 3> g () => () {}", "graph"},
        {"opsets without list", "<opset_import: `\"\" : 21> g () => () {}", "'['"},
        {"an opset without version", "<opset_import: [\"\"`]> g () => () {}", "':'"},
        {"an opset that is no number", "<opset_import: [\"\" : `x]> g () => () {}", "integer"},
        {"an opset twice", "<opset_import: [\"\" : 21, `\"\" : 20]> g () => () {}", "second time"},
        {"an opset twice under two names", "<opset_import: [\"\" : 21, `\"ai.onnx\" : 21]> g () => () {}", "ai.onnx|second time"},
        {"a producer that is a name", "<producer_name: `p> g () => () {}", "text"},
        {"bad UTF-8 in a field", "<producer_name: `\"\xff\"> g () => () {}", "UTF-8"},
        {"a NUL in a field, escaped", "<producer_name: `\"a\\x00\"> g () => () {}", "NUL"},
        {"no graph", "<ir_version: 10>\n`", "name"},
        {"no inputs' end", "g (float x `=> () {}", "')'"},
        {"no arrow", "g () `() {}", "'=>'"},
        {"no outputs", "g () => `{}", "'('"},
        {"no nodes", "g () => ()\n`", "'{'"},
        {"no end", "g (float x) => (float y) {\n  y = Relu(x)\n`", "end of the text"},
        {"a comma too many", "g (float x, `) => () {}", "name"},
        {"an unknown type", "g (flot`[2] x) => () {}", ""},
        {"dims left open", "g (float[2 `x) => () {}", "']'"},
        {"a fraction as dim", "g (float[`2.5] x) => () {}", "integer"},
        {"a dim that is too large", "g (float[`9223372036854775808] x) => () {}", "int64"},
        {"a sequence of nothing", "g (seq(`) x) => () {}", "type"},
        {"a sequence of an unknown type", "g (seq(`flot) x) => () {}", "type"},
        {"a map of sequences", "g (map(`seq(float), float) x) => () {}", "key"},
        {"a map of keys", "g (map(int64`) x) => () {}", "','"},
        {"an optional left open", "g (optional(float[2] `x) => () {}", "')'"},
        {"an input twice", "g (float x, float `x) => (float y) { y = Relu(x) }", "x|second time"},
        {"an output twice", "g (float x) => (float y, float `y) { y = Relu(x) }", "y|second time"},
        {"an output nobody makes", "g (float x) => (float `z) { y = Relu(x) }", "z|defined nowhere"},
        {"an initializer twice", "g (float x) => (float y) <float w = {1}, float `w = {2}> { y = Add(x, w) }", "w|second time"},
        {"an initializer a node makes", "g (float x) => (float y) <float w = {1}> { `w = Neg(x) y = Add(x, w) }", "w|second time"},
        {"an input a node makes", "g (float x) => (float y) { `x = Neg(y) y = Relu(x) }", "x|second time"},
        {"an initializer of too few elements", "g (float x) => (float y) <float[2] w = `{1}> { y = Add(x, w) }", "2|1"},
        {"an initializer of symbols", "g (float x) => (float y) <float[N] w = `{1}> { y = Add(x, w) }", "numbers"},
        {"a default of too many elements", "g (float x = `{1, 2}) => (float y) { y = Relu(x) }", "1|2"},
        {"a default without type", "g (x = `{1}) => (float y) { y = Relu(x) }", "type"},
        {"an initializer without data", "g (float x) => (float y) <float w = `> { y = Add(x, w) }", ""},
        {"data left open", "g (float x) => (float y) <float[2] w = {1, 2`> { y = Add(x, w) }", "'}'"},
        {"two graphs", "g (float x) => (float y) { y = Relu(x) }\nh `{ }", "'('"},
        {"text behind the graph", "g (float x) => (float y) { y = Relu(x) }\n`}", "name"},
        {"a function without parentheses", "g (float x) => (float y) { y = Relu(x) }\n<domain: \"d\">\nf `=> (r) { }", "'('"},
        {"a function without outputs' end", "g (float x) => (float y) { y = Relu(x) }\nf (a) => (r `{ }", "')'"},
        {"a function of unknown field", "g (float x) => (float y) { y = Relu(x) }\n<`domein: \"d\"> f (a) => (r) { r = Relu(a) }", "domein"},
        {"a function left open", "g (float x) => (float y) { y = Relu(x) }\nf (a) => (r) { r = Relu(a)\n`", "end of the text"},
        {"a function's input twice", "g (float x) => (float y) { y = Relu(x) }\nf (a, `a) => (r) { r = Relu(a) }", "a|second time"},
        {"a function's output twice", "g (float x) => (float y) { y = Relu(x) }\nf (a) => (r, `r) { r = Relu(a) }", "r|second time"},
        {"a function's output nobody makes", "g (float x) => (float y) { y = Relu(x) }\nf (a) => (`s) { r = Relu(a) }", "s|defined nowhere"},
        {"a function that reads the graph", "g (float x) => (float y) { y = Relu(x) }\nf (a) => (r) { r = Relu(`x) }", "x|defined nowhere"},
        {"a function's attribute twice", "g (float x) => (float y) { y = Relu(x) }\nf <p, q: float = 1.0, `p> (a) => (r) { r = Relu(a) }", "p|second time"},
        {"a function twice", "g (float x) => (float y) { y = Relu(x) }\n<domain: \"d\"> f (a) => (r) { r = Relu(a) }\n<domain: \"d\"> `f (a) => (r) { r = Neg(a) }", "f|second time"},
        {"a body's value read outside", "g (float x, bool k) => (float y) { z = If(k) <then_branch = b () => (p) { p = Neg(x) }, else_branch = c () => (q) { q = Abs(x) }> y = Relu(`p) }", "p|defined nowhere"},
        {"a body's value read in the other", "g (float x, bool k) => (float y) { y = If(k) <then_branch = b () => (p) { p = Neg(x) }, else_branch = c () => (q) { q = Abs(`p) }> }", "p|defined nowhere"},
        {"a body's value that is an outer one", "g (float x, bool k) => (float y) { z = Neg(x) y = If(k) <then_branch = b () => (z) { `z = Neg(x) }, else_branch = c () => (q) { q = Abs(x) }> }", "z|second time"},
        {"a body's input that is an outer value", "g (float x, int64 n, bool k) => (float y) { y = Loop(n, k, x) <body = b (int64 i, bool c, float `x) => (bool d, float w) { d = Identity(c) w = Neg(x) }> }", "x|second time"},
        {"a body's output nobody makes", "g (float x, bool k) => (float y) { y = If(k) <then_branch = b () => (`nobody) { p = Neg(x) }, else_branch = c () => (q) { q = Abs(x) }> }", "nobody|defined nowhere"},
        {"a word behind the at sign", "@`exactly\ng () => () {}", "exact"},
        {"exact, and broken", "@exact\n<ir_version: 10>\ng () => () { y = `}", ""},
        {"a graph named by a number", "`1g () => () {}", "number"},
        {"escape codes in a name", "g (float x) => (float y) { y = Relu(`\"\\x1b[31m\\n\\r\") }", "defined nowhere"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) bad_model_text(text("text: %s", cases[i].name), str(cases[i].t), cases[i].words);
    bad_model_text("text: NUL at the beginning", RAW("`\0g () => () {}"), "NUL");
    bad_model_text("text: NUL at the end", RAW("g () => () {}\n`\0"), "NUL");
    bad_model_text("text: a binary model", making_y(N("Relu", "x", "y", NONE)), "");
    bad_model_text("text: 4 MB of parentheses", J(str("g "), times(4000000, str("("))), "");
    bad_model_text("text: 4 MB of opening braces", J(str("g () => () "), times(4000000, str("{"))), "");
    bad_model_text("text: types nested 100,000 deep", nested_text("g (", "seq(", 100000, "float", ")", " x) => () {}"), "nesting");
    bad_model_text("text: optionals and maps nested 50,000 deep", nested_text("g (", "optional(map(int64, ", 50000, "float", "))", " x) => () {}"), "nesting");
    bad_model_text("text: notes nested 100,000 deep", nested_text("g () => () {} ", "@{node: [a = b() @{attribute: [c = 1 ", 50000, "", "]}]}", ""), "");
    bad_model_text("text: training graphs nested 30,000 deep", nested_text("<training_info: [", "{algorithm: g () => () {} @{node: [a = b<c = ", 30000, "1", ">()]}}", "]> g () => () {}"), "");
    bytes *list = keep(200002 * sizeof *list);
    for (int i = 0; i < 100000; i++) list[i] = str(text("v%d = Relu(%s)\n", i, i ? text("v%d", i - 1) : "x"));
    bad_model_text("text: 100,000 nodes, the last defined twice", J(str("g (float x) => (float v99999) {\n"), join(list, 100000), str("`v0 = Relu(x) }")), "v0|second time");
    bad_model_text("text: 100,000 nodes, the last of nothing", J(str("g (float x) => (float v99999) {\n"), join(list, 100000), str("z = Relu(`nobody) }")), "nobody");
    forget();
    static const char whole[] = "<ir_version: 10, opset_import: [\"\" : 21, \"d\" : 1], producer_name: \"p\">\ng (float[2,N] x, bool k = {1}) => (float[2,N] y) <float w = {1.5}, int8[2] r = raw \"0102\">\n{\n  [n] z = d.f<a = 1.0>(x)\n"
                                "  y = If(k) <then_branch = b () => (p) { p = Add(z, w) }, else_branch = c () => (q) { q = Abs(z) }> @{doc_string: \"d\"}\n}\n<domain: \"d\", opset_import: [\"\" : 21]>\nf <a> (u) => (v) { v = Elu<alpha: float = @a>(u) }";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        put("m.txt", raw(whole, n));
        put("out.onnx", str("the older output"));
        run(text("a text cut at byte %zu", n), (want){.code = 0, .other = 65, .out = "out.onnx", .in = "m.txt"}, "onnx-run parse m.txt -o out.onnx");
    }
    put("m.txt", str(whole));
    run("the whole text", (want){.code = 0, .in = "m.txt"}, "onnx-run parse m.txt -o out.onnx");
    put("m.txt", J(str("\xef\xbb\xbf"), str(whole)));
    run("a text behind a byte order mark", (want){.code = 0, .in = "m.txt"}, "onnx-run parse m.txt -o out.onnx");
    put("m.txt", str("g (float x) => (float y) {\n  y = Relu(z) }"));
    put("out.onnx", str("the older output"));
    run("a text on standard input", (want){.code = 65, .words = "-:2:12:|z", .out = "out.onnx", .from = "m.txt"}, "onnx-run parse - -o out.onnx");
    run("a text that is not there", (want){.code = 66, .words = "none.txt", .out = "out.onnx"}, "onnx-run parse none.txt -o out.onnx");
    mkdir("folder.txt", 0700);
    run("a folder as text", (want){.code = 66, .other = 74, .third = 65, .words = "folder.txt", .out = "out.onnx"}, "onnx-run parse folder.txt -o out.onnx");
    rmdir("folder.txt");
    run("a text to a folder that is not there", (want){.code = 73, .other = 65, .third = 74, .out = "out.onnx"}, "onnx-run parse m.txt -o nowhere/out.onnx");
    forget();
}

void group_text(void) {
    text_everywhere();
    text_faults();
}
