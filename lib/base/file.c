/* Inputs: whole files mapped read-only, pipes read into memory, and external data found beneath the model's folder.
 *
 * A location is resolved by the kernel (openat2 with RESOLVE_BENEATH), or by our own walk where that call is missing
 * or forbidden. First only a handle on the path is taken, which touches nothing; the real open follows when the
 * thing is a regular file, so that FIFOs never block and devices are never started. A location that leads out is
 * still allowed when the model itself is a link and both real files lie in one folder: the layout of model caches. */
#include "base/file.h"
#include "base/base_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint8_t no_bytes[1];

static void abandon_file(void *data) { ox_file_close(data); }

static ox_file *new_file(ox_ctx *ctx, const char *name) {
    size_t len = strlen(name) + 1;
    ox_file *f = ox_payload_alloc(ctx, sizeof *f + len);
    if (!f) return NULL;
    memset(f, 0, sizeof *f);
    f->name = memcpy(f + 1, name, len);
    f->fd = -1;
    f->data = no_bytes;
    f->ctx = ctx;
    f->older = ctx->inputs;
    if (f->older) f->older->newer = f;
    ctx->inputs = f;
    ox_payload_on_abandon(f, abandon_file);
    return f;
}

static void unmap(ox_file *f) {
    if (f->data != no_bytes) munmap((void *)(uintptr_t)f->data, f->size);
    f->data = no_bytes;
    f->size = 0;
    f->mapped = false;
}

void ox_file_close(ox_file *f) {
    if (!f) return;
    unmap(f);
    if (f->fd >= 0) close(f->fd);
    *(f->newer ? &f->newer->older : &f->ctx->inputs) = f->older;
    if (f->older) f->older->newer = f->newer;
    ox_payload_free(f);
}

void ox_file_forget(const ox_file *f, const uint8_t *from, const uint8_t *to) {
    if (!f->mapped || from >= to) return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)from + page - 1) & ~(page - 1), last = (uintptr_t)to & ~(page - 1);
    if (first < last) madvise((void *)first, last - first, MADV_DONTNEED);
}

/* How messages call the file. */
static const char *name_shown(const ox_file *f) { return strcmp(f->name, "-") ? f->name : "standard input"; }

/* The code for a file that cannot be opened or looked at: it is not there (for us), or something else is wrong. */
static int code_of(int why) { return why == ENOMEM ? OX_NO_MEMORY : why == EIO || why == EMFILE || why == ENFILE ? OX_IO : OX_NO_INPUT; }

/* The system has no memory for the file. */
static int no_memory(ox_ctx *ctx, const ox_file *f, uint64_t size) {
    ctx->starved = true;
    return ox_fail(ctx, OX_NO_MEMORY, "%s: out of memory: %" PRIu64 " bytes wanted", name_shown(f), size);
}

/* Reads a descriptor to its end into pages of our own; one byte more than the limit tells that there is more. */
static int read_all(ox_ctx *ctx, ox_file *f, int fd, uint64_t limit) {
    size_t room = 1 << 16, n = 0;
    uint8_t *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || !ox_may_alloc(ctx)) {
        if (p != MAP_FAILED) munmap(p, room);
        return no_memory(ctx, f, room);
    }
    int result = -1;
    for (;;) {
        if (n == room) {
            void *more = mremap(p, room, room * 2, MREMAP_MAYMOVE);
            if (more == MAP_FAILED) {
                no_memory(ctx, f, room * 2);
                break;
            }
            p = more;
            room *= 2;
        }
        ssize_t got = read(fd, p + n, room - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            ox_fail(ctx, OX_IO, "%s: cannot be read: %s", name_shown(f), strerror(errno));
            break;
        }
        if (!got) {
            result = 0;
            break;
        }
        n += (size_t)got;
        if (n > limit) {
            ox_fail(ctx, OX_BAD_DATA, "%s: more than %" PRIu64 " bytes, the limit for one file", name_shown(f), limit);
            break;
        }
    }
    if (result || !n) {
        munmap(p, room);
        return result;
    }
    void *fit = mremap(p, room, n, 0); /* gives whole unused pages back */
    f->data = fit == MAP_FAILED ? p : fit;
    f->size = n;
    return 0;
}

