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
 * Random operators and, unless asked, QuantizeLinear and DequantizeLinear are not folded.
 */
#include "passes/pass.h"

typedef struct {
    ox_pass_run *r;
    uint64_t growth, memory;
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

static void mark_graph(state *s, ox_graph *g) {
    for (ox_node *n = g->first; n; n = n->next) {
        n->mark = NOT;
        if ((n->n_out && n->out[0] && ox_constant(n->out[0])) || !kernel_folds(s, n)) continue; /* a sparse Constant is none yet */
        bool all = true;
        for (uint32_t i = 0; i < n->n_in; i++) all = all && constant_or_folded(n->in[i].v);
        bool small = true; /* results that may not even exist for a while */
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i] && value_bytes(n->out[i]) > s->memory) small = false;
        if (all && small) n->mark = FOLDABLE;
    }
    g->ret->mark = NOT;
    /* Backwards: a value too large leaves its node in place, so the node's operands are needed and judged in their turn. */
    for (ox_node *n = g->last; n; n = n->prev)
        if (n->mark == FOLDABLE && !within_budget(s, n)) n->mark = STAYS;
}

/* ---- computing: results hang on value->aux while the graph is worked on ---- */

static ox_rt *operand(state *s, const ox_value *v) {
    if (!v) return NULL;
    if (v->aux) return ox_rt_ref(v->aux);
    ox_tensor *t = ox_constant(v);
    return t ? ox_rt_tensor(s->r->ctx, ox_tensor_ref(t)) : NULL;
}

static void release(ox_rt **values, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) ox_rt_unref(values[i]);
}

/* Runs one node. 1 done, 0 cannot be run (stays), -1 an error that is not the node's own matter. */
static int compute(state *s, ox_node *n) {
    ox_ctx *ctx = s->r->ctx;
    ox_call c;
    if (ox_call_init(&c, ctx, s->r->arena, n) < 0) {
        ox_clear_error(ctx);
        return 0;
    }
    ox_rt **in = OX_NEW_N(s->r->arena, ox_rt *, c.n_in + 1), **out = OX_NEW_N(s->r->arena, ox_rt *, c.n_out + 1);
    bool ready = true;
    for (int i = 0; i < c.n_in; i++) {
        if (c.in[i].t) in[i] = ox_rt_tensor(ctx, ox_tensor_ref((ox_tensor *)(uintptr_t)c.in[i].t));
        else if (c.in[i].v) in[i] = operand(s, c.in[i].v);
        ready = ready && (in[i] || (!c.in[i].v && !c.in[i].t));
    }
    int result = ready && ox_eval_call(&c, in, out) == 0;
    if (!result && ox_error_code(ctx) == OX_NO_MEMORY) result = -1;
    else if (!result) ox_clear_error(ctx);
    for (uint32_t i = 0; result == 1 && i < n->n_out; i++) {
        if (n->out[i]) n->out[i]->aux = out[i];
        else ox_rt_unref(out[i]);
    }
    release(in, (uint32_t)c.n_in);
    ox_call_done(&c);
    return result;
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

static void drop_results(ox_node *n) {
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->aux) {
            ox_rt_unref(n->out[i]->aux);
            n->out[i]->aux = NULL;
        }
}

static bool tensors_only(const ox_node *n) {
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->nuses && n->out[i]->aux && ((ox_rt *)n->out[i]->aux)->kind != OX_RT_TENSOR) return false;
    return true;
}

static int fold_marked(state *s, ox_graph *g) {
    if (ox_function_of(g)) return 0; /* functions hold no initializers; they are inlined first where that is wanted */
    int failed = 0;
    for (ox_node *n = g->first; n && !failed; n = n->next) {
        if (n->mark != FOLDABLE) continue;
        int done = compute(s, n);
        if (done < 0) failed = -1;
        if (done <= 0) n->mark = STAYS;
    }
    for (ox_node *n = g->last, *prev; n; n = prev) {
        prev = n->prev;
        if (n->mark != FOLDABLE || failed) {
            drop_results(n);
            continue;
        }
        if (!tensors_only(n)) { /* sequences and absent optionals stay computed at run time */
            drop_results(n);
            continue;
        }
        for (uint32_t i = 0; i < n->n_out; i++) {
            ox_value *v = n->out[i];
            if (!v || !v->aux) continue;
            if (v->nuses) materialize(v, ox_tensor_ref(((ox_rt *)v->aux)->t));
        }
        drop_results(n);
        ox_node_remove(n);
        s->changes++;
    }
    return failed;
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
    mark_graph(s, g);
    return fold_marked(s, g);
}

static int run(ox_pass_run *r) {
    state s = {
        .r = r,
        .growth = ox_option_size(r, "growth"),
        .memory = ox_option_size(r, "memory"),
        .quant = ox_option_bool(r, "quantized"),
    };
    if (ox_each_graph(r->m, visit, &s)) return -1;
    return s.changes;
}

static const ox_option options[] = {
    {"growth", OX_O_SIZE, "256KiB", "how much larger than the constants that die with it a folded value may be"},
    {"memory", OX_O_SIZE, "256MiB", "a value larger than this is not computed at all"},
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
