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
    while (i < l->count && l->held[i].place != place)
        i++;
    return i;
}

static int make_room(struct orr_locks *l, struct orr_err *e)
{
    if (l->count < l->cap)
        return 0;
    size_t cap = l->cap ? l->cap * 2 : 8;
    struct orr_held *p = realloc(l->held, cap * sizeof *p);
    if (!p)
        return orr_err_set(e, ORR_ENOMEM, "no memory for %zu locks", cap);
    l->held = p;
    l->cap = cap;
    return 0;
}

static int open_file(struct orr_locks *l, int dirfd, const char *file,
                     struct orr_err *e)
{
    if (l->fd < 0)
        l->fd = openat(dirfd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                       0666);
    return l->fd < 0 ? orr_err_errno(e, errno, "open lock file %s", file) : 0;
}

/* A name that this handle holds: it may be shared once more, by itself. */
static int take_again(struct orr_held *held, enum orr_lock_how how,
                      const char *name, size_t n, struct orr_err *e)
{
    if (how == ORR_LOCK_OWN || !held->sharers)
        return orr_err_set(e, ORR_EBUSY, "lock %.*s is held here", (int)n,
                           name);
    held->sharers++;
    return 0;
}

int orr_locks_try(struct orr_locks *l, int dirfd, const char *file,
                  const char *name, size_t n, enum orr_lock_how how,
                  uint64_t *place, struct orr_err *e)
{
    uint64_t at = place_of(name, n);
    size_t i = find(l, at);
    if (i < l->count) {
        int rc = take_again(&l->held[i], how, name, n, e);
        if (!rc)
            *place = at;
        return rc;
    }
    int rc = open_file(l, dirfd, file, e);
    if (!rc)
        rc = make_room(l, e);
    if (rc < 0)
        return rc;
    short type = how == ORR_LOCK_SHARE ? F_RDLCK : F_WRLCK;
    rc = byte_lock(l->fd, F_OFD_SETLK, type, at);
    if (rc == -EAGAIN || rc == -EACCES)
        return orr_err_set(e, ORR_EBUSY, "lock %.*s is held by another process",
                           (int)n, name);
    if (rc < 0)
        return orr_err_errno(e, -rc, "lock %.*s in %s", (int)n, name, file);
    l->held[l->count++] =
        (struct orr_held){.place = at, .sharers = how == ORR_LOCK_SHARE};
    *place = at;
    return 0;
}

int orr_locks_others(struct orr_locks *l, int dirfd, const char *file,
                     const char *name, size_t n, bool *held, struct orr_err *e)
{
    int rc = open_file(l, dirfd, file, e);
    if (rc < 0)
        return rc;
    struct flock f = {.l_type = F_WRLCK,
                      .l_whence = SEEK_SET,
                      .l_start = (off_t)place_of(name, n),
                      .l_len = 1};
    if (fcntl(l->fd, F_OFD_GETLK, &f) < 0)
        return orr_err_errno(e, errno, "look at lock %.*s in %s", (int)n, name,
                             file);
    *held = f.l_type != F_UNLCK;
    return 0;
}

void orr_locks_release(struct orr_locks *l, uint64_t place)
{
    size_t i = find(l, place);
    if (i == l->count || (l->held[i].sharers && --l->held[i].sharers))
        return;
    orr_byte_unlock(l->fd, place);
    l->held[i] = l->held[--l->count];
}

void orr_locks_fini(struct orr_locks *l)
{
    while (l->count)
        orr_byte_unlock(l->fd, l->held[--l->count].place);
    if (l->fd >= 0)
        close(l->fd);
    free(l->held);
    *l = (struct orr_locks)ORR_LOCKS_INIT;
}
