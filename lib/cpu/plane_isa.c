/* Rows of planar images: see plane.h. Plain loops that become vectors; the strides that occur are written out, so that compilers know them. */
#include "cpu/isa.h"
#include "cpu/plane.h"

OX_IN float larger(float a, float b) { return a > b || a != a ? a : b; } /* a NaN stays */

static void max_down(float *restrict y, const float *restrict x, int64_t stride, int64_t rows, int64_t n) {
    if (rows == 1) {
        memcpy(y, x, (size_t)n * sizeof *y);
    } else if (rows == 2) {
        for (int64_t i = 0; i < n; i++) y[i] = larger(x[stride + i], x[i]);
    } else if (rows == 3) {
        for (int64_t i = 0; i < n; i++) y[i] = larger(x[2 * stride + i], larger(x[stride + i], x[i]));
    } else {
        for (int64_t i = 0; i < n; i++) y[i] = larger(x[stride + i], x[i]);
        for (int64_t r = 2; r < rows; r++)
            for (int64_t i = 0; i < n; i++) y[i] = larger(x[r * stride + i], y[i]);
    }
}

static void sum_down(float *restrict y, const float *restrict x, int64_t stride, int64_t rows, int64_t n) {
    if (rows == 1) {
        memcpy(y, x, (size_t)n * sizeof *y);
        return;
    }
    if (rows == 3) {
        for (int64_t i = 0; i < n; i++) y[i] = x[i] + x[stride + i] + x[2 * stride + i];
        return;
    }
    for (int64_t i = 0; i < n; i++) y[i] = x[i] + x[stride + i];
    for (int64_t r = 2; r < rows; r++)
        for (int64_t i = 0; i < n; i++) y[i] += x[r * stride + i];
}

#define ALONG(step, fold)                                                                                    \
    do {                                                                                                     \
        for (int64_t j = 0; j < n; j++) y[j] = x[j * (step)];                                                \
        for (int64_t k = 1; k < taps; k++) {                                                                 \
            const float *from = x + k * dilation;                                                            \
            for (int64_t j = 0; j < n; j++) y[j] = fold(from[j * (step)], y[j]);                             \
        }                                                                                                    \
    } while (0)
#define PLUS(a, b) ((b) + (a))

static void max_along(float *restrict y, const float *restrict x, int64_t step, int64_t taps, int64_t dilation, int64_t n) {
    if (step == 1 && taps == 3) {
        for (int64_t j = 0; j < n; j++) y[j] = larger(x[j + 2 * dilation], larger(x[j + dilation], x[j]));
    } else if (step == 2 && taps == 2 && dilation == 1) {
        for (int64_t j = 0; j < n; j++) y[j] = larger(x[2 * j + 1], x[2 * j]);
    } else if (step == 2 && taps == 3 && dilation == 1) {
        for (int64_t j = 0; j < n; j++) y[j] = larger(x[2 * j + 2], larger(x[2 * j + 1], x[2 * j]));
    } else if (step == 1) {
        ALONG(1, larger);
    } else if (step == 2) {
        ALONG(2, larger);
    } else {
        ALONG(step, larger);
    }
}

static void sum_along(float *restrict y, const float *restrict x, int64_t step, int64_t taps, int64_t dilation, int64_t n) {
    if (step == 1 && taps == 3) {
        for (int64_t j = 0; j < n; j++) y[j] = x[j] + x[j + dilation] + x[j + 2 * dilation];
    } else if (step == 2 && taps == 2 && dilation == 1) {
        for (int64_t j = 0; j < n; j++) y[j] = x[2 * j] + x[2 * j + 1];
    } else if (step == 2 && taps == 3 && dilation == 1) {
        for (int64_t j = 0; j < n; j++) y[j] = x[2 * j] + x[2 * j + 1] + x[2 * j + 2];
    } else if (step == 1) {
        ALONG(1, PLUS);
    } else if (step == 2) {
        ALONG(2, PLUS);
    } else {
        ALONG(step, PLUS);
    }
}

OX_IN float part(float w, float x) { return w != 0 ? w * x : 0; }

static void weigh(float *restrict y, const float *restrict x, const int32_t *restrict at, const float *restrict w, int taps, int64_t n) {
    if (taps == 2) {
        for (int64_t j = 0; j < n; j++) y[j] = part(w[j], x[at[j]]) + part(w[n + j], x[at[n + j]]);
        return;
    }
    for (int64_t j = 0; j < n; j++) y[j] = part(w[j], x[at[j]]);
    for (int t = 1; t < taps; t++)
        for (int64_t j = 0; j < n; j++) y[j] += part(w[t * n + j], x[at[t * n + j]]);
}

OX_IN void pixels(float *restrict y, const float *restrict x, const int32_t *at, const float *w, int taps, int64_t n, int block) {
    for (int64_t j = 0; j < n; j++, y += block) {
        const float *from = x + (int64_t)at[j] * block;
        if (taps == 1) {
            memcpy(y, from, (size_t)block * sizeof *y);
            continue;
        }
        float f = w[j], sum[16];
        for (int l = 0; l < block; l++) sum[l] = part(f, from[l]);
        for (int t = 1; t < taps; t++) {
            from = x + (int64_t)at[t * n + j] * block;
            f = w[t * n + j];
            for (int l = 0; l < block; l++) sum[l] += part(f, from[l]);
        }
        memcpy(y, sum, (size_t)block * sizeof *y);
    }
}

static void weigh_pixels(float *y, const float *x, const int32_t *at, const float *w, int taps, int64_t n, int64_t block) {
    if (block == 16 && taps == 2)
        pixels(y, x, at, w, 2, n, 16);
    else if (block == 16)
        pixels(y, x, at, w, taps, n, 16);
    else
        pixels(y, x, at, w, taps, n, 8);
}

static void mix(float *restrict y, const float *const *rows, const float *w, int taps, int64_t n) {
    bool first = true;
    for (int t = 0; t < taps; t++) {
        const float *restrict x = rows[t];
        float f = w[t];
        if (f == 0) continue;
        if (first && t + 1 < taps && w[t + 1] != 0) {
            const float *restrict z = rows[t + 1];
            float g = w[++t];
            for (int64_t i = 0; i < n; i++) y[i] = f * x[i] + g * z[i];
        } else if (first) {
            for (int64_t i = 0; i < n; i++) y[i] = f * x[i];
        } else {
            for (int64_t i = 0; i < n; i++) y[i] += f * x[i];
        }
        first = false;
    }
    if (first) memset(y, 0, (size_t)n * sizeof *y);
}

static void pick(uint32_t *restrict y, const uint32_t *restrict x, const int32_t *restrict at, int64_t n) {
    for (int64_t j = 0; j < n; j++) y[j] = x[at[j]];
}

static void twice(uint32_t *restrict y, const uint32_t *restrict x, int64_t n) {
    for (int64_t j = 0; j < n / 2; j++) y[2 * j] = y[2 * j + 1] = x[j];
    if (n % 2) y[n - 1] = x[n / 2];
}

extern const ox_plane OX_ISA(ox_plane_of);
const ox_plane OX_ISA(ox_plane_of) = {max_down, sum_down, max_along, sum_along, weigh, weigh_pixels, mix, pick, twice};
