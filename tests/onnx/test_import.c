/* From message to model: headers, names and scopes, order, attributes, functions, tensors, types. Right models come
 * in, wrong ones get OX_BAD_DATA with the thing named. */
#include "build.h"

static const bytes none;

/* A model whose header is given: ir_version (0: absent), opsets as "domain:version domain:version". */
static bytes with_header(int64_t ir, const char *opsets) {
    bytes m = {0};
    if (ir) put_num(&m, 1, ir);
    put_sub(&m, 7, relu_graph(none));
    while (*opsets) {
        bytes o = {0};
        size_t n = strcspn(opsets, ":");
        put_data(&o, 1, opsets, n);
        put_num(&o, 2, strtoll(opsets + n + 1, NULL, 10));
        put_sub(&m, 8, o);
        opsets += strcspn(opsets, " ");
        opsets += *opsets == ' ';
    }
    return m;
}

static void headers(void **state) {
    (void)state;
    bytes m = {0};
    put_num(&m, 1, 8);
    expect_open(m, OX_BAD_DATA, "graph", "no graph");
    expect_open(with_header(8, ":17"), 0, "", "right");
    expect_open(with_header(0, ":17"), OX_BAD_DATA, "ir_version", "no ir_version");
    expect_open(with_header(-1, ":17"), OX_BAD_DATA, "ir_version", "negative");
    expect_open(with_header(1ll << 62, ":17"), OX_BAD_DATA, "ir_version|highest", "huge");
    expect_open(with_header(15, ":17"), OX_BAD_DATA, "ir_version 15|14", "future");
    expect_open(with_header(8, ""), OX_BAD_DATA, "opset", "no opset");
    expect_open(with_header(8, ":17 :17"), OX_BAD_DATA, "opset|ai.onnx|twice", "double");
    expect_open(with_header(8, ":17 ai.onnx:17"), OX_BAD_DATA, "opset|twice", "double by alias");
    expect_open(with_header(8, "x:1 x:2 :17"), OX_BAD_DATA, "'x'|twice", "double other");
    expect_open(with_header(8, ":-5"), OX_BAD_DATA, "opset|-5", "negative version");
    expect_open(with_header(8, ":0"), OX_BAD_DATA, "opset|0", "version 0");
    expect_open(with_header(8, ":1000000"), OX_BAD_DATA, "1000000|newer|28", "newer than known");
    expect_open(with_header(8, ":17 y:99999999999"), OX_BAD_DATA, "'y'", "huge, unknown domain");
    expect_open(with_header(8, "ai.onnx:17 ai.onnx.ml:3 com.example:7"), 0, "", "several");
    expect_open(with_header(8, "ai.onnx.ml:3"), OX_BAD_DATA, "ai.onnx", "domain of a node missing");
}

static bytes with_node(bytes n) {
    bytes extra = {0};
    put_sub(&extra, 1, n);
    return relu_model(extra);
}

static void nodes(void **state) {
    (void)state;
    bytes n = node("FancyOp", "x", "z");
    expect_open(with_node(n), 0, "", "unknown operator");
    n = node("Op", "x", "z");
    put_str(&n, 7, "com.example");
    expect_open(with_node(n), OX_BAD_DATA, "com.example|opset", "domain not imported");
    n = node("", "x", "z");
    put_str(&n, 3, "nameless");
    expect_open(with_node(n), OX_BAD_DATA, "nameless|op_type", "empty op_type");
    expect_open(with_node(node("Relu", "nowhere", "z")), OX_BAD_DATA, "nowhere|Relu|node 1", "undefined input");
    expect_open(with_node(node("Relu", "x", "y")), OX_BAD_DATA, "'y'", "two producers");
    expect_open(with_node(node("Relu", "y", "x")), OX_BAD_DATA, "'x'", "output is an input");
    expect_open(with_node(node("Split", "x", "a a")), OX_BAD_DATA, "'a'", "one node twice");
    expect_open(with_node(node("Add", "x", "z")), OX_BAD_DATA, "Add", "too few inputs");
    expect_open(with_node(node("Add", "x -", "z")), OX_BAD_DATA, "Add", "required input empty");
    expect_open(with_node(node("Relu", "x x", "z")), OX_BAD_DATA, "Relu", "too many inputs");
    expect_open(with_node(node("Relu", "z", "z")), OX_BAD_DATA, "cycle", "cycle of one");
    bytes extra = {0};
    put_sub(&extra, 1, node("Relu", "b", "a"));
    put_sub(&extra, 1, node("Relu", "a", "b"));
    expect_open(relu_model(extra), OX_BAD_DATA, "cycle", "cycle of two");
    extra = none;
    put_sub(&extra, 1, node("Relu", "b", "a"));
    put_sub(&extra, 1, node("Relu", "y", "b"));
    expect_open(relu_model(extra), 0, "order", "not sorted");
}

