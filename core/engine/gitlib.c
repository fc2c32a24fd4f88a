/*
 * gitlib: libgit2's diffs as a list of files. The deltas are read one by one
 * (git_diff_foreach loads every file's content and costs thirty times more);
 * contents are loaded only when counts or patches are wanted.
 */
#include "engine/gitlib.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

int orr_gitlib_fail(struct orr_err *e, const char *what)
{
    const git_error *last = git_error_last();
    return orr_err_set(e, ORR_EGIT, "%s: %s", what,
                       last && last->message ? last->message
                                             : "libgit2 gives no reason");
}

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for the diff");
}

/* One diff being made: 'from' and 'to' are trees, NULL the empty one. */
struct job {
    git_repository *repo;
    git_tree *from, *to;
    bool worktree; /* instead of 'to' */
    const struct orr_gitquery *q;
    struct orr_gitfiles *out;
    struct orr_err *e;
};

static void set_options(git_diff_options *o, const struct orr_gitquery *q)
{
    git_diff_options_init(o, GIT_DIFF_OPTIONS_VERSION);
    o->flags = GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_DISABLE_PATHSPEC_MATCH |
               GIT_DIFF_INDENT_HEURISTIC | GIT_DIFF_INCLUDE_UNTRACKED |
               GIT_DIFF_RECURSE_UNTRACKED_DIRS;
    if (q->patch || q->numstat)
        o->flags |= GIT_DIFF_SHOW_UNTRACKED_CONTENT;
    o->old_prefix = "a";
    o->new_prefix = "b";
    // libgit2 only reads the strings.
    o->pathspec.strings = (char **)(uintptr_t)q->paths;
    o->pathspec.count = q->paths_n;
}

/* The tree of a commit; NULL for the empty tree. */
static int open_tree(git_repository *repo, const char *id, git_tree **out,
                     struct orr_err *e)
{
    git_oid oid;
    git_commit *commit = NULL;
    int rc = 0;
    *out = NULL;
    if (git_oid_fromstr(&oid, id) < 0)
        return orr_gitlib_fail(e, "bad commit id");
    if (git_commit_lookup(&commit, repo, &oid) < 0) {
        git_tree *tree = NULL;
        // The empty tree, the only tree a query ever names, may not be stored.
        if (git_tree_lookup(&tree, repo, &oid) == 0 ||
            !strcmp(id, ORR_GIT_EMPTY_TREE)) {
            *out = tree;
            return 0;
        }
        return orr_gitlib_fail(e, "read a commit");
    }
    if (git_commit_tree(out, commit) < 0)
        rc = orr_gitlib_fail(e, "read a commit's tree");
    git_commit_free(commit);
    return rc;
}

static char status_letter(git_delta_t status)
{
    switch (status) {
    case GIT_DELTA_ADDED:
    case GIT_DELTA_COPIED:
        return 'A';
    case GIT_DELTA_DELETED:
        return 'D';
    case GIT_DELTA_MODIFIED:
        return 'M';
    case GIT_DELTA_RENAMED:
        return 'R';
    case GIT_DELTA_TYPECHANGE:
        return 'T';
    case GIT_DELTA_UNTRACKED:
        return '?';
    case GIT_DELTA_CONFLICTED:
        return 'U';
    case GIT_DELTA_UNMODIFIED:
    case GIT_DELTA_IGNORED:
    case GIT_DELTA_UNREADABLE:
        return 0;
    }
    return 0;
}

/* Appends the text of one patch to 'text' and adds up its counts. */
static int read_patch(const struct job *j, git_diff *diff, size_t i,
                      struct orr_gitfile *f, struct orr_buf *text)
{
    git_patch *patch = NULL;
    git_buf part = GIT_BUF_INIT;
    size_t added = 0, removed = 0;
    int rc = 0;
    if (git_patch_from_diff(&patch, diff, i) < 0)
        return orr_gitlib_fail(j->e, f->path);
    if (!patch)
        return 0;
    if (git_patch_get_delta(patch)->flags & GIT_DIFF_FLAG_BINARY)
        f->binary = true;
    else if (git_patch_line_stats(NULL, &added, &removed, patch) < 0)
        rc = orr_gitlib_fail(j->e, f->path);
    f->additions += (int64_t)added;
    f->deletions += (int64_t)removed;
    if (rc == 0 && j->q->patch && git_patch_to_buf(&part, patch) < 0)
        rc = orr_gitlib_fail(j->e, f->path);
    if (rc == 0 && orr_buf_put(text, part.ptr, part.size) < 0)
        rc = no_memory(j->e);
    git_buf_dispose(&part);
    git_patch_free(patch);
    return rc;
}

