/* Text of rules to trees. Nothing is known of operators here; rule_check.c knows.
 *
 * Binding strength, weakest first:  |  ??  ||  &&  == != < <= > >= in  ..  + -  * / %  - !  [..] ? ...
 * "Name<" is the start of attributes only when nothing stands between, so that "W < 3" stays a comparison. */
#include "passes/rule.h"
#include "base/lex.h"

#include <ctype.h>

typedef struct rdef {
    ox_sym name;
    int line, column;
    ox_sym *params;
    int n_params;
    ox_rx *body;
} rdef;

typedef struct parser {
    ox_lexer lx;
    ox_ctx *ctx;
    ox_arena *arena;
    const char *text, *end;
    ox_map defs, ops; /* by name */
    ox_ruleset *set;
    size_t cap_defs, cap_ops;
    int depth;
    int trees;        /* of the present rule or def */
    bool in_guard;
} parser;

static ox_rx *parse_alt(parser *p);
static ox_rx *parse_else(parser *p);
static ox_rx *parse_range(parser *p);

/* Fails at a place that was passed already. */
#define FAIL_AT(p, at_line, at_column, ...)                                                                                                        \
    do {                                                                                                                                           \
        ox_lexer there = (p)->lx;                                                                                                                  \
        there.line = (at_line);                                                                                                                    \
        there.column = (at_column);                                                                                                                \
        ox_lex_fail(&there, __VA_ARGS__);                                                                                                          \
    } while (0)

/* ---- making trees ---- */

static ox_rx *tree_at(parser *p, ox_rx_kind kind, int line, int column) {
    if (++p->trees > OX_RULE_TREES) {
        ox_lex_fail(&p->lx, "the rule is too large");
        return NULL;
    }
    ox_rx *x = OX_NEW(p->arena, ox_rx);
    x->kind = kind;
    x->line = line;
    x->column = column;
    x->slot = x->set_slot = -1;
    x->depth = 1;
    return x;
}

static ox_rx *tree(parser *p, ox_rx_kind kind) { return tree_at(p, kind, p->lx.line, p->lx.column); }

/* Takes the arguments over; bounds the depth, for chains like a + b + c + ... grow without nesting. */
static ox_rx *with_args(parser *p, ox_rx *x, int n, ox_rx *const *args) {
    if (!x) return NULL;
    x->args = OX_NEW_N(p->arena, ox_rx *, n ? n : 1);
    x->n_args = n;
    for (int i = 0; i < n; i++) {
        x->args[i] = args[i];
        if (args[i] && args[i]->depth >= x->depth) x->depth = args[i]->depth + 1;
    }
    if (x->depth > OX_RULE_DEPTH) {
        ox_lex_fail(&p->lx, "nested deeper than %d", OX_RULE_DEPTH);
        return NULL;
    }
    return x;
}

static ox_rx *binary(parser *p, ox_rx_kind kind, ox_rx *a, ox_rx *b) {
    if (!a || !b) return NULL;
    return with_args(p, tree_at(p, kind, a->line, a->column), 2, (ox_rx *[]){a, b});
}

static ox_rx *infix(parser *p, const char *op, ox_rx *a, ox_rx *b) {
    ox_rx *x = binary(p, OX_RX_OP, a, b);
    if (x) x->name = ox_intern(p->ctx, op), x->domain = ox_intern(p->ctx, "");
    return x;
}

static ox_rx *prefix(parser *p, const char *op, ox_rx *a) {
    ox_rx *x = a ? with_args(p, tree_at(p, OX_RX_OP, a->line, a->column), 1, &a) : NULL;
    if (x) x->name = ox_intern(p->ctx, op), x->domain = ox_intern(p->ctx, "");
    return x;
}

