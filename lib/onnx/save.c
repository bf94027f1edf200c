/* Saving a model: unchanged ones byte for byte, others exported, with their tensors where the options want them.
 *
 * A data file holds tensors in the order in which they stand in the model, each once however often it occurs, at
 * multiples of 64 bytes and large ones at multiples of `align`. Only initializers go out: not every runtime looks for
 * external data elsewhere. */
#include "onnx/write.h"

#include <string.h>

enum { ALIGN_SMALL = 64, ALIGN_LARGE = 4096, LARGE = 64 << 10, THRESHOLD = 1024, SLICE = 4 << 20 };

/* A payload that is in the data file, or will be. */
typedef struct piece {
    const void *data;
    uint64_t size, offset;
    struct piece *next; /* in the file */
    bool hashed;        /* in the set */
} piece;

typedef struct save_job {
    ox_ctx *ctx;
    ox_model *m;
    const char *path;
    const ox_save_options *o;
    ox_message *msg;
    const char *location; /* of the data file; NULL: none */
    uint64_t threshold, align;
    piece *first, *last;
    ox_map by_size; /* size + 1 to the first piece of that size */
    ox_set by_hash; /* pieces whose size is not unique */
    uint64_t end;   /* of the data file so far */
    bool failed;
    ox_outs outs;
} save_job;

/* ---- payloads ---- */

/* The bytes of a tensor as raw_data would have them; NULL after ox_fail. Typed fields are converted. */
static const void *payload(save_job *job, const Onnx__TensorProto *t, uint64_t *size) {
    ox_where w = {NULL, "tensor", t->name, NULL, -1};
    ox_message *source = job->msg->origin ? (ox_message *)job->msg->origin : job->msg;
    if (t->has_raw_data) {
        *size = t->raw_data.len;
        return t->raw_data.data ? t->raw_data.data : (const void *)"";
    }
    ox_tensor *tensor = ox_tensor_from_proto(source, t, &w);
    if (!tensor) return NULL;
    ox_model_own(job->m, tensor);
    *size = tensor->bytes;
    return tensor->view ? tensor->view : ox_tensor_data(tensor);
}

static uint64_t payload_size(const Onnx__TensorProto *t) {
    uint64_t bytes = 0;
    int64_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++)
        if (!ox_mul_ok(n, t->dims[i], &n)) return 0;
    return ox_dtype_bytes((ox_dtype)t->data_type, n, &bytes) ? bytes : 0;
}

/* Pages of a mapping that were read only to be hashed or compared. */
static void forget(save_job *job, const void *data, uint64_t size) {
    const ox_file *f = ox_message_file_of(job->msg, data, size);
    if (f) ox_file_forget(f, data, (const uint8_t *)data + size);
}

static uint64_t aligned(uint64_t at, uint64_t align) { return (at + align - 1) / align * align; }

/* Both walk in slices, so that little of a mapping is ours at a time. */
static bool same_bytes(const void *a, const void *b, void *user) {
    const piece *p = a, *q = b;
    const uint8_t *x = p->data, *y = q->data;
    bool same = p->size == q->size;
    for (uint64_t at = 0; same && x != y && at < p->size; at += SLICE) {
        uint64_t n = p->size - at < SLICE ? p->size - at : SLICE;
        same = !memcmp(x + at, y + at, (size_t)n);
        forget(user, x + at, n);
        forget(user, y + at, n);
    }
    return same;
}

static uint64_t hash_of(save_job *job, const piece *p) {
    const uint8_t *x = p->data;
    uint64_t hash = p->size;
    for (uint64_t at = 0; at < p->size; at += SLICE) {
        uint64_t n = p->size - at < SLICE ? p->size - at : SLICE;
        hash = ox_hash(x + at, (size_t)n, hash);
        forget(job, x + at, n);
    }
    return hash;
}

/* p, or an equal piece seen before. */
static piece *unique(save_job *job, piece *p) {
    p->hashed = true;
    return ox_set_add(&job->by_hash, hash_of(job, p), p, same_bytes, job);
}

/* The place of a payload in the data file; equal ones share it. Payloads are only read when two have one size. */
static const piece *place(save_job *job, const void *data, uint64_t size) {
    const void *key = (const void *)(uintptr_t)(size + 1);
    piece *first = ox_map_get(&job->by_size, key), *p = OX_NEW(job->msg->arena, piece);
    p->data = data;
    p->size = size;
    if (!first) {
        ox_map_put(&job->by_size, key, p);
    } else {
        if (!first->hashed) unique(job, first);
        piece *older = unique(job, p);
        if (older != p) return older;
    }
    p->offset = aligned(job->end, size >= LARGE ? job->align : ALIGN_SMALL);
    job->end = p->offset + size;
    *(job->last ? &job->last->next : &job->first) = p;
    job->last = p;
    return p;
}

static Onnx__TensorProto *externalize(Onnx__TensorProto *t, bool initializer, void *user) {
    save_job *job = user;
    uint64_t size = payload_size(t);
    if (job->failed || !initializer || t->data_type == OX_STRING || size < job->threshold) return t;
    const void *data = payload(job, t, &size);
    if (!data) {
        job->failed = true;
        return t;
    }
    const piece *p = place(job, data, size);
    Onnx__TensorProto *copy = ox_dup(job->msg->arena, t, sizeof *t);
    ox_external_set(job->msg, copy, job->location, p->offset, size);
    return copy;
}

