/* The lexer of all our text: models, operator signatures, rules. The text is not copied; "#" begins a comment to the line's end. */
#ifndef OX_LEX_H
#define OX_LEX_H

#include "base/base.h"

typedef enum ox_tok { OX_T_END, OX_T_IDENT, OX_T_INT, OX_T_FLOAT, OX_T_STRING, OX_T_PUNCT } ox_tok;

typedef struct ox_lexer {
    /* set by ox_lex_init() */
    ox_ctx *ctx;
    ox_arena *arena;         /* for unescaped strings */
    const char *file;        /* for messages */
    int code;                /* of errors: OX_BAD_DATA, OX_CONFIG */
    const char *puncts;      /* tokens of more than one character, separated by spaces, longest first: "=> ?? .. == !=" */
    const char *ident_extra; /* characters besides letters, digits and "_" that may stand inside an identifier: "." in models */
    /* the present token */
    ox_tok tok;
    const char *text;        /* as written; for a STRING: its value, unescaped */
    size_t len;
    int line, column;        /* of its first character, from 1; columns count bytes */
    uint64_t int_value;      /* INT: digits only, a sign is a PUNCT; above 2^64-1 it is an error */
    double float_value;      /* FLOAT and INT: the value as double. "nan" and "inf" are identifiers. */
    bool failed;             /* an error was recorded by ox_lex_next(); tok is END */
    /* private */
    const char *at, *end, *line_start;
    int at_line;
} ox_lexer;

/* Starts and reads the first token. NUL bytes and invalid UTF-8 outside strings are errors of that token. */
int ox_lex_init(ox_lexer *lx, ox_ctx *ctx, ox_arena *arena, const char *text, size_t len, const char *file, int code, const char *puncts,
                const char *ident_extra);
/* The same for text that begins with line LINE of the file. */
int ox_lex_init_at(ox_lexer *lx, ox_ctx *ctx, ox_arena *arena, const char *text, size_t len, const char *file, int line, int code,
                   const char *puncts, const char *ident_extra);
int ox_lex_next(ox_lexer *lx);                        /* -1 after ox_fail (unfinished string, bad character, number too large) */
bool ox_lex_is(const ox_lexer *lx, const char *text); /* a PUNCT or IDENT with this text */
bool ox_lex_accept(ox_lexer *lx, const char *text);   /* is: next, true */
int ox_lex_expect(ox_lexer *lx, const char *text);    /* -1: "file:line:col: expected '=>', found 'x'" */
int ox_lex_fail(ox_lexer *lx, const char *format, ...) OX_PRINTF(2, 3); /* "file:line:col: text" at the present token */
/* Saves and restores a position: copy the struct. Strings are written with \" \\ \n \t \r \xHH escapes: */
void ox_text_quoted(ox_text *out, const char *data, size_t len);

#endif
