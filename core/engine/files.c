/*
 * files: the parts of the file system that Lua's io cannot do safely. Replacing
 * goes by temporary file and rename, so that readers see the old or the new
 * bytes and a crash leaves at most a file named ".orr-*.tmp".
 * Removing and safe parents, which walk, are in files_tree.c.
 */
#include "engine/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/path.h"
#include "engine/filecopy.h"

int orr_files_read(const char *path, size_t limit, struct orr_buf *out,
                   struct orr_err *e)
{
    int rc = 0;
    size_t start = out->len;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = orr_err_errno(e, errno, "cannot read %s", path);
        goto out;
    }
    // One byte more than the size, so that end of file is seen without growing.
    size_t want = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
    while (out->len - start < limit) {
        size_t left = limit - (out->len - start);
        if (want > left)
            want = left;
        if (orr_buf_reserve(out, want) < 0) {
            rc = orr_err_set(e, ORR_ENOMEM, "cannot read %s: no memory", path);
            goto out;
        }
        ssize_t n = read(fd, out->data + out->len, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = orr_err_errno(e, errno, "cannot read %s", path);
        if (n <= 0)
            break;
        out->len += (size_t)n;
        want = (size_t)n < want ? want - (size_t)n : 64 * 1024;
    }
out:
    if (rc < 0)
        out->len = start;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* A fresh name in the directory of 'path'; returns owned, or NULL. */
static char *temp_name(const char *path)
{
    unsigned char r[8];
    char *tmp = NULL;
    size_t dir = orr_path_dir(path, strlen(path));
    if (dir > INT_MAX || getrandom(r, sizeof r, 0) != (ssize_t)sizeof r)
        return NULL;
    const char *sep = dir && path[dir - 1] != '/' ? "/" : "";
    if (asprintf(&tmp, "%.*s%s.orr-%02x%02x%02x%02x%02x%02x%02x%02x.tmp",
                 (int)dir, path, sep, r[0], r[1], r[2], r[3], r[4], r[5], r[6],
                 r[7]) < 0)
        return NULL;
    return tmp;
}

static int sync_dir(const char *path)
{
    size_t dir = orr_path_dir(path, strlen(path));
    char *name = dir ? strndup(path, dir) : strdup(".");
    if (!name)
        return -1;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(name);
    if (fd < 0)
        return -1;
    // Some file systems cannot sync a directory and say EINVAL: nothing to do.
    int rc = fsync(fd) < 0 && errno != EINVAL ? -1 : 0;
    close(fd);
    return rc;
}

int orr_files_write(const char *path, const void *bytes, size_t n, int mode,
                    bool sync, struct orr_err *e)
{
    int rc = 0, fd = -1;
    struct stat st;
    char *tmp = temp_name(path);
    if (!tmp)
        return orr_err_set(e, ORR_ENOMEM, "cannot write %s: no memory", path);
    if (mode < 0 && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        mode = (int)(st.st_mode & 07777);
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 || orr_write_all(fd, bytes, n, path, NULL) < 0 ||
        (mode >= 0 && fchmod(fd, (mode_t)mode) < 0) ||
        (sync && fsync(fd) < 0) || rename(tmp, path) < 0 ||
        (sync && sync_dir(path) < 0)) {
        rc = orr_err_errno(e, errno, "cannot write %s", path);
        if (fd >= 0)
            unlink(tmp);
    }
    if (fd >= 0)
        close(fd);
    free(tmp);
    return rc;
}

int orr_files_append(const char *path, const void *bytes, size_t n, bool sync,
                     struct orr_err *e)
{
    int rc = 0;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || orr_write_all(fd, bytes, n, path, NULL) < 0 ||
        (sync && fdatasync(fd) < 0))
        rc = orr_err_errno(e, errno, "cannot append to %s", path);
    if (fd >= 0)
        close(fd);
    return rc;
}

int orr_files_list(const char *dir, struct orr_strs *names, struct orr_err *e)
{
    int rc = 0;
    DIR *d = opendir(dir);
    if (!d)
        return orr_err_errno(e, errno, "cannot list %s", dir);
    for (;;) {
        errno = 0;
        struct dirent *de = readdir(d);
        if (!de) {
            if (errno)
                rc = orr_err_errno(e, errno, "cannot list %s", dir);
            break;
        }
        if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
            continue;
        if (orr_strs_put(names, de->d_name, strlen(de->d_name)) < 0) {
            rc = orr_err_set(e, ORR_ENOMEM, "cannot list %s: no memory", dir);
            break;
        }
    }
    closedir(d);
    orr_strs_sort(names);
    return rc;
}

int orr_files_mkdir(const char *path, struct orr_err *e)
{
    int rc = 0;
    struct stat st;
    if (mkdir(path, 0777) == 0 ||
        (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    if (errno != ENOENT)
        return orr_err_errno(e, errno, "cannot make directory %s", path);
    char *p = strdup(path);
    if (!p)
        return orr_err_set(e, ORR_ENOMEM, "cannot make directory %s", path);
    for (char *s = p + 1; rc == 0 && *p && *s; s++) {
        if (*s != '/' || s[-1] == '/')
            continue;
        *s = 0;
        if (mkdir(p, 0777) < 0 && errno != EEXIST && errno != EISDIR)
            rc = orr_err_errno(e, errno, "cannot make directory %s", p);
        *s = '/';
    }
    if (rc == 0 && mkdir(path, 0777) < 0 &&
        !(errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        rc = orr_err_errno(e, errno, "cannot make directory %s", path);
    free(p);
    return rc;
}

int orr_files_remove(const char *path, struct orr_err *e)
{
    if (unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0))
        return 0;
    return orr_err_errno(e, errno, "cannot remove %s", path);
}

static int copy_link(const char *from, const char *tmp)
{
    char target[PATH_MAX + 1];
    ssize_t n = readlink(from, target, sizeof target - 1);
    if (n < 0)
        return -1;
    target[n] = 0;
    return symlink(target, tmp);
}

static int copy_file(int in, const struct stat *st, const char *tmp)
{
    int out = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return -1;
    int rc = orr_filecopy(in, out, tmp, NULL, NULL, NULL);
    if (rc == 0)
        rc = fchmod(out, st->st_mode & 07777);
    int saved = errno;
    close(out);
    errno = saved;
    return rc;
}

int orr_files_copy(const char *from, const char *to, struct orr_err *e)
{
    int rc = 0, in = -1;
    struct stat st;
    char *tmp = temp_name(to);
    if (!tmp)
        return orr_err_set(e, ORR_ENOMEM, "cannot copy %s: no memory", from);
    if (lstat(from, &st) < 0) {
        rc = orr_err_errno(e, errno, "cannot copy %s", from);
        goto out;
    }
    if (!S_ISLNK(st.st_mode) && !S_ISREG(st.st_mode)) {
        rc = orr_err_set(e, ORR_EINVAL,
                         "cannot copy %s: neither a file nor a symlink", from);
        goto out;
    }
    if (S_ISREG(st.st_mode)) {
        in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (in < 0) {
            rc = orr_err_errno(e, errno, "cannot copy %s", from);
            goto out;
        }
    }
    if ((in < 0 ? copy_link(from, tmp) : copy_file(in, &st, tmp)) < 0 ||
        rename(tmp, to) < 0) {
        rc = orr_err_errno(e, errno, "cannot copy %s to %s", from, to);
        unlink(tmp);
    }
out:
    if (in >= 0)
        close(in);
    free(tmp);
    return rc;
}
