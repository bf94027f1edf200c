/* What random models are made of: operators with random operands and parameters, near to what passes look for: chains of moves, constants that
 * do or do not broadcast, shapes computed from shapes, scales around convolutions, bodies. */
#include "random_model.h"

/* Axis of a value, counted from either end. */
static int64_t axis_of(random_model *r, int rank) {
    int64_t a = (int64_t)rnd(r, (uint64_t)rank);
    return chance(r, 30) ? a - rank : a;
}

/* ---- arithmetic ---- */

static void add_unary(random_model *r) {
    item *x = pick(r, REAL | INT | BOOL, 0, MAX_RANK);
    if (!x) return;
    if (is_kind(r, x, BOOL)) unary(r, PICK(r, "Not", "Not", "Identity"), x);
    else if (is_kind(r, x, INT)) unary(r, PICK(r, "Abs", "Neg", "Sign", "Identity"), x);
    else if (x->soft || chance(r, 60)) unary(r, PICK(r, "Relu", "Relu", "Abs", "Neg", "Neg", "Sigmoid", "Tanh", "Identity", "Softplus"), x);
    else unary(r, PICK(r, "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Ceil", "Floor", "Round", "Sign"), x);
}

/* A shape that is x's, or broadcasts with it one way or the other: fewer axes, axes of 1, more axes, now and then none of it. */
static int related_shape(random_model *r, const item *x, int64_t *dims) {
    int rank = rank_of(x), skip = chance(r, 50) ? 0 : (int)rnd(r, (uint64_t)rank + 1), n = 0;
    if (chance(r, 25)) return 0;
    if (!skip && rank < MAX_RANK && chance(r, 10)) dims[n++] = 1 + (int64_t)rnd(r, 2);
    for (int i = skip; i < rank; i++) dims[n++] = chance(r, 40) ? 1 : dims_of(x)[i] == 1 && chance(r, 30) ? 2 : dims_of(x)[i];
    if (n == rank && rank && chance(r, 4)) dims[n - 1] = 0;
    return n;
}

static item *related_constant(random_model *r, const item *x, style s) {
    int64_t dims[MAX_RANK + 1];
    int rank = related_shape(r, x, dims);
    return constant(r, x->rt->t->dtype, rank, dims, s);
}

static style any_style(random_model *r) { return (style)rnd(r, STYLES); }

static void add_binary(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK);
    if (!x) return;
    bool real = is_kind(r, x, REAL);
    item *y = chance(r, 60) ? related_constant(r, x, any_style(r)) : pick(r, real ? REAL : INT, 0, MAX_RANK);
    if (!y) return;
    bool soft = x->soft || y->soft, swap = chance(r, 30);
    const char *op = soft ? PICK(r, "Add", "Sub", "Mul", "Max", "Min") : !real ? PICK(r, "Add", "Sub", "Mul", "Div", "Mod", "Add", "Mul")
                                                                              : PICK(r, "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Add", "Mul");
    binary(r, op, swap ? y : x, swap ? x : y);
}

static void add_logic(random_model *r) {
    item *x = pick(r, REAL | INT | BOOL | HARD, 0, MAX_RANK);
    if (!x) return;
    int kind = is_kind(r, x, REAL) ? REAL : is_kind(r, x, INT) ? INT : BOOL;
    item *y = chance(r, 50) ? related_constant(r, x, any_style(r)) : pick(r, kind | HARD, 0, MAX_RANK);
    if (y) binary(r, kind == BOOL ? PICK(r, "And", "Or", "Xor", "Equal") : PICK(r, "Less", "Greater", "Equal", "GreaterOrEqual"), x, y);
}

static void add_where(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK), *c = pick(r, BOOL, 0, MAX_RANK), *y;
    if (!x) return;
    if (!c || chance(r, 40)) {
        int64_t dims[MAX_RANK + 1];
        int rank = related_shape(r, x, dims);
        c = constant(r, OX_BOOL, rank, dims, chance(r, 40) ? ZEROS : chance(r, 60) ? ONES : MIXED);
    }
    y = chance(r, 50) ? related_constant(r, x, any_style(r)) : pick(r, is_kind(r, x, REAL) ? REAL : INT, 0, MAX_RANK);
    if (!y) return;
    if (chance(r, 30)) c = unary(r, "Not", c);
    ox_node *n = c ? node(r, "Where", 1, 3, chance(r, 50) ? (item *[]){c, x, y} : (item *[]){c, y, x}) : NULL;
    if (n) finish(r, n, x->soft || y->soft);
}

static item *cast(random_model *r, item *x, ox_dtype to) {
    ox_node *n = node(r, "Cast", 1, 1, &x);
    if (n) ox_attr_set_int(n, "to", to);
    return n ? finish(r, n, x->soft) : NULL;
}

static void add_cast(random_model *r) {
    static const ox_dtype types[] = {OX_FLOAT, OX_DOUBLE, OX_FLOAT16, OX_INT64, OX_INT32, OX_INT8, OX_BOOL};
    item *x = pick(r, REAL | INT | BOOL | HARD, 0, MAX_RANK);
    x = x ? cast(r, x, types[rnd(r, 7)]) : NULL;
    if (x && x->rt->t->dtype != r->real && x->rt->t->dtype != OX_INT64) x = cast(r, x, types[rnd(r, 7)]);
    if (x && x->rt->t->dtype != r->real && x->rt->t->dtype != OX_INT64) cast(r, x, r->real);
}

