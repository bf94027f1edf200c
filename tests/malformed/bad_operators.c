/* Operators: shapes, axes, indices and equations that cannot be, arithmetic at the ends of the integers, models that grow when they are folded. */
#include "malformed.h"

#include <stdlib.h>
#include <string.h>

static bytes scalar_i(const char *name, const char *v) { return init(t_i(name, "", v)); }
static bytes list_i(const char *name, const char *values) {
    int n = *values != 0;
    for (const char *c = values; *c; c++) n += *c == ',';
    return init(t_i(name, text("%d", n), values));
}

/* One operator on x float[2,3] and perhaps constants; refused with its name. */
static void impossible(const char *name, const char *op, const char *in, bytes more) {
    refuse_op(text("%s: %s", op, name), making_y(J(N(op, in, "y", NONE), more)), text("the_%s", op));
}

static void impossible_with(const char *name, const char *op, const char *in, bytes attrs, bytes more) {
    refuse_op(text("%s: %s", op, name), making_y(J(N(op, in, "y", attrs), more)), text("the_%s", op));
}

/* Both operands constant, so that it would be folded. */
static void folded(const char *name, const char *op, bytes attrs, bytes inits, const char *in) {
    refuse_op(text("%s: %s, constant", op, name), making_y(J(inits, N(op, in, "k", attrs), N("Cast", "k", "f", a_int("to", FLOAT)), N("Add", "f x", "y", NONE))), text("the_%s", op));
}

/* ---- row 61 ---- */

