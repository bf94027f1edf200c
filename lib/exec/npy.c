/* numpy's .npy: a magic number, a header that is a Python dictionary of three keys, the elements.
 *
 * The header is parsed by hand and completely; whatever is not exactly such a dictionary is refused, pickled objects
 * by name. Sizes are checked against the file before anything is allocated. */
#include "exec/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* ---- reading the header */

typedef struct text {
    const char *p, *end;
} text;

static void skip(text *t) {
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\t' || *t->p == '\n' || *t->p == '\r')) t->p++;
}

static bool accept(text *t, char c) {
    skip(t);
    if (t->p == t->end || *t->p != c) return false;
    t->p++;
    return true;
}

static bool word(text *t, const char *w) {
    size_t n = strlen(w);
    skip(t);
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, w, n)) return false;
    t->p += n;
    return true;
}

static bool quoted(text *t, char out[32]) {
    skip(t);
    if (t->p == t->end || (*t->p != '\'' && *t->p != '"')) return false;
    char quote = *t->p++;
    size_t n = 0;
    while (t->p < t->end && *t->p != quote && *t->p != '\\' && n < 31) out[n++] = *t->p++;
    out[n] = 0;
    return accept(t, quote);
}

static const struct type_row {
    const char *code;
    ox_dtype dtype;
    int item;
} types[] = {
    {"f4", OX_FLOAT, 4},     {"f8", OX_DOUBLE, 8},       {"f2", OX_FLOAT16, 2},  {"b1", OX_BOOL, 1},
    {"i1", OX_INT8, 1},      {"u1", OX_UINT8, 1},        {"i2", OX_INT16, 2},    {"u2", OX_UINT16, 2},
    {"i4", OX_INT32, 4},     {"u4", OX_UINT32, 4},       {"i8", OX_INT64, 8},    {"u8", OX_UINT64, 8},
    {"c8", OX_COMPLEX64, 8}, {"c16", OX_COMPLEX128, 16}, {"V2", OX_BFLOAT16, 2},
};

static int parse_descr(ox_ctx *ctx, text *t, ox_npy_head *h) {
    char d[32];
    int64_t n;
    if (!quoted(t, d)) return ox_fail(ctx, OX_BAD_DATA, "the element type is not a plain one");
    char order = d[0];
    const char *code = d + 1;
    if (!strchr("<>|=", order) || !order) return ox_fail(ctx, OX_BAD_DATA, "unknown element type '%s'", d);
    if (code[0] == 'O') return ox_fail(ctx, OX_BAD_DATA, "it holds Python objects (pickle), which are not read");
    h->swap = order == '>';
    if ((code[0] == 'U' || code[0] == 'S') && ox_parse_int(code + 1, strlen(code + 1), &n) && n >= 0 && n < 1 << 24) {
        h->dtype = OX_STRING;
        h->wide = code[0] == 'U';
        h->chars = (int)n;
        h->item = h->wide ? (int)n * 4 : (int)n;
        return 0;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].code, code)) continue;
        h->dtype = types[i].dtype;
        h->item = types[i].item;
        return 0;
    }
    return ox_fail(ctx, OX_BAD_DATA, "unknown element type '%s'", d);
}

static int parse_shape(ox_ctx *ctx, text *t, ox_npy_head *h) {
    if (!accept(t, '(')) return ox_fail(ctx, OX_BAD_DATA, "the shape is not a tuple");
    h->count = 1;
    while (!accept(t, ')')) {
        const char *start = (skip(t), t->p);
        while (t->p < t->end && *t->p >= '0' && *t->p <= '9') t->p++;
        int64_t n;
        if (!ox_parse_int(start, (size_t)(t->p - start), &n))
            return ox_fail(ctx, OX_BAD_DATA, "the shape is not a tuple of sizes");
        if (t->p < t->end && *t->p == 'L') t->p++; /* written by Python 2 */
        if (h->rank == 64) return ox_fail(ctx, OX_BAD_DATA, "more than 64 dimensions");
        h->dims[h->rank++] = n;
        if (!accept(t, ',') && (skip(t), t->p < t->end && *t->p != ')'))
            return ox_fail(ctx, OX_BAD_DATA, "the shape is not a tuple of sizes");
    }
    /* a size of 0 does not excuse the others */
    bool none = false;
    for (int i = 0; i < h->rank; i++) {
        none = none || h->dims[i] == 0;
        if (!ox_mul_ok(h->count, h->dims[i] ? h->dims[i] : 1, &h->count))
            return ox_fail(ctx, OX_BAD_DATA, "the shape overflows");
    }
    if (none) h->count = 0;
    return 0;
}

