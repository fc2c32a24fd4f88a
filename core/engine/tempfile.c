/* tempfile: random names and O_EXCL. */
#include "engine/tempfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes one thing of the name in the directory: 0 or a descriptor, or -1. */
typedef int maker(int dirfd, const char *name);

static int make_file(int dirfd, const char *name)
{
    return openat(dirfd, name,
                  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int make_dir(int dirfd, const char *name)
{
    return mkdirat(dirfd, name, 0700);
}

static int make(int dirfd, const char *prefix, char name[ORR_TEMPFILE_NAME],
                maker *one, struct orr_err *e)
{
    for (int i = 0; i < 16; i++) {
        uint64_t salt = 0;
        if (getrandom(&salt, sizeof salt, 0) < 0)
            break;
        snprintf(name, ORR_TEMPFILE_NAME, "%.20s%016" PRIx64, prefix, salt);
        int rc = one(dirfd, name);
        if (rc >= 0)
            return rc;
        if (errno != EEXIST)
            break;
    }
    int sys = errno;
    name[0] = '\0';
    return orr_err_errno(e, sys, "create a temporary file");
}

int orr_tempfile_open(int dirfd, const char *prefix,
                      char name[ORR_TEMPFILE_NAME], struct orr_err *e)
{
    return make(dirfd, prefix, name, make_file, e);
}

int orr_tempfile_mkdir(int dirfd, const char *prefix,
                       char name[ORR_TEMPFILE_NAME], struct orr_err *e)
{
    return make(dirfd, prefix, name, make_dir, e);
}

void orr_tempfile_sweep(int dirfd, int64_t before)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *d;
    while ((d = readdir(dir))) {
        struct stat st;
        if (d->d_name[0] != '.' &&
            !fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            S_ISREG(st.st_mode) && st.st_mtime < before)
            unlinkat(fd, d->d_name, 0);
    }
    closedir(dir);
}
