/* The model, its graphs, their scopes, functions. */
#include "malformed.h"

#include <string.h>

static bytes graph_of(bytes parts) { return J(parts, txt(2, "g"), sub(11, value("x", FLOAT, "2,3")), sub(12, value("y", 0, NULL))); }
static bytes relu(void) { return graph_of(N("Relu", "x", "y", NONE)); }
static bytes relu_into(const char *out) { return J(txt(1, "x"), txt(2, out), txt(4, "Relu")); }
static bytes relu_node(const char *in, const char *out) { return sub(1, J(txt(1, in), txt(2, out), txt(3, text("to_%s", out)), txt(4, "Relu"))); }

static bytes truth(const char *out) { return N("Constant", "", out, a_tensor("value", tensor(NULL, BOOL, "", sub(9, RAW("\1"))))); }

/* ---- rows 15 and 16 ---- */

static void header(void) {
    static const int64_t ir[] = {0, -1, INT64_MIN, 1000, (int64_t)1 << 62, INT32_MAX};
    refuse("no graph", J(num(1, 10), opset("", 21)), "graph");
    refuse("only unknown fields", J(txt(900, "a"), num(901, 1)), "graph");
    refuse("no ir_version", J(sub(7, relu()), opset("", 21)), "ir_version");
    for (size_t i = 0; i < sizeof ir / sizeof *ir; i++)
        refuse(text("ir_version %lld", (long long)ir[i]), J(num(1, ir[i]), sub(7, relu()), opset("", 21)), text("ir_version|%lld", (long long)ir[i]));
    refuse("no opset import", J(num(1, 10), sub(7, relu())), "opset");
    refuse("opset import twice", J(num(1, 10), sub(7, relu()), opset("", 21), opset("", 20)), "opset|twice");
    refuse("opset import as two names", J(num(1, 10), sub(7, relu()), opset("", 21), opset("ai.onnx", 21)), "opset|ai.onnx");
    refuse("a foreign domain twice", J(num(1, 10), sub(7, relu()), opset("", 21), opset("mine", 1), opset("mine", 1)), "opset|mine");
    static const int64_t versions[] = {0, -5, INT64_MIN, (int64_t)1 << 31, INT64_MAX};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        refuse(text("opset %lld", (long long)versions[i]), J(num(1, 10), sub(7, relu()), opset("", versions[i])), text("opset|%lld", (long long)versions[i]));
        refuse(text("foreign opset %lld", (long long)versions[i]), J(num(1, 10), sub(7, relu()), opset("", 21), opset("mine", versions[i])), "opset|mine");
    }
    refuse("opset without version", J(num(1, 10), sub(7, relu()), sub(8, txt(1, ""))), "opset");
    refuse("opset 99", J(num(1, 10), sub(7, relu()), opset("", 99)), "opset|99|highest");
    refuse("ml opset 99", J(num(1, 10), sub(7, relu()), opset("", 21), opset("ai.onnx.ml", 99)), "opset|99|highest|ai.onnx.ml");
    bytes foreign = sub(1, J(node("Mine", "x", "z", NONE), txt(7, "not.imported")));
    refuse("a domain that is not imported", around(foreign), "not.imported");
    refuse_at("a domain that is not imported", foreign, "not.imported");
    refuse("the standard domain is not imported", J(num(1, 10), sub(7, relu()), opset("mine", 1)), "ai.onnx~opset");
    refuse("a function's domain is not imported by it", model(graph_of(sub(1, J(node("Fn", "x", "y", NONE), txt(7, "local")))),
           sub(25, J(txt(1, "Fn"), txt(4, "x"), txt(5, "r"), sub(7, node("Relu", "x", "r", NONE)), txt(10, "local")))), "opset~import");
}

/* ---- rows 17 and 18 ---- */

