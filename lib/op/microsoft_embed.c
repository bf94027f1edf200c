/* com.microsoft: EmbedLayerNormalization and its quantized form, DynamicQuantizeMatMul, QGemm, DynamicQuantizeLSTM and other operators on 8 bits
 * that are made of steps. Rows are in microsoft.c. */
#include "op/compose.h"
#include "op/compute.h"
#include "op/microsoft.h"
#include "op/qlinear.h"

/* ------------------------------------------------------------------------------------------------ embeddings */

typedef struct embed {
    int64_t batch, length, width;
    const float *word, *position, *segment, *gamma, *beta;
    int64_t words, positions, segments; /* rows of the tables */
    const int64_t *ids, *segment_ids, *position_ids;
    int64_t position_rows;              /* of position_ids: 1 or the batch */
    double epsilon;
} embed;

/* A table of embeddings or a vector of their width, as floats; -1 after ox_fail. SCALE: input of its scale, or -1. */
static int read_table(ox_run *r, int i, int scale, int zero, int64_t *width, int64_t *rows, const float **out) {
    const ox_tensor *t = ox_need(r, i);
    if (!t) return -1;
    int64_t w = t->rank ? t->dims[t->rank - 1] : 0;
    if (t->rank < 1 || t->rank > 2 || w < 1 || (*width && w != *width)) return ox_fail(r->ctx, OX_BAD_DATA, "input %d has a wrong shape", i);
    *width = w;
    if (rows) *rows = t->count / w;
    *out = ox_as_floats(r, t);
    if (!*out || scale < 0) return *out ? 0 : -1;
    float s, z, *to = ox_scratch(r, ((uint64_t)t->count + 1) * sizeof *to);
    if (!to || ox_q_scalar(r, scale, 1, &s) || ox_q_scalar(r, zero, 0, &z)) return -1;
    for (int64_t k = 0; k < t->count; k++) to[k] = ((*out)[k] - z) * s;
    *out = to;
    return 0;
}

static int check_ids(ox_run *r, const int64_t *ids, int64_t n, int64_t rows) {
    for (int64_t i = 0; ids && i < n; i++)
        if (ids[i] < 0 || ids[i] >= rows) return ox_fail(r->ctx, OX_BAD_DATA, "row %" PRId64 " of %" PRId64 " is asked for", ids[i], rows);
    return 0;
}

static int read_ids(ox_run *r, embed *e, int positions) {
    const ox_tensor *t = ox_need(r, 0);
    int64_t n, m = 0, places;
    e->ids = t ? ox_run_ints(r, 0, &n) : NULL;
    if (!e->ids) return -1;
    if (t->rank != 2) return ox_fail(r->ctx, OX_BAD_DATA, "input_ids have rank %d, not 2", t->rank);
    e->batch = t->dims[0];
    e->length = t->dims[1];
    places = n;
    if (e->segment && !(e->segment_ids = ox_run_ints(r, 1, &m))) return -1;
    if (e->segment && m != places) return ox_fail(r->ctx, OX_BAD_DATA, "segment_ids do not fit input_ids");
    if (positions >= 0 && ox_input(r, positions)) {
        if (!(e->position_ids = ox_run_ints(r, positions, &m))) return -1;
        if (m != places && m != e->length) return ox_fail(r->ctx, OX_BAD_DATA, "position_ids do not fit input_ids");
        e->position_rows = m == places ? e->batch : 1;
    } else if (e->length > e->positions) {
        return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " positions, but embeddings of %" PRId64, e->length, e->positions);
    }
    if (check_ids(r, e->ids, places, e->words) || check_ids(r, e->segment_ids, places, e->segments)) return -1;
    return check_ids(r, e->position_ids, e->position_ids ? m : 0, e->positions);
}

static void embed_place(const embed *e, int64_t i, float *y, float *sum) {
    int64_t p = !e->position_ids ? i % e->length : e->position_ids[e->position_rows == 1 ? i % e->length : i];
    const float *a = e->word + e->ids[i] * e->width, *b = e->position + p * e->width,
                *c = e->segment ? e->segment + e->segment_ids[i] * e->width : NULL;
    double mean = 0, square = 0;
    for (int64_t k = 0; k < e->width; k++) {
        y[k] = a[k] + b[k] + (c ? c[k] : 0);
        mean += (double)y[k];
    }
    if (sum) memcpy(sum, y, (size_t)e->width * sizeof *y);
    mean /= (double)e->width;
    for (int64_t k = 0; k < e->width; k++) square += ((double)y[k] - mean) * ((double)y[k] - mean);
    double inverse = 1 / sqrt(square / (double)e->width + e->epsilon);
    for (int64_t k = 0; k < e->width; k++) y[k] = (float)(((double)y[k] - mean) * inverse) * e->gamma[k] + e->beta[k];
}

