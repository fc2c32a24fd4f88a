/*
 * segment: frames in, frames out. Knows nothing of what supersedes what.
 */
#include "engine/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "engine/filecopy.h"
#include "engine/lock.h"

enum { MAGIC = 0x4652524F /* "ORRF" */, VERSION = 1 };
/* A scan reads this much at a time: always more than one frame. */
enum { WINDOW = 1024 * 1024 };
_Static_assert((int)ORR_FRAME_MAX < (int)WINDOW, "a window holds any frame");

/* --- frames -------------------------------------------------------------- */

static uint32_t seed_of(uint64_t id, uint64_t off)
{
    uint64_t pair[2] = {id, off};
    return orr_crc32c(0, pair, sizeof pair);
}

static void set_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static void set_u64(unsigned char *p, uint64_t v)
{
    set_u32(p, (uint32_t)v);
    set_u32(p + 4, (uint32_t)(v >> 32));
}

int orr_frame_encode(struct orr_buf *out, struct orr_frame *f, uint64_t id,
                     uint64_t off)
{
    if (f->space_len > ORR_FRAME_MAX_SPACE || f->key_len > ORR_FRAME_MAX_KEY ||
        f->payload_len > ORR_FRAME_MAX_PAYLOAD)
        return ORR_ELIMIT;
    size_t body = f->space_len + f->key_len + f->payload_len;
    size_t size = (ORR_FRAME_HEADER + body + 7) & ~(size_t)7;
    if (orr_buf_reserve(out, size) < 0)
        return ORR_ENOMEM;
    unsigned char *h = out->data + out->len, *b = h + ORR_FRAME_HEADER;
    memset(h + size - 8, 0, 8);
    memcpy(b, f->space_len ? f->space : "", f->space_len);
    memcpy(b + f->space_len, f->key_len ? f->key : "", f->key_len);
    memcpy(b + f->space_len + f->key_len, f->payload_len ? f->payload : "",
           f->payload_len);
    set_u32(h, MAGIC);
    h[4] = VERSION;
    h[5] = (unsigned char)f->type;
    h[6] = (unsigned char)f->space_len;
    h[7] = 0;
    set_u32(h + 8, (uint32_t)f->key_len);
    set_u32(h + 12, (uint32_t)f->payload_len);
    set_u64(h + 16, f->stamp);
    set_u64(h + 24, f->created);
    set_u64(h + 32, f->expires);
    set_u32(h + 40, orr_crc32c(0, b, size - ORR_FRAME_HEADER));
    set_u32(h + 44, orr_crc32c(seed_of(id, off), h, 44));
    out->len += size;
    f->size = (uint32_t)size;
    return 0;
}

static int header_ok(const unsigned char *p, uint64_t id, uint64_t off)
{
    return orr_get_u32(p) == MAGIC && p[4] == VERSION &&
           orr_get_u32(p + 44) == orr_crc32c(seed_of(id, off), p, 44) &&
           p[5] >= ORR_FRAME_RECORD && p[5] <= ORR_FRAME_CLEAR &&
           orr_get_u32(p + 8) <= ORR_FRAME_MAX_KEY &&
           orr_get_u32(p + 12) <= ORR_FRAME_MAX_PAYLOAD;
}

int orr_frame_decode(const unsigned char *p, size_t n, uint64_t id,
                     uint64_t off, struct orr_frame *f)
{
    f->size = ORR_FRAME_HEADER;
    if (n < ORR_FRAME_HEADER)
        return 1;
    if (!header_ok(p, id, off))
        return ORR_ECORRUPT;
    size_t space = p[6], key = orr_get_u32(p + 8), pay = orr_get_u32(p + 12);
    f->size = (uint32_t)((ORR_FRAME_HEADER + space + key + pay + 7) & ~7u);
    if (n < f->size)
        return 1;
    const unsigned char *b = p + ORR_FRAME_HEADER;
    if (orr_get_u32(p + 40) != orr_crc32c(0, b, f->size - ORR_FRAME_HEADER))
        return ORR_ECORRUPT;
    *f = (struct orr_frame){.type = p[5],
                            .stamp = orr_get_u64(p + 16),
                            .created = orr_get_u64(p + 24),
                            .expires = orr_get_u64(p + 32),
                            .space = b,
                            .space_len = space,
                            .key = b + space,
                            .key_len = key,
                            .payload = b + space + key,
                            .payload_len = pay,
                            .size = f->size};
    return 0;
}

/* --- files --------------------------------------------------------------- */

void orr_segment_name(uint64_t id, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, id);
}

int orr_segment_parse(const char *name, uint64_t *id)
{
    uint64_t v = 0;
    for (int i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdef";
        const char *d = name[i] ? strchr(digits, name[i]) : NULL;
        if (!d)
            return 0;
        v = v << 4 | (uint64_t)(d - digits);
    }
    if (name[16])
        return 0;
    *id = v;
    return 1;
}

/* Locks an open segment; 0 when it is ours and still has its name. */
static int hold(int fd, struct stat *st)
{
    return orr_byte_lock(fd, 0) < 0 || fstat(fd, st) < 0 || !st->st_nlink ||
           !S_ISREG(st->st_mode);
}

