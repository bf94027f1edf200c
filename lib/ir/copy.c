/* Copying nodes into a graph, and whole models.
 *
 * A copy shares payloads, rows of the operator table and origins with the original. Nodes stand in topological order,
 * so every operand is copied before it is needed; what the map does not know lies outside and stays what it is. */
#include "ir/ir_private.h"

/* Types belong to an arena: within one model they are shared. */
static const ox_type *copy_type(const ox_copy *c, const ox_type *t, const ox_model *from) {
    if (!c->keep_types) return NULL;
    return from == c->to ? t : ox_type_copy(c->to->arena, t);
}

static ox_sym copy_name(const ox_copy *c, ox_sym name) {
    return c->keep_names || !name ? name : ox_fresh_name(c->to, name);
}

static void copy_value(ox_copy *c, const ox_value *v, ox_value *to) {
    ox_model *m = c->to;
    to->name = copy_name(c, v->name);
    ox_name_used(m, to->name);
    to->type = copy_type(c, v->type, v->graph->model);
    if (c->keep_types && v->elems) {
        to->elems = v->nelems ? ox_dup(m->arena, v->elems, (size_t)v->nelems * sizeof *v->elems) : v->elems;
        to->nelems = v->nelems;
    }
    to->listed = v->listed && c->keep_types;
    if (c->keep_types) to->declared = copy_type(c, v->declared, v->graph->model);
    to->origin = v->origin;
    if (v->is_init) {
        to->data = v->data ? ox_model_own(m, ox_tensor_ref(v->data)) : NULL;
        to->sparse = ox_sparse_copy(m, v->sparse);
        to->init_origin = v->init_origin;
        to->pinned = v->pinned && c->keep_types; /* not a copy under another name */
        to->variable = v->variable;
        if (v->data) to->type = ox_type_of_tensor(m->arena, v->data);
        ox_init_link(to);
    }
    ox_map_put(c->map, v, to);
}

static int mapped(const ox_copy *c, ox_value *v, ox_value **out) {
    *out = NULL;
    if (!v) return 0;
    if (ox_map_has(c->map, v)) {
        *out = ox_map_get(c->map, v);
        return 0;
    }
    if (v->graph->model != c->to || ox_graph_contains(c->root, v->graph))
        return ox_fail(c->to->ctx, OX_BUG, "value '%s' is used before it is copied", v->name ? v->name : "");
    *out = v;
    return 0;
}

/* ---- bodies and attributes */

static int copy_graph(ox_copy *c, const ox_graph *from, ox_graph *to);

static ox_graph *copy_body(ox_copy *c, const ox_graph *body, ox_node *owner) {
    ox_ctx *ctx = c->to->ctx;
    uint32_t depth = 0;
    for (const ox_graph *g = owner->graph; g; g = g->outer) depth++;
    if (depth > ctx->limits.graph_depth) {
        ox_fail(ctx, OX_BAD_DATA, "bodies are nested deeper than %u (limit graph_depth)", ctx->limits.graph_depth);
        return NULL;
    }
    ox_graph *g = ox_graph_new(c->to, owner->graph, owner);
    return copy_graph(c, body, g) ? NULL : g;
}

/* The attribute that a reference stands for; NULL: the call does not give it and it has no default. */
static const ox_attr *bound(const ox_binding *bind, ox_sym name) {
    for (size_t i = 0; i < bind->n; i++)
        if (bind->attrs[i]->name == name) return bind->attrs[i];
    for (size_t i = 0; bind->f && i < bind->f->n_formals; i++)
        if (bind->f->formals[i]->name == name && bind->f->formals[i]->type != OX_A_UNDEFINED)
            return bind->f->formals[i];
    return NULL;
}

static int copy_bodies(ox_copy *c, const ox_attr *a, ox_attr *to, ox_node *owner) {
    if (a->ref) return 0;
    if (a->type == OX_A_GRAPH) return (to->g = copy_body(c, a->g, owner)) ? 0 : -1;
    if (a->type != OX_A_GRAPHS) return 0;
    to->gs = OX_NEW_N(c->to->arena, ox_graph *, a->n ? a->n : 1);
    for (size_t i = 0; i < a->n; i++) {
        if (!(to->gs[i] = copy_body(c, a->gs[i], owner))) return -1;
        to->n = i + 1;
    }
    return 0;
}

static int copy_attr(ox_copy *c, const ox_attr *a, ox_node *n) {
    const ox_attr *src = a->ref && c->bind ? bound(c->bind, a->ref) : a;
    if (!src) return 0;
    ox_copy outside = *c; /* what a call gives is written in terms of the caller */
    outside.bind = NULL;
    outside.prefix = NULL;
    bool given = src != a;
    ox_attr *to = ox_attr_copy(c->to, src);
    if (given) {
        to->name = a->name;
        to->origin = NULL;
    }
    int failed = copy_bodies(given ? &outside : c, src, to, n);
    if (given) c->nodes = outside.nodes;
    n->attrs[n->n_attrs++] = to;
    return failed;
}

/* ---- nodes and graphs */

