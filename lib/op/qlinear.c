/* Convolution and matrix products of 8-bit integers, exact: zero points are taken off first, what remains fits 16
 * bits, sums are 32-bit and wrap as the standard says. QLinear forms scale the sum by a float and round it to even.
 * Rows are cut among threads; sums of integers do not depend on that. qlinear_fast.c takes over what it serves, with the same bits. */
#include "op/qlinear.h"

#include <math.h>

/* ------------------------------------------------------------------------------------------------ shared */

/* Elements minus their zero points; zero[i / per % count] belongs to element i. NULL after ox_fail. */
static int16_t *centered(ox_run *r, const ox_tensor *x, const float *zero, int64_t per, int64_t count) {
    int16_t *out = ox_scratch(r, ((uint64_t)x->count + 1) * sizeof *out);
    const void *data = ox_tensor_data(x);
    if (!out || !data) return NULL;
    if (x->dtype != OX_INT8 && x->dtype != OX_UINT8) {
        ox_kernel_no_type(r, x->dtype);
        return NULL;
    }
    const int8_t *s = data;
    const uint8_t *u = data;
    for (int64_t i = 0, row = 0; i < x->count; row++) {
        int z = (int)zero[row % count];
        for (int64_t end = i + per; i < end; i++) out[i] = (int16_t)((x->dtype == OX_INT8 ? s[i] : u[i]) - z);
    }
    return out;
}

/* Run length that gives all elements of a tensor the first zero point. */
static int64_t whole(const ox_tensor *t) { return t->count ? t->count : 1; }

/* Zero points of an optional input as float; one zero when absent. */
static const float *zeros(ox_run *r, int i, int64_t *n) {
    const ox_tensor *t = ox_input(r, i);
    static const float none = 0;
    *n = t ? t->count : 1;
    if (t && t->dtype != OX_INT8 && t->dtype != OX_UINT8) {
        ox_fail(r->ctx, OX_BAD_DATA, "a zero point of %s", ox_dtype_name(t->dtype));
        return NULL;
    }
    return t ? ox_as_floats(r, t) : &none;
}

/* acc (int32, n of them) times scale plus zero into an 8-bit output. */
static void requantize(ox_dtype t, void *data, int64_t at, const int32_t *acc, int64_t n, float scale, float zero) {
    float lo = 0, hi = 0;
    ox_q_limits(t, &lo, &hi);
    for (int64_t i = 0; i < n; i++) {
        float v = rintf((float)acc[i] * scale) + zero;
        v = v > lo ? v : lo;
        v = v < hi ? v : hi;
        if (t == OX_INT8) ((int8_t *)data)[at + i] = (int8_t)v;
        else ((uint8_t *)data)[at + i] = (uint8_t)v;
    }
}

static int need_8bit(ox_run *r, ox_dtype t) { return t == OX_INT8 || t == OX_UINT8 ? 0 : ox_kernel_no_type(r, t); }

/* ------------------------------------------------------------------------------------------------ matrix products */

int ox_q_matmul_dims(ox_call *c, int a, int b, ox_dtype dtype) {
    int ra = ox_in_rank(c, a), rb = ox_in_rank(c, b), rank;
    const ox_dim *da = ox_in_dims(c, a), *db = ox_in_dims(c, b);
    ox_dim *dims;
    bool bad = false;
    if (ra == 0 || rb == 0) return ox_fail(c->ctx, OX_BAD_DATA, "a matrix product of a scalar");
    if (ra < 0 || rb < 0) {
        ox_out_tensor(c, 0, dtype, -1, NULL);
        return 0;
    }
    ox_mv_same_dim(c, da[ra - 1], db[rb > 1 ? rb - 2 : 0], "inner sizes", &bad);
    if (bad || ox_broadcast_dims(c, ra > 2 ? ra - 2 : 0, da, rb > 2 ? rb - 2 : 0, db, &rank, &dims)) return -1;
    ox_dim *out = ox_mv_no_dims(c, rank + 2);
    for (int i = 0; i < rank; i++) out[i] = dims[i];
    if (ra > 1) out[rank++] = da[ra - 2];
    if (rb > 1) out[rank++] = db[rb - 1];
    ox_out_tensor(c, 0, dtype, rank, out);
    return 0;
}

