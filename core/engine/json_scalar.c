/*
 * json_scalar: strings and numbers.
 *
 * A decimal with a significand below 2^53 and a power of ten up to 22 is one
 * exact multiplication or division of two exact doubles, thus rounded right;
 * only other numbers need strtod, in the C locale whatever the program set.
 */
#include "engine/json_scalar.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "engine/json_scan.h"

static int hex4(const unsigned char *p, const unsigned char *end, uint32_t *out)
{
    uint32_t v = 0;
    if (end - p < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = p[i];
        unsigned lower = c | 0x20u;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            v = v << 4 | (lower - 'a' + 10);
        else
            return 0;
    }
    *out = v;
    return 1;
}

/* At the 'u' of an escape: reads it and, for a surrogate, its other half. */
static int read_unicode(struct orr_json *j, struct orr_err *e)
{
    uint32_t cp, low;
    unsigned char utf8[4];
    if (!hex4(j->p + 1, j->end, &cp))
        return orr_json_fail_here(j, e, "\\u needs four hexadecimal digits");
    if (cp >= 0xdc00 && cp <= 0xdfff)
        return orr_json_fail_here(j, e, "a low surrogate without a high one");
    j->p += 5;
    if (cp >= 0xd800 && cp <= 0xdbff) {
        if (j->end - j->p < 6 || j->p[0] != '\\' || j->p[1] != 'u' ||
            !hex4(j->p + 2, j->end, &low) || low < 0xdc00 || low > 0xdfff)
            return orr_json_fail_here(j, e,
                                      "a high surrogate without a low one");
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        j->p += 6;
    }
    return orr_buf_put(&j->text, utf8, orr_utf8_encode(cp, utf8));
}

/* At a backslash. */
static int read_escape(struct orr_json *j, struct orr_err *e)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    j->p++;
    if (j->p == j->end)
        return orr_json_fail_here(j, e, "text ends inside a string");
    if (*j->p == 'u')
        return read_unicode(j, e);
    const char *at = *j->p ? strchr(from, *j->p) : NULL;
    if (!at)
        return orr_json_fail_here(j, e, "unknown escape in a string");
    j->p++;
    return orr_buf_putc(&j->text, (unsigned char)to[at - from]);
}

/* Goes past all that stands for itself; stops at a quote or a backslash. */
static int skip_text(struct orr_json *j, struct orr_err *e)
{
    for (;;) {
        j->p = orr_json_skip_plain(j->p, j->end);
        if (j->p == j->end)
            return orr_json_fail_here(j, e, "text ends inside a string");
        if (*j->p == '"' || *j->p == '\\')
            return 0;
        if (*j->p < 0x20)
            return orr_json_fail_here(
                j, e, "a control character in a string must be escaped");
        size_t len = orr_utf8_len(j->p, (size_t)(j->end - j->p));
        if (!len)
            return orr_json_fail_here(j, e, "not valid UTF-8");
        j->p += len;
    }
}

int orr_json_read_str(struct orr_json *j, struct orr_json_token *t,
                      struct orr_err *e)
{
    const unsigned char *run = ++j->p;
    int rc = skip_text(j, e);
    if (rc == 0 && *j->p == '"') {
        t->s = run;
        t->n = (size_t)(j->p++ - run);
        return 0;
    }
    orr_buf_clear(&j->text);
    while (rc == 0) {
        rc = orr_buf_put(&j->text, run, (size_t)(j->p - run));
        if (rc == 0 && *j->p == '"')
            break;
        if (rc == 0)
            rc = read_escape(j, e);
        run = j->p;
        if (rc == 0)
            rc = skip_text(j, e);
    }
    if (rc == ORR_ENOMEM)
        return orr_err_set(e, rc, "%.200s: no memory", j->name);
    if (rc < 0)
        return rc;
    j->p++;
    t->s = j->text.data;
    t->n = j->text.len;
    return 0;
}

/* A decimal: its first 19 significant digits and the power of ten. */
struct decimal {
    uint64_t digits;
    int kept;    // how many digits are in 'digits'
    int dropped; // were there more?
    int64_t exp10;
    int whole; // no '.', no exponent
};

