/* Convolutions and products of 8-bit integers by weights that are packed once. The arithmetic is that of QLinearConv and QLinearMatMul:
 * sums of 32 bits, times one float, rounded to even. */
#include "exec/quant_native.h"

#include "cpu/qconv.h"
#include "op/quant.h"
#include "op/window.h"

#include <inttypes.h>
#include <string.h>

static int too_large(ox_run *r) { return ox_fail(r->ctx, OX_NO_MEMORY, "sizes of %s overflow", r->call->op->name); }

static ox_qtail tail_of(const ox_quant_weights *s) {
    return (ox_qtail){.type = s->to_float ? OX_Q_FLOAT : s->y.is_signed ? OX_Q_S8 : OX_Q_U8,
                      .bias = s->bias,
                      .scale = s->scale,
                      .scale_per_column = s->scales,
                      .add = s->add,
                      .zero = s->y.zero,
                      .lo = s->lo,
                      .hi = s->hi};
}

static void *room(ox_run *r, uint64_t bytes) {
    if (bytes && bytes <= SIZE_MAX) return ox_payload_alloc(r->ctx, (size_t)bytes);
    too_large(r);
    return NULL;
}

/* ---- products */

static int pack_product(ox_run *r, ox_quant_weights *s) {
    const ox_tensor *w = ox_native_tensor(r, 1);
    const void *from = ox_tensor_data(w);
    if (!from || !(s->packed = room(r, ox_qgemm_packed_size(s->n, s->k)))) return -1;
    ox_qgemm_pack(ox_thread_count(r->ctx), s->n, s->k, from, w->dtype == OX_INT8, w->dims[1], s->trans, s->packed);
    ox_tensor_forget(w);
    return 0;
}

/* The output of a product of X, which must be of type IN and as wide as the weights; these are packed by the first run. NULL after ox_fail(). */
static ox_tensor *product_output(ox_run *r, ox_quant_weights *s, const ox_tensor *x, ox_dtype in, ox_dtype out) {
    if (!x || !x->rank || x->dtype != in || x->dims[x->rank - 1] != s->k) {
        ox_fail(r->ctx, OX_BAD_DATA, "the weights take %" PRId64 " columns, which the input has not", s->k);
        return NULL;
    }
    if (!s->packed && pack_product(r, s)) return NULL;
    int64_t *dims = ox_dup(r->arena, x->dims, (size_t)x->rank * sizeof *dims);
    dims[x->rank - 1] = s->n;
    return ox_output(r, 0, out, x->rank, dims);
}

static int multiply(ox_run *r, const ox_quant_weights *s, const ox_qmatrix *a, const ox_qtail *tail, ox_tensor *y) {
    int64_t m = y->count / s->n;
    uint64_t bytes = ox_qgemm_scratch(m, s->n, s->k);
    void *scratch = bytes ? ox_scratch(r, bytes) : NULL;
    if (!scratch) return bytes ? -1 : too_large(r);
    ox_qgemm(ox_thread_count(r->ctx), m, a, s->packed, (ox_qzero){s->zero, s->zeros}, tail, ox_tensor_mut(y), s->n, scratch);
    return 0;
}

static int run_product(ox_run *r) {
    ox_quant_weights *s = r->state;
    const ox_tensor *x = ox_native_tensor(r, 0);
    ox_tensor *y = product_output(r, s, x, ox_quant_type(&s->x), s->to_float ? OX_FLOAT : ox_quant_type(&s->y));
    const void *from = y ? ox_tensor_data(x) : NULL;
    if (!from) return -1;
    if (!y->count) return 0;
    ox_qtail tail = tail_of(s);
    return multiply(r, s, &(ox_qmatrix){from, s->x.is_signed, s->k, {&s->x.zero, false}}, &tail, y);
}

/* Floats that are quantized as DynamicQuantizeLinear does it, then a product to floats. */
static int run_dynamic(ox_run *r) {
    ox_quant_weights *s = r->state;
    const ox_tensor *x = ox_native_tensor(r, 0);
    ox_tensor *y = product_output(r, s, x, OX_FLOAT, OX_FLOAT);
    const float *from = y ? ox_tensor_data(x) : NULL;
    int64_t many = s->scales ? s->n : 1;
    uint8_t *codes = from ? ox_scratch(r, (uint64_t)x->count + 1) : NULL;
    float *scale = codes ? ox_scratch(r, (uint64_t)many * sizeof *scale) : NULL, of, zero;
    if (!scale) return -1;
    if (!y->count) return 0;
    ox_q_dynamic(r, from, x->count, codes, &of, &zero);
    for (int64_t i = 0; i < many; i++) scale[i] = of * s->scale[i];
    ox_qtail tail = tail_of(s);
    tail.scale = scale;
    int32_t z = (int32_t)zero;
    return multiply(r, s, &(ox_qmatrix){codes, false, s->k, {&z, false}}, &tail, y);
}

/* One 8-bit number, or 0 when the input is absent. */
static int zero_of(ox_run *r, int i, int32_t *zero) {
    const ox_tensor *t = ox_native_tensor(r, i);
    *zero = 0;
    if (!r->in[i]) return 0;
    const void *data = t && t->count == 1 ? ox_tensor_data(t) : NULL;
    if (!data || (t->dtype != OX_INT8 && t->dtype != OX_UINT8)) return ox_fail(r->ctx, OX_BAD_DATA, "the zero point is not one number of 8 bits");
    *zero = (int32_t)ox_load_int(t->dtype, data, 0);
    return 0;
}