/* How many numbers of each row of the mask are 1. */
static int count_mask(ox_run *r, const embed *e) {
    const ox_tensor *t = ox_input(r, 7);
    if (!ox_want(r, 1) || (r->call->node && !ox_node_out(r->call->node, 1))) return 0;
    ox_tensor *out = ox_output(r, 1, OX_INT32, 1, &e->batch);
    const int64_t *m = t && out ? ox_run_ints(r, 7, NULL) : NULL;
    if (!out || (t && !m)) return -1;
    if (t && t->count != e->batch * e->length) return ox_fail(r->ctx, OX_BAD_DATA, "the mask does not fit input_ids");
    for (int64_t b = 0; b < e->batch; b++) {
        int32_t n = 0;
        for (int64_t i = 0; m && i < e->length; i++) n += m[b * e->length + i] == 1;
        ((int32_t *)ox_tensor_mut(out))[b] = n;
    }
    return 0;
}

static int run_embed(ox_run *r, embed *e, ox_dtype t) {
    e->epsilon = ox_get_float(r->call, "epsilon");
    ox_tensor *y = ox_output(r, 0, t, 3, (int64_t[]){e->batch, e->length, e->width}), *all = NULL;
    float *to = y ? ox_floats_of(r, y) : NULL, *sum = NULL;
    if (!to || count_mask(r, e)) return -1;
    if (ox_want(r, 2)) {
        all = ox_output(r, 2, t, 3, (int64_t[]){e->batch, e->length, e->width});
        if (!all || !(sum = ox_floats_of(r, all))) return -1;
    }
    for (int64_t i = 0; i < e->batch * e->length; i++) embed_place(e, i, to + i * e->width, sum ? sum + i * e->width : NULL);
    ox_floats_done(r, y, to);
    if (all) ox_floats_done(r, all, sum);
    return 0;
}

int ox_ms_run_embed(ox_run *r) {
    embed e = {0};
    if (read_table(r, 2, -1, -1, &e.width, &e.words, &e.word) || read_table(r, 3, -1, -1, &e.width, &e.positions, &e.position) ||
        read_table(r, 5, -1, -1, &e.width, NULL, &e.gamma) || read_table(r, 6, -1, -1, &e.width, NULL, &e.beta))
        return -1;
    if (ox_input(r, 4) && ox_input(r, 1) && read_table(r, 4, -1, -1, &e.width, &e.segments, &e.segment)) return -1;
    return read_ids(r, &e, 8) ? -1 : run_embed(r, &e, ox_input(r, 2)->dtype);
}

int ox_ms_run_q_embed(ox_run *r) {
    embed e = {0};
    if (read_table(r, 2, 8, 13, &e.width, &e.words, &e.word) || read_table(r, 3, 9, 14, &e.width, &e.positions, &e.position) ||
        read_table(r, 5, 11, 16, &e.width, NULL, &e.gamma) || read_table(r, 6, 12, 17, &e.width, NULL, &e.beta))
        return -1;
    if (ox_input(r, 4) && ox_input(r, 1) && read_table(r, 4, 10, 15, &e.width, &e.segments, &e.segment)) return -1;
    return read_ids(r, &e, -1) ? -1 : run_embed(r, &e, OX_FLOAT);
}

/* ------------------------------------------------------------------------------------------------ products */

int ox_ms_run_dynamic_matmul(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *a = ox_need(r, 0), *b = ox_need(r, 1), *scale = ox_need(r, 2);
    ox_tensor *q[3];
    if (!a || !b || !scale) return -1;
    ox_step_all(&s, "DynamicQuantizeLinear", 1, &a, q, 3);
    return ox_steps_done(&s, 0, OX_STEP(&s, "com.microsoft::MatMulIntegerToFloat", q[0], b, q[1], scale, q[2], ox_input(r, 3), ox_input(r, 4)));
}

/* A matrix, turned around when the attribute says so. */
static const ox_tensor *oriented(ox_steps *s, const ox_tensor *x, const char *attribute) {
    if (!ox_get_int(s->r->call, attribute)) return x;
    return x->rank == 2 ? ox_step_transposed(s, x, (int64_t[]){1, 0}) : x;
}

