/* Names that people write on command lines: lists of them, whether they name something, and the nearest that does. */
#include "passes/driver.h"
#include "passes/rule.h"

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

bool ox_listed(const char *list, const char *name) {
    size_t len = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == len && !memcmp(p, name, len)) return true;
    return false;
}

/* ---- names of passes, rule sets and rules ---- */

typedef struct names {
    ox_arena *arena;
    const char **items;
    size_t n, cap;
} names;

static int add(names *k, const char *name) {
    OX_PUSH(k->arena, k->items, k->n, k->cap, name);
    return 0;
}

static int add_pass(const ox_pass *p, void *user) { return add(user, p->name); }

static void add_set(names *k, const ox_ruleset *set) {
    add(k, ox_ruleset_name(k->arena, set));
    for (size_t i = 0; i < set->n; i++) add(k, set->rules[i]->name);
}

static int add_shipped(const char *name, const char *doc, const char *text, void *user) {
    names *k = user;
    (void)doc, (void)text;
    const ox_ruleset *set = ox_rules_shipped(ox_arena_ctx(k->arena), name);
    if (set) add_set(k, set);
    return set ? 0 : -1;
}

static void add_steps(names *k, const ox_step *steps, size_t n) {
    for (size_t i = 0; i < n; i++) {
        add(k, steps[i].name);
        for (size_t j = 0; j < steps[i].n_sets; j++) add_set(k, steps[i].sets[j]);
        add_steps(k, steps[i].steps, steps[i].n_steps); /* as deep as a pipeline may nest */
    }
}

int ox_pipeline_check_names(const ox_pipeline *p, const char *option, const char *list, const char *also) {
    if (!list) return 0;
    names k = {.arena = p->ctx->arena};
    if (also) add(&k, also);
    ox_each_pass(add_pass, &k);
    if (ox_each_shipped_ruleset(add_shipped, &k) < 0) return -1;
    add_steps(&k, p->steps, p->n_steps);
    for (const char *at = list;; at++) {
        const char *name = ox_format(k.arena, "%.*s", (int)strcspn(at, ","), at);
        size_t i = 0;
        while (i < k.n && strcmp(k.items[i], name)) i++;
        if (i == k.n) {
            const char *near = ox_nearest(name, k.items, k.n);
            return ox_fail(p->ctx, OX_USAGE, "%s: '%.200s' is no pass, rule set or rule%s%s%s; --list-passes shows all", option, name,
                           near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
        }
        at += strlen(name);
        if (!*at) return 0;
    }
}
