/* Lowering of what is quantized: see quant_native.h.
 *
 * A walk over the steps in their order. DequantizeLinear is put off: its output is known as 8-bit numbers, and floats are made of them only
 * where a step wants them. A step whose inputs are such numbers, and whose output goes to QuantizeLinear alone, maybe through Relu or Clip, becomes
 * one step on 8-bit numbers. Convolutions make images by pixels, which stay so as long as what follows can read them.
 *
 * Without `integers` only the QLinear operators are lowered, whose results stay what they are, bit by bit. */
#include "exec/quant_lower.h"

#include "cpu/qvec.h"

#include <string.h>

/* ---- what follows a step */

typedef struct ending {
    uint32_t act, quantizer; /* steps; OX_NO_CELL */
    ox_quant y;
    int32_t lo, hi;
    uint32_t cell;           /* with the 8-bit numbers */
} ending;

static bool bounds_of(const ox_quant_walk *w, const ox_step *s, float *lo, float *hi, bool *has_lo, bool *has_hi) {
    *has_lo = true;
    *lo = 0;
    *has_hi = false;
    if (ox_lower_is(s, "Relu")) return true;
    if (!ox_lower_is(s, "Clip")) return false;
    for (int i = 1; i < 3; i++) {
        bool *has = i == 1 ? has_lo : has_hi;
        *has = i < s->n_in && s->in[i];
        const ox_tensor *t = *has ? ox_quant_fixed(w, s, i) : NULL;
        if (*has && (!t || t->dtype != OX_FLOAT || t->count != 1)) return false;
        if (*has) *(i == 1 ? lo : hi) = *(const float *)ox_tensor_data(t);
    }
    return true;
}

/* What is computed by step AT ends in QuantizeLinear. */
static bool find_ending(ox_quant_walk *w, uint32_t at, ending *e) {
    float lo = 0, hi = 0;
    bool has_lo = false, has_hi = false;
    uint32_t k = 0;
    *e = (ending){.act = OX_NO_CELL, .quantizer = OX_NO_CELL};
    ox_step *s = ox_lower_only_reader(w->l, at, &k);
    if (s && bounds_of(w, s, &lo, &hi, &has_lo, &has_hi)) {
        if (s->in_cell[0] != w->p->steps[at].out_cell[0]) return false;
        at = e->act = k;
        s = ox_lower_only_reader(w->l, at, &k);
    } else {
        has_lo = false;
    }
    if (!s || !ox_lower_is(s, "QuantizeLinear") || s->in_cell[0] != w->p->steps[at].out_cell[0] || s->out_cell[0] == OX_NO_CELL) return false;
    if (ox_has(&s->call, "precision") && ox_get_int(&s->call, "precision") > OX_FLOAT) return false;
    if (!ox_quant_read(w, s, 1, ox_quant_type_of(w, s->out_cell[0]), &e->y)) return false;
    e->quantizer = k;
    e->cell = s->out_cell[0];
    e->lo = has_lo ? ox_quant_of(&e->y, lo) : ox_quant_least(&e->y);
    e->hi = has_hi ? ox_quant_of(&e->y, hi) : ox_quant_most(&e->y);
    return e->lo <= e->hi;
}

/* The steps of an ending are part of S now. */
static void take_ending(ox_quant_walk *w, ox_step *s, const ending *e) {
    const ox_node **with = OX_NEW_N(w->f->arena, const ox_node *, 2);
    s->with = with;
    s->n_with = 0;
    if (e->act != OX_NO_CELL) {
        with[s->n_with++] = w->p->steps[e->act].node;
        w->l->gone[e->act] = true;
    }
    with[s->n_with++] = w->p->steps[e->quantizer].node;
    w->l->gone[e->quantizer] = true;
}

static bool is_microsoft(const ox_step *s, const char *name) {
    return !strcmp(s->call.op->name, name) && !strcmp(ox_op_domain(s->call.ctx, s->call.op), "com.microsoft");
}

/* Floats that are 8-bit numbers: the cell with these. */
static uint32_t bytes_of(const ox_quant_walk *w, const ox_step *s, int i, ox_quant *q) {
    uint32_t c = i < s->n_in ? s->in_cell[i] : OX_NO_CELL;
    if (c == OX_NO_CELL || w->cells[c].bytes == OX_NO_CELL) return OX_NO_CELL;
    *q = w->cells[c].quant;
    return w->cells[c].bytes;
}

static bool whole_range(const ending *e) { return e->lo == ox_quant_least(&e->y) && e->hi == ox_quant_most(&e->y); }

static int rank_of(const ox_quant_walk *w, uint32_t cell) {
    const ox_type *t = ox_lower_cell_type(w->p, cell);
    return t && t->kind == OX_K_TENSOR ? t->rank : -1;
}

/* ---- the quantizers themselves */

