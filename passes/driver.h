/* Private to passes/: options given to a pass, and the driver that runs steps. */
#ifndef OX_DRIVER_H
#define OX_DRIVER_H

#include "passes/pass.h"

/* Options of one step, in the order of the pass's rows; ends with a row without name. */
typedef struct ox_option_value {
    const char *name;
    int64_t i;
    double d;
    uint64_t size;
    const char *text;
    const char *const *texts;
    size_t n_texts;
} ox_option_value;

typedef enum ox_step_kind { OX_STEP_PASS, OX_STEP_RULES, OX_STEP_REPEAT } ox_step_kind;
typedef struct ox_step {
    ox_step_kind kind;
    const char *name;               /* of the pass; "rules" sets joined by "+"; "repeat" */
    const ox_pass *pass;
    const ox_option_value *values;
    const ox_ruleset **sets;
    size_t n_sets;
    struct ox_step *steps;          /* of repeat */
    size_t n_steps;
    int max;
} ox_step;

struct ox_pipeline {
    ox_ctx *ctx;
    ox_step *steps;
    size_t n_steps;
    const char *file;               /* for messages */
    const char **files;             /* of rules, and of the pipeline itself, that were read */
    size_t n_files, files_cap;
    int64_t target_opset;           /* 0: keep */
    ox_verify_options verify;
    bool verify_off;
};

/* Values of a pass's options with defaults, before anything is given. */
ox_option_value *ox_option_defaults(ox_ctx *ctx, const ox_pass *pass);
/* The save options of the pipeline that runs, for passes that say how to write. */
ox_save_options *ox_driver_save(ox_pass_run *r);

#endif
