/* Outputs that appear whole or not at all: a temporary beside the target, fsync, rename, fsync of the folder. Several appear
 * together: all are on the disk before the first takes its name, and when one cannot, those before give their names back.
 *
 * Temporaries have random names and are made with O_EXCL, so nothing is ever written through a link. Their names stand in one
 * table for the whole process, because a signal handler must find them without a context: the only global that changes in the
 * library, with the count of commits that the handler must not cut in two. A slot goes FREE -> TAKEN (atomic) -> LIVE and
 * back; the handler looks at LIVE ones only and calls unlinkat(). */
#include "base/base_private.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 64, NAME = 40, BUFFER = 1 << 16, COPY = 1 << 20, SLICE = 32 << 20, FREE = 0, TAKEN = 1, LIVE = 2 };

static struct slot {
    sig_atomic_t state;
    int dir;
    char name[NAME];
} slots[SLOTS];
static int committing; /* calls that are just giving names to outputs */
static int ending;     /* a signal is ending the process, in whatever thread it came */

struct ox_out {
    ox_ctx *ctx;
    const char *path;  /* as given */
    const char *base;  /* last component, in path */
    int fd, dir;       /* dir -1: standard output */
    struct slot *slot; /* NULL: no temporary */
    bool exists;       /* the target, as dev and ino */
    dev_t dev;
    ino_t ino;
    bool failed, done;
    enum { HIDDEN, NEW, REPLACED, EXCHANGED } state; /* what taking the name has done */
    ino_t own_ino;     /* of the temporary */
    bool twin;         /* so far a copy of one whole input file */
    dev_t folder_dev;  /* of the folder */
    ino_t folder_ino;
    struct ox_out *older, *newer; /* open outputs of the context */
    uint64_t position; /* with what is still in the buffer */
    uint64_t started;  /* the disk was told to write up to here */
    size_t filled;
    uint8_t *copy; /* COPY bytes, made when needed */
    uint8_t buffer[BUFFER];
};

/* ---- the table */

static struct slot *take_slot(int dir) {
    for (int i = 0; i < SLOTS; i++) {
        sig_atomic_t expected = FREE;
        if (__atomic_compare_exchange_n(&slots[i].state, &expected, TAKEN, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            slots[i].dir = dir;
            return &slots[i];
        }
    }
    return NULL;
}

static void set_slot(struct slot *s, sig_atomic_t state) { __atomic_store_n(&s->state, state, __ATOMIC_RELEASE); }

void ox_out_abandon_all(bool ends) {
    if (ends) __atomic_store_n(&ending, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&committing, __ATOMIC_ACQUIRE)) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* in another thread */
    for (int i = 0; i < SLOTS; i++)
        if (__atomic_load_n(&slots[i].state, __ATOMIC_ACQUIRE) == LIVE) unlinkat(slots[i].dir, slots[i].name, 0);
}

/* ---- opening */

static int cannot(ox_out *o, int why) {
    return ox_fail(o->ctx, OX_CANT_CREATE, "%s: cannot be created: %s", o->path, strerror(why));
}

/* Creates the temporary; the name is in the table before the file is there. */
static int make_temporary(ox_out *o) {
    for (int tries = 0; tries < 100; tries++) {
        uint64_t r;
        if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) return cannot(o, errno);
        set_slot(o->slot, TAKEN);
        snprintf(o->slot->name, NAME, ".ox-%016" PRIx64 ".tmp", r);
        set_slot(o->slot, LIVE);
        o->fd = openat(o->dir, o->slot->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (o->fd >= 0) return 0;
        if (errno != EEXIST) break;
    }
    return cannot(o, errno);
}

static int look_at_target(ox_out *o, mode_t *mode) {
    struct stat st;
    if (!o->base[0] || !strcmp(o->base, ".") || !strcmp(o->base, "..")) return cannot(o, EISDIR);
    if (fstatat(o->dir, o->base, &st, AT_SYMLINK_NOFOLLOW)) return errno == ENOENT ? 0 : cannot(o, errno);
    if (S_ISDIR(st.st_mode)) return cannot(o, EISDIR);
    if (S_ISLNK(st.st_mode))
        return ox_fail(o->ctx, OX_CANT_CREATE,
                       "%s: is a link, and outputs are not written through links ('-' is standard output)", o->path);
    if (!S_ISREG(st.st_mode)) return ox_fail(o->ctx, OX_CANT_CREATE, "%s: is there and not a regular file", o->path);
    o->exists = true;
    o->dev = st.st_dev;
    o->ino = st.st_ino;
    *mode = st.st_mode & 07777;
    return 0;
}

