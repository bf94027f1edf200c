/* Names of values: fresh ones, and the names of outputs made true before writing. */
#include "ir/ir.h"

#include <stdio.h>

/* The stem without a number this function added before, so that names do not grow from run to run. */
static size_t stem_length(const char *stem) {
    size_t len = strlen(stem), end = len;
    while (end && stem[end - 1] >= '0' && stem[end - 1] <= '9') end--;
    return end && end < len && stem[end - 1] == '_' ? end - 1 : len;
}

ox_sym ox_fresh_name(ox_model *m, const char *stem) {
    if (!stem || !*stem) stem = "v";
    ox_sym name = ox_intern(m->ctx, stem);
    if (!ox_map_has(&m->names, name)) {
        ox_map_put(&m->names, name, m);
        return name;
    }
    size_t len = stem_length(stem);
    if (!len) len = strlen(stem);
    for (;;) {
        /* The counter goes up over the whole model: linear, and the same for the same sequence of requests. */
        name = ox_intern(m->ctx, ox_format(m->arena, "%.*s_%llu", (int)len, stem, (unsigned long long)m->name_counter++));
        if (ox_map_has(&m->names, name)) continue;
        ox_map_put(&m->names, name, m);
        return name;
    }
}

/* ---- settling ---- */

/* First walk: which names are interfaces (inputs and outputs), and how often each name is held. */
typedef struct { ox_model *m; ox_map interface, holder; } census;

static void claim(census *c, ox_value *v) {
    if (v && v->name && !ox_map_has(&c->holder, v->name)) ox_map_put(&c->holder, v->name, v);
}

static int take_census(ox_graph *g, void *user) {
    census *c = user;
    for (size_t i = 0; i < g->n_inputs; i++) {
        ox_map_put(&c->interface, g->inputs[i]->name, g->inputs[i]);
        ox_map_put(&c->holder, g->inputs[i]->name, g->inputs[i]);
    }
    for (uint32_t i = 0; i < g->ret->n_in; i++) ox_map_put(&c->interface, g->out_names[i], g);
    return 0;
}

static int hold_names(ox_graph *g, void *user) {
    census *c = user;
    for (ox_value *v = g->first_init; v; v = v->next_init) claim(c, v);
    for (ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) claim(c, n->out[i]);
    return 0;
}

/* Puts an Identity before ret that carries output i's name. */
static void add_identity(ox_graph *g, uint32_t i) {
    ox_value *v = g->ret->in[i].v;
    ox_node *n = ox_node_new(g, NULL, ox_intern(g->model->ctx, "Identity"), ox_intern(g->model->ctx, ""), 1, &v, 1);
    n->out[0]->type = v->type;
    n->out[0]->name = g->out_names[i];
    if (g->model->resolve) g->model->resolve(n);
    ox_node_set_input(g->ret, i, n->out[0]);
}

static int settle_outputs(ox_graph *g, void *user) {
    census *c = user;
    ox_map taken; /* values that already carry an output's name */
    ox_map_init(&taken, c->m->arena);
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        ox_value *v = g->ret->in[i].v;
        if (v && v->name == g->out_names[i]) ox_map_put(&taken, v, v);
    }
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        ox_value *v = g->ret->in[i].v;
        if (!v || v->name == g->out_names[i]) continue;
        ox_value *holder = ox_map_get(&c->holder, g->out_names[i]);
        bool own = v->def && v->graph == g && !ox_map_has(&taken, v);
        if (holder && holder != v && !holder->is_input) holder->name = NULL; /* gives way: an inner name is nobody's interface */
        if (own) {
            v->name = g->out_names[i];
            ox_map_put(&taken, v, v);
        } else {
            add_identity(g, i);
            v = g->ret->in[i].v;
        }
        ox_map_put(&c->holder, g->out_names[i], v);
    }
    return 0;
}

static void name_value(census *c, ox_value *v, const char *stem) {
    if (!v) return;
    if (v->name && ox_map_get(&c->holder, v->name) == v) return;
    v->name = ox_fresh_name(c->m, v->name ? v->name : stem);
    ox_map_put(&c->holder, v->name, v);
}

static int name_values(ox_graph *g, void *user) {
    census *c = user;
    for (ox_value *v = g->first_init; v; v = v->next_init) name_value(c, v, "const");
    for (ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) name_value(c, n->out[i], n->name && *n->name ? n->name : n->op_type);
    return 0;
}

void ox_settle_names(ox_model *m) {
    census c = {.m = m};
    ox_map_init(&c.interface, m->arena);
    ox_map_init(&c.holder, m->arena);
    ox_each_graph(m, take_census, &c);
    ox_each_graph(m, hold_names, &c);
    ox_each_graph(m, settle_outputs, &c);
    ox_each_graph(m, name_values, &c);
}
