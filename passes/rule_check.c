/* Checks a rule when it is loaded and gives every name its slot, every operator its signature, so that a rule which loads can
 * only match or not match: unknown operators, parameters, functions, names, wrong arity, cycles, outputs that are not there are
 * errors with file, line and column. */
#include "passes/rule.h"

#include <math.h>
#include <stdio.h>

typedef struct checker {
    ox_ctx *ctx;
    ox_arena *arena;
    ox_rule *r;
    size_t cap_slots;
    ox_sym *fresh;        /* names the rewrite has made so far */
    bool *fresh_const, *fresh_used;
    bool *is_const;       /* per slot: a guard says const() */
    int n_fresh;
    int stmt;             /* of the match that is walked, for cycles */
} checker;

int ox_rule_fail(ox_ctx *ctx, const ox_rule *rule, int line, int column, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ox_fail(ctx, OX_CONFIG, "%s:%d:%d: %s %s: %s", rule->file, line, column, rule->is_def ? "def" : "rule", rule->name ? rule->name : "?", text);
}

#define FAIL(c, x, ...) ox_rule_fail((c)->ctx, (c)->r, (x)->line, (x)->column, __VA_ARGS__)

/* ---- slots ---- */

/* The slot of "$name" or "..name". */
static int find_kind(const checker *c, ox_sym name, ox_rslot_kind kind) {
    for (int i = 0; i < c->r->n_slots; i++)
        if (c->r->slots[i].name == name && c->r->slots[i].kind == kind) return i;
    return -1;
}

/* The slot of a name that is no attribute and no set. */
static int find_name(const checker *c, ox_sym name) {
    for (int i = 0; i < c->r->n_slots; i++) {
        ox_rslot_kind k = c->r->slots[i].kind;
        if (c->r->slots[i].name == name && k != OX_RS_ATTR && k != OX_RS_SET) return i;
    }
    return -1;
}

static int add_slot(checker *c, const ox_rx *x, ox_rslot_kind kind, ox_sym name) {
    if (c->r->n_slots >= OX_RULE_NAMES) return FAIL(c, x, "more than %d names", OX_RULE_NAMES);
    size_t n = (size_t)c->r->n_slots;
    ox_rslot s = {.kind = kind, .name = name, .def = -1, .output = -1};
    OX_PUSH(c->arena, c->r->slots, n, c->cap_slots, s);
    c->r->n_slots = (int)n;
    return (int)n - 1;
}

static const char *kind_text(ox_rslot_kind k) {
    static const char *const text[] = {"a value", "a list", "an attribute", "a set of attributes", "a dimension", "a type", "an operator"};
    return text[k];
}

static int name_slot(checker *c, ox_rx *x, ox_rslot_kind kind) {
    int i = find_name(c, x->name);
    if (i < 0) i = add_slot(c, x, kind, x->name);
    if (i < 0) return -1;
    if (c->r->slots[i].kind != kind)
        return FAIL(c, x, "'%s' is %s and %s", x->name, kind_text(c->r->slots[i].kind), kind_text(kind));
    return x->slot = i, 0;
}

/* ---- operators ---- */

static const ox_op *newest(checker *c, const ox_rx *x, ox_sym name) {
    return ox_op_find(c->ctx, x->domain, name, ox_opset_newest(x->domain));
}

struct names {
    const char **v;
    size_t n, cap;
    const char *domain;
    ox_arena *arena;
};

static int collect_name(const ox_op *op, const char *domain, void *user) {
    struct names *w = user;
    if (!strcmp(domain, w->domain)) OX_PUSH(w->arena, w->v, w->n, w->cap, op->name);
    return 0;
}

