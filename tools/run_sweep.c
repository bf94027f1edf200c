/* onnx-run bench --sweep-workspace: time and memory over the limit of a step's workspace, and its knee.
 *
 * The candidates of every step are measured once (or looked up in the tuning cache); each limit then is another choice among the same times.
 * So the estimate, the median without a limit plus what the choices differ by, never rises with the limit; the median of runs is measured
 * for each limit and has the noise of measuring. The knee is the least limit whose estimate is within 1 % of the best. */
#include "tools/sweep.h"

#include "cpu/cpu.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum { MOST_LIMITS = 64 };
static const double near_best = 0.01;

static int by_size(const void *a, const void *b) {
    uint64_t x = ((const sweep_row *)a)->limit, y = ((const sweep_row *)b)->limit;
    return (x > y) - (x < y);
}

/* "0,1M,64M" and, behind it, no limit. */
static int read_limits(sweep *w) {
    ox_ctx *ctx = w->a->c.ctx;
    char word[64];
    w->rows = OX_NEW_N(w->arena, sweep_row, MOST_LIMITS + 1);
    for (const char *p = w->a->sweep;; p++) {
        size_t len = strcspn(p, ",");
        snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), p);
        uint64_t limit;
        if (len >= sizeof word || !ox_size_parse(word, &limit))
            return ox_fail(ctx, OX_USAGE, "--sweep-workspace takes sizes such as 0,64K,1M,16M, not '%.200s'", w->a->sweep);
        if (w->n == MOST_LIMITS) return ox_fail(ctx, OX_USAGE, "--sweep-workspace: more than %d sizes", MOST_LIMITS);
        w->rows[w->n++].limit = limit;
        if (!*(p += len)) break;
    }
    w->rows[w->n++].limit = UINT64_MAX;
    qsort(w->rows, w->n, sizeof *w->rows, by_size);
    size_t n = 1;
    for (size_t i = 1; i < w->n; i++)
        if (w->rows[i].limit != w->rows[n - 1].limit) w->rows[n++] = w->rows[i];
    w->n = n;
    return 0;
}

/* ---- measuring ---- */

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure_row(sweep *w, run_session *s, sweep_row *r) {
    const run_args *a = w->a;
    int64_t repeat = a->repeat < 0 ? 20 : a->repeat, warmup = a->warmup < 0 ? 2 : a->warmup, n = 0;
    double *ms = OX_NEW_N(w->arena, double, repeat), end = a->seconds > 0 ? run_now() + a->seconds * 1e3 : HUGE_VAL;
    ox_frame_set_limits(s->f, r->limit, a->memory_budget);
    for (int64_t i = -warmup; i < repeat; i++) {
        double t = run_now();
        if (t > end && n) break;
        if (t > end && i < 0) i = 0;
        if (ox_frame_run(s->f, s->in, s->out) < 0) return -1;
        if (i >= 0) ms[n++] = run_now() - t;
        run_session_drop(s);
    }
    qsort(ms, (size_t)n, sizeof *ms, by_number);
    r->median = ms[n / 2];
    ox_place_stats stats;
    ox_step_choice *list;
    if (ox_frame_place(s->f, &stats) < 0 || ox_frame_choices(s->f, w->arena, &list, &w->n_choices) < 0) return -1;
    r->arena = stats.arena;
    r->choices = list;
    for (size_t i = 0; i < w->n_choices; i++) {
        const ox_step_choice *c = &list[i];
        if (c->list[c->taken].workspace > r->workspace) r->workspace = c->list[c->taken].workspace;
    }
    return 0;
}

/* A limit below what a step needs is a row that says so. */
static int measure_all(sweep *w, run_session *s) {
    ox_ctx *ctx = w->a->c.ctx;
    if (run_session_fit(w->a, s) < 0) return -1;
    run_session_drop(s);
    for (size_t i = w->n; i--;) { /* without a limit first: it fails only if the model does, or the budget */
        sweep_row *r = &w->rows[i];
        if (measure_row(w, s, r) == 0) continue;
        if (ox_error_code(ctx) != OX_NO_MEMORY || i + 1 == w->n || ctx->starved) return -1;
        r->why = ox_strdup(w->arena, ox_error_text(ctx));
        ox_clear_error(ctx);
    }
    return 0;
}

static double chosen_ms(const ox_step_choice *c) { return isnan(c->seconds[c->taken]) ? 0 : 1e3 * c->seconds[c->taken]; }

static void estimate(sweep *w) {
    const sweep_row *free = &w->rows[w->n - 1], *before = NULL;
    double best = HUGE_VAL;
    for (size_t i = 0; i < w->n; i++) {
        sweep_row *r = &w->rows[i];
        if (r->why) continue;
        r->estimate = free->median;
        for (size_t k = 0; k < w->n_choices; k++) {
            r->estimate += chosen_ms(&r->choices[k]) - chosen_ms(&free->choices[k]);
            r->changed += before && before->choices[k].taken != r->choices[k].taken;
        }
        if (r->estimate < best) best = r->estimate;
        before = r;
    }
    for (size_t i = 0; i < w->n && !w->knee; i++)
        if (!w->rows[i].why && w->rows[i].estimate <= best * (1 + near_best)) w->knee = &w->rows[i];
}

/* ---- telling ---- */

