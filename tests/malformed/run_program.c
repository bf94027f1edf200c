/* Runs the programs as a user would, in a folder of its own, and judges what comes of it. */
#include "malformed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE_MAX = 16384 + 64, WORDS = 64 };

const char *bin, *group;
static char work[256];
static int cases, failures;
static char message[1 << 20];
static double used_seconds;
static long used_kilobytes;

bool sanitized(void) {
#if defined(__SANITIZE_ADDRESS__)
    return true;
#else
    return false;
#endif
}

/* ---- the folder ---- */

const char *folder(void) { return work; }

static void remove_all(const char *path) {
    DIR *d = opendir(path);
    if (d) {
        for (struct dirent *e; (e = readdir(d));) {
            char sub_path[4096];
            struct stat st;
            if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
            snprintf(sub_path, sizeof sub_path, "%s/%s", path, e->d_name);
            if (lstat(sub_path, &st) == 0 && S_ISDIR(st.st_mode)) chmod(sub_path, 0700), remove_all(sub_path);
            else unlink(sub_path);
        }
        closedir(d);
    }
    rmdir(path);
}

void start(const char *bin_dir, const char *group_name) {
    const char *tmp = getenv("TMPDIR");
    static char full[4096];
    if (!realpath(bin_dir, full)) abort();
    bin = full;
    group = group_name;
    snprintf(work, sizeof work, "%s/malformed-XXXXXX", tmp && *tmp && strlen(tmp) < 200 ? tmp : "/tmp");
    if (!mkdtemp(work) || chdir(work) || mkdir("tmp", 0700) || mkdir("home", 0700) || mkdir("w", 0700) || chdir("w")) abort();
    signal(SIGPIPE, SIG_IGN);
    setenv("TMPDIR", text("%s/tmp", work), 1);
    setenv("HOME", text("%s/home", work), 1);
    setenv("ASAN_OPTIONS", "detect_leaks=1:exitcode=99:allocator_may_return_null=1:max_allocation_size_mb=8192", 0);
    setenv("UBSAN_OPTIONS", "halt_on_error=1:exitcode=98:print_stacktrace=1", 0);
    unsetenv("OX_FAIL_ALLOC");
}

int finish(void) {
    forget();
    if (chdir("/") == 0) remove_all(work);
    printf("1..%d\n", cases);
    return failures != 0;
}

void put(const char *name, bytes b) {
    unlink(name);
    FILE *f = fopen(name, "wb");
    if (!f || (b.n && fwrite(b.p, 1, b.n, f) != b.n) || fclose(f)) abort();
}

bytes get(const char *name) {
    struct stat st;
    int fd = open(name, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        if (fd >= 0) close(fd);
        return NONE;
    }
    bytes b = {keep((size_t)st.st_size), 0};
    for (ssize_t n; b.n < (size_t)st.st_size && (n = read(fd, b.p + b.n, (size_t)st.st_size - b.n)) > 0;) b.n += (size_t)n;
    close(fd);
    return b;
}

bool there(const char *name) {
    struct stat st;
    return lstat(name, &st) == 0;
}

static bool same(bytes a, bytes b) { return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n)); }

static int count_files(const char *path) {
    int n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (d) closedir(d);
    return n;
}

/* ---- reporting ---- */

