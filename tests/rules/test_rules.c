/* Golden tests of rules, and their proof: the model before and after a rule is run on the same inputs, for every type and opset a case
 * names. Every shipped rule must have a case in which it applies.
 *
 *   === RULE: what is shown        the rule is run alone
 *   @types double float16          further types the case is tried with ("float" in the model is replaced)
 *   @opsets 9 11 21                further opsets of ai.onnx; a form the opset does not have is left out
 *   model text                     "@+9" and "@-9" stand for 9 numbers, positive or of both signs
 *   ---
 *   model text after, or "unchanged", or "applies" where the proof says it all
 *
 * test_rules FILE...               TAP
 * OX_UPDATE=1                      writes what came out as what is expected: read the diff before committing
 */
#include <stdio.h>
#include <stdlib.h>

#include "passes/pass.h"

enum { MAX_RULES = 512, MAX_CASES = 1024 };

typedef struct { char *head, *rule, *types, *opsets, *model, *expected, *got; } rule_case;
typedef struct { char *name, *set; bool applied; } known_rule;
typedef struct { ox_ctx *ctx; const char *text, *without, *set; bool check_text; char **got; int rewrites; ox_verify_result verdict; ox_model *before, *after; } job;

static known_rule rules[MAX_RULES];
static int n_rules, test_number, failures, proofs, unproved;

/* ---- the rules there are ---- */

static int list_rules(const char *name, const char *doc, const char *text, void *user) {
    (void)doc;
    (void)user;
    for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (!strncmp(p, "rule ", 5) && n_rules < MAX_RULES)
            rules[n_rules++] = (known_rule){strndup(p + 5, strcspn(p + 5, " {\n")), strdup(name), false};
    return 0;
}

static known_rule *find_rule(const char *name) {
    for (int i = 0; i < n_rules; i++)
        if (!strcmp(rules[i].name, name)) return &rules[i];
    return NULL;
}

/* Names of all rules of the set but one. */
static char *all_but(const known_rule *r) {
    char *list = calloc(1, 64 * MAX_RULES);
    for (int i = 0; i < n_rules; i++)
        if (!strcmp(rules[i].set, r->set) && &rules[i] != r) strcat(strcat(list, *list ? "," : ""), rules[i].name);
    return list;
}

/* ---- one run ---- */

static ox_model *open_model(job *j) {
    ox_model *m = ox_model_parse(j->ctx, j->text, strlen(j->text), "case");
    if (m && ox_infer_model(m, &(ox_infer_options){.run_constants = true})) {
        ox_model_free(m);
        return NULL;
    }
    return m;
}

static double tolerance(const char *text) { return strstr(text, "float16") ? 2e-2 : strstr(text, "double") ? 1e-6 : 1e-4; }

static int run_job(void *arg) {
    job *j = arg;
    ox_model *before = j->before = open_model(j), *m = j->after = before ? open_model(j) : NULL;
    const ox_ruleset *set = m ? ox_rules_shipped(j->ctx, j->set) : NULL;
    if (!set) return -1;
    ox_pass_run r = {.ctx = j->ctx, .m = m, .arena = ox_arena_new(j->ctx), .without = j->without};
    j->rewrites = ox_rules_apply(&r, &set, 1);
    ox_arena_free(r.arena);
    if (j->rewrites < 0 || ox_verify(m)) return -1;
    if (j->check_text) {
        ox_text out = {.arena = j->ctx->arena};
        if (ox_model_print(m, &(ox_print_options){.max_elements = 16}, &out)) return -1;
        *j->got = strdup(out.data);
    }
    if (j->rewrites) {
        double tol = tolerance(j->text);
        ox_verify_options o = {.samples = 3, .seed = 1, .tol = {tol, tol, true}, .seconds = 20};
        if (ox_verify_models(before, m, &o, &j->verdict)) return -1;
    }
    return 0;
}

