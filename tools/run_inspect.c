/* onnx-run inspect: what is in a model, and the memory that running it takes. The plan comes from one run on generated inputs; where that
 * is not possible, one line says why and the rest still comes. */
#include "tools/run.h"

#include <jansson.h>

enum { PLAN_SECONDS = 60 }; /* a run that takes longer is given up */

/* ---- what is in it ---- */

/* The type that is shown of an input or output. */
static const ox_type *type_of(const ox_graph *g, size_t i, bool outputs) {
    if (outputs && g->out_types[i]) return g->out_types[i];
    return outputs ? g->ret->in[i].v->type : g->inputs[i]->type;
}

static void add_values(ox_text *t, const char *what, const ox_graph *g, bool outputs) {
    size_t n = outputs ? g->ret->n_in : g->n_inputs;
    for (size_t i = 0; i < n; i++) {
        if (!outputs && g->inputs[i]->is_init) continue;
        const char *name = outputs ? g->out_names[i] : g->inputs[i]->name;
        ox_text_addf(t, "%-12s %s %s\n", what, cli_shown(t->arena, name), cli_shown(t->arena, ox_type_text(t->arena, type_of(g, i, outputs))));
    }
}

static void add_contents(ox_text *t, ox_model *m, const cli_census *n) {
    ox_text_addf(t, "%-12s %lld\n", "ir_version", (long long)m->ir_version);
    for (size_t i = 0; i < m->n_opsets; i++)
        ox_text_addf(t, "%-12s %s %lld\n", "opset", m->opsets[i].domain[0] ? cli_shown(t->arena, m->opsets[i].domain) : "ai.onnx", (long long)m->opsets[i].version);
    add_values(t, "input", m->graph, false);
    add_values(t, "output", m->graph, true);
    ox_text_addf(t, "%-12s %lld (and %lld Constant)\n", "nodes", (long long)n->nodes, (long long)n->constants);
    for (size_t i = 0; i < n->n_ops; i++) ox_text_addf(t, "  %-30s %lld\n", cli_shown(t->arena, n->ops[i].op), (long long)n->ops[i].n);
    if (n->functions) ox_text_addf(t, "%-12s %lld\n", "functions", (long long)n->functions);
    ox_text_addf(t, "%-12s %lld, %lld parameters, %llu bytes\n", "initializers", (long long)n->initializers, (long long)n->parameters,
                 (unsigned long long)n->weight_bytes);
}

static json_t *values_json(run_args *a, ox_graph *g, bool outputs) {
    json_t *list = json_array();
    size_t n = outputs ? g->ret->n_in : g->n_inputs;
    for (size_t i = 0; i < n; i++) {
        if (!outputs && g->inputs[i]->is_init) continue;
        const char *name = outputs ? g->out_names[i] : g->inputs[i]->name;
        cli_json_add(&a->c, list, NULL, json_pack("{s:s, s:s}", "name", name, "type", ox_type_text(g->model->arena, type_of(g, i, outputs))));
    }
    return list;
}

static json_t *contents_json(run_args *a, ox_model *m, const cli_census *n) {
    json_t *ops = json_object(), *opsets = json_object();
    for (size_t i = 0; i < n->n_ops; i++) cli_json_add(&a->c, ops, n->ops[i].op, json_integer(n->ops[i].n));
    for (size_t i = 0; i < m->n_opsets; i++) cli_json_add(&a->c, opsets, m->opsets[i].domain, json_integer(m->opsets[i].version));
    return json_pack("{s:s, s:i, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "schema", "onnx-run/inspect", "version", 1, "ir_version",
                     (json_int_t)m->ir_version, "opsets", opsets, "nodes", (json_int_t)n->nodes, "constants", (json_int_t)n->constants, "functions",
                     (json_int_t)n->functions, "initializers", (json_int_t)n->initializers, "parameters", (json_int_t)n->parameters, "weight_bytes",
                     (json_int_t)n->weight_bytes, "ops", ops, "inputs", values_json(a, m->graph, false), "outputs", values_json(a, m->graph, true));
}

/* ---- the memory plan ---- */

