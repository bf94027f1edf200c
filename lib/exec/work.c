/* Operations and bytes of a node, from the sizes of what goes in and comes out: for profiles, budgets and schedules.
 *
 * A row per operator says by which formula its operations are counted; operators without a row count as one per element when they are
 * element-wise, else as none. Two operations are one multiply-add. Bytes: every input and output once; where only a part of an input is
 * looked at (Gather, Slice), no more than what comes out; a view none; operators that hold bodies none, for the bodies are counted. */
#include "exec/exec.h"

#include <math.h>
#include <string.h>

typedef enum formula {
    NOTHING,   /* looks at shapes only, or moves elements */
    PER_OUT,   /* k for each element of output 0 */
    PER_IN,    /* k for each element of input 0 */
    PER_TERM,  /* one for each element and input beyond the first: Sum, Max */
    CONV,      /* input k: weights [M, C/groups, sizes...] */
    CONV_BACK, /* the same with [C, M/groups, sizes...], per element of the input */
    CHANNELS_LAST, /* input k: weights [M, sizes..., C/groups] */
    PRODUCT,   /* the last dimension of input 0 is summed over */
    GEMM,      /* rows of the output times what is left of input 0 */
    WINDOW,    /* kernel_shape of each element of output 0 */
    CROSS,     /* size (of LRN) of each element */
    RECURRENT, /* inputs 1 and 2: weights for each step and batch */
    ATTEND,    /* queries and keys, then values */
    ATTEND_ALL, /* the same after a product of input 0 with input 1 */
    EINSUM,
    FOURIER
} formula;

typedef struct rule { const char *op; formula by; double k; } rule;