int ox_infer_matmul_integer(ox_call *c) { return ox_q_matmul_dims(c, 0, 1, OX_INT32); }
int ox_infer_qlinear_matmul(ox_call *c) { return ox_q_matmul_dims(c, 0, 3, ox_in_dtype(c, 7)); }

typedef ox_q_product product;

int ox_q_product_of(ox_run *r, const ox_tensor *a, const ox_tensor *b, product *p) {
    int ra = a->rank, rb = b->rank, ba = ra > 2 ? ra - 2 : 0, bb = rb > 2 ? rb - 2 : 0, rank = ba > bb ? ba : bb;
    if (!ra || !rb) return ox_fail(r->ctx, OX_BAD_DATA, "a matrix product of a scalar");
    *p = (product){
        ra > 1 ? a->dims[ra - 2] : 1, rb > 1 ? b->dims[rb - 1] : 1, a->dims[ra - 1], 1, NULL, NULL, false, rank, NULL};
    if (b->dims[rb > 1 ? rb - 2 : 0] != p->k) return ox_fail(r->ctx, OX_BAD_DATA, "inner sizes differ");
    p->dims = OX_NEW_N(r->arena, int64_t, rank + 3);
    for (int i = 0; i < rank; i++) {
        int64_t x = i < rank - ba ? 1 : a->dims[i - (rank - ba)], y = i < rank - bb ? 1 : b->dims[i - (rank - bb)];
        if (x != y && x != 1 && y != 1) return ox_fail(r->ctx, OX_BAD_DATA, "batches do not broadcast");
        p->dims[i] = x == 1 ? y : x;
        if (!ox_mul_ok(p->batch, p->dims[i], &p->batch)) return ox_fail(r->ctx, OX_BAD_DATA, "too many batches");
    }
    if (ra > 1) p->dims[p->rank++] = p->m;
    if (rb > 1) p->dims[p->rank++] = p->n;
    p->a_at = ox_scratch(r, ((uint64_t)p->batch + 1) * 2 * sizeof(int64_t));
    if (!p->a_at) return -1;
    p->b_at = p->a_at + p->batch;
    for (int64_t k = 0; k < p->batch; k++) {
        int64_t rest = k, x = 0, y = 0, sx = 1, sy = 1;
        for (int i = rank - 1; i >= 0; i--) {
            int64_t at = rest % p->dims[i], da = i < rank - ba ? 1 : a->dims[i - (rank - ba)],
                    db = i < rank - bb ? 1 : b->dims[i - (rank - bb)];
            rest /= p->dims[i];
            x += da == 1 ? 0 : at * sx;
            y += db == 1 ? 0 : at * sy;
            sx *= da;
            sy *= db;
        }
        p->a_at[k] = x;
        p->b_at[k] = y;
    }
    return 0;
}

/* One row of the product: acc[n] = a[k] times b[k][n]. */
static void row_product(const product *p, const int16_t *a, const int16_t *b, int32_t *acc) {
    uint32_t *sum = (uint32_t *)acc;
    memset(acc, 0, (size_t)p->n * sizeof *acc);
    for (int64_t k = 0; k < p->k; k++) {
        int32_t f = a[k];
        const int16_t *row = b + k * p->n;
        if (f)
            for (int64_t j = 0; j < p->n; j++) sum[j] += (uint32_t)(f * row[j]);
    }
}

static void multiply(const ox_run *r, const product *p, const int16_t *a, const int16_t *b, int32_t *acc) {
    int64_t rows = p->batch * p->m;
    int threads =
        ox_threads_for(r->ctx, rows * p->n > INT64_MAX / 4096 ? INT64_MAX : rows * p->n * (p->k < 4096 ? p->k : 4096));
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        int64_t g = i / p->m, m = i % p->m;
        row_product(p, a + (p->a_at[g] * p->m + m) * p->k, b + p->b_at[g] * p->k * p->n, acc + i * p->n);
    }
}

/* Zero points by rows of the left matrix: one, one per row, or one per row of each. */
static int16_t *center_rows(ox_run *r, const ox_tensor *a, int zero, int64_t m, int64_t k) {
    int64_t n, rows = k ? a->count / k : 0;
    const float *z = zeros(r, zero, &n);
    if (z && n != 1 && n != m && n != rows) {
        ox_fail(r->ctx, OX_BAD_DATA, "%lld zero points for %lld rows", (long long)n, (long long)m);
        return NULL;
    }
    return z ? centered(r, a, z, n == 1 ? whole(a) : k, n) : NULL;
}

