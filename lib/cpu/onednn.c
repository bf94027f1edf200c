/* Convolutions by oneDNN, where it is installed: versions 2 and 3, loaded when first asked for, never linked. Its nChw16c and nChw8c are our blocks;
 * blocks are given as whole, since lanes beyond the last channel meet zero weights. What is used of its interface is declared here.
 *
 * Each primitive is for one image and one of a few equal slices of the output blocks, made and run with one thread: slices depend on sizes only, so bits
 * do not depend on threads. The primitives and their memory objects stay in a table of the process (making one takes up to milliseconds and
 * memory that the library allocates); when the table is full, new convolutions are not served. Two runs of the same convolution at the same time wait
 * for each other. */
#include "cpu/conv_algorithms.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdalign.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { FLOAT32 = 3, CPU = 1, INFERENCE = 96, ALG_DIRECT = 1, BY_USER = 1, IN_ORDER = 1 };
enum { QUERY_NAME = 8, QUERY_SCRATCH = 136, ISA_AVX2 = 0x7, ISA_AVX512 = 0x27, SEQUENTIAL = 1, ON_OPENMP = 2 };
enum { SRC, WEIGHTS, BIAS, DST, SCRATCH, KINDS };
static const int argument[KINDS] = {[SRC] = 1, [WEIGHTS] = 33, [BIAS] = 41, [DST] = 17, [SCRATCH] = 80};
/* Layouts by their numbers; from version 3 on those of blocks are 9 more. */
enum { VECTOR = 2, NCHW = 5, NCHW16 = 69, NCHW8 = 93, OIHW16 = 70, OIHW8 = 98, OHWI16 = 202, OHWI8 = 207, GOIHW16 = 105, GOIHW8 = 129, SHIFT3 = 9 };
enum { SLICES = 4, ENTRIES = 1024, MOST = 1 << 24 /* of a size */ };

typedef int64_t dims[12];
typedef struct exec_arg { int kind; void *memory; } exec_arg;
typedef struct version { int major, minor, patch; const char *hash; unsigned cpu_runtime, gpu_runtime; } version;

/* Functions give 0 for success. A description is a struct that the caller has in version 2, and a handle in version 3: passed as an address. */
static struct {
    bool there;
    int major;
    void *engine;
    int (*engine_create)(void **engine, int kind, size_t index);
    int (*stream_create)(void **stream, void *engine, unsigned flags);
    int (*stream_destroy)(void *stream);
    int (*attr_create)(void **attr);
    int (*attr_scratch)(void *attr, int mode);
    int (*attr_destroy)(void *attr);
    int (*primitive_create)(void **primitive, const void *pd);
    int (*primitive_destroy)(void *primitive);
    int (*execute)(const void *primitive, void *stream, int n, const exec_arg *args);
    int (*pd_destroy)(void *pd);
    int (*query)(const void *pd, int what, int index, void *result);
    const void *(*query_md)(const void *pd, int what, int index);
    size_t (*md_size)(const void *md);
    int (*memory_create)(void **memory, const void *md, void *engine, void *handle);
    int (*memory_destroy)(void *memory);
    int (*memory_set)(void *memory, void *handle);
    /* version 2 */
    int (*md_init2)(void *md, int n, const dims d, int type, int tag);
    int (*conv_init2)(void *desc, int prop, int alg, const void *src, const void *w, const void *bias, const void *dst, const dims stride,
                      const dims dilation, const dims left, const dims right);
    int (*pd_create2)(void **pd, const void *desc, const void *attr, void *engine, const void *hint);
    /* version 3 */
    int (*md_create3)(void **md, int n, const dims d, int type, int tag);
    int (*md_destroy3)(void *md);
    int (*pd_create3)(void **pd, void *engine, int prop, int alg, const void *src, const void *w, const void *bias, const void *dst, const dims stride,
                      const dims dilation, const dims left, const dims right, const void *attr);
} lib;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* By way of memory: ISO C has no cast from object to function pointers. */
static bool symbol(void *handle, const char *name, void *fn) {
    void *p = dlsym(handle, name);
    memcpy(fn, &p, sizeof p);
    return p != NULL;
}

