/* Models that ask for too much work, and command lines and files that do not fit together. */
#include "malformed.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- row 60 ---- */

#define SUM_OF_BIG J(N("ReduceSum", "big", "s", a_int("keepdims", 0)), N("Add", "s x", "y", NONE))

static bytes i64s(const char *name, const char *dims, const char *values) { return init(t_i(name, dims, values)); }

/* Optimized under the default profile: unfolded, small, quick, said to be unverified or not. */
static void bomb_within(const char *name, bytes parts, size_t limit) {
    put("m.onnx", making_y(parts));
    put("out.onnx", str("the older output"));
    if (run(name, (want){.code = 0, .in = "m.onnx", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx")) check(text("%s: the output is small", name), get("out.onnx").n < limit, "%zu bytes", get("out.onnx").n);
    else check(text("%s: no output", name), false, "exit code");
    forget();
}

static void bomb(const char *name, bytes parts) { bomb_within(name, parts, 4096); }

/* A body of one carried value, which OP changes; scans: it is collected as well. */
static bytes loop_body(const char *op, const char *in, bytes attrs, bool scans) {
    return J(N("Identity", "c", "c2", NONE), N(op, in, "v2", attrs), scans ? N("Identity", "v2", "scan", NONE) : NONE, txt(2, "loop"), sub(11, value("i", INT64, "")), sub(11, value("c", BOOL, "")),
             sub(11, value("v", FLOAT, NULL)), sub(12, value("c2", BOOL, "")), sub(12, value("v2", FLOAT, NULL)), scans ? sub(12, value("scan", FLOAT, NULL)) : NONE);
}

static void bombs(void) {
    bomb("ConstantOfShape to 2^40", J(i64s("shape", "1", "1099511627776"), N("ConstantOfShape", "shape", "big", NONE), SUM_OF_BIG));
    bomb("ConstantOfShape to 2^40 in four dims", J(i64s("shape", "4", "1024,1024,1024,1024"), N("ConstantOfShape", "shape", "big", NONE), SUM_OF_BIG));
    bomb("Expand to 2^40", J(i64s("shape", "1", "1099511627776"), init(t_f("one", "1", "1")), N("Expand", "one shape", "big", NONE), SUM_OF_BIG));
    bomb("Tile to 2^40", J(i64s("reps", "1", "1099511627776"), init(t_f("one", "1", "1")), N("Tile", "one reps", "big", NONE), SUM_OF_BIG));
    bomb("Range to 2^40", J(i64s("a", "", "0"), i64s("b", "", "1099511627776"), i64s("c", "", "1"), N("Range", "a b c", "r", NONE), N("Cast", "r", "big", a_int("to", FLOAT)), SUM_OF_BIG));
    bomb("Range of floats", J(init(t_f("a", "", "0")), init(t_f("b", "", "1e30")), init(t_f("c", "", "1e-30")), N("Range", "a b c", "big", NONE), SUM_OF_BIG));
    bomb("Pad to 2^40", J(i64s("pads", "2", "0,1099511627776"), init(t_f("one", "1", "1")), N("Pad", "one pads", "big", NONE), SUM_OF_BIG));
    bomb("Resize to 2^40", J(i64s("sizes", "4", "1,1,1048576,1048576"), init(t_f("one", "1,1,1,1", "1")), N("Resize", "one _ _ sizes", "big", NONE), SUM_OF_BIG));
    bomb("OneHot of depth 2^40", J(i64s("i", "1", "0"), i64s("d", "", "1099511627776"), init(t_f("v", "2", "0,1")), N("OneHot", "i d v", "big", NONE), SUM_OF_BIG));
    bomb("EyeLike of 2^20 by 2^20", J(i64s("shape", "2", "1048576,1048576"), N("ConstantOfShape", "shape", "z", NONE), N("EyeLike", "z", "big", NONE), SUM_OF_BIG));
    bomb("RandomNormal of 2^40", J(N("RandomNormal", "", "big", a_ints("shape", "1099511627776")), SUM_OF_BIG));
    bomb("HannWindow of 2^40", J(i64s("n", "", "1099511627776"), N("HannWindow", "n", "big", NONE), SUM_OF_BIG));
    bomb("outer sum of two million", J(i64s("s1", "2", "2097152,1"), i64s("s2", "2", "1,2097152"), N("ConstantOfShape", "s1", "p", NONE), N("ConstantOfShape", "s2", "q", NONE), N("Add", "p q", "big", NONE), SUM_OF_BIG));
    bomb("Where on a huge broadcast", J(i64s("s1", "2", "2097152,1"), i64s("s2", "2", "1,2097152"), N("ConstantOfShape", "s1", "p", NONE), N("ConstantOfShape", "s2", "q", NONE), N("Greater", "p q", "c", NONE), N("Where", "c p q", "big", NONE), SUM_OF_BIG));
    bomb("outer product by MatMul", J(i64s("s1", "2", "1048576,1"), i64s("s2", "2", "1,1048576"), N("ConstantOfShape", "s1", "p", NONE), N("ConstantOfShape", "s2", "q", NONE), N("MatMul", "p q", "big", NONE), SUM_OF_BIG));
    bomb("outer product by Einsum", J(i64s("s1", "1", "1048576"), N("ConstantOfShape", "s1", "p", NONE), N("Einsum", "p p", "big", a_str("equation", "i,j->ij")), SUM_OF_BIG));
    bytes grow = J(init(t_f("g0", "1", "1")));
    for (int i = 0; i < 60; i++) grow = J(grow, N("Concat", text("g%d g%d", i, i), text("g%d", i + 1), a_int("axis", 0)));
    bomb_within("doubling by Concat, sixty times: folded within the budget of growth, 256 KiB", J(grow, N("ReduceSum", "g60", "s", a_int("keepdims", 0)), N("Add", "s x", "y", NONE)), (256 + 16) << 10);
    bytes nz = J(i64s("shape", "1", "268435456"), N("ConstantOfShape", "shape", "big", a_tensor("value", t_f(NULL, "1", "1"))));
    bomb("NonZero of a gigabyte", J(nz, N("NonZero", "big", "n", NONE), N("Shape", "n", "sh", NONE), N("Cast", "sh", "f", a_int("to", FLOAT)), N("ReduceSum", "f", "s", a_int("keepdims", 0)), N("Add", "s x", "y", NONE)));
    bomb("a gigabyte, eight times", J(i64s("shape", "1", "268435456"), N("ConstantOfShape", "shape", "b0", NONE), N("Neg", "b0", "b1", NONE), N("Exp", "b1", "b2", NONE), N("Add", "b1 b2", "b3", NONE), N("Mul", "b3 b2", "big", NONE), SUM_OF_BIG));

    bomb("Loop of 2^62 trips, constant", J(i64s("m", "", "4611686018427387904"), init(t_f("one", "1", "1")), N("Loop", "m _ one", "l", a_graph("body", loop_body("Add", "v v", NONE, false))), N("Add", "l x", "y", NONE)));
    bomb("Loop of 2^62 trips over an input", J(i64s("m", "", "4611686018427387904"), N("Loop", "m _ x", "y", a_graph("body", loop_body("Neg", "v", NONE, false)))));
    bomb("endless Loop", J(init(tensor("k", BOOL, "", sub(9, RAW("\1")))), N("Loop", "_ k x", "y", a_graph("body", loop_body("Neg", "v", NONE, false)))));
    bomb("Loop of 2^62 trips that collects", J(i64s("m", "", "4611686018427387904"), N("Loop", "m _ x", "y collected", a_graph("body", loop_body("Neg", "v", NONE, true)))));
    bomb("Loop that doubles its state", J(i64s("m", "", "60"), N("Loop", "m _ x", "y", a_graph("body", loop_body("Concat", "v v", a_int("axis", 0), false)))));

    put("m.onnx", making_y(J(i64s("shape", "1", "1099511627776"), N("ConstantOfShape", "shape", "big", NONE), SUM_OF_BIG)));
    put("o.npz", str("the older output"));
    run("running what cannot fit in memory", (want){.code = 71, .out = "o.npz"}, "onnx-run run m.onnx -o o.npz");
    run("comparing it", (want){.code = 69, .other = 71}, "onnx-run compare m.onnx m.onnx");
    put("m.onnx", model(J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "1048576,1048576")), sub(12, value("y", 0, NULL))), NONE));
    run("an input of 4 TiB", (want){.code = 0, .other = 71}, "onnx-opt m.onnx -o out.onnx");
    run("running it", (want){.code = 71, .out = "o.npz"}, "onnx-run run m.onnx -o o.npz");
    put("m.onnx", model(J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "9223372036854775807,9223372036854775807")), sub(12, value("y", 0, NULL))), NONE));
    run("an input of 2^126 elements", (want){.code = 0, .other = 71, .third = 65}, "onnx-opt m.onnx -o out.onnx");
    run("running that", (want){.code = 71, .other = 65, .out = "o.npz"}, "onnx-run run m.onnx -o o.npz");
    forget();
}

