/* Convolutions in one type of real numbers: included by conv_kernels.c with REAL (float or double), R(name) and GEMM
 * defined.
 *
 * Unfolding writes, for a tile of output positions, the input elements that meet every kernel position: a matrix
 * [channels * kernel, positions]. The tile bounds the scratch memory. Folding is the way back. */

/* out[i] = row[first + i * step], zeros outside of [lo, hi). */
static void R(unfold_run)(const ox_walk *k, const REAL *x, int64_t step, REAL *out) {
    for (int64_t i = 0; i < k->lo; i++) out[i] = 0;
    const REAL *from = x + (k->row < 0 ? 0 : k->row + k->first);
    if (step == 1) {
        if (k->hi > k->lo) memcpy(out + k->lo, from, (size_t)(k->hi - k->lo) * sizeof *out);
    } else {
        for (int64_t i = k->lo, j = 0; i < k->hi; i++, j += step) out[i] = from[j];
    }
    for (int64_t i = k->hi; i < k->run; i++) out[i] = 0;
}

static void R(unfold)(ox_ctx *ctx, const ox_image *im, const REAL *x, int64_t channels, int64_t first, int64_t cols,
                      REAL *to) {
    int64_t rows = channels * im->kernel_size, step = im->stride[im->n - 1];
#pragma omp parallel for num_threads(ox_threads_for(ctx, rows * cols)) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        ox_walk k;
        const REAL *plane = x + row / im->kernel_size * im->in_size;
        REAL *out = to + row * cols;
        ox_walk_init(&k, im, row % im->kernel_size, first, cols);
        for (; ox_walk_next(&k); out += k.run) R(unfold_run)(&k, plane, step, out);
    }
}

/* Adds what lies in FROM [channels * kernel, cols] to the image. */
static void R(fold)(ox_ctx *ctx, const ox_image *im, const REAL *from, int64_t channels, int64_t first, int64_t cols,
                    REAL *x) {
    int64_t step = im->stride[im->n - 1];
#pragma omp parallel for num_threads(ox_threads_for(ctx, channels * im->kernel_size * cols)) schedule(static)
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t p = 0; p < im->kernel_size; p++) {
            ox_walk k;
            const REAL *in = from + (c * im->kernel_size + p) * cols;
            ox_walk_init(&k, im, p, first, cols);
            for (; ox_walk_next(&k); in += k.run) {
                if (k.row < 0) continue;
                REAL *to = x + c * im->in_size + k.row + k.first;
                for (int64_t i = k.lo, j = 0; i < k.hi; i++, j += step) to[j] += in[i];
            }
        }
    }
}

static void R(fill_bias)(REAL *y, const REAL *bias, int64_t channels, int64_t size) {
    for (int64_t c = 0; c < channels; c++) {
        REAL b = bias ? bias[c] : 0;
        for (int64_t i = 0; i < size; i++) y[c * size + i] = b;
    }
}

/* Up to TAPS kernel positions from P on: their products, added up in order, for output positions [first, first + n). */
OX_INLINE void R(depthwise_taps)(const ox_image *im, const REAL *x, const REAL *w, int64_t p, int64_t first, int64_t n, REAL *sum) {
    int64_t step = im->stride[im->n - 1], last = p + TAPS < im->kernel_size ? p + TAPS : im->kernel_size;
    for (int64_t i = 0; i < n; i++) sum[i] = 0;
    for (; p < last; p++) {
        ox_walk k;
        REAL f = w[p], *out = sum;
        ox_walk_init(&k, im, p, first, n);
        for (; ox_walk_next(&k); out += k.run) {
            if (k.row < 0) continue;
            const REAL *in = x + k.row + k.first;
            REAL *to = out + k.lo;
            int64_t many = k.hi - k.lo;
            if (step == 1) {
                for (int64_t i = 0; i < many; i++) to[i] += f * in[i];
            } else if (step == 2) {
                for (int64_t i = 0; i < many; i++) to[i] += f * in[2 * i];
            } else {
                for (int64_t i = 0; i < many; i++) to[i] += f * in[i * step];
            }
        }
    }
}

