/* YAML documents as plain trees with positions. Anchors, aliases, tags, duplicate keys, two documents, nesting beyond 64,
 * files beyond 1 MiB are errors: OX_CONFIG with file:line:column. Only here libyaml is seen. */
#ifndef OX_YAML_H
#define OX_YAML_H

#include "base/base.h"

typedef enum ox_yaml_kind { OX_Y_NULL, OX_Y_SCALAR, OX_Y_LIST, OX_Y_MAP } ox_yaml_kind;
typedef struct ox_yaml {
    ox_yaml_kind kind;
    int line, column;          /* from 1; columns count characters */
    const char *text;          /* scalar */
    bool quoted;               /* a quoted or block scalar is never a number, a bool or null */
    const char *block;         /* a literal block ("|"): its lines as they stand in the text that was parsed; else NULL */
    size_t block_len;
    int block_line;            /* where they begin */
    struct ox_yaml *items;     /* list: elements; map: values */
    const char **keys;         /* map */
    struct ox_yaml *key_marks; /* map: positions of the keys */
    size_t n;
} ox_yaml;

/* Parses TEXT (file name for messages) into a tree in ARENA; NULL after ox_fail(). */
const ox_yaml *ox_yaml_parse(ox_ctx *ctx, ox_arena *arena, const char *text, size_t len, const char *file);
const ox_yaml *ox_yaml_get(const ox_yaml *map, const char *key); /* NULL when not there */
/* Conversions; -1 after ox_fail with position and `what`. Sizes take B, KiB, MiB, GiB, K, M, G. */
int ox_yaml_int(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, int64_t min, int64_t max, int64_t *out);
int ox_yaml_double(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, double *out);
int ox_yaml_bool(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, bool *out);
int ox_yaml_size(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *what, uint64_t *out);
/* Error at a node: "file:line:col: text". */
int ox_yaml_fail(ox_ctx *ctx, const char *file, const ox_yaml *y, const char *format, ...) OX_PRINTF(4, 5);
/* Text of a size such as "64KiB" or "10M" (command lines use it too); false when it is none. */
bool ox_size_parse(const char *text, uint64_t *out);

#endif
