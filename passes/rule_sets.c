/* The rule sets that ship with the programs: text of passes/rules, part of the library. The first comment line of a file is the
 * one-line doc of its set. */
#include "passes/rule.h"
#include "passes/embedded.h"

const ox_ruleset *ox_rules_shipped(ox_ctx *ctx, const char *name) {
    for (const ox_embedded *e = ox_embedded_rules; e->name; e++)
        if (!strcmp(e->name, name)) return ox_rules_parse(ctx, e->text, strlen(e->text), ox_format(ctx->arena, "%s.rules", name));
    return NULL;
}

const char *ox_ruleset_name(ox_arena *arena, const ox_ruleset *set) {
    size_t len = strlen(set->file);
    bool shipped = !strchr(set->file, '/') && len > 6 && !strcmp(set->file + len - 6, ".rules");
    return shipped ? ox_format(arena, "%.*s", (int)(len - 6), set->file) : set->file;
}

int ox_each_shipped_ruleset(int (*fn)(const char *name, const char *doc, const char *text, void *user), void *user) {
    for (const ox_embedded *e = ox_embedded_rules; e->name; e++) {
        char doc[160] = "";
        if (e->text[0] == '#') {
            const char *start = e->text + 1 + strspn(e->text + 1, " ");
            size_t len = strcspn(start, "\n");
            if (len >= sizeof doc) len = sizeof doc - 1;
            memcpy(doc, start, len);
            doc[len] = 0;
        }
        int stop = fn(e->name, doc, e->text, user);
        if (stop) return stop;
    }
    return 0;
}

const char *ox_rule_text(ox_ctx *ctx, const char *rule_name) {
    for (const ox_embedded *e = ox_embedded_rules; e->name; e++) {
        const ox_ruleset *set = ox_rules_shipped(ctx, e->name);
        for (size_t i = 0; set && i < set->n; i++) {
            const ox_rule *r = set->rules[i];
            if (!strcmp(r->name, rule_name)) return ox_format(ctx->arena, "%.*s\n", (int)r->text_len, r->text);
        }
    }
    return NULL;
}
