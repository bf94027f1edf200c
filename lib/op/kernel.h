/* What kernels share: loops by element type, conversion in bulk, the element-wise engine. For files of this folder.
 *
 * Arithmetic is done in the type itself for float, double and integers, and in float for the narrower floats, which
 * are rounded once per operator. Parallel loops cut work by size only, never by the number of threads, so results do
 * not depend on that number. */
#ifndef OX_OP_KERNEL_H
#define OX_OP_KERNEL_H

#include "cpu/cpu.h"
#include "op/op.h"

#include <string.h>

/* X(dtype without OX_, C type) for classes of types that C computes in. */
#define OX_EACH_REAL(X)     X(FLOAT, float) X(DOUBLE, double)
#define OX_EACH_SIGNED(X)   X(INT8, int8_t) X(INT16, int16_t) X(INT32, int32_t) X(INT64, int64_t)
#define OX_EACH_UNSIGNED(X) X(UINT8, uint8_t) X(UINT16, uint16_t) X(UINT32, uint32_t) X(UINT64, uint64_t)
#define OX_EACH_INT(X)      OX_EACH_SIGNED(X) OX_EACH_UNSIGNED(X)
#define OX_EACH_NUMBER(X)   OX_EACH_REAL(X) OX_EACH_INT(X)

/* The type in which elements of T are computed: T itself, float for narrower floats, int32 for packed integers. */
static inline ox_dtype ox_compute_type(ox_dtype t) {
    if (t == OX_FLOAT || t == OX_DOUBLE) return t;
    if (ox_dtype_is_float(t)) return OX_FLOAT;
    return ox_dtype_packed(t) ? OX_INT32 : t;
}

/* Threads for a loop of so many steps of a few cycles each: one when starting others would cost more. Use:
 *     int threads = ox_threads_for(ctx, n);
 *     OX_EACH(threads, i, n, { ... }) */
static inline int ox_threads_for(const ox_ctx *ctx, int64_t steps) {
    return steps >= 1 << 17 || ox_cpu_shares_all() ? ox_thread_count(ctx) : 1;
}
/* The block for each int64_t I from 0 to N - 1. One thread goes without OpenMP, which takes most of a microsecond to begin even then. */
#define OX_EACH(THREADS, I, N, ...)                                                                                    \
    do {                                                                                                               \
        const int threads_ = (THREADS);                                                                                \
        if (threads_ <= 1) {                                                                                           \
            for (int64_t I = 0; I < (N); I++) __VA_ARGS__                                                              \
        } else {                                                                                                       \
            _Pragma("omp parallel for num_threads(threads_) schedule(static)") for (int64_t I = 0; I < (N); I++)       \
                __VA_ARGS__                                                                                            \
        }                                                                                                              \
    } while (0)

/* ---- conversion in bulk: N elements from element INDEX on ---- */
void ox_to_floats(ox_dtype t, const void *data, int64_t index, int64_t n, float *out); /* any number type, bool */
void ox_from_floats(ox_dtype t, void *data, int64_t index, int64_t n,
                    const float *in); /* packed types: INDEX even, whole bytes are written */
/* All elements of a tensor as float (double): its own payload when it is that, else scratch. NULL after ox_fail. */
const float *ox_as_floats(ox_run *r, const ox_tensor *t);
const double *ox_as_doubles(ox_run *r, const ox_tensor *t);
/* Where to compute an output in float: its own payload, or scratch that ox_floats_done() rounds into it. */
float *ox_floats_of(ox_run *r, ox_tensor *t);
void ox_floats_done(ox_run *r, ox_tensor *t, const float *floats);

/* ---- element by element ---- */
enum { OX_CHUNK = 1024, OX_LOOP_MAX = 4 };
/* Computes n <= OX_CHUNK elements: inputs and output are arrays without gaps, in the types the caller of
 * ox_elementwise() named. */
