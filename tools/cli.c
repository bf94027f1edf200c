/* Options, errors, signals and small files of the programs. */
#include "tools/cli.h"

#include "tools/jobserver.h"
#include "tools/team.h"

#include "op/blas.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const cli_option common[] = {
    {"--threads", "N", "threads to use (0: as many as the process may; inside make -j: as its jobserver has tokens)", CLI_THREADS, true},
    {"--verify-checksum", NULL, "verify the checksums that models give for their external data", CLI_CHECKSUM, true},
    {"--color", "WHEN", "auto, always or never", CLI_COLOR, true},
    {"-v", NULL, "say what was done; -vv says more", CLI_VERBOSE, false},
    {"-q", NULL, "no warnings", CLI_QUIET, true},
    {"--help", NULL, "this text; --help=all shows every option", CLI_HELP, false},
    {"--version", NULL, "version; with -v also libraries", CLI_VERSION, false},
    {0},
};

/* ---- signals: temporaries go, then the signal does what it always does ---- */

static void on_signal(int number) {
    ox_out_abandon_all(true);
    jobserver_release();
    signal(number, SIG_DFL);
    raise(number);
}

/* A mapped input became shorter while it was read. */
static void on_bus_error(int number) {
    (void)number;
    static const char text[] = "error: an input file became shorter while it was read\n";
    ox_out_abandon_all(true);
    jobserver_release();
    ssize_t ignored = write(2, text, sizeof text - 1);
    (void)ignored;
    _exit(OX_IO);
}

static void install(int number, void (*handler)(int)) {
    struct sigaction old, action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN) return; /* nohup */
    sigaction(number, &action, NULL);
}

static void warn(void *user, const char *text) {
    cli *c = user;
    if (!c->quiet) fprintf(stderr, "%s: warning: %s\n", c->program, text);
}

/* Where standard input, output or error is closed, the next file opened would take its place, and a warning end in a model. What is put
 * there can be neither read nor written. */
static void occupy_standard_files(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) open("/dev/null", fd ? O_RDONLY : O_WRONLY);
}

static int count_threads(void *user, int processors) {
    int n = jobserver_threads(user, processors);
    team_spread(n);
    return n;
}

ox_ctx *cli_start(cli *c) {
    install(SIGINT, on_signal);
    install(SIGTERM, on_signal);
    install(SIGHUP, on_signal);
    install(SIGBUS, on_bus_error);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of writing like others, */
    signal(SIGXFSZ, SIG_IGN); /* and so is a limit on the size of files */
    occupy_standard_files();
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* values of a run come and go: pages given back would be cleared again */
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    c->ctx = ox_ctx_new();
    if (!c->ctx) {
        fprintf(stderr, "%s: out of memory\n", c->program);
        return NULL;
    }
    c->ctx->on_warning = warn;
    c->ctx->on_warning_user = c;
    c->ctx->on_threads = count_threads;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    c->color = isatty(2) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
    return c->ctx;
}

int cli_flush(cli *c) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    return ox_fail(c->ctx, OX_IO, "standard output: %s", strerror(errno ? errno : EIO));
}

int cli_finish(cli *c, int code) {
    if (code != 0 && ox_error_text(c->ctx)[0]) fprintf(stderr, "%s: %s\n", c->program, ox_error_text(c->ctx));
    if (cli_flush(c) < 0 && code == 0) {
        fprintf(stderr, "%s: %s\n", c->program, ox_error_text(c->ctx));
        code = OX_IO;
    }
    ox_ctx_free(c->ctx);
    jobserver_release();
    return code;
}

/* ---- help and version ---- */

static void print_options(const cli_option *o, bool all) {
    for (; o->name; o++) {
        char left[64];
        if (o->rare && !all) continue;
        snprintf(left, sizeof left, "%s%s%s", o->name, !o->arg ? "" : o->name[1] == '-' ? "=" : " ", o->arg ? o->arg : "");
        printf("  %-26s %s\n", left, o->doc);
    }
}

static void print_help(const cli *c, bool all) {
    printf("usage: %s %s\n%s\n\n", c->program, c->usage, c->about);
    print_options(c->options, all);
    print_options(common, all);
    if (c->examples) printf("\nExamples:\n%s", c->examples);
}