/* Zero points by columns of the right matrix: one, one per column, or one per column of each. */
static int16_t *center_columns(ox_run *r, const ox_tensor *b, int zero, int64_t n, int64_t k) {
    int64_t count;
    const float *z = zeros(r, zero, &count);
    if (!z) return NULL;
    if (count == 1) return centered(r, b, z, whole(b), 1);
    int64_t each = k * n, matrices = each ? b->count / each : 0;
    if (count != n && count != n * matrices) {
        ox_fail(r->ctx, OX_BAD_DATA, "%lld zero points for %lld columns", (long long)count, (long long)n);
        return NULL;
    }
    static const float none = 0;
    int16_t *out = centered(r, b, &none, whole(b), 1);
    for (int64_t i = 0; out && i < b->count; i++)
        out[i] = (int16_t)(out[i] - (int)z[(count == n ? 0 : i / each * n) + i % n]);
    return out;
}

/* Sums of a product whose zero points are inputs az and bz. */
static int sums_of(ox_run *r, const product *p, const ox_tensor *a, int az, const ox_tensor *b, int bz, int32_t *out) {
    ox_qtail tail = ox_q_tail(OX_INT32, 0);
    int done = ox_q_fast_product(r, p, a, az, b, bz, &tail, out);
    if (done) return done < 0 ? -1 : 0;
    int16_t *x = center_rows(r, a, az, p->m, p->k), *y = x ? center_columns(r, b, bz, p->n, p->k) : NULL;
    if (!y) return -1;
    if (p->batch && p->m && p->n) multiply(r, p, x, y, out);
    return 0;
}

int ox_run_matmul_integer(ox_run *r) {
    const ox_tensor *a = ox_input(r, 0), *b = ox_input(r, 1);
    product p;
    if (!a || !b || ox_q_product_of(r, a, b, &p)) return -1;
    ox_tensor *out = ox_output(r, 0, OX_INT32, p.rank, p.dims);
    return out ? sums_of(r, &p, a, 2, b, 3, ox_tensor_mut(out)) : -1;
}

/* factor * s[i] / divide for all scales, in this order; NULL after ox_fail. */
static float *scaled(ox_run *r, float factor, const float *s, int64_t n, float divide) {
    float *out = ox_scratch(r, ((uint64_t)n + 1) * sizeof *out);
    for (int64_t i = 0; out && i < n; i++) out[i] = factor * s[i] / divide;
    return out;
}

/* One scale of A: rounded where the sums are made. 1 when done, 0 when not served, -1 after ox_fail. */
static int qlinear_fast(ox_run *r, const product *p, const ox_tensor *a, const ox_tensor *b, float a_scale, const float *sb, int64_t n_sb, float y_scale,
                        float y_zero, ox_tensor *out) {
    ox_qtail tail = ox_q_tail(out->dtype, y_zero);
    float *scale = scaled(r, a_scale, sb, n_sb, y_scale);
    tail.scale = scale;
    tail.scale_per_column = n_sb > 1;
    return scale ? ox_q_fast_product(r, p, a, 2, b, 5, &tail, ox_tensor_mut(out)) : -1;
}

