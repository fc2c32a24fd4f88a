/*
 * gitlib: diffs by libgit2, read only. Nothing is ever written to the
 * repository, its index included. Threads: one repository, one thread.
 */
#ifndef ORR_ENGINE_GITLIB_H
#define ORR_ENGINE_GITLIB_H

#include <git2.h>

#include "base/err.h"
#include "engine/gitdiff.h"
#include "engine/gitfiles.h"

/* "<what>: <libgit2's last message>" as ORR_EGIT; keeps 'e' when libgit2 has
 * nothing to say. Returns ORR_EGIT. */
int orr_gitlib_fail(struct orr_err *e, const char *what);

/* Fills 'out', sorted. out->from and out->to are set and say which states
 * (to "": the worktree); the query's own refs are not looked at, nor its
 * merge_base. */
int orr_gitlib_diff(git_repository *repo, const struct orr_gitquery *q,
                    struct orr_gitfiles *out, struct orr_err *e);

#endif
