/* Private to the import: the state shared by import.c, attributes.c and functions.c. */
#ifndef OX_IMPORT_H
#define OX_IMPORT_H

#include "onnx/proto.h"

/* Names that a graph defines, inside those of the graphs around it. */
typedef struct ox_scope {
    const struct ox_scope *outer;
    ox_graph *graph;
    ox_map names; /* interned name to ox_value */
} ox_scope;

typedef struct ox_call_list { /* local functions that one function calls */
    ox_function **items;
    size_t n, cap;
} ox_call_list;

typedef struct ox_import {
    ox_ctx *ctx;
    ox_message *msg;
    ox_model *m;
    ox_arena *scratch;
    ox_call_list *calls;   /* per function of the model */
    ox_call_list *calling; /* of the function being read; NULL in the main graph */
} ox_import;

/* import.c */
int ox_import_graph(ox_import *im, ox_graph *g, const Onnx__GraphProto *p, const ox_scope *outer, const ox_where *w);
int ox_import_nodes(ox_import *im, ox_scope *scope, Onnx__NodeProto *const *nodes, size_t n, const ox_where *w);
int ox_import_value_infos(ox_import *im, ox_scope *scope, Onnx__ValueInfoProto *const *infos, size_t n,
                          const ox_where *w);
int ox_import_opsets(ox_import *im, Onnx__OperatorSetIdProto *const *p, size_t n, ox_opset **out, size_t *n_out,
                     const ox_where *w);
int ox_scope_add(ox_import *im, ox_scope *scope, ox_sym name, ox_value *v, const ox_where *w);
ox_value *ox_scope_find(const ox_scope *scope, ox_sym name);
/* attributes.c; scope and node may be NULL (defaults of a function's attributes) */
ox_attr *ox_import_attr(ox_import *im, const Onnx__AttributeProto *p, ox_graph *g, ox_node *node, const ox_scope *scope,
                        const ox_where *w);
/* bodies.c: after ox_check_node() */
int ox_import_check_bodies(ox_import *im, const ox_node *n, const ox_where *w);
/* functions.c */
int ox_import_function_names(ox_import *im);
int ox_import_functions(ox_import *im);

#endif
