/*
 * gitlib: libgit2's diffs as a list of files. The deltas are read one by one
 * (git_diff_foreach loads every file's content and costs thirty times more);
 * contents are loaded only when counts or patches are wanted.
 */
#include "engine/gitlib.h"

#include <stdint.h>
#include <string.h>

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

/* Counts and text of one delta, as the query wants them. */
static int read_patch(git_diff *diff, size_t i, const struct orr_gitquery *q,
                      struct orr_gitfiles *out, struct orr_gitfile *f,
                      struct orr_err *e)
{
    git_patch *patch = NULL;
    git_buf text = GIT_BUF_INIT;
    size_t added = 0, removed = 0;
    int rc = 0;
    if (git_patch_from_diff(&patch, diff, i) < 0)
        return orr_gitlib_fail(e, f->path);
    if (!patch)
        goto out;
    f->binary = git_patch_get_delta(patch)->flags & GIT_DIFF_FLAG_BINARY;
    if (!f->binary && git_patch_line_stats(NULL, &added, &removed, patch) < 0) {
        rc = orr_gitlib_fail(e, f->path);
        goto out;
    }
    if (q->numstat && !f->binary) {
        f->additions = (int64_t)added;
        f->deletions = (int64_t)removed;
    }
    if (!q->patch)
        goto out;
    if (git_patch_to_buf(&text, patch) < 0) {
        rc = orr_gitlib_fail(e, f->path);
        goto out;
    }
    f->patch_n = text.size;
    f->patch = orr_gitfiles_text(out, text.ptr, text.size);
    if (!f->patch)
        rc = no_memory(e);
out:
    git_buf_dispose(&text);
    git_patch_free(patch);
    return rc;
}

static int read_delta(git_diff *diff, size_t i, const struct orr_gitquery *q,
                      struct orr_gitfiles *out, struct orr_err *e)
{
    const git_diff_delta *d = git_diff_get_delta(diff, i);
    char status = status_letter(d->status);
    const char *path = d->new_file.path ? d->new_file.path : d->old_file.path;
    if (!status)
        return 0;
    struct orr_gitfile *f = orr_gitfiles_add(
        out, status, path, status == 'R' ? d->old_file.path : NULL);
    if (!f)
        return no_memory(e);
    if ((q->patch || q->numstat) && status != 'U')
        return read_patch(diff, i, q, out, f, e);
    return 0;
}

static int read_deltas(git_diff *diff, const struct orr_gitquery *q,
                       struct orr_gitfiles *out, struct orr_err *e)
{
    git_diff_find_options find;
    git_diff_find_options_init(&find, GIT_DIFF_FIND_OPTIONS_VERSION);
    find.flags = GIT_DIFF_FIND_RENAMES;
    if (git_diff_find_similar(diff, &find) < 0)
        return orr_gitlib_fail(e, "look for renames");
    size_t n = git_diff_num_deltas(diff);
    for (size_t i = 0; i < n; i++) {
        int rc = read_delta(diff, i, q, out, e);
        if (rc < 0)
            return rc;
    }
    orr_gitfiles_sort(out);
    return 0;
}

/* Marks the files whose index entry differs from HEAD. */
static int mark_staged(git_repository *repo, git_index *index,
                       struct orr_gitfiles *out, struct orr_err *e)
{
    git_object *head = NULL;
    git_diff *diff = NULL;
    git_diff_options o;
    git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);
    int rc = git_revparse_single(&head, repo, "HEAD^{tree}");
    if (rc == 0 || rc == GIT_ENOTFOUND)
        rc = git_diff_tree_to_index(&diff, repo, (git_tree *)head, index, &o);
    if (rc < 0)
        rc = orr_gitlib_fail(e, "compare HEAD and the index");
    for (size_t i = 0; rc == 0 && i < git_diff_num_deltas(diff); i++) {
        const char *path = git_diff_get_delta(diff, i)->new_file.path;
        struct orr_gitfile *f = orr_gitfiles_find(out, path);
        if (f)
            f->staged = true;
    }
    git_diff_free(diff);
    git_object_free(head);
    return rc;
}

static int diff_worktree(git_repository *repo, git_tree *from,
                         const struct orr_gitquery *q, struct orr_gitfiles *out,
                         struct orr_err *e)
{
    git_diff_options o;
    git_index *index = NULL;
    git_diff *diff = NULL;
    int rc = 0;
    set_options(&o, q);
    if (git_repository_index(&index, repo) < 0 ||
        git_index_read(index, 0) < 0) {
        rc = orr_gitlib_fail(e, "read the index");
        goto out;
    }
    if (git_diff_tree_to_workdir_with_index(&diff, repo, from, &o) < 0) {
        rc = orr_gitlib_fail(e, "compare with the worktree");
        goto out;
    }
    rc = read_deltas(diff, q, out, e);
    if (rc == 0 && out->count)
        rc = mark_staged(repo, index, out, e);
out:
    git_diff_free(diff);
    git_index_free(index);
    return rc;
}

static int diff_trees(git_repository *repo, git_tree *from, git_tree *to,
                      const struct orr_gitquery *q, struct orr_gitfiles *out,
                      struct orr_err *e)
{
    git_diff_options o;
    git_diff *diff = NULL;
    set_options(&o, q);
    if (git_diff_tree_to_tree(&diff, repo, from, to, &o) < 0)
        return orr_gitlib_fail(e, "compare two commits");
    int rc = read_deltas(diff, q, out, e);
    git_diff_free(diff);
    return rc;
}

int orr_gitlib_diff(git_repository *repo, const struct orr_gitquery *q,
                    struct orr_gitfiles *out, struct orr_err *e)
{
    git_tree *from = NULL, *to = NULL;
    int rc = open_tree(repo, out->from, &from, e);
    if (rc == 0 && *out->to)
        rc = open_tree(repo, out->to, &to, e);
    if (rc == 0 && *out->to)
        rc = diff_trees(repo, from, to, q, out, e);
    else if (rc == 0)
        rc = diff_worktree(repo, from, q, out, e);
    git_tree_free(to);
    git_tree_free(from);
    return rc;
}
