/* Element-wise operators by vectors: see vector.h. Floats are worked on where they lie. Of two inputs, axes that both step through without
 * a seam are joined; then a row is vector and vector, or vector and one element. Work is cut by sizes alone. */
#include "op/vector.h"

enum { BLOCK = 1 << 14, MAX_AXES = 64, REPEAT = 512, SHORT = 16 };

/* ---- one input */

typedef struct one {
    ox_vec_fn fn;
    const float *p;
} one;

static void one_chunk(void *out, const void *const *in, int64_t n, const void *user) {
    const one *u = user;
    u->fn(out, in[0], n, u->p);
}

/* Steps of a few cycles per element, about. */
static int64_t cost_of(ox_fn fn) { return fn >= OX_FN_EXP && fn <= OX_FN_ERF ? 4 : fn >= OX_FN_ELU ? 4 : 1; }

int ox_vec_unary(ox_run *r, ox_fn fn, const float *p, const ox_chunk_fns fns, const void *user) {
    const ox_tensor *x = ox_input(r, 0);
    if (!x || !ox_vec_serves(x->dtype)) return ox_run_unary(r, fns, OX_UNDEFINED, user);
    one u = {ox_vec_table()->fn[fn], p};
    ox_dtype as = OX_FLOAT;
    ox_tensor *y = ox_output_over(r, 0, 1, x->dtype, x->rank, x->dims);
    const float *from = y ? ox_tensor_data(x) : NULL;
    if (!from) return -1;
    if (x->dtype != OX_FLOAT) return ox_elementwise(r, y, as, 1, &x, &as, one_chunk, &u);
    float *to = ox_tensor_mut(y);
    int64_t n = y->count;
    int threads = ox_threads_for(r->ctx, n * cost_of(fn));
    const int64_t piece = ox_cpu_piece(BLOCK);
    if (threads <= 1 || n <= piece) {
        u.fn(to, from, n, p);
        return 0;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t at = 0; at < n; at += piece) u.fn(to + at, from + at, n - at < piece ? n - at : piece, p);
    return 0;
}

/* ---- two inputs */

/* The usual powers need no logarithm. */
static void power_vs(float *y, const float *a, const float *b, int64_t n) {
    const ox_vec *v = ox_vec_table();
    if (*b == 2) {
        v->fn[OX_FN_SQUARE](y, a, n, NULL);
    } else if (*b == -1) {
        v->fn[OX_FN_RECIPROCAL](y, a, n, NULL);
    } else if (*b == 3 && y != a) {
        v->fn[OX_FN_SQUARE](y, a, n, NULL);
        v->fn2[OX_FN2_MUL][OX_VV](y, y, a, n);
    } else {
        v->fn2[OX_FN2_POW][OX_VS](y, a, b, n);
    }
}

static ox_vec_fn2 function_of(ox_fn2 fn, ox_form form) {
    return fn == OX_FN2_POW && form == OX_VS ? power_vs : ox_vec_table()->fn2[fn][form];
}

typedef struct two {
    ox_vec_fn2 fn, one_power;
} two;

/* Powers with one exponent again: the engine has spread it. */
static void two_chunk(void *out, const void *const *in, int64_t n, const void *user) {
    const two *u = user;
    const float *b = in[1];
    bool same = u->one_power != NULL;
    for (int64_t i = 1; same && i < n; i++) same = b[i] == b[0];
    (same ? u->one_power : u->fn)(out, in[0], b, n);
}

/* How two arrays are stepped through: axes of more than one element, innermost last. */
typedef struct steps {
    int rank;
    int64_t dims[MAX_AXES], a[MAX_AXES], b[MAX_AXES];
} steps;

static void own_strides(const ox_tensor *t, int rank, int64_t *strides) {
    int64_t step = 1;
    for (int d = 0; d < rank; d++) strides[d] = 0;
    for (int d = t->rank - 1; d >= 0; d--) {
        strides[d + rank - t->rank] = t->dims[d] == 1 ? 0 : step;
        step *= t->dims[d];
    }
}

static void join(steps *s, const ox_tensor *y, const ox_tensor *a, const ox_tensor *b) {
    int64_t sa[MAX_AXES], sb[MAX_AXES];
    own_strides(a, y->rank, sa);
    own_strides(b, y->rank, sb);
    s->rank = 0;
    for (int d = 0; d < y->rank; d++) {
        int64_t n = y->dims[d];
        int k = s->rank - 1;
        if (n == 1) continue;
        if (k >= 0 && s->a[k] == sa[d] * n && s->b[k] == sb[d] * n) {
            s->dims[k] *= n;
        } else {
            s->dims[++k] = n;
            s->rank++;
        }
        s->a[k] = sa[d];
        s->b[k] = sb[d];
    }
}