/* One output plane of a convolution whose groups have one input channel: sums of TAPS products are added, each product rounded, and the bias
 * last, as others do it: what is quantized afterwards shows every difference. */
OX_INLINE void R(depthwise_plane_in)(const ox_image *im, const REAL *x, const REAL *w, REAL bias, REAL *y) {
    REAL sum[PART];
    for (int64_t first = 0; first < im->out_size; first += PART, y += PART) {
        int64_t n = im->out_size - first < PART ? im->out_size - first : PART;
        R(depthwise_taps)(im, x, w, 0, first, n, y);
        for (int64_t p = TAPS; p < im->kernel_size; p += TAPS) {
            R(depthwise_taps)(im, x, w, p, first, n, sum);
            for (int64_t i = 0; i < n; i++) y[i] += sum[i];
        }
        for (int64_t i = 0; i < n; i++) y[i] += bias;
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void R(depthwise_plane_wide)(const ox_image *im, const REAL *x, const REAL *w, REAL bias, REAL *y) {
    R(depthwise_plane_in)(im, x, w, bias, y);
}
#endif

static void R(depthwise_plane)(const ox_image *im, const REAL *x, const REAL *w, REAL bias, REAL *y) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        R(depthwise_plane_wide)(im, x, w, bias, y);
        return;
    }
#endif
    R(depthwise_plane_in)(im, x, w, bias, y);
}

static void R(depthwise)(ox_ctx *ctx, const conv *v, const REAL *x, const REAL *w, const REAL *bias, REAL *y) {
    const ox_image *im = &v->image;
    int64_t planes = v->batch * v->out_channels, per_group = v->out_channels / v->groups;
#pragma omp parallel for num_threads(ox_threads_for(ctx, planes * im->out_size * im->kernel_size)) schedule(static)
    for (int64_t i = 0; i < planes; i++) {
        int64_t n = i / v->out_channels, m = i % v->out_channels;
        R(depthwise_plane)(im, x + (n * v->groups + m / per_group) * im->in_size, w + m * im->kernel_size, bias ? bias[m] : 0, y + i * im->out_size);
    }
}

/* ---- few channels: no unfolding. The image is copied once with its pads around it, so that nothing has to be
 * tested; then LANES columns of ROWS output channels are summed up in registers. */

typedef REAL R(vector) __attribute__((vector_size(32))); /* two for each row fit the registers */

/* out[ROWS][LANES] = sum over p of w[p][ROWS] * x[offset[p] + 0..LANES). */
OX_INLINE void R(direct_block)(const REAL *x, const int64_t *offset, const REAL *w, int64_t depth, REAL *out) {
    R(vector) a0 = {0}, a1 = {0}, b0 = {0}, b1 = {0}, c0 = {0}, c1 = {0}, d0 = {0}, d1 = {0}, v, u;
    for (int64_t p = 0; p < depth; p++, w += ROWS) {
        memcpy(&v, x + offset[p], sizeof v);
        memcpy(&u, x + offset[p] + LANES / 2, sizeof u);
        a0 += v * w[0];
        a1 += u * w[0];
        b0 += v * w[1];
        b1 += u * w[1];
        c0 += v * w[2];
        c1 += u * w[2];
        d0 += v * w[3];
        d1 += u * w[3];
    }
    R(vector) all[2 * ROWS] = {a0, a1, b0, b1, c0, c1, d0, d1};
    memcpy(out, all, sizeof all);
}

/* One row of all output channels of a group: WIDE columns from the padded image at X. */
OX_INLINE void R(direct_row_in)(const direct *d, const REAL *x, const REAL *w, const REAL *bias, int64_t wide, int64_t plane,
                          REAL *y) {
    REAL out[ROWS * LANES];
    for (int64_t m = 0; m < d->channels; m += ROWS, w += d->depth * ROWS) {
        for (int64_t j = 0; j < wide; j += LANES) {
            int64_t n = wide - j < LANES ? wide - j : LANES, rows = d->channels - m < ROWS ? d->channels - m : ROWS;
            R(direct_block)(x + j, d->offset, w, d->depth, out);
            for (int64_t i = 0; i < rows; i++) {
                REAL b = bias ? bias[m + i] : 0;
                for (int64_t k = 0; k < n; k++) y[(m + i) * plane + j + k] = out[i * LANES + k] + b;
            }
        }
    }
}

