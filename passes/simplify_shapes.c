/* simplify-shapes: targets of Reshape and Expand that are computed from shapes become constants where shape inference proves them.
 *
 *   before  agraph (float[N,64,H] x) => (float[N,M] y) { s = Shape(x)  n = Gather(s, 0)  t = Concat(n, -1)  y = Reshape(x, t) }
 *   after   <int64[2] t = {0, -1}> { y = Reshape(x, t) }
 *
 * Each element of a Reshape target is, in this order of preference: a number; 0 where it equals the same dimension of the input (and 0
 * is not taken literally); -1, once, where every other element is a number of at least 1 or a copied dimension. Elements must be
 * proved >= 0, so that a computed -1 or 0 keeps its meaning. For a new -1 next to copied dimensions these must be proved >= 1, because a
 * division by a dimension of size 0 has no answer.
 * An Expand whose target adds nothing to the input's shape is removed.
 */
#include "passes/pass.h"

static ox_value *shape_constant(ox_pass_run *r, ox_graph *g, int64_t n, const int64_t *v) {
    ox_tensor *t = ox_tensor_ints(r->ctx, n, v);
    if (!t) return NULL;
    ox_value *init = ox_graph_add_init(g, NULL, t);
    ox_dim dim = ox_dim_const(r->ctx, n);
    init->type = ox_type_tensor(r->m->arena, OX_INT64, 1, &dim);
    return init;
}

static bool plan_reshape(const ox_call *c, const ox_dim *elems, int64_t n, int64_t *target) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *dims = ox_in_dims(c, 0);
    bool literal_zero = ox_get_int(c, "allowzero") != 0;
    int open = -1, copied = 0;
    bool positive = true, invented = false; /* every other element is at least 1; -1 stands where there was a size */
    for (int64_t i = 0; i < n; i++) {
        int64_t v;
        if (!elems[i]) return false;
        if (ox_dim_is_const(elems[i], &v)) {
            if (v == 0) return false; /* copy or literal: left to the user's own meaning */
            if (v == -1 && open >= 0) return false;
            if (v == -1) open = (int)i;
            target[i] = v;
        } else if (!ox_dim_nonneg(elems[i])) {
            return false;
        } else if (!literal_zero && i < rank && dims && dims[i] == elems[i]) {
            target[i] = 0;
            copied++;
            positive = positive && ox_dim_positive(elems[i]);
        } else if (open < 0) {
            open = (int)i;
            target[i] = -1;
            invented = true;
        } else {
            return false;
        }
    }
    /* -1 next to a copied dimension of size 0 has no answer; where the model itself says -1, it has none there either. */
    return !invented || copied == 0 || positive;
}

static int simplify_reshape(ox_pass_run *r, ox_node *n) {
    ox_value *shape = ox_node_in(n, 1);
    if (!shape || ox_constant(shape) || ox_function_of(n->graph)) return 0;
    ox_call c;
    if (ox_call_init(&c, r->ctx, r->arena, n) < 0) return -1;
    int64_t count = 0, target[64];
    const ox_dim *elems = ox_in_elems(&c, 1, &count);
    bool ok = elems && count <= 64 && plan_reshape(&c, elems, count, target);
    ox_call_done(&c);
    if (!ok) return 0;
    ox_value *v = shape_constant(r, n->graph, count, target);
    if (!v) return -1;
    ox_node_set_input(n, 1, v);
    return 1;
}

/* Expand(x, shape) is x when every target element equals x's dimension or is 1. */
static int simplify_expand(ox_pass_run *r, ox_node *n) {
    ox_value *x = ox_node_in(n, 0);
    ox_call c;
    if (!x || !ox_type_is_tensor(x->type)) return 0;
    if (ox_call_init(&c, r->ctx, r->arena, n) < 0) return -1;
    int64_t count = 0;
    const ox_dim *elems = ox_in_elems(&c, 1, &count);
    int rank = ox_in_rank(&c, 0);
    const ox_dim *dims = ox_in_dims(&c, 0);
    bool nothing = elems && rank >= count;
    for (int64_t i = 0; nothing && i < count; i++) {
        ox_dim e = elems[i], d = dims[rank - count + i];
        nothing = e && (ox_dim_is(e, 1) || e == d);
    }
    ox_call_done(&c);
    if (!nothing) return 0;
    ox_replace_uses(n->out[0], x);
    ox_node_remove(n);
    return 1;
}

typedef struct { ox_pass_run *r; int changes; } state;

static int visit(ox_graph *g, void *user) {
    state *s = user;
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        int done = ox_is(n, "Reshape") && n->n_in == 2 ? simplify_reshape(s->r, n) : ox_is(n, "Expand") ? simplify_expand(s->r, n) : 0;
        if (done < 0) return -1;
        s->changes += done;
    }
    return 0;
}

static int run(ox_pass_run *r) {
    state s = {.r = r};
    if (ox_each_graph(r->m, visit, &s)) return -1;
    return s.changes;
}

const ox_pass ox_pass_simplify_shapes = {
    .name = "simplify-shapes",
    .doc = "make computed targets of Reshape and Expand constant where shapes prove them",
    .run = run,
    .needs_types = true,
};
