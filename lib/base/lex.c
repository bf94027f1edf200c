/* The lexer: see lex.h. State is in the struct alone, so that a copy of it is a position to come back to. */
#include "base/lex.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static bool in_ident(const ox_lexer *lx, char c) {
    return is_letter((unsigned char)c) || is_digit((unsigned char)c) || (c && strchr(lx->ident_extra, c));
}

int ox_lex_fail(ox_lexer *lx, const char *format, ...) {
    if (lx->failed) return -1; /* what the lexer said comes first */
    va_list args;
    va_start(args, format);
    char text[2048];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ox_fail(lx->ctx, lx->code, "%s:%d:%d: %s", lx->file, lx->line, lx->column, text);
}

static OX_PRINTF(2, 3) int bad_token(ox_lexer *lx, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ox_lex_fail(lx, "%s", text);
    lx->failed = true;
    lx->tok = OX_T_END;
    lx->text = "";
    lx->len = 0;
    lx->at = lx->end;
    return -1;
}

/* Where the next token begins. */
static void mark_here(ox_lexer *lx) {
    lx->line = lx->at_line;
    lx->column = (int)(lx->at - lx->line_start) + 1;
}

static void next_line(ox_lexer *lx) {
    lx->at++;
    lx->at_line++;
    lx->line_start = lx->at;
}

/* -1 when the character at lx->at is NUL or no UTF-8; else its length. */
static int char_len(ox_lexer *lx) {
    size_t left = (size_t)(lx->end - lx->at), n = left < 4 ? left : 4;
    unsigned char c = (unsigned char)*lx->at;
    if (!c) {
        mark_here(lx);
        return bad_token(lx, "NUL byte");
    }
    if (c < 0x80) return 1;
    size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (len > n || ox_utf8_prefix(lx->at, len) != len) {
        mark_here(lx);
        return bad_token(lx, "invalid UTF-8");
    }
    return (int)len;
}

static int skip_blanks(ox_lexer *lx) {
    while (lx->at < lx->end) {
        char c = *lx->at;
        if (c == '\n') {
            next_line(lx);
        } else if (c == ' ' || c == '\t' || c == '\r') {
            lx->at++;
        } else if (c == '#') {
            while (lx->at < lx->end && *lx->at != '\n') {
                int n = char_len(lx);
                if (n < 0) return -1;
                lx->at += n;
            }
        } else {
            break;
        }
    }
    return 0;
}

