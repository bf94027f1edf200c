/* Golden tests: models as text before, passes, models as text after. Every case is one a person can read.
 *
 *   === name of the case: pass,pass            names of passes and rule sets, as --passes takes them
 *   model text
 *   ---
 *   expected text, or "! text" where an error with this text in it is expected
 *
 * golden FILE...      runs every case of the files and prints a diff where one differs (TAP)
 * OX_UPDATE=1         writes what came out as what is expected: read the diff before committing
 */
#include <stdio.h>
#include <stdlib.h>

#include "passes/pass.h"

typedef struct { const char *name, *passes, *before, *expected; size_t before_len; char *got; } golden_case;

typedef struct { ox_ctx *ctx; golden_case *c; const char *file; } job;

static int apply(void *arg) {
    job *j = arg;
    ox_model *m = ox_model_parse(j->ctx, j->c->before, j->c->before_len, j->file);
    ox_pipeline *p = m ? ox_pipeline_from_names(j->ctx, j->c->passes) : NULL;
    ox_pipeline_result result;
    ox_pipeline_options o = {.check = true, .stop_after = -1};
    int bad = p && ox_pipeline_run(p, m, &o, &result) >= 0 ? 0 : -1;
    ox_text text = {.arena = j->ctx->arena};
    if (!bad) bad = ox_model_print(m, &(ox_print_options){.max_elements = 64}, &text);
    if (!bad) j->c->got = strdup(text.data);
    ox_model_free(m);
    return bad;
}

static bool run_case(golden_case *c, const char *file) {
    ox_ctx *ctx = ox_ctx_new();
    job j = {ctx, c, file};
    if (ox_protect(ctx, apply, &j) < 0) {
        size_t size = strlen(ox_error_text(ctx)) + 4;
        c->got = malloc(size);
        snprintf(c->got, size, "! %s\n", ox_error_text(ctx));
    }
    bool same = c->expected[0] == '!' ? c->got[0] == '!' && strstr(c->got, strndup(c->expected + 2, strcspn(c->expected + 2, "\n")))
                                      : !strcmp(c->got, c->expected);
    if (!same) {
        ox_text diff = {.arena = ctx->arena};
        ox_text_diff(ctx->arena, c->expected, c->got, 3, &diff);
        for (char *line = strtok(diff.data ? diff.data : strdup(c->got), "\n"); line; line = strtok(NULL, "\n")) printf("# %s\n", line);
    }
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
        for (char *p = at; (p = strchr(p, ':')); p++) colon = p;
        char *sep = strstr(end + 1, "---\n");
        if (!colon || !sep) return printf("Bail out! case '%s' has no passes or no '---'\n", at), 0;
        *colon = 0;
        *sep = 0;
        cases[n++] = (golden_case){at + 4, colon + 1 + strspn(colon + 1, " "), end + 1, sep + 4, (size_t)(sep - end - 1), NULL};
        if (next) next[1] = '=', at = next + 1;
        else at = NULL;
        if (at) {
            char *body = (char *)cases[n - 1].expected;
            cases[n - 1].expected = strndup(body, (size_t)(at - body));
        }
    }
    return n;
}

static void update(const char *path, const golden_case *cases, size_t n) {
    FILE *f = fopen(path, "wb");
    for (size_t i = 0; f && i < n; i++) fprintf(f, "=== %s: %s\n%s---\n%s%s", cases[i].name, cases[i].passes, cases[i].before, cases[i].got, i + 1 < n ? "\n" : "");
    if (f) fclose(f);
}

/* A blank line between cases is no part of what is expected. */
static void trim(golden_case *c) {
    char *e = strdup(c->expected);
    size_t len = strlen(e);
    while (len > 1 && e[len - 1] == '\n' && e[len - 2] == '\n') e[--len] = 0;
    c->expected = e;
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
    }
    printf("1..%zu\n", done);
    return failed != 0;
}
