/* The frame of random models: numbers from a seed, values at hand, constants, evaluation of new nodes, inputs and outputs. */
#include "random_model.h"

#include <math.h>
#include <stdio.h>

uint64_t rnd(random_model *r, uint64_t n) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % n;
}

/* ---- values ---- */

bool is_kind(const random_model *r, const item *it, int kinds) {
    ox_dtype t = it->rt->t->dtype;
    int kind = t == r->real ? REAL : t == OX_INT64 ? INT : t == OX_BOOL ? BOOL : 0;
    if ((kinds & HARD && it->soft) || (kinds & CONST && !it->constant) || (kinds & NOT_CONST && it->constant)) return false;
    return kinds & kind;
}

item *pick(random_model *r, int kinds, int min_rank, int max_rank) {
    item *fit[MAX_ITEMS];
    int n = 0;
    for (int i = 0; i < r->n_items; i++) {
        item *it = &r->items[i];
        if (is_kind(r, it, kinds) && rank_of(it) >= min_rank && rank_of(it) <= max_rank) fit[n++] = it;
    }
    if (!n) return NULL;
    int recent = n > 3 && chance(r, 60) ? 3 : n;
    return fit[n - 1 - (int)rnd(r, (uint64_t)recent)];
}

item *add_item(random_model *r, ox_value *v, ox_rt *rt, bool soft, bool is_constant) {
    if (r->n_items == MAX_ITEMS) {
        ox_rt_unref(rt);
        return NULL;
    }
    item *it = &r->items[r->n_items++];
    *it = (item){v, rt, soft, is_constant};
    return it;
}

static double number(random_model *r, style s) {
    static const double mixed[] = {0, -0.0, 1, -1, 0.5, 2, 3, -2.5};
    switch (s) {
    case ZEROS: return 0;
    case ONES: return 1;
    case TWOS: return 2;
    case MIXED: return mixed[rnd(r, 8)];
    default: return ((double)rnd(r, 64) - 31.5) / 16;
    }
}

static ox_tensor *tensor(random_model *r, ox_dtype t, int rank, const int64_t *dims, style s) {
    ox_tensor *x = ox_tensor_new(r->ctx, t, rank, dims);
    if (!x) ox_alloc(r->ctx->arena, SIZE_MAX); /* back to the guard */
    for (int64_t i = 0; i < x->count; i++) {
        double v = number(r, s);
        if (ox_dtype_is_float(t)) ox_store_double(t, ox_tensor_mut(x), i, v);
        else ox_store_int(t, ox_tensor_mut(x), i, t == OX_BOOL ? v > 0 : (int64_t)v);
    }
    return x;
}

/* An initializer, or now and then a Constant node. */
static item *add_constant(random_model *r, ox_tensor *t) {
    if (r->n_items == MAX_ITEMS) ox_alloc(r->ctx->arena, SIZE_MAX);
    ox_rt *rt = ox_rt_tensor(r->ctx, ox_tensor_ref(t));
    if (chance(r, 80)) return add_item(r, ox_graph_add_init(r->g, NULL, t), rt, false, true);
    ox_node *n = ox_node_make(r->g, r->g->first, "Constant", 0, NULL, 1); /* first: a node that is there may be given it */
    ox_attr_set_tensor(n, "value", t);
    return add_item(r, n->out[0], rt, false, true);
}

item *constant(random_model *r, ox_dtype t, int rank, const int64_t *dims, style s) {
    for (int i = 0; i < r->n_items && chance(r, 70); i++) { /* shared with another node where one fits */
        item *it = &r->items[i];
        const ox_tensor *x = it->rt->t;
        if (it->constant && x->dtype == t && x->rank == rank && (!rank || !memcmp(x->dims, dims, sizeof *dims * (size_t)rank)) && chance(r, 25)) return it;
    }
    return add_constant(r, tensor(r, t, rank, dims, s));
}

item *constant_ints(random_model *r, int64_t n, const int64_t *v) { return add_constant(r, ox_tensor_ints(r->ctx, n, v)); }

