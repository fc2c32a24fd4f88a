/* json_scan: what reading and writing JSON share: the run of bytes that stand
 * for themselves inside a string. */
#ifndef ORR_ENGINE_JSON_SCAN_H
#define ORR_ENGINE_JSON_SCAN_H

#include <stdint.h>
#include <string.h>

static inline int orr_json_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* High bits of the bytes of 'v' that are zero; bytes above one may be wrong,
 * which is enough for "none". */
static inline uint64_t orr_json_zeros(uint64_t v)
{
    return (v - UINT64_C(0x0101010101010101)) & ~v;
}

/* The first byte that is a quote, a backslash, a control or not ASCII. Eight
 * bytes at a time: most strings are plain to their end. */
static inline const unsigned char *orr_json_skip_plain(const unsigned char *p,
                                                       const unsigned char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (end - p >= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        uint64_t odd = v | ((v - ones * 0x20) & ~v) |
                       orr_json_zeros(v ^ ones * '"') |
                       orr_json_zeros(v ^ ones * '\\');
        if (odd & ones * 0x80)
            break;
        p += 8;
    }
    while (p < end && orr_json_is_plain(*p))
        p++;
    return p;
}

#endif
