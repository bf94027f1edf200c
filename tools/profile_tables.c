/* Tables of a profile: calls put together by operator, by node or by operator and shapes; for the terminal, as JSON, as CSV. Times are those
 * of a call without the calls inside of it, per run, so that they add up; what is no time of a node stands in brackets. */
#include "tools/profile.h"

#include "cpu/cpu.h"
#include "op/blas.h"

#include <jansson.h>
#include <stdlib.h>

typedef struct row {
    const char *op, *name, *shapes; /* name, shapes: NULL where calls of several are put together */
    double calls, ms, least;        /* per run; least: by the roof, in ms */
    profile_work work;
} row;
typedef enum by { BY_OP, BY_NODE, BY_SHAPE, N_BY } by;
static const char *const by_names[] = {"op", "node", "shape"};

typedef struct table { row *rows; size_t n; double ms; } table; /* most time first */

/* ---- putting together ---- */

static const void *key_of(const profile *p, const profile_event *e, by by) {
    ox_ctx *ctx = p->a->c.ctx;
    if (by == BY_NODE) return e->shape->layout ? (const void *)e->shape : e->shape->node;
    if (by == BY_OP) return ox_intern(ctx, e->shape->op);
    return ox_intern(ctx, ox_format(p->arena, "%s %s", e->shape->op, e->shape->shapes));
}

static void add_call(const profile *p, row *r, const profile_event *e) {
    const profile_work *w = &e->shape->work;
    double runs = (double)p->n_runs;
    bool compute;
    r->calls += 1 / runs;
    r->ms += e->self / runs;
    r->least += 1e3 * profile_least_seconds(&p->roof, w, &compute) / runs;
    r->work.macs += w->macs / runs;
    r->work.flops += w->flops / runs;
    r->work.read += w->read / runs;
    r->work.written += w->written / runs;
}

static int more_time(const void *x, const void *y) {
    const row *a = x, *b = y;
    if (a->ms != b->ms) return a->ms < b->ms ? 1 : -1;
    int order = strcmp(a->op, b->op);
    return order ? order : strcmp(a->name ? a->name : "", b->name ? b->name : "");
}

static table make_table(const profile *p, by by) {
    table t = {0};
    size_t cap = 0;
    ox_map at;
    ox_map_init(&at, p->arena);
    for (const profile_run *r = p->runs; r < p->runs + p->n_runs; r++)
        for (const profile_event *e = p->events + r->first; e < p->events + r->first + r->n; e++) {
            const void *key = key_of(p, e, by);
            size_t i = (size_t)(uintptr_t)ox_map_get(&at, key);
            if (!i) {
                row fresh = {.op = e->shape->op, .name = by == BY_NODE ? e->shape->name : NULL, .shapes = by == BY_OP ? NULL : e->shape->shapes};
                OX_PUSH(p->arena, t.rows, t.n, cap, fresh);
                ox_map_put(&at, key, (void *)(uintptr_t)(i = t.n));
            }
            add_call(p, &t.rows[i - 1], e);
        }
    for (size_t i = 0; i < t.n; i++) t.ms += t.rows[i].ms;
    if (t.n) qsort(t.rows, t.n, sizeof *t.rows, more_time);
    return t;
}

/* Means over the runs, in ms. */
typedef struct totals { double run, between, hook; } totals;

static totals totals_of(const profile *p) {
    totals t = {0};
    for (const profile_run *r = p->runs; r < p->runs + p->n_runs; r++) {
        t.run += (double)(r->end - r->start) * 1e-6;
        t.between += r->between;
        t.hook += r->hook;
    }
    double n = p->n_runs ? (double)p->n_runs : 1;
    return (totals){t.run / n, t.between / n, t.hook / n};
}

static double per_second(double amount, double ms) { return ms > 0 ? amount / ms * 1e-6 : 0; } /* in billions */
static double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }
static const char *bound_of(const profile *p, const row *r) {
    bool compute;
    profile_least_seconds(&p->roof, &r->work, &compute);
    return compute ? "compute" : "memory";
}

