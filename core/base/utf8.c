/* utf8: by the table of the Unicode standard (well-formed byte sequences). */
#include "base/utf8.h"

#include <string.h>

static int tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t orr_utf8_len(const unsigned char *s, size_t n)
{
    if (!n)
        return 0;
    unsigned char c = s[0];
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return n >= 2 && tail(s[1]) ? 2 : 0;
    if (n < 3 || !tail(s[1]) || !tail(s[2]))
        return 0;
    if (c == 0xe0)
        return s[1] >= 0xa0 ? 3 : 0;
    if (c == 0xed)
        return s[1] <= 0x9f ? 3 : 0;
    if (c >= 0xe1 && c <= 0xef)
        return 3;
    if (n < 4 || !tail(s[3]))
        return 0;
    if (c == 0xf0)
        return s[1] >= 0x90 ? 4 : 0;
    if (c == 0xf4)
        return s[1] <= 0x8f ? 4 : 0;
    return c >= 0xf1 && c <= 0xf3 ? 4 : 0;
}

size_t orr_utf8_span(const void *bytes, size_t n)
{
    const unsigned char *s = bytes;
    size_t i = 0;
    while (i < n) {
        uint64_t word;
        if (n - i >= 8) {
            memcpy(&word, s + i, 8);
            if (!(word & UINT64_C(0x8080808080808080))) {
                i += 8;
                continue;
            }
        }
        size_t len = orr_utf8_len(s + i, n - i);
        if (!len)
            break;
        i += len;
    }
    return i;
}

size_t orr_utf8_encode(uint32_t cp, unsigned char out[4])
{
    if (cp < 0x80) {
        out[0] = (unsigned char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (unsigned char)(0xc0 | cp >> 6);
        out[1] = (unsigned char)(0x80 | (cp & 63));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (unsigned char)(0xe0 | cp >> 12);
        out[1] = (unsigned char)(0x80 | (cp >> 6 & 63));
        out[2] = (unsigned char)(0x80 | (cp & 63));
        return 3;
    }
    out[0] = (unsigned char)(0xf0 | cp >> 18);
    out[1] = (unsigned char)(0x80 | (cp >> 12 & 63));
    out[2] = (unsigned char)(0x80 | (cp >> 6 & 63));
    out[3] = (unsigned char)(0x80 | (cp & 63));
    return 4;
}
