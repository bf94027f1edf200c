/* Loop, Scan and SequenceMap: bodies run again and again. Rows are in control.c.
 *
 * Shape rules. A state has in every iteration the type that its initial value has and the body gives back. So the
 * body is inferred with the initial types; where a dim comes back otherwise it becomes a new symbol of the body,
 * which stands for the size in one iteration, and the body is inferred again until nothing changes. Outside, such a
 * dim gets another new symbol. Kernels. What a run holds is in lists that are released whatever happens. */
#include "op/mover.h"

#include <string.h>

enum { MAX_ROUNDS = 6 }; /* then what still changes loses its rank */

/* ------------------------------------------------------------------------------------------------ types of bodies */

static ox_graph *body_of(ox_call *c, size_t n_in, size_t min_out) {
    const ox_attr *a = ox_get_attr(c, "body");
    if (!a || a->type != OX_A_GRAPH || !a->g) {
        ox_fail(c->ctx, OX_BAD_DATA, "attribute body is missing");
        return NULL;
    }
    if (a->g->n_inputs == n_in && a->g->ret->n_in >= min_out) return a->g;
    ox_fail(c->ctx, OX_BAD_DATA, "body has %zu inputs and %u outputs, not %zu and %zu", a->g->n_inputs, a->g->ret->n_in,
            n_in, min_out);
    return NULL;
}

static void set_input(ox_graph *g, size_t i, const ox_type *t) {
    g->inputs[i]->type = ox_type_copy(g->model->arena, t); /* those of the call do not live as long */
    g->inputs[i]->elems = NULL;
    g->inputs[i]->nelems = 0;
}

/* The type of a body's output. */
static const ox_type *body_out(const ox_graph *g, size_t i) { return g->ret->in[i].v ? g->ret->in[i].v->type : NULL; }

typedef struct state {
    const ox_type *type;
    bool *wide; /* dim k is a symbol of the body */
} state;

typedef struct symbol_set {
    ox_map seen;
    bool hit;
} symbol_set;

static bool ask_symbol(void *user, ox_dim symbol, int64_t *v) {
    symbol_set *s = user;
    s->hit |= ox_map_has(&s->seen, symbol);
    *v = 7919; /* any size */
    return true;
}

/* Whether a dim is the same in all iterations: it holds none of the body's own symbols. */
static bool steady(symbol_set *s, ox_dim d) {
    int64_t v;
    s->hit = false;
    return d && ox_dim_eval(d, ask_symbol, s, &v) && !s->hit;
}

/* One state after a round: what changed becomes wide. -1 after ox_fail. */
static int settle(ox_call *c, state *s, const ox_type *got, bool last, symbol_set *symbols, bool *changed) {
    const ox_type *t = s->type;
    if (!t) return 0;
    if (!got || t->kind != got->kind || t->kind != OX_K_TENSOR) {
        const ox_type *j = got ? ox_type_join(c->arena, t, got) : NULL;
        if (j && ox_type_equal(j, t)) return 0;
        *changed = true;
        s->type = j;
        return 0;
    }
    if (t->dtype && got->dtype && t->dtype != got->dtype)
        return ox_fail(c->ctx, OX_BAD_DATA, "a state is %s and comes back as %s", ox_dtype_name(t->dtype),
                       ox_dtype_name(got->dtype));
    if (t->rank < 0) return 0;
    if (got->rank != t->rank || last) {
        bool same = got->rank == t->rank;
        for (int i = 0; i < t->rank && same; i++) same = s->wide[i] || (t->dims[i] && t->dims[i] == got->dims[i]);
        if (same) return 0;
        *changed = true;
        s->type = ox_type_tensor(c->arena, t->dtype, -1, NULL);
        return 0;
    }
    ox_type *to = NULL;
    for (int i = 0; i < t->rank; i++) {
        if (s->wide[i] || (t->dims[i] && t->dims[i] == got->dims[i])) continue;
        if (!to) to = ox_type_tensor(c->arena, t->dtype, t->rank, t->dims);
        s->wide[i] = *changed = true;
        to->dims[i] = ox_dim_fresh(c->ctx);
        ox_map_put(&symbols->seen, to->dims[i], to);
    }
    if (to) s->type = to;
    return 0;
}

