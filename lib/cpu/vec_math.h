/* Mathematics on vectors, for files *_isa.c: everything inlined, no branches. Polynomials are minimax fits of our own in float, by
 * reweighted least squares; arguments are reduced with constants in two parts (Cody and Waite), those of sin, cos and pow in double. */
#ifndef OX_VEC_MATH_H
#define OX_VEC_MATH_H

#include "cpu/vec_isa.h"

/* p * 2^n for whole n, k the same as integer; in two steps, since 2^n alone need not be a normal number. */
OX_IN vf v_scale_exp(vf p, vf n, vi k) {
#if defined(__AVX512F__)
    (void)k;
    return _mm512_scalef_ps(p, n);
#else
    vi half = k >> 1;
    (void)n;
    return p * (vf)((vu)(half + 127) << 23) * (vf)((vu)(k - half + 127) << 23);
#endif
}

/* x = n ln 2 + r, |r| <= ln 2 / 2. */
OX_IN vf v_reduce_exp(vf x, vf *n, vi *k) {
    vf t = x * 0x1.715476p+0f + 12582912.0f; /* the addition rounds to a whole number in the low bits */
    *n = t - 12582912.0f;
    *k = (vi)((vu)t - 0x4b400000u);
    return x - *n * 0.693359375f + *n * 2.12194440e-4f; /* the first product is exact */
}

OX_IN vf v_exp(vf x) {
    vf n, c = v_min(vf_set(89), v_max(vf_set(-104.5f), x)); /* NaN passes */
    vi k;
    vf r = v_reduce_exp(c, &n, &k), q = 0x1.6a21acp-10f * r + 0x1.123b6ap-7f;
    q = q * r + 0x1.5558fap-5f;
    q = q * r + 0x1.555490p-3f;
    q = q * r + 0x1.fffffcp-2f;
    return v_scale_exp(q * (r * r) + r + 1.0f, n, k);
}

/* exp(x) - 1 for x from -80 to 80, exact near 0. */
OX_IN vf v_expm1_within(vf x) {
    vf n;
    vi k;
    vf r = v_reduce_exp(x, &n, &k), q = 0x1.a032dcp-13f * r + 0x1.6d73c0p-10f;
    q = q * r + 0x1.11118ap-7f;
    q = q * r + 0x1.5554b0p-5f;
    q = q * r + 0x1.555554p-3f;
    q = q * r + 0.5f;
    vf s = (vf)(((vu)k + 127u) << 23);
    return (q * (r * r) + r) * s + (s - 1.0f);
}

/* x = 2^k (1 + f), f from sqrt(1/2) - 1 to sqrt(2) - 1; subnormal numbers are raised first. */
OX_IN vf v_log(vf x) {
    vm tiny = v_lt(x, vf_set(0x1p-126f));
    vi bits = (vi)((vu)v_select(tiny, x * 0x1p23f, x) - 0x3f3504f3u);
    vf f = (vf)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
    vf k = __builtin_convertvector(bits >> 23, vf) - v_select(tiny, vf_set(23), vf_set(0));
    vf q = -0x1.38c1a8p-4f * f + 0x1.056498p-3f;
    q = q * f - 0x1.0d875ap-3f;
    q = q * f + 0x1.22d90ap-3f;
    q = q * f - 0x1.5471f6p-3f;
    q = q * f + 0x1.99a012p-3f;
    q = q * f - 0x1.000228p-2f;
    q = q * f + 0x1.555554p-2f;
    vf z = f * f, y = q * (z * f) - k * 2.12194440e-4f;
    y = f - (0.5f * z - y) + k * 0.693359375f;
    y = v_select(v_lt(x, vf_set(INFINITY)), y, x);                       /* infinity and NaN as they are */
    y = v_select(v_lt(x, vf_set(0)), vf_set(NAN), y);
    return v_select(v_eq(x, vf_set(0)), vf_set(-INFINITY), y);
}

