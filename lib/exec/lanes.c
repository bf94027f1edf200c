/* Lanes: threads that run independent steps of one graph at once (schedule.h).
 *
 * Lane 0 is the caller's thread, the others are threads of the frame that sleep between runs. They are no threads of an OpenMP team, so that the loops of
 * an operator have a team of their own in each lane, which stays between loops. A lane counts the steps it has done; who waits for one looks at that
 * number for a moment, then sleeps until any lane has moved. A step that begins while all other lanes wait has all threads. Every lane has a context of its own: an error, and the way back when memory is used up,
 * belong to it. After an error the others stop at their next step, and of several errors that of the first step in the file's order is told. */
#include "exec/plan.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum { LOOKS = 500, YIELDS = 20 }; /* before it sleeps */
/* A team of another size than the last one is made anew: what a step must cost to be worth it. */
static const uint64_t team_ns = 10000000;

typedef struct lane {
    ox_lanes *all;
    ox_worker worker;
    pthread_t thread;
    uint32_t number, runs; /* runs that it has begun */
    uint32_t step;         /* that it runs */
    int team;              /* threads for loops when it starts */
    bool failed;
    _Alignas(64) _Atomic uint32_t done; /* steps of this run; others look at it */
} lane;

struct ox_lanes {
    ox_frame *f;
    uint32_t n;             /* lanes, with the caller's */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    _Atomic uint32_t asleep;
    _Atomic uint32_t runs;  /* that have begun */
    _Atomic uint32_t ended; /* threads that have done their part of this run */
    _Atomic uint32_t busy;  /* lanes that do not wait */
    _Atomic bool stop;      /* a lane has failed */
    bool quit;
    ox_placement *m;        /* of this run */
    int threads, share;     /* for a step while no other runs, and else */
    lane lane[OX_LANES];
};

/* ---- waiting */

