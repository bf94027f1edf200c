/* What newer versions of ai.onnx have no attribute for, as nodes. Called by raise_opset.c for one node at a time; the node keeps its
 * name and metadata, and the values it makes keep theirs.
 *
 *   Softmax, LogSoftmax, Hardmax   over all axes from one on (< 13): Flatten and Reshape around, unless one axis is all there is
 *   Add ... PRelu                  an operand that stands at an axis (< 7): Unsqueeze behind its dimensions
 *   BatchNormalization             one scale per element (spatial = 0, < 9): the arithmetic itself
 *   GroupNormalization             scale and bias per group (< 21): repeated for every channel of the group
 *   Dropout                        a mask of the type of the data (< 10): Cast of the mask; its ratio stays as an input
 *   Scan                           a batch around everything (8): a Scan over the batch around the Scan
 *   Resize                         tf_half_pixel_for_nn (< 13): half_pixel with the rounding that picks the same elements
 *   ImageScaler                    no operator of the standard since 10: Mul and Add
 *   Scatter, and an empty region for Resize of 11, which must have one */
#include "passes/raise_opset.h"

/* ---- small parts */

static int rank_of(const ox_value *v) { return v && ox_type_is_tensor(v->type) ? v->type->rank : -1; }

/* Lets the new node AFTER make what output I of N made: N gets a new value there. */
static void take_output(ox_node *n, uint32_t i, ox_node *after) {
    ox_value *theirs = n->out[i], *fresh = after->out[0];
    n->out[i] = fresh;
    fresh->def = n;
    fresh->index = i;
    after->out[0] = theirs;
    theirs->def = after;
    theirs->index = 0;
}

static ox_value *ints(ox_raise *s, ox_node *node, int64_t count, const int64_t *v, const char *what) {
    return ox_raise_constant(s, node, ox_tensor_ints(s->ctx, count, v), what);
}

static ox_value *unsqueeze(ox_raise *s, ox_node *before, ox_value *v, int count, const int64_t *axes) {
    ox_value *list = s->version >= 13 ? ints(s, before, count, axes, "axes") : NULL;
    if (s->version >= 13 && !list) return NULL;
    ox_node *u = ox_raise_node(before->graph, before, "Unsqueeze", list ? 2 : 1, (ox_value *[]){v, list});
    if (!u) return NULL;
    if (!list) ox_attr_set_ints(u, "axes", (size_t)count, axes);
    return u->out[0];
}

/* ---- Softmax and relatives */

/* The one axis from `axis` on that is not proved to be 1 long; -1 when there may be several. */
static int only_axis(const ox_type *t, int axis) {
    int found = axis;
    bool any = false;
    for (int d = axis; d < t->rank; d++) {
        int64_t size;
        if (ox_dim_is_const(t->dims[d], &size) && size == 1) continue;
        if (any) return -1;
        any = true;
        found = d;
    }
    return found;
}

/* The shape of X for a Reshape: a constant where that says it all. */
static ox_value *shape_of(ox_raise *s, ox_node *n, ox_value *x, bool *computed) {
    int rank = rank_of(x), open = 0;
    int64_t *dims = OX_NEW_N(s->arena, int64_t, rank + 1);
    *computed = rank < 0;
    for (int d = 0; d < rank; d++) {
        if (!ox_dim_is_const(x->type->dims[d], &dims[d])) dims[d] = -1, open++;
        if (dims[d] == 0 || open > 1) *computed = true;
    }
    if (!*computed) return ints(s, n, rank, dims, "shape");
    ox_node *shape = ox_raise_node(n->graph, n, "Shape", 1, &x);
    return shape ? shape->out[0] : NULL;
}

static int coerce_2d(ox_raise *s, ox_node *n, ox_call *c) {
    ox_value *x = ox_node_in(n, 0);
    int rank = rank_of(x);
    int64_t axis = ox_get_int(c, "axis");
    if (rank == 0) axis = 0;
    if (rank > 0 && axis < 0) axis += rank;
    if (rank > 0 && (axis < 0 || axis > rank)) return ox_fail(s->ctx, OX_BAD_DATA, "axis %lld is out of range for rank %d", (long long)axis, rank);
    int only = rank > 0 && axis < rank ? only_axis(x->type, (int)axis) : -1;
    if (only >= 0) {
        if (only != axis) ox_attr_set_int(n, "axis", only);
        return 0;
    }
    bool computed;
    ox_value *shape = shape_of(s, n, x, &computed);
    ox_node *flat = shape ? ox_raise_node(n->graph, n, "Flatten", 1, &x) : NULL;
    ox_node *back = flat ? ox_raise_node(n->graph, n->next, "Reshape", 2, (ox_value *[]){NULL, shape}) : NULL;
    if (!back) return -1;
    ox_attr_set_int(flat, "axis", axis);
    ox_node_set_input(n, 0, flat->out[0]);
    ox_attr_remove(n, "axis"); /* the last one of two */
    take_output(n, 0, back);
    ox_node_set_input(back, 0, n->out[0]);
    if (computed && s->version >= 14) ox_attr_set_int(back, "allowzero", 1);
    return 0;
}

