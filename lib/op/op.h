/* What operators are: one row per operator and version, in the family files beside this one.
 *
 * A row holds the signature in text; the newest row of an operator also holds its shape rule and kernel, older rows the step
 * that lifts a call to the next version's form. Shape rules, kernels, passes and rules therefore know the newest form only.
 * Adding an operator touches one family file. */
#ifndef OX_OP_H
#define OX_OP_H

#include "ir/ir.h"

typedef struct ox_call ox_call;
typedef struct ox_run ox_run;
typedef struct ox_param ox_param;

enum { /* flags of an operator */
    OX_COMMUTATIVE = 1 << 0,  /* the first two inputs may be exchanged (variadic: any) */
    OX_ASSOCIATIVE = 1 << 1,
    OX_ELEMENTWISE = 1 << 2,  /* output element i depends on input elements i only, inputs broadcast together */
    OX_RANDOM = 1 << 3,       /* another result every time: never folded, merged or moved into loops */
    OX_CONTROL = 1 << 4,      /* holds bodies */
    OX_STATEFUL = 1 << 5,     /* has effects besides its outputs: never removed, merged */
    OX_QUANT = 1 << 6,        /* Quantize/Dequantize: not folded unless asked */
    OX_MOVES_DATA = 1 << 7,   /* outputs are elements of inputs, no arithmetic */
    OX_SAME_SHAPE = 1 << 8,   /* unary: output has the shape of input 0 */
    OX_IDEMPOTENT = 1 << 9,   /* f(f(x)) = f(x) */
    OX_DEPRECATED = 1 << 10,  /* not allowed at this version and later */
    OX_TRAINS = 1 << 11       /* random when it trains: its input training_mode, before that existed its attribute is_test, says so */
};

/* Shape rule: tells types of outputs, and shape data of small integer outputs. -1 after ox_fail() when the node cannot be right
 * (axes out of range, shapes that do not fit ...). Says only what is proved. */
typedef int (*ox_infer_fn)(ox_call *c);
/* Kernel: reads inputs, makes outputs. -1 after ox_fail(); OX_UNAVAILABLE when a type or form is not served. */
typedef int (*ox_kernel_fn)(ox_run *r);
/* Rewrites the call, which has the form of this row, to the form of the next newer row. */
typedef int (*ox_lift_fn)(ox_call *c);

struct ox_op {
    const char *name;
    int since;             /* version of the domain from which this row holds */
    const char *signature; /* grammar in signature.c, e.g. "<axis: int = -1, to: int, x: ints?>(T input, int64? axes, T... more) => (T output) T: floats|bfloat16" */
    uint32_t flags;        /* of the newest row; older rows may leave it 0 and get it from there */
    ox_infer_fn infer;     /* newest row only (copied to older ones by the table) */
    ox_kernel_fn kernel;   /* newest row only */
    ox_lift_fn lift;       /* older rows whose form differs from the next row's */
};

/* One row, as in OP("Relu", 14, "(T X) => (T Y) T: floats", .infer = ox_infer_same, .kernel = run_relu). */
#define OP(name_, since_, ...) {.name = name_, .since = since_, .signature = __VA_ARGS__}
/* A family file defines one or more of these; families.def lists them. */
typedef struct ox_family { const char *domain; const ox_op *rows; size_t n; } ox_family;
#define OX_FAMILY(id, domain_, ...)                                                                          \
    static const ox_op id##_rows[] = {__VA_ARGS__};                                                          \
    extern const ox_family ox_family_##id;                                                                   \
    const ox_family ox_family_##id = {domain_, id##_rows, sizeof id##_rows / sizeof id##_rows[0]}

/* ---- the table ---- */
/* The row of an operator at a version of its domain ("" for ai.onnx); NULL when there is none. Rows come from a per-context
 * copy in which infer, kernel and flags are filled in on every row. */
