/* cas: one file a blob. Knows nothing of segments, ages or sizes allowed. */
#include "engine/cas.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/filecopy.h"
#include "engine/tempfile.h"

/* "cas/ab/<digest>" and a NUL. */
enum { NAME = 4 + 3 + ORR_DIGEST_HEX + 1 };

static void name_of(const struct orr_digest *d, char out[NAME])
{
    char hex[ORR_DIGEST_HEX + 1];
    orr_digest_hex(d, hex);
    snprintf(out, NAME, "cas/%.2s/%s", hex, hex);
}

/* --- putting ---------------------------------------------------------------
 */

static int open_temp(const struct orr_cas *c, char name[ORR_TEMPFILE_NAME],
                     struct orr_err *e)
{
    int fd = orr_tempfile_open(c->dirfd, "tmp/", name, e);
    if (fd != ORR_ENOENT)
        return fd;
    if (mkdirat(c->dirfd, "tmp", 0777) < 0 && errno != EEXIST)
        return orr_err_errno(e, errno, "create the cache's directory tmp");
    return orr_tempfile_open(c->dirfd, "tmp/", name, e);
}

/* Gives the temporary file its name, making directories on first need. */
static int publish(const struct orr_cas *c, const char *temp,
                   const struct orr_digest *d, struct orr_err *e)
{
    char to[NAME], dir[7];
    name_of(d, to);
    if (!renameat(c->dirfd, temp, c->dirfd, to))
        return 0;
    if (errno != ENOENT)
        return orr_err_errno(e, errno, "put a blob into the cache");
    snprintf(dir, sizeof dir, "%.6s", to);
    mkdirat(c->dirfd, "cas", 0777);
    mkdirat(c->dirfd, dir, 0777);
    if (renameat(c->dirfd, temp, c->dirfd, to) < 0)
        return orr_err_errno(e, errno, "put a blob into the cache");
    return 0;
}

int orr_cas_put(const struct orr_cas *c, const void *bytes, size_t n,
                const struct orr_digest *d, struct orr_err *e)
{
    char temp[ORR_TEMPFILE_NAME];
    int fd = open_temp(c, temp, e);
    if (fd < 0)
        return fd;
    int rc = orr_write_all(fd, bytes, n, "a blob to the cache", e);
    if (!rc && fchmod(fd, 0444) < 0)
        rc = orr_err_errno(e, errno, "set the mode of a blob");
    close(fd);
    if (!rc)
        rc = publish(c, temp, d, e);
    if (rc < 0)
        unlinkat(c->dirfd, temp, 0);
    return rc;
}

int orr_cas_put_fd(const struct orr_cas *c, int from, const char *what,
                   struct orr_digest *d, uint64_t *size, struct orr_err *e)
{
    char temp[ORR_TEMPFILE_NAME];
    struct orr_digest got;
    uint64_t n = 0;
    int fd = open_temp(c, temp, e);
    if (fd < 0)
        return fd;
    int rc = orr_filecopy(from, fd, what, &got, &n, e);
    if (!rc && fchmod(fd, 0444) < 0)
        rc = orr_err_errno(e, errno, "set the mode of a blob");
    close(fd);
    if (!rc)
        rc = publish(c, temp, &got, e);
    if (rc < 0) {
        unlinkat(c->dirfd, temp, 0);
        return rc;
    }
    *d = got;
    *size = n;
    return 0;
}

/* --- using -----------------------------------------------------------------
 */

bool orr_cas_has(const struct orr_cas *c, const struct orr_digest *d,
                 uint64_t *size)
{
    char name[NAME];
    struct stat st;
    name_of(d, name);
    if (fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return false;
    if (size)
        *size = (uint64_t)st.st_size;
    return true;
}

static int open_blob(const struct orr_cas *c, const struct orr_digest *d,
                     struct stat *st, struct orr_err *e)
{
    char name[NAME];
    name_of(d, name);
    int fd =
        openat(c->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return orr_err_errno(e, errno, "open blob %s", name);
    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
        close(fd);
        return orr_err_set(e, ORR_ENOENT, "blob %s is not a file", name);
    }
    return fd;
}

static int refuse(const struct orr_cas *c, const struct orr_digest *d,
                  struct orr_err *e)
{
    char hex[ORR_DIGEST_HEX + 1];
    orr_digest_hex(d, hex);
    orr_cas_del(c, d);
    return orr_err_set(e, ORR_ECORRUPT, "blob %s was corrupt and is dropped",
                       hex);
}

static int same(const struct orr_digest *a, const struct orr_digest *b)
{
    return !memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

int orr_cas_get(const struct orr_cas *c, const struct orr_digest *d,
                struct orr_buf *out, struct orr_err *e)
{
    struct stat st;
    struct orr_digest got;
    int rc = 0, fd = open_blob(c, d, &st, e);
    if (fd < 0)
        return fd;
    size_t n = (size_t)st.st_size, at = 0;
    if (orr_buf_reserve(out, n) < 0) {
        rc = orr_err_set(e, ORR_ENOMEM, "no memory for a blob of %zu bytes", n);
        goto out;
    }
    while (at < n) {
        ssize_t r = read(fd, out->data + out->len + at, n - at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            rc = orr_err_errno(e, errno, "read a blob");
        if (r <= 0)
            break;
        at += (size_t)r;
    }
    if (rc < 0)
        goto out;
    orr_hash_bytes(out->data ? out->data + out->len : NULL, at, &got);
    if (same(&got, d))
        out->len += at;
    else
        rc = refuse(c, d, e);
out:
    close(fd);
    return rc;
}

int orr_cas_copy(const struct orr_cas *c, const struct orr_digest *d, int to,
                 struct orr_err *e)
{
    struct stat st;
    struct orr_digest got;
    int fd = open_blob(c, d, &st, e);
    if (fd < 0)
        return fd;
    int rc = orr_filecopy(fd, to, "a blob", &got, NULL, e);
    close(fd);
    if (!rc && !same(&got, d))
        rc = refuse(c, d, e);
    return rc;
}

int orr_cas_check(const struct orr_cas *c, const struct orr_digest *d,
                  struct orr_err *e)
{
    struct stat st;
    struct orr_digest got;
    int fd = open_blob(c, d, &st, e);
    if (fd < 0)
        return fd;
    int rc = orr_filehash(fd, "a blob", &got, e);
    close(fd);
    if (!rc && !same(&got, d))
        rc = refuse(c, d, e);
    return rc;
}

void orr_cas_del(const struct orr_cas *c, const struct orr_digest *d)
{
    char name[NAME];
    name_of(d, name);
    unlinkat(c->dirfd, name, 0);
}

/* --- walking ---------------------------------------------------------------
 */

static int walk_dir(const struct orr_cas *c, const char *path,
                    orr_cas_each *each, void *ctx)
{
    int rc = 0;
    int fd =
        openat(c->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    struct dirent *d;
    while (!rc && (d = readdir(dir))) {
        struct orr_digest digest;
        struct stat st;
        if (!orr_digest_parse(d->d_name, strlen(d->d_name), &digest) &&
            !fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            S_ISREG(st.st_mode))
            rc = each(ctx, &digest, (uint64_t)st.st_size);
    }
    closedir(dir);
    return rc;
}

int orr_cas_walk(const struct orr_cas *c, orr_cas_each *each, void *ctx)
{
    int rc = 0;
    for (unsigned i = 0; i < 256 && !rc; i++) {
        char path[7];
        snprintf(path, sizeof path, "cas/%02x", i);
        rc = walk_dir(c, path, each, ctx);
    }
    return rc;
}