/* 1: applied, 0: not, -1: failed with *error filled, -2: the model is not one at this opset or type. */
static int run_text(const rule_case *c, const known_rule *r, const char *text, bool main_run, char **got, char *error, size_t size) {
    ox_ctx *ctx = ox_ctx_new();
    char *without = all_but(r);
    job j = {.ctx = ctx, .text = text, .without = without, .set = r->set, .check_text = main_run, .got = got, .rewrites = -2};
    int rc = ox_protect(ctx, run_job, &j);
    error[0] = 0;
    if (rc) {
        snprintf(error, size, "%s", ox_error_text(ctx));
        rc = j.rewrites == -2 && !main_run ? -2 : -1;
    } else if (j.rewrites && j.verdict.verdict == OX_V_DIFFERENT) {
        snprintf(error, size, "results differ: %s", j.verdict.why);
        rc = -1;
    } else {
        if (j.rewrites && j.verdict.verdict == OX_V_SAME) proofs++;
        if (j.rewrites && j.verdict.verdict == OX_V_UNKNOWN) {
            unproved++;
            printf("# %s: not proved: %s\n", c->head, j.verdict.why);
        }
        rc = j.rewrites > 0;
    }
    free(without);
    ox_model_free(j.before);
    ox_model_free(j.after);
    ox_ctx_free(ctx);
    return rc;
}

/* ---- variants of a text ---- */

static char *replaced(const char *text, const char *from, const char *to) {
    size_t n = strlen(from), m = strlen(to), cap = strlen(text) * (m / n + 2) + 1;
    char *out = calloc(1, cap), *w = out;
    for (const char *p = text; *p;) {
        if (!strncmp(p, from, n)) {
            memcpy(w, to, m);
            w += m;
            p += n;
        } else {
            *w++ = *p++;
        }
    }
    return out;
}

static char *with_opset(const char *text, const char *version) {
    const char *at = strstr(text, "\"\" : ");
    if (!at) return strdup(text);
    at += 5;
    char *out = calloc(1, strlen(text) + 16);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, version, at + strspn(at, "0123456789"));
    return out;
}

/* "@+9", "@-9" to numbers that need few digits. */
static char *with_numbers(const char *text) {
    char *out = calloc(1, strlen(text) + 65536), *w = out;
    unsigned state = 12345;
    for (const char *p = text; *p;) {
        if (*p != '@' || (p[1] != '+' && p[1] != '-')) {
            *w++ = *p++;
            continue;
        }
        bool both = p[1] == '-';
        int n = (int)strtol(p + 2, (char **)&p, 10);
        for (int i = 0; i < n && w - out < 60000 + (long)strlen(text); i++) {
            state = state * 1103515245u + 12345u;
            int k = (int)(state >> 16) % 32 + 1;
            w += sprintf(w, "%s%s%g", i ? ", " : "", both && (state >> 24 & 1) ? "-" : "", k / 16.0);
        }
    }
    return out;
}

/* The model for each type and opset of the lists (and the ones it is written in). */
static bool run_variants(const rule_case *c, const known_rule *r, char *error, size_t size) {
    char types[256], opsets[256], *state_t, *state_o;
    bool ok = true;
    snprintf(types, sizeof types, "float %s", c->types ? c->types : "");
    for (char *t = strtok_r(types, " ", &state_t); t; t = strtok_r(NULL, " ", &state_t)) {
        char *typed = replaced(c->model, "float", t);
        snprintf(opsets, sizeof opsets, "= %s", c->opsets ? c->opsets : "");
        for (char *v = strtok_r(opsets, " ", &state_o); v; v = strtok_r(NULL, " ", &state_o)) {
            char *text = *v == '=' ? strdup(typed) : with_opset(typed, v), what[1024];
            int rc = run_text(c, r, text, false, NULL, what, sizeof what);
            if (rc == -1) snprintf(error, size, "type %s, opset %s: %.900s", t, v, what);
            free(text);
            ok = ok && rc != -1;
        }
        free(typed);
    }
    return ok;
}

/* ---- cases ---- */

static void report(bool ok, const char *name, const char *why) {
    printf("%sok %d - %s\n", ok ? "" : "not ", ++test_number, name);
    if (!ok && why && *why) {
        char *copy = strdup(why);
        for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) printf("# %s\n", line);
        free(copy);
    }
    failures += !ok;
    fflush(stdout);
}

static void show_difference(const char *want, const char *got) {
    ox_ctx *ctx = ox_ctx_new();
    ox_text diff = {.arena = ctx->arena};
    ox_text_diff(ctx->arena, want, got, 3, &diff);
    char *copy = strdup(diff.data ? diff.data : got);
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) printf("# %s\n", line);
    free(copy);
    ox_ctx_free(ctx);
}

/* But for blank lines at the end. */
static bool same_text(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    while (n && a[n - 1] == '\n') n--;
    while (m && b[m - 1] == '\n') m--;
    return n == m && !memcmp(a, b, n);
}

