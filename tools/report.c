/* What onnx-opt says of its work: the table on the terminal, the report as JSON, the report as a page.
 *
 * All three come from one struct of facts. A figure of the census is a row of figures[]; any other fact is added in one place per format.
 *
 * The page is one file that fetches nothing, runs nothing, and is strict XML besides HTML, so that programs may read it, too: each number
 * stands rounded as text and exactly, as in the JSON, in the value of its <data>. Text that is not ours comes in by cli_add_markup() only. */
#include "tools/report.h"

#include <jansson.h>
#include <math.h>

static const struct { const char *key, *label; size_t offset; } figures[] = {
    {"nodes", "Nodes", offsetof(cli_census, nodes)},
    {"constants", "Constant nodes", offsetof(cli_census, constants)},
    {"initializers", "Initializers", offsetof(cli_census, initializers)},
    {"parameters", "Parameters", offsetof(cli_census, parameters)},
    {"weight_bytes", "Bytes of weights", offsetof(cli_census, weight_bytes)},
};
enum { N_FIGURES = sizeof figures / sizeof *figures };

static int64_t figure(const cli_census *n, size_t i) {
    int64_t v;
    memcpy(&v, (const char *)n + figures[i].offset, sizeof v);
    return v;
}

/* What each format calls the verdict. */
typedef struct verdict { const char *key, *line, *tile, *page, *style; } verdict;

static const verdict *verdict_of(const report_facts *f) {
    static const verdict verdicts[] = {
        [OX_V_SAME] = {"same", "verified: same results on generated inputs", "Verified", "The result computes the same on generated inputs.", "good"},
        [OX_V_DIFFERENT] = {"different", "different", "Different", "The result differs from the original.", "bad"},
        [OX_V_UNKNOWN] = {"unknown", "not verified", "Not verified", "Whether the result computes the same could not be found out.", "open"},
    };
    static const verdict off = {"off", "verification off", "Not verified", "Verification was off.", "open"};
    return f->check.samples_run || f->check.why[0] ? &verdicts[f->check.verdict] : &off;
}

typedef struct op_row { const char *op; int64_t before, after; } op_row;

/* The operators of both, in the order of their names. */
static op_row *op_rows(ox_arena *arena, const report_facts *f, size_t *n) {
    const cli_census *a = &f->before, *b = &f->after;
    op_row *rows = OX_NEW_N(arena, op_row, a->n_ops + b->n_ops + 1);
    *n = 0;
    for (size_t i = 0, j = 0; i < a->n_ops || j < b->n_ops;) {
        int order = i == a->n_ops ? 1 : j == b->n_ops ? -1 : strcmp(a->ops[i].op, b->ops[j].op);
        rows[(*n)++] = (op_row){order <= 0 ? a->ops[i].op : b->ops[j].op, order <= 0 ? a->ops[i].n : 0, order >= 0 ? b->ops[j].n : 0};
        i += order <= 0;
        j += order >= 0;
    }
    return rows;
}

/* ---- the table ---- */

void report_print(const cli *c, const report_facts *f) {
    const cli_census *a = &f->before, *b = &f->after;
    size_t n;
    const op_row *rows = op_rows(c->ctx->arena, f, &n);
    fprintf(stderr, "%-32s %8s %8s %8s\n", "operator", "before", "after", "delta");
    for (const op_row *r = rows; r < rows + n; r++) {
        char op[256]; /* as a terminal may show it */
        ox_printable(op, sizeof op, r->op);
        const char *paint = !c->color || r->before == r->after ? "" : r->after < r->before ? "\033[32m" : "\033[31m";
        fprintf(stderr, "%-32s %8lld %8lld %s%+8lld%s\n", op, (long long)r->before, (long long)r->after, paint, (long long)(r->after - r->before),
                *paint ? "\033[0m" : "");
    }
    fprintf(stderr, "%-32s %8lld %8lld %+8lld\n", "nodes", (long long)a->nodes, (long long)b->nodes, (long long)(b->nodes - a->nodes));
    fprintf(stderr, "%-32s %8llu %8llu\n", "bytes of weights", (unsigned long long)a->weight_bytes, (unsigned long long)b->weight_bytes);
    for (const ox_pass_stat *s = f->passes; s < f->passes + f->n_passes; s++)
        if (c->verbose > 1 || s->changes)
            fprintf(stderr, "%7d changes %9.2f ms  %s\n", s->changes, s->seconds * 1e3, cli_shown(c->ctx->arena, s->name));
    fprintf(stderr, "%s in %.1f ms\n", verdict_of(f)->line, f->ms);
}

