/* Does a rule match at a node? Touches nothing.
 *
 * Goals are solved in order, each followed by the rest of the list, so that a choice made early (order of operands, branch of an
 * alternation, length of a list) is taken back when something later fails, guards included. What one attempt may cost is bounded by
 * OX_RULE_STEPS; a match that needs more is no match. Nodes are read in their newest form, lifted once per run. */
#include "passes/rule.h"

#include <math.h>
#include <stdio.h>

typedef enum goal_kind { G_ARG, G_DEF, G_SEQ, G_CHAIN } goal_kind;

typedef struct goal {
    goal_kind kind;
    const struct goal *next;
    const ox_rx *p;           /* ARG, DEF: pattern; SEQ: operator */
    ox_arg a;                 /* ARG, DEF */
    int stmt;                 /* DEF: statement that p is the right side of */
    const ox_arg *args;       /* SEQ, CHAIN: operands; ARG: all operands beside it, for the rank of literals; NULL */
    int n_args;
    int i, j;                 /* SEQ: next pattern, next operand; CHAIN: next pattern */
    unsigned used;            /* CHAIN: operands taken */
    const ox_rx *const *chain; /* CHAIN: patterns */
} goal;

typedef struct mark {
    int trail, matched;
} mark;

static bool solve(ox_rmatch *mt, const goal *g);

void ox_rmatch_why(ox_rmatch *mt, const char *format, ...) {
    if (!mt->explain || mt->n_matched <= mt->best) return;
    mt->best = mt->n_matched;
    va_list args;
    va_start(args, format);
    vsnprintf(mt->why, 512, format, args);
    va_end(args);
}

/* ---- records of nodes ---- */

ox_rnode *ox_rnode_get(ox_rmatch *mt, ox_node *n) {
    if (!n->aux) n->aux = OX_NEW(mt->nodes, ox_rnode);
    return n->aux;
}

static bool plain_call(ox_rmatch *mt, const ox_node *n, ox_call *c) {
    *c = (ox_call){.ctx = mt->ctx, .arena = mt->nodes, .node = n, .n_in = (int)n->n_in, .n_out = (int)n->n_out};
    c->attrs = n->attrs;
    c->n_attrs = (int)n->n_attrs;
    c->in = OX_NEW_N(mt->nodes, ox_arg, n->n_in + 1);
    for (uint32_t i = 0; i < n->n_in; i++) {
        c->in[i].v = n->in[i].v;
        c->in[i].t = n->in[i].v ? ox_constant(n->in[i].v) : NULL;
    }
    return true;
}

const ox_call *ox_rnode_call(ox_rmatch *mt, ox_node *n) {
    ox_rnode *r = ox_rnode_get(mt, n);
    if (!r->tried) {
        r->tried = true;
        r->ok = n->callee == NULL;
        for (uint32_t i = 0; i < n->n_attrs; i++) r->ok = r->ok && !n->attrs[i]->ref; /* of a function: not known here */
        if (r->ok && n->op) {
            r->ok = ox_call_init(&r->call, mt->ctx, mt->nodes, n) == 0;
            if (!r->ok) ox_rmatch_refused(mt);
        } else if (r->ok) {
            r->ok = plain_call(mt, n, &r->call);
        }
    }
    return r->ok ? &r->call : NULL;
}

void ox_rnode_forget(ox_node *n) {
    ox_rnode *r = n->aux;
    if (!r) return;
    if (r->ok && r->call.op) ox_call_done(&r->call);
    r->tried = r->ok = false;
}

static bool in_match(const ox_rmatch *mt, const ox_node *n) {
    const ox_rnode *r = n->aux;
    return r && r->match == mt->serial;
}

/* ---- bindings ---- */

ox_rbind *ox_rmatch_bind(ox_rmatch *mt, int slot) {
    size_t n = (size_t)mt->n_trail, cap = (size_t)mt->cap_trail;
    OX_PUSH(mt->arena, mt->trail, n, cap, slot);
    mt->n_trail = (int)n;
    mt->cap_trail = (int)cap;
    mt->bind[slot].bound = true;
    return &mt->bind[slot];
}

static mark here(const ox_rmatch *mt) { return (mark){mt->n_trail, mt->n_matched}; }

