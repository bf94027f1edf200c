/* Rules, the inside: what parser, checker, matcher and builder share. The language: docs/rules.md; what others call: pass.h.
 *
 *   text --rule_parse--> ox_rule (trees) --rule_check--> the same with slots and signatures
 *   node --rule_match--> bindings of the slots --rule_value--> guards hold? --rule_build--> plan, then edit --rule_apply--> fixpoint
 *
 * Invariants: a compiled rule never changes; a match touches nothing; a plan touches nothing; a commit either makes the
 * whole replacement or leaves the model as it was. */
#ifndef OX_RULE_H
#define OX_RULE_H

#include "passes/pass.h"

/* ---- trees ---- */

typedef enum ox_rx_kind {
    OX_RX_NAME,   /* x   x? (may be absent)   x... (any number of operands) */
    OX_RX_ATTR,   /* $a  $a? */
    OX_RX_ANY,    /* _   _?   and * as the value of an attribute */
    OX_RX_INT,
    OX_RX_FLOAT,
    OX_RX_STRING,
    OX_RX_LIST,   /* [a, ..b, c] */
    OX_RX_SPLICE, /* ..b in a list */
    OX_RX_OP,     /* Conv<group=1, ..c>(x, W, B?, axes=$a); infix in blocks */
    OX_RX_CALL,   /* rank(x): a function of guards and computed values */
    OX_RX_ALT,    /* a | b */
    OX_RX_ELSE,   /* a ?? b */
    OX_RX_RANGE,  /* a..b, without b */
    OX_RX_INDEX,  /* a[i] */
    OX_RX_SLICE,  /* a[i..j], either end may be missing (NULL) */
    OX_RX_CMP,    /* in guards: == != < <= > >= */
    OX_RX_AND,
    OX_RX_OR,
    OX_RX_NOT,
    OX_RX_IN,     /* a in {b, c} */
    OX_RX_TYPE    /* T[M, K, ?] x */
} ox_rx_kind;

typedef enum ox_rcmp { OX_RC_EQ, OX_RC_NE, OX_RC_LT, OX_RC_LE, OX_RC_GT, OX_RC_GE } ox_rcmp;

typedef struct ox_rx ox_rx;
typedef struct ox_rparam {
    ox_sym name;
    ox_rx *x;
} ox_rparam;

/* A name for several operators: "ops Reduce = ReduceSum | ReduceMean". */
typedef struct ox_rops {
    ox_sym name;
    ox_sym *members;
    ox_rx **places;       /* of the members: trees without arguments, for messages */
    int n;
} ox_rops;

struct ox_rx {
    ox_rx_kind kind;
    int line, column;
    int depth;            /* of the tree below, bounded by OX_RULE_DEPTH */
    bool optional, list;  /* x?  x... */
    bool fresh;           /* NAME in a rewrite block that means a value made by the rewrite */
    int slot;             /* NAME, ATTR, TYPE (of T), OP (of the chosen member of ops); -1 */
    int set_slot;         /* OP: of ..c; -1 */
    ox_sym name, domain, set;
    const struct ox_rfun *fun;  /* CALL */
    const ox_rops *ops;         /* OP: one of several */
    const ox_signature *sig;    /* OP: newest form; NULL for operators we do not know */
    uint32_t flags;             /* OP: of the operator */
    int64_t i;
    double f;
    ox_rcmp cmp;
    ox_rx **args;         /* positional arguments, operands, elements, dims of TYPE */
    int n_args;
    ox_rparam *params;    /* OP: named attributes and inputs */
    int n_params;
    bool has_shape;       /* TYPE: dims were written */
};

/* One line of a block: names = tree. */
typedef struct ox_rstmt {
    ox_sym *names;
    int *slots;           /* match: slots of values; rewrite: numbers of fresh values */
    int n_names;
    bool keep;            /* may have uses outside of the match, then its node stays */
    ox_rx *x;
    int line, column;
} ox_rstmt;

/* What a name in a rule stands for. */
typedef enum ox_rslot_kind { OX_RS_VALUE, OX_RS_LIST, OX_RS_ATTR, OX_RS_SET, OX_RS_DIM, OX_RS_TYPE, OX_RS_OP } ox_rslot_kind;
typedef struct ox_rslot {
    ox_rslot_kind kind;
    ox_sym name;
    int def;              /* VALUE defined by a match statement: its index, else -1 */
    int def_out;          /* which of its names */
    int output;           /* VALUE that is an output of the rule: index in outputs, else -1 */
} ox_rslot;

typedef struct ox_routput {
    int slot;             /* of the value that is replaced */
    int fresh;            /* number of the fresh value that replaces it */
} ox_routput;

typedef struct ox_rule {
    ox_sym name;
    const char *file;
    int line, column;
    bool is_def;          /* of ox_ruleset.defs */
    int index;            /* position in its set */
    int64_t since, until; /* opsets of ai.onnx it holds for; 0: any */
    ox_sym *profiles;
    int n_profiles;
    bool expand;
    ox_rstmt *match, *rewrite;
    int n_match, n_rewrite;
    ox_rx **guards;
    int n_guards;
    ox_rslot *slots;
    int n_slots;
    int n_fresh;
    ox_routput *outputs;
    int n_outputs;
    int root;             /* index in outputs: where matching begins */
    ox_sym *root_ops;     /* operators (name, or "domain::name") the root may be */
    int n_root_ops;
    int size;             /* operators in the match, at most */
    const char *text;     /* source with the comment above it */
    size_t text_len;
} ox_rule;

