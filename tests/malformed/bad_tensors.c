/* Tensors and types: dims, element types, data, sparse tensors, quantization annotations. */
#include "malformed.h"

#include <string.h>

/* A bad tensor as initializer (graph and body) and as attribute of a Constant (at every place); T has the name "bad". */
static void refuse_tensor(const char *name, bytes t, const char *words) {
    refuse(text("%s: initializer", name), around(init(t)), text("bad|%s", words));
    refuse(text("%s: initializer of a body", name), at(DEEP, init(t)), text("bad|%s", words));
    refuse_at(text("%s: attribute", name), N("Constant", "", "z", a_tensor("value", t)), text("the_Constant|%s", words));
}

static void claim(const char *name, bytes t, const char *words) {
    refuse_claim(text("%s: initializer", name), around(init(t)), text("bad|%s", words));
    refuse_claim(text("%s: attribute", name), at(BRANCH, N("Constant", "", "z", a_tensor("value", t))), text("the_Constant|%s", words));
}

/* ---- rows 36 to 38 ---- */

static void dims_and_types(void) {
    static const char *const negative[] = {"-1", "2,-3", "-2,-2", "-9223372036854775808"};
    for (size_t i = 0; i < 4; i++) refuse_tensor(text("dims %s", negative[i]), t_raw("bad", FLOAT, negative[i], 8), "dims~negative");
    static const char *const huge[] = {"9223372036854775807", "4294967296,4294967296", "9223372036854775807,2", "0,9223372036854775807,9223372036854775807",
                                       "9223372036854775807,9223372036854775807,0", "3037000500,3037000500", "4611686018427387904", "65536,65536,65536,65536"};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) claim(text("dims %s", huge[i]), t_raw("bad", FLOAT, huge[i], 4), "");
    claim("dims 2^63-1 of int4", t_raw("bad", INT4, "9223372036854775807", 4), "");
    claim("dims 2^61 of strings", tensor("bad", STRING, "2305843009213693952", sub(6, str("a"))), "");
    claim("a pebibyte, inline", t_raw("bad", FLOAT, "281474976710656", 4), "");
    claim("a pebibyte, without data", tensor("bad", FLOAT, "1048576,268435456", NONE), "");
    claim("a pebibyte of float_data", tensor("bad", FLOAT, "281474976710656", f32(4, 1)), "");
    accept_model("a dim of 0", making_y(J(init(t_raw("w", FLOAT, "0,3", 0)), N("Concat", "x w", "y", a_int("axis", 0)))), NULL);
    accept_model("a dim of 0 without data", making_y(J(init(tensor("w", FLOAT, "0,3", NONE)), N("Concat", "x w", "y", a_int("axis", 0)))), NULL);
    bytes ones = times(1000000, num(1, 1));
    refuse("rank of a million", around(init(J(ones, num(2, 1), txt(8, "bad"), sub(9, RAW("1234"))))), "bad~rank");
    forget();
    refuse("rank of a million, packed", around(init(J(sub(1, times(1000000, RAW("\1"))), num(2, 1), txt(8, "bad"), sub(9, RAW("1234"))))), "bad~rank");
    forget();
    refuse("rank of a million of an attribute", around(N("Constant", "", "z", a_tensor("value", J(sub(1, times(1000000, RAW("\1"))), num(2, 1), sub(9, RAW("1234")))))), "the_Constant|rank");
    forget();
    refuse("rank of a million of an input", around(sub(11, J(txt(1, "bad"), sub(2, sub(1, J(num(1, 1), sub(2, times(1000000, sub(1, num(1, 1)))))))))), "bad~rank");
    forget();
    refuse("rank of a thousand", around(init(J(times(1000, num(1, 1)), num(2, 1), txt(8, "bad"), sub(9, RAW("1234"))))), "bad|rank");

    static const int types[] = {0, 27, 99, 999, -1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        refuse_tensor(text("element type %d", types[i]), t_raw("bad", types[i], "1", 4), "type");
        refuse(text("element type %d of an input", types[i]), around(sub(11, J(txt(1, "bad"), sub(2, type(types[i], "1"))))), "bad|type");
        if (types[i]) refuse(text("element type %d of a sequence", types[i]), around(sub(11, J(txt(1, "bad"), sub(2, sub(4, sub(1, type(types[i], "1"))))))), "bad|type");
    }
    refuse_tensor("without element type", J(num(1, 1), txt(8, "bad"), sub(9, RAW("1234"))), "type");
    refuse_tensor("strings in raw_data", tensor("bad", STRING, "1", sub(9, str("word"))), "raw_data");
    forget();
}

