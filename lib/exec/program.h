/* Programs: several element-wise operators done at once, a chunk at a time while it is in the nearest cache. A program is a list of
 * instructions that each name earlier results and operands; it runs by itself (chain.c) or on pieces of what a product or a convolution
 * makes, before they leave the cache (tail.c). Floats only. */
#ifndef OX_PROGRAM_H
#define OX_PROGRAM_H

#include "cpu/vec.h"

enum { OX_PROGRAM_CODE = 40, OX_PROGRAM_OPERANDS = 16, OX_PROGRAM_REGISTERS = 6, OX_PROGRAM_CHUNK = 512 };

/* What an instruction reads: the result of instruction i is i, operand k is -1 - k. */
#define OX_OPERAND(k) ((int16_t)(-1 - (k)))

typedef struct ox_instruction {
    bool two;       /* fn is an ox_fn2 */
    uint8_t fn;
    int16_t a, b;
    float p[2];     /* parameters of an ox_fn */
    uint8_t reg;    /* where the result goes; OX_PROGRAM_REGISTERS: to y */
} ox_instruction;

typedef struct ox_program {
    int n, n_operands;
    ox_instruction code[OX_PROGRAM_CODE];
    /* by ox_program_finish(): operands that must be arrays, also when they are one element */
    uint32_t spread;
} ox_program;

/* An operand of a chunk: an array of n, or one element when `one`. */
typedef struct ox_chunk_operand {
    const float *data;
    bool one;
} ox_chunk_operand;

/* Takes the place of operand K of B by the result of A, whose operands come after B's own: operand i of A becomes map[i] of the result. False, and
 * nothing is changed, when the program would be too long. */
bool ox_program_join(ox_program *b, int k, const ox_program *a, const int *map);
/* Gives results their registers; false when there are too few. */
bool ox_program_finish(ox_program *p);
/* y[0..n), n <= OX_PROGRAM_CHUNK; y may be the array of an operand. */
void ox_program_run(const ox_program *p, const ox_chunk_operand *operands, int64_t n, float *y);
/* Steps of a few cycles per element, about. */
int64_t ox_program_cost(const ox_program *p);
/* Whether finite operands that are 0 in some place give a finite result there: true for all functions without poles. */
bool ox_program_tame(const ox_program *p);

#endif