const char *sweep_limit_text(const sweep *w, uint64_t limit) {
    static const char *const units[] = {"", "K", "M", "G", "T"};
    int i = 0;
    if (limit == UINT64_MAX) return "none";
    while (i < 4 && limit && limit % 1024 == 0) limit /= 1024, i++;
    return ox_format(w->arena, "%llu%s", (unsigned long long)limit, units[i]);
}

static void print(const sweep *w) {
    printf("%10s %12s %12s %14s %14s %8s\n", "limit", "estimate ms", "median ms", "workspace", "arena", "changed");
    for (const sweep_row *r = w->rows; r < w->rows + w->n; r++) {
        if (r->why) printf("%10s  %s\n", sweep_limit_text(w, r->limit), cli_shown(w->arena, r->why));
        else
            printf("%10s %12.3f %12.3f %14llu %14llu %8zu\n", sweep_limit_text(w, r->limit), r->estimate, r->median, (unsigned long long)r->workspace,
                   (unsigned long long)r->arena, r->changed);
    }
    if (w->n_choices == 0) printf("no step of this model has a choice of algorithms\n");
    else
        printf("knee: --workspace-limit=%s: the least limit within 1 %% of the best; %zu steps have a choice\n", sweep_limit_text(w, w->knee->limit),
               w->n_choices);
}

static void csv(const sweep *w, ox_text *t) {
    ox_text_add(t, "limit_bytes,estimate_ms,median_ms,workspace_bytes,arena_bytes,changed,knee,error\n");
    for (const sweep_row *r = w->rows; r < w->rows + w->n; r++) {
        if (r->limit != UINT64_MAX) ox_text_addf(t, "%llu", (unsigned long long)r->limit);
        if (r->why) ox_text_add(t, ",,,,,,0,");
        else
            ox_text_addf(t, ",%.6g,%.6g,%llu,%llu,%zu,%d,", r->estimate, r->median, (unsigned long long)r->workspace, (unsigned long long)r->arena,
                         r->changed, r == w->knee);
        run_csv_field(t, r->why ? r->why : "");
        ox_text_add(t, "\n");
    }
}

static json_t *candidates_json(cli *c, const ox_step_choice *s) {
    json_t *all = json_array();
    for (int k = 0; k < s->n; k++) {
        json_t *j = json_pack("{s:s, s:I}", "algorithm", s->list[k].name, "workspace_bytes", (json_int_t)s->list[k].workspace);
        if (!isnan(s->seconds[k])) cli_json_add(c, j, "median_ms", json_real(1e3 * s->seconds[k]));
        cli_json_add(c, all, NULL, j);
    }
    return all;
}

static json_t *row_json(const sweep *w, const sweep_row *r) {
    cli *c = &w->a->c;
    json_t *j = json_object();
    cli_json_add(c, j, "limit_bytes", r->limit == UINT64_MAX ? json_null() : json_integer((json_int_t)r->limit));
    if (r->why) {
        cli_json_add(c, j, "error", json_string(cli_utf8(c, r->why)));
        return j;
    }
    cli_json_add(c, j, "estimate_ms", json_real(r->estimate));
    cli_json_add(c, j, "median_ms", json_real(r->median));
    cli_json_add(c, j, "workspace_bytes", json_integer((json_int_t)r->workspace));
    cli_json_add(c, j, "arena_bytes", json_integer((json_int_t)r->arena));
    cli_json_add(c, j, "changed", json_integer((json_int_t)r->changed));
    json_t *taken = json_array();
    for (size_t k = 0; k < w->n_choices; k++) cli_json_add(c, taken, NULL, json_integer(r->choices[k].taken));
    cli_json_add(c, j, "taken", taken);
    return j;
}

static json_t *json(const sweep *w) {
    cli *c = &w->a->c;
    json_t *rows = json_array(), *steps = json_array();
    const ox_step_choice *list = w->rows[w->n - 1].choices;
    for (const sweep_row *r = w->rows; r < w->rows + w->n; r++) cli_json_add(c, rows, NULL, row_json(w, r));
    for (size_t k = 0; k < w->n_choices; k++) {
        json_t *j = json_object();
        cli_json_add(c, j, "node", json_string(cli_utf8(c, run_node_name(list[k].node))));
        cli_json_add(c, j, "op_type", json_string(cli_utf8(c, list[k].node->op_type)));
        cli_json_add(c, j, "candidates", candidates_json(c, &list[k]));
        cli_json_add(c, steps, NULL, j);
    }
    return json_pack("{s:s, s:i, s:i, s:s, s:o, s:o, s:o}", "schema", "onnx-run/sweep", "version", 1, "threads", ox_thread_count(c->ctx), "isa",
                     ox_cpu_isa_name(), "knee_bytes", w->knee->limit == UINT64_MAX ? json_null() : json_integer((json_int_t)w->knee->limit), "rows", rows,
                     "steps", steps);
}

int run_sweep(run_args *a) {
    run_session s = {.integers = true};
    sweep w = {.a = a, .arena = a->c.ctx->arena, .title = a->c.operands[1]};
    if (read_limits(&w) < 0) return -1;
    a->measure = true;
    int result = run_session_open(a, &s);
    if (result == 0) result = measure_all(&w, &s);
    if (result == 0) {
        estimate(&w);
        if (!a->json && !a->csv) print(&w);
        ox_text table = {.arena = w.arena};
        csv(&w, &table);
        ox_out *picture = a->svg ? sweep_picture(&w, a->svg) : NULL;
        result = a->svg && !picture ? -1 : run_write_files(a, a->json ? json(&w) : NULL, &table, picture);
    }
    run_session_close(&s);
    return result;
}
