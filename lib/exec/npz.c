/* numpy's .npz: a zip archive of .npy files.
 *
 * Reading is libzip's, over the mapped file; one array is in memory at a time. Contents that would expand beyond all
 * reason are refused before they are read. The library is loaded with the first archive: it brings others along, which take
 * megabytes. Writing is ours: entries are stored, their sizes and checksums are known
 * beforehand, so that the archive streams through an atomic output and is the same bytes every time. */
#include "exec/npy.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

enum { BOMB_SIZE = 64 << 20, BOMB_RATIO = 100 };

struct ox_npz {
    ox_ctx *ctx;
    ox_file *file;
    zip_t *zip;
    size_t n;
    const char **names; /* in arena */
    ox_arena *arena;
};

/* ---- the library */

static struct {
    __typeof__(&zip_discard) discard;
    __typeof__(&zip_error_code_zip) error_code_zip;
    __typeof__(&zip_error_fini) error_fini;
    __typeof__(&zip_error_init) error_init;
    __typeof__(&zip_error_strerror) error_strerror;
    __typeof__(&zip_fclose) fclose;
    __typeof__(&zip_file_get_error) file_get_error;
    __typeof__(&zip_fopen_index) fopen_index;
    __typeof__(&zip_fread) fread;
    __typeof__(&zip_get_error) get_error;
    __typeof__(&zip_get_name) get_name;
    __typeof__(&zip_get_num_entries) get_num_entries;
    __typeof__(&zip_open_from_source) open_from_source;
    __typeof__(&zip_source_buffer_create) source_buffer_create;
    __typeof__(&zip_source_free) source_free;
    __typeof__(&zip_stat_index) stat_index;
    __typeof__(&zip_stat_init) stat_init;
    bool there;
} lib;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* From dlsym(), by way of memory: ISO C has no cast from object to function pointers. */
static bool find(void *handle, const char *name, void *fn) {
    void *p = dlsym(handle, name);
    memcpy(fn, &p, sizeof p);
    return p != NULL;
}

static void load(void) {
    static const char *const files[] = {"libzip.so.5", "libzip.so.4", "libzip.so"};
    void *handle = NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files && !handle; i++) handle = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    const struct { const char *name; void *fn; } all[] = {
        {"zip_discard", &lib.discard},
        {"zip_error_code_zip", &lib.error_code_zip},
        {"zip_error_fini", &lib.error_fini},
        {"zip_error_init", &lib.error_init},
        {"zip_error_strerror", &lib.error_strerror},
        {"zip_fclose", &lib.fclose},
        {"zip_file_get_error", &lib.file_get_error},
        {"zip_fopen_index", &lib.fopen_index},
        {"zip_fread", &lib.fread},
        {"zip_get_error", &lib.get_error},
        {"zip_get_name", &lib.get_name},
        {"zip_get_num_entries", &lib.get_num_entries},
        {"zip_open_from_source", &lib.open_from_source},
        {"zip_source_buffer_create", &lib.source_buffer_create},
        {"zip_source_free", &lib.source_free},
        {"zip_stat_index", &lib.stat_index},
        {"zip_stat_init", &lib.stat_init},
    };
    lib.there = true;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) lib.there &= find(handle, all[i].name, all[i].fn);
}

/* ---- reading */

void ox_npz_close(ox_npz *z) {
    if (!z) return;
    if (z->zip) lib.discard(z->zip);
    ox_file_close(z->file);
    ox_arena_free(z->arena);
    ox_payload_free(z);
}

/* What a failure of libzip is to the user. Where it found no memory it may speak of an archive that is none: errno, which is to be 0 before
 * every call, tells. */
static int zip_failed(ox_npz *z, zip_error_t *e, const char *what) {
    int code = lib.error_code_zip(e);
    if (code != ZIP_ER_MEMORY && errno != ENOMEM) return ox_fail(z->ctx, OX_BAD_DATA, "%s%s", what, lib.error_strerror(e));
    z->ctx->starved = true;
    return ox_fail(z->ctx, OX_NO_MEMORY, "out of memory");
}

