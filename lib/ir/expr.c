/* Dimension algebra: polynomials with integer weights over atoms, hash-consed so that equal expressions are one pointer.
 *
 * An expression is a constant plus terms; a term is a weight and a product of atoms; an atom is a symbol or floordiv, ceildiv, mod,
 * min, max of two expressions. An atom is an expression as well, whose only term is itself. Canonical form:
 *  - atoms of a product and terms of a sum stand in an order by structure (names, not addresses or age), weights are not zero;
 *  - division by a number k > 0: weights of the dividend are in [0, k), it has no factor in common with k, ceildiv is floordiv;
 *  - min and max hold no operand that is provably beyond another one, and are nested to the left in order;
 *  - k*floordiv(a,k) + mod(a,k) is written a.
 * That order of terms (degree, then lexicographic) is kept by multiplication, so polynomials divide by leading terms.
 *
 * What grows too large is unknown (NULL): bounds on terms, degree, nesting and size keep the cost of hostile input small. Divisors are
 * taken not to be zero, symbols to be zero or more. */
#include "ir/ir_private.h"

#include <stdlib.h>

enum { MAX_TERMS = 64, MAX_WORK = 256, MAX_DEGREE = 6, MAX_DEPTH = 12, MAX_SIZE = 400, MAX_CHAIN = 8 };

typedef enum kind { K_SUM, K_SYMBOL, K_FLOORDIV, K_CEILDIV, K_MOD, K_MIN, K_MAX } kind;

typedef struct term {
    int64_t weight;
    uint32_t n;              /* factors; 1 or more */
    ox_dim f[MAX_DEGREE];
} term;

struct ox_expr {
    uint64_t hash;
    kind kind;
    uint16_t depth, size;    /* of nested atoms */
    uint32_t n;              /* terms, the greatest first */
    int64_t c;               /* the constant */
    int64_t lo, hi;
    const term *terms;
    ox_sym name;             /* symbol; NULL: nameless */
    uint64_t number;         /* of a nameless symbol */
    ox_dim a, b;             /* operands of the other atoms */
};

/* A sum being made. Terms are sorted and merged by finish(). */
typedef struct poly {
    int64_t c;
    uint32_t n;
    bool bad;
    term t[MAX_WORK];
} poly;

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

static int compare_exprs(ox_dim a, ox_dim b);

