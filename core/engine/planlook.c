/*
 * planlook: reading a plan. The threads stat what lies inside the root relative
 * to it, which spares the kernel the way to there; each number has a mark of
 * its own, so that the doubtful ones come out in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc.h"
#include "engine/parallel.h"
#include "engine/plan_priv.h"

enum { SLICE = 64, WORTH = 256 };

int orr_plan_view(struct orr_plan_view *v, const void *blob, size_t n,
                  bool whole)
{
    const unsigned char *p = blob;
    if (n < ORR_PLAN_HEADER || memcmp(p, ORR_PLAN_MAGIC, 8) != 0)
        return ORR_ECORRUPT;
    if (whole && orr_get_u32(p + ORR_PLAN_CRC) !=
                     orr_crc32c(0, p + ORR_PLAN_CRC + 4, n - ORR_PLAN_CRC - 4))
        return ORR_ECORRUPT;
    v->file_count = orr_get_u32(p + 12);
    v->dir_count = orr_get_u32(p + 16);
    v->root_len = orr_get_u32(p + 20);
    v->strings_len = orr_get_u32(p + 24);
    uint64_t files = (uint64_t)v->file_count * sizeof(struct orr_plan_file);
    uint64_t dirs = (uint64_t)v->dir_count * sizeof(struct orr_plan_dir);
    if (ORR_PLAN_HEADER + files + dirs + v->strings_len != n ||
        v->root_len >= v->strings_len || p[n - 1])
        return ORR_ECORRUPT;
    v->files = p + ORR_PLAN_HEADER;
    v->dirs = v->files + files;
    v->strings = v->dirs + dirs;
    return v->strings[v->root_len] ? ORR_ECORRUPT : 0;
}

int orr_plan_path_of(const struct orr_plan_view *v, uint32_t at, uint32_t len,
                     struct orr_buf *out)
{
    bool inside = len & ORR_PLAN_INSIDE;
    len &= ~(uint32_t)ORR_PLAN_INSIDE;
    if ((uint64_t)at + len >= v->strings_len)
        return ORR_ECORRUPT;
    orr_buf_clear(out);
    int rc = inside ? orr_buf_put(out, v->strings, v->root_len) : 0;
    rc |= inside ? orr_buf_putc(out, '/') : 0;
    rc |= orr_buf_put(out, v->strings + at, len);
    rc |= orr_buf_putc(out, 0);
    return rc ? ORR_ENOMEM : 0;
}

int orr_plan_path(const void *blob, size_t n, uint32_t number,
                  struct orr_buf *out, struct orr_err *e)
{
    struct orr_plan_view v;
    int rc = orr_plan_view(&v, blob, n, false);
    if (rc == 0 && number < v.file_count) {
        struct orr_plan_file r = orr_plan_file_at(&v, number);
        rc = orr_plan_path_of(&v, r.path, r.path_len, out);
    } else if (rc == 0 && number - v.file_count < v.dir_count) {
        struct orr_plan_dir r = orr_plan_dir_at(&v, number - v.file_count);
        rc = orr_plan_path_of(&v, r.path, r.path_len, out);
    } else if (rc == 0) {
        return orr_err_set(e, ORR_EINVAL, "there is no such number");
    }
    return rc ? orr_err_set(e, rc, "the plan is damaged") : 0;
}

/* --- looking ---------------------------------------------------------------
 */

struct work {
    struct orr_plan_view v;
    int root; /* descriptor */
    int64_t now, tick;
    unsigned char *doubt; /* a mark for each number */
};

static const char *name_of(const struct work *w, uint32_t at, uint32_t len,
                           int *dirfd)
{
    *dirfd = len & ORR_PLAN_INSIDE ? w->root : AT_FDCWD;
    return (const char *)w->v.strings + at;
}

static bool file_holds(const struct work *w, uint32_t i)
{
    struct orr_plan_file r = orr_plan_file_at(&w->v, i);
    struct orr_filefact is;
    int dirfd;
    if (r.path >= w->v.strings_len)
        return false;
    const char *path = name_of(w, r.path, r.path_len, &dirfd);
    int sys = orr_filefact_look(dirfd, path, 0, &is);
    if (sys || !r.fact.kind)
        return !r.fact.kind && (sys == ENOENT || sys == ENOTDIR);
    if (!orr_filefact_same(&r.fact, &is) ||
        !orr_filefact_settled(&r.fact, w->now, w->tick))
        return false;
    return is.kind != ORR_FILE_LINK || orr_plan_target(dirfd, path) == r.target;
}

static void look_some(void *ctx, size_t from, size_t to)
{
    const struct work *w = ctx;
    for (size_t i = from; i < to; i++)
        w->doubt[i] = !file_holds(w, (uint32_t)i);
}

