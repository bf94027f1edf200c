/* Types of values: making, comparing, combining and printing them.
 *
 * A type is immutable and may be shared, so meet and join give back one of their arguments where nothing is to be
 * added. Types nest (sequence of optional of ...) no deeper than limits.graph_depth, which the reader of files keeps:
 * recursion is bounded. */
#include "ir/ir_private.h"

ox_type *ox_type_tensor(ox_arena *arena, ox_dtype dtype, int rank, const ox_dim *dims) {
    ox_type *t = OX_NEW(arena, ox_type);
    t->kind = OX_K_TENSOR;
    t->dtype = dtype;
    t->rank = rank;
    if (rank >= 0) t->dims = OX_NEW_N(arena, ox_dim, rank ? rank : 1);
    if (rank > 0 && dims) memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
    return t;
}

const ox_type *ox_type_of_tensor(ox_arena *arena, const ox_tensor *t) {
    ox_type *type = ox_type_tensor(arena, t->dtype, t->rank, NULL);
    for (int i = 0; i < t->rank; i++) type->dims[i] = ox_dim_const(ox_arena_ctx(arena), t->dims[i]);
    return type;
}

ox_type *ox_type_of(ox_arena *arena, ox_kind kind, const ox_type *elem) {
    ox_type *t = OX_NEW(arena, ox_type);
    t->kind = kind;
    t->rank = -1;
    t->elem = elem;
    return t;
}

const ox_type *ox_type_copy(ox_arena *arena, const ox_type *t) {
    if (!t) return NULL;
    ox_type *c = ox_dup(arena, t, sizeof *t);
    if (t->dims) c->dims = ox_dup(arena, t->dims, (size_t)(t->rank > 0 ? t->rank : 1) * sizeof *t->dims);
    c->elem = ox_type_copy(arena, t->elem);
    return c;
}

static bool is_array(const ox_type *t) { return t->kind == OX_K_TENSOR || t->kind == OX_K_SPARSE; }

bool ox_type_equal(const ox_type *a, const ox_type *b) {
    if (a == b) return true;
    if (!a || !b || a->kind != b->kind) return false;
    if (is_array(a)) {
        if (a->dtype != b->dtype || a->rank != b->rank) return false;
        for (int i = 0; i < a->rank; i++)
            if (a->dims[i] != b->dims[i]) return false;
        return true;
    }
    if (a->kind == OX_K_OPAQUE) return a->domain == b->domain && a->name == b->name;
    return (a->kind != OX_K_MAP || a->dtype == b->dtype) && ox_type_equal(a->elem, b->elem);
}

/* No assignment of the symbols makes the two equal. */
static bool contradict(ox_dim a, ox_dim b) {
    int64_t alo, ahi, blo, bhi;
    ox_dim_range(a, &alo, &ahi);
    ox_dim_range(b, &blo, &bhi);
    return ahi < blo || bhi < alo;
}

static ox_dim meet_dim(ox_dim s, ox_dim w, bool *conflict) {
    if (!s || !w || s == w) return s ? s : w;
    if (contradict(s, w)) {
        *conflict = true;
        return s;
    }
    if (ox_dim_is_const(s, NULL)) return s;
    if (ox_dim_is_const(w, NULL)) return w;
    return ox_dim_is_nameless(s) ? w : s; /* never a symbol of ours for one of the user's */
}

static const ox_type *meet_arrays(ox_arena *arena, const ox_type *s, const ox_type *w, bool *conflict) {
    ox_dtype dtype = s->dtype ? s->dtype : w->dtype;
    if (w->dtype && dtype != w->dtype) *conflict = true;
    if (s->rank >= 0 && w->rank >= 0 && s->rank != w->rank) {
        *conflict = true;
        w = s;
    }
    int rank = s->rank >= 0 ? s->rank : w->rank;
    ox_type *t = ox_type_tensor(arena, dtype, rank, s->rank >= 0 ? s->dims : w->dims);
    t->kind = s->kind;
    t->origin = s->origin;
    if (s->rank >= 0 && w->rank >= 0)
        for (int i = 0; i < rank; i++) t->dims[i] = meet_dim(s->dims[i], w->dims[i], conflict);
    return ox_type_equal(t, s) ? s : t;
}

static const ox_type *meet(ox_arena *arena, const ox_type *s, const ox_type *w, bool *conflict) {
    if (!s || !w || s == w) return s ? s : w;
    if (s->kind == OX_K_UNKNOWN) return w;
    if (w->kind == OX_K_UNKNOWN) return s;
    if (s->kind != w->kind) {
        *conflict = true;
        return s;
    }
    if (is_array(s)) return meet_arrays(arena, s, w, conflict);
    if (s->kind == OX_K_OPAQUE || (s->kind == OX_K_MAP && s->dtype != w->dtype)) {
        if (!ox_type_equal(s, w)) *conflict = true;
        return s;
    }
    const ox_type *elem = meet(arena, s->elem, w->elem, conflict);
    if (elem == s->elem) return s;
    ox_type *t = ox_dup(arena, s, sizeof *s);
    t->elem = elem;
    return t;
}

const ox_type *ox_type_meet(ox_arena *arena, const ox_type *strong, const ox_type *weak, bool *conflict) {
    bool c = false;
    const ox_type *t = meet(arena, strong, weak, &c);
    if (conflict) *conflict = c;
    return t;
}

