/* infer-shapes: types and shapes of every value, symbolic dimensions as expressions.
 *
 *   before  agraph (float[N,3] x) => (float[N,M] y) { s = Shape(x)  y = Reshape(x, s) }
 *   after   the same with  <int64[2] s>  written as value_info and y: float[N,3]
 */
#include "passes/pass.h"

/* Outputs have their types in their own list. */
static int list_values(ox_graph *g, void *user) {
    int *listed = user;
    for (ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) {
            ox_value *v = n->out[i];
            if (v && v->type && !v->listed && !ox_is_graph_output(v)) {
                v->listed = true;
                ++*listed;
            }
        }
    return 0;
}

/* Outputs: what is declared of them, and what is known better. */
static int list_outputs(ox_graph *g, void *user) {
    int *listed = user;
    ox_map given;
    ox_map_init(&given, g->model->arena);
    ox_model_given_sizes(g->model, &given);
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        const ox_value *v = g->ret->in[i].v;
        if (!v || !v->type) continue;
        const ox_type *t = ox_type_plain(g->model->arena, ox_type_settle(g->model->arena, v->type, g->out_types[i], &given, NULL));
        if (ox_type_equal(t, g->out_types[i])) continue;
        g->out_types[i] = t;
        ++*listed;
    }
    return 0;
}

static int run(ox_pass_run *r) {
    ox_infer_options o = {.strict = ox_option_bool(r, "strict"), .run_constants = true};
    if (ox_infer_model(r->m, &o) < 0) return -1;
    int listed = 0;
    if (ox_option_bool(r, "write")) {
        ox_each_graph(r->m, list_values, &listed);
        ox_each_graph(r->m, list_outputs, &listed);
    }
    if (listed) r->m->changed = true;
    return listed;
}

static const ox_option options[] = {
    {"write", OX_O_BOOL, "true", "write the shapes into the model (value_info)"},
    {"strict", OX_O_BOOL, "false", "a declared shape that contradicts what is inferred is an error"},
    {0},
};

const ox_pass ox_pass_infer_shapes = {
    .name = "infer-shapes",
    .doc = "infer types and shapes of all values, with symbolic dimensions",
    .help = "Walks bodies and local functions. Dimensions are expressions over the model's own symbols; integer tensors of up to\n"
            "1024 elements carry one expression per element, so that shapes computed in the graph are understood. What the file\n"
            "declares stays where nothing better is known, but proves nothing: it may be of a time when the inputs had other sizes.",
    .options = options,
    .run = run,
};
