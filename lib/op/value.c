/* Values at run time: tensors, sequences, optionals, maps; reference-counted. */
#include "op/op.h"

#include <string.h>

static ox_rt *new_value(ox_ctx *ctx, ox_rt_kind kind) {
    ox_rt *v = ox_payload_alloc(ctx, sizeof *v);
    if (v) *v = (ox_rt){.refs = 1, .kind = kind};
    return v;
}

ox_rt *ox_rt_tensor(ox_ctx *ctx, ox_tensor *t) {
    ox_rt *v = t ? new_value(ctx, OX_RT_TENSOR) : NULL;
    if (!v) {
        ox_tensor_unref(t);
        return NULL;
    }
    v->t = t;
    v->elem = t->dtype;
    return v;
}

ox_rt *ox_rt_sequence(ox_ctx *ctx, ox_rt **items, int64_t n, ox_dtype elem) {
    ox_rt *v = new_value(ctx, OX_RT_SEQUENCE);
    if (v && n) v->items = ox_payload_alloc(ctx, (size_t)n * sizeof *items);
    if (!v || (n && !v->items)) {
        for (int64_t i = 0; i < n; i++) ox_rt_unref(items[i]);
        ox_payload_free(v);
        return NULL;
    }
    if (n) memcpy(v->items, items, (size_t)n * sizeof *items);
    v->n = n;
    v->elem = elem;
    return v;
}

ox_rt *ox_rt_none(ox_ctx *ctx) { return new_value(ctx, OX_RT_NONE); }

ox_rt *ox_rt_ref(ox_rt *v) {
    if (v) ox_count_ref(&v->refs, 1);
    return v;
}

/* Nesting is bounded by the depth of types, which files cannot make deep. */
void ox_rt_unref(ox_rt *v) {
    if (!v || ox_count_ref(&v->refs, -1) > 0) return;
    ox_tensor_unref(v->t);
    for (int64_t i = 0; i < v->n; i++) ox_rt_unref(v->items[i]);
    ox_payload_free(v->items);
    ox_payload_free(v);
}
