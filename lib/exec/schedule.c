/* The schedule of lanes (schedule.h): costs, lanes, waits. Every list here is as long as the plan, or that times the lanes. */
#include "exec/schedule.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
enum { MOST_STEPS = 20000 };

/* What a step takes beside its work, and what it costs when one lane waits for another. */
static const double step_ns = 100, handover_ns = 20000;
static const double bytes_per_ns = 10, flops_per_ns = 60;
static const double least_gain = 0.1; /* of the time: else the threads are better used inside of operators */

uint64_t ox_step_cost(const ox_step *s, ox_rt *const *in, ox_rt *const *out) {
    ox_work w;
    ox_count_call(s->node, in, s->n_in, out, s->call.n_out, &w);
    double memory = (w.read + w.written) / bytes_per_ns, compute = s->moves ? 0 : w.flops / flops_per_ns, ns = step_ns + (memory > compute ? memory : compute);
    return ns < 1e15 ? (uint64_t)ns : (uint64_t)1e15;
}

bool ox_may_reorder(const ox_plan *p) {
    for (size_t k = 0; k < p->n_steps; k++)
        if (p->steps[k].call.op->flags & (OX_RANDOM | OX_STATEFUL | OX_TRAINS | OX_CONTROL)) return false;
    return p->n_steps > 2 && p->n_steps <= MOST_STEPS;
}

static bool reads(const ox_step *s, const ox_step *of) {
    for (int i = 0; i < s->n_in; i++)
        for (int k = 0; k < of->call.n_out; k++)
            if (s->in_cell[i] != NONE && s->in_cell[i] == of->out_cell[k]) return true;
    return false;
}

bool ox_frame_branches(const ox_frame *f) {
    const ox_plan *p = f->main;
    for (size_t k = 1; k < p->n_steps; k++) /* all that stand in line read one another */
        if (!reads(&p->steps[k], &p->steps[k - 1])) return ox_may_reorder(p);
    return false;
}

/* ---- lanes */

typedef struct moment { uint64_t at; uint32_t step; } moment;

static int latest_first(const void *a, const void *b) {
    const moment *x = a, *y = b;
    if (x->at != y->at) return x->at > y->at ? -1 : 1;
    return x->step < y->step ? -1 : 1;
}

static int earliest_first(const void *a, const void *b) {
    const moment *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->step < y->step ? -1 : 1;
}

static uint32_t *find_makers(ox_arena *a, const ox_plan *p) {
    uint32_t *maker = OX_NEW_N(a, uint32_t, p->n_cells + 1);
    memset(maker, 0xff, (p->n_cells + 1) * sizeof *maker);
    for (uint32_t k = 0; k < p->n_steps; k++)
        for (int i = 0; i < p->steps[k].call.n_out; i++)
            if (p->steps[k].out_cell[i] != NONE) maker[p->steps[k].out_cell[i]] = k;
    return maker;
}

static uint32_t maker_of(const ox_step *s, const uint32_t *maker, int i) { return s->in_cell[i] == NONE ? NONE : maker[s->in_cell[i]]; }

/* Steps by the longest way from their beginning to the end: makers stand before readers. */
static moment *by_urgency(ox_arena *a, const ox_plan *p, const ox_notes *notes, const uint32_t *maker) {
    moment *list = OX_NEW_N(a, moment, p->n_steps + 1);
    for (uint32_t k = (uint32_t)p->n_steps; k-- > 0;) {
        list[k].step = k;
        list[k].at += notes[k].cost;
        for (int i = 0; i < p->steps[k].n_in; i++) {
            uint32_t m = maker_of(&p->steps[k], maker, i);
            if (m != NONE && list[m].at < list[k].at) list[m].at = list[k].at;
        }
    }
    qsort(list, p->n_steps, sizeof *list, latest_first);
    return list;
}

/* When a step could begin in a lane. */
static uint64_t earliest(const ox_schedule *s, const ox_step *step, const uint32_t *maker, const uint64_t *end, const uint64_t *idle, uint32_t lane) {
    uint64_t at = idle[lane];
    for (int i = 0; i < step->n_in; i++) {
        uint32_t m = maker_of(step, maker, i);
        if (m == NONE) continue;
        uint64_t there = end[m] + (s->lane[m] == lane ? 0 : (uint64_t)handover_ns);
        if (there > at) at = there;
    }
    return at;
}

/* Puts the steps on the line: list[k].at is when step list[k].step begins. */
static void fill_line(ox_schedule *s, moment *list, const uint64_t *end) {
    qsort(list, s->n, sizeof *list, earliest_first);
    for (size_t k = 0; k < s->n; k++) s->order[k] = list[k].step;
    for (uint32_t step = 0; step < s->n; step++) {
        size_t low = 0, high = s->n; /* how many begin before it ends */
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (list[mid].at < end[step]) low = mid + 1;
            else high = mid;
        }
        s->until[step] = (uint32_t)low - 1;
    }
}

