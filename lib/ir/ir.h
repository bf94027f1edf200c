/* The model in memory: graphs of nodes and values with def and use lists.
 *
 * Invariants (checked by ox_verify()):
 *  - every use cell of a value's list is an operand of a node, and every operand that has a value is in that value's list;
 *  - a graph output is an operand of the graph's `ret` node, so it is a use like any other;
 *  - a value used by a node of a nested body belongs to that body or to a graph around it: captures are ordinary uses;
 *  - nodes stand in topological order;
 *  - names of values are unique among all that can see each other; names of graph inputs and outputs never change.
 *
 * `origin` points to the protobuf-c message something came from (NULL: new). Only lib/onnx looks inside. What the IR does
 * not own (doc strings, metadata, unknown fields, device configurations ...) is written back from there.
 */
#ifndef OX_IR_H
#define OX_IR_H

#include "base/base.h"
#include "base/file.h"

#include <stdatomic.h>

typedef struct ox_model ox_model;
typedef struct ox_graph ox_graph;
typedef struct ox_function ox_function;
typedef struct ox_node ox_node;
typedef struct ox_value ox_value;
typedef struct ox_use ox_use;
typedef struct ox_attr ox_attr;
typedef struct ox_type ox_type;
typedef struct ox_tensor ox_tensor;
typedef struct ox_sparse ox_sparse;
typedef struct ox_op ox_op; /* a row of the operator table, op/op.h */

/* ------------------------------------------------------------------------------------------------ element types */

/* The numbers of TensorProto.DataType. */
typedef enum ox_dtype {
    OX_UNDEFINED = 0, OX_FLOAT = 1, OX_UINT8, OX_INT8, OX_UINT16, OX_INT16, OX_INT32, OX_INT64, OX_STRING, OX_BOOL,
    OX_FLOAT16, OX_DOUBLE, OX_UINT32, OX_UINT64, OX_COMPLEX64, OX_COMPLEX128, OX_BFLOAT16, OX_FLOAT8E4M3FN,
    OX_FLOAT8E4M3FNUZ, OX_FLOAT8E5M2, OX_FLOAT8E5M2FNUZ, OX_UINT4, OX_INT4, OX_FLOAT4E2M1, OX_FLOAT8E8M0, OX_UINT2,
    OX_INT2, OX_DTYPE_COUNT
} ox_dtype;

const char *ox_dtype_name(ox_dtype t);                       /* "float", "int64", ... of the ONNX text syntax; "undefined" */
ox_dtype ox_dtype_from_name(const char *name, size_t len);   /* OX_UNDEFINED when unknown */
unsigned ox_dtype_bits(ox_dtype t);                          /* bits of one element; 0 for string and undefined */
static inline bool ox_dtype_packed(ox_dtype t) { return t >= OX_UINT4 && t <= OX_FLOAT4E2M1 ? true : t == OX_UINT2 || t == OX_INT2; }
bool ox_dtype_is_float(ox_dtype t);                          /* float, double, float16, bfloat16, float8*, float4 */
bool ox_dtype_is_int(ox_dtype t);                            /* signed and unsigned integers, not bool */
bool ox_dtype_is_signed(ox_dtype t);
/* Bytes of COUNT elements, sub-byte types packed, last byte padded; false when it overflows. Strings: 16 per element. */
bool ox_dtype_bytes(ox_dtype t, int64_t count, uint64_t *bytes);

/* One element as a number, for any numeric type; packed types by element index. Complex: the real part. */
double ox_load_double(ox_dtype t, const void *data, int64_t index);
int64_t ox_load_int(ox_dtype t, const void *data, int64_t index);          /* floats truncate, out of range saturates; uint64: its bits */
void ox_store_double(ox_dtype t, void *data, int64_t index, double v);     /* rounds once, to nearest even; float8 and integers saturate */
void ox_store_int(ox_dtype t, void *data, int64_t index, int64_t v);       /* wraps, as C conversions do */
/* Bulk: count elements to and from arrays of double. */
void ox_load_doubles(ox_dtype t, const void *data, int64_t count, double *out);
void ox_store_doubles(ox_dtype t, void *data, int64_t count, const double *in);
float ox_half_to_float(uint16_t h);
uint16_t ox_float_to_half(float f);    /* round to nearest even */
uint16_t ox_double_to_half(double f);  /* rounded once */
float ox_bf16_to_float(uint16_t h);
uint16_t ox_float_to_bf16(float f);
/* float8 of any of the four kinds and e8m0; `saturate` as in Cast. Codes by ONNX's tables (onnx docs, "Float stored in 8 bits"). */
float ox_fp8_to_float(ox_dtype t, uint8_t code);
uint8_t ox_float_to_fp8(ox_dtype t, float f, bool saturate);   /* e8m0: to nearest */
uint8_t ox_double_to_fp8(ox_dtype t, double v, bool saturate); /* the same, rounded once */
/* Rounding to float8e8m0, Cast's round_mode: away from zero (its default), towards zero, to nearest (ties up). */
typedef enum ox_round { OX_ROUND_UP, OX_ROUND_DOWN, OX_ROUND_NEAREST } ox_round;
uint8_t ox_double_to_e8m0(double v, ox_round round, bool saturate);

