/* Names in a model's text: that every operand and output is defined somewhere it can see, and nothing twice in one graph, told by line and
 * column. The import checks the same on messages, where places in a text are gone. Texts that begin with "@exact" are records of messages,
 * valid or not, and are not looked at. Shadowing is the import's matter. */
#include "onnx/text_form.h"

#include <string.h>

typedef struct names { /* of a graph, inside those of the graphs around it */
    const struct names *outer;
    ox_map defined;
} names;

void ox_text_mark(ox_text_parser *ps, const char *name, int line, int column) {
    if (ps->exact || !name || !name[0]) return;
    if (!ps->places.arena) ox_map_init(&ps->places, ps->arena);
    ox_map_put(&ps->places, name, (void *)((uintptr_t)(uint32_t)line << 32 | (uint32_t)column));
}

/* PLACE: the name as the parser made it. */
static int fault(ox_text_parser *ps, const char *place, const char *what) {
    uintptr_t at = (uintptr_t)ox_map_get(&ps->places, place);
    return ox_fail(ps->ctx, OX_BAD_DATA, "%s:%u:%u: '%.512s' %s", ps->lx.file, (unsigned)(at >> 32), (unsigned)(at & 0xffffffff), place, what);
}

static int define(ox_text_parser *ps, names *n, const char *name, bool once) {
    ox_sym s = name && name[0] ? ox_intern(ps->ctx, name) : NULL;
    if (!s) return 0;
    if (once && ox_map_has(&n->defined, s) && ox_map_has(&ps->places, name)) return fault(ps, name, "is defined a second time");
    ox_map_put(&n->defined, s, n);
    return 0;
}

static int use(ox_text_parser *ps, const names *n, const char *name) {
    if (!name || !name[0] || !ox_map_has(&ps->places, name)) return 0;
    ox_sym s = ox_intern(ps->ctx, name);
    for (; n; n = n->outer)
        if (ox_map_has(&n->defined, s)) return 0;
    return fault(ps, name, "is defined nowhere");
}

static int check_graph(ox_text_parser *ps, const Onnx__GraphProto *g, const names *outer);

static int check_nodes(ox_text_parser *ps, names *n, Onnx__NodeProto *const *nodes, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < nodes[i]->n_output; k++)
            if (define(ps, n, nodes[i]->output[k], true)) return -1;
    for (size_t i = 0; i < count; i++) {
        const Onnx__NodeProto *p = nodes[i];
        for (size_t k = 0; k < p->n_input; k++)
            if (use(ps, n, p->input[k])) return -1;
        for (size_t k = 0; k < p->n_attribute; k++) {
            const Onnx__AttributeProto *a = p->attribute[k];
            if (a->g && check_graph(ps, a->g, n)) return -1;
            for (size_t j = 0; j < a->n_graphs; j++)
                if (check_graph(ps, a->graphs[j], n)) return -1;
        }
    }
    return 0;
}

/* Recursion is bounded by the parser. */
static int check_graph(ox_text_parser *ps, const Onnx__GraphProto *g, const names *outer) {
    names n = {.outer = outer};
    ox_map_init(&n.defined, ps->arena);
    for (size_t i = 0; i < g->n_input; i++) define(ps, &n, g->input[i]->name, false);
    for (size_t i = 0; i < g->n_initializer; i++) define(ps, &n, g->initializer[i]->name, false);
    for (size_t i = 0; i < g->n_sparse_initializer; i++)
        if (g->sparse_initializer[i]->values) define(ps, &n, g->sparse_initializer[i]->values->name, false);
    if (check_nodes(ps, &n, g->node, g->n_node)) return -1;
    for (size_t i = 0; i < g->n_output; i++)
        if (use(ps, &n, g->output[i]->name)) return -1;
    return 0;
}

static int check_function(ox_text_parser *ps, const Onnx__FunctionProto *f) {
    names n = {.outer = NULL};
    ox_map_init(&n.defined, ps->arena);
    for (size_t i = 0; i < f->n_input; i++) define(ps, &n, f->input[i], false);
    if (check_nodes(ps, &n, f->node, f->n_node)) return -1;
    for (size_t i = 0; i < f->n_output; i++)
        if (use(ps, &n, f->output[i])) return -1;
    return 0;
}

int ox_parse_check_names(ox_text_parser *ps, const Onnx__ModelProto *m) {
    if (ps->exact) return 0;
    if (!ps->places.arena) ox_map_init(&ps->places, ps->arena);
    if (check_graph(ps, m->graph, NULL)) return -1;
    for (size_t i = 0; i < m->n_functions; i++)
        if (check_function(ps, m->functions[i])) return -1;
    return 0;
}
