/* The sweep of the workspace limit as a picture (SVG): limits to the right, above them time (a line through the estimates, a ring per measured
 * median, the knee marked), below the arena as bars. One file without scripts that fetches nothing, and strict XML. */
#include "tools/sweep.h"

enum { WIDTH = 900, HEIGHT = 560, LEFT = 90, RIGHT = 30, TOP = 90, CURVE = 260, BARS = 400, BARS_HIGH = 90, GRID = 5 };

static const char style[] =
    "svg{font:13px system-ui,Arial,'DejaVu Sans',sans-serif}text{fill:#1b2430}.paper{fill:#fff}.title{font-size:20px;font-weight:600}.soft{fill:#55616f}\n"
    ".grid{stroke:#d9dfe7;fill:none}.x{text-anchor:middle}.y{text-anchor:end}.line{fill:none;stroke:#2f62b5;stroke-width:2}.dot{fill:#2f62b5}\n"
    ".ring{fill:none;stroke:#1b2430}.knee{fill:none;stroke:#b0301a;stroke-width:2}.bar{fill:#8fb4ea}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e6ebf1}.paper{fill:#12161c}.soft{fill:#a1adba}.grid{stroke:#303945}.line{stroke:#7fa9ec}\n"
    ".dot{fill:#7fa9ec}.ring{stroke:#e6ebf1}.knee{stroke:#ff8a75}.bar{fill:#3d6bb0}}\n";

typedef struct scale {
    const sweep *w;
    ox_text *t;
    double low, high;   /* ms at the lower and upper edge of the curve's field */
    uint64_t most;      /* bytes of the largest arena */
} scale;

static double x_of(const scale *s, size_t i) { return LEFT + ((double)i + 0.5) * (WIDTH - LEFT - RIGHT) / (double)s->w->n; }
static double y_of(const scale *s, double ms) { return TOP + CURVE - CURVE * (ms - s->low) / (s->high - s->low); }

/* Room around what is shown; never an empty range. */
static void find_scale(scale *s) {
    s->low = 1e300;
    for (const sweep_row *r = s->w->rows; r < s->w->rows + s->w->n; r++) {
        if (r->why) continue;
        if (r->estimate < s->low) s->low = r->estimate;
        if (r->median < s->low) s->low = r->median;
        if (r->estimate > s->high) s->high = r->estimate;
        if (r->median > s->high) s->high = r->median;
        if (r->arena > s->most) s->most = r->arena;
    }
    double room = 0.15 * (s->high - s->low) + 0.02 * s->high + 1e-6;
    s->low = s->low > room ? s->low - room : 0;
    s->high += room;
    if (!s->most) s->most = 1;
}

static void add_axes(const scale *s) {
    const sweep *w = s->w;
    for (int i = 0; i <= GRID; i++) {
        double ms = s->low + (s->high - s->low) * i / GRID, y = y_of(s, ms);
        ox_text_addf(s->t, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"y\" x=\"%d\" y=\"%.1f\">%.3g</text>\n", LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, ms);
    }
    for (size_t i = 0; i < w->n; i++)
        ox_text_addf(s->t, "<text class=\"x\" x=\"%.1f\" y=\"%d\">%s</text>\n", x_of(s, i), BARS + BARS_HIGH + 20, sweep_limit_text(w, w->rows[i].limit));
    ox_text_addf(s->t, "<text class=\"x\" x=\"%d\" y=\"%d\">limit of a step's workspace, bytes</text>\n", (LEFT + WIDTH - RIGHT) / 2, BARS + BARS_HIGH + 44);
    ox_text_addf(s->t, "<text class=\"soft\" x=\"%d\" y=\"%d\">ms</text><text class=\"soft\" x=\"%d\" y=\"%d\">arena, at most %llu bytes</text>\n", LEFT, TOP - 8, LEFT,
                 BARS - 8, (unsigned long long)s->most);
}

static void add_curve(const scale *s) {
    const sweep *w = s->w;
    bool first = true;
    ox_text_add(s->t, "<path class=\"line\" d=\"");
    for (size_t i = 0; i < w->n; i++) {
        if (w->rows[i].why) continue;
        ox_text_addf(s->t, "%c%.1f %.1f", first ? 'M' : 'L', x_of(s, i), y_of(s, w->rows[i].estimate));
        first = false;
    }
    ox_text_add(s->t, "\"/>\n");
    for (size_t i = 0; i < w->n; i++) {
        const sweep_row *r = &w->rows[i];
        double x = x_of(s, i), high = BARS_HIGH * (double)r->arena / (double)s->most;
        ox_text_addf(s->t, "<g><title>limit %s\n", sweep_limit_text(w, r->limit));
        if (r->why) cli_add_markup(s->t, r->why);
        else
            ox_text_addf(s->t, "estimate %.3f ms, median of runs %.3f ms\nworkspace %llu bytes, arena %llu bytes", r->estimate, r->median,
                         (unsigned long long)r->workspace, (unsigned long long)r->arena);
        ox_text_add(s->t, "</title>");
        if (r->why) ox_text_addf(s->t, "<text class=\"x soft\" x=\"%.1f\" y=\"%d\">cannot be</text></g>\n", x, TOP + CURVE / 2);
        else
            ox_text_addf(s->t, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/><circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>"
                               "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"24\" height=\"%.1f\"/></g>\n",
                         x, y_of(s, r->estimate), x, y_of(s, r->median), x - 12, BARS + BARS_HIGH - high, high);
        if (r == w->knee) ox_text_addf(s->t, "<circle class=\"knee\" cx=\"%.1f\" cy=\"%.1f\" r=\"10\"/>\n", x, y_of(s, r->estimate));
    }
}

ox_out *sweep_picture(const sweep *w, const char *path) {
    const char *slash = strrchr(w->title, '/');
    ox_text t = {.arena = w->arena};
    scale s = {.w = w, .t = &t};
    find_scale(&s);
    ox_text_addf(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>Time over workspace of ",
                 WIDTH, HEIGHT);
    cli_add_markup(&t, slash && slash[1] ? slash + 1 : w->title);
    ox_text_addf(&t, "</title>\n<style>\n%s</style>\n<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n<text class=\"title\" x=\"%d\" y=\"34\">", style, WIDTH, HEIGHT, LEFT);
    cli_add_markup(&t, slash && slash[1] ? slash + 1 : w->title);
    ox_text_addf(&t, "</text>\n<text class=\"soft\" x=\"%d\" y=\"58\">line: estimate; rings: median of runs; red: the least limit within 1 %% of the best (%s)</text>\n", LEFT,
                 sweep_limit_text(w, w->knee->limit));
    add_axes(&s);
    add_curve(&s);
    ox_text_add(&t, "</svg>\n");
    return ox_out_text(w->a->c.ctx, path, t.data, t.len);
}