static int look_dirs(struct work *w)
{
    struct orr_buf path = {0};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < w->v.dir_count; i++) {
        struct orr_plan_dir r = orr_plan_dir_at(&w->v, i);
        rc = orr_plan_path_of(&w->v, r.path, r.path_len, &path);
        w->doubt[w->v.file_count + i] =
            rc ||
            !orr_dirfact_holds((char *)path.data, &r.fact, w->now, w->tick);
    }
    orr_buf_fini(&path);
    return rc;
}

static int put_number(struct orr_buf *out, uint32_t number)
{
    return orr_buf_put(out, &number, sizeof number) ? ORR_ENOMEM : 0;
}

int orr_plan_look(const void *blob, size_t n, int64_t now, int64_t tick,
                  struct orr_buf *doubt, struct orr_err *e)
{
    struct work w = {.root = -1, .now = now, .tick = tick};
    size_t all = 0;
    int rc = orr_plan_view(&w.v, blob, n, true);
    if (rc)
        return orr_err_set(e, rc, "the plan is damaged");
    all = (size_t)w.v.file_count + w.v.dir_count;
    w.doubt = calloc(all + 1, 1);
    w.root = open((const char *)w.v.strings, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!w.doubt) {
        rc = orr_plan_no_memory(e);
        goto out;
    }
    orr_parallel(w.v.file_count, SLICE, WORTH, 0, look_some, &w);
    rc = look_dirs(&w);
    for (size_t i = 0; rc == 0 && i < all; i++)
        if (w.doubt[i])
            rc = put_number(doubt, (uint32_t)i);
    if (rc)
        orr_err_set(e, rc, "the plan cannot be compared");
out:
    free(w.doubt);
    if (w.root >= 0)
        close(w.root);
    return rc;
}

/* --- checking what is in doubt ----------------------------------------------
 */

bool orr_plan_says(const struct orr_plan_file *r, const struct orr_filememo *m,
                   uint32_t id)
{
    int sys;
    size_t n;
    const struct orr_filefact *f = orr_filememo_fact(m, id, &sys);
    if (!f)
        return r->fact.kind == 0 && (sys == ENOENT || sys == ENOTDIR);
    if (f->kind != r->fact.kind || f->mode != r->fact.mode ||
        memcmp(&f->digest, &r->fact.digest, sizeof f->digest) != 0)
        return false;
    return f->kind != ORR_FILE_LINK ||
           orr_plan_target(AT_FDCWD, orr_filememo_path(m, id, &n)) == r->target;
}

static bool lists_the_same(const char *path, const struct orr_dirfact *f,
                           int64_t now)
{
    struct orr_dirfact is;
    return !orr_dirfact_get(path, now, &is) && !is.ino == !f->ino &&
           !memcmp(&is.listing, &f->listing, sizeof is.listing);
}

/* Puts the memo's numbers of the files among 'numbers' into 'ids'. */
static int number_files(const struct orr_plan_view *v, struct orr_filememo *m,
                        const uint32_t *numbers, size_t count, uint32_t *ids)
{
    struct orr_buf path = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count && numbers[i] < v->file_count;
         i++) {
        struct orr_plan_file r = orr_plan_file_at(v, numbers[i]);
        rc = orr_plan_path_of(v, r.path, r.path_len, &path);
        if (rc == 0)
            ids[i] = orr_filememo_id(m, (char *)path.data, path.len - 1);
    }
    orr_buf_fini(&path);
    return rc;
}

static int compare(const struct orr_plan_view *v, struct orr_filememo *m,
                   uint32_t number, uint32_t id, struct orr_buf *other)
{
    bool same;
    struct orr_buf path = {0};
    int rc = 0;
    if (number < v->file_count) {
        struct orr_plan_file r = orr_plan_file_at(v, number);
        same = orr_plan_says(&r, m, id);
    } else {
        struct orr_plan_dir r = orr_plan_dir_at(v, number - v->file_count);
        rc = orr_plan_path_of(v, r.path, r.path_len, &path);
        same = rc == 0 &&
               lists_the_same((char *)path.data, &r.fact, orr_filememo_now(m));
    }
    orr_buf_fini(&path);
    return rc || same ? rc : put_number(other, number);
}

int orr_plan_check(const void *blob, size_t n, struct orr_filememo *m,
                   const uint32_t *numbers, size_t count, struct orr_buf *other,
                   struct orr_err *e)
{
    struct orr_plan_view v;
    uint32_t *ids = calloc(count + 1, sizeof *ids);
    size_t files = 0;
    int rc = ids ? orr_plan_view(&v, blob, n, false) : ORR_ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (numbers[i] >= v.file_count + v.dir_count ||
            (i && numbers[i] <= numbers[i - 1]))
            rc = ORR_EINVAL;
        files += numbers[i] < v.file_count;
    }
    if (rc == 0)
        rc = number_files(&v, m, numbers, count, ids);
    if (rc == 0 && orr_filememo_check(m, ids, files, 0) < 0)
        rc = ORR_ENOMEM;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = compare(&v, m, numbers[i], ids[i], other);
    if (rc)
        orr_err_set(e, rc, "the plan cannot be compared");
    free(ids);
    return rc;
}