/* Infers the body until its n states (inputs from `in` on, outputs from `out` on) no longer change. */
static int fixpoint(ox_call *c, ox_graph *g, state *s, int n, size_t in, size_t out, symbol_set *symbols) {
    ox_map_init(&symbols->seen, c->arena);
    for (int i = 0; i < n; i++)
        s[i].wide = OX_NEW_N(c->arena, bool, s[i].type &&s[i].type->rank > 0 ? s[i].type->rank : 1);
    for (int round = 0;; round++) {
        bool changed = false;
        for (int i = 0; i < n; i++) set_input(g, in + (size_t)i, s[i].type);
        if (c->infer_body && c->infer_body(c, g)) return -1;
        for (int i = 0; i < n; i++)
            if (settle(c, &s[i], body_out(g, out + (size_t)i), round >= MAX_ROUNDS, symbols, &changed)) return -1;
        if (!changed || round > MAX_ROUNDS + n) return 0;
    }
}

/* A state's type after the last iteration. */
static void out_state(ox_call *c, int i, const state *s) {
    const ox_type *t = s->type;
    if (!ox_type_is_tensor(t) || t->rank < 0) {
        ox_out_type(c, i, t);
        return;
    }
    ox_type *to = ox_type_tensor(c->arena, t->dtype, t->rank, t->dims);
    for (int k = 0; k < t->rank; k++)
        if (s->wide[k]) to->dims[k] = ox_dim_fresh(c->ctx);
    ox_out_type(c, i, to);
}