static bool put_off(ox_quant_walk *w, const ox_step *s) {
    uint32_t x = s->in_cell[0], y = s->out_cell[0];
    ox_quant q;
    const ox_type *t = y == OX_NO_CELL ? NULL : ox_lower_cell_type(w->p, y);
    if (!ox_lower_is(s, "DequantizeLinear") || x == OX_NO_CELL || !t || t->kind != OX_K_TENSOR || t->dtype != OX_FLOAT) return false;
    if (ox_get_int(&s->call, "block_size") || !ox_quant_read(w, s, 1, ox_quant_type_of(w, x), &q)) return false;
    w->cells[y].bytes = w->cells[x].same;
    w->cells[y].quant = q;
    w->cells[y].there = false;
    return true;
}

static bool same_quant(const ox_quant *a, const ox_quant *b) { return a->scale == b->scale && a->zero == b->zero && a->is_signed == b->is_signed; }

/* Cell Y is what 8-bit cell X is. */
static void pass_on(ox_quant_walk *w, const ox_step *s, uint32_t x, uint32_t y) {
    if (!w->cells[y].fixed_place) {
        w->cells[y].same = x;
        return;
    }
    ox_step n = ox_quant_step(w, s, 1, &ox_native_same, NULL, 0);
    ox_quant_planar(w, &n, 0, x);
    ox_quant_made(w, &n, y, false);
    ox_quant_emit(w, &n);
}

/* Entries for all 8-bit numbers, from floats that X stands for. */
static void fill_table(const float *real, const ox_quant *y, ox_quant_table *t) {
    t->type = ox_quant_type(y);
    ox_qv_quantize(real, 256, (ox_qparam){y->scale, y->zero}, ox_quant_least(y), ox_quant_most(y), t->of);
}

static void all_numbers(const ox_quant *x, float *real) {
    uint8_t codes[256];
    for (int i = 0; i < 256; i++) codes[i] = (uint8_t)i;
    ox_qv_dequantize(codes, x->is_signed, 256, (ox_qparam){x->scale, x->zero}, real);
}

static ox_step table_step(ox_quant_walk *w, const ox_step *s, const ox_quant_table *t, uint32_t x, uint32_t y) {
    ox_step n = ox_quant_step(w, s, 1, &ox_native_qtable, t, sizeof *t);
    bool pixels = !w->cells[x].there && ox_quant_in_pixels(w, x);
    ox_quant_any(w, &n, 0, x, pixels);
    ox_quant_made(w, &n, y, pixels);
    return n;
}

static bool requantize(ox_quant_walk *w, const ox_step *s) {
    ox_quant x, y;
    if (!ox_lower_is(s, "QuantizeLinear") || s->out_cell[0] == OX_NO_CELL) return false;
    uint32_t from = bytes_of(w, s, 0, &x);
    if (from == OX_NO_CELL || !ox_quant_read(w, s, 1, ox_quant_type_of(w, s->out_cell[0]), &y)) return false;
    if (same_quant(&x, &y)) {
        pass_on(w, s, from, s->out_cell[0]);
        return true;
    }
    float real[256];
    ox_quant_table t;
    all_numbers(&x, real);
    fill_table(real, &y, &t);
    ox_step n = table_step(w, s, &t, from, s->out_cell[0]);
    ox_quant_emit(w, &n);
    return true;
}

/* A Cast of 8-bit numbers to what they are. */
static bool vain_cast(ox_quant_walk *w, const ox_step *s) {
    if (!ox_lower_is(s, "Cast") || s->in_cell[0] == OX_NO_CELL || s->out_cell[0] == OX_NO_CELL) return false;
    ox_dtype t = ox_quant_type_of(w, s->in_cell[0]);
    if (t == OX_UNDEFINED || (int64_t)t != ox_get_int(&s->call, "to")) return false;
    pass_on(w, s, w->cells[s->in_cell[0]].same, s->out_cell[0]);
    return true;
}

/* ---- convolutions and products */

/* Fixed weights of floats that DequantizeLinear makes along AXIS: their maker, its parameters in Q. */
static const ox_step *weights_of(const ox_quant_walk *w, const ox_step *s, int i, int axis, ox_quant_weights *q, int64_t *dims, int *rank) {
    const ox_step *by = ox_quant_maker(w, s, i);
    ox_dtype t = by ? ox_quant_type_in(w, by, 0) : OX_UNDEFINED;
    if (t == OX_UNDEFINED || ox_get_int(&by->call, "block_size") || !ox_lower_fixed(by, 0, rank, dims) || axis >= *rank) return NULL;
    for (int d = 0; d < *rank; d++)
        if (dims[d] <= 0) return NULL;
    int64_t along = ox_get_int(&by->call, "axis");
    if (along < 0) along += *rank;
    if (!ox_quant_scales(w, by, 1, 2, t, dims[axis], q)) return NULL;
    return !(q->scales || q->zeros) || along == axis ? by : NULL;
}

static void emit_conv(ox_quant_walk *w, const ox_step *s, ox_quant_weights *q, uint32_t x, const ox_step *weights, int at, const ending *e, uint32_t y) {
    q->pixels = !w->cells[x].there || ox_quant_in_pixels(w, x);
    ox_step n = ox_quant_step(w, s, 2, &ox_native_qconv, q, sizeof *q);
    if (e) take_ending(w, &n, e);
    ox_quant_any(w, &n, 0, x, q->pixels);
    ox_quant_set_fixed(&n, 1, weights, at);
    ox_quant_made(w, &n, y, true);
    ox_quant_emit(w, &n);
}

