/* Reads the wire format: bytes of a mapped file to a tree of protobuf-c structs, driven by the generated descriptors.
 *
 * Why not protobuf_c_message_unpack(): that copies every payload, recurses without a bound, answers any fault with
 * NULL, merges a singular field given twice in quadratic time and lets 10 MB of empty messages become 1.4 GB. This
 * reader gives the same structs, but
 *  - bytes fields (raw_data, strings of attributes) and unknown fields are views into the file: a payload's pages are
 *    never touched;
 *  - depth, number of messages and memory are bounded, memory by the size of the file;
 *  - a fault is told with its offset and field path;
 *  - a singular field given twice, a NUL or invalid UTF-8 in a string, a group, an overlong varint are faults.
 *
 * Each message is walked twice: first its fields are counted and checked, sub-messages skipped by their length, then
 * arrays of the right size are filled and sub-messages read. Every byte is seen at most twice on its own level, so
 * time is linear. */
#include "onnx/proto.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_FIELDS = 32,
    SCALAR_MAX = 8,
    MEMORY_PER_BYTE = 16,
    MEMORY_BASE = 64 << 20,
    STRING_CHUNK = 4096,
    NAMES_MAX = 1 << 18, /* of one list: a Concat of 65,536 inputs is real */
    FORGET_BYTES = 1 << 20
};
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* A step of the field path. */
typedef struct frame {
    const struct frame *outer;
    const ProtobufCFieldDescriptor *field;
    size_t index;
    uint32_t depth, graphs, types; /* nested messages, bodies and types so far */
} frame;

typedef struct reader {
    ox_ctx *ctx;
    ox_arena *arena;
    const char *name;
    const ox_file *file;
    const uint8_t *base;
    const uint8_t *seen; /* up to here pages were given back */
    uint64_t messages;
    uint64_t memory, memory_limit;
    char *chunk; /* room for small strings */
    size_t chunk_left;
    char *empty;
} reader;

/* One field on the wire. */
typedef struct field {
    const ProtobufCFieldDescriptor *desc; /* NULL: unknown */
    unsigned slot;                        /* index of desc in its message */
    uint32_t number;
    unsigned wire;
    uint64_t value;      /* of a varint */
    const uint8_t *tag;  /* first byte of the field */
    const uint8_t *body; /* what follows the tag */
    const uint8_t *data; /* WIRE_BYTES: behind the length; else as body */
    uint64_t size;       /* bytes at data */
} field;

static void add_path(ox_text *t, const frame *f) {
    if (!f || !f->field) return;
    add_path(t, f->outer);
    if (t->len) ox_text_add(t, ".");
    ox_text_add(t, f->field->name);
    if (f->field->label == PROTOBUF_C_LABEL_REPEATED) ox_text_addf(t, "[%zu]", f->index);
}

OX_PRINTF(4, 5)
static int fault(reader *r, const frame *f, const uint8_t *at, const char *format, ...) {
    char what[512];
    ox_text path = {.arena = r->arena};
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    add_path(&path, f);
    return ox_fail(r->ctx, OX_BAD_DATA, "%s: offset %llu: %s%s%s", r->name, (unsigned long long)(at - r->base),
                   path.len ? path.data : "", path.len ? ": " : "", what);
}

/* ---- memory ---- */

static int charge(reader *r, const frame *f, const uint8_t *at, uint64_t n, uint64_t size) {
    uint64_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > r->memory_limit - r->memory)
        return fault(r, f, at, "the messages need more memory than the limit of %llu bytes for a file of this size",
                     (unsigned long long)r->memory_limit);
    r->memory += bytes;
    return 0;
}

static char *new_string(reader *r, const uint8_t *data, size_t len) {
    if (!len) return r->empty;
    if (len + 1 > STRING_CHUNK / 4) {
        char *s = ox_alloc(r->arena, len + 1);
        memcpy(s, data, len);
        return s;
    }
    if (len + 1 > r->chunk_left) {
        r->chunk = ox_alloc(r->arena, STRING_CHUNK);
        r->chunk_left = STRING_CHUNK;
    }
    char *s = r->chunk;
    memcpy(s, data, len);
    r->chunk += len + 1;
    r->chunk_left -= len + 1;
    return s;
}

