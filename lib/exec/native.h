/* Steps that the frame runs in its own way instead of by their operator's kernel: several operators at once, weights packed once, images in
 * blocks of channels. lower.c decides, from what is known before any run; each file here computes one kind. Private to lib/exec.
 *
 * A value in blocks is a tensor of rank 5, [N][C / B][H][W][B] (H = 1 for one spatial axis), see cpu/conv.h. Only natives see such values. */
#ifndef OX_NATIVE_H
#define OX_NATIVE_H

#include "cpu/conv_algorithms.h"
#include "exec/program.h"
#include "op/op.h"

typedef struct ox_native {
    const char *name;                          /* of the algorithm, for profiles */
    int (*run)(ox_run *r);                     /* r->state: the step's; inputs are r->in[0 .. n) of the step */
    void (*done)(ox_ctx *ctx, void *state);    /* frees what state owns but not state; may be NULL */
    void (*taken)(void *state, const char *candidate); /* a placement takes it: what only others need may go; may be NULL */
} ox_native;

/* Where the inputs of a step's program lie in its inputs. */
typedef struct ox_tail_plan {
    ox_program program;       /* operand 0 is what the step computes itself */
    int input[OX_PROGRAM_OPERANDS]; /* of operands 1 and up: the step's input */
    bool per_channel[OX_PROGRAM_OPERANDS]; /* a constant with one element per channel (column), not one per element of the result */
} ox_tail_plan;

/* ---- chain.c: element-wise operators together */
typedef struct ox_chain {
    ox_program program;
    ox_dtype dtype;
    int64_t blocked; /* channels, when operands and result lie in blocks; 0: plain */
    bool changed;    /* inputs of the step are gone: its operator's kernel cannot run it any more */
    ox_tensor *constants[OX_PROGRAM_OPERANDS]; /* per channel, in blocks; made by the first run */
} ox_chain;
extern const ox_native ox_native_chain;

/* ---- gemm_native.c: input 0 times constant weights, input 1 */
typedef struct ox_weights_product {
    bool trans_b;
    ox_dtype dtype;    /* of input and output; computed in float */
    float alpha;
    int bias;          /* input with a float per column, -1: none */
    bool has_tail;
    ox_tail_plan tail;
    /* made by the first run */
    float *packed, *columns[OX_PROGRAM_OPERANDS];
    int64_t k, n;
} ox_weights_product;
extern const ox_native ox_native_product;
/* The operators' kernels, adding up in the order that others add in. */
extern const ox_native ox_native_sliced_matmul, ox_native_sliced_gemm, ox_native_sliced_conv, ox_native_sliced_pool;

/* ---- conv_native.c: convolution of an image by constant weights, input 1 */
/* Weights in the form of an algorithm, which several may have in common. */
enum { OX_CONV_WEIGHTS = 4 };
typedef struct ox_conv_weights {
    const ox_conv_algorithm *like;
    float *packed;
    bool taken;              /* a placement takes an algorithm that reads them */
} ox_conv_weights;
typedef struct ox_image_conv {
    int rank;                /* of the image as the model has it: 3 or 4 */
    int64_t pad[4];          /* zeros of a Pad before it: top, left, bottom, right */
    int bias;                /* input, -1: none */
    int norm[4];             /* inputs of a BatchNormalization behind it: scale, B, mean, var; -1: none */
    double epsilon;
    bool has_tail, planar;   /* planar: the input is not in blocks */
    bool planar_out;         /* nor is the output; no operand of the tail has its size then */
    ox_tail_plan tail;
    /* made by the first run */
    ox_conv_weights weights[OX_CONV_WEIGHTS];
    bool forgotten;          /* the model's weights may be gone: no other form can be made of them */
    float *shift, *columns[OX_PROGRAM_OPERANDS];
    int64_t in_channels, out_channels;
} ox_image_conv;
extern const ox_native ox_native_conv;

/* ---- image_native.c */
typedef struct ox_image_pool { int rank; bool max, global; int64_t channels; } ox_image_pool;
typedef struct ox_image_frame { int rank; int64_t in_channels, out_channels; int64_t top, left, bottom, right; } ox_image_frame; /* Pad */
typedef struct ox_image_resize { int rank; int64_t channels; } ox_image_resize;
typedef struct ox_image_move { int rank; ox_dtype dtype; /* of the plain form; blocks are floats */ int64_t channels; } ox_image_move;
extern const ox_native ox_native_pool, ox_native_pad, ox_native_resize, ox_native_block, ox_native_unblock;

/* ---- tail.c */
/* What ox_tail needs while a step runs. */
typedef struct ox_tail_run {
    ox_tail tail;
    ox_chunk_operand operands[OX_PROGRAM_OPERANDS];
    bool per_channel[OX_PROGRAM_OPERANDS];
    int64_t period; /* floats of a channel block; 1: a column is one float */
    ox_program rest;
} ox_tail_run;
enum { OX_COLUMN_REPEAT = 512 };
/* Prepares T for the inputs of R; columns[k]: per channel operands as made by ox_tail_columns(). -1 after ox_fail(). */
int ox_tail_begin(ox_tail_run *t, ox_run *r, const ox_tail_plan *plan, float *const *columns, int64_t period, const ox_tensor *y);
/* A constant with a float per channel, laid out for pieces: PERIOD channels side by side, repeated over OX_COLUMN_REPEAT floats per block (period
 * 1: just the floats). NULL after ox_fail(). ox_payload_free() it. */
float *ox_tail_columns(ox_run *r, const ox_tensor *t, int64_t channels, int64_t period);
/* The tensor that is input i of a step; NULL. */
static inline const ox_tensor *ox_native_tensor(const ox_run *r, int i) {
    return i >= 0 && r->in[i] && r->in[i]->kind == OX_RT_TENSOR ? r->in[i]->t : NULL;
}
/* The floats of a tensor of any float type, in scratch when they are not floats already; NULL after ox_fail(). */
const float *ox_native_input(ox_run *r, const ox_tensor *t);
/* The floats of a constant input of any float type, in scratch when they are not floats already. */
const float *ox_native_floats(ox_run *r, int input);

#endif
