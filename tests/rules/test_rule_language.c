/* The rule language: what is an error and where, what three-valued guards do, rules that do not end, --explain, rules for profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "passes/pass.h"

/* ---- errors ---- */

static const struct { const char *rules, *error; } bad[] = {
    {"rule a { match { y = Rilu(x) } rewrite { y = x } }", "r:1:22: rule a: unknown operator 'Rilu'; did you mean 'Relu'?"},
    {"rule a {\n  match { y = Relu<alpha=1>(x) }\n  rewrite { y = x } }", "r:2:26: rule a: Relu has no attribute or input 'alpha'"},
    {"rule a { match { y = Relu(x, z) } rewrite { y = x } }", "Relu takes at most 1 inputs, 2 given"},
    {"rule a { match { y = Relu(x) } rewrite { y = z } }", "r:1:46: rule a: 'z' is not bound"},
    {"rule a { match { y = Relu(x) } rewrite { z = Relu(x) y = x } }", "'z' is made but not used"},
    {"rule a { match { y = Relu(x) y = Neg(x) } rewrite { y = x } }", "'y' is defined twice"},
    {"rule a { match { y = Relu(x) } rewrite { y = x y = x } }", "'y' is defined twice"},
    {"rule a { match { y = Relu(x) } rewrite { x = Relu(x) } }", "'x' is an input of the match"},
    {"rule a { match { y = Relu(x) } rewrite { } }", "no name is defined on both sides"},
    {"rule a { match { y = Relu(z) z = Neg(y) } rewrite { y = z } }", "is made of itself"},
    {"rule a { match { y = Relu(x) z = Neg(x) } rewrite { y = x } }", "'z' does not lead to an output"},
    {"rule a { match { y = x } rewrite { y = x } }", "'y' must be made by an operator"},
    {"rule a { match { y = Relu(x) | x } rewrite { y = x } }", "the output of a match must be made by an operator"},
    {"rule a { match { y = Relu(x) } where cnst(x) rewrite { y = x } }", "unknown function 'cnst'; did you mean 'const'?"},
    {"rule a { match { y = Relu(x) } where rank(x, x) == 1 rewrite { y = x } }", "rank() does not take 2 arguments"},
    {"rule a { match { y = Relu(x) } where rank(x) rewrite { y = x }", "expected '}', found the end of the text"},
    {"rule a { match { y = Relu(x) } where x + 1 rewrite { y = x } }", "this is not a condition"},
    {"rule a { match { y = Relu(x) } where $e == 1 rewrite { y = x } }", "'$e' is not bound"},
    {"rule a { match { y = Cast<to=*>(x) } rewrite { y = Cast(x) } }", "attribute 'to' of Cast is missing"},
    {"rule a { match { y = Relu(x) } rewrite { y = Add(x) } }", "input 'B' of Add is missing"},
    {"rule a { match { y = Relu(x) } rewrite { y = Neg(Neg(x)) } }", "makes 2 nodes of 1: such a rule must say 'expand'"},
    {"rule a { match { y = Conv<..c>(x, W) } rewrite { y = Conv<..d>(x, W) } }", "'..d' is not bound"},
    {"rule a { match { y = Conv<..c, ..d>(x, W) } rewrite { y = x } }", "a second '..'"},
    {"rule a { match { y = Clip(x, min=a, min=b) } rewrite { y = x } }", "'min' is given twice"},
    {"rule a { match { y = Clip(x, a, min=b) } rewrite { y = x } }", "input 'min' of Clip is given twice"},
    {"rule a { match { y = Relu(x...) } rewrite { y = x } }", "Relu takes no list of inputs"},
    {"rule a { match { y = Relu(2 * 3) } rewrite { y = 1 } }", "a computation of literals cannot be matched"},
    {"rule a { match { y = Relu(y) } rewrite { y = 1 } }", "is made of itself"},
    {"rule a { match { y = Neg(x) } rewrite { y = Relu(y) } }", "'y' is replaced: it cannot be used"},
    {"rule a { match { y = Relu(x) } rewrite { y = x | x } }", "'|' belongs into the match"},
    {"rule a since 5 until 4 { match { y = Relu(x) } rewrite { y = x } }", "holds never"},
    {"rule a { match { y = Relu(x) } rewrite { y = x } } rule a { match { y = Relu(x) } rewrite { y = x } }", "the name is used in line 1"},
    {"rule a { match { y = R(x) } rewrite { y = x } }", "unknown operator 'R'"},
    {"ops R = Relu | Tonh rule a { match { y = R(x) } rewrite { y = x } }", "unknown operator 'Tonh'; did you mean 'Tanh'?"},
    {"def f(a, b) = a + b rule a { match { y = f(x) } rewrite { y = x } }", "f() takes 2 arguments, 1 given"},
    {"rool a { }", "r:1:1: expected 'rule', 'def' or 'ops'"},
    {"rule a { match { y = Relu(x } rewrite { y = x } }", "expected ')', found '}'"},
    {"rule a { match { y = x + 99999999999999999999 } rewrite { y = x } }", "larger than 18446744073709551615"},
};

