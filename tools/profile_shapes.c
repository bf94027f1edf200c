/* Shapes of the calls that a profile has seen: told apart, counted and written down once each.
 *
 * The frame may hold images in blocks of channels, [N][C / B][H][W][B]; here they have the shape that the model gives them. */
#include "tools/profile.h"

enum { MOST_KEY = 4096 }; /* numbers of a key; what is beyond is not told apart */

typedef struct key { int64_t n[MOST_KEY]; size_t len; } key;

static void push(key *k, int64_t v) {
    if (k->len < MOST_KEY) k->n[k->len++] = v;
}

static void add_to_key(key *k, ox_rt *const *v, int n) {
    for (int i = 0; i < n; i++) {
        push(k, v[i] ? (int64_t)v[i]->kind : -1);
        if (v[i] && v[i]->kind == OX_RT_SEQUENCE) push(k, v[i]->n);
        const ox_tensor *t = v[i] ? v[i]->t : NULL;
        if (!t) continue;
        push(k, t->dtype);
        push(k, t->rank);
        for (int d = 0; d < t->rank; d++) push(k, t->dims[d]);
    }
}

static void add_dims(ox_text *t, const ox_tensor *v) {
    ox_text_add(t, "[");
    for (int d = 0; d < v->rank; d++) ox_text_addf(t, "%s%lld", d ? "," : "", (long long)v->dims[d]);
    ox_text_add(t, "]");
}

/* [{"float":[1,3,8,8]},...] as ONNX Runtime writes it; what is absent is passed over. */
static const char *values_json(ox_arena *arena, ox_rt *const *v, int n) {
    ox_text t = {.arena = arena};
    bool any = false;
    ox_text_add(&t, "[");
    for (int i = 0; i < n; i++) {
        if (!v[i] || v[i]->kind == OX_RT_NONE) continue;
        ox_text_add(&t, any ? "," : "");
        any = true;
        if (v[i]->kind == OX_RT_TENSOR) {
            ox_text_addf(&t, "{\"%s\":", ox_dtype_name(v[i]->t->dtype));
            add_dims(&t, v[i]->t);
            ox_text_add(&t, "}");
        } else {
            ox_text_addf(&t, "{\"%s\":[%lld]}", v[i]->kind == OX_RT_SEQUENCE ? "sequence" : "map", (long long)v[i]->n);
        }
    }
    ox_text_add(&t, "]");
    return t.data;
}

static const char *values_text(ox_arena *arena, ox_rt *const *v, int n) {
    ox_text t = {.arena = arena};
    ox_text_add(&t, "");
    for (int i = 0; i < n; i++) {
        if (i) ox_text_add(&t, " ");
        if (!v[i] || v[i]->kind == OX_RT_NONE) ox_text_add(&t, "-");
        else if (v[i]->kind == OX_RT_TENSOR) {
            ox_text_add(&t, ox_dtype_name(v[i]->t->dtype));
            add_dims(&t, v[i]->t);
        } else {
            ox_text_addf(&t, "%s of %lld", v[i]->kind == OX_RT_SEQUENCE ? "sequence" : "map", (long long)v[i]->n);
        }
    }
    return t.data;
}

/* The position of a node in its graph, as in the file: all nodes of a graph are numbered when the first of them is met. */
static int64_t index_of(profile *p, const ox_node *n) {
    uintptr_t known = (uintptr_t)ox_map_get(&p->indices, n), i = 0;
    if (known) return (int64_t)known - 1;
    for (const ox_node *k = n->graph ? n->graph->first : NULL; k; k = k->next) ox_map_put(&p->indices, k, (void *)++i);
    known = (uintptr_t)ox_map_get(&p->indices, n);
    return known ? (int64_t)known - 1 : -1;
}

/* ---- as the model has them ---- */

/* The type that tells how the model has an image of five dimensions: rank 3 or 4, as many blocks of channels; NULL when it is none. */
static const ox_type *image_type(const ox_value *v, const ox_tensor *t) {
    const ox_type *type = v ? v->type : NULL;
    int64_t c;
    if (!ox_type_is_tensor(type) || (type->rank != 3 && type->rank != 4)) return NULL;
    if (ox_dim_is_const(type->dims[1], &c) && (c + t->dims[4] - 1) / t->dims[4] != t->dims[1]) return NULL;
    return type;
}

