/* The stable interface of ox.h over the inside: every function that allocates runs under ox_protect(). */
#include "ox.h"

#include <limits.h>
#include <stdlib.h>

#include "passes/pass.h"

const char *ox_version(void) { return OX_VERSION; }
ox_ctx *ox_open_context(void) { return ox_ctx_new(); }
void ox_close_context(ox_ctx *ctx) { ox_ctx_free(ctx); }
void ox_set_threads(ox_ctx *ctx, int threads) { ctx->threads = threads; }

void ox_set_warning(ox_ctx *ctx, void (*on_warning)(void *user, const char *text), void *user) {
    ctx->on_warning = on_warning;
    ctx->on_warning_user = user;
}

int ox_last_error(const ox_ctx *ctx, const char **text) {
    if (text) *text = ox_error_text(ctx);
    return ox_error_code(ctx);
}

/* Arguments and result of one call, across ox_protect(). */
typedef struct {
    ox_ctx *ctx;
    ox_model *m, *other;
    const char *text, *name;
    char *out;
    bool full;
    int number;
    uint64_t seed;
    const ox_buffer *in;
    size_t n_in;
    ox_buffer *results;
} call;

static int do_open(void *arg) {
    call *c = arg;
    c->m = c->text ? ox_model_parse(c->ctx, c->text, strlen(c->text), c->name) : ox_model_open(c->ctx, c->name);
    return c->m ? 0 : -1;
}

ox_model *ox_open(ox_ctx *ctx, const char *path) {
    call c = {.ctx = ctx, .name = path};
    return ox_protect(ctx, do_open, &c) < 0 ? NULL : c.m;
}

ox_model *ox_parse(ox_ctx *ctx, const char *text, const char *name) {
    call c = {.ctx = ctx, .text = text, .name = name};
    return ox_protect(ctx, do_open, &c) < 0 ? NULL : c.m;
}

static int do_copy(void *arg) {
    call *c = arg;
    return (c->other = ox_model_copy(c->m)) ? 0 : -1;
}

ox_model *ox_copy(ox_model *m) {
    call c = {.m = m};
    return ox_protect(m->ctx, do_copy, &c) < 0 ? NULL : c.other;
}

void ox_close(ox_model *m) { ox_model_free(m); }

static int do_save(void *arg) {
    call *c = arg;
    return ox_model_save(c->m, c->name, NULL);
}

int ox_save(ox_model *m, const char *path) {
    call c = {.m = m, .name = path};
    return ox_protect(m->ctx, do_save, &c);
}

static int do_text(void *arg) {
    call *c = arg;
    ox_text text = {.arena = ox_arena_new(c->m->ctx)};
    int result = ox_model_print(c->m, &(ox_print_options){.full = c->full, .max_elements = 16}, &text);
    if (result == 0 && !(c->out = strdup(text.data ? text.data : ""))) result = ox_fail(c->m->ctx, OX_NO_MEMORY, "out of memory");
    ox_arena_free(text.arena);
    return result;
}

char *ox_to_text(ox_model *m, bool full) {
    call c = {.m = m, .full = full};
    return ox_protect(m->ctx, do_text, &c) < 0 ? NULL : c.out;
}

static int do_optimize(void *arg) {
    call *c = arg;
    ox_pipeline_result result;
    ox_pipeline *p = c->text ? ox_pipeline_from_names(c->m->ctx, c->text) : ox_pipeline_profile(c->m->ctx, c->name);
    return p ? ox_pipeline_run(p, c->m, NULL, &result) : -1;
}

int ox_optimize(ox_model *m, const char *profile) {
    call c = {.m = m, .name = profile};
    return ox_protect(m->ctx, do_optimize, &c);
}

int ox_run_passes(ox_model *m, const char *names) {
    call c = {.m = m, .text = names};
    return ox_protect(m->ctx, do_optimize, &c);
}

static int do_same(void *arg) {
    call *c = arg;
    ox_verify_options o = {.samples = c->number, .seed = c->seed, .tol = {1e-3, 1e-4, true}, .widen = true};
    ox_verify_result r;
    if (ox_verify_models(c->m, c->other, &o, &r) < 0) return -1;
    if (r.verdict == OX_V_SAME) return 1;
    ox_fail(c->m->ctx, r.verdict == OX_V_DIFFERENT ? OX_NEGATIVE : OX_UNAVAILABLE, "%s", r.why);
    return r.verdict == OX_V_DIFFERENT ? 0 : -1;
}

int ox_same(ox_model *want, ox_model *got, int samples, uint64_t seed) {
    call c = {.m = want, .other = got, .number = samples, .seed = seed};
    return ox_protect(want->ctx, do_same, &c);
}

/* ---- looking ---- */

static int count_nodes(ox_graph *g, void *user) {
    for (const ox_node *n = g->first; n; n = n->next) *(int64_t *)user += !ox_is(n, "Constant");
    return 0;
}