OX_WIDER static void R(direct_row_wider)(const direct *d, const REAL *x, const REAL *w, const REAL *bias, int64_t wide,
                                         int64_t plane, REAL *y) {
    R(direct_row_in)(d, x, w, bias, wide, plane, y);
}

static void R(direct_row)(const direct *d, const REAL *x, const REAL *w, const REAL *bias, int64_t wide, int64_t plane,
                          REAL *y) {
    if (OX_HAS_WIDER())
        R(direct_row_wider)(d, x, w, bias, wide, plane, y);
    else
        R(direct_row_in)(d, x, w, bias, wide, plane, y);
}

/* Weights [channels, depth] as [channels / ROWS, depth, ROWS], filled up with zeros. */
static void R(pack_weights)(const direct *d, const REAL *w, REAL *to) {
    for (int64_t m = 0; m < d->channels; m += ROWS) {
        for (int64_t p = 0; p < d->depth; p++) {
            for (int64_t i = 0; i < ROWS; i++) *to++ = m + i < d->channels ? w[(m + i) * d->depth + p] : 0;
        }
    }
}

/* Copies planes into the middle of padded ones. */
static void R(pad_planes)(const ox_image *im, const direct *d, const REAL *x, int64_t channels, REAL *to) {
    int last = im->n - 1;
    int64_t rows = im->in_size / im->in[last];
    memset(to, 0, (size_t)(channels * d->plane) * sizeof *to);
    for (int64_t i = 0; i < channels * rows; i++) {
        int64_t at = im->begin[last], rest = i % rows;
        for (int k = last - 1; k >= 0; k--) {
            at += (rest % im->in[k] + im->begin[k]) * d->stride[k];
            rest /= im->in[k];
        }
        memcpy(to + i / rows * d->plane + at, x + i * im->in[last], (size_t)im->in[last] * sizeof *to);
    }
}

static int R(convolve_direct)(ox_run *r, const conv *v, const direct *d, const REAL *x, const REAL *w, const REAL *bias,
                              REAL *y) {
    const ox_image *im = &v->image;
    int last = im->n - 1;
    int64_t c = v->in_channels / v->groups, m = d->channels, wide = im->out[last], rows = im->out_size / wide;
    int64_t packed = (m + ROWS - 1) / ROWS * ROWS * d->depth;
    REAL *padded = ox_scratch(r, (uint64_t)(c * d->plane + LANES) * sizeof *padded),
         *all = ox_scratch(r, (uint64_t)(packed * v->groups) * sizeof *all);
    if (!padded || !all) return -1;
    for (int64_t g = 0; g < v->groups; g++) R(pack_weights)(d, w + g * m * d->depth, all + g * packed);
    memset(padded + c * d->plane, 0, LANES * sizeof *padded);
    for (int64_t i = 0; i < v->batch * v->groups; i++) {
        int64_t g = i % v->groups;
        R(pad_planes)(im, d, x + i * c * im->in_size, c, padded);
#pragma omp parallel for num_threads(ox_threads_for(r->ctx, im->out_size * m * d->depth)) schedule(static)
        for (int64_t row = 0; row < rows; row++) {
            int64_t at = 0, rest = row;
            for (int k = last - 1; k >= 0; k--) {
                at += rest % im->out[k] * im->stride[k] * d->stride[k];
                rest /= im->out[k];
            }
            R(direct_row)
            (d, padded + at, all + g * packed, bias ? bias + g * m : NULL, wide, im->out_size,
             y + i * m * im->out_size + row * wide);
        }
    }
    return 0;
}

