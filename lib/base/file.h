/* Files: whole inputs mapped read-only, outputs that appear whole or not at all, paths that stay beneath a folder. */
#ifndef OX_FILE_H
#define OX_FILE_H

#include "base/base.h"

/* An input, mapped read-only (pipes are read into memory). Kept open so that ranges can be copied by the kernel. */
typedef struct ox_file {
    const char *name;     /* as the user gave it, for messages; "-" is standard input */
    const uint8_t *data;
    uint64_t size;
    int fd;               /* -1 when the data are in memory */
    uint64_t dev, ino;    /* identity of the file, 0 in memory */
    bool mapped;
    struct ox_file *next; /* files of one model or tool are kept in a list */
    ox_ctx *ctx;          /* private: the context's open inputs */
    struct ox_file *older, *newer;
} ox_file;

/* Opens PATH ("-": standard input, up to ctx->limits.file_bytes). Fails with OX_NO_INPUT, OX_IO, OX_BAD_DATA (a folder). */
ox_file *ox_file_open(ox_ctx *ctx, const char *path);
/* Opens LOCATION for the model in the folder of MODEL_PATH under the policy for external data: relative, never out of the
 * folder by "..", nor by a link except where model and data link into one real folder, regular files only, never blocks.
 * OX_POLICY, OX_NO_INPUT, OX_BAD_DATA. The text does not name the tensor: the caller adds it. */
ox_file *ox_file_open_beneath(ox_ctx *ctx, const char *model_path, const char *location);
void ox_file_close(ox_file *file); /* NULL is allowed */
/* Lets go of the pages between two places of a mapped file: they stay readable, but are counted no more as our memory until they are read
 * again. For readers that step over payloads: touching one byte of a large file may map megabytes around it. */
void ox_file_forget(const ox_file *file, const uint8_t *from, const uint8_t *to);

/* An output: bytes go to a temporary beside the target; ox_out_commit() makes them appear under the name. "-" is standard
 * output. A target that is an open input of the context by name, link or spelling, or that another open output is to
 * become, is refused (OX_CANT_CREATE): inputs are never touched. */
typedef struct ox_out ox_out;
ox_out *ox_out_open(ox_ctx *ctx, const char *path);
int ox_out_write(ox_out *out, const void *data, size_t size);
/* Copies a range of an input without bringing it through our memory where the kernel can do that. */
int ox_out_copy(ox_out *out, const ox_file *from, uint64_t offset, uint64_t size);
int ox_out_zeros(ox_out *out, uint64_t size);
uint64_t ox_out_position(const ox_out *out);
/* fsync, rename, fsync of the folder. After a failure the older target is there as it was. */
int ox_out_commit(ox_out *out);
/* Removes the temporary; the target stays as it was. Frees OUT; also to be called after a commit. NULL is allowed. */
void ox_out_close(ox_out *out);
/* Unlinks every temporary of the process; only async-signal-safe calls. For handlers of SIGINT, SIGTERM, SIGHUP. */
void ox_out_abandon_all(bool ends); /* ends: the process ends now; who is just giving names to outputs goes on to the last and no further */

/* Outputs that belong together. */
typedef struct ox_outs {
    ox_out **items;
    size_t n, capacity;
} ox_outs;
void ox_outs_add(ox_outs *outs, ox_arena *arena, ox_out *out);
/* All appear, or none: all are on the disk before the first takes its name, in this order, with BEFORE_LAST (may be NULL) before the last of OUTS.
 * What others are found by (a model that names its data files) comes last. After a failure the older files are there again, where the file
 * system can exchange two names at once. */
int ox_outs_commit(const ox_outs *outs, const ox_outs *before_last);
void ox_outs_close(ox_outs *outs);

/* Reads a small text file (pipeline, rules, text model) of at most MAX bytes into ARENA, NUL-terminated. The file stays one of the context's
 * inputs. */
int ox_read_text(ox_ctx *ctx, ox_arena *arena, const char *path, size_t max, int too_big_code, char **text, size_t *len);
/* Writes TEXT to an output that is still to be committed. */
ox_out *ox_out_text(ox_ctx *ctx, const char *path, const char *text, size_t len);
/* Writes TEXT to PATH as a whole ("-": standard output). */
int ox_write_text(ox_ctx *ctx, const char *path, const char *text, size_t len);
/* Puts TEXT, whole lines, at the end of PATH, which is made when it is not there: as a whole or not at all, while other processes do the same.
 * OX_CANT_CREATE, OX_IO. */
int ox_append_text(ox_ctx *ctx, const char *path, const char *text, size_t len);

#endif
