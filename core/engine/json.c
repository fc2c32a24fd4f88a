/*
 * json: the reader. A state says what may come next; a byte for each open
 * container says which it is. Strings without escapes are handed out where they
 * stand in the text. Numbers and strings are read in json_scalar.c.
 */
#include "engine/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/json_scalar.h"

enum expect {
    VALUE,
    VALUE_OR_END, // after '['
    KEY,          // after ',' in an object
    KEY_OR_END,   // after '{'
    COMMA_OR_END,
    DONE
};

void orr_json_init(struct orr_json *j, const void *text, size_t n,
                   const char *name, unsigned max_depth)
{
    static const unsigned char none[1];
    j->start = j->p = n ? text : none;
    j->end = j->start + n;
    j->name = name ? name : "json";
    j->text = (struct orr_buf){0};
    j->expect = VALUE;
    j->depth = 0;
    j->max_depth = max_depth ? max_depth : ORR_JSON_DEPTH;
    if (j->max_depth > ORR_JSON_DEPTH_MAX)
        j->max_depth = ORR_JSON_DEPTH_MAX;
}

void orr_json_fini(struct orr_json *j)
{
    orr_buf_fini(&j->text);
}

int orr_json_fail(const struct orr_json *j, size_t at, int rc,
                  struct orr_err *e, const char *fmt, ...)
{
    char what[256];
    unsigned line = 1, column = 1;
    va_list ap;
    for (size_t i = 0; i < at; i++) {
        if (j->start[i] == '\n') {
            line++;
            column = 1;
        } else if ((j->start[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return orr_err_at(e, rc, line, column, "%.200s:%u:%u: %s", j->name, line,
                      column, what);
}

int orr_json_fail_here(const struct orr_json *j, struct orr_err *e,
                       const char *what)
{
    return orr_json_fail(j, (size_t)(j->p - j->start), ORR_EINVAL, e, "%s",
                         what);
}

static int unexpected(const struct orr_json *j, struct orr_err *e,
                      const char *wanted)
{
    if (j->p == j->end)
        return orr_json_fail(j, (size_t)(j->p - j->start), ORR_EINVAL, e,
                             "text ends, expected %s", wanted);
    unsigned char c = *j->p;
    if (c > ' ' && c < 0x7f)
        return orr_json_fail(j, (size_t)(j->p - j->start), ORR_EINVAL, e,
                             "unexpected '%c', expected %s", c, wanted);
    return orr_json_fail(j, (size_t)(j->p - j->start), ORR_EINVAL, e,
                         "unexpected byte 0x%02x, expected %s", c, wanted);
}

static void skip_space(struct orr_json *j)
{
    while (j->p < j->end &&
           (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
        j->p++;
}

static void after_value(struct orr_json *j)
{
    j->expect = j->depth ? COMMA_OR_END : DONE;
}

static int read_word(struct orr_json *j, const char *word, size_t n,
                     enum orr_json_kind kind, struct orr_json_token *t,
                     struct orr_err *e)
{
    if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
        return unexpected(j, e, "a value");
    j->p += n;
    t->kind = kind;
    after_value(j);
    return 0;
}

static int enter(struct orr_json *j, int object, struct orr_json_token *t,
                 struct orr_err *e)
{
    if (j->depth == j->max_depth)
        return orr_json_fail(j, t->at, ORR_ELIMIT, e,
                             "nested more than %u levels deep", j->max_depth);
    j->in_object[j->depth++] = (unsigned char)object;
    j->p++;
    t->kind = object ? ORR_JSON_OBJECT : ORR_JSON_ARRAY;
    j->expect = object ? KEY_OR_END : VALUE_OR_END;
    return 0;
}

static int leave(struct orr_json *j, struct orr_json_token *t)
{
    j->depth--;
    j->p++;
    t->kind = j->in_object[j->depth] ? ORR_JSON_OBJECT_END : ORR_JSON_ARRAY_END;
    after_value(j);
    return 0;
}

static int read_value(struct orr_json *j, struct orr_json_token *t,
                      struct orr_err *e)
{
    if (j->p == j->end)
        return unexpected(j, e, "a value");
    switch (*j->p) {
    case '{':
        return enter(j, 1, t, e);
    case '[':
        return enter(j, 0, t, e);
    case '"':
        t->kind = ORR_JSON_STR;
        after_value(j);
        return orr_json_read_str(j, t, e);
    case 'n':
        return read_word(j, "null", 4, ORR_JSON_NULL, t, e);
    case 't':
        return read_word(j, "true", 4, ORR_JSON_TRUE, t, e);
    case 'f':
        return read_word(j, "false", 5, ORR_JSON_FALSE, t, e);
    default:
        break;
    }
    if (*j->p != '-' && !(*j->p >= '0' && *j->p <= '9'))
        return unexpected(j, e, "a value");
    after_value(j);
    return orr_json_read_number(j, t, e);
}

static int read_key(struct orr_json *j, struct orr_json_token *t,
                    struct orr_err *e)
{
    if (j->p == j->end || *j->p != '"')
        return unexpected(j, e, "a key in double quotes");
    int rc = orr_json_read_str(j, t, e);
    if (rc < 0)
        return rc;
    skip_space(j);
    if (j->p == j->end || *j->p != ':')
        return unexpected(j, e, "':'");
    j->p++;
    t->kind = ORR_JSON_KEY;
    j->expect = VALUE;
    return 0;
}

/* Between values: a comma, or the end of the container. */
static int read_comma(struct orr_json *j, struct orr_err *e)
{
    int object = j->in_object[j->depth - 1];
    if (j->p == j->end || *j->p != ',')
        return unexpected(j, e, object ? "',' or '}'" : "',' or ']'");
    j->p++;
    j->expect = object ? KEY : VALUE;
    skip_space(j);
    return 0;
}

static int at_closer(const struct orr_json *j)
{
    if (j->p == j->end || j->expect == VALUE || j->expect == KEY || !j->depth)
        return 0;
    return *j->p == (j->in_object[j->depth - 1] ? '}' : ']');
}

int orr_json_next(struct orr_json *j, struct orr_json_token *t,
                  struct orr_err *e)
{
    static const unsigned char bom[] = {0xef, 0xbb, 0xbf};
    if (j->p == j->start && j->end - j->p >= 3 && !memcmp(j->p, bom, 3))
        return orr_json_fail_here(j, e,
                                  "starts with a byte order mark; remove it");
    skip_space(j);
    t->at = (size_t)(j->p - j->start);
    if (at_closer(j))
        return leave(j, t);
    if (j->expect == COMMA_OR_END) {
        int rc = read_comma(j, e);
        if (rc < 0)
            return rc;
        t->at = (size_t)(j->p - j->start);
    }
    if (j->expect == KEY || j->expect == KEY_OR_END)
        return read_key(j, t, e);
    if (j->expect != DONE)
        return read_value(j, t, e);
    if (j->p != j->end)
        return orr_json_fail_here(j, e, "something follows the value");
    t->kind = ORR_JSON_END;
    return 0;
}
