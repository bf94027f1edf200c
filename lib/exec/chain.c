/* Element-wise operators together: one pass over the output, a chunk at a time. Operands of other shapes are broadcast chunk by
 * chunk into a buffer in the cache. Narrower floats are converted by the chunk too, and rounded once. */
#include "cpu/conv.h"
#include "exec/native.h"
#include "op/kernel.h"

enum { AXES = 64, PART = 16 }; /* PART: chunks that a thread takes at once */

typedef struct operand {
    const ox_tensor *t;
    const void *data;
    bool whole, one; /* the output's shape; one element */
    int rank;        /* axes that step alike are joined; innermost last */
    int64_t dims[AXES], strides[AXES];
} operand;

typedef struct job {
    const ox_program *program;
    operand in[OX_PROGRAM_OPERANDS];
    ox_dtype dtype;
    int64_t count;
    void *out;
} job;

/* How an operand is stepped through when the output is. */
static void find_steps(operand *o, const ox_tensor *y) {
    int64_t stride = 1;
    int n = 0;
    int64_t dims[AXES], strides[AXES]; /* innermost first */
    for (int d = y->rank - 1; d >= 0; d--) {
        int k = d - (y->rank - o->t->rank);
        int64_t have = k >= 0 ? o->t->dims[k] : 1, size = y->dims[d], step = have == 1 ? 0 : stride;
        stride *= have;
        if (size == 1) continue;
        if (n && (step == 0 ? strides[n - 1] == 0 : step == strides[n - 1] * dims[n - 1] && strides[n - 1])) {
            dims[n - 1] *= size;
            continue;
        }
        dims[n] = size;
        strides[n++] = step;
    }
    o->rank = n;
    for (int i = 0; i < n; i++) {
        o->dims[i] = dims[n - 1 - i];
        o->strides[i] = strides[n - 1 - i];
    }
}

static inline float at_index(ox_dtype t, const void *data, int64_t i) {
    return t == OX_FLOAT ? ((const float *)data)[i] : (float)ox_load_double(t, data, i);
}

static void copy_run(ox_dtype t, const void *data, int64_t from, int64_t stride, int64_t n, float *to) {
    if (stride == 1 && t == OX_FLOAT) {
        memcpy(to, (const float *)data + from, (size_t)n * sizeof *to);
    } else if (stride == 1) {
        ox_to_floats(t, data, from, n, to);
    } else if (stride == 0) {
        float x = at_index(t, data, from);
        for (int64_t i = 0; i < n; i++) to[i] = x;
    } else {
        for (int64_t i = 0; i < n; i++) to[i] = at_index(t, data, from + i * stride);
    }
}

/* Elements of an operand that meet output elements [first, first + n). */
static void gather(const operand *o, int64_t first, int64_t n, float *to) {
    int64_t at[AXES], from = 0, rest = first;
    int last = o->rank - 1;
    if (last < 0) {
        copy_run(o->t->dtype, o->data, 0, 0, n, to);
        return;
    }
    for (int d = last; d >= 0; d--) {
        at[d] = rest % o->dims[d];
        rest /= o->dims[d];
        from += at[d] * o->strides[d];
    }
    for (;;) {
        int64_t run = o->dims[last] - at[last] < n ? o->dims[last] - at[last] : n;
        copy_run(o->t->dtype, o->data, from, o->strides[last], run, to);
        to += run;
        if (!(n -= run)) return;
        from -= at[last] * o->strides[last];
        at[last] = 0;
        for (int d = last - 1; d >= 0; d--) { /* the odometer */
            from += o->strides[d];
            if (++at[d] < o->dims[d]) break;
            from -= at[d] * o->strides[d];
            at[d] = 0;
        }
    }
}

static ox_chunk_operand operand_at(const job *j, int k, int64_t first, int64_t n, float *buffer) {
    const operand *o = &j->in[k];
    bool spread = j->program->spread >> k & 1, plain = o->t->dtype == OX_FLOAT;
    if (o->whole && plain) return (ox_chunk_operand){(const float *)o->data + first, false};
    if (o->one && !spread) {
        copy_run(o->t->dtype, o->data, 0, 0, 1, buffer);
        return (ox_chunk_operand){buffer, true};
    }
    if (!spread && !o->whole && o->rank > 0 && o->strides[o->rank - 1] == 0) { /* is the chunk in one run of one element? */
        int64_t inner = o->dims[o->rank - 1];
        if (first / inner == (first + n - 1) / inner) {
            gather(o, first, 1, buffer);
            return (ox_chunk_operand){buffer, true};
        }
    }
    if (o->whole)
        ox_to_floats(o->t->dtype, o->data, first, n, buffer);
    else
        gather(o, first, n, buffer);
    return (ox_chunk_operand){buffer, false};
}

