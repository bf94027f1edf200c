/* Names in a model's text: that every operand and output is defined somewhere it can see, and nothing twice - values in a graph and the bodies
 * inside, attributes of a node, inputs, outputs, functions, opset imports - told by line and column. The import checks the same on messages,
 * where places in a text are gone. Texts that begin with "@exact" are records of messages, valid or not, and are not looked at; neither is what
 * is written in notes, which has no place. */
#include "onnx/text_form.h"

#include <string.h>

typedef struct names { /* of a graph, inside those of the graphs around it */
    const struct names *outer;
    ox_map defined;
} names;

void ox_text_mark(ox_text_parser *ps, const void *thing, int line, int column) {
    if (ps->exact || !thing) return;
    if (!ps->places.arena) ox_map_init(&ps->places, ps->arena);
    ox_map_put(&ps->places, thing, (void *)((uintptr_t)(uint32_t)line << 32 | (uint32_t)column));
}

/* PLACE: the name, or what bears it, as the parser made it. */
static int fault(ox_text_parser *ps, const void *place, const char *name, const char *what) {
    uintptr_t at = (uintptr_t)ox_map_get(&ps->places, place);
    return ox_fail(ps->ctx, OX_BAD_DATA, "%s:%u:%u: '%.512s' %s", ps->lx.file, (unsigned)(at >> 32), (unsigned)(at & 0xffffffff), name, what);
}

static const char twice[] = "is defined a second time";

/* Adds a name to a set of its own, for what may be there once. */
static int once(ox_text_parser *ps, ox_map *seen, const void *place, const char *name) {
    ox_sym s = name ? ox_intern(ps->ctx, name) : NULL;
    if (!s || !ox_map_has(&ps->places, place)) return 0;
    if (ox_map_has(seen, s)) return fault(ps, place, name, twice);
    ox_map_put(seen, s, seen);
    return 0;
}

static int once_each(ox_text_parser *ps, char *const *list, size_t n) {
    ox_map seen;
    ox_map_init(&seen, ps->arena);
    for (size_t i = 0; i < n; i++)
        if (list[i] && list[i][0] && once(ps, &seen, list[i], list[i])) return -1;
    return 0;
}

static int values_once(ox_text_parser *ps, Onnx__ValueInfoProto *const *list, size_t n) {
    ox_map seen;
    ox_map_init(&seen, ps->arena);
    for (size_t i = 0; i < n; i++)
        if (list[i]->name && list[i]->name[0] && once(ps, &seen, list[i]->name, list[i]->name)) return -1;
    return 0;
}

/* ---- values ---- */

static bool known(const names *n, ox_sym s) {
    for (; n; n = n->outer)
        if (ox_map_has(&n->defined, s)) return true;
    return false;
}

/* OWN: a name that this graph has already is no fault. */
static int define(ox_text_parser *ps, names *n, const char *name, bool own) {
    ox_sym s = name && name[0] ? ox_intern(ps->ctx, name) : NULL;
    if (!s) return 0;
    if (known(own ? n->outer : n, s) && ox_map_has(&ps->places, name)) return fault(ps, name, name, twice);
    ox_map_put(&n->defined, s, n);
    return 0;
}

static int use(ox_text_parser *ps, const names *n, const char *name) {
    if (!name || !name[0] || !ox_map_has(&ps->places, name) || known(n, ox_intern(ps->ctx, name))) return 0;
    return fault(ps, name, name, "is defined nowhere");
}

static int check_graph(ox_text_parser *ps, const Onnx__GraphProto *g, const names *outer);

static int check_attributes(ox_text_parser *ps, const names *n, const Onnx__NodeProto *p) {
    ox_map seen;
    ox_map_init(&seen, ps->arena);
    for (size_t k = 0; k < p->n_attribute; k++) {
        const Onnx__AttributeProto *a = p->attribute[k];
        if (p->n_attribute > 1 && once(ps, &seen, a->name, a->name)) return -1;
        if (a->g && check_graph(ps, a->g, n)) return -1;
        for (size_t j = 0; j < a->n_graphs; j++)
            if (check_graph(ps, a->graphs[j], n)) return -1;
    }
    return 0;
}

static int check_nodes(ox_text_parser *ps, names *n, Onnx__NodeProto *const *nodes, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < nodes[i]->n_output; k++)
            if (define(ps, n, nodes[i]->output[k], false)) return -1;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < nodes[i]->n_input; k++)
            if (use(ps, n, nodes[i]->input[k])) return -1;
        if (check_attributes(ps, n, nodes[i])) return -1;
    }
    return 0;
}

