/*
 * glob: an ordered set of patterns, and the question how far a path has got in
 * each. The walker carries the answer down a tree as a list of states, so that
 * one walk serves all patterns and no directory is entered in vain.
 *
 * A pattern that starts with "!" excludes what it matches and all beneath it;
 * the last pattern that matches a path decides. {a,b} stands for several
 * patterns at the same place. "dir/" means "dir/" and all beneath.
 * Threads: immutable once filled; states belong to the caller.
 */
#ifndef ORR_ENGINE_GLOB_H
#define ORR_ENGINE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/wild.h"

struct orr_glob_pattern {
    struct orr_wild wild;
    bool exclude;
    bool literal; /* no wildcard at all */
    char *base;   /* owned: "", "/" or "../../": where it starts */
};

struct orr_glob {
    struct orr_glob_pattern *patterns; /* owned, in order */
    size_t count, cap;
    bool no_hidden; /* wildcards of inclusions skip names that start with "." */
};

/* Adds a pattern; set 'no_hidden' before. ORR_EINVAL says what is wrong with
 * it, ORR_ELIMIT that its braces make too many. Freed with orr_glob_fini, also
 * after a failure. */
int orr_glob_add(struct orr_glob *g, const char *pattern, size_t n,
                 struct orr_err *e);

/* Does the set take this path (normal form)? Looks at no disk. Nothing takes a
 * path through ".git" or ".orrery". */
bool orr_glob_match(const struct orr_glob *g, const char *path, size_t n);

/* ".git" and ".orrery": names that no pattern ever passes; one
 * name, or any in a path. */
bool orr_glob_reserved(const char *name, size_t n);
bool orr_glob_has_reserved(const char *path, size_t n);

/* Does a pattern behind 'after' exclude the path? */
bool orr_glob_excluded(const struct orr_glob *g, size_t after, const char *path,
                       size_t n);

void orr_glob_fini(struct orr_glob *g);

struct orr_glob_state {
    uint32_t pattern;
    uint32_t seg; /* segments matched; == count: an exclusion that covers all */
    bool raw;     /* ignore files do not count for it any more */
};

struct orr_glob_states { /* {0} to start; freed with orr_glob_states_fini */
    struct orr_glob_state *v;
    size_t count, cap;
};

/* The states at the directory the patterns with this base start from; literal
 * patterns have none. 0 or ORR_ENOMEM. */
int orr_glob_start(const struct orr_glob *g, const char *base, bool raw,
                   struct orr_glob_states *out);

/* The states inside the subdirectory 'name'; 'ignored' says what ignore files
 * say of it. Empty 'out': nothing in there can match. 0 or ORR_ENOMEM. */
int orr_glob_enter(const struct orr_glob *g, const struct orr_glob_states *in,
                   const char *name, size_t n, bool ignored,
                   struct orr_glob_states *out);

enum orr_glob_answer {
    ORR_GLOB_NO,
    ORR_GLOB_YES,
    ORR_GLOB_UNLESS_IGNORED /* yes, if ignore files do not hide it */
};

/* What the patterns say of a file 'name' at these states; 'ignored': do not
 * answer ORR_GLOB_UNLESS_IGNORED, look at the patterns before. */
enum orr_glob_answer orr_glob_file(const struct orr_glob *g,
                                   const struct orr_glob_states *in,
                                   const char *name, size_t n, bool ignored);

void orr_glob_states_fini(struct orr_glob_states *s);

#endif