int ox_run_qlinear_matmul(ox_run *r) {
    const ox_tensor *a = ox_input(r, 0), *b = ox_input(r, 3), *yz = ox_input(r, 7), *as = ox_input(r, 1),
                    *bs = ox_input(r, 4);
    product p;
    float y_scale, y_zero;
    if (!a || !b || !yz || !as || !bs) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    if (need_8bit(r, yz->dtype) || ox_q_product_of(r, a, b, &p) || ox_q_scalar(r, 6, 1, &y_scale) ||
        ox_q_scalar(r, 7, 0, &y_zero))
        return -1;
    const float *sa = ox_q_scales(r, as, false), *sb = sa ? ox_q_scales(r, bs, false) : NULL;
    if (!sb) return -1;
    bool fits = (as->count == 1 || as->count == p.m) && (bs->count == 1 || bs->count == p.n) && y_scale > 0;
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "the scales do not fit the matrices");
    ox_tensor *out = ox_output(r, 0, yz->dtype, p.rank, p.dims);
    if (!out) return -1;
    int done = as->count == 1 ? qlinear_fast(r, &p, a, b, sa[0], sb, bs->count, y_scale, y_zero, out) : 0;
    if (done) return done < 0 ? -1 : 0;
    int32_t *acc = ox_scratch(r, ((uint64_t)out->count + 1) * sizeof *acc);
    if (!acc || sums_of(r, &p, a, 2, b, 5, acc)) return -1;
    for (int64_t i = 0; i < p.batch * p.m && out->count; i++) {
        float s = sa[as->count == 1 ? 0 : i % p.m];
        if (bs->count == 1)
            requantize(yz->dtype, ox_tensor_mut(out), i * p.n, acc + i * p.n, p.n, s * sb[0] / y_scale, y_zero);
        for (int64_t j = 0; bs->count > 1 && j < p.n; j++)
            requantize(yz->dtype, ox_tensor_mut(out), i * p.n + j, acc + i * p.n + j, 1, s * sb[j] / y_scale, y_zero);
    }
    return 0;
}

