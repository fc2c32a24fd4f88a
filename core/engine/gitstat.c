/*
 * gitstat: one list of paths, one 64-bit fact each.
 *
 *   index ──► tracked files
 *   walk  ──► directories, untracked files      all: [path, fact] …
 *   git   ──► index, config, exclude files
 *
 * The walk enters what git would enter: not ignored directories, .git, .orrery
 * or nested repositories. Since directories are in the list, the list itself
 * can only change together with one of its facts. Symlinks are not followed.
 */
#include "engine/gitstat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/xalloc.h"
#include "engine/parallel.h"

enum { SLICE = 64, WORTH = 400 }; /* stats at a time, and for a thread */
enum { DEEPEST = 512 };
#define FINE_TICK 20000000ull     /* ns: two ticks of a 100 Hz kernel */
#define COARSE_TICK 2000000000ull /* file systems with whole seconds */

struct seen {
    const char *path; /* relative to the root, or absolute */
    uint64_t fact;
};

struct orr_gitstat {
    char *root;       /* owned */
    struct seen *all; /* owned */
    size_t count, cap;
    struct orr_arena text;
    uint64_t newest; /* youngest mtime or ctime, ns */
    bool coarse;     /* all stamps are whole seconds */
};

/* --- facts --- */

static uint64_t ns(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static uint64_t fact_of(const struct stat *st)
{
    uint64_t h = mix(0x9E3779B97F4A7C15u, st->st_dev);
    h = mix(h, st->st_ino);
    h = mix(h, st->st_mode);
    h = mix(h, (uint64_t)st->st_size);
    h = mix(h, ns(st->st_mtim));
    return mix(h, ns(st->st_ctim));
}

/* Absent is a fact like others; so is unreadable. */
static uint64_t look(int root, const char *path, struct stat *st)
{
    if (fstatat(root, path, st, AT_SYMLINK_NOFOLLOW) < 0) {
        *st = (struct stat){0};
        return (uint64_t)errno;
    }
    return fact_of(st);
}

/* --- taking --- */

struct walk {
    struct orr_gitstat *s;
    git_repository *repo;
    git_index *index;
    int root;            /* fd */
    struct orr_buf path; /* of the directory being read, "" or "a/b/" */
};

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for the worktree's state");
}

static void note_stamp(struct orr_gitstat *s, struct timespec t)
{
    if (ns(t) > s->newest)
        s->newest = ns(t);
    if (t.tv_nsec)
        s->coarse = false;
}

static int add(struct walk *w, const char *path, size_t n)
{
    struct orr_gitstat *s = w->s;
    struct stat st;
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 256;
        struct seen *all = reallocarray(s->all, cap, sizeof *all);
        if (!all)
            return ORR_ENOMEM;
        s->all = all;
        s->cap = cap;
    }
    char *copy = orr_arena_take(&s->text, n + 1);
    if (!copy)
        return ORR_ENOMEM;
    memcpy(copy, path, n);
    copy[n] = 0;
    uint64_t fact = look(w->root, copy, &st);
    s->all[s->count++] = (struct seen){copy, fact};
    note_stamp(s, st.st_mtim);
    note_stamp(s, st.st_ctim);
    return 0;
}

static int add_tracked(struct walk *w, struct orr_err *e)
{
    size_t n = git_index_entrycount(w->index);
    for (size_t i = 0; i < n; i++) {
        const git_index_entry *entry = git_index_get_byindex(w->index, i);
        if (entry->mode == GIT_FILEMODE_COMMIT)
            return orr_err_set(e, ORR_EGIT, "it has submodules");
        if (add(w, entry->path, strlen(entry->path)) < 0)
            return no_memory(e);
    }
    return 0;
}

static bool is_ignored(struct walk *w)
{
    int ignored = 0;
    const char *path = (const char *)w->path.data;
    return git_ignore_path_is_ignored(&ignored, w->repo, path) == 0 && ignored;
}

