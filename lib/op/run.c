/* What kernels are called with: inputs, outputs, scratch memory. */
#include "op/op.h"

#include <inttypes.h>
#include <string.h>

typedef struct block {
    struct block *next;
} block;
enum { BLOCK_HEAD = 64 }; /* keeps what follows aligned */

static int call_kernel(void *arg) {
    ox_run *r = arg;
    return r->instead ? r->instead(r) : r->call->op->kernel(r);
}

int ox_run_kernel(ox_run *r) {
    const ox_op *op = r->call->op;
    int rc = -1;
    if (op && (op->kernel || r->instead))
        rc = ox_protect(r->ctx, call_kernel, r);
    else
        ox_fail(r->ctx, OX_UNAVAILABLE, "operator %s has no kernel", op ? op->name : "of unknown kind");
    while (r->scratch) {
        block *b = r->scratch;
        r->scratch = b->next;
        ox_payload_free(b);
    }
    for (int i = 0; rc < 0 && i < r->call->n_out; i++) {
        ox_rt_unref(r->out[i]);
        r->out[i] = NULL;
    }
    return rc < 0 ? -1 : 0;
}

const ox_rt *ox_input_rt(const ox_run *r, int i) { return i >= 0 && i < r->call->n_in ? r->in[i] : NULL; }

const ox_tensor *ox_input(const ox_run *r, int i) {
    const ox_rt *v = ox_input_rt(r, i);
    return v && v->kind == OX_RT_TENSOR ? v->t : NULL;
}

int ox_output_rt(ox_run *r, int i, ox_rt *v) {
    if (!v) return -1;
    if (!ox_want(r, i)) {
        ox_rt_unref(v);
        return 0;
    }
    ox_rt_unref(r->out[i]);
    r->out[i] = v;
    return 0;
}

ox_tensor *ox_output_over(ox_run *r, int i, uint32_t over, ox_dtype dtype, int rank, const int64_t *dims) {
    if (!ox_want(r, i)) {
        ox_fail(r->ctx, OX_BUG, "%s: output %d was not asked for", r->call->op->name, i);
        return NULL;
    }
    ox_rt *v;
    if (!r->memory || !r->memory->output(r, i, dtype, rank, dims, over, &v))
        v = ox_rt_tensor(r->ctx, ox_tensor_new(r->ctx, dtype, rank, dims));
    return v && ox_output_rt(r, i, v) == 0 ? v->t : NULL;
}

ox_tensor *ox_output(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims) {
    return ox_output_over(r, i, 0, dtype, rank, dims);
}

int ox_output_share(ox_run *r, int i, const ox_tensor *in, int rank, const int64_t *dims) {
    if (!ox_want(r, i)) return 0;
    ox_rt *v;
    if (!r->memory || !r->memory->share(r, i, in, in->dtype, rank, dims, &v))
        v = ox_rt_tensor(r->ctx, ox_tensor_reshaped(r->ctx, (ox_tensor *)(uintptr_t)in, in->dtype, rank, dims));
    return ox_output_rt(r, i, v);
}

static void *allocate(ox_run *r, uint64_t bytes) {
    if (bytes > SIZE_MAX - BLOCK_HEAD) {
        ox_fail(r->ctx, OX_NO_MEMORY, "%s needs %" PRIu64 " bytes of scratch memory", r->call->op->name, bytes);
        return NULL;
    }
    block *b = ox_payload_alloc_brief(r->ctx, (size_t)bytes + BLOCK_HEAD);
    if (!b) return NULL;
    b->next = r->scratch;
    r->scratch = b;
    return (char *)b + BLOCK_HEAD;
}

void *ox_scratch(ox_run *r, uint64_t bytes) {
    void *planned = r->memory && !r->once ? r->memory->scratch(r, bytes) : NULL;
    return planned ? planned : allocate(r, bytes);
}

int ox_choose(ox_run *r, const ox_candidate *list, int n, void **workspace) {
    *workspace = NULL;
    int k = r->memory ? r->memory->choose(r, list, n, workspace) : 0;
    if (k < 0) return -1;
    if (!*workspace && list[k].workspace && !(*workspace = allocate(r, list[k].workspace))) return -1;
    return k;
}

const int64_t *ox_run_ints(ox_run *r, int i, int64_t *n) {
    static const int64_t none;
    const ox_tensor *t = ox_input(r, i);
    if (n) *n = t ? t->count : 0;
    if (!t || !(ox_dtype_is_int(t->dtype) || t->dtype == OX_BOOL)) {
        ox_fail(r->ctx, OX_BAD_DATA, "input %d is not a tensor of integers", i);
        return NULL;
    }
    if (t->dtype == OX_INT64 && t->count) return ox_tensor_data(t); /* inputs live as long as the kernel runs */
    const int64_t *ints = ox_tensor_to_ints(r->arena, t);
    return ints && !t->count ? &none : ints;
}

const int64_t *ox_run_list(ox_run *r, int i, int64_t *n) {
    const ox_tensor *t = ox_input(r, i);
    if (!t || t->rank <= 1) return ox_run_ints(r, i, n);
    ox_fail(r->ctx, OX_BAD_DATA, "input %d must have one dimension, not %d", i, t->rank);
    return NULL;
}

int ox_kernel_no_type(ox_run *r, ox_dtype t) {
    return ox_fail(r->ctx, OX_UNAVAILABLE, "%s is not served for element type %s", r->call->op->name, ox_dtype_name(t));
}
