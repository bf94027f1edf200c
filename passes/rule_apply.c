/* Rules to a fixpoint.
 *
 * Every node of every graph is tried once, in order; after a rewrite those nodes are tried again whose match may have changed: new
 * nodes, users of what changed, and their users as far as a pattern reaches through values with few uses. At one node, rules with
 * more operators go first, then in the order of their sets. Rules that "expand" are not tried on what an expanding rule made.
 * A bound on the number of rewrites turns rules that undo each other into an error that names both. */
#include "passes/rule.h"

#include <stdlib.h>

typedef struct rule_list {
    const ox_rule **rules;
    size_t n, cap;
} rule_list;

typedef struct engine {
    ox_ctx *ctx;
    ox_arena *arena;      /* scratch of the pass */
    ox_model *m;
    const char *without, *profile;
    const ox_rule **all;  /* larger ones first */
    size_t n_all, cap_all;
    ox_map by_op;         /* name of a root operator to rule_list; names with a domain as "domain::name" */
    bool foreign;         /* there are roots with a domain */
    int reach;            /* how far from a change a root may be */
    ox_node **queue;
    size_t n_queue, cap_queue, at;
    ox_rmatch mt;
    bool expanding;       /* the rule at work */
    bool sort;
    const ox_rule *last, *before_last;
    int64_t rewrites, limit;
} engine;

/* ---- which rules ---- */

static bool wanted(const engine *e, const ox_rule *r) {
    if (ox_listed(e->without, r->name)) return false;
    bool yes = r->n_profiles == 0;
    for (int i = 0; i < r->n_profiles; i++) yes |= e->profile && !strcmp(r->profiles[i], e->profile);
    return yes;
}

typedef struct ranked { const ox_rule *r; size_t place; } ranked;

static int larger_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->r->size != y->r->size) return x->r->size > y->r->size ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void index_rules(engine *e, const ox_ruleset *const *sets, size_t n_sets) {
    ranked *all = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < n_sets; i++) {
        if (ox_listed(e->without, ox_ruleset_name(e->arena, sets[i]))) continue;
        for (size_t k = 0; k < sets[i]->n; k++)
            if (wanted(e, sets[i]->rules[k])) {
                ranked next = {sets[i]->rules[k], n};
                OX_PUSH(e->arena, all, n, cap, next);
            }
    }
    if (n) qsort(all, n, sizeof *all, larger_first);
    ox_map_init(&e->by_op, e->arena);
    for (size_t i = 0; i < n; i++) {
        const ox_rule *r = all[i].r;
        if (r->size > e->reach) e->reach = r->size;
        for (int k = 0; k < r->n_root_ops; k++) {
            rule_list *l = ox_map_get(&e->by_op, r->root_ops[k]);
            if (!l) ox_map_put(&e->by_op, r->root_ops[k], l = OX_NEW(e->arena, rule_list));
            OX_PUSH(e->arena, l->rules, l->n, l->cap, r);
            e->foreign |= strstr(r->root_ops[k], "::") != NULL;
        }
    }
    if (e->reach > 8) e->reach = 8;
}

static const rule_list *rules_for(engine *e, const ox_node *n) {
    if (!n->domain[0]) return ox_map_get(&e->by_op, n->op_type);
    if (!e->foreign) return NULL;
    return ox_map_get(&e->by_op, ox_intern(e->ctx, ox_format(e->arena, "%s::%s", n->domain, n->op_type)));
}

/* ---- the queue ---- */

static void enqueue(engine *e, ox_node *n) {
    if (!n->graph || n == n->graph->ret) return;
    ox_rnode *r = ox_rnode_get(&e->mt, n);
    if (r->queued || !rules_for(e, n)) return;
    r->queued = true;
    OX_PUSH(e->arena, e->queue, e->n_queue, e->cap_queue, n);
}

/* Nodes below the first N uses of a value as far as a pattern may reach; only through values that few use, for inner values have their
 * uses in the match. */
static void enqueue_below(engine *e, ox_value *v, uint32_t n, int reach, int *left) {
    enum { FEW = 4 };
    for (const ox_use *u = v->uses; u && n-- && --*left > 0; u = u->next) {
        if (u->user == u->user->graph->ret) continue;
        enqueue(e, u->user);
        for (uint32_t i = 0; reach > 1 && i < u->user->n_out; i++)
            if (u->user->out[i] && u->user->out[i]->nuses <= FEW) enqueue_below(e, u->user->out[i], FEW, reach - 1, left);
    }
}

