/* onnx-run profile: where the time of a run goes. Runs the model some times, then with a hook that takes notes of every call of a node; what a
 * note costs is measured and told apart. */
#include "tools/profile.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

/* ---- notes: calls ---- */

static int64_t nanoseconds(const profile *p, double ms) { return llround((ms - p->s->started) * 1e6); }

/* Adds to what was spent inside of the call at DEPTH - 1, which ends later; gives what was spent inside of this one. */
static double take_inside(profile *p, int depth, double ms) {
    while (p->n_inside < (size_t)depth + 2) OX_PUSH(p->arena, p->inside, p->n_inside, p->cap_inside, 0);
    double inside = p->inside[depth + 1];
    p->inside[depth + 1] = 0;
    p->inside[depth] += ms;
    return inside;
}

static void take_note(void *user, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    profile *p = user;
    double entered = run_now();
    profile_event e = {.shape = profile_shape_for(p, info, in, n_in, out, n_out), .start = nanoseconds(p, info->start * 1e3),
        .end = nanoseconds(p, (info->start + info->seconds) * 1e3), .algorithm = info->algorithm, .scratch = info->scratch,
        .arena_offset = info->arena_offset, .depth = info->depth, .lane = info->lane, .step = info->depth ? -1 : info->position};
    e.self = info->seconds * 1e3 - take_inside(p, info->depth, info->seconds * 1e3);
    if (e.self < 0) e.self = 0;
    OX_PUSH(p->arena, p->events, p->n_events, p->cap_events, e);
    double spent = run_now() - entered;
    p->hook += spent;
    p->inside[info->depth] += spent; /* is no time of the call around */
}

static int by_start(const void *x, const void *y) {
    const profile_event *a = x, *b = y;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return a->depth != b->depth ? a->depth - b->depth : (a->end > b->end) - (a->end < b->end);
}

static int noted_run(profile *p, run_session *s, profile_run *r, int (*run)(profile *p, run_session *s)) {
    *r = (profile_run){.first = p->n_events};
    p->hook = 0;
    if (p->n_inside) p->inside[0] = 0;
    double begin = run_now();
    int result = run(p, s);
    double end = run_now();
    r->start = nanoseconds(p, begin);
    r->end = nanoseconds(p, end);
    r->n = p->n_events - r->first;
    r->hook = p->hook;
    r->between = fmax(end - begin - (p->n_inside ? p->inside[0] : 0), 0); /* lanes spend more than the run takes */
    if (r->n) qsort(p->events + r->first, r->n, sizeof *p->events, by_start);
    if (result == 0) run_session_drop(s);
    return result;
}

static int first_run(profile *p, run_session *s) { return run_session_fit(p->a, s); }
static int later_run(profile *p, run_session *s) { (void)p; return ox_frame_run(s->f, s->in, s->out); }

/* Of the first run only nodes stay that did not run again: those of constants. They come first in the list. */
static void keep_once(profile *p) {
    ox_map again;
    size_t kept = 0;
    ox_map_init(&again, p->arena);
    for (size_t i = p->once.n; i < p->n_events; i++) {
        const profile_shape *s = p->events[i].shape;
        ox_map_put(&again, s->node, p);
        for (size_t k = 0; k < s->n_with; k++) ox_map_put(&again, s->with[k], p);
    }
    for (size_t i = 0; i < p->once.n; i++)
        if (!ox_map_has(&again, p->events[i].shape->node)) p->events[kept++] = p->events[i];
    p->once.n = kept; /* the rest of its place stays unused */
}

static int run_all(profile *p, run_session *s) {
    int64_t repeat = p->a->repeat < 0 ? 1 : p->a->repeat, warmup = p->a->warmup < 0 ? 2 : p->a->warmup;
    p->runs = OX_NEW_N(p->arena, profile_run, repeat);
    ox_frame_set_hook(s->f, take_note, p);
    if (noted_run(p, s, &p->once, first_run) < 0) return -1;
    ox_frame_set_hook(s->f, NULL, NULL);
    for (int64_t i = 0; i < warmup; i++) {
        if (ox_frame_run(s->f, s->in, s->out) < 0) return -1;
        run_session_drop(s);
    }
    ox_frame_set_hook(s->f, take_note, p);
    for (int64_t i = 0; i < repeat; i++)
        if (noted_run(p, s, &p->runs[p->n_runs++], later_run) < 0) return -1;
    ox_frame_set_hook(s->f, NULL, NULL);
    keep_once(p);
    return plan_facts_get(s->f, p->arena, &p->plan);
}

/* ---- the command ---- */

static int tell(profile *p) {
    run_args *a = p->a;
    ox_out *trace = a->out ? profile_trace(p, a->out) : NULL;
    if (a->out && !trace) return -1;
    ox_text csv = {.arena = p->arena};
    if (a->csv) profile_csv(p, &csv);
    bool quiet = a->json || a->csv || (a->out && !strcmp(a->out, "-"));
    if (run_write_files(a, a->json ? profile_json(p) : NULL, &csv, trace) < 0) return -1;
    if (!quiet) profile_print(p);
    return 0;
}

int run_profile(run_args *a) {
    run_session s = {0};
    if (run_operands(a, 1, false, "one MODEL") < 0) return -1;
    profile p = {.a = a, .s = &s, .arena = a->c.ctx->arena, .roof = {a->roof_gflops, a->roof_gbps}};
    ox_map_init(&p.shapes, p.arena);
    ox_map_init(&p.indices, p.arena);
    s.integers = true;
    int result = run_session_open(a, &s);
    p.opened = nanoseconds(&p, s.opened);
    p.ready = nanoseconds(&p, s.ready);
    if (result == 0) result = run_all(&p, &s);
    if (result == 0 && !a->roof_gflops) result = profile_measure_roof(a->c.ctx, &p.roof);
    if (result == 0) result = tell(&p);
    run_session_close(&s);
    return result;
}
