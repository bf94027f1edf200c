/* onnx-run bench: how long runs take: the first one, and many after it. */
#include "tools/run.h"

#include "cpu/cpu.h"
#include "op/blas.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

typedef struct figures {
    size_t runs;
    double min, mean, p50, p90, p99, stddev, first, load; /* ms */
    ox_place_stats plan;
    uint64_t rss;
} figures;

/* Times of runs, and how long they may take together. */
typedef struct measured { double *ms; size_t n; double first; } measured;

static int measure(run_args *a, run_session *s, measured *m) {
    int64_t repeat = a->repeat < 0 ? 20 : a->repeat, warmup = a->warmup < 0 ? 2 : a->warmup;
    m->ms = OX_NEW_N(a->c.ctx->arena, double, repeat);
    double begin = run_now(), end = a->seconds > 0 ? begin + a->seconds * 1e3 : HUGE_VAL;
    if (run_session_fit(a, s) < 0) return -1;
    m->first = run_now() - begin;
    run_session_drop(s);
    for (int64_t i = -warmup; i < repeat; i++) {
        double t = run_now();
        if (t > end && i < 0) i = 0;      /* a little of everything even where there is no time */
        if (t > end && i > 0) return 0;
        if (ox_frame_run(s->f, s->in, s->out) < 0) return -1;
        if (i >= 0) m->ms[m->n++] = run_now() - t;
        run_session_drop(s);
    }
    return 0;
}

static int by_number(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summarize(measured *m, figures *f) {
    size_t n = m->n;
    double sum = 0, squares = 0;
    qsort(m->ms, n, sizeof *m->ms, by_number);
    for (size_t i = 0; i < n; i++) sum += m->ms[i];
    f->mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (m->ms[i] - f->mean) * (m->ms[i] - f->mean);
    f->stddev = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    f->runs = n;
    f->min = m->ms[0];
    f->p50 = m->ms[n / 2];
    f->p90 = m->ms[n * 9 / 10];
    f->p99 = m->ms[n * 99 / 100];
    f->first = m->first;
}

/* ---- telling: one list of figures for JSON and CSV ---- */

typedef struct row { const char *key; bool whole; double real; uint64_t n; const char *text; } row;
#define REAL(key_, v)  ((row){.key = key_, .real = v})
#define WHOLE(key_, v) ((row){.key = key_, .whole = true, .n = (uint64_t)(v)})
#define TEXT(key_, v)  ((row){.key = key_, .text = v})

enum { N_ROWS = 20 };

static void list(run_args *a, const figures *f, row *r) {
    ox_ctx *ctx = a->c.ctx;
    double cv = f->mean > 0 ? f->stddev / f->mean : 0, throughput = f->mean > 0 ? 1e3 / f->mean : 0;
    const row rows[N_ROWS] = {
        REAL("min_ms", f->min), REAL("mean_ms", f->mean), REAL("p50_ms", f->p50), REAL("p90_ms", f->p90), REAL("p99_ms", f->p99),
        REAL("first_ms", f->first), REAL("load_ms", f->load), WHOLE("runs", f->runs), REAL("stddev_ms", f->stddev), REAL("variation", cv),
        REAL("runs_per_second", throughput), WHOLE("warmup", a->warmup < 0 ? 2 : a->warmup), WHOLE("threads", ox_thread_count(ctx)), WHOLE("lanes", f->plan.lanes),
        WHOLE("arena_bytes", f->plan.arena), WHOLE("lower_bound_bytes", f->plan.bound), WHOLE("naive_bytes", f->plan.naive),
        WHOLE("peak_rss_bytes", f->rss), TEXT("isa", ox_cpu_isa_name()), TEXT("blas", ox_blas_name(false)),
    };
    memcpy(r, rows, sizeof rows);
}

/* The sizes that the inputs had. */
static json_t *sizes_json(run_args *a, const run_session *s) {
    json_t *inputs = json_object();
    for (size_t i = 0; i < s->m->graph->n_inputs; i++) {
        const ox_tensor *t = s->in[i] && s->in[i]->kind == OX_RT_TENSOR ? s->in[i]->t : NULL;
        if (!t) continue;
        json_t *dims = json_array();
        for (int k = 0; k < t->rank; k++) cli_json_add(&a->c, dims, NULL, json_integer((json_int_t)t->dims[k]));
        cli_json_add(&a->c, inputs, s->m->graph->inputs[i]->name, dims);
    }
    return inputs;
}

static json_t *bench_json(run_args *a, const row *rows, json_t *inputs) {
    json_t *tree = json_pack("{s:s, s:i}", "schema", "onnx-run/bench", "version", 1);
    cli_json_add(&a->c, tree, "inputs", inputs);
    for (const row *r = rows; r < rows + N_ROWS; r++)
        cli_json_add(&a->c, tree, r->key, r->text ? json_string(cli_utf8(&a->c, r->text)) : r->whole ? json_integer((json_int_t)r->n) : json_real(r->real));
    return tree;
}

static void bench_csv(ox_text *t, const row *rows) {
    for (int i = 0; i < N_ROWS; i++) ox_text_addf(t, "%s%s", i ? "," : "", rows[i].key);
    ox_text_add(t, "\n");
    for (int i = 0; i < N_ROWS; i++) {
        if (i) ox_text_add(t, ",");
        if (rows[i].text) run_csv_field(t, rows[i].text);
        else if (rows[i].whole) ox_text_addf(t, "%llu", (unsigned long long)rows[i].n);
        else ox_text_addf(t, "%.6g", rows[i].real);
    }
    ox_text_add(t, "\n");
}

static void bench_print(run_args *a, const figures *f) {
    printf("min %.3f ms, mean %.3f, p50 %.3f, p90 %.3f, p99 %.3f; first run %.3f, load %.3f\n", f->min, f->mean, f->p50, f->p90, f->p99, f->first, f->load);
    printf("standard deviation %.3f ms, variation %.1f %%, %.1f runs per second; %zu runs\n", f->stddev, f->mean > 0 ? 100 * f->stddev / f->mean : 0.0,
           f->mean > 0 ? 1e3 / f->mean : 0.0, f->runs);
    printf("arena %llu bytes, lower bound %llu; peak RSS %.1f MiB\n", (unsigned long long)f->plan.arena, (unsigned long long)f->plan.bound,
           (double)f->rss / (1 << 20));
    if (f->plan.lanes > 1) printf("lanes %d, ", f->plan.lanes);
    printf("threads %d, %s, products by %s\n", ox_thread_count(a->c.ctx), ox_cpu_isa_name(), ox_blas_name(false));
}

int run_bench(run_args *a) {
    run_session s = {0};
    measured m = {0};
    figures f = {0};
    if (run_operands(a, 1, false, "one MODEL") < 0) return -1;
    if (a->sweep) return run_sweep(a);
    s.integers = true;
    int result = run_session_open(a, &s);
    f.load = s.ready - s.started;
    if (result == 0) result = measure(a, &s, &m);
    if (result == 0) result = ox_frame_place(s.f, &f.plan);
    json_t *inputs = result == 0 && a->json ? sizes_json(a, &s) : NULL;
    run_session_close(&s);
    if (result < 0) return -1;
    summarize(&m, &f);
    f.rss = run_peak_rss();
    if (!a->json && !a->csv) {
        bench_print(a, &f);
        return 0;
    }
    row rows[N_ROWS];
    ox_text csv = {.arena = a->c.ctx->arena};
    list(a, &f, rows);
    bench_csv(&csv, rows);
    return run_write_files(a, a->json ? bench_json(a, rows, inputs) : NULL, &csv, NULL);
}
