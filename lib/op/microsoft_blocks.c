/* com.microsoft: weights of 2, 4 and 8 bits with a scale per block: MatMulNBits, MatMulBnb4, GatherBlockQuantized. Weights are made floats a few
 * rows at a time, so that the whole never lies in memory. Rows are in microsoft.c. */
#include "cpu/nbits.h"
#include "op/blas.h"
#include "op/compute.h"
#include "op/microsoft.h"

enum { ROWS = 32, FEW = 4 }; /* rows of the weight at a time; rows of A that are few */

/* ------------------------------------------------------------------------------------------------ MatMulNBits */

typedef struct nbits {
    int64_t m, n, k, blocks, block, blob; /* blob: bytes of a block */
    int bits;
    const uint8_t *b, *packed_zeros;      /* [n, blocks, blob]; [n, bytes of blocks] */
    int64_t zero_bytes;
    const float *a, *scales, *zeros, *bias;
    const int64_t *group;                 /* block of each k; NULL: in order */
} nbits;

static float zero_of(const nbits *v, int64_t n, int64_t block) {
    if (v->zeros) return v->zeros[n * v->blocks + block];
    if (!v->packed_zeros) return (float)(1 << (v->bits - 1));
    int64_t bit = block * v->bits;
    return (float)(v->packed_zeros[n * v->zero_bytes + bit / 8] >> bit % 8 & ((1 << v->bits) - 1));
}

/* `count` elements of one block, packed from the low bits on. */
static void unpack(const uint8_t *from, int bits, int64_t count, float zero, float scale, float *to) {
    if (bits == 8) {
        for (int64_t i = 0; i < count; i++) to[i] = ((float)from[i] - zero) * scale;
    } else if (bits == 4) {
        for (int64_t i = 0; i < count / 2; i++) {
            to[2 * i] = ((float)(from[i] & 15) - zero) * scale;
            to[2 * i + 1] = ((float)(from[i] >> 4) - zero) * scale;
        }
        if (count % 2) to[count - 1] = ((float)(from[count / 2] & 15) - zero) * scale;
    } else {
        for (int64_t i = 0; i < count; i++) to[i] = ((float)(from[i / 4] >> i % 4 * 2 & 3) - zero) * scale;
    }
}

static void weight_row(const nbits *v, int64_t n, float *to) {
    for (int64_t i = 0; i < v->blocks; i++) {
        int64_t count = v->k - i * v->block < v->block ? v->k - i * v->block : v->block;
        const uint8_t *from = v->b + (n * v->blocks + i) * v->blob;
        if (!v->group) unpack(from, v->bits, count, zero_of(v, n, i), v->scales[n * v->blocks + i], to + i * v->block);
        else unpack(from, v->bits, count, 0, 1, to + i * v->block);
    }
    for (int64_t k = 0; v->group && k < v->k; k++)
        to[k] = (to[k] - zero_of(v, n, v->group[k])) * v->scales[n * v->blocks + v->group[k]];
}

/* Few rows of A: each as a vector against the codes, which are never made floats. */
static int multiply_few(ox_run *r, const nbits *v, float *y) {
    int64_t jobs = (v->n + ROWS - 1) / ROWS, steps, padded = v->blocks * v->blob;
    float *room = ox_scratch(r, (uint64_t)v->m * (uint64_t)(2 * padded + v->blocks) * sizeof *room);
    ox_nbits_vector x[FEW];
    if (!ox_mul_ok(v->n, v->k, &steps)) steps = INT64_MAX;
    const int threads = jobs > 1 ? ox_threads_for(r->ctx, steps / 8) : 1;
    float *zeros = room ? ox_scratch(r, (uint64_t)threads * (uint64_t)v->blocks * sizeof *zeros) : NULL;
    if (!zeros) return -1;
    for (int64_t i = 0; i < v->m; i++, room += 2 * padded + v->blocks) {
        x[i] = (ox_nbits_vector){v->blocks, v->blob, room, room + padded, room + 2 * padded};
        ox_nbits_spread(&x[i], v->a + i * v->k, v->k);
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t job = 0; job < jobs; job++) {
        float *zero = zeros + ox_thread_index() * v->blocks;
        for (int64_t n = job * ROWS; n < v->n && n < (job + 1) * ROWS; n++) {
            for (int64_t k = 0; k < v->blocks; k++) zero[k] = zero_of(v, n, k);
            for (int64_t i = 0; i < v->m; i++)
                y[i * v->n + n] = ox_nbits_dot(&x[i], v->b + n * padded, v->scales + n * v->blocks, zero) + (v->bias ? v->bias[n] : 0);
        }
    }
    return 0;
}

