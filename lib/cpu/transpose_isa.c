/* Transposing a plane: small squares in registers, in the order of the output; the rest element by element. Callers cut large planes so
 * that both sides stay in the cache (permute.c). */
#include "cpu/vec_isa.h"

/* Payloads hold elements of any type: these may look at all of them. */
typedef uint16_t __attribute__((may_alias)) alias16;
typedef uint32_t __attribute__((may_alias)) alias32;
typedef uint64_t __attribute__((may_alias)) alias64;
typedef struct alias128 { uint64_t a, b; } __attribute__((may_alias)) alias128;

/* Squares of SIDE elements by NAME_square, then what is left on the right and below. */
#define PLANE(name, T, SIDE)                                                                                           \
    static void name(int64_t rows, int64_t cols, T *restrict dst, int64_t ds, const T *restrict src, int64_t ss) {     \
        if (cols == 3 && ds == 3) { /* planes of an image to its pixels */                                            \
            for (int64_t r = 0; r < rows; r++) {                                                                       \
                dst[3 * r] = src[r];                                                                                   \
                dst[3 * r + 1] = src[r + ss];                                                                          \
                dst[3 * r + 2] = src[r + 2 * ss];                                                                      \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        int64_t r1 = rows / SIDE * SIDE, c1 = cols / SIDE * SIDE;                                                      \
        for (int64_t r = 0; r < r1; r += SIDE) {                                                                       \
            for (int64_t c = 0; c < c1; c += SIDE) name##_square(dst + r * ds + c, ds, src + r + c * ss, ss);          \
        }                                                                                                              \
        for (int64_t r = 0; r < rows; r++) {                                                                           \
            for (int64_t c = r < r1 ? c1 : 0; c < cols; c++) dst[r * ds + c] = src[r + c * ss];                        \
        }                                                                                                              \
    }
#define PLAIN_SQUARE(name, T, SIDE)                                                                                    \
    OX_IN void name##_square(T *dst, int64_t ds, const T *src, int64_t ss) {                                           \
        for (int r = 0; r < SIDE; r++) {                                                                               \
            for (int c = 0; c < SIDE; c++) dst[r * ds + c] = src[r + c * ss];                                          \
        }                                                                                                              \
    }

#if defined(__SSE2__)
OX_IN __m128i low8(const void *p) { return _mm_loadl_epi64(p); }

OX_IN void store_halves(char *dst, int64_t ds, __m128i v) {
    _mm_storel_epi64((void *)dst, v);
    _mm_storel_epi64((void *)(dst + ds), _mm_unpackhi_epi64(v, v));
}

OX_IN void plane1_square(char *dst, int64_t ds, const char *src, int64_t ss) {
    __m128i a = _mm_unpacklo_epi8(low8(src), low8(src + ss)), b = _mm_unpacklo_epi8(low8(src + 2 * ss), low8(src + 3 * ss)),
            c = _mm_unpacklo_epi8(low8(src + 4 * ss), low8(src + 5 * ss)),
            d = _mm_unpacklo_epi8(low8(src + 6 * ss), low8(src + 7 * ss));
    __m128i e = _mm_unpacklo_epi16(a, b), f = _mm_unpackhi_epi16(a, b), g = _mm_unpacklo_epi16(c, d), h = _mm_unpackhi_epi16(c, d);
    store_halves(dst, ds, _mm_unpacklo_epi32(e, g));
    store_halves(dst + 2 * ds, ds, _mm_unpackhi_epi32(e, g));
    store_halves(dst + 4 * ds, ds, _mm_unpacklo_epi32(f, h));
    store_halves(dst + 6 * ds, ds, _mm_unpackhi_epi32(f, h));
}

OX_IN void plane2_square(alias16 *dst, int64_t ds, const alias16 *src, int64_t ss) {
    __m128i in[8], mid[8];
    for (int i = 0; i < 8; i++) in[i] = _mm_loadu_si128((const void *)(src + i * ss));
    for (int i = 0; i < 4; i++) {
        mid[i] = _mm_unpacklo_epi16(in[2 * i], in[2 * i + 1]);
        mid[i + 4] = _mm_unpackhi_epi16(in[2 * i], in[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        in[4 * i] = _mm_unpacklo_epi32(mid[4 * i], mid[4 * i + 1]);
        in[4 * i + 1] = _mm_unpackhi_epi32(mid[4 * i], mid[4 * i + 1]);
        in[4 * i + 2] = _mm_unpacklo_epi32(mid[4 * i + 2], mid[4 * i + 3]);
        in[4 * i + 3] = _mm_unpackhi_epi32(mid[4 * i + 2], mid[4 * i + 3]);
    }
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++) {
            alias16 *to = dst + (4 * i + 2 * k) * ds;
            _mm_storeu_si128((void *)to, _mm_unpacklo_epi64(in[4 * i + k], in[4 * i + 2 + k]));
            _mm_storeu_si128((void *)(to + ds), _mm_unpackhi_epi64(in[4 * i + k], in[4 * i + 2 + k]));
        }
    }
}

OX_IN void plane8_square(alias64 *dst, int64_t ds, const alias64 *src, int64_t ss) {
    __m128i a = _mm_loadu_si128((const void *)src), b = _mm_loadu_si128((const void *)(src + ss));
    _mm_storeu_si128((void *)dst, _mm_unpacklo_epi64(a, b));
    _mm_storeu_si128((void *)(dst + ds), _mm_unpackhi_epi64(a, b));
}
#else
PLAIN_SQUARE(plane1, char, 8)
PLAIN_SQUARE(plane2, alias16, 8)
PLAIN_SQUARE(plane8, alias64, 2)
#endif

#if defined(__AVX2__)
enum { SIDE4 = 8 };
OX_IN void plane4_square(alias32 *dst, int64_t ds, const alias32 *src, int64_t ss) {
    __m256 in[8], mid[8];
    for (int i = 0; i < 8; i++) in[i] = _mm256_loadu_ps((const void *)(src + i * ss));
    for (int i = 0; i < 4; i++) {
        mid[i] = _mm256_unpacklo_ps(in[2 * i], in[2 * i + 1]);
        mid[i + 4] = _mm256_unpackhi_ps(in[2 * i], in[2 * i + 1]);
    }
    /* in[k], in[k + 4]: columns k and k + 4 of the first and of the last four rows */
    for (int i = 0; i < 2; i++) {
        in[4 * i] = _mm256_shuffle_ps(mid[2 * i], mid[2 * i + 1], 0x44);
        in[4 * i + 1] = _mm256_shuffle_ps(mid[2 * i], mid[2 * i + 1], 0xee);
        in[4 * i + 2] = _mm256_shuffle_ps(mid[2 * i + 4], mid[2 * i + 5], 0x44);
        in[4 * i + 3] = _mm256_shuffle_ps(mid[2 * i + 4], mid[2 * i + 5], 0xee);
    }
    for (int k = 0; k < 4; k++) {
        _mm256_storeu_ps((void *)(dst + k * ds), _mm256_permute2f128_ps(in[k], in[k + 4], 0x20));
        _mm256_storeu_ps((void *)(dst + (k + 4) * ds), _mm256_permute2f128_ps(in[k], in[k + 4], 0x31));
    }
}
#elif defined(__SSE2__)
enum { SIDE4 = 4 };
OX_IN void plane4_square(alias32 *dst, int64_t ds, const alias32 *src, int64_t ss) {
    __m128i a = _mm_loadu_si128((const void *)src), b = _mm_loadu_si128((const void *)(src + ss)),
            c = _mm_loadu_si128((const void *)(src + 2 * ss)), d = _mm_loadu_si128((const void *)(src + 3 * ss));
    __m128i e = _mm_unpacklo_epi32(a, b), f = _mm_unpackhi_epi32(a, b), g = _mm_unpacklo_epi32(c, d), h = _mm_unpackhi_epi32(c, d);
    _mm_storeu_si128((void *)dst, _mm_unpacklo_epi64(e, g));
    _mm_storeu_si128((void *)(dst + ds), _mm_unpackhi_epi64(e, g));
    _mm_storeu_si128((void *)(dst + 2 * ds), _mm_unpacklo_epi64(f, h));
    _mm_storeu_si128((void *)(dst + 3 * ds), _mm_unpackhi_epi64(f, h));
}
#else
enum { SIDE4 = 4 };
PLAIN_SQUARE(plane4, alias32, 4)
#endif
PLAIN_SQUARE(plane16, alias128, 2)

PLANE(plane1, char, 8)
PLANE(plane2, alias16, 8)
PLANE(plane4, alias32, SIDE4)
PLANE(plane8, alias64, 2)
PLANE(plane16, alias128, 2)

void OX_ISA(ox_vec_transpose)(int bytes, int64_t rows, int64_t cols, char *dst, int64_t ds, const char *src, int64_t ss) {
    void *d = dst;
    const void *s = src;
    switch (bytes) {
    case 1: plane1(rows, cols, d, ds, s, ss); break;
    case 2: plane2(rows, cols, d, ds, s, ss); break;
    case 4: plane4(rows, cols, d, ds, s, ss); break;
    case 8: plane8(rows, cols, d, ds, s, ss); break;
    default: plane16(rows, cols, d, ds, s, ss); break;
    }
}