static int check_initializers(ox_text_parser *ps, names *n, const Onnx__GraphProto *g) {
    ox_map seen;
    ox_map_init(&seen, ps->arena);
    for (size_t i = 0; i < g->n_initializer; i++) {
        const char *name = g->initializer[i]->name;
        if (name && name[0] && (once(ps, &seen, name, name) || define(ps, n, name, true))) return -1; /* it may be the default of an input */
    }
    for (size_t i = 0; i < g->n_sparse_initializer; i++)
        if (g->sparse_initializer[i]->values && define(ps, n, g->sparse_initializer[i]->values->name, true)) return -1;
    return 0;
}

/* Recursion is bounded by the parser. */
static int check_graph(ox_text_parser *ps, const Onnx__GraphProto *g, const names *outer) {
    names n = {.outer = outer};
    ox_map_init(&n.defined, ps->arena);
    if (values_once(ps, g->input, g->n_input)) return -1;
    if (!outer && values_once(ps, g->output, g->n_output)) return -1; /* a body may give one value twice: its outputs go by position */
    for (size_t i = 0; i < g->n_input; i++)
        if (define(ps, &n, g->input[i]->name, true)) return -1;
    if (check_initializers(ps, &n, g) || check_nodes(ps, &n, g->node, g->n_node)) return -1;
    for (size_t i = 0; i < g->n_output; i++)
        if (use(ps, &n, g->output[i]->name)) return -1;
    return 0;
}

/* ---- functions and opsets ---- */

static const char *domain_name(const char *domain) { return !domain || !strcmp(domain, "ai.onnx") ? "" : domain; }

static int check_opsets(ox_text_parser *ps, Onnx__OperatorSetIdProto *const *list, size_t n) {
    ox_map seen;
    ox_map_init(&seen, ps->arena);
    for (size_t i = 0; i < n; i++) {
        ox_sym s = ox_intern(ps->ctx, domain_name(list[i]->domain));
        if (ox_map_has(&seen, s) && ox_map_has(&ps->places, list[i]))
            return fault(ps, list[i], list[i]->domain ? list[i]->domain : "", "is imported a second time");
        ox_map_put(&seen, s, &seen);
    }
    return 0;
}

static int check_function(ox_text_parser *ps, const Onnx__FunctionProto *f) {
    names n = {.outer = NULL};
    ox_map_init(&n.defined, ps->arena);
    if (once_each(ps, f->input, f->n_input) || once_each(ps, f->output, f->n_output)) return -1;
    ox_map attributes;
    ox_map_init(&attributes, ps->arena);
    for (size_t i = 0; i < f->n_attribute; i++)
        if (once(ps, &attributes, f->attribute[i], f->attribute[i])) return -1;
    for (size_t i = 0; i < f->n_attribute_proto; i++)
        if (once(ps, &attributes, f->attribute_proto[i]->name, f->attribute_proto[i]->name)) return -1;
    for (size_t i = 0; i < f->n_input; i++)
        if (define(ps, &n, f->input[i], true)) return -1;
    if (check_opsets(ps, f->opset_import, f->n_opset_import) || check_nodes(ps, &n, f->node, f->n_node)) return -1;
    for (size_t i = 0; i < f->n_output; i++)
        if (use(ps, &n, f->output[i])) return -1;
    return 0;
}

int ox_parse_check_names(ox_text_parser *ps, const Onnx__ModelProto *m) {
    if (ps->exact) return 0;
    if (!ps->places.arena) ox_map_init(&ps->places, ps->arena);
    if (check_opsets(ps, m->opset_import, m->n_opset_import) || check_graph(ps, m->graph, NULL)) return -1;
    ox_map functions;
    ox_map_init(&functions, ps->arena);
    for (size_t i = 0; i < m->n_functions; i++) {
        const Onnx__FunctionProto *f = m->functions[i];
        const char *domain = domain_name(f->domain), *name = f->name ? f->name : "", *overload = f->overload ? f->overload : "";
        ox_sym id = ox_intern(ps->ctx, ox_format(ps->arena, "%zu %zu %s%s%s", strlen(domain), strlen(name), domain, name, overload));
        if (ox_map_has(&functions, id)) return fault(ps, f, name, twice);
        ox_map_put(&functions, id, &functions);
        if (check_function(ps, f)) return -1;
    }
    return 0;
}
