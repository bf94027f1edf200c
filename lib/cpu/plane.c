/* Rows of images and conversions: choice of the instruction set. */
#include "cpu/pick.h"
#include "cpu/plane.h"

extern const ox_plane ox_plane_of_plain, ox_plane_of_avx2, ox_plane_of_avx512;
extern const ox_pick ox_pick_of_plain, ox_pick_of_avx2, ox_pick_of_avx512;

const ox_plane *ox_plane_table(void) {
#if defined(__x86_64__)
    ox_isa isa = ox_cpu_isa();
    if (isa == OX_ISA_AVX512) return &ox_plane_of_avx512;
    if (isa == OX_ISA_AVX2) return &ox_plane_of_avx2;
#endif
    return &ox_plane_of_plain;
}

const ox_pick *ox_pick_table(void) {
#if defined(__x86_64__)
    ox_isa isa = ox_cpu_isa();
    if (isa == OX_ISA_AVX512) return &ox_pick_of_avx512;
    if (isa == OX_ISA_AVX2) return &ox_pick_of_avx2;
#endif
    return &ox_pick_of_plain;
}