/* The type of stacked values of type t: a new axis of size n. */
static int out_stacked(ox_call *c, int i, const ox_type *t, int64_t axis, ox_dim n, symbol_set *symbols) {
    if (t && !ox_type_is_tensor(t)) return ox_fail(c->ctx, OX_BAD_DATA, "scan output %d is no tensor", i);
    if (!t) return 0;
    ox_dim *dims = ox_mv_no_dims(c, t->rank + 1);
    if (t->rank >= 0 && (axis = ox_axis(c, axis, t->rank + 1, "axis")) < 0) return -1;
    for (int k = 0; k <= t->rank; k++) {
        ox_dim d = k == axis ? n : t->dims[k - (k > axis)];
        dims[k] = k == axis || steady(symbols, d) ? d : NULL;
    }
    ox_out_tensor(c, i, t->dtype, t->rank < 0 ? -1 : t->rank + 1, dims);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ Loop: shapes */

static int loop_states(const ox_call *c) { return c->n_in > 2 ? c->n_in - 2 : 0; }

static ox_graph *loop_body(ox_call *c) {
    int n = loop_states(c);
    size_t outs = 1 + (size_t)(c->n_out > n ? c->n_out : n);
    return body_of(c, 2 + (size_t)n, outs);
}

/* Whether the condition can never stop the loop: it is not given or true, and the body passes on true. */
static bool runs_to_the_end(ox_call *c, const ox_graph *g) {
    int64_t n, v;
    const int64_t *first = ox_arg_given(c, 1) ? ox_in_ints(c, 1, &n) : NULL;
    const ox_value *cond = g->ret->in[0].v;
    if (ox_arg_given(c, 1) && !(first && n == 1 && first[0])) return false;
    while (cond && cond != g->inputs[1] && ox_is(cond->def, "Identity")) cond = ox_node_in(cond->def, 0);
    if (!cond || cond == g->inputs[1]) return cond != NULL;
    ox_tensor *t = ox_constant(cond);
    const void *data = t && t->dtype == OX_BOOL && t->count == 1 ? ox_tensor_data(t) : NULL;
    if (data) return ox_load_int(OX_BOOL, data, 0) != 0;
    return cond->elems && cond->nelems == 1 && ox_dim_is_const(cond->elems[0], &v) && v;
}

/* The scalar inputs: as declared when that is a vector of one, which models have. */
static void set_scalar(ox_call *c, ox_graph *g, size_t i, ox_dtype t) {
    const ox_type *have = g->inputs[i]->type;
    ox_dim one = ox_dim_const(c->ctx, 1);
    bool vector = ox_type_is_tensor(have) && have->rank == 1;
    set_input(g, i, ox_type_tensor(c->arena, t, vector, &one));
}

int ox_infer_loop(ox_call *c) {
    int n = loop_states(c);
    ox_graph *g = loop_body(c);
    if (!g) return -1;
    state *s = OX_NEW_N(c->arena, state, n + 1);
    symbol_set symbols;
    set_scalar(c, g, 0, OX_INT64);
    set_scalar(c, g, 1, OX_BOOL);
    for (int i = 0; i < n; i++) s[i].type = ox_in_type(c, 2 + i);
    if (fixpoint(c, g, s, n, 2, 1, &symbols)) return -1;
    for (int i = 0; i < n; i++) out_state(c, i, &s[i]);
    if (c->n_out <= n) return 0;
    int64_t k;
    const ox_dim *trips = ox_arg_given(c, 0) ? ox_in_elems(c, 0, &k) : NULL;
    ox_dim count = trips && k == 1 && trips[0] && runs_to_the_end(c, g)
                       ? ox_dim_max(c->ctx, trips[0], ox_dim_const(c->ctx, 0))
                       : NULL;
    if (!count) count = ox_dim_fresh(c->ctx);
    for (int i = n; i < c->n_out; i++)
        if (out_stacked(c, i, body_out(g, 1 + (size_t)i), 0, count, &symbols)) return -1;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ running bodies */

/* All values that a repeated run holds; NULL entries are free. Results go to the caller, who releases what he does
 * not want. */
typedef struct held {
    ox_run *r;
    ox_graph *g;
    ox_rt *const *args; /* inputs of the whole, n_in */
    ox_rt **results;    /* outputs of the whole, n_out at most */
    int n_in, n_out;
    ox_rt **in, **out;  /* of one iteration */
    ox_rt ***lists;     /* per collected output: its value of each iteration */
    size_t *n, *cap;
    int n_lists;
    int (*run)(struct held *h);
} held;

static int held_main(void *arg) {
    held *h = arg;
    return h->run(h);
}

static void drop(ox_rt **v, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        ox_rt_unref(v[i]);
        v[i] = NULL;
    }
}

/* Runs `run` with room for inputs, outputs and lists of the body; afterwards everything held is released. */
static int hold(ox_run *r, ox_graph *g, int n_lists, ox_rt *const *args, ox_rt **results, int (*run)(held *h)) {
    held h = {.r = r, .g = g, .args = args, .results = results, .n_lists = n_lists, .run = run};
    h.n_in = (int)g->n_inputs;
    h.n_out = (int)g->ret->n_in;
    h.in = OX_NEW_N(r->arena, ox_rt *, h.n_in + 1);
    h.out = OX_NEW_N(r->arena, ox_rt *, h.n_out + 1);
    h.lists = OX_NEW_N(r->arena, ox_rt **, n_lists + 1);
    h.n = OX_NEW_N(r->arena, size_t, n_lists + 1);
    h.cap = OX_NEW_N(r->arena, size_t, n_lists + 1);
    int rc = ox_protect(r->ctx, held_main, &h);
    drop(h.in, h.n_in);
    drop(h.out, h.n_out);
    for (int i = 0; i < n_lists; i++) drop(h.lists[i], (int64_t)h.n[i]);
    return rc;
}

/* The same for the whole node, whose outputs are the results. */
static int hold_outputs(ox_run *r, ox_graph *g, int n_lists, int (*run)(held *h)) {
    int n = (int)g->ret->n_in, rc;
    ox_rt **results = OX_NEW_N(r->arena, ox_rt *, n + 1);
    rc = hold(r, g, n_lists, r->in, results, run);
    for (int i = 0; i < n && rc == 0; i++) {
        if (i >= r->call->n_out || !results[i]) continue;
        rc = ox_output_rt(r, i, results[i]);
        results[i] = NULL;
    }
    drop(results, n);
    return rc;
}

static int run_once(held *h) {
    drop(h->out, h->n_out);
    return h->r->run_body(h->r, h->g, h->in, h->n_in, h->out, h->n_out);
}

/* Moves output k of the iteration to the end of list i. */
static int collect(held *h, int i, int k) {
    if (!h->out[k]) return ox_fail(h->r->ctx, OX_BAD_DATA, "body gives no output %d", k);
    OX_PUSH(h->r->arena, h->lists[i], h->n[i], h->cap[i], h->out[k]);
    h->out[k] = NULL;
    return 0;
}

/* A stack of nothing: its shape is what is declared, 0 where that is unknown. */
static ox_tensor *empty_stack(ox_run *r, const ox_type *t, int64_t axis) {
    if (!ox_type_is_tensor(t) || !t->dtype || t->rank < 0) {
        ox_fail(r->ctx, OX_UNAVAILABLE, "no iteration, and the type of an output is not known");
        return NULL;
    }
    if ((axis = ox_axis(r->call, axis, t->rank + 1, "axis")) < 0) return NULL;
    int64_t *dims = OX_NEW_N(r->arena, int64_t, t->rank + 1);
    for (int k = 0; k <= t->rank; k++)
        if (k != axis && !ox_dim_is_const(t->dims[k - (k > axis)], &dims[k])) dims[k] = 0;
    return ox_tensor_new(r->ctx, t->dtype, t->rank + 1, dims);
}

/* List i stacked along a new axis as result `to`, of which the body's output `to + shift` is an element. */
static int stack_list(held *h, int i, int to, int shift, int64_t axis, bool reverse) {
    ox_run *r = h->r;
    size_t n = h->n[i];
    ox_tensor **parts = OX_NEW_N(r->arena, ox_tensor *, n + 1), *t = NULL;
    if (!n && !(t = empty_stack(r, body_out(h->g, (size_t)(to + shift)), axis))) return -1;
    for (size_t k = 0; k < n; k++) {
        ox_rt *v = h->lists[i][reverse ? n - 1 - k : k];
        if (v->kind != OX_RT_TENSOR) return ox_fail(r->ctx, OX_BAD_DATA, "scan output %d is no tensor", to);
        parts[k] = v->t;
    }
    if (n && ox_mv_stack(r, parts, (int64_t)n, axis, true, &t)) return -1;
    return (h->results[to] = ox_rt_tensor(r->ctx, t)) ? 0 : -1;
}

/* The body's input is the scalar V, or a vector of one where the body declares that: that of the iteration before when nobody kept it. */
static int set_scalar_input(held *h, int input, ox_dtype dtype, int64_t v) {
    ox_rt **in = &h->in[input];
    if (*in && (*in)->refs == 1 && (*in)->t->refs == 1) {
        ox_store_int(dtype, ox_tensor_mut((*in)->t), 0, v);
        return 0;
    }
    const ox_type *t = h->g->inputs[input]->type;
    ox_tensor *s = ox_tensor_new(h->r->ctx, dtype, ox_type_is_tensor(t) && t->rank == 1, &(int64_t){1});
    ox_rt_unref(*in);
    *in = NULL;
    if (!s) return -1;
    ox_store_int(dtype, ox_tensor_mut(s), 0, v);
    return (*in = ox_rt_tensor(h->r->ctx, s)) ? 0 : -1;
}

/* One number in a tensor; -1 after ox_fail. */
static int one_int(ox_run *r, const ox_rt *v, ox_dtype dtype, const char *what, int64_t *out) {
    const ox_tensor *t = v && v->kind == OX_RT_TENSOR ? v->t : NULL;
    if (!t || t->dtype != dtype || t->count != 1)
        return ox_fail(r->ctx, OX_BAD_DATA, "%s is not one %s", what, ox_dtype_name(dtype));
    const void *data = ox_tensor_data(t);
    if (!data) return -1;
    *out = ox_load_int(dtype, data, 0);
    return 0;
}

/* States for the next iteration: inputs from `in` on become outputs from `out` on. */
static void pass_states(held *h, int n, int in, int out) {
    for (int i = 0; i < n; i++) {
        ox_rt_unref(h->in[in + i]);
        h->in[in + i] = h->out[out + i];
        h->out[out + i] = NULL;
    }
}

/* ------------------------------------------------------------------------------------------------ Loop: running */

static int loop_main(held *h) {
    ox_run *r = h->r;
    int n = h->n_in - 2;
    int64_t trips = INT64_MAX, go = 1;
    if (ox_input_rt(r, 0) && one_int(r, r->in[0], OX_INT64, "M", &trips)) return -1;
    if (ox_input_rt(r, 1) && one_int(r, r->in[1], OX_BOOL, "cond", &go)) return -1;
    for (int i = 0; i < n; i++) h->in[2 + i] = ox_rt_ref(h->args[2 + i]);
    for (int64_t t = 0; t < trips && go; t++) {
        if (set_scalar_input(h, 0, OX_INT64, t) || set_scalar_input(h, 1, OX_BOOL, go)) return -1;
        if (run_once(h) || one_int(r, h->out[0], OX_BOOL, "the condition a body gives", &go)) return -1;
        pass_states(h, n, 2, 1);
        for (int i = 0; i < h->n_lists; i++)
            if (collect(h, i, 1 + n + i)) return -1;
    }
    for (int i = 0; i < n; i++) h->results[i] = ox_rt_ref(h->in[2 + i]);
    for (int i = 0; i < h->n_lists; i++)
        if (ox_want(r, n + i) && stack_list(h, i, n + i, 1, 0, false)) return -1;
    return 0;
}

int ox_run_loop(ox_run *r) {
    ox_graph *g = loop_body(r->call);
    return g ? hold_outputs(r, g, (int)g->ret->n_in - 1 - loop_states(r->call), loop_main) : -1;
}

/* ------------------------------------------------------------------------------------------------ Scan */

/* Scan-8 has a batch in front of everything and an optional input of lengths: that input goes to the end, where nobody
 * looks, and the marker says that there is a batch. */
static const char batch_marker[] = "batch of version 8";

int ox_lift_scan_8(ox_call *c) {
    if (ox_arg_given(c, 0)) return ox_fail(c->ctx, OX_UNAVAILABLE, "sequence_lens of version 8 is not served");
    int n;
    const int64_t *d = ox_get_ints(c, "directions", &n);
    if (d) ox_lift_attr_ints(c, "scan_input_directions", n, d);
    ox_lift_drop(c, "directions");
    if (c->n_in > 0) c->n_in--;
    ox_arg *in = OX_NEW_N(c->arena, ox_arg, c->n_in + 1);
    for (int i = 0; i < c->n_in; i++) in[i] = c->in[i + 1];
    c->in = in;
    ox_lift_attr_int(c, batch_marker, 1);
    return 0;
}

typedef struct scan_form {
    ox_graph *g;
    int n_state, n_scan, n_out;  /* n_out: scan outputs */
    bool batch;
    const int64_t *in_axes, *in_back, *out_axes, *out_back; /* NULL: all 0 */
} scan_form;

static int scan_list(ox_call *c, const char *name, int want, const int64_t **out) {
    int n;
    *out = ox_get_ints(c, name, &n);
    if (!*out || n == want) return 0;
    return ox_fail(c->ctx, OX_BAD_DATA, "%s has %d entries, not %d", name, n, want);
}

static int scan_read(ox_call *c, scan_form *f) {
    int64_t m = ox_get_int(c, "num_scan_inputs");
    if (m < 1 || m > c->n_in)
        return ox_fail(c->ctx, OX_BAD_DATA, "num_scan_inputs is %lld of %d inputs", (long long)m, c->n_in);
    f->n_scan = (int)m;
    f->n_state = c->n_in - (int)m;
    f->batch = ox_has(c, batch_marker);
    int outs = c->n_out > f->n_state ? c->n_out : f->n_state;
    if (!(f->g = body_of(c, (size_t)c->n_in, (size_t)outs))) return -1;
    f->n_out = (int)f->g->ret->n_in - f->n_state;
    return scan_list(c, "scan_input_axes", f->n_scan, &f->in_axes) ||
                   scan_list(c, "scan_input_directions", f->n_scan, &f->in_back) ||
                   scan_list(c, "scan_output_axes", f->n_out, &f->out_axes) ||
                   scan_list(c, "scan_output_directions", f->n_out, &f->out_back)
               ? -1
               : 0;
}

/* A type without one of its axes. */
static const ox_type *without_axis(ox_call *c, const ox_type *t, int64_t axis, ox_dim *size) {
    *size = NULL;
    if (!ox_type_is_tensor(t) || t->rank < 0) return t && t->kind != OX_K_TENSOR ? NULL : t;
    ox_dim *dims = ox_mv_no_dims(c, t->rank);
    int k = 0;
    for (int i = 0; i < t->rank; i++) {
        if (i == axis) *size = t->dims[i];
        else dims[k++] = t->dims[i];
    }
    return ox_type_tensor(c->arena, t->dtype, k, dims);
}

/* What an iteration sees of input i. */
static const ox_type *scan_part(ox_call *c, const scan_form *f, int i, ox_dim *batch, ox_dim *steps, bool *bad) {
    const ox_type *t = ox_in_type(c, i);
    ox_dim size;
    if (f->batch) {
        if (ox_type_is_tensor(t) && t->rank == 0)
            *bad = ox_fail(c->ctx, OX_BAD_DATA, "input %d has no batch axis", i) < 0;
        t = without_axis(c, t, 0, &size);
        *batch = ox_mv_same_dim(c, *batch, size, "batch", bad);
    }
    if (i < f->n_state || *bad) return t;
    int64_t axis = f->in_axes ? f->in_axes[i - f->n_state] : 0;
    if (ox_type_is_tensor(t) && t->rank >= 0 && (axis = ox_axis(c, axis, t->rank, "scan input axis")) < 0) *bad = true;
    if (*bad) return NULL;
    t = without_axis(c, t, axis, &size);
    *steps = ox_mv_same_dim(c, *steps, size, "scan inputs", bad);
    return t;
}

/* Puts the batch axis in front of an output's type again. */
static void add_batch(ox_call *c, int i, ox_dim batch) {
    const ox_type *t = i < c->n_out ? c->out_types[i] : NULL;
    if (!ox_type_is_tensor(t) || t->rank < 0) return;
    ox_dim *dims = ox_mv_no_dims(c, t->rank + 1);
    dims[0] = batch;
    for (int k = 0; k < t->rank; k++) dims[k + 1] = t->dims[k];
    ox_out_tensor(c, i, t->dtype, t->rank + 1, dims);
}

int ox_infer_scan(ox_call *c) {
    scan_form f = {0};
    ox_dim batch = NULL, steps = NULL;
    bool bad = false;
    if (scan_read(c, &f)) return -1;
    state *s = OX_NEW_N(c->arena, state, f.n_state + 1);
    for (int i = 0; i < c->n_in; i++) {
        const ox_type *t = scan_part(c, &f, i, &batch, &steps, &bad);
        if (bad) return -1;
        if (i < f.n_state) s[i].type = t;
        else set_input(f.g, (size_t)i, t);
    }
    symbol_set symbols;
    if (fixpoint(c, f.g, s, f.n_state, 0, 0, &symbols)) return -1;
    for (int i = 0; i < f.n_state && i < c->n_out; i++) out_state(c, i, &s[i]);
    for (int i = f.n_state; i < c->n_out; i++)
        if (out_stacked(c, i, body_out(f.g, (size_t)i), f.out_axes ? f.out_axes[i - f.n_state] : 0, steps, &symbols))
            return -1;
    for (int i = 0; i < c->n_out && f.batch; i++) add_batch(c, i, batch);
    return 0;
}

/* A copy of the place `at` on an axis of t, without that axis; NULL after ox_fail. */
static ox_tensor *take(ox_run *r, const ox_tensor *t, int64_t axis, int64_t at) {
    int64_t *dims = OX_NEW_N(r->arena, int64_t, 3 * ((size_t)t->rank + 1)), *ss = dims + t->rank, *ds = ss + t->rank;
    int k = 0;
    for (int i = 0; i < t->rank; i++)
        if (i != axis) dims[k++] = t->dims[i];
    ox_mv_strides(t->rank, t->dims, ss);
    ox_mv_strides(k, dims, ds);
    const char *from = ox_mv_in(r, t);
    ox_tensor *out = from ? ox_tensor_new(r->ctx, t->dtype, k, dims) : NULL;
    if (!out) return NULL;
    int64_t offset = at * ss[axis];
    for (int i = (int)axis; i < k; i++) ss[i] = ss[i + 1];
    ox_mv_out o;
    if (ox_mv_begin_tensor(r, out, &o) == 0) {
        if (out->count) ox_mv_copy(r->arena, o.size, k, dims, o.data, ds, from + offset * (int64_t)o.size, ss);
        if (ox_mv_done(r, &o) == 0) return out;
    }
    ox_tensor_unref(out);
    return NULL;
}

/* All steps over tensors t: states, then what is scanned. States end in h->in, scan outputs in the lists. */
static int scan_steps(held *h, const scan_form *f, const ox_tensor *const *t) {
    ox_run *r = h->r;
    int64_t steps = -1, *axis = OX_NEW_N(r->arena, int64_t, f->n_scan);
    const ox_tensor *const *scanned = t + f->n_state;
    for (int i = 0; i < f->n_scan; i++) {
        if ((axis[i] = ox_axis(r->call, f->in_axes ? f->in_axes[i] : 0, scanned[i]->rank, "scan input axis")) < 0)
            return -1;
        int64_t size = scanned[i]->dims[axis[i]];
        if (steps >= 0 && size != steps) return ox_fail(r->ctx, OX_BAD_DATA, "scan inputs differ in length");
        steps = size;
    }
    for (int64_t s = 0; s < steps; s++) {
        for (int i = 0; i < f->n_scan; i++) {
            ox_rt **in = &h->in[f->n_state + i];
            ox_tensor *part = take(r, scanned[i], axis[i], f->in_back && f->in_back[i] ? steps - 1 - s : s);
            ox_rt_unref(*in);
            if (!(*in = ox_rt_tensor(r->ctx, part))) return -1;
        }
        if (run_once(h)) return -1;
        pass_states(h, f->n_state, 0, 0);
        for (int i = 0; i < f->n_out; i++)
            if (collect(h, i, f->n_state + i)) return -1;
    }
    return 0;
}

static int scan_main(held *h) {
    ox_run *r = h->r;
    scan_form f = {0};
    const ox_tensor **t = OX_NEW_N(r->arena, const ox_tensor *, h->n_in + 1);
    if (scan_read(r->call, &f)) return -1;
    for (int i = 0; i < h->n_in; i++) {
        t[i] = h->args[i] && h->args[i]->kind == OX_RT_TENSOR ? h->args[i]->t : NULL;
        if (!t[i]) return ox_fail(r->ctx, OX_BAD_DATA, "input %d is no tensor", i);
    }
    for (int i = 0; i < f.n_state; i++) h->in[i] = ox_rt_ref(h->args[i]);
    if (scan_steps(h, &f, t)) return -1;
    for (int i = 0; i < f.n_state; i++) h->results[i] = ox_rt_ref(h->in[i]);
    for (int i = 0; i < f.n_out; i++) {
        int64_t axis = f.out_axes ? f.out_axes[i] : 0;
        if (stack_list(h, i, f.n_state + i, 0, axis, f.out_back && f.out_back[i])) return -1;
    }
    return 0;
}

/* Version 8: one scan for each entry of the batch, whose results are stacked. */
static int scan_batch_main(held *h) {
    ox_run *r = h->r;
    int64_t batch = -1;
    for (int i = 0; i < h->n_in; i++) {
        const ox_tensor *t = ox_input(r, i);
        if (!t || !t->rank || (batch >= 0 && t->dims[0] != batch))
            return ox_fail(r->ctx, OX_BAD_DATA, "inputs have no common batch");
        batch = t->dims[0];
    }
    for (int64_t b = 0; b < batch; b++) {
        drop(h->in, h->n_in);
        drop(h->out, h->n_out);
        for (int i = 0; i < h->n_in; i++)
            if (!(h->in[i] = ox_rt_tensor(r->ctx, take(r, ox_input(r, i), 0, b)))) return -1;
        scan_form f = {0};
        if (scan_read(r->call, &f) || hold(r, h->g, f.n_out, h->in, h->out, scan_main)) return -1;
        for (int i = 0; i < h->n_out; i++)
            if (collect(h, i, i)) return -1;
    }
    for (int i = 0; i < h->n_out; i++)
        if (stack_list(h, i, i, 0, 0, false)) return -1;
    return 0;
}

int ox_run_scan(ox_run *r) {
    scan_form f = {0};
    if (scan_read(r->call, &f)) return -1;
    return f.batch ? hold_outputs(r, f.g, (int)f.g->ret->n_in, scan_batch_main)
                   : hold_outputs(r, f.g, f.n_out, scan_main);
}

/* ------------------------------------------------------------------------------------------------ SequenceMap */

/* Types of elements hold for each of them alone: only sizes that are numbers are the same in all. */
static const ox_type *any_element(ox_call *c, const ox_type *t) {
    if (!ox_type_is_tensor(t) || t->rank < 0) return t;
    ox_type *to = ox_type_tensor(c->arena, t->dtype, t->rank, t->dims);
    for (int i = 0; i < t->rank; i++)
        if (!ox_dim_is_const(to->dims[i], NULL)) to->dims[i] = NULL;
    return to;
}

int ox_infer_sequence_map(ox_call *c) {
    ox_graph *g = body_of(c, (size_t)c->n_in, (size_t)c->n_out);
    if (!g) return -1;
    for (int i = 0; i < c->n_in; i++) {
        const ox_type *t = ox_in_type(c, i);
        set_input(g, (size_t)i, t && t->kind == OX_K_SEQUENCE ? t->elem : t);
    }
    if (c->infer_body && c->infer_body(c, g)) return -1;
    for (int i = 0; i < c->n_out; i++) {
        const ox_type *t = any_element(c, body_out(g, (size_t)i));
        if (t) ox_out_type(c, i, ox_type_of(c->arena, OX_K_SEQUENCE, t));
    }
    return 0;
}

static int sequence_map_main(held *h) {
    ox_run *r = h->r;
    int64_t n = h->args[0]->n;
    for (int64_t k = 0; k < n; k++) {
        drop(h->in, h->n_in);
        for (int i = 0; i < h->n_in; i++) {
            ox_rt *v = h->args[i];
            bool seq = v && v->kind == OX_RT_SEQUENCE;
            if (seq && v->n != n)
                return ox_fail(r->ctx, OX_BAD_DATA, "sequences of %lld and %lld", (long long)n, (long long)v->n);
            h->in[i] = ox_rt_ref(seq ? v->items[k] : v);
        }
        if (run_once(h)) return -1;
        for (int i = 0; i < h->n_out; i++)
            if (collect(h, i, i)) return -1;
    }
    for (int i = 0; i < h->n_out; i++) {
        const ox_type *t = body_out(h->g, (size_t)i);
        ox_dtype elem = h->n[i] ? h->lists[i][0]->elem : ox_type_is_tensor(t) ? t->dtype : OX_UNDEFINED;
        size_t count = h->n[i];
        h->n[i] = 0; /* the sequence takes them over */
        if (!(h->results[i] = ox_rt_sequence(r->ctx, h->lists[i], (int64_t)count, elem))) return -1;
    }
    return 0;
}

int ox_run_sequence_map(ox_run *r) {
    const ox_rt *s = ox_input_rt(r, 0);
    ox_graph *g = body_of(r->call, (size_t)r->call->n_in, (size_t)r->call->n_out);
    if (!g) return -1;
    if (!s || s->kind != OX_RT_SEQUENCE) return ox_fail(r->ctx, OX_BAD_DATA, "input_sequence is no sequence");
    return hold_outputs(r, g, (int)g->ret->n_in, sequence_map_main);
}
