/* Functions of float for element-wise kernels, without branches, so that loops of them become vectors. Within 2 units
 * of the last place. */
#ifndef OX_OP_SPECIAL_H
#define OX_OP_SPECIAL_H

#include "op/compute.h"

/* The error function. Near 0 x + x q(x^2), farther out 1 - exp(-g(|x|)); both polynomials are least-squares fits of
 * our own. */
static inline float ox_fast_erf(float x) {
    float a = x < 0 ? -x : x, z = x * x, t = a > 4.0f ? 4.0f : a;
    float q = 0x1.559b2cp-14f;
    q = q * z - 0x1.a80c40p-11f;
    q = q * z + 0x1.54885ap-8f;
    q = q * z - 0x1.b80806p-6f;
    q = q * z + 0x1.ce2dbcp-4f;
    q = q * z - 0x1.812742p-2f;
    q = q * z + 0.12837917f;
    float g = -0x1.40e986p-20f;
    g = g * t + 0x1.418ba4p-15f;
    g = g * t - 0x1.1af2c6p-11f;
    g = g * t + 0x1.28a85ep-8f;
    g = g * t - 0x1.a77dc2p-6f;
    g = g * t + 0x1.bf507ap-4f;
    g = g * t + 0x1.43e7f4p-1f;
    g = g * t + 0x1.213c28p+0f;
    g = g * t - 0x1.e57e5ep-13f;
    float far = 1.0f - ox_fast_exp(-g);
    far = x < 0 ? -far : far;
    return a < 0.94f ? x + x * q : x == x ? far : x;
}

/* ln(1 + x) for x from 0 to 1. */
static inline float ox_fast_log1p(float x) {
    float p = -0x1.2c23bap-8f;
    p = p * x + 0x1.a4c96ap-6f;
    p = p * x - 0x1.148744p-4f;
    p = p * x + 0x1.dc38fcp-4f;
    p = p * x - 0x1.453078p-3f;
    p = p * x + 0x1.96c6a8p-3f;
    p = p * x - 0x1.ffbebcp-3f;
    p = p * x + 0x1.55542ep-2f;
    p = p * x - 0x1.fffffep-2f;
    return p * (x * x) + x;
}

#endif
