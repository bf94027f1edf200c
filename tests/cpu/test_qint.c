/* Products and convolutions of 8-bit integers against their definition, bit for bit: all mixes of signed and unsigned, zero points, odd sizes,
 * extreme numbers, both layouts, several numbers of threads. The instruction set is OX_ISA's. */
#include "cpu/qconv.h"
#include "cpu/qgemm.h"
#include "cpu/qvec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t state = 1;
static uint32_t next(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}
static int64_t between(int64_t lo, int64_t hi) { return lo + (int64_t)(next() % (uint32_t)(hi - lo + 1)); }

static void *memory(uint64_t n) {
    void *p = aligned_alloc(64, (n + 127) / 64 * 64);
    assert_non_null(p);
    return p;
}

/* Random bytes, or all the largest or smallest there are. */
static uint8_t *bytes(int64_t n, int kind) {
    uint8_t *p = malloc((size_t)n + 1);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = (uint8_t)(kind == 0 ? 255 : kind == 1 ? 128 : kind == 2 ? 127 : next());
    return p;
}

static int of(const uint8_t *p, int64_t i, bool is_signed) { return is_signed ? (int8_t)p[i] : p[i]; }
static int32_t some_zero(bool is_signed) { return (int32_t)(is_signed ? between(-128, 127) : between(0, 255)); }

/* What a tail makes of a sum, by its definition. */
static double expected(const ox_qtail *t, uint32_t sum, int64_t j) {
    int32_t s = (int32_t)(sum + (t->bias ? (uint32_t)t->bias[j] : 0));
    if (t->type == OX_Q_S32) return s;
    volatile float f = (float)s * t->scale[t->scale_per_column ? j : 0];
    if (t->type == OX_Q_FLOAT) {
        volatile float g = f + (t->add ? t->add[j] : 0);
        return (double)g;
    }
    float v = rintf(f) + (float)t->zero;
    v = v > (float)t->lo ? v : (float)t->lo;
    return (double)(v < (float)t->hi ? v : (float)t->hi);
}

static double got(ox_qtype t, const void *out, int64_t i) {
    switch (t) {
    case OX_Q_S32:
        return ((const int32_t *)out)[i];
    case OX_Q_FLOAT:
        return (double)((const float *)out)[i];
    case OX_Q_U8:
        return ((const uint8_t *)out)[i];
    default:
        return ((const int8_t *)out)[i];
    }
}

typedef struct numbers {
    int32_t bias[512], zero[512];
    float scale[512], add[512];
} numbers;

/* A tail of some type with its numbers. */
static ox_qtail some_tail(numbers *x, ox_qtype type, bool is_signed) {
    float size = (float)between(1, 40) * 0.0001f;
    for (int i = 0; i < 512; i++) {
        x->bias[i] = (int32_t)between(-40000, 40000);
        x->scale[i] = size * (float)between(1, 100) * 0.02f;
        if (i % 5 == 4) x->scale[i] = 0.5f; /* ties */
        if (i % 97 == 96) x->scale[i] = next() % 2 ? 1e9f : next() % 2 ? INFINITY : NAN;
        x->add[i] = (float)between(-100, 100) * 0.37f;
        x->zero[i] = some_zero(is_signed);
    }
    ox_qtail t = {type, next() % 2 ? x->bias : NULL, x->scale, next() % 2, next() % 2 ? x->add : NULL, 0, 0, 255};
    if (type == OX_Q_S8) t.lo = -128, t.hi = 127;
    t.zero = some_zero(type == OX_Q_S8);
    if (next() % 4 == 0) t.lo = t.zero; /* Relu */
    return t;
}

static const int thread_counts[] = {1, 2, 3, 4, 8};