/* ---- rows 39 to 43 ---- */

static void contents(void) {
    refuse_tensor("raw_data too short", t_raw("bad", FLOAT, "2,2", 12), "raw_data");
    refuse_tensor("raw_data too long", t_raw("bad", FLOAT, "2,2", 20), "raw_data");
    refuse_tensor("raw_data no multiple", t_raw("bad", FLOAT, "2,2", 15), "raw_data");
    refuse_tensor("raw_data empty", t_raw("bad", FLOAT, "2,2", 0), "data");
    refuse_tensor("raw_data for no element", t_raw("bad", FLOAT, "0", 4), "raw_data");
    refuse_tensor("raw_data of a scalar too long", t_raw("bad", INT64, "", 16), "raw_data");
    refuse_tensor("no data", tensor("bad", FLOAT, "3", NONE), "data");
    refuse_tensor("float_data too short", tensor("bad", FLOAT, "3", J(f32(4, 1), f32(4, 2))), "float_data");
    refuse_tensor("float_data too long", tensor("bad", FLOAT, "1", J(f32(4, 1), f32(4, 2))), "float_data");
    refuse_tensor("int64_data too short", tensor("bad", INT64, "3", ints(7, "1,2")), "int64_data");
    refuse_tensor("int32_data too long", tensor("bad", INT8, "1", ints(5, "1,2")), "int32_data");
    refuse_tensor("strings too few", tensor("bad", STRING, "2", sub(6, str("a"))), "string_data");
    refuse_tensor("half a complex number", tensor("bad", 14, "1", f32(4, 1)), "float_data");
    static const int narrow[] = {UINT4, INT4};
    for (int i = 0; i < 2; i++) {
        refuse_tensor("4 bits, too short", tensor("bad", narrow[i], "5", sub(9, RAW("12"))), "raw_data");
        refuse_tensor("4 bits, too long", tensor("bad", narrow[i], "5", sub(9, RAW("12345"))), "raw_data");
        accept_model("4 bits, odd count and dirty padding", making_y(J(init(tensor("w", narrow[i], "3", sub(9, RAW("\x21\xf3")))),
                     init(tensor("s", FLOAT, "", sub(9, RAW("\0\0\x80\x3f")))), N("DequantizeLinear", "w s", "d", NONE), N("Add", "x d", "y", NONE))), NULL);
        accept_model("4 bits in int32_data", making_y(J(init(tensor("w", narrow[i], "3", ints(5, "33,3"))),
                     init(tensor("s", FLOAT, "", sub(9, RAW("\0\0\x80\x3f")))), N("DequantizeLinear", "w s", "d", NONE), N("Add", "x d", "y", NONE))), NULL);
    }
    refuse_tensor("raw_data and float_data", tensor("bad", FLOAT, "1", J(f32(4, 1), sub(9, RAW("1234")))), "float_data|raw_data");
    refuse_tensor("float_data and int32_data", tensor("bad", FLOAT, "1", J(f32(4, 1), num(5, 1))), "float_data|int32_data");
    refuse_tensor("floats in int64_data", tensor("bad", FLOAT, "1", num(7, 1)), "int64_data");
    refuse_tensor("int64 in int32_data", tensor("bad", INT64, "1", num(5, 1)), "int32_data");
    refuse_tensor("doubles in float_data", tensor("bad", DOUBLE, "1", f32(4, 1)), "float_data");
    refuse_tensor("strings in float_data", tensor("bad", STRING, "1", f32(4, 1)), "float_data");
    static const struct { int type; int64_t v; } out[] = {{INT8, 128}, {INT8, -129}, {UINT8, 256}, {UINT8, -1}, {5, 40000}, {4, 65536}, {4, -1}, {FLOAT16, 65536},
                                                         {FLOAT16, -1}, {16, 70000}, {BOOL, 256}, {BOOL, -1}};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        refuse_tensor(text("%lld for type %d", (long long)out[i].v, out[i].type), tensor("bad", out[i].type, "1", num(5, out[i].v)), "int32_data");
    refuse_tensor("2^32 for uint32", tensor("bad", 12, "1", num(11, (int64_t)1 << 32)), "uint64_data");
    refuse_tensor("segment", J(t_f("bad", "1", "1"), sub(3, J(num(1, 0), num(2, 1)))), "segment");
    refuse_tensor("an empty segment", J(t_f("bad", "1", "1"), sub(3, NONE)), "segment");
    refuse_tensor("a data location that does not exist", J(t_f("bad", "1", "1"), num(14, 5)), "data_location");

    static const char bits[] = "\1\0\xa0\x7f" "\1\0\xc0\xff" "\0\0\0\x80" "\1\0\0\0" "\xff\xff\x7f\0" "\0\0\x80\xff";
    accept_model("NaN payloads, -0, denormals, infinities", making_y(J(init(tensor("w", FLOAT, "6,1,1", sub(9, raw(bits, 24)))), N("Identity", "w", "k", NONE), N("Concat", "k k", "k2", a_int("axis", 1)),
                 N("Mul", "k2 x", "y", NONE))), NULL);
    put("m.onnx", model(J(N("Add", "x x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2")), sub(12, value("y", 0, NULL)),
                          init(tensor("w", FLOAT, "6", sub(9, raw(bits, 24)))), sub(12, value("w", FLOAT, "6"))), NONE));
    run("their bits", (want){.code = 0}, "onnx-opt m.onnx -o out.onnx");
    check("are unchanged", memmem(get("out.onnx").p, get("out.onnx").n, bits, 24) != NULL, "changed");
    put("m.onnx", model(J(N("Add", "x x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2")), sub(12, value("y", 0, NULL)),
                          init(tensor("w", BOOL, "7", sub(9, RAW("\0\1\2\x7f\x80\xff\1")))), sub(12, value("w", BOOL, "7"))), NONE));
    run("bools beyond 1", (want){.code = 0}, "onnx-opt m.onnx -o out.onnx");
    check("keep their bits", memmem(get("out.onnx").p, get("out.onnx").n, "\0\1\2\x7f\x80\xff\1", 7) != NULL, "changed");
    forget();
}