/* A copy of a def's body with arguments in the place of parameters. */
static ox_rx *substitute(parser *p, const ox_rx *x, const rdef *d, ox_rx *const *args) {
    if (!x) return NULL;
    if (x->kind == OX_RX_NAME)
        for (int i = 0; i < d->n_params; i++)
            if (x->name == d->params[i]) {
                if (!x->optional && !x->list) return args[i];
                if (args[i]->kind != OX_RX_NAME) {
                    FAIL_AT(p, args[i]->line, args[i]->column, "argument '%s' of %s must be a name", d->params[i], d->name);
                    return NULL;
                }
                ox_rx *c = tree_at(p, OX_RX_NAME, args[i]->line, args[i]->column);
                if (c) c->name = args[i]->name, c->optional = x->optional, c->list = x->list;
                return c;
            }
    ox_rx *c = tree_at(p, x->kind, x->line, x->column);
    if (!c) return NULL;
    ox_rx **sub = OX_NEW_N(p->arena, ox_rx *, x->n_args + 1);
    ox_rparam *params = OX_NEW_N(p->arena, ox_rparam, x->n_params + 1);
    int depth = x->depth;
    for (int i = 0; i < x->n_args; i++)
        if (x->args[i] && !(sub[i] = substitute(p, x->args[i], d, args))) return NULL;
    for (int i = 0; i < x->n_params; i++) {
        params[i].name = x->params[i].name;
        if (!(params[i].x = substitute(p, x->params[i].x, d, args))) return NULL;
        if (params[i].x->depth >= depth) depth = params[i].x->depth + 1;
    }
    *c = *x;
    c->params = params;
    c->depth = depth;
    return with_args(p, c, x->n_args, sub);
}

/* ---- expressions ---- */

static bool enter(parser *p) {
    if (++p->depth <= OX_RULE_DEPTH) return true;
    ox_lex_fail(&p->lx, "nested deeper than %d", OX_RULE_DEPTH);
    return false;
}

static ox_sym ident(parser *p, const char *what) {
    if (p->lx.tok != OX_T_IDENT) {
        if (!p->lx.failed) ox_lex_fail(&p->lx, "expected %s", what);
        return NULL;
    }
    ox_sym s = ox_intern_n(p->ctx, p->lx.text, p->lx.len);
    return ox_lex_next(&p->lx) ? NULL : s;
}

static ox_rx *parse_number(parser *p, bool negative) {
    ox_rx *x = tree(p, p->lx.tok == OX_T_INT ? OX_RX_INT : OX_RX_FLOAT);
    if (!x) return NULL;
    x->f = negative ? -p->lx.float_value : p->lx.float_value;
    if (x->kind == OX_RX_INT) {
        uint64_t u = p->lx.int_value;
        if (u > (uint64_t)INT64_MAX) {
            if (!negative || u > (uint64_t)INT64_MAX + 1) {
                ox_lex_fail(&p->lx, "the integer is too large");
                return NULL;
            }
            x->i = INT64_MIN;
        } else {
            x->i = negative ? -(int64_t)u : (int64_t)u;
        }
    }
    return ox_lex_next(&p->lx) ? NULL : x;
}

/* What stands between "(" and ")": positional and named. */
static ox_rx *parse_arguments(parser *p, ox_rx *x, size_t cap_params) {
    ox_rx **args = NULL;
    size_t n = 0, cap = 0, n_params = (size_t)x->n_params;
    while (!ox_lex_is(&p->lx, ")")) {
        ox_sym name = NULL;
        if (p->lx.tok == OX_T_IDENT) {
            ox_lexer back = p->lx;
            name = ident(p, "a name");
            if (!name) return NULL;
            if (!ox_lex_accept(&p->lx, "=")) {
                p->lx = back;
                name = NULL;
            }
        }
        ox_rx *a = ox_lex_is(&p->lx, "*") ? tree(p, OX_RX_ANY) : parse_alt(p);
        if (!a || (ox_lex_is(&p->lx, "*") && ox_lex_next(&p->lx))) return NULL;
        if (name) {
            OX_PUSH(p->arena, x->params, n_params, cap_params, ((ox_rparam){name, a}));
            if (a->depth >= x->depth) x->depth = a->depth + 1;
        } else {
            OX_PUSH(p->arena, args, n, cap, a);
        }
        if (!ox_lex_accept(&p->lx, ",")) break;
    }
    x->n_params = (int)n_params;
    if (p->lx.failed || ox_lex_expect(&p->lx, ")")) return NULL;
    return with_args(p, x, (int)n, args);
}

/* "<name=$v, name=*, ..c>" */
static bool parse_attributes(parser *p, ox_rx *x, size_t *cap) {
    size_t n = 0;
    while (!ox_lex_is(&p->lx, ">")) {
        if (ox_lex_accept(&p->lx, "..")) {
            if (x->set) return ox_lex_fail(&p->lx, "a second '..'"), false;
            if (!(x->set = ident(p, "a name after '..'"))) return false;
        } else {
            ox_rparam q = {ident(p, "the name of an attribute"), NULL};
            if (!q.name || ox_lex_expect(&p->lx, "=")) return false;
            if (ox_lex_is(&p->lx, "*")) {
                if (!(q.x = tree(p, OX_RX_ANY)) || ox_lex_next(&p->lx)) return false;
            } else if (!(q.x = parse_else(p))) {
                return false;
            }
            OX_PUSH(p->arena, x->params, n, *cap, q);
            if (q.x->depth >= x->depth) x->depth = q.x->depth + 1;
        }
        if (!ox_lex_accept(&p->lx, ",")) break;
    }
    x->n_params = (int)n;
    return !p->lx.failed && !ox_lex_expect(&p->lx, ">");
}

