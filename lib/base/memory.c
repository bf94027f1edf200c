/* Who owns memory: payloads and arenas are known to the context, so that nothing leaks when a longjmp passes over
 * its owner.
 *
 * A payload has a header in front, in a list under a lock because parallel loops may allocate. The sum of the sizes
 * alive is held below limits.memory; without a limit, below what the machine or the control group has, because a
 * system that overcommits kills a process instead of refusing. OX_FAIL_ALLOC=n in the environment makes the n-th
 * allocation fail (tests).
 *
 * While somebody runs a model again and again (ox_recycle), what is freed is handed out again: fresh pages cost as much as filling them, and a
 * second run need not ask the system for anything. Small payloads are kept by size classes; larger ones come from regions (region.c),
 * apart for what goes soon and what stays. */
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

enum { ALIGN = 64, LARGE_PAGE = 2 << 20, CHUNK = 16 }; /* CHUNK: what malloc keeps beside each block */
enum { STEPS = 8, SMALL = ALIGN * STEPS, CLASSES = STEPS * 7, SMALL_BLOCK = 16 << 10 }; /* classes: eight to an octave, by ALIGN up to SMALL; SMALL_BLOCK is in the last octave */

typedef struct header {
    struct header *prev, *next;
    ox_ctx *ctx;
    void *block;   /* what malloc gave; NULL: it is a region's */
    bool lasts;    /* that of the lasting ones */
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
    uint64_t kept;                /* bytes in the lists */
    header *free_lists[CLASSES];  /* linked by next */
    ox_region brief, lasting;     /* what comes and goes as a model runs; what is kept between runs, such as packed weights */
    uint64_t lasting_bytes;
    char *large_until;            /* so far the lasting region has asked for large pages */
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
    ox_region_trim(&m->brief);
    ox_region_trim(&m->lasting);
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
    ox_region_free(&m->brief);
    ox_region_free(&m->lasting);
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

/* Fresh pages one by one cost more than filling them: large pages are asked for where at least half of one will be filled. */
static void ask_large_pages(void *data, size_t size) {
#ifdef MADV_HUGEPAGE
    const uintptr_t large = LARGE_PAGE, page = 4096;
    if (size < large / 2) return;
    uintptr_t first = (uintptr_t)data & ~(page - 1), last = ((uintptr_t)data + size) & ~(page - 1);
    uintptr_t end = (last + large / 2) & ~(large - 1);
    if (end < last) end = last;
    if (end > first) madvise((void *)first, end - first, MADV_HUGEPAGE);
#else
    (void)data, (void)size;
#endif
}

/* Adds to what is alive; false when that would pass the limit. */
static bool reserve(ox_ctx *ctx, uint64_t size, uint64_t *limit) {
    struct ox_memory *m = ctx->memory;
    if (!ctx->limits.memory && !m->system && size > 1 << 20) m->system = system_memory();
    *limit = ctx->limits.memory ? ctx->limits.memory : m->system ? m->system : UINT64_MAX;
    if (size > *limit || m->alive > *limit - size) return false;
    uint64_t loose = m->kept + m->brief.loose + m->lasting.loose;
    if (loose && size + loose > *limit - m->alive) free_kept(m);
    m->alive += size;
    return true;
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

/* The header of a payload of TAKEN bytes that was kept; NULL. */
static header *kept_block(struct ox_memory *m, size_t taken, int class) {
    header *h = class >= 0 ? m->free_lists[class] : NULL;
    if (!h) return NULL;
    m->free_lists[class] = h->next;
    m->kept -= taken;
    return h;
}

static header *brief_block(struct ox_memory *m, size_t taken) {
    header *h = ox_region_take(&m->brief, taken);
    if (h) ask_large_pages(h, taken);
    return h;
}

/* What lasts fills its pages: where there is much of it, all of them are large. */
static header *lasting_block(struct ox_memory *m, size_t taken) {
    header *h = ox_region_take(&m->lasting, taken);
    if (!h) return NULL;
    char *end = (char *)h + taken;
    m->lasting_bytes += taken;
    if (m->lasting_bytes >= LARGE_PAGE && (end > m->large_until || end <= m->large_until - LARGE_PAGE)) {
        m->large_until = (char *)(((uintptr_t)end + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1));
        ask_large_pages(h, (size_t)(m->large_until - (char *)h));
    }
    return h;
}

static void enlist(ox_ctx *ctx, header *h, size_t taken, bool lasts) {
    struct ox_memory *m = ctx->memory;
    *h = (header){.prev = m->payloads.prev, .next = &m->payloads, .ctx = ctx, .block = h->block, .lasts = lasts, .size = taken};
    h->prev->next = h->next->prev = h;
}

static void *no_memory(ox_ctx *ctx, size_t size) {
    ctx->starved = true;
    ox_fail(ctx, OX_NO_MEMORY, "out of memory: %zu bytes wanted", size);
    return NULL;
}

static void *alloc_payload(ox_ctx *ctx, size_t size, bool brief) {
    struct ox_memory *m = ctx->memory;
    uint64_t limit = 0;
    if (size > SIZE_MAX / 2) {
        ox_fail(ctx, OX_NO_MEMORY, "out of memory: %zu bytes wanted", size);
        return NULL;
    }
    if (!ox_may_alloc(ctx)) return no_memory(ctx, size);
    /* What counts is what it takes, for millions of small ones are mostly headers. Small ones are aligned here: the allocator's way leaves
     * holes between them, which nobody counts. */
    size_t slack = size < SMALL_BLOCK ? ALIGN : CHUNK, taken = (ALIGN + size + slack + ALIGN - 1) / ALIGN * ALIGN;
    pthread_mutex_lock(&m->lock);
    int class = m->recycling && size < SMALL_BLOCK ? class_of(&taken) : -1;
    bool region = OX_REGION && m->recycling && size >= SMALL_BLOCK, fits = reserve(ctx, taken, &limit);
    uint64_t alive = m->alive;
    header *h = !fits ? NULL : !region ? kept_block(m, taken, class) : brief ? brief_block(m, taken) : lasting_block(m, taken);
    if (h && region) h->block = NULL;
    if (h) enlist(ctx, h, taken, !brief);
    else if (fits && region) m->alive -= taken;
    pthread_mutex_unlock(&m->lock);
    if (h) return (char *)h + ALIGN;
    if (fits && region) return no_memory(ctx, size);
    if (!fits) {
        ox_fail(ctx, OX_NO_MEMORY, "memory limit: %zu bytes wanted, %" PRIu64 " in use, %s %" PRIu64, size, alive,
                ctx->limits.memory ? "the limit is" : "the system has", limit);
        return NULL;
    }
    h = new_block(size, taken);
    pthread_mutex_lock(&m->lock);
    if (h) enlist(ctx, h, taken, !brief);
    else m->alive -= taken;
    pthread_mutex_unlock(&m->lock);
    return h ? (char *)h + ALIGN : no_memory(ctx, size);
}

void *ox_payload_alloc(ox_ctx *ctx, size_t size) { return alloc_payload(ctx, size, false); }
void *ox_payload_alloc_brief(ox_ctx *ctx, size_t size) { return alloc_payload(ctx, size, true); }

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
    int class = m->recycling && h->block ? class_of(&taken) : -1;
    if (!h->block) {
        if (h->lasts) m->lasting_bytes -= taken;
        ox_region_give(h->lasts ? &m->lasting : &m->brief, h, taken);
        h = NULL;
    } else if (class >= 0 && taken == h->size) { /* others were made before recycling began */
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
