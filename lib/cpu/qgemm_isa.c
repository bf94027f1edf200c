/* Tiles of products of 8-bit integers, per instruction set: sums of OX_QROWS rows and a panel of columns stay in registers over all of k,
 * then are corrected, rounded and stored. No product of floats may be contracted here: results are those of the definition. */
#include "cpu/qvec8.h"

enum { VECTORS = OX_VLEN == 16 ? 4 : 2, WIDE = VECTORS * OX_VLEN };

/* Sums stay in registers only when every loop over them is unrolled. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

OX_IN vu group_of(const uint8_t *a, uint32_t flip) {
    uint32_t x;
    memcpy(&x, a, sizeof x);
#if defined(__AVX512VNNI__)
    return vu_set(x) ^ vu_set(flip);
#else
    (void)flip;
    return vu_set(x);
#endif
}

/* Sums of R rows and V vectors of columns; as they are or as bytes at OUT where that is given. */
OX_IN void tile(const ox_qjob *j, const uint8_t *const *a, const uint8_t *b, int64_t col, int R, int V, uint32_t *sums,
                uint8_t *out) {
    vu acc[OX_QROWS][VECTORS];
    const uint8_t *row[OX_QROWS];
    UNROLL for (int v = 0; v < V; v++) {
        vu x = vu_load(j->init + col + v * OX_VLEN);
        UNROLL for (int r = 0; r < R; r++) acc[r][v] = x;
    }
    for (int64_t s = 0; s < j->n_segments; s++) {
        UNROLL for (int r = 0; r < R; r++) row[r] = a[r] + j->segments[s];
        for (int64_t g = 0; g < j->groups * 4; g += 4, b += V * OX_VLEN * 4) {
            vu y[VECTORS];
            UNROLL for (int v = 0; v < V; v++) y[v] = vu_load(b + v * OX_VLEN * 4);
            UNROLL for (int r = 0; r < R; r++) {
                vu x = group_of(row[r] + g, j->flip);
                UNROLL for (int v = 0; v < V; v++) acc[r][v] = vu_dot(acc[r][v], x, y[v]);
            }
        }
    }
#if defined(__AVX512F__)
    if (V == 4 && out && j->type != OX_Q_S32) {
        narrow n = narrow_of(j->zero, j->lo, j->hi, j->type == OX_Q_S8);
        vf scale[VECTORS];
        UNROLL for (int v = 0; v < V; v++) scale[v] = vf_load(j->scale + col + v * OX_VLEN);
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        UNROLL for (int r = 0; r < R; r++)
            _mm512_storeu_si512(out + r * j->ldc, _mm512_permutexvar_epi32(order, narrow_4(acc[r], scale, &n)));
        return;
    }
#endif
    uint8_t *to = out ? out : (uint8_t *)sums;
    int64_t ld = out ? j->ldc * 4 : WIDE * 4;
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < V; v++)
        vu_store(to + r * ld + v * OX_VLEN * 4, acc[r][v]);
}

typedef void (*tile_fn)(const ox_qjob *j, const uint8_t *const *a, const uint8_t *b, int64_t col, uint32_t *sums,
                        uint8_t *out);
#define TILE(R, V)                                                                                                     \
    static void tile_##R##_##V(const ox_qjob *j, const uint8_t *const *a, const uint8_t *b, int64_t col,               \
                               uint32_t *sums, uint8_t *out) {                                                         \
        tile(j, a, b, col, R, V, sums, out);                                                                           \
    }
#define TILES(V) TILE(1, V) TILE(2, V) TILE(3, V) TILE(4, V) TILE(5, V) TILE(6, V)
#define NAMES(V)                                                                                                       \
    { tile_1_##V, tile_2_##V, tile_3_##V, tile_4_##V, tile_5_##V, tile_6_##V }
TILES(1)
TILES(2)
#if defined(__AVX512F__)
TILES(3)
TILES(4)
static const tile_fn tiles[VECTORS][OX_QROWS] = {NAMES(1), NAMES(2), NAMES(3), NAMES(4)};
#else
static const tile_fn tiles[VECTORS][OX_QROWS] = {NAMES(1), NAMES(2)};
#endif

/* Zero points that vary by row, or of B. */
static void correct(const ox_qjob *j, uint32_t *sums, int64_t row, int rows, int64_t col, int vectors) {
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            uint32_t *to = sums + r * WIDE + v * OX_VLEN;
            vu x = vu_load(to);
            if (j->row_zero) x += vu_set(j->row_zero[row + r]) * vu_load(j->col_sum + col + v * OX_VLEN);
            if (j->row_sum) x += vu_set(j->row_sum[row + r]) * vu_load(j->col_zero + col + v * OX_VLEN);
            vu_store(to, x);
        }
}

static void store_bytes(const ox_qjob *j, const uint32_t *sums, int64_t row, int rows, int64_t col, int64_t n) {
    vf lo = vf_set((float)(j->lo - j->zero)), hi = vf_set((float)(j->hi - j->zero));
    vu zero = vu_zero_less_magic(j->zero);
    const float *scale = j->scale + col;
    for (int r = 0; r < rows; r++, sums += WIDE) {
        uint8_t *out = (uint8_t *)j->out + (row + r) * j->ldc + col - j->out_first, last[OX_VLEN];
        int64_t i = 0;
        for (; i + OX_VLEN <= n; i += OX_VLEN)
            vu_store_bytes(
                out + i,
                vu_quantized(__builtin_convertvector((vi)vu_load(sums + i), vf) * vf_load(scale + i), lo, hi, zero));
        if (i == n) continue;
        vu_store_bytes(
            last, vu_quantized(__builtin_convertvector((vi)vu_load(sums + i), vf) * vf_load(scale + i), lo, hi, zero));
        memcpy(out + i, last, (size_t)(n - i));
    }
}