const ox_op *ox_op_find(ox_ctx *ctx, const char *domain, const char *name, int64_t version);
const ox_op *ox_op_newest(ox_ctx *ctx, const ox_op *op);
const char *ox_op_domain(ox_ctx *ctx, const ox_op *op);
int64_t ox_opset_newest(const char *domain);   /* highest version known: ai.onnx 28, ai.onnx.ml 5, ...; 0 unknown domain */
int ox_each_op(ox_ctx *ctx, int (*fn)(const ox_op *op, const char *domain, void *user), void *user);
/* Sets node->op and node->callee from the model's functions and opset imports. Call after making or moving a node. */
void ox_node_resolve(ox_node *n);
/* Makes a node of the operator as the graph's opset has it: op_type of ai.onnx unless "domain::Name". NULL after ox_fail when not in the opset. */
ox_node *ox_node_make(ox_graph *g, ox_node *before, const char *op_type, uint32_t n_in, ox_value *const *in, uint32_t n_out);
/* May be computed once, merged with an equal one, dropped when unused: known, not random, not stateful, bodies pure too. */
bool ox_node_pure(const ox_node *n);
/* Whether types of its outputs follow from its inputs: a call of a local function, or an operator with a shape rule. */
static inline bool ox_node_inferable(const ox_node *n) { return n->callee || (n->op && n->op->infer); }

/* ---- signatures, parsed on first use ----
 * Attributes: "name: type" is required, "name: type?" optional, "name: type = value" has a default. Formals: "T name", "T? name" optional,
 * "T... name" variadic of one type, "T..~ name" variadic of several types, a number behind it is the least count when it is not 1. After
 * the outputs: type variables, sets joined by "|". Names of sets: ints (int8..uint64), floats (float16, float, double), numbers (both),
 * any (numbers, bool, string, complex64, complex128), complex, fp8 (the four float8), int4s, int2s; "seq(...)", "optional(...)" around a set. */
typedef struct ox_formal {
    const char *name;
    const char *type;       /* "T", "tensor(int64)", "seq(T)" ... */
    bool optional, variadic, heterogeneous;
    int min_count;          /* of a variadic */
} ox_formal;
typedef struct ox_formal_attr { const char *name; ox_attr_type type; bool required; const ox_attr *dflt; } ox_formal_attr;
typedef struct ox_type_var { const char *name; uint64_t dtypes; /* bit per ox_dtype: tensor(dtype) allowed */ bool other; /* non-tensor types too */ } ox_type_var;
typedef struct ox_signature {
    ox_formal *in, *out;
    int n_in, n_out;
    int min_in, max_in, min_out, max_out; /* max INT_MAX when variadic */
    ox_formal_attr *attrs;
    int n_attrs;
    ox_type_var *vars;
    int n_vars;
} ox_signature;
const ox_signature *ox_op_signature(ox_ctx *ctx, const ox_op *op); /* never NULL for rows of the table */
int ox_signature_input(const ox_signature *s, const char *name);   /* index or -1 */
const ox_formal_attr *ox_signature_attr(const ox_signature *s, const char *name);
/* Checks a node against its row: arity, required inputs, attributes known, present, of the right type. -1 with OX_BAD_DATA. */
int ox_check_node(const ox_node *n);
/* Puts "node 'x' (Conv): " (without a name: the name of its first output) before the text of the recorded error; returns -1. */
int ox_fail_in_node(ox_ctx *ctx, const ox_node *n);

/* ---- calls: a node lifted to the newest form ---- */
typedef struct ox_arg {
    ox_value *v;        /* the operand; NULL when absent or made by a lift */
    const ox_tensor *t; /* the constant it always is, or NULL */
} ox_arg;

