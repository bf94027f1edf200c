/* Ifs whose condition is known before any run: the branch that is taken takes the place of the node.
 *
 * A condition is known when it is a constant, when shape inference knows its element, or when it is computed from constants alone. Then
 * no control step stands in the way of reordering and joining, the other branch is never planned, and what is read of the outputs
 * has the types of the branch that is taken, not what both have in common. */
#include "exec/plan.h"

enum { MOST_NODES = 256, MOST_ROUNDS = 16 }; /* that a condition is computed by; of a branch that decides further Ifs */

/* ---- conditions that are computed from constants */

typedef struct source {
    ox_arena *arena;
    ox_map seen;
    const ox_value *wanted;
    ox_rt *value;
    int n;
} source;

static bool is_constant(const ox_value *v) { return !v || ox_constant(v); }

/* Whether a node can be computed before any run; those that it takes are noted. */
static bool gather(source *s, ox_node *n) {
    const uint32_t never = OX_RANDOM | OX_STATEFUL | OX_CONTROL;
    if (ox_map_has(&s->seen, n)) return true;
    if (!n->op || n->callee || !n->op->kernel || n->op->flags & never || !ox_node_pure(n) || s->n >= MOST_NODES) return false;
    ox_map_put(&s->seen, n, n);
    s->n++;
    for (uint32_t i = 0; i < n->n_in; i++) {
        ox_value *v = n->in[i].v;
        if (is_constant(v)) continue;
        if (!v->def || v->graph != s->wanted->graph || !gather(s, v->def)) return false; /* MOST_NODES deep at most */
    }
    return true;
}

static void keep(void *user, const ox_value *v, ox_rt *rt) {
    source *s = user;
    if (v == s->wanted && !s->value) s->value = ox_rt_ref(rt);
}

static int truth_of(const ox_tensor *t) {
    if (t->dtype != OX_BOOL || t->count != 1) return -1;
    const void *data = ox_tensor_data(t);
    if (data) return ox_load_int(t->dtype, data, 0) != 0;
    ox_check_memory(t->ctx);
    ox_clear_error(t->ctx);
    return -1;
}

/* 1, 0, or -1 when it cannot be computed. */
static int compute(ox_value *v) {
    ox_ctx *ctx = v->graph->model->ctx;
    source s = {.arena = ox_arena_new(ctx), .wanted = v};
    int truth = -1, rc = 0;
    ox_map_init(&s.seen, s.arena);
    if (gather(&s, v->def)) {
        ox_node **nodes = OX_NEW_N(s.arena, ox_node *, s.n + 1);
        size_t n = 0;
        for (ox_node *k = v->graph->first; k && n < (size_t)s.n; k = k->next)
            if (ox_map_has(&s.seen, k)) nodes[n++] = k;
        bool *done = OX_NEW_N(s.arena, bool, n + 1);
        ox_part part = {.nodes = nodes, .n_nodes = n, .results = &v, .n_results = 1, .done = done, .keep = keep, .user = &s};
        rc = ox_run_part(v->graph, &part);
        if (s.value && s.value->kind == OX_RT_TENSOR) truth = truth_of(s.value->t);
        ox_rt_unref(s.value);
    }
    ox_arena_free(s.arena);
    if (rc) ox_check_memory(ctx);
    if (rc) ox_clear_error(ctx);
    return truth;
}

int ox_condition_of(ox_node *n) {
    ox_value *v = n->n_in == 1 ? n->in[0].v : NULL;
    int64_t element;
    if (!v) return -1;
    if (ox_constant(v)) return truth_of(ox_constant(v));
    if (v->elems && v->nelems == 1 && ox_dim_is_const(v->elems[0], &element)) return element != 0;
    return v->def ? compute(v) : -1;
}

/* ---- inlining */

static int decide_graph(ox_graph *g, void *user) {
    int *count = user;
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        int truth = ox_is(n, "If") ? ox_condition_of(n) : -1;
        ox_node *before = n->prev;
        int done = truth < 0 ? 0 : ox_inline_branch(n, truth);
        if (done < 0) return -1;
        *count += done;
        if (done) next = before ? before->next : g->first; /* an If may have come out of the branch */
        else if (ox_each_body(n, decide_graph, user)) return -1;
    }
    return 0;
}

int ox_decide_ifs(ox_model *m) {
    int count = 1;
    for (int round = 0; count && round < MOST_ROUNDS; round++) {
        count = 0;
        if (decide_graph(m->graph, &count)) return -1;
        if (!count || !ox_infer_model(m, NULL)) continue;
        ox_check_memory(m->ctx);
        ox_clear_error(m->ctx); /* what cannot be is said by the run */
    }
    return 0;
}
