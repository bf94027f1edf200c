/* Private to onnx-run: its commands, each a file or a function, and the options they share. */
#ifndef OX_RUN_H
#define OX_RUN_H

#include "tools/cli.h"

typedef struct run_args {
    cli c;
    const char *command;
    const char *out, *json;
    const char **inputs;      /* NAME=FILE of --input */
    size_t n_inputs;
    ox_dim_binding *dims;
    size_t n_dims;
    int64_t seed, samples, repeat, warmup;
    double rtol, atol, seconds;
    bool full;
    int64_t max_elements;
    int64_t capacity;         /* 0: not given */
} run_args;

int run_inspect(run_args *a);
int run_print(run_args *a);
int run_parse(run_args *a);
int run_compare(run_args *a);
int run_run(run_args *a);
int run_test(run_args *a);
int run_bench(run_args *a);
int run_pack(run_args *a);

/* A value file (.npy, .pb) as the declared type says. NULL after ox_fail(). */
ox_rt *run_read_value(ox_ctx *ctx, const char *path, const ox_type *declared);
/* Fails with OX_USAGE unless there are exactly n operands (or at least n when more is true). */
int run_operands(run_args *a, int n, bool more, const char *what);

#endif
