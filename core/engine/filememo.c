/*
 * filememo: threads compare and read, the caller's thread writes the index.
 *
 * Nothing of the index changes while the threads run: they fill one outcome a
 * file, and the outcomes are taken in afterwards, in order.
 */
#include "engine/filememo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "engine/filecopy.h"
#include "engine/parallel.h"

enum { SLICE = 64, WORTH = 256 }; /* files at a time, and for a thread */
enum { TRIES = 3 };
enum { KEY_PREFIX = 5, FIRST_BLOCK = 1024, BLOCK = 32 * 1024 };
static const int64_t second = 1000000000;

struct file {
    char *key;          /* in a block; "file:" and the path, NUL-terminated */
    uint32_t len, hash; /* of the key */
    const struct orr_filefact *fact; /* remembered, or just found */
    int sys;                         /* of the last check */
    bool checked, wavered;
};

struct block {
    struct block *older;
    char bytes[];
};

struct orr_filememo {
    struct orr_index *ix; /* borrowed */
    struct file *files;   /* owned */
    size_t count, cap;
    uint32_t *slots; /* owned; hash of a key → number + 1; twice cap of them */
    struct block *blocks; /* owned; the newest has 'room' bytes at 'next' */
    char *next;
    size_t room;
    int64_t (*now)(void);
    int64_t tick; /* granularity of the clock that stamps files */
    uint64_t reads;
};

/* --- the clock --------------------------------------------------------------
 */

int64_t orr_file_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    return t.tv_sec * second + t.tv_nsec;
}

int64_t orr_file_tick(void)
{
    struct timespec t;
    if (clock_getres(CLOCK_REALTIME_COARSE, &t) < 0)
        return second / 100;
    return t.tv_sec * second + t.tv_nsec;
}

/* --- one file ---------------------------------------------------------------
 */

/* What a check found of one file. */
struct outcome {
    int sys;   /* errno, or 0 */
    int fresh; /* 'fact' is new and is to be remembered */
    struct orr_filefact fact;
};

int orr_filefact_look(int dirfd, const char *path, int flags,
                      struct orr_filefact *f)
{
    struct statx st;
    const unsigned want = STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE |
                          STATX_MTIME | STATX_CTIME;
    if (statx(dirfd, path, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, want,
              &st) < 0)
        return errno;
    *f = (struct orr_filefact){
        .dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor,
        .ino = st.stx_ino,
        .size = st.stx_size,
        .mtime = st.stx_mtime.tv_sec * second + st.stx_mtime.tv_nsec,
        .ctime = st.stx_ctime.tv_sec * second + st.stx_ctime.tv_nsec,
        .mode = st.stx_mode & 07777};
    if (S_ISREG(st.stx_mode))
        f->kind = ORR_FILE_REGULAR;
    else if (S_ISLNK(st.stx_mode))
        f->kind = ORR_FILE_LINK;
    else
        return S_ISDIR(st.stx_mode) ? EISDIR : EINVAL;
    return 0;
}

bool orr_filefact_same(const struct orr_filefact *a,
                       const struct orr_filefact *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime == b->mtime && a->ctime == b->ctime && a->mode == b->mode &&
           a->kind == b->kind;
}

static int read_link(const char *path, struct orr_filefact *f)
{
    char target[4096];
    struct orr_hasher h;
    ssize_t n = readlink(path, target, sizeof target);
    if (n < 0)
        return errno;
    if ((size_t)n == sizeof target)
        return ENAMETOOLONG;
    orr_hasher_init(&h);
    orr_hasher_put(&h, "link:", 5);
    orr_hasher_put(&h, target, (size_t)n);
    orr_hasher_get(&h, &f->digest);
    return 0;
}

/* Reads the file; 'f' becomes what was read, as it was seen before and after.
 * A file that never holds still is not believed later. */
static int read_regular(const char *path, struct orr_filefact *f, int64_t seen)
{
    int sys = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno;
    for (int i = 0; i < TRIES; i++) {
        struct orr_filefact before, after;
        struct orr_err e;
        sys = orr_filefact_look(fd, "", AT_EMPTY_PATH, &before);
        if (!sys && orr_filehash(fd, path, &before.digest, &e) < 0)
            sys = e.sys ? e.sys : EIO;
        if (!sys)
            sys = orr_filefact_look(fd, "", AT_EMPTY_PATH, &after);
        if (sys)
            break;
        *f = before;
        f->seen = orr_filefact_same(&before, &after) ? seen : 0;
        if (f->seen)
            break;
    }
    close(fd);
    return sys;
}

