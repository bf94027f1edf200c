/* What this machine can do: operations per second of a large product of matrices, bytes per second of sums of long arrays, both with the
 * threads that the kernels use. Beside these figures times of nodes can be judged. */
#include "tools/profile.h"

#include "op/blas.h"

enum { SIDE = 768, SIDE_SMALL = 192, LONG = 4 << 20 /* floats: 16 MiB per array */ };

static const double budget_ms = 120; /* for each of both */

static double product_ms(ox_ctx *ctx, int64_t side, const float *a, const float *b, float *c) {
    double t = run_now();
    ox_sgemm(ctx, false, false, side, side, side, 1, a, side, b, side, 0, c, side);
    return run_now() - t;
}

static double measure_products(ox_ctx *ctx, const float *a, const float *b, float *c) {
    double begin = run_now();
    product_ms(ctx, SIDE_SMALL, a, b, c); /* a library may be loaded first */
    double small = product_ms(ctx, SIDE_SMALL, a, b, c);
    int64_t side = small > 1 ? SIDE_SMALL : SIDE; /* a slow processor has no time for large ones */
    double best = 1e300;
    for (int i = 0; i < 2 || run_now() - begin < budget_ms; i++) {
        double t = product_ms(ctx, side, a, b, c);
        best = t < best ? t : best;
    }
    return 2e-6 * (double)side * (double)side * (double)side / (best > 1e-6 ? best : 1e-6);
}

static double measure_sums(int threads, float *a, const float *b, const float *c) {
    (void)threads; /* where there is no OpenMP */
    double begin = run_now(), best = 1e300;
    for (int i = 0; i < 2 || run_now() - begin < budget_ms; i++) {
        double t = run_now();
        #pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t k = 0; k < LONG; k++) a[k] = b[k] + 3 * c[k];
        t = run_now() - t;
        best = t < best ? t : best;
    }
    return 1e-6 * 3 * sizeof(float) * LONG / (best > 1e-6 ? best : 1e-6);
}

int profile_measure_roof(ox_ctx *ctx, profile_roof *roof) {
    int threads = ox_thread_count(ctx);
    float *a = ox_payload_alloc(ctx, 3 * sizeof(float) * LONG);
    if (!a) return -1;
    float *b = a + LONG, *c = b + LONG;
    #pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t k = 0; k < LONG; k++) {
        a[k] = 0;
        b[k] = (float)(k % 7) * 0.125f;
        c[k] = (float)(k % 5) * 0.25f;
    }
    if (!roof->gflops) roof->gflops = measure_products(ctx, b, c, a);
    if (!roof->gbps) roof->gbps = measure_sums(threads, a, b, c);
    ox_payload_free(a);
    return 0;
}

double profile_least_seconds(const profile_roof *roof, const profile_work *w, bool *compute_bound) {
    double computing = w->flops / (roof->gflops * 1e9), moving = (w->read + w->written) / (roof->gbps * 1e9);
    *compute_bound = computing >= moving && computing > 0;
    return computing >= moving ? computing : moving;
}