static void R(add_bias)(REAL *y, const REAL *bias, int64_t channels, int64_t size) {
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < size; i++) y[c * size + i] += bias[c];
}

/* c[m, n] = a[m, depth] b[depth, n], where sums over SLICE of the depth are added: as in depthwise_plane(). PART has room for m * n. */
static void R(sliced_product)(ox_ctx *ctx, int64_t m, int64_t n, int64_t depth, int64_t slice, const REAL *a, const REAL *b, REAL *part, REAL *c,
                              int64_t ldc) {
    GEMM(ctx, false, false, m, n, depth < slice ? depth : slice, 1, a, depth, b, n, 0, c, ldc);
    for (int64_t k = slice; k < depth; k += slice) {
        GEMM(ctx, false, false, m, n, depth - k < slice ? depth - k : slice, 1, a + k, depth, b + k * n, n, 0, part, n);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) c[i * ldc + j] += part[i * n + j];
    }
}

static int R(convolve)(ox_run *r, const conv *v, const REAL *x, const REAL *w, const REAL *bias, REAL *y) {
    const ox_image *im = &v->image;
    if (v->in_channels == v->groups && (v->groups > 1 || v->out_channels == 1)) {
        R(depthwise)(r->ctx, v, x, w, bias, y);
        return 0;
    }
    int64_t c = v->in_channels / v->groups, m = v->out_channels / v->groups, depth = c * im->kernel_size, slice = ox_depth_slice(im->out_size, depth);
    direct d;
    if (depth <= slice && is_direct(r, v, &d)) return R(convolve_direct)(r, v, &d, x, w, bias, y);
    int64_t tile = im->out_size, many;
    REAL *cols = v->pointwise ? NULL : tile_room(r, im->out_size, depth, sizeof *cols, &tile), *part = NULL;
    if (!v->pointwise && !cols) return -1;
    if (!ox_mul_ok(m, tile, &many)) return ox_fail(r->ctx, OX_NO_MEMORY, "the convolution is too large");
    if (depth > slice && !(part = ox_scratch(r, (uint64_t)many * sizeof *part))) return -1;
    for (int64_t i = 0; i < v->batch * v->groups; i++) {
        int64_t g = i % v->groups;
        const REAL *in = x + i * c * im->in_size;
        REAL *out = y + i * m * im->out_size;
        for (int64_t at = 0; at < im->out_size; at += tile) {
            int64_t n = im->out_size - at < tile ? im->out_size - at : tile;
            if (!v->pointwise) R(unfold)(r->ctx, im, in, c, at, n, cols);
            R(sliced_product)(r->ctx, m, n, depth, slice, w + g * m * depth, v->pointwise ? in : cols, part, out + at, im->out_size);
        }
        if (bias) R(add_bias)(out, bias + g * m, m, im->out_size);
    }
    return 0;
}

/* The image is the output here: every input position is spread over a window of it. */
static int R(spread)(ox_run *r, const conv *v, const REAL *x, const REAL *w, const REAL *bias, REAL *y) {
    const ox_image *im = &v->image;
    int64_t c = v->in_channels / v->groups, m = v->out_channels / v->groups, rows = m * im->kernel_size;
    int64_t tile = 0;
    REAL *cols = tile_room(r, im->out_size, rows, sizeof *cols, &tile);
    if (!cols) return -1;
    for (int64_t i = 0; i < v->batch * v->groups; i++) {
        int64_t g = i % v->groups;
        REAL *out = y + i * m * im->in_size;
        R(fill_bias)(out, bias ? bias + g * m : NULL, m, im->in_size);
        for (int64_t at = 0; at < im->out_size; at += tile) {
            int64_t n = im->out_size - at < tile ? im->out_size - at : tile;
            GEMM(r->ctx, true, false, rows, n, c, 1, w + g * c * rows, rows, x + i * c * im->out_size + at,
                 im->out_size, 0, cols, n);
            R(fold)(r->ctx, im, cols, m, at, n, out);
        }
    }
    return 0;
}
