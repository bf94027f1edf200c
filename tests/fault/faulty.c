/* Loaded into a program by LD_PRELOAD: the n-th call of a kind fails, does less than it was asked for, or is where a signal comes.
 *
 * Calls count when they come from the program itself; allocations also when they come from the libraries that work for it (protobuf-c,
 * libyaml, jansson, libzip, zlib) or from the C library. The loader, OpenMP and OpenBLAS are left alone: they end the process when
 * they find no memory, and nobody above them can change that. The plan lies in a file named by OX_FAULT, mapped and shared, so that the
 * count goes on when a program starts itself again. Removing a file is never made to fail: that is how a program cleans up. */
#undef _FILE_OFFSET_BITS /* both names of each call are here */
#include "plan.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

enum { RANGES = 64 };
static plan *the_plan;
static struct range { uintptr_t from, to; bool program; } ranges[RANGES];
static int n_ranges;

/* ---- who calls ---- */

static int note_object(struct dl_phdr_info *info, size_t size, void *user) {
    static const char *const libraries[] = {"/libprotobuf-c.", "/libyaml", "/libjansson.", "/libzip.", "/libz.", "/libc."};
    bool *first = user, program = *first, wanted = program;
    (void)size;
    *first = false;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) wanted = wanted || strstr(info->dlpi_name, libraries[i]);
    for (int i = 0; wanted && i < info->dlpi_phnum && n_ranges < RANGES; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && h->p_flags & PF_X)
            ranges[n_ranges++] = (struct range){info->dlpi_addr + h->p_vaddr, info->dlpi_addr + h->p_vaddr + h->p_memsz, program};
    }
    return 0;
}

static void note_objects(void) {
    bool first = true;
    n_ranges = 0;
    dl_iterate_phdr(note_object, &first);
}