static void errors_say_where(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ox_ctx *ctx = ox_ctx_new();
        assert_null(ox_rules_parse(ctx, bad[i].rules, strlen(bad[i].rules), "r"));
        if (!strstr(ox_error_text(ctx), bad[i].error)) print_message("%s\n  gives: %s\n  want: %s\n", bad[i].rules, ox_error_text(ctx), bad[i].error);
        assert_non_null(strstr(ox_error_text(ctx), bad[i].error));
        assert_int_equal(ox_error_code(ctx), OX_CONFIG);
        ox_ctx_free(ctx);
    }
}

static void nesting_is_bounded(void **state) {
    (void)state;
    static const struct { const char *open, *close; } kinds[] = {{"(", ")"}, {"Relu(", ")"}, {"!", ""}, {"- ", ""}, {"[", "]"}, {"x + ", ""}, {"x | ", ""}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        ox_ctx *ctx = ox_ctx_new();
        ox_text t = {.arena = ctx->arena};
        ox_text_add(&t, "rule a { match { y = Relu(");
        for (int i = 0; i < 100000; i++) ox_text_add(&t, kinds[k].open);
        ox_text_add(&t, "x");
        for (int i = 0; i < 100000; i++) ox_text_add(&t, kinds[k].close);
        ox_text_add(&t, ") } rewrite { y = x } }");
        assert_null(ox_rules_parse(ctx, t.data, t.len, "r"));
        assert_true(strstr(ox_error_text(ctx), "nested deeper") || strstr(ox_error_text(ctx), "too large"));
        ox_ctx_free(ctx);
    }
}

/* ---- applying ---- */

typedef struct { ox_ctx *ctx; ox_model *m; ox_arena *arena; ox_pass_run run; } bench;

static bench start(const char *model) {
    bench b = {.ctx = ox_ctx_new()};
    b.m = ox_model_parse(b.ctx, model, strlen(model), "m");
    if (!b.m) print_message("%s\n", ox_error_text(b.ctx));
    assert_non_null(b.m);
    assert_int_equal(ox_infer_model(b.m, &(ox_infer_options){.run_constants = true}), 0);
    b.arena = ox_arena_new(b.ctx);
    b.run = (ox_pass_run){.ctx = b.ctx, .m = b.m, .arena = b.arena};
    return b;
}

static void stop(bench *b) {
    assert_int_equal(ox_verify(b->m), 0);
    ox_arena_free(b->arena);
    ox_model_free(b->m);
    ox_ctx_free(b->ctx);
}

static const ox_ruleset *rules(bench *b, const char *text) {
    const ox_ruleset *s = ox_rules_parse(b->ctx, text, strlen(text), "r");
    if (!s) print_message("%s\n", ox_error_text(b->ctx));
    assert_non_null(s);
    return s;
}

static int apply(bench *b, const char *text) {
    const ox_ruleset *s = rules(b, text);
    return ox_rules_apply(&b->run, &s, 1);
}

#define HEAD "<ir_version: 8, opset_import: [\"\" : 17]> "
static const char relu[] = HEAD "g (float[N] x) => (float[N] y) { y = Relu(x) }";
static const char chain[] = HEAD "g (float[N,3] x, float[N,3] z) => (float[N,3] y) { a = Mul(x, z) b = Relu(a) c = Neg(b) y = Add(c, x) }";

