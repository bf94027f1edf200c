/* Decoding of image files. */
#include "op/op.h"

#include <string.h>

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

OX_FAMILY(image, "",
    OP("ImageDecoder", 20,
       "<pixel_format: string = \"RGB\">(T1 encoded_stream) => (T2 image) T1: uint8, T2: uint8",
       .infer = infer_decoder));