/* libgit2 has no whole patch for a changed type or a conflict: compares this
 * one path again, in the plainest way: as a deletion and a creation, and
 * without the index. */
static int diff_again(const struct job *j, const char *path, git_diff **diff)
{
    git_diff_options o;
    char *only = (char *)(uintptr_t)path;
    set_options(&o, j->q);
    o.flags &= ~(uint32_t)GIT_DIFF_INCLUDE_TYPECHANGE;
    o.pathspec = (git_strarray){&only, 1};
    int git = j->worktree
                  ? git_diff_tree_to_workdir(diff, j->repo, j->from, &o)
                  : git_diff_tree_to_tree(diff, j->repo, j->from, j->to, &o);
    return git < 0 ? orr_gitlib_fail(j->e, path) : 0;
}

/* Counts and text of a file, from deltas [i, end) of 'diff'. */
static int read_patches(const struct job *j, git_diff *diff, size_t i,
                        size_t end, struct orr_gitfile *f)
{
    struct orr_buf text = {0};
    int rc = 0;
    f->additions = f->deletions = 0;
    for (; i < end && rc == 0; i++)
        rc = read_patch(j, diff, i, f, &text);
    if (f->binary || !j->q->numstat)
        f->additions = f->deletions = -1;
    if (rc == 0 && j->q->patch) {
        f->patch_n = text.len;
        f->patch = orr_gitfiles_text(j->out, text.data, text.len);
        rc = f->patch ? 0 : no_memory(j->e);
    }
    orr_buf_fini(&text);
    return rc;
}

static int read_again(const struct job *j, struct orr_gitfile *f)
{
    git_diff *diff = NULL;
    int rc = diff_again(j, f->path, &diff);
    size_t n = diff ? git_diff_num_deltas(diff) : 0;
    if (rc == 0 && f->status == 'U' && n == 1)
        f->status = status_letter(git_diff_get_delta(diff, 0)->status);
    if (rc == 0 && (j->q->patch || j->q->numstat))
        rc = read_patches(j, diff, 0, n, f);
    git_diff_free(diff);
    return rc;
}

static int read_delta(const struct job *j, git_diff *diff, size_t i)
{
    const git_diff_delta *d = git_diff_get_delta(diff, i);
    char status = status_letter(d->status);
    const char *path = d->new_file.path ? d->new_file.path : d->old_file.path;
    bool content = j->q->patch || j->q->numstat;
    if (!status)
        return 0;
    struct orr_gitfile *f = orr_gitfiles_add(
        j->out, status, path, status == 'R' ? d->old_file.path : NULL);
    if (!f)
        return no_memory(j->e);
    if (status == 'U' || (status == 'T' && content))
        return read_again(j, f);
    return content ? read_patches(j, diff, i, i + 1, f) : 0;
}

static int read_deltas(const struct job *j, git_diff *diff)
{
    git_diff_find_options find;
    git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
    find.flags = GIT_DIFF_FIND_RENAMES;
    if (git_diff_find_similar(diff, &find) < 0)
        return orr_gitlib_fail(j->e, "look for renames");
    size_t n = git_diff_num_deltas(diff);
    for (size_t i = 0; i < n; i++) {
        int rc = read_delta(j, diff, i);
        if (rc < 0)
            return rc;
    }
    orr_gitfiles_sort(j->out);
    return 0;
}

