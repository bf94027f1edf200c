/* Einsum: the equation, its shape rule, and its kernel.
 *
 * Axes are labels: letters, and numbers for the axes of an ellipsis. The kernel takes operands one by one: what is
 * there so far and the next operand become two matrices per batch, over the labels they share, the labels of one of
 * them, and the labels that nobody needs any more; those are summed by the matrix product. Axes of size 1 are
 * dropped first, which makes broadcasting nothing special. */
#include "cpu/gemm.h"
#include "op/compute.h"
#include "op/mover.h"

enum { LETTERS = 52, MAX_RANK = 64, LABELS = LETTERS + MAX_RANK, ELLIPSIS = 255, MAX_OPERANDS = 64 };

typedef struct labels {
    int n;
    uint8_t at[MAX_RANK];
} labels;

typedef struct equation {
    int n;               /* operands */
    labels *in, out;
    bool implicit;       /* no "->": the output is still to be made */
    int ellipsis;        /* axes of the longest one */
} equation;

/* Letters in the order of the character set: capitals first. */
static int letter(char ch) { return ch >= 'A' && ch <= 'Z' ? ch - 'A' : ch >= 'a' && ch <= 'z' ? ch - 'a' + 26 : -1; }

static int bad(ox_ctx *ctx, const char *text, const char *why) {
    return ox_fail(ctx, OX_BAD_DATA, "equation '%s': %s", text, why);
}

/* One term, up to a comma, an arrow or the end; *p moves behind it. */
static int parse_term(ox_ctx *ctx, const char *text, const char **p, labels *l) {
    bool dots = false;
    for (;; ++*p) {
        if (**p == ' ') continue;
        int id = letter(**p);
        if (id < 0 && **p != '.') return 0;
        if (id < 0 && (dots || (*p)[1] != '.' || (*p)[2] != '.')) return bad(ctx, text, "an ellipsis is wrong");
        if (l->n == MAX_RANK) return bad(ctx, text, "a term is too long");
        l->at[l->n++] = id < 0 ? ELLIPSIS : (uint8_t)id;
        if (id < 0) {
            dots = true;
            *p += 2;
        }
    }
}

static int parse(ox_call *c, equation *e) {
    const char *text = ox_get_string(c, "equation"), *p = text;
    *e = (equation){.n = c->n_in, .in = OX_NEW_N(c->arena, labels, c->n_in + 1)};
    if (c->n_in > MAX_OPERANDS) return bad(c->ctx, text, "too many operands");
    int n = 0;
    for (;; p++) {
        if (n == c->n_in) return bad(c->ctx, text, "it has more terms than there are inputs");
        if (parse_term(c->ctx, text, &p, &e->in[n++]) < 0) return -1;
        if (*p != ',') break;
    }
    if (n != c->n_in) return bad(c->ctx, text, "it has fewer terms than there are inputs");
    e->implicit = !*p;
    if (e->implicit) return 0;
    if (p[0] != '-' || p[1] != '>') return bad(c->ctx, text, "a character is wrong");
    p += 2;
    if (parse_term(c->ctx, text, &p, &e->out) < 0) return -1;
    return *p ? bad(c->ctx, text, "a character is wrong") : 0;
}

/* Replaces an ellipsis by as many labels as it stands for, counted from its last axis. */
static int expand(ox_ctx *ctx, labels *l, int axes) {
    labels out = {0};
    if (axes < 0 || l->n - 1 + axes > MAX_RANK)
        return ox_fail(ctx, OX_BAD_DATA, "an operand has too few or too many axes for its term");
    for (int i = 0; i < l->n; i++) {
        if (l->at[i] != ELLIPSIS) out.at[out.n++] = l->at[i];
        for (int k = axes - 1; k >= 0 && l->at[i] == ELLIPSIS; k--) out.at[out.n++] = (uint8_t)(LETTERS + k);
    }
    *l = out;
    return 0;
}

static bool has(const labels *l, int label) { return memchr(l->at, label, (size_t)l->n) != NULL; }

