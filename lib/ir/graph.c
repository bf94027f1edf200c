/* Models, graphs and initializers: making them and taking them apart.
 *
 * Arrays that grow with edits (operands, outputs, interfaces) have room for the next power of two of their count.
 * Everything is in the model's arena and stays there until the model goes; what is removed is unlinked. */
#include "ir/ir_private.h"

/* ---- models */

ox_model *ox_model_new(ox_ctx *ctx, int64_t ir_version) {
    ox_arena *arena = ox_arena_new(ctx);
    if (!arena) return NULL;
    ox_model *m = OX_NEW(arena, ox_model);
    m->ctx = ctx;
    m->arena = arena;
    m->ir_version = ir_version;
    ox_map_init(&m->names, arena);
    ox_map_init(&m->stems, arena);
    m->graph = ox_graph_new(m, NULL, NULL);
    return m;
}

void ox_model_free(ox_model *m) {
    if (!m) return;
    void (*free_source)(void *) = m->free_source;
    void *source = m->source;
    for (size_t i = 0; i < m->n_tensors; i++) ox_tensor_unref(m->tensors[i]);
    ox_arena_free(m->arena);
    if (free_source) free_source(source);
}

ox_tensor *ox_model_own(ox_model *m, ox_tensor *t) {
    if (t) OX_PUSH(m->arena, m->tensors, m->n_tensors, m->cap_tensors, t);
    return t;
}

static void keep(ox_map *kept, const ox_tensor *t) { ox_map_put(kept, t, kept); }

static void keep_sparse(ox_map *kept, const ox_sparse *s) {
    if (!s) return;
    keep(kept, s->values);
    keep(kept, s->indices);
}

static void keep_attr(ox_map *kept, const ox_attr *a) {
    switch (a->type) {
    case OX_A_TENSOR: keep(kept, a->t); break;
    case OX_A_TENSORS:
        for (size_t i = 0; i < a->n; i++) keep(kept, a->ts[i]);
        break;
    case OX_A_SPARSE: keep_sparse(kept, a->sparse); break;
    case OX_A_SPARSES:
        for (size_t i = 0; i < a->n; i++) keep_sparse(kept, a->sparses[i]);
        break;
    default: break;
    }
}

static int keep_graph(ox_graph *g, void *user) {
    for (ox_value *v = g->first_init; v; v = v->next_init) {
        keep(user, v->data);
        keep_sparse(user, v->sparse);
    }
    for (ox_node *n = g->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->n_attrs; i++) keep_attr(user, n->attrs[i]);
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i]) keep(user, n->out[i]->data);
    }
    return 0;
}

void ox_model_release_unused(ox_model *m) {
    ox_arena *scratch = ox_arena_new(m->ctx);
    ox_map kept;
    ox_map_init(&kept, scratch);
    ox_each_graph(m, keep_graph, &kept);
    for (size_t i = 0; i < m->n_functions; i++)
        for (size_t j = 0; j < m->functions[i]->n_formals; j++) keep_attr(&kept, m->functions[i]->formals[j]);
    size_t n = 0;
    for (size_t i = 0; i < m->n_tensors; i++) {
        if (ox_map_has(&kept, m->tensors[i]))
            m->tensors[n++] = m->tensors[i];
        else
            ox_tensor_unref(m->tensors[i]);
    }
    m->n_tensors = n;
    ox_arena_free(scratch);
}

/* ---- opset imports */

ox_sym ox_domain(ox_ctx *ctx, ox_sym domain) {
    return !domain || !strcmp(domain, "ai.onnx") ? ox_intern(ctx, "") : domain;
}

ox_function *ox_function_of(const ox_graph *g) {
    while (g && g->outer) g = g->outer;
    return g ? g->function : NULL;
}

int64_t ox_model_opset(const ox_model *m, const ox_graph *g, ox_sym domain) {
    const ox_function *f = g ? ox_function_of(g) : NULL;
    const ox_opset *list = f ? f->opsets : m->opsets;
    size_t n = f ? f->n_opsets : m->n_opsets;
    domain = ox_domain(m->ctx, domain);
    for (size_t i = 0; i < n; i++)
        if (list[i].domain == domain) return list[i].version;
    return 0;
}

void ox_model_import(ox_model *m, ox_sym domain, int64_t version) {
    domain = ox_domain(m->ctx, domain);
    for (size_t i = 0; i < m->n_opsets; i++) {
        if (m->opsets[i].domain != domain) continue;
        if (m->opsets[i].version >= version) return;
        m->opsets[i].version = version;
        m->changed = true;
        return;
    }
    OX_PUSH(m->arena, m->opsets, m->n_opsets, m->cap_opsets, ((ox_opset){domain, version}));
    m->changed = true;
}

void ox_graph_import(ox_graph *g, ox_sym domain, int64_t version) {
    ox_function *f = ox_function_of(g);
    ox_model *m = g->model;
    if (!f) {
        ox_model_import(m, domain, version);
        return;
    }
    if (ox_model_opset(m, g, domain)) return;
    ox_opset *list = OX_NEW_N(m->arena, ox_opset, f->n_opsets + 1);
    if (f->n_opsets) memcpy(list, f->opsets, f->n_opsets * sizeof *list);
    list[f->n_opsets++] = (ox_opset){ox_domain(m->ctx, domain), version};
    f->opsets = list;
    m->changed = true;
}

