/* The memory plan as a file. A picture (SVG): time, that is positions in the order of execution, to the right, addresses of the arena
 * upwards, a rectangle per buffer that says what it is; the bytes alive at each step as a line, the lower bound as another. Or a table
 * (CSV), a line per buffer. Both depend on the plan alone.
 *
 * The picture is one file without scripts that fetches nothing, and strict XML. However many buffers there are, it stays below some
 * megabytes: beyond MOST_TITLES the smaller ones are drawn, but have no title. */
#include "tools/run.h"

#include <stdlib.h>

enum {
    WIDTH = 1200, HEIGHT = 760,
    LEFT = 90, TOP = 84, WIDE = WIDTH - LEFT - 30, HIGH = HEIGHT - TOP - 96, /* of the field */
    MOST_TITLES = 4000, /* about 400 bytes each */
    MOST_POINTS = 2000, /* of the line of live bytes */
    NAME_MAX_SHOWN = 100
};

int plan_facts_get(ox_frame *f, ox_arena *arena, plan_facts *facts) {
    const ox_node **order;
    size_t n;
    if (ox_frame_place(f, &facts->stats) || ox_frame_buffers(f, arena, &facts->buffers, &n) || ox_frame_order(f, arena, &order, &facts->n_steps)) return -1;
    int64_t *change = OX_NEW_N(arena, int64_t, facts->n_steps + 2), alive = 0;
    facts->live = OX_NEW_N(arena, uint64_t, facts->n_steps + 1);
    for (size_t i = 0; i < n; i++) {
        change[facts->buffers[i].first] += (int64_t)facts->buffers[i].bytes;
        change[facts->buffers[i].last + 1] -= (int64_t)facts->buffers[i].bytes;
    }
    for (size_t k = 0; k < facts->n_steps; k++) facts->live[k] = (uint64_t)(alive += change[k]);
    return 0;
}

int plan_picture_check(cli *c, const char *path) {
    if (run_ends_in(path, ".svg") || run_ends_in(path, ".csv")) return 0;
    return ox_fail(c->ctx, OX_USAGE, "--memory-plan must end in .svg or .csv, or be 'off': %s", path);
}

static const char *kind_of(const ox_place_buffer *b) { return b->scratch ? "scratch" : b->returned ? "output" : "value"; }

/* ---- the table ---- */

static void make_csv(ox_text *t, const plan_facts *p) {
    ox_text_add(t, "name,node,first,last,offset,bytes,kind\n");
    for (const ox_place_buffer *b = p->buffers; b < p->buffers + p->stats.buffers; b++) {
        run_csv_field(t, b->name);
        ox_text_add(t, ",");
        run_csv_field(t, run_node_name(b->node));
        ox_text_addf(t, ",%lld,%lld,%llu,%llu,%s\n", (long long)b->first, (long long)b->last, (unsigned long long)b->offset, (unsigned long long)b->bytes, kind_of(b));
    }
}

/* ---- the picture: its axes ---- */

typedef struct field {
    ox_text *t;
    const plan_facts *p;
    double x_scale, y_scale; /* pixels per position, per byte */
    uint64_t top;            /* bytes at the upper edge */
} field;

static double x_of(const field *f, int64_t position) { return LEFT + (double)position * f->x_scale; }
static double y_of(const field *f, uint64_t address) { return TOP + HIGH - (double)address * f->y_scale; }

/* The unit that BYTES are told in, and the bytes of one. */
static const char *unit_of(uint64_t bytes, uint64_t *one) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    for (*one = 1; i < 4 && bytes >= *one * 1024; i++) *one *= 1024;
    return units[i];
}

static void add_bytes(ox_text *t, uint64_t bytes) {
    uint64_t one;
    const char *unit = unit_of(bytes, &one);
    double shown = (double)bytes / (double)one;
    ox_text_addf(t, "%.*f %s", one > 1 && shown < 100, shown, unit);
}

/* 1, 2 or 5 times a power of ten, for at most `most` steps up to `end`; at least 1. */
static double step_for(double end, int most) {
    double step = 1;
    static const double next[] = {2, 2.5, 2};
    for (int i = 0; end / step > most; i++) step *= next[i % 3];
    return step;
}

