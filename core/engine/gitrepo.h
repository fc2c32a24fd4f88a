/*
 * gitrepo: one repository, read only. libgit2 answers; where it refuses the
 * repository (new-style extensions, a foreign owner, a split index) the git
 * command does, if there is one, and orr_gitrepo_reason says why.
 *
 * A ref is data: one that starts with '-' is refused, and no shell sees any.
 * The repository is found from a path upward; GIT_DIR and its like are not
 * looked at. Threads: one handle, one thread; several handles are independent.
 */
#ifndef ORR_ENGINE_GITREPO_H
#define ORR_ENGINE_GITREPO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/gitfiles.h"

struct orr_gitrepo;

/* Opens the repository at or above 'path'. ORR_ENOENT: there is none. */
int orr_gitrepo_open(const char *path, struct orr_gitrepo **out,
                     struct orr_err *e);
void orr_gitrepo_close(struct orr_gitrepo *g);

/* The worktree's directory, without a trailing slash; NULL when bare. */
const char *orr_gitrepo_root(const struct orr_gitrepo *g);

/* Where the opened path lies below the root: "" or "a/b/". */
const char *orr_gitrepo_prefix(const struct orr_gitrepo *g);

/* Why the git command answers instead of libgit2; NULL: it does not. */
const char *orr_gitrepo_reason(const struct orr_gitrepo *g);

/* Does the history end early, as that of `git clone --depth` does? */
bool orr_gitrepo_is_shallow(const struct orr_gitrepo *g);

/* The commit a ref leads to. ORR_ENOENT names it, and what mends it. */
int orr_gitrepo_resolve(struct orr_gitrepo *g, const char *ref,
                        char id[ORR_GIT_HEX], struct orr_err *e);

/* The commit checked out. 1: found; 0: no commit yet; or ORR_E*. */
int orr_gitrepo_head(struct orr_gitrepo *g, char id[ORR_GIT_HEX],
                     struct orr_err *e);

/* The best common ancestor of two refs. ORR_ENOENT: they share none. */
int orr_gitrepo_merge_base(struct orr_gitrepo *g, const char *a, const char *b,
                           char id[ORR_GIT_HEX], struct orr_err *e);

struct orr_gitrepo_stats {
    uint64_t hits, misses; /* diffs remembered, diffs made */
};

void orr_gitrepo_stats(const struct orr_gitrepo *g,
                       struct orr_gitrepo_stats *out);

#endif
