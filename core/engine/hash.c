/*
 * hash: SHA-256 through OpenSSL's low-level calls. They need no fetch and no
 * provider, which costs 1.4 ms of start-up otherwise, and still pick the
 * processor's SHA instructions.
 *
 * Many files: each thread takes one at a time, so that a big file delays only
 * its own thread and results land in input order.
 */
#include "engine/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/parallel.h"

enum {
    CHUNK_SMALL = 16 * 1024, // on the stack: most source files
    CHUNK_BIG = 256 * 1024,
};

void orr_hasher_init(struct orr_hasher *h)
{
    SHA256_Init(&h->ctx);
}

void orr_hasher_put(struct orr_hasher *h, const void *bytes, size_t n)
{
    if (n)
        SHA256_Update(&h->ctx, bytes, n);
}

void orr_hasher_get(const struct orr_hasher *h, struct orr_digest *out)
{
    SHA256_CTX copy = h->ctx; // Final destroys what it finishes
    SHA256_Final(out->bytes, &copy);
}

void orr_hash_bytes(const void *bytes, size_t n, struct orr_digest *out)
{
    struct orr_hasher h;
    orr_hasher_init(&h);
    orr_hasher_put(&h, bytes, n);
    SHA256_Final(out->bytes, &h.ctx);
}

/* Reads 'fd' to its end into the hasher. */
static int drain(int fd, const char *path, unsigned char *chunk, size_t cap,
                 struct orr_hasher *h, uint64_t *total, struct orr_err *e)
{
    for (;;) {
        ssize_t got = read(fd, chunk, cap);
        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return orr_err_errno(e, errno, "cannot read %s", path);
        orr_hasher_put(h, chunk, (size_t)got);
        *total += (uint64_t)got;
    }
}

static int refuse_kind(mode_t mode, const char *path, struct orr_err *e)
{
    const char *kind = S_ISDIR(mode)    ? "a directory"
                       : S_ISFIFO(mode) ? "a named pipe"
                       : S_ISSOCK(mode) ? "a socket"
                                        : "a device";
    return orr_err_set(e, ORR_EINVAL,
                       "cannot hash %s: it is %s, not a regular file", path,
                       kind);
}

/* Opens a regular file; 'big' says whether it fills more than a small chunk.
 * O_NONBLOCK: opening a pipe without a writer must not hang. */
static int open_regular(const char *path, int *fd, int *big, struct orr_err *e)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return orr_err_errno(e, errno, "cannot open %s", path);
    if (fstat(*fd, &st) < 0)
        return orr_err_errno(e, errno, "cannot stat %s", path);
    if (!S_ISREG(st.st_mode))
        return refuse_kind(st.st_mode, path, e);
    *big = st.st_size > CHUNK_SMALL;
    return 0;
}

int orr_hash_file(const char *path, struct orr_digest *out, uint64_t *size,
                  struct orr_err *e)
{
    unsigned char small[CHUNK_SMALL], *big = NULL;
    struct orr_hasher h;
    uint64_t total = 0;
    int fd = -1, is_big = 0;
    int rc = open_regular(path, &fd, &is_big, e);
    if (rc < 0)
        goto out;
    if (is_big)
        big = malloc(CHUNK_BIG); // without it, smaller chunks do
    orr_hasher_init(&h);
    rc = drain(fd, path, big ? big : small, big ? CHUNK_BIG : CHUNK_SMALL, &h,
               &total, e);
    if (rc < 0)
        goto out;
    SHA256_Final(out->bytes, &h.ctx);
    if (size)
        *size = total;
out:
    free(big);
    if (fd >= 0)
        close(fd);
    return rc;
}

static void hash_some(void *ctx, size_t from, size_t to)
{
    struct orr_hash_job *jobs = ctx;
    struct orr_err e;
    for (struct orr_hash_job *j = jobs + from; j < jobs + to; j++) {
        j->rc = orr_hash_file(j->path, &j->digest, &j->size, &e);
        j->sys = j->rc < 0 ? e.sys : 0;
    }
}

// A job keeps two numbers instead of a message: there may be a million.
void orr_hash_job_error(const struct orr_hash_job *job, struct orr_err *e)
{
    if (job->sys)
        orr_err_errno(e, job->sys, "cannot hash %s", job->path);
    else
        orr_err_set(e, job->rc, "cannot hash %s: not a regular file",
                    job->path);
}

void orr_hash_files(struct orr_hash_job *jobs, size_t n, unsigned threads)
{
    orr_parallel(n, 1, 1, threads, hash_some, jobs);
}

void orr_digest_hex(const struct orr_digest *d, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof d->bytes; i++) {
        out[2 * i] = digits[d->bytes[i] >> 4];
        out[2 * i + 1] = digits[d->bytes[i] & 15];
    }
    out[ORR_DIGEST_HEX] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int orr_digest_parse(const char *hex, size_t n, struct orr_digest *d)
{
    struct orr_digest got;
    if (n != ORR_DIGEST_HEX)
        return ORR_EINVAL;
    for (size_t i = 0; i < sizeof got.bytes; i++) {
        int hi = hex_value(hex[2 * i]);
        int lo = hex_value(hex[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return ORR_EINVAL;
        got.bytes[i] = (unsigned char)(hi << 4 | lo);
    }
    *d = got;
    return 0;
}