/* ------------------------------------------------------------------------------------------------ dimensions */

/* A dimension is an expression over symbols, hash-consed in the context: equal expressions are equal pointers, NULL is an
 * unknown dimension (equal to nothing, not even itself). Canonical form: an integer plus integer-weighted monomials over
 * atoms; atoms are symbols and floordiv, ceildiv, mod, min, max of expressions. Every symbol that names a dimension is >= 0. */
typedef struct ox_expr ox_expr;
typedef const ox_expr *ox_dim;

ox_dim ox_dim_const(ox_ctx *ctx, int64_t v);
ox_dim ox_dim_symbol(ox_ctx *ctx, ox_sym name);  /* a dim_param of the model */
ox_dim ox_dim_fresh(ox_ctx *ctx);                /* a new nameless symbol, different from all others */
bool ox_dim_is_const(ox_dim d, int64_t *v);      /* v may be NULL */
bool ox_dim_is(ox_dim d, int64_t v);
bool ox_dim_is_nameless(ox_dim d);               /* a single symbol made by ox_dim_fresh() */
ox_sym ox_dim_is_symbol(ox_dim d);               /* its name when it is one named symbol, else NULL */
/* Arithmetic; NULL when an operand is NULL or the result overflows. Division rounds to minus infinity (floordiv), or up. */
ox_dim ox_dim_add(ox_ctx *ctx, ox_dim a, ox_dim b);
ox_dim ox_dim_sub(ox_ctx *ctx, ox_dim a, ox_dim b);
ox_dim ox_dim_mul(ox_ctx *ctx, ox_dim a, ox_dim b);
ox_dim ox_dim_floordiv(ox_ctx *ctx, ox_dim a, ox_dim b);
ox_dim ox_dim_ceildiv(ox_ctx *ctx, ox_dim a, ox_dim b);
ox_dim ox_dim_mod(ox_ctx *ctx, ox_dim a, ox_dim b);      /* sign of the divisor */
ox_dim ox_dim_min(ox_ctx *ctx, ox_dim a, ox_dim b);
ox_dim ox_dim_max(ox_ctx *ctx, ox_dim a, ox_dim b);
ox_dim ox_dim_addi(ox_ctx *ctx, ox_dim a, int64_t b);
/* a / b when that is exact for all values of the symbols, else NULL. */
ox_dim ox_dim_exact_div(ox_ctx *ctx, ox_dim a, ox_dim b);
/* What is known of the value, symbols being >= 0. */
bool ox_dim_range(ox_dim d, int64_t *lo, int64_t *hi);   /* INT64_MIN / INT64_MAX where unbounded; false when NULL */
bool ox_dim_nonneg(ox_dim d);                            /* proved >= 0 */
bool ox_dim_positive(ox_dim d);                          /* proved >= 1 */
/* Value under an assignment: value_of(user, name) gives a symbol's number; false when unknown. */
bool ox_dim_eval(ox_dim d, bool (*value_of)(void *user, ox_dim symbol, int64_t *v), void *user, int64_t *out);
/* Readable text such as "2*N+1", stable order; nameless symbols as "?k". NULL gives "?". */
const char *ox_dim_text(ox_arena *arena, ox_dim d);

/* ------------------------------------------------------------------------------------------------ types */

typedef enum ox_kind { OX_K_UNKNOWN, OX_K_TENSOR, OX_K_SPARSE, OX_K_SEQUENCE, OX_K_OPTIONAL, OX_K_MAP, OX_K_OPAQUE } ox_kind;

