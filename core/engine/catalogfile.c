/*
 * catalogfile: arrays written as they are in memory. What was read is believed
 * only after its checksum, and its numbers only after their bounds.
 */
#include "engine/catalogfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/xalloc.h"
#include "engine/filecopy.h"
#include "engine/tempfile.h"

struct head {
    char magic[8];
    uint32_t version, order;
    uint64_t entries, segs, spaces, tables; /* tables: bytes before entries */
    uint64_t last_stamp, next_expiry;
    uint32_t pruned_day, body_crc, pad, crc;
};

struct seg_row {
    uint64_t id, covered, oldest, pad;
};

struct space_row { /* then the name, then zeros to a multiple of 8 */
    uint64_t cleared;
    uint32_t clear_seg;
    uint16_t len, pad;
};

static const char magic[8] = "orr-cat";
enum { VERSION = 1, ORDER = 0x01020304 };

static uint32_t head_crc(const struct head *h)
{
    return orr_crc32c(0, h, offsetof(struct head, crc));
}

static int damaged(struct orr_err *e)
{
    return orr_err_set(e, ORR_ECORRUPT,
                       "the cache's index is damaged; it will be made again");
}

/* --- loading ---------------------------------------------------------------
 */

/* Reads exactly the parts; anything else is damage. */
static int read_parts(int fd, off_t at, struct iovec *v, int n,
                      struct orr_err *e)
{
    for (;;) {
        while (n && !v->iov_len) {
            v++;
            n--;
        }
        if (!n)
            return 0;
        ssize_t r = preadv(fd, v, n, at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return orr_err_errno(e, errno, "read the cache's index");
        if (!r)
            return damaged(e);
        at += r;
        for (struct iovec *p = v; r > 0; p++) {
            size_t took = (size_t)r < p->iov_len ? (size_t)r : p->iov_len;
            p->iov_base = (char *)p->iov_base + took;
            p->iov_len -= took;
            r -= (ssize_t)took;
        }
    }
}

static int head_ok(const struct head *h, uint64_t file_size)
{
    if (memcmp(h->magic, magic, sizeof magic) || h->version != VERSION ||
        h->order != ORDER || h->crc != head_crc(h))
        return 0;
    uint64_t row = sizeof(struct orr_entry) + sizeof(uint16_t);
    return h->entries < UINT32_MAX && h->tables < file_size &&
           file_size - h->tables - sizeof *h == h->entries * row;
}

static int take_tables(struct orr_catalog *c, const struct head *h,
                       const unsigned char *p)
{
    const unsigned char *end = p + h->tables;
    if (h->segs > h->tables / sizeof(struct seg_row))
        return ORR_ECORRUPT;
    for (uint64_t i = 0; i < h->segs; i++, p += sizeof(struct seg_row)) {
        struct seg_row row;
        memcpy(&row, p, sizeof row);
        if (orr_catalog_seg(c, row.id) != (ptrdiff_t)i)
            return ORR_ECORRUPT;
        c->segs[i].covered = row.covered;
        c->segs[i].oldest = row.oldest;
    }
    for (uint64_t i = 0; i < h->spaces; i++) {
        struct space_row row;
        if ((size_t)(end - p) < sizeof row)
            return ORR_ECORRUPT;
        memcpy(&row, p, sizeof row);
        size_t name = (row.len + 7u) & ~7u;
        if ((size_t)(end - p) - sizeof row < name ||
            orr_catalog_space(c, p + sizeof row, row.len, true) != (int)i)
            return ORR_ECORRUPT;
        c->spaces[i].cleared = row.cleared;
        c->spaces[i].clear_seg = row.clear_seg;
        p += sizeof row + name;
    }
    return p == end ? 0 : ORR_ECORRUPT;
}

static int entries_ok(const struct orr_catalog *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct orr_entry *t = &c->entries[i];
        c->entries[i].used = 0;
        if (t->seg >= c->nsegs || t->space >= c->nspaces || !t->type ||
            t->type >= ORR_FRAME_CLEAR || t->size > ORR_FRAME_MAX)
            return 0;
    }
    return 1;
}