static const rule rules[] = { /* in the order of their names */
    {"ArgMax", PER_IN, 1}, {"ArgMin", PER_IN, 1}, {"Attention", ATTEND, 0}, {"AveragePool", WINDOW, 1}, {"BatchNormalization", PER_OUT, 2},
    {"CausalConvWithState", CONV, 1}, {"Conv", CONV, 1}, {"ConvInteger", CONV, 1}, {"ConvTranspose", CONV_BACK, 1}, {"CumProd", PER_IN, 1},
    {"CumSum", PER_IN, 1}, {"DFT", FOURIER, 0}, {"DeformConv", CONV, 1}, {"DequantizeLinear", PER_OUT, 2}, {"DynamicQuantizeLinear", PER_OUT, 4},
    {"DynamicQuantizeMatMul", PRODUCT, 0}, {"Einsum", EINSUM, 0}, {"EmbedLayerNormalization", PER_OUT, 10}, {"FusedConv", CONV, 1},
    {"FusedGemm", GEMM, 0}, {"FusedMatMul", PRODUCT, 0}, {"FusedMatMulActivation", PRODUCT, 0}, {"GRU", RECURRENT, 0}, {"Gemm", GEMM, 0},
    {"GemmFastGelu", GEMM, 0}, {"GlobalAveragePool", PER_IN, 1}, {"GlobalLpPool", PER_IN, 2}, {"GlobalMaxPool", PER_IN, 1}, {"GridSample", PER_OUT, 8},
    {"GroupNorm", PER_OUT, 8}, {"GroupNormalization", PER_OUT, 8}, {"GroupQueryAttention", ATTEND, 0}, {"Hardmax", PER_OUT, 1},
    {"InstanceNormalization", PER_OUT, 8}, {"LRN", CROSS, 0}, {"LSTM", RECURRENT, 0}, {"LayerNormalization", PER_OUT, 8}, {"LogSoftmax", PER_OUT, 5},
    {"LpNormalization", PER_OUT, 3}, {"LpPool", WINDOW, 2}, {"MatMul", PRODUCT, 0}, {"MatMulBnb4", PRODUCT, 0}, {"MatMulInteger", PRODUCT, 0},
    {"MatMulIntegerToFloat", PRODUCT, 0}, {"MatMulNBits", PRODUCT, 0}, {"Max", PER_TERM, 0}, {"MaxPool", WINDOW, 1}, {"Mean", PER_TERM, 0},
    {"MeanVarianceNormalization", PER_OUT, 8}, {"Min", PER_TERM, 0}, {"MultiHeadAttention", ATTEND, 0}, {"NhwcConv", CHANNELS_LAST, 1},
    {"NhwcFusedConv", CHANNELS_LAST, 1}, {"NhwcMaxPool", WINDOW, 1}, {"QAttention", ATTEND_ALL, 0}, {"QGemm", GEMM, 0}, {"QLinearAdd", PER_OUT, 7},
    {"QLinearAveragePool", WINDOW, 1}, {"QLinearConv", CONV, 3}, {"QLinearGlobalAveragePool", PER_IN, 1}, {"QLinearLeakyRelu", PER_OUT, 5},
    {"QLinearMatMul", PRODUCT, 0}, {"QLinearMul", PER_OUT, 7}, {"QLinearSigmoid", PER_OUT, 5}, {"QLinearSoftmax", PER_OUT, 7},
    {"QuantizeLinear", PER_OUT, 2}, {"RMSNormalization", PER_OUT, 5}, {"RNN", RECURRENT, 0}, {"ReduceL1", PER_IN, 2}, {"ReduceL2", PER_IN, 2},
    {"ReduceLogSum", PER_IN, 1}, {"ReduceLogSumExp", PER_IN, 3}, {"ReduceMax", PER_IN, 1}, {"ReduceMean", PER_IN, 1}, {"ReduceMin", PER_IN, 1},
    {"ReduceProd", PER_IN, 1}, {"ReduceSum", PER_IN, 1}, {"ReduceSumSquare", PER_IN, 2}, {"Resize", PER_OUT, 4}, {"RoiAlign", PER_OUT, 8},
    {"RotaryEmbedding", PER_OUT, 3}, {"STFT", FOURIER, 0}, {"SimplifiedLayerNormalization", PER_OUT, 5}, {"SkipLayerNormalization", PER_OUT, 9},
    {"SkipSimplifiedLayerNormalization", PER_OUT, 6}, {"Softmax", PER_OUT, 5}, {"Sum", PER_TERM, 0}, {"TopK", PER_IN, 1}, {"TransposeMatMul", PRODUCT, 0},
    {"Upsample", PER_OUT, 4},
};

static const rule *find_rule(const char *op) {
    size_t low = 0, high = sizeof rules / sizeof *rules;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(op, rules[mid].op);
        if (order == 0) return &rules[mid];
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return NULL;
}

/* ---- what is known of a call */

typedef struct seen { const ox_node *n; const ox_sizes *in, *out; int n_in, n_out; } seen;

static const ox_sizes *in_of(const seen *s, int i) { return i < s->n_in && s->in[i].rank >= 0 ? &s->in[i] : NULL; }
static const ox_sizes *out_of(const seen *s, int i) { return i < s->n_out && s->out[i].rank >= 0 ? &s->out[i] : NULL; }
static double count(const ox_sizes *t) {
    double n = t ? 1 : 0;
    for (int d = 0; t && d < t->rank; d++) n *= (double)t->dims[d];
    return n;
}
/* Dimension i, from the end when negative; 1 where there is none. */
static double dim(const ox_sizes *t, int i) {
    if (i < 0 && t) i += t->rank;
    return t && i >= 0 && i < t->rank ? (double)t->dims[i] : 1;
}
static double part(double a, double b) { return b > 0 ? a / b : 0; }

static int64_t int_of(const ox_node *n, const char *name, int64_t otherwise) {
    const ox_attr *a = ox_attr_find(n, name);
    return a && a->type == OX_A_INT && !a->ref ? a->i : otherwise;
}

static double product_of(const ox_node *n, const char *name) {
    const ox_attr *a = ox_attr_find(n, name);
    double p = 1;
    for (size_t i = 0; a && a->type == OX_A_INTS && i < a->n; i++) p *= (double)a->is[i];
    return p;
}

