/* What can be said of dimension expressions: proofs, min and max, ranges, values, text. */
#include "ir/expr_private.h"

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

/* p >= 0 for all values? Where intervals do not tell, one atom after the other is replaced by what it is at least (or
 * at most); `steps` bounds the search. */
static bool poly_nonneg(const poly *p, int *steps) {
    int64_t lo, hi;
    ox_range_terms(p->t, p->n, p->c, &lo, &hi);
    if (lo >= 0) return true;
    if (p->n > 16) return false;
    for (uint32_t i = 0; i < p->n; i++) {
        bound b[2];
        const term *t = &p->t[i];
        int n = t->n == 1 ? bounds_of(t->f[0], t->weight < 0, b) : 0;
        for (int j = 0; j < n; j++) {
            poly q;
            if (--*steps < 0) return false;
            ox_poly_zero(&q);
            for (uint32_t k = 0; k < p->n; k++) {
                term scaled = p->t[k];
                if (!ox_mul_ok(scaled.weight, b[j].scale, &scaled.weight)) q.bad = true;
                if (k != i) ox_poly_push(&q, &scaled);
            }
            int64_t c, add;
            if (!ox_mul_ok(p->c, b[j].scale, &c) || !ox_mul_ok(t->weight, b[j].add, &add) || !ox_add_ok(c, add, &q.c))
                continue;
            ox_poly_add(&q, b[j].d, t->weight, NULL);
            if (ox_poly_merge(&q) && poly_nonneg(&q, steps)) return true;
        }
    }
    return false;
}

/* a - b + add >= 0? */
bool ox_dim_at_least(ox_dim a, ox_dim b, int64_t add) {
    poly p;
    int steps = 12;
    ox_poly_set(&p, a);
    if (b) ox_poly_add(&p, b, -1, NULL);
    if (!ox_add_ok(p.c, add, &p.c)) return false;
    return ox_poly_merge(&p) && poly_nonneg(&p, &steps);
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
    return k == K_MIN ? ox_dim_at_least(a, by, 0) : ox_dim_at_least(by, a, 0);
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
        for (int j = i; j && ox_dim_compare(list[j], list[j - 1]) < 0; j--) {
            ox_dim x = list[j];
            list[j] = list[j - 1];
            list[j - 1] = x;
        }
    ox_dim d = list[0];
    for (int i = 1; i < kept && d; i++) d = ox_dim_atom(ctx, k, d, list[i]);
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

bool ox_dim_nonneg(ox_dim d) { return d && (d->lo >= 0 || ox_dim_at_least(d, NULL, 0)); }
bool ox_dim_positive(ox_dim d) { return d && (d->lo >= 1 || ox_dim_at_least(d, NULL, -1)); }

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
    static const char *const names[] = {
        [K_FLOORDIV] = "floordiv", [K_CEILDIV] = "ceildiv", [K_MOD] = "mod", [K_MIN] = "min", [K_MAX] = "max"};
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
