/* Signatures: the text of a row to arity, attributes and types.
 *
 *   signature = [ "<" attribute { "," attribute } ">" ] "(" formals ")" "=>" "(" formals ")"
 *               [ variable { "," variable } ]
 *   attribute = name ":" type ( "?" | "=" default | )
 *   formal    = type [ "?" | "..." | "..~" [ count ] ] name
 *   variable  = name ":" item { "|" item }
 *   item      = set | element type | "seq(" .. ")" | "optional(" .. ")" | "map(" .. ")"
 *
 * A name of an element type that we do not know is passed over: rows name types that files cannot hold yet. */
#include "base/lex.h"
#include "op/table.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define BIT(t)        (UINT64_C(1) << (t))
#define SIGNED_INTS   (BIT(OX_INT8) | BIT(OX_INT16) | BIT(OX_INT32) | BIT(OX_INT64))
#define UNSIGNED_INTS (BIT(OX_UINT8) | BIT(OX_UINT16) | BIT(OX_UINT32) | BIT(OX_UINT64))
#define INTS          (SIGNED_INTS | UNSIGNED_INTS)
#define FLOATS        (BIT(OX_FLOAT16) | BIT(OX_FLOAT) | BIT(OX_DOUBLE))
#define COMPLEX       (BIT(OX_COMPLEX64) | BIT(OX_COMPLEX128))
#define FP8           (BIT(OX_FLOAT8E4M3FN) | BIT(OX_FLOAT8E4M3FNUZ) | BIT(OX_FLOAT8E5M2) | BIT(OX_FLOAT8E5M2FNUZ))

static const struct {
    const char *name;
    uint64_t dtypes;
} sets[] = {
    {"ints", INTS},
    {"floats", FLOATS},
    {"numbers", INTS | FLOATS},
    {"any", INTS | FLOATS | BIT(OX_BOOL) | BIT(OX_STRING) | COMPLEX},
    {"complex", COMPLEX},
    {"fp8", FP8},
    {"int4s", BIT(OX_INT4) | BIT(OX_UINT4)},
    {"int2s", BIT(OX_INT2) | BIT(OX_UINT2)},
};

static const struct {
    const char *name;
    ox_attr_type type;
} attr_types[] = {
    {"float", OX_A_FLOAT},
    {"int", OX_A_INT},
    {"string", OX_A_STRING},
    {"tensor", OX_A_TENSOR},
    {"graph", OX_A_GRAPH},
    {"floats", OX_A_FLOATS},
    {"ints", OX_A_INTS},
    {"strings", OX_A_STRINGS},
    {"tensors", OX_A_TENSORS},
    {"graphs", OX_A_GRAPHS},
    {"sparse_tensor", OX_A_SPARSE},
    {"sparse_tensors", OX_A_SPARSES},
    {"type_proto", OX_A_TYPE},
    {"type_protos", OX_A_TYPES},
};

static char *take_ident(ox_lexer *lx) {
    if (lx->tok != OX_T_IDENT) {
        ox_lex_fail(lx, "expected a name");
        return NULL;
    }
    char *name = ox_alloc(lx->arena, lx->len + 1);
    memcpy(name, lx->text, lx->len);
    return ox_lex_next(lx) < 0 ? NULL : name;
}

/* ---- attributes */

static int read_number(ox_lexer *lx, ox_attr_type type, int64_t *i, float *f) {
    bool minus = ox_lex_accept(lx, "-");
    double v = lx->float_value;
    if (type == OX_A_INT) {
        if (lx->tok != OX_T_INT) return ox_lex_fail(lx, "expected an integer");
        *i = minus ? -(int64_t)lx->int_value : (int64_t)lx->int_value;
    } else if (lx->tok == OX_T_IDENT) {
        if (!ox_lex_is(lx, "inf") && !ox_lex_is(lx, "nan")) return ox_lex_fail(lx, "expected a number");
        v = ox_lex_is(lx, "inf") ? (double)INFINITY : (double)NAN;
    } else if (lx->tok != OX_T_FLOAT && lx->tok != OX_T_INT) {
        return ox_lex_fail(lx, "expected a number");
    }
    *f = (float)(minus ? -v : v);
    return ox_lex_next(lx);
}

