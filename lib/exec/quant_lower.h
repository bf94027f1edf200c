/* Between quant_lower.c, which walks over the steps, quant_walk.c, which knows the forms of values, and quant_fixed.c, which reads parameters.
 * Private to lib/exec. */
#ifndef OX_EXEC_QUANT_LOWER_H
#define OX_EXEC_QUANT_LOWER_H

#include "exec/lower.h"
#include "exec/quant_native.h"

/* What is known of a cell. A value of floats that DequantizeLinear made of 8-bit numbers is those numbers, until somebody wants floats. */
typedef struct ox_quant_cell {
    uint32_t same;     /* the cell that holds these 8-bit numbers: itself, or where a step that vanished took them from */
    uint32_t bytes;    /* floats: the cell with the 8-bit numbers; OX_NO_CELL */
    ox_quant quant;    /* of those */
    uint32_t pixels;   /* 8-bit: the cell with the same image by pixels; OX_NO_CELL */
    bool there;        /* this form of the value is made */
    bool fixed_place;  /* returned, or read by bodies: the cell itself must be filled */
} ox_quant_cell;

typedef struct ox_quant_walk {
    ox_lower *l;
    ox_frame *f;
    ox_plan *p;
    ox_step *steps;    /* the new list */
    size_t n;
    ox_quant_cell *cells;
    ox_step **later;   /* per step: runs in its place; NULL */
    uint32_t *once_of; /* per cell that is made once: the step */
    bool integers;
} ox_quant_walk;

/* ---- quant_fixed.c ---- */
/* The constant that input i always is, when it is in memory already; NULL. */
const ox_tensor *ox_quant_fixed(const ox_quant_walk *w, const ox_step *s, int i);
/* Scale and zero point of inputs I and I + 1 of S for numbers of TYPE; false when they are not one each and fixed. */
bool ox_quant_read(const ox_quant_walk *w, const ox_step *s, int i, ox_dtype type, ox_quant *q);
/* The DequantizeLinear of a constant that makes input i; NULL. */
const ox_step *ox_quant_maker(const ox_quant_walk *w, const ox_step *s, int i);
/* Scales and zero points of N columns from inputs scale and zero of S, over the quantization of x and y, into the state. */
bool ox_quant_scales(const ox_quant_walk *w, const ox_step *s, int scale, int zero, ox_dtype type, int64_t n, ox_quant_weights *q);
/* The zero points alone. */
bool ox_quant_zeros(const ox_quant_walk *w, const ox_step *s, int i, ox_dtype type, int64_t n, ox_quant_weights *q);
/* A bias of floats (DequantizeLinear of a constant, or constant) or int32; true as well when input i is absent. */
bool ox_quant_bias(const ox_quant_walk *w, const ox_step *s, int i, const float *weight_scale, ox_quant_weights *q);
/* The element type of input i when it is 8 bits wide; OX_UNDEFINED. */
ox_dtype ox_quant_type_in(const ox_quant_walk *w, const ox_step *s, int i);
ox_dtype ox_quant_type_of(const ox_quant_walk *w, uint32_t cell);
/* y for a float that is quantized. */
int32_t ox_quant_of(const ox_quant *q, float x);

/* ---- quant_walk.c ---- */
uint32_t ox_quant_cell_of(const ox_quant_walk *w, uint32_t cell); /* where its 8-bit numbers are */
uint32_t ox_quant_new_cell(ox_quant_walk *w, uint32_t like, ox_dtype type);
/* A step of NATIVE on behalf of a node: N inputs, no cells yet. */
ox_step ox_quant_step(ox_quant_walk *w, const ox_step *by, int n, const ox_native *native, const void *state, size_t size);
void ox_quant_set_in(ox_quant_walk *w, ox_step *s, int i, uint32_t cell);
void ox_quant_set_fixed(ox_step *s, int i, const ox_step *from, int k);
void ox_quant_set_out(ox_quant_walk *w, ox_step *s, uint32_t cell);
void ox_quant_emit(ox_quant_walk *w, const ox_step *s);
/* Input i of S in the form asked for, which is made before when it is not there. */
void ox_quant_planar(ox_quant_walk *w, ox_step *s, int i, uint32_t cell);
void ox_quant_pixels(ox_quant_walk *w, ox_step *s, int i, uint32_t cell);
/* The form that is there. */
void ox_quant_any(ox_quant_walk *w, ox_step *s, int i, uint32_t cell, bool pixels);
/* The output of S is the 8-bit value of CELL, by pixels or not. */
void ox_quant_made(ox_quant_walk *w, ox_step *s, uint32_t cell, bool pixels);
/* Inputs of a step that stays as it is. */
void ox_quant_plain(ox_quant_walk *w, ox_step *s);
bool ox_quant_in_pixels(const ox_quant_walk *w, uint32_t cell);
void ox_quant_finish(ox_quant_walk *w);

#endif
