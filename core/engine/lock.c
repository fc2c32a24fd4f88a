/*
 * lock: OFD byte-range locks. Unlocked explicitly before the close: a child
 * between its fork and its exec holds a copy of the file, and with it the lock.
 */
#include "engine/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/hash.h"

static int byte_lock(int fd, int how, short type, uint64_t place)
{
    struct flock f = {.l_type = type,
                      .l_whence = SEEK_SET,
                      .l_start = (off_t)place,
                      .l_len = 1};
    int rc;
    do
        rc = fcntl(fd, how, &f);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

int orr_byte_lock(int fd, uint64_t place)
{
    return byte_lock(fd, F_OFD_SETLK, F_WRLCK, place);
}

int orr_byte_lock_wait(int fd, uint64_t place)
{
    return byte_lock(fd, F_OFD_SETLKW, F_WRLCK, place);
}

void orr_byte_unlock(int fd, uint64_t place)
{
    byte_lock(fd, F_OFD_SETLK, F_UNLCK, place);
}

static uint64_t place_of(const char *name, size_t n)
{
    struct orr_digest d;
    orr_hash_bytes(name, n, &d);
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | d.bytes[i];
    return v >> 2;
}

static size_t find(const struct orr_locks *l, uint64_t place)
{
    size_t i = 0;
    while (i < l->count && l->held[i] != place)
        i++;
    return i;
}

static int make_room(struct orr_locks *l, struct orr_err *e)
{
    if (l->count < l->cap)
        return 0;
    size_t cap = l->cap ? l->cap * 2 : 8;
    uint64_t *p = realloc(l->held, cap * sizeof *p);
    if (!p)
        return orr_err_set(e, ORR_ENOMEM, "no memory for %zu locks", cap);
    l->held = p;
    l->cap = cap;
    return 0;
}

int orr_locks_try(struct orr_locks *l, int dirfd, const char *file,
                  const char *name, size_t n, uint64_t *place,
                  struct orr_err *e)
{
    uint64_t at = place_of(name, n);
    if (find(l, at) < l->count)
        return orr_err_set(e, ORR_EBUSY, "lock %.*s is held here", (int)n,
                           name);
    if (l->fd < 0)
        l->fd = openat(dirfd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                       0666);
    if (l->fd < 0)
        return orr_err_errno(e, errno, "open lock file %s", file);
    if (make_room(l, e) < 0)
        return ORR_ENOMEM;
    int rc = orr_byte_lock(l->fd, at);
    if (rc == -EAGAIN || rc == -EACCES)
        return orr_err_set(e, ORR_EBUSY, "lock %.*s is held by another process",
                           (int)n, name);
    if (rc < 0)
        return orr_err_errno(e, -rc, "lock %.*s in %s", (int)n, name, file);
    l->held[l->count++] = at;
    *place = at;
    return 0;
}

void orr_locks_release(struct orr_locks *l, uint64_t place)
{
    size_t i = find(l, place);
    if (i == l->count)
        return;
    orr_byte_unlock(l->fd, place);
    l->held[i] = l->held[--l->count];
}

void orr_locks_fini(struct orr_locks *l)
{
    while (l->count)
        orr_locks_release(l, l->held[l->count - 1]);
    if (l->fd >= 0)
        close(l->fd);
    free(l->held);
    *l = (struct orr_locks)ORR_LOCKS_INIT;
}