struct ox_call {
    ox_ctx *ctx;
    ox_arena *arena;     /* of types and text made by the rule; scratch when running */
    const ox_node *node; /* for messages, bodies, outputs */
    const ox_op *op;     /* newest row */
    ox_arg *in;
    int n_in, n_out;
    ox_attr **attrs;
    int n_attrs;
    ox_tensor **made;    /* tensors made by lifts, released with the call */
    int n_made;
    /* results of the shape rule */
    const ox_type **out_types;
    const ox_dim **out_elems;   /* per output: expressions per element or NULL */
    int64_t *out_nelems;
    /* When an inference driver runs: how to infer a body (types of its inputs are set by the rule first). */
    int (*infer_body)(ox_call *c, ox_graph *body);
    void *driver;
    int64_t elems_max; /* private: elements of shape data that this call may deal with; 0: OX_ELEMS_MAX */
    bool failed;       /* private: a lift found no memory for a tensor */
};
/* Fills *c for a node; -1 after ox_fail (a lift refused). Node must have an op row. ox_call_done() releases made tensors. */
int ox_call_init(ox_call *c, ox_ctx *ctx, ox_arena *arena, const ox_node *n);
void ox_call_done(ox_call *c);
/* The same, lifted to the form of VERSION of the operator's domain only; c->op: the row that holds there, of another operator when
 * this one was replaced. An operator given up without a step (Scatter) keeps its last row. */
int ox_call_init_until(ox_call *c, ox_ctx *ctx, ox_arena *arena, const ox_node *n, int64_t version);
/* Whether a step rewrites calls of this row on the way to VERSION. */
bool ox_op_lifted(const ox_op *op, int64_t version);

/* Attributes by name: the node's value, else the default of the signature, else 0 / "" / NULL. */
bool ox_has(const ox_call *c, const char *name);              /* given on the node (not by default) */
int64_t ox_get_int(const ox_call *c, const char *name);
double ox_get_float(const ox_call *c, const char *name);
const char *ox_get_string(const ox_call *c, const char *name);  /* NUL-terminated in c->arena */
const int64_t *ox_get_ints(const ox_call *c, const char *name, int *n); /* NULL and n = 0 when absent */
const float *ox_get_floats(const ox_call *c, const char *name, int *n);
const ox_attr *ox_get_attr(const ox_call *c, const char *name); /* with default; NULL */

/* For lifts: */
void ox_lift_attr_int(ox_call *c, const char *name, int64_t v);          /* adds or replaces */
void ox_lift_attr_ints(ox_call *c, const char *name, int n, const int64_t *v);
void ox_lift_attr_string(ox_call *c, const char *name, const char *v);
void ox_lift_attr_float(ox_call *c, const char *name, float v);
void ox_lift_drop(ox_call *c, const char *name);
void ox_lift_set_input(ox_call *c, int i, ox_tensor *t);                 /* takes the reference; fills absent ones between */
/* The step most operators need: attribute `name` (ints, int or float(s)) becomes constant input i (int64[n], scalars of dtype). */
void ox_lift_ints_to_input(ox_call *c, const char *name, int i);
int ox_lift_consumed_inputs(ox_call *c); /* the step of many operators at 6: that attribute goes */

/* ---- for shape rules ---- */
static inline bool ox_arg_given(const ox_call *c, int i) { return i < c->n_in && (c->in[i].v || c->in[i].t); }
const ox_type *ox_in_type(const ox_call *c, int i);      /* NULL when absent or unknown; constants have a full type */
ox_dtype ox_in_dtype(const ox_call *c, int i);           /* OX_UNDEFINED when unknown */
int ox_in_rank(const ox_call *c, int i);                 /* -1 when unknown */
const ox_dim *ox_in_dims(const ox_call *c, int i);       /* NULL when rank unknown */
/* Elements of a small integer input as expressions; NULL when the count is unknown or above OX_ELEMS_MAX. Entries may be NULL. */
enum { OX_ELEMS_MAX = 1024 };
const ox_dim *ox_in_elems(const ox_call *c, int i, int64_t *n);
/* The same of a constant; NULL when it holds no integers. */
const ox_dim *ox_tensor_elems(const ox_call *c, const ox_tensor *t, int64_t *n);
/* All elements as numbers; NULL when not all are known. */
const int64_t *ox_in_ints(const ox_call *c, int i, int64_t *n);
void ox_out_type(ox_call *c, int i, const ox_type *t);
void ox_out_tensor(ox_call *c, int i, ox_dtype dtype, int rank, const ox_dim *dims); /* rank -1: unknown; dims copied */
void ox_out_elems(ox_call *c, int i, int64_t n, const ox_dim *elems);   /* copied */
/* Element type of output i as the signature ties it to types of inputs; OX_UNDEFINED when that says nothing. */
ox_dtype ox_out_dtype(const ox_call *c, int i);
int ox_infer_same(ox_call *c);       /* every output: type of input 0 */
int ox_infer_elementwise(ox_call *c); /* output 0: dtype by ox_out_dtype(), shape by broadcasting all inputs */
int ox_infer_compare(ox_call *c);    /* the same with dtype bool */
/* Multidirectional broadcast of two shapes; unknown where not provable. -1 after ox_fail when they cannot broadcast. */
int ox_broadcast_dims(ox_call *c, int ra, const ox_dim *a, int rb, const ox_dim *b, int *rank, ox_dim **dims);
int64_t ox_axis(ox_call *c, int64_t axis, int rank, const char *what); /* normalised; -1 after ox_fail when out of range */

