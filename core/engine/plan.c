/*
 * plan: encoding walks the memo's numbers, patching copies a blob and makes
 * some records anew. It knows nothing of steps or keys: which facts a run
 * rests on, and what may be concluded, is its caller's matter.
 */
#include "engine/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/crc.h"
#include "engine/plan_priv.h"

struct encoder {
    struct orr_filememo *m;
    const char *root;
    size_t root_len;
    struct orr_buf fixed, strings;
    uint32_t files, dirs;
    struct orr_err *e;
};

int orr_plan_no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for a plan");
}

uint32_t orr_plan_target(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, 0) == 0 ? st.st_mode & S_IFMT : 0;
}

/* --- one record ------------------------------------------------------------
 */

static int put_path(struct encoder *c, const char *path, size_t n, uint32_t *at,
                    uint32_t *len)
{
    uint32_t inside = 0;
    if (n > c->root_len && !memcmp(path, c->root, c->root_len) &&
        path[c->root_len] == '/') {
        path += c->root_len + 1;
        n -= c->root_len + 1;
        inside = ORR_PLAN_INSIDE;
    }
    if (n >= ORR_PLAN_INSIDE || c->strings.len + n >= UINT32_MAX)
        return ORR_ENOMEM;
    *at = (uint32_t)c->strings.len;
    *len = (uint32_t)n | inside;
    int rc = orr_buf_put(&c->strings, path, n);
    rc |= orr_buf_putc(&c->strings, 0);
    return rc ? ORR_ENOMEM : 0;
}

static bool fits_exec(unsigned char want, bool is)
{
    return want == ORR_PLAN_ANY || (want == ORR_PLAN_EXEC) == is;
}

static bool as_wanted(const struct orr_plan_want *w,
                      const struct orr_filefact *f)
{
    if (!w || !w->there || !f)
        return !w || (!w->there && !f);
    return !memcmp(&w->digest, &f->digest, sizeof f->digest) &&
           fits_exec(w->as_input, f->mode & 0100) &&
           (f->kind == ORR_FILE_LINK ||
            fits_exec(w->as_output, f->mode & 0111));
}

/* Fills a record but for its path. */
static int make_file(const struct orr_filememo *m, uint32_t id,
                     const struct orr_plan_want *want, struct orr_plan_file *r,
                     struct orr_err *e)
{
    size_t n;
    int sys;
    const char *path = orr_filememo_path(m, id, &n);
    const struct orr_filefact *f = orr_filememo_fact(m, id, &sys);
    if (!f && sys != ENOENT && sys != ENOTDIR)
        return orr_err_set(e, ORR_EINVAL, "%s is no file", path);
    if (!as_wanted(want, f) || (!want && orr_filememo_wavered(m, id)))
        return orr_err_set(e, ORR_EBUSY, "%s changed meanwhile", path);
    r->fact = f ? *f : (struct orr_filefact){0};
    r->target =
        r->fact.kind == ORR_FILE_LINK ? orr_plan_target(AT_FDCWD, path) : 0;
    return 0;
}

static int put_file(struct encoder *c, uint32_t id,
                    const struct orr_plan_want *want)
{
    struct orr_plan_file r = {0};
    size_t n;
    const char *path = orr_filememo_path(c->m, id, &n);
    int rc = make_file(c->m, id, want, &r, c->e);
    if (rc == 0) {
        rc = put_path(c, path, n, &r.path, &r.path_len);
        rc |= orr_buf_put(&c->fixed, &r, sizeof r);
        rc = rc ? orr_plan_no_memory(c->e) : 0;
    }
    c->files++;
    return rc;
}

static int put_dir(struct encoder *c, const char *path, size_t n)
{
    struct orr_plan_dir r = {0};
    int sys = orr_dirfact_get(path, orr_filememo_now(c->m), &r.fact);
    if (sys)
        return orr_err_set(c->e, ORR_EINVAL, "%s is no directory", path);
    int rc = put_path(c, path, n, &r.path, &r.path_len);
    rc |= orr_buf_put(&c->fixed, &r, sizeof r);
    c->dirs++;
    return rc ? orr_plan_no_memory(c->e) : 0;
}

/* --- encoding --------------------------------------------------------------
 */

static void seal(unsigned char *blob, size_t n)
{
    uint32_t crc = orr_crc32c(0, blob + ORR_PLAN_CRC + 4, n - ORR_PLAN_CRC - 4);
    for (int i = 0; i < 4; i++)
        blob[ORR_PLAN_CRC + i] = (unsigned char)(crc >> 8 * i);
}

