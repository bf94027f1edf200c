/* dedupe-initializers: of initializers with the same type, shape and bits one stays; those of bodies may give way to one around them.
 *
 *   before  <float[2] a = {1, 2}, float[2] b = {1, 2}> { y = Add(x, a)  z = Mul(y, b) }
 *   after   <float[2] a = {1, 2}> { y = Add(x, a)  z = Mul(y, a) }
 *
 * Bits are compared, so 0.0 and -0.0 stay apart. Large tensors are read only where another one has the same type, shape and
 * sampled bytes. Replaceable inputs, outputs and tensors that annotations name are left alone.
 */
#include "passes/pass.h"

enum { SAMPLES = 16, SAMPLE_BYTES = 16, LARGE = 1 << 20 };

/* Of type, dims and a few stretches of the payload: cheap on weights that nobody else reads. */
static uint64_t sample_hash(const ox_tensor *t) {
    uint64_t h = ox_hash_mix(t->dtype, (uint64_t)t->rank);
    for (int i = 0; i < t->rank; i++) h = ox_hash_mix(h, (uint64_t)t->dims[i]);
    if (t->dtype == OX_STRING) return h;
    const uint8_t *p = ox_tensor_raw(t);
    if (!p) return h;
    if (t->bytes <= SAMPLES * SAMPLE_BYTES) return ox_hash(p, t->bytes, h);
    uint64_t step = (t->bytes - SAMPLE_BYTES) / (SAMPLES - 1);
    for (int i = 0; i < SAMPLES; i++) h = ox_hash(p + step * (uint64_t)i, SAMPLE_BYTES, h);
    return h;
}

static bool equal_values(const void *a, const void *b, void *user) {
    (void)user;
    return ox_tensor_equal(((const ox_value *)a)->data, ((const ox_value *)b)->data);
}

typedef struct { ox_pass_run *r; ox_set seen; int changes; uint64_t bytes; } state;

/* Initializers a body may use: those of the graphs around it, met before it because outer graphs are walked first. */
static bool visible(const ox_value *kept, const ox_graph *g) {
    return ox_graph_contains(kept->graph, g);
}

static int visit(ox_graph *g, void *user) {
    state *s = user;
    for (ox_value *v = g->first_init, *next; v; v = next) {
        next = v->next_init;
        if (!v->data || !v->nuses || !ox_constant(v) || v->is_input) continue;
        ox_value *kept = ox_set_add(&s->seen, sample_hash(v->data), v, equal_values, s);
        if (v->data->bytes >= LARGE) ox_tensor_forget(v->data);
        if (kept == v || !visible(kept, g)) continue;
        s->bytes += v->data->bytes;
        ox_replace_uses(v, kept);
        ox_graph_remove_init(v);
        s->changes++;
    }
    return 0;
}

static int run(ox_pass_run *r) {
    state s = {.r = r};
    ox_set_init(&s.seen, r->arena);
    ox_each_graph(r->m, visit, &s);
    if (s.changes) ox_pass_note(r, "%d initializers, %llu bytes", s.changes, (unsigned long long)s.bytes);
    return s.changes;
}

const ox_pass ox_pass_dedupe_initializers = {
    .name = "dedupe-initializers",
    .doc = "merge initializers with the same type, shape and bits",
    .run = run,
};
