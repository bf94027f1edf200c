/* Recurrent layers of floats, which go by packed weights and vectors, against the plain loops of double: sizes around the vectors' lengths,
 * every option, weights that are fixed or not, results that nobody wants; the same bits in later runs and for any number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "exec/exec.h"
#include "onnx/onnx.h"

static uint32_t seed = 1;
static uint32_t below(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)n * (seed >> 8) >> 24);
}

enum { CASES = 400, OPTIONAL = 5 };
/* B, lengths, initial h, initial c, P: in the order of the inputs. */
typedef struct form {
    const char *op, *direction;
    int64_t steps, batch, inputs, hidden, gates, directions;
    bool layout, fixed, given[OPTIONAL], want[3];
    char attributes[300];
    uint32_t numbers; /* seed of the values */
} form;

static const char *const acts[] = {"Sigmoid", "Tanh", "Relu", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu",
                                   "Softsign", "Softplus"};

static void add_activations(form *f, char *to, size_t size) {
    const int64_t n = f->directions * (f->gates == 4 ? 3 : f->gates == 3 ? 2 : 1);
    snprintf(to + strlen(to), size - strlen(to), ", activations = [");
    for (int64_t i = 0; i < n; i++) snprintf(to + strlen(to), size - strlen(to), "%s\"%s\"", i ? ", " : "", acts[below(11)]);
    snprintf(to + strlen(to), size - strlen(to), "]");
}

static form make(int number) {
    static const int64_t hiddens[] = {1, 3, 4, 8, 15, 16, 17, 31, 33, 64, 70};
    static const char *const ops[] = {"LSTM", "GRU", "RNN"};
    form f = {.op = ops[number % 3], .gates = number % 3 == 0 ? 4 : number % 3 == 1 ? 3 : 1, .directions = 1};
    const uint32_t way = below(3);
    f.direction = way == 0 ? "forward" : way == 1 ? "reverse" : "bidirectional";
    if (way == 2) f.directions = 2;
    f.hidden = hiddens[below(11)];
    f.inputs = below(4) ? 1 + below(20) : 8;
    f.steps = below(12) ? 1 + below(7) : 0;
    f.batch = below(4) ? 1 + below(9) : below(3) ? 1 : 51;
    f.layout = below(3) == 0;
    f.fixed = below(2);
    for (int i = 0; i < OPTIONAL; i++) f.given[i] = below(2);
    if (f.gates != 4) f.given[3] = f.given[4] = false;
    for (int i = 0; i < (f.gates == 4 ? 3 : 2); i++) f.want[i] = below(3) > 0;
    if (!f.want[0] && !f.want[1]) f.want[1] = true;
    snprintf(f.attributes, sizeof f.attributes, "hidden_size = %d, direction = \"%s\", layout = %d", (int)f.hidden, f.direction, f.layout);
    if (below(3) == 0) strcat(f.attributes, ", clip = 0.375");
    if (f.gates == 4 && below(3) == 0) strcat(f.attributes, ", input_forget = 1");
    if (f.gates == 3 && below(2)) strcat(f.attributes, ", linear_before_reset = 1");
    if (below(2)) add_activations(&f, f.attributes, sizeof f.attributes);
    f.numbers = seed;
    return f;
}

/* Text that grows. */
typedef struct text { char *data; size_t n, cap; } text;
static void add(text *t, const char *format, ...) {
    va_list list;
    if (t->cap - t->n < 1000) {
        t->data = realloc(t->data, t->cap = 2 * t->cap + 4000);
        assert_non_null(t->data);
    }
    va_start(list, format);
    t->n += (size_t)vsnprintf(t->data + t->n, t->cap - t->n, format, list);
    va_end(list);
}

typedef struct operand { const char *name; int rank; int64_t dims[3]; bool whole, constant, given; } operand;
enum { OPERANDS = 8 };

