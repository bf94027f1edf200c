/* com.microsoft: operators on data of all kinds that the standard has in another form or not at all: rows, shape rules, kernels. */
#include "op/compose.h"
#include "op/compute.h"
#include "op/microsoft.h"

/* ------------------------------------------------------------------------------------------------ shape rules */

static int infer_first(ox_call *c) {
    ox_out_type(c, 0, ox_in_type(c, 0));
    return 0;
}

static int infer_range(ox_call *c) {
    ox_dim n = ox_dim_fresh(c->ctx);
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 1, &n);
    return 0;
}

static int infer_ms_unique(ox_call *c) {
    ox_dim n = ox_dim_fresh(c->ctx);
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 1, &n);
    ox_out_tensor(c, 1, OX_INT64, 1, ox_in_rank(c, 0) == 1 ? ox_in_dims(c, 0) : NULL);
    ox_out_tensor(c, 2, OX_INT64, 1, &n);
    return 0;
}

static int infer_grid(ox_call *c) {
    const ox_dim *x = ox_in_rank(c, 0) == 4 ? ox_in_dims(c, 0) : NULL, *g = ox_in_rank(c, 1) == 4 ? ox_in_dims(c, 1) : NULL;
    ox_dim d[4] = {x ? x[0] : NULL, x ? x[1] : NULL, g ? g[1] : NULL, g ? g[2] : NULL};
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 4, d);
    return 0;
}

static int infer_distances(ox_call *c) {
    const ox_dim *a = ox_in_rank(c, 0) == 2 ? ox_in_dims(c, 0) : NULL, *b = ox_in_rank(c, 1) == 2 ? ox_in_dims(c, 1) : NULL;
    ox_dim d[2] = {a ? a[0] : NULL, b ? b[0] : NULL};
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 2, d);
    return 0;
}

static int infer_hash(ox_call *c) {
    ox_out_tensor(c, 0, ox_get_int(c, "positive") ? OX_UINT32 : OX_INT32, ox_in_rank(c, 0), ox_in_dims(c, 0));
    return 0;
}

static int infer_crops(ox_call *c) {
    int64_t n;
    const ox_dim *x = ox_in_rank(c, 0) == 4 ? ox_in_dims(c, 0) : NULL, *rois = ox_in_rank(c, 1) == 2 ? ox_in_dims(c, 1) : NULL,
                 *size = ox_in_elems(c, 3, &n);
    ox_dim d[4] = {rois ? rois[0] : NULL, x ? x[1] : NULL, size && n == 2 ? size[0] : NULL, size && n == 2 ? size[1] : NULL};
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 4, d);
    return 0;
}

static int infer_scores(ox_call *c) {
    ox_out_type(c, 0, ox_in_type(c, 1));
    return 0;
}

static int infer_rank(ox_call *c) {
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), ox_in_rank(c, 0), NULL);
    return 0;
}

static int infer_unfold(ox_call *c) {
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), ox_in_rank(c, 0) < 0 ? -1 : ox_in_rank(c, 0) + 1, NULL);
    return 0;
}

static int infer_integer16(ox_call *c) { return ox_q_matmul_dims(c, 0, 1, OX_INT32); }

/* ------------------------------------------------------------------------------------------------ forms of the standard's operators */

int ox_ms_run_expand_dims(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *axis = x ? ox_need(r, 1) : NULL;
    if (!axis) return -1;
    ox_step_int(&s, "to", OX_INT64);
    axis = OX_STEP(&s, "Cast", axis);
    return ox_steps_done(&s, 0, OX_STEP(&s, "Unsqueeze", x, axis));
}

int ox_ms_run_gather_nd(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *x = ox_need(r, 0), *index = x ? ox_need(r, 1) : NULL;
    if (!index) return -1;
    ox_step_int(&s, "to", OX_INT64);
    index = OX_STEP(&s, "Cast", index);
    return ox_steps_done(&s, 0, OX_STEP(&s, "GatherND", x, index));
}

