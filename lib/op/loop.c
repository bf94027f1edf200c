/* The element-wise engine and conversion in bulk.
 *
 * An element-wise operator is a function on chunks of 1024 elements without gaps. The engine gives it pointers into
 * the tensors where these lie so already, else fills a buffer: with copies of one element, with elements found by
 * strides (broadcasting), with numbers widened to the type of computation. So one plain loop per operator and type
 * serves every shape, and compilers can make vectors of it. */
#include "op/kernel.h"

#include "cpu/vec.h"

#include <inttypes.h>

/* ---- conversion */

void ox_to_floats(ox_dtype t, const void *data, int64_t index, int64_t n, float *out) {
    switch (t) {
    case OX_FLOAT:
        memcpy(out, (const float *)data + index, (size_t)n * sizeof *out);
        return;
    case OX_FLOAT16:
        ox_vec_table()->from_half(out, (const uint16_t *)data + index, n);
        return;
    case OX_BFLOAT16:
        ox_vec_table()->from_bfloat16(out, (const uint16_t *)data + index, n);
        return;
    case OX_BOOL:
        for (int64_t i = 0; i < n; i++) out[i] = ((const uint8_t *)data + index)[i] != 0;
        return;
#define CASE(T, C)                                                                                                     \
    case OX_##T:                                                                                                       \
        for (int64_t i = 0; i < n; i++) out[i] = (float)((const C *)data + index)[i];                                  \
        return;
        CASE(DOUBLE, double)
        OX_EACH_INT(CASE)
#undef CASE
    default:
        for (int64_t i = 0; i < n; i++) out[i] = (float)ox_load_double(t, data, index + i);
    }
}

void ox_from_floats(ox_dtype t, void *data, int64_t index, int64_t n, const float *in) {
    switch (t) {
    case OX_FLOAT:
        memcpy((float *)data + index, in, (size_t)n * sizeof *in);
        return;
    case OX_FLOAT16:
        ox_vec_table()->to_half((uint16_t *)data + index, in, n);
        return;
    case OX_BFLOAT16:
        ox_vec_table()->to_bfloat16((uint16_t *)data + index, in, n);
        return;
    case OX_DOUBLE:
        for (int64_t i = 0; i < n; i++) ((double *)data + index)[i] = (double)in[i];
        return;
    default:
        for (int64_t i = 0; i < n; i++) ox_store_double(t, data, index + i, (double)in[i]);
    }
}

const float *ox_as_floats(ox_run *r, const ox_tensor *t) {
    const void *data = ox_tensor_data(t);
    if (!data || t->dtype == OX_FLOAT) return data;
    float *out = ox_scratch(r, (uint64_t)t->count * sizeof *out);
    if (out) ox_to_floats(t->dtype, data, 0, t->count, out);
    return out;
}

const double *ox_as_doubles(ox_run *r, const ox_tensor *t) {
    const void *data = ox_tensor_data(t);
    if (!data || t->dtype == OX_DOUBLE) return data;
    double *out = ox_scratch(r, (uint64_t)t->count * sizeof *out);
    if (out) ox_load_doubles(t->dtype, data, t->count, out);
    return out;
}

float *ox_floats_of(ox_run *r, ox_tensor *t) {
    return t->dtype == OX_FLOAT ? ox_tensor_mut(t) : ox_scratch(r, (uint64_t)t->count * sizeof(float));
}

void ox_floats_done(ox_run *r, ox_tensor *t, const float *floats) {
    (void)r;
    if (t->dtype != OX_FLOAT) ox_from_floats(t->dtype, ox_tensor_mut(t), 0, t->count, floats);
}

/* ---- the shape of a broadcast */

int ox_loop_shape(ox_run *r, int n, const ox_tensor *const *in, int *rank, int64_t **dims) {
    int max = 0;
    for (int k = 0; k < n; k++) {
        if (in[k] && in[k]->rank > max) max = in[k]->rank;
    }
    int64_t *out = OX_NEW_N(r->arena, int64_t, max + 1);
    for (int d = 0; d < max; d++) out[d] = 1;
    for (int k = 0; k < n; k++) {
        if (!in[k]) continue;
        for (int d = 0; d < in[k]->rank; d++) {
            int64_t have = in[k]->dims[d], *want = &out[d + max - in[k]->rank];
            if (*want == 1) {
                *want = have;
            } else if (have != 1 && have != *want) {
                return ox_fail(r->ctx, OX_BAD_DATA,
                               "shapes cannot be broadcast: sizes %" PRId64 " and %" PRId64 " meet", *want, have);
            }
        }
    }
    *rank = max;
    *dims = out;
    return 0;
}

