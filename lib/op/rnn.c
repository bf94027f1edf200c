/* Recurrent layers: rows, shape rules, steps between versions. Kernels: rnn_kernels.c. */
#include "op/compute.h"

/* Version 1 of GRU had a misspelt default. */
static int lift_direction(ox_call *c) {
    ox_lift_drop(c, "output_sequence");
    if (!strcmp(ox_get_string(c, "direction"), "foward")) ox_lift_attr_string(c, "direction", "forward");
    return 0;
}

static int lift_output_sequence(ox_call *c) {
    ox_lift_drop(c, "output_sequence");
    return 0;
}

/* Y, Y_h and, for LSTM, Y_c. */
static bool differs(ox_dim d, int64_t want) {
    int64_t n;
    return ox_dim_is_const(d, &n) && n != want;
}

/* Sizes of the weights against hidden_size, lengths of sequences against the steps. */
static int check_rnn(ox_call *c, int64_t gates, const ox_dim *w, const ox_dim *r, ox_dim steps) {
    int64_t hidden, rows, n, most;
    bool known = r && ox_dim_is_const(r[2], &hidden);
    if (ox_has(c, "hidden_size")) {
        if (known && ox_get_int(c, "hidden_size") != hidden)
            return ox_fail(c->ctx, OX_BAD_DATA, "hidden_size is %" PRId64 ", the weights are for %" PRId64, ox_get_int(c, "hidden_size"), hidden);
        hidden = ox_get_int(c, "hidden_size");
        known = true;
    }
    if (known && (hidden < 1 || !ox_mul_ok(hidden, gates, &rows))) return ox_fail(c->ctx, OX_BAD_DATA, "hidden_size is %" PRId64, hidden);
    if (known && ((w && differs(w[1], rows)) || (r && differs(r[1], rows))))
        return ox_fail(c->ctx, OX_BAD_DATA, "the weights have not the %" PRId64 " rows of %" PRId64 " gates", rows, gates);
    const int64_t *lengths = ox_in_ints(c, 4, &n);
    for (int64_t i = 0; lengths && steps && ox_dim_is_const(steps, &most) && i < n; i++)
        if (lengths[i] < 0 || lengths[i] > most)
            return ox_fail(c->ctx, OX_BAD_DATA, "a sequence of length %" PRId64 " in %" PRId64 " steps", lengths[i], most);
    return 0;
}

static int infer_rnn(ox_call *c) {
    static const char *const directions[] = {"forward", "reverse", "bidirectional"};
    const char *direction = ox_get_string(c, "direction");
    int d = 0;
    while (d < 3 && strcmp(direction, directions[d])) d++;
    if (d == 3) return ox_fail(c->ctx, OX_BAD_DATA, "attribute 'direction' is '%s'", direction);
    for (int i = 0; i < 3; i++) {
        if (ox_in_rank(c, i) >= 0 && ox_in_rank(c, i) != 3)
            return ox_fail(c->ctx, OX_BAD_DATA, "input %d has rank %d, but 3 is needed", i, ox_in_rank(c, i));
    }
    const ox_dim *x = ox_in_dims(c, 0), *w = ox_in_dims(c, 1), *r = ox_in_dims(c, 2);
    int64_t layout = ox_get_int(c, "layout"),
            gates = c->op->name[0] == 'L'   ? 4
                    : c->op->name[0] == 'G' ? 3
                                            : 1,
            in, want;
    if (x && w && ox_dim_is_const(x[2], &in) && ox_dim_is_const(w[2], &want) && in != want)
        return ox_fail(c->ctx, OX_BAD_DATA, "the input has %" PRId64 " features, the weights are for %" PRId64, in,
                       want);
    if (check_rnn(c, gates, w, r, x ? x[layout ? 1 : 0] : NULL) < 0) return -1;
    ox_dim hidden = ox_has(c, "hidden_size") ? ox_dim_const(c->ctx, ox_get_int(c, "hidden_size")) : r ? r[2] : NULL;
    if (!hidden && w) hidden = ox_dim_exact_div(c->ctx, w[1], ox_dim_const(c->ctx, gates));
    ox_dim count = ox_dim_const(c->ctx, d == 2 ? 2 : 1), steps = x ? x[layout ? 1 : 0] : NULL,
           batch = x ? x[layout ? 0 : 1] : NULL;
    ox_dim all[4] = {layout ? batch : steps, layout ? steps : count, layout ? count : batch, hidden};
    ox_dim last[3] = {layout ? batch : count, layout ? count : batch, hidden};
    ox_dtype t = ox_out_dtype(c, 0);
    ox_out_tensor(c, 0, t, 4, all);
    ox_out_tensor(c, 1, t, 3, last);
    ox_out_tensor(c, 2, t, 3, last);
    return 0;
}

OX_FAMILY(rnn, "",
    OP("LSTM", 22,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? Y_h, T? "
       "Y_c) T: floats|bfloat16, T1: int32",
       .infer = infer_rnn, .kernel = ox_run_lstm),
    OP("LSTM", 14,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? Y_h, T? "
       "Y_c) T: floats, T1: int32"),
    OP("LSTM", 7,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0>(T X, T W, T R, T? B, "
       "T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? Y_h, T? Y_c) T: floats, T1: "
       "int32"),
    OP("LSTM", 1,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, input_forget: int = 0, output_sequence: int "
       "= 0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h, T? initial_c, T? P) => (T? Y, T? "
       "Y_h, T? Y_c) T: floats, T1: int32",
       .lift = lift_output_sequence),
    OP("GRU", 22,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, layout: int = 0, linear_before_reset: int = "
       "0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats|bfloat16, "
       "T1: int32",
       .infer = infer_rnn, .kernel = ox_run_gru),
    OP("GRU", 14,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, layout: int = 0, linear_before_reset: int = "
       "0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("GRU", 7,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, linear_before_reset: int = 0>(T X, T W, T "
       "R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("GRU", 3,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"forward\", hidden_size: int?, linear_before_reset: int = 0, "
       "output_sequence: int = 0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? "
       "Y_h) T: floats, T1: int32",
       .lift = lift_output_sequence),
    OP("GRU", 1,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings?, clip: float?, "
       "direction: string = \"foward\", hidden_size: int?, output_sequence: int = 0>(T X, T W, T R, T? "
       "B, T1? sequence_lens, T? initial_h) => (T? Y, T Y_h) T: floats, T1: int32",
       .lift = lift_direction),
    OP("RNN", 22,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats|bfloat16, T1: "
       "int32",
       .infer = infer_rnn, .kernel = ox_run_rnn),
    OP("RNN", 14,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?, layout: int = 0>(T "
       "X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("RNN", 7,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?>(T X, T W, T R, T? "
       "B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: int32"),
    OP("RNN", 1,
       "<activation_alpha: floats?, activation_beta: floats?, activations: strings = [\"Tanh\", "
       "\"Tanh\"], clip: float?, direction: string = \"forward\", hidden_size: int?, output_sequence: "
       "int = 0>(T X, T W, T R, T? B, T1? sequence_lens, T? initial_h) => (T? Y, T? Y_h) T: floats, T1: "
       "int32",
       .lift = lift_output_sequence));