static void shapes(void) {
    impossible("two -1", "Reshape", "x s", list_i("s", "-1,-1"));
    impossible("0 past the rank", "Reshape", "x s", list_i("s", "2,3,0"));
    impossible("other count", "Reshape", "x s", list_i("s", "7"));
    impossible("no multiple", "Reshape", "x s", list_i("s", "4,-1"));
    impossible("-2", "Reshape", "x s", list_i("s", "-2,3"));
    impossible("an overflow", "Reshape", "x s", list_i("s", "4294967296,4294967296,4294967296"));
    impossible("a shape of floats", "Reshape", "x s", init(t_f("s", "1", "6")));
    impossible("a shape of rank 2", "Reshape", "x s", init(t_i("s", "1,2", "2,3")));
    impossible_with("0 and -1 with allowzero", "Reshape", "x s", a_int("allowzero", 1), list_i("s", "0,-1"));
    impossible("step 0", "Slice", "x a b c d", J(list_i("a", "0"), list_i("b", "1"), list_i("c", "0"), list_i("d", "0")));
    impossible("axis out of range", "Slice", "x a b c", J(list_i("a", "0"), list_i("b", "1"), list_i("c", "5")));
    impossible("an axis twice", "Slice", "x a b c", J(list_i("a", "0,0"), list_i("b", "1,1"), list_i("c", "1,1")));
    impossible("starts and ends of different lengths", "Slice", "x a b", J(list_i("a", "0,0"), list_i("b", "1")));
    impossible("more starts than dims", "Slice", "x a b", J(list_i("a", "0,0,0"), list_i("b", "1,1,1")));
    impossible("axis of INT64_MIN", "Slice", "x a b c", J(list_i("a", "0"), list_i("b", "1"), list_i("c", "-9223372036854775808")));
    refuse_op("Split: sum", making_y(J(N("Split", "x s", "y z", a_int("axis", 1)), list_i("s", "1,1"))), "the_Split");
    refuse_op("Split: negative part", making_y(J(N("Split", "x s", "y z", a_int("axis", 1)), list_i("s", "4,-1"))), "the_Split");
    refuse_op("Split: num_outputs", making_y(N("Split", "x", "y z", J(a_int("axis", 1), a_int("num_outputs", 3)))), "the_Split");
    refuse_op("Split: num_outputs 0", making_y(N("Split", "x", "y", J(a_int("axis", 1), a_int("num_outputs", 0)))), "the_Split");
    refuse_op("Split: num_outputs INT64_MIN", making_y(N("Split", "x", "y z", a_int("num_outputs", INT64_MIN))), "the_Split");
    refuse_op("Split: more sizes than outputs", making_y(J(N("Split", "x s", "y z", a_int("axis", 1)), list_i("s", "1,1,1"))), "the_Split");
    refuse_op("Split: axis", making_y(N("Split", "x", "y z", J(a_int("axis", 2), a_int("num_outputs", 2)))), "the_Split");
    static const int64_t axes[] = {2, -3, 100, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
        int64_t a = axes[i];
        const char *name = text("axis %lld", (long long)a), *one = text("%lld", (long long)a);
        impossible_with(name, "Concat", "x x", a_int("axis", a), NONE);
        impossible_with(name, "Softmax", "x", a_int("axis", a), NONE);
        impossible_with(name, "LogSoftmax", "x", a_int("axis", a), NONE);
        impossible_with(name, "Gather", "x i", a_int("axis", a), list_i("i", "0"));
        impossible_with(name, "GatherElements", "x i", a_int("axis", a), init(t_i("i", "1,1", "0")));
        impossible_with(name, "ArgMax", "x", a_int("axis", a), NONE);
        impossible_with(name, "LayerNormalization", "x w", a_int("axis", a), init(t_f("w", "3", "1,1,1")));
        impossible_with(name, "Hardmax", "x", a_int("axis", a), NONE);
        impossible_with(name, "CumSum", "x a", NONE, init(t_i("a", "", one)));
        impossible_with(name, "ReduceSum", "x a", NONE, list_i("a", one));
        impossible_with(name, "ReduceMean", "x a", NONE, list_i("a", one));
        impossible_with(name, "Squeeze", "x a", NONE, list_i("a", one));
        if (a != 2 && a != -3) impossible_with(name, "Unsqueeze", "x a", NONE, list_i("a", one));
        if (a != 2) impossible_with(name, "Flatten", "x", a_int("axis", a), NONE);
        impossible_with(name, "DequantizeLinear", "q s", a_int("axis", a), J(init(tensor("q", INT8, "2,3", sub(9, RAW("123456")))), init(t_f("s", "3", "1,1,1"))));
        if (a != 2 && a != -3) impossible_with(name, "TopK", "x k", a_int("axis", a), list_i("k", "1"));
    }
    refuse_op("TopK: k beyond the dim", making_y(J(N("TopK", "x k", "y z", NONE), list_i("k", "7"))), "the_TopK");
    refuse_op("TopK: k negative", making_y(J(N("TopK", "x k", "y z", NONE), list_i("k", "-1"))), "the_TopK");
    impossible("a dim that is not 1", "Squeeze", "x a", list_i("a", "0"));
    impossible("an axis twice", "Squeeze", "x a", list_i("a", "0,0"));
    impossible("an axis twice", "Unsqueeze", "x a", list_i("a", "0,0"));
    impossible("an axis twice", "Unsqueeze", "x a", list_i("a", "0,-4"));
    impossible_with("dims differ", "Concat", "x w", a_int("axis", 0), init(t_f("w", "1,2", "1,2")));
    impossible_with("ranks differ", "Concat", "x w", a_int("axis", 0), init(t_f("w", "3", "1,2,3")));
    impossible_with("types differ", "Concat", "x w", a_int("axis", 0), init(t_i("w", "1,3", "1,2,3")));
    static const char *const perms[] = {"0,0", "1,2", "-1,0", "0", "0,1,2", "0,9223372036854775807", "0,-9223372036854775808"};
    for (size_t i = 0; i < sizeof perms / sizeof *perms; i++) impossible_with(text("perm %s", perms[i]), "Transpose", "x", a_ints("perm", perms[i]), NONE);
    impossible("dims do not go together", "Add", "x w", init(t_f("w", "2", "1,2")));
    impossible("types differ", "Add", "x w", init(t_i("w", "3", "1,2,3")));
    impossible("inner dims differ", "MatMul", "x w", init(t_f("w", "2,3", "1,2,3,4,5,6")));
    impossible("a scalar", "MatMul", "x w", init(t_f("w", "", "1")));
    impossible("types differ", "MatMul", "x w", init(t_i("w", "3,1", "1,2,3")));
    impossible("inner dims differ", "Gemm", "x w", init(t_f("w", "2,3", "1,2,3,4,5,6")));
    impossible("rank 3", "Gemm", "x w", init(t_raw("w", FLOAT, "1,3,2", 24)));
    impossible("dims do not go together", "Expand", "x s", list_i("s", "2,2"));
    impossible("a negative dim", "Expand", "x s", list_i("s", "-4,3"));
    impossible("other count of repeats", "Tile", "x r", list_i("r", "2"));
    impossible("negative repeats", "Tile", "x r", list_i("r", "2,-2"));
    impossible("index out of range", "Gather", "x i", list_i("i", "2"));
    impossible("index -3", "Gather", "x i", list_i("i", "-3"));
    impossible("index of INT64_MIN", "Gather", "x i", list_i("i", "-9223372036854775808"));
    impossible("indices as floats", "Gather", "x i", init(t_f("i", "1", "0")));
    impossible("index out of range", "GatherElements", "x i", init(t_i("i", "1,1", "5")));
    impossible("index out of range", "GatherND", "x i", init(t_i("i", "1,2", "0,3")));
    impossible("too many coordinates", "GatherND", "x i", init(t_i("i", "1,3", "0,0,0")));
    impossible_with("batch_dims", "GatherND", "x i", a_int("batch_dims", 5), init(t_i("i", "1,1", "0")));
    impossible("index out of range", "ScatterND", "x i u", J(init(t_i("i", "1,1", "2")), init(t_f("u", "1,3", "1,2,3"))));
    impossible("updates of another shape", "ScatterND", "x i u", J(init(t_i("i", "1,1", "0")), init(t_f("u", "3", "1,2,3"))));
    impossible("index out of range", "ScatterElements", "x i u", J(init(t_i("i", "1,1", "9")), init(t_f("u", "1,1", "1"))));
    impossible("updates of another shape", "ScatterElements", "x i u", J(init(t_i("i", "1,1", "0")), init(t_f("u", "1,2", "1,2"))));
    impossible_with("an axis twice", "ReduceSum", "x a", NONE, list_i("a", "0,-2"));
    impossible("a negative dim", "ConstantOfShape", "s", list_i("s", "2,-1"));
    impossible("an overflow", "ConstantOfShape", "s", list_i("s", "4294967296,4294967296"));
    impossible_with("two values", "ConstantOfShape", "s", a_tensor("value", t_f(NULL, "2", "1,2")), list_i("s", "2"));
    impossible("step 0", "Range", "a b c", J(scalar_i("a", "0"), scalar_i("b", "5"), scalar_i("c", "0")));
    impossible("different types", "Range", "a b c", J(scalar_i("a", "0"), scalar_i("b", "5"), init(t_f("c", "", "1"))));
    impossible("depth negative", "OneHot", "i d v", J(list_i("i", "0,1"), scalar_i("d", "-1"), init(t_f("v", "2", "0,1"))));
    impossible("three values", "OneHot", "i d v", J(list_i("i", "0,1"), scalar_i("d", "4"), init(t_f("v", "3", "0,1,2"))));
    impossible("pads of the wrong length", "Pad", "x p", list_i("p", "1,1"));
    impossible("pads that eat the dim", "Pad", "x p", list_i("p", "-3,0,0,0"));
    impossible("pads that overflow", "Pad", "x p", list_i("p", "9223372036854775807,0,9223372036854775807,0"));
    impossible_with("mode", "Pad", "x p", a_str("mode", "sideways"), list_i("p", "0,1,0,0"));
    impossible_with("axis out of range", "Pad", "x p _ a", NONE, J(list_i("p", "1,1"), list_i("a", "4")));
    impossible_with("axes start > end", "Shape", "x", J(a_int("start", 0), a_str("end", "x")), NONE);
    impossible_with("to 0", "Cast", "x", a_int("to", 0), NONE);
    impossible_with("to 99", "Cast", "x", a_int("to", 99), NONE);
    impossible_with("to INT64_MIN", "Cast", "x", a_int("to", INT64_MIN), NONE);
    impossible("a float condition", "Where", "x x x", NONE);
    impossible("a float", "Not", "x", NONE);
    impossible("a float", "BitwiseNot", "x", NONE);
    impossible_with("depth to space of rank 2", "DepthToSpace", "x", a_int("blocksize", 2), NONE);
    impossible_with("upper of rank 1", "Trilu", "w", NONE, init(t_f("w", "3", "1,2,3")));
    impossible("rank 1", "Det", "w", init(t_f("w", "3", "1,2,3")));
    impossible("not square", "Det", "x", NONE);
}

