/*
 * yaml_explain: what people read when a document is refused. The commonest
 * mistake is a template that was not quoted: "{{" opens two flow mappings.
 */
#include "engine/yaml_build.h"

#include <stdio.h>
#include <string.h>

int orr_yaml_fail(struct orr_yaml_build *b, int rc, uint32_t line,
                  uint32_t column, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return orr_err_at(b->e, rc, line, column, "%.200s:%u:%u: %s", b->name,
                      (unsigned)line, (unsigned)column, text);
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void orr_yaml_place(const struct orr_yaml_build *b, size_t at, uint32_t *line,
                    uint32_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < b->n; i++) {
        if (b->src[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (!is_continuation(b->src[i])) {
            ++*column;
        }
    }
}

/* The bytes of a line, without its end. */
static const char *find_line(const struct orr_yaml_build *b, uint32_t line,
                             size_t *n)
{
    const char *p = b->src, *end = b->src + b->n, *nl;
    while (--line && (nl = memchr(p, '\n', (size_t)(end - p))))
        p = nl + 1;
    nl = memchr(p, '\n', (size_t)(end - p));
    *n = (size_t)((nl ? nl : end) - p);
    if (*n && p[*n - 1] == '\r')
        --*n;
    return p;
}

/* Byte offset of a 1-based column. */
static size_t offset_of(const char *s, size_t n, uint32_t column)
{
    size_t i = 0;
    while (i < n && column > 1) {
        i++;
        while (i < n && is_continuation(s[i]))
            i++;
        column--;
    }
    return i;
}

static uint32_t column_of(const char *s, size_t at)
{
    uint32_t column = 1;
    for (size_t i = 0; i < at; i++)
        column += !is_continuation(s[i]);
    return column;
}

/* Offset of a "{{" that starts a value on the line, outside quotes, not after
 * 'limit'; n when there is none. */
static size_t find_template(const char *s, size_t n, size_t limit)
{
    char quote = 0, before = ':'; // the last character that is no blank
    for (size_t i = 0; i + 1 < n && i <= limit; i++) {
        if (quote) {
            quote = s[i] == quote ? 0 : quote;
        } else if (s[i] == '"' || s[i] == '\'') {
            quote = s[i];
        } else if (s[i] == '{' && s[i + 1] == '{' &&
                   memchr(":-[,{", before, 5)) {
            return i;
        }
        before = s[i] == ' ' ? before : s[i];
    }
    return n;
}

/* Do these bytes only close flow collections that began on a line above? */
static bool only_closes(const char *s, size_t n)
{
    size_t marks = 0;
    for (size_t i = 0; i < n; i++) {
        if (!strchr(" }],", s[i]))
            return false;
        marks += s[i] != ' ';
    }
    return marks > 0;
}

/* Length of what should have been quoted: up to "}}" inside a flow collection,
 * else the rest of the line without a comment. */
static size_t template_len(const char *line, size_t n, size_t at)
{
    const char *s = line + at;
    const char *close = memmem(s, n - at, "}}", 2);
    size_t len = close ? (size_t)(close - s) + 2 : n - at;
    for (size_t i = 0; i < at; i++)
        if (strchr("[{,", line[i]))
            return len;
    if (at + len < n && line[at + len] == ':')
        return len; // a key
    const char *hash = memmem(s + len, n - at - len, " #", 2);
    size_t end = hash ? (size_t)(hash - s) : n - at;
    if (only_closes(s + len, end - len))
        return len;
    len = end;
    while (len && s[len - 1] == ' ')
        len--;
    return len;
}

static int blame_template(struct orr_yaml_build *b, uint32_t line,
                          const char *s, size_t n, size_t at)
{
    size_t len = template_len(s, n, at);
    bool key = at + len < n && s[at + len] == ':' && strspn(s, " -") == at;
    int shown = len < 160 ? (int)len : 160;
    const char *quote = memchr(s + at, '"', len) ? "'" : "\"";
    return orr_yaml_fail(b, ORR_EINVAL, line, column_of(s, at),
                         "a %s that starts with {{ must be quoted: %s%.*s%s",
                         key ? "key" : "value", quote, shown, s + at, quote);
}

/* What libyaml says, and what it means in words about the text. */
static const struct {
    const char *said, *means;
} meanings[] = {
    {"mapping values are not allowed",
     "a ': ' is not allowed here; put the value in quotes, or check the "
     "indentation"},
    {"expected key", "this fits nothing above it; check the indentation"},
    {"'-' indicator", "this fits nothing above it; check the indentation"},
    {"could not find expected ':'", "a ':' is missing after the key"},
    {"expected comment or line break",
     "what follows > or | stands on the lines below; put a value that starts "
     "with > or | in quotes"},
    {"expected alphabetic or numeric character",
     "a value that starts with * or & must be quoted, such as \"*.c\""},
    {"undefined tag handle", "a value cannot start with !; put it in quotes"},
    {"block sequence entries are not allowed",
     "a list starts on a line of its own, each item with a dash"},
    {"tab character that violates", "a tab cannot indent; use spaces"},
};

static const char *in_words(const char *problem, char c)
{
    if (strstr(problem, "cannot start any token")) {
        if (c == '\t')
            return "a tab cannot indent; use spaces";
        if (c == '@' || c == '`' || c == '%')
            return "a value cannot start with @, ` or %; put it in quotes";
    }
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strstr(problem, meanings[i].said))
            return meanings[i].means;
    return problem;
}

int orr_yaml_explain(struct orr_yaml_build *b, uint32_t line, uint32_t column,
                     const char *problem)
{
    size_t n;
    const char *s = find_line(b, line, &n);
    size_t at = offset_of(s, n, column);
    size_t found = find_template(s, n, at);
    if (found < n)
        return blame_template(b, line, s, n, found);
    return orr_yaml_fail(b, ORR_EINVAL, line, column, "%s",
                         in_words(problem, at < n ? s[at] : 0));
}
