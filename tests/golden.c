/* Golden tests: models as text before, passes, models as text after. Every case is one a person can read.
 *
 *   === name of the case: pass,pass            names of passes and rule sets, as --passes takes them, "@PROFILE", or a list of
 *                                              steps as pipelines have it: [{pass: {option: value}}]
 *   model text
 *   ---
 *   expected text, or "! text" where an error with this text in it is expected
 *
 * What came out is also run: where the frame can run the original, the result must give the same outputs on inputs from a seed. After
 * a profile a second run must change nothing.
 *
 * golden FILE...      runs every case of the files and prints a diff where one differs (TAP)
 * OX_UPDATE=1         writes what came out as what is expected: read the diff before committing
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"

typedef struct { const char *name, *passes, *before; char *expected; size_t before_len; char *got; } golden_case;

typedef struct { ox_ctx *ctx; golden_case *c; const char *file; ox_model *m, *before; ox_verify_result verdict; } job;

static ox_model *read_model(job *j) { return ox_model_parse(j->ctx, j->c->before, j->c->before_len, j->file); }

/* Both models on the same two inputs. */
static int verify(job *j) {
    ox_verify_options o = {.samples = 2, .seed = 5, .tol = {1e-5, 1e-5, true}, .seconds = 20};
    if (!(j->before = read_model(j)) || ox_verify_models(j->before, j->m, &o, &j->verdict) < 0) return -1;
    return j->verdict.verdict == OX_V_DIFFERENT ? ox_fail(j->ctx, OX_BUG, "the result computes something else: %s", j->verdict.why) : 0;
}

static int run_passes(job *j, const ox_pipeline *p) {
    ox_pipeline_result result;
    ox_pipeline_options o = {.check = true, .stop_after = -1};
    if (ox_pipeline_run(p, j->m, &o, &result) < 0) return -1;
    ox_text text = {.arena = j->ctx->arena};
    if (ox_model_print(j->m, &(ox_print_options){.max_elements = 64}, &text) < 0) return -1;
    j->c->got = strdup(text.data);
    if (verify(j) < 0) return -1;
    if (j->c->passes[0] != '@') return 0;
    if (ox_pipeline_run(p, j->m, &o, &result) < 0) return -1;
    return result.applications ? ox_fail(j->ctx, OX_BUG, "a second run changes the result (%s)", result.last_pass) : 0;
}

static int apply(void *arg) {
    job *j = arg;
    const char *passes = j->c->passes;
    const char *list = passes[0] == '[' ? ox_format(j->ctx->arena, "passes: %s\n", passes) : NULL;
    ox_pipeline *p = list ? ox_pipeline_parse(j->ctx, list, strlen(list), j->file)
                     : passes[0] == '@' ? ox_pipeline_profile(j->ctx, passes + 1) : ox_pipeline_from_names(j->ctx, passes);
    return p && (j->m = read_model(j)) ? run_passes(j, p) : -1;
}

static bool as_expected(const golden_case *c) {
    if (c->expected[0] != '!') return !strcmp(c->got, c->expected);
    char *part = strndup(c->expected + 2, strcspn(c->expected + 2, "\n"));
    bool there = c->got[0] == '!' && strstr(c->got, part);
    free(part);
    return there;
}

static void print_lines(char *text) {
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) printf("# %s\n", line);
}

static bool run_case(golden_case *c, const char *file) {
    ox_ctx *ctx = ox_ctx_new();
    job j = {.ctx = ctx, .c = c, .file = file};
    if (ox_protect(ctx, apply, &j) < 0) {
        size_t size = strlen(ox_error_text(ctx)) + 4;
        free(c->got);
        c->got = malloc(size);
        snprintf(c->got, size, "! %s\n", ox_error_text(ctx));
    } else if (j.verdict.verdict == OX_V_UNKNOWN) {
        printf("# not run: %s\n", j.verdict.why);
    }
    bool same = as_expected(c);
    if (!same) {
        ox_text diff = {.arena = ctx->arena};
        ox_text_diff(ctx->arena, c->expected, c->got, 3, &diff);
        print_lines(diff.data ? diff.data : c->got);
    }
    ox_model_free(j.m);
    ox_model_free(j.before);
    ox_ctx_free(ctx);
    return same;
}

static char *read_all(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *text = calloc(1, (size_t)size + 1);
    size_t got = fread(text, 1, (size_t)size, f);
    text[got] = 0;
    fclose(f);
    return text;
}

/* Cuts a file's text into cases, in place. */
static size_t split(char *text, golden_case *cases, size_t max) {
    size_t n = 0;
    for (char *at = strstr(text, "=== "); at && n < max;) {
        char *end = strchr(at, '\n'), *next = strstr(end, "\n=== "), *colon = NULL;
        *end = 0;
        if (next) next[1] = 0;
        for (char *p = at; (p = strchr(p, ':')) && !(colon && colon[1] == ' ' && colon[2] == '['); p++) colon = p;
        char *sep = strstr(end + 1, "---\n");
        if (!colon || !sep) return printf("Bail out! case '%s' has no passes or no '---'\n", at), 0;
        *colon = 0;
        *sep = 0;
        cases[n++] = (golden_case){at + 4, colon + 1 + strspn(colon + 1, " "), end + 1, strdup(sep + 4), (size_t)(sep - end - 1), NULL};
        if (next) next[1] = '=';
        at = next ? next + 1 : NULL;
    }
    return n;
}

static void update(const char *path, const golden_case *cases, size_t n) {
    FILE *f = fopen(path, "wb");
    for (size_t i = 0; f && i < n; i++) {
        const golden_case *c = &cases[i];
        const char *after = c->got[0] == '!' ? c->expected : c->got; /* errors are expected by hand */
        fprintf(f, "=== %s: %s\n%s---\n%s%s", c->name, c->passes, c->before, after, i + 1 < n ? "\n" : "");
    }
    if (f) fclose(f);
}

/* A blank line between cases is no part of what is expected. */
static void trim(golden_case *c) {
    char *e = c->expected;
    size_t len = strlen(e);
    while (len > 1 && e[len - 1] == '\n' && e[len - 2] == '\n') e[--len] = 0;
}

int main(int argc, char **argv) {
    static golden_case cases[512];
    size_t done = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        char *text = read_all(argv[i]);
        size_t n = text ? split(text, cases, 512) : 0;
        if (!n) return printf("Bail out! %s: no cases\n", argv[i]), 1;
        for (size_t k = 0; k < n; k++) {
            trim(&cases[k]);
            bool ok = run_case(&cases[k], argv[i]);
            failed += !ok;
            printf("%s %zu - %s: %s\n", ok ? "ok" : "not ok", ++done, strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i], cases[k].name);
        }
        const char *write = getenv("OX_UPDATE");
        if (write && *write == '1') update(argv[i], cases, n);
        for (size_t k = 0; k < n; k++) {
            free(cases[k].expected);
            free(cases[k].got);
        }
        free(text);
    }
    printf("1..%zu\n", done);
    return failed != 0;
}
