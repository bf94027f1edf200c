/* Steps of recurrent layers: sums of all gates of a block of hidden units in registers, then the cell.
 *
 * The weights of a block are read once for a few rows. With one row the processor would wait for the sums of one block, so that several
 * blocks are taken together. */
#include "cpu/recur.h"
#include "cpu/vec_math.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#if defined(__AVX512F__)
enum { WIDE_ROWS = 2 };
static const int most_rows[4] = {6, 6, 6, 6};
#else
enum { WIDE_ROWS = 1 };
static const int most_rows[4] = {6, 6, 4, 3};
#endif
enum { VL = OX_VLEN, MOST_ROWS = 6 };
static const int wide_panels[4] = {4, 4, 2, 2}; /* blocks together for few rows, by gates */

/* ---- sums */

/* acc[rows][panels][gates] += h[row][q] * w[panel][q][gate], PS floats between the panels. */
OX_IN void micro(const int rows, const int gates, const int panels, int64_t k, const float *w, int64_t ps, const float *const *h, float *sums) {
    vf acc[MOST_ROWS * 4];
    const float *from[MOST_ROWS];
    const int each = gates * panels;
    UNROLL
    for (int t = 0; t < rows * each; t++) acc[t] = vf_load(sums + t * VL);
    UNROLL
    for (int i = 0; i < rows; i++) from[i] = h[i];
    for (int64_t q = 0; q < k; q++, w += gates * VL) {
        vf f[MOST_ROWS];
        UNROLL
        for (int i = 0; i < rows; i++) f[i] = vf_set(from[i][q]);
        UNROLL
        for (int p = 0; p < panels; p++) {
            UNROLL
            for (int g = 0; g < gates; g++) {
                const vf y = vf_load(w + p * ps + g * VL);
                UNROLL
                for (int i = 0; i < rows; i++) acc[(i * panels + p) * gates + g] += f[i] * y;
            }
        }
    }
    UNROLL
    for (int t = 0; t < rows * each; t++) vf_store(sums + t * VL, acc[t]);
}

typedef void micro_fn(int64_t k, const float *w, int64_t ps, const float *const *h, float *sums);
#define MICRO(R, G, P) \
    static void micro_##R##_##G##_##P(int64_t k, const float *w, int64_t ps, const float *const *h, float *sums) { micro(R, G, P, k, w, ps, h, sums); }
#define EACH_ROWS(G) MICRO(1, G, 1) MICRO(2, G, 1) MICRO(3, G, 1) MICRO(4, G, 1) MICRO(5, G, 1) MICRO(6, G, 1)
EACH_ROWS(1) EACH_ROWS(2) EACH_ROWS(3) EACH_ROWS(4)
MICRO(1, 1, 4) MICRO(1, 2, 4) MICRO(1, 3, 2) MICRO(1, 4, 2)
#if defined(__AVX512F__)
MICRO(2, 1, 4) MICRO(2, 2, 4) MICRO(2, 3, 2) MICRO(2, 4, 2)
#endif
#define ROWS(G) {micro_1_##G##_1, micro_2_##G##_1, micro_3_##G##_1, micro_4_##G##_1, micro_5_##G##_1, micro_6_##G##_1}
static micro_fn *const micros[4][MOST_ROWS] = {ROWS(1), ROWS(2), ROWS(3), ROWS(4)};
static micro_fn *const wides[4][WIDE_ROWS] = {
#if defined(__AVX512F__)
    {micro_1_1_4, micro_2_1_4}, {micro_1_2_4, micro_2_2_4}, {micro_1_3_2, micro_2_3_2}, {micro_1_4_2, micro_2_4_2},
#else
    {micro_1_1_4}, {micro_1_2_4}, {micro_1_3_2}, {micro_1_4_2},
#endif
};

/* ---- what the sums of a row and block become: ACC holds a vector per gate, J is the first hidden unit */

OX_IN vf clipped(const ox_recur_step *s, vf x) {
    return s->clip < INFINITY ? v_min(vf_set(s->clip), v_max(vf_set(-s->clip), x)) : x;
}

OX_IN void lstm_cell(const ox_recur_step *s, int64_t i, int64_t j, const float *acc) {
    const float *peep = s->peep ? s->peep + j : NULL;
    float *at = s->c[i] + j;
    vf c = vf_load(at), in = vf_load(acc), out = vf_load(acc + VL), forget = vf_load(acc + 2 * VL), cell = vf_load(acc + 3 * VL);
    if (peep) {
        in += vf_load(peep) * c;
        forget += vf_load(peep + 2 * s->padded) * c;
    }
    in = v_sigmoid(clipped(s, in));
    forget = s->input_forget ? 1.0f - in : v_sigmoid(clipped(s, forget));
    c = forget * c + in * v_tanh(clipped(s, cell));
    vf_store(at, c);
    if (peep) out += vf_load(peep + s->padded) * c;
    v_store_any(s->to[i] + j, v_sigmoid(clipped(s, out)) * v_tanh(c), s->hidden - j);
}

OX_IN void mix(const ox_recur_step *s, int64_t i, int64_t j, vf update, vf candidate) {
    const int64_t n = s->hidden - j;
    const vf h = v_load_any(s->h[i] + j, n);
    v_store_any(s->to[i] + j, (1.0f - update) * candidate + update * h, n);
}