/* The library may start threads by our OpenMP only: then it can be told to start none. */
static bool safe_in_threads(void *handle, unsigned runtime) {
#ifdef _OPENMP
    int (*theirs)(void) = NULL;
    if (runtime == ON_OPENMP) return symbol(handle, "omp_in_parallel", &theirs) && theirs == omp_in_parallel;
#else
    (void)handle;
#endif
    return runtime == SEQUENTIAL;
}

static bool symbols(void *h) {
    bool ok = symbol(h, "dnnl_engine_create", &lib.engine_create) && symbol(h, "dnnl_stream_create", &lib.stream_create) &&
              symbol(h, "dnnl_stream_destroy", &lib.stream_destroy) &&
              symbol(h, "dnnl_primitive_attr_create", &lib.attr_create) && symbol(h, "dnnl_primitive_attr_set_scratchpad_mode", &lib.attr_scratch) &&
              symbol(h, "dnnl_primitive_attr_destroy", &lib.attr_destroy) && symbol(h, "dnnl_primitive_create", &lib.primitive_create) &&
              symbol(h, "dnnl_primitive_destroy", &lib.primitive_destroy) && symbol(h, "dnnl_primitive_execute", &lib.execute) &&
              symbol(h, "dnnl_primitive_desc_destroy", &lib.pd_destroy) && symbol(h, "dnnl_primitive_desc_query", &lib.query) &&
              symbol(h, "dnnl_primitive_desc_query_md", &lib.query_md) && symbol(h, "dnnl_memory_desc_get_size", &lib.md_size) &&
              symbol(h, "dnnl_memory_create", &lib.memory_create) && symbol(h, "dnnl_memory_destroy", &lib.memory_destroy) &&
              symbol(h, "dnnl_memory_set_data_handle", &lib.memory_set);
    if (!ok) return false;
    if (lib.major == 2)
        return symbol(h, "dnnl_memory_desc_init_by_tag", &lib.md_init2) && symbol(h, "dnnl_primitive_desc_create", &lib.pd_create2) &&
               symbol(h, "dnnl_dilated_convolution_forward_desc_init", &lib.conv_init2);
    return symbol(h, "dnnl_memory_desc_create_with_tag", &lib.md_create3) && symbol(h, "dnnl_memory_desc_destroy", &lib.md_destroy3) &&
           symbol(h, "dnnl_convolution_forward_primitive_desc_create", &lib.pd_create3);
}

static void load(void) {
    static const char *const files[] = {"libdnnl.so.3", "libdnnl.so.2"};
    const version *(*get)(void) = NULL;
    int (*set_isa)(int) = NULL;
    void *handle = NULL;
    if (ox_cpu_isa() == OX_ISA_PLAIN) return;
    for (size_t i = 0; i < 2 && !handle; i++) handle = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle || !symbol(handle, "dnnl_version", &get) || !symbol(handle, "dnnl_set_max_cpu_isa", &set_isa)) return;
    lib.major = get()->major;
    if ((lib.major != 2 && lib.major != 3) || !safe_in_threads(handle, get()->cpu_runtime) || !symbols(handle)) return;
    if (set_isa(ox_cpu_isa() == OX_ISA_AVX512 ? ISA_AVX512 : ISA_AVX2)) return; /* somebody else uses it already, perhaps with other sets */
    lib.there = !lib.engine_create(&lib.engine, CPU, 0);
}

/* To be said in a region of our own, so that nobody else's loops see it. */
static void one_thread(void) {
#ifdef _OPENMP
    omp_set_num_threads(1);
#endif
}

/* What is known about a convolution; the batch of its key is 1. */
typedef struct entry {
    ox_conv c;
    ox_conv_form form;
    bool used, fits;
    int64_t slices;
    uint64_t scratch; /* bytes of a slice */
    void *primitive, *stream[SLICES], *memory[SLICES][KINDS];
    pthread_mutex_t busy;
} entry;
static entry entries[ENTRIES];
static size_t n_entries;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;

static int64_t cuts(int64_t n, int64_t size) { return n / size + (n % size != 0); }
static int64_t out_blocks(const ox_conv *c) { return cuts(c->out_channels, ox_conv_block()); }
static int64_t padded_in(const ox_conv *c, ox_conv_form form) {
    int64_t b = ox_conv_block();
    return form == OX_CONV_PLANAR ? c->in_channels : form == OX_CONV_DEPTHWISE ? 1 : cuts(c->in_channels, b) * b; /* of a group */
}

