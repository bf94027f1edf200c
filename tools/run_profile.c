/* onnx-run profile: where the time of a run goes. Runs the model some times, then with a hook that takes notes of every call of a node; what a
 * note costs is measured and told apart. */
#include "tools/profile.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

/* ---- notes: shapes ---- */

enum { MOST_KEY = 4096 }; /* numbers of a key; what is beyond is not told apart */

typedef struct key { int64_t n[MOST_KEY]; size_t len; } key;

static void push(key *k, int64_t v) {
    if (k->len < MOST_KEY) k->n[k->len++] = v;
}

static void add_to_key(key *k, ox_rt *const *v, int n) {
    for (int i = 0; i < n; i++) {
        push(k, v[i] ? (int64_t)v[i]->kind : -1);
        if (v[i] && v[i]->kind == OX_RT_SEQUENCE) push(k, v[i]->n);
        const ox_tensor *t = v[i] ? v[i]->t : NULL;
        if (!t) continue;
        push(k, t->dtype);
        push(k, t->rank);
        for (int d = 0; d < t->rank; d++) push(k, t->dims[d]);
    }
}

static void add_dims(ox_text *t, const ox_tensor *v) {
    ox_text_add(t, "[");
    for (int d = 0; d < v->rank; d++) ox_text_addf(t, "%s%lld", d ? "," : "", (long long)v->dims[d]);
    ox_text_add(t, "]");
}

/* [{"float":[1,3,8,8]},...] as ONNX Runtime writes it; what is absent is passed over. */
static const char *values_json(ox_arena *arena, ox_rt *const *v, int n) {
    ox_text t = {.arena = arena};
    bool any = false;
    ox_text_add(&t, "[");
    for (int i = 0; i < n; i++) {
        if (!v[i] || v[i]->kind == OX_RT_NONE) continue;
        ox_text_add(&t, any ? "," : "");
        any = true;
        if (v[i]->kind == OX_RT_TENSOR) {
            ox_text_addf(&t, "{\"%s\":", ox_dtype_name(v[i]->t->dtype));
            add_dims(&t, v[i]->t);
            ox_text_add(&t, "}");
        } else {
            ox_text_addf(&t, "{\"%s\":[%lld]}", v[i]->kind == OX_RT_SEQUENCE ? "sequence" : "map", (long long)v[i]->n);
        }
    }
    ox_text_add(&t, "]");
    return t.data;
}

static const char *values_text(ox_arena *arena, ox_rt *const *v, int n) {
    ox_text t = {.arena = arena};
    ox_text_add(&t, "");
    for (int i = 0; i < n; i++) {
        if (i) ox_text_add(&t, " ");
        if (!v[i] || v[i]->kind == OX_RT_NONE) ox_text_add(&t, "-");
        else if (v[i]->kind == OX_RT_TENSOR) {
            ox_text_add(&t, ox_dtype_name(v[i]->t->dtype));
            add_dims(&t, v[i]->t);
        } else {
            ox_text_addf(&t, "%s of %lld", v[i]->kind == OX_RT_SEQUENCE ? "sequence" : "map", (long long)v[i]->n);
        }
    }
    return t.data;
}

/* The position of a node in its graph, as in the file: all nodes of a graph are numbered when the first of them is met. */
static int64_t index_of(profile *p, const ox_node *n) {
    uintptr_t known = (uintptr_t)ox_map_get(&p->indices, n), i = 0;
    if (known) return (int64_t)known - 1;
    for (const ox_node *k = n->graph ? n->graph->first : NULL; k; k = k->next) ox_map_put(&p->indices, k, (void *)++i);
    known = (uintptr_t)ox_map_get(&p->indices, n);
    return known ? (int64_t)known - 1 : -1;
}

static profile_shape *shape_for(profile *p, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    const ox_node *n = info->node;
    key k; /* not cleared: it is large */
    k.len = 0;
    add_to_key(&k, in, n_in);
    add_to_key(&k, out, n_out);
    profile_shape *first = ox_map_get(&p->shapes, n);
    for (profile_shape *s = first; s; s = s->other)
        if (s->n_key == k.len && s->n_with == info->n_with && !memcmp(s->key, k.n, k.len * sizeof *k.n)) return s;
    profile_shape *s = OX_NEW(p->arena, profile_shape);
    *s = (profile_shape){.node = n, .name = run_node_name(n), .index = index_of(p, n), .key = ox_dup(p->arena, k.n, k.len * sizeof *k.n), .n_key = k.len,
        .op = n->domain[0] ? ox_format(p->arena, "%s::%s", n->domain, n->op_type) : n->op_type, .other = first};
    s->shapes = values_text(p->arena, in, n_in);
    s->in_json = values_json(p->arena, in, n_in);
    s->out_json = values_json(p->arena, out, n_out);
    s->n_with = info->n_with;
    if (s->n_with) s->with = ox_dup(p->arena, info->with, s->n_with * sizeof *s->with);
    profile_count(n, s->with, s->n_with, in, n_in, out, n_out, &s->work);
    ox_map_put(&p->shapes, n, s);
    return s;
}

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
    profile_event e = {.shape = shape_for(p, info, in, n_in, out, n_out), .start = nanoseconds(p, info->start * 1e3),
        .end = nanoseconds(p, (info->start + info->seconds) * 1e3), .algorithm = info->algorithm, .scratch = info->scratch,
        .arena_offset = info->arena_offset, .depth = info->depth, .step = -1};
    if (!info->depth) e.step = p->step++;
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
    p->step = 0;
    p->hook = 0;
    if (p->n_inside) p->inside[0] = 0;
    double begin = run_now();
    int result = run(p, s);
    double end = run_now();
    r->start = nanoseconds(p, begin);
    r->end = nanoseconds(p, end);
    r->n = p->n_events - r->first;
    r->hook = p->hook;
    r->between = end - begin - (p->n_inside ? p->inside[0] : 0);
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
    int result = run_session_open(a, &s);
    p.opened = nanoseconds(&p, s.opened);
    p.ready = nanoseconds(&p, s.ready);
    if (result == 0) result = run_all(&p, &s);
    if (result == 0 && !a->roof_gflops) result = profile_measure_roof(a->c.ctx, &p.roof);
    if (result == 0) result = tell(&p);
    run_session_close(&s);
    return result;
}
