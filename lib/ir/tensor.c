/* Tensors: reference-counted, immutable after they were filled, with payloads that are looked at only when somebody
 * asks.
 *
 * Where a payload is, in the order in which ox_tensor_raw() looks: in the tensor whose memory this one shares
 * (`base`, never one that has a base itself), in own memory, in place in a file, or still to be decoded. A view that
 * does not stand aligned for its elements is copied once. The struct and its dims are one allocation, so tensors that
 * outlive a model go with the context. */
#include "ir/ir.h"

#include <string.h>

_Atomic int ox_frames_in_lanes;

static const _Alignas(64) unsigned char no_elements[64];
enum { TRIMMED = 1 << 20 }; /* pages of payloads from this size on go back to the system when they are forgotten */

/* Product of the dims in *count; zero dims do not hide an overflow, because strides are computed from them as well. */
static int count_elements(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims, int64_t *count, uint64_t *bytes) {
    int64_t n = 1;
    bool empty = false;
    if (rank < 0 || (uint32_t)rank > ctx->limits.rank)
        return ox_fail(ctx, OX_BAD_DATA, "a tensor of rank %d; the limit (rank) is %u", rank, ctx->limits.rank);
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return ox_fail(ctx, OX_BAD_DATA, "dimension %d of a tensor is negative: %lld", i, (long long)dims[i]);
        if (!dims[i])
            empty = true;
        else if (!ox_mul_ok(n, dims[i], &n))
            return ox_fail(ctx, OX_BAD_DATA, "a tensor with more than 2^63 elements");
    }
    *count = empty ? 0 : n;
    if (!ox_dtype_bytes(dtype, *count, bytes) || *bytes > INT64_MAX || *bytes > SIZE_MAX)
        return ox_fail(ctx, OX_BAD_DATA, "a tensor of %lld elements of type %s is too large, or has no such type",
                       (long long)*count, ox_dtype_name(dtype));
    return 0;
}

/* A tensor without a payload. */
static ox_tensor *new_header(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims) {
    int64_t count = 0;
    uint64_t bytes = 0;
    if (count_elements(ctx, dtype, rank, dims, &count, &bytes)) return NULL;
    ox_tensor *t = ox_payload_alloc(ctx, sizeof *t + (size_t)rank * sizeof *dims);
    if (!t) return NULL;
    *t = (ox_tensor){.refs = 1,
                     .dtype = dtype,
                     .rank = rank,
                     .dims = (int64_t *)(t + 1),
                     .count = count,
                     .bytes = bytes,
                     .ctx = ctx};
    if (rank) memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
    return t;
}

/* Bits behind the last element are zero. */
static void clear_last(ox_tensor *t) {
    if (t->own && t->bytes && ox_dtype_packed(t->dtype)) ((uint8_t *)t->own)[t->bytes - 1] = 0;
}

ox_tensor *ox_tensor_new(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims) {
    ox_tensor *t = new_header(ctx, dtype, rank, dims);
    if (!t || !t->bytes) return t;
    t->own = ox_payload_alloc_brief(ctx, (size_t)t->bytes);
    if (!t->own) {
        ox_tensor_unref(t);
        return NULL;
    }
    if (dtype == OX_STRING)
        for (int64_t i = 0; i < t->count; i++) ((ox_str *)t->own)[i] = (ox_str){"", 0};
    clear_last(t);
    return t;
}

ox_tensor *ox_tensor_new_view(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims, const void *view,
                              const ox_file *file) {
    ox_tensor *t = new_header(ctx, dtype, rank, dims);
    if (!t) return NULL;
    t->view = view;
    t->file = file;
    return t;
}

ox_tensor *ox_tensor_lent(ox_ctx *ctx, ox_dtype dtype, int rank, const int64_t *dims, void *memory) {
    ox_tensor *t = new_header(ctx, dtype, rank, dims);
    if (!t) return NULL;
    t->own = memory;
    t->lent = true;
    clear_last(t);
    return t;
}

