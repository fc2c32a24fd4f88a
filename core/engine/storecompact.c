/*
 * storecompact: live frames of mostly dead segments are appended to ours, with
 * their old stamps; then the segment is removed. Whoever still has it open
 * reads on; whoever opens it too late looks again and finds the copies.
 *
 * A deletion must be kept while some other segment may hold what it deletes,
 * that is, while one has a frame older than it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "engine/store_priv.h"

/* Less than this is not worth a rewrite. */
enum { WASTE = 64 * 1024, BATCH = 1024 * 1024 };

static bool mostly_dead(const struct orr_seg *g)
{
    uint64_t dead = g->covered - g->live;
    return !g->live || (dead > WASTE && dead > g->live);
}

/* Is there, outside 'seg', a frame older than 'stamp'? */
static bool older_elsewhere(const struct orr_catalog *c, size_t seg,
                            uint64_t stamp)
{
    for (size_t i = 0; i < c->nsegs; i++)
        if (i != seg && !c->segs[i].gone && c->segs[i].oldest < stamp)
            return true;
    return false;
}

static int flush_if(struct orr_store *s, size_t over, struct orr_err *e)
{
    return s->batch.len > over ? orr_store_commit(s, e) : 0;
}

/* Appends a copy of one entry's frame, or drops what need not be kept. */
static int move_entry(struct orr_store *s, size_t i, struct orr_err *e)
{
    struct orr_entry t = s->cat.entries[i];
    struct orr_frame f;
    if (t.type == ORR_FRAME_DEL && !older_elsewhere(&s->cat, t.seg, t.stamp)) {
        orr_catalog_drop(&s->cat, i);
        return 0;
    }
    int rc = orr_store_read(s, &t, &f, NULL);
    if (rc == ORR_ECORRUPT || rc == ORR_ENOENT) {
        orr_catalog_drop(&s->cat, i);
        return 0;
    }
    if (!rc)
        rc = orr_store_batch(s, &f, e);
    return rc < 0 ? rc : flush_if(s, BATCH, e);
}

static int move_clears(struct orr_store *s, size_t seg, struct orr_err *e)
{
    int rc = 0;
    for (size_t i = 0; i < s->cat.nspaces && !rc; i++) {
        const struct orr_space *sp = &s->cat.spaces[i];
        if (!sp->cleared || sp->clear_seg != seg ||
            !older_elsewhere(&s->cat, seg, sp->cleared))
            continue;
        struct orr_frame f = {.type = ORR_FRAME_CLEAR,
                              .stamp = sp->cleared,
                              .created = s->wall(),
                              .space = sp->name,
                              .space_len = sp->len};
        rc = orr_store_batch(s, &f, e);
    }
    return rc;
}

/* Empties a locked segment into ours and removes it. */
static int dissolve(struct orr_store *s, size_t seg, const uint32_t *entries,
                    size_t n, struct orr_err *e)
{
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        const struct orr_entry *t = &s->cat.entries[entries[i]];
        if (t->type && t->seg == seg) /* news may have come meanwhile */
            rc = move_entry(s, entries[i], e);
    }
    if (!rc)
        rc = move_clears(s, seg, e);
    if (!rc)
        rc = flush_if(s, 0, e);
    if (rc < 0) {
        orr_buf_clear(&s->batch);
        return rc;
    }
    char name[17];
    struct orr_seg *g = &s->cat.segs[seg];
    orr_segment_name(g->id, name);
    unlinkat(s->segfd, name, 0);
    g->gone = true;
    s->cat.fresh++;
    if (g->fd >= 0)
        close(g->fd);
    g->fd = -1;
    return 0;
}

/* Locks and empties one segment; one that is in use is left alone. */
static int compact_one(struct orr_store *s, size_t seg, struct orr_err *e)
{
    struct orr_segment held = ORR_SEGMENT_INIT;
    uint32_t *entries = NULL;
    size_t n = 0;
    int rc = 0;
    if (orr_segment_adopt(&held, s->segfd, s->cat.segs[seg].id, NULL) < 0)
        return 0;
    rc = orr_store_scan(s, seg, held.size, e);
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < s->cat.count; i++)
        n += s->cat.entries[i].type && s->cat.entries[i].seg == seg;
    entries = malloc((n + 1) * sizeof *entries);
    if (!entries) {
        rc = orr_err_set(e, ORR_ENOMEM, "no memory to compact the cache");
        goto out;
    }
    n = 0;
    for (size_t i = 0; i < s->cat.count; i++)
        if (s->cat.entries[i].type && s->cat.entries[i].seg == seg)
            entries[n++] = (uint32_t)i;
    rc = dissolve(s, seg, entries, n, e);
out:
    free(entries);
    orr_segment_fini(&held);
    return rc;
}

int orr_store_compact(struct orr_store *s, const bool *forced, size_t nforced,
                      struct orr_err *e)
{
    int rc = 0;
    size_t n = s->cat.nsegs; /* what is added on the way is fresh */
    for (size_t i = 0; i < n; i++) {
        struct orr_seg *g = &s->cat.segs[i];
        bool force = forced && i < nforced && forced[i];
        g->doomed = !g->gone && (force || mostly_dead(g));
        if (g->doomed && s->seg.fd >= 0 && s->seg.id == g->id)
            orr_segment_fini(&s->seg);
    }
    for (size_t i = 0; i < n && !rc; i++)
        if (s->cat.segs[i].doomed)
            rc = compact_one(s, i, e);
    for (size_t i = 0; i < n; i++)
        s->cat.segs[i].doomed = false;
    return rc;
}
