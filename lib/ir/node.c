/* Nodes, operands and values: edits of the use lists, each in constant time per operand. */
#include "ir/ir_private.h"

/* ---- use lists */

void ox_use_link(ox_use *u, ox_value *v) {
    u->v = v;
    u->prev = NULL;
    u->next = NULL;
    if (!v) return;
    u->next = v->uses;
    if (v->uses) v->uses->prev = u;
    v->uses = u;
    v->nuses++;
}

void ox_use_unlink(ox_use *u) {
    if (!u->v) return;
    *(u->prev ? &u->prev->next : &u->v->uses) = u->next;
    if (u->next) u->next->prev = u->prev;
    u->v->nuses--;
    u->v = NULL;
    u->prev = u->next = NULL;
}

static uint32_t round_up(uint32_t n) {
    uint32_t c = 1;
    while (c < n && c < 1u << 31) c <<= 1;
    return c < n ? n : c;
}

/* ---- operands */

static ox_model *model_of(const ox_node *n) { return n->graph->model; }

void ox_node_set_input(ox_node *n, uint32_t i, ox_value *v) {
    if (n->in[i].v == v) return;
    ox_use_unlink(&n->in[i]);
    ox_use_link(&n->in[i], v);
    model_of(n)->changed = true;
}

void ox_node_set_inputs(ox_node *n, uint32_t n_in, ox_value *const *in) {
    bool same = n->n_in == n_in;
    for (uint32_t i = 0; same && i < n_in; i++) same = n->in[i].v == in[i];
    if (same && n->in) return;
    ox_use *cells =
        OX_NEW_N(model_of(n)->arena, ox_use, round_up(n_in)); /* new ones: `in` may point into values of the old */
    for (uint32_t i = 0; i < n->n_in; i++) ox_use_unlink(&n->in[i]);
    for (uint32_t i = 0; i < n_in; i++) {
        cells[i].user = n;
        ox_use_link(&cells[i], in ? in[i] : NULL);
    }
    n->in = cells;
    n->n_in = n_in;
    model_of(n)->changed = true;
}

void ox_node_add_input(ox_node *n, ox_value *v) {
    ox_use *old = n->in;
    n->in = ox_grown(model_of(n)->arena, old, n->n_in, sizeof *old);
    for (uint32_t i = 0; n->in != old && i < n->n_in; i++) { /* cells are known by their address */
        ox_value *kept = old[i].v;
        ox_use_unlink(&old[i]);
        ox_use_link(&n->in[i], kept);
    }
    ox_use *u = &n->in[n->n_in++];
    *u = (ox_use){.user = n};
    ox_use_link(u, v);
    model_of(n)->changed = true;
}

/* ---- nodes in their graph */

static void link_node(ox_graph *g, ox_node *n, ox_node *before) {
    if (before == g->ret) before = NULL;
    n->graph = g;
    n->next = before;
    n->prev = before ? before->prev : g->last;
    *(n->prev ? &n->prev->next : &g->first) = n;
    *(before ? &before->prev : &g->last) = n;
    g->n_nodes++;
}

static void unlink_node(ox_node *n) {
    ox_graph *g = n->graph;
    *(n->prev ? &n->prev->next : &g->first) = n->next;
    *(n->next ? &n->next->prev : &g->last) = n->prev;
    n->prev = n->next = NULL;
    g->n_nodes--;
}

static ox_value *new_output(ox_node *n, uint32_t i) {
    ox_value *v = ox_value_new(n->graph, NULL);
    v->def = n;
    v->index = i;
    return v;
}

ox_node *ox_node_new(ox_graph *g, ox_node *before, ox_sym op_type, ox_sym domain, uint32_t n_in, ox_value *const *in,
                     uint32_t n_out) {
    ox_node *n = OX_NEW(g->model->arena, ox_node);
    n->op_type = op_type;
    n->domain = ox_domain(g->model->ctx, domain);
    link_node(g, n, before);
    ox_node_set_inputs(n, n_in, in);
    ox_node_set_n_out(n, n_out);
    g->model->changed = true;
    return n;
}

static bool has_used_output(const ox_node *n, uint32_t from) {
    for (uint32_t i = from; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->nuses) return true;
    return false;
}

void ox_node_set_n_out(ox_node *n, uint32_t n_out) {
    if (has_used_output(n, n_out) || (n->out && n_out == n->n_out)) return;
    if (n_out > n->n_out || !n->out) {
        ox_value **out = OX_NEW_N(model_of(n)->arena, ox_value *, round_up(n_out));
        if (n->n_out) memcpy(out, n->out, n->n_out * sizeof *out);
        n->out = out;
    }
    for (uint32_t i = n_out; i < n->n_out; i++)
        if (n->out[i]) n->out[i]->def = NULL;
    for (uint32_t i = n->n_out; i < n_out; i++) n->out[i] = new_output(n, i);
    n->n_out = n_out;
    model_of(n)->changed = true;
}

void ox_node_remove(ox_node *n) {
    if (!n->graph || n == n->graph->ret || has_used_output(n, 0)) return;
    model_of(n)->changed = true;
    for (uint32_t i = 0; i < n->n_in; i++) ox_use_unlink(&n->in[i]);
    for (uint32_t i = 0; i < n->n_attrs; i++) ox_attr_released(n, n->attrs[i]);
    unlink_node(n);
    n->graph = NULL;
}

/* Others may have the same names there: of two branches, say. */
static void enter_graph(ox_node *n, ox_graph *g) {
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out[i]) continue;
        n->out[i]->graph = g;
        if (n->out[i]->name) n->out[i]->name = ox_fresh_name(g->model, n->out[i]->name);
    }
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        ox_attr *a = n->attrs[i];
        if (a->type == OX_A_GRAPH && a->g) a->g->outer = g;
        if (a->type == OX_A_GRAPHS)
            for (size_t k = 0; k < a->n; k++) a->gs[k]->outer = g;
    }
}

