/* The frame: makes a plan of a model, then runs it as often as wanted.
 *
 * A run fills cells and empties each after its last use. The first run with new input shapes allocates and takes notes; from
 * the second on values and scratch memory lie where place.c planned, and nothing is allocated (slots.c). After a
 * failure all cells are emptied; nothing of a run stays. */
#include "exec/native.h"
#include "exec/plan.h"

#include <string.h>
#include <time.h>

enum {
    LOOK_EVERY = 8,   /* steps between looks at the processor's clock, which is a system call */
    LEAST_COPY = 4096 /* bytes of a copy that is worth dropping */
};

static double processor_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void empty(ox_cell *cell) {
    ox_rt_unref(*cell);
    *cell = NULL;
}

static void empty_plan(ox_plan *p) {
    for (size_t i = 0; i < p->n_cells; i++) empty(&p->cells[i]);
}

/* ---- running */

static int run_plan(ox_frame *f, ox_plan *p, ox_rt **out, size_t n_out);

/* ox_run.run_body: the kernel of a node with a body calls back. */
static int run_body(ox_run *r, ox_graph *body, ox_rt **in, int n_in, ox_rt **out, int n_out) {
    ox_frame *f = r->frame;
    ox_plan *p = ox_map_get(&f->plan_of, body);
    if (!p) return ox_fail(f->ctx, OX_BUG, "a body that was not planned");
    for (int i = 0; i < n_out; i++) out[i] = NULL;
    if ((size_t)n_in != body->n_inputs || (uint32_t)n_out > body->ret->n_in)
        return ox_fail(f->ctx, OX_BAD_DATA, "the body takes %zu inputs and gives %u outputs, not %d and %d",
                       body->n_inputs, body->ret->n_in, n_in, n_out);
    for (int i = 0; i < n_in; i++)
        if (p->inputs[i] && in[i]) *p->inputs[i] = ox_rt_ref(in[i]);
    return run_plan(f, p, out, (size_t)n_out);
}

/* Brings payloads of constants into memory before the first use: that may read a file, and fail. */
static int fetch_constants(ox_step *s, ox_rt *const *in) {
    for (int i = 0; i < s->n_in; i++)
        if (in[i] && in[i]->kind == OX_RT_TENSOR && !ox_tensor_data(in[i]->t)) return -1;
    s->ready = true;
    return 0;
}

static int take_outputs(ox_worker *w, const ox_step *s) {
    int rc = 0;
    for (int i = 0; i < s->call.n_out; i++) {
        ox_rt *v = w->out[i];
        w->out[i] = NULL;
        if (!s->out[i]) {
            ox_rt_unref(v);
            continue;
        }
        if (!v) rc = ox_fail(w->ctx, OX_BUG, "output %d was not made", i);
        ox_rt_unref(*s->out[i]);
        *s->out[i] = v;
    }
    return rc;
}

/* What is done with a step's outputs besides handing them on: nothing for steps that run once. */
static int look_at_outputs(ox_running *now, ox_rt **in, ox_rt **out) {
    if (!now) return 0;
    if (now->place->placed) return ox_keep_apart(now, out);
    ox_note_outputs(now, in, out);
    return 0;
}

static void tell(ox_frame *f, const ox_plan *p, const ox_worker *w, const ox_step *s, const ox_running *now, double start) {
    ox_step_info info = {.node = s->node, .with = s->with, .n_with = s->n_with, .start = start, .seconds = now_seconds() - start,
        .arena_offset = UINT64_MAX, .depth = p->depth, .lane = now ? now->lane : 0, .position = now ? (int64_t)now->at : -1};
    const ox_placement *m = now ? now->place : NULL;
    const ox_choice *c = m ? m->notes[now->step].choice : NULL;
    info.algorithm = c ? c->list[c->taken].name : s->native ? s->native->name : NULL;
    for (size_t i = 0; m && i < m->notes[now->step].n_scratch; i++) info.scratch += m->notes[now->step].scratch[i];
    if (m && m->placed && s->call.n_out) info.arena_offset = m->slots[now->step][0].offset;
    pthread_mutex_lock(&f->hook_lock);
    f->hook(f->user, &info, w->in, s->n_in, w->out, s->call.n_out);
    pthread_mutex_unlock(&f->hook_lock);
}

