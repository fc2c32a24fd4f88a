/*
 * gitread: refs and files by libgit2; by the git command where it refuses the
 * repository.
 */
#include "engine/gitread.h"

#include <stdlib.h>
#include <string.h>

#include "engine/gitcmd.h"
#include "engine/gitinside.h"
#include "engine/gitlib.h"

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for git's answer");
}

/* --- refs --- */

/* refs/heads/x is x, refs/remotes/o/x is o/x, refs/tags/x is x; others (notes,
 * stashes) are nobody's base. */
static int put_short(struct orr_strs *out, const char *name, size_t n)
{
    static const char *const kinds[] = {"refs/heads/", "refs/remotes/",
                                        "refs/tags/"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t k = strlen(kinds[i]);
        if (n > k && !memcmp(name, kinds[i], k))
            return orr_strs_put(out, name + k, n - k);
    }
    return 0;
}

static int lib_refs(struct orr_gitrepo *g, struct orr_strs *out,
                    struct orr_err *e)
{
    git_strarray list = {0};
    int rc = 0;
    if (git_reference_list(&list, g->lib) < 0)
        return orr_gitlib_fail(e, "list the refs");
    for (size_t i = 0; i < list.count && rc == 0; i++)
        rc = put_short(out, list.strings[i], strlen(list.strings[i]));
    git_strarray_dispose(&list);
    return rc < 0 ? no_memory(e) : 0;
}

static int cmd_refs(struct orr_gitrepo *g, struct orr_strs *out,
                    struct orr_err *e)
{
    struct orr_buf text = {0};
    int rc = orr_gitcmd_refs(g->at, &text, e);
    size_t from = 0;
    for (size_t i = 0; i < text.len && rc == 0; i++) {
        if (text.data[i] != '\n')
            continue;
        if (put_short(out, (char *)text.data + from, i - from) < 0)
            rc = no_memory(e);
        from = i + 1;
    }
    orr_buf_fini(&text);
    return rc;
}

int orr_gitread_refs(struct orr_gitrepo *g, struct orr_strs *out,
                     struct orr_err *e)
{
    int rc = g->lib ? lib_refs(g, out, e) : cmd_refs(g, out, e);
    if (rc < 0)
        return rc;
    orr_strs_sort(out);
    orr_strs_unique(out);
    return 0;
}

/* --- files --- */

static int lib_file(struct orr_gitrepo *g, const char *id, const char *path,
                    struct orr_buf *out, struct orr_err *e)
{
    git_oid oid;
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    git_blob *blob = NULL;
    int rc = 0;
    if (git_oid_fromstr(&oid, id) < 0 ||
        git_commit_lookup(&commit, g->lib, &oid) < 0 ||
        git_commit_tree(&tree, commit) < 0) {
        rc = orr_gitlib_fail(e, "read a commit");
        goto out;
    }
    int git = git_tree_entry_bypath(&entry, tree, path);
    if (git == GIT_ENOTFOUND ||
        (git == 0 && git_tree_entry_type(entry) != GIT_OBJECT_BLOB))
        goto out;
    if (git < 0 ||
        git_blob_lookup(&blob, g->lib, git_tree_entry_id(entry)) < 0) {
        rc = orr_gitlib_fail(e, "read a file of a commit");
        goto out;
    }
    rc = orr_buf_put(out, git_blob_rawcontent(blob),
                     (size_t)git_blob_rawsize(blob)) < 0
             ? no_memory(e)
             : 1;
out:
    git_blob_free(blob);
    git_tree_entry_free(entry);
    git_tree_free(tree);
    git_commit_free(commit);
    return rc;
}

int orr_gitread_file(struct orr_gitrepo *g, const char *ref, const char *path,
                     struct orr_buf *out, struct orr_err *e)
{
    char id[ORR_GIT_HEX];
    int rc = orr_gitrepo_resolve(g, ref, id, e);
    if (rc < 0)
        return rc;
    rc = g->lib ? lib_file(g, id, path, out, e) : ORR_EGIT;
    return rc == ORR_EGIT ? orr_gitcmd_file(g->at, id, path, out, e) : rc;
}
