/* Data that are given to a model: arrays and value files of `run`, the second model of `compare`, folders of `test`, and what inspect and print say
 * of files that are no models. Values that lead a kernel astray: bad_values.c. */
#include "malformed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- arrays ---- */

/* A .npy file of a header as it stands and data. */
static bytes npy_of(int version, const char *header, bytes data) {
    size_t n = strlen(header);
    bytes len = version == 1 ? J(raw((unsigned char[]){(unsigned char)n, (unsigned char)(n >> 8)}, 2))
                             : raw((unsigned char[]){(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16), (unsigned char)(n >> 24)}, 4);
    return J(RAW("\x93NUMPY"), raw((unsigned char[]){(unsigned char)version, 0}, 2), len, str(header), data);
}

bytes npy(const char *descr, const char *shape, bytes data) {
    return npy_of(1, text("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }%*s\n", descr, shape, 40, ""), data);
}

static bytes zeros(size_t n) { return raw(keep(n), n); }

/* Runs the model with x.npy (or X) as x. */
static void bad_array(const char *name, bytes file, const char *words) {
    put("x.npy", file);
    put("o.npz", str("the older output"));
    run(name, (want){.code = 65, .words = text("x.npy|'x'|%s", words), .out = "o.npz", .in = "x.npy", .megabytes = 96}, "onnx-run run m.onnx --input x=x.npy -o o.npz");
}

static void good_array(const char *name, bytes file) {
    put("x.npy", file);
    run(name, (want){.code = 0, .in = "x.npy"}, "onnx-run run m.onnx --input x=x.npy -o o.npz");
}

/* A header around a shape, a type or a whole dictionary. */
static void bad_header(const char *name, const char *header, const char *words) { bad_array(name, npy_of(1, header, zeros(24)), words); }

