/* Element-wise operators on floats by the vectors of lib/cpu. Narrower floats go through them too, a chunk at a time. */
#ifndef OX_OP_VECTOR_H
#define OX_OP_VECTOR_H

#include "cpu/vec.h"
#include "op/kernel.h"

/* Whether elements of this type are computed in float: all narrower floats and float itself. */
static inline bool ox_vec_serves(ox_dtype t) { return ox_compute_type(t) == OX_FLOAT; }

/* Output 0 = FN of input 0 with parameters p; types that are not computed in float go through FNS with USER. */
int ox_vec_unary(ox_run *r, ox_fn fn, const float *p, const ox_chunk_fns fns, const void *user);
/* y = FN of a and b, which have y's type (ox_vec_serves) and broadcast to its shape; y may be one that has it. */
int ox_vec_pair(ox_run *r, ox_fn2 fn, ox_tensor *y, const ox_tensor *a, const ox_tensor *b);

#endif