static bool has_git(struct walk *w, size_t n)
{
    struct stat st;
    bool nested = orr_buf_put(&w->path, ".git", 5) == 0 &&
                  fstatat(w->root, (char *)w->path.data, &st, 0) == 0;
    w->path.len = n;
    return nested;
}

/* w->path names a directory, with a slash and a NUL behind it. Enter it? */
static bool enters(struct walk *w)
{
    size_t pos;
    const char *path = (const char *)w->path.data;
    if (git_index_find_prefix(&pos, w->index, path) == 0)
        return true;
    return !is_ignored(w) && !has_git(w, w->path.len);
}

static bool is_directory(const struct walk *w, const struct dirent *d)
{
    struct stat st;
    if (d->d_type != DT_UNKNOWN)
        return d->d_type == DT_DIR;
    return fstatat(w->root, (const char *)w->path.data, &st,
                   AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode);
}

static int walk_dir(struct walk *w, unsigned depth);

/* w->path names an entry, with a NUL behind it. */
static int visit(struct walk *w, const struct dirent *d, unsigned depth)
{
    const char *path = (const char *)w->path.data;
    size_t pos;
    if (!is_directory(w, d)) {
        if (git_index_find(&pos, w->index, path) == 0 || is_ignored(w))
            return 0;
        return add(w, path, w->path.len);
    }
    if (orr_buf_put(&w->path, "/", 2) < 0)
        return ORR_ENOMEM;
    w->path.len--;
    return enters(w) ? walk_dir(w, depth + 1) : 0;
}

static bool skipped(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, ".git") ||
           !strcmp(name, ".orrery");
}

/* Adds the directory w->path and what is in it. */
static int walk_dir(struct walk *w, unsigned depth)
{
    size_t n = w->path.len;
    const char *path = n ? (const char *)w->path.data : ".";
    if (add(w, path, n ? n - 1 : 1) < 0)
        return ORR_ENOMEM;
    int fd = openat(w->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int rc = depth > DEEPEST ? ORR_ELIMIT : 0;
    if (!dir && fd >= 0)
        close(fd);
    for (struct dirent *d; dir && rc == 0 && (d = readdir(dir));) {
        if (skipped(d->d_name))
            continue;
        w->path.len = n;
        rc = orr_buf_put(&w->path, d->d_name, strlen(d->d_name) + 1);
        w->path.len -= rc == 0;
        if (rc == 0)
            rc = visit(w, d, depth);
    }
    if (dir)
        closedir(dir);
    w->path.len = n;
    return rc;
}

/* A file of git's that rules what a diff says. */
static int add_setting(struct walk *w, const char *dir, const char *name)
{
    struct orr_buf path = {0};
    int rc = orr_buf_puts(&path, dir);
    if (rc == 0)
        rc = orr_buf_puts(&path, name);
    if (rc == 0)
        rc = add(w, (const char *)path.data, path.len);
    orr_buf_fini(&path);
    return rc;
}

typedef int (*finder_fn)(git_buf *out);

static int add_global_settings(struct walk *w)
{
    static const finder_fn finders[] = {
        git_config_find_global, git_config_find_xdg, git_config_find_system};
    static const char *const keys[] = {"core.excludesfile",
                                       "core.attributesfile"};
    git_config *config = NULL;
    int rc = 0;
    for (size_t i = 0; i < sizeof finders / sizeof *finders && !rc; i++) {
        git_buf path = GIT_BUF_INIT;
        if (finders[i](&path) == 0)
            rc = add(w, path.ptr, path.size);
        git_buf_dispose(&path);
    }
    if (git_repository_config(&config, w->repo) < 0)
        return rc;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !rc; i++) {
        git_buf path = GIT_BUF_INIT;
        if (git_config_get_path(&path, config, keys[i]) == 0)
            rc = add(w, path.ptr, path.size);
        git_buf_dispose(&path);
    }
    git_config_free(config);
    return rc;
}

