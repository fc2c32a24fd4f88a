/*
 * lock: many named locks in one file that is never unlinked.
 *
 * A name becomes one byte of the file (by its hash, far beyond the end; the
 * file stays empty) and is locked with an open-file-description lock. So a lock
 * dies with its process, thousands of names cost no file each, and nobody ever
 * waits: locks are tried. A name is owned by one holder or shared by many.
 * Within one handle a table keeps two holders of one name apart, and counts
 * those who share it; two handles, also of one process, exclude each other in
 * the kernel. Two names whose 62-bit hashes are equal share a lock.
 * Threads: a handle belongs to one thread at a time. Not to be used after fork
 * in the child, which shares the parent's locks.
 */
#ifndef ORR_ENGINE_LOCK_H
#define ORR_ENGINE_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum orr_lock_how { ORR_LOCK_OWN, ORR_LOCK_SHARE };

struct orr_held {
    uint64_t place;
    size_t sharers; /* 0: it is owned */
};

struct orr_locks {
    int fd;                /* the lock file, or -1 until the first try */
    struct orr_held *held; /* owned; what this handle holds */
    size_t count, cap;
};

/* An empty set of locks; the file is opened by the first try. */
#define ORR_LOCKS_INIT                                                         \
    {                                                                          \
        .fd = -1                                                               \
    }

/* Tries to take 'name' in the file 'file' of directory 'dirfd' (AT_FDCWD for a
 * plain path). 0 and the place to release in '*place', as often as it was
 * taken; ORR_EBUSY when somebody holds it in a way that excludes this (this
 * handle included); else the file cannot be used. */
int orr_locks_try(struct orr_locks *l, int dirfd, const char *file,
                  const char *name, size_t n, enum orr_lock_how how,
                  uint64_t *place, struct orr_err *e);

/* Does another handle own or share 'name' now? */
int orr_locks_others(struct orr_locks *l, int dirfd, const char *file,
                     const char *name, size_t n, bool *held, struct orr_err *e);

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
