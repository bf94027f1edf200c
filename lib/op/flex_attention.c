/* FlexAttention: attention whose scores and probabilities go through bodies of the node. Scores of all heads are there at once, because
 * bodies see them whole. Computed in double when the inputs or the softmax are double, else in float; what the definition rounds to a
 * narrower type is rounded. */
#include "op/compute.h"
#include "op/mover.h"

typedef struct flex {
    int64_t batch, heads, kv_heads, queries, keys, size, v_size;
    ox_dtype type, soft, as; /* of the inputs, of the softmax, of the arithmetic */
} flex;

static ox_dtype soft_type(ox_call *c, ox_dtype input) {
    if (!ox_has(c, "softmax_precision")) return input == OX_DOUBLE ? OX_DOUBLE : input ? OX_FLOAT : OX_UNDEFINED;
    int64_t t = ox_get_int(c, "softmax_precision");
    if (t == OX_FLOAT || t == OX_DOUBLE || t == OX_FLOAT16 || t == OX_BFLOAT16) return (ox_dtype)t;
    ox_fail(c->ctx, OX_BAD_DATA, "attribute 'softmax_precision' is %" PRId64, t);
    return OX_UNDEFINED;
}

static ox_graph *body_of(ox_call *c, const char *name) {
    const ox_attr *a = ox_get_attr(c, name);
    return a && a->type == OX_A_GRAPH ? a->g : NULL;
}

static int check_body(ox_call *c, const char *name, const ox_graph *g) {
    if (!g || (g->n_inputs == 1 && g->ret->n_in == 1)) return 0;
    return ox_fail(c->ctx, OX_BAD_DATA, "%s has %zu inputs and %u outputs, not one of each", name, g->n_inputs, g->ret->n_in);
}

static int infer_flex(ox_call *c) {
    static const char *const names[] = {"score_mod", "prob_mod"};
    for (int i = 0; i < 3; i++)
        if (ox_in_rank(c, i) >= 0 && ox_in_rank(c, i) != 4) return ox_fail(c->ctx, OX_BAD_DATA, "Q, K and V must have rank 4");
    const ox_dim *q = ox_in_dims(c, 0), *k = ox_in_dims(c, 1), *v = ox_in_dims(c, 2);
    ox_dim y[4] = {q ? q[0] : NULL, q ? q[1] : NULL, q ? q[2] : NULL, v ? v[3] : NULL},
           scores[4] = {y[0], y[1], y[2], k ? k[2] : NULL};
    ox_dtype soft = soft_type(c, ox_in_dtype(c, 0));
    if (!soft && ox_has(c, "softmax_precision")) return -1;
    for (int i = 0; i < 2; i++) {
        ox_graph *g = body_of(c, names[i]);
        if (check_body(c, names[i], g)) return -1;
        if (!g || !c->infer_body) continue;
        if (soft) g->inputs[0]->type = ox_type_copy(g->model->arena, ox_type_tensor(c->arena, soft, 4, scores));
        if (c->infer_body(c, g)) return -1;
    }
    ox_out_tensor(c, 0, ox_in_dtype(c, 0), 4, y);
    return 0;
}

static int read_flex(ox_run *r, flex *f, const ox_tensor *q, const ox_tensor *k, const ox_tensor *v) {
    if (q->rank != 4 || k->rank != 4 || v->rank != 4) return ox_fail(r->ctx, OX_BAD_DATA, "Q, K and V must have rank 4");
    *f = (flex){q->dims[0], q->dims[1], k->dims[1], q->dims[2], k->dims[2], q->dims[3], v->dims[3], q->dtype, OX_UNDEFINED, OX_FLOAT};
    bool fits = k->dims[0] == f->batch && v->dims[0] == f->batch && v->dims[1] == f->kv_heads && v->dims[2] == f->keys &&
                k->dims[3] == f->size && k->dtype == q->dtype && v->dtype == q->dtype;
    if (!fits || !f->size) return ox_fail(r->ctx, OX_BAD_DATA, "Q, K and V do not fit together");
    if (f->kv_heads ? f->heads % f->kv_heads : f->heads)
        return ox_fail(r->ctx, OX_BAD_DATA, "%" PRId64 " and %" PRId64 " heads cannot be", f->heads, f->kv_heads);
    f->soft = soft_type(r->call, f->type);
    if (!f->soft) return -1;
    if (f->type == OX_DOUBLE || f->soft == OX_DOUBLE) f->as = OX_DOUBLE;
    return 0;
}

/* Numbers become what type t can hold. */
static void settle(const flex *f, ox_dtype t, void *x, int64_t n) {
    uint64_t narrow[128];
    if (t == f->as || t == OX_DOUBLE) return;
    for (int64_t i = 0; i < n; i += 128) {
        int64_t k = n - i < 128 ? n - i : 128;
        if (f->as == OX_FLOAT) {
            ox_from_floats(t, narrow, 0, k, (float *)x + i);
            ox_to_floats(t, narrow, 0, k, (float *)x + i);
        } else {
            ox_store_doubles(t, narrow, k, (double *)x + i);
            for (int64_t j = 0; j < k; j++) ((double *)x)[i + j] = ox_load_double(t, narrow, j);
        }
    }
}

static size_t width(const flex *f) { return f->as == OX_DOUBLE ? sizeof(double) : sizeof(float); }

