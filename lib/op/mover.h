/* What the families that move elements share: elements as things of one size, strided copies, and the walk of shape
 * data. A kernel that only moves does not look at types: it sees 1, 2, 4, 8 or 16 bytes. Packed types (4 and 2 bits)
 * travel unpacked, one element per byte; strings travel as ox_str and their text is copied at the end. */
#ifndef OX_OP_MOVER_H
#define OX_OP_MOVER_H

#include "op/op.h"

/* ---- kernels ---- */
size_t ox_mv_size(ox_dtype t);                            /* bytes of an element in moving form */
const void *ox_mv_in(ox_run *r, const ox_tensor *t);      /* payload in moving form; NULL after ox_fail */
typedef struct ox_mv_out {
    ox_tensor *t;
    char *data; /* moving form */
    size_t size;
} ox_mv_out;
int ox_mv_begin(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims, ox_mv_out *out);
int ox_mv_begin_tensor(ox_run *r, ox_tensor *t, ox_mv_out *out); /* the same for a fresh tensor that is no output */
int ox_mv_done(ox_run *r, ox_mv_out *out);
/* Copies a block of dims; strides in elements, any sign, 0 repeats. Runs are memcpy, transposes go in blocks. */
void ox_mv_copy(ox_arena *arena, size_t size, int rank, const int64_t *dims, char *dst, const int64_t *dst_strides,
                const char *src, const int64_t *src_strides);
/* A row of N elements; strides in elements, any sign. */
void ox_mv_row(size_t size, int64_t n, char *dst, int64_t dst_stride, const char *src, int64_t src_stride);
void ox_mv_fill(char *dst, const char *elem, size_t size, int64_t n);
void ox_mv_strides(int rank, const int64_t *dims, int64_t *strides); /* row-major */
int64_t ox_mv_product(int n, const int64_t *dims); /* of dims of a tensor that exists */
/* Which axes of `rank` are listed: hit[axis] set. -1 after ox_fail when out of range or listed twice. */
int ox_mv_axes(ox_call *c, int64_t n, const int64_t *axes, int rank, bool *hit, const char *what);
/* Index of an element from an index value that may be negative; -1 after ox_fail. */
int64_t ox_mv_index(ox_call *c, int64_t index, int64_t size, const char *what);
/* The same for a kernel's loop: a look at the usual case first. */
static inline int64_t ox_mv_at(ox_call *c, int64_t index, int64_t size) {
    return index >= 0 && index < size ? index : ox_mv_index(c, index, size, "index");
}
/* Shape rules: index values of input i that are known, taken PER at a time, against the sizes that are known. -1 after ox_fail. */
int ox_mv_check_indices(ox_call *c, int i, int64_t per, const ox_dim *sizes);

/* ---- shape rules ---- */
bool ox_mv_known(int rank, const ox_dim *dims, int64_t *out);   /* all dims are numbers */
bool ox_mv_count(int rank, const int64_t *dims, int64_t *count); /* false on overflow or a negative */
ox_dim ox_mv_dim_product(ox_ctx *ctx, int n, const ox_dim *dims);
ox_dim *ox_mv_no_dims(ox_call *c, int rank);                    /* rank unknown dims to fill */
/* Gives output `out` the elements a strided walk over `elems` of input finds; nothing when too many. */
void ox_mv_elems(ox_call *c, int out, const ox_dim *elems, int64_t offset, int rank, const int64_t *dims,
                 const int64_t *strides);
/* Elements of an input with all its dims known; NULL when not so. */
const ox_dim *ox_mv_in_elems(ox_call *c, int i, int64_t *dims);
/* A size that is what the declared count says: both facts, constants first. */
ox_dim ox_mv_same_dim(ox_call *c, ox_dim a, ox_dim b, const char *what, bool *bad);
const int64_t *ox_mv_in_dims_known(ox_call *c, int i);         /* dims of an input as numbers in c->arena; NULL */

/* ---- rules and kernels that live in another file than their row ---- */
int ox_infer_slice(ox_call *c);
int ox_run_slice(ox_run *r);
int ox_lift_slice_1(ox_call *c);
int ox_infer_pad(ox_call *c);
int ox_run_pad(ox_run *r);
int ox_lift_pad_1(ox_call *c);
int ox_lift_pad_2(ox_call *c);
int ox_infer_center_crop_pad(ox_call *c);
int ox_run_center_crop_pad(ox_run *r);
int ox_infer_unique(ox_call *c);
int ox_run_unique(ox_run *r);
int ox_infer_loop(ox_call *c);
int ox_run_loop(ox_run *r);
int ox_infer_scan(ox_call *c);
int ox_run_scan(ox_run *r);
int ox_lift_scan_8(ox_call *c);
int ox_infer_sequence_map(ox_call *c);
int ox_run_sequence_map(ox_run *r);
int ox_mv_stack(ox_run *r, ox_tensor **parts, int64_t n, int64_t axis, bool new_axis, ox_tensor **out);

#endif