/* ---- what is inferred and what is declared ---- */

const ox_type *ox_type_element(ox_arena *arena, const ox_type *t) {
    if (!t || (is_array(t) && t->rank < 0) || (!is_array(t) && !t->elem)) return t;
    ox_type *plain = ox_dup(arena, t, sizeof *t);
    plain->rank = -1;
    plain->dims = NULL;
    plain->elem = ox_type_element(arena, t->elem);
    return plain;
}

const ox_type *ox_type_plain(ox_arena *arena, const ox_type *t) {
    ox_type *plain = NULL;
    for (int k = 0; t && is_array(t) && k < t->rank; k++) {
        if (!ox_dim_is_nameless(t->dims[k])) continue;
        if (!plain) {
            plain = ox_dup(arena, t, sizeof *t);
            plain->dims = ox_dup(arena, t->dims, (size_t)t->rank * sizeof *t->dims);
        }
        plain->dims[k] = NULL;
    }
    return plain ? plain : t;
}

static bool any_size(void *user, ox_dim symbol, int64_t *v) {
    *v = 1;
    return ox_dim_is_symbol(symbol) || ox_map_has(user, symbol);
}

const ox_type *ox_type_settle(ox_arena *arena, const ox_type *inferred, const ox_type *declared, const ox_map *given, bool *conflict) {
    const ox_type *t = ox_type_meet(arena, inferred, declared, conflict);
    ox_type *copy = NULL;
    int64_t v;
    if (!inferred || !declared || t == inferred || !is_array(t) || t->rank <= 0 || t->rank != inferred->rank) return t;
    for (int i = 0; i < t->rank; i++) {
        ox_dim dim = inferred->dims[i];
        if (t->dims[i] == dim || !dim || !ox_dim_is_const(t->dims[i], NULL) || !ox_dim_eval(dim, any_size, (void *)(uintptr_t)given, &v)) continue;
        if (!copy) {
            copy = ox_type_tensor(arena, t->dtype, t->rank, t->dims);
            copy->kind = t->kind;
        }
        copy->dims[i] = dim;
    }
    return copy ? copy : t;
}

void ox_model_given_sizes(const ox_model *m, ox_map *given) {
    for (size_t i = 0; i < m->graph->n_inputs; i++) {
        const ox_value *v = m->graph->inputs[i];
        for (int k = 0; !v->data && ox_type_is_tensor(v->type) && k < v->type->rank; k++)
            if (ox_dim_is_nameless(v->type->dims[k])) ox_map_put(given, v->type->dims[k], (void *)(uintptr_t)v);
    }
}

const ox_type *ox_type_join(ox_arena *arena, const ox_type *a, const ox_type *b) {
    if (!a || !b || a->kind != b->kind || a->kind == OX_K_UNKNOWN) return NULL;
    if (ox_type_equal(a, b)) return a;
    if (is_array(a)) {
        int rank = a->rank == b->rank ? a->rank : -1;
        ox_type *t = ox_type_tensor(arena, a->dtype == b->dtype ? a->dtype : OX_UNDEFINED, rank, NULL);
        t->kind = a->kind;
        for (int i = 0; i < rank; i++) t->dims[i] = a->dims[i] == b->dims[i] ? a->dims[i] : NULL;
        return t;
    }
    if (a->kind == OX_K_OPAQUE || (a->kind == OX_K_MAP && a->dtype != b->dtype)) return NULL;
    ox_type *t = ox_dup(arena, a, sizeof *a);
    t->elem = ox_type_join(arena, a->elem, b->elem);
    t->origin = NULL;
    return t;
}

static void add_array(ox_text *out, const ox_type *t) {
    ox_text_add(out, ox_dtype_name(t->dtype));
    if (t->rank < 0) ox_text_add(out, "[]");
    if (t->rank > 0) {
        for (int i = 0; i < t->rank; i++) {
            ox_text_add(out, i ? "," : "[");
            ox_text_add(out, ox_dim_text(out->arena, t->dims[i]));
        }
        ox_text_add(out, "]");
    }
}

static void add_type(ox_text *out, const ox_type *t, bool inner) {
    static const char *const open[] = {
        [OX_K_SPARSE] = "sparse_tensor(", [OX_K_SEQUENCE] = "seq(", [OX_K_OPTIONAL] = "optional("};
    if (!t || t->kind == OX_K_UNKNOWN) {
        ox_text_add(out, "?");
        return;
    }
    switch (t->kind) {
    case OX_K_TENSOR:
        if (inner && t->rank < 0)
            ox_text_addf(out, "tensor(%s)", ox_dtype_name(t->dtype));
        else
            add_array(out, t);
        return;
    case OX_K_OPAQUE: ox_text_addf(out, "opaque(%s,%s", t->domain ? t->domain : "", t->name ? t->name : ""); break;
    case OX_K_MAP:
        ox_text_addf(out, "map(%s,", ox_dtype_name(t->dtype));
        add_type(out, t->elem, true);
        break;
    case OX_K_SPARSE:
        ox_text_add(out, open[t->kind]);
        add_array(out, t);
        break;
    default:
        ox_text_add(out, open[t->kind]);
        add_type(out, t->elem, true);
        break;
    }
    ox_text_add(out, ")");
}

const char *ox_type_text(ox_arena *arena, const ox_type *t) {
    ox_text out = {.arena = arena};
    add_type(&out, t, false);
    return out.data;
}