/* An operand of Clip: absent, a constant, another scalar. */
static item *bound(random_model *r, bool upper) {
    if (chance(r, 30)) return NULL;
    if (chance(r, 10)) return pick(r, REAL, 0, 0);
    return constant(r, r->real, 0, NULL, upper && chance(r, 50) ? TWOS : any_style(r));
}

static void add_clip(random_model *r) {
    item *x = pick(r, REAL, 0, MAX_RANK), *lo = bound(r, false), *hi = bound(r, true);
    if (!x) return;
    if (r->opset < 11) { /* the bounds are attributes */
        ox_node *old = node(r, "Clip", 1, 1, &x);
        if (lo) ox_attr_set_float(old, "min", (float)((int)rnd(r, 4) - 1));
        if (hi) ox_attr_set_float(old, "max", (float)((int)rnd(r, 4) - 1));
        finish(r, old, x->soft);
        return;
    }
    ox_node *n = node(r, "Clip", 1, hi ? 3 : lo ? 2 : 1, (item *[]){x, lo, hi});
    if (n) finish(r, n, x->soft || (lo && lo->soft) || (hi && hi->soft));
}

/* ---- moves ---- */

/* Target that splits, merges or keeps sizes, some of them as 0 or -1. */
static int random_target(random_model *r, const item *x, int64_t *t) {
    int64_t left = x->rt->t->count;
    int n = 0, rank = rank_of(x);
    if (chance(r, 40)) {
        for (int i = 0; i < rank; i++) t[n++] = dims_of(x)[i];
        if (n >= 2 && chance(r, 60)) t[n - 2] *= t[n - 1], n--;
        else if (chance(r, 30) && n < MAX_RANK) t[n++] = 1;
    } else {
        while (n < 4 && left > 1 && chance(r, 70)) {
            int64_t d = 1 + (int64_t)rnd(r, 4);
            if (left % d) continue;
            t[n++] = d;
            left /= d;
        }
        t[n++] = left;
    }
    for (int i = 0; i < n && i < rank; i++)
        if (t[i] == dims_of(x)[i] && chance(r, 40)) t[i] = 0;
    if (n && chance(r, 50)) t[rnd(r, (uint64_t)n)] = -1;
    return n;
}

static item *reshape(random_model *r, item *x, item *target) {
    ox_node *n = node(r, "Reshape", 1, 2, (item *[]){x, target});
    if (n && r->opset >= 14 && chance(r, 10)) ox_attr_set_int(n, "allowzero", 1);
    return n ? finish(r, n, x->soft) : NULL;
}

static item *shape_of(random_model *r, item *x) {
    ox_node *n = node(r, "Shape", 1, 1, &x);
    if (!n) return NULL;
    if (r->opset >= 15 && chance(r, 30)) {
        if (chance(r, 70)) ox_attr_set_int(n, "start", (int64_t)rnd(r, 5) - 2);
        if (chance(r, 70)) ox_attr_set_int(n, "end", (int64_t)rnd(r, 5) - 2);
    }
    return finish(r, n, false);
}

static item *concat(random_model *r, item **parts, int n_parts, int64_t axis) {
    ox_node *n = node(r, "Concat", 1, n_parts, parts);
    if (!n) return NULL;
    ox_attr_set_int(n, "axis", axis);
    bool soft = false;
    for (int i = 0; i < n_parts; i++) soft |= parts[i]->soft;
    return finish(r, n, soft);
}

static item *gather(random_model *r, item *x, item *indices, int64_t axis) {
    ox_node *n = node(r, "Gather", 1, 2, (item *[]){x, indices});
    if (n && axis) ox_attr_set_int(n, "axis", axis);
    return n ? finish(r, n, x->soft) : NULL;
}

/* A target computed from the shape of x, piece by piece. */
static item *computed_target(random_model *r, item *x) {
    item *s = shape_of(r, x), *parts[4];
    int n = 0, pieces = 1 + (int)rnd(r, 3);
    while (s && n < pieces) {
        int64_t k = (int64_t)rnd(r, (uint64_t)rank_of(x) + 1), rest = -1;
        item *p;
        if (chance(r, 30)) p = constant_ints(r, 1, chance(r, 50) ? &rest : &k);
        else if (chance(r, 50)) p = gather(r, s, constant_ints(r, 1, &k), 0);
        else if (!(p = gather(r, s, constant(r, OX_INT64, 0, NULL, MIXED), 0))) return NULL;
        if (p && rank_of(p) == 0) {
            int64_t zero = 0;
            if (chance(r, 50)) p = binary(r, PICK(r, "Mul", "Add", "Div", "Sub"), p, constant(r, OX_INT64, 0, NULL, chance(r, 50) ? TWOS : ONES));
            ox_node *u = p ? node(r, "Unsqueeze", 1, 1, &p) : NULL;
            if (u) set_ints(r, u, "axes", 13, 1, 1, &zero);
            p = u ? finish(r, u, false) : NULL;
        }
        if (!p) return NULL;
        parts[n++] = p;
    }
    return s ? concat(r, parts, n, 0) : NULL;
}

static void add_reshape(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK);
    int64_t t[MAX_RANK + 1];
    if (!x) return;
    if (chance(r, 55)) {
        int n = random_target(r, x, t);
        reshape(r, x, constant_ints(r, n, t));
        return;
    }
    item *s = chance(r, 30) ? pick(r, INT, 1, 1) : chance(r, 30) ? shape_of(r, pick(r, REAL | INT, 0, MAX_RANK)) : computed_target(r, x);
    if (s) reshape(r, x, s);
}

