/* Passes that say how the result is written: external-data, internal-data, strip. They change no computation.
 *
 *   external-data: {threshold: 1KiB, file: "{output}.data", align: 4096}     large tensors go to a file beside the model
 *   internal-data                                                            external tensors come into the model's file
 *   strip: {docs: true, metadata: true, shapes: true, names: false}          what no runtime needs is left out
 */
#include "passes/driver.h"

static int run_external(ox_pass_run *r) {
    ox_save_options *save = ox_driver_save(r);
    save->data_file = ox_option_text(r, "file");
    save->threshold = ox_option_size(r, "threshold");
    save->align = ox_option_size(r, "align");
    save->internalize = false;
    r->m->changed = true;
    return 0;
}

static const char *wrong_external(ox_ctx *ctx, const char *option, const ox_option_value *v) {
    (void)ctx;
    bool power = v->size && !(v->size & (v->size - 1));
    return strcmp(option, "align") || (power && v->size <= (uint64_t)1 << 30) ? NULL : "a power of two up to 1GiB";
}

static const ox_option external_options[] = {
    {"file", OX_O_TEXT, "{output}.data", "name of the data file, beside the model; {output} is the model's file name"},
    {"threshold", OX_O_SIZE, "1KiB", "tensors of at least this many bytes go out"},
    {"align", OX_O_SIZE, "4096", "alignment of tensors of 64 KiB and more"},
    {0},
};

const ox_pass ox_pass_external_data = {
    .name = "external-data",
    .doc = "write large tensors to a file beside the model",
    .options = external_options,
    .wrong = wrong_external,
    .run = run_external,
};

static int run_internal(ox_pass_run *r) {
    ox_driver_save(r)->internalize = true;
    r->m->changed = true;
    return 0;
}

const ox_pass ox_pass_internal_data = {
    .name = "internal-data",
    .doc = "bring external tensors into the model's file",
    .run = run_internal,
};

static int unlist(ox_graph *g, void *user) {
    int *changes = user;
    for (ox_node *n = g->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++)
            if (n->out[i] && n->out[i]->listed) {
                n->out[i]->listed = false;
                ++*changes;
            }
    return 0;
}

static int run_strip(ox_pass_run *r) {
    unsigned strip = (ox_option_bool(r, "docs") ? OX_STRIP_DOCS : 0) | (ox_option_bool(r, "metadata") ? OX_STRIP_METADATA : 0) |
                     (ox_option_bool(r, "names") ? OX_STRIP_NODE_NAMES : 0);
    int changes = (strip & ~r->m->strip) != 0;
    r->m->strip |= strip;
    if (ox_option_bool(r, "shapes")) ox_each_graph(r->m, unlist, &changes);
    if (changes) r->m->changed = true;
    return changes;
}

static const ox_option strip_options[] = {
    {"docs", OX_O_BOOL, "true", "doc strings"},
    {"metadata", OX_O_BOOL, "false", "metadata of nodes, values, tensors and graphs (the model's own stays)"},
    {"shapes", OX_O_BOOL, "true", "shapes of inner values (value_info)"},
    {"names", OX_O_BOOL, "false", "names of nodes"},
    {0},
};

const ox_pass ox_pass_strip = {
    .name = "strip",
    .doc = "leave out what no runtime needs: doc strings, inner shapes, on request metadata and node names",
    .options = strip_options,
    .run = run_strip,
};
