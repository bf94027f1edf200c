/* External data: where a location may lead, what offset and length may say, and that all tensors are read by the same rules. */
#include "malformed.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bytes at_location(const char *location) { return external("far", "2", data("location", location)); }

/* One tensor as it can stand in a model: initializer, attribute, sparse values, sparse indices, in a body, in a function. */
enum { WAYS = 6 };
static bytes standing(int way, bytes t) {
    bytes i = t_i("i", "2", "0,1");
    switch (way) {
    case 0: return around(init(t));
    case 1: return around(N("Constant", "", "z", a_tensor("value", t)));
    case 2: return around(sub(15, J(sub(1, t), sub(2, i), num(3, 4))));
    case 3: return at(DEEP, init(t));
    case 4: return at(FUNCTION, N("Constant", "", "z", a_tensor("value", t)));
    default: return around(N("Constant", "", "z", sub(5, J(txt(1, "sparse_value"), sub(22, J(sub(1, t), sub(2, i), num(3, 4))), num(20, 11)))));
    }
}
static const char *const way_names[WAYS] = {"initializer", "attribute", "sparse values", "body", "function", "sparse attribute"};

/* By both programs, wherever the tensor stands; OTHER and THIRD: codes that are as good. */
static void leads(const char *name, const char *location, int code, int other, int third, const char *words) {
    const char *all = text("m.onnx|far~Constant|%s", words);
    for (int way = 0; way < WAYS; way++) {
        if (way > 1 && other) continue;
        put("m.onnx", standing(way, at_location(location)));
        put("out.onnx", str("the older output"));
        want w = {.code = code, .other = other, .third = third, .words = all, .out = "out.onnx", .in = "m.onnx"};
        run(text("%s (%s)", name, way_names[way]), w, "onnx-opt m.onnx -o out.onnx");
        if (way < 2) run(text("%s (%s, inspect)", name, way_names[way]), w, "onnx-run inspect m.onnx");
    }
}

