/* The transforms of Winograd's convolutions by 3x3 kernels: F(2x2) with the points 0, 1, -1 and infinity, F(4x4) with 0, a, -a, b, -b and
 * infinity, where a is the root of 1/2 and b the root of 2. With these a tile of 4x4 loses about half of the bits that it loses with 1 and 2, and as
 * a * b is 1, most factors are 1. A transform is done to the columns of a tile and then to its rows. */
#include "cpu/conv_tile.h"
#include "cpu/extremes.h"
#include "cpu/winograd.h"

enum { BLOCK = OX_VLEN == 16 ? 16 : 8 };

static const float a = 0.70710678f, b = 1.41421356f;

OX_IN void in_line2(const vf *x, vf *v) {
    v[0] = x[0] - x[2];
    v[1] = x[1] + x[2];
    v[2] = x[2] - x[1];
    v[3] = x[1] - x[3];
}

OX_IN void in_line4(const vf *x, vf *v) {
    vf even_a = x[4] - 2 * x[2], odd_a = a * (x[3] - 2 * x[1]);
    vf even_b = x[4] - 0.5f * x[2], odd_b = b * (x[3] - 0.5f * x[1]);
    v[0] = (x[0] + x[4]) - 2.5f * x[2];
    v[1] = even_a + odd_a;
    v[2] = even_a - odd_a;
    v[3] = even_b + odd_b;
    v[4] = even_b - odd_b;
    v[5] = (x[1] + x[5]) - 2.5f * x[3];
}

OX_IN void out_line2(const vf *m, vf *y) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
}

OX_IN void out_line4(const vf *m, vf *y) {
    vf even_a = m[1] + m[2], odd_a = a * (m[1] - m[2]), even_b = m[3] + m[4], odd_b = b * (m[3] - m[4]);
    y[0] = m[0] + even_a + even_b;
    y[1] = odd_a + odd_b;
    y[2] = 0.5f * even_a + 2 * even_b;
    y[3] = 0.5f * odd_a + 2 * odd_b + m[5];
}

OX_IN void in(const float *x, int64_t row, float *v, int64_t step, const int side) {
#pragma GCC unroll 2
    for (int at = 0; at < BLOCK; at += OX_VLEN) {
        vf half[OX_WINOGRAD_SIDE][OX_WINOGRAD_SIDE];
#pragma GCC unroll 6
        for (int j = 0; j < side; j++) {
            vf column[OX_WINOGRAD_SIDE];
#pragma GCC unroll 6
            for (int i = 0; i < side; i++) column[i] = vf_load(x + i * row + j * BLOCK + at);
            if (side == 6) in_line4(column, half[j]);
            else in_line2(column, half[j]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < side; i++) {
            vf line[OX_WINOGRAD_SIDE], to[OX_WINOGRAD_SIDE];
#pragma GCC unroll 6
            for (int j = 0; j < side; j++) line[j] = half[j][i];
            if (side == 6) in_line4(line, to);
            else in_line2(line, to);
#pragma GCC unroll 6
            for (int j = 0; j < side; j++) vf_store(v + (i * side + j) * step + at, to[j]);
        }
    }
}

/* ROWS and COLS are constants for whole tiles. */
OX_IN void out_some(const ox_winograd_out *o, const int side, int rows, int cols) {
    const int most = side - 2;
#pragma GCC unroll 2
    for (int at = 0; at < BLOCK; at += OX_VLEN) {
        vf half[OX_WINOGRAD_SIDE][4], bias = vf_load(o->bias + at);
#pragma GCC unroll 6
        for (int j = 0; j < side; j++) {
            vf column[OX_WINOGRAD_SIDE];
#pragma GCC unroll 6
            for (int i = 0; i < side; i++) column[i] = vf_load(o->m + (i * side + j) * o->step + at);
            if (side == 6) out_line4(column, half[j]);
            else out_line2(column, half[j]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < most; i++) {
            if (i >= rows) break;
            vf line[OX_WINOGRAD_SIDE], to[4];
#pragma GCC unroll 6
            for (int j = 0; j < side; j++) line[j] = half[j][i];
            if (side == 6) out_line4(line, to);
            else out_line2(line, to);
#pragma GCC unroll 4
            for (int j = 0; j < most; j++) {
                if (j >= cols) break;
                vf y = to[j] + bias;
                if (o->add) y += vf_load(o->add + i * o->row + j * BLOCK + at);
                if (o->clamp) y = vf_clamped(y, o->lo, o->hi);
                vf_store(o->y + i * o->row + j * BLOCK + at, y);
            }
        }
    }
}

static void in2(const float *x, int64_t row, float *v, int64_t step) { in(x, row, v, step, 4); }
static void in4(const float *x, int64_t row, float *v, int64_t step) { in(x, row, v, step, 6); }

static void out2(const ox_winograd_out *o) {
    if (o->rows == 2 && o->cols == 2) out_some(o, 4, 2, 2);
    else out_some(o, 4, o->rows, o->cols);
}

static void out4(const ox_winograd_out *o) {
    if (o->rows == 4 && o->cols == 4) out_some(o, 6, 4, 4);
    else out_some(o, 6, o->rows, o->cols);
}

const ox_winograd_isa OX_ISA(ox_winograd_isa) = {in2, in4, out2, out4};