/* Appends header, arrays and strings to 'out'. */
static int join(const struct encoder *c, struct orr_buf *out)
{
    size_t at = out->len;
    int rc = orr_buf_put(out, ORR_PLAN_MAGIC, 8);
    rc |= orr_buf_put_u32(out, 0);
    rc |= orr_buf_put_u32(out, c->files);
    rc |= orr_buf_put_u32(out, c->dirs);
    rc |= orr_buf_put_u32(out, (uint32_t)c->root_len);
    rc |= orr_buf_put_u32(out, (uint32_t)c->strings.len);
    rc |= orr_buf_put_u32(out, 0);
    rc |= orr_buf_put_u64(out, 0);
    rc |= orr_buf_put(out, c->fixed.data, c->fixed.len);
    rc |= orr_buf_put(out, c->strings.data, c->strings.len);
    if (rc) {
        out->len = at;
        return orr_plan_no_memory(c->e);
    }
    seal(out->data + at, out->len - at);
    return 0;
}

/* The numbers of the paths in the memo; those that were forgotten, or never
 * asked, are looked at. Returns owned. */
static uint32_t *ids_of(struct orr_filememo *m, const struct orr_strs *paths)
{
    uint32_t *ids = calloc(2 * paths->count + 1, sizeof *ids);
    uint32_t *missing = ids ? ids + paths->count : NULL;
    size_t lack = 0;
    for (size_t i = 0; ids && i < paths->count; i++) {
        ids[i] = orr_filememo_id(m, orr_strs_at(paths, i), paths->items[i].len);
        if (!orr_filememo_checked(m, ids[i]))
            missing[lack++] = ids[i];
    }
    if (ids && orr_filememo_check(m, missing, lack, 0) < 0) {
        free(ids);
        ids = NULL;
    }
    return ids;
}

static int put_wanted(struct encoder *c, const struct orr_strs *paths,
                      const struct orr_plan_want *wants, bool *taken)
{
    uint32_t *ids = ids_of(c->m, paths);
    int rc = ids ? 0 : orr_plan_no_memory(c->e);
    for (size_t i = 0; rc == 0 && i < paths->count; i++) {
        rc = put_file(c, ids[i], &wants[i]);
        taken[ids[i]] = true;
    }
    free(ids);
    return rc;
}

static int put_others(struct encoder *c, const bool *taken)
{
    int rc = 0;
    size_t count = orr_filememo_count(c->m);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        if (!taken[i] && orr_filememo_checked(c->m, i))
            rc = put_file(c, i, NULL);
    return rc;
}

int orr_plan_encode(struct orr_filememo *m, const char *root,
                    const struct orr_strs *paths,
                    const struct orr_plan_want *wants,
                    const struct orr_strs *dirs, struct orr_buf *out,
                    struct orr_err *e)
{
    struct encoder c = {.m = m, .root = root, .root_len = strlen(root), .e = e};
    bool *taken = calloc(orr_filememo_count(m) + paths->count + 1, 1);
    int rc = taken ? orr_buf_put(&c.strings, root, c.root_len + 1) : ORR_ENOMEM;
    if (rc)
        rc = orr_plan_no_memory(e);
    if (rc == 0)
        rc = put_wanted(&c, paths, wants, taken);
    if (rc == 0)
        rc = put_others(&c, taken);
    for (size_t i = 0; rc == 0 && i < dirs->count; i++)
        rc = put_dir(&c, orr_strs_at(dirs, i), dirs->items[i].len);
    if (rc == 0)
        rc = join(&c, out);
    free(taken);
    orr_buf_fini(&c.fixed);
    orr_buf_fini(&c.strings);
    return rc;
}

/* --- patching --------------------------------------------------------------
 */

struct patch {
    struct orr_plan_view v;
    struct orr_filememo *m;
    struct orr_buf path;
    unsigned char *blob; /* the copy */
    struct orr_err *e;
};

static int patch_file(struct patch *p, uint32_t i,
                      const struct orr_plan_want *want)
{
    struct orr_plan_file r = orr_plan_file_at(&p->v, i), old = r;
    if (orr_plan_path_of(&p->v, r.path, r.path_len, &p->path))
        return orr_plan_no_memory(p->e);
    const char *path = (char *)p->path.data;
    uint32_t id = orr_filememo_id(p->m, path, p->path.len - 1);
    if (!orr_filememo_checked(p->m, id) &&
        orr_filememo_check(p->m, &id, 1, 1) < 0)
        return orr_plan_no_memory(p->e);
    if (!want && !orr_plan_says(&old, p->m, id))
        return orr_err_set(p->e, ORR_EBUSY, "%s changed meanwhile", path);
    struct orr_plan_want as_is = {.digest = old.fact.digest,
                                  .there = old.fact.kind != 0};
    int rc = make_file(p->m, id, want ? want : &as_is, &r, p->e);
    if (rc == 0)
        memcpy(p->blob + ORR_PLAN_HEADER + (size_t)i * sizeof r, &r, sizeof r);
    return rc;
}

