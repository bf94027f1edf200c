/* Arrays as files: .npy and .npz (numpy's formats). */
#ifndef OX_NPZ_H
#define OX_NPZ_H

#include "ir/ir.h"

/* One array; headers are checked against the file's size, objects are refused. NULL after ox_fail (OX_BAD_DATA names the file). */
ox_tensor *ox_npy_read(ox_ctx *ctx, const char *path);
/* Arrays under names; the same bytes for the same arrays, whatever time and zone. bfloat16 and 8-bit floats are written as float. */
int ox_npz_write(ox_ctx *ctx, const char *path, const char *const *names, const ox_tensor *const *tensors, size_t n);
typedef struct ox_npz ox_npz;
ox_npz *ox_npz_open(ox_ctx *ctx, const char *path);
size_t ox_npz_count(const ox_npz *z);
const char *ox_npz_name(const ox_npz *z, size_t i);   /* without ".npy" */
ox_tensor *ox_npz_read(ox_npz *z, size_t i);          /* NULL after ox_fail naming archive and array */
void ox_npz_close(ox_npz *z);

#endif