/* com.microsoft: the product times both scales, plus a bias, as floats. */
int ox_run_matmul_to_float(ox_run *r) {
    const ox_tensor *a = ox_input(r, 0), *b = ox_input(r, 1), *as = ox_input(r, 2), *bs = ox_input(r, 3),
                    *bias = ox_input(r, 6);
    product p;
    if (!a || !b || !as || !bs || ox_q_product_of(r, a, b, &p)) return -1;
    const float *sa = ox_q_scales(r, as, false), *sb = sa ? ox_q_scales(r, bs, false) : NULL,
                *add = bias && sb ? ox_as_floats(r, bias) : NULL;
    if (!sb || (bias && !add)) return -1;
    if (as->count != 1 || (bs->count != 1 && bs->count != p.n) || (bias && bias->count != p.n))
        return ox_fail(r->ctx, OX_BAD_DATA, "scales or bias do not fit the matrices");
    ox_tensor *out = ox_output(r, 0, as->dtype, p.rank, p.dims);
    float *f = out ? ox_floats_of(r, out) : NULL, *scale = f ? scaled(r, sa[0], sb, bs->count, 1) : NULL;
    if (!scale) return -1;
    ox_qtail tail = ox_q_tail(OX_FLOAT, 0);
    tail.scale = scale;
    tail.scale_per_column = bs->count > 1;
    tail.add = add;
    int done = ox_q_fast_product(r, &p, a, 4, b, 5, &tail, f);
    int32_t *acc = done ? NULL : ox_scratch(r, ((uint64_t)out->count + 1) * sizeof *acc);
    if (done < 0 || (!done && (!acc || sums_of(r, &p, a, 4, b, 5, acc)))) return -1;
    for (int64_t i = 0; i < out->count && !done; i++)
        f[i] = (float)acc[i] * scale[bs->count == 1 ? 0 : i % p.n] + (add ? add[i % p.n] : 0);
    ox_floats_done(r, out, f);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ convolution */

int ox_q_infer_conv(ox_call *c, int weight, ox_dtype dtype) {
    int rx = ox_in_rank(c, 0), rw = ox_in_rank(c, weight), rank = rx >= 0 ? rx : rw;
    if (rx >= 0 && rw >= 0 && rx != rw)
        return ox_fail(c->ctx, OX_BAD_DATA, "input and weight of rank %d and %d", rx, rw);
    if (rank >= 0 && rank < 3) return ox_fail(c->ctx, OX_BAD_DATA, "convolution of rank %d", rank);
    const ox_dim *x = ox_in_dims(c, 0), *k = ox_in_dims(c, weight);
    int64_t *kernel = OX_NEW_N(c->arena, int64_t, rank > 0 ? rank : 1);
    bool told = k && ox_mv_known(rank - 2, k + 2, kernel), failed = false;
    ox_window w;
    if (rank < 0 || (!told && !ox_has(c, "kernel_shape"))) {
        ox_out_tensor(c, 0, dtype, rank, NULL);
        return 0;
    }
    if (ox_window_init(&w, c, c->arena, rank - 2, told ? kernel : NULL)) return -1;
    ox_dim *out = ox_mv_no_dims(c, rank);
    out[0] = x ? x[0] : NULL;
    out[1] = k ? k[0] : NULL;
    for (int i = 0; i < rank - 2; i++) out[2 + i] = x ? ox_window_dim(c->ctx, &w, i, x[2 + i], &failed) : NULL;
    if (failed) return -1;
    ox_out_tensor(c, 0, dtype, rank, out);
    return 0;
}

int ox_infer_conv_integer(ox_call *c) { return ox_q_infer_conv(c, 1, OX_INT32); }
int ox_infer_qlinear_conv(ox_call *c) { return ox_q_infer_conv(c, 3, ox_in_dtype(c, 7)); }

typedef ox_q_conv conv;

static int conv_of(ox_run *r, const ox_tensor *x, const ox_tensor *w, conv *v) {
    ox_window win;
    if (x->rank < 3 || x->rank != w->rank)
        return ox_fail(r->ctx, OX_BAD_DATA, "input and weight of rank %d and %d", x->rank, w->rank);
    int64_t group = ox_get_int(r->call, "group");
    if (group < 1 || w->dims[0] % group || x->dims[1] % group || w->dims[1] != x->dims[1] / group)
        return ox_fail(r->ctx, OX_BAD_DATA, "%lld and %lld channels in %lld groups", (long long)x->dims[1],
                       (long long)w->dims[0], (long long)group);
    *v = (conv){
        .batch = x->dims[0], .groups = group, .in_ch = w->dims[1], .out_ch = w->dims[0] / group, .rank = x->rank};
    v->dims = OX_NEW_N(r->arena, int64_t, x->rank);
    v->dims[0] = x->dims[0];
    v->dims[1] = w->dims[0];
    if (ox_window_init(&win, r->call, r->arena, x->rank - 2, w->dims + 2) ||
        ox_window_sizes(r->ctx, &win, x->dims + 2, v->dims + 2))
        return -1;
    if (ox_image_init(r->ctx, &v->image, &win, x->dims + 2, v->dims + 2)) return -1;
    v->plain = v->image.kernel_size == 1;
    for (int i = 0; i < win.n; i++) v->plain &= win.stride[i] == 1 && x->dims[2 + i] == v->dims[2 + i];
    return 0;
}

/* Adds f times the input plane, as seen from a place in the window, to the sums of one output channel. */
static void add_plane(const conv *v, const int16_t *x, int32_t f, int64_t place, uint32_t *sum) {
    const ox_image *im = &v->image;
    if (v->plain) {
        for (int64_t i = 0; i < im->out_size; i++) sum[i] += (uint32_t)(f * x[i]);
        return;
    }
    ox_walk k;
    int64_t step = im->stride[im->n - 1];
    for (ox_walk_init(&k, im, place, 0, im->out_size); ox_walk_next(&k); sum += k.run) {
        if (k.row < 0) continue;
        const int16_t *row = x + k.row + k.first;
        if (step == 1)
            for (int64_t i = k.lo; i < k.hi; i++) sum[i] += (uint32_t)(f * row[i - k.lo]);
        else
            for (int64_t i = k.lo; i < k.hi; i++) sum[i] += (uint32_t)(f * row[(i - k.lo) * step]);
    }
}

/* One output channel of one batch entry. */
static void conv_channel(const conv *v, const int16_t *x, const int16_t *w, int64_t job, int32_t *acc) {
    const ox_image *im = &v->image;
    int64_t outs = v->groups * v->out_ch, b = job / outs, o = job % outs, g = o / v->out_ch;
    uint32_t *sum = (uint32_t *)acc + job * im->out_size;
    memset(sum, 0, (size_t)im->out_size * sizeof *sum);
    w += o * v->in_ch * im->kernel_size;
    for (int64_t ch = 0; ch < v->in_ch; ch++) {
        const int16_t *plane = x + ((b * v->groups + g) * v->in_ch + ch) * im->in_size;
        for (int64_t place = 0; place < im->kernel_size; place++)
            if (*w++) add_plane(v, plane, w[-1], place, sum);
    }
}

static void convolve(const ox_run *r, const conv *v, const int16_t *x, const int16_t *w, int32_t *acc) {
    int64_t jobs = v->batch * v->groups * v->out_ch, steps;
    if (!ox_mul_ok(jobs * v->image.out_size, v->in_ch, &steps)) steps = INT64_MAX;
    int threads = ox_threads_for(r->ctx, steps);
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t job = 0; job < jobs; job++) conv_channel(v, x, w, job, acc);
}