/* ln(1 + x) for x from 0 to 1. */
OX_IN vf v_log1p_unit(vf x) {
    vf p = -0x1.2c23bap-8f * x + 0x1.a4c96ap-6f;
    p = p * x - 0x1.148744p-4f;
    p = p * x + 0x1.dc38fcp-4f;
    p = p * x - 0x1.453078p-3f;
    p = p * x + 0x1.96c6a8p-3f;
    p = p * x - 0x1.ffbebcp-3f;
    p = p * x + 0x1.55542ep-2f;
    p = p * x - 0x1.fffffep-2f;
    return p * (x * x) + x;
}

/* (e^2a - 1) / (e^2a + 1); at 10 that is 1. */
OX_IN vf v_tanh(vf x) {
    vf e = v_expm1_within(v_min(vf_set(20), 2 * v_abs(x)));
    return v_or(v_abs(e / (e + 2.0f)), v_sign_bit(x));
}

/* 1 / (1 + e^-x), or e^x / (1 + e^x) below 0: e is at most 1, and small results keep their digits. */
OX_IN vf v_sigmoid(vf x) {
    vf e = v_exp(v_neg(v_abs(x)));
    return v_select(v_negative(x), e, vf_set(1)) / (1.0f + e);
}

/* 1 - e^-g with g = -ln(erfc(|x|)), which is |x| times a polynomial; at 4 that is 1. */
OX_IN vf v_erf(vf x) {
    vf a = v_min(vf_set(4), v_abs(x)), h = -0x1.369176p-17f * a + 0x1.ed663ep-14f;
    h = h * a - 0x1.4bc712p-11f;
    h = h * a + 0x1.b4fd90p-10f;
    h = h * a - 0x1.504870p-13f;
    h = h * a - 0x1.39cde2p-6f;
    h = h * a + 0x1.a4fa60p-4f;
    h = h * a + 0x1.45f2fap-1f;
    h = (h * a - 0x1.f7ac920000000p-25f) + 0x1.20dd76p+0f; /* 2 / sqrt(pi) in two parts */
    return v_or(v_abs(v_expm1_within(v_neg(h * a))), v_sign_bit(x));
}

/* max(x, 0) + ln(1 + e^-|x|) */
OX_IN vf v_softplus(vf x) { return v_max(vf_set(0), x) + v_log1p_unit(v_exp(v_neg(v_abs(x)))); }

/* x tanh(softplus(x)) = x n / (n + 2) with n = e^x (e^x + 2) */
OX_IN vf v_mish(vf x) {
    vf e = v_exp(v_min(vf_set(20), x)), n = e * (e + 2.0f);
    return x * (n / (n + 2.0f));
}

/* ---- in double: for half of the elements each */

/* 2^(y log2(x)) for x >= 0. */
OX_IN vd vd_pow(vd x, vd y) {
    const uint64_t root = 0x3fe6a09e667f3bcd; /* of 1/2 */
    vul bits = (vul)x + (((uint64_t)1023 << 52) - root);
    vul up = bits >> 52 | 0x4330000000000000u; /* 2^52 and the exponent, as bits of a double */
    vd k = (vd)up - (0x1p52 + 1023), m = (vd)((bits & 0xfffffffffffff) + root);
    vd s = (m - 1) / (m + 1), z = s * s;
    vd p = 0x1.21b8d232c61e9p-2 * z + 0x1.4794d023dfeecp-2;
    p = p * z + 0x1.a61a31da442a4p-2;
    p = p * z + 0x1.2776c28fa9f5cp-1;
    p = p * z + 0x1.ec709dc53f34ep-1;
    p = p * z + 0x1.71547652b8250p+1;
    vd l = p * s + k;
    l = vd_select((vl)(x == 0), vd_set(-INFINITY), vd_select((vl)(x < (double)INFINITY), l, x));
    vd t = l * y;
    t = vd_select((vl)(t > 200.0), vd_set(200), vd_select((vl)(t < -200.0), vd_set(-200), t));
    vd magic = t + 0x1.8p52, r = t - (magic - 0x1.8p52);
    vd q = 0x1.61c4d5bd3699ap-20 * r + 0x1.00d86be290c12p-16;
    q = q * r + 0x1.430aa8d725a9bp-13;
    q = q * r + 0x1.5d874ce307f75p-10;
    q = q * r + 0x1.3b2ab5ed1c23fp-7;
    q = q * r + 0x1.c6b08dceeff44p-5;
    q = q * r + 0x1.ebfbdff8ee376p-3;
    q = q * r + 0x1.62e42fef89c79p-1;
    q = q * r + 1.0;
    return q * (vd)(((vul)magic << 52) + ((uint64_t)1023 << 52)); /* the low bits of magic are the whole part */
}

