/* fold-constants: what always has the same value is computed now.
 *
 *   before  <float[4] w = {1, 2, 3, 4}> { t = Mul(w, w)  r = Reshape(t, {2, 2})  s = Shape(x)  y = Add(x, r) }
 *   after   <float[2,2] r = {1, 4, 9, 16}> { y = Add(x, r) }
 *
 * Two sources of constants: nodes whose operands are all constant, run by their kernels; and integer values of which shape
 * inference knows every element, although their operands are not constant.
 *
 * A maximal constant sub-graph is taken as a whole: only values that a remaining node or an output needs become initializers, and
 * only those count. Such a value may be at most `growth` bytes larger than the constants that die with it; a node that would
 * pass that stays, and its operands are looked at instead. The rule is local, so a second run decides the same.
 *
 * Nodes that hang together are run in one plan of the frame, by all threads, after what it takes was estimated from the types: the
 * bytes alive at the worst moment and the multiplications. What would take more than `memory` and `work` allow stays. A node that
 * cannot be run stays too, with what depends on it; the rest is folded.
 * Random operators and, unless asked, QuantizeLinear and DequantizeLinear are not folded.
 */
#include "passes/pass.h"

typedef struct {
    ox_pass_run *r;
    uint64_t growth, memory;
    double work;
    bool quant;
    int changes;
} state;

enum { NOT, FOLDABLE, STAYS }; /* marks of nodes */

static bool kernel_folds(const state *s, const ox_node *n) {
    if (!n->op || n->callee || !n->op->kernel || !ox_node_pure(n) || !n->n_out) return false;
    if (ox_is(n, "Identity")) return false; /* an initializer that is an output needs one; others go by rule */
    if (n->op->flags & (OX_RANDOM | OX_STATEFUL | OX_CONTROL)) return false;
    return s->quant || !(n->op->flags & OX_QUANT);
}

static bool constant_or_folded(const ox_value *v) {
    return !v || ox_constant(v) || (v->def && v->def->mark == FOLDABLE);
}

/* Bytes of a value by its type, UINT64_MAX when not known. */
static uint64_t value_bytes(const ox_value *v) {
    uint64_t bytes;
    int64_t count = 1, d;
    if (!ox_type_is_tensor(v->type) || v->type->rank < 0) return UINT64_MAX;
    for (int i = 0; i < v->type->rank; i++)
        if (!ox_dim_is_const(v->type->dims[i], &d) || !ox_mul_ok(count, d, &count)) return UINT64_MAX;
    return ox_dtype_bytes(v->type->dtype, count, &bytes) ? bytes : UINT64_MAX;
}

static ox_sizes sizes_of(const state *s, const ox_value *v) {
    if (!v || !ox_type_is_tensor(v->type) || v->type->rank < 0) return (ox_sizes){-1, NULL};
    int64_t *dims = OX_NEW_N(s->r->arena, int64_t, v->type->rank + 1);
    for (int i = 0; i < v->type->rank; i++) ox_dim_is_const(v->type->dims[i], &dims[i]);
    return (ox_sizes){v->type->rank, dims};
}

/* Operations of a node, each multiply-add counted as one; each element that it makes is one at least. */
static double node_work(const state *s, const ox_node *n) {
    ox_sizes *sizes = OX_NEW_N(s->r->arena, ox_sizes, n->n_in + n->n_out + 1), *out = sizes + n->n_in;
    double macs, all, elements = 0;
    for (uint32_t i = 0; i < n->n_in; i++) sizes[i] = sizes_of(s, n->in[i].v);
    for (uint32_t i = 0; i < n->n_out; i++) {
        double count = 1;
        out[i] = sizes_of(s, n->out[i]);
        for (int k = 0; k < out[i].rank; k++) count *= (double)out[i].dims[k];
        if (out[i].rank >= 0) elements += count;
    }
    ox_count_work(n, sizes, (int)n->n_in, out, (int)n->n_out, &macs, &all);
    return all - macs > elements ? all - macs : elements;
}

static bool needed_outside(const ox_value *v) {
    for (const ox_use *u = v->uses; u; u = u->next)
        if (u->user->mark != FOLDABLE || u->user->graph != v->graph) return true;
    return false;
}

