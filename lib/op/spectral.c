/* Fourier transforms: rows, rules, kernels. Transforms of any length cost n log n: powers of two directly, other
 * lengths as a convolution of a power of two (Bluestein). Everything is computed in double. */
#include "op/compute.h"

#define PI 3.14159265358979323846

/* ---- shape rules */

static int lift_axis(ox_call *c) {
    ox_lift_ints_to_input(c, "axis", 2);
    return 0;
}

/* The only element of input i: an expression, or NULL when unknown. *given: is the input there? */
static ox_dim scalar_of(ox_call *c, int i, bool *given) {
    int64_t n;
    *given = ox_arg_given(c, i);
    const ox_dim *elems = *given ? ox_in_elems(c, i, &n) : NULL;
    return elems && n == 1 ? elems[0] : NULL;
}

static ox_dim half_of(ox_call *c, ox_dim n) {
    return ox_dim_addi(c->ctx, ox_dim_floordiv(c->ctx, n, ox_dim_const(c->ctx, 2)), 1);
}

static int infer_dft(ox_call *c) {
    int rank = ox_in_rank(c, 0);
    const ox_dim *x = ox_in_dims(c, 0);
    bool inverse = ox_get_int(c, "inverse") != 0, onesided = ox_get_int(c, "onesided") != 0, has_length, has_axis;
    ox_dim length = scalar_of(c, 1, &has_length), at = scalar_of(c, 2, &has_axis);
    int64_t axis = -2, n;
    if (x && rank < 2) return ox_fail(c->ctx, OX_BAD_DATA, "the input has rank %d, but at least 2 is needed", rank);
    if (has_length && ox_dim_is_const(length, &n) && n < 1)
        return ox_fail(c->ctx, OX_BAD_DATA, "a transform of length %" PRId64 " cannot be", n);
    bool known = x && (!has_axis || ox_dim_is_const(at, &axis));
    if (known && (axis = ox_axis(c, axis, rank, "axis")) < 0) return -1;
    if (known && axis == rank - 1) return ox_fail(c->ctx, OX_BAD_DATA, "the last axis holds real and imaginary parts");
    ox_dim *dims = OX_NEW_N(c->arena, ox_dim, rank + 1);
    for (int d = 0; d < rank; d++) dims[d] = known || (x && !has_length && !onesided) ? x[d] : NULL;
    if (rank > 0) dims[rank - 1] = ox_dim_const(c->ctx, inverse && onesided ? 1 : 2);
    if (known) {
        ox_dim twice = ox_dim_mul(c->ctx, ox_dim_addi(c->ctx, x[axis], -1), ox_dim_const(c->ctx, 2));
        ox_dim all = has_length ? length : inverse && onesided ? twice : x[axis];
        dims[axis] = onesided && !inverse ? half_of(c, all) : all;
    }
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), rank, dims);
    return 0;
}

static int infer_stft(ox_call *c) {
    bool has_step, has_length;
    const ox_dim *x = ox_in_dims(c, 0), *window = ox_in_dims(c, 2);
    ox_dim step = scalar_of(c, 1, &has_step), length = scalar_of(c, 3, &has_length);
    int64_t n;
    /* The standard says rank 3; exporters leave out the last 1 of real signals, and runtimes take that. */
    if (x && ox_in_rank(c, 0) != 3 && ox_in_rank(c, 0) != 2)
        return ox_fail(c->ctx, OX_BAD_DATA, "the signal has rank %d, but 3 is needed", ox_in_rank(c, 0));
    if ((ox_dim_is_const(step, &n) && n < 1) || (ox_dim_is_const(length, &n) && n < 1))
        return ox_fail(c->ctx, OX_BAD_DATA, "frame_step and frame_length must be positive");
    if (!has_length) length = ox_arg_given(c, 2) ? window && ox_in_rank(c, 2) == 1 ? window[0] : NULL : x ? x[1] : NULL;
    ox_dim frames = x ? ox_dim_addi(c->ctx, ox_dim_floordiv(c->ctx, ox_dim_sub(c->ctx, x[1], length), step), 1) : NULL;
    if (ox_dim_is_const(frames, &n) && n < 0) return ox_fail(c->ctx, OX_BAD_DATA, "a frame is longer than the signal");
    ox_dim dims[4] = {x ? x[0] : NULL, frames, ox_get_int(c, "onesided") ? half_of(c, length) : length,
                      ox_dim_const(c->ctx, 2)};
    ox_out_tensor(c, 0, ox_out_dtype(c, 0), 4, dims);
    return 0;
}

/* ---- the transform */

typedef struct fft {
    int64_t n, m;         /* length; power of two that serves it */
    double *re, *im;      /* room for m numbers each */
    double *turns;        /* cos and sin of PI * k / half at [half + k], for every power of two half < m: [2, m] */
    double *chirp, *kernel; /* of other lengths: cos and sin [2, n]; transformed [2, m] */
} fft;

