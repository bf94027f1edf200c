/* Between winograd.c, which cuts images into tiles, and winograd_isa.c, which turns tiles into positions and back. */
#ifndef OX_WINOGRAD_H
#define OX_WINOGRAD_H

#include "cpu/cpu.h"

enum { OX_WINOGRAD_SIDE = 6 }; /* most pixels of an input tile across */

/* Sums of one block at all positions, and the pixels that they become. */
typedef struct ox_winograd_out {
    const float *m, *bias; /* position 0; a block of bias */
    int64_t step;          /* floats from one position to the next */
    const float *add;      /* read like y, or NULL */
    float *y;
    int64_t row;           /* floats from one row of pixels to the next, in y and add */
    int rows, cols;        /* pixels that lie in the image */
    bool clamp;
    float lo, hi;
} ox_winograd_out;

/* A tile of one block of the input, its rows ROW floats apart, to positions STEP floats apart. */
typedef void ox_winograd_in(const float *x, int64_t row, float *v, int64_t step);

typedef struct ox_winograd_isa {
    ox_winograd_in *in2, *in4; /* for tiles of 2x2 and 4x4 pixels of the output */
    void (*out2)(const ox_winograd_out *), (*out4)(const ox_winograd_out *);
} ox_winograd_isa;
extern const ox_winograd_isa ox_winograd_isa_plain, ox_winograd_isa_avx2, ox_winograd_isa_avx512;

#endif
