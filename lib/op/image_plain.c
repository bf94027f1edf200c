/* Image formats that need no library: BMP without compression, and PNM. Every place in the file is checked before it is read. */
#include "op/image.h"

static uint32_t le(const uint8_t *p, int bytes) {
    uint32_t v = 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

/* ------------------------------------------------------------------------------------------------ BMP */

typedef struct bmp {
    int64_t width, height, stride, pixels, palette, colors;
    int bits, entry; /* of a pixel; bytes of a palette entry */
    bool down;       /* rows from the top */
    uint32_t mask[3];
} bmp;

static int read_bmp(ox_run *r, const uint8_t *d, size_t n, bmp *b) {
    if (n < 26) return ox_picture_bad(r, "BMP", "it ends in its header");
    uint32_t head = le(d + 14, 4);
    bool old = head == 12;
    if ((!old && head < 40) || head > n - 14 || (!old && n < 54)) return ox_picture_bad(r, "BMP", "its header is broken");
    int32_t height = old ? (int32_t)le(d + 20, 2) : (int32_t)le(d + 22, 4);
    uint32_t method = old ? 0 : le(d + 30, 4);
    *b = (bmp){.width = old ? (int32_t)le(d + 18, 2) : (int32_t)le(d + 18, 4), .height = height < 0 ? -(int64_t)height : height,
               .down = height < 0, .bits = (int)le(d + (old ? 24 : 28), 2), .entry = old ? 3 : 4, .pixels = le(d + 10, 4),
               .palette = 14 + (int64_t)head, .mask = {0xff0000, 0xff00, 0xff}};
    if (b->bits == 16) memcpy(b->mask, (uint32_t[]){0x7c00, 0x3e0, 0x1f}, sizeof b->mask);
    if (method == 3 || method == 6) { /* masks stand behind the first 40 bytes, in the header or after it */
        if (n < 66) return ox_picture_bad(r, "BMP", "it ends in its header");
        for (int i = 0; i < 3; i++) b->mask[i] = le(d + 54 + 4 * i, 4);
    } else if (method) {
        return ox_fail(r->ctx, OX_UNAVAILABLE, "compressed BMP images are not served");
    }
    if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 16 && b->bits != 24 && b->bits != 32)
        return ox_picture_bad(r, "BMP", "its pixels have an unknown size");
    if (b->width > OX_PICTURE_SIDE || b->height > OX_PICTURE_SIDE || b->width < 1)
        return ox_picture_bad(r, "BMP", "its size cannot be");
    b->stride = (b->width * b->bits + 31) / 32 * 4;
    if (b->pixels > (int64_t)n || b->stride * b->height > (int64_t)n - b->pixels) return ox_picture_bad(r, "BMP", "it ends too early");
    uint32_t used = old ? 0 : le(d + 46, 4);
    b->colors = b->bits > 8 ? 0 : used && used < 1u << b->bits ? (int64_t)used : 1 << b->bits;
    if (b->palette + b->colors * b->entry > (int64_t)n) return ox_picture_bad(r, "BMP", "it ends in its palette");
    return 0;
}

static uint8_t masked(uint32_t v, uint32_t mask) {
    if (!mask) return 0;
    int shift = __builtin_ctz(mask);
    uint64_t top = mask >> shift;
    return (uint8_t)((uint64_t)((v & mask) >> shift) * 255 / top);
}

int ox_decode_bmp(ox_run *r, const uint8_t *d, size_t n, ox_picture *p) {
    bmp b;
    if (read_bmp(r, d, n, &b) || ox_picture_init(r, p, b.width, b.height)) return -1;
    for (int64_t y = 0; y < b.height; y++) {
        const uint8_t *row = d + b.pixels + (b.down ? y : b.height - 1 - y) * b.stride;
        uint8_t *out = p->rgb + y * b.width * 3;
        for (int64_t x = 0; x < b.width; x++, out += 3) {
            const uint8_t *from = row + x * b.bits / 8;
            if (b.bits <= 8) {
                int64_t i = *from >> (8 - b.bits - x * b.bits % 8) & ((1 << b.bits) - 1);
                from = d + b.palette + (i < b.colors ? i : 0) * b.entry;
            }
            if (b.bits == 16 || b.bits == 32) {
                uint32_t v = le(from, b.bits / 8);
                for (int k = 0; k < 3; k++) out[k] = masked(v, b.mask[k]);
            } else {
                for (int k = 0; k < 3; k++) out[k] = from[2 - k];
            }
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ PNM */

typedef struct pnm { const uint8_t *d; size_t n, at; } pnm;

/* The next number of the text; -1 when there is none. Comments run to the end of their line. */
static int64_t next_number(pnm *s, bool digit) {
    for (; s->at < s->n; s->at++) {
        uint8_t c = s->d[s->at];
        if (c == '#')
            while (s->at < s->n && s->d[s->at] != '\n') s->at++;
        else if (c >= '0' && c <= '9')
            break;
        else if (c != ' ' && (c < '\t' || c > '\r'))
            return -1;
    }
    int64_t v = s->at < s->n ? 0 : -1;
    for (; s->at < s->n && s->d[s->at] >= '0' && s->d[s->at] <= '9' && v < 1 << 24; s->at++) {
        v = v * 10 + s->d[s->at] - '0';
        if (digit) return s->at++, v;
    }
    return v;
}

/* One sample of the body, 0 to `top`; -1 when the file ends. */
static int64_t next_sample(pnm *s, bool text, int64_t top) {
    if (text) return next_number(s, top == 1);
    size_t bytes = top > 255 ? 2 : 1;
    if (s->n - s->at < bytes) return -1;
    int64_t v = bytes == 2 ? s->d[s->at] << 8 | s->d[s->at + 1] : s->d[s->at];
    s->at += bytes;
    return v;
}

int ox_decode_pnm(ox_run *r, const uint8_t *d, size_t n, ox_picture *p) {
    pnm s = {d, n, 2};
    int kind = d[1] - '0', channels = kind == 3 || kind == 6 ? 3 : 1;
    bool bits = kind == 1 || kind == 4, text = kind < 4;
    int64_t width = next_number(&s, false), height = next_number(&s, false), top = bits ? 1 : next_number(&s, false);
    if (top < 1 || top > 65535 || s.at >= n) return ox_picture_bad(r, "PNM", "its header is broken");
    if (!text) s.at++; /* one blank */
    int64_t smallest = kind == 4 ? height * ((width + 7) / 8) : width * height * channels; /* bytes, at least */
    if (width > OX_PICTURE_SIDE || height > OX_PICTURE_SIDE || smallest > (int64_t)(n - s.at))
        return ox_picture_bad(r, "PNM", "it ends too early");
    if (ox_picture_init(r, p, width, height)) return -1;
    for (int64_t i = 0; i < width * height; i++) {
        for (int c = 0; c < 3; c++) {
            int64_t v;
            if (kind == 4) v = d[s.at + (size_t)(i / width * ((width + 7) / 8) + i % width / 8)] >> (7 - i % width % 8) & 1;
            else if (c < channels) v = next_sample(&s, text, top);
            else v = 0;
            if (v < 0) return ox_picture_bad(r, "PNM", "it ends too early");
            if (c && channels == 1) p->rgb[3 * i + c] = p->rgb[3 * i];
            else p->rgb[3 * i + c] = (uint8_t)(bits ? (v ? 0 : 255) : top == 255 ? v : (v < top ? v : top) * 255 / top);
        }
    }
    return 0;
}
