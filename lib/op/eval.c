/* Evaluating one operator on constants: for folding, rules and shape inference. */
#include "cpu/cpu.h"
#include "op/op.h"

#include <string.h>

enum { ALONE_BELOW = 1 << 24 };

/* Whether one thread is enough. Others that were woken for a single node spin for a while behind it, for longer than
 * an element-wise operator takes on a few million elements. */
static bool runs_alone(const ox_call *c, ox_rt *const *in) {
    int64_t count = 0;
    if (!(c->op->flags & (OX_ELEMENTWISE | OX_MOVES_DATA))) return false;
    for (int i = 0; i < c->n_in; i++)
        if (in[i] && in[i]->kind == OX_RT_TENSOR && in[i]->t->count > count) count = in[i]->t->count;
    return !ox_cpu_worth((double)count, ALONE_BELOW);
}

int ox_eval_call(ox_call *c, ox_rt **in, ox_rt **out) {
    ox_run r = {.ctx = c->ctx, .call = c, .in = in, .out = out, .arena = ox_arena_new(c->ctx)};
    for (int i = 0; i < c->n_out; i++) out[i] = NULL;
    int threads = c->ctx->threads;
    if (runs_alone(c, in)) c->ctx->threads = 1;
    int rc = ox_run_kernel(&r);
    c->ctx->threads = threads;
    ox_arena_free(r.arena);
    return rc;
}

static int tensors_in(ox_call *c, ox_tensor *const *in, ox_rt **values) {
    for (int i = 0; i < c->n_in; i++) {
        if (!in[i]) continue;
        c->in[i].t = in[i];
        if (!ox_tensor_data(in[i])) return -1;
        values[i] = ox_rt_tensor(c->ctx, ox_tensor_ref(in[i]));
        if (!values[i]) return -1;
    }
    return 0;
}

static int tensors_out(ox_call *c, ox_rt **values, ox_tensor **out) {
    for (int i = 0; i < c->n_out; i++) {
        if (!values[i]) continue;
        if (values[i]->kind != OX_RT_TENSOR)
            return ox_fail(c->ctx, OX_BAD_DATA, "%s: output %d is no tensor", c->op->name, i);
        out[i] = ox_tensor_ref(values[i]->t);
    }
    return 0;
}

int ox_eval_op(ox_ctx *ctx, ox_arena *arena, const char *op_type, ox_attr *const *attrs, int n_attrs,
               ox_tensor *const *in, int n_in, ox_tensor **out, int n_out) {
    const char *colons = strstr(op_type, "::");
    const char *domain = colons ? ox_format(arena, "%.*s", (int)(colons - op_type), op_type) : "";
    ox_call c = {.ctx = ctx, .arena = arena, .n_in = n_in, .n_out = n_out, .n_attrs = n_attrs};
    for (int i = 0; i < n_out; i++) out[i] = NULL;
    c.op = ox_op_find(ctx, domain, colons ? colons + 2 : op_type, INT64_MAX);
    if (!c.op) return ox_fail(ctx, OX_UNAVAILABLE, "operator %s is unknown", op_type);
    c.in = OX_NEW_N(arena, ox_arg, n_in + 1);
    c.attrs = OX_NEW_N(arena, ox_attr *, n_attrs + 1);
    if (n_attrs) memcpy(c.attrs, attrs, (size_t)n_attrs * sizeof *attrs);
    ox_rt **values = OX_NEW_N(arena, ox_rt *, n_in + n_out + 1), **results = values + n_in;
    int rc = tensors_in(&c, in, values);
    if (rc == 0) rc = ox_eval_call(&c, values, results);
    if (rc == 0) rc = tensors_out(&c, results, out);
    for (int i = 0; i < n_in + n_out; i++) ox_rt_unref(values[i]);
    for (int i = 0; rc < 0 && i < n_out; i++) {
        ox_tensor_unref(out[i]);
        out[i] = NULL;
    }
    return rc;
}