static int multiply(ox_run *r, const nbits *v, float *y) {
    if (v->m <= FEW && v->bits == 4 && !v->group) return multiply_few(r, v, y);

    int64_t jobs = (v->n + ROWS - 1) / ROWS, steps;
    if (!ox_mul_ok(v->n, v->k, &steps)) steps = INT64_MAX;
    const int threads = jobs > 1 ? ox_threads_for(r->ctx, steps) : 1;
    float *all = ox_scratch(r, (uint64_t)threads * ROWS * (uint64_t)v->k * sizeof *all);
    if (!all) return -1;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t job = 0; job < jobs; job++) {
        int64_t first = job * ROWS, rows = v->n - first < ROWS ? v->n - first : ROWS;
        float *w = all + ox_thread_index() * ROWS * v->k;
        for (int64_t i = 0; i < rows; i++) weight_row(v, first + i, w + i * v->k);
        ox_sgemm(r->ctx, false, true, v->m, rows, v->k, 1, v->a, v->k, w, v->k, 0, y + first, v->n);
        for (int64_t i = 0; v->bias && i < v->m; i++)
            for (int64_t j = 0; j < rows; j++) y[i * v->n + first + j] += v->bias[first + j];
    }
    return 0;
}

static int read_zeros(ox_run *r, nbits *v) {
    const ox_tensor *z = ox_input(r, 3);
    if (!z) return 0;
    v->zero_bytes = (v->blocks * v->bits + 7) / 8;
    if (z->dtype == OX_UINT8) {
        v->packed_zeros = ox_tensor_data(z);
        if (!v->packed_zeros) return -1;
        return z->count == v->n * v->zero_bytes ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "zero_points do not fit the weight");
    }
    if (z->count != v->n * v->blocks) return ox_fail(r->ctx, OX_BAD_DATA, "zero_points do not fit the weight");
    return (v->zeros = ox_as_floats(r, z)) ? 0 : -1;
}

static int read_groups(ox_run *r, nbits *v) {
    int64_t n;
    if (!ox_input(r, 4)) return 0;
    const int64_t *g = ox_run_ints(r, 4, &n);
    if (!g) return -1;
    bool fits = n >= v->k;
    for (int64_t i = 0; fits && i < v->k; i++) fits = g[i] >= 0 && g[i] < v->blocks;
    v->group = g;
    return fits ? 0 : ox_fail(r->ctx, OX_BAD_DATA, "g_idx does not fit the weight");
}

static int read_nbits(ox_run *r, nbits *v, const ox_tensor *a, const ox_tensor *b, const ox_tensor *s) {
    int64_t bytes, all;
    const ox_tensor *bias = ox_input(r, 5);
    v->k = ox_get_int(r->call, "K");
    v->n = ox_get_int(r->call, "N");
    v->block = ox_get_int(r->call, "block_size");
    int64_t bits = ox_get_int(r->call, "bits");
    if (ox_get_int(r->call, "weight_prepacked")) return ox_fail(r->ctx, OX_UNAVAILABLE, "prepacked weights are not served");
    if (bits != 2 && bits != 4 && bits != 8) return ox_fail(r->ctx, OX_UNAVAILABLE, "weights of %" PRId64 " bits are not served", bits);
    if (v->k < 1 || v->n < 1 || v->k > INT32_MAX || v->n > INT32_MAX || v->block < 16 || v->block > 1 << 20 || v->block & (v->block - 1))
        return ox_fail(r->ctx, OX_BAD_DATA, "K, N or block_size cannot be");
    v->bits = (int)bits;
    v->blocks = (v->k + v->block - 1) / v->block;
    v->blob = v->block * bits / 8;
    bool fits = ox_mul_ok(v->n * v->blocks, v->blob, &bytes) && b->dtype == OX_UINT8 && b->count == bytes && s->count == v->n * v->blocks &&
                a->rank > 0 && a->dims[a->rank - 1] == v->k && (!bias || bias->count == v->n);
    v->m = a->count / v->k;
    if (!fits || !ox_mul_ok(v->m, v->n, &all)) return ox_fail(r->ctx, OX_BAD_DATA, "A, B, scales or bias do not fit K and N");
    v->b = ox_tensor_data(b);
    v->a = v->b ? ox_as_floats(r, a) : NULL;
    v->scales = v->a ? ox_as_floats(r, s) : NULL;
    v->bias = bias && v->scales ? ox_as_floats(r, bias) : NULL;
    return !v->scales || (bias && !v->bias) || read_zeros(r, v) || read_groups(r, v) ? -1 : 0;
}

