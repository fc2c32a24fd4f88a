/*
 * storeblob: blobs of a store: small ones are frames, large ones cas files with
 * a frame that says so, by which they are counted and found to be old.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "engine/filecopy.h"
#include "engine/store_priv.h"

ptrdiff_t orr_store_find_blob(struct orr_store *s, const struct orr_digest *d)
{
    unsigned char hash[ORR_KEY_HASH];
    orr_catalog_hash("", 0, d->bytes, sizeof d->bytes, hash);
    return orr_store_find(s, hash);
}

static int put_frame(struct orr_store *s, enum orr_frame_type type,
                     const struct orr_digest *d, const void *bytes, size_t n,
                     struct orr_err *e)
{
    struct orr_frame f = {.type = type,
                          .space = "",
                          .key = d->bytes,
                          .key_len = sizeof d->bytes,
                          .payload = bytes,
                          .payload_len = n};
    int rc = orr_store_batch(s, &f, e);
    return rc < 0 ? rc : orr_store_commit(s, e);
}

/* Notes a cas file that is in its place. */
static int note_file(struct orr_store *s, const struct orr_digest *d,
                     uint64_t size, struct orr_err *e)
{
    unsigned char n[8];
    for (int i = 0; i < 8; i++)
        n[i] = (unsigned char)(size >> (8 * i));
    return put_frame(s, ORR_FRAME_CAS, d, n, sizeof n, e);
}

/* Is the blob here? An unknown cas file (its process was killed before it
 * could say so) is taken in. */
static bool known(struct orr_store *s, const struct orr_digest *d)
{
    uint64_t size = 0;
    ptrdiff_t i = orr_store_find_blob(s, d);
    if (i >= 0 && s->cat.entries[i].type == ORR_FRAME_BLOB) {
        orr_catalog_use(&s->cat, (size_t)i, orr_store_today(s));
        return true;
    }
    if (!orr_cas_has(&s->cas, d, &size)) {
        if (i >= 0)
            orr_store_discard(s, (size_t)i);
        return false;
    }
    if (i >= 0)
        orr_catalog_use(&s->cat, (size_t)i, orr_store_today(s));
    else
        note_file(s, d, size, NULL);
    return true;
}

void orr_store_touch(struct orr_store *s, const struct orr_digest *d)
{
    ptrdiff_t i = orr_store_find_blob(s, d);
    if (i >= 0)
        orr_catalog_use(&s->cat, (size_t)i, orr_store_today(s));
}

bool orr_store_has_blob(struct orr_store *s, const struct orr_digest *d)
{
    return known(s, d);
}

int orr_store_put_blob(struct orr_store *s, const void *bytes, size_t n,
                       struct orr_digest *d, struct orr_err *e)
{
    struct orr_digest got;
    orr_hash_bytes(bytes, n, &got);
    int rc = 0;
    if (!known(s, &got)) {
        if (n <= ORR_STORE_INLINE_BLOB) {
            rc = put_frame(s, ORR_FRAME_BLOB, &got, bytes, n, e);
        } else {
            rc = orr_cas_put(&s->cas, bytes, n, &got, e);
            if (!rc)
                rc = note_file(s, &got, n, e);
        }
    }
    if (!rc)
        *d = got;
    return rc;
}

