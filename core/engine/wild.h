/*
 * wild: one wildcard pattern, cut into segments at its slashes; what glob and
 * ignore rules are made of.
 *
 * Within a segment: * (any bytes), ? (one character), [a-z], [!a], [^a],
 * [[:alpha:]], \x (x itself). A segment of two or more stars alone is "any
 * number of directories"; at the end of a pattern it stands for everything
 * inside. Matching takes time proportional to pattern times text, whatever the
 * pattern. Threads: a compiled pattern is immutable.
 */
#ifndef ORR_ENGINE_WILD_H
#define ORR_ENGINE_WILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum orr_wild_kind {
    ORR_WILD_LITERAL, /* text is what it matches, escapes resolved */
    ORR_WILD_ANY,     /* * */
    ORR_WILD_SUFFIX,  /* *text */
    ORR_WILD_PATTERN, /* anything else */
    ORR_WILD_STARS    /* **: any number of directories, also none */
};

enum {
    ORR_WILD_BYTES = 1, /* ? and [] match bytes, as git's do; else characters */
    ORR_WILD_EXACT = 4, /* empty segments and "." stay, and match nothing */
    ORR_WILD_NO_DOT = 2 /* wildcards do not match names that start with . */
};

struct orr_wild_seg {
    enum orr_wild_kind kind;
    unsigned flags;   /* of the pattern */
    const char *text; /* in the pattern's own copy */
    size_t len;
};

struct orr_wild {
    struct orr_wild_seg *segs; /* owned */
    size_t count;
    size_t fixed; /* how many leading segments are literal */
    char *text;   /* owned */
};

/* Compiles a pattern; without ORR_WILD_EXACT empty segments and "." are
 * dropped. 0 or ORR_ENOMEM. Freed with orr_wild_fini. */
int orr_wild_init(struct orr_wild *w, const char *pattern, size_t n,
                  unsigned flags);

bool orr_wild_seg_match(const struct orr_wild_seg *s, const char *name,
                        size_t n);

/* Matches a whole path without leading or doubled slashes. */
bool orr_wild_match(const struct orr_wild *w, const char *path, size_t n);

/* Length of the bracket that opens at 's'; 1 when it is never closed. */
size_t orr_wild_bracket(const char *s, size_t n);

/* Offset of a "[" that is never closed, or -1. */
long orr_wild_unclosed(const char *pattern, size_t n);

void orr_wild_fini(struct orr_wild *w);

#endif
