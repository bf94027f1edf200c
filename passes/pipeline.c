/* Pipelines from YAML or from names: which passes run, in which order, with which options. docs/pipelines.md has the grammar.
 *
 *   target: {opset: keep}
 *   frame:  {memory: 4GiB, threads: 0}
 *   passes: [infer-shapes, {repeat: {max: 8, passes: [...]}}, {fold-constants: {growth: 4MiB}}, {rules: [cleanup, ./ours.rules]}]
 *   verify: {samples: 4, rtol: 1e-4}
 */
#include "passes/driver.h"

typedef struct { ox_ctx *ctx; ox_pipeline *p; const char *file; int depth; } parser;

static int parse_steps(parser *ps, const ox_yaml *list, ox_step **steps, size_t *n);

/* ---- names ---- */

typedef struct { const char **names; size_t n; } names;

static int collect_pass(const ox_pass *p, void *user) {
    names *k = user;
    k->names[k->n++] = p->name;
    return k->n >= 250;
}

static int collect_set(const char *name, const char *doc, const char *text, void *user) {
    (void)doc, (void)text;
    names *k = user;
    k->names[k->n++] = name;
    return k->n >= 250;
}

static const char *hint(ox_ctx *ctx, const char *name) {
    const char *known[256] = {"repeat", "rules"};
    names k = {known, 2};
    ox_each_pass(collect_pass, &k);
    ox_each_shipped_ruleset(collect_set, &k);
    const char *near = ox_nearest(name, known, k.n);
    return near ? ox_format(ctx->arena, " (did you mean '%s'?)", near) : "";
}

/* A step of one rule set; NULL name when there is none of it. */
static int rules_step(ox_ctx *ctx, const char *name, ox_step *step) {
    const ox_ruleset *set = ox_rules_shipped(ctx, name);
    if (!set) return ox_error_code(ctx) ? -1 : 0;
    step->kind = OX_STEP_RULES;
    step->name = ox_strdup(ctx->arena, name);
    step->sets = OX_NEW_N(ctx->arena, const ox_ruleset *, 1);
    step->sets[0] = set;
    step->n_sets = 1;
    return 1;
}

/* 1: a pass or rule set of that name, 0: none, -1: error. */
static int named_step(ox_ctx *ctx, const char *name, ox_step *step) {
    const ox_pass *pass = ox_pass_find(name);
    if (!pass) return rules_step(ctx, name, step);
    *step = (ox_step){.kind = OX_STEP_PASS, .name = pass->name, .pass = pass, .values = ox_option_defaults(ctx, pass)};
    return 1;
}

/* ---- options of a pass ---- */

static int option_of_kind(parser *ps, const ox_option *o, const ox_yaml *y, ox_option_value *v) {
    bool b;
    switch (o->kind) {
    case OX_O_INT: return ox_yaml_int(ps->ctx, ps->file, y, o->name, INT64_MIN, INT64_MAX, &v->i);
    case OX_O_DOUBLE: return ox_yaml_double(ps->ctx, ps->file, y, o->name, &v->d);
    case OX_O_SIZE: return ox_yaml_size(ps->ctx, ps->file, y, o->name, &v->size);
    case OX_O_BOOL:
        if (ox_yaml_bool(ps->ctx, ps->file, y, o->name, &b) < 0) return -1;
        v->i = b;
        return 0;
    case OX_O_TEXT:
        if (y->kind != OX_Y_SCALAR) return ox_yaml_fail(ps->ctx, ps->file, y, "%s must be a text", o->name);
        v->text = y->text;
        return 0;
    case OX_O_TEXTS: break;
    }
    if (y->kind != OX_Y_LIST) return ox_yaml_fail(ps->ctx, ps->file, y, "%s must be a list of texts", o->name);
    const char **texts = OX_NEW_N(ps->ctx->arena, const char *, y->n + 1);
    for (size_t i = 0; i < y->n; i++) {
        if (y->items[i].kind != OX_Y_SCALAR) return ox_yaml_fail(ps->ctx, ps->file, &y->items[i], "%s must be a list of texts", o->name);
        texts[i] = y->items[i].text;
    }
    v->texts = texts;
    v->n_texts = y->n;
    return 0;
}