/* An output like A with another last size. */
static ox_tensor *projected(ox_run *r, const ox_tensor *a, int64_t n) {
    int64_t *dims = OX_NEW_N(r->arena, int64_t, a->rank + 1);
    memcpy(dims, a->dims, (size_t)a->rank * sizeof *dims);
    dims[a->rank - 1] = n;
    return ox_output(r, 0, a->dtype, a->rank, dims);
}

int ox_ms_run_matmul_nbits(ox_run *r) {
    nbits v = {0};
    const ox_tensor *a = ox_need(r, 0), *b = ox_need(r, 1), *s = ox_need(r, 2);
    if (!a || !b || !s || !ox_ok_float(r, a) || read_nbits(r, &v, a, b, s)) return -1;
    ox_tensor *y = projected(r, a, v.n);
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!to || (y->count && multiply(r, &v, to))) return -1;
    ox_floats_done(r, y, to);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ MatMulBnb4 */

/* The values of the 16 codes: a float of 4 bits with a largest value of 1, and quantiles of the normal distribution. */
static const float bnb_codes[2][16] = {
    {0, 5.208333333e-03f, 0.66666667f, 1, 0.33333333f, 0.5f, 0.16666667f, 0.25f, -0.0f, -5.208333333e-03f, -0.66666667f, -1, -0.33333333f, -0.5f,
     -0.16666667f, -0.25f},
    {-1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0,
     0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
     0.7229568362236023f, 1}};

int ox_ms_run_matmul_bnb4(ox_run *r) {
    const ox_tensor *a = ox_need(r, 0), *b = ox_need(r, 1), *s = ox_need(r, 2);
    if (!a || !b || !s || !ox_ok_float(r, a)) return -1;
    int64_t k = ox_get_int(r->call, "K"), n = ox_get_int(r->call, "N"), block = ox_get_int(r->call, "block_size"),
            type = ox_get_int(r->call, "quant_type"), all, out;
    bool turned = ox_get_int(r->call, "transB") != 0;
    int64_t inner = turned ? k : n, outer = turned ? n : k;
    bool fits = k > 0 && n > 0 && block > 0 && (type == 0 || type == 1) && ox_mul_ok(k, n, &all) && b->dtype == OX_UINT8 &&
                b->count == all / 2 + all % 2 && s->count == all / block + (all % block != 0) && a->rank > 0 && a->dims[a->rank - 1] == inner;
    if (!fits || !ox_mul_ok(a->count / inner, outer, &out)) return ox_fail(r->ctx, OX_BAD_DATA, "A, B or absmax do not fit K and N");
    const float *x = ox_as_floats(r, a), *top = x ? ox_as_floats(r, s) : NULL;
    const uint8_t *codes = top ? ox_tensor_data(b) : NULL;
    float *w = codes ? ox_scratch(r, (uint64_t)all * sizeof *w) : NULL;
    ox_tensor *y = w ? projected(r, a, outer) : NULL;
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!to) return -1;
    for (int64_t i = 0; i < all; i++) w[i] = bnb_codes[type][i % 2 ? codes[i / 2] & 15 : codes[i / 2] >> 4] * top[i / block];
    if (y->count) ox_sgemm(r->ctx, false, turned, a->count / inner, outer, inner, 1, x, inner, w, k, 0, to, outer);
    ox_floats_done(r, y, to);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ GatherBlockQuantized */

typedef struct gather {
    const ox_tensor *data, *zeros;
    const void *bytes, *zero_bytes;
    const float *scales;
    int bits;             /* of packed bytes; 0: elements of the tensor's own type */
    int rank;
    int64_t *dims;        /* of the data, unpacked */
    int64_t *step;        /* of the scales per axis; 0: one for all */
    int64_t block, quantize, gather, last; /* last: size of the scales' last axis */
} gather;

static float element(const gather *g, const ox_tensor *t, const void *data, int64_t i) {
    if (!g->bits) return (float)ox_load_double(t->dtype, data, i);
    int64_t bit = i * g->bits;
    return (float)(((const uint8_t *)data)[bit / 8] >> bit % 8 & ((1 << g->bits) - 1));
}

static float dequantized(const gather *g, int64_t at) {
    int64_t rest = at, scale = 0;
    for (int i = g->rank - 1; i >= 0; i--) {
        int64_t here = rest % g->dims[i];
        rest /= g->dims[i];
        scale += (i == g->quantize ? here / g->block : here) * g->step[i];
    }
    float zero = g->bits ? (float)(1 << (g->bits - 1)) : 0;
    if (g->zeros) { /* rows of packed zero points begin at a byte */
        int64_t per = g->bits ? 8 / g->bits : 1, row = (g->last + per - 1) / per * per;
        zero = element(g, g->zeros, g->zero_bytes, scale / g->last * row + scale % g->last);
    }
    return (element(g, g->data, g->bytes, at) - zero) * g->scales[scale];
}

