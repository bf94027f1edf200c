/* The sums of a tile of pixels, for conv_isa.c, which includes this once per width of vector: SV is a vector of SV_LEN floats, SUMS(fn) a
 * function's name for it; load, set and finish are there already. */

/* Adds N lanes for pixels P0..P1 of NV vectors times P pixels. */
OX_IN void SUMS(lanes)(SV acc[][OX_CONV_ROW], const float **xp, const float *w, int64_t n, int64_t step, int64_t w_lane, int nv, int p0, int p1) {
    for (int64_t l = 0, at = 0; l < n; l++, at += step, w += w_lane) {
#if defined(__AVX512F__)
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) {
            SV wv = SUMS(load)(w + v * SV_LEN);
#pragma GCC unroll 16
            for (int p = p0; p < p1; p++) {
                acc[v][p] += wv * SUMS(set)(xp[p][at]);
                if (v < nv - 1) READ_AGAIN(xp[p]);
            }
        }
#else /* the weights stay in registers and a pixel passes by */
        SV wv[OX_CONV_GROUP * PER];
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) wv[v] = SUMS(load)(w + v * SV_LEN);
#pragma GCC unroll 16
        for (int p = p0; p < p1; p++) {
            SV b = SUMS(set)(xp[p][at]);
#pragma GCC unroll 16
            for (int v = 0; v < nv; v++) acc[v][p] += wv[v] * b;
        }
#endif
    }
}

OX_IN void SUMS(start)(SV acc[][OX_CONV_ROW], const ox_conv_tile *t, const float *y, int nv, int np) {
    if (t->first) {
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) {
            SV b = SUMS(load)(t->bias + v * SV_LEN);
#pragma GCC unroll 16
            for (int p = 0; p < np; p++) acc[v][p] = b;
        }
        return;
    }
#pragma GCC unroll 16
    for (int v = 0; v < nv; v++) {
        const float *from = y + v / PER * t->y_block + v % PER * SV_LEN;
#pragma GCC unroll 16
        for (int p = 0; p < np; p++) acc[v][p] = SUMS(load)(from + p * BLOCK);
    }
}

OX_IN void SUMS(tile)(const ox_conv_tile *tile, const float *from, float *to, const float *other, int nb, int np) {
    SV acc[OX_CONV_GROUP * PER][OX_CONV_ROW];
    const int nv = nb * PER;
    SUMS(start)(acc, tile, to, nv, np);
    /* In memory: when registers run out the compiler would keep some of these in vector registers, and addresses would wait for sums. */
    const ox_conv_tile *volatile saved = tile;
    const float *volatile add = other;
    float *volatile y = to;
    const float *volatile x = from, *volatile block = tile->w;
    for (volatile int64_t i = 0; i < saved->blocks; i++, x += saved->x_block) {
        volatile const int64_t n = i == saved->blocks - 1 ? saved->last_lanes : saved->lanes;
        for (volatile int64_t tap = 0; tap < saved->taps; tap++) {
            const ox_conv_tile *t = saved;
            const int64_t k = tap, w_lane = t->w_lane;
            const float *xp[OX_CONV_PIXELS], *w = block + t->tap[k] * n * w_lane;
            point(t, x, k, xp, np);
            if (np > 1 && t->reach[k] == OX_TAP_NOT_FIRST) SUMS(lanes)(acc, xp, w, n, t->step, w_lane, nv, 1, np);
            else if (np > 1 && t->reach[k] == OX_TAP_NOT_LAST) SUMS(lanes)(acc, xp, w, n, t->step, w_lane, nv, 0, np - 1);
            else SUMS(lanes)(acc, xp, w, n, t->step, w_lane, nv, 0, np);
        }
        block += saved->all_taps * n * saved->w_lane;
    }
    SUMS(finish)(acc, saved, y, add, nv, np);
}

/* As tile(), where no pixel lies at a border and neighbours lie PX floats apart: one address per tap. */
OX_IN void SUMS(inside)(const ox_conv_tile *t, const float *x, float *y, const float *add, int nb, int np, int px) {
    SV acc[OX_CONV_GROUP * PER][OX_CONV_ROW];
    const int nv = nb * PER, w_lane = nv * SV_LEN;
    SUMS(start)(acc, t, y, nv, np);
    const float *block = t->w;
    for (int64_t i = 0; i < t->blocks; i++, x += t->x_block) {
        const int64_t n = i == t->blocks - 1 ? t->last_lanes : t->lanes;
        for (int64_t k = 0; k < t->taps; k++) {
            const float *from = x + t->at[k][0], *w = block + t->tap[k] * n * w_lane;
            if (px >= BLOCK && k >= t->fetch) {
#pragma GCC unroll 16
                for (int p = 0; p < np; p++) __builtin_prefetch(from + p * px + t->ahead);
            }
            for (const float *end = from + n; from < end; from++, w += w_lane) {
                READ_AGAIN(from); /* else broadcasts are kept for the next lane, in many more registers */
                SV wv[OX_CONV_GROUP * PER];
#pragma GCC unroll 16
                for (int v = 0; v < nv; v++) wv[v] = SUMS(load)(w + v * SV_LEN);
#pragma GCC unroll 16
                for (int p = 0; p < np; p++) {
                    SV b = SUMS(set)(from[p * px]);
#pragma GCC unroll 16
                    for (int v = 0; v < nv; v++) acc[v][p] += wv[v] * b;
                }
            }
        }
        block += t->all_taps * n * w_lane;
    }
    SUMS(finish)(acc, t, y, add, nv, np);
}