/* Takes over an open regular file. */
static int map_file(ox_ctx *ctx, ox_file *f, int fd, const struct stat *st) {
    f->fd = fd;
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    if (st->st_size <= 0) return 0;
    errno = ENOMEM;
    void *p = ox_may_alloc(ctx) ? mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (p == MAP_FAILED && errno == ENOMEM) return no_memory(ctx, f, (uint64_t)st->st_size);
    if (p == MAP_FAILED) return ox_fail(ctx, OX_IO, "%s: cannot be mapped: %s", name_shown(f), strerror(errno));
    f->data = p;
    f->size = (uint64_t)st->st_size;
    f->mapped = true;
    return 0;
}

static const char *kind_name(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    case S_IFLNK:
        return "a link";
    default:
        return "a device";
    }
}

/* fd is closed on failure. */
static int take_input(ox_ctx *ctx, ox_file *f, int fd, uint64_t limit) {
    struct stat st;
    int result;
    if (fstat(fd, &st)) {
        result = errno == ENOMEM ? no_memory(ctx, f, sizeof st) : ox_fail(ctx, OX_IO, "%s: %s", name_shown(f), strerror(errno));
    } else if (S_ISREG(st.st_mode) && (strcmp(f->name, "-") || lseek(fd, 0, SEEK_CUR) == 0)) {
        return map_file(ctx, f, fd, &st);
    } else if (S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && strcmp(f->name, "-"))) {
        result = ox_fail(ctx, OX_BAD_DATA, "%s: is %s, not a file", name_shown(f), kind_name(st.st_mode));
    } else {
        result = read_all(ctx, f, fd, limit);
    }
    close(fd);
    return result;
}

static ox_file *open_limited(ox_ctx *ctx, const char *path, uint64_t limit) {
    ox_file *f = new_file(ctx, path);
    if (!f) return NULL;
    bool standard = !strcmp(path, "-");
    int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        if (errno == ENXIO)
            ox_fail(ctx, OX_BAD_DATA, "%s: is a socket, not a file", path);
        else
            ox_fail(ctx, code_of(errno), "%s: %s", name_shown(f), strerror(errno));
    }
    if (fd < 0 || take_input(ctx, f, fd, limit)) {
        ox_file_close(f);
        return NULL;
    }
    return f;
}

ox_file *ox_file_open(ox_ctx *ctx, const char *path) { return open_limited(ctx, path, ctx->limits.file_bytes); }

/* ---- resolution beneath a folder */

enum { MAX_LINKS = 40, MAX_DEPTH = 256 };

typedef struct walk {
    int folders[MAX_DEPTH]; /* the chain from the root of the walk; [0] is not ours */
    int depth;
    int links;
    char rest[2 * PATH_MAX]; /* what is still to be resolved */
} walk;

/* Puts the target of the link in front of the rest. */
static int follow_link(walk *w, int link) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(link, "", target, sizeof target);
    if (n < 0) return -1;
    if (++w->links > MAX_LINKS) return errno = ELOOP, -1;
    if (!n || target[0] == '/') return errno = EXDEV, -1;
    size_t rest = strlen(w->rest);
    if ((size_t)n + rest + 1 > sizeof w->rest) return errno = ENAMETOOLONG, -1;
    memmove(w->rest + n, w->rest, rest + 1); /* empty, or begins with "/" */
    memcpy(w->rest, target, (size_t)n);
    return 0;
}

/* Cuts the next component off the rest into name; false when there is none. */
static bool next_component(walk *w, char name[256], bool *too_long) {
    char *p = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(p, "/");
    *too_long = n > 255;
    if (!n || *too_long) return false;
    memcpy(name, p, n);
    name[n] = 0;
    memmove(w->rest, p + n, strlen(p + n) + 1);
    return true;
}

/* One component; 1: done (*fd is the end), 0: go on, -1: errno. */
static int step(walk *w, const char *name, int *fd) {
    if (!strcmp(name, ".")) return 0;
    if (!strcmp(name, "..")) {
        if (!w->depth) return errno = EXDEV, -1;
        close(w->folders[w->depth--]);
        return 0;
    }
    struct stat st;
    int next = openat(w->folders[w->depth], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 || fstat(next, &st)) {
        if (next >= 0) close(next);
        return -1;
    }
    int result = 0;
    if (S_ISLNK(st.st_mode)) {
        result = follow_link(w, next);
        close(next);
    } else if (!w->rest[0]) {
        *fd = next;
        result = 1;
    } else if (!S_ISDIR(st.st_mode) || w->depth + 1 == MAX_DEPTH) {
        close(next);
        errno = S_ISDIR(st.st_mode) ? ENAMETOOLONG : ENOTDIR;
        result = -1;
    } else {
        w->folders[++w->depth] = next;
    }
    return result;
}