static int unknown_op(checker *c, const ox_rx *x, ox_sym name) {
    struct names w = {.domain = x->domain, .arena = c->arena};
    ox_each_op(c->ctx, collect_name, &w);
    const char *near = ox_nearest(name, w.v, w.n);
    return FAIL(c, x, "unknown operator '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool is_whole(int type) { return type == OX_A_INT || type == OX_A_INTS; }
static bool is_text(int type) { return type == OX_A_STRING || type == OX_A_STRINGS; }
static bool is_list(int type) { return type == OX_A_INTS || type == OX_A_FLOATS || type == OX_A_STRINGS; }

/* A text where a number belongs, a list where one value does, and the other way round; what is computed shows its type when it is there. */
static const ox_rx *wrong_literal(int type, const ox_rx *x) {
    ox_rx_kind k = x->kind;
    if (k == OX_RX_LIST) {
        if (!is_list(type)) return x;
        for (int i = 0; i < x->n_args; i++)
            if (wrong_literal(type, x->args[i])) return x->args[i];
        return NULL;
    }
    bool text = is_text(type);
    return (k == OX_RX_STRING && !text) || ((k == OX_RX_INT || k == OX_RX_FLOAT) && text) || (k == OX_RX_FLOAT && is_whole(type)) ? x : NULL;
}

static int check_param_type(checker *c, const ox_formal_attr *a, const ox_rparam *q, ox_sym op) {
    const ox_rx *wrong = wrong_literal(a->type, q->x);
    return wrong ? FAIL(c, wrong, "attribute '%s' of %s has another type", q->name, op) : 0;
}

static int check_param_name(checker *c, const ox_rx *x, const ox_signature *sig, const ox_rparam *q, ox_sym op) {
    const ox_formal_attr *a = ox_signature_attr(sig, q->name);
    if (a) return check_param_type(c, a, q, op);
    int i = ox_signature_input(sig, q->name);
    if (i < 0) return FAIL(c, q->x, "%s has no attribute or input '%s'", op, q->name);
    if (i < x->n_args) return FAIL(c, q->x, "input '%s' of %s is given twice", q->name, op);
    return 0;
}

static int check_op(checker *c, ox_rx *x, bool build, int n_out) {
    for (int i = 0; i < x->n_params; i++)
        for (int j = 0; j < i; j++)
            if (x->params[i].name == x->params[j].name) return FAIL(c, x->params[i].x, "'%s' is given twice", x->params[i].name);
    if (!ox_opset_newest(x->domain)) return 0; /* not ours: nothing to check */
    int n = x->ops ? x->ops->n : 1;
    for (int k = 0; k < n; k++) {
        ox_sym name = x->ops ? x->ops->members[k] : x->name;
        const ox_op *op = newest(c, x, name);
        if (!op) return unknown_op(c, x, name);
        const ox_signature *sig = ox_op_signature(c->ctx, op);
        if (!k) x->sig = sig, x->flags = op->flags;
        x->flags &= op->flags;
        for (int i = 0; i < x->n_params; i++)
            if (check_param_name(c, x, sig, &x->params[i], name)) return -1;
        if (x->n_args > sig->max_in) return FAIL(c, x, "%s takes at most %d inputs, %d given", name, sig->max_in, x->n_args);
        if (n_out > sig->max_out) return FAIL(c, x, "%s has at most %d outputs, %d named", name, sig->max_out, n_out);
        bool variadic = sig->n_in && sig->in[sig->n_in - 1].variadic;
        for (int i = 0; i < x->n_args; i++)
            if (x->args[i]->list && !variadic) return FAIL(c, x->args[i], "%s takes no list of inputs", name);
        for (int i = x->n_args; build && i < sig->n_in; i++) {
            bool given = sig->in[i].optional || sig->in[i].variadic;
            for (int j = 0; j < x->n_params; j++) given |= !strcmp(x->params[j].name, sig->in[i].name);
            if (!given) return FAIL(c, x, "input '%s' of %s is missing", sig->in[i].name, name);
        }
        for (int i = 0; build && !x->set && i < sig->n_attrs; i++) {
            bool given = !sig->attrs[i].required;
            for (int j = 0; j < x->n_params; j++) given |= !strcmp(x->params[j].name, sig->attrs[i].name);
            if (!given) return FAIL(c, x, "attribute '%s' of %s is missing", sig->attrs[i].name, name);
        }
    }
    return 0;
}

/* ---- expressions: guards, computed attributes, the rewrite ---- */

static int check_expr(checker *c, ox_rx *x, bool build);

static int check_exprs(checker *c, ox_rx *x, bool build) {
    for (int i = 0; i < x->n_args; i++)
        if (x->args[i] && check_expr(c, x->args[i], build)) return -1;
    for (int i = 0; i < x->n_params; i++)
        if (check_expr(c, x->params[i].x, build)) return -1;
    return 0;
}

/* Names that are values by themselves. */
static bool word(ox_rx *x) {
    ox_dtype t = ox_dtype_from_name(x->name, strlen(x->name));
    bool truth = !strcmp(x->name, "true");
    if (t != OX_UNDEFINED || truth || !strcmp(x->name, "false")) {
        x->kind = OX_RX_INT;
        x->i = t != OX_UNDEFINED ? (int64_t)t : truth;
        x->f = (double)x->i;
        return true;
    }
    if (strcmp(x->name, "inf")) return false;
    x->kind = OX_RX_FLOAT;
    x->f = HUGE_VAL;
    return true;
}

static int check_name(checker *c, ox_rx *x, bool build) {
    for (int i = 0; build && i < c->n_fresh; i++)
        if (c->fresh[i] == x->name) {
            c->fresh_used[i] = true;
            x->fresh = true;
            x->slot = i;
            return 0;
        }
    x->slot = find_name(c, x->name);
    if (x->slot < 0) {
        if (!x->optional && !x->list && word(x)) return 0;
        return FAIL(c, x, "'%s' is not bound", x->name);
    }
    ox_rslot_kind k = c->r->slots[x->slot].kind;
    if (k == OX_RS_OP) return FAIL(c, x, "'%s' is an operator", x->name);
    if (build && x->list != (k == OX_RS_LIST)) return FAIL(c, x, "'%s' is %s", x->name, kind_text(k));
    return 0;
}

static int check_call(checker *c, ox_rx *x) {
    x->fun = ox_rfun_find(x->name);
    if (!x->fun) {
        const char *names[64];
        size_t n = 0;
        for (const ox_rfun *f; n < 64 && (f = ox_rfun_at(n)); n++) names[n] = f->name;
        const char *near = ox_nearest(x->name, names, n);
        return FAIL(c, x, "unknown function '%s'%s%s%s", x->name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (x->n_args < x->fun->min || x->n_args > x->fun->max) return FAIL(c, x, "%s() does not take %d arguments", x->name, x->n_args);
    return 0;
}

static int check_build_op(checker *c, ox_rx *x, bool build) {
    if (check_op(c, x, true, 0)) return -1;
    if (x->ops && (x->slot = find_name(c, x->name)) < 0) return FAIL(c, x, "'%s' is not in the match", x->name);
    if (x->set && (x->set_slot = find_kind(c, x->set, OX_RS_SET)) < 0) return FAIL(c, x, "'..%s' is not bound", x->set);
    for (int i = 0; i < x->n_params; i++)
        if (x->params[i].x->kind == OX_RX_ANY) return FAIL(c, x->params[i].x, "'*' has no meaning here");
    return check_exprs(c, x, build);
}

static int check_expr(checker *c, ox_rx *x, bool build) {
    switch (x->kind) {
    case OX_RX_NAME: return check_name(c, x, build);
    case OX_RX_ATTR:
        if ((x->slot = find_kind(c, x->name, OX_RS_ATTR)) < 0) return FAIL(c, x, "'$%s' is not bound", x->name);
        return 0;
    case OX_RX_ANY: return FAIL(c, x, "'_' has no value");
    case OX_RX_ALT: return FAIL(c, x, "'|' belongs into the match");
    case OX_RX_TYPE: return FAIL(c, x, "a type stands alone between commas");
    case OX_RX_OP: return check_build_op(c, x, build);
    case OX_RX_CALL:
        if (check_call(c, x)) return -1;
        return check_exprs(c, x, build);
    default: return check_exprs(c, x, build);
    }
}

/* ---- patterns ---- */

static int check_pattern(checker *c, ox_rx *x);

static int check_param_pattern(checker *c, ox_rx *op, ox_rparam *q) {
    ox_rx *x = q->x;
    if (x->kind == OX_RX_ANY) return 0;
    if (x->kind == OX_RX_ATTR) return check_pattern(c, x);
    bool attr = !op->sig || ox_signature_attr(op->sig, q->name);
    return attr ? check_expr(c, x, false) : check_pattern(c, x);
}

static int check_pattern_op(checker *c, ox_rx *x, int n_out) {
    if (check_op(c, x, false, n_out)) return -1;
    if (x->ops) {
        ox_rx *n = x;
        if (name_slot(c, n, OX_RS_OP)) return -1;
    }
    bool names = x->n_args == 0;
    for (int i = 0; i < x->n_args; i++) {
        if (check_pattern(c, x->args[i])) return -1;
        ox_rx_kind k = x->args[i]->kind;
        names |= k == OX_RX_NAME || k == OX_RX_OP || k == OX_RX_ALT || k == OX_RX_ANY || k == OX_RX_ATTR;
    }
    if (!names && !x->n_params) return FAIL(c, x, "a computation of literals cannot be matched");
    for (int i = 0; i < x->n_params; i++)
        if (check_param_pattern(c, x, &x->params[i])) return -1;
    if (x->set) {
        if (find_kind(c, x->set, OX_RS_SET) >= 0) return FAIL(c, x, "'..%s' is bound twice", x->set);
        if ((x->set_slot = add_slot(c, x, OX_RS_SET, x->set)) < 0) return -1;
    }
    return 0;
}

static int check_pattern(checker *c, ox_rx *x) {
    switch (x->kind) {
    case OX_RX_NAME:
        if (!x->list && !x->optional && (!strcmp(x->name, "true") || !strcmp(x->name, "false") || !strcmp(x->name, "inf"))) {
            word(x);
            return 0;
        }
        return name_slot(c, x, x->list ? OX_RS_LIST : OX_RS_VALUE);
    case OX_RX_ATTR: {
        int i = find_kind(c, x->name, OX_RS_ATTR);
        x->slot = i < 0 ? add_slot(c, x, OX_RS_ATTR, x->name) : i;
        return x->slot < 0 ? -1 : 0;
    }
    case OX_RX_OP: return check_pattern_op(c, x, 1);
    case OX_RX_ALT:
        for (int i = 0; i < x->n_args; i++)
            if (check_pattern(c, x->args[i])) return -1;
        return 0;
    case OX_RX_ANY:
    case OX_RX_INT:
    case OX_RX_FLOAT:
    case OX_RX_STRING: return 0;
    case OX_RX_LIST:
    case OX_RX_INDEX:
    case OX_RX_SLICE:
    case OX_RX_RANGE:
    case OX_RX_CALL: return check_expr(c, x, false);
    default: return FAIL(c, x, "this has no meaning in a match");
    }
}

/* The definitions a pattern speaks of, each marked; -1 on a cycle. state: 0 new, 1 open, 2 done. */
static int follow(checker *c, const ox_rx *x, char *state, bool *inner) {
    if (x->kind == OX_RX_NAME && x->slot >= 0) {
        int d = c->r->slots[x->slot].def;
        if (d < 0 || x->list) return 0;
        inner[d] = true;
        if (state[d] == 1) return FAIL(c, x, "'%s' is made of itself", x->name);
        if (state[d] == 2) return 0;
        state[d] = 1;
        if (follow(c, c->r->match[d].x, state, inner)) return -1;
        state[d] = 2;
        return 0;
    }
    for (int i = 0; i < x->n_args; i++)
        if (x->args[i] && follow(c, x->args[i], state, inner)) return -1;
    for (int i = 0; i < x->n_params; i++)
        if (follow(c, x->params[i].x, state, inner)) return -1;
    return 0;
}

static int check_match(checker *c) {
    ox_rule *r = c->r;
    if (!r->n_match) return ox_rule_fail(c->ctx, r, r->line, r->column, "the match is empty");
    for (int i = 0; i < r->n_match; i++) {
        ox_rstmt *s = &r->match[i];
        ox_rx at = {.line = s->line, .column = s->column};
        if (s->n_names > 1 && s->x->kind != OX_RX_OP) return FAIL(c, &at, "several names need one operator");
        if (s->x->kind != OX_RX_OP && s->x->kind != OX_RX_ALT) return FAIL(c, &at, "'%s' must be made by an operator", s->names[0]);
        for (int k = 0; k < s->n_names; k++) {
            if (find_name(c, s->names[k]) >= 0) return FAIL(c, &at, "'%s' is defined twice", s->names[k]);
            if ((s->slots[k] = add_slot(c, &at, OX_RS_VALUE, s->names[k])) < 0) return -1;
            r->slots[s->slots[k]].def = i;
            r->slots[s->slots[k]].def_out = k;
        }
    }
    for (int i = 0; i < r->n_match; i++) {
        ox_rx *x = r->match[i].x;
        if (x->kind == OX_RX_OP ? check_pattern_op(c, x, r->match[i].n_names) : check_pattern(c, x)) return -1;
    }
    return 0;
}

/* ---- guards ---- */

static int check_type(checker *c, ox_rx *x) {
    ox_dtype t = ox_dtype_from_name(x->name, strlen(x->name));
    if (t != OX_UNDEFINED) x->i = t;
    else if (name_slot(c, x, OX_RS_TYPE)) return -1;
    if (check_name(c, x->args[0], false)) return -1;
    if (x->args[0]->kind != OX_RX_NAME || c->r->slots[x->args[0]->slot].kind != OX_RS_VALUE)
        return FAIL(c, x->args[0], "a type is of a value");
    for (int i = 1; i < x->n_args; i++)
        if (x->args[i]->kind == OX_RX_NAME && name_slot(c, x->args[i], OX_RS_DIM)) return -1;
    return 0;
}

static bool is_truth(const ox_rx *x) {
    switch (x->kind) {
    case OX_RX_CMP:
    case OX_RX_AND:
    case OX_RX_OR:
    case OX_RX_NOT:
    case OX_RX_IN:
    case OX_RX_TYPE:
    case OX_RX_CALL: return true;
    default: return false;
    }
}

static int check_guards(checker *c) {
    for (int i = 0; i < c->r->n_guards; i++) {
        ox_rx *g = c->r->guards[i];
        if (!is_truth(g)) return FAIL(c, g, "this is not a condition");
        if (g->kind == OX_RX_TYPE ? check_type(c, g) : check_expr(c, g, false)) return -1;
    }
    return 0;
}

/* ---- the rewrite ---- */

static bool is_const(const checker *c, const ox_rx *x) {
    switch (x->kind) {
    case OX_RX_NAME: return x->fresh ? c->fresh_const[x->slot] : c->is_const[x->slot];
    case OX_RX_OP:
    case OX_RX_ELSE:
    case OX_RX_INDEX:
    case OX_RX_SLICE:
        for (int i = 0; i < x->n_args; i++)
            if (x->args[i] && !is_const(c, x->args[i])) return false;
        for (int i = 0; i < x->n_params; i++)
            if (!is_const(c, x->params[i].x)) return false;
        return true;
    default: return true;
    }
}

static int count_ops(const checker *c, const ox_rx *x, bool build, bool most) {
    if (build && is_const(c, x)) return 0;
    int n = x->kind == OX_RX_OP;
    if (x->kind == OX_RX_ALT || x->kind == OX_RX_ELSE) {
        for (int i = 0, k; i < x->n_args; i++)
            if (k = count_ops(c, x->args[i], build, most), !i || (most ? k > n : k < n)) n = k;
        return n;
    }
    for (int i = 0; i < x->n_args; i++)
        if (x->args[i]) n += count_ops(c, x->args[i], build, most);
    for (int i = 0; i < x->n_params; i++) n += count_ops(c, x->params[i].x, build, most);
    return n;
}

static void note_constants(checker *c) {
    c->is_const = OX_NEW_N(c->arena, bool, c->r->n_slots + 1);
    for (int i = 0; i < c->r->n_slots; i++) {
        ox_rslot_kind k = c->r->slots[i].kind;
        c->is_const[i] = k == OX_RS_ATTR || k == OX_RS_DIM || k == OX_RS_TYPE;
    }
    for (int i = 0; i < c->r->n_guards; i++) {
        const ox_rx *g = c->r->guards[i];
        if (g->kind != OX_RX_CALL || strcmp(g->name, "const")) continue;
        for (int k = 0; k < g->n_args; k++)
            if (g->args[k]->kind == OX_RX_NAME && g->args[k]->slot >= 0) c->is_const[g->args[k]->slot] = true;
    }
}

/* What is replaced cannot be used: the new value would be made of itself. */
static int check_replaced(checker *c, const ox_rx *x) {
    if (x->kind == OX_RX_NAME && !x->fresh && x->slot >= 0 && c->r->slots[x->slot].output >= 0)
        return FAIL(c, x, "'%s' is replaced: it cannot be used", x->name);
    for (int i = 0; i < x->n_args && x->kind != OX_RX_CALL; i++)
        if (x->args[i] && check_replaced(c, x->args[i])) return -1;
    for (int i = 0; i < x->n_params; i++)
        if (check_replaced(c, x->params[i].x)) return -1;
    return 0;
}

static int check_rewrite(checker *c, int *ops) {
    ox_rule *r = c->r;
    int total = 0;
    for (int i = 0; i < r->n_rewrite; i++) total += r->rewrite[i].n_names;
    c->fresh = OX_NEW_N(c->arena, ox_sym, total + 1);
    c->fresh_const = OX_NEW_N(c->arena, bool, total + 1);
    c->fresh_used = OX_NEW_N(c->arena, bool, total + 1);
    r->outputs = OX_NEW_N(c->arena, ox_routput, total + 1);
    *ops = 0;
    for (int i = 0; i < r->n_rewrite; i++) {
        ox_rstmt *s = &r->rewrite[i];
        ox_rx at = {.line = s->line, .column = s->column};
        if (check_expr(c, s->x, true)) return -1;
        if (s->n_names > 1 && s->x->kind != OX_RX_OP) return FAIL(c, &at, "several names need one operator");
        if (s->n_names > 1 && s->x->sig && s->n_names > s->x->sig->max_out)
            return FAIL(c, &at, "%s has at most %d outputs, %d named", s->x->name, s->x->sig->max_out, s->n_names);
        *ops += count_ops(c, s->x, true, true);
        for (int k = 0; k < s->n_names; k++) {
            for (int j = 0; j < c->n_fresh; j++)
                if (c->fresh[j] == s->names[k]) return FAIL(c, &at, "'%s' is defined twice", s->names[k]);
            int slot = find_name(c, s->names[k]);
            if (slot >= 0 && r->slots[slot].def < 0) return FAIL(c, &at, "'%s' is an input of the match", s->names[k]);
            if (slot >= 0) {
                r->slots[slot].output = r->n_outputs;
                r->outputs[r->n_outputs++] = (ox_routput){slot, c->n_fresh};
            }
            c->fresh_used[c->n_fresh] = slot >= 0;
            c->fresh_const[c->n_fresh] = is_const(c, s->x);
            c->fresh[c->n_fresh++] = s->names[k];
        }
    }
    r->n_fresh = c->n_fresh;
    for (int i = 0, k = 0; i < r->n_rewrite; i++)
        for (int j = 0; j < r->rewrite[i].n_names; j++, k++) {
            ox_rx at = {.line = r->rewrite[i].line, .column = r->rewrite[i].column};
            r->rewrite[i].slots[j] = k;
            if (!c->fresh_used[k]) return FAIL(c, &at, "'%s' is made but not used", c->fresh[k]);
        }
    for (int i = 0; i < r->n_rewrite; i++)
        if (check_replaced(c, r->rewrite[i].x)) return -1;
    if (!r->n_outputs) return ox_rule_fail(c->ctx, r, r->line, r->column, "no name is defined on both sides: nothing is replaced");
    return 0;
}

/* ---- the root ---- */

static int add_root_ops(checker *c, const ox_rx *x, size_t *cap) {
    if (x->kind == OX_RX_ALT) {
        for (int i = 0; i < x->n_args; i++)
            if (add_root_ops(c, x->args[i], cap)) return -1;
        return 0;
    }
    if (x->kind != OX_RX_OP) return FAIL(c, x, "the output of a match must be made by an operator");
    size_t n = (size_t)c->r->n_root_ops;
    int members = x->ops ? x->ops->n : 1;
    for (int i = 0; i < members; i++) {
        ox_sym name = x->ops ? x->ops->members[i] : x->name;
        if (x->domain[0]) name = ox_intern(c->ctx, ox_format(c->arena, "%s::%s", x->domain, name));
        bool there = false;
        for (size_t k = 0; k < n; k++) there |= c->r->root_ops[k] == name;
        if (!there) OX_PUSH(c->arena, c->r->root_ops, n, *cap, name);
    }
    c->r->n_root_ops = (int)n;
    return 0;
}

/* The root is the last output that no other definition is made of; all definitions must be reached from outputs. */
static int check_outputs(checker *c) {
    ox_rule *r = c->r;
    char *state = OX_NEW_N(c->arena, char, r->n_match);
    bool *inner = OX_NEW_N(c->arena, bool, r->n_match);
    for (int i = 0; i < r->n_match; i++) {
        if (state[i]) continue;
        state[i] = 1;
        if (follow(c, r->match[i].x, state, inner)) return -1;
        state[i] = 2;
    }
    r->root = -1;
    for (int i = 0; i < r->n_outputs; i++) {
        int d = r->slots[r->outputs[i].slot].def;
        if (!inner[d] && (r->root < 0 || d >= r->slots[r->outputs[r->root].slot].def)) r->root = i;
    }
    for (int i = 0; i < r->n_match; i++) {
        bool output = inner[i];
        for (int k = 0; k < r->match[i].n_names; k++) output |= r->slots[r->match[i].slots[k]].output >= 0;
        ox_rx at = {.line = r->match[i].line, .column = r->match[i].column};
        if (!output) return FAIL(c, &at, "'%s' does not lead to an output", r->match[i].names[0]);
    }
    if (r->root < 0) return ox_rule_fail(c->ctx, r, r->line, r->column, "no output stands at the end of the match");
    size_t cap = 0;
    return add_root_ops(c, r->match[r->slots[r->outputs[r->root].slot].def].x, &cap);
}

int ox_rule_check(ox_ctx *ctx, ox_rule *rule) {
    checker c = {.ctx = ctx, .arena = ctx->arena, .r = rule};
    if (check_match(&c) || check_guards(&c)) return -1;
    note_constants(&c);
    int made, least = 0;
    if (check_rewrite(&c, &made) || check_outputs(&c)) return -1;
    for (int i = 0; i < rule->n_match; i++) {
        rule->size += count_ops(&c, rule->match[i].x, false, true);
        least += count_ops(&c, rule->match[i].x, false, false) - rule->match[i].keep;
    }
    if (made > least && !rule->expand)
        return ox_rule_fail(ctx, rule, rule->line, rule->column, "makes %d nodes of %d: such a rule must say 'expand'", made, least);
    if (rule->since && rule->until && rule->since > rule->until)
        return ox_rule_fail(ctx, rule, rule->line, rule->column, "since %lld until %lld holds never", (long long)rule->since, (long long)rule->until);
    return 0;
}

/* ---- sets ---- */

/* Operators and functions of the body of a def; what its names are is known where it is used. */
static int check_body(checker *c, ox_rx *x) {
    if (x->kind == OX_RX_OP && check_op(c, x, false, 0)) return -1;
    if (x->kind == OX_RX_CALL && check_call(c, x)) return -1;
    for (int i = 0; i < x->n_args; i++)
        if (x->args[i] && check_body(c, x->args[i])) return -1;
    for (int i = 0; i < x->n_params; i++)
        if (check_body(c, x->params[i].x)) return -1;
    return 0;
}

static int check_defs(ox_ctx *ctx, ox_ruleset *set) {
    for (size_t i = 0; i < set->n_defs; i++) {
        checker c = {.ctx = ctx, .arena = ctx->arena, .r = &set->defs[i]};
        if (check_body(&c, set->defs[i].rewrite->x)) return -1;
    }
    for (size_t i = 0; i < set->n_ops; i++) {
        ox_rule at = {.file = set->file, .name = set->ops[i]->name, .is_def = true};
        checker c = {.ctx = ctx, .arena = ctx->arena, .r = &at};
        for (int k = 0; k < set->ops[i]->n; k++)
            if (!newest(&c, set->ops[i]->places[k], set->ops[i]->members[k])) return unknown_op(&c, set->ops[i]->places[k], set->ops[i]->members[k]);
    }
    return 0;
}

const ox_ruleset *ox_rules_parse(ox_ctx *ctx, const char *text, size_t len, const char *file) { return ox_rules_parse_at(ctx, text, len, file, 1); }

const ox_ruleset *ox_rules_parse_at(ox_ctx *ctx, const char *text, size_t len, const char *file, int line) {
    ox_ruleset *set = ox_rules_read(ctx, text, len, file, line);
    if (!set || check_defs(ctx, set)) return NULL;
    ox_map names;
    ox_map_init(&names, ctx->arena);
    for (size_t i = 0; i < set->n; i++) {
        ox_rule *r = set->rules[i];
        const ox_rule *same = ox_map_get(&names, r->name);
        if (same) return ox_rule_fail(ctx, r, r->line, r->column, "the name is used in line %d", same->line), NULL;
        ox_map_put(&names, r->name, r);
        if (ox_rule_check(ctx, r)) return NULL;
    }
    return set;
}
