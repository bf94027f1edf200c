/* Image formats that well-kept libraries read: JPEG, PNG, TIFF, WebP, JPEG 2000. Their headers are needed to build this, each on its own;
 * the libraries are loaded when the first image of their format comes, so that programs that decode nothing do not pay for them. Messages
 * of the libraries go nowhere. */
#include "op/image.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>

#if defined(OX_HAS_JPEG) || defined(OX_HAS_PNG) || defined(OX_HAS_TIFF) || defined(OX_HAS_WEBP) || defined(OX_HAS_JPEG2000)
static bool symbol(void *handle, const char *name, void *to) {
    void *p = handle ? dlsym(handle, name) : NULL;
    memcpy(to, &p, sizeof p);
    return p != NULL;
}
#define WANT(lib, fn) symbol(handle, #fn, &(lib).fn)
#endif

static int missing(ox_run *r, const char *format, const char *why) {
    return ox_fail(r->ctx, OX_UNAVAILABLE, "%s images are not served: %s", format, why);
}

/* ------------------------------------------------------------------------------------------------ JPEG */

#ifdef OX_HAS_JPEG
#include <jpeglib.h>

static struct {
    __typeof__(&jpeg_std_error) jpeg_std_error;
    __typeof__(&jpeg_CreateDecompress) jpeg_CreateDecompress;
    __typeof__(&jpeg_mem_src) jpeg_mem_src;
    __typeof__(&jpeg_read_header) jpeg_read_header;
    __typeof__(&jpeg_start_decompress) jpeg_start_decompress;
    __typeof__(&jpeg_read_scanlines) jpeg_read_scanlines;
    __typeof__(&jpeg_destroy_decompress) jpeg_destroy_decompress;
    bool there;
} jpeg;

static void load_jpeg(void) {
    void *handle = dlopen(JPEG_LIB_VERSION >= 80 ? "libjpeg.so.8" : "libjpeg.so.62", RTLD_NOW | RTLD_LOCAL);
    jpeg.there = WANT(jpeg, jpeg_std_error) && WANT(jpeg, jpeg_CreateDecompress) && WANT(jpeg, jpeg_mem_src) && WANT(jpeg, jpeg_read_header) &&
                 WANT(jpeg, jpeg_start_decompress) && WANT(jpeg, jpeg_read_scanlines) && WANT(jpeg, jpeg_destroy_decompress);
}

typedef struct jpeg_errors {
    struct jpeg_error_mgr base; /* first: the library hands this back */
    jmp_buf back;
} jpeg_errors;

static void jpeg_stop(j_common_ptr c) { longjmp(((jpeg_errors *)(void *)c->err)->back, 1); }
static void jpeg_quiet(j_common_ptr c) { (void)c; }

static int read_jpeg(ox_run *r, struct jpeg_decompress_struct *c, ox_picture *p) {
    jpeg.jpeg_read_header(c, TRUE);
    if (c->jpeg_color_space == JCS_CMYK || c->jpeg_color_space == JCS_YCCK)
        return ox_fail(r->ctx, OX_UNAVAILABLE, "JPEG images of four colors are not served");
    c->out_color_space = JCS_RGB;
    if (ox_picture_init(r, p, c->image_width, c->image_height)) return -1;
    jpeg.jpeg_start_decompress(c);
    while (c->output_scanline < c->output_height) {
        JSAMPROW row = p->rgb + (size_t)c->output_scanline * (size_t)p->width * 3;
        jpeg.jpeg_read_scanlines(c, &row, 1);
    }
    return 0;
}

int ox_decode_jpeg(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct jpeg_decompress_struct c;
    jpeg_errors errors;
    int rc;
    pthread_once(&once, load_jpeg);
    if (!jpeg.there) return missing(r, "JPEG", "libjpeg cannot be loaded");
    memset(&c, 0, sizeof c);
    c.err = jpeg.jpeg_std_error(&errors.base);
    errors.base.error_exit = jpeg_stop;
    errors.base.output_message = jpeg_quiet;
    if (setjmp(errors.back)) {
        jpeg.jpeg_destroy_decompress(&c);
        return ox_picture_bad(r, "JPEG", "it cannot be decoded");
    }
    jpeg.jpeg_CreateDecompress(&c, JPEG_LIB_VERSION, sizeof c);
    jpeg.jpeg_mem_src(&c, data, (unsigned long)n);
    rc = read_jpeg(r, &c, p);
    jpeg.jpeg_destroy_decompress(&c);
    return rc;
}
#else
int ox_decode_jpeg(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    (void)data, (void)n, (void)p;
    return missing(r, "JPEG", "built without libjpeg");
}
#endif