/* ---- rows 44 to 47 ---- */

static bytes with_input(const char *dims, int elem, bytes t) {
    return model(J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2")), sub(11, value("bad", elem, dims)), sub(12, value("y", 0, NULL)), init(t)), NONE);
}

static bytes with_stale(int elem, const char *dims) {
    return making_y(J(N("Relu", "x", "t", NONE), N("Neg", "t", "y", NONE), sub(13, value("t", elem, dims)), sub(13, value("nobody", FLOAT, "1"))));
}

static bytes sparse(const char *dims, bytes values, bytes indices) { return J(sub(1, values), sub(2, indices), ints(3, dims)); }

static void refuse_sparse(const char *name, bytes s, const char *words) {
    refuse(text("sparse: %s: initializer", name), around(sub(15, s)), text("bad|%s", words));
    refuse_at(text("sparse: %s: attribute", name), N("Constant", "", "z", sub(5, J(txt(1, "sparse_value"), sub(22, s), num(20, 11)))), text("the_Constant|%s", words));
}

static void together(void) {
    refuse("initializer of another rank than its input", with_input("2,2", FLOAT, t_f("bad", "2", "1,2")), "bad");
    refuse("initializer of another size", with_input("3", FLOAT, t_f("bad", "2", "1,2")), "bad");
    refuse("initializer of another type", with_input("2", INT64, t_f("bad", "2", "1,2")), "bad");
    refuse("initializer of a sequence input", model(J(N("Relu", "x", "y", NONE), txt(2, "g"), sub(11, value("x", FLOAT, "2")),
           sub(11, J(txt(1, "bad"), sub(2, sub(4, sub(1, type(FLOAT, "2")))))), sub(12, value("y", 0, NULL)), init(t_f("bad", "2", "1,2"))), NONE), "bad");
    accept_model("initializer that fits a symbol", with_input("N", FLOAT, t_f("bad", "2", "1,2")), NULL);
    accept_model("stale value_info: shape", with_stale(FLOAT, "7,7"), NULL);
    accept_model("stale value_info: rank", with_stale(FLOAT, "2,3,4"), NULL);
    accept_model("stale value_info: type", with_stale(INT64, "2,3"), NULL);

    bytes v = t_f("bad", "2", "1,2");
    static const struct { const char *name, *indices, *words; } at_index[] = {{"index out of range", "0,4", "index"}, {"negative index", "-1,2", "index"}, {"index of 2^63-1", "0,9223372036854775807", "index"},
                                                                              {"unsorted indices", "3,1", "sorted"}, {"double indices", "2,2", "double"}};
    for (size_t i = 0; i < 5; i++) refuse_sparse(at_index[i].name, sparse("2,2", v, t_i("i", "2", at_index[i].indices)), at_index[i].words);
    refuse_sparse("rank 2 index out of range", sparse("2,2", v, t_i("i", "2,2", "0,0,0,2")), "index");
    refuse_sparse("rank 2 negative index", sparse("2,2", v, t_i("i", "2,2", "0,-1,1,1")), "index");
    refuse_sparse("rank 2 unsorted", sparse("2,2", v, t_i("i", "2,2", "1,0,0,1")), "sorted");
    refuse_sparse("rank 2 of the wrong width", sparse("2,2", v, t_i("i", "2,3", "0,0,0,1,1,1")), "indices");
    refuse_sparse("too few indices", sparse("2,2", v, t_i("i", "1", "0")), "indices");
    refuse_sparse("too many indices", sparse("2,2", v, t_i("i", "3", "0,1,2")), "indices");
    refuse_sparse("indices of rank 3", sparse("2,2", v, t_i("i", "2,1,1", "0,1")), "indices");
    refuse_sparse("indices of rank 0", sparse("2,2", v, t_i("i", "", "0")), "indices");
    refuse_sparse("indices as floats", sparse("2,2", v, t_f("i", "2", "0,1")), "indices");
    refuse_sparse("indices as int32", sparse("2,2", v, t_raw("i", INT32, "2", 8)), "indices");
    refuse_sparse("values of rank 2", sparse("2,2", t_f("bad", "1,2", "1,2"), t_i("i", "2", "0,1")), "values");
    refuse_sparse("negative dims", sparse("2,-2", v, t_i("i", "2", "0,1")), "dims");
    refuse_sparse("dims that overflow", sparse("4294967296,4294967296,4294967296", v, t_i("i", "2", "0,1")), "dims");
    refuse_sparse("dims of 0", sparse("0,2", v, t_i("i", "2", "0,1")), "dims~index");
    refuse_sparse("no dims", sparse("", v, t_i("i", "2", "0,1")), "dims~rank");
    refuse_sparse("no indices", J(sub(1, v), ints(3, "2,2")), "indices");
    refuse("sparse: no values", around(sub(15, J(sub(2, t_i("i", "2", "0,1")), ints(3, "2,2")))), "values");
    refuse("sparse: empty", around(sub(15, NONE)), "sparse~empty");
    refuse("sparse: without name", around(sub(15, sparse("2,2", tensor(NULL, FLOAT, "2", sub(9, RAW("12341234"))), t_i("i", "2", "0,1")))), "name");
    refuse_sparse("values cut short", sparse("2,2", t_raw("bad", FLOAT, "2", 4), t_i("i", "2", "0,1")), "raw_data");
    refuse_sparse("a rank of 200", J(sub(1, v), sub(2, t_i("i", "2", "0,1")), times(200, num(3, 1))), "rank");
    either("sparse: a small one that claims a pebibyte", making_y(J(sub(15, sparse("1048576,268435456", v, t_i("i", "2", "0,1"))), N("Relu", "x", "y", NONE))), "bad");

    put("out.onnx", str("the older output"));
    bytes quant = sub(14, J(txt(1, "ghost"), sub(2, entry("SCALE_TENSOR", "nobody"))));
    either("quantization annotation of nothing", around(quant), "ghost");
    either("quantization annotation by nothing", around(sub(14, J(txt(1, "y"), sub(2, entry("SCALE_TENSOR", "nobody"))))), "nobody");
    refuse("an empty quantization annotation", around(sub(14, NONE)), "annotation~empty");
    forget();
}

void group_tensors(void) {
    dims_and_types();
    contents();
    together();
}