static ox_rx *parse_op(parser *p, ox_sym domain, ox_sym name, int line, int column) {
    ox_rx *x = tree_at(p, OX_RX_OP, line, column);
    if (!x) return NULL;
    x->name = name;
    x->domain = domain;
    if (!domain[0]) x->ops = ox_map_get(&p->ops, name);
    size_t cap = 0;
    bool in_guard = p->in_guard;
    p->in_guard = false; /* ">" ends the attributes */
    if (ox_lex_accept(&p->lx, "<") && !parse_attributes(p, x, &cap)) return NULL;
    if (p->lx.failed || ox_lex_expect(&p->lx, "(")) return NULL;
    x = parse_arguments(p, x, cap);
    p->in_guard = in_guard;
    return x;
}

static ox_rx *parse_call(parser *p, ox_sym name, int line, int column) {
    ox_rx *x = tree_at(p, OX_RX_CALL, line, column);
    if (!x) return NULL;
    x->name = name;
    if (ox_lex_expect(&p->lx, "(") || !(x = parse_arguments(p, x, 0))) return NULL;
    const rdef *d = ox_map_get(&p->defs, name);
    if (x->n_params) {
        FAIL_AT(p, line, column, "%s() takes no named arguments", name);
        return NULL;
    }
    if (!d) return x;
    if (d->n_params == x->n_args) return substitute(p, d->body, d, x->args);
    FAIL_AT(p, line, column, "%s() takes %d arguments, %d given", name, d->n_params, x->n_args);
    return NULL;
}

/* A name, a name with its mark, or what begins with one. */
static ox_rx *parse_named(parser *p) {
    int line = p->lx.line, column = p->lx.column;
    const char *after = p->lx.text + p->lx.len;
    ox_sym name = ident(p, "a name");
    if (!name) return NULL;
    if (ox_lex_is(&p->lx, ".") && p->lx.text == after) { /* com.microsoft.Gelu */
        ox_text domain = {.arena = p->arena};
        ox_sym last = name;
        while (ox_lex_accept(&p->lx, ".")) {
            if (domain.len) ox_text_add(&domain, ".");
            ox_text_add(&domain, last);
            if (!(last = ident(p, "the name of an operator"))) return NULL;
        }
        return parse_op(p, ox_intern(p->ctx, domain.data), last, line, column);
    }
    bool adjacent = p->lx.text == after && p->lx.tok == OX_T_PUNCT;
    bool upper = name[0] >= 'A' && name[0] <= 'Z';
    if (adjacent && upper && (ox_lex_is(&p->lx, "(") || ox_lex_is(&p->lx, "<")))
        return parse_op(p, ox_intern(p->ctx, ""), name, line, column);
    if (adjacent && !upper && ox_lex_is(&p->lx, "(")) return parse_call(p, name, line, column);
    ox_rx *x = tree_at(p, strcmp(name, "_") ? OX_RX_NAME : OX_RX_ANY, line, column);
    if (x) x->name = name;
    return x;
}

static ox_rx *parse_list(parser *p) {
    ox_rx *x = tree(p, OX_RX_LIST);
    ox_rx **args = NULL;
    size_t n = 0, cap = 0;
    if (!x || ox_lex_expect(&p->lx, "[")) return NULL;
    while (!ox_lex_is(&p->lx, "]")) {
        ox_rx *a;
        if (ox_lex_is(&p->lx, "..")) {
            ox_rx *s = tree(p, OX_RX_SPLICE);
            if (!s || ox_lex_next(&p->lx) || !(a = parse_else(p)) || !(a = with_args(p, s, 1, &a))) return NULL;
        } else if (!(a = parse_else(p))) {
            return NULL;
        }
        OX_PUSH(p->arena, args, n, cap, a);
        if (!ox_lex_accept(&p->lx, ",")) break;
    }
    if (p->lx.failed || ox_lex_expect(&p->lx, "]")) return NULL;
    return with_args(p, x, (int)n, args);
}

