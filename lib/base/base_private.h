/* What the files of lib/base share. Not for others. */
#ifndef OX_BASE_PRIVATE_H
#define OX_BASE_PRIVATE_H

#include "base/base.h"

/* ---- base.c */
/* Records OX_NO_MEMORY and goes back to the innermost ox_protect(). */
_Noreturn void ox_out_of_memory(ox_ctx *ctx, size_t size);

/* ---- memory.c */
int ox_memory_new(ox_ctx *ctx);
void ox_memory_free(ox_ctx *ctx);
/* Counts one allocation; false when a test wants this one to fail. */
bool ox_may_alloc(ox_ctx *ctx);
/* Arenas of the context, in a list that is changed under its lock only: what ox_memory_free() frees. */
ox_arena **ox_memory_lock(ox_ctx *ctx);
void ox_memory_unlock(ox_ctx *ctx);
/* The arena belongs to another context of the same memory from now on. */
void ox_arena_give(ox_arena *arena, ox_ctx *to);
int *ox_memory_threads(const ox_ctx *ctx);

/* ---- region.c */
#ifdef __SANITIZE_ADDRESS__
enum { OX_REGION = 0 }; /* each value has red zones of its own */
#else
enum { OX_REGION = 1 };
#endif
typedef struct ox_region {
    struct ox_region_span *chunks, *holes;
    size_t n_chunks, cap_chunks, n_holes, cap_holes, pieces; /* pieces: taken and not given back */
    size_t loose; /* bytes given back that may still hold pages */
} ox_region;
/* SIZE: of 64 bytes or a multiple; aligned to 64. NULL: the system gives none. Not in builds that look for wrong addresses: OX_REGION. */
void *ox_region_take(ox_region *r, size_t size);
void ox_region_give(ox_region *r, void *p, size_t size);
void ox_region_trim(ox_region *r); /* pages of holes go back to the system */
void ox_region_free(ox_region *r);

/* ---- threads.c */
int ox_count_cpus(void);
/* First line of a small file of /proc or /sys; false when it cannot be read. */
bool ox_read_line(const char *path, char *buf, size_t size);
/* The folder of this process's control group for a controller of version 1 ("cpu", "memory") or, with NULL, of
 * version 2. */
bool ox_cgroup_folder(const char *controller, char *buf, size_t size);

/* ---- file.c */
/* Resolution beneath a folder without openat2: returns an O_PATH descriptor or -1 with errno (EXDEV: it leads out).
 * The name of the last component and its folder come back for the real open. */
int ox_walk_beneath(int dir, const char *location, int *parent, char name[256]);

#endif
