/* Pipelines and rules, the part of group "text" that is no model. Marks: see bad_text.c. */
#include "malformed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG = 78 };

/* ---- pipelines ---- */

static void bad_yaml(const char *name, bytes yaml, const char *words) {
    const char *where;
    put("p.yaml", without_mark(yaml, true, &where));
    put("out.onnx", str("the older output"));
    run(one_line(name), (want){.code = CONFIG, .words = with_words(text("./p.yaml%s", where), words), .out = "out.onnx", .in = "m.onnx", .megabytes = 128},
        "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
}

static void good_yaml(const char *name, const char *yaml) {
    put("p.yaml", str(yaml));
    run(name, (want){.code = 0, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
}

/* Where a value can stand. */
static const struct { const char *name, *yaml; } values[] = {
    {"the whole", "@"},
    {"target", "passes: [dce]\ntarget: @\n"},
    {"opset", "target: {opset: @}\n"},
    {"frame", "frame: @\n"},
    {"memory", "frame:\n  threads: 1\n  memory: @\n"},
    {"threads", "frame: {threads: @}\n"},
    {"passes", "passes: @\n"},
    {"a step", "passes:\n  - dce\n  - @\n"},
    {"a step in brackets", "passes: [cse, @, dce]\n"},
    {"repeat", "passes:\n  - repeat: @\n"},
    {"max", "passes:\n  - repeat: {max: @, passes: [dce]}\n"},
    {"passes of repeat", "passes:\n  - repeat:\n      max: 2\n      passes: @\n"},
    {"a step in repeat", "passes:\n  - repeat:\n      passes:\n        - cse\n        - @\n"},
    {"a step in repeat in repeat", "passes: [{repeat: {passes: [{repeat: {passes: [dce, @]}}]}}]\n"},
    {"options", "passes:\n  - fold-constants: @\n"},
    {"an option", "passes:\n  - fold-constants: {growth: @}\n"},
    {"an option in repeat", "passes:\n  - repeat:\n      passes:\n        - strip:\n            docs: @\n"},
    {"rules", "passes:\n  - rules: @\n"},
    {"one of the rules", "passes:\n  - rules: [cleanup, @]\n"},
    {"verify", "verify: @\n"},
    {"samples", "verify:\n  samples: @\n"},
    {"rtol", "verify: {samples: 1, rtol: @}\n"},
    {"seconds", "verify: {seconds: @}\n"},
};

/* What no value may be, wherever it stands. */
static const struct { const char *name, *yaml, *words; } no_values[] = {
    {"an anchor", "`&anchor x", "anchor|&anchor"},
    {"an anchor on a list", "`&anchor [1, 2]", "&anchor"},
    {"an anchor on a map", "`&anchor {a: 1}", "&anchor"},
    {"an alias", "`*alias", "alias|*alias"},
    {"a tag", "`!!str 1", "tag"},
    {"a tag on a list", "`!!seq [1]", "tag"},
    {"a tag on a map", "`!!map {a: 1}", "tag"},
    {"a tag of one's own", "`!mine 1", "tag|mine"},
    {"a tag spelled out", "`!<tag:yaml.org,2002:int> 1", "tag"},
    {"the tag that says nothing", "`! 1", "tag"},
    {"python code", "`!!python/object/apply:os.system [\"true\"]", "tag"},
    {"a NUL", "`\"a\\0b\"", "NUL"},
    {"an unknown escape", "\"a`\\q\"", ""},
    {"a percent sign", "%x", ""},
    {"a double key below", "{zz: 1, `zz: 2}", "zz|twice"},
};

/* Where a key can stand; before it, the key that is there already. */
static const struct { const char *name, *yaml, *there, *where; } keys[] = {
    {"the top", "passes: [dce]\n@: []\n", "passes", "pipeline"},
    {"the top in brackets", "{verify: false, @: false}\n", "verify", "pipeline"},
    {"target", "target:\n  opset: keep\n  @: keep\n", "opset", "target"},
    {"frame", "frame:\n  threads: 1\n  memory: 1GiB\n  @: 1\n", "threads", "frame"},
    {"repeat", "passes:\n  - repeat:\n      passes: [dce]\n      @: [dce]\n", "passes", "repeat"},
    {"repeat in repeat", "passes:\n  - repeat:\n      passes:\n        - repeat: {max: 1, @: 1, passes: [dce]}\n", "max", "repeat"},
    {"options", "passes:\n  - fold-constants:\n      growth: 1MiB\n      @: 1MiB\n", "growth", "fold-constants"},
    {"options in brackets", "passes: [{strip: {docs: true, @: true}}]\n", "docs", "strip"},
    {"verify", "verify: {samples: 1, @: 1}\n", "samples", "verify"},
};

static void everywhere(void) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (size_t k = 0; k < sizeof no_values / sizeof *no_values; k++)
            bad_yaml(text("%s: %s", values[i].name, no_values[k].name), put_at(values[i].yaml, str(no_values[k].yaml)), no_values[k].words);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *yaml = keys[i].yaml, *where = keys[i].name;
        bad_yaml(text("key of %s: double", where), put_at(yaml, str(text("`%s", keys[i].there))), text("%s|twice", keys[i].there));
        bad_yaml(text("key of %s: double, in quotes", where), put_at(yaml, str(text("`\"%s\"", keys[i].there))), text("%s|twice", keys[i].there));
        bad_yaml(text("key of %s: unknown", where), put_at(yaml, str("`unbekannt")), text("unbekannt|%s", keys[i].where));
        bad_yaml(text("key of %s: misspelled", where), put_at(yaml, str(text("`%sx", keys[i].there))), text("%sx|mean|'%s'", keys[i].there, keys[i].there));
        bad_yaml(text("key of %s: capital", where), put_at(yaml, str("`PASSES")), "PASSES");
        bad_yaml(text("key of %s: merge", where), put_at(yaml, str("`<<")), "<<");
        bad_yaml(text("key of %s: empty", where), put_at(yaml, str("`\"\"")), "empty");
        bad_yaml(text("key of %s: a list", where), put_at(yaml, str("`[a]")), "key");
        bad_yaml(text("key of %s: a map", where), put_at(yaml, str("`{a: b}")), "key");
        bad_yaml(text("key of %s: an anchor", where), put_at(yaml, str("`&a k")), "anchor|&a");
        bad_yaml(text("key of %s: an alias", where), put_at(yaml, str("`*a ")), "alias|*a");
        bad_yaml(text("key of %s: a tag", where), put_at(yaml, str("`!!str k")), "tag");
        bad_yaml(text("key of %s: NUL", where), put_at(yaml, str("`\"a\\0\"")), "NUL");
        bad_yaml(text("key of %s: escape codes", where), put_at(yaml, str("`\"\\e[31m\\a\\n\"")), "[31m");
        bad_yaml(text("key of %s: very long", where), put_at(yaml, J(str("`"), times(900, str("k")))), "kkkk");
    }
    forget();
}

/* Values of the wrong type or out of range: key, then what it cannot be, separated by blanks. */
static const struct { const char *yaml, *key, *bad; } ranges[] = {
    {"target: {opset: @}", "opset", "0 6 -1 21.0 \"21\" x [21] {a:\xc2\xa0" "1} ~ 999 99999999999999999999 true 0x15 2_1 1e1"},
    {"target: @", "target", "21 keep [] ~ \"\""},
    {"frame: {memory: @}", "memory", "-1 1.5GiB 4XiB \"4GiB\" [1] ~ 99999999999999999999 17179869184GiB 0x10 true 1e9 4GiBs"},
    {"frame: {threads: @}", "threads", "-1 1025 1.5 many [2] ~ true 9223372036854775808"},
    {"frame: @", "frame", "1 [memory] ~ x"},
    {"passes: @", "passes", "dce 1 {dce:\xc2\xa0" "1} \"dce,cse\""},
    {"passes: [{repeat: {max: @, passes: [dce]}}]", "max", "0 -1 1001 1e3 x [1] ~ \"3\" 99999999999999999999"},
    {"passes: [{repeat: {passes: @}}]", "passes", "dce 3 \"\""},
    {"passes: [{repeat: @}]", "repeat", "dce 3 [dce] ~ {} {max:\xc2\xa0" "2}"},
    {"passes: [{fold-constants: @}]", "fold-constants", "3 true [growth] x"},
    {"passes: [{fold-constants: {growth: @}}]", "growth", "-1 x 1.5MiB [] {} ~ 99999999999999999999 true"},
    {"passes: [{fold-constants: {quantized: @}}]", "quantized", "1 yes on True \"true\" [] ~ x"},
    {"passes: [{strip: {docs: @}}]", "docs", "0 no off FALSE [true] ~"},
    {"passes: [{infer-shapes: {strict: @}}]", "strict", "2 -1 {} x"},
    {"passes: [{external-data: {file: @}}]", "file", "[w] {} ~"},
    {"passes: [{external-data: {threshold: @}}]", "threshold", "-1 x [] ~ 1QiB"},
    {"passes: [{external-data: {align: @}}]", "align", "-1 x [] ~ 3 1.0"},
    {"passes: [{raise-opset: {opset: @}}]", "opset", "0 -1 x 999 [21] ~ 21.5 99999999999999999999"},
    {"passes: [{rules: @}]", "rules", "[] {} ~ {cleanup:\xc2\xa0" "1}"},
    {"passes: [{rules: [@]}]", "rules", "[] {} ~ [cleanup]"},
    {"passes: [{dce: @}]", "dce", "3 true [x]"},
    {"passes: [{cleanup: @}]", "cleanup", "{} {max:\xc2\xa0" "1} 3"},
    {"verify: @", "verify", "1 maybe [] yes ~ \"false\""},
    {"verify: {samples: @}", "samples", "0 -1 1001 2.5 x [] ~ \"3\""},
    {"verify: {seed: @}", "seed", "-1 x 9223372036854775808 1.0 ~"},
    {"verify: {rtol: @}", "rtol", "-1 x nan inf .inf -.inf .nan 1e400 [] ~ 1e-3x \"1\" 0x1p-3"},
    {"verify: {atol: @}", "atol", "-0.1 x nan {} ~"},
    {"verify: {seconds: @}", "seconds", "-1 x nan inf [] ~ 1s"},
};

static void wrong_values(void) {
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        char *list = strdup(ranges[i].bad), *at = list;
        for (char *one; (one = strsep(&at, " "));) {
            for (char *c = one; *c; c++) /* "\xc2\xa0": a blank that belongs to the value */
                if (*c == '\xc2' && c[1] == '\xa0') *c = ' ', memmove(c + 1, c + 2, strlen(c + 2) + 1);
            bad_yaml(text("%s is %s", ranges[i].key, one), put_at(ranges[i].yaml, str(text("`%s", one))), ranges[i].key);
        }
        free(list);
    }
    static const struct { const char *yaml, *words; } unknown[] = {
        {"passes: [`fold-constant]", "fold-constant|mean|fold-constants"},
        {"passes: [dce, `\"\"]", "unknown"},
        {"passes: [dce, `~]", "step"},
        {"passes: [dce, `3]", "3"},
        {"passes: [dce, `[cse]]", "step"},
        {"passes: [`none]", "none"},
        {"passes: [`portable]", "portable"},
        {"passes: [`dce=true]", "dce=true"},
        {"passes: [`DCE]", "DCE"},
        {"passes: [{`fold-constant: {growth: 1MiB}}]", "fold-constant|mean"},
        {"passes: [{`\"\": 1}]", "empty"},
        {"passes:\n  - dce: ~\n    `cse: ~\n", "cse"},
        {"passes:\n  - repeat: {passes: [dce]}\n    `max: 3\n", "max"},
        {"passes:\n  - rules: cleanup\n    `repeat: {passes: [dce]}\n", "repeat"},
        {"passes: [`{}]", "step"},
        {"passes: [`repeat]", "repeat"},
        {"passes: [`rules]", "rules"},
        {"passes: [{rules: `cleanupp}]", "cleanupp|mean|cleanup"},
        {"passes: [{rules: [cleanup, `fuse-everything]}]", "fuse-everything"},
        {"passes: [{rules: [`\"\"]}]", "rule"},
        {"passes: [{rules: `dce}]", "dce"},
        {"`- dce\n- cse\n", "pipeline|map"},
        {"`dce\n", "pipeline|map"},
        {"`\"passes\"\n", "pipeline|map"},
        {"`~\n", "pipeline|map"},
        {"`3\n", "pipeline|map"},
    };
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) bad_yaml(text("unknown %zu: %.40s", i, unknown[i].yaml), str(unknown[i].yaml), unknown[i].words);
    forget();
}