static int read_string(ox_lexer *lx, ox_str *s) {
    if (lx->tok != OX_T_STRING) return ox_lex_fail(lx, "expected a string");
    char *text = ox_alloc(lx->arena, lx->len + 1);
    if (lx->len) memcpy(text, lx->text, lx->len);
    *s = (ox_str){text, lx->len};
    return ox_lex_next(lx);
}

static int read_default_list(ox_lexer *lx, ox_attr *a) {
    size_t cap = 0;
    if (ox_lex_expect(lx, "[") < 0) return -1;
    while (!ox_lex_is(lx, "]")) {
        if (a->n && ox_lex_expect(lx, ",") < 0) return -1;
        int64_t i = 0;
        float f = 0;
        ox_str s = {0};
        if (a->type == OX_A_STRINGS) {
            if (read_string(lx, &s) < 0) return -1;
            OX_PUSH(lx->arena, a->ss, a->n, cap, s);
        } else if (a->type == OX_A_INTS) {
            if (read_number(lx, OX_A_INT, &i, &f) < 0) return -1;
            OX_PUSH(lx->arena, a->is, a->n, cap, i);
        } else {
            if (read_number(lx, OX_A_FLOAT, &i, &f) < 0) return -1;
            OX_PUSH(lx->arena, a->fs, a->n, cap, f);
        }
    }
    return ox_lex_next(lx);
}

static int read_default(ox_lexer *lx, ox_formal_attr *fa) {
    ox_attr *a = OX_NEW(lx->arena, ox_attr);
    a->name = ox_intern(lx->ctx, fa->name);
    a->type = fa->type;
    fa->dflt = a;
    int64_t i = 0;
    float f = 0;
    switch (fa->type) {
    case OX_A_INTS:
    case OX_A_FLOATS:
    case OX_A_STRINGS:
        return read_default_list(lx, a);
    case OX_A_STRING:
        return read_string(lx, &a->s);
    case OX_A_INT:
    case OX_A_FLOAT:
        if (read_number(lx, fa->type, &i, &f) < 0) return -1;
        if (fa->type == OX_A_INT)
            a->i = i;
        else
            a->f = f;
        return 0;
    default:
        return ox_lex_fail(lx, "an attribute of this type has no default");
    }
}

static int read_attribute(ox_lexer *lx, ox_formal_attr *fa) {
    if (!(fa->name = take_ident(lx)) || ox_lex_expect(lx, ":") < 0) return -1;
    for (size_t i = 0; i < sizeof attr_types / sizeof attr_types[0]; i++) {
        if (ox_lex_is(lx, attr_types[i].name)) fa->type = attr_types[i].type;
    }
    if (fa->type == OX_A_UNDEFINED) return ox_lex_fail(lx, "unknown attribute type");
    if (ox_lex_next(lx) < 0) return -1;
    if (ox_lex_accept(lx, "?")) return lx->failed ? -1 : 0;
    if (ox_lex_accept(lx, "=")) return read_default(lx, fa);
    fa->required = true;
    return lx->failed ? -1 : 0;
}

static int read_attributes(ox_lexer *lx, ox_signature *s) {
    size_t cap = 0;
    do {
        ox_formal_attr fa = {0};
        if (read_attribute(lx, &fa) < 0) return -1;
        OX_PUSH(lx->arena, s->attrs, s->n_attrs, cap, fa);
    } while (ox_lex_accept(lx, ","));
    return ox_lex_expect(lx, ">");
}

/* ---- types */

/* One item of a set, or a type around one, up to the matching ")": adds its text to OUT and its dtypes to *dtypes at
 * the top level. */
static int read_type_item(ox_lexer *lx, ox_text *out, uint64_t *dtypes, bool *other, int depth) {
    if (lx->tok != OX_T_IDENT || depth > 4) return ox_lex_fail(lx, "expected a type");
    bool known = false;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (!ox_lex_is(lx, sets[i].name)) continue;
        *dtypes |= sets[i].dtypes;
        known = true;
    }
    ox_dtype t = known ? OX_UNDEFINED : ox_dtype_from_name(lx->text, lx->len);
    if (t != OX_UNDEFINED) *dtypes |= BIT(t);
    ox_text_add_n(out, lx->text, lx->len);
    if (ox_lex_next(lx) < 0) return -1;
    if (!ox_lex_accept(lx, "(")) return lx->failed ? -1 : 0;
    uint64_t inner = 0;
    *other = true;
    ox_text_add(out, "(");
    for (;;) {
        if (read_type_item(lx, out, &inner, other, depth + 1) < 0) return -1;
        const char *sep = ox_lex_is(lx, "|") ? "|" : ox_lex_is(lx, ",") ? "," : NULL;
        if (!sep) break;
        ox_text_add(out, sep);
        if (ox_lex_next(lx) < 0) return -1;
    }
    ox_text_add(out, ")");
    return ox_lex_expect(lx, ")");
}

