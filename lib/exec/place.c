/* From what a run noted to where everything lies in the next: the order of the steps, which outputs are written over
 * an input that dies, offsets in one arena.
 *
 * For a given order the buffers follow: a new output is a buffer, one that shares or is written over an input joins
 * the input's; scratch memory is a buffer of one step. A buffer lives from its first maker to the last reader of all values in it; what the
 * graph returns lives to the end, and so does what a step may keep (bodies, sequences). Several orders are tried and the
 * one with the least bytes alive at any step is taken, the file's own when it is no worse. With lanes the order is theirs, and a step takes
 * several positions of it (schedule.h). */
#include "exec/pack.h"
#include "exec/schedule.h"

#include <inttypes.h>
#include <string.h>

#define NONE UINT32_MAX
enum { ALIGNMENT = 64, GREEDY_STEPS = 4000, CHECKED = 20000, BUDGET_TRIES = 8 };

typedef struct buffer {
    uint64_t exact, bytes; /* of the tensor; in the arena */
    uint32_t first, last; /* positions in the order */
    uint32_t uses;        /* reads that are still to come */
    bool lasts;           /* to the end */
    bool outside;         /* no bytes of ours: views of an input or a constant */
    uint32_t step;        /* that makes it */
    int output;           /* of that step; -1: scratch memory */
    uint64_t offset;
    ox_touch *touches;    /* with lanes */
} buffer;

typedef struct trial {
    uint32_t *order;
    buffer *buffers;
    size_t n;
    uint32_t *of_cell;   /* buffer of a cell, NONE */
    uint32_t **of_output; /* per step and output: buffer of its slot, NONE: no slot */
    int **source;        /* per step and output: the input that it is written over or shares, -1 */
    uint32_t **of_scratch;
    uint64_t bound;
} trial;

typedef struct job {
    ox_frame *f;
    ox_plan *p;
    ox_placement *m;
    ox_arena *arena;
    uint32_t *readers; /* per cell */
    uint32_t *maker;   /* per cell: step, NONE for inputs */
    size_t most;       /* buffers */
    ox_schedule *lanes; /* NULL: none */
} job;

/* ---- buffers of an order */

