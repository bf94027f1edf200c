/* What an integer input may be, found by following it to the operators that use it as an index or a length. */
#include "exec/inputs.h"

#include <string.h>

enum { MOST_PLACES = 20000 }; /* bound on the search, far above real models */

/* Element + shift of the input stands in this value. */
typedef struct place {
    const ox_value *v;
    int64_t shift;
} place;

typedef struct search {
    ox_arena *arena;
    place *todo;
    size_t n, room;
    ox_map seen;
    ox_int_limit limit;
    bool (*size_of)(void *user, ox_dim d, int64_t *n);
    void *user;
} search;

/* The size of a value along an axis. */
static bool size_along(const search *s, const ox_value *v, int64_t axis, int64_t *n) {
    if (!v) return false;
    const ox_tensor *t = ox_constant(v);
    if (!t && v->data) t = v->data;
    int rank = t ? t->rank : ox_type_is_tensor(v->type) ? v->type->rank : -1;
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return false;
    if (t) return *n = t->dims[axis], true;
    return ox_dim_is_const(v->type->dims[axis], n) || s->size_of(s->user, v->type->dims[axis], n);
}

static void restrict_to(search *s, const place *p, int64_t low, int64_t high) {
    low = low > p->shift ? low - p->shift : 0;
    high -= p->shift;
    if (low > s->limit.low) s->limit.low = low;
    if (!s->limit.known || high < s->limit.high) s->limit.high = high;
    s->limit.known = true;
}

static void restrict_to_axis(search *s, const place *p, const ox_value *v, int64_t axis) {
    int64_t n;
    if (size_along(s, v, axis, &n)) restrict_to(s, p, 0, n);
}

static void follow(search *s, const ox_value *v, int64_t shift) {
    if (!v || s->n >= MOST_PLACES || ox_map_has(&s->seen, v)) return;
    ox_map_put(&s->seen, v, (void *)(uintptr_t)v);
    OX_PUSH(s->arena, s->todo, s->n, s->room, ((place){v, shift}));
}

static void follow_outputs(search *s, const ox_node *n, int64_t shift) {
    for (uint32_t i = 0; i < n->n_out; i++) follow(s, n->out[i], shift);
}

static int64_t int_attr(const ox_node *n, const char *name, int64_t dflt) {
    const ox_attr *a = ox_attr_find(n, name);
    return a && a->type == OX_A_INT ? a->i : dflt;
}

/* GatherND, ScatterND: one index for each of the leading dimensions; the smallest holds for all. */
static void restrict_to_leading(search *s, const place *p, const ox_node *n) {
    int64_t depth = 1, size, first = int_attr(n, "batch_dims", 0);
    if (!size_along(s, p->v, -1, &depth) || depth > 64) depth = 1;
    for (int64_t d = 0; d < depth; d++)
        if (size_along(s, ox_node_in(n, 0), first + d, &size)) restrict_to(s, p, 0, size);
}

/* The operand is an index or a length; false when it is neither. */
static bool restrict_by(search *s, const place *p, const ox_node *n, uint32_t slot) {
    const char *op = n->op_type;
    int64_t k;
    const ox_value *first = ox_node_in(n, 0);
    if ((!strcmp(op, "Gather") || !strcmp(op, "GatherElements") || !strcmp(op, "ScatterElements") ||
         !strcmp(op, "Scatter")) &&
        slot == 1)
        return restrict_to_axis(s, p, first, int_attr(n, "axis", 0)), true;
    if ((!strcmp(op, "GatherND") || !strcmp(op, "ScatterND")) && slot == 1) return restrict_to_leading(s, p, n), true;
    if (!strcmp(op, "ArrayFeatureExtractor") && slot == 1) return restrict_to_axis(s, p, first, -1), true;
    if (!strcmp(op, "OneHot") && slot == 0) {
        if (ox_constant_int(ox_node_in(n, 1), &k)) restrict_to(s, p, 0, k);
        return true;
    }
    if ((!strcmp(op, "NegativeLogLikelihoodLoss") || !strcmp(op, "SoftmaxCrossEntropyLoss")) && slot == 1)
        return restrict_to_axis(s, p, first, 1), true;
    if ((!strcmp(op, "LSTM") || !strcmp(op, "GRU") || !strcmp(op, "RNN")) && slot == 4) {
        if (size_along(s, first, int_attr(n, "layout", 0), &k)) restrict_to(s, p, 1, k + 1);
        return true;
    }
    if (!strcmp(op, "TensorScatter") && slot == 2) { /* where to write: the update must fit behind it */
        int64_t there, update, axis = int_attr(n, "axis", -2);
        if (size_along(s, first, axis, &there) && size_along(s, ox_node_in(n, 1), axis, &update))
            restrict_to(s, p, 0, there - update + 1);
        return true;
    }
    if (!strcmp(op, "Attention") && slot == 6) { /* lengths of the keys */
        if (size_along(s, ox_node_in(n, 1), -2, &k)) restrict_to(s, p, 1, k + 1);
        return true;
    }
    if (!strcmp(op, "EmbedLayerNormalization") && slot < 2)
        return restrict_to_axis(s, p, ox_node_in(n, slot ? 4 : 2), 0), true;
    if (!strcmp(op, "GatherBlockQuantized") && slot == 1)
        return restrict_to_axis(s, p, first, int_attr(n, "gather_axis", 0)), true;
    return false;
}

