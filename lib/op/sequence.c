/* Sequences and optionals. Values are shared by reference; only joining and splitting copy elements. */
#include "op/mover.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------ types */

static const ox_type *seq_elem(const ox_type *t) { return t && t->kind == OX_K_SEQUENCE ? t->elem : NULL; }

static void out_seq(ox_call *c, int i, const ox_type *elem) {
    if (elem) ox_out_type(c, i, ox_type_of(c->arena, OX_K_SEQUENCE, elem));
}

/* An input that must be a sequence where its type is known. */
static int need_seq(ox_call *c) {
    const ox_type *t = ox_in_type(c, 0);
    if (!t || t->kind == OX_K_SEQUENCE || t->kind == OX_K_UNKNOWN) return 0;
    return ox_fail(c->ctx, OX_BAD_DATA, "input 0 is %s, not a sequence", ox_type_text(c->arena, t));
}

/* A sequence at run time, or NULL after ox_fail. */
static const ox_rt *get_seq(ox_run *r, int i) {
    const ox_rt *s = ox_input_rt(r, i);
    if (s && s->kind == OX_RT_SEQUENCE) return s;
    ox_fail(r->ctx, OX_BAD_DATA, "input %d is no sequence", i);
    return NULL;
}

static int infer_construct(ox_call *c) {
    const ox_type *elem = ox_in_type(c, 0);
    for (int i = 1; i < c->n_in; i++) elem = ox_type_join(c->arena, elem, ox_in_type(c, i));
    out_seq(c, 0, elem);
    return 0;
}

static int run_construct(ox_run *r) {
    int n = r->call->n_in;
    ox_rt **items = OX_NEW_N(r->arena, ox_rt *, n + 1);
    for (int i = 0; i < n; i++) {
        const ox_tensor *t = ox_input(r, i);
        if (!t || t->dtype != ox_input(r, 0)->dtype)
            return ox_fail(r->ctx, OX_BAD_DATA, "input %d is no tensor of the first's type", i);
    }
    for (int i = 0; i < n; i++) items[i] = ox_rt_ref(r->in[i]);
    return ox_output_rt(r, 0, ox_rt_sequence(r->ctx, items, n, n ? items[0]->t->dtype : OX_UNDEFINED));
}

static ox_dtype empty_dtype(const ox_call *c) {
    return ox_has(c, "dtype") ? (ox_dtype)ox_get_int(c, "dtype") : OX_FLOAT;
}

static int infer_empty(ox_call *c) {
    int64_t t = ox_has(c, "dtype") ? ox_get_int(c, "dtype") : OX_FLOAT;
    if (t < 1 || t >= OX_DTYPE_COUNT) return ox_fail(c->ctx, OX_BAD_DATA, "dtype is %lld", (long long)t);
    out_seq(c, 0, ox_type_tensor(c->arena, (ox_dtype)t, -1, NULL));
    return 0;
}

static int run_empty(ox_run *r) { return ox_output_rt(r, 0, ox_rt_sequence(r->ctx, NULL, 0, empty_dtype(r->call))); }

static int infer_insert(ox_call *c) {
    const ox_type *elem = seq_elem(ox_in_type(c, 0)), *t = ox_in_type(c, 1);
    if (need_seq(c)) return -1;
    if (ox_type_is_tensor(elem) && ox_type_is_tensor(t) && elem->dtype && t->dtype && elem->dtype != t->dtype)
        return ox_fail(c->ctx, OX_BAD_DATA, "a tensor of %s does not go into a sequence of %s", ox_dtype_name(t->dtype),
                       ox_dtype_name(elem->dtype));
    if (elem && t) out_seq(c, 0, ox_type_join(c->arena, elem, t));
    return 0;
}