static int create_one(struct orr_segment *s, int dirfd, struct orr_err *e)
{
    char name[17];
    struct stat st;
    struct orr_segment got = ORR_SEGMENT_INIT;
    if (getrandom(&got.id, sizeof got.id, 0) < 0)
        return orr_err_errno(e, errno, "getrandom");
    orr_segment_name(got.id, name);
    got.fd = openat(dirfd, name,
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (got.fd < 0)
        return orr_err_errno(e, errno, "create cache segment %s", name);
    if (hold(got.fd, &st) || st.st_size) {
        orr_segment_fini(&got);
        return orr_err_set(e, ORR_EBUSY, "cache segment %s was taken", name);
    }
    *s = got;
    return 0;
}

int orr_segment_create(struct orr_segment *s, int dirfd, struct orr_err *e)
{
    /* Before we lock it, another process may adopt the new file, even fill it
     * and be gone again, or remove it. */
    int rc = ORR_EBUSY;
    for (int i = 0; i < 100 && rc == ORR_EBUSY; i++)
        rc = create_one(s, dirfd, e);
    return rc;
}

int orr_segment_adopt(struct orr_segment *s, int dirfd, uint64_t id,
                      struct orr_err *e)
{
    char name[17];
    orr_segment_name(id, name);
    struct orr_segment got = {.fd = -1, .id = id};
    got.fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (got.fd < 0)
        return orr_err_errno(e, errno, "open cache segment %s", name);
    struct stat st;
    if (hold(got.fd, &st)) {
        orr_segment_fini(&got);
        return orr_err_set(e, ORR_EBUSY, "cache segment %s is in use", name);
    }
    got.size = (uint64_t)st.st_size;
    *s = got;
    return 0;
}

int orr_segment_cut(struct orr_segment *s, uint64_t size, struct orr_err *e)
{
    if (size < s->size && ftruncate(s->fd, (off_t)size) < 0)
        return orr_err_errno(e, errno, "cut the end of a cache segment");
    s->size = size;
    return 0;
}

int orr_segment_append(struct orr_segment *s, const void *bytes, size_t n,
                       struct orr_err *e)
{
    const unsigned char *p = bytes;
    for (size_t done = 0; done < n;) {
        ssize_t w = pwrite(s->fd, p + done, n - done, (off_t)(s->size + done));
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            int sys = errno;
            if (ftruncate(s->fd, (off_t)s->size) < 0)
                orr_segment_fini(s);
            return orr_err_errno(e, sys, "write to the cache");
        }
        done += (size_t)w;
    }
    s->size += n;
    return 0;
}

void orr_segment_fini(struct orr_segment *s)
{
    if (s->fd >= 0) {
        orr_byte_unlock(s->fd, 0);
        close(s->fd);
    }
    *s = (struct orr_segment)ORR_SEGMENT_INIT;
}

/* --- scanning ------------------------------------------------------------ */

/* What a scan knows of the file: 'n' bytes from offset 'at'. */
struct window {
    unsigned char *bytes; /* owned; WINDOW of them */
    uint64_t at;
    size_t n;
    int eof;
};

static int fill(struct window *w, int fd, uint64_t at, struct orr_err *e)
{
    w->at = at;
    w->n = 0;
    w->eof = 0;
    while (w->n < WINDOW && !w->eof) {
        ssize_t r =
            pread(fd, w->bytes + w->n, WINDOW - w->n, (off_t)(at + w->n));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return orr_err_errno(e, errno, "read a cache segment");
        w->eof = !r;
        w->n += (size_t)r;
    }
    return 0;
}

/* Scans one window from 'pos'; leaves 'pos' at the first byte not dealt with.
 * 1: the next window is needed; 0: the end; negative: 'each' said so. */
static int scan_window(struct window *w, uint64_t id, uint64_t *pos,
                       orr_segment_each *each, void *ctx, uint64_t *bad)
{
    int skipping = 0;
    while (*pos < w->at + w->n) {
        struct orr_frame f;
        size_t i = (size_t)(*pos - w->at);
        int rc = orr_frame_decode(w->bytes + i, w->n - i, id, *pos, &f);
        if (rc == 1)
            return !w->eof;
        if (rc == ORR_ECORRUPT) {
            *bad += !skipping;
            skipping = 1;
            *pos += 8;
            continue;
        }
        skipping = 0;
        rc = each(ctx, &f, *pos);
        if (rc < 0)
            return rc;
        *pos += f.size;
    }
    return !w->eof;
}

int orr_segment_scan(int fd, uint64_t id, uint64_t from, orr_segment_each *each,
                     void *ctx, uint64_t *covered, uint64_t *bad,
                     struct orr_err *e)
{
    struct window w = {.bytes = malloc(WINDOW)};
    if (!w.bytes)
        return orr_err_set(e, ORR_ENOMEM, "no memory to read a cache segment");
    uint64_t pos = from, skipped = 0;
    int rc;
    do {
        rc = fill(&w, fd, pos, e);
        if (!rc)
            rc = scan_window(&w, id, &pos, each, ctx, &skipped);
    } while (rc > 0);
    free(w.bytes);
    if (rc < 0)
        return rc;
    *covered = pos;
    if (bad)
        *bad += skipped;
    return 0;
}
