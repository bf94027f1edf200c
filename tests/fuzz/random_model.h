/* Random small models that run: every node is evaluated while the model grows, so that what is made is known to be valid. */
#ifndef OX_TEST_RANDOM_MODEL_H
#define OX_TEST_RANDOM_MODEL_H

#include "exec/exec.h"

enum { MAX_ITEMS = 192, MAX_INPUTS = 4, MAX_RANK = 5 };

/* A value of the model with what it is on the inputs drawn. */
typedef struct item {
    ox_value *v;
    ox_rt *rt;
    bool soft;     /* passes may change how it is rounded: nothing that jumps may depend on it */
    bool constant;
} item;

typedef struct random_model {
    ox_ctx *ctx;
    ox_model *m;
    ox_graph *g;          /* where nodes are added: the main graph or a body */
    ox_arena *scratch;
    ox_dtype real;        /* the float type of the model */
    int64_t opset;
    uint64_t state;       /* of the random numbers */
    item items[MAX_ITEMS];
    int n_items;
    int depth;            /* bodies around */
    int n_names;          /* of inputs of bodies */
    int64_t sizes[2];     /* of the symbols "A" and "B" */
    ox_rt *inputs[MAX_INPUTS];
} random_model;

/* The model of a seed; two calls make the same. The context must be guarded by ox_protect(). */
void random_model_make(random_model *r, ox_ctx *ctx, uint64_t seed, ox_dtype real);
void random_model_free(random_model *r);

/* ---- for the files that add operators ---- */
uint64_t rnd(random_model *r, uint64_t n);                 /* 0 .. n-1 */
static inline bool chance(random_model *r, unsigned percent) { return rnd(r, 100) < percent; }
#define PICK(r, ...) ((const char *const[]){__VA_ARGS__}[rnd(r, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))])

enum { REAL = 1, INT = 2, BOOL = 4, HARD = 8, CONST = 16, NOT_CONST = 32 };
/* An item of one of the kinds (HARD: and not soft) whose rank is within the bounds; mostly a recent one. NULL: there is none. */
item *pick(random_model *r, int kinds, int min_rank, int max_rank);
bool is_kind(const random_model *r, const item *it, int kinds);
static inline int rank_of(const item *it) { return it->rt->t->rank; }
static inline const int64_t *dims_of(const item *it) { return it->rt->t->dims; }

typedef enum style { ZEROS, ONES, TWOS, SMALL, MIXED, STYLES } style;
item *constant(random_model *r, ox_dtype t, int rank, const int64_t *dims, style s);
item *constant_ints(random_model *r, int64_t n, const int64_t *v);
/* A node that is not yet evaluated; absent operands are NULL. NULL: the opset has no such operator. */
ox_node *node(random_model *r, const char *op, int n_out, int n_in, item *const *in);
/* Evaluates it and adds its outputs to the items: the first of them, or NULL when it cannot be run (then it is removed). */
item *finish(random_model *r, ox_node *n, bool soft);
/* A value made otherwise; takes the reference. NULL: there is no room. */
item *add_item(random_model *r, ox_value *v, ox_rt *rt, bool soft, bool is_constant);
item *unary(random_model *r, const char *op, item *x);
item *binary(random_model *r, const char *op, item *x, item *y);
/* Parameters that are an attribute before version `since` and input `index` from then on. */
void set_ints(random_model *r, ox_node *n, const char *attr, int64_t since, uint32_t index, int64_t count, const int64_t *v);

void add_random_node(random_model *r); /* random_ops.c; may add none */

#endif