OX_IN vf v_pow(vf x, vf y) {
#if !defined(__AVX2__)
    vf one_by_one = x; /* without vectors of 64-bit shifts the library is faster */
    for (int i = 0; i < OX_VLEN; i++) one_by_one[i] = powf(x[i], y[i]);
    return one_by_one;
#else
    vd xl, xh, yl, yh;
    vf one = vf_set(1), a = v_abs(x), inf = vf_set(INFINITY);
    vd_from_floats(a, &xl, &xh);
    vd_from_floats(y, &yl, &yh);
    vf p = vd_to_floats(vd_pow(xl, yl), vd_pow(xh, yh));
    p = v_select(v_eq(a, one), one, p);
    /* below 0: whole powers only, odd ones turn the sign */
    vm whole = v_eq(v_floor(y), y), odd = vm_and(whole, vm_not(v_eq(v_floor(y * 0.5f), y * 0.5f)));
    vm below = vm_and(v_lt(x, vf_set(0)), v_lt(a, inf));
    p = v_select(vm_and(below, vm_not(whole)), vf_set(NAN), p);
    p = v_select(vm_and(v_negative(x), odd), v_neg(p), p);
    p = v_select(vm_or(v_nan(x), v_nan(y)), x + y, p);
    return v_select(vm_or(v_eq(y, vf_set(0)), v_eq(x, one)), one, p);
#endif
}

/* x = n pi / 2 + r; right for |x| up to 2^28, since the first part of pi / 2 has 24 zeros at its end. */
OX_IN vd vd_reduce_pi(vd x, vd *n) {
    *n = x * 0x1.45f306dc9c883p-1 + 0x1.8p52 - 0x1.8p52;
    return x - *n * 0x1.921fb5p+0 - *n * 0x1.110b4611a6263p-26;
}

enum { V_TRIG_LIMIT = 100000000 };

/* sin(x + quarter pi / 2), |x| <= V_TRIG_LIMIT. */
OX_IN vf v_sin_quarter(vf x, int quarter) {
    vd lo, hi, nl, nh;
    vd_from_floats(x, &lo, &hi);
    lo = vd_reduce_pi(lo, &nl);
    hi = vd_reduce_pi(hi, &nh);
    vf r = vd_to_floats(lo, hi), z = r * r;
    vd small_l = nl * 0.25, small_h = nh * 0.25; /* n mod 4: what rounding down to quarters leaves */
    small_l = (nl - 4 * ((small_l - 0.375) + 0x1.8p52 - 0x1.8p52));
    small_h = (nh - 4 * ((small_h - 0.375) + 0x1.8p52 - 0x1.8p52));
    vi n = __builtin_convertvector(vd_to_floats(small_l, small_h), vi) + quarter;
    vf s = -0x1.994370p-13f * z + 0x1.11073ap-7f;
    s = s * z - 0x1.555546p-3f;
    s = s * (z * r) + r;
    vf c = 0x1.99eb34p-16f * z - 0x1.6c0c32p-10f;
    c = c * z + 0x1.55554ap-5f;
    c = c * (z * z) + (1.0f - 0.5f * z);
    vf y = vf_select((vi)((n & 1) == 0), s, c);
    y = (vf)((vu)y ^ ((vu)(n & 2) << 30));
    return quarter ? y : v_select(v_eq(x, vf_set(0)), x, y); /* -0 stays */
}

#endif