static void add_squeeze(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK - 1);
    if (!x) return;
    int64_t axes[3], n = 0;
    if (chance(r, 50)) { /* Unsqueeze */
        int wanted = 1 + (int)rnd(r, 2);
        for (; n < wanted; n++) axes[n] = axis_of(r, rank_of(x) + wanted);
        ox_node *u = node(r, "Unsqueeze", 1, 1, &x);
        set_ints(r, u, "axes", 13, 1, n, axes);
        finish(r, u, x->soft);
        return;
    }
    for (int i = 0; i < rank_of(x) && n < 2; i++)
        if (dims_of(x)[i] == 1 && chance(r, 70)) axes[n++] = chance(r, 30) ? i - rank_of(x) : i;
    ox_node *s = node(r, "Squeeze", 1, 1, &x);
    if (n) set_ints(r, s, "axes", 13, 1, n, axes);
    finish(r, s, x->soft);
}

static void add_transpose(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK);
    for (int times = 1 + (int)rnd(r, 2); x && times--;) {
        int64_t perm[MAX_RANK];
        int rank = rank_of(x);
        for (int i = 0; i < rank; i++) perm[i] = i;
        for (int i = rank; i > 1; i--) {
            int64_t k = (int64_t)rnd(r, (uint64_t)i), old = perm[k];
            perm[k] = perm[i - 1];
            perm[i - 1] = old;
        }
        ox_node *n = node(r, "Transpose", 1, 1, &x);
        if (rank && chance(r, 85)) ox_attr_set_ints(n, "perm", (size_t)rank, perm);
        x = finish(r, n, x->soft);
    }
}

static void add_flatten(random_model *r) {
    item *x = pick(r, REAL, 0, MAX_RANK);
    if (!x) return;
    ox_node *n = node(r, "Flatten", 1, 1, &x);
    if (chance(r, 70)) ox_attr_set_int(n, "axis", axis_of(r, rank_of(x) + 1));
    finish(r, n, x->soft);
}

static void add_expand(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK);
    if (!x) return;
    int64_t dims[MAX_RANK + 1];
    int rank = related_shape(r, x, dims);
    item *s = chance(r, 50) ? constant_ints(r, rank, dims) : chance(r, 50) ? shape_of(r, pick(r, REAL | INT, 0, MAX_RANK)) : computed_target(r, x);
    ox_node *n = s ? node(r, "Expand", 1, 2, (item *[]){x, s}) : NULL;
    item *e = n ? finish(r, n, x->soft) : NULL;
    if (e && is_kind(r, e, REAL) && chance(r, 50)) binary(r, PICK(r, "Add", "Mul", "Sub"), e, pick(r, REAL, 0, MAX_RANK));
}

static void add_tile(random_model *r) {
    item *x = pick(r, REAL, 1, MAX_RANK);
    if (!x) return;
    int64_t times[MAX_RANK];
    for (int i = 0; i < rank_of(x); i++) times[i] = chance(r, 70) ? 1 : (int64_t)rnd(r, 3);
    ox_node *n = node(r, "Tile", 1, 2, (item *[]){x, constant_ints(r, rank_of(x), times)});
    finish(r, n, x->soft);
}

static item *slice(random_model *r, item *x) {
    static const int64_t ends[] = {INT64_MAX, INT64_MAX, -1, 1, 2, 3, 100, INT64_MIN, INT32_MAX};
    static const int64_t starts[] = {0, 0, 0, 1, 2, -1, -2, 100, INT64_MAX};
    int64_t b[2], e[2], a[2], s[2];
    int n = chance(r, 70) || rank_of(x) < 2 ? 1 : 2;
    bool axes = n == 1 || chance(r, 60), steps = axes && chance(r, 40);
    for (int i = 0; i < n; i++) {
        b[i] = starts[rnd(r, 9)];
        e[i] = ends[rnd(r, 9)];
        a[i] = i && chance(r, 90) ? (a[0] + 1 + rank_of(x)) % rank_of(x) : axis_of(r, rank_of(x));
        s[i] = chance(r, 60) ? 1 : chance(r, 50) ? 2 : -1;
    }
    if (r->opset < 10) { /* all are attributes, steps there are none */
        ox_node *old = node(r, "Slice", 1, 1, &x);
        ox_attr_set_ints(old, "starts", (size_t)n, b);
        ox_attr_set_ints(old, "ends", (size_t)n, e);
        if (axes) ox_attr_set_ints(old, "axes", (size_t)n, a);
        return finish(r, old, x->soft);
    }
    item *in[5] = {x, constant_ints(r, n, b), constant_ints(r, n, e), axes ? constant_ints(r, n, a) : NULL, steps ? constant_ints(r, n, s) : NULL};
    ox_node *c = node(r, "Slice", 1, steps ? 5 : axes ? 4 : 3, in);
    return finish(r, c, x->soft);
}

static void add_slice(random_model *r) {
    item *x = pick(r, REAL | INT, 1, MAX_RANK);
    for (int times = 1 + (int)rnd(r, 2); x && times--;) x = slice(r, x);
}