/* $XDG_CONFIG_HOME/git, where ignore and attributes are found without being
 * named. */
static int add_user_settings(struct walk *w)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool has_xdg = xdg && *xdg == '/';
    const char *dir = has_xdg ? xdg : home;
    if (!dir || *dir != '/')
        return 0;
    int rc =
        add_setting(w, dir, has_xdg ? "/git/ignore" : "/.config/git/ignore");
    if (rc == 0)
        rc = add_setting(
            w, dir, has_xdg ? "/git/attributes" : "/.config/git/attributes");
    return rc;
}

static int add_settings(struct walk *w)
{
    const char *common = git_repository_commondir(w->repo);
    int rc = add(w, git_index_path(w->index), strlen(git_index_path(w->index)));
    if (rc == 0)
        rc = add_setting(w, common, "config");
    if (rc == 0)
        rc = add_setting(w, common, "info/exclude");
    if (rc == 0)
        rc = add_setting(w, common, "info/attributes");
    if (rc == 0)
        rc = add_global_settings(w);
    return rc == 0 ? add_user_settings(w) : rc;
}

static int take(struct walk *w, struct orr_err *e)
{
    w->root = open(w->s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->root < 0)
        return orr_err_errno(e, errno, "open %.300s", w->s->root);
    if (git_repository_index(&w->index, w->repo) < 0)
        return orr_err_set(e, ORR_EGIT, "cannot read the index");
    // Settings first: the index must not be older than the list made from it.
    int rc = add_settings(w);
    if (rc == 0 && git_index_read(w->index, 0) < 0)
        return orr_err_set(e, ORR_EGIT, "cannot read the index");
    if (rc == 0)
        rc = add_tracked(w, e);
    if (rc == ORR_EGIT)
        return rc;
    if (rc == 0)
        rc = walk_dir(w, 0);
    if (rc == ORR_ELIMIT)
        return orr_err_set(e, rc, "directories nest too deeply");
    return rc < 0 ? no_memory(e) : 0;
}

int orr_gitstat_new(git_repository *repo, struct orr_gitstat **out,
                    struct orr_err *e)
{
    struct walk w = {.repo = repo, .root = -1};
    w.s = orr_xalloc(sizeof *w.s);
    w.s->coarse = true;
    w.s->root = orr_xstrdup(git_repository_workdir(repo));
    int rc = take(&w, e);
    if (w.root >= 0)
        close(w.root);
    git_index_free(w.index);
    orr_buf_fini(&w.path);
    if (rc == 0)
        *out = w.s;
    else
        orr_gitstat_free(w.s);
    return rc;
}

void orr_gitstat_free(struct orr_gitstat *s)
{
    if (!s)
        return;
    orr_arena_fini(&s->text);
    free(s->all);
    free(s->root);
    free(s);
}

bool orr_gitstat_settled(const struct orr_gitstat *s, uint64_t start)
{
    return s->newest + (s->coarse ? COARSE_TICK : FINE_TICK) < start;
}

/* --- comparing --- */

struct compare {
    const struct orr_gitstat *s;
    int root;
    atomic_bool differs;
};

/* Does nothing any more once a difference is found. */
static void compare_some(void *ctx, size_t from, size_t to)
{
    struct compare *c = ctx;
    struct stat st;
    for (size_t i = from; i < to && !atomic_load(&c->differs); i++)
        if (look(c->root, c->s->all[i].path, &st) != c->s->all[i].fact)
            atomic_store(&c->differs, true);
}

bool orr_gitstat_same(const struct orr_gitstat *s)
{
    struct compare c = {.s = s};
    c.root = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c.root < 0)
        return false;
    orr_parallel(s->count, SLICE, WORTH, 0, compare_some, &c);
    close(c.root);
    return !atomic_load(&c.differs);
}
