/* walk_tree: one walk from one starting directory; the part of walk that moves.
 */
#ifndef ORR_ENGINE_WALK_TREE_H
#define ORR_ENGINE_WALK_TREE_H

#include "engine/ignores.h"
#include "engine/walk.h"

struct orr_walk_start {
    int fd;                      /* the directory to start in; borrowed */
    const char *base;            /* the patterns that start there; what found
                                    paths start with */
    const char *prefix;          /* its path from the repository's top, with a
                                    "/" unless empty */
    struct orr_ignores *ignores; /* those above it; borrowed */
    bool ignore;                 /* honour ignore files */
    bool hidden;                 /* they hide the starting directory itself */
};

/* Adds what it finds, in no order. */
int orr_walk_tree(const struct orr_walk_start *s, const struct orr_glob *g,
                  struct orr_walk_found *out, struct orr_err *e);

#endif
