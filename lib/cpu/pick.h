/* Arrays of elements converted and searched, once per instruction set. Numbers out of the range of an integer become the least one. */
#ifndef OX_PICK_H
#define OX_PICK_H

#include "cpu/cpu.h"

typedef enum ox_element { OX_E_F32, OX_E_F64, OX_E_I32, OX_E_I64, OX_E_I8, OX_E_U8, OX_E_BOOL, OX_E_COUNT } ox_element;

typedef void (*ox_convert_fn)(void *y, const void *x, int64_t n);

typedef struct ox_pick {
    ox_convert_fn convert[OX_E_COUNT][OX_E_COUNT]; /* from, to; NULL where there is none */
    /* Doubles cut to floats whose last bit is set where something was lost: rounding these to a narrower type is rounding the doubles. */
    void (*odd)(float *y, const double *x, int64_t n);
    /* Place of the first element that is not <= (not >=) LIMIT, so also of a NaN; n: none. */
    int64_t (*above)(const float *x, int64_t n, float limit);
    int64_t (*below)(const float *x, int64_t n, float limit);
} ox_pick;

const ox_pick *ox_pick_table(void); /* of the set that ox_cpu_isa() tells */

#endif
