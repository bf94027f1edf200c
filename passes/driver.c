/* Runs the steps of a pipeline: options, scratch memory, counts and times, checks after each pass, the step limit for bisection. */
#include "passes/driver.h"

#include <stdio.h>
#include <time.h>

#define X(id) extern const ox_pass ox_pass_##id;
#include "passes/passes.def"
#undef X

static const ox_pass *const all_passes[] = {
#define X(id) &ox_pass_##id,
#include "passes/passes.def"
#undef X
};

enum { N_PASSES = sizeof all_passes / sizeof all_passes[0] };

const ox_pass *ox_pass_find(const char *name) {
    for (int i = 0; i < N_PASSES; i++)
        if (!strcmp(all_passes[i]->name, name)) return all_passes[i];
    return NULL;
}

int ox_each_pass(int (*fn)(const ox_pass *p, void *user), void *user) {
    for (int i = 0; i < N_PASSES; i++) {
        int stop = fn(all_passes[i], user);
        if (stop) return stop;
    }
    return 0;
}

/* ---- options ---- */

static const ox_option_value *value_of(const ox_pass_run *r, const char *name) {
    for (const ox_option_value *v = r->values; v && v->name; v++)
        if (!strcmp(v->name, name)) return v;
    static const ox_option_value none = {0};
    return &none;
}

int64_t ox_option_int(const ox_pass_run *r, const char *name) { return value_of(r, name)->i; }
double ox_option_double(const ox_pass_run *r, const char *name) { return value_of(r, name)->d; }
bool ox_option_bool(const ox_pass_run *r, const char *name) { return value_of(r, name)->i != 0; }
uint64_t ox_option_size(const ox_pass_run *r, const char *name) { return value_of(r, name)->size; }
const char *ox_option_text(const ox_pass_run *r, const char *name) { return value_of(r, name)->text; }

const char *const *ox_option_texts(const ox_pass_run *r, const char *name, size_t *n) {
    const ox_option_value *v = value_of(r, name);
    *n = v->n_texts;
    return v->texts;
}

ox_option_value *ox_option_defaults(ox_ctx *ctx, const ox_pass *pass) {
    size_t n = 0;
    while (pass->options && pass->options[n].name) n++;
    ox_option_value *values = OX_NEW_N(ctx->arena, ox_option_value, n + 1);
    for (size_t i = 0; i < n; i++) {
        const ox_option *o = &pass->options[i];
        values[i].name = o->name;
        if (!o->dflt) continue;
        values[i].text = o->dflt;
        if (o->kind == OX_O_INT) ox_parse_int(o->dflt, strlen(o->dflt), &values[i].i);
        if (o->kind == OX_O_DOUBLE) ox_parse_double(o->dflt, strlen(o->dflt), &values[i].d);
        if (o->kind == OX_O_BOOL) values[i].i = !strcmp(o->dflt, "true");
        if (o->kind == OX_O_SIZE) ox_size_parse(o->dflt, &values[i].size);
    }
    return values;
}

/* ---- running ---- */

typedef struct ox_driver {
    ox_model *m;
    const ox_pipeline_options *o;
    ox_pipeline_result *result;
    ox_arena *scratch;
    size_t cap_stats;
    bool typed;          /* types were inferred at least once */
    bool stopped;        /* the step limit is reached */
} ox_driver;

ox_save_options *ox_driver_save(ox_pass_run *r) { return &r->driver->result->save; }

