/* TensorProto to ox_tensor: every field checked against type and dims, the payload left where it is.
 *
 * Views need no memory: raw_data and external data lie in mapped files, typed fields whose numbers have the element's
 * size in the message's arena. Other typed fields (float16 in int32_data ...) are converted on first use. */
#include "onnx/proto.h"

#include <string.h>

/* The typed field in which an element type is stored. */
typedef enum store { S_FLOAT, S_INT32, S_STRING, S_INT64, S_DOUBLE, S_UINT64, S_RAW, S_COUNT } store;

static const char *const store_names[S_COUNT] = {"float_data",  "int32_data",  "string_data", "int64_data",
                                                 "double_data", "uint64_data", "raw_data"};

static store store_of(ox_dtype t) {
    switch (t) {
    case OX_FLOAT:
    case OX_COMPLEX64:
        return S_FLOAT;
    case OX_DOUBLE:
    case OX_COMPLEX128:
        return S_DOUBLE;
    case OX_INT64:
        return S_INT64;
    case OX_UINT32:
    case OX_UINT64:
        return S_UINT64;
    case OX_STRING:
        return S_STRING;
    default:
        return S_INT32;
    }
}

static size_t store_count(const Onnx__TensorProto *t, store s) {
    switch (s) {
    case S_FLOAT:
        return t->n_float_data;
    case S_INT32:
        return t->n_int32_data;
    case S_STRING:
        return t->n_string_data;
    case S_INT64:
        return t->n_int64_data;
    case S_DOUBLE:
        return t->n_double_data;
    case S_UINT64:
        return t->n_uint64_data;
    default:
        return t->has_raw_data ? t->raw_data.len : 0;
    }
}

/* Numbers the typed field must hold: two for a complex element, one per byte of packed elements. */
static uint64_t numbers_needed(ox_dtype t, int64_t count, uint64_t bytes) {
    if (t == OX_COMPLEX64 || t == OX_COMPLEX128) return (uint64_t)count * 2;
    return ox_dtype_packed(t) ? bytes : (uint64_t)count;
}

/* ---- checks ---- */

static int check_dims(ox_message *msg, const Onnx__TensorProto *t, const ox_where *w, ox_dtype dtype, int64_t *count,
                      uint64_t *bytes) {
    int64_t all = 1, nonzero = 1;
    if (t->n_dims > msg->ctx->limits.rank)
        return ox_message_fail(msg, w, OX_BAD_DATA, "rank %zu is over the limit of %u", t->n_dims,
                               msg->ctx->limits.rank);
    for (size_t i = 0; i < t->n_dims; i++) {
        int64_t d = t->dims[i];
        if (d < 0) return ox_message_fail(msg, w, OX_BAD_DATA, "dims[%zu] is negative: %lld", i, (long long)d);
        if (!ox_mul_ok(nonzero, d ? d : 1, &nonzero))
            return ox_message_fail(msg, w, OX_BAD_DATA, "the product of dims overflows");
        all = d ? all : 0;
    }
    *count = all ? nonzero : 0;
    uint64_t most;
    if (!ox_dtype_bytes(dtype, nonzero, &most) || !ox_dtype_bytes(dtype, *count, bytes))
        return ox_message_fail(msg, w, OX_BAD_DATA, "the size of the data in bytes overflows");
    return 0;
}

/* Range of the numbers that int32_data and uint64_data may hold for a type. Packed types and bytes: some writers sign
 * them. */
static void number_range(ox_dtype t, int64_t *lo, int64_t *hi) {
    switch (t) {
    case OX_INT8:
        *lo = -128, *hi = 127;
        return;
    case OX_UINT8:
    case OX_BOOL:
        *lo = 0, *hi = 255;
        return;
    case OX_INT16:
        *lo = -32768, *hi = 32767;
        return;
    case OX_UINT16:
    case OX_FLOAT16:
    case OX_BFLOAT16:
        *lo = 0, *hi = 65535;
        return;
    case OX_INT32:
        *lo = INT32_MIN, *hi = INT32_MAX;
        return;
    default:
        *lo = -128, *hi = 255;
        return;
    }
}

