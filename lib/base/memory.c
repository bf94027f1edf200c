/* Who owns memory: payloads and arenas are known to the context, so that nothing leaks when a longjmp passes over
 * its owner.
 *
 * A payload has a header in front, in a list under a lock because parallel loops may allocate. The sum of the sizes
 * alive is held below limits.memory; without a limit, below what the machine or the control group has, because a
 * system that overcommits kills a process instead of refusing. OX_FAIL_ALLOC=n in the environment makes the n-th
 * allocation fail (tests).
 *
 * While somebody runs a model again and again (ox_recycle), freed payloads are kept by size classes and handed out
 * again: fresh pages cost as much as filling them, and a second run need not ask the system for anything. */
#include "base/base.h"
#include "base/base_private.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGN = 64, LARGE = 16 << 20, CHUNK = 16 }; /* CHUNK: what malloc keeps beside each block */
enum { STEPS = 8, SMALL = ALIGN * STEPS, CLASSES = STEPS * 60, KEPT_SMALL = 64 << 10, SMALL_BLOCK = 16 << 10 }; /* classes: eight to an octave, by ALIGN up to SMALL */

typedef struct header {
    struct header *prev, *next;
    ox_ctx *ctx;
    void *block;   /* what malloc gave */
    uint64_t size; /* with everything around */
    void (*destroy)(void *data);
} header;
_Static_assert(sizeof(header) <= ALIGN, "the header fits in front of the data");

struct ox_memory {
    pthread_mutex_t lock;
    header payloads; /* ring */
    uint64_t alive;  /* bytes */
    uint64_t system; /* bytes that the machine has for us */
    uint64_t allocs, fail_at;
    int recycling;                /* who asked for it and has not ended yet */
    bool small_only;              /* large payloads go back to the system */
    uint64_t kept;                /* bytes in the lists */
    header *free_lists[CLASSES];  /* linked by next */
    ox_arena *arenas;
    int threads;
};

/* Seven eighths of the least of physical memory and the control groups' limits. */
static uint64_t system_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t all = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX / 2;
    static const char *const files[][2] = {{NULL, "memory.max"}, {"memory", "memory.limit_in_bytes"}};
    for (int v = 0; v < 2; v++) {
        char folder[4096], path[4200], line[64];
        if (!ox_cgroup_folder(files[v][0], folder, sizeof folder)) continue;
        for (char *slash; (slash = strrchr(folder, '/')); *slash = 0) {
            snprintf(path, sizeof path, "%s/%s", folder, files[v][1]);
            uint64_t n;
            if (ox_read_line(path, line, sizeof line) && sscanf(line, "%" SCNu64, &n) == 1 && n < all) all = n;
        }
    }
    return all / 8 * 7;
}

int ox_memory_new(ox_ctx *ctx) {
    struct ox_memory *m = calloc(1, sizeof *m);
    if (!m) return -1;
    pthread_mutex_init(&m->lock, NULL);
    m->payloads.prev = m->payloads.next = &m->payloads;
    const char *fail = getenv("OX_FAIL_ALLOC");
    if (fail) m->fail_at = strtoull(fail, NULL, 10);
    ctx->memory = m;
    return 0;
}

static void free_kept(struct ox_memory *m) {
    for (int i = 0; m->kept && i < CLASSES; i++)
        while (m->free_lists[i]) {
            header *h = m->free_lists[i];
            m->free_lists[i] = h->next;
            m->kept -= h->size;
            free(h->block);
        }
}

void ox_memory_free(ox_ctx *ctx) {
    struct ox_memory *m = ctx->memory;
    if (!m) return;
    while (m->payloads.next != &m->payloads) {
        header *h = m->payloads.next;
        void *data = (char *)h + ALIGN;
        if (h->destroy)
            h->destroy(data); /* frees it */
        else
            ox_payload_free(data);
    }
    while (m->arenas) ox_arena_free(m->arenas);
    free_kept(m);
    pthread_mutex_destroy(&m->lock);
    free(m);
    ctx->memory = NULL;
}

bool ox_may_alloc(ox_ctx *ctx) {
    struct ox_memory *m = ctx->memory;
    if (!m->fail_at) return true;
    return __atomic_add_fetch(&m->allocs, 1, __ATOMIC_RELAXED) != m->fail_at;
}

ox_arena **ox_memory_lock(ox_ctx *ctx) {
    pthread_mutex_lock(&ctx->memory->lock);
    return &ctx->memory->arenas;
}

void ox_memory_unlock(ox_ctx *ctx) { pthread_mutex_unlock(&ctx->memory->lock); }

int *ox_memory_threads(const ox_ctx *ctx) { return &ctx->memory->threads; }

/* ---- recycling */

/* The class of a size, which it is rounded up to; sizes beyond all classes have none (-1). */
static int class_of(size_t *taken) {
    size_t n = *taken;
    if (n <= SMALL) return (int)(n / ALIGN) - 1;
    if (n > SIZE_MAX / 4) return -1;
    int octave = 63 - __builtin_clzll((unsigned long long)n), base = 63 - __builtin_clzll((unsigned long long)SMALL);
    size_t step = (size_t)1 << octave >> 3, steps = (n + step - 1) / step; /* STEPS to 2 * STEPS */
    *taken = steps * step;
    int c = STEPS - 1 + (octave - base) * STEPS + (int)(steps - STEPS);
    return c < CLASSES ? c : -1;
}