static void inputs_and_outputs(void **state) {
    (void)state;
    bytes extra = {0}, g = {0};
    put_sub(&extra, 11, info("x", 1, SCALAR));
    expect_open(relu_model(extra), OX_BAD_DATA, "'x'", "input twice");
    extra = none;
    put_sub(&extra, 12, info("y", 1, SCALAR));
    expect_open(relu_model(extra), OX_BAD_DATA, "'y'|twice", "output twice");
    extra = none;
    put_sub(&extra, 12, info("gone", 1, SCALAR));
    expect_open(relu_model(extra), OX_BAD_DATA, "'gone'", "output not produced");
    put_sub(&g, 1, node("Relu", "x", "y"));
    put_sub(&g, 11, info("x", 1, SCALAR));
    expect_open(model_of(g), OX_BAD_DATA, "output", "no output");
    extra = none;
    put_sub(&extra, 11, info("q", 0, SCALAR));
    expect_open(relu_model(extra), OX_BAD_DATA, "'q'|elem_type", "elem_type 0");
    extra = none;
    put_sub(&extra, 11, info("q", 99, SCALAR));
    expect_open(relu_model(extra), OX_BAD_DATA, "'q'|99", "elem_type 99");
    extra = none;
    put_sub(&extra, 11, info("q", -3, SCALAR));
    expect_open(relu_model(extra), OX_BAD_DATA, "'q'|-3", "elem_type negative");
    extra = none;
    put_sub(&extra, 13, info("stale", 1, DIMS(7)));
    expect_open(relu_model(extra), 0, "", "stale value_info");
    bytes type = {0}, tensor = {0}, shape = {0}, v = {0}, dim = {0};
    put_num(&dim, 1, 1);
    for (int i = 0; i < 100000; i++) put_data(&shape, 1, dim.p, dim.n);
    free(dim.p);
    put_num(&tensor, 1, 1);
    put_sub(&tensor, 2, shape);
    put_sub(&type, 1, tensor);
    put_str(&v, 1, "q");
    put_sub(&v, 2, type);
    extra = none;
    put_sub(&extra, 11, v);
    expect_open(relu_model(extra), OX_BAD_DATA, "'q'|rank|64", "rank of an input");
}

static bytes identity_body(const char *in, const char *out) {
    bytes g = {0};
    put_str(&g, 2, "body");
    put_sub(&g, 1, node("Identity", in, out));
    put_sub(&g, 12, info(out, 1, DIMS(2)));
    return g;
}

static bytes if_model(bytes then_branch, bytes else_branch, bytes extra) {
    bytes n = node("If", "b", "c");
    put_str(&n, 3, "choose");
    put_sub(&n, 5, attr_graph("then_branch", then_branch));
    if (else_branch.n) put_sub(&n, 5, attr_graph("else_branch", else_branch));
    put_sub(&extra, 1, n);
    put_sub(&extra, 11, info("b", 9, SCALAR));
    return relu_model(extra);
}