static int parse_dict(ox_ctx *ctx, text *t, ox_npy_head *h) {
    int seen = 0, all = 7;
    if (!accept(t, '{')) return ox_fail(ctx, OX_BAD_DATA, "the header is not a dictionary");
    while (!accept(t, '}')) {
        char key[32];
        int bit = 0;
        if (!quoted(t, key) || !accept(t, ':'))
            return ox_fail(ctx, OX_BAD_DATA, "the header is not a dictionary of names");
        bit = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 : !strcmp(key, "shape") ? 4 : 0;
        if (!bit || seen & bit)
            return ox_fail(ctx, OX_BAD_DATA, "the header has %s key '%s'", bit ? "a double" : "an unknown", key);
        seen |= bit;
        if (bit == 1 && parse_descr(ctx, t, h)) return -1;
        if (bit == 4 && parse_shape(ctx, t, h)) return -1;
        if (bit == 2) {
            h->fortran = word(t, "True");
            if (!h->fortran && !word(t, "False"))
                return ox_fail(ctx, OX_BAD_DATA, "fortran_order is neither True nor False");
        }
        if (!accept(t, ',') && (skip(t), t->p < t->end && *t->p != '}'))
            return ox_fail(ctx, OX_BAD_DATA, "the header is not a dictionary");
        if (t->p == t->end) return ox_fail(ctx, OX_BAD_DATA, "the header is a dictionary left open");
    }
    skip(t);
    if (seen != all || t->p != t->end)
        return ox_fail(ctx, OX_BAD_DATA, "the header is incomplete or has something behind it");
    return 0;
}

int ox_npy_parse(ox_ctx *ctx, const uint8_t *bytes, size_t len, uint64_t size, ox_npy_head *h) {
    *h = (ox_npy_head){.dtype = OX_UNDEFINED};
    if (len < 10 || memcmp(bytes, magic, 6)) return ox_fail(ctx, OX_BAD_DATA, "it is not a .npy array");
    int version = bytes[6];
    size_t start = version == 1 ? 10 : 12, n = bytes[8] | (size_t)bytes[9] << 8;
    if (version < 1 || version > 3 || bytes[7] || len < start) return ox_fail(ctx, OX_BAD_DATA, "unknown .npy version %d", version);
    if (version > 1) n |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (n > len - start)
        return ox_fail(ctx, OX_BAD_DATA, "the header of %zu bytes is cut, or longer than %d bytes", n, OX_NPY_HEAD_MAX);
    text t = {(const char *)bytes + start, (const char *)bytes + start + n};
    if (memchr(t.p, 0, n)) return ox_fail(ctx, OX_BAD_DATA, "NUL in the header");
    if (parse_dict(ctx, &t, h)) return -1;
    int64_t data;
    if (!ox_mul_ok(h->count, h->item, &data)) return ox_fail(ctx, OX_BAD_DATA, "the shape overflows");
    if (!h->item && h->count > 65536) return ox_fail(ctx, OX_BAD_DATA, "%" PRId64 " elements of no bytes", h->count);
    h->data_at = start + n;
    h->data_size = (uint64_t)data;
    if (h->data_at + h->data_size != size)
        return ox_fail(ctx, OX_BAD_DATA, "the header tells of %" PRIu64 " bytes of data, there are %" PRIu64,
                       h->data_size, size - h->data_at);
    return 0;
}

/* ---- making the tensor */

static void copy_item(uint8_t *to, const uint8_t *from, int size, int unit) {
    if (unit == 1) {
        memcpy(to, from, (size_t)size);
        return;
    }
    for (int part = 0; part < size; part += unit)
        for (int k = 0; k < unit; k++) to[part + k] = from[part + unit - 1 - k];
}

