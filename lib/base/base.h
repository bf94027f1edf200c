/* The ground everything stands on: context, errors, limits, arenas, interned strings, growing arrays and maps.
 *
 * Memory. Metadata come from arenas. An arena allocation never returns NULL: when the system has no memory left, control
 * goes back to the nearest ox_protect(), which returns -1 with OX_NO_MEMORY in the context. Therefore code between has
 * no checks, and owns nothing that is not registered somewhere (arena, model, context). Payloads (tensor data) are
 * allocated by ox_payload_alloc() and checked by the caller, because they may be as large as a file says.
 *
 * Errors. A function that can fail returns -1 or NULL after calling ox_fail(); callers add where they were by
 * ox_fail_in() and pass -1 on. Nothing in the library prints or exits. Text is made printable in one place: control
 * characters in it are escaped, so names may be passed to ox_fail() as they are.
 */
#ifndef OX_BASE_H
#define OX_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define OX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define OX_PRINTF(f, a)
#endif

/* Codes of failure; the programs exit with them (sysexits where one fits). */
enum {
    OX_OK = 0,
    OX_NEGATIVE = 1,       /* the answer is no: differs, not verified */
    OX_USAGE = 64,         /* wrong command line */
    OX_BAD_DATA = 65,      /* the model or other data are wrong */
    OX_NO_INPUT = 66,      /* an input file is not there */
    OX_UNAVAILABLE = 69,   /* no backend, or an operator that cannot be run */
    OX_BUG = 70,           /* our own fault */
    OX_NO_MEMORY = 71,     /* memory or a budget for it is used up */
    OX_CANT_CREATE = 73,   /* an output cannot be created */
    OX_IO = 74,            /* reading or writing failed on the way */
    OX_POLICY = 77,        /* a path leads where it may not */
    OX_CONFIG = 78         /* a pipeline or rules file is wrong */
};

typedef struct ox_ctx ox_ctx;
typedef struct ox_arena ox_arena;
typedef const char *ox_sym; /* an interned string: equal text = equal pointer within one context */

/* Bounds on what a file may ask for. Every one is named in the error that it causes. */
typedef struct ox_limits {
    uint64_t file_bytes;     /* bytes of one protobuf file: 2^31-1, the limit of every protobuf runtime... */
    uint32_t depth;          /* nested messages on the wire: 100 */
    uint32_t graph_depth;    /* nested bodies, nested types: 32 */
    uint64_t messages;       /* messages in one file: 2,000,000; models of 100,000 nodes have about one million */
    uint32_t rank;           /* dimensions of a tensor: 64 */
    uint32_t functions;      /* local functions: 10,000 */
    uint32_t call_depth;     /* nested calls of local functions: 100 */
    uint64_t inlined_nodes;  /* nodes that inlining may make: 1,000,000 */
    uint64_t memory;         /* bytes of payloads alive; 0: what the machine or the control group has */
} ox_limits;

struct ox_ctx {
    ox_limits limits;
    int threads;                                      /* 0: as many as the process may use */
    int (*on_threads)(void *user, int processors);    /* asked once, before work first goes to several threads: how many; NULL: all */
    void *on_threads_user;
    bool verify_checksums;                            /* models are opened only when checksums given for their external data are right */
    void (*on_warning)(void *user, const char *text); /* NULL: warnings are dropped */
    void *on_warning_user;
    /* below: private to base.c */
    int error_code;
    char *error_text; /* OX_ERROR_MAX bytes, "" when there is no error */
    ox_arena *arena;  /* lives as long as the context: symbols, expressions, compiled rules */
    struct ox_symtab *symbols;
    struct ox_exprs *exprs;  /* dimension expressions, owned by ir/expr.c */
    struct ox_optable *ops;  /* operator table, owned by op/table.c */
    void *guard;             /* innermost ox_protect() */
    bool starved;             /* the system refused memory, no limit of ours: what was left out for it is no result */
    struct ox_memory *memory; /* what is allocated, owned by base/memory.c */
    ox_ctx *beside;           /* the next of those that work for the same */
    struct ox_file *inputs;  /* open ones, owned by base/file.c */
    struct ox_out *outputs;  /* not closed yet, owned by base/out.c */
};