static item *pad(random_model *r, item *x) {
    int64_t pads[2 * MAX_RANK];
    int rank = rank_of(x);
    for (int i = 0; i < 2 * rank; i++) pads[i] = i % rank < 2 && rank > 2 ? (chance(r, 4) ? 1 : 0) : chance(r, 50) ? 0 : (int64_t)rnd(r, 4) - 1;
    item *v = chance(r, 50) ? NULL : constant(r, x->rt->t->dtype, 0, NULL, any_style(r));
    bool old = r->opset < 11;
    ox_node *n = old ? node(r, "Pad", 1, 1, &x) : node(r, "Pad", 1, v ? 3 : 2, (item *[]){x, constant_ints(r, 2 * rank, pads), v});
    if (old) ox_attr_set_ints(n, "pads", (size_t)(2 * rank), pads);
    if (old && v) ox_attr_set_float(n, "value", (float)rnd(r, 2));
    if (chance(r, 10)) ox_attr_set_string(n, "mode", PICK(r, "reflect", "edge"));
    return finish(r, n, x->soft);
}

static void add_pad(random_model *r) {
    item *x = pick(r, REAL, 1, MAX_RANK);
    if (x) pad(r, x);
}

static void add_concat(random_model *r) {
    item *x = pick(r, REAL | INT, 1, MAX_RANK), *parts[4] = {x};
    if (!x) return;
    int64_t axis = axis_of(r, rank_of(x));
    int n = 1;
    for (int wanted = 1 + (int)rnd(r, 3); n < wanted; n++) {
        if (chance(r, 40)) {
            int64_t dims[MAX_RANK];
            memcpy(dims, dims_of(x), sizeof *dims * (size_t)rank_of(x));
            dims[(axis + rank_of(x)) % rank_of(x)] = (int64_t)rnd(r, 3);
            parts[n] = constant(r, x->rt->t->dtype, rank_of(x), dims, SMALL);
        } else {
            parts[n] = chance(r, 50) ? x : pick(r, is_kind(r, x, REAL) ? REAL : INT, rank_of(x), rank_of(x));
        }
    }
    item *c = concat(r, parts, n, axis);
    if (c && chance(r, 30)) concat(r, (item *[]){x, c}, 2, chance(r, 70) ? axis : axis_of(r, rank_of(x)));
}

static void add_split(random_model *r) {
    item *x = pick(r, REAL, 1, MAX_RANK);
    if (!x) return;
    int64_t axis = axis_of(r, rank_of(x)), whole = dims_of(x)[(axis + rank_of(x)) % rank_of(x)], parts[2] = {whole / 2, whole - whole / 2};
    int n = chance(r, 25) ? 1 : 2;
    if (n == 1) parts[0] = whole;
    ox_node *s = node(r, "Split", n, 1, &x);
    ox_attr_set_int(s, "axis", axis);
    if (r->opset >= 18 && chance(r, 50)) ox_attr_set_int(s, "num_outputs", n);
    else set_ints(r, s, "split", 13, 1, n, parts);
    finish(r, s, x->soft);
}

static void add_gather(random_model *r) {
    item *x = pick(r, REAL | INT, 1, MAX_RANK);
    if (!x) return;
    int64_t dims[2] = {1 + (int64_t)rnd(r, 2), 1};
    gather(r, x, constant(r, OX_INT64, (int)rnd(r, 3), dims, chance(r, 50) ? ZEROS : MIXED), axis_of(r, rank_of(x)));
}

static void add_shape(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK), *s = x ? shape_of(r, x) : NULL;
    if (!s) return;
    if (chance(r, 20)) s = unary(r, "Size", x);
    int64_t k = (int64_t)rnd(r, 5) - 2;
    if (s && rank_of(s) && chance(r, 50)) s = chance(r, 50) ? slice(r, s) : gather(r, s, chance(r, 50) ? constant_ints(r, 1, &k) : constant(r, OX_INT64, 0, NULL, MIXED), 0);
    if (s && chance(r, 30)) s = cast(r, s, OX_FLOAT);
    if (s && s->rt->t->dtype == OX_FLOAT && chance(r, 70)) s = binary(r, PICK(r, "Mul", "Div"), s, constant(r, OX_FLOAT, 0, NULL, TWOS));
    if (s && s->rt->t->dtype == OX_FLOAT) cast(r, s, OX_INT64);
}

static void add_fill(random_model *r) {
    item *x = pick(r, REAL, 0, MAX_RANK), *s = x ? shape_of(r, x) : NULL;
    ox_node *n = s ? node(r, "ConstantOfShape", 1, 1, &s) : NULL;
    if (!n) return;
    int64_t one = 1;
    ox_tensor *v = ox_tensor_new(r->ctx, r->real, 1, &one);
    ox_store_double(r->real, ox_tensor_mut(v), 0, (double)rnd(r, 2));
    ox_attr_set_tensor(n, "value", v);
    item *f = finish(r, n, false);
    if (f && chance(r, 60)) binary(r, PICK(r, "Add", "Mul", "Sub"), x, f);
}

/* ---- reductions ---- */