static void run_chunk(const job *j, int64_t first) {
    float buffers[OX_PROGRAM_OPERANDS][OX_PROGRAM_CHUNK], wide[OX_PROGRAM_CHUNK];
    ox_chunk_operand now[OX_PROGRAM_OPERANDS];
    int64_t n = j->count - first < OX_PROGRAM_CHUNK ? j->count - first : OX_PROGRAM_CHUNK;
    for (int k = 0; k < j->program->n_operands; k++) now[k] = operand_at(j, k, first, n, buffers[k]);
    bool plain = j->dtype == OX_FLOAT;
    ox_program_run(j->program, now, n, plain ? (float *)j->out + first : wide);
    if (!plain) ox_from_floats(j->dtype, j->out, first, n, wide);
}

static void run_parts(const job *j, int threads) {
    int64_t part = (int64_t)OX_PROGRAM_CHUNK * PART;
    if (threads <= 1 || j->count <= part) {
        for (int64_t at = 0; at < j->count; at += OX_PROGRAM_CHUNK) run_chunk(j, at);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t first = 0; first < j->count; first += part)
        for (int64_t at = first; at < first + part && at < j->count; at += OX_PROGRAM_CHUNK) run_chunk(j, at);
}

static bool same_dims(const ox_tensor *a, int rank, const int64_t *dims) {
    return a->rank == rank && (!rank || !memcmp(a->dims, dims, (size_t)rank * sizeof *dims));
}

/* A constant of an element per channel beside images in blocks: [1, C / B, 1, 1, B]. What fills the last block is 1, harmless to all
 * functions of tame programs. */
static const ox_tensor *constant_in_blocks(ox_run *r, ox_chain *c, int k, const ox_tensor *t) {
    if (c->constants[k] || t->rank == 5 || t->count == 1) return c->constants[k] ? c->constants[k] : t;
    int64_t block = ox_conv_block(), blocks = (c->blocked + block - 1) / block;
    r->once = true;
    const float *from = ox_native_input(r, t);
    r->once = false;
    if (t->count != c->blocked) {
        ox_fail(r->ctx, OX_BUG, "operand %d has not an element per channel", k);
        return NULL;
    }
    ox_tensor *made = from ? ox_tensor_new(r->ctx, OX_FLOAT, 5, (int64_t[]){1, blocks, 1, 1, block}) : NULL;
    if (!made) return NULL;
    float *to = ox_tensor_mut(made);
    for (int64_t i = 0; i < blocks * block; i++) to[i] = i < c->blocked ? from[i] : 1;
    return c->constants[k] = made;
}

static void done(ox_ctx *ctx, void *state) {
    (void)ctx;
    for (int k = 0; k < OX_PROGRAM_OPERANDS; k++) ox_tensor_unref(((ox_chain *)state)->constants[k]);
}

static int run_chain(ox_run *r) {
    ox_chain *c = r->state;
    job j; /* not cleared: operands that are not there are large */
    const ox_tensor *in[OX_PROGRAM_OPERANDS] = {0};
    int n = c->program.n_operands, rank;
    int64_t *dims;
    for (int k = 0; k < n; k++) {
        in[k] = r->in[k] && r->in[k]->kind == OX_RT_TENSOR ? r->in[k]->t : NULL;
        if (!in[k] || (in[k]->dtype != c->dtype && !(c->blocked && in[k]->rank < 5)) || in[k]->rank > AXES)
            return ox_fail(r->ctx, OX_BAD_DATA, "operand %d is not a tensor of %s", k, ox_dtype_name(c->dtype));
        if (c->blocked && !(in[k] = constant_in_blocks(r, c, k, in[k]))) return -1;
    }
    if (ox_loop_shape(r, n, in, &rank, &dims) < 0) return -1;
    uint32_t over = 0;
    for (int k = 0; k < n; k++)
        if (r->in[k]->t == in[k]) over |= same_dims(in[k], rank, dims) ? 1u << k : 0;
    ox_tensor *y = ox_output_over(r, 0, over, c->dtype, rank, dims);
    if (!y) return -1;
    for (int k = 0; k < n; k++) {
        operand *o = &j.in[k];
        o->t = in[k];
        if (!(o->data = ox_tensor_data(in[k]))) return -1;
        o->whole = over >> k & 1;
        o->one = in[k]->count == 1;
        o->rank = 0;
        if (!o->whole) find_steps(o, y);
    }
    j.program = &c->program;
    j.dtype = c->dtype;
    j.count = y->count;
    j.out = ox_tensor_mut(y);
    run_parts(&j, ox_threads_for(r->ctx, y->count * ox_program_cost(&c->program)));
    return 0;
}

const ox_native ox_native_chain = {"vector chain", run_chain, done, NULL};