/* Equal slices, of two blocks or more if there are enough. */
static int64_t slices_of(const ox_conv *c, ox_conv_form form) {
    int64_t blocks = out_blocks(c), n = blocks >= 4 ? blocks / 2 : blocks;
    double flops = 2.0 * (double)(padded_in(c, form) * c->kernel_h * c->kernel_w * blocks * ox_conv_block()) * (double)(c->out_h * c->out_w);
    int64_t most = flops < SLICES * 1e6 ? 1 + (int64_t)(flops / 1e6) : SLICES;
    for (n = n < most ? n : most; blocks % n; n--) {}
    return n;
}

static int64_t end_pad(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation, int64_t begin) {
    int64_t n = (out - 1) * stride + (kernel - 1) * dilation + 1 - in - begin;
    return n > 0 ? n : 0;
}

/* Descriptions of the operands of a slice, in the room of version 2 or as handles of version 3. */
typedef struct described {
    alignas(max_align_t) unsigned char room[SCRATCH][2048];
    void *md[SCRATCH];
} described;

static bool describe(described *d, int kind, int n, const dims size, int tag) {
    if (lib.major == 3) return !lib.md_create3(&d->md[kind], n, size, FLOAT32, tag > NCHW ? tag + SHIFT3 : tag);
    d->md[kind] = d->room[kind];
    return !lib.md_init2(d->md[kind], n, size, FLOAT32, tag);
}

static bool describe_all(described *d, const entry *e) {
    const ox_conv *c = &e->c;
    const bool wide = ox_conv_block() == 16, depth = e->form == OX_CONV_DEPTHWISE, planar = e->form == OX_CONV_PLANAR;
    int64_t out = out_blocks(c) / e->slices * ox_conv_block(), in = padded_in(c, e->form);
    if (!describe(d, SRC, 4, (dims){1, depth ? out : in, c->in_h, c->in_w}, planar ? NCHW : wide ? NCHW16 : NCHW8)) return false;
    if (!describe(d, DST, 4, (dims){1, out, c->out_h, c->out_w}, wide ? NCHW16 : NCHW8) || !describe(d, BIAS, 1, (dims){out}, VECTOR)) return false;
    if (depth) return describe(d, WEIGHTS, 5, (dims){out, 1, 1, c->kernel_h, c->kernel_w}, wide ? GOIHW16 : GOIHW8);
    return describe(d, WEIGHTS, 4, (dims){out, in, c->kernel_h, c->kernel_w}, planar ? (wide ? OHWI16 : OHWI8) : wide ? OIHW16 : OIHW8);
}

static void *primitive_desc(const described *d, const ox_conv *c) {
    const dims stride = {c->stride_h, c->stride_w}, dilation = {c->dilation_h - 1, c->dilation_w - 1}, begin = {c->pad_top, c->pad_left};
    const dims end = {end_pad(c->in_h, c->out_h, c->kernel_h, c->stride_h, c->dilation_h, c->pad_top),
                      end_pad(c->in_w, c->out_w, c->kernel_w, c->stride_w, c->dilation_w, c->pad_left)};
    alignas(max_align_t) unsigned char desc[16384];
    void *attr = NULL, *pd = NULL;
    if (lib.attr_create(&attr)) return NULL;
    if (lib.attr_scratch(attr, BY_USER)) {
        pd = NULL;
    } else if (lib.major == 3) {
        if (lib.pd_create3(&pd, lib.engine, INFERENCE, ALG_DIRECT, d->md[SRC], d->md[WEIGHTS], d->md[BIAS], d->md[DST], stride, dilation, begin, end, attr))
            pd = NULL;
    } else if (lib.conv_init2(desc, INFERENCE, ALG_DIRECT, d->md[SRC], d->md[WEIGHTS], d->md[BIAS], d->md[DST], stride, dilation, begin, end) ||
               lib.pd_create2(&pd, desc, attr, lib.engine, NULL)) {
        pd = NULL;
    }
    lib.attr_destroy(attr);
    return pd;
}