/* Immutable once it is a value's type: replace, never edit. */
struct ox_type {
    ox_kind kind;
    ox_dtype dtype;     /* element type of tensor and sparse; key type of a map */
    int rank;           /* -1: unknown */
    ox_dim *dims;       /* rank entries */
    const ox_type *elem; /* sequence, optional, map value */
    ox_sym domain, name; /* opaque */
    const void *origin;
};

ox_type *ox_type_tensor(ox_arena *arena, ox_dtype dtype, int rank, const ox_dim *dims); /* dims copied; NULL dims: all unknown */
const ox_type *ox_type_of_tensor(ox_arena *arena, const ox_tensor *t);
ox_type *ox_type_of(ox_arena *arena, ox_kind kind, const ox_type *elem);                /* sequence, optional */
const ox_type *ox_type_copy(ox_arena *arena, const ox_type *t); /* whole, for another arena; NULL for NULL */
bool ox_type_equal(const ox_type *a, const ox_type *b);       /* an unknown dim equals an unknown dim here */
/* The kind and element type alone; NULL for NULL. */
const ox_type *ox_type_element(ox_arena *arena, const ox_type *t);
/* As a file can say it: without symbols of ours. */
const ox_type *ox_type_plain(ox_arena *arena, const ox_type *t);
/* What both say together (the stronger of each fact): for declared against inferred. When they contradict each other, the
 * contradicting part of `strong` wins and *conflict is set (may be NULL). */
const ox_type *ox_type_meet(ox_arena *arena, const ox_type *strong, const ox_type *weak, bool *conflict);
/* The same for what a file declares, but a size that follows from those of the model's inputs is what it is: a number declared beside it
 * is of a time when these were fixed. GIVEN holds the nameless symbols of the inputs (keys). */
const ox_type *ox_type_settle(ox_arena *arena, const ox_type *inferred, const ox_type *declared, const ox_map *given, bool *conflict);
/* Nameless symbols that stand for sizes of the main graph's inputs, into GIVEN (initialized). */
void ox_model_given_sizes(const struct ox_model *m, ox_map *given);
/* What is true of both: for the branches of If. NULL when nothing is. */
const ox_type *ox_type_join(ox_arena *arena, const ox_type *a, const ox_type *b);
const char *ox_type_text(ox_arena *arena, const ox_type *t);   /* "float[N,3,?]", "seq(tensor(int64))"; NULL: "?" */
static inline bool ox_type_is_tensor(const ox_type *t) { return t && t->kind == OX_K_TENSOR; }

/* ------------------------------------------------------------------------------------------------ tensors */

typedef struct ox_str { const char *data; size_t len; } ox_str;

/* Reference-counted and immutable after it was filled. The payload is a view into a mapped file or memory of its own.
 * Layout: row-major, little-endian, sub-byte types packed low bits first; strings are an array of ox_str. */
struct ox_tensor {
    _Atomic int refs;      /* see ox_count_ref() */
    ox_dtype dtype;
    int rank;
    int64_t *dims;
    int64_t count;       /* product of dims, checked */
    uint64_t bytes;      /* size of the payload in memory */
    /* private: use ox_tensor_data() */
    const void *view;    /* in place in a file, maybe unaligned; NULL when in own memory or typed fields */
    void *own;           /* memory of its own, or lent */
    bool lent;           /* whoever made this tensor owns that memory */
    bool passing;        /* own memory goes when the tensor is forgotten: one reader, who needs it once */
    uint32_t mark;       /* of a run that plans memory: which of its buffers `own` is, from 1 on; 0: none */
    const ox_file *file; /* where the view lies */
    struct ox_tensor *base; /* whose memory this shares (a reshaped view) */
    ox_arena *strings;   /* text of string elements made by us */
    const void *origin;  /* TensorProto with typed fields or external data */
    int (*decode)(ox_ctx *ctx, ox_tensor *t); /* fills own/view from origin on first use; set by lib/onnx */
    ox_ctx *ctx;
};

/* A new tensor with memory to be filled by the caller through ox_tensor_mut(); NULL on failure (size overflow or no memory).
 * String tensors start with empty strings. */