static int within_budget(const ox_frame *f, ox_worker *w, double now) {
    if (f->until > 0 && now > f->until)
        return ox_fail(w->ctx, OX_UNAVAILABLE, "the time budget of %g s is used up", f->seconds);
    if (f->processor_until > 0 && ++w->looked % LOOK_EVERY == 0 && processor_time() > f->processor_until)
        return ox_fail(w->ctx, OX_UNAVAILABLE, "the budget of processor time is used up");
    return 0;
}

static int run_step(ox_frame *f, ox_plan *p, ox_worker *w, ox_step *s, ox_running *now) {
    ox_rt **in = w->in, **out = w->out;
    double start = f->hook || f->until > 0 ? now_seconds() : 0;
    if (within_budget(f, w, start)) return -1;
    for (int i = 0; i < s->n_in; i++) in[i] = s->in[i] ? *s->in[i] : NULL;
    for (int i = 0; i < s->call.n_out; i++) out[i] = NULL;
    if (!s->ready && fetch_constants(s, in)) return -1;
    s->call.ctx = w->ctx;
    s->call.arena = w->scratch;
    ox_run r = {.ctx = w->ctx,
                .call = &s->call,
                .in = in,
                .out = out,
                .arena = w->scratch,
                .run_body = run_body,
                .frame = f,
                .memory = !now ? NULL : now->place->placed ? &ox_slot_memory : &ox_notes_memory,
                .kept = now ? &s->kept : NULL,
                .step = now,
                .instead = s->native ? s->native->run : NULL,
                .state = s->state,
                .tunes = f->tuning != NULL};
    int rc = ox_run_kernel(&r);
    if (!rc && f->hook) tell(f, p, w, s, now, start);
    if (!rc && now && !now->place->placed && ox_choose_measure(now, &r)) {
        for (int i = 0; i < s->call.n_out; i++) empty(&out[i]);
        rc = -1;
    }
    if (!rc && look_at_outputs(now, in, out)) {
        for (int i = 0; i < s->call.n_out; i++) empty(&out[i]);
        rc = -1;
    }
    if (!rc) rc = take_outputs(w, s);
    ox_arena_reset(w->scratch);
    return rc;
}

static bool made_once(const ox_plan *p, const ox_cell *cell) {
    uintptr_t at = (uintptr_t)cell, first = (uintptr_t)p->made_once;
    return at >= first && at < first + p->n_made_once * sizeof *cell;
}

/* Of what was made once in the main graph: what no step reads goes, and what one step reads goes when that has packed it. */
static void pass_on(ox_frame *f, ox_plan *p) {
    uint32_t *uses = OX_NEW_N(f->scratch[0], uint32_t, p->n_made_once + 1);
    for (const ox_plan *q = f->plans; q; q = q->next) {
        for (size_t k = 0; k < q->n_steps; k++)
            for (int i = 0; i < q->steps[k].n_in; i++)
                if (made_once(p, q->steps[k].in[i])) uses[q->steps[k].in[i] - p->made_once]++;
        for (size_t k = 0; k < q->n_once && q != p; k++)
            for (int i = 0; i < q->once[k].n_in; i++)
                if (made_once(p, q->once[k].in[i])) uses[q->once[k].in[i] - p->made_once] += 2;
        for (size_t i = 0; i < q->graph->ret->n_in; i++)
            if (made_once(p, q->outputs[i])) uses[q->outputs[i] - p->made_once] += 2;
    }
    for (size_t c = 0; c < p->n_made_once; c++) {
        ox_rt *v = p->made_once[c];
        if (!uses[c]) empty(&p->made_once[c]);
        else if (uses[c] == 1 && v && v->refs == 1 && v->kind == OX_RT_TENSOR && v->t->refs == 1) v->t->passing = true;
    }
}