typedef struct job {
    const steps *s;
    ox_vec_fn2 fn;
    const float *a, *b;
    float *y;
    int64_t row, piece, pieces; /* length of a row, of its pieces, and their number */
} job;

/* Pieces first to end of all rows. */
static void run_pieces(const job *j, int64_t first, int64_t end) {
    const steps *s = j->s;
    int64_t at[MAX_AXES], a = 0, b = 0, row = first / j->pieces, in_row = first % j->pieces, rest = row;
    int outer = s->rank - 1;
    for (int d = outer - 1; d >= 0; d--) {
        at[d] = rest % s->dims[d];
        rest /= s->dims[d];
        a += at[d] * s->a[d];
        b += at[d] * s->b[d];
    }
    for (; first < end; first++) {
        int64_t from = in_row * j->piece, n = j->row - from < j->piece ? j->row - from : j->piece;
        j->fn(j->y + row * j->row + from, j->a + a + from * s->a[outer], j->b + b + from * s->b[outer], n);
        if (++in_row < j->pieces) continue;
        in_row = 0;
        row++;
        for (int d = outer - 1; d >= 0; d--) {
            a += s->a[d];
            b += s->b[d];
            if (++at[d] < s->dims[d]) break;
            a -= s->dims[d] * s->a[d];
            b -= s->dims[d] * s->b[d];
            at[d] = 0;
        }
    }
}

static void run_rows(ox_run *r, const job *j, int64_t rows) {
    const int64_t most = ox_cpu_piece(BLOCK);
    int64_t total = rows * j->pieces, per = j->piece < most ? most / j->piece : 1, jobs = (total + per - 1) / per;
    int threads = ox_threads_for(r->ctx, rows * j->row);
    if (threads <= 1 || jobs == 1) {
        run_pieces(j, 0, total);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t k = 0; k < jobs; k++) run_pieces(j, k * per, total - k * per < per ? total : k * per + per);
}

/* Short rows of which one side is the same every time: that side is written out several times, which makes longer rows. False when
 * the arrays do not lie so. */
static bool run_repeated(ox_run *r, job *j, const steps *s, int64_t rows) {
    int inner = s->rank - 1;
    bool a_same = s->a[0] == 0;
    if (s->rank != 2 || s->a[inner] != 1 || s->b[inner] != 1 || (a_same ? s->b[0] : s->a[0]) != j->row) return false;
    float many[REPEAT];
    int64_t times = REPEAT / j->row, whole = rows / times;
    for (int64_t k = 0; k < times; k++) memcpy(many + k * j->row, a_same ? j->a : j->b, (size_t)j->row * sizeof *many);
    steps wide = {.rank = 2, .dims = {whole, times * j->row}};
    wide.a[1] = wide.b[1] = 1;
    *(a_same ? wide.b : wide.a) = times * j->row;
    job all = *j;
    *(a_same ? &all.a : &all.b) = many;
    all.s = &wide;
    all.row = all.piece = times * j->row;
    if (whole) run_rows(r, &all, whole);
    int64_t done = whole * times * j->row, left = rows * j->row - done;
    all.fn(j->y + done, a_same ? many : j->a + done, a_same ? j->b + done : many, left);
    return true;
}

int ox_vec_pair(ox_run *r, ox_fn2 fn, ox_tensor *y, const ox_tensor *a, const ox_tensor *b) {
    steps s;
    if (!y->count) return 0;
    const ox_tensor *in[] = {a, b};
    const ox_dtype as[] = {OX_FLOAT, OX_FLOAT};
    two u = {function_of(fn, OX_VV), fn == OX_FN2_POW ? power_vs : NULL};
    if (y->dtype != OX_FLOAT || y->rank > MAX_AXES) return ox_elementwise(r, y, OX_FLOAT, 2, in, as, two_chunk, &u);
    job j = {.s = &s, .a = ox_tensor_data(a), .b = ox_tensor_data(b), .y = ox_tensor_mut(y), .pieces = 1};
    if (!j.a || !j.b || !j.y) return -1;
    if (a->count == y->count && b->count == y->count) {
        s.rank = 1;
        s.dims[0] = y->count;
        s.a[0] = s.b[0] = 1;
    } else {
        join(&s, y, a, b);
    }
    int inner = s.rank - 1;
    j.row = s.dims[inner];
    int64_t rows = y->count / j.row;
    j.fn = function_of(fn, s.a[inner] == 0 ? OX_SV : s.b[inner] == 0 ? OX_VS : OX_VV);
    if (rows > 1 && j.row < SHORT)
        return run_repeated(r, &j, &s, rows) ? 0 : ox_elementwise(r, y, OX_FLOAT, 2, in, as, two_chunk, &u);
    j.piece = j.row < BLOCK ? j.row : BLOCK;
    j.pieces = (j.row + j.piece - 1) / j.piece;
    run_rows(r, &j, rows);
    return 0;
}
