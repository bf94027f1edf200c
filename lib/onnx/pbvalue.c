/* Value files of the backend tests: a bare TensorProto, SequenceProto, OptionalProto or MapProto. What is read owns
 * its memory; the file is closed again. */
#include "onnx/write.h"

#include <string.h>

enum { V_ABSENT = 0, V_TENSOR = 1, V_SEQUENCE = 2, V_MAP = 3 };
/* SequenceProto.elem_type, OptionalProto.elem_type */
enum { E_UNDEFINED, E_TENSOR, E_SPARSE, E_SEQUENCE, E_MAP, E_OPTIONAL };

typedef struct read_job {
    ox_ctx *ctx;
    ox_arena *arena;
    const char *path;
    const ox_type *declared;
    ox_pb_value *out;
    ox_message *msg;
} read_job;

static void release(ox_pb_value *v) {
    ox_tensor_unref(v->t);
    v->t = NULL;
    for (size_t i = 0; i < v->n; i++) release(&v->items[i]);
    v->n = 0;
}

/* ---- reading; recursion is bounded by the reader of the wire ---- */

static int read_tensor(read_job *job, const Onnx__TensorProto *p, ox_pb_value *out) {
    ox_where w = {NULL, "tensor", p->name, NULL, -1};
    ox_tensor *view = ox_tensor_from_proto(job->msg, p, &w);
    const void *data = view ? ox_tensor_data(view) : NULL;
    ox_tensor *t = data ? ox_tensor_new(job->ctx, view->dtype, view->rank, view->dims) : NULL;
    int failed = t ? 0 : -1;
    out->kind = V_TENSOR;
    out->t = t;
    if (t && t->dtype == OX_STRING) {
        const ox_str *s = data;
        for (int64_t i = 0; i < t->count && !failed; i++) failed = ox_tensor_set_str(t, i, s[i].data, s[i].len);
    } else if (t && t->bytes) {
        memcpy(ox_tensor_mut(t), data, (size_t)t->bytes);
    }
    if (t) out->elem = t->dtype;
    ox_tensor_unref(view);
    return failed;
}

static int unsupported(read_job *job, const char *what) {
    return ox_message_fail(job->msg, NULL, OX_BAD_DATA, "%s in a value file", what);
}

static int read_sequence(read_job *job, const Onnx__SequenceProto *p, ox_pb_value *out);
static int read_optional(read_job *job, const Onnx__OptionalProto *p, ox_pb_value *out);

static int read_map(read_job *job, const Onnx__MapProto *p, ox_pb_value *out) {
    int64_t n = (int64_t)(p->n_string_keys ? p->n_string_keys : p->n_keys);
    bool strings = p->key_type == OX_STRING;
    out->kind = V_MAP;
    if ((p->n_keys && p->n_string_keys) || (strings ? p->n_keys : p->n_string_keys) ||
        (!strings && !ox_dtype_is_int((ox_dtype)p->key_type)))
        return unsupported(job, "keys that do not fit key_type");
    out->t = ox_tensor_new(job->ctx, strings ? OX_STRING : OX_INT64, 1, &n);
    if (!out->t) return -1;
    for (int64_t i = 0; i < n; i++) {
        if (!strings)
            ox_store_int(OX_INT64, ox_tensor_mut(out->t), i, p->keys[i]);
        else if (ox_tensor_set_str(out->t, i, (const char *)p->string_keys[i].data, p->string_keys[i].len))
            return -1;
    }
    out->items = OX_NEW(job->arena, ox_pb_value);
    out->n = 1;
    if (!p->values) return unsupported(job, "a map without values");
    return read_sequence(job, p->values, out->items);
}

static int read_sequence(read_job *job, const Onnx__SequenceProto *p, ox_pb_value *out) {
    size_t n = p->n_tensor_values + p->n_sequence_values + p->n_map_values + p->n_optional_values;
    int failed = 0;
    out->kind = V_SEQUENCE;
    if (p->n_sparse_tensor_values) return unsupported(job, "sparse tensors");
    if (n != p->n_tensor_values && n != p->n_sequence_values && n != p->n_map_values && n != p->n_optional_values)
        return unsupported(job, "a sequence of elements of several kinds");
    out->items = OX_NEW_N(job->arena, ox_pb_value, n);
    for (size_t i = 0; i < n && !failed; i++) {
        out->n = i + 1;
        failed = p->n_tensor_values     ? read_tensor(job, p->tensor_values[i], &out->items[i])
                 : p->n_sequence_values ? read_sequence(job, p->sequence_values[i], &out->items[i])
                 : p->n_map_values      ? read_map(job, p->map_values[i], &out->items[i])
                                        : read_optional(job, p->optional_values[i], &out->items[i]);
    }
    if (n) out->elem = out->items[0].elem;
    return failed;
}