static int open_zip(ox_npz *z) {
    zip_error_t e;
    pthread_once(&once, load);
    if (!lib.there) return ox_fail(z->ctx, OX_UNAVAILABLE, "archives are read by libzip, which is not installed");
    lib.error_init(&e);
    errno = 0;
    zip_source_t *s = lib.source_buffer_create(z->file->data, z->file->size, 0, &e);
    if (s) z->zip = lib.open_from_source(s, ZIP_RDONLY | ZIP_CHECKCONS, &e);
    if (s && !z->zip) lib.source_free(s);
    int rc = 0;
    if (!z->zip) rc = zip_failed(z, &e, "not a sound zip archive: ");
    lib.error_fini(&e);
    return rc;
}

static bool same_name(const void *a, const void *b, void *user) {
    (void)user;
    return !strcmp(a, b);
}

static int read_names(ox_npz *z) {
    zip_int64_t n = lib.get_num_entries(z->zip, 0);
    if (n <= 0) return ox_fail(z->ctx, OX_BAD_DATA, "the archive holds no arrays");
    ox_set seen;
    ox_set_init(&seen, z->arena);
    z->names = OX_NEW_N(z->arena, const char *, n);
    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = lib.get_name(z->zip, (zip_uint64_t)i, 0);
        size_t len = name ? strlen(name) : 0;
        if (len < 5 || strcmp(name + len - 4, ".npy"))
            return ox_fail(z->ctx, OX_BAD_DATA, "entry '%s' is not an array (.npy)", name ? name : "");
        if (ox_utf8_prefix(name, len) != len)
            return ox_fail(z->ctx, OX_BAD_DATA, "entry '%s': its name is not UTF-8", name);
        char *own = ox_alloc(z->arena, len + 1);
        memcpy(own, name, len - 4);
        if (ox_set_add(&seen, ox_hash(own, len - 4, 0), own, same_name, NULL) != own)
            return ox_fail(z->ctx, OX_BAD_DATA, "array '%s' is there twice", own);
        z->names[z->n++] = own;
    }
    return 0;
}

static int open_npz(void *arg) {
    ox_npz *z = arg;
    z->arena = ox_arena_new(z->ctx);
    if (open_zip(z) || read_names(z)) return ox_fail_in(z->ctx, "%s", z->file->name);
    return 0;
}

ox_npz *ox_npz_open(ox_ctx *ctx, const char *path) {
    ox_file *f = ox_file_open(ctx, path);
    if (!f) return NULL;
    ox_npz *z = ox_payload_alloc(ctx, sizeof *z);
    if (!z) {
        ox_file_close(f);
        return NULL;
    }
    *z = (ox_npz){.ctx = ctx, .file = f};
    if (!ox_protect(ctx, open_npz, z)) return z;
    ox_npz_close(z);
    return NULL;
}

size_t ox_npz_count(const ox_npz *z) { return z->n; }
const char *ox_npz_name(const ox_npz *z, size_t i) { return z->names[i]; }

static int check_stat(ox_npz *z, const zip_stat_t *s) {
    uint64_t want = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if ((s->valid & want) != want) return ox_fail(z->ctx, OX_BAD_DATA, "the entry has no sizes");
    if (s->valid & ZIP_STAT_ENCRYPTION_METHOD && s->encryption_method != ZIP_EM_NONE)
        return ox_fail(z->ctx, OX_BAD_DATA, "the entry is encrypted");
    if (s->comp_method != ZIP_CM_STORE && s->comp_method != ZIP_CM_DEFLATE)
        return ox_fail(z->ctx, OX_BAD_DATA, "compression method %u is not served (stored and deflated are)",
                       (unsigned)s->comp_method);
    if (s->size > BOMB_SIZE && s->size / BOMB_RATIO > s->comp_size)
        return ox_fail(z->ctx, OX_BAD_DATA,
                       "%" PRIu64 " bytes from %" PRIu64 ": entries of more than %d bytes may expand %d times at most",
                       (uint64_t)s->size, (uint64_t)s->comp_size, BOMB_SIZE, BOMB_RATIO);
    return 0;
}

/* Reads up to size bytes, fewer only at the end; -1 after ox_fail. */
static int64_t read_entry(ox_npz *z, zip_file_t *e, uint8_t *to, uint64_t size) {
    uint64_t n = 0;
    while (n < size) {
        errno = 0;
        zip_int64_t got = lib.fread(e, to + n, size - n < 1 << 24 ? size - n : 1 << 24);
        if (got < 0) return zip_failed(z, lib.file_get_error(e), "");
        if (!got) break;
        n += (uint64_t)got;
    }
    return (int64_t)n;
}

