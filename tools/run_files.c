/* What several commands of onnx-run write and say: files that appear together, CSV, figures of the process. */
#include "tools/run.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- files ---- */

bool run_ends_in(const char *path, const char *ending) {
    size_t len = strlen(path), n = strlen(ending);
    return len > n && !strcmp(path + len - n, ending);
}

static int add_out(run_args *a, ox_outs *outs, ox_out *out) {
    if (!out) return -1;
    ox_outs_add(outs, a->c.ctx->arena, out);
    return 0;
}

int run_write_files(run_args *a, json_t *tree, const ox_text *csv, ox_out *more) {
    ox_outs outs = {0};
    int result = 0;
    if (more) add_out(a, &outs, more);
    if (a->csv && csv) result = add_out(a, &outs, ox_out_text(a->c.ctx, a->csv, csv->data ? csv->data : "", csv->len));
    if (a->json && result == 0) result = add_out(a, &outs, cli_json(&a->c, a->json, tree)); /* without a tree memory ran out */
    else json_decref(tree);
    if (result == 0 && outs.n) result = ox_outs_commit(&outs, NULL);
    ox_outs_close(&outs);
    return result;
}

const char *run_node_name(const ox_node *n) {
    if (n->name && n->name[0]) return n->name;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->name) return n->out[i]->name;
    return "";
}

void run_csv_field(ox_text *t, const char *field) {
    const char *shown = cli_shown(t->arena, field);
    if (!shown[strcspn(shown, ",\"\r\n")]) {
        ox_text_add(t, shown);
        return;
    }
    ox_text_add(t, "\"");
    for (const char *p = shown; *p; p++) ox_text_add_n(t, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    ox_text_add(t, "\"");
}

void run_json_text(cli *c, ox_text *t, const char *text) {
    for (const char *p = cli_utf8(c, text); *p; p++) {
        unsigned char byte = (unsigned char)*p;
        if (byte == '"' || byte == '\\') ox_text_addf(t, "\\%c", byte);
        else if (byte < 0x20) ox_text_addf(t, "\\u%04x", byte);
        else ox_text_add_n(t, p, 1);
    }
}

/* ---- figures ---- */

uint64_t run_peak_rss(void) {
    FILE *f = fopen("/proc/self/status", "r");
    unsigned long long kib = 0;
    char line[256];
    while (f && fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %llu", &kib) != 1) {}
    if (f) fclose(f);
    return (uint64_t)kib * 1024;
}
