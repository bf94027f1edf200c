/* Attributes of nodes. An attribute that is set anew has no origin: it is written from its value. Setting the value
 * that is there already changes nothing. */
#include "ir/ir_private.h"

ox_attr *ox_attr_find(const ox_node *n, const char *name) {
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (!strcmp(n->attrs[i]->name, name)) return n->attrs[i];
    return NULL;
}

void ox_attr_released(ox_node *n, ox_attr *a) {
    if (a->type == OX_A_GRAPH && a->g) ox_graph_release(a->g);
    if (a->type == OX_A_GRAPHS)
        for (size_t i = 0; i < a->n; i++) ox_graph_release(a->gs[i]);
    if (n->n_out && n->out[0] && ox_is(n, "Constant"))
        n->out[0]->data = NULL; /* made from the attribute: see ox_constant() */
}

ox_attr *ox_attr_add(ox_node *n, const char *name, ox_attr_type type) {
    ox_model *m = n->graph->model;
    ox_attr *a = OX_NEW(m->arena, ox_attr);
    a->name = ox_intern(m->ctx, name);
    a->type = type;
    m->changed = true;
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        if (n->attrs[i]->name != a->name) continue;
        ox_attr_released(n, n->attrs[i]);
        return n->attrs[i] = a;
    }
    ox_attr **more = OX_NEW_N(m->arena, ox_attr *, n->n_attrs + 1u); /* few: no room for more is kept */
    if (n->n_attrs) memcpy(more, n->attrs, n->n_attrs * sizeof *more);
    more[n->n_attrs] = a;
    n->attrs = more;
    n->n_attrs++;
    return a;
}

void ox_attr_remove(ox_node *n, const char *name) {
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        if (strcmp(n->attrs[i]->name, name)) continue;
        ox_attr_released(n, n->attrs[i]);
        memmove(n->attrs + i, n->attrs + i + 1, (n->n_attrs - i - 1) * sizeof *n->attrs);
        n->n_attrs--;
        n->graph->model->changed = true;
        return;
    }
}

/* The attribute when it holds a value of its own of that type. */
static const ox_attr *own(const ox_node *n, const char *name, ox_attr_type type) {
    const ox_attr *a = ox_attr_find(n, name);
    return a && !a->ref && a->type == type ? a : NULL;
}

void ox_attr_set_int(ox_node *n, const char *name, int64_t v) {
    const ox_attr *a = own(n, name, OX_A_INT);
    if (!a || a->i != v) ox_attr_add(n, name, OX_A_INT)->i = v;
}

void ox_attr_set_float(ox_node *n, const char *name, float v) {
    const ox_attr *a = own(n, name, OX_A_FLOAT);
    if (!a || memcmp(&a->f, &v, sizeof v)) ox_attr_add(n, name, OX_A_FLOAT)->f = v;
}

void ox_attr_set_string(ox_node *n, const char *name, const char *text) {
    const ox_attr *a = own(n, name, OX_A_STRING);
    size_t len = strlen(text);
    if (a && a->s.len == len && (!len || !memcmp(a->s.data, text, len))) return;
    const char *copy = ox_strdup(n->graph->model->arena, text);
    ox_attr_add(n, name, OX_A_STRING)->s = (ox_str){copy, len};
}

void ox_attr_set_ints(ox_node *n, const char *name, size_t count, const int64_t *v) {
    const ox_attr *a = own(n, name, OX_A_INTS);
    if (a && a->n == count && (!count || !memcmp(a->is, v, count * sizeof *v))) return;
    int64_t *copy = OX_NEW_N(n->graph->model->arena, int64_t, count ? count : 1);
    if (count) memcpy(copy, v, count * sizeof *v);
    ox_attr *made = ox_attr_add(n, name, OX_A_INTS);
    made->is = copy;
    made->n = count;
}

void ox_attr_set_tensor(ox_node *n, const char *name, ox_tensor *t) {
    ox_attr_add(n, name, OX_A_TENSOR)->t = ox_model_own(n->graph->model, t);
}

/* ---- copying */

static ox_str copy_str(ox_arena *arena, ox_str s) {
    char *text = ox_alloc_n(arena, s.len + 1, 1);
    if (s.len) memcpy(text, s.data, s.len);
    return (ox_str){text, s.len};
}

