/* Where outputs and scratch memory of kernels come from.
 *
 * The first run with new input shapes takes memory from the allocator and notes what each kernel asked for. Later runs find
 * their outputs at hand: tensors whose memory lies in one arena, at the offsets that place.c chose. What a kernel asks for
 * must be what was noted, else it comes from the allocator: a plan can be useless for a run, but never wrong. So shapes that
 * depend on data need no care.
 *
 * Whoever holds a value beyond the run (the caller its outputs, a sequence its elements) holds a tensor in the
 * arena. Before the arena is used again such values get memory of their own (ox_let_go). */
#include "exec/plan.h"
#include "exec/schedule.h"

#include <string.h>

static const ox_tensor *root_of(const ox_tensor *t) { return t->base ? t->base : t; }

static const ox_tensor *tensor_of(const ox_rt *v) { return v && v->kind == OX_RT_TENSOR ? v->t : NULL; }

static const ox_step *step_of(const ox_running *now) { return &now->plan->steps[now->step]; }

/* ---- taking notes */

static void note(ox_running *now, int i, ox_made how, ox_dtype dtype, int rank, const int64_t *dims, uint64_t bytes) {
    ox_made_output *m = &now->place->notes[now->step].out[i];
    *m = (ox_made_output){.how = how, .dtype = dtype, .rank = rank, .bytes = bytes, .source = -1};
    m->dims = ox_dup(now->place->arena, dims, (size_t)rank * sizeof *dims);
}

/* The input whose memory a tensor is; -1. */
static int source_of(const ox_running *now, ox_rt *const *in, const ox_tensor *t) {
    for (int k = 0; k < step_of(now)->n_in; k++) {
        const ox_tensor *x = tensor_of(in[k]);
        if (x && root_of(x) == root_of(t)) return k;
    }
    return -1;
}

/* Whether nobody but this step reads input k any more: its memory may be written over. */
static bool dies_here(const ox_running *now, ox_rt *const *in, int k, uint64_t bytes) {
    const ox_step *s = step_of(now);
    uint32_t cell = k < s->n_in ? s->in_cell[k] : OX_NO_CELL;
    const ox_tensor *t = cell == OX_NO_CELL ? NULL : tensor_of(in[k]);
    if (!t || t->base || !t->own || t->bytes != bytes || in[k]->refs != 1 || t->refs != 1) return false;
    for (int i = 0; i < s->n_in; i++)
        if (i != k && s->in_cell[i] == cell) return false;
    bool input = cell < now->plan->graph->n_inputs; /* inputs have the first cells; what they hold is not ours */
    return !input && !now->plan->returned[cell] && now->plan->last[cell] == now->step;
}

static bool note_output(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims, uint32_t over, ox_rt **v) {
    ox_running *now = r->step;
    ox_tensor *t = NULL;
    uint64_t bytes = 0;
    int64_t count = 1;
    for (int d = 0; d < rank; d++)
        if (dims[d] < 0 || !ox_mul_ok(count, dims[d], &count)) return false; /* the allocator says why */
    if (dtype == OX_STRING || !ox_dtype_bytes(dtype, count, &bytes)) return false;
    int k = 0;
    while ((uint64_t)over >> k && !(over >> k & 1 && bytes && dies_here(now, r->in, k, bytes))) k++;
    t = (uint64_t)over >> k ? ox_tensor_over(r->ctx, r->in[k]->t, dtype, rank, dims) : ox_tensor_new(r->ctx, dtype, rank, dims);
    *v = ox_rt_tensor(r->ctx, t);
    if (!*v) return true;
    note(now, i, OX_MADE_NEW, dtype, rank, dims, bytes);
    now->place->notes[now->step].out[i].over = over;
    return true;
}

static bool note_share(ox_run *r, int i, const ox_tensor *in, ox_dtype dtype, int rank, const int64_t *dims, ox_rt **v) {
    ox_running *now = r->step;
    (void)v;
    int source = source_of(now, r->in, in);
    if (source < 0 || dtype == OX_STRING) return false;
    note(now, i, OX_MADE_SHARED, dtype, rank, dims, in->bytes);
    now->place->notes[now->step].out[i].source = source;
    return false;
}