ox_tensor *ox_tensor_new(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims);
/* A tensor whose payload is looked up later: view and decode are set by the caller. */
ox_tensor *ox_tensor_new_view(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims, const void *view, const ox_file *file);
/* A tensor in memory that somebody else owns, longer than the tensor lives. memory NULL: nowhere yet. */
ox_tensor *ox_tensor_lent(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims, void *memory);
/* Another tensor that writes over all of T's payload: whoever reads T afterwards reads the new elements. */
ox_tensor *ox_tensor_over(ox_ctx *ctx, ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dims);
/* The same payload under other dims (same count) and, with the same bits per element, another dtype. */
ox_tensor *ox_tensor_reshaped(ox_ctx *ctx, ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dims);
/* Adds to a count of references; gives what it is then. One thread counts, but for the time that a frame runs in several: a count that others may change
 * at once takes four times as long, which models of small nodes feel. Contexts share no values, so the process may have one number for all frames. */
extern _Atomic int ox_frames_in_lanes;
static inline int ox_count_ref(_Atomic int *refs, int by) {
    if (__builtin_expect(atomic_load_explicit(&ox_frames_in_lanes, memory_order_relaxed) > 0, 0)) return atomic_fetch_add(refs, by) + by;
    int n = atomic_load_explicit(refs, memory_order_relaxed) + by;
    atomic_store_explicit(refs, n, memory_order_relaxed);
    return n;
}
ox_tensor *ox_tensor_ref(ox_tensor *t);
void ox_tensor_unref(ox_tensor *t); /* NULL is allowed */
/* The payload, aligned for its element type (64 where it was copied). NULL after an error (memory, bad external data).
 * A tensor without elements gives a pointer that is not NULL. */
const void *ox_tensor_data(const ox_tensor *t);
/* The same wherever it lies, maybe not aligned, and so never copied: for looking at bytes. */
const void *ox_tensor_raw(const ox_tensor *t);
/* Whether ox_tensor_data() copies what a file says: it is not aligned there, or written otherwise. */
bool ox_tensor_copied(const ox_tensor *t);
/* Lets go of pages of a file that were looked at, and of a `passing` payload: copies of what a file says are made again when asked for. */
void ox_tensor_forget(const ox_tensor *t);
void *ox_tensor_mut(ox_tensor *t);                    /* only between ox_tensor_new() and first sharing */
int ox_tensor_set_str(ox_tensor *t, int64_t i, const char *text, size_t len); /* copies the text into the tensor */
ox_tensor *ox_tensor_scalar_int(ox_ctx *ctx, ox_dtype dtype, int64_t v);      /* rank 0 */
ox_tensor *ox_tensor_scalar_double(ox_ctx *ctx, ox_dtype dtype, double v);
ox_tensor *ox_tensor_ints(ox_ctx *ctx, int64_t n, const int64_t *v);          /* int64[n] */
bool ox_tensor_equal(const ox_tensor *a, const ox_tensor *b);                 /* dtype, dims and bits */
uint64_t ox_tensor_hash(const ox_tensor *t);
/* All elements as int64 (ints and bool only), into arena; NULL when not an integer tensor or on error. */
const int64_t *ox_tensor_to_ints(ox_arena *arena, const ox_tensor *t);

/* COO; indices int64[nnz] or int64[nnz, rank]. */
struct ox_sparse { ox_tensor *values, *indices; int rank; int64_t *dims; const void *origin; };

/* ------------------------------------------------------------------------------------------------ attributes */

/* The numbers of AttributeProto.AttributeType. */
typedef enum ox_attr_type {
    OX_A_UNDEFINED = 0, OX_A_FLOAT, OX_A_INT, OX_A_STRING, OX_A_TENSOR, OX_A_GRAPH, OX_A_FLOATS, OX_A_INTS, OX_A_STRINGS,
    OX_A_TENSORS, OX_A_GRAPHS, OX_A_SPARSE, OX_A_SPARSES, OX_A_TYPE, OX_A_TYPES
} ox_attr_type;

struct ox_attr {
    ox_sym name;
    ox_sym ref;          /* inside a function: the name of the formal attribute it takes its value from, else NULL */
    ox_attr_type type;
    size_t n;            /* elements of a list */
    union {
        float f;
        int64_t i;
        ox_str s;
        ox_tensor *t;
        ox_graph *g;
        ox_sparse *sparse;
        const ox_type *tp;
        float *fs;
        int64_t *is;
        ox_str *ss;
        ox_tensor **ts;
        ox_graph **gs;
        ox_sparse **sparses;
        const ox_type **tps;
    };
    const void *origin;
};

/* ------------------------------------------------------------------------------------------------ the graph */