int64_t ox_count_nodes(const ox_model *m) {
    int64_t n = 0;
    ox_each_graph((ox_model *)(uintptr_t)m, count_nodes, &n);
    return n;
}

static const ox_value *nth_input(const ox_model *m, size_t wanted) {
    for (size_t i = 0; i < m->graph->n_inputs; i++)
        if (!m->graph->inputs[i]->is_init && wanted-- == 0) return m->graph->inputs[i];
    return NULL;
}

size_t ox_count_inputs(const ox_model *m) {
    size_t n = 0;
    while (nth_input(m, n)) n++;
    return n;
}

size_t ox_count_outputs(const ox_model *m) { return m->graph->ret->n_in; }

const char *ox_input_name(const ox_model *m, size_t i) {
    const ox_value *v = nth_input(m, i);
    return v ? v->name : NULL;
}

const char *ox_output_name(const ox_model *m, size_t i) { return i < m->graph->ret->n_in ? m->graph->out_names[i] : NULL; }

/* ---- running ---- */

static ox_rt *from_buffer(ox_ctx *ctx, const ox_buffer *b) {
    if (b->rank < 0 || b->rank > 8 || b->type <= 0 || b->type >= OX_DTYPE_COUNT || b->type == OX_STRING)
        return ox_fail(ctx, OX_USAGE, "input %s: rank %d or type %d cannot be given", b->name, b->rank, b->type), NULL;
    ox_tensor *t = ox_tensor_new(ctx, (ox_dtype)b->type, b->rank, b->dims);
    if (!t) return NULL;
    if (t->bytes != b->bytes) {
        ox_fail(ctx, OX_USAGE, "input %s: %zu bytes given, its dimensions need %llu", b->name, b->bytes, (unsigned long long)t->bytes);
        ox_tensor_unref(t);
        return NULL;
    }
    if (b->bytes) memcpy(ox_tensor_mut(t), b->data, b->bytes);
    return ox_rt_tensor(ctx, t);
}

static int to_buffer(ox_ctx *ctx, const char *name, const ox_rt *rt, ox_buffer *b) {
    const ox_tensor *t = rt && rt->kind == OX_RT_TENSOR ? rt->t : NULL;
    if (!t || t->dtype == OX_STRING || t->rank > 8) return ox_fail(ctx, OX_UNAVAILABLE, "output %s is no tensor of up to 8 dimensions of numbers", name);
    const void *data = ox_tensor_data(t);
    if (!data) return -1;
    *b = (ox_buffer){.name = name, .type = (int)t->dtype, .rank = t->rank, .bytes = (size_t)t->bytes, .data = malloc(t->bytes ? (size_t)t->bytes : 1)};
    if (!b->data) return ox_fail(ctx, OX_NO_MEMORY, "out of memory for output %s", name);
    for (int i = 0; i < t->rank; i++) b->dims[i] = t->dims[i];
    memcpy(b->data, data, (size_t)t->bytes);
    return 0;
}

static int execute(call *c, ox_frame *f, ox_rt **in, ox_rt **out) {
    ox_graph *g = c->m->graph;
    for (size_t k = 0; k < c->n_in; k++) {
        size_t i = 0;
        while (i < g->n_inputs && strcmp(g->inputs[i]->name, c->in[k].name)) i++;
        if (i == g->n_inputs) return ox_fail(c->m->ctx, OX_USAGE, "the model has no input '%s'", c->in[k].name);
        if (!in[i] && !(in[i] = from_buffer(c->m->ctx, &c->in[k]))) return -1;
    }
    if (ox_frame_run(f, in, out) < 0) return -1;
    for (uint32_t i = 0; i < g->ret->n_in; i++)
        if (to_buffer(c->m->ctx, g->out_names[i], out[i], &c->results[i]) < 0) {
            while (i--) free(c->results[i].data);
            return -1;
        }
    return 0;
}

static int do_execute(void *arg) {
    call *c = arg;
    ox_graph *g = c->m->graph;
    ox_arena *arena = ox_arena_new(c->m->ctx);
    ox_rt **in = OX_NEW_N(arena, ox_rt *, g->n_inputs + 1), **out = OX_NEW_N(arena, ox_rt *, g->ret->n_in + 1);
    ox_frame *f = ox_frame_new(c->m);
    int result = f ? execute(c, f, in, out) : -1;
    for (size_t i = 0; i < g->n_inputs; i++) ox_rt_unref(in[i]);
    for (uint32_t i = 0; i < g->ret->n_in; i++) ox_rt_unref(out[i]);
    ox_frame_free(f);
    ox_arena_free(arena);
    return result;
}

int ox_execute(ox_model *m, const ox_buffer *inputs, size_t n_inputs, ox_buffer *outputs) {
    call c = {.m = m, .in = inputs, .n_in = n_inputs, .results = outputs};
    return ox_protect(m->ctx, do_execute, &c);
}
