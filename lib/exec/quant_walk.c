/* Forms of values while what is quantized is lowered: floats, 8-bit numbers, 8-bit images by pixels. A form is made where it is first read. */
#include "exec/quant_lower.h"

#include <string.h>

uint32_t ox_quant_cell_of(const ox_quant_walk *w, uint32_t cell) {
    if (cell == OX_NO_CELL) return cell;
    if (w->cells[cell].bytes != OX_NO_CELL) return w->cells[cell].bytes;
    return w->cells[cell].same;
}

uint32_t ox_quant_new_cell(ox_quant_walk *w, uint32_t like, ox_dtype type) {
    ox_plan *p = w->p;
    ox_arena *a = w->f->arena;
    uint32_t c = (uint32_t)p->n_cells++;
    ox_value *v = p->values[like] ? ox_dup(a, p->values[like], sizeof *v) : OX_NEW(a, ox_value);
    const ox_type *t = v->type;
    v->type = type == OX_UNDEFINED || !t || t->kind != OX_K_TENSOR || t->rank < 0 ? NULL : ox_type_tensor(a, type, t->rank, t->dims);
    p->values[c] = v;
    w->cells[c] = (ox_quant_cell){.same = c, .bytes = OX_NO_CELL, .pixels = OX_NO_CELL};
    return c;
}

ox_step ox_quant_step(ox_quant_walk *w, const ox_step *by, int n, const ox_native *native, const void *state, size_t size) {
    ox_arena *a = w->f->arena;
    ox_step s = {.node = by->node, .call = by->call, .n_in = n, .native = native, .with = by->with, .n_with = by->n_with};
    s.call.n_out = 1;
    s.in = OX_NEW_N(a, ox_cell *, n + 1);
    s.out = OX_NEW_N(a, ox_cell *, 2);
    s.in_cell = OX_NEW_N(a, uint32_t, n + 1);
    s.out_cell = OX_NEW_N(a, uint32_t, 2);
    s.in_value = OX_NEW_N(a, const ox_value *, n + 1);
    s.around = OX_NEW_N(a, bool, n + 1);
    s.state = state ? ox_dup(a, state, size) : NULL;
    return s;
}

void ox_quant_set_in(ox_quant_walk *w, ox_step *s, int i, uint32_t cell) {
    s->in[i] = &w->p->cells[cell];
    s->in_cell[i] = cell;
    s->in_value[i] = w->p->values[cell];
    s->around[i] = false;
}

void ox_quant_set_fixed(ox_step *s, int i, const ox_step *from, int k) {
    s->in[i] = from->in[k];
    s->in_cell[i] = OX_NO_CELL;
    s->in_value[i] = from->in_value[k];
    s->around[i] = false;
}

void ox_quant_set_out(ox_quant_walk *w, ox_step *s, uint32_t cell) {
    s->out[0] = &w->p->cells[cell];
    s->out_cell[0] = cell;
}

void ox_quant_emit(ox_quant_walk *w, const ox_step *s) { w->steps[w->n++] = *s; }

/* A step between two forms. */
static void add_move(ox_quant_walk *w, const ox_step *by, uint32_t from, uint32_t to, const ox_native *native, const void *state, size_t size) {
    ox_step s = ox_quant_step(w, by, 1, native, state, size);
    s.with = NULL;
    s.n_with = 0;
    s.moves = true;
    ox_quant_set_in(w, &s, 0, from);
    ox_quant_set_out(w, &s, to);
    ox_quant_emit(w, &s);
    w->cells[to].there = true;
}

bool ox_quant_in_pixels(const ox_quant_walk *w, uint32_t cell) {
    uint32_t c = w->cells[cell].pixels;
    return c != OX_NO_CELL && w->cells[c].there;
}

void ox_quant_planar(ox_quant_walk *w, ox_step *s, int i, uint32_t cell) {
    if (!w->cells[cell].there) add_move(w, s, w->cells[cell].pixels, cell, &ox_native_from_pixels, NULL, 0);
    ox_quant_set_in(w, s, i, cell);
}

void ox_quant_pixels(ox_quant_walk *w, ox_step *s, int i, uint32_t cell) {
    if (!ox_quant_in_pixels(w, cell)) {
        if (w->cells[cell].pixels == OX_NO_CELL) w->cells[cell].pixels = ox_quant_new_cell(w, cell, OX_UNDEFINED);
        add_move(w, s, cell, w->cells[cell].pixels, &ox_native_to_pixels, NULL, 0);
    }
    ox_quant_set_in(w, s, i, w->cells[cell].pixels);
}

void ox_quant_any(ox_quant_walk *w, ox_step *s, int i, uint32_t cell, bool pixels) {
    if (pixels) ox_quant_pixels(w, s, i, cell);
    else ox_quant_planar(w, s, i, cell);
}

void ox_quant_made(ox_quant_walk *w, ox_step *s, uint32_t cell, bool pixels) {
    uint32_t to = cell;
    if (pixels) to = w->cells[cell].pixels = ox_quant_new_cell(w, cell, OX_UNDEFINED);
    w->cells[cell].there = false;
    w->cells[to].there = true;
    ox_quant_set_out(w, s, to);
}

/* The cell itself is filled: with floats, or with 8-bit numbers as the model has them. */
static void fill_cell(ox_quant_walk *w, const ox_step *by, uint32_t cell) {
    ox_quant_cell *c = &w->cells[cell];
    if (c->there) return;
    if (c->bytes != OX_NO_CELL) {
        uint32_t from = c->bytes;
        if (!w->cells[from].there) add_move(w, by, w->cells[from].pixels, from, &ox_native_from_pixels, NULL, 0);
        add_move(w, by, from, cell, &ox_native_dequantize, &c->quant, sizeof c->quant);
    } else if (c->pixels != OX_NO_CELL) {
        add_move(w, by, c->pixels, cell, &ox_native_from_pixels, NULL, 0);
    }
}

void ox_quant_plain(ox_quant_walk *w, ox_step *s) {
    for (int i = 0; i < s->n_in; i++) {
        if (s->in_cell[i] == OX_NO_CELL) continue;
        uint32_t cell = w->cells[s->in_cell[i]].same;
        fill_cell(w, s, cell);
        ox_quant_set_in(w, s, i, cell);
    }
    for (size_t i = 0; i < s->n_captured; i++) fill_cell(w, s, s->captured[i]);
}

void ox_quant_finish(ox_quant_walk *w) {
    for (uint32_t c = 0; w->n && c < w->p->n_cells; c++)
        if (w->p->returned[c]) {
            ox_step by = w->steps[w->n - 1];
            fill_cell(w, &by, c);
        }
}
