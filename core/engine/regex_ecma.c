/*
 * regex_ecma: rewrites what means something else in PCRE2, one piece at a time,
 * and refuses what ECMA-262 does not have. All else is copied; whether the
 * pattern is well formed is for PCRE2 to say.
 */
#include "engine/regex_ecma.h"

#include <string.h>

// ECMA's WhiteSpace and LineTerminator as the inside of a class, and the rest.
#define SPACE                                                                  \
    "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"   \
    "\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACE                                                              \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}" \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-"      \
    "\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

struct ecma {
    const char *p, *end;
    struct orr_buf *out;
    int in_class;
    const char *why;
};

static int refuse(struct ecma *x, const char *why)
{
    x->why = why;
    return ORR_EINVAL;
}

static int hex_digits(const char *p, const char *end, int max, uint32_t *out)
{
    int n = 0;
    uint32_t v = 0;
    for (; n < max && p + n < end; n++) {
        char c = p[n];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            break;
    }
    *out = v;
    return n;
}

static int put_code(struct ecma *x, uint32_t cp)
{
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return refuse(x, "not a Unicode character");
    return orr_buf_printf(x->out, "\\x{%x}", cp);
}

/* \uHHHH, two of them as a surrogate pair, \u{H…}; 'p' is behind the u. */
static int put_unicode(struct ecma *x)
{
    uint32_t cp, low;
    if (x->p < x->end && *x->p == '{') {
        int n = hex_digits(x->p + 1, x->end, 6, &cp);
        if (!n || x->p + 1 + n >= x->end || x->p[1 + n] != '}')
            return refuse(x, "\\u{ needs 1 to 6 hexadecimal digits and }");
        x->p += n + 2;
        return put_code(x, cp);
    }
    if (hex_digits(x->p, x->end, 4, &cp) < 4)
        return refuse(x, "\\u needs four hexadecimal digits");
    x->p += 4;
    if (cp >= 0xd800 && cp <= 0xdbff && x->end - x->p >= 6 && x->p[0] == '\\' &&
        x->p[1] == 'u' && hex_digits(x->p + 2, x->end, 4, &low) == 4 &&
        low >= 0xdc00 && low <= 0xdfff) {
        x->p += 6;
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    return put_code(x, cp);
}

static int put_hex(struct ecma *x)
{
    uint32_t cp;
    if (hex_digits(x->p, x->end, 2, &cp) < 2)
        return refuse(x, "\\x needs two hexadecimal digits");
    x->p += 2;
    return put_code(x, cp);
}

/* PCRE2 knows general categories by their short names only. */
static const char *const categories[][2] = {{"Letter", "L"},
                                            {"Cased_Letter", "L&"},
                                            {"Uppercase_Letter", "Lu"},
                                            {"Lowercase_Letter", "Ll"},
                                            {"Titlecase_Letter", "Lt"},
                                            {"Modifier_Letter", "Lm"},
                                            {"Other_Letter", "Lo"},
                                            {"Mark", "M"},
                                            {"Combining_Mark", "M"},
                                            {"Nonspacing_Mark", "Mn"},
                                            {"Spacing_Mark", "Mc"},
                                            {"Enclosing_Mark", "Me"},
                                            {"Number", "N"},
                                            {"Decimal_Number", "Nd"},
                                            {"digit", "Nd"},
                                            {"Letter_Number", "Nl"},
                                            {"Other_Number", "No"},
                                            {"Symbol", "S"},
                                            {"Math_Symbol", "Sm"},
                                            {"Currency_Symbol", "Sc"},
                                            {"Modifier_Symbol", "Sk"},
                                            {"Other_Symbol", "So"},
                                            {"Punctuation", "P"},
                                            {"punct", "P"},
                                            {"Connector_Punctuation", "Pc"},
                                            {"Dash_Punctuation", "Pd"},
                                            {"Open_Punctuation", "Ps"},
                                            {"Close_Punctuation", "Pe"},
                                            {"Initial_Punctuation", "Pi"},
                                            {"Final_Punctuation", "Pf"},
                                            {"Other_Punctuation", "Po"},
                                            {"Separator", "Z"},
                                            {"Space_Separator", "Zs"},
                                            {"Line_Separator", "Zl"},
                                            {"Paragraph_Separator", "Zp"},
                                            {"Other", "C"},
                                            {"Control", "Cc"},
                                            {"cntrl", "Cc"},
                                            {"Format", "Cf"},
                                            {"Surrogate", "Cs"},
                                            {"Private_Use", "Co"},
                                            {"Unassigned", "Cn"},
                                            {"ASCII", "ASCII"},
                                            {"LC", "L&"}};

/* PCRE2's name of a general category, or NULL: perhaps a script's name. */
static const char *property(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
        if (strlen(categories[i][0]) == n && !memcmp(categories[i][0], name, n))
            return categories[i][1];
    return NULL;
}

/* \p{…} and \P{…}; 'p' is behind the letter. */
static int put_property(struct ecma *x, char letter)
{
    static const char *const keys[] = {"General_Category=", "gc="};
    const char *close = x->p < x->end && *x->p == '{'
                            ? memchr(x->p, '}', (size_t)(x->end - x->p))
                            : NULL;
    if (!close)
        return refuse(x, "\\p needs a property in braces");
    const char *name = x->p + 1;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t k = strlen(keys[i]);
        if ((size_t)(close - name) > k && !memcmp(name, keys[i], k)) {
            name += k;
            break;
        }
    }
    size_t n = (size_t)(close - name);
    const char *known = property(name, n);
    x->p = close + 1;
    if (known)
        return orr_buf_printf(x->out, "\\%c{%s}", letter, known);
    return orr_buf_printf(x->out, "\\%c{%.*s}", letter, (int)n, name);
}

