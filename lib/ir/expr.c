/* Dimension algebra: polynomials with integer weights over atoms, hash-consed so that equal expressions are one
 * pointer.
 *
 * An expression is a constant plus terms; a term is a weight and a product of atoms; an atom is a symbol or floordiv,
 * ceildiv, mod, min, max of two expressions. An atom is an expression as well, whose only term is itself. Canonical
 * form:
 *  - atoms of a product and terms of a sum stand in an order by structure (names, not addresses or age), weights are
 *    not zero;
 *  - division by a number k > 0: weights of the dividend are in [0, k), it has no factor in common with k, ceildiv is
 *    floordiv;
 *  - min and max hold no operand that is provably beyond another one, and are nested to the left in order;
 *  - k*floordiv(a,k) + mod(a,k) is written a.
 * That order of terms (degree, then lexicographic) is kept by multiplication, so polynomials divide by leading terms.
 *
 * What grows too large is unknown (NULL): bounds on terms, degree, nesting and size keep the cost of hostile input
 * small. Divisors are taken not to be zero, symbols to be zero or more. */
#include "ir/expr_private.h"

#include <stdlib.h>

struct ox_exprs {
    ox_set set;
    struct ox_expr *spare;   /* the next one; looked up before it is used up, so finding costs no memory */
    uint64_t fresh;
};

static struct ox_exprs *exprs_of(ox_ctx *ctx) {
    if (!ctx->exprs) {
        ctx->exprs = OX_NEW(ctx->arena, struct ox_exprs);
        ox_set_init(&ctx->exprs->set, ctx->arena);
    }
    return ctx->exprs;
}
/* ---- order of structure */

