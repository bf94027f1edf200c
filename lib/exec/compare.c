/* Comparing values: first structure, then types and shapes, then elements. */
#include "exec/exec.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1024 };

typedef struct walk {
    const ox_tolerance *tol;
    ox_difference *d;
    double signal, noise; /* sums of squares */
} walk;

static OX_PRINTF(3, 4) void differs(walk *w, const char *at, const char *format, ...) {
    w->d->same = false;
    if (w->d->text[0]) return; /* the first difference is told */
    char text[1024];
    int n = snprintf(text, sizeof text, "%s%s", at, at[0] ? ": " : "");
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    ox_printable(w->d->text, sizeof w->d->text, text);
}

/* "[1,0,3]" of a flat index. */
static const char *index_text(const ox_tensor *t, int64_t i, char buf[128]) {
    int64_t place[64];
    int rank = t->rank < 64 ? t->rank : 64;
    for (int k = rank - 1; k >= 0; k--) {
        place[k] = i % t->dims[k];
        i /= t->dims[k];
    }
    size_t n = 0;
    buf[n++] = '[';
    for (int k = 0; k < rank && n < 100; k++)
        n += (size_t)snprintf(buf + n, 128 - n, "%s%" PRId64, k ? "," : "", place[k]);
    strcpy(buf + n, "]");
    return buf;
}

static void shape_text(const ox_tensor *t, char buf[256]) {
    size_t n = (size_t)snprintf(buf, 256, "%s[", ox_dtype_name(t->dtype));
    for (int k = 0; k < t->rank && n < 220; k++)
        n += (size_t)snprintf(buf + n, 256 - n, "%s%" PRId64, k ? "," : "", t->dims[k]);
    strcpy(buf + n, "]");
}

static void compare_strings(walk *w, const char *at, const ox_tensor *want, const ox_str *a, const ox_str *b) {
    char place[128];
    for (int64_t i = 0; i < want->count; i++) {
        if (a[i].len == b[i].len && !memcmp(a[i].data, b[i].data, a[i].len)) continue;
        int la = a[i].len < 60 ? (int)a[i].len : 60, lb = b[i].len < 60 ? (int)b[i].len : 60;
        differs(w, at, "at %s: \"%.*s\" instead of \"%.*s\"", index_text(want, i, place), lb,
                b[i].data ? b[i].data : "", la, a[i].data ? a[i].data : "");
        return;
    }
}

static void compare_ints(walk *w, const char *at, const ox_tensor *want, const void *a, const void *b) {
    char place[128];
    for (int64_t i = 0; i < want->count; i++) {
        int64_t x = ox_load_int(want->dtype, a, i), y = ox_load_int(want->dtype, b, i);
        if (want->dtype == OX_BOOL) x = x != 0, y = y != 0;
        double off = fabs((double)y - (double)x);
        w->signal += (double)x * (double)x;
        w->noise += off * off;
        if (x == y) continue;
        if (off > w->d->max_abs) w->d->max_abs = off;
        differs(w, at, "at %s: %" PRId64 " instead of %" PRId64, index_text(want, i, place), y, x);
    }
}