static int compare_ints(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

/* Order of products: greater degree first, then by atoms. */
static int compare_products(const term *a, const term *b) {
    if (a->n != b->n) return a->n > b->n ? -1 : 1;
    for (uint32_t i = 0; i < a->n; i++) {
        int d = compare_exprs(a->f[i], b->f[i]);
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
static int compare_exprs(ox_dim a, ox_dim b) {
    if (a == b) return 0;
    int ka = a->kind == K_SUM ? K_MAX + 1 : (int)a->kind, kb = b->kind == K_SUM ? K_MAX + 1 : (int)b->kind;
    if (ka != kb) return ka < kb ? -1 : 1;
    if (a->kind == K_SYMBOL) return compare_symbols(a, b);
    if (a->kind != K_SUM) {
        int d = compare_exprs(a->a, b->a);
        return d ? d : compare_exprs(a->b, b->b);
    }
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        int d = compare_products(&a->terms[i], &b->terms[i]);
        if (!d) d = compare_ints(a->terms[i].weight, b->terms[i].weight);
        if (d) return d;
    }
    return a->n != b->n ? (a->n < b->n ? -1 : 1) : compare_ints(a->c, b->c);
}

static int compare_terms(const void *a, const void *b) { return compare_products(a, b); }

static void sort_factors(term *t) {
    for (uint32_t i = 1; i < t->n; i++)
        for (uint32_t k = i; k && compare_exprs(t->f[k], t->f[k - 1]) < 0; k--) {
            ox_dim x = t->f[k];
            t->f[k] = t->f[k - 1];
            t->f[k - 1] = x;
        }
}

/* ---- ranges: INT64_MIN and INT64_MAX stand for the infinities */

static bool infinite(int64_t v) { return v == INT64_MIN || v == INT64_MAX; }

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

static void range_terms(const term *t, uint32_t n, int64_t c, int64_t *lo, int64_t *hi) {
    *lo = *hi = c;
    for (uint32_t i = 0; i < n; i++) {
        int64_t l = t[i].weight, h = l;
        for (uint32_t k = 0; k < t[i].n; k++) range_mul(&l, &h, t[i].f[k]->lo, t[i].f[k]->hi);
        *lo = bound_add(*lo, l, true);
        *hi = bound_add(*hi, h, false);
    }
}

static int64_t floor_div(int64_t a, int64_t b) { /* b > 0 */
    return a / b - (a % b < 0);
}

static int64_t floor_rest(int64_t a, int64_t b) { /* b > 0 */
    int64_t r = a % b;
    return r < 0 ? r + b : r;
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
        if (a->terms[i].weight != b->terms[i].weight || compare_products(&a->terms[i], &b->terms[i])) return false;
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

static ox_dim make_atom(ox_ctx *ctx, kind k, ox_dim a, ox_dim b) {
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

static void poly_set(poly *p, ox_dim d) {
    p->c = d->c;
    p->n = d->n;
    p->bad = false;
    for (uint32_t i = 0; i < d->n; i++) p->t[i] = d->terms[i];
}

static void poly_zero(poly *p) {
    p->c = 0;
    p->n = 0;
    p->bad = false;
}

static void poly_push(poly *p, const term *t) {
    if (p->n == MAX_WORK)
        p->bad = true;
    else
        p->t[p->n++] = *t;
}

/* p += k * product * d; product NULL: 1 */
static void poly_add(poly *p, ox_dim d, int64_t k, const term *product) {
    for (uint32_t i = 0; i < d->n; i++) {
        term t = d->terms[i];
        uint32_t more = product ? product->n : 0;
        if (!ox_mul_ok(t.weight, k, &t.weight) || t.n + more > MAX_DEGREE) {
            p->bad = true;
            return;
        }
        for (uint32_t j = 0; j < more; j++) t.f[t.n++] = product->f[j];
        if (more) sort_factors(&t);
        poly_push(p, &t);
    }
    int64_t c;
    if (!ox_mul_ok(d->c, k, &c)) {
        p->bad = true;
    } else if (product && c) {
        term t = *product;
        t.weight = c;
        poly_push(p, &t);
    } else if (!ox_add_ok(p->c, c, &p->c)) {
        p->bad = true;
    }
}

/* Sorts and merges; false when the sum is too large. */
static bool poly_merge(poly *p) {
    uint32_t n = 0;
    if (p->bad) return false;
    qsort(p->t, p->n, sizeof *p->t, compare_terms);
    for (uint32_t i = 0; i < p->n; i++) {
        if (n && !compare_products(&p->t[n - 1], &p->t[i])) {
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
            if (compare_products(&other, rest)) continue;
            *x = mod->a;
            return true;
        }
    }
    return false;
}

/* w*mod(x,k) + w*k*floordiv(x,k) is w*x. Returns whether something was put together; the sum must be merged again then. */
static bool join_division(poly *p) {
    for (uint32_t i = 0; i < p->n; i++)
        for (uint32_t j = 0; j < p->n; j++) {
            ox_dim x;
            int64_t k, wk, w = p->t[i].weight;
            term rest;
            if (!mod_and_quotient(&p->t[i], &p->t[j], &x, &k, &rest) || !ox_mul_ok(w, k, &wk) || wk != p->t[j].weight) continue;
            p->t[i].weight = p->t[j].weight = 0;
            poly_add(p, x, w, rest.n ? &rest : NULL);
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

static ox_dim poly_finish(ox_ctx *ctx, poly *p) {
    if (!poly_merge(p)) return NULL;
    while (has_mod(p) && join_division(p))
        if (!poly_merge(p)) return NULL;
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
    range_terms(p->t, p->n, p->c, &e.lo, &e.hi);
    return cons(ctx, &e);
}

/* ---- proofs */

/* What a linear atom may be replaced by for a bound: atom * scale >= (or <=) value. */
typedef struct bound { int64_t scale; ox_dim d; int64_t add; } bound;

static int bounds_of(ox_dim atom, bool upper, bound out[2]) {
    int64_t k = 0;
    bool by_number = atom->kind > K_SYMBOL && ox_dim_is_const(atom->b, &k) && k > 0;
    switch (atom->kind) {
    case K_FLOORDIV:
        if (!by_number) return 0;
        out[0] = (bound){k, atom->a, upper ? 0 : 1 - k};
        return 1;
    case K_MOD:
        if (!upper || atom->a->lo < 0) return 0;
        out[0] = (bound){1, atom->a, 0};
        return 1;
    case K_MIN:
    case K_MAX:
        if (upper != (atom->kind == K_MIN)) return 0;
        out[0] = (bound){1, atom->a, 0};
        out[1] = (bound){1, atom->b, 0};
        return 2;
    default: return 0;
    }
}

/* p >= 0 for all values? Where intervals do not tell, one atom after the other is replaced by what it is at least (or at most);
 * `steps` bounds the search. */
static bool poly_nonneg(const poly *p, int *steps) {
    int64_t lo, hi;
    range_terms(p->t, p->n, p->c, &lo, &hi);
    if (lo >= 0) return true;
    if (p->n > 16) return false;
    for (uint32_t i = 0; i < p->n; i++) {
        bound b[2];
        const term *t = &p->t[i];
        int n = t->n == 1 ? bounds_of(t->f[0], t->weight < 0, b) : 0;
        for (int j = 0; j < n; j++) {
            poly q;
            if (--*steps < 0) return false;
            poly_zero(&q);
            for (uint32_t k = 0; k < p->n; k++) {
                term scaled = p->t[k];
                if (!ox_mul_ok(scaled.weight, b[j].scale, &scaled.weight)) q.bad = true;
                if (k != i) poly_push(&q, &scaled);
            }
            int64_t c, add;
            if (!ox_mul_ok(p->c, b[j].scale, &c) || !ox_mul_ok(t->weight, b[j].add, &add) || !ox_add_ok(c, add, &q.c)) continue;
            poly_add(&q, b[j].d, t->weight, NULL);
            if (poly_merge(&q) && poly_nonneg(&q, steps)) return true;
        }
    }
    return false;
}

/* a - b + add >= 0? */
static bool at_least(ox_dim a, ox_dim b, int64_t add) {
    poly p;
    int steps = 12;
    poly_set(&p, a);
    if (b) poly_add(&p, b, -1, NULL);
    if (!ox_add_ok(p.c, add, &p.c)) return false;
    return poly_merge(&p) && poly_nonneg(&p, &steps);
}

/* ---- what others call: constants, symbols, sums, products */

ox_dim ox_dim_const(ox_ctx *ctx, int64_t v) {
    poly p;
    poly_zero(&p);
    p.c = v;
    return poly_finish(ctx, &p);
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
    poly_set(&p, a);
    poly_add(&p, b, k, NULL);
    return poly_finish(ctx, &p);
}

ox_dim ox_dim_add(ox_ctx *ctx, ox_dim a, ox_dim b) { return add_times(ctx, a, b, 1); }
ox_dim ox_dim_sub(ox_ctx *ctx, ox_dim a, ox_dim b) { return add_times(ctx, a, b, -1); }

ox_dim ox_dim_addi(ox_ctx *ctx, ox_dim a, int64_t b) {
    poly p;
    if (!a) return NULL;
    poly_set(&p, a);
    return ox_add_ok(p.c, b, &p.c) ? poly_finish(ctx, &p) : NULL;
}

ox_dim ox_dim_mul(ox_ctx *ctx, ox_dim a, ox_dim b) {
    poly p;
    if (!a || !b) return NULL;
    poly_zero(&p);
    for (uint32_t i = 0; i < b->n; i++) poly_add(&p, a, b->terms[i].weight, &b->terms[i]);
    if (b->c) poly_add(&p, a, b->c, NULL);
    return poly_finish(ctx, &p);
}

/* ---- division */

/* a = b * result for products; the weight is not looked at. */
static bool divide_product(const term *a, const term *b, term *result) {
    uint32_t k = 0;
    *result = (term){.weight = 1};
    for (uint32_t i = 0; i < a->n; i++) {
        if (k < b->n && a->f[i] == b->f[k])
            k++;
        else
            result->f[result->n++] = a->f[i];
    }
    return k == b->n;
}

/* Long division: *p becomes what is left; the quotient goes to *q. Terms that the leading term of b does not divide stay. Whole
 * multiples only. */
static bool divide_poly(poly *p, ox_dim b, poly *q) {
    poly_zero(q);
    if (b->kind == K_SUM && !b->n) return false;
    const term *lead = &b->terms[0];
    uint32_t at = 0;
    for (int rounds = 0; at < p->n && rounds < MAX_TERMS; rounds++) {
        term t;
        if (!divide_product(&p->t[at], lead, &t) || p->t[at].weight % lead->weight || (lead->weight == -1 && p->t[at].weight == INT64_MIN)) {
            at++; /* nothing behind makes a term that stands before */
            continue;
        }
        int64_t w = p->t[at].weight / lead->weight;
        if (t.n) {
            t.weight = w;
            poly_push(q, &t);
        } else if (!ox_add_ok(q->c, w, &q->c)) {
            return false;
        }
        poly_add(p, b, -w, t.n ? &t : NULL);
        if (!poly_merge(p)) return false;
    }
    return !q->bad;
}

static bool divisible(ox_dim a, int64_t k) {
    for (uint32_t i = 0; i < a->n; i++)
        if (a->terms[i].weight % k) return false;
    return a->c % k == 0;
}

ox_dim ox_dim_exact_div(ox_ctx *ctx, ox_dim a, ox_dim b) {
    poly p, q;
    int64_t k;
    if (!a || !b || ox_dim_is(b, 0)) return NULL;
    poly_set(&p, a);
    if (!ox_dim_is_const(b, &k)) return divide_poly(&p, b, &q) && !p.n && !p.c ? poly_finish(ctx, &q) : NULL;
    if (k == -1) return add_times(ctx, ox_dim_const(ctx, 0), a, -1);
    if (!divisible(a, k)) return NULL;
    for (uint32_t i = 0; i < p.n; i++) p.t[i].weight /= k;
    p.c /= k;
    return poly_finish(ctx, &p);
}

static int64_t gcd(int64_t a, int64_t b) { /* b > 0 */
    uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, y = (uint64_t)b;
    while (x) {
        uint64_t r = y % x;
        y = x;
        x = r;
    }
    return (int64_t)y;
}

/* a = k * quotient + rest with all weights of the rest in [0, k). Then rest and *k lose their common factor g (1 when there is none) and the
 * constant's part below it goes to *low: rest_before = g * rest + low. */
static void reduce(const poly *a, int64_t *k, poly *quotient, poly *rest, int64_t *g, int64_t *low) {
    poly_zero(quotient);
    poly_zero(rest);
    *g = *k;
    for (uint32_t i = 0; i < a->n; i++) {
        term t = a->t[i];
        int64_t r = floor_rest(t.weight, *k);
        t.weight = floor_div(t.weight, *k);
        if (t.weight) poly_push(quotient, &t);
        t.weight = r;
        if (r) poly_push(rest, &t);
        if (r) *g = gcd(r, *g);
    }
    quotient->c = floor_div(a->c, *k);
    rest->c = floor_rest(a->c, *k);
    *low = rest->c % *g;
    for (uint32_t i = 0; i < rest->n; i++) rest->t[i].weight /= *g;
    rest->c /= *g;
    *k /= *g;
}

/* floordiv(floordiv(x, j) + r, k) = floordiv(x + j*r, j*k), where the sum has one such term of weight 1. */
static bool unnest_floordiv(poly *p, int64_t *k) {
    uint32_t at = 0, found = 0;
    int64_t j = 0, jk;
    for (uint32_t i = 0; i < p->n; i++)
        if (p->t[i].n == 1 && p->t[i].weight == 1 && p->t[i].f[0]->kind == K_FLOORDIV && ox_dim_is_const(p->t[i].f[0]->b, NULL)) {
            at = i;
            found++;
        }
    if (found != 1) return false;
    ox_dim atom = p->t[at].f[0];
    poly sum;
    ox_dim_is_const(atom->b, &j);
    if (!ox_mul_ok(j, *k, &jk)) return false;
    poly_set(&sum, atom->a);
    for (uint32_t i = 0; i < p->n; i++) {
        term t = p->t[i];
        if (i == at) continue;
        if (!ox_mul_ok(t.weight, j, &t.weight)) return false;
        poly_push(&sum, &t);
    }
    int64_t c;
    if (!ox_mul_ok(p->c, j, &c) || !ox_add_ok(sum.c, c, &sum.c) || !poly_merge(&sum)) return false;
    *p = sum;
    *k = jk;
    return true;
}

/* floordiv of a by a number k > 0. */
static ox_dim floordiv_number(ox_ctx *ctx, ox_dim a, int64_t k) {
    poly p, quotient, rest, sum;
    int64_t g, low, lo, hi;
    poly_set(&p, a);
    poly_zero(&sum);
    do { /* each turn makes the nesting less deep */
        reduce(&p, &k, &quotient, &rest, &g, &low);
        for (uint32_t i = 0; i < quotient.n; i++) poly_push(&sum, &quotient.t[i]);
        if (!ox_add_ok(sum.c, quotient.c, &sum.c) || rest.bad) return NULL;
        p = rest;
    } while (k > 1 && unnest_floordiv(&p, &k));
    if (k == 1) { /* nothing is left but whole numbers */
        for (uint32_t i = 0; i < p.n; i++) poly_push(&sum, &p.t[i]);
        return ox_add_ok(sum.c, p.c, &sum.c) ? poly_finish(ctx, &sum) : NULL;
    }
    range_terms(p.t, p.n, p.c, &lo, &hi);
    if (!infinite(lo) && !infinite(hi) && floor_div(lo, k) == floor_div(hi, k))
        return ox_add_ok(sum.c, floor_div(lo, k), &sum.c) ? poly_finish(ctx, &sum) : NULL;
    ox_dim dividend = poly_finish(ctx, &p), divisor = ox_dim_const(ctx, k);
    ox_dim atom = dividend && divisor ? make_atom(ctx, K_FLOORDIV, dividend, divisor) : NULL;
    if (!atom) return NULL;
    poly_add(&sum, atom, 1, NULL);
    return poly_finish(ctx, &sum);
}

/* Takes mod(x, j*k) out of a sum that is looked at modulo k. */
static bool unnest_mod(poly *p, int64_t k) {
    for (uint32_t i = 0; i < p->n; i++) {
        int64_t jk = 0, w = p->t[i].weight;
        ox_dim atom = p->t[i].f[0];
        if (p->t[i].n != 1 || atom->kind != K_MOD || !ox_dim_is_const(atom->b, &jk) || jk % k) continue;
        p->t[i] = p->t[--p->n];
        poly_add(p, atom->a, w, NULL);
        return poly_merge(p);
    }
    return false;
}

static ox_dim mod_number(ox_ctx *ctx, ox_dim a, int64_t k) {
    poly p, quotient, rest;
    int64_t g, low, lo, hi, left;
    poly_set(&p, a);
    do {
        if (p.bad) return NULL;
        left = k;
        reduce(&p, &left, &quotient, &rest, &g, &low);
    } while (unnest_mod(&p, k));
    if (rest.bad) return NULL;
    range_terms(rest.t, rest.n, rest.c, &lo, &hi);
    ox_dim r = poly_finish(ctx, &rest);
    if (!r) return NULL;
    if (left == 1)
        r = ox_dim_const(ctx, 0);
    else if (lo < 0 || hi >= left)
        r = make_atom(ctx, K_MOD, r, ox_dim_const(ctx, left));
    if (!r) return NULL;
    poly_zero(&p);
    poly_add(&p, r, g, NULL);
    return ox_add_ok(p.c, low, &p.c) ? poly_finish(ctx, &p) : NULL;
}

/* Keeps of *common what divides the term as well, atoms that are never negative only. */
static void keep_common(term *common, const term *t) {
    term kept = {.n = 0}, left, more;
    for (uint32_t i = 0; i < common->n; i++) {
        more = kept;
        more.f[more.n++] = common->f[i];
        if (common->f[i]->lo >= 0 && divide_product(t, &more, &left)) kept = more;
    }
    *common = kept;
}

/* Takes factors out of both that all terms of both have. */
static void cancel(ox_ctx *ctx, ox_dim *a, ox_dim *b) {
    if ((*a)->c || (*b)->c || !(*a)->n || !(*b)->n) return;
    term common = (*b)->terms[0];
    int64_t g = 0;
    for (int side = 0; side < 2; side++) {
        ox_dim e = side ? *a : *b;
        for (uint32_t i = 0; i < e->n; i++) {
            int64_t w = e->terms[i].weight;
            if (w == INT64_MIN) return;
            g = g ? gcd(w, g) : w < 0 ? -w : w;
            keep_common(&common, &e->terms[i]);
        }
    }
    poly p;
    common.weight = g;
    poly_zero(&p);
    if (common.n)
        poly_push(&p, &common);
    else
        p.c = g;
    ox_dim f = poly_finish(ctx, &p), x = ox_dim_exact_div(ctx, *a, f), y = ox_dim_exact_div(ctx, *b, f);
    if (!x || !y) return;
    *a = x;
    *b = y;
}

/* a = b * (result) + *rest; NULL when no part is divisible. */
static ox_dim split_multiple(ox_ctx *ctx, ox_dim a, ox_dim b, ox_dim *rest) {
    poly p, q;
    if (b->n != 1 || b->c) return NULL; /* by N+1 that would make N something with a minus in it */
    poly_set(&p, a);
    if (!divide_poly(&p, b, &q)) return NULL;
    ox_dim whole = poly_finish(ctx, &q);
    if (!whole || ox_dim_is(whole, 0)) return NULL;
    *rest = poly_finish(ctx, &p);
    return *rest ? whole : NULL;
}

static ox_dim divide(ox_ctx *ctx, kind k, ox_dim a, ox_dim b) {
    ox_dim exact = ox_dim_exact_div(ctx, a, b), rest, whole;
    if (exact) return exact;
    if (k == K_FLOORDIV && a->lo >= 0 && at_least(b, a, -1)) return ox_dim_const(ctx, 0);
    whole = split_multiple(ctx, a, b, &rest);
    if (whole && rest != a) return ox_dim_add(ctx, whole, k == K_FLOORDIV ? ox_dim_floordiv(ctx, rest, b) : ox_dim_ceildiv(ctx, rest, b));
    ox_dim x = a, y = b;
    cancel(ctx, &x, &y);
    if (y != b) return k == K_FLOORDIV ? ox_dim_floordiv(ctx, x, y) : ox_dim_ceildiv(ctx, x, y);
    return make_atom(ctx, k, a, b);
}

static ox_dim negated(ox_ctx *ctx, ox_dim a) { return ox_dim_sub(ctx, ox_dim_const(ctx, 0), a); }

ox_dim ox_dim_floordiv(ox_ctx *ctx, ox_dim a, ox_dim b) {
    int64_t k;
    if (!a || !b || ox_dim_is(b, 0)) return NULL;
    if (!ox_dim_is_const(b, &k)) return divide(ctx, K_FLOORDIV, a, b);
    return k > 0 ? floordiv_number(ctx, a, k) : ox_dim_floordiv(ctx, negated(ctx, a), negated(ctx, b));
}

ox_dim ox_dim_ceildiv(ox_ctx *ctx, ox_dim a, ox_dim b) {
    int64_t k;
    if (!a || !b || ox_dim_is(b, 0)) return NULL;
    if (!ox_dim_is_const(b, &k)) return divide(ctx, K_CEILDIV, a, b);
    if (k < 0) return ox_dim_ceildiv(ctx, negated(ctx, a), negated(ctx, b));
    return ox_dim_floordiv(ctx, ox_dim_addi(ctx, a, k - 1), b);
}

ox_dim ox_dim_mod(ox_ctx *ctx, ox_dim a, ox_dim b) {
    int64_t k;
    ox_dim rest;
    if (!a || !b || ox_dim_is(b, 0)) return NULL;
    if (ox_dim_is_const(b, &k)) return k > 0 ? mod_number(ctx, a, k) : negated(ctx, ox_dim_mod(ctx, negated(ctx, a), negated(ctx, b)));
    if (ox_dim_exact_div(ctx, a, b)) return ox_dim_const(ctx, 0);
    if (a->lo >= 0 && at_least(b, a, -1)) return a;
    if (split_multiple(ctx, a, b, &rest) && rest != a) return ox_dim_mod(ctx, rest, b);
    return make_atom(ctx, K_MOD, a, b);
}

/* ---- min and max */

/* Operands of a nest of one kind; false when there are too many. */
static bool flatten(kind k, ox_dim d, ox_dim *list, int *n) {
    for (; d->kind == k; d = d->a) {
        if (d->b->kind == k || *n == MAX_CHAIN) return false;
        list[(*n)++] = d->b;
    }
    if (*n == MAX_CHAIN) return false;
    list[(*n)++] = d;
    return true;
}

/* The first is superfluous beside the second. */
static bool beaten(kind k, ox_dim a, ox_dim by) {
    if (ox_dim_is(a, k == K_MIN ? INT64_MAX : INT64_MIN)) return true; /* "to the end" of a slice */
    return k == K_MIN ? at_least(a, by, 0) : at_least(by, a, 0);
}

static ox_dim extreme(ox_ctx *ctx, kind k, ox_dim a, ox_dim b) {
    ox_dim list[MAX_CHAIN];
    int n = 0, kept = 0;
    if (!a || !b) return NULL;
    if (beaten(k, a, b)) return b;
    if (beaten(k, b, a)) return a;
    if (!flatten(k, a, list, &n) || !flatten(k, b, list, &n)) return NULL;
    for (int i = 0; i < n; i++) {
        bool out = false;
        for (int j = 0; j < n && !out; j++) /* of two that are equal the later one goes */
            out = list[j] && i != j && beaten(k, list[i], list[j]) && (j < i || !beaten(k, list[j], list[i]));
        if (out) list[i] = NULL;
    }
    for (int i = 0; i < n; i++)
        if (list[i]) list[kept++] = list[i];
    for (int i = 1; i < kept; i++)
        for (int j = i; j && compare_exprs(list[j], list[j - 1]) < 0; j--) {
            ox_dim x = list[j];
            list[j] = list[j - 1];
            list[j - 1] = x;
        }
    ox_dim d = list[0];
    for (int i = 1; i < kept && d; i++) d = make_atom(ctx, k, d, list[i]);
    return d;
}

ox_dim ox_dim_min(ox_ctx *ctx, ox_dim a, ox_dim b) { return extreme(ctx, K_MIN, a, b); }
ox_dim ox_dim_max(ox_ctx *ctx, ox_dim a, ox_dim b) { return extreme(ctx, K_MAX, a, b); }

/* ---- questions */

bool ox_dim_range(ox_dim d, int64_t *lo, int64_t *hi) {
    *lo = d ? d->lo : INT64_MIN;
    *hi = d ? d->hi : INT64_MAX;
    return d != NULL;
}

bool ox_dim_nonneg(ox_dim d) { return d && (d->lo >= 0 || at_least(d, NULL, 0)); }
bool ox_dim_positive(ox_dim d) { return d && (d->lo >= 1 || at_least(d, NULL, -1)); }

typedef bool (*value_fn)(void *user, ox_dim symbol, int64_t *v);

static bool eval_atom(ox_dim d, value_fn value_of, void *user, int64_t *out) {
    int64_t a, b;
    if (d->kind == K_SYMBOL) return value_of(user, d, out);
    if (!ox_dim_eval(d->a, value_of, user, &a) || !ox_dim_eval(d->b, value_of, user, &b)) return false;
    if (d->kind == K_MIN || d->kind == K_MAX) {
        *out = (a < b) == (d->kind == K_MIN) ? a : b;
        return true;
    }
    if (!b || (a == INT64_MIN && b == -1)) return false;
    int64_t q = a / b, r = a % b;
    bool inexact_below = r && (r < 0) != (b < 0);
    if (d->kind == K_FLOORDIV) *out = q - inexact_below;
    if (d->kind == K_CEILDIV) *out = q + (r && !inexact_below);
    if (d->kind == K_MOD) *out = inexact_below ? r + b : r;
    return true;
}

bool ox_dim_eval(ox_dim d, bool (*value_of)(void *user, ox_dim symbol, int64_t *v), void *user, int64_t *out) {
    if (!d) return false;
    if (d->kind != K_SUM) return eval_atom(d, value_of, user, out);
    int64_t sum = d->c;
    for (uint32_t i = 0; i < d->n; i++) {
        int64_t w = d->terms[i].weight, x;
        for (uint32_t k = 0; k < d->terms[i].n; k++)
            if (!eval_atom(d->terms[i].f[k], value_of, user, &x) || !ox_mul_ok(w, x, &w)) return false;
        if (!ox_add_ok(sum, w, &sum)) return false;
    }
    *out = sum;
    return true;
}

/* ---- text */

static void add_expr(ox_text *out, ox_dim d);

static void add_atom(ox_text *out, ox_dim d) {
    static const char *const names[] = {[K_FLOORDIV] = "floordiv", [K_CEILDIV] = "ceildiv", [K_MOD] = "mod", [K_MIN] = "min", [K_MAX] = "max"};
    if (d->kind == K_SYMBOL) {
        if (d->name)
            ox_text_add(out, d->name);
        else
            ox_text_addf(out, "?%llu", (unsigned long long)d->number);
        return;
    }
    ox_text_addf(out, "%s(", names[d->kind]);
    add_expr(out, d->a);
    ox_text_add(out, ",");
    add_expr(out, d->b);
    ox_text_add(out, ")");
}

static void add_expr(ox_text *out, ox_dim d) {
    if (d->kind != K_SUM) {
        add_atom(out, d);
        return;
    }
    for (uint32_t i = 0; i < d->n; i++) {
        int64_t w = d->terms[i].weight;
        if (i && w > 0) ox_text_add(out, "+");
        if (w == -1)
            ox_text_add(out, "-");
        else if (w != 1)
            ox_text_addf(out, "%lld*", (long long)w);
        for (uint32_t k = 0; k < d->terms[i].n; k++) {
            if (k) ox_text_add(out, "*");
            add_atom(out, d->terms[i].f[k]);
        }
    }
    if (d->c || !d->n) ox_text_addf(out, d->n && d->c > 0 ? "+%lld" : "%lld", (long long)d->c);
}

const char *ox_dim_text(ox_arena *arena, ox_dim d) {
    ox_text out = {.arena = arena};
    if (d)
        add_expr(&out, d);
    else
        ox_text_add(&out, "?");
    return out.data;
}