/* ------------------------------------------------------------------------------------------------ PNG */

#ifdef OX_HAS_PNG
#include <png.h>

static struct {
    __typeof__(&png_create_read_struct) png_create_read_struct;
    __typeof__(&png_create_info_struct) png_create_info_struct;
    __typeof__(&png_destroy_read_struct) png_destroy_read_struct;
    __typeof__(&png_set_longjmp_fn) png_set_longjmp_fn;
    __typeof__(&png_longjmp) png_longjmp;
    __typeof__(&png_set_read_fn) png_set_read_fn;
    __typeof__(&png_get_io_ptr) png_get_io_ptr;
    __typeof__(&png_read_info) png_read_info;
    __typeof__(&png_get_image_width) png_get_image_width;
    __typeof__(&png_get_image_height) png_get_image_height;
    __typeof__(&png_set_expand) png_set_expand;
    __typeof__(&png_set_strip_16) png_set_strip_16;
    __typeof__(&png_set_strip_alpha) png_set_strip_alpha;
    __typeof__(&png_set_gray_to_rgb) png_set_gray_to_rgb;
    __typeof__(&png_set_interlace_handling) png_set_interlace_handling;
    __typeof__(&png_read_update_info) png_read_update_info;
    __typeof__(&png_get_rowbytes) png_get_rowbytes;
    __typeof__(&png_read_row) png_read_row;
    __typeof__(&png_set_user_limits) png_set_user_limits;
    bool there;
} png;

static void load_png(void) {
    void *handle = dlopen("libpng16.so.16", RTLD_NOW | RTLD_LOCAL);
    png.there = WANT(png, png_create_read_struct) && WANT(png, png_create_info_struct) && WANT(png, png_destroy_read_struct) &&
                WANT(png, png_set_longjmp_fn) && WANT(png, png_longjmp) && WANT(png, png_set_read_fn) && WANT(png, png_get_io_ptr) &&
                WANT(png, png_read_info) && WANT(png, png_get_image_width) && WANT(png, png_get_image_height) && WANT(png, png_set_expand) &&
                WANT(png, png_set_strip_16) && WANT(png, png_set_strip_alpha) && WANT(png, png_set_gray_to_rgb) &&
                WANT(png, png_set_interlace_handling) && WANT(png, png_read_update_info) && WANT(png, png_get_rowbytes) &&
                WANT(png, png_read_row) && WANT(png, png_set_user_limits);
}

typedef struct bytes { const uint8_t *data; size_t n, at; } bytes;

static void png_stop(png_structp c, png_const_charp text) {
    (void)text;
    png.png_longjmp(c, 1);
}
static void png_quiet(png_structp c, png_const_charp text) { (void)c, (void)text; }

static void png_take(png_structp c, png_bytep to, png_size_t n) {
    bytes *b = png.png_get_io_ptr(c);
    if (b->n - b->at < n) png_stop(c, NULL);
    memcpy(to, b->data + b->at, n);
    b->at += n;
}

static int read_png(ox_run *r, png_structp c, png_infop info, ox_picture *p) {
    png.png_read_info(c, info);
    if (ox_picture_init(r, p, png.png_get_image_width(c, info), png.png_get_image_height(c, info))) return -1;
    png.png_set_expand(c);
    png.png_set_strip_16(c);
    png.png_set_strip_alpha(c);
    png.png_set_gray_to_rgb(c);
    int passes = png.png_set_interlace_handling(c);
    png.png_read_update_info(c, info);
    if (png.png_get_rowbytes(c, info) != (size_t)p->width * 3) return ox_picture_bad(r, "PNG", "its rows have another size");
    for (int i = 0; i < passes; i++)
        for (int64_t y = 0; y < p->height; y++) png.png_read_row(c, p->rgb + (size_t)y * (size_t)p->width * 3, NULL);
    return 0;
}

