/* Arrays of floats to 8-bit numbers and back, per instruction set. Whole blocks of four vectors go first; the rest goes through a
 * block of its own. */
#include "cpu/qvec.h"
#include "cpu/qvec8.h"

enum { STEP = 4 * OX_VLEN };

typedef struct bounds {
    vf lo, hi;
    vu zero;
} bounds;
OX_IN bounds bounds_of(int32_t lo, int32_t hi, int32_t zero) {
    return (bounds){vf_set((float)(lo - zero)), vf_set((float)(hi - zero)), vu_zero_less_magic(zero)};
}

/* ------------------------------------------------------------------------------------------------ quantize */

OX_IN void quantize_block(const float *x, vf scale, bounds b, uint8_t *y) {
    vu q[4];
    for (int v = 0; v < 4; v++) q[v] = vu_quantized(vf_load(x + v * OX_VLEN) / scale, b.lo, b.hi, b.zero);
    vu_store_4bytes(y, q);
}

static void quantize(const float *x, int64_t n, ox_qparam p, int32_t lo, int32_t hi, uint8_t *y) {
    bounds b = bounds_of(lo, hi, p.zero);
    vf scale = vf_set(p.scale);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP) quantize_block(x + i, scale, b, y + i);
    if (i == n) return;
    float rest[STEP] = {0};
    uint8_t out[STEP];
    memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);
    quantize_block(rest, scale, b, out);
    memcpy(y + i, out, (size_t)(n - i));
}

OX_IN void quantize_each_block(const float *x, const float *scale, const float *zero, vf lo, vf hi, uint8_t *y) {
    vu q[4];
    for (int v = 0; v < 4; v++) {
        vf z = vf_load(zero + v * OX_VLEN);
        q[v] = vu_quantized(vf_load(x + v * OX_VLEN) / vf_load(scale + v * OX_VLEN), lo - z, hi - z,
                            vu_zero_less_magic(0)) +
               (vu) __builtin_convertvector(z, vi);
    }
    vu_store_4bytes(y, q);
}

static void quantize_each(const float *x, int64_t n, const float *scale, const float *zero, int32_t lo, int32_t hi,
                          uint8_t *y) {
    vf least = vf_set((float)lo), most = vf_set((float)hi);
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP) quantize_each_block(x + i, scale + i, zero + i, least, most, y + i);
    if (i == n) return;
    float rest[3][STEP] = {{0}};
    uint8_t out[STEP];
    for (int k = 0; k < STEP; k++) rest[1][k] = 1;
    memcpy(rest[0], x + i, (size_t)(n - i) * sizeof *x);
    memcpy(rest[1], scale + i, (size_t)(n - i) * sizeof *x);
    memcpy(rest[2], zero + i, (size_t)(n - i) * sizeof *x);
    quantize_each_block(rest[0], rest[1], rest[2], least, most, out);
    memcpy(y + i, out, (size_t)(n - i));
}

/* ------------------------------------------------------------------------------------------------ dequantize */

OX_IN vf real_of(const uint8_t *x, bool is_signed, vf zero, vf scale) {
    return (__builtin_convertvector(vi_of_bytes(x, is_signed), vf) - zero) * scale;
}

OX_IN void dequantize_in(const uint8_t *x, bool is_signed, int64_t n, ox_qparam p, float *y) {
    vf zero = vf_set((float)p.zero), scale = vf_set(p.scale);
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, real_of(x + i, is_signed, zero, scale));
    for (; i < n; i++) y[i] = ((float)(is_signed ? (int8_t)x[i] : x[i]) - (float)p.zero) * p.scale;
}

static void dequantize(const uint8_t *x, bool is_signed, int64_t n, ox_qparam p, float *y) {
    if (is_signed)
        dequantize_in(x, true, n, p, y);
    else
        dequantize_in(x, false, n, p, y);
}

static void dequantize_each(const uint8_t *x, bool is_signed, int64_t n, const float *scale, const float *zero,
                            float *y) {
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN)
        vf_store(y + i, real_of(x + i, is_signed, vf_load(zero + i), vf_load(scale + i)));
    for (; i < n; i++) y[i] = ((float)(is_signed ? (int8_t)x[i] : x[i]) - zero[i]) * scale[i];
}

static void range(const float *x, int64_t n, float *lo, float *hi) {
    vf low[4], high[4];
    int64_t i = 0;
    for (int v = 0; v < 4; v++) {
        low[v] = vf_set(*lo);
        high[v] = vf_set(*hi);
    }
    for (; i + STEP <= n; i += STEP)
        for (int v = 0; v < 4; v++) {
            vf y = vf_load(x + i + v * OX_VLEN);
            low[v] = vf_at_most(y, low[v]);
            high[v] = vf_at_least(y, high[v]);
        }
    for (int v = 0; v < 4; v++)
        for (int k = 0; k < OX_VLEN; k++) {
            *lo = low[v][k] < *lo ? low[v][k] : *lo;
            *hi = high[v][k] > *hi ? high[v][k] : *hi;
        }
    for (; i < n; i++) {
        *lo = x[i] < *lo ? x[i] : *lo;
        *hi = x[i] > *hi ? x[i] : *hi;
    }
}