/* Marks the files whose index entry differs from HEAD. */
static int mark_staged(const struct job *j, git_index *index)
{
    git_object *head = NULL;
    git_diff *diff = NULL;
    git_diff_options o;
    git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);
    int rc = git_revparse_single(&head, j->repo, "HEAD^{tree}");
    if (rc == 0 || rc == GIT_ENOTFOUND)
        rc =
            git_diff_tree_to_index(&diff, j->repo, (git_tree *)head, index, &o);
    if (rc < 0)
        rc = orr_gitlib_fail(j->e, "compare HEAD and the index");
    for (size_t i = 0; rc == 0 && i < git_diff_num_deltas(diff); i++) {
        const char *path = git_diff_get_delta(diff, i)->new_file.path;
        struct orr_gitfile *f = orr_gitfiles_find(j->out, path);
        if (f)
            f->staged = true;
    }
    git_diff_free(diff);
    git_object_free(head);
    return rc;
}

/* Is the file's content made by a filter program, as that of Git LFS is? */
static bool is_filtered(git_repository *repo, git_config *config,
                        const char *path)
{
    static const char *const programs[] = {"clean", "process"};
    const char *filter = NULL;
    char key[128];
    bool found = false;
    if (git_attr_get(&filter, repo, 0, path, "filter") < 0 ||
        git_attr_value(filter) != GIT_ATTR_VALUE_STRING)
        return false;
    for (size_t i = 0; i < 2 && !found; i++) {
        git_config_entry *entry = NULL;
        int n = snprintf(key, sizeof key, "filter.%s.%s", filter, programs[i]);
        found = n > 0 && (size_t)n < sizeof key &&
                git_config_get_entry(&entry, config, key) == 0;
        git_config_entry_free(entry);
    }
    return found;
}

/* libgit2 runs no filter programs, so it takes a touched file of theirs for a
 * changed one. ORR_EGIT leaves the question to the git command. */
static int refuse_filtered(const struct job *j)
{
    git_config *config = NULL;
    int rc = 0;
    if (git_repository_config(&config, j->repo) < 0)
        return 0;
    for (size_t i = 0; i < j->out->count && rc == 0; i++) {
        const struct orr_gitfile *f = &j->out->all[i];
        if (f->status != 'D' && is_filtered(j->repo, config, f->path))
            rc = orr_err_set(j->e, ORR_EGIT,
                             "%.200s goes through a filter program, which only "
                             "the git command can run",
                             f->path);
    }
    git_config_free(config);
    return rc;
}

static int diff_worktree(const struct job *j)
{
    git_diff_options o;
    git_index *index = NULL;
    git_diff *diff = NULL;
    int rc = 0;
    set_options(&o, j->q);
    if (git_repository_index(&index, j->repo) < 0 ||
        git_index_read(index, 0) < 0)
        rc = orr_gitlib_fail(j->e, "read the index");
    else if (git_diff_tree_to_workdir_with_index(&diff, j->repo, j->from, &o) <
             0)
        rc = orr_gitlib_fail(j->e, "compare with the worktree");
    if (rc == 0)
        rc = read_deltas(j, diff);
    if (rc == 0 && j->out->count)
        rc = mark_staged(j, index);
    if (rc == 0 && j->out->count)
        rc = refuse_filtered(j);
    git_diff_free(diff);
    git_index_free(index);
    return rc;
}

static int diff_trees(const struct job *j)
{
    git_diff_options o;
    git_diff *diff = NULL;
    set_options(&o, j->q);
    if (git_diff_tree_to_tree(&diff, j->repo, j->from, j->to, &o) < 0)
        return orr_gitlib_fail(j->e, "compare two commits");
    int rc = read_deltas(j, diff);
    git_diff_free(diff);
    return rc;
}

int orr_gitlib_diff(git_repository *repo, const struct orr_gitquery *q,
                    struct orr_gitfiles *out, struct orr_err *e)
{
    struct job j = {.repo = repo, .q = q, .out = out, .e = e};
    j.worktree = !*out->to;
    int rc = open_tree(repo, out->from, &j.from, e);
    if (rc == 0 && !j.worktree)
        rc = open_tree(repo, out->to, &j.to, e);
    if (rc == 0)
        rc = j.worktree ? diff_worktree(&j) : diff_trees(&j);
    git_tree_free(j.to);
    git_tree_free(j.from);
    return rc;
}