static void bodies(void **state) {
    (void)state;
    expect_open(if_model(identity_body("x", "t"), identity_body("y", "t"), none), 0, "", "siblings may share names");
    expect_open(if_model(identity_body("x", "t"), none, none), OX_BAD_DATA, "choose|else_branch", "no else");
    expect_open(if_model(identity_body("x", "y"), identity_body("x", "e"), none), OX_BAD_DATA, "'y'|choose|body",
                "shadows an outer name");
    expect_open(if_model(identity_body("x", "t"), identity_body("t", "e"), none), OX_BAD_DATA, "'t'|defined nowhere",
                "private to another body");
    expect_open(if_model(identity_body("c", "t"), identity_body("x", "e"), none), OX_BAD_DATA, "cycle",
                "cycle through a body");
    bytes extra = {0};
    put_sub(&extra, 1, node("Relu", "c", "late"));
    expect_open(if_model(identity_body("late", "t"), identity_body("x", "e"), extra), OX_BAD_DATA, "cycle",
                "longer cycle through a body");
    bytes outer = {0};
    put_sub(&outer, 12, info("x", 1, DIMS(2)));
    expect_open(if_model(outer, identity_body("x", "e"), none), 0, "", "output is an outer value");
    extra = none;
    put_sub(&extra, 5, tensor_raw("w", 1, DIMS(2), "12345678", 8));
    expect_open(if_model(identity_body("w", "t"), identity_body("x", "e"), extra), 0, "",
                "initializer only a body reads");
}

/* body of Loop or Scan: `in` and `out` names separated by spaces */
static bytes body_of(const char *in, const char *out) {
    bytes g = {0};
    char name[16];
    put_str(&g, 2, "body");
    while (*in) {
        size_t n = strcspn(in, " ");
        snprintf(name, sizeof name, "%.*s", (int)n, in);
        put_sub(&g, 11, info(name, 1, NULL));
        in += n + (in[n] == ' ');
    }
    while (*out) {
        size_t n = strcspn(out, " ");
        snprintf(name, sizeof name, "%.*s", (int)n, out);
        put_sub(&g, 12, info(name, 1, NULL));
        out += n + (out[n] == ' ');
    }
    return g;
}

static bytes loop(const char *in, const char *out, bytes body) {
    bytes n = node("Loop", in, out);
    put_str(&n, 3, "around");
    put_sub(&n, 5, attr_graph("body", body));
    return with_node(n);
}

static bytes scan(int scans, const char *in, const char *out, bytes body) {
    bytes n = node("Scan", in, out);
    put_str(&n, 3, "over");
    put_sub(&n, 5, attr_graph("body", body));
    put_sub(&n, 5, attr_int("num_scan_inputs", scans));
    return with_node(n);
}

static void loops(void **state) {
    (void)state;
    expect_open(loop("x x x", "r s", body_of("i c v", "c v v")), 0, "", "right");
    expect_open(loop("x x x", "r s", body_of("i c", "c c c")), OX_BAD_DATA, "around|inputs",
                "too few inputs of the body");
    expect_open(loop("x x x", "r s", body_of("i c v q", "c v v")), OX_BAD_DATA, "around|inputs",
                "too many inputs of the body");
    expect_open(loop("x x x", "r s", body_of("i c v", "c v")), OX_BAD_DATA, "around|outputs",
                "too few outputs of the body");
    expect_open(loop("x x x", "r s", body_of("i c v", "c v v v")), OX_BAD_DATA, "around|outputs",
                "too many outputs of the body");
    expect_open(loop("x x x x", "r", body_of("i c v w", "c v")), OX_BAD_DATA, "around|carried",
                "too few outputs of the node");
    bytes body = body_of("i c v", "c v v");
    put_sub(&body, 5, tensor_raw("v", 1, DIMS(1), "1234", 4));
    expect_open(loop("x x x", "r s", body), OX_BAD_DATA, "around|'v'", "input that is an initializer");
    expect_open(scan(1, "x x", "r s", body_of("a b", "a b")), 0, "", "right");
    expect_open(scan(0, "x x", "r s", body_of("a b", "a b")), OX_BAD_DATA, "over|num_scan_inputs", "no scan input");
    expect_open(scan(3, "x x", "r s", body_of("a b", "a b")), OX_BAD_DATA, "over|num_scan_inputs",
                "too many scan inputs");
    expect_open(scan(1, "x x", "r s", body_of("a", "a a")), OX_BAD_DATA, "over|inputs", "inputs of the body");
    expect_open(scan(1, "x x", "r s", body_of("a b", "a")), OX_BAD_DATA, "over|outputs", "outputs of the body");
    bytes ints = {0}, floats = identity_body("x", "t"), two = identity_body("x", "t");
    put_sub(&ints, 12, info("q", 7, SCALAR));
    bytes extra = {0};
    put_sub(&extra, 11, info("q", 7, SCALAR));
    expect_open(if_model(floats, ints, extra), OX_BAD_DATA, "choose|else_branch|int64", "branches of two types");
    put_sub(&two, 12, info("x", 1, DIMS(2)));
    expect_open(if_model(two, identity_body("x", "e"), none), OX_BAD_DATA, "choose|then_branch|outputs",
                "outputs of a branch");
}

