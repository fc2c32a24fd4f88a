/*
 * restore: writing a file under a root that must not be left.
 *
 * The way to the target is walked by the kernel with openat2 (beneath the root,
 * no symlink on the way), or component by component with O_NOFOLLOW where that
 * is refused. Missing parents are made. The file is written in a directory of
 * this process in `.orrery/tmp` of the root, or beside its target where there
 * is no `.orrery`, and renamed into its place, so that it is there whole or not
 * at all; an existing symlink at the target is replaced, never followed.
 * Threads: any.
 *
 * Why not always beside: for minutes ext4 does not give out again the number of
 * a file that was removed, and looks past each such number for every new file.
 * Outputs that are put back where as many were just removed cost half a
 * millisecond each. So the directory is a new one, which ext4 is asked
 * (FS_TOPDIR_FL) to place far from its parent, where nothing was removed: 0.04
 * ms a file (bench/restore.lua).
 */
#ifndef ORR_ENGINE_RESTORE_H
#define ORR_ENGINE_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "engine/tempfile.h"

/* A directory to restore under. Initialise with ORR_RESTORE_ROOT_INIT. */
struct orr_restore_root {
    int fd;
    int tmp;                      /* its .orrery/tmp; -1: there is none */
    int stage;                    /* a directory of ours in it; -1 */
    char name[ORR_TEMPFILE_NAME]; /* of the stage */
};
#define ORR_RESTORE_ROOT_INIT                                                  \
    {                                                                          \
        .fd = -1, .tmp = -1, .stage = -1                                       \
    }

/* Opens the directory, makes its stage, removes what killed processes left
 * there a day ago. */
int orr_restore_root_open(struct orr_restore_root *root, const char *path,
                          struct orr_err *e);
void orr_restore_root_close(struct orr_restore_root *root);

/* A file on its way to its place. Initialise with ORR_RESTORE_INIT. */
struct orr_restore {
    int dirfd;  /* the target's directory */
    int tempfd; /* where the temporary file is; borrowed, the stage or dirfd */
    int fd;     /* the temporary file, open for reading and writing */
    char temp[ORR_TEMPFILE_NAME]; /* its name there, "" when there is none */
    char *name;                   /* owned; the target's last component */
    const char *at;               /* borrowed; rel, for messages */
};
#define ORR_RESTORE_INIT                                                       \
    {                                                                          \
        .dirfd = -1, .tempfd = -1, .fd = -1                                    \
    }

/* Begins to write 'rel' under the root, which must stay open. Absolute paths,
 * ".." and symlinks on the way are ORR_EUNSAFE. */
int orr_restore_begin(struct orr_restore *r,
                      const struct orr_restore_root *root, const char *rel,
                      struct orr_err *e);

/* Gives the written file exactly 'mode' (permission bits) and its name. */
int orr_restore_commit(struct orr_restore *r, mode_t mode, struct orr_err *e);

/* Frees everything, and removes the temporary file when it was not committed.
 * Idempotent. */
void orr_restore_fini(struct orr_restore *r);

/* Opens the directory 'dir' ("" or "." is the root) beneath 'rootfd' without
 * passing a symlink, making what is missing when 'make'. The file descriptor
 * or a negative ORR_E*. */
int orr_open_beneath(int rootfd, const char *dir, size_t n, bool make,
                     struct orr_err *e);

/* The same, component by component: what is used where openat2 is refused. */
int orr_open_beneath_slowly(int rootfd, const char *dir, size_t n, bool make,
                            struct orr_err *e);

#endif