/* ---- nodes ---- */

ox_node *node(random_model *r, const char *op, int n_out, int n_in, item *const *in) {
    ox_value *v[8] = {0};
    for (int i = 0; i < n_in; i++) v[i] = in[i] ? in[i]->v : NULL;
    ox_node *n = ox_node_make(r->g, NULL, op, (uint32_t)n_in, v, (uint32_t)n_out);
    if (!n) ox_clear_error(r->ctx);
    return n;
}

static ox_rt *value_now(const random_model *r, const ox_value *v) {
    for (int i = r->n_items; i-- > 0;)
        if (r->items[i].v == v) return ox_rt_ref(r->items[i].rt);
    return NULL;
}

/* What it computes on the inputs drawn; false when it does not. */
static bool evaluate(random_model *r, ox_node *n, ox_rt **out) {
    ox_call c;
    if (ox_check_node(n) < 0 || ox_call_init(&c, r->ctx, r->scratch, n) < 0) return false;
    ox_rt *in[16] = {0};
    for (int i = 0; i < c.n_in && i < 16; i++)
        in[i] = c.in[i].t ? ox_rt_tensor(r->ctx, ox_tensor_ref((ox_tensor *)(uintptr_t)c.in[i].t)) : c.in[i].v ? value_now(r, c.in[i].v) : NULL;
    bool ok = c.n_in <= 16 && ox_eval_call(&c, in, out) == 0;
    for (int i = 0; i < c.n_in && i < 16; i++) ox_rt_unref(in[i]);
    ox_call_done(&c);
    return ok;
}

/* Small, and no number so large that its rounding would be seen. */
static bool modest(const ox_rt *rt, bool soft) {
    if (!rt || rt->kind != OX_RT_TENSOR || rt->t->rank > MAX_RANK || rt->t->count > 2000) return false;
    const void *data = ox_tensor_data(rt->t);
    for (int64_t i = 0; data && i < rt->t->count && soft; i++)
        if (!(fabs(ox_load_double(rt->t->dtype, data, i)) < 1e4)) return false;
    return data;
}

item *finish(random_model *r, ox_node *n, bool soft) {
    ox_rt *out[8] = {0};
    bool ok = evaluate(r, n, out);
    for (uint32_t i = 0; ok && i < n->n_out; i++) ok = modest(out[i], soft);
    ok = ok && r->n_items + (int)n->n_out < MAX_ITEMS;
    if (!ok) {
        ox_clear_error(r->ctx);
        for (uint32_t i = 0; i < n->n_out; i++) ox_rt_unref(out[i]);
        ox_node_remove(n);
        return NULL;
    }
    item *first = NULL;
    for (uint32_t i = 0; i < n->n_out; i++) {
        item *it = add_item(r, n->out[i], out[i], soft && ox_dtype_is_float(out[i]->t->dtype), false);
        if (!first) first = it;
    }
    return first;
}

item *unary(random_model *r, const char *op, item *x) {
    ox_node *n = x ? node(r, op, 1, 1, &x) : NULL;
    return n ? finish(r, n, x->soft) : NULL;
}

item *binary(random_model *r, const char *op, item *x, item *y) {
    ox_node *n = x && y ? node(r, op, 1, 2, (item *[]){x, y}) : NULL;
    return n ? finish(r, n, x->soft || y->soft) : NULL;
}

void set_ints(random_model *r, ox_node *n, const char *attr, int64_t since, uint32_t index, int64_t count, const int64_t *v) {
    if (r->opset < since) {
        ox_attr_set_ints(n, attr, (size_t)count, v);
        return;
    }
    while (n->n_in < index) ox_node_add_input(n, NULL);
    ox_node_add_input(n, constant_ints(r, count, v)->v);
}

/* ---- the model ---- */

static const char *const symbols[] = {"A", "B"};

