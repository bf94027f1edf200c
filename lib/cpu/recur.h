/* One step of recurrent layers of floats: the product of the states with the recurrent weights and what the gates make of it, at once.
 *
 * Hidden units are taken in blocks of a vector: all gates of a block are summed up in registers, then its part of the new state is made. A
 * sum begins with what the inputs give and goes on in order of the hidden units, so results do not depend on which rows stand together, nor
 * on how blocks are shared among threads. Old and new states must be different memory. */
#ifndef OX_RECUR_H
#define OX_RECUR_H

#include "cpu/cpu.h"

enum {
    OX_RECUR_SLACK = 16, /* floats behind the end that may be read of x, c, peep, after */
    OX_RECUR_BLOCKS = 4  /* blocks that are taken together at most: where to cut them among threads */
};

/* Pointers are one per row; a row is one sequence of the batch. PADDED: hidden rounded up to whole blocks. */
typedef struct ox_recur_step {
    int64_t rows, hidden, padded;
    const float *weights;  /* from ox_recur_pack() */
    const float *const *x; /* inputs times weights and biases, [gates][hidden] */
    const float *const *h; /* old state, [hidden] */
    float *const *to;      /* new state, [hidden] */
    float *const *c;       /* lstm: the cell, [padded], in place; gru_before: z and r * h, [2][padded]; sums: where they go, [gates][padded] */
    const float *peep;     /* lstm, NULL: none; [i o f][padded] */
    const float *after;    /* gru_after: bias of the candidate's recurrent part, [padded], NULL: none */
    float clip;            /* of the sums; INFINITY: none */
    bool input_forget;
} ox_recur_step;

/* Does blocks FROM to TO. */
typedef void (*ox_recur_fn)(const ox_recur_step *s, int64_t from, int64_t to);

typedef struct ox_recur {
    int64_t lanes;           /* hidden units of a block */
    ox_recur_fn lstm;        /* gates i o f c: sigmoid, tanh, tanh */
    ox_recur_fn gru_after;   /* gates z r h, reset after the product */
    ox_recur_fn gru_gates;   /* z and r * h, of weights of two gates */
    ox_recur_fn gru_before;  /* the rest, of weights of the third gate, when all of gru_gates is done */
    ox_recur_fn rnn;         /* tanh */
    /* Only the sums of the first 1, 2, 3, 4 gates; three: the third is the recurrent part and AFTER alone, without the inputs' part. */
    ox_recur_fn sums[4];
    ox_recur_fn product;     /* of one gate, without the inputs' part: with h what gru_before needs */
} ox_recur;

const ox_recur *ox_recur_table(void);
/* Floats of packed weights of GATES gates; -1 when that overflows. */
int64_t ox_recur_packed(int64_t gates, int64_t hidden);
/* R[gates * hidden][hidden] in the order in which steps read it: by block, unit of the old state, gate, unit of the block. */
void ox_recur_pack(int64_t gates, int64_t hidden, const float *r, float *packed);

#endif