/* Real numbers, and complex ones as pairs of them: `t` is the type of a part, `parts` 1 or 2. */
static void compare_floats(walk *w, const char *at, const ox_tensor *want, ox_dtype t, int parts, const void *a,
                           const void *b) {
    int64_t n = want->count * parts;
    double x[CHUNK], y[CHUNK], magnitude = 0;
    unsigned bits = ox_dtype_bits(t);
    for (int round = 0; round < 2; round++) { /* the magnitude, then the elements */
        double atol = w->tol->atol * (w->tol->atol_of_magnitude ? magnitude : 1), worst = 0;
        for (int64_t i = 0; i < n; i += CHUNK) {
            int64_t m = n - i < CHUNK ? n - i : CHUNK;
            size_t skip = (size_t)i * bits / 8; /* CHUNK elements are whole bytes in every type */
            ox_load_doubles(t, (const char *)a + skip, m, x);
            if (!round) {
                for (int64_t k = 0; k < m; k++)
                    if (isfinite(x[k]) && fabs(x[k]) > magnitude) magnitude = fabs(x[k]);
                continue;
            }
            ox_load_doubles(t, (const char *)b + skip, m, y);
            for (int64_t k = 0; k < m; k++) {
                char place[128];
                if ((isnan(x[k]) && isnan(y[k])) || x[k] == y[k]) {
                    if (isfinite(x[k])) w->signal += x[k] * x[k];
                    continue;
                }
                double off = isfinite(x[k]) && isfinite(y[k]) ? fabs(y[k] - x[k]) : HUGE_VAL;
                w->signal += isfinite(x[k]) ? x[k] * x[k] : 0;
                w->noise += off * off;
                if (off > worst) worst = off;
                if (isinf(off) || !(off <= atol + w->tol->rtol * fabs(x[k])))
                    differs(w, at, "at %s: %.9g instead of %.9g", index_text(want, (i + k) / parts, place), y[k], x[k]);
            }
        }
        if (worst > w->d->max_abs) w->d->max_abs = worst;
        double part = worst == 0 ? 0 : magnitude > 0 ? worst / magnitude : HUGE_VAL;
        if (part > w->d->max_rel) w->d->max_rel = part;
    }
}

static void compare_tensors(walk *w, const char *at, const ox_tensor *want, const ox_tensor *got) {
    bool same = want->dtype == got->dtype && want->rank == got->rank;
    for (int k = 0; same && k < want->rank; k++) same = want->dims[k] == got->dims[k];
    if (!same) {
        char a[256], b[256];
        shape_text(want, a);
        shape_text(got, b);
        differs(w, at, "%s instead of %s", b, a);
        w->d->max_abs = w->d->max_rel = w->noise = HUGE_VAL;
        return;
    }
    const void *a = ox_tensor_data(want), *b = ox_tensor_data(got);
    if (!a || !b) {
        differs(w, at, "the data cannot be read");
        return;
    }
    switch (want->dtype) {
    case OX_STRING:
        compare_strings(w, at, want, a, b);
        break;
    case OX_COMPLEX64:
        compare_floats(w, at, want, OX_FLOAT, 2, a, b);
        break;
    case OX_COMPLEX128:
        compare_floats(w, at, want, OX_DOUBLE, 2, a, b);
        break;
    default:
        if (ox_dtype_is_float(want->dtype))
            compare_floats(w, at, want, want->dtype, 1, a, b);
        else
            compare_ints(w, at, want, a, b);
    }
}

static const char *kind_name(ox_rt_kind k) {
    static const char *const names[] = {"nothing", "a tensor", "a sequence", "a map"};
    return names[k];
}

/* Values nest as deep as types do, which is bounded. */
static void compare_values(walk *w, const char *at, const ox_rt *want, const ox_rt *got) {
    ox_rt_kind a = want ? want->kind : OX_RT_NONE, b = got ? got->kind : OX_RT_NONE;
    if (a != b) {
        differs(w, at, "%s instead of %s", kind_name(b), kind_name(a));
        w->d->max_abs = w->d->max_rel = w->noise = HUGE_VAL;
        return;
    }
    if (a == OX_RT_NONE) return;
    if (want->t && got->t) compare_tensors(w, at, want->t, got->t);
    if (a == OX_RT_TENSOR) return;
    if (want->n != got->n) {
        differs(w, at, "%" PRId64 " elements instead of %" PRId64, got->n, want->n);
        w->d->max_abs = w->d->max_rel = w->noise = HUGE_VAL;
        return;
    }
    for (int64_t i = 0; i < want->n; i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%.200s{%" PRId64 "}", at, i);
        compare_values(w, inner, want->items[i], got->items[i]);
    }
}

void ox_compare(const ox_rt *want, const ox_rt *got, const ox_tolerance *tol, ox_difference *d) {
    *d = (ox_difference){.same = true};
    walk w = {.tol = tol, .d = d};
    compare_values(&w, "", want, got);
    d->sqnr = w.noise == 0 ? HUGE_VAL : isinf(w.noise) || w.signal == 0 ? -HUGE_VAL : 10 * log10(w.signal / w.noise);
    if (d->same && w.noise == 0 && d->max_abs == 0) d->sqnr = HUGE_VAL;
}
