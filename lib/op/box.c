/* Boxes: choosing among those that overlap. */
#include "op/kernel.h"

#include <math.h>

static int infer_nms(ox_call *c) {
    int rb = ox_in_rank(c, 0), rs = ox_in_rank(c, 1);
    if ((rb >= 0 && rb != 3) || (rs >= 0 && rs != 3))
        return ox_fail(c->ctx, OX_BAD_DATA, "boxes and scores of rank %d and %d, not 3", rb, rs);
    ox_dim d[2] = {ox_dim_fresh(c->ctx), ox_dim_const(c->ctx, 3)};
    ox_out_tensor(c, 0, OX_INT64, 2, d);
    return 0;
}

typedef struct candidate { float score; int64_t box; } candidate;

/* A comes after b: a smaller score, or the same and a later box. */
static bool after(candidate a, candidate b) { return a.score != b.score ? a.score < b.score : a.box > b.box; }

/* The best of a heap of n is on top. */
static void sink(candidate *heap, int64_t n, int64_t i) {
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && after(heap[child], heap[child + 1])) child++;
        if (!after(heap[i], heap[child])) return;
        candidate t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

/* Corners with the smaller first; a box may name any two diagonal corners, or its center and size. */
static void corners(const float *b, bool center, float *c) {
    if (center) {
        c[0] = b[0] - b[2] / 2;
        c[1] = b[1] - b[3] / 2;
        c[2] = b[0] + b[2] / 2;
        c[3] = b[1] + b[3] / 2;
        return;
    }
    for (int i = 0; i < 2; i++) {
        c[i] = fminf(b[i], b[i + 2]);
        c[i + 2] = fmaxf(b[i], b[i + 2]);
    }
}

/* Chosen boxes, side by side, in groups whose last boxes may be empty ones. */
enum { GROUP = 16 };
typedef struct chosen_boxes { float at[4][GROUP], area[GROUP]; } chosen_boxes;

/* How many of a group a box overlaps by more than the limit. */
OX_INLINE int32_t overlaps_in(const chosen_boxes *g, const float *b, float limit) {
    int32_t hits = 0;
    float area_b = (b[2] - b[0]) * (b[3] - b[1]);
    for (int k = 0; k < GROUP; k++) {
        float top = g->at[0][k] > b[0] ? g->at[0][k] : b[0], left = g->at[1][k] > b[1] ? g->at[1][k] : b[1];
        float bottom = g->at[2][k] < b[2] ? g->at[2][k] : b[2], right = g->at[3][k] < b[3] ? g->at[3][k] : b[3];
        float w = bottom - top, h = right - left, both = w * h;
        hits += (w > 0) & (h > 0) & (g->area[k] > 0) & (area_b > 0) & (both / (g->area[k] + area_b - both) > limit);
    }
    return hits;
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) static int32_t overlaps_wide(const chosen_boxes *g, const float *b, float limit) { return overlaps_in(g, b, limit); }
static int32_t overlaps(const chosen_boxes *g, const float *b, float limit) {
    return __builtin_cpu_supports("avx2") ? overlaps_wide(g, b, limit) : overlaps_in(g, b, limit);
}
#else
static int32_t overlaps(const chosen_boxes *g, const float *b, float limit) { return overlaps_in(g, b, limit); }
#endif

typedef struct nms {
    const float *boxes, *scores; /* of one batch entry and class */
    int64_t n, max;
    float iou, score;
    bool limited;                /* score counts */
    candidate *heap;
    int64_t *found;              /* chosen boxes */
    chosen_boxes *kept;          /* the same */
    bool center;
} nms;

static void keep(nms *s, int64_t chosen, const float *c, int64_t box) {
    chosen_boxes *g = s->kept + chosen / GROUP;
    if (chosen % GROUP == 0) memset(g, 0, sizeof *g);
    for (int k = 0; k < 4; k++) g->at[k][chosen % GROUP] = c[k];
    g->area[chosen % GROUP] = (c[2] - c[0]) * (c[3] - c[1]);
    s->found[chosen] = box;
}