static int parse_option(parser *ps, const ox_pass *pass, const ox_option *o, const ox_yaml *y, ox_option_value *v) {
    if (option_of_kind(ps, o, y, v) < 0) return -1;
    const char *wanted = pass->wrong ? pass->wrong(ps->ctx, o->name, v) : NULL;
    return wanted ? ox_yaml_fail(ps->ctx, ps->file, y, "%s must be %s", o->name, wanted) : 0;
}

static int parse_options(parser *ps, const ox_pass *pass, const ox_yaml *y, ox_option_value *values) {
    if (y->kind == OX_Y_NULL) return 0;
    if (y->kind != OX_Y_MAP) return ox_yaml_fail(ps->ctx, ps->file, y, "options of %s must be a map such as {name: value}", pass->name);
    for (size_t i = 0; i < y->n; i++) {
        const char *known[32];
        size_t n = 0, found = SIZE_MAX;
        for (const ox_option *o = pass->options; o && o->name && n < 32; o++) {
            if (!strcmp(o->name, y->keys[i])) found = n;
            known[n++] = o->name;
        }
        if (found == SIZE_MAX) {
            const char *near = ox_nearest(y->keys[i], known, n);
            return ox_yaml_fail(ps->ctx, ps->file, &y->key_marks[i], "pass %s has no option '%s'%s%s%s", pass->name, y->keys[i],
                                near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
        }
        if (parse_option(ps, pass, &pass->options[found], &y->items[i], &values[found]) < 0) return -1;
    }
    return 0;
}

/* ---- rules: names, files or a block of text ---- */

static const char *beside(parser *ps, const char *name) {
    const char *slash = strrchr(ps->file, '/');
    while (!strncmp(name, "./", 2)) name += 2;
    if (name[0] == '/' || !slash) return name;
    return ox_format(ps->ctx->arena, "%.*s%s", (int)(slash - ps->file + 1), ps->file, name);
}

static const ox_ruleset *rules_of(parser *ps, const ox_yaml *y) {
    if (y->kind != OX_Y_SCALAR) return ox_yaml_fail(ps->ctx, ps->file, y, "rules must be names of rule sets, files or a block of rules"), NULL;
    if (y->block && strchr(y->text, '\n')) return ox_rules_parse_at(ps->ctx, y->block, y->block_len, ps->file, y->block_line);
    if (strchr(y->text, '\n')) return ox_rules_parse(ps->ctx, y->text, strlen(y->text), ox_format(ps->ctx->arena, "%s:%d:%d: rules", ps->file, y->line, y->column));
    size_t len = strlen(y->text);
    if (strchr(y->text, '/') || (len > 6 && !strcmp(y->text + len - 6, ".rules"))) {
        char *text;
        size_t size;
        const char *path = beside(ps, y->text);
        if (ox_read_text(ps->ctx, ps->ctx->arena, path, 1 << 20, OX_CONFIG, &text, &size) < 0) return NULL;
        OX_PUSH(ps->ctx->arena, ps->p->files, ps->p->n_files, ps->p->files_cap, path);
        return ox_rules_parse(ps->ctx, text, size, path);
    }
    const ox_ruleset *set = ox_rules_shipped(ps->ctx, y->text);
    if (!set && !ox_error_code(ps->ctx))
        ox_yaml_fail(ps->ctx, ps->file, y, "unknown rule set '%s'%s", y->text, hint(ps->ctx, y->text));
    return set;
}

static int parse_rules(parser *ps, const ox_yaml *y, ox_step *step) {
    size_t n = y->kind == OX_Y_LIST ? y->n : 1;
    if (!n) return ox_yaml_fail(ps->ctx, ps->file, y, "rules is empty");
    *step = (ox_step){.kind = OX_STEP_RULES, .sets = OX_NEW_N(ps->ctx->arena, const ox_ruleset *, n), .n_sets = n};
    ox_text name = {.arena = ps->ctx->arena};
    for (size_t i = 0; i < n; i++) {
        const ox_yaml *one = y->kind == OX_Y_LIST ? &y->items[i] : y;
        if (!(step->sets[i] = rules_of(ps, one))) return -1;
        if (i) ox_text_add(&name, "+");
        ox_text_add(&name, strchr(one->text, '\n') ? "rules" : one->text);
    }
    step->name = name.data;
    return 0;
}

/* ---- steps ---- */

static int unknown_key(parser *ps, const ox_yaml *y, size_t i, const char *where, const char *const *known, size_t n) {
    const char *near = ox_nearest(y->keys[i], known, n);
    return ox_yaml_fail(ps->ctx, ps->file, &y->key_marks[i], "unknown key '%s' in %s%s%s%s", y->keys[i], where, near ? " (did you mean '" : "",
                        near ? near : "", near ? "'?)" : "");
}

static int parse_repeat(parser *ps, const ox_yaml *y, ox_step *step) {
    static const char *const known[] = {"max", "passes"};
    *step = (ox_step){.kind = OX_STEP_REPEAT, .name = "repeat", .max = 8};
    if (y->kind != OX_Y_MAP || !ox_yaml_get(y, "passes")) return ox_yaml_fail(ps->ctx, ps->file, y, "repeat needs {max: N, passes: [...]}");
    if (++ps->depth > 8) return ox_yaml_fail(ps->ctx, ps->file, y, "repeat is nested deeper than 8");
    for (size_t i = 0; i < y->n; i++) {
        int64_t max;
        if (!strcmp(y->keys[i], "max")) {
            if (ox_yaml_int(ps->ctx, ps->file, &y->items[i], "max", 1, 1000, &max) < 0) return -1;
            step->max = (int)max;
        } else if (!strcmp(y->keys[i], "passes")) {
            if (parse_steps(ps, &y->items[i], &step->steps, &step->n_steps) < 0) return -1;
        } else {
            return unknown_key(ps, y, i, "repeat", known, 2);
        }
    }
    ps->depth--;
    return 0;
}

static int parse_step(parser *ps, const ox_yaml *y, ox_step *step) {
    if (y->kind == OX_Y_SCALAR) {
        int found = named_step(ps->ctx, y->text, step);
        return found == 0 ? ox_yaml_fail(ps->ctx, ps->file, y, "unknown pass or rule set '%s'%s", y->text, hint(ps->ctx, y->text)) : found < 0 ? -1 : 0;
    }
    if (y->kind == OX_Y_MAP && y->n > 1) return ox_yaml_fail(ps->ctx, ps->file, &y->key_marks[1], "a step has one name: '%s' is a second one", y->keys[1]);
    if (y->kind != OX_Y_MAP || y->n != 1) return ox_yaml_fail(ps->ctx, ps->file, y, "a step is a name, or a map with one name and its options");
    if (!strcmp(y->keys[0], "repeat")) return parse_repeat(ps, &y->items[0], step);
    if (!strcmp(y->keys[0], "rules")) return parse_rules(ps, &y->items[0], step);
    int found = named_step(ps->ctx, y->keys[0], step);
    if (found < 0) return -1;
    if (!found) return ox_yaml_fail(ps->ctx, ps->file, &y->key_marks[0], "unknown pass or rule set '%s'%s", y->keys[0], hint(ps->ctx, y->keys[0]));
    if (step->kind == OX_STEP_RULES) {
        if (y->items[0].kind != OX_Y_NULL) return ox_yaml_fail(ps->ctx, ps->file, &y->items[0], "rule set %s has no options", y->keys[0]);
        return 0;
    }
    return parse_options(ps, step->pass, &y->items[0], (ox_option_value *)(uintptr_t)step->values);
}

static int parse_steps(parser *ps, const ox_yaml *list, ox_step **steps, size_t *n) {
    if (list->kind == OX_Y_NULL) return 0;
    if (list->kind != OX_Y_LIST) return ox_yaml_fail(ps->ctx, ps->file, list, "passes must be a list");
    *steps = OX_NEW_N(ps->ctx->arena, ox_step, list->n + 1);
    for (size_t i = 0; i < list->n; i++)
        if (parse_step(ps, &list->items[i], &(*steps)[i]) < 0) return -1;
    *n = list->n;
    return 0;
}

/* ---- the other sections ---- */

static int parse_target(parser *ps, const ox_yaml *y) {
    static const char *const known[] = {"opset"};
    if (y->kind != OX_Y_MAP) return ox_yaml_fail(ps->ctx, ps->file, y, "target must be a map such as {opset: keep}");
    for (size_t i = 0; i < y->n; i++) {
        const ox_yaml *v = &y->items[i];
        if (strcmp(y->keys[i], "opset")) return unknown_key(ps, y, i, "target", known, 1);
        if (v->kind == OX_Y_SCALAR && !strcmp(v->text, "keep")) continue;
        if (ox_yaml_int(ps->ctx, ps->file, v, "opset (a number, or keep)", 7, ox_opset_newest(""), &ps->p->target_opset) < 0) return -1;
    }
    return 0;
}

static int parse_frame(parser *ps, const ox_yaml *y) {
    static const char *const known[] = {"memory", "threads"};
    if (y->kind != OX_Y_MAP) return ox_yaml_fail(ps->ctx, ps->file, y, "frame must be a map such as {memory: 4GiB}");
    for (size_t i = 0; i < y->n; i++) {
        const ox_yaml *v = &y->items[i];
        int64_t threads;
        if (!strcmp(y->keys[i], "memory")) {
            if (ox_yaml_size(ps->ctx, ps->file, v, "memory", &ps->ctx->limits.memory) < 0) return -1;
        } else if (!strcmp(y->keys[i], "threads")) {
            if (ox_yaml_int(ps->ctx, ps->file, v, "threads", 0, 1024, &threads) < 0) return -1;
            if (!ps->ctx->threads) ps->ctx->threads = (int)threads;
        } else {
            return unknown_key(ps, y, i, "frame", known, 2);
        }
    }
    return 0;
}

static int parse_verify(parser *ps, const ox_yaml *y) {
    static const char *const known[] = {"samples", "seed", "rtol", "atol", "seconds"};
    ox_verify_options *v = &ps->p->verify;
    bool on;
    if (y->kind == OX_Y_SCALAR) {
        if (ox_yaml_bool(ps->ctx, ps->file, y, "verify (a map, or false)", &on) < 0) return -1;
        ps->p->verify_off = !on;
        return 0;
    }
    if (y->kind != OX_Y_MAP) return ox_yaml_fail(ps->ctx, ps->file, y, "verify must be a map such as {samples: 4}, or false");
    for (size_t i = 0; i < y->n; i++) {
        const char *k = y->keys[i];
        const ox_yaml *item = &y->items[i];
        int64_t number = 0;
        int bad = 0;
        if (!strcmp(k, "samples")) bad = ox_yaml_int(ps->ctx, ps->file, item, k, 1, 1000, &number), v->samples = (int)number;
        else if (!strcmp(k, "seed")) bad = ox_yaml_int(ps->ctx, ps->file, item, k, 0, INT64_MAX, &number), v->seed = (uint64_t)number;
        else if (!strcmp(k, "rtol")) bad = ox_yaml_double(ps->ctx, ps->file, item, k, &v->tol.rtol);
        else if (!strcmp(k, "atol")) bad = ox_yaml_double(ps->ctx, ps->file, item, k, &v->tol.atol);
        else if (!strcmp(k, "seconds")) bad = ox_yaml_double(ps->ctx, ps->file, item, k, &v->seconds);
        else return unknown_key(ps, y, i, "verify", known, 5);
        if (bad < 0) return -1;
        if (strstr(k, "tol")) v->widen = false; /* who says how exact means it */
        if (v->tol.rtol < 0 || v->tol.atol < 0 || v->seconds < 0) return ox_yaml_fail(ps->ctx, ps->file, item, "%s must not be negative", k);
    }
    return 0;
}

static ox_pipeline *pipeline_new(ox_ctx *ctx, const char *file) {
    ox_pipeline *p = OX_NEW(ctx->arena, ox_pipeline);
    p->ctx = ctx;
    p->file = ox_strdup(ctx->arena, file);
    p->verify = (ox_verify_options){.samples = 3, .seed = 1, .tol = {1e-3, 1e-4, true}, .widen = true, .seconds = 20};
    return p;
}

ox_pipeline *ox_pipeline_parse(ox_ctx *ctx, const char *text, size_t len, const char *file) {
    static const char *const known[] = {"target", "frame", "passes", "verify"};
    parser ps = {ctx, pipeline_new(ctx, file), file, 0};
    const ox_yaml *y = ox_yaml_parse(ctx, ctx->arena, text, len, file);
    if (!y) return NULL;
    if (y->kind != OX_Y_MAP) return ox_yaml_fail(ctx, file, y, "a pipeline is a map with the keys passes, target, frame, verify"), NULL;
    for (size_t i = 0; i < y->n; i++) {
        const ox_yaml *v = &y->items[i];
        int bad;
        if (!strcmp(y->keys[i], "passes")) bad = parse_steps(&ps, v, &ps.p->steps, &ps.p->n_steps);
        else if (!strcmp(y->keys[i], "target")) bad = parse_target(&ps, v);
        else if (!strcmp(y->keys[i], "frame")) bad = parse_frame(&ps, v);
        else if (!strcmp(y->keys[i], "verify")) bad = parse_verify(&ps, v);
        else bad = unknown_key(&ps, y, i, "a pipeline", known, 4);
        if (bad < 0) return NULL;
    }
    return ps.p;
}

/* "NAME=VALUE": a pass with its only option. As named_step(). */
static int set_step(ox_ctx *ctx, const char *text, ox_step *step) {
    parser ps = {.ctx = ctx, .file = "--passes"};
    const char *equals = strchr(text, '=');
    const ox_pass *pass = ox_pass_find(ox_format(ctx->arena, "%.*s", (int)(equals - text), text));
    if (!pass) return 0;
    if (!pass->options || !pass->options[0].name || pass->options[1].name)
        return ox_fail(ctx, OX_USAGE, "%s: only a pass with one option takes =VALUE; write a pipeline file", text);
    ox_option_value *values = ox_option_defaults(ctx, pass);
    const ox_yaml value = {.kind = OX_Y_SCALAR, .text = equals + 1, .line = 1, .column = 1};
    if (option_of_kind(&ps, &pass->options[0], &value, values) < 0) return ox_fail(ctx, OX_USAGE, "%s: not a value of option %s", text, pass->options[0].name);
    const char *wanted = pass->wrong ? pass->wrong(ctx, pass->options[0].name, values) : NULL;
    if (wanted) return ox_fail(ctx, OX_USAGE, "%s: %s must be %s", text, pass->options[0].name, wanted);
    *step = (ox_step){.kind = OX_STEP_PASS, .name = pass->name, .pass = pass, .values = values};
    return 1;
}

ox_pipeline *ox_pipeline_from_names(ox_ctx *ctx, const char *list) {
    ox_pipeline *p = pipeline_new(ctx, "--passes");
    p->verify_off = false;
    if (!strcmp(list, "none")) return p;
    size_t n = 1;
    for (const char *c = list; *c; c++) n += *c == ',';
    p->steps = OX_NEW_N(ctx->arena, ox_step, n);
    for (const char *c = list; *c;) {
        size_t len = strcspn(c, ",");
        const char *name = ox_format(ctx->arena, "%.*s", (int)(len > 200 ? 200 : len), c);
        int found = strchr(name, '=') ? set_step(ctx, name, &p->steps[p->n_steps]) : named_step(ctx, name, &p->steps[p->n_steps]);
        if (found < 0) return NULL;
        if (!found) return ox_fail(ctx, OX_USAGE, "unknown pass or rule set '%s'%s; --list-passes shows all", name, hint(ctx, name)), NULL;
        p->n_steps++;
        c += len;
        if (*c == ',') c++;
    }
    return p;
}

bool ox_pipeline_is_empty(const ox_pipeline *p) { return p->n_steps == 0 && !p->target_opset; }

bool ox_pipeline_verify_off(const ox_pipeline *p) { return p->verify_off; }

const char *const *ox_pipeline_files(const ox_pipeline *p, size_t *n) {
    *n = p->n_files;
    return p->files;
}