/* ---- single values ---- */

/* Bytes used, 0 when cut short, -1 when over ten bytes. Bits over 64 are dropped, as every reader does. */
static int varint(const uint8_t *p, const uint8_t *end, uint64_t *value) {
    uint64_t v = 0;
    for (int i = 0; i < 10; i++) {
        if (p + i == end) return 0;
        v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80)) {
            *value = v;
            return i + 1;
        }
    }
    return -1;
}

/* "field 'dims'" for messages. */
typedef struct label {
    char text[80];
} label;

static label field_label(const field *x) {
    label l;
    if (!x)
        snprintf(l.text, sizeof l.text, "the tag of a field");
    else if (x->desc)
        snprintf(l.text, sizeof l.text, "field '%s'", x->desc->name);
    else
        snprintf(l.text, sizeof l.text, "field %u", x->number);
    return l;
}

/* A varint of field x (NULL: a tag) at *p, which moves behind it. */
static int read_varint(reader *r, const frame *f, const uint8_t **p, const uint8_t *end, const field *x,
                       uint64_t *value) {
    int n = varint(*p, end, value);
    if (n < 0) return fault(r, f, *p, "%s is a varint of more than 10 bytes", field_label(x).text);
    if (!n) return fault(r, f, *p, "%s is cut short", field_label(x).text);
    *p += n;
    return 0;
}

/* Wire type of single values of a type, and their size in memory. */
static unsigned wire_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return WIRE_32;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return WIRE_64;
    default:
        return WIRE_VARINT;
    }
}

static size_t size_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 4; /* the schema has no bool and no other 64-bit kinds */
    }
}

/* Behind a large payload: the pages before are not needed now. The second walk of an outer message begins again
 * further in front. */
static void give_back(reader *r, const uint8_t *at) {
    if (at < r->seen) r->seen = at;
    if (at - r->seen < FORGET_BYTES) return;
    ox_file_forget(r->file, r->seen, at);
    r->seen = at;
}

/* The field that begins at *p; *p moves behind it. */
static int next_field(reader *r, const frame *f, const ProtobufCMessageDescriptor *desc, const uint8_t **p,
                      const uint8_t *end, field *out) {
    uint64_t tag;
    out->tag = *p;
    if (read_varint(r, f, p, end, NULL, &tag)) return -1;
    out->body = *p;
    out->wire = tag & 7;
    if (tag >> 3 == 0) return fault(r, f, out->tag, "field number 0");
    if (tag >> 3 > 0x1fffffff)
        return fault(r, f, out->tag, "field number %llu is over the limit of 2^29-1", (unsigned long long)(tag >> 3));
    out->number = (uint32_t)(tag >> 3);
    out->desc = protobuf_c_message_descriptor_get_field(desc, out->number);
    out->slot = out->desc ? (unsigned)(out->desc - desc->fields) : 0;
    uint64_t left = (uint64_t)(end - *p);
    switch (out->wire) {
    case WIRE_VARINT:
        if (read_varint(r, f, p, end, out, &out->value)) return -1;
        out->data = out->body;
        out->size = (uint64_t)(*p - out->body);
        return 0;
    case WIRE_64:
    case WIRE_32:
        out->size = out->wire == WIRE_64 ? 8 : 4;
        break;
    case WIRE_BYTES:
        if (read_varint(r, f, p, end, out, &out->size)) return -1;
        left = (uint64_t)(end - *p);
        break;
    case 3:
    case 4:
        return fault(r, f, out->tag, "%s is a group, which ONNX does not have", field_label(out).text);
    default:
        return fault(r, f, out->tag, "%s has wire type %u, which does not exist", field_label(out).text, out->wire);
    }
    if (out->size > left)
        return fault(r, f, out->tag, "%s has %llu bytes, but %llu are left", field_label(out).text,
                     (unsigned long long)out->size, (unsigned long long)left);
    out->data = *p;
    *p += out->size;
    give_back(r, *p);
    return 0;
}

/* ---- first walk: counting ---- */

typedef struct count {
    size_t n[MAX_FIELDS];                   /* of each field: elements, or times given */
    const ProtobufCFieldDescriptor *chosen; /* member of the message's oneof that was given */
    size_t unknown, all;
} count;