/* ---- an operand at an axis */

/* Puts ones behind the dimensions of input 1, so that they begin at AXIS of input 0. */
static int stand_at(ox_raise *s, ox_node *n, int64_t axis) {
    ox_value *a = ox_node_in(n, 0), *b = ox_node_in(n, 1);
    int ra = rank_of(a), rb = rank_of(b);
    if (ra < 0 || rb < 0) return ox_fail(s->ctx, OX_UNAVAILABLE, "it broadcasts at an axis, but the ranks of its inputs are not known");
    if (axis < 0) axis += ra;
    if (axis < 0 || axis + rb > ra) return ox_fail(s->ctx, OX_BAD_DATA, "input 1 of rank %d does not fit at axis %lld of rank %d", rb, (long long)axis, ra);
    int more = ra - (int)axis - rb;
    if (!more) return 0;
    int64_t *dims = OX_NEW_N(s->arena, int64_t, ra + 1);
    ox_tensor *t = ox_constant(b);
    ox_value *v;
    if (t) {
        for (int d = 0; d < rb + more; d++) dims[d] = d < rb ? t->dims[d] : 1;
        v = ox_raise_stand_in(s, n, b, ox_tensor_reshaped(s->ctx, t, t->dtype, rb + more, dims), "at_axis");
    } else {
        for (int d = 0; d < more; d++) dims[d] = rb + d;
        v = unsqueeze(s, n, b, more, dims);
    }
    if (!v) return -1;
    ox_node_set_input(n, 1, v);
    ox_raise_release(b);
    return 0;
}

/* PRelu had one slope for each channel, or one for all. */
static int raise_axis(ox_raise *s, ox_node *n, ox_call *c) {
    ox_value *slope = ox_node_in(n, 1);
    ox_tensor *t = ox_constant(slope);
    if (ox_is(n, "PRelu") && ((t && t->count == 1) || (rank_of(slope) >= 0 && rank_of(slope) != 1) || rank_of(ox_node_in(n, 0)) == 1)) return 0;
    return stand_at(s, n, ox_get_int(c, "axis"));
}

/* ---- normalisation */

static ox_value *arith(ox_node *before, const char *op, ox_value *a, ox_value *b) {
    if (!a || (strcmp(op, "Sqrt") && !b)) return NULL;
    ox_node *n = ox_raise_node(before->graph, before, op, b ? 2 : 1, (ox_value *[]){a, b});
    return n ? n->out[0] : NULL;
}

/* y = (x - mean) / sqrt(var + epsilon) * scale + B, with one of each for every element; the node becomes the last Add. */
static int by_element(ox_raise *s, ox_node *n, ox_call *c) {
    if (n->n_out > 1) return ox_fail(s->ctx, OX_UNAVAILABLE, "training with one scale per element (spatial = 0) is not served");
    ox_value *x = ox_node_in(n, 0), *in[5];
    for (uint32_t i = 0; i < 5; i++)
        if (!(in[i] = ox_node_in(n, i))) return ox_fail(s->ctx, OX_BAD_DATA, "input %u is missing", i);
    ox_value *eps = ox_raise_scalar(s, n, ox_get_float(c, "epsilon"), x, "epsilon");
    ox_value *deviation = arith(n, "Sqrt", arith(n, "Add", in[4], eps), NULL);
    ox_value *unit = arith(n, "Div", arith(n, "Sub", x, in[3]), deviation), *scaled = arith(n, "Mul", unit, in[1]);
    if (!scaled) return -1;
    ox_node_set_inputs(n, 2, (ox_value *[]){scaled, in[2]});
    n->op_type = ox_intern(s->ctx, "Add");
    n->attrs = NULL;
    n->n_attrs = 0;
    return 0;
}