/* ---- the terminal ---- */

enum { NAME_WIDE = 44, MOST_ROWS = 20 };

/* LABEL as a terminal shows it, no wider than its column. */
static void print_label(const profile *p, const char *label) {
    const char *shown = cli_shown(p->arena, label);
    size_t len = strlen(shown);
    if (len <= NAME_WIDE) {
        printf("%-*s", NAME_WIDE, shown);
        return;
    }
    int head = (int)ox_utf8_prefix(shown, NAME_WIDE / 2);
    const char *tail = shown + len - (NAME_WIDE / 2 - 2);
    while ((*tail & 0xc0) == 0x80) tail++; /* no piece of a character */
    printf("%.*s..%s", head, shown, tail);
}

static void print_row(const profile *p, const row *r, const char *label, double whole) {
    print_label(p, label);
    printf(" %6.4g %9.4f %6.1f", r->calls, r->ms, percent(r->ms, whole));
    if (r->work.flops + r->work.read + r->work.written > 0)
        printf(" %9.2f %8.2f %8.1f  %s", per_second(r->work.flops, r->ms), per_second(r->work.read + r->work.written, r->ms), percent(r->least, r->ms), bound_of(p, r));
    printf("\n");
}

static void print_rest(const profile *p, const char *label, double ms, double whole) {
    print_label(p, label);
    printf(" %6s %9.4f %6.1f\n", "", ms, percent(ms, whole));
}

static void print_table(const profile *p, by by, const totals *sum) {
    static const char *const titles[] = {"by operator", "by node", "by shape"};
    table t = make_table(p, by);
    row all = {.op = ""}, hidden = {.op = ""};
    printf("%-*s %6s %9s %6s %9s %8s %8s  %s\n", NAME_WIDE, titles[by], "calls", "ms", "%", "GFLOP/s", "GB/s", "% roof", "bound");
    for (size_t i = 0; i < t.n; i++) {
        row *r = &t.rows[i], *into[] = {&all, i >= MOST_ROWS && by != BY_OP ? &hidden : NULL};
        for (int k = 0; k < 2 && into[k]; k++) {
            into[k]->calls += r->calls;
            into[k]->ms += r->ms;
            into[k]->least += r->least;
            into[k]->work.flops += r->work.flops;
            into[k]->work.read += r->work.read;
            into[k]->work.written += r->work.written;
        }
        if (into[1]) continue;
        const char *label = by == BY_OP ? r->op : by == BY_NODE ? ox_format(p->arena, "%s %s", r->op, r->name) : ox_format(p->arena, "%s %s", r->op, r->shapes);
        print_row(p, r, label, sum->run);
    }
    if (hidden.calls > 0) print_row(p, &hidden, ox_format(p->arena, "[%zu more]", t.n - MOST_ROWS), sum->run);
    print_rest(p, "[between nodes]", sum->between, sum->run);
    print_rest(p, "[taking notes]", sum->hook, sum->run);
    all.ms = sum->run;
    print_row(p, &all, "run", sum->run);
    printf("\n");
}

void profile_print(const profile *p) {
    totals sum = totals_of(p);
    double once = 0;
    for (size_t i = 0; i < p->once.n; i++) once += p->events[p->once.first + i].self;
    for (int i = 0; i < N_BY; i++)
        if (!p->a->by || !strcmp(p->a->by, by_names[i])) print_table(p, (by)i, &sum);
    if (p->once.n) printf("%zu nodes of constants alone ran once, in the first run: %.4f ms\n", p->once.n, once);
    printf("roof %.1f GFLOP/s, %.1f GB/s, ridge %.1f FLOP per byte; threads %d, %s, products by %s\n", p->roof.gflops, p->roof.gbps, p->roof.gflops / p->roof.gbps,
           ox_thread_count(p->a->c.ctx), ox_cpu_isa_name(), ox_blas_name(false));
    printf("runs %zu; load %.3f ms, first run %.3f ms; arena %llu bytes\n", p->n_runs, (double)p->ready * 1e-6, (double)(p->once.end - p->once.start) * 1e-6,
           (unsigned long long)p->plan.stats.arena);
}