static int check_numbers(ox_message *msg, const Onnx__TensorProto *t, const ox_where *w, ox_dtype dtype, store s) {
    if (s == S_INT32) {
        int64_t lo, hi;
        number_range(dtype, &lo, &hi);
        for (size_t i = 0; i < t->n_int32_data; i++)
            if (t->int32_data[i] < lo || t->int32_data[i] > hi)
                return ox_message_fail(msg, w, OX_BAD_DATA, "int32_data[%zu] is %d, out of the range of %s", i,
                                       t->int32_data[i], ox_dtype_name(dtype));
    } else if (dtype == OX_UINT32) {
        for (size_t i = 0; i < t->n_uint64_data; i++)
            if (t->uint64_data[i] > UINT32_MAX)
                return ox_message_fail(msg, w, OX_BAD_DATA, "uint64_data[%zu] is %llu, out of the range of uint32", i,
                                       (unsigned long long)t->uint64_data[i]);
    }
    return 0;
}

/* Exactly one field has the data, the right one, of the right length. */
static int check_data(ox_message *msg, const Onnx__TensorProto *t, const ox_where *w, ox_dtype dtype, int64_t count,
                      uint64_t bytes) {
    store given = S_COUNT, right = store_of(dtype);
    for (store s = 0; s < S_COUNT; s++) {
        if (!store_count(t, s)) continue;
        if (given != S_COUNT)
            return ox_message_fail(msg, w, OX_BAD_DATA, "data in two fields, %s and %s", store_names[given],
                                   store_names[s]);
        given = s;
    }
    if (ox_proto_is_external(t)) {
        if (given != S_COUNT)
            return ox_message_fail(msg, w, OX_BAD_DATA, "external data and %s as well", store_names[given]);
        return dtype == OX_STRING ? ox_message_fail(msg, w, OX_BAD_DATA, "strings cannot be external data") : 0;
    }
    if (given == S_COUNT)
        return count ? ox_message_fail(msg, w, OX_BAD_DATA, "no data, but dims ask for %lld elements", (long long)count)
                     : 0;
    if (given == S_RAW) {
        if (dtype == OX_STRING) return ox_message_fail(msg, w, OX_BAD_DATA, "strings in raw_data");
        if (t->raw_data.len != bytes)
            return ox_message_fail(msg, w, OX_BAD_DATA, "raw_data has %zu bytes, but type %s and dims ask for %llu",
                                   t->raw_data.len, ox_dtype_name(dtype), (unsigned long long)bytes);
        return 0;
    }
    if (given != right)
        return ox_message_fail(msg, w, OX_BAD_DATA, "data of type %s in %s", ox_dtype_name(dtype), store_names[given]);
    uint64_t needed = numbers_needed(dtype, count, bytes);
    if (store_count(t, given) != needed)
        return ox_message_fail(msg, w, OX_BAD_DATA, "%s has %zu numbers, but type %s and dims ask for %llu",
                               store_names[given], store_count(t, given), ox_dtype_name(dtype),
                               (unsigned long long)needed);
    return check_numbers(msg, t, w, dtype, given);
}

