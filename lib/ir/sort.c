/* Stable topological sort: nodes that stand right stay where they are, and what a node needs is put directly before
 * it.
 *
 * A node depends on what it uses and on what its bodies capture. The walk is depth first with a stack of its own,
 * because a chain of 100,000 nodes in reverse order is valid input. */
#include "ir/ir_private.h"

enum { CYCLE_SHOWN = 16 };

typedef struct item {
    ox_node *node;
    uint32_t *deps;     /* positions of the nodes it needs, in operand order */
    uint32_t n_deps, cap, next;
    uint8_t state;      /* 0 new, 1 on the stack, 2 placed */
} item;

typedef struct sorter {
    ox_graph *g;
    ox_arena *scratch;
    ox_map position;    /* node to its position plus one */
    item *items;
    uint32_t n;
} sorter;

typedef struct collect {
    sorter *s;
    item *it;
} collect;

static void add_dep(sorter *s, item *it, const ox_value *v) {
    if (!v || !v->def) return;
    ox_node *d = v->def;
    while (d && d->graph && d->graph != s->g) d = d->graph->owner;
    if (!d || (d == it->node && v->def != d)) return; /* of a graph around, or inside its own body */
    uintptr_t at = (uintptr_t)ox_map_get(&s->position, d);
    if (!at || (it->n_deps && it->deps[it->n_deps - 1] == at - 1)) return;
    if (it->n_deps == it->cap) {
        size_t cap = it->cap;
        it->deps = ox_grow(s->scratch, it->deps, it->n_deps, &cap, sizeof *it->deps);
        it->cap = (uint32_t)cap;
    }
    it->deps[it->n_deps++] = (uint32_t)(at - 1);
}

static int collect_body(ox_graph *body, void *user) {
    collect *c = user;
    for (ox_node *n = body->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->n_in; i++) add_dep(c->s, c->it, n->in[i].v);
        ox_each_body(n, collect_body, c);
    }
    for (uint32_t i = 0; i < body->ret->n_in; i++) add_dep(c->s, c->it, body->ret->in[i].v);
    return 0;
}

static bool collect_all(sorter *s) {
    bool sorted = true;
    uint32_t k = 0;
    s->n = (uint32_t)s->g->n_nodes;
    s->items = OX_NEW_N(s->scratch, item, s->n + 1u);
    for (ox_node *n = s->g->first; n; n = n->next, k++) {
        s->items[k].node = n;
        ox_map_put(&s->position, n, (void *)(uintptr_t)(k + 1u));
    }
    for (k = 0; k < s->n; k++) {
        item *it = &s->items[k];
        collect c = {s, it};
        for (uint32_t i = 0; i < it->node->n_in; i++) add_dep(s, it, it->node->in[i].v);
        ox_each_body(it->node, collect_body, &c);
        for (uint32_t i = 0; i < it->n_deps; i++) sorted &= it->deps[i] < k;
    }
    return sorted;
}

static const char *shown(const ox_node *n) {
    if (n->name && n->name[0]) return n->name;
    return n->n_out && n->out[0] && n->out[0]->name ? n->out[0]->name : n->op_type;
}

static int fail_cycle(sorter *s, const uint32_t *stack, uint32_t n, uint32_t start) {
    ox_text t = {.arena = s->scratch};
    uint32_t i = 0, shown_n = 0;
    while (stack[i] != start) i++;
    for (; i < n && shown_n < CYCLE_SHOWN; i++, shown_n++)
        ox_text_addf(&t, "%s'%.128s'", shown_n ? ", " : "", shown(s->items[stack[i]].node));
    if (i < n) ox_text_addf(&t, " and %u more", n - i);
    return ox_fail(s->g->model->ctx, OX_BAD_DATA, "the nodes form a cycle, each needs the next: %s", t.data);
}

/* Appends nodes to the graph in their new order. */
static int place_all(sorter *s) {
    uint32_t *stack = OX_NEW_N(s->scratch, uint32_t, s->n + 1u), *order = OX_NEW_N(s->scratch, uint32_t, s->n + 1u),
             placed = 0;
    for (uint32_t k = 0; k < s->n; k++) {
        uint32_t n = 0;
        if (s->items[k].state) continue;
        stack[n++] = k;
        s->items[k].state = 1;
        while (n) {
            item *it = &s->items[stack[n - 1]];
            if (it->next == it->n_deps) {
                it->state = 2;
                order[placed++] = stack[--n];
                continue;
            }
            uint32_t d = it->deps[it->next++];
            if (s->items[d].state == 1) return fail_cycle(s, stack, n, d);
            if (s->items[d].state) continue;
            s->items[d].state = 1;
            stack[n++] = d;
        }
    }
    for (uint32_t k = 0; k < placed; k++) ox_node_append(s->g, s->items[order[k]].node);
    return 0;
}

static int sort_graph(ox_graph *g, void *user) {
    bool *moved = user;
    sorter s = {.g = g, .scratch = ox_arena_new(g->model->ctx)};
    ox_map_init(&s.position, s.scratch);
    int failed = 0;
    if (!collect_all(&s)) {
        failed = place_all(&s);
        *moved = true;
    }
    ox_arena_free(s.scratch);
    for (ox_node *n = g->first; n && !failed; n = n->next) failed = ox_each_body(n, sort_graph, moved);
    return failed;
}

int ox_sort(ox_graph *g, bool *moved) {
    bool any = false;
    int failed = sort_graph(g, &any);
    if (moved) *moved = any;
    return failed;
}