static void arrays(void) {
    put("m.onnx", making_y(N("Relu", "x", "y", NONE)));
    bytes whole = npy("<f4", "2, 3", zeros(24));
    good_array("an array", whole);
    for (size_t n = 0; n < whole.n; n++) bad_array(text("an array cut at byte %zu", n), raw(whole.p, n), "");
    for (size_t i = 0; i < 10; i++) {
        bytes b = raw(whole.p, whole.n);
        b.p[i] ^= 0xff;
        bad_array(text("an array with byte %zu turned", i), b, "");
    }
    good_array("version 2", npy_of(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", zeros(24)));
    good_array("version 3", npy_of(3, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", zeros(24)));
    bad_array("version 4", npy_of(4, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", zeros(24)), "version");
    bad_array("version 0", npy_of(0, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", zeros(24)), "version");
    good_array("Fortran order", npy_of(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", zeros(24)));
    good_array("big-endian", npy(">f4", "2, 3", zeros(24)));
    good_array("big-endian, Fortran order", npy_of(1, "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3)}", zeros(24)));
    bad_array("more data than the header tells of", npy("<f4", "2, 3", zeros(25)), "24|25");
    bad_array("less data than the header tells of", npy("<f4", "2, 3", zeros(23)), "24|23");
    bad_array("no data", npy("<f4", "2, 3", NONE), "24|0");
    bad_array("empty", NONE, "npy");
    bad_array("no array", making_y(N("Relu", "x", "y", NONE)), "npy");
    bad_array("a zip archive", RAW("PK\3\4abcdefghijklmnopqrstuvwxyz"), "npy");
    bad_array("NUL in the header", npy_of(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}\n", zeros(0)), "");
    /* headers that lie */
    static const struct { const char *name, *shape; } shapes[] = {
        {"a terabyte", "1099511627776"}, {"an exabyte", "1152921504606846976"}, {"2^63 - 1", "9223372036854775807"}, {"2^63", "9223372036854775808"},
        {"2^64 by 1", "18446744073709551616, 1"}, {"2^32 by 2^32", "4294967296, 4294967296"}, {"2^31 by 2^31 by 2^2", "2147483648, 2147483648, 4"},
        {"2^32 by 2^32 by 0", "4294967296, 4294967296, 0"}, {"0 by 2^62 by 2^62", "0, 4611686018427387904, 4611686018427387904"}, {"negative", "-2, -3"},
        {"one negative", "2, -3"}, {"a fraction", "2.0, 3"}, {"a text", "'2', 3"}, {"a sum", "1+1, 3"}, {"an empty place", "2,, 3"}, {"nested", "(2, 3)"}, {"hexadecimal", "0x2, 3"},
        {"code", "__import__('os').system('true'), 3"}, {"thirty digits", "999999999999999999999999999999"}, {"a name", "N, 3"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) bad_array(text("a shape of %s", shapes[i].name), npy("<f4", shapes[i].shape, zeros(24)), "");
    bytes dims = NONE;
    for (int i = 0; i < 65; i++) dims = J(dims, str("1, "));
    bad_array("65 dimensions", npy("<f4", (const char *)dims.p, zeros(4)), "64");
    static const struct { const char *descr, *words; } types[] = {
        {"|O", "objects"}, {"O", ""}, {"<O8", "objects"}, {"<f3", "f3"}, {"<f16", "f16"}, {"<f", ""}, {"f4", ""}, {"", ""}, {"<", ""}, {"<x4", "x4"}, {"<M8[s]", "M8"}, {"<m8", "m8"}, {"|V8", "V8"},
        {"<U99999999999", ""}, {"<U-1", ""}, {"|S999999999", ""}, {"<f4\\'", ""}, {"!f4", ""}, {"<i5", "i5"}, {"<f44444444444444444444444444444444444444444", ""}, {"\x1b[31m", ""}, {"\xff", ""},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) bad_array(text("elements of type %zu", i), npy(types[i].descr, "2, 3", zeros(24)), types[i].words);
    static const struct { const char *name, *header, *words; } headers[] = {
        {"a structure", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", "type"},
        {"code for a type", "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2, 3)}", ""},
        {"code for the order", "{'descr': '<f4', 'fortran_order': print(1), 'shape': (2, 3)}", "fortran_order"},
        {"a number for the order", "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}", "fortran_order"},
        {"a list for the shape", "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}", "shape"},
        {"a number for the shape", "{'descr': '<f4', 'fortran_order': False, 'shape': 6}", "shape"},
        {"no shape", "{'descr': '<f4', 'fortran_order': False}", "incomplete"},
        {"no type", "{'fortran_order': False, 'shape': (2, 3)}", "incomplete"},
        {"no order", "{'descr': '<f4', 'shape': (2, 3)}", "incomplete"},
        {"the shape twice", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'shape': (2, 3)}", "double|shape"},
        {"the type twice", "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", "double|descr"},
        {"an unknown key", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", "unknown|more"},
        {"an unknown key with escape codes", "{'\x1b[31m': 1}", "unknown"},
        {"a key that is a number", "{1: 2}", ""},
        {"no dictionary", "[1, 2, 3]", "dictionary"},
        {"a dictionary left open", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", ""},
        {"a shape left open", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", ""},
        {"a text left open", "{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3)}", ""},
        {"something behind", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} + {}", "behind"},
        {"nothing", "", "dictionary"},
        {"only blanks", "                    \n", "dictionary"},
        {"a pickle", "\x80\x03}q\x01.", "dictionary"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) bad_header(text("a header of %s", headers[i].name), headers[i].header, headers[i].words);
    bad_array("NUL in a header", npy_of(1, "{'descr': '<f4'", RAW("\0, 'fortran_order': False, 'shape': (2, 3)}")), "");
    bad_array("a header that is longer than the file", J(RAW("\x93NUMPY\1\0\xff\xff"), str("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"), zeros(24)), "header");
    bad_array("a header of 4 GiB", J(RAW("\x93NUMPY\2\0\xff\xff\xff\xff"), str("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"), zeros(24)), "header");
    bad_array("a header of a megabyte of brackets", J(RAW("\x93NUMPY\2\0\0\0\x10\0"), times(1 << 20, str("(")), zeros(24)), "");
    /* what does not fit the model */
    bad_array("other element type", npy("<f8", "2, 3", zeros(48)), "double|float");
    bad_array("integers", npy("<i4", "2, 3", zeros(24)), "int32|float");
    bad_array("strings", npy("<U1", "2, 3", zeros(24)), "string|float");
    bad_array("other sizes", npy("<f4", "3, 2", zeros(24)), "3,2|2,3");
    bad_array("lower rank", npy("<f4", "6,", zeros(24)), "[6]|2,3");
    bad_array("higher rank", npy("<f4", "1, 2, 3", zeros(24)), "1,2,3|2,3");
    bad_array("no dimension", npy("<f4", "", zeros(4)), "[]|2,3");
    bad_array("no elements", npy("<f4", "0, 3", NONE), "0,3|2,3");
    forget();
}

/* ---- value files ---- */

static void value_files(void) {
    put("m.onnx", making_y(N("Relu", "x", "y", NONE)));
    bytes whole = t_f("x", "2,3", "1,2,3,4,5,6");
    put("x.pb", whole);
    run("a value file", (want){.code = 0, .in = "x.pb"}, "onnx-run run m.onnx --input x=x.pb -o o.npz");
    static const struct { const char *name; int elem; const char *dims; size_t n; const char *words; } wrong[] = {
        {"other element type", DOUBLE, "2,3", 48, "double|float"},    {"other sizes", FLOAT, "3,2", 24, "3,2"},    {"other rank", FLOAT, "6", 24, "[6]"},
        {"too little data", FLOAT, "2,3", 20, "raw_data"},            {"too much data", FLOAT, "2,3", 28, "raw_data"}, {"a negative size", FLOAT, "-2,3", 24, "negative"},
        {"sizes that overflow", FLOAT, "4294967296,4294967296", 24, "overflow"}, {"a petabyte", FLOAT, "281474976710656", 24, "raw_data"}, {"no element type", 0, "2,3", 24, "data_type"},
        {"an unknown element type", 99, "2,3", 24, "data_type"},      {"strings in raw_data", STRING, "2,3", 24, "string"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put("x.pb", t_raw("x", wrong[i].elem, wrong[i].dims, wrong[i].n));
        put("o.npz", str("the older output"));
        run(text("a value of %s", wrong[i].name), (want){.code = 65, .words = text("x.pb|'x'|%s", wrong[i].words), .out = "o.npz", .megabytes = 96}, "onnx-run run m.onnx --input x=x.pb -o o.npz");
    }
    for (size_t n = 0; n < whole.n; n++) {
        put("x.pb", raw(whole.p, n));
        put("o.npz", str("the older output"));
        run(text("a value cut at byte %zu", n), (want){.code = 65, .words = "x.pb|'x'", .out = "o.npz"}, "onnx-run run m.onnx --input x=x.pb -o o.npz");
    }
    struct { const char *name; bytes b; } files[] = {
        {"external data out of the folder", external("x", "2,3", data("location", "../../etc/passwd"))},
        {"external data in the folder", external("x", "2,3", data("location", "m.onnx"))},
        {"a model", making_y(N("Relu", "x", "y", NONE))},
        {"a text", str("x = 1, 2, 3\n")},
        {"zeros", zeros(100)},
        {"a length past the end", J(num(1, 6), num(2, 1), tag(9, 2), varint(1u << 30), zeros(24))},
        {"groups", J(whole, tag(7, 3))},
        {"NUL in the name", J(ints(1, "2,3"), num(2, 1), sub(8, RAW("a\0b")), sub(9, zeros(24)))},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        put("x.pb", files[i].b);
        put("o.npz", str("the older output"));
        run(text("a value file: %s", files[i].name), (want){.code = 65, .other = 77, .third = i == 1 ? 65 : 0, .words = "x.pb|'x'", .out = "o.npz", .megabytes = 96}, "onnx-run run m.onnx --input x=x.pb -o o.npz");
    }
    /* sequences and optionals */
    bytes seq = sub(4, sub(1, type(FLOAT, NULL)));
    put("m.onnx", model(J(N("SequenceLength", "s", "y", NONE), txt(2, "g"), sub(11, J(txt(1, "s"), sub(2, seq))), sub(12, value("y", 0, NULL))), NONE));
    bytes one = J(txt(1, "s"), num(2, 1), sub(3, t_f("a", "2", "1,2")));
    put("s.pb", one);
    run("a sequence", (want){.code = 0}, "onnx-run run m.onnx --input s=s.pb -o o.npz");
    for (size_t n = 1; n < one.n; n++) {
        put("s.pb", raw(one.p, n));
        run(text("a sequence cut at byte %zu", n), (want){.code = 0, .other = 65}, "onnx-run run m.onnx --input s=s.pb -o o.npz");
    }
    put("s.pb", J(txt(1, "s"), num(2, 1), sub(3, t_i("a", "2", "1,2"))));
    put("o.npz", str("the older output"));
    run("a sequence of other elements", (want){.code = 65, .words = "s.pb|'s'", .out = "o.npz"}, "onnx-run run m.onnx --input s=s.pb -o o.npz");
    put("s.pb", J(txt(1, "s"), num(2, 1), sub(3, t_f("a", "2", "1,2")), sub(5, num(2, 1))));
    run("a sequence of several kinds", (want){.code = 65, .words = "s.pb|'s'", .out = "o.npz"}, "onnx-run run m.onnx --input s=s.pb -o o.npz");
    put("s.npy", npy("<f4", "2", zeros(8)));
    run("an array for a sequence", (want){.code = 65, .words = "s.npy|'s'", .out = "o.npz"}, "onnx-run run m.onnx --input s=s.npy -o o.npz");
    bytes deep_seq = t_f("a", "2", "1,2");
    deep_seq = J(num(2, 1), sub(3, deep_seq));
    for (int i = 0; i < 1000; i++) deep_seq = J(num(2, 3), sub(5, deep_seq));
    put("s.pb", deep_seq);
    run("sequences nested 1,000 deep", (want){.code = 65, .words = "s.pb|'s'|nest", .out = "o.npz"}, "onnx-run run m.onnx --input s=s.pb -o o.npz");
    forget();
}

/* ---- names, files, sizes ---- */

static void command_lines(void) {
    put("m.onnx", model(J(N("Add", "x z", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "N,3")), sub(11, value("z", FLOAT, "N,3")), sub(12, value("y", 0, NULL))), NONE));
    put("x.npy", npy("<f4", "2, 3", zeros(24)));
    put("o.npz", str("the older output"));
    mkdir("folder.npy", 0700);
    static const struct { const char *name, *args; int code, other; const char *words; } cases[] = {
        {"an unknown input", "--input w=x.npy", 64, 65, "m.onnx|'w'"},
        {"a misspelled input", "--input xx=x.npy", 64, 65, "'xx'|mean|'x'"},
        {"an output as input", "--input y=x.npy", 64, 65, "'y'"},
        {"no name", "--input =x.npy", 64, 0, "--input"},
        {"no sign", "--input x.npy", 64, 0, "--input"},
        {"no file", "--input x=", 64, 66, "'x'"},
        {"the same input twice", "--input x=x.npy --input x=x.npy", 64, 65, "'x'|twice"},
        {"a file that is not there", "--input x=none.npy", 66, 0, "none.npy|'x'"},
        {"a value file that is not there", "--input x=none.pb", 66, 0, "none.pb|'x'"},
        {"a folder", "--input x=folder.npy", 65, 66, "folder.npy"},
        {"a folder as value file", "--input x=folder.npy/", 65, 66, "folder.npy"},
        {"an unknown dimension", "--dim K=3", 64, 65, "'K'"},
        {"a misspelled dimension", "--dim NN=3", 64, 65, "'NN'|mean|'N'"},
        {"a fixed dimension", "--dim 3=4", 64, 65, "'3'"},
        {"a dimension of two sizes", "--dim N=3 --dim N=4", 64, 65, "'N'|3|4"},
        {"a dimension that is no number", "--dim N=x", 64, 0, "--dim"},
        {"a dimension that is negative", "--dim N=-1", 64, 0, "--dim"},
        {"a dimension that is a fraction", "--dim N=1.5", 64, 0, "--dim"},
        {"a dimension that is too large", "--dim N=9223372036854775808", 64, 0, "--dim"},
        {"a dimension without number", "--dim N=", 64, 0, "--dim"},
        {"a dimension without name", "--dim =3", 64, 0, "--dim"},
        {"a dimension alone", "--dim N", 64, 0, "--dim"},
        {"a dimension of 2^40", "--dim N=1099511627776", 71, 0, "'x'~'z'"},
        {"a dimension of 2^63 - 1", "--dim N=9223372036854775807", 71, 65, "'x'~'z'"},
        {"a dimension against an input", "--dim N=5 --input x=x.npy", 65, 64, "'x'|'N'|2|5"},
        {"a seed that is no number", "--random x", 64, 0, "--random"},
        {"a seed that is negative", "--random -1", 64, 0, "--random"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run(cases[i].name, (want){.code = cases[i].code, .other = cases[i].other, .words = cases[i].words, .out = "o.npz", .in = "m.onnx", .megabytes = 128}, "onnx-run run m.onnx %s -o o.npz", cases[i].args);
    run("inputs that are made have the sizes of the one that is given", (want){.code = 0, .in = "m.onnx"}, "onnx-run run m.onnx --input x=x.npy -o o.npz");
    run("a dimension twice, the same", (want){.code = 0, .in = "m.onnx"}, "onnx-run run m.onnx --dim N=3 --dim N=3 -o o.npz");
    run("a dimension of 0", (want){.code = 0, .in = "m.onnx"}, "onnx-run run m.onnx --dim N=0 -o o.npz");
    put("z.npy", npy("<f4", "5, 3", zeros(60)));
    put("o.npz", str("the older output"));
    run("inputs that do not go together", (want){.code = 65, .words = "the_Add", .out = "o.npz"}, "onnx-run run m.onnx --input x=x.npy --input z=z.npy -o o.npz");
    run("an unknown dimension for compare", (want){.code = 64, .other = 65, .words = "'K'"}, "onnx-run compare m.onnx m.onnx --dim K=3");
    run("bench with an unknown input", (want){.code = 64, .other = 65, .words = "'w'"}, "onnx-run bench m.onnx --input w=x.npy");
    put("m.onnx", model(J(N("Relu", "a=b", "y", NONE), txt(2, "g"), sub(11, value("a=b", FLOAT, "2,3")), sub(12, value("y", 0, NULL))), NONE));
    run("a name with an equals sign", (want){.code = 0}, "onnx-run run m.onnx --input a=b=x.npy -o o.npz");
    rmdir("folder.npy");
    forget();
}

/* ---- compare ---- */

static bytes graph_of(bytes nodes, bytes inputs, bytes outputs) { return model(J(nodes, txt(2, "g"), inputs, outputs), NONE); }

static void comparisons(void) {
    bytes x = sub(11, value("x", FLOAT, "2,3")), y = sub(12, value("y", 0, NULL)), relu = N("Relu", "x", "y", NONE);
    put("a.onnx", graph_of(relu, x, y));
    struct { const char *name; bytes b; int code, other; const char *words; } cases[] = {
        {"empty", NONE, 65, 0, "b.onnx|empty"},
        {"cut", raw(graph_of(relu, x, y).p, 40), 65, 0, "b.onnx"},
        {"text", str("hello"), 65, 0, "b.onnx"},
        {"a cycle", graph_of(J(N("Relu", "q", "p", NONE), N("Neg", "p", "q", NONE), relu), x, y), 65, 0, "b.onnx|cycle"},
        {"shapes that cannot be", graph_of(J(init(t_i("s", "1", "7")), N("Reshape", "x s", "y", NONE)), x, y), 65, 0, "b.onnx|the_Reshape"},
        {"external data out of the folder", graph_of(J(init(external("w", "2,3", data("location", "../w.bin"))), N("Add", "x w", "y", NONE)), x, y), 77, 0, "b.onnx|'w'"},
        {"another result", graph_of(N("Neg", "x", "y", NONE), x, y), 1, 0, "a.onnx|b.onnx|'y'"},
        {"another input name", graph_of(N("Relu", "z", "y", NONE), sub(11, value("z", FLOAT, "2,3")), y), 1, 65, "b.onnx|'z'"},
        {"one input more", graph_of(N("Add", "x z", "y", NONE), J(x, sub(11, value("z", FLOAT, "2,3"))), y), 1, 65, "b.onnx|'z'"},
        {"another input type", graph_of(relu, sub(11, value("x", DOUBLE, "2,3")), y), 1, 65, "b.onnx|'x'"},
        {"another input shape", graph_of(relu, sub(11, value("x", FLOAT, "3,2")), y), 1, 65, "b.onnx|'x'"},
        {"another input rank", graph_of(relu, sub(11, value("x", FLOAT, "6")), y), 1, 65, "b.onnx|'x'"},
        {"another output name", graph_of(N("Relu", "x", "z", NONE), x, sub(12, value("z", 0, NULL))), 1, 65, "b.onnx|'y'"},
        {"one output more", graph_of(J(relu, N("Neg", "x", "z", NONE)), x, J(y, sub(12, value("z", 0, NULL)))), 1, 65, "b.onnx|output"},
        {"another output type", graph_of(J(N("Relu", "x", "r", NONE), N("Cast", "r", "y", a_int("to", DOUBLE))), x, y), 1, 65, "b.onnx|'y'"},
        {"another output shape", graph_of(J(N("Relu", "x", "r", NONE), N("Transpose", "r", "y", NONE)), x, y), 1, 65, "b.onnx|'y'"},
        {"a result that fails", graph_of(J(init(t_i("i", "1", "9")), N("Relu", "x", "r", NONE), N("Shape", "r", "sh", NONE), N("Add", "sh i", "k", NONE), N("Reshape", "r k", "y", NONE)), x, y), 1, 65, "b.onnx"},
        {"an unknown operator", graph_of(J(sub(1, J(node("Mine", "x", "y", NONE), txt(7, "com.mine")))), x, y), 65, 69, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("b.onnx", cases[i].b);
        run(text("the second model: %s", cases[i].name), (want){.code = cases[i].code, .other = cases[i].other, .words = cases[i].words, .in = "b.onnx"}, "onnx-run compare a.onnx b.onnx");
        if (cases[i].code > 1) run(text("the first model: %s", cases[i].name), (want){.code = cases[i].code, .other = cases[i].other, .words = cases[i].words, .in = "b.onnx"}, "onnx-run compare b.onnx a.onnx");
    }
    put("b.onnx", graph_of(J(relu, N("Neg", "x", "z", NONE)), x, J(y, sub(12, value("z", 0, NULL)))));
    run("one output less", (want){.code = 1, .other = 65, .words = "a.onnx|'z'"}, "onnx-run compare b.onnx a.onnx");
    run("a second model that is not there", (want){.code = 66, .words = "none.onnx"}, "onnx-run compare a.onnx none.onnx");
    run("a first model that is not there", (want){.code = 66, .words = "none.onnx"}, "onnx-run compare none.onnx a.onnx");
    run("no second model", (want){.code = 64, .words = "two models"}, "onnx-run compare a.onnx");
    run("three models", (want){.code = 64, .words = "a.onnx"}, "onnx-run compare a.onnx a.onnx a.onnx");
    forget();
}

/* ---- test ---- */

/* A folder of one case; parts that are NONE are left out. */
static void a_case(const char *dir, bytes m, bytes in, bytes out) {
    char *path = strdup(dir);
    for (char *c = path + 1; *c; c++)
        if (*c == '/') *c = 0, mkdir(path, 0700), *c = '/';
    mkdir(path, 0700);
    mkdir(text("%s/test_data_set_0", path), 0700);
    if (m.p) put(text("%s/model.onnx", path), m);
    if (in.p) put(text("%s/test_data_set_0/input_0.pb", path), in);
    if (out.p) put(text("%s/test_data_set_0/output_0.pb", path), out);
    free(path);
}

static void remove_case(const char *dir) {
    unlink(text("%s/model.onnx", dir)), unlink(text("%s/test_data_set_0/input_0.pb", dir)), unlink(text("%s/test_data_set_0/output_0.pb", dir));
    rmdir(text("%s/test_data_set_0", dir)), rmdir(dir);
}

static void test_folders(void) {
    bytes m = making_y(N("Relu", "x", "y", NONE)), in = t_f("x", "2,3", "1,-2,3,-4,5,-6"), out = t_f("y", "2,3", "1,0,3,0,5,0");
    a_case("suite/good", m, in, out);
    a_case("suite/zgood", m, in, out);
    put("report.json", str("the older output"));
    run("a suite", (want){.code = 0}, "onnx-run test suite");
    struct { const char *name; bytes m, in, out; } cases[] = {
        {"no model", NONE, in, out},
        {"no output", m, in, NONE},
        {"no input", m, NONE, out},
        {"an empty model", raw("", 0), in, out},
        {"a model that is cut", raw(m.p, m.n / 2), in, out},
        {"a model that is text", str("hello"), in, out},
        {"a model with a cycle", around(J(N("Relu", "q", "p", NONE), N("Neg", "p", "q", NONE))), in, out},
        {"an input that is cut", m, raw(in.p, in.n - 3), out},
        {"an input that is empty", m, raw("", 0), out},
        {"an output that is cut", m, in, raw(out.p, out.n - 3)},
        {"an output that is empty", m, in, raw("", 0)},
        {"an output that is text", m, in, str("hello")},
        {"an input of another type", m, t_i("x", "2,3", "1,2,3,4,5,6"), out},
        {"an input of another shape", m, t_f("x", "3,2", "1,2,3,4,5,6"), out},
        {"an output of another type", m, in, t_i("y", "2,3", "1,0,3,0,5,0")},
        {"an output of another shape", m, in, t_f("y", "3,2", "1,0,3,0,5,0")},
        {"an output of other values", m, in, t_f("y", "2,3", "1,0,3,0,5,7")},
        {"an output that claims a petabyte", m, in, tensor("y", FLOAT, "281474976710656", NONE)},
        {"a model that fails when it runs", making_y(J(N("Cast", "x", "i", a_int("to", INT64)), N("Gather", "x i", "y", NONE))), in, out},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        a_case("suite/middle", cases[i].m, cases[i].in, cases[i].out);
        bool ok = run(text("a case with %s", cases[i].name), (want){.code = 1, .words = "1 cases failed", .to = "../counted"}, "onnx-run test suite");
        bytes said_out = get("../counted");
        check(text("a case with %s: the others still run", cases[i].name), !ok || strstr((char *)said_out.p, "2 passed, 1 failed, 0 skipped"), "%s", (char *)said_out.p);
        check(text("a case with %s: named", cases[i].name), !ok || strstr((char *)said_out.p, "suite/middle"), "%s", (char *)said_out.p);
        run(text("only a case with %s", cases[i].name), (want){.code = 1, .words = "1 cases failed"}, "onnx-run test suite/middle");
        remove_case("suite/middle");
    }
    mkdir("suite/middle", 0700), mkdir("suite/middle/model.onnx", 0700), mkdir("suite/middle/test_data_set_0", 0700);
    run("a folder in the place of the model", (want){.code = 1, .words = "1 cases failed"}, "onnx-run test suite");
    rmdir("suite/middle/model.onnx");
    put("suite/middle/model.onnx", m);
    rmdir("suite/middle/test_data_set_0");
    run("a case without data", (want){.code = 1, .words = "1 cases failed"}, "onnx-run test suite");
    put("suite/middle/test_data_set_0", str("a file"));
    run("a file in the place of data", (want){.code = 1, .words = "1 cases failed"}, "onnx-run test suite");
    unlink("suite/middle/test_data_set_0");
    mkdir("suite/middle/test_data_set_0", 0700);
    run("a case with empty data", (want){.code = 1, .words = "1 cases failed"}, "onnx-run test suite");
    mkdir("suite/middle/test_data_set_0/input_0.pb", 0700);
    put("suite/middle/test_data_set_0/output_0.pb", out);
    run("a folder in the place of an input", (want){.code = 1, .words = "1 cases failed"}, "onnx-run test suite");
    rmdir("suite/middle/test_data_set_0/input_0.pb");
    remove_case("suite/middle");
    a_case("suite/\x1b[31m\n", making_y(N("Relu", "x", "y", NONE)), in, NONE);
    run("a folder with escape codes in its name", (want){.code = 1, .to = "../counted"}, "onnx-run test suite");
    bytes said_out = get("../counted");
    check("a folder with escape codes in its name: none on standard output", !memchr(said_out.p, 0x1b, said_out.n), "%s", (char *)said_out.p);
    remove_case("suite/\x1b[31m\n");
    mkdir("empty", 0700), mkdir("suite/nothing", 0700);
    run("a suite with an empty folder", (want){.code = 0}, "onnx-run test suite");
    run("no cases", (want){.code = 66, .other = 1, .words = "empty"}, "onnx-run test empty");
    run("no folder", (want){.code = 66, .words = "none"}, "onnx-run test none");
    run("a file", (want){.code = 66, .words = "m.onnx"}, "onnx-run test m.onnx");
    rmdir("empty"), rmdir("suite/nothing");
    forget();
}

/* ---- inspect, print ---- */

static void looking(void) {
    struct { const char *name; bytes b; int code; const char *words; } files[] = {
        {"empty", NONE, 65, "empty"},          {"PNG", RAW("\x89PNG\r\n\x1a\n0123456789"), 65, "PNG"},      {"zip", RAW("PK\3\4\x14\0\0\0\x08\0abcdefghijkl"), 65, "zip"},
        {"text", str("<html></html>\n"), 65, ""}, {"an array", npy("<f4", "2", zeros(8)), 65, ""},             {"a tensor", t_f("x", "2,3", "1,2,3,4,5,6"), 65, ""},
        {"zeros", zeros(64), 65, ""},           {"a pipeline", str("passes: [dce]\n"), 65, ""},              {"a text of ONNX", str("g (float x) => (float y) { y = Relu(x) }\n"), 65, ""},
    };
    static const char *const commands[] = {"inspect f.onnx", "inspect f.onnx --json=j.json", "print f.onnx", "print f.onnx --full", "print f.onnx -o t.txt", "run f.onnx -o o.npz", "bench f.onnx", "compare f.onnx f.onnx"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
            put("f.onnx", files[i].b);
            run(text("%s: %s", files[i].name, commands[k]), (want){.code = files[i].code, .words = text("f.onnx|%s", files[i].words), .in = "f.onnx"}, "onnx-run %s", commands[k]);
        }
    put("f.onnx", making_y(N("Relu", "x", "y", NONE)));
    static const struct { const char *args; int code, other; const char *words; } lines[] = {
        {"inspect", 64, 0, "inspect"},           {"inspect f.onnx f.onnx", 64, 0, "f.onnx"},       {"inspect none.onnx", 66, 0, "none.onnx"},       {"print", 64, 0, "print"},
        {"print none.onnx", 66, 0, "none.onnx"}, {"print f.onnx --max-elements=x", 64, 0, "max"},  {"print f.onnx --max-elements=-1", 64, 0, "max"}, {"print f.onnx -o nowhere/t.txt", 73, 74, "nowhere"},
        {"inspect f.onnx --json=nowhere/j", 73, 74, "nowhere"}, {"inspect ../w", 65, 66, "../w"}, {"print ../w", 65, 66, "../w"}, {"parse", 64, 0, "parse"}, {"parse f.onnx", 64, 0, "-o"},
        {"run f.onnx", 64, 0, "-o"}, {"run -o o.npz", 64, 0, "run"}, {"run none.onnx -o o.npz", 66, 0, "none.onnx"}, {"bench none.onnx", 66, 0, "none.onnx"}, {"bench f.onnx --repeat=0", 64, 0, "repeat"},
        {"run f.onnx -o nowhere/o.npz", 73, 74, "nowhere"}, {"inspekt f.onnx", 64, 0, "inspekt|inspect"}, {"", 64, 0, "command"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) run(text("onnx-run %s", lines[i].args), (want){.code = lines[i].code, .other = lines[i].other, .third = lines[i].code == 65 ? 74 : 0, .words = lines[i].words}, "onnx-run %s", lines[i].args);
    put("f.onnx", making_y(J(sub(1, J(txt(1, "x"), txt(2, "y"), txt(3, "a\x1b[31m\nb"), txt(4, "Relu"))), txt(10, "doc\x1b]0;title\x07"))));
    run("a model with escape codes, printed", (want){.code = 0, .to = "../printed"}, "onnx-run print f.onnx");
    bytes printed = get("../printed");
    check("a model with escape codes: none are printed", !memchr(printed.p, 0x1b, printed.n) && !memchr(printed.p, 7, printed.n), "%s", (char *)printed.p);
    put("f.onnx", graph_of(N("Relu", "x\x1b[31m", "y\x1b[31m", NONE), sub(11, value("x\x1b[31m", FLOAT, "N\x1b[31m")), sub(12, value("y\x1b[31m", 0, NULL))));
    run("a model with escape codes, inspected", (want){.code = 0, .to = "../printed"}, "onnx-run inspect f.onnx");
    printed = get("../printed");
    run("a model with escape codes, optimized aloud", (want){.code = 0, .in = "f.onnx"}, "onnx-opt f.onnx -o g.onnx --passes=dce");
    check("a model with escape codes: none are shown", !memchr(printed.p, 0x1b, printed.n), "%s", (char *)printed.p);
    forget();
}

void group_inputs(void) {
    arrays();
    value_files();
    command_lines();
    comparisons();
    test_folders();
    looking();
    bad_values();
}