int ox_tensor_check(ox_message *msg, const Onnx__TensorProto *t, const ox_where *w, int64_t *count, uint64_t *bytes) {
    int64_t n;
    uint64_t size;
    if (!t->has_data_type || t->data_type <= OX_UNDEFINED || t->data_type >= OX_DTYPE_COUNT)
        return ox_message_fail(msg, w, OX_BAD_DATA, "data_type %d is no element type",
                               t->has_data_type ? t->data_type : 0);
    if (t->segment)
        return ox_message_fail(msg, w, OX_BAD_DATA, "field 'segment' is used: tensors in pieces are not supported");
    if (t->has_data_location && t->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT &&
        !ox_proto_is_external(t))
        return ox_message_fail(msg, w, OX_BAD_DATA, "data_location %d is not known", (int)t->data_location);
    if (check_dims(msg, t, w, (ox_dtype)t->data_type, &n, &size) ||
        check_data(msg, t, w, (ox_dtype)t->data_type, n, size))
        return -1;
    if (count) *count = n;
    if (bytes) *bytes = size;
    return 0;
}

/* ---- views ---- */

/* Converts the numbers of a typed field; strings become views on the message. */
static int decode(ox_ctx *ctx, ox_tensor *tensor) {
    const Onnx__TensorProto *t = tensor->origin;
    size_t size = tensor->bytes ? (size_t)tensor->bytes : 1;
    char *own = ox_payload_alloc(ctx, size);
    if (!own) return -1;
    if (tensor->dtype == OX_STRING) {
        ox_str *s = (ox_str *)own;
        for (size_t i = 0; i < t->n_string_data; i++)
            s[i] = (ox_str){(const char *)t->string_data[i].data, t->string_data[i].len};
    } else if (tensor->dtype == OX_UINT32) {
        for (size_t i = 0; i < t->n_uint64_data; i++) ((uint32_t *)own)[i] = (uint32_t)t->uint64_data[i];
    } else if (ox_dtype_bits(tensor->dtype) == 16) {
        for (size_t i = 0; i < t->n_int32_data; i++) ((uint16_t *)own)[i] = (uint16_t)t->int32_data[i];
    } else {
        for (size_t i = 0; i < t->n_int32_data; i++) own[i] = (char)t->int32_data[i];
    }
    tensor->own = own;
    return 0;
}

/* Where the elements lie as they are in memory; NULL when they must be converted, or when there are none. */
static const void *typed_view(const Onnx__TensorProto *t) {
    switch (t->data_type) {
    case OX_FLOAT:
    case OX_COMPLEX64:
        return t->float_data;
    case OX_DOUBLE:
    case OX_COMPLEX128:
        return t->double_data;
    case OX_INT64:
        return t->int64_data;
    case OX_UINT64:
        return t->uint64_data;
    case OX_INT32:
        return t->int32_data;
    default:
        return NULL;
    }
}

ox_tensor *ox_tensor_from_proto(ox_message *msg, const Onnx__TensorProto *t, const ox_where *w) {
    int64_t count = 0;
    uint64_t bytes = 0;
    if (ox_tensor_check(msg, t, w, &count, &bytes)) return NULL;
    const uint8_t *view = NULL;
    ox_file *file = NULL;
    if (ox_proto_is_external(t)) {
        if (ox_external_locate(msg, t, w, bytes, &view, &file)) return NULL;
    } else if (t->has_raw_data && t->raw_data.len) {
        view = t->raw_data.data;
        file = (ox_file *)ox_message_file_of(msg, view, bytes);
    } else {
        view = typed_view(t);
    }
    static const uint8_t nothing[16];
    if (!count) view = nothing, file = NULL;
    ox_tensor *tensor = ox_tensor_new_view(msg->ctx, (ox_dtype)t->data_type, (int)t->n_dims, t->dims, view, file);
    if (!tensor) return NULL;
    tensor->origin = t;
    if (!view) tensor->decode = decode;
    return tensor;
}

/* ---- sparse ---- */