static void add_axes(const field *f) {
    ox_text *t = f->t;
    uint64_t one;
    const char *unit = unit_of(f->top, &one);
    double step = step_for((double)f->top / (double)one, 10);
    if (one > 1 && (double)f->top / (double)one < 5) step = 0.5;
    ox_text_add(t, "<g class=\"axis\">\n");
    for (int i = 0; i * step * (double)one <= (double)f->top * 1.0001; i++) {
        double y = y_of(f, (uint64_t)(i * step * (double)one));
        ox_text_addf(t, "<path class=\"grid\" d=\"M%d %.1fh%d\"/><text class=\"y\" x=\"%d\" y=\"%.1f\">%g</text>\n", LEFT, y, WIDE, LEFT - 8, y + 4, i * step);
    }
    step = step_for((double)f->p->n_steps, 12);
    for (int i = 0; i * step <= (double)f->p->n_steps; i++) {
        double x = x_of(f, (int64_t)(i * step));
        ox_text_addf(t, "<path d=\"M%.1f %dv5\"/><text class=\"x\" x=\"%.1f\" y=\"%d\">%.0f</text>\n", x, TOP + HIGH, x, TOP + HIGH + 20, i * step);
    }
    ox_text_addf(t, "<text class=\"x\" x=\"%d\" y=\"%d\">position in the order of execution (order: %s)</text>\n", LEFT + WIDE / 2, TOP + HIGH + 42, f->p->stats.order);
    ox_text_addf(t, "<text class=\"x\" transform=\"translate(24 %d) rotate(-90)\">address in the arena, %s</text>\n</g>\n", TOP + HIGH / 2, unit);
}

/* ---- the picture: buffers and lines ---- */

/* A name that may be long, without its middle. */
static void add_name(ox_text *t, const char *name) {
    char cut[4 * NAME_MAX_SHOWN];
    size_t len = strlen(name), half = NAME_MAX_SHOWN / 2;
    if (len <= NAME_MAX_SHOWN) {
        cli_add_markup(t, name);
        return;
    }
    const char *tail = name + len - half;
    while ((*tail & 0xc0) == 0x80) tail++; /* no piece of a character */
    snprintf(cut, sizeof cut, "%.*s...%s", (int)ox_utf8_prefix(name, half), name, tail);
    cli_add_markup(t, cut);
}

static void add_rect(const field *f, const ox_place_buffer *b) {
    ox_text_addf(f->t, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>", kind_of(b), x_of(f, b->first),
                 y_of(f, b->offset + b->bytes), (double)(b->last + 1 - b->first) * f->x_scale, (double)b->bytes * f->y_scale);
    if (b->scratch) ox_text_add(f->t, "scratch memory");
    else add_name(f->t, b->name[0] ? b->name : "(without a name)");
    ox_text_add(f->t, "\n");
    add_name(f->t, b->node->op_type);
    ox_text_add(f->t, " ");
    add_name(f->t, run_node_name(b->node));
    ox_text_addf(f->t, "\n%llu bytes at %llu\nsteps %lld to %lld%s</title></rect>\n", (unsigned long long)b->bytes, (unsigned long long)b->offset, (long long)b->first,
                 (long long)b->last, b->returned ? ", an output" : "");
}

static int larger_first(const void *x, const void *y) {
    const ox_place_buffer *a = *(const ox_place_buffer *const *)x, *b = *(const ox_place_buffer *const *)y;
    double p = (double)a->bytes * (double)(a->last + 1 - a->first), q = (double)b->bytes * (double)(b->last + 1 - b->first);
    if (p != q) return p < q ? 1 : -1;
    return (a > b) - (a < b);
}

static void add_buffers(const field *f) {
    const plan_facts *p = f->p;
    size_t n = p->stats.buffers;
    const ox_place_buffer **by_size = OX_NEW_N(f->t->arena, const ox_place_buffer *, n + 1);
    for (size_t i = 0; i < n; i++) by_size[i] = &p->buffers[i];
    if (n > MOST_TITLES) {
        qsort(by_size, n, sizeof *by_size, larger_first);
        ox_text_add(f->t, "<path class=\"value\" d=\"");
        for (size_t i = MOST_TITLES; i < n; i++) {
            const ox_place_buffer *b = by_size[i];
            double w = (double)(b->last + 1 - b->first) * f->x_scale, h = (double)b->bytes * f->y_scale;
            ox_text_addf(f->t, "M%.1f %.1fh%.1fv%.1fh%.1fz", x_of(f, b->first), y_of(f, b->offset + b->bytes), w, h, -w);
        }
        ox_text_add(f->t, "\"/>\n");
        n = MOST_TITLES;
    }
    ox_text_add(f->t, "<g id=\"buffers\">\n");
    for (size_t i = 0; i < n; i++) add_rect(f, by_size[i]);
    ox_text_add(f->t, "</g>\n");
}

/* Where there are more steps than points, each point is the most of its steps. */
static void add_live(const field *f) {
    size_t n = f->p->n_steps, points = n < MOST_POINTS ? n : MOST_POINTS;
    ox_text_add(f->t, "<path class=\"live\" d=\"");
    for (size_t i = 0; i < points; i++) {
        size_t from = i * n / points, to = (i + 1) * n / points;
        uint64_t most = 0;
        for (size_t k = from; k < to; k++) most = f->p->live[k] > most ? f->p->live[k] : most;
        double y = y_of(f, most);
        ox_text_addf(f->t, "%c%.1f %.1fH%.1f", i ? 'L' : 'M', x_of(f, (int64_t)from), y, x_of(f, (int64_t)to));
    }
    if (!points) ox_text_addf(f->t, "M%d %d", LEFT, TOP + HIGH);
    ox_text_add(f->t, "\"><title>bytes alive at each step</title></path>\n");
    double y = y_of(f, f->p->stats.bound);
    ox_text_addf(f->t, "<path class=\"bound\" d=\"M%d %.1fh%d\"><title>lower bound: %llu bytes</title></path>\n", LEFT, y, WIDE, (unsigned long long)f->p->stats.bound);
}

