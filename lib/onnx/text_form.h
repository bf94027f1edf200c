/* Private to print*.c and parse*.c: the tables and the state that the two directions of the text form share.
 *
 * The text has ONNX's own syntax for the common fields of messages. All others are written in notes, "@{field:
 * value, -field}", from the descriptors of the schema: `-field` says that a field which the syntax implies is
 * absent. See docs/text.md. */
#ifndef OX_ONNX_TEXT_FORM_H
#define OX_ONNX_TEXT_FORM_H

#include "base/lex.h"
#include "onnx/proto.h"

enum {
    OX_TEXT_MANY = 64, /* payloads of more elements than this are written as hexadecimal bytes in the full form */
    OX_TEXT_MAX = 16   /* default of ox_print_options.max_elements */
};

/* Bit of a field in a set of fields; all numbers of the schema are below 32. */
#define OX_FIELD(number) (1u << (number))

/* "float" and so on; NULL when the number has no name. 0 is "undefined". */
const char *ox_text_type_name(int32_t data_type);
int ox_text_type_number(const char *name, size_t len); /* -1: no such type */
const char *ox_text_attr_type(int type);               /* NULL: none, or no name */
int ox_text_attr_number(const char *name, size_t len); /* 0: no such type */
/* The number of the TensorProto field that holds elements of this type, 0 when unknown. */
uint32_t ox_text_data_field(int32_t data_type);
/* A name that means something else where a type or a number may stand, so it is quoted. */
bool ox_text_reserved(const char *name, size_t len);
bool ox_text_is_number_name(const char *name, size_t len); /* nan, inf, infinity in any case */

/* Fields of any message by their descriptor. */
bool ox_field_has(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);     /* a repeated field: not empty */
size_t ox_field_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f); /* of a repeated field */
size_t ox_field_size(const ProtobufCFieldDescriptor *f); /* bytes of one element in memory */

/* ---- printing ---- */
typedef struct ox_printer {
    ox_text *out;
    bool full;
    size_t max;      /* elements shown without `full` */
    unsigned indent; /* levels of two spaces */
    unsigned depth;  /* nested graphs and types */
    bool too_deep;
} ox_printer;

void ox_print_int(ox_printer *p, int64_t v);
void ox_print_uint(ox_printer *p, uint64_t v);
void ox_print_float(ox_printer *p, float v);
void ox_print_double(ox_printer *p, double v);
void ox_print_hex(ox_printer *p, const void *data, size_t size); /* in quotes */
/* `["key": "value", ...]` */
void ox_print_entries(ox_printer *p, Onnx__StringStringEntryProto *const *entries, size_t n);
/* What follows the type and name of a tensor. Returns the fields that the text now says; adds to *implied what it
 * says besides. */
uint32_t ox_print_tensor_data(ox_printer *p, const Onnx__TensorProto *t, bool equals, uint32_t *implied);
/* "... "hash"" in place of elements. */
void ox_print_elided(ox_printer *p, uint64_t hash);

/* ---- parsing ---- */
typedef struct ox_text_parser {
    ox_lexer lx;
    ox_ctx *ctx;
    ox_message *msg;
    ox_arena *arena;
    bool exact;             /* the text began with "@exact": nothing is implied but what is written */
    bool in_attr;           /* at the value of an attribute, where no value info can be */
    uint32_t graphs, types; /* open ones */
    ox_map places;          /* names as they were made, opset imports and functions, to line and column */
} ox_text_parser;

/* parse_names.c */
void ox_text_mark(ox_text_parser *ps, const void *thing, int line, int column);
int ox_parse_check_names(ox_text_parser *ps, const Onnx__ModelProto *m);

int ox_parse_model_text(ox_text_parser *ps, Onnx__ModelProto *m);
int ox_parse_graph(ox_text_parser *ps, Onnx__GraphProto *g);
int ox_parse_attr(ox_text_parser *ps, Onnx__AttributeProto *a);
int ox_parse_type(ox_text_parser *ps, Onnx__TypeProto *t);
int ox_parse_value_info(ox_text_parser *ps, Onnx__ValueInfoProto *v);
int ox_parse_entry(ox_text_parser *ps, Onnx__StringStringEntryProto *e);
int ox_parse_opset(ox_text_parser *ps, Onnx__OperatorSetIdProto *o);
bool ox_at_type(const ox_text_parser *ps); /* the next token begins a type */
/* A name or a quoted string, as text for a field of type string. */
char *ox_parse_name(ox_text_parser *ps);
bool ox_at_name(const ox_text_parser *ps);
char *ox_parse_string(ox_text_parser *ps); /* a quoted string for such a field */
int ox_parse_bytes(ox_text_parser *ps, ProtobufCBinaryData *out);
/* Numbers with sign, range checked. */
int ox_parse_int64(ox_text_parser *ps, int64_t *out);
int ox_parse_int32(ox_text_parser *ps, int32_t *out);
int ox_parse_uint64(ox_text_parser *ps, uint64_t *out);
int ox_parse_float(ox_text_parser *ps, float *out);
int ox_parse_float64(ox_text_parser *ps, double *out);
/* Bytes as hexadecimal digits in quotes, into memory of the message. */
int ox_parse_hex(ox_text_parser *ps, ProtobufCBinaryData *out);
/* To be asked before each item of a list that ends with `close`: 1: an item follows, 0: that was the end, -1: neither.
 * *first is true before the first item. */
int ox_parse_item(ox_text_parser *ps, bool *first, const char *close);
/* Fails where the elements of a list were left out by printing. */
int ox_parse_not_elided(ox_text_parser *ps, const char *what);
/* "@{...}" when it is there. */
int ox_parse_notes(ox_text_parser *ps, ProtobufCMessage *m);
/* `key: value, ...` up to `close`. With `append`, lists are added to, as in headers; fields in `refused` may not be
 * set. */
int ox_parse_fields(ox_text_parser *ps, ProtobufCMessage *m, const char *close, bool append, uint32_t refused);
/* Tensors: a constant `type name? =? data` or, after a value info and "=", the data alone. */
int ox_parse_tensor(ox_text_parser *ps, Onnx__TensorProto *t);
int ox_parse_tensor_of(ox_text_parser *ps, Onnx__TensorProto *t, const Onnx__TypeProto *type);
int ox_parse_named_tensor(ox_text_parser *ps, Onnx__TensorProto *t, const Onnx__TypeProto *type); /* from the name on */

/* Adds an element to a repeated field whose capacity is the power of two above its count. */
void *ox_text_push(ox_arena *arena, void *items, size_t n, size_t size);
#define OX_TEXT_PUSH(ps, items, n, item)                                                                               \
    ((items) = ox_text_push((ps)->arena, (items), (n), sizeof *(items)), (items)[(n)++] = (item))
/* A new message of the struct type T, started by its descriptor. */
#define OX_TEXT_NEW(ps, T, desc) ((T *)ox_text_message((ps)->arena, (desc)))
ProtobufCMessage *ox_text_message(ox_arena *arena, const ProtobufCMessageDescriptor *desc);

#endif
