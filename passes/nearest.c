/* The nearest known name, for messages about an unknown one. */
#include "passes/pass.h"

/* Levenshtein distance of two short names; names beyond 63 bytes are far from everything. */
static int distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    int row[64];
    if (n > 63 || m > 63) return 64;
    for (size_t j = 0; j <= m; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int cost = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < cost) cost = row[j] + 1;
            if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1;
            row[j] = cost;
        }
    }
    return row[m];
}

const char *ox_nearest(const char *name, const char *const *known, size_t n) {
    const char *best = NULL;
    int least = (int)strlen(name) / 2 + 1;
    for (size_t i = 0; i < n; i++) {
        int d = distance(name, known[i]);
        if (d < least) {
            least = d;
            best = known[i];
        }
    }
    return best;
}
