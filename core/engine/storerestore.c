/*
 * storerestore: many blobs to many files at once.
 *
 * The caller's thread looks every blob up; then threads read, verify and write,
 * touching nothing of the store but open files. What fails is left to the
 * single way, which may refresh and drop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/filecopy.h"
#include "engine/parallel.h"
#include "engine/store_priv.h"

enum { SLICE = 16, WORTH = 64 }; /* files at a time, and for a thread */

/* Where a blob lies. */
struct source {
    int fd;        /* of the segment; -1: a cas file, -2: unknown */
    uint32_t size; /* of the frame */
    uint64_t id, off;
    ptrdiff_t entry;
};

struct work {
    struct orr_store *s;
    struct orr_store_job *jobs;
    struct source *from;
};

static int write_frame(const struct source *f, const struct orr_digest *d,
                       int to)
{
    struct orr_frame frame;
    struct orr_digest got;
    int rc = ORR_ECORRUPT;
    unsigned char *p = malloc(f->size);
    ssize_t n;
    if (!p)
        return ORR_ENOMEM;
    do
        n = pread(f->fd, p, f->size, (off_t)f->off);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)f->size &&
        !orr_frame_decode(p, f->size, f->id, f->off, &frame)) {
        orr_hash_bytes(frame.payload, frame.payload_len, &got);
        if (!memcmp(got.bytes, d->bytes, sizeof got.bytes))
            rc = orr_write_all(to, frame.payload, frame.payload_len, "", NULL);
    }
    free(p);
    return rc;
}

static void restore_one(const struct work *w, size_t i)
{
    const struct source *f = &w->from[i];
    struct orr_store_job *job = &w->jobs[i];
    struct orr_restore r = ORR_RESTORE_INIT;
    job->done = false;
    if (f->fd == -2 || orr_restore_begin(&r, &w->s->root, job->rel, NULL) < 0)
        goto out;
    int rc = f->fd >= 0 ? write_frame(f, &job->digest, r.fd)
                        : orr_cas_copy(&w->s->cas, &job->digest, r.fd, NULL);
    job->done = !rc && !orr_restore_commit(&r, job->mode, NULL);
out:
    orr_restore_fini(&r);
}

static void restore_some(void *ctx, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        restore_one(ctx, i);
}

static struct source locate(struct orr_store *s, const struct orr_digest *d)
{
    struct source f = {.fd = -2, .entry = orr_store_find_blob(s, d)};
    if (f.entry < 0)
        return f;
    const struct orr_entry *t = &s->cat.entries[f.entry];
    f.fd = -1;
    if (t->type != ORR_FRAME_BLOB)
        return f;
    f.fd = orr_store_seg_fd(s, t->seg);
    if (f.fd < 0)
        f.fd = -2;
    f.size = t->size;
    f.off = (uint64_t)t->off * 8;
    f.id = s->cat.segs[t->seg].id;
    return f;
}

void orr_store_restore_many(struct orr_store *s, const char *root,
                            struct orr_store_job *jobs, size_t n,
                            unsigned threads)
{
    struct work w = {.s = s, .jobs = jobs};
    w.from =
        n && n < SIZE_MAX / sizeof *w.from ? malloc(n * sizeof *w.from) : NULL;
    for (size_t i = 0; i < n; i++)
        jobs[i].done = false;
    if (!w.from || orr_store_root(s, root, NULL) < 0)
        goto out;
    /* No news from here on: a refresh could close files that are read. */
    orr_store_refresh(s, NULL);
    s->next_refresh = UINT64_MAX;
    for (size_t i = 0; i < n; i++)
        w.from[i] = locate(s, &jobs[i].digest);
    orr_parallel(n, SLICE, WORTH, threads, restore_some, &w);
    for (size_t i = 0; i < n; i++)
        if (jobs[i].done)
            orr_catalog_use(&s->cat, (size_t)w.from[i].entry,
                            orr_store_today(s));
    s->next_refresh = 0;
out:
    free(w.from);
}
