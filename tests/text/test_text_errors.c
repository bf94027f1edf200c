/* What is wrong in a text is said with file, line and column, and never crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "onnx/onnx.h"

static void expect(const char *text, size_t len, const char *message) {
    ox_ctx *ctx = ox_ctx_new();
    ox_message *msg = ox_message_parse(ctx, text, len, "m.txt");
    if (msg) print_error("parsed: %s\n", text);
    assert_null(msg);
    assert_string_equal(ox_error_text(ctx), message);
    assert_int_equal(ox_error_code(ctx), OX_BAD_DATA);
    ox_ctx_free(ctx);
}

static void test_errors(void **state) {
    (void)state;
    static const struct { const char *text, *message; } cases[] = {
        {"", "m.txt:1:1: expected a name"},
        {"g () => () {\n  a = Op (b\n}\n", "m.txt:3:1: expected ')', found '}'"},
        {"g () => () {", "m.txt:1:13: expected a node or '}', found the end of the text"},
        {"g () => () { a = Op (b) ", "m.txt:1:25: expected a node or '}', found the end of the text"},
        {"g (flot[2] x) => () {}", "m.txt:1:8: expected ',' or ')', found '['"},
        {"g (float[2 x) => () {}", "m.txt:1:12: expected ',' or ']', found 'x'"},
        {"g (float[2] x,) => () {}", "m.txt:1:15: expected a name"},
        {"g (seq(flot) x) => () {}", "m.txt:1:8: expected a type"},
        {"g (map(seq, float) x) => () {}", "m.txt:1:8: expected an element type as the key of a map"},
        {"g () = > () {}", "m.txt:1:6: expected '=>', found '='"},
        {"<ir_version: 8 g () => () {}", "m.txt:1:16: expected ',' or '>', found 'g'"},
        {"<ir_versoin: 8> g () => () {}", "m.txt:1:2: ModelProto has no field 'ir_versoin'"},
        {"<graph: 8> g () => () {}", "m.txt:1:2: 'graph' has its own place in the text"},
        {"<ir_version: x> g () => () {}", "m.txt:1:14: expected an integer"},
        {"<ir_version: 9223372036854775808> g () => () {}", "m.txt:1:14: the number does not fit in int64"},
        {"<producer_name: p> g () => () {}", "m.txt:1:17: expected a quoted text"},
        {"<producer_name: \"\\xff\"> g () => () {}", "m.txt:1:17: a NUL byte or invalid UTF-8 in a text"},
        {"<producer_name: \"a\\x00\"> g () => () {}", "m.txt:1:17: a NUL byte or invalid UTF-8 in a text"},
        {"<producer_name: \"a> g () => () {}", "m.txt:1:17: unfinished string"},
        {"g () => () <float[2] w = {1, x}> {}", "m.txt:1:30: expected a number"},
        {"g () => () <int64[2] w = {1.5}> {}", "m.txt:1:27: expected an integer"},
        {"g () => () <int8 w = {3000000000}> {}", "m.txt:1:23: the number does not fit in int32"},
        {"g () => () <int8 w = raw {128}> {}", "m.txt:1:27: the number does not fit in int8"},
        {"g () => () <uint2 w = raw {4}> {}", "m.txt:1:28: the number does not fit in uint2"},
        {"g () => () <float w = {1e39}> {}", "m.txt:1:24: the number does not fit in float"},
        {"g () => () <float w = {nan \"7f800000\"}> {}", "m.txt:1:28: expected the 8 hexadecimal digits of a NaN"},
        {"g () => () <float[N] w = {1}> {}", "m.txt:1:26: a tensor needs numbers as dimensions"},
        {"g () => () <float[] w = {1}> {}", "m.txt:1:25: a tensor needs a shape"},
        {"g () => () <seq(float) w = {1}> {}", "m.txt:1:28: a tensor needs a tensor type"},
        {"g () => () <w = {1}> {}", "m.txt:1:17: a tensor needs a tensor type"},
        {"g () => () <undefined w = {1}> {}", "m.txt:1:28: a tensor of type undefined has no elements"},
        {"g () => () <float w = {... \"0123\"}> {}",
         "m.txt:1:24: elided tensor: print the model in full to have its values"},
        {"g () => () {a = Op<x: ints = [... \"0123\"]>()}",
         "m.txt:1:31: elided list: print the model in full to have its values"},
        {"g () => () <float w = raw \"012\"> {}", "m.txt:1:27: an odd number of hexadecimal digits"},
        {"g () => () <float w = raw \"01x2\"> {}", "m.txt:1:27: character 3 of the text is no hexadecimal digit"},
        {"g () => () <float w = packed \"01\"> {}", "m.txt:1:30: 1 bytes are not whole elements"},
        {"g () => () <int8 w = packed \"01\"> {}", "m.txt:1:29: a tensor of type int8 cannot be packed"},
        {"g () => () <string w = raw {\"\"}> {}", "m.txt:1:29: raw data of type string need hexadecimal digits"},
        {"g () => () {a = Op<x = []>()}", "m.txt:1:25: an empty list needs a type: 'name: ints = []'"},
        {"g () => () {a = Op<x: int = []>()}", "m.txt:1:30: an empty list is no value of type int"},
        {"g () => () {a = Op<x = [1, \"a\"]>()}", "m.txt:1:28: a value of type string where int is expected"},
        {"g () => () {a = Op<x: ints = 1>()}", "m.txt:1:30: a value of type int where ints is expected"},
        {"g () => () {a = Op<x: integer = 1>()}", "m.txt:1:23: expected the type of an attribute"},
        {"g () => () {a = Op<x = *>()}", "m.txt:1:24: expected the value of an attribute"},
        {"g () => () {a = Op<x = 5f>()}", "m.txt:1:24: a number runs into a name: '5f'"},
        {"g () => () {a = Op() @{nme: \"\"}}", "m.txt:1:24: NodeProto has no field 'nme'"},
        {"g () => () {a = Op() @{unknown: [\"08\"]}}", "m.txt:1:34: these bytes are not one field"},
        {"g () => () {a = Op() @{unknown: [\"0b0c\"]}}", "m.txt:1:34: these bytes are not one field"},
        {"g () => () {} <graph: 1> f () => () {}", "m.txt:1:16: FunctionProto has no field 'graph'"},
        {"g () => () {}\n<node: []> f () => () {}", "m.txt:2:2: 'node' has its own place in the text"},
        {"@exactly g () => () {}", "m.txt:1:2: expected 'exact', found 'exactly'"},
        {"g () => () {\n\ta = Op \x01", "m.txt:2:9: unexpected control character \\x01"},
        {"g () => () { \xff }", "m.txt:1:14: invalid UTF-8"},
        {"g () => () {\n  a = Op (b)\n}", "m.txt:2:11: 'b' is defined nowhere"},
        {"g () => () {\n  a = Op ()\n  b, a = Op ()\n}", "m.txt:3:6: 'a' is defined a second time"},
        {"g () => (float y) { a = Op () }", "m.txt:1:16: 'y' is defined nowhere"},
        {"g (c) => () { a = If (c) <b = t () => (r) { r = Op (x) }> }", "m.txt:1:53: 'x' is defined nowhere"},
        {"g () => () {} <domain: \"d\"> f (p) => (r) { q = Op (p) }", "m.txt:1:39: 'r' is defined nowhere"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].text, strlen(cases[i].text), cases[i].message);
    expect("g () \0=> () {}", 14, "m.txt:1:6: NUL byte");
}

/* `times` times `piece` between begin and end. */
static char *nested(const char *begin, const char *piece, int times, const char *end) {
    size_t size = strlen(begin) + strlen(end) + (size_t)times * strlen(piece) + 1;
    char *text = malloc(size), *at = text + strlen(begin);
    strcpy(text, begin);
    for (int i = 0; i < times; i++, at += strlen(piece)) strcpy(at, piece);
    strcpy(at, end);
    return text;
}

