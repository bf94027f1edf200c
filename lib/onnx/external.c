/* External data: one resolver for every tensor, wherever it stands.
 *
 * The keys are location, offset, length and checksum; others are warned of and ignored. A location is opened beneath
 * the folder of the model (base/file.h has the policy), once per model, mapped, and its ranges are views. Nothing is
 * read here. */
#include "onnx/proto.h"

#include <string.h>

/* Digits only, below 2^63. */
static bool parse_number(const char *text, uint64_t *out) {
    uint64_t v = 0;
    if (!*text) return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
            return false;
    *out = v;
    return v <= INT64_MAX;
}

static int read_entry(ox_message *msg, const Onnx__StringStringEntryProto *e, const ox_where *where, ox_external *out) {
    const char *key = e->key, *value = e->value ? e->value : "";
    if (!key) return ox_message_fail(msg, where, OX_BAD_DATA, "external data: an entry without key");
    bool is_offset = !strcmp(key, "offset"), is_length = !strcmp(key, "length");
    bool twice = (!strcmp(key, "location") && out->location) || (!strcmp(key, "checksum") && out->checksum) ||
                 (is_offset && out->has_offset) || (is_length && out->has_length);
    if (twice) return ox_message_fail(msg, where, OX_BAD_DATA, "external data: key '%s' is given twice", key);
    if (is_offset || is_length) {
        if (!parse_number(value, is_offset ? &out->offset : &out->length))
            return ox_message_fail(msg, where, OX_BAD_DATA,
                                   "external data: key '%s': '%.64s' is not a decimal number below 2^63", key, value);
        *(is_offset ? &out->has_offset : &out->has_length) = true;
    } else if (!strcmp(key, "location")) {
        out->location = value;
    } else if (!strcmp(key, "checksum")) {
        out->checksum = value;
    } else if (!ox_map_has(&msg->warned, ox_intern(msg->ctx, key))) {
        ox_map_put(&msg->warned, ox_intern(msg->ctx, key), msg);
        ox_warn(msg->ctx, "%s: %s: external data: unknown key '%.128s' is ignored", msg->name,
                ox_where_text(msg->arena, where), key);
    }
    return 0;
}

/* Keys that we do not know are ignored, but given twice they say that the file is wrong. */
static int check_unknown_keys(ox_message *msg, const Onnx__TensorProto *t, const ox_where *where) {
    ox_map seen;
    if (t->n_external_data < 2) return 0;
    ox_arena *scratch = ox_arena_new(msg->ctx);
    const char *twice = NULL;
    ox_map_init(&seen, scratch);
    for (size_t i = 0; i < t->n_external_data && !twice; i++) {
        ox_sym key = ox_intern(msg->ctx, t->external_data[i]->key);
        if (ox_map_has(&seen, key)) twice = key;
        ox_map_put(&seen, key, msg);
    }
    ox_arena_free(scratch);
    return twice ? ox_message_fail(msg, where, OX_BAD_DATA, "external data: key '%.128s' is given twice", twice) : 0;
}

int ox_external_read(ox_message *msg, const Onnx__TensorProto *t, const ox_where *where, ox_external *e) {
    *e = (ox_external){.location = NULL};
    for (size_t i = 0; i < t->n_external_data; i++)
        if (read_entry(msg, t->external_data[i], where, e)) return -1;
    if (check_unknown_keys(msg, t, where)) return -1;
    if (!e->location) return ox_message_fail(msg, where, OX_BAD_DATA, "external data without key 'location'");
    if (!e->location[0]) return ox_message_fail(msg, where, OX_BAD_DATA, "external data: key 'location' is empty");
    if (strstr(e->location, "_ORT_") && strstr(e->location, "MEM_ADDR_"))
        return ox_message_fail(
            msg, where, OX_BAD_DATA,
            "external data: location '%.128s' is a memory address of ONNX Runtime, which means nothing in a file",
            e->location);
    return 0;
}

ox_data_file *ox_external_open(ox_message *msg, const char *location, const ox_where *where) {
    ox_sym key = ox_intern(msg->ctx, location);
    ox_data_file *d = ox_map_get(&msg->by_location, key);
    if (d) return d;
    if (!msg->path || !strcmp(msg->path, "-")) {
        ox_message_fail(msg, where, OX_BAD_DATA,
                        "external data '%.512s': the model does not come from a file, so there is no folder to look in",
                        location);
        return NULL;
    }
    ox_file *file = ox_file_open_beneath(msg->ctx, msg->path, location);
    if (!file) {
        ox_fail_in(msg->ctx, "%s: %s", msg->name, ox_where_text(msg->arena, where));
        return NULL;
    }
    /* Behind the model in the list of files, before anything that may fail. */
    ox_file **link = &msg->files;
    while (*link) link = &(*link)->next;
    *link = file;
    d = OX_NEW(msg->arena, ox_data_file);
    d->location = key;
    d->file = file;
    *msg->last_data_file = d;
    msg->last_data_file = &d->next;
    ox_map_put(&msg->by_location, key, d);
    return d;
}

