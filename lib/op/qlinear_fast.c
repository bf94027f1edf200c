/* Products and convolutions of 8-bit integers on the kernels of lib/cpu: what these serve, which is nearly everything. The definition, and
 * what is left (three spatial axes, zero points per matrix of a batch), is in qlinear.c. Weights that are fixed are packed once. */
#include "op/qlinear.h"

#include "cpu/qconv.h"
#include "cpu/qgemm.h"

static bool is_8bit(const ox_tensor *t) { return t->dtype == OX_INT8 || t->dtype == OX_UINT8; }

/* The zero points of an optional input, one or N of them; false when they are something else. -1 in *failed when there is no memory. */
static bool zeros_of(ox_run *r, int i, int64_t n, ox_qzero *out, int *failed) {
    const ox_tensor *t = ox_input(r, i);
    *out = (ox_qzero){NULL, false};
    if (!t) return true;
    if (!is_8bit(t) || (t->count != 1 && t->count != n)) return false;
    const void *data = ox_tensor_data(t);
    int32_t *v = data ? ox_scratch(r, (uint64_t)t->count * sizeof *v + 1) : NULL;
    if (!v) {
        *failed = -1;
        return false;
    }
    for (int64_t k = 0; k < t->count; k++)
        v[k] = t->dtype == OX_INT8 ? ((const int8_t *)data)[k] : ((const uint8_t *)data)[k];
    *out = (ox_qzero){v, t->count > 1};
    return true;
}

ox_qtail ox_q_tail(ox_dtype t, float zero) {
    if (t == OX_INT8) return (ox_qtail){.type = OX_Q_S8, .zero = (int32_t)zero, .lo = -128, .hi = 127};
    if (t == OX_UINT8) return (ox_qtail){.type = OX_Q_U8, .zero = (int32_t)zero, .lo = 0, .hi = 255};
    return (ox_qtail){.type = t == OX_FLOAT ? OX_Q_FLOAT : OX_Q_S32};
}

static int64_t tail_size(const ox_qtail *t) { return t->type == OX_Q_U8 || t->type == OX_Q_S8 ? 1 : 4; }

/* All matrices of A are one behind the other and meet the same B: one product of more rows. */
static void join_batches(ox_q_product *p, const ox_qzero *a_zero) {
    for (int64_t g = 0; g < p->batch; g++)
        if (p->a_at[g] != g || p->b_at[g] != 0) return;
    int64_t rows;
    if (a_zero->per || !ox_mul_ok(p->batch, p->m, &rows)) return;
    p->m = rows;
    p->batch = 1;
}

/* Memory for what becomes of weights T: kept between runs when they are a fixed input, and *done when it was filled before. NULL after ox_fail. */
static void *packed_memory(ox_run *r, const ox_tensor *t, uint64_t bytes, bool *done) {
    *done = false;
    if (!r->kept || bytes > SIZE_MAX) return ox_scratch(r, bytes);
    for (int i = 0; i < r->call->n_in && i < 32; i++) {
        if (!(r->kept->fixed >> i & 1) || ox_input(r, i) != t) continue;
        *done = r->kept->data != NULL;
        if (!*done) r->kept->data = ox_payload_alloc(r->ctx, (size_t)bytes);
        r->kept->free = ox_payload_free;
        return r->kept->data;
    }
    return ox_scratch(r, bytes);
}