static void one_product(int64_t m, int64_t n, int64_t k, int kind) {
    bool as = next() % 2, bs = next() % 2, trans = next() % 2;
    int64_t lda = k + between(0, 3), ldb = (trans ? k : n) + between(0, 3), ldc = n + between(0, 2);
    uint8_t *a = bytes(m * lda, kind), *b = bytes((trans ? n : k) * ldb, kind == 2 ? 1 : kind);
    numbers x;
    int32_t a_zero[512];
    ox_qtail t = some_tail(&x, (ox_qtype)(next() % 4), bs);
    for (int i = 0; i < 512; i++) a_zero[i] = some_zero(as);
    ox_qmatrix left = {a, as, lda, {next() % 3 ? a_zero : NULL, next() % 2}};
    ox_qzero bz = {next() % 3 ? x.zero : NULL, next() % 2};
    int64_t size = t.type == OX_Q_S32 || t.type == OX_Q_FLOAT ? 4 : 1;
    void *packed = memory(ox_qgemm_packed_size(n, k)), *scratch = memory(ox_qgemm_scratch(m, n, k));
    uint8_t *first = calloc((size_t)(m * ldc + 1), (size_t)size), *out = calloc((size_t)(m * ldc + 1), (size_t)size);
    for (int c = 0; c < 5; c++) {
        ox_qgemm_pack(thread_counts[c], n, k, b, bs, ldb, trans, packed);
        ox_qgemm(thread_counts[c], m, &left, packed, bz, &t, c ? out : first, ldc, scratch);
        if (c) assert_memory_equal(first, out, (size_t)(m * ldc * size));
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            uint32_t sum = 0;
            int za = left.zero.value ? a_zero[left.zero.per ? i : 0] : 0, zb = bz.value ? x.zero[bz.per ? j : 0] : 0;
            for (int64_t l = 0; l < k; l++)
                sum += (uint32_t)((of(a, i * lda + l, as) - za) * (of(b, trans ? j * ldb + l : l * ldb + j, bs) - zb));
            double want = expected(&t, sum, j), is = got(t.type, first, i * ldc + j);
            if (want != is && !(isnan(want) && isnan(is)))
                fail_msg("%lldx%lldx%lld type %d at %lld,%lld: %.9g instead of %.9g", (long long)m, (long long)n,
                         (long long)k, t.type, (long long)i, (long long)j, is, want);
        }
    free(a), free(b), free(packed), free(scratch), free(first), free(out);
}

static void test_products(void **unused) {
    (void)unused;
    for (int i = 0; i < 300; i++) one_product(between(1, 20), between(1, 150), between(0, 70), i % 12);
    for (int i = 0; i < 6; i++) one_product(between(190, 400), between(60, 140), between(100, 300), i);
    one_product(1, 100, 70001, 0); /* the sum wraps */
}

static void reference_conv(const ox_qconv *c, const ox_qimage *x, const uint8_t *w, bool ws, ox_qzero wz,
                           uint32_t *sums) {
    int64_t outs = c->groups * c->out_ch, ins = c->groups * c->in_ch, plane = c->in[0] * c->in[1], at = 0;
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t o = 0; o < outs; o++)
            for (int64_t p = 0; p < c->out[0] * c->out[1]; p++, at++) {
                uint32_t sum = 0;
                for (int64_t i = 0; i < c->in_ch * c->kernel[0] * c->kernel[1]; i++) {
                    int64_t ch = i / (c->kernel[0] * c->kernel[1]), ky = i / c->kernel[1] % c->kernel[0],
                            kx = i % c->kernel[1];
                    int64_t iy = p / c->out[1] * c->stride[0] + ky * c->dilation[0] - c->begin[0],
                            ix = p % c->out[1] * c->stride[1] + kx * c->dilation[1] - c->begin[1];
                    if (iy < 0 || ix < 0 || iy >= c->in[0] || ix >= c->in[1]) continue;
                    int64_t in = o / c->out_ch * c->in_ch + ch, px = iy * c->in[1] + ix;
                    int v =
                        of(x->data, x->layout == OX_Q_NCHW ? (b * ins + in) * plane + px : (b * plane + px) * ins + in,
                           x->is_signed);
                    int u = of(w, o * c->in_ch * c->kernel[0] * c->kernel[1] + i, ws);
                    sum += (uint32_t)((v - x->zero) * (u - (wz.value ? wz.value[wz.per ? o : 0] : 0)));
                }
                sums[at] = sum;
            }
}