static void move(ox_graph *g, ox_node *n, ox_node *before) {
    unlink_node(n);
    if (n->graph != g) enter_graph(n, g);
    link_node(g, n, before);
    g->model->changed = true;
}

void ox_node_move(ox_node *n, ox_node *before) {
    if (before && before != n && n->next != before) move(before->graph, n, before);
}

void ox_node_append(ox_graph *g, ox_node *n) {
    if (n->graph != g || n->next) move(g, n, NULL);
}

/* ---- values */

bool ox_is_graph_output(const ox_value *v) {
    for (const ox_use *u = v->uses; u; u = u->next)
        if (u->user == u->user->graph->ret && u->user->graph == v->graph) return true;
    return false;
}

void ox_replace_uses(ox_value *from, ox_value *to) {
    if (from == to || !from->uses) return;
    ox_model *m = from->graph->model;
    ox_use *last = from->uses;
    for (ox_use *u = from->uses; u; u = u->next) {
        u->v = to;
        last = u;
    }
    last->next = to->uses;
    if (to->uses) to->uses->prev = last;
    to->uses = from->uses;
    to->nuses += from->nuses;
    from->uses = NULL;
    from->nuses = 0;
    m->changed = true;
    /* What a body says of an outer value need only hold where the body runs. */
    if (to->graph != from->graph) return;
    if (!to->is_input) to->type = ox_type_meet(m->arena, to->type, from->type, NULL); /* the type of an input is the interface */
    to->listed |= from->listed && to->def;
    if (to->def && !to->declared) to->declared = from->declared;
    if (!to->elems) {
        to->elems = from->elems;
        to->nelems = from->nelems;
    }
}

/* ---- constants */

static ox_tensor *floats_tensor(ox_ctx *ctx, int rank, size_t n, const float *v) {
    int64_t dim = (int64_t)n;
    ox_tensor *t = ox_tensor_new(ctx, OX_FLOAT, rank, &dim);
    if (t && n) memcpy(ox_tensor_mut(t), v, n * sizeof *v);
    return t;
}

static ox_tensor *strings_tensor(ox_ctx *ctx, int rank, size_t n, const ox_str *v) {
    int64_t dim = (int64_t)n;
    ox_tensor *t = ox_tensor_new(ctx, OX_STRING, rank, &dim);
    for (size_t i = 0; t && i < n; i++) ox_tensor_set_str(t, (int64_t)i, v[i].data, v[i].len);
    return t;
}

/* The tensor of a Constant's attribute other than `value`. */
static ox_tensor *tensor_of_attr(ox_ctx *ctx, const ox_attr *a) {
    if (a->type == OX_A_INT && !strcmp(a->name, "value_int")) return ox_tensor_scalar_int(ctx, OX_INT64, a->i);
    if (a->type == OX_A_INTS && !strcmp(a->name, "value_ints")) return ox_tensor_ints(ctx, (int64_t)a->n, a->is);
    if (a->type == OX_A_FLOAT && !strcmp(a->name, "value_float")) return floats_tensor(ctx, 0, 1, &a->f);
    if (a->type == OX_A_FLOATS && !strcmp(a->name, "value_floats")) return floats_tensor(ctx, 1, a->n, a->fs);
    if (a->type == OX_A_STRING && !strcmp(a->name, "value_string")) return strings_tensor(ctx, 0, 1, &a->s);
    if (a->type == OX_A_STRINGS && !strcmp(a->name, "value_strings")) return strings_tensor(ctx, 1, a->n, a->ss);
    return NULL;
}

ox_tensor *ox_constant(const ox_value *cv) {
    ox_value *v = (ox_value *)cv; /* what is made once is kept */
    if (!v) return NULL;
    ox_model *m = v->graph->model;
    if (v->is_init) return v->variable || (v->is_input && m->ir_version >= 4) ? NULL : v->data;
    ox_node *n = v->def;
    if (!n || v->index || !ox_is(n, "Constant")) return NULL;
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        ox_attr *a = n->attrs[i];
        if (a->ref) continue;
        if (a->type == OX_A_TENSOR && !strcmp(a->name, "value")) return a->t;
        if (!v->data) v->data = ox_model_own(m, tensor_of_attr(m->ctx, a));
        if (!v->data) ox_check_memory(m->ctx); /* else it is no constant */
        if (v->data) return v->data;
    }
    return NULL;
}

static ox_tensor *one_element(const ox_value *v, const void **data) {
    ox_tensor *t = ox_constant(v);
    bool number = t && t->count == 1 && t->dtype != OX_STRING && t->dtype != OX_COMPLEX64 && t->dtype != OX_COMPLEX128;
    *data = number ? ox_tensor_data(t) : NULL;
    return *data ? t : NULL;
}

bool ox_constant_double(const ox_value *v, double *out) {
    const void *data;
    const ox_tensor *t = one_element(v, &data);
    if (t) *out = ox_load_double(t->dtype, data, 0);
    return t != NULL;
}

bool ox_constant_int(const ox_value *v, int64_t *out) {
    const void *data;
    const ox_tensor *t = one_element(v, &data);
    if (!t) return false;
    int64_t i = ox_load_int(t->dtype, data, 0);
    if (ox_dtype_is_float(t->dtype) && (double)i != ox_load_double(t->dtype, data, 0))
        return false; /* no whole number */
    if (t->dtype == OX_UINT64 && i < 0) return false;
    *out = i;
    return true;
}
