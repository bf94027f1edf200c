/* Arithmetic over large weights, put off: a sum, difference, product or quotient of more than a few elements stays a tree until it is
 * rounded to its type, and is then computed in double a piece at a time. So the doubles of a weight, twice or four times its size, never
 * lie in memory. What needs the tensor itself (a comparison, another operator) has it made.
 *
 *   before   W * Unsqueeze(s)          after   '*' over W[O,I,3,3] and s[O,1,1,1]: no element computed yet
 */
#include "passes/rule.h"

enum { SMALL = 1 << 16, PIECE = 1024, MAX_RANK = 8 };

struct ox_rlazy {
    char op;                     /* + - * / or 0: a leaf */
    int rank;
    int64_t dims[MAX_RANK], count;
    const struct ox_rlazy *in[2];
    const ox_tensor *leaf;       /* read with these steps, in axes that are merged where they can be */
    int n_axes;
    int64_t axis[MAX_RANK], step[MAX_RANK];
    ox_tensor *made;
};

/* ---- making ---- */

static char operation(ox_sym op) {
    static const char *const names[] = {"Add", "Sub", "Mul", "Div"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(op, names[i])) return "+-*/"[i];
    return 0;
}

/* Dimensions of an operand; false when it is nothing to wait with. */
static bool shape_of(const ox_rv *v, int *rank, const int64_t **dims) {
    static const int64_t none[1];
    if (v->kind == OX_RV_INTS && v->scalar) return *rank = 0, *dims = none, true;
    if (v->kind != OX_RV_TENSOR) return false;
    if (v->lazy) return *rank = v->lazy->rank, *dims = v->lazy->dims, true;
    if (!ox_dtype_is_float(v->t->dtype) || ox_dtype_bits(v->t->dtype) < 8 || v->t->rank > MAX_RANK) return false;
    return *rank = v->t->rank, *dims = v->t->dims, true;
}

static bool broadcast(ox_rlazy *z, int rank, const int64_t *dims) {
    if (rank > z->rank) {
        for (int i = 0; i < z->rank; i++) z->dims[rank - 1 - i] = z->dims[z->rank - 1 - i];
        for (int i = 0; i < rank - z->rank; i++) z->dims[i] = 1;
        z->rank = rank;
    }
    for (int i = 0; i < rank; i++) {
        int64_t *d = &z->dims[z->rank - rank + i];
        if (*d == 1) *d = dims[i];
        else if (dims[i] != 1 && dims[i] != *d) return false;
    }
    return true;
}

/* How a tensor is read in the order of the result's elements. */
static void set_steps(ox_rlazy *leaf, const ox_rlazy *whole) {
    const ox_tensor *t = leaf->leaf;
    int64_t step[MAX_RANK], at = 1;
    for (int i = whole->rank - 1, k = t->rank - 1; i >= 0; i--, k--) {
        step[i] = k < 0 || t->dims[k] == 1 ? 0 : at;
        if (k >= 0) at *= t->dims[k];
    }
    for (int i = 0; i < whole->rank; i++) {
        int last = leaf->n_axes - 1;
        if (whole->dims[i] == 1) continue;
        if (last >= 0 && leaf->step[last] == step[i] * whole->dims[i]) {
            leaf->axis[last] *= whole->dims[i];
            leaf->step[last] = step[i];
        } else {
            leaf->axis[leaf->n_axes] = whole->dims[i];
            leaf->step[leaf->n_axes++] = step[i];
        }
    }
}

static const ox_rlazy *operand(ox_rmatch *mt, const ox_rv *v, const ox_rlazy *whole) {
    if (v->kind == OX_RV_TENSOR && v->lazy && v->lazy->rank == whole->rank && v->lazy->count == whole->count) return v->lazy;
    ox_rlazy *leaf = OX_NEW(mt->arena, ox_rlazy);
    leaf->leaf = v->kind == OX_RV_TENSOR ? ox_rv_stored(mt, v) : ox_rv_tensor(mt, v);
    if (!leaf->leaf || !ox_tensor_data(leaf->leaf)) return ox_rmatch_refused(mt), NULL;
    set_steps(leaf, whole);
    return leaf;
}