static ox_rx *parse_primary(parser *p) {
    ox_lexer *lx = &p->lx;
    ox_rx *x = NULL;
    switch (lx->tok) {
    case OX_T_INT:
    case OX_T_FLOAT: return parse_number(p, false);
    case OX_T_STRING:
        if (memchr(lx->text, 0, lx->len) || ox_utf8_prefix(lx->text, lx->len) != lx->len) {
            ox_lex_fail(lx, "a NUL byte or invalid UTF-8 in a text");
            return NULL;
        }
        x = tree(p, OX_RX_STRING);
        if (x) x->name = ox_intern_n(p->ctx, lx->text, lx->len);
        return ox_lex_next(lx) ? NULL : x;
    case OX_T_IDENT: return parse_named(p);
    default: break;
    }
    if (ox_lex_is(lx, "$")) {
        if (!(x = tree(p, OX_RX_ATTR)) || ox_lex_next(lx)) return NULL;
        x->name = ident(p, "a name after '$'");
        return x->name ? x : NULL;
    }
    if (ox_lex_is(lx, "[")) return parse_list(p);
    if (ox_lex_accept(lx, "(")) {
        x = parse_alt(p);
        return !x || ox_lex_expect(lx, ")") ? NULL : x;
    }
    if (!lx->failed) ox_lex_fail(lx, "expected an expression");
    return NULL;
}

static ox_rx *parse_subscript(parser *p, ox_rx *x) {
    ox_rx *from = NULL, *to = NULL;
    bool slice = false;
    if (ox_lex_expect(&p->lx, "[")) return NULL;
    if (!ox_lex_is(&p->lx, "..") && !(from = parse_else(p))) return NULL;
    if (from && from->kind == OX_RX_RANGE) { /* "a..b" was read as a range */
        slice = true;
        to = from->args[1];
        from = from->args[0];
    } else if (ox_lex_accept(&p->lx, "..")) {
        slice = true;
        if (!ox_lex_is(&p->lx, "]") && !(to = parse_else(p))) return NULL;
    }
    if (p->lx.failed || ox_lex_expect(&p->lx, "]")) return NULL;
    if (!slice) return binary(p, OX_RX_INDEX, x, from);
    return with_args(p, tree_at(p, OX_RX_SLICE, x->line, x->column), 3, (ox_rx *[]){x, from, to});
}

static ox_rx *parse_postfix(parser *p) {
    ox_rx *x = parse_primary(p);
    while (x && !p->lx.failed) {
        bool name = x->kind == OX_RX_NAME || x->kind == OX_RX_ATTR || x->kind == OX_RX_ANY;
        if (ox_lex_is(&p->lx, "[") && !isspace((unsigned char)p->lx.text[-1])) {
            x = parse_subscript(p, x);
        } else if (name && ox_lex_is(&p->lx, "?")) {
            x->optional = true;
            if (ox_lex_next(&p->lx)) return NULL;
        } else if (name && x->kind != OX_RX_ATTR && ox_lex_is(&p->lx, "...")) {
            x->list = true;
            if (ox_lex_next(&p->lx)) return NULL;
        } else {
            return x;
        }
    }
    return p->lx.failed ? NULL : x;
}

static ox_rx *parse_unary(parser *p) {
    if (!enter(p)) return NULL;
    ox_rx *x;
    if (ox_lex_accept(&p->lx, "-")) {
        if (p->lx.tok == OX_T_INT || p->lx.tok == OX_T_FLOAT) x = parse_number(p, true);
        else x = prefix(p, "Neg", parse_unary(p));
    } else if (ox_lex_accept(&p->lx, "!")) {
        ox_rx *a = parse_unary(p);
        if (p->in_guard) x = a ? with_args(p, tree_at(p, OX_RX_NOT, a->line, a->column), 1, &a) : NULL;
        else x = prefix(p, "Not", a);
    } else {
        x = parse_postfix(p);
    }
    p->depth--;
    return x;
}

static ox_rx *parse_product(parser *p) {
    ox_rx *x = parse_unary(p);
    while (x && !p->lx.failed) {
        const char *op = ox_lex_is(&p->lx, "*") ? "Mul" : ox_lex_is(&p->lx, "/") ? "Div" : ox_lex_is(&p->lx, "%") ? "Mod" : NULL;
        if (!op) return x;
        if (ox_lex_next(&p->lx)) return NULL;
        x = infix(p, op, x, parse_unary(p));
    }
    return p->lx.failed ? NULL : x;
}