static void *note_scratch(ox_run *r, uint64_t bytes) {
    ox_running *now = r->step;
    ox_notes *n = &now->place->notes[now->step];
    OX_PUSH(now->place->arena, n->scratch, n->n_scratch, n->cap_scratch, bytes);
    return NULL;
}

const ox_run_memory ox_notes_memory = {note_output, note_share, note_scratch, ox_choose_noted};

void ox_note_outputs(ox_running *now, ox_rt *const *in, ox_rt *const *out) {
    const ox_step *s = step_of(now);
    ox_notes *n = &now->place->notes[now->step];
    n->pins = s->call.op->flags & OX_CONTROL;
    if (now->f->options.inter_op > 1) n->cost = ox_step_cost(s, in, out);
    for (int i = 0; i < s->n_in; i++) n->pins |= in[i] && in[i]->kind != OX_RT_TENSOR;
    for (int i = 0; i < s->call.n_out; i++) {
        const ox_tensor *t = tensor_of(out[i]);
        ox_made_output *m = &n->out[i];
        n->pins |= out[i] && !t;
        if (!t || m->dtype != t->dtype || m->rank != t->rank ||
            (t->rank && memcmp(m->dims, t->dims, (size_t)t->rank * sizeof *t->dims)))
            m->how = OX_MADE_ELSEWHERE;
        int source = t ? source_of(now, in, t) : -1;
        if (source >= 0 && m->how == OX_MADE_ELSEWHERE) *m = (ox_made_output){.how = OX_MADE_PASSED, .source = source};
    }
}

/* ---- finding it at hand */

/* The slot of output i, when nobody uses it and it is what is asked for. */
static ox_slot *free_slot(const ox_running *now, int i, ox_dtype dtype, int rank, const int64_t *dims) {
    ox_slot *s = &now->place->slots[now->step][i];
    if (!s->rt || s->rt->refs != 1 || s->rt->t->refs != 1) return NULL;
    const ox_tensor *t = s->rt->t;
    return t->dtype == dtype && t->rank == rank && (!rank || !memcmp(t->dims, dims, (size_t)rank * sizeof *dims)) ? s : NULL;
}

static const void *memory_of(const ox_rt *v) {
    const ox_tensor *t = tensor_of(v);
    return t ? t->own ? t->own : t->base ? t->base->own : NULL : NULL;
}

static bool slot_output(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims, uint32_t over, ox_rt **v) {
    const ox_running *now = r->step;
    const ox_slot *s = free_slot(now, i, dtype, rank, dims);
    if (!s || (s->source >= 0 && !(over >> s->source & 1))) return false;
    if (s->source >= 0 && memory_of(r->in[s->source]) != s->rt->t->own) return false;
    *v = ox_rt_ref(s->rt);
    return true;
}

static bool slot_share(ox_run *r, int i, const ox_tensor *in, ox_dtype dtype, int rank, const int64_t *dims, ox_rt **v) {
    const ox_slot *s = free_slot(r->step, i, dtype, rank, dims);
    const ox_tensor *root = root_of(in);
    if (s && s->outside) {
        s->rt->t->own = (void *)(uintptr_t)ox_tensor_data(in);
        *v = ox_rt_ref(s->rt);
        return true;
    }
    if (!s || s->source < 0 || !root->own || root->own != s->rt->t->own) return false;
    *v = ox_rt_ref(s->rt);
    return true;
}

static void *slot_scratch(ox_run *r, uint64_t bytes) {
    ox_running *now = r->step;
    const ox_notes *n = &now->place->notes[now->step];
    size_t k = now->n_scratch++;
    if (k >= n->n_scratch || n->scratch[k] < bytes) return NULL;
    return now->place->base + now->place->scratch[now->step][k];
}

const ox_run_memory ox_slot_memory = {slot_output, slot_share, slot_scratch, ox_choose_placed};

/* ---- values that outlive their memory */

