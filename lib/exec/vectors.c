/* Which operators are instructions of programs (program.h): those on floats that lib/cpu has vectors for. */
#include "exec/lower.h"

#include <math.h>
#include <string.h>

typedef struct row {
    const char *name;
    bool two;
    uint8_t fn;
    const char *p[2]; /* attributes that are its parameters */
} row;

static const row rows[] = {
    {"Abs", false, OX_FN_ABS, {0}}, {"Neg", false, OX_FN_NEG, {0}}, {"Sign", false, OX_FN_SIGN, {0}}, {"Sqrt", false, OX_FN_SQRT, {0}},
    {"Reciprocal", false, OX_FN_RECIPROCAL, {0}}, {"Floor", false, OX_FN_FLOOR, {0}}, {"Ceil", false, OX_FN_CEIL, {0}},
    {"Round", false, OX_FN_ROUND, {0}}, {"Exp", false, OX_FN_EXP, {0}}, {"Log", false, OX_FN_LOG, {0}}, {"Sin", false, OX_FN_SIN, {0}},
    {"Cos", false, OX_FN_COS, {0}}, {"Tanh", false, OX_FN_TANH, {0}}, {"Sigmoid", false, OX_FN_SIGMOID, {0}}, {"Erf", false, OX_FN_ERF, {0}},
    {"Relu", false, OX_FN_RELU, {0}}, {"LeakyRelu", false, OX_FN_LEAKY_RELU, {"alpha"}}, {"Elu", false, OX_FN_ELU, {"alpha"}},
    {"Selu", false, OX_FN_SELU, {"alpha", "gamma"}}, {"Celu", false, OX_FN_CELU, {"alpha"}},
    {"HardSigmoid", false, OX_FN_HARD_SIGMOID, {"alpha", "beta"}}, {"HardSwish", false, OX_FN_HARD_SWISH, {0}},
    {"Softplus", false, OX_FN_SOFTPLUS, {0}}, {"Softsign", false, OX_FN_SOFTSIGN, {0}}, {"Swish", false, OX_FN_SWISH, {"alpha"}},
    {"Mish", false, OX_FN_MISH, {0}}, {"Gelu", false, OX_FN_GELU, {0}}, {"ThresholdedRelu", false, OX_FN_THRESHOLDED_RELU, {"alpha"}},
    {"Add", true, OX_FN2_ADD, {0}}, {"Sub", true, OX_FN2_SUB, {0}}, {"Mul", true, OX_FN2_MUL, {0}}, {"Div", true, OX_FN2_DIV, {0}},
    {"Min", true, OX_FN2_MIN, {0}}, {"Max", true, OX_FN2_MAX, {0}}, {"PRelu", true, OX_FN2_PRELU, {0}}, {"Sum", true, OX_FN2_ADD, {0}},
    {"Pow", true, OX_FN2_POW, {0}}, {"Clip", false, OX_FN_CLIP, {0}},
};

/* The one element of a constant input; NAN: it is none. */
static float constant_float(const ox_step *s, int i) {
    const ox_rt *v = i < s->n_in && s->in[i] && s->in_cell[i] == OX_NO_CELL ? *s->in[i] : NULL;
    const void *data = v && v->kind == OX_RT_TENSOR && v->t->count == 1 ? ox_tensor_data(v->t) : NULL;
    return data ? (float)ox_load_double(v->t->dtype, data, 0) : NAN;
}

/* min(max(x, lo), hi) with bounds that are constants or absent. */
static bool clip_bounds(const ox_step *s, ox_instruction *c) {
    c->p[0] = -INFINITY;
    c->p[1] = INFINITY;
    for (int i = 1; i < s->n_in && i < 3; i++) {
        if (!s->in[i]) continue;
        c->p[i - 1] = constant_float(s, i);
        if (isnan(c->p[i - 1])) return false;
    }
    return true;
}

/* The usual powers need no logarithm. */
static void power(const ox_step *s, ox_chain *c) {
    ox_instruction *i = &c->program.code[0];
    float e = constant_float(s, 1);
    if (e != 2 && e != -1 && e != 0.5f) return;
    i->two = false;
    i->fn = e == 2 ? OX_FN_SQUARE : e == -1 ? OX_FN_RECIPROCAL : OX_FN_SQRT;
    c->program.n_operands = 1;
}

bool ox_chain_of(const ox_step *s, ox_chain *c) {
    const row *r = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !r; i++)
        if (ox_lower_is(s, rows[i].name)) r = &rows[i];
    if (r && r->two && ox_has(&s->call, "axis")) return false; /* the broadcasting of old opsets */
    const ox_type *t = r && s->call.n_out == 1 ? ox_lower_type(s, 0) : NULL;
    if (!t || t->kind != OX_K_TENSOR || (t->dtype != OX_FLOAT && t->dtype != OX_FLOAT16 && t->dtype != OX_BFLOAT16)) return false;
    int n = r->two ? 2 : 1;
    if (r->fn != OX_FN_CLIP || r->two) {
        if (s->n_in != n) return false;
    }
    *c = (ox_chain){.dtype = t->dtype, .program = {.n = 1, .n_operands = n}};
    ox_instruction *i = &c->program.code[0];
    *i = (ox_instruction){.two = r->two, .fn = r->fn, .a = OX_OPERAND(0), .b = OX_OPERAND(1)};
    for (int k = 0; k < 2 && r->p[k]; k++) i->p[k] = (float)ox_get_float(&s->call, r->p[k]);
    if (!r->two && r->fn == OX_FN_CLIP && !clip_bounds(s, i)) return false;
    if (!r->two && r->fn == OX_FN_GELU && !strcmp(ox_get_string(&s->call, "approximate"), "tanh")) i->fn = OX_FN_GELU_TANH;
    for (int k = 0; k < n; k++) {
        const ox_type *x = ox_lower_type(s, k);
        if (!s->in[k] || !x || x->kind != OX_K_TENSOR || x->dtype != t->dtype) return false;
    }
    if (r->two && r->fn == OX_FN2_POW) power(s, c);
    return true;
}
