/* Permuting the axes of an array. Axes that stay neighbours become one; a run that lies together on both sides becomes one wide element or
 * is copied as it is; else the axis that lies together in the input and the last axis of the output span planes, which are transposed in
 * tiles. Tiles are numbered, and threads take ranges of numbers: the same tiles for any number of threads. */
#include "cpu/vec.h"

#include <string.h>

enum { MAX_AXES = 64, JOB_BYTES = 1 << 15, TILE_BYTES = 1 << 14 };

typedef struct permute {
    int rank;                                  /* axes of more than one element, in the order of the output */
    int64_t dims[MAX_AXES], from[MAX_AXES], to[MAX_AXES]; /* sizes and strides, in elements of BYTES */
    int64_t bytes;
    const char *in;
    char *out;
} permute;

static void join_axes(permute *p, int rank, const int64_t *in_dims, const int64_t *perm) {
    int64_t strides[MAX_AXES], step = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= in_dims[i];
    }
    for (int i = 0; i < rank; i++) {
        int64_t n = in_dims[perm[i]], s = strides[perm[i]];
        int k = p->rank;
        if (n == 1) continue;
        if (k && p->from[k - 1] == s * n) {
            p->dims[k - 1] *= n;
            p->from[k - 1] = s;
        } else {
            p->dims[k] = n;
            p->from[k] = s;
            p->rank++;
        }
    }
}

/* The last axis becomes part of the element when it lies together in the input. */
static void widen(permute *p) {
    int last = p->rank - 1;
    if (p->rank && p->from[last] == 1) {
        int64_t n = p->dims[last];
        p->bytes *= n;
        p->rank--;
        for (int i = 0; i < last; i++) p->from[i] /= n;
    }
    int64_t step = 1;
    for (int i = p->rank - 1; i >= 0; i--) {
        p->to[i] = step;
        step *= p->dims[i];
    }
}

/* A walk over the first N axes. */
typedef struct walk { int n; int64_t at[MAX_AXES], from, to; } walk;

static void walk_start(walk *w, const permute *p, int n, int64_t position) {
    w->n = n;
    w->from = w->to = 0;
    for (int i = n - 1; i >= 0; i--) {
        w->at[i] = position % p->dims[i];
        position /= p->dims[i];
        w->from += w->at[i] * p->from[i];
        w->to += w->at[i] * p->to[i];
    }
}

static void walk_step(walk *w, const permute *p) {
    for (int i = w->n - 1; i >= 0; i--) {
        w->from += p->from[i];
        w->to += p->to[i];
        if (++w->at[i] < p->dims[i]) return;
        w->from -= p->dims[i] * p->from[i];
        w->to -= p->dims[i] * p->to[i];
        w->at[i] = 0;
    }
}

static int64_t count(const permute *p, int n) {
    int64_t c = 1;
    for (int i = 0; i < n; i++) c *= p->dims[i];
    return c;
}

static inline void copy_small(char *to, const char *from, int64_t n) {
    for (; n >= 8; n -= 8, to += 8, from += 8) memcpy(to, from, 8);
    for (; n > 0; n--) *to++ = *from++;
}

/* Elements of any size one after the other in the output, each from its place. */
static void copy_elements(const permute *p, int64_t first, int64_t end) {
    walk w;
    walk_start(&w, p, p->rank, first);
    char *to = p->out + first * p->bytes;
    if (p->bytes <= 64) {
        for (; first < end; first++, to += p->bytes, walk_step(&w, p)) copy_small(to, p->in + w.from * p->bytes, p->bytes);
    } else {
        for (; first < end; first++, to += p->bytes, walk_step(&w, p)) memcpy(to, p->in + w.from * p->bytes, (size_t)p->bytes);
    }
}

static void move_last(permute *p, int axis) {
    int64_t d = p->dims[axis], f = p->from[axis], t = p->to[axis];
    for (int i = axis; i + 1 < p->rank; i++) {
        p->dims[i] = p->dims[i + 1];
        p->from[i] = p->from[i + 1];
        p->to[i] = p->to[i + 1];
    }
    p->dims[p->rank - 1] = d;
    p->from[p->rank - 1] = f;
    p->to[p->rank - 1] = t;
}

/* A tile: runs of 256 bytes of the input, as many as fill TILE_BYTES or less. */
static int64_t tile_rows(const permute *p) { return 256 / p->bytes; }
static int64_t tile_cols(const permute *p) { return p->bytes <= 4 ? 64 : 256 / p->bytes; }
static int64_t tiles(int64_t n, int64_t size) { return (n + size - 1) / size; }