enum { OX_ERROR_MAX = 16384 };

/* A new context, or NULL without memory. Contexts share nothing; one thread uses one at a time. */
ox_ctx *ox_ctx_new(void);
/* Number I, counted from 0 without gaps, of the contexts for other threads that work for CTX. Errors, symbols and tables are their own; memory is counted
 * together, may be freed by any of them, and goes with CTX. Limits are the caller's to set. */
ox_ctx *ox_ctx_beside(ox_ctx *ctx, int i);
void ox_ctx_free(ox_ctx *ctx);

/* Records an error (code: one of the enum above) and returns -1. An error recorded before is replaced. */
int ox_fail(ox_ctx *ctx, int code, const char *format, ...) OX_PRINTF(3, 4);
/* Puts "where: " before the text of the recorded error and returns -1. */
int ox_fail_in(ox_ctx *ctx, const char *format, ...) OX_PRINTF(2, 3);
void ox_clear_error(ox_ctx *ctx);
int ox_take_error(ox_ctx *ctx, ox_ctx *from);  /* the error that is recorded in FROM moves to CTX; -1 */
int ox_error_code(const ox_ctx *ctx);
const char *ox_error_text(const ox_ctx *ctx);
/* Copies TEXT as errors show it: control characters and invalid UTF-8 escaped, without its middle when it is too long
 * for SIZE (>= 64) bytes. Returns the length. For names of the model that a program prints itself. */
size_t ox_printable(char *out, size_t size, const char *text);
void ox_warn(ox_ctx *ctx, const char *format, ...) OX_PRINTF(2, 3);

/* Calls fn(arg) so that an arena that finds no memory makes this return -1 (OX_NO_MEMORY). Else returns fn's result. */
int ox_protect(ox_ctx *ctx, int (*fn)(void *arg), void *arg);
/* Goes back to ox_protect() when the system has refused memory: for functions whose NULL would else be taken for another answer. */
void ox_check_memory(ox_ctx *ctx);

/* ---- arenas ---- */
ox_arena *ox_arena_new(ox_ctx *ctx);           /* never NULL (see above), but NULL when ctx has no guard and no memory */
void ox_arena_reset(ox_arena *arena);          /* frees all that was allocated, keeps one chunk */
void ox_arena_free(ox_arena *arena);           /* NULL is allowed */
void *ox_alloc(ox_arena *arena, size_t size);  /* zeroed, aligned to 16 */
void *ox_alloc_n(ox_arena *arena, size_t n, size_t size); /* n * size with the product checked */
void *ox_dup(ox_arena *arena, const void *data, size_t size);
char *ox_strdup(ox_arena *arena, const char *text);
char *ox_format(ox_arena *arena, const char *format, ...) OX_PRINTF(2, 3);
ox_ctx *ox_arena_ctx(const ox_arena *arena);
size_t ox_arena_bytes(const ox_arena *arena);  /* bytes held from the system */
#define OX_NEW(arena, T) ((T *)ox_alloc((arena), sizeof(T)))
#define OX_NEW_N(arena, T, n) ((T *)ox_alloc_n((arena), (size_t)(n), sizeof(T)))

/* malloc that can be made to fail by tests (OX_FAIL_ALLOC=n fails the n-th); every allocation of the library is one of these. */
void *ox_payload_alloc(ox_ctx *ctx, size_t size); /* 64-byte aligned, not zeroed; NULL after ox_fail(OX_NO_MEMORY) */
void *ox_payload_alloc_brief(ox_ctx *ctx, size_t size); /* the same for what comes and goes as a model runs: apart from what stays */
void ox_payload_free(void *data); /* NULL is allowed */
/* The payload owns more than memory: destroy(data), which frees it, is called when it is still alive as the context goes. */
void ox_payload_on_abandon(void *data, void (*destroy)(void *data));
/* 1: the memory of freed payloads is handed out again, until as many calls with -1; 0: what is free goes back to the system now. */
void ox_recycle(ox_ctx *ctx, int how);
uint64_t ox_payload_bytes(const ox_ctx *ctx); /* alive now, with their headers; what is still alive in ox_ctx_free() is freed there */