static void print_version(const cli *c) {
    printf("%s %s\n", c->program, OX_VERSION);
    if (!c->verbose) return;
    printf("%-12s %s\n%-12s %s\n", "libraries", CLI_LIBRARIES, "products by", ox_blas_name(true));
    printf("%-12s ai.onnx up to opset %lld, ai.onnx.ml up to %lld\n", "operators", (long long)ox_opset_newest(""), (long long)ox_opset_newest("ai.onnx.ml"));
    printf("%-12s %d\n%-12s %s\n", "threads", ox_thread_count(c->ctx), "compiler", CLI_COMPILER);
}

/* ---- parsing ---- */

static const cli_option *find(const cli_option *o, const char *name, size_t len) {
    for (; o->name; o++)
        if (strlen(o->name) == len && !memcmp(o->name, name, len)) return o;
    return NULL;
}

static int unknown_option(cli *c, const char *arg) {
    const char *known[96], *name = ox_format(c->ctx->arena, "%.*s", (int)strcspn(arg, "="), arg);
    size_t n = 0;
    for (const cli_option *o = c->options; o->name && n < 80; o++) known[n++] = o->name;
    for (const cli_option *o = common; o->name; o++) known[n++] = o->name;
    const char *near = ox_nearest(name, known, n);
    return ox_fail(c->ctx, OX_USAGE, "unknown option '%.200s'%s%s%s; try --help", name, near ? " (did you mean '" : "", near ? near : "",
                   near ? "'?)" : "");
}

static int common_option(cli *c, int id, const char *value, bool *help, bool *help_all, bool *version) {
    int64_t n;
    switch (id) {
    case CLI_HELP:
        *help = true;
        if (value && strcmp(value, "all")) return ox_fail(c->ctx, OX_USAGE, "--help takes nothing or 'all', not '%.200s'", value);
        *help_all = value != NULL;
        return 0;
    case CLI_VERSION: *version = true; return 0;
    case CLI_QUIET: c->quiet = true; return 0;
    case CLI_VERBOSE: c->verbose++; return 0;
    case CLI_CHECKSUM: c->ctx->verify_checksums = true; return 0;
    case CLI_THREADS:
        c->threads = value;
        if (c->lists && strchr(value, ',')) return 0; /* looked at by the command that takes a list */
        if (cli_int(c, "--threads", value, 0, 1024, &n) < 0) return -1;
        c->ctx->threads = (int)n;
        return 0;
    case CLI_COLOR:
        if (!strcmp(value, "always")) c->color = true;
        else if (!strcmp(value, "never")) c->color = false;
        else if (strcmp(value, "auto")) return ox_fail(c->ctx, OX_USAGE, "--color takes auto, always or never, not '%.200s'", value);
        return 0;
    }
    return 0;
}

typedef struct { cli *c; int argc; char **argv; } words;

static int parse(void *arg) {
    const words *w = arg;
    cli *c = w->c;
    int argc = w->argc;
    char **argv = w->argv;
    bool help = false, help_all = false, version = false, only_operands = false;
    c->operands = OX_NEW_N(c->ctx->arena, const char *, argc + 1);
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (only_operands || arg[0] != '-' || !arg[1]) {
            c->operands[c->n_operands++] = arg;
            continue;
        }
        if (!strcmp(arg, "--")) {
            only_operands = true;
            continue;
        }
        if (!strcmp(arg, "-vv")) {
            c->verbose += 2;
            continue;
        }
        size_t len = arg[1] == '-' ? strcspn(arg, "=") : strlen(arg);
        const char *value = arg[len] == '=' ? arg + len + 1 : NULL;
        const cli_option *o = find(c->options, arg, len), *own = o;
        if (!o) o = find(common, arg, len);
        if (!o && arg[1] != '-' && (own = o = find(c->options, arg, 2)) && o->arg) value = arg + 2; /* -oFILE */
        else if (!o) return unknown_option(c, arg);
        if (o->arg && !value && ++i >= argc) return ox_fail(c->ctx, OX_USAGE, "%s needs a value: %s", o->name, o->arg);
        if (o->arg && !value) value = argv[i];
        if (!o->arg && value && o->id != CLI_HELP) return ox_fail(c->ctx, OX_USAGE, "%s takes no value", o->name);
        if ((own ? c->on_option(c, o->id, value) : common_option(c, o->id, value, &help, &help_all, &version)) < 0) return -1;
    }
    if (help) print_help(c, help_all);
    else if (version) print_version(c);
    c->done = help || version;
    return 0;
}