/* The same value with these sizes. Its bytes stay, for these are what is moved. */
static ox_rt *under(ox_arena *arena, const ox_rt *v, int rank, const int64_t *dims) {
    ox_rt *copy = ox_dup(arena, v, sizeof *v);
    copy->t = ox_dup(arena, v->t, sizeof *v->t);
    copy->t->rank = rank;
    copy->t->dims = ox_dup(arena, dims, (size_t)rank * sizeof *dims);
    copy->t->count = 1;
    for (int i = 0; i < rank; i++) copy->t->count *= dims[i];
    return copy;
}

/* V, or what it is without blocks; A and B are values that may have its type. */
static ox_rt *plain(ox_arena *arena, ox_rt *v, const ox_value *a, const ox_value *b) {
    const ox_tensor *t = v && v->kind == OX_RT_TENSOR && v->t->rank == 5 ? v->t : NULL;
    const ox_type *type = t ? image_type(a, t) : NULL;
    if (t && !type) type = image_type(b, t);
    if (!type) return v;
    int64_t c = t->dims[1] * t->dims[4];
    ox_dim_is_const(type->dims[1], &c);
    int64_t dims[] = {t->dims[0], c, type->rank == 3 ? t->dims[3] : t->dims[2], t->dims[3]};
    return under(arena, v, type->rank, dims);
}

static bool is_plain(const ox_rt *v) { return v && v->kind == OX_RT_TENSOR && v->t->rank != 5; }

/* Copies the inputs and outputs of a call as the model has them. */
static void plain_values(ox_arena *arena, const profile_shape *s, ox_rt **in, int n_in, ox_rt **out, int n_out) {
    const ox_node *n = s->node;
    const ox_value *made = n->n_out ? n->out[0] : NULL;
    if (s->layout && n_in && n_out && in[0] && out[0]) { /* both sides are the same image */
        if (is_plain(in[0])) out[0] = under(arena, out[0], in[0]->t->rank, in[0]->t->dims);
        else if (is_plain(out[0])) in[0] = under(arena, in[0], out[0]->t->rank, out[0]->t->dims);
        return;
    }
    for (int i = 0; i < n_in; i++) in[i] = plain(arena, in[i], (uint32_t)i < n->n_in ? n->in[i].v : NULL, made);
    for (int i = 0; i < n_out; i++) out[i] = plain(arena, out[i], (uint32_t)i < n->n_out ? n->out[i] : NULL, NULL);
}

/* ---- a call ---- */

/* Steps of the frame that are no node: the layout of an image is changed. */
static bool is_layout(const ox_step_info *info) { return info->algorithm && (!strcmp(info->algorithm, "to blocks") || !strcmp(info->algorithm, "from blocks")); }

static void describe(profile *p, profile_shape *s, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    ox_rt **a = ox_dup(p->arena, in, ((size_t)n_in + 1) * sizeof *in), **b = ox_dup(p->arena, out, ((size_t)n_out + 1) * sizeof *out);
    plain_values(p->arena, s, a, n_in, b, n_out);
    s->shapes = values_text(p->arena, a, n_in);
    s->in_json = values_json(p->arena, a, n_in);
    s->out_json = values_json(p->arena, b, n_out);
    profile_count(s, a, n_in, b, n_out);
}

profile_shape *profile_shape_for(profile *p, const ox_step_info *info, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    const ox_node *n = info->node;
    bool layout = is_layout(info);
    key k; /* not cleared: it is large */
    k.len = 0;
    add_to_key(&k, in, n_in);
    add_to_key(&k, out, n_out);
    profile_shape *first = ox_map_get(&p->shapes, n);
    for (profile_shape *s = first; s; s = s->other)
        if (s->n_key == k.len && s->n_with == info->n_with && s->layout == layout && !memcmp(s->key, k.n, k.len * sizeof *k.n)) return s;
    profile_shape *s = OX_NEW(p->arena, profile_shape);
    *s = (profile_shape){.node = n, .name = run_node_name(n), .index = index_of(p, n), .layout = layout, .n_with = info->n_with, .other = first,
        .key = ox_dup(p->arena, k.n, (k.len + 1) * sizeof *k.n), .n_key = k.len};
    s->op = layout ? ox_format(p->arena, "[%s]", info->algorithm) : n->domain[0] ? ox_format(p->arena, "%s::%s", n->domain, n->op_type) : n->op_type;
    if (s->n_with) s->with = ox_dup(p->arena, info->with, s->n_with * sizeof *s->with);
    describe(p, s, in, n_in, out, n_out);
    ox_map_put(&p->shapes, n, s);
    return s;
}