static int is_digit(const struct orr_json *j)
{
    return j->p < j->end && *j->p >= '0' && *j->p <= '9';
}

/* Reads digits; each counts 'step' to the exponent when kept, one more when
 * dropped. */
static void read_digits(struct orr_json *j, struct decimal *d, int step)
{
    for (; is_digit(j); j->p++) {
        if (d->kept < 19) {
            d->digits = d->digits * 10 + (unsigned)(*j->p - '0');
            if (d->digits)
                d->kept++;
            d->exp10 += step;
        } else {
            d->dropped = 1;
            d->exp10 += step + 1;
        }
    }
}

static int read_exponent(struct orr_json *j, struct decimal *d,
                         struct orr_err *e)
{
    int64_t v = 0;
    int minus = 0;
    j->p++;
    if (j->p < j->end && (*j->p == '+' || *j->p == '-'))
        minus = *j->p++ == '-';
    if (!is_digit(j))
        return orr_json_fail_here(j, e, "a digit must follow the exponent");
    for (; is_digit(j); j->p++)
        if (v < 100000)
            v = v * 10 + (*j->p - '0');
    d->exp10 += minus ? -v : v;
    d->whole = 0;
    return 0;
}

/* Reads the grammar of a number after its sign. */
static int read_decimal(struct orr_json *j, struct decimal *d,
                        struct orr_err *e)
{
    if (!is_digit(j))
        return orr_json_fail_here(j, e, "a digit must follow '-'");
    if (*j->p == '0') {
        j->p++;
        if (is_digit(j))
            return orr_json_fail_here(j, e, "a number must not start with 0");
    } else {
        read_digits(j, d, 0);
    }
    if (j->p < j->end && *j->p == '.') {
        j->p++;
        if (!is_digit(j))
            return orr_json_fail_here(j, e, "a digit must follow '.'");
        read_digits(j, d, -1);
        d->whole = 0;
    }
    if (j->p < j->end && (*j->p | 0x20) == 'e')
        return read_exponent(j, d, e);
    return 0;
}

/* The exact way; 0 when the number is not of the easy kind. */
static int easy_double(const struct decimal *d, double *out)
{
    static const double tens[] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->dropped || d->digits > UINT64_C(1) << 53 || d->exp10 < -22 ||
        d->exp10 > 22)
        return 0;
    double v = (double)d->digits;
    *out = d->exp10 < 0 ? v / tens[-d->exp10] : v * tens[d->exp10];
    return 1;
}

/* strtod needs a NUL and must not see the program's decimal comma. */
static int hard_double(struct orr_json *j, const unsigned char *from,
                       double *out)
{
    size_t n = (size_t)(j->p - from);
    orr_buf_clear(&j->text);
    if (orr_buf_put(&j->text, from, n) < 0 || orr_buf_putc(&j->text, 0) < 0)
        return ORR_ENOMEM;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); // static in glibc
    *out = strtod_l((const char *)j->text.data, NULL, c);
    freelocale(c);
    return 0;
}

static int fits(const struct decimal *d, int minus)
{
    return d->whole && !d->dropped &&
           d->digits <= (uint64_t)INT64_MAX + (minus ? 1 : 0) &&
           !(minus && !d->digits);
}

int orr_json_read_number(struct orr_json *j, struct orr_json_token *t,
                         struct orr_err *e)
{
    const unsigned char *from = j->p;
    struct decimal d = {.whole = 1};
    int minus = *j->p == '-';
    double v;
    if (minus)
        j->p++;
    int rc = read_decimal(j, &d, e);
    if (rc < 0)
        return rc;
    if (fits(&d, minus)) {
        t->kind = ORR_JSON_INT;
        t->i = (int64_t)(minus ? 0 - d.digits : d.digits);
        return 0;
    }
    if (easy_double(&d, &v)) {
        v = minus ? -v : v;
    } else if (hard_double(j, from, &v) < 0) {
        return orr_err_set(e, ORR_ENOMEM, "%.200s: no memory", j->name);
    }
    if (isinf(v))
        return orr_json_fail(j, t->at, ORR_EINVAL, e,
                             "a number too large for a double");
    t->kind = ORR_JSON_DOUBLE;
    t->d = v;
    return 0;
}