static bool lower_conv(ox_quant_walk *w, uint32_t at, const ox_step *s) {
    ox_quant_weights q = {0};
    ending e;
    int64_t dims[8];
    int rank;
    if (!ox_lower_is(s, "Conv")) return false;
    uint32_t x = bytes_of(w, s, 0, &q.x);
    if (x == OX_NO_CELL || !find_ending(w, at, &e)) return false;
    q.y = e.y;
    q.lo = e.lo;
    q.hi = e.hi;
    const ox_step *by = weights_of(w, s, 1, 0, &q, dims, &rank);
    if (!by || rank < 3 || rank > 4 || rank_of(w, s->in_cell[0]) != rank || !ox_quant_bias(w, s, 2, ox_tensor_data(ox_quant_fixed(w, by, 1)), &q)) return false;
    q.rank = rank;
    emit_conv(w, s, &q, x, by, 0, &e, e.cell);
    return true;
}

static void emit_product(ox_quant_walk *w, const ox_step *s, const ox_quant_weights *q, uint32_t x, const ox_step *weights, int at, const ending *e,
                         uint32_t y) {
    ox_step n = ox_quant_step(w, s, 2, &ox_native_qproduct, q, sizeof *q);
    if (e) take_ending(w, &n, e);
    ox_quant_planar(w, &n, 0, x);
    ox_quant_set_fixed(&n, 1, weights, at);
    ox_quant_made(w, &n, y, false);
    ox_quant_emit(w, &n);
}

/* MatMul and Gemm; to floats when no QuantizeLinear follows. */
static bool lower_product(ox_quant_walk *w, uint32_t at, const ox_step *s) {
    ox_quant_weights q = {0};
    ending e;
    int64_t dims[8];
    int rank;
    bool gemm = ox_lower_is(s, "Gemm");
    if ((!gemm && !ox_lower_is(s, "MatMul")) || s->out_cell[0] == OX_NO_CELL) return false;
    if (gemm && (ox_get_int(&s->call, "transA") || ox_get_float(&s->call, "alpha") != 1 || ox_get_float(&s->call, "beta") != 1)) return false;
    uint32_t x = bytes_of(w, s, 0, &q.x);
    if (x == OX_NO_CELL || rank_of(w, s->in_cell[0]) < 1) return false;
    q.to_float = !find_ending(w, at, &e);
    if (!q.to_float) q.y = e.y, q.lo = e.lo, q.hi = e.hi;
    q.trans = gemm && ox_get_int(&s->call, "transB");
    const ox_step *by = weights_of(w, s, 1, q.trans ? 0 : 1, &q, dims, &rank);
    if (!by || rank != 2) return false;
    if (gemm && !ox_quant_bias(w, s, 2, ox_tensor_data(ox_quant_fixed(w, by, 1)), &q)) return false;
    q.k = dims[q.trans ? 1 : 0];
    emit_product(w, s, &q, x, by, 0, q.to_float ? NULL : &e, q.to_float ? s->out_cell[0] : e.cell);
    return true;
}

/* QLinearConv, QLinearMatMul: x, its parameters, weights and theirs, those of y, maybe a bias. */
static bool lower_qlinear(ox_quant_walk *w, const ox_step *s) {
    ox_quant_weights q = {0};
    bool conv = ox_lower_is(s, "QLinearConv");
    int64_t dims[8];
    int rank;
    uint32_t x = s->in_cell[0], y = s->out_cell[0];
    if ((!conv && !ox_lower_is(s, "QLinearMatMul")) || x == OX_NO_CELL || y == OX_NO_CELL) return false;
    ox_dtype type = ox_quant_type_in(w, s, 3);
    if (type == OX_UNDEFINED || !ox_quant_read(w, s, 1, ox_quant_type_of(w, x), &q.x) || !ox_quant_read(w, s, 6, ox_quant_type_of(w, y), &q.y)) return false;
    if (!ox_lower_fixed(s, 3, &rank, dims) || !ox_quant_scales(w, s, 4, 5, type, dims[conv ? 0 : rank - 1], &q)) return false;
    for (int d = 0; d < rank; d++)
        if (dims[d] <= 0) return false;
    if (conv ? rank < 3 || rank > 4 || rank_of(w, x) != rank : rank != 2 || rank_of(w, x) < 1) return false;
    q.rank = rank;
    q.lo = ox_quant_least(&q.y);
    q.hi = ox_quant_most(&q.y);
    q.k = dims[0];
    if (conv && s->n_in > 8 && s->in[8]) {
        const ox_tensor *b = ox_quant_fixed(w, s, 8);
        if (!b || b->dtype != OX_INT32 || b->count != q.n) return false;
        q.bias = ox_dup(w->f->arena, ox_tensor_data(b), (size_t)q.n * sizeof *q.bias);
    }
    if (conv) emit_conv(w, s, &q, w->cells[x].same, s, 3, NULL, y);
    else emit_product(w, s, &q, w->cells[x].same, s, 3, NULL, y);
    return true;
}