/* ---- JSON ---- */

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *census_json(cli *c, const cli_census *n) {
    json_t *census = json_object(), *ops = json_object();
    for (size_t i = 0; i < N_FIGURES; i++) cli_json_add(c, census, figures[i].key, json_integer(figure(n, i)));
    for (size_t i = 0; i < n->n_ops; i++) cli_json_add(c, ops, n->ops[i].op, json_integer(n->ops[i].n));
    cli_json_add(c, census, "ops", ops);
    return census;
}

static ox_out *write_json(cli *c, const char *path, const report_facts *f) {
    const ox_verify_result *v = &f->check;
    json_t *passes = json_array();
    for (const ox_pass_stat *s = f->passes; s < f->passes + f->n_passes; s++)
        cli_json_add(c, passes, NULL, json_pack("{s:s, s:i, s:i, s:o}", "name", cli_utf8(c, s->name), "runs", s->runs, "changes", s->changes, "ms",
                                                real(s->seconds * 1e3)));
    json_t *check = json_pack("{s:s, s:i, s:o, s:o, s:s}", "verdict", verdict_of(f)->key, "samples", v->samples_run, "max_abs",
                              real(v->worst.max_abs), "max_rel", real(v->worst.max_rel), "why", cli_utf8(c, v->why));
    return cli_json(c, path, json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "schema", "onnx-opt/report", "version", 1, "input",
                                       cli_utf8(c, f->in), "output", cli_utf8(c, f->out), "before", census_json(c, &f->before), "after",
                                       census_json(c, &f->after), "passes", passes, "verify", check, "ms", real(f->ms)));
}

/* ---- the page: text and numbers ---- */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b2430;--soft:#55616f;--line:#d9dfe7;--paper:#fff;--tile:#f3f5f8;--was:#a7b2c0;--now:#2b6cd4;"
    "--good:#16733c;--bad:#b0301a;--open:#8a5a00}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#a1adba;--line:#303945;--paper:#12161c;--tile:#1b2129;--was:#5f6c7b;--now:#6aa3ff;"
    "--good:#5ccb87;--bad:#ff8a75;--open:#e5b455}}\n"
    "body{max-width:60rem;margin:0 auto;padding:2rem 1.25rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}\n"
    "h1{margin:0;font-size:1.9rem;line-height:1.25}h2{margin:2.5rem 0 .5rem;font-size:1.25rem}\n"
    "h1,code,dd{overflow-wrap:anywhere}data{white-space:nowrap}.pairs data{white-space:normal}\n"
    "h1,code{unicode-bidi:isolate}code{font:.92em ui-monospace,monospace}p{margin:.5rem 0}\n"
    ".soft,footer,caption,.idle{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem;margin:1.5rem 0}\n"
    ".tiles div{padding:.75rem 1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--tile)}\n"
    ".tiles dt{font-size:.875rem;color:var(--soft)}.tiles dd{margin:0}.tiles .big{font-size:1.4rem;font-weight:600;line-height:1.35}\n"
    ".pairs{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem;margin:.5rem 0}.pairs dt{color:var(--soft)}.pairs dd{margin:0}\n"
    "table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}caption{padding:0 0 .5rem;text-align:left;font-size:.875rem}\n"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\n"
    "th:first-child{padding-left:0;text-align:left;white-space:normal}tbody th{font-weight:400}thead th{font-size:.875rem;color:var(--soft)}\n"
    "tfoot th,tfoot td{font-weight:600;border-bottom:0}.chart{width:34%;text-align:left}\n"
    ".bar{display:block;height:.4rem;margin:1px 0;border-radius:2px;background:var(--now);print-color-adjust:exact;-webkit-print-color-adjust:exact;"
    "forced-color-adjust:none}.was{background:var(--was)}\n"
    ".key{display:inline-block;width:.9rem;margin:0 .3rem .1rem .6rem}footer{margin-top:3rem;font-size:.875rem}\n"
    "@media (max-width:40rem){.chart,.legend{display:none}.pairs{grid-template-columns:1fr;gap:0}.pairs dd{margin-bottom:.5rem}}\n"
    "@media print{body{max-width:none;padding:0;font-size:10pt}tr,.tiles div{break-inside:avoid}h2,caption{break-after:avoid}"
    ".tiles{grid-template-columns:repeat(4,1fr)}.tiles .big{font-size:1.2rem}}\n";

