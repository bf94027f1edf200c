/* Memory for what lives briefly, beside the system's allocator: values of a run come and go here, so that they leave no holes between what
 * stays, and one run finds the pages that another has touched.
 *
 * Chunks are address space; pages are touched as they are used. Holes are kept by address in a list that lies in themselves: a piece takes the
 * smallest hole that holds it, and joins its neighbours when it is given back. Before the region grows, pages of holes go. The caller has the
 * lock. */
#include "base/base_private.h"

#include <sys/mman.h>
#include <unistd.h>

enum { HEAD = 64, CHUNK = 64 << 20 };

struct ox_region_chunk {
    struct ox_region_chunk *next;
    size_t size; /* with this head, which lies in front */
};
struct ox_region_hole {
    struct ox_region_hole *next; /* by address */
    size_t size;
};
typedef struct ox_region_chunk chunk;
typedef struct ox_region_hole hole;
_Static_assert(sizeof(chunk) <= HEAD && sizeof(hole) <= HEAD, "heads fit into the least piece");

static void give(ox_region *r, void *p, size_t size) {
    hole **at = &r->holes, *before = NULL;
    for (; *at && (char *)*at < (char *)p; at = &(*at)->next) before = *at;
    hole *h = p, *after = *at;
    *h = (hole){after, size};
    *at = h;
    if (after && (char *)p + size == (char *)after) *h = (hole){after->next, size + after->size};
    if (before && (char *)before + before->size == (char *)p) *before = (hole){h->next, before->size + h->size};
}

static bool add_chunk(ox_region *r, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), least = (size + HEAD + page - 1) / page * page, want = CHUNK;
    if (want < r->mapped && size < CHUNK) want = r->mapped;
    if (want < least) want = least;
    void *p = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED && want > least) p = mmap(NULL, want = least, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return false;
    chunk *c = p;
    *c = (chunk){r->chunks, want};
    r->chunks = c;
    r->mapped += want;
    give(r, (char *)p + HEAD, want - HEAD);
    return true;
}

void ox_region_give(ox_region *r, void *p, size_t size) {
    give(r, p, size);
    r->loose += size;
}

/* Unmaps the chunk that is this hole and nothing else, if there is one. */
static bool drop_chunk(ox_region *r, hole **at) {
    chunk **c = &r->chunks;
    while (*c && (char *)*c + HEAD != (char *)*at) c = &(*c)->next;
    if (!*c || (*c)->size != (*at)->size + HEAD) return false;
    chunk *gone = *c;
    *at = (*at)->next;
    *c = gone->next;
    r->mapped -= gone->size;
    munmap(gone, gone->size);
    return true;
}

void ox_region_trim(ox_region *r) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (hole **at = &r->holes; *at;) {
        if (drop_chunk(r, at)) continue;
        uintptr_t first = ((uintptr_t)(*at + 1) + page - 1) & ~(page - 1), last = ((uintptr_t)*at + (*at)->size) & ~(page - 1);
        if (first < last) madvise((void *)first, last - first, MADV_DONTNEED);
        at = &(*at)->next;
    }
    r->loose = 0;
}

void *ox_region_take(ox_region *r, size_t size) {
#ifdef __SANITIZE_ADDRESS__
    return NULL; /* each value with red zones of its own */
#endif
    hole **best = NULL;
    for (hole **at = &r->holes; *at; at = &(*at)->next)
        if ((*at)->size >= size && (!best || (*at)->size < (*best)->size)) best = at;
    if (!best) {
        ox_region_trim(r);
        return add_chunk(r, size) ? ox_region_take(r, size) : NULL;
    }
    hole *h = *best, *next = h->next;
    size_t left = h->size - size;
    if (left) {
        hole *rest = (hole *)((char *)h + size);
        *rest = (hole){next, left};
        next = rest;
    }
    *best = next;
    r->loose -= size < r->loose ? size : r->loose;
    return h;
}

void ox_region_free(ox_region *r) {
    for (chunk *c = r->chunks, *next; c; c = next) {
        next = c->next;
        munmap(c, c->size);
    }
    *r = (ox_region){0};
}