static bool undo(ox_rmatch *mt, mark m) {
    while (mt->n_trail > m.trail) mt->bind[mt->trail[--mt->n_trail]] = (ox_rbind){0};
    while (mt->n_matched > m.matched) ((ox_rnode *)mt->matched[--mt->n_matched]->aux)->match = 0;
    return false;
}

static bool push_node(ox_rmatch *mt, ox_node *n, bool keep) {
    ox_rnode *r = ox_rnode_get(mt, n);
    if (r->match == mt->serial) return true;
    if (mt->n_matched == OX_RULE_NODES) return false;
    r->match = mt->serial;
    mt->kept[mt->n_matched] = keep;
    mt->matched[mt->n_matched++] = n;
    return true;
}

static bool is_absent(const ox_arg *a) { return !a->v && !a->t; }

static bool same_arg(const ox_arg *a, const ox_arg *b) {
    if (a->v && a->v == b->v) return true;
    if (is_absent(a) || is_absent(b)) return is_absent(a) && is_absent(b);
    return a->t && b->t && (a->t == b->t || (a->t->count <= OX_ELEMS_MAX && ox_tensor_equal(a->t, b->t)));
}

static bool bind_value(ox_rmatch *mt, int slot, const ox_arg *a) {
    if (mt->bind[slot].bound) return same_arg(&mt->bind[slot].value, a);
    ox_rmatch_bind(mt, slot)->value = *a;
    return true;
}

static bool bind_attr(ox_rmatch *mt, int slot, const ox_rv *v) {
    if (mt->bind[slot].bound) return ox_rv_equal(mt, &mt->bind[slot].rv, v) == OX_YES;
    ox_rmatch_bind(mt, slot)->rv = *v;
    return true;
}

/* ---- literals ---- */

static double tolerance(ox_dtype t) { return t == OX_FLOAT16 ? 1e-3 : t == OX_BFLOAT16 ? 4e-3 : 1e-4; }

/* One element; its rank must not raise that of the result. */
static bool literal(ox_rmatch *mt, const goal *g) {
    const ox_tensor *t = g->a.t;
    if (!t || t->count != 1 || !ox_dtype_bits(t->dtype)) {
        ox_rmatch_why(mt, "an operand is not the constant %g", g->p->f);
        return false;
    }
    bool fits = t->rank == 0 || !g->args;
    for (int i = 0; i < g->n_args && !fits; i++) {
        if (g->args[i].v == g->a.v && g->args[i].t == g->a.t) continue;
        const ox_type *other = ox_rarg_type(mt, &g->args[i]);
        fits = ox_type_is_tensor(other) && other->rank >= t->rank;
    }
    const void *data = fits ? ox_tensor_data(t) : NULL;
    if (!data) {
        ox_rmatch_why(mt, "the constant %g has more dimensions than what it is computed with", g->p->f);
        return fits ? ox_rmatch_refused(mt) : false;
    }
    double v = ox_load_double(t->dtype, data, 0), want = g->p->f;
    if (v == want) return true;
    bool ok = want != nearbyint(want) && ox_dtype_is_float(t->dtype) && fabs(v - want) <= tolerance(t->dtype) * fabs(want);
    if (!ok) ox_rmatch_why(mt, "a constant is %g, not %g", v, want);
    return ok;
}

static bool computed(ox_rmatch *mt, const goal *g) {
    ox_rv have, want;
    ox_rule_eval(mt, g->p, &want);
    ox_rv_of_arg(mt, &g->a, &have);
    return want.kind != OX_RV_ABSENT && ox_rv_equal(mt, &have, &want) == OX_YES;
}

/* ---- attributes and named parameters ---- */

static const ox_rparam *find_param(const ox_rx *p, const char *name) {
    for (int i = 0; i < p->n_params; i++)
        if (!strcmp(p->params[i].name, name)) return &p->params[i];
    return NULL;
}

/* A named input matched by a pattern, not by its value. */
static bool is_operand_pattern(const ox_rx *op, const ox_rparam *q) {
    if (!op->sig || ox_signature_attr(op->sig, q->name)) return false;
    return q->x->kind == OX_RX_NAME || q->x->kind == OX_RX_OP || q->x->kind == OX_RX_ALT;
}

