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
    for (ox_node *n = g->first; n; n = n->next) {
        if (!is_root(e->rule, n, e->arena, g->model->ctx)) continue;
        e->roots++;
        e->mt.why[0] = 0;
        bool ok = ox_rule_match(&e->mt, e->rule, n);
        const char *what = ok ? "matches" : e->mt.why[0] ? e->mt.why : "its output is not used, or the opset is not served";
        const char *name = n->name && *n->name ? n->name : n->out[0] && n->out[0]->name ? n->out[0]->name : "?";
        char line[4096]; /* names come from a model, and go to a terminal */
        ox_printable(line, sizeof line, ox_format(e->arena, "at %s (%s): %s", name, n->op_type, what));
        ox_text_addf(e->out, "%s\n", line);
    }
    return e->mt.failed;
}

static int clear_graph(ox_graph *g, void *user) {
    (void)user;
    for (ox_node *n = g->first; n; n = n->next) n->aux = NULL;
    g->ret->aux = NULL;
    return 0;
}

static int end_graph(ox_graph *g, void *user) {
    (void)user;
    for (ox_node *n = g->first; n; n = n->next) {
        ox_rnode_forget(n);
        n->aux = NULL;
    }
    g->ret->aux = NULL;
    return 0;
}

typedef struct job { explainer *e; ox_model *m; } job;

static int run_job(void *arg) {
    job *j = arg;
    ox_rmatch_init(&j->e->mt, j->m, j->e->arena);
    j->e->mt.explain = true;
    j->e->mt.why = ox_alloc(j->e->arena, 512);
    int rc = ox_each_graph(j->m, explain_graph, j->e);
    if (!rc && !j->e->roots) ox_text_addf(j->e->out, "no node that rule %s could begin at\n", j->e->rule->name);
    return rc ? -1 : 0;
}

int ox_rules_explain(ox_model *m, const ox_ruleset *set, const char *rule_name, ox_text *out) {
    explainer e = {.out = out};
    job j = {&e, m};
    for (size_t i = 0; i < set->n; i++)
        if (!strcmp(set->rules[i]->name, rule_name)) e.rule = set->rules[i];
    if (!e.rule) return ox_fail(m->ctx, OX_USAGE, "no rule %s in %s", rule_name, set->file);
    e.arena = ox_arena_new(m->ctx);
    int rc = ox_each_graph(m, clear_graph, NULL);
    if (!rc) rc = ox_protect(m->ctx, run_job, &j);
    ox_each_graph(m, end_graph, NULL);
    ox_rmatch_done(&e.mt);
    ox_arena_free(e.arena);
    return rc;
}