/* T gets memory of its own, with the same bytes. */
static int make_own(ox_ctx *ctx, ox_tensor *t) {
    if (t->bytes) {
        void *own = ox_payload_alloc_brief(ctx, (size_t)t->bytes);
        if (!own) return -1;
        memcpy(own, t->own, (size_t)t->bytes);
        t->own = own;
    }
    t->lent = false;
    return 0;
}

static ox_rt *new_header(ox_frame *f, const ox_made_output *m) {
    return ox_rt_tensor(f->ctx, ox_tensor_lent(f->ctx, m->dtype, m->rank, m->dims, NULL));
}

static void place_slot(ox_slot *s, char *base) {
    ox_tensor *t = s->rt->t;
    t->own = base + s->offset;
    if (t->bytes && ox_dtype_packed(t->dtype)) ((uint8_t *)t->own)[t->bytes - 1] = 0;
}

static int let_go(ox_frame *f, ox_plan *p, ox_placement *m, size_t step, int i) {
    ox_slot *s = &m->slots[step][i];
    if (!s->rt || (s->rt->refs == 1 && s->rt->t->refs == 1)) return 0;
    if (make_own(f->ctx, s->rt->t)) return -1;
    ox_rt_unref(s->rt);
    s->rt = NULL;
    if (!p) return 0;
    s->rt = new_header(f, &m->notes[step].out[i]);
    if (!s->rt) return -1;
    if (!s->outside) place_slot(s, m->base);
    return 0;
}

int ox_let_go(ox_frame *f, ox_plan *p) {
    ox_placement *m = p->last_run;
    if (!m) return 0;
    for (size_t k = 0; k < p->n_steps; k++)
        for (int i = 0; i < p->steps[k].call.n_out; i++)
            if (let_go(f, p, m, k, i)) return -1;
    p->last_run = NULL;
    return 0;
}

int ox_keep_apart(ox_running *now, ox_rt **out) {
    const ox_step *s = step_of(now);
    const char *from = now->place->base;
    const ox_notes *n = &now->place->notes[now->step];
    for (int i = 0; i < s->call.n_out && !n->pins; i++) {
        const char *at = memory_of(out[i]);
        const ox_slot *slot = &now->place->slots[now->step][i];
        if (!at || at < from || at >= from + now->place->stats.arena || out[i] == slot->rt || n->out[i].how == OX_MADE_PASSED) continue;
        const ox_tensor *t = out[i]->t;
        ox_tensor *copy = ox_tensor_new(now->ctx, t->dtype, t->rank, t->dims);
        if (!copy) return -1;
        if (t->bytes) memcpy(ox_tensor_mut(copy), at, (size_t)t->bytes);
        ox_rt_unref(out[i]);
        if (!(out[i] = ox_rt_tensor(now->ctx, copy))) return -1;
    }
    return 0;
}

/* ---- placements by input shapes */

static size_t key_length(const ox_plan *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->graph->n_inputs; i++) {
        const ox_rt *v = p->inputs[i] ? *p->inputs[i] : NULL;
        n += 1 + (tensor_of(v) ? 2 + (size_t)v->t->rank : 0);
    }
    return n;
}

static bool key_step(const int64_t *key, int64_t *fill, size_t at, int64_t x) {
    if (fill) fill[at] = x;
    return fill || key[at] == x;
}

/* Fills the key, or tells whether it is that of the inputs. */
static bool key_of(const ox_plan *p, const int64_t *key, int64_t *fill) {
    size_t n = 0;
    for (size_t i = 0; i < p->graph->n_inputs; i++) {
        const ox_rt *v = p->inputs[i] ? *p->inputs[i] : NULL;
        const ox_tensor *t = tensor_of(v);
        if (!key_step(key, fill, n++, v ? (int64_t)v->kind : -1)) return false;
        if (!t) continue;
        if (!key_step(key, fill, n++, (int64_t)t->dtype) || !key_step(key, fill, n++, t->rank)) return false;
        for (int d = 0; d < t->rank; d++)
            if (!key_step(key, fill, n++, t->dims[d])) return false;
    }
    return true;
}