static size_t put_utf8(uint32_t c, char *out) {
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;
    if (c < 0x80) return out[0] = (char)c, 1;
    if (c < 0x800) return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)), out[2] = (char)(0x80 | (c & 63)),
               3;
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* One text element: NULs at the end are padding. buf has room for four bytes a character. */
static int set_text(ox_tensor *t, int64_t i, const ox_npy_head *h, const uint8_t *item, char *buf) {
    int n = h->chars, unit = h->wide ? 4 : 1;
    while (n > 0 && !memcmp(item + (size_t)(n - 1) * (size_t)unit, "\0\0\0\0", (size_t)unit)) n--;
    if (!h->wide) return ox_tensor_set_str(t, i, (const char *)item, (size_t)n);
    size_t len = 0;
    for (int k = 0; k < n; k++) {
        const uint8_t *c = item + 4 * (size_t)k;
        uint32_t code = h->swap ? (uint32_t)c[0] << 24 | (uint32_t)c[1] << 16 | (uint32_t)c[2] << 8 | c[3]
                                : (uint32_t)c[3] << 24 | (uint32_t)c[2] << 16 | (uint32_t)c[1] << 8 | c[0];
        len += put_utf8(code, buf + len);
    }
    return ox_tensor_set_str(t, i, buf, len);
}

/* Place in the file of the next element in row-major order, for arrays whose first index runs fastest. */
static int64_t next_place(const ox_npy_head *h, int64_t *index, const int64_t *stride, int64_t place) {
    for (int d = h->rank - 1; d >= 0; d--) {
        place += stride[d];
        if (++index[d] < h->dims[d]) return place;
        place -= stride[d] * h->dims[d];
        index[d] = 0;
    }
    return place;
}

static int fill(ox_tensor *t, const ox_npy_head *h, const uint8_t *data, char *buf) {
    int64_t index[64] = {0}, stride[64], place = 0;
    for (int d = 0; d < h->rank; d++) stride[d] = d ? stride[d - 1] * h->dims[d - 1] : 1;
    uint8_t *out = h->dtype == OX_STRING ? NULL : ox_tensor_mut(t);
    bool complex = h->dtype == OX_COMPLEX64 || h->dtype == OX_COMPLEX128;
    int unit = !h->swap ? 1 : complex ? h->item / 2 : h->item;
    if (out && !h->swap && !h->fortran) {
        memcpy(out, data, (size_t)h->data_size);
        return 0;
    }
    for (int64_t i = 0; i < h->count; i++) {
        const uint8_t *item = data + (size_t)(h->fortran ? place : i) * (size_t)h->item;
        if (out)
            copy_item(out + (size_t)i * (size_t)h->item, item, h->item, unit);
        else if (set_text(t, i, h, item, buf))
            return -1;
        if (h->fortran) place = next_place(h, index, stride, place);
    }
    return 0;
}

ox_tensor *ox_npy_tensor(ox_ctx *ctx, const ox_npy_head *h, const uint8_t *data) {
    ox_tensor *t = ox_tensor_new(ctx, h->dtype, h->rank, h->dims);
    if (!t || !h->count) return t;
    char *buf = NULL;
    bool ok = !h->wide || (buf = ox_payload_alloc(ctx, (size_t)h->chars * 4 + 4));
    ok = ok && !fill(t, h, data, buf);
    ox_payload_free(buf);
    if (ok) return t;
    ox_tensor_unref(t);
    return NULL;
}

ox_tensor *ox_npy_read(ox_ctx *ctx, const char *path) {
    ox_file *f = ox_file_open(ctx, path);
    if (!f) return NULL;
    ox_npy_head h;
    size_t head = f->size < OX_NPY_HEAD_MAX ? (size_t)f->size : OX_NPY_HEAD_MAX;
    ox_tensor *t = ox_npy_parse(ctx, f->data, head, f->size, &h) ? NULL : ox_npy_tensor(ctx, &h, f->data + h.data_at);
    if (!t) ox_fail_in(ctx, "%s", path);
    ox_file_close(f);
    return t;
}

/* ---- writing */

/* The code of a type in the file; what numpy lacks is written as the integers that hold it. */
static const char *code_of(ox_dtype t) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].dtype == t) return types[i].code;
    return t == OX_INT4 || t == OX_INT2 ? "i1" : "u1";
}

static int64_t count_chars(const ox_str *s) {
    int64_t n = 0;
    for (size_t i = 0; i < s->len; i++) n += ((unsigned char)s->data[i] & 0xc0) != 0x80;
    return n;
}

static void put_wide(uint8_t *out, const ox_str *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->len;) {
        unsigned char c = (unsigned char)s->data[i++];
        uint32_t code = c < 0x80 ? c : c < 0xe0 ? c & 31u : c < 0xf0 ? c & 15u : c & 7u;
        while (i < s->len && ((unsigned char)s->data[i] & 0xc0) == 0x80)
            code = code << 6 | ((unsigned char)s->data[i++] & 63u);
        for (int k = 0; k < 4; k++) out[n++] = (uint8_t)(code >> 8 * k);
    }
}

