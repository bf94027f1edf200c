/* Text to message: models, functions, graphs, nodes, attributes. See text_form.h for the language, parse_tensor.c for
 * types and tensors, parse_fields.c for everything that is written field by field.
 *
 * What ONNX's own parser accepts gives the message that it would give: so a node's domain and a constant's name are
 * there, empty, where nothing was written. After "@exact" they are absent. The parser recurses only into graphs and
 * types, both counted. */
#include "onnx/text_form.h"

#include <string.h>

static int fail(ox_text_parser *ps, const char *expected) { return ox_lex_fail(&ps->lx, "expected %s", expected); }

int ox_parse_entry(ox_text_parser *ps, Onnx__StringStringEntryProto *e) {
    if (!(e->key = ox_parse_string(ps))) return -1;
    if (ox_lex_accept(&ps->lx, ":") && !(e->value = ox_parse_string(ps))) return -1;
    return ox_parse_notes(ps, &e->base);
}

int ox_parse_opset(ox_text_parser *ps, Onnx__OperatorSetIdProto *o) {
    ox_text_mark(ps, (const char *)o, ps->lx.line, ps->lx.column);
    if (ps->lx.tok == OX_T_STRING && (!(o->domain = ox_parse_string(ps)) || ox_lex_expect(&ps->lx, ":") < 0)) return -1;
    if (ox_parse_int64(ps, &o->version) < 0) return -1;
    o->has_version = true;
    return ox_parse_notes(ps, &o->base);
}

/* Names separated by commas. One that is left out before a comma is empty; a comma at the end has no effect. */
static int parse_ids(ox_text_parser *ps, char ***names, size_t *n) {
    if (!ox_at_name(ps) && !ox_lex_is(&ps->lx, ",")) return ps->lx.failed ? -1 : 0;
    do {
        int line = ps->lx.line, column = ps->lx.column;
        bool named = ox_at_name(ps);
        if (!named && !ox_lex_is(&ps->lx, ",")) break;
        char *name = named ? ox_parse_name(ps) : ox_strdup(ps->arena, "");
        if (!name) return -1;
        ox_text_mark(ps, name, line, column);
        OX_TEXT_PUSH(ps, *names, *n, name);
    } while (ox_lex_accept(&ps->lx, ","));
    return ps->lx.failed ? -1 : 0;
}

/* ---- attributes ---- */

/* Type of a list of values of type t, or the other way round; 0 when there is none. */
static int plural(int t) {
    if (t >= OX_A_FLOAT && t <= OX_A_GRAPH) return t + 5;
    return t == OX_A_SPARSE ? OX_A_SPARSES : t == OX_A_TYPE ? OX_A_TYPES : 0;
}

static int singular(int t) {
    if (t >= OX_A_FLOATS && t <= OX_A_GRAPHS) return t - 5;
    return t == OX_A_SPARSES ? OX_A_SPARSE : t == OX_A_TYPES ? OX_A_TYPE : t;
}

static void set_attr_type(Onnx__AttributeProto *a, int type) {
    a->has_type = true;
    a->type = (Onnx__AttributeProto__AttributeType)type;
}

static int parse_type_or_tensor(ox_text_parser *ps, Onnx__AttributeProto *a) {
    Onnx__TypeProto *type = OX_TEXT_NEW(ps, Onnx__TypeProto, &onnx__type_proto__descriptor);
    bool native = !ox_lex_is(&ps->lx, "@");
    if (ox_parse_type(ps, type) < 0) return -1;
    if (native && (ox_lex_is(&ps->lx, "{") || ox_lex_is(&ps->lx, "=") || ox_at_name(ps))) {
        set_attr_type(a, OX_A_TENSOR);
        a->t = OX_TEXT_NEW(ps, Onnx__TensorProto, &onnx__tensor_proto__descriptor);
        return ox_parse_named_tensor(ps, a->t, type);
    }
    set_attr_type(a, OX_A_TYPE);
    a->tp = type;
    return 0;
}

static int parse_number(ox_text_parser *ps, Onnx__AttributeProto *a) {
    ox_lexer ahead = ps->lx;
    ox_lex_accept(&ahead, "-");
    if (ahead.tok == OX_T_INT) {
        set_attr_type(a, OX_A_INT);
        a->has_i = true;
        return ox_parse_int64(ps, &a->i);
    }
    set_attr_type(a, OX_A_FLOAT);
    a->has_f = true;
    return ox_parse_float(ps, &a->f);
}

