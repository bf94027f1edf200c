/* The commands that are swept, and the files they work on. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

const command commands[] = {
    {.line = "onnx-opt in.onnx -o out.onnx", .outputs = {"out.onnx"}},
    {.line = "onnx-opt in.onnx -o out.onnx --passes=dce", .outputs = {"out.onnx"}, .restarts = true},
    {.line = "onnx-opt in.onnx -o out.onnx --passes=none", .outputs = {"out.onnx"}},
    {.line = "onnx-opt in.onnx -o out.onnx --profile=./ours.yaml", .outputs = {"out.onnx"}},
    {.line = "onnx-opt in.onnx -o out.onnx --passes=dce,cse --report=r.json -MD --verify=off", .outputs = {"~r.json", "out.onnx.d", "out.onnx"}},
    {.line = "onnx-opt in.onnx -o out.onnx --passes=dce --report=r.html --verify=off", .outputs = {"~r.html", "out.onnx"}},
    {.line = "onnx-opt ext.onnx -o sub/out.onnx --profile=./outside.yaml --verify=off", .outputs = {"sub/out.onnx.data", "sub/out.onnx"}},
    {.line = "onnx-opt ext.onnx -o sub/out.onnx --passes=none", .outputs = {"sub/ext.data", "sub/out.onnx"}},
    {.line = "onnx-opt ext.onnx -o sub/out.onnx --passes=internal-data", .outputs = {"sub/out.onnx"}},
    {.line = "onnx-opt - -o - --verify=off", .from = "in.onnx"},
    {.line = "onnx-opt --explain cleanup"},
    {.line = "onnx-run inspect in.onnx"},
    {.line = "onnx-run inspect in.onnx --json=i.json", .outputs = {"i.json"}},
    {.line = "onnx-run inspect in.onnx --json=i.json --memory-plan=p.svg", .outputs = {"p.svg", "i.json"}},
    {.line = "onnx-run print in.onnx"},
    {.line = "onnx-run print in.onnx --full -o full.txt", .outputs = {"full.txt"}},
    {.line = "onnx-run parse in.txt -o out.onnx", .outputs = {"out.onnx"}},
    {.line = "onnx-run run in.onnx -o out.npz", .outputs = {"out.npz"}},
    {.line = "onnx-run run case/model.onnx -o out.npz --input x=case/test_data_set_0/input_0.pb", .outputs = {"out.npz"}},
    {.line = "onnx-run run case/model.onnx -o out.npz --input x=x.npy", .outputs = {"out.npz"}},
    {.line = "onnx-run run case/model.onnx -o sub --input x.npz", .outputs = {"sub/output_0.pb"}},
    {.line = "read-npz x.npz"},
    {.line = "onnx-run compare in.onnx opt.onnx --json=c.json", .outputs = {"c.json"}},
    {.line = "onnx-run test case --json=t.json", .outputs = {"t.json"}},
    {.line = "onnx-run bench in.onnx --repeat=2 --warmup=0 --json=b.json", .outputs = {"~b.json"}},
    {.line = "onnx-run profile in.onnx -o t.json --csv=p.csv --warmup=0 --roof=1,1", .outputs = {"~t.json", "~p.csv"}},
};
const size_t n_commands = sizeof commands / sizeof *commands;

/* Convolution and BatchNormalization to fuse, a sum to fold, a branch, a function, a double. */
static const char model_text[] =
    "<ir_version: 8, opset_import: [\"\" : 17, \"local\" : 1]>\n"
    "g (float[N,1,4,4] x, bool c) => (float[N,1,2,2] y, double[2] z)\n"
    "<float[1,1,3,3] W = {1, 2, 3, 4, 5, 6, 7, 8, 9}, float[1] s = {0.5}, float[1] b = {1}, float[1] m = {0.25}, float[1] v = {2}, double[2] d = {1.5, -2}>\n"
    "{\n"
    "  h = Conv (x, W)\n"
    "  n = BatchNormalization <epsilon = 1e-05> (h, s, b, m, v)\n"
    "  t = Constant <value = float[2] {1, 2}> ()\n"
    "  u = Add (t, t)\n"
    "  k = ReduceSum <keepdims = 0> (u)\n"
    "  a = Mul (n, k)\n"
    "  e = local.clamp (a)\n"
    "  y = If (c) <then_branch = yes () => (float[N,1,2,2] p) { p = Relu (e) }, else_branch = no () => (float[N,1,2,2] q) { q = Neg (e) }>\n"
    "  z = Add (d, d)\n"
    "}\n"
    "<domain: \"local\", opset_import: [\"\" : 17]>\n"
    "clamp (i) => (o)\n"
    "{\n"
    "  f = Identity (i)\n"
    "  o = Relu (f)\n"
    "}\n";