/* Only what the library generates code for is of use. */
static bool make_parts(entry *e, const described *d, const void *pd) {
    const char *name = NULL;
    const void *scratch = lib.query_md(pd, QUERY_SCRATCH, 0);
    if (lib.query(pd, QUERY_NAME, 0, &name) || !name || strncmp(name, "jit", 3) || !scratch) return false;
    e->scratch = (lib.md_size(scratch) + 63) / 64 * 64;
    if (lib.primitive_create(&e->primitive, pd)) {
        e->primitive = NULL;
        return false;
    }
    for (int64_t i = 0; i < e->slices; i++) {
        if (lib.stream_create(&e->stream[i], lib.engine, IN_ORDER)) {
            e->stream[i] = NULL;
            return false;
        }
        for (int k = 0; k < KINDS; k++)
            if (lib.memory_create(&e->memory[i][k], k == SCRATCH ? scratch : d->md[k], lib.engine, NULL)) {
                e->memory[i][k] = NULL;
                return false;
            }
    }
    return true;
}

static void drop_parts(entry *e) {
    for (int64_t i = 0; i < e->slices; i++) {
        if (e->stream[i]) lib.stream_destroy(e->stream[i]);
        for (int k = 0; k < KINDS; k++)
            if (e->memory[i][k]) lib.memory_destroy(e->memory[i][k]);
    }
    if (e->primitive) lib.primitive_destroy(e->primitive);
}

static void make(entry *e) {
    described d;
    void *pd = NULL;
    memset(d.md, 0, sizeof d.md);
    if (describe_all(&d, e)) pd = primitive_desc(&d, &e->c);
    if (pd) {
        e->fits = make_parts(e, &d, pd);
        lib.pd_destroy(pd);
    }
    for (int k = 0; lib.major == 3 && k < SCRATCH; k++)
        if (d.md[k]) lib.md_destroy3(d.md[k]);
    if (!e->fits) drop_parts(e);
}

static size_t place_of(const ox_conv *c, ox_conv_form form) {
    const unsigned char *p = (const unsigned char *)c;
    uint64_t h = 14695981039346656037u ^ (uint64_t)form;
    for (size_t i = 0; i < sizeof *c; i++) h = (h ^ p[i]) * 1099511628211u;
    return (size_t)(h % ENTRIES);
}

/* The entry of a convolution, made when it is new; NULL when the table is full. */
static entry *entry_of(const ox_conv *c, ox_conv_form form) {
    ox_conv key = *c;
    key.batch = 1;
    size_t i = place_of(&key, form);
    pthread_mutex_lock(&table);
    while (entries[i].used && (entries[i].form != form || memcmp(&entries[i].c, &key, sizeof key))) i = (i + 1) % ENTRIES;
    entry *e = &entries[i];
    if (!e->used && n_entries == ENTRIES - 1) e = NULL; /* one stays free: where a search ends */
    if (e && !e->used) {
        *e = (entry){.c = key, .form = form, .used = true, .slices = slices_of(&key, form)};
        pthread_mutex_init(&e->busy, NULL);
        n_entries++;
#pragma omp parallel num_threads(1)
        {
            one_thread(); /* a primitive keeps the number of threads it is made with */
            make(e);
        }
    }
    pthread_mutex_unlock(&table);
    return e;
}

static bool serves(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    (void)a;
    if (form == OX_CONV_NONE || (form != OX_CONV_DEPTHWISE && c->groups != 1) || c->batch < 1) return false;
    const int64_t sizes[] = {c->in_channels, c->out_channels, c->in_h, c->in_w, c->out_h, c->out_w, c->stride_h, c->stride_w, c->dilation_h,
                             c->dilation_w, c->pad_top + 1, c->pad_left + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] < 1 || sizes[i] > MOST) return false;
    int64_t most = INT32_MAX / 16; /* it counts in int here and there */
    if (c->in_channels > most / c->in_h / c->in_w || c->out_channels > most / c->out_h / c->out_w) return false;
    pthread_once(&once, load);
    entry *e = lib.there ? entry_of(c, form) : NULL;
    return e && e->fits;
}

static int64_t weights_of(const ox_conv *c, ox_conv_form form) {
    return out_blocks(c) * ox_conv_block() * padded_in(c, form) * c->kernel_h * c->kernel_w;
}

/* Behind the weights there are zeros to take as bias. */
static uint64_t packed_floats(const ox_conv *c, ox_conv_form form) { return (uint64_t)(weights_of(c, form) + out_blocks(c) * ox_conv_block()); }