ox_tensor *ox_tensor_over(ox_ctx *ctx, ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dims) {
    ox_tensor *r = new_header(ctx, dtype, rank, dims), *root = t->base ? t->base : t;
    if (!r) return NULL;
    if (r->bytes != root->bytes || !root->own) {
        ox_fail(ctx, OX_BUG, "a payload of %llu bytes written over one of %llu", (unsigned long long)r->bytes, (unsigned long long)root->bytes);
        ox_tensor_unref(r);
        return NULL;
    }
    r->base = ox_tensor_ref(root);
    return r;
}

ox_tensor *ox_tensor_reshaped(ox_ctx *ctx, ox_tensor *t, ox_dtype dtype, int rank, const int64_t *dims) {
    bool same_bits = dtype == t->dtype ||
                     (dtype != OX_STRING && t->dtype != OX_STRING && ox_dtype_bits(dtype) == ox_dtype_bits(t->dtype));
    ox_tensor *r = new_header(ctx, dtype, rank, dims);
    if (!r) return NULL;
    if (r->count != t->count || !same_bits) {
        ox_fail(ctx, OX_BAD_DATA, "%lld elements of type %s cannot be seen as %lld of type %s", (long long)t->count,
                ox_dtype_name(t->dtype), (long long)r->count, ox_dtype_name(dtype));
        ox_tensor_unref(r);
        return NULL;
    }
    r->base = ox_tensor_ref(t->base ? t->base : t);
    return r;
}

ox_tensor *ox_tensor_ref(ox_tensor *t) {
    if (t) ox_count_ref(&t->refs, 1);
    return t;
}

void ox_tensor_unref(ox_tensor *t) {
    if (!t || ox_count_ref(&t->refs, -1)) return;
    ox_tensor *base = t->base;
    if (!t->lent) ox_payload_free(t->own);
    ox_arena_free(t->strings);
    ox_payload_free(t);
    ox_tensor_unref(base); /* has no base itself: this goes one level deep */
}

static bool aligned_for(const void *p, ox_dtype dtype) {
    unsigned bytes = ox_dtype_bits(dtype) / 8;
    return bytes <= 1 || (uintptr_t)p % (bytes > 8 ? 8 : bytes) == 0;
}

const void *ox_tensor_raw(const ox_tensor *ct) {
    ox_tensor *t = (ox_tensor *)ct; /* what is found is kept; nobody can see the difference */
    if (!t->bytes) return no_elements;
    if (t->base) t = t->base;
    if (!t->own && !t->view && t->decode && t->decode(t->ctx, t)) return NULL;
    if (t->own) return t->own;
    if (!t->view) ox_fail(t->ctx, OX_BUG, "a tensor without a payload");
    return t->view;
}

bool ox_tensor_copied(const ox_tensor *t) {
    const ox_tensor *holder = t->base ? t->base : t;
    return holder->decode || (holder->view && !aligned_for(holder->view, t->dtype));
}

const void *ox_tensor_data(const ox_tensor *t) {
    const void *raw = ox_tensor_raw(t);
    if (!raw || !t->bytes || aligned_for(raw, t->dtype)) return raw;
    ox_tensor *holder = t->base ? t->base : (ox_tensor *)t;
    void *own = ox_payload_alloc(t->ctx, (size_t)t->bytes);
    if (!own) return NULL;
    memcpy(own, raw, (size_t)t->bytes);
    return holder->own = own;
}

void ox_tensor_forget(const ox_tensor *t) {
    const ox_tensor *holder = t->base ? t->base : t;
    const uint8_t *view = holder->view;
    if (view && holder->file) ox_file_forget(holder->file, view, view + holder->bytes);
    if (!holder->own || holder->lent || !holder->passing) return;
    void *own = holder->own;
    ((ox_tensor *)(uintptr_t)holder)->own = NULL;
    ox_payload_free(own);
    if (!view && holder->bytes >= TRIMMED) ox_recycle(t->ctx, 0);
}

void *ox_tensor_mut(ox_tensor *t) {
    if (!t->bytes) return (void *)(uintptr_t)no_elements;
    return t->own || !t->base ? t->own : t->base->own;
}

