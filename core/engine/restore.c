/*
 * restore: one openat2 for the usual case of an existing directory; the walk
 * by components makes parents and stands in for old kernels and filters.
 */
#include "engine/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/filecopy.h"

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

enum { DAY_S = 86400 };

/* Removes a stage that a killed process left, and what is in it. */
static void sweep_one(int tmp, const char *name)
{
    int fd = openat(tmp, name, DIR_FLAGS | O_NOFOLLOW);
    if (fd < 0)
        return;
    orr_tempfile_sweep(fd, INT64_MAX);
    close(fd);
    unlinkat(tmp, name, AT_REMOVEDIR);
}

static void sweep(int tmp)
{
    time_t before = (time_t)(orr_clock_wall() / 1000000000u) - DAY_S;
    int fd = openat(tmp, ".", DIR_FLAGS);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *d;
    struct stat st;
    if (!dir && fd >= 0)
        close(fd);
    while (dir && (d = readdir(dir)))
        if (d->d_name[0] != '.' &&
            !fstatat(tmp, d->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            S_ISDIR(st.st_mode) && st.st_mtime < before)
            sweep_one(tmp, d->d_name);
    if (dir)
        closedir(dir);
}

/* Directories made in it are to lie apart; most file systems know of no such
 * wish. */
static void spread(int dir)
{
    int flags = 0;
    if (!ioctl(dir, FS_IOC_GETFLAGS, &flags) && !(flags & FS_TOPDIR_FL)) {
        flags |= FS_TOPDIR_FL;
        (void)!ioctl(dir, FS_IOC_SETFLAGS, &flags);
    }
}

/* The stage, when the root has a state directory of ours. Without one files are
 * written beside their places. */
static void open_stage(struct orr_restore_root *root)
{
    int state = openat(root->fd, ".orrery", DIR_FLAGS | O_NOFOLLOW);
    if (state < 0)
        return;
    mkdirat(state, "tmp", 0777);
    root->tmp = openat(state, "tmp", DIR_FLAGS | O_NOFOLLOW);
    close(state);
    if (root->tmp < 0)
        return;
    sweep(root->tmp);
    spread(root->tmp);
    if (!orr_tempfile_mkdir(root->tmp, "restore-", root->name, NULL))
        root->stage = openat(root->tmp, root->name, DIR_FLAGS | O_NOFOLLOW);
}

int orr_restore_root_open(struct orr_restore_root *root, const char *path,
                          struct orr_err *e)
{
    int fd = open(path, DIR_FLAGS);
    if (fd < 0)
        return orr_err_errno(e, errno, "open the directory %s", path);
    *root = (struct orr_restore_root)ORR_RESTORE_ROOT_INIT;
    root->fd = fd;
    open_stage(root);
    return 0;
}

void orr_restore_root_close(struct orr_restore_root *root)
{
    if (root->stage >= 0)
        close(root->stage);
    if (root->name[0])
        unlinkat(root->tmp, root->name, AT_REMOVEDIR);
    if (root->tmp >= 0)
        close(root->tmp);
    if (root->fd >= 0)
        close(root->fd);
    *root = (struct orr_restore_root)ORR_RESTORE_ROOT_INIT;
}

/* A file in the stage, or beside the target when the stage cannot be used. */
static int open_temp(struct orr_restore *r, int stage, struct orr_err *e)
{
    r->tempfd = stage;
    r->fd = stage < 0 ? -1 : orr_tempfile_open(stage, "", r->temp, e);
    if (r->fd < 0) {
        r->tempfd = r->dirfd;
        r->fd = orr_tempfile_open(r->dirfd, ".orrery-", r->temp, e);
    }
    return r->fd < 0 ? r->fd : 0;
}

int orr_restore_begin(struct orr_restore *r,
                      const struct orr_restore_root *root, const char *rel,
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
    r->dirfd = orr_open_beneath(root->fd, rel, base ? base - 1 : 0, true, e);
    if (r->dirfd < 0)
        return r->dirfd;
    r->name = orr_xmemdup0(rel + base, n - base);
    return open_temp(r, root->stage, e);
}

/* The target is on another file system than the stage: writes it again, beside
 * its place. */
static int cross(struct orr_restore *r, mode_t mode, struct orr_err *e)
{
    struct orr_restore near = ORR_RESTORE_INIT;
    near.dirfd = r->dirfd;
    int rc = open_temp(&near, -1, e);
    if (!rc)
        rc = orr_filecopy(r->fd, near.fd, r->at, NULL, NULL, e);
    if (!rc && (fchmod(near.fd, mode & 0777) < 0 ||
                renameat(near.dirfd, near.temp, r->dirfd, r->name) < 0))
        rc = orr_err_errno(e, errno, "put %s in its place", r->at);
    if (rc < 0 && near.temp[0])
        unlinkat(near.dirfd, near.temp, 0);
    if (near.fd >= 0)
        close(near.fd);
    return rc;
}

int orr_restore_commit(struct orr_restore *r, mode_t mode, struct orr_err *e)
{
    if (fchmod(r->fd, mode & 0777) < 0)
        return orr_err_errno(e, errno, "set the mode of %s", r->at);
    if (!renameat(r->tempfd, r->temp, r->dirfd, r->name)) {
        r->temp[0] = '\0';
        return 0;
    }
    if (errno == EXDEV && r->tempfd != r->dirfd)
        return cross(r, mode, e);
    return orr_err_errno(e, errno, "put %s in its place", r->at);
}

void orr_restore_fini(struct orr_restore *r)
{
    if (r->fd >= 0)
        close(r->fd);
    if (r->temp[0])
        unlinkat(r->tempfd, r->temp, 0);
    if (r->dirfd >= 0)
        close(r->dirfd);
    free(r->name);
    *r = (struct orr_restore)ORR_RESTORE_INIT;
}