static void check_one(const struct file *file, int64_t now, int64_t tick,
                      struct outcome *o)
{
    const char *path = file->key + KEY_PREFIX;
    struct orr_filefact f;
    o->sys = orr_filefact_look(AT_FDCWD, path, 0, &f);
    if (o->sys)
        return;
    const struct orr_filefact *old = file->fact;
    if (old && orr_filefact_same(old, &f) &&
        orr_filefact_settled(old, now, tick))
        return;
    f.seen = now;
    if (f.kind == ORR_FILE_LINK)
        o->sys = read_link(path, &f);
    else
        o->sys = read_regular(path, &f, now);
    o->fact = f;
    o->fresh = !o->sys;
}

/* --- many files -------------------------------------------------------------
 */

struct work {
    const struct orr_filememo *m;
    const uint32_t *ids;
    struct outcome *out;
};

static void check_some(void *ctx, size_t from, size_t to)
{
    const struct work *w = ctx;
    for (size_t i = from; i < to; i++) /* the clock is read before the file */
        check_one(&w->m->files[w->ids[i]], w->m->now(), w->m->tick, &w->out[i]);
}

/* Is this not what an earlier check of the same memo found? */
static bool differs(const struct file *f, const struct outcome *o)
{
    if (!f->checked)
        return false;
    if (f->sys != o->sys)
        return true;
    return o->fresh &&
           (!f->fact || f->fact->mode != o->fact.mode ||
            f->fact->kind != o->fact.kind ||
            memcmp(&f->fact->digest, &o->fact.digest, sizeof o->fact.digest));
}

/* Takes one outcome into the memo and the index. */
static int take(struct orr_filememo *m, uint32_t id, const struct outcome *o)
{
    struct file *f = &m->files[id];
    const void *kept = f->fact;
    int rc = 0;
    f->wavered |= differs(f, o);
    f->sys = o->sys;
    f->checked = true;
    if (o->sys) {
        kept = NULL;
        if (o->sys == ENOENT || o->sys == EISDIR)
            rc = orr_index_del(m->ix, f->key, f->len);
    } else if (o->fresh) {
        m->reads++;
        rc = orr_index_put(m->ix, f->key, f->len, &o->fact, sizeof o->fact,
                           &kept, NULL);
    }
    f->fact = kept;
    return rc;
}

int orr_filememo_check(struct orr_filememo *m, const uint32_t *ids, size_t n,
                       unsigned threads)
{
    struct outcome one = {0};
    struct work w = {m, ids, &one};
    if (n > 1 && !(w.out = calloc(n, sizeof *w.out)))
        return ORR_ENOMEM;
    orr_parallel(n, SLICE, WORTH, threads, check_some, &w);
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = take(m, ids[i], &w.out[i]);
    if (w.out != &one)
        free(w.out);
    return rc;
}

bool orr_filefact_settled(const struct orr_filefact *f, int64_t now,
                          int64_t tick)
{
    int64_t newest = f->mtime > f->ctime ? f->mtime : f->ctime;
    bool whole = f->mtime % second == 0 && f->ctime % second == 0;
    int64_t margin = whole ? 2 * second : tick;
    return f->seen && newest < f->seen - margin && f->seen <= now + tick;
}

/* --- the face ---------------------------------------------------------------
 */

struct orr_filememo *orr_filememo_new(struct orr_index *ix)
{
    struct orr_filememo *m = orr_xalloc(sizeof *m);
    m->ix = ix;
    m->now = orr_file_now;
    m->tick = orr_file_tick();
    return m;
}

void orr_filememo_free(struct orr_filememo *m)
{
    if (!m)
        return;
    while (m->blocks) {
        struct block *b = m->blocks;
        m->blocks = b->older;
        free(b);
    }
    free(m->files);
    free(m->slots);
    free(m);
}

void orr_filememo_set_clock(struct orr_filememo *m, int64_t (*now)(void))
{
    m->now = now ? now : orr_file_now;
}

/* The remembered fact of a key, when it is one. */
static const struct orr_filefact *recall(const struct orr_filememo *m,
                                         const struct file *f)
{
    const void *v;
    size_t n;
    if (!orr_index_get(m->ix, f->key, f->len, &v, &n) ||
        n != sizeof(struct orr_filefact))
        return NULL;
    return v;
}

