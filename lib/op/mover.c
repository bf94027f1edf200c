/* Moving elements: see mover.h. The strided copy drops dims of one, joins what lies together in both, then copies
 * runs. */
#include "op/mover.h"

#include "cpu/vec.h"

#include <string.h>

/* Payloads hold elements of any type: these may look at all of them. */
typedef uint16_t __attribute__((may_alias)) alias16;
typedef uint32_t __attribute__((may_alias)) alias32;
typedef uint64_t __attribute__((may_alias)) alias64;
typedef struct alias128 { uint64_t a, b; } __attribute__((may_alias)) alias128;

size_t ox_mv_size(ox_dtype t) {
    if (t == OX_STRING) return sizeof(ox_str);
    unsigned bits = ox_dtype_bits(t);
    return bits < 8 ? 1 : bits / 8;
}

const void *ox_mv_in(ox_run *r, const ox_tensor *t) {
    const uint8_t *data = ox_tensor_data(t);
    if (!data || !ox_dtype_packed(t->dtype)) return data;
    uint8_t *out = ox_scratch(r, (uint64_t)t->count + 1);
    if (!out) return NULL;
    unsigned bits = ox_dtype_bits(t->dtype), mask = (1u << bits) - 1, per = 8 / bits;
    for (int64_t i = 0; i < t->count; i++) out[i] = (uint8_t)(data[i / per] >> (unsigned)(i % per) * bits & mask);
    return out;
}

int ox_mv_begin_tensor(ox_run *r, ox_tensor *t, ox_mv_out *out) {
    if (!t) return -1;
    out->t = t;
    out->size = ox_mv_size(t->dtype);
    if (ox_dtype_packed(t->dtype) || t->dtype == OX_STRING) {
        uint64_t bytes =
            (uint64_t)t->count * out->size + 1; /* the tensor's payload, at most 8 times as large, exists */
        out->data = ox_scratch(r, bytes);
        if (out->data && t->dtype == OX_STRING) memset(out->data, 0, (size_t)bytes);
    } else {
        out->data = ox_tensor_mut(t);
    }
    return out->data ? 0 : -1;
}

int ox_mv_begin(ox_run *r, int i, ox_dtype dtype, int rank, const int64_t *dims, ox_mv_out *out) {
    return ox_mv_begin_tensor(r, ox_output(r, i, dtype, rank, dims), out);
}

int ox_mv_done(ox_run *r, ox_mv_out *out) {
    ox_tensor *t = out->t;
    (void)r;
    if (t->dtype == OX_STRING) {
        const ox_str *text = (const ox_str *)(const void *)out->data;
        for (int64_t i = 0; i < t->count; i++)
            if (text[i].len && ox_tensor_set_str(t, i, text[i].data, text[i].len)) return -1;
    } else if (ox_dtype_packed(t->dtype)) {
        uint8_t *data = ox_tensor_mut(t);
        if (!data) return -1;
        unsigned bits = ox_dtype_bits(t->dtype), mask = (1u << bits) - 1, per = 8 / bits;
        memset(data, 0, (size_t)t->bytes);
        for (int64_t i = 0; i < t->count; i++)
            data[i / per] = (uint8_t)(data[i / per] | ((uint8_t)out->data[i] & mask) << (unsigned)(i % per) * bits);
    }
    return 0;
}

void ox_mv_strides(int rank, const int64_t *dims, int64_t *strides) {
    int64_t s = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = s;
        if (__builtin_mul_overflow(s, dims[i], &s)) s = 0; /* only with another dim of 0: never walked */
    }
}

int64_t ox_mv_product(int n, const int64_t *dims) {
    int64_t p = 1;
    for (int i = 0; i < n; i++)
        if (!dims[i]) return 0;
    for (int i = 0; i < n; i++)
        if (!ox_mul_ok(p, dims[i], &p)) return 0; /* only beside a dim of 0 elsewhere */
    return p;
}

void ox_mv_fill(char *dst, const char *elem, size_t size, int64_t n) {
    if (n <= 0) return;
    if (size == 1) {
        memset(dst, *elem, (size_t)n);
        return;
    }
    size_t total = (size_t)n * size, have = size;
    memcpy(dst, elem, size);
    while (have < total) {
        size_t more = have < total - have ? have : total - have;
        memcpy(dst + have, dst, more);
        have += more;
    }
}