/* A, B, scale and zero point of B, bias. */
static bool lower_dynamic(ox_quant_walk *w, const ox_step *s) {
    ox_quant_weights q = {.x = {.scale = 1}, .to_float = true};
    int64_t dims[8];
    int rank;
    const ox_type *t = ox_lower_type(s, 0);
    if (!is_microsoft(s, "DynamicQuantizeMatMul") || s->in_cell[0] == OX_NO_CELL || !t || t->kind != OX_K_TENSOR || t->dtype != OX_FLOAT || t->rank < 1)
        return false;
    ox_dtype type = ox_quant_type_in(w, s, 1);
    if (type == OX_UNDEFINED || !ox_lower_fixed(s, 1, &rank, dims) || rank != 2 || dims[0] <= 0 || dims[1] <= 0) return false;
    if (!ox_quant_scales(w, s, 2, 3, type, dims[1], &q)) return false;
    if (s->n_in > 4 && s->in[4]) {
        const ox_tensor *b = ox_quant_fixed(w, s, 4);
        if (!b || b->dtype != OX_FLOAT || b->count != q.n) return false;
        q.add = ox_dup(w->f->arena, ox_tensor_data(b), (size_t)q.n * sizeof *q.add);
    }
    q.k = dims[0];
    ox_step n = ox_quant_step(w, s, 2, &ox_native_qdynamic, &q, sizeof q);
    ox_quant_set_fixed(&n, 1, s, 1);
    n.in_cell[0] = s->in_cell[0];
    ox_quant_plain(w, &n);
    ox_quant_set_out(w, &n, s->out_cell[0]);
    ox_quant_emit(w, &n);
    return true;
}

/* Whether input i of S is floats, one or one per column of the product of RANK axes that S scales. */
static bool is_scale(const ox_quant_walk *w, const ox_step *s, int i, int64_t n) {
    int rank;
    int64_t dims[8], size;
    const ox_type *t = ox_lower_type(s, i);
    const ox_tensor *fixed = ox_quant_fixed(w, s, i);
    if (fixed ? fixed->dtype != OX_FLOAT : !t || t->kind != OX_K_TENSOR || t->dtype != OX_FLOAT) return false;
    if (ox_lower_fixed(s, i, &rank, dims)) return rank == 0 || (rank == 1 && (dims[0] == 1 || dims[0] == n));
    if (s->in_cell[i] == OX_NO_CELL || !t || t->rank < 0 || t->rank > 1) return false;
    return t->rank == 0 || (ox_dim_is_const(t->dims[0], &size) && (size == 1 || size == n));
}

/* An Add of a fixed float per column behind step AT. */
static ox_step *find_add(ox_quant_walk *w, uint32_t at, ox_quant_weights *q, uint32_t *k) {
    ox_step *s = ox_lower_only_reader(w->l, at, k);
    if (!s || !ox_lower_is(s, "Add") || s->n_in != 2 || s->out_cell[0] == OX_NO_CELL) return NULL;
    const ox_tensor *b = ox_quant_fixed(w, s, s->in_cell[0] == w->p->steps[at].out_cell[0] ? 1 : 0);
    if (!b || b->dtype != OX_FLOAT || b->rank != 1 || b->count != q->n) return NULL;
    q->add = ox_dup(w->f->arena, ox_tensor_data(b), (size_t)q->n * sizeof *q->add);
    return s;
}

/* MatMulInteger by fixed weights, Cast to float, Mul by scales, maybe Add: one step, where Mul stood. Its bits are theirs. */
static bool lower_scaled(ox_quant_walk *w, uint32_t at, const ox_step *s) {
    ox_quant_weights q = {.to_float = true};
    int64_t dims[8];
    int rank;
    uint32_t k = 0, m = 0, last = 0;
    if (!ox_lower_is(s, "MatMulInteger") || s->in_cell[0] == OX_NO_CELL || rank_of(w, s->in_cell[0]) < 1) return false;
    ox_dtype type = ox_quant_type_in(w, s, 1), x = ox_quant_type_of(w, s->in_cell[0]);
    if (type == OX_UNDEFINED || x == OX_UNDEFINED || !ox_lower_fixed(s, 1, &rank, dims) || rank != 2 || dims[0] <= 0 || dims[1] <= 0) return false;
    bool zero = s->n_in > 2 && s->in[2];
    const ox_type *z = zero ? ox_lower_type(s, 2) : NULL;
    if (zero && (s->around[2] || !z || z->kind != OX_K_TENSOR || z->rank != 0)) return false;
    if (!ox_quant_zeros(w, s, 3, type, dims[1], &q)) return false;
    const ox_step *cast = ox_lower_only_reader(w->l, at, &k);
    if (!cast || !ox_lower_is(cast, "Cast") || ox_get_int(&cast->call, "to") != OX_FLOAT) return false;
    const ox_step *mul = ox_lower_only_reader(w->l, k, &m);
    if (!mul || !ox_lower_is(mul, "Mul") || mul->in[0] == mul->in[1] || mul->out_cell[0] == OX_NO_CELL) return false;
    int scale = mul->in_cell[0] == cast->out_cell[0] ? 1 : 0;
    if (!is_scale(w, mul, scale, q.n) || mul->around[scale]) return false;
    q.x.is_signed = x == OX_INT8;
    q.k = dims[0];
    const ox_step *add = find_add(w, m, &q, &last);
    ox_step n = ox_quant_step(w, s, 4, &ox_native_qscaled, &q, sizeof q);
    const ox_node *with[3] = {cast->node, mul->node, add ? add->node : NULL};
    n.with = ox_dup(w->f->arena, with, sizeof with);
    n.n_with = add ? 3 : 2;
    const struct { const ox_step *of; int i; } from[4] = {{s, 0}, {s, 1}, {mul, scale}, {s, 2}};
    for (int i = 0; i < (zero ? 4 : 3); i++) {
        n.in[i] = from[i].of->in[from[i].i];
        n.in_cell[i] = from[i].of->in_cell[from[i].i];
        n.in_value[i] = from[i].of->in_value[from[i].i];
    }
    if (!zero) n.in_cell[3] = OX_NO_CELL;
    ox_quant_set_out(w, &n, add ? add->out_cell[0] : mul->out_cell[0]);
    w->l->gone[k] = true;
    if (add) w->l->gone[last] = true;
    w->later[m] = ox_dup(w->f->arena, &n, sizeof n);
    return true;
}