/* ---- formulas that take more than a line; all give multiply-adds */

/* Queries [batch, heads, length, width] or [batch, length, heads * width]; for each of them all keys, then all values. Where a part of the keys is
 * masked out it counts all the same. */
static double attend(const seen *s) {
    const ox_sizes *q = in_of(s, 0), *k = in_of(s, 1), *present = out_of(s, 1), *past = in_of(s, 4);
    double keys = k ? dim(k, k->rank == 4 ? 2 : 1) : 0;
    if (present && present->rank == 4) keys = dim(present, 2);
    else if (past && past->rank == 4) keys += dim(past, 2);
    return (count(q) + count(out_of(s, 0))) * keys;
}

static double attend_all(const seen *s) {
    const ox_sizes *x = in_of(s, 0), *w = in_of(s, 1);
    double rows = dim(x, 0) * dim(x, 1), wide = dim(w, 1);
    return count(x) * wide + 2 * rows * dim(x, 1) * wide / 3;
}

/* The size that a letter of the equation stands for; an ellipsis, read as letter 0, for the dimensions that no letter names. */
static void letters_of(const char *term, size_t len, const ox_sizes *t, double *size) {
    int named = 0, at = 0;
    for (size_t i = 0; i < len; i++) named += term[i] != '.' && term[i] != ' ';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)term[i];
        if (c == ' ') continue;
        if (c == '.') {
            double rest = 1;
            for (int k = t->rank - named; k > 0; k--) rest *= dim(t, at++);
            size[0] = fmax(size[0], rest);
            i += 2;
            continue;
        }
        size[c % 128] = fmax(size[c % 128], dim(t, at++));
    }
}

static double einsum(const seen *s) {
    const ox_attr *a = ox_attr_find(s->n, "equation");
    double size[128] = {0}, all = 1;
    if (!a || a->type != OX_A_STRING) return 0;
    const char *p = a->s.data, *end = p + a->s.len;
    for (int i = 0; p < end && i < s->n_in; i++) {
        size_t len = 0;
        while (p + len < end && p[len] != ',' && p[len] != '-') len++;
        if (in_of(s, i)) letters_of(p, len, in_of(s, i), size);
        p += len;
        if (p >= end || *p == '-') break;
        p++;
    }
    for (int c = 0; c < 128; c++) all *= size[c] > 0 ? size[c] : 1;
    return s->n_in > 1 ? all : 0;
}

/* 2.5 n log2(n) for a real transform of n values. */
static double fourier(const seen *s) {
    const ox_sizes *out = out_of(s, 0);
    bool stft = ox_is(s->n, "STFT");
    double n = stft ? 2 * (dim(out, -2) - 1) : dim(in_of(s, 0), (int)int_of(s->n, "axis", -2));
    return 2.5 * count(out) / 2 * log2(fmax(n, 2));
}

/* ---- operations */

