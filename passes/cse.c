/* cse: of nodes that compute the same from the same, one stays; a body may use what a graph around it already computed.
 *
 *   before  { a = Exp(x)  b = Exp(x)  y = Add(a, b) }
 *   after   { a = Exp(x)  y = Add(a, a) }
 *
 * Equal means: domain, operator, overload, operands in order (either order of commutative ones), attributes with those that hold
 * their default left out, number and presence of outputs. Random, stateful, unknown operators and nodes with bodies are left alone.
 * Constant nodes are merged in functions only: elsewhere they are initializers, or the names of outputs.
 */
#include "passes/pass.h"

typedef struct entry { ox_node *n; uint64_t hash; struct entry *chain; } entry;

typedef struct { /* hash table of nodes seen so far; entries of a body are taken out when it ends */
    ox_pass_run *r;
    entry **slots;
    size_t n_slots;
    int changes;
} table;

static bool attr_is_default(ox_ctx *ctx, const ox_node *n, const ox_attr *a) {
    const ox_formal_attr *f = ox_signature_attr(ox_op_signature(ctx, n->op), a->name);
    return f && f->dflt && ox_attr_equal(a, f->dflt);
}

static const ox_attr *find_attr(const ox_node *n, ox_sym name) {
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (n->attrs[i]->name == name) return n->attrs[i];
    return NULL;
}

/* Every attribute of a that does not hold its default is on b with the same value. */
static bool attrs_within(ox_ctx *ctx, const ox_node *a, const ox_node *b) {
    for (uint32_t i = 0; i < a->n_attrs; i++) {
        const ox_attr *x = a->attrs[i], *y = find_attr(b, x->name);
        if (y ? !ox_attr_equal(x, y) : !attr_is_default(ctx, a, x)) return false;
    }
    return true;
}

static bool same(ox_ctx *ctx, const ox_node *a, const ox_node *b) {
    if (a->op_type != b->op_type || a->domain != b->domain || a->overload != b->overload || a->n_in != b->n_in || a->n_out != b->n_out)
        return false;
    if (a->op != b->op) return false; /* a function may have another opset */
    bool straight = true, crossed = (a->op->flags & OX_COMMUTATIVE) && a->n_in == 2;
    for (uint32_t i = 0; i < a->n_in; i++) {
        straight &= a->in[i].v == b->in[i].v;
        crossed = crossed && a->in[i].v == b->in[1 - i].v;
    }
    if (!straight && !crossed) return false;
    for (uint32_t i = 0; i < a->n_out; i++)
        if (!a->out[i] != !b->out[i]) return false;
    return attrs_within(ctx, a, b) && attrs_within(ctx, b, a);
}

/* Of what ox_attr_equal() compares, but of a tensor no more than its beginning. */
static uint64_t hash_attr(const ox_attr *a) {
    uint64_t h = ox_hash_mix((uintptr_t)a->name, (uint64_t)a->type);
    if (a->ref) return ox_hash_mix(h, (uintptr_t)a->ref);
    switch (a->type) {
    case OX_A_FLOAT: return ox_hash(&a->f, sizeof a->f, h);
    case OX_A_INT: return ox_hash_mix(h, (uint64_t)a->i);
    case OX_A_STRING: return ox_hash(a->s.data, a->s.len, h);
    case OX_A_FLOATS: return ox_hash(a->fs, a->n * sizeof *a->fs, h);
    case OX_A_INTS: return ox_hash(a->is, a->n * sizeof *a->is, h);
    case OX_A_TENSOR: {
        const void *data = a->t && a->t->dtype != OX_STRING ? ox_tensor_data(a->t) : NULL;
        return data ? ox_hash(data, a->t->bytes < 64 ? (size_t)a->t->bytes : 64, ox_hash_mix(h, (uint64_t)a->t->count)) : h;
    }
    default: return ox_hash_mix(h, a->n);
    }
}

/* Nodes that are the same have the same hash: attributes in any order, without those that hold their default. */
static uint64_t hash_node(ox_ctx *ctx, const ox_node *n) {
    uint64_t h = ox_hash_mix((uintptr_t)n->op_type, n->n_in), sum = 0;
    bool commutes = (n->op->flags & OX_COMMUTATIVE) && n->n_in == 2;
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint64_t v = ox_hash_mix(0, (uintptr_t)n->in[i].v);
        if (commutes) sum += v;
        else h = ox_hash_mix(h, v);
    }
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (!attr_is_default(ctx, n, n->attrs[i])) sum += hash_attr(n->attrs[i]);
    return ox_hash_mix(h, sum);
}

/* An Identity that makes an output is there for the output's name. */
static bool carries_name(const ox_node *n) { return ox_is(n, "Identity") && n->n_out && n->out[0] && ox_is_graph_output(n->out[0]); }

static bool candidate(const ox_node *n) {
    if (carries_name(n) || (ox_is(n, "Constant") && !ox_function_of(n->graph))) return false;
    return n->op && !n->callee && n->n_out && !(n->op->flags & OX_CONTROL) && ox_node_pure(n);
}

static int scan_graph(ox_graph *g, void *user);

static void merge(table *t, ox_node *n, ox_node *kept) {
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i]) ox_replace_uses(n->out[i], kept->out[i]);
    ox_node_remove(n);
    t->changes++;
}

static int scan_graph(ox_graph *g, void *user) {
    table *t = user;
    struct added { entry e; struct added *next; } *mine = NULL; /* entries of this graph, newest first */
    for (ox_node *n = g->first, *next; n; n = next) {
        next = n->next;
        ox_each_body(n, scan_graph, t);
        if (!candidate(n)) continue;
        uint64_t h = hash_node(t->r->ctx, n);
        entry **slot = &t->slots[h & (t->n_slots - 1)], *e = *slot;
        while (e && !(e->hash == h && same(t->r->ctx, e->n, n))) e = e->chain;
        if (e) {
            merge(t, n, e->n);
            continue;
        }
        struct added *a = OX_NEW(t->r->arena, struct added);
        a->e = (entry){n, h, *slot};
        *slot = &a->e;
        a->next = mine;
        mine = a;
    }
    for (; mine; mine = mine->next) /* newest first, so each stands at the head of its chain */
        t->slots[mine->e.hash & (t->n_slots - 1)] = mine->e.chain;
    return 0;
}

static int count_nodes(ox_graph *g, void *user) {
    *(size_t *)user += g->n_nodes;
    return 0;
}

static int run(ox_pass_run *r) {
    size_t nodes = 0;
    ox_each_graph(r->m, count_nodes, &nodes);
    table t = {.r = r, .n_slots = 64};
    while (t.n_slots < nodes) t.n_slots *= 2;
    t.slots = OX_NEW_N(r->arena, entry *, t.n_slots);
    scan_graph(r->m->graph, &t);
    for (size_t i = 0; i < r->m->n_functions; i++) scan_graph(r->m->functions[i]->body, &t);
    return t.changes;
}

const ox_pass ox_pass_cse = {
    .name = "cse",
    .doc = "merge nodes that compute the same from the same, across bodies too",
    .run = run,
};
