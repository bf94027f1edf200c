/* Why a rule does not match: for every node that could be its root, what stopped the attempt that came furthest. */
#include "passes/rule.h"

typedef struct explainer {
    const ox_rule *rule;
    ox_rmatch mt;
    ox_text *out;
    ox_arena *arena;
    int roots;
} explainer;

static bool is_root(const ox_rule *r, const ox_node *n, ox_arena *arena, ox_ctx *ctx) {
    ox_sym name = n->domain[0] ? ox_intern(ctx, ox_format(arena, "%s::%s", n->domain, n->op_type)) : n->op_type;
    for (int i = 0; i < r->n_root_ops; i++)
        if (r->root_ops[i] == name) return true;
    return false;
}

static int explain_graph(ox_graph *g, void *user) {
    explainer *e = user;
    for (ox_node *n = g->first; n; n = n->next) n->aux = NULL;
    g->ret->aux = NULL;
    for (ox_node *n = g->first; n; n = n->next) {
        if (!is_root(e->rule, n, e->arena, g->model->ctx)) continue;
        e->roots++;
        e->mt.why[0] = 0;
        bool ok = ox_rule_match(&e->mt, e->rule, n);
        const char *what = ok ? "matches" : e->mt.why[0] ? e->mt.why : "its output is not used, or the opset is not served";
        const char *name = n->name && *n->name ? n->name : n->out[0] && n->out[0]->name ? n->out[0]->name : "?";
        ox_text_addf(e->out, "at %s (%s): %s\n", name, n->op_type, what);
    }
    for (ox_node *n = g->first; n; n = n->next) {
        ox_rnode_forget(n);
        n->aux = NULL;
    }
    return e->mt.failed;
}

int ox_rules_explain(ox_model *m, const ox_ruleset *set, const char *rule_name, ox_text *out) {
    explainer e = {.out = out};
    for (size_t i = 0; i < set->n; i++)
        if (!strcmp(set->rules[i]->name, rule_name)) e.rule = set->rules[i];
    if (!e.rule) return ox_fail(m->ctx, OX_USAGE, "no rule %s in %s", rule_name, set->file);
    e.arena = ox_arena_new(m->ctx);
    ox_rmatch_init(&e.mt, m, e.arena);
    e.mt.explain = true;
    e.mt.why = ox_alloc(e.arena, 512);
    int rc = ox_each_graph(m, explain_graph, &e);
    if (!rc && !e.roots) ox_text_addf(out, "no node that rule %s could begin at\n", rule_name);
    ox_rmatch_done(&e.mt);
    ox_arena_free(e.arena);
    return rc ? -1 : 0;
}