ox_schedule *ox_schedule_steps(ox_arena *a, const ox_plan *p, const ox_notes *notes, uint32_t lanes) {
    size_t n = p->n_steps;
    ox_schedule *s = OX_NEW(a, ox_schedule);
    *s = (ox_schedule){.n = n, .lanes = lanes, .order = OX_NEW_N(a, uint32_t, n + 1), .until = OX_NEW_N(a, uint32_t, n + 1), .lane = OX_NEW_N(a, uint32_t, n + 1),
        .before = OX_NEW_N(a, uint32_t, n + 1), .need = OX_NEW_N(a, uint32_t, n * lanes + 1)};
    uint32_t *maker = find_makers(a, p), *done = OX_NEW_N(a, uint32_t, lanes);
    uint64_t *end = OX_NEW_N(a, uint64_t, n + 1), *idle = OX_NEW_N(a, uint64_t, lanes), all = 0, last = 0;
    moment *list = by_urgency(a, p, notes, maker);
    for (size_t i = 0; i < n; i++) {
        uint32_t k = list[i].step, best = 0;
        uint64_t begin = UINT64_MAX;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            uint64_t t = earliest(s, &p->steps[k], maker, end, idle, lane);
            if (t < begin) begin = t, best = lane;
        }
        s->lane[k] = best;
        s->before[k] = done[best]++;
        list[i].at = begin;
        end[k] = idle[best] = begin + notes[k].cost;
        all += notes[k].cost;
        if (end[k] > last) last = end[k];
    }
    if ((double)last > (double)all * (1 - least_gain)) return NULL;
    while (!done[s->lanes - 1]) s->lanes--; /* a lane is first used when all before it are */
    fill_line(s, list, end);
    for (uint32_t k = 0; k < n; k++)
        for (int i = 0; i < p->steps[k].n_in; i++) {
            uint32_t m = maker_of(&p->steps[k], maker, i);
            if (m != NONE) ox_schedule_after(s, k, m);
        }
    return s;
}

/* ---- waits */

void ox_schedule_after(ox_schedule *s, uint32_t later, uint32_t earlier) {
    uint32_t lane = s->lane[earlier], *need = &s->need[(size_t)later * s->lanes + lane];
    if (lane != s->lane[later] && *need < s->before[earlier] + 1) *need = s->before[earlier] + 1;
}

/* Who was the last to lie in these bytes. Pieces are sorted and do not overlap. */
typedef struct piece { uint64_t from, to; size_t by; } piece;
typedef struct occupants { piece *list; size_t n; } occupants;

/* The new buffer takes its bytes from those who had them. */
static void occupy(occupants *o, size_t first, size_t end, piece new) {
    piece with[3];
    size_t n = 0;
    if (first < end && o->list[first].from < new.from) with[n++] = (piece){o->list[first].from, new.from, o->list[first].by};
    with[n++] = new;
    if (first < end && o->list[end - 1].to > new.to) with[n++] = (piece){new.to, o->list[end - 1].to, o->list[end - 1].by};
    memmove(&o->list[first + n], &o->list[end], (o->n - end) * sizeof *o->list);
    memcpy(&o->list[first], with, n * sizeof *with);
    o->n = o->n - (end - first) + n;
}

void ox_schedule_memory(ox_schedule *s, ox_arena *a, const ox_placed_bytes *list, size_t n) {
    occupants o = {OX_NEW_N(a, piece, 2 * n + 3), 0}; /* a buffer adds two at most */
    for (size_t b = 0; b < n; b++) {
        piece new = {list[b].offset, list[b].offset + list[b].bytes, b};
        if (new.from == new.to) continue;
        size_t low = 0, high = o.n;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (o.list[mid].to <= new.from) low = mid + 1;
            else high = mid;
        }
        size_t end = low;
        for (; end < o.n && o.list[end].from < new.to; end++)
            for (const ox_touch *t = list[o.list[end].by].touches; t; t = t->next) ox_schedule_after(s, list[b].maker, t->step);
        occupy(&o, low, end, new);
    }
}

/* ---- for running */

