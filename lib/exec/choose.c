/* Which algorithm a step takes where it has several (ox_choose): limits, measured times, the memory budget.
 *
 * The run that takes notes keeps all candidates of a step, with their times when they are known. What is taken follows from the notes and the
 * limits, whenever memory is placed: the fastest within the limit where times are known, else the first of the kernel's own order. So another
 * limit needs no measuring, and time over the limit never rises. A budget is for the arena as a whole: a step's workspace may be as large as
 * what the values alive at that step leave of it. */
#include "exec/native.h"
#include "exec/plan.h"
#include "exec/tuning.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 8, RUNS_MOST = 40, RUNS_FEW = 3 };
static const double ENOUGH = 0.02, TOO_LONG = 0.3, HOPELESS = 3; /* seconds of runs that count; after which few runs do; times the best */

/* Bytes that the workspace of candidate K may have: its place in the order is what counts among equals. -1: none fits. */
static int pick(const ox_choice *c, uint64_t limit) {
    int best = -1;
    for (int k = 0; k < c->n; k++) {
        if (c->list[k].workspace > limit) continue;
        if (best < 0 || c->seconds[k] < c->seconds[best] || (isnan(c->seconds[best]) && !isnan(c->seconds[k]))) best = k;
    }
    return best;
}

static int least(const ox_choice *c) {
    int best = 0;
    for (int k = 1; k < c->n; k++)
        if (c->list[k].workspace < c->list[best].workspace) best = k;
    return best;
}

uint64_t ox_choose_smallest(const ox_choice *c) { return c->list[least(c)].workspace; }

static int fail_limit(ox_ctx *ctx, const ox_choice *c, uint64_t limit) {
    int k = least(c);
    return ox_fail(ctx, OX_NO_MEMORY, "needs a workspace of %" PRIu64 " bytes at least (%s), the limit is %" PRIu64, c->list[k].workspace,
                   c->list[k].name, limit);
}

/* ---- hooks ---- */

static void keep_candidates(ox_running *now, const ox_candidate *list, int n) {
    ox_arena *a = now->place->arena;
    ox_notes *notes = &now->place->notes[now->step];
    ox_choice *c = notes->choice = OX_NEW(a, ox_choice);
    *c = (ox_choice){.list = ox_dup(a, list, (size_t)n * sizeof *list), .n = n, .scratch = notes->n_scratch};
    c->seconds = OX_NEW_N(a, double, n);
    for (int k = 0; k < n; k++) c->seconds[k] = NAN;
}

int ox_choose_noted(ox_run *r, const ox_candidate *list, int n, void **workspace) {
    ox_running *now = r->step;
    ox_notes *notes = &now->place->notes[now->step];
    (void)workspace;
    keep_candidates(now, list, n);
    ox_choice *c = notes->choice;
    if ((c->taken = pick(c, now->f->workspace_limit)) < 0) return fail_limit(r->ctx, c, now->f->workspace_limit);
    OX_PUSH(now->place->arena, notes->scratch, notes->n_scratch, notes->cap_scratch, list[c->taken].workspace);
    return c->taken;
}

static bool same_list(const ox_choice *c, const ox_candidate *list, int n) {
    if (!c || c->n != n) return false;
    for (int k = 0; k < n; k++)
        if (c->list[k].workspace != list[k].workspace || strcmp(c->list[k].name, list[k].name)) return false;
    return true;
}

int ox_choose_placed(ox_run *r, const ox_candidate *list, int n, void **workspace) {
    ox_running *now = r->step;
    const ox_choice *c = now->place->notes[now->step].choice;
    if (same_list(c, list, n)) {
        if (list[c->taken].workspace) *workspace = now->place->base + now->place->scratch[now->step][c->scratch];
        now->n_scratch = c->scratch + 1;
        return c->taken;
    }
    for (int k = 0; k < n; k++) /* sizes depend on data: by the limit alone */
        if (list[k].workspace <= now->f->workspace_limit) return k;
    ox_choice other = {.list = (ox_candidate *)(uintptr_t)list, .n = n};
    return fail_limit(r->ctx, &other, now->f->workspace_limit);
}