int ox_decode_png(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bytes b = {data, n, 0};
    pthread_once(&once, load_png);
    if (!png.there) return missing(r, "PNG", "libpng cannot be loaded");
    png_structp c = png.png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, png_stop, png_quiet);
    png_infop info = c ? png.png_create_info_struct(c) : NULL;
    int rc;
    if (!info) {
        if (c) png.png_destroy_read_struct(&c, NULL, NULL);
        return ox_fail(r->ctx, OX_NO_MEMORY, "out of memory");
    }
    if (setjmp(*png.png_set_longjmp_fn(c, longjmp, sizeof(jmp_buf)))) {
        png.png_destroy_read_struct(&c, &info, NULL);
        return ox_picture_bad(r, "PNG", "it cannot be decoded");
    }
    png.png_set_user_limits(c, OX_PICTURE_SIDE, OX_PICTURE_SIDE);
    png.png_set_read_fn(c, &b, png_take);
    rc = read_png(r, c, info, p);
    png.png_destroy_read_struct(&c, &info, NULL);
    return rc;
}
#else
int ox_decode_png(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    (void)data, (void)n, (void)p;
    return missing(r, "PNG", "built without libpng");
}
#endif

/* ------------------------------------------------------------------------------------------------ TIFF */

#ifdef OX_HAS_TIFF
#include <tiffio.h>

static struct {
    __typeof__(&TIFFClientOpen) TIFFClientOpen;
    __typeof__(&TIFFSetErrorHandler) TIFFSetErrorHandler;
    __typeof__(&TIFFSetWarningHandler) TIFFSetWarningHandler;
    __typeof__(&TIFFGetField) TIFFGetField;
    __typeof__(&TIFFReadRGBAImageOriented) TIFFReadRGBAImageOriented;
    __typeof__(&TIFFClose) TIFFClose;
    bool there;
} tiff;

static void load_tiff(void) {
    void *handle = dlopen(TIFFLIB_VERSION >= 20221213 ? "libtiff.so.6" : "libtiff.so.5", RTLD_NOW | RTLD_LOCAL);
    tiff.there = WANT(tiff, TIFFClientOpen) && WANT(tiff, TIFFSetErrorHandler) && WANT(tiff, TIFFSetWarningHandler) && WANT(tiff, TIFFGetField) &&
                 WANT(tiff, TIFFReadRGBAImageOriented) && WANT(tiff, TIFFClose);
    if (!tiff.there) return;
    tiff.TIFFSetErrorHandler(NULL);
    tiff.TIFFSetWarningHandler(NULL);
}

typedef struct tiff_file { const uint8_t *data; int64_t n, at; } tiff_file;

static tmsize_t tiff_read(thandle_t h, void *to, tmsize_t n) {
    tiff_file *f = h;
    if (n < 0 || f->at < 0 || f->at > f->n) return 0;
    if (n > f->n - f->at) n = f->n - f->at;
    memcpy(to, f->data + f->at, (size_t)n);
    f->at += n;
    return n;
}
static tmsize_t tiff_write(thandle_t h, void *from, tmsize_t n) { return (void)h, (void)from, (void)n, 0; }
static toff_t tiff_seek(thandle_t h, toff_t to, int from) {
    tiff_file *f = h;
    int64_t base = from == SEEK_CUR ? f->at : from == SEEK_END ? f->n : 0;
    if (!ox_add_ok(base, (int64_t)to, &f->at) || f->at < 0) f->at = f->n;
    return (toff_t)f->at;
}
static int tiff_close(thandle_t h) { return (void)h, 0; }
static toff_t tiff_size(thandle_t h) { return (toff_t)((tiff_file *)h)->n; }

int ox_decode_tiff(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_tiff);
    if (!tiff.there) return missing(r, "TIFF", "libtiff cannot be loaded");
    tiff_file f = {data, (int64_t)n, 0};
    TIFF *t = tiff.TIFFClientOpen("image", "rm", &f, tiff_read, tiff_write, tiff_seek, tiff_close, tiff_size, NULL, NULL);
    uint32_t width = 0, height = 0;
    if (!t) return ox_picture_bad(r, "TIFF", "it cannot be decoded");
    tiff.TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width);
    tiff.TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height);
    int rc = ox_picture_init(r, p, width, height);
    uint32_t *pixels = rc ? NULL : ox_scratch(r, (uint64_t)width * height * sizeof *pixels);
    if (!pixels) rc = -1;
    else if (!tiff.TIFFReadRGBAImageOriented(t, width, height, pixels, ORIENTATION_TOPLEFT, 1))
        rc = ox_picture_bad(r, "TIFF", "it cannot be decoded");
    for (size_t i = 0; !rc && i < (size_t)width * height; i++) {
        p->rgb[3 * i] = (uint8_t)TIFFGetR(pixels[i]);
        p->rgb[3 * i + 1] = (uint8_t)TIFFGetG(pixels[i]);
        p->rgb[3 * i + 2] = (uint8_t)TIFFGetB(pixels[i]);
    }
    tiff.TIFFClose(t);
    return rc;
}
#else
int ox_decode_tiff(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    (void)data, (void)n, (void)p;
    return missing(r, "TIFF", "built without libtiff");
}
#endif