static int copy_node(ox_copy *c, const ox_node *n, ox_graph *g, ox_node *before) {
    ox_model *m = c->to;
    if (c->limit && c->nodes >= c->limit)
        return ox_fail(m->ctx, OX_BAD_DATA, "inlining makes more than %llu nodes (limit inlined_nodes)",
                       (unsigned long long)m->ctx->limits.inlined_nodes);
    c->nodes++;
    ox_node *to = ox_node_new(g, before, n->op_type, n->domain, n->n_in, NULL, n->n_out);
    for (uint32_t i = 0; i < n->n_in; i++) {
        ox_value *v;
        if (mapped(c, n->in[i].v, &v)) return -1;
        ox_node_set_input(to, i, v);
    }
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (n->out[i])
            copy_value(c, n->out[i], to->out[i]);
        else
            to->out[i] = NULL;
    }
    to->overload = n->overload;
    to->name = n->name && c->prefix ? ox_intern(m->ctx, ox_format(m->arena, "%s/%s", c->prefix, n->name)) : n->name;
    to->op = n->op;
    to->callee = n->callee && c->functions ? ox_map_get(c->functions, n->callee) : n->callee;
    to->from = c->from ? c->from : n->from;
    to->origin = n->origin;
    to->attrs = OX_NEW_N(m->arena, ox_attr *, n->n_attrs ? n->n_attrs : 1);
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (copy_attr(c, n->attrs[i], to)) return -1;
    return 0;
}

int ox_copy_nodes(ox_copy *c, ox_graph *from, ox_graph *g, ox_node *before) {
    for (ox_value *v = from->first_init; v; v = v->next_init)
        if (!ox_map_has(c->map, v)) copy_value(c, v, ox_value_new(g, NULL));
    /* the last node is fixed now, in case a graph is copied into itself */
    ox_node *end = from->last;
    for (const ox_node *n = from->first; n; n = n == end ? NULL : n->next)
        if (copy_node(c, n, g, before)) return -1;
    c->to->changed = true;
    return 0;
}

static int copy_graph(ox_copy *c, const ox_graph *from, ox_graph *to) {
    to->name = from->name;
    to->origin = from->origin;
    for (size_t i = 0; i < from->n_inputs; i++) {
        const ox_value *v = from->inputs[i];
        ox_value *in = ox_graph_add_input(to, NULL, NULL);
        ox_map_put(c->map, v, in);
        if (!v->is_init) copy_value(c, v, in);
    }
    for (ox_value *v = from->first_init; v; v = v->next_init) /* in their own order */
        copy_value(c, v, v->is_input ? ox_map_get(c->map, v) : ox_value_new(to, NULL));
    if (ox_copy_nodes(c, (ox_graph *)from, to, NULL)) return -1;
    for (uint32_t i = 0; i < from->ret->n_in; i++) {
        ox_value *old = from->ret->in[i].v, *v;
        if (mapped(c, old, &v)) return -1;
        bool same = v && old->name == from->out_names[i];
        ox_graph_add_output(to, v, same ? v->name : copy_name(c, from->out_names[i]));
        to->out_origins[i] = from->out_origins[i];
        to->out_types[i] = copy_type(c, from->out_types[i], from->model);
    }
    return 0;
}

int ox_graph_copy_into(ox_graph *from, ox_graph *g, ox_node *before, ox_map *map, const ox_binding *bind) {
    ox_copy c = {.to = g->model, .map = map, .bind = bind, .root = from, .keep_types = !bind};
    return ox_copy_nodes(&c, from, g, before);
}

/* ---- models */

static ox_function *copy_function_head(ox_model *m, const ox_function *f) {
    ox_function *to = ox_dup(m->arena, f, sizeof *f);
    to->formals = OX_NEW_N(m->arena, ox_attr *, f->n_formals ? f->n_formals : 1);
    for (size_t i = 0; i < f->n_formals; i++) to->formals[i] = ox_attr_copy(m, f->formals[i]);
    if (f->n_opsets) to->opsets = ox_dup(m->arena, f->opsets, f->n_opsets * sizeof *f->opsets);
    to->body = NULL;
    if (f->body) {
        to->body = ox_graph_new(m, NULL, NULL);
        to->body->function = to;
    }
    return to;
}

typedef struct model_copy {
    ox_model *from, *to;
    ox_arena *scratch;
} model_copy;

static int copy_model(void *arg) {
    model_copy *mc = arg;
    ox_model *from = mc->from, *m = mc->to = ox_model_new(from->ctx, from->ir_version);
    if (!m) return -1;
    ox_map values, functions;
    mc->scratch = ox_arena_new(from->ctx);
    ox_map_init(&values, mc->scratch);
    ox_map_init(&functions, mc->scratch);
    for (size_t i = 0; i < from->n_opsets; i++)
        OX_PUSH(m->arena, m->opsets, m->n_opsets, m->cap_opsets, from->opsets[i]);
    m->files = from->files;
    m->source = from->source; /* borrowed: it stays the original's */
    m->path = from->path;
    m->origin = from->origin;
    m->strip = from->strip;
    m->resolve = from->resolve;
    m->run_only = from->run_only;
    m->inlined = from->inlined;
    for (size_t i = 0; i < from->n_functions; i++) {
        ox_function *f = copy_function_head(m, from->functions[i]);
        OX_PUSH(m->arena, m->functions, m->n_functions, m->cap_functions, f);
        ox_map_put(&functions, from->functions[i], f);
    }
    ox_copy c = {
        .to = m, .map = &values, .functions = &functions, .keep_names = true, .keep_types = true, .root = from->graph};
    if (copy_graph(&c, from->graph, m->graph)) return -1;
    for (size_t i = 0; i < from->n_functions; i++) {
        c.root = from->functions[i]->body;
        if (c.root && copy_graph(&c, c.root, m->functions[i]->body)) return -1;
    }
    m->changed = from->changed;
    return 0;
}

ox_model *ox_model_copy(ox_model *m) {
    model_copy mc = {.from = m};
    int failed = ox_protect(m->ctx, copy_model, &mc);
    ox_arena_free(mc.scratch);
    if (!failed) return mc.to;
    ox_model_free(mc.to);
    return NULL;
}
