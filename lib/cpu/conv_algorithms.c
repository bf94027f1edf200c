/* The table of algorithms of convolution, and the two ways of the direct one.
 *
 * There is no im2col: the direct kernels run at 0.8 to 1 of the processor's peak, and unfolding in front of the same kernels was never faster. Measured
 * for planar images without strides: 3-32 channels 3x3 at 640x480 7.0 ms beside 5.9, 3-64 at 224 2.0 beside 1.8, 1-64 5x5 1.73 beside 1.60. */
#include "cpu/conv_algorithms.h"
#include "cpu/conv_tile.h"

static bool direct_serves(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    (void)a;
    (void)c;
    return form != OX_CONV_NONE;
}

/* Where nothing is copied both ways are one. */
static bool in_place_serves(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    return direct_serves(a, c, form) && ox_conv_scratch_bytes(c, form) > 0;
}

static uint64_t direct_workspace(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    (void)a;
    return ox_conv_scratch_bytes(c, form);
}

static uint64_t no_workspace(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    (void)a;
    (void)c;
    (void)form;
    return 0;
}

static void run_direct(const ox_conv_algorithm *a, int threads, const ox_conv *c, ox_conv_form form, const float *x, const float *packed,
                       const float *bias, const ox_tail *tail, float *y, float *workspace) {
    (void)a;
    ox_conv_run(threads, c, form, x, packed, bias, tail, y, workspace);
}

static void run_in_place(const ox_conv_algorithm *a, int threads, const ox_conv *c, ox_conv_form form, const float *x, const float *packed,
                         const float *bias, const ox_tail *tail, float *y, float *workspace) {
    (void)a;
    (void)workspace;
    ox_conv_run(threads, c, form, x, packed, bias, tail, y, NULL);
}

enum { DIRECT, IN_PLACE };
static const ox_conv_algorithm direct[] = {
    [DIRECT] = {"direct", true, true, 0, direct_serves, ox_conv_packed_floats, ox_conv_pack, direct_workspace, run_direct},
    [IN_PLACE] = {"direct-in-place", true, true, 0, in_place_serves, ox_conv_packed_floats, ox_conv_pack, no_workspace, run_in_place},
};

const ox_conv_algorithm *const *ox_conv_algorithms(size_t *n) {
    static const ox_conv_algorithm *const all[] = {
        &direct[DIRECT],  &direct[IN_PLACE], &ox_winograd2[0], &ox_winograd2[1], &ox_winograd2[2], &ox_winograd2[3],
        &ox_winograd4[0], &ox_winograd4[1],  &ox_winograd4[2], &ox_winograd4[3], &ox_onednn,
    };
    *n = sizeof all / sizeof *all;
    return all;
}

/* With many registers a set of blocks is as fast at a border as inside of the image, and what lies outside is not multiplied: without the copy
 * 256 channels of 7x7 take 0.84 of the time, of 14x14 0.93, 32 channels 0.97. Tiles of four pixels and less, few channels, and sets of fewer registers
 * are faster with it (up to twice). */
static bool better_in_place(const ox_conv *c, ox_conv_form form) {
    const ox_conv_isa *isa = ox_conv_kernels();
    if (form != OX_CONV_BLOCKED || isa->group <= OX_CONV_NEAR || c->out_w <= 4) return false;
    return c->in_channels / c->groups >= 2 * isa->block && c->out_channels / c->groups > isa->block;
}

size_t ox_conv_heuristic(const ox_conv *c, ox_conv_form form, uint64_t workspace_limit) {
    uint64_t copy = ox_conv_scratch_bytes(c, form);
    return copy && (copy > workspace_limit || better_in_place(c, form)) ? IN_PLACE : DIRECT;
}
