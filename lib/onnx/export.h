/* Private to the export: its state. */
#ifndef OX_EXPORT_H
#define OX_EXPORT_H

#include "onnx/proto.h"

typedef struct ox_export {
    ox_ctx *ctx;
    ox_model *m;
    ox_message *msg;    /* being made */
    ox_message *source; /* of the model; NULL when it was not read */
    ox_arena *scratch;
    ox_map given;  /* nameless sizes of inputs */
    bool inferred; /* the types of outputs rest on rules of operators alone */
    bool failed;   /* an error was recorded */
} ox_export;

Onnx__GraphProto *ox_export_graph(ox_export *x, const ox_graph *g);
Onnx__NodeProto *ox_export_node(ox_export *x, const ox_node *n);
Onnx__AttributeProto *ox_export_attr(ox_export *x, const ox_attr *a);

#endif
