/* If: one of two bodies. Loop, Scan and SequenceMap have their code in repeat.c. */
#include "op/mover.h"

/* A branch: the attribute's graph; NULL after ox_fail. */
static ox_graph *branch(ox_call *c, const char *name) {
    const ox_attr *a = ox_get_attr(c, name);
    if (!a || a->type != OX_A_GRAPH || !a->g) {
        ox_fail(c->ctx, OX_BAD_DATA, "attribute %s is missing", name);
        return NULL;
    }
    if (a->g->n_inputs || a->g->ret->n_in < (uint32_t)c->n_out) {
        ox_fail(c->ctx, OX_BAD_DATA, "%s has %zu inputs and %u outputs for a node of %d outputs", name, a->g->n_inputs,
                a->g->ret->n_in, c->n_out);
        return NULL;
    }
    return a->g;
}

/* The elements of what a branch gives back, which may be an initializer; NULL when they are not known. */
static const ox_dim *known_elems(ox_call *c, const ox_value *v, int64_t *n) {
    *n = v ? v->nelems : 0;
    if (!v || v->elems) return v ? v->elems : NULL;
    const ox_tensor *t = ox_constant(v);
    return t ? ox_tensor_elems(c, t, n) : NULL;
}

/* What both branches say of an output; -1 after ox_fail when they cannot both be right. */
static int join_output(ox_call *c, int i, const ox_value *a, const ox_value *b) {
    const ox_type *x = a ? a->type : NULL, *y = b ? b->type : NULL;
    if (ox_type_is_tensor(x) && ox_type_is_tensor(y) && x->dtype && y->dtype && x->dtype != y->dtype)
        return ox_fail(c->ctx, OX_BAD_DATA, "else_branch: output %d is %s, then_branch gives %s", i,
                       ox_dtype_name(y->dtype), ox_dtype_name(x->dtype));
    if (x && y) ox_out_type(c, i, ox_type_join(c->arena, x, y));
    int64_t na, nb;
    const ox_dim *ea = known_elems(c, a, &na), *eb = known_elems(c, b, &nb);
    if (!ea || !eb || na != nb) return 0;
    ox_dim *e = OX_NEW_N(c->arena, ox_dim, na + 1);
    for (int64_t k = 0; k < na; k++) e[k] = ea[k] == eb[k] ? ea[k] : NULL;
    ox_out_elems(c, i, na, e);
    return 0;
}

static int infer_if(ox_call *c) {
    ox_graph *yes = branch(c, "then_branch"), *no = yes ? branch(c, "else_branch") : NULL;
    int64_t n;
    if (!no) return -1;
    if (c->infer_body && (c->infer_body(c, yes) || c->infer_body(c, no))) return -1;
    const int64_t *cond = ox_in_ints(c, 0, &n);
    for (int i = 0; i < c->n_out; i++) {
        const ox_value *a = yes->ret->in[i].v, *b = no->ret->in[i].v,
                       *taken = cond && n == 1 ? (cond[0] ? a : b) : NULL;
        if (!taken) {
            if (join_output(c, i, a, b)) return -1;
            continue;
        }
        ox_out_type(c, i, taken->type);
        int64_t count;
        const ox_dim *e = known_elems(c, taken, &count);
        if (e) ox_out_elems(c, i, count, e);
    }
    return 0;
}

static int run_if(ox_run *r) {
    const ox_tensor *cond = ox_input(r, 0);
    if (!cond || cond->dtype != OX_BOOL || cond->count != 1)
        return ox_fail(r->ctx, OX_BAD_DATA, "cond is not one bool");
    const uint8_t *yes = ox_tensor_data(cond);
    if (!yes) return -1;
    ox_graph *g = branch(r->call, *yes ? "then_branch" : "else_branch");
    if (!g) return -1;
    int n = (int)g->ret->n_in;
    ox_rt **out = OX_NEW_N(r->arena, ox_rt *, n + 1);
    if (r->run_body(r, g, NULL, 0, out, n)) return -1;
    int rc = 0;
    for (int i = 0; i < n; i++) {
        if (i < r->call->n_out && rc == 0) rc = ox_output_rt(r, i, out[i]);
        else ox_rt_unref(out[i]);
    }
    return rc;
}