void ox_recycle(ox_ctx *ctx, int how) {
    struct ox_memory *m = ctx->memory;
    pthread_mutex_lock(&m->lock);
    m->recycling += how;
    if (how <= 0 && (how == 0 || m->recycling == 0)) free_kept(m);
    pthread_mutex_unlock(&m->lock);
}

void ox_recycle_small(ox_ctx *ctx, bool only) { ctx->memory->small_only = only; }

/* Adds to what is alive; false when that would pass the limit. */
static bool reserve(ox_ctx *ctx, uint64_t size, uint64_t *limit) {
    struct ox_memory *m = ctx->memory;
    if (!ctx->limits.memory && !m->system && size > 1 << 20) m->system = system_memory();
    *limit = ctx->limits.memory ? ctx->limits.memory : m->system ? m->system : UINT64_MAX;
    if (size > *limit || m->alive > *limit - size) return false;
    if (m->kept && size + m->kept > *limit - m->alive) free_kept(m);
    m->alive += size;
    return true;
}

/* Fresh pages one by one cost as much as filling them: large payloads ask for large pages. */
static void ask_large_pages(void *data, size_t size) {
#ifdef MADV_HUGEPAGE
    uintptr_t page = 4096, first = ((uintptr_t)data + page - 1) & ~(page - 1), last = ((uintptr_t)data + size) & ~(page - 1);
    if (size >= LARGE) madvise((void *)first, last - first, MADV_HUGEPAGE);
#else
    (void)data, (void)size;
#endif
}

/* A header with room for SIZE behind it, aligned. */
static header *new_block(size_t size, size_t taken) {
    void *block = NULL;
    if (size < SMALL_BLOCK) {
        block = malloc(taken - CHUNK); /* aligned to 16 */
        header *h = (header *)(((uintptr_t)block + ALIGN - 1) / ALIGN * ALIGN);
        if (block) h->block = block;
        return block ? h : NULL;
    }
    if (posix_memalign(&block, ALIGN, taken - CHUNK)) return NULL;
    ask_large_pages(block, size);
    ((header *)block)->block = block;
    return block;
}

void *ox_payload_alloc(ox_ctx *ctx, size_t size) {
    struct ox_memory *m = ctx->memory;
    uint64_t limit = 0;
    bool absurd = size > SIZE_MAX / 2;
    if (absurd || !ox_may_alloc(ctx)) {
        if (!absurd) ctx->starved = true;
        ox_fail(ctx, OX_NO_MEMORY, "out of memory: %zu bytes wanted", size);
        return NULL;
    }
    /* What counts is what it takes, for millions of small ones are mostly headers. Small ones are aligned here: the allocator's way leaves
     * holes between them, which nobody counts. */
    size_t slack = size < SMALL_BLOCK ? ALIGN : CHUNK, taken = (ALIGN + size + slack + ALIGN - 1) / ALIGN * ALIGN;
    pthread_mutex_lock(&m->lock);
    int class = m->recycling ? class_of(&taken) : -1;
    bool fits = reserve(ctx, taken, &limit);
    uint64_t alive = m->alive;
    header *kept = fits && class >= 0 ? m->free_lists[class] : NULL;
    if (kept) {
        m->free_lists[class] = kept->next;
        m->kept -= taken;
        *kept = (header){.prev = m->payloads.prev, .next = &m->payloads, .ctx = ctx, .block = kept->block, .size = taken};
        kept->prev->next = kept->next->prev = kept;
    }
    pthread_mutex_unlock(&m->lock);
    if (kept) return (char *)kept + ALIGN;
    if (!fits) {
        ox_fail(ctx, OX_NO_MEMORY, "memory limit: %zu bytes wanted, %" PRIu64 " in use, %s %" PRIu64, size, alive,
                ctx->limits.memory ? "the limit is" : "the system has", limit);
        return NULL;
    }
    header *h = new_block(size, taken);
    pthread_mutex_lock(&m->lock);
    if (h) {
        *h = (header){.prev = m->payloads.prev, .next = &m->payloads, .ctx = ctx, .block = h->block, .size = taken};
        h->prev->next = h->next->prev = h;
    } else {
        m->alive -= taken;
        ctx->starved = true;
    }
    pthread_mutex_unlock(&m->lock);
    if (!h) {
        ox_fail(ctx, OX_NO_MEMORY, "out of memory: %zu bytes wanted", size);
        return NULL;
    }
    return (char *)h + ALIGN;
}

void ox_payload_on_abandon(void *data, void (*destroy)(void *data)) {
    ((header *)((char *)data - ALIGN))->destroy = destroy;
}

void ox_payload_free(void *data) {
    if (!data) return;
    header *h = (header *)((char *)data - ALIGN);
    struct ox_memory *m = h->ctx->memory;
    pthread_mutex_lock(&m->lock);
    h->prev->next = h->next;
    h->next->prev = h->prev;
    m->alive -= h->size;
    size_t taken = h->size;
    int class = m->recycling ? class_of(&taken) : -1;
    if (m->small_only && taken > KEPT_SMALL) class = -1;
    if (class >= 0 && taken == h->size) { /* others were made before recycling began */
        h->next = m->free_lists[class];
        m->free_lists[class] = h;
        m->kept += taken;
        h = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    if (h) free(h->block);
}

uint64_t ox_payload_bytes(const ox_ctx *ctx) {
    pthread_mutex_lock(&ctx->memory->lock);
    uint64_t n = ctx->memory->alive;
    pthread_mutex_unlock(&ctx->memory->lock);
    return n;
}