static int read_scales(ox_run *r, gather *g, const ox_tensor *s) {
    bool fits = s->rank == g->rank;
    int64_t step = 1;
    for (int i = g->rank - 1; i >= 0 && fits; i--) {
        int64_t want = i == g->quantize ? (g->dims[i] + g->block - 1) / g->block : g->dims[i];
        fits = s->dims[i] == want || (s->dims[i] == 1 && i != g->quantize);
        g->step[i] = s->dims[i] == 1 && want != 1 ? 0 : step;
        step *= s->dims[i];
    }
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "scales do not fit the data");
    g->last = s->dims[g->rank - 1];
    int64_t per = g->bits ? 8 / g->bits : 1;
    if (g->zeros && g->last && g->zeros->count != s->count / g->last * ((g->last + per - 1) / per))
        return ox_fail(r->ctx, OX_BAD_DATA, "zero_points do not fit the data");
    return (g->scales = ox_as_floats(r, s)) ? 0 : -1;
}

static int read_gather(ox_run *r, gather *g, const ox_tensor *d, const ox_tensor *s) {
    int64_t bits = ox_get_int(r->call, "bits");
    *g = (gather){.data = d, .zeros = ox_input(r, 3), .rank = d->rank, .block = ox_get_int(r->call, "block_size")};
    if (d->rank < 1) return ox_fail(r->ctx, OX_BAD_DATA, "the data are a scalar");
    g->dims = OX_NEW_N(r->arena, int64_t, d->rank);
    g->step = OX_NEW_N(r->arena, int64_t, d->rank);
    memcpy(g->dims, d->dims, (size_t)d->rank * sizeof *g->dims);
    if (d->dtype == OX_UINT8) {
        if (bits != 2 && bits != 4 && bits != 8) return ox_fail(r->ctx, OX_BAD_DATA, "attribute 'bits' is %" PRId64, bits);
        g->bits = (int)bits;
        if (!ox_mul_ok(g->dims[d->rank - 1], 8 / bits, &g->dims[d->rank - 1])) return ox_fail(r->ctx, OX_BAD_DATA, "the data are too large");
    }
    g->gather = ox_axis(r->call, ox_get_int(r->call, "gather_axis"), d->rank, "gather_axis");
    g->quantize = ox_axis(r->call, ox_get_int(r->call, "quantize_axis"), d->rank, "quantize_axis");
    if (g->gather < 0 || g->quantize < 0) return -1;
    if (g->block == 0) g->block = g->dims[g->quantize] ? g->dims[g->quantize] : 1;
    if (g->block < 0 || (g->zeros && g->zeros->dtype != d->dtype)) return ox_fail(r->ctx, OX_BAD_DATA, "block_size or zero_points cannot be");
    g->bytes = ox_tensor_data(d);
    g->zero_bytes = g->zeros ? ox_tensor_data(g->zeros) : NULL;
    return !g->bytes || (g->zeros && !g->zero_bytes) ? -1 : read_scales(r, g, s);
}

int ox_ms_run_gather_block(ox_run *r) {
    gather g;
    const ox_tensor *d = ox_need(r, 0), *index = ox_need(r, 1), *s = ox_need(r, 2);
    const int64_t *ids = d && index && s ? ox_run_ints(r, 1, NULL) : NULL;
    if (!ids || read_gather(r, &g, d, s)) return -1;
    int rank = d->rank - 1 + index->rank, at = 0, axis = (int)g.gather;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, rank + 1), size = g.dims[axis];
    for (int i = 0; i < axis; i++) dims[at++] = g.dims[i];
    for (int i = 0; i < index->rank; i++) dims[at++] = index->dims[i];
    for (int i = axis + 1; i < d->rank; i++) dims[at++] = g.dims[i];
    ox_tensor *y = ox_output(r, 0, s->dtype, rank, dims);
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!to) return -1;
    int64_t inner = ox_count(g.dims, axis + 1, d->rank), n = index->count;
    const int threads = ox_threads_for(r->ctx, y->count * 16);
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < y->count; i++) {
        int64_t o = i / inner / n, j = ids[i / inner % n];
        if (j < 0) j += size;
        to[i] = j < 0 || j >= size ? 0 : dequantized(&g, (o * size + j) * inner + i % inner);
    }
    ox_floats_done(r, y, to);
    return 0;
}