static void one_conv(ox_qconv c, int kind) {
    for (int i = 0; i < 2; i++) {
        int64_t extent = (c.kernel[i] - 1) * c.dilation[i] + 1, end = between(0, extent - 1);
        c.begin[i] = between(0, extent - 1);
        if (next() % 3 == 0) c.begin[i] = end = 0;
        if (c.in[i] + c.begin[i] + end < extent) c.in[i] = extent;
        c.out[i] = (c.in[i] + c.begin[i] + end - extent) / c.stride[i] + 1;
    }
    int64_t outs = c.groups * c.out_ch, ins = c.groups * c.in_ch, plane = c.in[0] * c.in[1],
            pixels = c.out[0] * c.out[1], n = c.batch * outs * pixels;
    int64_t weights = outs * c.in_ch * c.kernel[0] * c.kernel[1];
    bool ws = next() % 2;
    numbers x;
    ox_qtail t = some_tail(&x, (ox_qtype)(next() % 3), ws);
    uint8_t *data = bytes(c.batch * ins * plane, kind), *w = bytes(weights, kind == 2 ? 1 : kind);
    ox_qimage image = {data, next() % 2, 0, (ox_qlayout)(next() % 2)};
    image.zero = some_zero(image.is_signed);
    ox_qzero wz = {next() % 3 ? x.zero : NULL, next() % 2};
    ox_qlayout layout = (ox_qlayout)(next() % 2);
    uint32_t *sums = malloc((size_t)(n + 1) * sizeof *sums);
    reference_conv(&c, &image, w, ws, wz, sums);
    int64_t size = t.type == OX_Q_S32 ? 4 : 1;
    void *packed = memory(ox_qconv_packed_size(&c));
    uint8_t *out = malloc((size_t)(n * size + 1));
    for (int k = 0; k < 5; k++) {
        void *scratch = memory(ox_qconv_scratch(thread_counts[k], &c));
        memset(out, 0x55, (size_t)(n * size));
        ox_qconv_pack(thread_counts[k], &c, w, ws, wz, packed);
        ox_qconv_run(thread_counts[k], &c, &image, packed, &t, layout, out, scratch);
        free(scratch);
        for (int64_t i = 0; i < n; i++) {
            int64_t o = i / pixels % outs,
                    at = layout == OX_Q_NCHW ? i : (i / pixels / outs * pixels + i % pixels) * outs + o;
            double want = expected(&t, sums[i], o), is = got(t.type, out, at);
            if (want != is)
                fail_msg("batch %lld groups %lld channels %lld %lld in %lldx%lld kernel %lldx%lld stride %lld %lld "
                         "begin %lld %lld type %d layouts %d %d at %lld: %.9g instead of %.9g",
                         (long long)c.batch, (long long)c.groups, (long long)c.in_ch, (long long)c.out_ch,
                         (long long)c.in[0], (long long)c.in[1], (long long)c.kernel[0], (long long)c.kernel[1],
                         (long long)c.stride[0], (long long)c.stride[1], (long long)c.begin[0], (long long)c.begin[1],
                         t.type, image.layout, layout, (long long)i, is, want);
        }
    }
    free(data), free(w), free(packed), free(sums), free(out);
}

/* Some convolution; kernel, stride and dilation of small numbers. */
static void some_conv(int64_t groups, int64_t in_ch, int64_t out_ch, int kind) {
    ox_qconv c = {.batch = between(1, 2),
                  .groups = groups,
                  .in_ch = in_ch,
                  .out_ch = out_ch,
                  .in = {between(1, 18), between(1, 40)}};
    for (int i = 0; i < 2; i++) {
        c.kernel[i] = next() % 3 ? between(1, 5) : 1;
        c.stride[i] = next() % 2 ? 1 : between(1, 3);
        c.dilation[i] = next() % 3 ? 1 : between(1, 3);
    }
    if (next() % 4 == 0) c.kernel[0] = c.in[0] = c.stride[0] = c.dilation[0] = 1;
    one_conv(c, kind);
}

static void test_convolutions(void **unused) {
    (void)unused;
    for (int i = 0; i < 120; i++) some_conv(1, between(1, 40), between(1, 80), i % 12);
    for (int i = 0; i < 60; i++) some_conv(between(2, 5), between(1, 9), between(1, 20), i % 12);
    for (int i = 0; i < 100; i++) some_conv(between(2, 90), 1, 1, i % 12); /* depthwise */
    for (int i = 0; i < 20; i++)
        one_conv((ox_qconv){1, between(60, 150), 1, 1, {9, 11}, {0}, {3, 3}, {1 + i % 2, 1 + i % 3 / 2}, {1, 1}, {0}},
                 3);
    one_conv((ox_qconv){2, 1, 64, 96, {20, 20}, {0}, {1, 1}, {1, 1}, {1, 1}, {0}}, 3);
    one_conv((ox_qconv){1, 1, 3, 32, {40, 40}, {0}, {3, 3}, {2, 2}, {1, 1}, {0}}, 3);
}

static void test_transposition(void **unused) {
    (void)unused;
    for (int t = 0; t < 60; t++) {
        int64_t batch = between(1, 3), rows = between(1, 70), columns = between(1, 70);
        uint8_t *x = bytes(batch * rows * columns, 3), *y = bytes(batch * rows * columns, 0);
        ox_q_transpose(thread_counts[t % 5], batch, rows, columns, x, y);
        for (int64_t b = 0; b < batch; b++)
            for (int64_t i = 0; i < rows * columns; i++)
                assert_int_equal(x[b * rows * columns + i], y[b * rows * columns + i % columns * rows + i / columns]);
        free(x), free(y);
    }
}

