/*
 * filecopy: a clone is hashed by reading the copy; otherwise one pass reads,
 * hashes and writes. The kernel's own copy is used only when nobody asks for a
 * digest, for hashing would read the bytes a second time.
 */
#include "engine/filecopy.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Below the size from which malloc maps pages anew each time. */
enum { CHUNK = 64 * 1024 };

int orr_write_all(int fd, const void *bytes, size_t n, const char *what,
                  struct orr_err *e)
{
    const unsigned char *p = bytes;
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return orr_err_errno(e, errno, "write %s", what);
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/* Reads 'from', hashing when 'h' and writing when 'to' is a file. */
static int pump(int from, int to, const char *what, struct orr_hasher *h,
                uint64_t *total, struct orr_err *e)
{
    int rc = 0;
    unsigned char *chunk = malloc(CHUNK);
    if (!chunk)
        return orr_err_set(e, ORR_ENOMEM, "copy %s: no memory", what);
    for (;;) {
        ssize_t n = pread(from, chunk, CHUNK, (off_t)*total);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = orr_err_errno(e, errno, "read %s", what);
        if (n <= 0)
            break;
        if (h)
            orr_hasher_put(h, chunk, (size_t)n);
        if (to >= 0 && (rc = orr_write_all(to, chunk, (size_t)n, what, e)) < 0)
            break;
        *total += (uint64_t)n;
    }
    free(chunk);
    return rc;
}

/* 1: the kernel copied everything; 0: it would not, nothing was written. */
static int by_kernel(int from, int to, const char *what, uint64_t *total,
                     struct orr_err *e)
{
    for (;;) {
        off_t at = (off_t)*total;
        ssize_t n = copy_file_range(from, &at, to, NULL, 1u << 30, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && *total)
            return orr_err_errno(e, errno, "copy %s", what);
        if (n < 0)
            return 0;
        if (!n) /* some file systems say 0 for files that have bytes */
            return *total > 0;
        *total += (uint64_t)n;
    }
}

int orr_filecopy(int from, int to, const char *what, struct orr_digest *digest,
                 uint64_t *size, struct orr_err *e)
{
    int rc = 0;
    uint64_t total = 0;
    struct orr_hasher h;
    orr_hasher_init(&h);
    if (ioctl(to, FICLONE, from) == 0) {
        if (digest || size)
            rc = pump(to, -1, what, digest ? &h : NULL, &total, e);
    } else {
        if (!digest)
            rc = by_kernel(from, to, what, &total, e);
        if (!rc)
            rc = pump(from, to, what, digest ? &h : NULL, &total, e);
    }
    if (rc < 0)
        return rc;
    if (digest)
        orr_hasher_get(&h, digest);
    if (size)
        *size = total;
    return 0;
}

int orr_filehash(int fd, const char *what, struct orr_digest *digest,
                 struct orr_err *e)
{
    uint64_t total = 0;
    struct orr_hasher h;
    orr_hasher_init(&h);
    int rc = pump(fd, -1, what, &h, &total, e);
    if (!rc)
        orr_hasher_get(&h, digest);
    return rc;
}