static bytes image(void) { return init(t_raw("im", FLOAT, "1,4,5,5", 400)); }

static void windows(void) {
    bytes w = init(t_raw("w", FLOAT, "4,4,3,3", 576));
    static const struct { const char *name; int which; const char *list; } bad[] = {
        {"stride 0", 0, "0,1"}, {"stride negative", 0, "-1,1"}, {"stride INT64_MIN", 0, "-9223372036854775808,1"}, {"one stride", 0, "1"}, {"three strides", 0, "1,1,1"},
        {"dilation 0", 1, "0,1"}, {"dilation negative", 1, "1,-2"}, {"one dilation", 1, "2"}, {"dilation 2^62", 1, "4611686018427387904,1"},
        {"three pads", 2, "1,1,1"}, {"pads that eat the image", 2, "-9,0,0,0"}, {"pads that overflow", 2, "9223372036854775807,0,9223372036854775807,0"},
        {"kernel 0", 3, "0,3"}, {"kernel negative", 3, "-3,3"}, {"one kernel", 3, "3"}, {"kernel of another size", 3, "2,2"}, {"kernel 2^62", 3, "4611686018427387904,3"},
    };
    static const char *const attrs[] = {"strides", "dilations", "pads", "kernel_shape"};
    static const char *const pools[] = {"MaxPool", "AveragePool", "LpPool"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bytes a = a_ints(attrs[bad[i].which], bad[i].list);
        impossible_with(bad[i].name, "Conv", "im w", a, J(image(), w));
        if (strcmp(bad[i].name, "pads that eat the image")) impossible_with(bad[i].name, "ConvTranspose", "im w", a, J(image(), w));
        for (int p = 0; p < 3; p++)
            if (strcmp(bad[i].name, "kernel of another size"))
                impossible_with(bad[i].name, pools[p], "im", J(a, bad[i].which == 3 ? NONE : a_ints("kernel_shape", "3,3")), image());
    }
    impossible_with("group 0", "Conv", "im w", a_int("group", 0), J(image(), w));
    impossible_with("group negative", "Conv", "im w", a_int("group", -4), J(image(), w));
    impossible_with("group 3", "Conv", "im w", a_int("group", 3), J(image(), w));
    impossible_with("group INT64_MIN", "Conv", "im w", a_int("group", INT64_MIN), J(image(), w));
    impossible_with("group 0", "ConvTranspose", "im w", a_int("group", 0), J(image(), w));
    impossible_with("auto_pad", "Conv", "im w", a_str("auto_pad", "MAYBE"), J(image(), w));
    impossible("weights of rank 3", "Conv", "im v", J(image(), init(t_raw("v", FLOAT, "4,4,3", 192))));
    impossible("weights of rank 1", "Conv", "im v", J(image(), init(t_raw("v", FLOAT, "4", 16))));
    impossible("weights of rank 5", "Conv", "im v", J(image(), init(t_raw("v", FLOAT, "4,4,1,1,1", 64))));
    impossible("other channels", "Conv", "im v", J(image(), init(t_raw("v", FLOAT, "4,3,3,3", 432))));
    impossible("a kernel of 0", "Conv", "im v", J(image(), init(t_raw("v", FLOAT, "4,4,0,3", 0))));
    impossible("kernel larger than the image", "Conv", "im v", J(image(), init(t_raw("v", FLOAT, "1,4,7,7", 784))));
    impossible("bias of another length", "Conv", "im w b", J(image(), w, init(t_f("b", "3", "1,2,3"))));
    impossible("weights of another type", "Conv", "im v", J(image(), init(t_raw("v", DOUBLE, "4,4,3,3", 1152))));
    impossible("an image of rank 2", "Conv", "x w", w);
    impossible("an image of rank 2", "MaxPool", "x", NONE);
    impossible_with("an image of rank 2", "AveragePool", "x", a_ints("kernel_shape", "2,2"), NONE);
    impossible("an image of rank 1", "GlobalAveragePool", "k", init(t_f("k", "3", "1,2,3")));
    impossible("scale of another length", "BatchNormalization", "im a a a a", J(image(), init(t_f("a", "3", "1,2,3"))));
    impossible("scale of rank 2", "BatchNormalization", "im a a a a", J(image(), init(t_f("a", "2,2", "1,2,3,4"))));
    impossible_with("groups", "GroupNormalization", "im a a", a_int("num_groups", 3), J(image(), init(t_f("a", "4", "1,2,3,4"))));
    impossible_with("groups 0", "GroupNormalization", "im a a", a_int("num_groups", 0), J(image(), init(t_f("a", "4", "1,2,3,4"))));
    impossible_with("size 0", "LRN", "im", a_int("size", 0), image());
    impossible_with("blocksize 0", "DepthToSpace", "im", a_int("blocksize", 0), image());
    impossible_with("blocksize 3", "DepthToSpace", "im", a_int("blocksize", 3), image());
    impossible_with("blocksize 2^40", "DepthToSpace", "im", a_int("blocksize", (int64_t)1 << 40), image());
    impossible_with("blocksize negative", "SpaceToDepth", "im", a_int("blocksize", -1), image());
    impossible_with("blocksize 2", "SpaceToDepth", "im", a_int("blocksize", 2), image());
    impossible("sizes and scales", "Resize", "im _ s z", J(image(), init(t_f("s", "4", "1,1,2,2")), list_i("z", "1,4,9,9")));
    impossible("neither", "Resize", "im", image());
    impossible("too few scales", "Resize", "im _ s", J(image(), init(t_f("s", "2", "2,2"))));
    impossible("scale 0", "Resize", "im _ s", J(image(), init(t_f("s", "4", "1,1,0,0"))));
    impossible("scale negative", "Resize", "im _ s", J(image(), init(t_f("s", "4", "1,1,-2,2"))));
    impossible("scale NaN", "Resize", "im _ s", J(image(), init(t_f("s", "4", "1,1,nan,2"))));
    impossible("sizes negative", "Resize", "im _ _ z", J(image(), list_i("z", "1,4,-1,5")));
    impossible_with("mode", "Resize", "im _ s", a_str("mode", "magic"), J(image(), init(t_f("s", "4", "1,1,2,2"))));
    impossible_with("axes out of range", "Resize", "im _ s", a_ints("axes", "2,7"), J(image(), init(t_f("s", "2", "2,2"))));
    impossible("rois of rank 1", "RoiAlign", "im r b", J(image(), init(t_f("r", "4", "0,0,1,1")), list_i("b", "0")));
    impossible("grid of rank 2", "GridSample", "im x", image());
    bytes lstm = J(a_int("hidden_size", 2), NONE);
    impossible_with("input of rank 2", "LSTM", "x w r", lstm, J(init(t_raw("w", FLOAT, "1,8,3", 96)), init(t_raw("r", FLOAT, "1,8,2", 64))));
    bytes seq = init(t_raw("seq", FLOAT, "4,1,3", 48));
    impossible_with("weights of another size", "LSTM", "seq w r", lstm, J(seq, init(t_raw("w", FLOAT, "1,7,3", 84)), init(t_raw("r", FLOAT, "1,8,2", 64))));
    impossible_with("weights of rank 2", "LSTM", "seq w r", lstm, J(seq, init(t_raw("w", FLOAT, "8,3", 96)), init(t_raw("r", FLOAT, "1,8,2", 64))));
    impossible_with("hidden_size 0", "LSTM", "seq w r", a_int("hidden_size", 0), J(seq, init(t_raw("w", FLOAT, "1,8,3", 96)), init(t_raw("r", FLOAT, "1,8,2", 64))));
    impossible_with("hidden_size 2^40", "GRU", "seq w r", a_int("hidden_size", (int64_t)1 << 40), J(seq, init(t_raw("w", FLOAT, "1,6,3", 72)), init(t_raw("r", FLOAT, "1,6,2", 48))));
    impossible_with("direction", "GRU", "seq w r", J(a_int("hidden_size", 2), a_str("direction", "up")), J(seq, init(t_raw("w", FLOAT, "1,6,3", 72)), init(t_raw("r", FLOAT, "1,6,2", 48))));
    impossible_with("sequence longer than the input", "RNN", "seq w r _ l", a_int("hidden_size", 2), J(seq, init(t_raw("w", FLOAT, "1,2,3", 24)), init(t_raw("r", FLOAT, "1,2,2", 16)), init(tensor("l", INT32, "1", sub(9, RAW("\x7f\0\0\0"))))));
}