static bool default_value(ox_rmatch *mt, const ox_call *c, const ox_attr *a) {
    ox_rv have, want;
    ox_call without = *c;
    without.attrs = OX_NEW_N(mt->arena, ox_attr *, c->n_attrs + 1);
    without.n_attrs = 0;
    for (int i = 0; i < c->n_attrs; i++)
        if (c->attrs[i] != a) without.attrs[without.n_attrs++] = c->attrs[i];
    if (!c->op || !ox_rule_param(mt, &without, a->name, &want)) return false;
    if (!ox_rule_param(mt, c, a->name, &have)) return false;
    return ox_rv_equal(mt, &have, &want) == OX_YES;
}

static bool match_attrs(ox_rmatch *mt, const ox_rx *p, const ox_call *c) {
    ox_attr **rest = OX_NEW_N(mt->arena, ox_attr *, c->n_attrs + 1);
    int n = 0;
    for (int i = 0; i < c->n_attrs; i++) {
        ox_attr *a = c->attrs[i];
        if (find_param(p, a->name)) continue;
        if (p->set) {
            rest[n++] = a;
        } else if (!default_value(mt, c, a)) {
            ox_rmatch_why(mt, "attribute '%s' of %s is not its default and the rule does not mention it", a->name, p->name);
            return false;
        }
    }
    if (p->set) ox_rmatch_bind(mt, p->set_slot)->set = (ox_rset){rest, n};
    for (int i = 0; i < p->n_params; i++) {
        const ox_rparam *q = &p->params[i];
        ox_rv have, want;
        if (q->x->kind == OX_RX_ANY || is_operand_pattern(p, q)) continue;
        bool there = ox_rule_param(mt, c, q->name, &have);
        if (q->x->kind == OX_RX_ATTR && (there || q->x->optional)) {
            if (!there) have.kind = OX_RV_ABSENT;
            if ((there && have.kind == OX_RV_UNKNOWN) || !bind_attr(mt, q->x->slot, &have)) {
                ox_rmatch_why(mt, "parameter '%s' of %s is not constant or not what $%s is", q->name, p->name, q->x->name);
                return false;
            }
            continue;
        }
        if (there && q->x->kind != OX_RX_ATTR) {
            ox_rule_eval(mt, q->x, &want);
            there = want.kind != OX_RV_ABSENT && ox_rv_equal(mt, &have, &want) == OX_YES;
        }
        if (!there) {
            ox_rmatch_why(mt, "parameter '%s' of %s is not what the rule asks for", q->name, p->name);
            return false;
        }
    }
    return true;
}

/* ---- operators ---- */

static bool op_named(const ox_rx *p, const ox_node *n) {
    if (n->domain != p->domain && strcmp(n->domain, p->domain)) return false;
    if (!p->ops) return n->op_type == p->name;
    for (int i = 0; i < p->ops->n; i++)
        if (n->op_type == p->ops->members[i]) return true;
    return false;
}

/* Outputs the rule names are bound; the others must have no use. */
static bool match_outputs(ox_rmatch *mt, const ox_rx *p, ox_node *n, const goal *g) {
    const ox_rstmt *s = g->stmt >= 0 ? &mt->rule->match[g->stmt] : NULL;
    for (uint32_t i = 0; i < n->n_out; i++) {
        ox_value *v = n->out[i];
        if (s && i < (uint32_t)s->n_names) {
            ox_arg a = {.v = v};
            if (!bind_value(mt, s->slots[i], &a)) return false;
        } else if (v && v != g->a.v && v->nuses) {
            ox_rmatch_why(mt, "output %u of %s is used", i + 1, p->name);
            return false;
        }
    }
    return !s || n->n_out >= (uint32_t)s->n_names || s->n_names == 1;
}

static int collect_chain(const ox_rx *p, const ox_rx *x, const ox_rx **out, int n) {
    for (int i = 0; i < x->n_args; i++) {
        const ox_rx *a = x->args[i];
        bool same = a->kind == OX_RX_OP && !a->ops && a->name == p->name && a->domain == p->domain && a->n_args == 2 && !a->n_params && !a->set;
        if (same) n = collect_chain(p, a, out, n);
        else if (n < OX_RULE_CHAIN) out[n++] = a;
        else return OX_RULE_CHAIN + 1;
        if (n > OX_RULE_CHAIN) return n;
    }
    return n;
}

