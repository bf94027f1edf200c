/* Tiles of matrix products: micro-kernels that hold a block of the result in registers, and the packing of what they read.
 *
 * A micro-kernel computes up to MR rows by one or two vectors of columns. It starts from the bias, from zero or from what is
 * in C, and adds one step of k after the other: every element is the same sequence of additions wherever the block boundaries
 * lie. B comes in panels of NR columns, step by step, or as it is stored; A is read as it is stored or from packed blocks
 * that hold the rows of one micro-kernel step by step. Reading in place pays where little is read again. */
#include "cpu/gemm_job.h"
#include "cpu/isa.h"

#if defined(__AVX512F__)
enum { MR = 14 };
#elif defined(__AVX2__)
enum { MR = 6 };
#else
enum { MR = 4 };
#endif
/* Loops of known length over registers must be unrolled, else the registers are memory. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
enum { VL = OX_VLEN, NR = 2 * VL, DEPTH = OX_GEMM_DEPTH };

/* Has V in a register: read twice from memory it would keep loads busy that multiplications wait for. */
#if defined(__AVX512F__)
#define KEEP(v) __asm__("" : "+v"(v))
#elif defined(__x86_64__)
#define KEEP(v) __asm__("" : "+x"(v))
#else
#define KEEP(v) (void)(v)
#endif

typedef enum start { FROM_ZERO, FROM_BIAS, FROM_C } start;

/* Where a micro-kernel reads and writes. STEP: bytes between rows of A (by rows), or floats between its steps (by steps). */
typedef struct block {
    int64_t k;
    const float *a, *b;
    int64_t step, ldb;
    float *c;
    int64_t ldc;
    const float *bias;
    start from;
} block;

/* Element of row I at P, rows S bytes apart: written so that few registers address all rows. */
OX_IN float at_row(const char *const *p, int i, int64_t s, int64_t s3) {
    const char *q = p[i / 5];
    int r = i % 5;
    q = r == 3 ? q + s3 : r == 4 ? q + 4 * s : r == 2 ? q + 2 * s : r == 1 ? q + s : q;
    float x;
    memcpy(&x, q, sizeof x);
    return x;
}

OX_IN void micro(const int rows, const int nv, const bool by_rows, const block *x) {
    vf acc[MR][2];
    UNROLL
    for (int v = 0; v < nv; v++) {
        vf bias = x->from == FROM_BIAS ? vf_load(x->bias + v * VL) : (vf){0};
        UNROLL
        for (int i = 0; i < rows; i++) acc[i][v] = x->from == FROM_C ? vf_load(x->c + i * x->ldc + v * VL) : bias;
    }
    const float *a = x->a, *b = x->b;
    const int64_t k = x->k, ldb = x->ldb, step = x->step, s3 = 3 * step;
    const char *p[3] = {(const char *)a, (const char *)a + 5 * step, (const char *)a + 10 * step};
    for (int64_t q = 0; q < k; q++) {
        vf y0 = vf_load(b), y1 = nv > 1 ? vf_load(b + VL) : y0;
        if (rows > 1) KEEP(y0);
        if (rows > 1 && nv > 1) KEEP(y1);
        UNROLL
        for (int i = 0; i < rows; i++) {
            vf f = vf_set(by_rows ? at_row(p, i, step, s3) : a[i]);
            acc[i][0] += f * y0;
            if (nv > 1) acc[i][1] += f * y1;
        }
        b += ldb;
        a += step;
        UNROLL
        for (int g = 0; g < 3; g++) p[g] += sizeof(float);
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < nv; v++) vf_store(x->c + i * x->ldc + v * VL, acc[i][v]);
    }
}

typedef void micro_fn(const block *x);
#define MICRO(R)                                                        \
    static void rows1_##R(const block *x) { micro(R, 1, true, x); }     \
    static void rows2_##R(const block *x) { micro(R, 2, true, x); }     \
    static void steps1_##R(const block *x) { micro(R, 1, false, x); }   \
    static void steps2_##R(const block *x) { micro(R, 2, false, x); }
