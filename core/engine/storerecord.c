/*
 * storerecord: frames in and out of a store.
 *
 * A write is: encode into the batch, one pwrite at the end of our segment,
 * then the catalog. A read is: catalog, one pread, checksum. Nothing is locked
 * on either way; the catalog only ever believes what a frame said.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/store_priv.h"

/* Segments over this are left alone; the next write takes another. */
#define SEGMENT_FULL (64ull << 20)

/* --- writing ---------------------------------------------------------------
 */

/* Makes a segment whose writer is gone ours, when it has room. */
static int adopt(struct orr_store *s, size_t i, struct orr_err *e)
{
    struct orr_seg *g = &s->cat.segs[i];
    if (g->gone || g->doomed || g->covered >= SEGMENT_FULL)
        return ORR_EBUSY;
    int rc = orr_segment_adopt(&s->seg, s->segfd, g->id, e);
    if (rc < 0)
        return rc;
    rc = orr_store_scan(s, i, s->seg.size, e);
    if (!rc)
        rc = orr_segment_cut(&s->seg, s->cat.segs[i].covered, e);
    if (rc < 0)
        orr_segment_fini(&s->seg);
    return rc;
}

static int take_segment(struct orr_store *s, struct orr_err *e)
{
    for (size_t i = 0; i < s->cat.nsegs; i++)
        if (!adopt(s, i, NULL))
            return 0;
    int rc = orr_segment_create(&s->seg, s->segfd, e);
    if (!rc && orr_catalog_seg(&s->cat, s->seg.id) < 0) {
        orr_segment_fini(&s->seg);
        rc = orr_err_set(e, ORR_ENOMEM, "no memory for the cache");
    }
    return rc;
}

int orr_store_batch(struct orr_store *s, struct orr_frame *f, struct orr_err *e)
{
    int rc = 0;
    if (s->seg.size >= SEGMENT_FULL && !s->batch.len)
        orr_segment_fini(&s->seg);
    if (s->seg.fd < 0)
        rc = take_segment(s, e);
    if (rc < 0)
        return rc;
    uint64_t now = s->wall();
    if (!f->created)
        f->created = now;
    if (!f->stamp) {
        uint64_t next = s->cat.last_stamp + 1;
        f->stamp = s->cat.last_stamp = now > next ? now : next;
    }
    rc = orr_frame_encode(&s->batch, f, s->seg.id, s->seg.size + s->batch.len);
    if (rc < 0)
        orr_buf_clear(&s->batch);
    if (rc == ORR_ELIMIT)
        return orr_err_set(e, rc, "a cache key or space name is too long");
    return rc < 0 ? orr_err_set(e, rc, "no memory for a cache record") : 0;
}

int orr_store_commit(struct orr_store *s, struct orr_err *e)
{
    uint64_t off = s->seg.size, id = s->seg.id;
    int rc = orr_segment_append(&s->seg, s->batch.data, s->batch.len, e);
    ptrdiff_t seg = orr_catalog_seg(&s->cat, id);
    s->cat.ours = true;
    for (size_t i = 0; !rc && i < s->batch.len;) {
        struct orr_frame f;
        rc = orr_frame_decode(s->batch.data + i, s->batch.len - i, id, off + i,
                              &f);
        if (!rc)
            rc = orr_catalog_apply(&s->cat, (size_t)seg, &f, off + i);
        i += f.size;
    }
    s->cat.ours = false;
    orr_buf_clear(&s->batch);
    if (rc < 0)
        return rc;
    s->cat.segs[seg].covered = s->seg.size;
    s->wrote = true;
    return 0;
}

static int bad_space(size_t space_len, struct orr_err *e)
{
    if (space_len && space_len <= ORR_FRAME_MAX_SPACE)
        return 0;
    return orr_err_set(e, ORR_EINVAL, "a space name has 1 to 255 bytes");
}

int orr_store_put(struct orr_store *s, const char *space, size_t space_len,
                  const void *key, size_t key_len, const void *bytes, size_t n,
                  uint64_t ttl, struct orr_err *e)
{
    struct orr_digest d;
    struct orr_frame f = {.type = ORR_FRAME_RECORD,
                          .space = space,
                          .space_len = space_len,
                          .key = key,
                          .key_len = key_len,
                          .payload = bytes,
                          .payload_len = n};
    int rc = bad_space(space_len, e);
    if (!rc && n > ORR_STORE_INLINE_RECORD) {
        rc = orr_store_put_blob(s, bytes, n, &d, e);
        f.type = ORR_FRAME_INDIRECT;
        f.payload = d.bytes;
        f.payload_len = sizeof d.bytes;
    }
    if (ttl)
        f.expires = s->wall() + ttl;
    if (!rc)
        rc = orr_store_batch(s, &f, e);
    if (!rc)
        rc = orr_store_commit(s, e);
    /* A run waits for its end, when it is known what it used. */
    if (!rc && !s->spare && s->cat.bytes > s->max_bytes &&
        s->cat.bytes - s->max_bytes > s->max_bytes / 8)
        orr_store_keep_bounds(s);
    return rc;
}

