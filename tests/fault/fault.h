/* Sweeps: a command is run again and again, each time with another call made to fail, until none is left; what must hold is judged after
 * every run. run_fault.c runs and judges, cases.c says which commands on which files, sweep.c sweeps. */
#ifndef FAULT_H
#define FAULT_H

#include "plan.h"

#include <stddef.h>

typedef struct bytes {
    char *p;
    size_t n;
    bool there;
} bytes;

enum { OUTPUTS = 4 };

/* A command, words separated by blanks, run in a folder that holds the inputs. */
typedef struct command {
    const char *line;
    const char *outputs[OUTPUTS + 1]; /* files it makes, the model last; reports that hold times: with a '~' in front */
    const char *from;                 /* standard input */
    bool timed;                       /* standard output holds times: it is not compared */
    bool restarts;                    /* nothing is said about waiting threads, so the program says it, and starts itself again */
    int code;                         /* exit code without any fault */
} command;

extern const command commands[];
extern const size_t n_commands;

/* ---- run_fault.c ---- */
void start(const char *self, const char *bin, const char *preload);
void clean_up(void);
/* Cleans up; the exit code of the test. */
int finish(void);
/* Whether the file system can exchange two names at once: else an older file that was replaced cannot come back. */
bool can_exchange(void);
bytes get(const char *path);
void put(const char *path, const void *p, size_t n);
plan *the_plan(void);
/* One line of TAP. */
void report(bool ok, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

typedef struct run_options {
    bool older;        /* older files lie where the outputs go */
    long file_limit;   /* bytes a file may have; 0: no limit */
    const char *out;   /* standard output goes here; NULL: a file that is read again */
    bool closed;       /* standard input, output and error are closed */
} run_options;

/* Runs without faults and keeps what came of it; false (and a line of TAP) when even that is not as it must be. */
bool learn(const command *c);
/* Runs under the plan; the exit code, or minus the signal. */
int run(const command *c, const run_options *o);
/* What is wrong with the last run, or NULL; codes: those allowed besides 0, ended by 0. */
const char *judge(const command *c, int code, const int *codes);
/* The same for a run that a signal ended; debris: temporaries may be left. */
const char *judge_killed(const command *c, int code, int number, bool debris);
const char *said(void);
/* Whether the command writes to standard output. */
bool prints(void);
/* Runs N processes of the command at once; the exit code of the last that failed. */
int run_together(const command *c, int n);

/* ---- cases.c ---- */
void make_inputs(void);

#endif