static int patch_dir(struct patch *p, uint32_t i)
{
    struct orr_plan_dir r = orr_plan_dir_at(&p->v, i);
    struct orr_dirfact is;
    if (orr_plan_path_of(&p->v, r.path, r.path_len, &p->path))
        return orr_plan_no_memory(p->e);
    const char *path = (char *)p->path.data;
    if (orr_dirfact_get(path, orr_filememo_now(p->m), &is) ||
        !is.ino != !r.fact.ino ||
        memcmp(&is.listing, &r.fact.listing, sizeof is.listing) != 0)
        return orr_err_set(p->e, ORR_EBUSY, "%s changed meanwhile", path);
    r.fact = is;
    memcpy(p->blob + ORR_PLAN_HEADER +
               (size_t)p->v.file_count * sizeof(struct orr_plan_file) +
               (size_t)i * sizeof r,
           &r, sizeof r);
    return 0;
}

/* The number of a path, or UINT32_MAX. */
static uint32_t find_file(const struct orr_plan_view *v, const char *path,
                          size_t n)
{
    const char *root = (const char *)v->strings;
    bool inside = n > v->root_len && path[v->root_len] == '/' &&
                  !memcmp(path, root, v->root_len);
    size_t skip = inside ? v->root_len + 1 : 0;
    uint32_t len = (uint32_t)(n - skip) | (inside ? ORR_PLAN_INSIDE : 0);
    for (uint32_t i = 0; i < v->file_count; i++) {
        struct orr_plan_file r = orr_plan_file_at(v, i);
        if (r.path_len == len && r.path + (n - skip) < v->strings_len &&
            !memcmp(v->strings + r.path, path + skip, n - skip))
            return i;
    }
    return UINT32_MAX;
}

/* All else that was asked must be what the plan says of it. */
static int check_others(struct patch *p, const uint32_t *numbers, size_t count)
{
    bool *taken = calloc(p->v.file_count + 1, 1);
    int rc = taken ? 0 : orr_plan_no_memory(p->e);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (numbers[i] < p->v.file_count)
            taken[numbers[i]] = true;
    size_t all = orr_filememo_count(p->m);
    for (uint32_t id = 0; rc == 0 && id < all; id++) {
        size_t n;
        const char *path = orr_filememo_path(p->m, id, &n);
        if (!orr_filememo_checked(p->m, id))
            continue;
        uint32_t i = find_file(&p->v, path, n);
        if (i != UINT32_MAX && taken[i])
            continue;
        struct orr_plan_file r;
        if (i != UINT32_MAX)
            r = orr_plan_file_at(&p->v, i);
        if (i == UINT32_MAX || orr_filememo_wavered(p->m, id) ||
            !orr_plan_says(&r, p->m, id))
            rc = orr_err_set(p->e, ORR_EBUSY, "%s is not as it was", path);
    }
    free(taken);
    return rc;
}

int orr_plan_patch(const void *blob, size_t n, struct orr_filememo *m,
                   const uint32_t *numbers, const struct orr_plan_want *wants,
                   size_t count, struct orr_buf *out, struct orr_err *e)
{
    struct patch p = {.m = m, .e = e};
    size_t at = out->len;
    int rc = orr_plan_view(&p.v, blob, n, true);
    if (rc)
        return orr_err_set(e, rc, "the plan is damaged");
    if (orr_buf_put(out, blob, n))
        return orr_plan_no_memory(e);
    p.blob = out->data + at;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (numbers[i] < p.v.file_count)
            rc = patch_file(&p, numbers[i], wants ? &wants[i] : NULL);
        else if (numbers[i] - p.v.file_count < p.v.dir_count)
            rc = patch_dir(&p, numbers[i] - p.v.file_count);
        else
            rc = orr_err_set(e, ORR_EINVAL, "there is no such number");
    }
    if (rc == 0 && wants)
        rc = check_others(&p, numbers, count);
    if (rc == 0)
        seal(p.blob, n);
    else
        out->len = at;
    orr_buf_fini(&p.path);
    return rc;
}
