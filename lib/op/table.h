/* What the files of the operator table share: the rows of a context. Not for families, kernels or passes. */
#ifndef OX_OP_TABLE_H
#define OX_OP_TABLE_H

#include "op/op.h"

typedef struct ox_op_row ox_op_row;

/* A row of the table: what a family file says, and where it stands among the versions of its operator. */
struct ox_op_row {
    ox_op op; /* first: a row of the table is found again from the ox_op that others hold */
    const char *domain;
    ox_op_row *newer, *older, *newest;
    ox_signature *signature; /* NULL until asked for */
};

static inline ox_op_row *ox_row(const ox_op *op) { return (ox_op_row *)(uintptr_t)op; }

/* Parses the text of a row; NULL after ox_fail (a fault of the table). */
ox_signature *ox_signature_parse(ox_ctx *ctx, const char *text, const char *name);

/* A call in which references to attributes of a function take their values from CALLER (NULL: they are refused). */
int ox_call_init_bound(ox_call *c, ox_ctx *ctx, ox_arena *arena, const ox_node *n, const ox_call *caller,
                       const ox_function *f);

#endif