#define NAMES(R) {{steps1_##R, steps2_##R}, {rows1_##R, rows2_##R}}
MICRO(1) MICRO(2) MICRO(3) MICRO(4)
#if defined(__AVX2__) || defined(__AVX512F__)
MICRO(5) MICRO(6)
#endif
#if defined(__AVX512F__)
MICRO(7) MICRO(8) MICRO(9) MICRO(10) MICRO(11) MICRO(12) MICRO(13) MICRO(14)
#endif
/* [rows - 1][A by rows][vectors - 1] */
static micro_fn *const micros[MR][2][2] = {
    NAMES(1), NAMES(2), NAMES(3), NAMES(4),
#if defined(__AVX2__) || defined(__AVX512F__)
    NAMES(5), NAMES(6),
#endif
#if defined(__AVX512F__)
    NAMES(7), NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12), NAMES(13), NAMES(14),
#endif
};

/* ---- one or a few rows: memory is what takes time, and one panel's sums would wait for each other ---- */
#if defined(__AVX512F__)
enum { WIDE_ROWS = 3, DOT_ROWS = 4 };
#else
enum { WIDE_ROWS = 2, DOT_ROWS = 2 };
#endif

/* PANELS panels of NR columns at once, PS floats apart. */
OX_IN void wide(const int rows, const int panels, const block *x, int64_t ps) {
    vf acc[3][8];
    UNROLL
    for (int v = 0; v < 2 * panels; v++) {
        UNROLL
        for (int i = 0; i < rows; i++)
            acc[i][v] = x->from == FROM_C ? vf_load(x->c + i * x->ldc + v * VL) : x->from == FROM_BIAS ? vf_load(x->bias + v * VL) : (vf){0};
    }
    const float *b = x->b;
    const char *a = (const char *)x->a;
    for (int64_t q = 0; q < x->k; q++) {
        vf f[3];
        UNROLL
        for (int i = 0; i < rows; i++) {
            float one;
            memcpy(&one, a + i * x->step, sizeof one);
            f[i] = vf_set(one);
        }
        UNROLL
        for (int v = 0; v < 2 * panels; v++) {
            vf y = vf_load(b + v / 2 * ps + v % 2 * VL);
            if (rows > 1) KEEP(y);
            UNROLL
            for (int i = 0; i < rows; i++) acc[i][v] += f[i] * y;
        }
        a += sizeof(float);
        b += x->ldb;
    }
    UNROLL
    for (int v = 0; v < 2 * panels; v++) {
        UNROLL
        for (int i = 0; i < rows; i++) vf_store(x->c + i * x->ldc + v * VL, acc[i][v]);
    }
}

typedef void wide_fn(const block *x, int64_t ps);
#define WIDE(R, P) static void wide_##R##_##P(const block *x, int64_t ps) { wide(R, P, x, ps); }
WIDE(1, 2) WIDE(1, 4) WIDE(2, 2)
#if defined(__AVX512F__)
WIDE(2, 4) WIDE(3, 2) WIDE(3, 4)
static wide_fn *const wides[WIDE_ROWS][2] = {{wide_1_2, wide_1_4}, {wide_2_2, wide_2_4}, {wide_3_2, wide_3_4}}; /* two, four panels */
#else
static wide_fn *const wides[WIDE_ROWS][2] = {{wide_1_2, wide_1_4}, {wide_2_2, NULL}};
#endif

