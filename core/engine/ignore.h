/*
 * ignore: the rules of one ignore file, read as git reads them: negation,
 * directory-only, anchored and basename rules, escapes, trailing blanks, CRLF,
 * byte-order mark. Which files apply to a path, and that an ignored directory
 * hides what is in it, is the walker's business. Threads: immutable once made.
 */
#ifndef ORR_ENGINE_IGNORE_H
#define ORR_ENGINE_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct orr_ignore;

enum orr_ignore_answer {
    ORR_IGNORE_SILENT = -1, /* no rule matches */
    ORR_IGNORE_KEEP = 0,    /* the last matching rule starts with ! */
    ORR_IGNORE_HIDE = 1     /* the last matching rule hides it */
};

/* Reads rules; returns owned, or NULL when memory runs out. Text that is no
 * rule is no error: git accepts anything. */
struct orr_ignore *orr_ignore_new(const char *text, size_t n);

/* What the rules say about a path relative to the file's own directory. */
enum orr_ignore_answer orr_ignore_match(const struct orr_ignore *ig,
                                        const char *path, size_t n, bool dir);

void orr_ignore_free(struct orr_ignore *ig);

#endif