void orr_store_discard(struct orr_store *s, size_t entry)
{
    struct orr_entry t = s->cat.entries[entry];
    const struct orr_space *sp = &s->cat.spaces[t.space];
    struct orr_frame f;
    if (t.type == ORR_FRAME_CAS && !orr_store_read(s, &t, &f, NULL)) {
        struct orr_digest d;
        memcpy(d.bytes, f.key, sizeof d.bytes);
        orr_cas_del(&s->cas, &d);
    }
    struct orr_frame del = {.type = ORR_FRAME_DEL,
                            .space = sp->name,
                            .space_len = sp->len,
                            .key = t.hash,
                            .key_len = sizeof t.hash};
    if (orr_store_batch(s, &del, NULL) < 0 || orr_store_commit(s, NULL) < 0)
        orr_catalog_drop(&s->cat, entry);
}

int orr_store_del(struct orr_store *s, const char *space, size_t space_len,
                  const void *key, size_t key_len, struct orr_err *e)
{
    unsigned char hash[ORR_KEY_HASH];
    int rc = bad_space(space_len, e);
    if (rc < 0)
        return rc;
    orr_catalog_hash(space, space_len, key, key_len, hash);
    ptrdiff_t i = orr_store_find(s, hash);
    if (i < 0)
        return 0;
    struct orr_frame del = {.type = ORR_FRAME_DEL,
                            .space = space,
                            .space_len = space_len,
                            .key = hash,
                            .key_len = sizeof hash};
    rc = orr_store_batch(s, &del, e);
    if (!rc)
        rc = orr_store_commit(s, e);
    return rc < 0 ? rc : 1;
}

/* --- reading ---------------------------------------------------------------
 */

int orr_store_read(struct orr_store *s, const struct orr_entry *t,
                   struct orr_frame *f, struct orr_err *e)
{
    uint64_t id = s->cat.segs[t->seg].id, off = (uint64_t)t->off * 8;
    int fd = orr_store_seg_fd(s, t->seg);
    if (fd < 0)
        return orr_err_errno(e, errno, "open a cache segment in %s", s->dir);
    orr_buf_clear(&s->read);
    if (orr_buf_reserve(&s->read, t->size) < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory for a cache record");
    ssize_t n;
    do
        n = pread(fd, s->read.data, t->size, (off_t)off);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return orr_err_errno(e, errno, "read a cache segment in %s", s->dir);
    unsigned char hash[ORR_KEY_HASH] = {0};
    if (n != (ssize_t)t->size ||
        orr_frame_decode(s->read.data, (size_t)n, id, off, f) ||
        f->type != t->type)
        return orr_err_set(e, ORR_ECORRUPT, "a cache record is damaged");
    orr_catalog_hash(f->space, f->space_len, f->key, f->key_len, hash);
    bool blob = f->type == ORR_FRAME_BLOB || f->type == ORR_FRAME_CAS;
    if (memcmp(hash, t->hash, sizeof hash) ||
        (blob && f->key_len != sizeof(struct orr_digest)))
        return orr_err_set(e, ORR_ECORRUPT, "a cache record is not its key's");
    return 0;
}

/* Reads what an entry says, into 'out'. What is read once is mostly not read
 * again: it is kept from the second time on. */
static int value_of(struct orr_store *s, const struct orr_entry *t,
                    struct orr_store_value *out, struct orr_err *e)
{
    struct orr_frame f;
    struct orr_digest d;
    uint64_t seg = s->cat.segs[t->seg].id;
    const struct orr_recalled *k = orr_recall_find(&s->recall, t, seg);
    if (k) {
        *out = (struct orr_store_value){k->bytes, k->n, k->created, k->expires};
        return 0;
    }
    int rc = orr_store_read(s, t, &f, e);
    if (rc < 0)
        return rc;
    if (t->used && f.type == ORR_FRAME_RECORD)
        orr_recall_keep(&s->recall, t, seg, &f);
    *out = (struct orr_store_value){.bytes = f.payload,
                                    .n = f.payload_len,
                                    .created = f.created,
                                    .expires = f.expires};
    if (f.type != ORR_FRAME_INDIRECT)
        return 0;
    if (f.payload_len != sizeof d.bytes)
        return orr_err_set(e, ORR_ECORRUPT, "a cache record has no digest");
    memcpy(d.bytes, f.payload, sizeof d.bytes);
    struct orr_buf b = {0};
    rc = orr_store_get_blob(s, &d, &b, e);
    orr_buf_fini(&s->read);
    s->read = b;
    out->bytes = b.data;
    out->n = b.len;
    return rc == ORR_ENOENT ? ORR_ECORRUPT : rc;
}

int orr_store_get(struct orr_store *s, const char *space, size_t space_len,
                  const void *key, size_t key_len, struct orr_store_value *out,
                  struct orr_err *e)
{
    unsigned char hash[ORR_KEY_HASH];
    int rc = bad_space(space_len, e);
    if (rc < 0)
        return rc;
    int space_id = orr_catalog_space(&s->cat, space, space_len, true);
    orr_catalog_hash(space, space_len, key, key_len, hash);
    ptrdiff_t i = orr_store_find(s, hash);
    for (int tries = 0; i >= 0 && tries < 2; tries++) {
        struct orr_entry t = s->cat.entries[i];
        rc = value_of(s, &t, out, e);
        if (!rc) {
            orr_catalog_use(&s->cat, (size_t)i, orr_store_today(s));
            s->cat.spaces[t.space].hits++;
            return 0;
        }
        if (rc == ORR_ECORRUPT)
            orr_store_discard(s, (size_t)i);
        orr_store_refresh(s, NULL); /* it may have moved */
        i = orr_store_find(s, hash);
    }
    if (space_id >= 0)
        s->cat.spaces[space_id].misses++;
    return orr_err_set(e, ORR_ENOENT, "no such record");
}
