/*
 * gitrepo: finding, opening and naming commits, by libgit2 or the git command.
 *
 * libgit2 is initialised by the first open and never shut down: 1.5 leaks a
 * little with each round, and its state is the process's, not ours. Whether
 * there is a repository at all is decided here, by looking for it: libgit2
 * gives one code for "none" and for some it refuses.
 */
#include "engine/gitrepo.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "engine/gitcmd.h"
#include "engine/gitinside.h"
#include "engine/gitlib.h"

/* --- opening --- */

static bool exists(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0;
}

/* Cuts 'dir', an absolute path, to the nearest directory upward that looks like
 * a repository or a worktree. */
static bool find_upward(char *dir)
{
    for (;;) {
        if (exists(dir, ".git") ||
            (exists(dir, "HEAD") && exists(dir, "objects") &&
             exists(dir, "refs")))
            return true;
        char *slash = strrchr(dir, '/');
        if (!slash || !dir[1])
            return false;
        *(slash == dir ? slash + 1 : slash) = 0;
    }
}

/* 'start' gets the opened path, 'dir' the repository's directory. */
static int locate(const char *path, char start[PATH_MAX], char dir[PATH_MAX],
                  struct orr_err *e)
{
    if (!realpath(path, start))
        return orr_err_errno(e, errno, "open the git repository at %.300s",
                             path);
    memcpy(dir, start, PATH_MAX);
    if (!find_upward(dir))
        return orr_err_set(e, ORR_ENOENT,
                           "no git repository in %.300s or above", start);
    return 0;
}

static char *without_slash(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return orr_xmemdup0(path, n);
}

/* The part of 'start' below the root, with a slash behind it. */
static char *prefix_below(const char *root, const char *start)
{
    size_t n = root ? strlen(root) : 0;
    struct orr_buf b = {0};
    if (n && !strncmp(start, root, n) && start[n] == '/')
        if (orr_buf_puts(&b, start + n + 1) < 0 || orr_buf_putc(&b, '/') < 0)
            b.len = 0;
    char *prefix = orr_xmemdup0(b.data, b.len);
    orr_buf_fini(&b);
    return prefix;
}

static void adopt_lib(struct orr_gitrepo *g)
{
    const char *root = git_repository_workdir(g->lib);
    g->root = root ? without_slash(root) : NULL;
    g->at = without_slash(root ? root : git_repository_path(g->lib));
}

/* Why libgit2 refused 'dir'. Of a foreign owner it says only that it found no
 * setting that would allow it. Returns owned. */
static char *find_reason(const char *dir)
{
    const git_error *last = git_error_last();
    struct stat st;
    if (stat(dir, &st) == 0 && st.st_uid != geteuid())
        return orr_xstrdup("the repository belongs to another user");
    return orr_xstrdup(last && last->message ? last->message : "nothing");
}

/* libgit2 refused 'dir' for g->reason: has git the same opinion? */
static int adopt_cmd(struct orr_gitrepo *g, const char *dir, struct orr_err *e)
{
    struct orr_err why;
    g->at = orr_xstrdup(dir);
    int rc = orr_gitcmd_root(dir, &g->root, &why);
    if (rc < 0)
        return orr_err_set(e, ORR_EGIT,
                           "cannot read the git repository %.120s: libgit2 "
                           "says %.120s; the git command says %.200s",
                           dir, g->reason, why.msg);
    if (g->root) {
        free(g->at);
        g->at = orr_xstrdup(g->root);
    }
    return 0;
}

int orr_gitrepo_open(const char *path, struct orr_gitrepo **out,
                     struct orr_err *e)
{
    char start[PATH_MAX], dir[PATH_MAX];
    int rc = locate(path, start, dir, e);
    if (rc < 0)
        return rc;
    if (git_libgit2_init() < 0)
        return orr_gitlib_fail(e, "start libgit2");
    struct orr_gitrepo *g = orr_xalloc(sizeof *g);
    if (git_repository_open_ext(&g->lib, dir, GIT_REPOSITORY_OPEN_NO_SEARCH,
                                NULL) == 0) {
        adopt_lib(g);
    } else {
        g->lib = NULL;
        g->reason = find_reason(dir);
        rc = adopt_cmd(g, dir, e);
    }
    g->prefix = prefix_below(g->root, start);
    if (rc == 0)
        *out = g;
    else
        orr_gitrepo_close(g);
    return rc;
}

