/* Runs a command in a folder of its own and judges what came of it: exit code, message, outputs old or new as a whole, inputs untouched,
 * nothing left behind. */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 32, FILES = 64, PATH = 4096, PIPE_HOLDS = 65536 };

static const char older_text[] = "an older output";
static char home[PATH], bin[PATH], own_bin[PATH], preload[PATH], fault_file[PATH];
static plan *shared;
static struct { char path[128]; bytes content; } inputs[FILES];
static int n_inputs, cases, failures;
static bool with_older; /* in the last run */
static struct { bytes files[OUTPUTS], out, err; } want, got;
static char why_text[1024];

/* ---- files ---- */

bytes get(const char *path) {
    bytes b = {0};
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0) return b;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !(b.p = malloc((size_t)st.st_size + 1))) abort();
    for (ssize_t k; (k = read(fd, b.p + b.n, (size_t)st.st_size - b.n)) > 0;) b.n += (size_t)k;
    close(fd);
    b.p[b.n] = 0;
    b.there = true;
    return b;
}

void put(const char *path, const void *p, size_t n) {
    unlink(path);
    FILE *f = fopen(path, "wb");
    if (!f || (n && fwrite(p, 1, n, f) != n) || fclose(f)) abort();
}

static bool same(bytes a, bytes b) { return a.there == b.there && a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n)); }

static void drop(bytes *b) {
    free(b->p);
    *b = (bytes){0};
}

/* Calls fn for every file below the folder until it returns something. */
static const char *each_file(const char *folder, const char *(*fn)(const char *path, void *user), void *user) {
    DIR *d = opendir(folder);
    const char *found = NULL;
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        char path[PATH];
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(path, sizeof path, "%s%s%s", strcmp(folder, ".") ? folder : "", strcmp(folder, ".") ? "/" : "", e->d_name);
        if (lstat(path, &st)) abort();
        found = S_ISDIR(st.st_mode) ? each_file(path, fn, user) : fn(path, user);
    }
    if (d) closedir(d);
    return found;
}

static const char *remove_file(const char *path, void *user) {
    (void)user;
    unlink(path);
    return NULL;
}

/* ---- set-up ---- */

void start(const char *self, const char *bin_folder, const char *object) {
    const char *tmp = getenv("TMPDIR");
    if (!realpath(bin_folder, bin) || !realpath(object, preload) || !realpath(self, own_bin)) abort();
    *strrchr(own_bin, '/') = 0;
    snprintf(home, sizeof home, "%s/fault-XXXXXX", tmp && *tmp && strlen(tmp) < 200 ? tmp : "/tmp");
    if (!mkdtemp(home) || chdir(home) || mkdir("w", 0700) || chdir("w") || mkdir("sub", 0700)) abort();
    snprintf(fault_file, sizeof fault_file, "%.4000s/plan", home);
    int fd = open(fault_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *shared)) abort();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) abort();
    close(fd);
    setenv("OMP_WAIT_POLICY", "passive", 0); /* the programs do not start themselves again: half the time */
    setenv("OMP_NUM_THREADS", "1", 1);
    unsetenv("OX_FAIL_ALLOC");
    unsetenv("MAKEFLAGS"); /* a jobserver would lose the tokens that cannot be given back */
    signal(SIGPIPE, SIG_IGN);
}

bool can_exchange(void) {
    put("a", "a", 1), put("b", "b", 1);
    bool can = !renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE);
    unlink("a"), unlink("b");
    return can;
}

static const char *note_input(const char *path, void *user) {
    (void)user;
    if (n_inputs == FILES || strlen(path) >= sizeof inputs[0].path) abort();
    strcpy(inputs[n_inputs].path, path);
    inputs[n_inputs++].content = get(path);
    return NULL;
}

void clean_up(void) {
    if (chdir(home) == 0) {
        each_file(".", remove_file, NULL);
        static const char *const folders[] = {"w/case/test_data_set_0", "w/case", "w/sub", "w"};
        for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) rmdir(folders[i]);
        if (chdir("/") == 0) rmdir(home);
    }
}

int finish(void) {
    clean_up();
    printf("1..%d\n", cases);
    return failures != 0;
}

plan *the_plan(void) { return shared; }
bool prints(void) { return want.out.n > 0; }
const char *said(void) { return got.err.p ? got.err.p : ""; }

