/* Calls and bodies: that what a node gives and takes agrees in number with the function it calls or the bodies it
 * holds. Types are the shape rules' matter, except where two branches say them both. */
#include "onnx/import.h"

#include <string.h>

/* The body of a name; NULL when it is a reference or missing, which is told elsewhere. */
static const ox_graph *body_of(const ox_node *n, const char *name) {
    const ox_attr *a = ox_attr_find(n, name);
    return a && a->type == OX_A_GRAPH && !a->ref ? a->g : NULL;
}

static ox_dtype output_dtype(const ox_graph *g, uint32_t i) {
    return g->out_types[i] && g->out_types[i]->kind == OX_K_TENSOR ? g->out_types[i]->dtype : OX_UNDEFINED;
}

static int check_branch(ox_import *im, const ox_node *n, const char *name, const ox_where *w) {
    const ox_graph *g = body_of(n, name);
    if (g && g->ret->n_in != n->n_out)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "%s has %u outputs, the node %u", name, g->ret->n_in, n->n_out);
    return g && g->n_inputs
               ? ox_message_fail(im->msg, w, OX_BAD_DATA, "%s has %zu inputs, but a branch has none", name, g->n_inputs)
               : 0;
}

static int check_if(ox_import *im, const ox_node *n, const ox_where *w) {
    const ox_graph *a = body_of(n, "then_branch"), *b = body_of(n, "else_branch");
    if (check_branch(im, n, "then_branch", w) || check_branch(im, n, "else_branch", w)) return -1;
    for (uint32_t i = 0; a && b && i < n->n_out; i++) {
        ox_dtype x = output_dtype(a, i), y = output_dtype(b, i);
        if (x != y && x != OX_UNDEFINED && y != OX_UNDEFINED)
            return ox_message_fail(im->msg, w, OX_BAD_DATA, "output %u is %s in then_branch and %s in else_branch", i,
                                   ox_dtype_name(x), ox_dtype_name(y));
    }
    return 0;
}

static int check_counts(ox_import *im, const ox_graph *g, uint64_t in, uint64_t out, const ox_where *w) {
    if (g->n_inputs != in)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "the body has %zu inputs, the node needs %llu", g->n_inputs,
                               (unsigned long long)in);
    if (g->ret->n_in != out)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "the body has %u outputs, the node needs %llu", g->ret->n_in,
                               (unsigned long long)out);
    return 0;
}

/* Inputs: trip count, condition, carried values; outputs: carried values and scans. The body has iteration and
 * condition besides. */
static int check_loop(ox_import *im, const ox_node *n, const ox_where *w) {
    const ox_graph *g = body_of(n, "body");
    if (!g) return 0;
    uint32_t carried = n->n_in > 2 ? n->n_in - 2 : 0;
    if (n->n_out < carried)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "%u outputs for %u carried values", n->n_out, carried);
    return check_counts(im, g, (uint64_t)carried + 2, (uint64_t)n->n_out + 1, w);
}

/* Inputs: states and scans; the first form had the lengths of sequences in front. */
static int check_scan(ox_import *im, const ox_node *n, const ox_where *w) {
    const ox_graph *g = body_of(n, "body");
    const ox_attr *a = ox_attr_find(n, "num_scan_inputs");
    uint32_t front = ox_model_opset(im->m, n->graph, n->domain)<9, in = n->n_in> front ? n->n_in - front : 0;
    if (!a || a->ref || !g) return 0;
    if (a->i < 1 || a->i > in)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "num_scan_inputs is %lld, but there are %u inputs",
                               (long long)a->i, in);
    if (n->n_out < in - (uint32_t)a->i)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "%u outputs for %lld states", n->n_out, (long long)(in - a->i));
    return check_counts(im, g, in, n->n_out, w);
}

static int check_call(ox_import *im, const ox_node *n, const ox_where *w) {
    const Onnx__FunctionProto *f = n->callee->origin;
    if (n->n_in > f->n_input)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "%u inputs, but the function has %zu", n->n_in, f->n_input);
    if (n->n_out > f->n_output)
        return ox_message_fail(im->msg, w, OX_BAD_DATA, "%u outputs, but the function has %zu", n->n_out, f->n_output);
    return 0;
}

int ox_import_check_bodies(ox_import *im, const ox_node *n, const ox_where *w) {
    if (n->callee) return check_call(im, n, w);
    if (!n->op || n->domain[0]) return 0;
    if (!strcmp(n->op_type, "If")) return check_if(im, n, w);
    if (!strcmp(n->op_type, "Loop")) return check_loop(im, n, w);
    return strcmp(n->op_type, "Scan") ? 0 : check_scan(im, n, w);
}
