/* Division of dimension expressions: exact, rounded down or up, and what is left. Canonical forms: see expr.c. */
#include "ir/expr_private.h"

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

/* Long division: *p becomes what is left; the quotient goes to *q. Terms that the leading term of b does not divide
 * stay. Whole multiples only. */
static bool divide_poly(poly *p, ox_dim b, poly *q) {
    ox_poly_zero(q);
    if (b->kind == K_SUM && !b->n) return false;
    const term *lead = &b->terms[0];
    uint32_t at = 0;
    for (int rounds = 0; at < p->n && rounds < MAX_TERMS; rounds++) {
        term t;
        if (!divide_product(&p->t[at], lead, &t) || p->t[at].weight % lead->weight ||
            (lead->weight == -1 && p->t[at].weight == INT64_MIN)) {
            at++; /* nothing behind makes a term that stands before */
            continue;
        }
        int64_t w = p->t[at].weight / lead->weight;
        if (t.n) {
            t.weight = w;
            ox_poly_push(q, &t);
        } else if (!ox_add_ok(q->c, w, &q->c)) {
            return false;
        }
        ox_poly_add(p, b, -w, t.n ? &t : NULL);
        if (!ox_poly_merge(p)) return false;
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
    ox_poly_set(&p, a);
    if (!ox_dim_is_const(b, &k)) return divide_poly(&p, b, &q) && !p.n && !p.c ? ox_poly_finish(ctx, &q) : NULL;
    if (k == -1) return ox_dim_sub(ctx, ox_dim_const(ctx, 0), a);
    if (!divisible(a, k)) return NULL;
    for (uint32_t i = 0; i < p.n; i++) p.t[i].weight /= k;
    p.c /= k;
    return ox_poly_finish(ctx, &p);
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

/* a = k * quotient + rest with all weights of the rest in [0, k). Then rest and *k lose their common factor g (1 when
 * there is none) and the constant's part below it goes to *low: rest_before = g * rest + low. */
static void reduce(const poly *a, int64_t *k, poly *quotient, poly *rest, int64_t *g, int64_t *low) {
    ox_poly_zero(quotient);
    ox_poly_zero(rest);
    *g = *k;
    for (uint32_t i = 0; i < a->n; i++) {
        term t = a->t[i];
        int64_t r = floor_rest(t.weight, *k);
        t.weight = floor_div(t.weight, *k);
        if (t.weight) ox_poly_push(quotient, &t);
        t.weight = r;
        if (r) ox_poly_push(rest, &t);
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
        if (p->t[i].n == 1 && p->t[i].weight == 1 && p->t[i].f[0]->kind == K_FLOORDIV &&
            ox_dim_is_const(p->t[i].f[0]->b, NULL)) {
            at = i;
            found++;
        }
    if (found != 1) return false;
    ox_dim atom = p->t[at].f[0];
    poly sum;
    ox_dim_is_const(atom->b, &j);
    if (!ox_mul_ok(j, *k, &jk)) return false;
    ox_poly_set(&sum, atom->a);
    for (uint32_t i = 0; i < p->n; i++) {
        term t = p->t[i];
        if (i == at) continue;
        if (!ox_mul_ok(t.weight, j, &t.weight)) return false;
        ox_poly_push(&sum, &t);
    }
    int64_t c;
    if (!ox_mul_ok(p->c, j, &c) || !ox_add_ok(sum.c, c, &sum.c) || !ox_poly_merge(&sum)) return false;
    *p = sum;
    *k = jk;
    return true;
}

/* floordiv of a by a number k > 0. */
static ox_dim floordiv_number(ox_ctx *ctx, ox_dim a, int64_t k) {
    poly p, quotient, rest, sum;
    int64_t g, low, lo, hi;
    ox_poly_set(&p, a);
    ox_poly_zero(&sum);
    do { /* each turn makes the nesting less deep */
        reduce(&p, &k, &quotient, &rest, &g, &low);
        for (uint32_t i = 0; i < quotient.n; i++) ox_poly_push(&sum, &quotient.t[i]);
        if (!ox_add_ok(sum.c, quotient.c, &sum.c) || rest.bad) return NULL;
        p = rest;
    } while (k > 1 && unnest_floordiv(&p, &k));
    if (k == 1) { /* nothing is left but whole numbers */
        for (uint32_t i = 0; i < p.n; i++) ox_poly_push(&sum, &p.t[i]);
        return ox_add_ok(sum.c, p.c, &sum.c) ? ox_poly_finish(ctx, &sum) : NULL;
    }
    ox_range_terms(p.t, p.n, p.c, &lo, &hi);
    if (!infinite(lo) && !infinite(hi) && floor_div(lo, k) == floor_div(hi, k))
        return ox_add_ok(sum.c, floor_div(lo, k), &sum.c) ? ox_poly_finish(ctx, &sum) : NULL;
    ox_dim dividend = ox_poly_finish(ctx, &p), divisor = ox_dim_const(ctx, k);
    ox_dim atom = dividend && divisor ? ox_dim_atom(ctx, K_FLOORDIV, dividend, divisor) : NULL;
    if (!atom) return NULL;
    ox_poly_add(&sum, atom, 1, NULL);
    return ox_poly_finish(ctx, &sum);
}

/* Takes mod(x, j*k) out of a sum that is looked at modulo k. */
static bool unnest_mod(poly *p, int64_t k) {
    for (uint32_t i = 0; i < p->n; i++) {
        int64_t jk = 0, w = p->t[i].weight;
        ox_dim atom = p->t[i].f[0];
        if (p->t[i].n != 1 || atom->kind != K_MOD || !ox_dim_is_const(atom->b, &jk) || jk % k) continue;
        p->t[i] = p->t[--p->n];
        ox_poly_add(p, atom->a, w, NULL);
        return ox_poly_merge(p);
    }
    return false;
}

static ox_dim mod_number(ox_ctx *ctx, ox_dim a, int64_t k) {
    poly p, quotient, rest;
    int64_t g, low, lo, hi, left;
    ox_poly_set(&p, a);
    do {
        if (p.bad) return NULL;
        left = k;
        reduce(&p, &left, &quotient, &rest, &g, &low);
    } while (unnest_mod(&p, k));
    if (rest.bad) return NULL;
    ox_range_terms(rest.t, rest.n, rest.c, &lo, &hi);
    ox_dim r = ox_poly_finish(ctx, &rest);
    if (!r) return NULL;
    if (left == 1)
        r = ox_dim_const(ctx, 0);
    else if (lo < 0 || hi >= left)
        r = ox_dim_atom(ctx, K_MOD, r, ox_dim_const(ctx, left));
    if (!r) return NULL;
    ox_poly_zero(&p);
    ox_poly_add(&p, r, g, NULL);
    return ox_add_ok(p.c, low, &p.c) ? ox_poly_finish(ctx, &p) : NULL;
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
    ox_poly_zero(&p);
    if (common.n)
        ox_poly_push(&p, &common);
    else
        p.c = g;
    ox_dim f = ox_poly_finish(ctx, &p), x = ox_dim_exact_div(ctx, *a, f), y = ox_dim_exact_div(ctx, *b, f);
    if (!x || !y) return;
    *a = x;
    *b = y;
}

/* a = b * (result) + *rest; NULL when no part is divisible. */
static ox_dim split_multiple(ox_ctx *ctx, ox_dim a, ox_dim b, ox_dim *rest) {
    poly p, q;
    if (b->n != 1 || b->c) return NULL; /* by N+1 that would make N something with a minus in it */
    ox_poly_set(&p, a);
    if (!divide_poly(&p, b, &q)) return NULL;
    ox_dim whole = ox_poly_finish(ctx, &q);
    if (!whole || ox_dim_is(whole, 0)) return NULL;
    *rest = ox_poly_finish(ctx, &p);
    return *rest ? whole : NULL;
}

static ox_dim divide(ox_ctx *ctx, kind k, ox_dim a, ox_dim b) {
    ox_dim exact = ox_dim_exact_div(ctx, a, b), rest, whole;
    if (exact) return exact;
    if (k == K_FLOORDIV && a->lo >= 0 && ox_dim_at_least(b, a, -1)) return ox_dim_const(ctx, 0);
    whole = split_multiple(ctx, a, b, &rest);
    if (whole && rest != a)
        return ox_dim_add(ctx, whole, k == K_FLOORDIV ? ox_dim_floordiv(ctx, rest, b) : ox_dim_ceildiv(ctx, rest, b));
    ox_dim x = a, y = b;
    cancel(ctx, &x, &y);
    if (y != b) return k == K_FLOORDIV ? ox_dim_floordiv(ctx, x, y) : ox_dim_ceildiv(ctx, x, y);
    return ox_dim_atom(ctx, k, a, b);
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
    if (ox_dim_is_const(b, &k))
        return k > 0 ? mod_number(ctx, a, k) : negated(ctx, ox_dim_mod(ctx, negated(ctx, a), negated(ctx, b)));
    if (ox_dim_exact_div(ctx, a, b)) return ox_dim_const(ctx, 0);
    if (a->lo >= 0 && ox_dim_at_least(b, a, -1)) return a;
    if (split_multiple(ctx, a, b, &rest) && rest != a) return ox_dim_mod(ctx, rest, b);
    return ox_dim_atom(ctx, K_MOD, a, b);
}