/* Bytes of initializers that only this node uses: they die when it is folded. Chains count through folded makers. */
static uint64_t dying_bytes(const ox_node *n, int depth) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const ox_value *v = n->in[i].v;
        if (!v || v->nuses > 1) continue;
        if (v->data) sum += v->data->bytes;
        else if (v->def && v->def->mark == FOLDABLE && depth < 16) sum += dying_bytes(v->def, depth + 1);
    }
    return sum;
}

/* Whether the values of n that are needed may become initializers. */
static bool within_budget(const state *s, const ox_node *n) {
    uint64_t out = 0;
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out[i]) continue;
        uint64_t b = value_bytes(n->out[i]);
        if (b == UINT64_MAX || b > s->memory) return false;
        if (needed_outside(n->out[i])) out += b;
    }
    return out <= s->growth || out - s->growth <= dying_bytes(n, 0);
}

static const char *name_of(const ox_node *n) { return n->name && *n->name ? n->name : n->out[0] && n->out[0]->name ? n->out[0]->name : ""; }

static void note_bytes(const state *s, const ox_node *n, uint64_t bytes) {
    ox_pass_note(s->r, "%s '%s' stays: %llu bytes would be alive, option memory allows %llu", n->op_type, name_of(n),
                 (unsigned long long)bytes, (unsigned long long)s->memory);
}

static void note_work(const state *s, const ox_node *n, double work) {
    ox_pass_note(s->r, "%s '%s' stays: it would take %.3g multiplications, option work allows %.3g", n->op_type, name_of(n), work, s->work);
}

/* Whether a node may be run at all, whatever runs beside it. */
static bool may_be_run(const state *s, const ox_node *n) {
    for (uint32_t i = 0; i < n->n_out; i++) {
        uint64_t bytes = n->out[i] ? value_bytes(n->out[i]) : 0;
        if (bytes == UINT64_MAX) return false;
        if (bytes <= s->memory) continue;
        note_bytes(s, n, bytes);
        return false;
    }
    double work = node_work(s, n);
    if (work > s->work) note_work(s, n, work);
    return work <= s->work;
}

static void mark_graph(state *s, ox_graph *g) {
    for (ox_node *n = g->first; n; n = n->next) {
        n->mark = NOT;
        if ((n->n_out && n->out[0] && ox_constant(n->out[0])) || !kernel_folds(s, n)) continue; /* a sparse Constant is none yet */
        bool all = true;
        for (uint32_t i = 0; i < n->n_in; i++) all = all && constant_or_folded(n->in[i].v);
        if (all && may_be_run(s, n)) n->mark = FOLDABLE;
    }
    g->ret->mark = NOT;
    /* Backwards: a value too large leaves its node in place, so the node's operands are needed and judged in their turn. */
    for (ox_node *n = g->last; n; n = n->prev)
        if (n->mark == FOLDABLE && !within_budget(s, n)) n->mark = STAYS;
}

/* ---- sub-graphs: nodes that hang together, node->aux leads to the first of them */

typedef struct sub_graph {
    ox_node **nodes;
    size_t n_nodes, cap_nodes;
    ox_value **results;
    size_t n_results, cap_results;
} sub_graph;

static ox_node *first_of(ox_node *n) {
    while (n->aux != n) {
        ox_node *up = n->aux;
        n->aux = up->aux; /* paths become short */
        n = up;
    }
    return n;
}

static ox_node *maker_inside(const ox_node *n, uint32_t i) {
    ox_node *m = n->in[i].v ? n->in[i].v->def : NULL;
    return m && m->mark == FOLDABLE && m->graph == n->graph ? m : NULL;
}

/* Nodes of which nothing is needed go without being run. */
static void remove_unneeded(state *s, ox_graph *g) {
    for (ox_node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        bool used = n->mark != FOLDABLE;
        for (uint32_t i = 0; i < n->n_out; i++) used = used || (n->out[i] && n->out[i]->nuses);
        if (used) continue;
        ox_node_remove(n);
        s->changes++;
    }
}

static void add_to_sub_graph(state *s, ox_map *of, sub_graph ***list, size_t *count, size_t *cap, ox_node *n) {
    ox_arena *a = s->r->arena;
    ox_node *first = first_of(n);
    sub_graph *sub = ox_map_get(of, first);
    if (!sub) {
        sub = OX_NEW(a, sub_graph);
        ox_map_put(of, first, sub);
        OX_PUSH(a, *list, *count, *cap, sub);
    }
    OX_PUSH(a, sub->nodes, sub->n_nodes, sub->cap_nodes, n);
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && needed_outside(n->out[i])) OX_PUSH(a, sub->results, sub->n_results, sub->cap_results, n->out[i]);
}