/* Fills s->found with the chosen boxes; returns their number. */
static int64_t choose(nms *s) {
    int64_t n = 0, chosen = 0;
    for (int64_t i = 0; i < s->n; i++)
        if (s->limited ? s->scores[i] > s->score : !isnan(s->scores[i])) s->heap[n++] = (candidate){s->scores[i], i};
    for (int64_t i = n / 2 - 1; i >= 0; i--) sink(s->heap, n, i);
    while (n > 0 && chosen < s->max) {
        float c[4];
        bool good = true;
        int64_t box = s->heap[0].box;
        s->heap[0] = s->heap[--n];
        sink(s->heap, n, 0);
        corners(s->boxes + 4 * box, s->center, c);
        for (int64_t k = 0; k < chosen && good; k += GROUP) good = !overlaps(s->kept + k / GROUP, c, s->iou);
        if (good) keep(s, chosen++, c, box);
    }
    return chosen;
}

static int read_number(ox_run *r, int i, float *out) {
    const ox_tensor *t = ox_input(r, i);
    const float *v = t && t->count == 1 ? ox_as_floats(r, t) : NULL;
    if (t && !v) return t->count == 1 ? -1 : ox_fail(r->ctx, OX_BAD_DATA, "input %d is not one number", i);
    if (v) *out = *v;
    return 0;
}

/* The number of boxes to choose per class: input 2. */
static int read_max(ox_run *r, int64_t boxes, int64_t *max) {
    int64_t n;
    *max = 0;
    if (!ox_input(r, 2)) return 0;
    const int64_t *v = ox_run_ints(r, 2, &n);
    if (!v) return -1;
    if (n != 1) return ox_fail(r->ctx, OX_BAD_DATA, "max_output_boxes_per_class is not one number");
    *max = v[0] < 0 ? 0 : v[0] > boxes ? boxes : v[0];
    return 0;
}

static int run_nms(ox_run *r) {
    const ox_tensor *boxes = ox_input(r, 0), *scores = ox_input(r, 1);
    bool fits = boxes && scores && boxes->rank == 3 && scores->rank == 3 && boxes->dtype == OX_FLOAT &&
                scores->dtype == OX_FLOAT;
    fits = fits && boxes->dims[0] == scores->dims[0] && boxes->dims[1] == scores->dims[2] && boxes->dims[2] == 4;
    if (!fits)
        return ox_fail(r->ctx, OX_BAD_DATA, "boxes [batch, n, 4] and scores [batch, classes, n] do not fit each other");
    nms s = {
        .n = boxes->dims[1], .limited = ox_input(r, 4) != NULL, .center = ox_get_int(r->call, "center_point_box") != 0};
    const float *b = ox_tensor_data(boxes), *v = ox_tensor_data(scores);
    if (!b || !v || read_max(r, s.n, &s.max) || read_number(r, 3, &s.iou) || read_number(r, 4, &s.score)) return -1;
    if (!(s.iou >= 0 && s.iou <= 1)) return ox_fail(r->ctx, OX_BAD_DATA, "iou_threshold is %g", (double)s.iou);
    s.heap = ox_scratch(r, ((uint64_t)s.n + 1) * sizeof *s.heap);
    s.found = ox_scratch(r, ((uint64_t)s.n + 1) * sizeof *s.found);
    s.kept = ox_scratch(r, ((uint64_t)s.n / GROUP + 1) * sizeof *s.kept);
    if (!s.heap || !s.found || !s.kept) return -1;
    int64_t classes = scores->dims[1], *found = NULL, n = 0;
    size_t cap = 0;
    for (int64_t k = 0; k < boxes->dims[0] * classes; k++) {
        s.boxes = b + k / classes * s.n * 4;
        s.scores = v + k * s.n;
        int64_t chosen = choose(&s);
        for (int64_t i = 0; i < chosen; i++) {
            OX_PUSH(r->arena, found, n, cap, k);
            OX_PUSH(r->arena, found, n, cap, s.found[i]);
        }
    }
    ox_tensor *y = ox_output(r, 0, OX_INT64, 2, (int64_t[]){n / 2, 3});
    if (!y) return -1;
    int64_t *out = ox_tensor_mut(y);
    for (int64_t i = 0; i < n / 2; i++, out += 3) {
        out[0] = found[2 * i] / classes;
        out[1] = found[2 * i] % classes;
        out[2] = found[2 * i + 1];
    }
    return 0;
}

OX_FAMILY(box, "",
    OP("NonMaxSuppression", 11,
       "<center_point_box: int = 0>(float boxes, float scores, int64? max_output_boxes_per_class, "
       "float? iou_threshold, float? score_threshold) => (int64 selected_indices)",
       .infer = infer_nms, .kernel = run_nms),
    OP("NonMaxSuppression", 10,
       "<center_point_box: int = 0>(float boxes, float scores, int64? max_output_boxes_per_class, "
       "float? iou_threshold, float? score_threshold) => (int64 selected_indices)"));