/* Patterns of a chain, those that say most first. 0 when it is no chain of three or more. */
static int chain_of(ox_rmatch *mt, const ox_rx *p, const ox_rx *const **out) {
    const uint32_t both = OX_COMMUTATIVE | OX_ASSOCIATIVE;
    if ((p->flags & both) != both || p->ops || p->n_args != 2 || p->n_params || p->set) return 0;
    const ox_rx *flat[OX_RULE_CHAIN];
    int n = collect_chain(p, p, flat, 0), k = 0;
    if (n < 3 || n > OX_RULE_CHAIN) return 0;
    const ox_rx **sorted = OX_NEW_N(mt->arena, const ox_rx *, n);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            bool name = flat[i]->kind == OX_RX_NAME && mt->rule->slots[flat[i]->slot].def < 0;
            if (name == (pass == 1)) sorted[k++] = flat[i];
        }
    *out = sorted;
    return n;
}

/* Can operand a of a chain be opened: made by the same operator, for this use alone? */
static const ox_call *opened(ox_rmatch *mt, const ox_rx *p, const ox_arg *a) {
    ox_node *n = a->v ? a->v->def : NULL;
    if (!n || n->graph != mt->g || a->v->nuses != 1 || !op_named(p, n) || !n->op) return NULL;
    const ox_call *c = ox_rnode_call(mt, n);
    return c && c->n_in == 2 && !c->n_attrs ? c : NULL;
}

/* All ways to open operands until there are as many as patterns; operands are opened from left to right, so that none comes twice. */
static bool cut_chain(ox_rmatch *mt, const ox_rx *p, const ox_rx *const *chain, int n_chain, const ox_arg *args, int n, int from,
                      const goal *next) {
    if (++mt->steps > OX_RULE_STEPS) return false;
    if (n == n_chain) {
        goal g = {.kind = G_CHAIN, .next = next, .p = p, .args = args, .n_args = n, .chain = chain, .stmt = -1};
        return solve(mt, ox_dup(mt->arena, &g, sizeof g));
    }
    for (int i = from; i < n; i++) {
        const ox_call *c = opened(mt, p, &args[i]);
        if (!c) continue;
        mark m = here(mt);
        ox_arg *more = OX_NEW_N(mt->arena, ox_arg, n + 1);
        memcpy(more, args, (size_t)i * sizeof *args);
        more[i] = c->in[0];
        more[i + 1] = c->in[1];
        memcpy(more + i + 2, args + i + 1, (size_t)(n - i - 1) * sizeof *args);
        if (push_node(mt, args[i].v->def, false) && cut_chain(mt, p, chain, n_chain, more, n + 1, i, next)) return true;
        undo(mt, m);
    }
    return false;
}

static const goal *add_goal(ox_rmatch *mt, goal g) { return ox_dup(mt->arena, &g, sizeof g); }

static bool match_inputs(ox_rmatch *mt, const ox_rx *p, const ox_call *c, const goal *next) {
    for (int i = 0; i < p->n_params; i++) {
        const ox_rparam *q = &p->params[i];
        if (!is_operand_pattern(p, q)) continue;
        int at = ox_signature_input(p->sig, q->name);
        ox_arg a = at >= 0 && at < c->n_in ? c->in[at] : (ox_arg){0};
        next = add_goal(mt, (goal){.kind = G_ARG, .next = next, .p = q->x, .a = a, .stmt = -1});
    }
    goal seq = {.kind = G_SEQ, .next = next, .p = p, .args = c->in, .n_args = c->n_in, .stmt = -1};
    bool swap = (p->flags & OX_COMMUTATIVE) && p->n_args == 2 && c->n_in == 2 && !p->args[0]->list && !p->args[1]->list;
    if (!swap) return solve(mt, add_goal(mt, seq));
    mark m = here(mt);
    if (solve(mt, add_goal(mt, seq))) return true;
    undo(mt, m);
    ox_arg *turned = OX_NEW_N(mt->arena, ox_arg, 2);
    turned[0] = c->in[1];
    turned[1] = c->in[0];
    seq.args = turned;
    return solve(mt, add_goal(mt, seq));
}