/* Up to 64 bytes by moves that may overlap, more by memcpy(). */
static inline void move_bytes(char *dst, const char *src, size_t n) {
    typedef struct wide { uint64_t a, b; } wide;
    if (n > 64) {
        memcpy(dst, src, n);
    } else if (n > 32) {
        wide v[4];
        memcpy(v, src, 32);
        memcpy(v + 2, src + n - 32, 32);
        memcpy(dst, v, 32);
        memcpy(dst + n - 32, v + 2, 32);
    } else if (n >= 16) {
        wide a, b;
        memcpy(&a, src, 16);
        memcpy(&b, src + n - 16, 16);
        memcpy(dst, &a, 16);
        memcpy(dst + n - 16, &b, 16);
    } else if (n >= 8) {
        uint64_t a, b;
        memcpy(&a, src, 8);
        memcpy(&b, src + n - 8, 8);
        memcpy(dst, &a, 8);
        memcpy(dst + n - 8, &b, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, src, 4);
        memcpy(&b, src + n - 4, 4);
        memcpy(dst, &a, 4);
        memcpy(dst + n - 4, &b, 4);
    } else {
        for (size_t i = 0; i < n; i++) dst[i] = src[i];
    }
}

/* Rows that lie together: those of one word without a call. */
static void copy_runs(int64_t rows, size_t run, char *dst, int64_t dr, const char *src, int64_t sr) {
    if (run == 4) {
        for (int64_t i = 0; i < rows; i++) memcpy(dst + i * dr, src + i * sr, 4);
    } else if (run == 8) {
        for (int64_t i = 0; i < rows; i++) memcpy(dst + i * dr, src + i * sr, 8);
    } else {
        for (int64_t i = 0; i < rows; i++) move_bytes(dst + i * dr, src + i * sr, run);
    }
}

/* Rows with any strides; the ones that are usual are written out. */
#define ROW(T)                                                                                               \
    do {                                                                                                     \
        T *d = (T *)(void *)dst;                                                                             \
        const T *s = (const T *)(const void *)src;                                                           \
        if (ds == 1 && ss == 2) {                                                                            \
            for (int64_t i = 0; i < n; i++) d[i] = s[i * 2];                                                 \
        } else if (ds == 1 && ss == -1) {                                                                    \
            for (int64_t i = 0; i < n; i++) d[i] = s[-i];                                                    \
        } else if (ds == 1 && ss == 0) {                                                                     \
            for (int64_t i = 0; i < n; i++) d[i] = *s;                                                       \
        } else {                                                                                             \
            for (int64_t i = 0; i < n; i++) d[i * ds] = s[i * ss];                                           \
        }                                                                                                    \
    } while (0)

static void copy_row(size_t size, int64_t n, char *dst, int64_t ds, const char *src, int64_t ss) {
    switch (size) {
    case 1: ROW(char); break;
    case 2: ROW(alias16); break;
    case 4: ROW(alias32); break;
    case 8: ROW(alias64); break;
    default: ROW(alias128); break;
    }
}

void ox_mv_row(size_t size, int64_t n, char *dst, int64_t dst_stride, const char *src, int64_t src_stride) {
    if (dst_stride == 1 && src_stride == 1)
        move_bytes(dst, src, (size_t)n * size);
    else
        copy_row(size, n, dst, dst_stride, src, src_stride);
}

/* ROWS rows of n elements; distances of rows in bytes. */
static void copy_rows(size_t size, int64_t rows, char *dst, int64_t dr, const char *src, int64_t sr, int64_t n, int64_t ds, int64_t ss) {
    if (ds == 1 && ss == 1) {
        copy_runs(rows, (size_t)n * size, dst, dr, src, sr);
        return;
    }
    for (int64_t i = 0; i < rows; i++, dst += dr, src += sr) {
        if (ds == 1 && ss == 0 && size == 1)
            memset(dst, *src, (size_t)n);
        else
            copy_row(size, n, dst, ds, src, ss);
    }
}

/* A plane where rows are near in dst and columns near in src: in blocks that stay in the cache. */
enum { BLOCK = 64 };