/* Every element of T, REPEAT times. */
static ox_tensor *repeated(ox_raise *s, const ox_tensor *t, int64_t repeat) {
    int64_t n;
    const void *from = ox_tensor_data(t);
    ox_tensor *out = from && ox_mul_ok(t->count, repeat, &n) ? ox_tensor_new(s->ctx, t->dtype, 1, &n) : NULL;
    void *to = out ? ox_tensor_mut(out) : NULL;
    for (int64_t i = 0; to && i < n; i++) ox_store_double(t->dtype, to, i, ox_load_double(t->dtype, from, i / repeat));
    return out;
}

/* {1, channels of a group}; CHANNELS 0: computed from the shape of X. */
static ox_value *group_shape(ox_raise *s, ox_node *n, int64_t groups, int64_t channels) {
    if (channels) return ints(s, n, 2, (int64_t[]){1, channels / groups}, "group");
    ox_value *count = ints(s, n, 1, &groups, "groups"), *one = ints(s, n, 1, (int64_t[]){1}, "one");
    ox_node *shape = count && one ? ox_raise_node(n->graph, n, "Shape", 1, &n->in[0].v) : NULL;
    if (!shape) return NULL;
    ox_attr_set_int(shape, "start", 1);
    ox_attr_set_int(shape, "end", 2);
    ox_value *per_group = arith(n, "Div", shape->out[0], count);
    ox_node *both = per_group ? ox_raise_node(n->graph, n, "Concat", 2, (ox_value *[]){one, per_group}) : NULL;
    if (!both) return NULL;
    ox_attr_set_int(both, "axis", 0);
    return both->out[0];
}

static ox_value *spread_groups(ox_raise *s, ox_node *n, ox_value *v, ox_value *shape) {
    ox_value *column = unsqueeze(s, n, v, 1, (int64_t[]){1});
    ox_node *wide = column ? ox_raise_node(n->graph, n, "Expand", 2, (ox_value *[]){column, shape}) : NULL;
    ox_value *line = wide ? ints(s, n, 1, (int64_t[]){-1}, "line") : NULL;
    ox_node *flat = line ? ox_raise_node(n->graph, n, "Reshape", 2, (ox_value *[]){wide->out[0], line}) : NULL;
    return flat ? flat->out[0] : NULL;
}

/* Scale and bias per group, repeated for the channels of each group. */
static int spread_over_channels(ox_raise *s, ox_node *n, ox_call *c) {
    int64_t groups = ox_get_int(c, "num_groups"), channels = 0, size;
    ox_value *x = ox_node_in(n, 0), *shape = NULL;
    if (rank_of(x) >= 2 && !ox_dim_is_const(x->type->dims[1], &channels)) channels = 0;
    if (groups < 1 || channels % groups) return ox_fail(s->ctx, OX_BAD_DATA, "%lld channels cannot be cut into %lld groups", (long long)channels, (long long)groups);
    for (uint32_t i = 1; i < 3 && channels != groups; i++) {
        ox_value *v = ox_node_in(n, i), *wide;
        if (!v) return ox_fail(s->ctx, OX_BAD_DATA, "input %u is missing", i);
        bool known = rank_of(v) == 1 && ox_dim_is_const(v->type->dims[0], &size);
        if (known && size != groups) {
            if (size == channels) continue; /* some exporters were ahead of the standard */
            return ox_fail(s->ctx, OX_BAD_DATA, "input %u has %lld elements for %lld groups", i, (long long)size, (long long)groups);
        }
        ox_tensor *t = ox_constant(v);
        if (t && channels) {
            wide = ox_raise_stand_in(s, n, v, repeated(s, t, channels / groups), i == 1 ? "scale" : "bias");
        } else {
            if (!shape && !(shape = group_shape(s, n, groups, channels))) return -1;
            wide = spread_groups(s, n, v, shape);
        }
        if (!wide) return -1;
        ox_node_set_input(n, i, wide);
        ox_raise_release(v);
    }
    return 0;
}

/* ---- Dropout */

static int cast_mask(ox_raise *s, ox_node *n) {
    ox_value *x = ox_node_in(n, 0), *mask = ox_node_out(n, 1);
    if (!mask) return 0;
    if (!mask->nuses) {
        ox_node_set_n_out(n, 1);
        return 0;
    }
    ox_dtype t = x && ox_type_is_tensor(x->type) ? x->type->dtype : OX_UNDEFINED;
    if (!t && s->version < 15) return ox_fail(s->ctx, OX_UNAVAILABLE, "its mask is used, but the element type is not known");
    ox_node *cast = ox_raise_node(n->graph, n->next, t ? "Cast" : "CastLike", t ? 1 : 2, (ox_value *[]){NULL, x});
    if (!cast) return -1;
    if (t) ox_attr_set_int(cast, "to", t);
    take_output(n, 1, cast);
    ox_node_set_input(cast, 0, n->out[1]);
    return 0;
}