typedef void (*ox_chunk_fn)(void *out, const void *const *in, int64_t n, const void *user);
/* out[i] = fn(in0[i], in1[i], ...), inputs broadcast to the shape of OUT. in_as[k] and out_as are the types FN sees:
 * the tensor's own, or its ox_compute_type(). At most OX_LOOP_MAX inputs. OUT may be one of the inputs when both have
 * its shape. */
int ox_elementwise(ox_run *r, ox_tensor *out, ox_dtype out_as, int n_in, const ox_tensor *const *in,
                   const ox_dtype *in_as, ox_chunk_fn fn, const void *user);
/* Shape of broadcasting n tensors (NULL entries are passed over) into dims[rank]; -1 after ox_fail. dims has room for
 * the largest rank. */
int ox_loop_shape(ox_run *r, int n, const ox_tensor *const *in, int *rank, int64_t **dims);

/* Which inputs are tensors of this shape, bit by bit: those that an element-wise kernel may write its output over. */
uint32_t ox_same_shape(const ox_run *r, int rank, const int64_t *dims);

/* One chunk function per type: OX_LOOP1(name, FLOAT, float, expr) defines name_FLOAT(), where EXPR computes from x
 * (and y in OX_LOOP2), and p is the user's pointer. R is the type of the result. */
#define OX_LOOP1_TO(name, T, C, R, ...)                                                                                \
    OX_INLINE void name##_##T##_in(void *out_, const void *const *in_, int64_t n_, const void *p) {                    \
        const C *a_ = in_[0];                                                                                          \
        R *o_ = out_;                                                                                                  \
        (void)p;                                                                                                       \
        for (int64_t i_ = 0; i_ < n_; i_++) {                                                                          \
            C x = a_[i_];                                                                                              \
            o_[i_] = (R)(__VA_ARGS__);                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    OX_TWICE(name##_##T)
#define OX_LOOP1(name, T, C, ...) OX_LOOP1_TO(name, T, C, C, __VA_ARGS__)
#define OX_LOOP2_TO(name, T, C, R, ...)                                                                                \
    OX_INLINE void name##_##T##_in(void *out_, const void *const *in_, int64_t n_, const void *p) {                    \
        const C *a_ = in_[0], *b_ = in_[1];                                                                            \
        R *o_ = out_;                                                                                                  \
        (void)p;                                                                                                       \
        for (int64_t i_ = 0; i_ < n_; i_++) {                                                                          \
            C x = a_[i_], y = b_[i_];                                                                                  \
            o_[i_] = (R)(__VA_ARGS__);                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    OX_TWICE(name##_##T)
#define OX_LOOP2(name, T, C, ...) OX_LOOP2_TO(name, T, C, C, __VA_ARGS__)

/* A chunk function from its body fn_in(), compiled for the processor the program is built for and for wider vectors
 * where there may be some. Without fused multiply-add, which would round differently: the bits of results are the same
 * on every processor. */
#define OX_INLINE static inline __attribute__((always_inline))
#if defined(__x86_64__)
#define OX_TWICE(fn)                                                                                                   \
    __attribute__((target("avx2"))) static void fn##_wide(void *out, const void *const *in, int64_t n,                 \
                                                          const void *user) {                                          \
        fn##_in(out, in, n, user);                                                                                     \
    }                                                                                                                  \
    static void fn(void *out, const void *const *in, int64_t n, const void *user) {                                    \
        if (__builtin_cpu_supports("avx2"))                                                                            \
            fn##_wide(out, in, n, user);                                                                               \
        else                                                                                                           \
            fn##_in(out, in, n, user);                                                                                 \
    }
#else
#define OX_TWICE(fn)                                                                                                   \
    static void fn(void *out, const void *const *in, int64_t n, const void *user) { fn##_in(out, in, n, user); }
#endif

/* Chunk functions by type of computation; entries may be NULL. */
typedef ox_chunk_fn ox_chunk_fns[OX_DTYPE_COUNT];
/* Input 0 through the function of its type to output 0 of element type TO (OX_UNDEFINED: the same). */
int ox_run_unary(ox_run *r, const ox_chunk_fns fns, ox_dtype to, const void *user);

#endif