/* ---- the engine */

typedef enum source { DIRECT, SCALAR, STRIDED } source;

typedef struct operand {
    const char *data;
    ox_dtype dtype, as;
    size_t size; /* bytes of an element as stored */
    source source;
    int64_t *strides; /* elements, per axis of the plan */
} operand;

typedef struct plan {
    int rank, n_in;
    int64_t *dims;
    int64_t count, block; /* elements; those of a piece */
    operand in[OX_LOOP_MAX];
    char *out;
    ox_dtype out_dtype, out_as;
    size_t out_size;
    ox_chunk_fn fn;
    const void *user;
} plan;

static size_t stored_size(ox_dtype t) { return t == OX_STRING ? sizeof(ox_str) : ox_dtype_bits(t) / 8; }

/* Axes that every operand steps through without a seam become one. */
static void collapse(plan *p) {
    int k = 0;
    for (int d = 0; d < p->rank; d++) {
        bool joins = k > 0 && p->dims[d] != 1;
        for (int i = 0; joins && i < p->n_in; i++) joins = p->in[i].strides[k - 1] == p->in[i].strides[d] * p->dims[d];
        if (p->dims[d] == 1) continue;
        int at = joins ? k - 1 : k++;
        p->dims[at] = joins ? p->dims[at] * p->dims[d] : p->dims[d];
        for (int i = 0; i < p->n_in; i++) p->in[i].strides[at] = p->in[i].strides[d];
    }
    p->rank = k;
}

static source source_of(const plan *p, const operand *o) {
    bool scalar = true, direct = true;
    int64_t step = 1;
    for (int d = p->rank - 1; d >= 0; d--) {
        scalar = scalar && o->strides[d] == 0;
        direct = direct && o->strides[d] == step;
        step *= p->dims[d];
    }
    return scalar ? SCALAR : direct ? DIRECT : STRIDED;
}

static int set_operand(ox_run *r, plan *p, int i, const ox_tensor *t, ox_dtype as, int rank) {
    operand *o = &p->in[i];
    o->data = ox_tensor_data(t);
    if (!o->data) return -1;
    o->dtype = t->dtype;
    o->as = as;
    if (ox_dtype_packed(t->dtype)) { /* elements without an address: unpacked at once */
        char *wide = ox_scratch(r, (uint64_t)t->count * stored_size(as));
        if (!wide) return -1;
        for (int64_t k = 0; k < t->count; k++) {
            if (as == OX_FLOAT)
                ((float *)(void *)wide)[k] = (float)ox_load_double(t->dtype, o->data, k);
            else
                ox_store_int(as, wide, k, ox_load_int(t->dtype, o->data, k));
        }
        o->data = wide;
        o->dtype = as;
    }
    o->size = stored_size(o->dtype);
    o->strides = OX_NEW_N(r->arena, int64_t, rank + 1);
    int64_t step = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        o->strides[d + rank - t->rank] = t->dims[d] == 1 ? 0 : step;
        step *= t->dims[d];
    }
    return 0;
}

#define FILL(C)                                                                                                        \
    for (int64_t k = 0; k < n; k++)                                                                                    \
        memcpy(to + (size_t)k * sizeof(C), from + k * stride * (int64_t)sizeof(C), sizeof(C));

/* A run of n elements, one after the other in TO, `stride` apart in FROM. */
static void copy_run(char *to, const char *from, int64_t n, int64_t stride, size_t size) {
    if (stride == 1) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    switch (size) {
    case 1:
        FILL(uint8_t) break;
    case 2:
        FILL(uint16_t) break;
    case 4:
        FILL(uint32_t) break;
    case 8:
        FILL(uint64_t) break;
    default:
        FILL(ox_str) break;
    }
}

/* The n elements of an operand that belong to output elements from `start` on. */
static void gather(const plan *p, const operand *o, int64_t start, int64_t n, char *to) {
    int64_t at[64], offset = 0, rest = start;
    int last = p->rank - 1;
    for (int d = last; d >= 0; d--) {
        at[d] = rest % p->dims[d];
        rest /= p->dims[d];
        offset += at[d] * o->strides[d];
    }
    for (;;) {
        int64_t run = p->dims[last] - at[last] < n ? p->dims[last] - at[last] : n;
        copy_run(to, o->data + offset * (int64_t)o->size, run, o->strides[last], o->size);
        to += (size_t)run * o->size;
        if (!(n -= run)) return;
        offset -= at[last] * o->strides[last];
        at[last] = 0;
        for (int d = last - 1; d >= 0; d--) {
            offset += o->strides[d];
            if (++at[d] < p->dims[d]) break;
            offset -= p->dims[d] * o->strides[d];
            at[d] = 0;
        }
    }
}