static void rules_that_undo_each_other(void **state) {
    (void)state;
    bench b = start(chain);
    int n = apply(&b, "rule to-abs { match { y = Relu(x) } rewrite { y = Abs(x) } } rule to-relu { match { y = Abs(x) } rewrite { y = Relu(x) } }");
    assert_int_equal(n, -1);
    assert_int_equal(ox_error_code(b.ctx), OX_CONFIG);
    assert_non_null(strstr(ox_error_text(b.ctx), "to-abs"));
    assert_non_null(strstr(ox_error_text(b.ctx), "to-relu"));
    ox_clear_error(b.ctx);
    stop(&b);
}

static void expanding_rules_end(void **state) {
    (void)state;
    bench b = start(relu);
    assert_int_equal(apply(&b, "rule twice expand { match { y = Relu(x) } rewrite { y = Relu(Relu(x)) } }"), 1);
    assert_int_equal(b.m->graph->n_nodes, 2);
    stop(&b);
}

static void profiles_and_names_left_out(void **state) {
    (void)state;
    const char *text = "rule a for mine { match { y = Relu(x) } rewrite { y = Abs(x) } }";
    bench b = start(relu);
    assert_int_equal(apply(&b, text), 0);
    b.run.profile = "mine";
    b.run.without = "b,a";
    assert_int_equal(apply(&b, text), 0);
    b.run.without = "b";
    assert_int_equal(apply(&b, text), 1);
    stop(&b);
}

