/* Whether a node is what its row says: inputs, outputs, attributes. Types of inputs are the shape rules' matter. */
#include "op/table.h"

#include <limits.h>
#include <string.h>

static const char *const attr_type_names[] = {
    "undefined", "float",   "int",    "string",        "tensor",         "graph", "floats", "ints",
    "strings",   "tensors", "graphs", "sparse_tensor", "sparse_tensors", "type",  "types"};

static const char *type_name(ox_attr_type t) {
    return (size_t)t < sizeof attr_type_names / sizeof attr_type_names[0] ? attr_type_names[t] : "undefined";
}

static int check_count(ox_ctx *ctx, const char *what, int n, int min, int max) {
    if (n >= min && n <= max) return 0;
    if (max == INT_MAX) return ox_fail(ctx, OX_BAD_DATA, "%d %ss, but at least %d are needed", n, what, min);
    if (min == max) return ox_fail(ctx, OX_BAD_DATA, "%d %ss, but %d are needed", n, what, min);
    return ox_fail(ctx, OX_BAD_DATA, "%d %ss, but %d to %d are needed", n, what, min, max);
}

static int check_operands(const ox_node *n, const ox_signature *s) {
    ox_ctx *ctx = n->graph->model->ctx;
    if (check_count(ctx, "input", (int)n->n_in, s->min_in, s->max_in) < 0) return -1;
    if (check_count(ctx, "output", (int)n->n_out, s->min_out, s->max_out) < 0) return -1;
    for (int i = 0; i < s->n_in && i < (int)n->n_in; i++) {
        if (!n->in[i].v && !s->in[i].optional && !s->in[i].variadic)
            return ox_fail(ctx, OX_BAD_DATA, "input %d ('%s') is required, but empty", i, s->in[i].name);
    }
    for (int i = 0; i < s->n_out && i < (int)n->n_out; i++) {
        if (!n->out[i] && !s->out[i].optional && !s->out[i].variadic)
            return ox_fail(ctx, OX_BAD_DATA, "output %d ('%s') is required, but empty", i, s->out[i].name);
    }
    return 0;
}

static int check_attr(const ox_node *n, const ox_attr *a, const ox_signature *s) {
    ox_ctx *ctx = n->graph->model->ctx;
    if (!a->name || !*a->name) return ox_fail(ctx, OX_BAD_DATA, "an attribute has no name");
    if (a->ref && !ox_function_of(n->graph))
        return ox_fail(ctx, OX_BAD_DATA, "attribute '%s' refers to '%s' of a function, but stands outside of one",
                       a->name, a->ref);
    if (!s || !strncmp(a->name, "__", 2)) return 0; /* names that begin so are private to whoever wrote them */
    if (!strcmp(a->name, "description")) return 0;  /* ONNX Runtime's training tools write it on any operator */
    const ox_formal_attr *f = ox_signature_attr(s, a->name);
    if (!f) return ox_fail(ctx, OX_BAD_DATA, "attribute '%s' is unknown to the operator", a->name);
    if (f->type == a->type || (a->ref && a->type == OX_A_UNDEFINED)) return 0;
    return ox_fail(ctx, OX_BAD_DATA, "attribute '%s' has type %s, but must be %s", a->name, type_name(a->type),
                   type_name(f->type));
}

/* Attributes of one node are few, but a file may list many: the names are compared through a map then. */
static int check_twice(const ox_node *n) {
    enum { FEW = 16 };
    ox_ctx *ctx = n->graph->model->ctx;
    const ox_attr *twice = NULL;
    if (n->n_attrs <= FEW) {
        for (uint32_t i = 1; i < n->n_attrs; i++) {
            for (uint32_t k = 0; k < i; k++) {
                if (n->attrs[i]->name == n->attrs[k]->name) twice = n->attrs[i];
            }
        }
    } else {
        ox_arena *arena = ox_arena_new(ctx);
        ox_map seen;
        ox_map_init(&seen, arena);
        for (uint32_t i = 0; i < n->n_attrs; i++) {
            if (ox_map_has(&seen, n->attrs[i]->name)) twice = n->attrs[i];
            ox_map_put(&seen, n->attrs[i]->name, n->attrs[i]);
        }
        ox_arena_free(arena);
    }
    return twice ? ox_fail(ctx, OX_BAD_DATA, "attribute '%s' is given twice", twice->name) : 0;
}

static int check_attrs(const ox_node *n, const ox_signature *s) {
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        if (check_attr(n, n->attrs[i], s) < 0) return -1;
    }
    if (check_twice(n) < 0) return -1;
    for (int i = 0; s && i < s->n_attrs; i++) {
        if (s->attrs[i].required && !ox_attr_find(n, s->attrs[i].name))
            return ox_fail(n->graph->model->ctx, OX_BAD_DATA, "attribute '%s' is required, but missing",
                           s->attrs[i].name);
    }
    return 0;
}

/* Constant's attributes are all optional, and exactly one of them has to be there. */
static int check_constant(const ox_node *n) {
    uint32_t values = 0;
    for (uint32_t i = 0; i < n->n_attrs; i++)
        values += n->attrs[i]->name && (!strncmp(n->attrs[i]->name, "value", 5) || !strcmp(n->attrs[i]->name, "sparse_value"));
    if (values == 1) return 0;
    return ox_fail(n->graph->model->ctx, OX_BAD_DATA, values ? "more than one attribute gives the value" : "no attribute gives the value");
}

int ox_check_node(const ox_node *n) {
    ox_ctx *ctx = n->graph->model->ctx;
    const ox_signature *s = n->op && !n->callee ? ox_op_signature(ctx, n->op) : NULL;
    int rc = 0;
    if (s && n->op->flags & OX_DEPRECATED) {
        rc = ox_fail(ctx, OX_BAD_DATA, "the operator is deprecated since version %d of its domain", n->op->since);
    } else if (s) {
        rc = check_operands(n, s);
    }
    if (rc == 0) rc = check_attrs(n, s);
    if (rc == 0 && s && ox_is(n, "Constant")) rc = check_constant(n);
    return rc < 0 ? ox_fail_in_node(ctx, n) : 0;
}
