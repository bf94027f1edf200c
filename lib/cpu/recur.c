/* Steps of recurrent layers: choice of the instruction set, packing of weights. */
#include "cpu/recur.h"
#include "cpu/vec.h"

#include <string.h>

extern const ox_recur ox_recur_plain;
#if defined(__x86_64__)
extern const ox_recur ox_recur_avx2, ox_recur_avx512;
#endif

const ox_recur *ox_recur_table(void) {
#if defined(__x86_64__)
    static const ox_recur *const tables[OX_ISA_COUNT] = {&ox_recur_plain, &ox_recur_avx2, &ox_recur_avx512};
    return tables[ox_cpu_isa()];
#else
    return &ox_recur_plain;
#endif
}

int64_t ox_recur_packed(int64_t gates, int64_t hidden) {
    const int64_t lanes = ox_recur_table()->lanes;
    int64_t n;
    if (hidden < 0 || hidden > INT64_MAX - lanes) return -1;
    n = (hidden + lanes - 1) / lanes * lanes;
    return __builtin_mul_overflow(n, hidden, &n) || __builtin_mul_overflow(n, gates, &n) ? -1 : n;
}

void ox_recur_pack(int64_t gates, int64_t hidden, const float *r, float *packed) {
    const ox_vec *vec = ox_vec_table();
    const int64_t lanes = ox_recur_table()->lanes, wide = gates * lanes;
    for (int64_t j = 0; j < hidden; j += lanes, packed += hidden * wide) {
        const int64_t cols = hidden - j < lanes ? hidden - j : lanes;
        if (cols < lanes) memset(packed, 0, (size_t)(hidden * wide) * sizeof *packed);
        for (int64_t g = 0; g < gates; g++)
            vec->transpose(sizeof(float), hidden, cols, (char *)(packed + g * lanes), wide, (const char *)(r + (g * hidden + j) * hidden), hidden);
    }
}
