/* Checks the invariants that stand at the head of ir.h, in time linear in the model. Says the first one that is
 * broken. */
#include "ir/ir_private.h"

typedef struct verifier {
    ox_ctx *ctx;
    ox_map known;    /* values whose definition was passed, by value */
    ox_map visible;  /* names of the graph at work and those around it, to values */
    uint64_t uses;   /* operands seen that have a value */
    uint64_t listed; /* cells in the lists of all values */
} verifier;

static const char *text(const char *s) { return s ? s : ""; }

static int broken(const verifier *f, const ox_node *n, const char *what) {
    if (!n) return ox_fail(f->ctx, OX_BUG, "invariant broken: %s", what);
    return ox_fail(f->ctx, OX_BUG, "invariant broken at node '%.256s' (%.128s): %s",
                   text(n->name                           ? n->name
                        : n->n_out && n->out && n->out[0] ? n->out[0]->name
                                                          : NULL),
                   n->op_type, what);
}

/* ---- values */

static int check_uses(verifier *f, const ox_value *v) {
    uint32_t n = 0;
    const ox_use *prev = NULL;
    for (const ox_use *u = v->uses; u; prev = u, u = u->next) {
        if (u->v != v || u->prev != prev) return broken(f, v->def, "a use list is not linked well");
        if (!u->user || u < u->user->in || u >= u->user->in + u->user->n_in)
            return broken(f, v->def, "a use is no operand of its user");
        if (!u->user->graph) return broken(f, u->user, "a removed node still uses a value");
        if (++n > v->nuses) break;
    }
    f->listed += n;
    return n == v->nuses ? 0 : broken(f, v->def, "the number of uses is wrong");
}

static int check_value(verifier *f, const ox_value *v, const ox_graph *g) {
    if (v->graph != g) return broken(f, v->def, "a value belongs to another graph");
    if (check_uses(f, v)) return -1;
    if (!v->name) return 0;
    const ox_value *other = ox_map_get(&f->visible, v->name);
    if (other && other != v)
        return ox_fail(f->ctx, OX_BUG, "invariant broken: two values have the name '%.256s'", v->name);
    ox_map_put(&f->visible, v->name, (void *)v);
    return 0;
}

/* Inputs, initializers and outputs of nodes: lists, back pointers and names. */
static int check_values(verifier *f, const ox_graph *g) {
    size_t n = 0;
    for (size_t i = 0; i < g->n_inputs; i++) {
        const ox_value *v = g->inputs[i];
        if (!v->is_input || v->def) return broken(f, NULL, "an input is not marked as one, or has a definition");
        if (check_value(f, v, g)) return -1;
    }
    const ox_value *prev = NULL;
    for (const ox_value *v = g->first_init; v; prev = v, v = v->next_init, n++) {
        if (!v->is_init || v->def || (!v->data && !v->sparse))
            return broken(f, NULL, "an initializer is not marked as one, or has no data");
        if (v->prev_init != prev || n > g->n_inits)
            return broken(f, NULL, "the list of initializers is not linked well");
        if (!v->is_input && check_value(f, v, g)) return -1;
    }
    if (n != g->n_inits || g->last_init != prev) return broken(f, NULL, "the number of initializers is wrong");
    for (const ox_node *d = g->first; d; d = d->next)
        for (uint32_t i = 0; i < d->n_out; i++) {
            const ox_value *v = d->out[i];
            if (!v) continue;
            if (v->def != d || v->index != i || v->is_input || v->is_init)
                return broken(f, d, "an output does not point back to its node");
            if (check_value(f, v, g)) return -1;
        }
    return 0;
}

static void forget_names(verifier *f, const ox_graph *g) {
    for (size_t i = 0; i < g->n_inputs; i++) ox_map_remove(&f->visible, g->inputs[i]->name);
    for (const ox_value *v = g->first_init; v; v = v->next_init) ox_map_remove(&f->visible, v->name);
    for (const ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i]) ox_map_remove(&f->visible, n->out[i]->name);
}

/* ---- nodes */

static int check_operands(verifier *f, const ox_node *n) {
    for (uint32_t i = 0; i < n->n_in; i++) {
        const ox_use *u = &n->in[i];
        if (u->user != n) return broken(f, n, "an operand does not point to its node");
        if (!u->v) continue;
        f->uses++;
        if (!ox_graph_contains(u->v->graph, n->graph))
            return broken(f, n, "an operand belongs to no graph around the node");
        if (!ox_map_has(&f->known, u->v)) return broken(f, n, "an operand is defined later, or nowhere");
    }
    return 0;
}

static int check_graph(verifier *f, ox_graph *g);

static int check_bodies(verifier *f, ox_node *n) {
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        const ox_attr *a = n->attrs[i];
        size_t count = a->ref ? 0 : a->type == OX_A_GRAPH ? 1 : a->type == OX_A_GRAPHS ? a->n : 0;
        for (size_t k = 0; k < count; k++) {
            ox_graph *body = a->type == OX_A_GRAPH ? a->g : a->gs[k];
            if (!body || body->owner != n || body->outer != n->graph)
                return broken(f, n, "a body does not point back to its node");
            if (check_graph(f, body)) return -1;
        }
    }
    return 0;
}

static int check_graph(verifier *f, ox_graph *g) {
    size_t n_nodes = 0;
    const ox_node *prev = NULL;
    if (check_values(f, g)) return -1;
    for (size_t i = 0; i < g->n_inputs; i++) ox_map_put(&f->known, g->inputs[i], g);
    for (ox_value *v = g->first_init; v; v = v->next_init) ox_map_put(&f->known, v, g);
    for (ox_node *n = g->first; n; prev = n, n = n->next) {
        if (n->graph != g || n->prev != prev || ++n_nodes > g->n_nodes)
            return broken(f, n, "the list of nodes is not linked well");
        if (check_operands(f, n) || check_bodies(f, n)) return -1;
        for (uint32_t i = 0; i < n->n_out; i++) ox_map_put(&f->known, n->out[i], g);
    }
    if (n_nodes != g->n_nodes || g->last != prev) return broken(f, NULL, "the number of nodes is wrong");
    if (g->ret->graph != g || check_operands(f, g->ret)) return -1;
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        if (!g->ret->in[i].v) return broken(f, NULL, "a graph output has no value");
        if (!g->outer && !g->out_names[i]) return broken(f, NULL, "a graph output has no name");
    }
    forget_names(f, g);
    return 0;
}

int ox_verify(ox_model *m) {
    ox_arena *scratch = ox_arena_new(m->ctx);
    verifier f = {.ctx = m->ctx};
    ox_map_init(&f.known, scratch);
    ox_map_init(&f.visible, scratch);
    int failed = m->graph->outer || m->graph->owner ? broken(&f, NULL, "the main graph lies in another one")
                                                    : check_graph(&f, m->graph);
    for (size_t i = 0; i < m->n_functions && !failed; i++)
        if (m->functions[i]->body) {
            failed = m->functions[i]->body->function == m->functions[i]
                         ? check_graph(&f, m->functions[i]->body)
                         : broken(&f, NULL, "a body does not point back to its function");
            if (failed) ox_fail_in(m->ctx, "function '%s'", text(m->functions[i]->name));
        }
    if (!failed && f.uses != f.listed) failed = broken(&f, NULL, "a use list holds an operand of no node of the model");
    ox_arena_free(scratch);
    return failed;
}