int ox_external_locate(ox_message *msg, const Onnx__TensorProto *t, const ox_where *where, uint64_t bytes,
                       const uint8_t **view, ox_file **file) {
    ox_external e;
    if (ox_external_read(msg, t, where, &e)) return -1;
    if (e.has_length && e.length != bytes)
        return ox_message_fail(msg, where, OX_BAD_DATA,
                               "external data: key 'length' says %llu bytes, type and dims say %llu",
                               (unsigned long long)e.length, (unsigned long long)bytes);
    ox_data_file *d = ox_external_open(msg, e.location, where);
    if (!d) return -1;
    uint64_t size = d->file->size;
    if (e.offset > size || bytes > size - e.offset)
        return ox_message_fail(
            msg, where, OX_BAD_DATA,
            "external data: %llu bytes at key 'offset' %llu (key 'length') lie past the end of '%.512s' of %llu bytes",
            (unsigned long long)bytes, (unsigned long long)e.offset, e.location, (unsigned long long)size);
    if (!e.has_length && size - e.offset != bytes)
        return ox_message_fail(
            msg, where, OX_BAD_DATA,
            "external data: without key 'length' the rest of '%.512s' is meant, %llu bytes, but type and dims say %llu",
            e.location, (unsigned long long)(size - e.offset), (unsigned long long)bytes);
    *view = d->file->data + e.offset;
    *file = d->file;
    return 0;
}

/* ---- all of a message ---- */

static int locate_tensor(const Onnx__TensorProto *t, void *user) {
    ox_message *msg = user;
    ox_where where = {NULL, "tensor", t->name, NULL, -1};
    uint64_t bytes;
    const uint8_t *view;
    ox_file *file;
    if (!ox_proto_is_external(t)) return 0;
    return ox_tensor_check(msg, t, &where, NULL, &bytes) || ox_external_locate(msg, t, &where, bytes, &view, &file);
}

static int locate_all(void *arg) {
    ox_message *msg = arg;
    if (!msg->located && ox_each_tensor(&msg->model->base, locate_tensor, msg)) return -1;
    msg->located = true;
    return 0;
}

int ox_message_locate(ox_message *msg) { return ox_protect(msg->ctx, locate_all, msg); }

typedef struct list_job {
    ox_message *msg;
    const char *const **paths;
    size_t *n;
} list_job;

static int list_files(void *arg) {
    list_job *job = arg;
    ox_message *msg = job->msg;
    if (locate_all(msg)) return -1;
    size_t n = 0, i = 0;
    for (ox_data_file *d = msg->data_files; d; d = d->next) n++;
    const char **paths = OX_NEW_N(msg->arena, const char *, n + 1);
    for (ox_data_file *d = msg->data_files; d; d = d->next) paths[i++] = d->file->name;
    *job->paths = paths;
    *job->n = n;
    return 0;
}

int ox_message_data_files(const ox_message *msg, const char *const **paths, size_t *n) {
    list_job job = {(ox_message *)msg, paths, n};
    return ox_protect(msg->ctx, list_files, &job);
}

static int verify_tensor(const Onnx__TensorProto *t, void *user) {
    ox_message *msg = user;
    ox_where where = {NULL, "tensor", t->name, NULL, -1};
    ox_external e;
    if (!ox_proto_is_external(t)) return 0;
    if (ox_external_read(msg, t, &where, &e)) return -1;
    if (!e.checksum) return 0;
    if (strlen(e.checksum) != 40 || strspn(e.checksum, "0123456789abcdefABCDEF") != 40)
        return ox_message_fail(msg, &where, OX_BAD_DATA,
                               "external data: key 'checksum': '%.64s' is not a SHA-1 in hexadecimal", e.checksum);
    ox_data_file *d = ox_external_open(msg, e.location, &where);
    if (!d) return -1;
    if (!d->sha1[0]) ox_sha1_hex(d->file->data, d->file->size, d->sha1);
    if (strcasecmp(d->sha1, e.checksum))
        return ox_message_fail(msg, &where, OX_BAD_DATA,
                               "external data: key 'checksum' says %s, but '%.512s' has SHA-1 %s", e.checksum,
                               e.location, d->sha1);
    return 0;
}

static int verify_all(void *arg) {
    ox_message *msg = arg;
    return ox_each_tensor(&msg->model->base, verify_tensor, msg);
}

int ox_message_verify_checksums(ox_message *msg) { return ox_protect(msg->ctx, verify_all, msg); }
