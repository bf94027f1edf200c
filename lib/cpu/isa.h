/* For files *_isa.c, which are compiled once per instruction set: OX_ISA(fn) is the function's name for this set, OX_VLEN the floats
 * of a vector, vf and vi vectors of floats and of int32. Products and sums contract to FMA where the set has it. */
#ifndef OX_ISA_H
#define OX_ISA_H

#include "cpu/cpu.h"

#include <string.h>

#define OX_ISA_PASTE(fn, set) fn##_##set
#define OX_ISA_NAME(fn, set)  OX_ISA_PASTE(fn, set)
#define OX_ISA(fn)            OX_ISA_NAME(fn, OX_ISA_SET)

#if defined(__AVX512F__)
enum { OX_VLEN = 16 };
#elif defined(__AVX2__)
enum { OX_VLEN = 8 };
#else
enum { OX_VLEN = 4 };
#endif

typedef float vf __attribute__((vector_size(OX_VLEN * 4)));
typedef int32_t vi __attribute__((vector_size(OX_VLEN * 4)));
#define OX_IN static inline __attribute__((always_inline))
OX_IN vf vf_load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
OX_IN void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
OX_IN vf vf_set(float x) { return x - (vf){0}; } /* x in every element; keeps -0 */
OX_IN vf vf_select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); } /* mask of a comparison */
OX_IN vf vf_max(vf a, vf b) { return vf_select(a > b, a, b); } /* b where one is NaN */
OX_IN vf vf_min(vf a, vf b) { return vf_select(a < b, a, b); }

#endif