int cli_parse(cli *c, int argc, char **argv) { return ox_protect(c->ctx, parse, &(words){c, argc, argv}); }

int cli_int(cli *c, const char *option, const char *value, int64_t min, int64_t max, int64_t *out) {
    if (!ox_parse_int(value, strlen(value), out) || *out < min || *out > max)
        return ox_fail(c->ctx, OX_USAGE, "%s takes a whole number from %lld to %lld, not '%.200s'", option, (long long)min, (long long)max, value);
    return 0;
}

int cli_double(cli *c, const char *option, const char *value, double *out) {
    if (!ox_parse_double(value, strlen(value), out) || !(*out >= 0))
        return ox_fail(c->ctx, OX_USAGE, "%s takes a number of at least 0, not '%.200s'", option, value);
    return 0;
}

int cli_dim(cli *c, const char *value, ox_dim_binding **dims, size_t *n) {
    const char *eq = strrchr(value, '=');
    int64_t number;
    if (!eq || eq == value || !ox_parse_int(eq + 1, strlen(eq + 1), &number) || number < 0)
        return ox_fail(c->ctx, OX_USAGE, "--dim takes NAME=N, not '%.200s'", value);
    ox_dim_binding *grown = OX_NEW_N(c->ctx->arena, ox_dim_binding, *n + 1);
    if (*n) memcpy(grown, *dims, *n * sizeof *grown);
    grown[(*n)++] = (ox_dim_binding){ox_intern_n(c->ctx, value, (size_t)(eq - value)), number};
    *dims = grown;
    return 0;
}

int cli_check_dims(cli *c, const ox_model *m, const char *path, const ox_dim_binding *dims, size_t n_dims) {
    const ox_graph *g = m->graph;
    ox_map known, given;
    const char **names = NULL;
    size_t n = 0, cap = 0;
    ox_map_init(&known, c->ctx->arena);
    ox_map_init(&given, c->ctx->arena);
    for (size_t i = 0; n_dims && i < g->n_inputs; i++) {
        const ox_type *t = g->inputs[i]->type;
        for (int k = 0; ox_type_is_tensor(t) && k < t->rank; k++) {
            ox_sym s = t->dims[k] ? ox_dim_is_symbol(t->dims[k]) : NULL;
            if (!s || ox_map_has(&known, s)) continue;
            ox_map_put(&known, s, &known);
            OX_PUSH(c->ctx->arena, names, n, cap, s);
        }
    }
    for (size_t i = 0; i < n_dims; i++) {
        const ox_dim_binding *d = &dims[i], *before = ox_map_get(&given, d->name);
        if (before && before->value != d->value)
            return ox_fail(c->ctx, OX_USAGE, "--dim gives '%s' two sizes, %lld and %lld", d->name, (long long)before->value, (long long)d->value);
        ox_map_put(&given, d->name, (void *)(uintptr_t)d);
        if (ox_map_has(&known, d->name)) continue;
        const char *near = ox_nearest(d->name, names, n);
        return ox_fail(c->ctx, OX_USAGE, "--dim: the inputs of %s have no dimension '%s'%s%s%s", path, d->name, near ? " (did you mean '" : "",
                       near ? near : "", near ? "'?)" : "");
    }
    return 0;
}

/* ---- files ---- */

static void add_escaped(ox_text *t, const char *path) {
    for (const char *p = path; *p; p++) {
        if (*p == '$') ox_text_add(t, "$");
        else if (*p == ' ' || *p == '#' || *p == '\t') ox_text_add(t, "\\");
        ox_text_add_n(t, p, 1);
    }
}

ox_out *cli_depfile(cli *c, const char *path, const char *target, const char *const *inputs, size_t n, bool phony) {
    ox_text t = {.arena = c->ctx->arena};
    add_escaped(&t, target);
    ox_text_add(&t, ":");
    for (size_t i = 0; i < n; i++) {
        ox_text_add(&t, i ? " \\\n  " : " ");
        add_escaped(&t, inputs[i]);
    }
    ox_text_add(&t, "\n");
    for (size_t i = 0; phony && i < n; i++) {
        add_escaped(&t, inputs[i]);
        ox_text_add(&t, ":\n");
    }
    return ox_out_text(c->ctx, path, t.data, t.len);
}