static int run_scaled(ox_run *r) {
    ox_quant_weights *s = r->state;
    const ox_tensor *x = ox_native_tensor(r, 0), *scale = ox_native_tensor(r, 2);
    int32_t zero;
    if (!scale || scale->dtype != OX_FLOAT || (scale->count != 1 && scale->count != s->n)) return ox_fail(r->ctx, OX_BAD_DATA, "the scales do not fit the product");
    if (zero_of(r, 3, &zero)) return -1;
    ox_tensor *y = product_output(r, s, x, ox_quant_type(&s->x), OX_FLOAT);
    const void *from = y ? ox_tensor_data(x) : NULL;
    if (!from || !ox_tensor_data(scale)) return -1;
    if (!y->count) return 0;
    ox_qtail tail = tail_of(s);
    tail.scale = ox_tensor_data(scale);
    tail.scale_per_column = scale->count > 1;
    return multiply(r, s, &(ox_qmatrix){from, s->x.is_signed, s->k, {&zero, false}}, &tail, y);
}

/* ---- convolutions */

/* Everything but the sizes of the image. */
static int fixed_part(ox_run *r, ox_quant_weights *s, const ox_window *w, ox_qconv *c) {
    const ox_tensor *k = ox_native_tensor(r, 1);
    int64_t groups = ox_get_int(r->call, "group");
    if (groups < 1 || k->dims[0] % groups) return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " channels in %" PRId64 " groups", k->dims[0], groups);
    *c = (ox_qconv){0, groups, k->dims[1], k->dims[0] / groups, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}};
    for (int i = 0; i < w->n; i++) {
        int to = i + 2 - w->n;
        c->kernel[to] = w->kernel[i];
        c->stride[to] = w->stride[i];
        c->dilation[to] = w->dilation[i];
    }
    if (!ox_mul_ok(c->in_ch, groups, &s->k)) return too_large(r);
    return 0;
}

static int pack_conv(ox_run *r, ox_quant_weights *s, const ox_qconv *c) {
    const ox_tensor *w = ox_native_tensor(r, 1);
    const void *from = ox_tensor_data(w);
    if (!from || !(s->packed = room(r, ox_qconv_packed_size(c)))) return -1;
    ox_qconv_pack(ox_thread_count(r->ctx), c, from, w->dtype == OX_INT8, (ox_qzero){s->zero, s->zeros}, s->packed);
    ox_tensor_forget(w);
    return 0;
}

static int image_part(ox_run *r, const ox_quant_weights *s, const ox_tensor *x, ox_window *w, ox_qconv *c) {
    int n = s->rank - 2;
    int64_t in[2], out[2];
    if (!x || x->rank != s->rank || x->dtype != ox_quant_type(&s->x) || x->dims[s->pixels ? s->rank - 1 : 1] != s->k)
        return ox_fail(r->ctx, OX_BAD_DATA, "the weights are for %" PRId64 " channels, which the input has not", s->k);
    for (int i = 0; i < n; i++) in[i] = x->dims[i + (s->pixels ? 1 : 2)];
    if (ox_window_sizes(r->ctx, w, in, out)) return -1;
    c->batch = x->dims[0];
    for (int i = 0; i < n; i++) {
        int to = i + 2 - n;
        c->in[to] = in[i];
        c->out[to] = out[i];
        c->begin[to] = w->begin[i];
    }
    return 0;
}

static int run_conv(ox_run *r) {
    ox_quant_weights *s = r->state;
    const ox_tensor *x = ox_native_tensor(r, 0), *k = ox_native_tensor(r, 1);
    ox_window w;
    ox_qconv c;
    if (ox_window_init(&w, r->call, r->arena, s->rank - 2, k->dims + 2) || fixed_part(r, s, &w, &c) || image_part(r, s, x, &w, &c)) return -1;
    if (!s->packed && pack_conv(r, s, &c)) return -1;
    int64_t dims[4] = {c.batch, c.out[0], c.out[1], s->n};
    if (s->rank == 3) dims[1] = c.out[1], dims[2] = s->n;
    ox_tensor *y = ox_output(r, 0, ox_quant_type(&s->y), s->rank, dims);
    const void *from = y ? ox_tensor_data(x) : NULL;
    if (!from) return -1;
    if (!y->count) return 0;
    if (!x->count) return ox_fail(r->ctx, OX_UNAVAILABLE, "a convolution of an image without pixels");
    int threads = ox_thread_count(r->ctx);
    uint64_t bytes = ox_qconv_scratch(threads, &c);
    void *scratch = bytes ? ox_scratch(r, bytes) : NULL;
    if (!scratch) return bytes ? -1 : too_large(r);
    ox_qtail tail = tail_of(s);
    ox_qimage image = {from, s->x.is_signed, s->x.zero, s->pixels ? OX_Q_NHWC : OX_Q_NCHW};
    ox_qconv_run(threads, &c, &image, s->packed, &tail, OX_Q_NHWC, ox_tensor_mut(y), scratch);
    return 0;
}

static void done(ox_ctx *ctx, void *state) {
    (void)ctx;
    ox_payload_free(((ox_quant_weights *)state)->packed);
}

const ox_native ox_native_qconv = {"8-bit convolution", run_conv, done, NULL};
const ox_native ox_native_qproduct = {"8-bit product", run_product, done, NULL};
const ox_native ox_native_qdynamic = {"8-bit product of floats", run_dynamic, done, NULL};
const ox_native ox_native_qscaled = {"8-bit product, scaled", run_scaled, done, NULL};