/* ---- the picture: what is around ---- */

/* Without variables, which not every viewer of pictures knows. */
static const char style[] =
    "svg{font:13px system-ui,Arial,'DejaVu Sans',sans-serif}text{fill:#1b2430}.paper{fill:#fff}.title{font-size:20px;font-weight:600}.soft,.axis text{fill:#55616f}\n"
    ".axis path{stroke:#55616f;fill:none}.axis .grid{stroke:#d9dfe7}.x{text-anchor:middle}.y{text-anchor:end}\n"
    ".value,.output,.scratch{stroke:#fff;stroke-width:.5}.value{fill:#8fb4ea}.output{fill:#8fd0a5}.scratch{fill:#f0c987}\n"
    ".live,.bound{fill:none;stroke-width:1.5;pointer-events:none}.live{stroke:#1b2430}.bound{stroke:#b0301a;stroke-dasharray:6 4}\n"
    "#buffers rect:hover{stroke:#1b2430;stroke-width:2}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e6ebf1}.paper{fill:#12161c}.soft,.axis text{fill:#a1adba}.axis path{stroke:#a1adba}\n"
    ".axis .grid{stroke:#303945}.value,.output,.scratch{stroke:#12161c}.value{fill:#3d6bb0}.output{fill:#2f7d4c}.scratch{fill:#91682a}\n"
    ".live{stroke:#e6ebf1}.bound{stroke:#ff8a75}#buffers rect:hover{stroke:#e6ebf1}}\n";

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void add_head(ox_text *t, const plan_facts *p) {
    const ox_place_stats *s = &p->stats;
    ox_text_addf(t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>Memory plan of ", WIDTH, HEIGHT);
    add_name(t, base_name(p->title));
    ox_text_add(t, "</title>\n<style>\n");
    ox_text_add(t, style);
    ox_text_addf(t, "</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n<text class=\"title\" x=\"%d\" y=\"34\">", WIDTH, HEIGHT, LEFT);
    add_name(t, base_name(p->title));
    ox_text_addf(t, "</text>\n<text class=\"soft\" x=\"%d\" y=\"58\">arena ", LEFT);
    add_bytes(t, s->arena);
    ox_text_add(t, ", lower bound ");
    add_bytes(t, s->bound);
    ox_text_add(t, ", every buffer for itself ");
    add_bytes(t, s->naive);
    ox_text_addf(t, "; %zu buffers, %zu steps; packing: %s%s</text>\n", s->buffers, p->n_steps, s->method, s->proved ? ", proved least for this order" : "");
}

static void add_legend(ox_text *t) {
    static const struct { const char *class, *text; int wide; } marks[] = {{"value", "values", 80}, {"output", "outputs", 86}, {"scratch", "scratch memory", 142}};
    int x = LEFT, y = HEIGHT - 20;
    ox_text_add(t, "<g>\n");
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        ox_text_addf(t, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"14\" height=\"12\"/><text x=\"%d\" y=\"%d\">%s</text>\n", marks[i].class, x, y - 11, x + 20, y, marks[i].text);
        x += marks[i].wide;
    }
    ox_text_addf(t, "<path class=\"live\" d=\"M%d %dh24\"/><text x=\"%d\" y=\"%d\">bytes alive</text>\n", x, y - 5, x + 30, y);
    ox_text_addf(t, "<path class=\"bound\" d=\"M%d %dh24\"/><text x=\"%d\" y=\"%d\">lower bound</text>\n</g>\n", x + 120, y - 5, x + 150, y);
}

static void make_svg(ox_text *t, const plan_facts *p) {
    field f = {.t = t, .p = p, .top = p->stats.arena ? p->stats.arena : 1};
    f.x_scale = WIDE / (double)(p->n_steps ? p->n_steps : 1);
    f.y_scale = HIGH / (double)f.top;
    add_head(t, p);
    add_axes(&f);
    add_buffers(&f);
    add_live(&f);
    add_legend(t);
    ox_text_add(t, "</svg>\n");
}

ox_out *plan_picture(cli *c, const char *path, const plan_facts *facts) {
    ox_text t = {.arena = c->ctx->arena};
    if (run_ends_in(path, ".csv")) make_csv(&t, facts);
    else make_svg(&t, facts);
    return ox_out_text(c->ctx, path, t.data, t.len);
}