/* The whole entry was checked only once its end was met: there the checksum is compared. */
static int expect_end(ox_npz *z, zip_file_t *e) {
    uint8_t more;
    int64_t n = read_entry(z, e, &more, 1);
    return n < 0 ? -1 : n ? ox_fail(z->ctx, OX_BAD_DATA, "the entry is longer than it says") : 0;
}

static ox_tensor *read_array(ox_npz *z, zip_file_t *e, uint64_t size) {
    size_t room = size < OX_NPY_HEAD_MAX ? (size_t)size : OX_NPY_HEAD_MAX;
    uint8_t *head = ox_payload_alloc(z->ctx, room + 1), *data = NULL;
    ox_tensor *t = NULL;
    ox_npy_head h;
    int64_t got = head ? read_entry(z, e, head, room) : -1;
    if (got >= 0 && !ox_npy_parse(z->ctx, head, (size_t)got, size, &h) &&
        (data = ox_payload_alloc(z->ctx, (size_t)h.data_size + 1))) {
        uint64_t have = (uint64_t)got - h.data_at, rest = h.data_size > have ? h.data_size - have : 0;
        memcpy(data, head + h.data_at, (size_t)(have < h.data_size ? have : h.data_size));
        int64_t more = read_entry(z, e, data + (h.data_size - rest), rest);
        if (more >= 0 && (uint64_t)more != rest) more = ox_fail(z->ctx, OX_BAD_DATA, "the entry is cut");
        if (more >= 0 && !expect_end(z, e)) t = ox_npy_tensor(z->ctx, &h, data);
    }
    ox_payload_free(head);
    ox_payload_free(data);
    return t;
}

ox_tensor *ox_npz_read(ox_npz *z, size_t i) {
    zip_stat_t s;
    ox_tensor *t = NULL;
    lib.stat_init(&s);
    errno = 0;
    if (lib.stat_index(z->zip, i, 0, &s)) {
        zip_failed(z, lib.get_error(z->zip), "");
    } else if (!check_stat(z, &s)) {
        zip_file_t *e = lib.fopen_index(z->zip, i, 0);
        if (!e) zip_failed(z, lib.get_error(z->zip), "");
        if (e) t = read_array(z, e, s.size);
        if (e) lib.fclose(e);
    }
    if (!t) ox_fail_in(z->ctx, "%s: array '%s'", z->file->name, z->names[i]);
    return t;
}

ox_tensor *ox_npz_find(ox_npz *z, const char *name) {
    for (size_t i = 0; i < z->n; i++)
        if (!strcmp(z->names[i], name)) return ox_npz_read(z, i);
    ox_fail(z->ctx, OX_BAD_DATA, "%s: there is no array '%s'", z->file->name, name);
    return NULL;
}

/* ---- writing: local headers and data, then the central directory, in the form of the zip specification */

typedef struct entry {
    const char *name;
    uint64_t size, at;
    uint32_t crc;
} entry;

typedef struct writer {
    ox_ctx *ctx;
    ox_arena *arena, *scratch; /* entries; one array */
    ox_out *out;
    const ox_array *arrays;
    entry *entries;
    size_t n;
} writer;

static uint8_t *put(uint8_t *p, uint64_t v, int bytes) {
    for (int k = 0; k < bytes; k++) *p++ = (uint8_t)(v >> 8 * k);
    return p;
}

enum { DATE_1980 = 0x21, UTF8_NAMES = 0x800, ZIP_VERSION = 45, NOT_HERE = 0xffff };

/* Fields that local and central headers share, from "version needed" to "length of extra field". */
static uint8_t *put_common(uint8_t *p, const entry *e, size_t extra) {
    p = put(p, ZIP_VERSION, 2);
    p = put(p, UTF8_NAMES, 2);
    p = put(p, 0, 2); /* stored */
    p = put(p, 0, 2); /* 0:00 */
    p = put(p, DATE_1980, 2);
    p = put(p, e->crc, 4);
    p = put(p, UINT32_MAX, 4); /* both sizes stand in the extra field */
    p = put(p, UINT32_MAX, 4);
    p = put(p, strlen(e->name) + 4, 2);
    return put(p, extra, 2);
}

static int put_name(writer *w, const entry *e) {
    return ox_out_write(w->out, e->name, strlen(e->name)) || ox_out_write(w->out, ".npy", 4) ? -1 : 0;
}

