/* Copies of graphs and models. Payloads are shared, names of copied values are made fresh unless a whole model is copied. */
#include "ir/ir.h"

typedef struct {
    ox_model *m;            /* where the copy goes */
    ox_map *map;            /* values, old to new */
    const ox_binding *bind; /* attributes for references of a function's body; NULL: references stay */
    bool fresh;             /* names are made fresh; else kept */
    ox_map *functions;      /* of a whole model: old to new; NULL: the same */
} copying;

static ox_value *mapped(const copying *c, ox_value *v) {
    ox_value *to = v ? ox_map_get(c->map, v) : NULL;
    return to ? to : v; /* outer values stay themselves */
}

static ox_sym new_name(const copying *c, ox_sym name) {
    if (!c->fresh || !name) return name;
    return ox_fresh_name(c->m, name);
}

static void copy_facts(const copying *c, ox_value *to, const ox_value *from) {
    to->type = from->type;
    to->elems = from->elems;
    to->nelems = from->nelems;
    to->listed = from->listed;
    if (!c->fresh) to->origin = from->origin;
    ox_map_put(c->map, from, to);
}

static int copy_nodes(const copying *c, ox_graph *from, ox_graph *to, ox_node *before);

/* The attribute a reference stands for: given at the call, else the formal's default, else none. */
static const ox_attr *bound(const copying *c, const ox_attr *a) {
    for (size_t i = 0; i < c->bind->n; i++)
        if (c->bind->attrs[i]->name == a->ref) return c->bind->attrs[i];
    for (size_t i = 0; c->bind->f && i < c->bind->f->n_formals; i++) {
        const ox_attr *f = c->bind->f->formals[i];
        if (f->name == a->ref) return f->type == OX_A_UNDEFINED ? NULL : f;
    }
    return NULL;
}

static ox_graph *copy_body(const copying *c, const ox_graph *from, ox_graph *outer, ox_node *owner) {
    ox_graph *g = ox_graph_new(c->m, outer, owner);
    g->name = from->name;
    g->origin = from->origin;
    for (size_t i = 0; i < from->n_inputs; i++) {
        ox_value *v = ox_graph_add_input(g, new_name(c, from->inputs[i]->name), from->inputs[i]->type);
        copy_facts(c, v, from->inputs[i]);
        if (from->inputs[i]->is_init)
            ox_graph_set_default(v, from->inputs[i]->data ? ox_tensor_ref(from->inputs[i]->data) : NULL, from->inputs[i]->sparse);
        v->init_origin = from->inputs[i]->init_origin;
    }
    if (copy_nodes(c, (ox_graph *)(uintptr_t)from, g, NULL) < 0) return NULL;
    for (uint32_t i = 0; i < from->ret->n_in; i++) {
        ox_value *v = mapped(c, from->ret->in[i].v);
        /* a body's output keeps the name of the value it is, which may be fresh */
        bool same = from->ret->in[i].v && from->ret->in[i].v->name == from->out_names[i];
        ox_graph_add_output(g, v, c->fresh && same && v ? v->name : new_name(c, from->out_names[i]));
        g->out_types[i] = from->out_types[i];
        g->out_origins[i] = c->fresh ? NULL : from->out_origins[i];
    }
    return g;
}

static int copy_attrs(const copying *c, const ox_node *from, ox_node *to) {
    if (!from->n_attrs) return 0;
    to->attrs = OX_NEW_N(c->m->arena, ox_attr *, from->n_attrs);
    for (uint32_t i = 0; i < from->n_attrs; i++) {
        const ox_attr *a = from->attrs[i], *value = a;
        if (a->ref && c->bind && !(value = bound(c, a))) continue; /* not given: absent in the copy, too */
        ox_attr *copy = ox_attr_copy(c->m, value);
        copy->name = a->name;
        if (value != a) copy->origin = NULL;
        if (copy->type == OX_A_GRAPH && copy->g && !copy->ref) {
            if (!(copy->g = copy_body(c, copy->g, to->graph, to))) return -1;
        } else if (copy->type == OX_A_GRAPHS && copy->n) {
            copy->gs = OX_NEW_N(c->m->arena, ox_graph *, copy->n);
            for (size_t k = 0; k < copy->n; k++)
                if (!(copy->gs[k] = copy_body(c, value->gs[k], to->graph, to))) return -1;
        }
        to->attrs[to->n_attrs++] = copy;
    }
    return 0;
}