const ox_rlazy *ox_rlazy_make(ox_rmatch *mt, ox_sym op, const ox_rv *a, const ox_rv *b) {
    ox_rlazy z = {.op = operation(op), .count = 1}, *kept;
    int rank;
    const int64_t *dims;
    if (!z.op || (a->kind != OX_RV_TENSOR && b->kind != OX_RV_TENSOR)) return NULL;
    if (!shape_of(a, &rank, &dims) || !broadcast(&z, rank, dims) || !shape_of(b, &rank, &dims) || !broadcast(&z, rank, dims)) return NULL;
    for (int i = 0; i < z.rank; i++)
        if (!ox_mul_ok(z.count, z.dims[i], &z.count)) return NULL;
    if (z.count <= SMALL) return NULL;
    if (!(z.in[0] = operand(mt, a, &z)) || !(z.in[1] = operand(mt, b, &z))) return NULL;
    kept = OX_NEW(mt->arena, ox_rlazy);
    *kept = z;
    return kept;
}

/* ---- computing ---- */

static void read_leaf(const ox_rlazy *z, int64_t start, int64_t n, double *out) {
    const ox_tensor *t = z->leaf;
    const char *data = ox_tensor_data(t);
    int64_t size = ox_dtype_bits(t->dtype) / 8, at[MAX_RANK] = {0}, from = 0;
    int last = z->n_axes - 1;
    for (int i = last; i >= 0; i--) {
        at[i] = start % z->axis[i];
        start /= z->axis[i];
        from += at[i] * z->step[i];
    }
    while (n > 0) {
        int64_t run = last < 0 || z->axis[last] - at[last] > n ? n : z->axis[last] - at[last], step = last < 0 ? 0 : z->step[last];
        if (step == 1) {
            ox_load_doubles(t->dtype, data + from * size, run, out);
        } else {
            for (int64_t i = 0; i < run; i++) out[i] = i && !step ? out[0] : ox_load_double(t->dtype, data, from + i * step);
        }
        out += run;
        n -= run;
        if (last < 0) continue;
        from -= at[last] * step;
        at[last] = 0;
        for (int i = last - 1; i >= 0; i--) {
            from += z->step[i];
            if (++at[i] < z->axis[i]) break;
            from -= z->step[i] * z->axis[i];
            at[i] = 0;
        }
    }
}

/* Up to PIECE elements from START on. As deep as the rule's expression. */
static void compute(const ox_rlazy *z, int64_t start, int64_t n, double *out) {
    double right[PIECE];
    if (!z->op) {
        read_leaf(z, start, n, out);
        return;
    }
    compute(z->in[0], start, n, out);
    compute(z->in[1], start, n, right);
    switch (z->op) {
    case '+': for (int64_t i = 0; i < n; i++) out[i] += right[i]; return;
    case '-': for (int64_t i = 0; i < n; i++) out[i] -= right[i]; return;
    case '*': for (int64_t i = 0; i < n; i++) out[i] *= right[i]; return;
    default: for (int64_t i = 0; i < n; i++) out[i] /= right[i]; return;
    }
}

ox_tensor *ox_rlazy_rounded(ox_rmatch *mt, const ox_rlazy *z, ox_dtype to, bool (*good)(ox_dtype to, const void *made, const double *from, int64_t n)) {
    int bits = ox_dtype_bits(to);
    ox_tensor *t = bits % 8 || !ox_dtype_is_float(to) ? NULL : ox_tensor_new(mt->ctx, to, z->rank, z->dims);
    if (!t) return NULL;
    char *data = ox_tensor_mut(t);
    for (int64_t at = 0; at < z->count; at += PIECE) {
        double piece[PIECE];
        int64_t n = z->count - at < PIECE ? z->count - at : PIECE;
        void *place = data + at * (bits / 8);
        compute(z, at, n, piece);
        ox_store_doubles(to, place, n, piece);
        if (good && !good(to, place, piece, n)) {
            ox_tensor_unref(t);
            return NULL;
        }
    }
    return t;
}

ox_tensor *ox_rv_stored(ox_rmatch *mt, const ox_rv *v) {
    ox_rlazy *z = (ox_rlazy *)(uintptr_t)v->lazy;
    if (!z) return v->t;
    if (!z->made && !(z->made = ox_rmatch_own(mt, ox_rlazy_rounded(mt, z, OX_DOUBLE, NULL)))) ox_rmatch_refused(mt);
    return z->made;
}
