/* Memory for what lives briefly, beside the system's allocator: values of a run come and go here, so that they leave no holes between what
 * stays, and one run finds the pages that another has touched.
 *
 * Chunks are address space; pages are touched as they are used, and nothing of this file lies in them: a large page is given only where no
 * byte was touched before. Holes are kept by address: a piece takes the smallest that holds it, and joins its neighbours when it is given back.
 * Before the region grows, pages of holes go. The caller has the lock. */
#include "base/base_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CHUNK = 64 << 20, LARGE_PAGE = 2 << 20 };

struct ox_region_span { char *at; size_t size; };
typedef struct ox_region_span span;

/* Room for N spans; the list stays as it is when there is none. */
static bool reserve(span **list, size_t *cap, size_t n) {
    if (n <= *cap) return true;
    span *more = realloc(*list, 2 * n * sizeof *more);
    if (!more) return false;
    *list = more;
    *cap = 2 * n;
    return true;
}

static void insert(span *list, size_t *n, size_t at, span s) {
    memmove(list + at + 1, list + at, (*n - at) * sizeof *list);
    list[at] = s;
    ++*n;
}

static void drop(span *list, size_t *n, size_t at) {
    --*n;
    memmove(list + at, list + at + 1, (*n - at) * sizeof *list);
}

static bool touch(const ox_region *r, span a, span b) {
    if (a.at + a.size != b.at) return false;
    for (size_t i = 0; i < r->n_chunks; i++)
        if (r->chunks[i].at == b.at) return false; /* two chunks side by side */
    return true;
}

static void give(ox_region *r, span s) {
    size_t low = 0, high = r->n_holes;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (r->holes[mid].at < s.at) low = mid + 1;
        else high = mid;
    }
    if (low < r->n_holes && touch(r, s, r->holes[low])) {
        s.size += r->holes[low].size;
        drop(r->holes, &r->n_holes, low);
    }
    if (low && touch(r, r->holes[low - 1], s)) r->holes[low - 1].size += s.size;
    else insert(r->holes, &r->n_holes, low, s);
}

/* Address space on the border of a large page; NULL. */
static char *map(size_t size) {
    char *p = mmap(NULL, size + LARGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t before = (size_t)(-(uintptr_t)p & (LARGE_PAGE - 1));
    if (before) munmap(p, before);
    munmap(p + before + size, LARGE_PAGE - before);
    return p + before;
}

static bool add_chunk(ox_region *r, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = size < CHUNK ? CHUNK : (size + page - 1) / page * page;
    if (!reserve(&r->chunks, &r->cap_chunks, r->n_chunks + 1)) return false;
    char *p = map(whole);
    if (!p) return false;
    r->chunks[r->n_chunks++] = (span){p, whole};
    give(r, (span){p, whole});
    return true;
}

void ox_region_give(ox_region *r, void *p, size_t size) {
    give(r, (span){p, size});
    r->pieces--;
    r->loose += size;
}

/* Unmaps the chunk that is this hole and nothing else, if there is one. */
static bool drop_chunk(ox_region *r, size_t hole) {
    span h = r->holes[hole];
    for (size_t i = 0; i < r->n_chunks; i++) {
        if (r->chunks[i].at != h.at || r->chunks[i].size != h.size) continue;
        drop(r->chunks, &r->n_chunks, i);
        drop(r->holes, &r->n_holes, hole);
        munmap(h.at, h.size);
        return true;
    }
    return false;
}

void ox_region_trim(ox_region *r) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < r->n_holes;) {
        if (drop_chunk(r, i)) continue;
        uintptr_t at = (uintptr_t)r->holes[i].at, first = (at + page - 1) & ~(page - 1), last = (at + r->holes[i].size) & ~(page - 1);
        if (first < last) madvise((void *)first, last - first, MADV_DONTNEED);
        i++;
    }
    r->loose = 0;
}

void *ox_region_take(ox_region *r, size_t size) {
    /* What is taken, and chunks that are added, can become as many holes: giving back never fails. */
    if (!reserve(&r->holes, &r->cap_holes, r->n_holes + r->pieces + 3)) return NULL;
    size_t best = r->n_holes;
    for (size_t i = 0; i < r->n_holes; i++)
        if (r->holes[i].size >= size && (best == r->n_holes || r->holes[i].size < r->holes[best].size)) best = i;
    if (best == r->n_holes) {
        ox_region_trim(r);
        return add_chunk(r, size) ? ox_region_take(r, size) : NULL;
    }
    span *h = &r->holes[best];
    void *p = h->at;
    h->at += size;
    h->size -= size;
    if (!h->size) drop(r->holes, &r->n_holes, best);
    r->pieces++;
    r->loose -= size < r->loose ? size : r->loose;
    return p;
}

void ox_region_free(ox_region *r) {
    for (size_t i = 0; i < r->n_chunks; i++) munmap(r->chunks[i].at, r->chunks[i].size);
    free(r->chunks);
    free(r->holes);
    *r = (ox_region){0};
}
