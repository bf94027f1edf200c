/* Uses the installed library: opens a model, optimizes it, checks that it still computes the same, says how much smaller it became.
 *
 *   cc smaller.c -o smaller $(pkg-config --cflags --libs ox) && ./smaller model.onnx smaller.onnx
 */
#include <ox.h>
#include <stdio.h>

static int fail(ox_ctx *ctx) {
    const char *text;
    int code = ox_last_error(ctx, &text);
    fprintf(stderr, "%s\n", text);
    ox_close_context(ctx);
    return code ? code : 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: smaller IN.onnx OUT.onnx\n"), 64;
    ox_ctx *ctx = ox_open_context();
    ox_model *original = ox_open(ctx, argv[1]);
    ox_model *model = original ? ox_copy(original) : NULL;
    if (!model || ox_optimize(model, "portable") < 0) return ox_close(model), ox_close(original), fail(ctx);
    int same = ox_same(original, model, 3, 1);
    if (same != 1 || ox_save(model, argv[2]) < 0) return ox_close(model), ox_close(original), fail(ctx);
    printf("%lld nodes became %lld, same results\n", (long long)ox_count_nodes(original), (long long)ox_count_nodes(model));
    ox_close(model);
    ox_close(original);
    ox_close_context(ctx);
    return 0;
}
