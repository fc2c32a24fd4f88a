/*
 * walk: the files under a root that a set of patterns takes, in one walk.
 *
 * Starts from the patterns' literal prefixes, lists a directory only when a
 * wildcard needs it, enters only those in which something can match, follows no
 * symlink, and honours ignore files. Depth is bounded by neither the C stack
 * nor the number of descriptors. Threads: reentrant.
 */
#ifndef ORR_ENGINE_WALK_H
#define ORR_ENGINE_WALK_H

#include <stdbool.h>

#include "base/err.h"
#include "base/strs.h"
#include "engine/glob.h"

struct orr_walk_found {    /* {0} to start; paths relative to the root */
    struct orr_strs files; /* files and symlinks; sorted by bytes, unique */
    struct orr_strs dirs;  /* directories whose entries the answer rests on:
                              also parents of literal patterns, there or not */
    struct orr_strs ignore_files; /* those read in the tree; those above it and
                                     in .git/info, there or not */
};

/* Walks. 'ignore': honour ignore files, except for patterns whose literal
 * prefix they hide. The found lists are freed with orr_walk_found_fini, also
 * after a failure. */
int orr_walk(const char *root, const struct orr_glob *g, bool ignore,
             struct orr_walk_found *out, struct orr_err *e);

void orr_walk_found_fini(struct orr_walk_found *f);

#endif
