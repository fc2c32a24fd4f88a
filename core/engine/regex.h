/*
 * regex: regular expressions as JSON Schema means them (ECMA-262 with its
 * Unicode flag), run by PCRE2. Patterns come from strangers: what they may cost
 * is bounded.
 *
 * ECMA's meaning is kept where the two differ: \d \w \b are ASCII, \s and '.'
 * know Unicode's spaces and line ends, $ is only the very end, [[:x:]] is no
 * class, \u and \p{Letter} are understood; escapes, groups and verbs that only
 * Perl has are errors. (?i) is let through, for it is common and clear.
 * Look-behind must have a fixed length. Characters are code points.
 *
 * Threads: a regex belongs to one thread at a time.
 */
#ifndef ORR_ENGINE_REGEX_H
#define ORR_ENGINE_REGEX_H

#include <stddef.h>

#include "base/err.h"

struct orr_regex;

enum { ORR_REGEX_GROUPS = 32 }; // more are matched, and not told

/* Bytes [from, to) of the text; a group that took no part is (size_t)-1 twice.
 */
struct orr_span {
    size_t from, to;
};

/* Compiles. 'lines': ^ and $ also match at the ends of lines. 0; ORR_EINVAL
 * with the column in the pattern; ORR_ENOMEM. */
int orr_regex_new(struct orr_regex **out, const char *pattern, size_t n,
                  int lines, struct orr_err *e);

/* Looks for a match anywhere in 's': 1 found, 0 not; ORR_ELIMIT when the
 * pattern backtracks without end, ORR_ENOMEM. Bytes that are not UTF-8 match
 * nothing. */
int orr_regex_match(struct orr_regex *r, const char *s, size_t n,
                    struct orr_err *e);

/* The first match that starts at byte 'from' (at most n) or later: how many of
 * 'groups' were written, the match itself first; 0: there is none. Errors as
 * orr_regex_match. */
int orr_regex_find(struct orr_regex *r, const char *s, size_t n, size_t from,
                   struct orr_span groups[ORR_REGEX_GROUPS], struct orr_err *e);

void orr_regex_free(struct orr_regex *r);

#endif