static void add_code(ox_text *t, const char *text) {
    ox_text_add(t, "<code>");
    cli_add_markup(t, text);
    ox_text_add(t, "</code>");
}

/* Digits in groups of three. */
static void add_grouped(ox_text *t, uint64_t v) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) ox_text_add(t, ",");
        ox_text_add_n(t, digits + i, 1);
    }
}

static void add_count(ox_text *t, int64_t v) {
    ox_text_addf(t, "<data value=\"%lld\">", (long long)v);
    add_grouped(t, (uint64_t)v);
    ox_text_add(t, "</data>");
}

/* The power of 1024 that V is shown in. */
static size_t unit_of(int64_t v) {
    size_t unit = 0;
    for (; v >= 1024; v /= 1024) unit++;
    return unit;
}

static void add_bytes(ox_text *t, int64_t v, bool with_unit) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = unit_of(v);
    double shown = ldexp((double)v, -10 * (int)unit);
    ox_text_addf(t, "<data value=\"%lld\">%.*f", (long long)v, unit && shown < 100, shown);
    if (with_unit) ox_text_addf(t, " %s", units[unit]);
    ox_text_add(t, "</data>");
}

/* V exactly as the JSON has it, and with so many digits. */
static void add_real(ox_text *t, double v, bool fixed, int digits, const char *unit) {
    if (!isfinite(v)) ox_text_add(t, "no finite number");
    else if (fixed) ox_text_addf(t, "<data value=\"%.9g\">%.*f%s</data>", v, digits, v, unit);
    else ox_text_addf(t, "<data value=\"%.9g\">%.*g%s</data>", v, digits, v, unit);
}

static void add_difference(ox_text *t, double v) { add_real(t, v, false, 3, ""); }

static const char *style_of(int64_t delta) { return delta < 0 ? "good" : delta > 0 ? "bad" : "soft"; }
static const char *sign_of(int64_t delta) { return delta < 0 ? "\u2212" : delta > 0 ? "+" : ""; }
static uint64_t size_of(int64_t delta) { return delta < 0 ? -(uint64_t)delta : (uint64_t)delta; }

static void add_delta(ox_text *t, int64_t before, int64_t after) {
    int64_t delta = after - before;
    ox_text_addf(t, "<td class=\"%s\"><data value=\"%lld\">%s", style_of(delta), (long long)delta, sign_of(delta));
    add_grouped(t, size_of(delta));
    ox_text_add(t, "</data></td>");
}

/* Readers of the page aloud have the numbers; a bar says nothing more. */
static void add_bar(ox_text *t, const char *class, double part, double whole) {
    double percent = whole > 0 && part > 0 ? 100 * part / whole : 0;
    ox_text_addf(t, "<span class=\"%s\" style=\"width:max(%dpx,%.4g%%)\" aria-hidden=\"true\"></span>", class, percent > 0 ? 2 : 0, percent);
}

/* ---- the page: its parts ---- */

/* COLUMNS end with NULL; behind them is room for bars. */
static void begin_table(ox_text *t, const char *title, const char *id, const char *caption, const char *const *columns) {
    ox_text_addf(t, "<section>\n<h2>%s</h2>\n<table id=\"%s\">\n<caption>%s</caption>\n<thead><tr>", title, id, caption);
    for (; *columns; columns++) ox_text_addf(t, "<th scope=\"col\">%s</th>", *columns);
    ox_text_add(t, "<td class=\"chart\"></td></tr></thead>\n<tbody>\n");
}

static void end_table(ox_text *t) { ox_text_add(t, "</table>\n</section>\n"); }

static void begin_row(ox_text *t, const char *class) { ox_text_addf(t, "<tr class=\"%s\"><th scope=\"row\">", class); }