/* The product of what lies at X with the matrices of B. */
static int multiply(ox_run *r, ox_q_product p, const uint8_t *x, bool x_signed, ox_qzero za, const ox_tensor *b, ox_qzero zb, const ox_qtail *tail,
                    void *out) {
    if (!p.batch || !p.m || !p.n) return 1;
    join_batches(&p, &za);
    uint64_t packed_size = ox_qgemm_packed_size(p.n, p.k), scratch_size = ox_qgemm_scratch(p.m, p.n, p.k);
    if (!packed_size || !scratch_size) return 0;
    bool one = b->count == p.k * p.n, done = false; /* all products meet the same matrix */
    void *packed = one ? packed_memory(r, b, packed_size, &done) : ox_scratch(r, packed_size), *scratch = packed ? ox_scratch(r, scratch_size) : NULL;
    const uint8_t *y = ox_tensor_data(b);
    if (!scratch || !x || !y) return -1;
    int threads = ox_thread_count(r->ctx);
    for (int64_t g = 0; g < p.batch; g++) {
        if (!done && (!g || p.b_at[g] != p.b_at[g - 1]))
            ox_qgemm_pack(threads, p.n, p.k, y + p.b_at[g] * p.k * p.n, b->dtype == OX_INT8, p.trans ? p.k : p.n, p.trans,
                          packed);
        ox_qmatrix left = {x + p.a_at[g] * p.m * p.k, x_signed, p.k, za};
        ox_qgemm(threads, p.m, &left, packed, zb, tail, (uint8_t *)out + g * p.m * p.n * tail_size(tail), p.n, scratch);
    }
    return 1;
}

int ox_q_fast_product(ox_run *r, const ox_q_product *p, const ox_tensor *a, int a_zero, const ox_tensor *b, int b_zero,
                      const ox_qtail *tail, void *out) {
    ox_qzero za, zb;
    int failed = 0;
    if (!is_8bit(a) || !is_8bit(b)) return 0;
    if (!zeros_of(r, a_zero, p->m, &za, &failed) || !zeros_of(r, b_zero, p->n, &zb, &failed)) return failed;
    return multiply(r, *p, ox_tensor_data(a), a->dtype == OX_INT8, za, b, zb, tail, out);
}

/* ------------------------------------------------------------------------------------------------ convolution */

/* The geometry, axes before the last but one being 1; false when there are more than two. */
static bool geometry(const ox_q_conv *v, ox_qconv *c) {
    const ox_image *im = &v->image;
    if (im->n < 1 || im->n > 2) return false;
    *c = (ox_qconv){v->batch, v->groups, v->in_ch, v->out_ch, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}};
    for (int i = 0; i < im->n; i++) {
        int k = i + 2 - im->n;
        c->in[k] = im->in[i];
        c->out[k] = im->out[i];
        c->kernel[k] = im->kernel[i];
        c->stride[k] = im->stride[i];
        c->dilation[k] = im->dilation[i];
        c->begin[k] = im->begin[i];
    }
    return true;
}

int ox_q_fast_conv(ox_run *r, const ox_q_conv *v, const ox_tensor *x, int x_zero, const ox_tensor *w, int w_zero,
                   const ox_qtail *tail, void *out) {
    ox_qconv c;
    ox_qzero zx, zw;
    int failed = 0, threads = ox_thread_count(r->ctx);
    if (!is_8bit(x) || !is_8bit(w) || !geometry(v, &c)) return 0;
    if (!zeros_of(r, x_zero, 1, &zx, &failed) || !zeros_of(r, w_zero, w->dims[0], &zw, &failed)) return failed;
    if (!c.in_ch || !c.in[0] || !c.in[1] || !c.batch || !c.out_ch) return 0;
    uint64_t packed_size = ox_qconv_packed_size(&c), scratch_size = ox_qconv_scratch(threads, &c);
    if (!packed_size || !scratch_size) return 0;
    bool done, fixed_zero = !ox_input(r, w_zero) || (r->kept && w_zero < 32 && r->kept->fixed >> w_zero & 1);
    void *packed = fixed_zero ? packed_memory(r, w, packed_size, &done) : ox_scratch(r, packed_size),
         *scratch = packed ? ox_scratch(r, scratch_size) : NULL;
    if (!fixed_zero) done = false;
    const void *from = ox_tensor_data(x), *weights = ox_tensor_data(w);
    if (!scratch || !from || !weights) return -1;
    ox_qimage image = {from, x->dtype == OX_INT8, zx.value ? zx.value[0] : 0, OX_Q_NCHW};
    if (!done) ox_qconv_pack(threads, &c, weights, w->dtype == OX_INT8, zw, packed);
    ox_qconv_run(threads, &c, &image, packed, tail, OX_Q_NCHW, out, scratch);
    return 1;
}