struct ox_use { /* an operand of a node; also the cell of its value's use list */
    ox_value *v;      /* NULL: absent optional input */
    ox_node *user;
    ox_use *prev, *next;
};

struct ox_value {
    ox_sym name;      /* NULL: gets one when written */
    ox_graph *graph;  /* the scope it belongs to */
    ox_node *def;     /* NULL: graph input or initializer */
    uint32_t index;   /* which output of def */
    uint32_t nuses;
    ox_use *uses;
    const ox_type *type;  /* what is known: it follows from inputs and constants; NULL: unknown */
    const ox_type *declared; /* what the file says of a value that a known operator makes: written back where nothing better is known, but
                                nothing is proved by it, for it may be of a time when the model was another */
    ox_tensor *data;      /* initializer, default of an input, or what a Constant node holds */
    ox_sparse *sparse;    /* sparse initializer */
    const ox_dim *elems;  /* shape data: one expression per element (NULL: unknown), when an integer tensor of known small size */
    int64_t nelems;
    bool is_input;        /* of its graph */
    bool is_init;         /* in the list of initializers: data or sparse is set, def is NULL */
    bool listed;          /* has, or shall get, a value_info */
    bool doubted;         /* what is declared of it contradicts what is inferred, which was said */
    bool pinned;          /* an initializer that something besides operands names: it is not removed */
    bool variable;        /* an initializer that training assigns to: no constant */
    const void *origin;       /* ValueInfoProto: of an input, output or value_info */
    const void *init_origin;  /* TensorProto or SparseTensorProto */
    ox_value *prev_init, *next_init;
    uint32_t mark;        /* scratch of a pass */
    void *aux;            /* scratch of a pass */
};

struct ox_node {
    ox_graph *graph;      /* NULL once removed */
    ox_node *prev, *next;
    ox_sym op_type, domain, overload, name; /* domain "" for ai.onnx; overload and name may be NULL */
    const ox_op *op;      /* row at the model's opset; NULL: unknown operator, opaque to all passes */
    ox_function *callee;  /* local function it calls, or NULL */
    ox_use *in;
    ox_value **out;       /* entries may be NULL: absent optional output */
    uint32_t n_in, n_out;
    ox_attr **attrs;
    uint32_t n_attrs;
    uint32_t mark;        /* scratch of a pass */
    void *aux;            /* scratch of a pass */
    const char *from;     /* the pass or rule that made it; NULL: the model */
    const void *origin;
};

struct ox_graph {
    ox_model *model;
    ox_graph *outer;      /* graph around a body; NULL for main graphs and functions */
    ox_node *owner;       /* node that holds the body */
    ox_function *function; /* function whose body this is */
    ox_sym name;
    ox_value **inputs;
    size_t n_inputs, cap_inputs;
    ox_node *ret;         /* pseudo-node: its operands are the outputs */
    ox_sym *out_names;    /* names of the outputs, an interface: ret->n_in of them. A value may have another name until ox_settle_names() */
    const void **out_origins; /* ValueInfoProto of each output */
    const ox_type **out_types; /* declared type of each output */
    ox_node *first, *last;
    ox_value *first_init, *last_init;
    size_t n_nodes, n_inits;
    const void *origin;
};

typedef struct ox_opset { ox_sym domain; int64_t version; } ox_opset; /* domain "" for ai.onnx */

struct ox_function {
    ox_sym domain, name, overload;
    ox_graph *body;
    ox_attr **formals;    /* attributes with defaults; without one: type OX_A_UNDEFINED */
    size_t n_formals;
    ox_opset *opsets;
    size_t n_opsets;
    const void *origin;
};

enum { OX_STRIP_DOCS = 1, OX_STRIP_METADATA = 2, OX_STRIP_NODE_NAMES = 4 }; /* left out when the model is written */