static void add_counts(ox_text *t, int64_t before, int64_t after) {
    ox_text_add(t, "</th><td>");
    add_count(t, before);
    ox_text_add(t, "</td><td>");
    add_count(t, after);
    ox_text_add(t, "</td>");
    add_delta(t, before, after);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void add_head(ox_text *t, const report_facts *f) {
    const char *name = strcmp(f->in, "-") ? base_name(f->in) : "standard input";
    ox_text_add(t, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                   "<meta name=\"generator\" content=\"onnx-opt " OX_VERSION "\"/>\n<title>");
    cli_add_markup(t, name);
    ox_text_add(t, " \u2013 onnx-opt</title>\n<style>\n");
    ox_text_add(t, style);
    ox_text_add(t, "</style>\n</head>\n<body>\n<header>\n<h1>");
    cli_add_markup(t, name);
    ox_text_add(t, "</h1>\n<p class=\"soft\">What onnx-opt made of it</p>\n</header>\n<main>\n");
}

/* "22 -> 12" or "2.8 -> 2.4 KiB", and by how much that is less. */
static void add_tile(ox_text *t, const char *label, int64_t before, int64_t after, bool bytes) {
    ox_text_addf(t, "<div><dt>%s</dt><dd class=\"big\">", label);
    if (bytes) add_bytes(t, before, unit_of(before) != unit_of(after));
    else add_count(t, before);
    ox_text_add(t, " \u2192 ");
    if (bytes) add_bytes(t, after, true);
    else add_count(t, after);
    ox_text_addf(t, "</dd><dd class=\"%s\">", style_of(after - before));
    if (after == before) ox_text_add(t, "unchanged");
    else if (before) ox_text_addf(t, "%s%.1f %%", sign_of(after - before), 100 * (double)size_of(after - before) / (double)before);
    else ox_text_add(t, "none before");
    ox_text_add(t, "</dd></div>\n");
}

static void add_summary(ox_text *t, const report_facts *f) {
    const verdict *v = verdict_of(f);
    const ox_verify_result *check = &f->check;
    ox_text_add(t, "<dl class=\"tiles\">\n");
    add_tile(t, "Nodes", f->before.nodes, f->after.nodes, false);
    add_tile(t, "Weights", (int64_t)f->before.weight_bytes, (int64_t)f->after.weight_bytes, true);
    ox_text_addf(t, "<div><dt>Result</dt><dd class=\"big %s\">%s</dd><dd>", v->style, v->tile);
    if (!check->samples_run) ox_text_add(t, check->why[0] ? "no sample was run" : "verification was off");
    else {
        ox_text_addf(t, "%d sample%s, greatest difference ", check->samples_run, check->samples_run == 1 ? "" : "s");
        add_difference(t, check->worst.max_abs);
    }
    ox_text_add(t, "</dd></div>\n<div><dt>Time</dt><dd class=\"big\">");
    add_real(t, f->ms, true, 2, " ms");
    ox_text_add(t, "</dd><dd>between reading and writing</dd></div>\n</dl>\n");
}

static void add_file(ox_text *t, const char *label, const char *path, const char *standard) {
    ox_text_addf(t, "<dt>%s</dt><dd>", label);
    if (strcmp(path, "-")) add_code(t, path);
    else ox_text_add(t, standard);
    ox_text_add(t, "</dd>\n");
}

static void add_files(ox_text *t, const report_facts *f) {
    ox_text_add(t, "<dl id=\"files\" class=\"pairs\">\n");
    add_file(t, "Original", f->in, "standard input");
    add_file(t, "Result", f->out, "standard output");
    ox_text_add(t, "</dl>\n");
}

static void add_operators(ox_text *t, const report_facts *f) {
    size_t n;
    const op_row *rows = op_rows(t->arena, f, &n);
    int64_t most = 0;
    for (const op_row *r = rows; r < rows + n; r++) most = r->before > most ? r->before : r->after > most ? r->after : most;
    begin_table(t, "Operators", "operators",
                "Nodes by operator, in bodies and functions too, without Constant"
                "<span class=\"legend\" aria-hidden=\"true\"><span class=\"bar was key\"></span>before<span class=\"bar key\"></span>after</span>",
                (const char *const[]){"Operator", "Before", "After", "Change", NULL});
    for (const op_row *r = rows; r < rows + n; r++) {
        begin_row(t, "count");
        add_code(t, r->op);
        add_counts(t, r->before, r->after);
        ox_text_add(t, "<td class=\"chart\">");
        add_bar(t, "bar was", (double)r->before, (double)most);
        add_bar(t, "bar", (double)r->after, (double)most);
        ox_text_add(t, "</td></tr>\n");
    }
    ox_text_add(t, "</tbody>\n<tfoot>");
    begin_row(t, "count");
    ox_text_add(t, "All");
    add_counts(t, f->before.nodes, f->after.nodes);
    ox_text_add(t, "<td class=\"chart\"></td></tr></tfoot>\n");
    end_table(t);
}

static void add_sizes(ox_text *t, const report_facts *f) {
    begin_table(t, "Size", "size", "What the model consists of", (const char *const[]){"Of these", "Before", "After", "Change", NULL});
    for (size_t i = 0; i < N_FIGURES; i++) {
        begin_row(t, "count");
        ox_text_add(t, figures[i].label);
        add_counts(t, figure(&f->before, i), figure(&f->after, i));
        ox_text_add(t, "<td class=\"chart\"></td></tr>\n");
    }
    ox_text_add(t, "</tbody>\n");
    end_table(t);
}

static void add_passes(ox_text *t, const report_facts *f) {
    double most = 0;
    for (const ox_pass_stat *s = f->passes; s < f->passes + f->n_passes; s++) most = fmax(most, s->seconds);
    begin_table(t, "Passes", "passes", "In the order of their first run", (const char *const[]){"Pass", "Runs", "Changes", "Milliseconds", NULL});
    for (const ox_pass_stat *s = f->passes; s < f->passes + f->n_passes; s++) {
        begin_row(t, s->changes ? "busy" : "idle");
        add_code(t, s->name);
        ox_text_add(t, "</th><td>");
        add_count(t, s->runs);
        ox_text_add(t, "</td><td>");
        add_count(t, s->changes);
        ox_text_add(t, "</td><td>");
        add_real(t, s->seconds * 1e3, true, 3, "");
        ox_text_add(t, "</td><td class=\"chart\">");
        add_bar(t, "bar", s->seconds, most);
        ox_text_add(t, "</td></tr>\n");
    }
    ox_text_add(t, "</tbody>\n");
    end_table(t);
}

static void add_verification(ox_text *t, const report_facts *f) {
    const ox_verify_result *check = &f->check;
    const verdict *v = verdict_of(f);
    ox_text_add(t, "<section>\n<h2>Verification</h2>\n<dl id=\"verification\" class=\"pairs\">\n");
    ox_text_addf(t, "<dt>Verdict</dt><dd class=\"%s\"><data value=\"%s\">%s</data></dd>\n", v->style, v->key, v->page);
    ox_text_add(t, "<dt>Samples</dt><dd>");
    add_count(t, check->samples_run);
    ox_text_add(t, "</dd>\n");
    if (check->samples_run) {
        ox_text_add(t, "<dt>Greatest difference</dt><dd>");
        add_difference(t, check->worst.max_abs);
        ox_text_add(t, "</dd>\n<dt>As a part of the output\u2019s magnitude</dt><dd>");
        add_difference(t, check->worst.max_rel);
        ox_text_add(t, "</dd>\n");
    }
    if (check->why[0]) {
        ox_text_add(t, "<dt>Why</dt><dd>");
        cli_add_markup(t, check->why);
        ox_text_add(t, "</dd>\n");
    }
    ox_text_add(t, "</dl>\n</section>\n");
}

static ox_out *write_html(cli *c, const char *path, const report_facts *f) {
    ox_text t = {.arena = c->ctx->arena};
    add_head(&t, f);
    add_summary(&t, f);
    add_files(&t, f);
    add_operators(&t, f);
    add_sizes(&t, f);
    add_passes(&t, f);
    add_verification(&t, f);
    ox_text_add(&t, "</main>\n<footer><p>onnx-opt " OX_VERSION "</p></footer>\n</body>\n</html>\n");
    return ox_out_text(c->ctx, path, t.data, t.len);
}

/* ---- formats ---- */

static const struct { const char *ending; ox_out *(*write)(cli *c, const char *path, const report_facts *f); } formats[] = {
    {".json", write_json},
    {".html", write_html},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static size_t format_of(const char *path) {
    size_t len = strlen(path), i = 0;
    for (; i < N_FORMATS; i++) {
        size_t n = strlen(formats[i].ending);
        if (len >= n && !strcmp(path + len - n, formats[i].ending)) break;
    }
    return i;
}

int report_check(cli *c, const char *path) {
    if (format_of(path) < N_FORMATS) return 0;
    return ox_fail(c->ctx, OX_USAGE, "--report must end in .json or .html: %s", path);
}

ox_out *report_write(cli *c, const char *path, const report_facts *f) {
    if (report_check(c, path) < 0) return NULL;
    return formats[format_of(path)].write(c, path, f);
}
