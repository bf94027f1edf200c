/* What the files of lib/ir share. Not for others. */
#ifndef OX_IR_PRIVATE_H
#define OX_IR_PRIVATE_H

#include "ir/ir.h"

/* ---- graph.c */
/* "" for NULL and "ai.onnx", else the domain. */
ox_sym ox_domain(ox_ctx *ctx, ox_sym domain);
/* Arrays of nodes and graphs have room for the next power of two of their count: they grow without a capacity field. */
void *ox_grown(ox_arena *arena, void *items, size_t n, size_t item_size);
void ox_use_link(ox_use *u, ox_value *v);
void ox_use_unlink(ox_use *u);
ox_value *ox_value_new(ox_graph *g, ox_sym name);
void ox_init_link(ox_value *v);    /* puts v in its graph's list of initializers */
void ox_graph_release(ox_graph *body);          /* takes the operands from every node of a body that goes away */
void ox_attr_released(ox_node *n, ox_attr *a);  /* before an attribute of n goes away or is replaced */

void ox_graph_import(ox_graph *g, ox_sym domain, int64_t version); /* into the imports that g goes by */

/* ---- names.c */
void ox_name_used(ox_model *m, ox_sym name);

/* ---- attr.c */
ox_sparse *ox_sparse_copy(ox_model *m, const ox_sparse *s);

/* ---- copy.c */
typedef struct ox_copy {
    ox_model *to;
    ox_map *map;                /* value to its copy */
    const ox_binding *bind;     /* NULL: references to formal attributes stay */
    ox_map *functions;          /* copying a model: function to its copy; NULL: callees stay */
    const char *prefix;         /* put before the names of nodes with a slash; NULL: none */
    const char *from;           /* who makes the nodes, NULL: as in the original */
    bool keep_names, keep_types;
    uint64_t nodes, limit;      /* made so far, and allowed (0: any number) */
    const ox_graph *root;       /* what is copied */
} ox_copy;
/* Copies initializers and nodes of `from` into g, before `before`. */
int ox_copy_nodes(ox_copy *c, ox_graph *from, ox_graph *g, ox_node *before);

#endif
