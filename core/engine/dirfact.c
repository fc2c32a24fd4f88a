/* dirfact: the stat is taken before the listing, so that a change in between
 * shows as another stat next time. */
#include "engine/dirfact.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strs.h"
#include "engine/filememo.h"

static const int64_t second = 1000000000;

/* What stat says. 0 or an errno. */
static int look(const char *path, struct orr_dirfact *f)
{
    struct statx st;
    *f = (struct orr_dirfact){0};
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_TYPE | STATX_INO | STATX_MTIME | STATX_CTIME, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    if (!S_ISDIR(st.stx_mode))
        return ENOTDIR;
    f->dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
    f->ino = st.stx_ino;
    f->mtime = st.stx_mtime.tv_sec * second + st.stx_mtime.tv_nsec;
    f->ctime = st.stx_ctime.tv_sec * second + st.stx_ctime.tv_nsec;
    return 0;
}

static unsigned char type_of(int fd, const struct dirent *d)
{
    struct stat st;
    if (d->d_type != DT_UNKNOWN)
        return d->d_type;
    if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return DT_UNKNOWN;
    return (unsigned char)IFTODT(st.st_mode);
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int read_all(DIR *d, struct orr_strs *names)
{
    const struct dirent *entry;
    struct orr_buf one = {0};
    int sys = 0;
    while (!sys && (errno = 0, entry = readdir(d))) {
        if (is_dots(entry->d_name))
            continue;
        orr_buf_clear(&one);
        int rc = orr_buf_put(&one, entry->d_name, strlen(entry->d_name) + 1);
        rc |= orr_buf_putc(&one, type_of(dirfd(d), entry));
        if (rc || orr_strs_put(names, one.data, one.len) < 0)
            sys = ENOMEM;
    }
    orr_buf_fini(&one);
    return sys ? sys : errno;
}

static int list(const char *path, struct orr_digest *out)
{
    struct orr_strs names = {0};
    struct orr_hasher h;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return ENOMEM;
    }
    int sys = read_all(d, &names);
    closedir(d);
    orr_strs_sort(&names);
    orr_hasher_init(&h);
    for (size_t i = 0; i < names.count; i++)
        orr_hasher_put(&h, orr_strs_at(&names, i), names.items[i].len);
    if (!sys)
        orr_hasher_get(&h, out);
    orr_strs_fini(&names);
    return sys;
}

int orr_dirfact_get(const char *path, int64_t now, struct orr_dirfact *out)
{
    struct orr_dirfact f;
    int sys = look(path, &f);
    if (!sys && f.ino)
        sys = list(path, &f.listing);
    f.seen = now;
    if (!sys)
        *out = f;
    return sys;
}

bool orr_dirfact_holds(const char *path, const struct orr_dirfact *f,
                       int64_t now, int64_t tick)
{
    struct orr_dirfact is;
    if (look(path, &is) || is.dev != f->dev || is.ino != f->ino ||
        is.mtime != f->mtime || is.ctime != f->ctime)
        return false;
    struct orr_filefact times = {
        .mtime = f->mtime, .ctime = f->ctime, .seen = f->seen};
    return !f->ino || orr_filefact_settled(&times, now, tick);
}
