/* Which table of vec.h serves. */
#include "cpu/vec.h"

extern const ox_vec ox_vec_table_plain;
#if defined(__x86_64__)
extern const ox_vec ox_vec_table_avx2, ox_vec_table_avx512;
static const ox_vec *const tables[OX_ISA_COUNT] = {&ox_vec_table_plain, &ox_vec_table_avx2, &ox_vec_table_avx512};
#else
static const ox_vec *const tables[OX_ISA_COUNT] = {&ox_vec_table_plain};
#endif

const ox_vec *ox_vec_table(void) { return tables[ox_cpu_isa()]; }

const ox_vec *ox_vec_table_of(ox_isa isa) { return isa <= ox_cpu_isa() ? tables[isa] : NULL; }
