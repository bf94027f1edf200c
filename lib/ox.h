/* libox: open, look at, optimize, compare, run and save ONNX models. The stable interface; link with `pkg-config --libs ox`.
 *
 * One context per thread; contexts share nothing. A function that can fail returns -1 or NULL, and ox_last_error() says why in words a
 * person can act on, and with a number as in sysexits.h (65: the model is wrong, 66: no such file, 69: an operator cannot be
 * run, 71: memory, 73: cannot create, 74: I/O, 77: a path leads out of the model's folder, 78: a pipeline or rule is wrong; 64: a wrong
 * argument). The library neither prints nor exits. Writers of passes and rules in C include ox_pass.h instead, which is not stable. */
#ifndef OX_H
#define OX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef OX_API
#define OX_API __attribute__((visibility("default")))
#endif

typedef struct ox_ctx ox_ctx;
typedef struct ox_model ox_model;

/* "0.1.0" */
OX_API const char *ox_version(void);

/* A context, or NULL without memory. Free the models opened in it before. */
OX_API ox_ctx *ox_open_context(void);
OX_API void ox_close_context(ox_ctx *ctx);
/* Threads for computing; 0 (default): as many as the process may use. Results do not depend on it. */
OX_API void ox_set_threads(ox_ctx *ctx, int threads);
/* Called with each warning; NULL (default): warnings are dropped. */
OX_API void ox_set_warning(ox_ctx *ctx, void (*on_warning)(void *user, const char *text), void *user);
/* The last error of the context: its code, 0 when there is none, and its text, "" when there is none. Valid until the next call. */
OX_API int ox_last_error(const ox_ctx *ctx, const char **text);

/* Opens a model ("-": standard input). Weights stay in the file, which must not change while the model is open. */
OX_API ox_model *ox_open(ox_ctx *ctx, const char *path);
/* A model from ONNX text; `name` stands for the file in messages. */
OX_API ox_model *ox_parse(ox_ctx *ctx, const char *text, const char *name);
OX_API ox_model *ox_copy(ox_model *m);
OX_API void ox_close(ox_model *m); /* NULL is allowed */
/* Writes the model: whole or not at all, never over its own input. An unchanged model gives the bytes it was read from. */
OX_API int ox_save(ox_model *m, const char *path);
/* The model as ONNX text, every byte of it when `full`; free() it. */
OX_API char *ox_to_text(ox_model *m, bool full);

/* Runs a shipped profile ("portable", "size", ...), or a pipeline file (a name with '/' or ".yaml"). The number of changes. */
OX_API int ox_optimize(ox_model *m, const char *profile);
/* Runs passes and rule sets by name: "cse,dce". The number of changes. */
OX_API int ox_run_passes(ox_model *m, const char *names);
/* Whether two models with the same inputs and outputs compute the same on `samples` generated inputs, within 1e-3 of each value and 1e-4 of
 * each output's magnitude (both 8e-3 for what went through float16, 6e-2 bfloat16): 1 yes, 0 no (the text says where), -1 when that cannot be said (an operator that cannot be run). */
OX_API int ox_same(ox_model *want, ox_model *got, int samples, uint64_t seed);

/* Number of nodes in all graphs but Constant. */
OX_API int64_t ox_count_nodes(const ox_model *m);
OX_API size_t ox_count_inputs(const ox_model *m);  /* of the main graph, without those that have an initializer */
OX_API size_t ox_count_outputs(const ox_model *m);
OX_API const char *ox_input_name(const ox_model *m, size_t i);
OX_API const char *ox_output_name(const ox_model *m, size_t i);

/* A tensor in the caller's hands: row-major, little-endian, `type` as in TensorProto.DataType (1 float, 7 int64 ...). */
typedef struct ox_buffer {
    const char *name;
    int type;
    int rank;
    int64_t dims[8];
    void *data;
    size_t bytes;
} ox_buffer;
/* Runs the model once. Inputs are found by name; data are copied. Each output's data are to be freed with free(); outputs has room for
 * ox_count_outputs(). Only tensors of up to 8 dimensions of fixed-size elements. */
OX_API int ox_execute(ox_model *m, const ox_buffer *inputs, size_t n_inputs, ox_buffer *outputs);

#ifdef __cplusplus
}
#endif

#endif
