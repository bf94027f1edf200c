/* Control flow: operators that hold bodies. */
#include "op/op.h"

OX_FAMILY(control, "",
    OP("If", 25,
       "<else_branch: graph, then_branch: graph>(B cond) => (V..~ outputs) V: any|fp8|int4s|int2s|"
       "bfloat16|float4e2m1|float8e8m0|optional(seq(any|bfloat16))|optional(any|fp8|int4s|int2s|"
       "bfloat16|float4e2m1|float8e8m0)|seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float8e8m0), B: bool",
       .flags = OX_CONTROL),
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
       .flags = OX_CONTROL),
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
       .flags = OX_CONTROL),
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
       "initial_state_and_scan_inputs) => (V..~ final_state_and_scan_outputs) I: int64, V: any"),
    OP("SequenceMap", 17,
       "<body: graph>(S input_sequence, V..~0 additional_inputs) => (S..~ out_sequence) S: seq(any), V: "
       "any|seq(any)",
       .flags = OX_CONTROL));
