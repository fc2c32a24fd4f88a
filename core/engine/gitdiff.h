/*
 * gitdiff: what changed between two commits, or between a commit and the
 * worktree, remembered: a commit pair for as long as the repository is open, a
 * worktree until HEAD, the index, a file or a directory changes. Nothing is
 * ever written to the repository and a remembered answer starts no process.
 */
#ifndef ORR_ENGINE_GITDIFF_H
#define ORR_ENGINE_GITDIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "engine/gitfiles.h"
#include "engine/gitrepo.h"

struct orr_gitquery {
    const char *from;         /* ref; NULL: HEAD, the empty tree before it */
    const char *to;           /* ref; NULL: the worktree */
    const char *const *paths; /* files or directories; none: all */
    size_t paths_n;
    bool merge_base; /* from the merge base of 'from' and 'to' (or HEAD) */
    bool patch;
    bool numstat;
};

/* Answers a query. 'out' is borrowed, valid until the next call on 'g'. */
int orr_gitdiff_get(struct orr_gitrepo *g, const struct orr_gitquery *q,
                    const struct orr_gitfiles **out, struct orr_err *e);

#endif
