/* The trace of a profile: events of Chrome's trace format as a JSON array, with the names of fields that ONNX Runtime's profiles have, so that
 * scripts for these read it, and more beside them. Numbers are numbers. Events of a lane, which is a thread of the trace, nest and never overlap. */
#include "tools/profile.h"

#include <jansson.h>
#include <unistd.h>

typedef struct writer {
    const profile *p;
    ox_out *out;
    ox_text t;      /* of one event */
    bool any, failed;
    int pid;
} writer;

static void begin(writer *w, const char *cat, const char *name, const char *ending, const char *ph, int64_t ts, uint32_t lane) {
    ox_text *t = &w->t;
    t->len = 0;
    ox_text_add(t, w->any ? ",\n" : "[\n");
    w->any = true;
    ox_text_addf(t, "{\"cat\":\"%s\",\"pid\":%d,\"tid\":%d,\"ph\":\"%s\",\"ts\":%.3f,\"name\":\"", cat, w->pid, w->pid + (int)lane, ph, (double)ts * 1e-3);
    run_json_text(&w->p->a->c, t, name);
    ox_text_addf(t, "%s\",\"args\":{", ending);
}

static void end(writer *w, int64_t dur) {
    ox_text_add(&w->t, "}");
    if (dur >= 0) ox_text_addf(&w->t, ",\"dur\":%.3f", (double)dur * 1e-3);
    ox_text_add(&w->t, "}");
    if (ox_out_write(w->out, w->t.data, w->t.len) < 0) w->failed = true;
}

static void session(writer *w, const char *name, int64_t from, int64_t to) {
    begin(w, "Session", name, "", "X", from, 0);
    end(w, to - from);
}

static void add_figures(writer *w, const profile_event *e) {
    const profile_work *k = &e->shape->work;
    double seconds = (double)(e->end - e->start) * 1e-9;
    bool compute;
    double least = profile_least_seconds(&w->p->roof, k, &compute), rate = seconds > 0 ? 1e-9 / seconds : 0;
    ox_text_addf(&w->t, ",\"macs\":%.0f,\"flops\":%.0f,\"bytes_read\":%.0f,\"bytes_written\":%.0f,\"gflops\":%.3f,\"gbps\":%.3f", k->macs, k->flops, k->read,
                 k->written, k->flops * rate, (k->read + k->written) * rate);
    ox_text_addf(&w->t, ",\"bound\":\"%s\",\"roof_pct\":%.2f", compute ? "compute" : "memory", seconds > 0 ? 100 * least / seconds : 0);
}

static void node(writer *w, const profile_event *e, size_t run) {
    const profile_shape *s = e->shape;
    begin(w, s->layout ? "Layout" : "Node", s->name, s->layout ? "_layout_time" : "_kernel_time", "X", e->start, e->lane);
    ox_text_add(&w->t, "\"op_name\":\"");
    run_json_text(&w->p->a->c, &w->t, s->layout ? "Layout" : s->node->op_type);
    ox_text_add(&w->t, "\",\"domain\":\"");
    run_json_text(&w->p->a->c, &w->t, s->node->domain);
    ox_text_addf(&w->t, "\",\"provider\":\"CPUExecutionProvider\",\"node_index\":%lld,\"input_type_shape\":%s,\"output_type_shape\":%s", (long long)s->index,
                 s->in_json, s->out_json);
    ox_text_addf(&w->t, ",\"activation_size\":%.0f,\"parameter_size\":%.0f,\"output_size\":%.0f", s->work.activation, s->work.parameter, s->work.output);
    add_figures(w, e);
    ox_text_add(&w->t, ",\"algorithm\":\"");
    run_json_text(&w->p->a->c, &w->t, e->algorithm ? e->algorithm : "");
    ox_text_addf(&w->t, "\",\"workspace\":%llu,\"arena_offset\":", (unsigned long long)e->scratch);
    if (e->arena_offset == UINT64_MAX) ox_text_add(&w->t, "-1");
    else ox_text_addf(&w->t, "%llu", (unsigned long long)e->arena_offset);
    ox_text_addf(&w->t, ",\"depth\":%d,\"run\":%zu,\"self_us\":%.3f", e->depth, run, e->self * 1e3);
    end(w, e->end - e->start);
}

/* Nodes that were computed along with another one: events without time, at its end, so that every node has one. */
static void fused(writer *w, const profile_event *e, size_t run) {
    for (size_t i = 0; i < e->shape->n_with; i++) {
        const ox_node *n = e->shape->with[i];
        begin(w, "Node", run_node_name(n), "_kernel_time", "X", e->end, e->lane);
        ox_text_add(&w->t, "\"op_name\":\"");
        run_json_text(&w->p->a->c, &w->t, n->op_type);
        ox_text_add(&w->t, "\",\"provider\":\"CPUExecutionProvider\",\"fused_into\":\"");
        run_json_text(&w->p->a->c, &w->t, e->shape->name);
        ox_text_addf(&w->t, "\",\"depth\":%d,\"run\":%zu", e->depth, run);
        end(w, 0);
    }
}

static void counter(writer *w, int64_t ts, uint64_t live) {
    begin(w, "Memory", "memory", "", "C", ts, 0);
    ox_text_addf(&w->t, "\"live_bytes\":%llu,\"arena_bytes\":%llu", (unsigned long long)live, (unsigned long long)w->p->plan.stats.arena);
    end(w, -1);
}

static void one_run(writer *w, size_t i) {
    const profile *p = w->p;
    const profile_run *r = &p->runs[i];
    begin(w, "Session", "model_run", "", "X", r->start, 0);
    ox_text_addf(&w->t, "\"run\":%zu", i);
    end(w, r->end - r->start);
    for (const profile_event *e = p->events + r->first; e < p->events + r->first + r->n; e++) {
        if (e->step >= 0 && (size_t)e->step < p->plan.n_steps) counter(w, e->start, p->plan.live[e->step]);
        node(w, e, i);
        fused(w, e, i);
    }
    counter(w, r->end, 0);
}

ox_out *profile_trace(const profile *p, const char *path) {
    writer w = {.p = p, .t = {.arena = p->arena}, .pid = (int)getpid(), .out = ox_out_open(p->a->c.ctx, path)};
    if (!w.out) return NULL;
    session(&w, "model_loading_uri", 0, p->opened);
    session(&w, "session_initialization", p->opened, p->ready);
    session(&w, "first_run", p->once.start, p->once.end);
    for (size_t i = 0; i < p->once.n; i++) node(&w, &p->events[p->once.first + i], 0);
    for (size_t i = 0; i < p->n_runs; i++) one_run(&w, i);
    if (!w.failed && ox_out_write(w.out, "\n]\n", 3) == 0) return w.out;
    ox_out_close(w.out);
    return NULL;
}
