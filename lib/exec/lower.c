/* Joining steps: see lower.h.
 *
 * A value that only one step reads, and that an element-wise step of the same size made, need not exist: the two become one program. In the
 * same way a program joins the product or convolution that makes its input. The joined step stands where the last of its parts stood. Only
 * what types prove is done: sizes that may differ are not joined. */
#include "exec/lower.h"
#include "cpu/conv.h"
#include "exec/quant_native.h"

#include <string.h>

/* ---- what is known */

const ox_type *ox_lower_cell_type(const ox_plan *p, uint32_t cell) {
    const ox_value *v = cell == OX_NO_CELL ? NULL : p->values[cell];
    return v ? v->type : NULL;
}

const ox_type *ox_lower_type(const ox_step *s, int i) {
    const ox_value *v = i < s->n_in ? s->in_value[i] : NULL;
    return v ? v->type : NULL;
}

bool ox_lower_fixed(const ox_step *s, int i, int *rank, int64_t *dims) {
    if (i < 0 || i >= s->n_in || !s->in[i] || s->in_cell[i] != OX_NO_CELL || s->around[i]) return false;
    const ox_rt *v = *s->in[i];
    if (v && v->kind == OX_RT_TENSOR && v->t->rank <= 8) {
        *rank = v->t->rank;
        memcpy(dims, v->t->dims, (size_t)v->t->rank * sizeof *dims);
        return true;
    }
    const ox_type *t = ox_lower_type(s, i);
    if (v || !t || t->kind != OX_K_TENSOR || t->rank < 0 || t->rank > 8) return false;
    *rank = t->rank;
    for (int d = 0; d < t->rank; d++)
        if (!ox_dim_is_const(t->dims[d], &dims[d])) return false;
    return true;
}

