/* Unified difference of two texts, in time about linear in their length.
 *
 * Lines that occur once in each text are anchors where they keep their order (the longest increasing sequence of
 * them): names make most lines of a model unique. Between two anchors equal lines at both ends are cut off and
 * Myers' greedy algorithm finds the shortest script, as long as that has at most MAX_COST steps; a longer one is
 * written as one block removed and one added. */
#include "onnx/onnx.h"

#include <string.h>

enum { MAX_COST = 300 };

typedef struct line {
    const char *text;
    size_t len;
    uint32_t count[2]; /* in either text, up to 2 */
    size_t at[2];      /* where it was seen last */
} line;

typedef struct side {
    line **lines; /* equal lines are one line */
    size_t n, capacity;
    bool *changed;
} side;

typedef struct differ {
    ox_arena *arena;
    side s[2];
    int *trace; /* furthest points of Myers' algorithm, MAX_COST + 1 rows of 2 * MAX_COST + 1 */
} differ;

/* ---- lines ---- */

static bool same_line(const void *a, const void *b, void *user) {
    const line *x = a, *y = b;
    (void)user;
    return x->len == y->len && !memcmp(x->text, y->text, x->len);
}

static void split(differ *d, int which, const char *text, ox_set *known) {
    side *s = &d->s[which];
    while (*text) {
        size_t len = strcspn(text, "\n");
        line *fresh = OX_NEW(d->arena, line), *l;
        fresh->text = text;
        fresh->len = len;
        l = ox_set_add(known, ox_hash(text, len, 0), fresh, same_line, NULL);
        if (l->count[which] < 2) l->count[which]++;
        l->at[which] = s->n;
        OX_PUSH(d->arena, s->lines, s->n, s->capacity, l);
        text += len + (text[len] == '\n');
    }
    s->changed = OX_NEW_N(d->arena, bool, s->n);
}

/* ---- between two anchors ---- */

static void mark(differ *d, size_t a0, size_t a1, size_t b0, size_t b1) {
    memset(d->s[0].changed + a0, true, a1 - a0);
    memset(d->s[1].changed + b0, true, b1 - b0);
}

static int *row(differ *d, int cost) { return d->trace + (size_t)cost * (2 * MAX_COST + 1) + MAX_COST; }

/* Follows the trace back from the end and marks what changed. */
static void backtrack(differ *d, size_t a0, size_t b0, int n, int m, int cost) {
    int x = n, y = m;
    for (int c = cost; c > 0; c--) {
        const int *v = row(d, c - 1);
        int k = x - y, before;
        bool down = k == -c || (k != c && v[k - 1] < v[k + 1]); /* a line of b added */
        before = down ? k + 1 : k - 1;
        x = v[before];
        y = x - before;
        if (down)
            d->s[1].changed[b0 + (size_t)y] = true;
        else
            d->s[0].changed[a0 + (size_t)x] = true;
    }
}

/* Whether a script of at most MAX_COST steps was found. */
static bool myers(differ *d, size_t a0, size_t a1, size_t b0, size_t b1) {
    line *const *a = d->s[0].lines + a0, *const *b = d->s[1].lines + b0;
    if (a1 - a0 > INT32_MAX / 2 || b1 - b0 > INT32_MAX / 2) return false;
    int n = (int)(a1 - a0), m = (int)(b1 - b0), gap = n > m ? n - m : m - n;
    if (gap > MAX_COST) return false;
    if (!d->trace) d->trace = OX_NEW_N(d->arena, int, (MAX_COST + 1) * (2 * MAX_COST + 1));
    for (int c = 0; c <= MAX_COST; c++) {
        int *v = row(d, c);
        const int *u = c ? row(d, c - 1) : NULL;
        for (int k = -c; k <= c; k += 2) {
            bool down = c && (k == -c || (k != c && u[k - 1] < u[k + 1]));
            int x = !c ? 0 : down ? u[k + 1] : u[k - 1] + 1, y = x - k;
            while (x < n && y >= 0 && y < m && a[x] == b[y]) x++, y++;
            v[k] = x;
            if (x >= n && y >= m) {
                backtrack(d, a0, b0, n, m, c);
                return true;
            }
        }
    }
    return false;
}

static void compare(differ *d, size_t a0, size_t a1, size_t b0, size_t b1) {
    line *const *a = d->s[0].lines, *const *b = d->s[1].lines;
    while (a0 < a1 && b0 < b1 && a[a0] == b[b0]) a0++, b0++;
    while (a0 < a1 && b0 < b1 && a[a1 - 1] == b[b1 - 1]) a1--, b1--;
    if (a0 == a1 || b0 == b1 || !myers(d, a0, a1, b0, b1)) mark(d, a0, a1, b0, b1);
}

