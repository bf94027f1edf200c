/* The operator table: rows of all families, found by name and version.
 *
 * Built on the first look-up of a context, because rows are completed: infer, kernel and flags of the newest row are
 * copied onto older ones, so that a node of any version leads to what it needs. An operator that was replaced by
 * another name (Upsample, Scatter) takes them from its successor, as its calls are lifted to that. Invariant: rows of
 * one operator form a chain, newest first. */
#include "op/table.h"

#include <stdlib.h>
#include <string.h>

#define X(id) extern const ox_family ox_family_##id;
#include "op/families.def"
#undef X

static const ox_family *const families[] = {
#define X(id) &ox_family_##id,
#include "op/families.def"
#undef X
};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

static const struct {
    const char *domain;
    int64_t version;
} newest_opsets[] = {
    {"", 28},
    {"ai.onnx", 28},
    {"ai.onnx.ml", 5},
    {"ai.onnx.preview", 1},
    {"ai.onnx.preview.training", 1},
    {"ai.onnx.training", 1},
    {"com.microsoft", 1},
};

static const char *const successors[][2] = {{"Upsample", "Resize"}, {"Scatter", "ScatterElements"}};

struct ox_optable {
    ox_op_row *rows;
    size_t n_rows;
    ox_op_row **slots; /* newest row of each operator, by hash of domain and name */
    size_t mask;
};

static uint64_t name_hash(const char *domain, const char *name) {
    uint64_t h = 1469598103934665603u;
    for (; *domain; domain++) h = (h ^ (unsigned char)*domain) * 1099511628211u;
    h = (h ^ ':') * 1099511628211u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h ^ h >> 29;
}

