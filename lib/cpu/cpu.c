/* Which instruction set serves, and what else the environment says to tests. */
#include "cpu/cpu.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const names[OX_ISA_COUNT] = {"plain", "avx2", "avx512"};

static ox_isa of_processor(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return OX_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return OX_ISA_AVX2;
#endif
    return OX_ISA_PLAIN;
}

ox_isa ox_cpu_isa(void) {
    static int known; /* found once + 1: the processor and the environment do not change */
    int isa = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (isa) return (ox_isa)(isa - 1);
    ox_isa best = of_processor();
    const char *wish = getenv("OX_ISA");
    for (int i = 0; wish && i < (int)best; i++)
        if (!strcmp(wish, names[i])) best = (ox_isa)i;
    __atomic_store_n(&known, (int)best + 1, __ATOMIC_RELAXED);
    return best;
}

const char *ox_cpu_isa_name(void) { return names[ox_cpu_isa()]; }

void ox_cpu_model(char *name, size_t size) {
    char brand[49] = "";
#if defined(__x86_64__)
    for (unsigned i = 0; i < 3; i++) {
        unsigned part[4] = {0};
        if (!__get_cpuid(0x80000002 + i, &part[0], &part[1], &part[2], &part[3])) break;
        memcpy(brand + 16 * i, part, sizeof part);
    }
#endif
    const char *text = brand[0] ? brand : "unknown";
    size_t n = 0;
    for (; *text && n + 1 < size; text++)
        if ((unsigned char)*text > ' ' || (n && name[n - 1] != ' ')) name[n++] = (unsigned char)*text > ' ' && *text < 127 ? *text : ' ';
    while (n && name[n - 1] == ' ') n--;
    name[n] = 0;
}

bool ox_cpu_shares_all(void) {
    static int known; /* 1 no, 2 yes */
    int shares = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (shares) return shares == 2;
    const char *wish = getenv("OX_SHARE");
    shares = wish && !strcmp(wish, "all") ? 2 : 1;
    __atomic_store_n(&known, shares, __ATOMIC_RELAXED);
    return shares == 2;
}

void ox_flush_subnormal(float *x, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) x[i] = fabsf(x[i]) < FLT_MIN ? 0 : x[i];
}
