/* Shipped profiles, and pipelines by name of a profile or by file. */
#include "passes/driver.h"
#include "passes/embedded.h"

/* The first comment line of a profile is its one-line doc. */
static const char *doc_of(const char *text, char *buf, size_t size) {
    const char *start = text[0] == '#' ? text + 1 : "";
    start += strspn(start, " ");
    size_t len = strcspn(start, "\n");
    if (len >= size) len = size - 1;
    memcpy(buf, start, len);
    buf[len] = 0;
    return buf;
}

int ox_each_profile(int (*fn)(const char *name, const char *doc, const char *text, void *user), void *user) {
    char doc[128];
    for (const ox_embedded *e = ox_embedded_profiles; e->name; e++) {
        int stop = fn(e->name, doc_of(e->text, doc, sizeof doc), e->text, user);
        if (stop) return stop;
    }
    return 0;
}

ox_pipeline *ox_pipeline_profile(ox_ctx *ctx, const char *name) {
    const char *known[64];
    size_t n = 0;
    for (const ox_embedded *e = ox_embedded_profiles; e->name && n < 64; e++) {
        if (!strcmp(e->name, name)) return ox_pipeline_parse(ctx, e->text, strlen(e->text), ox_format(ctx->arena, "profile %s", name));
        known[n++] = e->name;
    }
    size_t len = strlen(name);
    if (strchr(name, '/') || (len > 5 && (!strcmp(name + len - 5, ".yaml") || !strcmp(name + len - 4, ".yml")))) {
        char *text;
        size_t size;
        if (ox_read_text(ctx, ctx->arena, name, 1 << 20, OX_CONFIG, &text, &size) < 0) return NULL;
        ox_pipeline *p = ox_pipeline_parse(ctx, text, size, name);
        if (p) OX_PUSH(ctx->arena, p->files, p->n_files, p->files_cap, ox_strdup(ctx->arena, name));
        return p;
    }
    const char *near = ox_nearest(name, known, n);
    ox_fail(ctx, OX_USAGE, "unknown profile '%s'%s%s%s; --list-profiles shows all, a file is named with a '/' or '.yaml'", name,
            near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    return NULL;
}