void check(const char *name, bool ok, const char *format, ...) {
    char why[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    cases++;
    failures += !ok;
    printf("%sok %d - %s: %s\n", ok ? "" : "not ", cases, group, name);
    if (ok) return;
    for (char *c = why; *c; c++)
        if (*c == '\n' || (unsigned char)*c < 32) *c = '|';
    printf("# %s\n", why);
    fflush(stdout);
}

/* ---- one command ---- */

static void limit(double seconds) {
    struct rlimit r = {(rlim_t)seconds * (sanitized() ? 8 : 1) + 1, (rlim_t)seconds * (sanitized() ? 8 : 1) + 2};
    setrlimit(RLIMIT_CPU, &r);
    r = (struct rlimit){0, 0};
    setrlimit(RLIMIT_CORE, &r);
}

static void child(char **argv, const want *w, int pipe_in) {
    const char *to = w->to ? w->to : "../stdout";
    int in = w->from ? pipe_in : open("/dev/null", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | (strncmp(to, "/dev/", 5) ? O_TRUNC : 0), 0600);
    int err = open("../stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (in < 0 || out < 0 || err < 0) _exit(120);
    dup2(in, 0), dup2(out, 1), dup2(err, 2);
    close(in), close(out), close(err);
    limit(w->seconds > 0 ? w->seconds : 5);
    execv(argv[0], argv);
    _exit(121);
}

static int spawn(char **argv, const want *w) {
    int p[2] = {-1, -1}, status;
    struct rusage u;
    if (w->from && pipe2(p, O_CLOEXEC)) abort();
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) child(argv, w, p[0]);
    if (w->from) {
        bytes b = get(w->from);
        close(p[0]);
        for (ssize_t n = 0; b.n && (n = write(p[1], b.p, b.n)) > 0; b.p += n) b.n -= (size_t)n;
        close(p[1]);
    }
    while (wait4(pid, &status, 0, &u) < 0 && errno == EINTR) {}
    used_seconds = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    used_kilobytes = u.ru_maxrss;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

const char *said(void) { return message; }
double seconds_used(void) { return used_seconds; }

/* The last line: the message. Warnings come before it. */
static const char *last_line(void) {
    size_t n = strlen(message);
    if (n && message[n - 1] == '\n') n--;
    while (n && message[n - 1] != '\n') n--;
    return message + n;
}

static bool has(const char *in, const char *word, size_t len) {
    char *w = keep(len + 1);
    memcpy(w, word, len);
    return strcasestr(in, w) != NULL;
}

/* "a|b~c" */
static bool has_words(const char *in, const char *words) {
    while (words && *words) {
        size_t all = strcspn(words, "|");
        bool any = false;
        for (size_t i = 0; i < all && !any;) {
            size_t len = strcspn(words + i, "|~");
            any = has(in, words + i, len);
            i += len + (words[i + len] == '~');
        }
        if (!any) return false;
        words += all + (words[all] == '|');
    }
    return true;
}

static const char *fault_of_message(const char *program, int code) {
    static const char *const runtime[] = {"Assertion", "terminate called", "free():", "malloc():", "corrupted", "stack smashing", "libgomp", "Sanitizer",
                                          "runtime error", "core dumped", "(null)", "Segmentation", "BLAS :"};
    size_t n = strlen(message), lines = 0;
    if (n > MESSAGE_MAX) return "more than 16 KiB";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)message[i];
        if ((c < 32 && c != '\n') || c == 127) return "a control character";
    }
    for (size_t i = 0; i < sizeof runtime / sizeof *runtime; i++)
        if (strstr(message, runtime[i])) return "words of the C runtime";
    const char *warning = text("%s: warning: ", program), *prefix = text("%s: ", program);
    for (const char *l = message; *l; l = strchr(l, '\n') + 1) {
        if (!strchr(l, '\n')) return "no line break at the end";
        if (strncmp(l, prefix, strlen(prefix))) return "a line without the program's name";
        lines += strncmp(l, warning, strlen(warning)) != 0;
    }
    if (code && lines != 1) return lines ? "more than one message" : "no message";
    return !code && lines ? "a message, but exit code 0" : NULL;
}

static const char *fault_of_files(const want *w, int code, bytes old, bytes in, int n_files) {
    if (w->in && !same(in, get(w->in))) return "the input was changed";
    if (code && w->out && !same(old, get(w->out))) return "the old output was changed";
    if (count_files("../tmp")) return "a file was left in TMPDIR";
    if (count_files("../home")) return "a file was left in HOME";
    if (code && count_files(".") != n_files) return "a file was left beside the output";
    return NULL;
}

bool run(const char *name, want w, const char *command, ...) {
    char line[8192], *argv[WORDS];
    int n = 0;
    va_list args;
    va_start(args, command);
    vsnprintf(line, sizeof line, command, args);
    va_end(args);
    char *shown = keep(strlen(line) + 1);
    strcpy(shown, line);
    for (char *at = line, *word; (word = strsep(&at, " ")) && n < WORDS - 1;)
        if (*word) argv[n++] = word;
    argv[n] = NULL;
    const char *program = argv[0];
    char *path = keep(strlen(bin) + strlen(program) + 2);
    sprintf(path, "%s/%s", bin, program);
    argv[0] = path;
    bytes old = w.out ? get(w.out) : NONE, in = w.in ? get(w.in) : NONE;
    int n_files = count_files(".");
    int code = spawn(argv, &w);
    FILE *f = fopen("../stderr", "rb");
    size_t len = f ? fread(message, 1, sizeof message - 1, f) : 0;
    message[len] = 0;
    if (f) fclose(f);
    long megabytes = w.megabytes ? w.megabytes : 512;
    const char *fault = NULL;
    bool nul = memchr(message, 0, len) != NULL;
    if (code != w.code && !(w.other && code == w.other) && !(w.third && code == w.third)) fault = text("exit code %d, not %d", code, w.code);
    else if (nul) fault = "a NUL in the message";
    else if ((fault = fault_of_message(program, code))) {}
    else if (!has_words(code ? last_line() : message, w.words)) fault = text("no '%s' in the message", w.words);
    else if ((fault = fault_of_files(&w, code, old, in, n_files))) {}
    else if (used_kilobytes / 1024 > megabytes && !sanitized()) fault = text("%ld MiB, over %ld", used_kilobytes / 1024, megabytes);
    check(name, !fault, "%s [%s] said: %.1500s", fault ? fault : "", shown, message);
    if (fault && getenv("MALFORMED_KEEP")) {
        char to[512];
        snprintf(to, sizeof to, "%s/%s-%d.onnx", getenv("MALFORMED_KEEP"), group, cases);
        bytes b = get("m.onnx");
        FILE *k = fopen(to, "wb");
        if (k) fwrite(b.p, 1, b.n, k), fclose(k);
    }
    return !fault;
}