static int read_optional(read_job *job, const Onnx__OptionalProto *p, ox_pb_value *out) {
    switch (p->elem_type) {
    case E_TENSOR:
        return p->tensor_value ? read_tensor(job, p->tensor_value, out) : 0;
    case E_SEQUENCE:
        return p->sequence_value ? read_sequence(job, p->sequence_value, out) : 0;
    case E_MAP:
        return p->map_value ? read_map(job, p->map_value, out) : 0;
    case E_OPTIONAL:
        return p->optional_value ? read_optional(job, p->optional_value, out) : 0;
    case E_UNDEFINED:
        return 0;
    default:
        return unsupported(job, "a sparse tensor, or an element of unknown kind,");
    }
}

/* The element type of tensors below a declared type, for empty sequences. */
static ox_dtype declared_elem(const ox_type *t) {
    while (t && t->elem) t = t->elem;
    return t && t->kind == OX_K_TENSOR ? t->dtype : OX_UNDEFINED;
}

static int read_value(void *arg) {
    read_job *job = arg;
    ox_kind kind = job->declared ? job->declared->kind : OX_K_TENSOR;
    const ProtobufCMessageDescriptor *d = kind == OX_K_SEQUENCE   ? &onnx__sequence_proto__descriptor
                                          : kind == OX_K_OPTIONAL ? &onnx__optional_proto__descriptor
                                          : kind == OX_K_MAP      ? &onnx__map_proto__descriptor
                                                                  : &onnx__tensor_proto__descriptor;
    job->msg = ox_message_new(job->ctx, job->path, NULL);
    if (!job->msg) return ox_fail(job->ctx, OX_NO_MEMORY, "out of memory");
    job->msg->files = ox_file_open(job->ctx, job->path);
    if (!job->msg->files) return -1;
    ProtobufCMessage *m = ox_wire_read(job->ctx, job->msg->arena, d, job->msg->files, job->path);
    if (!m) return -1;
    job->out->elem = declared_elem(job->declared);
    switch (kind) {
    case OX_K_SEQUENCE:
        return read_sequence(job, (Onnx__SequenceProto *)m, job->out);
    case OX_K_OPTIONAL:
        return read_optional(job, (Onnx__OptionalProto *)m, job->out);
    case OX_K_MAP:
        return read_map(job, (Onnx__MapProto *)m, job->out);
    default:
        return read_tensor(job, (Onnx__TensorProto *)m, job->out);
    }
}

int ox_pb_read(ox_ctx *ctx, ox_arena *arena, const char *path, const ox_type *declared, ox_pb_value *out) {
    *out = (ox_pb_value){.kind = V_ABSENT};
    read_job job = {ctx, arena, path, declared, out, NULL};
    int failed = ox_protect(ctx, read_value, &job);
    if (failed) release(out);
    ox_message_free(job.msg);
    return failed;
}

/* ---- writing ---- */

typedef struct tensor_job {
    ox_ctx *ctx;
    const char *path, *name;
    const ox_tensor *t;
    ox_message *msg;
    ox_out *out;
} tensor_job;

static int write_tensor(void *arg) {
    tensor_job *job = arg;
    job->msg = ox_message_new(job->ctx, NULL, job->path);
    if (!job->msg) return ox_fail(job->ctx, OX_NO_MEMORY, "out of memory");
    Onnx__TensorProto *p = ox_tensor_to_proto(job->msg, job->t, job->name, NULL);
    if (p && ox_proto_is_external(p)) { /* a value file has no folder for external data */
        Onnx__TensorProto *copy = ox_dup(job->msg->arena, p, sizeof *p);
        const void *data = ox_tensor_data(job->t);
        if (!data) return -1;
        ox_tensor_clear(copy);
        copy->has_raw_data = true;
        copy->raw_data = (ProtobufCBinaryData){(size_t)job->t->bytes, (uint8_t *)data};
        p = copy;
    }
    if (!p) return -1;
    job->out = ox_out_open(job->ctx, job->path);
    return job->out ? ox_pack_message(job->msg, &p->base, job->out) : -1;
}

ox_out *ox_pb_tensor(ox_ctx *ctx, const char *path, const ox_tensor *t, const char *name) {
    tensor_job job = {.ctx = ctx, .path = path, .name = name, .t = t};
    int failed = ox_protect(ctx, write_tensor, &job);
    ox_message_free(job.msg);
    if (!failed) return job.out;
    ox_out_close(job.out);
    return NULL;
}

int ox_pb_write_tensor(ox_ctx *ctx, const char *path, const ox_tensor *t, const char *name) {
    ox_out *out = ox_pb_tensor(ctx, path, t, name);
    int failed = out ? ox_out_commit(out) : -1;
    ox_out_close(out);
    return failed;
}