/* A place in a sequence: input i, or `dflt` when it is absent; `last` may be the length. -1 after ox_fail. */
static int64_t position(ox_run *r, int i, int64_t n, int64_t last, int64_t dflt) {
    if (!ox_input(r, i)) return dflt;
    int64_t k;
    const int64_t *p = ox_run_ints(r, i, &k);
    if (!p) return -1;
    int64_t at = k == 1 ? p[0] : INT64_MAX;
    if (at < 0) at += n;
    if (at >= 0 && at <= last) return at;
    return ox_fail(r->ctx, OX_BAD_DATA, "position is out of range for a sequence of %lld", (long long)n);
}

static int run_insert(ox_run *r) {
    const ox_rt *s = get_seq(r, 0);
    const ox_tensor *t = ox_input(r, 1);
    if (!s || !t) return s ? ox_fail(r->ctx, OX_BAD_DATA, "tensor is no tensor") : -1;
    if (s->elem && s->elem != t->dtype)
        return ox_fail(r->ctx, OX_BAD_DATA, "the tensor has another element type than the sequence");
    int64_t at = position(r, 2, s->n, s->n, s->n);
    if (at < 0) return -1;
    ox_rt **items = ox_scratch(r, ((uint64_t)s->n + 1) * sizeof *items);
    if (!items) return -1;
    for (int64_t i = 0, k = 0; i <= s->n; i++) items[i] = ox_rt_ref(i == at ? r->in[1] : s->items[k++]);
    return ox_output_rt(r, 0, ox_rt_sequence(r->ctx, items, s->n + 1, t->dtype));
}

static int infer_erase(ox_call *c) {
    if (need_seq(c)) return -1;
    ox_out_type(c, 0, ox_in_type(c, 0));
    return 0;
}

static int run_erase(ox_run *r) {
    const ox_rt *s = get_seq(r, 0);
    int64_t at = s ? position(r, 1, s->n, s->n - 1, s->n - 1) : -1;
    if (s && at < 0 && !ox_error_code(r->ctx)) return ox_fail(r->ctx, OX_BAD_DATA, "the sequence is empty");
    ox_rt **items = at < 0 ? NULL : ox_scratch(r, (uint64_t)s->n * sizeof *items);
    if (!items) return -1;
    for (int64_t i = 0, k = 0; i < s->n; i++)
        if (i != at) items[k++] = ox_rt_ref(s->items[i]);
    return ox_output_rt(r, 0, ox_rt_sequence(r->ctx, items, s->n - 1, s->elem));
}

static int infer_at(ox_call *c) {
    if (need_seq(c)) return -1;
    ox_out_type(c, 0, seq_elem(ox_in_type(c, 0)));
    return 0;
}

static int run_at(ox_run *r) {
    const ox_rt *s = get_seq(r, 0);
    if (s && !ox_input(r, 1)) return ox_fail(r->ctx, OX_BAD_DATA, "position is missing");
    int64_t at = s ? position(r, 1, s->n, s->n - 1, -1) : -1;
    return at < 0 ? -1 : ox_output_rt(r, 0, ox_rt_ref(s->items[at]));
}

static int infer_length(ox_call *c) {
    if (need_seq(c)) return -1;
    ox_out_tensor(c, 0, OX_INT64, 0, NULL);
    return 0;
}

static int run_length(ox_run *r) {
    const ox_rt *s = get_seq(r, 0);
    ox_tensor *t = s ? ox_output(r, 0, OX_INT64, 0, NULL) : NULL;
    if (!t) return -1;
    memcpy(ox_tensor_mut(t), &s->n, sizeof s->n);
    return 0;
}

/* ---------------------------------------------------------------------------------------- splitting, joining */

/* keepdims counts only when split is absent. */
static bool drops_axis(const ox_call *c) { return !ox_arg_given(c, 1) && ox_get_int(c, "keepdims") == 0; }

