/* Matrix products of 8-bit integers: packing B, choice of the instruction set, cutting the work into blocks of rows and panels of columns. */
#include "cpu/qint.h"

#include <stdlib.h>
#include <string.h>

static ox_qset best_set(void) {
    switch (ox_cpu_isa()) {
    case OX_ISA_AVX512: {
#if defined(__x86_64__)
        const char *wish = getenv("OX_ISA");
        if (!(wish && !strcmp(wish, "avx512")) && __builtin_cpu_supports("avx512vnni")) return OX_QSET_VNNI;
#endif
        return OX_QSET_AVX512;
    }
    case OX_ISA_AVX2:
        return OX_QSET_AVX2;
    default:
        return OX_QSET_PLAIN;
    }
}

ox_qset ox_qset_now(void) {
    static int known; /* found once + 1: the processor and the environment do not change */
    int set = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (set) return (ox_qset)(set - 1);
    ox_qset best = best_set();
    __atomic_store_n(&known, (int)best + 1, __ATOMIC_RELAXED);
    return best;
}

extern const ox_qkernels ox_qkernels_plain, ox_qkernels_avx2, ox_qkernels_avx512, ox_qkernels_vnni;

static const ox_qkernels *kernels_of(ox_qset set) {
#if defined(__x86_64__)
    if (set == OX_QSET_VNNI) return &ox_qkernels_vnni;
    if (set == OX_QSET_AVX512) return &ox_qkernels_avx512;
    if (set == OX_QSET_AVX2) return &ox_qkernels_avx2;
#endif
    (void)set;
    return &ox_qkernels_plain;
}

const ox_qkernels *ox_qkernels_now(void) { return kernels_of(ox_qset_now()); }

/* ------------------------------------------------------------------------------------------------ packing */

static int64_t groups_of(const ox_qkernels *q, int64_t k) { return ox_q_round(k, 4 / q->bytes) * q->bytes / 4; }

uint64_t ox_qgemm_packed_size(int64_t n, int64_t k) {
    int64_t bytes;
    if (n < 0 || k < 0 || n > INT32_MAX || k > INT32_MAX - 64) return 0;
    if (__builtin_mul_overflow(n + 64, k + 4, &bytes) || bytes > INT64_MAX / 4) return 0;
    return 64 + (uint64_t)ox_q_round(ox_q_round(n, 16) * 4, 64) +
           (uint64_t)(ox_q_round(n, 16) * groups_of(ox_qkernels_now(), k)) * 4 + 64;
}

/* One number of B as the kernels want it: 16-bit, or signed bytes. */
static inline int32_t element(const ox_qkernels *q, const uint8_t *b, bool is_signed) {
    if (is_signed) return (int8_t)*b;
    return q->bytes == 1 ? *b - 128 : *b;
}

/* A group of 4 / bytes numbers one behind the other, of which N exist. */
static inline uint32_t group_at(const ox_qkernels *q, const uint8_t *b, bool is_signed, int64_t n) {
    uint32_t out = 0;
    int each = 4 / q->bytes, bits = 8 * q->bytes;
    for (int i = 0; i < each && i < n; i++)
        out |= ((uint32_t)element(q, b + i, is_signed) & (bits == 8 ? 255u : 65535u)) << (bits * i);
    return out;
}

/* Columns first.. of one panel; B by rows of k. */
static void pack_rows(const ox_qkernels *q, const ox_qpacked *h, int64_t first, const uint8_t *b, int64_t ld,
                      uint32_t *sums, uint8_t *panels) {
    int64_t wide = (int64_t)q->vlen * q->vectors, n = h->n - first < wide ? h->n - first : wide, each = 4 / q->bytes,
            width = ox_q_round(n, q->vlen);
    uint32_t *out = (uint32_t *)(void *)(panels + ox_q_place(q, h->n, h->groups, 0, first));
    uint8_t none[PANEL_MAX];
    memset(sums + first, 0, (size_t)width * sizeof *sums);
    memset(none, q->bytes == 1 && !h->b_signed ? 128 : 0, sizeof none);
    for (int64_t g = 0; g < h->groups; g++, out += width) {
        const uint8_t *from[4];
        for (int64_t i = 0; i < each; i++) from[i] = g * each + i < h->k ? b + (g * each + i) * ld + first : none;
        q->pack(from, h->b_signed, n, width, out, sums + first);
    }
}

