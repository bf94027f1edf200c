/* Decoding of image files. */
#include "op/op.h"

OX_FAMILY(image, "",
    OP("ImageDecoder", 20,
       "<pixel_format: string = \"RGB\">(T1 encoded_stream) => (T2 image) T1: uint8, T2: uint8"));