static int run_range(ox_run *r) {
    ox_steps s = {.r = r};
    const ox_tensor *in[3];
    for (int i = 0; i < 3; i++) {
        const ox_tensor *t = ox_input(r, i);
        if (!t && i < 2) return ox_need(r, i) ? 0 : -1;
        if (t && t->count != 1) return ox_fail(r->ctx, OX_BAD_DATA, "input %d is not one number", i);
        ox_tensor *one = ox_step_tensor(&s, ox_input(r, 0)->dtype, 0, NULL);
        const void *from = t ? ox_tensor_data(t) : NULL;
        if (!one || (t && (!from || t->dtype != one->dtype))) s.failed = true;
        else if (t) memcpy(ox_tensor_mut(one), from, ox_dtype_bits(t->dtype) / 8);
        else ox_store_double(one->dtype, ox_tensor_mut(one), 0, 1);
        in[i] = one;
    }
    return ox_steps_done(&s, 0, ox_step(&s, "Range", 3, in));
}

static int run_trilu(ox_run *r) {
    ox_steps s = {.r = r};
    ox_step_take(&s, "upper");
    return ox_steps_done(&s, 0, OX_STEP(&s, "Trilu", ox_input(r, 0), ox_input(r, 1)));
}

/* Output 0: the elements in the order of their first places; the others are outputs 2 and 3 of the standard's. */
static int run_ms_unique(ox_run *r) {
    ox_steps s = {.r = r};
    ox_tensor *out[4];
    const ox_tensor *x = ox_need(r, 0);
    if (!x) return -1;
    ox_step_int(&s, "sorted", 0);
    int rc = ox_step_all(&s, "Unique", 1, &x, out, 4);
    for (int i = 1; i < 3 && !rc; i++)
        if (ox_want(r, i)) rc = ox_output_share(r, i, out[i + 1], out[i + 1]->rank, out[i + 1]->dims);
    return ox_steps_done(&s, 0, rc ? NULL : out[0]) || rc ? -1 : 0;
}

static int run_grid(ox_run *r) {
    ox_steps s = {.r = r};
    const char *mode = ox_get_string(r->call, "mode");
    ox_attr name = {.name = ox_intern(r->ctx, "mode"), .type = OX_A_STRING, .s = {mode, strlen(mode)}};
    if (!strcmp(mode, "bilinear")) name.s = (ox_str){"linear", 6};
    if (!strcmp(mode, "bicubic")) name.s = (ox_str){"cubic", 5};
    ox_step_take(&s, "align_corners");
    ox_step_take(&s, "padding_mode");
    s.attrs[s.n_attrs++] = &name;
    return ox_steps_done(&s, 0, OX_STEP(&s, "GridSample", ox_input(r, 0), ox_input(r, 1)));
}

static int run_conv_transpose(ox_run *r) {
    static const char *const names[] = {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "strides"};
    ox_steps s = {.r = r};
    int64_t n = 0;
    const int64_t *pads = ox_input(r, 2) ? ox_run_ints(r, 2, &n) : NULL;
    if (ox_input(r, 2) && !pads) return -1;
    if (n > 64) return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " pads", n);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) ox_step_take(&s, names[i]);
    if (pads) ox_step_ints(&s, "pads", (int)n, pads);
    return ox_steps_done(&s, 0, OX_STEP(&s, "ConvTranspose", ox_input(r, 0), ox_input(r, 1), ox_input(r, 3)));
}

/* ------------------------------------------------------------------------------------------------ matrices */

/* Gauss and Jordan with pivots: m becomes the unit matrix, out the inverse. False when there is none. */
static bool invert(double *m, double *out, int64_t n) {
    for (int64_t i = 0; i < n * n; i++) out[i] = i % (n + 1) == 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t best = i;
        for (int64_t j = i + 1; j < n; j++)
            if (fabs(m[j * n + i]) > fabs(m[best * n + i])) best = j;
        double pivot = m[best * n + i];
        if (pivot == 0 || !isfinite(pivot)) return false;
        for (int64_t k = 0; k < n; k++) {
            double a = m[best * n + k], b = out[best * n + k];
            m[best * n + k] = m[i * n + k];
            out[best * n + k] = out[i * n + k];
            m[i * n + k] = a / pivot;
            out[i * n + k] = b / pivot;
        }
        for (int64_t j = 0; j < n; j++) {
            double f = m[j * n + i];
            for (int64_t k = 0; k < n && j != i && f != 0; k++) {
                m[j * n + k] -= f * m[i * n + k];
                out[j * n + k] -= f * out[i * n + k];
            }
        }
    }
    return true;
}

