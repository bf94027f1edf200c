/* Between npy.c and npz.c. Private to lib/exec. */
#ifndef OX_EXEC_NPY_H
#define OX_EXEC_NPY_H

#include "base/file.h"
#include "exec/exec.h"

enum { OX_NPY_HEAD_MAX = 1 << 16 }; /* bytes of a header that are read at most */

/* What the header of a .npy file says. */
typedef struct ox_npy_head {
    ox_dtype dtype;
    int item;     /* bytes of one element in the file */
    bool swap;    /* of the other byte order */
    bool fortran; /* first index runs fastest */
    int chars;    /* U or S of so many characters; 0: no text */
    bool wide;    /* U: four bytes for each */
    int rank;
    int64_t dims[64];
    int64_t count;
    uint64_t data_at;   /* bytes before the data */
    uint64_t data_size; /* count * item */
} ox_npy_head;

/* Reads the header from the first bytes of a file of `size` bytes; -1 after ox_fail, with OX_BAD_DATA. */
int ox_npy_parse(ox_ctx *ctx, const uint8_t *bytes, size_t len, uint64_t size, ox_npy_head *h);
/* Makes the tensor from the data part; data may be unaligned. */
ox_tensor *ox_npy_tensor(ox_ctx *ctx, const ox_npy_head *h, const uint8_t *data);

/* The other way: header text and data of a tensor as the file holds them, in ARENA. Data is the tensor's own where
 * nothing changes. */
int ox_npy_form(ox_ctx *ctx, ox_arena *arena, const ox_tensor *t, const uint8_t **head, size_t *head_len,
                const uint8_t **data, uint64_t *data_len);

#endif
