/* The work of calls for profiles: what the library counts (lib/exec/work.c), and what it cannot know: which inputs are constants of the
 * model, and what was computed along with the node. */
#include "tools/profile.h"

static const ox_tensor *tensor(ox_rt *const *v, int i) { return v[i] && v[i]->kind == OX_RT_TENSOR ? v[i]->t : NULL; }

static bool reads_constant(const ox_node *n, const ox_tensor *t) {
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].v && (n->in[i].v->data == t || ox_constant(n->in[i].v) == t)) return true;
    return false;
}

/* Whether input I is a constant: of the node, of one that is computed along with it, or made for it when it was lifted to the newest form. */
static bool is_parameter(const profile_shape *s, ox_rt *const *in, int i) {
    const ox_tensor *t = tensor(in, i);
    bool found = t && reads_constant(s->node, t);
    for (size_t k = 0; t && !found && k < s->n_with; k++) found = reads_constant(s->with[k], t);
    return found || (!s->n_with && (uint32_t)i >= s->node->n_in);
}

void profile_count(profile_shape *s, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    ox_work work = {0};
    profile_work *w = &s->work;
    *w = (profile_work){0};
    for (int i = 0; i < n_out; i++) w->output += ox_rt_bytes(out[i]);
    for (int i = 0; i < n_in; i++) *(is_parameter(s, in, i) ? &w->parameter : &w->activation) += ox_rt_bytes(in[i]);
    if (s->layout) {
        w->read = w->parameter + w->activation;
        w->written = w->output;
        return;
    }
    ox_count_call(s->node, in, n_in, out, n_out, &work);
    w->macs = work.macs;
    w->flops = work.flops;
    w->read = work.read;
    w->written = work.written;
    const ox_tensor *y = n_out ? tensor(out, 0) : NULL;
    for (size_t i = 0; y && i < s->n_with; i++)
        if (s->with[i]->op && s->with[i]->op->flags & OX_ELEMENTWISE) w->flops += (double)y->count;
}