/* Whatever is read must stay as it is, and no output may replace another one. */
static int protect(const ox_out *o) {
    for (const ox_file *f = o->ctx->inputs; f && o->exists; f = f->older)
        if (f->ino && (uint64_t)o->dev == f->dev && (uint64_t)o->ino == f->ino)
            return ox_fail(o->ctx, OX_CANT_CREATE, "%s: is the same file as the input %s", o->path, f->name);
    for (const ox_out *other = o->older; other && o->dir >= 0; other = other->older)
        if (other->dir >= 0 && other->folder_dev == o->folder_dev && other->folder_ino == o->folder_ino && !strcmp(other->base, o->base))
            return ox_fail(o->ctx, OX_CANT_CREATE, "%s: is the same file as another output, %s", o->path, other->path);
    return 0;
}

static int open_standard(ox_out *o) {
    struct stat st;
    o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (o->fd < 0) return ox_fail(o->ctx, OX_IO, "standard output: %s", strerror(errno));
    if (!fstat(o->fd, &st) && S_ISREG(st.st_mode)) {
        o->exists = true;
        o->dev = st.st_dev;
        o->ino = st.st_ino;
    }
    return protect(o);
}

static int open_beside(ox_out *o) {
    char folder[PATH_MAX];
    size_t n = (size_t)(o->base - o->path);
    if (n >= sizeof folder) return cannot(o, ENAMETOOLONG);
    memcpy(folder, o->path, n);
    strcpy(folder + n, n ? "" : ".");
    o->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->dir < 0 && errno == EACCES)
        o->dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC); /* may be written, not listed */
    if (o->dir < 0) return cannot(o, errno);
    mode_t mode = 0;
    struct stat st;
    if (fstat(o->dir, &st)) return cannot(o, errno);
    o->folder_dev = st.st_dev;
    o->folder_ino = st.st_ino;
    if (look_at_target(o, &mode) || protect(o)) return -1;
    o->slot = take_slot(o->dir);
    if (!o->slot) return ox_fail(o->ctx, OX_CANT_CREATE, "%s: more than %d outputs at once", o->path, SLOTS);
    if (make_temporary(o)) return -1;
    if (o->exists && fchmod(o->fd, mode)) return cannot(o, errno);
    return 0;
}

static void abandon_out(void *data) { ox_out_close(data); }

ox_out *ox_out_open(ox_ctx *ctx, const char *path) {
    size_t len = strlen(path) + 1;
    ox_out *o = ox_payload_alloc(ctx, sizeof *o + len);
    if (!o) return NULL;
    memset(o, 0, offsetof(ox_out, buffer));
    o->ctx = ctx;
    o->path = memcpy(o + 1, path, len);
    o->base = strrchr(o->path, '/') ? strrchr(o->path, '/') + 1 : o->path;
    o->fd = o->dir = -1;
    o->older = ctx->outputs;
    if (o->older) o->older->newer = o;
    ctx->outputs = o;
    ox_payload_on_abandon(o, abandon_out);
    if (strcmp(path, "-") ? open_beside(o) : open_standard(o)) {
        ox_out_close(o);
        return NULL;
    }
    return o;
}

/* ---- writing */

static int cannot_write(ox_out *o, int why) {
    o->failed = true;
    return ox_fail(o->ctx, OX_IO, "%s: cannot be written: %s", o->dir < 0 ? "standard output" : o->path, strerror(why));
}

