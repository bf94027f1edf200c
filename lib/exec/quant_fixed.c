/* Parameters of quantization: scales, zero points and biases that are constants, looked at before any run. */
#include "exec/quant_lower.h"

#include <math.h>

static const ox_step *once_maker(const ox_quant_walk *w, const ox_cell *c) {
    const ox_plan *p = w->p;
    uintptr_t at = (uintptr_t)c, first = (uintptr_t)p->made_once;
    if (!c || at < first || at >= first + p->n_made_once * sizeof *c) return NULL;
    return &p->once[w->once_of[(at - first) / sizeof *c]];
}

static const ox_tensor *in_memory(const ox_quant_walk *w, const ox_step *s, int i) {
    for (int depth = 0; depth < 64 && i < s->n_in && s->in[i]; depth++) {
        const ox_rt *v = *s->in[i];
        if (v) return v->kind == OX_RT_TENSOR ? v->t : NULL;
        s = once_maker(w, s->in[i]);
        if (!s || !ox_lower_is(s, "Identity")) return NULL;
        i = 0;
    }
    return NULL;
}

const ox_tensor *ox_quant_fixed(const ox_quant_walk *w, const ox_step *s, int i) {
    if (i < 0 || i >= s->n_in || !s->in[i] || s->in_cell[i] != OX_NO_CELL || s->around[i]) return NULL;
    const ox_tensor *t = in_memory(w, s, i);
    if (!t || ox_tensor_data(t)) return t;
    ox_check_memory(w->f->ctx);
    ox_clear_error(w->f->ctx); /* whoever runs it finds out */
    return NULL;
}

const ox_step *ox_quant_maker(const ox_quant_walk *w, const ox_step *s, int i) {
    if (i >= s->n_in || !s->in[i] || s->in_cell[i] != OX_NO_CELL || s->around[i]) return NULL;
    const ox_step *by = once_maker(w, s->in[i]);
    return by && ox_lower_is(by, "DequantizeLinear") ? by : NULL;
}

static bool is_8bit(ox_dtype t) { return t == OX_INT8 || t == OX_UINT8; }

ox_dtype ox_quant_type_of(const ox_quant_walk *w, uint32_t cell) {
    const ox_type *t = ox_lower_cell_type(w->p, cell);
    return t && t->kind == OX_K_TENSOR && is_8bit(t->dtype) ? t->dtype : OX_UNDEFINED;
}

ox_dtype ox_quant_type_in(const ox_quant_walk *w, const ox_step *s, int i) {
    const ox_tensor *t = ox_quant_fixed(w, s, i);
    if (t) return is_8bit(t->dtype) ? t->dtype : OX_UNDEFINED;
    const ox_type *type = ox_lower_type(s, i);
    return type && type->kind == OX_K_TENSOR && is_8bit(type->dtype) ? type->dtype : OX_UNDEFINED;
}

static int32_t byte_at(const ox_tensor *t, int64_t i) {
    const void *data = ox_tensor_data(t);
    return t->dtype == OX_INT8 ? ((const int8_t *)data)[i] : ((const uint8_t *)data)[i];
}

bool ox_quant_read(const ox_quant_walk *w, const ox_step *s, int i, ox_dtype type, ox_quant *q) {
    const ox_tensor *scale = ox_quant_fixed(w, s, i), *zero = ox_quant_fixed(w, s, i + 1);
    bool given = i + 1 < s->n_in && s->in[i + 1];
    if (!is_8bit(type) || !scale || scale->dtype != OX_FLOAT || scale->count != 1 || (given && !zero)) return false;
    if (zero && (zero->dtype != type || zero->count != 1)) return false;
    *q = (ox_quant){*(const float *)ox_tensor_data(scale), zero ? byte_at(zero, 0) : 0, type == OX_INT8};
    return isfinite(q->scale) && q->scale > 0;
}

