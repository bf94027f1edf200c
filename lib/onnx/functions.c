/* Local functions: their names, bodies, and that they do not call themselves. */
#include "onnx/import.h"

#include <string.h>

static const char *text_of(const char *s) { return s ? s : ""; }

static ox_where where_function(const Onnx__FunctionProto *p, size_t i) {
    return (ox_where){NULL, "function", p->name, NULL, (int64_t)i};
}

/* All functions are known by name before any node is read. */
int ox_import_function_names(ox_import *im) {
    const Onnx__ModelProto *p = im->msg->model;
    ox_model *m = im->m;
    ox_map seen;
    if (p->n_functions > im->ctx->limits.functions)
        return ox_message_fail(im->msg, NULL, OX_BAD_DATA, "%zu functions, over the limit of %u", p->n_functions,
                               im->ctx->limits.functions);
    m->functions = OX_NEW_N(m->arena, ox_function *, p->n_functions);
    m->n_functions = m->cap_functions = p->n_functions;
    im->calls = OX_NEW_N(im->scratch, ox_call_list, p->n_functions);
    ox_map_init(&seen, im->scratch);
    for (size_t i = 0; i < p->n_functions; i++) {
        const Onnx__FunctionProto *fp = p->functions[i];
        ox_where w = where_function(fp, i);
        ox_function *f = m->functions[i] = OX_NEW(m->arena, ox_function);
        if (!fp->name || !fp->name[0]) return ox_message_fail(im->msg, &w, OX_BAD_DATA, "it has no name");
        const char *domain = strcmp(text_of(fp->domain), "ai.onnx") ? text_of(fp->domain) : "";
        f->domain = ox_intern(im->ctx, domain);
        f->name = ox_intern(im->ctx, fp->name);
        f->overload = fp->overload && fp->overload[0] ? ox_intern(im->ctx, fp->overload) : NULL;
        f->origin = fp;
        /* 0xff is in no UTF-8 text, so the three parts stay apart. */
        ox_sym id =
            ox_intern(im->ctx, ox_format(im->scratch, "%s\xff%s\xff%s", f->domain, f->name, text_of(f->overload)));
        if (ox_map_has(&seen, id))
            return ox_message_fail(im->msg, &w, OX_BAD_DATA, "domain '%.256s' has this function%s%.256s twice", domain,
                                   f->overload ? " with overload " : "", text_of(f->overload));
        ox_map_put(&seen, id, f);
    }
    return 0;
}

/* ---- one function ---- */

static int import_formals(ox_import *im, ox_function *f, const Onnx__FunctionProto *p, const ox_where *w) {
    ox_map seen;
    ox_map_init(&seen, im->scratch);
    f->formals = OX_NEW_N(im->m->arena, ox_attr *, p->n_attribute + p->n_attribute_proto);
    for (size_t i = 0; i < p->n_attribute + p->n_attribute_proto; i++) {
        ox_attr *a;
        if (i < p->n_attribute) {
            if (!p->attribute[i][0]) return ox_message_fail(im->msg, w, OX_BAD_DATA, "an attribute has no name");
            a = OX_NEW(im->m->arena, ox_attr);
            a->name = ox_intern(im->ctx, p->attribute[i]);
        } else {
            a = ox_import_attr(im, p->attribute_proto[i - p->n_attribute], NULL, NULL, NULL, w);
            if (!a) return -1;
        }
        if (ox_map_has(&seen, a->name))
            return ox_message_fail(im->msg, w, OX_BAD_DATA, "attribute '%.256s' is declared twice", a->name);
        ox_map_put(&seen, a->name, a);
        f->formals[f->n_formals++] = a;
    }
    return 0;
}

static int import_function_outputs(ox_import *im, const ox_scope *scope, const Onnx__FunctionProto *p,
                                   const ox_where *w) {
    ox_graph *g = scope->graph;
    ox_map seen;
    ox_map_init(&seen, im->scratch);
    for (size_t i = 0; i < p->n_output; i++) {
        ox_sym name = ox_intern(im->ctx, p->output[i]);
        ox_value *v = ox_scope_find(scope, name);
        if (!name[0] || !v)
            return ox_message_fail(im->msg, w, OX_BAD_DATA, "output '%.512s' is produced by nothing", name);
        if (ox_map_has(&seen, name))
            return ox_message_fail(im->msg, w, OX_BAD_DATA, "output '%.512s' is listed twice", name);
        ox_map_put(&seen, name, v);
        ox_graph_add_output(g, v, name);
    }
    return 0;
}

