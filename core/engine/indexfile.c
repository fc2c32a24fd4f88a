/*
 * indexfile: reading and writing the file of an index.
 *
 * Whoever writes holds a lock on the file and then makes sure that it is still
 * the file of that name, for a snapshot replaces it. Lock, look again, take in
 * what is new, append, perhaps replace, unlock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/xalloc.h"
#include "engine/filecopy.h"
#include "engine/index_priv.h"
#include "engine/lock.h"

struct head {
    char magic[8];
    uint32_t version, order;
    uint64_t snapshot; /* bytes of records that follow */
    uint64_t keys;
    uint64_t salt; /* by which the file is known again; inodes are reused */
    uint32_t body_crc, crc;
};

struct batch {
    uint32_t magic, keys;
    uint64_t len; /* bytes of records that follow */
    uint32_t body_crc, crc;
};

static const char magic[8] = "orr-idx";
enum { VERSION = 1, ORDER = 0x01020304, BATCH = 0x4252524F };
/* Batches may be this much larger than the snapshot before it is rewritten. */
enum { SLACK = 64 * 1024, TRIES = 250 };

static uint32_t head_crc(const struct head *h)
{
    return orr_crc32c(0, h, offsetof(struct head, crc));
}

/* A batch is valid only in the file it was written to. */
static uint32_t batch_crc(const struct batch *b, uint64_t salt)
{
    uint32_t seed = orr_crc32c(0, &salt, sizeof salt);
    return orr_crc32c(seed, b, offsetof(struct batch, crc));
}

/* --- reading ---------------------------------------------------------------
 */

/* Walks checked bytes that are records from end to end. */
static int apply_all(struct orr_index *ix, const unsigned char *p, uint64_t n)
{
    while (n) {
        const struct orr_irec *r = (const void *)p;
        if (n < sizeof *r || r->klen > ORR_INDEX_MAX_KEY ||
            r->vlen > ORR_INDEX_MAX_VALUE || orr_irec_size(r) > n)
            return ORR_ECORRUPT;
        if (orr_index_apply(ix, r, false) < 0)
            return ORR_ENOMEM;
        p += orr_irec_size(r);
        n -= orr_irec_size(r);
    }
    return 0;
}

/* Takes in batches from 'p'; '*taken' counts the bytes of those that were
 * sound. 0 or ORR_ENOMEM. */
static int apply_batches(struct orr_index *ix, const unsigned char *p, size_t n,
                         uint64_t *taken)
{
    while (n >= sizeof(struct batch)) {
        struct batch b;
        memcpy(&b, p, sizeof b);
        if (b.magic != BATCH || b.crc != batch_crc(&b, ix->salt) ||
            b.len > n - sizeof b ||
            orr_crc32c(0, p + sizeof b, b.len) != b.body_crc)
            break;
        int rc = apply_all(ix, p + sizeof b, b.len);
        if (rc == ORR_ENOMEM)
            return rc;
        if (rc < 0)
            break;
        p += sizeof b + b.len;
        n -= sizeof b + b.len;
        *taken += sizeof b + b.len;
    }
    return 0;
}

/* Reads up to 'n' bytes at 'at'; fewer when the file ends. */
static size_t read_at(int fd, unsigned char *out, size_t n, uint64_t at)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(fd, out + got, n - got, (off_t)(at + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        got += (size_t)r;
    }
    return got;
}

static int head_ok(const struct head *h)
{
    return !memcmp(h->magic, magic, sizeof magic) && h->version == VERSION &&
           h->order == ORDER && h->crc == head_crc(h) && h->salt;
}

static int take_file(struct orr_index *ix, const unsigned char *p, size_t n)
{
    struct head h;
    uint64_t taken = 0;
    if (n < sizeof h)
        return 0;
    memcpy(&h, p, sizeof h);
    if (!head_ok(&h) || h.snapshot > n - sizeof h || h.keys > h.snapshot ||
        orr_crc32c(0, p + sizeof h, h.snapshot) != h.body_crc)
        return 0;
    int rc = orr_index_reserve(ix, ix->used + h.keys);
    if (!rc)
        rc = apply_all(ix, p + sizeof h, h.snapshot);
    if (rc < 0)
        return rc == ORR_ENOMEM ? rc : 0;
    ix->snapshot = sizeof h + h.snapshot;
    ix->salt = h.salt;
    rc = apply_batches(ix, p + ix->snapshot, n - ix->snapshot, &taken);
    ix->known = ix->snapshot + taken;
    return rc;
}

