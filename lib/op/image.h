/* Decoding of image files, between the operator (image.c) and the formats: image_plain.c (BMP, PNM), image_codecs.c (what libraries read). */
#ifndef OX_OP_IMAGE_H
#define OX_OP_IMAGE_H

#include "op/compute.h"

enum { OX_PICTURE_SIDE = 1 << 16 }; /* the longest side that is read */

/* What a decoder makes: rows from the top, three bytes a pixel. */
typedef struct ox_picture {
    int64_t width, height;
    uint8_t *rgb;
} ox_picture;

/* Room for a picture of this size; -1 after ox_fail when it cannot be or is too large. */
int ox_picture_init(ox_run *r, ox_picture *p, int64_t width, int64_t height);
int ox_picture_bad(ox_run *r, const char *format, const char *why); /* ox_fail(OX_BAD_DATA) */

int ox_decode_bmp(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);
int ox_decode_pnm(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);
/* OX_UNAVAILABLE when the library is not there. */
int ox_decode_jpeg(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);
int ox_decode_png(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);
int ox_decode_tiff(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);
int ox_decode_webp(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);
int ox_decode_jpeg2000(ox_run *r, const uint8_t *data, size_t n, ox_picture *p);

#endif