static ox_rx *parse_sum(parser *p) {
    ox_rx *x = parse_product(p);
    while (x && !p->lx.failed) {
        const char *op = ox_lex_is(&p->lx, "+") ? "Add" : ox_lex_is(&p->lx, "-") ? "Sub" : NULL;
        if (!op) return x;
        if (ox_lex_next(&p->lx)) return NULL;
        x = infix(p, op, x, parse_product(p));
    }
    return p->lx.failed ? NULL : x;
}

static ox_rx *parse_range(parser *p) {
    ox_rx *x = parse_sum(p);
    if (!x || !ox_lex_is(&p->lx, "..")) return x;
    ox_lexer back = p->lx;
    if (ox_lex_next(&p->lx)) return NULL;
    if (ox_lex_is(&p->lx, "]")) { /* the open end of a slice */
        p->lx = back;
        return x;
    }
    return binary(p, OX_RX_RANGE, x, parse_sum(p));
}

static ox_rx *parse_in(parser *p, ox_rx *x) {
    ox_rx **args = NULL;
    size_t n = 0, cap = 0;
    OX_PUSH(p->arena, args, n, cap, x);
    if (ox_lex_expect(&p->lx, "{")) return NULL;
    do {
        ox_rx *a = parse_range(p);
        if (!a) return NULL;
        OX_PUSH(p->arena, args, n, cap, a);
    } while (ox_lex_accept(&p->lx, ","));
    if (p->lx.failed || ox_lex_expect(&p->lx, "}")) return NULL;
    return with_args(p, tree_at(p, OX_RX_IN, x->line, x->column), (int)n, args);
}

static ox_rx *parse_comparison(parser *p) {
    static const struct {
        const char *text, *op;
        ox_rcmp cmp;
    } rows[] = {{"==", "Equal", OX_RC_EQ},      {"!=", NULL, OX_RC_NE},  {"<=", "LessOrEqual", OX_RC_LE},
                {">=", "GreaterOrEqual", OX_RC_GE}, {"<", "Less", OX_RC_LT}, {">", "Greater", OX_RC_GT}};
    ox_rx *x = parse_range(p);
    if (!x || p->lx.failed) return NULL;
    if (p->in_guard && ox_lex_accept(&p->lx, "in")) return parse_in(p, x);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!ox_lex_is(&p->lx, rows[i].text)) continue;
        if (!p->in_guard && rows[i].cmp == OX_RC_GT) return x; /* the end of attributes */
        if (ox_lex_next(&p->lx)) return NULL;
        ox_rx *y = parse_range(p);
        if (p->in_guard) {
            ox_rx *c = binary(p, OX_RX_CMP, x, y);
            if (c) c->cmp = rows[i].cmp;
            return c;
        }
        if (!rows[i].op) return prefix(p, "Not", infix(p, "Equal", x, y));
        return infix(p, rows[i].op, x, y);
    }
    return x;
}

static ox_rx *parse_and(parser *p) {
    ox_rx *x = parse_comparison(p);
    while (x && ox_lex_accept(&p->lx, "&&")) {
        ox_rx *y = parse_comparison(p);
        x = p->in_guard ? binary(p, OX_RX_AND, x, y) : infix(p, "And", x, y);
    }
    return p->lx.failed ? NULL : x;
}

static ox_rx *parse_or(parser *p) {
    ox_rx *x = parse_and(p);
    while (x && ox_lex_accept(&p->lx, "||")) {
        ox_rx *y = parse_and(p);
        x = p->in_guard ? binary(p, OX_RX_OR, x, y) : infix(p, "Or", x, y);
    }
    return p->lx.failed ? NULL : x;
}

static ox_rx *parse_else(parser *p) {
    ox_rx *x = parse_or(p);
    while (x && ox_lex_accept(&p->lx, "??")) x = binary(p, OX_RX_ELSE, x, parse_or(p));
    return p->lx.failed ? NULL : x;
}

static ox_rx *parse_alt(parser *p) {
    if (!enter(p)) return NULL;
    ox_rx **args = NULL;
    size_t n = 0, cap = 0;
    int line = p->lx.line, column = p->lx.column;
    do {
        ox_rx *a = parse_else(p);
        if (!a) return NULL;
        OX_PUSH(p->arena, args, n, cap, a);
    } while (ox_lex_accept(&p->lx, "|"));
    p->depth--;
    if (p->lx.failed) return NULL;
    return n == 1 ? args[0] : with_args(p, tree_at(p, OX_RX_ALT, line, column), (int)n, args);
}

