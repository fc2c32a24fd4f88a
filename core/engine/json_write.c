/* json_write: strings and numbers as JSON text. Structure is the caller's. */
#include "engine/json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "engine/json_scan.h"

static int put_escape(struct orr_buf *b, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        unsigned char pair[2] = {'\\', (unsigned char)to[at - from]};
        return orr_buf_put(b, pair, 2);
    }
    return orr_buf_printf(b, "\\u%04x", c);
}

/* Writes the character at 's', which is not plain; 'len' gets its bytes. */
static int put_odd(struct orr_buf *b, const unsigned char *s, size_t n,
                   enum orr_json_lossy lossy, size_t *len)
{
    *len = 1;
    if (*s < 0x80)
        return put_escape(b, *s);
    *len = orr_utf8_len(s, n);
    if (*len)
        return orr_buf_put(b, s, *len);
    *len = 1;
    return lossy == ORR_JSON_LOSSY ? orr_buf_put(b, "\xef\xbf\xbd", 3)
                                   : ORR_EINVAL;
}

int orr_json_put_str(struct orr_buf *b, const void *bytes, size_t n,
                     enum orr_json_lossy lossy, size_t *bad)
{
    const unsigned char *start = bytes, *s = bytes;
    const unsigned char *end = n ? s + n : s;
    int rc = orr_buf_putc(b, '"');
    while (rc == 0 && s < end) {
        const unsigned char *odd = orr_json_skip_plain(s, end);
        size_t len = 0;
        rc = orr_buf_put(b, s, (size_t)(odd - s));
        if (rc == 0 && odd < end)
            rc = put_odd(b, odd, (size_t)(end - odd), lossy, &len);
        if (rc == ORR_EINVAL && bad)
            *bad = (size_t)(odd - start);
        s = odd + len;
    }
    return rc < 0 ? rc : orr_buf_putc(b, '"');
}

/* Decimal digits before 'end'; returns the first. */
static char *digits_before(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return end;
}

int orr_json_put_int(struct orr_buf *b, int64_t i)
{
    char text[24], *end = text + sizeof text;
    char *p = digits_before(end, i < 0 ? 0 - (uint64_t)i : (uint64_t)i);
    if (i < 0)
        *--p = '-';
    return orr_buf_put(b, p, (size_t)(end - p));
}

/* Writes significand / 10^places with at least one digit on each side. */
static int put_fixed(struct orr_buf *b, int minus, uint64_t significand,
                     int places)
{
    char text[48], *end = text + sizeof text;
    while (places > 1 && significand % 10 == 0) {
        significand /= 10;
        places--;
    }
    char *p = digits_before(end, significand);
    while (end - p <= places)
        *--p = '0';
    for (char *to = p - 1; to + 1 < end - places; to++)
        to[0] = to[1]; // the digits before the point move one to the left
    p--;
    end[-places - 1] = '.';
    if (minus)
        *--p = '-';
    return orr_buf_put(b, p, (size_t)(end - p));
}

/*
 * Most doubles in practice have few decimals. If a · 10^k is a whole number
 * below 10^15 and dividing it again gives 'a', its digits are the shortest:
 * both steps are then on exact numbers, and no two decimals of 15 digits read
 * as one double.
 */
static int put_easy(struct orr_buf *b, int minus, double a)
{
    static const struct {
        double ten;
        int places;
    } tries[] = {{1e1, 1}, {1e3, 3}, {1e6, 6}, {1e10, 10}, {1e15, 15}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        double m = a * tries[i].ten;
        if (m >= 1e15)
            return 1;
        if (m == floor(m) && m / tries[i].ten == a)
            return put_fixed(b, minus, (uint64_t)m, tries[i].places);
    }
    return 1;
}

static int put_hard(struct orr_buf *b, double d)
{
    char text[40];
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); // static in glibc
    locale_t before = uselocale(c);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    uselocale(before);
    freelocale(c);
    int rc = orr_buf_puts(b, text);
    if (rc == 0 && !strpbrk(text, ".e"))
        rc = orr_buf_puts(b, ".0");
    return rc;
}

int orr_json_put_double(struct orr_buf *b, double d)
{
    if (!isfinite(d))
        return ORR_EINVAL;
    int minus = signbit(d) != 0;
    double a = fabs(d);
    if (a == 0)
        return orr_buf_puts(b, minus ? "-0.0" : "0.0");
    if (a >= 1e-4 && a < 1e14) {
        int rc = put_easy(b, minus, a);
        if (rc <= 0)
            return rc;
    }
    return put_hard(b, d);
}