/* ---- for kernels ---- */
/* A value at run time. */
typedef enum ox_rt_kind { OX_RT_NONE, OX_RT_TENSOR, OX_RT_SEQUENCE, OX_RT_MAP } ox_rt_kind; /* NONE: absent, an empty optional */
typedef struct ox_rt {
    _Atomic int refs;      /* see ox_count_ref() */
    ox_rt_kind kind;
    ox_tensor *t;          /* tensor; map: keys (1-D int64 or string) */
    struct ox_rt **items;  /* sequence: elements; map: one item, a sequence or tensor of values */
    int64_t n;
    ox_dtype elem;         /* element type of an empty sequence of tensors */
} ox_rt;
ox_rt *ox_rt_tensor(ox_ctx *ctx, ox_tensor *t);                       /* takes the reference */
ox_rt *ox_rt_sequence(ox_ctx *ctx, ox_rt **items, int64_t n, ox_dtype elem); /* takes the references; copies the array */
ox_rt *ox_rt_none(ox_ctx *ctx);
ox_rt *ox_rt_ref(ox_rt *v);
void ox_rt_unref(ox_rt *v);

/* One of several ways to compute an operator. */
typedef struct ox_candidate {
    const char *name;   /* stable, since caches of measured times keep it: letters, digits, '-'. Lives as long as the kernel's state */
    uint64_t workspace; /* bytes of scratch memory */
} ox_candidate;
enum { OX_CANDIDATES = 24 }; /* at most */

/* Where outputs and scratch memory of a kernel come from, when not from the allocator: the frame's plan. */
typedef struct ox_run_memory {
    /* Each: false: not planned, allocate. True: *v has the value for output i, NULL after ox_fail().
     * over: bit k: input k may be written over while it is read, element by element. */
    bool (*output)(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims, uint32_t over, ox_rt **v);
    /* The payload of tensor IN under other dims. */
    bool (*share)(ox_run *r, int i, const ox_tensor *in, ox_dtype dtype, int rank, const int64_t *dims, ox_rt **v);
    void *(*scratch)(ox_run *r, uint64_t bytes); /* NULL: allocate */
    /* The number of the one to take, and memory for it (NULL: allocate); -1 after ox_fail(). */
    int (*choose)(ox_run *r, const ox_candidate *list, int n, void **workspace);
} ox_run_memory;

/* What a kernel keeps between runs of the same node in a frame, such as packed weights. Made by the kernel from fixed inputs only. */
typedef struct ox_kept {
    uint32_t fixed;             /* bit i: input i is the same in every run */
    void *data;                 /* NULL at first */
    void (*free)(void *data);   /* set with data; called when the frame goes */
} ox_kept;