void ox_count_work(const ox_node *n, const ox_sizes *in, int n_in, const ox_sizes *out, int n_out, double *macs, double *flops) {
    const seen seen = {n, in, out, n_in, n_out}, *s = &seen;
    const rule *r = find_rule(n->op_type);
    const ox_sizes *x = in_of(s, 0), *y = out_of(s, 0);
    formula by = r ? r->by : n->op && (n->op->flags & OX_ELEMENTWISE) && !(n->op->flags & OX_MOVES_DATA) ? PER_OUT : NOTHING;
    double k = r ? r->k : 1, other = 0;
    const ox_sizes *weights = in_of(s, (int)k);
    if (by == ATTEND && n->domain[0] && !strcmp(n->op_type, "Attention")) by = ATTEND_ALL; /* com.microsoft */
    *macs = 0;
    switch (by) {
    case NOTHING: break;
    case PER_OUT: other = k * count(y); break;
    case PER_IN: other = k * count(x); break;
    case PER_TERM: other = count(y) * (s->n_in > 1 ? s->n_in - 1 : 1); break;
    case CONV: *macs = count(y) * part(count(weights), dim(weights, 0)); break;
    case CHANNELS_LAST: *macs = count(y) * part(count(weights), dim(weights, 0)); break;
    case CONV_BACK: *macs = count(x) * part(count(weights), dim(weights, 0)); break;
    case PRODUCT: *macs = count(y) * dim(x, int_of(n, "transA", 0) ? -2 : -1); break;
    case GEMM: *macs = count(y) * part(count(x), dim(y, 0)); break;
    case WINDOW: other = k * count(y) * product_of(n, "kernel_shape"); break;
    case CROSS: other = count(y) * (2 * (double)int_of(n, "size", 1) + 3); break;
    case RECURRENT: *macs = part(count(x), dim(x, -1)) * (count(in_of(s, 1)) + count(in_of(s, 2))); break;
    case ATTEND: *macs = attend(s); break;
    case ATTEND_ALL: *macs = attend_all(s); break;
    case EINSUM: *macs = einsum(s); break;
    case FOURIER: other = 2 * fourier(s); break;
    }
    *flops = 2 * *macs + other;
}

/* ---- bytes, of values that are there */

double ox_rt_bytes(const ox_rt *v) {
    double sum = 0;
    if (!v || v->kind == OX_RT_NONE) return 0;
    if (v->t) sum += (double)v->t->bytes;
    for (int64_t i = 0; i < (v->kind == OX_RT_SEQUENCE ? v->n : v->kind == OX_RT_MAP ? 1 : 0); i++) sum += ox_rt_bytes(v->items[i]);
    return sum;
}

static const ox_tensor *tensor(ox_rt *const *v, int n, int i) { return i < n && v[i] && v[i]->kind == OX_RT_TENSOR ? v[i]->t : NULL; }

static bool is_view(ox_rt *const *in, int n_in, ox_rt *const *out, int n_out) {
    const ox_tensor *x = tensor(in, n_in, 0), *y = tensor(out, n_out, 0);
    return x && y && x->bytes == y->bytes && y->bytes && ox_tensor_raw(x) == ox_tensor_raw(y);
}

/* No operator's count looks beyond the first SIZES_MOST. */
enum { SIZES_MOST = 16 };
static int sizes_of(ox_rt *const *v, int n, ox_sizes *sizes) {
    if (n > SIZES_MOST) n = SIZES_MOST;
    for (int i = 0; i < n; i++) {
        const ox_tensor *t = tensor(v, n, i);
        sizes[i] = t ? (ox_sizes){t->rank, t->dims} : (ox_sizes){-1, NULL};
    }
    return n;
}

void ox_count_call(const ox_node *n, ox_rt *const *in, int n_in, ox_rt *const *out, int n_out, ox_work *w) {
    uint32_t flags = n->op ? n->op->flags : 0;
    *w = (ox_work){0};
    for (int i = 0; i < n_out; i++) w->written += ox_rt_bytes(out[i]);
    for (int i = 0; i < n_in; i++) {
        double bytes = ox_rt_bytes(in[i]);
        bool part_only = i == 0 && ((flags & OX_MOVES_DATA) || !strcmp(n->op_type, "EmbedLayerNormalization")) && bytes > w->written;
        w->read += part_only ? w->written : bytes;
    }
    if (flags & OX_CONTROL) w->read = w->written = 0;
    else {
        ox_sizes of_in[SIZES_MOST], of_out[SIZES_MOST];
        int some_in = sizes_of(in, n_in, of_in), some_out = sizes_of(out, n_out, of_out);
        ox_count_work(n, of_in, some_in, of_out, some_out, &w->macs, &w->flops);
    }
    if (ox_is(n, "Shape") || ox_is(n, "Size")) w->read = 0;
    if ((flags & OX_MOVES_DATA) && is_view(in, n_in, out, n_out)) w->read = w->written = 0;
}
