/*
 * lock: many named locks in one file that is never unlinked.
 *
 * A name becomes one byte of the file (by its hash, far beyond the end; the
 * file stays empty) and is locked with an open-file-description lock. So a lock
 * dies with its process, thousands of names cost no file each, and nobody ever
 * waits: locks are tried. Within one handle a table keeps two holders of one
 * name apart; two handles, also of one process, exclude each other in the
 * kernel. Two names whose 62-bit hashes are equal share a lock.
 * Threads: a handle belongs to one thread at a time. Not to be used after fork
 * in the child, which shares the parent's locks.
 */
#ifndef ORR_ENGINE_LOCK_H
#define ORR_ENGINE_LOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct orr_locks {
    int fd;         /* the lock file, or -1 until the first try */
    uint64_t *held; /* owned; offsets this handle holds */
    size_t count, cap;
};

/* An empty set of locks; the file is opened by the first try. */
#define ORR_LOCKS_INIT                                                         \
    {                                                                          \
        .fd = -1                                                               \
    }

/* Tries to take 'name' in the file 'file' of directory 'dirfd' (AT_FDCWD for a
 * plain path). 0 and the place to release in '*place'; ORR_EBUSY when somebody
 * holds it (this handle included); else the file cannot be used. */
int orr_locks_try(struct orr_locks *l, int dirfd, const char *file,
                  const char *name, size_t n, uint64_t *place,
                  struct orr_err *e);

/* Lets go. A place that is not held is left alone. */
void orr_locks_release(struct orr_locks *l, uint64_t place);

/* Lets go of everything, then closes. Idempotent. */
void orr_locks_fini(struct orr_locks *l);

/* Raw byte-range lock of one open file: 1 byte at 'place'. Exclusive, tried.
 * 0 or -errno. 'orr_byte_lock_wait' waits instead; only for short holds. */
int orr_byte_lock(int fd, uint64_t place);
int orr_byte_lock_wait(int fd, uint64_t place);
void orr_byte_unlock(int fd, uint64_t place);

#endif
