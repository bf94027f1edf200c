/* The context: limits, the recorded error, warnings, and the way back when memory is used up.
 *
 * Error text is made printable here and nowhere else, and is bounded: a part that is too long loses its middle, so
 * that both the place (at the front) and the reason (at the end) stay. */
#include "base/base.h"
#include "base/base_private.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART_MAX = 4096 }; /* bytes of one part of an error text after escaping */

typedef struct guard {
    jmp_buf jump;
    struct guard *outer;
} guard;

ox_ctx *ox_ctx_new(void) {
    ox_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx) return NULL;
    ctx->limits = (ox_limits){
        .file_bytes = INT32_MAX,
        .depth = 100,
        .graph_depth = 32,
        .messages = 2000000,
        .rank = 64,
        .functions = 10000,
        .call_depth = 100,
        .inlined_nodes = 1000000,
        .memory = 0,
    };
    ctx->error_text = calloc(1, OX_ERROR_MAX);
    if (!ctx->error_text || ox_memory_new(ctx) || !(ctx->arena = ox_arena_new(ctx))) {
        ox_ctx_free(ctx);
        return NULL;
    }
    return ctx;
}

ox_ctx *ox_ctx_beside(ox_ctx *ctx, int i) {
    ox_ctx **at = &ctx->beside;
    while (*at && i-- > 0) at = &(*at)->beside;
    if (*at) return *at;
    ox_ctx *c = OX_NEW(ctx->arena, ox_ctx);
    c->memory = ctx->memory;
    c->error_text = ox_alloc(ctx->arena, OX_ERROR_MAX);
    c->arena = ox_arena_new(ctx);
    ox_arena_give(c->arena, c);
    return *at = c;
}

void ox_ctx_free(ox_ctx *ctx) {
    if (!ctx) return;
    ox_memory_free(ctx);
    free(ctx->error_text);
    free(ctx);
}

/* ---- text of errors */

static bool is_plain(const unsigned char *p, size_t n) {
    if (n == 1) return p[0] >= 0x20 && p[0] != 0x7f;
    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) return false; /* C1 control characters */
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] >= 0xa8 && p[2] <= 0xae))
        return false; /* line ends, direction */
    if (n == 3 && p[0] == 0xe2 && p[1] == 0x81 && (p[2] >= 0xa6 && p[2] <= 0xa9)) return false; /* direction isolates */
    return true;
}

/* Bytes of the UTF-8 character at p, 0 when there is none. */
static size_t char_len(const char *p, size_t left) {
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= left && ox_utf8_prefix(p, n) == n ? n : 0;
}

/* Escapes one character into out (at least 17 bytes); returns the bytes written, *used: the bytes read. */
static size_t escape_char(const char *p, size_t left, char *out, size_t *used) {
    size_t n = char_len(p, left);
    *used = n ? n : 1;
    if (n && is_plain((const unsigned char *)p, n)) {
        memcpy(out, p, n);
        return n;
    }
    const char *found = *p ? strchr("\nn\tt\rr", *p) : NULL;
    if (n == 1 && found && (unsigned char)*p < 0x20) return (size_t)snprintf(out, 3, "\\%c", found[1]);
    size_t w = 0;
    for (size_t i = 0; i < *used; i++) w += (size_t)snprintf(out + w, 5, "\\x%02x", (unsigned char)p[i]);
    return w;
}

/* Escapes text into out[limit]; what is too long loses its middle. Whole characters only. */
static size_t escape_text(const char *text, size_t len, char *out, size_t limit) {
    char one[24];
    size_t total = 0, used;
    for (size_t i = 0; i < len && total < limit; i += used) total += escape_char(text + i, len - i, one, &used);
    size_t head = limit - 1, tail = 0;
    if (total >= limit) {
        tail = limit / 4;
        head = limit - tail - 8;
    }
    size_t n = 0, i = 0;
    for (; i < len; i += used) {
        size_t w = escape_char(text + i, len - i, one, &used);
        if (n + w > head) break;
        memcpy(out + n, one, w);
        n += w;
    }
    if (i < len) {
        memcpy(out + n, " ... ", 5);
        n += 5;
        /* an escaped byte takes at most four, so a quarter of the room always fits */
        size_t start = len - tail / 4 > i ? len - tail / 4 : i;
        while (start < len && ((unsigned char)text[start] & 0xc0) == 0x80) start++;
        for (i = start; i < len; i += used) n += escape_char(text + i, len - i, out + n, &used);
    }
    out[n] = 0;
    return n;
}

