/* Operations and bytes of a call, from the shapes of what went in and came out.
 *
 * Operations are counted by ox_count_work(). Bytes: every input and output once; where only a part of an input is looked at (Gather,
 * Slice), no more than what comes out; a view none; operators that hold bodies none, for the bodies are counted. */
#include "tools/profile.h"

typedef struct seen { const ox_node *n; ox_rt *const *in, *const *out; int n_in, n_out; } seen;

static const ox_tensor *tensor(ox_rt *const *v, int n, int i) { return i < n && v[i] && v[i]->kind == OX_RT_TENSOR ? v[i]->t : NULL; }
static const ox_tensor *in_of(const seen *s, int i) { return tensor(s->in, s->n_in, i); }
static const ox_tensor *out_of(const seen *s, int i) { return tensor(s->out, s->n_out, i); }

static void sizes_of(ox_rt *const *v, int n, ox_sizes *sizes) {
    for (int i = 0; i < n; i++) {
        const ox_tensor *t = tensor(v, n, i);
        sizes[i] = t ? (ox_sizes){t->rank, t->dims} : (ox_sizes){-1, NULL};
    }
}

/* ---- bytes */

static double bytes_of(const ox_rt *v) {
    double sum = 0;
    if (!v || v->kind == OX_RT_NONE) return 0;
    if (v->t) sum += (double)v->t->bytes;
    for (int64_t i = 0; i < (v->kind == OX_RT_SEQUENCE ? v->n : v->kind == OX_RT_MAP ? 1 : 0); i++) sum += bytes_of(v->items[i]);
    return sum;
}

static bool reads_constant(const ox_node *n, const ox_tensor *t) {
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].v && (n->in[i].v->data == t || ox_constant(n->in[i].v) == t)) return true;
    return false;
}

/* Whether input I is a constant: of the node, of one that is computed along with it, or made for it when it was lifted to the newest form. */
static bool is_parameter(const profile_shape *s, const seen *c, int i) {
    const ox_tensor *t = in_of(c, i);
    bool found = t && reads_constant(s->node, t);
    for (size_t k = 0; t && !found && k < s->n_with; k++) found = reads_constant(s->with[k], t);
    return found || (!s->n_with && (uint32_t)i >= s->node->n_in);
}

static bool is_view(const seen *s) {
    const ox_tensor *x = in_of(s, 0), *y = out_of(s, 0);
    return x && y && x->bytes == y->bytes && y->bytes && ox_tensor_raw(x) == ox_tensor_raw(y);
}

static bool shapes_only(const ox_node *n) { return ox_is(n, "Shape") || ox_is(n, "Size"); }

void profile_count(ox_arena *arena, profile_shape *shape, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    const ox_node *n = shape->node;
    seen s = {n, in, out, n_in, n_out};
    uint32_t flags = n->op && !shape->layout ? n->op->flags : 0;
    profile_work *w = &shape->work;
    *w = (profile_work){0};
    for (int i = 0; i < n_out; i++) w->output += bytes_of(out[i]);
    for (int i = 0; i < n_in; i++) {
        double bytes = bytes_of(in[i]);
        *(is_parameter(shape, &s, i) ? &w->parameter : &w->activation) += bytes;
        bool part_only = i == 0 && ((flags & OX_MOVES_DATA) || !strcmp(n->op_type, "EmbedLayerNormalization")) && bytes > w->output;
        w->read += part_only && !shape->layout ? w->output : bytes;
    }
    w->written = w->output;
    if (shape->layout) return;
    if (flags & OX_CONTROL) w->read = w->written = 0;
    else {
        ox_sizes *sizes = OX_NEW_N(arena, ox_sizes, n_in + n_out + 1);
        sizes_of(in, n_in, sizes);
        sizes_of(out, n_out, sizes + n_in);
        ox_count_work(n, sizes, n_in, sizes + n_in, n_out, &w->macs, &w->flops);
    }
    for (size_t i = 0; i < shape->n_with; i++)
        if (shape->with[i]->op && shape->with[i]->op->flags & OX_ELEMENTWISE) w->flops += out_of(&s, 0) ? (double)out_of(&s, 0)->count : 0;
    if (shapes_only(n)) w->read = 0;
    if ((flags & OX_MOVES_DATA) && is_view(&s)) w->read = w->written = 0;
}
