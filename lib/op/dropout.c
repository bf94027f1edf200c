/* Kernel of Dropout. Without training_mode it passes its input on; else it drops elements by the generator MT19937,
 * seeded as the standard's own test data were. Without a seed it draws from a fixed one: there is no clock in a
 * kernel. */
#include "op/compute.h"

enum { STATE = 624, SHIFT = 397 };

typedef struct generator { uint32_t state[STATE]; int at; } generator;

static void seed(generator *g, uint32_t s) {
    for (uint32_t i = 0; i < STATE; i++) {
        g->state[i] = s;
        s = 1812433253u * (s ^ s >> 30) + i + 1;
    }
    g->at = STATE;
}

static uint32_t next(generator *g) {
    if (g->at == STATE) {
        for (int i = 0; i < STATE; i++) {
            uint32_t y = (g->state[i] & 0x80000000u) | (g->state[(i + 1) % STATE] & 0x7fffffffu);
            g->state[i] = g->state[(i + SHIFT) % STATE] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        g->at = 0;
    }
    uint32_t y = g->state[g->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static double uniform(generator *g) {
    uint32_t a = next(g) >> 5, b = next(g) >> 6;
    return ((double)a * 67108864 + (double)b) / 9007199254740992.0;
}

static int make_mask(ox_run *r, const ox_tensor *x, bool **out) {
    if (!ox_want(r, 1)) return 0;
    bool like_data = ox_get_int(r->call, "__mask_like_data") != 0;
    ox_tensor *t = ox_output(r, 1, like_data ? x->dtype : OX_BOOL, x->rank, x->dims);
    if (!t) return -1;
    for (int64_t i = 0; like_data && i < t->count; i++) ox_store_double(t->dtype, ox_tensor_mut(t), i, 1);
    if (!like_data) memset(ox_tensor_mut(t), 1, (size_t)t->count);
    *out = like_data ? NULL : ox_tensor_mut(t);
    return 0;
}

int ox_run_dropout(ox_run *r) {
    bool *mask = NULL;
    const ox_tensor *x = ox_need(r, 0), *ratio = ox_input(r, 1), *training = ox_input(r, 2);
    if (!x || make_mask(r, x, &mask) < 0) return -1;
    if ((ratio && ratio->count != 1) || (training && training->count != 1))
        return ox_fail(r->ctx, OX_BAD_DATA, "ratio and training_mode must be scalars");
    double p = ratio ? ox_load_double(ratio->dtype, ox_tensor_data(ratio), 0) : 0.5;
    bool on = training && ox_load_int(training->dtype, ox_tensor_data(training), 0) != 0;
    if (!(p >= 0 && p <= 1)) return ox_fail(r->ctx, OX_BAD_DATA, "the ratio must be between 0 and 1");
    if (!on || p == 0) return ox_output_share(r, 0, x, x->rank, x->dims);
    generator g;
    seed(&g, (uint32_t)ox_get_int(r->call, "seed"));
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, x->dims);
    if (!y || !ox_tensor_data(x)) return -1;
    double scale = p < 1 ? 1 / (1 - p) : 0;
    for (int64_t i = 0; i < x->count; i++) {
        bool keep = uniform(&g) >= p;
        if (mask) mask[i] = keep;
        ox_store_double(y->dtype, ox_tensor_mut(y), i,
                        keep ? ox_load_double(x->dtype, ox_tensor_data(x), i) * scale : 0);
    }
    return 0;
}
