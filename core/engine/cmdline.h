/*
 * cmdline: what a command line means, without running it. A shell costs half a
 * millisecond a step; a command that needs none is executed directly, by the
 * rule GNU make uses.
 */
#ifndef ORR_ENGINE_CMDLINE_H
#define ORR_ENGINE_CMDLINE_H

#include <stddef.h>

#include "base/buf.h"

/* Splits a simple command into words: *argc NUL-terminated strings, one after
 * the other, appended to 'out'. Simple is: no shell metacharacter outside
 * quotes, quotes without expansions or backslashes, no leading VAR=, and a
 * first word that is neither a shell built-in nor a reserved word. 1 when it is
 * simple; 0 when a shell is needed (out is as it was); ORR_ENOMEM. */
int orr_cmdline_split(const char *cmd, size_t n, struct orr_buf *out,
                      size_t *argc);

/* Appends 'word' so that a shell reads it as exactly that one word. 0 or
 * ORR_ENOMEM. */
int orr_cmdline_quote(const char *word, size_t n, struct orr_buf *out);

#endif