static void make_turns(double *turns, int64_t m) {
    for (int64_t half = 1; half < m; half *= 2)
        for (int64_t k = 0; k < half; k++) {
            double angle = PI * (double)k / (double)half;
            turns[half + k] = cos(angle);
            turns[m + half + k] = sin(angle);
        }
}

static void reverse_bits(double *re, double *im, int64_t m) {
    for (int64_t i = 1, j = 0; i < m; i++) {
        int64_t bit = m >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            double a = re[i], b = im[i];
            re[i] = re[j];
            im[i] = im[j];
            re[j] = a;
            im[j] = b;
        }
    }
}

/* All steps of a transform whose elements are in the order of their reversed bits. */
OX_INLINE void butterflies_in(double *restrict re, double *restrict im, int64_t m, double sign, const double *turns) {
    for (int64_t i = 0; i + 1 < m; i += 2) { /* half 1: no turn */
        double a = re[i + 1], b = im[i + 1];
        re[i + 1] = re[i] - a;
        im[i + 1] = im[i] - b;
        re[i] += a;
        im[i] += b;
    }
    for (int64_t half = 2; half < m; half *= 2) {
        const double *restrict c = turns + half, *restrict s = turns + m + half;
        for (int64_t i = 0; i < m; i += 2 * half) {
            double *restrict r0 = re + i, *restrict i0 = im + i, *restrict r1 = r0 + half, *restrict i1 = i0 + half;
            for (int64_t k = 0; k < half; k++) {
                double t = sign * s[k], a = r1[k] * c[k] - i1[k] * t, b = r1[k] * t + i1[k] * c[k];
                r1[k] = r0[k] - a;
                i1[k] = i0[k] - b;
                r0[k] += a;
                i0[k] += b;
            }
        }
    }
}

OX_WIDER static void butterflies_wider(double *re, double *im, int64_t m, double sign, const double *turns) { butterflies_in(re, im, m, sign, turns); }

/* In place, m a power of two; sign -1: forward. Not scaled. */
static void power_of_two(double *re, double *im, int64_t m, double sign, const double *turns) {
    reverse_bits(re, im, m);
    if (OX_HAS_WIDER())
        butterflies_wider(re, im, m, sign, turns);
    else
        butterflies_in(re, im, m, sign, turns);
}

static int make_fft(ox_run *r, fft *f, int64_t n) {
    *f = (fft){.n = n, .m = 1};
    if (n > (int64_t)1 << 40) return ox_fail(r->ctx, OX_BAD_DATA, "a transform of length %" PRId64 " cannot be", n);
    while (f->m < n) f->m *= 2;
    bool direct = f->m == n;
    while (!direct && f->m < 2 * n - 1) f->m *= 2;
    f->re = ox_scratch(r, (uint64_t)f->m * 6 * sizeof *f->re);
    if (!f->re) return -1;
    f->im = f->re + f->m;
    f->turns = f->im + 3 * f->m;
    make_turns(f->turns, f->m);
    if (direct) return 0;
    f->kernel = f->im + f->m;
    f->chirp = ox_scratch(r, (uint64_t)n * 2 * sizeof *f->chirp);
    if (!f->chirp) return -1;
    memset(f->kernel, 0, (size_t)f->m * 2 * sizeof *f->kernel);
    for (int64_t k = 0, square = 0; k < n; square = (square + 2 * k + 1) % (2 * n), k++) {
        double angle = PI * (double)square / (double)n; /* k * k, of which whole turns do not count */
        f->chirp[k] = cos(angle);
        f->chirp[n + k] = sin(angle);
        f->kernel[k] = f->kernel[k ? f->m - k : 0] = f->chirp[k];
        f->kernel[f->m + k] = f->kernel[f->m + (k ? f->m - k : 0)] = f->chirp[n + k];
    }
    power_of_two(f->kernel, f->kernel + f->m, f->m, -1, f->turns);
    return 0;
}

/* Forward transform of the n numbers in re, im. */
static void forward(fft *f) {
    if (!f->chirp) {
        power_of_two(f->re, f->im, f->m, -1, f->turns);
        return;
    }
    const double *c = f->chirp, *s = f->chirp + f->n, *kr = f->kernel, *ki = f->kernel + f->m;
    for (int64_t k = 0; k < f->m; k++) {
        double a = k < f->n ? f->re[k] * c[k] + f->im[k] * s[k] : 0,
               b = k < f->n ? f->im[k] * c[k] - f->re[k] * s[k] : 0;
        f->re[k] = a;
        f->im[k] = b;
    }
    power_of_two(f->re, f->im, f->m, -1, f->turns);
    for (int64_t k = 0; k < f->m; k++) {
        double a = f->re[k] * kr[k] - f->im[k] * ki[k], b = f->re[k] * ki[k] + f->im[k] * kr[k];
        f->re[k] = a;
        f->im[k] = b;
    }
    power_of_two(f->re, f->im, f->m, 1, f->turns);
    for (int64_t k = 0; k < f->n; k++) {
        double a = f->re[k] / (double)f->m, b = f->im[k] / (double)f->m;
        f->re[k] = a * c[k] + b * s[k];
        f->im[k] = b * c[k] - a * s[k];
    }
}

