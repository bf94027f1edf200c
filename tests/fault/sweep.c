/* Every command under every failure: memory that runs out, opening, reading and writing that fail, transfers that do less or are
 * interrupted, signals where they hurt most, several writers of one output. Takes the folder of the programs, the object to load into
 * them, and the name of one group. A line of TAP per command and kind; one that fails says at which call, and what happened. */
#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_SHOWN = 3, MOST = 100000, AT_ONCE = 4, TIMES_TOGETHER = 5 };

typedef struct kind {
    const char *name;
    plan p;
    int codes[6]; /* allowed besides that of success */
} kind;

static const kind memory[] = {
    {"memory runs out", {.calls = PLAN_MEMORY, .number = ENOMEM}, {71}},
    {"memory stays out", {.calls = PLAN_MEMORY, .number = ENOMEM, .from_then_on = true}, {71}},
};

static const kind files[] = {
    {"opening fails", {.calls = PLAN_OPEN, .number = EIO}, {66, 73, 74}},
    {"no more descriptors", {.calls = PLAN_OPEN, .number = EMFILE, .from_then_on = true}, {66, 73, 74}},
    {"reading fails", {.calls = PLAN_READ, .number = EIO}, {73, 74}},
    {"reading fails from then on", {.calls = PLAN_READ, .number = EIO, .from_then_on = true}, {73, 74}},
    {"mapping fails", {.calls = PLAN_READ, .number = ENOMEM}, {71, 73, 74}},
    {"writing fails", {.calls = PLAN_WRITE, .number = EIO}, {73, 74}},
    {"writing fails from then on", {.calls = PLAN_WRITE, .number = EIO, .from_then_on = true}, {73, 74}},
    {"the disk is full", {.calls = PLAN_WRITE, .number = ENOSPC}, {73, 74}},
    {"the disk stays full", {.calls = PLAN_WRITE, .number = ENOSPC, .from_then_on = true}, {73, 74}},
};

/* Runs until the plan strikes no more; the number of strikes. */
static void sweep(const command *c, const kind *k) {
    char name[256];
    long n = 1;
    int bad = 0;
    char first[2048] = "";
    snprintf(name, sizeof name, "%s: %s", c->line, k->name);
    for (; n < MOST; n++) {
        plan *p = the_plan();
        *p = k->p;
        p->at = n;
        int code = run(c, &(run_options){.older = (n + k->p.from_then_on) % 2});
        const char *fault = judge(c, code, k->codes);
        if (!p->done && !fault) break;
        if (!fault) continue;
        if (bad++ < FAULTS_SHOWN) {
            size_t len = strlen(first);
            snprintf(first + len, sizeof first - len, "%sat call %ld (%s): %s, said: %.200s", bad > 1 ? "; " : "", n, p->call, fault, said());
        }
        if (!p->done) break;
    }
    report(!bad, name, "%ld calls%s%s%s", n - 1, bad ? ", " : "", bad ? "bad " : "", bad ? first : "");
    if (bad) printf("# %d bad in all\n", bad);
}

static void sweep_all(const kind *kinds, size_t n) {
    for (size_t i = 0; i < n_commands; i++)
        if (learn(&commands[i]))
            for (size_t k = 0; k < n; k++) sweep(&commands[i], &kinds[k]);
}

/* Transfers that do less than asked, or are interrupted: the result is as ever. */
static void partial(const command *c) {
    static const struct { const char *name; plan p; } ways[] = {
        {"short transfers", {.calls = PLAN_READ | PLAN_WRITE, .what = PLAN_SHORT}},
        {"interrupted transfers", {.calls = PLAN_READ | PLAN_WRITE, .what = PLAN_INTERRUPT}},
    };
    static const int none[] = {0};
    for (size_t i = 0; i < 2; i++) {
        char name[256];
        *the_plan() = ways[i].p;
        int code = run(c, &(run_options){0});
        const char *fault = judge(c, code, none);
        snprintf(name, sizeof name, "%s: %s", c->line, ways[i].name);
        if (fault) report(false, name, "%s, said: %s", fault, said());
        else report(true, name, "%ld calls", the_plan()->done);
    }
}

