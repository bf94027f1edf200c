/* numpy's files: what is written is read back, and headers that lie are refused. */
#include "build.h"

#include <unistd.h>

static char path[] = "/tmp/ox-npz-XXXXXX", other[sizeof path + 4];

static int make_path(void **state) {
    (void)state;
    int fd = mkstemp(path);
    snprintf(other, sizeof other, "%s.npy", path);
    return fd < 0 ? -1 : close(fd);
}
static int remove_path(void **state) {
    (void)state;
    return unlink(path) | unlink(other);
}

static void arrays_come_back(void **state) {
    ox_ctx *c = *state;
    static const ox_dtype types[] = {OX_FLOAT,  OX_DOUBLE,    OX_FLOAT16,    OX_BFLOAT16, OX_BOOL,   OX_INT8,
                                     OX_UINT8,  OX_INT16,     OX_UINT16,     OX_INT32,    OX_UINT32, OX_INT64,
                                     OX_UINT64, OX_COMPLEX64, OX_COMPLEX128, OX_STRING};
    enum { N = sizeof types / sizeof types[0] };
    ox_array a[N];
    char names[N][16];
    for (size_t i = 0; i < N; i++) {
        ox_tensor *t = ox_tensor_new(c, types[i], i % 3 == 0 ? 0 : 2, (const int64_t[]){3, (int64_t)i % 5});
        if (types[i] == OX_STRING)
            for (int64_t k = 0; k < t->count; k++)
                ox_tensor_set_str(t, k, "h\xc3\xa9\xf0\x9f\x98\x80", (size_t)(k % 2 ? 7 : 3));
        else
            memset(ox_tensor_mut(t), types[i] == OX_BOOL ? 1 : 0x41, (size_t)t->bytes);
        snprintf(names[i], sizeof names[i], "a%zu", i);
        a[i] = (ox_array){names[i], t};
    }
    assert_int_equal(ox_npz_write(c, path, a, N), 0);
    ox_npz *z = ox_npz_open(c, path);
    if (!z) fail_msg("%s", ox_error_text(c));
    assert_int_equal(ox_npz_count(z), N);
    for (size_t i = 0; i < N; i++) {
        ox_tensor *t = ox_npz_find(z, names[i]);
        if (!t) fail_msg("%s", ox_error_text(c));
        assert_true(ox_tensor_equal(t, a[i].t));
        ox_tensor_unref(t);
        assert_int_equal(ox_npy_write(c, path, a[i].t), -1); /* the open archive is an input */
        assert_int_equal(ox_npy_write(c, other, a[i].t), 0);
        t = ox_npy_read(c, other);
        assert_true(t && ox_tensor_equal(t, a[i].t));
        ox_tensor_unref(t);
        ox_tensor_unref((ox_tensor *)(uintptr_t)a[i].t);
    }
    assert_null(ox_npz_find(z, "none"));
    ox_npz_close(z);
    assert_int_equal(ox_payload_bytes(c), 0);
}

/* A .npy file of version 1 from its header and the number of bytes behind. */
static void put_npy(const char *header, size_t data) {
    FILE *f = fopen(path, "w");
    size_t n = strlen(header);
    fwrite("\x93NUMPY\1", 1, 7, f);
    fputc(0, f);
    fputc((int)(n & 255), f);
    fputc((int)(n >> 8), f);
    fputs(header, f);
    for (size_t i = 0; i < data; i++) fputc((int)i, f);
    fclose(f);
}

static void orders_are_put_right(void **state) {
    ox_ctx *c = *state;
    put_npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", 12);
    ox_tensor *t = ox_npy_read(c, path);
    if (!t) fail_msg("%s", ox_error_text(c));
    static const int16_t want[6] = {0x0001, 0x0405, 0x0809, 0x0203, 0x0607, 0x0a0b};
    assert_memory_equal(ox_tensor_data(t), want, sizeof want);
    ox_tensor_unref(t);
    put_npy("{\"shape\":(),'descr':'|S3','fortran_order':False}", 3);
    t = ox_npy_read(c, path);
    assert_true(t && t->dtype == OX_STRING && t->rank == 0 && ((const ox_str *)ox_tensor_data(t))->len == 3);
    ox_tensor_unref(t);
}

static void lies_are_refused(void **state) {
    ox_ctx *c = *state;
    static const struct {
        const char *header;
        size_t data;
        const char *message;
    } bad[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8, "pickle"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 8, "tells of 12 bytes of data, there are 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 8, "tells of 4"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 8, "tuple of sizes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}", 0, "overflows"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}", 0, "overflows"},
        {"{'descr': '<f4', 'fortran_order': False}", 8, "incomplete"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, "double key"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'code': 1}", 4, "unknown key"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, "not a plain one"},
        {"{'descr': '<f4', 'fortran_order': exit(), 'shape': ()}", 4, "neither True nor False"},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': ()}", 4, "unknown element type"},
        {"import os", 4, "not a dictionary"},
        {"", 0, "not a dictionary"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_npy(bad[i].header, bad[i].data);
        assert_null(ox_npy_read(c, path));
        assert_int_equal(ox_error_code(c), OX_BAD_DATA);
        if (!strstr(ox_error_text(c), bad[i].message) || !strstr(ox_error_text(c), path))
            fail_msg("%s", ox_error_text(c));
    }
}

/* Every byte of a small archive, changed: an error with a name, or arrays. */
static void broken_archives_are_refused(void **state) {
    ox_ctx *c = *state;
    ox_tensor *t = floats(c, DIMS(2), (const float[]){1, 2});
    assert_int_equal(ox_npz_write(c, path, &(ox_array){"x", t}, 1), 0);
    ox_tensor_unref(t);
    FILE *f = fopen(path, "r");
    uint8_t bytes[1024];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t i = 0; i < 2 * n; i++) {
        f = fopen(path, "w");
        if (i < n) bytes[i] ^= 0x55;
        fwrite(bytes, 1, i < n ? n : i - n, f); /* changed, then cut */
        if (i < n) bytes[i] ^= 0x55;
        fclose(f);
        ox_npz *z = ox_npz_open(c, path);
        if (z)
            for (size_t k = 0; k < ox_npz_count(z); k++) ox_tensor_unref(ox_npz_read(z, k));
        else if (ox_error_code(c) != OX_BAD_DATA || !strstr(ox_error_text(c), path))
            fail_msg("%s", ox_error_text(c));
        assert_true(!z || i < n);
        ox_npz_close(z);
        assert_int_equal(ox_payload_bytes(c), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {T(arrays_come_back), T(orders_are_put_right), T(lies_are_refused),
                                       T(broken_archives_are_refused)};
    return cmocka_run_group_tests_name("npz", tests, make_path, remove_path);
}