static bool match_op(ox_rmatch *mt, const goal *g) {
    const ox_rx *p = g->p;
    ox_node *n = g->a.v ? g->a.v->def : NULL;
    if (!n || n->graph != mt->g || !op_named(p, n)) {
        ox_rmatch_why(mt, "%s was expected, found %s", p->name, n ? n->op_type : "no node");
        return false;
    }
    const ox_rstmt *s = g->stmt >= 0 ? &mt->rule->match[g->stmt] : NULL;
    if (!s && g->a.v->index) return false;
    const ox_call *c = ox_rnode_call(mt, n);
    if (!c) {
        ox_rmatch_why(mt, "%s cannot be read", p->name);
        return false;
    }
    if (p->ops) {
        ox_rbind *b = &mt->bind[p->slot];
        if (b->bound && b->op != n->op_type) return false;
        if (!b->bound) ox_rmatch_bind(mt, p->slot)->op = n->op_type;
    }
    if (!match_outputs(mt, p, n, g) || !push_node(mt, n, s && s->keep) || !match_attrs(mt, p, c)) return false;
    const ox_rx *const *chain;
    int n_chain = c->n_in == 2 ? chain_of(mt, p, &chain) : 0;
    return n_chain ? cut_chain(mt, p, chain, n_chain, c->in, 2, 0, g->next) : match_inputs(mt, p, c, g->next);
}

/* ---- goals ---- */

static bool solve_name(ox_rmatch *mt, const goal *g) {
    const ox_rslot *s = &mt->rule->slots[g->p->slot];
    if (is_absent(&g->a) && !g->p->optional) {
        ox_rmatch_why(mt, "input '%s' is absent", g->p->name);
        return false;
    }
    bool first = !mt->bind[g->p->slot].bound;
    if (!bind_value(mt, g->p->slot, &g->a)) {
        ox_rmatch_why(mt, "'%s' is not the same value everywhere", g->p->name);
        return false;
    }
    if (s->def < 0 || !first || is_absent(&g->a)) return solve(mt, g->next);
    const ox_rx *def = mt->rule->match[s->def].x;
    if (!g->a.v || g->a.v->index != (uint32_t)s->def_out) return false;
    return solve(mt, add_goal(mt, (goal){.kind = G_DEF, .next = g->next, .p = def, .a = g->a, .stmt = s->def}));
}

static bool solve_arg(ox_rmatch *mt, const goal *g) {
    const ox_rx *p = g->p;
    ox_rv v;
    switch (p->kind) {
    case OX_RX_NAME: return solve_name(mt, g);
    case OX_RX_ANY: return (p->optional || !is_absent(&g->a)) && solve(mt, g->next);
    case OX_RX_ATTR:
        ox_rv_of_arg(mt, &g->a, &v);
        if (v.kind == OX_RV_UNKNOWN || (v.kind == OX_RV_ABSENT && !p->optional) || !bind_attr(mt, p->slot, &v)) return false;
        return solve(mt, g->next);
    case OX_RX_INT:
    case OX_RX_FLOAT: return literal(mt, g) && solve(mt, g->next);
    case OX_RX_OP: return match_op(mt, g);
    case OX_RX_ALT:
        for (int i = 0; i < p->n_args; i++) {
            mark m = here(mt);
            goal sub = *g;
            sub.p = p->args[i];
            if (solve(mt, add_goal(mt, sub))) return true;
            undo(mt, m);
        }
        return false;
    default: return computed(mt, g) && solve(mt, g->next);
    }
}

static bool solve_list(ox_rmatch *mt, const goal *g) {
    const ox_rx *p = g->p->args[g->i];
    int left = g->n_args - g->j;
    const ox_rbind *b = p->kind == OX_RX_NAME ? &mt->bind[p->slot] : NULL;
    for (int k = 0; k <= left; k++) {
        mark m = here(mt);
        bool ok = true;
        if (b && b->bound) {
            ok = b->list.n == k;
            for (int i = 0; i < k && ok; i++) ok = same_arg(&b->list.args[i], &g->args[g->j + i]);
        } else if (b) {
            ox_rmatch_bind(mt, p->slot)->list = (ox_rlist){g->args + g->j, k};
        }
        goal sub = *g;
        sub.i++;
        sub.j += k;
        if (ok && solve(mt, add_goal(mt, sub))) return true;
        undo(mt, m);
    }
    return false;
}