static int put_space(struct ecma *x, char letter)
{
    const char *set = letter == 's' ? SPACE : NOT_SPACE;
    return orr_buf_printf(x->out, x->in_class ? "%s" : "[%s]", set);
}

static int put_both(struct ecma *x, char letter)
{
    char two[2] = {'\\', letter};
    return orr_buf_put(x->out, two, 2);
}

/* \cX; 'p' is behind the c. */
static int put_control(struct ecma *x)
{
    char c = x->p < x->end ? *x->p : 0;
    if ((c | 32) < 'a' || (c | 32) > 'z')
        return refuse(x, "\\c needs a letter");
    x->p++;
    return put_code(x, (uint32_t)c & 31);
}

/* Behind a backslash. */
static int put_escape(struct ecma *x)
{
    if (x->p == x->end)
        return refuse(x, "\\ at the end");
    char c = *x->p++;
    switch (c) {
    case 'u':
        return put_unicode(x);
    case 'x':
        return put_hex(x);
    case 'c':
        return put_control(x);
    case 'p':
    case 'P':
        return put_property(x, c);
    case 's':
    case 'S':
        return put_space(x, c);
    case 'v':
        return orr_buf_puts(x->out, "\\x{b}");
    case '0':
        return put_code(x, 0);
    case 'A':
    case 'Z':
    case 'z':
        return refuse(x, "JSON Schema patterns have no \\A, \\Z, \\z; use ^ "
                         "or $");
    default:
        break;
    }
    int letter = ((c | 32) >= 'a' && (c | 32) <= 'z');
    if (letter && !strchr(x->in_class ? "bdDfnrtwW" : "bBdDfknrtwW", c))
        return refuse(x, "unknown escape");
    return put_both(x, c);
}

/* Behind "(": only ECMA's groups, and (?i). */
static int put_group(struct ecma *x)
{
    static const char *const kinds[] = {"?:",  "?=",  "?!",  "?<",
                                        "?i)", "?i:", "?-i:"};
    if (x->p < x->end && *x->p == '*')
        return refuse(x, "nothing to repeat");
    if (x->p == x->end || *x->p != '?')
        return orr_buf_putc(x->out, '(');
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i]);
        if ((size_t)(x->end - x->p) >= n && !memcmp(x->p, kinds[i], n)) {
            x->p += n;
            return orr_buf_printf(x->out, "(%s", kinds[i]);
        }
    }
    return refuse(x, "unknown kind of group");
}

static int put_piece(struct ecma *x)
{
    char c = *x->p++;
    if (c == '\\')
        return put_escape(x);
    if (x->in_class) {
        if (c == '[') // [[:alpha:]] is a set of characters here
            return put_both(x, c);
        x->in_class = c != ']';
        return orr_buf_putc(x->out, (unsigned char)c);
    }
    if (c == '(')
        return put_group(x);
    if (c == '.')
        return orr_buf_puts(x->out, "[^\\n\\r\\x{2028}\\x{2029}]");
    if (c == '[') {
        x->in_class = 1;
        if (x->p < x->end && *x->p == '^') { // so that "]" after it ends
            x->p++;
            return orr_buf_puts(x->out, "[^");
        }
    }
    return orr_buf_putc(x->out, (unsigned char)c);
}

int orr_ecma_translate(const char *pattern, size_t n, struct orr_buf *out,
                       struct orr_buf *places, size_t *bad, const char **why)
{
    struct ecma x = {.p = pattern, .end = pattern + n, .out = out};
    int rc = 0;
    while (rc == 0 && x.p < x.end) {
        struct orr_ecma_place at = {(uint32_t)out->len,
                                    (uint32_t)(x.p - pattern)};
        *bad = at.in;
        rc = orr_buf_put(places, &at, sizeof at);
        if (rc == 0)
            rc = put_piece(&x);
    }
    *why = x.why;
    return rc;
}
