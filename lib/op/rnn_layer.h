/* A recurrent layer as its node says: between rnn_kernels.c, which reads and checks it, and the files that compute it. */
#ifndef OX_RNN_LAYER_H
#define OX_RNN_LAYER_H

#include "op/compute.h"

typedef enum ox_rnn_cell { OX_CELL_LSTM, OX_CELL_GRU, OX_CELL_RNN } ox_rnn_cell;
typedef enum ox_rnn_act {
    OX_ACT_SIGMOID,
    OX_ACT_TANH,
    OX_ACT_RELU,
    OX_ACT_AFFINE,
    OX_ACT_LEAKY_RELU,
    OX_ACT_THRESHOLDED_RELU,
    OX_ACT_SCALED_TANH,
    OX_ACT_HARD_SIGMOID,
    OX_ACT_ELU,
    OX_ACT_SOFTSIGN,
    OX_ACT_SOFTPLUS
} ox_rnn_act;
typedef struct ox_rnn_activation { ox_rnn_act kind; double alpha, beta; } ox_rnn_activation;

typedef struct ox_rnn_layer {
    ox_rnn_cell cell;
    int directions;
    bool reverse_first, batch_first, input_forget, reset_after;
    int64_t gates, hidden, steps, batch, inputs;
    double clip;               /* 0: none */
    ox_rnn_activation acts[6]; /* three per direction */
    const int64_t *lengths;    /* per batch, or NULL */
    int64_t y_step, y_batch, y_direction, h_batch, h_direction; /* strides of results and states */
} ox_rnn_layer;

/* OUT: Y, Y_h, Y_c; NULL when nobody wants them. */
int ox_run_layer_double(ox_run *r, const ox_rnn_layer *v, ox_tensor *const *out);
int ox_run_layer_float(ox_run *r, const ox_rnn_layer *v, ox_tensor *const *out);

#endif