static int store_gemm(ox_run *r, const ox_tensor *sum, float a_scale, const float *b_scale, bool per_column) {
    const ox_tensor *z = ox_input(r, 8);
    float scale = 1, zero = 0, alpha = (float)ox_get_float(r->call, "alpha") * a_scale, row[OX_CHUNK];
    if (ox_q_scalar(r, 7, 1, &scale) || ox_q_scalar(r, 8, 0, &zero)) return -1;
    if (!(scale > 0) || (z && z->dtype != OX_INT8 && z->dtype != OX_UINT8)) return ox_fail(r->ctx, OX_BAD_DATA, "the scale or zero point of Y cannot be");
    ox_tensor *y = ox_output(r, 0, z ? z->dtype : OX_FLOAT, 2, sum->dims);
    const int32_t *x = ox_tensor_data(sum);
    if (!y || !x) return -1;
    int64_t n = sum->dims[1];
    for (int64_t at = 0; at < sum->count; at += OX_CHUNK) {
        int64_t count = sum->count - at < OX_CHUNK ? sum->count - at : OX_CHUNK;
        float *to = z ? row : (float *)ox_tensor_mut(y) + at;
        for (int64_t i = 0; i < count; i++) to[i] = (float)x[at + i] * (alpha * b_scale[per_column ? (at + i) % n : 0]);
        if (z) ox_q_store(z->dtype, ox_tensor_mut(y), at, to, count, scale, zero);
    }
    return 0;
}

/* The sums by packed weights, which may be kept. 1 when done, 0 when not served, -1 after ox_fail. */
static int direct_product(ox_steps *s, const ox_tensor *a, const ox_tensor *b, const ox_tensor **sum) {
    ox_run *r = s->r;
    bool trans = ox_get_int(r->call, "transB") != 0;
    static int64_t none[2];
    if (a->rank != 2 || b->rank != 2 || b->dims[trans ? 1 : 0] != a->dims[1]) return 0;
    ox_q_product p = {.m = a->dims[0], .n = b->dims[trans ? 0 : 1], .k = a->dims[1], .batch = 1, .a_at = none, .b_at = none, .trans = trans};
    ox_tensor *t = ox_step_tensor(s, OX_INT32, 2, (int64_t[]){p.m, p.n});
    if (!t) return -1;
    ox_qtail tail = ox_q_tail(OX_INT32, 0);
    *sum = t;
    return ox_q_fast_product(r, &p, a, 2, b, 5, &tail, ox_tensor_mut(t));
}

int ox_ms_run_q_gemm(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *a = ox_need(r, 0), *b = ox_need(r, 3), *scale = ox_need(r, 4), *c = ox_input(r, 6);
    float a_scale;
    if (!a || !b || !scale || ox_q_scalar(r, 1, 1, &a_scale)) return -1;
    const float *b_scale = ox_as_floats(r, scale);
    if (!b_scale) return -1;
    a = oriented(&s, a, "transA");
    const ox_tensor *sum = NULL;
    int done = a ? direct_product(&s, a, b, &sum) : -1;
    if (!done) {
        b = oriented(&s, b, "transB");
        sum = b ? OX_STEP(&s, "MatMulInteger", a, b, ox_input(r, 2), ox_input(r, 5)) : NULL;
    }
    if (sum && c) sum = OX_STEP(&s, "Add", sum, c);
    int rc = -1;
    if (sum && (sum->rank != 2 || (scale->count != 1 && scale->count != sum->dims[1]) || sum->dtype != OX_INT32))
        ox_fail(r->ctx, OX_BAD_DATA, "scales or C do not fit the product");
    else if (sum) rc = store_gemm(r, sum, a_scale, b_scale, scale->count != 1);
    for (int i = 0; i < s.n; i++) ox_tensor_unref(s.kept[i]);
    return rc;
}

int ox_ms_run_matmul_integer16(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *a = ox_need(r, 0), *b = ox_need(r, 1), *x, *y;
    if (!a || !b) return -1;
    ox_step_int(&s, "to", OX_INT32);
    x = OX_STEP(&s, "Cast", a);
    ox_step_int(&s, "to", OX_INT32);
    y = OX_STEP(&s, "Cast", b);
    return ox_steps_done(&s, 0, OX_STEP(&s, "MatMul", x, y));
}

int ox_ms_run_mul_integer(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *x[2];
    for (int i = 0; i < 2; i++) {
        const ox_tensor *t = ox_need(r, 2 * i), *zero = ox_input(r, 2 * i + 1);
        if (!t) return -1;
        ox_step_int(&s, "to", OX_INT32);
        x[i] = OX_STEP(&s, "Cast", t);
        if (!zero) continue;
        ox_step_int(&s, "to", OX_INT32);
        const ox_tensor *z = OX_STEP(&s, "Cast", zero);
        x[i] = OX_STEP(&s, "Sub", x[i], z);
    }
    return ox_steps_done(&s, 0, OX_STEP(&s, "Mul", x[0], x[1]));
}

