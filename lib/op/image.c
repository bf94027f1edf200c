/* ImageDecoder: tells the format from the first bytes, has it decoded to RGB, gives the channels that are asked for. */
#include "op/image.h"

/* Height, width, and the channels the pixel format has. */
static int infer_decoder(ox_call *c) {
    const char *format = ox_get_string(c, "pixel_format");
    bool gray = !strcmp(format, "Grayscale");
    if (!gray && strcmp(format, "RGB") && strcmp(format, "BGR"))
        return ox_fail(c->ctx, OX_BAD_DATA, "pixel_format '%s' is unknown", format);
    ox_dim d[3] = {ox_dim_fresh(c->ctx), ox_dim_fresh(c->ctx), ox_dim_const(c->ctx, gray ? 1 : 3)};
    ox_out_tensor(c, 0, OX_UINT8, 3, d);
    return 0;
}

int ox_picture_bad(ox_run *r, const char *format, const char *why) { return ox_fail(r->ctx, OX_BAD_DATA, "%s image: %s", format, why); }

int ox_picture_init(ox_run *r, ox_picture *p, int64_t width, int64_t height) {
    if (width < 1 || height < 1 || width > OX_PICTURE_SIDE || height > OX_PICTURE_SIDE)
        return ox_fail(r->ctx, OX_BAD_DATA, "an image of %" PRId64 " x %" PRId64 " pixels is not read", width, height);
    *p = (ox_picture){width, height, ox_scratch(r, (uint64_t)(width * height) * 3)};
    return p->rgb ? 0 : -1;
}

typedef int (*decode_fn)(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);

static bool starts(const uint8_t *data, size_t n, size_t at, const char *bytes, size_t len) {
    return n >= at + len && !memcmp(data + at, bytes, len);
}

static decode_fn decoder_of(const uint8_t *d, size_t n) {
    if (starts(d, n, 0, "BM", 2)) return ox_decode_bmp;
    if (starts(d, n, 0, "\xff\xd8\xff", 3)) return ox_decode_jpeg;
    if (starts(d, n, 0, "\x89PNG\r\n\x1a\n", 8)) return ox_decode_png;
    if (starts(d, n, 0, "RIFF", 4) && starts(d, n, 8, "WEBP", 4)) return ox_decode_webp;
    if (starts(d, n, 0, "II*\0", 4) || starts(d, n, 0, "MM\0*", 4)) return ox_decode_tiff;
    if (starts(d, n, 0, "\0\0\0\x0cjP  \r\n\x87\n", 12) || starts(d, n, 0, "\xff\x4f\xff\x51", 4)) return ox_decode_jpeg2000;
    if (n > 2 && d[0] == 'P' && d[1] >= '1' && d[1] <= '6') return ox_decode_pnm;
    return NULL;
}

static int run_decoder(ox_run *r) {
    const ox_tensor *x = ox_need(r, 0);
    const char *format = ox_get_string(r->call, "pixel_format");
    bool gray = !strcmp(format, "Grayscale"), bgr = !strcmp(format, "BGR");
    if (!x) return -1;
    if (x->dtype != OX_UINT8 || x->rank != 1) return ox_fail(r->ctx, OX_BAD_DATA, "the encoded stream is no list of bytes");
    if (!gray && !bgr && strcmp(format, "RGB")) return ox_fail(r->ctx, OX_BAD_DATA, "pixel_format '%s' is unknown", format);
    const uint8_t *data = ox_tensor_data(x);
    if (!data) return -1;
    decode_fn decode = decoder_of(data, (size_t)x->count);
    ox_picture p = {0};
    if (!decode) return ox_fail(r->ctx, OX_BAD_DATA, "the encoded stream is in no image format that is known");
    if (decode(r, data, (size_t)x->count, &p)) return -1;
    ox_tensor *y = ox_output(r, 0, OX_UINT8, 3, (int64_t[]){p.height, p.width, gray ? 1 : 3});
    uint8_t *out = y ? ox_tensor_mut(y) : NULL;
    for (int64_t i = 0; out && i < p.width * p.height; i++) {
        const uint8_t *c = p.rgb + 3 * i;
        if (gray) { /* the weights of ITU-R 601 in 16 bits */
            out[i] = (uint8_t)((c[0] * 19595 + c[1] * 38470 + c[2] * 7471 + 0x8000) >> 16);
            continue;
        }
        out[3 * i] = c[bgr ? 2 : 0];
        out[3 * i + 1] = c[1];
        out[3 * i + 2] = c[bgr ? 0 : 2];
    }
    return out ? 0 : -1;
}

OX_FAMILY(image, "",
    OP("ImageDecoder", 20,
       "<pixel_format: string = \"RGB\">(T1 encoded_stream) => (T2 image) T1: uint8, T2: uint8",
       .infer = infer_decoder, .kernel = run_decoder));