/* ---- two inputs */

typedef struct operand {
    uint32_t cell;     /* OX_NO_CELL: fixed */
    const ox_step *by; /* then: of whom, and which input */
    int at;
    ox_quant q;
} operand;

static bool operand_of(const ox_quant_walk *w, const ox_step *s, int i, operand *o) {
    *o = (operand){0};
    o->cell = bytes_of(w, s, i, &o->q);
    if (o->cell != OX_NO_CELL) return true;
    o->by = ox_quant_maker(w, s, i);
    return o->by && !ox_get_int(&o->by->call, "block_size") && ox_quant_read(w, o->by, 1, ox_quant_type_in(w, o->by, 0), &o->q);
}

static void emit_pair(ox_quant_walk *w, const ox_step *s, char op, const operand *in, const ox_quant *y, const ending *e, uint32_t to) {
    ox_quant_pair state = {op, in[0].q, in[1].q, *y};
    ox_step n = ox_quant_step(w, s, 2, &ox_native_qpair, &state, sizeof state);
    if (e) take_ending(w, &n, e);
    bool both = in[0].cell != OX_NO_CELL && in[1].cell != OX_NO_CELL &&
                ox_lower_same_dims(ox_lower_cell_type(w->p, in[0].cell), ox_lower_cell_type(w->p, in[1].cell)),
         pixels = both && (ox_quant_in_pixels(w, in[0].cell) || ox_quant_in_pixels(w, in[1].cell));
    for (int i = 0; i < 2; i++) {
        if (in[i].cell != OX_NO_CELL) ox_quant_any(w, &n, i, in[i].cell, pixels);
        else ox_quant_set_fixed(&n, i, in[i].by, in[i].at);
    }
    ox_quant_made(w, &n, to, pixels);
    ox_quant_emit(w, &n);
}

static bool small(const ox_quant *q) { return q->zero >= -512 && q->zero <= 512; }

static bool lower_pair(ox_quant_walk *w, uint32_t at, const ox_step *s) {
    char op = ox_lower_is(s, "Add") ? '+' : ox_lower_is(s, "Mul") ? '*' : 0;
    operand in[2];
    ending e;
    if (!op || !operand_of(w, s, 0, &in[0]) || !operand_of(w, s, 1, &in[1]) || !find_ending(w, at, &e) || !whole_range(&e)) return false;
    if (in[0].q.is_signed != e.y.is_signed || in[1].q.is_signed != e.y.is_signed) return false;
    emit_pair(w, s, op, in, &e.y, &e, e.cell);
    return true;
}

static bool lower_qlinear_pair(ox_quant_walk *w, const ox_step *s) {
    char op = is_microsoft(s, "QLinearAdd") ? '+' : is_microsoft(s, "QLinearMul") ? '*' : 0;
    operand in[2];
    ox_quant y;
    if (!op || s->out_cell[0] == OX_NO_CELL || !ox_quant_read(w, s, 6, ox_quant_type_of(w, s->out_cell[0]), &y)) return false;
    for (int i = 0; i < 2; i++) {
        uint32_t c = s->in_cell[3 * i];
        in[i] = (operand){.cell = c == OX_NO_CELL ? c : w->cells[c].same, .by = s, .at = 3 * i};
        ox_dtype t = ox_quant_type_in(w, s, 3 * i);
        if (s->around[3 * i] || !ox_quant_read(w, s, 3 * i + 1, t, &in[i].q) || in[i].q.is_signed != y.is_signed || !small(&in[i].q)) return false;
    }
    emit_pair(w, s, op, in, &y, NULL, s->out_cell[0]);
    return true;
}