static ox_tensor *share(ox_model *m, ox_tensor *t) { return ox_model_own(m, ox_tensor_ref(t)); }

ox_sparse *ox_sparse_copy(ox_model *m, const ox_sparse *s) {
    if (!s) return NULL;
    ox_sparse *c = ox_dup(m->arena, s, sizeof *s);
    c->values = share(m, s->values);
    c->indices = share(m, s->indices);
    if (s->rank > 0) c->dims = ox_dup(m->arena, s->dims, (size_t)s->rank * sizeof *s->dims);
    return c;
}

static void *copy_items(ox_arena *arena, const void *items, size_t n, size_t size) {
    void *c = ox_alloc_n(arena, n ? n : 1, size);
    if (n) memcpy(c, items, n * size);
    return c;
}

ox_attr *ox_attr_copy(ox_model *m, const ox_attr *a) {
    ox_arena *arena = m->arena;
    ox_attr *c = ox_dup(arena, a, sizeof *a);
    if (a->ref) return c; /* no value of its own */
    switch (a->type) {
    case OX_A_STRING: c->s = copy_str(arena, a->s); break;
    case OX_A_TENSOR: share(m, a->t); break;
    case OX_A_GRAPH: c->g = NULL; break;
    case OX_A_SPARSE: c->sparse = ox_sparse_copy(m, a->sparse); break;
    case OX_A_TYPE: c->tp = ox_type_copy(arena, a->tp); break;
    case OX_A_FLOATS: c->fs = copy_items(arena, a->fs, a->n, sizeof *a->fs); break;
    case OX_A_INTS: c->is = copy_items(arena, a->is, a->n, sizeof *a->is); break;
    case OX_A_STRINGS:
        c->ss = copy_items(arena, a->ss, a->n, sizeof *a->ss);
        for (size_t i = 0; i < a->n; i++) c->ss[i] = copy_str(arena, a->ss[i]);
        break;
    case OX_A_TENSORS:
        c->ts = copy_items(arena, a->ts, a->n, sizeof *a->ts);
        for (size_t i = 0; i < a->n; i++) share(m, a->ts[i]);
        break;
    case OX_A_GRAPHS:
        c->gs = NULL;
        c->n = 0;
        break;
    case OX_A_SPARSES:
        c->sparses = copy_items(arena, a->sparses, a->n, sizeof *a->sparses);
        for (size_t i = 0; i < a->n; i++) c->sparses[i] = ox_sparse_copy(m, a->sparses[i]);
        break;
    case OX_A_TYPES:
        c->tps = copy_items(arena, a->tps, a->n, sizeof *a->tps);
        for (size_t i = 0; i < a->n; i++) c->tps[i] = ox_type_copy(arena, a->tps[i]);
        break;
    default: break;
    }
    return c;
}

bool ox_attr_equal(const ox_attr *a, const ox_attr *b) {
    if (a == b) return true;
    if (a->type != b->type || a->n != b->n || a->ref != b->ref) return false;
    if (a->ref) return true;
    switch (a->type) {
    case OX_A_FLOAT: return !memcmp(&a->f, &b->f, sizeof a->f);
    case OX_A_INT: return a->i == b->i;
    case OX_A_STRING: return a->s.len == b->s.len && (!a->s.len || !memcmp(a->s.data, b->s.data, a->s.len));
    case OX_A_TENSOR: return a->t == b->t || (a->t && b->t && ox_tensor_equal(a->t, b->t));
    case OX_A_FLOATS: return !a->n || !memcmp(a->fs, b->fs, a->n * sizeof *a->fs);
    case OX_A_INTS: return !a->n || !memcmp(a->is, b->is, a->n * sizeof *a->is);
    case OX_A_STRINGS:
        for (size_t i = 0; i < a->n; i++)
            if (a->ss[i].len != b->ss[i].len || (a->ss[i].len && memcmp(a->ss[i].data, b->ss[i].data, a->ss[i].len))) return false;
        return true;
    case OX_A_TYPE: return ox_type_equal(a->tp, b->tp);
    default: return false;
    }
}
