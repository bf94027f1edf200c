/* Algorithms of convolution to choose from, behind one interface. All read and write what ox_conv_run() does: images in blocks of channels (a
 * planar input where the form is PLANAR), bias and tail. They differ in time, in the memory that a run needs besides, in the size of their
 * weights, and some in their bits; the bits of each are the same for any number of threads and for any size of its workspace. */
#ifndef OX_CONV_ALGORITHMS_H
#define OX_CONV_ALGORITHMS_H

#include "cpu/conv.h"

typedef struct ox_conv_algorithm ox_conv_algorithm;
struct ox_conv_algorithm {
    const char *name; /* stable: caches of measurements hold it */
    bool planar;      /* it looks at planar_out */
    bool same_bits;   /* as the first, "direct", for finite numbers but for the sign of zeros */
    uint64_t limit;   /* bytes of workspace into which as much as possible is put at once; 0 where the algorithm has one way only */
    /* Looks at sizes of the image too: of several limits those serve that make a difference. FORM is one that fits C, see ox_conv_form_of().
     * The other functions are for convolutions that are served. */
    bool (*serves)(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form);
    /* Weights and what they depend on: as ox_conv_packed_floats() and ox_conv_pack(). Algorithms with the same PACK have the same weights. */
    uint64_t (*packed_floats)(const ox_conv *c, ox_conv_form form);
    void (*pack)(const ox_conv *c, ox_conv_form form, const float *w, const float *scale, float *packed, int threads);
    uint64_t (*workspace)(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form); /* bytes, for any number of threads */
    /* As ox_conv_run(); WORKSPACE is best at a multiple of 64 bytes. */
    void (*run)(const ox_conv_algorithm *a, int threads, const ox_conv *c, ox_conv_form form, const float *x, const float *packed, const float *bias,
                const ox_tail *tail, float *y, float *workspace);
};

/* All, "direct" first. What the processor or the installation lacks serves nothing; oneDNN is loaded when it is first asked what it serves. */
const ox_conv_algorithm *const *ox_conv_algorithms(size_t *n);
/* Index of the one to take where nothing is measured: one of the direct ways, as FORM must not be NONE. */
size_t ox_conv_heuristic(const ox_conv *c, ox_conv_form form, uint64_t workspace_limit);

/* Rows of the table that have files of their own: limits from small to large. */
enum { OX_WINOGRAD_LIMITS = 4 };
extern const ox_conv_algorithm ox_winograd2[OX_WINOGRAD_LIMITS], ox_winograd4[OX_WINOGRAD_LIMITS], ox_onednn;

#endif