/* ---- one input */

/* The operator's own kernel on all 256 numbers. */
static bool all_results(ox_quant_walk *w, const ox_step *s, const ox_quant *x, float *real) {
    ox_ctx *ctx = w->f->ctx;
    ox_rt **in = OX_NEW_N(w->f->arena, ox_rt *, s->n_in + 1), *out = NULL;
    ox_tensor *t = ox_tensor_new(ctx, OX_FLOAT, 1, (int64_t[]){256});
    if (!t || !(in[0] = ox_rt_tensor(ctx, t))) {
        ox_check_memory(ctx);
        ox_clear_error(ctx); /* a limit of ours: floats need no table */
        return false;
    }
    all_numbers(x, ox_tensor_mut(t));
    for (int i = 1; i < s->n_in; i++) in[i] = s->in[i] ? *s->in[i] : NULL;
    ox_call call = s->call;
    int rc = ox_eval_call(&call, in, &out);
    bool right = !rc && out && out->kind == OX_RT_TENSOR && out->t->dtype == OX_FLOAT && out->t->count == 256 && out->t->rank == 1;
    if (right) memcpy(real, ox_tensor_data(out->t), 256 * sizeof *real);
    ox_rt_unref(in[0]);
    if (!rc) ox_rt_unref(out);
    ox_check_memory(ctx);
    if (rc) ox_clear_error(ctx);
    return right;
}

static bool lower_table(ox_quant_walk *w, uint32_t at, const ox_step *s) {
    ox_quant x;
    ending e;
    float real[256];
    ox_quant_table t;
    bool relu = ox_lower_is(s, "Relu") || ox_lower_is(s, "Clip");
    if (!(s->call.op->flags & OX_ELEMENTWISE || relu) || s->call.n_out != 1) return false;
    if (s->call.op->flags & (OX_RANDOM | OX_TRAINS | OX_CONTROL | OX_STATEFUL)) return false;
    uint32_t from = bytes_of(w, s, 0, &x);
    if (from == OX_NO_CELL || !find_ending(w, at, &e) || !whole_range(&e)) return false;
    for (int i = 1; i < s->n_in; i++) {
        const ox_tensor *c = ox_quant_fixed(w, s, i);
        if (s->in[i] && (!c || c->count != 1 || c->rank > 1 || c->rank > rank_of(w, from) || !*s->in[i])) return false;
    }
    if (!all_results(w, s, &x, real)) return false;
    fill_table(real, &e.y, &t);
    ox_step n = table_step(w, s, &t, from, e.cell);
    take_ending(w, &n, &e);
    ox_quant_emit(w, &n);
    return true;
}

/* ---- pools */

static void emit_pool(ox_quant_walk *w, const ox_step *s, const ox_quant_pool *state, uint32_t x, const ending *e, uint32_t y) {
    ox_step n = ox_quant_step(w, s, 1, &ox_native_qpool, state, sizeof *state);
    if (e) take_ending(w, &n, e);
    ox_quant_pixels(w, &n, 0, x);
    ox_quant_made(w, &n, y, true);
    ox_quant_emit(w, &n);
}

static bool lower_average(ox_quant_walk *w, uint32_t at, const ox_step *s) {
    ox_quant_pool state = {.global = ox_lower_is(s, "GlobalAveragePool"), .rank = rank_of(w, s->in_cell[0])};
    ending e;
    if (!state.global && !ox_lower_is(s, "AveragePool")) return false;
    uint32_t x = bytes_of(w, s, 0, &state.x);
    if (x == OX_NO_CELL || state.rank < 3 || state.rank > 4 || !find_ending(w, at, &e) || !whole_range(&e)) return false;
    state.y = e.y;
    emit_pool(w, s, &state, x, &e, e.cell);
    return true;
}

static bool lower_qlinear_average(ox_quant_walk *w, const ox_step *s) {
    uint32_t x = s->in_cell[0], y = s->out_cell[0];
    ox_quant_pool state = {.global = is_microsoft(s, "QLinearGlobalAveragePool")};
    if ((!state.global && !is_microsoft(s, "QLinearAveragePool")) || x == OX_NO_CELL || y == OX_NO_CELL || ox_get_int(&s->call, "channels_last")) return false;
    state.rank = rank_of(w, x);
    if (state.rank < 3 || state.rank > 4 || !ox_quant_read(w, s, 1, ox_quant_type_of(w, x), &state.x) ||
        !ox_quant_read(w, s, 3, ox_quant_type_of(w, x), &state.y))
        return false;
    emit_pool(w, s, &state, w->cells[x].same, NULL, y);
    return true;
}

