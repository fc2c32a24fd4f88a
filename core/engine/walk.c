/*
 * walk: literal patterns by a stat each, then one tree for each place where
 * patterns start (the root, and what "../" and "/" name). Ignore files are
 * honoured in the root's tree only.
 */
#include "engine/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "engine/walk_tree.h"

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for the walk");
}

/* The path a literal pattern names: base, then its segments. */
static int literal_path(const struct orr_glob_pattern *p, struct orr_buf *out)
{
    int rc = orr_buf_puts(out, p->base);
    for (size_t i = 0; i < p->wild.count; i++) {
        rc |= i ? orr_buf_putc(out, '/') : 0;
        rc |= orr_buf_put(out, p->wild.segs[i].text, p->wild.segs[i].len);
    }
    return rc;
}

static int find_literal(int root, const struct orr_glob *g, size_t at,
                        struct orr_walk_found *out, struct orr_err *e)
{
    int rc = 0;
    struct stat st;
    struct orr_buf path = {0};
    if (literal_path(&g->patterns[at], &path) < 0 ||
        orr_buf_putc(&path, 0) < 0) {
        rc = no_memory(e);
        goto out;
    }
    const char *s = (char *)path.data;
    size_t n = path.len - 1, dir = orr_path_dir(s, n);
    if (!g->patterns[at].wild.count || orr_glob_has_reserved(s, n) ||
        orr_glob_excluded(g, at, s, n))
        goto out;
    if (orr_strs_put(&out->dirs, dir ? s : ".", dir ? dir : 1) < 0) {
        rc = no_memory(e);
        goto out;
    }
    if (fstatat(root, s, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR ||
                      errno == ENAMETOOLONG || errno == ELOOP;
        rc = absent ? 0 : orr_err_errno(e, errno, "cannot read %s", s);
        goto out;
    }
    if ((S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) &&
        orr_strs_put(&out->files, s, n) < 0)
        rc = no_memory(e);
out:
    orr_buf_fini(&path);
    return rc;
}

static int walk_root(int root, const struct orr_glob *g, bool ignore,
                     struct orr_walk_found *out, struct orr_err *e)
{
    int rc = 0;
    struct orr_buf prefix = {0};
    struct orr_walk_start s = {.fd = root, .base = "", .ignore = ignore};
    if (ignore)
        rc = orr_ignores_open(root, &s.ignores, &prefix, &out->ignore_files,
                              &s.hidden, e);
    if (rc == 0 && orr_buf_putc(&prefix, 0) < 0)
        rc = no_memory(e);
    s.prefix = (char *)prefix.data;
    if (rc == 0)
        rc = orr_walk_tree(&s, g, out, e);
    orr_ignores_free_all(s.ignores);
    orr_buf_fini(&prefix);
    return rc;
}

static int walk_outside(int root, const char *base, const struct orr_glob *g,
                        struct orr_walk_found *out, struct orr_err *e)
{
    struct orr_walk_start s = {.base = base, .prefix = ""};
    s.fd = openat(root, base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s.fd < 0)
        return orr_err_errno(e, errno, "cannot read directory %s", base);
    int rc = orr_walk_tree(&s, g, out, e);
    close(s.fd);
    return rc;
}

/* Is pattern 'at' the first inclusion with wildcards that starts where it
 * starts? */
static bool is_first(const struct orr_glob *g, size_t at)
{
    const struct orr_glob_pattern *p = &g->patterns[at];
    for (size_t i = 0; i < at; i++) {
        const struct orr_glob_pattern *q = &g->patterns[i];
        if (!q->literal && !q->exclude && !strcmp(q->base, p->base))
            return false;
    }
    return true;
}

int orr_walk(const char *root, const struct orr_glob *g, bool ignore,
             struct orr_walk_found *out, struct orr_err *e)
{
    int rc = 0;
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return orr_err_errno(e, errno, "cannot read directory %s", root);
    for (size_t i = 0; rc == 0 && i < g->count; i++) {
        const struct orr_glob_pattern *p = &g->patterns[i];
        if (p->exclude)
            continue;
        if (p->literal)
            rc = find_literal(fd, g, i, out, e);
        else if (!is_first(g, i))
            continue;
        else if (!*p->base)
            rc = walk_root(fd, g, ignore, out, e);
        else
            rc = walk_outside(fd, p->base, g, out, e);
    }
    close(fd);
    struct orr_strs *lists[] = {&out->files, &out->dirs, &out->ignore_files};
    for (size_t i = 0; i < 3; i++) {
        orr_strs_sort(lists[i]);
        orr_strs_unique(lists[i]);
    }
    return rc;
}

void orr_walk_found_fini(struct orr_walk_found *f)
{
    orr_strs_fini(&f->files);
    orr_strs_fini(&f->dirs);
    orr_strs_fini(&f->ignore_files);
}