static int import_function(ox_import *im, ox_function *f) {
    const Onnx__FunctionProto *p = f->origin;
    ox_where w = where_function(p, 0);
    ox_graph *g = f->body = ox_graph_new(im->m, NULL, NULL);
    ox_scope scope = {.graph = g};
    g->function = f;
    ox_map_init(&scope.names, im->scratch);
    if (import_formals(im, f, p, &w)) return -1;
    if (ox_import_opsets(im, p->opset_import, p->n_opset_import, &f->opsets, &f->n_opsets, &w)) return -1;
    for (size_t i = 0; i < p->n_input; i++) {
        ox_sym name = ox_intern(im->ctx, p->input[i]);
        if (!name[0]) return ox_message_fail(im->msg, &w, OX_BAD_DATA, "input %zu has no name", i);
        if (ox_scope_add(im, &scope, name, ox_graph_add_input(g, name, NULL), &w)) return -1;
    }
    return ox_import_nodes(im, &scope, p->node, p->n_node, &w) ||
                   ox_import_value_infos(im, &scope, p->value_info, p->n_value_info, &w) ||
                   import_function_outputs(im, &scope, p, &w)
               ? -1
               : 0;
}

/* ---- recursion ---- */

enum { NEW = 0, OPEN = -1 }; /* else: depth of calls below, plus one */

typedef struct call_walk {
    ox_import *im;
    ox_map index; /* function to its number plus one */
    int64_t *depth;
    ox_function **path;
} call_walk;

static int fail_cycle(call_walk *c, ox_function *f, uint32_t n) {
    ox_text t = {.arena = c->im->scratch};
    uint32_t i = 0;
    while (c->path[i] != f) i++;
    for (; i < n; i++) ox_text_addf(&t, "'%.128s' calls ", c->path[i]->name);
    return ox_message_fail(c->im->msg, NULL, OX_BAD_DATA, "recursive functions, a cycle: %s'%.128s'", t.len ? t.data : "", f->name);
}

/* Depth first; the recursion ends at the limit for nested calls. */
static int walk_calls(call_walk *c, ox_function *f, uint32_t n) {
    size_t i = (size_t)(uintptr_t)ox_map_get(&c->index, f) - 1;
    const ox_call_list *l = &c->im->calls[i];
    int64_t deepest = 0;
    if (c->depth[i] == OPEN) return fail_cycle(c, f, n);
    if (c->depth[i] != NEW && n + c->depth[i] <= c->im->ctx->limits.call_depth) return 0;
    if (c->depth[i] != NEW || n >= c->im->ctx->limits.call_depth)
        return ox_message_fail(c->im->msg, NULL, OX_BAD_DATA,
                               "function '%.128s': calls are nested beyond the limit of %u", f->name,
                               c->im->ctx->limits.call_depth);
    c->depth[i] = OPEN;
    c->path[n] = f;
    for (size_t k = 0; k < l->n; k++) {
        if (walk_calls(c, l->items[k], n + 1)) return -1;
        int64_t below = c->depth[(size_t)(uintptr_t)ox_map_get(&c->index, l->items[k]) - 1];
        deepest = below > deepest ? below : deepest;
    }
    c->depth[i] = deepest + 1;
    return 0;
}

int ox_import_functions(ox_import *im) {
    ox_model *m = im->m;
    call_walk c = {.im = im};
    for (size_t i = 0; i < m->n_functions; i++) {
        im->calling = &im->calls[i];
        if (import_function(im, m->functions[i])) return -1;
    }
    im->calling = NULL;
    ox_map_init(&c.index, im->scratch);
    for (size_t i = 0; i < m->n_functions; i++) ox_map_put(&c.index, m->functions[i], (void *)(uintptr_t)(i + 1));
    c.depth = OX_NEW_N(im->scratch, int64_t, m->n_functions);
    c.path = OX_NEW_N(im->scratch, ox_function *, im->ctx->limits.call_depth + 1);
    for (size_t i = 0; i < m->n_functions; i++)
        if (walk_calls(&c, m->functions[i], 0)) return -1;
    return 0;
}