/* ---- DFT */

typedef struct dft {
    int64_t outer, in, inner, out, length;
    int parts_in, parts_out;
    bool inverse, onesided;
} dft;

/* One row: elements `inner` apart, each of one or two parts. */
static void transform_row(const dft *d, fft *f, const double *x, double *y) {
    int64_t n = d->length, have = d->in < n ? d->in : n;
    for (int64_t k = 0; k < n; k++) {
        bool mirrored = d->inverse && d->onesided && k > n / 2; /* the half that is not given */
        int64_t at = mirrored ? n - k : k;
        f->re[k] = at < have ? x[at * d->inner * d->parts_in] : 0;
        f->im[k] = at < have && d->parts_in == 2 ? x[at * d->inner * 2 + 1] : 0;
        if (mirrored) f->im[k] = -f->im[k];
        if (d->inverse) f->im[k] = -f->im[k]; /* the inverse is the conjugate of the transform of the conjugate */
    }
    forward(f);
    double scale = d->inverse ? 1 / (double)n : 1;
    for (int64_t k = 0; k < d->out; k++) {
        y[k * d->inner * d->parts_out] = f->re[k] * scale;
        if (d->parts_out == 2) y[k * d->inner * 2 + 1] = f->im[k] * (d->inverse ? -scale : scale);
    }
}

/* The scalar input i, or what is said when it is absent. */
static int scalar_input(ox_run *r, int i, int64_t absent, int64_t *out) {
    int64_t n;
    *out = absent;
    if (!ox_input(r, i)) return 0;
    const int64_t *v = ox_run_ints(r, i, &n);
    if (!v) return -1;
    if (n != 1) return ox_fail(r->ctx, OX_BAD_DATA, "input %d must be a scalar", i);
    *out = v[0];
    return 0;
}

static int run_dft(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    int64_t axis, last = x && x->rank ? x->dims[x->rank - 1] : 0;
    fft f;
    if (!x || !ox_ok_float(r, x) || scalar_input(r, 2, -2, &axis) < 0) return -1;
    if (x->rank < 2 || (last != 1 && last != 2))
        return ox_fail(r->ctx, OX_BAD_DATA, "the last axis must hold one or two parts of numbers");
    if ((axis = ox_axis(r->call, axis, x->rank, "axis")) < 0) return -1;
    if (axis == x->rank - 1) return ox_fail(r->ctx, OX_BAD_DATA, "the last axis holds real and imaginary parts");
    dft d = {.outer = ox_count(x->dims, 0, (int)axis),
             .in = x->dims[axis],
             .inner = ox_count(x->dims, (int)axis + 1, x->rank - 1),
             .parts_in = (int)last,
             .inverse = ox_get_int(r->call, "inverse") != 0,
             .onesided = ox_get_int(r->call, "onesided") != 0};
    bool real_out = d.inverse && d.onesided;
    d.parts_out = real_out ? 1 : 2;
    if (scalar_input(r, 1, real_out ? 2 * (d.in - 1) : d.in, &d.length) < 0) return -1;
    if (d.length < 1) return ox_fail(r->ctx, OX_BAD_DATA, "a transform of length %" PRId64 " cannot be", d.length);
    d.out = d.onesided && !d.inverse ? d.length / 2 + 1 : d.length;
    int64_t *dims = ox_dup(r->arena, x->dims, (size_t)x->rank * sizeof *dims);
    dims[axis] = d.out;
    dims[x->rank - 1] = d.parts_out;
    ox_tensor *y = ox_output(r, 0, x->dtype, x->rank, dims);
    if (!y || make_fft(r, &f, d.length) < 0) return -1;
    const double *from = ox_as_doubles(r, x);
    double *to = ox_scratch(r, (uint64_t)y->count * sizeof *to);
    if (!from || !to) return -1;
    for (int64_t i = 0; i < d.outer * d.inner; i++) {
        int64_t o = i / d.inner, k = i % d.inner;
        transform_row(&d, &f, from + (o * d.in * d.inner + k) * d.parts_in,
                      to + (o * d.out * d.inner + k) * d.parts_out);
    }
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, to);
    return 0;
}

/* ---- STFT */

typedef struct frames { int64_t count, step, length, bins; } frames;

