/* dce: everything that nothing needs goes: nodes, optional outputs, initializers, functions, opset imports.
 *
 *   before  <float[1] w = {1}, float[1] z = {2}> { a = Relu(x)  b = Exp(x)  y, mask = Dropout(a) }    y is the output
 *   after   { a = Relu(x)  y = Dropout(a) }
 *
 * Inputs are an interface and stay. A value used only inside a body is used: captures are ordinary uses. What training or a
 * quantization annotation names is needed. Nodes of unknown operators in domains of others may have effects and stay.
 */
#include "passes/pass.h"

static bool removable(const ox_node *n) {
    if (n->op) return !(n->op->flags & OX_STATEFUL);
    return n->callee || n->domain[0] == 0;
}

static bool unused(const ox_node *n) {
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->nuses) return false;
    return true;
}

/* Drops unused optional outputs at the end. */
static int trim_outputs(ox_node *n, ox_ctx *ctx) {
    if (!n->op || n->n_out < 2) return 0;
    const ox_signature *s = ox_op_signature(ctx, n->op);
    uint32_t keep = n->n_out;
    while (keep > 1 && (int)keep <= s->n_out && s->out[keep - 1].optional && (!n->out[keep - 1] || !n->out[keep - 1]->nuses)) keep--;
    if (keep == n->n_out) return 0;
    ox_node_set_n_out(n, keep);
    return 1;
}

typedef struct { ox_pass_run *r; ox_node **stack; size_t n, cap; int changes; } sweep;

static void push_makers(sweep *s, ox_node *n);

static int push_body_makers(ox_graph *g, void *user) {
    sweep *s = user;
    for (ox_node *n = g->first; n; n = n->next) push_makers(s, n);
    push_makers(s, g->ret);
    return 0;
}

/* Puts the makers of a dying node's operands on the stack: they may die next. */
static void push_makers(sweep *s, ox_node *n) {
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].v && n->in[i].v->def && n->in[i].v->nuses == 1) OX_PUSH(s->r->arena, s->stack, s->n, s->cap, n->in[i].v->def);
    ox_each_body(n, push_body_makers, s);
}

static int sweep_graph(ox_graph *g, void *user) {
    sweep *s = user;
    for (ox_node *n = g->last, *prev; n; n = prev) { /* backwards: users before makers, so one walk mostly does */
        prev = n->prev;
        if (removable(n) && unused(n)) {
            push_makers(s, n);
            ox_node_remove(n);
            s->changes++;
        } else {
            s->changes += trim_outputs(n, s->r->ctx);
        }
    }
    return 0;
}

/* ---- initializers: those that a quantization annotation names stay as long as the tensor it is about ---- */

typedef struct { ox_ctx *ctx; ox_map names, needed; } notes;

static int note_parameter(const char *tensor, const char *parameter, void *user) {
    notes *n = user;
    if (ox_map_has(&n->names, ox_intern(n->ctx, tensor))) ox_map_put(&n->needed, ox_intern(n->ctx, parameter), n);
    return 0;
}

static void needed_by_notes(sweep *s, ox_graph *g, notes *n) {
    *n = (notes){.ctx = s->r->ctx};
    ox_map_init(&n->names, s->r->arena);
    ox_map_init(&n->needed, s->r->arena);
    bool any = false;
    for (ox_value *v = g->first_init; v && !any; v = v->next_init) any = v->pinned;
    if (!any) return;
    for (size_t i = 0; i < g->n_inputs; i++) ox_map_put(&n->names, g->inputs[i]->name, g);
    for (ox_value *v = g->first_init; v; v = v->next_init)
        if (v->nuses) ox_map_put(&n->names, v->name, g);
    for (uint32_t i = 0; i < g->ret->n_in; i++) ox_map_put(&n->names, g->out_names[i], g);
    for (ox_node *k = g->first; k; k = k->next)
        for (uint32_t i = 0; i < k->n_out; i++)
            if (k->out[i] && k->out[i]->name) ox_map_put(&n->names, k->out[i]->name, g);
    ox_each_annotation(g, note_parameter, n);
}

static int sweep_inits(ox_graph *g, void *user) {
    sweep *s = user;
    notes n;
    needed_by_notes(s, g, &n);
    bool training = !g->outer && !g->function && ox_model_has_training(g->model);
    for (ox_value *v = g->first_init, *next; v; v = next) {
        next = v->next_init;
        if (v->nuses || training || ox_map_has(&n.needed, v->name)) continue;
        v->pinned = false;
        if (v->is_input && (g->model->ir_version >= 4 || g->outer)) continue; /* the default of an interface */
        bool input = v->is_input;
        ox_graph_remove_init(v);
        if (input) /* before IR 4 initializers had to be listed as inputs: they go together */
            for (size_t i = 0; i < g->n_inputs; i++)
                if (g->inputs[i] == v) { ox_graph_remove_input(g, i); break; }
        s->changes++;
    }
    return 0;
}