static void store_floats(const ox_qjob *j, const uint32_t *sums, int64_t row, int rows, int64_t col, int64_t n) {
    const float *scale = j->scale + col, *add = j->add + col;
    for (int r = 0; r < rows; r++, sums += WIDE) {
        float *out = (float *)j->out + (row + r) * j->ldc + col - j->out_first, last[OX_VLEN];
        int64_t i = 0;
        for (; i + OX_VLEN <= n; i += OX_VLEN)
            vf_store(out + i,
                     __builtin_convertvector((vi)vu_load(sums + i), vf) * vf_load(scale + i) + vf_load(add + i));
        if (i == n) continue;
        vf_store(last, __builtin_convertvector((vi)vu_load(sums + i), vf) * vf_load(scale + i) + vf_load(add + i));
        memcpy(out + i, last, (size_t)(n - i) * sizeof *out);
    }
}

static void rows(const ox_qjob *j, int64_t p, const uint8_t *const *a, int64_t first, int64_t count) {
    int64_t col = p * WIDE, n = j->n - col < WIDE ? j->n - col : WIDE;
    int vectors = (int)((n + OX_VLEN - 1) / OX_VLEN);
    const uint8_t *b = j->panels + col * j->groups * j->n_segments * 4;
    uint32_t sums[OX_QROWS * WIDE];
    bool corrected = j->row_zero || j->row_sum, bytes = j->type == OX_Q_U8 || j->type == OX_Q_S8,
         direct =
             !corrected && n == vectors * OX_VLEN && (j->type == OX_Q_S32 || (bytes && OX_VLEN == 16 && n == WIDE));
    int64_t size = bytes ? 1 : 4;
    for (int64_t i = 0; i < count; i += OX_QROWS) {
        int m = count - i < OX_QROWS ? (int)(count - i) : OX_QROWS;
        uint8_t *to = direct ? (uint8_t *)j->out + ((first + i) * j->ldc + col - j->out_first) * size : NULL;
        tiles[vectors - 1][m - 1](j, a + i, b, col, sums, to);
        if (direct) continue;
        if (corrected) correct(j, sums, first + i, m, col, vectors);
        if (j->type == OX_Q_FLOAT) {
            store_floats(j, sums, first + i, m, col, n);
        } else if (j->type == OX_Q_S32) {
            int32_t *out = (int32_t *)j->out + (first + i) * j->ldc + col - j->out_first;
            for (int r = 0; r < m; r++) memcpy(out + r * j->ldc, sums + r * WIDE, (size_t)n * 4);
        } else {
            store_bytes(j, sums, first + i, m, col, n);
        }
    }
}

static void widen(const uint8_t *x, bool is_signed, int64_t n, int64_t n_padded, uint8_t *out) {
    if (OX_QBYTES == 1) {
        memcpy(out, x, (size_t)n);
        memset(out + n, 0, (size_t)(n_padded - n));
        return;
    }
    int16_t *o = (int16_t *)(void *)out;
    if (is_signed)
        for (int64_t i = 0; i < n; i++) o[i] = (int8_t)x[i];
    else
        for (int64_t i = 0; i < n; i++) o[i] = x[i];
    for (int64_t i = n; i < n_padded; i++) o[i] = 0;
}

static uint32_t sum(const uint8_t *x, bool is_signed, int64_t n) {
    int32_t s = 0; /* of fewer than 2^23 at a time, so it cannot overflow */
    uint32_t all = 0;
    for (int64_t i = 0; i < n; all += (uint32_t)s, s = 0) {
        int64_t end = n - i < 1 << 20 ? n : i + (1 << 20);
        if (is_signed)
            for (; i < end; i++) s += (int8_t)x[i];
        else
            for (; i < end; i++) s += x[i];
    }
    return all;
}

/* A vector of columns of a group. */
OX_IN vu packed_columns(const uint8_t *const *from, int64_t at, bool is_signed) {
#if defined(__AVX512VNNI__)
    vu x = {0};
    for (int i = 0; i < 4; i++) x |= (vu)vi_of_bytes(from[i] + at, false) << (8 * i);
    return is_signed ? x : x ^ 0x80808080u;
#else
    return ((vu)vi_of_bytes(from[0] + at, is_signed) & 65535) | (vu)vi_of_bytes(from[1] + at, is_signed) << 16;
#endif
}

static void pack(const uint8_t *const *from, bool is_signed, int64_t n, int64_t width, uint32_t *groups,
                 uint32_t *sums) {
    vu ones = vu_set(OX_QBYTES == 1 ? 0x01010101u : 0x00010001u);
    for (int64_t j = 0; j < width; j += OX_VLEN) {
        uint8_t rest[4][OX_VLEN];
        const uint8_t *row[4] = {rest[0], rest[1], rest[2], rest[3]};
        bool full = j + OX_VLEN <= n;
        if (!full) /* numbers that become 0 where there are no columns */
            for (int i = 0; i < 4 / OX_QBYTES; i++) {
                memset(rest[i], OX_QBYTES == 1 && !is_signed ? 128 : 0, OX_VLEN);
                if (j < n) memcpy(rest[i], from[i] + j, (size_t)(n - j));
            }
        vu x = full ? packed_columns(from, j, is_signed) : packed_columns(row, 0, is_signed);
        vu_store(groups + j, x);
        vu_store(sums + j, vu_dot(vu_load(sums + j), ones, x));
    }
}

extern const ox_qkernels OX_ISA(ox_qkernels);
const ox_qkernels OX_ISA(ox_qkernels) = {OX_VLEN, VECTORS, OX_QBYTES, rows, widen, sum, pack};