static Onnx__TensorProto *internalize(Onnx__TensorProto *t, bool initializer, void *user) {
    save_job *job = user;
    uint64_t size;
    (void)initializer;
    if (job->failed || !ox_proto_is_external(t)) return t;
    const void *data = payload(job, t, &size);
    if (!data) {
        job->failed = true;
        return t;
    }
    Onnx__TensorProto *copy = ox_dup(job->msg->arena, t, sizeof *t);
    ox_tensor_clear(copy);
    copy->has_raw_data = true;
    copy->raw_data = (ProtobufCBinaryData){(size_t)size, size ? (uint8_t *)data : NULL};
    return copy;
}

/* ---- the data file ---- */

/* Beneath the output's folder, and "{output}" stands for the name of the model's file. */
static int set_location(save_job *job, const char *name) {
    ox_arena *arena = job->msg->arena;
    const char *base = strrchr(job->path, '/') ? strrchr(job->path, '/') + 1 : job->path;
    const char *hole = strstr(name, "{output}");
    if (!strcmp(job->path, "-")) return ox_fail(job->ctx, OX_USAGE, "external data cannot go beside standard output");
    if (hole) name = ox_format(arena, "%.*s%s%s", (int)(hole - name), name, base, hole + strlen("{output}"));
    if (name[0] == '/' || !name[0])
        return ox_fail(job->ctx, OX_POLICY, "data file '%s': must be a path below the output's folder", name);
    for (const char *p = name; *p; p += strcspn(p, "/"), p += *p == '/')
        if (strcspn(p, "/") == 2 && p[0] == '.' && p[1] == '.')
            return ox_fail(job->ctx, OX_POLICY, "data file '%s': leads out of the output's folder", name);
    if (!strcmp(name, base)) return ox_fail(job->ctx, OX_CANT_CREATE, "data file '%s': is the output itself", name);
    job->location = name;
    return 0;
}

static int write_pieces(save_job *job) {
    if (!job->first) return 0;
    ox_out *out = ox_out_open(job->ctx, ox_beside(job->msg->arena, job->path, job->location));
    if (!out) return -1;
    ox_outs_add(&job->outs, job->msg->arena, out);
    for (const piece *p = job->first; p; p = p->next) {
        const ox_file *f = ox_message_file_of(job->msg, p->data, p->size);
        if (ox_out_zeros(out, p->offset - ox_out_position(out))) return -1;
        if (f && f->mapped ? ox_out_copy(out, f, (uint64_t)((const uint8_t *)p->data - f->data), p->size)
                           : ox_out_write(out, p->data, (size_t)p->size))
            return -1;
    }
    return 0;
}

static Onnx__ModelProto *move_tensors(save_job *job, Onnx__ModelProto *model, ox_map_fn fn) {
    model = (Onnx__ModelProto *)ox_map_tensors(job->msg->arena, &model->base, fn, job);
    return job->failed ? NULL : model;
}

/* Tensors where the options want them; over the limit of one file they go out by themselves. */
static Onnx__ModelProto *arrange(save_job *job) {
    Onnx__ModelProto *model = job->msg->model;
    const ox_save_options *o = job->o;
    if (o && o->internalize) model = move_tensors(job, model, internalize);
    if (!model) return NULL;
    if (o && o->data_file) {
        if (set_location(job, o->data_file)) return NULL;
    } else if (protobuf_c_message_get_packed_size(&model->base) > job->ctx->limits.file_bytes &&
               strcmp(job->path, "-")) {
        if (set_location(job, "{output}.data")) return NULL;
        ox_warn(job->ctx, "%s: over the limit of %llu bytes of a protobuf file: tensors go to '%s'", job->path,
                (unsigned long long)job->ctx->limits.file_bytes, job->location);
    }
    return job->location ? move_tensors(job, model, externalize) : model;
}

static int save_model(void *arg) {
    save_job *job = arg;
    ox_map_init(&job->by_size, job->msg->arena);
    ox_set_init(&job->by_hash, job->msg->arena);
    job->threshold = job->o && job->o->threshold ? job->o->threshold : THRESHOLD;
    job->align = job->o && job->o->align ? job->o->align : ALIGN_LARGE;
    if (job->align > 1u << 30)
        return ox_fail(job->ctx, OX_USAGE, "alignment of %llu bytes: the limit is 1 GiB",
                       (unsigned long long)job->align);
    Onnx__ModelProto *model = arrange(job);
    if (!model || write_pieces(job) || ox_copy_data_files(job->msg, model, job->path, &job->outs)) return -1;
    ox_out *out = ox_write_model(job->msg, model, job->path);
    if (!out) return -1;
    ox_outs_add(&job->outs, job->msg->arena, out);
    return ox_outs_commit(&job->outs, job->o ? job->o->with : NULL);
}

int ox_model_save(ox_model *m, const char *path, const ox_save_options *o) {
    ox_message *source = m->source;
    if (!m->changed && source && !(o && (o->data_file || o->internalize))) return ox_message_copy(source, path, o ? o->with : NULL);
    save_job job = {.ctx = m->ctx, .m = m, .path = path, .o = o, .msg = ox_model_export(m)};
    if (!job.msg) return -1;
    int failed = ox_protect(m->ctx, save_model, &job);
    ox_outs_close(&job.outs);
    ox_message_free(job.msg);
    return failed;
}