static int infer_split_seq(ox_call *c) {
    int rank = ox_in_rank(c, 0), k = 0;
    ox_dtype dtype = ox_in_dtype(c, 0);
    if (rank < 0) {
        out_seq(c, 0, ox_type_tensor(c->arena, dtype, -1, NULL));
        return 0;
    }
    int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis"), n, size;
    if (axis < 0) return -1;
    ox_dim *out = ox_mv_no_dims(c, rank), part = NULL;
    const int64_t *split = ox_arg_given(c, 1) ? ox_in_ints(c, 1, &n) : NULL;
    if (!ox_arg_given(c, 1)) part = ox_dim_const(c->ctx, 1);
    for (int64_t i = 0; split && i < n; i++) {
        if (split[i] < 0 || (ox_in_rank(c, 1) == 0 && !split[i]))
            return ox_fail(c->ctx, OX_BAD_DATA, "split holds %lld", (long long)split[i]);
        bool even = ox_in_rank(c, 1) != 0 || (ox_dim_is_const(ox_in_dims(c, 0)[axis], &size) && size % split[i] == 0);
        if (split[i] != split[0]) part = NULL;
        else if (even && i == 0) part = ox_dim_const(c->ctx, split[0]);
        if (!even || split[i] != split[0]) break;
    }
    for (int i = 0; i < rank; i++) {
        if (i == axis && drops_axis(c)) continue;
        out[k++] = i == axis ? part : ox_in_dims(c, 0)[i];
    }
    out_seq(c, 0, ox_type_tensor(c->arena, dtype, k, out));
    return 0;
}

/* One part as a value of its own; NULL after ox_fail. */
static ox_rt *cut(ox_run *r, const ox_tensor *x, const char *from, int64_t axis, int64_t at, int64_t size, bool drop) {
    int64_t *dims = OX_NEW_N(r->arena, int64_t, 4 * ((size_t)x->rank + 1)), *ss = dims + x->rank + 1,
            *ds = ss + x->rank;
    int64_t *out = ds + x->rank;
    int k = 0;
    for (int i = 0; i < x->rank; i++) {
        dims[i] = i == axis ? size : x->dims[i];
        if (i != axis || !drop) out[k++] = dims[i];
    }
    ox_mv_strides(x->rank, x->dims, ss);
    ox_mv_strides(x->rank, dims, ds);
    ox_tensor *t = ox_tensor_new(r->ctx, x->dtype, k, out);
    ox_mv_out o;
    if (!t) return NULL;
    if (ox_mv_begin_tensor(r, t, &o) == 0) {
        if (t->count)
            ox_mv_copy(r->arena, o.size, x->rank, dims, o.data, ds, from + at * ss[axis] * (int64_t)o.size, ss);
        if (ox_mv_done(r, &o) == 0) return ox_rt_tensor(r->ctx, t);
    }
    ox_tensor_unref(t);
    return NULL;
}

static int run_split_seq(ox_run *r) {
    const ox_tensor *x = ox_input(r, 0), *st = ox_input(r, 1);
    if (!x) return ox_fail(r->ctx, OX_BAD_DATA, "input is no tensor");
    int64_t axis = ox_axis(r->call, ox_get_int(r->call, "axis"), x->rank, "axis"), n = 0, at = 0;
    const int64_t *split = axis >= 0 && st ? ox_run_ints(r, 1, &n) : NULL;
    if (axis < 0 || (st && !split)) return -1;
    int64_t size = x->dims[axis], step = st && st->rank == 0 ? split[0] : 1;
    if (step < 1) return ox_fail(r->ctx, OX_BAD_DATA, "split is %lld", (long long)step);
    bool listed = st && st->rank > 0;
    if (!listed) n = size / step + (size % step != 0);
    const char *from = ox_mv_in(r, x);
    ox_rt **items = from ? ox_scratch(r, ((uint64_t)n + 1) * sizeof *items) : NULL;
    if (!items) return -1;
    int64_t k = 0;
    for (; k < n; k++) {
        int64_t part = listed ? split[k] : step < size - at ? step : size - at;
        if (part < 0 || part > size - at || (listed && k == n - 1 && part != size - at)) {
            ox_fail(r->ctx, OX_BAD_DATA, "split does not add up to %lld", (long long)size);
            break;
        }
        if (!(items[k] = cut(r, x, from, axis, at, part, drops_axis(r->call)))) break;
        at += part;
    }
    if (k == n) return ox_output_rt(r, 0, ox_rt_sequence(r->ctx, items, n, x->dtype));
    while (k > 0) ox_rt_unref(items[--k]);
    return -1;
}