/* Sizes of 0 and 1 are where rewrites go wrong. */
static int64_t size(random_model *r) {
    static const int64_t sizes[] = {1, 1, 2, 2, 3, 4, 4, 5, 6, 0};
    return sizes[rnd(r, 10)];
}

static void add_input(random_model *r, int i) {
    ox_dtype t = i == 0 || chance(r, 70) ? r->real : chance(r, 60) ? OX_INT64 : OX_BOOL;
    int rank = t == OX_BOOL ? 0 : (int)rnd(r, 5);
    if (i == 0 && rank < 2) rank = 4;
    int64_t n[MAX_RANK];
    ox_dim d[MAX_RANK];
    for (int k = 0; k < rank; k++) {
        int s = (int)rnd(r, 2);
        bool symbolic = chance(r, 35);
        n[k] = symbolic ? r->sizes[s] : size(r);
        d[k] = symbolic && chance(r, 15) ? NULL : symbolic ? ox_dim_symbol(r->ctx, ox_intern(r->ctx, symbols[s])) : ox_dim_const(r->ctx, n[k]);
    }
    ox_value *v = ox_graph_add_input(r->g, ox_intern(r->ctx, ox_format(r->m->arena, "x%d", i)), ox_type_tensor(r->m->arena, t, rank, d));
    r->inputs[i] = ox_rt_tensor(r->ctx, tensor(r, t, rank, n, chance(r, 30) ? MIXED : SMALL));
    add_item(r, v, ox_rt_ref(r->inputs[i]), false, false);
}

static void add_output(random_model *r, item *it, int *n) {
    for (uint32_t i = 0; i < r->g->ret->n_in; i++)
        if (r->g->ret->in[i].v == it->v && !chance(r, 10)) return;
    ox_graph_add_output(r->g, it->v, ox_intern(r->ctx, ox_format(r->m->arena, "y%d", *n)));
    /* The rank is left open: it may be another one for other sizes (Squeeze without axes). */
    if (!it->v->type) it->v->type = ox_type_tensor(r->m->arena, it->rt->t->dtype, -1, NULL);
    ++*n;
}

/* Values that nothing uses, and one more that may be anything: also an input, a constant, or one that is used. */
static void add_outputs(random_model *r) {
    int n = 0;
    for (int i = r->n_items; i-- > 0 && n < 5;)
        if (!r->items[i].v->nuses && r->items[i].v->def && (!r->items[i].constant || chance(r, 10)) && chance(r, 80)) add_output(r, &r->items[i], &n);
    if (!n || chance(r, 40)) add_output(r, &r->items[rnd(r, (uint64_t)r->n_items)], &n);
}

void random_model_make(random_model *r, ox_ctx *ctx, uint64_t seed, ox_dtype real) {
    static const int64_t opsets[] = {9, 10, 11, 13, 17, 18, 20, 21, 23, 25};
    *r = (random_model){.ctx = ctx, .real = real, .state = seed * 7919 + 1};
    r->opset = opsets[rnd(r, 10)];
    r->m = ox_model_new(ctx, 10);
    ox_model_import(r->m, ox_intern(ctx, ""), r->opset);
    r->g = r->m->graph;
    r->scratch = ox_arena_new(ctx);
    r->sizes[0] = size(r);
    r->sizes[1] = size(r);
    int inputs = 1 + (int)rnd(r, MAX_INPUTS);
    for (int i = 0; i < inputs; i++) add_input(r, i);
    size_t wanted = 6 + rnd(r, 24);
    for (int tries = 0; tries < 200 && r->g->n_nodes < wanted && r->n_items < MAX_ITEMS - 24; tries++) {
        add_random_node(r);
        ox_arena_reset(r->scratch);
    }
    add_outputs(r);
}

void random_model_free(random_model *r) {
    for (int i = 0; i < r->n_items; i++) ox_rt_unref(r->items[i].rt);
    for (int i = 0; i < MAX_INPUTS; i++) ox_rt_unref(r->inputs[i]);
    ox_arena_free(r->scratch);
    ox_model_free(r->m);
}
