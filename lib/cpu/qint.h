/* What the files on 8-bit integers share: the instruction sets (one more than elsewhere), the form of packed matrices, a tile of a product.
 * For files q*.c of this folder.
 *
 * The sum over k runs in groups of 4 bytes of A, that many elements of 1 byte (VNNI: unsigned times signed bytes) or 2 of 2 bytes (others: pairs
 * of 16-bit numbers). One group of a row of A meets the groups of OX_VLEN columns of B. Where VNNI needs the other signedness, the top bit is
 * turned, which shifts a number by 128, and so do zero points.
 *
 * A packed matrix: panels of `vectors` vectors of columns, the last one of as many as needed; in a panel group after group, in a group a
 * group of each column. */
#ifndef OX_QINT_H
#define OX_QINT_H

#include "cpu/qgemm.h"

typedef enum ox_qset { OX_QSET_PLAIN, OX_QSET_AVX2, OX_QSET_AVX512, OX_QSET_VNNI, OX_QSET_COUNT } ox_qset;
/* The best of these; OX_ISA lowers it, "avx512" to the one without VNNI. */
ox_qset ox_qset_now(void);

/* A product of rows that are given by pointers with the panels of a matrix. */
typedef struct ox_qjob {
    const uint8_t *panels;
    int64_t n, groups;          /* columns; groups of a segment */
    const int64_t *segments;    /* a row of A is in pieces: bytes from the row's pointer to each, in the order of k */
    int64_t n_segments;
    uint32_t flip;              /* exclusive or with every group of A */
    /* per column, with room for whole vectors */
    const uint32_t *init;       /* where the sum starts */
    const uint32_t *col_sum;    /* sums of columns; used with row_zero only */
    const uint32_t *col_zero;   /* minus zero points of B; used with row_sum only */
    const float *scale, *add;
    /* per row: added are row_zero times col_sum, row_sum times col_zero; NULL: nothing */
    const uint32_t *row_zero, *row_sum;
    ox_qtype type;
    int32_t zero, lo, hi;
    void *out;                  /* of row 0 and column out_first */
    int64_t ldc, out_first;
} ox_qjob;

enum { OX_QROWS = 6, OX_QROWS_MAX = 192 }; /* rows of a tile; rows of one call of rows() at most */
enum { PANEL_MAX = 64 };                   /* columns of a panel at most */

typedef struct ox_qkernels {
    int vlen, vectors, bytes; /* columns of a vector; vectors of a panel; bytes of an element of A and B */
    /* Rows first.. (pointers a[0..count)) times panel P. */
    void (*rows)(const ox_qjob *j, int64_t p, const uint8_t *const *a, int64_t first, int64_t count);
    /* n 8-bit numbers as elements of A, then zeros up to n_padded elements */
    void (*widen)(const uint8_t *x, bool is_signed, int64_t n, int64_t n_padded, uint8_t *out);
    uint32_t (*sum)(const uint8_t *x, bool is_signed, int64_t n);
    /* 4 / bytes rows of n columns to groups of `width` columns (the last ones 0); sums of columns grow */
    void (*pack)(const uint8_t *const *from, bool is_signed, int64_t n, int64_t width, uint32_t *groups, uint32_t *sums);
} ox_qkernels;

const ox_qkernels *ox_qkernels_now(void);

/* Depthwise convolution: pixels of an image by rows of channels meet weights, a group of taps at a time. Channels go in blocks of vlen * 4 /
 * bytes, inside which element e of part l (4 each) of sum v is channel 16 / bytes * l + 4 * v + e: see ox_q_depth_channel(). */
typedef struct ox_qdepth {
    const int64_t *taps;      /* bytes from a pixel's pointer to each tap; groups * (4 / bytes) of them */
    int64_t groups;
    const uint8_t *weights;   /* of the block: [group][sum][4 / bytes taps of each channel] */
    const uint32_t *init;     /* of the block, in the order of sums */
    const float *scale;
    int64_t step;             /* not 0: groups are columns of the window, and a pixel this many bytes on has the next ones */
    uint32_t flip;
    ox_qtype type;            /* no floats */
    int32_t zero, lo, hi;
} ox_qdepth;
static inline int64_t ox_q_depth_block(const ox_qkernels *q) { return (int64_t)q->vlen * 4 / q->bytes; }
static inline int64_t ox_q_depth_channel(const ox_qkernels *q, int64_t i) { /* of element i of the sums of a block */
    int64_t v = i / q->vlen, part = i % q->vlen / 4;
    return 16 / q->bytes * part + 4 * v + i % 4;
}

typedef struct ox_qconv_kernels {
    /* pixels[0..count), of each N <= block channels to out + i * ld; reads whole blocks */
    void (*depth)(const ox_qdepth *d, const uint8_t *const *pixels, int64_t count, int64_t n, void *out, int64_t ld);
    /* 16 x 16 bytes: element j of from[i] to to[j * ld + i] */
    void (*transpose)(const uint8_t *const *from, uint8_t *to, int64_t ld);
    /* elements of four rows of n bytes by turns */
    void (*interleave)(const uint8_t *const *from, int64_t n, uint8_t *to);
} ox_qconv_kernels;
const ox_qconv_kernels *ox_qconv_kernels_now(void);

typedef struct ox_qpacked { /* then: sums of columns, panels, both 64-aligned */
    int64_t n, k, groups;   /* groups in all */
    bool b_signed;
} ox_qpacked;

static inline int64_t ox_q_round(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
/* Where the group g of column j stands in panels, in bytes. */
static inline int64_t ox_q_place(const ox_qkernels *q, int64_t n, int64_t groups, int64_t g, int64_t j) {
    int64_t wide = (int64_t)q->vlen * q->vectors, first = j / wide * wide,
            width = n - first < wide ? ox_q_round(n - first, q->vlen) : wide;
    return (first * groups + g * width + j - first) * 4;
}
static inline uint32_t *ox_q_sums(const void *packed) { return (uint32_t *)((char *)(uintptr_t)packed + 64); }
static inline uint8_t *ox_q_panels(const void *packed, int64_t n) {
    return (uint8_t *)(uintptr_t)packed + 64 + ox_q_round(ox_q_round(n, 16) * 4, 64);
}
/* Per-column arrays of a job in scratch memory, filled from a tail: 4 of n rounded up to 16 each. */
static inline int64_t ox_q_column_bytes(int64_t n) { return ox_q_round(n, 16) * 4 * 4; }
void ox_q_columns(ox_qjob *j, const ox_qtail *t, int64_t first, const uint32_t *col_sum, uint32_t a_zero, void *scratch);

#endif