/* Constants that must be copied from the file: for one step that packs them the copies go, too; others read them in every run. */
static void pass_copies(ox_frame *f) {
    ox_map readers;
    ox_map_init(&readers, f->scratch[0]);
    for (const ox_plan *q = f->plans; q; q = q->next)
        for (size_t k = 0; k < q->n_steps; k++)
            for (int i = 0; i < q->steps[k].n_in; i++) {
                const ox_rt *v = q->steps[k].in[i] && q->steps[k].in_cell[i] == OX_NO_CELL ? *q->steps[k].in[i] : NULL;
                if (!v || v->kind != OX_RT_TENSOR || v->t->bytes < LEAST_COPY || !ox_tensor_copied(v->t)) continue;
                v->t->passing = !ox_map_has(&readers, v->t);
                ox_map_put(&readers, v->t, v->t);
            }
}

int ox_run_step(ox_frame *f, ox_plan *p, ox_worker *w, ox_step *s, ox_running *now) {
    return run_step(f, p, w, s, now) ? ox_fail_in_node(w->ctx, s->node) : 0;
}

static int run_once(ox_frame *f, ox_plan *p) {
    for (size_t k = 0; k < p->n_once; k++)
        if (ox_run_step(f, p, &p->worker, &p->once[k], NULL)) return -1;
    p->once_done = true;
    if (p->depth) return 0;
    if (p->n_made_once) pass_on(f, p);
    pass_copies(f);
    ox_arena_reset(f->scratch[0]);
    return 0;
}

static int run_steps(ox_frame *f, ox_plan *p, ox_placement *m) {
    const uint32_t *from = m->placed ? m->release_from : p->release_from, *cells = m->placed ? m->release : p->release;
    int rc;
    if (m->lanes && ox_lanes_run(f, m, &rc)) return rc;
    for (uint32_t k = 0; k < p->n_steps; k++) {
        ox_running now = {.f = f, .ctx = f->ctx, .plan = p, .place = m, .step = m->placed ? m->order[k] : k, .at = k};
        if (ox_run_step(f, p, &p->worker, &p->steps[now.step], &now)) return -1;
        for (uint32_t i = from[k]; i < from[k + 1]; i++) empty(&p->cells[cells[i]]);
    }
    return 0;
}

/* Memory for a run with the inputs that lie in the cells; NULL after ox_fail. */
static ox_placement *prepare_memory(ox_frame *f, ox_plan *p) {
    size_t known = p->placements ? 1 : 0;
    ox_placement *m = ox_placement_for(f, p);
    bool noted = known && m->noted;
    if (!noted) {
        for (size_t k = 0; k < p->n_steps; k++) m->notes[k].n_scratch = 0, m->notes[k].choice = NULL; /* of a run that failed */
        return m;
    }
    if ((!m->placed && ox_place(f, p, m)) || ox_placement_use(f, p, m)) return NULL;
    return m;
}

static int run_plan(ox_frame *f, ox_plan *p, ox_rt **out, size_t n_out) {
    ox_placement *m = !p->once_done && run_once(f, p) ? NULL : prepare_memory(f, p);
    if (!m || run_steps(f, p, m)) {
        empty_plan(p);
        return -1;
    }
    m->noted = true;
    if (!p->depth && !m->placed && f->memory_budget != UINT64_MAX && ox_place(f, p, m)) { /* it cannot be kept */
        empty_plan(p);
        return -1;
    }
    for (size_t i = 0; i < n_out; i++) {
        ox_rt *v = p->outputs[i] ? *p->outputs[i] : NULL;
        if (v) {
            out[i] = ox_rt_ref(v);
            continue;
        }
        while (i--) empty(&out[i]);
        empty_plan(p);
        return ox_fail(f->ctx, OX_BAD_DATA, "an output has no value");
    }
    empty_plan(p);
    return 0;
}

/* The plan for the inputs of the last run. NULL after ox_fail(). */
static const ox_placement *planned(ox_frame *f) {
    ox_placement *m = f->main->placements;
    if (m && m->noted && (m->placed || !ox_place(f, f->main, m))) return m;
    if (!m || !m->noted) ox_fail(f->ctx, OX_BUG, "memory is planned from a run, and there was none");
    return NULL;
}