/* [output block][input block][tap][lane][B]; planar [output block][tap][channel][B], depthwise [block][tap][B]. */
static void pack(const ox_conv *c, ox_conv_form form, const float *w, const float *scale, float *packed, int threads) {
    const int64_t b = ox_conv_block(), in = padded_in(c, form), taps = c->kernel_h * c->kernel_w, n = out_blocks(c);
    const int64_t lanes = in < b ? in : b, have = form == OX_CONV_DEPTHWISE ? 1 : c->in_channels;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t j = 0; j < n; j++) {
        float *to = packed + j * b * in * taps;
        for (int64_t i = 0; i < in; i += lanes)
            for (int64_t t = 0; t < taps; t++)
                for (int64_t l = i; l < i + lanes; l++)
                    for (int64_t o = j * b; o < (j + 1) * b; o++)
                        *to++ = o < c->out_channels && l < have ? w[(o * have + l) * taps + t] * (scale ? scale[o] : 1) : 0;
    }
    memset(packed + weights_of(c, form), 0, (size_t)(n * b) * sizeof *packed);
}

static uint64_t workspace(const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    (void)a;
    const entry *e = entry_of(c, form);
    return e ? e->scratch * (uint64_t)e->slices : 0;
}

/* The tail of N floats of whole blocks, at AT of the result; CHANNEL is the first channel. */
static void finish(const ox_tail *t, float *restrict y, int64_t n, int64_t plane, int64_t at, int64_t channel) {
    if (t->add) {
        const float *restrict add = t->add + at;
        for (int64_t i = 0; i < n; i++) y[i] += add[i];
    }
    if (t->clamp) {
        const float lo = t->lo, hi = t->hi;
        for (int64_t i = 0; i < n; i++) {
            float v = y[i] < lo ? lo : y[i];
            y[i] = v > hi ? hi : v;
        }
    }
    for (int64_t i = 0; t->rest && i < n; i += plane) t->rest(t, y + i, plane, at + i, channel + i / plane * ox_conv_block());
}

static void run_slice(const entry *e, const ox_conv *c, int64_t i, const float *x, const float *packed, const float *bias, const ox_tail *tail, float *y,
                      float *room) {
    const bool depth = e->form == OX_CONV_DEPTHWISE;
    const int64_t b = ox_conv_block(), blocks = out_blocks(c), per = blocks / e->slices, first = i * per * b, plane = c->out_h * c->out_w * b;
    const int64_t image = (depth ? blocks * b : padded_in(c, e->form)) * c->in_h * c->in_w, weights = weights_of(c, e->form);
    exec_arg args[KINDS];
    for (int k = 0; k < KINDS; k++) args[k] = (exec_arg){argument[k], e->memory[i][k]};
    const void *at[KINDS] = {[WEIGHTS] = packed + i * (weights / e->slices), [BIAS] = bias ? bias + first : packed + weights + first,
                             [SCRATCH] = e->scratch ? (const char *)room + (uint64_t)i * e->scratch : NULL};
    for (int64_t n = 0; n < c->batch; n++) {
        const int64_t to = (n * blocks + i * per) * plane;
        at[SRC] = x + n * image + (depth ? first * c->in_h * c->in_w : 0);
        at[DST] = y + to;
        for (int k = 0; k < KINDS; k++) lib.memory_set(args[k].memory, (void *)(uintptr_t)at[k]);
        lib.execute(e->primitive, e->stream[i], KINDS, args);
        if (tail) finish(tail, y + to, per * plane, plane, to, first);
    }
}

static void run(const ox_conv_algorithm *a, int threads, const ox_conv *c, ox_conv_form form, const float *x, const float *packed, const float *bias,
                const ox_tail *tail, float *y, float *room) {
    (void)a;
    entry *e = entry_of(c, form);
    if (!e || !e->fits) return;
    pthread_mutex_lock(&e->busy);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t i = 0; i < e->slices; i++) {
        one_thread();
        run_slice(e, c, i, x, packed, bias, tail, y, room);
    }
    pthread_mutex_unlock(&e->busy);
}

const ox_conv_algorithm ox_onednn = {"onednn", false, false, 0, serves, packed_floats, pack, workspace, run};