static void add_reduce(random_model *r) {
    item *x = pick(r, REAL, 1, MAX_RANK);
    if (!x) return;
    const char *op = PICK(r, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare");
    int64_t axes[2], n = 1 + (int64_t)rnd(r, 2);
    axes[0] = axis_of(r, rank_of(x));
    axes[1] = axes[0] + (axes[0] + 1 < (axes[0] < 0 ? 0 : rank_of(x)) ? 1 : 0);
    if (axes[1] == axes[0]) n = 1;
    ox_node *c = node(r, op, 1, 1, &x);
    bool keep = chance(r, 50);
    ox_attr_set_int(c, "keepdims", keep);
    int64_t since = !strcmp(op, "ReduceSum") ? 13 : 18;
    if (chance(r, 85)) set_ints(r, c, "axes", since, 1, n, axes);
    else if (r->opset >= since) ox_attr_set_int(c, "noop_with_empty_axes", chance(r, 50));
    item *y = finish(r, c, true);
    if (!y || !chance(r, 40)) return;
    ox_node *u = node(r, keep ? "Squeeze" : "Unsqueeze", 1, 1, &y);
    set_ints(r, u, "axes", 13, 1, n, axes);
    finish(r, u, true);
}

static void add_arg(random_model *r) {
    item *x = pick(r, REAL | HARD, 1, MAX_RANK);
    if (!x) return;
    ox_node *n = node(r, PICK(r, "ArgMax", "ArgMin"), 1, 1, &x);
    ox_attr_set_int(n, "axis", axis_of(r, rank_of(x)));
    ox_attr_set_int(n, "keepdims", chance(r, 50));
    if (r->opset >= 12 && chance(r, 20)) ox_attr_set_int(n, "select_last_index", 1);
    finish(r, n, false);
}

static void add_softmax(random_model *r) {
    item *x = pick(r, REAL, 1, MAX_RANK);
    if (!x) return;
    ox_node *n = node(r, PICK(r, "Softmax", "LogSoftmax"), 1, 1, &x);
    if (chance(r, 60)) ox_attr_set_int(n, "axis", axis_of(r, rank_of(x)));
    finish(r, n, true);
}

/* ---- layers ---- */

static void add_dropout(random_model *r) {
    item *x = pick(r, REAL, 0, MAX_RANK);
    bool given = x && r->opset >= 12 && chance(r, 30);
    if (!x) return;
    item *ratio = given ? constant(r, OX_FLOAT, 0, NULL, ZEROS) : NULL, *training = given ? constant(r, OX_BOOL, 0, NULL, ZEROS) : NULL;
    ox_node *n = node(r, "Dropout", chance(r, 20) ? 2 : 1, given ? 3 : 1, (item *[]){x, ratio, training});
    finish(r, n, x->soft);
}

static item *batch_norm(random_model *r, item *x) {
    int64_t c = dims_of(x)[1];
    item *in[5] = {x};
    for (int i = 1; i < 5; i++) in[i] = constant(r, r->real, 1, &c, i == 4 ? (chance(r, 50) ? ONES : TWOS) : SMALL);
    if (x->soft && chance(r, 10)) in[1 + rnd(r, 3)] = pick(r, REAL, 1, 1);
    for (int i = 1; i < 5; i++)
        if (!in[i]) return NULL;
    ox_node *n = node(r, "BatchNormalization", 1, 5, in);
    if (chance(r, 30)) ox_attr_set_float(n, "epsilon", 0.01f);
    return finish(r, n, true);
}

/* A scale or shift per channel, or what looks like one. */
static item *affine(random_model *r, item *x) {
    int64_t c = dims_of(x)[1], d[MAX_RANK];
    int rank = rank_of(x), n = 0;
    if (chance(r, 25)) return batch_norm(r, x);
    if (chance(r, 30)) d[n++] = 1;
    if (chance(r, 90)) d[n++] = c;
    if (n && chance(r, 85))
        for (int i = 2; i < rank; i++) d[n++] = 1;
    item *k = chance(r, 20) ? related_constant(r, x, SMALL) : constant(r, r->real, n, d, chance(r, 80) ? SMALL : TWOS);
    bool swap = chance(r, 30);
    return binary(r, swap ? PICK(r, "Add", "Mul", "Sub") : PICK(r, "Add", "Mul", "Sub", "Div"), swap ? k : x, swap ? x : k);
}

static item *conv(random_model *r, item *x) {
    int64_t c = dims_of(x)[1], group = chance(r, 60) || c == 0 ? 1 : c, per = 1 + (int64_t)rnd(r, 2), d[MAX_RANK];
    bool transposed = chance(r, 25);
    int rank = rank_of(x);
    d[0] = transposed ? c : group * per;
    d[1] = transposed ? per : group ? c / group : 0;
    for (int i = 2; i < rank; i++) d[i] = 1 + (int64_t)rnd(r, 3);
    int64_t outs = group * per;
    item *w = chance(r, 90) ? constant(r, r->real, rank, d, SMALL) : pick(r, REAL, rank, rank);
    item *b = chance(r, 50) ? constant(r, r->real, 1, &outs, SMALL) : NULL;
    ox_node *n = w ? node(r, transposed ? "ConvTranspose" : "Conv", 1, b ? 3 : 2, (item *[]){x, w, b}) : NULL;
    if (!n) return NULL;
    if (group != 1) ox_attr_set_int(n, "group", group);
    int64_t v[2 * MAX_RANK];
    for (int i = 0; i < 2 * rank; i++) v[i] = (int64_t)rnd(r, 2);
    if (chance(r, 40)) ox_attr_set_ints(n, "pads", (size_t)(2 * (rank - 2)), v);
    else if (chance(r, 30)) ox_attr_set_string(n, "auto_pad", PICK(r, "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"));
    for (int i = 0; i < rank; i++) v[i] = 1 + (int64_t)rnd(r, 2);
    if (chance(r, 30)) ox_attr_set_ints(n, "strides", (size_t)(rank - 2), v);
    return finish(r, n, true);
}

static void add_conv(random_model *r) {
    item *x = pick(r, REAL, 3, 4);
    if (x && chance(r, 30)) x = chance(r, 50) ? pad(r, x) : affine(r, x);
    if (x && rank_of(x) > 2) x = conv(r, x);
    for (int times = (int)rnd(r, 3); x && times-- && rank_of(x) >= 2;) x = affine(r, x);
}

static void add_pool(random_model *r) {
    item *x = pick(r, REAL, 3, 4);
    if (x && chance(r, 40)) x = unary(r, "Relu", x);
    if (x && chance(r, 50)) x = pad(r, x);
    if (!x) return;
    int64_t k[2 * MAX_RANK];
    size_t n = (size_t)rank_of(x) - 2;
    bool average = chance(r, 50);
    ox_node *p = node(r, average ? "AveragePool" : "MaxPool", 1, 1, &x);
    for (size_t i = 0; i < n; i++) k[i] = 1 + (int64_t)rnd(r, 3);
    ox_attr_set_ints(p, "kernel_shape", n, k);
    for (size_t i = 0; i < 2 * n; i++) k[i] = k[i % n] > 1 && i < n ? (int64_t)rnd(r, 2) : 0;
    if (chance(r, 30)) ox_attr_set_ints(p, "pads", 2 * n, k);
    for (size_t i = 0; i < n; i++) k[i] = 1 + (int64_t)rnd(r, 2);
    if (chance(r, 40)) ox_attr_set_ints(p, "strides", n, k);
    if (chance(r, 15)) ox_attr_set_int(p, "ceil_mode", 1);
    if (average && chance(r, 30)) ox_attr_set_int(p, "count_include_pad", 1);
    finish(r, p, x->soft || average);
}

static item *transposed(random_model *r, item *x) {
    ox_node *n = node(r, "Transpose", 1, 1, &x);
    ox_attr_set_ints(n, "perm", 2, (int64_t[]){1, 0});
    return finish(r, n, x->soft);
}

static void add_product(random_model *r) {
    item *x = pick(r, REAL, 1, 4), *y;
    if (!x) return;
    if (chance(r, 50) && rank_of(x) != 2) x = reshape(r, x, constant_ints(r, 2, (int64_t[]){dims_of(x)[0] ? dims_of(x)[0] : 1, -1}));
    if (!x) return;
    if (rank_of(x) == 2 && chance(r, 30)) x = transposed(r, x);
    if (!x) return;
    int64_t d[2] = {dims_of(x)[rank_of(x) - 1], 1 + (int64_t)rnd(r, 4)}, t[2] = {d[1], d[0]};
    bool gemm = rank_of(x) == 2 && chance(r, 40), flip = chance(r, 30);
    y = chance(r, 20) ? pick(r, REAL, 2, 2) : constant(r, r->real, 2, flip ? t : d, SMALL);
    if (y && flip && !gemm) y = transposed(r, y);
    if (!y) return;
    ox_node *n = node(r, gemm ? "Gemm" : "MatMul", 1, 2, (item *[]){x, y});
    if (gemm && flip) ox_attr_set_int(n, "transB", 1);
    if (gemm && chance(r, 30)) ox_attr_set_float(n, "alpha", 0.5f);
    if (gemm && chance(r, 30)) ox_attr_set_float(n, "beta", 2.0f);
    if (gemm && chance(r, 40)) ox_node_add_input(n, constant(r, r->real, 1, &d[1], SMALL)->v);
    item *p = finish(r, n, true);
    for (int times = (int)rnd(r, 3); p && times--;) p = rank_of(p) == 2 && chance(r, 25) ? batch_norm(r, p) : binary(r, PICK(r, "Add", "Mul", "Sub", "Div"), p, related_constant(r, p, SMALL));
}

/* ---- what exporters write, now and then with a number or an operand that is not what it should be ---- */

static item *scalar(random_model *r, double v) {
    static const int64_t one = 1;
    item *c = constant(r, r->real, chance(r, 70) ? 0 : 1, &one, SMALL);
    bool fresh = !c->v->nuses && c->v->data && c->v->data->count == 1;
    if (!fresh) return c;
    ox_store_double(r->real, ox_tensor_mut(c->v->data), 0, chance(r, 95) ? v : v + 1);
    return c;
}

static item *either(random_model *r, const char *op, item *x, item *y) {
    bool swap = chance(r, 40);
    return binary(r, op, swap ? y : x, swap ? x : y);
}

static void add_activation(random_model *r) {
    item *x = pick(r, REAL, 0, MAX_RANK), *a, *lo, *hi;
    ox_node *n;
    if (!x) return;
    switch (rnd(r, 5)) {
    case 0: /* Swish, Mish */
        a = chance(r, 50) ? unary(r, "Sigmoid", x) : unary(r, "Tanh", unary(r, "Softplus", x));
        either(r, "Mul", a, x);
        return;
    case 1: /* HardSwish */
        a = either(r, "Add", x, scalar(r, 3));
        lo = constant(r, r->real, 0, NULL, ZEROS);
        hi = scalar(r, 6);
        n = a ? node(r, "Clip", 1, 3, (item *[]){a, lo, hi}) : NULL;
        a = n ? finish(r, n, true) : NULL;
        if (chance(r, 80)) a = either(r, "Mul", a, x);
        if (a) binary(r, "Div", a, scalar(r, 6));
        return;
    case 2: /* Gelu */
        a = unary(r, "Erf", binary(r, "Div", x, scalar(r, 1.4142135623730951)));
        a = a ? either(r, "Mul", x, either(r, "Add", a, scalar(r, 1))) : NULL;
        if (a) either(r, "Mul", a, scalar(r, 0.5));
        return;
    case 3: /* Clip */
        lo = scalar(r, -1);
        hi = chance(r, 50) ? scalar(r, 1) : scalar(r, -2);
        a = either(r, chance(r, 50) ? "Max" : "Min", x, lo);
        either(r, chance(r, 50) ? "Min" : "Max", a, hi);
        return;
    default: /* the same twice */
        a = unary(r, PICK(r, "Neg", "Relu", "Abs", "Identity"), x);
        unary(r, PICK(r, "Neg", "Relu", "Abs"), a);
    }
}

static item *mean(random_model *r, item *x, int64_t axis) {
    ox_node *n = x ? node(r, "ReduceMean", 1, 1, &x) : NULL;
    if (!n) return NULL;
    set_ints(r, n, "axes", 18, 1, 1, &axis);
    if (chance(r, 10)) ox_attr_set_int(n, "keepdims", 0);
    return finish(r, n, true);
}

static void add_norm(random_model *r) {
    item *x = pick(r, REAL, 2, 4);
    if (!x) return;
    bool layer = chance(r, 60);
    int64_t axis = chance(r, 80) ? -1 : rank_of(x) - 2, last = dims_of(x)[rank_of(x) - 1];
    item *d = layer ? binary(r, "Sub", x, mean(r, x, axis)) : x;
    item *sq = d ? chance(r, 50) ? binary(r, "Pow", d, constant(r, r->real, 0, NULL, TWOS)) : binary(r, "Mul", d, d) : NULL;
    item *root = unary(r, "Sqrt", either(r, "Add", mean(r, sq, axis), scalar(r, 1e-2)));
    item *y = d && root ? binary(r, "Div", d, root) : NULL;
    if (y && chance(r, 80)) y = either(r, "Mul", y, constant(r, r->real, 1, &last, SMALL));
    if (y && chance(r, 60)) either(r, "Add", y, constant(r, r->real, 1, &last, SMALL));
}

static item *with_axes(random_model *r, const char *op, item *x, int64_t n, const int64_t *axes) {
    ox_node *u = x ? node(r, op, 1, 1, &x) : NULL;
    if (!u) return NULL;
    set_ints(r, u, "axes", 13, 1, n, axes);
    return finish(r, u, x->soft);
}

/* Axes that come and go. */
static void add_axes(random_model *r) {
    item *x = pick(r, REAL | INT, 1, MAX_RANK - 2);
    if (!x) return;
    int64_t a = axis_of(r, rank_of(x) + 1), b = chance(r, 70) ? a : axis_of(r, rank_of(x) + 1);
    item *u = with_axes(r, "Unsqueeze", x, 1, &a);
    if (u && chance(r, 40)) u = chance(r, 50) ? unary(r, "Abs", u) : either(r, "Add", u, related_constant(r, u, SMALL));
    u = with_axes(r, chance(r, 70) ? "Squeeze" : "Unsqueeze", u, 1, &b);
    if (u && chance(r, 50)) with_axes(r, chance(r, 50) ? "Squeeze" : "Unsqueeze", u, 1, &a);
    item *y = chance(r, 30) ? pick(r, REAL | HARD, 1, MAX_RANK) : NULL;
    ox_node *n = y ? node(r, "ArgMax", 1, 1, &y) : NULL;
    if (!n) return;
    int64_t axis = axis_of(r, rank_of(y));
    ox_attr_set_int(n, "axis", axis);
    bool keep = chance(r, 50);
    if (!keep) ox_attr_set_int(n, "keepdims", 0);
    with_axes(r, keep ? "Squeeze" : "Unsqueeze", finish(r, n, false), 1, &axis);
}

/* ---- bodies ---- */

static item *random_branch(random_model *r, ox_node *owner, const char *attr, ox_dtype want) {
    ox_graph *outer = r->g, *g = ox_graph_new(r->m, outer, owner);
    ox_attr_add(owner, attr, OX_A_GRAPH)->g = g;
    r->g = g;
    r->depth++;
    for (int i = 1 + (int)rnd(r, 4); i--;) add_random_node(r);
    item *result = NULL;
    for (int tries = 0; tries < 20 && !result; tries++) {
        item *it = pick(r, REAL | INT | BOOL, 0, MAX_RANK);
        if (it && (!want || it->rt->t->dtype == want)) result = it;
    }
    if (result) ox_graph_add_output(g, result->v, NULL);
    if (result && !result->v->type) result->v->type = ox_type_tensor(r->m->arena, result->rt->t->dtype, -1, NULL);
    r->depth--;
    r->g = outer;
    return result;
}

static void forget(random_model *r, int keep) {
    while (r->n_items > keep) ox_rt_unref(r->items[--r->n_items].rt);
}

static void add_if(random_model *r) {
    item *c = pick(r, BOOL, 0, 0);
    if (r->depth >= 2 || r->n_items > MAX_ITEMS - 96) return;
    if (!c || chance(r, 30)) c = constant(r, OX_BOOL, 0, NULL, chance(r, 50) ? ONES : ZEROS);
    ox_node *n = node(r, "If", 1, 1, &c);
    bool taken = ox_load_int(OX_BOOL, ox_tensor_data(c->rt->t), 0);
    int before = r->n_items;
    ox_rt *results[2] = {0};
    bool soft = false;
    for (int i = 0; i < 2; i++) {
        item *it = random_branch(r, n, i ? "else_branch" : "then_branch", i && results[0] ? results[0]->t->dtype : OX_UNDEFINED);
        if (it) results[i] = ox_rt_ref(it->rt);
        soft |= it && it->soft;
        forget(r, before);
    }
    if (!results[0] || !results[1]) {
        ox_node_remove(n);
    } else {
        item *it = &r->items[r->n_items++];
        *it = (item){n->out[0], ox_rt_ref(results[taken ? 0 : 1]), soft, false};
    }
    ox_rt_unref(results[0]);
    ox_rt_unref(results[1]);
}

/* An output of the body that is to be given on: an item of the element type, of any when that is OX_UNDEFINED. */
static item *result_of(random_model *r, ox_dtype want, int max_rank) {
    for (int tries = 0; tries < 20; tries++) {
        item *it = pick(r, REAL | INT, 0, max_rank);
        if (it && (!want || it->rt->t->dtype == want)) return it;
    }
    return NULL;
}

static item *body_input(random_model *r, ox_rt *rt, int rank, bool soft) {
    ox_sym name = ox_intern(r->ctx, ox_format(r->m->arena, "in%d", r->n_names++));
    ox_value *v = ox_graph_add_input(r->g, name, ox_type_tensor(r->m->arena, rt->t->dtype, rank, NULL));
    return add_item(r, v, ox_rt_ref(rt), soft, false);
}

/* What one trip leaves of a scan output. */
static ox_rt *stacked(random_model *r, const ox_tensor *t) {
    int64_t dims[MAX_RANK + 1] = {1};
    for (int i = 0; i < t->rank; i++) dims[i + 1] = t->dims[i];
    ox_tensor *s = ox_tensor_new(r->ctx, t->dtype, t->rank + 1, dims);
    if (!s) ox_alloc(r->ctx->arena, SIZE_MAX);
    if (t->bytes) memcpy(ox_tensor_mut(s), ox_tensor_data(t), (size_t)t->bytes);
    return ox_rt_tensor(r->ctx, s);
}

/* A Loop of one trip: what it gives is what its body gives. */
static void add_loop(random_model *r) {
    item *x = pick(r, REAL | INT, 0, MAX_RANK), *trips = constant(r, OX_INT64, 0, NULL, ONES), *yes = constant(r, OX_BOOL, 0, NULL, ONES);
    if (!x || r->depth >= 2 || r->n_items > MAX_ITEMS - 96 || ox_load_int(OX_INT64, ox_tensor_data(trips->rt->t), 0) != 1) return;
    if (!ox_load_int(OX_BOOL, ox_tensor_data(yes->rt->t), 0)) return;
    ox_node *n = node(r, "Loop", 2, 3, (item *[]){trips, chance(r, 50) ? yes : NULL, x});
    if (!n) return;
    ox_rt *first = ox_rt_tensor(r->ctx, ox_tensor_scalar_int(r->ctx, OX_INT64, 0)), *on = ox_rt_ref(yes->rt);
    ox_graph *outer = r->g, *g = ox_graph_new(r->m, outer, n);
    ox_attr_add(n, "body", OX_A_GRAPH)->g = g;
    int before = r->n_items;
    r->g = g;
    r->depth++;
    body_input(r, first, 0, false);
    item *go = body_input(r, on, 0, false);
    ox_value *cond = go->v;
    item carried = *x; /* items may move */
    body_input(r, carried.rt, -1, carried.soft);
    for (int i = 1 + (int)rnd(r, 4); i--;) add_random_node(r);
    item *out = result_of(r, carried.rt->t->dtype, MAX_RANK), *scan = result_of(r, OX_UNDEFINED, MAX_RANK - 1);
    ox_rt *results[2] = {out ? ox_rt_ref(out->rt) : NULL, scan ? stacked(r, scan->rt->t) : NULL};
    bool soft[2] = {out && out->soft, scan && scan->soft};
    if (out && scan) {
        if (chance(r, 50)) cond = ox_node_make(g, NULL, "Identity", 1, &cond, 1)->out[0];
        ox_graph_add_output(g, cond, NULL);
        ox_graph_add_output(g, out->v, NULL);
        ox_graph_add_output(g, scan->v, NULL);
        for (uint32_t i = 0; i < 3; i++)
            if (!g->ret->in[i].v->type)
                g->ret->in[i].v->type = ox_type_tensor(r->m->arena, i == 0 ? OX_BOOL : results[i - 1]->t->dtype, -1, NULL);
    }
    r->depth--;
    r->g = outer;
    forget(r, before);
    ox_rt_unref(first);
    ox_rt_unref(on);
    if (!results[0] || !results[1]) {
        ox_node_remove(n);
        ox_rt_unref(results[0]);
        ox_rt_unref(results[1]);
        return;
    }
    for (int i = 0; i < 2; i++) add_item(r, n->out[i], results[i], soft[i], false);
}

void add_random_node(random_model *r) {
    static void (*const kinds[])(random_model *r) = {
        add_unary, add_unary, add_binary, add_binary, add_binary, add_logic, add_where, add_cast, add_clip, add_reshape, add_reshape, add_reshape,
        add_squeeze, add_transpose, add_flatten, add_expand, add_tile, add_slice, add_slice, add_pad, add_concat, add_split, add_gather, add_shape,
        add_fill, add_reduce, add_arg, add_softmax, add_dropout, add_conv, add_conv, add_pool, add_product, add_product, add_if, add_loop,
        add_activation, add_activation, add_norm, add_axes,
    };
    kinds[rnd(r, sizeof kinds / sizeof kinds[0])](r);
}