static void broken_yaml(void) {
    static const struct { const char *name, *yaml, *words; } cases[] = {
        {"a tab as indentation", "passes:\n`\t- dce\n", ""},
        {"a tab as indentation deep inside", "passes:\n  - repeat:\n      passes:\n`\t- dce\n", ""},
        {"a tab behind blanks", "verify:\n  samples: 1\n `\trtol: 1\n", ""},
        {"indentation that changes", "verify:\n    samples: 1\n  `rtol: 1\n", ""},
        {"a list that goes on as a map", "passes:\n  - dce\n  `max: 3\n", ""},
        {"a map that goes on as a list", "verify:\n  samples: 1\n  `- dce\n", ""},
        {"two values", "verify: false false`: 1\n", ""},
        {"a bracket left open", "passes: [dce\n`", ""},
        {"a brace left open", "verify: {samples: 1\n`", ""},
        {"brackets that cross", "passes: [{dce: 1`]}\n", ""},
        {"a bracket too many", "passes: [dce]`]\n", ""},
        {"a text left open", "passes: [\"dce]\n`", ""},
        {"a text of single quotes left open", "passes: ['dce]\n`", ""},
        {"a comma too many", "passes: [dce,`, cse]\n", ""},
        {"a character no token begins with", "passes: [dce, `@x]\n", ""},
        {"an unknown escape", "passes: [\"`\\q\"]\n", ""},
        {"an escape that is no character", "passes: [\"\\u`D800\"]\n", ""},
        {"an escape cut short", "passes: [\"\\x`4\"]\n", ""},
        {"a second document", "passes: [dce]\n`---\npasses: [cse]\n", "second document"},
        {"a second, empty document", "passes: [dce]\n`---\n", "second document"},
        {"a second document behind an end", "passes: [dce]\n...\n`---\n{}\n", "second document"},
        {"text behind the end", "passes: [dce]\n...\n`more\n", ""},
        {"a directive for tags", "`%TAG ! tag:example.com,2000:\n---\npasses: [dce]\n", "tag"},
        {"an unknown version", "%YAML 3.0\n---\npasses: [dce]\n", ""},
        {"a version twice", "%YAML 1.1\n`%YAML 1.1\n---\npasses: [dce]\n", ""},
        {"a bad directive", "%YAML x\n---\npasses: [dce]\n", ""},
        {"empty", "`", "empty"},
        {"only a comment", "`# nothing\n", "empty"},
        {"only blanks", "`  \n\n\n", "empty"},
        {"only a start", "---\n", ""},
        {"an invalid byte", "passes: [dce, `\xff]\n", "UTF-8"},
        {"an invalid byte in a comment", "passes: [dce]\n# \xc3\xa4 `\xc3\x28\n", "UTF-8"},
        {"a character cut at the end", "passes: [dce] # `\xe4\xb8", "UTF-8"},
        {"an overlong character", "passes: [\"`\xc0\xaf\"]\n", "UTF-8"},
        {"a surrogate", "passes: [\"`\xed\xa0\x80\"]\n", "UTF-8"},
        {"beyond Unicode", "passes: [\"`\xf4\x90\x80\x80\"]\n", "UTF-8"},
        {"invalid UTF-8 in a key", "pas`\xe9ses: [dce]\n", "UTF-8"},
        {"a byte order mark", "`\xef\xbb\xbfpasses: [dce]\n", "byte order mark"},
        {"a byte order mark inside", "passes:\n  - `\xef\xbb\xbf" "dce\n", "byte order mark"},
        {"UTF-16", "`\xff\xfep", "UTF-8"},
        {"a control character", "passes: [dce, \"a`\x01\"]\n", "control"},
        {"escape codes", "passes:\n  - `\x1b[31mdce\n", "control"},
        {"DEL", "passes: [`\x7f]\n", "control"},
        {"a C1 control character", "passes: [`\xc2\x9b]\n", "control"},
        {"a control character in a comment", "passes: [dce]\n# `\x07\n", "control"},
        {"an unknown name with escape codes", "passes: [`\"\\e[31m\\n\\u202e\"]\n", "unknown"},
        {"an anchor of a thousand names", "passes: `&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa [dce]\n", "anchor"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) bad_yaml(cases[i].name, str(cases[i].yaml), cases[i].words);
    bad_yaml("NUL at the beginning", RAW("`\0passes: [dce]\n"), "NUL");
    bad_yaml("NUL between", RAW("passes: [dce]\n`\0\n"), "NUL");
    bad_yaml("NUL in a name", RAW("passes: [d`\0ce]\n"), "NUL");
    bad_yaml("NUL at the end", RAW("passes: [dce]\n`\0"), "NUL");
    bad_yaml("NUL in a comment", RAW("# a\n# `\0\npasses: [dce]\n"), "NUL");
    bad_yaml("all NUL", J(str("`"), raw(keep(4096), 4096)), "NUL");
    bad_yaml("1 MiB and a byte", J(str("passes: [dce]\n#"), times((1 << 20) - 14, str("x"))), "1048576");
    bad_yaml("20 MiB", times(20 << 20, str("#")), "1048576");
    bad_yaml("lists nested 65 deep", nested_text("", "[", 65, "", "]", ""), "64");
    bad_yaml("lists nested 100,000 deep", nested_text("passes: ", "[", 100000, "", "]", "\n"), "64");
    bad_yaml("maps nested 100,000 deep", nested_text("", "{a: ", 100000, "1", "}", "\n"), "64");
    bad_yaml("maps and lists nested 50,000 deep", nested_text("passes: ", "[{a: ", 50000, "1", "}]", "\n"), "64");
    bad_yaml("a list left open 500,000 times", times(500000, str("[")), "64");
    bad_yaml("dashes", J(str("passes:\n"), times(10000, str("- "))), "64");
    bad_yaml("question marks", times(10000, str("? ")), "");
    bytes b = str("x: ");
    for (int i = 0; i < 500; i++) b = J(b, str(text("\n%*s- ", i + 1, "")));
    bad_yaml("a staircase", b, "64");
    bad_yaml("repeat nested nine deep", nested_text("passes: [", "{repeat: {passes: [", 9, "dce", "]}}", "]\n"), "8");
    bad_yaml("repeat nested nine deep, not the first", nested_text("passes: [dce, {repeat: {passes: [cse]}}, ", "{repeat: {passes: [dce, ", 9, "dce", "]}}", "]\n"), "8");
    good_yaml("repeat nested eight deep, twice", (const char *)J(str("verify: false\npasses: ["), nested_text("", "{repeat: {passes: [", 8, "dce", "]}}", ""), str(", "),
                                                              nested_text("", "{repeat: {passes: [", 8, "dce", "]}}", ""), str("]\n")).p);
    b = str("a: `&a [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 0; i < 20; i++) b = J(b, str(text("b%d: &b%d [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n", i, i)));
    bad_yaml("a bomb of aliases", b, "anchor|&a");
    bad_yaml("a bomb of aliases among passes", str("passes: `&p [dce, *p, *p, *p]\n"), "&p");
    bytes *lines = keep(60000 * sizeof *lines);
    for (int i = 0; i < 50000; i++) lines[i] = str(text("k%d: 1\n", i));
    bad_yaml("50,000 keys", J(str("`"), join(lines, 50000)), "k0");
    forget();
    lines = keep(60000 * sizeof *lines);
    for (int i = 0; i < 50000; i++) lines[i] = str("dce, ");
    bad_yaml("50,000 steps, the last unknown", J(str("passes: ["), join(lines, 50000), str("`dcf]\n")), "dcf");
    bad_yaml("a name of a megabyte", J(str("passes: [`"), times(1000000, str("n")), str("]\n")), "unknown");
    bad_yaml("a key of a megabyte", J(str("`"), times(1000, str("n")), str(": 1\n")), "unknown");
    static const char whole[] = "target: {opset: keep}\nframe: {memory: 1GiB, threads: 1}\npasses:\n  - dce\n  - repeat: {max: 2, passes: [cse]}\n  - rules: [cleanup]\nverify: false\n";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        put("p.yaml", raw(whole, n));
        put("out.onnx", str("the older output"));
        run(text("a pipeline cut at byte %zu", n), (want){.code = 0, .other = CONFIG, .out = "out.onnx", .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
    }
    good_yaml("the whole pipeline", whole);
    forget();
}

static void pipeline_files(void) {
    put("out.onnx", str("the older output"));
    mkdir("d.yaml", 0700);
    run("a pipeline that is not there", (want){.code = 66, .words = "none.yaml", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./none.yaml");
    run("a pipeline in a folder that is not there", (want){.code = 66, .words = "no/none.yml", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=no/none.yml");
    run("a folder as pipeline", (want){.code = 66, .other = CONFIG, .third = 74, .words = "d.yaml", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=d.yaml");
    run("a model as pipeline", (want){.code = CONFIG, .words = "./m.onnx", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./m.onnx");
    run("an unknown profile", (want){.code = 64, .other = 66, .words = "portible|portable", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=portible");
    rmdir("d.yaml");
}

/* ---- rules ---- */

static void bad_rules(const char *name, bytes rules, const char *words) {
    const char *where;
    rules = without_mark(rules, false, &where);
    mkdir("rules", 0700);
    put("rules/r.rules", rules);
    put("p.yaml", str("passes:\n  - dce\n  - repeat:\n      passes: [{rules: [cleanup, ./rules/r.rules]}]\n"));
    put("out.onnx", str("the older output"));
    run(one_line(name), (want){.code = CONFIG, .words = with_words(text("rules/r.rules%s", where), words), .out = "out.onnx", .in = "m.onnx", .megabytes = 128},
        "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
}

static void good_rules(const char *name, const char *rules) {
    put("rules/r.rules", str(rules));
    run(name, (want){.code = 0, .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
}

/* Where an expression can stand. */
static const struct { const char *name, *rules; } exprs[] = {
    {"an operand of the match", "rule a {\n  match   { y = Relu(@) }\n  rewrite { y = x }\n}\n"},
    {"an operand deep in the match", "rule a {\n  match   { z = Neg(x)\n            y = Add(Relu(Abs(z)), Mul(w, @)) }\n  rewrite { y = x }\n}\n"},
    {"one of two in the match", "rule a {\n  match   { y = Relu(x | @) }\n  rewrite { y = x }\n}\n"},
    {"an attribute of the match", "rule a {\n  match   { y = Softmax<axis=@>(x) }\n  rewrite { y = x }\n}\n"},
    {"a guard", "rule a {\n  match   { y = Relu(x) }\n  where   float(x), rank(@) == 3\n  rewrite { y = x }\n}\n"},
    {"a guard, on the right", "rule a {\n  match   { y = Relu(x) }\n  where   3 == @\n  rewrite { y = x }\n}\n"},
    {"a guard among others", "rule a {\n  match   { y = Relu(x) }\n  where   rank(x) == 3 && (rank(x) == 2 || !(rank(x) == @))\n  rewrite { y = x }\n}\n"},
    {"an element of a set", "rule a {\n  match   { y = Relu(x) }\n  where   rank(x) in {1, @}\n  rewrite { y = x }\n}\n"},
    {"the rewrite", "rule a {\n  match   { y = Relu(x) }\n  rewrite { y = @ }\n}\n"},
    {"an operand of the rewrite", "rule a {\n  match   { y = Relu(x) }\n  rewrite { y = Abs(@) }\n}\n"},
    {"an attribute of the rewrite", "rule a {\n  match   { y = Relu(x) }\n  rewrite { y = Softmax<axis=@>(x) }\n}\n"},
    {"an element of a list", "rule a {\n  match   { y = Relu(x) }\n  rewrite { y = Transpose<perm=[0, @]>(x) }\n}\n"},
    {"an index", "rule a {\n  match   { y = Transpose<perm=$p>(x) }\n  where   $p[@] == 1\n  rewrite { y = x }\n}\n"},
    {"the fallback", "rule a {\n  match   { y = Clip(x, a?) }\n  rewrite { y = Max(x, a ?? @) }\n}\n"},
    {"the second rule", "rule a { match { y = Relu(x) } rewrite { y = x } }\n# more\nrule b {\n  match   { y = Neg(Neg(@)) }\n  rewrite { y = x }\n}\n"},
    {"a def that is used", "def f(u) =\n  Abs(u + @)\nrule a { match { y = f(Relu(x)) } rewrite { y = x } }\n"},
    {"a def that is not used", "def f(u) =\n  Abs(u + @)\nrule a { match { y = Relu(x) } rewrite { y = x } }\n"},
    {"a def of guards", "def f(u) = rank(u) + @\nrule a { match { y = Relu(x) } where f(x) == 1 rewrite { y = x } }\n"},
};

static const struct { const char *name, *expr, *words; } no_exprs[] = {
    {"nothing but a comma", "`, ", ""},
    {"an unknown operator", "`Rilu(x)", "Rilu|mean|Relu"},
    {"an unknown function", "`rnk(x)", "rnk|mean|rank"},
    {"a sum left open", "x + `}", "expected"},
    {"a mark that means nothing", "`~x", "expected"},
    {"a dollar alone", "$`)", "name"},
    {"a text left open", "`\"text", "string"},
    {"an unknown escape", "\"a`\\q\"", "escape"},
    {"a number that is too large", "`99999999999999999999", "larger"},
    {"a number of the eleventh order", "`1e999", "large"},
    {"a number that runs into a name", "`12ab", "number"},
    {"a letter beyond ASCII", "`\xc3\xa4(x)", "unexpected"},
    {"an invalid byte", "`\xff", "UTF-8"},
    {"a control character", "`\x1b[31m", "control"},
    {"an operand without end", "Abs(x `}", "')'"},
    {"a fallback left open", "x ?? }", "expected"},
};

static void rules_everywhere(void) {
    for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++) {
        for (size_t k = 0; k < sizeof no_exprs / sizeof *no_exprs; k++)
            bad_rules(text("%s: %s", exprs[i].name, no_exprs[k].name), put_at(exprs[i].rules, str(no_exprs[k].expr)), no_exprs[k].words);
        bad_rules(text("%s: NUL", exprs[i].name), put_at(exprs[i].rules, RAW("`\0")), "NUL");
        bad_rules(text("%s: NUL in a text", exprs[i].name), put_at(exprs[i].rules, RAW("`\"a\0b\"")), "NUL");
        bad_rules(text("%s: parentheses nested 100,000 deep", exprs[i].name), put_at(exprs[i].rules, nested_text("", "(", 100000, "x", ")", "")), "deeper than 64");
        bad_rules(text("%s: signs nested 100,000 deep", exprs[i].name), put_at(exprs[i].rules, nested_text("", "- ", 100000, "x", "", "")), "deeper than 64");
        bad_rules(text("%s: operators nested 50,000 deep", exprs[i].name), put_at(exprs[i].rules, nested_text("", "Abs(", 50000, "x", ")", "")), "deeper than 64");
        bad_rules(text("%s: lists nested 100,000 deep", exprs[i].name), put_at(exprs[i].rules, nested_text("", "[", 100000, "x", "]", "")), "deeper than 64");
        bad_rules(text("%s: a sum of 100,000", exprs[i].name), put_at(exprs[i].rules, nested_text("x", " + x", 100000, "", "", "")), "deeper than 64~too large");
        bad_rules(text("%s: 100,000 alternatives", exprs[i].name), put_at(exprs[i].rules, nested_text("x", " | x", 100000, "", "", "")), "deeper than 64~too large~expected");
    }
    forget();
}

static void rule_faults(void) {
    static const struct { const char *rules, *words; } cases[] = {
        /* syntax */
        {"`rool a { }", "rule"},
        {"rule `{ match { y = Relu(x) } rewrite { y = x } }", "name"},
        {"rule a `match { y = Relu(x) }", "expected"},
        {"rule a { `rewrite { y = x } }", "match"},
        {"rule a { match { y = Relu(x) } `}", "rewrite"},
        {"rule a { match { y = Relu(x) } rewrite { y = x }\n`", "'}'"},
        {"rule a { match { y = Relu(x) } rewrite { y = x } } `}", "rule"},
        {"rule a { match `y = Relu(x) } rewrite { y = x } }", "'{'"},
        {"rule a { match { y `Relu(x) } rewrite { y = x } }", "'='"},
        {"rule a { match { `= Relu(x) } rewrite { y = x } }", "name"},
        {"rule a { match { y, `= Relu(x) } rewrite { y = x } }", "name"},
        {"rule a { match { y = Relu(x`} rewrite { y = x } }", "')'"},
        {"rule a { match { y = Relu<axis`>(x) } rewrite { y = x } }", "'='"},
        {"rule a { match { y = Softmax<axis`=>(x) } rewrite { y = x } }", "expected"},
        {"rule a { match { y = Conv<..`>(x, w) } rewrite { y = x } }", "name"},
        {"rule a { match { y = Conv<..c, ..`d>(x, w) } rewrite { y = x } }", "second"},
        {"rule a { match { y = Relu(x) } where rewrite `{ y = x } }", ""},
        {"rule a { match { y = Relu(x) } where rank(x) == 1, rewrite `{ y = x } }", ""},
        {"rule a { match { y = Relu(x) } where float[1, `2.5] x rewrite { y = x } }", "dimension"},
        {"rule a-`{ match { y = Relu(x) } rewrite { y = x } }", "name"},
        {"rule a since `x { match { y = Relu(x) } rewrite { y = x } }", "opset"},
        {"rule a since `0 { match { y = Relu(x) } rewrite { y = x } }", "opset"},
        {"rule a since `99999 { match { y = Relu(x) } rewrite { y = x } }", "opset"},
        {"rule a until `-1 { match { y = Relu(x) } rewrite { y = x } }", "opset"},
        {"rule a for `{ match { y = Relu(x) } rewrite { y = x } }", "profile"},
        {"rule a `always { match { y = Relu(x) } rewrite { y = x } }", "expected"},
        {"rule `a since 9 until 7 { match { y = Relu(x) } rewrite { y = x } }", "never"},
        {"def `= x", "name"},
        {"def f(`) = x", "parameter"},
        {"def f(a, `1) = a", "parameter"},
        {"def f(a) `a", "'='"},
        {"def f(a) = `", "expected"},
        {"def `F(a) = a", "small letter|F"},
        {"ops `= Relu", "name"},
        {"ops `relu = Relu", "capital"},
        {"ops R `Relu", "'='"},
        {"ops R = `", "operator"},
        {"ops R = Relu | `", "operator"},
        /* names */
        {"def f(a) = a\ndef `f(b) = b\n", "f|twice"},
        {"def f(a, b, `a) = a\n", "a|twice"},
        {"ops R = Relu\nops `R = Neg\n", "R|twice"},
        {"ops R = Relu | `Relu\n", "Relu|twice"},
        {"ops R = `Rilu\n", "Rilu"},
        {"ops R = Relu | `Tonh\nrule a { match { y = R(x) } rewrite { y = x } }", "Tonh|Tanh"},
        {"rule a { match { y = Relu(x) } rewrite { y = x } }\nrule `a { match { y = Neg(x) } rewrite { y = x } }", "a|line 1"},
        {"rule a { match { y = Relu(x) `y = Neg(x) } rewrite { y = x } }", "y|twice"},
        {"rule a { match { `y, y = Split(x) } rewrite { y = x } }", "y|twice"},
        {"rule a { match { y = Relu(x) } rewrite { y = x `y = x } }", "y|twice"},
        {"rule a { match { y = Relu(x) } rewrite { y = `z } }", "z|bound"},
        {"rule a { match { y = Relu(x) } rewrite { y = Abs(Neg(`z)) } }", "z|bound"},
        {"rule a { match { y = Relu(x) } where rank(`z) == 1 rewrite { y = x } }", "z|bound"},
        {"rule a { match { y = Relu(x) } where `$e == 1 rewrite { y = x } }", "$e|bound"},
        {"rule a { match { y = Relu(x) } where float `z rewrite { y = x } }", "z|bound"},
        {"rule a { match { y = Relu(x) } where N == 1 rewrite { y = x } }", "N|bound"},
        {"rule a { match { y = Softmax<axis=$a>(x) } rewrite { y = Softmax<axis=`$b>(x) } }", "$b|bound"},
        {"rule a { match { y = Softmax<axis=$a>(x) } rewrite { y = Softmax<axis=`a>(x) } }", "a|bound"},
        {"rule a { match { y = Conv<..c>(x, w) } rewrite { y = `Conv<..d>(x, w) } }", "..d|bound"},
        {"rule a { match { y = Conv<..c>(Conv<..c>(x, w), w) } rewrite { y = x } }", "..c|twice"},
        {"rule a { match { y = Relu(x) } rewrite { `x = Relu(x) } }", "x|input"},
        {"rule a { match { y = Relu(x) } rewrite { `z = Relu(x) y = x } }", "z|not used"},
        {"rule a { match { y = Neg(x) } rewrite { y = Relu(`y) } }", "y|replaced"},
        {"rule a { match { y = Relu(x) } rewrite { y = `R(x) } }\nops R = Relu\n", "R"},
        {"ops R = Relu | Neg\nrule a { match { y = Relu(x) } rewrite { y = `R(x) } }", "R|match"},
        {"rule a { match { y = Concat(xs...) } rewrite { y = Neg(`xs) } }", "xs|list"},
        {"rule a { match { y = Relu(x) } rewrite { y = Concat(`x..., axis=0) } }", "x|value"},
        {"rule a { match { y = Concat(x..., axis=$a) z = Add(y, `x) } rewrite { z = y } }", "x|list"},
        /* no common output */
        {"rule `a { match { y = Relu(x) } rewrite { } }", "both sides"},
        {"rule a { match { y = Relu(x) `z = Neg(x) } rewrite { y = x } }", "z|output"},
        {"rule `a { match { } rewrite { y = 1 } }", "empty"},
        {"rule a { match { `y = x } rewrite { y = x } }", "operator"},
        {"rule a { match { y = Relu(x) | `x } rewrite { y = x } }", "operator"},
        {"rule a { match { `y, z = Relu(x) | Neg(x) } rewrite { y = x } }", "one operator"},
        {"rule `a { match { y = Relu(x) } rewrite { y = Neg(Neg(x)) } }", "expand"},
        /* operators, attributes, guards, functions */
        {"rule a { match { y = Relu<alpha=`1>(x) } rewrite { y = x } }", "alpha|Relu"},
        {"rule a { match { y = `Relu(x, z) } rewrite { y = x } }", "Relu|1|2"},
        {"rule a { match { y = `Relu(x, z, w) } rewrite { y = x } }", "Relu|1|3"},
        {"rule a { match { y, z = `Relu(x) } rewrite { y = x } }", "Relu|1|2"},
        {"rule a { match { y = Relu(x) } rewrite { y, z = Relu(x) } }", "Relu|1|2"},
        {"rule a { match { y = Relu(x) } rewrite { y = `Add(x) } }", "B|Add|missing"},
        {"rule a { match { y = Cast<to=*>(x) } rewrite { y = `Cast(x) } }", "to|Cast|missing"},
        {"rule a { match { y = Clip(x, min=a, min=`b) } rewrite { y = x } }", "min|twice"},
        {"rule a { match { y = Clip(x, a, min=`b) } rewrite { y = x } }", "min|Clip|twice"},
        {"rule a { match { y = Softmax<axis=1, axis=`2>(x) } rewrite { y = x } }", "axis|twice"},
        {"rule a { match { y = Relu(`x...) } rewrite { y = x } }", "Relu|list"},
        {"rule a { match { y = Softmax<axis=`\"one\">(x) } rewrite { y = x } }", "axis|Softmax|type"},
        {"rule a { match { y = Softmax<axis=`1.5>(x) } rewrite { y = x } }", "axis|Softmax|type"},
        {"rule a { match { y = Einsum<equation=`3>(x) } rewrite { y = x } }", "equation|Einsum|type"},
        {"rule a { match { y = LeakyRelu<alpha=`\"x\">(x) } rewrite { y = x } }", "alpha|LeakyRelu|type"},
        {"rule a { match { y = Transpose<perm=[0, `\"x\"]>(x) } rewrite { y = x } }", "perm|Transpose|type"},
        {"rule a { match { y = Relu(x) } rewrite { y = Softmax<axis=`\"one\">(x) } }", "axis|Softmax|type"},
        {"rule a { match { y = Relu(x) } rewrite { y = Softmax<axis=`*>(x) } }", "'*'"},
        {"rule a { match { y = Relu(x) } rewrite { y = Transpose<perm=[1, `0.5]>(x) } }", "perm|Transpose|type"},
        {"rule a { match { y = Relu(x) } rewrite { y = Softmax<axis=`[1, 2]>(x) } }", "axis|Softmax|type"},
        {"rule a { match { y = Relu(x) } where `cnst(x) rewrite { y = x } }", "cnst|const"},
        {"rule a { match { y = Relu(x) } where `rank(x, x) == 1 rewrite { y = x } }", "rank|2"},
        {"rule a { match { y = Relu(x) } where `rank() == 1 rewrite { y = x } }", "rank|0"},
        {"rule a { match { y = Relu(x) } where `rank(x=x) == 1 rewrite { y = x } }", "rank|named"},
        {"rule a { match { y = Relu(x) } where `x + 1 rewrite { y = x } }", "condition"},
        {"rule a { match { y = Relu(x) } where `3 rewrite { y = x } }", "condition"},
        {"rule a { match { y = Relu(x) } where rank(x) == `_ rewrite { y = x } }", "'_'"},
        {"rule a { match { y = Relu(x) } where T[`x] x rewrite { y = x } }", "x|dimension"},
        {"rule a { match { y = Relu(x) } where `x[N] x rewrite { y = x } }", "x|type"},
        {"rule a { match { y = Relu(x) } rewrite { y = `x | x } }", "'|'"},
        {"rule a { match { y = Relu(`2 * 3) } rewrite { y = 1 } }", "literals"},
        {"rule a { match { y = Relu(`x == 1 && x == 2) } rewrite { y = Abs(`x) } }", NULL},
        {"def f(a, b) = a + b\nrule a { match { y = `f(x) } rewrite { y = x } }", "f|2|1"},
        {"def f(a) = a\nrule a { match { y = Neg(`f(x, z)) } rewrite { y = x } }", "f|1|2"},
        {"def f(a) = a?\nrule a { match { y = Clip(x, f(`Neg(x))) } rewrite { y = x } }", "a|f|name"},
        /* cycles */
        {"def f(a) = `g(a)\ndef g(a) = f(a)\nrule a { match { y = f(x) } rewrite { y = x } }", "g"},
        {"def f(a) = `f(a)\n", "f"},
        {"def f(a) = Abs(`f(a))\nrule a { match { y = Neg(f(x)) } rewrite { y = x } }", "f"},
        {"rule a { match { y = Relu(`y) } rewrite { y = 1 } }", "y|itself"},
        {"rule a { match { y = Relu(z) z = Neg(`y) } rewrite { y = z } }", "y|itself"},
        {"rule a { match { y = Relu(z) z = Neg(w) w = Add(x, Abs(`y)) } rewrite { y = z } }", "y|itself"},
        {"rule a { match { y = Relu(Clip(x, max=`y)) } rewrite { y = 1 } }", "y|itself"},
        {"rule a { match { y = Relu(x) } rewrite { z = Neg(`w) w = Neg(z) y = w } }", "w|bound"},
        {"rule a { match { y = Relu(x) } rewrite { z = Neg(`z) y = z } }", "z|bound"},
        {"rule a { match { y = Relu(x) z = Neg(y) } rewrite { z = Abs(`y) y = Abs(x) } }", "y|replaced"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!cases[i].words) continue;
        bad_rules(text("rule fault %zu: %.60s", i, cases[i].rules), str(cases[i].rules), cases[i].words);
    }
    forget();
}

static void rule_files(void) {
    static const char fine[] = "rule a { match { y = Relu(x) } rewrite { y = Abs(x) } }\n";
    bad_rules("NUL at the beginning", J(RAW("`\0"), str(fine)), "NUL");
    bad_rules("NUL at the end", J(str(fine), RAW("`\0")), "NUL");
    bad_rules("NUL in a comment", J(RAW("# a `\0 b\n"), str(fine)), "NUL");
    bad_rules("bad UTF-8 in a comment", J(RAW("# a `\xff b\n"), str(fine)), "UTF-8");
    bad_rules("bad UTF-8 at the end", J(str(fine), RAW("`\xe4\xb8")), "UTF-8");
    bad_rules("bad UTF-8 in a text", RAW("rule a { match { y = Einsum<equation=`\"\xff\">(x) } rewrite { y = x } }"), "UTF-8");
    bad_rules("a file of random bytes", RAW("`\x93\x01\x02\xff\xfe\x00\x17"), "UTF-8");
    bad_rules("escape codes in a name", RAW("rule a { match { y = `\x1b[31m(x) } rewrite { y = x } }"), "control");
    bad_rules("1 MiB and a byte", J(str(fine), times((1 << 20) - strlen(fine) + 1, str("\n"))), "1048576");
    bad_rules("20 MiB", times(20 << 20, str("#")), "1048576");
    bad_rules("a name of a megabyte", J(str("rule a { match { y = `"), times(1000000, str("N")), str("(x) } rewrite { y = x } }")), "unknown operator");
    bad_rules("a rule of 20,000 operands", J(str("rule a { match { y = Concat("), times(20000, str("x, ")), str("x) } rewrite { y = x } }")), "large");
    bad_rules("a rule of 20,000 definitions", J(str("rule a { match {"), times(20000, str(" y = Relu(x)")), str("} rewrite { y = x } }")), "large~twice");
    bytes *list = keep(40000 * sizeof *list);
    for (int i = 0; i < 300; i++) list[i] = str(text(" y%d = Add(x, a%d)", i, i));
    bad_rules("300 names", J(str("rule a { match {"), join(list, 300), str("} rewrite { y0 = x } }")), "256");
    bytes bomb = str("def d0(a) = a + a\n");
    for (int i = 1; i < 40; i++) bomb = J(bomb, str(text("def d%d(a) = d%d(a) + d%d(a)\n", i, i - 1, i - 1)));
    bad_rules("defs that double forty times", J(bomb, str("rule a { match { y = d39(x) } rewrite { y = x } }")), "large~deeper");
    bomb = str("def d0(a) = Abs(a)\n");
    for (int i = 1; i < 1000; i++) bomb = J(bomb, str(text("def d%d(a) = Abs(d%d(a))\n", i, i - 1)));
    bad_rules("defs that nest a thousand deep", bomb, "deeper");
    forget();
    list = keep(40000 * sizeof *list);
    for (int i = 0; i < 15000; i++) list[i] = str(text("rule r%d { match { y = Relu(x) } rewrite { y = Abs(x) } }\n", i));
    bad_rules("15,000 rules, the last twice", J(join(list, 15000), str("rule `r0 { match { y = Relu(x) } rewrite { y = x } }")), "r0|line 1");
    list = keep(100000 * sizeof *list);
    for (int i = 0; i < 50000; i++) list[i] = str(text("def d%d(a) = a\n", i));
    bad_rules("50,000 defs, the last twice", J(join(list, 50000), str("def `d0(a) = a")), "d0|twice");
    for (int i = 0; i < 50000; i++) list[i] = str(text("ops O%d = Relu\n", i));
    bad_rules("50,000 ops, the last twice", J(join(list, 50000), str("ops `O0 = Neg")), "O0|twice");
    forget();
    static const char whole[] = "def twice(a) = a + a\nops R = Relu | Neg\nrule a-1 since 7 {\n  match { keep z = R(x)\n y = Transpose<perm=$p>(twice(z)) }\n where const(x), float[1, N] x, $p[0..] == [1]\n rewrite { y = Abs(x) }\n}\n";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        put("rules/r.rules", raw(whole, n));
        put("out.onnx", str("the older output"));
        run(text("rules cut at byte %zu", n), (want){.code = 0, .other = CONFIG, .out = "out.onnx", .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
    }
    good_rules("an empty file", "");
    good_rules("the whole file", whole);
    unlink("rules/r.rules");
    put("out.onnx", str("the older output"));
    run("a rules file that is not there", (want){.code = 66, .other = CONFIG, .words = "rules/r.rules", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
    mkdir("rules/r.rules", 0700);
    run("a folder in the place of rules", (want){.code = 66, .other = CONFIG, .third = 74, .words = "rules/r.rules", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx --profile=./p.yaml");
    rmdir("rules/r.rules");
    forget();
}

/* Rules written in a pipeline: the place is told in the pipeline. */
static void rules_in_place(void) {
    bad_yaml("a fault in a block of rules", str("passes:\n  - rules: |\n      rule a {\n        match   { y = `Rilu(x) }\n        rewrite { y = x }\n      }\n"), "Rilu|Relu");
    bad_yaml("a fault in a second block", str("passes:\n  - rules:\n      - |\n        # nothing\n      - cleanup\n      - |\n\n        rule a {\n          match   { y = Relu(x) }\n          rewrite { y = `z }\n        }\n"), "z|bound");
    bad_yaml("a fault in the first line of a block", str("passes:\n  - rules: |\n     `rool\n     x\n"), "rule");
    bad_yaml("a fault at the end of a block", str("passes:\n  - rules: |\n     rule a { match { y = Relu(x) }\n     rewrite { y = x }\n`  - dce\n"), "'}'");
    bad_yaml("a fault in a block that keeps its end", str("passes:\n  - rules: |+\n      rule a { match { y = Relu(x) }\n      rewrite { y = `$e } }\n\n\n"), "$e");
    bad_yaml("a fault in a block that drops its end", str("passes:\n  - rules: |- # ours\n      rule a { match { y = Relu(x) }\n      rewrite { y = `$e } }\n"), "$e");
    bad_yaml("a fault in a block of stated indentation", str("passes:\n  - rules: |2\n        rule a { match { y = Relu(x) }\n      rewrite { y = `$e } }\n"), "$e");
    bad_yaml("a fault in a block behind letters beyond ASCII", str("# \xc3\xa4\xc3\xb6\xc3\xbc\xe4\xb8\xad\npasses:\n  - rules: |\n      # \xc3\xa4\n      rule a { match { y = Relu(x) }\n      rewrite { y = `$e } }\n"), "$e");
    bad_yaml("a fault in rules in quotes", str("passes:\n  - rules: `\"rule a {\\n match { y = Rilu(x) }\\n rewrite { y = x } }\"\n"), "Rilu|Relu");
    bad_yaml("a fault in folded rules", str("passes:\n  - rules: `>\n      rule a {\n        match { y = Rilu(x) }\n        rewrite { y = x } }\n"), "Rilu");
    good_yaml("a name as a block", "passes:\n  - rules: |-\n      cleanup\n");
    good_yaml("a rule as a block", "verify: false\npasses:\n  - rules: |\n      rule a {\n        match { y = Relu(x) }\n        rewrite { y = Abs(x) }\n      }\n");
    bytes *list = keep(20000 * sizeof *list);
    for (int i = 0; i < 10000; i++) list[i] = str(text("      - |\n        rule r%d { match { y = Relu(x) }\n        rewrite { y = Abs(x) } }\n", i));
    bad_yaml("10,000 blocks, the last wrong", J(str("passes:\n  - rules:\n"), join(list, 10000), str("      - |\n        rule z {\n        `}\n")), "match");
    forget();
}

void group_config(void) {
    put("m.onnx", making_y(N("Relu", "x", "y", NONE)));
    everywhere();
    wrong_values();
    broken_yaml();
    pipeline_files();
    rules_everywhere();
    rule_faults();
    rule_files();
    rules_in_place();
}