static void operands_of(const form *f, operand *o) {
    const int64_t d = f->directions, wide = f->gates * f->hidden, b = f->batch, first = f->layout ? b : d, second = f->layout ? d : b;
    const operand all[OPERANDS] = {{"X", 3, {f->layout ? b : f->steps, f->layout ? f->steps : b, f->inputs}, false, false, true},
                                   {"W", 3, {d, wide, f->inputs}, false, f->fixed, true},
                                   {"R", 3, {d, wide, f->hidden}, false, f->fixed, true},
                                   {"B", 2, {d, 2 * wide}, false, f->fixed, f->given[0]},
                                   {"L", 1, {b}, true, false, f->given[1]},
                                   {"H", 3, {first, second, f->hidden}, false, false, f->given[2]},
                                   {"C", 3, {first, second, f->hidden}, false, false, f->given[3]},
                                   {"P", 2, {d, 3 * f->hidden}, false, f->fixed, f->given[4]}};
    memcpy(o, all, sizeof all);
}

static double value_of(const form *f, const operand *o) {
    if (o->whole) return below((uint32_t)f->steps + 1);
    return ((double)below(255) - 127) / (o->name[0] == 'X' ? 64 : 256); /* float16 holds it */
}

static void add_type(text *t, const operand *o, const char *type) {
    add(t, "%s[", o->whole ? "int32" : type);
    for (int i = 0; i < o->rank; i++) add(t, "%s%d", i ? "," : "", (int)o->dims[i]);
    add(t, "] %s", o->name);
}

static int64_t count_of(const operand *o) { return o->dims[0] * (o->rank > 1 ? o->dims[1] : 1) * (o->rank > 2 ? o->dims[2] : 1); }

/* The model as text; values of the inputs into IN, as tensors. */
static text write_model(ox_ctx *c, const form *f, const char *type, ox_dtype dtype, ox_rt **in) {
    operand o[OPERANDS];
    text t = {0}, constants = {0};
    int n_in = 0;
    operands_of(f, o);
    seed = f->numbers;
    add(&t, "<ir_version: 10, opset_import: [\"\": 22]> g (");
    for (int i = 0; i < OPERANDS; i++) {
        if (!o[i].given) continue;
        ox_tensor *x = o[i].constant ? NULL : ox_tensor_new(c, o[i].whole ? OX_INT32 : dtype, o[i].rank, o[i].dims);
        text *to = x ? &t : &constants;
        add(to, "%s", x ? (n_in ? ", " : "") : constants.n ? ", " : "");
        add_type(to, &o[i], type);
        if (!x) add(to, " = {");
        for (int64_t k = 0; k < count_of(&o[i]); k++) {
            const double v = value_of(f, &o[i]);
            if (x) ox_store_double(x->dtype, ox_tensor_mut(x), k, v);
            else add(to, "%s%.9g", k ? "," : "", v);
        }
        if (!x) add(to, "}");
        else in[n_in++] = ox_rt_tensor(c, x);
    }
    add(&t, ") => (");
    for (int i = 0, n = 0; i < 3; i++)
        if (f->want[i]) add(&t, "%s%s y%d", n++ ? ", " : "", type, i);
    add(&t, ")");
    if (constants.n) {
        add(&t, " <");
        for (size_t k = 0; k < constants.n; k += 500) add(&t, "%.500s", constants.data + k);
        add(&t, ">");
    }
    add(&t, " { ");
    for (int i = 0; i < (f->want[2] ? 3 : f->want[1] ? 2 : 1); i++) {
        if (i) add(&t, ", ");
        if (f->want[i]) add(&t, "y%d", i);
    }
    add(&t, " = %s <%s> (", f->op, f->attributes);
    for (int i = 0; i < (f->gates == 4 ? OPERANDS : 6); i++) add(&t, "%s%s", i ? ", " : "", o[i].given ? o[i].name : "");
    add(&t, ") }");
    free(constants.data);
    return t;
}

/* Results into OUT, how many; the second run must give the bits of the first. */
static int results(ox_ctx *c, const form *f, const char *type, ox_dtype dtype, int threads, ox_tensor **out) {
    ox_rt *in[OPERANDS], *first[3], *again[3];
    text t = write_model(c, f, type, dtype, in);
    c->threads = threads;
    ox_model *m = ox_model_parse(c, t.data, t.n, "test");
    if (!m) fail_msg("%s <%s>: %s", f->op, f->attributes, ox_error_text(c));
    ox_frame *frame = ox_frame_new(m);
    const int n = (int)m->graph->ret->n_in;
    if (!frame || ox_frame_run(frame, in, first)) fail_msg("%s <%s>: %s", f->op, f->attributes, ox_error_text(c));
    for (int run = 0; run < 2; run++) {
        if (ox_frame_run(frame, in, again)) fail_msg("%s <%s>: %s", f->op, f->attributes, ox_error_text(c));
        for (int i = 0; i < n; i++) {
            if (!ox_tensor_equal(first[i]->t, again[i]->t)) fail_msg("%s <%s>: other bits in a later run", f->op, f->attributes);
            ox_rt_unref(again[i]);
        }
    }
    for (int i = 0; i < n; i++) {
        out[i] = ox_tensor_ref(first[i]->t);
        ox_rt_unref(first[i]);
    }
    for (size_t i = 0; i < m->graph->n_inputs; i++) ox_rt_unref(in[i]);
    ox_frame_free(frame);
    ox_model_free(m);
    free(t.data);
    return n;
}

