/* Two models on the same inputs.
 *
 * The reference is run first. Where it fails (sizes that it does not take), the sample is replaced by another, a
 * bounded number of times. What the reference computes the other model must compute too; what neither can say is
 * UNKNOWN, never SAME.
 *
 * Tolerances fit what is computed in float. In float16 and bfloat16 a rewrite that is right in every way still moves a result by
 * some steps of the type, also where a Cast makes float of it before it leaves: `widen` allows an output as many steps of the
 * narrowest type on its way, and no other output any. */
#include "exec/inputs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct side {
    ox_model *m;
    ox_frame *f;
    size_t n_in, n_out;
    ox_rt **in, **out;
} side;

typedef struct job {
    ox_ctx *ctx;
    ox_arena *arena;
    side want, got;
    const ox_verify_options *o;
    ox_verify_result *r;
    size_t *input_of;  /* per input of got: the input of want; SIZE_MAX: none */
    size_t *output_of; /* per output of want: the output of got */
    ox_map lost;       /* of values and bodies of want: bits of float's fraction that were lost on the way to it */
    double until, processor_until;
    int replaced;
    bool refused[OX_INPUT_SIZES]; /* sizes on which the reference did not run */
    char first_failure[256];
} job;

static double processor_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static OX_PRINTF(3, 4) void decide(job *j, ox_verdict verdict, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    j->r->verdict = verdict;
    ox_printable(j->r->why, sizeof j->r->why, text);
}

static const char *error_of(job *j, const side *s) {
    return ox_error_text(s->m->ctx)[0] ? ox_error_text(s->m->ctx) : ox_error_text(j->ctx);
}

/* ---- the interfaces */

/* Index of a name in a list given by a function of it; linear lists are matched through a map. */
static void map_names(ox_map *map, ox_ctx *ctx, const ox_graph *g, bool outputs) {
    size_t n = outputs ? g->ret->n_in : g->n_inputs;
    for (size_t i = 0; i < n; i++) {
        const char *name = outputs ? g->out_names[i] : g->inputs[i]->name;
        ox_map_put(map, ox_intern(ctx, name),
                   (void *)(uintptr_t)(i + 1)); /* the models may have contexts of their own */
    }
}

static size_t index_of(const ox_map *map, ox_ctx *ctx, const char *name) {
    return (size_t)(uintptr_t)ox_map_get(map, ox_intern(ctx, name)) - 1;
}

/* 0: they match; 1: decided. */
static int match_interfaces(job *j) {
    const ox_graph *a = j->want.m->graph, *b = j->got.m->graph;
    ox_map inputs, outputs;
    ox_map_init(&inputs, j->arena);
    ox_map_init(&outputs, j->arena);
    map_names(&inputs, j->ctx, a, false);
    map_names(&outputs, j->ctx, b, true);
    j->input_of = OX_NEW_N(j->arena, size_t, b->n_inputs + 1);
    j->output_of = OX_NEW_N(j->arena, size_t, a->ret->n_in + 1);
    for (size_t i = 0; i < b->n_inputs; i++) {
        const ox_value *x = b->inputs[i];
        j->input_of[i] = index_of(&inputs, j->ctx, x->name);
        if (j->input_of[i] == SIZE_MAX && !x->data && !x->sparse)
            return decide(j, OX_V_DIFFERENT, "input '%s' is new", x->name), 1;
    }
    for (size_t i = 0; i < a->ret->n_in; i++) {
        j->output_of[i] = index_of(&outputs, j->ctx, a->out_names[i]);
        if (j->output_of[i] == SIZE_MAX) return decide(j, OX_V_DIFFERENT, "output '%s' is missing", a->out_names[i]), 1;
    }
    if (b->ret->n_in > a->ret->n_in)
        return decide(j, OX_V_DIFFERENT, "there are %u outputs instead of %u", b->ret->n_in, a->ret->n_in), 1;
    return 0;
}

/* ---- how exact the original is */