void orr_gitrepo_close(struct orr_gitrepo *g)
{
    if (!g)
        return;
    orr_gitmemo_clear(&g->pairs);
    orr_gitmemo_clear(&g->now);
    orr_gitstat_free(g->stat);
    orr_gitfiles_free(g->last);
    git_repository_free(g->lib);
    free(g->at);
    free(g->root);
    free(g->prefix);
    free(g->reason);
    free(g);
}

const char *orr_gitrepo_root(const struct orr_gitrepo *g)
{
    return g->root;
}

const char *orr_gitrepo_prefix(const struct orr_gitrepo *g)
{
    return g->prefix;
}

const char *orr_gitrepo_reason(const struct orr_gitrepo *g)
{
    return g->reason;
}

void orr_gitrepo_stats(const struct orr_gitrepo *g,
                       struct orr_gitrepo_stats *out)
{
    *out = g->stats;
}

/* --- commits --- */

bool orr_gitrepo_is_shallow(const struct orr_gitrepo *g)
{
    return g->lib ? git_repository_is_shallow(g->lib) == 1
                  : orr_gitcmd_is_shallow(g->at);
}

/* What brings a missing ref, for the end of a message. */
static void write_cure(const struct orr_gitrepo *g, const char *ref, char *out,
                       size_t n)
{
    bool remote = !strncmp(ref, "origin/", 7) && ref[7];
    const char *branch = remote ? ref + 7 : "BRANCH";
    if (orr_gitrepo_is_shallow(g))
        snprintf(out, n,
                 "; this clone is shallow: run 'git fetch --unshallow', or "
                 "'git fetch origin %.60s:refs/remotes/origin/%.60s'",
                 branch, branch);
    else if (remote)
        snprintf(out, n,
                 "; to bring it: 'git fetch origin "
                 "%.60s:refs/remotes/origin/%.60s'",
                 branch, branch);
    else
        *out = 0;
}

static int unknown_ref(struct orr_gitrepo *g, const char *ref,
                       struct orr_err *e)
{
    char cure[256];
    write_cure(g, ref, cure, sizeof cure);
    return orr_err_set(e, ORR_ENOENT, "no commit '%.100s' in %.100s%s", ref,
                       g->at, cure);
}

static int check_ref(const char *ref, struct orr_err *e)
{
    if (!*ref)
        return orr_err_set(e, ORR_EINVAL, "a git ref is empty");
    if (*ref == '-')
        return orr_err_set(e, ORR_EINVAL,
                           "git ref '%.100s' starts with '-': that is an "
                           "option, not a ref",
                           ref);
    return 0;
}

static int lib_resolve(struct orr_gitrepo *g, const char *ref, git_oid *id,
                       struct orr_err *e)
{
    git_object *found = NULL, *commit = NULL;
    int rc = 0, git = git_revparse_single(&found, g->lib, ref);
    if (git == GIT_EAMBIGUOUS)
        rc = orr_err_set(e, ORR_EINVAL, "git ref '%.100s' is ambiguous", ref);
    else if (git < 0)
        rc = unknown_ref(g, ref, e);
    else if (git_object_peel(&commit, found, GIT_OBJECT_COMMIT) < 0)
        rc =
            orr_err_set(e, ORR_EINVAL, "git ref '%.100s' is not a commit", ref);
    else
        *id = *git_object_id(commit);
    git_object_free(commit);
    git_object_free(found);
    return rc;
}