/* A quotient rounded and brought into the range, by the definition. */
static int quantized(float x, float scale, float zero, int lo, int hi) {
    volatile float q = x / scale;
    float v = rintf(q) + zero;
    v = v > (float)lo ? v : (float)lo;
    return (int)(v < (float)hi ? v : (float)hi);
}

static void test_arrays(void **unused) {
    (void)unused;
    enum { N = 300 };
    static const float odd[] = {NAN,  INFINITY, -INFINITY, -0.0f, 1e30f, -1e30f, 3e9f,
                                0.5f, 1.5f,     2.5f,      -0.5f, -1.5f, 1e-40f};
    float x[N], scale[N], zero[N], back[N];
    uint8_t y[N], z[N], *b = bytes(N, 3), table[256];
    for (int t = 0; t < 400; t++) {
        bool is_signed = t % 2;
        int n = (int)between(0, N), lo = is_signed ? -128 : 0, hi = lo + 255;
        ox_qparam p = {t % 5 ? (float)between(1, 1000) * 0.01f : 1, some_zero(is_signed)},
                  pb = {(float)between(1, 1000) * 0.01f, some_zero(is_signed)},
                  py = {t % 7   ? (float)between(1, 1000) * 0.01f
                        : t % 2 ? 1e-20f
                                : 1e30f,
                        some_zero(is_signed)};
        for (int i = 0; i < N; i++) {
            x[i] = i % 9 ? (float)between(-3000, 3000) * (t % 3 ? 0.01f : 0.5f) : odd[next() % 13];
            scale[i] = (float)between(1, 50) * 0.1f;
            zero[i] = (float)some_zero(is_signed);
        }
        ox_qv_quantize(x, n, p, lo, hi, y);
        ox_qv_quantize_each(x, n, scale, zero, lo + 3, hi, z);
        for (int i = 0; i < n; i++) {
            assert_int_equal(of(y, i, is_signed), quantized(x[i], p.scale, (float)p.zero, lo, hi));
            assert_int_equal(of(z, i, is_signed), quantized(x[i], scale[i], zero[i], lo + 3, hi));
        }
        float low = 0, high = 0, least = 0, most = 0;
        ox_qv_range(x, n, &low, &high);
        for (int i = 0; i < n; i++) {
            least = x[i] < least ? x[i] : least;
            most = x[i] > most ? x[i] : most;
        }
        assert_true(low == least && high == most);
        ox_qv_dequantize(y, is_signed, n, p, back);
        for (int i = 0; i < n; i++) assert_true(back[i] == ((float)of(y, i, is_signed) - (float)p.zero) * p.scale);
        ox_qv_dequantize_each(y, is_signed, n, scale, zero, back);
        for (int i = 0; i < n; i++) assert_true(back[i] == ((float)of(y, i, is_signed) - zero[i]) * scale[i]);
        ox_qv_pair(t % 3 ? '+' : '*', y, b, n, is_signed, p, pb, py, z);
        for (int i = 0; i < n; i++) {
            volatile float u = ((float)of(y, i, is_signed) - (float)p.zero) * p.scale,
                           v = ((float)of(b, i, is_signed) - (float)pb.zero) * pb.scale;
            assert_int_equal(of(z, i, is_signed), quantized(t % 3 ? u + v : u * v, py.scale, (float)py.zero, lo, hi));
        }
        for (int i = 0; i < 256; i++) table[i] = (uint8_t)next();
        ox_qv_table(y, n, table, z);
        for (int i = 0; i < n; i++) assert_int_equal(z[i], table[y[i]]);
    }
    free(b);
}

static void test_sizes(void **unused) {
    (void)unused;
    assert_int_equal(ox_qgemm_packed_size(INT64_MAX / 2, 4), 0);
    assert_int_equal(ox_qgemm_packed_size(4, INT64_MAX), 0);
    assert_int_equal(ox_qgemm_scratch(INT64_MAX / 4, 8, 1 << 20), 0);
    ox_qconv c = {1, 1, INT32_MAX, INT32_MAX, {1, 1}, {1, 1}, {1 << 20, 1 << 20}, {1, 1}, {1, 1}, {0}};
    assert_int_equal(ox_qconv_packed_size(&c), 0);
    assert_int_equal(ox_qconv_scratch(1, &c), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_convolutions),
                                       cmocka_unit_test(test_transposition), cmocka_unit_test(test_arrays),
                                       cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
