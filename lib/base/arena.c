/* Arenas: memory that is given back as a whole.
 *
 * Chunks come zeroed from the system. After a reset a kept chunk is dirty up to the old mark, and what is handed out
 * below the mark is zeroed then. Large pieces get chunks of their own behind the current one, so that its rest stays
 * in use. What needed several chunks before a reset finds one that holds it all afterwards, up to LARGEST_KEPT: the
 * same work done again allocates nothing. */
#include "base/base.h"
#include "base/base_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CHUNK = 4096, LARGEST_CHUNK = 1 << 20, LARGEST_KEPT = 16 << 20, PIECE = 16 };

typedef struct chunk {
    struct chunk *next;
    size_t size, used, dirty; /* of data */
    _Alignas(PIECE) unsigned char data[];
} chunk;

struct ox_arena {
    ox_ctx *ctx;
    chunk *now; /* newest first */
    size_t next_size, bytes;
    ox_arena *prev, *next; /* all arenas of the context */
};

ox_arena *ox_arena_new(ox_ctx *ctx) {
    ox_arena *a = ox_may_alloc(ctx) ? calloc(1, sizeof *a) : NULL;
    if (!a) {
        ctx->starved = true;
        if (ctx->guard) ox_out_of_memory(ctx, sizeof *a);
        ox_fail(ctx, OX_NO_MEMORY, "out of memory: %zu bytes wanted", sizeof *a);
        return NULL;
    }
    a->ctx = ctx;
    a->next_size = FIRST_CHUNK;
    ox_arena **all = ox_memory_lock(ctx);
    a->next = *all;
    if (a->next) a->next->prev = a;
    *all = a;
    ox_memory_unlock(ctx);
    return a;
}

void ox_arena_give(ox_arena *a, ox_ctx *to) { a->ctx = to; }

static void free_chunks(chunk *c) {
    while (c) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
}

void ox_arena_reset(ox_arena *a) {
    chunk *keep = a->now;
    if (!keep) return;
    if (keep->next) {
        size_t all = 0;
        for (const chunk *c = keep; c; c = c->next) all += c->used;
        free_chunks(keep->next);
        keep->next = NULL;
        if (all > keep->size && all <= LARGEST_KEPT) {
            free_chunks(keep);
            a->now = NULL;
            a->bytes = 0;
            if (all > a->next_size) a->next_size = all;
            return;
        }
    }
    if (keep->dirty < keep->used) keep->dirty = keep->used;
    keep->used = 0;
    a->bytes = sizeof *keep + keep->size;
}

void ox_arena_free(ox_arena *a) {
    if (!a) return;
    ox_ctx *ctx = a->ctx;
    ox_arena **all = ox_memory_lock(ctx);
    if (a->prev)
        a->prev->next = a->next;
    else
        *all = a->next;
    if (a->next) a->next->prev = a->prev;
    ox_memory_unlock(ctx);
    free_chunks(a->now);
    free(a);
}

static chunk *new_chunk(ox_arena *a, size_t size) {
    chunk *c = ox_may_alloc(a->ctx) ? calloc(1, sizeof *c + size) : NULL;
    if (!c) {
        a->ctx->starved = true;
        ox_out_of_memory(a->ctx, size);
    }
    c->size = size;
    a->bytes += sizeof *c + size;
    return c;
}

static void *take(chunk *c, size_t size) {
    unsigned char *p = c->data + c->used;
    if (c->used < c->dirty) memset(p, 0, size < c->dirty - c->used ? size : c->dirty - c->used);
    c->used += size;
    return p;
}

void *ox_alloc(ox_arena *a, size_t size) {
    if (size > SIZE_MAX / 2) ox_out_of_memory(a->ctx, size);
    size = size ? (size + PIECE - 1) / PIECE * PIECE : PIECE;
    chunk *c = a->now;
    if (c && size <= c->size - c->used) return take(c, size);
    if (c && size > a->next_size / 4) { /* its own chunk, behind */
        chunk *own = new_chunk(a, size);
        own->next = c->next;
        c->next = own;
        return take(own, size);
    }
    size_t want = a->next_size > size ? a->next_size : size;
    c = new_chunk(a, want);
    if (a->next_size < LARGEST_CHUNK) a->next_size *= 2;
    c->next = a->now;
    a->now = c;
    return take(c, size);
}

void *ox_alloc_n(ox_arena *a, size_t n, size_t size) {
    size_t all;
    if (__builtin_mul_overflow(n, size, &all)) ox_out_of_memory(a->ctx, SIZE_MAX);
    return ox_alloc(a, all);
}

void *ox_dup(ox_arena *a, const void *data, size_t size) {
    void *p = ox_alloc(a, size);
    if (size) memcpy(p, data, size);
    return p;
}

char *ox_strdup(ox_arena *a, const char *text) { return ox_dup(a, text, strlen(text) + 1); }

char *ox_format(ox_arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = ox_alloc(a, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0) {
        va_start(args, format);
        vsnprintf(text, (size_t)n + 1, format, args);
        va_end(args);
    }
    return text;
}

ox_ctx *ox_arena_ctx(const ox_arena *a) { return a->ctx; }
size_t ox_arena_bytes(const ox_arena *a) { return a->bytes; }

/* ---- growing arrays and text */

void *ox_grow(ox_arena *a, void *items, size_t count, size_t *capacity, size_t item_size) {
    size_t wanted = *capacity ? *capacity : 4;
    while (wanted <= count) {
        if (wanted > SIZE_MAX / 2) ox_out_of_memory(a->ctx, SIZE_MAX);
        wanted *= 2;
    }
    void *p = ox_alloc_n(a, wanted, item_size);
    if (count) memcpy(p, items, count * item_size);
    *capacity = wanted;
    return p;
}

/* Room for len more bytes and the NUL. */
static void text_room(ox_text *t, size_t len) {
    if (len > SIZE_MAX / 4) ox_out_of_memory(t->arena->ctx, len);
    if (t->capacity - t->len > len) return;
    size_t wanted = t->capacity ? t->capacity * 2 : 64;
    while (wanted - t->len <= len) wanted *= 2;
    char *p = ox_alloc(t->arena, wanted);
    if (t->len) memcpy(p, t->data, t->len);
    t->data = p;
    t->capacity = wanted;
}

void ox_text_add_n(ox_text *t, const char *text, size_t len) {
    text_room(t, len);
    if (len) memcpy(t->data + t->len, text, len);
    t->len += len;
    t->data[t->len] = 0;
}

void ox_text_add(ox_text *t, const char *text) { ox_text_add_n(t, text, strlen(text)); }

void ox_text_addf(ox_text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) n = 0;
    text_room(t, (size_t)n);
    t->data[t->len] = 0;
    if (n) {
        va_start(args, format);
        vsnprintf(t->data + t->len, (size_t)n + 1, format, args);
        va_end(args);
    }
    t->len += (size_t)n;
}
