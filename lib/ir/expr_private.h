/* The representation of dimension expressions, for the files expr*.c; see expr.c for the canonical form. */
#ifndef OX_EXPR_PRIVATE_H
#define OX_EXPR_PRIVATE_H

#include "ir/ir_private.h"

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

/* A sum being made. Terms are sorted and merged by ox_poly_finish(). */
typedef struct poly {
    int64_t c;
    uint32_t n;
    bool bad;
    term t[MAX_WORK];
} poly;

/* ---- expr.c */
int ox_dim_compare(ox_dim a, ox_dim b);              /* an order by structure */
int ox_term_compare(const term *a, const term *b);   /* of products, weights apart */
void ox_range_terms(const term *t, uint32_t n, int64_t c, int64_t *lo, int64_t *hi);
ox_dim ox_dim_atom(ox_ctx *ctx, kind k, ox_dim a, ox_dim b); /* as it is, not simplified */
void ox_poly_set(poly *p, ox_dim d);
void ox_poly_zero(poly *p);
void ox_poly_push(poly *p, const term *t);
void ox_poly_add(poly *p, ox_dim d, int64_t k, const term *product); /* p += k * product * d; product NULL: 1 */
bool ox_poly_merge(poly *p);                         /* sorts and merges; false when the sum is too large */
ox_dim ox_poly_finish(ox_ctx *ctx, poly *p);         /* the expression; NULL when it is too large */

/* ---- expr_ask.c */
bool ox_dim_at_least(ox_dim a, ox_dim b, int64_t add); /* proves a - b + add >= 0; b may be NULL */

/* INT64_MIN and INT64_MAX as bounds stand for the infinities. */
static inline bool infinite(int64_t v) { return v == INT64_MIN || v == INT64_MAX; }

static inline int64_t floor_div(int64_t a, int64_t b) { /* b > 0 */
    return a / b - (a % b < 0);
}

static inline int64_t floor_rest(int64_t a, int64_t b) { /* b > 0 */
    int64_t r = a % b;
    return r < 0 ? r + b : r;
}

#endif