/* ---- transposes and sums of vectors: the elements of two vectors alternately, from their lower and their upper halves ---- */
#if defined(__AVX512F__)
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define UPPER(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif defined(__AVX2__)
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define UPPER(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define UPPER(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/* v[i][j] = v[j][i]: every round is a perfect shuffle of all elements. */
OX_IN void transpose(vf *v) {
    vf w[VL];
    UNROLL
    for (int round = 1; round < VL; round *= 2) {
        UNROLL
        for (int i = 0; i < VL / 2; i++) {
            w[2 * i] = LOWER(v[i], v[i + VL / 2]);
            w[2 * i + 1] = UPPER(v[i], v[i + VL / 2]);
        }
        UNROLL
        for (int i = 0; i < VL; i++) v[i] = w[i];
    }
}

/* out[i] = the sum of the elements of v[i], for n vectors, a power of two up to VL. */
OX_IN void sums(const int n, vf *v, float *out) {
    UNROLL
    for (int h = n / 2; h >= 1; h /= 2) {
        UNROLL
        for (int i = 0; i < h; i++) v[i] = LOWER(v[i], v[i + h]) + UPPER(v[i], v[i + h]);
    }
    UNROLL
    for (int h = VL / n; h > 1; h /= 2) v[0] = LOWER(v[0], v[0]) + UPPER(v[0], v[0]);
    float all[VL];
    vf_store(all, v[0]);
    UNROLL
    for (int i = 0; i < n; i++) out[i] = all[i * (VL / n)];
}

OX_IN vf load_some(const float *p, int64_t n) {
    float some[VL] = {0};
    for (int64_t i = 0; i < n; i++) some[i] = p[i];
    return vf_load(some);
}

/* Products of ROWS rows of A by COLS rows of B (as stored), into out[rows][cols]; rows * cols is a power of two. */
OX_IN void dot(const int rows, const int cols, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *out) {
    enum { MOST = 16 };
    vf acc[MOST];
    const int group = rows * cols < VL ? rows * cols : VL;
    int64_t p = 0;
    UNROLL
    for (int t = 0; t < rows * cols; t++) acc[t] = (vf){0};
    for (; p + VL <= k; p += VL) {
        vf x[4];
        UNROLL
        for (int i = 0; i < rows; i++) x[i] = vf_load(a + i * lda + p);
        UNROLL
        for (int j = 0; j < cols; j++) {
            vf y = vf_load(b + j * ldb + p);
            UNROLL
            for (int i = 0; i < rows; i++) acc[i * cols + j] += x[i] * y;
        }
    }
    if (p < k) {
        UNROLL
        for (int i = 0; i < rows; i++) {
            vf x = load_some(a + i * lda + p, k - p);
            UNROLL
            for (int j = 0; j < cols; j++) acc[i * cols + j] += x * load_some(b + j * ldb + p, k - p);
        }
    }
    UNROLL
    for (int t = 0; t < rows * cols; t += group) sums(group, acc + t, out + t);
}

typedef void dot_fn(int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *out);
#define DOT(R, C) \
    static void dot_##R##_##C(int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *out) { dot(R, C, k, a, lda, b, ldb, out); }
DOT(1, 1) DOT(1, 8) DOT(2, 1) DOT(2, 4)
#if defined(__AVX512F__)
DOT(4, 1) DOT(4, 4)
#endif

/* ---- packing ---- */
/* The first n elements of v, zeros behind them. */
OX_IN vf first(vf v, int64_t n) {
    vi at;
    UNROLL
    for (int i = 0; i < VL; i++) at[i] = i;
    return (vf)((vi)v & (at < (int32_t)n));
}

/* n <= NR floats by moves of fixed sizes that may overlap. */
OX_IN void copy_some(float *to, const float *from, int64_t n) {
#define BOTH(S) if (n >= (S)) { memcpy(to, from, (S) * sizeof *to); memcpy(to + n - (S), from + n - (S), (S) * sizeof *to); return; }
    if (n == NR) { memcpy(to, from, NR * sizeof *to); return; }
#if defined(__AVX512F__)
    BOTH(16)
#endif
    BOTH(8)
    BOTH(4)
    BOTH(2)
    *to = *from;
#undef BOTH
}

/* Panel of DEPTH steps, each the COLS columns of a row of B, or of a column of B transposed; missing columns are 0. */
static void pack_rows(const float *b, int64_t ldb, int64_t cols, int64_t depth, float *out) {
    int64_t p = 0;
    if (cols == NR) {
        for (; p < depth; p++, b += ldb, out += NR) {
            vf_store(out, vf_load(b));
            vf_store(out + VL, vf_load(b + VL));
        }
        return;
    }
    /* All rows but the last: what a vector reads too much is the beginning of the next row. */
    for (const int64_t whole = ldb + cols >= NR ? depth - 1 : 0; p < whole; p++, b += ldb, out += NR) {
        vf_store(out, first(vf_load(b), cols));
        vf_store(out + VL, first(vf_load(b + VL), cols - VL));
    }
    for (; p < depth; p++, b += ldb, out += NR) {
        for (int64_t j = 0; j < NR; j++) out[j] = j < cols ? b[j] : 0;
    }
}

static void pack_columns(const float *b, int64_t ldb, int64_t cols, int64_t depth, float *out) {
    for (int64_t p = 0; p < depth; p += VL) {
        for (int64_t half = 0; half < NR; half += VL) {
            const int64_t steps = depth - p < VL ? depth - p : VL;
            vf v[VL];
            if (steps == VL && cols - half >= VL) {
                UNROLL
                for (int j = 0; j < VL; j++) v[j] = vf_load(b + (half + j) * ldb + p);
            } else {
                for (int j = 0; j < VL; j++) v[j] = half + j < cols ? load_some(b + (half + j) * ldb + p, steps) : (vf){0};
            }
            transpose(v);
            float *to = out + p * NR + half;
            if (steps == VL) {
                UNROLL
                for (int j = 0; j < VL; j++) vf_store(to + j * NR, v[j]);
            } else {
                for (int j = 0; j < steps; j++) vf_store(to + j * NR, v[j]);
            }
        }
    }
}

static void pack_panel(bool trans_b, const float *b, int64_t ldb, int64_t cols, int64_t depth, float *out) {
    (trans_b ? pack_columns : pack_rows)(b, ldb, cols, depth, out);
}

/* ROWS <= MR rows of A, times alpha, step by step: out[p * rows + i]. Writes up to VL floats behind the end. */
static void pack_a(bool trans_a, float alpha, const float *a, int64_t lda, int64_t rows, int64_t depth, float *out) {
    if (trans_a) {
        for (int64_t p = 0; p < depth; p++) {
            for (int64_t i = 0; i < rows; i++) out[p * rows + i] = alpha * a[p * lda + i];
        }
        return;
    }
    vf v[VL];
    for (int64_t p = 0; p < depth; p += VL) {
        const int64_t steps = depth - p < VL ? depth - p : VL;
        UNROLL
        for (int i = 0; i < VL; i++) v[i] = i >= rows ? (vf){0} : alpha * (steps == VL ? vf_load(a + i * lda + p) : load_some(a + i * lda + p, steps));
        transpose(v);
        UNROLL
        for (int j = 0; j < VL; j++)
            if (j < steps) vf_store(out + (p + j) * rows, v[j]); /* what is too much the next step overwrites */
    }
}

/* ---- tiles ---- */
/* The rows of a tile in blocks of nearly equal height: a block of one row would read as much of B as one of MR. */
typedef struct cut { int64_t blocks, height, more; } cut; /* the first MORE blocks are one higher */

static inline cut cut_rows(int64_t rows) {
    const int64_t blocks = (rows + MR - 1) / MR;
    return (cut){blocks, rows / blocks, rows % blocks};
}

typedef struct tile {
    const ox_gemm_job *job;
    int64_t i0, rows, j0, cols, p0, depth;
    bool pack_b;
    float *pa, *pb;
    start from;
} tile;

/* Asks for part U of OF of what pack_panel() will read of this panel: it lies scattered, so the processor does not guess it. */
static inline void ask(bool trans_b, const float *b, int64_t ldb, int64_t cols, int64_t depth, int64_t u, int64_t of) {
    const int64_t rows = trans_b ? cols : depth, width = trans_b ? depth : cols;
    for (int64_t p = rows * u / of; p < rows * (u + 1) / of; p++) {
        for (int64_t q = 0; q < width; q += 16) __builtin_prefetch(b + p * ldb + q, 0, 2);
    }
}

/* All rows of the tile by a panel of COLS columns from J on, which a micro-kernel may write whole when there are so many. */
static void by_panel(const tile *t, int64_t j, int64_t cols, const float *b, int64_t ldb, const float *next, int64_t next_cols) {
    const ox_gemm_job *job = t->job;
    const int vectors = cols > VL ? 2 : 1;
    const bool edge = cols != vectors * VL;
    const cut rows = cut_rows(t->rows);
    float part[MR * NR], bias[NR];
    if (edge && t->from == FROM_C) memset(part, 0, sizeof part); /* elements that nobody takes out, but a kernel adds to */
    block x = {.k = t->depth, .b = b, .ldb = ldb, .from = t->from, .bias = job->bias ? job->bias + j : NULL};
    if (edge && t->from == FROM_BIAS) {
        for (int64_t q = 0; q < NR; q++) bias[q] = q < cols ? job->bias[j + q] : 0;
        x.bias = bias;
    }
    int64_t i = 0;
    for (int64_t u = 0; u < rows.blocks; u++) {
        const int64_t height = rows.height + (u < rows.more);
        if (next) ask(job->trans_b, next, job->ldb, next_cols, t->depth, u, rows.blocks);
        float *c = job->c + (t->i0 + i) * job->ldc + j;
        bool by_rows = false;
        if (t->pa) {
            x.a = t->pa + i * t->depth;
            x.step = height;
        } else if (job->trans_a) {
            x.a = job->a + t->p0 * job->lda + t->i0 + i;
            x.step = job->lda;
        } else {
            x.a = job->a + (t->i0 + i) * job->lda + t->p0;
            x.step = job->lda * (int64_t)sizeof(float);
            by_rows = true;
        }
        x.c = edge ? part : c;
        x.ldc = edge ? NR : job->ldc;
        for (int64_t r = 0; r < height && edge && t->from == FROM_C; r++) {
            copy_some(part + r * NR, c + r * job->ldc, cols);
        }
        micros[height - 1][by_rows][vectors - 1](&x);
        for (int64_t r = 0; r < height && edge; r++) copy_some(c + r * job->ldc, part + r * NR, cols);
        i += height;
    }
}

/* Whole panels of the tile's first columns, several at once; how many columns that were. */
static int64_t by_wide(const tile *t, int64_t packed_panel) {
    const ox_gemm_job *job = t->job;
    wide_fn *const *fns = wides[t->rows - 1];
    int64_t j = t->j0;
    block x = {.k = t->depth, .from = t->from, .ldc = job->ldc, .step = job->lda * (int64_t)sizeof(float),
               .a = job->a + t->i0 * job->lda + t->p0, .ldb = job->packed ? NR : job->ldb};
    for (int64_t step, end = t->j0 + t->cols; j + 2 * NR <= end; j += step) {
        const bool four = fns[1] && j + 4 * NR <= end;
        step = four ? 4 * NR : 2 * NR;
        x.b = job->packed ? job->packed + j / NR * packed_panel + t->p0 * NR : job->b + t->p0 * job->ldb + j;
        x.c = job->c + t->i0 * job->ldc + j;
        x.bias = job->bias ? job->bias + j : NULL;
        fns[four](&x, job->packed ? packed_panel : NR);
    }
    return j - t->j0;
}

static void tail_row(const ox_gemm_job *job, int64_t i, int64_t j, int64_t cols) {
    const ox_tail *tail = job->tail;
    float *y = job->c + i * job->ldc + j;
    if (tail->add) {
        const float *add = tail->add + job->add_at + i * job->ldc + j;
        for (int64_t q = 0; q < cols; q++) y[q] += add[q];
    }
    if (tail->clamp) {
        const float lo = tail->lo, hi = tail->hi;
        for (int64_t q = 0; q < cols; q++) {
            float v = y[q] < lo ? lo : y[q];
            y[q] = v > hi ? hi : v;
        }
    }
    if (tail->rest) tail->rest(tail, y, cols, job->offset + i * job->n + j, j);
}

static void finish(const ox_gemm_job *job, int64_t i0, int64_t rows, int64_t j0, int64_t cols) {
    for (int64_t i = 0; i < rows && job->tail; i++) tail_row(job, i0 + i, j0, cols);
}

static void walk(tile *t) {
    const ox_gemm_job *job = t->job;
    const int64_t packed_panel = job->k * NR;
    /* Few rows of packed weights: nothing is read twice, so that long ways through memory are best. */
    const int64_t most = t->pa || (t->pb && !job->packed) ? DEPTH : job->packed && t->rows <= MR ? OX_GEMM_DEPTH_FEW : DEPTH / 3 * 2;
    const bool few = t->rows <= WIDE_ROWS && !t->pa && !job->trans_a && (job->packed || !t->pack_b);
    t->from = job->accumulate ? FROM_C : job->bias ? FROM_BIAS : FROM_ZERO;
    do {
        t->depth = job->k - t->p0 < most ? job->k - t->p0 : most;
        if (t->pa) {
            const cut rows = cut_rows(t->rows);
            for (int64_t u = 0, i = 0; u < rows.blocks; u++) {
                const int64_t height = rows.height + (u < rows.more), at = t->i0 + i;
                const float *a = job->a + (job->trans_a ? t->p0 * job->lda + at : at * job->lda + t->p0);
                pack_a(job->trans_a, job->alpha, a, job->lda, height, t->depth, t->pa + i * t->depth);
                i += height;
            }
        }
        for (int64_t j = few ? by_wide(t, packed_panel) : 0; j < t->cols; j += NR) {
            const int64_t at = t->j0 + j, cols = t->cols - j < NR ? t->cols - j : NR;
            if (job->packed) {
                by_panel(t, at, cols, job->packed + at / NR * packed_panel + t->p0 * NR, NR, NULL, 0);
                continue;
            }
            const float *b = job->b + (job->trans_b ? at * job->ldb + t->p0 : t->p0 * job->ldb + at);
            const bool pack = t->pack_b || (cols != VL && cols != NR);
            if (pack) pack_panel(job->trans_b, b, job->ldb, cols, t->depth, t->pb);
            const int64_t left = t->cols - j - NR;
            const float *next = t->pack_b && left > 0 ? b + (job->trans_b ? NR * job->ldb : NR) : NULL;
            by_panel(t, at, cols, pack ? t->pb : b, pack ? NR : job->ldb, next, left < NR ? left : NR);
        }
        t->p0 += t->depth;
        t->from = FROM_C;
    } while (t->p0 < job->k);
    finish(job, t->i0, t->rows, t->j0, t->cols);
}

/* Room for packing is on the stack, and only where it is needed: a small product takes less time than touching it. */
static __attribute__((noinline)) void walk_b(tile *t) {
    float pb[DEPTH * NR];
    t->pb = pb;
    walk(t);
}

static __attribute__((noinline)) void walk_ab(tile *t) {
    float pa[DEPTH * OX_GEMM_ROWS + VL], pb[DEPTH * NR];
    t->pa = pa;
    t->pb = pb;
    walk(t);
}

/* Whether rows of A that are LDA apart fall on the same few places of the first cache. */
static bool crowded(int64_t lda) { return lda % 1024 == 0; }

static void one_tile(const ox_gemm_job *job, int64_t i0, int64_t rows, int64_t j0, int64_t cols) {
    tile t = {.job = job, .i0 = i0, .rows = rows, .j0 = j0, .cols = cols};
    t.pack_b = !job->packed && (job->trans_b || rows > OX_GEMM_PACK_B);
    if (job->alpha != 1 || (cols >= OX_GEMM_PACK_A && rows >= MR && (job->trans_a || crowded(job->lda))))
        walk_ab(&t);
    else if (t.pack_b || (!job->packed && cols % VL))
        walk_b(&t);
    else
        walk(&t);
}

static void dot_tile(const ox_gemm_job *job, int64_t i0, int64_t rows, int64_t j0, int64_t cols) {
    for (int64_t i = i0, height; i < i0 + rows; i += height) {
        const int64_t left = i0 + rows - i;
        height = DOT_ROWS == 4 && left >= 4 ? 4 : left >= 2 ? 2 : 1;
        const int64_t most = height == 1 ? 8 : 4;
        for (int64_t j = j0, width; j < j0 + cols; j += width) {
            width = j0 + cols - j >= most ? most : 1;
            float out[16];
            dot_fn *fn = height == 1 ? (width > 1 ? dot_1_8 : dot_1_1) : width > 1 ? dot_2_4 : dot_2_1;
#if defined(__AVX512F__)
            if (height == 4) fn = width > 1 ? dot_4_4 : dot_4_1;
#endif
            fn(job->k, job->a + i * job->lda, job->lda, job->b + j * job->ldb, job->ldb, out);
            for (int64_t r = 0; r < height; r++) {
                for (int64_t q = 0; q < width; q++) {
                    float *c = job->c + (i + r) * job->ldc + j + q;
                    *c = (job->accumulate ? *c : job->bias ? job->bias[j + q] : 0) + job->alpha * out[r * width + q];
                }
            }
        }
    }
    finish(job, i0, rows, j0, cols);
}

const ox_gemm_set OX_ISA(ox_gemm_set) = {MR, NR, one_tile, dot_tile, pack_panel};