/* The key of a path, in a block that is never moved. */
static char *keep_key(struct orr_filememo *m, const char *path, size_t n)
{
    size_t size = KEY_PREFIX + n + 1;
    if (size > m->room) {
        size_t usual = m->blocks ? BLOCK : FIRST_BLOCK;
        m->room = size > usual ? size : usual;
        struct block *b = orr_xalloc(sizeof *b + m->room);
        b->older = m->blocks;
        m->blocks = b;
        m->next = b->bytes;
    }
    char *key = m->next;
    m->next += size;
    m->room -= size;
    memcpy(key, "file:", KEY_PREFIX);
    if (n)
        memcpy(key + KEY_PREFIX, path, n);
    key[size - 1] = '\0';
    return key;
}

static void grow(struct orr_filememo *m)
{
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct file *files = orr_xalloc(cap * sizeof *files);
    uint32_t *slots = orr_xalloc(cap * 2 * sizeof *slots);
    if (m->count)
        memcpy(files, m->files, m->count * sizeof *files);
    for (size_t i = 0; i < m->count; i++) {
        size_t at = files[i].hash & (cap * 2 - 1);
        while (slots[at])
            at = (at + 1) & (cap * 2 - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(m->files);
    free(m->slots);
    m->files = files;
    m->slots = slots;
    m->cap = cap;
}

uint32_t orr_filememo_id(struct orr_filememo *m, const char *path, size_t n)
{
    if (m->count == m->cap)
        grow(m);
    uint32_t hash = orr_map_hash(path, n);
    size_t at = hash & (m->cap * 2 - 1);
    for (; m->slots[at]; at = (at + 1) & (m->cap * 2 - 1)) {
        const struct file *f = &m->files[m->slots[at] - 1];
        if (f->hash == hash && f->len == KEY_PREFIX + n &&
            !memcmp(f->key + KEY_PREFIX, path, n))
            return m->slots[at] - 1;
    }
    struct file *f = &m->files[m->count];
    *f = (struct file){.key = keep_key(m, path, n),
                       .len = (uint32_t)(KEY_PREFIX + n),
                       .hash = hash};
    f->fact = recall(m, f);
    m->slots[at] = (uint32_t)++m->count;
    return (uint32_t)m->count - 1;
}

const struct orr_filefact *orr_filememo_fact(const struct orr_filememo *m,
                                             uint32_t id, int *sys)
{
    const struct file *f = &m->files[id];
    if (sys)
        *sys = f->sys;
    return f->checked ? f->fact : NULL;
}

int orr_filememo_get(struct orr_filememo *m, const char *path, size_t n,
                     const struct orr_filefact **fact, struct orr_err *e)
{
    uint32_t id = orr_filememo_id(m, path, n);
    if (orr_filememo_check(m, &id, 1, 1) < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory to remember %.*s", (int)n,
                           path);
    int sys;
    const struct orr_filefact *f = orr_filememo_fact(m, id, &sys);
    if (sys == EINVAL)
        return orr_err_set(e, ORR_EINVAL,
                           "%.*s is neither a file nor a symlink", (int)n,
                           path);
    if (!f)
        return orr_err_errno(e, sys, "digest %.*s", (int)n, path);
    *fact = f;
    return 0;
}

void orr_filememo_forget(struct orr_filememo *m, const char *path, size_t n)
{
    uint32_t id = orr_filememo_id(m, path, n);
    orr_index_del(m->ix, m->files[id].key, m->files[id].len);
    m->files[id].wavered |= m->files[id].checked;
    m->files[id].fact = NULL;
    m->files[id].sys = 0;
    m->files[id].checked = false;
}

uint64_t orr_filememo_reads(const struct orr_filememo *m)
{
    return m->reads;
}

size_t orr_filememo_count(const struct orr_filememo *m)
{
    return m->count;
}

const char *orr_filememo_path(const struct orr_filememo *m, uint32_t id,
                              size_t *n)
{
    *n = m->files[id].len - KEY_PREFIX;
    return m->files[id].key + KEY_PREFIX;
}

bool orr_filememo_wavered(const struct orr_filememo *m, uint32_t id)
{
    return m->files[id].wavered;
}

bool orr_filememo_checked(const struct orr_filememo *m, uint32_t id)
{
    return m->files[id].checked;
}

int64_t orr_filememo_now(const struct orr_filememo *m)
{
    return m->now();
}