/* MaxPool of an image by pixels: the greatest number is the greatest 8-bit number. */
static bool lower_max(ox_quant_walk *w, const ox_step *s) {
    ox_quant_pool state = {.max = true, .rank = rank_of(w, s->in_cell[0])};
    uint32_t y = s->out_cell[0];
    if (!ox_lower_is(s, "MaxPool") || s->call.n_out != 1 || y == OX_NO_CELL || state.rank < 3 || state.rank > 4) return false;
    uint32_t x = bytes_of(w, s, 0, &state.x);
    if (x == OX_NO_CELL) { /* of 8-bit numbers in the model already */
        ox_dtype t = ox_quant_type_of(w, s->in_cell[0]);
        x = w->cells[s->in_cell[0]].same;
        if (t == OX_UNDEFINED || !ox_quant_in_pixels(w, x)) return false;
        state.x = state.y = (ox_quant){1, 0, t == OX_INT8};
        emit_pool(w, s, &state, x, NULL, y);
        return true;
    }
    if (!ox_quant_in_pixels(w, x)) return false;
    state.y = state.x;
    uint32_t c = ox_quant_new_cell(w, y, ox_quant_type(&state.x));
    emit_pool(w, s, &state, x, NULL, c);
    w->cells[y].bytes = c;
    w->cells[y].quant = state.x;
    w->cells[y].there = false;
    return true;
}

/* ---- what only moves numbers */

/* [N, C, spatial] to [N, spatial, C]: an image by pixels, seen as the model sees it then. */
static bool to_pixels(const ox_quant_walk *w, const ox_step *s, uint32_t x) {
    int n, rank = rank_of(w, x);
    const int64_t *perm = ox_get_ints(&s->call, "perm", &n);
    if (!ox_lower_is(s, "Transpose") || !ox_quant_in_pixels(w, x) || !perm || n != rank || rank < 3) return false;
    for (int i = 1; i < rank - 1; i++)
        if (perm[i] != i + 1) return false;
    return perm[0] == 0 && perm[rank - 1] == 1;
}

static bool moves(const ox_step *s) {
    static const char *const names[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Slice", "Expand", "Tile", "DepthToSpace",
                                        "SpaceToDepth", "Gather", "MaxPool"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ox_lower_is(s, names[i])) return s->call.n_out == 1;
    if (!ox_lower_is(s, "Resize") || s->call.n_out != 1) return false;
    const char *mode = ox_get_string(&s->call, "mode"), *places = ox_get_string(&s->call, "coordinate_transformation_mode");
    return mode && !strcmp(mode, "nearest") && places && strcmp(places, "tf_crop_and_resize") != 0;
}

/* The same operator moves 8-bit numbers. */
static bool lower_move(ox_quant_walk *w, const ox_step *from) {
    ox_quant q;
    uint32_t y = from->out_cell[0];
    if (!moves(from) || y == OX_NO_CELL) return false;
    uint32_t x = bytes_of(w, from, 0, &q);
    if (x == OX_NO_CELL) return false;
    uint32_t c = ox_quant_new_cell(w, y, ox_quant_type(&q));
    bool turned = to_pixels(w, from, x);
    ox_step s = ox_quant_step(w, from, turned ? 1 : from->n_in, turned ? &ox_native_same : NULL, NULL, 0);
    for (int i = 1; i < s.n_in; i++) {
        s.in[i] = from->in[i];
        s.in_cell[i] = from->in_cell[i];
        s.in_value[i] = from->in_value[i];
        s.around[i] = from->around[i];
    }
    s.in_cell[0] = OX_NO_CELL;
    ox_quant_plain(w, &s);
    ox_quant_any(w, &s, 0, x, turned);
    ox_quant_made(w, &s, c, false);
    ox_quant_emit(w, &s);
    w->cells[y].bytes = c;
    w->cells[y].quant = q;
    w->cells[y].there = false;
    return true;
}

/* Parts of other quantization go through tables first. */
static bool lower_concat(ox_quant_walk *w, uint32_t at, const ox_step *from) {
    ending e;
    ox_quant q;
    if (!ox_lower_is(from, "Concat") || from->n_in < 1) return false;
    for (int i = 0; i < from->n_in; i++)
        if (bytes_of(w, from, i, &q) == OX_NO_CELL) return false;
    if (!find_ending(w, at, &e) || !whole_range(&e)) return false;
    ox_step s = ox_quant_step(w, from, from->n_in, NULL, NULL, 0);
    for (int i = 0; i < from->n_in; i++) {
        uint32_t x = bytes_of(w, from, i, &q), c = x;
        if (!same_quant(&q, &e.y)) {
            float real[256];
            ox_quant_table t;
            all_numbers(&q, real);
            fill_table(real, &e.y, &t);
            c = ox_quant_new_cell(w, x, ox_quant_type(&e.y));
            ox_step n = table_step(w, from, &t, x, c);
            n.moves = true;
            ox_quant_emit(w, &n);
        }
        ox_quant_planar(w, &s, i, c);
    }
    take_ending(w, &s, &e);
    ox_quant_made(w, &s, e.cell, false);
    ox_quant_emit(w, &s);
    return true;
}

/* ---- the walk */

