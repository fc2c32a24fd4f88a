/*
 * store: opening, seeing what others wrote, locks, closing. What is in the
 * directory is only looked at here; storerecord.c reads and writes frames.
 */
#include "engine/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/catalogfile.h"
#include "engine/files.h"
#include "engine/store_priv.h"

#define DEFAULT_MAX_BYTES (10ull << 30)
#define DEFAULT_MAX_AGE (30ull * ORR_DAY_S * 1000000000ull)

uint16_t orr_store_today(const struct orr_store *s)
{
    return (uint16_t)(s->wall() / 1000000000u / ORR_DAY_S);
}

/* --- seeing ----------------------------------------------------------------
 */

int orr_store_seg_fd(struct orr_store *s, size_t seg)
{
    struct orr_seg *g = &s->cat.segs[seg];
    if (g->fd < 0) {
        char name[17];
        orr_segment_name(g->id, name);
        g->fd = openat(s->segfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    return g->fd;
}

struct scan {
    struct orr_catalog *cat;
    size_t seg;
};

static int scan_frame(void *ctx, const struct orr_frame *f, uint64_t off)
{
    struct scan *sc = ctx;
    return orr_catalog_apply(sc->cat, sc->seg, f, off);
}

int orr_store_scan(struct orr_store *s, size_t seg, uint64_t size,
                   struct orr_err *e)
{
    struct orr_seg *g = &s->cat.segs[seg];
    if (size < g->covered) /* somebody cut it: nothing about it holds */
        orr_catalog_drop_seg(&s->cat, seg);
    if (size <= g->covered)
        return 0;
    int fd = orr_store_seg_fd(s, seg);
    if (fd < 0)
        return orr_err_errno(e, errno, "open a cache segment in %s", s->dir);
    struct scan sc = {&s->cat, seg};
    uint64_t covered = 0;
    int rc = orr_segment_scan(fd, g->id, g->covered, scan_frame, &sc, &covered,
                              NULL, e);
    if (!rc)
        s->cat.segs[seg].covered = covered;
    return rc;
}

/* Scans the segments that are there, marking them seen. */
static int see_all(struct orr_store *s, DIR *dir, struct orr_err *e)
{
    struct dirent *d;
    while ((d = readdir(dir))) {
        uint64_t id;
        struct stat st;
        if (!orr_segment_parse(d->d_name, &id) ||
            fstatat(s->segfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        ptrdiff_t seg = orr_catalog_seg(&s->cat, id);
        if (seg < 0)
            return orr_err_set(e, ORR_ENOMEM, "no memory for the cache");
        s->cat.segs[seg].seen = true;
        s->cat.segs[seg].gone = false;
        /* One unreadable segment is a loss of what it holds, not of the rest */
        if (orr_store_scan(s, (size_t)seg, (uint64_t)st.st_size, e) ==
            ORR_ENOMEM)
            return ORR_ENOMEM;
    }
    return 0;
}

static void forget_gone(struct orr_store *s)
{
    for (size_t i = 0; i < s->cat.nsegs; i++) {
        struct orr_seg *g = &s->cat.segs[i];
        if (g->seen || g->gone)
            continue;
        orr_catalog_drop_seg(&s->cat, i);
        g->gone = true;
        if (g->fd >= 0)
            close(g->fd);
        g->fd = -1;
        if (s->seg.fd >= 0 && s->seg.id == g->id)
            orr_segment_fini(&s->seg);
    }
}

/* Are the segments still those that were listed? Its directory tells, unless
 * it was listed within the tick of its last change. */
static bool is_listed(struct orr_store *s, uint64_t *changed)
{
    struct stat st;
    *changed = UINT64_MAX;
    if (fstat(s->segfd, &st) < 0)
        return false;
    *changed = (uint64_t)st.st_ctim.tv_sec * 1000000000u +
               (uint64_t)st.st_ctim.tv_nsec;
    return *changed == s->listed;
}

/* Scans what grew of the segments that are known. Nobody else adds to ours. */
static int see_known(struct orr_store *s, struct orr_err *e)
{
    for (size_t i = 0; i < s->cat.nsegs; i++) {
        const struct orr_seg *g = &s->cat.segs[i];
        char name[17];
        struct stat st;
        if (g->gone || (s->seg.fd >= 0 && s->seg.id == g->id))
            continue;
        orr_segment_name(g->id, name);
        if (fstatat(s->segfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue; // gone just now: the next look lists
        if (orr_store_scan(s, i, (uint64_t)st.st_size, e) == ORR_ENOMEM)
            return ORR_ENOMEM;
    }
    return 0;
}

int orr_store_refresh(struct orr_store *s, struct orr_err *e)
{
    uint64_t changed, now = orr_clock_stamp();
    s->next_refresh = orr_clock_mono() + ORR_STORE_REFRESH_NS;
    if (is_listed(s, &changed))
        return see_known(s, e);
    s->listed = 0;
    int fd = openat(s->segfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int sys = errno;
        if (fd >= 0)
            close(fd);
        return orr_err_errno(e, sys, "list %s/seg", s->dir);
    }
    for (size_t i = 0; i < s->cat.nsegs; i++)
        s->cat.segs[i].seen = false;
    int rc = see_all(s, dir, e);
    closedir(dir);
    if (!rc)
        forget_gone(s);
    if (!rc && changed < now)
        s->listed = changed;
    return rc;
}

static ptrdiff_t find_live(struct orr_store *s, const unsigned char *hash)
{
    ptrdiff_t i = orr_catalog_find(&s->cat, hash);
    if (i < 0 || !orr_entry_live(&s->cat.entries[i]))
        return -1;
    const struct orr_entry *t = &s->cat.entries[i];
    bool mortal = t->type != ORR_FRAME_CAS && t->expires;
    return mortal && t->expires <= s->wall() ? -1 : i;
}

ptrdiff_t orr_store_find(struct orr_store *s, const unsigned char *hash)
{
    if (orr_clock_mono() >= s->next_refresh)
        orr_store_refresh(s, NULL);
    return find_live(s, hash);
}

/* --- opening ---------------------------------------------------------------
 */

static int open_dirs(struct orr_store *s, struct orr_err *e)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    s->dirfd = open(s->dir, flags);
    if (s->dirfd < 0 && errno == ENOENT) {
        int rc = orr_files_mkdir(s->dir, e);
        if (rc < 0)
            return rc;
        s->dirfd = open(s->dir, flags);
    }
    if (s->dirfd < 0)
        return orr_err_errno(e, errno, "open the cache directory %s", s->dir);
    s->segfd = openat(s->dirfd, "seg", flags);
    if (s->segfd < 0 && errno == ENOENT) {
        mkdirat(s->dirfd, "tmp", 0777);
        if (mkdirat(s->dirfd, "seg", 0777) < 0 && errno != EEXIST)
            return orr_err_errno(e, errno, "make the directory %s/seg", s->dir);
        s->segfd = openat(s->dirfd, "seg", flags);
    }
    if (s->segfd < 0)
        return orr_err_errno(e, errno, "open the directory %s/seg", s->dir);
    return 0;
}

int orr_store_open(const char *dir, const struct orr_store_opts *o,
                   struct orr_store **out, struct orr_err *e)
{
    static const struct orr_store_opts none;
    if (!o)
        o = &none;
    struct orr_store *s = orr_xalloc(sizeof *s);
    *s = (struct orr_store){.dir = orr_xstrdup(dir),
                            .dirfd = -1,
                            .segfd = -1,
                            .seg = ORR_SEGMENT_INIT,
                            .locks = ORR_LOCKS_INIT,
                            .root = ORR_RESTORE_ROOT_INIT};
    s->max_bytes = o->max_bytes ? o->max_bytes : DEFAULT_MAX_BYTES;
    s->max_age = o->max_age ? o->max_age : DEFAULT_MAX_AGE;
    s->spare = o->spare;
    s->wall = o->wall ? o->wall : orr_clock_wall;
    orr_catalog_init(&s->cat);
    int rc = open_dirs(s, e);
    if (!rc) {
        s->cas.dirfd = s->dirfd;
        orr_catalogfile_load(&s->cat, s->dirfd, NULL);
        rc = orr_store_refresh(s, e);
    }
    if (rc < 0) {
        orr_store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* --- stats, locks, closing -------------------------------------------------
 */

void orr_store_stats(const struct orr_store *s, struct orr_store_stats *out)
{
    *out = (struct orr_store_stats){.records = s->cat.records,
                                    .blobs = s->cat.blobs,
                                    .bytes = s->cat.bytes,
                                    .spaces = s->cat.nspaces - 1};
    if (!out->records && !out->blobs)
        return;
    out->newest = s->cat.last_stamp;
    out->oldest = UINT64_MAX;
    for (size_t i = 0; i < s->cat.nsegs; i++)
        if (!s->cat.segs[i].gone && s->cat.segs[i].oldest < out->oldest)
            out->oldest = s->cat.segs[i].oldest;
}

void orr_store_space_stats(const struct orr_store *s, size_t i,
                           struct orr_store_space *out)
{
    const struct orr_space *sp = &s->cat.spaces[i + 1];
    *out = (struct orr_store_space){sp->name,  sp->len,  sp->records,
                                    sp->bytes, sp->hits, sp->misses};
}

int orr_store_try_lock(struct orr_store *s, const char *name, size_t n,
                       uint64_t *place, struct orr_err *e)
{
    int rc = orr_locks_try(&s->locks, s->dirfd, "lock", name, n, ORR_LOCK_OWN,
                           place, e);
    if (!rc)
        s->next_refresh = 0;
    return rc;
}

void orr_store_unlock(struct orr_store *s, uint64_t place)
{
    orr_locks_release(&s->locks, place);
}

void orr_store_keep_bounds(struct orr_store *s)
{
    uint64_t removed, bytes;
    bool daily = s->cat.pruned_day != orr_store_today(s);
    if (!s->wrote || (!daily && s->cat.bytes <= s->max_bytes))
        return;
    /* Some slack below the bound, or every process would prune a little. */
    bool over = s->cat.bytes > s->max_bytes;
    struct orr_store_limits l = {
        over ? s->max_bytes - s->max_bytes / 8 : UINT64_MAX, s->max_age, true};
    s->sparing = s->spare;
    orr_store_prune(s, &l, &removed, &bytes, NULL);
    s->sparing = false;
    s->cat.pruned_day = orr_store_today(s);
    /* That it was done today is only known to the others by the index. */
    if (s->cat.count > 1000)
        s->cat.fresh += s->cat.count;
}

/* The whole file system once, rather than each blob on its own. */
int orr_store_sync(struct orr_store *s, struct orr_err *e)
{
    int rc = orr_store_commit(s, e);
    if (rc == 0 && syncfs(s->dirfd) < 0)
        rc = orr_err_errno(e, errno, "sync the cache");
    return rc;
}

void orr_store_close(struct orr_store *s)
{
    if (!s)
        return;
    orr_keeper_join(s->keeper);
    if (s->segfd >= 0) {
        orr_store_keep_bounds(s);
        /* Scanning costs a microsecond a frame, saving one for thirty. */
        if (s->cat.fresh > 256 + s->cat.count / 16)
            orr_catalogfile_save(&s->cat, s->dirfd, NULL);
        else
            orr_catalogfile_save_days(&s->cat, s->dirfd);
    }
    orr_locks_fini(&s->locks);
    orr_segment_fini(&s->seg);
    for (size_t i = 0; i < s->cat.nsegs; i++)
        if (s->cat.segs[i].fd >= 0)
            close(s->cat.segs[i].fd);
    orr_catalog_fini(&s->cat);
    if (s->segfd >= 0)
        close(s->segfd);
    if (s->dirfd >= 0)
        close(s->dirfd);
    orr_restore_root_close(&s->root);
    free(s->root_path);
    orr_buf_fini(&s->batch);
    orr_buf_fini(&s->read);
    orr_recall_fini(&s->recall);
    free(s->dir);
    free(s);
}