bool ox_quant_zeros(const ox_quant_walk *w, const ox_step *s, int i, ox_dtype type, int64_t n, ox_quant_weights *q) {
    const ox_tensor *wz = ox_quant_fixed(w, s, i);
    if (i < s->n_in && s->in[i] && !wz) return false;
    if (wz && (wz->dtype != type || (wz->count != 1 && wz->count != n))) return false;
    q->n = n;
    q->zeros = wz && wz->count > 1;
    q->zero = wz ? OX_NEW_N(w->f->arena, int32_t, wz->count) : NULL;
    for (int64_t k = 0; wz && k < wz->count; k++) q->zero[k] = byte_at(wz, k);
    return true;
}

bool ox_quant_scales(const ox_quant_walk *w, const ox_step *s, int scale, int zero, ox_dtype type, int64_t n, ox_quant_weights *q) {
    const ox_tensor *ws = ox_quant_fixed(w, s, scale);
    if (!ws || ws->dtype != OX_FLOAT || (ws->count != 1 && ws->count != n)) return false;
    const float *from = ox_tensor_data(ws);
    q->scales = ws->count > 1;
    q->scale = OX_NEW_N(w->f->arena, float, ws->count);
    for (int64_t i = 0; i < ws->count; i++) {
        q->scale[i] = q->to_float ? q->x.scale * from[i] : q->x.scale * from[i] / q->y.scale;
        if (!isfinite(q->scale[i]) || q->scale[i] < 0) return false;
    }
    return ox_quant_zeros(w, s, zero, type, n, q);
}

/* The bias as numbers; NULL when it is not known. */
static const double *bias_of(const ox_quant_walk *w, const ox_step *s, int i, int64_t n) {
    double *b = OX_NEW_N(w->f->arena, double, n + 1);
    const ox_step *by = ox_quant_maker(w, s, i);
    const ox_tensor *t = ox_quant_fixed(w, by ? by : s, by ? 0 : i);
    if (!t || t->count != n) return NULL;
    if (!by) {
        for (int64_t k = 0; k < n && t->dtype == OX_FLOAT; k++) b[k] = (double)((const float *)ox_tensor_data(t))[k];
        return t->dtype == OX_FLOAT ? b : NULL;
    }
    const ox_tensor *scale = ox_quant_fixed(w, by, 1), *zero = ox_quant_fixed(w, by, 2);
    bool given = by->n_in > 2 && by->in[2];
    if (!ox_dtype_is_int(t->dtype) || !scale || scale->dtype != OX_FLOAT || (scale->count != 1 && scale->count != n) || (given && !zero)) return NULL;
    if (zero && zero->count != scale->count) return NULL;
    for (int64_t k = 0; k < n; k++) {
        int64_t from = scale->count == 1 ? 0 : k, less = zero ? ox_load_int(zero->dtype, ox_tensor_data(zero), from) : 0;
        b[k] = (double)(ox_load_int(t->dtype, ox_tensor_data(t), k) - less) * (double)((const float *)ox_tensor_data(scale))[from];
    }
    return b;
}

bool ox_quant_bias(const ox_quant_walk *w, const ox_step *s, int i, const float *weight_scale, ox_quant_weights *q) {
    if (i >= s->n_in || !s->in[i]) return true;
    const double *b = bias_of(w, s, i, q->n);
    if (!b) return false;
    q->bias = q->to_float ? NULL : OX_NEW_N(w->f->arena, int32_t, q->n);
    q->add = q->to_float ? OX_NEW_N(w->f->arena, float, q->n) : NULL;
    for (int64_t k = 0; k < q->n; k++) {
        double x = rint(b[k] / ((double)q->x.scale * (double)weight_scale[q->scales ? k : 0]));
        if (q->to_float) q->add[k] = (float)b[k];
        else if (!(fabs(x) < 1 << 30)) return false;
        else q->bias[k] = (int32_t)x;
    }
    return true;
}

int32_t ox_quant_of(const ox_quant *q, float x) {
    float y = rintf(x / q->scale) + (float)q->zero, lo = (float)ox_quant_least(q), hi = (float)ox_quant_most(q);
    y = y > lo ? y : lo;
    return (int32_t)(y < hi ? y : hi);
}