/* When runs of the input are a large power of two apart they share few places of the cache, and would be fetched again and again: these
 * are brought together first. */
static void transpose_tile(const ox_vec *v, const permute *p, int64_t rows, int64_t cols, char *to, int64_t ds, const char *from, int64_t ss) {
    _Alignas(64) char near[TILE_BYTES];
    int bytes = (int)p->bytes;
    if (ss * bytes % 1024 || cols < 16) {
        v->transpose(bytes, rows, cols, to, ds, from, ss);
        return;
    }
    int64_t step = tile_rows(p);
    for (int64_t c = 0; c < cols; c++) memcpy(near + c * step * bytes, from + c * ss * bytes, (size_t)(rows * bytes));
    v->transpose(bytes, rows, cols, to, ds, near, step);
}

/* Planes: the last two axes, columns (near in the output) and rows (near in the input), in tiles; FIRST and END count tiles. */
static void transpose_tiles(const permute *p, int64_t first, int64_t end) {
    const ox_vec *v = ox_vec_table();
    int c = p->rank - 2, r = p->rank - 1;
    int64_t high = tile_rows(p), wide = tile_cols(p), across = tiles(p->dims[c], wide), per = across * tiles(p->dims[r], high);
    walk w;
    walk_start(&w, p, c, first / per);
    for (int64_t in_plane = first % per; first < end; first++) {
        int64_t row = in_plane / across * high, col = in_plane % across * wide, rows = p->dims[r] - row, cols = p->dims[c] - col;
        transpose_tile(v, p, rows < high ? rows : high, cols < wide ? cols : wide, p->out + (w.to + row * p->to[r] + col) * p->bytes,
                       p->to[r], p->in + (w.from + row + col * p->from[c]) * p->bytes, p->from[c]);
        if (++in_plane < per) continue;
        in_plane = 0;
        walk_step(&w, p);
    }
}

/* TOTAL steps of STEP bytes each, in jobs of about JOB_BYTES. */
static void in_jobs(int threads, const permute *p, int64_t total, int64_t step, void (*fn)(const permute *, int64_t, int64_t)) {
    int64_t per = step < JOB_BYTES ? JOB_BYTES / step : 1, jobs = (total + per - 1) / per;
    if (ox_cpu_threads(threads, total * step / 16) <= 1 || jobs == 1) {
        fn(p, 0, total);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t job = 0; job < jobs; job++) fn(p, job * per, total - job * per < per ? total : job * per + per);
}

void ox_permute(int threads, int bytes, int rank, const int64_t *in_dims, const int64_t *perm, const void *in, void *out) {
    permute p; /* its arrays are filled as far as there are axes */
    p.rank = 0;
    p.bytes = bytes;
    p.in = in;
    p.out = out;
    for (int i = 0; i < rank; i++) {
        if (!in_dims[i]) return;
    }
    join_axes(&p, rank, in_dims, perm);
    widen(&p);
    if (p.rank == 0) { /* nothing moves: pieces of bytes */
        permute whole = {.bytes = JOB_BYTES, .rank = 1, .dims = {p.bytes / JOB_BYTES}, .from = {1}, .to = {1}, .in = in, .out = out};
        int64_t done = p.bytes / JOB_BYTES * JOB_BYTES;
        if (done) in_jobs(threads, &whole, whole.dims[0], JOB_BYTES, copy_elements);
        memcpy(p.out + done, p.in + done, (size_t)(p.bytes - done));
        return;
    }
    int near = -1;
    for (int i = 0; i < p.rank; i++) {
        if (p.from[i] == 1) near = i;
    }
    bool known = p.bytes == 1 || p.bytes == 2 || p.bytes == 4 || p.bytes == 8 || p.bytes == 16;
    if (near < 0 || !known || p.rank < 2) {
        in_jobs(threads, &p, count(&p, p.rank), p.bytes, copy_elements);
        return;
    }
    move_last(&p, near);
    int c = p.rank - 2, r = p.rank - 1;
    int64_t high = tile_rows(&p), wide = tile_cols(&p), rows = p.dims[r] < high ? p.dims[r] : high,
            cols = p.dims[c] < wide ? p.dims[c] : wide;
    in_jobs(threads, &p, count(&p, c) * tiles(p.dims[r], high) * tiles(p.dims[c], wide), rows * cols * p.bytes, transpose_tiles);
}