/* Reads a file that said it is small; 'n' is more than the limit if not. */
static int read_small(int fd, const char *path, unsigned char *out, size_t *n,
                      struct orr_err *e)
{
    *n = 0;
    while (*n <= ORR_STORE_INLINE_BLOB) {
        ssize_t r =
            pread(fd, out + *n, ORR_STORE_INLINE_BLOB + 1 - *n, (off_t)*n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return orr_err_errno(e, errno, "read %s", path);
        if (!r)
            break;
        *n += (size_t)r;
    }
    return 0;
}

static int put_open_file(struct orr_store *s, int fd, const char *path,
                         struct orr_digest *d, uint64_t *size,
                         struct orr_err *e)
{
    unsigned char small[ORR_STORE_INLINE_BLOB + 1];
    struct stat st;
    size_t n = 0;
    if (fstat(fd, &st) < 0)
        return orr_err_errno(e, errno, "stat %s", path);
    if (!S_ISREG(st.st_mode))
        return orr_err_set(e, ORR_EINVAL, "%s is not a regular file", path);
    if (st.st_size <= ORR_STORE_INLINE_BLOB) {
        int rc = read_small(fd, path, small, &n, e);
        if (rc < 0)
            return rc;
        if (n <= ORR_STORE_INLINE_BLOB) {
            *size = n;
            return orr_store_put_blob(s, small, n, d, e);
        }
    }
    int rc = orr_cas_put_fd(&s->cas, fd, path, d, size, e);
    if (!rc && orr_store_find_blob(s, d) < 0)
        rc = note_file(s, d, *size, e);
    return rc;
}

int orr_store_put_file(struct orr_store *s, const char *path,
                       struct orr_digest *d, uint64_t *size, struct orr_err *e)
{
    struct orr_digest got;
    uint64_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return orr_err_errno(e, errno, "open %s", path);
    int rc = put_open_file(s, fd, path, &got, &n, e);
    close(fd);
    if (rc < 0)
        return rc;
    *d = got;
    *size = n;
    return 0;
}

/* --- using -----------------------------------------------------------------
 */

static int no_blob(const struct orr_digest *d, struct orr_err *e)
{
    char hex[ORR_DIGEST_HEX + 1];
    orr_digest_hex(d, hex);
    return orr_err_set(e, ORR_ENOENT, "the cache has no blob %s", hex);
}

/* The payload of a blob's frame, its digest checked; borrowed from s->read. */
static int inline_blob(struct orr_store *s, const struct orr_entry *t,
                       const struct orr_digest *d, struct orr_frame *f,
                       struct orr_err *e)
{
    struct orr_digest got;
    int rc = orr_store_read(s, t, f, e);
    if (rc < 0)
        return rc;
    orr_hash_bytes(f->payload, f->payload_len, &got);
    if (memcmp(got.bytes, d->bytes, sizeof got.bytes))
        return orr_err_set(e, ORR_ECORRUPT, "a blob is not what it says");
    return 0;
}

/* Where a verified blob goes: appended to a buffer, or written to a file. */
struct sink {
    struct orr_buf *buf; /* or */
    int fd;
};

static int pour(struct orr_store *s, ptrdiff_t i, const struct orr_digest *d,
                const struct sink *to, struct orr_err *e)
{
    if (i < 0 || s->cat.entries[i].type != ORR_FRAME_BLOB)
        return to->buf ? orr_cas_get(&s->cas, d, to->buf, e)
                       : orr_cas_copy(&s->cas, d, to->fd, e);
    struct orr_frame f;
    struct orr_entry t = s->cat.entries[i];
    int rc = inline_blob(s, &t, d, &f, e);
    if (rc < 0)
        return rc;
    if (!to->buf)
        return orr_write_all(to->fd, f.payload, f.payload_len, "a blob", e);
    if (orr_buf_put(to->buf, f.payload, f.payload_len) < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory for a blob");
    return 0;
}

/* As pour, but a blob that is not there or not right is dropped, looked for
 * once more, and then ORR_ENOENT. */
static int deliver(struct orr_store *s, const struct orr_digest *d,
                   const struct sink *to, struct orr_err *e)
{
    for (int tries = 0; tries < 2; tries++) {
        ptrdiff_t i = orr_store_find_blob(s, d);
        int rc = pour(s, i, d, to, e);
        if (!rc && i >= 0)
            orr_catalog_use(&s->cat, (size_t)i, orr_store_today(s));
        if (rc != ORR_ENOENT && rc != ORR_ECORRUPT)
            return rc;
        bool inline_one = i >= 0 && s->cat.entries[i].type == ORR_FRAME_BLOB;
        if (i >= 0 && (rc == ORR_ECORRUPT || !inline_one))
            orr_store_discard(s, (size_t)i);
        if (to->fd >= 0 &&
            (ftruncate(to->fd, 0) < 0 || lseek(to->fd, 0, SEEK_SET) < 0))
            return orr_err_errno(e, errno, "start a file again");
        orr_store_refresh(s, NULL);
    }
    return no_blob(d, e);
}

int orr_store_get_blob(struct orr_store *s, const struct orr_digest *d,
                       struct orr_buf *out, struct orr_err *e)
{
    struct sink to = {out, -1};
    return deliver(s, d, &to, e);
}

int orr_store_root(struct orr_store *s, const char *path, struct orr_err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return orr_err_errno(e, errno, "open the directory %s", path);
    if (s->root_path && !strcmp(s->root_path, path) &&
        s->root_dev == st.st_dev && s->root_ino == st.st_ino)
        return 0;
    orr_restore_root_close(&s->root);
    free(s->root_path);
    s->root_path = NULL;
    int rc = orr_restore_root_open(&s->root, path, e);
    if (rc < 0)
        return rc;
    s->root_path = orr_xstrdup(path);
    s->root_dev = st.st_dev;
    s->root_ino = st.st_ino;
    return 0;
}

int orr_store_restore(struct orr_store *s, const struct orr_digest *d,
                      const char *root, const char *rel, mode_t mode,
                      struct orr_err *e)
{
    struct orr_restore r = ORR_RESTORE_INIT;
    int rc = orr_store_root(s, root, e);
    if (!rc)
        rc = orr_restore_begin(&r, &s->root, rel, e);
    if (!rc) {
        struct sink sink = {NULL, r.fd};
        rc = deliver(s, d, &sink, e);
    }
    if (!rc)
        rc = orr_restore_commit(&r, mode, e);
    orr_restore_fini(&r);
    return rc;
}