static void run_case(rule_case *c) {
    char error[1024] = "";
    known_rule *r = find_rule(c->rule);
    if (!r) {
        report(false, c->head, "no such rule");
        return;
    }
    int rc = run_text(c, r, c->model, true, &c->got, error, sizeof error);
    bool unchanged = !strncmp(c->expected, "unchanged", 9), applies = !strncmp(c->expected, "applies", 7);
    bool ok = rc >= 0 && (unchanged ? rc == 0 : rc == 1);
    r->applied |= rc == 1 && !unchanged;
    if (rc >= 0 && !ok) snprintf(error, sizeof error, rc ? "the rule applies" : "the rule does not apply");
    if (ok && !unchanged && !applies && !same_text(c->got, c->expected) && !getenv("OX_UPDATE")) {
        ok = false;
        show_difference(c->expected, c->got);
    }
    if (ok && !unchanged) ok = run_variants(c, r, error, sizeof error);
    report(ok, c->head, error);
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

/* Cuts a file into cases in place. What stands before the first is its comment. */
static int split_cases(char *text, rule_case *cases, char **comment) {
    int n = 0;
    char *p = strstr(text, "\n=== ");
    if (p) *p = 0;
    *comment = text; /* a file begins with one */
    while (p && n < MAX_CASES) {
        rule_case *c = &cases[n++];
        *c = (rule_case){.head = p + 5};
        p = strstr(p + 5, "\n=== ");
        if (p) *p = 0;
        char *line = c->head + strcspn(c->head, "\n");
        if (*line) *line++ = 0;
        c->rule = strndup(c->head, strcspn(c->head, ": "));
        while (*line == '@') {
            char *end = line + strcspn(line, "\n");
            if (*end) *end++ = 0;
            if (!strncmp(line, "@types ", 7)) c->types = line + 7;
            if (!strncmp(line, "@opsets ", 8)) c->opsets = line + 8;
            line = end;
        }
        char *middle = strstr(line, "\n---\n");
        c->expected = middle ? middle + 5 : "";
        if (middle) middle[1] = 0;
        c->model = line;
    }
    return n;
}

static void update(const char *path, const char *comment, rule_case *cases, char **models, int n) {
    FILE *f = fopen(path, "wb");
    if (!f) return;
    if (*comment) fprintf(f, "%s\n", comment);
    for (int i = 0; i < n; i++) {
        rule_case *c = &cases[i];
        fprintf(f, "=== %s\n", c->head);
        if (c->types) fprintf(f, "@types %s\n", c->types);
        if (c->opsets) fprintf(f, "@opsets %s\n", c->opsets);
        bool word = !strncmp(c->expected, "unchanged", 9) || !strncmp(c->expected, "applies", 7);
        fprintf(f, "%s---\n%s", models[i], word || !c->got ? c->expected : c->got);
        const char *last = word || !c->got ? c->expected : c->got;
        if (!*last || last[strlen(last) - 1] != '\n') fputc('\n', f);
    }
    fclose(f);
}

static void run_file(const char *path) {
    static rule_case cases[MAX_CASES];
    static char *models[MAX_CASES];
    char *text = read_all(path), *comment;
    if (!text) {
        report(false, path, "cannot be read");
        return;
    }
    int n = split_cases(text, cases, &comment);
    for (int i = 0; i < n; i++) {
        models[i] = cases[i].model;
        cases[i].model = with_numbers(models[i]);
        run_case(&cases[i]);
    }
    if (getenv("OX_UPDATE")) update(path, comment, cases, models, n);
    for (int i = 0; i < n; i++) {
        free(cases[i].model);
        free(cases[i].rule);
        free(cases[i].got);
    }
    free(text);
}

int main(int argc, char **argv) {
    ox_each_shipped_ruleset(list_rules, NULL);
    for (int i = 1; i < argc; i++) run_file(argv[i]);
    for (int i = 0; i < n_rules && argc > 2; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s: %s has a case in which it applies", rules[i].set, rules[i].name);
        report(rules[i].applied, name, "");
    }
    printf("# %d rewrites proved by running both sides, %d could not be run\n", proofs, unproved);
    for (int i = 0; i < n_rules; i++) {
        free(rules[i].name);
        free(rules[i].set);
    }
    printf("1..%d\n", test_number);
    return failures > 0;
}
