/* Names of values. A new value has none until it is written; ox_settle_names() gives them all names and makes those of
 * outputs true.
 *
 * Names that the caller sees, of inputs and outputs of the main graph, never change. Elsewhere an earlier one wins:
 * values of a graph around before those of a body, and in one graph inputs, outputs, initializers, nodes in their
 * order. The one that loses, and each nameless value, gets a name that is nowhere in the model, functions and bodies
 * included. */
#include "ir/ir_private.h"

void ox_name_used(ox_model *m, ox_sym name) {
    if (name && !ox_map_has(&m->names, name)) ox_map_put(&m->names, name, m);
}

/* Without a number that was put behind it before, so that names do not grow from run to run. */
static ox_sym without_number(ox_ctx *ctx, ox_sym name) {
    size_t len = ox_sym_len(name), n = len;
    while (n && name[n - 1] >= '0' && name[n - 1] <= '9') n--;
    return n > 1 && n < len && name[n - 1] == '_' ? ox_intern_n(ctx, name, n - 1) : name;
}

ox_sym ox_fresh_name(ox_model *m, const char *stem) {
    ox_sym name = ox_intern(m->ctx, stem && stem[0] ? stem : "value");
    if (ox_map_has(&m->names, name)) {
        ox_sym s = without_number(m->ctx, name);
        uintptr_t k = (uintptr_t)ox_map_get(&m->stems, s); /* the last number given to this stem */
        do name = ox_intern(m->ctx, ox_format(m->arena, "%s_%llu", s, (unsigned long long)++k));
        while (ox_map_has(&m->names, name));
        ox_map_put(&m->stems, s, (void *)k);
    }
    ox_map_put(&m->names, name, m);
    return name;
}

/* ---- outputs */

static ox_value *identity(ox_graph *g, ox_value *v, ox_sym name) {
    ox_model *m = g->model;
    ox_sym op_type = ox_intern(m->ctx, "Identity"), domain = ox_intern(m->ctx, "");
    if (!ox_model_opset(m, g, domain))
        ox_graph_import(g, domain, m->ir_version >= 8 ? 16 : m->ir_version >= 7 ? 14 : 1);
    ox_node *n = ox_node_new(g, NULL, op_type, domain, 1, &v, 1);
    n->from = "settle-names";
    if (m->resolve) m->resolve(n);
    n->out[0]->name = name;
    n->out[0]->type = v->type;
    ox_name_used(m, name);
    return n->out[0];
}

static int settle_outputs(ox_graph *g, void *user) {
    ox_arena *scratch = user;
    ox_map named; /* values that have the name of an output */
    ox_map_init(&named, scratch);
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        ox_value *v = g->ret->in[i].v;
        if (v && g->out_names[i] == v->name) ox_map_put(&named, v, v);
    }
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        ox_value *v = g->ret->in[i].v;
        ox_sym name = g->out_names[i];
        if (!v || !name || v->name == name) continue;
        if (v->graph == g && v->def && !ox_map_has(&named, v)) {
            v->name = name;
            ox_map_put(&named, v, v);
            g->model->changed = true;
        } else {
            ox_node_set_input(g->ret, i, identity(g, v, name));
        }
    }
    return 0;
}

/* ---- all names */

static int register_names(ox_graph *g, void *user) {
    ox_model *m = user;
    for (size_t i = 0; i < g->n_inputs; i++) ox_name_used(m, g->inputs[i]->name);
    for (uint32_t i = 0; i < g->ret->n_in; i++) ox_name_used(m, g->out_names[i]);
    for (ox_value *v = g->first_init; v; v = v->next_init) ox_name_used(m, v->name);
    for (ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i]) ox_name_used(m, n->out[i]->name);
    return 0;
}

typedef struct settle {
    ox_model *m;
    ox_map visible;      /* name to value, of the graph at work and those around it */
    ox_arena *scratch;
} settle;

static const char *stem_of(const ox_value *v) {
    if (v->name) return v->name;
    if (v->def) return v->def->name && v->def->name[0] ? v->def->name : v->def->op_type;
    return v->is_input ? "input" : "const";
}

static void name_value(settle *s, ox_value *v) {
    ox_value *other = v->name ? ox_map_get(&s->visible, v->name) : NULL;
    if (other == v) return;
    if (other || !v->name) {
        v->name = ox_fresh_name(s->m, stem_of(v));
        s->m->changed = true;
    }
    ox_map_put(&s->visible, v->name, v);
}

static void forget_value(settle *s, const ox_value *v) {
    if (v->name && ox_map_get(&s->visible, v->name) == v) ox_map_remove(&s->visible, v->name);
}

/* Calls fn for the values of a graph: inputs, outputs, initializers, nodes. */
static void each_value(settle *s, ox_graph *g, bool forget) {
#define VISIT(v) (forget ? forget_value(s, v) : name_value(s, v))
    for (size_t i = 0; i < g->n_inputs; i++) VISIT(g->inputs[i]);
    for (uint32_t i = 0; i < g->ret->n_in; i++)
        if (g->ret->in[i].v && g->ret->in[i].v->graph == g) VISIT(g->ret->in[i].v);
    for (ox_value *v = g->first_init; v; v = v->next_init) VISIT(v);
    for (ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i]) VISIT(n->out[i]);
#undef VISIT
}

static int name_graph(ox_graph *g, void *user) {
    settle *s = user;
    uint32_t n = g->ret->n_in;
    bool *follows = OX_NEW_N(s->scratch, bool, n + 1u); /* outputs whose name is that of their value */
    for (uint32_t i = 0; i < n; i++)
        follows[i] = g->ret->in[i].v && (!g->out_names[i] || g->out_names[i] == g->ret->in[i].v->name);
    each_value(s, g, false);
    for (uint32_t i = 0; i < n; i++)
        if (follows[i]) g->out_names[i] = g->ret->in[i].v->name;
    for (ox_node *node = g->first; node; node = node->next) ox_each_body(node, name_graph, s);
    each_value(s, g, true);
    return 0;
}

void ox_settle_names(ox_model *m) {
    settle s = {.m = m, .scratch = ox_arena_new(m->ctx)};
    ox_map_init(&s.visible, s.scratch);
    ox_each_graph(m, register_names, m);
    ox_each_graph(m, settle_outputs, s.scratch);
    name_graph(m->graph, &s);
    for (size_t i = 0; i < m->n_functions; i++)
        if (m->functions[i]->body) name_graph(m->functions[i]->body, &s);
    ox_arena_free(s.scratch);
}