struct ox_model {
    ox_ctx *ctx;
    ox_arena *arena;
    int64_t ir_version;
    ox_opset *opsets;
    size_t n_opsets, cap_opsets;
    ox_graph *graph;
    ox_function **functions;
    size_t n_functions, cap_functions;
    void *function_index;   /* private to op/table.c: functions by name; set to NULL where functions are renamed or replaced */
    ox_file *files;         /* every file the model was read from: the model first, then data files */
    const char *path;       /* of the model, NULL when it did not come from a file */
    const void *origin;     /* ModelProto */
    unsigned strip;         /* of OX_STRIP_*: what export leaves out */
    bool changed;           /* set by every edit below; an unchanged model is written as the bytes it was read from */
    ox_tensor **tensors;    /* tensors owned by the model: unref at close */
    size_t n_tensors, cap_tensors;
    void *source;           /* what the model was read from (a message, which owns `files`); not read here */
    void (*free_source)(void *source); /* called last by ox_model_free(), when set */
    /* ox_node_resolve(), set by who imports, because the operator table stands above the IR: for nodes the IR makes itself (Identity of
     * ox_settle_names) and to see whether inlining keeps a meaning. NULL: such nodes stay without a row. */
    void (*resolve)(ox_node *n);
    ox_map names;           /* every name in use in the model, of values; for ox_fresh_name() */
    ox_map stems;           /* private to names.c */
    bool run_only;          /* a copy for running, never written: inlining may mix opsets, because nodes keep their `op` */
    uint64_t inlined;       /* nodes made by inlining so far, against limits.inlined_nodes */
};

ox_model *ox_model_new(ox_ctx *ctx, int64_t ir_version); /* with an empty main graph */
void ox_model_free(ox_model *m);                         /* NULL is allowed */
ox_tensor *ox_model_own(ox_model *m, ox_tensor *t);      /* takes over the caller's reference; returns t */
/* Gives back tensors that nothing of the model uses any more. Between passes: their scratch must hold no tensors of the model. */
void ox_model_release_unused(ox_model *m);
int64_t ox_model_opset(const ox_model *m, const ox_graph *g, ox_sym domain); /* 0 when not imported; functions have their own */
void ox_model_import(ox_model *m, ox_sym domain, int64_t version);           /* adds or raises */

ox_graph *ox_graph_new(ox_model *m, ox_graph *outer, ox_node *owner);
/* The function whose body g is or lies in; NULL in the main graph. Such graphs hold no initializers. */
ox_function *ox_function_of(const ox_graph *g);
ox_value *ox_graph_add_input(ox_graph *g, ox_sym name, const ox_type *type);
void ox_graph_add_output(ox_graph *g, ox_value *v, ox_sym name); /* name NULL (bodies): the value's name when written */
void ox_graph_remove_input(ox_graph *g, size_t i);  /* must have no use */
void ox_graph_remove_output(ox_graph *g, size_t i);
/* A new initializer; the model takes over the reference to `data`. name NULL: made when written. */
ox_value *ox_graph_add_init(ox_graph *g, ox_sym name, ox_tensor *data);
/* Makes a value without def (an input, or one not linked anywhere yet) an initializer; takes over the reference to `data`. */
void ox_graph_set_default(ox_value *v, ox_tensor *data, ox_sparse *sparse);
void ox_graph_remove_init(ox_value *v);             /* must have no use and be no input, else only its data go; a pinned one stays */

/* A new node before `before` (NULL: at the end), with n_in operands (entries may be NULL) and n_out new nameless values. op and
 * callee are looked up by the caller: see ox_node_resolve() in op/op.h. */
ox_node *ox_node_new(ox_graph *g, ox_node *before, ox_sym op_type, ox_sym domain, uint32_t n_in, ox_value *const *in, uint32_t n_out);
void ox_node_remove(ox_node *n);                    /* its outputs must have no uses; operands are released, bodies too */
void ox_node_move(ox_node *n, ox_node *before);     /* within or between graphs of one model (then outputs get fresh names); NULL: cannot say the graph, use ox_node_append */
void ox_node_append(ox_graph *g, ox_node *n);
void ox_node_set_input(ox_node *n, uint32_t i, ox_value *v);
void ox_node_add_input(ox_node *n, ox_value *v);    /* at the end */
void ox_node_set_inputs(ox_node *n, uint32_t n_in, ox_value *const *in);
void ox_node_set_n_out(ox_node *n, uint32_t n_out); /* new ones are nameless values; dropped ones must have no uses */
static inline ox_value *ox_node_in(const ox_node *n, uint32_t i) { return i < n->n_in ? n->in[i].v : NULL; }
static inline ox_value *ox_node_out(const ox_node *n, uint32_t i) { return i < n->n_out ? n->out[i] : NULL; }
static inline bool ox_is(const ox_node *n, const char *op_type); /* ai.onnx operator of that name */