struct ox_ruleset {
    ox_ctx *ctx;
    const char *file;
    ox_rule **rules;
    size_t n;
    ox_rule *defs;        /* bodies of defs as the only rewrite of a rule each: they are checked also where nothing uses them */
    size_t n_defs;
    ox_rops **ops;
    size_t n_ops;
};

/* The set's name: its file's, without ".rules" when it ships with the library. */
const char *ox_ruleset_name(ox_arena *arena, const ox_ruleset *set);

/* Bounds of one rule: nesting and parameters, trees, names, operands of a chain of one commutative operator. */
enum { OX_RULE_DEPTH = 64, OX_RULE_TREES = 4000, OX_RULE_NAMES = 256, OX_RULE_CHAIN = 6 };
/* Uses of one value that are looked at. Values with more are never inside of a match, which holds all uses of inner values. */
enum { OX_RULE_USES = 64 };

/* Parses TEXT, which begins in line LINE of FILE, without looking at operators. NULL after ox_fail(). */
ox_ruleset *ox_rules_read(ox_ctx *ctx, const char *text, size_t len, const char *file, int line);
/* Names, operators, parameters, outputs; fills slots and signatures. -1 after ox_fail(). */
int ox_rule_check(ox_ctx *ctx, ox_rule *rule);
int ox_rule_fail(ox_ctx *ctx, const ox_rule *rule, int line, int column, const char *format, ...) OX_PRINTF(5, 6);

/* ---- values of expressions ---- */

typedef enum ox_rv_kind {
    OX_RV_UNKNOWN, /* nothing is proved */
    OX_RV_ABSENT,
    OX_RV_INTS,    /* integers, one or a vector; each an expression over symbols, or NULL: unknown */
    OX_RV_TENSOR,  /* any other known value, in any element type */
    OX_RV_STRING,
    OX_RV_TRUTH    /* true, false */
} ox_rv_kind;

typedef struct ox_rv {
    ox_rv_kind kind;
    ox_dtype natural;     /* element type of what it was computed from; OX_UNDEFINED for literals */
    bool scalar;          /* INTS: rank 0 */
    bool truth;
    int64_t n;
    const ox_dim *d;
    ox_tensor *t;         /* TENSOR: NULL when it is lazy */
    const struct ox_rlazy *lazy; /* rule_lazy.c */
    ox_str s;
    const ox_value *leaf; /* the first constant it was computed from: gives what is made its name */
} ox_rv;

/* ---- bindings ---- */

typedef struct ox_rlist { const ox_arg *args; int n; } ox_rlist;
typedef struct ox_rset { ox_attr *const *attrs; int n; } ox_rset;
typedef struct ox_rbind {
    bool bound;
    union {
        ox_arg value;     /* VALUE; v and t NULL: absent */
        ox_rlist list;
        ox_rset set;
        ox_rv rv;         /* ATTR, DIM (one integer), TYPE (number of the element type) */
        ox_sym op;
    };
} ox_rbind;

/* A node as rules see it. */
typedef struct ox_rnode {
    ox_call call;         /* newest form; for unknown operators as it stands */
    bool tried, ok;       /* ok: call is filled */
    bool queued, expanded;
    uint32_t order;       /* position when the run began, or of the node it replaced */
    uint32_t match;       /* number of the match it is part of */
} ox_rnode;

enum { OX_RULE_NODES = 256, OX_RULE_STEPS = 20000 };

typedef struct ox_rmatch {
    ox_ctx *ctx;
    ox_arena *arena;      /* of a match: reset for the next one */
    ox_arena *nodes;      /* of calls: lives as long as the run */
    ox_model *m;
    const ox_rule *rule;
    ox_graph *g;
    ox_node *root;
    ox_rbind *bind;       /* rule->n_slots */
    int *trail;
    int n_trail, cap_trail;
    ox_node *matched[OX_RULE_NODES]; /* root first */
    bool kept[OX_RULE_NODES];
    int n_matched;
    uint32_t serial;      /* of the match, for ox_rnode.match */
    int steps;
    ox_tensor **pool;     /* tensors made while matching and planning, released by ox_rmatch_clear() */
    size_t n_pool, cap_pool;
    const ox_rv *fresh;   /* while planning: values the rewrite has made, UNKNOWN where they are made at run time */
    bool failed;          /* an error that must be passed on (memory) is recorded */
    /* for --explain: the reason of the attempt that came furthest */
    bool explain;
    int best;
    char *why;            /* 512 bytes */
} ox_rmatch;

