/* Kernels made of other operators (compose.h). */
#include "op/compose.h"
#include "op/mover.h"

static ox_attr *new_attr(ox_steps *s, const char *name, ox_attr_type type) {
    ox_attr *a = OX_NEW(s->r->arena, ox_attr);
    a->name = ox_intern(s->r->ctx, name);
    a->type = type;
    if (s->n_attrs < OX_STEP_ATTRS) s->attrs[s->n_attrs++] = a;
    return a;
}

void ox_step_int(ox_steps *s, const char *name, int64_t v) { new_attr(s, name, OX_A_INT)->i = v; }
void ox_step_float(ox_steps *s, const char *name, double v) { new_attr(s, name, OX_A_FLOAT)->f = (float)v; }

void ox_step_ints(ox_steps *s, const char *name, int n, const int64_t *v) {
    ox_attr *a = new_attr(s, name, OX_A_INTS);
    a->n = (size_t)n;
    a->is = ox_dup(s->r->arena, v, (size_t)n * sizeof *v);
}

void ox_step_take(ox_steps *s, const char *name) {
    const ox_call *c = s->r->call;
    for (int i = 0; i < c->n_attrs; i++)
        if (!strcmp(c->attrs[i]->name, name) && s->n_attrs < OX_STEP_ATTRS) s->attrs[s->n_attrs++] = c->attrs[i];
}

static ox_tensor *keep(ox_steps *s, ox_tensor *t) {
    if (t && s->n < OX_STEPS_MAX) return s->kept[s->n++] = t;
    if (t) ox_fail(s->r->ctx, OX_BUG, "%s has too many steps", s->r->call->op->name);
    ox_tensor_unref(t);
    s->failed = true;
    return NULL;
}

int ox_step_all(ox_steps *s, const char *op, int n, const ox_tensor *const *in, ox_tensor **out, int n_out) {
    int n_attrs = s->n_attrs;
    s->n_attrs = 0;
    for (int i = 0; i < n_out; i++) out[i] = NULL;
    if (s->failed) return -1;
    ox_tensor **given = OX_NEW_N(s->r->arena, ox_tensor *, n + 1);
    for (int i = 0; i < n; i++) given[i] = (ox_tensor *)(uintptr_t)in[i];
    if (ox_eval_op(s->r->ctx, s->r->arena, op, s->attrs, n_attrs, given, n, out, n_out)) {
        s->failed = true;
        return -1;
    }
    for (int i = 0; i < n_out; i++)
        if (out[i]) out[i] = keep(s, out[i]);
    return s->failed ? -1 : 0;
}

ox_tensor *ox_step(ox_steps *s, const char *op, int n, const ox_tensor *const *in) {
    ox_tensor *out;
    return ox_step_all(s, op, n, in, &out, 1) ? NULL : out;
}

ox_tensor *ox_step_tensor(ox_steps *s, ox_dtype dtype, int rank, const int64_t *dims) {
    return s->failed ? NULL : keep(s, ox_tensor_new(s->r->ctx, dtype, rank, dims));
}

ox_tensor *ox_step_transposed(ox_steps *s, const ox_tensor *x, const int64_t *perm) {
    if (s->failed || !x) return NULL;
    ox_step_ints(s, "perm", x->rank, perm);
    return OX_STEP(s, "Transpose", x);
}

static ox_tensor *turned(ox_steps *s, const ox_tensor *x, bool first) {
    if (s->failed || !x) return NULL;
    if (x->rank < 3) {
        s->failed = true;
        ox_fail(s->r->ctx, OX_BAD_DATA, "the input has rank %d, but 3 or more are needed", x->rank);
        return NULL;
    }
    int64_t *perm = OX_NEW_N(s->r->arena, int64_t, x->rank);
    for (int i = 1; i < x->rank; i++) perm[i] = first ? (i == 1 ? x->rank - 1 : i - 1) : (i == x->rank - 1 ? 1 : i + 1);
    return ox_step_transposed(s, x, perm);
}

ox_tensor *ox_step_channels_first(ox_steps *s, const ox_tensor *x) { return turned(s, x, true); }
ox_tensor *ox_step_channels_last(ox_steps *s, const ox_tensor *x) { return turned(s, x, false); }

int ox_steps_done(ox_steps *s, int i, ox_tensor *result) {
    int rc = s->failed || !result ? -1 : ox_output_share(s->r, i, result, result->rank, result->dims);
    for (int k = 0; k < s->n; k++) ox_tensor_unref(s->kept[k]);
    s->n = 0;
    return rc;
}