/* ---- guards ---- */

/* Are we at "T[..] x" or "T x"? Looks ahead and puts the position back. */
static bool at_type(parser *p) {
    if (p->lx.tok != OX_T_IDENT) return false;
    ox_lexer back = p->lx;
    bool yes = false;
    if (!ox_lex_next(&p->lx)) {
        if (ox_lex_is(&p->lx, "[")) {
            int open = 0;
            do {
                if (ox_lex_is(&p->lx, "[")) open++;
                if (ox_lex_is(&p->lx, "]")) open--;
            } while (!ox_lex_next(&p->lx) && open > 0 && p->lx.tok != OX_T_END);
        }
        yes = p->lx.tok == OX_T_IDENT && !ox_lex_is(&p->lx, "in") && !ox_lex_is(&p->lx, "rewrite");
    }
    if (p->lx.failed) ox_clear_error(p->ctx);
    p->lx = back;
    return yes;
}

static ox_rx *parse_type(parser *p) {
    ox_rx *x = tree(p, OX_RX_TYPE);
    ox_rx **dims = NULL;
    size_t n = 0, cap = 0;
    if (!x || !(x->name = ident(p, "a type"))) return NULL;
    OX_PUSH(p->arena, dims, n, cap, NULL); /* place of the name */
    if (ox_lex_accept(&p->lx, "[")) {
        x->has_shape = true;
        while (!ox_lex_is(&p->lx, "]")) {
            ox_rx *d = NULL;
            if (ox_lex_is(&p->lx, "?")) {
                d = tree(p, OX_RX_ANY);
                if (ox_lex_next(&p->lx)) return NULL;
            } else if (p->lx.tok == OX_T_INT) {
                d = parse_number(p, false);
            } else {
                d = tree(p, OX_RX_NAME);
                if (d && !(d->name = ident(p, "a dimension"))) return NULL;
            }
            if (!d) return NULL;
            OX_PUSH(p->arena, dims, n, cap, d);
            if (!ox_lex_accept(&p->lx, ",")) break;
        }
        if (p->lx.failed || ox_lex_expect(&p->lx, "]")) return NULL;
    }
    ox_rx *v = tree(p, OX_RX_NAME);
    if (!v || !(v->name = ident(p, "a name after the type"))) return NULL;
    dims[0] = v;
    return with_args(p, x, (int)n, dims);
}

static int parse_guards(parser *p, ox_rule *r) {
    size_t n = 0, cap = 0;
    p->in_guard = true;
    do {
        ox_rx *g = at_type(p) ? parse_type(p) : parse_or(p);
        if (!g) return -1;
        OX_PUSH(p->arena, r->guards, n, cap, g);
    } while (ox_lex_accept(&p->lx, ","));
    p->in_guard = false;
    r->n_guards = (int)n;
    return p->lx.failed ? -1 : 0;
}

/* ---- rules ---- */

static int parse_block(parser *p, ox_rstmt **stmts, int *count, bool match) {
    size_t n = 0, cap = 0;
    if (ox_lex_expect(&p->lx, "{")) return -1;
    while (!ox_lex_is(&p->lx, "}")) {
        ox_rstmt s = {.line = p->lx.line, .column = p->lx.column};
        size_t n_names = 0, cap_names = 0;
        if (match && ox_lex_is(&p->lx, "keep")) {
            s.keep = true;
            if (ox_lex_next(&p->lx)) return -1;
        }
        do {
            ox_sym name = ident(p, "a name");
            if (!name) return -1;
            OX_PUSH(p->arena, s.names, n_names, cap_names, name);
        } while (ox_lex_accept(&p->lx, ","));
        if (p->lx.failed || ox_lex_expect(&p->lx, "=")) return -1;
        s.n_names = (int)n_names;
        s.slots = OX_NEW_N(p->arena, int, n_names);
        if (!(s.x = parse_alt(p))) return -1;
        OX_PUSH(p->arena, *stmts, n, cap, s);
    }
    *count = (int)n;
    return ox_lex_expect(&p->lx, "}");
}

