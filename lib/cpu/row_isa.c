/* Rows of floats: folds, softmax, normalisation; and the same down columns. Sums run in four vectors for 16 steps, which are then added in
 * double: the order of a sum depends on its length only. */
#include "cpu/vec_math.h"

enum { STEPS = 16, WIDE = 4 * OX_VLEN };

/* ---- sums along a row */

/* Sum of EXPR of x and c. */
#define SUM(name, ...)                                                                                                 \
    OX_IN vf name##_of(vf x, vf c) {                                                                                   \
        (void)c;                                                                                                       \
        return __VA_ARGS__;                                                                                            \
    }                                                                                                                  \
    static double name(const float *x, int64_t n, float center) {                                                      \
        vf c = vf_set(center), s = {0};                                                                                \
        double sum = 0;                                                                                                \
        while (n >= WIDE) {                                                                                            \
            vf s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};                                                                 \
            int64_t steps = n / WIDE < STEPS ? n / WIDE : STEPS;                                                       \
            n -= steps * WIDE;                                                                                         \
            for (; steps; steps--, x += WIDE) {                                                                        \
                s0 += name##_of(vf_load(x), c);                                                                        \
                s1 += name##_of(vf_load(x + OX_VLEN), c);                                                              \
                s2 += name##_of(vf_load(x + 2 * OX_VLEN), c);                                                          \
                s3 += name##_of(vf_load(x + 3 * OX_VLEN), c);                                                          \
            }                                                                                                          \
            sum += v_sum_double((s0 + s1) + (s2 + s3));                                                                \
        }                                                                                                              \
        if (!n) return sum;                                                                                            \
        for (; n >= OX_VLEN; n -= OX_VLEN, x += OX_VLEN) s += name##_of(vf_load(x), c);                                \
        if (n) s += v_first_n(name##_of(v_load_n(x, n), c), (vf){0}, n);                                               \
        return sum + v_sum_double(s);                                                                                  \
    }
SUM(sum, x)
SUM(squares, (x - c) * (x - c))
SUM(plain_squares, x * x)
SUM(absolutes, v_abs(x))

double OX_ISA(ox_vec_squares)(const float *x, int64_t n, float center) { return squares(x, n, center); }

/* ---- the greatest and the least; with SIGN -1 the least, negated */

typedef struct most { vf v; vm nan; } most;

OX_IN void most_take(most *m, vf x) {
    m->v = v_max(m->v, x);
    m->nan = vm_or(m->nan, v_nan(x));
}

static double greatest(const float *x, int64_t n, bool negated) {
    vf none = vf_set(-INFINITY), flip = negated ? v_sign_bit(vf_set(-1)) : (vf){0};
    most a = {none, v_nan(none)}, b = a;
#define TAKE(m, x) most_take(m, (vf)((vi)(x) ^ (vi)flip))
    int64_t i = 0;
    for (; i + 2 * OX_VLEN <= n; i += 2 * OX_VLEN) {
        TAKE(&a, vf_load(x + i));
        TAKE(&b, vf_load(x + i + OX_VLEN));
    }
    if (i + OX_VLEN <= n) {
        TAKE(&a, vf_load(x + i));
        i += OX_VLEN;
    }
    if (i < n) most_take(&b, v_first_n((vf)((vi)v_load_n(x + i, n - i) ^ (vi)flip), none, n - i));
#undef TAKE
    if (vm_any(vm_or(a.nan, b.nan))) return (double)NAN;
    double v = (double)v_max_of(v_max(a.v, b.v));
    return negated ? -v : v;
}

static double product(const float *x, int64_t n) {
    vd a = vd_set(1), b = a, lo, hi;
    for (int64_t i = 0; i < n; i += OX_VLEN) {
        vf v = n - i < OX_VLEN ? v_first_n(v_load_n(x + i, n - i), vf_set(1), n - i) : vf_load(x + i);
        vd_from_floats(v, &lo, &hi);
        a *= lo;
        b *= hi;
    }
    double p = 1;
    for (int i = 0; i < OX_VLEN_D; i++) p *= a[i] * b[i];
    return p;
}

