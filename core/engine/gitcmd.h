/*
 * gitcmd: the same answers as libgit2's, by running the git command, for
 * repositories libgit2 refuses. Each call runs one or a few processes and
 * blocks. 'at' is the worktree's root, or the git directory of a bare one.
 */
#ifndef ORR_ENGINE_GITCMD_H
#define ORR_ENGINE_GITCMD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/gitdiff.h"
#include "engine/gitfiles.h"

/* 'root' gets the worktree's directory, owned by the caller; NULL when bare. */
int orr_gitcmd_root(const char *at, char **root, struct orr_err *e);

bool orr_gitcmd_is_shallow(const char *at);

/* The commit of a ref that does not start with '-'. ORR_ENOENT: none. */
int orr_gitcmd_resolve(const char *at, const char *ref, char id[ORR_GIT_HEX],
                       struct orr_err *e);

/* Of two commit ids. ORR_ENOENT without a message: they share none. */
int orr_gitcmd_merge_base(const char *at, const char *a, const char *b,
                          char id[ORR_GIT_HEX], struct orr_err *e);

/* The empty tree of this repository's object format. */
int orr_gitcmd_empty_tree(const char *at, char id[ORR_GIT_HEX],
                          struct orr_err *e);

/* Appends the full names of all refs, a line each. */
int orr_gitcmd_refs(const char *at, struct orr_buf *out, struct orr_err *e);

/* As orr_gitread_file, of a commit id. */
int orr_gitcmd_file(const char *at, const char *id, const char *path,
                    struct orr_buf *out, struct orr_err *e);

/* As orr_gitlib_diff: from out->from to out->to, sorted. */
int orr_gitcmd_diff(const char *at, const struct orr_gitquery *q,
                    struct orr_gitfiles *out, struct orr_err *e);

#endif