static int compare_ints(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

/* Order of products: greater degree first, then by atoms. */
int ox_term_compare(const term *a, const term *b) {
    if (a->n != b->n) return a->n > b->n ? -1 : 1;
    for (uint32_t i = 0; i < a->n; i++) {
        int d = ox_dim_compare(a->f[i], b->f[i]);
        if (d) return d;
    }
    return 0;
}

static int compare_symbols(ox_dim a, ox_dim b) {
    if (!a->name != !b->name) return a->name ? -1 : 1;
    if (a->name) {
        size_t m = ox_sym_len(a->name), n = ox_sym_len(b->name);
        int d = memcmp(a->name, b->name, m < n ? m : n);
        return d ? d : (m > n) - (m < n);
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Symbols first, then other atoms, sums last. Never deeper than MAX_DEPTH. */
int ox_dim_compare(ox_dim a, ox_dim b) {
    if (a == b) return 0;
    int ka = a->kind == K_SUM ? K_MAX + 1 : (int)a->kind, kb = b->kind == K_SUM ? K_MAX + 1 : (int)b->kind;
    if (ka != kb) return ka < kb ? -1 : 1;
    if (a->kind == K_SYMBOL) return compare_symbols(a, b);
    if (a->kind != K_SUM) {
        int d = ox_dim_compare(a->a, b->a);
        return d ? d : ox_dim_compare(a->b, b->b);
    }
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        int d = ox_term_compare(&a->terms[i], &b->terms[i]);
        if (!d) d = compare_ints(a->terms[i].weight, b->terms[i].weight);
        if (d) return d;
    }
    return a->n != b->n ? (a->n < b->n ? -1 : 1) : compare_ints(a->c, b->c);
}

static int compare_terms(const void *a, const void *b) { return ox_term_compare(a, b); }

static void sort_factors(term *t) {
    for (uint32_t i = 1; i < t->n; i++)
        for (uint32_t k = i; k && ox_dim_compare(t->f[k], t->f[k - 1]) < 0; k--) {
            ox_dim x = t->f[k];
            t->f[k] = t->f[k - 1];
            t->f[k - 1] = x;
        }
}
/* ---- ranges: INT64_MIN and INT64_MAX stand for the infinities */

/* Sum of two bounds of one side; a bound that overflows is none. */
static int64_t bound_add(int64_t a, int64_t b, bool low) {
    int64_t r, none = low ? INT64_MIN : INT64_MAX;
    if (a == none || b == none) return none;
    return ox_add_ok(a, b, &r) ? r : none;
}

static int64_t bound_mul(int64_t a, int64_t b) {
    int64_t r;
    if (!a || !b) return 0;
    if (infinite(a) || infinite(b) || !ox_mul_ok(a, b, &r)) return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
    return r;
}

static void range_mul(int64_t *lo, int64_t *hi, int64_t l, int64_t h) {
    int64_t p[4] = {bound_mul(*lo, l), bound_mul(*lo, h), bound_mul(*hi, l), bound_mul(*hi, h)};
    *lo = *hi = p[0];
    for (int i = 1; i < 4; i++) {
        if (p[i] < *lo) *lo = p[i];
        if (p[i] > *hi) *hi = p[i];
    }
}

void ox_range_terms(const term *t, uint32_t n, int64_t c, int64_t *lo, int64_t *hi) {
    *lo = *hi = c;
    for (uint32_t i = 0; i < n; i++) {
        int64_t l = t[i].weight, h = l;
        for (uint32_t k = 0; k < t[i].n; k++) range_mul(&l, &h, t[i].f[k]->lo, t[i].f[k]->hi);
        *lo = bound_add(*lo, l, true);
        *hi = bound_add(*hi, h, false);
    }
}

static int64_t bound_div(int64_t a, int64_t b) { /* b > 0, each maybe infinite */
    if (infinite(a)) return a;
    return b == INT64_MAX ? (a < 0 ? -1 : 0) : floor_div(a, b);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static void range_atom(struct ox_expr *e) {
    ox_dim a = e->a, b = e->b;
    int64_t b0 = b ? most(b->lo, 1) : 1, b1 = b ? most(b->hi, 1) : 1; /* a divisor is not zero */
    e->lo = INT64_MIN;
    e->hi = INT64_MAX;
    switch (e->kind) {
    case K_SYMBOL: e->lo = 0; break;
    case K_FLOORDIV:
    case K_CEILDIV:
        if (b->lo < 0) break;
        e->lo = least(bound_div(a->lo, b0), bound_div(a->lo, b1));
        e->hi = most(bound_div(a->hi, b0), bound_div(a->hi, b1));
        if (e->kind == K_CEILDIV && e->hi != INT64_MAX) e->hi++;
        break;
    case K_MOD:
        if (b->lo < 0) break;
        e->lo = 0;
        e->hi = b1 == INT64_MAX ? b1 : b1 - 1;
        if (a->lo >= 0) e->hi = least(e->hi, a->hi);
        break;
    case K_MIN:
        e->lo = least(a->lo, b->lo);
        e->hi = least(a->hi, b->hi);
        break;
    case K_MAX:
        e->lo = most(a->lo, b->lo);
        e->hi = most(a->hi, b->hi);
        break;
    case K_SUM: break;
    }
    if (e->lo == INT64_MAX) e->lo--; /* a bound on this side is a number */
    if (e->hi == INT64_MIN) e->hi++;
}
/* ---- hash-consing */

static uint64_t hash_terms(const term *t, uint32_t n, int64_t c) {
    uint64_t h = ox_hash_mix(17, (uint64_t)c);
    for (uint32_t i = 0; i < n; i++) {
        h = ox_hash_mix(h, (uint64_t)t[i].weight);
        for (uint32_t k = 0; k < t[i].n; k++) h = ox_hash_mix(h, t[i].f[k]->hash);
    }
    return h;
}

static bool same_expr(const void *x, const void *y, void *user) {
    const struct ox_expr *a = x, *b = y;
    (void)user;
    if (a->kind != b->kind) return false;
    if (a->kind == K_SYMBOL) return a->name == b->name && a->number == b->number;
    if (a->kind != K_SUM) return a->a == b->a && a->b == b->b;
    if (a->n != b->n || a->c != b->c) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->terms[i].weight != b->terms[i].weight || ox_term_compare(&a->terms[i], &b->terms[i])) return false;
    return true;
}

/* The one expression equal to *key, whose terms may be in temporary memory. */
static ox_dim cons(ox_ctx *ctx, const struct ox_expr *key) {
    struct ox_exprs *x = exprs_of(ctx);
    if (!x->spare) x->spare = OX_NEW(ctx->arena, struct ox_expr);
    struct ox_expr *e = x->spare;
    *e = *key;
    struct ox_expr *found = ox_set_add(&x->set, e->hash, e, same_expr, NULL);
    if (found != e) return found;
    x->spare = NULL;
    if (e->kind == K_SUM) {
        e->terms = e->n ? ox_dup(ctx->arena, key->terms, e->n * sizeof *e->terms) : NULL;
    } else {
        term *self = OX_NEW(ctx->arena, term);
        *self = (term){.weight = 1, .n = 1, .f = {e}};
        e->terms = self;
        e->n = 1;
    }
    return e;
}

static ox_dim make_symbol(ox_ctx *ctx, ox_sym name, uint64_t number) {
    struct ox_expr e = {.kind = K_SYMBOL, .name = name, .number = number, .size = 1};
    e.hash = ox_hash_mix((uint64_t)(uintptr_t)name, number);
    range_atom(&e);
    return cons(ctx, &e);
}

ox_dim ox_dim_atom(ox_ctx *ctx, kind k, ox_dim a, ox_dim b) {
    struct ox_expr e = {.kind = k, .a = a, .b = b};
    unsigned depth = 1u + (a->depth > b->depth ? a->depth : b->depth), size = 1u + a->size + b->size;
    if (depth > MAX_DEPTH || size > MAX_SIZE) return NULL;
    e.depth = (uint16_t)depth;
    e.size = (uint16_t)size;
    e.hash = ox_hash_mix(ox_hash_mix((uint64_t)k, a->hash), b->hash);
    range_atom(&e);
    return cons(ctx, &e);
}

/* ---- sums */

void ox_poly_set(poly *p, ox_dim d) {
    p->c = d->c;
    p->n = d->n;
    p->bad = false;
    for (uint32_t i = 0; i < d->n; i++) p->t[i] = d->terms[i];
}

void ox_poly_zero(poly *p) {
    p->c = 0;
    p->n = 0;
    p->bad = false;
}

void ox_poly_push(poly *p, const term *t) {
    if (p->n == MAX_WORK)
        p->bad = true;
    else
        p->t[p->n++] = *t;
}

/* p += k * product * d; product NULL: 1 */
void ox_poly_add(poly *p, ox_dim d, int64_t k, const term *product) {
    for (uint32_t i = 0; i < d->n; i++) {
        term t = d->terms[i];
        uint32_t more = product ? product->n : 0;
        if (!ox_mul_ok(t.weight, k, &t.weight) || t.n + more > MAX_DEGREE) {
            p->bad = true;
            return;
        }
        for (uint32_t j = 0; j < more; j++) t.f[t.n++] = product->f[j];
        if (more) sort_factors(&t);
        ox_poly_push(p, &t);
    }
    int64_t c;
    if (!ox_mul_ok(d->c, k, &c)) {
        p->bad = true;
    } else if (product && c) {
        term t = *product;
        t.weight = c;
        ox_poly_push(p, &t);
    } else if (!ox_add_ok(p->c, c, &p->c)) {
        p->bad = true;
    }
}

/* Sorts and merges; false when the sum is too large. */
bool ox_poly_merge(poly *p) {
    uint32_t n = 0;
    if (p->bad) return false;
    qsort(p->t, p->n, sizeof *p->t, compare_terms);
    for (uint32_t i = 0; i < p->n; i++) {
        if (n && !ox_term_compare(&p->t[n - 1], &p->t[i])) {
            if (!ox_add_ok(p->t[n - 1].weight, p->t[i].weight, &p->t[n - 1].weight)) return false;
        } else {
            if (n && !p->t[n - 1].weight) n--;
            p->t[n++] = p->t[i];
        }
    }
    if (n && !p->t[n - 1].weight) n--;
    p->n = n;
    return n <= MAX_TERMS;
}

/* Factor at which the products of two terms differ, when a has mod(x,k) where b has floordiv(x,k). */
static bool mod_and_quotient(const term *m, const term *q, ox_dim *x, int64_t *k, term *rest) {
    for (uint32_t i = 0; i < m->n; i++) {
        ox_dim mod = m->f[i];
        if (mod->kind != K_MOD || !ox_dim_is_const(mod->b, k)) continue;
        *rest = *m;
        rest->n--;
        memmove(rest->f + i, rest->f + i + 1, (rest->n - i) * sizeof *rest->f);
        for (uint32_t j = 0; q->n == m->n && j < q->n; j++) {
            ox_dim div = q->f[j];
            if (div->kind != K_FLOORDIV || div->a != mod->a || div->b != mod->b) continue;
            term other = *q;
            other.n--;
            memmove(other.f + j, other.f + j + 1, (other.n - j) * sizeof *other.f);
            if (ox_term_compare(&other, rest)) continue;
            *x = mod->a;
            return true;
        }
    }
    return false;
}

/* w*mod(x,k) + w*k*floordiv(x,k) is w*x. Returns whether something was put together; the sum must be merged again
 * then. */
static bool join_division(poly *p) {
    for (uint32_t i = 0; i < p->n; i++)
        for (uint32_t j = 0; j < p->n; j++) {
            ox_dim x;
            int64_t k, wk, w = p->t[i].weight;
            term rest;
            if (!mod_and_quotient(&p->t[i], &p->t[j], &x, &k, &rest) || !ox_mul_ok(w, k, &wk) || wk != p->t[j].weight)
                continue;
            p->t[i].weight = p->t[j].weight = 0;
            ox_poly_add(p, x, w, rest.n ? &rest : NULL);
            return true;
        }
    return false;
}

static bool has_mod(const poly *p) {
    for (uint32_t i = 0; i < p->n; i++)
        for (uint32_t k = 0; k < p->t[i].n; k++)
            if (p->t[i].f[k]->kind == K_MOD) return true;
    return false;
}

ox_dim ox_poly_finish(ox_ctx *ctx, poly *p) {
    if (!ox_poly_merge(p)) return NULL;
    while (has_mod(p) && join_division(p))
        if (!ox_poly_merge(p)) return NULL;
    if (p->n == 1 && p->t[0].n == 1 && p->t[0].weight == 1 && !p->c) return p->t[0].f[0];
    struct ox_expr e = {.kind = K_SUM, .n = p->n, .c = p->c, .terms = p->t};
    unsigned size = 1, depth = 0;
    for (uint32_t i = 0; i < p->n; i++)
        for (uint32_t k = 0; k < p->t[i].n; k++) {
            size += p->t[i].f[k]->size;
            if (p->t[i].f[k]->depth > depth) depth = p->t[i].f[k]->depth;
        }
    if (size > MAX_SIZE) return NULL;
    e.size = (uint16_t)size;
    e.depth = (uint16_t)depth;
    e.hash = hash_terms(p->t, p->n, p->c);
    ox_range_terms(p->t, p->n, p->c, &e.lo, &e.hi);
    return cons(ctx, &e);
}

/* ---- what others call: constants, symbols, sums, products */

ox_dim ox_dim_const(ox_ctx *ctx, int64_t v) {
    poly p;
    ox_poly_zero(&p);
    p.c = v;
    return ox_poly_finish(ctx, &p);
}

ox_dim ox_dim_symbol(ox_ctx *ctx, ox_sym name) { return name && name[0] ? make_symbol(ctx, name, 0) : NULL; }
ox_dim ox_dim_fresh(ox_ctx *ctx) { return make_symbol(ctx, NULL, ++exprs_of(ctx)->fresh); }
bool ox_dim_is_nameless(ox_dim d) { return d && d->kind == K_SYMBOL && !d->name; }
ox_sym ox_dim_is_symbol(ox_dim d) { return d && d->kind == K_SYMBOL ? d->name : NULL; }

bool ox_dim_is_const(ox_dim d, int64_t *v) {
    if (!d || d->kind != K_SUM || d->n) return false;
    if (v) *v = d->c;
    return true;
}

bool ox_dim_is(ox_dim d, int64_t v) { return d && d->kind == K_SUM && !d->n && d->c == v; }

static ox_dim add_times(ox_ctx *ctx, ox_dim a, ox_dim b, int64_t k) {
    poly p;
    if (!a || !b) return NULL;
    ox_poly_set(&p, a);
    ox_poly_add(&p, b, k, NULL);
    return ox_poly_finish(ctx, &p);
}

ox_dim ox_dim_add(ox_ctx *ctx, ox_dim a, ox_dim b) { return add_times(ctx, a, b, 1); }
ox_dim ox_dim_sub(ox_ctx *ctx, ox_dim a, ox_dim b) { return add_times(ctx, a, b, -1); }

ox_dim ox_dim_addi(ox_ctx *ctx, ox_dim a, int64_t b) {
    poly p;
    if (!a) return NULL;
    ox_poly_set(&p, a);
    return ox_add_ok(p.c, b, &p.c) ? ox_poly_finish(ctx, &p) : NULL;
}

ox_dim ox_dim_mul(ox_ctx *ctx, ox_dim a, ox_dim b) {
    poly p;
    if (!a || !b) return NULL;
    ox_poly_zero(&p);
    for (uint32_t i = 0; i < b->n; i++) ox_poly_add(&p, a, b->terms[i].weight, &b->terms[i]);
    if (b->c) ox_poly_add(&p, a, b->c, NULL);
    return ox_poly_finish(ctx, &p);
}