/* ------------------------------------------------------------------------------------------------ WebP */

#ifdef OX_HAS_WEBP
#include <webp/decode.h>

static struct {
    __typeof__(&WebPGetInfo) WebPGetInfo;
    __typeof__(&WebPDecodeRGBInto) WebPDecodeRGBInto;
    bool there;
} webp;

static void load_webp(void) {
    void *handle = dlopen("libwebp.so.7", RTLD_NOW | RTLD_LOCAL);
    webp.there = WANT(webp, WebPGetInfo) && WANT(webp, WebPDecodeRGBInto);
}

int ox_decode_webp(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int width, height;
    pthread_once(&once, load_webp);
    if (!webp.there) return missing(r, "WebP", "libwebp cannot be loaded");
    if (!webp.WebPGetInfo(data, n, &width, &height)) return ox_picture_bad(r, "WebP", "its header is broken");
    if (ox_picture_init(r, p, width, height)) return -1;
    return webp.WebPDecodeRGBInto(data, n, p->rgb, (size_t)width * (size_t)height * 3, width * 3)
               ? 0
               : ox_picture_bad(r, "WebP", "it cannot be decoded");
}
#else
int ox_decode_webp(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    (void)data, (void)n, (void)p;
    return missing(r, "WebP", "built without libwebp");
}
#endif

/* ------------------------------------------------------------------------------------------------ JPEG 2000 */

#ifdef OX_HAS_JPEG2000
#include <openjpeg.h>

static struct {
    __typeof__(&opj_create_decompress) opj_create_decompress;
    __typeof__(&opj_set_default_decoder_parameters) opj_set_default_decoder_parameters;
    __typeof__(&opj_setup_decoder) opj_setup_decoder;
    __typeof__(&opj_stream_default_create) opj_stream_default_create;
    __typeof__(&opj_stream_set_read_function) opj_stream_set_read_function;
    __typeof__(&opj_stream_set_skip_function) opj_stream_set_skip_function;
    __typeof__(&opj_stream_set_seek_function) opj_stream_set_seek_function;
    __typeof__(&opj_stream_set_user_data) opj_stream_set_user_data;
    __typeof__(&opj_stream_set_user_data_length) opj_stream_set_user_data_length;
    __typeof__(&opj_read_header) opj_read_header;
    __typeof__(&opj_decode) opj_decode;
    __typeof__(&opj_end_decompress) opj_end_decompress;
    __typeof__(&opj_image_destroy) opj_image_destroy;
    __typeof__(&opj_destroy_codec) opj_destroy_codec;
    __typeof__(&opj_stream_destroy) opj_stream_destroy;
    bool there;
} opj;

static void load_jpeg2000(void) {
    void *handle = dlopen("libopenjp2.so.7", RTLD_NOW | RTLD_LOCAL);
    opj.there = WANT(opj, opj_create_decompress) && WANT(opj, opj_set_default_decoder_parameters) && WANT(opj, opj_setup_decoder) &&
                WANT(opj, opj_stream_default_create) && WANT(opj, opj_stream_set_read_function) && WANT(opj, opj_stream_set_skip_function) &&
                WANT(opj, opj_stream_set_seek_function) && WANT(opj, opj_stream_set_user_data) && WANT(opj, opj_stream_set_user_data_length) &&
                WANT(opj, opj_read_header) && WANT(opj, opj_decode) && WANT(opj, opj_end_decompress) && WANT(opj, opj_image_destroy) &&
                WANT(opj, opj_destroy_codec) && WANT(opj, opj_stream_destroy);
}

typedef struct opj_file { const uint8_t *data; int64_t n, at; } opj_file;

