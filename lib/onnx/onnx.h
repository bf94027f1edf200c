/* ONNX files: binary and text, to and from the model in memory. Only this folder sees protobuf-c.
 *
 *   file --wire.c--> message, payloads as views --import.c--> ox_model
 *   text --parse.c--> message                                ox_model --export.c--> message --write.c--> file
 *                                                            message --print.c--> text
 *
 * A message is what a file says, field by field, nothing checked but the wire and the limits; a model is a graph that
 * obeys the IR's invariants. Printing, parsing and copying work on messages, so they lose nothing even of models that
 * are not valid. */
#ifndef OX_ONNX_H
#define OX_ONNX_H

#include "base/file.h"
#include "ir/ir.h"

typedef struct ox_message ox_message; /* a ModelProto with its payloads as views on mapped files */

/* Opens a file, or standard input ("-"). Text models (.txt, .onnxtxt, or no wire format but "<" or letters as first
 * token) are not guessed: use ox_message_parse(). */
ox_message *ox_message_open(ox_ctx *ctx, const char *path);
void ox_message_free(ox_message *msg); /* NULL allowed; a model imported from it must be freed before */
/* ONNX text form (docs/Syntax.md of onnx, with our additions: docs/text.md) to a message. Errors: file:line:column,
 * OX_BAD_DATA. */
ox_message *ox_message_parse(ox_ctx *ctx, const char *text, size_t len, const char *file_name);

typedef struct ox_print_options {
    bool full;        /* every byte of every tensor and every field, so that parsing gives an equal message */
    int max_elements; /* without full: tensors with more elements are shown as {...sha...}; default 16 */
} ox_print_options;
int ox_message_print(const ox_message *msg, const ox_print_options *o, ox_text *out);

/* The model of a message: scopes, names, arity, attributes, types, tensors, external data are checked (OX_BAD_DATA,
 * OX_POLICY ...). Nodes out of order are sorted (with a warning). The message must live as long as the model. */
ox_model *ox_model_from_message(ox_ctx *ctx, ox_message *msg);
/* The quantization annotations of a graph: a tensor and one that holds a parameter of it, by name. fn returns nonzero to stop. The
 * initializers named as parameters are pinned. */
int ox_each_annotation(const ox_graph *g, int (*fn)(const char *tensor, const char *parameter, void *user), void *user);
/* Whether the file holds training graphs (training_info). They stay as they are, so what changes the meaning of nodes must not run. */
bool ox_model_has_training(const ox_model *m);
/* Both steps; the model owns the message. */
ox_model *ox_model_open(ox_ctx *ctx, const char *path);
ox_model *ox_model_parse(ox_ctx *ctx, const char *text, size_t len, const char *file_name);
/* A message that says what the model says now; shares payloads with the model. Settles names. */
ox_message *ox_model_export(ox_model *m);
int ox_model_print(ox_model *m, const ox_print_options *o, ox_text *out);

typedef struct ox_save_options {
    const char *data_file;     /* NULL: tensors stay where they are (inline stays inline, external data files are copied beside the output
                                  under the same location when the output is in another folder); else: tensors of `threshold` bytes or
                                  more go to this file, relative to the output */
    uint64_t threshold;        /* bytes; default 1024 */
    uint64_t align;            /* of tensors of 64 KiB and more: 4096; smaller ones: 64 */
    bool internalize;          /* all external data into the .onnx */
    ox_outs *with;             /* outputs of the caller's, written, that appear together with the model: after its data, before itself; or NULL */
} ox_save_options;
/* Writes the model; an unchanged model as the bytes it came from. Nothing of an older file is lost when it fails.
 * Output over 2 GiB without external data: external data in "<name>.data" are chosen by itself. */
int ox_model_save(ox_model *m, const char *path, const ox_save_options *o); /* o may be NULL */
/* Copies the message's file and its external data untouched. with: as in ox_save_options. */
int ox_message_copy(ox_message *msg, const char *path, ox_outs *with);
/* Writes a message made by parsing or export. */
int ox_message_write(ox_message *msg, const char *path);

/* External data files the model refers to (paths as opened), for depfiles. */
int ox_message_data_files(const ox_message *msg, const char *const **paths, size_t *n);
/* Verifies "checksum" keys (SHA-1 of the whole file); ox_message_open() does when ctx->verify_checksums asks for it. */
int ox_message_verify_checksums(ox_message *msg);

/* Value files of the backend test suite: a bare TensorProto, SequenceProto or OptionalProto, by declared type. out is
 * an ox_rt (op/op.h) made through callbacks to keep the include law: */
typedef struct ox_pb_value { /* tree of what the file holds */
    int kind;                /* 0 absent optional, 1 tensor, 2 sequence, 3 map (n = 1 sequence/tensor of values, t = keys) */
    ox_tensor *t;            /* owned by the caller: unref */
    struct ox_pb_value *items;
    size_t n;
    ox_dtype elem;
} ox_pb_value;
int ox_pb_read(ox_ctx *ctx, ox_arena *arena, const char *path, const ox_type *declared, ox_pb_value *out);
/* The other way. Written, not yet committed; NULL after ox_fail(). */
ox_out *ox_pb_tensor(ox_ctx *ctx, const char *path, const ox_tensor *t, const char *name);
int ox_pb_write_tensor(ox_ctx *ctx, const char *path, const ox_tensor *t, const char *name);

/* A difference of two models that a person can read: unified diff of their texts (without payloads), empty when equal. */
int ox_text_diff(ox_arena *arena, const char *a, const char *b, int context, ox_text *out);

#endif