OX_FAMILY(control, "",
    OP("If", 25,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|fp8|int4s|int2s|"
       "bfloat16|float4e2m1|float8e8m0|optional(seq(any|bfloat16))|optional(any|fp8|int4s|int2s|"
       "bfloat16|float4e2m1|float8e8m0)|seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0), B: bool",
       .flags = OX_CONTROL, .infer = infer_if, .kernel = run_if),
    OP("If", 24,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|fp8|int4s|bfloat16|"
       "float4e2m1|float8e8m0|optional(seq(any|bfloat16))|optional(any|fp8|int4s|bfloat16|float4e2m1|"
       "float8e8m0)|seq(any|fp8|int4s|bfloat16|float4e2m1|float8e8m0), B: bool"),
    OP("If", 23,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|fp8|int4s|bfloat16|"
       "float4e2m1|optional(seq(any|bfloat16))|optional(any|fp8|int4s|bfloat16|float4e2m1)|seq(any|fp8|"
       "int4s|bfloat16|float4e2m1), B: bool"),
    OP("If", 21,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|fp8|int4s|bfloat16|"
       "optional(seq(any|bfloat16))|optional(any|fp8|int4s|bfloat16)|seq(any|fp8|int4s|bfloat16), B: "
       "bool"),
    OP("If", 19,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|fp8|bfloat16|"
       "optional(seq(any|bfloat16))|optional(any|fp8|bfloat16)|seq(any|fp8|bfloat16), B: bool"),
    OP("If", 16,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|bfloat16|"
       "optional(seq(any|bfloat16))|optional(any|bfloat16)|seq(any|bfloat16), B: bool"),
    OP("If", 13,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|seq(any), B: bool"),
    OP("If", 11,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any, B: bool"),
    OP("If", 1,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any, B: bool"),
    OP("Loop", 25,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any|fp8|"
       "int4s|int2s|bfloat16|float4e2m1|float8e8m0|optional(seq(any|bfloat16))|optional(any|fp8|int4s|"
       "int2s|bfloat16|float4e2m1|float8e8m0)|seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0), "
       "I: int64, B: bool",
       .flags = OX_CONTROL, .infer = ox_infer_loop, .kernel = ox_run_loop),
    OP("Loop", 24,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any|fp8|"
       "int4s|bfloat16|float4e2m1|float8e8m0|optional(seq(any|bfloat16))|optional(any|fp8|int4s|"
       "bfloat16|float4e2m1|float8e8m0)|seq(any|fp8|int4s|bfloat16|float4e2m1|float8e8m0), I: int64, B: "
       "bool"),
    OP("Loop", 23,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any|fp8|"
       "int4s|bfloat16|float4e2m1|optional(seq(any|bfloat16))|optional(any|fp8|int4s|bfloat16|"
       "float4e2m1)|seq(any|fp8|int4s|bfloat16|float4e2m1), I: int64, B: bool"),
    OP("Loop", 21,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any|fp8|"
       "int4s|bfloat16|optional(seq(any|bfloat16))|optional(any|fp8|int4s|bfloat16)|seq(any|fp8|int4s|"
       "bfloat16), I: int64, B: bool"),
    OP("Loop", 19,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any|fp8|"
       "bfloat16|optional(seq(any|bfloat16))|optional(any|fp8|bfloat16)|seq(any|fp8|bfloat16), I: "
       "int64, B: bool"),
    OP("Loop", 16,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any|"
       "bfloat16|optional(seq(any|bfloat16))|optional(any|bfloat16)|seq(any|bfloat16), I: int64, B: bool"),
    OP("Loop", 13,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any|"
       "seq(any), I: int64, B: bool"),
    OP("Loop", 11,
       "<body: graph>(I? M, B? cond, V..~0 v_initial) => (V..~ v_final_and_scan_outputs) V: any, I: "
       "int64, B: bool"),
    OP("Loop", 1,
       "<body: graph>(I? M, B? cond, V..~ v_initial) => (V..~ v_final_and_scan_outputs) V: any, I: "
       "int64, B: bool"),
    OP("Scan", 25,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0",
       .flags = OX_CONTROL, .infer = ox_infer_scan, .kernel = ox_run_scan),
    OP("Scan", 24,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any|fp8|int4s|bfloat16|float4e2m1|float8e8m0"),
    OP("Scan", 23,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any|fp8|int4s|bfloat16|float4e2m1"),
    OP("Scan", 21,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any|fp8|int4s|bfloat16"),
    OP("Scan", 19,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any|fp8|bfloat16"),
    OP("Scan", 16,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any|bfloat16"),
    OP("Scan", 11,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any"),
    OP("Scan", 9,
       "<body: graph, num_scan_inputs: int, scan_input_axes: ints?, scan_input_directions: ints?, "
       "scan_output_axes: ints?, scan_output_directions: ints?>(V..~ initial_state_and_scan_inputs) => "
       "(V..~ final_state_and_scan_outputs) V: any"),
    OP("Scan", 8,
       "<body: graph, directions: ints?, num_scan_inputs: int>(I? sequence_lens, V..~ "
       "initial_state_and_scan_inputs) => (V..~ final_state_and_scan_outputs) I: int64, V: any",
       .lift = ox_lift_scan_8),
    OP("SequenceMap", 17,
       "<body: graph>(S input_sequence, V..~0 additional_inputs) => (S..~ out_sequence) S: seq(any), V: "
       "any|seq(any)",
       .flags = OX_CONTROL, .infer = ox_infer_sequence_map, .kernel = ox_run_sequence_map));