static int hex_value(int c) {
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* One escape at lx->at, which is at the backslash; returns the byte or -1. */
static int read_escape(ox_lexer *lx) {
    static const char names[] = "\"\\'/ntr0", values[] = "\"\\'/\n\t\r";
    if (lx->end - lx->at < 2) return bad_token(lx, "unfinished string");
    char c = lx->at[1];
    if (c == 'x') {
        int high = lx->end - lx->at < 4 ? -1 : hex_value((unsigned char)lx->at[2]);
        int low = high < 0 ? -1 : hex_value((unsigned char)lx->at[3]);
        if (low < 0) return mark_here(lx), bad_token(lx, "\\x needs two hexadecimal digits");
        lx->at += 4;
        return high * 16 + low;
    }
    const char *found = c ? strchr(names, c) : NULL;
    if (!found) return mark_here(lx), bad_token(lx, "unknown escape in a string: \\%c", c);
    lx->at += 2;
    return (unsigned char)values[found - names];
}

static int read_string(ox_lexer *lx) {
    const char *start = ++lx->at;
    size_t escapes = 0;
    const char *p = start;
    for (; p < lx->end && *p != '"'; p++) {
        if (*p == '\\') {
            escapes++;
            if (++p == lx->end) break;
        }
        if (!*p) return bad_token(lx, "NUL byte in a string");
    }
    if (p >= lx->end) return bad_token(lx, "unfinished string");
    lx->tok = OX_T_STRING;
    lx->text = start;
    lx->len = (size_t)(p - start);
    char *out = escapes ? ox_alloc(lx->arena, lx->len + 1) : NULL;
    size_t n = 0;
    while (lx->at < p) {
        if (*lx->at == '\\') {
            int c = read_escape(lx);
            if (c < 0) return -1;
            out[n++] = (char)c;
            continue;
        }
        if (out) out[n++] = *lx->at;
        if (*lx->at == '\n')
            next_line(lx);
        else
            lx->at++;
    }
    if (out) {
        lx->text = out;
        lx->len = n;
    }
    lx->at++;
    return 0;
}

/* Digits, then perhaps ".", digits, exponent. "1..n" is the number 1 and "..". */
static int read_number(ox_lexer *lx) {
    const char *p = lx->at, *end = lx->end;
    bool is_float = false;
    while (p < end && is_digit((unsigned char)*p)) p++;
    if (p < end && *p == '.' &&
        !(p + 1 < end && (p[1] == '.' || (is_letter((unsigned char)p[1]) && (p[1] | 32) != 'e')))) {
        is_float = true;
        p++;
        while (p < end && is_digit((unsigned char)*p)) p++;
    }
    if (p < end && (*p | 32) == 'e') {
        const char *q = p + 1;
        if (q < end && (*q == '+' || *q == '-')) q++;
        if (q < end && is_digit((unsigned char)*q)) {
            is_float = true;
            while (q < end && is_digit((unsigned char)*q)) q++;
            p = q;
        }
    }
    lx->text = lx->at;
    lx->len = (size_t)(p - lx->at);
    if (p < end && in_ident(lx, *p) && *p != '.')
        return bad_token(lx, "a number runs into a name: '%.*s'", (int)(lx->len < 40 ? lx->len + 1 : 40), lx->text);
    lx->tok = is_float ? OX_T_FLOAT : OX_T_INT;
    if (!ox_parse_double(lx->text, lx->len, &lx->float_value) || isinf(lx->float_value))
        return bad_token(lx, "the number is too large");
    lx->int_value = 0;
    for (size_t i = 0; !is_float && i < lx->len; i++) {
        uint64_t d = (uint64_t)(lx->text[i] - '0');
        if (__builtin_mul_overflow(lx->int_value, 10, &lx->int_value) ||
            __builtin_add_overflow(lx->int_value, d, &lx->int_value))
            return bad_token(lx, "the number is larger than 18446744073709551615");
    }
    lx->at = p;
    return 0;
}

static void read_punct(ox_lexer *lx) {
    size_t left = (size_t)(lx->end - lx->at);
    lx->tok = OX_T_PUNCT;
    lx->text = lx->at;
    lx->len = 1;
    for (const char *p = lx->puncts; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (n <= left && !memcmp(p, lx->at, n)) {
            lx->len = n;
            break;
        }
        p += n;
    }
    lx->at += lx->len;
}

int ox_lex_next(ox_lexer *lx) {
    if (lx->failed) return -1;
    if (skip_blanks(lx)) return -1;
    mark_here(lx);
    if (lx->at >= lx->end) {
        lx->tok = OX_T_END;
        lx->text = "";
        lx->len = 0;
        return 0;
    }
    char c = *lx->at;
    if (is_letter((unsigned char)c)) {
        const char *p = lx->at;
        while (p < lx->end && in_ident(lx, *p)) p++;
        lx->tok = OX_T_IDENT;
        lx->text = lx->at;
        lx->len = (size_t)(p - lx->at);
        lx->at = p;
        return 0;
    }
    if (is_digit((unsigned char)c) || (c == '.' && lx->end - lx->at > 1 && is_digit((unsigned char)lx->at[1])))
        return read_number(lx);
    if (c == '"') return read_string(lx);
    int n = char_len(lx);
    if (n < 0) return -1;
    if (n > 1) return bad_token(lx, "unexpected character '%.*s'", n, lx->at);
    if (c < 0x20 || c == 0x7f) return bad_token(lx, "unexpected control character \\x%02x", (unsigned char)c);
    read_punct(lx);
    return 0;
}

int ox_lex_init(ox_lexer *lx, ox_ctx *ctx, ox_arena *arena, const char *text, size_t len, const char *file, int code,
                const char *puncts, const char *ident_extra) {
    return ox_lex_init_at(lx, ctx, arena, text, len, file, 1, code, puncts, ident_extra);
}

int ox_lex_init_at(ox_lexer *lx, ox_ctx *ctx, ox_arena *arena, const char *text, size_t len, const char *file, int line,
                   int code, const char *puncts, const char *ident_extra) {
    *lx = (ox_lexer){
        .ctx = ctx,
        .arena = arena,
        .file = file,
        .code = code,
        .puncts = puncts ? puncts : "",
        .ident_extra = ident_extra ? ident_extra : "",
        .text = "",
        .at = text,
        .end = text + len,
        .line_start = text,
        .at_line = line,
    };
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) lx->at = lx->line_start = text + 3; /* byte order mark */
    return ox_lex_next(lx);
}

bool ox_lex_is(const ox_lexer *lx, const char *text) {
    return (lx->tok == OX_T_PUNCT || lx->tok == OX_T_IDENT) && strlen(text) == lx->len &&
           !memcmp(lx->text, text, lx->len);
}

bool ox_lex_accept(ox_lexer *lx, const char *text) {
    if (!ox_lex_is(lx, text)) return false;
    ox_lex_next(lx); /* a failure stays in lx->failed and is met by whatever is expected next */
    return true;
}

int ox_lex_expect(ox_lexer *lx, const char *text) {
    if (ox_lex_is(lx, text)) return ox_lex_next(lx);
    if (lx->tok == OX_T_END) return ox_lex_fail(lx, "expected '%s', found the end of the text", text);
    const char *quote = lx->tok == OX_T_STRING ? "\"" : "";
    return ox_lex_fail(lx, "expected '%s', found '%s%.*s%s'", text, quote, (int)(lx->len < 100 ? lx->len : 100),
                       lx->text, quote);
}

void ox_text_quoted(ox_text *out, const char *data, size_t len) {
    ox_text_add_n(out, "\"", 1);
    size_t plain = 0; /* start of what needs no escape */
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)data[i];
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        bool whole = n <= len - i && ox_utf8_prefix(data + i, n) == n;
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && whole && (unsigned char)data[i + 1] < 0xa0);
        if (whole && !control && c != '"' && c != '\\') {
            i += n;
            continue;
        }
        ox_text_add_n(out, data + plain, i - plain);
        const char *name = c == '"'    ? "\\\""
                           : c == '\\' ? "\\\\"
                           : c == '\n' ? "\\n"
                           : c == '\t' ? "\\t"
                           : c == '\r' ? "\\r"
                                       : NULL;
        if (name)
            ox_text_add_n(out, name, 2);
        else
            ox_text_addf(out, "\\x%02x", c);
        plain = ++i;
    }
    ox_text_add_n(out, data + plain, len - plain);
    ox_text_add_n(out, "\"", 1);
}
