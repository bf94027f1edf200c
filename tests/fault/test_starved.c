/* The library without memory: everything it does, with the n-th allocation failing, once or from then on, for all n.
 *
 * The linker sends the library's own calls of malloc() and its like through here (-Wl,--wrap), so they are counted and can fail, and every
 * piece must have been given back when the context is closed. Descriptors and mappings as well. A build with sanitizers sees the same for
 * whatever other libraries took. Takes a model as text. TAP. */
#include "ox.h"

#include "onnx/onnx.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct failing {
    long count, at, done; /* allocations; the one to fail, 0: none; how many failed */
    bool from_then_on;
    long pieces;          /* alive */
    size_t mapped;        /* bytes */
} failing;
static failing faults;

static bool fails(void) {
    long n = __atomic_add_fetch(&faults.count, 1, __ATOMIC_RELAXED);
    if (!faults.at || !(faults.from_then_on ? n >= faults.at : n == faults.at)) return false;
    __atomic_add_fetch(&faults.done, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return true;
}

static void *piece(void *p) {
    if (p) __atomic_add_fetch(&faults.pieces, 1, __ATOMIC_RELAXED);
    return p;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
int __real_posix_memalign(void **p, size_t align, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *p);
void *__real_mmap64(void *p, size_t size, int prot, int flags, int fd, off64_t at);
void *__real_mremap(void *p, size_t old, size_t size, int flags);
int __real_munmap(void *p, size_t size);

void *__wrap_malloc(size_t size) { return fails() ? NULL : piece(__real_malloc(size)); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : piece(__real_calloc(n, size)); }
void *__wrap_realloc(void *p, size_t size) { return fails() ? NULL : p ? __real_realloc(p, size) : piece(__real_realloc(p, size)); }
void *__wrap_aligned_alloc(size_t align, size_t size) { return fails() ? NULL : piece(__real_aligned_alloc(align, size)); }
int __wrap_posix_memalign(void **p, size_t align, size_t size) {
    int why = fails() ? ENOMEM : __real_posix_memalign(p, align, size);
    if (!why) piece(*p);
    return why;
}

char *__wrap_strdup(const char *text) { return fails() ? NULL : piece(__real_strdup(text)); }

void __wrap_free(void *p) {
    if (p) __atomic_sub_fetch(&faults.pieces, 1, __ATOMIC_RELAXED);
    __real_free(p);
}

static size_t pages(size_t size) { return (size + 4095) / 4096; }

void *__wrap_mmap64(void *p, size_t size, int prot, int flags, int fd, off64_t at) {
    void *made = fails() ? MAP_FAILED : __real_mmap64(p, size, prot, flags, fd, at);
    if (made != MAP_FAILED) faults.mapped += pages(size);
    return made;
}
void *__wrap_mmap(void *p, size_t size, int prot, int flags, int fd, off_t at) { return __wrap_mmap64(p, size, prot, flags, fd, at); }

void *__wrap_mremap(void *p, size_t old, size_t size, int flags) {
    void *made = fails() ? MAP_FAILED : __real_mremap(p, old, size, flags);
    if (made != MAP_FAILED) faults.mapped += pages(size) - pages(old);
    return made;
}

int __wrap_munmap(void *p, size_t size) {
    faults.mapped -= pages(size);
    return __real_munmap(p, size);
}

/* ---- what is done ---- */

static const char *model_text;

typedef struct work {
    ox_ctx *ctx;
    ox_model *m, *other;
    char *text;
} work;

static bool open_both(work *w) { return (w->m = ox_open(w->ctx, "in.onnx")) && (w->other = ox_copy(w->m)); }

static bool do_parse(work *w) { return (w->m = ox_parse(w->ctx, model_text, "text")) && ox_save(w->m, "out.onnx") == 0; }
static bool do_print(work *w) { return (w->m = ox_open(w->ctx, "in.onnx")) && (w->text = ox_to_text(w->m, true)); }
static bool do_optimize(work *w) { return open_both(w) && ox_optimize(w->m, "portable") >= 0 && ox_save(w->m, "out.onnx") == 0; }
static bool do_compare(work *w) { return open_both(w) && ox_run_passes(w->m, "dce") >= 0 && ox_same(w->other, w->m, 1, 1) == 1; }

static bool do_lift(work *w) {
    return (w->m = ox_open(w->ctx, "in.onnx")) && ox_run_passes(w->m, "raise-opset=21,inline-functions,strip,dedupe-initializers") >= 0 &&
           ox_save(w->m, "out.onnx") == 0;
}

static int save_outside(void *arg) {
    work *w = arg;
    return ox_model_save(w->m, "out.onnx", &(ox_save_options){.data_file = "out.data", .threshold = 64});
}

static bool do_external(work *w) {
    return (w->m = ox_open(w->ctx, "in.onnx")) && ox_run_passes(w->m, "dce") >= 0 && ox_protect(w->ctx, save_outside, w) == 0 &&
           (w->other = ox_open(w->ctx, "out.onnx")) && ox_save(w->other, "sub/again.onnx") == 0;
}

static bool do_execute(work *w) {
    static float image[3 * 32 * 32];
    ox_buffer in = {.name = "image", .type = 1, .rank = 4, .dims = {1, 3, 32, 32}, .data = image, .bytes = sizeof image}, out = {0};
    if (!(w->m = ox_open(w->ctx, "in.onnx")) || ox_execute(w->m, &in, 1, &out) < 0) return false;
    __wrap_free(out.data);
    return true;
}

/* ---- judging ---- */

static int open_files(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

static bool temporaries(const char *folder) {
    bool found = false;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) found = found || !strncmp(e->d_name, ".ox-", 4);
    if (d) closedir(d);
    return found;
}

/* close_models: as callers do; else the context has to. What is wrong, or NULL. */
static const char *once(bool (*fn)(work *w), bool close_models) {
    static char why[512];
    work w = {0};
    int code = 0, files = open_files();
    const char *text = "";
    bool good = (w.ctx = ox_open_context()) && (ox_set_threads(w.ctx, 1), fn(&w));
    if (w.ctx && !good) code = ox_last_error(w.ctx, &text);
    if (w.ctx && !good && !code) return "it fails without an error";
    snprintf(why, sizeof why, "code %d: %.300s", code, text);
    __wrap_free(w.text);
    if (close_models) ox_close(w.other), ox_close(w.m);
    ox_close_context(w.ctx);
    if (good && faults.done) return "it succeeds although memory was missing";
    if (!good && (!faults.done || (code && code != OX_NO_MEMORY))) return why;
    if (faults.pieces) return "memory was not given back";
    if (faults.mapped) return "a mapping was left";
    if (open_files() != files) return "a file was left open";
    return temporaries(".") || temporaries("sub") ? "a temporary was left" : NULL;
}

static int number, failures;

static void sweep(const char *name, bool (*fn)(work *w)) {
    const char *fault = NULL;
    long n = 0;
    faults = (failing){0};
    if ((fault = once(fn, true))) n = -1; /* without any failure; also what is made once per process */
    while (!fault) {
        n++;
        faults = (failing){.at = n, .from_then_on = n % 3 == 0};
        fault = once(fn, n % 2);
        if (!faults.done) break;
    }
    failures += fault != NULL;
    printf("%sok %d - %s (%ld allocations)\n", fault ? "not " : "", ++number, name, n - 1);
    if (fault) printf("# at allocation %ld%s: %s\n", n, faults.from_then_on ? " and from then on" : "", fault);
    fflush(stdout);
}

static void prepare(const char *path) {
    static char folder[] = "/tmp/starved-XXXXXX";
    FILE *f = fopen(path, "rb");
    char *text = __real_calloc(1, 1 << 20);
    if (!f || !text || !fread(text, 1, (1 << 20) - 1, f) || !mkdtemp(folder) || chdir(folder)) exit(99);
    fclose(f);
    model_text = text;
    work w = {.ctx = ox_open_context()};
    if (!w.ctx || !(w.m = ox_parse(w.ctx, text, path)) || ox_save(w.m, "in.onnx")) exit(99);
    ox_close(w.m);
    ox_close_context(w.ctx);
}

int main(int argc, char **argv) {
    static const char *const files[] = {"in.onnx", "out.onnx", "out.data", "sub/again.onnx", "sub/out.data"};
    if (argc != 2) return 64;
    prepare(argv[1]);
    if (mkdir("sub", 0700)) return 99;
    sweep("parse, save", do_parse);
    sweep("open, print", do_print);
    sweep("open, copy, optimize, save", do_optimize);
    sweep("compare", do_compare);
    sweep("lift, inline, strip", do_lift);
    sweep("external data out and in", do_external);
    sweep("run", do_execute);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(files[i]);
    char folder[64];
    if (!rmdir("sub") && getcwd(folder, sizeof folder) && !chdir("/")) rmdir(folder);
    printf("1..%d\n", number);
    return failures != 0;
}