static int read_frames(ox_run *r, frames *v, const ox_tensor *x) {
    const ox_tensor *window = ox_input(r, 2);
    if (x->rank != 2 && (x->rank != 3 || (x->dims[2] != 1 && x->dims[2] != 2)))
        return ox_fail(r->ctx, OX_BAD_DATA, "the signal must be [batch, length, 1 or 2]");
    if (window && window->rank != 1) return ox_fail(r->ctx, OX_BAD_DATA, "the window must have rank 1");
    if (scalar_input(r, 1, 0, &v->step) < 0 || scalar_input(r, 3, window ? window->count : x->dims[1], &v->length) < 0)
        return -1;
    if (v->step < 1 || v->length < 1 || v->length > x->dims[1])
        return ox_fail(r->ctx, OX_BAD_DATA,
                       "frames of %" PRId64 ", a step of %" PRId64 " and a signal of %" PRId64 " do not go together",
                       v->length, v->step, x->dims[1]);
    if (window && window->count != v->length)
        return ox_fail(r->ctx, OX_BAD_DATA, "the window is not as long as a frame");
    v->count = (x->dims[1] - v->length) / v->step + 1;
    v->bins = ox_get_int(r->call, "onesided") ? v->length / 2 + 1 : v->length;
    return 0;
}

static const double *frame_of(const frames *v, const ox_tensor *x, const double *from, int64_t parts, int64_t i) {
    return from + (i / v->count * x->dims[1] + i % v->count * v->step) * parts;
}

/* Two real frames were transformed as real and imaginary part of one: what they are by themselves. */
static void put_two(const fft *f, const frames *v, double *a, double *b) {
    for (int64_t k = 0; k < v->bins; k++) {
        int64_t m = k ? v->length - k : 0; /* the mirrored bin */
        a[2 * k] = (f->re[k] + f->re[m]) / 2;
        a[2 * k + 1] = (f->im[k] - f->im[m]) / 2;
        if (!b) continue;
        b[2 * k] = (f->im[k] + f->im[m]) / 2;
        b[2 * k + 1] = (f->re[m] - f->re[k]) / 2;
    }
}

static int run_stft(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0), *window = ox_input(r, 2);
    frames v = {0};
    fft f;
    if (!x || !ox_ok_float(r, x) || read_frames(r, &v, x) < 0) return -1;
    ox_tensor *y = ox_output(r, 0, x->dtype, 4, (int64_t[]){x->dims[0], v.count, v.bins, 2});
    if (!y || make_fft(r, &f, v.length) < 0) return -1;
    const double *from = ox_as_doubles(r, x), *w = window ? ox_as_doubles(r, window) : NULL;
    double *to = ox_scratch(r, (uint64_t)y->count * sizeof *to);
    if (!from || !to || (window && !w)) return -1;
    int64_t parts = x->rank == 3 ? x->dims[2] : 1, all = x->dims[0] * v.count;
    for (int64_t i = 0; i < all; i += parts == 1 ? 2 : 1) {
        const double *start = frame_of(&v, x, from, parts, i);
        const double *second = parts == 1 && i + 1 < all ? frame_of(&v, x, from, parts, i + 1) : NULL;
        for (int64_t k = 0; k < v.length; k++) {
            double by = w ? w[k] : 1;
            f.re[k] = start[k * parts] * by;
            f.im[k] = parts == 2 ? start[k * parts + 1] * by : second ? second[k] * by : 0;
        }
        forward(&f);
        if (parts == 1)
            put_two(&f, &v, to + i * v.bins * 2, second ? to + (i + 1) * v.bins * 2 : NULL);
        else
            for (int64_t k = 0; k < v.bins; k++) {
                to[(i * v.bins + k) * 2] = f.re[k];
                to[(i * v.bins + k) * 2 + 1] = f.im[k];
            }
    }
    ox_store_doubles(y->dtype, ox_tensor_mut(y), y->count, to);
    return 0;
}

OX_FAMILY(spectral, "",
    OP("DFT", 20,
       "<inverse: int = 0, onesided: int = 0>(T1 input, T2? dft_length, int64? axis) => (T1 output) T1: "
       "floats|bfloat16, T2: int32|int64",
       .infer = infer_dft, .kernel = run_dft),
    OP("DFT", 17,
       "<axis: int = 1, inverse: int = 0, onesided: int = 0>(T1 input, T2? dft_length) => (T1 output) "
       "T1: floats|bfloat16, T2: int32|int64",
       .lift = lift_axis),
    OP("STFT", 17,
       "<onesided: int = 1>(T1 signal, T2 frame_step, T1? window, T2? frame_length) => (T1 output) T1: "
       "floats|bfloat16, T2: int32|int64",
       .infer = infer_stft, .kernel = run_stft));
