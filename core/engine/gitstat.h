/*
 * gitstat: has anything in a worktree changed? A vector of what stat says about
 * every tracked file, every directory that is not ignored, every untracked file
 * that is not, and git's own settings; compared again later, in parallel, it is
 * several times faster than git's scan, and finds any edit, creation, deletion
 * and staging.
 *
 * Time stamps are coarse: a file changed in the same tick in which it was
 * looked at may look the same after another change. So a vector counts only
 * when all its stamps are older than the work it vouches for
 * (orr_gitstat_settled), the rule git has for its index.
 */
#ifndef ORR_ENGINE_GITSTAT_H
#define ORR_ENGINE_GITSTAT_H

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct orr_gitstat;

/* Walks the worktree and takes the vector; returns owned. ORR_EGIT: this
 * worktree cannot be vouched for (it has submodules). */
int orr_gitstat_new(git_repository *repo, struct orr_gitstat **out,
                    struct orr_err *e);
void orr_gitstat_free(struct orr_gitstat *s);

/* Were all stamps older than 'start' (wall-clock ns) by more than their
 * resolution? */
bool orr_gitstat_settled(const struct orr_gitstat *s, uint64_t start);

/* Does everything still look the same? False when in doubt. */
bool orr_gitstat_same(const struct orr_gitstat *s);

#endif