/* The same of B by columns; some groups at a time, so that what is written stays in the cache until it is whole. */
static void pack_columns(const ox_qkernels *q, const ox_qpacked *h, int64_t first, const uint8_t *b, int64_t ld,
                         uint32_t *sums, uint8_t *panels) {
    int64_t wide = (int64_t)q->vlen * q->vectors, n = h->n - first < wide ? h->n - first : wide, each = 4 / q->bytes,
            width = ox_q_round(n, q->vlen), whole = h->k / each;
    uint32_t *out = (uint32_t *)(void *)(panels + ox_q_place(q, h->n, h->groups, 0, first));
    uint32_t flip = h->b_signed ? 0 : 0x80808080u;
    memset(sums + first, 0, (size_t)width * sizeof *sums);
    for (int64_t start = 0; start < h->groups; start += 16)
        for (int64_t j = 0; j < width; j++) {
            const uint8_t *from = b + (first + j) * ld;
            for (int64_t g = start; g < h->groups && g < start + 16; g++) {
                uint32_t x = 0;
                if (j >= n) {
                } else if (q->bytes == 1 && g < whole) {
                    memcpy(&x, from + g * 4, 4);
                    x ^= flip;
                } else {
                    x = group_at(q, from + g * each, h->b_signed, h->k - g * each);
                }
                out[g * width + j] = x;
            }
        }
    for (int64_t j = first; j < first + n; j++)
        sums[j] = q->sum(b + j * ld, h->b_signed, h->k) - (q->bytes == 1 && !h->b_signed ? 128 * (uint32_t)h->k : 0);
}

void ox_qgemm_pack(int threads, int64_t n, int64_t k, const void *b, bool b_signed, int64_t ldb, bool trans,
                   void *packed) {
    const ox_qkernels *q = ox_qkernels_now();
    ox_qpacked h = {n, k, groups_of(q, k), b_signed};
    memcpy(packed, &h, sizeof h);
    int64_t wide = (int64_t)q->vlen * q->vectors, panels = (n + wide - 1) / wide;
    threads = ox_cpu_threads(threads, n * (k < 4096 ? k : 4096));
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t p = 0; p < panels; p++)
        (trans ? pack_columns : pack_rows)(q, &h, p * wide, b, ldb, ox_q_sums(packed), ox_q_panels(packed, n));
}

/* ------------------------------------------------------------------------------------------------ the product */

void ox_q_columns(ox_qjob *j, const ox_qtail *t, int64_t first, const uint32_t *col_sum, uint32_t a_zero,
                  void *scratch) {
    int64_t n = ox_q_round(j->n, 16);
    uint32_t *init = scratch;
    float *scale = (float *)(init + n), *add = scale + n;
    for (int64_t i = 0; i < n; i++) {
        bool in = i < j->n;
        init[i] = in ? (t->bias ? (uint32_t)t->bias[first + i] : 0) - a_zero * col_sum[i] : 0;
        scale[i] = in && t->scale ? t->scale[t->scale_per_column ? first + i : 0] : 0;
        add[i] = in && t->add ? t->add[first + i] : 0;
    }
    j->init = init;
    j->scale = scale;
    j->add = add;
    j->type = t->type;
    j->zero = t->zero;
    j->lo = t->lo;
    j->hi = t->hi;
}

uint64_t ox_qgemm_scratch(int64_t m, int64_t n, int64_t k) {
    int64_t bytes;
    if (m < 0 || n < 0 || k < 0 || n > INT32_MAX || k > INT32_MAX - 64) return 0;
    if (__builtin_mul_overflow(m, k + 64, &bytes) || bytes > INT64_MAX / 8) return 0;
    return (uint64_t)ox_q_column_bytes(n) + 64 + (uint64_t)ox_q_round(m * 8, 64) +
           (uint64_t)(m * groups_of(ox_qkernels_now(), k)) * 4;
}

typedef struct product {
    const ox_qkernels *q;
    ox_qjob job;
    const ox_qmatrix *a;
    int64_t m, k;
    uint8_t *wide; /* rows of A as groups, or NULL: as they are */
    uint32_t *row_zero, *row_sum;
    uint32_t a_shift; /* what the top bit turned adds to A */
} product;

static uint32_t a_zero_of(const product *p, int64_t row) {
    const ox_qzero *z = &p->a->zero;
    return (z->value ? (uint32_t)z->value[z->per ? row : 0] : 0) + p->a_shift;
}