static void unknown_ops(void) {
    bytes mine = J(node("Mine", "x w", "y", J(a_int("kept_attribute", 5), a_str("s", "kept_string"))), txt(6, "kept_doc"), txt(7, "com.mine"));
    bytes m = J(making_y(J(sub(1, mine), init(t_f("w", "4", "1,2,3,4")))), opset("com.mine", 3));
    accept_model("an operator of a foreign domain", m, "kept_attribute");
    put("m.onnx", m);
    run("optimizing it", (want){.code = 0}, "onnx-opt m.onnx -o out.onnx");
    bytes out = get("out.onnx");
    check("the node is there byte for byte", memmem(out.p, out.n, mine.p, mine.n) != NULL, "changed");
    check("its weight too", memmem(out.p, out.n, t_f("w", "4", "1,2,3,4").p, 10) != NULL, "lost");
    run("running it", (want){.code = 65, .other = 69, .words = "Mine"}, "onnx-run run m.onnx -o o.npz");
    accept_model("an unknown operator of the standard domain", making_y(N("NoSuchOperator", "x", "y", a_float("a", 1))), "NoSuchOperator");
    put("m.onnx", making_y(N("NoSuchOperator", "x", "y", NONE)));
    run("running that", (want){.code = 65, .other = 69, .words = "NoSuchOperator"}, "onnx-run run m.onnx -o o.npz");
    refuse_at("empty op type", sub(1, J(txt(1, "x"), txt(2, "z"), txt(3, "nameless"), txt(4, ""))), "node|nameless");
    refuse_at("op type is missing", sub(1, J(txt(1, "x"), txt(2, "z"), txt(3, "nameless"))), "node|nameless");
}

/* ---- rows 19 to 23 ---- */