/* The output of an equation without an arrow: axes of ellipses, then labels that occur once, in order. */
static void make_output(equation *e) {
    int seen[LETTERS] = {0};
    e->out.n = 0;
    for (int k = e->ellipsis - 1; k >= 0; k--) e->out.at[e->out.n++] = (uint8_t)(LETTERS + k);
    for (int i = 0; i < e->n; i++) {
        for (int k = 0; k < e->in[i].n; k++) {
            if (e->in[i].at[k] < LETTERS) seen[e->in[i].at[k]]++;
        }
    }
    for (int k = 0; k < LETTERS; k++) {
        if (seen[k] == 1 && e->out.n < MAX_RANK) e->out.at[e->out.n++] = (uint8_t)k;
    }
}

/* Makes all ellipses explicit; rank(i) < 0: unknown, and *known becomes false when that matters. */
static int resolve(ox_call *c, equation *e, const int *ranks, bool *known) {
    const char *text = ox_get_string(c, "equation");
    *known = true;
    for (int i = 0; i < e->n; i++) {
        bool dots = has(&e->in[i], ELLIPSIS);
        int axes = ranks[i] - (e->in[i].n - dots);
        if (ranks[i] < 0) {
            *known = *known && !dots;
            continue;
        }
        if (dots ? axes < 0 : axes != 0) return bad(c->ctx, text, "an operand has another rank than its term");
        if (dots && expand(c->ctx, &e->in[i], axes) < 0) return -1;
        if (dots && axes > e->ellipsis) e->ellipsis = axes;
    }
    if (!*known) return 0;
    if (e->implicit) make_output(e);
    if (has(&e->out, ELLIPSIS) && expand(c->ctx, &e->out, e->ellipsis) < 0) return -1;
    for (int k = 0; k < e->out.n; k++) {
        bool found = e->out.at[k] >= LETTERS;
        for (int i = 0; i < e->n && !found; i++) found = has(&e->in[i], e->out.at[k]);
        if (!found) return bad(c->ctx, text, "a label of the output is in no term");
        if (memchr(e->out.at, e->out.at[k], (size_t)k)) return bad(c->ctx, text, "the output has a label twice");
    }
    return 0;
}

int ox_infer_einsum(ox_call *c) {
    equation e;
    bool known;
    int ranks[MAX_OPERANDS];
    ox_dim size[LABELS] = {0};
    bool seen[LABELS] = {0};
    if (parse(c, &e) < 0) return -1;
    for (int i = 0; i < e.n; i++) ranks[i] = ox_in_rank(c, i);
    if (resolve(c, &e, ranks, &known) < 0) return -1;
    for (int i = 0; i < e.n && known; i++) {
        const ox_dim *dims = ox_in_dims(c, i);
        for (int k = 0; dims && k < e.in[i].n; k++) {
            int l = e.in[i].at[k], r;
            ox_dim *both;
            if (seen[l] && ox_broadcast_dims(c, 1, &size[l], 1, &dims[k], &r, &both) < 0) return -1;
            size[l] = seen[l] ? both[0] : dims[k];
            seen[l] = true;
        }
        for (int k = 0; !dims && k < e.in[i].n; k++) { /* may be larger than what others say */
            size[e.in[i].at[k]] = NULL;
            seen[e.in[i].at[k]] = true;
        }
    }
    ox_dim *out = OX_NEW_N(c->arena, ox_dim, e.out.n + 1);
    for (int k = 0; k < e.out.n && known; k++) out[k] = size[e.out.at[k]];
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), known ? e.out.n : -1, out);
    return 0;
}

/* ---- kernel */

typedef struct term {
    labels l; /* every label once, none of size 1 */
    int64_t strides[MAX_RANK]; /* elements */
    const void *data;
} term;

typedef struct state {
    ox_run *r;
    ox_dtype as;
    int64_t size[LABELS];
} state;

