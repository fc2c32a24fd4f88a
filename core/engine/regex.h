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

/* Compiles. 0; ORR_EINVAL with the column in the pattern; ORR_ENOMEM. */
int orr_regex_new(struct orr_regex **out, const char *pattern, size_t n,
                  struct orr_err *e);

/* Looks for a match anywhere in 's': 1 found, 0 not; ORR_ELIMIT when the
 * pattern backtracks without end, ORR_ENOMEM. Bytes that are not UTF-8 match
 * nothing. */
int orr_regex_match(struct orr_regex *r, const char *s, size_t n,
                    struct orr_err *e);

void orr_regex_free(struct orr_regex *r);

#endif