typedef struct buffers {
    _Alignas(64) char wide[OX_LOOP_MAX][OX_CHUNK * 16], raw[OX_CHUNK * 16], out[OX_CHUNK * 16];
} buffers;

static const void *fetch(const plan *p, int i, int64_t start, int64_t n, buffers *b, bool first) {
    const operand *o = &p->in[i];
    bool same = o->dtype == o->as;
    const char *from = o->data + (size_t)start * o->size;
    if (o->source == DIRECT && same) return from;
    if (o->source == SCALAR) {
        if (!first) return b->wide[i];
        if (same)
            copy_run(b->wide[i], o->data, OX_CHUNK, 0, o->size);
        else {
            float one;
            ox_to_floats(o->dtype, o->data, 0, 1, &one);
            for (int k = 0; k < OX_CHUNK; k++) ((float *)(void *)b->wide[i])[k] = one;
        }
        return b->wide[i];
    }
    if (o->source == STRIDED) {
        gather(p, o, start, n, same ? b->wide[i] : b->raw);
        if (same) return b->wide[i];
        from = b->raw;
    }
    ox_to_floats(o->dtype, from, 0, n, (float *)(void *)b->wide[i]);
    return b->wide[i];
}

enum { BLOCK = 16 * OX_CHUNK };

static void run_block(const plan *p, int64_t start) {
    buffers b;
    const void *in[OX_LOOP_MAX];
    int64_t end = p->count - start < p->block ? p->count : start + p->block;
    for (int64_t at = start; at < end; at += OX_CHUNK) {
        int64_t n = end - at < OX_CHUNK ? end - at : OX_CHUNK;
        bool own = p->out_dtype == p->out_as;
        for (int i = 0; i < p->n_in; i++) in[i] = fetch(p, i, at, n, &b, at == start);
        p->fn(own ? p->out + (size_t)at * p->out_size : b.out, in, n, p->user);
        if (own) continue;
        if (p->out_as == OX_FLOAT) {
            ox_from_floats(p->out_dtype, p->out, at, n, (const float *)(const void *)b.out);
        } else {
            for (int64_t k = 0; k < n; k++)
                ox_store_int(p->out_dtype, p->out, at + k, ox_load_int(p->out_as, b.out, k));
        }
    }
}

int ox_elementwise(ox_run *r, ox_tensor *out, ox_dtype out_as, int n_in, const ox_tensor *const *in,
                   const ox_dtype *in_as, ox_chunk_fn fn, const void *user) {
    plan p = {.rank = out->rank,
              .n_in = n_in,
              .count = out->count,
              .out_dtype = out->dtype,
              .out_as = out_as,
              .fn = fn,
              .user = user};
    if (!out->count) return 0;
    if (n_in > OX_LOOP_MAX || out->rank > 64) return ox_fail(r->ctx, OX_BUG, "too many inputs or axes for one loop");
    p.dims = ox_dup(r->arena, out->dims, (size_t)out->rank * sizeof *p.dims);
    p.out = ox_tensor_mut(out);
    p.out_size = stored_size(out->dtype);
    for (int i = 0; i < n_in; i++) {
        if (set_operand(r, &p, i, in[i], in_as[i], out->rank) < 0) return -1;
    }
    collapse(&p);
    for (int i = 0; i < n_in; i++) p.in[i].source = source_of(&p, &p.in[i]);
    p.block = ox_cpu_piece(BLOCK);
    int64_t blocks = (p.count + p.block - 1) / p.block;
    int threads = ox_threads_for(r->ctx, p.count);
    OX_EACH(threads, k, blocks, { run_block(&p, k * p.block); });
    return 0;
}

uint32_t ox_same_shape(const ox_run *r, int rank, const int64_t *dims) {
    uint32_t mask = 0;
    for (int i = 0; i < r->call->n_in && i < 32; i++) {
        const ox_tensor *t = ox_input(r, i);
        bool same = t && t->rank == rank && (!rank || !memcmp(t->dims, dims, (size_t)rank * sizeof *dims));
        mask |= same ? 1u << i : 0;
    }
    return mask;
}

int ox_run_unary(ox_run *r, const ox_chunk_fns fns, ox_dtype to, const void *user) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "the input is no tensor");
    ox_dtype as = ox_compute_type(x->dtype);
    if (!fns[as]) return ox_kernel_no_type(r, x->dtype);
    ox_tensor *y = ox_output_over(r, 0, 1, to ? to : x->dtype, x->rank, x->dims);
    return y ? ox_elementwise(r, y, to ? to : as, 1, &x, &as, fns[as], user) : -1;
}