int ox_ms_run_inverse(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    if (!x) return -1;
    int64_t n = x->rank > 1 ? x->dims[x->rank - 1] : 0;
    if (x->rank < 2 || x->dims[x->rank - 2] != n) return ox_fail(r->ctx, OX_BAD_DATA, "the input does not hold square matrices");
    if (!x->count) return ox_output(r, 0, x->dtype, x->rank, x->dims) ? 0 : -1;
    const double *from = ox_as_doubles(r, x);
    double *m = from ? ox_scratch(r, ((uint64_t)(n * n) * 2 + 1) * sizeof *m) : NULL;
    ox_tensor *y = m ? ox_output(r, 0, x->dtype, x->rank, x->dims) : NULL;
    for (int64_t at = 0; y && at < x->count; at += n * n) {
        memcpy(m, from + at, (size_t)(n * n) * sizeof *m);
        if (!invert(m, m + n * n, n)) return ox_fail(r->ctx, OX_BAD_DATA, "a matrix has no inverse");
        for (int64_t i = 0; i < n * n; i++) ox_store_double(y->dtype, ox_tensor_mut(y), at + i, m[n * n + i]);
    }
    return y ? 0 : -1;
}

static int run_distances(ox_run *r) {
    const char *metric = ox_get_string(r->call, "metric");
    bool root = !strcmp(metric, "euclidean");
    const ox_tensor *a = ox_need(r, 0), *b = a ? ox_need(r, 1) : NULL;
    if (!b) return -1;
    if (!root && strcmp(metric, "sqeuclidean")) return ox_fail(r->ctx, OX_UNAVAILABLE, "metric '%s' is not served", metric);
    if (a->rank != 2 || b->rank != 2 || a->dims[1] != b->dims[1] || a->dtype != b->dtype)
        return ox_fail(r->ctx, OX_BAD_DATA, "the inputs are no matrices of one width");
    int64_t m = a->dims[0], k = b->dims[0], n = a->dims[1];
    const double *x = ox_as_doubles(r, a), *z = x ? ox_as_doubles(r, b) : NULL;
    ox_tensor *y = z ? ox_output(r, 0, a->dtype, 2, (int64_t[]){m, k}) : NULL;
    for (int64_t i = 0; y && i < y->count; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) {
            double d = x[i / k * n + j] - z[i % k * n + j];
            sum += d * d;
        }
        ox_store_double(y->dtype, ox_tensor_mut(y), i, root ? sqrt(sum) : sum);
    }
    return y ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------ MurmurHash3 */

static uint32_t turned(uint32_t x, int by) { return x << by | x >> (32 - by); }

static uint32_t scrambled(uint32_t k) { return turned(k * 0xcc9e2d51u, 15) * 0x1b873593u; }

