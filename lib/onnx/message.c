/* Messages: opening, closing, and walking their tensors.
 *
 * A message owns its arena, in which it lies itself, its files and its payloads. Everything in the tree is immutable
 * once it was made: changes are made by copying the structs above what changes (ox_map_tensors). */
#include "onnx/proto.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGE_FILE = 16 << 20 };

ox_message *ox_message_new(ox_ctx *ctx, const char *path, const char *name) {
    ox_arena *arena = ox_arena_new(ctx);
    if (!arena) return NULL;
    ox_message *msg = OX_NEW(arena, ox_message);
    msg->ctx = ctx;
    msg->arena = arena;
    msg->path = path ? ox_strdup(arena, path) : NULL;
    msg->name = ox_strdup(arena, name ? name : path ? path : "model");
    msg->last_data_file = &msg->data_files;
    ox_map_init(&msg->by_location, arena);
    ox_map_init(&msg->warned, arena);
    return msg;
}

void ox_message_free(ox_message *msg) {
    if (!msg) return;
    for (ox_payload *p = msg->payloads; p; p = p->next) ox_payload_free(p->data);
    for (ox_file *f = msg->files, *next; f; f = next) {
        next = f->next;
        ox_file_close(f);
    }
    ox_arena_free(msg->arena);
}

void *ox_message_payload(ox_message *msg, size_t size) {
    ox_payload *p = OX_NEW(msg->arena, ox_payload);
    p->data = ox_payload_alloc(msg->ctx, size ? size : 1);
    if (!p->data) return NULL;
    p->next = msg->payloads;
    msg->payloads = p;
    return p->data;
}

/* ---- opening ---- */

typedef struct open_job {
    ox_ctx *ctx;
    const char *path;
    ox_message *msg;
} open_job;

static int refuse_foreign(const ox_message *msg, bool unreadable) {
    const char *what = ox_wire_foreign(msg->source->data, msg->source->size, unreadable);
    return what ? ox_fail(msg->ctx, OX_BAD_DATA, "%s: this is %s, not an ONNX model", msg->name, what) : 0;
}

/* Reading a message touches a page here and there between the payloads: what lies around it is not to be fetched. */
static void advise(const ox_file *f, bool sparse) {
    if (f->mapped && f->size >= LARGE_FILE)
        madvise((void *)(uintptr_t)f->data, f->size, sparse ? MADV_RANDOM : MADV_NORMAL);
}

static int open_message(void *arg) {
    open_job *job = arg;
    ox_ctx *ctx = job->ctx;
    ox_message *msg = job->msg = ox_message_new(ctx, job->path, !strcmp(job->path, "-") ? "standard input" : job->path);
    if (!msg) return ox_fail(ctx, OX_NO_MEMORY, "out of memory");
    msg->source = msg->files = ox_file_open(ctx, job->path);
    if (!msg->source) return -1;
    if (!msg->source->size) return ox_fail(ctx, OX_BAD_DATA, "%s: empty, not an ONNX model", msg->name);
    if (refuse_foreign(msg, false)) return -1;
    if (msg->source->size > ctx->limits.file_bytes)
        return ox_fail(ctx, OX_BAD_DATA, "%s: %llu bytes, over the limit of %llu bytes of a protobuf file", msg->name,
                       (unsigned long long)msg->source->size, (unsigned long long)ctx->limits.file_bytes);
    advise(msg->source, true);
    msg->model =
        (Onnx__ModelProto *)ox_wire_read(ctx, msg->arena, &onnx__model_proto__descriptor, msg->source, msg->name);
    advise(msg->source, false);
    if (!msg->model) {
        if (ox_error_code(ctx) == OX_BAD_DATA) refuse_foreign(msg, true);
        return -1;
    }
    if (!msg->model->graph)
        return refuse_foreign(msg, true)
                   ? -1
                   : ox_fail(ctx, OX_BAD_DATA, "%s: not an ONNX model: field 'graph' is missing", msg->name);
    return 0;
}

ox_message *ox_message_open(ox_ctx *ctx, const char *path) {
    open_job job = {ctx, path, NULL};
    if (!ox_protect(ctx, open_message, &job) && !(ctx->verify_checksums && ox_message_verify_checksums(job.msg))) return job.msg;
    ox_message_free(job.msg);
    return NULL;
}

const ox_file *ox_message_file_of(const ox_message *msg, const void *data, uint64_t size) {
    uintptr_t at = (uintptr_t)data;
    for (; msg; msg = msg->origin)
        for (const ox_file *f = msg->files; f; f = f->next) {
            uintptr_t start = (uintptr_t)f->data;
            if (at >= start && at - start <= f->size && f->size - (at - start) >= size) return f;
        }
    return NULL;
}

