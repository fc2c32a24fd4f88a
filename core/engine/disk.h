/*
 * disk: what a file system is and can do, for people who ask why. Threads: any.
 */
#ifndef ORR_ENGINE_DISK_H
#define ORR_ENGINE_DISK_H

#include <stdint.h>

#include "base/err.h"

struct orr_disk {
    const char *type; /* "ext4"; "" when it is none of the usual ones */
    uint64_t size, free;
    int clones; /* files may share their bytes (FICLONE); tried, not guessed */
};

/* Looks at the file system a directory is on. Leaves nothing there. */
int orr_disk_look(const char *dir, struct orr_disk *out, struct orr_err *e);

/* May this process use a path: R_OK, W_OK, X_OK of unistd.h. */
int orr_disk_may(const char *path, int how);

#endif