static int write_entry(writer *w, entry *e, const ox_tensor *t) {
    const uint8_t *head, *data;
    size_t head_len;
    uint64_t len;
    if (strlen(e->name) > NOT_HERE - 16)
        return ox_fail(w->ctx, OX_BAD_DATA, "array '%s': the name is too long for an archive", e->name);
    if (ox_npy_form(w->ctx, w->scratch, t, &head, &head_len, &data, &len))
        return ox_fail_in(w->ctx, "array '%s'", e->name);
    e->at = ox_out_position(w->out);
    e->size = head_len + len;
    uLong crc = crc32_z(0, head, head_len);
    e->crc = (uint32_t)crc32_z(crc, data, (z_size_t)len);
    uint8_t fixed[30], extra[20], *p = put(fixed, 0x04034b50, 4);
    put_common(p, e, sizeof extra);
    p = put(extra, 1, 2);
    p = put(p, 16, 2);
    p = put(p, e->size, 8);
    put(p, e->size, 8);
    if (ox_out_write(w->out, fixed, sizeof fixed) || put_name(w, e) || ox_out_write(w->out, extra, sizeof extra))
        return -1;
    return ox_out_write(w->out, head, head_len) || ox_out_write(w->out, data, (size_t)len) ? -1 : 0;
}

static int write_directory(writer *w) {
    uint64_t start = ox_out_position(w->out);
    for (size_t i = 0; i < w->n; i++) {
        const entry *e = &w->entries[i];
        uint8_t fixed[46] = {0}, extra[28], *p = put(fixed, 0x02014b50, 4);
        p = put(p, ZIP_VERSION, 2);
        p = put_common(p, e, sizeof extra);
        put(p + 10, UINT32_MAX, 4); /* behind comment, disk and attributes: the place, in the extra field */
        p = put(extra, 1, 2);
        p = put(p, 24, 2);
        p = put(p, e->size, 8);
        p = put(p, e->size, 8);
        put(p, e->at, 8);
        if (ox_out_write(w->out, fixed, sizeof fixed) || put_name(w, e) || ox_out_write(w->out, extra, sizeof extra))
            return -1;
    }
    uint64_t end = ox_out_position(w->out);
    uint8_t tail[56 + 20 + 22] = {0}, *p = put(tail, 0x06064b50, 4);
    p = put(p, 44, 8);
    p = put(p, ZIP_VERSION, 2);
    p = put(p, ZIP_VERSION, 2);
    p = put(p, 0, 8);
    p = put(p, w->n, 8);
    p = put(p, w->n, 8);
    p = put(p, end - start, 8);
    p = put(p, start, 8);
    p = put(p, 0x07064b50, 4);
    p = put(p, 0, 4);
    p = put(p, end, 8);
    p = put(p, 1, 4);
    p = put(p, 0x06054b50, 4);
    p = put(p, 0, 4);
    p = put(p, w->n < NOT_HERE ? w->n : NOT_HERE, 2);
    p = put(p, w->n < NOT_HERE ? w->n : NOT_HERE, 2);
    p = put(p, end - start < UINT32_MAX ? end - start : UINT32_MAX, 4);
    put(p, start < UINT32_MAX ? start : UINT32_MAX, 4);
    return ox_out_write(w->out, tail, sizeof tail);
}

static int write_npz(void *arg) {
    writer *w = arg;
    w->arena = ox_arena_new(w->ctx);
    w->scratch = ox_arena_new(w->ctx);
    w->entries = OX_NEW_N(w->arena, entry, w->n + 1);
    for (size_t i = 0; i < w->n; i++) {
        w->entries[i].name = w->arrays[i].name;
        if (write_entry(w, &w->entries[i], w->arrays[i].t)) return -1;
        ox_arena_reset(w->scratch);
    }
    return write_directory(w) || ox_out_commit(w->out) ? -1 : 0;
}

int ox_npz_write(ox_ctx *ctx, const char *path, const ox_array *arrays, size_t n) {
    writer w = {.ctx = ctx, .arrays = arrays, .n = n, .out = ox_out_open(ctx, path)};
    if (!w.out) return -1;
    int rc = ox_protect(ctx, write_npz, &w);
    ox_out_close(w.out);
    ox_arena_free(w.scratch);
    ox_arena_free(w.arena);
    return rc;
}