double OX_ISA(ox_vec_fold)(ox_fold op, const float *x, int64_t n) {
    switch (op) {
    case OX_FOLD_SUM: return sum(x, n, 0);
    case OX_FOLD_SQUARES: return plain_squares(x, n, 0);
    case OX_FOLD_ABS: return absolutes(x, n, 0);
    case OX_FOLD_MAX: return greatest(x, n, false);
    case OX_FOLD_MIN: return greatest(x, n, true);
    case OX_FOLD_PROD: return product(x, n);
    }
    return 0;
}

/* ---- folds down columns */

OX_IN vd vd_load(const double *p) {
    vd v;
    memcpy(&v, p, sizeof v);
    return v;
}

OX_IN void vd_store(double *p, vd v) { memcpy(p, &v, sizeof v); }

OX_IN vd add_double(vd a, vd b) { return a + b; }
OX_IN vd max_double(vd a, vd b) { return vd_select((vl)(b > a) | (vl)(b != b), b, a); }
OX_IN vd min_double(vd a, vd b) { return vd_select((vl)(b < a) | (vl)(b != b), b, a); }
OX_IN vf add_float(vf a, vf b) { return a + b; }
OX_IN vf max_float(vf a, vf b) { return v_select(v_nan(a), a, v_max(a, b)); } /* NaN on either side stays */
OX_IN vf min_float(vf a, vf b) { return v_select(v_nan(a), a, v_min(a, b)); }

/* Eight rows meet in float before they go to the doubles. EXPR of x is what is folded. */
#define COLUMNS(name, KIND, ...)                                                                                       \
    OX_IN vf name##_of(vf x) { return __VA_ARGS__; }                                                                   \
    OX_IN vf name##_2(const float *x, int64_t s) {                                                                     \
        return KIND##_float(name##_of(vf_load(x)), name##_of(vf_load(x + s)));                                         \
    }                                                                                                                  \
    OX_IN vf name##_4(const float *x, int64_t s) { return KIND##_float(name##_2(x, s), name##_2(x + 2 * s, s)); }      \
    OX_IN void name##_take(double *acc, vf v) {                                                                        \
        vd lo, hi;                                                                                                     \
        vd_from_floats(v, &lo, &hi);                                                                                   \
        vd_store(acc, KIND##_double(vd_load(acc), lo));                                                                \
        vd_store(acc + OX_VLEN_D, KIND##_double(vd_load(acc + OX_VLEN_D), hi));                                        \
    }                                                                                                                  \
    static void name(double *acc, const float *x, int64_t rows, int64_t s, int64_t n) {                                \
        int64_t whole = n / OX_VLEN * OX_VLEN, i = 0;                                                                  \
        for (; i + 8 <= rows; i += 8) {                                                                                \
            const float *at = x + i * s;                                                                               \
            for (int64_t j = 0; j < whole; j += OX_VLEN)                                                               \
                name##_take(acc + j, KIND##_float(name##_4(at + j, s), name##_4(at + j + 4 * s, s)));                  \
        }                                                                                                              \
        for (; i < rows; i++) {                                                                                        \
            for (int64_t j = 0; j < whole; j += OX_VLEN) name##_take(acc + j, name##_of(vf_load(x + i * s + j)));      \
        }                                                                                                              \
        if (whole == n) return;                                                                                        \
        double tail[OX_VLEN] = {0};                                                                                    \
        memcpy(tail, acc + whole, (size_t)(n - whole) * sizeof *tail);                                                 \
        for (i = 0; i < rows; i++) name##_take(tail, name##_of(v_load_n(x + i * s + whole, n - whole)));               \
        memcpy(acc + whole, tail, (size_t)(n - whole) * sizeof *tail);                                                 \
    }
COLUMNS(add_columns, add, x)
COLUMNS(add_square_columns, add, x * x)
COLUMNS(add_absolute_columns, add, v_abs(x))
COLUMNS(max_columns, max, x)
COLUMNS(min_columns, min, x)

static void multiply_columns(double *acc, const float *x, int64_t rows, int64_t stride, int64_t n) {
    for (int64_t i = 0; i < rows; i++, x += stride) {
        for (int64_t j = 0; j < n; j++) acc[j] *= (double)x[j];
    }
}

void OX_ISA(ox_vec_fold_columns)(ox_fold op, double *acc, const float *x, int64_t rows, int64_t stride, int64_t n) {
    switch (op) {
    case OX_FOLD_SUM: add_columns(acc, x, rows, stride, n); break;
    case OX_FOLD_SQUARES: add_square_columns(acc, x, rows, stride, n); break;
    case OX_FOLD_ABS: add_absolute_columns(acc, x, rows, stride, n); break;
    case OX_FOLD_MAX: max_columns(acc, x, rows, stride, n); break;
    case OX_FOLD_MIN: min_columns(acc, x, rows, stride, n); break;
    case OX_FOLD_PROD: multiply_columns(acc, x, rows, stride, n); break;
    }
}

/* ---- softmax */

static float row_max(const float *x, int64_t n) {
    vf a = vf_set(-INFINITY), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + WIDE <= n; i += WIDE) {
        a = v_max(vf_load(x + i), a);
        b = v_max(vf_load(x + i + OX_VLEN), b);
        c = v_max(vf_load(x + i + 2 * OX_VLEN), c);
        d = v_max(vf_load(x + i + 3 * OX_VLEN), d);
    }
    for (; i + OX_VLEN <= n; i += OX_VLEN) a = v_max(vf_load(x + i), a);
    if (i < n) b = v_max(v_first_n(v_load_n(x + i, n - i), b, n - i), b);
    return v_max_of(v_max(v_max(a, b), v_max(c, d)));
}