static void scopes(void) {
    refuse_at("two nodes make one value", J(N("Relu", "x", "twin", NONE), N("Neg", "x", "twin", NONE)), "twin");
    refuse_at("one node makes a value twice", N("Split", "x", "twin twin", a_int("num_outputs", 2)), "twin");
    refuse("a node makes an input", around(N("Relu", "x", "x", NONE)), "'x'");
    refuse("a node makes an initializer", around(J(init(t_f("twin", "1", "1")), N("Relu", "x", "twin", NONE))), "twin");
    refuse("two inputs of one name", around(J(sub(11, value("twin", FLOAT, "1")), sub(11, value("twin", FLOAT, "1")))), "twin");
    refuse("two initializers of one name", around(times(2, init(t_f("twin", "1", "1")))), "twin");
    refuse("a sparse and a dense initializer of one name", around(J(init(t_f("twin", "1", "1")),
           sub(15, J(sub(1, t_f("twin", "1", "1")), sub(2, t_i("i", "1", "0")), num(3, 4))))), "twin");
    refuse("a body shadows an outer value", at(BRANCH, N("Relu", "x", "y", NONE)), "'y'");
    refuse("a body shadows an input", at(LOOP, N("Neg", "y", "x", NONE)), "'x'");
    refuse("a body's initializer shadows an outer name", at(BRANCH, init(t_f("x", "1", "1"))), "'x'");
    refuse("a body's input shadows an outer name", at(LOOP, sub(11, value("x", FLOAT, "1"))), "'x'");
    refuse("a deep body shadows", at(DEEP, N("Relu", "v", "c", NONE)), "'c'");

    refuse_at("a node that reads itself", N("Add", "x self", "self", NONE), "cycle|self~Add");
    refuse_at("a cycle of two", J(relu_node("b", "a"), relu_node("a", "b")), "cycle|to_a~to_b");
    bytes ring = NONE;
    for (int i = 0; i < 50; i++) ring = J(ring, relu_node(text("r%d", i), text("r%d", (i + 1) % 50)));
    refuse_at("a cycle of fifty", ring, "cycle|to_r");
    bytes k = truth("kk");
    refuse("a cycle through a body", around(J(k, N("If", "kk", "round", J(a_graph("then_branch", J(relu_node("back", "tt"), sub(12, value("tt", 0, NULL)))),
           a_graph("else_branch", J(relu_node("x", "ee"), sub(12, value("ee", 0, NULL)))))), relu_node("round", "back"))), "cycle|the_If~to_back");
    refuse("a body that reads the outputs of its own node", around(J(k, N("If", "kk", "round", J(a_graph("then_branch", J(relu_node("round", "tt"),
           sub(12, value("tt", 0, NULL)))), a_graph("else_branch", J(relu_node("x", "ee"), sub(12, value("ee", 0, NULL)))))))), "cycle|the_If~round");
    {
        bytes *list = keep(20000 * sizeof *list);
        for (int i = 0; i < 20000; i++) list[i] = relu_node(text("v%d", i), text("v%d", (i + 1) % 20000));
        refuse("a cycle of 20,000", around(join(list, 20000)), "cycle|to_v");
        forget();
        k = truth("kk");
    }

    put("out.onnx", str("the older output"));
    put("m.onnx", making_y(J(relu_node("a", "y"), relu_node("x", "a"))));
    run("not in topological order", (want){.code = 0, .words = "m.onnx|order", .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    run("sorted, it computes the same", (want){.code = 0, .words = "order"}, "onnx-run compare m.onnx out.onnx");
    put("m.onnx", at(LOOP, J(relu_node("a", "b"), relu_node("x", "a"))));
    run("not in topological order in a body", (want){.code = 0, .words = "m.onnx|order", .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");

    refuse_at("an input that nothing defines", relu_node("nothing", "z"), "nothing|to_z");
    refuse_at("the second input", N("Add", "x nothing", "z", NONE), "nothing|the_Add");
    refuse("a value private to another body", around(J(k, N("If", "kk", "o", J(a_graph("then_branch", J(relu_node("x", "private"), relu_node("private", "tt"), sub(12, value("tt", 0, NULL)))),
           a_graph("else_branch", J(relu_node("private", "ee"), sub(12, value("ee", 0, NULL)))))))), "private|to_ee");
    refuse("a value of a body read outside", around(J(k, relu_node("private", "z"), N("If", "kk", "o", J(a_graph("then_branch", J(relu_node("x", "private"), relu_node("private", "tt"), sub(12, value("tt", 0, NULL)))),
           a_graph("else_branch", J(relu_node("x", "ee"), sub(12, value("ee", 0, NULL)))))))), "private|to_z");
    refuse("a function reads a value of the graph", model(graph_of(J(relu_node("x", "outer"), sub(1, J(node("Fn", "x", "y", NONE), txt(7, "local"))))),
           function("Fn", "x", "r", J(N("Add", "x outer", "r", NONE)))), "outer|the_Add");
}

/* ---- rows 24 to 28 ---- */

static void outputs_and_bodies(void) {
    refuse("a graph output that nothing makes", around(sub(12, value("ghost", 0, NULL))), "ghost");
    refuse("a graph output twice", around(sub(12, value("y", 0, NULL))), "'y'|twice");
    refuse("no outputs", model(J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2"))), NONE), "output");
    refuse("an output without name", around(sub(12, NONE)), "output");
    refuse("an output with an empty name", around(sub(12, txt(1, ""))), "output|name");
    refuse("an input without name", around(sub(11, sub(2, type(FLOAT, "1")))), "input|name");
    refuse("a body's output that nothing makes", at(BRANCH, sub(12, value("ghost", 0, NULL))), "ghost");
    bytes k = truth("kk");
    bytes outer_out = a_graph("then_branch", J(txt(2, "then"), sub(12, value("x", 0, NULL))));
    bytes other = a_graph("else_branch", J(relu_node("x", "ee"), txt(2, "else"), sub(12, value("ee", 0, NULL))));
    put("m.onnx", making_y(J(k, N("If", "kk", "y", J(outer_out, other)))));
    run("body output that is an outer value is read", (want){.code = 0}, "onnx-run inspect m.onnx");
    either("body output that is an outer value", making_y(J(k, N("If", "kk", "y", J(outer_out, other)))), "the_If~then~'x'");
    bytes read_inside = making_y(J(init(t_f("only_inside", "2,3", "1,2,3,4,5,6")), sub(11, value("flag", BOOL, "")), N("If", "flag", "y",
        J(a_graph("then_branch", J(N("Add", "x only_inside", "tt", NONE), sub(12, value("tt", 0, NULL)))), other))));
    accept_model("an initializer that only a body reads", read_inside, "only_inside");

    bytes m2 = N("Constant", "", "m2", a_tensor("value", t_i(NULL, "", "2")));
    bytes few = J(N("Identity", "c", "c2", NONE), sub(11, value("i", INT64, "")), sub(11, value("c", BOOL, "")), sub(12, value("c2", BOOL, "")), txt(2, "few"));
    refuse("Loop body with too few inputs", around(J(m2, N("Loop", "m2 _ x", "o", a_graph("body", few)))), "the_Loop");
    refuse("Loop body without inputs", around(J(m2, N("Loop", "m2 _ x", "o", a_graph("body", J(k, sub(12, value("kk", BOOL, ""))))))), "the_Loop");
    refuse("Loop body with too many inputs", around(J(m2, N("Loop", "m2", "o", a_graph("body", J(few, sub(11, value("v", FLOAT, NULL)), sub(11, value("w", FLOAT, NULL))))))), "the_Loop");
    refuse("Loop body with too many outputs", around(J(m2, N("Loop", "m2 _", "o", a_graph("body", J(few, sub(12, value("i", 0, NULL)), sub(12, value("c", 0, NULL))))))), "the_Loop");
    refuse("Loop body without outputs", around(J(m2, N("Loop", "m2 _", "o", a_graph("body", J(sub(11, value("i", INT64, "")), sub(11, value("c", BOOL, ""))))))), "the_Loop");
    refuse("Loop with more outputs than its body", around(J(m2, N("Loop", "m2 _ x", "o p q", a_graph("body", J(few, sub(11, value("v", FLOAT, NULL)), sub(12, value("v", FLOAT, NULL))))))), "the_Loop");
    refuse("Loop body's input is an initializer", at(LOOP, init(t_f("v", "1", "1"))), "'v'");
    bytes scan_body = J(N("Identity", "s", "s2", NONE), N("Neg", "e", "e2", NONE), txt(2, "scan"), sub(11, value("s", FLOAT, NULL)), sub(11, value("e", FLOAT, NULL)),
                        sub(12, value("s2", FLOAT, NULL)), sub(12, value("e2", FLOAT, NULL)));
    static const int64_t counts[] = {0, -1, 3, 100, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        refuse(text("num_scan_inputs %lld", (long long)counts[i]), around(N("Scan", "x x", "o p", J(a_int("num_scan_inputs", counts[i]), a_graph("body", scan_body)))), "the_Scan");
    refuse("Scan body with too few inputs", around(N("Scan", "x x x", "o p", J(a_int("num_scan_inputs", 1), a_graph("body", scan_body)))), "the_Scan");
    refuse("Scan body with too many outputs", around(N("Scan", "x x", "o", J(a_int("num_scan_inputs", 1), a_graph("body", scan_body)))), "the_Scan");
    refuse("Scan body's input is an initializer", around(N("Scan", "x x", "o p", J(a_int("num_scan_inputs", 1), a_graph("body", J(scan_body, init(t_f("e", "1", "1"))))))), "'e'");

    bytes then_branch = a_graph("then_branch", J(relu_node("x", "tt"), txt(2, "then"), sub(12, value("tt", FLOAT, NULL))));
    refuse("If without else", around(J(k, N("If", "kk", "o", then_branch))), "the_If|else_branch");
    refuse("If without then", around(J(k, N("If", "kk", "o", other))), "the_If|then_branch");
    bytes two = a_graph("else_branch", J(relu_node("x", "ee"), relu_node("x", "ff"), sub(12, value("ee", 0, NULL)), sub(12, value("ff", 0, NULL))));
    refuse("branches with different counts", around(J(k, N("If", "kk", "o", J(then_branch, two)))), "the_If|else_branch");
    refuse("branches without outputs", around(J(k, N("If", "kk", "o", J(then_branch, a_graph("else_branch", relu_node("x", "ee")))))), "the_If|else_branch");
    refuse("more outputs than the branches", around(J(k, N("If", "kk", "o p", J(then_branch, other)))), "the_If");
    bytes whole = a_graph("else_branch", J(N("Cast", "x", "ee", a_int("to", INT64)), sub(12, value("ee", INT64, NULL))));
    refuse_op("branches of different types", making_y(J(k, N("If", "kk", "y", J(then_branch, whole)))), "the_If|else_branch");
}

/* ---- rows 29 to 31 ---- */

static void nodes(void) {
    refuse_at("too few inputs", N("Add", "x", "z", NONE), "the_Add");
    refuse_at("no inputs", N("Relu", "", "z", NONE), "the_Relu");
    refuse_at("too many inputs", N("Relu", "x x", "z", NONE), "the_Relu");
    refuse_at("no outputs", N("Relu", "x", "", NONE), "the_Relu");
    refuse_at("too many outputs", N("Relu", "x", "z z2", NONE), "the_Relu");
    refuse_at("a required input is empty", N("Add", "_ x", "z", NONE), "the_Add");
    refuse_at("the last required input is empty", N("MatMul", "x _", "z", NONE), "the_MatMul");
    refuse_at("a required output is empty", N("Relu", "x", "_", NONE), "the_Relu");
    refuse_at("a variadic operator without inputs", N("Concat", "", "z", a_int("axis", 0)), "the_Concat");
    refuse_at("Constant with an input", N("Constant", "x", "z", a_float("value_float", 1)), "the_Constant");

    refuse_at("a required attribute is missing", N("Concat", "x x", "z", NONE), "the_Concat|axis");
    refuse_at("Cast without to", N("Cast", "x", "z", NONE), "the_Cast|to");
    refuse_at("an attribute twice", N("Softmax", "x", "z", J(a_int("axis", 1), a_int("axis", 1))), "the_Softmax|axis");
    refuse_at("an attribute without name", N("Relu", "x", "z", sub(5, J(num(3, 1), num(20, 2)))), "the_Relu|attribute");
    refuse_at("an attribute with an empty name", N("Relu", "x", "z", a_int("", 1)), "the_Relu|attribute");
    refuse_at("an attribute that the operator has not", N("Relu", "x", "z", a_int("speed", 1)), "the_Relu|speed");
    refuse_at("an attribute of the wrong type", N("Softmax", "x", "z", a_float("axis", 1)), "the_Softmax|axis");
    refuse_at("a list instead of a number", N("Softmax", "x", "z", a_ints("axis", "1")), "the_Softmax|axis");
    refuse_at("a number instead of a list", N("Transpose", "x", "z", a_int("perm", 1)), "the_Transpose|perm");
    refuse_at("a string instead of a graph", N("If", "x", "z", J(a_str("then_branch", "a"), a_str("else_branch", "b"))), "the_If|then_branch");
    refuse_at("the type contradicts the value", N("Softmax", "x", "z", sub(5, J(txt(1, "axis"), f32(2, 1), num(20, 2)))), "the_Softmax|axis");
    refuse_at("two values", N("Softmax", "x", "z", sub(5, J(txt(1, "axis"), num(3, 1), f32(2, 1), num(20, 2)))), "the_Softmax|axis");
    refuse_at("an attribute type that does not exist", N("Softmax", "x", "z", sub(5, J(txt(1, "axis"), num(3, 1), num(20, 77)))), "the_Softmax|axis");
    refuse_at("a negative attribute type", N("Softmax", "x", "z", sub(5, J(txt(1, "axis"), num(3, 1), num(20, -1)))), "the_Softmax|axis");
    refuse_at("neither type nor value", N("Softmax", "x", "z", sub(5, txt(1, "axis"))), "the_Softmax|axis");
    refuse_at("a tensor attribute without tensor", N("Constant", "", "z", sub(5, J(txt(1, "value"), num(20, 4)))), "the_Constant|value");
    refuse_at("a graph attribute without graph", N("If", "x", "z", J(sub(5, J(txt(1, "then_branch"), num(20, 5))), sub(5, J(txt(1, "else_branch"), num(20, 5))))), "the_If|then_branch");
    refuse_at("Constant without value", N("Constant", "", "z", NONE), "the_Constant");
    refuse_at("Constant with two values", N("Constant", "", "z", J(a_float("value_float", 1), a_int("value_int", 1))), "the_Constant");
    refuse("100,000 attributes of one name", around(sub(1, J(node("Softmax", "x", "z", NONE), times(100000, a_int("axis", 1))))), "the_Softmax|axis");
    forget();

    bytes ref = sub(5, J(txt(1, "axis"), num(20, 2), txt(21, "outer_axis")));
    refuse("a reference attribute outside a function", around(N("Softmax", "x", "z", ref)), "the_Softmax|axis");
    refuse("a reference attribute in a body", at(DEEP, N("Softmax", "x", "z", ref)), "the_Softmax|axis");
    refuse("a reference and a value", at(FUNCTION, N("Softmax", "x", "z", sub(5, J(txt(1, "axis"), num(3, 1), num(20, 2), txt(21, "outer_axis"))))), "the_Softmax|axis");
}

/* ---- rows 32 to 35 ---- */

static bytes call(const char *fn, const char *in, const char *out) { return sub(1, J(txt(1, in), txt(2, out), txt(3, text("call_%s", fn)), txt(4, fn), txt(7, "local"))); }

static void functions(void) {
    bytes main_graph = graph_of(call("F0", "x", "y"));
    refuse("a function that calls itself", model(main_graph, function("F0", "x", "r", call("F0", "x", "r"))), "F0|cycle~recursive");
    refuse("a function that calls itself, not called", model(relu(), function("F0", "x", "r", call("F0", "x", "r"))), "F0|cycle~recursive");
    refuse("two functions that call each other", model(main_graph, J(function("F0", "x", "r", call("F1", "x", "r")), function("F1", "x", "r", call("F0", "x", "r")))),
           "F0|F1|cycle~recursive");
    bytes ring = NONE;
    for (int i = 0; i < 30; i++) ring = J(ring, function(text("F%d", i), "x", "r", call(text("F%d", (i + 1) % 30), "x", "r")));
    refuse("a ring of thirty functions", model(main_graph, ring), "F0~F1|cycle~recursive");
    bytes branch = J(a_graph("then_branch", J(call("F0", "x", "tt"), sub(12, value("tt", 0, NULL)))), a_graph("else_branch", J(relu_node("x", "ee"), sub(12, value("ee", 0, NULL)))));
    refuse("a recursion through a body", model(main_graph, function("F0", "x", "r", J(truth("kk"),
           N("If", "kk", "r", branch)))), "F0|cycle~recursive");
    static const int lengths[] = {50, 3000, 12000};
    for (int k = 0; k < 3; k++) {
        int n = lengths[k];
        bytes *list = keep((size_t)n * sizeof *list);
        for (int i = 0; i < n; i++) list[i] = function(text("F%d", i), "x", "r", i + 1 < n ? call(text("F%d", i + 1), "x", "r") : N("Relu", "x", "r", NONE));
        either(text("a chain of %d functions", n), model(main_graph, join(list, (size_t)n)), "limit");
        forget();
        main_graph = graph_of(call("F0", "x", "y"));
    }
    bytes twice = NONE;
    for (int i = 0; i < 40; i++) {
        const char *next = text("F%d", i + 1);
        twice = J(twice, function(text("F%d", i), "x", "r", i == 39 ? N("Relu", "x", "r", NONE) : J(call(next, "x", "a"), call(next, "a", "r"))));
    }
    either("exponential inlining", model(main_graph, twice), "limit");
    bytes relu_fn = function("F0", "x", "r", N("Relu", "x", "r", NONE));
    refuse("a function twice", model(main_graph, times(2, relu_fn)), "F0");
    bytes overload = sub(25, J(txt(1, "F0"), txt(4, "x"), txt(5, "r"), sub(7, node("Neg", "x", "r", NONE)), sub(9, J(txt(1, ""), num(2, 21))), txt(10, "local"), txt(13, "other")));
    accept_model("two overloads", model(main_graph, J(relu_fn, overload)), NULL);
    bytes shadow = sub(25, J(txt(1, "Relu"), txt(4, "q"), txt(5, "r"), sub(7, node("Neg", "q", "r", NONE)), sub(9, J(txt(1, ""), num(2, 21)))));
    accept_model("a function that shadows a standard operator", model(relu(), shadow), NULL);
    check("and wins", memmem(get("out.onnx").p, get("out.onnx").n, "Neg", 3) != NULL, "the function did not win");
    refuse("an unused function: an undefined value", model(relu(), function("Odd", "x", "r", N("Add", "x nothing", "r", NONE))), "Odd~nothing~the_Add");
    refuse("an unused function: its output is not made", model(relu(), function("Odd", "x", "ghost", N("Neg", "x", "r", NONE))), "Odd~ghost");
    refuse("an unused function: a cycle", model(relu(), function("Odd", "x", "r", J(relu_node("r", "b"), relu_node("b", "r")))), "cycle|Odd~to_r~to_b");
    refuse("an unused function: a bad attribute", model(relu(), function("Odd", "x", "r", N("Softmax", "x", "r", a_str("axis", "b")))), "the_Softmax|axis");
    refuse("a function with two inputs of one name", model(relu(), function("Odd", "x x", "r", N("Neg", "x", "r", NONE))), "Odd~'x'");
    refuse("a function without name", model(relu(), sub(25, J(txt(4, "x"), txt(5, "r"), sub(7, relu_into("r")), txt(10, "local")))), "function");
    refuse("too many arguments of a function", model(graph_of(sub(1, J(node("F0", "x x", "y", NONE), txt(7, "local")))), relu_fn), "the_F0");
    refuse("too many results of a function", model(graph_of(sub(1, J(node("F0", "x", "y z", NONE), txt(7, "local")))), relu_fn), "the_F0");
    forget();
}

void group_graph(void) {
    header();
    unknown_ops();
    scopes();
    outputs_and_bodies();
    nodes();
    functions();
}