/* The ratio counts in training only, but a trainer may want it. */
static int keep_ratio(ox_raise *s, ox_node *n) {
    const ox_attr *ratio = ox_attr_find(n, "ratio");
    if (n->n_in != 1 || !ratio || ratio->ref || ratio->type != OX_A_FLOAT) return 0;
    ox_value *v = ox_raise_constant(s, n, ox_tensor_scalar_double(s->ctx, OX_FLOAT, (double)ratio->f), "ratio");
    if (!v) return -1;
    ox_node_add_input(n, v);
    return 0;
}

/* ---- Scan of version 8 */

static const ox_type *without_batch(ox_raise *s, const ox_value *v) {
    const ox_type *t = v ? v->type : NULL;
    if (!ox_type_is_tensor(t)) return NULL;
    return ox_type_tensor(s->m->arena, t->dtype, t->rank < 1 ? -1 : t->rank - 1, t->rank < 1 ? NULL : t->dims + 1);
}

/* The node scans over the batch; in its body a Scan of the new form does for one element what it did before. */
static int scan_batch(ox_raise *s, ox_node *n) {
    ox_attr *body = ox_attr_find(n, "body");
    if (!body || body->type != OX_A_GRAPH || !body->g) return ox_fail(s->ctx, OX_BAD_DATA, "attribute 'body' is missing");
    uint32_t n_out = body->g->ret->n_in;
    ox_graph *g = ox_graph_new(s->m, n->graph, n);
    ox_value **in = OX_NEW_N(s->arena, ox_value *, n->n_in + 1);
    g->name = ox_intern(s->ctx, "batch");
    for (uint32_t i = 0; i < n->n_in; i++) in[i] = ox_graph_add_input(g, ox_fresh_name(s->m, "element"), without_batch(s, n->in[i].v));
    ox_node *inner = ox_node_make(g, NULL, "Scan", n->n_in, in, n_out);
    if (!inner) return -1;
    inner->from = "raise-opset";
    inner->attrs = n->attrs;
    inner->n_attrs = n->n_attrs;
    body->g->outer = g;
    body->g->owner = inner;
    for (uint32_t i = 0; i < n_out; i++) ox_graph_add_output(g, inner->out[i], NULL);
    n->attrs = NULL;
    n->n_attrs = 0;
    ox_attr_add(n, "body", OX_A_GRAPH)->g = g;
    ox_attr_set_int(n, "num_scan_inputs", n->n_in);
    if (n->n_out < n_out) ox_node_set_n_out(n, n_out);
    return 0;
}

/* ---- Resize */

/* floor((i + 0.5) / s) is what round_prefer_ceil makes of half_pixel's (i + 0.5) / s - 0.5; round_prefer_floor is its ceil. */
static int replace_tf_half_pixel(ox_raise *s, ox_node *n, const ox_op *old) {
    const ox_attr *how = ox_attr_find(n, "coordinate_transformation_mode"), *mode = ox_attr_find(n, "mode"), *round = ox_attr_find(n, "nearest_mode");
    static const char word[] = "tf_half_pixel_for_nn";
    if (old->since > 11 || s->version < 13 || !how || how->ref || how->type != OX_A_STRING) return 0;
    if (how->s.len != sizeof word - 1 || memcmp(how->s.data, word, how->s.len)) return 0;
    bool nearest = !mode || (!mode->ref && mode->type == OX_A_STRING && mode->s.len == 7 && !memcmp(mode->s.data, "nearest", 7));
    bool floor = round && !round->ref && round->type == OX_A_STRING && round->s.len == 5 && !memcmp(round->s.data, "floor", 5);
    bool dflt = !round || (!round->ref && round->type == OX_A_STRING && round->s.len == 18 && !memcmp(round->s.data, "round_prefer_floor", 18));
    if (!nearest || !(floor || dflt)) return ox_fail(s->ctx, OX_UNAVAILABLE, "coordinate_transformation_mode %s is gone since version 13", word);
    ox_attr_remove(n, "coordinate_transformation_mode"); /* half_pixel is the default */
    ox_attr_set_string(n, "nearest_mode", floor ? "round_prefer_ceil" : "ceil");
    s->changes++;
    return 0;
}

/* Region and scales are no optional inputs of version 11. */
static int need_region(ox_raise *s, ox_node *n) {
    if (s->version < 11 || s->version > 12) return 0;
    for (uint32_t i = 1; i < 3 && i < n->n_in; i++) {
        if (n->in[i].v) continue;
        ox_value *v = ox_raise_constant(s, n, ox_tensor_new(s->ctx, OX_FLOAT, 1, (int64_t[]){0}), i == 1 ? "roi" : "scales");
        if (!v) return -1;
        ox_node_set_input(n, i, v);
    }
    return 0;
}

