/* Stable topological order: of the nodes whose operands are ready, the one that stood first. A node with bodies waits for what the bodies
 * capture. Iterative over nodes; bodies are sorted in their turn. */
#include "ir/ir.h"

/* A binary heap of nodes by their old position (node->mark). */
typedef struct { ox_node **items; size_t n; } heap;

static void heap_push(heap *h, ox_node *n) {
    size_t i = h->n++;
    for (; i && h->items[(i - 1) / 2]->mark > n->mark; i = (i - 1) / 2) h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = n;
}

static ox_node *heap_pop(heap *h) {
    ox_node *top = h->items[0], *last = h->items[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->items[child + 1]->mark < h->items[child]->mark) child++;
        if (last->mark <= h->items[child]->mark) break;
        h->items[i] = h->items[child];
    }
    h->items[i] = last;
    return top;
}

/* The node of graph g that a use stands for: its user, or the node around whose body the user is in. NULL: outside of g or a ret. */
static ox_node *user_in(const ox_use *u, const ox_graph *g) {
    ox_node *n = u->user;
    while (n && n->graph != g) n = n->graph->owner;
    return n && n != g->ret ? n : NULL;
}

typedef struct { ox_graph *g; uint32_t *waiting; } counting;

/* One edge per use, so a node that uses a value twice waits twice: both are counted down. */
static void each_edge(ox_node *n, void (*fn)(ox_node *user, void *arg), void *arg) {
    for (uint32_t i = 0; i < n->n_out; i++)
        for (const ox_use *u = n->out[i] ? n->out[i]->uses : NULL; u; u = u->next) {
            ox_node *user = user_in(u, n->graph);
            if (user) fn(user, arg);
        }
}

static void count_edge(ox_node *user, void *arg) { ((uint32_t *)arg)[user->mark]++; }

typedef struct { uint32_t *waiting; heap *ready; } releasing;

static void release_edge(ox_node *user, void *arg) {
    releasing *r = arg;
    if (--r->waiting[user->mark] == 0) heap_push(r->ready, user);
}

/* Names the nodes of one cycle: from any node that still waits, back through operands that still wait. */
static int fail_cycle(ox_graph *g, const uint32_t *waiting, ox_node **nodes, size_t n_nodes) {
    ox_arena *arena = g->model->arena;
    ox_node **next = OX_NEW_N(arena, ox_node *, n_nodes); /* some waiting user's maker: next[user] = maker */
    for (size_t i = 0; i < n_nodes; i++) {
        if (!waiting[i]) continue;
        for (uint32_t k = 0; k < nodes[i]->n_out; k++)
            for (const ox_use *u = nodes[i]->out[k] ? nodes[i]->out[k]->uses : NULL; u; u = u->next) {
                ox_node *user = user_in(u, g);
                if (user && waiting[user->mark]) next[user->mark] = nodes[i];
            }
    }
    ox_node *n = NULL;
    for (size_t i = 0; i < n_nodes && !n; i++)
        if (waiting[i] && next[i]) n = nodes[i];
    for (size_t i = 0; n && i < n_nodes; i++) n = next[n->mark] ? next[n->mark] : n; /* now surely on a cycle */
    ox_text text = {.arena = arena};
    ox_node *at = n;
    for (int shown = 0; at && shown < 8; shown++) {
        ox_text_addf(&text, "%s%s '%.100s'", shown ? " <- " : "", at->op_type, at->name ? at->name : at->n_out && at->out[0] ? at->out[0]->name : "");
        at = next[at->mark];
        if (at == n) break;
    }
    return ox_fail(g->model->ctx, OX_BAD_DATA, "the graph has a cycle: %s", text.data ? text.data : "?");
}

static int sort_body(ox_graph *g, void *user) { return ox_sort(g, user) < 0 ? 1 : 0; }

int ox_sort(ox_graph *g, bool *moved) {
    ox_ctx *ctx = g->model->ctx;
    size_t n = g->n_nodes, i = 0, placed = 0;
    ox_arena *arena = ox_arena_new(ctx);
    ox_node **nodes = OX_NEW_N(arena, ox_node *, n + 1);
    uint32_t *waiting = OX_NEW_N(arena, uint32_t, n + 1);
    heap ready = {OX_NEW_N(arena, ox_node *, n + 1), 0};
    for (ox_node *x = g->first; x; x = x->next) {
        x->mark = (uint32_t)i;
        nodes[i++] = x;
    }
    for (i = 0; i < n; i++) each_edge(nodes[i], count_edge, waiting);
    for (i = 0; i < n; i++)
        if (!waiting[i]) heap_push(&ready, nodes[i]);
    ox_node *last = NULL;
    bool out_of_order = false;
    releasing r = {waiting, &ready};
    while (ready.n) {
        ox_node *x = heap_pop(&ready);
        out_of_order |= x->mark != placed++;
        x->prev = last;
        x->next = NULL;
        if (last) last->next = x;
        else g->first = x;
        last = x;
        each_edge(x, release_edge, &r);
    }
    int result = 0;
    if (placed < n) { /* the old order again, so that the graph stays whole */
        for (i = 0; i < n; i++) {
            nodes[i]->prev = i ? nodes[i - 1] : NULL;
            nodes[i]->next = i + 1 < n ? nodes[i + 1] : NULL;
        }
        g->first = nodes[0];
        g->last = nodes[n - 1];
        result = fail_cycle(g, waiting, nodes, n);
    } else {
        g->last = last;
        if (out_of_order) g->model->changed = true;
        if (moved && out_of_order) *moved = true;
    }
    ox_arena_free(arena);
    for (ox_node *x = g->first; x && result == 0; x = x->next)
        if (x->n_attrs && ox_each_body(x, sort_body, moved)) result = -1;
    return result;
}