static bool solve_seq(ox_rmatch *mt, const goal *g) {
    const ox_rx *op = g->p;
    if (g->i == op->n_args) {
        for (int j = g->j; j < g->n_args; j++) {
            const char *name = op->sig && j < op->sig->n_in ? op->sig->in[j].name : NULL;
            if (is_absent(&g->args[j]) || (name && find_param(op, name))) continue;
            ox_rmatch_why(mt, "%s has input %d, which the rule does not mention", op->name, j + 1);
            return false;
        }
        return solve(mt, g->next);
    }
    if (op->args[g->i]->list) return solve_list(mt, g);
    goal rest = *g;
    rest.i++;
    rest.j++;
    goal first = {.kind = G_ARG, .p = op->args[g->i], .stmt = -1};
    if (g->j < g->n_args) first.a = g->args[g->j];
    if ((op->flags & OX_ELEMENTWISE) && g->n_args > 1) first.args = g->args, first.n_args = g->n_args;
    first.next = add_goal(mt, rest);
    return solve(mt, add_goal(mt, first));
}

static bool solve_chain(ox_rmatch *mt, const goal *g) {
    if (g->i == g->n_args) return solve(mt, g->next);
    for (int j = 0; j < g->n_args; j++) {
        if (g->used & (1u << j)) continue;
        mark m = here(mt);
        goal rest = *g;
        rest.i++;
        rest.used |= 1u << j;
        goal first = {.kind = G_ARG, .p = g->chain[g->i], .a = g->args[j], .args = g->args, .n_args = g->n_args, .stmt = -1};
        first.next = add_goal(mt, rest);
        if (solve(mt, add_goal(mt, first))) return true;
        undo(mt, m);
    }
    return false;
}

/* ---- when all goals are solved ---- */

static bool is_output(const ox_rmatch *mt, const ox_value *v) {
    for (int i = 0; i < mt->rule->n_outputs; i++)
        if (mt->bind[mt->rule->outputs[i].slot].value.v == v) return true;
    return false;
}

/* Values inside of the match have all their uses there, and are no outputs of the graph (a use by ret). */
static bool interior_closed(ox_rmatch *mt) {
    for (int i = 0; i < mt->n_matched; i++) {
        const ox_node *n = mt->matched[i];
        for (uint32_t k = 0; k < n->n_out && !mt->kept[i]; k++) {
            if (!n->out[k] || is_output(mt, n->out[k])) continue;
            for (const ox_use *u = n->out[k]->uses; u; u = u->next) {
                if (in_match(mt, u->user)) continue;
                ox_rmatch_why(mt, "the output of %s is also used by %s", n->op_type, u->user == mt->g->ret ? "the graph as output" : u->user->op_type);
                return false;
            }
        }
    }
    return true;
}

static bool guards_hold(ox_rmatch *mt) {
    for (int i = 0; i < mt->rule->n_guards; i++) {
        const ox_rx *g = mt->rule->guards[i];
        ox_truth t = ox_rule_truth(mt, g);
        if (t == OX_YES || t == OX_HOLDS) continue;
        if (mt->explain) mt->n_matched++; /* guards come last: their reason is the furthest */
        ox_rmatch_why(mt, "the condition at line %d, column %d is %s", g->line, g->column, t == OX_NO ? "false" : "not proved");
        if (mt->explain) mt->n_matched--;
        return false;
    }
    return true;
}

/* An output that the root does not lead to: found among the users of a value that is bound. */
static bool solve_other_root(ox_rmatch *mt, const ox_rslot *s, int slot) {
    const ox_rx *p = mt->rule->match[s->def].x;
    if (p->kind != OX_RX_OP) return false;
    for (int i = 0; i < p->n_args; i++) {
        const ox_rx *a = p->args[i];
        if (a->kind != OX_RX_NAME || a->list || !mt->bind[a->slot].bound || !mt->bind[a->slot].value.v) continue;
        int tried = 0;
        for (const ox_use *u = mt->bind[a->slot].value.v->uses; u && tried < OX_RULE_USES; u = u->next, tried++) {
            ox_node *n = u->user;
            if (n->graph != mt->g || n == mt->g->ret || !op_named(p, n) || in_match(mt, n) || !ox_node_out(n, (uint32_t)s->def_out)) continue;
            mark m = here(mt);
            ox_rx name = {.kind = OX_RX_NAME, .slot = slot, .name = s->name};
            goal g = {.kind = G_ARG, .p = ox_dup(mt->arena, &name, sizeof name), .a.v = n->out[s->def_out], .stmt = -1};
            if (solve(mt, add_goal(mt, g))) return true;
            undo(mt, m);
        }
        return false;
    }
    return false;
}