static int write_all(ox_out *o, const uint8_t *p, size_t size) {
    while (size) {
        ssize_t n = write(o->fd, p, size < 1u << 30 ? size : 1u << 30);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return cannot_write(o, n ? errno : EIO);
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static int flush(ox_out *o) {
    size_t n = o->filled;
    o->filled = 0;
    return n ? write_all(o, o->buffer, n) : 0;
}

int ox_out_write(ox_out *o, const void *data, size_t size) {
    if (o->failed) return -1;
    o->twin = o->twin && o->position == 0;
    o->position += size;
    if (size > BUFFER - o->filled && flush(o)) return -1;
    if (size >= BUFFER) return write_all(o, data, size);
    if (size) memcpy(o->buffer + o->filled, data, size);
    o->filled += size;
    return 0;
}

/* By way of our memory, in pieces; not through the mapping, whose pages would count as ours. */
static int copy_by_read(ox_out *o, const ox_file *from, uint64_t offset, uint64_t size) {
    if (!o->copy && !(o->copy = ox_payload_alloc(o->ctx, COPY))) return o->failed = true, -1;
    while (size) {
        ssize_t n = pread(from->fd, o->copy, size < COPY ? (size_t)size : COPY, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            o->failed = true;
            return ox_fail(o->ctx, OX_IO, "%s: cannot be read at %" PRIu64 ": %s", from->name, offset,
                           n ? strerror(errno) : "it was cut meanwhile");
        }
        if (write_all(o, o->copy, (size_t)n)) return -1;
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return 0;
}

/* Room for a large range in one piece: the file system has less to do, and a full disk may show early. Only a hint. */
static void reserve(ox_out *o, uint64_t size) {
    if (size >= SLICE && o->dir >= 0) (void)!fallocate(o->fd, FALLOC_FL_KEEP_SIZE, (off_t)o->position, (off_t)size);
}

/* The disk begins with what was written while the rest is written, so that the fsync at the end finds little to do: 1.5 GB take then about
 * as long as a copy without fsync. `end` bytes are in the file. */
static void start_writing(ox_out *o, uint64_t end) {
    if (o->twin || o->dir < 0 || end - o->started < SLICE) return;
    sync_file_range(o->fd, (off_t)o->started, (off_t)(end - o->started), SYNC_FILE_RANGE_WRITE);
    o->started = end;
}

int ox_out_copy(ox_out *o, const ox_file *from, uint64_t offset, uint64_t size) {
    if (o->failed) return -1;
    if (offset > from->size || size > from->size - offset)
        return ox_fail(o->ctx, OX_BAD_DATA, "%s: range %" PRIu64 "+%" PRIu64 " lies past the end", from->name, offset,
                       size);
    o->twin = o->position == 0 && offset == 0 && size == from->size && from->mapped;
    if (from->fd < 0 || size < COPY / 16) return ox_out_write(o, from->data + offset, (size_t)size);
    if (flush(o)) return -1;
    reserve(o, size);
    o->position += size;
    while (size) {
        off_t at = (off_t)offset;
        ssize_t n = copy_file_range(from->fd, &at, o->fd, NULL, size < SLICE ? (size_t)size : SLICE, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) return cannot_write(o, errno);
        if (n <= 0) return copy_by_read(o, from, offset, size); /* not between these two: pipes, other file systems */
        offset += (uint64_t)n;
        size -= (uint64_t)n;
        start_writing(o, o->position - size);
    }
    return 0;
}

int ox_out_zeros(ox_out *o, uint64_t size) {
    static const uint8_t zeros[4096];
    for (; size > sizeof zeros; size -= sizeof zeros)
        if (ox_out_write(o, zeros, sizeof zeros)) return -1;
    return ox_out_write(o, zeros, (size_t)size);
}

uint64_t ox_out_position(const ox_out *o) { return o->position; }

/* ---- the end */

/* Signals whose handlers remove temporaries wait while several outputs take their names: else a model could stay behind without its data. */
static sigset_t hold_signals(void) {
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &held, &before);
    __atomic_add_fetch(&committing, 1, __ATOMIC_ACQ_REL);
    return before;
}

static void release_signals(sigset_t before) {
    __atomic_sub_fetch(&committing, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* another thread has the signal */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* All bytes are in the temporary, and on the disk. */
static int finish(ox_out *o) {
    struct stat st;
    if (o->failed || flush(o)) return -1;
    /* A copy of an input that stays can be made again: as cp, it is not waited for. All else is on the disk before it has its name. */
    if (!o->twin && fsync(o->fd) && errno != EINVAL && errno != ENOTSUP && errno != EROFS) return cannot_write(o, errno);
    if (o->dir >= 0 && fstat(o->fd, &st)) return cannot_write(o, errno);
    if (o->dir >= 0) o->own_ino = st.st_ino;
    int fd = o->fd;
    o->fd = -1;
    return close(fd) ? cannot_write(o, errno) : 0;
}

/* Takes the name. An older target goes under the name of the temporary, where the file system can exchange two; from there it can come back. */
static int appear(ox_out *o) {
    if (o->dir < 0) return 0;
    const char *temporary = o->slot->name;
    if (o->exists && !renameat2(o->dir, temporary, o->dir, o->base, RENAME_EXCHANGE)) {
        o->state = EXCHANGED;
    } else {
        if (renameat(o->dir, temporary, o->dir, o->base)) return cannot(o, errno);
        o->state = o->exists ? REPLACED : NEW;
    }
    /* the name is there; a folder that cannot be synced (or only be searched) takes nothing away */
    if (!o->twin && fsync(o->dir) && (errno == EIO || errno == ENOSPC || errno == EDQUOT)) return cannot_write(o, errno);
    return 0;
}

/* Gives the name back: nothing has happened. What others put there meanwhile stays. */
static void retreat(ox_out *o) {
    struct stat st;
    if (o->state == EXCHANGED) {
        if (renameat2(o->dir, o->slot->name, o->dir, o->base, RENAME_EXCHANGE)) renameat(o->dir, o->slot->name, o->dir, o->base);
    } else if (o->state == NEW && !fstatat(o->dir, o->base, &st, AT_SYMLINK_NOFOLLOW) && st.st_ino == o->own_ino) {
        renameat(o->dir, o->base, o->dir, o->slot->name);
    }
}

/* Nothing stands under the name of the temporary any more. */
static void settle(ox_out *o) {
    o->done = true;
    if (!o->slot) return;
    if (o->state == EXCHANGED) unlinkat(o->dir, o->slot->name, 0);
    set_slot(o->slot, FREE);
    o->slot = NULL;
}

/* The i-th output to appear: `before_last` stands between the others and the last. */
static ox_out *nth(const ox_outs *outs, const ox_outs *before_last, size_t i) {
    size_t more = before_last ? before_last->n : 0;
    if (i + 1 < outs->n) return outs->items[i];
    return i + 1 == outs->n + more ? outs->items[outs->n - 1] : before_last->items[i + 1 - outs->n];
}

int ox_outs_commit(const ox_outs *outs, const ox_outs *before_last) {
    size_t n = outs->n + (before_last ? before_last->n : 0), there = 0;
    for (size_t i = 0; i < n; i++)
        if (finish(nth(outs, before_last, i))) return -1;
    sigset_t before = hold_signals();
    int result = 0;
    while (!result && there < n) result = appear(nth(outs, before_last, there++));
    while (result && there) retreat(nth(outs, before_last, --there));
    for (size_t i = 0; !result && i < n; i++) settle(nth(outs, before_last, i));
    release_signals(before);
    return result;
}

int ox_out_commit(ox_out *o) { return ox_outs_commit(&(ox_outs){.items = &o, .n = 1}, NULL); }

void ox_out_close(ox_out *o) {
    if (!o) return;
    if (o->fd >= 0) close(o->fd);
    if (o->slot) {
        unlinkat(o->dir, o->slot->name, 0);
        set_slot(o->slot, FREE);
    }
    if (o->dir >= 0) close(o->dir);
    *(o->newer ? &o->newer->older : &o->ctx->outputs) = o->older;
    if (o->older) o->older->newer = o->newer;
    ox_payload_free(o->copy);
    ox_payload_free(o);
}

void ox_outs_add(ox_outs *outs, ox_arena *arena, ox_out *out) { OX_PUSH(arena, outs->items, outs->n, outs->capacity, out); }

void ox_outs_close(ox_outs *outs) {
    for (size_t i = 0; i < outs->n; i++) ox_out_close(outs->items[i]);
    outs->n = 0;
}

ox_out *ox_out_text(ox_ctx *ctx, const char *path, const char *text, size_t len) {
    ox_out *o = ox_out_open(ctx, path);
    if (!o || !ox_out_write(o, text, len)) return o;
    ox_out_close(o);
    return NULL;
}

int ox_write_text(ox_ctx *ctx, const char *path, const char *text, size_t len) {
    ox_out *o = ox_out_text(ctx, path, text, len);
    int result = o && !ox_out_commit(o) ? 0 : -1;
    ox_out_close(o);
    return result;
}