static int find_sizes(state *s, const equation *e) {
    for (int l = 0; l < LABELS; l++) s->size[l] = 1;
    for (int i = 0; i < e->n; i++) {
        const ox_tensor *t = ox_input(s->r, i);
        for (int k = 0; k < e->in[i].n; k++) {
            int64_t *size = &s->size[e->in[i].at[k]], d = t->dims[k];
            if (*size == 1) *size = d;
            if (d != 1 && d != *size)
                return ox_fail(s->r->ctx, OX_BAD_DATA, "sizes %" PRId64 " and %" PRId64 " have the same label", *size,
                               d);
        }
    }
    return 0;
}

static int make_term(state *s, const labels *l, const ox_tensor *t, term *out) {
    int64_t step = 1;
    *out = (term){.data = ox_product_in(s->r, t, s->as)};
    for (int k = l->n - 1; k >= 0; k--) {
        if (t->dims[k] != 1) {
            uint8_t *at = memchr(out->l.at, l->at[k], (size_t)out->l.n); /* a label again: the diagonal */
            if (!at) {
                out->strides[out->l.n] = step;
                out->l.at[out->l.n++] = l->at[k];
            } else {
                out->strides[at - out->l.at] += step;
            }
        }
        step *= t->dims[k];
    }
    return out->data ? 0 : -1;
}

static int64_t stride_of(const term *t, int label) {
    const uint8_t *at = memchr(t->l.at, label, (size_t)t->l.n);
    return at ? t->strides[at - t->l.at] : 0;
}

/* Are the elements of T already in the order of ORDER, without gaps, and nothing else? */
static bool in_order(const state *s, const term *t, const labels *order) {
    int64_t step = 1;
    if (t->l.n != order->n) return false;
    for (int k = order->n - 1; k >= 0; k--) {
        if (!has(&t->l, order->at[k]) || stride_of(t, order->at[k]) != step) return false;
        step *= s->size[order->at[k]];
    }
    return true;
}

static bool count_of(const state *s, const labels *l, int64_t *n) {
    *n = 1;
    for (int k = 0; k < l->n; k++) {
        if (!ox_mul_ok(*n, s->size[l->at[k]], n)) return false;
    }
    return true;
}

/* An odometer over labels: offset of the elements in t. */
typedef struct odometer {
    int n;
    int64_t size[MAX_RANK], stride[MAX_RANK], at[MAX_RANK], offset;
} odometer;

static void wind(odometer *o, const state *s, const term *t, const labels *l) {
    *o = (odometer){.n = l->n};
    for (int k = 0; k < l->n; k++) {
        o->size[k] = s->size[l->at[k]];
        o->stride[k] = stride_of(t, l->at[k]);
    }
}

static void tick(odometer *o) {
    for (int k = o->n - 1; k >= 0; k--) {
        o->offset += o->stride[k];
        if (++o->at[k] < o->size[k]) return;
        o->offset -= o->size[k] * o->stride[k];
        o->at[k] = 0;
    }
}

/* Sums over the labels of Q, for all labels of O but the last, which takes WIDE steps of STEP: row after row where the last label is near in
 * memory, else number after number. */