/* ---- rows 65 to 67 ---- */

static void large(void) {
    enum { N_NODES = 100000, WIDE = 65536 };
    bytes *list = keep((N_NODES + 2) * sizeof *list);
    for (int i = 0; i < N_NODES; i++) list[i] = sub(1, J(txt(1, i ? text("v%d", i) : "x"), txt(2, i + 1 < N_NODES ? text("v%d", i + 1) : "y"), txt(4, i % 2 ? "Sin" : "Cos")));
    put("m.onnx", making_y(join(list, N_NODES)));
    run("a chain of 100,000 nodes", (want){.code = 0, .in = "m.onnx", .seconds = 10}, "onnx-opt m.onnx -o out.onnx");
    run("a chain of 100,000 nodes, inspected", (want){.code = 0}, "onnx-run inspect m.onnx");
    forget();
    list = keep((N_NODES + 2) * sizeof *list);
    for (int i = 0; i < N_NODES; i++) list[i] = sub(1, J(txt(1, "x"), txt(2, i ? text("v%d", i) : "y"), txt(4, "LeakyRelu"), a_float("alpha", (float)i)));
    bytes *outs = keep((N_NODES + 2) * sizeof *outs);
    for (int i = 1; i < N_NODES; i++) outs[i] = i % 100 ? NONE : sub(12, value(text("v%d", i), 0, NULL));
    put("m.onnx", making_y(J(join(list, N_NODES), join(outs, N_NODES))));
    run("a fan-out of 100,000", (want){.code = 0, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    forget();
    /* One value that every node uses, and rewrites at every node: x * 1 thousands of times, and Identity of one x. */
    list = keep((N_NODES + 2) * sizeof *list);
    for (int i = 0; i < N_NODES; i++)
        list[i] = i % 2 ? sub(1, J(txt(1, text("v%d", i)), txt(2, i + 1 < N_NODES ? text("v%d", i + 1) : "y"), txt(4, "Sin"))) : sub(1, J(txt(1, i ? text("v%d", i) : "x"), txt(1, "one"), txt(2, text("v%d", i + 1)), txt(4, "Mul")));
    put("m.onnx", making_y(J(init(t_f("one", "", "1")), join(list, N_NODES))));
    run("a constant that 50,000 rewritten nodes share", (want){.code = 0, .in = "m.onnx", .seconds = 10}, "onnx-opt m.onnx -o out.onnx");
    check("it is gone", get("out.onnx").n < get("m.onnx").n * 2 / 3, "%zu bytes of %zu", get("out.onnx").n, get("m.onnx").n);
    forget();
    list = keep((N_NODES + 2) * sizeof *list);
    bytes *sum = keep((N_NODES + 2) * sizeof *sum);
    for (int i = 0; i < N_NODES / 2; i++) {
        list[2 * i] = sub(1, J(txt(1, "x"), txt(2, text("i%d", i)), txt(4, "Identity")));
        list[2 * i + 1] = sub(1, J(txt(1, text("i%d", i)), txt(2, text("v%d", i)), txt(4, "LeakyRelu"), a_float("alpha", (float)i)));
        sum[i] = txt(1, text("v%d", i));
    }
    put("m.onnx", making_y(J(join(list, N_NODES), sub(1, J(join(sum, N_NODES / 2), txt(2, "y"), txt(4, "Sum"))))));
    run("50,000 times the Identity of one input", (want){.code = 0, .in = "m.onnx", .seconds = 10}, "onnx-opt m.onnx -o out.onnx");
    forget();
    bytes in = times(WIDE, txt(1, "x"));
    put("m.onnx", making_y(sub(1, J(in, txt(2, "y"), txt(4, "Concat"), a_int("axis", 0)))));
    run("a Concat of 65,536", (want){.code = 0, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    forget();
    bytes ladder = NONE;
    for (int i = 0; i < 400; i++) {
        const char *from = i ? text("d%d", i) : "x", *to = i + 1 < 400 ? text("d%d", i + 1) : "y";
        ladder = J(ladder, N("Sin", from, text("p%d", i), NONE), N("Cos", from, text("q%d", i), NONE), N("Sub", text("p%d q%d", i, i), to, NONE));
    }
    put("m.onnx", making_y(ladder));
    run("a ladder of 400 diamonds", (want){.code = 0, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    bytes twice = NONE;
    for (int i = 0; i < 200; i++) twice = J(twice, N("Concat", i ? text("c%d c%d", i - 1, i - 1) : "x x", i < 199 ? text("c%d", i) : "y", a_int("axis", 0)));
    put("m.onnx", model(J(twice, txt(2, "g"), sub(11, value("x", FLOAT, "N")), sub(12, value("y", 0, NULL))), NONE));
    run("two hundred doublings of a symbol", (want){.code = 0, .other = 65, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    forget();
    accept_model("double metadata", J(around(times(3, sub(16, entry("key", "in the graph")))), times(3, sub(14, entry("key", "in the model")))), "in the model");
    put("m.onnx", J(around(NONE), times(100000, sub(14, entry("key", "value")))));
    run("100,000 metadata", (want){.code = 0, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    forget();
    int fd = open("large.onnx", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bytes head = J(num(1, 10), tag(7, 2), varint((uint64_t)2200000000u));
    bool made = fd >= 0 && write(fd, head.p, head.n) == (ssize_t)head.n && ftruncate(fd, 2200000000) == 0;
    if (fd >= 0) close(fd);
    put("out.onnx", str("the older output"));
    if (made) {
        run("a file beyond 2 GiB", (want){.code = 65, .words = "large.onnx|2147483647", .out = "out.onnx", .megabytes = 96}, "onnx-opt large.onnx -o out.onnx");
        run("a file beyond 2 GiB, inspected", (want){.code = 65, .words = "large.onnx|2147483647", .megabytes = 96}, "onnx-run inspect large.onnx");
        run("a file beyond 2 GiB, printed", (want){.code = 65, .words = "large.onnx|2147483647", .megabytes = 96}, "onnx-run print large.onnx");
    }
    unlink("large.onnx");
}

/* ---- row 68 ---- */

static void paths(void) {
    put("m.onnx", around(init(t_f("w", "2", "1,2"))));
    put("w.bin", raw(keep(12), 12));
    put("ext.onnx", making_y(J(init(external("far", "3", data("location", "w.bin"))), N("Add", "x far", "y", NONE))));
    mkdir("d", 0700), mkdir("locked", 0500), mkdir("d/e", 0700);
    (void)!link("m.onnx", "hard.onnx");
    symlink("m.onnx", "soft.onnx");
    symlink("d", "dlink");
    static const char *const same[] = {"m.onnx", "./m.onnx", "d/../m.onnx", "d/e/../../m.onnx", ".//m.onnx", "hard.onnx", "dlink/../m.onnx"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) run(text("output is the input: %s", same[i]), (want){.code = 73, .other = 74, .in = "m.onnx", .words = "m.onnx~hard.onnx"}, "onnx-opt m.onnx -o %s", same[i]);
    run("output is the input, absolute", (want){.code = 73, .other = 74, .in = "m.onnx"}, "onnx-opt m.onnx -o %s/w/m.onnx", folder());
    run("copy onto the input", (want){.code = 73, .other = 74, .in = "m.onnx"}, "onnx-opt m.onnx -o m.onnx --passes=none");
    run("output is the data file", (want){.code = 73, .other = 74, .in = "w.bin"}, "onnx-opt ext.onnx -o w.bin");
    run("output is the data file, copied", (want){.code = 73, .other = 74, .in = "w.bin"}, "onnx-opt ext.onnx -o w.bin --passes=none");
    run("parse onto its input", (want){.code = 73, .other = 74, .third = 65, .in = "m.onnx"}, "onnx-run parse m.onnx -o m.onnx");
    put("t.txt", str("<ir_version: 8, opset_import: [\"\": 17]>\ng (float[2] x) => (float[2] y) { y = Relu(x) }\n"));
    run("parse onto its own text", (want){.code = 73, .other = 74, .in = "t.txt"}, "onnx-run parse t.txt -o t.txt");
    run("print onto the model", (want){.code = 73, .other = 74, .in = "m.onnx"}, "onnx-run print m.onnx -o m.onnx");
    run("report onto the model", (want){.code = 73, .other = 74, .third = 64, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx --report=m.onnx");
    symlink("m.onnx", "report.json");
    run("report through a link onto the model", (want){.code = 0, .other = 73, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx --report=report.json");
    unlink("report.json");
    run("run's output onto the model", (want){.code = 73, .other = 74, .in = "m.onnx"}, "onnx-run run m.onnx -o m.onnx");
    run("dependency file onto the model", (want){.code = 73, .other = 74, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx -MD -MF m.onnx");
    run("folder missing", (want){.code = 73, .other = 74, .words = "nowhere/out.onnx"}, "onnx-opt m.onnx -o nowhere/out.onnx");
    if (geteuid()) run("folder read-only", (want){.code = 73, .other = 74, .words = "locked/out.onnx"}, "onnx-opt m.onnx -o locked/out.onnx");
    run("folder is a file", (want){.code = 73, .other = 74, .words = "w.bin/out.onnx"}, "onnx-opt m.onnx -o w.bin/out.onnx");
    run("output is a folder", (want){.code = 73, .other = 74, .words = "d"}, "onnx-opt m.onnx -o d");
    run("output is a folder, with a slash", (want){.code = 73, .other = 74, .words = "d/"}, "onnx-opt m.onnx -o d/");
    run("output is an empty name", (want){.code = 73, .other = 64, .third = 74}, "onnx-opt m.onnx --passes=none -o ");
    run("output is a device", (want){.code = 73, .other = 74}, "onnx-opt m.onnx -o /dev/full");
    char *name = keep(400);
    memset(name, 'n', 300);
    run("output's name is too long", (want){.code = 73, .other = 74, .words = "nnnn"}, "onnx-opt m.onnx -o %s", name);
    char *path = keep(6000);
    for (int i = 0; i < 1200; i++) memcpy(path + 4 * i, "d/.//" , 4);
    run("output's path is too long", (want){.code = 73, .other = 74}, "onnx-opt m.onnx -o %s/o.onnx", path);
    put("kept.onnx", str("outside of it all"));
    symlink("kept.onnx", "outlink.onnx");
    run("a link in the output's place", (want){.code = 0, .other = 73, .in = "kept.onnx"}, "onnx-opt m.onnx -o outlink.onnx");
    unlink("outlink.onnx");
    symlink("nobody", "outlink.onnx");
    run("a dangling link in the output's place", (want){.code = 0, .other = 73}, "onnx-opt m.onnx -o outlink.onnx");
    check("is not written through", !there("nobody"), "it was");
    unlink("outlink.onnx");
    put("out.onnx", str("the older output"));
    run("report cannot be written", (want){.code = 73, .other = 74, .out = "out.onnx", .words = "nowhere"}, "onnx-opt m.onnx -o out.onnx --report=nowhere/r.json");
    run("dependency file cannot be written", (want){.code = 73, .other = 74, .out = "out.onnx", .words = "nowhere"}, "onnx-opt m.onnx -o out.onnx -MD -MF nowhere/d");
    static const char *const full[] = {"onnx-opt m.onnx -o -", "onnx-opt --help", "onnx-opt --list-passes", "onnx-opt --version", "onnx-opt --explain cse", "onnx-run --help", "onnx-run inspect m.onnx", "onnx-run print m.onnx", "onnx-run inspect m.onnx --json=-",
                                       "onnx-run bench m.onnx --repeat=1", "onnx-run compare m.onnx m.onnx --json=-", "onnx-opt m.onnx -o out.onnx --report=/dev/stdout"};
    for (size_t i = 0; i + 1 < sizeof full / sizeof *full; i++) run(text("standard output full: %s", full[i]), (want){.code = 74, .to = "/dev/full"}, "%s", full[i]);
    chmod("locked", 0700);
    forget();
}

static void usage(void) {
    put("m.onnx", around(NONE));
    static const struct { const char *command; int code, other; const char *words; } bad[] = {
        {"onnx-opt", 64, 0, "model"}, {"onnx-opt m.onnx", 64, 0, "-o"}, {"onnx-opt m.onnx -o", 64, 0, "-o"}, {"onnx-opt m.onnx -o out.onnx --no-such", 64, 0, "--no-such"}, {"onnx-opt m.onnx -o out.onnx -Z", 64, 0, "-Z"},
        {"onnx-opt m.onnx -o out.onnx --samples=x", 64, 0, "--samples|x"}, {"onnx-opt m.onnx -o out.onnx --samples=-1", 64, 0, "--samples"}, {"onnx-opt m.onnx -o out.onnx --samples=99999999999999999999", 64, 0, "--samples"},
        {"onnx-opt m.onnx -o out.onnx --rtol=nan", 64, 0, "--rtol"}, {"onnx-opt m.onnx -o out.onnx --rtol=-1", 64, 0, "--rtol"}, {"onnx-opt m.onnx -o out.onnx --verify=maybe", 64, 0, "--verify|maybe"}, {"onnx-opt m.onnx -o out.onnx --threads=-1", 64, 0, "--threads"},
        {"onnx-opt m.onnx -o out.onnx --dim=N", 64, 0, "--dim"}, {"onnx-opt m.onnx -o out.onnx --dim=N=x", 64, 0, "--dim"}, {"onnx-opt m.onnx -o out.onnx --target-opset=99", 64, 0, "--target-opset"}, {"onnx-opt m.onnx -o out.onnx --passes=no-such", 64, 0, "no-such"},
        {"onnx-opt m.onnx -o out.onnx --passes=cse,no-such", 64, 0, "no-such"}, {"onnx-opt m.onnx -o out.onnx --profile=no-such", 64, 66, "no-such"}, {"onnx-opt m.onnx -o out.onnx --profile=./no-such.yaml", 66, 0, "no-such.yaml"},
        {"onnx-opt m.onnx m.onnx -o out.onnx", 64, 0, "m.onnx"}, {"onnx-opt none.onnx -o out.onnx", 66, 0, "none.onnx"}, {"onnx-opt --explain no-such", 64, 0, "no-such"}, {"onnx-opt m.onnx -o out.onnx --help=x", 64, 0, "x"}, {"onnx-opt m.onnx -o out.onnx --quiet=1", 64, 0, "--quiet"},
        {"onnx-opt m.onnx -o out.onnx --without=no-such", 64, 0, "no-such"}, {"onnx-opt m.onnx -o out.onnx --print-after=no-such", 64, 0, "no-such"}, {"onnx-opt m.onnx -o out.onnx --report=r.txt", 64, 0, "r.txt"}, {"onnx-opt m.onnx -o - -MD", 64, 0, "-MT"},
        {"onnx-run", 64, 0, "command"}, {"onnx-run dance m.onnx", 64, 0, "dance"}, {"onnx-run inspect", 64, 0, "MODEL"}, {"onnx-run inspect m.onnx m.onnx", 64, 0, "m.onnx"}, {"onnx-run run m.onnx", 64, 0, "-o"}, {"onnx-run parse m.onnx", 64, 0, "-o"}, {"onnx-run compare m.onnx", 64, 0, "two"},
        {"onnx-run inspect none.onnx", 66, 0, "none.onnx"}, {"onnx-run compare m.onnx none.onnx", 66, 0, "none.onnx"}, {"onnx-run parse none.txt -o out.onnx", 66, 0, "none.txt"}, {"onnx-run run m.onnx -o o.npz --input=x=none.npy", 66, 0, "none.npy"}, {"onnx-run test nowhere", 66, 0, "nowhere"},
        {"onnx-run run m.onnx -o o.npz --input=x", 64, 0, "--input"}, {"onnx-run bench m.onnx --repeat=0", 64, 0, "--repeat"}, {"onnx-run run m.onnx -o o.npz --input=nobody=none.npy", 64, 65, "nobody"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put("out.onnx", str("the older output"));
        run(bad[i].command, (want){.code = bad[i].code, .other = bad[i].other, .words = bad[i].words, .out = "out.onnx", .in = "m.onnx"}, "%s", bad[i].command);
    }
    run("a model that is a folder", (want){.code = 65, .other = 66, .third = 74, .words = "../home"}, "onnx-opt ../home -o out.onnx");
    run("a model that is a device", (want){.code = 65, .other = 66, .third = 74, .words = "/dev/null"}, "onnx-opt /dev/null -o out.onnx");
    run("escape codes on the command line", (want){.code = 64, .words = "\\"}, "onnx-opt m.onnx -o out.onnx --pro\x1b[31m=a");
    run("escape codes in a file name", (want){.code = 66, .words = "\\"}, "onnx-opt no\x1b[31m\x07.onnx -o out.onnx");
    forget();
}

void group_work(void) {
    bombs();
    large();
    paths();
    usage();
}