static int count_packed(reader *r, const frame *f, const field *x, size_t *n) {
    unsigned wire = wire_of(x->desc->type);
    if (wire != WIRE_VARINT) {
        unsigned size = wire == WIRE_64 ? 8 : 4;
        if (x->size % size)
            return fault(r, f, x->tag, "field '%s': packed numbers of %u bytes are cut short: %llu bytes",
                         x->desc->name, size, (unsigned long long)x->size);
        *n += x->size / size;
        return 0;
    }
    size_t c = 0;
    for (uint64_t i = 0; i < x->size; i++) c += !(x->data[i] & 0x80);
    if (x->size && (x->data[x->size - 1] & 0x80))
        return fault(r, f, x->tag, "field '%s': packed numbers are cut short", x->desc->name);
    *n += c;
    return 0;
}

static int count_field(reader *r, const frame *f, const field *x, count *c) {
    const ProtobufCFieldDescriptor *d = x->desc;
    if (d->label == PROTOBUF_C_LABEL_REPEATED) {
        if (x->wire == wire_of(d->type))
            c->n[x->slot]++;
        else if (x->wire == WIRE_BYTES)
            return count_packed(r, f, x, &c->n[x->slot]);
        else
            return fault(r, f, x->tag, "field '%s' has wire type %u, not %u", d->name, x->wire, wire_of(d->type));
        return 0;
    }
    if (x->wire != wire_of(d->type))
        return fault(r, f, x->tag, "field '%s' has wire type %u, not %u", d->name, x->wire, wire_of(d->type));
    if (c->n[x->slot]++) return fault(r, f, x->tag, "field '%s' is given twice", d->name);
    if (d->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        if (c->chosen)
            return fault(r, f, x->tag, "field '%s' is given beside '%s': only one of them may be", d->name,
                         c->chosen->name);
        c->chosen = d;
    }
    return 0;
}

/* ---- second walk: filling ---- */

static int read_message(reader *r, const frame *f, const ProtobufCMessageDescriptor *desc, const uint8_t *p,
                        const uint8_t *end, ProtobufCMessage **out);

/* A number as the struct holds it, at DST. Words are little-endian on the wire. */
static void store_varint(ProtobufCType type, uint64_t v, void *dst) {
    if (size_of(type) == 8) {
        memcpy(dst, &v, 8);
    } else {
        uint32_t w = (uint32_t)v;
        memcpy(dst, &w, 4);
    }
}

static int store(reader *r, const frame *f, const field *x, void *dst) {
    const ProtobufCFieldDescriptor *d = x->desc;
    switch (d->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(r, f, d->descriptor, x->data, x->data + x->size, dst);
    case PROTOBUF_C_TYPE_STRING: {
        if (x->size && memchr(x->data, 0, x->size)) return fault(r, f, x->tag, "a NUL byte in a string");
        if (ox_utf8_prefix((const char *)x->data, x->size) != x->size)
            return fault(r, f, x->tag, "a string that is not valid UTF-8");
        if (x->size && charge(r, f, x->tag, x->size + 1, 1)) return -1;
        char *s = new_string(r, x->data, x->size);
        memcpy(dst, &s, sizeof s);
        return 0;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData b = {x->size, (uint8_t *)x->data};
        memcpy(dst, &b, sizeof b);
        return 0;
    }
    default:
        if (x->wire == WIRE_VARINT)
            store_varint(d->type, x->value, dst);
        else
            memcpy(dst, x->data, x->size);
        return 0;
    }
}

/* Packed numbers behind the *n that are there. Long varints inside were not seen by the counting. */
static int store_packed(reader *r, const frame *f, const field *x, char *array, size_t *n) {
    const ProtobufCFieldDescriptor *d = x->desc;
    size_t size = size_of(d->type);
    if (wire_of(d->type) != WIRE_VARINT) {
        if (x->size) memcpy(array + *n * size, x->data, x->size);
        *n += x->size / size;
        return 0;
    }
    const uint8_t *p = x->data, *end = p + x->size;
    while (p < end) {
        uint64_t v;
        if (read_varint(r, f, &p, end, x, &v)) return -1;
        store_varint(d->type, v, array + (*n)++ * size);
    }
    return 0;
}