static OPJ_SIZE_T opj_take(void *to, OPJ_SIZE_T n, void *user) {
    opj_file *f = user;
    if (f->at >= f->n) return (OPJ_SIZE_T)-1;
    if (n > (OPJ_SIZE_T)(f->n - f->at)) n = (OPJ_SIZE_T)(f->n - f->at);
    memcpy(to, f->data + f->at, n);
    f->at += (int64_t)n;
    return n;
}
static OPJ_OFF_T opj_skip(OPJ_OFF_T n, void *user) {
    opj_file *f = user;
    if (n < 0 || f->at >= f->n) return -1;
    if (n > f->n - f->at) n = f->n - f->at;
    f->at += n;
    return n;
}
static OPJ_BOOL opj_seek(OPJ_OFF_T to, void *user) {
    opj_file *f = user;
    if (to < 0 || to > f->n) return OPJ_FALSE;
    f->at = to;
    return OPJ_TRUE;
}

/* Samples of one component as bytes, at their place in the pixels. */
static void spread_component(const opj_image_comp_t *c, uint8_t *to, size_t n) {
    int shift = c->prec > 8 ? (int)c->prec - 8 : 0, low = c->sgnd ? 1 << (c->prec - 1) : 0, top = (1 << (c->prec - (uint32_t)shift)) - 1;
    for (size_t i = 0; i < n; i++) {
        int v = (c->data[i] + low) >> shift;
        v = v < 0 ? 0 : v > top ? top : v;
        to[3 * i] = (uint8_t)(top == 255 ? v : v * 255 / top);
    }
}

static int read_jpeg2000(ox_run *r, const opj_image_t *m, ox_picture *p) {
    uint32_t n = m->numcomps;
    bool fits = n > 0;
    for (uint32_t i = 0; i < (n < 3 ? 1 : 3) && fits; i++) {
        const opj_image_comp_t *c = m->comps + i;
        fits = c->data && c->w == m->comps->w && c->h == m->comps->h && c->prec >= 1 && c->prec <= 16;
    }
    if (!fits || m->color_space == OPJ_CLRSPC_SYCC || m->color_space == OPJ_CLRSPC_EYCC || m->color_space == OPJ_CLRSPC_CMYK)
        return ox_fail(r->ctx, OX_UNAVAILABLE, "JPEG 2000 images are served in gray and RGB of one size only");
    if (ox_picture_init(r, p, m->comps->w, m->comps->h)) return -1;
    for (uint32_t i = 0; i < 3; i++) spread_component(m->comps + (n < 3 ? 0 : i), p->rgb + i, (size_t)p->width * (size_t)p->height);
    return 0;
}

int ox_decode_jpeg2000(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_jpeg2000);
    if (!opj.there) return missing(r, "JPEG 2000", "libopenjp2 cannot be loaded");
    opj_file f = {data, (int64_t)n, 0};
    opj_dparameters_t how;
    opj_image_t *image = NULL;
    opj_codec_t *codec = opj.opj_create_decompress(data[0] ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    opj_stream_t *s = codec ? opj.opj_stream_default_create(OPJ_TRUE) : NULL;
    int rc = s ? 0 : ox_fail(r->ctx, OX_NO_MEMORY, "out of memory");
    if (s) {
        opj.opj_stream_set_read_function(s, opj_take);
        opj.opj_stream_set_skip_function(s, opj_skip);
        opj.opj_stream_set_seek_function(s, opj_seek);
        opj.opj_stream_set_user_data(s, &f, NULL);
        opj.opj_stream_set_user_data_length(s, n);
        opj.opj_set_default_decoder_parameters(&how);
        if (!opj.opj_setup_decoder(codec, &how) || !opj.opj_read_header(s, codec, &image))
            rc = ox_picture_bad(r, "JPEG 2000", "its header is broken");
        else if (image->x1 - image->x0 > OX_PICTURE_SIDE || image->y1 - image->y0 > OX_PICTURE_SIDE)
            rc = ox_picture_bad(r, "JPEG 2000", "it is too large");
        else if (!opj.opj_decode(codec, s, image) || !opj.opj_end_decompress(codec, s))
            rc = ox_picture_bad(r, "JPEG 2000", "it cannot be decoded");
        else rc = read_jpeg2000(r, image, p);
    }
    if (image) opj.opj_image_destroy(image);
    if (s) opj.opj_stream_destroy(s);
    if (codec) opj.opj_destroy_codec(codec);
    return rc;
}
#else
int ox_decode_jpeg2000(ox_run *r, const uint8_t *data, size_t n, ox_picture *p) {
    (void)data, (void)n, (void)p;
    return missing(r, "JPEG 2000", "built without OpenJPEG");
}
#endif
