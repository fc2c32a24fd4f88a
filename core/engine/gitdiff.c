/*
 * gitdiff: from refs to an answer, remembered or made.
 *
 *   refs ─► commit ids ─► key ─► pairs: never expires
 *                             └► now: while the worktree's stat vector is true
 *
 * When libgit2 cannot make a diff (a split index, objects a partial clone has
 * not fetched) the git command is asked before giving up.
 */
#include "engine/gitdiff.h"

#include <string.h>

#include "base/clock.h"
#include "engine/gitcmd.h"
#include "engine/gitinside.h"
#include "engine/gitlib.h"

struct ends {
    char from[ORR_GIT_HEX], to[ORR_GIT_HEX]; /* to "": the worktree */
    char head[ORR_GIT_HEX];                  /* worktree only */
};

static int empty_tree(struct orr_gitrepo *g, char id[ORR_GIT_HEX],
                      struct orr_err *e)
{
    if (!g->lib)
        return orr_gitcmd_empty_tree(g->at, id, e);
    memcpy(id, ORR_GIT_EMPTY_TREE, sizeof ORR_GIT_EMPTY_TREE);
    return 0;
}

static int head_or_empty(struct orr_gitrepo *g, char id[ORR_GIT_HEX],
                         struct orr_err *e)
{
    int rc = orr_gitrepo_head(g, id, e);
    if (rc == 0)
        return empty_tree(g, id, e);
    return rc < 0 ? rc : 0;
}

static int find_ends(struct orr_gitrepo *g, const struct orr_gitquery *q,
                     struct ends *ends, struct orr_err *e)
{
    int rc = 0;
    ends->to[0] = ends->head[0] = 0;
    if (q->to)
        rc = orr_gitrepo_resolve(g, q->to, ends->to, e);
    else if (!g->root)
        rc = orr_err_set(e, ORR_EINVAL,
                         "%.300s is a bare repository: it has no worktree to "
                         "compare with; name two commits",
                         g->at);
    else
        rc = head_or_empty(g, ends->head, e);
    if (rc < 0)
        return rc;
    if (q->merge_base)
        return orr_gitrepo_merge_base(g, q->from ? q->from : "HEAD",
                                      q->to ? q->to : "HEAD", ends->from, e);
    if (q->from)
        return orr_gitrepo_resolve(g, q->from, ends->from, e);
    return head_or_empty(g, ends->from, e);
}

/* What an answer depends on, the worktree itself aside. */
static int write_key(struct orr_buf *key, const struct orr_gitquery *q,
                     const struct ends *ends)
{
    int rc = orr_buf_printf(key, "diff %s %s %s %d%d", ends->from, ends->to,
                            ends->head, q->patch, q->numstat);
    for (size_t i = 0; i < q->paths_n && rc == 0; i++)
        rc = orr_buf_put(key, q->paths[i], strlen(q->paths[i]) + 1);
    return rc;
}

/* Ours, not the user's: never in a diff, whatever ignores it. */
static bool is_ours(const struct orr_gitfile *f)
{
    const char *at = strstr(f->path, ".orrery/");
    return f->status == '?' && at && (at == f->path || at[-1] == '/');
}

static void drop_ours(struct orr_gitfiles *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++)
        if (!is_ours(&f->all[i]))
            f->all[kept++] = f->all[i];
    f->count = kept;
}

static int make_by(struct orr_gitrepo *g, bool lib,
                   const struct orr_gitquery *q, const struct ends *ends,
                   struct orr_gitfiles **out, struct orr_err *e)
{
    struct orr_gitfiles *f = orr_gitfiles_new();
    if (!f)
        return orr_err_set(e, ORR_ENOMEM, "no memory for the diff");
    memcpy(f->from, ends->from, sizeof f->from);
    memcpy(f->to, ends->to, sizeof f->to);
    int rc = lib ? orr_gitlib_diff(g->lib, q, f, e)
                 : orr_gitcmd_diff(g->at, q, f, e);
    if (rc < 0) {
        orr_gitfiles_free(f);
        return rc;
    }
    drop_ours(f);
    *out = f;
    return 0;
}

static int make(struct orr_gitrepo *g, const struct orr_gitquery *q,
                const struct ends *ends, struct orr_gitfiles **out,
                struct orr_err *e)
{
    struct orr_err why;
    int rc = g->lib ? make_by(g, true, q, ends, out, e) : ORR_EGIT;
    if (rc != ORR_EGIT)
        return rc;
    rc = make_by(g, false, q, ends, out, &why);
    if (rc < 0 && g->lib)
        return ORR_EGIT; // libgit2 said why
    if (rc < 0 && e)
        *e = why;
    return rc;
}

/* Keeps 'f' in the memo, or aside when it cannot be. */
static const struct orr_gitfiles *keep(struct orr_gitrepo *g,
                                       struct orr_gitmemo *memo,
                                       const struct orr_buf *key,
                                       struct orr_gitfiles *f)
{
    if (!memo || orr_gitmemo_put(memo, key, f) < 0) {
        orr_gitfiles_free(g->last);
        g->last = f;
    }
    return f;
}

static int get_pair(struct orr_gitrepo *g, const struct orr_gitquery *q,
                    const struct ends *ends, const struct orr_buf *key,
                    const struct orr_gitfiles **out, struct orr_err *e)
{
    struct orr_gitfiles *made = NULL;
    *out = orr_gitmemo_get(&g->pairs, key);
    if (*out) {
        g->stats.hits++;
        return 0;
    }
    int rc = make(g, q, ends, &made, e);
    if (rc < 0)
        return rc;
    g->stats.misses++;
    *out = keep(g, &g->pairs, key, made);
    return 0;
}

/* A vector that vouches for all answers made since 'start', or NULL. */
static struct orr_gitstat *vouch(struct orr_gitrepo *g, uint64_t start)
{
    struct orr_gitstat *s = NULL;
    if (!g->lib || orr_gitstat_new(g->lib, &s, NULL) < 0)
        return NULL;
    if (orr_gitstat_settled(s, start))
        return s;
    orr_gitstat_free(s);
    return NULL;
}

static int get_worktree(struct orr_gitrepo *g, const struct orr_gitquery *q,
                        const struct ends *ends, const struct orr_buf *key,
                        const struct orr_gitfiles **out, struct orr_err *e)
{
    struct orr_gitfiles *made = NULL;
    uint64_t start = orr_clock_wall();
    bool same = g->stat && orr_gitstat_same(g->stat);
    *out = same ? orr_gitmemo_get(&g->now, key) : NULL;
    if (*out) {
        g->stats.hits++;
        return 0;
    }
    int rc = make(g, q, ends, &made, e);
    if (rc < 0)
        return rc;
    g->stats.misses++;
    if (!same || !orr_gitstat_same(g->stat)) {
        orr_gitmemo_clear(&g->now);
        orr_gitstat_free(g->stat);
        g->stat = vouch(g, start);
    }
    *out = keep(g, g->stat ? &g->now : NULL, key, made);
    return 0;
}

int orr_gitdiff_get(struct orr_gitrepo *g, const struct orr_gitquery *q,
                    const struct orr_gitfiles **out, struct orr_err *e)
{
    struct ends ends;
    struct orr_buf key = {0};
    int rc = find_ends(g, q, &ends, e);
    if (rc == 0 && write_key(&key, q, &ends) < 0)
        rc = orr_err_set(e, ORR_ENOMEM, "no memory for the diff");
    if (rc == 0)
        rc = *ends.to ? get_pair(g, q, &ends, &key, out, e)
                      : get_worktree(g, q, &ends, &key, out, e);
    orr_buf_fini(&key);
    return rc;
}