int ox_frame_place(ox_frame *f, ox_place_stats *s) {
    const ox_placement *m = planned(f);
    if (m) *s = m->stats;
    return m ? 0 : -1;
}

int ox_frame_buffers(ox_frame *f, ox_arena *arena, ox_place_buffer **list, size_t *n) {
    const ox_placement *m = planned(f);
    if (!m) return -1;
    *list = ox_dup(arena, m->buffers, (m->stats.buffers + 1) * sizeof *m->buffers);
    *n = m->stats.buffers;
    return 0;
}

int ox_frame_order(ox_frame *f, ox_arena *arena, const ox_node ***list, size_t *n) {
    const ox_placement *m = planned(f);
    if (!m) return -1;
    *n = f->main->n_steps;
    *list = OX_NEW_N(arena, const ox_node *, *n + 1);
    for (size_t k = 0; k < *n; k++) (*list)[k] = f->main->steps[m->order[k]].node;
    return 0;
}

/* ---- inputs of the main graph */

static const char *given_text(ox_arena *a, const ox_rt *v) {
    if (v->kind != OX_RT_TENSOR)
        return v->kind == OX_RT_SEQUENCE ? "a sequence" : v->kind == OX_RT_MAP ? "a map" : "nothing";
    ox_text t = {.arena = a};
    ox_text_add(&t, ox_dtype_name(v->t->dtype));
    ox_text_add(&t, "[");
    for (int i = 0; i < v->t->rank; i++) ox_text_addf(&t, "%s%lld", i ? "," : "", (long long)v->t->dims[i]);
    ox_text_add(&t, "]");
    return t.data;
}

static bool fits(const ox_type *want, const ox_rt *v) {
    if (!want || want->kind == OX_K_UNKNOWN || want->kind == OX_K_OPAQUE) return true;
    if (want->kind == OX_K_OPTIONAL) return v->kind == OX_RT_NONE || fits(want->elem, v);
    if (want->kind == OX_K_SEQUENCE) {
        for (int64_t i = 0; v->kind == OX_RT_SEQUENCE && i < v->n; i++)
            if (!fits(want->elem, v->items[i])) return false;
        return v->kind == OX_RT_SEQUENCE;
    }
    if (want->kind == OX_K_MAP) return v->kind == OX_RT_MAP;
    if (v->kind != OX_RT_TENSOR || (want->dtype && want->dtype != v->t->dtype)) return false;
    if (want->kind != OX_K_TENSOR || want->rank < 0) return true;
    if (want->rank != v->t->rank) return false;
    for (int i = 0; i < want->rank; i++) {
        int64_t n;
        if (ox_dim_is_const(want->dims[i], &n) && n != v->t->dims[i]) return false;
    }
    return true;
}

int ox_check_input(ox_model *m, size_t i, const ox_rt *v) {
    const ox_value *x = m->graph->inputs[i];
    if (fits(x->type, v)) return 0;
    ox_arena *a = ox_arena_new(m->ctx);
    ox_fail(m->ctx, OX_BAD_DATA, "input '%s' is %s, the model takes %s", x->name, given_text(a, v), ox_type_text(a, x->type));
    ox_arena_free(a);
    return -1;
}

static int set_input(ox_frame *f, size_t i, ox_rt *v) {
    const ox_value *x = f->main->graph->inputs[i];
    if (!f->main->inputs[i]) {
        if (!v) return 0;
        return ox_fail(f->ctx, OX_BAD_DATA, "input '%s' is a constant%s", x->name, ox_constant(x) ? " of a model before IR version 4" : " here");
    }
    if (!v && x->data) {
        ox_rt **d = &f->default_values[i];
        if (!ox_tensor_data(x->data) || (!*d && !(*d = ox_rt_tensor(f->ctx, ox_tensor_ref(x->data))))) return -1;
        *f->main->inputs[i] = ox_rt_ref(*d);
        return 0;
    }
    if (!v) return ox_fail(f->ctx, OX_BAD_DATA, "input '%s' has no value", x->name);
    if (ox_check_input(f->model, i, v)) return -1;
    if (v->kind == OX_RT_TENSOR && !ox_tensor_data(v->t)) return -1;
    *f->main->inputs[i] = ox_rt_ref(v);
    return 0;
}