static unsigned most(unsigned a, unsigned b) { return a > b ? a : b; }

static unsigned lost_by(ox_dtype t) { return t == OX_BFLOAT16 ? 16 : t == OX_FLOAT16 ? 13 : 0; }

/* Types may not be inferred here: what is declared, what a value holds, and what operators are told to make says enough. */
static unsigned lost_by_type(const ox_type *t) {
    while (t && t->elem) t = t->elem;
    return t ? lost_by(t->dtype) : 0;
}

static unsigned lost_by_value(const job *j, const ox_value *v) {
    unsigned own = most(lost_by_type(v->type), lost_by_type(v->declared));
    return most(most(own, v->data ? lost_by(v->data->dtype) : 0), (unsigned)(uintptr_t)ox_map_get(&j->lost, v));
}

static unsigned lost_by_attr(const ox_attr *a) {
    if (a->type == OX_A_TENSOR) return a->t ? lost_by(a->t->dtype) : 0;
    return a->type == OX_A_INT && (!strcmp(a->name, "to") || !strcmp(a->name, "dtype")) ? lost_by((ox_dtype)a->i) : 0;
}

typedef struct lost_walk { job *j; unsigned lost; } lost_walk;

static int walk_lost(ox_graph *g, void *user);

/* Every output takes the worst of inputs, bodies and the node itself. */
static unsigned lost_by_node(job *j, ox_node *n) {
    lost_walk w = {j, 0};
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].v) w.lost = most(w.lost, lost_by_value(j, n->in[i].v));
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i]) w.lost = most(w.lost, lost_by_value(j, n->out[i]));
    for (uint32_t i = 0; i < n->n_attrs; i++) w.lost = most(w.lost, lost_by_attr(n->attrs[i]));
    ox_each_body(n, walk_lost, &w);
    if (n->callee) walk_lost(n->callee->body, &w);
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && w.lost) ox_map_put(&j->lost, n->out[i], (void *)(uintptr_t)w.lost);
    return w.lost;
}

/* A function's body is walked once, however often it is called. */
static int walk_lost(ox_graph *g, void *user) {
    lost_walk *w = user;
    uintptr_t known = (uintptr_t)ox_map_get(&w->j->lost, g);
    if (!known) {
        unsigned lost = 0;
        for (ox_node *n = g->first; n; n = n->next) lost = most(lost, lost_by_node(w->j, n));
        for (uint32_t i = 0; i < g->ret->n_in; i++)
            if (g->ret->in[i].v) lost = most(lost, lost_by_value(w->j, g->ret->in[i].v));
        ox_map_put(&w->j->lost, g, (void *)(known = 1 + (uintptr_t)lost));
    }
    w->lost = most(w->lost, (unsigned)known - 1);
    return 0;
}

static void find_lost(job *j) {
    ox_map_init(&j->lost, j->arena);
    if (j->o->widen) walk_lost(j->want.m->graph, &(lost_walk){j, 0});
}

enum { STEPS = 8 };

static ox_tolerance tolerance_of(const job *j, size_t output) {
    ox_tolerance tol = j->o->tol;
    const ox_value *v = j->want.m->graph->ret->in[output].v;
    unsigned lost = j->o->widen && v ? lost_by_value(j, v) : 0;
    double allowed = lost ? ldexp(STEPS, (int)lost - 23) : 0;
    if (tol.rtol < allowed) tol.rtol = allowed;
    if (tol.atol_of_magnitude && tol.atol < allowed) tol.atol = allowed;
    return tol;
}

/* ---- running */

/* Half precision is rounded after every operator: in joined steps it is not, and two models may be joined otherwise. */
static int find_half(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) {
            const ox_type *t = n->out[i] ? n->out[i]->type : NULL;
            if (t && (t->dtype == OX_FLOAT16 || t->dtype == OX_BFLOAT16)) return *(bool *)user = true, 1;
        }
    return 0;
}