static int fill_field(reader *r, const frame *outer, const field *x, ProtobufCMessage *m) {
    const ProtobufCFieldDescriptor *d = x->desc;
    char *at = (char *)m + d->offset, *quantifier = (char *)m + d->quantifier_offset;
    frame f = *outer;
    f.outer = outer;
    f.field = d;
    if (d->label != PROTOBUF_C_LABEL_REPEATED) {
        if (d->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            memcpy(quantifier, &d->id, sizeof d->id);
        else if (d->type != PROTOBUF_C_TYPE_MESSAGE && d->type != PROTOBUF_C_TYPE_STRING)
            memcpy(quantifier, &(protobuf_c_boolean){1}, sizeof(protobuf_c_boolean));
        return store(r, &f, x, at);
    }
    size_t n;
    char *array;
    memcpy(&n, quantifier, sizeof n);
    memcpy(&array, at, sizeof array);
    f.index = n;
    int failed;
    if (x->wire == WIRE_BYTES && wire_of(d->type) != WIRE_BYTES)
        failed = store_packed(r, &f, x, array, &n);
    else
        failed = store(r, &f, x, array + n++ * size_of(d->type));
    memcpy(quantifier, &n, sizeof n);
    return failed;
}

/* Messages that say nothing when they are empty, and that cost most to hold. */
static bool may_be_empty(const ProtobufCMessageDescriptor *d) {
    return d != &onnx__node_proto__descriptor && d != &onnx__tensor_proto__descriptor &&
           d != &onnx__value_info_proto__descriptor && d != &onnx__attribute_proto__descriptor &&
           d != &onnx__sparse_tensor_proto__descriptor && d != &onnx__function_proto__descriptor &&
           d != &onnx__tensor_annotation__descriptor && d != &onnx__operator_set_id_proto__descriptor;
}

static int enter(reader *r, const frame *outer, const ProtobufCMessageDescriptor *desc, const uint8_t *p,
                 const uint8_t *end, frame *f) {
    const ox_limits *l = &r->ctx->limits;
    *f = (frame){.depth = 0};
    if (outer) *f = *outer;
    f->depth += outer != NULL;
    f->graphs += desc == &onnx__graph_proto__descriptor;
    f->types += desc == &onnx__type_proto__descriptor || desc == &onnx__sequence_proto__descriptor ||
                desc == &onnx__optional_proto__descriptor;
    if (f->graphs > l->graph_depth + 1)
        return fault(r, NULL, p, "bodies nested beyond the nesting limit %u", l->graph_depth);
    if (f->types > l->graph_depth) return fault(r, NULL, p, "types nested beyond the nesting limit %u", l->graph_depth);
    if (f->depth > l->depth) return fault(r, NULL, p, "messages nested beyond the depth limit %u", l->depth);
    if (++r->messages > l->messages)
        return fault(r, outer, p, "more messages than the limit of %llu", (unsigned long long)l->messages);
    if (outer && p == end && !may_be_empty(desc)) return fault(r, outer, p, "an empty message");
    return charge(r, outer, p, 1, desc->sizeof_message);
}

static int read_message(reader *r, const frame *outer, const ProtobufCMessageDescriptor *desc, const uint8_t *p,
                        const uint8_t *end, ProtobufCMessage **out) {
    frame f;
    count c = {.all = 0};
    field x;
    if (enter(r, outer, desc, p, end, &f)) return -1;
    for (const uint8_t *at = p; at < end; c.all++) {
        if (next_field(r, &f, desc, &at, end, &x)) return -1;
        if (!x.desc)
            c.unknown++;
        else if (count_field(r, &f, &x, &c))
            return -1;
    }
    ProtobufCMessage *m = ox_alloc(r->arena, desc->sizeof_message);
    desc->message_init(m);
    *out = m;
    for (unsigned i = 0; i < desc->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &desc->fields[i];
        if (d->label != PROTOBUF_C_LABEL_REPEATED || !c.n[i]) continue;
        if (d->type == PROTOBUF_C_TYPE_STRING && c.n[i] > NAMES_MAX)
            return fault(r, &f, p, "field '%s' has %zu names, over the limit of %d", d->name, c.n[i], NAMES_MAX);
        if (charge(r, &f, p, c.n[i], size_of(d->type))) return -1;
        void *array = ox_alloc_n(r->arena, c.n[i], size_of(d->type));
        memcpy((char *)m + d->offset, &array, sizeof array);
    }
    if (c.unknown) {
        if (charge(r, &f, p, c.unknown, sizeof *m->unknown_fields)) return -1;
        m->unknown_fields = OX_NEW_N(r->arena, ProtobufCMessageUnknownField, c.unknown);
    }
    for (const uint8_t *at = p; at < end;) {
        if (next_field(r, &f, desc, &at, end, &x)) return -1;
        if (!x.desc)
            m->unknown_fields[m->n_unknown_fields++] = (ProtobufCMessageUnknownField){
                x.number, (ProtobufCWireType)x.wire, (size_t)(at - x.body), (uint8_t *)x.body};
        else if (fill_field(r, &f, &x, m))
            return -1;
    }
    return 0;
}

ProtobufCMessage *ox_wire_read(ox_ctx *ctx, ox_arena *arena, const ProtobufCMessageDescriptor *desc,
                               const ox_file *file, const char *name) {
    reader r = {.ctx = ctx,
                .arena = arena,
                .name = name,
                .file = file,
                .base = file->data,
                .seen = file->data,
                .empty = ox_alloc(arena, 1)};
    ProtobufCMessage *m = NULL;
    r.memory_limit = MEMORY_BASE + file->size * MEMORY_PER_BYTE;
    return read_message(&r, NULL, desc, file->data, file->data + file->size, &m) ? NULL : m;
}

/* ---- other formats ---- */

static bool looks_like_text(const uint8_t *data, uint64_t size) {
    if (size > 512) size = 512;
    for (uint64_t i = 0; i < size; i++)
        if (data[i] < 0x20 && data[i] != '\n' && data[i] != '\r' && data[i] != '\t') return false;
    return size > 0 && ox_utf8_prefix((const char *)data, size) + 4 > size; /* a character may be cut at the end */
}

const char *ox_wire_foreign(const uint8_t *data, uint64_t size, bool unreadable) {
    static const struct magic {
        unsigned offset;
        const char *bytes;
        const char *what;
    } table[] = {
        {0, "\x89PNG", "a PNG image"},
        {0, "\xff\xd8\xff", "a JPEG image"},
        {0, "PK\3\4", "a zip archive (PyTorch, npz or Office file)"},
        {0, "PK\5\6", "an empty zip archive"},
        {0, "\x1f\x8b", "gzip-compressed data"},
        {0, "GGUF", "a GGUF model"},
        {0, "BZh", "bzip2-compressed data"},
        {0, "\x28\xb5\x2f\xfd", "zstd-compressed data"},
        {0,
         "\xfd"
         "7zXZ",
         "xz-compressed data"},
        {4, "ORTM", "an ONNX Runtime model (.ort flatbuffer)"},
        {4, "TFL3", "a TensorFlow Lite model"},
        {0, "\x89HDF", "an HDF5 file"},
        {0, "\x93NUMPY", "a NumPy array"},
        {0, "%PDF", "a PDF document"},
        {0,
         "\x7f"
         "ELF",
         "an ELF program"},
        {0, "version https://git-lfs", "a git-LFS pointer: the model itself was not fetched"},
        {8, "{\"", "a safetensors file"},
        {257, "ustar", "a tar archive"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t n = strlen(table[i].bytes);
        if (size >= table[i].offset + n && !memcmp(data + table[i].offset, table[i].bytes, n)) return table[i].what;
    }
    if (unreadable && looks_like_text(data, size)) {
        uint64_t i = 0;
        while (i < size && (data[i] <= ' ' || data[i] == 0xef || data[i] == 0xbb || data[i] == 0xbf)) i++;
        return i + 5 < size && data[i] == '<' && (data[i + 1] == '!' || data[i + 1] == 'h' || data[i + 1] == 'H')
                   ? "an HTML page"
                   : "text";
    }
    return NULL;
}