/* ---- ImageScaler */

/* y = x * scale + bias, one bias for each channel; the node becomes the Add. */
int ox_raise_image_scaler(ox_raise *s, ox_node *n) {
    const ox_attr *scale = ox_attr_find(n, "scale"), *bias = ox_attr_find(n, "bias");
    ox_value *x = ox_node_in(n, 0);
    bool known = x && ox_type_is_tensor(x->type) && x->type->rank == 4 && ox_dtype_is_float(x->type->dtype);
    if (!known || !bias || bias->ref || bias->type != OX_A_FLOATS || (scale && (scale->ref || scale->type != OX_A_FLOAT)))
        return ox_fail(s->ctx, OX_UNAVAILABLE, "ImageScaler needs images of known rank and type, scale and bias");
    ox_tensor *t = ox_tensor_new(s->ctx, x->type->dtype, 4, (int64_t[]){1, (int64_t)bias->n, 1, 1});
    for (size_t i = 0; t && i < bias->n; i++) ox_store_double(t->dtype, ox_tensor_mut(t), (int64_t)i, (double)bias->fs[i]);
    ox_value *b = ox_raise_constant(s, n, t, "bias");
    if (scale && scale->f != 1) x = arith(n, "Mul", x, ox_raise_scalar(s, n, (double)scale->f, x, "scale"));
    if (!b || !x) return -1;
    ox_node_set_inputs(n, 2, (ox_value *[]){x, b});
    n->op_type = ox_intern(s->ctx, "Add");
    n->attrs = NULL;
    n->n_attrs = 0;
    ox_node_resolve(n);
    s->changes++;
    return 0;
}

/* ---- entries */

/* Whether anything sees an output from I on. */
static bool used_from(const ox_node *n, uint32_t i) {
    for (; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->nuses) return true;
    return false;
}

/* Outputs after the first belong to training; those after the third are gone since 14. */
static int cut_batch_norm(ox_raise *s, ox_node *n, const ox_op *target) {
    const ox_attr *test = ox_attr_find(n, "is_test");
    uint32_t keep = test && test->i ? 1 : target->since >= 14 ? 3 : 5;
    if (n->n_out <= keep) return 0;
    if (used_from(n, keep)) return ox_fail(s->ctx, OX_UNAVAILABLE, "an output that opset %lld does not have is used", (long long)s->version);
    ox_node_set_n_out(n, keep);
    return 0;
}

/* Training with one output: from 7 on that is inference. */
static bool trains(const ox_node *n) {
    const ox_attr *test = ox_attr_find(n, "is_test");
    return test && (test->ref || !test->i) && n->n_out < 2;
}

int ox_raise_before(ox_raise *s, ox_node *n, const ox_op *target) {
    if (trains(n) && target->since >= 7) return ox_fail(s->ctx, OX_UNAVAILABLE, "opset %lld has no training by attribute 'is_test'", (long long)s->version);
    if (ox_is(n, "BatchNormalization") && n->op->since < 14) return cut_batch_norm(s, n, target);
    if (ox_is(n, "Dropout") && n->op->since < 12 && target->since >= 12) return keep_ratio(s, n);
    return 0;
}

int ox_raise_marker(ox_raise *s, ox_node *n, ox_call *c, const char *marker) {
    if (!strcmp(marker, "__flat")) return coerce_2d(s, n, c);
    if (!strcmp(marker, "axis")) return raise_axis(s, n, c);
    if (!strcmp(marker, "__per_activation")) return by_element(s, n, c);
    if (!strcmp(marker, "__per_group")) return spread_over_channels(s, n, c);
    if (!strcmp(marker, "__mask_like_data")) return cast_mask(s, n);
    if (ox_is(n, "Scan") && !strncmp(marker, "batch", 5)) return scan_batch(s, n);
    return ox_fail(s->ctx, OX_UNAVAILABLE, "'%s' has no form in opset %lld", marker, (long long)s->version);
}

int ox_raise_after(ox_raise *s, ox_node *n, ox_call *c, const ox_op *old) {
    if (ox_is(n, "Resize") && (replace_tf_half_pixel(s, n, old) < 0 || (c && need_region(s, n) < 0))) return -1;
    if (ox_is(n, "Scatter") && s->version >= 11) n->op_type = ox_intern(s->ctx, "ScatterElements");
    return 0;
}