static const char case_text[] = "<ir_version: 8, opset_import: [\"\" : 17]>\n"
                                "g (float[2] x) => (float[2] y)\n"
                                "{\n"
                                "  y = Neg (x)\n"
                                "}\n";

static const char pipeline[] = "passes:\n"
                               "  - infer-shapes\n"
                               "  - repeat:\n"
                               "      max: 4\n"
                               "      passes: [{fold-constants: {growth: 1MiB}}, {rules: [fuse-conv, ./ours.rules]}, dce]\n"
                               "verify: {samples: 1}\n";

static const char rules[] = "rule neg-neg {\n  match   { y = Neg(Neg(x)) }\n  rewrite { y = Identity(x) }\n}\n";

static const char outside[] = "passes: [dce, {external-data: {threshold: 64}}]\n";

static void parse(const char *text, const char *name) {
    put("made.txt", text, strlen(text));
    char line[256];
    snprintf(line, sizeof line, "onnx-run parse made.txt -o %s", name);
    *the_plan() = (plan){0};
    int code = run(&(command){.line = line}, &(run_options){0});
    if (code) {
        fprintf(stderr, "%s: exit code %d, %s", line, code, said());
        exit(99);
    }
    remove("made.txt");
}

/* A tensor large enough to be copied by the kernel from file to file, beside small ones. */
static void make_external(void) {
    static char text[1 << 19];
    char *p = text + sprintf(text, "<ir_version: 8, opset_import: [\"\" : 17]>\ng (float[1,160] x) => (float[1,160] y)\n<float[160,160] W = {");
    for (int i = 0; i < 160 * 160; i++) p += sprintf(p, "%s%d", i ? ", " : "", i % 97 - 48);
    p += sprintf(p, "}, float[160] b = {");
    for (int i = 0; i < 160; i++) p += sprintf(p, "%s%d", i ? ", " : "", i % 7);
    sprintf(p, "}>\n{\n  h = MatMul (x, W)\n  i = Identity (h)\n  y = Add (i, b)\n}\n");
    parse(text, "flat.onnx");
    int code = run(&(command){.line = "onnx-opt flat.onnx -o ext.onnx --profile=./inside.yaml --verify=off"}, &(run_options){0});
    if (code) exit(99);
    remove("flat.onnx");
}

/* TensorProto: float[2] in raw_data. */
static void put_value(const char *path, float a, float b) {
    char data[14] = {0x08, 2, 0x10, 1, 0x4a, 8};
    memcpy(data + 6, &a, 4);
    memcpy(data + 10, &b, 4);
    put(path, data, sizeof data);
}

/* The same two numbers as an array of numpy. */
static void put_array(const char *path, float a, float b) {
    char data[136];
    int n = sprintf(data, "\x93NUMPY%c%cv%c{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 1, 0, 0);
    memset(data + n, ' ', 128 - (size_t)n);
    data[127] = '\n';
    memcpy(data + 128, &a, 4);
    memcpy(data + 132, &b, 4);
    put(path, data, sizeof data);
}

/* An archive with compressed entries, which our own writer does not make. */
static void compress(const char *array, const char *to) {
    int code;
    zip_t *z = zip_open(to, ZIP_CREATE, &code);
    zip_source_t *s = z ? zip_source_file(z, array, 0, 0) : NULL;
    if (!s || zip_file_add(z, "x.npy", s, 0) < 0 || zip_set_file_compression(z, 0, ZIP_CM_DEFLATE, 9) || zip_close(z)) abort();
}

void make_inputs(void) {
    static const char inside[] = "passes: [{external-data: {threshold: 64, file: ext.data}}]\n";
    parse(model_text, "in.onnx");
    put("in.txt", model_text, strlen(model_text));
    put("ours.yaml", pipeline, strlen(pipeline));
    put("ours.rules", rules, strlen(rules));
    put("outside.yaml", outside, strlen(outside));
    put("inside.yaml", inside, strlen(inside));
    make_external();
    if (run(&(command){.line = "onnx-opt in.onnx -o opt.onnx"}, &(run_options){0})) exit(99);
    if (mkdir("case", 0700) || mkdir("case/test_data_set_0", 0700)) abort();
    parse(case_text, "case/model.onnx");
    put_value("case/test_data_set_0/input_0.pb", 1, -2);
    put_value("case/test_data_set_0/output_0.pb", -1, 2);
    put_array("x.npy", 1, -2);
    compress("x.npy", "x.npz");
}