/* conv-bn, gelu-2 */
static ox_sym dashed(parser *p, const char *what) {
    ox_text t = {.arena = p->arena};
    ox_sym s = ident(p, what);
    if (!s) return NULL;
    ox_text_add(&t, s);
    while (ox_lex_accept(&p->lx, "-")) {
        if (p->lx.tok != OX_T_IDENT && p->lx.tok != OX_T_INT) {
            ox_lex_fail(&p->lx, "expected a name after '-'");
            return NULL;
        }
        ox_text_add(&t, "-");
        ox_text_add_n(&t, p->lx.text, p->lx.len);
        if (ox_lex_next(&p->lx)) return NULL;
    }
    return p->lx.failed ? NULL : ox_intern(p->ctx, t.data);
}

static int parse_version(parser *p, int64_t *v) {
    if (p->lx.tok != OX_T_INT || p->lx.int_value < 1 || p->lx.int_value > 10000) return ox_lex_fail(&p->lx, "expected an opset");
    *v = (int64_t)p->lx.int_value;
    return ox_lex_next(&p->lx);
}

static int parse_head(parser *p, ox_rule *r) {
    size_t n = 0, cap = 0;
    while (!ox_lex_is(&p->lx, "{")) {
        if (ox_lex_accept(&p->lx, "since")) {
            if (parse_version(p, &r->since)) return -1;
        } else if (ox_lex_accept(&p->lx, "until")) {
            if (parse_version(p, &r->until)) return -1;
        } else if (ox_lex_accept(&p->lx, "expand")) {
            r->expand = true;
        } else if (ox_lex_accept(&p->lx, "for")) {
            do {
                ox_sym s = dashed(p, "a profile");
                if (!s) return -1;
                OX_PUSH(p->arena, r->profiles, n, cap, s);
            } while (ox_lex_accept(&p->lx, ","));
        } else {
            return p->lx.failed ? -1 : ox_lex_fail(&p->lx, "expected 'since', 'until', 'for', 'expand' or '{'");
        }
    }
    r->n_profiles = (int)n;
    return p->lx.failed ? -1 : 0;
}

/* The start of the comment lines right above a line. */
static const char *comment_above(const parser *p, const char *at) {
    while (at > p->text && at[-1] != '\n') at--;
    for (;;) {
        const char *line = at;
        if (line == p->text) return at;
        line--;
        while (line > p->text && line[-1] != '\n') line--;
        if (*line != '#') return at;
        at = line;
    }
}

static ox_rule *parse_rule(parser *p) {
    ox_rule *r = OX_NEW(p->arena, ox_rule);
    const char *start = comment_above(p, p->lx.text);
    p->trees = 0;
    if (ox_lex_expect(&p->lx, "rule")) return NULL;
    r->file = p->lx.file;
    r->line = p->lx.line;
    r->column = p->lx.column;
    if (!(r->name = dashed(p, "the name of the rule")) || parse_head(p, r)) return NULL;
    if (ox_lex_expect(&p->lx, "{") || ox_lex_expect(&p->lx, "match") || parse_block(p, &r->match, &r->n_match, true)) return NULL;
    if (ox_lex_accept(&p->lx, "where") && parse_guards(p, r)) return NULL;
    if (p->lx.failed || ox_lex_expect(&p->lx, "rewrite") || parse_block(p, &r->rewrite, &r->n_rewrite, false)) return NULL;
    if (!ox_lex_is(&p->lx, "}")) return ox_lex_expect(&p->lx, "}"), NULL;
    r->text = start;
    r->text_len = (size_t)(p->lx.text + 1 - start);
    return ox_lex_next(&p->lx) ? NULL : r;
}

/* The body is kept as the rewrite of a rule, for the check. */
static void keep_def(parser *p, const rdef *d) {
    ox_rule r = {.name = d->name, .file = p->lx.file, .line = d->line, .column = d->column, .is_def = true, .n_rewrite = 1};
    r.rewrite = OX_NEW(p->arena, ox_rstmt);
    r.rewrite->x = d->body;
    OX_PUSH(p->arena, p->set->defs, p->set->n_defs, p->cap_defs, r);
}

static int parse_params(parser *p, rdef *d) {
    size_t n = 0, cap = 0;
    do {
        int line = p->lx.line, column = p->lx.column;
        ox_sym s = ident(p, "a parameter");
        if (!s) return -1;
        for (size_t i = 0; i < n; i++)
            if (d->params[i] == s) {
                FAIL_AT(p, line, column, "parameter '%s' stands twice", s);
                return -1;
            }
        if (n == OX_RULE_DEPTH) return ox_lex_fail(&p->lx, "more than %d parameters", OX_RULE_DEPTH);
        OX_PUSH(p->arena, d->params, n, cap, s);
    } while (ox_lex_accept(&p->lx, ","));
    d->n_params = (int)n;
    return p->lx.failed ? -1 : 0;
}

