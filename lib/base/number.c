/* Numbers and text, the same in every locale: the C library's conversions are used with its decimal point put right. */
#include "base/base.h"

#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int special_text(char *buf, double v) {
    const char *text = isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
    size_t n = strlen(text);
    memcpy(buf, text, n + 1);
    return (int)n;
}

/* Puts "." where the locale wrote something else. */
static int fix_point(char *buf, size_t n) {
    size_t i = 0;
    while (i < n && (buf[i] == '-' || (buf[i] >= '0' && buf[i] <= '9'))) i++;
    if (i == n || buf[i] == 'e') return (int)n;
    size_t end = i;
    while (end < n && buf[end] != 'e' && !(buf[end] >= '0' && buf[end] <= '9')) end++;
    buf[i] = '.';
    memmove(buf + i + 1, buf + end, n - end + 1);
    return (int)(n - (end - i) + 1);
}

int ox_float_text(char *buf, float v) {
    if (!isfinite(v)) return special_text(buf, (double)v);
    int n = 0;
    /* every value of up to six digits reads back from six; only denormals may need fewer than that says */
    for (int digits = fabsf(v) < 1.2e-38f ? 1 : 6; digits <= 9; digits++) {
        n = snprintf(buf, 32, "%.*g", digits, (double)v);
        if (strtof(buf, NULL) == v) break;
    }
    return fix_point(buf, (size_t)n);
}

int ox_double_text(char *buf, double v) {
    if (!isfinite(v)) return special_text(buf, v);
    int n = 0;
    for (int digits = fabs(v) < 2.3e-308 ? 1 : 15; digits <= 17; digits++) {
        n = snprintf(buf, 32, "%.*g", digits, v);
        if (strtod(buf, NULL) == v) break;
    }
    return fix_point(buf, (size_t)n);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool ox_parse_double(const char *text, size_t len, double *out) {
    char buf[1100];
    size_t i = 0, n = 0, digits = 0;
    if (i < len && (text[i] == '-' || text[i] == '+')) buf[n++] = text[i++];
    bool minus = n && buf[0] == '-';
    if (len - i == 3 && (!memcmp(text + i, "inf", 3) || !memcmp(text + i, "nan", 3))) {
        *out = text[i] == 'n' ? NAN : minus ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    if (len > 1024) return false;
    for (; i < len && is_digit(text[i]); digits++) buf[n++] = text[i++];
    if (i < len && text[i] == '.') {
        const char *point = nl_langinfo(RADIXCHAR);
        size_t point_len = strlen(point);
        if (point_len > 16) return false;
        memcpy(buf + n, point, point_len);
        n += point_len;
        i++;
        for (; i < len && is_digit(text[i]); digits++) buf[n++] = text[i++];
    }
    if (!digits) return false;
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        buf[n++] = text[i++];
        if (i < len && (text[i] == '-' || text[i] == '+')) buf[n++] = text[i++];
        if (i == len || !is_digit(text[i])) return false;
        while (i < len && is_digit(text[i])) buf[n++] = text[i++];
    }
    if (i != len) return false;
    buf[n] = 0;
    *out = strtod(buf, NULL);
    return true;
}

bool ox_parse_int(const char *text, size_t len, int64_t *out) {
    size_t i = 0;
    bool minus = len && text[0] == '-';
    if (len && (text[0] == '-' || text[0] == '+')) i++;
    if (i == len) return false;
    int64_t v = 0;
    for (; i < len; i++) {
        if (!is_digit(text[i])) return false;
        int64_t d = text[i] - '0';
        if (!ox_mul_ok(v, 10, &v) || !ox_add_ok(v, minus ? -d : d, &v)) return false;
    }
    *out = v;
    return true;
}

size_t ox_utf8_prefix(const char *text, size_t len) {
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        unsigned char c = p[i];
        if (c < 0x80) {
            i++;
            continue;
        }
        size_t n = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
        if (!n || len - i < n) return i;
        unsigned char low = c == 0xe0   ? 0xa0
                            : c == 0xf0 ? 0x90
                                        : 0x80,
                      high = c == 0xed   ? 0x9f
                             : c == 0xf4 ? 0x8f
                                         : 0xbf;
        if (p[i + 1] < low || p[i + 1] > high) return i;
        for (size_t k = 2; k < n; k++)
            if ((p[i + k] & 0xc0) != 0x80) return i;
        i += n;
    }
    return len;
}
