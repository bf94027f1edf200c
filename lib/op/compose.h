/* Kernels made of other operators: each step runs a kernel on tensors, what it makes is kept until the end. */
#ifndef OX_OP_COMPOSE_H
#define OX_OP_COMPOSE_H

#include "op/op.h"

enum { OX_STEPS_MAX = 24, OX_STEP_ATTRS = 24 };

/* Begins zeroed but for R. Once a step has failed all later ones return NULL at once. */
typedef struct ox_steps {
    ox_run *r;
    ox_tensor *kept[OX_STEPS_MAX];
    int n;
    ox_attr *attrs[OX_STEP_ATTRS]; /* of the next step; forgotten with it */
    int n_attrs;
    bool failed;
} ox_steps;

void ox_step_int(ox_steps *s, const char *name, int64_t v);
void ox_step_float(ox_steps *s, const char *name, double v);
void ox_step_ints(ox_steps *s, const char *name, int n, const int64_t *v);
/* An attribute of the call itself, when it is given there. */
void ox_step_take(ox_steps *s, const char *name);
/* Runs "Op" or "domain::Op" on n tensors (entries may be NULL: absent); its first output, or NULL after ox_fail. */
ox_tensor *ox_step(ox_steps *s, const char *op, int n, const ox_tensor *const *in);
#define OX_STEP(s, op, ...)                                                                                            \
    ox_step(s, op, (int)(sizeof((const ox_tensor *[]){__VA_ARGS__}) / sizeof(ox_tensor *)), (const ox_tensor *[]){__VA_ARGS__})
/* The same for several outputs. */
int ox_step_all(ox_steps *s, const char *op, int n, const ox_tensor *const *in, ox_tensor **out, int n_out);
/* A tensor to be filled, kept like results. */
ox_tensor *ox_step_tensor(ox_steps *s, ox_dtype dtype, int rank, const int64_t *dims);
/* Axes in another order. */
ox_tensor *ox_step_transposed(ox_steps *s, const ox_tensor *x, const int64_t *perm);
ox_tensor *ox_step_channels_first(ox_steps *s, const ox_tensor *x); /* [N, spatial..., C] to [N, C, spatial...] */
ox_tensor *ox_step_channels_last(ox_steps *s, const ox_tensor *x);
/* Gives a result to output i (NULL: the steps have failed) and releases what is kept. */
int ox_steps_done(ox_steps *s, int i, ox_tensor *result);

#endif