/* y = e^(x - max) where y is given; the sum of these. */
OX_IN double exp_sum(float *y, const float *x, int64_t n, float max) {
    vf m = vf_set(max);
    double total = 0;
    for (int64_t i = 0; i < n;) {
        vf s0 = {0}, s1 = {0};
        int64_t end = n - i < 2 * STEPS * OX_VLEN ? n : i + 2 * STEPS * OX_VLEN;
        for (; i + 2 * OX_VLEN <= end; i += 2 * OX_VLEN) {
            vf a = v_exp(vf_load(x + i) - m), b = v_exp(vf_load(x + i + OX_VLEN) - m);
            s0 += a;
            s1 += b;
            if (y) vf_store(y + i, a);
            if (y) vf_store(y + i + OX_VLEN, b);
        }
        for (; i < end; i += OX_VLEN) {
            int64_t k = end - i < OX_VLEN ? end - i : OX_VLEN;
            vf a = v_exp(v_load_any(x + i, k) - m);
            if (y) v_store_any(y + i, a, k);
            s0 += k < OX_VLEN ? v_first_n(a, (vf){0}, k) : a;
        }
        total += v_sum_double(s0 + s1);
    }
    return total;
}

void OX_ISA(ox_vec_softmax)(float *y, const float *x, int64_t n) {
    vf scale = vf_set((float)(1 / exp_sum(y, x, n, row_max(x, n))));
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, vf_load(y + i) * scale);
    if (i < n) v_store_n(y + i, v_load_n(y + i, n - i) * scale, n - i);
}

void OX_ISA(ox_vec_log_softmax)(float *y, const float *x, int64_t n) {
    float max = row_max(x, n);
    vf m = vf_set(max), l = vf_set((float)log(exp_sum(NULL, x, n, max)));
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) vf_store(y + i, vf_load(x + i) - m - l);
    if (i < n) v_store_n(y + i, v_load_n(x + i, n - i) - m - l, n - i);
}

/* A band of columns whose state stays in the cache. Sums carry what their roundings lost. */
enum { BAND = 512 / OX_VLEN };

