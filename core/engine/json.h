/*
 * json: strict JSON (RFC 8259), read token by token and written piece by piece.
 * Knows no Lua and builds no tree.
 *
 * The reader is pulled: whoever builds values asks for the next token, so
 * nothing calls back and the caller may leave at any token. It checks the
 * grammar, UTF-8, escapes, nesting and that nothing follows the value. Whether
 * a key was there before only the builder can know: it reports through
 * orr_json_fail.
 *
 * Numbers without '.', 'e' that fit int64 are integers, exactly; larger ones
 * and all others are the nearest double, "-0" is -0.0. What would be infinite
 * is refused.
 */
#ifndef ORR_ENGINE_JSON_H
#define ORR_ENGINE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    ORR_JSON_DEPTH = 128,      /* containers inside each other, by default */
    ORR_JSON_DEPTH_MAX = 1000, /* and at most */
};

enum orr_json_kind {
    ORR_JSON_NULL,
    ORR_JSON_FALSE,
    ORR_JSON_TRUE,
    ORR_JSON_INT,
    ORR_JSON_DOUBLE,
    ORR_JSON_STR,
    ORR_JSON_KEY, /* its value comes next */
    ORR_JSON_ARRAY,
    ORR_JSON_ARRAY_END,
    ORR_JSON_OBJECT,
    ORR_JSON_OBJECT_END,
    ORR_JSON_END /* of the text */
};

struct orr_json_token {
    enum orr_json_kind kind;
    int64_t i;
    double d;
    const unsigned char *s; /* str, key: valid until the next token */
    size_t n;
    size_t at; /* offset of its first byte in the text */
};

struct orr_json {
    const unsigned char *start, *p, *end; /* borrowed */
    const char *name;                     /* borrowed; for messages */
    struct orr_buf text;                  /* an unescaped string */
    int expect;
    unsigned depth, max_depth;
    unsigned char in_object[ORR_JSON_DEPTH_MAX];
};

/* Begins to read. 'name' (NULL: "json") starts messages. max_depth 0: default.
 */
void orr_json_init(struct orr_json *j, const void *text, size_t n,
                   const char *name, unsigned max_depth);

/* The next token; after the value ORR_JSON_END, for ever. 0; ORR_EINVAL or
 * ORR_ELIMIT with place; ORR_ENOMEM. After a failure only fini. */
int orr_json_next(struct orr_json *j, struct orr_json_token *t,
                  struct orr_err *e);

/* Writes "name:line:column: message" for offset 'at'; columns count characters.
 * Returns 'rc'. */
int orr_json_fail(const struct orr_json *j, size_t at, int rc,
                  struct orr_err *e, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

void orr_json_fini(struct orr_json *j);

/* --- writing -------------------------------------------------------------- */

enum orr_json_lossy {
    ORR_JSON_EXACT, /* refuse what is not UTF-8 */
    ORR_JSON_LOSSY  /* write U+FFFD for each byte that is not */
};

/* Appends a string with its quotes. 0, ORR_ENOMEM, or ORR_EINVAL for a byte
 * that is not UTF-8, whose offset goes to 'bad' (may be NULL). */
int orr_json_put_str(struct orr_buf *b, const void *s, size_t n,
                     enum orr_json_lossy lossy, size_t *bad);

/* Appends a number. 0 or ORR_ENOMEM. */
int orr_json_put_int(struct orr_buf *b, int64_t i);

/* The shortest of 15, 16, 17 digits that reads back as the same double, always
 * with a '.' or an exponent. ORR_EINVAL for NaN and infinities. */
int orr_json_put_double(struct orr_buf *b, double d);

#endif