#define GATHER(T)                                                                                            \
    static void gather_##T(odometer *o, odometer *q, int64_t count, int64_t sums, int64_t wide, int64_t step, const T *from, T *to) { \
        int64_t run = step != 1 && q->n ? q->size[q->n - 1] : 1, near = run > 1 ? q->stride[q->n - 1] : 0;   \
        q->n -= run > 1;                                                                                     \
        for (int64_t i = 0; i < count; i += wide, tick(o), to += wide) {                                     \
            for (int64_t j = 0; j < wide; j++) to[j] = 0;                                                    \
            for (int64_t k = 0; k < sums; k += run, tick(q)) {                                               \
                const T *x = from + o->offset + q->offset;                                                   \
                if (step == 1) {                                                                             \
                    for (int64_t j = 0; j < wide; j++) to[j] += x[j];                                        \
                    continue;                                                                                \
                }                                                                                            \
                for (int64_t j = 0; j < wide; j++, x += step) {                                              \
                    T sum = 0;                                                                               \
                    for (int64_t l = 0; l < run; l++) sum += x[l * near];                                    \
                    to[j] += sum;                                                                            \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }
GATHER(float)
GATHER(double)
GATHER(uint64_t)

static size_t size_of(const state *s) { return s->as == OX_FLOAT ? sizeof(float) : sizeof(double); }

/* Writes T in the order of ORDER, summed over its other labels. */
static void gather(const state *s, const term *t, const labels *order, int64_t count, void *to) {
    labels rest = {0};
    odometer o, q;
    int64_t sums = 1, steps[MAX_RANK];
    for (int k = 0; k < t->l.n; k++) {
        if (!has(order, t->l.at[k])) rest.at[rest.n++] = t->l.at[k];
    }
    for (int k = 0; k < rest.n; k++) sums *= s->size[rest.at[k]]; /* axes of one tensor: their product fits */
    wind(&o, s, t, order);
    if (!rest.n) {
        ox_mv_strides(order->n, o.size, steps);
        ox_mv_copy(s->r->arena, size_of(s), order->n, o.size, to, steps, t->data, o.stride);
        return;
    }
    wind(&q, s, t, &rest);
    o.n -= order->n > 0;
    int64_t wide = order->n ? o.size[o.n] : 1, step = order->n ? o.stride[o.n] : 0;
    if (s->as == OX_FLOAT)
        gather_float(&o, &q, count, sums, wide, step, t->data, to);
    else if (s->as == OX_DOUBLE)
        gather_double(&o, &q, count, sums, wide, step, t->data, to);
    else
        gather_uint64_t(&o, &q, count, sums, wide, step, t->data, to);
}

static labels join(const labels *a, const labels *b, const labels *c) {
    labels out = *a;
    for (int k = 0; k < b->n; k++) out.at[out.n++] = b->at[k];
    for (int k = 0; c && k < c->n; k++) out.at[out.n++] = c->at[k];
    return out;
}

/* T's elements as matrices [batch, rows, cols], or the transposed ones when they lie so. NULL after ox_fail. */
static const void *as_matrices(state *s, const term *t, const labels *batch, const labels *rows, const labels *cols,
                               bool *transposed) {
    labels order = join(batch, rows, cols), other = join(batch, cols, rows);
    int64_t count;
    *transposed = false;
    if (in_order(s, t, &order)) return t->data;
    *transposed = in_order(s, t, &other);
    if (*transposed) return t->data;
    if (!count_of(s, &order, &count) || count < 0) {
        ox_fail(s->r->ctx, OX_NO_MEMORY, "an intermediate result is too large");
        return NULL;
    }
    void *to = ox_scratch(s->r, (uint64_t)count * size_of(s));
    if (to) gather(s, t, &order, count, to);
    return to;
}

static void fresh_term(const state *s, term *t, const labels *l, const void *data) {
    int64_t step = 1;
    *t = (term){.l = *l, .data = data};
    for (int k = l->n - 1; k >= 0; k--) {
        t->strides[k] = step;
        step *= s->size[l->at[k]];
    }
}

/* a := a * b, summed over the labels that are not in NEEDED; where it comes out in the order of RESULT it is put to TO (may be NULL). */
static int contract(state *s, term *a, const term *b, const bool *needed, const labels *result, void *to) {
    labels batch = {0}, inner = {0}, left = {0}, right = {0}, out;
    term all;
    for (int k = 0; k < a->l.n; k++) {
        int l = a->l.at[k];
        labels *to = has(&b->l, l) ? (needed[l] ? &batch : &inner) : needed[l] ? &left : NULL;
        if (to) to->at[to->n++] = (uint8_t)l;
    }
    for (int k = 0; k < b->l.n; k++) {
        if (needed[b->l.at[k]] && !has(&a->l, b->l.at[k])) right.at[right.n++] = b->l.at[k];
    }
    if (batch.n + left.n + right.n > MAX_RANK || batch.n + left.n + inner.n > MAX_RANK ||
        batch.n + right.n + inner.n > MAX_RANK)
        return ox_fail(s->r->ctx, OX_UNAVAILABLE, "an intermediate result has more than %d axes", MAX_RANK);
    bool ta, tb;
    const char *x = as_matrices(s, a, &batch, &left, &inner, &ta),
               *y = x ? as_matrices(s, b, &batch, &inner, &right, &tb) : NULL;
    out = join(&batch, &left, &right);
    int64_t batches, m, n, k, count;
    if (!y) return -1;
    if (!count_of(s, &out, &count) || !count_of(s, &batch, &batches) || !count_of(s, &left, &m) ||
        !count_of(s, &right, &n) || !count_of(s, &inner, &k))
        return ox_fail(s->r->ctx, OX_NO_MEMORY, "an intermediate result is too large");
    size_t size = size_of(s);
    fresh_term(s, &all, &out, NULL);
    if (!to || !in_order(s, &all, result)) to = ox_scratch(s->r, (uint64_t)count * size);
    if (!to) return -1;
    all.data = to;
    *a = all;
    if (s->as == OX_FLOAT && count) {
        ox_gemm_many many = {.count = batches, .a_step = m * k, .b_step = k * n, .c_step = m * n};
        ox_gemm_batch(ox_thread_count(s->r->ctx), &many, ta, tb, m, n, k, 1, (const float *)(const void *)x, ta ? m : k, (const float *)(const void *)y,
                      tb ? k : n, NULL, NULL, to, n);
        return 0;
    }
    int threads = batches > 1 && m * n * k < 1 << 24 ? ox_threads_for(s->r->ctx, count) : 1;
    OX_EACH(threads, i, batches, {
        ox_product(s->r->ctx, s->as, ta, tb, m, n, k, x + (size_t)(i * m * k) * size, ta ? m : k,
                   y + (size_t)(i * k * n) * size, tb ? k : n, false, (char *)to + (size_t)(i * m * n) * size, n);
    });
    return 0;
}

static int run_terms(state *s, const equation *e, ox_tensor *y) {
    term all, next;
    labels result = {0};
    for (int k = 0; k < e->out.n; k++) {
        if (s->size[e->out.at[k]] != 1) result.at[result.n++] = e->out.at[k];
    }
    void *to = ox_product_out(s->r, y, s->as);
    if (!to || make_term(s, &e->in[0], ox_input(s->r, 0), &all) < 0) return -1;
    for (int i = 1; i < e->n; i++) {
        bool needed[LABELS] = {0};
        for (int k = 0; k < e->out.n; k++) needed[e->out.at[k]] = true;
        for (int j = i + 1; j < e->n; j++) {
            for (int k = 0; k < e->in[j].n; k++) needed[e->in[j].at[k]] = true;
        }
        if (make_term(s, &e->in[i], ox_input(s->r, i), &next) < 0) return -1;
        if (contract(s, &all, &next, needed, &result, i + 1 == e->n ? to : NULL) < 0) return -1;
    }
    if (all.data != to) gather(s, &all, &e->out, y->count, to);
    ox_product_done(y, s->as, to);
    return 0;
}

int ox_run_einsum(ox_run *r) {
    equation e;
    bool known;
    int ranks[MAX_OPERANDS];
    int64_t dims[MAX_RANK];
    state s = {.r = r};
    if (parse(r->call, &e) < 0) return -1;
    for (int i = 0; i < e.n; i++) {
        const ox_tensor *t = ox_need(r, i);
        if (!t) return -1;
        if (t->dtype != ox_input(r, 0)->dtype)
            return ox_fail(r->ctx, OX_BAD_DATA, "inputs have different element types");
        ranks[i] = t->rank;
    }
    ox_dtype dtype = ox_input(r, 0)->dtype;
    s.as = ox_product_type(dtype);
    if (s.as == OX_UNDEFINED) return ox_kernel_no_type(r, dtype);
    if (resolve(r->call, &e, ranks, &known) < 0 || find_sizes(&s, &e) < 0) return -1;
    for (int k = 0; k < e.out.n; k++) dims[k] = s.size[e.out.at[k]];
    ox_tensor *y = ox_output(r, 0, dtype, e.out.n, dims);
    if (!y) return -1;
    return y->count ? run_terms(&s, &e, y) : 0;
}