static int parse_def(parser *p) {
    rdef *d = OX_NEW(p->arena, rdef);
    ox_lexer start = p->lx;
    p->trees = 0;
    d->line = start.line;
    d->column = start.column;
    if (!(d->name = ident(p, "the name of the def"))) return -1;
    if (ox_map_has(&p->defs, d->name)) return ox_lex_fail(&start, "def '%s' stands twice", d->name);
    if (d->name[0] >= 'A' && d->name[0] <= 'Z') return ox_lex_fail(&start, "a def begins with a small letter: '%s'", d->name);
    if (ox_lex_expect(&p->lx, "(") || parse_params(p, d)) return -1;
    if (ox_lex_expect(&p->lx, ")") || ox_lex_expect(&p->lx, "=") || !(d->body = parse_alt(p))) return -1;
    ox_map_put(&p->defs, d->name, d);
    keep_def(p, d);
    return 0;
}

static int parse_members(parser *p, ox_rops *o) {
    size_t n = 0, cap = 0, k = 0, cap_places = 0;
    ox_map seen;
    ox_map_init(&seen, p->arena);
    do {
        ox_lexer start = p->lx;
        p->trees = 0;
        ox_rx *place = tree(p, OX_RX_OP);
        if (!(place->name = ident(p, "an operator"))) return -1;
        place->domain = ox_intern(p->ctx, "");
        if (ox_map_has(&seen, place->name)) return ox_lex_fail(&start, "operator '%s' stands twice", place->name);
        ox_map_put(&seen, place->name, place);
        OX_PUSH(p->arena, o->members, n, cap, place->name);
        OX_PUSH(p->arena, o->places, k, cap_places, place);
    } while (ox_lex_accept(&p->lx, "|"));
    o->n = (int)n;
    return p->lx.failed ? -1 : 0;
}

static int parse_ops(parser *p) {
    ox_rops *o = OX_NEW(p->arena, ox_rops);
    ox_lexer start = p->lx;
    if (!(o->name = ident(p, "a name"))) return -1;
    if (ox_map_has(&p->ops, o->name)) return ox_lex_fail(&start, "ops '%s' stands twice", o->name);
    if (o->name[0] < 'A' || o->name[0] > 'Z') return ox_lex_fail(&start, "a name for operators begins with a capital letter: '%s'", o->name);
    if (ox_lex_expect(&p->lx, "=") || parse_members(p, o)) return -1;
    ox_map_put(&p->ops, o->name, o);
    OX_PUSH(p->arena, p->set->ops, p->set->n_ops, p->cap_ops, o);
    return 0;
}

ox_ruleset *ox_rules_read(ox_ctx *ctx, const char *text, size_t len, const char *file, int line) {
    parser p = {.ctx = ctx, .arena = ctx->arena};
    ox_ruleset *set = p.set = OX_NEW(p.arena, ox_ruleset);
    size_t cap = 0;
    set->ctx = ctx;
    set->file = ox_strdup(p.arena, file);
    p.text = ox_dup(p.arena, text, len); /* rules keep pointers into it */
    p.end = p.text + len;
    ox_map_init(&p.defs, p.arena);
    ox_map_init(&p.ops, p.arena);
    if (ox_lex_init_at(&p.lx, ctx, p.arena, p.text, len, set->file, line, OX_CONFIG, "... .. ?? => == != <= >= && ||", "")) return NULL;
    while (p.lx.tok != OX_T_END) {
        if (ox_lex_accept(&p.lx, "def")) {
            if (parse_def(&p)) return NULL;
        } else if (ox_lex_accept(&p.lx, "ops")) {
            if (parse_ops(&p)) return NULL;
        } else if (ox_lex_is(&p.lx, "rule")) {
            ox_rule *r = parse_rule(&p);
            if (!r) return NULL;
            r->index = (int)set->n;
            OX_PUSH(p.arena, set->rules, set->n, cap, r);
        } else {
            if (!p.lx.failed) ox_lex_fail(&p.lx, "expected 'rule', 'def' or 'ops'");
            return NULL;
        }
    }
    return p.lx.failed ? NULL : set;
}
