/* Messages to files. protobuf-c streams the message; a payload that lies in a mapped file is copied by the kernel from
 * that file, so memory stays small whatever the size of the model. */
#include "onnx/write.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STAGE = 1 << 16, RANGE_MIN = 1 << 16 };

/* ---- packing ---- */

typedef struct sink {
    ProtobufCBuffer base;
    ox_out *out;
    const ox_message *msg;
    bool failed;
} sink;

static void append(ProtobufCBuffer *buffer, size_t len, const uint8_t *data) {
    sink *s = (sink *)buffer;
    if (s->failed || !len) return;
    const ox_file *f = len >= RANGE_MIN ? ox_message_file_of(s->msg, data, len) : NULL;
    int failed =
        f && f->mapped ? ox_out_copy(s->out, f, (uint64_t)(data - f->data), len) : ox_out_write(s->out, data, len);
    s->failed = failed != 0;
}

int ox_pack_message(const ox_message *msg, const ProtobufCMessage *m, ox_out *out) {
    sink s = {.base = {append}, .out = out, .msg = msg};
    protobuf_c_message_pack_to_buffer(m, &s.base);
    return s.failed ? -1 : 0;
}

static int check_size(ox_ctx *ctx, const char *path, uint64_t size) {
    if (size <= ctx->limits.file_bytes) return 0;
    return ox_fail(
        ctx, OX_BAD_DATA,
        "%s: would have %llu bytes, over the limit of %llu bytes of a protobuf file: external data are needed", path,
        (unsigned long long)size, (unsigned long long)ctx->limits.file_bytes);
}

ox_out *ox_write_model(ox_message *msg, const Onnx__ModelProto *model, const char *path) {
    ox_ctx *ctx = msg->ctx;
    if (check_size(ctx, path, protobuf_c_message_get_packed_size(&model->base))) return NULL;
    ox_out *out = ox_out_open(ctx, path);
    if (!out) return NULL;
    if (!ox_pack_message(msg, &model->base, out)) return out;
    ox_out_close(out);
    return NULL;
}

/* ---- data files beside an output ---- */

/* PATH's folder joined with NAME. */
char *ox_beside(ox_arena *arena, const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    return slash ? ox_format(arena, "%.*s/%s", (int)(slash - path), path, name) : ox_strdup(arena, name);
}

/* Folders that a location names, below the output's. */
static int make_folders(ox_ctx *ctx, ox_arena *arena, const char *path, const char *location) {
    for (const char *p = strchr(location, '/'); p; p = strchr(p + 1, '/')) {
        char *folder = ox_beside(arena, path, ox_format(arena, "%.*s", (int)(p - location), location));
        struct stat st;
        if (mkdir(folder, 0777) && (lstat(folder, &st) || !S_ISDIR(st.st_mode)))
            return ox_fail(ctx, OX_CANT_CREATE, "%s: the folder for external data cannot be created", folder);
    }
    return 0;
}

typedef struct used { /* external data files that a message still needs */
    ox_message *msg;
    const ox_message *owner; /* whose data_files */
    ox_map files;
} used;

static int note_used(const Onnx__TensorProto *t, void *user) {
    used *u = user;
    ox_where w = {NULL, "tensor", t->name, NULL, -1};
    ox_external e;
    if (!ox_proto_is_external(t)) return 0;
    if (ox_external_read(u->msg, t, &w, &e)) return -1;
    ox_map_put(&u->files, ox_intern(u->msg->ctx, e.location), u);
    return 0;
}

static int copy_data_file(ox_ctx *ctx, ox_arena *arena, const ox_data_file *d, const char *path, ox_outs *outs) {
    const char *target = ox_beside(arena, path, d->location);
    struct stat st;
    if (!stat(target, &st) && (uint64_t)st.st_dev == d->file->dev && (uint64_t)st.st_ino == d->file->ino)
        return 0; /* it is there already */
    if (make_folders(ctx, arena, path, d->location)) return -1;
    ox_out *out = ox_out_open(ctx, target);
    if (!out) return -1;
    ox_outs_add(outs, arena, out);
    return ox_out_copy(out, d->file, 0, d->file->size);
}

int ox_copy_data_files(ox_message *msg, const Onnx__ModelProto *model, const char *path, ox_outs *outs) {
    used u = {.msg = msg};
    for (u.owner = msg; u.owner->origin && !u.owner->data_files; u.owner = u.owner->origin)
        ;
    if (!u.owner->data_files) return 0;
    ox_map_init(&u.files, msg->arena);
    if (ox_each_tensor(&model->base, note_used, &u)) return -1;
    for (const ox_data_file *d = u.owner->data_files; d; d = d->next) {
        if (!ox_map_has(&u.files, d->location)) continue;
        if (!strcmp(path, "-")) {
            ox_warn(msg->ctx, "%s: external data '%s' do not go to standard output with the model", msg->name,
                    d->location);
            continue;
        }
        if (copy_data_file(msg->ctx, msg->arena, d, path, outs)) return -1;
    }
    return 0;
}

/* ---- whole messages ---- */

typedef struct write_job {
    ox_message *msg;
    const char *path;
    ox_outs outs, *with; /* data files first, the model last */
} write_job;

static int write_message(void *arg) {
    write_job *job = arg;
    if (ox_copy_data_files(job->msg, job->msg->model, job->path, &job->outs)) return -1;
    ox_out *out = ox_write_model(job->msg, job->msg->model, job->path);
    if (!out) return -1;
    ox_outs_add(&job->outs, job->msg->arena, out);
    return ox_outs_commit(&job->outs, job->with);
}

static int copy_message(void *arg) {
    write_job *job = arg;
    ox_message *msg = job->msg;
    if (ox_message_locate(msg) || ox_copy_data_files(msg, msg->model, job->path, &job->outs)) return -1;
    ox_out *out = ox_out_open(msg->ctx, job->path);
    if (!out) return -1;
    ox_outs_add(&job->outs, msg->arena, out);
    if (ox_out_copy(out, msg->source, 0, msg->source->size)) return -1;
    return ox_outs_commit(&job->outs, job->with);
}

int ox_message_write(ox_message *msg, const char *path) {
    write_job job = {.msg = msg, .path = path};
    int failed = ox_protect(msg->ctx, write_message, &job);
    ox_outs_close(&job.outs);
    return failed;
}

int ox_message_copy(ox_message *msg, const char *path, ox_outs *with) {
    write_job job = {.msg = msg, .path = path, .with = with};
    int failed = ox_protect(msg->ctx, msg->source ? copy_message : write_message, &job);
    ox_outs_close(&job.outs);
    return failed;
}
