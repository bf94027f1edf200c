/* Sums over rows without gaps: exact enough for any length, and vectors for the compiler. */
#include "op/compute.h"

#include "cpu/vec.h"

enum { LANES = 16, BLOCK = 32 * LANES };

#define SUM(NAME, T, PARAMS, TERM)                                                                           \
    double NAME PARAMS {                                                                                     \
        double sum = 0;                                                                                      \
        for (; n >= LANES;) {                                                                                \
            T part[LANES] = {0};                                                                             \
            int64_t block = n < BLOCK ? n / LANES * LANES : BLOCK;                                           \
            for (int64_t i = 0; i < block; i += LANES) {                                                     \
                for (int k = 0; k < LANES; k++) {                                                            \
                    T v = x[i + k];                                                                          \
                    part[k] += TERM;                                                                         \
                }                                                                                            \
            }                                                                                                \
            for (int k = 0; k < LANES; k++) sum += (double)part[k];                                          \
            x += block;                                                                                      \
            n -= block;                                                                                      \
        }                                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            T v = x[i];                                                                                      \
            sum += (double)(TERM);                                                                           \
        }                                                                                                    \
        return sum;                                                                                          \
    }

SUM(ox_sum_double, double, (const double *x, int64_t n), v)
SUM(ox_squares_double, double, (const double *x, int64_t n, double center), (v - center) * (v - center))

double ox_sum_float(const float *x, int64_t n) { return ox_vec_table()->fold(OX_FOLD_SUM, x, n); }
double ox_squares_float(const float *x, int64_t n, float center) { return ox_vec_table()->squares(x, n, center); }