/* ------------------------------------------------------------------------------------------------ others on 8 bits */

int ox_ms_run_q_mean(ox_run *r) {
    ox_steps s = {.r = r};
    int n;
    const int64_t *axes = ox_get_ints(r->call, "axes", &n);
    const ox_tensor *x = ox_need(r, 0), *real;
    if (!x || !ox_need(r, 1) || !ox_need(r, 3)) return -1;
    real = OX_STEP(&s, "DequantizeLinear", x, ox_input(r, 1), ox_input(r, 2));
    ox_tensor *list = ox_step_tensor(&s, OX_INT64, 1, (int64_t[]){n});
    if (list && n) memcpy(ox_tensor_mut(list), axes, (size_t)n * sizeof *axes);
    ox_step_int(&s, "keepdims", ox_get_int(r->call, "keepdims"));
    real = OX_STEP(&s, "ReduceMean", real, list);
    if (!ox_input(r, 4)) ox_step_int(&s, "output_dtype", x->dtype);
    return ox_steps_done(&s, 0, OX_STEP(&s, "QuantizeLinear", real, ox_input(r, 3), ox_input(r, 4)));
}

int ox_ms_run_q_conv_last(ox_run *r) {
    static const char *const names[] = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"};
    ox_steps s = {.r = r};
    const ox_tensor *in[9];
    for (int i = 0; i < 9; i++) in[i] = ox_input(r, i);
    in[0] = in[0] ? ox_step_channels_first(&s, in[0]) : NULL;
    if (!in[0]) return ox_steps_done(&s, 0, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) ox_step_take(&s, names[i]);
    return ox_steps_done(&s, 0, ox_step_channels_last(&s, ox_step(&s, "QLinearConv", 9, in)));
}

/* Weights [directions, inputs, rows] of 8 bits as floats [directions, rows, inputs]. */
static ox_tensor *lstm_weight(ox_steps *s, int at, int scale_at) {
    ox_run *r = s->r;
    const ox_tensor *w = ox_need(r, at), *scale = w ? ox_need(r, scale_at) : NULL, *zero = scale ? ox_need(r, scale_at + 1) : NULL;
    bool fits = zero && w->rank == 3 && scale->count == zero->count && (scale->count == w->dims[0] || scale->count == w->dims[0] * w->dims[2]);
    const float *x = fits ? ox_as_floats(r, w) : NULL, *by = x ? ox_as_floats(r, scale) : NULL, *z = by ? ox_as_floats(r, zero) : NULL;
    ox_tensor *t = z ? ox_step_tensor(s, OX_FLOAT, 3, (int64_t[]){w->dims[0], w->dims[2], w->dims[1]}) : NULL;
    float *to = t ? ox_tensor_mut(t) : NULL;
    if (zero && !fits) ox_fail(r->ctx, OX_BAD_DATA, "scales or zero points do not fit input %d", at);
    for (int64_t i = 0; to && i < w->count; i++) {
        int64_t k = i % w->dims[1], row = i / w->dims[1], d = row / w->dims[2], p = scale->count == w->dims[0] ? d : row;
        to[i] = (x[(d * w->dims[1] + k) * w->dims[2] + row % w->dims[2]] - z[p]) * by[p];
    }
    if (!to) s->failed = true;
    return t;
}

/* Weights are made floats; X is rounded to the 8 bits that products would take of it, states between steps are not. */
int ox_ms_run_dynamic_lstm(ox_run *r) {
    static const char *const names[] = {"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "input_forget"};
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *w = x ? lstm_weight(&s, 1, 8) : NULL, *rec = w ? lstm_weight(&s, 2, 10) : NULL;
    ox_tensor *q[3], *out[3] = {0};
    if (!rec) return ox_steps_done(&s, 0, NULL);
    ox_step_all(&s, "DynamicQuantizeLinear", 1, &x, q, 3);
    x = OX_STEP(&s, "DequantizeLinear", q[0], q[1], q[2]);
    const ox_tensor *in[8] = {x, w, rec, ox_input(r, 3), ox_input(r, 4), ox_input(r, 5), ox_input(r, 6), ox_input(r, 7)};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) ox_step_take(&s, names[i]);
    int rc = ox_step_all(&s, "LSTM", 8, in, out, 3);
    for (int i = 1; i < 3 && !rc; i++)
        if (ox_want(r, i)) rc = ox_output_share(r, i, out[i], out[i]->rank, out[i]->dims);
    if (ox_steps_done(&s, 0, rc ? NULL : out[0])) rc = -1;
    return rc;
}