/* ---- where things are ---- */

static void add_where(ox_text *t, const ox_where *w) {
    if (!w) return;
    add_where(t, w->outer);
    if (t->len) ox_text_add(t, ": ");
    ox_text_add(t, w->what);
    if (w->name && w->name[0])
        ox_text_addf(t, " '%.512s'", w->name);
    else if (w->index >= 0)
        ox_text_addf(t, " %lld", (long long)w->index);
    if (w->kind) ox_text_addf(t, " (%.128s)", w->kind);
}

const char *ox_where_text(ox_arena *arena, const ox_where *w) {
    ox_text t = {.arena = arena};
    add_where(&t, w);
    return t.len ? t.data : "";
}

int ox_message_fail(const ox_message *msg, const ox_where *w, int code, const char *format, ...) {
    char what[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (w) return ox_fail(msg->ctx, code, "%s: %s: %s", msg->name, ox_where_text(msg->arena, w), what);
    return ox_fail(msg->ctx, code, "%s: %s", msg->name, what);
}

/* ---- tensors of a tree ---- */

/* Kinds of messages below which a tensor may be. */
static bool holds_tensors(const ProtobufCMessageDescriptor *d) {
    return d == &onnx__graph_proto__descriptor || d == &onnx__node_proto__descriptor ||
           d == &onnx__attribute_proto__descriptor || d == &onnx__sparse_tensor_proto__descriptor ||
           d == &onnx__function_proto__descriptor || d == &onnx__model_proto__descriptor ||
           d == &onnx__training_info_proto__descriptor || d == &onnx__tensor_proto__descriptor ||
           d == &onnx__sequence_proto__descriptor || d == &onnx__optional_proto__descriptor ||
           d == &onnx__map_proto__descriptor;
}

static bool leads_to_tensors(const ProtobufCFieldDescriptor *d) {
    return d->type == PROTOBUF_C_TYPE_MESSAGE && holds_tensors(d->descriptor);
}

/* The children of a field: pointer to the first of *n pointers. */
static ProtobufCMessage **children(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *d, size_t *n) {
    char *at = (char *)m + d->offset;
    if (d->label != PROTOBUF_C_LABEL_REPEATED) {
        *n = *(ProtobufCMessage **)at != NULL;
        return (ProtobufCMessage **)at;
    }
    *n = *(const size_t *)((const char *)m + d->quantifier_offset);
    return *(ProtobufCMessage ***)at;
}

int ox_each_tensor(const ProtobufCMessage *m, int (*fn)(const Onnx__TensorProto *t, void *user), void *user) {
    if (m->descriptor == &onnx__tensor_proto__descriptor) return fn((const Onnx__TensorProto *)m, user);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &m->descriptor->fields[i];
        if (!leads_to_tensors(d)) continue;
        size_t n;
        ProtobufCMessage **c = children(m, d, &n);
        for (size_t j = 0; j < n; j++) {
            int stop = ox_each_tensor(c[j], fn, user);
            if (stop) return stop;
        }
    }
    return 0;
}

static ProtobufCMessage *map_tensors(ox_arena *arena, const ProtobufCMessage *m, bool initializer, ox_map_fn fn,
                                     void *user) {
    if (m->descriptor == &onnx__tensor_proto__descriptor)
        return (ProtobufCMessage *)fn((Onnx__TensorProto *)m, initializer, user);
    ProtobufCMessage *copy = NULL;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &m->descriptor->fields[i];
        if (!leads_to_tensors(d)) continue;
        bool inside =
            m->descriptor == &onnx__graph_proto__descriptor && d->descriptor == &onnx__tensor_proto__descriptor;
        size_t n;
        ProtobufCMessage **c = children(m, d, &n), **changed = NULL;
        for (size_t j = 0; j < n; j++) {
            ProtobufCMessage *r = map_tensors(arena, c[j], inside, fn, user);
            if (r == c[j]) continue;
            if (!changed) changed = ox_dup(arena, c, n * sizeof *c);
            changed[j] = r;
        }
        if (!changed) continue;
        if (!copy) copy = ox_dup(arena, m, m->descriptor->sizeof_message);
        void *at = (char *)copy + d->offset;
        if (d->label == PROTOBUF_C_LABEL_REPEATED)
            memcpy(at, &changed, sizeof changed);
        else
            memcpy(at, changed, sizeof *changed);
    }
    return copy ? copy : (ProtobufCMessage *)m;
}

ProtobufCMessage *ox_map_tensors(ox_arena *arena, const ProtobufCMessage *m, ox_map_fn fn, void *user) {
    return map_tensors(arena, m, false, fn, user);
}