/* Sums by the definition; input and weight without zero points (inputs xz and wz of the node). */
static int conv_sums(ox_run *r, const conv *v, const ox_tensor *x, int xz, const ox_tensor *w, int wz, int32_t *out) {
    int64_t nx, nw;
    const float *zx = zeros(r, xz, &nx), *zw = zx ? zeros(r, wz, &nw) : NULL;
    if (!zw) return -1;
    if (nx != 1 || (nw != 1 && nw != w->dims[0])) return ox_fail(r->ctx, OX_BAD_DATA, "the zero points do not fit");
    int64_t per = w->dims[0] ? w->count / w->dims[0] : 0;
    int16_t *xc = centered(r, x, zx, whole(x), 1), *wc = xc ? centered(r, w, zw, nw == 1 ? whole(w) : per, nw) : NULL;
    if (wc) convolve(r, v, xc, wc, out);
    return wc ? 0 : -1;
}

int ox_run_conv_integer(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *w = ox_input(r, 1);
    conv v;
    if (!x || !w || conv_of(r, x, w, &v)) return -1;
    ox_tensor *out = ox_output(r, 0, OX_INT32, v.rank, v.dims);
    if (!out) return -1;
    if (!out->count) return 0;
    ox_qtail tail = ox_q_tail(OX_INT32, 0);
    int done = ox_q_fast_conv(r, &v, x, 2, w, 3, &tail, ox_tensor_mut(out));
    return done ? (done < 0 ? -1 : 0) : conv_sums(r, &v, x, 2, w, 3, ox_tensor_mut(out));
}

int ox_run_qlinear_conv(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *w = ox_input(r, 3), *ws = ox_input(r, 4), *yz = ox_input(r, 7),
                    *bias = ox_input(r, 8);
    conv v;
    float x_scale, y_scale, y_zero;
    if (!x || !w || !ws || !yz) return ox_fail(r->ctx, OX_BAD_DATA, "an input is no tensor");
    if (need_8bit(r, yz->dtype) || conv_of(r, x, w, &v)) return -1;
    if (ox_q_scalar(r, 1, 1, &x_scale) || ox_q_scalar(r, 6, 1, &y_scale) || ox_q_scalar(r, 7, 0, &y_zero)) return -1;
    const float *sw = ox_q_scales(r, ws, false);
    const int32_t *b = bias && bias->dtype == OX_INT32 && bias->count == w->dims[0] ? ox_tensor_data(bias) : NULL;
    if (!sw) return -1;
    if (!(y_scale > 0) || (ws->count != 1 && ws->count != w->dims[0]) || (bias && !b))
        return ox_fail(r->ctx, OX_BAD_DATA, "scales or bias do not fit the weight");
    ox_tensor *out = ox_output(r, 0, yz->dtype, v.rank, v.dims);
    float *scale = out ? scaled(r, x_scale, sw, ws->count, y_scale) : NULL;
    if (!scale) return -1;
    if (!out->count) return 0;
    ox_qtail tail = ox_q_tail(yz->dtype, y_zero);
    tail.bias = b;
    tail.scale = scale;
    tail.scale_per_column = ws->count > 1;
    int done = ox_q_fast_conv(r, &v, x, 2, w, 5, &tail, ox_tensor_mut(out));
    if (done) return done < 0 ? -1 : 0;
    int32_t *acc = ox_scratch(r, ((uint64_t)out->count + 1) * sizeof *acc);
    if (!acc || conv_sums(r, &v, x, 2, w, 5, acc)) return -1;
    for (int64_t i = 0; i < v.batch * w->dims[0]; i++) {
        int64_t ch = i % w->dims[0];
        int32_t *sum = acc + i * v.image.out_size;
        for (int64_t k = 0; b && k < v.image.out_size; k++) sum[k] = (int32_t)((uint32_t)sum[k] + (uint32_t)b[ch]);
        requantize(yz->dtype, ox_tensor_mut(out), i * v.image.out_size, sum, v.image.out_size, scale[ws->count == 1 ? 0 : ch], y_zero);
    }
    return 0;
}