/* ---- anchors ---- */

/* Lines of a that are the longest sequence of unique ones with rising places in b. Returns their number. */
static size_t find_anchors(differ *d, size_t *anchors) {
    const side *a = &d->s[0];
    size_t n = 0, *ends = OX_NEW_N(d->arena, size_t, a->n), *before = OX_NEW_N(d->arena, size_t, a->n);
    for (size_t i = 0; i < a->n; i++) {
        const line *l = a->lines[i];
        if (l->count[0] != 1 || l->count[1] != 1) continue;
        size_t low = 0, high = n; /* the first end that is not before this place in b */
        while (low < high) {
            size_t mid = (low + high) / 2;
            if (a->lines[ends[mid]]->at[1] < l->at[1])
                low = mid + 1;
            else
                high = mid;
        }
        before[i] = low ? ends[low - 1] : 0;
        ends[low] = i;
        if (low == n) n++;
    }
    size_t at = n ? ends[n - 1] : 0;
    for (size_t i = n; i-- > 0; at = before[at]) anchors[i] = at;
    return n;
}

/* ---- output ---- */

static void add_line(ox_text *out, const char *sign, const line *l) {
    ox_text_add(out, sign);
    ox_text_add_n(out, l->text, l->len);
    ox_text_add(out, "\n");
}

static void add_range(ox_text *out, const char *sign, size_t from, size_t n) {
    ox_text_addf(out, "%s%zu", sign, n ? from + 1 : from);
    if (n != 1) ox_text_addf(out, ",%zu", n);
}

/* One hunk from line i of a and j of b; *pi and *pj are set behind it. */
static void add_hunk(const differ *d, size_t context, size_t *pi, size_t *pj, ox_text *out) {
    const side *a = &d->s[0], *b = &d->s[1];
    size_t i0 = *pi, j0 = *pj, i = i0, j = j0, equal = 0;
    size_t lead = i0 < context ? i0 : context;
    for (;; equal = 0) { /* to the end of the last change that is near the one before */
        while ((i < a->n && a->changed[i]) || (j < b->n && b->changed[j])) {
            if (i < a->n && a->changed[i])
                i++;
            else
                j++;
        }
        while (equal <= 2 * context && i + equal < a->n && !a->changed[i + equal] &&
               !(j + equal < b->n && b->changed[j + equal]))
            equal++;
        bool more = (i + equal < a->n && a->changed[i + equal]) || (j + equal < b->n && b->changed[j + equal]);
        if (equal > 2 * context || !more) break;
        i += equal;
        j += equal;
    }
    size_t tail = equal < context ? equal : context;
    *pi = i;
    *pj = j;
    add_range(out, "@@ -", i0 - lead, i + tail - (i0 - lead));
    add_range(out, " +", j0 - lead, j + tail - (j0 - lead));
    ox_text_add(out, " @@\n");
    for (size_t k = i0 - lead; k < i0; k++) add_line(out, " ", a->lines[k]);
    while (i0 < i || j0 < j) {
        if (i0 < i && a->changed[i0]) {
            add_line(out, "-", a->lines[i0++]);
        } else if (j0 < j && b->changed[j0]) {
            add_line(out, "+", b->lines[j0++]);
        } else {
            add_line(out, " ", a->lines[i0++]);
            j0++;
        }
    }
    for (size_t k = i; k < i + tail; k++) add_line(out, " ", a->lines[k]);
}

int ox_text_diff(ox_arena *arena, const char *a, const char *b, int context, ox_text *out) {
    differ d = {.arena = arena};
    ox_set known;
    ox_set_init(&known, arena);
    split(&d, 0, a, &known);
    split(&d, 1, b, &known);
    size_t *anchors = OX_NEW_N(arena, size_t, d.s[0].n), n = find_anchors(&d, anchors), i = 0, j = 0;
    for (size_t k = 0; k < n; k++) {
        size_t at = d.s[0].lines[anchors[k]]->at[1];
        compare(&d, i, anchors[k], j, at);
        i = anchors[k] + 1;
        j = at + 1;
    }
    compare(&d, i, d.s[0].n, j, d.s[1].n);
    for (i = j = 0; i < d.s[0].n || j < d.s[1].n;) {
        if ((i < d.s[0].n && d.s[0].changed[i]) || (j < d.s[1].n && d.s[1].changed[j]))
            add_hunk(&d, context > 0 ? (size_t)context : 0, &i, &j, out);
        else
            i++, j++;
    }
    return 0;
}
