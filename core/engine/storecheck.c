/*
 * storecheck: reads every byte of a store that is believed to mean something.
 * What is damaged is dropped, and its segment rewritten when nobody uses it, so
 * that a second look finds a sound store.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "engine/store_priv.h"

struct tally {
    struct orr_store *s;
    uint64_t checked, corrupt, missing;
};

/* A frame that passed its checksum; a blob must also be what it is called. */
static int check_frame(void *ctx, const struct orr_frame *f, uint64_t off)
{
    struct tally *t = ctx;
    struct orr_digest d;
    (void)off;
    t->checked++;
    if (f->type != ORR_FRAME_BLOB)
        return 0;
    orr_hash_bytes(f->payload, f->payload_len, &d);
    if (f->key_len != sizeof d.bytes || memcmp(f->key, d.bytes, sizeof d.bytes))
        t->corrupt++;
    return 0;
}

/* Scans every segment from its beginning; flags those with damage. */
static int check_segments(struct tally *t, bool *damaged, size_t n,
                          struct orr_err *e)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t covered, bad = 0, before = t->corrupt;
        if (t->s->cat.segs[i].gone)
            continue;
        int fd = orr_store_seg_fd(t->s, i);
        if (fd < 0)
            continue;
        int rc = orr_segment_scan(fd, t->s->cat.segs[i].id, 0, check_frame, t,
                                  &covered, &bad, e);
        if (rc < 0)
            return rc;
        t->corrupt += bad;
        t->checked += bad;
        damaged[i] = t->corrupt > before;
    }
    return 0;
}

/* 0: sound; ORR_ECORRUPT: to be dropped; or another failure. */
static int check_entry(struct tally *t, const struct orr_entry *entry,
                       struct orr_err *e)
{
    struct orr_frame f;
    struct orr_digest d, got;
    int rc = orr_store_read(t->s, entry, &f, e);
    if (rc < 0)
        return rc == ORR_ENOENT ? ORR_ECORRUPT : rc;
    if (entry->type == ORR_FRAME_BLOB) {
        orr_hash_bytes(f.payload, f.payload_len, &got);
        return memcmp(f.key, got.bytes, sizeof got.bytes) ? ORR_ECORRUPT : 0;
    }
    if (entry->type != ORR_FRAME_CAS)
        return 0;
    memcpy(d.bytes, f.key, sizeof d.bytes);
    t->checked++;
    rc = orr_cas_check(&t->s->cas, &d, e);
    t->corrupt += rc == ORR_ECORRUPT;
    t->missing += rc == ORR_ENOENT;
    return rc == ORR_ENOENT ? ORR_ECORRUPT : rc;
}

static int check_entries(struct tally *t, struct orr_err *e)
{
    for (size_t i = 0; i < t->s->cat.count; i++) {
        struct orr_entry entry = t->s->cat.entries[i];
        if (!orr_entry_live(&entry))
            continue;
        int rc = check_entry(t, &entry, e);
        if (rc == ORR_ECORRUPT)
            orr_store_discard(t->s, i);
        else if (rc < 0)
            return rc;
    }
    return 0;
}

/* A cas file that no frame speaks of: checked and taken in. */
static int check_orphan(void *ctx, const struct orr_digest *d, uint64_t size)
{
    struct tally *t = ctx;
    unsigned char hash[ORR_KEY_HASH];
    (void)size;
    orr_catalog_hash("", 0, d->bytes, sizeof d->bytes, hash);
    if (orr_store_find(t->s, hash) >= 0)
        return 0;
    t->checked++;
    int rc = orr_cas_check(&t->s->cas, d, NULL);
    if (!rc)
        orr_store_has_blob(t->s, d);
    t->corrupt += rc == ORR_ECORRUPT;
    return 0;
}

int orr_store_verify(struct orr_store *s, struct orr_store_report *out,
                     struct orr_err *e)
{
    struct tally t = {.s = s};
    int rc = orr_store_refresh(s, e);
    if (rc < 0)
        return rc;
    size_t n = s->cat.nsegs;
    bool *damaged = orr_xalloc((n + 1) * sizeof *damaged);
    rc = check_segments(&t, damaged, n, e);
    if (!rc)
        rc = check_entries(&t, e);
    if (!rc)
        rc = orr_cas_walk(&s->cas, check_orphan, &t);
    if (!rc)
        rc = orr_store_compact(s, damaged, n, e);
    free(damaged);
    if (rc < 0)
        return rc;
    *out = (struct orr_store_report){t.checked, t.corrupt, t.missing};
    return 0;
}