/* A guard on what is unknown is no match, negated or not; one on what is absent holds. */
static void guards_are_proved(void **state) {
    (void)state;
    static const struct { const char *guard; int want; } rows[] = {
        {"shape(x)[0] == 5", 0},  {"shape(x)[0] != 5", 0},       {"!(shape(x)[0] == 5)", 0}, {"shape(x)[1] == 3", 1},
        {"shape(x)[1] != 4", 1},  {"shape(x)[0] >= 0", 1},       {"shape(x)[0] > 0", 0},     {"shape(x) == shape(z)", 1},
        {"rank(x) in {1, 2}", 1}, {"rank(x) in {1, 3}", 0},      {"dtype(x) == float", 1},   {"T[A, B] x, T[A, C] z, A == A, B == C", 1},
        {"T[A, A] x", 0},         {"const(x)", 0},               {"!const(x)", 1},           {"shape(x)[..1] == [shape(z)[0]]", 1},
        {"float[?, 3] x", 1},     {"double[?, 3] x", 0},         {"1..3 == [1, 2]", 1},      {"spread([0, 1], [1]) == [0, 1, 2]", 1},
        {"1 == 2 || rank(x) == 2", 1}, {"size(x) == 3 * shape(x)[0]", 1}, {"[..shape(x)[1..], 4][-1] == 4", 1}, {"has([1, 2], 3)", 0},
        {"Max(2, 3) == 3", 1},    {"ReduceSum<keepdims=0>([1, 2, 3]) == 6", 1}, {"7 / 2 == 3 && 7 % 4 == 3", 1}, {"broadcasts([1, 3], shape(x))", 1},
        {"broadcasts([2, 3], shape(x))", 0}, {"lossless(float, double)", 1}, {"lossless(int64, double)", 0}, {"reverse([1, 2]) == [2, 1]", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        bench b = start(chain);
        snprintf(text, sizeof text, "rule a { match { y = x * z } where %s rewrite { y = Sub(x, z) } }", rows[i].guard);
        int n = apply(&b, text);
        if (n != rows[i].want) print_message("%s: %d\n", rows[i].guard, n);
        assert_int_equal(n, rows[i].want);
        stop(&b);
    }
}

static void absent_operands(void **state) {
    (void)state;
    bench b = start(HEAD "g (float[1,2,5,5] x, float[2,2,3,3] w) => (float[1,2,3,3] y) { y = Conv(x, w) }");
    assert_int_equal(apply(&b, "rule a { match { y = Conv<..c>(x, W, B?) } where const(B), rank(B) == 7, absent(B) rewrite { y = Conv<..c>(x, W, B?) } }"), -1);
    ox_clear_error(b.ctx); /* it comes to no end, so it matched */
    assert_int_equal(apply(&b, "rule a { match { y = Conv<..c>(x, W, B) } rewrite { y = Conv<..c>(x, W) } }"), 0);
    assert_int_equal(apply(&b, "rule a { match { y = Conv<..c>(x, W, B?) } where present(B) rewrite { y = Conv<..c>(x, W) } }"), 0);
    stop(&b);
}

/* Two outputs made by two nodes that share an input. */
static void several_outputs(void **state) {
    (void)state;
    bench b = start(HEAD "g (float[2,4] x) => (float[2,4] u, float[2,4] v) { a = Sin(x) u = Neg(a) b = Cos(x) v = Neg(b) }");
    const char *text = "rule a { match { s = Sin(x) c = Cos(x) } rewrite { c = Abs(x) s = Relu(x) } }";
    assert_int_equal(apply(&b, text), 1);
    assert_int_equal(b.m->graph->n_nodes, 4);
    stop(&b);
    /* c is made of s: no place for both */
    b = start(HEAD "g (float[2,4] x) => (float[2,4] v) { s = Sin(x) n = Neg(s) k = Cos(n) v = Add(k, s) }");
    text = "rule a { match { s = Sin(x) c = Cos(n) y = c + s } rewrite { y = Max(x, n) } }";
    assert_int_equal(apply(&b, text), 0);
    stop(&b);
}

static void bodies_and_functions(void **state) {
    (void)state;
    bench b = start(HEAD "g (bool c, float[2] x) => (float[2] y) <float[2] k = {1, 2}> { "
                         "y = If(c) <then_branch = t () => (float[2] p) { a = Mul(x, k) p = Neg(a) }, "
                         "else_branch = e () => (float[2] q) { n = Neg(x) q = Neg(n) }> }");
    assert_int_equal(apply(&b, "rule a { match { y = Neg(x * k) } where const(k) rewrite { y = x * -k } } rule b { match { y = Neg(Neg(x)) } rewrite { y = x } }"), 2);
    stop(&b);
    b = start("<ir_version: 8, opset_import: [\"\" : 17, \"f\" : 1]> g (float[2] x) => (float[2] y) { y = f.twice(x) }\n"
              "<domain: \"f\", opset_import: [\"\" : 17]> twice (x) => (y) { k = Constant<value = float {2.0}>() a = Mul(x, k) y = Neg(a) }");
    assert_int_equal(apply(&b, "rule a { match { y = Neg(x * k) } where const(k) rewrite { y = x * -k } }"), 1);
    stop(&b);
}

static void explain_tells_why(void **state) {
    (void)state;
    static const struct { const char *rule, *why; } rows[] = {
        {"rule r { match { y = Neg(Abs(x)) } rewrite { y = x } }", "Abs was expected, found Relu"},
        {"rule r { match { y = Neg(Relu(x)) } where rank(x) == 3 rewrite { y = x } }", "the condition at line 1, column 43 is false"},
        {"rule r { match { y = Neg(Relu(x)) } where shape(x)[0] == 3 rewrite { y = x } }", "is not proved"},
        {"rule r { match { y = Relu(x * 2) } rewrite { y = x } }", "an operand is not the constant 2"},
        {"rule r { match { y = Neg(Relu(x)) } rewrite { y = x } }", "matches"},
        {"rule r { match { y = Sin(x) } rewrite { y = x } }", "no node that rule r could begin at"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench b = start(chain);
        ox_text out = {.arena = b.ctx->arena};
        assert_int_equal(ox_rules_explain(b.m, rules(&b, rows[i].rule), "r", &out), 0);
        if (!strstr(out.data, rows[i].why)) print_message("%s\n", out.data);
        assert_non_null(strstr(out.data, rows[i].why));
        stop(&b);
    }
}

static void text_of_rules(void **state) {
    (void)state;
    ox_ctx *ctx = ox_ctx_new();
    const char *text = ox_rule_text(ctx, "conv-bn");
    assert_non_null(text);
    assert_int_equal(text[0], '#');
    assert_non_null(strstr(text, "BatchNormalization"));
    assert_null(ox_rule_text(ctx, "no-such-rule"));
    assert_null(ox_rules_shipped(ctx, "no-such-set"));
    assert_int_equal(ox_error_code(ctx), OX_OK);
    ox_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_where),      cmocka_unit_test(nesting_is_bounded),  cmocka_unit_test(rules_that_undo_each_other),
        cmocka_unit_test(expanding_rules_end),   cmocka_unit_test(profiles_and_names_left_out), cmocka_unit_test(guards_are_proved),
        cmocka_unit_test(absent_operands),       cmocka_unit_test(several_outputs),     cmocka_unit_test(bodies_and_functions),
        cmocka_unit_test(explain_tells_why),     cmocka_unit_test(text_of_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