OX_IN void softmax_band(float *y, const float *x, int64_t rows, int64_t stride, int64_t n, bool logarithm) {
    vf max[BAND], sum[BAND], lost[BAND];
    int parts = (int)((n + OX_VLEN - 1) / OX_VLEN);
    for (int k = 0; k < parts; k++) {
        max[k] = vf_set(-INFINITY);
        sum[k] = lost[k] = (vf){0};
    }
    for (int64_t i = 0; i < rows; i++) {
        for (int k = 0; k < parts; k++)
            max[k] = v_max(v_load_any(x + i * stride + k * OX_VLEN, n - k * OX_VLEN), max[k]);
    }
    for (int64_t i = 0; i < rows; i++) {
        for (int k = 0; k < parts; k++) {
            int64_t at = i * stride + k * OX_VLEN, left = n - k * OX_VLEN;
            vf e = v_exp(v_load_any(x + at, left) - max[k]), add = e - lost[k], s = sum[k] + add;
            lost[k] = (s - sum[k]) - add;
            sum[k] = s;
            if (!logarithm) v_store_any(y + at, e, left);
        }
    }
    for (int k = 0; k < parts; k++) sum[k] = logarithm ? v_log(sum[k]) : 1.0f / sum[k];
    for (int64_t i = 0; i < rows; i++) {
        for (int k = 0; k < parts; k++) {
            int64_t at = i * stride + k * OX_VLEN, left = n - k * OX_VLEN;
            vf v = logarithm ? v_load_any(x + at, left) - max[k] - sum[k] : v_load_any(y + at, left) * sum[k];
            v_store_any(y + at, v, left);
        }
    }
}

void OX_ISA(ox_vec_softmax_columns)(float *y, const float *x, int64_t rows, int64_t stride, int64_t n, bool logarithm) {
    for (int64_t j = 0; j < n; j += BAND * OX_VLEN) {
        int64_t wide = n - j < BAND * OX_VLEN ? n - j : BAND * OX_VLEN;
        if (logarithm)
            softmax_band(y + j, x + j, rows, stride, wide, true);
        else
            softmax_band(y + j, x + j, rows, stride, wide, false);
    }
}

/* ---- normalisation */

void OX_ISA(ox_vec_moments)(const float *x, int64_t n, double *mean, double *variance) {
    *mean = *variance = 0;
    if (!n) return;
    *mean = sum(x, n, 0) / (double)n;
    float center = (float)*mean;
    double rest = *mean - (double)center, v = squares(x, n, center) / (double)n - rest * rest;
    *variance = v < 0 ? 0 : v; /* NaN stays */
}

OX_IN void write_row(float *y, const float *x, int64_t n, float mean, float inverse, const float *scale, const float *bias) {
    vf m = vf_set(mean), a = vf_set(inverse);
    int64_t i = 0;
    for (; i + OX_VLEN <= n; i += OX_VLEN) {
        vf v = (vf_load(x + i) - m) * a;
        if (scale) v = v * vf_load(scale + i);
        if (bias) v = v + vf_load(bias + i);
        vf_store(y + i, v);
    }
    if (i == n) return;
    vf v = (v_load_n(x + i, n - i) - m) * a;
    if (scale) v = v * v_load_n(scale + i, n - i);
    if (bias) v = v + v_load_n(bias + i, n - i);
    v_store_n(y + i, v, n - i);
}

void OX_ISA(ox_vec_layer_norm)(float *y, const float *x, int64_t n, double epsilon, const float *scale, const float *bias,
                               double *stats) {
    double mean, variance;
    OX_ISA(ox_vec_moments)(x, n, &mean, &variance);
    double inverse = 1 / sqrt(variance + epsilon);
    write_row(y, x, n, (float)mean, (float)inverse, scale, bias);
    if (!stats) return;
    stats[0] = mean;
    stats[1] = inverse;
}

void OX_ISA(ox_vec_rms_norm)(float *y, const float *x, int64_t n, double epsilon, const float *scale, double *stats) {
    double inverse = 1 / sqrt((n ? plain_squares(x, n, 0) / (double)n : 0) + epsilon);
    write_row(y, x, n, 0, (float)inverse, scale, NULL);
    if (!stats) return;
    stats[0] = 0;
    stats[1] = inverse;
}