/* ---- functions and imports ---- */

typedef struct { ox_map called, domains; } census;

static int count_calls(ox_graph *g, void *user) {
    census *c = user;
    if (g->function) return 0; /* entered from the calls */
    for (ox_node *n = g->first; n; n = n->next) {
        ox_map_put(&c->domains, n->domain, (void *)n->domain);
        if (n->callee) ox_map_put(&c->called, n->callee, n->callee);
    }
    return 0;
}

static int call_in_body(ox_graph *g, census *c, ox_function **next, size_t *n_next);

static int call_in_nested(ox_graph *g, void *user) {
    void **u = user;
    return call_in_body(g, u[0], u[1], u[2]);
}

static int call_in_body(ox_graph *g, census *c, ox_function **next, size_t *n_next) {
    for (ox_node *n = g->first; n; n = n->next) {
        if (n->callee && !ox_map_has(&c->called, n->callee)) {
            ox_map_put(&c->called, n->callee, n->callee);
            next[(*n_next)++] = n->callee;
        }
        void *u[3] = {c, next, n_next};
        ox_each_body(n, call_in_nested, u);
    }
    return 0;
}

static int drop_functions(ox_pass_run *r) {
    ox_model *m = r->m;
    if (ox_model_has_training(m)) return 0; /* its graphs may call them */
    census c;
    ox_map_init(&c.called, r->arena);
    ox_map_init(&c.domains, r->arena);
    ox_each_graph(m, count_calls, &c);
    ox_function **next = OX_NEW_N(r->arena, ox_function *, m->n_functions + 1);
    size_t n_next = 0;
    for (size_t i = 0; i < m->n_functions; i++)
        if (ox_map_has(&c.called, m->functions[i])) next[n_next++] = m->functions[i];
    for (size_t i = 0; i < n_next; i++) call_in_body(next[i]->body, &c, next, &n_next);
    size_t kept = 0;
    int changes = 0;
    for (size_t i = 0; i < m->n_functions; i++) {
        if (ox_map_has(&c.called, m->functions[i])) m->functions[kept++] = m->functions[i];
        else changes++;
    }
    m->n_functions = kept;
    /* An import stays while a node of the main graph or its bodies uses the domain, or a function is of it. */
    for (size_t i = 0; i < m->n_functions; i++) ox_map_put(&c.domains, m->functions[i]->domain, (void *)m->functions[i]->domain);
    kept = 0;
    for (size_t i = 0; i < m->n_opsets; i++) {
        ox_sym d = m->opsets[i].domain;
        if (d[0] == 0 || ox_map_has(&c.domains, d)) m->opsets[kept++] = m->opsets[i];
        else changes++;
    }
    if (kept == 0) kept = m->n_opsets > 0; /* a model without imports would not be valid */
    m->n_opsets = kept;
    return changes;
}

static int run(ox_pass_run *r) {
    sweep s = {.r = r};
    ox_each_graph(r->m, sweep_graph, &s);
    while (s.n) {
        ox_node *n = s.stack[--s.n];
        if (n->graph && removable(n) && unused(n)) {
            push_makers(&s, n);
            ox_node_remove(n);
            s.changes++;
        }
    }
    ox_each_graph(r->m, sweep_inits, &s);
    s.changes += drop_functions(r);
    if (ox_option_bool(r, "inputs")) {
        ox_graph *g = r->m->graph;
        for (size_t i = g->n_inputs; i-- > 0;)
            if (!g->inputs[i]->nuses) {
                ox_value *v = g->inputs[i];
                if (v->is_init) ox_graph_remove_init(v);
                ox_graph_remove_input(g, i);
                s.changes++;
            }
    }
    if (s.changes) r->m->changed = true;
    return s.changes;
}

static const ox_option options[] = {
    {"inputs", OX_O_BOOL, "false", "remove graph inputs that nothing uses, too (this changes the interface)"},
    {0},
};

const ox_pass ox_pass_dce = {
    .name = "dce",
    .doc = "remove nodes, outputs, initializers, functions and opset imports that nothing needs",
    .options = options,
    .run = run,
};