static void compare(const form *f, const ox_tensor *want, const ox_tensor *got, double close) {
    assert_int_equal(want->count, got->count);
    double scale = 1;
    for (int64_t k = 0; k < want->count; k++) scale = fmax(scale, fabs(ox_load_double(OX_DOUBLE, ox_tensor_data(want), k)));
    for (int64_t k = 0; k < want->count; k++) {
        const double w = ox_load_double(OX_DOUBLE, ox_tensor_data(want), k), g = ox_load_double(got->dtype, ox_tensor_data(got), k);
        if (!(fabs(w - g) <= close * scale) && scale < 1e4)
            fail_msg("%s <%s> steps %d batch %d inputs %d: element %d is %.9g, not %.9g", f->op, f->attributes, (int)f->steps, (int)f->batch,
                     (int)f->inputs, (int)k, g, w);
    }
}

static void layers_agree_with_double(void **state) {
    (void)state;
    for (int k = 0; k < CASES; k++) {
        ox_ctx *c = ox_ctx_new();
        seed = (uint32_t)k * 7919u + 3;
        const form f = make(k);
        ox_tensor *want[3], *got[3], *more[3];
        const bool half = k % 8 == 5;
        const int n = results(c, &f, "double", OX_DOUBLE, 1, want);
        assert_int_equal(results(c, &f, half ? "float16" : "float", half ? OX_FLOAT16 : OX_FLOAT, 1, got), n);
        results(c, &f, half ? "float16" : "float", half ? OX_FLOAT16 : OX_FLOAT, 2 + k % 3, more);
        for (int i = 0; i < n; i++) {
            compare(&f, want[i], got[i], half ? 1e-3 : 1e-5);
            if (!ox_tensor_equal(got[i], more[i])) fail_msg("%s <%s>: other bits with threads", f.op, f.attributes);
            ox_tensor_unref(want[i]);
            ox_tensor_unref(got[i]);
            ox_tensor_unref(more[i]);
        }
        ox_ctx_free(c);
    }
}

/* So large that steps and directions are shared among threads. */
static void large_layers_do_not_depend_on_threads(void **state) {
    (void)state;
    static const char *const directions[] = {"forward", "bidirectional"};
    for (int k = 0; k < 6; k++) {
        ox_ctx *c = ox_ctx_new();
        form f = {.op = k % 3 == 0 ? "LSTM" : k % 3 == 1 ? "GRU" : "RNN", .steps = 3, .batch = k < 3 ? 20 : 50, .inputs = 8, .hidden = k % 3 == 2 ? 300 : 130,
                  .directions = k < 3 ? 1 : 2, .given = {true}, .want = {true}, .numbers = 7};
        f.gates = k % 3 == 0 ? 4 : k % 3 == 1 ? 3 : 1;
        snprintf(f.attributes, sizeof f.attributes, "hidden_size = %d, direction = \"%s\"", (int)f.hidden, directions[k >= 3]);
        ox_tensor *want, *one, *more;
        results(c, &f, "double", OX_DOUBLE, 1, &want);
        results(c, &f, "float", OX_FLOAT, 1, &one);
        compare(&f, want, one, 3e-5);
        for (int threads = 2; threads < 5; threads++) {
            results(c, &f, "float", OX_FLOAT, threads, &more);
            if (!ox_tensor_equal(one, more)) fail_msg("%s <%s>: other bits with %d threads", f.op, f.attributes, threads);
            ox_tensor_unref(more);
        }
        ox_tensor_unref(want);
        ox_tensor_unref(one);
        ox_ctx_free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers_agree_with_double), cmocka_unit_test(large_layers_do_not_depend_on_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