static void test_nesting(void **state) {
    (void)state;
    char *text = nested("g (", "seq(", 100000, "");
    expect(text, strlen(text), "m.txt:1:132: types nested beyond the nesting limit 32");
    free(text);
    text = nested("", "g () => () { a = If () <b = ", 100000, "");
    expect(text, strlen(text), "m.txt:1:925: bodies nested beyond the nesting limit 32");
    free(text);
    text = nested("<training_info: [", "{initialization: g () => () {} @{node: [{attribute: [a = ", 100000, "");
    expect(text, strlen(text), "m.txt:1:76: SparseTensorProto has no field 'initialization'");
    free(text);
    text = nested("g () => () <float x = ", "{", 100000, "");
    expect(text, strlen(text), "m.txt:1:24: expected a number");
    free(text);
}

/* As deep as allowed: 32 bodies below the main graph. */
static void test_depth(void **state) {
    (void)state;
    char *opening = nested("", "g () => () { = If () <b = ", 32, "g () => () {}");
    char *text = nested(opening, ">}", 32, "");
    ox_ctx *ctx = ox_ctx_new();
    ox_message *msg = ox_message_parse(ctx, text, strlen(text), "m.txt");
    assert_non_null(msg);
    ox_message_free(msg);
    ox_ctx_free(ctx);
    free(text);
    free(opening);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors), cmocka_unit_test(test_nesting),
                                       cmocka_unit_test(test_depth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