static bool finish(ox_rmatch *mt) {
    for (int i = 0; i < mt->rule->n_outputs; i++) {
        int slot = mt->rule->outputs[i].slot;
        if (!mt->bind[slot].bound) return solve_other_root(mt, &mt->rule->slots[slot], slot);
    }
    return interior_closed(mt) && guards_hold(mt) && !mt->failed;
}

static bool solve(ox_rmatch *mt, const goal *g) {
    if (++mt->steps > OX_RULE_STEPS || mt->failed) return false;
    if (!g) {
        mark m = here(mt); /* what guards bind is taken back with them */
        return finish(mt) || undo(mt, m);
    }
    switch (g->kind) {
    case G_ARG: return solve_arg(mt, g);
    case G_DEF: {
        if (g->p->kind != OX_RX_ALT) return match_op(mt, g);
        for (int i = 0; i < g->p->n_args; i++) {
            mark m = here(mt);
            goal sub = *g;
            sub.p = g->p->args[i];
            sub.kind = sub.p->kind == OX_RX_OP || sub.p->kind == OX_RX_ALT ? G_DEF : G_ARG;
            if (solve(mt, add_goal(mt, sub))) return true;
            undo(mt, m);
        }
        return false;
    }
    case G_SEQ: return solve_seq(mt, g);
    case G_CHAIN: return solve_chain(mt, g);
    }
    return false;
}

/* ---- entry ---- */

void ox_rmatch_init(ox_rmatch *mt, ox_model *m, ox_arena *nodes) {
    *mt = (ox_rmatch){.ctx = m->ctx, .m = m, .nodes = nodes};
    mt->arena = ox_arena_new(m->ctx);
}

void ox_rmatch_clear(ox_rmatch *mt) {
    for (size_t i = 0; i < mt->n_pool; i++) ox_tensor_unref(mt->pool[i]);
    mt->pool = NULL;
    mt->n_pool = mt->cap_pool = 0;
    mt->trail = NULL;
    mt->n_trail = mt->cap_trail = 0;
    mt->n_matched = 0;
    mt->bind = NULL;
    mt->fresh = NULL;
    ox_arena_reset(mt->arena);
}

void ox_rmatch_done(ox_rmatch *mt) {
    if (!mt->arena) return;
    ox_rmatch_clear(mt);
    ox_arena_free(mt->arena);
    mt->arena = NULL;
}

bool ox_rule_match(ox_rmatch *mt, const ox_rule *rule, ox_node *node) {
    const ox_rslot *root = &rule->slots[rule->outputs[rule->root].slot];
    ox_value *v = ox_node_out(node, (uint32_t)root->def_out);
    if (!v || !v->nuses) return false; /* dead: nothing to gain */
    int64_t opset = ox_model_opset(mt->m, node->graph, ox_intern(mt->ctx, ""));
    if ((rule->since && opset < rule->since) || (rule->until && opset > rule->until)) return false;
    ox_rmatch_clear(mt);
    mt->pool = ox_grow(mt->arena, NULL, 0, &mt->cap_pool, sizeof *mt->pool);
    mt->rule = rule;
    mt->root = node;
    mt->g = node->graph;
    mt->serial++;
    mt->steps = 0;
    mt->best = -1;
    mt->bind = OX_NEW_N(mt->arena, ox_rbind, rule->n_slots + 1);
    ox_rx name = {.kind = OX_RX_NAME, .slot = rule->outputs[rule->root].slot, .name = root->name};
    goal g = {.kind = G_ARG, .p = &name, .a.v = v, .stmt = -1};
    bool ok = solve(mt, &g);
    if (!ok) undo(mt, (mark){0, 0});
    return ok;
}
