/* freeze-defaults: an input that has an initializer as its default stops being an input: the default becomes its value for good.
 *
 *   before  agraph (float[N,3] x, float[3,4] w) => (float[N,4] y) <float[3,4] w = {...}> { y = MatMul(x, w) }
 *   after   agraph (float[N,3] x) => (float[N,4] y) <float[3,4] w = {...}> { y = MatMul(x, w) }
 *
 * Exporters of old listed every weight as an input. From IR version 4 on a caller may replace such a default, so nothing that
 * computes with it may be folded unless this pass is asked for: it changes the interface.
 */
#include "passes/pass.h"

static int run(ox_pass_run *r) {
    ox_graph *g = r->m->graph;
    int changes = 0;
    size_t kept = 0;
    if (r->m->ir_version < 4) return 0; /* there initializers are constants, and must be listed */
    for (size_t i = 0; i < g->n_inputs; i++) {
        ox_value *v = g->inputs[i];
        if (v->is_init && !ox_is_graph_output(v)) {
            v->is_input = false;
            changes++;
            continue;
        }
        v->index = (uint32_t)kept;
        g->inputs[kept++] = v;
    }
    g->n_inputs = kept;
    if (changes) r->m->changed = true;
    return changes;
}

const ox_pass ox_pass_freeze_defaults = {
    .name = "freeze-defaults",
    .doc = "inputs with a default value become constants (this changes the interface)",
    .run = run,
};
