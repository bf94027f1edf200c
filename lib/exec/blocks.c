/* Which images lie in blocks of channels (cpu/conv.h), and the steps that bring them there and back.
 *
 * Convolutions make blocks. What comes behind them keeps blocks as long as it can: element-wise programs, pools, constant pads, Resize, a Concat
 * along whole blocks. Everything else reads the plain form, which is made once, where it is first needed. */
#include "exec/lower.h"
#include "cpu/conv.h"

#include <string.h>

typedef struct images {
    ox_lower *l;
    ox_plan *p;
    ox_step *steps;      /* the new list */
    ox_chain **chain;    /* per step of it */
    size_t n;
    uint32_t *blocked;   /* per cell: the cell with the same value in blocks, OX_NO_CELL */
    bool *plain;         /* per cell: its plain form is there */
    ox_image_move *form; /* per cell that is in blocks: how its plain form looks */
} images;

static bool is_image(const ox_type *t, int64_t *channels) {
    return t && t->kind == OX_K_TENSOR && (t->dtype == OX_FLOAT || t->dtype == OX_FLOAT16 || t->dtype == OX_BFLOAT16) && (t->rank == 3 || t->rank == 4) && t->dims[1] && ox_dim_is_const(t->dims[1], channels) &&
           *channels > 0;
}

static uint32_t new_cell(images *m, uint32_t like) {
    ox_plan *p = m->p;
    uint32_t c = (uint32_t)p->n_cells++;
    p->values[c] = p->values[like];
    return c;
}

/* A step that moves a value between its two forms, on behalf of a node. */
static void add_move(images *m, const ox_step *by, uint32_t from, uint32_t to, const ox_image_move *form, const ox_native *native) {
    ox_arena *a = m->l->f->arena;
    ox_step s = {.node = by->node, .call = by->call, .n_in = 1, .native = native, .moves = true};
    s.call.n_out = 1;
    s.in = OX_NEW_N(a, ox_cell *, 2);
    s.out = OX_NEW_N(a, ox_cell *, 2);
    s.in_cell = OX_NEW_N(a, uint32_t, 2);
    s.out_cell = OX_NEW_N(a, uint32_t, 2);
    s.in_value = OX_NEW_N(a, const ox_value *, 2);
    s.around = OX_NEW_N(a, bool, 2);
    s.state = ox_dup(a, form, sizeof *form);
    s.in[0] = &m->p->cells[from];
    s.out[0] = &m->p->cells[to];
    s.in_cell[0] = from;
    s.out_cell[0] = to;
    s.in_value[0] = m->p->values[from];
    m->steps[m->n++] = s;
}

static bool in_blocks(const images *m, uint32_t cell) { return cell != OX_NO_CELL && m->blocked[cell] != OX_NO_CELL; }

/* Input i of a step in blocks: as it is, or brought there. */
static void read_blocks_of(images *m, ox_step *s, int i, ox_image_move form) {
    uint32_t cell = s->in_cell[i];
    if (!in_blocks(m, cell)) {
        m->blocked[cell] = new_cell(m, cell);
        m->form[cell] = form;
        add_move(m, s, cell, m->blocked[cell], &form, &ox_native_block);
    }
    s->in_cell[i] = m->blocked[cell];
    s->in[i] = &m->p->cells[m->blocked[cell]];
}

static void read_blocks(images *m, ox_step *s, int i) {
    int64_t channels = 0;
    const ox_type *t = ox_lower_type(s, i);
    is_image(t, &channels);
    read_blocks_of(m, s, i, (ox_image_move){t->rank, t->dtype, channels});
}

static void make_plain(images *m, const ox_step *by, uint32_t cell) {
    if (cell == OX_NO_CELL || m->plain[cell]) return;
    add_move(m, by, m->blocked[cell], cell, &m->form[cell], &ox_native_unblock);
    m->plain[cell] = true;
}

static void write_blocks(images *m, ox_step *s, ox_image_move form) {
    uint32_t cell = s->out_cell[0], c = new_cell(m, cell);
    m->blocked[cell] = c;
    m->form[cell] = form;
    m->plain[cell] = false;
    s->out_cell[0] = c;
    s->out[0] = &m->p->cells[c];
}

/* ---- convolutions that leave planes: where nobody reads their blocks but the step that would make the plain form */

static bool may_leave_plain(const ox_step *s) {
    bool alone = s->native == &ox_native_conv && s->call.n_out == 1;
    for (int i = 1; i < s->n_in && alone; i++) alone = s->in_cell[i] == OX_NO_CELL;
    return alone;
}

