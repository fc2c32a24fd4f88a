/*
 * gitread: what a repository holds besides differences: the names of its refs,
 * and a file as a commit has it. Threads: as the repository's handle.
 */
#ifndef ORR_ENGINE_GITREAD_H
#define ORR_ENGINE_GITREAD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"
#include "engine/gitrepo.h"

/* Appends the short names of all branches, remote branches and tags ("main",
 * "origin/main", "v1"), sorted, each once. */
int orr_gitread_refs(struct orr_gitrepo *g, struct orr_strs *out,
                     struct orr_err *e);

/* Appends the bytes of 'path' (from the repository's root) as the commit of
 * 'ref' has it. 1: it is there; 0: it is not, or is no file; or ORR_E*. */
int orr_gitread_file(struct orr_gitrepo *g, const char *ref, const char *path,
                     struct orr_buf *out, struct orr_err *e);

#endif
