/*
 * gitinside: the inside of a repository handle, for gitrepo and gitdiff only.
 */
#ifndef ORR_ENGINE_GITINSIDE_H
#define ORR_ENGINE_GITINSIDE_H

#include <git2.h>

#include "engine/gitmemo.h"
#include "engine/gitrepo.h"
#include "engine/gitstat.h"

struct orr_gitrepo {
    git_repository *lib;      /* owned; NULL: the git command answers */
    char *at;                 /* owned; where git is run: root or git dir */
    char *root;               /* owned; NULL when bare */
    char *prefix;             /* owned; of the opened path below root */
    char *reason;             /* owned; why not libgit2; NULL when it answers */
    struct orr_gitmemo pairs; /* commit pairs and merge bases: for ever */
    struct orr_gitmemo now;   /* worktree diffs: while 'stat' is true */
    struct orr_gitstat *stat; /* owned; what 'now' was made from, or NULL */
    struct orr_gitfiles *last; /* owned; an answer that may not be kept */
    struct orr_gitrepo_stats stats;
};

#endif