void report(bool ok, const char *name, const char *format, ...) {
    va_list args;
    cases++;
    failures += !ok;
    printf("%sok %d - %s", ok ? "" : "not ", cases, name);
    va_start(args, format);
    if (ok) {
        printf(" (");
        vprintf(format, args);
        printf(")\n");
    } else {
        char text[4096];
        vsnprintf(text, sizeof text, format, args);
        for (char *p = text; *p; p++)
            if (*p == '\n') *p = '|';
        printf("\n# %s\n", text);
    }
    va_end(args);
    fflush(stdout);
}

/* ---- one run ---- */

static const char *path_of(const char *output) { return output + (*output == '~'); }

static void redirect(const char *path, int flags, int to) {
    int fd = open(path, flags, 0600);
    if (fd < 0 || dup2(fd, to) < 0) _exit(120);
    close(fd);
}

static void child(const command *c, const run_options *o, int err) {
    char line[1024], path[2 * PATH], *argv[WORDS];
    int n = 0;
    snprintf(line, sizeof line, "%s", c->line);
    for (char *at = line, *word; (word = strsep(&at, " ")) && n < WORDS - 1;)
        if (*word) argv[n++] = word;
    argv[n] = NULL;
    snprintf(path, sizeof path, "%s/%s", strncmp(argv[0], "onnx-", 5) ? own_bin : bin, argv[0]);
    redirect(c->from ? c->from : "/dev/null", O_RDONLY, 0);
    redirect(o->out ? o->out : "../stdout", O_WRONLY | O_CREAT | (o->out ? 0 : O_TRUNC), 1);
    if (dup2(err, 2) < 0) _exit(120);
    if (o->closed) close(0), close(1), close(2);
    setrlimit(RLIMIT_CPU, &(struct rlimit){20, 22});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (o->file_limit) setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)o->file_limit, (rlim_t)o->file_limit});
    if (c->restarts) unsetenv("OMP_WAIT_POLICY");
    setenv("LD_PRELOAD", preload, 1);
    setenv("OX_FAULT", fault_file, 1);
    signal(SIGPIPE, SIG_DFL);
    execv(path, argv);
    _exit(121);
}

static pid_t spawn(const command *c, const run_options *o, int err) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) abort();
    if (!pid) child(c, o, err);
    return pid;
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) abort();
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void lay_outputs(const command *c, bool older) {
    for (int i = 0; c->outputs[i]; i++) {
        if (older) put(path_of(c->outputs[i]), older_text, strlen(older_text));
        else unlink(path_of(c->outputs[i]));
    }
    with_older = older;
}

/* Messages come by a pipe, which holds them all: a limit on the size of files is none on them. */
static bytes read_pipe(int fd) {
    bytes b = {.p = malloc(PIPE_HOLDS + 1), .there = true};
    if (!b.p) abort();
    for (ssize_t k; b.n < PIPE_HOLDS && (k = read(fd, b.p + b.n, PIPE_HOLDS - b.n)) > 0;) b.n += (size_t)k;
    b.p[b.n] = 0;
    close(fd);
    return b;
}

static void collect(const command *c) {
    drop(&got.out);
    got.out = get("../stdout");
    for (int i = 0; c->outputs[i]; i++) {
        drop(&got.files[i]);
        got.files[i] = get(path_of(c->outputs[i]));
    }
}

int run(const command *c, const run_options *o) {
    lay_outputs(c, o->older);
    shared->count = shared->done = 0;
    shared->harmless = true;
    shared->call[0] = 0;
    int err[2];
    if (pipe2(err, O_CLOEXEC)) abort();
    pid_t pid = spawn(c, o, err[1]);
    close(err[1]);
    drop(&got.err);
    got.err = read_pipe(err[0]);
    int code = wait_for(pid);
    collect(c);
    return code;
}

int run_together(const command *c, int n) {
    pid_t pids[16];
    int code = 0, one;
    lay_outputs(c, true);
    if (n > 16) abort();
    int err[2];
    if (pipe2(err, O_CLOEXEC)) abort();
    for (int i = 0; i < n; i++) pids[i] = spawn(c, &(run_options){0}, err[1]);
    close(err[1]);
    drop(&got.err);
    got.err = read_pipe(err[0]);
    for (int i = 0; i < n; i++)
        if ((one = wait_for(pids[i]))) code = one;
    collect(c);
    return code;
}

/* ---- judging ---- */

static const char *why(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why_text, sizeof why_text, format, args);
    va_end(args);
    return why_text;
}

static bool is_old(bytes b) { return with_older ? b.there && b.n == strlen(older_text) && !memcmp(b.p, older_text, b.n) : !b.there; }

static bool spans(bytes b, const char *begin, const char *end) {
    size_t n = strlen(begin), m = strlen(end);
    return b.there && b.n >= n + m && !memcmp(b.p, begin, n) && !memcmp(b.p + b.n - m, end, m);
}