static bool lower_step(ox_quant_walk *w, uint32_t at, const ox_step *s) {
    if (s->call.n_out < 1 || s->n_in < 1) return false;
    if (lower_qlinear(w, s) || lower_qlinear_pair(w, s) || lower_qlinear_average(w, s) || lower_max(w, s) || vain_cast(w, s) || lower_dynamic(w, s) || lower_scaled(w, at, s)) return true;
    if (!w->integers) return false;
    return put_off(w, s) || requantize(w, s) || lower_conv(w, at, s) || lower_product(w, at, s) || lower_pair(w, at, s) || lower_average(w, at, s) ||
           lower_move(w, s) || lower_concat(w, at, s) || lower_table(w, at, s);
}

static bool quantized(const ox_plan *p) {
    for (uint32_t k = 0; k < p->n_steps; k++)
        if (!strncmp(p->steps[k].call.op->name, "QLinear", 7) || is_microsoft(&p->steps[k], "DynamicQuantizeMatMul") || ox_lower_is(&p->steps[k], "MatMulInteger") || ox_lower_is(&p->steps[k], "DequantizeLinear")) return true;
    return false;
}

/* Each output may need steps that bring it to other forms, in front of each reader at most three. */
static size_t most_steps(const ox_plan *p) {
    size_t n = p->n_steps + p->n_cells + 1;
    for (size_t k = 0; k < p->n_steps; k++) n += 3 * ((size_t)p->steps[k].n_in + p->steps[k].n_captured);
    return n;
}

static void begin(ox_quant_walk *w) {
    ox_plan *p = w->p;
    size_t most = 4 * p->n_cells + 1;
    w->steps = OX_NEW_N(w->f->arena, ox_step, most_steps(p));
    w->cells = OX_NEW_N(w->f->arena, ox_quant_cell, most);
    w->later = OX_NEW_N(w->f->arena, ox_step *, p->n_steps + 1);
    w->once_of = OX_NEW_N(w->f->arena, uint32_t, p->n_made_once + 1);
    for (uint32_t c = 0; c < p->n_cells; c++)
        w->cells[c] = (ox_quant_cell){.same = c, .bytes = OX_NO_CELL, .pixels = OX_NO_CELL, .there = true, .fixed_place = p->returned[c]};
    for (uint32_t k = 0; k < p->n_steps; k++)
        for (size_t i = 0; i < p->steps[k].n_captured; i++) w->cells[p->steps[k].captured[i]].fixed_place = true;
    for (uint32_t k = 0; k < p->n_once; k++)
        for (int i = 0; i < p->once[k].call.n_out; i++)
            if (p->once[k].out[i]) w->once_of[p->once[k].out[i] - p->made_once] = k;
}

static void mark(const ox_plan *p, bool *read, const ox_cell *c) {
    uintptr_t at = (uintptr_t)c, first = (uintptr_t)p->made_once;
    if (c && at >= first && at < first + p->n_made_once * sizeof *c) read[(at - first) / sizeof *c] = true;
}

/* Steps of constants whose results nobody reads any more, such as weights as floats. */
static void drop_once(ox_quant_walk *w) {
    ox_plan *p = w->p;
    bool *read = OX_NEW_N(w->f->arena, bool, p->n_made_once + 1);
    for (const ox_plan *q = w->f->plans; q; q = q->next) {
        for (size_t k = 0; k < q->n_steps; k++)
            for (int i = 0; i < q->steps[k].n_in; i++) mark(p, read, q->steps[k].in[i]);
        for (size_t k = 0; k < q->n_once && q != p; k++)
            for (int i = 0; i < q->once[k].n_in; i++) mark(p, read, q->once[k].in[i]);
        for (uint32_t i = 0; i < q->graph->ret->n_in; i++) mark(p, read, q->outputs[i]);
    }
    size_t kept = p->n_once;
    for (size_t k = p->n_once; k-- > 0;) {
        const ox_step *s = &p->once[k];
        bool needed = false;
        for (int i = 0; i < s->call.n_out; i++) needed |= s->out[i] && read[s->out[i] - p->made_once];
        if (!needed) continue;
        for (int i = 0; i < s->n_in; i++) mark(p, read, s->in[i]);
        if (--kept != k) p->once[kept] = *s;
    }
    p->once += kept;
    p->n_once -= kept;
}

void ox_lower_quant(ox_frame *f, ox_plan *p) {
    if (!quantized(p)) return;
    ox_lower l = {.f = f, .p = p};
    ox_quant_walk w = {.l = &l, .f = f, .p = p, .integers = f->options.integers};
    l.uses = OX_NEW_N(f->arena, uint32_t, p->n_cells + 1);
    l.maker = OX_NEW_N(f->arena, uint32_t, p->n_cells + 1);
    l.gone = OX_NEW_N(f->arena, bool, p->n_steps + 1);
    ox_lower_count(&l);
    begin(&w);
    for (uint32_t k = 0; k < p->n_steps; k++) {
        if (l.gone[k] || (!w.later[k] && lower_step(&w, k, &p->steps[k]))) continue;
        ox_step s = w.later[k] ? *w.later[k] : p->steps[k];
        ox_quant_plain(&w, &s);
        ox_quant_emit(&w, &s);
    }
    ox_quant_finish(&w);
    p->steps = w.steps;
    p->n_steps = w.n;
    if (!p->depth) drop_once(&w);
}