/* ---- growing arrays without a capacity: at a power of two (or at none) it is time for the next one */

void *ox_grown(ox_arena *arena, void *items, size_t n, size_t item_size) {
    if (n & (n - 1)) return items;
    void *more = ox_alloc_n(arena, n ? 2 * n : 1, item_size);
    if (n) memcpy(more, items, n * item_size);
    return more;
}

/* ---- graphs */

ox_graph *ox_graph_new(ox_model *m, ox_graph *outer, ox_node *owner) {
    ox_graph *g = OX_NEW(m->arena, ox_graph);
    g->model = m;
    g->outer = outer;
    g->owner = owner;
    ox_node *ret = OX_NEW(m->arena, ox_node);
    ret->graph = g;
    ret->op_type = ret->domain = ox_intern(m->ctx, "");
    g->ret = ret;
    return g;
}

ox_value *ox_value_new(ox_graph *g, ox_sym name) {
    ox_value *v = OX_NEW(g->model->arena, ox_value);
    v->name = name;
    v->graph = g;
    ox_name_used(g->model, name);
    return v;
}

ox_value *ox_graph_add_input(ox_graph *g, ox_sym name, const ox_type *type) {
    ox_value *v = ox_value_new(g, name);
    v->is_input = true;
    v->type = type;
    OX_PUSH(g->model->arena, g->inputs, g->n_inputs, g->cap_inputs, v);
    g->model->changed = true;
    return v;
}

void ox_graph_remove_input(ox_graph *g, size_t i) {
    if (i >= g->n_inputs || g->inputs[i]->nuses) return;
    ox_value *v = g->inputs[i];
    if (v->is_init) ox_graph_remove_init(v);
    v->is_input = false;
    memmove(g->inputs + i, g->inputs + i + 1, (g->n_inputs - i - 1) * sizeof *g->inputs);
    g->n_inputs--;
    g->model->changed = true;
}

void ox_graph_add_output(ox_graph *g, ox_value *v, ox_sym name) {
    ox_arena *arena = g->model->arena;
    uint32_t n = g->ret->n_in;
    ox_node_add_input(g->ret, v);
    g->out_names = ox_grown(arena, g->out_names, n, sizeof *g->out_names);
    g->out_origins = ox_grown(arena, g->out_origins, n, sizeof *g->out_origins);
    g->out_types = ox_grown(arena, g->out_types, n, sizeof *g->out_types);
    g->out_names[n] = name;
    g->out_origins[n] = NULL;
    g->out_types[n] = NULL;
    ox_name_used(g->model, name);
}

void ox_graph_remove_output(ox_graph *g, size_t i) {
    uint32_t n = g->ret->n_in;
    if (i >= n) return;
    size_t behind = n - i - 1;
    for (size_t k = i; k + 1 < n; k++) ox_node_set_input(g->ret, (uint32_t)k, g->ret->in[k + 1].v);
    ox_use_unlink(&g->ret->in[n - 1]);
    g->ret->n_in--;
    memmove(g->out_names + i, g->out_names + i + 1, behind * sizeof *g->out_names);
    memmove(g->out_origins + i, g->out_origins + i + 1, behind * sizeof *g->out_origins);
    memmove(g->out_types + i, g->out_types + i + 1, behind * sizeof *g->out_types);
    g->model->changed = true;
}

/* ---- initializers */

void ox_init_link(ox_value *v) {
    ox_graph *g = v->graph;
    v->is_init = true;
    v->prev_init = g->last_init;
    v->next_init = NULL;
    *(g->last_init ? &g->last_init->next_init : &g->first_init) = v;
    g->last_init = v;
    g->n_inits++;
}

ox_value *ox_graph_add_init(ox_graph *g, ox_sym name, ox_tensor *data) {
    ox_value *v = ox_value_new(g, name);
    v->data = ox_model_own(g->model, data);
    if (data) v->type = ox_type_of_tensor(g->model->arena, data);
    ox_init_link(v);
    g->model->changed = true;
    return v;
}

void ox_graph_set_default(ox_value *v, ox_tensor *data, ox_sparse *sparse) {
    v->data = ox_model_own(v->graph->model, data);
    v->sparse = sparse;
    if (!v->is_init) ox_init_link(v);
    v->graph->model->changed = true;
}

void ox_graph_remove_init(ox_value *v) {
    if (!v->is_init || v->pinned || (v->nuses && !v->is_input)) return;
    ox_graph *g = v->graph;
    *(v->prev_init ? &v->prev_init->next_init : &g->first_init) = v->next_init;
    *(v->next_init ? &v->next_init->prev_init : &g->last_init) = v->prev_init;
    v->prev_init = v->next_init = NULL;
    v->is_init = false;
    v->data = NULL;
    v->sparse = NULL;
    v->init_origin = NULL;
    g->n_inits--;
    g->model->changed = true;
}

/* ---- bodies that go away */

void ox_graph_release(ox_graph *body) {
    for (uint32_t i = 0; i < body->ret->n_in; i++) ox_use_unlink(&body->ret->in[i]);
    for (ox_node *n = body->last; n; n = n->prev) {
        for (uint32_t i = 0; i < n->n_in; i++) ox_use_unlink(&n->in[i]);
        for (uint32_t i = 0; i < n->n_attrs; i++) ox_attr_released(n, n->attrs[i]);
        n->graph = NULL;
    }
    body->first = body->last = NULL;
    body->n_nodes = 0;
}
