/*
 * gitfiles: what differs between two states of a repository: a list of files,
 * sorted by path, and the text it points to. Built by gitlib or gitcmd, kept by
 * gitmemo, read by the binding. Threads: one at a time.
 */
#ifndef ORR_ENGINE_GITFILES_H
#define ORR_ENGINE_GITFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum { ORR_GIT_HEX = 65 /* a SHA-1 or SHA-256 in hex, and a NUL */ };

/* What stands for "before the first commit". */
#define ORR_GIT_EMPTY_TREE "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

struct orr_gitfile {
    const char *path;     /* bytes as git has them, relative to the root */
    const char *old_path; /* before a rename; else NULL */
    const char *patch;    /* NULL: not asked for */
    size_t patch_n;
    int64_t additions, deletions; /* -1: not asked for, or binary */
    char status;                  /* A M D R T, ? untracked, U unmerged */
    bool staged;                  /* the index differs from HEAD here */
    bool binary;                  /* known only with counts or patches */
};

struct orr_gitfiles {
    char from[ORR_GIT_HEX];  /* commit, or the empty tree */
    char to[ORR_GIT_HEX];    /* commit; "" for the worktree */
    struct orr_gitfile *all; /* owned */
    size_t count, cap;
    struct orr_arena text;
};

/* Returns owned, empty; NULL: no memory. */
struct orr_gitfiles *orr_gitfiles_new(void);
void orr_gitfiles_free(struct orr_gitfiles *f);

/* Adds a file and copies its paths ('old_path' may be NULL). NULL: no memory.
 * The result is valid until the next add or sort. */
struct orr_gitfile *orr_gitfiles_add(struct orr_gitfiles *f, char status,
                                     const char *path, const char *old_path);

/* A lasting copy with a NUL behind it. NULL: no memory. */
const char *orr_gitfiles_text(struct orr_gitfiles *f, const void *bytes,
                              size_t n);

/* By path in byte order, then by status. */
void orr_gitfiles_sort(struct orr_gitfiles *f);

/* The first file of that path in a sorted list, or NULL. */
struct orr_gitfile *orr_gitfiles_find(const struct orr_gitfiles *f,
                                      const char *path);

/* Bytes of memory held. */
size_t orr_gitfiles_bytes(const struct orr_gitfiles *f);

#endif