/* Takes in the open file from its beginning. */
static int load_fd(struct orr_index *ix, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
        return 0;
    unsigned char *p = orr_index_block(ix, (size_t)st.st_size);
    if (!p)
        return ORR_ENOMEM;
    size_t n = read_at(fd, p, (size_t)st.st_size, 0);
    return take_file(ix, p, n);
}

int orr_indexfile_load(struct orr_index *ix, struct orr_err *e)
{
    int fd = open(ix->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    int rc = load_fd(ix, fd);
    close(fd);
    return rc < 0 ? orr_err_set(e, rc, "no memory for the index %s", ix->path)
                  : 0;
}

/* --- catching up -----------------------------------------------------------
 */

/* Another process replaced the file: what we had from the old one goes, what
 * is pending stays. */
static int start_over(struct orr_index *ix, int fd)
{
    struct orr_islot *old = ix->slots;
    size_t cap = ix->cap;
    int rc = 0;
    ix->slots = NULL;
    ix->cap = ix->used = ix->live = ix->pending = 0;
    ix->salt = 0;
    ix->snapshot = ix->known = 0;
    for (size_t i = 0; i < cap && !rc; i++)
        if (old[i].rec && old[i].pending)
            rc = orr_index_apply(ix, old[i].rec, true);
    free(old);
    return rc < 0 ? rc : load_fd(ix, fd);
}

/* Takes in what the locked file has beyond what is known. */
static int catch_up(struct orr_index *ix, int fd, const struct stat *st)
{
    struct head h;
    bool same = ix->salt && read_at(fd, (void *)&h, sizeof h, 0) == sizeof h &&
                head_ok(&h) && h.salt == ix->salt;
    if (!same || (uint64_t)st->st_size < ix->known)
        return start_over(ix, fd);
    size_t more = (size_t)((uint64_t)st->st_size - ix->known);
    if (!more)
        return 0;
    unsigned char *p = orr_index_block(ix, more);
    if (!p)
        return ORR_ENOMEM;
    return apply_batches(ix, p, read_at(fd, p, more, ix->known), &ix->known);
}

/* --- writing ---------------------------------------------------------------
 */

/* Appends the records that are wanted: pending ones, or all that live. */
static int collect(const struct orr_index *ix, bool all, struct orr_buf *b,
                   uint32_t *keys)
{
    for (size_t i = 0; i < ix->cap; i++) {
        const struct orr_islot *s = &ix->slots[i];
        if (!s->rec)
            continue;
        bool deleted = s->rec->flags & ORR_IREC_DELETED;
        if (all ? deleted : !s->pending)
            continue;
        if (orr_buf_put(b, s->rec, orr_irec_size(s->rec)) < 0)
            return ORR_ENOMEM;
        ++*keys;
    }
    return 0;
}

static void all_written(struct orr_index *ix)
{
    for (size_t i = 0; i < ix->cap && ix->pending; i++)
        if (ix->slots[i].pending) {
            ix->slots[i].pending = 0;
            ix->pending--;
        }
}

static int append(struct orr_index *ix, int fd, struct orr_err *e)
{
    struct batch h = {.magic = BATCH};
    struct orr_buf b = {0};
    int rc = orr_buf_put(&b, &h, sizeof h);
    if (!rc)
        rc = collect(ix, false, &b, &h.keys);
    if (rc < 0) {
        orr_err_set(e, rc, "no memory to write the index %s", ix->path);
        goto out;
    }
    h.len = b.len - sizeof h;
    h.body_crc = orr_crc32c(0, b.data + sizeof h, h.len);
    h.crc = batch_crc(&h, ix->salt);
    memcpy(b.data, &h, sizeof h);
    /* What is beyond 'known' is torn: it goes, or it would end the reading. */
    if (ftruncate(fd, (off_t)ix->known) < 0 ||
        lseek(fd, (off_t)ix->known, SEEK_SET) < 0)
        rc = orr_err_errno(e, errno, "write %s", ix->path);
    if (!rc)
        rc = orr_write_all(fd, b.data, b.len, ix->path, e);
    if (!rc) { /* half a batch is no harm, it is only never read */
        ix->known += b.len;
        all_written(ix);
    }
out:
    orr_buf_fini(&b);
    return rc;
}

/* Writes 'b' beside the index and puts it in its place. One name for the
 * temporary file will do: only who holds the lock writes it. */
static int replace(struct orr_index *ix, const struct orr_buf *b,
                   struct orr_err *e)
{
    size_t n = strlen(ix->path) + sizeof ".new";
    char *temp = orr_xalloc(n);
    snprintf(temp, n, "%s.new", ix->path);
    int rc = 0;
    int fd =
        open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        rc = orr_err_errno(e, errno, "create %s", temp);
    if (!rc)
        rc = orr_write_all(fd, b->data, b->len, temp, e);
    if (!rc && rename(temp, ix->path) < 0)
        rc = orr_err_errno(e, errno, "replace %s", ix->path);
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        unlink(temp);
    free(temp);
    return rc;
}

static int write_snapshot(struct orr_index *ix, struct orr_err *e)
{
    struct head h = {.version = VERSION, .order = ORDER};
    struct orr_buf b = {0};
    uint32_t keys = 0;
    memcpy(h.magic, magic, sizeof magic);
    while (!h.salt)
        if (getrandom(&h.salt, sizeof h.salt, 0) < 0)
            return orr_err_errno(e, errno, "getrandom");
    int rc = orr_buf_put(&b, &h, sizeof h);
    if (!rc)
        rc = collect(ix, true, &b, &keys);
    if (rc < 0) {
        orr_err_set(e, rc, "no memory to write the index %s", ix->path);
        goto out;
    }
    h.keys = keys;
    h.snapshot = b.len - sizeof h;
    h.body_crc = orr_crc32c(0, b.data + sizeof h, h.snapshot);
    h.crc = head_crc(&h);
    memcpy(b.data, &h, sizeof h);
    rc = replace(ix, &b, e);
    if (rc < 0)
        goto out;
    ix->salt = h.salt;
    ix->snapshot = ix->known = b.len;
    all_written(ix);
out:
    orr_buf_fini(&b);
    return rc;
}

/* Opens and locks the file of that name; it may be replaced while we wait. */
static int open_locked(struct orr_index *ix, struct stat *st, struct orr_err *e)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat now;
        int fd =
            open(ix->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
        if (fd < 0)
            return orr_err_errno(e, errno, "open %s", ix->path);
        int rc = orr_byte_lock(fd, 0);
        if (!rc && !fstat(fd, st) && !stat(ix->path, &now) &&
            now.st_ino == st->st_ino && now.st_dev == st->st_dev)
            return fd;
        if (!rc)
            orr_byte_unlock(fd, 0);
        close(fd);
        if (rc < 0 && rc != -EAGAIN && rc != -EACCES)
            return orr_err_errno(e, -rc, "lock %s", ix->path);
        /* Held for a write of a few milliseconds at most, unless stopped. */
        nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
    }
    return orr_err_set(e, ORR_EBUSY, "%s is held by another process", ix->path);
}

int orr_index_flush(struct orr_index *ix, struct orr_err *e)
{
    struct stat st;
    if (!ix->pending)
        return 0;
    int fd = open_locked(ix, &st, e);
    if (fd < 0)
        return fd;
    int rc = catch_up(ix, fd, &st);
    if (rc < 0)
        orr_err_set(e, rc, "no memory for the index %s", ix->path);
    if (!rc && ix->salt)
        rc = append(ix, fd, e);
    if (!rc && (!ix->salt || ix->known - ix->snapshot > ix->snapshot + SLACK))
        rc = write_snapshot(ix, e);
    orr_byte_unlock(fd, 0);
    close(fd);
    return rc;
}