static bytes leaky(bytes attr) {
    bytes n = node("LeakyRelu", "x", "z");
    put_str(&n, 3, "leak");
    put_sub(&n, 5, attr);
    return with_node(n);
}

static void attributes(void **state) {
    (void)state;
    bytes a = {0}, n;
    put_str(&a, 1, "alpha");
    put_float(&a, 2, 0.5f);
    put_num(&a, 20, 1);
    expect_open(leaky(a), 0, "", "right");
    a = none;
    put_str(&a, 1, "alpha");
    put_float(&a, 2, 0.5f);
    expect_open(leaky(a), 0, "", "type left out");
    a = none;
    put_str(&a, 1, "alpha");
    put_float(&a, 2, 0.5f);
    put_num(&a, 20, 2);
    expect_open(leaky(a), OX_BAD_DATA, "leak|alpha|contradicts", "contradictory type");
    a = none;
    put_str(&a, 1, "alpha");
    put_float(&a, 2, 0.5f);
    put_num(&a, 3, 2);
    put_num(&a, 20, 1);
    expect_open(leaky(a), OX_BAD_DATA, "leak|alpha|more than one", "two values");
    a = none;
    put_str(&a, 1, "alpha");
    expect_open(leaky(a), OX_BAD_DATA, "leak|alpha", "nothing");
    a = none;
    put_str(&a, 1, "alpha");
    put_num(&a, 20, 77);
    expect_open(leaky(a), OX_BAD_DATA, "leak|alpha|77", "unknown type");
    expect_open(leaky(attr_int("alpha", 1)), OX_BAD_DATA, "leak|alpha", "wrong type");
    expect_open(leaky(attr_int("beta", 1)), OX_BAD_DATA, "leak|beta", "unknown to the operator");
    expect_open(leaky(attr_int("", 1)), OX_BAD_DATA, "leak|attribute", "nameless");
    a = none;
    put_str(&a, 1, "alpha");
    put_str(&a, 21, "slope");
    put_num(&a, 20, 1);
    expect_open(leaky(a), OX_BAD_DATA, "leak|alpha|slope", "reference outside a function");
    n = node("Flatten", "x", "z");
    put_sub(&n, 5, attr_int("axis", 1));
    put_sub(&n, 5, attr_int("axis", 1));
    expect_open(with_node(n), OX_BAD_DATA, "axis|Flatten", "double");
    n = node("ReduceSum", "x", "z");
    put_sub(&n, 5, attr_int("keepdims", 0));
    expect_open(with_node(n), 0, "", "right again");
    n = node("Cast", "x", "z");
    expect_open(with_node(n), OX_BAD_DATA, "Cast|to", "missing");
}

/* ---- functions ---- */