/* Whether a value in blocks comes from such a convolution, by its plain cell, which is read once. */
static bool leaves_plain(const images *m, uint32_t cell) {
    if (m->l->uses[cell] != 1 || m->form[cell].dtype != OX_FLOAT) return false;
    for (size_t k = m->n; k-- > 0;)
        if (m->steps[k].call.n_out && m->steps[k].out_cell[0] == m->blocked[cell]) return may_leave_plain(&m->steps[k]);
    return false;
}

/* Joins such a step to the convolution. */
static void leave_plain(images *m, size_t cells) {
    uint32_t *reads = OX_NEW_N(m->l->scratch, uint32_t, cells + 1), *maker = OX_NEW_N(m->l->scratch, uint32_t, cells + 1);
    size_t n = 0;
    for (size_t k = 0; k < m->n; k++) {
        const ox_step *s = &m->steps[k];
        for (int i = 0; i < s->n_in; i++)
            if (s->in_cell[i] != OX_NO_CELL) reads[s->in_cell[i]]++;
    }
    for (size_t k = 0; k < m->n; k++) {
        ox_step *s = &m->steps[k], *conv = NULL;
        if (s->native == &ox_native_unblock && maker[s->in_cell[0]] && reads[s->in_cell[0]] == 1 && ((ox_image_move *)s->state)->dtype == OX_FLOAT)
            conv = &m->steps[maker[s->in_cell[0]] - 1];
        if (conv) {
            conv->out[0] = s->out[0];
            conv->out_cell[0] = s->out_cell[0];
            ((ox_image_conv *)conv->state)->planar_out = true;
            continue;
        }
        m->chain[n] = m->chain[k];
        m->steps[n++] = *s;
        if (may_leave_plain(s)) maker[s->out_cell[0]] = (uint32_t)n;
    }
    m->n = n;
}

/* ---- kinds of steps that know blocks */

static bool place_conv(images *m, ox_step *s) {
    ox_image_conv *c = s->state;
    if (s->native != &ox_native_conv) return false;
    ox_dtype dtype = ox_lower_type(s, 0)->dtype;
    if (c->planar && (!in_blocks(m, s->in_cell[0]) || leaves_plain(m, s->in_cell[0]))) {
        make_plain(m, s, s->in_cell[0]);
    } else {
        c->planar = false;
        read_blocks_of(m, s, 0, (ox_image_move){c->rank, dtype, c->in_channels});
    }
    for (int i = 1; i < s->n_in; i++)
        if (s->in_cell[i] != OX_NO_CELL) read_blocks(m, s, i); /* what is added behind it */
    write_blocks(m, s, (ox_image_move){c->rank, dtype, c->out_channels});
    return true;
}

/* A program whose operands of the full size are images: in blocks when one of them is. Constants with an element per channel become blocks
 * when they are read (chain.c). */
static bool place_chain(images *m, ox_step *s, ox_chain *c) {
    int64_t channels, n;
    const ox_type *t = s->call.n_out == 1 && s->out_cell[0] != OX_NO_CELL ? ox_lower_cell_type(m->p, s->out_cell[0]) : NULL;
    bool wanted = false;
    if (!c || !is_image(t, &channels)) return false;
    if (channels % ox_conv_block() && !ox_program_tame(&c->program)) return false;
    for (int i = 0; i < s->n_in; i++) {
        int rank;
        int64_t dims[8];
        if (s->in_cell[i] == OX_NO_CELL) {
            if (!ox_lower_fixed(s, i, &rank, dims) || rank > t->rank) return false;
            int64_t count = 1, at = 1 - (t->rank - rank);
            for (int d = 0; d < rank; d++) count *= dims[d];
            if (count != 1 && (count != channels || at < 0 || dims[at] != channels)) return false;
            continue;
        }
        const ox_type *x = ox_lower_type(s, i);
        if (!is_image(x, &n) || n != channels || x->rank != t->rank) return false;
        wanted |= in_blocks(m, s->in_cell[i]) && ox_lower_same_dims(x, t);
    }
    if (!wanted) return false;
    for (int i = 0; i < s->n_in; i++)
        if (s->in_cell[i] != OX_NO_CELL) read_blocks(m, s, i);
    c->blocked = channels;
    c->dtype = OX_FLOAT;
    write_blocks(m, s, (ox_image_move){t->rank, t->dtype, channels});
    return true;
}

