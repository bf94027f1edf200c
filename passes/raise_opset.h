/* Private to raise_opset.c and raise_forms.c: what lifting one node needs.
 *
 * Opset imports have the new version already while nodes are lifted, so nodes made by ox_node_make() have its form; `op` of a node not
 * yet lifted is still the row of its old version. */
#ifndef OX_RAISE_OPSET_H
#define OX_RAISE_OPSET_H

#include "passes/pass.h"

typedef struct ox_raise {
    ox_pass_run *r;
    ox_ctx *ctx;
    ox_model *m;
    ox_arena *arena;    /* scratch of one node */
    int64_t version;    /* of ai.onnx to lift to */
    int changes;
} ox_raise;

/* A constant for NODE named after what it is for; takes over the reference. NULL after ox_fail(). */
ox_value *ox_raise_constant(ox_raise *s, ox_node *node, ox_tensor *t, const char *what);
/* The same in the place of OLD, operand of NODE: an initializer that nothing else uses keeps its name and gets the new data. */
ox_value *ox_raise_stand_in(ox_raise *s, ox_node *node, ox_value *old, ox_tensor *t, const char *what);
/* The number as scalar of the element type of LIKE, by CastLike where that type is not known. */
ox_value *ox_raise_scalar(ox_raise *s, ox_node *node, double v, ox_value *like, const char *what);
/* A node of one output before BEFORE (NULL: at the end of G). */
ox_node *ox_raise_node(ox_graph *g, ox_node *before, const char *op_type, uint32_t n_in, ox_value *const *in);
/* Drops a constant that has no use any more. */
void ox_raise_release(ox_value *v);

/* Before the step: what has no place in the new form and is not looked at by steps. */
int ox_raise_before(ox_raise *s, ox_node *n, const ox_op *target);
/* After it: N has the inputs and attributes of C; MARKER is an attribute of C that the standard does not know. -1 after ox_fail(). */
int ox_raise_marker(ox_raise *s, ox_node *n, ox_call *c, const char *marker);
/* Last: what one operator needs besides. OLD: the row N had. */
int ox_raise_after(ox_raise *s, ox_node *n, ox_call *c, const ox_op *old);
/* An operator of the time before version 10 that no list of operators has any more: as Mul and Add. */
int ox_raise_image_scaler(ox_raise *s, ox_node *n);

#endif