/* A tensor times the root of the scale, in the type of the inputs. */
static void *scaled(ox_run *r, const flex *f, const ox_tensor *t) {
    double scale = ox_has(r->call, "scale") ? ox_get_float(r->call, "scale") : 1 / sqrt((double)f->size), root = sqrt(scale);
    if (f->type != OX_DOUBLE) root = (double)sqrtf((float)scale);
    uint64_t rounded;
    ox_store_double(f->type, &rounded, 0, root);
    root = ox_load_double(f->type, &rounded, 0);
    const void *from = ox_product_in(r, t, f->as);
    void *to = from ? ox_scratch(r, ((uint64_t)t->count + 1) * width(f)) : NULL;
    for (int64_t i = 0; to && i < t->count; i++) {
        if (f->as == OX_DOUBLE) ((double *)to)[i] = ((const double *)from)[i] * root;
        else ((float *)to)[i] = ((const float *)from)[i] * (float)root;
    }
    if (to) settle(f, f->type, to, t->count);
    return to;
}

/* What a body makes of the numbers; without a body they are only rounded to the softmax's type. */
static int modify(ox_run *r, const flex *f, const char *name, void *x) {
    int64_t dims[4] = {f->batch, f->heads, f->queries, f->keys}, n = ox_count(dims, 0, 4);
    ox_graph *g = body_of(r->call, name);
    if (check_body(r->call, name, g)) return -1;
    settle(f, f->soft, x, n);
    if (!g) return 0;
    ox_tensor *t = ox_tensor_new(r->ctx, f->soft, 4, dims);
    ox_rt *in = t ? ox_rt_tensor(r->ctx, t) : NULL, *out = NULL;
    if (!in) return -1;
    if (f->soft == f->as) memcpy(ox_tensor_mut(t), x, (size_t)n * width(f));
    else if (f->as == OX_FLOAT) ox_from_floats(f->soft, ox_tensor_mut(t), 0, n, x);
    else ox_store_doubles(f->soft, ox_tensor_mut(t), n, x);
    int rc = r->run_body(r, g, &in, 1, &out, 1);
    ox_rt_unref(in);
    if (rc) return -1;
    const ox_tensor *made = out && out->kind == OX_RT_TENSOR ? out->t : NULL;
    bool fits = made && made->rank == 4 && !memcmp(made->dims, dims, sizeof dims) && ox_dtype_is_float(made->dtype);
    const void *from = fits ? ox_product_in(r, made, f->as) : NULL;
    if (from) memcpy(x, from, (size_t)n * width(f));
    ox_rt_unref(out);
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "%s gives another shape or type than it takes", name);
    if (from) settle(f, f->soft, x, n);
    return from ? 0 : -1;
}

static void soften(const flex *f, void *x, int64_t rows) {
    int64_t n = f->keys;
    for (int64_t i = 0; i < rows; i++) {
        double *d = (double *)x + i * n, sum = 0, top = -INFINITY;
        float *s = (float *)x + i * n;
        bool wide = f->as == OX_DOUBLE;
        for (int64_t j = 0; j < n; j++) top = fmax(top, wide ? d[j] : (double)s[j]);
        for (int64_t j = 0; j < n; j++) sum += wide ? (d[j] = exp(d[j] - top)) : (double)(s[j] = ox_fast_exp(s[j] - (float)top));
        for (int64_t j = 0; j < n; j++) {
            if (wide) d[j] /= sum;
            else s[j] = (float)((double)s[j] / sum);
        }
    }
}

static void *place(const flex *f, const void *x, int64_t at) { return (char *)(uintptr_t)x + (size_t)at * width(f); }


static int run_flex(ox_run *r) {
    flex f;
    const ox_tensor *q = ox_need(r, 0), *k = ox_need(r, 1), *v = ox_need(r, 2);
    if (!q || !k || !v || !ox_ok_float(r, q) || read_flex(r, &f, q, k, v)) return -1;
    int64_t rows = f.batch * f.heads * f.queries, scores, bytes, per = f.kv_heads ? f.heads / f.kv_heads : 1;
    if (!ox_mul_ok(rows, f.keys, &scores) || !ox_mul_ok(scores, (int64_t)width(&f), &bytes)) return ox_fail(r->ctx, OX_NO_MEMORY, "the scores are too many");
    ox_tensor *y = ox_output(r, 0, f.type, 4, (int64_t[]){f.batch, f.heads, f.queries, f.v_size});
    void *qs = y ? scaled(r, &f, q) : NULL, *ks = qs ? scaled(r, &f, k) : NULL;
    void *s = ks ? ox_scratch(r, ((uint64_t)scores + 1) * width(&f)) : NULL;
    const void *vs = s ? ox_product_in(r, v, f.as) : NULL;
    void *to = vs ? ox_product_out(r, y, f.as) : NULL;
    if (!to) return -1;
    for (int64_t h = 0; h < f.batch * f.heads; h++)
        ox_product(r->ctx, f.as, false, true, f.queries, f.keys, f.size, place(&f, qs, h * f.queries * f.size), f.size,
                   place(&f, ks, h / per * f.keys * f.size), f.size, false, place(&f, s, h * f.queries * f.keys), f.keys);
    settle(&f, f.type, s, scores);
    if (modify(r, &f, "score_mod", s)) return -1;
    soften(&f, s, rows);
    if (modify(r, &f, "prob_mod", s)) return -1;
    for (int64_t h = 0; h < f.batch * f.heads; h++)
        ox_product(r->ctx, f.as, false, false, f.queries, f.v_size, f.keys, place(&f, s, h * f.queries * f.keys), f.keys,
                   place(&f, vs, h / per * f.keys * f.v_size), f.v_size, false, place(&f, to, h * f.queries * f.v_size), f.v_size);
    ox_product_done(y, f.as, to);
    return 0;
}

OX_FAMILY(preview, "ai.onnx.preview",
    OP("FlexAttention", 1,
       "<prob_mod: graph?, scale: float?, score_mod: graph?, softmax_precision: int?>(T1 Q, T1 K, T1 V) "
       "=> (T1 Y) T1: floats|bfloat16",
       .flags = OX_CONTROL, .infer = infer_flex, .kernel = run_flex));
