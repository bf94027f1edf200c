/* Interned strings, and hash tables with open addressing (linear probing, at most three quarters full).
 *
 * A table is looked up and never walked, so no order of hashes or pointers can reach an output. NULL is no key: it
 * is never there and putting it does nothing. */
#include "base/base.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ox_hash(const void *data, size_t size, uint64_t seed) { return XXH3_64bits_withSeed(data, size, seed); }

/* ---- symbols: the length stands before the text */

typedef struct symbol {
    uint64_t hash;
    size_t len;
    char text[];
} symbol;

struct ox_symtab {
    symbol **slots;
    size_t count, capacity;
};

static void grow_symbols(ox_ctx *ctx, struct ox_symtab *t) {
    size_t capacity = t->capacity ? t->capacity * 2 : 256;
    symbol **slots = OX_NEW_N(ctx->arena, symbol *, capacity);
    for (size_t i = 0; i < t->capacity; i++) {
        symbol *s = t->slots[i];
        if (!s) continue;
        size_t k = s->hash & (capacity - 1);
        while (slots[k]) k = (k + 1) & (capacity - 1);
        slots[k] = s;
    }
    t->slots = slots;
    t->capacity = capacity;
}

ox_sym ox_intern_n(ox_ctx *ctx, const char *text, size_t len) {
    if (!text) return NULL;
    if (!ctx->symbols) ctx->symbols = OX_NEW(ctx->arena, struct ox_symtab);
    struct ox_symtab *t = ctx->symbols;
    if (t->count >= t->capacity / 4 * 3) grow_symbols(ctx, t);
    uint64_t hash = ox_hash(text, len, 0);
    size_t k = hash & (t->capacity - 1);
    for (symbol *s; (s = t->slots[k]); k = (k + 1) & (t->capacity - 1))
        if (s->hash == hash && s->len == len && !memcmp(s->text, text, len)) return s->text;
    symbol *s = ox_alloc(ctx->arena, sizeof *s + len + 1);
    s->hash = hash;
    s->len = len;
    memcpy(s->text, text, len);
    t->slots[k] = s;
    t->count++;
    return s->text;
}

ox_sym ox_intern(ox_ctx *ctx, const char *text) { return text ? ox_intern_n(ctx, text, strlen(text)) : NULL; }

size_t ox_sym_len(ox_sym s) { return ((const symbol *)(const void *)(s - offsetof(symbol, text)))->len; }

/* ---- maps */

struct ox_map_slot {
    const void *key;
    void *value;
};

static size_t pointer_hash(const void *p) {
    uint64_t h = (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15u;
    return (size_t)(h ^ (h >> 32));
}

void ox_map_init(ox_map *map, ox_arena *arena) { *map = (ox_map){.arena = arena}; }

static struct ox_map_slot *find(const ox_map *map, const void *key) {
    if (!map->capacity || !key) return NULL;
    size_t mask = map->capacity - 1, k = pointer_hash(key) & mask;
    for (; map->slots[k].key; k = (k + 1) & mask)
        if (map->slots[k].key == key) return &map->slots[k];
    return NULL;
}

void *ox_map_get(const ox_map *map, const void *key) {
    struct ox_map_slot *s = find(map, key);
    return s ? s->value : NULL;
}

bool ox_map_has(const ox_map *map, const void *key) { return find(map, key) != NULL; }

static void insert_new(ox_map *map, const void *key, void *value) {
    size_t mask = map->capacity - 1, k = pointer_hash(key) & mask;
    while (map->slots[k].key) k = (k + 1) & mask;
    map->slots[k] = (struct ox_map_slot){key, value};
}

void ox_map_put(ox_map *map, const void *key, void *value) {
    if (!key) return;
    struct ox_map_slot *s = find(map, key);
    if (s) {
        s->value = value;
        return;
    }
    if (map->count >= map->capacity / 4 * 3) {
        ox_map old = *map;
        map->capacity = old.capacity ? old.capacity * 2 : 16;
        map->slots = OX_NEW_N(map->arena, struct ox_map_slot, map->capacity);
        for (size_t i = 0; i < old.capacity; i++)
            if (old.slots[i].key) insert_new(map, old.slots[i].key, old.slots[i].value);
    }
    insert_new(map, key, value);
    map->count++;
}

void ox_map_remove(ox_map *map, const void *key) {
    struct ox_map_slot *s = find(map, key);
    if (!s) return;
    /* close the gap: move back each later entry of the run that may stand in it */
    size_t mask = map->capacity - 1, gap = (size_t)(s - map->slots);
    for (size_t k = (gap + 1) & mask; map->slots[k].key; k = (k + 1) & mask) {
        size_t home = pointer_hash(map->slots[k].key) & mask;
        if (((k - home) & mask) >= ((k - gap) & mask)) {
            map->slots[gap] = map->slots[k];
            gap = k;
        }
    }
    map->slots[gap] = (struct ox_map_slot){NULL, NULL};
    map->count--;
}

/* ---- sets by content */

struct ox_set_slot {
    uint64_t hash;
    void *item;
};

void ox_set_init(ox_set *set, ox_arena *arena) { *set = (ox_set){.arena = arena}; }

static void set_insert(ox_set *set, uint64_t hash, void *item) {
    size_t mask = set->capacity - 1, k = hash & mask;
    while (set->slots[k].item) k = (k + 1) & mask;
    set->slots[k] = (struct ox_set_slot){hash, item};
}

void *ox_set_add(ox_set *set, uint64_t hash, void *item, bool (*equal)(const void *a, const void *b, void *user),
                 void *user) {
    if (set->count >= set->capacity / 4 * 3) {
        ox_set old = *set;
        set->capacity = old.capacity ? old.capacity * 2 : 16;
        set->slots = OX_NEW_N(set->arena, struct ox_set_slot, set->capacity);
        for (size_t i = 0; i < old.capacity; i++)
            if (old.slots[i].item) set_insert(set, old.slots[i].hash, old.slots[i].item);
    }
    size_t mask = set->capacity - 1;
    for (size_t k = hash & mask; set->slots[k].item; k = (k + 1) & mask)
        if (set->slots[k].hash == hash && equal(set->slots[k].item, item, user)) return set->slots[k].item;
    set_insert(set, hash, item);
    set->count++;
    return item;
}