static bool place_pool(images *m, ox_step *s) {
    bool global_max = ox_lower_is(s, "GlobalMaxPool"), global = global_max || ox_lower_is(s, "GlobalAveragePool");
    bool max = ox_lower_is(s, "MaxPool"), average = ox_lower_is(s, "AveragePool");
    int64_t channels;
    if ((!global && !max && !average) || s->call.n_out != 1 || s->out_cell[0] == OX_NO_CELL || !in_blocks(m, s->in_cell[0])) return false;
    const ox_type *t = ox_lower_type(s, 0);
    if (!is_image(t, &channels) || !is_image(ox_lower_cell_type(m->p, s->out_cell[0]), &channels)) return false;
    ox_image_pool state = {.rank = t->rank, .max = max || global_max, .global = global, .channels = channels};
    s->native = &ox_native_pool;
    s->state = ox_dup(m->l->f->arena, &state, sizeof state);
    read_blocks(m, s, 0);
    write_blocks(m, s, (ox_image_move){t->rank, t->dtype, channels});
    return true;
}

/* Constant pads around the pixels and behind the channels. */
static bool place_pad(images *m, ox_step *s) {
    int64_t in, out;
    if (!ox_lower_is(s, "Pad") || s->call.n_out != 1 || s->out_cell[0] == OX_NO_CELL || !in_blocks(m, s->in_cell[0])) return false;
    const ox_type *t = ox_lower_type(s, 0);
    const char *mode = ox_get_string(&s->call, "mode");
    if (!is_image(t, &in) || !is_image(ox_lower_cell_type(m->p, s->out_cell[0]), &out) || (mode && strcmp(mode, "constant"))) return false;
    bool given = s->n_in > 1 && s->in[1] && s->in_cell[1] == OX_NO_CELL && !s->around[1] && *s->in[1] && (*s->in[1])->kind == OX_RT_TENSOR;
    const ox_tensor *pads = given ? (*s->in[1])->t : NULL;
    const int64_t *p = pads && pads->dtype == OX_INT64 && pads->count == 2 * t->rank ? ox_tensor_data(pads) : NULL;
    if (!p || (s->n_in > 3 && s->in[3])) return false;
    for (int i = 0; i < 2 * t->rank; i++)
        if (p[i] < 0 || p[i] > 1 << 20) return false;
    const int64_t *end = p + t->rank;
    if (p[0] || end[0] || p[1] || out != in + end[1]) return false;
    ox_image_frame state = {.rank = t->rank, .in_channels = in, .out_channels = out, .left = p[t->rank - 1], .right = end[t->rank - 1]};
    if (t->rank == 4) state.top = p[2], state.bottom = end[2];
    s->native = &ox_native_pad;
    s->state = ox_dup(m->l->f->arena, &state, sizeof state);
    read_blocks(m, s, 0);
    write_blocks(m, s, (ox_image_move){t->rank, t->dtype, out});
    return true;
}

/* Scales that leave batch and channels alone, or sizes that do so as their types tell. */
static bool keeps_channels(const ox_step *s, const ox_type *t, const ox_type *out) {
    const ox_rt *v = s->n_in > 2 && s->in[2] && s->in_cell[2] == OX_NO_CELL && !s->around[2] ? *s->in[2] : NULL;
    const float *scale = v && v->kind == OX_RT_TENSOR && v->t->dtype == OX_FLOAT && v->t->count == t->rank ? ox_tensor_data(v->t) : NULL;
    const char *policy = ox_get_string(&s->call, "keep_aspect_ratio_policy");
    if (ox_has(&s->call, "axes")) return false;
    if (s->n_in > 3 && s->in[3]) return (!policy || !strcmp(policy, "stretch")) && t->dims[0] == out->dims[0];
    return scale && scale[0] == 1 && scale[1] == 1;
}

static bool place_resize(images *m, ox_step *s) {
    int64_t channels, n;
    if (!ox_lower_is(s, "Resize") || s->call.n_out != 1 || s->out_cell[0] == OX_NO_CELL || !in_blocks(m, s->in_cell[0])) return false;
    const ox_type *t = ox_lower_type(s, 0), *out = ox_lower_cell_type(m->p, s->out_cell[0]);
    const char *places = ox_get_string(&s->call, "coordinate_transformation_mode");
    if (!is_image(t, &channels) || !is_image(out, &n) || n != channels || out->rank != t->rank || !keeps_channels(s, t, out)) return false;
    if (ox_get_int(&s->call, "antialias") || (places && !strcmp(places, "tf_crop_and_resize"))) return false;
    ox_image_resize state = {t->rank, channels};
    s->native = &ox_native_resize;
    s->state = ox_dup(m->l->f->arena, &state, sizeof state);
    read_blocks(m, s, 0);
    write_blocks(m, s, (ox_image_move){t->rank, t->dtype, channels});
    return true;
}