/* ---- short forms ---- */

/* What was said, without the name of the program. */
static const char *without_program(void) {
    const char *colon = strchr(last_line(), ':');
    return text("%s", colon ? colon : "");
}

static void write_model(bytes m) {
    put("m.onnx", m);
    put("out.onnx", str("the older output"));
}

static void refuse_within(const char *name, bytes m, const char *words, int megabytes) {
    const char *all = text("m.onnx|%s", words);
    write_model(m);
    bool ok = run(name, (want){.code = 65, .words = all, .out = "out.onnx", .in = "m.onnx", .megabytes = megabytes}, "onnx-opt m.onnx -o out.onnx");
    const char *first = without_program();
    if (!run(text("%s (inspect)", name), (want){.code = 65, .words = all, .in = "m.onnx", .megabytes = megabytes}, "onnx-run inspect m.onnx") || !ok) {
        return;
    }
    const char *second = without_program();
    check(text("%s: the programs say the same", name), !strcmp(first, second), "'%s' and '%s'", first, second);
}

void refuse(const char *name, bytes m, const char *words) { refuse_within(name, m, words, 0); }
void refuse_claim(const char *name, bytes m, const char *words) { refuse_within(name, m, words, 96); }

void refuse_op(const char *name, bytes m, const char *words) {
    const char *all = text("m.onnx|%s", words);
    write_model(m);
    run(name, (want){.code = 65, .words = all, .out = "out.onnx", .in = "m.onnx"}, "onnx-opt m.onnx -o out.onnx");
    put("o.npz", str("the older output"));
    run(text("%s (run)", name), (want){.code = 65, .other = 1, .third = 69, .words = words, .out = "o.npz", .in = "m.onnx"}, "onnx-run run m.onnx -o o.npz");
}

/* FUNCTION places have no initializers, so only parts without are put there. */
void refuse_at(const char *name, bytes parts, const char *words) {
    bytes mine = {malloc(parts.n + 1), parts.n};
    if (!mine.p) abort();
    memcpy(mine.p, parts.p, parts.n);
    char *own_name = strdup(name), *own_words = strdup(words);
    for (place p = MAIN; p < PLACES; p++) {
        bool nodes_only = mine.n && mine.p[0] == (1 << 3 | 2);
        if (p >= FUNCTION && !nodes_only) continue;
        refuse(text("%s (%s)", own_name, place_names[p]), at(p, mine), own_words);
    }
    free(mine.p), free(own_name), free(own_words);
}

static bool holds(bytes b, const char *what) { return !what || memmem(b.p, b.n, what, strlen(what)) != NULL; }

static void check_accepted(const char *name, const char *kept) {
    check(text("%s: kept in the output", name), holds(get("out.onnx"), kept), "'%s' is lost", kept ? kept : "");
    run(text("%s: the output loads", name), (want){.code = 0}, "onnx-run inspect out.onnx");
}

void accept_model(const char *name, bytes m, const char *kept) {
    write_model(m);
    if (run(name, (want){.code = 0, .in = "m.onnx", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx")) {
        check_accepted(name, kept);
        run(text("%s: the same results", name), (want){.code = 0, .other = 69, .in = "m.onnx"}, "onnx-run compare m.onnx out.onnx");
    }
}

void either(const char *name, bytes m, const char *words) {
    write_model(m);
    bool ok = run(name, (want){.code = 0, .other = 65, .in = "m.onnx", .out = "out.onnx"}, "onnx-opt m.onnx -o out.onnx");
    if (ok && strcmp((char *)get("out.onnx").p, "the older output")) check_accepted(name, NULL);
    else if (ok) check(text("%s: named", name), has_words(last_line(), text("m.onnx|%s", words)), "no '%s' in: %s", words, message);
}
