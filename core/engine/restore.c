/*
 * restore: one openat2 for the usual case of an existing directory; the walk
 * by components makes parents and stands in for old kernels and filters.
 */
#include "engine/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

static int unsafe(struct orr_err *e, const char *what, size_t n)
{
    return orr_err_set(e, ORR_EUNSAFE,
                       "%.*s: leaves its root or passes a symlink", (int)n,
                       what);
}

/* Is every component a plain name? */
static bool plain(const char *path, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t j = i;
        while (j < n && path[j] != '/')
            j++;
        if (j - i == 2 && path[i] == '.' && path[i + 1] == '.')
            return false;
        i = j + 1;
    }
    return !n || path[0] != '/';
}

/* Opens one component below 'at', making it when asked. fd or -errno. */
static int step_down(int at, const char *name, bool make)
{
    int fd = openat(at, name, DIR_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make) {
        if (mkdirat(at, name, 0777) < 0 && errno != EEXIST)
            return -errno;
        fd = openat(at, name, DIR_FLAGS | O_NOFOLLOW);
    }
    if (fd >= 0)
        return fd;
    int sys = errno;
    struct stat st;
    if (sys == ENOTDIR && !fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) &&
        S_ISLNK(st.st_mode))
        sys = ELOOP;
    return -sys;
}

int orr_open_beneath_slowly(int rootfd, const char *dir, size_t n, bool make,
                            struct orr_err *e)
{
    if (!plain(dir, n))
        return unsafe(e, dir, n);
    int at = fcntl(rootfd, F_DUPFD_CLOEXEC, 0);
    if (at < 0)
        return orr_err_errno(e, errno, "duplicate the root's descriptor");
    for (size_t i = 0; i < n;) {
        size_t j = i;
        char name[256];
        while (j < n && dir[j] != '/')
            j++;
        size_t len = j - i;
        const char *from = dir + i;
        i = j + 1;
        if (!len || (len == 1 && from[0] == '.'))
            continue;
        int next = -ENAMETOOLONG;
        if (len < sizeof name) {
            memcpy(name, from, len);
            name[len] = '\0';
            next = step_down(at, name, make);
        }
        close(at);
        if (next == -ELOOP)
            return unsafe(e, dir, n);
        if (next < 0)
            return orr_err_errno(e, -next, "open directory %.*s", (int)n, dir);
        at = next;
    }
    return at;
}

int orr_open_beneath(int rootfd, const char *dir, size_t n, bool make,
                     struct orr_err *e)
{
    if (!plain(dir, n))
        return unsafe(e, dir, n);
    if (!n)
        return orr_open_beneath_slowly(rootfd, dir, n, make, e);
    struct open_how how = {.flags = DIR_FLAGS,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS};
    char *name = orr_xmemdup0(dir, n);
    int fd = (int)syscall(SYS_openat2, rootfd, name, &how, sizeof how);
    int sys = errno;
    free(name);
    if (fd >= 0)
        return fd;
    if (sys == ELOOP || sys == EXDEV)
        return unsafe(e, dir, n);
    return orr_open_beneath_slowly(rootfd, dir, n, make, e);
}

int orr_restore_begin(struct orr_restore *r, int rootfd, const char *rel,
                      struct orr_err *e)
{
    size_t n = strlen(rel);
    while (n && rel[n - 1] == '/')
        n--;
    size_t base = n;
    while (base && rel[base - 1] != '/')
        base--;
    bool dots = n - base == 1 && rel[base] == '.';
    if (!n || dots || !plain(rel, n))
        return unsafe(e, rel, strlen(rel));
    r->at = rel;
    r->dirfd = orr_open_beneath(rootfd, rel, base ? base - 1 : 0, true, e);
    if (r->dirfd < 0)
        return r->dirfd;
    r->name = orr_xmemdup0(rel + base, n - base);
    r->fd = orr_tempfile_open(r->dirfd, ".orrery-", r->temp, e);
    return r->fd < 0 ? r->fd : 0;
}

int orr_restore_commit(struct orr_restore *r, mode_t mode, struct orr_err *e)
{
    if (fchmod(r->fd, mode & 0777) < 0)
        return orr_err_errno(e, errno, "set the mode of %s", r->at);
    if (renameat(r->dirfd, r->temp, r->dirfd, r->name) < 0)
        return orr_err_errno(e, errno, "put %s in its place", r->at);
    r->temp[0] = '\0';
    return 0;
}

void orr_restore_fini(struct orr_restore *r)
{
    if (r->fd >= 0)
        close(r->fd);
    if (r->temp[0])
        unlinkat(r->dirfd, r->temp, 0);
    if (r->dirfd >= 0)
        close(r->dirfd);
    free(r->name);
    *r = (struct orr_restore)ORR_RESTORE_INIT;
}
