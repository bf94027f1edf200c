/* Private to lib/onnx: what a message is, and what the files of this folder lend each other.
 *
 * A message is a tree of protobuf-c structs in an arena, never freed singly. Whoever adds structs to it takes them
 * from msg->arena and starts them with the generated *__init(). Strings of the tree are NUL-terminated and of the
 * arena; an absent string is NULL. raw_data of a message that was read points into a mapped file (any alignment,
 * length up to the file's); raw_data of a message that was made points to memory that lives as long as the message
 * (arena, or a payload registered by ox_message_payload()). Structs reached from a model's `origin` pointers are
 * shared: never edit them, copy them. */
#ifndef OX_PROTO_H
#define OX_PROTO_H

#include "onnx/onnx.h"
#include "onnx/onnx.pb-c.h"

typedef struct ox_payload { /* memory of a message that is not of its arena */
    void *data;
    struct ox_payload *next;
} ox_payload;

typedef struct ox_data_file { /* an external data file, by its location */
    const char *location;
    ox_file *file;
    char sha1[41]; /* "" until asked for */
    struct ox_data_file *next;
} ox_data_file;

struct ox_message {
    ox_ctx *ctx;
    ox_arena *arena;
    Onnx__ModelProto *model; /* never NULL once the message is made */
    const char *path;        /* as given; "-" is standard input; NULL: not from a file */
    const char *name;        /* for messages: path, or the name of the text file; never NULL */
    ox_file *source; /* the .onnx file whose bytes say exactly what `model` says; NULL: text, or made by export */
    ox_file *files;  /* every file opened for it, the model first; closed with the message */
    ox_data_file *data_files; /* external data files opened so far, in order of first use */
    ox_data_file **last_data_file;
    ox_map by_location;       /* interned location to ox_data_file */
    ox_map warned;            /* keys of external data that were warned of */
    ox_payload *payloads;     /* released with the message */
    const ox_message *origin; /* export: the message of the model, which lives longer; its files serve ours */
    const char **data_paths;  /* of ox_message_data_files() */
    size_t n_data_paths;
    bool located; /* every external tensor was resolved */
};

/* A new message without model; path and name are copied. NULL only without memory and without a guard. */
ox_message *ox_message_new(ox_ctx *ctx, const char *path, const char *name);
/* Memory for a payload of SIZE bytes, released with the message; NULL after ox_fail. */
void *ox_message_payload(ox_message *msg, size_t size);

/* ---- wire.c ---- */
/* Reads one message of the kind DESC from a file that outlives the tree. Payloads (TensorProto.raw_data) and unknown
 * fields are views, all else is in ARENA. `name` is the file's for messages. NULL after ox_fail (OX_BAD_DATA: "FILE:
 * offset N: path: what"). */
ProtobufCMessage *ox_wire_read(ox_ctx *ctx, ox_arena *arena, const ProtobufCMessageDescriptor *desc,
                               const ox_file *file, const char *name);
/* The format a file that is no ONNX model seems to have ("a PNG image"), or NULL. Text is looked for only when
 * `unreadable`: a few small models consist of printable bytes. */
const char *ox_wire_foreign(const uint8_t *data, uint64_t size, bool unreadable);

/* ---- message.c: walking ---- */
/* Where a thing is, for messages: "node 'x' (Conv): attribute 'w'", built only when needed. */
typedef struct ox_where {
    const struct ox_where *outer;
    const char *what; /* "node", "attribute", "function", "initializer" ... */
    const char *name; /* may be NULL */
    const char *kind; /* in parentheses: op type; may be NULL */
    int64_t index;    /* shown when there is no name; -1: none */
} ox_where;
const char *ox_where_text(ox_arena *arena, const ox_where *w);

/* ox_fail() with "FILE: WHERE: " before the text. */
int ox_message_fail(const ox_message *msg, const ox_where *w, int code, const char *format, ...) OX_PRINTF(4, 5);

/* Every TensorProto below a message, in the order of the fields; fn returns nonzero to stop. */
int ox_each_tensor(const ProtobufCMessage *m, int (*fn)(const Onnx__TensorProto *t, void *user), void *user);
/* The tree with every tensor replaced by fn(t); messages above a replaced one are copied, all others shared. */
typedef Onnx__TensorProto *(*ox_map_fn)(Onnx__TensorProto *t, bool initializer, void *user); /* never NULL */
ProtobufCMessage *ox_map_tensors(ox_arena *arena, const ProtobufCMessage *m, ox_map_fn fn, void *user);

/* ---- tensors.c ---- */
/* A view of a TensorProto, all its fields checked; external data located. NULL after ox_fail. The caller owns the
 * reference. */
ox_tensor *ox_tensor_from_proto(ox_message *msg, const Onnx__TensorProto *t, const ox_where *where);
ox_sparse *ox_sparse_from_proto(ox_message *msg, ox_arena *arena, const Onnx__SparseTensorProto *s,
                                const ox_where *where);
/* The checks alone. Fills dims' product and the payload's bytes (either may be NULL). */
int ox_tensor_check(ox_message *msg, const Onnx__TensorProto *t, const ox_where *where, int64_t *count,
                    uint64_t *bytes);
/* ---- external.c ---- */
static inline bool ox_proto_is_external(const Onnx__TensorProto *t) {
    return t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}
typedef struct ox_external { /* what the entries say */
    const char *location, *checksum;
    uint64_t offset, length;
    bool has_offset, has_length;
} ox_external;
/* Reads and checks the entries; no file is touched. */
int ox_external_read(ox_message *msg, const Onnx__TensorProto *t, const ox_where *where, ox_external *e);
/* The file at a location, opened once. */
ox_data_file *ox_external_open(ox_message *msg, const char *location, const ox_where *where);
/* The payload of BYTES bytes in its file, which is opened at first need. */
int ox_external_locate(ox_message *msg, const Onnx__TensorProto *t, const ox_where *where, uint64_t bytes,
                       const uint8_t **view, ox_file **file);
/* Locates every external tensor of the message: all its files are open afterwards. */
int ox_message_locate(ox_message *msg);
/* Hexadecimal SHA-1; hex has 41 bytes. */
void ox_sha1_hex(const uint8_t *data, uint64_t size, char *hex);

/* ---- attributes.c: types in, encode.c: types and tensors out ---- */
const ox_type *ox_type_from_proto(ox_message *msg, ox_arena *arena, const Onnx__TypeProto *t, const ox_where *where);
Onnx__TypeProto *ox_type_to_proto(ox_arena *arena, const ox_type *t);
/* The proto a tensor came from when it still says the same under this name, else a new one; `like` (may be NULL) lends
 * a new one its doc string, metadata and unknown fields. The payload is shared. NULL after ox_fail. */
Onnx__TensorProto *ox_tensor_to_proto(ox_message *msg, const ox_tensor *t, const char *name,
                                      const Onnx__TensorProto *like);
/* location, offset, length in place of the data of a copied proto. */
void ox_external_set(ox_message *msg, Onnx__TensorProto *p, const char *location, uint64_t offset, uint64_t length);
/* Drops every data field of a copied proto, external entries too. */
void ox_tensor_clear(Onnx__TensorProto *p);

/* ---- message.c ---- */
/* The file among those of the message in which a pointer lies, or NULL. */
const ox_file *ox_message_file_of(const ox_message *msg, const void *data, uint64_t size);

#endif