typedef struct job {
    ox_frame *f;
    ox_rt *const *in;
    ox_rt **out;
} job;

static int run_main(void *arg) {
    job *j = arg;
    ox_frame *f = j->f;
    for (size_t i = 0; i < f->main->graph->n_inputs; i++)
        if (set_input(f, i, j->in[i])) return -1;
    return run_plan(f, f->main, j->out, f->main->graph->ret->n_in);
}

int ox_frame_run(ox_frame *f, ox_rt *const *in, ox_rt **out) {
    size_t n = f->main->graph->ret->n_in;
    for (size_t i = 0; i < n; i++) out[i] = NULL;
    f->until = f->seconds > 0 ? now_seconds() + f->seconds : 0;
    job j = {f, in, out};
    if (!ox_protect(f->ctx, run_main, &j)) return 0;
    for (ox_plan *p = f->plans; p; p = p->next) empty_plan(p); /* memory may have run out anywhere */
    for (size_t i = 0; i < n; i++) empty(&out[i]);
    return -1;
}

void ox_frame_set_hook(ox_frame *f, ox_frame_hook hook, void *user) {
    f->hook = hook;
    f->user = user;
}

void ox_frame_set_tuning(ox_frame *f, ox_tuning *t, ox_on_miss miss) {
    f->tuning = t;
    f->on_miss = miss;
}

void ox_frame_set_limits(ox_frame *f, uint64_t workspace, uint64_t memory) {
    f->workspace_limit = workspace;
    f->memory_budget = memory;
    for (ox_plan *p = f->plans; p; p = p->next) (void)ox_placements_forget(f, p);
}

int ox_frame_choices(ox_frame *f, ox_arena *arena, ox_step_choice **list, size_t *n) {
    const ox_placement *m = planned(f);
    if (!m) return -1;
    *list = OX_NEW_N(arena, ox_step_choice, f->main->n_steps + 1);
    *n = 0;
    for (size_t k = 0; k < f->main->n_steps; k++) {
        const ox_choice *c = m->notes[k].choice;
        if (c && c->n > 1) (*list)[(*n)++] = (ox_step_choice){f->main->steps[k].node, c->list, c->seconds, c->n, c->taken};
    }
    return 0;
}

void ox_frame_set_deadline(ox_frame *f, double seconds) { f->seconds = seconds; }

void ox_frame_set_processor_deadline(ox_frame *f, double at_seconds) { f->processor_until = at_seconds; }

/* ---- operators without a kernel */

enum { MOST_NAMES = 10 };

typedef struct missing {
    ox_arena *arena;
    ox_map functions; /* those looked at */
    const char *names[MOST_NAMES];
    int n;
} missing;

static void add_missing(missing *m, const ox_node *n) {
    const char *name = n->domain[0] ? ox_format(m->arena, "%s::%s", n->domain, n->op_type) : n->op_type;
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->names[i], name)) return;
    if (m->n < MOST_NAMES) m->names[m->n++] = name;
}

static int look_in_graph(ox_graph *g, void *user) {
    missing *m = user;
    for (ox_node *n = g->first; n; n = n->next) {
        if (n->callee) {
            if (ox_map_has(&m->functions, n->callee)) continue;
            ox_map_put(&m->functions, n->callee, n->callee);
            look_in_graph(n->callee->body, m); /* depth of calls: bounded on import */
            continue;
        }
        bool constant = n->n_out == 1 && n->out[0] && ox_constant(n->out[0]);
        if (!constant && (!n->op || !n->op->kernel)) add_missing(m, n);
        ox_each_body(n, look_in_graph, m);
    }
    return 0;
}