/* A quoted text is a string, unless a graph of that name goes on. */
static bool at_quoted_graph(const ox_text_parser *ps) {
    ox_lexer ahead = ps->lx;
    return ox_lex_next(&ahead) == 0 && (ox_lex_is(&ahead, "(") || ox_lex_is(&ahead, "=>"));
}

static int parse_single(ox_text_parser *ps, Onnx__AttributeProto *a) {
    ox_lexer *lx = &ps->lx;
    if (lx->tok == OX_T_INT || lx->tok == OX_T_FLOAT || ox_lex_is(lx, "-")) return parse_number(ps, a);
    if (lx->tok == OX_T_IDENT && ox_text_is_number_name(lx->text, lx->len)) return parse_number(ps, a);
    if (lx->tok == OX_T_STRING && !at_quoted_graph(ps)) {
        set_attr_type(a, OX_A_STRING);
        a->has_s = true;
        return ox_parse_bytes(ps, &a->s);
    }
    ps->in_attr = true;
    bool type = ox_at_type(ps) || ox_lex_is(lx, "@");
    ps->in_attr = false;
    if (type) return parse_type_or_tensor(ps, a);
    if (ox_at_name(ps)) {
        set_attr_type(a, OX_A_GRAPH);
        a->g = OX_TEXT_NEW(ps, Onnx__GraphProto, &onnx__graph_proto__descriptor);
        return ox_parse_graph(ps, a->g);
    }
    if (ox_lex_accept(lx, "{")) {
        set_attr_type(a, OX_A_SPARSE);
        a->sparse_tensor = OX_TEXT_NEW(ps, Onnx__SparseTensorProto, &onnx__sparse_tensor_proto__descriptor);
        return ox_parse_fields(ps, &a->sparse_tensor->base, "}", false, 0);
    }
    return fail(ps, "the value of an attribute");
}

/* Brings a value to the declared type: an integer may stand for a float. */
static int agree(const ox_lexer *start, Onnx__AttributeProto *a, int declared) {
    if (!declared || (int)a->type == declared) return 0;
    if (declared != OX_A_FLOAT || (int)a->type != OX_A_INT) {
        ox_lexer where = *start;
        return ox_lex_fail(&where, "a value of type %s where %s is expected", ox_text_attr_type((int)a->type),
                           ox_text_attr_type(declared));
    }
    set_attr_type(a, OX_A_FLOAT);
    a->has_f = true;
    a->f = (float)a->i;
    a->has_i = false;
    a->i = 0;
    return 0;
}

static void push_value(ox_text_parser *ps, Onnx__AttributeProto *a, const Onnx__AttributeProto *v) {
    switch ((int)v->type) {
    case OX_A_FLOAT: OX_TEXT_PUSH(ps, a->floats, a->n_floats, v->f); break;
    case OX_A_INT: OX_TEXT_PUSH(ps, a->ints, a->n_ints, v->i); break;
    case OX_A_STRING: OX_TEXT_PUSH(ps, a->strings, a->n_strings, v->s); break;
    case OX_A_TENSOR: OX_TEXT_PUSH(ps, a->tensors, a->n_tensors, v->t); break;
    case OX_A_GRAPH: OX_TEXT_PUSH(ps, a->graphs, a->n_graphs, v->g); break;
    case OX_A_SPARSE: OX_TEXT_PUSH(ps, a->sparse_tensors, a->n_sparse_tensors, v->sparse_tensor); break;
    default: OX_TEXT_PUSH(ps, a->type_protos, a->n_type_protos, v->tp); break;
    }
}

/* After "[". The first value, or the declared type, says what all are. */
static int parse_values(ox_text_parser *ps, Onnx__AttributeProto *a) {
    int declared = a->has_type ? (int)a->type : 0, element = singular(declared);
    if (ox_parse_not_elided(ps, "list") < 0) return -1;
    if (ox_lex_is(&ps->lx, "]") && !declared)
        return ox_lex_fail(&ps->lx, "an empty list needs a type: 'name: ints = []'");
    if (ox_lex_is(&ps->lx, "]") && element == declared)
        return ox_lex_fail(&ps->lx, "an empty list is no value of type %s", ox_text_attr_type(declared));
    bool first = true;
    int rc;
    while ((rc = ox_parse_item(ps, &first, "]")) > 0) {
        ox_lexer start = ps->lx;
        Onnx__AttributeProto v = ONNX__ATTRIBUTE_PROTO__INIT;
        if (parse_single(ps, &v) < 0 || agree(&start, &v, element) < 0) return -1;
        element = (int)v.type;
        set_attr_type(a, plural(element));
        push_value(ps, a, &v);
    }
    return rc;
}