/* ---- interned strings ---- */
ox_sym ox_intern(ox_ctx *ctx, const char *text);               /* NULL gives NULL */
ox_sym ox_intern_n(ox_ctx *ctx, const char *text, size_t len);
size_t ox_sym_len(ox_sym s);

/* ---- growing arrays in an arena: pointer, count and capacity are the caller's variables ---- */
void *ox_grow(ox_arena *arena, void *items, size_t count, size_t *capacity, size_t item_size);
#define OX_PUSH(arena, items, count, capacity, item)                                                         \
    do {                                                                                                     \
        if ((size_t)(count) == (capacity))                                                                   \
            (items) = ox_grow((arena), (items), (size_t)(count), &(capacity), sizeof *(items));              \
        (items)[(count)++] = (item);                                                                         \
    } while (0)

/* A growing text in an arena. */
typedef struct ox_text {
    ox_arena *arena;
    char *data; /* NUL-terminated once something was added */
    size_t len, capacity;
} ox_text;
void ox_text_add(ox_text *t, const char *text);
void ox_text_add_n(ox_text *t, const char *text, size_t len);
void ox_text_addf(ox_text *t, const char *format, ...) OX_PRINTF(2, 3);

/* ---- maps from pointers (symbols, values, nodes...) to pointers or numbers; iteration order is never used ---- */
typedef struct ox_map {
    ox_arena *arena;
    struct ox_map_slot *slots;
    size_t count, capacity;
} ox_map;
void ox_map_init(ox_map *map, ox_arena *arena);
void *ox_map_get(const ox_map *map, const void *key);              /* NULL when not there */
bool ox_map_has(const ox_map *map, const void *key);
void ox_map_put(ox_map *map, const void *key, void *value);        /* replaces */
void ox_map_remove(ox_map *map, const void *key);
/* The same from a 64-bit hash plus the caller's own comparison; for content-addressed sets. Returns the item equal to
 * `item`, or inserts `item` and returns it. */
typedef struct ox_set {
    ox_arena *arena;
    struct ox_set_slot *slots;
    size_t count, capacity;
} ox_set;
void ox_set_init(ox_set *set, ox_arena *arena);
void *ox_set_add(ox_set *set, uint64_t hash, void *item, bool (*equal)(const void *a, const void *b, void *user), void *user);
uint64_t ox_hash(const void *data, size_t size, uint64_t seed); /* XXH3 */
static inline uint64_t ox_hash_mix(uint64_t h, uint64_t v) {
    h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdu;
}

/* ---- numbers ---- */
static inline bool ox_mul_ok(int64_t a, int64_t b, int64_t *r) { return !__builtin_mul_overflow(a, b, r); }
static inline bool ox_add_ok(int64_t a, int64_t b, int64_t *r) { return !__builtin_add_overflow(a, b, r); }
/* Decimal text of a float or double that reads back to the same bits, shortest first; locale-independent. buf >= 32 bytes.
 * NaN and infinities as "nan", "inf", "-inf". */
int ox_float_text(char *buf, float v);
int ox_double_text(char *buf, double v);
/* Locale-independent strtod on len bytes; false when the text is not wholly a number. */
bool ox_parse_double(const char *text, size_t len, double *out);
bool ox_parse_int(const char *text, size_t len, int64_t *out);

/* Bytes at the start of TEXT that are valid UTF-8 (no surrogates, nothing over-long); LEN when all are. */
size_t ox_utf8_prefix(const char *text, size_t len);

/* The number of threads a parallel loop may use now: ctx->threads, or the CPUs of the affinity mask and cgroup. */
int ox_thread_count(const ox_ctx *ctx);

#endif