static void find_missing(missing *m, ox_graph *g, ox_arena *arena) {
    m->arena = arena;
    m->n = 0;
    ox_map_init(&m->functions, arena);
    look_in_graph(g, m);
}

const char *ox_missing_kernel(ox_model *model, ox_arena *arena) {
    missing m;
    find_missing(&m, model->graph, arena);
    return m.n ? m.names[0] : NULL;
}

/* ---- making and freeing */

static int has_call(ox_graph *g, void *user) {
    for (ox_node *n = g->first; n; n = n->next)
        if (n->callee || ox_each_body(n, has_call, user)) return 1;
    return 0;
}

static int has_decided(ox_graph *g, void *user) {
    for (ox_node *n = g->first; n; n = n->next)
        if ((ox_is(n, "If") && ox_condition_of(n) >= 0) || ox_each_body(n, has_decided, user)) return 1;
    return 0;
}

static int make_frame(void *arg) {
    ox_frame *f = arg;
    missing m;
    find_missing(&m, f->model->graph, f->arena);
    if (m.n) {
        ox_text t = {.arena = f->arena};
        for (int i = 0; i < m.n; i++) ox_text_addf(&t, "%s%s", i ? ", " : "", m.names[i]);
        return ox_fail(f->ctx, OX_UNAVAILABLE, "no kernel for: %s", t.data);
    }
    bool decide = !f->options.plain && has_decided(f->model->graph, NULL);
    if (decide || has_call(f->model->graph, NULL)) {
        f->copy = ox_model_copy(f->model);
        if (!f->copy) return -1;
        f->copy->run_only = true; /* opsets may mix: nodes keep their rows */
        if (ox_inline_all(f->copy) < 0 || (decide && ox_decide_ifs(f->copy))) return -1;
        f->model = f->copy;
    }
    f->default_values = OX_NEW_N(f->arena, ox_rt *, f->model->graph->n_inputs + 1);
    return ox_plan_model(f);
}

ox_frame *ox_frame_new(ox_model *m) { return ox_frame_new_with(m, &(ox_frame_options){0}); }

ox_frame *ox_frame_bare(ox_model *m, const ox_frame_options *o) {
    ox_arena *arena = ox_arena_new(m->ctx);
    if (!arena) return NULL;
    ox_frame *f = OX_NEW(arena, ox_frame);
    f->ctx = m->ctx;
    f->arena = arena;
    f->model = m;
    f->options = *o;
    f->workspace_limit = f->memory_budget = UINT64_MAX;
    pthread_mutex_init(&f->hook_lock, NULL);
    ox_recycle(m->ctx, 1);
    return f;
}

ox_frame *ox_frame_new_with(ox_model *m, const ox_frame_options *o) {
    ox_frame *f = ox_frame_bare(m, o);
    if (f && !ox_protect(m->ctx, make_frame, f)) return f;
    ox_frame_free(f);
    return NULL;
}

void ox_frame_free(ox_frame *f) {
    if (!f) return;
    ox_lanes_free(f);
    pthread_mutex_destroy(&f->hook_lock);
    for (ox_plan *p = f->plans; p; p = p->next) {
        empty_plan(p);
        ox_placements_free(f, p);
        for (size_t k = 0; k < p->n_made_once; k++) empty(&p->made_once[k]);
        for (size_t k = 0; k < p->n_steps; k++) {
            ox_step *s = &p->steps[k];
            if (s->native && s->state && s->native->done) s->native->done(f->ctx, s->state);
            if (s->kept.data && s->kept.free) s->kept.free(s->kept.data);
        }
    }
    for (ox_made_tensor *m = f->made; m; m = m->next) ox_tensor_unref(m->t);
    for (size_t i = 0; f->default_values && i < f->model->graph->n_inputs; i++) ox_rt_unref(f->default_values[i]);
    for (ox_constant_cell *c = f->constants; c; c = c->next) ox_rt_unref(c->value);
    for (int i = 0; i < f->n_scratch; i++) ox_arena_free(f->scratch[i]);
    ox_model_free(f->copy);
    ox_recycle(f->ctx, -1);
    ox_arena_free(f->arena);
}