/* False: a value that somebody holds could not be moved out of the arena. */
static bool forget_slots(ox_frame *f, ox_plan *p, ox_placement *m) {
    bool ok = true;
    for (size_t k = 0; m->placed && k < p->n_steps; k++)
        for (int i = 0; i < p->steps[k].call.n_out; i++) {
            ox_slot *s = &m->slots[k][i];
            if (let_go(f, NULL, m, k, i)) ok = false;
            ox_rt_unref(s->rt);
            s->rt = NULL;
        }
    m->placed = false;
    m->base = NULL;
    return ok;
}

static bool free_placement(ox_frame *f, ox_plan *p, ox_placement *m) {
    bool ok = forget_slots(f, p, m);
    ox_arena_free(m->arena);
    return ok;
}

bool ox_placements_forget(ox_frame *f, ox_plan *p) {
    bool ok = true;
    for (ox_placement *m = p->placements; m; m = m->next) ok &= forget_slots(f, p, m);
    p->last_run = NULL;
    return ok;
}

void ox_placements_free(ox_frame *f, ox_plan *p) {
    bool ok = true;
    while (p->placements) {
        ox_placement *m = p->placements;
        p->placements = m->next;
        ok &= free_placement(f, p, m);
    }
    if (ok) ox_payload_free(p->memory); /* else it stays as long as the context */
    p->memory = NULL;
}

enum { PLACEMENTS = 8, FRESH = 16 << 20 }; /* tuples of shapes that are remembered per graph; arenas above this get large pages, not those that were used */

static ox_placement *new_placement(ox_frame *f, ox_plan *p, size_t n_key) {
    ox_arena *arena = ox_arena_new(f->ctx);
    ox_placement *m = OX_NEW(arena, ox_placement);
    m->arena = arena;
    m->n_key = n_key;
    m->key = OX_NEW_N(arena, int64_t, n_key + 1);
    key_of(p, NULL, m->key);
    m->notes = OX_NEW_N(arena, ox_notes, p->n_steps + 1);
    for (size_t k = 0; k < p->n_steps; k++) m->notes[k].out = OX_NEW_N(arena, ox_made_output, p->steps[k].call.n_out + 1);
    return m;
}

ox_placement *ox_placement_for(ox_frame *f, ox_plan *p) {
    size_t n_key = key_length(p), count = 0;
    for (ox_placement **at = &p->placements, *m; (m = *at); at = &m->next) {
        if (m->n_key == n_key && key_of(p, m->key, NULL)) {
            *at = m->next;
            m->next = p->placements;
            return p->placements = m;
        }
        if (++count == PLACEMENTS && m != p->last_run) {
            *at = m->next; /* the one used longest ago; behind it is the last one run, or none */
            (void)free_placement(f, p, m); /* nobody holds its values: they were let go of when another was run */
            break;
        }
    }
    ox_placement *m = new_placement(f, p, n_key);
    m->next = p->placements;
    return p->placements = m;
}

int ox_placement_use(ox_frame *f, ox_plan *p, ox_placement *m) {
    if (ox_let_go(f, p)) return -1;
    if (m->stats.arena > p->memory_bytes || !p->memory) {
        ox_payload_free(p->memory);
        p->memory_bytes = 0;
        if (m->stats.arena > FRESH) ox_recycle(f->ctx, 0);
        if (!(p->memory = ox_payload_alloc_brief(f->ctx, (size_t)m->stats.arena))) return -1; /* where the values of the run that took notes were */
        p->memory_bytes = m->stats.arena;
        ox_recycle(f->ctx, 0);
    }
    if (m->base != p->memory)
        for (size_t k = 0; k < p->n_steps; k++)
            for (int i = 0; i < p->steps[k].call.n_out; i++) {
                ox_slot *s = &m->slots[k][i];
                const ox_made_output *o = &m->notes[k].out[i];
                if (s->offset == UINT64_MAX && !s->outside) continue;
                if (!s->rt && !(s->rt = new_header(f, o))) return -1;
                if (!s->outside) place_slot(s, p->memory);
            }
    m->base = p->memory;
    p->last_run = m;
    return 0;
}