static void fine(const char *name, const char *location) {
    put("m.onnx", making_y(J(init(external("far", "3", J(data("location", location), data("length", "12")))), N("Add", "x far", "y", NONE))));
    put("out.onnx", str("the older output"));
    if (run(name, (want){.code = 0, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx"))
        run(text("%s: the same results", name), (want){.code = 0}, "onnx-run compare m.onnx out.onnx");
}

/* ---- rows 48 to 51 ---- */

static void locations(void) {
    static const char *const out[] = {"../secret.bin", "../../etc/passwd", "a/../../secret.bin", "./../secret.bin", "a/b/../../../secret.bin", "..", "a/..", "a/../..", "/etc/passwd",
                                      "//etc/passwd", "/", "a/../w.bin", "../w/w.bin", "./a/.././../secret.bin"};
    put("../secret.bin", raw(keep(8), 8));
    put("w.bin", raw(keep(12), 12));
    mkdir("a", 0700);
    put("a/w.bin", raw(keep(12), 12));
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        bool inside = !strcmp(out[i], "a/../w.bin"), odd = !strcmp(out[i], "a/..");
        leads(text("location '%s'", out[i]), out[i], 77, inside || odd ? 65 : 0, inside || odd ? 77 : 0, "");
    }
    leads("location '.'", ".", 77, 65, 0, "");
    leads("location missing", "", 65, 0, 0, "location");
    leads("location 'C:\\w.bin'", "C:\\w.bin", 66, 65, 77, "");
    leads("location '\\\\srv\\w.bin'", "\\\\srv\\share\\w.bin", 66, 65, 77, "");
    leads("location 'http://host/w.bin'", "http://host/w.bin", 66, 65, 77, "");
    leads("location 'file:///etc/passwd'", "file:///etc/passwd", 66, 65, 77, "");
    leads("location with a slash behind", "w.bin/", 66, 65, 77, "");
    leads("file not there", "none.bin", 66, 0, 0, "none.bin");
    leads("folder not there", "nowhere/none.bin", 66, 0, 0, "none.bin");
    for (int way = 0; way < WAYS; way++) {
        refuse(text("no location (%s)", way_names[way]), standing(way, external("far", "2", data("offset", "0"))), "location");
        refuse(text("external without entries (%s)", way_names[way]), standing(way, external("far", "2", NONE)), "location");
    }
    refuse("NUL in a location", around(init(external("far", "2", sub(13, J(txt(1, "location"), sub(2, RAW("w.bin\0x"))))))), "NUL");
    static const char *const odd[] = {"w..bin", "..w.bin", "w.bin..", "with space.bin", "a/w.bin", "./w.bin", "a//w.bin", "\xc3\xa4\xe4\xb8\xad.bin", "-w.bin", "a/./w.bin", "w;rm.bin", "%2e%2e.bin", "w\nx.bin"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        if (!there(odd[i])) put(odd[i], raw(keep(12), 12));
        fine(text("location %zu that only looks odd", i), odd[i]);
    }
}

static void links(void) {
    mkdir("../outside", 0700);
    put("../outside/w.bin", raw(keep(12), 12));
    symlink("../outside/w.bin", "link.bin");
    symlink(text("%s/outside/w.bin", folder()), "absolute.bin");
    symlink("../outside", "linked");
    symlink("link.bin", "chain.bin");
    symlink("linked", "linked2");
    symlink("nobody.bin", "dangling.bin");
    symlink("../outside/nobody.bin", "dangling_out.bin");
    symlink("circle2.bin", "circle.bin");
    symlink("circle.bin", "circle2.bin");
    symlink("w.bin", "inside.bin");
    symlink("a", "inside");
    leads("link out of the folder", "link.bin", 77, 0, 0, "link.bin");
    leads("absolute link out of the folder", "absolute.bin", 77, 0, 0, "absolute.bin");
    leads("linked folder outside", "linked/w.bin", 77, 0, 0, "linked");
    leads("chain of links out of the folder", "chain.bin", 77, 0, 0, "chain.bin");
    leads("chain of linked folders", "linked2/w.bin", 77, 0, 0, "linked2");
    leads("dangling link", "dangling.bin", 66, 77, 0, "dangling.bin");
    leads("dangling link out of the folder", "dangling_out.bin", 66, 77, 0, "dangling_out.bin");
    leads("circle of links", "circle.bin", 65, 66, 77, "circle.bin");
    fine("link that stays in the folder", "inside.bin");
    fine("linked folder that stays in the folder", "inside/w.bin");
    if (link("w.bin", "hard.bin") == 0) fine("hard link", "hard.bin");
    /* The layout of a hub's cache: model and data are links into one folder. */
    mkdir("blobs", 0700), mkdir("snapshot", 0700);
    put("blobs/data", raw(keep(12), 12));
    put("blobs/model", making_y(J(init(external("far", "3", data("location", "data.bin"))), N("Add", "x far", "y", NONE))));
    symlink("../blobs/data", "snapshot/data.bin");
    symlink("../blobs/model", "snapshot/model.onnx");
    run("a hub's cache", (want){.code = 0, .in = "blobs/model"}, "onnx-opt snapshot/model.onnx -o out.onnx");

    mkfifo("fifo.bin", 0600);
    symlink("/dev/zero", "zero.bin");
    symlink("/proc/self/mem", "mem.bin");
    symlink("/dev/tty", "tty.bin");
    symlink("fifo.bin", "to_fifo.bin");
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket.bin"};
    bool bound = s >= 0 && bind(s, (struct sockaddr *)&name, sizeof name) == 0;
    static const char *const special[] = {"fifo.bin", "to_fifo.bin", "zero.bin", "mem.bin", "tty.bin", "a", "socket.bin"};
    for (int i = 0; i < 6 + bound; i++) leads(text("special file %s", special[i]), special[i], 77, 0, 0, special[i]);
    if (s >= 0) close(s);
    unlink("fifo.bin"), unlink("socket.bin");
}

/* ---- rows 52 to 59 ---- */

static void ranges(void) {
    static const char *const bad[] = {"-1", "+1", " 1", "1 ", "0x10", "1.0", "1e3", "", "9223372036854775808", "18446744073709551615", "18446744073709551616", "99999999999999999999999", "1,000", "\xd9\xa1", "nan", "--1", "1_0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (int way = 0; way < (i < 3 ? WAYS : 2); way++) {
            refuse(text("offset '%s' (%s)", bad[i], way_names[way]), standing(way, external("far", "2", J(data("location", "w.bin"), data("offset", bad[i])))), "far~Constant|offset");
            refuse(text("length '%s' (%s)", bad[i], way_names[way]), standing(way, external("far", "2", J(data("location", "w.bin"), data("length", bad[i])))), "far~Constant|length");
        }
    }
    bytes loc = data("location", "w.bin");
    refuse("offset and length overflow", around(init(external("far", "2", J(loc, data("offset", "9223372036854775807"), data("length", "9223372036854775807"))))), "far|offset~length");
    refuse("offset 2^63 - 1", around(init(external("far", "2", J(loc, data("offset", "9223372036854775807"), data("length", "8"))))), "far|offset~length");
    for (int way = 0; way < WAYS; way++) {
        refuse(text("past the end by offset (%s)", way_names[way]), standing(way, external("far", "2", J(loc, data("offset", "8"), data("length", "8")))), "far~Constant|end");
        refuse(text("past the end by one byte (%s)", way_names[way]), standing(way, external("far", "2", J(loc, data("offset", "5"), data("length", "8")))), "far~Constant|end");
        refuse(text("length against dims (%s)", way_names[way]), standing(way, external("far", "2", J(loc, data("offset", "0"), data("length", "12")))), "far~Constant|length");
        refuse(text("no length and a longer file (%s)", way_names[way]), standing(way, external("far", "2", loc)), "far~Constant|length");
    }
    refuse("offset behind the file", around(init(external("far", "2", J(loc, data("offset", "13"))))), "far|offset");
    refuse("length 0", around(init(external("far", "2", J(loc, data("length", "0"))))), "far|length");
    fine("no offset, no length, a file that fits", "w.bin");
    refuse("location twice", around(init(external("far", "3", J(loc, loc)))), "far|location|twice");
    refuse("offset twice", around(init(external("far", "3", J(loc, data("offset", "0"), data("offset", "0"))))), "far|offset|twice");
    refuse("length twice", around(init(external("far", "3", J(loc, data("length", "12"), data("length", "12"))))), "far|length|twice");
    refuse("checksum twice", around(init(external("far", "3", J(loc, data("checksum", "a"), data("checksum", "a"))))), "far|checksum|twice");
    refuse("an unknown key twice", around(init(external("far", "3", J(loc, data("mine", "a"), data("mine", "a"))))), "far|mine|twice");
    refuse("an entry without key", around(init(external("far", "3", J(loc, sub(13, txt(2, "a")))))), "far|key");
    static const char *const tags[] = {"*/_ORT_MEM_ADDR_/*", "_ORT_MEM_ADDR_", "*/_ORT_ALIGNED_MEM_ADDR_/*"};
    for (int i = 0; i < 3; i++) refuse(text("memory address %s", tags[i]), around(init(external("far", "3", J(data("location", tags[i]), data("offset", "140737488355328"), data("length", "12"))))), "far");
    put("m.onnx", making_y(J(init(external("far", "3", J(loc, data("odd_key", "1"), data("basepath", "/etc")))), N("Add", "x far", "y", NONE))));
    run("unknown keys", (want){.code = 0, .words = "odd_key"}, "onnx-opt m.onnx -o out.onnx");
    run("unknown keys: basepath", (want){.code = 0, .words = "basepath"}, "onnx-run inspect m.onnx");
    refuse("raw_data as well", around(init(J(external("far", "3", loc), sub(9, raw(keep(12), 12))))), "far|raw_data");
    refuse("float_data as well", around(init(J(external("far", "1", loc), f32(4, 1)))), "far|float_data");
    refuse("strings", around(init(tensor("far", STRING, "3", J(loc, num(14, 1))))), "far|string");
    accept_model("entries without the external mark", making_y(J(init(J(t_f("far", "3", "1,2,3"), data("location", "../../none"), data("offset", "-5"))), N("Add", "x far", "y", NONE))), NULL);
    static const char *const sums[] = {"0000000000000000000000000000000000000000", "2c513f149e737ec4063fc1d37aee9beabc4b4bb", "2c513f149e737ec4063fc1d37aee9beabc4b4bbff", "", "zz513f149e737ec4063fc1d37aee9beabc4b4bbf"};
    for (int i = 0; i < 5; i++) {
        put("m.onnx", making_y(J(init(external("far", "3", J(loc, data("checksum", sums[i])))), N("Add", "x far", "y", NONE))));
        put("out.onnx", str("the older output"));
        run(text("checksum '%s'", sums[i]), (want){.code = 65, .words = "m.onnx|far|checksum", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --verify-checksum");
        run(text("checksum '%s' (inspect)", sums[i]), (want){.code = 65, .words = "m.onnx|far|checksum"}, "onnx-run inspect m.onnx --verify-checksum");
        run("checksums are not looked at unless asked for", (want){.code = 0}, "onnx-opt m.onnx -o out.onnx");
    }
    put("eight.bin", raw(keep(16), 16));
    accept_model("ranges that overlap", making_y(J(init(external("far", "3", J(data("location", "eight.bin"), data("length", "12")))), init(external("near", "3", J(data("location", "eight.bin"), data("offset", "4"), data("length", "12")))),
                 N("Add", "far near", "t", NONE), N("Add", "x t", "y", NONE))), NULL);
    static const char *const huge[] = {"281474976710656", "2305843009213693951", "1048576,1048576,256"};
    for (int i = 0; i < 3; i++) {
        refuse_claim(text("%s floats in a file of 12 bytes", huge[i]), around(init(external("far", huge[i], loc))), "far");
        refuse_claim(text("%s floats with their length", huge[i]), around(init(external("far", huge[i], J(loc, data("length", "1125899906842624"))))), "far");
        refuse_claim(text("%s floats in an attribute", huge[i]), at(BRANCH, N("Constant", "", "z", a_tensor("value", external("far", huge[i], loc)))), "the_Constant");
    }
    put("m.onnx", making_y(J(init(external("far", "3", loc)), N("Add", "x far", "y", NONE))));
    put("out.onnx", str("the older output"));
    run("external data of a model on standard input", (want){.code = 65, .other = 64, .third = 77, .words = "far", .out = "out.onnx", .from = "m.onnx"}, "onnx-opt - -o out.onnx");
    run("inspected on standard input", (want){.code = 65, .other = 64, .third = 77, .words = "far", .from = "m.onnx"}, "onnx-run inspect -");
    run("the same as a file", (want){.code = 0}, "onnx-opt m.onnx -o out.onnx");
    put("training.onnx", model(J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2")), sub(12, value("y", 0, NULL))), sub(20, sub(1, init(at_location("../secret.bin"))))));
    run("external data of training info", (want){.code = 77, .words = "far"}, "onnx-opt training.onnx -o out2.onnx");
    put("m.onnx", around(sub(1, J(node("Mine", "", "z", a_tensor("t", at_location("../secret.bin"))), txt(7, "com.mine")))));
    put("m.onnx", J(get("m.onnx"), opset("com.mine", 1)));
    run("external data of an unknown operator", (want){.code = 77, .words = "the_Mine"}, "onnx-opt m.onnx -o out2.onnx");
}

void group_external(void) {
    locations();
    links();
    forget();
    ranges();
}
