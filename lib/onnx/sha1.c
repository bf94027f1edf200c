/* SHA-1 (FIPS 180-4), for the "checksum" key of external data: the standard asks for it. Not for security. */
#include "onnx/proto.h"

#include <string.h>

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void add_block(uint32_t h[5], const uint8_t *p) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999u
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1u
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu
                              : (b ^ c ^ d) + 0xca62c1d6u;
        uint32_t next = rotate(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void ox_sha1_hex(const uint8_t *data, uint64_t size, char *hex) {
    uint32_t h[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    uint64_t whole = size / 64 * 64, rest = size - whole;
    for (uint64_t i = 0; i < whole; i += 64) add_block(h, data + i);
    uint8_t tail[128] = {0};
    if (rest) memcpy(tail, data + whole, rest);
    tail[rest] = 0x80;
    uint64_t end = rest < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++) tail[end - 1 - (unsigned)i] = (uint8_t)(size * 8 >> (8 * i));
    for (uint64_t i = 0; i < end; i += 64) add_block(h, tail + i);
    for (int i = 0; i < 40; i++) hex[i] = "0123456789abcdef"[h[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[40] = 0;
}