bool ox_lower_same_dims(const ox_type *a, const ox_type *b) {
    if (!a || !b || a->kind != OX_K_TENSOR || b->kind != OX_K_TENSOR || a->rank < 0 || a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (!a->dims[d] || a->dims[d] != b->dims[d]) return false;
    return true;
}

bool ox_lower_is(const ox_step *s, const char *op_type) {
    return !strcmp(s->call.op->name, op_type) && !*ox_op_domain(s->call.ctx, s->call.op);
}

static int64_t count_of(int rank, const int64_t *dims) {
    int64_t n = 1;
    for (int d = 0; d < rank; d++)
        if (!ox_mul_ok(n, dims[d], &n)) return -1;
    return n;
}

static uint32_t reads_of(const ox_step *s, uint32_t cell) {
    uint32_t n = 0;
    for (int i = 0; i < s->n_in; i++) n += s->in_cell[i] == cell;
    return n;
}

/* ---- a step's inputs */

static void grow_inputs(ox_lower *l, ox_step *s, int n) {
    ox_arena *a = l->f->arena;
    ox_cell **in = OX_NEW_N(a, ox_cell *, n + 1);
    uint32_t *in_cell = OX_NEW_N(a, uint32_t, n + 1);
    const ox_value **in_value = OX_NEW_N(a, const ox_value *, n + 1);
    bool *around = OX_NEW_N(a, bool, n + 1);
    memcpy(in, s->in, (size_t)s->n_in * sizeof *in);
    memcpy(in_cell, s->in_cell, (size_t)s->n_in * sizeof *in_cell);
    memcpy(in_value, s->in_value, (size_t)s->n_in * sizeof *in_value);
    memcpy(around, s->around, (size_t)s->n_in * sizeof *around);
    s->in = in;
    s->in_cell = in_cell;
    s->in_value = in_value;
    s->around = around;
}

/* Input of S that is the same as input i of FROM, added when it is not there. */
static int add_input(ox_lower *l, ox_step *s, const ox_step *from, int i) {
    for (int k = 0; k < s->n_in; k++)
        if (s->in[k] == from->in[i]) {
            if (s->in_cell[k] != OX_NO_CELL) l->uses[s->in_cell[k]]--; /* two reads become one */
            return k;
        }
    grow_inputs(l, s, s->n_in + 1);
    int k = s->n_in++;
    s->in[k] = from->in[i];
    s->in_cell[k] = from->in_cell[i];
    s->in_value[k] = from->in_value[i];
    s->around[k] = from->around[i];
    return k;
}

static void remove_input(ox_step *s, int k) {
    size_t behind = (size_t)(s->n_in - 1 - k);
    memmove(s->in + k, s->in + k + 1, behind * sizeof *s->in);
    memmove(s->in_cell + k, s->in_cell + k + 1, behind * sizeof *s->in_cell);
    memmove(s->in_value + k, s->in_value + k + 1, behind * sizeof *s->in_value);
    memmove(s->around + k, s->around + k + 1, behind * sizeof *s->around);
    s->n_in--;
}

/* A tells of the nodes that B stood for. */
static void take_nodes(ox_lower *l, ox_step *a, const ox_step *b) {
    const ox_node **with = OX_NEW_N(l->f->arena, const ox_node *, a->n_with + b->n_with + 2);
    size_t n = 0;
    for (size_t i = 0; i < b->n_with; i++) with[n++] = b->with[i];
    with[n++] = b->node;
    for (size_t i = 0; i < a->n_with; i++) with[n++] = a->with[i];
    a->with = with;
    a->n_with = n;
}

/* ---- chains */

/* Operand K leaves the program; those behind it move up. */
static void remove_operand(ox_program *p, int k) {
    for (int i = 0; i < p->n; i++) {
        if (p->code[i].a < OX_OPERAND(k)) p->code[i].a++;
        if (p->code[i].two && p->code[i].b < OX_OPERAND(k)) p->code[i].b++;
    }
    p->n_operands--;
}

static bool has_one(const ox_type *t) {
    int64_t n;
    for (int i = 0; t && i < t->rank; i++)
        if (t->dims[i] && ox_dim_is_const(t->dims[i], &n) && n == 1) return true;
    return false;
}

/* Nothing says that sizes differ. */
static bool may_be_same(const ox_type *a, const ox_type *b) {
    int64_t n, m;
    if (!a || !b || a->kind != OX_K_TENSOR || b->kind != OX_K_TENSOR || a->rank < 0 || b->rank < 0) return true;
    for (int i = 0; a->rank == b->rank && i < a->rank; i++)
        if (a->dims[i] && b->dims[i] && ox_dim_is_const(a->dims[i], &n) && ox_dim_is_const(b->dims[i], &m) && n != m) return false;
    return a->rank == b->rank && !has_one(a);
}

/* Whether operand k of a step is as large as the result as far as one can tell: joined programs are right in any case, for they broadcast as the
 * steps one after the other do, but what is small would be computed again and again. Where nothing is known of its size (shapes computed in
 * the graph), the others look like what is broadcast: constants, a mask with a 1 among its sizes. */
static bool is_whole(ox_lower *l, const ox_step *s, int k) {
    const ox_type *t = ox_lower_cell_type(l->p, s->in_cell[k]), *y = ox_lower_cell_type(l->p, s->out_cell[0]);
    if (ox_lower_same_dims(t, y)) return true;
    for (int i = 0; i < s->n_in; i++)
        if (i != k && s->in_cell[i] != OX_NO_CELL && !has_one(ox_lower_type(s, i))) return false;
    return may_be_same(t, y);
}

/* Joins the maker of operand k of a chain to it. */
static bool join_maker(ox_lower *l, uint32_t at, int k) {
    ox_step *s = &l->p->steps[at];
    uint32_t cell = s->in_cell[k], m = cell == OX_NO_CELL ? OX_NO_CELL : l->maker[cell];
    if (m == OX_NO_CELL || l->gone[m] || !l->chain[m] || l->chain[m]->dtype != l->chain[at]->dtype) return false;
    ox_step *by = &l->p->steps[m];
    if (l->uses[cell] != reads_of(s, cell) || reads_of(s, cell) != 1) return false;
    if (!is_whole(l, s, k)) return false;
    const ox_program *a = &l->chain[m]->program;
    if (s->n_in + by->n_in > OX_PROGRAM_OPERANDS) return false;
    ox_program trial = l->chain[at]->program;
    int map[OX_PROGRAM_OPERANDS] = {0};
    if (!ox_program_join(&trial, k, a, map)) return false;
    if (!ox_program_finish(&trial)) return false;
    for (int i = 0; i < by->n_in; i++) map[i] = add_input(l, s, by, i);
    ox_program *b = &l->chain[at]->program;
    b->n_operands = s->n_in;
    ox_program_join(b, k, a, map);
    remove_operand(b, k);
    remove_input(s, k);
    l->gone[m] = true;
    l->spare = l->chain[m];
    l->chain[m] = NULL;
    take_nodes(l, s, by);
    return true;
}

static void find_chain(ox_lower *l, uint32_t at) {
    ox_step *s = &l->p->steps[at];
    ox_chain c;
    if (s->native || !ox_chain_of(s, &c)) return;
    c.changed = s->n_in > c.program.n_operands || (c.program.n_operands == 2 && s->in[0] == s->in[1]);
    while (s->n_in > c.program.n_operands) { /* bounds and exponents that are in the program now */
        uint32_t cell = s->in_cell[s->n_in - 1];
        if (s->in[s->n_in - 1] && cell != OX_NO_CELL) l->uses[cell]--;
        s->n_in--;
    }
    if (c.program.n_operands == 2 && s->in[0] == s->in[1]) { /* x * x */
        c.program.code[0].b = OX_OPERAND(0);
        c.program.n_operands = s->n_in = 1;
        if (s->in_cell[0] != OX_NO_CELL) l->uses[s->in_cell[0]]--;
    }
    l->chain[at] = l->spare ? l->spare : OX_NEW(l->scratch, ox_chain);
    l->spare = NULL;
    *l->chain[at] = c;
    for (bool again = true; again;) {
        again = false;
        for (int k = 0; k < s->n_in && !again; k++) again = join_maker(l, at, k);
    }
}

/* ---- products and convolutions */

static bool float_type(const ox_type *t) {
    return t && t->kind == OX_K_TENSOR && (t->dtype == OX_FLOAT || t->dtype == OX_FLOAT16 || t->dtype == OX_BFLOAT16) && t->rank >= 0;
}

/* A MatMul or Gemm by constant weights. */
static bool find_product(ox_lower *l, ox_step *s) {
    bool gemm = ox_lower_is(s, "Gemm");
    int rank, bias_rank;
    int64_t dims[8], bias[8];
    if ((!gemm && !ox_lower_is(s, "MatMul")) || !float_type(ox_lower_type(s, 0)) || ox_lower_type(s, 0)->rank < 2) return false;
    if (!ox_lower_fixed(s, 1, &rank, dims) || rank != 2 || !float_type(ox_lower_type(s, 1)) || s->in_cell[0] == OX_NO_CELL) return false;
    ox_weights_product p = {.dtype = ox_lower_type(s, 0)->dtype, .alpha = 1, .bias = -1};
    if (gemm) {
        p.trans_b = ox_get_int(&s->call, "transB") != 0;
        p.alpha = (float)ox_get_float(&s->call, "alpha");
        if (ox_get_int(&s->call, "transA")) return false;
        if (s->n_in > 2 && s->in[2]) {
            int64_t n = dims[p.trans_b ? 0 : 1];
            if (ox_get_float(&s->call, "beta") != 1 || !ox_lower_fixed(s, 2, &bias_rank, bias) || !bias_rank || bias[bias_rank - 1] != n ||
                count_of(bias_rank, bias) != n || !float_type(ox_lower_type(s, 2)))
                return false;
            p.bias = 2;
        }
    }
    if (!dims[0] || !dims[1]) return false;
    s->native = &ox_native_product;
    s->state = ox_dup(l->f->arena, &p, sizeof p);
    s->n_in = p.bias < 0 ? 2 : 3;
    return true;
}

static bool find_conv(ox_lower *l, ox_step *s) {
    int rank, bias_rank, n;
    int64_t k[8], bias[8];
    const ox_type *x = ox_lower_type(s, 0);
    if (!ox_lower_is(s, "Conv") || !float_type(x) || x->rank < 3 || x->rank > 4 || s->in_cell[0] == OX_NO_CELL) return false;
    if (!ox_lower_fixed(s, 1, &rank, k) || rank != x->rank || !float_type(ox_lower_type(s, 1)) || count_of(rank, k) <= 0) return false;
    bool has_bias = s->n_in > 2 && s->in[2];
    if (has_bias && (!ox_lower_fixed(s, 2, &bias_rank, bias) || !float_type(ox_lower_type(s, 2)) || bias_rank != 1 || bias[0] != k[0])) return false;
    int64_t groups = ox_get_int(&s->call, "group");
    const int64_t *strides = ox_get_ints(&s->call, "strides", &n);
    ox_conv c = {.groups = groups, .out_channels = k[0], .kernel_h = rank == 3 ? 1 : k[2], .kernel_w = k[rank - 1], .stride_h = 1, .stride_w = 1,
                 .dilation_h = 1, .dilation_w = 1};
    if (groups < 1 || k[0] % groups || !ox_mul_ok(k[1], groups, &c.in_channels)) return false;
    if (n == rank - 2 && strides) {
        c.stride_h = rank == 3 ? 1 : strides[0];
        c.stride_w = strides[rank - 3];
    }
    const int64_t *dilations = ox_get_ints(&s->call, "dilations", &n);
    if (n == rank - 2 && dilations) {
        c.dilation_h = rank == 3 ? 1 : dilations[0];
        c.dilation_w = dilations[rank - 3];
    }
    const int64_t *pads = ox_get_ints(&s->call, "pads", &n);
    for (int i = 0; i < n && pads; i++)
        if (pads[i]) c.pad_top = c.pad_left = pads[i];
    const char *pad = ox_get_string(&s->call, "auto_pad");
    if (pad && strncmp(pad, "SAME", 4) == 0) c.pad_top = c.pad_left = 1;
    if (ox_conv_form_of(&c) == OX_CONV_NONE) return false;
    if (groups == 1 && c.in_channels == 1 && c.kernel_h == 1 && c.kernel_w >= 64) return false; /* a spectrogram: the operator's kernel makes one product of it */
    ox_image_conv state = {.rank = rank, .planar = ox_conv_form_of(&c) == OX_CONV_PLANAR, .bias = has_bias ? 2 : -1, .norm = {-1, -1, -1, -1}, .in_channels = c.in_channels, .out_channels = k[0]};
    s->native = &ox_native_conv;
    s->state = ox_dup(l->f->arena, &state, sizeof state);
    s->n_in = has_bias ? 3 : 2;
    return true;
}

/* The step that alone reads the output of step `at`; NULL. */
ox_step *ox_lower_only_reader(ox_lower *l, uint32_t at, uint32_t *reader) {
    ox_step *s = &l->p->steps[at];
    uint32_t cell = s->out_cell[0];
    if (cell == OX_NO_CELL || l->p->returned[cell]) return NULL;
    for (uint32_t k = at + 1; k < l->p->n_steps && k < at + 64; k++) {
        ox_step *t = &l->p->steps[k];
        uint32_t n = l->gone[k] ? 0 : reads_of(t, cell);
        if (!n) continue;
        *reader = k;
        return n == l->uses[cell] ? t : NULL;
    }
    return NULL;
}

/* The step moves to where a later one stands, whose output it makes now. */
static ox_step *move_to(ox_lower *l, uint32_t at, uint32_t later) {
    ox_step s = l->p->steps[at], *to = &l->p->steps[later];
    ox_step was = *to;
    s.out = was.out;
    s.out_cell = was.out_cell;
    take_nodes(l, &s, &was);
    l->gone[at] = true;
    *to = s;
    l->maker[to->out_cell[0]] = later;
    return to;
}

/* conv, BatchNormalization of constants -> conv */
static uint32_t join_norm(ox_lower *l, uint32_t at) {
    uint32_t k = 0;
    ox_step *n = ox_lower_only_reader(l, at, &k);
    if (!n || n->native || !ox_lower_is(n, "BatchNormalization") || n->n_in != 5 || n->call.n_out != 1 || n->in_cell[0] != l->p->steps[at].out_cell[0]) return at;
    if (ox_get_int(&n->call, "training_mode")) return at;
    ox_image_conv *c = l->p->steps[at].state;
    int rank;
    int64_t dims[8];
    for (int i = 1; i < 5; i++)
        if (!ox_lower_fixed(n, i, &rank, dims) || rank != 1 || dims[0] != c->out_channels) return at;
    ox_step norm = *n;
    c->epsilon = ox_get_float(&norm.call, "epsilon");
    ox_step *s = move_to(l, at, k);
    for (int i = 0; i < 4; i++) c->norm[i] = add_input(l, s, &norm, i + 1);
    return k;
}

/* The integers of a constant; false when they are not known yet. */
static bool constant_ints(const ox_step *s, int i, int64_t *to, int n) {
    const ox_rt *v = i < s->n_in && s->in[i] && s->in_cell[i] == OX_NO_CELL && !s->around[i] ? *s->in[i] : NULL;
    const void *data = v && v->kind == OX_RT_TENSOR && v->t->dtype == OX_INT64 && v->t->count == n ? ox_tensor_data(v->t) : NULL;
    if (data) memcpy(to, data, (size_t)n * sizeof *to);
    return data;
}

/* Pad of spatial axes with zeros, conv -> conv */
static void join_pad(ox_lower *l, uint32_t at) {
    ox_step *s = &l->p->steps[at];
    ox_image_conv *c = s->state;
    uint32_t cell = s->in_cell[0], m = cell == OX_NO_CELL ? OX_NO_CELL : l->maker[cell];
    ox_step *by = m == OX_NO_CELL ? NULL : &l->p->steps[m];
    int n = c->rank - 2;
    int64_t pads[8];
    if (!by || l->gone[m] || !ox_lower_is(by, "Pad") || l->uses[cell] != 1 || by->in_cell[0] == OX_NO_CELL) return;
    if (strcmp(ox_get_string(&by->call, "mode"), "constant") || !constant_ints(by, 1, pads, 2 * c->rank) || (by->n_in > 3 && by->in[3])) return;
    if (by->n_in > 2 && by->in[2]) {
        const ox_rt *v = by->in_cell[2] == OX_NO_CELL && !by->around[2] ? *by->in[2] : NULL;
        const void *data = v && v->kind == OX_RT_TENSOR && v->t->count == 1 && ox_dtype_is_float(v->t->dtype) ? ox_tensor_data(v->t) : NULL;
        if (!data || ox_load_double(v->t->dtype, data, 0) != 0) return;
    }
    for (int i = 0; i < 2 * c->rank; i++)
        if (pads[i] < 0 || pads[i] > 4096 || (i % c->rank < 2 && pads[i])) return;
    const char *pad = ox_get_string(&s->call, "auto_pad");
    if (strcmp(pad, "NOTSET") && strcmp(pad, "VALID")) return;
    for (int k = 0; k < 2; k++) { /* begin, end */
        c->pad[2 * k] = n == 1 ? 0 : pads[k * c->rank + 2];
        c->pad[2 * k + 1] = pads[k * c->rank + c->rank - 1];
    }
    s->in[0] = by->in[0];
    s->in_cell[0] = by->in_cell[0];
    s->in_value[0] = by->in_value[0];
    s->around[0] = by->around[0];
    l->gone[m] = true;
    take_nodes(l, s, by);
}

typedef enum fit { NO_FIT, FIT_ONE, FIT_CHANNEL, FIT_WHOLE } fit;

/* How an operand of a program lies to a result of type T whose channels are axis AXIS. */
static fit fit_of(const ox_step *s, int i, const ox_type *t, int axis, int64_t channels) {
    int rank;
    int64_t dims[8];
    if (ox_lower_fixed(s, i, &rank, dims)) {
        int64_t n = count_of(rank, dims);
        int at = axis - (t->rank - rank); /* of its own axes */
        if (n == 1 && rank <= t->rank) return FIT_ONE;
        if (n == channels && rank <= t->rank && at >= 0 && dims[at] == channels) return FIT_CHANNEL;
    }
    if (s->in_cell[i] == OX_NO_CELL) return NO_FIT;
    return ox_lower_same_dims(ox_lower_type(s, i), t) ? FIT_WHOLE : NO_FIT;
}

/* product or conv, chain -> one step */
static uint32_t join_tail(ox_lower *l, uint32_t at, bool conv) {
    uint32_t k = 0;
    ox_step *s = &l->p->steps[at], *c = ox_lower_only_reader(l, at, &k);
    const ox_type *t = s->call.n_out == 1 ? ox_lower_cell_type(l->p, s->out_cell[0]) : NULL;
    if (!c || !l->chain[k] || !t || l->chain[k]->dtype != t->dtype || t->kind != OX_K_TENSOR || t->rank < 2) return at;
    if (!ox_lower_same_dims(t, ox_lower_cell_type(l->p, c->out_cell[0])) || reads_of(c, s->out_cell[0]) != 1) return at;
    int axis = conv ? 1 : t->rank - 1;
    int64_t channels;
    if (!ox_dim_is_const(t->dims[axis], &channels)) return at;
    ox_tail_plan plan = {.program = l->chain[k]->program};
    fit fits[OX_PROGRAM_OPERANDS];
    int self = -1;
    for (int i = 0; i < c->n_in; i++) {
        if (c->in_cell[i] == s->out_cell[0]) {
            self = i;
            continue;
        }
        fits[i] = fit_of(c, i, t, axis, channels);
        if (fits[i] == NO_FIT || (fits[i] == FIT_WHOLE && !conv && t->dtype != OX_FLOAT)) return at;
    }
    /* operand 0 is what the step makes: exchange the two */
    ox_program *p = &plan.program;
    for (int i = 0; i < p->n; i++) {
        int16_t *args[2] = {&p->code[i].a, &p->code[i].b};
        for (int j = 0; j < (p->code[i].two ? 2 : 1); j++)
            *args[j] = *args[j] == OX_OPERAND(self) ? OX_OPERAND(0) : *args[j] == OX_OPERAND(0) ? OX_OPERAND(self) : *args[j];
    }
    ox_program check = *p;
    if (!ox_program_finish(&check) || check.spread >> 1) return at; /* operands that must be spread are left to chains */
    ox_step chain = *c;
    s = move_to(l, at, k);
    for (int i = 0; i < chain.n_in; i++) {
        int operand = i == 0 ? self : i == self ? 0 : i;
        if (i == self) continue;
        plan.input[operand] = add_input(l, s, &chain, i);
        plan.per_channel[operand] = fits[i] == FIT_CHANNEL;
    }
    if (conv) {
        ((ox_image_conv *)s->state)->tail = plan;
        ((ox_image_conv *)s->state)->has_tail = true;
    } else {
        ((ox_weights_product *)s->state)->tail = plan;
        ((ox_weights_product *)s->state)->has_tail = true;
    }
    l->chain[k] = NULL;
    return k;
}

/* ---- all of it */

void ox_lower_count(ox_lower *l) {
    ox_plan *p = l->p;
    memset(l->maker, 0xff, (p->n_cells + 1) * sizeof *l->maker);
    for (uint32_t k = 0; k < p->n_steps; k++) {
        const ox_step *s = &p->steps[k];
        for (int i = 0; i < s->n_in; i++)
            if (s->in_cell[i] != OX_NO_CELL) l->uses[s->in_cell[i]]++;
        for (size_t i = 0; i < s->n_captured; i++) l->uses[s->captured[i]] += 2; /* what bodies read is never joined */
        for (int i = 0; i < s->call.n_out; i++)
            if (s->out_cell[i] != OX_NO_CELL) l->maker[s->out_cell[i]] = k;
    }
    for (size_t c = 0; c < p->n_cells; c++)
        if (p->returned[c]) l->uses[c] += 2;
}

static void finish_chains(ox_lower *l) {
    for (uint32_t k = 0; k < l->p->n_steps; k++) {
        ox_step *s = &l->p->steps[k];
        ox_chain *c = l->gone[k] ? NULL : l->chain[k];
        if (!c || (c->program.n == 1 && !c->blocked && !c->changed) || !ox_program_finish(&c->program)) continue;
        s->native = &ox_native_chain;
        s->state = ox_dup(l->f->arena, c, sizeof *c);
    }
}

/* Rounding to few steps shows every difference in the order of sums: where that follows, products and convolutions run by kernels that add in
 * the order that everybody adds in. */
static bool has_quantizing(const ox_plan *p) {
    for (uint32_t k = 0; k < p->n_steps; k++)
        if (ox_lower_is(&p->steps[k], "QuantizeLinear")) return true;
    return false;
}

static void slice_sums(ox_plan *p) {
    for (uint32_t k = 0; k < p->n_steps; k++) {
        ox_step *s = &p->steps[k];
        if (s->native) continue;
        if (ox_lower_is(s, "MatMul")) s->native = &ox_native_sliced_matmul;
        if (ox_lower_is(s, "Gemm")) s->native = &ox_native_sliced_gemm;
        if (ox_lower_is(s, "AveragePool")) s->native = &ox_native_sliced_pool;
        if (ox_lower_is(s, "Conv")) s->native = &ox_native_sliced_conv;
    }
}

void ox_lower_plan(ox_frame *f, ox_plan *p) {
    bool exact = !f->options.integers && has_quantizing(p);
    ox_lower_quant(f, p);
    size_t n = p->n_steps + 1;
    ox_lower l = {.f = f, .p = p};
    l.scratch = ox_arena_new(f->ctx);
    l.uses = OX_NEW_N(l.scratch, uint32_t, p->n_cells + 1);
    l.maker = OX_NEW_N(l.scratch, uint32_t, p->n_cells + 1);
    l.gone = OX_NEW_N(l.scratch, bool, n);
    l.chain = OX_NEW_N(l.scratch, ox_chain *, n);
    ox_lower_count(&l);
    for (uint32_t k = 0; k < p->n_steps; k++) find_chain(&l, k);
    for (uint32_t k = 0; k < p->n_steps && !exact; k++) {
        if (l.gone[k] || p->steps[k].native) continue;
        bool product = find_product(&l, &p->steps[k]), conv = !product && find_conv(&l, &p->steps[k]);
        if (conv) join_pad(&l, k);
        if (product || conv) join_tail(&l, conv ? join_norm(&l, k) : k, conv);
    }
    ox_lower_images(&l);
    finish_chains(&l);
    if (exact) slice_sums(p);
    ox_arena_free(l.scratch);
}
