/* Between conv_blocks.c, depthwise.c, pool_blocks.c and the files compiled per instruction set: what a kernel is given, and the table of kernels of a set. */
#ifndef OX_CONV_TILE_H
#define OX_CONV_TILE_H

#include "cpu/conv.h"

enum {
    OX_CONV_GROUP = 4,   /* most output blocks computed together */
    OX_CONV_FEW = 4,     /* so many output channels have kernels of their own */
    OX_CONV_PIXELS = 8,  /* most pixels computed together */
    OX_CONV_ROW = 14,    /* the same, neighbours inside of the image */
    OX_CONV_NEAR = 2,    /* so many output blocks have kernels for neighbouring pixels inside of the image */
    OX_CONV_HALF = 8,    /* so many output channels are computed in half vectors, where the set has them */
    OX_CONV_TAPS = 256   /* most taps of a kernel */
};

/* How neighbouring pixels lie: the kinds of kernels for them. */
enum { OX_NEAR_PLANAR1, OX_NEAR_PLANAR2, OX_NEAR_BLOCKED, OX_NEAR_KINDS };
enum { OX_TAP_ALL, OX_TAP_NOT_FIRST, OX_TAP_NOT_LAST }; /* pixels of a tile that a tap reaches: others lie in the pad, or are given as such */

/* Sums of some pixels of some output blocks over some input blocks. For every input block, tap and pixel a pointer is made: X + at[tap][pixel],
 * or zeros where the entry is negative; LANES input channels lie STEP floats apart from there. (A planar input has a channel as block, a
 * kernel's row as tap and its columns as lanes.) What changes from tile to tile is given apart. */
typedef struct ox_conv_tile {
    const int64_t (*at)[OX_CONV_PIXELS];
    const uint8_t *reach;              /* OX_TAP_... of every tap */
    const int32_t *tap;                /* numbers of the taps given, in order */
    int64_t taps, all_taps;            /* taps given; taps of the kernel */
    bool inside;                       /* no entry is negative */
    int64_t fetch, ahead;              /* from this tap on, what lies AHEAD floats further is fetched: the next tile will read it */
    int64_t blocks, lanes, last_lanes, step; /* input blocks; channels of each and of the last */
    int64_t x_block, y_block;          /* floats from one block to the next */
    const float *w;                    /* [block][tap][lane][w_lane floats] */
    int64_t w_lane;
    const float *bias;
    bool first, last;                  /* start from bias, not from y; end with add and clamp */
    bool clamp;
    float lo, hi;
} ox_conv_tile;

/* A row of pixels of one block, depthwise. */
typedef struct ox_depth_row {
    const float *x, *w;                /* image of the block, weights [kh][kw][B] */
    int64_t in_w;
    int64_t iy, y0, y1;                /* input row of tap row 0; tap rows inside of the image */
    int64_t out_w, kernel_w, stride_w, dilation_h, dilation_w, pad_left;
    const float *bias, *add;
    float *y;
    bool clamp;
    float lo, hi;
} ox_depth_row;

typedef struct ox_pool_row {
    const float *x;
    int64_t in_w, iy, y0, y1, out_w, kernel_w, stride_w, dilation_h, dilation_w, pad_left;
    int64_t rows, span;                /* with counted pads: rows of the window that count, and the column where pad_right ends */
    ox_pool_kind kind;
    float *y;
} ox_pool_row;

typedef void ox_conv_kernel(const ox_conv_tile *, const float *x, float *y, const float *add /* or NULL */);
typedef struct ox_conv_isa {
    int block, group, pixels[OX_CONV_GROUP + 1]; /* most pixels for a number of output blocks */
    int near_pixels[OX_CONV_NEAR + 1];
    ox_conv_kernel *tile[OX_CONV_GROUP + 1][OX_CONV_PIXELS + 1];
    ox_conv_kernel *near[OX_NEAR_KINDS][OX_CONV_NEAR + 1][OX_CONV_ROW + 1]; /* nothing at a border, lanes side by side */
    ox_conv_kernel *half[OX_CONV_PIXELS + 1], *half_near[OX_NEAR_KINDS][OX_CONV_ROW + 1]; /* weights [block][tap][lane][8]; may be NULL */
    int few_pixels[OX_CONV_FEW + 1];             /* the same for a number of output channels: weights [block][tap][channel][B], one pass */
    ox_conv_kernel *few[OX_CONV_FEW + 1][OX_CONV_PIXELS + 1];
} ox_conv_isa;

extern const ox_conv_isa ox_conv_isa_plain, ox_conv_isa_avx2, ox_conv_isa_avx512;
const ox_conv_isa *ox_conv_kernels(void);
/* Output blocks are computed in sets of up to ox_conv_isa.group: the first block of one. Sets differ by one block at most. */
static inline int64_t ox_conv_set_start(int64_t blocks, int64_t sets, int64_t set) { return set * blocks / sets; }
void ox_depth_row_plain(const ox_depth_row *), ox_depth_row_avx2(const ox_depth_row *), ox_depth_row_avx512(const ox_depth_row *);
void ox_conv_depthwise(int threads, const ox_conv *c, const float *x, const float *packed, const float *bias, const ox_tail *tail, float *y);

/* N pixels of a block of CHANNELS channels, to planes of HW floats each. */
void ox_unblock_some(const float *blocked, int64_t hw, int64_t channels, int64_t n, float *to);

#define OX_POOL_KERNELS(set)                                                                                           \
    void ox_pool_row_##set(const ox_pool_row *);                                                                       \
    void ox_pool_global_##set(const float *x, int64_t n, float *y, bool max);                                          \
    void ox_block_pixels_##set(const float *planar, int64_t hw, int64_t channels, int64_t n, float *to);               \
    void ox_unblock_pixels_##set(const float *blocked, int64_t hw, int64_t channels, int64_t n, float *to);
OX_POOL_KERNELS(plain)
OX_POOL_KERNELS(avx2)
OX_POOL_KERNELS(avx512)

#endif