static int infer_concat_seq(ox_call *c) {
    const ox_type *e = seq_elem(ox_in_type(c, 0));
    if (need_seq(c)) return -1;
    if (!ox_type_is_tensor(e)) return 0;
    bool stack = ox_get_int(c, "new_axis") != 0;
    ox_dim *out = ox_mv_no_dims(c, e->rank + 1);
    int rank = e->rank < 0 ? -1 : e->rank + stack;
    if (rank >= 0) {
        int64_t axis = ox_axis(c, ox_get_int(c, "axis"), rank, "axis");
        if (axis < 0) return -1;
        for (int i = 0; i < rank; i++) out[i] = i == axis ? NULL : e->dims[i - (stack && i > axis)];
    }
    ox_out_tensor(c, 0, e->dtype, rank, out);
    return 0;
}

static int run_concat_seq(ox_run *r) {
    const ox_rt *s = get_seq(r, 0);
    if (!s) return -1;
    if (!s->n) return ox_fail(r->ctx, OX_BAD_DATA, "the sequence is empty");
    ox_tensor **parts = OX_NEW_N(r->arena, ox_tensor *, s->n), *out;
    for (int64_t i = 0; i < s->n; i++) {
        if (s->items[i]->kind != OX_RT_TENSOR)
            return ox_fail(r->ctx, OX_BAD_DATA, "element %lld is no tensor", (long long)i);
        parts[i] = s->items[i]->t;
    }
    if (ox_mv_stack(r, parts, s->n, ox_get_int(r->call, "axis"), ox_get_int(r->call, "new_axis") != 0, &out)) return -1;
    return ox_output_rt(r, 0, ox_rt_tensor(r->ctx, out));
}

/* ------------------------------------------------------------------------------------------------ optionals */

static int infer_optional(ox_call *c) {
    const ox_attr *a = ox_get_attr(c, "type");
    const ox_type *t = ox_arg_given(c, 0) ? ox_in_type(c, 0) : a && a->type == OX_A_TYPE ? a->tp : NULL;
    if (!ox_arg_given(c, 0) && !a) return ox_fail(c->ctx, OX_BAD_DATA, "neither an input nor the attribute type");
    if (t) ox_out_type(c, 0, ox_type_of(c->arena, OX_K_OPTIONAL, t));
    return 0;
}

static int run_optional(ox_run *r) {
    const ox_rt *v = ox_input_rt(r, 0);
    return ox_output_rt(r, 0, v ? ox_rt_ref(r->in[0]) : ox_rt_none(r->ctx));
}

static int infer_get_element(ox_call *c) {
    const ox_type *t = ox_in_type(c, 0);
    ox_out_type(c, 0, t && t->kind == OX_K_OPTIONAL ? t->elem : t);
    return 0;
}

static int run_get_element(ox_run *r) {
    const ox_rt *v = ox_input_rt(r, 0);
    if (!v || v->kind == OX_RT_NONE) return ox_fail(r->ctx, OX_BAD_DATA, "the optional is empty");
    return ox_output_rt(r, 0, ox_rt_ref(r->in[0]));
}

static int infer_has_element(ox_call *c) {
    const ox_type *t = ox_in_type(c, 0);
    ox_out_tensor(c, 0, OX_BOOL, 0, NULL);
    ox_dim has = ox_dim_const(c->ctx, ox_arg_given(c, 0));
    bool told = !ox_arg_given(c, 0) || (t && (t->kind == OX_K_TENSOR || t->kind == OX_K_SEQUENCE));
    if (told) ox_out_elems(c, 0, 1, &has);
    return 0;
}

