/* Products by constant weights, packed once: MatMul and Gemm with what comes behind them. */
#include "cpu/gemm.h"
#include "exec/native.h"
#include "op/compute.h"
#include "op/sliced.h"

/* Weights in the order of the kernel. The plain ones are not needed any more. */
static int pack_now(ox_run *r, ox_weights_product *p) {
    const ox_tensor *w = ox_native_tensor(r, 1);
    const float *b = ox_native_floats(r, 1);
    if (!b) return -1;
    p->n = w->dims[p->trans_b ? 0 : 1];
    p->k = w->dims[p->trans_b ? 1 : 0];
    uint64_t bytes = ox_gemm_packed_bytes(p->n, p->k);
    float *packed = bytes > SIZE_MAX ? NULL : ox_payload_alloc(r->ctx, (size_t)bytes);
    if (!packed) return -1;
    ox_gemm_pack(ox_thread_count(r->ctx), p->trans_b, p->n, p->k, b, w->dims[1], packed);
    for (int k = 1; p->has_tail && k < p->tail.program.n_operands; k++)
        if (p->tail.per_channel[k] && !p->columns[k] && !(p->columns[k] = ox_tail_columns(r, ox_native_tensor(r, p->tail.input[k]), p->n, 1))) {
            ox_payload_free(packed);
            return -1;
        }
    p->packed = packed;
    ox_tensor_forget(w);
    return 0;
}

static int pack(ox_run *r, ox_weights_product *p) {
    r->once = true;
    int rc = pack_now(r, p);
    r->once = false;
    return rc;
}

static int run_product(ox_run *r) {
    ox_weights_product *p = r->state;
    const ox_tensor *x = ox_native_tensor(r, 0);
    if (!p->packed && pack(r, p)) return -1;
    if (!x || x->dtype != p->dtype || x->rank < 2 || x->dims[x->rank - 1] != p->k)
        return ox_fail(r->ctx, OX_BAD_DATA, "the weights take %" PRId64 " columns, the input has %" PRId64, p->k,
                       x && x->rank ? x->dims[x->rank - 1] : 0);
    int64_t *dims = ox_dup(r->arena, x->dims, (size_t)x->rank * sizeof *dims);
    dims[x->rank - 1] = p->n;
    ox_tensor *y = ox_output(r, 0, p->dtype, x->rank, dims);
    const float *a = y ? ox_native_input(r, x) : NULL, *bias = NULL;
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!a || !to || (p->bias >= 0 && !(bias = ox_native_floats(r, p->bias)))) return -1;
    ox_tail_run t;
    if (p->has_tail && ox_tail_begin(&t, r, &p->tail, p->columns, 1, y)) return -1;
    if (y->count)
        ox_gemm_packed(ox_thread_count(r->ctx), false, y->count / p->n, p->n, p->k, p->alpha, a, p->k, p->packed, bias, p->has_tail ? &t.tail : NULL,
                       to, p->n);
    ox_floats_done(r, y, to);
    return 0;
}

static void done(ox_ctx *ctx, void *state) {
    ox_weights_product *p = state;
    (void)ctx;
    ox_payload_free(p->packed);
    for (int k = 0; k < OX_PROGRAM_OPERANDS; k++) ox_payload_free(p->columns[k]);
}

const ox_native ox_native_product = {"packed product", run_product, done, NULL};
const ox_native ox_native_sliced_matmul = {"sums in slices", ox_run_matmul_sliced, NULL, NULL};
const ox_native ox_native_sliced_gemm = {"sums in slices", ox_run_gemm_sliced, NULL, NULL};
const ox_native ox_native_sliced_pool = {"sums in slices", ox_run_average_pool_sliced, NULL, NULL};
const ox_native ox_native_sliced_conv = {"sums in slices", ox_run_conv_sliced, NULL, NULL};