/* "@name", as opposed to a type in notes, "@{...}". */
static bool at_reference(const ox_text_parser *ps) {
    ox_lexer ahead = ps->lx;
    return ox_lex_accept(&ahead, "@") && !ox_lex_is(&ahead, "{");
}

static int parse_attr_rest(ox_text_parser *ps, Onnx__AttributeProto *a) {
    if (ox_lex_accept(&ps->lx, ":")) {
        int type = ps->lx.tok == OX_T_IDENT ? ox_text_attr_number(ps->lx.text, ps->lx.len) : 0;
        if (!type) return fail(ps, "the type of an attribute");
        set_attr_type(a, type);
        if (ox_lex_next(&ps->lx) < 0) return -1;
    }
    if (ox_lex_expect(&ps->lx, "=") < 0) return -1;
    if (ox_lex_accept(&ps->lx, "[")) return parse_values(ps, a);
    if (at_reference(ps)) {
        ox_lex_accept(&ps->lx, "@");
        return (a->ref_attr_name = ox_parse_name(ps)) ? 0 : -1;
    }
    int declared = a->has_type ? (int)a->type : 0;
    ox_lexer start = ps->lx;
    return parse_single(ps, a) < 0 ? -1 : agree(&start, a, declared);
}

int ox_parse_attr(ox_text_parser *ps, Onnx__AttributeProto *a) {
    int line = ps->lx.line, column = ps->lx.column;
    if (!(a->name = ox_parse_name(ps))) return -1;
    ox_text_mark(ps, a->name, line, column);
    if (parse_attr_rest(ps, a) < 0) return -1;
    return ox_parse_notes(ps, &a->base);
}

static int parse_attrs(ox_text_parser *ps, Onnx__NodeProto *n) {
    if (!ox_lex_accept(&ps->lx, "<")) return ps->lx.failed ? -1 : 0;
    do {
        Onnx__AttributeProto *a = OX_TEXT_NEW(ps, Onnx__AttributeProto, &onnx__attribute_proto__descriptor);
        OX_TEXT_PUSH(ps, n->attribute, n->n_attribute, a);
        if (ox_parse_attr(ps, a) < 0) return -1;
    } while (ox_lex_accept(&ps->lx, ","));
    return ox_lex_expect(&ps->lx, ">");
}

/* ---- nodes ---- */

/* ".2" of "torch.2.X", which ONNX's printer does not quote; the lexer takes it for a number. */
static char *parse_digits(ox_text_parser *ps) {
    const ox_lexer *lx = &ps->lx;
    if (lx->tok != OX_T_FLOAT || lx->text[0] != '.' || strspn(lx->text + 1, "0123456789") < lx->len - 1) return NULL;
    char *s = ox_format(ps->arena, "%.*s", (int)lx->len - 1, lx->text + 1);
    return ox_lex_next(&ps->lx) < 0 ? NULL : s;
}

/* `domain.op:overload`; the last part is the operator. */
static int parse_op(ox_text_parser *ps, Onnx__NodeProto *n) {
    if (!ps->exact && !ox_at_name(ps)) return fail(ps, "the name of an operator");
    char *op = ox_at_name(ps) ? ox_parse_name(ps) : ox_strdup(ps->arena, ""), *part;
    ox_text domain = {.arena = ps->arena};
    ox_text_add(&domain, "");
    while (op && ((part = parse_digits(ps)) || ox_lex_accept(&ps->lx, "."))) {
        if (domain.len) ox_text_add(&domain, ".");
        ox_text_add(&domain, op);
        op = part ? part : ox_parse_name(ps);
    }
    if (!op) return -1;
    n->op_type = op;
    if (!ps->exact || domain.len) n->domain = domain.data;
    if (ox_lex_accept(&ps->lx, ":") && !(n->overload = ox_parse_name(ps))) return -1;
    return ps->lx.failed ? -1 : 0;
}

static int parse_node(ox_text_parser *ps, Onnx__NodeProto *n) {
    if (ox_lex_accept(&ps->lx, "[")) {
        n->name = ox_at_name(ps) ? ox_parse_name(ps) : ox_strdup(ps->arena, "");
        if (!n->name || ox_lex_expect(&ps->lx, "]") < 0) return -1;
    }
    if (parse_ids(ps, &n->output, &n->n_output) < 0 || ox_lex_expect(&ps->lx, "=") < 0) return -1;
    if (parse_op(ps, n) < 0 || parse_attrs(ps, n) < 0) return -1;
    if (ox_lex_expect(&ps->lx, "(") < 0 || parse_ids(ps, &n->input, &n->n_input) < 0 || ox_lex_expect(&ps->lx, ")") < 0)
        return -1;
    if (!n->n_attribute && parse_attrs(ps, n) < 0) return -1;
    return ox_parse_notes(ps, &n->base);
}

