/* Between limits.c, inputs.c and verify.c. Private to lib/exec. */
#ifndef OX_EXEC_INPUTS_H
#define OX_EXEC_INPUTS_H

#include "exec/exec.h"

/* What the use of an integer input allows. */
typedef struct ox_int_limit {
    int64_t low, high; /* low <= value < high */
    bool known;        /* false: nothing was found */
} ox_int_limit;

/* Looks where the input goes: through operators that only move elements, additions of constants, bodies and
 * functions, to what it indexes. size_of gives the number for a dimension, or false. */
ox_int_limit ox_find_limit(ox_ctx *ctx, const ox_value *input, bool (*size_of)(void *user, ox_dim d, int64_t *n),
                           void *user);

#endif