/* Along whole blocks: the operator's own kernel does it, axis 1 of both forms. */
static bool place_concat(images *m, ox_step *s) {
    int64_t channels = 0, n = 0;
    if (!ox_lower_is(s, "Concat") || ox_get_int(&s->call, "axis") != 1 || s->out_cell[0] == OX_NO_CELL || s->n_in < 1) return false;
    for (int i = 0; i < s->n_in; i++) {
        if (!in_blocks(m, s->in_cell[i]) || !is_image(ox_lower_type(s, i), &n) || (i + 1 < s->n_in && n % ox_conv_block())) return false;
        channels += n;
    }
    const ox_type *t = ox_lower_type(s, 0);
    for (int i = 0; i < s->n_in; i++) read_blocks(m, s, i);
    write_blocks(m, s, (ox_image_move){t->rank, t->dtype, channels});
    return true;
}

/* What hands its input on. */
static bool place_same(images *m, ox_step *s) {
    bool drop = ox_lower_is(s, "Dropout") && (s->n_in < 3 || !s->in[2]);
    int64_t channels;
    if ((!drop && !ox_lower_is(s, "Identity")) || s->call.n_out != 1 || s->out_cell[0] == OX_NO_CELL || !in_blocks(m, s->in_cell[0])) return false;
    const ox_type *t = ox_lower_type(s, 0);
    if (!is_image(t, &channels)) return false;
    read_blocks(m, s, 0);
    write_blocks(m, s, (ox_image_move){t->rank, t->dtype, channels});
    return true;
}

/* ---- the walk */

static void place_step(images *m, ox_step s, ox_chain *c) {
    bool placed = place_conv(m, &s) || place_chain(m, &s, c) ||
                  (!s.native && (place_pool(m, &s) || place_pad(m, &s) || place_resize(m, &s) || place_concat(m, &s) || place_same(m, &s)));
    if (!placed) {
        for (int i = 0; i < s.n_in; i++) make_plain(m, &s, s.in_cell[i]);
        for (size_t i = 0; i < s.n_captured; i++) make_plain(m, &s, s.captured[i]);
    }
    m->chain[m->n] = c;
    m->steps[m->n++] = s;
}

/* Room for a step that moves before each input, and for each output at the end. */
static size_t most_steps(const ox_plan *p) {
    size_t n = p->n_steps + p->n_cells + 1;
    for (size_t k = 0; k < p->n_steps; k++) n += (size_t)p->steps[k].n_in + p->steps[k].n_captured;
    return n;
}

/* Without images: the steps that are left move up. */
static void drop_gone(ox_lower *l) {
    size_t n = 0;
    for (uint32_t k = 0; k < l->p->n_steps; k++) {
        if (l->gone[k]) continue;
        l->chain[n] = l->chain[k];
        l->p->steps[n++] = l->p->steps[k];
    }
    memset(l->gone, 0, l->p->n_steps * sizeof *l->gone);
    l->p->n_steps = n;
}

void ox_lower_images(ox_lower *l) {
    ox_plan *p = l->p;
    ox_arena *a = l->f->arena;
    images m = {.l = l, .p = p};
    bool any = false;
    for (uint32_t k = 0; k < p->n_steps; k++) any |= !l->gone[k] && p->steps[k].native == &ox_native_conv;
    if (!any) {
        drop_gone(l);
        return;
    }
    size_t most = most_steps(p), cells = p->n_cells, twice = 2 * cells + 1;
    m.steps = OX_NEW_N(a, ox_step, most);
    m.chain = OX_NEW_N(l->scratch, ox_chain *, most);
    m.blocked = OX_NEW_N(l->scratch, uint32_t, twice);
    m.plain = OX_NEW_N(l->scratch, bool, twice);
    m.form = OX_NEW_N(l->scratch, ox_image_move, twice);
    memset(m.blocked, 0xff, twice * sizeof *m.blocked);
    memset(m.plain, 1, twice);
    for (uint32_t k = 0; k < p->n_steps; k++)
        if (!l->gone[k]) place_step(&m, p->steps[k], l->chain[k]);
    for (uint32_t c = 0; c < cells && m.n; c++) /* what the graph returns is plain */
        if (p->returned[c]) make_plain(&m, &m.steps[m.n - 1], c);
    leave_plain(&m, p->n_cells);
    memset(l->gone, 0, p->n_steps * sizeof *l->gone);
    l->chain = m.chain;
    p->steps = m.steps;
    p->n_steps = m.n;
}