/* A report that holds times is new when it is a whole JSON object or array, a whole page or table. */
static bool is_new(const command *c, int i) {
    bytes b = got.files[i];
    if (*c->outputs[i] != '~') return same(b, want.files[i]);
    if (strstr(c->outputs[i], ".csv")) return spans(b, "op,", "\n");
    if (spans(b, "[\n", "]\n")) return true;
    return strstr(c->outputs[i], ".html") ? spans(b, "<!DOCTYPE html>\n", "</html>\n") : spans(b, "{", "}\n");
}

typedef struct { const command *c; bool debris; } looking;

/* Every file is an input as it was, or an output. */
static const char *judge_file(const char *path, void *user) {
    const looking *l = user;
    for (int i = 0; l->c->outputs[i]; i++)
        if (!strcmp(path, path_of(l->c->outputs[i]))) return NULL;
    for (int i = 0; i < n_inputs; i++) {
        if (strcmp(path, inputs[i].path)) continue;
        bytes now = get(path);
        bool untouched = same(now, inputs[i].content);
        drop(&now);
        return untouched ? NULL : why("the input %s was changed", path);
    }
    bool temporary = strstr(path, ".ox-") != NULL;
    unlink(path);
    return temporary && l->debris ? NULL : why("%s was left", path);
}

static const char *judge_folder(const command *c, bool debris) { return each_file(".", judge_file, &(looking){c, debris}); }

/* One line, with the program's name, and what it is about. */
static const char *judge_message(const command *c) {
    const char *text = said(), *end = strchr(text, '\n');
    size_t name = strcspn(c->line, " ");
    if (!*text) return "no message";
    if (strncmp(text, c->line, name) || strncmp(text + name, ": ", 2)) return "a message without the program's name";
    if (!end || end[1]) return "not one line of message";
    if (strstr(text, "memory")) return NULL;
    static const char *const things[] = {"standard output", "standard input"};
    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        if (strstr(text, things[i])) return NULL;
    for (int i = 0; c->outputs[i]; i++)
        if (strstr(text, path_of(c->outputs[i]))) return NULL;
    for (int i = 0; i < n_inputs; i++)
        if (strstr(text, inputs[i].path)) return NULL;
    return "a message that names no file and nothing that ran out";
}

const char *judge(const command *c, int code, const int *codes) {
    bool allowed = code == c->code;
    if (code < 0) return why("it died of signal %d", -code);
    for (int i = 0; codes[i]; i++) allowed = allowed || code == codes[i];
    if (!allowed) return why("exit code %d", code);
    bool good = code == c->code;
    for (int i = 0; c->outputs[i]; i++)
        if (!(good ? is_new(c, i) : is_old(got.files[i])))
            return why(good ? "exit code %d, but %s is not what it should be" : "exit code %d, but the older %s is not intact", code, path_of(c->outputs[i]));
    if (good && !c->timed && !same(got.out, want.out)) return why("exit code %d, but standard output is not what it should be", code);
    if (good && !same(got.err, want.err)) return why("exit code %d with another message than else", code);
    const char *fault = good ? NULL : judge_message(c);
    return fault ? fault : judge_folder(c, false);
}

const char *judge_killed(const command *c, int code, int number, bool debris) {
    if (code != -number) return why("the signal did not end it: %d", code);
    bool all = true, last = false;
    for (int i = 0; c->outputs[i]; i++) {
        if (!is_old(got.files[i]) && !is_new(c, i)) return why("%s is neither old nor new", path_of(c->outputs[i]));
        last = is_new(c, i);
        all = all && last;
    }
    if (last && !all) return "the model is there without what belongs to it";
    return judge_folder(c, debris);
}

static const char *remove_outputs(const char *path, void *user) {
    for (int i = 0; i < n_inputs; i++)
        if (!strcmp(path, inputs[i].path)) return NULL;
    return remove_file(path, user);
}

bool learn(const command *c) {
    if (!n_inputs) each_file(".", note_input, NULL);
    each_file(".", remove_outputs, NULL);
    *shared = (plan){0};
    drop(&want.out), drop(&want.err);
    for (int i = 0; i < OUTPUTS; i++) drop(&want.files[i]);
    int code = run(c, &(run_options){0});
    want = got;
    memset(&got, 0, sizeof got);
    bool there = true;
    for (int i = 0; c->outputs[i]; i++) there = there && want.files[i].there;
    if (code == c->code && there) return true;
    report(false, c->line, "without any fault: exit code %d, %s", code, want.err.p);
    return false;
}
