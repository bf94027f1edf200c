/* Text in tensors: UTF-8, letter case, regular expressions. */
#ifndef OX_OP_TEXT_H
#define OX_OP_TEXT_H

#include "op/op.h"

/* The code point at *at, which moves behind it; bytes that are no UTF-8 count as U+FFFD one by one. */
uint32_t ox_text_next(const char *text, size_t len, size_t *at);
size_t ox_text_put(char *out, uint32_t c); /* at most 4 bytes */
uint32_t ox_text_lower(uint32_t c);
uint32_t ox_text_upper(uint32_t c);

/* Regular expressions in the syntax of RE2 without Unicode properties. Matching takes time proportional to text times
 * pattern. */
typedef struct ox_regex ox_regex;
ox_regex *ox_regex_compile(ox_ctx *ctx, ox_arena *arena, const char *pattern, size_t len); /* NULL after ox_fail */
bool ox_regex_full_match(const ox_regex *re, const char *text, size_t len);
/* The longest match that begins at FROM: where it ends; false when there is none. */
bool ox_regex_longest(const ox_regex *re, const char *text, size_t len, size_t from, size_t *end);

/* tfidf.c */
int ox_infer_tfidf(ox_call *c);
int ox_run_tfidf(ox_run *r);

#endif