const char *cli_shown(ox_arena *arena, const char *text) {
    size_t size = 4 * strlen(text) + 1; /* an escaped byte takes at most four */
    char *out = ox_alloc(arena, size);
    ox_printable(out, size, text);
    return out;
}

void cli_add_markup(ox_text *t, const char *text) {
    for (const char *p = cli_shown(t->arena, text); *p; p++) {
        bool no_character = !strncmp(p, "\xef\xbf\xbe", 3) || !strncmp(p, "\xef\xbf\xbf", 3); /* U+FFFE, U+FFFF: valid UTF-8, yet nothing for XML */
        if (*p == '&') ox_text_add(t, "&amp;");
        else if (*p == '<') ox_text_add(t, "&lt;");
        else if (*p == '>') ox_text_add(t, "&gt;");
        else if (*p == '"') ox_text_add(t, "&quot;");
        else if (*p == '\'') ox_text_add(t, "&#39;");
        else if (no_character) ox_text_addf(t, "\\xef\\xbf\\x%02x", (unsigned char)p[2]), p += 2;
        else ox_text_add_n(t, p, 1);
    }
}

const char *cli_utf8(cli *c, const char *text) {
    size_t len = strlen(text);
    return ox_utf8_prefix(text, len) == len ? text : cli_shown(c->ctx->arena, text);
}

void cli_json_add(cli *c, json_t *to, const char *key, json_t *value) {
    if (key ? json_object_set_new(to, cli_utf8(c, key), value) : json_array_append_new(to, value)) c->json_lost = true;
}

/* An output remembers that writing failed: jansson 2.14 does not look whether keys were written. */
static int write_piece(const char *text, size_t len, void *out) { return ox_out_write(out, text, len); }

ox_out *cli_json(cli *c, const char *path, json_t *tree) {
    bool whole = tree && !c->json_lost;
    ox_clear_error(c->ctx);
    ox_out *out = whole ? ox_out_open(c->ctx, path) : NULL;
    int written = out ? json_dump_callback(tree, write_piece, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : 0;
    json_decref(tree);
    if (!whole || (written && !ox_error_code(c->ctx))) ox_fail(c->ctx, OX_NO_MEMORY, "%s: out of memory", path);
    if (!out || (!written && !ox_out_write(out, "\n", 1))) return out;
    ox_out_close(out);
    return NULL;
}

int cli_write_json(cli *c, const char *path, json_t *tree) {
    ox_out *out = cli_json(c, path, tree);
    int result = out && !ox_out_commit(out) ? 0 : -1;
    ox_out_close(out);
    return result;
}

/* ---- census ---- */

typedef struct { ox_arena *arena; cli_census *out; ox_map rows; size_t cap; ox_ctx *ctx; } counting;

static int count_graph(ox_graph *g, void *user) {
    counting *k = user;
    cli_census *out = k->out;
    for (ox_value *v = g->first_init; v; v = v->next_init) {
        out->initializers++;
        const ox_tensor *t = v->data ? v->data : v->sparse ? v->sparse->values : NULL;
        if (!t) continue;
        out->parameters += t->count;
        out->weight_bytes += t->bytes;
    }
    for (ox_node *n = g->first; n; n = n->next) {
        if (ox_is(n, "Constant")) {
            out->constants++;
            continue;
        }
        out->nodes++;
        ox_sym key = n->domain[0] ? ox_intern(k->ctx, ox_format(k->arena, "%s::%s", n->domain, n->op_type)) : n->op_type;
        uintptr_t row = (uintptr_t)ox_map_get(&k->rows, key);
        if (!row) {
            cli_op_count fresh = {key, 0};
            OX_PUSH(k->arena, out->ops, out->n_ops, k->cap, fresh);
            ox_map_put(&k->rows, key, (void *)(row = out->n_ops));
        }
        out->ops[row - 1].n++;
    }
    return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(((const cli_op_count *)a)->op, ((const cli_op_count *)b)->op); }

void cli_count(ox_arena *arena, ox_model *m, cli_census *out) {
    *out = (cli_census){.functions = (int64_t)m->n_functions};
    counting k = {.arena = arena, .out = out, .ctx = m->ctx};
    ox_map_init(&k.rows, arena);
    ox_each_graph(m, count_graph, &k);
    if (out->n_ops) qsort(out->ops, out->n_ops, sizeof *out->ops, by_name);
}