static uint64_t aligned(uint64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static uint32_t new_buffer(trial *t, uint64_t bytes, uint32_t at, uint32_t step, int output) {
    t->buffers[t->n] = (buffer){.exact = bytes, .bytes = aligned(bytes), .first = at, .last = at, .step = step, .output = output};
    return (uint32_t)t->n++;
}

/* The step makes, reads or writes over a value in the buffer. */
static void touch(const job *j, buffer *x, uint32_t step, uint32_t at) {
    uint32_t end = j->lanes ? j->lanes->until[step] : at;
    if (x->last < end) x->last = end;
    if (!j->lanes || (x->touches && x->touches->step == step)) return;
    ox_touch *t = OX_NEW(j->arena, ox_touch);
    *t = (ox_touch){x->touches, step};
    x->touches = t;
}

static uint32_t buffer_in(const trial *t, const ox_step *s, int input) {
    uint32_t cell = input >= 0 && input < s->n_in ? s->in_cell[input] : NONE;
    return cell == NONE ? NONE : t->of_cell[cell];
}

/* How often a step reads a buffer. */
static uint32_t reads_of(const trial *t, const ox_step *s, uint32_t b) {
    uint32_t n = 0;
    for (int i = 0; i < s->n_in; i++) n += buffer_in(t, s, i) == b;
    for (size_t i = 0; i < s->n_captured; i++) n += t->of_cell[s->captured[i]] == b;
    return n;
}

/* The input over which a new output can be written by a step that begins at AT: nobody else reads it then or later; -1. */
static int find_over(const trial *t, const ox_step *s, const ox_made_output *m, uint32_t at) {
    for (int i = 0; m->over >> i; i++) {
        if (!(m->over >> i & 1)) continue;
        uint32_t b = buffer_in(t, s, i);
        if (b == NONE) continue;
        const buffer *x = &t->buffers[b];
        if (x->exact == m->bytes && !x->lasts && x->last < at && x->uses == 1 && reads_of(t, s, b) == 1) return i;
    }
    return -1;
}

static void place_output(const job *j, trial *t, uint32_t step, int i, uint32_t at) {
    const ox_step *s = &j->p->steps[step];
    const ox_made_output *m = &j->m->notes[step].out[i];
    uint32_t cell = s->out_cell[i], b = NONE;
    int source = -1;
    bool returned = cell != NONE && j->p->returned[cell];
    if (m->how == OX_MADE_SHARED || m->how == OX_MADE_PASSED) {
        source = m->source;
        b = buffer_in(t, s, source);
        if (b == NONE && m->how == OX_MADE_SHARED && m->bytes) {
            b = new_buffer(t, 0, at, step, i);
            t->buffers[b].outside = true;
        }
    } else if (m->how == OX_MADE_NEW && !(returned && j->p->outer)) { /* a body's results leave it */
        source = m->bytes ? find_over(t, s, m, at) : -1;
        b = source >= 0 ? buffer_in(t, s, source) : new_buffer(t, m->bytes, at, step, i);
        for (const ox_touch *x = t->buffers[b].touches; x; x = x->next)
            if (x->step != step) ox_schedule_after(j->lanes, step, x->step);
    }
    if (b != NONE) {
        buffer *x = &t->buffers[b];
        touch(j, x, step, at);
        x->uses += 1 + (cell == NONE ? 0 : j->readers[cell]); /* one until the step is over, lest two outputs lie in one input */
        x->lasts |= returned;
    }
    if (cell != NONE) t->of_cell[cell] = b;
    t->of_output[step][i] = m->how == OX_MADE_PASSED ? NONE : b;
    t->source[step][i] = source;
}

static void read_buffer(const job *j, trial *t, uint32_t cell, uint32_t step, uint32_t at, bool pins) {
    uint32_t b = cell == NONE ? NONE : t->of_cell[cell];
    if (b == NONE) return;
    touch(j, &t->buffers[b], step, at);
    t->buffers[b].uses--;
    t->buffers[b].lasts |= pins;
}

static void place_step(const job *j, trial *t, uint32_t step, uint32_t at) {
    const ox_step *s = &j->p->steps[step];
    const ox_notes *n = &j->m->notes[step];
    for (int i = 0; i < s->call.n_out; i++) place_output(j, t, step, i, at);
    for (size_t i = 0; i < n->n_scratch; i++) {
        t->of_scratch[step][i] = n->scratch[i] ? new_buffer(t, n->scratch[i], at, step, -1) : NONE;
        if (n->scratch[i]) touch(j, &t->buffers[t->of_scratch[step][i]], step, at);
    }
    for (int i = 0; i < s->n_in; i++) read_buffer(j, t, s->in_cell[i], step, at, n->pins);
    for (size_t i = 0; i < s->n_captured; i++) read_buffer(j, t, s->captured[i], step, at, true);
    for (int i = 0; i < s->call.n_out; i++) {
        const ox_made_output *m = &n->out[i];
        uint32_t cell = s->out_cell[i];
        uint32_t b = cell != NONE ? t->of_cell[cell] : m->how == OX_MADE_PASSED ? buffer_in(t, s, m->source) : t->of_output[step][i];
        if (b != NONE) t->buffers[b].uses--;
    }
}

/* Most bytes alive at once. */
static uint64_t bound_of(const job *j, const trial *t) {
    size_t n = j->p->n_steps;
    int64_t *change = OX_NEW_N(j->arena, int64_t, n + 1), alive = 0, most = 0;
    for (size_t i = 0; i < t->n; i++) {
        change[t->buffers[i].first] += (int64_t)t->buffers[i].bytes;
        if (!t->buffers[i].lasts) change[t->buffers[i].last + 1] -= (int64_t)t->buffers[i].bytes;
    }
    for (size_t k = 0; k < n; k++) {
        alive += change[k];
        if (alive > most) most = alive;
    }
    return (uint64_t)most;
}

static trial *try_order(job *j, uint32_t *order) {
    size_t n = j->p->n_steps;
    trial *t = OX_NEW(j->arena, trial);
    t->order = order;
    t->buffers = OX_NEW_N(j->arena, buffer, j->most + 1);
    t->of_cell = OX_NEW_N(j->arena, uint32_t, j->p->n_cells + 1);
    t->of_output = OX_NEW_N(j->arena, uint32_t *, n + 1);
    t->source = OX_NEW_N(j->arena, int *, n + 1);
    t->of_scratch = OX_NEW_N(j->arena, uint32_t *, n + 1);
    memset(t->of_cell, 0xff, (j->p->n_cells + 1) * sizeof *t->of_cell);
    for (size_t k = 0; k < n; k++) {
        t->of_output[k] = OX_NEW_N(j->arena, uint32_t, j->p->steps[k].call.n_out + 1);
        t->source[k] = OX_NEW_N(j->arena, int, j->p->steps[k].call.n_out + 1);
        t->of_scratch[k] = OX_NEW_N(j->arena, uint32_t, j->m->notes[k].n_scratch + 1);
    }
    for (uint32_t at = 0; at < n; at++) place_step(j, t, order[at], at);
    t->bound = bound_of(j, t);
    return t;
}

/* ---- orders */

static uint32_t *file_order(job *j) {
    uint32_t *order = OX_NEW_N(j->arena, uint32_t, j->p->n_steps + 1);
    for (uint32_t k = 0; k < j->p->n_steps; k++) order[k] = k;
    return order;
}

typedef struct visit { uint32_t step, next; } visit;

static uint32_t input_cell(const ox_step *s, uint32_t k) {
    uint32_t n = (uint32_t)s->n_in;
    return k < n ? s->in_cell[k] : s->captured[k - n];
}

/* Depth first from the last steps: what a step needs comes right before it. */
static uint32_t *depth_first(job *j) {
    const ox_plan *p = j->p;
    uint32_t *order = OX_NEW_N(j->arena, uint32_t, p->n_steps + 1), n = 0;
    bool *met = OX_NEW_N(j->arena, bool, p->n_steps + 1);
    visit *stack = OX_NEW_N(j->arena, visit, p->n_steps + 1);
    for (uint32_t root = 0; root < p->n_steps; root++) {
        bool ends = false;
        for (int i = 0; i < p->steps[root].call.n_out; i++) {
            uint32_t cell = p->steps[root].out_cell[i];
            ends |= cell != NONE && p->returned[cell];
        }
        ends |= root + 1 == p->n_steps;
        if (!ends || met[root]) continue;
        size_t depth = 0;
        stack[depth++] = (visit){root, 0};
        met[root] = true;
        while (depth) {
            visit *v = &stack[depth - 1];
            const ox_step *s = &p->steps[v->step];
            if (v->next == (uint32_t)s->n_in + s->n_captured) {
                order[n++] = v->step;
                depth--;
                continue;
            }
            uint32_t cell = input_cell(s, v->next++), maker = cell == NONE ? NONE : j->maker[cell];
            if (maker == NONE || met[maker]) continue;
            met[maker] = true;
            stack[depth++] = (visit){maker, 0};
        }
    }
    for (uint32_t k = 0; k < p->n_steps; k++) /* steps with effects only */
        if (!met[k]) order[n++] = k;
    return order;
}

/* What running a step now would add to the bytes alive. */
static int64_t growth(const job *j, uint32_t step, const uint32_t *left) {
    const ox_step *s = &j->p->steps[step];
    const ox_notes *n = &j->m->notes[step];
    int64_t bytes = 0;
    for (int i = 0; i < s->call.n_out; i++)
        if (n->out[i].how == OX_MADE_NEW) bytes += (int64_t)n->out[i].bytes;
    for (int i = 0; i < s->n_in; i++) {
        uint32_t c = s->in_cell[i], maker = c == NONE ? NONE : j->maker[c];
        if (maker == NONE || left[c] != 1 || j->p->returned[c]) continue;
        const ox_step *by = &j->p->steps[maker];
        for (int k = 0; k < by->call.n_out; k++)
            if (by->out_cell[k] == c && j->m->notes[maker].out[k].how == OX_MADE_NEW) bytes -= (int64_t)j->m->notes[maker].out[k].bytes;
    }
    return bytes;
}

/* Of the steps that could run, always the one that leaves the least alive. */
static uint32_t *least_growth(job *j) {
    const ox_plan *p = j->p;
    size_t n = p->n_steps, n_ready = 0, done = 0;
    uint32_t *order = OX_NEW_N(j->arena, uint32_t, n + 1), *waits = OX_NEW_N(j->arena, uint32_t, n + 1),
             *ready = OX_NEW_N(j->arena, uint32_t, n + 1), *left = OX_NEW_N(j->arena, uint32_t, p->n_cells + 1),
             *from = OX_NEW_N(j->arena, uint32_t, p->n_cells + 2), *users;
    size_t uses = 0;
    for (size_t c = 0; c < p->n_cells; c++) {
        left[c] = j->readers[c];
        from[c] = (uint32_t)uses;
        uses += j->readers[c];
    }
    from[p->n_cells] = (uint32_t)uses;
    users = OX_NEW_N(j->arena, uint32_t, uses + 1);
    uint32_t *fill = ox_dup(j->arena, from, (p->n_cells + 1) * sizeof *from);
    for (uint32_t k = 0; k < n; k++) {
        const ox_step *s = &p->steps[k];
        for (uint32_t i = 0; i < (uint32_t)s->n_in + s->n_captured; i++) {
            uint32_t c = input_cell(s, i);
            if (c == NONE) continue;
            users[fill[c]++] = k;
            waits[k] += j->maker[c] != NONE;
        }
        if (!waits[k]) ready[n_ready++] = k;
    }
    while (n_ready) {
        size_t best = 0;
        int64_t least = INT64_MAX;
        for (size_t i = 0; i < n_ready; i++) {
            int64_t g = growth(j, ready[i], left);
            if (g < least || (g == least && ready[i] < ready[best])) {
                least = g;
                best = i;
            }
        }
        uint32_t k = ready[best];
        ready[best] = ready[--n_ready];
        order[done++] = k;
        const ox_step *s = &p->steps[k];
        for (uint32_t i = 0; i < (uint32_t)s->n_in + s->n_captured; i++) {
            uint32_t c = input_cell(s, i);
            if (c != NONE) left[c]--;
        }
        for (int i = 0; i < s->call.n_out; i++) {
            uint32_t c = s->out_cell[i];
            for (uint32_t u = c == NONE ? 0 : from[c]; c != NONE && u < from[c + 1]; u++)
                if (!--waits[users[u]]) ready[n_ready++] = users[u];
        }
    }
    return done == n ? order : NULL;
}

/* The main graph in lanes, where these are asked for and there is something for them; NULL. A memory budget leaves one lane: several take more. */
static trial *in_lanes(job *j) {
    int lanes = j->f->options.inter_op;
    if (lanes < 2 || j->p->outer || j->f->memory_budget != UINT64_MAX) return NULL;
    for (size_t k = 0; k < j->p->n_steps; k++)
        if (j->m->notes[k].pins) return NULL;
    j->lanes = ox_schedule_steps(j->arena, j->p, j->m->notes, lanes < OX_LANES ? (uint32_t)lanes : OX_LANES);
    if (!j->lanes) return NULL;
    j->m->stats.order = "lanes";
    j->m->stats.lanes = (int)j->lanes->lanes;
    return try_order(j, j->lanes->order);
}

static trial *best_order(job *j) {
    bool free = ox_may_reorder(j->p);
    trial *t = free ? in_lanes(j) : NULL, *best;
    if (t) return t;
    best = try_order(j, file_order(j));
    j->m->stats.order = "file";
    j->m->stats.lanes = 1;
    if (!free) return best;
    t = try_order(j, depth_first(j));
    if (t->bound < best->bound) {
        best = t;
        j->m->stats.order = "depth first";
    }
    uint32_t *order = j->p->n_steps <= GREEDY_STEPS ? least_growth(j) : NULL;
    t = order ? try_order(j, order) : NULL;
    if (t && t->bound < best->bound) {
        best = t;
        j->m->stats.order = "least growth";
    }
    return best;
}

/* ---- packing and slots */

static void list_buffers(job *j, const trial *t) {
    ox_place_buffer *list = j->m->buffers = OX_NEW_N(j->m->arena, ox_place_buffer, t->n + 1);
    size_t n_list = 0;
    for (size_t i = 0; i < t->n; i++) {
        const buffer *x = &t->buffers[i];
        if (!x->bytes) continue;
        const ox_node *n = j->p->steps[x->step].node;
        const ox_value *v = x->output >= 0 && (uint32_t)x->output < n->n_out ? n->out[x->output] : NULL;
        int64_t end = (int64_t)j->p->n_steps - 1;
        list[n_list++] = (ox_place_buffer){n, v && v->name ? v->name : "", x->first, x->lasts ? end : x->last, x->offset, x->bytes, x->output < 0, x->lasts};
    }
    j->m->stats.buffers = n_list;
}

static int pack(job *j, trial *t) {
    ox_place_stats *s = &j->m->stats;
    ox_ctx *ctx = j->f->ctx;
    ox_buffer_span *spans = OX_NEW_N(j->arena, ox_buffer_span, t->n + 1);
    s->naive = 0;
    for (size_t i = 0; i < t->n; i++) {
        const buffer *x = &t->buffers[i];
        int64_t upper = x->lasts ? (int64_t)j->p->n_steps : (int64_t)x->last + 1;
        spans[i] = (ox_buffer_span){.lower = x->first, .upper = upper, .size = x->bytes, .align = ALIGNMENT};
        s->naive += x->bytes;
    }
    ox_pack_result r;
    if (ox_pack(ctx, j->arena, spans, t->n, &(ox_pack_options){.nodes = OX_PACK_NODES_PLAN}, &r)) return -1;
#ifndef NDEBUG
    if (t->n <= CHECKED && ox_pack_check(ctx, j->arena, spans, t->n, r.bytes)) return -1;
#endif
    for (size_t i = 0; i < t->n; i++) t->buffers[i].offset = spans[i].offset;
    list_buffers(j, t);
    s->arena = r.bytes; /* of the last of several tries */
    s->bound = r.bound;
    s->method = r.method;
    s->proved = r.proved;
    return 0;
}

static void make_slots(job *j, const trial *t) {
    const ox_plan *p = j->p;
    ox_placement *m = j->m;
    m->order = ox_dup(m->arena, t->order, (p->n_steps + 1) * sizeof *t->order);
    m->slots = OX_NEW_N(m->arena, ox_slot *, p->n_steps + 1);
    m->scratch = OX_NEW_N(m->arena, uint64_t *, p->n_steps + 1);
    for (size_t k = 0; k < p->n_steps; k++) {
        const ox_notes *n = &m->notes[k];
        int outs = p->steps[k].call.n_out;
        m->slots[k] = OX_NEW_N(m->arena, ox_slot, outs + 1);
        m->scratch[k] = OX_NEW_N(m->arena, uint64_t, n->n_scratch + 1);
        for (int i = 0; i < outs; i++) {
            uint32_t b = t->of_output[k][i];
            const buffer *x = b == NONE ? NULL : &t->buffers[b];
            m->slots[k][i] = (ox_slot){.offset = x && !x->outside ? x->offset : UINT64_MAX, .source = t->source[k][i],
                                       .outside = x && x->outside && !x->lasts}; /* who keeps it needs a tensor that holds that memory */
        }
        for (size_t i = 0; i < n->n_scratch; i++) m->scratch[k][i] = t->of_scratch[k][i] == NONE ? 0 : t->buffers[t->of_scratch[k][i]].offset;
    }
    uint32_t *last = OX_NEW_N(j->arena, uint32_t, p->n_cells + 1);
    m->release_from = OX_NEW_N(m->arena, uint32_t, p->n_steps + 1);
    m->release = OX_NEW_N(m->arena, uint32_t, p->n_cells + 1);
    ox_plan_releases(p, m->order, last, m->release_from, m->release);
}

static void make_lanes(job *j, const trial *t) {
    ox_placed_bytes *list = OX_NEW_N(j->arena, ox_placed_bytes, t->n + 1);
    for (size_t i = 0; i < t->n; i++) list[i] = (ox_placed_bytes){t->buffers[i].offset, t->buffers[i].bytes, t->buffers[i].step, t->buffers[i].touches};
    ox_schedule_memory(j->lanes, j->arena, list, t->n);
    j->m->lanes = ox_schedule_lanes(j->lanes, j->m->arena, j->arena, j->p);
}

static void look_around(job *j) {
    const ox_plan *p = j->p;
    j->readers = OX_NEW_N(j->arena, uint32_t, p->n_cells + 1);
    j->maker = OX_NEW_N(j->arena, uint32_t, p->n_cells + 1);
    memset(j->maker, 0xff, (p->n_cells + 1) * sizeof *j->maker);
    for (uint32_t k = 0; k < p->n_steps; k++) {
        const ox_step *s = &p->steps[k];
        for (uint32_t i = 0; i < (uint32_t)s->n_in + s->n_captured; i++) {
            uint32_t c = input_cell(s, i);
            if (c != NONE) j->readers[c]++;
        }
        for (int i = 0; i < s->call.n_out; i++)
            if (s->out_cell[i] != NONE) j->maker[s->out_cell[i]] = k;
        j->most += (size_t)s->call.n_out + j->m->notes[k].n_scratch;
    }
}

/* ---- algorithms within a budget ---- */

/* Bytes alive at each step, without the workspaces of algorithms that were chosen. */
static uint64_t *alive_without(const job *j, const trial *t) {
    size_t n = j->p->n_steps;
    uint64_t *alive = OX_NEW_N(j->arena, uint64_t, n + 1);
    for (size_t i = 0; i < t->n; i++) {
        const buffer *x = &t->buffers[i];
        const ox_choice *c = j->m->notes[x->step].choice;
        if (c && x->output < 0 && t->of_scratch[x->step][c->scratch] == i) continue;
        alive[x->first] += x->bytes;
        if (!x->lasts) alive[x->last + 1] -= x->bytes; /* sums wrap and come back */
    }
    for (size_t k = 1; k < n; k++) alive[k] += alive[k - 1];
    return alive;
}

static int fail_budget(const job *j, uint32_t step, uint64_t alive, uint64_t workspace) {
    ox_fail(j->f->ctx, OX_NO_MEMORY, "needs %" PRIu64 " bytes, %" PRIu64 " of them its workspace, the memory budget is %" PRIu64,
            alive + workspace, workspace, j->f->memory_budget);
    return ox_fail_in_node(j->f->ctx, j->p->steps[step].node);
}

/* What BUDGET leaves for the workspace of each step: ROOM. */
static int rooms(const job *j, const trial *t, const uint64_t *alive, uint64_t budget, uint64_t *room) {
    for (size_t at = 0; at < j->p->n_steps; at++) {
        uint32_t step = t->order[at];
        const ox_choice *c = j->m->notes[step].choice;
        uint64_t need = c ? aligned(ox_choose_smallest(c)) : 0;
        if (alive[at] > budget || budget - alive[at] < need) return fail_budget(j, step, alive[at], need);
        room[step] = (budget - alive[at]) / ALIGNMENT * ALIGNMENT;
    }
    return 0;
}

/* The fastest algorithms whose workspaces fit beside what is alive; when packing loses bytes, with as much less. */
static int place_in_budget(job *j) {
    const uint64_t budget = j->f->memory_budget;
    uint64_t aim = budget, *room = OX_NEW_N(j->arena, uint64_t, j->p->n_steps + 1);
    ox_choose_least(j->p, j->m);
    trial *t = best_order(j);
    const uint64_t *alive = alive_without(j, t);
    if (rooms(j, t, alive, budget, room)) return -1;
    for (int tries = 0;; tries++) {
        bool last = tries == BUDGET_TRIES || rooms(j, t, alive, aim, room);
        if (last) ox_clear_error(j->f->ctx), ox_choose_least(j->p, j->m);
        else if (ox_choose_within(j->f, j->p, j->m, room)) return -1;
        trial *it = try_order(j, t->order);
        if (pack(j, it)) return -1;
        const uint64_t arena = j->m->stats.arena;
        if (arena <= budget) return make_slots(j, it), 0;
        if (last)
            return ox_fail(j->f->ctx, OX_NO_MEMORY, "the memory budget is %" PRIu64 " bytes; the arena takes %" PRIu64 ", of which %" PRIu64 " are alive at once",
                           budget, arena, j->m->stats.bound);
        aim = aim > arena - budget ? aim - (arena - budget) : 0;
    }
}

static int place_freely(job *j) {
    if (ox_choose_within(j->f, j->p, j->m, NULL)) return -1;
    trial *t = best_order(j);
    if (pack(j, t)) return -1;
    make_slots(j, t);
    if (j->lanes) make_lanes(j, t);
    return 0;
}

int ox_place(ox_frame *f, ox_plan *p, ox_placement *m) {
    job j = {.f = f, .p = p, .m = m, .arena = ox_arena_new(f->ctx)};
    look_around(&j);
    int rc = p->outer || f->memory_budget == UINT64_MAX ? place_freely(&j) : place_in_budget(&j);
    m->placed = !rc;
    if (!rc) ox_choose_tell(p, m);
    ox_arena_free(j.arena);
    return rc;
}