OX_IN void gru_after_cell(const ox_recur_step *s, int64_t i, int64_t j, const float *acc) {
    const vf z = v_sigmoid(clipped(s, vf_load(acc))), r = v_sigmoid(clipped(s, vf_load(acc + VL)));
    mix(s, i, j, z, v_tanh(clipped(s, vf_load(s->x[i] + 2 * s->hidden + j) + r * vf_load(acc + 2 * VL))));
}

OX_IN void gru_gates_cell(const ox_recur_step *s, int64_t i, int64_t j, const float *acc) {
    vf_store(s->c[i] + j, v_sigmoid(clipped(s, vf_load(acc))));
    vf_store(s->c[i] + s->padded + j, v_sigmoid(clipped(s, vf_load(acc + VL))) * v_load_any(s->h[i] + j, s->hidden - j));
}

OX_IN void gru_before_cell(const ox_recur_step *s, int64_t i, int64_t j, const float *acc) {
    mix(s, i, j, vf_load(s->c[i] + j), v_tanh(clipped(s, vf_load(s->x[i] + 2 * s->hidden + j) + vf_load(acc))));
}

OX_IN void rnn_cell(const ox_recur_step *s, int64_t i, int64_t j, const float *acc) {
    v_store_any(s->to[i] + j, v_tanh(clipped(s, vf_load(acc))), s->hidden - j);
}

/* ---- a step */

typedef enum kind { LSTM, GRU_AFTER, GRU_GATES, GRU_BEFORE, RNN, SUMS, PRODUCT } kind;

/* What a sum begins with. */
OX_IN vf first(const kind what, const int gates, int g, const ox_recur_step *s, int64_t i, int64_t j) {
    if (what == GRU_BEFORE || what == PRODUCT) return (vf){0};
    if (gates == 3 && g == 2) return s->after ? vf_load(s->after + j) : (vf){0};
    return vf_load(s->x[i] + g * s->hidden + j);
}

OX_IN void finish(const kind what, const int gates, const ox_recur_step *s, int64_t i, int64_t j, const float *acc) {
    switch (what) {
    case LSTM: lstm_cell(s, i, j, acc); break;
    case GRU_AFTER: gru_after_cell(s, i, j, acc); break;
    case GRU_GATES: gru_gates_cell(s, i, j, acc); break;
    case GRU_BEFORE: gru_before_cell(s, i, j, acc); break;
    case RNN: rnn_cell(s, i, j, acc); break;
    default:
        for (int g = 0; g < gates; g++) vf_store(s->c[i] + g * s->padded + j, vf_load(acc + g * VL));
    }
}

/* Rows [i, i + rows) of PANELS blocks from block B on. */
OX_IN void part(const kind what, const int gates, const ox_recur_step *s, int64_t i, int64_t rows, int64_t b, int64_t panels, micro_fn *fn) {
    float acc[MOST_ROWS * 4 * VL] __attribute__((aligned(64)));
    const float *from[MOST_ROWS]; /* gru_before: the product is with r * h */
    const int64_t ps = s->hidden * gates * VL;
    float *at = acc;
    for (int64_t r = i; r < i + rows; r++) {
        from[r - i] = what == GRU_BEFORE ? s->c[r] + s->padded : s->h[r];
        for (int64_t p = b; p < b + panels; p++)
            for (int g = 0; g < gates; g++, at += VL) vf_store(at, first(what, gates, g, s, r, p * VL));
    }
    fn(s->hidden, s->weights + b * ps, ps, from, acc);
    at = acc;
    for (int64_t r = i; r < i + rows; r++)
        for (int64_t p = b; p < b + panels; p++, at += gates * VL) finish(what, gates, s, r, p * VL, at);
}

OX_IN void step(const kind what, const int gates, const ox_recur_step *s, int64_t from, int64_t to) {
    const int64_t groups = (s->rows + most_rows[gates - 1] - 1) / most_rows[gates - 1];
    if (groups <= 0) return;
    const int64_t height = s->rows / groups, more = s->rows % groups; /* the first MORE groups are one higher */
    for (int64_t b = from, panels; b < to; b += panels) {
        const bool wide = height + (more > 0) <= WIDE_ROWS && b + wide_panels[gates - 1] <= to;
        panels = wide ? wide_panels[gates - 1] : 1;
        for (int64_t u = 0, i = 0, rows; u < groups; u++, i += rows) {
            rows = height + (u < more);
            part(what, gates, s, i, rows, b, panels, wide ? wides[gates - 1][rows - 1] : micros[gates - 1][rows - 1]);
        }
    }
}

#define STEP(name, what, gates) \
    static void name(const ox_recur_step *s, int64_t from, int64_t to) { step(what, gates, s, from, to); }
STEP(lstm, LSTM, 4)
STEP(gru_after, GRU_AFTER, 3)
STEP(gru_gates, GRU_GATES, 2)
STEP(gru_before, GRU_BEFORE, 1)
STEP(rnn, RNN, 1)
STEP(sums_1, SUMS, 1)
STEP(sums_2, SUMS, 2)
STEP(sums_3, SUMS, 3)
STEP(sums_4, SUMS, 4)
STEP(product, PRODUCT, 1)

extern const ox_recur OX_ISA(ox_recur);
const ox_recur OX_ISA(ox_recur) = {VL, lstm, gru_after, gru_gates, gru_before, rnn, {sums_1, sums_2, sums_3, sums_4}, product};