static void copy_plane(size_t size, int64_t rows, int64_t cols, char *dst, int64_t ds, const char *src, int64_t ss) {
    const ox_vec *v = ox_vec_table();
    int64_t z = (int64_t)size;
    for (int64_t r = 0; r < rows; r += BLOCK) {
        for (int64_t c = 0; c < cols; c += BLOCK)
            v->transpose((int)size, rows - r < BLOCK ? rows - r : BLOCK, cols - c < BLOCK ? cols - c : BLOCK, dst + (r * ds + c) * z, ds,
                         src + (r + c * ss) * z, ss);
    }
}

typedef struct walk {
    int rank;
    int64_t *dims, *ds, *ss, *at;
} walk;

/* Drops dims of one and joins neighbours. False when there is nothing to copy. */
static bool walk_init(walk *w, ox_arena *arena, int rank, const int64_t *dims, const int64_t *ds, const int64_t *ss) {
    int64_t *room = OX_NEW_N(arena, int64_t, 4 * ((size_t)rank + 1));
    *w = (walk){0, room, room + rank + 1, room + 2 * (rank + 1), room + 3 * (rank + 1)};
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0) return false;
        if (dims[i] == 1) continue;
        int k = w->rank;
        if (k && w->ds[k - 1] == ds[i] * dims[i] && w->ss[k - 1] == ss[i] * dims[i]) {
            w->dims[k - 1] *= dims[i];
            w->ds[k - 1] = ds[i];
            w->ss[k - 1] = ss[i];
            continue;
        }
        w->dims[k] = dims[i];
        w->ds[k] = ds[i];
        w->ss[k] = ss[i];
        w->rank++;
    }
    if (!w->rank) {
        w->dims[0] = w->ds[0] = w->ss[0] = 1;
        w->rank = 1;
    }
    return true;
}

static void move_last(walk *w, int axis) {
    int64_t d = w->dims[axis], a = w->ds[axis], b = w->ss[axis];
    for (int i = axis; i + 1 < w->rank; i++) {
        w->dims[i] = w->dims[i + 1];
        w->ds[i] = w->ds[i + 1];
        w->ss[i] = w->ss[i + 1];
    }
    w->dims[w->rank - 1] = d;
    w->ds[w->rank - 1] = a;
    w->ss[w->rank - 1] = b;
}

/* Steps the outer dims; false at the end. */
static bool walk_step(walk *w, int outer, int64_t *d, int64_t *s) {
    for (int i = outer - 1; i >= 0; i--) {
        *d += w->ds[i];
        *s += w->ss[i];
        if (++w->at[i] < w->dims[i]) return true;
        *d -= w->ds[i] * w->dims[i];
        *s -= w->ss[i] * w->dims[i];
        w->at[i] = 0;
    }
    return false;
}

void ox_mv_copy(ox_arena *arena, size_t size, int rank, const int64_t *dims, char *dst, const int64_t *dst_strides,
                const char *src, const int64_t *src_strides) {
    walk w;
    int64_t d = 0, s = 0, z = (int64_t)size;
    if (!walk_init(&w, arena, rank, dims, dst_strides, src_strides)) return;
    int k = w.rank - 1, plane = -1;
    if (w.ds[k] == 1 && w.ss[k] != 1)
        for (int i = 0; i < k; i++)
            if (w.ss[i] == 1 && w.dims[i] >= 4) plane = i;
    if (plane < 0) {
        bool one = k == 0; /* a single row */
        int64_t rows = one ? 1 : w.dims[k - 1], dr = one ? 0 : w.ds[k - 1] * z, sr = one ? 0 : w.ss[k - 1] * z;
        do copy_rows(size, rows, dst + d * z, dr, src + s * z, sr, w.dims[k], w.ds[k], w.ss[k]);
        while (walk_step(&w, one ? 0 : k - 1, &d, &s));
        return;
    }
    move_last(&w, plane); /* now: columns at k - 1, rows at k */
    do copy_plane(size, w.dims[k], w.dims[k - 1], dst + d * z, w.ds[k], src + s * z, w.ss[k - 1]);
    while (walk_step(&w, k - 1, &d, &s));
}

