/* Joining and running programs: see program.h. */
#include "exec/program.h"

#include <string.h>

bool ox_program_join(ox_program *b, int k, const ox_program *a, const int *map) {
    if (a->n + b->n > OX_PROGRAM_CODE) return false;
    ox_program all = {.n = a->n + b->n, .n_operands = b->n_operands};
    for (int i = 0; i < a->n; i++) {
        ox_instruction c = a->code[i];
        if (c.a < 0) c.a = OX_OPERAND(map[-1 - c.a]);
        if (c.two && c.b < 0) c.b = OX_OPERAND(map[-1 - c.b]);
        all.code[i] = c;
    }
    for (int i = 0; i < b->n; i++) {
        ox_instruction c = b->code[i];
        int16_t *args[2] = {&c.a, &c.b};
        for (int j = 0; j < (c.two ? 2 : 1); j++)
            *args[j] = *args[j] >= 0 ? (int16_t)(*args[j] + a->n) : *args[j] == OX_OPERAND(k) ? (int16_t)(a->n - 1) : *args[j];
        all.code[a->n + i] = c;
    }
    *b = all;
    return true;
}

bool ox_program_finish(ox_program *p) {
    int last[OX_PROGRAM_CODE] = {0};
    bool used[OX_PROGRAM_REGISTERS] = {false};
    p->spread = 0;
    for (int i = 0; i < p->n; i++) {
        const ox_instruction *c = &p->code[i];
        if (c->a >= 0) last[c->a] = i;
        if (c->two && c->b >= 0) last[c->b] = i;
        if (c->a < 0 && (!c->two || c->b < 0)) p->spread |= 1u << (-1 - c->a); /* vectors need an array on one side */
    }
    for (int i = 0; i < p->n; i++) {
        ox_instruction *c = &p->code[i];
        for (int j = 0; j < (c->two ? 2 : 1); j++) { /* what dies here may be written over */
            int16_t arg = j ? c->b : c->a;
            if (arg >= 0 && last[arg] == i) used[p->code[arg].reg] = false;
        }
        if (i + 1 == p->n) {
            c->reg = OX_PROGRAM_REGISTERS;
            break;
        }
        int r = 0;
        while (r < OX_PROGRAM_REGISTERS && used[r]) r++;
        if (r == OX_PROGRAM_REGISTERS) return false;
        c->reg = (uint8_t)r;
        used[r] = last[i] > i;
    }
    return p->n > 0;
}

void ox_program_run(const ox_program *p, const ox_chunk_operand *operands, int64_t n, float *y) {
    float regs[OX_PROGRAM_REGISTERS][OX_PROGRAM_CHUNK];
    const ox_vec *v = ox_vec_table();
    for (int i = 0; i < p->n; i++) {
        const ox_instruction *c = &p->code[i];
        float *to = c->reg < OX_PROGRAM_REGISTERS ? regs[c->reg] : y;
        const float *a = c->a >= 0 ? regs[p->code[c->a].reg] : operands[-1 - c->a].data;
        if (!c->two) {
            v->fn[c->fn](to, a, n, c->p);
            continue;
        }
        const float *b = c->b >= 0 ? regs[p->code[c->b].reg] : operands[-1 - c->b].data;
        ox_form form = c->a < 0 && operands[-1 - c->a].one ? OX_SV : c->b < 0 && operands[-1 - c->b].one ? OX_VS : OX_VV;
        v->fn2[c->fn][form](to, a, b, n);
    }
}

static int cost_of(const ox_instruction *c) {
    if (c->two) return c->fn == OX_FN2_POW ? 16 : c->fn == OX_FN2_DIV ? 2 : 1;
    return (c->fn >= OX_FN_EXP && c->fn <= OX_FN_ERF) || c->fn >= OX_FN_ELU ? 4 : 1;
}

int64_t ox_program_cost(const ox_program *p) {
    int64_t cost = 0;
    for (int i = 0; i < p->n; i++) cost += cost_of(&p->code[i]);
    return cost;
}

bool ox_program_tame(const ox_program *p) {
    for (int i = 0; i < p->n; i++) {
        const ox_instruction *c = &p->code[i];
        if (c->two ? c->fn == OX_FN2_DIV || c->fn == OX_FN2_POW : c->fn == OX_FN_RECIPROCAL || c->fn == OX_FN_LOG || c->fn == OX_FN_EXP || c->fn == OX_FN_SQRT)
            return false;
    }
    return true;
}