/* ---- measuring ---- */

typedef struct trial { int candidate; } trial; /* what r->step points to */

static bool no_output(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims, uint32_t over, ox_rt **v) {
    (void)r, (void)i, (void)dtype, (void)rank, (void)dims, (void)over, (void)v;
    return false;
}

static bool no_share(ox_run *r, int i, const ox_tensor *in, ox_dtype dtype, int rank, const int64_t *dims, ox_rt **v) {
    (void)r, (void)i, (void)in, (void)dtype, (void)rank, (void)dims, (void)v;
    return false;
}

static void *no_scratch(ox_run *r, uint64_t bytes) {
    (void)r, (void)bytes;
    return NULL;
}

static int forced(ox_run *r, const ox_candidate *list, int n, void **workspace) {
    const trial *t = r->step;
    (void)list, (void)workspace;
    return t->candidate < n ? t->candidate : 0;
}

static const ox_run_memory trial_memory = {no_output, no_share, no_scratch, forced};

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double run_once(const ox_run *like, trial *t, ox_rt **out, int n_out) {
    ox_run r = *like;
    r.memory = &trial_memory;
    r.step = t;
    r.out = out;
    r.scratch = NULL;
    for (int i = 0; i < n_out; i++) out[i] = NULL;
    double start = seconds_now();
    int rc = ox_run_kernel(&r);
    double took = seconds_now() - start;
    for (int i = 0; i < n_out; i++) ox_rt_unref(out[i]);
    return rc ? -1 : took > 0 ? took : 1e-9;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The first run packs weights and fills caches; it does not count. BEST: of the candidates before; 0. -1 after ox_fail(). */
static int time_candidate(const ox_run *r, trial *t, ox_rt **out, int n_out, double best, double *median, double *spread) {
    double took[RUNS_MOST], sum = 0;
    int n = 0;
    if (run_once(r, t, out, n_out) < 0) return -1;
    while (n < RUNS_MOST && (n < RUNS || sum < ENOUGH) && (n < RUNS_FEW || sum < TOO_LONG)) {
        if ((took[n] = run_once(r, t, out, n_out)) < 0) return -1;
        sum += took[n++];
        if (n == 1 && best > 0 && sum > HOPELESS * best) break;
    }
    qsort(took, (size_t)n, sizeof *took, by_size);
    *median = took[n / 2];
    *spread = *median > 0 ? (took[3 * n / 4] - took[n / 4]) / *median : 0;
    return 0;
}

/* ---- keys ---- */

static void key_tensor(ox_text *t, const ox_rt *v) {
    if (!v || v->kind != OX_RT_TENSOR) {
        ox_text_add(t, " -");
        return;
    }
    ox_text_addf(t, " %s[", ox_dtype_name(v->t->dtype));
    for (int d = 0; d < v->t->rank; d++) ox_text_addf(t, "%s%" PRId64, d ? "," : "", v->t->dims[d]);
    ox_text_add(t, "]");
}

static void key_attr(ox_text *t, const ox_attr *a) {
    if (a->type == OX_A_INT) ox_text_addf(t, " %s=%" PRId64, a->name, a->i);
    if (a->type == OX_A_STRING) ox_text_addf(t, " %s=%.*s", a->name, (int)a->s.len, a->s.data);
    if (a->type != OX_A_INTS) return;
    ox_text_addf(t, " %s=", a->name);
    for (size_t i = 0; i < a->n; i++) ox_text_addf(t, "%s%" PRId64, i ? "," : "", a->is[i]);
}

static int by_name(const void *a, const void *b) { return strcmp((*(ox_attr *const *)a)->name, (*(ox_attr *const *)b)->name); }

/* Operator, inputs as they come, what is computed along with it, attributes: by these two steps are alike. */
static ox_sym key_of(const ox_run *r, const ox_step *s) {
    ox_arena *a = ox_arena_new(r->ctx);
    ox_text t = {.arena = a};
    ox_text_add(&t, r->call->op->name);
    for (size_t i = 0; i < s->n_with; i++) ox_text_addf(&t, "+%s", s->with[i]->op_type);
    for (int i = 0; i < s->n_in; i++) key_tensor(&t, r->in[i]);
    ox_attr **attrs = ox_dup(a, r->call->attrs, (size_t)r->call->n_attrs * sizeof *attrs);
    qsort(attrs, (size_t)r->call->n_attrs, sizeof(ox_attr *), by_name);
    for (int i = 0; i < r->call->n_attrs; i++)
        if (attrs[i]) key_attr(&t, attrs[i]);
    for (size_t i = 0; i < t.len; i++)
        if ((unsigned char)t.data[i] < ' ') t.data[i] = ' '; /* a tab would end the field */
    ox_sym key = ox_intern(r->ctx, t.data);
    ox_arena_free(a);
    return key;
}

int ox_choose_measure(ox_running *now, const ox_run *r) {
    ox_frame *f = now->f;
    const ox_step *s = &now->plan->steps[now->step];
    ox_choice *c = now->place->notes[now->step].choice;
    if (!f->tuning || !c || c->n < 2) return 0;
    ox_sym key = key_of(r, s);
    ox_rt **out = OX_NEW_N(r->arena, ox_rt *, s->call.n_out + 1);
    double best = 0;
    for (int k = 0; k < c->n; k++) {
        const ox_candidate *x = &c->list[k];
        const ox_timing *known = ox_tuning_find(f->tuning, key, x->name, x->workspace);
        if (!known && f->on_miss == OX_MISS_ERROR)
            return ox_fail(f->ctx, OX_UNAVAILABLE, "the tuning cache has no time of %s for '%s' on this machine", x->name, key);
        if (!known && f->on_miss == OX_MISS_HEURISTIC) continue;
        if (known) {
            c->seconds[k] = known->seconds;
        } else {
            trial t = {k};
            double spread;
            if (time_candidate(r, &t, out, s->call.n_out, best, &c->seconds[k], &spread)) return -1;
            ox_tuning_add(f->tuning, key, x->name, x->workspace, c->seconds[k], spread);
        }
        if (!best || c->seconds[k] < best) best = c->seconds[k];
    }
    return 0;
}

/* ---- when memory is placed ---- */

static void take(ox_notes *n, int k) {
    n->choice->taken = k;
    n->scratch[n->choice->scratch] = n->choice->list[k].workspace;
}

void ox_choose_least(const ox_plan *p, ox_placement *m) {
    for (size_t k = 0; k < p->n_steps; k++)
        if (m->notes[k].choice) take(&m->notes[k], least(m->notes[k].choice));
}

void ox_choose_tell(const ox_plan *p, const ox_placement *m) {
    for (size_t k = 0; k < p->n_steps; k++) {
        const ox_choice *c = m->notes[k].choice;
        const ox_step *s = &p->steps[k];
        if (c && s->native && s->native->taken) s->native->taken(s->state, c->list[c->taken].name);
    }
}

int ox_choose_within(const ox_frame *f, const ox_plan *p, ox_placement *m, const uint64_t *room) {
    for (size_t k = 0; k < p->n_steps; k++) {
        const ox_choice *c = m->notes[k].choice;
        if (!c) continue;
        int best = pick(c, room && room[k] < f->workspace_limit ? room[k] : f->workspace_limit);
        if (best < 0) return fail_limit(f->ctx, c, f->workspace_limit), ox_fail_in_node(f->ctx, p->steps[k].node);
        take(&m->notes[k], best);
    }
    return 0;
}
