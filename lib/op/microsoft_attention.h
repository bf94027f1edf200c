/* What the attention operators of com.microsoft share: scores of all queries against all keys of a head, in float. */
#ifndef OX_OP_MICROSOFT_ATTENTION_H
#define OX_OP_MICROSOFT_ATTENTION_H

#include "op/compute.h"

typedef struct ox_ms_attention {
    int64_t batch, heads, kv_heads, queries, keys, size, v_size; /* keys: that K and V have room for */
    const float *q, *k, *v;      /* [batch, heads, queries, size], [batch, kv_heads, keys, size or v_size] */
    float scale, softcap;
    const float *bias;           /* added to the scores; strides over batch, heads, queries */
    int64_t bias_batch, bias_head, bias_query;
    const float *mask;           /* the same for all heads */
    int64_t mask_batch, mask_query;
    const int64_t *valid, *past; /* per batch: keys that count (NULL: all), keys before the first query (NULL: none) */
    bool causal;
    int64_t window;              /* keys before a query that it sees; -1: all */
    bool smooth;                 /* one more score in the sum of the softmax: 0, or that of `sink` per head */
    const float *sink;
    float *scores, *probabilities; /* [batch, heads, queries, keys], when asked for */
    float *y;                    /* [batch, queries, heads * v_size] */
} ox_ms_attention;

int ox_ms_attend(ox_run *r, const ox_ms_attention *a);

/* [batch, length, row...] at a column, with a bias (or NULL), to [batch, heads, length, size]. NULL after ox_fail. */
float *ox_ms_heads(ox_run *r, const float *x, int64_t batch, int64_t length, int64_t heads, int64_t size, int64_t row, int64_t column,
                   const float *bias);
/* Two of these behind each other, per head. NULL after ox_fail. */
float *ox_ms_join(ox_run *r, const float *past, int64_t old, const float *x, int64_t length, int64_t heads, int64_t size);
/* Floats into a new output. */
int ox_ms_store(ox_run *r, int i, ox_dtype t, int rank, const int64_t *dims, const float *x);
/* The attribute scale, or one over the root of the size. */
float ox_ms_scale(ox_run *r, int64_t size);
/* Input i as a bias of scores [batch or 1, heads or 1, queries, at least keys]; -1 after ox_fail. */
int ox_ms_read_bias(ox_run *r, int i, ox_ms_attention *a);
/* Input i as what hides keys: in one of the forms that the operators allow. */
int ox_ms_read_mask(ox_run *r, int i, ox_ms_attention *a, int64_t past);

int ox_ms_run_attention(ox_run *r);   /* Attention and QAttention */
int ox_ms_run_multi_head(ox_run *r);
int ox_ms_run_group_query(ox_run *r);
int ox_ms_run_rotary(ox_run *r);

#endif