/* clock[k * lanes + i]: how many steps of lane i are done for certain when step k begins. Keeps the waits that neither lane order nor another wait gives. */
static void find_waits(const ox_schedule *s, ox_arena *a, ox_lanes_plan *l, const uint32_t *place, ox_arena *keep) {
    uint32_t lanes = s->lanes, *clock = OX_NEW_N(a, uint32_t, s->n * lanes + 1), *last = OX_NEW_N(a, uint32_t, lanes);
    ox_wait *waits = OX_NEW_N(a, ox_wait, s->n * lanes + 1);
    uint32_t *n_waits = OX_NEW_N(a, uint32_t, s->n + 1);
    memset(last, 0xff, lanes * sizeof *last);
    for (size_t at = 0; at < s->n; at++) {
        uint32_t k = s->order[at], lane = s->lane[k], *now = &clock[(size_t)k * lanes], from = place[k], own = last[lane];
        if (own != NONE) memcpy(now, &clock[(size_t)own * lanes], lanes * sizeof *now);
        now[lane] = s->before[k];
        const uint32_t *need = &s->need[(size_t)k * lanes];
        for (uint32_t i = 0; i < lanes; i++) {
            bool known = need[i] <= now[i];
            for (uint32_t j = 0; j < lanes && !known; j++) { /* the step that another wait is for has waited for this one */
                if (j == i || need[j] <= now[j]) continue;
                uint32_t u = l->steps[l->from[j] + need[j] - 1];
                known = clock[(size_t)u * lanes + i] >= need[i];
            }
            if (!known) waits[(size_t)from * lanes + n_waits[from]++] = (ox_wait){i, need[i]};
        }
        for (uint32_t w = 0; w < n_waits[from]; w++) {
            const ox_wait *x = &waits[(size_t)from * lanes + w];
            uint32_t u = l->steps[l->from[x->lane] + x->done - 1];
            for (uint32_t i = 0; i < lanes; i++)
                if (clock[(size_t)u * lanes + i] > now[i]) now[i] = clock[(size_t)u * lanes + i];
            if (x->done > now[x->lane]) now[x->lane] = x->done;
        }
        last[lane] = k;
    }
    for (size_t k = 0; k < s->n; k++) l->wait_from[k + 1] = l->wait_from[k] + n_waits[k];
    l->waits = OX_NEW_N(keep, ox_wait, l->wait_from[s->n] + 1);
    for (size_t k = 0; k < s->n; k++) memcpy(&l->waits[l->wait_from[k]], &waits[k * lanes], n_waits[k] * sizeof *waits);
}

static void touch(ox_lanes_plan *l, const ox_plan *p, uint32_t place, uint32_t *met, uint32_t cell) {
    if (cell == NONE || p->returned[cell] || met[cell] == place + 1) return;
    met[cell] = place + 1;
    l->touched[l->touch_from[place + 1]++] = cell;
    l->users[cell]++;
}

static void find_touched(ox_lanes_plan *l, const ox_plan *p, ox_arena *keep, ox_arena *a) {
    size_t n = p->n_steps, most = 0;
    uint32_t *met = OX_NEW_N(a, uint32_t, p->n_cells + 1);
    for (size_t k = 0; k < n; k++) most += (size_t)p->steps[k].n_in + (size_t)p->steps[k].call.n_out;
    l->touch_from = OX_NEW_N(keep, uint32_t, n + 1);
    l->touched = OX_NEW_N(keep, uint32_t, most + 1);
    l->users = OX_NEW_N(keep, uint32_t, p->n_cells + 1);
    l->left = ox_alloc_n(keep, p->n_cells + 1, sizeof *l->left);
    for (uint32_t place = 0; place < n; place++) {
        const ox_step *s = &p->steps[l->steps[place]];
        l->touch_from[place + 1] = l->touch_from[place];
        for (int i = 0; i < s->n_in; i++) touch(l, p, place, met, s->in_cell[i]);
        for (int i = 0; i < s->call.n_out; i++) touch(l, p, place, met, s->out_cell[i]);
    }
}

ox_lanes_plan *ox_schedule_lanes(const ox_schedule *s, ox_arena *keep, ox_arena *a, const ox_plan *p) {
    ox_lanes_plan *l = OX_NEW(keep, ox_lanes_plan);
    uint32_t *place = OX_NEW_N(a, uint32_t, s->n + 1);
    l->n = s->lanes;
    l->from = OX_NEW_N(keep, uint32_t, s->lanes + 1);
    l->steps = OX_NEW_N(keep, uint32_t, s->n + 1);
    l->wait_from = OX_NEW_N(keep, uint32_t, s->n + 1);
    for (size_t k = 0; k < s->n; k++) l->from[s->lane[k] + 1]++;
    for (uint32_t i = 0; i < s->lanes; i++) l->from[i + 1] += l->from[i];
    for (uint32_t k = 0; k < s->n; k++) {
        place[k] = l->from[s->lane[k]] + s->before[k];
        l->steps[place[k]] = k;
    }
    l->position = OX_NEW_N(keep, uint32_t, s->n + 1);
    for (uint32_t at = 0; at < s->n; at++) l->position[place[s->order[at]]] = at;
    find_waits(s, a, l, place, keep);
    find_touched(l, p, keep, a);
    return l;
}