static int read_variables(ox_lexer *lx, ox_signature *s) {
    size_t cap = 0;
    while (lx->tok != OX_T_END) {
        ox_type_var v = {0};
        ox_text text = {.arena = lx->arena};
        if (s->n_vars && ox_lex_expect(lx, ",") < 0) return -1;
        if (!(v.name = take_ident(lx)) || ox_lex_expect(lx, ":") < 0) return -1;
        do {
            if (read_type_item(lx, &text, &v.dtypes, &v.other, 0) < 0) return -1;
        } while (ox_lex_accept(lx, "|"));
        OX_PUSH(lx->arena, s->vars, s->n_vars, cap, v);
    }
    return lx->failed ? -1 : 0;
}

/* ---- inputs and outputs */

static int read_formal(ox_lexer *lx, ox_formal *f) {
    ox_text type = {.arena = lx->arena};
    uint64_t dtypes = 0;
    bool other = false;
    ox_dtype t = lx->tok == OX_T_IDENT ? ox_dtype_from_name(lx->text, lx->len) : OX_UNDEFINED;
    if (read_type_item(lx, &type, &dtypes, &other, 0) < 0) return -1;
    f->type = t != OX_UNDEFINED ? ox_format(lx->arena, "tensor(%s)", type.data) : type.data;
    f->min_count = 1;
    if (ox_lex_accept(lx, "?")) {
        f->optional = true;
    } else if (ox_lex_is(lx, "...") || ox_lex_is(lx, "..~")) {
        f->variadic = true;
        f->heterogeneous = ox_lex_is(lx, "..~");
        if (ox_lex_next(lx) < 0) return -1;
        if (lx->tok == OX_T_INT) {
            f->min_count = (int)(lx->int_value & 0xffff);
            if (ox_lex_next(lx) < 0) return -1;
        }
    }
    return lx->failed || !(f->name = take_ident(lx)) ? -1 : 0;
}

static int read_formals(ox_lexer *lx, ox_formal **list, int *n, int *min, int *max) {
    size_t cap = 0;
    if (ox_lex_expect(lx, "(") < 0) return -1;
    while (!ox_lex_is(lx, ")")) {
        ox_formal f = {0};
        if (*n && ox_lex_expect(lx, ",") < 0) return -1;
        if (read_formal(lx, &f) < 0) return -1;
        OX_PUSH(lx->arena, *list, *n, cap, f);
        if (f.variadic) {
            *min = *n - 1 + f.min_count; /* optional ones before it must be there, if only as empty names */
            *max = INT_MAX;
        } else {
            if (!f.optional) *min = *n;
            *max = *n;
        }
    }
    return ox_lex_next(lx);
}

ox_signature *ox_signature_parse(ox_ctx *ctx, const char *text, const char *name) {
    ox_lexer lx;
    ox_signature *s = OX_NEW(ctx->arena, ox_signature);
    if (ox_lex_init(&lx, ctx, ctx->arena, text, strlen(text), name, OX_BUG, "... ..~ =>", "") < 0) return NULL;
    if (ox_lex_accept(&lx, "<") && read_attributes(&lx, s) < 0) return NULL;
    if (lx.failed || read_formals(&lx, &s->in, &s->n_in, &s->min_in, &s->max_in) < 0) return NULL;
    if (ox_lex_expect(&lx, "=>") < 0) return NULL;
    if (read_formals(&lx, &s->out, &s->n_out, &s->min_out, &s->max_out) < 0) return NULL;
    return read_variables(&lx, s) < 0 ? NULL : s;
}

int ox_signature_input(const ox_signature *s, const char *name) {
    for (int i = 0; i < s->n_in; i++) {
        if (!strcmp(s->in[i].name, name)) return i;
    }
    return -1;
}

const ox_formal_attr *ox_signature_attr(const ox_signature *s, const char *name) {
    for (int i = 0; i < s->n_attrs; i++) {
        if (!strcmp(s->attrs[i].name, name)) return &s->attrs[i];
    }
    return NULL;
}