struct ox_run {
    ox_ctx *ctx;
    ox_call *call;       /* attributes, node; its in[] tell constants only */
    ox_rt **in;          /* n_in of the call; NULL where absent. Tensors have aligned data. */
    ox_rt **out;         /* filled by the kernel: references that go to the caller */
    ox_arena *arena;     /* scratch, reset by the frame after the kernel */
    /* runs a body of the node: captures are bound by the frame */
    int (*run_body)(ox_run *r, ox_graph *body, ox_rt **in, int n_in, ox_rt **out, int n_out);
    void *frame;
    const ox_run_memory *memory; /* NULL: the allocator */
    ox_kept *kept;       /* NULL: this runs once */
    int (*instead)(ox_run *r); /* of the frame: runs instead of the kernel; it reads in[] beyond the call's inputs */
    void *step, *state;        /* private to the frame */
    void *scratch;       /* private to run.c: NULL at the start */
    bool tunes;          /* candidates may be measured: what they are made of stays */
    bool once;           /* what is asked for now is for making something that is kept: no later run will ask for it */
};
/* Calls the kernel of r->call->op. In any case scratch is released; after a failure no output is left and -1 is returned. Kernels
 * are never called another way. */
int ox_run_kernel(ox_run *r);
const ox_tensor *ox_input(const ox_run *r, int i);        /* NULL when absent or no tensor */
const ox_rt *ox_input_rt(const ox_run *r, int i);
static inline bool ox_want(const ox_run *r, int i) { return i < r->call->n_out; } /* output asked for (a position within n_out) */
/* A tensor for output i (uninitialized payload, strings empty); NULL after ox_fail. */
ox_tensor *ox_output(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims);
/* The same, for a kernel that reads element k of the inputs in OVER (bit i: input i) before it writes element k of the output: the output may
 * be the memory of one of them whose last use this is. Their shapes and element sizes need not be looked at before. */
ox_tensor *ox_output_over(ox_run *r, int i, uint32_t over, ox_dtype dtype, int rank, const int64_t *dims);
int ox_output_share(ox_run *r, int i, const ox_tensor *in, int rank, const int64_t *dims); /* output = the input's payload under dims */
int ox_output_rt(ox_run *r, int i, ox_rt *v);                /* takes the reference; NULL: -1 */
void *ox_scratch(ox_run *r, uint64_t bytes);              /* until the kernel returns; 64-aligned; NULL after ox_fail */
/* Which of N candidates to take. LIST is in the order of preference when nobody has measured; limits, budgets and measured times are the
 * frame's matter. *WORKSPACE: the memory for it, NULL when it needs none. Once per run at most, by kernels whose outputs lie over no input. -1 after ox_fail(). */
int ox_choose(ox_run *r, const ox_candidate *list, int n, void **workspace);
/* All elements of an integer input; NULL (after ox_fail) when it is not one. n may be NULL. */
const int64_t *ox_run_ints(ox_run *r, int i, int64_t *n);
const int64_t *ox_run_list(ox_run *r, int i, int64_t *n); /* the same for axes, sizes and the like, which have one dimension at most */
int ox_kernel_no_type(ox_run *r, ox_dtype t);             /* ox_fail(OX_UNAVAILABLE) naming operator and type; -1 */

/* ---- evaluating one operator on constants ---- */
/* Runs the kernel of a call whose inputs are given; out[] receives c->n_out references. */
int ox_eval_call(ox_call *c, ox_rt **in, ox_rt **out);
/* The same for an operator by name with newest semantics and no node: for rules and shape inference. attrs may be NULL. */
int ox_eval_op(ox_ctx *ctx, ox_arena *arena, const char *op_type, ox_attr *const *attrs, int n_attrs, ox_tensor *const *in, int n_in,
               ox_tensor **out, int n_out);

/* ---- type and shape inference over a model ---- */
typedef struct ox_infer_options {
    bool strict;          /* declared types that contradict what is inferred are errors, not warnings */
    bool run_constants;   /* small constant sub-expressions are evaluated for shape data (default in passes) */
} ox_infer_options;
/* Sets type, elems of every value of every graph (functions: where called). Facts already there are kept when stronger. -1 when a
 * node cannot be right. Cost linear in the model. */
int ox_infer_model(ox_model *m, const ox_infer_options *options);
/* For passes that made nodes: infers the nodes of a list in order, without the rest. */
int ox_infer_node(ox_node *n);

#endif