/* Operators whose outputs are elements of this operand. */
static bool moves(const ox_node *n, uint32_t slot) {
    static const char *const first_only[] = {"Cast",           "CastLike",
                                             "Identity",       "Reshape",
                                             "Squeeze",        "Unsqueeze",
                                             "Flatten",        "Transpose",
                                             "Slice",          "Gather",
                                             "GatherND",       "Expand",
                                             "Tile",           "Split",
                                             "Dropout",        "Pad",
                                             "Clip",           "GatherElements",
                                             "Compress",       "DepthToSpace",
                                             "Trilu",          "SequenceConstruct",
                                             "SplitToSequence"};
    if (!strcmp(n->op_type, "Concat") || !strcmp(n->op_type, "Max") || !strcmp(n->op_type, "Min")) return true;
    if (!strcmp(n->op_type, "Where")) return slot > 0;
    for (size_t i = 0; slot == 0 && i < sizeof first_only / sizeof first_only[0]; i++)
        if (!strcmp(n->op_type, first_only[i])) return true;
    return false;
}

typedef struct entry {
    search *s;
    int64_t slot, shift;
} entry;

static int enter_body(ox_graph *g, void *user) {
    entry *e = user;
    if (e->slot >= 0 && (size_t)e->slot < g->n_inputs) follow(e->s, g->inputs[e->slot], e->shift);
    return 0;
}

static void look_at_use(search *s, const place *p, const ox_node *n, uint32_t slot) {
    int64_t k;
    entry e = {s, slot, p->shift};
    if (n->callee) {
        enter_body(n->callee->body, &e);
        return;
    }
    if (n == n->graph->ret) return; /* what comes out of the holder of a body is not followed */
    if (restrict_by(s, p, n, slot)) return;
    if (moves(n, slot)) {
        follow_outputs(s, n, p->shift);
        return;
    }
    if ((ox_is(n, "Add") || (ox_is(n, "Sub") && slot == 0)) && ox_constant_int(ox_node_in(n, 1 - slot), &k) &&
        k > -1000000 && k < 1000000) {
        follow_outputs(s, n, ox_is(n, "Add") ? p->shift + k : p->shift - k);
        return;
    }
    if (ox_is(n, "Loop") || ox_is(n, "Scan")) ox_each_body((ox_node *)(uintptr_t)n, enter_body, &e);
}

ox_int_limit ox_find_limit(ox_ctx *ctx, const ox_value *input, bool (*size_of)(void *user, ox_dim d, int64_t *n),
                           void *user) {
    search s = {.arena = ox_arena_new(ctx), .limit = {0, 0, false}, .size_of = size_of, .user = user};
    ox_map_init(&s.seen, s.arena);
    follow(&s, input, 0);
    for (size_t i = 0; i < s.n; i++) {
        place p = s.todo[i];
        for (const ox_use *u = p.v->uses; u; u = u->next)
            if (u->user->graph) look_at_use(&s, &p, u->user, (uint32_t)(u - u->user->in));
    }
    ox_arena_free(s.arena);
    if (s.limit.known && s.limit.high <= s.limit.low) s.limit.high = s.limit.low + 1;
    return s.limit;
}