static ox_op_row **find_slot(struct ox_optable *t, const char *domain, const char *name) {
    size_t i = name_hash(domain, name) & t->mask;
    while (t->slots[i] && (strcmp(t->slots[i]->op.name, name) || strcmp(t->slots[i]->domain, domain)))
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

/* Puts a row into the chain of its operator, which stays sorted whatever the order of the file. */
static void insert_row(struct ox_optable *t, ox_op_row *row) {
    ox_op_row **slot = find_slot(t, row->domain, row->op.name), *at = *slot, *before = NULL;
    while (at && at->op.since > row->op.since) before = at, at = at->older;
    row->newer = before;
    row->older = at;
    if (at) at->newer = row;
    if (before)
        before->older = row;
    else
        *slot = row;
}

static void complete_chain(ox_op_row *newest, const ox_op *from) {
    uint32_t flags = newest->op.flags & ~(uint32_t)OX_DEPRECATED;
    for (ox_op_row *r = newest; r; r = r->older) {
        r->newest = newest;
        r->op.flags |= flags;
        if (!r->op.infer) r->op.infer = from->infer;
        if (!r->op.kernel) r->op.kernel = from->kernel;
    }
}

static struct ox_optable *table(ox_ctx *ctx) {
    if (ctx->ops) return ctx->ops;
    struct ox_optable *t = OX_NEW(ctx->arena, struct ox_optable);
    size_t n = 0, slots = 64;
    for (int f = 0; f < N_FAMILIES; f++) n += families[f]->n;
    while (slots < 2 * n) slots *= 2;
    t->rows = OX_NEW_N(ctx->arena, ox_op_row, n);
    t->slots = OX_NEW_N(ctx->arena, ox_op_row *, slots);
    t->mask = slots - 1;
    for (int f = 0; f < N_FAMILIES; f++) {
        for (size_t i = 0; i < families[f]->n; i++) {
            ox_op_row *row = &t->rows[t->n_rows++];
            row->op = families[f]->rows[i];
            row->domain = families[f]->domain;
            insert_row(t, row);
        }
    }
    for (size_t i = 0; i < slots; i++) {
        if (t->slots[i]) complete_chain(t->slots[i], &t->slots[i]->op);
    }
    for (size_t i = 0; i < sizeof successors / sizeof successors[0]; i++) {
        ox_op_row *old = *find_slot(t, "", successors[i][0]), *now = *find_slot(t, "", successors[i][1]);
        if (old && now) complete_chain(old, &now->op);
    }
    return ctx->ops = t;
}

const ox_op *ox_op_find(ox_ctx *ctx, const char *domain, const char *name, int64_t version) {
    if (!domain || !strcmp(domain, "ai.onnx")) domain = "";
    ox_op_row *row = *find_slot(table(ctx), domain, name);
    while (row && row->op.since > version) row = row->older;
    return row ? &row->op : NULL;
}

const ox_op *ox_op_newest(ox_ctx *ctx, const ox_op *op) {
    (void)ctx;
    return op ? &ox_row(op)->newest->op : NULL;
}

const char *ox_op_domain(ox_ctx *ctx, const ox_op *op) {
    (void)ctx;
    return ox_row(op)->domain;
}

int64_t ox_opset_newest(const char *domain) {
    for (size_t i = 0; i < sizeof newest_opsets / sizeof newest_opsets[0]; i++) {
        if (!strcmp(newest_opsets[i].domain, domain)) return newest_opsets[i].version;
    }
    return 0;
}

int ox_each_op(ox_ctx *ctx, int (*fn)(const ox_op *op, const char *domain, void *user), void *user) {
    struct ox_optable *t = table(ctx);
    for (size_t i = 0; i < t->n_rows; i++) {
        int rc = fn(&t->rows[i].op, t->rows[i].domain, user);
        if (rc) return rc;
    }
    return 0;
}

const ox_signature *ox_op_signature(ox_ctx *ctx, const ox_op *op) {
    static const ox_signature none; /* of a row that cannot be parsed: a fault that a test finds */
    ox_op_row *row = ox_row(op);
    if (!row->signature) row->signature = ox_signature_parse(ctx, op->signature, op->name);
    return row->signature ? row->signature : &none;
}

/* ---- functions of a model by name */

typedef struct function_index {
    ox_function *const *functions; /* the list that was indexed */
    size_t n;
    ox_function **sorted;
} function_index;

static ox_sym overload_of(const ox_function *f) { return f->overload && *f->overload ? f->overload : NULL; }

/* Any total order of names serves; the order of interned pointers is the cheapest and never leaves this file. */
static int compare_names(const ox_function *a, ox_sym domain, ox_sym name, ox_sym overload) {
    if (a->name != name) return a->name < name ? -1 : 1;
    if (a->domain != domain) return a->domain < domain ? -1 : 1;
    ox_sym o = overload_of(a);
    return o == overload ? 0 : o < overload ? -1 : 1;
}

static int by_name(const void *a, const void *b) {
    const ox_function *f = *(ox_function *const *)a, *g = *(ox_function *const *)b;
    return compare_names(f, g->domain, g->name, overload_of(g));
}

static const function_index *index_functions(ox_model *m) {
    function_index *x = m->function_index;
    if (x && x->functions == m->functions && x->n == m->n_functions) return x;
    m->function_index = x = OX_NEW(m->arena, function_index);
    x->functions = m->functions;
    x->n = m->n_functions;
    x->sorted = ox_dup(m->arena, m->functions, m->n_functions * sizeof *m->functions);
    qsort(x->sorted, x->n, sizeof *x->sorted, by_name);
    return x;
}

/* The function a node calls. An empty overload is the same as none. */
static ox_function *find_function(ox_model *m, ox_sym domain, ox_sym name, ox_sym overload) {
    enum { FEW = 8 };
    if (overload && !*overload) overload = NULL;
    if (m->n_functions <= FEW) {
        for (size_t i = 0; i < m->n_functions; i++) {
            if (!compare_names(m->functions[i], domain, name, overload)) return m->functions[i];
        }
        return NULL;
    }
    const function_index *x = index_functions(m);
    size_t lo = 0, hi = x->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = compare_names(x->sorted[mid], domain, name, overload);
        if (!c) return x->sorted[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- nodes */

void ox_node_resolve(ox_node *n) {
    ox_model *m = n->graph->model;
    n->callee = find_function(m, n->domain, n->op_type, n->overload);
    n->op = NULL;
    if (n->callee) return;
    int64_t version = ox_model_opset(m, n->graph, n->domain);
    if (version > 0) n->op = ox_op_find(m->ctx, n->domain, n->op_type, version);
}

ox_node *ox_node_make(ox_graph *g, ox_node *before, const char *op_type, uint32_t n_in, ox_value *const *in,
                      uint32_t n_out) {
    ox_ctx *ctx = g->model->ctx;
    const char *colons = strstr(op_type, "::");
    ox_sym domain = colons ? ox_intern_n(ctx, op_type, (size_t)(colons - op_type)) : ox_intern(ctx, "");
    ox_sym name = ox_intern(ctx, colons ? colons + 2 : op_type);
    int64_t version = ox_model_opset(g->model, g, domain);
    const ox_op *op = version > 0 ? ox_op_find(ctx, domain, name, version) : NULL;
    if (!op) {
        ox_fail(ctx, OX_UNAVAILABLE, "operator %s is not in opset %lld of domain '%s'", name, (long long)version,
                domain);
        return NULL;
    }
    ox_node *n = ox_node_new(g, before, name, domain, n_in, in, n_out);
    n->op = op;
    return n;
}

/* Training is asked for, or may be at run time. */
static bool may_train(const ox_node *n) {
    const ox_attr *test = ox_attr_find(n, "is_test");
    if (test && (test->ref || !test->i)) return true;
    int i = ox_signature_input(ox_op_signature(n->graph->model->ctx, n->op), "training_mode");
    const ox_value *mode = i >= 0 && (uint32_t)i < n->n_in ? n->in[i].v : NULL;
    int64_t on;
    return mode && !(ox_constant_int(mode, &on) && !on);
}

static bool has_effects(const ox_node *n) {
    return n->callee || !n->op || n->op->flags & (OX_RANDOM | OX_STATEFUL) || (n->op->flags & OX_TRAINS && may_train(n));
}

static int body_impure(ox_graph *g, void *user) {
    int *depth = user;
    for (const ox_node *n = g->first; n; n = n->next) {
        if (has_effects(n)) return 1;
        if (!(n->op->flags & OX_CONTROL)) continue;
        if (*depth == 0) return 1; /* deeper than any file may be */
        int deeper = *depth - 1;
        if (ox_each_body((ox_node *)(uintptr_t)n, body_impure, &deeper)) return 1;
    }
    return 0;
}

bool ox_node_pure(const ox_node *n) {
    if (has_effects(n)) return false;
    if (!(n->op->flags & OX_CONTROL)) return true;
    int depth = (int)n->graph->model->ctx->limits.graph_depth;
    return !ox_each_body((ox_node *)(uintptr_t)n, body_impure, &depth);
}