static int parse_nodes(ox_text_parser *ps, Onnx__NodeProto ***nodes, size_t *count) {
    if (ox_lex_expect(&ps->lx, "{") < 0) return -1;
    while (!ox_lex_accept(&ps->lx, "}")) {
        if (ps->lx.tok == OX_T_END) return fail(ps, "a node or '}', found the end of the text");
        Onnx__NodeProto *n = OX_TEXT_NEW(ps, Onnx__NodeProto, &onnx__node_proto__descriptor);
        OX_TEXT_PUSH(ps, *nodes, *count, n);
        if (parse_node(ps, n) < 0) return -1;
    }
    return ps->lx.failed ? -1 : 0;
}

/* ---- graphs ---- */

static int parse_default(ox_text_parser *ps, Onnx__GraphProto *g, const Onnx__ValueInfoProto *v) {
    Onnx__TensorProto *t = OX_TEXT_NEW(ps, Onnx__TensorProto, &onnx__tensor_proto__descriptor);
    t->name = v->name;
    OX_TEXT_PUSH(ps, g->initializer, g->n_initializer, t);
    return ox_parse_tensor_of(ps, t, v->type);
}

/* Values up to CLOSE into a list; a graph's inputs and inner values may have data ("= ..."), inner ones are then no
 * value infos. */
static int parse_value_infos(ox_text_parser *ps, const char *close, Onnx__GraphProto *g, bool keep,
                             Onnx__ValueInfoProto ***list, size_t *n) {
    bool first = true;
    int rc;
    while ((rc = ox_parse_item(ps, &first, close)) > 0) {
        Onnx__ValueInfoProto *v = OX_TEXT_NEW(ps, Onnx__ValueInfoProto, &onnx__value_info_proto__descriptor);
        if (ox_parse_value_info(ps, v) < 0) return -1;
        bool data = g && ox_lex_accept(&ps->lx, "=");
        if (!data || keep) OX_TEXT_PUSH(ps, *list, *n, v);
        if (data && parse_default(ps, g, v) < 0) return -1;
    }
    return rc;
}

static int parse_graph_parts(ox_text_parser *ps, Onnx__GraphProto *g) {
    if (!(g->name = ox_parse_name(ps))) return -1;
    if (ox_lex_accept(&ps->lx, "(") && parse_value_infos(ps, ")", g, true, &g->input, &g->n_input) < 0) return -1;
    if (ox_lex_expect(&ps->lx, "=>") < 0 || ox_lex_expect(&ps->lx, "(") < 0) return -1;
    if (parse_value_infos(ps, ")", NULL, true, &g->output, &g->n_output) < 0) return -1;
    if (ox_lex_accept(&ps->lx, "<") && parse_value_infos(ps, ">", g, false, &g->value_info, &g->n_value_info) < 0)
        return -1;
    if (parse_nodes(ps, &g->node, &g->n_node) < 0) return -1;
    return ox_parse_notes(ps, &g->base);
}

int ox_parse_graph(ox_text_parser *ps, Onnx__GraphProto *g) {
    if (ps->graphs > ps->ctx->limits.graph_depth) /* the main graph is no body */
        return ox_lex_fail(&ps->lx, "bodies nested beyond the nesting limit %u", ps->ctx->limits.graph_depth);
    ps->graphs++;
    int rc = parse_graph_parts(ps, g);
    ps->graphs--;
    return rc;
}

/* ---- functions ---- */

/* `<a, b: float = 1.0>`: without a value an attribute is required. */
static int parse_formals(ox_text_parser *ps, Onnx__FunctionProto *f) {
    if (!ox_lex_accept(&ps->lx, "<")) return ps->lx.failed ? -1 : 0;
    do {
        int line = ps->lx.line, column = ps->lx.column;
        char *name = ox_parse_name(ps);
        if (!name) return -1;
        ox_text_mark(ps, name, line, column);
        if (!ox_lex_is(&ps->lx, ":") && !ox_lex_is(&ps->lx, "=")) {
            OX_TEXT_PUSH(ps, f->attribute, f->n_attribute, name);
            continue;
        }
        Onnx__AttributeProto *a = OX_TEXT_NEW(ps, Onnx__AttributeProto, &onnx__attribute_proto__descriptor);
        a->name = name;
        OX_TEXT_PUSH(ps, f->attribute_proto, f->n_attribute_proto, a);
        if (parse_attr_rest(ps, a) < 0 || ox_parse_notes(ps, &a->base) < 0) return -1;
    } while (ox_lex_accept(&ps->lx, ","));
    return ox_lex_expect(&ps->lx, ">");
}