int ox_walk_beneath(int dir, const char *location, int *parent, char name[256]) {
    walk w = {.folders = {dir}};
    int fd = -1, result = 0;
    *parent = -1;
    if (location[0] == '/') return errno = EXDEV, -1;
    if (strlen(location) >= PATH_MAX) return errno = ENAMETOOLONG, -1;
    memcpy(w.rest, location, strlen(location) + 1);
    while (!result) {
        bool too_long;
        if (!next_component(&w, name, &too_long)) {
            errno = too_long ? ENAMETOOLONG : EISDIR; /* the location named a folder */
            result = -1;
        } else {
            result = step(&w, name, &fd);
        }
    }
    int why = errno;
    if (result > 0) *parent = fcntl(w.folders[w.depth], F_DUPFD_CLOEXEC, 3);
    if (result > 0 && *parent < 0) {
        why = errno;
        close(fd);
        fd = -1;
    }
    while (w.depth > 0) close(w.folders[w.depth--]);
    errno = why;
    return fd;
}

static int openat2_beneath(int dir, const char *location, uint64_t flags, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve};
    int fd = -1;
    for (int tries = 0; tries < 16; tries++) { /* EAGAIN: something was renamed meanwhile */
        fd = (int)syscall(SYS_openat2, dir, location, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    return fd;
}

typedef struct found {
    int fd; /* readable, a regular file; -1: errno, or mode when it is something else */
    mode_t mode;
    struct stat st;
} found;

static found open_beneath(int dir, const char *location, uint64_t resolve) {
    found r = {.fd = -1};
    char name[256];
    int parent = -1, path = openat2_beneath(dir, location, O_PATH, resolve);
    bool own = path < 0 && (errno == ENOSYS || errno == EPERM || errno == E2BIG || errno == EINVAL);
    if (own) path = ox_walk_beneath(dir, location, &parent, name);
    if (path < 0) return r;
    struct stat first;
    if (fstat(path, &first)) {
        int why = errno;
        close(path);
        if (parent >= 0) close(parent);
        errno = why;
        return r;
    }
    r.mode = first.st_mode;
    if (S_ISREG(first.st_mode)) {
        int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
        r.fd = own ? openat(parent, name, flags | O_NOFOLLOW | O_CLOEXEC)
                   : openat2_beneath(dir, location, (uint64_t)flags, resolve);
        if (r.fd < 0) r.mode = 0;
        bool looked = r.fd >= 0 && !fstat(r.fd, &r.st);
        if (r.fd >= 0 && (!looked || r.st.st_dev != first.st_dev || r.st.st_ino != first.st_ino)) {
            int why = looked ? EXDEV : errno; /* exchanged under our eyes */
            close(r.fd);
            r.fd = -1;
            r.mode = 0;
            errno = why;
        }
    }
    int why = errno;
    close(path);
    if (parent >= 0) close(parent);
    errno = why;
    return r;
}

/* The folder of a path as text; "." when it has none. */
static bool folder_of(const char *path, char out[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= PATH_MAX) return false;
    if (!slash) return strcpy(out, "."), true;
    if (!n) return strcpy(out, "/"), true;
    memcpy(out, path, n);
    out[n] = 0;
    return true;
}

/* Model and data are links into one real folder. */
static found open_in_cache(const char *model_path, const char *folder, const char *location) {
    found none = {.fd = -1};
    char linked[2 * PATH_MAX + 2], model[PATH_MAX], data[PATH_MAX], home[PATH_MAX], data_home[PATH_MAX];
    struct stat st;
    int n = snprintf(linked, sizeof linked, "%s/%s", folder, location);
    if (n < 0 || (size_t)n >= sizeof linked || lstat(model_path, &st) || !S_ISLNK(st.st_mode) || lstat(linked, &st) ||
        !S_ISLNK(st.st_mode) || !realpath(model_path, model) || !realpath(linked, data) || !folder_of(model, home) ||
        !folder_of(data, data_home) || strcmp(home, data_home)) {
        errno = EXDEV;
        return none;
    }
    int dir = open(home, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return none;
    found r = open_beneath(dir, strrchr(data, '/') + 1, RESOLVE_NO_SYMLINKS);
    int why = errno;
    close(dir);
    errno = why;
    return r;
}

static int location_error(ox_ctx *ctx, const char *location, const found *r) {
    int why = errno;
    if (r->mode)
        return ox_fail(ctx, OX_POLICY, "location \"%s\" is %s, not a regular file", location, kind_name(r->mode));
    switch (why) {
    case EXDEV:
        return ox_fail(ctx, OX_POLICY, "location \"%s\" leads out of the model's folder", location);
    case ELOOP:
        return ox_fail(ctx, OX_POLICY, "location \"%s\" leads through links that may not be followed", location);
    case EISDIR:
        return ox_fail(ctx, OX_POLICY, "location \"%s\" is a folder, not a regular file", location);
    default:
        return ox_fail(ctx, code_of(why), "location \"%s\": %s", location, strerror(why));
    }
}

/* "a/../../b": more steps up than down is refused by its text already, whether or not the folders are there. */
static bool climbs_out(const char *location) {
    int depth = 0;
    for (const char *p = location; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && !memcmp(p, "..", 2)) {
            if (--depth < 0) return true;
        } else if (n && !(n == 1 && *p == '.')) {
            depth++;
        }
        p += n + (p[n] == '/');
    }
    return false;
}

ox_file *ox_file_open_beneath(ox_ctx *ctx, const char *model_path, const char *location) {
    char folder[PATH_MAX];
    if (!location[0]) return ox_fail(ctx, OX_BAD_DATA, "location is empty"), NULL;
    if (location[0] == '/') return ox_fail(ctx, OX_POLICY, "location \"%s\" is absolute", location), NULL;
    if (climbs_out(location))
        return ox_fail(ctx, OX_POLICY, "location \"%s\" leads out of the model's folder", location), NULL;
    if (!strcmp(model_path, "-"))
        return ox_fail(ctx, OX_POLICY, "location \"%s\": a model from standard input has no folder for external data",
                       location),
               NULL;
    if (!folder_of(model_path, folder))
        return ox_fail(ctx, OX_NO_INPUT, "%s: %s", model_path, strerror(ENAMETOOLONG)), NULL;
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return ox_fail(ctx, code_of(errno), "%s: %s", folder, strerror(errno)), NULL;

    found r = open_beneath(dir, location, 0);
    if (r.fd < 0 && !r.mode && errno == EXDEV) r = open_in_cache(model_path, folder, location);
    int why = errno;
    close(dir);
    errno = why;
    if (r.fd < 0) return location_error(ctx, location, &r), NULL;

    char name[2 * PATH_MAX + 2];
    const char *shown = location;
    if (strchr(model_path, '/') &&
        snprintf(name, sizeof name, "%s/%s", strcmp(folder, "/") ? folder : "", location) > 0)
        shown = name;
    ox_file *f = new_file(ctx, shown);
    if (!f) {
        close(r.fd);
        return NULL;
    }
    if (map_file(ctx, f, r.fd, &r.st)) {
        ox_file_close(f);
        return NULL;
    }
    return f;
}

int ox_read_text(ox_ctx *ctx, ox_arena *arena, const char *path, size_t max, int too_big_code, char **text,
                 size_t *len) {
    ox_file *f = open_limited(ctx, path, max);
    if (!f && ox_error_code(ctx) == OX_BAD_DATA && too_big_code != OX_BAD_DATA) ctx->error_code = too_big_code;
    if (!f) return -1;
    int result = -1;
    if (f->size > max) {
        ox_fail(ctx, too_big_code, "%s: %" PRIu64 " bytes, the limit is %zu", path, f->size, max);
    } else {
        *text = ox_alloc(arena, (size_t)f->size + 1); /* a failure here leaves the file to the context */
        if (f->size) memcpy(*text, f->data, (size_t)f->size);
        *len = (size_t)f->size;
        result = 0;
    }
    if (result == 0 && f->fd >= 0) unmap(f); /* open, so that the context knows it among its inputs */
    else ox_file_close(f);
    return result;
}
