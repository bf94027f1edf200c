/* onnx-run run: once on given or generated inputs. Outputs go into an .npz, or each into a value file as the ONNX backend test suite has them. */
#include "tools/run.h"

#include "onnx/onnx.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every output must be a tensor: the files hold nothing else. */
static ox_array *arrays_of(run_args *a, const run_session *s, const char *what) {
    uint32_t n = s->m->graph->ret->n_in;
    ox_array *arrays = OX_NEW_N(a->c.ctx->arena, ox_array, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        arrays[i] = (ox_array){s->m->graph->out_names[i], s->out[i] && s->out[i]->kind == OX_RT_TENSOR ? s->out[i]->t : NULL};
        if (arrays[i].t) continue;
        ox_fail(a->c.ctx, OX_UNAVAILABLE, "output %s is no tensor: %s cannot hold it", arrays[i].name, what);
        return NULL;
    }
    return arrays;
}

static bool is_folder(const char *path) {
    struct stat st;
    size_t len = strlen(path);
    return (len && path[len - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* output_0.pb, output_1.pb, ... in a folder, or one file: all of them or none. */
static int write_values(run_args *a, const run_session *s, bool folder) {
    ox_ctx *ctx = a->c.ctx;
    const ox_array *arrays = arrays_of(a, s, "a TensorProto");
    if (!arrays) return -1;
    uint32_t n = s->m->graph->ret->n_in;
    struct stat st;
    if (!folder && n != 1) return ox_fail(ctx, OX_USAGE, "the model has %u outputs, -o %s is one file: name a folder, or an .npz", n, a->out);
    bool made = folder && stat(a->out, &st) < 0;
    if (made && mkdir(a->out, 0777) < 0) return ox_fail(ctx, OX_CANT_CREATE, "%s: %s", a->out, strerror(errno));
    ox_outs outs = {0};
    int result = 0;
    for (uint32_t i = 0; i < n && result == 0; i++) {
        ox_out *out = ox_pb_tensor(ctx, folder ? ox_format(ctx->arena, "%s/output_%u.pb", a->out, i) : a->out, arrays[i].t, arrays[i].name);
        if (out) ox_outs_add(&outs, ctx->arena, out);
        else result = -1;
    }
    if (result == 0) result = ox_outs_commit(&outs, NULL);
    ox_outs_close(&outs);
    if (made && result != 0) rmdir(a->out);
    return result;
}

int run_run(run_args *a) {
    run_session s = {0};
    if (run_operands(a, 1, false, "one MODEL") < 0) return -1;
    if (!a->out) return ox_fail(a->c.ctx, OX_USAGE, "where to? -o OUT.npz is missing");
    int result = run_session_open(a, &s);
    if (result == 0) result = run_session_fit(a, &s);
    bool folder = is_folder(a->out);
    if (result == 0 && (folder || run_ends_in(a->out, ".pb"))) result = write_values(a, &s, folder);
    else if (result == 0) {
        const ox_array *arrays = arrays_of(a, &s, ".npz");
        result = arrays ? ox_npz_write(a->c.ctx, a->out, arrays, s.m->graph->ret->n_in) : -1;
    }
    run_session_close(&s);
    return result;
}