static sub_graph **find_sub_graphs(state *s, ox_graph *g, size_t *count) {
    sub_graph **list = NULL;
    size_t cap = 0;
    ox_map of;
    ox_map_init(&of, s->r->arena);
    *count = 0;
    for (ox_node *n = g->first; n; n = n->next) {
        if (n->mark != FOLDABLE) continue;
        n->aux = n;
        for (uint32_t i = 0; i < n->n_in; i++) {
            ox_node *m = maker_inside(n, i);
            if (m) first_of(m)->aux = first_of(n);
        }
    }
    for (ox_node *n = g->first; n; n = n->next)
        if (n->mark == FOLDABLE) add_to_sub_graph(s, &of, &list, count, &cap, n);
    return list;
}

/* Whether the budgets suffice. A value is alive from its maker to its last reader, a result to the end. */
static bool within_limits(const state *s, const sub_graph *sub) {
    uint64_t alive = 0;
    double work = 0;
    for (size_t k = 0; k < sub->n_nodes; k++) /* value->mark: readers to come, one more for results */
        for (uint32_t i = 0; i < sub->nodes[k]->n_out; i++)
            if (sub->nodes[k]->out[i]) sub->nodes[k]->out[i]->mark = sub->nodes[k]->out[i]->nuses;
    for (size_t k = 0; k < sub->n_nodes; k++) {
        const ox_node *n = sub->nodes[k];
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i] && n->out[i]->nuses) alive += value_bytes(n->out[i]); /* each is at most `memory` */
        work += node_work(s, n);
        if (alive > s->memory) note_bytes(s, n, alive);
        else if (work > s->work) note_work(s, n, work);
        if (alive > s->memory || work > s->work) return false;
        for (uint32_t i = 0; i < n->n_in; i++)
            if (maker_inside(n, i) && !--n->in[i].v->mark) alive -= value_bytes(n->in[i].v);
    }
    return true;
}

/* ---- computing: results hang on value->aux until they are initializers */

static void keep(void *user, const ox_value *v, ox_rt *rt) {
    (void)user;
    ox_value *own = (ox_value *)(uintptr_t)v;
    if (!own->aux) own->aux = ox_rt_ref(rt);
}

static void drop_results(const ox_node *n) {
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out[i]) continue;
        ox_rt_unref(n->out[i]->aux);
        n->out[i]->aux = NULL;
    }
}

/* The value gets an initializer in its place. An output of the graph keeps its name for the Identity that settling names adds. */
static void materialize(ox_value *v, ox_tensor *t) {
    ox_sym name = ox_is_graph_output(v) ? NULL : v->name;
    ox_value *init = ox_graph_add_init(v->graph, NULL, t);
    init->elems = v->elems;
    init->nelems = v->nelems;
    ox_replace_uses(v, init);
    if (name) v->name = NULL;
    init->name = name;
}

/* Whether all that is needed of a node was computed. Sequences and absent optionals stay computed at run time. */
static bool has_results(const ox_node *n) {
    for (uint32_t i = 0; i < n->n_out; i++) {
        const ox_rt *rt = n->out[i] ? n->out[i]->aux : NULL;
        if (n->out[i] && n->out[i]->nuses && (!rt || rt->kind != OX_RT_TENSOR)) return false;
    }
    return true;
}

static int run_sub_graph(state *s, ox_graph *g, const sub_graph *sub) {
    bool within = within_limits(s, sub), *done = OX_NEW_N(s->r->arena, bool, sub->n_nodes + 1);
    ox_part part = {.nodes = sub->nodes, .n_nodes = sub->n_nodes, .results = sub->results, .n_results = sub->n_results, .done = done, .keep = keep};
    int rc = within ? ox_run_part(g, &part) : 0;
    for (size_t k = 0; k < sub->n_nodes; k++)
        if (rc || !done[k]) sub->nodes[k]->mark = STAYS;
    return rc;
}