static int open_side(job *j, side *s) {
    const ox_model *m = s->m;
    s->in = OX_NEW_N(j->arena, ox_rt *, m->graph->n_inputs + 1);
    s->out = OX_NEW_N(j->arena, ox_rt *, m->graph->ret->n_in + 1);
    s->n_in = m->graph->n_inputs;
    s->n_out = m->graph->ret->n_in;
    bool half = false;
    ox_each_graph(s->m, find_half, &half);
    s->f = ox_frame_new_with(s->m, &(ox_frame_options){.plain = half});
    return s->f ? 0 : -1;
}

static void drop(ox_rt **values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ox_rt_unref(values[i]);
        values[i] = NULL;
    }
}

static void drop_sample(job *j) {
    drop(j->want.in, j->want.n_in);
    drop(j->want.out, j->want.n_out);
    drop(j->got.out, j->got.n_out);
    for (size_t i = 0; i < j->got.n_in; i++) j->got.in[i] = NULL; /* borrowed from want */
}

static int run_side(job *j, side *s) {
    double left = j->until > 0 ? j->until - now() : 0;
    if (j->until > 0 && left <= 0)
        return ox_fail(s->m->ctx, OX_UNAVAILABLE, "the time budget of %g s is used up", j->o->seconds);
    ox_frame_set_deadline(s->f, left);
    ox_frame_set_processor_deadline(s->f, j->processor_until);
    return ox_frame_run(s->f, s->in, s->out);
}

/* The name of an operator that draws random numbers, NULL. */
static int find_random(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next)
        if (n->op && (n->op->flags & OX_RANDOM)) return *(const char **)user = n->op_type, 1;
    return 0;
}

static void keep_worst(job *j, const ox_difference *d, const char *output) {
    ox_difference *w = &j->r->worst;
    bool worse = d->same != w->same ? !d->same : d->max_rel > w->max_rel;
    if (!j->r->output || worse) {
        *w = *d;
        j->r->output = ox_intern(j->ctx, output);
    }
}

static void compare_sample(job *j) {
    const ox_graph *g = j->want.m->graph;
    for (size_t i = 0; i < j->want.n_out; i++) {
        ox_difference d;
        ox_tolerance tol = tolerance_of(j, i);
        ox_compare(j->want.out[i], j->got.out[j->output_of[i]], &tol, &d);
        keep_worst(j, &d, g->out_names[i]);
    }
    j->r->samples_run++;
    if (j->r->worst.same) return;
    const char *random = NULL;
    ox_each_graph(j->want.m, find_random, &random);
    if (random)
        decide(j, OX_V_UNKNOWN, "the results differ, but the model draws random numbers (%s)", random);
    else
        decide(j, OX_V_DIFFERENT, "output '%.100s' differs: %.300s", j->r->output, j->r->worst.text);
}

/* What to do after the reference failed. True: try another sample, of other sizes. */
static bool reference_failed(job *j, int sample) {
    int code = ox_error_code(j->want.m->ctx);
    bool hopeless = code == OX_UNAVAILABLE || code == OX_NO_MEMORY || code == OX_BUG || code == OX_IO;
    if (!j->first_failure[0]) snprintf(j->first_failure, sizeof j->first_failure, "%s", error_of(j, &j->want));
    j->refused[sample % OX_INPUT_SIZES] = true;
    if (!hopeless && ++j->replaced < OX_INPUT_SIZES) return true;
    if (!j->r->samples_run)
        decide(j, OX_V_UNKNOWN, "the original does not run: %s", hopeless ? error_of(j, &j->want) : j->first_failure);
    return false;
}

static void other_failed(job *j) {
    int code = ox_error_code(j->got.m->ctx);
    bool unknown = code == OX_UNAVAILABLE || code == OX_NO_MEMORY || code == OX_BUG || code == OX_IO;
    if (unknown && j->r->samples_run) return; /* a budget ended it; what was run was the same */
    decide(j, unknown ? OX_V_UNKNOWN : OX_V_DIFFERENT, "%s: %s",
           unknown ? "the result cannot be run" : "the result fails where the original runs", error_of(j, &j->got));
}