void ox_pass_note(ox_pass_run *r, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const ox_pipeline_options *o = r->driver->o;
    if (o->on_note) o->on_note(o->user, r->pass ? r->pass->name : "rules", text);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void count(ox_driver *d, const char *name, int changes, double seconds) {
    ox_pipeline_result *res = d->result;
    for (size_t i = 0; i < res->n_stats; i++)
        if (!strcmp(res->stats[i].name, name)) {
            res->stats[i].changes += changes;
            res->stats[i].runs++;
            res->stats[i].seconds += seconds;
            return;
        }
    ox_pass_stat stat = {name, changes, 1, seconds};
    OX_PUSH(d->m->arena, res->stats, res->n_stats, d->cap_stats, stat);
}

static int infer_once(ox_driver *d) {
    if (d->typed) return 0;
    d->typed = true;
    return ox_infer_model(d->m, &(ox_infer_options){.run_constants = true});
}

/* One application of a pass or of rule sets. */
static int apply(ox_driver *d, const ox_step *s) {
    ox_ctx *ctx = d->m->ctx;
    if (ox_listed(d->o->without, s->name)) return 0;
    if (d->o->stop_after >= 0 && d->result->applications >= d->o->stop_after) {
        d->stopped = true;
        return 0;
    }
    ox_pass_run r = {.ctx = ctx, .m = d->m, .pass = s->pass, .arena = d->scratch, .values = s->values, .driver = d};
    r.without = d->o->without;
    double start = now();
    if ((s->kind == OX_STEP_RULES || s->pass->needs_types) && infer_once(d) < 0) return ox_fail_in(ctx, "infer-shapes");
    int changes = s->kind == OX_STEP_RULES ? ox_rules_apply(&r, s->sets, s->n_sets) : s->pass->run(&r);
    if (changes < 0) return ox_fail_in(ctx, "in pass %s", s->name);
    if (s->pass == &ox_pass_infer_shapes) d->typed = true;
    if (s->pass == &ox_pass_raise_opset && changes) d->typed = false; /* new nodes have no types yet */
    count(d, s->name, changes, now() - start);
    if (changes) {
        d->result->applications++;
        d->result->last_pass = s->name;
    }
    ox_arena_reset(d->scratch);
    if (d->o->check && ox_verify(d->m) < 0) return ox_fail_in(ctx, "after pass %s", s->name);
    if (d->o->after_pass) d->o->after_pass(d->o->user, s->name, changes, d->m);
    return changes;
}

static int run_steps(ox_driver *d, const ox_step *steps, size_t n);

static int run_repeat(ox_driver *d, const ox_step *s) {
    int total = 0;
    for (int round = 0; round < s->max && !d->stopped; round++) {
        int changes = run_steps(d, s->steps, s->n_steps);
        if (changes < 0) return -1;
        total += changes;
        if (!changes) break;
    }
    return total;
}

static int run_steps(ox_driver *d, const ox_step *steps, size_t n) {
    int total = 0;
    for (size_t i = 0; i < n && !d->stopped; i++) {
        int changes = steps[i].kind == OX_STEP_REPEAT ? run_repeat(d, &steps[i]) : apply(d, &steps[i]);
        if (changes < 0) return -1;
        total += changes;
    }
    return total;
}

/* Lifts the model to the opset that is asked for, before anything else. */
static int lift_to_target(ox_driver *d, const ox_pipeline *p) {
    ox_model *m = d->m;
    int64_t target = d->o->target_opset ? d->o->target_opset : p->target_opset, own = ox_model_opset(m, m->graph, ox_intern(m->ctx, ""));
    if (!target) return 0;
    if (own > target)
        return ox_fail(m->ctx, d->o->target_opset ? OX_USAGE : OX_CONFIG, "the model has opset %lld already; models are only lifted, not lowered to %lld",
                       (long long)own, (long long)target);
    ox_option_value *values = ox_option_defaults(m->ctx, &ox_pass_raise_opset);
    values->i = target;
    return apply(d, &(ox_step){.kind = OX_STEP_PASS, .name = ox_pass_raise_opset.name, .pass = &ox_pass_raise_opset, .values = values});
}

int ox_pipeline_run(const ox_pipeline *p, ox_model *m, const ox_pipeline_options *o, ox_pipeline_result *result) {
    static const ox_pipeline_options plain = {.stop_after = -1};
    *result = (ox_pipeline_result){.verify = p->verify, .verify_off = p->verify_off, .save = {.threshold = 1024, .align = 4096}};
    ox_driver d = {.m = m, .o = o ? o : &plain, .result = result};
    d.scratch = ox_arena_new(m->ctx);
    int lifted = lift_to_target(&d, p), total = lifted < 0 ? -1 : run_steps(&d, p->steps, p->n_steps);
    ox_arena_free(d.scratch);
    if (total >= 0 && m->ctx->starved) return ox_fail(m->ctx, OX_NO_MEMORY, "out of memory"); /* something was left out for it */
    return total < 0 ? -1 : lifted + total;
}