ox_attr *ox_attr_find(const ox_node *n, const char *name);      /* NULL when not there */
ox_attr *ox_attr_add(ox_node *n, const char *name, ox_attr_type type); /* replaces one of that name; value zero */
void ox_attr_remove(ox_node *n, const char *name);
void ox_attr_set_int(ox_node *n, const char *name, int64_t v);
void ox_attr_set_float(ox_node *n, const char *name, float v);
void ox_attr_set_string(ox_node *n, const char *name, const char *text);
void ox_attr_set_ints(ox_node *n, const char *name, size_t count, const int64_t *v);
void ox_attr_set_tensor(ox_node *n, const char *name, ox_tensor *t); /* takes over the reference */
ox_attr *ox_attr_copy(ox_model *m, const ox_attr *a);  /* bodies are not copied: see ox_graph_copy_into */
/* The same type and value, or the same reference; whatever the names. Floats by their bits, tensors by content; bodies never. */
bool ox_attr_equal(const ox_attr *a, const ox_attr *b);

/* Every use of `from` becomes a use of `to` (graph outputs too: their names are the graph's out_names and do not move). What
 * is known of from's type is kept on `to` where it is stronger, unless `to` is an input or stands outside of the body that says so. */
void ox_replace_uses(ox_value *from, ox_value *to);
bool ox_is_graph_output(const ox_value *v);              /* of its graph: some use is by a ret */
/* Makes the names of outputs true again before writing: an output's value that is made by a node of the graph and has no other
 * interface name takes the output's name; else (an input, an initializer, an outer value, a second output of one value) an
 * Identity node of that name is put before ret. Gives every nameless value a name. Deterministic and idempotent. */
void ox_settle_names(ox_model *m);
/* The constant a value always has: initializer (not a variable, nor a replaceable input: from IR version 4 an initializer that is also an
 * input is only its default) or output of a Constant node. NULL when there is none. */
ox_tensor *ox_constant(const ox_value *v);
/* A scalar constant (one element, any rank) as number; false when not. */
bool ox_constant_double(const ox_value *v, double *out);
bool ox_constant_int(const ox_value *v, int64_t *out);

/* A value name that nothing in the model uses, made from `stem`; deterministic. */
ox_sym ox_fresh_name(ox_model *m, const char *stem);

/* Copies nodes of `from` into `g` before `before`; values outside are mapped by `map` (ox_value* to ox_value*), which the
 * caller fills for inputs and which receives every copied value. Names are made fresh; bodies are copied with them.
 * `bind` gives attributes for references inside functions (NULL: references stay). */
typedef struct ox_binding { ox_attr *const *attrs; size_t n; ox_function *f; } ox_binding;
int ox_graph_copy_into(ox_graph *from, ox_graph *g, ox_node *before, ox_map *map, const ox_binding *bind);
/* Replaces a call of a local function by the nodes of its body: 1, or 0 when the body's operators would mean something else under the
 * imports of the calling graph (see inline.c; never in a `run_only` model). -1 when a limit is passed. */
int ox_inline_call(ox_node *call);
/* Inlines all calls in the main graph and its bodies, outer ones first; the functions stay until removed. Returns the number of calls
 * replaced or -1. */
int ox_inline_all(ox_model *m);
/* Puts the nodes of the branch that is taken in place of an If. 1, or 0 when the node has no such branch of its form; -1. */
int ox_inline_branch(ox_node *n, bool taken);
/* A deep copy: same names and order, payloads shared. Has no origins of its own file (model.origin is shared). */
ox_model *ox_model_copy(ox_model *m);

/* ---- walking: every graph of the model: main, bodies, functions; outer before inner. fn returns nonzero to stop. */
int ox_each_graph(ox_model *m, int (*fn)(ox_graph *g, void *user), void *user);
int ox_each_body(ox_node *n, int (*fn)(ox_graph *g, void *user), void *user); /* the bodies a node holds, not deeper */
bool ox_graph_contains(const ox_graph *g, const ox_graph *inner);             /* inner is g or nested in it */
/* Stable topological sort of g and its bodies. -1 with the nodes of a cycle named. *moved (may be NULL): whether the order changed. */
int ox_sort(ox_graph *g, bool *moved);
/* Checks the invariants above; -1 with the first broken one (OX_BUG). For tests and debug pipelines. */
int ox_verify(ox_model *m);

#include <string.h>
static inline bool ox_is(const ox_node *n, const char *op_type) { return n && n->domain[0] == 0 && !n->callee && !strcmp(n->op_type, op_type); }

#endif