static bytes function(const char *name, const char *calls) {
    bytes f = {0}, opset = {0}, own = {0}, n = node(calls, "a", "b");
    put_str(&f, 1, name);
    put_str(&f, 4, "a");
    put_str(&f, 5, "b");
    if (strcmp(calls, "Relu")) put_str(&n, 7, "d");
    put_sub(&f, 7, n);
    put_num(&opset, 2, 17);
    put_sub(&f, 9, opset);
    put_str(&own, 1, "d");
    put_num(&own, 2, 1);
    put_sub(&f, 9, own);
    put_str(&f, 10, "d");
    return f;
}

static bytes calling(const char *first) {
    bytes m = {0}, g = {0}, n = node(first, "x", "y"), opset = {0}, own = {0};
    put_str(&n, 7, "d");
    put_sub(&g, 1, n);
    put_str(&g, 2, "g");
    put_sub(&g, 11, info("x", 1, DIMS(2)));
    put_sub(&g, 12, info("y", 1, DIMS(2)));
    put_num(&m, 1, 10);
    put_sub(&m, 7, g);
    put_num(&opset, 2, 17);
    put_sub(&m, 8, opset);
    put_str(&own, 1, "d");
    put_num(&own, 2, 1);
    put_sub(&m, 8, own);
    return m;
}

static void functions(void **state) {
    (void)state;
    bytes m = calling("F"), f;
    char name[32], next[32];
    put_sub(&m, 25, function("F", "Relu"));
    expect_open(m, 0, "", "right");
    m = calling("F");
    put_sub(&m, 25, function("F", "Relu"));
    put_sub(&m, 25, function("F", "Relu"));
    expect_open(m, OX_BAD_DATA, "'F'|twice", "defined twice");
    m = calling("F");
    f = function("F", "Relu");
    put_str(&f, 13, "other");
    put_sub(&m, 25, function("F", "Relu"));
    put_sub(&m, 25, f);
    expect_open(m, 0, "", "overloads");
    m = calling("F");
    f = function("F", "Relu");
    put_str(&f, 4, "unused");
    put_sub(&m, 25, f);
    expect_open(m, 0, "", "fewer inputs than the function has");
    m = calling("F");
    f = none;
    put_str(&f, 1, "F");
    put_str(&f, 10, "d");
    put_sub(&f, 7, node("Relu", "a", "b"));
    put_sub(&m, 25, f);
    expect_open(m, OX_BAD_DATA, "inputs|function", "more inputs than the function has");
    m = calling("F");
    put_sub(&m, 25, function("F", "F"));
    expect_open(m, OX_BAD_DATA, "'F'|cycle", "calls itself");
    m = calling("F");
    put_sub(&m, 25, function("F", "G"));
    put_sub(&m, 25, function("G", "H"));
    put_sub(&m, 25, function("H", "F"));
    expect_open(m, OX_BAD_DATA, "'F'|'G'|'H'|recursive|cycle", "a ring");
    m = calling("F0");
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "F%d", i);
        snprintf(next, sizeof next, "F%d", i + 1);
        put_sub(&m, 25, function(name, i == 4999 ? "Relu" : next));
    }
    expect_open(m, OX_BAD_DATA, "limit of 100", "a long chain");
    m = calling("F");
    f = function("F", "Relu");
    put_sub(&f, 7, node("Relu", "gone", "c"));
    put_sub(&m, 25, function("G", "Relu"));
    put_sub(&m, 25, f);
    expect_open(m, OX_BAD_DATA, "function 'F'|gone", "broken body");
    m = calling("F");
    f = function("F", "Relu");
    put_str(&f, 5, "gone");
    put_sub(&m, 25, f);
    expect_open(m, OX_BAD_DATA, "function 'F'|gone", "output not produced");
    m = relu_model(none);
    f = none;
    put_str(&f, 1, "Relu");
    put_str(&f, 4, "a");
    put_str(&f, 5, "b");
    put_sub(&f, 7, node("Identity", "a", "b"));
    bytes import = none;
    put_str(&import, 1, "");
    put_num(&import, 2, 17);
    put_sub(&f, 9, import);
    put_sub(&m, 25, f);
    expect_open(m, 0, "", "shadows a standard operator");
}