static int copy_node(const copying *c, const ox_node *n, ox_graph *to, ox_node *before) {
    ox_value **in = OX_NEW_N(c->m->arena, ox_value *, n->n_in + 1);
    for (uint32_t i = 0; i < n->n_in; i++) in[i] = mapped(c, n->in[i].v);
    ox_node *copy = ox_node_new(to, before, n->op_type, n->domain, n->n_in, in, n->n_out);
    copy->overload = n->overload;
    copy->name = n->name;
    copy->op = n->op;
    copy->callee = c->functions && n->callee ? ox_map_get(c->functions, n->callee) : n->callee;
    copy->from = n->from;
    copy->origin = n->origin;
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out[i]) {
            copy->out[i] = NULL;
            continue;
        }
        copy->out[i]->name = new_name(c, n->out[i]->name);
        if (!c->fresh && copy->out[i]->name) ox_map_put(&c->m->names, copy->out[i]->name, copy->out[i]);
        copy_facts(c, copy->out[i], n->out[i]);
    }
    return copy_attrs(c, n, copy);
}

/* Initializers that are no inputs, then nodes. */
static int copy_nodes(const copying *c, ox_graph *from, ox_graph *to, ox_node *before) {
    for (ox_value *v = from->first_init; v; v = v->next_init) {
        if (v->is_input) continue;
        ox_value *copy = ox_graph_add_init(to, new_name(c, v->name), v->data ? ox_tensor_ref(v->data) : NULL);
        copy->sparse = v->sparse;
        copy->init_origin = v->init_origin;
        copy_facts(c, copy, v);
    }
    for (ox_node *n = from->first; n; n = n->next)
        if (copy_node(c, n, to, before) < 0) return -1;
    return 0;
}

int ox_graph_copy_into(ox_graph *from, ox_graph *g, ox_node *before, ox_map *map, const ox_binding *bind) {
    copying c = {g->model, map, bind, true, NULL};
    return copy_nodes(&c, from, g, before);
}

/* ---- whole models ---- */

static ox_function *copy_function(const copying *c, const ox_function *f) {
    ox_function *copy = ox_dup(c->m->arena, f, sizeof *f);
    ox_map_put(c->functions, f, copy);
    return copy;
}

ox_model *ox_model_copy(ox_model *m) {
    ox_model *to = ox_model_new(m->ctx, m->ir_version);
    ox_map map, functions;
    ox_map_init(&map, to->arena);
    ox_map_init(&functions, to->arena);
    copying c = {to, &map, NULL, false, &functions};
    for (size_t i = 0; i < m->n_opsets; i++) OX_PUSH(to->arena, to->opsets, to->n_opsets, to->cap_opsets, m->opsets[i]);
    for (size_t i = 0; i < m->n_functions; i++) {
        ox_function *f = copy_function(&c, m->functions[i]);
        OX_PUSH(to->arena, to->functions, to->n_functions, to->cap_functions, f);
    }
    to->path = m->path;
    to->origin = m->origin;
    to->strip = m->strip;
    to->resolve = m->resolve;
    to->graph = copy_body(&c, m->graph, NULL, NULL);
    for (size_t i = 0; to->graph && i < to->n_functions; i++) {
        ox_function *f = to->functions[i];
        f->body = copy_body(&c, f->body, NULL, NULL);
        if (!f->body) break;
        f->body->function = f;
    }
    if (!to->graph || (to->n_functions && !to->functions[to->n_functions - 1]->body)) {
        ox_model_free(to);
        return NULL;
    }
    to->changed = m->changed;
    return to;
}