/* The 32-bit form for little-endian machines. */
static uint32_t murmur(const void *data, size_t n, uint32_t h) {
    const uint8_t *p = data;
    uint32_t k;
    for (size_t i = 0; i + 4 <= n; i += 4) {
        memcpy(&k, p + i, 4);
        h = turned(h ^ scrambled(k), 13) * 5 + 0xe6546b64u;
    }
    k = 0;
    for (size_t i = n % 4; i-- > 0;) k = k << 8 | p[n / 4 * 4 + i];
    h ^= scrambled(k) ^ (uint32_t)n;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static int run_hash(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    if (!x) return -1;
    size_t size = ox_dtype_bits(x->dtype) / 8;
    if (x->dtype != OX_STRING && size != 4 && size != 8) return ox_kernel_no_type(r, x->dtype);
    const void *data = ox_tensor_data(x);
    ox_tensor *y = data ? ox_output(r, 0, ox_get_int(r->call, "positive") ? OX_UINT32 : OX_INT32, x->rank, x->dims) : NULL;
    uint32_t *out = y ? ox_tensor_mut(y) : NULL, seed = (uint32_t)ox_get_int(r->call, "seed");
    for (int64_t i = 0; out && i < x->count; i++) {
        const ox_str *s = x->dtype == OX_STRING ? (const ox_str *)data + i : NULL;
        out[i] = s ? murmur(s->data, s->len, seed) : murmur((const char *)data + (size_t)i * size, size, seed);
    }
    return out ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------ CropAndResize */

/* Where pixel i of n lies on an axis of `size` that a box covers from `from` to `to`. */
static float crop_place(float from, float to, int64_t i, int64_t n, int64_t size) {
    float last = (float)(size - 1);
    return n > 1 ? from * last + (float)i * ((to - from) * last / (float)(n - 1)) : 0.5f * (from + to) * last;
}

static float crop_pixel(const float *plane, int64_t h, int64_t w, float y, float x, bool nearest, float outside) {
    if (!(y >= 0 && y <= (float)(h - 1) && x >= 0 && x <= (float)(w - 1))) return outside;
    if (nearest) return plane[(int64_t)roundf(y) * w + (int64_t)roundf(x)];
    int64_t t = (int64_t)floorf(y), b = (int64_t)ceilf(y), l = (int64_t)floorf(x), e = (int64_t)ceilf(x);
    float dy = y - (float)t, dx = x - (float)l;
    float top = plane[t * w + l] + (plane[t * w + e] - plane[t * w + l]) * dx, low = plane[b * w + l] + (plane[b * w + e] - plane[b * w + l]) * dx;
    return top + (low - top) * dy;
}

static int run_crops(ox_run *r) {
    const char *mode = ox_get_string(r->call, "mode");
    const ox_tensor *x = ox_need(r, 0), *rois = x ? ox_need(r, 1) : NULL;
    int64_t n, two;
    const int64_t *at = rois ? ox_run_ints(r, 2, &n) : NULL, *size = at ? ox_run_ints(r, 3, &two) : NULL;
    if (!size) return -1;
    bool fits = x->rank == 4 && rois->rank == 2 && rois->dims[1] == 4 && rois->dims[0] == n && two == 2 && size[0] > 0 && size[1] > 0;
    for (int64_t i = 0; fits && i < n; i++) fits = at[i] >= 0 && at[i] < x->dims[0];
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "boxes or sizes do not fit the images");
    int64_t ch = x->dims[1], h = x->dims[2], w = x->dims[3];
    const float *from = ox_as_floats(r, x), *box = from ? ox_as_floats(r, rois) : NULL, outside = (float)ox_get_float(r->call, "extrapolation_value");
    ox_tensor *y = box ? ox_output(r, 0, x->dtype, 4, (int64_t[]){n, ch, size[0], size[1]}) : NULL;
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!to) return -1;
    for (int64_t i = 0; i < y->count; i++) {
        int64_t c = i % size[1], row = i / size[1] % size[0], channel = i / (size[0] * size[1]) % ch, k = i / (size[0] * size[1] * ch);
        const float *b = box + 4 * k;
        to[i] = crop_pixel(from + (at[k] * ch + channel) * h * w, h, w, crop_place(b[0], b[2], row, size[0], h),
                           crop_place(b[1], b[3], c, size[1], w), !strcmp(mode, "nearest"), outside);
    }
    ox_floats_done(r, y, to);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ others */

/* A token that would end an n-gram which is there already gets the score minus infinity. */
static int run_ngram_block(ox_run *r) {
    const ox_tensor *ids = ox_need(r, 0), *scores = ids ? ox_need(r, 1) : NULL;
    int64_t size = ox_get_int(r->call, "ngram_size");
    const int64_t *id = scores ? ox_run_ints(r, 0, NULL) : NULL;
    if (!id) return -1;
    if (ids->rank != 2 || scores->rank != 2 || ids->dims[0] != scores->dims[0] || size < 1)
        return ox_fail(r->ctx, OX_BAD_DATA, "the inputs do not fit together");
    const float *from = ox_as_floats(r, scores);
    ox_tensor *y = from ? ox_output(r, 0, scores->dtype, 2, scores->dims) : NULL;
    float *to = y ? ox_floats_of(r, y) : NULL;
    if (!to) return -1;
    if (to != from) memcpy(to, from, (size_t)y->count * sizeof *to);
    int64_t length = ids->dims[1], words = scores->dims[1];
    for (int64_t b = 0; b < ids->dims[0]; b++) {
        const int64_t *row = id + b * length;
        for (int64_t i = 0; i + size <= length; i++) {
            int64_t token = row[i + size - 1];
            if (memcmp(row + i, row + length - (size - 1), (size_t)(size - 1) * sizeof *row)) continue;
            if (token < 0 || token >= words) return ox_fail(r->ctx, OX_BAD_DATA, "token %" PRId64 " has no score", token);
            to[b * words + token] = -INFINITY;
        }
    }
    ox_floats_done(r, y, to);
    return 0;
}

static int run_unfold(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    if (!x) return -1;
    int64_t dim = ox_axis(r->call, ox_get_int(r->call, "dim"), x->rank, "dim"), size = ox_get_int(r->call, "size"), step = ox_get_int(r->call, "step");
    if (dim < 0) return -1;
    if (size < 1 || step < 1 || size > x->dims[dim]) return ox_fail(r->ctx, OX_BAD_DATA, "slices of %" PRId64 " do not fit", size);
    int64_t *dims = OX_NEW_N(r->arena, int64_t, x->rank + 1), slices = (x->dims[dim] - size) / step + 1, inner = ox_count(x->dims, (int)dim + 1, x->rank);
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    dims[dim] = slices;
    dims[x->rank] = size;
    ox_mv_out o;
    const char *from = ox_mv_in(r, x);
    if (!from || ox_mv_begin(r, 0, x->dtype, x->rank + 1, dims, &o)) return -1;
    for (int64_t i = 0; i < o.t->count; i++) {
        int64_t k = i % size, in = i / size % inner, s = i / (size * inner) % slices, outer = i / (size * inner * slices);
        memcpy(o.data + (size_t)i * o.size, from + (size_t)((outer * x->dims[dim] + s * step + k) * inner + in) * o.size, o.size);
    }
    return ox_mv_done(r, &o);
}

OX_FAMILY(microsoft_more, "com.microsoft",
    OP("CDist", 1,
       "<metric: string = \"sqeuclidean\">(T A, T B) => (T C) T: double|float",
       .infer = infer_distances, .kernel = run_distances),
    OP("ConvTransposeWithDynamicPads", 1,
       "<auto_pad: string = \"NOTSET\", dilations: ints?, group: int = 1, kernel_shape: ints?, output_padding: ints?, "
       "strides: ints?>(T X, T W, int64? Pads, T? B) => (T Y) T: floats",
       .infer = infer_rank, .kernel = run_conv_transpose),
    OP("CropAndResize", 1,
       "<extrapolation_value: float = 0.0, mode: string = \"bilinear\">(T1 X, T1 rois, T2 batch_indices, T2 crop_size) "
       "=> (T1 Y) T1: floats, T2: int32",
       .infer = infer_crops, .kernel = run_crops),
    OP("GridSample", 1,
       "<align_corners: int = 0, mode: string = \"bilinear\", padding_mode: string = \"zeros\">(T1 X, T1 Grid) => (T2 Y) "
       "T1: any, T2: floats",
       .infer = infer_grid, .kernel = run_grid),
    OP("MatMulInteger16", 1,
       "(T1 A, T2 B) => (T3 Y) T1: int16|uint16, T2: int16|uint16, T3: int32|uint32",
       .infer = infer_integer16, .kernel = ox_ms_run_matmul_integer16),
    OP("MurmurHash3", 1,
       "<positive: int = 1, seed: int = 0>(T1 X) => (T2 Y) T1: double|float|int32|int64|string|uint32|uint64, T2: "
       "int32|uint32",
       .infer = infer_hash, .kernel = run_hash),
    OP("NGramRepeatBlock", 1,
       "<ngram_size: int>(Tid input_ids, T scores) => (T scores_out) Tid: int64, T: float",
       .infer = infer_scores, .kernel = run_ngram_block),
    OP("Range", 1,
       "(T start, T limit, T? delta) => (T Y) T: double|float|int16|int32|int64",
       .infer = infer_range, .kernel = run_range),
    OP("Trilu", 1,
       "<upper: int = 1>(T X, int64? k) => (T Y) T: any",
       .infer = infer_first, .kernel = run_trilu),
    OP("UnfoldTensor", 1,
       "<dim: int = -1, size: int, step: int = 1>(T input) => (T output) T: any",
       .infer = infer_unfold, .kernel = run_unfold),
    OP("Unique", 1,
       "(T x) => (T y, int64 idx, int64 counts) T: float",
       .infer = infer_ms_unique, .kernel = run_ms_unique));