size_t ox_printable(char *out, size_t size, const char *text) { return escape_text(text, strlen(text), out, size); }

/* Formats and escapes into part[PART_MAX]. */
static OX_PRINTF(2, 0) size_t make_part(char *part, const char *format, va_list args) {
    char small[2048];
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(small, sizeof small, format, args);
    size_t len = need < 0 ? 0 : (size_t)need, n;
    char *big = len >= sizeof small ? malloc(len + 1) : NULL;
    if (big) {
        vsnprintf(big, len + 1, format, again);
        n = escape_text(big, len, part, PART_MAX);
        free(big);
    } else {
        n = escape_text(small, len < sizeof small ? len : sizeof small - 1, part, PART_MAX);
    }
    va_end(again);
    return n;
}

int ox_fail(ox_ctx *ctx, int code, const char *format, ...) {
    char part[PART_MAX]; /* arguments may point into the recorded text */
    va_list args;
    va_start(args, format);
    size_t n = make_part(part, format, args);
    va_end(args);
    memcpy(ctx->error_text, part, n + 1);
    ctx->error_code = code;
    return -1;
}

int ox_fail_in(ox_ctx *ctx, const char *format, ...) {
    char part[PART_MAX + 2];
    va_list args;
    va_start(args, format);
    size_t n = make_part(part, format, args);
    va_end(args);
    memcpy(part + n, ": ", 2);
    n += 2;
    size_t old = strlen(ctx->error_text);
    if (n + old >= OX_ERROR_MAX) return -1; /* deep stacks keep their innermost places */
    memmove(ctx->error_text + n, ctx->error_text, old + 1);
    memcpy(ctx->error_text, part, n);
    return -1;
}

void ox_clear_error(ox_ctx *ctx) {
    ctx->error_code = OX_OK;
    ctx->error_text[0] = 0;
}

int ox_take_error(ox_ctx *ctx, ox_ctx *from) {
    memcpy(ctx->error_text, from->error_text, strlen(from->error_text) + 1);
    ctx->error_code = from->error_code;
    ox_clear_error(from);
    return -1;
}

int ox_error_code(const ox_ctx *ctx) { return ctx->error_code; }
const char *ox_error_text(const ox_ctx *ctx) { return ctx->error_text; }

void ox_warn(ox_ctx *ctx, const char *format, ...) {
    if (!ctx->on_warning) return;
    char part[PART_MAX];
    va_list args;
    va_start(args, format);
    make_part(part, format, args);
    va_end(args);
    ctx->on_warning(ctx->on_warning_user, part);
}

/* ---- the way back */

int ox_protect(ox_ctx *ctx, int (*fn)(void *arg), void *arg) {
    guard g;
    g.outer = ctx->guard;
    int result;
    if (setjmp(g.jump)) {
        result = -1;
    } else {
        ctx->guard = &g;
        result = fn(arg);
    }
    ctx->guard = g.outer;
    return result;
}

void ox_check_memory(ox_ctx *ctx) {
    guard *g = ctx->guard;
    if (!ctx->starved || !g) return;
    if (ctx->error_code != OX_NO_MEMORY) ox_fail(ctx, OX_NO_MEMORY, "out of memory");
    longjmp(g->jump, 1);
}

_Noreturn void ox_out_of_memory(ox_ctx *ctx, size_t size) {
    guard *g = ctx->guard;
    ox_fail(ctx, OX_NO_MEMORY, "out of memory: %zu bytes wanted", size);
    if (!g) __builtin_trap(); /* called without ox_protect(): there is nobody to tell */
    longjmp(g->jump, 1);
}