/* ---- tensors ---- */

static void bad_tensor(bytes t, const char *words, const char *what) {
    bytes extra = {0}, n = node("Constant", "", "c"), copy = {0};
    put(&copy, t.p, t.n);
    put_sub(&extra, 5, t);
    expect_open(relu_model(extra), words ? OX_BAD_DATA : 0, words, what);
    put_sub(&n, 5, attr_tensor("value", copy)); /* the same as an attribute */
    expect_open(with_node(n), words ? OX_BAD_DATA : 0, words, what);
}

static void tensors(void **state) {
    (void)state;
    const uint8_t raw[64] = {0};
    bytes t;
    bad_tensor(tensor_raw("w", 1, DIMS(2, 3), raw, 24), NULL, "right");
    bad_tensor(tensor_raw("w", 1, DIMS(2, 0), raw, 0), NULL, "no elements");
    bad_tensor(tensor_head("w", 1, DIMS(0)), NULL, "no elements, no field");
    bad_tensor(tensor_raw("w", 1, DIMS(-2), raw, 8), "'w'|negative", "negative dim");
    bad_tensor(tensor_raw("w", 1, DIMS(1ll << 32, 1ll << 32), raw, 8), "'w'|overflow", "product");
    bad_tensor(tensor_raw("w", 1, DIMS(1ll << 32, 1ll << 32, 0), raw, 0), "'w'|overflow", "product with a zero");
    bad_tensor(tensor_raw("w", 11, DIMS(1ll << 62), raw, 8), "'w'|overflow", "bytes");
    bad_tensor(tensor_raw("w", 0, DIMS(2), raw, 8), "'w'|data_type", "type 0");
    bad_tensor(tensor_raw("w", 999, DIMS(2), raw, 8), "'w'|999", "type 999");
    bad_tensor(tensor_raw("w", -1, DIMS(2), raw, 8), "'w'|-1", "type negative");
    bad_tensor(tensor_raw("w", 8, DIMS(2), raw, 8), "'w'|string", "strings in raw_data");
    bad_tensor(tensor_raw("w", 1, DIMS(2), raw, 7), "'w'|7", "short");
    bad_tensor(tensor_raw("w", 1, DIMS(2), raw, 12), "'w'|12", "long");
    bad_tensor(tensor_raw("w", 1, DIMS(1ll << 48), raw, 8), "'w'", "claims a PiB");
    bad_tensor(tensor_head("w", 1, DIMS(2)), "'w'|no data", "no data");
    bad_tensor(tensor_raw("w", 22, DIMS(3), "\xff\xff", 2), NULL, "int4, odd count, dirty padding");
    bad_tensor(tensor_raw("w", 22, DIMS(3), raw, 3), "'w'|3", "int4, wrong length");
    t = tensor_raw("w", 1, DIMS(2), raw, 8);
    put_float(&t, 4, 1);
    bad_tensor(t, "'w'|float_data|raw_data", "two fields");
    t = tensor_head("w", 7, DIMS(1));
    put_float(&t, 4, 1);
    bad_tensor(t, "'w'|float_data", "wrong field");
    t = tensor_head("w", 10, DIMS(1));
    put_num(&t, 5, 65535);
    bad_tensor(t, NULL, "float16 in int32_data");
    t = tensor_head("w", 10, DIMS(1));
    put_num(&t, 5, 65536);
    bad_tensor(t, "'w'|65536", "out of range");
    t = tensor_head("w", 3, DIMS(1));
    put_num(&t, 5, -129);
    bad_tensor(t, "'w'|-129", "int8 out of range");
    t = tensor_head("w", 1, DIMS(2));
    put_float(&t, 4, 1);
    bad_tensor(t, "'w'|float_data", "too few numbers");
    t = tensor_raw("w", 1, DIMS(2), raw, 8);
    put_sub(&t, 3, none);
    bad_tensor(t, "'w'|segment", "segment");
    t = none;
    for (int i = 0; i < 1000; i++) put_num(&t, 1, 1);
    put_num(&t, 2, 1);
    put_str(&t, 8, "w");
    put_float(&t, 4, 1);
    bad_tensor(t, "'w'|rank|64", "rank");

    bytes extra = {0};
    put_sub(&extra, 5, tensor_raw("w", 1, DIMS(2), raw, 8));
    put_sub(&extra, 5, tensor_raw("w", 1, DIMS(2), raw, 8));
    expect_open(relu_model(extra), OX_BAD_DATA, "'w'", "twice");
    extra = none;
    put_sub(&extra, 5, tensor_raw("y", 1, DIMS(2), raw, 8));
    expect_open(relu_model(extra), OX_BAD_DATA, "'y'", "shadows a node's output");
    extra = none;
    put_sub(&extra, 5, tensor_raw("x", 1, DIMS(2), raw, 8));
    expect_open(relu_model(extra), 0, "", "default of an input");
    extra = none;
    put_sub(&extra, 5, tensor_raw("x", 1, DIMS(3), raw, 12));
    expect_open(relu_model(extra), OX_BAD_DATA, "'x'|input", "shape against the input");
    extra = none;
    put_sub(&extra, 5, tensor_raw("x", 6, DIMS(2), raw, 8));
    expect_open(relu_model(extra), OX_BAD_DATA, "'x'|input", "type against the input");
}