__attribute__((constructor)) static void prepare(void) {
    const char *path = getenv("OX_FAULT");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *p = mmap(NULL, sizeof(plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    note_objects();
    if (p != MAP_FAILED) the_plan = p;
}

static bool from_us(const void *caller, int kind) {
    for (int i = 0; i < n_ranges; i++)
        if ((uintptr_t)caller >= ranges[i].from && (uintptr_t)caller < ranges[i].to) return ranges[i].program || kind == PLAN_MEMORY;
    return false;
}

/* ---- what happens ---- */

static bool note(const char *call) {
    plan *p = the_plan;
    if (!p->done++) p->harmless = true;
    strncpy(p->call, call, sizeof p->call - 1);
    if (strcmp(call, "fallocate") && strcmp(call, "close")) p->harmless = false;
    return true;
}

/* Whether the plan takes effect on this call. */
static bool chosen(int kind, const char *call, const void *caller) {
    plan *p = the_plan;
    bool partial = p && (p->what == PLAN_SHORT || p->what == PLAN_INTERRUPT);
    if (!p || !(p->calls & kind) || (partial && !(kind & PLAN_MOVE)) || !from_us(caller, kind)) return false;
    long n = __atomic_add_fetch(&p->count, 1, __ATOMIC_RELAXED);
    bool now = p->what == PLAN_SHORT      ? true
               : p->what == PLAN_INTERRUPT ? n % 2 == 1
               : p->from_then_on           ? n >= p->at
                                           : n == p->at;
    return now && note(call);
}

static bool is(enum plan_what what) { return the_plan->what == what; }

/* Whether a call that was chosen fails; a signal that comes before it is sent here. */
static bool fails(int *number) {
    *number = the_plan->number;
    if (is(PLAN_SIGNAL_BEFORE)) kill(getpid(), the_plan->number);
    if (is(PLAN_INTERRUPT)) *number = EINTR;
    return is(PLAN_FAIL) || is(PLAN_INTERRUPT);
}

/* The frame of every call: `result` is evaluated unless it is to fail, and after it a signal may come. */
#define CALL(kind, name, T, bad, result)                                  \
    do {                                                                  \
        bool now = chosen(kind, name, CALLER);                            \
        int why = 0;                                                      \
        if (now && fails(&why)) return errno = why, (T)(bad);             \
        T made = (result);                                                \
        if (now && is(PLAN_SIGNAL_AFTER)) kill(getpid(), the_plan->number); \
        return made;                                                      \
    } while (0)

/* The same for calls that transfer SIZE bytes, and may transfer fewer. */
#define TRANSFER(kind, name, size, result)                                \
    do {                                                                  \
        bool now = chosen((kind) | PLAN_MOVE, name, CALLER);              \
        int why = 0;                                                      \
        if (now && fails(&why)) return errno = why, -1;                   \
        if (now && is(PLAN_SHORT) && (size) > 1) (size) = (size) / 2 < 1000 ? ((size) + 1) / 2 : 1000; \
        ssize_t made = (result);                                          \
        if (now && is(PLAN_SIGNAL_AFTER)) kill(getpid(), the_plan->number); \
        return made;                                                      \
    } while (0)

/* ---- libraries that come later: the loader is left alone meanwhile ---- */

PUBLIC void *dlopen(const char *name, int flags) {
    void *(*next)(const char *, int);
    void *found = dlsym(RTLD_NEXT, "dlopen");
    memcpy(&next, &found, sizeof next);
    if (!the_plan) return next(name, flags);
    n_ranges = 0;
    void *made = next(name, flags);
    note_objects();
    return made;
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

PUBLIC void *malloc(size_t size) { CALL(PLAN_MEMORY, "malloc", void *, NULL, __libc_malloc(size)); }
PUBLIC void *calloc(size_t n, size_t size) { CALL(PLAN_MEMORY, "calloc", void *, NULL, __libc_calloc(n, size)); }
PUBLIC void *realloc(void *p, size_t size) { CALL(PLAN_MEMORY, "realloc", void *, NULL, __libc_realloc(p, size)); }
PUBLIC void *aligned_alloc(size_t align, size_t size) { CALL(PLAN_MEMORY, "aligned_alloc", void *, NULL, __libc_memalign(align, size)); }
PUBLIC void *memalign(size_t align, size_t size) { CALL(PLAN_MEMORY, "memalign", void *, NULL, __libc_memalign(align, size)); }

PUBLIC void *reallocarray(void *p, size_t n, size_t size) {
    size_t all;
    if (__builtin_mul_overflow(n, size, &all)) return errno = ENOMEM, NULL;
    CALL(PLAN_MEMORY, "reallocarray", void *, NULL, __libc_realloc(p, all));
}

PUBLIC int posix_memalign(void **p, size_t align, size_t size) {
    if (chosen(PLAN_MEMORY, "posix_memalign", CALLER) && is(PLAN_FAIL)) return ENOMEM;
    void *made = __libc_memalign(align, size);
    if (made) *p = made;
    return made ? 0 : ENOMEM;
}

#define MAP_KIND(fd) ((fd) < 0 ? PLAN_MEMORY : PLAN_READ)
PUBLIC void *mmap64(void *p, size_t size, int prot, int flags, int fd, off_t at) {
    CALL(MAP_KIND(fd), "mmap", void *, MAP_FAILED, (void *)syscall(SYS_mmap, p, size, prot, flags, fd, at));
}
PUBLIC void *mmap(void *p, size_t size, int prot, int flags, int fd, off_t at) {
    CALL(MAP_KIND(fd), "mmap", void *, MAP_FAILED, (void *)syscall(SYS_mmap, p, size, prot, flags, fd, at));
}
PUBLIC void *mremap(void *p, size_t old, size_t size, int flags, ...) {
    CALL(PLAN_MEMORY, "mremap", void *, MAP_FAILED, (void *)syscall(SYS_mremap, p, old, size, flags, NULL));
}

/* ---- opening and looking ---- */

#define OPEN_KIND(flags) ((flags) & O_CREAT ? PLAN_WRITE : PLAN_OPEN)
#define OPEN_NAME(flags) ((flags) & O_CREAT ? "create" : "open")
static int mode_of(int flags, va_list args) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0; }
#define OPEN(folder, path)                                                            \
    va_list args;                                                                     \
    va_start(args, flags);                                                            \
    int mode = mode_of(flags, args);                                                  \
    va_end(args);                                                                     \
    CALL(OPEN_KIND(flags), OPEN_NAME(flags), int, -1, (int)syscall(SYS_openat, folder, path, flags, mode))

PUBLIC int open(const char *path, int flags, ...) { OPEN(AT_FDCWD, path); }
PUBLIC int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD, path); }
PUBLIC int openat(int dir, const char *path, int flags, ...) { OPEN(dir, path); }
PUBLIC int openat64(int dir, const char *path, int flags, ...) { OPEN(dir, path); }

