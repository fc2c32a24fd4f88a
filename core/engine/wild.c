/*
 * wild: matching by the last star. When a segment fails, only the most recent
 * star needs to take one byte more: earlier ones were already shortest. The
 * same holds one level up for ** and directories, so nothing is exponential.
 */
#include "engine/wild.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Length of the character at 'p': 1 for bytes that are no UTF-8. */
static size_t char_len(const char *p, const char *end, bool bytes)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    if (bytes || (size_t)(end - p) < n)
        return 1;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)p[i] & 0xc0) != 0x80)
            return 1;
    return n;
}

/* The character's bytes as one comparable number. */
static uint32_t char_at(const char *p, size_t len)
{
    uint32_t v = 0;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static bool class_has(const char *name, size_t n, uint32_t c)
{
    static const struct {
        const char *name;
        int (*is)(int);
    } classes[] = {
        {"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank},
        {"cntrl", iscntrl}, {"digit", isdigit}, {"graph", isgraph},
        {"lower", islower}, {"print", isprint}, {"punct", ispunct},
        {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == n && !memcmp(classes[i].name, name, n))
            return c < 128 && classes[i].is((int)c);
    return false;
}

/* End of the bracket that opens at 'p' ("[" itself), behind its "]"; NULL when
 * it is never closed. */
static const char *bracket_end(const char *p, const char *end)
{
    p++;
    if (p < end && (*p == '!' || *p == '^'))
        p++;
    for (bool first = true; p < end; first = false) {
        if (*p == ']' && !first)
            return p + 1;
        if (*p == '[' && p + 1 < end && p[1] == ':') {
            const char *q = memchr(p + 2, ']', (size_t)(end - p - 2));
            if (q && q[-1] == ':' && q - p >= 3) {
                p = q + 1;
                continue;
            }
        }
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    }
    return NULL;
}

/* One member of a bracket as a character; moves behind it. */
static uint32_t member(const char **p, const char *end, bool bytes)
{
    if (**p == '\\' && *p + 1 < end)
        ++*p;
    size_t n = char_len(*p, end, bytes);
    uint32_t c = char_at(*p, n);
    *p += n;
    return c;
}

/* Is 'c' in the bracket [p, end)? 'end' is behind its "]". */
static bool bracket_has(const char *p, const char *end, uint32_t c, bool bytes)
{
    bool inverted = false, hit = false;
    end--;
    p++;
    if (*p == '!' || *p == '^') {
        inverted = true;
        p++;
    }
    while (p < end) {
        if (*p == '[' && p[1] == ':') {
            const char *q = memchr(p + 2, ']', (size_t)(end - p - 2));
            if (q && q[-1] == ':' && q - p >= 3) {
                hit |= class_has(p + 2, (size_t)(q - p - 3), c);
                p = q + 1;
                continue;
            }
        }
        uint32_t lo = member(&p, end, bytes), hi = lo;
        if (p + 1 < end && *p == '-') {
            p++;
            hi = member(&p, end, bytes);
        }
        hit |= c == lo || (lo <= c && c <= hi);
    }
    return hit != inverted;
}

/* Matches one element that is no star at *p against the text at *t; moves
 * both. */
static bool one(const char **p, const char *pend, const char **t,
                const char *tend, bool bytes)
{
    size_t n = char_len(*t, tend, bytes);
    if (**p == '?') {
        ++*p;
    } else if (**p == '[') {
        const char *close = bracket_end(*p, pend);
        if (!close || !bracket_has(*p, close, char_at(*t, n), bytes))
            return false;
        *p = close;
    } else {
        if (**p == '\\' && ++*p == pend)
            return false; // a lone backslash at the end matches nothing
        if (**p != **t)
            return false;
        n = 1;
        ++*p;
    }
    *t += n;
    return true;
}

static bool segment(const char *p, const char *pend, const char *t,
                    const char *tend, bool bytes)
{
    const char *star_p = NULL, *star_t = NULL;
    while (t < tend || p < pend) {
        if (p < pend && *p == '*') {
            star_p = ++p;
            star_t = t;
            continue;
        }
        if (p < pend && t < tend && one(&p, pend, &t, tend, bytes))
            continue;
        if (!star_p || star_t >= tend)
            return false;
        star_t += char_len(star_t, tend, bytes);
        p = star_p;
        t = star_t;
    }
    return true;
}

bool orr_wild_seg_match(const struct orr_wild_seg *s, const char *name,
                        size_t n)
{
    if (s->kind == ORR_WILD_LITERAL)
        return n == s->len && !memcmp(name, s->text, n);
    if ((s->flags & ORR_WILD_NO_DOT) && n && name[0] == '.' &&
        !(s->kind == ORR_WILD_PATTERN && s->text[0] == '.'))
        return false;
    switch (s->kind) {
    case ORR_WILD_SUFFIX:
        return n >= s->len && !memcmp(name + n - s->len, s->text, s->len);
    case ORR_WILD_PATTERN:
        return segment(s->text, s->text + s->len, name, name + n,
                       s->flags & ORR_WILD_BYTES);
    case ORR_WILD_LITERAL:
    case ORR_WILD_ANY:
    case ORR_WILD_STARS:
        break;
    }
    return true;
}

bool orr_wild_match(const struct orr_wild *w, const char *path, size_t n)
{
    size_t i = 0, stars_i = 0;
    const char *t = path, *end = path + n, *stars_t = NULL;
    for (;;) {
        if (i < w->count && w->segs[i].kind == ORR_WILD_STARS) {
            stars_i = ++i;
            stars_t = t;
            continue;
        }
        if (t >= end && i == w->count)
            return true;
        const char *slash = t < end ? memchr(t, '/', (size_t)(end - t)) : NULL;
        const char *stop = slash ? slash : end;
        if (t < end && i < w->count &&
            orr_wild_seg_match(&w->segs[i], t, (size_t)(stop - t))) {
            i++;
            t = slash ? slash + 1 : end;
            continue;
        }
        if (!stars_t || stars_t >= end)
            return false;
        slash = memchr(stars_t, '/', (size_t)(end - stars_t));
        stop = slash ? slash : end;
        if (!orr_wild_seg_match(&w->segs[stars_i - 1], stars_t,
                                (size_t)(stop - stars_t)))
            return false;
        stars_t = slash ? slash + 1 : end;
        i = stars_i;
        t = stars_t;
    }
}

/* Classifies a segment; a literal's escapes are resolved in place. */
static void classify(struct orr_wild_seg *s, char *text, size_t n)
{
    size_t stars = 0, out = 0;
    while (stars < n && text[stars] == '*')
        stars++;
    s->text = text;
    s->len = n;
    s->kind = stars > 1 ? ORR_WILD_STARS : ORR_WILD_ANY;
    if (n && stars == n)
        return;
    s->kind = ORR_WILD_PATTERN;
    for (size_t i = stars; i < n; i++) {
        if (text[i] == '\\' && ++i < n)
            continue;
        if (i == n || strchr("*?[", text[i]))
            return;
    }
    for (size_t i = stars; i < n; i++) {
        i += text[i] == '\\';
        text[out++] = text[i];
    }
    s->kind = stars ? ORR_WILD_SUFFIX : ORR_WILD_LITERAL;
    s->len = out;
}

/* Up to the next slash; one in brackets does not cut, and matches nothing. */
static size_t segment_len(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && s[i] != '/') {
        if (s[i] == '[')
            i += orr_wild_bracket(s + i, n - i);
        else
            i += s[i] == '\\' && i + 1 < n && s[i + 1] != '/' ? 2 : 1;
    }
    return i;
}

/* Without the backslash of "\/", which is a slash like any other. */
static size_t without_escape(const char *s, size_t n)
{
    size_t back = 0;
    while (back < n && s[n - 1 - back] == '\\')
        back++;
    return n - back % 2;
}

int orr_wild_init(struct orr_wild *w, const char *pattern, size_t n,
                  unsigned flags)
{
    *w = (struct orr_wild){0};
    size_t slashes = 2;
    for (size_t i = 0; i < n; i++)
        slashes += pattern[i] == '/';
    w->segs = calloc(slashes, sizeof *w->segs);
    w->text = malloc(n + 1);
    if (!w->segs || !w->text) {
        orr_wild_fini(w);
        return ORR_ENOMEM;
    }
    memcpy(w->text, pattern, n);
    w->text[n] = 0;
    bool exact = flags & ORR_WILD_EXACT;
    for (size_t i = 0; i < n + exact;) {
        char *s = w->text + i;
        size_t len = segment_len(s, n - i), whole = i + len;
        i = whole + 1;
        if (whole < n)
            len = without_escape(s, len);
        if (!exact && (!len || (len == 1 && s[0] == '.')))
            continue;
        w->segs[w->count].flags = flags;
        classify(&w->segs[w->count++], s, len);
    }
    if (w->count && w->segs[w->count - 1].kind == ORR_WILD_STARS) {
        w->segs[w->count] = w->segs[w->count - 1];
        w->segs[w->count++].kind = ORR_WILD_ANY;
    }
    while (w->fixed < w->count && w->segs[w->fixed].kind == ORR_WILD_LITERAL)
        w->fixed++;
    return 0;
}

size_t orr_wild_bracket(const char *s, size_t n)
{
    const char *end = bracket_end(s, s + n);
    return end ? (size_t)(end - s) : 1;
}

long orr_wild_unclosed(const char *pattern, size_t n)
{
    const char *p = pattern, *end = pattern + n;
    while (p < end) {
        const char *close = *p == '[' ? bracket_end(p, end) : p + 1;
        if (!close)
            return (long)(p - pattern);
        p = *p == '\\' ? p + 2 : close;
    }
    return -1;
}

void orr_wild_fini(struct orr_wild *w)
{
    free(w->segs);
    free(w->text);
    *w = (struct orr_wild){0};
}