void ox_rmatch_init(ox_rmatch *mt, ox_model *m, ox_arena *nodes);
void ox_rmatch_clear(ox_rmatch *mt);
void ox_rmatch_done(ox_rmatch *mt);
/* Does RULE match with its root at NODE? Guards included; bindings stay in *mt until the next call. */
bool ox_rule_match(ox_rmatch *mt, const ox_rule *rule, ox_node *node);
void ox_rmatch_why(ox_rmatch *mt, const char *format, ...) OX_PRINTF(2, 3);
ox_rbind *ox_rmatch_bind(ox_rmatch *mt, int slot);        /* binds a slot so that it can be rolled back */
bool ox_rmatch_refused(ox_rmatch *mt);                    /* after a failed call: drops the error, or keeps it in mt->failed; false */
ox_rnode *ox_rnode_get(ox_rmatch *mt, ox_node *n);        /* makes the record */
const ox_call *ox_rnode_call(ox_rmatch *mt, ox_node *n);  /* NULL when the node cannot be read */
void ox_rnode_forget(ox_node *n);                         /* its operands or attributes changed */

/* ---- rule_value.c ---- */
typedef struct ox_rfun {
    const char *name;
    int min, max; /* arguments */
    void (*run)(ox_rmatch *mt, const ox_rx *x, ox_rv *out);
} ox_rfun;
const ox_rfun *ox_rfun_find(const char *name);
const ox_rfun *ox_rfun_at(size_t i); /* NULL after the last */
/* The value of an expression over the bindings. */
void ox_rule_eval(ox_rmatch *mt, const ox_rx *x, ox_rv *out);
typedef enum ox_truth { OX_NO, OX_YES, OX_MAYBE, OX_HOLDS /* speaks of something absent */ } ox_truth;
ox_truth ox_rule_truth(ox_rmatch *mt, const ox_rx *guard);
ox_truth ox_rv_equal(ox_rmatch *mt, const ox_rv *a, const ox_rv *b);
void ox_rv_of_arg(ox_rmatch *mt, const ox_arg *a, ox_rv *out);        /* value of a constant; UNKNOWN when it is none */
void ox_rv_of_attr(ox_rmatch *mt, const ox_attr *a, ox_rv *out);
void ox_rv_of_ints(ox_rmatch *mt, int64_t n, const int64_t *v, ox_rv *out);
void ox_rv_int(ox_rmatch *mt, int64_t v, ox_rv *out);
bool ox_rv_known_ints(ox_rmatch *mt, const ox_rv *v, const int64_t **ints); /* all elements as numbers */
/* The tensor of an OX_RV_TENSOR in the type it is kept in, computed when it was put off; NULL after a refusal. */
ox_tensor *ox_rv_stored(ox_rmatch *mt, const ox_rv *v);
/* rule_lazy.c: a tree for OP over a and b; NULL when it is to be computed at once. */
typedef struct ox_rlazy ox_rlazy;
const ox_rlazy *ox_rlazy_make(ox_rmatch *mt, ox_sym op, const ox_rv *a, const ox_rv *b);
/* Computed and rounded to TO, a piece at a time; each piece must be good(), when that is given. The caller's reference; NULL: not, with an
 * error recorded only when memory ran out. */
ox_tensor *ox_rlazy_rounded(ox_rmatch *mt, const ox_rlazy *z, ox_dtype to, bool (*good)(ox_dtype to, const void *made, const double *from, int64_t n));
/* As a tensor for arithmetic: double, int64, bool or string; NULL when it has no known value. In the pool. */
ox_tensor *ox_rv_tensor(ox_rmatch *mt, const ox_rv *v);
void ox_rv_of_tensor(ox_rmatch *mt, ox_tensor *t, ox_dtype natural, ox_rv *out); /* takes the reference into the pool */
/* A parameter of a lifted call, with its default, axes made nonnegative where the rank is known. False: not there. */
bool ox_rule_param(ox_rmatch *mt, const ox_call *c, const char *name, ox_rv *out);
/* A value as an attribute in the match's arena; NULL when it has no such form. */
ox_attr *ox_rule_make_attr(ox_rmatch *mt, ox_sym name, ox_attr_type type, const ox_rv *v);
/* Evaluates an operator on constant inputs (absent: kind ABSENT). False: not possible. */
bool ox_rule_run_op(ox_rmatch *mt, const ox_rx *x, ox_sym op, const ox_rv *in, int n_in, ox_attr *const *attrs, int n_attrs, ox_rv *out,
                    int n_out);
const ox_type *ox_rarg_type(ox_rmatch *mt, const ox_arg *a); /* of a value or a constant; NULL unknown */
ox_tensor *ox_rmatch_own(ox_rmatch *mt, ox_tensor *t);        /* takes the reference into the pool */

/* ---- rule_build.c ---- */
/* Told of values around a rewrite: the first N_USES of v's uses are new to it, or may match now that v has fewer. */
typedef void ox_rchanged(void *user, ox_value *v, uint32_t n_uses);
/* Replaces what *mt matched. 1: done; 0: refused, nothing changed; -1 after ox_fail(). New nodes are given to made. */
int ox_rule_build(ox_rmatch *mt, void (*made)(void *user, ox_node *n), ox_rchanged *changed, void *user);

#endif