static long (*next_syscall)(long number, ...);
/* Only openat2 goes this way in the programs. */
PUBLIC long syscall(long number, ...) {
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(args, long);
    va_end(args);
    if (!next_syscall) {
        void *found = dlsym(RTLD_NEXT, "syscall");
        memcpy(&next_syscall, &found, sizeof found);
    }
    CALL(number == SYS_openat2 ? PLAN_OPEN : 0, "openat2", long, -1, next_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

static int stat_at(int dir, const char *path, struct stat *st, int flags) { return (int)syscall(SYS_newfstatat, dir, path, st, flags); }
PUBLIC int fstat(int fd, struct stat *st) { CALL(PLAN_READ, "fstat", int, -1, stat_at(fd, "", st, AT_EMPTY_PATH)); }
PUBLIC int fstat64(int fd, struct stat64 *st) { CALL(PLAN_READ, "fstat", int, -1, stat_at(fd, "", (struct stat *)st, AT_EMPTY_PATH)); }

/* ---- reading ---- */

PUBLIC ssize_t read(int fd, void *p, size_t n) { TRANSFER(PLAN_READ, "read", n, syscall(SYS_read, fd, p, n)); }
PUBLIC ssize_t pread(int fd, void *p, size_t n, off_t at) { TRANSFER(PLAN_READ, "pread", n, syscall(SYS_pread64, fd, p, n, at)); }
PUBLIC ssize_t pread64(int fd, void *p, size_t n, off64_t at) { TRANSFER(PLAN_READ, "pread", n, syscall(SYS_pread64, fd, p, n, at)); }

/* ---- writing ---- */

PUBLIC ssize_t write(int fd, const void *p, size_t n) {
    TRANSFER(fd == STDERR_FILENO ? 0 : PLAN_WRITE, "write", n, syscall(SYS_write, fd, p, n));
}
PUBLIC ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags) {
    TRANSFER(PLAN_WRITE, "copy_file_range", n, syscall(SYS_copy_file_range, in, from, out, to, n, flags));
}
PUBLIC int fallocate(int fd, int mode, off_t at, off_t n) { CALL(PLAN_WRITE, "fallocate", int, -1, (int)syscall(SYS_fallocate, fd, mode, at, n)); }
PUBLIC int fallocate64(int fd, int mode, off64_t at, off64_t n) {
    CALL(PLAN_WRITE, "fallocate", int, -1, (int)syscall(SYS_fallocate, fd, mode, at, n));
}
PUBLIC int fsync(int fd) { CALL(PLAN_WRITE, "fsync", int, -1, (int)syscall(SYS_fsync, fd)); }
PUBLIC int fdatasync(int fd) { CALL(PLAN_WRITE, "fdatasync", int, -1, (int)syscall(SYS_fdatasync, fd)); }
PUBLIC int fchmod(int fd, mode_t mode) { CALL(PLAN_WRITE, "fchmod", int, -1, (int)syscall(SYS_fchmod, fd, mode)); }
PUBLIC int mkdir(const char *path, mode_t mode) { CALL(PLAN_WRITE, "mkdir", int, -1, (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode)); }

/* A close that fails has closed all the same. */
PUBLIC int close(int fd) {
    bool now = chosen(PLAN_WRITE, "close", CALLER);
    int why = 0;
    bool bad = now && fails(&why);
    int result = (int)syscall(SYS_close, fd);
    if (now && is(PLAN_SIGNAL_AFTER)) kill(getpid(), the_plan->number);
    if (bad) errno = why;
    return bad ? -1 : result;
}

/* Where nothing works any more no program can take back what it has renamed already: once one was renamed, the way back stays open. */
static int rename_at(int from, const char *old, int to, const char *name, unsigned flags, const void *caller) {
    static bool one_was;
    bool now = !(one_was && the_plan && the_plan->from_then_on) && chosen(PLAN_WRITE, "rename", caller);
    int why = 0;
    if (now && fails(&why)) return errno = why, -1;
    int result = (int)syscall(SYS_renameat2, from, old, to, name, flags);
    if (!result) one_was = true;
    if (now && is(PLAN_SIGNAL_AFTER)) kill(getpid(), the_plan->number);
    return result;
}
PUBLIC int renameat2(int from, const char *old, int to, const char *name, unsigned flags) { return rename_at(from, old, to, name, flags, CALLER); }
PUBLIC int renameat(int from, const char *old, int to, const char *name) { return rename_at(from, old, to, name, 0, CALLER); }
PUBLIC int rename(const char *old, const char *name) { return rename_at(AT_FDCWD, old, AT_FDCWD, name, 0, CALLER); }
PUBLIC int linkat(int from, const char *old, int to, const char *name, int flags) {
    CALL(PLAN_WRITE, "link", int, -1, (int)syscall(SYS_linkat, from, old, to, name, flags));
}

/* A removal can be where a signal comes, nothing else. */
PUBLIC int unlinkat(int dir, const char *path, int flags) {
    bool now = the_plan && the_plan->what >= PLAN_SIGNAL_BEFORE && chosen(PLAN_WRITE, "unlink", CALLER);
    int why = 0;
    if (now) fails(&why);
    int result = (int)syscall(SYS_unlinkat, dir, path, flags);
    if (now && is(PLAN_SIGNAL_AFTER)) kill(getpid(), the_plan->number);
    return result;
}