/* From the last node to the first: what only folded nodes read has no uses when its turn comes. */
static void put_results(state *s, ox_graph *g) {
    for (ox_node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        if (n->mark == FOLDABLE && !has_results(n)) n->mark = STAYS;
        bool folded = n->mark == FOLDABLE;
        for (uint32_t i = 0; folded && i < n->n_out; i++)
            if (n->out[i] && n->out[i]->nuses) materialize(n->out[i], ox_tensor_ref(((ox_rt *)n->out[i]->aux)->t));
        if (n->mark != NOT) drop_results(n);
        if (!folded) continue;
        ox_node_remove(n);
        s->changes++;
    }
}

static int fold_marked(state *s, ox_graph *g) {
    size_t count;
    remove_unneeded(s, g);
    sub_graph **list = find_sub_graphs(s, g, &count);
    int rc = 0;
    for (size_t i = 0; i < count && !rc; i++) rc = run_sub_graph(s, g, list[i]);
    for (ox_node *n = g->last; rc && n; n = n->prev)
        if (n->mark != NOT) n->mark = STAYS; /* only to let go of what was computed */
    put_results(s, g);
    return rc;
}

/* ---- integer values known element by element ---- */

static bool known_elements(const ox_value *v) {
    int64_t d, count = 1;
    if (!v || !v->elems || !v->nuses || !ox_type_is_tensor(v->type) || v->type->rank < 0) return false;
    for (int i = 0; i < v->type->rank; i++)
        if (!ox_dim_is_const(v->type->dims[i], &d)) return false;
        else count *= d;
    if (count != v->nelems) return false;
    for (int64_t i = 0; i < v->nelems; i++)
        if (!ox_dim_is_const(v->elems[i], NULL)) return false;
    return ox_dtype_is_int(v->type->dtype) || v->type->dtype == OX_BOOL;
}

static int fold_known(state *s, ox_graph *g) {
    if (ox_function_of(g)) return 0;
    for (ox_node *n = g->first; n; n = n->next) {
        if (!n->op || ox_is(n, "Constant") || ox_is(n, "Identity") || !ox_node_pure(n)) continue;
        for (uint32_t i = 0; i < n->n_out; i++) {
            ox_value *v = n->out[i];
            if (!known_elements(v)) continue;
            int64_t dims[64];
            if (v->type->rank > 64) continue;
            for (int k = 0; k < v->type->rank; k++) ox_dim_is_const(v->type->dims[k], &dims[k]);
            ox_tensor *t = ox_tensor_new(s->r->ctx, v->type->dtype, v->type->rank, dims);
            if (!t) return -1;
            for (int64_t k = 0; k < v->nelems; k++) {
                int64_t e = 0;
                ox_dim_is_const(v->elems[k], &e);
                ox_store_int(t->dtype, ox_tensor_mut(t), k, e);
            }
            materialize(v, t);
            s->changes++;
        }
    }
    return 0;
}

static int visit(ox_graph *g, void *user) {
    state *s = user;
    if (fold_known(s, g) < 0) return -1;
    if (ox_function_of(g)) return 0; /* functions hold no initializers; they are inlined first where that is wanted */
    mark_graph(s, g);
    return fold_marked(s, g);
}

static int run(ox_pass_run *r) {
    state s = {
        .r = r,
        .growth = ox_option_size(r, "growth"),
        .memory = ox_option_size(r, "memory"),
        .work = ox_option_double(r, "work"),
        .quant = ox_option_bool(r, "quantized"),
    };
    if (ox_each_graph(r->m, visit, &s)) return -1;
    return s.changes;
}

static const ox_option options[] = {
    {"growth", OX_O_SIZE, "256KiB", "how much larger than the constants that die with it a folded value may be"},
    {"memory", OX_O_SIZE, "256MiB", "bytes of results that may be alive at a time while a sub-graph is computed"},
    {"work", OX_O_DOUBLE, "1e12", "multiplications that computing a sub-graph may take"},
    {"quantized", OX_O_BOOL, "false", "fold QuantizeLinear and DequantizeLinear of constants, too"},
    {0},
};

const ox_pass ox_pass_fold_constants = {
    .name = "fold-constants",
    .doc = "compute what is constant, within a budget of growth",
    .help = "Constant sub-graphs are run by the frame's kernels in their declared types; shapes computed in the graph are folded as far\n"
            "as shape inference knows their elements.",
    .options = options,
    .run = run,
    .needs_types = true,
};