static void equations(void) {
    static const char *const bad[] = {"", "->", "i", "ijk->i", "ij,jk->ik", "ij->ik", "ij->ijj", "i j -> ->", "ij->i1", "..ij->ij", "....ij->ij", "ii->i", "ij->ii", "\xe4\xb8\xad,->", "ij,", ",ij", "ij->j->i",
                                      "...i...->i"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) impossible_with(text("equation %zu '%s'", i, bad[i]), "Einsum", "x", a_str("equation", bad[i]), NONE);
    char *longest = keep(100001);
    memset(longest, 'i', 100000);
    impossible_with("equation of 100,000 letters", "Einsum", "x", a_str("equation", longest), NONE);
    static const char *const times_bad[] = {"ij,ij", "ij,jk->kj", "ij,kj->ijk,"};
    impossible_with("dims of one letter differ", "Einsum", "x w", a_str("equation", times_bad[1]), init(t_f("w", "2,3", "1,2,3,4,5,6")));
    impossible_with("a comma behind the output", "Einsum", "x x", a_str("equation", times_bad[2]), NONE);
}

/* ---- rows 61 and 64: arithmetic ---- */

static void arithmetic(void) {
    static const char *const values[] = {"0", "-1", "1", "9223372036854775807", "-9223372036854775808"};
    static const char *const ops[] = {"Div", "Mod", "Add", "Sub", "Mul", "Pow"};
    for (size_t o = 0; o < sizeof ops / sizeof *ops; o++)
        for (int a = 0; a < 5; a++)
            for (int b = 0; b < 5; b++) {
                if (a != 4 && b > 1 && o > 1) continue;
                put("out.onnx", str("the older output"));
                put("m.onnx", making_y(J(init(t_i("p", "1", values[a])), init(t_i("q", "1", values[b])), N(ops[o], "p q", "k", NONE), N("Cast", "k", "f", a_int("to", FLOAT)), N("Add", "f x", "y", NONE))));
                run(text("%s(%s, %s), constant", ops[o], values[a], values[b]), (want){.code = 0, .other = 65, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
            }
    static const int types[] = {INT8, UINT8, INT32, INT64, 13};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int mod = 0; mod < 2; mod++) {
            size_t size = types[t] == INT8 || types[t] == UINT8 ? 1 : types[t] == INT32 ? 4 : 8;
            bytes least = {keep(size), size}, minus = {keep(size), size};
            least.p[size - 1] = 0x80;
            memset(minus.p, 0xff, size);
            put("m.onnx", making_y(J(init(tensor("p", types[t], "1", sub(9, least))), init(tensor("q", types[t], "2", sub(9, J(minus, raw(keep(size), size))))), N(mod ? "Mod" : "Div", "p q", "k", NONE),
                                     N("Cast", "k", "f", a_int("to", FLOAT)), N("ReduceMax", "f", "g", NONE), N("Add", "g x", "y", NONE))));
            run(text("the least of type %d, %s by -1 and 0", types[t], mod ? "modulo" : "divided"), (want){.code = 0, .other = 65, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
            run(text("the least of type %d, %s by -1 and 0, at run time", types[t], mod ? "modulo" : "divided"), (want){.code = 0, .other = 65, .third = 1}, "onnx-run run m.onnx -o o.npz");
        }
    static const char *const shift[] = {"0", "63", "64", "65", "255"};
    for (int s = 0; s < 5; s++) {
        bytes by = raw(keep(8), 8);
        by.p[0] = (unsigned char)atoi(shift[s]);
        put("m.onnx", making_y(J(init(tensor("p", 13, "1", sub(9, RAW("\377\0\0\0\0\0\0\377")))), init(tensor("q", 13, "1", sub(9, by))), N("BitShift", "p q", "k", a_str("direction", s % 2 ? "LEFT" : "RIGHT")),
                                 N("Cast", "k", "f", a_int("to", FLOAT)), N("Add", "f x", "y", NONE))));
        run(text("BitShift by %s", shift[s]), (want){.code = 0, .other = 65}, "onnx-opt m.onnx -o out.onnx");
    }
    accept_model("Slice to INT64_MAX", making_y(J(N("Slice", "x a b", "y", NONE), list_i("a", "1"), list_i("b", "9223372036854775807"))), NULL);
    accept_model("Slice from INT64_MIN", making_y(J(N("Slice", "x a b", "y", NONE), list_i("a", "-9223372036854775808"), list_i("b", "9223372036854775807"))), NULL);
    accept_model("Slice backwards to INT64_MIN", making_y(J(N("Slice", "x a b c d", "y", NONE), list_i("a", "9223372036854775807"), list_i("b", "-9223372036854775808"), list_i("c", "0"), list_i("d", "-1"))), NULL);
    accept_model("Slice by INT64_MAX", making_y(J(N("Slice", "x a b c d", "y", NONE), list_i("a", "0"), list_i("b", "9223372036854775807"), list_i("c", "0"), list_i("d", "9223372036854775807"))), NULL);
    either("Slice by INT64_MIN", making_y(J(N("Slice", "x a b c d", "y", NONE), list_i("a", "1"), list_i("b", "-9223372036854775808"), list_i("c", "0"), list_i("d", "-9223372036854775808"))), "the_Slice");
    accept_model("Shape from INT64_MIN to INT64_MAX", making_y(J(N("Shape", "x", "s", J(a_int("start", INT64_MIN), a_int("end", INT64_MAX))), N("Cast", "s", "f", a_int("to", FLOAT)), N("ReduceSum", "f", "g", NONE), N("Add", "g x", "y", NONE))), NULL);
    either("Range at the ends", making_y(J(N("Range", "a b c", "r", NONE), scalar_i("a", "-9223372036854775808"), scalar_i("b", "9223372036854775807"), scalar_i("c", "9223372036854775807"), N("Cast", "r", "f", a_int("to", FLOAT)),
           N("ReduceSum", "f", "g", NONE), N("Add", "g x", "y", NONE))), "the_Range");
    either("Cast of NaN and infinities to integers", making_y(J(init(tensor("w", FLOAT, "3", sub(9, RAW("\0\0\xc0\x7f\0\0\x80\x7f\0\0\x80\xff")))), N("Cast", "w", "k", a_int("to", INT32)), N("Cast", "k", "f", a_int("to", FLOAT)), N("Add", "f x", "y", NONE))), "the_Cast");
    either("Cast of 1e30 to int8", making_y(J(init(t_f("w", "3", "1e30,-1e30,300")), N("Cast", "w", "k", a_int("to", INT8)), N("Cast", "k", "f", a_int("to", FLOAT)), N("Add", "f x", "y", NONE))), "the_Cast");
    folded("index out of range", "Gather", NONE, J(init(t_f("w", "3", "1,2,3")), list_i("i", "3")), "w i");
    folded("dims do not go together", "Add", NONE, J(init(t_f("w", "3", "1,2,3")), init(t_f("v", "2", "1,2"))), "w v");
    folded("other count", "Reshape", NONE, J(init(t_f("w", "3", "1,2,3")), list_i("s", "2,2")), "w s");
    folded("perm", "Transpose", a_ints("perm", "1,1"), init(t_f("w", "1,3", "1,2,3")), "w");
    folded("axis", "Concat", a_int("axis", 7), init(t_f("w", "1,3", "1,2,3")), "w w");
    folded("step 0", "Slice", NONE, J(init(t_f("w", "3", "1,2,3")), list_i("a", "0"), list_i("b", "1"), list_i("c", "0"), list_i("d", "0")), "w a b c d");
    folded("inner dims", "MatMul", NONE, J(init(t_f("w", "1,3", "1,2,3")), init(t_f("v", "2,1", "1,2"))), "w v");
}

/* ---- rows 62 and 63 ---- */

static void quantized(void) {
    static const char *const scales[] = {"0", "-1", "nan", "inf", "-0"};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        bytes s = init(t_f("s", "", scales[i]));
        refuse_op(text("QuantizeLinear: scale %s", scales[i]), making_y(J(N("QuantizeLinear", "x s", "q", NONE), N("DequantizeLinear", "q s", "y", NONE), s)), "the_QuantizeLinear~the_DequantizeLinear");
        refuse_op(text("DequantizeLinear: scale %s", scales[i]), making_y(J(init(tensor("q", INT8, "2,3", sub(9, RAW("123456")))), N("DequantizeLinear", "q s", "y", NONE), s)), "the_DequantizeLinear");
        refuse_op(text("per axis scale %s", scales[i]), making_y(J(init(tensor("q", INT8, "2,3", sub(9, RAW("123456")))), N("DequantizeLinear", "q s", "y", a_int("axis", 1)), init(t_f("s", "3", text("1,%s,1", scales[i]))))), "the_DequantizeLinear");
    }
    bytes q = init(tensor("q", INT8, "2,4", sub(9, RAW("12345678"))));
    bytes one = init(t_f("s", "", "1"));
    impossible("zero point of another type", "DequantizeLinear", "q s z", J(q, one, init(tensor("z", UINT8, "", sub(9, RAW("\0"))))));
    impossible("zero point of another length", "DequantizeLinear", "q s z", J(q, one, init(tensor("z", INT8, "2", sub(9, RAW("\0\0"))))));
    impossible("zero point as float", "QuantizeLinear", "x s z", J(one, init(t_f("z", "", "0"))));
    impossible("zero point of another length", "QuantizeLinear", "x s z", J(one, init(tensor("z", INT8, "4", sub(9, RAW("\0\0\0\0"))))));
    impossible_with("scale of another length", "DequantizeLinear", "q s", a_int("axis", 1), J(q, init(t_f("s", "3", "1,1,1"))));
    impossible_with("scale of another length", "QuantizeLinear", "x s", a_int("axis", 0), init(t_f("s", "3", "1,1,1")));
    impossible_with("axis 2", "QuantizeLinear", "x s", a_int("axis", 2), init(t_f("s", "3", "1,1,1")));
    impossible_with("axis INT64_MIN", "QuantizeLinear", "x s", a_int("axis", INT64_MIN), init(t_f("s", "3", "1,1,1")));
    static const int64_t blocks[] = {-1, 1, 100, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        impossible_with(text("block size %lld", (long long)blocks[i]), "DequantizeLinear", "q s", J(a_int("axis", 1), a_int("block_size", blocks[i])), J(q, init(t_f("s", "2,2", "1,1,1,1"))));
    impossible_with("block size 0 with a matrix of scales", "DequantizeLinear", "q s", J(a_int("axis", 1), a_int("block_size", 0)), J(q, init(t_f("s", "2,2", "1,1,1,1"))));
    impossible("scale as integers", "DequantizeLinear", "q s", J(q, init(t_i("s", "", "1"))));
    impossible("floats", "DequantizeLinear", "x s", one);
    impossible("floats", "MatMulInteger", "x x", NONE);
    impossible("inner dims", "MatMulInteger", "q q", q);
    impossible_with("output type", "QuantizeLinear", "x s", a_int("output_dtype", 99), one);

    bytes ms = opset("com.microsoft", 1);
    bytes w = J(init(tensor("b", UINT8, "4,1,8", sub(9, raw(keep(32), 32)))), init(t_raw("sc", FLOAT, "4", 16)));
    static const int64_t huge[] = {1 << 20, (int64_t)1 << 40, INT64_MAX, -1, 0};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        bytes n = sub(1, J(node("MatMulNBits", "x b sc", "y", J(a_int("K", huge[i]), a_int("N", huge[i]), a_int("bits", 4), a_int("block_size", 16))), txt(7, "com.microsoft")));
        either(text("MatMulNBits: K and N %lld", (long long)huge[i]), J(making_y(J(n, w)), ms), "the_MatMulNBits");
        n = sub(1, J(node("MatMulNBits", "x b sc", "y", J(a_int("K", 3), a_int("N", 4), a_int("bits", huge[i]), a_int("block_size", huge[i]))), txt(7, "com.microsoft")));
        put("m.onnx", J(making_y(J(n, w)), ms));
        run(text("MatMulNBits: bits and block size %lld, run", (long long)huge[i]), (want){.code = 65, .other = 69, .words = "MatMulNBits"}, "onnx-run run m.onnx -o o.npz");
        n = sub(1, J(node("GroupQueryAttention", "seq seq seq _ _ l t", "y p v", J(a_int("num_heads", huge[i]), a_int("kv_num_heads", huge[i]))), txt(7, "com.microsoft")));
        put("m.onnx", J(making_y(J(n, init(t_raw("seq", FLOAT, "1,2,8", 64)), init(t_raw("l", INT32, "1", 4)), init(t_raw("t", INT32, "", 4)))), ms));
        put("out.onnx", str("the older output"));
        run(text("GroupQueryAttention: heads %lld", (long long)huge[i]), (want){.code = 0, .other = 65}, "onnx-opt m.onnx -o out.onnx");
        run(text("GroupQueryAttention: heads %lld, run", (long long)huge[i]), (want){.code = 65, .other = 69, .words = "GroupQueryAttention"}, "onnx-run run m.onnx -o o.npz");
        n = sub(1, J(node("GatherBlockQuantized", "b i sc", "y", J(a_int("block_size", huge[i]), a_int("gather_axis", huge[i]), a_int("quantize_axis", huge[i]))), txt(7, "com.microsoft")));
        put("m.onnx", J(making_y(J(n, w, list_i("i", "0"))), ms));
        run(text("GatherBlockQuantized: %lld, run", (long long)huge[i]), (want){.code = 65, .other = 69, .words = "GatherBlockQuantized"}, "onnx-run run m.onnx -o o.npz");
    }
    bytes short_table = J(init(tensor("b", UINT8, "1,1,8", sub(9, raw(keep(8), 8)))), init(t_raw("sc", FLOAT, "1", 4)));
    bytes n = sub(1, J(node("MatMulNBits", "x b sc", "y", J(a_int("K", 3), a_int("N", 4096), a_int("bits", 4), a_int("block_size", 16))), txt(7, "com.microsoft")));
    put("m.onnx", J(making_y(J(n, short_table)), ms));
    run("MatMulNBits: less data than N says, run", (want){.code = 65, .other = 69, .words = "MatMulNBits"}, "onnx-run run m.onnx -o o.npz");
    bytes ml = opset("ai.onnx.ml", 3);
    put("m.onnx", J(making_y(sub(1, J(node("TreeEnsembleRegressor", "x", "y", J(a_ints("nodes_truenodeids", "5,7"), a_ints("nodes_falsenodeids", "9,100"), a_ints("nodes_nodeids", "0,1"), a_ints("nodes_treeids", "0,0"),
                    a_ints("nodes_featureids", "0,99"), a_int("n_targets", 1))), txt(7, "ai.onnx.ml")))), ml));
    run("a tree that leads nowhere, run", (want){.code = 65, .other = 69, .words = "the_TreeEnsembleRegressor"}, "onnx-run run m.onnx -o o.npz");
    put("m.onnx", J(making_y(sub(1, J(node("SVMRegressor", "x", "y", J(a_int("n_supports", 1 << 30), sub(5, J(txt(1, "coefficients"), f32(7, 1), num(20, 6))))), txt(7, "ai.onnx.ml")))), ml));
    run("an SVM with fewer vectors than it says, run", (want){.code = 65, .other = 69, .words = "the_SVMRegressor"}, "onnx-run run m.onnx -o o.npz");
    put("m.onnx", J(making_y(sub(1, J(node("LinearRegressor", "x", "y", J(a_int("targets", 1 << 30), sub(5, J(txt(1, "coefficients"), f32(7, 1), num(20, 6))))), txt(7, "ai.onnx.ml")))), ml));
    run("a linear model with fewer coefficients than it says, run", (want){.code = 65, .other = 69, .words = "the_LinearRegressor"}, "onnx-run run m.onnx -o o.npz");
    forget();
}

void group_operators(void) {
    shapes();
    forget();
    windows();
    forget();
    equations();
    arithmetic();
    forget();
    quantized();
}