/* Rows of A as the kernel wants them, and what zero points need to know of them. */
static void prepare_row(const product *p, int64_t i) {
    const uint8_t *x = (const uint8_t *)p->a->data + i * p->a->ld;
    if (p->wide)
        p->q->widen(x, p->a->is_signed, p->k, p->job.groups * 4 / p->q->bytes, p->wide + i * p->job.groups * 4);
    if (p->row_zero) p->row_zero[i] = -a_zero_of(p, i);
    if (p->row_sum)
        p->row_sum[i] =
            p->q->sum(x, p->a->is_signed, p->k) + p->a_shift * (uint32_t)p->k - a_zero_of(p, i) * (uint32_t)p->k;
}

static void block_of_rows(const product *p, int64_t panel, int64_t first, int64_t count) {
    const uint8_t *a[OX_QROWS_MAX];
    int64_t ld = p->wide ? p->job.groups * 4 : p->a->ld;
    const uint8_t *from = (p->wide ? p->wide : (const uint8_t *)p->a->data) + first * ld;
    for (int64_t i = 0; i < count; i++) a[i] = from + i * ld;
    p->q->rows(&p->job, panel, a, first, count);
}

static void multiply(const product *p, int threads) {
    const ox_qkernels *q = p->q;
    int64_t wide = (int64_t)q->vlen * q->vectors, panels = (p->job.n + wide - 1) / wide;
    /* a block of rows of A is to stay in the second cache while all panels pass */
    int64_t bytes = p->job.groups * 4 + 1, most = (256 << 10) / bytes, blocks, rows;
    if (most > OX_QROWS_MAX) most = OX_QROWS_MAX;
    if (most < 4 * OX_QROWS) most = 4 * OX_QROWS;
    blocks = (p->m + most - 1) / most;
    rows = ox_q_round((p->m + blocks - 1) / blocks, OX_QROWS);
    blocks = (p->m + rows - 1) / rows;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t i = 0; i < blocks * panels; i++) {
        int64_t first = i / panels * rows;
        block_of_rows(p, i % panels, first, p->m - first < rows ? p->m - first : rows);
    }
}

void ox_qgemm(int threads, int64_t m, const ox_qmatrix *a, const void *packed, ox_qzero b_zero, const ox_qtail *tail,
              void *out, int64_t ldc, void *scratch) {
    static const int64_t whole = 0;
    ox_qpacked h;
    memcpy(&h, packed, sizeof h);
    product p = {.q = ox_qkernels_now(), .a = a, .m = m, .k = h.k};
    if (!m || !h.n) return;
    bool vnni = p.q->bytes == 1, zero = false;
    p.a_shift = vnni && a->is_signed ? 128 : 0;
    p.job = (ox_qjob){.panels = ox_q_panels(packed, h.n),
                      .n = h.n,
                      .groups = h.groups,
                      .segments = &whole,
                      .n_segments = 1,
                      .flip = p.a_shift ? 0x80808080u : 0,
                      .col_sum = ox_q_sums(packed),
                      .out = out,
                      .ldc = ldc};
    ox_q_columns(&p.job, tail, 0, p.job.col_sum, a->zero.per ? 0 : a_zero_of(&p, 0), scratch);
    uint32_t *columns = scratch, *rest = columns + ox_q_column_bytes(h.n) / 4,
             *col_zero = columns + 3 * ox_q_round(h.n, 16);
    uint32_t b_shift = vnni && !h.b_signed ? (uint32_t)-128 : 0;
    for (int64_t j = 0; j < ox_q_round(h.n, 16); j++) {
        uint32_t z = (b_zero.value ? (uint32_t)b_zero.value[b_zero.per ? (j < h.n ? j : 0) : 0] : 0) + b_shift;
        zero |= z != 0;
        col_zero[j] = -z;
    }
    p.job.col_zero = col_zero;
    if (a->zero.per) p.job.row_zero = p.row_zero = rest;
    if (zero) p.job.row_sum = p.row_sum = rest + m;
    /* without VNNI numbers are widened; whole groups must be there to be read */
    if (!vnni || h.k % 4) p.wide = (uint8_t *)rest + ox_q_round(m * 8, 64);
    threads = ox_cpu_threads(
        threads, m * h.n / 16 > INT64_MAX / 4096 ? INT64_MAX : m * h.n / 16 * (h.groups < 4096 ? h.groups : 4096));
    if (p.wide || p.row_zero || p.row_sum) {
        int few = ox_cpu_threads(threads, m * (h.k < 4096 ? h.k : 4096) / 8);
        (void)few;
#pragma omp parallel for num_threads(few) schedule(static)
        for (int64_t i = 0; i < m; i++) prepare_row(&p, i);
    }
    multiply(&p, threads);
}