/* Names of inputs or outputs; one with a type is a value info of the function too. */
static int parse_signature(ox_text_parser *ps, Onnx__FunctionProto *f, char ***names, size_t *n) {
    if (ox_lex_expect(&ps->lx, "(") < 0) return -1;
    bool first = true;
    int rc;
    while ((rc = ox_parse_item(ps, &first, ")")) > 0) {
        Onnx__ValueInfoProto *v = OX_TEXT_NEW(ps, Onnx__ValueInfoProto, &onnx__value_info_proto__descriptor);
        if (ox_parse_value_info(ps, v) < 0) return -1;
        OX_TEXT_PUSH(ps, *names, *n, v->name);
        if (v->type) OX_TEXT_PUSH(ps, f->value_info, f->n_value_info, v);
    }
    return rc;
}

static int parse_function(ox_text_parser *ps, Onnx__FunctionProto *f) {
    uint32_t native = OX_FIELD(1) | OX_FIELD(4) | OX_FIELD(5) | OX_FIELD(6) | OX_FIELD(7) | OX_FIELD(11) | OX_FIELD(12);
    bool header = ox_lex_accept(&ps->lx, "<");
    f->name = ox_strdup(ps->arena, "");
    if (header && ox_parse_fields(ps, &f->base, ">", true, native) < 0) return -1;
    bool named = f->name != NULL; /* "-name" in the header */
    ox_text_mark(ps, (const char *)f, ps->lx.line, ps->lx.column);
    if (!(f->name = ox_parse_name(ps)) || parse_formals(ps, f) < 0) return -1;
    if (!named) f->name = NULL;
    if (parse_signature(ps, f, &f->input, &f->n_input) < 0 || ox_lex_expect(&ps->lx, "=>") < 0) return -1;
    if (parse_signature(ps, f, &f->output, &f->n_output) < 0) return -1;
    if (ox_lex_accept(&ps->lx, "<") && parse_value_infos(ps, ">", NULL, true, &f->value_info, &f->n_value_info) < 0)
        return -1;
    return parse_nodes(ps, &f->node, &f->n_node);
}

/* ---- models ---- */

int ox_parse_model_text(ox_text_parser *ps, Onnx__ModelProto *m) {
    if (ox_lex_accept(&ps->lx, "@")) {
        if (ox_lex_expect(&ps->lx, "exact") < 0) return -1;
        ps->exact = true;
    }
    bool header = ox_lex_accept(&ps->lx, "<");
    m->graph = OX_TEXT_NEW(ps, Onnx__GraphProto, &onnx__graph_proto__descriptor);
    if (header && ox_parse_fields(ps, &m->base, ">", true, OX_FIELD(7) | OX_FIELD(25)) < 0) return -1;
    if (ox_parse_graph(ps, m->graph) < 0) return -1;
    while (ps->lx.tok != OX_T_END) {
        Onnx__FunctionProto *f = OX_TEXT_NEW(ps, Onnx__FunctionProto, &onnx__function_proto__descriptor);
        OX_TEXT_PUSH(ps, m->functions, m->n_functions, f);
        if (parse_function(ps, f) < 0) return -1;
    }
    return ps->lx.failed ? -1 : 0;
}

typedef struct parse_job {
    ox_ctx *ctx;
    const char *text, *name;
    size_t len;
    ox_message *msg;
} parse_job;

static int parse_text(void *arg) {
    parse_job *job = arg;
    ox_message *msg = job->msg = ox_message_new(job->ctx, NULL, job->name);
    if (!msg) return -1;
    ox_text_parser ps = {.ctx = job->ctx, .msg = msg, .arena = msg->arena};
    msg->model = OX_TEXT_NEW(&ps, Onnx__ModelProto, &onnx__model_proto__descriptor);
    if (ox_lex_init(&ps.lx, job->ctx, msg->arena, job->text, job->len, msg->name, OX_BAD_DATA, "=>", "") < 0) return -1;
    return ox_parse_model_text(&ps, msg->model) < 0 ? -1 : ox_parse_check_names(&ps, msg->model);
}

ox_message *ox_message_parse(ox_ctx *ctx, const char *text, size_t len, const char *file_name) {
    parse_job job = {.ctx = ctx, .text = text, .name = file_name, .len = len};
    if (ox_protect(ctx, parse_text, &job) == 0) return job.msg;
    ox_message_free(job.msg);
    return NULL;
}
