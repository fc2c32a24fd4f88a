/* regex: PCRE2 with limits; the dialect is regex_ecma.c's. */
#include "engine/regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "engine/regex_ecma.h"

enum {
    PATTERN_MAX = 1 << 20,
    STEPS_MAX = 2000000, // backtracking: some tens of milliseconds
    HEAP_MAX_KIB = 64 * 1024,
};

struct orr_regex {
    pcre2_code *code;
    pcre2_match_data *found;
    pcre2_match_context *limits;
};

/* The error at offset 'at' of the pattern, counted in characters. */
static int fail(const char *pattern, size_t n, size_t at, struct orr_err *e,
                const char *why)
{
    unsigned column = 1;
    for (size_t i = 0; i < at && i < n; i++)
        column += ((unsigned char)pattern[i] & 0xc0) != 0x80;
    return orr_err_at(e, ORR_EINVAL, 1, column, "pattern '%.*s', column %u: %s",
                      n > 200 ? 200 : (int)n, pattern, column, why);
}

/* Where offset 'out' of the translation comes from. */
static size_t origin(const struct orr_buf *places, size_t out)
{
    const struct orr_ecma_place *p = (const void *)places->data;
    size_t n = places->len / sizeof *p, at = 0;
    for (size_t i = 0; i < n && p[i].out <= out; i++)
        at = p[i].in;
    return at;
}

static int compile(struct orr_regex *r, const char *pattern, size_t n,
                   int lines, struct orr_buf *text, struct orr_buf *places,
                   struct orr_err *e)
{
    const uint32_t options = (lines ? PCRE2_MULTILINE : 0) | PCRE2_UTF |
                             PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF |
                             PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_INVALID_UTF;
    size_t at = 0;
    const char *why = NULL;
    int code, rc = orr_ecma_translate(pattern, n, text, places, &at, &why);
    if (rc == ORR_EINVAL)
        return fail(pattern, n, at, e, why);
    if (rc < 0)
        return orr_err_set(e, rc, "pattern: no memory");
    r->code = pcre2_compile(text->data ? text->data : (PCRE2_SPTR) "",
                            text->len, options, &code, &at, NULL);
    if (!r->code) {
        unsigned char message[160];
        pcre2_get_error_message(code, message, sizeof message);
        return fail(pattern, n, at >= text->len ? n : origin(places, at), e,
                    (const char *)message);
    }
    r->found = pcre2_match_data_create(ORR_REGEX_GROUPS, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (!r->found || !r->limits)
        return orr_err_set(e, ORR_ENOMEM, "pattern: no memory");
    pcre2_set_match_limit(r->limits, STEPS_MAX);
    pcre2_set_heap_limit(r->limits, HEAP_MAX_KIB);
    return 0;
}

int orr_regex_new(struct orr_regex **out, const char *pattern, size_t n,
                  int lines, struct orr_err *e)
{
    struct orr_buf text = {0}, places = {0};
    size_t valid = orr_utf8_span(pattern, n);
    if (n > PATTERN_MAX)
        return orr_err_set(e, ORR_EINVAL, "pattern of %zu bytes is too long",
                           n);
    if (valid < n)
        return fail(pattern, valid, valid, e, "not valid UTF-8");
    struct orr_regex *r = orr_xalloc(sizeof *r);
    int rc = compile(r, pattern, n, lines, &text, &places, e);
    orr_buf_fini(&text);
    orr_buf_fini(&places);
    if (rc < 0)
        orr_regex_free(r);
    else
        *out = r;
    return rc;
}

/* How many groups matched, at least 1; 0: no match; negative: an error. */
static int match(struct orr_regex *r, const char *s, size_t n, size_t from,
                 struct orr_err *e)
{
    int rc =
        pcre2_match(r->code, (PCRE2_SPTR)s, n, from, 0, r->found, r->limits);
    if (rc >= 0) // 0: more groups than the match data has room for
        return rc ? rc : ORR_REGEX_GROUPS;
    switch (rc) {
    case PCRE2_ERROR_NOMATCH:
        return 0;
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
        return orr_err_set(e, ORR_ELIMIT,
                           "pattern gave up after %d steps of backtracking; "
                           "rewrite it without nested repetition",
                           STEPS_MAX);
    case PCRE2_ERROR_NOMEMORY:
        return orr_err_set(e, ORR_ENOMEM, "pattern: no memory");
    default:
        return orr_err_set(e, ORR_EINVAL, "pattern: PCRE2 error %d", rc);
    }
}

int orr_regex_match(struct orr_regex *r, const char *s, size_t n,
                    struct orr_err *e)
{
    int rc = match(r, s, n, 0, e);
    return rc > 0 ? 1 : rc;
}

int orr_regex_find(struct orr_regex *r, const char *s, size_t n, size_t from,
                   struct orr_span groups[ORR_REGEX_GROUPS], struct orr_err *e)
{
    int count = match(r, s, n, from, e);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(r->found);
    for (int i = 0; i < count; i++)
        groups[i] = (struct orr_span){at[2 * i], at[2 * i + 1]};
    return count;
}

void orr_regex_free(struct orr_regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    pcre2_match_data_free(r->found);
    pcre2_match_context_free(r->limits);
    free(r);
}