/* ---- JSON and CSV ---- */

static json_t *row_json(const profile *p, const row *r, double whole) {
    cli *c = &p->a->c;
    json_t *j = json_pack("{s:s}", "op", cli_utf8(c, r->op));
    if (r->name) cli_json_add(c, j, "name", json_string(cli_utf8(c, r->name)));
    if (r->shapes) cli_json_add(c, j, "inputs", json_string(cli_utf8(c, r->shapes)));
    const struct { const char *key; double v; } figures[] = {
        {"calls", r->calls}, {"ms", r->ms}, {"percent", percent(r->ms, whole)}, {"macs", r->work.macs}, {"flops", r->work.flops},
        {"bytes_read", r->work.read}, {"bytes_written", r->work.written}, {"gflops", per_second(r->work.flops, r->ms)},
        {"gbps", per_second(r->work.read + r->work.written, r->ms)}, {"roof_pct", percent(r->least, r->ms)},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) cli_json_add(c, j, figures[i].key, json_real(figures[i].v));
    cli_json_add(c, j, "bound", json_string(bound_of(p, r)));
    return j;
}

json_t *profile_json(const profile *p) {
    cli *c = &p->a->c;
    totals sum = totals_of(p);
    json_t *tree = json_pack("{s:s, s:i, s:I, s:i, s:s, s:s}", "schema", "onnx-run/profile", "version", 1, "runs", (json_int_t)p->n_runs, "threads",
                             ox_thread_count(c->ctx), "isa", ox_cpu_isa_name(), "blas", cli_utf8(c, ox_blas_name(false)));
    cli_json_add(c, tree, "roof", json_pack("{s:f, s:f}", "gflops", p->roof.gflops, "gbps", p->roof.gbps));
    cli_json_add(c, tree, "run_ms", json_real(sum.run));
    cli_json_add(c, tree, "between_ms", json_real(sum.between));
    cli_json_add(c, tree, "notes_ms", json_real(sum.hook));
    cli_json_add(c, tree, "load_ms", json_real((double)p->ready * 1e-6));
    cli_json_add(c, tree, "first_ms", json_real((double)(p->once.end - p->once.start) * 1e-6));
    cli_json_add(c, tree, "arena_bytes", json_integer((json_int_t)p->plan.stats.arena));
    for (int i = 0; i < N_BY; i++) {
        if (p->a->by && strcmp(p->a->by, by_names[i])) continue;
        table t = make_table(p, (by)i);
        json_t *rows = json_array();
        for (size_t k = 0; k < t.n; k++) cli_json_add(c, rows, NULL, row_json(p, &t.rows[k], sum.run));
        cli_json_add(c, tree, ox_format(p->arena, "by_%s", by_names[i]), rows);
    }
    return tree;
}

void profile_csv(const profile *p, ox_text *t) {
    by by = BY_NODE;
    for (int i = 0; i < N_BY; i++)
        if (p->a->by && !strcmp(p->a->by, by_names[i])) by = i;
    totals sum = totals_of(p);
    table rows = make_table(p, by);
    ox_text_add(t, "op,name,inputs,calls,ms,percent,macs,flops,bytes_read,bytes_written,gflops,gbps,roof_pct,bound\n");
    for (const row *r = rows.rows; r < rows.rows + rows.n; r++) {
        const char *const texts[] = {r->op, r->name, r->shapes};
        for (int i = 0; i < 3; i++) {
            run_csv_field(t, texts[i] ? texts[i] : "");
            ox_text_add(t, ",");
        }
        ox_text_addf(t, "%.9g,%.9g,%.4g,%.0f,%.0f,%.0f,%.0f,%.6g,%.6g,%.6g,%s\n", r->calls, r->ms, percent(r->ms, sum.run), r->work.macs, r->work.flops,
                     r->work.read, r->work.written, per_second(r->work.flops, r->ms), per_second(r->work.read + r->work.written, r->ms),
                     percent(r->least, r->ms), bound_of(p, r));
    }
}