int ox_mv_axes(ox_call *c, int64_t n, const int64_t *axes, int rank, bool *hit, const char *what) {
    memset(hit, 0, (size_t)rank * sizeof *hit);
    for (int64_t i = 0; i < n; i++) {
        int64_t a = ox_axis(c, axes[i], rank, what);
        if (a < 0) return -1;
        if (hit[a]) return ox_fail(c->ctx, OX_BAD_DATA, "%s lists axis %lld twice", what, (long long)a);
        hit[a] = true;
    }
    return 0;
}

int64_t ox_mv_index(ox_call *c, int64_t index, int64_t size, const char *what) {
    int64_t i = index < 0 ? index + size : index;
    if (i >= 0 && i < size) return i;
    return ox_fail(c->ctx, OX_BAD_DATA, "%s %lld is out of range for a size of %lld", what, (long long)index,
                   (long long)size);
}

int ox_mv_check_indices(ox_call *c, int i, int64_t per, const ox_dim *sizes) {
    int64_t n, v, size;
    const ox_dim *index = ox_in_elems(c, i, &n);
    if (!index || !sizes || per < 1) return 0;
    for (int64_t k = 0; k < n; k++)
        if (ox_dim_is_const(index[k], &v) && ox_dim_is_const(sizes[k % per], &size) && ox_mv_index(c, v, size, "index") < 0) return -1;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ shape rules */

bool ox_mv_known(int rank, const ox_dim *dims, int64_t *out) {
    if (rank > 0 && !dims) return false;
    for (int i = 0; i < rank; i++)
        if (!ox_dim_is_const(dims[i], &out[i])) return false;
    return rank >= 0;
}

bool ox_mv_count(int rank, const int64_t *dims, int64_t *count) {
    *count = 1;
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0 || !ox_mul_ok(*count, dims[i], count)) return false;
    return true;
}

ox_dim ox_mv_dim_product(ox_ctx *ctx, int n, const ox_dim *dims) {
    ox_dim p = ox_dim_const(ctx, 1);
    for (int i = 0; i < n; i++)
        if (ox_dim_is(dims[i], 0)) return dims[i];
    for (int i = 0; i < n; i++) p = ox_dim_mul(ctx, p, dims[i]);
    return p;
}

ox_dim *ox_mv_no_dims(ox_call *c, int rank) { return OX_NEW_N(c->arena, ox_dim, rank > 0 ? rank : 1); }

void ox_mv_elems(ox_call *c, int out, const ox_dim *elems, int64_t offset, int rank, const int64_t *dims,
                 const int64_t *strides) {
    int64_t n;
    if (!elems || !ox_mv_count(rank, dims, &n) || n > OX_ELEMS_MAX) return;
    ox_dim *to = OX_NEW_N(c->arena, ox_dim, n + 1);
    int64_t *at = OX_NEW_N(c->arena, int64_t, rank + 1), from = offset;
    for (int64_t i = 0; i < n; i++) {
        to[i] = elems[from];
        for (int a = rank - 1; a >= 0; a--) {
            from += strides[a];
            if (++at[a] < dims[a]) break;
            from -= strides[a] * dims[a];
            at[a] = 0;
        }
    }
    ox_out_elems(c, out, n, to);
}

const ox_dim *ox_mv_in_elems(ox_call *c, int i, int64_t *dims) {
    int64_t n, count;
    const ox_dim *e = ox_in_elems(c, i, &n);
    int rank = ox_in_rank(c, i);
    if (!e || !ox_mv_known(rank, ox_in_dims(c, i), dims) || !ox_mv_count(rank, dims, &count) || count != n) return NULL;
    return e;
}

const int64_t *ox_mv_in_dims_known(ox_call *c, int i) {
    int rank = ox_in_rank(c, i);
    if (rank < 0) return NULL;
    int64_t *d = OX_NEW_N(c->arena, int64_t, rank + 1);
    return ox_mv_known(rank, ox_in_dims(c, i), d) ? d : NULL;
}

ox_dim ox_mv_same_dim(ox_call *c, ox_dim a, ox_dim b, const char *what, bool *bad) {
    int64_t x, y;
    if (ox_dim_is_const(a, &x)) {
        if (ox_dim_is_const(b, &y) && x != y) {
            ox_fail(c->ctx, OX_BAD_DATA, "%s: sizes %lld and %lld do not fit", what, (long long)x, (long long)y);
            *bad = true;
        }
        return a;
    }
    if (ox_dim_is_const(b, NULL)) return b;
    return a ? a : b;
}