static void made(void *user, ox_node *n) {
    engine *e = user;
    ox_rnode *r = ox_rnode_get(&e->mt, n);
    r->expanded = e->expanding;
    enqueue(e, n);
}

/* Only uses that came with the rewrite are looked at: a value may be used by every node of the model. */
static void changed(void *user, ox_value *v, uint32_t n_uses) {
    engine *e = user;
    uint32_t n = n_uses;
    for (const ox_use *u = v->uses; u && n; u = u->next, n--) {
        ox_rnode_forget(u->user);
        if (n_uses > OX_RULE_USES) enqueue(e, u->user);
    }
    if (v->def && v->def->graph) enqueue(e, v->def);
    int left = 256;
    if (n_uses <= OX_RULE_USES) enqueue_below(e, v, n_uses, e->reach, &left);
}

static int start_graph(ox_graph *g, void *user) {
    engine *e = user;
    for (ox_node *n = g->first; n; n = n->next) {
        enqueue(e, n);
        e->limit++;
    }
    return 0;
}

static int forget_graph(ox_graph *g, void *user) {
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
    return 0;
}

/* ---- the loop ---- */

/* 1: rewritten, 0: no rule applies, -1: error. */
static int try_node(engine *e, ox_node *n) {
    const rule_list *l = rules_for(e, n);
    for (size_t i = 0; l && i < l->n; i++) {
        const ox_rule *r = l->rules[i];
        if (r->expand && ((ox_rnode *)n->aux)->expanded) continue;
        bool ok = ox_rule_match(&e->mt, r, n);
        if (e->mt.failed) return -1;
        if (!ok) continue;
        e->expanding = r->expand;
        e->sort |= r->n_outputs > 1;
        int rc = ox_rule_build(&e->mt, made, changed, e);
        if (rc < 0) return -1;
        if (!rc) continue;
        if (r != e->last) {
            e->before_last = e->last;
            e->last = r;
        }
        return 1;
    }
    return 0;
}

static int run(engine *e, ox_pass_run *pass) {
    while (e->at < e->n_queue) {
        ox_node *n = e->queue[e->at++];
        if (e->at > 4096 && e->at * 2 > e->n_queue) { /* what is done makes room */
            memmove(e->queue, e->queue + e->at, (e->n_queue - e->at) * sizeof *e->queue);
            e->n_queue -= e->at;
            e->at = 0;
        }
        ox_rnode *r = n->aux;
        r->queued = false;
        if (!n->graph) continue;
        const char *name = n->name && *n->name ? n->name : n->op_type;
        int rc = try_node(e, n);
        if (rc < 0) return ox_fail_in(e->ctx, "at node %s", name);
        if (!rc) continue;
        if (pass->driver) ox_pass_note(pass, "%s at %s", e->last->name, name);
        if (++e->rewrites > e->limit)
            return ox_fail(e->ctx, OX_CONFIG, "rules %s and %s do not come to an end: %lld rewrites", e->before_last ? e->before_last->name : e->last->name,
                           e->last->name, (long long)e->rewrites);
        if (n->graph) enqueue(e, n);
    }
    return (int)(e->rewrites > INT32_MAX ? INT32_MAX : e->rewrites);
}

typedef struct job { engine *e; ox_pass_run *r; const ox_ruleset *const *sets; size_t n; } job;

static int run_job(void *arg) {
    job *j = arg;
    index_rules(j->e, j->sets, j->n);
    ox_rmatch_init(&j->e->mt, j->r->m, j->r->arena);
    ox_each_graph(j->r->m, start_graph, j->e);
    j->e->limit = 64 + 16 * j->e->limit;
    int rc = run(j->e, j->r);
    return rc > 0 && j->e->sort && ox_sort(j->r->m->graph, NULL) ? -1 : rc;
}

int ox_rules_apply(ox_pass_run *r, const ox_ruleset *const *sets, size_t n) {
    engine e = {.ctx = r->ctx, .arena = r->arena, .m = r->m, .without = r->without, .profile = r->profile};
    job j = {&e, r, sets, n};
    ox_clear_error(r->ctx);
    ox_each_graph(r->m, forget_graph, NULL); /* what other passes left there */
    int rc = ox_protect(r->ctx, run_job, &j); /* also without memory, what lifts and matches made is given back */
    ox_each_graph(r->m, end_graph, NULL);
    ox_rmatch_done(&e.mt);
    return rc;
}