/* ------------------------------------------------------------------------------------------------ pools */

static void add(const uint8_t *x, bool is_signed, int64_t n, int32_t *sums) {
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) {
        vi v;
        memcpy(&v, sums + i, sizeof v);
        v += vi_of_bytes(x + i, is_signed);
        memcpy(sums + i, &v, sizeof v);
    }
    for (; i < n; i++) sums[i] += is_signed ? (int8_t)x[i] : x[i];
}

typedef uint8_t bytes __attribute__((vector_size(OX_VLEN)));
typedef int8_t signed_bytes __attribute__((vector_size(OX_VLEN)));

static void max(const uint8_t *x, bool is_signed, int64_t n, uint8_t *y) {
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) {
        bytes a, b;
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        bytes more = is_signed ? (bytes)((signed_bytes)a > (signed_bytes)b) : (bytes)(a > b);
        a = (a & more) | (b & ~more);
        memcpy(y + i, &a, sizeof a);
    }
    for (; i < n; i++)
        if (is_signed ? (int8_t)x[i] > (int8_t)y[i] : x[i] > y[i]) y[i] = x[i];
}

static void scale(const int32_t *sums, int64_t n, float less, float by, float divide, float *y) {
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) {
        vi v;
        memcpy(&v, sums + i, sizeof v);
        vf_store(y + i, (__builtin_convertvector(v, vf) - less) * by / divide);
    }
    for (; i < n; i++) y[i] = ((float)sums[i] - less) * by / divide;
}

/* ------------------------------------------------------------------------------------------------ two inputs */

typedef struct pair_of {
    vf zero_a, scale_a, zero_b, scale_b, scale_y;
    bounds b;
} pair_of;

/* small: no result can reach 2^21 or be no number; bytes saturate by themselves then. */
OX_IN void pair_block(bool product, bool is_signed, bool small, const uint8_t *a, const uint8_t *b, const pair_of *p,
                      uint8_t *y) {
    vu q[4];
    for (int v = 0; v < 4; v++) {
        vf x = real_of(a + v * OX_VLEN, is_signed, p->zero_a, p->scale_a),
           z = real_of(b + v * OX_VLEN, is_signed, p->zero_b, p->scale_b);
        x = (product ? x * z : x + z) / p->scale_y;
        q[v] = small ? (vu)(x + 12582912.0f) + p->b.zero : vu_quantized(x, p->b.lo, p->b.hi, p->b.zero);
    }
    vu_store_4saturated(y, q, is_signed);
}

OX_IN void pair_in(bool product, bool is_signed, bool small, const uint8_t *a, const uint8_t *b, int64_t n,
                   const pair_of *p, uint8_t *y) {
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP) pair_block(product, is_signed, small, a + i, b + i, p, y + i);
    if (i == n) return;
    uint8_t rest[3][STEP] = {{0}};
    memcpy(rest[0], a + i, (size_t)(n - i));
    memcpy(rest[1], b + i, (size_t)(n - i));
    pair_block(product, is_signed, small, rest[0], rest[1], p, rest[2]);
    memcpy(y + i, rest[2], (size_t)(n - i));
}

static void pair(char op, const uint8_t *a, const uint8_t *b, int64_t n, bool is_signed, ox_qparam pa, ox_qparam pb,
                 ox_qparam py, uint8_t *y) {
    pair_of p = {.zero_a = vf_set((float)pa.zero),
                 .scale_a = vf_set(pa.scale),
                 .zero_b = vf_set((float)pb.zero),
                 .scale_b = vf_set(pb.scale),
                 .scale_y = vf_set(py.scale),
                 .b = bounds_of(is_signed ? -128 : 0, is_signed ? 127 : 255, py.zero)};
    float ra = 1024 * __builtin_fabsf(pa.scale), rb = 1024 * __builtin_fabsf(pb.scale);
    bool small = (op == '*' ? ra * rb : ra + rb) / py.scale < 1 << 21 && py.scale > 0;
    if (op == '*' && small)
        pair_in(true, is_signed, true, a, b, n, &p, y);
    else if (op == '*')
        pair_in(true, is_signed, false, a, b, n, &p, y);
    else if (small)
        pair_in(false, is_signed, true, a, b, n, &p, y);
    else
        pair_in(false, is_signed, false, a, b, n, &p, y);
}

extern const ox_qvec_kernels OX_ISA(ox_qvec_kernels);
const ox_qvec_kernels OX_ISA(ox_qvec_kernels) = {quantize, quantize_each, dequantize, dequantize_each, range, add, max, scale, pair};