int orr_gitrepo_resolve(struct orr_gitrepo *g, const char *ref,
                        char id[ORR_GIT_HEX], struct orr_err *e)
{
    git_oid oid;
    int rc = check_ref(ref, e);
    if (rc < 0)
        return rc;
    if (!g->lib) {
        rc = orr_gitcmd_resolve(g->at, ref, id, e);
        return rc == ORR_ENOENT ? unknown_ref(g, ref, e) : rc;
    }
    rc = lib_resolve(g, ref, &oid, e);
    if (rc == 0)
        git_oid_tostr(id, ORR_GIT_HEX, &oid);
    return rc;
}

int orr_gitrepo_head(struct orr_gitrepo *g, char id[ORR_GIT_HEX],
                     struct orr_err *e)
{
    git_oid oid;
    if (!g->lib) {
        int rc = orr_gitcmd_resolve(g->at, "HEAD", id, e);
        return rc == ORR_ENOENT ? 0 : rc < 0 ? rc : 1;
    }
    int git = git_reference_name_to_id(&oid, g->lib, "HEAD");
    if (git == GIT_ENOTFOUND)
        return 0;
    if (git < 0)
        return orr_gitlib_fail(e, "read HEAD");
    git_oid_tostr(id, ORR_GIT_HEX, &oid);
    return 1;
}

/* ORR_EGIT: libgit2 could not say, as in a shallow clone, whose oldest commits
 * name parents that are not there. */
static int lib_merge_base(struct orr_gitrepo *g, const char *a, const char *b,
                          char id[ORR_GIT_HEX])
{
    git_oid x, y, base;
    if (git_oid_fromstr(&x, a) < 0 || git_oid_fromstr(&y, b) < 0)
        return ORR_EGIT;
    int git = git_merge_base(&base, g->lib, &x, &y);
    if (git < 0)
        return git == GIT_ENOTFOUND && !orr_gitrepo_is_shallow(g) ? ORR_ENOENT
                                                                  : ORR_EGIT;
    git_oid_tostr(id, ORR_GIT_HEX, &base);
    return 0;
}

static int find_merge_base(struct orr_gitrepo *g, const char *a, const char *b,
                           char id[ORR_GIT_HEX], struct orr_err *e)
{
    int rc = g->lib ? lib_merge_base(g, a, b, id) : ORR_EGIT;
    return rc == ORR_EGIT ? orr_gitcmd_merge_base(g->at, a, b, id, e) : rc;
}

/* Remembered under both ids: a merge base never changes. */
static int merge_base_of_ids(struct orr_gitrepo *g, const char *a,
                             const char *b, char id[ORR_GIT_HEX],
                             struct orr_err *e)
{
    struct orr_buf key = {0};
    struct orr_gitfiles *kept = NULL;
    int rc = orr_buf_printf(&key, "base %s %s", a, b);
    const struct orr_gitfiles *known =
        rc < 0 ? NULL : orr_gitmemo_get(&g->pairs, &key);
    if (known) {
        memcpy(id, known->from, ORR_GIT_HEX);
        goto out;
    }
    rc = find_merge_base(g, a, b, id, e);
    kept = rc == 0 ? orr_gitfiles_new() : NULL;
    if (kept) {
        memcpy(kept->from, id, ORR_GIT_HEX);
        if (orr_gitmemo_put(&g->pairs, &key, kept) == 0)
            kept = NULL;
    }
out:
    orr_gitfiles_free(kept);
    orr_buf_fini(&key);
    return rc;
}

int orr_gitrepo_merge_base(struct orr_gitrepo *g, const char *a, const char *b,
                           char id[ORR_GIT_HEX], struct orr_err *e)
{
    char x[ORR_GIT_HEX], y[ORR_GIT_HEX], cure[256];
    int rc = orr_gitrepo_resolve(g, a, x, e);
    if (rc == 0)
        rc = orr_gitrepo_resolve(g, b, y, e);
    if (rc < 0)
        return rc;
    rc = merge_base_of_ids(g, x, y, id, e);
    if (rc == ORR_ENOENT) {
        write_cure(g, a, cure, sizeof cure);
        orr_err_set(e, ORR_ENOENT,
                    "'%.80s' and '%.80s' have no common commit%s", a, b,
                    orr_gitrepo_is_shallow(g) ? cure : "");
    }
    return rc;
}
