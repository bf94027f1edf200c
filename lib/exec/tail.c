/* Programs on pieces of results: see native.h. An addition at the beginning and a clamp after it are left to the kernels, which do them in
 * registers. */
#include "exec/native.h"
#include "op/kernel.h"

#include <math.h>
#include <string.h>

static void rest_of_piece(const ox_tail *tail, float *y, int64_t n, int64_t offset, int64_t channel) {
    const ox_tail_run *t = tail->user;
    for (int64_t at = 0; at < n;) {
        int64_t part = n - at < OX_PROGRAM_CHUNK ? n - at : OX_PROGRAM_CHUNK;
        ox_chunk_operand now[OX_PROGRAM_OPERANDS];
        now[0] = (ox_chunk_operand){y + at, false};
        for (int k = 1; k < t->rest.n_operands; k++) {
            now[k] = t->operands[k];
            if (now[k].one) continue;
            if (!t->per_channel[k])
                now[k].data += offset + at;
            else if (t->period == 1)
                now[k].data += channel + at;
            else
                now[k].data += channel / t->period * OX_COLUMN_REPEAT;
        }
        ox_program_run(&t->rest, now, part, y + at);
        at += part;
    }
}

/* Takes away the first instruction; what it gave is operand 0 from now on. */
static void drop_first(ox_program *p) {
    p->n--;
    memmove(p->code, p->code + 1, (size_t)p->n * sizeof *p->code);
    for (int i = 0; i < p->n; i++) {
        int16_t *args[2] = {&p->code[i].a, &p->code[i].b};
        for (int j = 0; j < 2; j++) {
            if (*args[j] == 0)
                *args[j] = OX_OPERAND(0);
            else if (*args[j] > 0)
                --*args[j];
        }
    }
}

/* Whether operand 0 is read by the first instruction only. */
static bool first_only(const ox_program *p) {
    for (int i = 1; i < p->n; i++)
        if (p->code[i].a == OX_OPERAND(0) || (p->code[i].two && p->code[i].b == OX_OPERAND(0))) return false;
    return p->n > 0;
}

/* Leaves an addition and a clamp to the kernel. */
static void peel(ox_tail_run *t) {
    ox_program *p = &t->rest;
    if (first_only(p) && p->code[0].two && p->code[0].fn == OX_FN2_ADD) {
        int16_t a = p->code[0].a, b = p->code[0].b, other = a == OX_OPERAND(0) ? b : a;
        int k = -1 - other;
        if (k > 0 && !t->operands[k].one && !t->per_channel[k]) {
            t->tail.add = t->operands[k].data;
            drop_first(p);
        }
    }
    if (first_only(p) && !p->code[0].two && (p->code[0].fn == OX_FN_RELU || p->code[0].fn == OX_FN_CLIP)) {
        bool clip = p->code[0].fn == OX_FN_CLIP;
        t->tail.lo = clip ? p->code[0].p[0] : 0;
        t->tail.hi = clip ? p->code[0].p[1] : INFINITY;
        t->tail.clamp = true;
        drop_first(p);
    }
}

int ox_tail_begin(ox_tail_run *t, ox_run *r, const ox_tail_plan *plan, float *const *columns, int64_t period, const ox_tensor *y) {
    memset(&t->tail, 0, sizeof t->tail);
    t->period = period;
    t->rest = plan->program;
    for (int k = 1; k < plan->program.n_operands; k++) {
        t->per_channel[k] = plan->per_channel[k];
        if (plan->per_channel[k]) {
            t->operands[k] = (ox_chunk_operand){columns[k], false};
            continue;
        }
        const ox_tensor *x = ox_native_tensor(r, plan->input[k]);
        bool one = x && x->count == 1;
        if (!x || (x->dtype != OX_FLOAT && !one) || (!one && x->count != y->count))
            return ox_fail(r->ctx, OX_BUG, "an operand of what was joined does not fit");
        const float *data = ox_native_input(r, x);
        if (!data) return -1;
        t->operands[k] = (ox_chunk_operand){data, one};
    }
    peel(t);
    t->tail.user = t;
    t->tail.rest = t->rest.n ? rest_of_piece : NULL;
    return t->rest.n && !ox_program_finish(&t->rest) ? ox_fail(r->ctx, OX_BUG, "a program without registers") : 0;
}

const float *ox_native_input(ox_run *r, const ox_tensor *t) {
    const void *data = t ? ox_tensor_data(t) : NULL;
    if (!data || t->dtype == OX_FLOAT) return data;
    float *f = ox_scratch(r, (uint64_t)(t->count ? t->count : 1) * sizeof *f);
    if (f) ox_to_floats(t->dtype, data, 0, t->count, f);
    return f;
}

const float *ox_native_floats(ox_run *r, int input) {
    return ox_native_input(r, ox_native_tensor(r, input));
}

float *ox_tail_columns(ox_run *r, const ox_tensor *t, int64_t channels, int64_t period) {
    const float *x = ox_native_input(r, t);
    if (!x) return NULL;
    int64_t blocks = (channels + period - 1) / period;
    int64_t per = period == 1 ? 1 : OX_COLUMN_REPEAT;
    float *out = ox_payload_alloc(r->ctx, (size_t)(blocks * per) * sizeof *out);
    for (int64_t b = 0; out && b < blocks; b++)
        for (int64_t i = 0; i < per; i++) {
            int64_t c = b * period + i % period;
            out[b * per + i] = c >= channels ? 0 : t->count == 1 ? x[0] : x[c];
        }
    return out;
}