/* Strings as U (all of them UTF-8) or S (bytes), padded with NULs. */
static int form_strings(ox_ctx *ctx, ox_arena *arena, const ox_tensor *t, const ox_str *s, char code[32],
                        const uint8_t **data, uint64_t *len) {
    bool wide = true;
    int64_t longest = 1, bytes;
    for (int64_t i = 0; i < t->count && wide; i++)
        wide = ox_utf8_prefix(s[i].len ? s[i].data : "", s[i].len) == s[i].len;
    for (int64_t i = 0; i < t->count; i++) {
        int64_t n = wide ? count_chars(&s[i]) : (int64_t)s[i].len;
        if (n > longest) longest = n;
    }
    int64_t item = wide ? longest * 4 : longest;
    if (!ox_mul_ok(item, t->count, &bytes)) return ox_fail(ctx, OX_NO_MEMORY, "the strings are too long for an array");
    uint8_t *out = ox_alloc(arena, (size_t)bytes);
    for (int64_t i = 0; i < t->count; i++) {
        if (wide)
            put_wide(out + i * item, &s[i]);
        else if (s[i].len)
            memcpy(out + i * item, s[i].data, s[i].len);
    }
    snprintf(code, 32, "%c%" PRId64, wide ? 'U' : 'S', longest);
    *data = out;
    *len = (uint64_t)bytes;
    return 0;
}

int ox_npy_form(ox_ctx *ctx, ox_arena *arena, const ox_tensor *t, const uint8_t **head, size_t *head_len,
                const uint8_t **data, uint64_t *data_len) {
    const void *payload = ox_tensor_data(t);
    char code[32];
    if (!payload) return -1;
    if (t->dtype == OX_STRING) {
        if (form_strings(ctx, arena, t, payload, code, data, data_len)) return -1;
    } else if (ox_dtype_packed(t->dtype)) {
        uint8_t *out = ox_alloc(arena, (size_t)t->count);
        for (int64_t i = 0; i < t->count; i++) /* float4: its code */
            out[i] = t->dtype == OX_FLOAT4E2M1 ? (((const uint8_t *)payload)[i / 2] >> (i % 2 * 4) & 15)
                                               : (uint8_t)ox_load_int(t->dtype, payload, i);
        *data = out;
        *data_len = (uint64_t)t->count;
        strcpy(code, code_of(t->dtype));
    } else {
        *data = payload;
        *data_len = t->bytes;
        strcpy(code, code_of(t->dtype));
    }
    ox_text h = {.arena = arena};
    bool bytes_only = code[1] == '1' && !code[2];
    ox_text_addf(&h, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                 bytes_only || code[0] == 'S' || code[0] == 'V' ? '|' : '<', code);
    for (int i = 0; i < t->rank; i++) ox_text_addf(&h, "%s%" PRId64, i ? ", " : "", t->dims[i]);
    ox_text_add(&h, t->rank == 1 ? ",), }" : "), }");
    while ((10 + h.len + 1) % 64) ox_text_add_n(&h, " ", 1);
    ox_text_add_n(&h, "\n", 1);
    uint8_t *out = ox_alloc(arena, 10 + h.len);
    memcpy(out, magic, 6);
    out[6] = 1;
    out[8] = (uint8_t)h.len;
    out[9] = (uint8_t)(h.len >> 8); /* 64 dimensions of 20 digits are below 64 KiB */
    memcpy(out + 10, h.data, h.len);
    *head = out;
    *head_len = 10 + h.len;
    return 0;
}

typedef struct write_job {
    ox_ctx *ctx;
    const char *path;
    const ox_tensor *t;
    ox_arena *arena;
} write_job;

static int write_npy(void *arg) {
    write_job *j = arg;
    const uint8_t *head, *data;
    size_t head_len;
    uint64_t data_len;
    j->arena = ox_arena_new(j->ctx);
    if (ox_npy_form(j->ctx, j->arena, j->t, &head, &head_len, &data, &data_len)) return -1;
    ox_out *o = ox_out_open(j->ctx, j->path);
    int rc =
        !o || ox_out_write(o, head, head_len) || ox_out_write(o, data, (size_t)data_len) || ox_out_commit(o) ? -1 : 0;
    ox_out_close(o);
    return rc;
}

int ox_npy_write(ox_ctx *ctx, const char *path, const ox_tensor *t) {
    write_job j = {ctx, path, t, NULL};
    int rc = ox_protect(ctx, write_npy, &j);
    ox_arena_free(j.arena);
    return rc;
}
