/* infer-shapes: types and shapes of every value, symbolic dimensions as expressions.
 *
 *   before  agraph (float[N,3] x) => (float[N,M] y) { s = Shape(x)  y = Reshape(x, s) }
 *   after   the same with  <int64[2] s>  written as value_info and y: float[N,3]
 */
#include "passes/pass.h"

typedef struct lister {
    ox_arena *scratch;
    ox_map given; /* nameless sizes of the model's inputs */
    int listed;
} lister;

/* Outputs have their types in their own list. */
static int list_values(ox_graph *g, void *user) {
    lister *l = user;
    for (ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) {
            ox_value *v = n->out[i];
            if (v && v->type && !v->listed && !ox_is_graph_output(v)) {
                v->listed = true;
                l->listed++;
            }
        }
    return 0;
}

/* Outputs: what is declared of them, and what is known better. */
static int list_outputs(ox_graph *g, void *user) {
    lister *l = user;
    for (uint32_t i = 0; i < g->ret->n_in; i++) {
        const ox_value *v = g->ret->in[i].v;
        if (!v || !v->type) continue;
        const ox_type *t = ox_type_plain(l->scratch, ox_type_settle(l->scratch, v->type, g->out_types[i], &l->given, NULL));
        if (ox_type_equal(t, g->out_types[i])) continue;
        g->out_types[i] = ox_type_copy(g->model->arena, t);
        l->listed++;
    }
    return 0;
}

static int run(ox_pass_run *r) {
    ox_infer_options o = {.strict = ox_option_bool(r, "strict"), .run_constants = true};
    if (ox_infer_model(r->m, &o) < 0) return -1;
    if (!ox_option_bool(r, "write")) return 0;
    lister l = {.scratch = r->arena};
    ox_map_init(&l.given, r->arena);
    ox_model_given_sizes(r->m, &l.given);
    ox_each_graph(r->m, list_values, &l);
    ox_each_graph(r->m, list_outputs, &l);
    if (l.listed) r->m->changed = true;
    return l.listed;
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