static bytes sparse(const int64_t *indices, int n, const int64_t *dims) {
    bytes s = {0}, x = {0}, v = {0};
    float values[8] = {0};
    for (const int64_t *d = dims; *d != -9; d++) put_num(&s, 3, *d);
    put_num(&v, 1, n);
    put_num(&v, 2, 1);
    put_str(&v, 8, "s");
    put_data(&v, 9, values, (size_t)n * 4);
    put_num(&x, 1, n);
    put_num(&x, 2, 7);
    put_data(&x, 9, indices, (size_t)n * 8);
    put_sub(&s, 1, v);
    put_sub(&s, 2, x);
    return s;
}

static void sparse_tensors(void **state) {
    (void)state;
    static const struct {
        int64_t indices[3];
        int code;
        const char *words;
    } cases[] = {{{0, 2, 5}, 0, ""},
                 {{0, 2, 6}, OX_BAD_DATA, "'s'|range"},
                 {{-1, 2, 5}, OX_BAD_DATA, "'s'|range"},
                 {{2, 0, 5}, OX_BAD_DATA, "'s'|sorted"},
                 {{2, 2, 5}, OX_BAD_DATA, "'s'|double"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes extra = {0};
        put_sub(&extra, 15, sparse(cases[i].indices, 3, DIMS(2, 3)));
        expect_open(relu_model(extra), cases[i].code, cases[i].words, cases[i].words);
    }
    bytes extra = {0};
    put_sub(&extra, 15, sparse(cases[0].indices, 3, DIMS(-2, 3)));
    expect_open(relu_model(extra), OX_BAD_DATA, "'s'|negative", "dims");
}

static void many_nodes(void **state) {
    (void)state;
    bytes g = {0};
    char a[32], b[32];
    for (int i = 0; i < 100000; i++) {
        snprintf(a, sizeof a, "v%d", i);
        snprintf(b, sizeof b, "v%d", i + 1);
        put_sub(&g, 1, node("Relu", i ? a : "x", b));
    }
    put_str(&g, 2, "g");
    put_sub(&g, 11, info("x", 1, DIMS(2)));
    put_sub(&g, 12, info("v100000", 1, DIMS(2)));
    expect_open(model_of(g), 0, "", "a chain of 100,000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers), cmocka_unit_test(nodes),          cmocka_unit_test(inputs_and_outputs),
        cmocka_unit_test(bodies),  cmocka_unit_test(attributes),     cmocka_unit_test(functions),
        cmocka_unit_test(tensors), cmocka_unit_test(sparse_tensors), cmocka_unit_test(many_nodes),
        cmocka_unit_test(loops),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