/* One sample; true: go on with the next. */
static bool run_sample(job *j, int sample) {
    ox_inputs_options io = {.seed = j->o->seed, .sample = sample, .dims = j->o->dims, .n_dims = j->o->n_dims};
    if (ox_make_inputs(j->want.m, &io, j->want.in) || run_side(j, &j->want)) return reference_failed(j, sample);
    for (size_t i = 0; i < j->got.n_in; i++)
        j->got.in[i] = j->input_of[i] == SIZE_MAX ? NULL : j->want.in[j->input_of[i]];
    if (run_side(j, &j->got)) {
        other_failed(j);
        return false;
    }
    compare_sample(j);
    return j->r->worst.same;
}

static void run_samples(job *j) {
    int wanted = j->o->samples > 0 ? j->o->samples : 1;
    bool more = true;
    for (int s = 0; more && j->r->samples_run < wanted; s++) {
        if (j->refused[s % OX_INPUT_SIZES]) continue;
        more = run_sample(j, s);
        drop_sample(j);
    }
    if (j->r->why[0]) return;
    if (!j->r->samples_run) {
        decide(j, OX_V_UNKNOWN, "no sample was run");
        return;
    }
    j->r->verdict = OX_V_SAME;
    if (j->replaced)
        snprintf(j->r->why, sizeof j->r->why, "samples replaced: %d; the original did not run on their sizes (%s)",
                 j->replaced, j->first_failure);
    else if (j->r->samples_run < wanted)
        snprintf(j->r->why, sizeof j->r->why, "%d of %d samples within the budget", j->r->samples_run, wanted);
}

static int verify(void *arg) {
    job *j = arg;
    if (match_interfaces(j)) return 0;
    find_lost(j);
    if (open_side(j, &j->want)) return decide(j, OX_V_UNKNOWN, "the original: %s", error_of(j, &j->want)), 0;
    if (open_side(j, &j->got)) return decide(j, OX_V_UNKNOWN, "the result: %s", error_of(j, &j->got)), 0;
    run_samples(j);
    return 0;
}

/* The limit that leaves MORE bytes besides those alive; 0 is no limit of our own. */
static uint64_t lower(uint64_t limit, uint64_t more, uint64_t alive) {
    if (!more) return limit;
    return limit && limit < alive + more ? limit : alive + more;
}

int ox_verify_models(ox_model *want, ox_model *got, const ox_verify_options *o, ox_verify_result *r) {
    ox_ctx *ctx = want->ctx;
    *r = (ox_verify_result){.verdict = OX_V_UNKNOWN, .worst = {.same = true, .sqnr = HUGE_VAL}};
    job j = {.ctx = ctx, .want = {.m = want}, .got = {.m = got}, .o = o, .r = r};
    j.until = o->seconds > 0 ? now() + o->seconds : 0;
    if (o->processor_seconds > 0) j.processor_until = processor_time() + o->processor_seconds;
    if (!(j.arena = ox_arena_new(ctx))) return -1;
    uint64_t limit = ctx->limits.memory, other_limit = got->ctx->limits.memory;
    ctx->limits.memory = lower(limit, o->memory, ox_payload_bytes(ctx));
    if (got->ctx != ctx) got->ctx->limits.memory = lower(other_limit, o->memory, ox_payload_bytes(got->ctx));
    if (ox_protect(ctx, verify, &j)) decide(&j, OX_V_UNKNOWN, "%s", ox_error_text(ctx));
    drop_sample(&j);
    ox_frame_free(j.want.f);
    ox_frame_free(j.got.f);
    ox_arena_free(j.arena);
    got->ctx->limits.memory = other_limit;
    ctx->limits.memory = limit;
    ox_clear_error(ctx);
    ox_clear_error(got->ctx);
    if (ctx->starved || got->ctx->starved) return ox_fail(ctx, OX_NO_MEMORY, "out of memory while results were compared");
    return 0;
}