int ox_tensor_set_str(ox_tensor *t, int64_t i, const char *text, size_t len) {
    if (t->dtype != OX_STRING || !t->own || i < 0 || i >= t->count)
        return ox_fail(t->ctx, OX_BUG, "element %lld of a tensor of %s cannot be set to a string", (long long)i,
                       ox_dtype_name(t->dtype));
    if (!t->strings) t->strings = ox_arena_new(t->ctx);
    char *copy = ox_alloc_n(t->strings, len + 1, 1);
    if (len) memcpy(copy, text, len);
    ((ox_str *)t->own)[i] = (ox_str){copy, len};
    return 0;
}

ox_tensor *ox_tensor_scalar_int(ox_ctx *ctx, ox_dtype dtype, int64_t v) {
    ox_tensor *t = ox_tensor_new(ctx, dtype, 0, NULL);
    if (t) ox_store_int(dtype, t->own, 0, v);
    return t;
}

ox_tensor *ox_tensor_scalar_double(ox_ctx *ctx, ox_dtype dtype, double v) {
    ox_tensor *t = ox_tensor_new(ctx, dtype, 0, NULL);
    if (t) ox_store_double(dtype, t->own, 0, v);
    return t;
}

ox_tensor *ox_tensor_ints(ox_ctx *ctx, int64_t n, const int64_t *v) {
    ox_tensor *t = ox_tensor_new(ctx, OX_INT64, 1, &n);
    if (t && n) memcpy(t->own, v, (size_t)t->bytes);
    return t;
}

/* The bits of the last byte that belong to elements. */
static uint8_t last_mask(const ox_tensor *t) {
    unsigned bits = ox_dtype_bits(t->dtype);
    if (!bits || bits >= 8) return 0xff;
    unsigned used = (unsigned)((uint64_t)t->count % (8 / bits)) * bits;
    return (uint8_t)(used ? (1u << used) - 1 : 0xff);
}

bool ox_tensor_equal(const ox_tensor *a, const ox_tensor *b) {
    if (a == b) return true;
    if (!a || !b || a->dtype != b->dtype || a->rank != b->rank) return false;
    if (a->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims)) return false;
    const uint8_t *p = ox_tensor_raw(a), *q = ox_tensor_raw(b);
    if (!p || !q) return false;
    if (p == q || !a->bytes) return true;
    if (a->dtype == OX_STRING) {
        const ox_str *s = (const void *)p, *r = (const void *)q;
        for (int64_t i = 0; i < a->count; i++)
            if (s[i].len != r[i].len || (s[i].len && memcmp(s[i].data, r[i].data, s[i].len))) return false;
        return true;
    }
    size_t last = (size_t)a->bytes - 1;
    return !memcmp(p, q, last) && !((p[last] ^ q[last]) & last_mask(a));
}

uint64_t ox_tensor_hash(const ox_tensor *t) {
    uint64_t h = ox_hash(t->dims, (size_t)t->rank * sizeof *t->dims, (uint64_t)t->dtype);
    const uint8_t *p = ox_tensor_raw(t);
    if (!p || !t->bytes) return h;
    if (t->dtype == OX_STRING) {
        const ox_str *s = (const void *)p;
        for (int64_t i = 0; i < t->count; i++) h = ox_hash(s[i].data, s[i].len, h);
        return h;
    }
    size_t last = (size_t)t->bytes - 1;
    return ox_hash_mix(ox_hash(p, last, h), p[last] & last_mask(t));
}

const int64_t *ox_tensor_to_ints(ox_arena *arena, const ox_tensor *t) {
    if (!t || !(ox_dtype_is_int(t->dtype) || t->dtype == OX_BOOL)) return NULL;
    const void *data = ox_tensor_data(t);
    if (!data) return NULL;
    int64_t *v = OX_NEW_N(arena, int64_t, t->count ? t->count : 1);
    if (t->dtype == OX_INT64 || t->dtype == OX_INT32) { /* the usual ones */
        if (t->dtype == OX_INT64 && t->count) memcpy(v, data, (size_t)t->count * sizeof *v);
        for (int64_t i = 0; t->dtype == OX_INT32 && i < t->count; i++) v[i] = ((const int32_t *)data)[i];
        return v;
    }
    for (int64_t i = 0; i < t->count; i++) {
        v[i] = ox_load_int(t->dtype, data, i);
        if (v[i] < 0 && t->dtype == OX_UINT64) return NULL; /* no int64 */
    }
    return v;
}
