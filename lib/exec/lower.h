/* Lowering: steps of a plan are joined and given to natives (native.h), before lifetimes are known. Private to lib/exec.
 *
 * vectors.c   which operators are instructions of programs
 * lower.c     chains of element-wise operators, products and convolutions with what comes behind them
 * blocks.c    which images lie in blocks of channels */
#ifndef OX_LOWER_H
#define OX_LOWER_H

#include "exec/native.h"
#include "exec/plan.h"

typedef struct ox_lower {
    ox_frame *f;
    ox_plan *p;
    ox_arena *scratch; /* until the plan is lowered */
    uint32_t *uses;    /* per cell: reads by steps, bodies, outputs of the graph */
    uint32_t *maker;   /* per cell: step, OX_NO_CELL */
    bool *gone;        /* per step: joined to another */
    ox_chain *spare;   /* of a step that is gone */
    ox_chain **chain;  /* per step: as a program of its inputs; NULL: it is none */
} ox_lower;

/* Joins and lowers the steps of a plan. */
void ox_lower_plan(ox_frame *f, ox_plan *p);
/* The step as a program of its inputs (operand k is input k), false when it is not element-wise on floats. */
bool ox_chain_of(const ox_step *s, ox_chain *c);
/* Puts images into blocks and steps between them; takes away steps that are gone. */
void ox_lower_images(ox_lower *l);

/* Fills uses and maker. */
void ox_lower_count(ox_lower *l);
/* The step that alone reads the output of step `at`, and its number; NULL. */
ox_step *ox_lower_only_reader(ox_lower *l, uint32_t at, uint32_t *reader);

/* What is known about input i of a step before any run: its type, NULL. */
const ox_type *ox_lower_type(const ox_step *s, int i);
/* A constant (or what is computed from constants alone) whose sizes are known. */
bool ox_lower_fixed(const ox_step *s, int i, int *rank, int64_t *dims);
/* The type of the value in a cell of the plan; NULL. */
const ox_type *ox_lower_cell_type(const ox_plan *p, uint32_t cell);
bool ox_lower_same_dims(const ox_type *a, const ox_type *b);
bool ox_lower_is(const ox_step *s, const char *op_type); /* of ai.onnx */

#endif