/* What is wrong with the command line, the disk or this machine's memory is no property of the model. */
static bool fatal(const ox_ctx *ctx) {
    int code = ox_error_code(ctx);
    return ctx->starved || code == OX_USAGE || code == OX_IO || code == OX_BUG || code == OX_NO_INPUT;
}

/* 0; 1: it cannot be made, *why says why in one line; -1. */
static int make_plan(run_args *a, run_session *s, plan_facts *facts, const char **why) {
    ox_ctx *ctx = a->c.ctx;
    s->integers = true; /* as bench runs it */
    int result = run_session_prepare(a, s);
    if (result == 0) ox_frame_set_deadline(s->f, a->seconds > 0 ? a->seconds : PLAN_SECONDS);
    if (result == 0) result = run_session_fit(a, s);
    if (result == 0) result = plan_facts_get(s->f, ctx->arena, facts);
    if (result == 0) return 0;
    if (fatal(ctx)) return -1;
    *why = ox_strdup(ctx->arena, ox_error_text(ctx));
    ox_clear_error(ctx);
    return 1;
}

static void add_plan(ox_text *t, const ox_place_stats *p) {
    ox_text_addf(t, "%-12s arena %llu bytes, lower bound %llu, without sharing %llu; %zu buffer%s\n", "memory", (unsigned long long)p->arena,
                 (unsigned long long)p->bound, (unsigned long long)p->naive, p->buffers, p->buffers == 1 ? "" : "s");
    ox_text_addf(t, "%-12s order: %s; packing: %s; %s\n", "", p->order, p->method,
                 p->arena == p->bound ? "as small as can be for this order" : p->proved ? "proved: no smaller arena for this order" : "a smaller arena may exist");
}

static void add_plan_json(run_args *a, json_t *tree, const ox_place_stats *p) {
    cli *c = &a->c;
    cli_json_add(c, tree, "arena_bytes", json_integer((json_int_t)p->arena));
    cli_json_add(c, tree, "lower_bound_bytes", json_integer((json_int_t)p->bound));
    cli_json_add(c, tree, "naive_bytes", json_integer((json_int_t)p->naive));
    cli_json_add(c, tree, "buffers", json_integer((json_int_t)p->buffers));
    cli_json_add(c, tree, "order", json_string(p->order));
    cli_json_add(c, tree, "packing", json_string(p->method));
    cli_json_add(c, tree, "proved", json_boolean(p->proved));
}

int run_inspect(run_args *a) {
    run_session s = {0};
    if (run_operands(a, 1, false, "one MODEL") < 0 || run_session_read(a, &s) < 0) return -1;
    ox_ctx *ctx = a->c.ctx;
    ox_text t = {.arena = s.m->arena};
    cli_census n;
    cli_count(s.m->arena, s.m, &n);
    json_t *tree = a->json ? contents_json(a, s.m, &n) : NULL; /* before the model is inferred: as the file says it */
    if (!a->json) add_contents(&t, s.m, &n);
    const char *why = NULL;
    plan_facts facts = {.title = s.m->path ? s.m->path : "standard input"};
    bool off = a->memory_plan && !strcmp(a->memory_plan, "off"), picture = a->memory_plan && !off;
    int result = off ? cli_check_dims(&a->c, s.m, a->c.operands[1], a->dims, a->n_dims) : make_plan(a, &s, &facts, &why);
    if (result == 1 && picture) result = ox_fail(ctx, OX_UNAVAILABLE, "no memory plan: %s", why);
    if (result >= 0 && a->json) {
        if (why) cli_json_add(&a->c, tree, "memory_plan_error", json_string(cli_utf8(&a->c, why)));
        else if (!off) add_plan_json(a, tree, &facts.stats);
    } else if (result >= 0) {
        if (why) ox_text_addf(&t, "%-12s no plan: %s\n", "memory", why);
        else if (!off) add_plan(&t, &facts.stats);
    }
    ox_out *file = result >= 0 && picture ? plan_picture(&a->c, a->memory_plan, &facts) : NULL;
    if (picture && !file) result = -1;
    if (result >= 0) result = run_write_files(a, tree, NULL, file);
    else json_decref(tree);
    if (result == 0 && !a->json) fwrite(t.data, 1, t.len, stdout);
    run_session_close(&s);
    return result;
}