/* A signal before and after every call that makes or changes files. */
static void signals(const command *c, int number) {
    char name[256], first[1024] = "";
    int bad = 0;
    long n = 0;
    for (int after = 0; after < 2; after++)
        for (n = 1; n < MOST; n++) {
            plan *p = the_plan();
            *p = (plan){.calls = PLAN_WRITE, .what = after ? PLAN_SIGNAL_AFTER : PLAN_SIGNAL_BEFORE, .number = number, .at = n};
            int code = run(c, &(run_options){.older = n % 2});
            if (!p->done) break;
            const char *fault = judge_killed(c, code, number, number == SIGKILL);
            if (fault && !bad++) snprintf(first, sizeof first, "%s call %ld (%s): %s", after ? "after" : "before", n, p->call, fault);
        }
    snprintf(name, sizeof name, "%s: %s", c->line, number == SIGKILL ? "killed" : number == SIGINT ? "interrupted" : "terminated");
    report(!bad, name, "%ld calls%s%s", n - 1, bad ? ", " : "", first);
}

/* Files may have no more than N bytes: writes end early, then fail; also those of the C library. */
static void limited(const command *c) {
    static const int codes[] = {73, 74, 0};
    char name[256], first[1024] = "";
    int bad = 0;
    static const long limits[] = {1, 7, 100, 300, 1000, 5000, 60000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        *the_plan() = (plan){0};
        const char *fault = judge(c, run(c, &(run_options){.older = true, .file_limit = limits[i]}), codes);
        if (fault && !bad++) snprintf(first, sizeof first, "at %ld bytes: %s, said: %s", limits[i], fault, said());
    }
    snprintf(name, sizeof name, "%s: files of limited size", c->line);
    report(!bad, name, "%zu limits%s%s", sizeof limits / sizeof *limits, bad ? ", " : "", first);
}

/* Standard output that takes nothing, and standard files that are not there: what is lost is told, files are as ever. */
static void standard_files(const command *c) {
    static const int io[] = {74, 0}, none[] = {0};
    char name[256];
    *the_plan() = (plan){0};
    if (!prints() && !c->from) {
        const char *fault = judge(c, run(c, &(run_options){.closed = true, .older = true}), none);
        snprintf(name, sizeof name, "%s: without standard files", c->line);
        report(!fault, name, "%s%s%s", fault ? fault : "as ever", fault ? ", said: " : "", fault ? said() : "");
        return;
    }
    int full = run(c, &(run_options){.out = "/dev/full"});
    const char *fault = full != 74 ? "the exit code is not 74" : judge(c, full, io);
    snprintf(name, sizeof name, "%s: standard output is full", c->line);
    report(!fault, name, "%s%s%s", fault ? fault : "told", fault ? ", said: " : "", fault ? said() : "");
    int closed = run(c, &(run_options){.closed = true});
    snprintf(name, sizeof name, "%s: without standard files", c->line);
    report(closed == 74 || closed == 66, name, "exit code %d", closed);
}

/* Several at once write the same output. */
static void together(const command *c) {
    static const int none[] = {0};
    char name[256];
    const char *fault = NULL;
    *the_plan() = (plan){0};
    for (int i = 0; i < TIMES_TOGETHER && !fault; i++) fault = judge(c, run_together(c, AT_ONCE), none);
    snprintf(name, sizeof name, "%s: several at once", c->line);
    report(!fault, name, "%s", fault ? fault : "both whole");
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: sweep BIN OBJECT GROUP\n"), 64;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return puts("1..0 # SKIP a sanitizer has its own allocator, and must be loaded first"), 0;
#endif
    const char *group = argv[3];
    start(argv[0], argv[1], argv[2]);
    if (!strcmp(group, "files") && !can_exchange())
        return clean_up(), puts("1..0 # SKIP the file system of TMPDIR cannot exchange two names, so what was replaced cannot come back"), 0;
    make_inputs();
    if (!strcmp(group, "memory")) sweep_all(&memory[0], 1);
    if (!strcmp(group, "starving")) sweep_all(&memory[1], 1);
    if (!strcmp(group, "files")) sweep_all(files, sizeof files / sizeof *files);
    for (size_t i = 0; !strcmp(group, "ends") && i < n_commands; i++) {
        if (!learn(&commands[i])) continue;
        partial(&commands[i]);
        standard_files(&commands[i]);
        if (commands[i].outputs[0]) together(&commands[i]);
        limited(&commands[i]);
        signals(&commands[i], SIGKILL);
        signals(&commands[i], SIGINT);
        signals(&commands[i], SIGTERM);
    }
    return finish();
}