static void rest_a_moment(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Until *what has reached COUNT (numbers go round), or, unless DEAF, a lane has failed. */
static bool reached(const ox_lanes *a, _Atomic uint32_t *what, uint32_t count, bool deaf) {
    return (int32_t)(atomic_load(what) - count) >= 0 || (!deaf && atomic_load(&a->stop));
}

static void wait_for(ox_lanes *a, _Atomic uint32_t *what, uint32_t count, bool deaf) {
    for (int i = 0; i < LOOKS + YIELDS; i++) {
        if (reached(a, what, count, deaf)) return;
        if (i < LOOKS) rest_a_moment();
        else sched_yield();
    }
    pthread_mutex_lock(&a->lock);
    atomic_fetch_add(&a->asleep, 1);
    while (!reached(a, what, count, deaf)) pthread_cond_wait(&a->moved, &a->lock);
    atomic_fetch_sub(&a->asleep, 1);
    pthread_mutex_unlock(&a->lock);
}

/* After a number has changed. Who is about to sleep counts himself before he looks for the last time, so one of both sees the other. */
static void wake(ox_lanes *a) {
    if (!atomic_load(&a->asleep)) return;
    pthread_mutex_lock(&a->lock);
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
}

/* ---- one lane */

/* Cells that nobody touches any more. */
static void release(const ox_plan *p, const ox_lanes_plan *l, uint32_t place) {
    for (uint32_t i = l->touch_from[place]; i < l->touch_from[place + 1]; i++) {
        uint32_t cell = l->touched[i];
        if (atomic_fetch_sub(&l->left[cell], 1) != 1) continue;
        ox_rt_unref(p->cells[cell]);
        p->cells[cell] = NULL;
    }
}

/* The steps of other lanes that the next one needs. */
static void wait_for_lanes(ox_lanes *a, const ox_lanes_plan *l, uint32_t place) {
    for (uint32_t w = l->wait_from[place]; w < l->wait_from[place + 1]; w++) {
        _Atomic uint32_t *done = &a->lane[l->waits[w].lane].done;
        if (reached(a, done, l->waits[w].done, false)) continue;
        atomic_fetch_sub(&a->busy, 1);
        wait_for(a, done, l->waits[w].done, false);
        atomic_fetch_add(&a->busy, 1);
    }
}

static int threads_for(ox_lanes *a, uint32_t step) {
    bool others = atomic_load(&a->busy) > 1;
    return !others && (a->share == 1 || a->m->notes[step].cost > team_ns) ? a->threads : a->share;
}

static int run_lane(void *arg) {
    lane *x = arg;
    ox_lanes *a = x->all;
    ox_plan *p = a->f->main;
    const ox_lanes_plan *l = a->m->lanes;
    for (uint32_t place = l->from[x->number]; place < l->from[x->number + 1]; place++) {
        x->step = l->steps[place];
        wait_for_lanes(a, l, place);
        if (atomic_load(&a->stop)) return 0;
        ox_running now = {.f = a->f, .ctx = x->worker.ctx, .plan = p, .place = a->m, .step = x->step, .at = l->position[place], .lane = x->number};
        x->worker.ctx->threads = threads_for(a, x->step);
        if (ox_run_step(a->f, p, &x->worker, &p->steps[x->step], &now)) return -1;
        release(p, l, place);
        atomic_fetch_add(&x->done, 1);
        wake(a);
    }
    return 0;
}

/* Memory may run out anywhere: what that jumps over is the step alone. */
static void run_part(lane *x) {
    if (x->number >= x->all->m->lanes->n) return;
    x->failed = ox_protect(x->worker.ctx, run_lane, x);
    atomic_fetch_sub(&x->all->busy, 1);
    if (!x->failed) return;
    atomic_store(&x->all->stop, true);
    wake(x->all);
}

static void *live(void *arg) {
    lane *x = arg;
    ox_lanes *a = x->all;
#pragma omp parallel num_threads(x->team) /* made now, so that no later run has to */
    rest_a_moment();
    for (;;) {
        wait_for(a, &a->runs, ++x->runs, true);
        if (a->quit) return NULL;
        run_part(x);
        atomic_fetch_add(&a->ended, 1);
        wake(a);
    }
}

/* ---- all of them */

/* One more; false when the system refuses it. */
static bool start(ox_lanes *a) {
    lane *x = &a->lane[a->n];
    const ox_plan *p = a->f->main;
    ox_ctx *ctx = ox_ctx_beside(a->f->ctx, (int)a->n);
    *x = (lane){.all = a, .number = a->n, .runs = atomic_load(&a->runs), .team = a->share > 1 ? a->share : a->threads};
    x->worker = (ox_worker){ctx, ox_arena_new(ctx), OX_NEW_N(a->f->arena, ox_rt *, p->most_in), OX_NEW_N(a->f->arena, ox_rt *, p->most_out), 0};
    bool ok = x->worker.scratch && (!a->n || !pthread_create(&x->thread, NULL, live, x));
    if (ok) {
        a->n++;
        return true;
    }
    ox_arena_free(x->worker.scratch); /* what is computed without it is the same */
    ox_clear_error(ctx);
    return ctx->starved = false;
}

static void end(void *lanes) {
    ox_lanes *a = lanes;
    a->quit = true;
    atomic_fetch_add(&a->runs, 1);
    wake(a);
    for (uint32_t i = 0; i < a->n; i++) {
        if (i) pthread_join(a->lane[i].thread, NULL);
        ox_arena_free(a->lane[i].worker.scratch);
    }
    pthread_cond_destroy(&a->moved);
    pthread_mutex_destroy(&a->lock);
    ox_payload_free(a);
}

void ox_lanes_free(ox_frame *f) {
    if (f->lanes) end(f->lanes);
    f->lanes = NULL;
}

/* A payload, so that the threads end with the context when nobody frees the frame. */
static int make_lanes(ox_frame *f) {
    ox_lanes *a = f->lanes = ox_payload_alloc(f->ctx, sizeof *a);
    if (!a) return -1;
    memset(a, 0, sizeof *a);
    a->f = f;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->moved, NULL);
    ox_payload_on_abandon(a, end);
    return 0;
}

static int tell_error(ox_lanes *a) {
    lane *first = NULL;
    for (uint32_t i = 0; i < a->n; i++) {
        lane *x = &a->lane[i];
        a->f->ctx->starved |= x->worker.ctx->starved;
        x->worker.ctx->starved = false;
        if (x->failed && (!first || x->step < first->step)) first = x;
    }
    return first ? ox_take_error(a->f->ctx, first->worker.ctx) : 0;
}

bool ox_lanes_run(ox_frame *f, ox_placement *m, int *rc) {
    *rc = f->lanes ? 0 : make_lanes(f);
    if (*rc) return true;
    ox_lanes *a = f->lanes;
    a->m = m;
    a->threads = ox_thread_count(f->ctx);
    a->share = a->threads / (int)m->lanes->n > 1 ? a->threads / (int)m->lanes->n : 1;
    while (a->n < m->lanes->n)
        if (!start(a)) return false;
    for (uint32_t i = 0; i < a->n; i++) {
        atomic_store(&a->lane[i].done, 0);
        a->lane[i].failed = false;
        a->lane[i].worker.ctx->limits = f->ctx->limits;
    }
    for (size_t c = 0; c < f->main->n_cells; c++) m->lanes->left[c] = m->lanes->users[c];
    atomic_store(&a->stop, false);
    atomic_store(&a->ended, 0);
    atomic_store(&a->busy, m->lanes->n);
    atomic_fetch_add(&ox_frames_in_lanes, 1);
    atomic_fetch_add(&a->runs, 1);
    wake(a);
    run_part(&a->lane[0]);
    wait_for(a, &a->ended, a->n - 1, true);
    atomic_fetch_sub(&ox_frames_in_lanes, 1);
    *rc = tell_error(a);
    return true;
}