/* Element i of the indices in row-major order, or -1 after a failure. */
static int64_t linear_index(ox_message *msg, const ox_where *w, const ox_tensor *indices, const int64_t *dims, int rank,
                            int64_t i) {
    const void *data = ox_tensor_data(indices);
    int64_t linear = 0;
    if (indices->rank == 1) {
        int64_t total = 1;
        for (int d = 0; d < rank; d++) total *= dims[d];
        linear = ox_load_int(OX_INT64, data, i);
        if (linear < 0 || linear >= total)
            return ox_message_fail(msg, w, OX_BAD_DATA, "sparse index %lld at %lld is out of range", (long long)linear,
                                   (long long)i);
        return linear;
    }
    for (int d = 0; d < rank; d++) {
        int64_t x = ox_load_int(OX_INT64, data, i * rank + d);
        if (x < 0 || x >= dims[d])
            return ox_message_fail(msg, w, OX_BAD_DATA, "sparse index %lld at %lld is out of range of dims[%d]",
                                   (long long)x, (long long)i, d);
        linear = linear * dims[d] + x;
    }
    return linear;
}

static int check_indices(ox_message *msg, const ox_where *w, const ox_sparse *s, int64_t nnz) {
    const ox_tensor *x = s->indices;
    if (x->dtype != OX_INT64 || (x->rank != 1 && x->rank != 2) || x->dims[0] != nnz ||
        (x->rank == 2 && x->dims[1] != s->rank))
        return ox_message_fail(msg, w, OX_BAD_DATA, "sparse indices must be int64[%lld] or int64[%lld,%d]",
                               (long long)nnz, (long long)nnz, s->rank);
    if (!ox_tensor_data(x)) return ox_fail_in(msg->ctx, "%s: %s", msg->name, ox_where_text(msg->arena, w));
    int64_t before = -1;
    for (int64_t i = 0; i < nnz; i++) {
        int64_t at = linear_index(msg, w, x, s->dims, s->rank, i);
        if (at < 0) return -1;
        if (at <= before)
            return ox_message_fail(msg, w, OX_BAD_DATA, "sparse indices at %lld are %s", (long long)i,
                                   at == before ? "double" : "not sorted");
        before = at;
    }
    return 0;
}

/* Takes over the references of values and indices on success only. */
static int fill_sparse(ox_message *msg, ox_arena *arena, const Onnx__SparseTensorProto *p, const ox_where *w,
                       ox_sparse *s) {
    Onnx__TensorProto whole = ONNX__TENSOR_PROTO__INIT;
    int64_t count;
    uint64_t bytes;
    if (!p->values || !p->indices)
        return ox_message_fail(msg, w, OX_BAD_DATA, "a sparse tensor without %s", p->values ? "indices" : "values");
    s->rank = (int)p->n_dims;
    s->dims = ox_dup(arena, p->dims, p->n_dims * sizeof *p->dims);
    s->origin = p;
    if (!(s->values = ox_tensor_from_proto(msg, p->values, w)) ||
        !(s->indices = ox_tensor_from_proto(msg, p->indices, w)))
        return -1;
    if (!p->n_dims) return ox_message_fail(msg, w, OX_BAD_DATA, "a sparse tensor without dims");
    whole.n_dims = p->n_dims;
    whole.dims = p->dims;
    if (check_dims(msg, &whole, w, s->values->dtype, &count, &bytes)) return -1;
    for (size_t i = 0; i < p->n_dims; i++)
        if (!p->dims[i]) return ox_message_fail(msg, w, OX_BAD_DATA, "dims[%zu] of a sparse tensor is 0", i);
    if (s->values->rank != 1)
        return ox_message_fail(msg, w, OX_BAD_DATA, "values of a sparse tensor have rank %d, not 1", s->values->rank);
    return check_indices(msg, w, s, s->values->dims[0]);
}

ox_sparse *ox_sparse_from_proto(ox_message *msg, ox_arena *arena, const Onnx__SparseTensorProto *p, const ox_where *w) {
    ox_sparse *s = OX_NEW(arena, ox_sparse); /* memory first: a tensor is owned by nobody yet */
    if (!fill_sparse(msg, arena, p, w, s)) return s;
    ox_tensor_unref(s->values);
    ox_tensor_unref(s->indices);
    return NULL;
}