static int run_has_element(ox_run *r) {
    const ox_rt *v = ox_input_rt(r, 0);
    ox_tensor *t = ox_output(r, 0, OX_BOOL, 0, NULL);
    if (!t) return -1;
    *(uint8_t *)ox_tensor_mut(t) = v && v->kind != OX_RT_NONE;
    return 0;
}

OX_FAMILY(sequence, "",
    OP("SequenceConstruct", 11,
       "(T... inputs) => (S output_sequence) T: any, S: seq(any)",
       .infer = infer_construct, .kernel = run_construct),
    OP("SequenceEmpty", 11,
       "<dtype: int?>() => (S output) S: seq(any)",
       .infer = infer_empty, .kernel = run_empty),
    OP("SequenceInsert", 11,
       "(S input_sequence, T tensor, I? position) => (S output_sequence) T: any, S: seq(any), I: int32|"
       "int64",
       .infer = infer_insert, .kernel = run_insert),
    OP("SequenceErase", 11,
       "(S input_sequence, I? position) => (S output_sequence) S: seq(any), I: int32|int64",
       .infer = infer_erase, .kernel = run_erase),
    OP("SequenceAt", 11,
       "(S input_sequence, I position) => (T tensor) S: seq(any), T: any, I: int32|int64",
       .infer = infer_at, .kernel = run_at),
    OP("SequenceLength", 11,
       "(S input_sequence) => (I length) S: seq(any), I: int64",
       .infer = infer_length, .kernel = run_length),
    OP("SplitToSequence", 24,
       "<axis: int = 0, keepdims: int = 1>(T input, I? split) => (S output_sequence) T: any|bfloat16, "
       "I: int32|int64, S: seq(any|bfloat16)",
       .infer = infer_split_seq, .kernel = run_split_seq),
    OP("SplitToSequence", 11,
       "<axis: int = 0, keepdims: int = 1>(T input, I? split) => (S output_sequence) T: any, I: int32|"
       "int64, S: seq(any)"),
    OP("ConcatFromSequence", 11,
       "<axis: int, new_axis: int = 0>(S input_sequence) => (T concat_result) S: seq(any), T: any",
       .infer = infer_concat_seq, .kernel = run_concat_seq),
    OP("Optional", 28,
       "<type: type_proto?>(V? input) => (O output) V: any|fp8|int4s|int2s|bfloat16|float4e2m1|"
       "float6e2m3|float6e3m2|float8e8m0|seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|"
       "float6e3m2|float8e8m0), O: optional(seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|"
       "float6e3m2|float8e8m0))|optional(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0)",
       .infer = infer_optional, .kernel = run_optional),
    OP("Optional", 15,
       "<type: type_proto?>(V? input) => (O output) V: any|seq(any), O: optional(seq(any))|optional(any)"),
    OP("OptionalGetElement", 28,
       "(O input) => (V output) O: any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0|optional(seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0))|optional(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0)|"
       "seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0), V: any|fp8|int4s|"
       "int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0|seq(any|fp8|int4s|int2s|bfloat16|"
       "float4e2m1|float6e2m3|float6e3m2|float8e8m0)",
       .infer = infer_get_element, .kernel = run_get_element),
    OP("OptionalGetElement", 18,
       "(O input) => (V output) O: any|optional(seq(any))|optional(any)|seq(any), V: any|seq(any)"),
    OP("OptionalGetElement", 15,
       "(O input) => (V output) O: optional(seq(any))|optional(any), V: any|seq(any)"),
    OP("OptionalHasElement", 28,
       "(O? input) => (B output) O: any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0|optional(seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|"
       "float8e8m0))|optional(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0)|"
       "seq(any|fp8|int4s|int2s|bfloat16|float4e2m1|float6e2m3|float6e3m2|float8e8m0), B: bool",
       .infer = infer_has_element, .kernel = run_has_element),
    OP("OptionalHasElement", 18,
       "(O? input) => (B output) O: any|optional(seq(any))|optional(any)|seq(any), B: bool"),
    OP("OptionalHasElement", 15,
       "(O input) => (B output) O: optional(seq(any))|optional(any), B: bool"));
