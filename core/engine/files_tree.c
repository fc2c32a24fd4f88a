/*
 * files_tree: the file operations that walk a tree by descriptors, so that a
 * symlink put in the way is refused, not followed.
 *
 * remove_tree holds at most MAX_DEPTH descriptors: a directory found deeper is
 * first moved up into the top directory under a fresh name and removed from
 * there, so that no depth exhausts descriptors or the C stack.
 */
#include "engine/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path.h"

enum { MAX_DEPTH = 64 };

struct removal {
    int top;        /* the directory that is being emptied */
    unsigned moved; /* directories moved up so far, for their names */
};

static int empty_dir(struct removal *r, int fd, int depth);

/* Empties and removes the directory 'name' in 'parent'; takes nothing. */
static int remove_dir(struct removal *r, int parent, const char *name,
                      int depth)
{
    if (depth >= MAX_DEPTH) {
        char fresh[48];
        do {
            snprintf(fresh, sizeof fresh, ".orr-rm-%d-%u", (int)getpid(),
                     r->moved++);
        } while (renameat2(parent, name, r->top, fresh, 1) < 0 &&
                 errno == EEXIST);
        return faccessat(r->top, fresh, F_OK, AT_SYMLINK_NOFOLLOW);
    }
    int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = empty_dir(r, fd, depth + 1);
    return rc == 0 ? unlinkat(parent, name, AT_REMOVEDIR) : rc;
}

/* Removes all that 'fd' holds; takes 'fd'. 0, or -1 with errno. */
static int empty_dir(struct removal *r, int fd, int depth)
{
    int rc = 0;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return -1;
    }
    while (rc == 0) {
        errno = 0;
        struct dirent *de = readdir(d);
        if (!de) {
            rc = errno ? -1 : 0;
            break;
        }
        const char *n = de->d_name;
        if (!strcmp(n, ".") || !strcmp(n, ".."))
            continue;
        if (de->d_type != DT_DIR && unlinkat(dirfd(d), n, 0) == 0)
            continue;
        if (de->d_type != DT_DIR && errno != EISDIR)
            rc = errno == ENOENT ? 0 : -1;
        else
            rc = remove_dir(r, dirfd(d), n, depth);
    }
    int saved = errno;
    closedir(d);
    errno = saved;
    return rc;
}

int orr_files_remove_tree(const char *path, struct orr_err *e)
{
    int rc = 0, top = -1;
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return orr_err_errno(e, errno, "cannot remove %s", path);
    top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0)
        return orr_err_errno(e, errno, "cannot remove %s", path);
    struct removal r = {top, 0};
    unsigned moved;
    do { // directories moved up are found by the next pass
        moved = r.moved;
        int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = fd < 0 ? -1 : empty_dir(&r, fd, 0);
    } while (rc == 0 && r.moved != moved);
    if (rc < 0 || rmdir(path) < 0)
        rc = orr_err_errno(e, errno, "cannot remove %s", path);
    close(top);
    return rc;
}

/* Opens 'name' under 'dir' without leaving 'root_fd'. The kernel resolves from
 * the root (symlinks that stay inside are fine); where it lacks openat2, any
 * symlink is refused. Returns a descriptor or -1 with errno. */
static int open_beneath(int root_fd, const char *prefix, int dir,
                        const char *name)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, root_fd, prefix, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return fd;
    fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR)
        errno = ELOOP;
    return fd;
}

static int unsafe(struct orr_err *e, int sys, const char *root,
                  const char *prefix)
{
    if (sys == EXDEV || sys == ELOOP)
        return orr_err_set(e, ORR_EUNSAFE,
                           "%s is a symlink that leads out of %s", prefix,
                           root);
    return orr_err_errno(e, sys, "cannot make directory %s in %s", prefix,
                         root);
}

/* Walks the parents in 'rel' (normal, inside; cut in place). */
static int make_parents(int root_fd, const char *root, char *rel,
                        struct orr_err *e)
{
    int rc = 0, dir = root_fd;
    char *name = rel;
    for (char *slash; rc == 0 && (slash = strchr(name, '/'));
         name = slash + 1) {
        *slash = 0;
        int fd = open_beneath(root_fd, rel, dir, name);
        if (fd < 0 && errno == ENOENT) {
            if (mkdirat(dir, name, 0777) < 0 && errno != EEXIST)
                fd = -1;
            else
                fd = open_beneath(root_fd, rel, dir, name);
        }
        if (fd < 0)
            rc = unsafe(e, errno, root, rel);
        if (dir != root_fd)
            close(dir);
        dir = fd;
        *slash = '/';
    }
    if (dir >= 0 && dir != root_fd)
        close(dir);
    return rc;
}

/* Are the parents there already? One look, where the kernel resolves. */
static bool have_parents(int root_fd, char *rel)
{
    char *slash = strrchr(rel, '/');
    if (!slash)
        return true;
    *slash = 0;
    int fd = open_beneath(root_fd, rel, -1, "");
    *slash = '/';
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int orr_files_safe_parent(const char *root, const char *rel, struct orr_err *e)
{
    int rc = 0, fd = -1;
    struct orr_buf norm = {0};
    if (orr_path_normal(&norm, rel, strlen(rel)) < 0 ||
        orr_buf_putc(&norm, 0) < 0) {
        rc = orr_err_set(e, ORR_ENOMEM, "cannot check %s: no memory", rel);
        goto out;
    }
    if (!orr_path_inside((char *)norm.data, norm.len - 1)) {
        rc = orr_err_set(e, ORR_EUNSAFE, "%s leaves %s", rel, root);
        goto out;
    }
    fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        rc = orr_err_errno(e, errno, "cannot open %s", root);
        goto out;
    }
    if (!have_parents(fd, (char *)norm.data))
        rc = make_parents(fd, root, (char *)norm.data, e);
out:
    if (fd >= 0)
        close(fd);
    orr_buf_fini(&norm);
    return rc;
}