static int load_body(struct orr_catalog *c, int fd, const struct head *h,
                     struct orr_err *e)
{
    int rc = 0;
    size_t n = (size_t)h->entries;
    unsigned char *tables = malloc(h->tables ? h->tables : 1);
    if (!tables || orr_catalog_reserve(c, n + n / 8 + 32) < 0) {
        rc = orr_err_set(e, ORR_ENOMEM, "no memory for the cache's index");
        goto out;
    }
    struct iovec v[] = {{tables, h->tables},
                        {c->entries, n * sizeof *c->entries},
                        {c->days, n * sizeof *c->days}};
    rc = read_parts(fd, sizeof *h, v, 3, e);
    if (rc < 0)
        goto out;
    uint32_t crc = orr_crc32c(0, tables, h->tables);
    crc = orr_crc32c(crc, c->entries, n * sizeof *c->entries);
    if (crc != h->body_crc || take_tables(c, h, tables) < 0) {
        rc = damaged(e);
        goto out;
    }
    c->count = n;
    if (!entries_ok(c))
        rc = damaged(e);
    else if (orr_catalog_rebuild(c) < 0)
        rc = orr_err_set(e, ORR_ENOMEM, "no memory for the cache's index");
out:
    free(tables);
    return rc;
}

int orr_catalogfile_load(struct orr_catalog *c, int dirfd, struct orr_err *e)
{
    struct head h;
    struct stat st;
    struct iovec v = {&h, sizeof h};
    int fd =
        openat(dirfd, "index", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return orr_err_errno(e, errno, "open the cache's index");
    int rc = fstat(fd, &st) < 0 ? orr_err_errno(e, errno, "stat index") : 0;
    if (!rc && (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof h))
        rc = damaged(e);
    if (!rc)
        rc = read_parts(fd, 0, &v, 1, e);
    if (!rc && !head_ok(&h, (uint64_t)st.st_size))
        rc = damaged(e);
    if (!rc)
        rc = load_body(c, fd, &h, e);
    close(fd);
    if (rc < 0) {
        orr_catalog_fini(c);
        orr_catalog_init(c);
        return rc;
    }
    c->last_stamp = h.last_stamp;
    c->next_expiry = h.next_expiry;
    c->pruned_day = h.pruned_day;
    c->loaded = c->count;
    c->loaded_crc = h.crc;
    c->loaded_days = sizeof h + h.tables + h.entries * sizeof *c->entries;
    c->fresh = 0;
    return 0;
}

/* --- saving ----------------------------------------------------------------
 */

/* Appends the tables; 'renumber' maps segments to rows, gone ones to none. */
static int put_tables(const struct orr_catalog *c, struct orr_buf *b,
                      uint32_t *renumber, struct head *h)
{
    for (size_t i = 0; i < c->nsegs; i++) {
        const struct orr_seg *s = &c->segs[i];
        struct seg_row row = {s->id, s->covered, s->oldest, 0};
        renumber[i] = UINT32_MAX;
        if (s->gone)
            continue;
        renumber[i] = (uint32_t)h->segs++;
        if (orr_buf_put(b, &row, sizeof row) < 0)
            return ORR_ENOMEM;
    }
    for (size_t i = 0; i < c->nspaces; i++) {
        const struct orr_space *s = &c->spaces[i];
        uint32_t seg = UINT32_MAX;
        if (s->clear_seg < c->nsegs)
            seg = renumber[s->clear_seg];
        struct space_row row = {s->cleared, seg, s->len, 0};
        size_t pad = (8u - s->len % 8u) % 8u;
        if (orr_buf_put(b, &row, sizeof row) < 0 ||
            orr_buf_put(b, s->name, s->len) < 0 ||
            orr_buf_put(b, "\0\0\0\0\0\0\0", pad) < 0)
            return ORR_ENOMEM;
    }
    h->spaces = c->nspaces;
    h->tables = b->len - sizeof *h;
    return 0;
}

static int put_entries(const struct orr_catalog *c, struct orr_buf *b,
                       const uint32_t *renumber, struct head *h)
{
    if (orr_buf_reserve(b, c->count * (sizeof *c->entries + 2)) < 0)
        return ORR_ENOMEM;
    for (size_t i = 0; i < c->count; i++) {
        struct orr_entry t = c->entries[i];
        if (!t.type || renumber[t.seg] == UINT32_MAX)
            continue;
        t.seg = renumber[t.seg];
        memcpy(b->data + b->len, &t, sizeof t);
        b->len += sizeof t;
        h->entries++;
    }
    h->body_crc = orr_crc32c(0, b->data + sizeof *h, b->len - sizeof *h);
    for (size_t i = 0; i < c->count; i++) {
        const struct orr_entry *t = &c->entries[i];
        if (!t->type || renumber[t->seg] == UINT32_MAX)
            continue;
        memcpy(b->data + b->len, &c->days[i], sizeof *c->days);
        b->len += sizeof *c->days;
    }
    return 0;
}

static int write_out(int dirfd, const struct orr_buf *b, struct orr_err *e)
{
    char temp[ORR_TEMPFILE_NAME];
    int fd = orr_tempfile_open(dirfd, "tmp/", temp, e);
    if (fd < 0)
        return fd;
    fchmod(fd, 0644);
    int rc = orr_write_all(fd, b->data, b->len, "the cache's index", e);
    close(fd);
    if (!rc && renameat(dirfd, temp, dirfd, "index") < 0)
        rc = orr_err_errno(e, errno, "replace the cache's index");
    if (rc < 0)
        unlinkat(dirfd, temp, 0);
    return rc;
}

int orr_catalogfile_save(struct orr_catalog *c, int dirfd, struct orr_err *e)
{
    struct head h = {.version = VERSION,
                     .order = ORDER,
                     .last_stamp = c->last_stamp,
                     .next_expiry = c->next_expiry,
                     .pruned_day = c->pruned_day};
    memcpy(h.magic, magic, sizeof magic);
    struct orr_buf b = {0};
    uint32_t *renumber = orr_xalloc((c->nsegs + 1) * sizeof *renumber);
    int rc = orr_buf_put(&b, &h, sizeof h);
    if (!rc)
        rc = put_tables(c, &b, renumber, &h);
    if (!rc)
        rc = put_entries(c, &b, renumber, &h);
    if (rc < 0)
        orr_err_set(e, rc, "no memory to write the cache's index");
    if (!rc) {
        h.crc = head_crc(&h);
        memcpy(b.data, &h, sizeof h);
        rc = write_out(dirfd, &b, e);
    }
    orr_buf_fini(&b);
    free(renumber);
    return rc;
}

void orr_catalogfile_save_days(struct orr_catalog *c, int dirfd)
{
    struct head h;
    if (c->stamp_lo >= c->stamp_hi)
        return;
    size_t n = c->stamp_hi - c->stamp_lo;
    off_t at = (off_t)(c->loaded_days + c->stamp_lo * sizeof *c->days);
    uint16_t *now = malloc(n * sizeof *now);
    int fd = openat(dirfd, "index", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct iovec head = {&h, sizeof h}, days = {now, n * sizeof *now};
    if (fd < 0 || !now || read_parts(fd, 0, &head, 1, NULL) < 0 ||
        h.crc != c->loaded_crc || read_parts(fd, at, &days, 1, NULL) < 0)
        goto out;
    for (size_t i = 0; i < n; i++)
        if (now[i] < c->days[c->stamp_lo + i])
            now[i] = c->days[c->stamp_lo + i];
    if (pwrite(fd, now, n * sizeof *now, at) < 0)
        goto out;
    c->stamp_lo = SIZE_MAX;
    c->stamp_hi = 0;
out:
    if (fd >= 0)
        close(fd);
    free(now);
}
